"""Every learning-rate schedule as one line of YAML, for Hydra and PyTorch Lightning.

Importing this package imports neither torch nor Lightning nor Hydra: each name loads what it needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lr_configs import convert as convert
    from lr_configs.builder import build, scheduler
    from lr_configs.callback import LRSchedulerCallback, lightning
    from lr_configs.checking import check
    from lr_configs.errors import SchedulerConfigError
    from lr_configs.horizon import Horizon
    from lr_configs.hydra_store import store
    from lr_configs.preview.figure import plot
    from lr_configs.registry import available, register
    from lr_configs.whole_run import curve

__version__ = "0.2.0"

_HOME = {
    "Horizon": "horizon",
    "LRSchedulerCallback": "callback",
    "SchedulerConfigError": "errors",
    "available": "registry",
    "build": "builder",
    "check": "checking",
    "curve": "whole_run",
    "lightning": "callback",
    "plot": "preview.figure",
    "register": "registry",
    "scheduler": "builder",
    "store": "hydra_store",
}
__all__ = [
    "Horizon",
    "LRSchedulerCallback",
    "SchedulerConfigError",
    "available",
    "build",
    "check",
    "convert",
    "curve",
    "lightning",
    "plot",
    "register",
    "scheduler",
    "store",
]


def __getattr__(name: str) -> Any:
    if name == "convert":
        return import_module("lr_configs.convert")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"lr_configs.{_HOME[name]}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
