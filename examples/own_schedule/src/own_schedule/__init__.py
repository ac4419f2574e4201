"""A schedule of one's own, in a package of its own."""

from typing import Any


def sawtooth(t: float, T: int, *, teeth: int = 4, low: float = 0.1) -> float:
    """Down to a share of the rate and up at once, over and over.

    Args:
        t: the step, from 0.
        T: scheduler steps of the run behind the warmup.
        teeth: how often.
        low: the share of the rate that every tooth falls to.

    Returns:
        The factor at step `t`.
    """
    at: Any = t * teeth / T % 1
    return float(1 - (1 - low) * at)
