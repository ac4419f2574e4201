"""Config + horizon -> a plan: every length an integer, every stage in its place. No torch.

A plan is what a scheduler is built from, what an array is computed from, and what a checkpoint keeps, so all of them
see the same numbers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from lr_configs import plan_data
from lr_configs.config import SchedulerConfig, own_keys
from lr_configs.errors import SchedulerConfigError
from lr_configs.formula import Formula
from lr_configs.functions import timed
from lr_configs.horizon import Clock, Horizon, Length
from lr_configs.plan_data import differences
from lr_configs.registry import parse
from lr_configs.sequence import Sequence, StageLength

__all__ = ["Plan", "differences", "resolve"]


@dataclass(frozen=True)
class Plan:
    """One schedule with all lengths resolved.

    Attributes:
        config: what it was resolved from.
        params: the schedule's own keys; lengths in scheduler steps, formulas bound to the run's length.
        warmup: scheduler steps of warmup, in front of the schedule's own step 0 (but for `warmup_overlap`).
        cooldown: scheduler steps of the tail at the end of `steps`.
        hold: the schedule's own step after which the rate stays where it is, or None: a last stage with a length of
            its own does not go on when that has passed.
        interval: ``epoch`` or ``step``, what a scheduler step is.
        frequency: how many of them.
        steps: scheduler steps of the run (of the stage), or None where unknown.
        stages: ``(first step, plan)`` of each, for a schedule that is made of others.
        key: dotted prefix for errors.
        notes: what is to be said when training starts; those of the stages are in the whole schedule's.
    """

    config: SchedulerConfig
    params: dict[str, Any]
    warmup: int
    hold: int | None
    interval: str
    frequency: int
    steps: int | None
    stages: tuple[tuple[int, Plan], ...] = ()
    key: str = ""
    notes: tuple[str, ...] = ()
    cooldown: int = 0

    @property
    def own_start(self) -> int:
        """Scheduler steps in front of the schedule's own step 0."""
        return 0 if self.config.warmup_overlap else self.warmup

    def end(self, horizon: Horizon | None) -> Fraction | None:
        """The exact end of a run in scheduler steps; None where that is not known."""
        if horizon is None:
            return None
        intervals = horizon.total_epochs if self.interval == "epoch" else horizon.total_steps
        return None if intervals is None else Fraction(intervals) / self.frequency

    def to_data(self) -> dict[str, Any]:
        """The resolved schedule as plain data, which a checkpoint can keep; `from_data` is the inverse.

        A Python callable cannot be kept: its name stands for it.

        >>> resolve({"name": "linear"}, Horizon(epochs=2, steps_per_epoch=5)).to_data()["params"]["total_iters"]
        5
        """
        config = self.config
        return {
            "config": plan_data.encode(config.to_dict()),
            "interval": self.interval,
            "frequency": self.frequency,
            "param": config.param,
            "monitor": config.monitor if config.metric_driven else None,
            "notes": list(self.notes),
            **_stage_data(self),
        }

    @staticmethod
    def from_data(data: Any, asked: Plan | None = None) -> Plan:
        """The plan that `to_data` wrote.

        Args:
            data: what it gave.
            asked: the plan of this run, from which Python callables of the same name at the same place are taken.

        Raises:
            SchedulerConfigError: for data that is damaged, and for a callable that `asked` does not have.
        """
        read = plan_data.reader(data, "")
        config = _read_config(read("config", dict), asked)
        if config.name != read("name", str):
            raise plan_data.damaged("name", data["name"])
        shared = read("interval", str), read("frequency", int)
        plan = _read_plan(data, config, shared, asked)
        return replace(plan, notes=tuple(str(note) for note in read("notes", list)))

    def function(self) -> dict[str, Any]:
        """What the rate at each step depends on, as plain data.

        Two plans with equal functions give equal rates at every step, however long either run is.
        """
        found: dict[str, Any] = plan_data.function(self.to_data())
        return found


def _stage_data(plan: Plan) -> dict[str, Any]:
    return {
        "name": plan.config.name,
        "key": plan.key,
        "params": plan_data.encode(plan.params),
        "warmup": plan.warmup,
        "warmup_shape": plan.config.warmup_shape,
        "warmup_start_factor": plan.config.warmup_start_factor,
        "warmup_overlap": plan.config.warmup_overlap,
        "cooldown": plan.cooldown,
        "cooldown_shape": plan.config.cooldown_shape,
        "hold": plan.hold,
        "steps": plan.steps,
        "stages": [[start, _stage_data(stage)] for start, stage in plan.stages],
    }


