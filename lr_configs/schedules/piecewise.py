"""``piecewise``: through points."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from typing import Any

from lr_configs.config import Landmarks, choice, config_field, schedule
from lr_configs.errors import SchedulerConfigError
from lr_configs.floor import ClampedConfig
from lr_configs.horizon import Length
from lr_configs.kinds import Kind, LengthKind, Number, Schema, check_length

_HALF_PI = math.pi / 2


class Points(Kind):
    """Points with rising positions, of which the first may be 0."""

    words = "a list of points, each a position (0 or a length, rising) and a factor (0 or more)"

    def __call__(self, value: Any, key: str) -> Any:
        """The points."""
        if not isinstance(value, (list, tuple)) or not value:
            raise SchedulerConfigError(
                key, value, "this is a list of points", "Write [[0, 0.0], [5%, 1.0], [100%, 0.1]]"
            )
        points = [_point(one, f"{key}.{i}", first=i == 0) for i, one in enumerate(value)]
        for (before, _), (after, _) in itertools.pairwise(points):
            one, other = (Length.parse(at, key, zero=True) for at in (before, after))
            if one.unit == other.unit and one.amount >= other.amount:
                raise SchedulerConfigError(
                    key,
                    value,
                    f"the positions of points rise strictly, and {after} comes after {before}",
                    "Sort the points",
                )
        return points

    def schema(self) -> Schema:
        """A list of pairs."""
        first, other = (
            {"type": "array", "prefixItems": [at.schema(), _FACTOR.schema()], "items": False, "minItems": 2}
            for at in (LengthKind(zero=True), check_length)
        )
        return {"type": "array", "prefixItems": [first], "items": other, "minItems": 1}


_FACTOR = Number(0)


def _point(value: Any, key: str, *, first: bool) -> list[Any]:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise SchedulerConfigError(key, value, "a point is a position and a factor", "Write [5%, 1.0]")
    at, factor = value
    position = 0 if first and Length.parse(at, f"{key}.0", zero=True).amount == 0 else check_length(at, f"{key}.0")
    return [position, _FACTOR(factor, f"{key}.1")]


@schedule("piecewise")
class PiecewiseLRConfig(ClampedConfig):
    """``rate(t) = base * f(t)``, where `f` goes through points.

    Step 0 has the first point's factor, which holds up to that point; the last one holds from the last point on, also beyond
    the run. Where two points fall on the same step, as they may in a very short run, the later one counts. It is ignite's `PiecewiseLinear`, optax's
    `piecewise_interpolate_schedule` and, with ``constant``, Keras' `PiecewiseConstantDecay` (whose boundaries belong to the
    piece in front of them, and here to the one behind).

    Attributes:
        points: pairs of a position (0 or a length, rising) and a factor (0 or more).
        interpolation: ``linear``; ``cosine``, half a wave between two points; ``constant``, each factor up to the next point.
        eta_min: the rate is nowhere lower, per group; text like ``1%`` is a share of the group's own rate.

    >>> PiecewiseLRConfig(points=[[0, 1.0], ["30ep", 0.1]], interpolation="constant").points
    [[0, 1.0], ['30ep', 0.1]]
    """

    natural_interval = "step"
    one_way = True

    points: Any = config_field([[0, 0.0], ["5%", 1.0], ["100%", 0.1]], Points(), points=True)
    interpolation: str = choice("linear", "linear", "cosine", "constant")

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """The factor between the two points around `t`."""
        points = p.points
        i = bisect_right(points, m.first(t), key=_position)
        if i == 0 or i == len(points) or p.interpolation == "constant":
            value = float(points[max(i - 1, 0)][1])
            return m.full_like(t, value)
        (start, first), (end, last) = points[i - 1], points[i]
        x, left = (t - start) / (end - start), (end - t) / (end - start)
        if p.interpolation == "cosine":
            x, left = m.sin2(x * _HALF_PI), m.sin2(left * _HALF_PI)
        return first * left + last * x

    def peak(self) -> float:
        """The highest factor."""
        return max(float(factor) for _, factor in self.points)

    @staticmethod
    def breaks(p: Any) -> list[float]:
        """The points."""
        return [at for at, _ in p.points]

    @staticmethod
    def landmarks(p: Any) -> Landmarks:
        """The points; the rate stays behind the last."""
        steps = [at for at, _ in p.points if at]
        return Landmarks(events=(("point(s) at", steps),), key="points", ends=steps[-1:], flat=True)


def _position(point: list[Any]) -> float:
    return point[0]  # type: ignore[no-any-return]
