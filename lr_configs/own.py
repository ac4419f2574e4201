"""A schedule of one's own as a config class: from a function, or from a scheduler class of torch's kind.

A function ``f(t, T, *, alpha=0.5)`` gives the factor at step `t` of a schedule of `T` steps; what it takes by name are the
keys of the schedule. A class is stepped as it is, and the arguments of its constructor are the keys.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

from lr_configs.config import SchedulerConfig, config_field, copy_plain, flag, length, number, schedule
from lr_configs.errors import SchedulerConfigError
from lr_configs.horizon import Length
from lr_configs.kinds import Text

#: of a run up to this length every step of a function is checked; of a longer one as many, spread over it
_CHECKED = 20_000
#: of a run of unknown length
_FIRST = 1000
#: arguments of torch's constructors that are no keys of a schedule
_NOT_KEYS = ("last_epoch", "verbose")


def config_of(name: str, what: Any, defaults: Mapping[str, Any]) -> type[SchedulerConfig]:
    """The config class of a schedule of one's own.

    Args:
        name: its name.
        what: a config class with its formula, a function of the step, or a scheduler class.
        defaults: of keys for which the signature has none, or another one.

    Raises:
        SchedulerConfigError: for what is none of the three, and for a signature that cannot be read.
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise SchedulerConfigError("name", name, "the name of a schedule is one word", "Write register('my_decay')")
    if isinstance(what, type):
        if issubclass(what, SchedulerConfig):
            return _of_config(name, what)
        if is_torch_scheduler(what):
            return _of_class(name, what, defaults)
    elif callable(what):
        return _of_function(name, what, defaults)
    raise SchedulerConfigError(
        "schedule",
        what,
        "this is no config class, no function of the step and no class of torch's schedulers",
        "Register a SchedulerConfig, a function f(t, T, *, alpha=0.5), or an LRScheduler",
    )


def is_torch_scheduler(what: type) -> bool:
    """Whether a class is one of torch's kind; without torch there is none."""
    torch_classes = sys.modules.get("torch.optim.lr_scheduler")
    return torch_classes is not None and issubclass(what, torch_classes.LRScheduler)


def _of_config(name: str, what: type[SchedulerConfig]) -> type[SchedulerConfig]:
    if vars(what).get("torch_name"):  # decorated already
        own = what.__dataclass_fields__["name"].default
        if own != name:
            raise SchedulerConfigError(
                "name", name, f"{what.__name__} has the name {own} already", f"Register it as {own}"
            )
        return what
    if what.weights is SchedulerConfig.weights:
        raise SchedulerConfigError(
            "schedule", what.__name__, "the class has no formula", "Write its static method weights(p, t, m)"
        )
    return schedule(name, class_name(name))(what)


def class_name(name: str) -> str:
    """The name of the scheduler class.

    >>> class_name("my_decay")
    'MyDecayLR'
    """
    return f"{''.join(part.capitalize() for part in name.split('_'))}LR"


# ---------------------------------------------------------------------------------------- keys from a signature


def _parameters(what: Any) -> list[inspect.Parameter]:
    try:
        found = list(inspect.signature(what).parameters.values())
    except (TypeError, ValueError) as error:
        raise SchedulerConfigError(
            "schedule",
            what,
            f"its signature cannot be read ({error})",
            "Wrap it in a function, or write a config class",
        ) from None
    for one in found:
        if one.kind in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL):
            raise SchedulerConfigError(
                "schedule",
                what,
                f"its signature has {one}, and which keys that stands for cannot be read",
                "Name every key: def f(t, T, *, alpha=0.5)",
            )
    return found


def _field(what: Any, parameter: inspect.Parameter, defaults: Mapping[str, Any]) -> tuple[str, Any]:
    """The annotation and the field of one key, from its default."""
    default = defaults.get(parameter.name, parameter.default)
    if default is inspect.Parameter.empty:
        raise SchedulerConfigError(
            parameter.name,
            None,
            f"this key of {getattr(what, '__name__', what)} has no default, and every schedule runs with its name alone",
            f"Give it one, in the signature or with register(..., defaults={{{parameter.name!r}: ...}})",
        )
    if isinstance(default, bool):
        return "bool", flag(default)
    if isinstance(default, int):
        return "int", number(default, integer=True)
    if isinstance(default, float):
        return "float", number(default)
    if isinstance(default, str) and _is_length(default):
        return "Any", length(default)
    if isinstance(default, str):
        return "str", config_field(default, Text("this is text", "Write a word", "text", empty=True))
    return "Any", config_field(copy_plain(list(default) if isinstance(default, tuple) else default), None)


def _is_length(text: str) -> bool:
    try:
        return bool(Length.parse(text, "").unit)
    except SchedulerConfigError:
        return False


def _made(name: str, base: type[SchedulerConfig], keys: dict[str, tuple[str, Any]], what: Any, **more: Any) -> Any:
    """A config class with these keys."""
    for key in keys:
        if key in SchedulerConfig.__dataclass_fields__:
            raise SchedulerConfigError(
                key, getattr(what, "__name__", what), "every schedule has this key already", "Choose another name"
            )
    namespace = {
        "__annotations__": {key: annotation for key, (annotation, _) in keys.items()},
        "__module__": "lr_configs.registry",  # which finds it by its name, for pickles
        "__doc__": inspect.getdoc(what) or f"The schedule {name}.",
        **{key: field for key, (_, field) in keys.items()},
        **more,
    }
    return schedule(name, class_name(name))(type(f"{class_name(name)}Config", (base,), namespace))