def _read_plan(data: Any, config: SchedulerConfig, shared: tuple[str, int], asked: Plan | None) -> Plan:
    read = plan_data.reader(data, str(data.get("key", "")) if isinstance(data, dict) else "")
    children = list(config.children())
    stages = read("stages", list)
    if len(stages) != len(children) or any(not isinstance(stage, list) or len(stage) != 2 for stage in stages):
        raise plan_data.damaged("stages", stages)
    own: list[Plan | None] = [None] * len(stages)
    if asked is not None and len(asked.stages) == len(stages):
        own = [stage for _, stage in asked.stages]
    return Plan(
        config=config,
        params=_read_params(read("params", dict), config, read("key", str), asked),
        warmup=read("warmup", int),
        hold=read("hold", int, None),
        interval=shared[0],
        frequency=shared[1],
        steps=read("steps", int, None),
        cooldown=plan_data.integer(data.get("cooldown", 0), "cooldown"),  # older ones have none
        stages=tuple(
            (plan_data.integer(start, "stages"), _read_plan(stage, child, shared, beside))
            for (start, stage), (_, child), beside in zip(stages, children, own, strict=True)
        ),
        key=read("key", str),
    )


def _read_config(data: dict[str, Any], asked: Plan | None) -> SchedulerConfig:
    node = plan_data.with_callables(data, None if asked is None else asked.config.to_dict())
    try:
        return parse(node)
    except SchedulerConfigError as error:
        raise error.within("checkpoint.config") from None


def _read_params(data: dict[str, Any], config: SchedulerConfig, key: str, asked: Plan | None) -> dict[str, Any]:
    beside = asked.params if asked is not None and asked.config.name == config.name else {}
    # What was saved before there were these keys had them at their defaults.
    params = {name: config.__dataclass_fields__[name].default for name in config.beyond_torch}
    for name, value in data.items():
        place = f"{key}.{name}" if key else name
        field = config.__dataclass_fields__[name].metadata if name in config.__dataclass_fields__ else {}
        if field.get("formula"):
            value = plan_data.decode(value, place, field["formula"], beside.get(name))
        elif field.get("length") and value is not None:
            value = (
                [plan_data.integer(one, place) for one in value]
                if isinstance(value, list)
                else plan_data.integer(value, place)
            )
        elif field.get("points"):
            value = plan_data.points(value, place)
        params[name] = value
    return params


def last_step(end: Fraction) -> int:
    """The scheduler step of a run's last update, of a run that ends there.

    >>> last_step(Fraction(7, 2))
    3
    """
    return max(math.ceil(end) - 1, 0)


# ---------------------------------------------------------------------------------------- what advances it


def written_lengths(config: SchedulerConfig) -> Iterator[tuple[str, Length]]:
    """Every length of a schedule and of its stages, with the name of its key."""
    for name, item in config.__dataclass_fields__.items():
        if item.metadata.get("length"):
            value = getattr(config, name)
            yield from (
                (name, Length.parse(one, name)) for one in (value if isinstance(value, list) else [value]) if one
            )
        elif item.metadata.get("points"):
            yield from ((name, Length.parse(at, name)) for at, _ in getattr(config, name) if at)
    yield from (("length", Length.parse(size, "length")) for size in config.stage_lengths() if size is not None)
    for _, child in config.children():
        yield from written_lengths(child)


def natural_interval(config: SchedulerConfig) -> str:
    """The interval that `auto` starts from: ``step`` as soon as one stage's is."""
    if any(natural_interval(child) == "step" for _, child in config.children()):
        return "step"
    return config.natural_interval


def _needs_updates(key: str, length: Length) -> bool:
    """Whether a length makes the schedule advance by updates."""
    return length.unit in ("st", "%") or (length.unit == "ep" and (key == "warmup" or length.amount.denominator != 1))


def clock_of(config: SchedulerConfig, horizon: Horizon | None) -> tuple[Clock, list[str]]:
    """What a scheduler step is in this run, and what is to be said about it.

    `auto` is decided by what is written, never by the size of the run.
    """
    frequency = config.frequency
    if config.interval != "auto":
        return Clock(config.interval, frequency, horizon), []
    lengths = list(written_lengths(config))
    if horizon is not None and horizon.total_steps is None and any(length.is_share for _, length in lengths):
        return Clock("epoch", frequency, horizon), [
            "shares of the run count epochs: its updates per epoch are not known"
        ]
    if natural_interval(config) == "step":
        return Clock("step", frequency, horizon), []
    if any(_needs_updates(key, length) for key, length in lengths):
        return Clock("step", frequency, horizon, "" if horizon is None else "ep"), []
    notes = []
    if horizon is not None and horizon.total_epochs is None:
        notes = ["the schedule advances by epochs, and this run says nothing of its epochs"]
    return Clock("epoch", frequency, horizon, "" if horizon is None else "ep"), notes


