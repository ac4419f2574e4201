"""Config + horizon -> a plan: every length an integer, every stage in its place. No torch.

A plan is what a scheduler is built from and what an array is computed from, so both see the same numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

from lr_configs import configs, curves
from lr_configs.errors import SchedulerConfigError
from lr_configs.formula import Formula
from lr_configs.horizon import Clock, Horizon, Length, NotWholeEpochsError
from lr_configs.registry import Entry, entry, parse


@dataclass(frozen=True)
class Envelope:
    """What stands around a curve: a warmup before it, and a step after which it holds.

    Attributes:
        warmup: scheduler steps of warmup.
        start_factor: factor at the first of them.
        shape: see :func:`lr_configs.curves.warmup`.
        hold: own step of the curve at which it stops to move, or None.
    """

    warmup: int = 0
    start_factor: float = 0.01
    shape: str = "linear"
    hold: int | None = None

    def __bool__(self) -> bool:
        return self.warmup > 0 or self.hold is not None


@dataclass(frozen=True)
class Plan:
    """One schedule with all lengths resolved.

    Attributes:
        entry: its registry entry.
        config: what it was resolved from.
        params: torch's parameters, lengths in scheduler steps.
        envelope: warmup and hold.
        interval: ``epoch`` or ``step``, what a scheduler step is.
        frequency: how many of them.
        steps: scheduler steps of the run (of the stage), or None where unknown.
        stages: for composites, ``(first step, plan)`` of each.
        key: dotted prefix for errors.
    """

    entry: Entry
    config: configs.SchedulerConfig
    params: dict[str, Any]
    envelope: Envelope
    interval: str
    frequency: int
    steps: int | None
    stages: list[tuple[int, Plan]] = field(default_factory=list)
    key: str = ""


def written_lengths(config: configs.SchedulerConfig) -> Iterator[Length]:
    """Every length of a schedule and of its stages, as written."""
    for name, item in config.__dataclass_fields__.items():
        if item.metadata.get("length"):
            value = getattr(config, name)
            for one in value if isinstance(value, list) else [value]:
                if one:
                    yield Length.parse(one, name)
    if isinstance(config, configs.SequentialLRConfig):
        yield from (Length.parse(size, "length") for size in config.stage_lengths() if size is not None)
    for _, child in config.children():
        yield from written_lengths(child)


def natural_interval(config: configs.SchedulerConfig) -> str:
    """The interval that `auto` starts from: `step` as soon as one stage's is."""
    if any(natural_interval(child) == "step" for _, child in config.children()):
        return "step"
    return entry(config.name).interval


def resolve(node: Any, horizon: Horizon | None = None) -> Plan:
    """The plan of a schedule for a run.

    Args:
        node: whatever :func:`lr_configs.registry.parse` takes.
        horizon: the run's size; None allows absolute lengths only.

    Raises:
        SchedulerConfigError: for every length that does not fit the run.

    >>> resolve({"name": "step", "step_size": "30%"}, Horizon(epochs=90, steps_per_epoch=391)).params["step_size"]
    27
    >>> resolve({"name": "step", "step_size": "1.5ep"}, Horizon(epochs=90, steps_per_epoch=391)).interval
    'step'
    """
    config = parse(node)
    if horizon is not None and not isinstance(horizon, Horizon):
        raise SchedulerConfigError(
            "horizon", horizon, "this is not a Horizon", "Write lr_configs.Horizon(epochs=90, steps_per_epoch=391)"
        )
    for interval, bare in _candidates(config, horizon):
        try:
            return _resolve_on(Clock(interval, config.frequency, horizon, bare), config)
        except NotWholeEpochsError as error:
            failure = error
    raise SchedulerConfigError(failure.key, failure.value, failure.rule, failure.remedy)


def _candidates(config: configs.SchedulerConfig, horizon: Horizon | None) -> list[tuple[str, str]]:
    """Intervals to try, each with what a length without a unit counts there."""
    if config.interval != "auto":
        return [(config.interval, "")]
    natural = natural_interval(config)
    if natural == "step":
        return [("step", "")]
    if horizon is not None and horizon.total_epochs is None:
        return [("step", "")]  # this run knows no epochs
    # A plain number goes on meaning epochs when another length makes the schedule advance by steps.
    return [("epoch", ""), ("step", "ep")]


