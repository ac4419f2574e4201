"""One dataclass per schedule: plain data in torch's spelling, torch's defaults, its own range checks.

Fields hold what the user wrote; nothing here depends on an optimizer or on the size of the run. Lengths and
per-group values are annotated ``Any`` because OmegaConf knows no union of numbers and containers; the
checks in the field's metadata decide instead.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Optional, TypeVar

from lr_configs.curves import WARMUP_SHAPES
from lr_configs.errors import SchedulerConfigError, nearest
from lr_configs.horizon import Length

#: keys that a stage leaves to the schedule around it
_OUTER = ("interval", "frequency", "monitor", "param", "verbose", "last_epoch")

Check = Callable[[Any, str], Any]
if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: Any) -> Any:
        """For type checkers alone."""
        return lambda function: function


C = TypeVar("C", bound="SchedulerConfig")


def _field(default: Any, check: Check | None, **metadata: Any) -> Any:
    metadata = {"check": check, **metadata}
    if isinstance(default, (list, dict)):
        return field(default_factory=lambda: _copy(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _copy(v) for k, v in value.items()}
    return [_copy(v) for v in value] if isinstance(value, list) else value


def _range_text(low: float, high: float, open_low: bool, open_high: bool) -> str:
    if low == -math.inf and high == math.inf:
        return "a finite number"
    lower = "" if low == -math.inf else f"{'above' if open_low else 'at least'} {low:g}"
    upper = "" if high == math.inf else f"{'below' if open_high else 'at most'} {high:g}"
    return "a number " + " and ".join(part for part in (lower, upper) if part)


def _number_check(low: float, high: float, open_low: bool, open_high: bool, integer: bool) -> Check:
    rule = _range_text(low, high, open_low, open_high)
    if integer:
        rule = rule.replace("a number", "an integer").replace("a finite number", "an integer")

    def check(value: Any, key: str) -> Any:
        number = value
        if isinstance(value, str):
            try:
                number = float(value)
            except ValueError:
                raise SchedulerConfigError(key, value, "this is not a number", f"Write {rule}") from None
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise SchedulerConfigError(key, value, "this is not a number", f"Write {rule}")
        inside = low <= number <= high
        if (open_low and number == low) or (open_high and number == high):
            inside = False
        if not math.isfinite(number) or not inside or (integer and number != int(number)):
            raise SchedulerConfigError(key, value, f"this must be {rule}", f"Write {rule}")
        return int(number) if integer else float(number) if isinstance(value, str) else number

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
    return _field(default, _optional(check) if optional else check)


def per_group(default: Any, low: float = -math.inf, *, above: float | None = None, optional: bool = False) -> Any:
    """One number, or one for each parameter group: a list, or a mapping by group name or index."""
    one = _number_check(low if above is None else above, math.inf, above is not None, False, False)
    if optional:
        one = _optional(one)

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

    return _field(default, check, per_group=True)


def _optional(check: Check) -> Check:
    return lambda value, key: None if value is None else check(value, key)


def _length_check(value: Any, key: str) -> Any:
    length = Length.parse(value, key)
    return int(length.amount) if not length.unit else value


def length(default: Any, *, optional: bool = False) -> Any:
    """A positive length; see :mod:`lr_configs.horizon`."""
    return _field(default, _optional(_length_check) if optional else _length_check, length=True)


def lengths(default: Any) -> Any:
    """A list of lengths."""

    def check(value: Any, key: str) -> Any:
        if not isinstance(value, (list, tuple)) or not value:
            raise SchedulerConfigError(key, value, "this is a list of lengths", "Write [30, 60] or [50%, 75%]")
        checked = [_length_check(v, f"{key}.{i}") for i, v in enumerate(value)]
        parsed = [Length.parse(v, key) for v in checked]
        for before, after in itertools.pairwise(parsed):
            if before.unit == after.unit and before.amount >= after.amount:
                raise unsorted_lengths(key, value)
        return checked

    return _field(default, check, length=True)


def unsorted_lengths(key: str, value: Any) -> SchedulerConfigError:
    """The error for milestones that do not rise."""
    return SchedulerConfigError(key, value, "milestones rise strictly", "Sort them, each only once")


def choice(default: Any, *options: str) -> Any:
    """One of a few words."""

    def check(value: Any, key: str) -> Any:
        if value not in options:
            raise SchedulerConfigError(
                key, value, f"this is one of {', '.join(options)}", nearest(value, options) or f"Write {options[0]}"
            )
        return value

    return _field(default, check)


def flag(default: bool) -> Any:
    """True or false."""

    def check(value: Any, key: str) -> Any:
        if not isinstance(value, bool):
            raise SchedulerConfigError(key, value, "this is true or false", "Write true or false")
        return value

    return _field(default, check)


def function(default: Any, *, optional: bool = False) -> Any:
    """A formula as text, or a Python callable; a list has one for each parameter group."""

    def one(value: Any, key: str) -> Any:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            value = repr(value)  # an unquoted constant formula, `lr_lambda: 0.95`
        if not isinstance(value, str) and not callable(value):
            raise SchedulerConfigError(
                key, value, "this is a formula as text, or a Python callable", "Write '0.95 ** epoch'"
            )
        if isinstance(value, str):
            from lr_configs.formula import Formula

            Formula(value, key, variable=("x",) if optional else ("t", "epoch"))
        return value

    def check(value: Any, key: str) -> Any:
        if optional:
            return None if value is None else one(value, key)
        if isinstance(value, (list, tuple)) and value:
            return [one(v, f"{key}.{i}") for i, v in enumerate(value)]
        return one(value, key)

    return _field(default, check)


def _text(value: Any, key: str) -> Any:
    if value is not None and (not isinstance(value, str) or not value):
        raise SchedulerConfigError(key, value, "this is a name", "Write the name as it is logged, e.g. val_loss")
    return value


def _zero_length(value: Any, key: str) -> Any:
    parsed = Length.parse(0 if value is None else value, key, zero=True)
    if parsed.amount == 0:
        return 0
    return int(parsed.amount) if not parsed.unit else value


def _fixed(value: Any, key: str) -> Any:
    return value


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
def _data(cls: type[C]) -> type[C]:
    # Generating methods for every class would double the time of `--cfg job`: repr and eq are written once.
    return dataclass(kw_only=True, repr=False, eq=False, match_args=False)(cls)


@_data
class SchedulerConfig:
    """The keys that every schedule has.

    Attributes:
        interval: when the schedule advances: ``auto``, ``epoch`` or ``step`` (an optimizer update). ``auto`` is
            the schedule's natural interval, and becomes ``step`` as soon as a length is no whole number of
            epochs; a length without a unit then still counts the natural interval.
        frequency: advance at every so-many-th interval, counted over the whole run.
        monitor: name of the logged metric, for metric-driven schedules.
        warmup: length of the warmup, in front of the schedule; relative lengths of the schedule are shares of
            what remains.
        warmup_start_factor: factor at the first update, 0 to 1.
        warmup_shape: ``linear``, ``cosine``, ``exponential`` or ``constant``.
        param: what is driven: ``lr``, or another numeric key of the parameter groups (``weight_decay``,
            ``momentum``, ``betas.0``).
        verbose: print a line to stdout at every change of the rate.
        last_epoch: index of the last step when resuming by hand; -1 starts.

    Raises:
        SchedulerConfigError: on construction, naming key, value, rule and remedy.
    """

    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    _target_: str = _field("lr_configs.scheduler", _fixed)
    name: str = _field("", _fixed)
    interval: str = choice("auto", "auto", "epoch", "step")
    frequency: int = number(1, 1, integer=True)
    monitor: Optional[str] = _field(None, _text)  # noqa: UP045 - OmegaConf on Python 3.10 reads Optional only
    warmup: Any = _field(0, _zero_length, length=True)
    warmup_start_factor: float = number(0.01, 0, 1)
    warmup_shape: str = choice("linear", *WARMUP_SHAPES)
    param: str = _field("lr", _text)
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
        return type(self) is type(other) and self.to_dict() == other.to_dict()  # type: ignore[attr-defined]

    __hash__ = None  # type: ignore[assignment]

    def __call__(self, optimizer: Any, horizon: Any = None) -> Any:
        """Build the schedule on `optimizer`; see :func:`lr_configs.build`."""
        from lr_configs.builder import build

        return build(self, optimizer, horizon)

    def children(self) -> Iterator[tuple[str, SchedulerConfig]]:
        """The stages, with their dotted keys; none for a single schedule."""
        return iter(())

    @property
    def metric_driven(self) -> bool:
        """Whether the schedule reacts to the metric `monitor`."""
        return any(child.metric_driven for _, child in self.children())

    def to_dict(self) -> dict[str, Any]:
        """Plain data that builds an equal config."""
        return {item.name: _copy(getattr(self, item.name)) for item in dataclasses.fields(self)}

    def stage_dict(self) -> dict[str, Any]:
        """What :meth:`to_dict` has, less the keys that a stage leaves to the schedule around it."""
        return {k: v for k, v in self.to_dict().items() if k not in _OUTER and k != "_target_"}


COMMON = tuple(item.name for item in dataclasses.fields(SchedulerConfig))


def _own_keys_first(cls: type[C]) -> type[C]:
    """Put the schedule's own fields in front of the common ones, as the composed node shows them."""
    fields = cls.__dataclass_fields__
    order = ["_target_", "name", *(k for k in fields if k not in COMMON), *COMMON[2:]]
    cls.__dataclass_fields__ = {k: fields[k] for k in order}
    return cls


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
def schedule(name: str) -> Callable[[type[C]], type[C]]:
    """Make a class the config of the schedule `name`."""

    def decorate(cls: type[C]) -> type[C]:
        cls.__annotations__["name"] = str
        cls.name = _field(name, _fixed)
        return _own_keys_first(_data(cls))

    return decorate


