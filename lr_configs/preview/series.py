"""From schedules to a picture: resolved for their run, bound to their groups, evaluated by what also trains, thinned out."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from lr_configs.builder import check_curve
from lr_configs.config import SchedulerConfig
from lr_configs.curve_tree import Curve, bind
from lr_configs.errors import SchedulerConfigError
from lr_configs.groups import check_base
from lr_configs.horizon import Horizon
from lr_configs.landmarks import cooldowns, parts, sequences, stage_name, warmups
from lr_configs.own import SteppedConfig
from lr_configs.plan import Plan, resolve
from lr_configs.preview import thin
from lr_configs.preview.picture import Line, Mark, Panel, Picture, between
from lr_configs.preview.plateau import Metric, Reductions
from lr_configs.registry import parse
from lr_configs.schedules import NoneConfig

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: parts into which a run is cut: more than a picture in a text is wide
BINS = 600
#: marks of one kind on a line that can still be told apart
MARKS = 24
#: what a panel with the momentum is called, which is beta1 of Adam's relatives
MOMENTUM = "momentum"


@dataclass(frozen=True)
class Subject:
    """A schedule to be shown, with its run.

    Attributes:
        node: the schedule, as :func:`lr_configs.registry.parse` takes it.
        horizon: the run's size.
        bases: the groups' own values of what it drives.
        names: the groups' names.
        label: what tells it from the others.
        metric: the values that a metric-driven schedule follows.
    """

    node: Any
    horizon: Horizon
    bases: Sequence[float] = (0.1,)
    names: Sequence[str | None] | None = None
    label: str = ""
    metric: Metric | None = None


def picture(subjects: Sequence[Subject], *, title: str = "", bins: int = BINS) -> Picture:
    """What a picture of these schedules shows.

    Args:
        subjects: the schedules with their runs.
        title: of the whole.
        bins: into how many parts a run is cut to thin its lines out; 0 keeps every value.

    Raises:
        SchedulerConfigError: for a schedule that does not fit its run, and for runs whose sizes do not compare.

    >>> from lr_configs import Horizon
    >>> shown = picture([Subject("one_cycle", Horizon(epochs=2, steps_per_epoch=50))])
    >>> [panel.title for panel in shown.panels], shown.unit, shown.end, round(shown.panels[0].lines[0].at(29), 6)
    (['lr', 'momentum'], 'update', 100, 0.1)
    """
    horizons = list(dict.fromkeys(subject.horizon for subject in subjects))
    unit = "update" if all(one.total_steps is not None for one in horizons) else "epoch"
    ends = [_end(one, unit) for one in horizons]
    found: dict[str, list[Line]] = {}
    notes: list[str] = []
    style = 0
    for subject in subjects:
        shown = _Shown(subject, unit, bins * _end(subject.horizon, unit) / max(ends), style)
        for name, lines in shown.panels().items():
            found.setdefault(name, []).extend(lines)
        style += len(shown.groups)
        notes += [f"{subject.label}: {note}" if subject.label and len(subjects) > 1 else note for note in shown.notes]
    order = sorted(found, key=lambda name: (name != "lr", name == MOMENTUM))
    thinned = any(line.thinned for lines in found.values() for line in lines)
    return Picture(
        panels=tuple(Panel(name, tuple(found[name])) for name in order),
        unit=unit,
        end=max(ends),
        title=title,
        epochs=epoch_knots(horizons, ends) if unit == "update" else (),
        bins=bins if thinned else 0,
        notes=tuple(dict.fromkeys(notes)),
    )


def labelled(schedulers: Any) -> list[tuple[str, Any]]:
    """Schedules with what tells them apart: their names, and where these are equal, the keys that differ.

    Args:
        schedulers: one schedule, a list of them, or a mapping of labels to them.

    >>> [label for label, _ in labelled(["step", {"name": "cosine", "warmup": "5%"}, "cosine"])]
    ['step', 'cosine warmup=5%', 'cosine warmup=0']
    """
    if isinstance(schedulers, Mapping) and not {"name", "_target_"} & {str(key) for key in schedulers}:
        return [(str(label), parse(node)) for label, node in schedulers.items()]
    several = isinstance(schedulers, Sequence) and not isinstance(schedulers, str)
    configs = [parse(node) for node in (schedulers if several else [schedulers])]
    return [(_told_apart(config, configs), config) for config in configs]


def _told_apart(config: SchedulerConfig, among: Sequence[SchedulerConfig]) -> str:
    alike = [one.to_dict() for one in among if one.name == config.name]
    own = config.to_dict()
    differing = [key for key in own if any(one[key] != own[key] for one in alike)]
    return " ".join([config.name, *(f"{key}={own[key]}" for key in differing)])


def _end(horizon: Horizon, unit: str) -> float:
    total = horizon.total_steps if unit == "update" else horizon.total_epochs
    if total is None:
        raise SchedulerConfigError(
            "horizon", horizon, "these runs have no unit in common", "Give steps_per_epoch for all of them"
        )
    return int(total) if Fraction(total).denominator == 1 else float(total)


def epoch_knots(horizons: Sequence[Horizon], ends: Sequence[float]) -> tuple[tuple[float, float], ...]:
    """Pairs of an update and an epoch; none where the runs differ in it, or do not know."""
    longest = horizons[max(range(len(ends)), key=lambda i: ends[i])]
    if any(one.steps_per_epoch != longest.steps_per_epoch for one in horizons) or not longest.knows_epochs:
        return ()
    total = longest.total_epochs or Fraction(0)
    if not isinstance(longest.steps_per_epoch, tuple):
        return ((0, 0), (longest.total_steps or 0, float(total)))
    whole = [(int(longest.to_steps(Fraction(e), Fraction(0))), e) for e in range(int(total) + 1)]
    return tuple(whole if total == int(total) else [*whole, (longest.total_steps or 0, float(total))])


class _Shown:
    """One schedule on its way into a picture."""

    def __init__(self, subject: Subject, unit: str, bins: float, style: int) -> None:
        self.subject, self.horizon, self.unit = subject, subject.horizon, unit
        self.bins, self.style = max(round(bins), 1) if bins else 0, style
        self.plan = resolve(subject.node, subject.horizon)
        self.config, self.notes = self.plan.config, list(self.plan.notes)
        self.bases = [check_base(self.config.param, base) for base in subject.bases]
        self.names = list(subject.names or [None] * len(self.bases))
        self.steps, self.end = self._steps(), _end(subject.horizon, unit)
        self.curve: Curve | None = None if isinstance(self.config, SteppedConfig) else self._bound()
        self.groups = list(range(len(self.bases)))

    def _steps(self) -> int:
        if self.plan.steps is None and isinstance(self.config, NoneConfig) and not self.plan.warmup:
            return 1  # it is the same at every one of them, however many there are
        if self.plan.steps is None:
            unit = self.plan.interval
            raise SchedulerConfigError(
                "horizon", self.horizon,
                f"the schedule advances by {unit}s, and the run's length in {unit}s is not known",
                "Write Horizon(epochs=90, steps_per_epoch=391)",
            )  # fmt: skip
        if not self.bins and self.plan.steps > thin.MOST:
            raise SchedulerConfigError(
                "horizon", self.horizon, f"{self.plan.steps} values are too many to have every one of them",
                "Draw a picture, which needs few",
            )  # fmt: skip
        return self.plan.steps

    def _bound(self) -> Curve:
        curve = bind(self.plan, self.bases, self.names)
        check_curve(curve, self.plan)
        return curve

    # -------------------------------------------------------------------------------- values

    def panels(self) -> dict[str, list[Line]]:
        """The lines of each hyper-parameter that it drives."""
        import numpy as np

        with np.errstate(all="ignore"):  # what is not finite is refused
            if self.curve is None:
                t = np.arange(self.steps, dtype=np.float64)
                return {self.config.param: self._lines(self._places(t), stepped(self.plan, self.bases))}
            t = self._positions()
            x, t, scales = self._with_metric(self._places(t), t)
            found = {self.config.param: self._lines(x, self._rates(t) * scales)}
            if self.curve.has_momentum():
                rows = self._evaluated(t, momentum=True)
                moving = ~np.isnan(rows[0])
                if moving.any():
                    found[MOMENTUM] = self._lines(x[moving], rows[:, moving], marked=False)
            return found

    def _positions(self) -> NDArray[Any]:
        """The scheduler steps to look at."""
        assert self.curve is not None
        by_updates = self.plan.interval == "step" and self.unit == "update"
        span, stride = (self.end, self.plan.frequency) if by_updates else (self.steps, 1)
        found = thin.positions(self.plan, self.curve, self.steps, self.bins, span, stride)
        if len(found) < self.steps and len(found) >= thin.MOST // 2:
            self.notes.append(f"every {self.steps // thin.MOST + 1}th of {self.steps} steps was looked at")
        return found

    def _places(self, t: NDArray[Any]) -> NDArray[Any]:
        """Where scheduler steps begin, in the picture's unit."""
        import numpy as np

        intervals = t * self.plan.frequency
        own = "epoch" if self.plan.interval == "epoch" else "update"
        knots = np.array(epoch_knots([self.horizon], [0]), dtype=np.float64).T
        if own == self.unit or not knots.size:  # without them there is one step alone
            return intervals
        x, y = knots if own == "update" else knots[::-1]
        found: NDArray[Any] = np.interp(intervals, x, y)
        return found

    def _evaluated(self, t: NDArray[Any], *, momentum: bool = False) -> NDArray[Any]:
        curve = self.curve
        assert curve is not None
        return thin.evaluated(lambda part: curve.array(part, momentum=momentum), t)

    def _rates(self, t: NDArray[Any]) -> NDArray[Any]:
        import numpy as np

        rows = self._evaluated(t)
        if not np.isfinite(rows).all():
            group, at = (int(one[0]) for one in np.nonzero(~np.isfinite(rows)))
            raise SchedulerConfigError(
                self.config.param, self.bases[group],
                f"with {self.config.name} it is {rows[group, at]} at step {int(t[at])}", "Lower the factors",
            )  # fmt: skip
        return rows

    def _with_metric(self, x: NDArray[Any], t: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], Any]:
        """The places and steps, and those at which a metric has changed a rate; and what is left of each rate there."""
        import numpy as np

        if not self.config.metric_driven:
            return x, t, 1.0
        metric = self.subject.metric
        if metric is None:
            self.notes.append(f"it follows {self.config.monitor or 'a metric'}, of which no values are given")
            return x, t, 1.0
        assert self.curve is not None
        reductions = Reductions(self.plan, self.curve, self.bases, self.names)
        changes, scales = [0.0], [list(reductions.scales)]
        for place, step, value in self._timed(metric):
            if reductions.take(value, step):
                changes.append(place)
                scales.append(list(reductions.scales))
                x, t = np.append(x, place), np.append(t, step)
        order = np.argsort(x, kind="stable")
        x, t = x[order], t[order]
        x, first = np.unique(x, return_index=True)
        index = np.searchsorted(changes, x, side="right") - 1
        return x, t[first], np.array(scales).T[:, index]

    def _timed(self, metric: Metric) -> Iterator[tuple[float, int, float]]:
        """The place, the scheduler step and the value of every metric."""
        for at, value in metric.timed():
            place = self._converted(at, metric.unit, self.unit)
            if place > self.end:
                raise SchedulerConfigError(
                    "metric", metric.source,
                    f"a value comes at {metric.unit} {at:g}, and the run has {self._converted(self.end, self.unit, metric.unit):g}",
                    "Give the length of the run that it is of, or a column step",
                )  # fmt: skip
            if place < self.end:  # behind the last update there is no rate
                own = "epoch" if self.plan.interval == "epoch" else "update"
                yield place, int(self._converted(at, metric.unit, own) + 1e-9) // self.plan.frequency, value

    def _converted(self, amount: float, unit: str, wanted: str) -> float:
        """An amount of updates or epochs in the other unit."""
        if unit == wanted:
            return amount
        if not self.horizon.knows_epochs:
            raise SchedulerConfigError(
                "horizon", self.horizon, f"{unit}s cannot be counted in {wanted}s: the updates per epoch are not known here",
                "Give epochs and steps_per_epoch",
            )  # fmt: skip
        knots = epoch_knots([self.horizon], [0])
        return between([(b, a) for a, b in knots] if unit == "epoch" else knots, amount)

    # -------------------------------------------------------------------------------- lines

    def _lines(self, x: NDArray[Any], rows: NDArray[Any], *, marked: bool = True) -> list[Line]:
        """A line for every curve that differs from those of the groups before."""
        if marked:
            self.groups = [i for i in range(len(rows)) if not any((rows[i] == rows[j]).all() for j in range(i))]
        lines, thinned = [], bool(self.bins) and self.steps > 4 * self.bins
        for k, i in enumerate(self.groups):
            found = thin.kept(x, rows[i], self.end, self.bins, thinned=thinned)
            values = rows[i][found].tolist()
            line = Line(self._label(i), x[found].tolist(), values, self.end, style=self.style + k, thinned=thinned)
            lines.append(replace(line, marks=tuple(self._marks(i, line))) if marked else line)
        return lines

    def _label(self, group: int) -> str:
        label = self.subject.label or self.config.name
        if len(self.groups) == 1:
            return label
        return f"{label} [{self.names[group] or group}]"

    def _marks(self, group: int, line: Line) -> Iterator[Mark]:
        """What happens on the line of a group, as far as there is room to tell it apart."""
        found: dict[str, set[float]] = {}
        for step, word in events(self.plan, self.steps):
            found.setdefault(word, set()).add(step)
        import numpy as np

        for word, steps in found.items():
            if len(steps) <= MARKS:
                t = np.array(sorted(steps), dtype=np.float64)
                for place in self._places(t).tolist():
                    yield Mark(place, line.at(place), word)


