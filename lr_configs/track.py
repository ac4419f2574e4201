"""One schedule at work: its clock, where it is on its curve, and an early ending."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from torch.optim import Optimizer

from lr_configs import resume
from lr_configs.errors import SchedulerConfigError, nearest
from lr_configs.horizon import Horizon, Length
from lr_configs.plan import Plan, last_step
from lr_configs.rest import Made, Rest
from lr_configs.resume import Asked, Continue, Data, Saved, Timeline
from lr_configs.run import Run
from lr_configs.torch_classes import state as states

SHAPES: dict[str, Callable[[float], float]] = {
    "linear": lambda x: 1 - x,
    "cosine": lambda x: (1 + math.cos(math.pi * x)) / 2,
    "one_minus_sqrt": lambda x: 1 - math.sqrt(x),
}


@dataclass(frozen=True)
class Ending:
    """An early ending: what every group has at its update `at` of `steps`."""

    at: int
    steps: int
    shape: str
    begin: list[float]
    end: list[float]

    def next(self) -> Ending:
        """One update later; nothing changes after the last."""
        return replace(self, at=min(self.at + 1, self.steps))

    def rates(self) -> list[float]:
        """One rate per group."""
        left = SHAPES[self.shape](self.at / self.steps)
        return [a * left + b * (1 - left) for a, b in zip(self.begin, self.end, strict=True)]


def check_ending(over: Any, shape: Any) -> tuple[Any, str]:
    """The length and the shape of an early ending, checked.

    Raises:
        SchedulerConfigError: for what is no length or no shape.
    """
    if shape not in SHAPES:
        raise SchedulerConfigError(
            "shape", shape, f"this is one of {', '.join(SHAPES)}", nearest(str(shape), SHAPES) or "Write linear"
        )
    Length.parse(over, "over")
    return over, shape


def _say_nothing(line: str) -> None:
    """Where the lines of `verbose` go while a schedule is put in its place."""


class Track:
    """One schedule at work: its scheduler, and how far its clock is.

    Attributes:
        key: the optimizer's name among those of the run.
        optimizer: the optimizer.
        scheduler: what writes its rates.
        asked: what the run asks for.
        plan: what is driven, which after a resume may be another one.
        bases: what that begins from in each group.
        timeline: where on its curve it is.
        end: exact end of the plan's run in scheduler steps, or None.
        ticks: intervals since it began.
        updates: of the optimizer since the run began.
        epoch_updates: the same at the end of the last epoch.
        origin: the same when its clock began.
        position: where on its curve it is.
        last: the position at the last update of a run that goes on from a checkpoint, or None.
        values: of the metric so far.
        skipped: updates that the gradient scaler prevented.
        ending: an early ending that has begun.
        module_steps: whether the module calls ``step()`` itself.
        rest: what was left of the run when this fit began, or None where its end is unknown.
    """

    def __init__(self, key: str, optimizer: Optimizer, scheduler: Any, asked: Asked, run: Run) -> None:
        self.key, self.optimizer, self.asked, self._run = key, optimizer, asked, run
        self.updates = self.epoch_updates = self.skipped = 0
        self.replaced = False
        self.rest: Rest | None = None
        self.begin(scheduler, asked.plan, asked.bases, None)

    def begin(self, scheduler: Any, plan: Plan, bases: tuple[float, ...], end: Fraction | None) -> None:
        """Drive this schedule, from its first step."""
        self.scheduler, self.plan, self.bases, self.end = scheduler, plan, bases, end
        self.timeline = Timeline()
        self.ticks = self.values = self.origin = 0
        self.position: int | float = 0
        self.last: int | float | None = None
        self.ending: Ending | None = None
        self.module_steps = False
        scheduler.printer = self._run.say

    @property
    def name(self) -> str:
        """``optimizer/hyper-parameter``."""
        return f"{self.key}/{self.plan.config.param}"

    @property
    def by_epoch(self) -> bool:
        """Whether an interval is an epoch."""
        return self.plan.interval == "epoch"

    @property
    def monitor(self) -> str | None:
        """The metric that it follows."""
        return self.plan.config.monitor if self.plan.config.metric_driven else None

    # -------------------------------------------------------------------------------- the clock

    def update(self) -> None:
        """The optimizer has made an update."""
        self.updates += 1
        if not self.by_epoch:
            self._tick()
        if self.ending is not None:
            self._end_on(self.ending.next())

    def end_epoch(self) -> None:
        """An epoch has ended."""
        self.epoch_updates = self.updates
        if self.by_epoch:
            self._tick()

    def _tick(self) -> None:
        self.ticks += 1
        if self.ticks % self.plan.frequency or self.module_steps or self.ending is not None or self.at_rest():
            return
        position = self.timeline.position(self.ticks, self.updates, self.plan.frequency)
        if self.timeline.warp is None and position == self.position + 1:
            self.scheduler.advance()
        elif position != self.position:
            self.scheduler.jump(position)
        self.position = position

    def at_rest(self) -> bool:
        """Whether another scheduler has taken the place of ours, as StochasticWeightAveraging does."""
        held = None if self.replaced else self._run.schedulers()
        if held is not None and not any(scheduler is self.scheduler for scheduler in held):
            self.replaced = True
            self._run.say(f"{self.plan.config.name}: replaced by another scheduler, and at rest from here on")
        return self.replaced

    def react(self, value: float) -> None:
        """The metric has a new value."""
        self.values += 1
        if self.values % self.plan.frequency == 0 and self.ending is None and not self.at_rest():
            self.scheduler.react(value)

    def stepped_by_module(self) -> bool:
        """The module called ``step()`` itself; returns whether that call should move the schedule.

        From now on the module drives it. Its first call only takes over what was stepped for it.
        """
        takes_over, self.module_steps = not self.module_steps and self.ticks > 0, True
        if self.ending is None and takes_over:
            self.scheduler.jump(1)
        return self.ending is None and not takes_over

    # -------------------------------------------------------------------------------- ending early

    def last_position(self, horizon: Horizon | None) -> int | float | None:
        """The position at the last update of the run; None where that is unknown, or a metric decides."""
        if self.timeline.last is not None:
            held = resume.number(self.timeline.last)
            return held if self.last is None else min(held, self.last)
        if self.monitor is not None or horizon is None:
            return None
        return self.last if self.end is None else last_step(self.end)

    def end_early(self, steps: int, shape: str, horizon: Horizon | None) -> Ending:
        """Bring the rates down to what they would be at the end, or to 0 where that is no lower."""
        held, last = self.scheduler.held(), self.last_position(horizon)
        ends = [0.0] * len(held) if last is None else self.scheduler.rates_at(last)
        ends = [end if end < rate else 0.0 for end, rate in zip(ends, held, strict=True)]
        ending = Ending(1, steps, shape, list(held), ends)
        self._end_on(ending)
        return ending

    def _end_on(self, ending: Ending) -> None:
        self.ending = ending
        if not self.at_rest():
            self.scheduler.put(ending.rates())

    # -------------------------------------------------------------------------------- saving and going on

    def made(self, epochs: int) -> Made:
        """What is over of the run after so many epochs."""
        return Made(self.updates, epochs, self.updates - self.epoch_updates)

    def save(self, epochs: int, slot: int | None) -> Data:
        """Plain data."""
        saved = Saved(
            asked=self.asked.to_data(), plan=self.plan.to_data(), bases=self.bases, end=self.end, timeline=self.timeline,
            ticks=self.ticks, updates=self.updates, epoch_updates=self.epoch_updates, values=self.values,
            position=self.scheduler.position if self.module_steps else self.position,
            groups=len(self.optimizer.param_groups), ending=None if self.ending is None else vars(self.ending).copy(),
            module_steps=self.module_steps, slot=slot, epochs=epochs, origin=self.origin,
            seal=None if slot is None else states.digest(self.scheduler.state_dict()),
        )  # fmt: skip
        return saved.to_data()

    def restore(self, decision: Continue, state: Any) -> None:
        """Go on where a checkpoint was; `state` is the scheduler's own, None where another had taken its place."""
        saved = decision.saved
        self.timeline, self.end = decision.timeline, decision.end
        self.ticks, self.values, self.module_steps = saved.ticks, saved.values, saved.module_steps
        self.updates, self.epoch_updates, self.origin = saved.updates, saved.epoch_updates, saved.origin
        self.position = saved.position
        self.last = self._last_of_run(saved)
        self.check_state(saved, state)
        if self.timeline.last is not None and self.position > self.timeline.last:
            self.position = resume.number(self.timeline.last)
            self.scheduler.jump(self.position)
        if saved.ending is not None:
            self._end_on(Ending(**saved.ending))

    def _last_of_run(self, saved: Saved) -> int | float | None:
        """The position at the last update of a run that goes on from a checkpoint; None where its end is unknown."""
        end, left = resume.end_of(saved, self.asked), self.asked.rest(saved.made)
        if end is None or left is None:
            return None
        ticks = max(last_step(end) * saved.frequency, saved.ticks)
        more = left.updates_in(Fraction(ticks - saved.ticks), saved.by_epoch)
        return self.timeline.position(ticks, saved.updates + int(more or 0), saved.frequency)

    def check_state(self, saved: Saved, state: Any) -> None:
        """Give the scheduler its own state.

        Raises:
            SchedulerConfigError: where it is damaged, or another schedule's.
        """
        self.scheduler.printer = _say_nothing
        try:
            if saved.seal is None:
                self.scheduler.jump(saved.position)
            elif states.digest(state) != saved.seal:
                raise states.damaged("lr_schedulers", state, "it does not fit its digest")
            else:
                self.scheduler.restore(state, saved.position)
        except SchedulerConfigError as error:
            raise SchedulerConfigError(error.key, error.value, f"{self.name}: {error.rule}", error.remedy) from error
        finally:
            self.scheduler.printer = self._run.say

    def place(self, updates: int, epochs: int, left: Rest | None) -> None:
        """Go to an update and an epoch of the run, of which so much is left."""
        self.ticks = epochs if self.by_epoch else updates
        intervals = None if left is None else left.intervals(self.by_epoch)
        self.end = None if intervals is None else (self.ticks + intervals) / self.plan.frequency
        self.position = self.timeline.position(self.ticks, updates, self.plan.frequency)
        self.scheduler.printer = _say_nothing
        self.scheduler.jump(self.position)
        self.scheduler.printer = self._run.say