# ---------------------------------------------------------------------------------------- a function


class _FunctionConfig(SchedulerConfig):
    """``rate(t) = base * function(t, T, ...)``."""

    natural_interval = "step"
    function: ClassVar[Callable[..., float]]

    @classmethod
    def bound(cls, params: Mapping[str, Any]) -> Callable[[Any], float]:
        """The function of the step alone."""
        keys = [key for key in cls.__dataclass_fields__ if key not in SchedulerConfig.__dataclass_fields__]
        return partial(cls.function, **{key: params[key] for key in keys})

    @classmethod
    def prepare(cls, p: Any) -> None:
        """The function with its keys."""
        p.function = cls.bound(vars(p))

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """What the function gives."""
        return m.each(p.function, t)

    def resolved(self, params: dict[str, Any], steps: int | None, key: str) -> dict[str, Any]:
        """Refuse a function that gives no rate at a step of the run."""
        function, last = self.bound(params), _FIRST if steps is None else steps
        points = (
            range(last) if last <= _CHECKED else sorted({last * i // _CHECKED for i in range(_CHECKED)} | {last - 1})
        )
        for t in points:
            value, rule = _value(function, t)
            if rule:
                raise SchedulerConfigError(
                    f"{key}.name" if key else "name",
                    self.name,
                    f"at step {t} its function {rule}, and a factor is finite and not negative",
                    f"Repair {getattr(self.function, '__qualname__', 'the function')}"
                    + ("" if math.isfinite(value) else ", or its keys"),
                )
        return params


def _value(function: Callable[[Any], float], t: int) -> tuple[float, str]:
    """The factor at `t`, and what is wrong with it."""
    try:
        value = float(function(t))
    except Exception as error:  # whatever it raises would end the run
        return math.nan, f"raises {type(error).__name__}: {error}"
    return value, "" if math.isfinite(value) and value >= 0 else f"gives {value}"


def _of_function(name: str, what: Any, defaults: Mapping[str, Any]) -> type[SchedulerConfig]:
    positional = [one for one in _parameters(what) if one.kind is not inspect.Parameter.KEYWORD_ONLY]
    rest = [one for one in _parameters(what) if one.kind is inspect.Parameter.KEYWORD_ONLY]
    if not 1 <= len(positional) <= 2 or positional[-1].kind is inspect.Parameter.POSITIONAL_ONLY:
        raise SchedulerConfigError(
            "schedule",
            what,
            "a function of the step takes (t) or (t, T), and its keys by name",
            "Write def f(t, T, *, alpha=0.5)",
        )
    keys = {}
    for one in positional[1:]:
        written = "100%" if one.default in (inspect.Parameter.empty, None) else one.default
        keys[one.name] = ("Any", length(defaults.get(one.name, written)))
    keys |= {one.name: _field(what, one, defaults) for one in rest}
    made: type[SchedulerConfig] = _made(name, _FunctionConfig, keys, what, function=staticmethod(what))
    return made


# ---------------------------------------------------------------------------------------- a scheduler class


class SteppedConfig(SchedulerConfig):
    """A class of torch's schedulers, stepped as it is: there is no curve, and nothing can be put in front of it.

    Attributes:
        wraps: the class.
        takes_last_epoch: whether its constructor does.
    """

    wraps: ClassVar[Any] = None
    takes_last_epoch: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for key, default in (("warmup", 0), ("warmup_overlap", False), ("cooldown", 0), ("param", "lr")):
            if getattr(self, key) != default:
                raise SchedulerConfigError(
                    key,
                    getattr(self, key),
                    f"{self.name} steps {self.wraps.__name__} as it is, and that has no curve",
                    "Register the schedule as a function f(t, T) instead, which has everything",
                )
        if self.last_epoch >= 0 and not self.takes_last_epoch:
            raise SchedulerConfigError(
                "last_epoch", self.last_epoch, f"{self.wraps.__name__} takes no last_epoch", "Load its state instead"
            )

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """There is none."""
        raise SchedulerConfigError(
            "name",
            "?",
            "the schedule is a class that is stepped as it is, and has no curve",
            "Register a function f(t, T)",
        )


def _of_class(name: str, what: type, defaults: Mapping[str, Any]) -> type[SchedulerConfig]:
    parameters = _parameters(what)
    if not parameters:
        raise SchedulerConfigError(
            "schedule", what, "a scheduler class takes the optimizer first", "Write def __init__(self, optimizer, ...)"
        )
    names = [one.name for one in parameters]
    keys = {one.name: _field(what, one, defaults) for one in parameters[1:] if one.name not in _NOT_KEYS}
    made: type[SchedulerConfig] = _made(
        name, SteppedConfig, keys, what, wraps=what, takes_last_epoch="last_epoch" in names
    )
    return made