@schedule("none")
class NoneConfig(SchedulerConfig):
    """The optimizer's own rate, constant."""


@schedule("lambda")
class LambdaLRConfig(SchedulerConfig):
    """``rate(t) = base * lr_lambda(t)``.

    Attributes:
        lr_lambda: formula in the step ``t`` (or ``epoch``) and the run's length ``T``, or a Python callable of
            the step; a list has one for each parameter group. Not negative.
    """

    lr_lambda: Any = function("0.95 ** epoch")


@schedule("multiplicative")
class MultiplicativeLRConfig(SchedulerConfig):
    """``rate(t) = base * lr_lambda(1) * ... * lr_lambda(t)``.

    Attributes:
        lr_lambda: as for ``lambda``.
    """

    lr_lambda: Any = function("0.95")


@schedule("step")
class StepLRConfig(SchedulerConfig):
    """``rate(t) = base * gamma ** (t // step_size)``.

    Attributes:
        step_size: update period, a length.
        gamma: multiplied in at every period.

    >>> StepLRConfig(step_size=200, gamma=0.5).step_size
    200
    """

    step_size: Any = length("40%")
    gamma: float = number(0.1, 0)


@schedule("multi_step")
class MultiStepLRConfig(SchedulerConfig):
    """``rate(t) = base * gamma ** (number of milestones passed)``.

    Attributes:
        milestones: positions, a rising list of lengths.
        gamma: multiplied in at every milestone.
    """

    milestones: Any = lengths(["60%", "80%"])
    gamma: float = number(0.1, 0)


