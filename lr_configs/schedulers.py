"""Torch's schedulers with their recurrences replaced: swap the import, and nothing else.

Each class is a drop-in subclass of torch's class of that name: same constructor, attributes and ``state_dict`` keys.
"""

from typing import Any

from torch.optim.lr_scheduler import LRScheduler

from lr_configs.torch_classes.base import CurveScheduler
from lr_configs.torch_classes.composite import ChainedScheduler, SequentialLR
from lr_configs.torch_classes.plateau import ReduceLROnPlateau
from lr_configs.torch_classes.single import (
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    IdentityLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    StepLR,
)

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CurveScheduler",
    "CyclicLR",
    "ExponentialLR",
    "IdentityLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
    "is_ours",
]


def __getattr__(name: str) -> Any:
    """The class of a schedule that torch has no class of, made when it is asked for."""
    from lr_configs.registry import by_torch_name
    from lr_configs.torch_classes.derived import derived

    config = by_torch_name(name)
    if config is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return derived(config)


def is_ours(scheduler: Any) -> bool:
    """Whether this is one of the classes here.

    >>> is_ours(object())
    False
    """
    return isinstance(scheduler, CurveScheduler)
