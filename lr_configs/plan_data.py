"""Plans as plain data: what a checkpoint keeps, what is compared, and the differences in words."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from lr_configs.errors import SchedulerConfigError
from lr_configs.formula import Formula
from lr_configs.functions import Timed

#: numbers, text, None, lists and dicts, as ``torch.load(weights_only=True)`` reads them
Data: TypeAlias = Any

_FORMULA, _FUNCTION = "formula", "function"
_MISSING: Any = object()


def name_of(function: Any) -> str:
    """What stands for a Python callable, which no checkpoint can keep.

    >>> import math
    >>> name_of(math.sqrt)
    '<math.sqrt>'
    """
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return f"<{getattr(function, '__module__', None) or '?'}.{name}>"


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("<") and value.endswith(">")


def encode(value: Any) -> Data:
    """`value` as plain data."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, Mapping):
        return {str(key): encode(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(one) for one in value]
    if isinstance(value, Formula):
        return {_FORMULA: value.text, "T": value.T}
    if isinstance(value, Timed):
        return {_FUNCTION: name_of(value.function), "T": value.T}
    return name_of(value)


def damaged(key: str, value: Any) -> SchedulerConfigError:
    """The error for data that no plan wrote."""
    return SchedulerConfigError(
        f"checkpoint.{key}" if key else "checkpoint",
        value,
        "the saved schedule is damaged, nothing like this is ever written",
        "Resume from another checkpoint, or write resume=restart",
    )


def integer(value: Any, key: str) -> int:
    """A saved count."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise damaged(key, value)
    return value


def points(value: Any, key: str) -> Any:
    """Saved points of a curve: positions in scheduler steps, each with a factor."""
    if not isinstance(value, list) or not value:
        raise damaged(key, value)
    for point in value:
        if not isinstance(point, list) or len(point) != 2 or isinstance(point[1], bool):
            raise damaged(key, point)
        integer(point[0], key)
        if not isinstance(point[1], (int, float)) or not 0 <= point[1] < math.inf:
            raise damaged(key, point)
    return value


def reader(data: Any, prefix: str) -> Callable[..., Any]:
    """A function ``(key, type, default)`` that takes values out of saved data and refuses what cannot be right."""
    if not isinstance(data, dict):
        raise damaged(prefix, data)

    def read(key: str, kind: type, default: Any = _MISSING) -> Any:
        value, place = data.get(key, _MISSING), f"{prefix}.{key}" if prefix else key
        if value is _MISSING:
            raise damaged(place, None)
        if value is None and default is None:
            return None
        if kind is int:
            return integer(value, place)
        if not isinstance(value, kind):
            raise damaged(place, value)
        return value

    return read


def decode(value: Data, key: str, variables: tuple[str, ...], asked: Any) -> Any:
    """The formula (or several, or a callable of this run) that saved data stands for."""
    if isinstance(value, list):
        beside = asked if isinstance(asked, list) else [None] * len(value)
        beside = [*beside, *[None] * len(value)]
        return [decode(one, f"{key}.{i}", variables, beside[i]) for i, one in enumerate(value)]
    if isinstance(value, dict):
        read = reader(value, key)
        if _FUNCTION in value:
            return Timed(_callable(read(_FUNCTION, str), key, getattr(asked, "function", None)), read("T", int))
        text, length = read(_FORMULA, str), read("T", int, None)
        return Formula(text, key, length, variables)
    if value is None:
        return None
    return _callable(value, key, asked)


def _callable(name: Any, key: str, asked: Any) -> Any:
    if not _is_name(name):
        raise damaged(key, name)
    if not callable(asked) or name_of(asked) != name:
        raise SchedulerConfigError(
            key,
            name,
            "the saved schedule is computed by this Python function, which a checkpoint cannot keep",
            "Give the same function to this run's schedule, or write resume=restart",
        )
    return asked


def with_callables(config: Data, asked: Any, key: str = "") -> Any:
    """A saved config with the callables of this run's config at the same places."""
    if isinstance(config, dict):
        beside = asked if isinstance(asked, dict) else {}
        prefix = f"{key}." if key else ""
        return {name: with_callables(one, beside.get(name), f"{prefix}{name}") for name, one in config.items()}
    if isinstance(config, list):
        others = [*(asked if isinstance(asked, list) else []), *[None] * len(config)]
        return [
            with_callables(one, other, f"{key}.{i}") for i, (one, other) in enumerate(zip(config, others, strict=False))
        ]
    # No formula, name of a choice or length looks like the name of a callable; a metric might.
    return _callable(config, key, asked) if _is_name(config) and not key.endswith("monitor") else config


# ---------------------------------------------------------------------------------------- what is compared


def function(data: Data) -> Data:
    """The part of a plan's data that the rate at each step depends on."""
    shared = {key: data[key] for key in ("interval", "frequency", "param", "monitor")}
    return {**shared, **_stage_function(data)}


def _stage_function(data: Data) -> Data:
    warmup = {"steps": data["warmup"], "shape": data["warmup_shape"], "start_factor": data["warmup_start_factor"]}
    if data.get("warmup_overlap"):
        warmup["overlap"] = data["warmup_overlap"]
    return {
        "name": data["name"],
        "params": data["params"],
        "warmup": warmup if data["warmup"] else None,
        "cooldown": _cooldown(data),
        "hold": data["hold"],
        "stages": [[start, _stage_function(stage)] for start, stage in data["stages"]],
    }


def _cooldown(data: Data) -> Data:
    """Where the tail begins, and how it falls; None where there is none."""
    steps = data.get("cooldown", 0)
    return {"from": data["steps"] - steps, "steps": steps, "shape": data["cooldown_shape"]} if steps else None


def differences(old: Data, new: Data) -> list[str]:
    """What differs between two plans' data as far as the rate depends on it, in words.

    >>> from lr_configs.plan import resolve
    >>> old, new = ({"name": "cosine", "T_max": n} for n in (100, 200))
    >>> differences(resolve(old).to_data(), resolve(new).to_data())
    ['T_max 100 -> 200']
    """
    found = [_changed(key, old[key], new[key]) for key in ("param", "interval", "frequency", "monitor")]
    return [text for text in found if text] + list(_stage_differences(old, new, old["config"], new["config"]))


def _changed(key: str, old: Any, new: Any, before: Any = None, after: Any = None) -> str:
    """``key old -> new``, with what was written for each; empty where they are equal."""
    return "" if old == new else f"{key} {_words(old, before)} -> {_words(new, after)}"


def _words(value: Any, written: Any) -> str:
    if isinstance(value, dict) and _FUNCTION in value:
        return f"{value[_FUNCTION]} with T={value['T']}"
    if isinstance(value, dict) and _FORMULA in value:
        return repr(value[_FORMULA]) + ("" if value["T"] is None else f" with T={value['T']}")
    if isinstance(value, list):
        text = f"[{', '.join(_words(one, None) for one in value)}]"
    else:
        text = repr(value) if isinstance(value, str) and not value.isidentifier() else str(value)
    has_unit = isinstance(written, str) or (isinstance(written, list) and any(isinstance(one, str) for one in written))
    if not has_unit or written == value:
        return text
    return f"{text} ({written if isinstance(written, str) else ', '.join(map(str, written))})"


def _stage_differences(old: Data, new: Data, before: Data, after: Data) -> Iterator[str]:
    """Differences of one schedule; `before` and `after` have what was written."""
    prefix = f"{new['key']}." if new["key"] else ""
    if old["name"] != new["name"]:
        where = f"{new['key']}: " if new["key"] else ""
        yield f"{where}schedule {old['name']} -> {new['name']}"
    else:
        for key in {**old["params"], **new["params"]}:
            pair = old["params"].get(key), new["params"].get(key)
            yield from filter(None, [_changed(prefix + key, *pair, before.get(key), after.get(key))])
    yield from filter(None, _warmup_differences(old, new, before, after, prefix))
    if old["name"] == new["name"]:
        yield from _differences_of_stages(old, new, before, after)


def _warmup_differences(old: Data, new: Data, before: Data, after: Data, prefix: str) -> Iterator[str]:
    yield _changed(f"{prefix}warmup", old["warmup"], new["warmup"], before.get("warmup"), after.get("warmup"))
    if old["warmup"] and new["warmup"]:
        for key in ("warmup_shape", "warmup_start_factor"):
            yield _changed(prefix + key, old[key], new[key])
        yield _changed(f"{prefix}warmup_overlap", old.get("warmup_overlap", False), new.get("warmup_overlap", False))
    tails = [
        "none" if tail is None else f"{tail['shape']} from {tail['from']} over {tail['steps']} steps"
        for tail in (_cooldown(old), _cooldown(new))
    ]
    yield "" if tails[0] == tails[1] else f"{prefix}cooldown {tails[0]} -> {tails[1]}"
    if old["hold"] != new["hold"]:
        ends = ["never" if one is None else f"after {one} steps" for one in (old["hold"], new["hold"])]
        yield f"{prefix}hold {ends[0]} -> {ends[1]}"


def _differences_of_stages(old: Data, new: Data, before: Data, after: Data) -> Iterator[str]:
    pairs = old["stages"], new["stages"]
    names = [[stage["key"].rpartition("stages.")[2] for _, stage in stages] for stages in pairs]
    if len(names[0]) != len(names[1]):
        yield f"{new['key'] + '.' if new['key'] else ''}stages {', '.join(names[0])} -> {', '.join(names[1])}"
        return
    written = (
        [
            list(node["stages"].values() if isinstance(node["stages"], dict) else node["stages"])
            for node in (before, after)
        ]
        if names[0]
        else [[], []]
    )
    for i, ((start, stage), (then, other)) in enumerate(zip(*pairs, strict=True)):
        if start != then:
            yield f"{other['key']} begins at {start} -> {then}"
        yield from _stage_differences(stage, other, written[0][i], written[1][i])
