"""``cosine_warm_restarts``: cosines, each from the base again."""

from __future__ import annotations

import math
from bisect import bisect_right
from functools import lru_cache
from typing import Any, Optional

from lr_configs.config import Landmarks, every, length, number, schedule
from lr_configs.errors import SchedulerConfigError
from lr_configs.floor import FloorConfig, between

_HALF_PI = math.pi / 2


@schedule("cosine_warm_restarts")
class CosineAnnealingWarmRestartsConfig(FloorConfig):
    """A cosine from `base` to `eta_min` over each period, with a restart at every period's end.

    Torch's `CosineAnnealingWarmRestarts` (SGDR, arXiv 1608.03983): period `i` lasts ``T_0 * T_mult**i`` steps; in each,
    ``rate = eta_min + (base - eta_min) (1 + cos(pi T_cur / T_i)) / 2`` with `T_cur` steps since the last restart: `base`
    at step 0 and at every restart, nearly `eta_min` at the step before the next one. It goes on beyond the run.

    Attributes:
        T_0: first period, a length.
        T_mult: growth of each following period, 1, or 1.001 and more; torch takes integers only.
        restart_decay: height of each following restart over the one before, 0 to 1, as timm's `cycle_decay`: the base of
            period `i` is ``base * restart_decay**i``. Not in torch.
        cycles: number of periods after which the rate stays at `eta_min`; null is no end. Not in torch.
        eta_min: lowest rate, per group; text like ``1%`` is a share of the group's own rate.

    >>> CosineAnnealingWarmRestartsConfig(T_0="10%", T_mult=2).T_mult
    2
    """

    one_way = True
    search = {"T_0": "choice(10%,20%,50%)", "T_mult": "choice(1,2)", "eta_min": "choice(0.0,1%,10%)"}

    T_0: Any = length("10%")
    beyond_torch = ("restart_decay", "cycles")

    T_mult: Any = number(1, 1)
    restart_decay: float = number(1.0, 0, 1)
    cycles: Optional[int] = number(None, 1, integer=True, optional=True)  # noqa: UP045

    def __post_init__(self) -> None:
        super().__post_init__()
        self.T_mult = int(self.T_mult) if self.T_mult == int(self.T_mult) else self.T_mult
        if 1 < self.T_mult < 1.001:
            raise SchedulerConfigError(
                "T_mult", self.T_mult, "a growth is 1, or 1.001 and more", "Write T_mult=1, or a larger growth"
            )

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """The cosine of the period that `t` is in."""
        if p.altered:
            return _altered(p, t, m)
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
        if p.T_mult == 1:
            return [] if p.cycles is None else [p.cycles * p.T_0]
        return list(periods(p.T_0, p.T_mult)[0])

    @staticmethod
    def landmarks(p: Any) -> Landmarks:
        """The restarts, which are where a run had better end."""
        restarts = every(p.T_0) if p.T_mult == 1 else [math.ceil(one) for one in periods(p.T_0, p.T_mult)[0]]
        if p.cycles is None:
            return Landmarks(events=(("restart(s) at", restarts),), key="T_0", ends=restarts)
        events = ("restart(s) at", restarts[: p.cycles - 1]), ("lowest from", restarts[p.cycles - 1 : p.cycles])
        return Landmarks(events=events, key="T_0", ends=restarts[: p.cycles], flat=True)


def _altered(p: Any, t: Any, m: Any) -> Any:
    """With restarts that get lower, or an end."""
    if p.cycles is not None and m.first(t) >= _end(p):
        return between(m.full_like(t, 0.0), p)
    if p.T_mult == 1:
        f, height = _cosine(t % p.T_0, p.T_0, m), m.power(p.restart_decay, t // p.T_0)
    else:
        starts, lengths = periods(p.T_0, p.T_mult)
        i = bisect_right(starts, m.first(t))
        f, height = _cosine(t - starts[i - 1] if i else t, lengths[i], m), p.restart_decay**i
    return (height * f, 1.0 - f) if p.eta_min else height * f


def _end(p: Any) -> float:
    if p.T_mult == 1:
        return float(p.cycles * p.T_0)
    starts: list[float] = periods(p.T_0, p.T_mult)[0]
    last = min(int(p.cycles), len(starts)) - 1
    return starts[last]


def _cosine(now: Any, n: float, m: Any) -> Any:
    return m.sin2((n - now) * _HALF_PI / n)


@lru_cache(maxsize=64)
def periods(T_0: int, T_mult: float) -> tuple[list[float], list[float]]:
    """Where the restarts are (without step 0), and how long each period is, up to more steps than a run has.

    >>> periods(10, 2)[0][:3], periods(10, 2)[1][:3]
    ([10, 30, 70], [10, 20, 40])
    """
    starts: list[float] = [T_0]
    lengths: list[float] = [T_0, T_0 * T_mult]
    while starts[-1] < 1 << 60:
        starts.append(starts[-1] + lengths[-1])
        lengths.append(lengths[-1] * T_mult)
    return starts, lengths


def period(t: float, T_0: int, T_mult: float) -> tuple[float, float]:
    """``(steps since the last restart, length of this period)``.

    >>> period(121, 1, 3)
    (0, 243)
    """
    if T_mult == 1:
        return t % T_0, T_0
    starts, lengths = periods(T_0, T_mult)
    i = bisect_right(starts, t)
    return t - (starts[i - 1] if i else 0), lengths[i]
