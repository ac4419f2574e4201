"""``cosine``: from the base to a floor along half a cosine, and back."""

from __future__ import annotations

import math
from typing import Any

from lr_configs.config import Landmarks, every, length, number, schedule
from lr_configs.floor import FloorConfig, between

_HALF_PI = math.pi / 2


@schedule("cosine")
class CosineAnnealingLRConfig(FloorConfig):
    """``rate(t) = eta_min + (base - eta_min) (1 + cos(pi t / T_max)) / 2``: it oscillates past an explicit `T_max`.

    Torch's `CosineAnnealingLR` (Loshchilov and Hutter, arXiv 1608.03983, eq. 5, without restarts): `base` at step 0,
    `eta_min` at step `T_max`, `base` again at ``2 T_max``, and so on beyond the run. The three keys that torch has not make of the cosine
    ``((1 + cos(2 pi cycles x ** k)) / 2) ** power`` with ``x = t / T_max``; with `k`, `x` goes back from 1 to 0 between `T_max`
    and ``2 T_max``.

    Attributes:
        T_max: half period of the cosine, a length.
        power: exponent of the cosine's height, above 0: optax' `exponent`. Not in torch.
        cycles: waves within `T_max`, above 0: transformers' `num_cycles`. Not in torch.
        k: exponent of ``t / T_max``, above 0: k-decay (Zhang and Li, arXiv 2004.05909), timm's `k_decay`. Not in torch.
        eta_min: lowest rate, per group; text like ``1%`` is a share of the group's own rate.

    >>> CosineAnnealingLRConfig(T_max="90ep", eta_min="1%").eta_min
    '1%'
    """

    beyond_torch = ("power", "cycles", "k")
    search = {"eta_min": "choice(0.0,1%,10%)"}

    T_max: Any = length("100%")
    power: float = number(1.0, above=0)
    cycles: float = number(0.5, above=0)
    k: float = number(1.0, above=0)

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """In the half-angle form, whose argument is exact near the lower end, where the other one cancels."""
        n = p.T_max
        f = _altered(p, t, m) if p.altered else m.sin2((n - t % (2 * n)) * _HALF_PI / n)
        return between(f, p)

    @classmethod
    def goes_one_way(cls, p: Any) -> bool:
        """Between two turns, where these are known."""
        return bool(p.cycles == 0.5)

    @staticmethod
    def landmarks(p: Any) -> Landmarks:
        """The turns: behind the first it climbs again."""
        turns = every(p.T_max) if p.cycles == 0.5 else ()  # with more waves they need not be at whole steps
        return Landmarks(events=(("turn(s) at", turns),), key="T_max", ends=(p.T_max,), beyond="climbs again")


def _altered(p: Any, t: Any, m: Any) -> Any:
    """The cosine with the keys that torch has not; what is left of the way is taken where it does not cancel."""
    n = p.T_max
    if p.k == 1:
        left, gone = n - t, t
    else:
        there = t % (2 * n)
        now = m.where(there <= n, there, 2 * n - there)
        left = -n * m.expm1(p.k * m.log1p((now - n) / n))
        gone = n - left
    waves = 2 * p.cycles
    if waves % 2 == 1:  # it ends at the floor
        f = m.sin2(((waves * left + n) % (2 * n) - n) * _HALF_PI / n)
    else:
        # In two parts, of which the first one is exact: near an inner turn nearly all of the product cancels.
        split = 134217729.0 * waves
        whole = split - (split - waves)
        f = m.sin2((n - whole * gone % (2 * n) - (waves - whole) * gone) * _HALF_PI / n)
    return f if p.power == 1 else f**p.power
