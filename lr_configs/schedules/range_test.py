"""``range_test``: up from a very small rate, to find the one that is right."""

from __future__ import annotations

from typing import Any

from lr_configs.config import Landmarks, choice, length, per_group, schedule
from lr_configs.floor import FloorConfig, between, powers, shares


@schedule("range_test")
class RangeTestLRConfig(FloorConfig):
    """Up from `eta_min` to the optimizer's own rate: ``rate(t) = base (eta_min / base) ** (1 - t / total_steps)``.

    A run that finds a rate (Smith, arXiv 1506.01186, section 3.3): give the optimizer the highest one to try, and look where
    the loss falls fastest. `eta_min` at step 0; `base` at step `total_steps` and beyond.

    Attributes:
        total_steps: a length.
        shape: ``exponential``, or ``linear``: ``eta_min + (base - eta_min) t / total_steps``.
        eta_min: the first rate, above 0, per group; text like ``1%`` is a share of the group's own rate.

    >>> RangeTestLRConfig(eta_min=1e-7).shape
    'exponential'
    """

    natural_interval = "step"
    one_way = True

    total_steps: Any = length("100%")
    shape: str = choice("exponential", "exponential", "linear")
    eta_min: Any = per_group("0.001%", above=0, share=True)

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """A power of the lowest share, or the place between both rates."""
        n = p.total_steps
        t = m.minimum(t, n)
        return between(t / n, p) if p.shape == "linear" else powers(p.lowest, (n - t) / n, m)

    @staticmethod
    def landmarks(p: Any) -> Landmarks:
        """The end."""
        return Landmarks(events=(("flat from", (p.total_steps,)),), key="total_steps", ends=(p.total_steps,), flat=True)

    @staticmethod
    def lowest(p: Any) -> Any:
        """The first rate, as shares of the groups' own rates."""
        return shares(p) if p.shape == "exponential" else None

    @staticmethod
    def ends(p: Any) -> tuple[list[float], ...]:
        """Both rates, for the straight line."""
        return FloorConfig.ends(p) if p.shape == "linear" else (p.base_lrs,)

    @staticmethod
    def late_ends(p: Any, base: float) -> tuple[float, ...]:
        """Both rates, for the straight line."""
        return FloorConfig.late_ends(p, base) if p.shape == "linear" else (base,)
