"""Axes: where a value lies between the ends, and at which round numbers there are ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from lr_configs.preview.picture import Panel, Picture

#: decades that a logarithmic axis shows at most: what is lower lies on its edge
DECADES = 6
#: an axis begins at 0 unless the lowest value is a larger share than this of the highest
FROM_ZERO = 0.4
#: what is smaller counts as 0, and values that differ by a smaller share than `SAME` as one: between them is no round number
SMALLEST, SAME = 1e-300, 1e-9


@dataclass(frozen=True)
class Scale:
    """An axis.

    Attributes:
        low: value at its beginning.
        high: value at its end.
        log: whether it is logarithmic.

    >>> Scale(0.0, 0.1).share(0.05), Scale(1e-4, 1.0, log=True).share(1e-2)
    (0.5, 0.5)
    """

    low: float
    high: float
    log: bool = False

    def share(self, value: float) -> float:
        """Where a value lies, from 0 to 1; what is beyond an end lies at it."""
        if self.log:
            if value <= self.low:
                return 0.0
            return min(math.log(value / self.low) / math.log(self.high / self.low), 1.0)
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)

    def ticks(self, count: int) -> list[float]:
        """Round numbers along the axis, about so many."""
        return _decades(self.low, self.high, count) if self.log else round_numbers(self.low, self.high, count)

    @cached_property
    def ends(self) -> tuple[float, float]:
        """Both ends."""
        return self.low, self.high


def of_panel(panel: Panel, log: bool = False) -> Scale:
    """The axis of a panel's values."""
    return around((value for line in panel.lines for value in line.y), log)


def around(values: Iterable[float], log: bool = False) -> Scale:
    """The axis on which these values lie, from round number to round number.

    >>> around([0.0, 0.093]), around([0.85, 0.95])
    (Scale(low=0.0, high=0.1, log=False), Scale(low=0.84, high=0.96, log=False))
    >>> around([1e-9, 0.1], log=True)
    Scale(low=1e-07, high=0.1, log=True)
    """
    values = [value if abs(value) >= SMALLEST else 0.0 for value in values]
    low, high = min(values), max(values)
    if log and high > 0:
        return _logarithmic([value for value in values if value > 0], high)
    if low >= 0 and low <= FROM_ZERO * high:
        low = 0.0
    if high - low <= SAME * abs(high):
        low, high = (0.0, high * 1.25) if high > 0 else (0.0, 1.0)
    step = _step((high - low) / 5)
    return Scale(_times(math.floor(low / step + 1e-9), step), _times(math.ceil(high / step - 1e-9), step))


def _logarithmic(values: Sequence[float], high: float) -> Scale:
    top = 10.0 ** math.ceil(math.log10(high) - 1e-9)
    top = next((top * share for share in (0.2, 0.5) if top * share >= high * (1 - 1e-9)), top)
    low = max(min(values), top * 10.0**-DECADES)
    bottom = 10.0 ** math.floor(math.log10(low) + 1e-9)
    bottom = next((bottom * times for times in (5, 2) if bottom * times <= low * (1 + 1e-9)), bottom)
    return Scale(float(f"{bottom if bottom < top else top / 10:.12g}"), float(f"{top:.12g}"), log=True)


def _times(count: float, step: float) -> float:
    """A multiple, without what a float adds to it."""
    return float(f"{count * step:.12g}")


def _step(least: float) -> float:
    """The smallest round number from `least` on: 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(least))
    return next((power * times for times in (1, 2, 5) if power * times >= least * (1 - 1e-9)), power * 10)


def round_numbers(low: float, high: float, count: int) -> list[float]:
    """Round numbers from `low` to `high`, at most `count` and two at least where there are two.

    >>> round_numbers(0, 35190, 5), round_numbers(0.0, 0.1, 3)
    ([0.0, 10000.0, 20000.0, 30000.0], [0.0, 0.05, 0.1])
    """
    step = _step((high - low) / max(count, 1))
    while (found := _multiples(low, high, step)) and len(found) > max(count, 2):
        step = _step(step * 1.5)
    return found


def _multiples(low: float, high: float, step: float) -> list[float]:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [_times(i, step) for i in range(first, last + 1)]


def _decades(low: float, high: float, count: int) -> list[float]:
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    every = max(1, math.ceil((last - first + 1) / max(count, 2)))
    found = [float(f"1e{power}") for power in range(first, last + 1)][::-1][::every][::-1]
    return found if len(found) > 1 else [low, high]


def number(value: float) -> str:
    """A number as it stands on an axis and at the end of a line.

    >>> number(0.1), number(0.0), number(1e-5), number(0.04217), number(35190), number(2e6)
    ('0.1', '0', '1.0e-05', '0.0422', '35190', '2.0e+06')
    """
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e6:
        text = f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
        return text.removesuffix(".0")
    return f"{value:.1e}"


def count(value: float) -> str:
    """A number of updates or epochs.

    >>> count(20000.0), count(1500000), count(2.5), count(1234567)
    ('20000', '1.5M', '2.5', '1234567')
    """
    if value >= 1e6 and value % 1e5 == 0:
        return f"{value / 1e6:g}M"
    return str(int(value)) if value == int(value) else f"{value:g}"


def epoch_ticks(picture: Picture, count_: int) -> list[tuple[float, float]]:
    """Round numbers of epochs, each with its update."""
    if not picture.epochs:
        return []
    last = picture.epoch(picture.end)
    limit = count_ if last < 2 else min(count_, int(last) + 1)
    found = [one for one in round_numbers(0, last, limit) if one == int(one) or last < 2]
    return [(picture.update(one), one) for one in found]
