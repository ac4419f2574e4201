"""``noam``: up in a straight line, and down with the square root of the step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lr_configs.config import Landmarks, length, number, schedule
from lr_configs.floor import FloorConfig
from lr_configs.groups import check_floor


@schedule("noam", torch_class="NoamLR")
class NoamLRConfig(FloorConfig):
    """``rate(t) = base * d_model ** -0.5 * min(s ** -0.5, s * warmup_steps ** -1.5)`` with ``s = max(t, 1)``.

    The Transformer's (Vaswani et al., arXiv 1706.03762, eq. 3); the paper's own rates need ``lr=1`` in the optimizer, which
    is a factor here. Steps 0 and 1 have the first rate; the peak ``base / sqrt(d_model * warmup_steps)`` is at step
    `warmup_steps`. It goes on beyond the run, towards `eta_min`: behind the peak ``eta_min + (peak - eta_min) sqrt(warmup_steps / t)``.

    Attributes:
        d_model: width of the model, 1 or more.
        warmup_steps: length of the rise, which is part of this schedule; `warmup` would come in front of it.
        eta_min: what it falls to, at most the peak, per group; text like ``0.01%`` is a share of the group's own rate.

    >>> NoamLRConfig(warmup_steps=4000).d_model
    512
    """

    natural_interval = "step"
    one_way = True
    search = {"warmup_steps": "choice(2%,5%,10%)"}

    d_model: int = number(512, 1, integer=True)
    warmup_steps: Any = length("10%")

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """A share of the base up to the peak, then one of the floor as well."""
        n = p.warmup_steps
        peak = (p.d_model * n) ** -0.5
        if m.first(t) < n:
            rise = peak * (m.larger(t, 1.0) / n)
            return (rise, 0.0 * rise) if p.eta_min else rise
        f = m.sqrt(n / t)
        return (peak * f, 1.0 - f) if p.eta_min else peak * f

    @staticmethod
    def breaks(p: Any) -> list[float]:
        """The peak."""
        return [p.warmup_steps]

    @staticmethod
    def landmarks(p: Any) -> Landmarks:
        """The peak."""
        return Landmarks(events=(("top at", (p.warmup_steps,)),), key="warmup_steps", expected=(p.warmup_steps,))

    def check_bound(self, p: Mapping[str, Any], bases: list[float], key: str) -> None:
        """A floor lies below the peak."""
        check_floor(f"{key}eta_min", p["eta_min"], bases, (p["d_model"] * p["warmup_steps"]) ** -0.5)
