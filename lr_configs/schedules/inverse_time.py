"""``inverse_time``: divided by a growing number."""

from __future__ import annotations

from typing import Any

from lr_configs.config import flag, length, number, schedule
from lr_configs.floor import FloorConfig, between


@schedule("inverse_time")
class InverseTimeLRConfig(FloorConfig):
    """``rate(t) = eta_min + (base - eta_min) / (1 + gamma t / decay_period)``: `base` at step 0, half of it after ``decay_period / gamma``.

    Keras' and Paddle's `InverseTimeDecay`. It goes on beyond the run, towards `eta_min`.

    Attributes:
        gamma: how fast it falls, 0 or more.
        decay_period: what `gamma` is per, a length.
        staircase: fall at the end of each period only.
        eta_min: what it falls to, per group; text like ``1%`` is a share of the group's own rate.

    >>> InverseTimeLRConfig(gamma=0.5, decay_period="1ep").staircase
    False
    """

    natural_interval = "step"
    one_way = True
    search = {"gamma": "tag(log, interval(0.3,10.0))"}

    gamma: float = number(1.0, 0)
    decay_period: Any = length("10%")
    staircase: bool = flag(False)

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """The fraction, between the base and the floor."""
        periods = t // p.decay_period if p.staircase else t / p.decay_period
        return between(1.0 / (1.0 + p.gamma * periods), p)
