"""The warmup, written once for every schedule: from a share of its first value to the first value, or to another one."""

from __future__ import annotations

import math
from typing import Any

WARMUP_SHAPES = ("linear", "cosine", "exponential", "constant")
_HALF_PI = math.pi / 2


def warmup(shape: str, start: float, W: int, t: Any, m: Any) -> Any:
    """The factor at step `t` of a warmup over `W` steps from the factor `start`: ``s + (1 - s) shape(t / W)``.

    `linear` is ``x``, `cosine` is ``(1 - cos(pi x)) / 2``, `exponential` makes the factor itself geometric,
    ``s ** (1 - x)``, and `constant` stays at the start until step `W`.

    Args:
        shape: one of :data:`WARMUP_SHAPES`.
        start: the factor at step 0, 0 to 1.
        W: length, in scheduler steps.
        t: the step, below `W`; a number or an array.
        m: the operations for it (:mod:`lr_configs.ops`).

    >>> from lr_configs.ops import scalar
    >>> [round(warmup("linear", 0.1, 4, t, scalar), 3) for t in range(4)]
    [0.1, 0.325, 0.55, 0.775]
    """
    if shape == "exponential":
        return m.power(start, (W - t) / W)
    first, last = way(shape, start, W, t, m)
    return first + last


def way(shape: str, start: float, W: int, t: Any, m: Any) -> tuple[Any, Any]:
    """The shares, at step `t`, of the value that a warmup comes from and of the one that it leads to.

    With ``g = shape(t / W)``: ``start * (1 - g)`` and `g`; where both values are 1, they add up to :func:`warmup`. The arguments are
    the same.

    >>> from lr_configs.ops import scalar
    >>> way("linear", 0.5, 4, 1, scalar)
    (0.375, 0.25)
    """
    if shape == "constant":
        return m.full_like(t, start), 0.0
    if shape == "cosine":
        return start * m.sin2((W - t) * _HALF_PI / W), m.sin2(t * _HALF_PI / W)
    if shape == "exponential" and start < 1:
        gone = (m.power(start, (W - t) / W) - start) / (1.0 - start)
        return start * (1.0 - gone), gone
    return start * ((W - t) / W), t / W
