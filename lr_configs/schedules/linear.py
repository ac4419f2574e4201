"""``linear``: a straight line between two factors."""

from __future__ import annotations

from typing import Any

from lr_configs.config import Landmarks, length, number, schedule
from lr_configs.errors import SchedulerConfigError
from lr_configs.floor import ClampedConfig


@schedule("linear")
class LinearLRConfig(ClampedConfig):
    """From ``base * start_factor`` in a straight line to ``base * end_factor`` at step `total_iters`, then flat.

    Torch's `LinearLR`. ``f(t) = start (n - k) / n + end k / n`` with ``n = total_iters``, ``k = min(t, n)``: ``base * start_factor`` at step
    0, ``base * end_factor`` at step `total_iters` and beyond.

    Attributes:
        start_factor: above 0; at most 1 where it is the rate that is driven.
        end_factor: 0 or more; at most 1 where it is the rate that is driven.
        total_iters: a length.
        eta_min: the rate is nowhere lower, per group; text like ``1%`` is a share of the group's own rate. Not in torch.

    >>> LinearLRConfig(start_factor=0.1, total_iters="10%").end_factor
    1.0
    """

    beyond_torch = ("eta_min",)
    one_way = True
    search = {"start_factor": "choice(1.0)", "end_factor": "choice(0.0,0.01,0.1)", "total_iters": "choice(100%)"}

    start_factor: float = number(1.0 / 3, above=0)
    end_factor: float = number(1.0, 0)
    total_iters: Any = length(5)

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("start_factor", "end_factor"):
            if self.param == "lr" and getattr(self, key) > 1:
                raise SchedulerConfigError(
                    key, getattr(self, key), "this must be a number at most 1: a factor of the optimizer's rate",
                    "Raise the optimizer's rate instead, or name another param",
                )  # fmt: skip

    def peak(self) -> float:
        """The higher one of the two factors."""
        return max(self.start_factor, self.end_factor)

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """The factor at `t`."""
        n = p.total_iters
        if n <= 0:  # torch stays at the start then
            return p.start_factor
        k = m.minimum(t, n)
        return p.start_factor * ((n - k) / n) + p.end_factor * (k / n)

    @staticmethod
    def landmarks(p: Any) -> Landmarks:
        """The end of the line."""
        if p.start_factor == p.end_factor:
            return Landmarks()
        return Landmarks(events=(("flat from", (p.total_iters,)),), key="total_iters", ends=(p.total_iters,), flat=True)