def resolve(node: Any, horizon: Horizon | None = None) -> Plan:
    """The plan of a schedule for a run.

    Args:
        node: whatever :func:`lr_configs.registry.parse` takes.
        horizon: the run's size; None allows absolute lengths only.

    Raises:
        SchedulerConfigError: for every length that does not fit the run.

    >>> resolve({"name": "step", "step_size": "30%"}, Horizon(epochs=90, steps_per_epoch=391)).params["step_size"]
    10557
    >>> resolve({"name": "step", "step_size": "30ep"}, Horizon(epochs=90, steps_per_epoch=391)).interval
    'epoch'
    """
    config = parse(node)
    if horizon is not None and not isinstance(horizon, Horizon):
        raise SchedulerConfigError(
            "horizon", horizon, "this is not a Horizon", "Write lr_configs.Horizon(epochs=90, steps_per_epoch=391)"
        )
    clock, notes = clock_of(config, horizon)
    if clock.frequency > 1 and clock.intervals is not None and clock.intervals < clock.frequency:
        raise SchedulerConfigError(
            "frequency",
            clock.frequency,
            f"the schedule would not advance once: the run has {clock.room_in_words(Length.parse('100%', ''), 0, 1)}",
            "Lower frequency, or train for longer",
        )
    resolver = _Resolver(clock)
    plan = resolver.plan(config, 0, clock.total, "")
    return replace(plan, notes=(*notes, *resolver.notes))


# ---------------------------------------------------------------------------------------- lengths -> scheduler steps


