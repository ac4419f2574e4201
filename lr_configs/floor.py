"""The floor of a schedule: `eta_min`, and the two ways in which a curve ends at it."""

from __future__ import annotations

import math
from typing import Any

from lr_configs.config import SchedulerConfig, data, per_group
from lr_configs.groups import check_floor, column, late_value

#: shares that differ by less than this are the same ones, computed from different rates
_SAME = 1e-15


@data
class FloorConfig(SchedulerConfig):
    """A schedule between the optimizer's own rate and a floor: ``rate = eta_min + (base - eta_min) f(t)``."""

    eta_min: Any = per_group(0.0, 0, share=True)

    @staticmethod
    def ends(p: Any) -> tuple[list[float], ...]:
        """The base and, where there is one, the floor."""
        return (p.base_lrs, column(p.eta_min, p.base_lrs)) if p.eta_min else (p.base_lrs,)

    @staticmethod
    def late_ends(p: Any, base: float) -> tuple[float, ...]:
        """The base and the floor of a group that joins later."""
        return (base, late_value(p.eta_min, p.base_lrs, base)) if p.eta_min else (base,)

    def check_values(self, values: dict[str, Any], bases: list[float], key: str) -> dict[str, Any]:
        """A floor lies below the rate."""
        if self.param == "lr":
            check_floor(f"{key}eta_min", values["eta_min"], bases)
        return values


@data
class ClampedConfig(SchedulerConfig):
    """A schedule that is nowhere below its floor: ``rate = max(base f(t), eta_min)``."""

    eta_min: Any = per_group(0.0, 0, share=True)

    clamps = True

    @staticmethod
    def lowest(p: Any) -> Any:
        """The floor, as shares of the groups' own rates."""
        return shares(p) if p.eta_min else None

    def check_values(self, values: dict[str, Any], bases: list[float], key: str) -> dict[str, Any]:
        """A floor lies below the highest rate."""
        check_floor(f"{key}eta_min", values["eta_min"], bases, self.peak())
        return values

    def peak(self) -> float:
        """The highest factor of the groups' own rates, as far as it is known."""
        return 1.0


def between(f: Any, p: Any) -> Any:
    """The weights of the ends of a :class:`FloorConfig` where the share `f` of the way down is left."""
    return (f, 1.0 - f) if p.eta_min else f


def shares(p: Any) -> Any:
    """The floors as shares of the groups' own rates: one number where all have the same, else a list.

    >>> from types import SimpleNamespace
    >>> shares(SimpleNamespace(eta_min=0.125, base_lrs=[0.25, 0.5]))
    [0.5, 0.25]
    """
    lows = zip(column(p.eta_min, p.base_lrs), p.base_lrs, strict=True)
    found = [low / base if base else 1.0 for low, base in lows]
    alike = found and all(math.isclose(one, found[0], rel_tol=_SAME) for one in found)
    return found[0] if alike else found


def powers(lowest: Any, exponent: Any, m: Any) -> Any:
    """``lowest ** exponent``, for each group where they differ."""
    if lowest.__class__ is list:
        return [m.power(one, exponent) for one in lowest]
    return m.power(lowest, exponent)
