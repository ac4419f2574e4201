"""The run of a loop under Lightning Fabric. Nothing of Fabric is imported here."""

from __future__ import annotations

from typing import Any

from lr_configs.horizon import Horizon
from lr_configs.run import PlainRun


class FabricRun(PlainRun):
    """A run of several processes: one of them prints, and all follow the same metric.

    Args:
        fabric: a launched ``Fabric``.
        horizon: the run's size, in the updates that every process makes. None: no known end.
    """

    def __init__(self, fabric: Any, horizon: Horizon | None = None) -> None:
        super().__init__(horizon, say=fabric.print)
        self.fabric, self.processes = fabric, int(fabric.world_size)

    def mean(self, value: float) -> float:
        """The mean over the processes."""
        import torch

        return float(self.fabric.all_reduce(torch.tensor(value, dtype=torch.float64), reduce_op="mean"))
