"""Values per parameter group: one number, a list, a mapping by name or index, or a share of the group's own rate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lr_configs.errors import SchedulerConfigError, nearest


def share_of(value: Any) -> float | None:
    """The factor that text like ``1%`` stands for; None for everything else.

    >>> share_of("2.5%"), share_of(0.1)
    (0.025, None)
    """
    if not isinstance(value, str) or not value.strip().endswith("%"):
        return None
    try:
        return float(value.strip()[:-1]) / 100
    except ValueError:
        return None


def check_base(key: str, rate: Any) -> float:
    """A rate as a number.

    Raises:
        SchedulerConfigError: for what is no number, not finite or negative.
    """
    try:
        number = float(rate)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if isinstance(rate, (bool, str)) or not math.isfinite(number) or number < 0:
        raise SchedulerConfigError(key, rate, "a rate is a finite number and not negative", "Write 0.1")
    return number


def spread(
    value: Any, bases: Sequence[float], names: Sequence[str | None], default: Any, key: str
) -> list[float | None] | float | None:
    """`value` as one number for all groups, or as a list with one for each.

    Args:
        value: what the config has.
        bases: the groups' own rates.
        names: the groups' names, None where one has none.
        default: what groups have that a mapping leaves out.
        key: for errors.

    Returns:
        A number (None where it is left to the schedule), or a list of them.

    Raises:
        SchedulerConfigError: for values of groups that are not there.

    >>> spread({"head": "25%"}, [0.1, 0.2], [None, "head"], 0.0, "eta_min")
    [0.0, 0.05]
    """
    values: list[Any]
    if isinstance(value, Mapping):
        values = _by_name(value, names, default, key)
    elif isinstance(value, (list, tuple)):
        if len(value) != len(bases):
            raise SchedulerConfigError(
                key,
                list(value),
                f"there are {len(value)} values for {len(bases)} parameter groups",
                "Write one number, or one for each group",
            )
        values = list(value)
    elif share_of(value) is None:
        return None if value is None else float(value)
    else:
        values = [value] * len(bases)
    return [_number(one, base) for one, base in zip(values, bases, strict=True)]


def _number(value: Any, base: float) -> float | None:
    share = share_of(value)
    if share is not None:
        return share * base
    return None if value is None else float(value)


def _by_name(value: Mapping[Any, Any], names: Sequence[str | None], default: Any, key: str) -> list[Any]:
    known = {str(i): i for i in range(len(names))}
    known.update({name: i for i, name in enumerate(names) if name is not None})
    values = [default] * len(names)
    for name, one in value.items():
        if str(name) not in known:
            raise SchedulerConfigError(
                f"{key}.{name}",
                one,
                "there is no such parameter group",
                f"{nearest(str(name), known)}Known: {', '.join(known)}",
            )
        values[known[str(name)]] = one
    return values


def filled(value: Any, defaults: Sequence[float]) -> list[float]:
    """A list with one number per group, `defaults` where there is none."""
    values = value if isinstance(value, list) else [value] * len(defaults)
    return [default if one is None else float(one) for one, default in zip(values, defaults, strict=True)]


def select(value: Any, group: int | str, key: str) -> Any:
    """The value of one group, known by its index or its name, out of what a config has.

    Raises:
        SchedulerConfigError: where the value does not say what this group has.
    """
    if isinstance(value, Mapping):
        named = [str(name) for name in value if not str(name).isdigit()]
        if isinstance(group, int) and named and str(group) not in value:
            raise SchedulerConfigError(
                key, dict(value), f"this names parameter groups, and group={group} has no name here",
                f"Write group={named[0]!r}",
            )  # fmt: skip
        return value.get(str(group), _SELECTED_DEFAULT)
    if isinstance(value, (list, tuple)):
        if not isinstance(group, int) or not 0 <= group < len(value):
            raise SchedulerConfigError(
                key, list(value), f"this has {len(value)} values, and none for group={group!r}",
                f"Write group=0 to group={len(value) - 1}",
            )  # fmt: skip
        return value[group]
    return value


_SELECTED_DEFAULT: Any = type("Default", (), {})()


def is_default(value: Any) -> bool:
    """Whether :func:`select` found that a mapping leaves the group to the default."""
    return value is _SELECTED_DEFAULT


def column(value: Any, bases: Sequence[float]) -> list[float]:
    """`value` as a list with one number per group; groups beyond a list keep the proportion that the first one has."""
    if not isinstance(value, (list, tuple)):
        return [float(value)] * len(bases)
    late = [late_value(value, bases, base) for base in bases[len(value) :]]
    return [float(one) for one in value[: len(bases)]] + late


def late_value(value: Any, bases: Sequence[float], base: float) -> float:
    """The value of a group that joins later, with the rate `base`."""
    if not isinstance(value, (list, tuple)):
        return float(value)
    return float(value[0]) / bases[0] * base if bases[0] else 0.0


def check_floor(key: str, floor: Any, bases: Sequence[float], peak: float = 1.0) -> None:
    """Refuse a lowest rate above a group's own, or above the share `peak` of it that a schedule reaches."""
    for low, base in zip(column(floor, bases), bases, strict=True):
        if low > base * peak:
            top = f"the optimizer's own rate {base:g}" if peak == 1 else f"the peak {base * peak:g}"
            raise SchedulerConfigError(key, low, f"the lowest rate is above {top}", "Lower it, or raise the rate")
