"""What every schedule's config has: the common keys, the kinds of fields and their checks, the hooks of a formula.

Fields hold what the user wrote; nothing here depends on an optimizer or on the size of the run. Lengths and
per-group values are annotated ``Any`` because OmegaConf knows no union of numbers and containers; the
checks in the field's metadata decide instead.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import numbers
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Optional, TypeVar

from lr_configs.errors import SchedulerConfigError, nearest
from lr_configs.formula import Formula
from lr_configs.groups import share_of
from lr_configs.horizon import LARGEST, Length
from lr_configs.shapes import FALLING, HINTS
from lr_configs.warmup import WARMUP_SHAPES

#: keys that a stage leaves to the schedule around it
OUTER = ("interval", "frequency", "monitor", "param", "verbose", "last_epoch")

Check = Callable[[Any, str], Any]
if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: Any) -> Any:
        """For type checkers alone."""
        return lambda function: function


C = TypeVar("C", bound="SchedulerConfig")


def every(step: int) -> range:
    """Every so-many-th step, further than any run.

    >>> every(30)[:2]
    range(30, 90, 30)
    """
    return range(step, LARGEST, step)


def config_field(default: Any, check: Check | None, **metadata: Any) -> Any:
    """A field with its check, which gets the value and the key and returns the value to keep."""
    metadata = {"check": check, **metadata}
    if isinstance(default, (list, dict)):
        return field(default_factory=lambda: copy_plain(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def copy_plain(value: Any) -> Any:
    """A copy of nested dicts and lists."""
    if isinstance(value, dict):
        return {k: copy_plain(v) for k, v in value.items()}
    return [copy_plain(v) for v in value] if isinstance(value, list) else value


# ---------------------------------------------------------------------------------------- kinds of fields


def _range_text(low: float, high: float, open_low: bool, open_high: bool, integer: bool) -> str:
    kind = "an integer" if integer else "a number"
    if low == -math.inf and high == math.inf:
        return kind if integer else "a finite number"
    lower = "" if low == -math.inf else f"{'above' if open_low else 'at least'} {low:g}"
    upper = "" if high == math.inf else f"{'below' if open_high else 'at most'} {high:g}"
    return f"{kind} " + " and ".join(part for part in (lower, upper) if part)


def _as_number(value: Any, key: str, rule: str) -> Any:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise SchedulerConfigError(key, value, "this is not a number", f"Write {rule}") from None
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise SchedulerConfigError(key, value, "this is not a number", f"Write {rule}")
    try:
        # numpy's numbers would end in the checkpoint, which could then not be loaded safely
        return int(value) if isinstance(value, numbers.Integral) else float(value)
    except OverflowError:
        raise SchedulerConfigError(key, value, "this number is out of range", f"Write {rule}") from None


def _number_check(low: float, high: float, open_low: bool, open_high: bool, integer: bool) -> Check:
    rule = _range_text(low, high, open_low, open_high, integer)

    def check(value: Any, key: str) -> Any:
        number = _as_number(value, key, rule)
        try:
            inside = low <= number <= high and math.isfinite(number)
        except OverflowError:  # an integer that no float holds
            inside = False
        if inside and ((open_low and number == low) or (open_high and number == high)):
            inside = False
        if not inside or (integer and number != int(number)):
            raise SchedulerConfigError(key, value, f"this must be {rule}", f"Write {rule}")
        return int(number) if integer else number

    return check


def number(
    default: Any,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    above: float | None = None,
    below: float | None = None,
    integer: bool = False,
    optional: bool = False,
) -> Any:
    """A finite number in a range."""
    check = _number_check(
        low if above is None else above,
        high if below is None else below,
        above is not None,
        below is not None,
        integer,
    )
    return config_field(default, _optional(check) if optional else check)


#: a finite factor of the rate, 0 or more
check_factor: Check = _number_check(0, math.inf, False, False, False)


def per_group(
    default: Any,
    low: float = -math.inf,
    *,
    above: float | None = None,
    high: float = math.inf,
    optional: bool = False,
    share: bool = False,
) -> Any:
    """One number, or one for each parameter group: a list, or a mapping by group name or index.

    With `share`, text like ``1%`` is a share of the group's own rate.
    """
    bounds = _number_check(low if above is None else above, high, above is not None, False, False)

    def one(value: Any, key: str) -> Any:
        if value is None and optional:
            return None
        part = share_of(value) if share else None
        if part is not None:
            bounds(part, key)
            return str(value).strip()
        return bounds(value, key)

    def check(value: Any, key: str) -> Any:
        if isinstance(value, Mapping):
            return {str(k): one(v, f"{key}.{k}") for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            if not value:
                raise SchedulerConfigError(
                    key, value, "a list has one value per parameter group", "Write one number or a list"
                )
            return [one(v, f"{key}.{i}") for i, v in enumerate(value)]
        return one(value, key)

    return config_field(default, check, per_group=True)


def _optional(check: Check) -> Check:
    return lambda value, key: None if value is None else check(value, key)


def check_length(value: Any, key: str) -> Any:
    """A positive length as it is kept: an integer, or text with a unit."""
    length = Length.parse(value, key)
    return int(length.amount) if not length.unit else str(value)


def length(default: Any, *, optional: bool = False) -> Any:
    """A positive length; see :mod:`lr_configs.horizon`."""
    return config_field(default, _optional(check_length) if optional else check_length, length=True)


def lengths(default: Any) -> Any:
    """A rising list of positions, each a length."""

    def check(value: Any, key: str) -> Any:
        if not isinstance(value, (list, tuple)) or not value:
            raise SchedulerConfigError(key, value, "this is a list of lengths", "Write [30, 60] or [50%, 75%]")
        checked = [check_length(v, f"{key}.{i}") for i, v in enumerate(value)]
        parsed = [Length.parse(v, key) for v in checked]
        for before, after in itertools.pairwise(parsed):
            if before.unit == after.unit and before.amount >= after.amount:
                raise SchedulerConfigError(key, value, "milestones rise strictly", "Sort them, each only once")
        return checked

    return config_field(default, check, length=True)


def choice(default: Any, *options: str, hints: Mapping[str, str] | None = None) -> Any:
    """One of a few words; `hints` are what people write for them elsewhere."""

    def check(value: Any, key: str) -> Any:
        if isinstance(value, str) and value in options:
            return value
        known = (hints or {}).get(str(value).lower())
        hint = f"did you mean {known!r}? " if known else nearest(str(value), options)
        raise SchedulerConfigError(
            key, value, f"this is one of {', '.join(options)}", hint.strip() or f"Write {options[0]}"
        )

    return config_field(default, check)


def flag(default: bool) -> Any:
    """True or false."""

    def check(value: Any, key: str) -> Any:
        if not isinstance(value, bool):
            raise SchedulerConfigError(key, value, "this is true or false", "Write true or false")
        return value

    return config_field(default, check)


def formula(default: Any, variables: tuple[str, ...] = ("t", "epoch"), *, optional: bool = False) -> Any:
    """A formula as text, or a Python callable; where it is not optional, a list has one for each parameter group."""

    def one(value: Any, key: str) -> Any:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            value = repr(value)  # an unquoted constant formula, `lr_lambda: 0.95`
        if not isinstance(value, str) and not callable(value):
            raise SchedulerConfigError(
                key, value, "this is a formula as text, or a Python callable", "Write '0.95 ** epoch'"
            )
        if isinstance(value, str):
            Formula(value, key, variable=variables)
        return value

    def check(value: Any, key: str) -> Any:
        if value is None and optional:
            return None
        if isinstance(value, (list, tuple)) and value and not optional:
            return [one(v, f"{key}.{i}") for i, v in enumerate(value)]
        return one(value, key)

    return config_field(default, check, formula=variables)


def _text(value: Any, key: str) -> Any:
    if value is not None and (not isinstance(value, str) or not value):
        raise SchedulerConfigError(key, value, "this is a name", "Write the name as it is logged, e.g. val_loss")
    return value


def _param(value: Any, key: str) -> Any:
    if not isinstance(value, str) or not value:
        raise SchedulerConfigError(
            key, value, "this names a key of the parameter groups", "Write lr, weight_decay, momentum or betas.0"
        )
    return value


def _zero_length(value: Any, key: str) -> Any:
    parsed = Length.parse(0 if value is None else value, key, zero=True)
    if parsed.amount == 0:
        return 0
    return int(parsed.amount) if not parsed.unit else str(value)


def _fixed(value: Any, key: str) -> Any:
    return value


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
def data(cls: type[C]) -> type[C]:
    """A config dataclass; what generating methods for every class would cost `--cfg job` is written once below."""
    return dataclass(kw_only=True, repr=False, eq=False, match_args=False)(cls)


@dataclass(frozen=True)
class Landmarks:
    """What happens on a curve, at which of the schedule's own steps, for the lines at fit start.

    Attributes:
        events: what happens (``restart(s) at``, whose ``(s)`` is left out for a single one), and the rising steps at
            which it does.
        key: the parameter that says when.
        expected: steps that are there to be reached.
        ends: the rising steps at which the curve has run its course; a run that stops between two cuts it short.
        beyond: what it does behind the last of `ends` that its author may not have meant: ``climbs again`` or
            ``is held``. Empty where it may well be meant.
        flat: whether it stays where it is behind the last of `ends`.
        at_once: whether the rate of any step is found without those before it.
    """

    events: tuple[tuple[str, Sequence[float]], ...] = ()
    key: str = ""
    expected: Sequence[int] = ()
    ends: Sequence[int] = ()
    beyond: str = ""
    flat: bool = False
    at_once: bool = True


_INTERVAL_HINTS = {
    **dict.fromkeys(("batch", "batches", "steps", "update", "updates", "iteration", "iterations"), "step"),
    "epochs": "epoch",
}


@data
class SchedulerConfig:
    """The keys that every schedule has, and what a schedule may say beside its keys.

    Attributes:
        interval: when the schedule advances: ``auto``, ``epoch`` or ``step`` (an optimizer update). ``auto`` is
            decided by what is written: ``step`` as soon as a length is in updates, in a share of the run or a fraction
            of an epoch, or a warmup is in epochs, or where that is natural for the schedule; else ``epoch``.
        frequency: advance at every so-many-th interval, counted over the whole run.
        monitor: name of the logged metric, for metric-driven schedules.
        warmup: length of the warmup, in front of the schedule; relative lengths of the schedule are shares of
            what remains.
        warmup_start_factor: factor at the first update, 0 to 1.
        warmup_shape: ``linear``, ``cosine``, ``exponential`` or ``constant``.
        warmup_overlap: the schedule's clock runs during the warmup, as in timm: behind it the schedule is at its own
            step `warmup`, and its relative lengths are shares of the whole.
        cooldown: length of the tail, within the run, over which the rate that the schedule has there falls to 0, and
            stays; the schedule's own lengths are the same with and without it.
        cooldown_shape: ``linear``, ``cosine``, ``1-sqrt``, ``1-square`` or ``exponential``, as for the decay of
            ``warmup_stable_decay``.
        param: what is driven: ``lr``, or another numeric key of the parameter groups (``weight_decay``,
            ``momentum``, ``betas.0``).
        verbose: print a line to stdout at every change of the rate.
        last_epoch: index of the last step when resuming by hand; -1 starts.

    Raises:
        SchedulerConfigError: on construction, naming key, value, rule and remedy.
    """

    if TYPE_CHECKING:  # annotations of a dataclass are fields
        __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]
        natural_interval: ClassVar[str]
        arrangement: ClassVar[str | None]
        torch_name: ClassVar[str]
        beyond_torch: ClassVar[tuple[str, ...]]
        clamps: ClassVar[bool]

    #: what the schedule advances by where nothing that is written decides
    natural_interval = "epoch"
    #: how stages make up the schedule: one after another (``sequence``), multiplied (``product``), or none
    arrangement = None
    #: name of the class in :mod:`lr_configs.schedulers` that is built, torch's own where torch has it
    torch_name = ""
    #: keys that torch's class does not take; at their defaults they change nothing
    beyond_torch = ()
    #: whether the rate stays at the floor that :meth:`lowest` gives
    clamps = False

    _target_: str = config_field("lr_configs.scheduler", _fixed)
    name: str = config_field("", _fixed)
    interval: str = choice("auto", "auto", "epoch", "step", hints=_INTERVAL_HINTS)
    frequency: int = number(1, 1, integer=True)
    monitor: Optional[str] = config_field(None, _text)  # noqa: UP045 - OmegaConf on Python 3.10 reads Optional only
    warmup: Any = config_field(0, _zero_length, length=True)
    warmup_start_factor: float = number(0.01, 0, 1)
    warmup_shape: str = choice("linear", *WARMUP_SHAPES)
    warmup_overlap: bool = flag(False)
    cooldown: Any = config_field(0, _zero_length, length=True)
    cooldown_shape: str = choice("linear", *FALLING, hints=HINTS)
    param: str = config_field("lr", _param)
    verbose: bool = flag(False)
    last_epoch: int = number(-1, -1, integer=True)

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if item.metadata["check"] is not None:
                setattr(self, item.name, item.metadata["check"](value, item.name))
        if self.warmup and self.warmup_shape == "exponential" and self.warmup_start_factor == 0:
            raise SchedulerConfigError(
                "warmup_start_factor", 0, "an exponential warmup cannot start at 0", "Write 0.01, or another shape"
            )

    def __repr__(self) -> str:
        keys = ", ".join(f"{k}={v!r}" for k, v in self.to_dict().items() if k not in ("_target_", "name"))
        return f"{type(self).__name__}({keys})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SchedulerConfig) and type(self) is type(other) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __call__(self, optimizer: Any, horizon: Any = None) -> Any:
        """Build the schedule on `optimizer`; see :func:`lr_configs.build`."""
        import lr_configs  # which builds is no affair of a config's module

        return lr_configs.build(self, optimizer, horizon)

    # -------------------------------------------------------------- what a schedule's file says

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """The shares of the ends at step `t`: one factor, or a tuple with one for each end.

        Each is a number, or an array where `t` is one. A single factor may be a list with one for each group.

        Args:
            p: the schedule's resolved parameters, as attributes.
            t: the schedule's own step, from 0; an array rises, and lies between two of :meth:`breaks`.
            m: the operations for numbers or for arrays (:mod:`lr_configs.ops`).
        """
        raise NotImplementedError

    @staticmethod
    def breaks(p: Any) -> list[float]:
        """Steps at which the formula goes on as another one; ``m.first(t)`` tells on which side of them `t` lies."""
        return []

    @staticmethod
    def ends(p: Any) -> tuple[list[float], ...]:
        """The numbers that the weights mix, a list with one number per group each."""
        return (p.base_lrs,)

    @staticmethod
    def late_ends(p: Any, base: float) -> tuple[float, ...]:
        """The ends of a group that joins later, with this base."""
        return (base,)

    @staticmethod
    def join(p: Any, group: Any, base: float) -> None:
        """Extend the parameters per group, in place, by those of a group that joins later."""
        p.base_lrs.append(base)

    @staticmethod
    def drop(p: Any, count: int) -> None:
        """Cut the parameters per group, in place, to the first `count` groups."""
        del p.base_lrs[count:]

    @classmethod
    def altered(cls, params: Mapping[str, Any]) -> dict[str, Any]:
        """The keys that torch's class does not take, where they are not at their defaults; ``p.altered`` says if any."""
        fields = cls.__dataclass_fields__
        return {k: params[k] for k in cls.beyond_torch if k in params and params[k] != fields[k].default}

    @staticmethod
    def lowest(p: Any) -> Any:
        """The floor as a share of the groups' own rates, or a list of shares; it is in `p` as well, for the formula."""
        return None

    @staticmethod
    def momentum(p: Any) -> tuple[list[float], ...] | None:
        """The ends of what moves along as momentum (or beta1), mixed by the same weights."""
        return None

    @staticmethod
    def landmarks(p: Any) -> Landmarks:
        """What is to be said about the curve when training starts; `p` has the resolved parameters."""
        return Landmarks()

    @classmethod
    def prepare(cls, p: Any) -> None:
        """Add to the resolved parameters what the formula computes from them once."""

    def resolved(self, params: dict[str, Any], steps: int | None, key: str) -> dict[str, Any]:
        """The last word on the resolved parameters: checks that need the run, keys that torch's class has not."""
        return params

    def check_values(self, values: dict[str, Any], bases: list[float], key: str) -> dict[str, Any]:
        """The last word on the values per group: defaults that depend on the base, bounds in order."""
        return values

    def check_bound(self, p: Mapping[str, Any], bases: list[float], key: str) -> None:
        """Refuse what only resolved parameters and the groups' own rates together show to be wrong."""

    # -------------------------------------------------------------- what others ask

    def children(self) -> Iterator[tuple[str, SchedulerConfig]]:
        """The stages, with their dotted keys; none for a single schedule."""
        return iter(())

    def stage_lengths(self) -> Sequence[Any]:
        """The length of every stage as written, None where there is none."""
        return ()

    @property
    def metric_driven(self) -> bool:
        """Whether the schedule reacts to the metric `monitor`."""
        return any(child.metric_driven for _, child in self.children())

    def to_dict(self) -> dict[str, Any]:
        """Plain data that builds an equal config."""
        return {item.name: copy_plain(getattr(self, item.name)) for item in dataclasses.fields(self)}

    def stage_dict(self) -> dict[str, Any]:
        """What :meth:`to_dict` has, less the keys that a stage leaves to the schedule around it."""
        return {k: v for k, v in self.to_dict().items() if k not in OUTER and k != "_target_"}


