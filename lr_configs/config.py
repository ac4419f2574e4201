"""What every schedule's config has: the common keys, the kinds of fields and their checks, the hooks of a formula.

Fields hold what the user wrote; nothing here depends on an optimizer or on the size of the run. Lengths and
per-group values are annotated ``Any`` because OmegaConf knows no union of numbers and containers; the
checks in the field's metadata decide instead.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Optional, TypeVar

from lr_configs.errors import SchedulerConfigError
from lr_configs.groups import late_value
from lr_configs.horizon import LARGEST
from lr_configs.kinds import (
    Choice,
    Flag,
    FormulaKind,
    LengthKind,
    Lengths,
    Number,
    OrNull,
    PerGroup,
    Text,
    check_length,
)
from lr_configs.optimizer_keys import MOMENTUM
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


class Parameters:
    """What a formula reads: the resolved parameters of a schedule as attributes."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...


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
    kind = _number(low, high, above, below, integer)
    return config_field(default, OrNull(kind) if optional else kind)


def _number(
    low: float, high: float = math.inf, above: float | None = None, below: float | None = None, integer: bool = False
) -> Number:
    return Number(
        low if above is None else above,
        high if below is None else below,
        open_low=above is not None,
        open_high=below is not None,
        integer=integer,
    )


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
    kind = PerGroup(_number(low, high, above), share=share, optional=optional)
    return config_field(default, kind, per_group=True)


def length(default: Any, *, optional: bool = False) -> Any:
    """A positive length; see :mod:`lr_configs.horizon`."""
    return config_field(default, OrNull(check_length) if optional else check_length, length=True)


def _zero_length() -> Any:
    return config_field(0, LengthKind(zero=True), length=True)


def lengths(default: Any) -> Any:
    """A rising list of positions, each a length."""
    return config_field(default, Lengths(), length=True)


def choice(default: Any, *options: str, hints: Mapping[str, str] | None = None) -> Any:
    """One of a few words; `hints` are what people write for them elsewhere."""
    return config_field(default, Choice(*options, hints=hints))


def flag(default: bool, *others: str) -> Any:
    """True or false, or one of a few words."""
    return config_field(default, Flag(*others))


def formula(default: Any, variables: tuple[str, ...] = ("t", "epoch"), *, optional: bool = False) -> Any:
    """A formula as text, or a Python callable; where it is not optional, a list has one for each parameter group."""
    return config_field(default, FormulaKind(variables, optional=optional), formula=variables)


_METRIC = Text("this is a name", "Write the name as it is logged, e.g. val_loss", "the name of a logged metric")
_PARAM = Text(
    "this names a key of the parameter groups",
    "Write lr, weight_decay, momentum or betas.0",
    "a key of the parameter groups",
)


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
        warmup_overlap: the schedule's clock runs during the warmup: behind it the schedule is at its own step `warmup`,
            and its relative lengths are shares of the whole. With ``true``, as in timm, the warmup leads to the schedule's
            first value, and behind it the rate is where the clock is; with ``continuous``, as in detectron2, it leads to
            the value that the schedule has at its end.
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
        one_way: ClassVar[bool]
        search: ClassVar[dict[str, str]]

    #: what the schedule advances by where nothing that is written decides
    natural_interval = "epoch"
    #: how stages make up the schedule: one after another (``sequence``), multiplied (``product``), or none
    arrangement = None
    #: name of the class in :mod:`lr_configs.schedulers` that is built, torch's own where torch has it
    torch_name = ""
    #: keys that torch's class does not take; at their defaults they change nothing
    beyond_torch = ()
    #: key -> values worth trying, in Hydra's sweep syntax, which a study of this schedule tries
    search = {}
    #: whether the rate stays at the floor that :meth:`lowest` gives
    clamps = False
    #: whether, between two landmarks or breaks, the rate only rises or only falls
    one_way = False

    _target_: str = config_field("lr_configs.scheduler", _fixed)
    name: str = config_field("", _fixed)
    interval: str = choice("auto", "auto", "epoch", "step", hints=_INTERVAL_HINTS)
    frequency: int = number(1, 1, integer=True)
    monitor: Optional[str] = config_field(None, OrNull(_METRIC))  # noqa: UP045 - OmegaConf on Python 3.10 reads Optional only
    warmup: Any = _zero_length()
    warmup_start_factor: float = number(0.01, 0, 1)
    warmup_shape: str = choice("linear", *WARMUP_SHAPES)
    warmup_overlap: Any = flag(False, "continuous")
    cooldown: Any = _zero_length()
    cooldown_shape: str = choice("linear", *FALLING, hints=HINTS)
    param: str = config_field("lr", _PARAM)
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

    def _repr_svg_(self) -> str | None:
        """A picture of the schedule, which notebooks show; drawing it is no affair of a config's module."""
        from importlib import import_module

        text: str | None = import_module("lr_configs.preview.notebook").svg_of(self)
        return text

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

    @classmethod
    def alone(cls, p: Any, base: float) -> Any:
        """The parameters as if a group with this base were the only one; None where its weights are those of the others."""
        return None if p.lowest is None else cls.with_base(p, base)

    @staticmethod
    def with_base(p: Any, base: float) -> Any:
        """A copy of the parameters, for one group with this base; its floor is another share of its rate."""
        one = Parameters(**vars(p))
        one.base_lrs = [base]
        if hasattr(p, "eta_min"):
            one.eta_min = late_value(p.eta_min, p.base_lrs, base)
        return one

    @staticmethod
    def join(p: Any, group: Any, base: float) -> None:
        """Extend the parameters per group, in place, by those of a group that joins later."""
        p.base_lrs.append(base)

    @staticmethod
    def regroup(p: Any, groups: list[Any]) -> None:
        """Take over what is kept in the groups, where a loaded state has brought others."""

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
    def goes_one_way(cls, p: Any) -> bool:
        """Whether, between two landmarks or breaks, the rate only rises or only falls: a picture needs no other steps."""
        return cls.one_way

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

    @property
    def moves_momentum(self) -> bool:
        """Whether momentum (or beta1) moves along."""
        own = type(self).momentum is not SchedulerConfig.momentum and getattr(self, "cycle_momentum", True)
        return own or any(child.moves_momentum for _, child in self.children())

    @property
    def drives(self) -> set[str]:
        """The hyper-parameters that it writes: `param`, and what moves along."""
        return {self.param, *(MOMENTUM if self.moves_momentum else ())}

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
