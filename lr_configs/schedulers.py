"""Torch's schedulers with their recurrences replaced: swap the import, and nothing else.

Each class is a drop-in subclass of torch's class of that name: same constructor, attributes and ``state_dict`` keys.
"""

from lr_configs.closed_form import ClosedForm
from lr_configs.composites import ChainedScheduler, SequentialLR
from lr_configs.leaf_schedulers import (
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    IdentityLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    StepLR,
)
from lr_configs.plateau import ReduceLROnPlateau

__all__ = [
    "ChainedScheduler",
    "ClosedForm",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
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
]