def _resolve_on(clock: Clock, config: configs.SchedulerConfig) -> Plan:
    total = clock.total
    if total == 0:
        kind = NotWholeEpochsError if clock.interval == "epoch" and clock.frequency == 1 else SchedulerConfigError
        raise kind(
            "frequency",
            clock.frequency,
            f"the schedule would not advance once: the run is shorter than {clock.frequency} {clock.interval}s",
            "Lower frequency, write interval=step, or train for longer",
        )
    return _resolve(clock, config, 0, total, "", None)


def _resolve(
    clock: Clock, config: configs.SchedulerConfig, start: int, span: int | None, key: str, hold: int | None
) -> Plan:
    """`config` over the `span` steps that begin at step `start` of the run."""
    prefix = f"{key}." if key else ""
    warm = clock.steps(config.warmup, f"{prefix}warmup", start, span) if config.warmup else 0
    if span is not None and warm >= span:
        raise SchedulerConfigError(
            f"{prefix}warmup",
            config.warmup,
            f"the warmup takes {warm} of {span} scheduler steps, and leaves none for the schedule",
            "Shorten the warmup, or train for longer",
        )
    start += warm
    rest = None if span is None else span - warm
    params: dict[str, Any] = {}
    for name, item in config.__dataclass_fields__.items():
        if name in configs.COMMON or name == "stages":
            continue
        value = getattr(config, name)
        if item.metadata.get("length") and value is not None:
            value = _resolve_length(clock, value, prefix + name, start, rest)
        params[name] = value
    found = entry(config.name)
    stages: list[tuple[int, Plan]] = []
    if isinstance(config, configs.SequentialLRConfig):
        stages = _resolve_sequence(clock, config, start, rest, prefix)
    else:
        stages = [(0, _resolve(clock, child, start, rest, prefix + name, None)) for name, child in config.children()]
    if found.kind == "function":
        params["lr_lambda"] = _bind(params["lr_lambda"], prefix, rest)
    if isinstance(params.get("scale_fn"), str):
        params["scale_fn"] = Formula(params["scale_fn"], prefix + "scale_fn", variable=("x",))
    if found.kind == "phases":
        params.pop("epochs"), params.pop("steps_per_epoch")
        params["pct_start"] = float(params["pct_start"])
    if isinstance(config, configs.ExponentialLRConfig):
        _check_growth(prefix + "gamma", config.gamma, rest)
    if isinstance(config, (configs.StepLRConfig, configs.MultiStepLRConfig)):
        events = (
            None
            if rest is None
            else rest // params["step_size"]
            if "step_size" in params
            else len(params["milestones"])
        )
        _check_growth(prefix + "gamma", config.gamma, events)
    envelope = Envelope(warm, config.warmup_start_factor, config.warmup_shape, hold)
    return Plan(found, config, params, envelope, clock.interval, clock.frequency, span, stages, key)


def _resolve_length(clock: Clock, value: Any, key: str, start: int, span: int | None) -> Any:
    if not isinstance(value, list):
        return clock.steps(value, key, start, span)
    resolved = [clock.steps(v, f"{key}.{i}", start, span) for i, v in enumerate(value)]
    if any(after <= before for before, after in itertools.pairwise(resolved)):
        error = configs.unsorted_lengths(key, value)
        raise SchedulerConfigError(key, value, f"{error.rule}; here they are steps {resolved}", error.remedy)
    return resolved


def _bind(function: Any, prefix: str, steps: int | None) -> Any:
    if isinstance(function, list):
        return [_bind(one, prefix, steps) for one in function]
    if isinstance(function, str):
        function = Formula(function, f"{prefix}lr_lambda")
        bound = function.bind(steps)
        bound.check(steps)
        return bound
    return function


def _check_growth(key: str, gamma: float, times: int | None) -> None:
    if times is not None and gamma > 1 and not gamma_is_finite(gamma, times):
        raise SchedulerConfigError(
            key, gamma, f"after {times} multiplications the rate would be infinite", "Lower gamma"
        )


def gamma_is_finite(gamma: float, times: int) -> bool:
    """Whether ``gamma ** times`` fits a float with room for the base rate."""
    return bool(curves.scalar.power(float(gamma), times) < 1e300)


