"""A million steps as a few thousand points that lose no peak.

A run is cut into equal parts (bins), and of every line each part keeps its first, lowest, highest and last value: drawn, that
is the same picture. Where a curve only rises or only falls between steps that are known beforehand, no other steps are even
evaluated.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lr_configs.config import Parameters
from lr_configs.landmarks import Part, cooldowns, parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lr_configs.curve_tree import Curve
    from lr_configs.plan import Plan

#: steps that are evaluated at once
CHUNK = 1 << 16
#: a curve of which nothing is known is looked at no closer than this, or a run of a billion steps would take minutes
MOST = 1 << 24


def positions(plan: Plan, curve: Curve, steps: int, bins: int, span: float, stride: int) -> NDArray[Any]:
    """The steps that are worth evaluating: all, or those among which are each bin's first, lowest, highest and last one.

    Args:
        plan: the schedule.
        curve: the same, bound.
        steps: of the run.
        bins: into how many parts it is cut; 0 keeps all.
        span: the run in the unit in which it is cut.
        stride: how much of that a step is.

    Returns:
        Rising float64 array of whole numbers, from 0 to ``steps - 1``.
    """
    import numpy as np

    if not bins or steps <= 4 * bins:
        return np.arange(steps, dtype=np.float64)
    turning = turns(plan, curve, steps)
    if turning is None or len(turning) * 3 > steps:
        return (
            np.unique(np.linspace(0, steps - 1, MOST).round()) if steps > MOST else np.arange(steps, dtype=np.float64)
        )
    firsts = np.ceil(np.arange(bins, dtype=np.float64) * span / (bins * stride))  # rounded once
    around = np.asarray(turning, dtype=np.float64)
    wanted = np.concatenate([firsts, firsts - 1, np.ceil(around) - 1, np.floor(around), np.ceil(around), [steps - 1]])
    found: NDArray[Any] = np.unique(wanted[(wanted >= 0) & (wanted < steps)])
    return found


def turns(plan: Plan, curve: Curve, steps: int) -> list[float] | None:
    """The steps between which the rate only rises or only falls; None where that is not known, or they are too many."""
    if not _is_known(plan):
        return None
    found: list[float] = [*curve.breaks(), *cooldowns(plan)]
    for part in parts(plan):
        landmarks, stop = part.landmarks, min(steps, part.stop or steps)
        found += [part.begin, part.start, stop]
        for these in (landmarks.ends, landmarks.expected, *(steps_of for _, steps_of in landmarks.events)):
            count = bisect_left(these, stop - part.start)
            if count * 3 > steps:
                return None
            found += [part.start + one for one in these[:count]]
    return sorted({one for one in found if one < steps})


def _is_known(plan: Plan) -> bool:
    """Whether every formula goes one way between its landmarks, and no two of them are multiplied."""
    if plan.config.arrangement == "product" and len(plan.stages) > 1:
        return False
    return all(_goes_one_way(part) for part in parts(plan))


def _goes_one_way(part: Part) -> bool:
    config = type(part.plan.config)
    says = next(cls for cls in config.__mro__ if "goes_one_way" in vars(cls) or "one_way" in vars(cls))
    formula = next(cls for cls in config.__mro__ if "weights" in vars(cls))
    # Who replaces a formula has not said anything of the new one.
    return issubclass(says, formula) and config.goes_one_way(Parameters(**part.plan.params))


def kept(x: NDArray[Any], y: NDArray[Any], end: float, bins: int, *, thinned: bool) -> NDArray[Any]:
    """The indices of what is kept of one line: of each bin the first, the lowest, the highest and the last value.

    Values that tell nothing new are left out: of stairs, those that repeat the one before; of points that are joined by
    straight lines, those between two that are the same.

    Args:
        x: where each value begins, rising.
        y: the values.
        end: of the picture.
        bins: into how many parts it is cut.
        thinned: whether not all values are needed.
    """
    import numpy as np

    if thinned:
        bin_of = np.minimum((x * bins / end).astype(np.int64), bins - 1)
        starts = np.flatnonzero(np.concatenate([[True], bin_of[1:] != bin_of[:-1]]))
        counts = np.diff(np.append(starts, len(x)))
        lasts = starts + counts - 1
        chosen = [starts, lasts]
        for extreme in (np.minimum, np.maximum):
            hits = np.flatnonzero(y == np.repeat(extreme.reduceat(y, starts), counts))
            found = hits[np.unique(bin_of[hits], return_index=True)[1]]
            inner = found[~np.isin(found, starts) & ~np.isin(found, lasts)]
            chosen += [found, inner + 1]  # what follows a peak ends it
        indices = np.unique(np.concatenate(chosen))
    else:
        indices = np.arange(len(x))
    moved = np.diff(y[indices], prepend=np.nan, append=np.nan) != 0  # nan is no repetition
    result: NDArray[Any] = indices[moved[:-1] | (moved[1:] & thinned)]
    return result


def evaluated(function: Callable[[NDArray[Any]], NDArray[Any]], t: NDArray[Any]) -> NDArray[Any]:
    """`function` of rising steps, in parts that stay in the processor's cache."""
    import numpy as np

    if len(t) <= CHUNK:
        return function(t)
    return np.concatenate([function(t[i : i + CHUNK]) for i in range(0, len(t), CHUNK)], axis=1)
