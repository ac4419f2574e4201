"""``cosine``: from the base to a floor along half a cosine, and back."""

from __future__ import annotations

import math
from typing import Any

from lr_configs.config import Landmarks, every, length, schedule
from lr_configs.floor import FloorConfig, between

_HALF_PI = math.pi / 2


@schedule("cosine")
class CosineAnnealingLRConfig(FloorConfig):
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

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """In the half-angle form, whose argument is exact near the lower end, where the other one cancels."""
        n = p.T_max
        f = m.sin((n - t % (2 * n)) * _HALF_PI / n) ** 2
        return between(f, p)

    @staticmethod
    def landmarks(p: Any) -> Landmarks:
        """The turns: behind the first it climbs again."""
        return Landmarks(events=(("turn(s) at", every(p.T_max)),), key="T_max", ends=(p.T_max,), beyond="climbs again")
