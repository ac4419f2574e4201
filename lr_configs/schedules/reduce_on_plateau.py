"""``reduce_on_plateau``: less where a metric stops to improve."""

from __future__ import annotations

from typing import Any

from lr_configs.config import SchedulerConfig, choice, number, per_group, schedule


@schedule("reduce_on_plateau")
class ReduceLROnPlateauConfig(SchedulerConfig):
    """Multiply the rate by `factor` after `patience` values of `monitor` without improvement.

    Torch's `ReduceLROnPlateau`: it is driven by a metric and has no curve; behind a warmup it stays at the base until a
    metric reduces it. Values that come during the warmup do not count.

    Attributes:
        mode: ``min`` or ``max``, which way `monitor` improves.
        factor: 0 up to below 1.
        patience: values without improvement that are tolerated.
        threshold: improvement that counts.
        threshold_mode: ``rel`` or ``abs``.
        cooldown: values to wait after a reduction.
        min_lr: lowest rate, per group; text like ``1%`` is a share of the group's own rate.
        eps: smallest change that is made.

    >>> ReduceLROnPlateauConfig(monitor="val_loss").patience
    10
    """

    one_way = True
    search = {"factor": "choice(0.1,0.3,0.5)", "patience": "choice(2,5,10)"}

    mode: str = choice("min", "min", "max")
    factor: float = number(0.1, 0, below=1)
    patience: int = number(10, 0, integer=True)
    threshold: float = number(1e-4, 0)
    threshold_mode: str = choice("rel", "rel", "abs")
    cooldown: int = number(0, 0, integer=True)
    min_lr: Any = per_group(0.0, 0, share=True)
    eps: float = number(1e-8, 0)

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """1: what the metric has taken away is no part of the curve."""
        return m.full_like(t, 1.0)

    @property
    def metric_driven(self) -> bool:
        """True."""
        return True