def _resolve_sequence(
    clock: Clock, config: configs.SequentialLRConfig, start: int, span: int | None, prefix: str
) -> list[tuple[int, Plan]]:
    """Stages in their places: ends are rounded as positions, so the parts add up to the whole."""
    stages: list[tuple[int, Plan]] = []
    children = list(config.children())
    position, begin = Fraction(0), 0
    for i, ((name, child), size) in enumerate(zip(children, config.stage_lengths(), strict=True)):
        key = f"{prefix}{name}"
        end: int | None
        if size is None:
            end = span
        else:
            amount = clock.exact(Length.parse(size, f"{key}.length"), f"{key}.length", size, start + begin, span)
            clock.round(amount, f"{key}.length", size)
            position += amount
            end = clock.round(position, f"{key}.length", size)
        if span is not None and cast(int, end) > span:
            raise SchedulerConfigError(
                f"{key}.length",
                size,
                f"the stages up to here take {end} scheduler steps, and there are {span}",
                "Shorten the stages, or leave out the length of the last one",
            )
        if end is not None and end <= begin:
            raise SchedulerConfigError(
                f"{key}.length",
                size,
                f"no step is left for this stage: it would begin at step {begin} and end at step {end}",
                "Shorten the stages before it, or lengthen this one",
            )
        last = i == len(children) - 1
        # A stage that ends before the run does holds its last value.
        ends_early = last and size is not None and end is not None and not child.metric_driven
        length = None if end is None else end - begin
        hold = cast(int, length) if ends_early and (span is None or cast(int, end) < span) else None
        stages.append((begin, _resolve(clock, child, start + begin, length, key, hold)))
        begin = cast(int, end)
    return stages


# ---------------------------------------------------------------------------------------- values

_CHUNK = 1 << 14


def group_value(value: Any, group: int, default: Any) -> Any:
    """The value of one parameter group out of one number, a list, or a mapping by index."""
    if isinstance(value, dict):
        value = value.get(str(group), default)
    if isinstance(value, list):
        value = value[group]
    return default if value is None else value


class Rates:
    """The rates of one parameter group as a function of an array of steps.

    Args:
        plan: the schedule.
        base_lr: the group's own rate.
        group: its index, where the plan has values per group.
    """

    def __init__(self, plan: Plan, base_lr: float, group: int = 0) -> None:
        if plan.entry.kind == "metric":
            raise SchedulerConfigError(
                f"{plan.key}.name" if plan.key else "name",
                plan.entry.name,
                "a schedule that reacts to a metric has no curve",
                "Leave it out of curve(...), or choose a schedule of the step alone",
            )
        self.plan, self.base = plan, float(base_lr)
        p = SimpleNamespace(**plan.params)
        self.params = p
        self.children = [(start, Rates(stage, base_lr, group)) for start, stage in plan.stages]
        kind, name = plan.entry.kind, plan.entry.name
        self.values: list[float] = []
        if name == "multi_step":
            p.sorted_milestones = p.milestones
        if name == "cyclic":
            high = group_value(p.max_lr, group, self.base)
            low = group_value(p.base_lr, group, high / 10)
            configs.check_bounds(low, high)
            up, down = float(p.step_size_up), float(p.step_size_down or p.step_size_up)
            p.total_size, p.step_ratio = up + down, up / (up + down)
            p._scale_fn_custom = p.scale_fn
            self.values = [low, high]
        elif kind == "mix":
            low = group_value(p.eta_min, group, 0.0)
            check_floor(f"{plan.key}.eta_min" if plan.key else "eta_min", low, self.base)
            self.values = [low, self.base]
        elif kind == "function":
            function = p.lr_lambda[group] if isinstance(p.lr_lambda, list) else p.lr_lambda
            multiplies = name == "multiplicative"
            self._function = _RunningProduct(function) if multiplies else partial(curves.each, function)
        elif kind == "phases":
            peak = group_value(p.max_lr, group, self.base)
            first = peak / p.div_factor
            p.phases = curves.one_cycle_phases(p)
            self.values = [first, peak, first / p.final_div_factor]

    def _curve(self, t: Any) -> Any:
        """The schedule without its envelope, at the ascending steps `t`."""
        plan, p, m = self.plan, self.params, curves.array()
        kind = plan.entry.kind
        if kind == "factor":
            return cast(Callable[..., Any], plan.entry.curve)(p, t, m) * self.base
        if kind == "mix":
            x = cast(Callable[..., Any], plan.entry.curve)(p, t, m)
            low, high = self.values
            return x * high if low == 0 else x * high + (1 - x) * low
        if kind == "phases":
            import numpy as np

            return curves.one_cycle_array(p, np.minimum(t, _after_cycle(p.total_steps, t, m)), self.values)
        if kind == "function":
            return self._function(t) * self.base
        if plan.entry.name == "sequential":
            return self._sequence(t)
        product = 1.0
        for _, child in self.children:
            product = product * (child(t) / self.base if self.base else child(t) * 0)
        return product * self.base

    def _sequence(self, t: Any) -> Any:
        import numpy as np

        out = np.empty(t.shape)
        starts = [start for start, _ in self.children]
        cuts = [0, *np.searchsorted(t, starts[1:], side="left").tolist(), t.size]
        for (start, child), begin, end in zip(self.children, cuts, cuts[1:], strict=False):
            if end > begin:
                out[begin:end] = child(t[begin:end] - start)
        return out

    def __call__(self, t: Any) -> Any:
        """The rates at the steps `t`, a float64 array in ascending order."""
        import numpy as np

        envelope = self.plan.envelope
        if not envelope:
            return self._curve(t)
        W = envelope.warmup
        own = np.maximum(t - W, 0.0)
        if envelope.hold is not None:
            own = np.minimum(own, float(envelope.hold))
        out = self._curve(own)
        warm = int(np.searchsorted(t, W, side="left"))
        if warm:
            out = np.array(out)
            out[:warm] *= curves.warmup(envelope.shape, envelope.start_factor, W, t[:warm], curves.array())
        return out


