"""Where the parts of a schedule, and what happens on them, lie in the whole: behind warmups and in stages.

What happens on a curve its own file says, in its own steps (:class:`lr_configs.config.Landmarks`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from lr_configs.config import Landmarks, Parameters

if TYPE_CHECKING:
    from lr_configs.plan import Plan

#: scheduler steps of the whole schedule
Position = float


@dataclass(frozen=True)
class Part:
    """A single schedule in its place.

    Attributes:
        plan: the schedule.
        begin: position at which it, or its warmup, begins.
        stop: position at which another stage takes over, or None.
        hold: position from which it stays where it is, or None.
    """

    plan: Plan
    begin: int
    stop: int | None
    hold: int | None

    @property
    def start(self) -> int:
        """The position of its own step 0."""
        return self.begin + self.plan.own_start

    @cached_property
    def landmarks(self) -> Landmarks:
        """What its file says."""
        return type(self.plan.config).landmarks(Parameters(**self.plan.params))

    @property
    def bounded(self) -> bool:
        """Whether something else than the run ends it."""
        return self.stop is not None or self.hold is not None

    def until(self, last: Position) -> Position:
        """The last position at which its rate is used."""
        return last if self.stop is None else min(last, self.stop - 1)

    def reach(self, last: Position) -> Position:
        """The last position at which it moves."""
        return self.until(last) if self.hold is None else min(self.until(last), self.hold)

    def steps(self, last: Position) -> float:
        """How many of its own steps there are."""
        reach = self.reach(last)
        return (reach if reach == self.hold else reach + 1) - self.start


def parts(plan: Plan, begin: int = 0, stop: int | None = None, hold: int | None = None) -> Iterator[Part]:
    """The single schedules that make up a plan."""
    start = begin + plan.own_start
    if plan.hold is not None:
        hold = start + plan.hold if hold is None else min(hold, start + plan.hold)
    if not plan.stages:
        yield Part(plan, begin, stop, hold)
        return
    ends: list[int | None] = [stop] * len(plan.stages)
    if plan.config.arrangement == "sequence":
        following = [start + first for first, _ in plan.stages[1:]]
        ends = [*(end if stop is None else min(end, stop) for end in following), stop]
    for (first, stage), end in zip(plan.stages, ends, strict=True):
        yield from parts(stage, start + first, end, hold if end == stop else None)


def warmups(plan: Plan, begin: int = 0) -> Iterator[tuple[int, Plan]]:
    """Every warmup with its position."""
    if plan.warmup:
        yield begin, plan
    for first, stage in plan.stages:
        yield from warmups(stage, begin + plan.own_start + first)


def cooldowns(plan: Plan, begin: int = 0) -> Iterator[int]:
    """The positions at which tails begin."""
    if plan.cooldown and plan.steps is not None:
        yield begin + plan.steps - plan.cooldown
    for first, stage in plan.stages:
        yield from cooldowns(stage, begin + plan.own_start + first)


def sequences(plan: Plan, begin: int = 0) -> Iterator[tuple[int, Plan]]:
    """Every sequence of stages with the position of its own step 0."""
    start = begin + plan.own_start
    if plan.config.arrangement == "sequence":
        yield start, plan
    for first, stage in plan.stages:
        yield from sequences(stage, start + first)


def stage_name(stage: Plan) -> str:
    """What a stage is called: its own name, or where the stages are a list, that of its schedule."""
    name = stage.key.rpartition(".")[2]
    return stage.config.name if name.isdigit() else name
