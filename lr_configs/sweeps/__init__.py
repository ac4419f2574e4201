"""Sweeps over schedules: what each job leaves behind, which jobs are left to run, and what came out of them.

Importing this package imports neither torch nor Lightning nor Hydra: each name loads what it needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lr_configs.sweeps.hydra_callback import JobManifest
    from lr_configs.sweeps.lightning_callback import Manifest
    from lr_configs.sweeps.pruning import Pruning

_HOME = {"JobManifest": "hydra_callback", "Manifest": "lightning_callback", "Pruning": "pruning"}
__all__ = ["JobManifest", "Manifest", "Pruning"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"lr_configs.sweeps.{_HOME[name]}"), name)
    return value