class _Resolver:
    """Turns the lengths of one schedule, stages included, into scheduler steps.

    Attributes:
        clock: what a scheduler step is.
        notes: what is to be said about shares that are lifted to one step.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.notes: list[str] = []

    def plan(self, config: SchedulerConfig, start: int, span: int | None, key: str, *, bounded: bool = False) -> Plan:
        """`config` over the `span` steps that begin at step `start`; `bounded`: it holds still at their end."""
        prefix = f"{key}." if key else ""
        warm = self._warmup(config, start, span, prefix)
        # A run of one step may be all warmup; the schedule's shares are then of that step.
        begin = 0 if config.warmup_overlap else warm
        rest = None if span is None else max(span - begin, 1)
        params = self._params(config, start + begin, rest, prefix)
        return Plan(
            config=config,
            params=config.resolved(params, rest, key),
            warmup=warm,
            hold=rest if bounded else None,
            interval=self.clock.interval,
            frequency=self.clock.frequency,
            steps=span,
            stages=self._stages(config, start + begin, rest, prefix),
            key=key,
            cooldown=self._cooldown(config, start, span, warm, prefix),
        )

    def _length(self, value: Any, key: str, start: int, span: int | None) -> int:
        length = Length.parse(value, key)
        exact = self.clock.exact(length, key, value, start, span)
        if self.clock.is_lifted(length, exact):
            self.notes.append(f"{key}={value} is 1 of {span} steps here, the least there is")
        return self.clock.round(length, exact, key, value)

    def _warmup(self, config: SchedulerConfig, start: int, span: int | None, prefix: str) -> int:
        if not config.warmup:
            return 0
        key, length = f"{prefix}warmup", Length.parse(config.warmup, f"{prefix}warmup")
        warm = self._length(config.warmup, key, start, span)
        if span is None or warm < span:
            return warm
        if length.is_share and length.amount < 100:
            if span > 1:
                self.notes.append(
                    f"{key}={config.warmup} is {span - 1} of {span} steps here, one is left to the schedule"
                )
            return max(span - 1, 1)
        whole = "stage" if prefix else "run"
        room = "100%" if length.is_share else self.clock.room_in_words(length, start, span)
        raise SchedulerConfigError(
            key,
            config.warmup,
            f"the warmup takes {self.clock.in_words(length)}, and the {whole} has {room}: nothing is left to the schedule",
            "Shorten the warmup, or train for longer",
        )

    def _cooldown(self, config: SchedulerConfig, start: int, span: int | None, warm: int, prefix: str) -> int:
        if not config.cooldown or "cooldown" in own_keys(type(config)):
            return 0
        key, written = f"{prefix}cooldown", config.cooldown
        if span is None:
            raise SchedulerConfigError(
                key, written, "a cooldown ends with the run, whose length is not known here",
                "Give horizon=Horizon(epochs=90, steps_per_epoch=391)",
            )  # fmt: skip
        length = Length.parse(written, key)
        exact = self.clock.exact(length, key, written, start + span, span, back=True)
        steps = self.clock.round(length, exact, key, written)
        if self.clock.is_lifted(length, exact):
            self.notes.append(f"{key}={written} is 1 of {span} steps here, the least there is")
        if steps > span - warm and not (length.is_share and span == 1):
            raise SchedulerConfigError(
                key, written, f"the cooldown takes {steps} scheduler steps, and {span - warm} are left behind the warmup",
                "Shorten the cooldown or the warmup, or train for longer",
            )  # fmt: skip
        return steps

    def _params(self, config: SchedulerConfig, start: int, span: int | None, prefix: str) -> dict[str, Any]:
        params = {}
        for name in own_keys(type(config)):
            if name == "stages":
                continue
            item = config.__dataclass_fields__[name]
            value = getattr(config, name)
            if value is not None and item.metadata.get("length"):
                value = self._lengths(value, prefix + name, start, span)
            elif item.metadata.get("points"):
                value = self._points(value, prefix + name, start, span)
            elif value is not None and item.metadata.get("formula"):
                value = _bound(value, prefix + name, item.metadata, span)
            params[name] = value
        return params

    def _points(self, value: list[list[Any]], key: str, start: int, span: int | None) -> list[list[Any]]:
        """Points of a curve, of which the first may be at 0."""
        written = [at for at, _ in value if at]
        steps = [0] * (len(value) - len(written)) + self._lengths(written, key, start, span, value)
        return [[at, factor] for at, (_, factor) in zip(steps, value, strict=True)]

    def _lengths(self, value: Any, key: str, start: int, span: int | None, shown: Any = None) -> Any:
        if not isinstance(value, list):
            return self._length(value, key, start, span)
        resolved = [self._length(one, f"{key}.{i}", start, span) for i, one in enumerate(value)]
        for (before, after), (one, other) in zip(itertools.pairwise(resolved), itertools.pairwise(value), strict=True):
            if after > before:
                continue
            share = Length.parse(one, key).is_share or Length.parse(other, key).is_share
            if after < before or not share:
                raise SchedulerConfigError(
                    key,
                    shown or value,
                    f"these rise strictly, and here they are steps {resolved}",
                    "Sort them, each only once",
                )
            self.notes.append(f"{key}: {one} and {other} are the same step {after} here")
        return resolved

    def _stages(
        self, config: SchedulerConfig, start: int, span: int | None, prefix: str
    ) -> tuple[tuple[int, Plan], ...]:
        if config.arrangement == "sequence":
            return tuple(self._sequence(config, start, span, prefix))
        return tuple((0, self.plan(child, start, span, prefix + name)) for name, child in config.children())

    def _sequence(
        self, config: SchedulerConfig, start: int, span: int | None, prefix: str
    ) -> Iterator[tuple[int, Plan]]:
        children, written = list(config.children()), list(config.stage_lengths())
        lengths = [StageLength(f"{prefix}{name}.length", one) for (name, _), one in zip(children, written, strict=True)]
        sequence = Sequence(self.clock, lengths, start, span, "stage" if prefix else "run")
        marks = sequence.boundaries()
        self.notes += sequence.notes
        for i, (name, child) in enumerate(children):
            begin, end = marks[i] or 0, marks[i + 1]
            bounded = i == len(children) - 1 and written[i] is not None and not child.metric_driven
            own = None if end is None else end - begin
            yield begin, self.plan(child, start + begin, own, prefix + name, bounded=bounded)


def _bound(value: Any, key: str, field: Mapping[Any, Any], steps: int | None) -> Any:
    """A formula (or several) for a run of `steps` scheduler steps; a Python callable as it is.

    `field` has the formula's variables, and from which step on it is evaluated (``first``, 0 where it is left out).
    """
    if isinstance(value, list):
        return [_bound(one, f"{key}.{i}", field, steps) for i, one in enumerate(value)]
    if not isinstance(value, str):
        return timed(value, key, steps) if "t" in field["formula"] else value
    formula = Formula(value, key, variable=field["formula"])
    if "t" not in formula.variable:
        return formula
    formula = formula.bind(steps)
    formula.check(steps, field.get("first", 0))
    return formula
