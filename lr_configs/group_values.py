"""The values of a schedule that may differ between parameter groups, and their checks against the groups' own rates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lr_configs.config import SchedulerConfig
from lr_configs.errors import SchedulerConfigError
from lr_configs.groups import spread


def values_per_group(
    config: SchedulerConfig,
    bases: Sequence[float],
    names: Sequence[str | None],
    key: str,
    params: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The values of a schedule that may differ between groups: a number for all, or a list with one for each.

    With the resolved `params`, what depends on both is checked as well.

    Raises:
        SchedulerConfigError: for groups that are not there, a floor above the rate, bounds in the wrong order.
    """
    prefix = f"{key}." if key else ""
    values: dict[str, Any] = {}
    for name, item in config.__dataclass_fields__.items():
        if item.metadata.get("per_group"):
            values[name] = spread(getattr(config, name), bases, names, item.default, prefix + name)
        elif item.metadata.get("formula") and isinstance(getattr(config, name), list):
            _check_functions(getattr(config, name), len(bases), prefix + name)
    values = config.check_values(values, list(bases), prefix)
    if params is not None:
        config.check_bound({**params, **values}, list(bases), prefix)
    return values


def _check_functions(functions: list[Any], groups: int, key: str) -> None:
    if len(functions) != groups:
        raise SchedulerConfigError(
            key,
            functions,
            f"there are {len(functions)} formulas for {groups} parameter groups",
            "Write one formula, or one for each group",
        )
