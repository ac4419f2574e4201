"""What a conversion gives, and what the converters share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any

from lr_configs.config import SchedulerConfig
from lr_configs.errors import SchedulerConfigError, nearest
from lr_configs.registry import parse


@dataclass(frozen=True)
class Converted:
    """A config of ours, and where the call and it differ in more than words.

    Attributes:
        config: what gives the same rates.
        notes: the reason for every difference.
        epochs: how long the other library trains, where it says so.
    """

    config: SchedulerConfig
    notes: tuple[str, ...] = ()
    epochs: float | None = None

    def yaml(self) -> str:
        """The schedule as a file of the group `scheduler`, with the notes in front; what is a default is left out.

        >>> print(converted({"name": "step", "step_size": 30}, "a note").yaml())
        # a note
        _target_: lr_configs.scheduler
        name: step
        step_size: 30
        """
        import yaml  # OmegaConf brings it along

        text: str = yaml.safe_dump(written(self.config), sort_keys=False, default_flow_style=False, width=110)
        return "".join(f"# {note}\n" for note in self.notes) + text.rstrip()


def converted(node: Mapping[str, Any], *notes: str) -> Converted:
    """What a node stands for."""
    return Converted(parse(dict(node)), notes)


def written(config: SchedulerConfig) -> dict[str, Any]:
    """What has to be written for a config.

    >>> written(parse({"name": "cosine", "T_max": 10, "warmup": 0}))
    {'_target_': 'lr_configs.scheduler', 'name': 'cosine', 'T_max': 10}
    """
    node: dict[str, Any] = {}
    for item in fields(config):
        value = getattr(config, item.name)
        default = item.default if item.default_factory is MISSING else item.default_factory()
        if item.name == "stages":
            named = isinstance(value, Mapping)
            stages = {key: _stage(one) for key, one in (value.items() if named else enumerate(value))}
            # the default's own stages would be merged with these
            node["stages"] = stages if named else list(stages.values())
        elif item.name in ("_target_", "name") or value != default:
            node[item.name] = value if not callable(value) else getattr(value, "__name__", "?")
    return node


def _stage(stage: Mapping[str, Any]) -> dict[str, Any]:
    short = written(parse({k: v for k, v in stage.items() if k != "length"}))
    short.pop("_target_")
    return {**short, **({"length": stage["length"]} if "length" in stage else {})}


def known(arguments: Mapping[str, Any], allowed: Iterable[str], of: str) -> None:
    """Refuse arguments that the other library's function has not.

    Raises:
        SchedulerConfigError: naming the nearest.
    """
    names = list(allowed)
    for key, value in arguments.items():
        if key not in names:
            raise SchedulerConfigError(
                key,
                value,
                f"{of} has no such argument",
                f"{nearest(key, names)}Its arguments: {', '.join(names) or 'none'}",
            )


def needed(key: str, value: Any, why: str) -> Any:
    """`value`, which the other library needs as well.

    Raises:
        SchedulerConfigError: where there is none.
    """
    if value is None:
        raise SchedulerConfigError(key, None, why, f"Give {key}")
    return value


def positive(key: str, value: Any, name: str) -> Any:
    """A length that is above 0.

    Raises:
        SchedulerConfigError: where it is not.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise SchedulerConfigError(key, value, f"{name} needs a length above 0", "Check the lengths of the call")
    return value


def rates(lr: Any, why: str) -> list[float]:
    """The groups' own rates, which a conversion cannot do without.

    Raises:
        SchedulerConfigError: where they are not given, or no rates.
    """
    values = [lr] if isinstance(lr, (int, float)) else lr
    if not isinstance(values, Sequence) or not values:
        raise SchedulerConfigError("lr", lr, why, "Give the groups' own rates: lr=0.1, or lr=[0.1, 0.05]")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            raise SchedulerConfigError("lr", value, "a rate is a number above 0", "Give the groups' own rates")
    return [float(value) for value in values]


def share(part: float) -> str:
    """A factor as a share of the group's own rate.

    >>> share(0.015625), share(0.07)
    ('1.5625%', '7%')
    """
    short = f"{part * 100:.15g}"
    return f"{short}%" if float(short) / 100 == part else f"{part * 100!r}%"


def whole(value: float) -> float | int:
    """A float without a fraction as an integer."""
    return int(value) if value == int(value) else value
