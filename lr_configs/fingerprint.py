"""What a schedule was built from, as plain data that a checkpoint keeps and a resuming run compares."""

from __future__ import annotations

from typing import Any

from lr_configs.horizon import Horizon
from lr_configs.plan import Plan
from lr_configs.run_length import epochs_of, steps_of


def fingerprint(plan: Plan, horizon: Horizon | None, optimizer: Any, trainer: Any) -> dict[str, Any]:
    """What a schedule is built from, as plain data: two equal ones give the same rates."""
    config = plan.config.to_dict()
    for key in ("lr_lambda", "scale_fn"):
        if key in config:
            config[key] = plain_function(config[key])
    groups = optimizer.param_groups
    known = horizon
    if known is None and epochs_of(trainer):
        known = Horizon(epochs=epochs_of(trainer))
    elif known is None and steps_of(trainer, 1):
        known = Horizon(steps=steps_of(trainer, 1))
    return {
        "config": {k: v for k, v in config.items() if k not in ("_target_", "verbose")},
        "interval": plan.interval,
        "horizon": None if known is None else horizon_data(known),
        "base": [float(group.get("initial_lr", group["lr"])) for group in groups],
    }


def plain_function(function: Any) -> Any:
    """A Python callable cannot be compared across runs: its name stands for it."""
    if isinstance(function, list):
        return [plain_function(one) for one in function]
    if function is None or isinstance(function, str):
        return function
    return f"<{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', type(function).__qualname__)}>"


def horizon_data(horizon: Horizon) -> dict[str, Any]:
    """A horizon as plain data."""
    per_epoch = horizon.steps_per_epoch
    return {
        "epochs": horizon.epochs,
        "steps_per_epoch": list(per_epoch) if isinstance(per_epoch, tuple) else per_epoch,
        "steps": horizon.steps if horizon.epochs is None else None,
    }


def read_horizon(data: dict[str, Any] | None) -> Horizon | None:
    """The horizon that :func:`horizon_data` wrote."""
    return None if data is None else Horizon(**data)


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What differs between two schedules, in words."""
    found = []
    for key in {**old["config"], **new["config"]}:
        before, after = old["config"].get(key, "-"), new["config"].get(key, "-")
        if before != after:
            found.append(f"{key} {before!r} -> {after!r}")
    if run_size(old) != run_size(new):
        found.append(f"run {run_text(old['horizon'])} -> {run_text(new['horizon'])}")
    shared = list(zip(old["base"], new["base"], strict=False))
    if any(a != b for a, b in shared):
        found.append(f"base rate {old['base']} -> {new['base']}")
    return found


def run_size(asked: dict[str, Any]) -> Any:
    """The run's length as far as the schedule can feel it: one that counts epochs knows no batches."""
    horizon = asked["horizon"]
    if horizon is None or asked["interval"] == "step":
        return horizon
    total = Horizon(**horizon).total_epochs
    return None if total is None else float(total)


def run_text(horizon: dict[str, Any] | None) -> str:
    """The run's length in words."""
    if horizon is None:
        return "of unknown length"
    if horizon["epochs"] is None:
        return f"{horizon['steps']} steps"
    per_epoch = horizon["steps_per_epoch"]
    return f"{horizon['epochs']} epochs" + ("" if per_epoch is None else f" x {per_epoch} steps")
