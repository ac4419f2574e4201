"""One file per schedule: its keys, defaults and checks, its formula, what each key means, and where it comes from.

:data:`BUILT_IN` is the table of contents, in the order in which schedules are listed.
"""

from __future__ import annotations

from lr_configs.schedules.chained import ChainedSchedulerConfig
from lr_configs.schedules.constant import ConstantLRConfig
from lr_configs.schedules.cosine import CosineAnnealingLRConfig
from lr_configs.schedules.cosine_warm_restarts import CosineAnnealingWarmRestartsConfig
from lr_configs.schedules.cyclic import CyclicLRConfig
from lr_configs.schedules.exp_hyperbolic import ExpHyperbolicLRConfig
from lr_configs.schedules.exponential import ExponentialLRConfig
from lr_configs.schedules.hyperbolic import HyperbolicLRConfig
from lr_configs.schedules.inverse_sqrt import InverseSqrtLRConfig
from lr_configs.schedules.inverse_time import InverseTimeLRConfig
from lr_configs.schedules.lambda_ import LambdaLRConfig
from lr_configs.schedules.linear import LinearLRConfig
from lr_configs.schedules.multi_step import MultiStepLRConfig
from lr_configs.schedules.multiplicative import MultiplicativeLRConfig
from lr_configs.schedules.noam import NoamLRConfig
from lr_configs.schedules.none import NoneConfig
from lr_configs.schedules.one_cycle import OneCycleLRConfig
from lr_configs.schedules.piecewise import PiecewiseLRConfig
from lr_configs.schedules.polynomial import PolynomialLRConfig
from lr_configs.schedules.power import PowerLRConfig
from lr_configs.schedules.range_test import RangeTestLRConfig
from lr_configs.schedules.reduce_on_plateau import ReduceLROnPlateauConfig
from lr_configs.schedules.rex import REXLRConfig
from lr_configs.schedules.sequential import SequentialLRConfig
from lr_configs.schedules.slanted_triangular import SlantedTriangularLRConfig
from lr_configs.schedules.step import StepLRConfig
from lr_configs.schedules.tanh import TanhLRConfig
from lr_configs.schedules.warmup_stable_decay import WarmupStableDecayLRConfig

BUILT_IN = (
    NoneConfig,
    LambdaLRConfig,
    MultiplicativeLRConfig,
    StepLRConfig,
    MultiStepLRConfig,
    ConstantLRConfig,
    LinearLRConfig,
    ExponentialLRConfig,
    PolynomialLRConfig,
    CosineAnnealingLRConfig,
    CosineAnnealingWarmRestartsConfig,
    CyclicLRConfig,
    OneCycleLRConfig,
    ReduceLROnPlateauConfig,
    SequentialLRConfig,
    ChainedSchedulerConfig,
    InverseSqrtLRConfig,
    WarmupStableDecayLRConfig,
    REXLRConfig,
    NoamLRConfig,
    InverseTimeLRConfig,
    PowerLRConfig,
    PiecewiseLRConfig,
    SlantedTriangularLRConfig,
    TanhLRConfig,
    HyperbolicLRConfig,
    ExpHyperbolicLRConfig,
    RangeTestLRConfig,
)

__all__ = [
    "BUILT_IN",
    "ChainedSchedulerConfig",
    "ConstantLRConfig",
    "CosineAnnealingLRConfig",
    "CosineAnnealingWarmRestartsConfig",
    "CyclicLRConfig",
    "ExpHyperbolicLRConfig",
    "ExponentialLRConfig",
    "HyperbolicLRConfig",
    "InverseSqrtLRConfig",
    "InverseTimeLRConfig",
    "LambdaLRConfig",
    "LinearLRConfig",
    "MultiStepLRConfig",
    "MultiplicativeLRConfig",
    "NoamLRConfig",
    "NoneConfig",
    "OneCycleLRConfig",
    "PiecewiseLRConfig",
    "PolynomialLRConfig",
    "PowerLRConfig",
    "REXLRConfig",
    "RangeTestLRConfig",
    "ReduceLROnPlateauConfig",
    "SequentialLRConfig",
    "SlantedTriangularLRConfig",
    "StepLRConfig",
    "TanhLRConfig",
    "WarmupStableDecayLRConfig",
]