@schedule("constant")
class ConstantLRConfig(SchedulerConfig):
    """``rate(t) = base * factor`` before step `total_iters`, then `base`.

    Attributes:
        factor: 0 to 1.
        total_iters: a length.
    """

    factor: float = number(1.0 / 3, 0, 1)
    total_iters: Any = length(5)


@schedule("linear")
class LinearLRConfig(SchedulerConfig):
    """From ``base * start_factor`` in a straight line to ``base * end_factor`` at step `total_iters`.

    Attributes:
        start_factor: above 0, at most 1.
        end_factor: 0 to 1.
        total_iters: a length.
    """

    start_factor: float = number(1.0 / 3, high=1, above=0)
    end_factor: float = number(1.0, 0, 1)
    total_iters: Any = length(5)


@schedule("exponential")
class ExponentialLRConfig(SchedulerConfig):
    """``rate(t) = base * gamma ** t``.

    Attributes:
        gamma: decay rate per step.
    """

    gamma: float = number(0.95, 0)


@schedule("polynomial")
class PolynomialLRConfig(SchedulerConfig):
    """``rate(t) = base * (1 - t / total_iters) ** power``, and 0 from step `total_iters` on.

    Attributes:
        total_iters: a length.
        power: 0 or more.
    """

    total_iters: Any = length(5)
    power: float = number(1.0, 0)


