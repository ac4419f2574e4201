"""``sequential``: schedules one after another."""

from __future__ import annotations

from typing import Any

from lr_configs.config import SchedulerConfig, schedule
from lr_configs.errors import SchedulerConfigError
from lr_configs.stages import StagesConfig, stages


@schedule("sequential")
class SequentialLRConfig(StagesConfig):
    """Stages one after another, each from its own step 0 and the optimizer's own rate.

    Torch's `SequentialLR`, nested ones as flat ones. Step 0 is the first stage's. A last stage with a length of its own holds its last
    value beyond it; one without goes on beyond the run as it does alone.

    Attributes:
        stages: a mapping of named stages (or a list); each is a schedule's `name` with its parameters and a
            `length`. One stage, anywhere, may leave its length out and takes what the others leave. A stage
            set to null is left out. Relative lengths inside a stage are shares of the stage.

    >>> SequentialLRConfig().stage_lengths()
    ['10%', None]
    """

    arrangement = "sequence"

    stages: Any = stages(
        {
            "warmup": {"name": "linear", "start_factor": 0.01, "total_iters": "100%", "length": "10%"},
            "decay": {"name": "cosine", "T_max": "100%", "eta_min": 0.0},
        }
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        names = [name for name, _ in self.children()]
        open_ends = [name for name, size in zip(names, self.stage_lengths(), strict=True) if size is None]
        if len(open_ends) > 1:
            first = open_ends[0]
            raise SchedulerConfigError(
                f"{first}.length",
                None,
                f"only one stage may leave its length out, and {', '.join(n.removeprefix('stages.') for n in open_ends)} do",
                f"Write {first}.length=10%, or take the stage out with {first}=null if it is left over from a default",
            )

    def check_stage(self, key: str, last: bool, size: Any, config: SchedulerConfig) -> None:
        """Behind a metric-driven stage nothing can follow: it has no end."""
        if not last and config.metric_driven:
            raise SchedulerConfigError(
                f"{key}.name", config.name, "a metric-driven schedule can only be the last stage", "Move it to the end"
            )
