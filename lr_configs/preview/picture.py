"""What a picture shows: plain numbers and words, which every way of drawing reads."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Mark:
    """Something that happens on a line.

    Attributes:
        x: where, in the picture's unit.
        y: the line's value there.
        word: what (``restart``, ``warmup ends``).
    """

    x: float
    y: float
    word: str


@dataclass(frozen=True)
class Line:
    """One curve: stairs, whose values hold until the next one, or a few points of a curve that has many more.

    Attributes:
        label: what tells it from the others.
        x: where each value begins, rising, in the picture's unit.
        y: the values.
        end: where the last value ends.
        marks: what happens on it, from left to right.
        style: which of the styles it is drawn in; lines of one schedule have the same one in every panel.
        thinned: whether values were left out, so that two neighbours are joined by a straight line.

    >>> Line("cosine", [0, 10], [0.1, 0.01], 20).at(15)
    0.01
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    end: float
    marks: tuple[Mark, ...] = ()
    style: int = 0
    thinned: bool = False

    def at(self, x: float) -> float:
        """The value at a place; in front of the first one, that."""
        return self.y[max(bisect_right(self.x, x) - 1, 0)]

    @property
    def last(self) -> float:
        """The value that the run ends with."""
        return self.y[-1]

    def extremes(self, start: float, stop: float) -> tuple[float, float] | None:
        """The lowest and the highest value from `start` up to (not with) `stop`; None where the line has none there."""
        if stop <= self.x[0] or start >= self.end:
            return None
        first = max(bisect_right(self.x, start) - 1, 0)
        part = self.y[first : max(bisect_left(self.x, stop), first + 1)]
        return min(part), max(part)


@dataclass(frozen=True)
class Panel:
    """The lines of one hyper-parameter.

    Attributes:
        title: its name, as on the axis (``lr``).
        lines: one for each schedule, or group of parameters, that drives it.
    """

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Picture:
    """Panels above each other, over the whole run.

    Attributes:
        panels: from top to bottom.
        unit: what is counted from left to right: ``update`` or ``epoch``.
        end: where the run ends.
        title: of the whole; may be empty.
        epochs: pairs of an update and the epoch that begins there, between which it goes evenly; empty where the unit is the
            epoch, or where the two do not convert.
        bins: into how many equal parts the run was cut to thin lines out, each of which keeps its first, lowest, highest and
            last value; 0 where every value is there.
        notes: what is to be said beside it.
    """

    panels: tuple[Panel, ...]
    unit: str
    end: float
    title: str = ""
    epochs: tuple[tuple[float, float], ...] = ()
    bins: int = 0
    notes: tuple[str, ...] = field(default=())

    @property
    def labels(self) -> list[str]:
        """The labels of all lines by their styles, each once."""
        found = {line.style: line.label for panel in self.panels for line in panel.lines}
        return [found.get(style, "") for style in range(max(found, default=-1) + 1)]

    def epoch(self, x: float) -> float:
        """The epoch at an update."""
        return between(self.epochs, x)

    def update(self, epoch: float) -> float:
        """The update at which an epoch begins."""
        return between([(b, a) for a, b in self.epochs], epoch)


def between(knots: Sequence[tuple[float, float]], x: float) -> float:
    """The straight line through two knots at `x`; beyond the last knot, the last of these lines.

    >>> between([(0, 0), (10, 1), (40, 2)], 25)
    1.5
    """
    i = min(max(bisect_right(knots, (x, float("inf"))), 1), len(knots) - 1)
    (start, first), (stop, last) = knots[i - 1], knots[i]
    return first + (x - start) * (last - first) / (stop - start)
