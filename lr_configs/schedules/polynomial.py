"""``polynomial``: down to 0 along a power of what is left."""

from __future__ import annotations

from typing import Any

from lr_configs.config import Landmarks, SchedulerConfig, length, number, schedule


@schedule("polynomial")
class PolynomialLRConfig(SchedulerConfig):
    """``rate(t) = base * (1 - t / total_iters) ** power``, and 0 from step `total_iters` on: torch's `PolynomialLR`.

    Attributes:
        total_iters: a length.
        power: 0 or more.

    >>> PolynomialLRConfig(total_iters="100%", power=2).power
    2
    """

    total_iters: Any = length(5)
    power: float = number(1.0, 0)

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """What is left, to the power."""
        n = p.total_iters
        if n <= 0:
            return m.where(t >= 0, 1.0, 1.0)
        left = (n - m.minimum(t, n)) / n
        # A fractional power of a whole array is slow, and most schedules are straight lines.
        return left if p.power == 1 else left**p.power

    @staticmethod
    def landmarks(p: Any) -> Landmarks:
        """The end of the way down."""
        if p.power == 0:
            return Landmarks()
        return Landmarks(events=(("0 from", (p.total_iters,)),), key="total_iters", ends=(p.total_iters,), flat=True)
