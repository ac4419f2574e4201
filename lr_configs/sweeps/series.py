"""A long series of values in bounded memory, with no extreme lost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

#: an x and its value
Point = tuple[float, float]


class Series:
    """Values over a rising `x`, thinned: of each stretch, the least, the greatest and the first that is no number are kept.

    Whenever there are too many stretches, neighbours are joined.

    Args:
        stretches: how many there are at most.

    Attributes:
        first: the first point, or None.
        last: the last point, or None.

    >>> series = Series(stretches=4)
    >>> for x in range(1000):
    ...     series.add(x, 5.0 if x == 321 else 0.001 * x)
    >>> series.greatest, series.last
    ((321, 5.0), (999, 0.999))
    >>> len(series.points()) <= 2 * 4 + 2, (321, 5.0) in series.points()
    (True, True)
    """

    def __init__(self, stretches: int = 127) -> None:
        self.stretches = stretches
        self.first: Point | None = None
        self.last: Point | None = None
        self._closed: list[list[Point]] = []  # what is kept of each stretch
        self._width = 1  # values in a stretch
        self._filled = 0  # values in the open one
        self._low: Point | None = None  # of the open one
        self._high: Point | None = None
        self._broken: Point | None = None

    def add(self, x: float, y: float) -> None:
        """Take a value; a second one at the same `x` is one more point there."""
        point = self.last = (x, y)
        if self._filled == self._width:
            self._close()
        self._filled += 1
        if not math.isfinite(y):
            self._broken = self._broken or point
        elif self._low is None or self._high is None:
            self._low = self._high = point
        elif y < self._low[1]:
            self._low = point
        elif y > self._high[1]:
            self._high = point
        if self.first is None:
            self.first = point

    def _open(self) -> list[Point]:
        return _ordered(self._low, self._high, self._broken)

    def _close(self) -> None:
        self._closed.append(self._open())
        self._filled, self._low, self._high, self._broken = 0, None, None, None
        if len(self._closed) >= self.stretches:
            pairs = (self._closed[i : i + 2] for i in range(0, len(self._closed), 2))
            self._closed = [_kept([point for stretch in pair for point in stretch]) for pair in pairs]
            self._width *= 2

    def _all(self) -> list[Point]:
        return [*(point for stretch in self._closed for point in stretch), *self._open()]

    @property
    def least(self) -> Point | None:
        """The first of the smallest points, exact; None where no value is a number."""
        return min(_numbers(self._all()), key=_value, default=None)

    @property
    def greatest(self) -> Point | None:
        """The first of the largest points, exact; None where no value is a number."""
        return max(_numbers(self._all()), key=_value, default=None)

    def points(self) -> list[Point]:
        """At most two points a stretch (three with one that is no number), the first and the last; flat runs have two."""
        found = self._all()
        if not found or self.first is None or self.last is None:
            return []
        if found[0] != self.first:
            found.insert(0, self.first)
        if found[-1] != self.last:
            found.append(self.last)
        inner = zip(found, found[1:], found[2:], strict=False)
        return [found[0], *(b for a, b, c in inner if not a[1] == b[1] == c[1]), *found[1:][-1:]]

    def extend(self, points: Iterable[Any], before: float) -> None:
        """Take the points of an earlier part, as far as they lie before an `x`."""
        for x, y in points:
            if x < before:
                self.add(x, y)


def _kept(points: Sequence[Point]) -> list[Point]:
    """The least, the greatest and the first that is no number."""
    numbers = _numbers(points)
    broken = next((point for point in points if not math.isfinite(point[1])), None)
    return _ordered(min(numbers, key=_value, default=None), max(numbers, key=_value, default=None), broken)


def _numbers(points: Sequence[Point]) -> list[Point]:
    return [point for point in points if math.isfinite(point[1])]


def _ordered(*points: Point | None) -> list[Point]:
    return sorted({point for point in points if point is not None}, key=_place)


def _value(point: Point) -> float:
    return point[1]


def _place(point: Point) -> float:
    return point[0]
