"""What is said when training starts: the schedule in updates and rates, and where it does not fit the run.

A first line says what will happen::

    cosine_warm_restarts | interval=step | 35190 updates | warmup 500, restarts at 3519, 10557, ... | lr 0.001 -> peak 0.1 -> 0.002

A second one names the places where curve and run do not fit, and is left out where there is none::

    cosine: T_max=100 epochs, the run has 30: it ends at 0.79 of the base rate

What a schedule's landmarks are, its own file says (:class:`lr_configs.config.Landmarks`), and where they lie in the whole,
:mod:`lr_configs.landmarks`.
"""

from __future__ import annotations

import math
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lr_configs.horizon import amount_text
from lr_configs.landmarks import Part, Position, cooldowns, parts, sequences, stage_name, warmups

if TYPE_CHECKING:
    from lr_configs.plan import Plan
    from lr_configs.rest import Rest
    from lr_configs.resume import Timeline
    from lr_configs.track import Ending

#: landmarks of one kind that are named
SHOWN = 3
#: rates that are looked at to find the highest, and again around the best of them
SAMPLES, CLOSER = 1000, 64
#: share of a length that may be missing, or too much, without a word
SLACK = 0.01


@dataclass(frozen=True)
class Facts:
    """What can be said about a schedule at work.

    Attributes:
        key: ``optimizer/hyper-parameter``.
        plan: the schedule.
        scheduler: what writes its rates.
        rest: what was left of the run when its fit began, or None where its end is unknown.
        ticks: intervals since it began.
        updates: of its optimizer since the run began.
        epochs: of the run that have ended.
        bases: the groups' own rates.
        last: its position at the last update of the run; None where that is unknown, or a metric decides.
        timeline: where on its curve it is.
        ending: an early ending that has begun.
        resumed: whether it goes on from a checkpoint.
        processes: how many train together.
    """

    key: str
    plan: Plan
    scheduler: Any
    rest: Rest | None
    ticks: int
    updates: int
    epochs: int
    bases: tuple[float, ...]
    last: int | float | None
    timeline: Timeline
    ending: Ending | None
    resumed: bool
    processes: int


# ---------------------------------------------------------------------------------------- when


