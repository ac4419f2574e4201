"""The hyperbola of ``hyperbolic`` and ``exp_hyperbolic``."""

from __future__ import annotations

import math
from typing import Any

from lr_configs.errors import SchedulerConfigError


def prepare(p: Any) -> None:
    """Find ``h(0)`` and ``1 - h(0)``, which cancels where `N` is near `U`."""
    n, bound = p.total_steps, p.upper_bound
    p.first = math.sqrt(n * (2.0 * bound - n)) / bound
    p.never = ((bound - n) / bound) ** 2 / (1.0 + p.first)


def drop(p: Any, t: Any, m: Any) -> tuple[Any, Any]:
    """``h(0) - h(t)`` and ``1 - h(0) + h(t)``, with ``h(t) = sqrt((N - t) (2 U - N - t)) / U`` and 0 beyond `N`.

    >>> from types import SimpleNamespace
    >>> from lr_configs.ops import scalar
    >>> p = SimpleNamespace(total_steps=100, upper_bound=100)
    >>> prepare(p)
    >>> drop(p, 100, scalar)
    (1.0, 0.0)
    """
    n, bound = p.total_steps, p.upper_bound
    t = m.minimum(t, n)
    now = m.sqrt((n - t) * (2.0 * bound - n - t)) / bound
    return p.first - now, p.never + now


def check_bound(params: dict[str, Any], key: str) -> dict[str, Any]:
    """Refuse a run that is longer than the longest.

    Raises:
        SchedulerConfigError: naming `upper_bound`.
    """
    if params["upper_bound"] < params["total_steps"]:
        raise SchedulerConfigError(
            f"{key}.upper_bound" if key else "upper_bound",
            params["upper_bound"],
            f"the longest run is at least as long as total_steps, which is {params['total_steps']} here",
            "Raise upper_bound, or lower total_steps",
        )
    return params