@schedule("cosine")
class CosineAnnealingLRConfig(SchedulerConfig):
    """``rate(t) = eta_min + (base - eta_min) (1 + cos(pi t / T_max)) / 2``: it oscillates past an explicit `T_max`.

    Attributes:
        T_max: half period of the cosine, a length.
        eta_min: lowest rate, per group.
    """

    T_max: Any = length("100%")
    eta_min: Any = per_group(0.0, 0)


@schedule("cosine_warm_restarts")
class CosineAnnealingWarmRestartsConfig(SchedulerConfig):
    """A cosine from `base` to `eta_min` over each period, with a restart at every period's end.

    Attributes:
        T_0: first period, a length.
        T_mult: growth of each following period, an integer from 1.
        eta_min: lowest rate, per group.
    """

    T_0: Any = length("10%")
    T_mult: int = number(1, 1, integer=True)
    eta_min: Any = per_group(0.0, 0)


@schedule("cyclic")
class CyclicLRConfig(SchedulerConfig):
    """Up from `base_lr` to `max_lr` in `step_size_up` steps and down again in `step_size_down`.

    Attributes:
        base_lr: lower bound, per group; null is a tenth of `max_lr`.
        max_lr: upper bound, per group; null is the group's own rate.
        step_size_up: length from base to max.
        step_size_down: length from max to base; null is `step_size_up`.
        mode: ``triangular``, ``triangular2`` (the height halves every cycle) or ``exp_range`` (it falls as
            ``gamma ** t``).
        gamma: base of the exponential, for ``exp_range``.
        scale_fn: height as a formula in ``x`` (or a callable), in place of `mode`.
        scale_mode: what ``x`` is: ``cycle`` number from 1, or ``iterations``.
        cycle_momentum: move momentum (or beta1) against the rate.
        base_momentum: lower bound of the momentum, per group.
        max_momentum: upper bound of the momentum, per group.
    """

    base_lr: Any = per_group(None, 0, optional=True)
    max_lr: Any = per_group(None, above=0, optional=True)
    step_size_up: Any = length(2000)
    step_size_down: Any = length(None, optional=True)
    mode: str = choice("triangular", "triangular", "triangular2", "exp_range")
    gamma: float = number(1.0, 0)
    scale_fn: Any = function(None, optional=True)
    scale_mode: str = choice("cycle", "cycle", "iterations")
    cycle_momentum: bool = flag(True)
    base_momentum: Any = per_group(0.8, 0)
    max_momentum: Any = per_group(0.9, 0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.base_lr, (int, float)) and isinstance(self.max_lr, (int, float)):
            check_bounds(self.base_lr, self.max_lr)


def check_bounds(base_lr: float, max_lr: float) -> None:
    """Refuse a cycle whose lower bound is not below its upper one."""
    if base_lr >= max_lr:
        raise SchedulerConfigError(
            "base_lr", base_lr, f"the lower bound is below max_lr={max_lr:g}", "Lower base_lr, or raise max_lr"
        )