COMMON = tuple(item.name for item in dataclasses.fields(SchedulerConfig))


def own_keys(config: type[SchedulerConfig]) -> list[str]:
    """The keys of a schedule beside the common ones, in the order in which they are written.

    Where torch has given one of its keys the name of a common one, it is the schedule's own.
    """
    common = SchedulerConfig.__dataclass_fields__
    fields = config.__dataclass_fields__
    return [k for k in fields if k not in common or (k != "name" and fields[k].metadata != common[k].metadata)]


def _own_keys_first(cls: type[C]) -> type[C]:
    """Put the schedule's own fields in front of the common ones, as the composed node shows them.

    Those that torch's class has not stand with the common keys about the shape of the curve.
    """
    fields = cls.__dataclass_fields__
    written = [k for k in cls.__annotations__ if k in fields and k != "name"]  # before those that it inherits
    own = [*written, *(k for k in fields if k not in COMMON and k not in written)]
    shape = COMMON.index("warmup_shape") + 1
    theirs, ours = ([k for k in own if (k in cls.beyond_torch) is more] for more in (False, True))
    common = [[k for k in part if k not in own] for part in (COMMON[2:shape], COMMON[shape:])]
    order = ["_target_", "name", *theirs, *common[0], *ours, *common[1]]
    cls.__dataclass_fields__ = {k: fields[k] for k in order}
    return cls


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
def schedule(name: str, torch_class: str | None = None) -> Callable[[type[C]], type[C]]:
    """Make a class the config of the schedule `name`; `torch_class` is the name in :mod:`lr_configs.schedulers`."""

    def decorate(cls: type[C]) -> type[C]:
        cls.__annotations__["name"] = str
        cls.name = config_field(name, _fixed)
        cls.torch_name = torch_class or cls.__name__.removesuffix("Config")
        return _own_keys_first(data(cls))

    return decorate
