"""``none``: the optimizer's own rate."""

from __future__ import annotations

from typing import Any

from lr_configs.config import SchedulerConfig, schedule


@schedule("none", torch_class="IdentityLR")
class NoneConfig(SchedulerConfig):
    """The optimizer's own rate, constant: ``rate(t) = base`` at every step, and beyond the run.

    >>> NoneConfig(warmup="10%").warmup
    '10%'
    """

    one_way = True

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """1 at every step."""
        return 1.0
