"""``chained``: the product of schedules."""

from __future__ import annotations

from typing import Any

from lr_configs.config import SchedulerConfig, schedule
from lr_configs.errors import SchedulerConfigError
from lr_configs.stages import StagesConfig, stages


@schedule("chained")
class ChainedSchedulerConfig(StagesConfig):
    """``rate(t) = base * product of (stage(t) / base)``: torch's `ChainedScheduler`, of any schedules.

    At step 0 and beyond the run too, every factor is what its schedule has there.

    Attributes:
        stages: a mapping of named schedules (or a list), all from step 0; a stage set to null is left out.

    >>> [name for name, _ in ChainedSchedulerConfig().children()]
    ['stages.warmup', 'stages.decay']
    """

    arrangement = "product"

    stages: Any = stages(
        {
            "warmup": {"name": "linear", "start_factor": 0.01, "total_iters": "10%"},
            "decay": {"name": "cosine", "T_max": "100%", "eta_min": 0.0},
        },
        part="factor",
    )

    def check_stage(self, key: str, last: bool, size: Any, config: SchedulerConfig) -> None:
        """All factors last for the whole run."""
        if size is not None:
            raise SchedulerConfigError(
                f"{key}.length", size, "the schedules of a product all last for the whole run", "Leave length out"
            )
