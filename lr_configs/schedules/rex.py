"""``rex``: slowly first and fast in the end."""

from __future__ import annotations

from typing import Any

from lr_configs.config import Landmarks, length, number, schedule
from lr_configs.floor import FloorConfig, between


@schedule("rex", torch_class="REXLR")
class REXLRConfig(FloorConfig):
    """``rate(t) = eta_min + (base - eta_min) z / (1 - beta + beta z)`` with ``z = 1 - t / total_steps``.

    REX (Chen et al., arXiv 2107.04197): `base` at step 0, `eta_min` at step `total_steps` and beyond.

    Attributes:
        total_steps: a length.
        beta: 0 (a straight line) to below 1 (high until the end); the paper has 0.5, axolotl 0.9.
        eta_min: lowest rate, per group; text like ``1%`` is a share of the group's own rate.

    >>> REXLRConfig(total_steps=1000).beta
    0.5
    """

    natural_interval = "step"
    one_way = True
    search = {"beta": "interval(0.3,0.9)"}

    total_steps: Any = length("100%")
    beta: float = number(0.5, 0, below=1)

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """The fraction, between the base and the floor."""
        n = p.total_steps
        left = (n - m.minimum(t, n)) / n
        return between(left / (1.0 - p.beta + p.beta * left), p)

    @staticmethod
    def landmarks(p: Any) -> Landmarks:
        """The end."""
        return Landmarks(
            events=(("lowest from", (p.total_steps,)),), key="total_steps", ends=(p.total_steps,), flat=True
        )
