"""``power``: down with a power of the step."""

from __future__ import annotations

from typing import Any

from lr_configs.config import length, number, schedule
from lr_configs.floor import FloorConfig, between


@schedule("power", torch_class="PowerLR")
class PowerLRConfig(FloorConfig):
    """``rate(t) = eta_min + (base - eta_min) (1 + t / timescale) ** exponent``: `base` at step 0.

    The power scheduler (Shen et al., arXiv 2408.13359), as OLMo's `PowerLR` has it where the timescale is as long as the
    warmup. It goes on beyond the run, towards `eta_min`.

    Attributes:
        timescale: how slowly it falls, a length.
        exponent: 0 or less; the paper's is -0.51.
        eta_min: what it falls to, per group; text like ``1%`` is a share of the group's own rate.

    >>> PowerLRConfig(warmup="2000st", timescale="2000st").exponent
    -0.51
    """

    natural_interval = "step"
    one_way = True
    search = {"timescale": "choice(3%,10%,30%)", "exponent": "interval(-1.0,-0.3)"}

    timescale: Any = length("10%")
    exponent: float = number(-0.51, high=0)

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """The power, between the base and the floor."""
        n = p.timescale
        return between(((n + t) / n) ** p.exponent, p)