@schedule("one_cycle")
class OneCycleLRConfig(SchedulerConfig):
    """Up from ``max_lr / div_factor`` to `max_lr`, then down to ``max_lr / div_factor / final_div_factor``.

    Attributes:
        max_lr: the peak, per group; null is the group's own rate.
        total_steps: length of the cycle; the end value is reached at the last step before it, and is held.
        epochs: with `steps_per_epoch`, another way to write `total_steps`.
        steps_per_epoch: see `epochs`.
        pct_start: share of the cycle that goes up.
        anneal_strategy: ``cos`` or ``linear``.
        cycle_momentum: move momentum (or beta1) against the rate.
        base_momentum: lower bound of the momentum, per group.
        max_momentum: upper bound of the momentum, per group.
        div_factor: peak over first rate.
        final_div_factor: first rate over last rate.
        three_phase: go down to the first rate as fast as up, then to the last.
    """

    max_lr: Any = per_group(None, above=0, optional=True)
    total_steps: Any = length("100%", optional=True)
    epochs: Optional[int] = number(None, 1, integer=True, optional=True)  # noqa: UP045
    steps_per_epoch: Optional[int] = number(None, 1, integer=True, optional=True)  # noqa: UP045
    pct_start: float = number(0.3, 0, 1)
    anneal_strategy: str = choice("cos", "cos", "linear")
    cycle_momentum: bool = flag(True)
    base_momentum: Any = per_group(0.85, 0)
    max_momentum: Any = per_group(0.95, 0)
    div_factor: float = number(25.0, above=0)
    final_div_factor: float = number(10000.0, above=0)
    three_phase: bool = flag(False)

    def __post_init__(self) -> None:
        super().__post_init__()
        for one, other in (("epochs", "steps_per_epoch"), ("steps_per_epoch", "epochs")):
            if getattr(self, one) is not None and getattr(self, other) is None:
                raise SchedulerConfigError(
                    one, getattr(self, one), f"this needs {other} as well", f"Give {other}, or total_steps alone"
                )
        if self.epochs is not None and self.steps_per_epoch is not None:
            if self.total_steps in (None, "100%"):
                self.total_steps = self.epochs * self.steps_per_epoch
            self.epochs = self.steps_per_epoch = None  # total_steps has it now, as with torch
        elif self.total_steps is None:
            raise SchedulerConfigError(
                "total_steps", None, "the cycle needs its length", "Write total_steps=100%, or a number of steps"
            )


@schedule("reduce_on_plateau")
class ReduceLROnPlateauConfig(SchedulerConfig):
    """Multiply the rate by `factor` after `patience` values of `monitor` without improvement.

    Attributes:
        mode: ``min`` or ``max``, which way `monitor` improves.
        factor: 0 up to below 1.
        patience: values without improvement that are tolerated.
        threshold: improvement that counts.
        threshold_mode: ``rel`` or ``abs``.
        cooldown: values to wait after a reduction.
        min_lr: lowest rate, per group.
        eps: smallest change that is made.
    """

    mode: str = choice("min", "min", "max")
    factor: float = number(0.1, 0, below=1)
    patience: int = number(10, 0, integer=True)
    threshold: float = number(1e-4, 0)
    threshold_mode: str = choice("rel", "rel", "abs")
    cooldown: int = number(0, 0, integer=True)
    min_lr: Any = per_group(0.0, 0)
    eps: float = number(1e-8, 0)

    @property
    def metric_driven(self) -> bool:
        """True."""
        return True


def _stages(value: Any, key: str) -> Any:
    if not isinstance(value, (Mapping, list, tuple)):
        raise SchedulerConfigError(
            key, value, "stages are a mapping of named stages, or a list", "Write {warmup: {name: linear, length: 10%}}"
        )
    return value