class Course:
    """When the schedule is where: the positions of what is left of the run."""

    def __init__(self, facts: Facts) -> None:
        self.facts, self.rest, self.frequency = facts, facts.rest, facts.plan.frequency
        self.by_epoch = facts.plan.interval == "epoch"
        self.made = facts.epochs if self.by_epoch else facts.updates
        self.moves = self._moves()
        self.now = facts.timeline.position(facts.ticks, facts.updates, self.frequency)
        self.last = facts.last

    @cached_property
    def total(self) -> Fraction | None:
        """Intervals in the whole run."""
        return None if self.rest is None else self.rest.total(self.by_epoch)

    def _moves(self) -> int | None:
        """How often it will advance before the last update."""
        if self.total is None:
            return None
        left = max(math.ceil(self.total - self.made), 1)
        return (self.facts.ticks + left - 1) // self.frequency - self.facts.ticks // self.frequency

    def ticks(self, move: int) -> int:
        """Ticks when it has advanced so often."""
        return (self.facts.ticks // self.frequency + move) * self.frequency if move else self.facts.ticks

    def at(self, move: int) -> Position:
        """The position when it has advanced so often."""
        ticks = self.ticks(move)
        intervals = Fraction(self.made + ticks - self.facts.ticks)
        updates = self.updates(intervals) if self.facts.timeline.warp is not None else 0
        return self.facts.timeline.position(ticks, int(updates or 0), self.frequency)

    def intervals(self, position: Position) -> Fraction:
        """Intervals of the run that have passed when it gets there."""
        if self.facts.timeline.warp is None:
            return Fraction(math.ceil(position)) * self.frequency + self.made - self.facts.ticks
        moves = self.moves or 0
        move = bisect_left(range(moves + 1), position, key=self.at)
        return Fraction(self.made + self.ticks(min(move, moves)) - self.facts.ticks)

    def updates(self, intervals: Fraction) -> Fraction | None:
        """Updates that are made in so many intervals of the run; None where the two do not convert."""
        if not self.by_epoch:
            return intervals
        return None if self.rest is None else self.rest.updates_at(intervals)

    @property
    def noun(self) -> str:
        """What an interval is."""
        return "epoch" if self.by_epoch else "update"

    def amount(self, steps: float) -> str:
        """Scheduler steps in words."""
        return amount_text(Fraction(steps).limit_denominator(100) * self.frequency, self.noun)

    def place(self, position: Position) -> str:
        """A position in words.

        The last scheduler step of a run may be a shorter one.
        """
        return f"{self.noun} {amount_text(self.intervals(position))}"

    def room(self, start: Position, steps: float) -> str:
        """The scheduler steps from a position on, in words, where the last of them may be a shorter one."""
        intervals = Fraction(steps).limit_denominator(100) * self.frequency
        if self.total is not None and self.facts.timeline.warp is None:
            intervals = min(intervals, max(self.total - self.intervals(start), Fraction(0)))
        return amount_text(intervals, self.noun)


# ---------------------------------------------------------------------------------------- the lines


class Report:
    """The lines about one schedule."""

    def __init__(self, facts: Facts, label: str = "") -> None:
        self.facts, self.plan, self.label = facts, facts.plan, label
        self.course = Course(facts)
        self.parts = list(parts(facts.plan))
        curve: Any = getattr(facts.scheduler, "curve", None)
        writer = getattr(facts.scheduler, "writer", None)
        self._curve: Any = curve
        # Of all groups the first one speaks, unless it stands still at 0.
        self.group = next((i for i, base in enumerate(facts.bases) if base), 0)
        self.base = facts.bases[self.group] if facts.bases else 0.0
        self._scale = 1.0 if writer is None else float(writer.scales[self.group])

    def lines(self) -> Iterator[str]:
        """One line, and another where there is something to warn of."""
        yield " | ".join(filter(None, self._first()))
        quiet = self.facts.ending is not None or not self.base
        misfits = [] if quiet else list(dict.fromkeys(self.misfits()))
        if self._stands_still():
            misfits = [f"{self.plan.config.param} is 0 in every group, and any multiple of it too"]
        if misfits:
            yield f"{self.label} {self.plan.config.name}: ".lstrip() + ". ".join(misfits)

    def _stands_still(self) -> bool:
        """Whether nothing will ever move: the groups' own numbers are 0, and the curve multiplies them."""
        return not self.base and self.facts.ending is None and self.facts.rest is not None and self._peak() == 0

    def _first(self) -> Iterator[str]:
        facts, plan, groups = self.facts, self.plan, len(self.facts.scheduler.held())
        yield self.label
        yield plan.config.name
        yield f"interval={plan.interval}" + (f" frequency={plan.frequency}" if plan.frequency > 1 else "")
        yield self._size()
        yield "ending early" if facts.ending is not None else ", ".join(self.landmarks())
        yield self._rates()
        yield f"groups {groups}" if groups > 1 else ""
        yield f"resumed at update {facts.updates}" if facts.resumed else ""
        yield f"{facts.processes} processes" if facts.processes > 1 else ""

    def _size(self) -> str:
        rest = self.facts.rest
        if rest is None:
            return "open end"
        updates = rest.total(by_epoch=False)
        if updates is None:
            return amount_text(rest.total(by_epoch=True) or 0, "epoch")
        return amount_text(updates, "update")

    # -------------------------------------------------------------------------------- landmarks

    def landmarks(self) -> Iterator[str]:
        """What lies ahead, in updates."""
        for begin, plan in warmups(self.plan):
            if self._ahead(begin + plan.warmup):
                yield self._warmup(begin, plan)
        yield from (f"cooldown from {self._when(begin)}" for begin in cooldowns(self.plan) if self._ahead(begin))
        for start, plan in sequences(self.plan):
            yield from self._stages(start, plan)
        found: dict[str, list[Position]] = {}
        for part in self.parts:
            for word, steps in part.landmarks.events:
                found.setdefault(word, []).extend(self._events(part, steps))
        for word, positions in found.items():
            where = sorted(set(positions))
            if where:
                yield f"{word.replace('(s)', '' if len(where) == 1 else 's')} {self._list(where)}"

    def _warmup(self, begin: int, plan: Plan) -> str:
        if begin == 0 and self.facts.timeline.warp is None and self.course.made == self.facts.ticks:
            return f"warmup {self._number(plan.warmup)}" + ("" if self._in_updates else " epochs")
        return f"warmup from {self._when(begin)} to {self._when(begin + plan.warmup)}"

    def _stages(self, start: int, plan: Plan) -> Iterator[str]:
        """The stages and where they begin: ``stages warmup, decay from 3519``."""
        named = [(start + first, stage_name(stage)) for first, stage in plan.stages]
        ahead = [f"{name} from {self._when(at)}" for at, name in named if self._ahead(at)]
        current = [name for at, name in named if at <= self.course.now][-1:]
        shown = [*current, *ahead]
        yield f"stages {', '.join(shown[: SHOWN + 1])}" + (", ..." if len(shown) > SHOWN + 1 else "")

    def _ahead(self, position: Position) -> bool:
        return self.course.now < position and (self.course.last is None or position <= self.course.last)

    def _events(self, part: Part, steps: Sequence[float]) -> list[Position]:
        """The next ones, one more than are shown."""
        first = bisect_right(steps, max(self.course.now - part.start, 0))
        last = math.inf if self.course.last is None else self.course.last
        reach = part.reach(last)
        following = steps[first : first + SHOWN + 1]
        return [part.start + one for one in following if part.start + one <= reach]

    def _list(self, positions: Sequence[Position]) -> str:
        shown = [self._number(one) for one in positions[:SHOWN]]
        noun = "" if self._in_updates else "epoch " if len(shown) == 1 else "epochs "
        return noun + ", ".join(shown) + (", ..." if len(positions) > SHOWN else "")

    @property
    def _in_updates(self) -> bool:
        return self.course.updates(Fraction(0)) is not None

    def _number(self, position: Position) -> str:
        """The update, or where that is not known the epoch, at which it gets there."""
        intervals = self.course.intervals(position)
        updates = self.course.updates(intervals)
        return amount_text(intervals if updates is None else Fraction(math.ceil(updates)))

    def _when(self, position: Position) -> str:
        return self._number(position) if self._in_updates else f"epoch {self._number(position)}"

    # -------------------------------------------------------------------------------- rates

    def _rates(self) -> str:
        config, held = self.plan.config, self.facts.scheduler.held()[self.group]
        shown = [f"{held:.4g}"]
        end = self._end()
        peak = self._peak()
        if self.facts.ending is not None:
            peak, end = None, self.facts.ending.end[self.group]
        if peak is not None and peak > max(held, held if end is None else end) * (1 + 1e-6):
            shown.append(f"peak {peak:.4g}")
        if end is not None and (len(shown) > 1 or f"{end:.4g}" != shown[0]):
            shown.append(f"{end:.4g}")
        if end is None and self.facts.rest is not None and not config.metric_driven:
            shown.append("?")  # not to be found at once, or counted in what the run's size does not say
        text = f"{config.param} {' -> '.join(shown)}" + (f" (group {self.group})" if self.group else "")
        return text + (f", reduced on {config.monitor}" if config.metric_driven else "")

    @cached_property
    def _known(self) -> bool:
        """Whether any rate can be found without all those before it."""
        few = (self.course.last or 0) <= 2 * SAMPLES
        return self._curve is not None and (few or self._at_once)

    @property
    def _at_once(self) -> bool:
        return all(part.landmarks.at_once for part in self.parts)

    def rate(self, position: Position) -> float | None:
        """The first group's at a position, where it can be found quickly."""
        return self._at([position])[0] if self._known else None

    def _at(self, positions: Sequence[Position]) -> list[float]:
        """The rates at rising positions."""
        if "numpy" not in sys.modules and self._at_once:  # whose import takes longer than the rates one by one
            return [float(self._curve.rates(one)[self.group]) * self._scale for one in positions]
        import numpy as np

        with np.errstate(all="ignore"):
            rates = self._curve.array(np.array(positions, dtype=np.float64))[self.group] * self._scale
        found: list[float] = rates.tolist()
        return found

    def _end(self) -> float | None:
        return None if self.course.last is None or self.plan.config.metric_driven else self.rate(self.course.last)

    def _peak(self) -> float | None:
        """The highest rate from here on."""
        moves = self.course.moves
        if not self._known:
            return None
        marks: list[Position] = [part.start for part in self.parts if self.course.now <= part.start]
        if moves is None or self.course.last is None or self.plan.config.metric_driven:
            # Before a metric has its way, or the end is not known: what is sure to come.
            limit = math.inf if self.course.total is None else self.course.at(moves or 0)
            marks = sorted({self.course.now, *(one for one in marks if one <= limit)})
            return max(self._at(marks))
        tried = self._try(range(0, moves + 1, max(1, moves // SAMPLES)), marks, self.course.last)
        step = moves // SAMPLES
        while step > 1 and len(tried) > 1:
            best = max(tried, key=lambda move: tried[move])
            around = range(max(best - step, 0), min(best + step, moves) + 1, max(1, 2 * step // CLOSER))
            tried = {best: tried[best], **self._try(around, [], self.course.last)}
            step = 2 * step // CLOSER
        return max(tried.values())

    def _try(self, moves: Iterable[int], marks: Iterable[Position], last: Position) -> dict[int, float]:
        """The rates when it has advanced so often, and those at some positions."""
        whole = self.facts.timeline.warp is None
        near = {int(one - self.course.now) + side for one in marks for side in (-1, 0)} if whole else set()
        most = self.course.moves or 0
        wanted = sorted({*moves, most, *(one for one in near if 0 <= one <= most)})
        rates = self._at([min(self.course.at(one), last) for one in wanted])
        return dict(zip(wanted, rates, strict=True))

    # -------------------------------------------------------------------------------- misfits

    def misfits(self) -> Iterator[str]:
        """Where the curve does not fit the run, a sentence each."""
        last = self.course.last
        if last is None:
            return
        for begin, plan in warmups(self.plan):
            if begin <= last < begin + plan.warmup:
                key = f"{plan.key}.warmup" if plan.key else "warmup"
                yield f"{key}={self.course.amount(plan.warmup)} is not over when the run ends{self._at_share(last, ': at ')}"
        for part in self.parts:
            if part.begin > last:
                yield f"{part.plan.key} would begin at {self.course.place(part.begin)}, and the run ends before"
            elif part.start <= last:
                yield from self._missed(part, last)
                yield from self._cut(part, last)
                yield from self._outlived(part, last)

    def _missed(self, part: Part, last: Position) -> Iterator[str]:
        missed = [one for one in part.landmarks.expected if part.start + one > part.reach(last)]
        if missed:
            numbers = [amount_text(Fraction(one * self.plan.frequency)) for one in missed[:-1]]
            listed = ", ".join([*numbers, self.course.amount(missed[-1])])
            yield f"{self._key(part)}={listed} {'is' if len(missed) == 1 else 'are'} never reached: {self._room(part, last)}"

    def _cut(self, part: Part, last: Position) -> Iterator[str]:
        ends, steps = part.landmarks.ends, part.steps(last)
        i = bisect_left(ends, steps)
        if i >= len(ends):
            return
        before, end = ends[i - 1] if i else 0, ends[i]
        # Shares are rounded to whole steps, and what that leaves over adds up.
        slack = max(SLACK * (end - before), 0.5 * end / ends[0])
        if end - steps <= slack or (i and steps - before <= slack):
            return
        reach = part.reach(last)
        if i == 0:
            yield f"{self._key(part)}={self.course.amount(end)}, {self._room(part, last)}{self._at_share(reach, ': it ends at ')}"
            return
        scope = "the stage" if part.bounded else "the run"
        gone = self.course.room(part.start + before, steps - before).split()[0]
        yield f"{scope} ends {gone} into a period of {self.course.amount(end - before)}{self._at_share(reach, ': at ')}"

    def _outlived(self, part: Part, last: Position) -> Iterator[str]:
        marks, until = part.landmarks, part.until(last)
        flat = part.start + marks.ends[-1] if marks.flat else part.hold
        if flat is not None and flat < until and self.rate(flat) == 0 == self.rate(until):
            of = "" if self.course.total is None else f" of {amount_text(self.course.total)}"
            yield f"{part.plan.key or self._what} is at 0 from {self.course.place(flat)}{of}"
            return
        if not marks.beyond or not marks.ends:
            return
        end, steps = marks.ends[-1], part.steps(last)
        if steps - 1 <= end * (1 + SLACK) - (1 if marks.flat else 0):
            return
        written = f"{self._key(part)}={self.course.amount(end)}, {self._room(part, last)}: it {marks.beyond}"
        place = self.course.place(part.start + end)
        if marks.flat:
            yield f"{written} from {place}{self._at_share(until, ', at ')}"
        else:
            yield f"{written} after {place}{self._at_share(part.reach(last), ', and ends at ')}"

    @property
    def _what(self) -> str:
        return "the rate" if self.plan.config.param == "lr" else self.plan.config.param

    def _key(self, part: Part) -> str:
        return f"{part.plan.key}.{part.landmarks.key}" if part.plan.key else part.landmarks.key

    def _room(self, part: Part, last: Position) -> str:
        """``the run has 30``."""
        steps = part.steps(last)
        if part.bounded:
            return f"the stage has {self.course.room(part.start, steps).split()[0]}"
        if self.facts.timeline.last is not None or self.facts.timeline.warp is not None:
            used = self.course.amount(steps).split()[0]
            return f"{used} of them {_are(used)} used"
        room = self.course.room(part.start, steps).split()[0]
        return f"the run has {room}" if part.start == 0 else f"{room} {_are(room)} left to it"

    def _at_share(self, position: Position, before: str) -> str:
        """The rate at a position, as a share of the base where it is one."""
        rate, base = self.rate(position), self.base
        if rate is None:
            return ""
        if 0 < rate <= base * (1 + 1e-9):
            return f"{before}{_share(rate / base)} of the base {self._what.removeprefix('the ')}"
        return f"{before}{rate:.4g}"


def _are(count: str) -> str:
    return "is" if count == "1" else "are"


def _share(value: float) -> str:
    """A share in two digits.

    >>> _share(0.7938), _share(0.99987), _share(1.0), _share(0.0000312)
    ('0.79', '0.9999', '1', '3.1e-05')
    """
    text = f"{value:.2g}"
    return text if text != "1" or value == 1 else f"{value:.4g}"


# ---------------------------------------------------------------------------------------- what others call


def labels(schedules: Sequence[Facts]) -> list[str]:
    """What tells the optimizers of a run apart; nothing where there is one without a name."""
    keys = [facts.key.partition("/")[0] for facts in schedules]
    numbered = "optimizer {}" if len(set(keys)) > 1 else ""
    return [numbered.format(key) if key.isdigit() else key for key in keys]


def lines(schedules: Sequence[Facts]) -> Iterator[str]:
    """The lines about all schedules of a run."""
    for label, facts in zip(labels(schedules), schedules, strict=True):
        yield from Report(facts, label).lines()


def undriven(number: int, optimizer: Any) -> str:
    """The line about an optimizer that no schedule drives."""
    rates = ", ".join(dict.fromkeys(f"{float(group['lr']):.4g}" for group in optimizer.param_groups))
    return f"optimizer {number} ({type(optimizer).__name__}) | driven by no schedule | lr {rates}"


def told_otherwise(total: int, updates: int) -> str:
    """A line about a `total_steps` that is not what the trainer will do.

    >>> told_otherwise(10, 200)
    'total_steps=10, and the trainer makes 200 updates: more than planned'
    """
    what = "more than planned" if updates > total else "the schedule is cut short"
    return f"total_steps={total}, and the trainer makes {updates} updates: {what}"


def lost(epoch: int, total: int, planned: int) -> str:
    """The line about a trainer that goes on elsewhere than where its checkpoint lies.

    >>> lost(1, 64, 60)
    'the trainer has lost its place in epoch 1: it makes 64 updates instead of 60'
    """
    return f"the trainer has lost its place in epoch {epoch}: it makes {total} updates instead of {planned}"


def overruns(schedules: Sequence[Facts]) -> dict[str, str]:
    """A line about each schedule that feels more updates than were planned, by its key."""
    found = {}
    for label, facts in zip(labels(schedules), schedules, strict=True):
        planned = None if facts.rest is None else facts.rest.total(by_epoch=False)
        if planned is not None and facts.plan.interval == "step" and facts.updates > planned:
            found[facts.key] = (
                f"{label} {facts.plan.config.name}: more updates than planned: {facts.updates} by now, and the schedule "
                f"was laid out for {planned}. Give their number: total_steps of LRSchedulerCallback, or the Horizon"
            ).lstrip()
    return found
