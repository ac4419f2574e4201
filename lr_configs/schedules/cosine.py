"""``cosine``: from the base to a floor along half a cosine, and back."""

from __future__ import annotations

import math
from typing import Any

from lr_configs.config import Landmarks, SchedulerConfig, every, length, per_group, schedule
from lr_configs.groups import check_floor, column, late_value

_HALF_PI = math.pi / 2


@schedule("cosine")
class CosineAnnealingLRConfig(SchedulerConfig):
    """``rate(t) = eta_min + (base - eta_min) (1 + cos(pi t / T_max)) / 2``: it oscillates past an explicit `T_max`.

    Torch's `CosineAnnealingLR` (Loshchilov and Hutter, arXiv 1608.03983, eq. 5, without restarts): `base` at step 0,
    `eta_min` at step `T_max`, `base` again at ``2 T_max``.

    Attributes:
        T_max: half period of the cosine, a length.
        eta_min: lowest rate, per group; text like ``1%`` is a share of the group's own rate.

    >>> CosineAnnealingLRConfig(T_max="90ep", eta_min="1%").eta_min
    '1%'
    """

    T_max: Any = length("100%")
    eta_min: Any = per_group(0.0, 0, share=True)

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """In the half-angle form, whose argument is exact near the lower end, where the other one cancels."""
        n = p.T_max
        f = m.sin((n - t % (2 * n)) * _HALF_PI / n) ** 2
        return (f, 1.0 - f) if p.eta_min else f

    @staticmethod
    def ends(p: Any) -> tuple[list[float], ...]:
        """The base and, where there is one, the floor."""
        return (p.base_lrs, column(p.eta_min, p.base_lrs)) if p.eta_min else (p.base_lrs,)

    @staticmethod
    def late_ends(p: Any, base: float) -> tuple[float, ...]:
        """The base and the floor of a group that joins later."""
        return (base, late_value(p.eta_min, p.base_lrs, base)) if p.eta_min else (base,)

    @staticmethod
    def landmarks(p: Any) -> Landmarks:
        """The turns: behind the first it climbs again."""
        return Landmarks(events=(("turn(s) at", every(p.T_max)),), key="T_max", ends=(p.T_max,), beyond="climbs again")

    def check_values(self, values: dict[str, Any], bases: list[float], key: str) -> dict[str, Any]:
        """A floor lies below the rate."""
        if self.param == "lr":
            check_floor(f"{key}eta_min", values["eta_min"], bases)
        return values