@_data
class _StagesConfig(SchedulerConfig):
    """What `sequential` and `chained` share."""

    stages: Any = _field({}, _stages)

    def __post_init__(self) -> None:
        super().__post_init__()
        named = isinstance(self.stages, Mapping)
        items = self.stages.items() if named else enumerate(self.stages)
        parsed: dict[str, tuple[Any, SchedulerConfig]] = {}
        for stage_name, stage in items:
            if stage is not None:  # null takes a stage out of a merged mapping
                parsed[str(stage_name)] = self._stage(stage, f"stages.{stage_name}")
        if not parsed:
            raise SchedulerConfigError("stages", self.stages, "at least one stage", "Write {decay: {name: cosine}}")
        self._parsed = parsed
        # Plain data again, checked and filled in, so that equal schedules compare equal.
        plain = {k: {**({} if size is None else {"length": size}), **c.stage_dict()} for k, (size, c) in parsed.items()}
        self.stages = plain if named else list(plain.values())
        order = list(parsed)
        for stage_name, (size, config) in parsed.items():
            self._check_stage(f"stages.{stage_name}", stage_name == order[-1], size, config)

    def _check_stage(self, key: str, last: bool, size: Any, config: SchedulerConfig) -> None:
        raise NotImplementedError

    def _stage(self, stage: Any, key: str) -> tuple[Any, SchedulerConfig]:
        from lr_configs.registry import parse

        size = None
        if isinstance(stage, Mapping):
            stage = dict(stage)
            size = stage.pop("length", None)
            if size is not None:
                size = _length_check(size, f"{key}.length")
        try:
            config = parse(stage)
        except SchedulerConfigError as error:
            raise error.within(key) from None
        defaults = {item.name: item.default for item in dataclasses.fields(SchedulerConfig)}
        for outer in _OUTER:
            value = getattr(config, outer)
            if value not in (defaults[outer], getattr(self, outer)):
                raise SchedulerConfigError(
                    f"{key}.{outer}",
                    value,
                    "the stages of one schedule share this key",
                    f"Write it once, as {outer} of the whole schedule",
                )
        return size, config

    def children(self) -> Iterator[tuple[str, SchedulerConfig]]:
        """The stages, with their dotted keys."""
        return ((f"stages.{name}", config) for name, (_, config) in self._parsed.items())

    def stage_lengths(self) -> Sequence[Any]:
        """The length of every stage as written, None where there is none."""
        return [size for size, _ in self._parsed.values()]


@schedule("sequential")
class SequentialLRConfig(_StagesConfig):
    """Stages one after another, each from its own step 0 and the optimizer's own rate.

    Attributes:
        stages: a mapping of named stages (or a list); each is a schedule's `name` with its parameters and a
            `length`. The last stage may leave its length out and lasts for the rest of the run. A stage
            set to null is left out. Relative lengths inside a stage are shares of the stage.
    """

    stages: Any = _field(
        {
            "warmup": {"name": "linear", "start_factor": 0.01, "total_iters": "100%", "length": "10%"},
            "decay": {"name": "cosine", "T_max": "100%", "eta_min": 0.0},
        },
        _stages,
    )

    def _check_stage(self, key: str, last: bool, size: Any, config: SchedulerConfig) -> None:
        if not last and config.metric_driven:
            raise SchedulerConfigError(
                f"{key}.name", config.name, "a metric-driven schedule can only be the last stage", "Move it to the end"
            )
        if not last and size is None:
            stage = key.removeprefix("stages.")
            raise SchedulerConfigError(
                f"{key}.length",
                None,
                "every stage but the last needs a length",
                f"Write {key}.length=10%, or take the stage out with {key}=null if {stage!r} is left over from a default",
            )


@schedule("chained")
class ChainedSchedulerConfig(_StagesConfig):
    """The product of its stages' factors.

    Attributes:
        stages: a mapping of named schedules (or a list), all from step 0; a stage set to null is left out.
    """

    stages: Any = _field(
        {
            "warmup": {"name": "linear", "start_factor": 0.01, "total_iters": "10%"},
            "decay": {"name": "cosine", "T_max": "100%", "eta_min": 0.0},
        },
        _stages,
    )

    def _check_stage(self, key: str, last: bool, size: Any, config: SchedulerConfig) -> None:
        if size is not None:
            raise SchedulerConfigError(
                f"{key}.length", size, "the schedules of a product all last for the whole run", "Leave length out"
            )
