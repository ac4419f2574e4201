"""``cosine_warm_restarts``: cosines, each from the base again."""

from __future__ import annotations

import math
from bisect import bisect_right
from functools import lru_cache
from typing import Any

from lr_configs.config import Landmarks, every, length, number, schedule
from lr_configs.floor import FloorConfig, between

_HALF_PI = math.pi / 2


@schedule("cosine_warm_restarts")
class CosineAnnealingWarmRestartsConfig(FloorConfig):
    """A cosine from `base` to `eta_min` over each period, with a restart at every period's end.

    Torch's `CosineAnnealingWarmRestarts` (SGDR, arXiv 1608.03983): period `i` lasts ``T_0 * T_mult**i`` steps; in each,
    ``rate = eta_min + (base - eta_min) (1 + cos(pi T_cur / T_i)) / 2`` with `T_cur` steps since the last restart. It goes on
    beyond the run.

    Attributes:
        T_0: first period, a length.
        T_mult: growth of each following period, an integer from 1.
        eta_min: lowest rate, per group; text like ``1%`` is a share of the group's own rate.

    >>> CosineAnnealingWarmRestartsConfig(T_0="10%", T_mult=2).T_mult
    2
    """

    T_0: Any = length("10%")
    T_mult: int = number(1, 1, integer=True)

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """The cosine of the period that `t` is in."""
        if p.T_mult == 1:
            f = _cosine(t % p.T_0, p.T_0, m)
        else:
            starts, lengths = periods(p.T_0, p.T_mult)
            i = bisect_right(starts, m.first(t))
            f = _cosine(t - starts[i - 1] if i else t, lengths[i], m)
        return between(f, p)

    @staticmethod
    def breaks(p: Any) -> list[float]:
        """The restarts, where the periods grow; equal ones need none."""
        return [] if p.T_mult == 1 else list(periods(p.T_0, p.T_mult)[0])

    @staticmethod
    def landmarks(p: Any) -> Landmarks:
        """The restarts, which are where a run had better end."""
        restarts = every(p.T_0) if p.T_mult == 1 else periods(p.T_0, p.T_mult)[0]
        return Landmarks(events=(("restart(s) at", restarts),), key="T_0", ends=restarts)


def _cosine(now: Any, n: int, m: Any) -> Any:
    return m.sin((n - now) * _HALF_PI / n) ** 2


@lru_cache(maxsize=64)
def periods(T_0: int, T_mult: int) -> tuple[list[int], list[int]]:
    """Where the restarts are (without step 0), and how long each period is, up to more steps than a run has.

    >>> periods(10, 2)[0][:3], periods(10, 2)[1][:3]
    ([10, 30, 70], [10, 20, 40])
    """
    starts, lengths = [T_0], [T_0, T_0 * T_mult]
    while starts[-1] < 1 << 60:
        starts.append(starts[-1] + lengths[-1])
        lengths.append(lengths[-1] * T_mult)
    return starts, lengths


def period(t: float, T_0: int, T_mult: int) -> tuple[float, int]:
    """``(steps since the last restart, length of this period)``.

    >>> period(121, 1, 3)
    (0, 243)
    """
    if T_mult == 1:
        return t % T_0, T_0
    starts, lengths = periods(T_0, T_mult)
    i = bisect_right(starts, t)
    return t - (starts[i - 1] if i else 0), lengths[i]
