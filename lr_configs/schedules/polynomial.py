"""``polynomial``: down to 0 along a power of what is left."""

from __future__ import annotations

from typing import Any

from lr_configs.config import Landmarks, length, number, schedule
from lr_configs.floor import FloorConfig, between


@schedule("polynomial")
class PolynomialLRConfig(FloorConfig):
    """``rate(t) = base * (1 - t / total_iters) ** power``, and 0 from step `total_iters` on: torch's `PolynomialLR`.

    `base` at step 0, 0 at step `total_iters` and beyond.
    With a floor, ``rate(t) = eta_min + (base - eta_min) (1 - t / total_iters) ** power``, as transformers' and timm's.

    Attributes:
        total_iters: a length.
        power: 0 or more.
        eta_min: lowest rate, per group; text like ``1%`` is a share of the group's own rate. Not in torch.

    >>> PolynomialLRConfig(total_iters="100%", power=2).power
    2
    """

    one_way = True

    beyond_torch = ("eta_min",)
    search = {"power": "choice(1.0,2.0,3.0)", "total_iters": "choice(100%)"}

    total_iters: Any = length(5)
    power: float = number(1.0, 0)

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """What is left, to the power."""
        n = p.total_iters
        if n <= 0:
            return between(m.full_like(t, 1.0), p)
        left = (n - m.minimum(t, n)) / n
        # A fractional power of a whole array is slow, and most schedules are straight lines.
        return between(left if p.power == 1 else left**p.power, p)

    @staticmethod
    def landmarks(p: Any) -> Landmarks:
        """The end of the way down."""
        if p.power == 0:
            return Landmarks()
        word = "lowest from" if p.eta_min else "0 from"
        return Landmarks(events=((word, (p.total_iters,)),), key="total_iters", ends=(p.total_iters,), flat=True)
