"""The numbers in the groups of torch's optimizers, known without torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lr_configs.errors import SchedulerConfigError, nearest

_ADAM: Mapping[str, Any] = {"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0}
#: what a schedule moves along with the rate, as groups that have it name it
MOMENTUM = ("momentum", "betas.0")
#: class -> what its groups hold, with the defaults of its constructor
_DEFAULTS: dict[str, Mapping[str, Any]] = {
    "ASGD": {"lr": 0.01, "lambd": 0.0001, "alpha": 0.75, "t0": 1e6, "weight_decay": 0},
    "Adadelta": {"lr": 1.0, "rho": 0.9, "eps": 1e-6, "weight_decay": 0},
    "Adagrad": {"lr": 0.01, "lr_decay": 0, "eps": 1e-10, "weight_decay": 0, "initial_accumulator_value": 0},
    "Adam": _ADAM,
    "AdamW": {**_ADAM, "weight_decay": 0.01},
    "Adamax": {**_ADAM, "lr": 0.002},
    "NAdam": {**_ADAM, "lr": 0.002, "momentum_decay": 0.004},
    "RAdam": _ADAM,
    "RMSprop": {"lr": 0.01, "momentum": 0, "alpha": 0.99, "eps": 1e-8, "weight_decay": 0},
    "Rprop": {"lr": 0.01, "etas": (0.5, 1.2), "step_sizes": (1e-6, 50)},
    "SGD": {"lr": 0.001, "momentum": 0, "dampening": 0, "weight_decay": 0},
    "SparseAdam": {"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-8},
}


def optimizer_keys(target: str) -> Mapping[str, Any] | None:
    """What the groups of an optimizer hold where nothing else is written, by its `_target_`; None where it is not torch's.

    >>> optimizer_keys("torch.optim.AdamW")["weight_decay"], optimizer_keys("my.Lion")
    (0.01, None)
    """
    path, _, name = target.rpartition(".")
    return _DEFAULTS.get(name) if path.startswith("torch.optim") else None


def number_at(keys: Mapping[str, Any], param: str) -> float | None:
    """The number under a key, or an element of one (``betas.0``); None where there is none.

    >>> number_at({"betas": (0.9, 0.999)}, "betas.0")
    0.9
    """
    key, _, index = param.partition(".")
    value = keys.get(key)
    if index:
        several = isinstance(value, (list, tuple)) and index.isdecimal() and int(index) < len(value)
        value = value[int(index)] if several else None  # type: ignore[index]
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def check_number(keys: Mapping[str, Any], param: str, whose: str) -> None:
    """Refuse a hyper-parameter that a parameter group does not have.

    Args:
        keys: of the group.
        param: the hyper-parameter.
        whose: the group in words, for the error.

    Raises:
        SchedulerConfigError: with the nearest of those that it has.
    """
    if number_at(keys, param) is None:
        numeric = [key for key in keys if number_at(keys, key) is not None]
        raise SchedulerConfigError(
            "param", param, f"{whose} has no such number", f"{nearest(param, numeric)}Known: {', '.join(numeric)}"
        )


def check_apart(key: str, name: str, config: Any, others: Iterable[tuple[str, Any]], optimizer: str = "") -> None:
    """Refuse a schedule of a hyper-parameter that another schedule of the same optimizer writes.

    Args:
        key: for the error.
        name: what the error calls the schedule.
        config: of the schedule.
        others: names and configs of those that are there already.
        optimizer: what the error calls the optimizer.

    Raises:
        SchedulerConfigError: where both write one.
    """
    for other, there in others:
        both = config.drives & there.drives
        if both:
            param = next((one for one in (config.param, there.param) if one in both), MOMENTUM[0])
            raise SchedulerConfigError(
                key,
                name,
                f"{other} drives {param}{optimizer and f' of optimizer {optimizer}'} already",
                "Give each a param of its own, or multiply the two: name=chained"
                if config.param == there.param
                else "Write cycle_momentum=false where it only moves along",
            )


def check_momentum(keys: Iterable[str], wanted: bool, key: str) -> None:
    """Refuse to cycle a momentum that an optimizer does not have.

    Args:
        keys: of its groups.
        wanted: whether the schedule cycles it.
        key: of the schedule, for the error.

    Raises:
        SchedulerConfigError: where there is none.
    """
    if wanted and not {"momentum", "betas"} & set(keys):
        raise SchedulerConfigError(
            f"{key}.cycle_momentum" if key else "cycle_momentum",
            True,
            "this optimizer has neither momentum nor beta1",
            "Write cycle_momentum=false",
        )
