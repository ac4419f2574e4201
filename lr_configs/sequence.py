"""Where the stages of a sequence begin and end."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from lr_configs.errors import SchedulerConfigError
from lr_configs.horizon import Clock, Length


@dataclass(frozen=True)
class StageLength:
    """The length of one stage as it is written.

    Attributes:
        key: where.
        written: what; None where it is left out, and the stage takes what the others leave.
    """

    key: str
    written: Any

    @property
    def length(self) -> Length:
        """The length that is written."""
        return Length.parse(self.written, self.key)

    def refused(self, rule: str, remedy: str) -> SchedulerConfigError:
        """An error about this length."""
        return SchedulerConfigError(self.key, self.written, rule, remedy)


@dataclass
class Sequence:
    """Places stages one after another.

    Boundaries are rounded as positions in the whole, so the parts add up to it. Every stage has at least one step: a
    share of the run is lifted to it, and leaves one for each other stage; an absolute length stays as it is.

    Args:
        clock: what a scheduler step is.
        stages: the lengths of the stages, in order; at most one is left out.
        start: scheduler steps of the run before the first stage.
        span: scheduler steps that there are, or None where that is not known.
        whole: what the span is called in messages.

    Attributes:
        notes: what is to be said about shares that were lifted or cut.
    """

    clock: Clock
    stages: list[StageLength]
    start: int
    span: int | None
    whole: str = "run"
    notes: list[str] = field(default_factory=list)

    def boundaries(self) -> list[int | None]:
        """The first step of every stage and the end of the last one, None where that is not known.

        Raises:
            SchedulerConfigError: for stages that do not fit.
        """
        free = self._free()
        if self.span is not None and len(self.stages) > self.span:
            raise self.stages[self.span].refused(
                f"{len(self.stages)} stages need a scheduler step each, and the {self.whole} has {self.span}",
                "Take stages out, or train for longer",
            )
        ends, begins = self._exact_ends(free), self._exact_begins(free)
        if begins and ends[-1] >= begins[0]:
            raise self.stages[free].refused(
                f"no step is left for this stage, the others take the whole {self.whole}", "Shorten the others"
            )
        marks = self._from_front(ends)
        if free == len(self.stages):
            return list(marks)
        return [*marks, *self._from_back(begins, free, marks[-1])] if begins else [*marks, None]

    def _free(self) -> int:
        """Index of the stage without a length; the number of stages where all have one."""
        free = [i for i, stage in enumerate(self.stages) if stage.written is None]
        if not free:
            return len(self.stages)
        if free[0] < len(self.stages) - 1 and self.span is None:
            raise self.stages[free[0]].refused(
                "a stage that takes what the others leave needs the run's length, which is not known here",
                "Give horizon=Horizon(epochs=90, steps_per_epoch=391), or write a length",
            )
        return free[0]

    def _exact(self, stage: StageLength, at: Fraction, *, back: bool) -> Fraction:
        exact = self.clock.exact(stage.length, stage.key, stage.written, self.start + at, self.span, back=back)
        self.clock.round(stage.length, exact, stage.key, stage.written)  # refuses what is no whole number of epochs
        return exact

    def _exact_ends(self, free: int) -> list[Fraction]:
        """0 and the end of each stage in front of the free one, not rounded."""
        ends = [Fraction(0)]
        for i, stage in enumerate(self.stages[:free]):
            ends.append(ends[-1] + self._exact(stage, ends[-1], back=False))
            if self.span is not None and ends[-1] > self.span:
                raise self._too_long(i, ends[-1], self.stages[: i + 1])
        return ends

    def _exact_begins(self, free: int) -> list[Fraction]:
        """The beginning of each stage behind the free one, not rounded, and the end of the whole."""
        if free == len(self.stages) or self.span is None:
            return []
        begins = [Fraction(self.span)]
        for i in range(len(self.stages) - 1, free, -1):
            begins.insert(0, begins[0] - self._exact(self.stages[i], begins[0], back=True))
            if begins[0] < 0:
                raise self._too_long(i, self.span - begins[0], self.stages[i:])
        return begins

    def _from_front(self, ends: list[Fraction]) -> list[int]:
        marks = [0]
        for i, (begin, end) in enumerate(itertools.pairwise(ends)):
            later = len(self.stages) - 1 - i
            wanted = self._wanted(i, marks[-1], begin, end)
            room = None if self.span is None else self.span - marks[-1] - later
            marks.append(marks[-1] + self._fitted(i, wanted, end - begin, room))
        return marks

    def _from_back(self, begins: list[Fraction], free: int, front: int) -> list[int]:
        marks = [self.clock.nearest(begins[-1])]
        for i in range(len(self.stages) - 1, free, -1):
            begin, end = begins[i - free - 1], begins[i - free]
            wanted = self._wanted(i, marks[0], end, begin)
            marks.insert(0, marks[0] - self._fitted(i, wanted, end - begin, marks[0] - front - (i - free)))
        return marks

    def _wanted(self, i: int, mark: int, near: Fraction, far: Fraction) -> int:
        """Steps of stage `i`, whose near end stands at `mark`."""
        if mark != self.clock.nearest(near) and not self.stages[i].length.is_share:
            return self.clock.nearest(abs(far - near))  # a lifted share moved it, which takes nothing from this stage
        return (self.clock.nearest(far) - mark) * (1 if far >= near else -1)

    def _fitted(self, i: int, wanted: int, exact: Fraction, room: int | None) -> int:
        stage = self.stages[i]
        if not stage.length.is_share:
            if wanted < 1:
                raise stage.refused("no scheduler step is left for this stage", "Lengthen it, or lower frequency")
            if room is not None and wanted > room:
                raise stage.refused(
                    f"this is {self.clock.in_words(stage.length)}, and no scheduler step would be left for another stage",
                    "Shorten the stages, or train for longer",
                )
            return wanted
        size = max(1, wanted if room is None else min(wanted, room))
        if self.clock.is_lifted(stage.length, exact):
            self.notes.append(f"{stage.key}={stage.written} is {size} of {self.span} steps here, the least there is")
        elif size != wanted:
            self.notes.append(
                f"{stage.key}={stage.written} is {size} of {self.span} steps here, as every stage has at least one"
            )
        return size

    def _too_long(self, i: int, taken: Fraction, stages: list[StageLength]) -> SchedulerConfigError:
        lengths = [stage.length for stage in stages]
        if len({length.unit for length in lengths}) == 1:
            total = Length(sum((length.amount for length in lengths), Fraction(0)), lengths[0].unit)
        else:
            unit = "ep" if self.clock.interval == "epoch" else "st"
            total = Length(taken * self.clock.frequency, unit)
        room = "100%" if total.is_share else self.clock.room_in_words(total, self.start, self.span or 0)
        subject = "this stage takes" if len(stages) == 1 else "the stages up to here take"
        return self.stages[i].refused(
            f"{subject} {self.clock.in_words(total)}, and the {self.whole} has {room}",
            "Shorten the stages, or leave out the length of one of them",
        )