def _after_cycle(total: int, t: Any, m: Any) -> Any:
    """One step past its end torch's cycle begins to climb; after that torch raises and ours holds the last value."""
    return m.where(t > total, float(total - 1), float(total))


class _RunningProduct:
    """``f(1) ... f(t)`` for ascending arrays of steps, in extended precision where the platform has it."""

    def __init__(self, function: Any) -> None:
        import numpy as np

        self._whole = getattr(function, "array", None) if np.finfo(np.longdouble).nmant >= 63 else None
        self._product = curves.Product(function)
        self._at, self._value = 0, np.longdouble(1)

    def __call__(self, t: Any) -> Any:
        import numpy as np

        if self._whole is None or not t.size:
            return np.fromiter((self._product(x) for x in t.tolist()), np.float64, t.size)
        first, last = int(t[0]), int(t[-1])
        if first < self._at:
            self._at, self._value = 0, np.longdouble(1)
        factors = self._whole(np.arange(self._at + 1, last + 1, dtype=np.float64)).astype(np.longdouble)
        table = np.concatenate([[self._value], np.cumprod(factors) * self._value])
        out = table[t.astype(np.int64) - self._at].astype(np.float64)
        self._value, self._at = table[-1], last
        return out


def check_floor(key: str, eta_min: float, base: float) -> None:
    """Refuse a lowest rate above the base rate."""
    if eta_min > base:
        raise SchedulerConfigError(
            key, eta_min, f"the lowest rate is above the optimizer's own rate {base:g}", "Lower it, or raise the rate"
        )


def curve(scheduler: Any, base_lr: float, horizon: Horizon, *, group: int = 0) -> Any:
    """The rates of a whole run, computed without torch.

    Args:
        scheduler: a composed node, a dict, a config object, or the name of a schedule.
        base_lr: the optimizer's own rate.
        horizon: the run's size.
        group: index of the parameter group, where the schedule has values per group.

    Returns:
        float64 array of shape ``(scheduler steps of the run,)``: the rate of each, the first one first.

    Raises:
        SchedulerConfigError: for a configuration that does not fit the run, and for metric-driven schedules.

    >>> curve({"name": "cosine"}, base_lr=0.1, horizon=Horizon(epochs=4)).round(4).tolist()
    [0.1, 0.0854, 0.05, 0.0146]
    """
    import numpy as np

    if not isinstance(horizon, Horizon):
        raise SchedulerConfigError(
            "horizon",
            horizon,
            "a curve needs the run's size",
            "Write lr_configs.Horizon(epochs=90, steps_per_epoch=391)",
        )
    plan = resolve(scheduler, horizon)
    rates = Rates(plan, base_lr, group)
    if plan.steps is None:
        raise SchedulerConfigError(
            "horizon",
            horizon,
            f"the schedule advances by {plan.interval}s, and the run's length in {plan.interval}s is not known",
            "Write Horizon(epochs=90, steps_per_epoch=391)",
        )
    out = np.empty(plan.steps)
    with np.errstate(under="ignore"):
        for start in range(0, plan.steps, _CHUNK):
            stop = min(start + _CHUNK, plan.steps)
            out[start:stop] = rates(np.arange(start, stop, dtype=np.float64))
    return out
