"""Another library's call as a config of ours that gives the same rates, to the last digit that floats have.

>>> import lr_configs
>>> lr_configs.convert.transformers("cosine", num_warmup_steps=500, num_training_steps=10000)
CosineAnnealingLRConfig(T_max=9500, eta_min=0.0, interval='step', ...warmup=500, warmup_start_factor=0, ...)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lr_configs.config import SchedulerConfig
from lr_configs.convert import from_timm, from_torch, from_transformers

__all__ = ["timm", "torch", "transformers"]

#: the groups' own rates: one for all, or one for each
Rates = float | Sequence[float] | None


def transformers(
    name: str,
    num_warmup_steps: int | None = None,
    num_training_steps: int | None = None,
    scheduler_specific_kwargs: Mapping[str, Any] | None = None,
    *,
    lr: float | None = None,
) -> SchedulerConfig:
    """The schedule of transformers' ``get_scheduler``.

    Args:
        name: as there (``lr_scheduler_type``).
        num_warmup_steps: updates.
        num_training_steps: updates, warmup included.
        scheduler_specific_kwargs: as there.
        lr: the optimizer's own rate, for the schedules with an end in absolute numbers: transformers divides it by the
            optimizer's default rate, and every group ends at the same share of its own.

    Raises:
        SchedulerConfigError: for an unknown name or argument, and for what has no counterpart, with the reason.

    >>> transformers("linear", 100, 1000).total_iters
    900
    """
    return from_transformers.converted(
        name, num_warmup_steps, num_training_steps, scheduler_specific_kwargs or {}, lr
    ).config


def timm(sched: str = "cosine", num_epochs: int = 300, *, lr: Rates = None, **arguments: Any) -> SchedulerConfig:
    """The schedule of timm's ``create_scheduler_v2``.

    Args:
        sched: as there.
        num_epochs: as there.
        lr: the groups' own rates, for what timm writes in absolute numbers (``warmup_lr``, ``min_lr``) and ours as a share.
        **arguments: as there.

    Raises:
        SchedulerConfigError: for an unknown name or argument, and for what has no counterpart, with the reason.

    >>> timm("step", 90, decay_epochs=30, decay_rate=0.1).step_size
    30
    """
    return from_timm.converted(sched, num_epochs, arguments, lr).config


def torch(scheduler: Any, *args: Any, **kwargs: Any) -> SchedulerConfig:
    """The schedule of a scheduler of torch.

    Args:
        scheduler: an instance; or a class (or its name), with the arguments of its constructor.
        *args: of the class, without the optimizer.
        **kwargs: of the class.

    Raises:
        SchedulerConfigError: for a class that is not torch's.

    >>> torch("StepLR", step_size=30).gamma
    0.1
    """
    return from_torch.converted(scheduler, args, kwargs).config
