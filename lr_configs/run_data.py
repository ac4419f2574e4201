"""The size of a run as plain data for a checkpoint, and in words."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, TypeAlias

from lr_configs.horizon import Horizon

Data: TypeAlias = dict[str, Any]


def horizon_data(horizon: Horizon | None) -> Data | None:
    """A horizon as plain data."""
    if horizon is None:
        return None
    per_epoch = horizon.steps_per_epoch
    return {
        "epochs": horizon.epochs,
        "steps_per_epoch": list(per_epoch) if isinstance(per_epoch, tuple) else per_epoch,
        "steps": horizon.steps,
    }


def read_horizon(data: Data | None) -> Horizon | None:
    """What :func:`horizon_data` wrote."""
    return None if data is None else Horizon(**data)


def size(data: Data | None) -> tuple[int | None, Fraction | None] | None:
    """Updates and epochs of a run, which is all that a schedule feels of it."""
    horizon = read_horizon(data)
    return None if horizon is None else (horizon.total_steps, horizon.total_epochs)


def run_text(data: Data | None) -> str:
    """A run's length in words."""
    if data is None:
        return "of unknown length"
    if data["epochs"] is None:
        return f"{data['steps']} updates"
    per_epoch = data["steps_per_epoch"]
    epochs = f"{data['epochs']} epochs"
    if isinstance(per_epoch, list):
        return f"{epochs}, {Horizon(**data).total_steps} updates"
    return epochs if per_epoch is None else f"{epochs} x {per_epoch} updates"
