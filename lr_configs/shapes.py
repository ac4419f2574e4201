"""How a rate falls at the end: the shapes of a decay, of a cooldown and of the pieces between two points."""

from __future__ import annotations

import math
from typing import Any

_HALF_PI = math.pi / 2
_LOG_2 = math.log(2)
#: those that fall to 0
FALLING = ("linear", "cosine", "1-sqrt", "1-square", "exponential")
#: what they are called elsewhere
HINTS = {
    **dict.fromkeys(("one_minus_sqrt", "minus_sqrt", "sqrt", "1_sqrt"), "1-sqrt"),
    **dict.fromkeys(("one_minus_square", "minus_square", "square"), "1-square"),
}


def falling(shape: str, left: Any, m: Any) -> Any:
    """What is left of a height: 1 where `left` is 1, and 0 where it is 0.

    With ``x = 1 - left``: ``1 - x``, ``(1 + cos(pi x)) / 2``, ``1 - sqrt(x)``, ``1 - x ** 2`` and ``2 * 0.5 ** x - 1``, in
    forms that are exact near the lower end, where these cancel.

    Args:
        shape: one of :data:`FALLING`.
        left: the share of the way that is left, 1 down to 0; a number or an array.
        m: the operations for it (:mod:`lr_configs.ops`).

    >>> from lr_configs.ops import scalar
    >>> [round(falling(shape, 0.5, scalar), 3) for shape in FALLING]
    [0.5, 0.5, 0.293, 0.75, 0.414]
    """
    if shape == "cosine":
        return m.sin2(left * _HALF_PI)
    if shape == "1-sqrt":
        return left / (1.0 + m.sqrt(1.0 - left))
    if shape == "1-square":
        return left * (2.0 - left)
    if shape == "exponential":
        return m.expm1(left * _LOG_2)
    return left
