"""``inverse_sqrt``: down with the square root of the step."""

from __future__ import annotations

from typing import Any

from lr_configs.config import length, schedule
from lr_configs.floor import FloorConfig, between


@schedule("inverse_sqrt")
class InverseSqrtLRConfig(FloorConfig):
    """``rate(t) = eta_min + (base - eta_min) sqrt(timescale / (timescale + t))``: `base` at step 0, half of it at ``3 timescale``.

    What transformers' `get_inverse_sqrt_schedule` makes of its `timescale` behind its warmup (Zhai et al., arXiv
    2106.04560); with a timescale as long as the warmup, fairseq's `inverse_sqrt` and the tail of ``noam``. It goes on beyond
    the run, towards `eta_min`.

    Attributes:
        timescale: how slowly it falls, a length; transformers' default is the warmup's, or 10000.
        eta_min: what it falls to, per group; text like ``1%`` is a share of the group's own rate.

    >>> InverseSqrtLRConfig(timescale="1000st").interval
    'auto'
    """

    natural_interval = "step"
    one_way = True
    search = {"timescale": "choice(1%,3%,10%)"}

    timescale: Any = length("10%")

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """The root, between the base and the floor."""
        n = p.timescale
        return between(m.sqrt(n / (n + t)), p)