def events(plan: Plan, steps: int) -> Iterator[tuple[float, str]]:
    """What happens on a curve within so many scheduler steps: the step, and a word; no more of a kind than are shown."""
    for begin, warm in warmups(plan):
        yield begin + warm.warmup, "warmup ends"
    yield from ((begin, "cooldown") for begin in cooldowns(plan))
    for start, sequence in sequences(plan):
        yield from ((start + first, stage_name(stage)) for first, stage in sequence.stages)
    for part in parts(plan):
        reach = part.reach(steps - 1) - part.start
        for words, positions in part.landmarks.events:
            count = bisect_right(positions, reach)
            word = words.replace("(s)", "").removesuffix(" at").removesuffix(" from")
            yield from ((part.start + math.ceil(one), word) for one in positions[: min(count, MARKS + 1)])


def stepped(plan: Plan, bases: Sequence[float]) -> NDArray[Any]:
    """The rates of a scheduler class that is stepped as it is, and has no curve: torch is imported for it."""
    import numpy as np
    import torch

    from lr_configs.builder import build_plan

    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": base} for base in bases]
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9)
    scheduler = build_plan(plan, optimizer)
    rows = np.empty((len(groups), plan.steps or 0))
    for step in range(rows.shape[1]):
        rows[:, step] = [float(group["lr"]) for group in optimizer.param_groups]
        optimizer.step()
        scheduler.step()
    return rows
