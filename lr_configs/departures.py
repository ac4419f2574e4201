"""Where a rate is not what was planned: edits, which last, and what leaves the plan for good."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: relative difference between a rate that was written and the same one from an array
ROUNDING = 1e-9
#: below this share of the highest rate, only the difference itself is looked at
SMALL = 1e-6
#: updates, or epochs, in a row with an edit in each, as people make them
EDITS = 4


class Departures:
    """Compares what a group held with what was planned, update by update.

    An edit multiplies the rest of a schedule by one ratio, so it is where the ratio changes.

    Attributes:
        ratio: the last one; None where it is not known yet, and the first one counts.
        tolerance: relative difference that is none.
        first: the update at which the rate leaves the plan for good, or None; nothing is compared from there on.
        unit: what it changes with, from there on: ``update`` or ``epoch``.
    """

    def __init__(self) -> None:
        self.ratio: float | None = None
        self.tolerance = ROUNDING
        self.first: int | None = None
        self.unit = "update"
        self._highest = 0.0
        self._streaks = {"update": _Streak(), "epoch": _Streak()}

    def edits(
        self, x: NDArray[Any], epochs: Sequence[int], planned: NDArray[Any], actual: NDArray[Any]
    ) -> Iterator[tuple[int, str]]:
        """The updates at which the ratio changes, with a word about it.

        Args:
            x: the updates.
            epochs: in which they were made.
            planned: what was planned for each.
            actual: what the group held at each.
        """
        for i, before, after in self._changes(planned, actual) if self.first is None else ():
            at = int(x[i])
            for unit, place in (("update", at), ("epoch", epochs[i])):
                first = self._streaks[unit].take(place, at)
                if first is not None:
                    self.first, self.unit = first, unit
                    return
            yield at, f"edited by hand (x{after / before:.3g})" if before else "edited by hand"

    def _changes(self, planned: NDArray[Any], actual: NDArray[Any]) -> Iterator[tuple[int, float, float]]:
        """The indices at which the ratio changes, with the one before and the one after."""
        import numpy as np

        self._highest = max(self._highest, float(np.max(np.abs(planned), initial=0.0)))
        small = np.abs(planned) <= SMALL * self._highest
        ratios = np.full(len(planned), np.nan)
        np.divide(actual, planned, out=ratios, where=~small)
        known = np.maximum.accumulate(np.where(small, -1, np.arange(len(planned))))
        first = self.ratio if self.ratio is not None else (float(ratios[~small][0]) if (~small).any() else 1.0)
        ratios = np.where(known >= 0, ratios[known], first)
        before = np.concatenate([[first], ratios[:-1]])
        expected = planned * before
        allowed = self.tolerance * np.where(small, self._highest, np.abs(expected))
        self.ratio = float(ratios[-1])
        for i in np.flatnonzero(~(np.abs(actual - expected) <= allowed)).tolist():
            yield i, float(before[i]), float(ratios[i])


class _Streak:
    """Places in a row, each with the one after the last."""

    def __init__(self) -> None:
        self._last, self._length, self._first = -math.inf, 0, 0

    def take(self, place: float, x: int) -> int | None:
        """One more place; the update at which the row began, once it is longer than people make one."""
        if place == self._last:
            return None
        if place != self._last + 1:
            self._length, self._first = 0, x
        self._last, self._length = place, self._length + 1
        return self._first if self._length > EDITS else None
