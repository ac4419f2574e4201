"""``slanted_triangular``: up quickly and down slowly, once."""

from __future__ import annotations

from typing import Any

from lr_configs.config import Landmarks, length, number, schedule
from lr_configs.floor import ClampedConfig


@schedule("slanted_triangular")
class SlantedTriangularLRConfig(ClampedConfig):
    """Up in a straight line from ``base / ratio`` to `base` and down again: ``rate(t) = base (1 + q (ratio - 1)) / ratio``.

    ULMFiT's (Howard and Ruder, arXiv 1801.06146). ``base / ratio`` at step 0; the peak is at step ``cut = floor(cut_frac * total_steps)``; `q` is
    ``t / cut`` up to there, and then falls to 0 at step `total_steps`, so that the rate is ``base / ratio`` there and beyond.
    (The paper divides the way down by ``cut (1 / cut_frac - 1)``, which where `cut` is rounded ends too early and then below 0.)

    Attributes:
        total_steps: a length.
        cut_frac: share of the steps that go up, 0 to below 1.
        ratio: highest rate over lowest, 1 or more.
        eta_min: the rate is nowhere lower, per group; text like ``1%`` is a share of the group's own rate.

    >>> SlantedTriangularLRConfig(total_steps=1000).ratio
    32.0
    """

    natural_interval = "step"
    one_way = True
    search = {"cut_frac": "choice(0.05,0.1,0.2)", "ratio": "choice(10.0,32.0,100.0)"}

    total_steps: Any = length("100%")
    cut_frac: float = number(0.1, 0, below=1)
    ratio: float = number(32.0, 1)

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """The height above the lowest rate, and that."""
        n, cut = p.total_steps, _cut(p)
        q = t / cut if m.first(t) < cut else (n - m.minimum(t, n)) / (n - cut)
        return (1.0 + q * (p.ratio - 1.0)) / p.ratio

    @staticmethod
    def breaks(p: Any) -> list[float]:
        """The peak."""
        return [_cut(p)]

    @staticmethod
    def landmarks(p: Any) -> Landmarks:
        """The peak and the end."""
        events = ("top at", (_cut(p),)), ("lowest from", (p.total_steps,))
        return Landmarks(events=events, key="total_steps", ends=(p.total_steps,), flat=True)


def _cut(p: Any) -> int:
    return int(p.cut_frac * p.total_steps * (1 + 1e-15))  # 0.29 of 100 is 29
