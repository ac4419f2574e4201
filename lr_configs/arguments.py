"""What the callback's arguments may be: checked before any data is loaded, without Lightning and torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike
from typing import Any

from lr_configs.builder import check_monitor
from lr_configs.config import SchedulerConfig
from lr_configs.errors import SchedulerConfigError, nearest
from lr_configs.registry import parse, plain

#: what to do where the module returns a scheduler of its own
ON_EXISTING = ("error", "replace", "keep")
#: what is on or off
FLAGS = ("log", "progress_bar", "tensor_lr", "save_curve")


def check_one(scheduler: Any, schedulers: Any) -> None:
    """Refuse both forms at once."""
    if scheduler is not None and schedulers is not None:
        raise SchedulerConfigError(
            "schedulers",
            "...",
            "scheduler is given as well",
            "Give scheduler for one optimizer, schedulers for several",
        )


def check_choice(key: str, value: Any, options: tuple[str, ...]) -> None:
    """Refuse what is none of a few words."""
    if value not in options:
        remedy = nearest(str(value), options) or f"Write {options[0]}"
        raise SchedulerConfigError(key, value, f"this is one of {', '.join(options)}", remedy)


def check_switches(given: Mapping[str, Any]) -> None:
    """Refuse what is neither true nor false where that is asked for, and a `decay_file` that is no path.

    Args:
        given: the callback's arguments, those that were left out left out.
    """
    for key in FLAGS:
        if key in given and not isinstance(given[key], bool):
            raise SchedulerConfigError(key, given[key], "this is true or false", "Write true")
    path = given.get("decay_file")
    if path is not None and not (isinstance(path, (str, PathLike)) and str(path)):
        raise SchedulerConfigError("decay_file", path, "this is the path of a file", "Write decay_now.txt")


def check_total(total: Any) -> int | dict[str, int] | None:
    """A number of updates, or one for each optimizer.

    Raises:
        SchedulerConfigError: for other numbers.
    """
    total = plain(total)
    if isinstance(total, dict):
        return {str(key): _updates(value, f"total_steps.{key}") for key, value in total.items()}
    return None if total is None else _updates(total, "total_steps")


def _updates(value: Any, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise SchedulerConfigError(key, value, "a number of updates is a positive integer", "Write 10000")
    return value


def check_keys(total: Any, keys: list[str]) -> None:
    """Refuse numbers of updates for optimizers that have no schedule."""
    for key in total if isinstance(total, dict) else ():
        if key not in keys:
            raise SchedulerConfigError(
                f"total_steps.{key}",
                total[key],
                "no schedule has this key",
                f"{nearest(key, keys)}Known: {', '.join(keys)}",
            )


def schedules_of(scheduler: Any, schedulers: Any) -> Iterator[tuple[str | None, SchedulerConfig]]:
    """``(optimizer or None, config)`` of each schedule, validated now.

    Raises:
        SchedulerConfigError: for the first that cannot be right.
    """
    if schedulers is None:
        yield from _parsed(None, scheduler, "scheduler")
        return
    if not isinstance(schedulers, Mapping) and type(schedulers).__name__ != "DictConfig":
        raise SchedulerConfigError(
            "schedulers", plain(schedulers), "this maps optimizers to schedules", "Write {generator: {name: cosine}}"
        )
    for key, value in schedulers.items():
        yield from _parsed(str(key), value, f"schedulers.{key}")


def _parsed(optimizer: str | None, node: Any, where: str) -> Iterator[tuple[str | None, SchedulerConfig]]:
    if node is None:
        return
    several = isinstance(node, (list, tuple)) or type(node).__name__ == "ListConfig"
    for i, one in enumerate(node if several else [node]):
        place = f"{where}.{i}" if several else where
        try:
            config = parse(one)
            check_monitor(config)
        except SchedulerConfigError as error:
            raise (error if place == "scheduler" else error.within(place)) from None
        yield optimizer, config
