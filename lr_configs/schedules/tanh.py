"""``tanh``: down along a hyperbolic tangent."""

from __future__ import annotations

from typing import Any

from lr_configs.config import Landmarks, length, number, schedule
from lr_configs.errors import SchedulerConfigError
from lr_configs.floor import FloorConfig, between


@schedule("tanh", torch_class="TanhLR")
class TanhLRConfig(FloorConfig):
    """``rate(t) = eta_min + (base - eta_min) (1 - tanh(lb (1 - p) + ub p)) / 2`` with ``p = t / total_steps``.

    timm's `TanhLRScheduler` with one cycle (Hsueh et al., arXiv 1806.01593). Step 0 has the formula's value, a little below
    `base` (a millionth, with ``lb = -7``). Near the end it is a little above `eta_min` (0.25% of the way, with ``ub = 3``),
    and at step `total_steps` it falls to `eta_min`, where it stays beyond.

    Attributes:
        total_steps: a length.
        lb: where on the tangent it begins.
        ub: where it ends, above `lb`.
        eta_min: lowest rate, per group; text like ``1%`` is a share of the group's own rate.

    >>> TanhLRConfig().lb, TanhLRConfig().ub
    (-7.0, 3.0)
    """

    natural_interval = "step"
    one_way = True
    search = {"lb": "interval(-8.0,-3.0)", "ub": "interval(2.0,5.0)"}

    total_steps: Any = length("100%")
    lb: float = number(-7.0)
    ub: float = number(3.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lb >= self.ub:
            raise SchedulerConfigError("lb", self.lb, f"it begins below ub={self.ub:g}", "Lower lb, or raise ub")

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """As a logistic function, which is exact where the tangent is near 1."""
        n = p.total_steps
        if m.first(t) >= n:
            return between(m.full_like(t, 0.0), p)
        return between(1.0 / (1.0 + m.exp(2.0 * (p.lb * ((n - t) / n) + p.ub * (t / n)))), p)

    @staticmethod
    def breaks(p: Any) -> list[float]:
        """The end."""
        return [p.total_steps]

    @staticmethod
    def landmarks(p: Any) -> Landmarks:
        """The end."""
        return Landmarks(
            events=(("lowest from", (p.total_steps,)),), key="total_steps", ends=(p.total_steps,), flat=True
        )
