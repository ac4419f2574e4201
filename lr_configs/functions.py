"""What schedules made of functions share: one function for all groups or one each, running products, growth."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from lr_configs.config import data
from lr_configs.errors import SchedulerConfigError
from lr_configs.floor import ClampedConfig
from lr_configs.formula import Formula
from lr_configs.ops import scalar

_CHUNK = 1 << 14


def check_growth(prefix: str, key: str, gamma: float, times: int | None) -> None:
    """Refuse a factor whose power leaves the numbers, with room for the base rate."""
    if times is not None and gamma > 1 and not scalar.power(float(gamma), times) < 1e300:
        raise SchedulerConfigError(
            f"{prefix}.{key}" if prefix else key,
            gamma,
            f"after {times} multiplications the rate would be infinite",
            f"Lower {key}",
        )


class FunctionWeights:
    """The weights of functions of the step: one that all groups share, or one for each.

    Args:
        functions: a list with one per group.
        bases: the groups' own rates, which formulas may depend on.
        of: what to make of each distinct function, e.g. its running product.
    """

    def __init__(self, functions: list[Any], bases: list[float], of: Callable[[Any], Any] | None = None) -> None:
        functions = [
            one.of_base(base) if isinstance(one, Formula) else one for one, base in zip(functions, bases, strict=False)
        ]
        self._of = of
        distinct = {id(one): one for one in functions}
        order = {key: k for k, key in enumerate(distinct)}
        self.distinct = [one if of is None else of(one) for one in distinct.values()]
        self.which = [order[id(one)] for one in functions]
        self.single = self.distinct[0] if len(self.distinct) == 1 else None

    def __call__(self, t: Any, m: Any) -> Any:
        """The value at `t`; a list with one for each group where there are several functions."""
        if self.single is not None:
            return m.each(self.single, t)
        values = [m.each(one, t) for one in self.distinct]
        return [values[k] for k in self.which]

    def of_groups(self, functions: list[Any], bases: list[float]) -> FunctionWeights:
        """The same for other groups."""
        return FunctionWeights(functions, bases, self._of)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FunctionWeights) and (self.distinct, self.which) == (other.distinct, other.which)

    __hash__ = None  # type: ignore[assignment]


@data
class FunctionsConfig(ClampedConfig):
    """A schedule of functions of the step, `lr_lambda`: one for all groups, or one for each."""

    if TYPE_CHECKING:
        of_each: ClassVar[Any]

    beyond_torch = ("eta_min",)
    #: what each function stands for, e.g. its running product; None for its values
    of_each = None

    @classmethod
    def prepare(cls, p: Any) -> None:
        """The functions, one for each group."""
        p.lr_lambdas = list(p.lr_lambda) if isinstance(p.lr_lambda, list) else [p.lr_lambda] * len(p.base_lrs)
        p.functions = FunctionWeights(p.lr_lambdas, p.base_lrs, cls.of_each)
        p.single = p.functions.single

    @staticmethod
    def join(p: Any, group: Any, base: float) -> None:
        """A group that joins later has the last one's function."""
        p.base_lrs.append(base)
        p.lr_lambdas.append(p.lr_lambdas[-1])
        _follow(p)

    @staticmethod
    def drop(p: Any, count: int) -> None:
        """The functions, too."""
        del p.base_lrs[count:], p.lr_lambdas[count:]
        _follow(p)

    @classmethod
    def alone(cls, p: Any, base: float) -> Any:
        """The last one's function, which may depend on the base."""
        last = p.lr_lambdas[-1]
        if p.lowest is None and not getattr(last, "uses_base", False):
            return None
        one = cls.with_base(p, base)
        one.lr_lambdas = [last.unchecked() if isinstance(last, Formula) else last]
        _follow(one)
        return one

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """The function's value at `t`; a list where groups have functions of their own."""
        return p.functions(t, m) if p.single is None else m.each(p.single, t)


def _follow(p: Any) -> None:
    p.functions = p.functions.of_groups(p.lr_lambdas, p.base_lrs)
    p.single = p.functions.single


class Timed:
    """A Python function of the step and of the run's length, for a run of `T` scheduler steps.

    >>> Timed(lambda t, T: 1 - t / T, 4)(1)
    0.75
    """

    # Without __dict__ torch does not copy it into a checkpoint.
    __slots__ = ("T", "function")

    def __init__(self, function: Callable[[float, int], float], T: int) -> None:
        self.function, self.T = function, T

    def __call__(self, t: float) -> float:
        """The factor at step `t`."""
        return self.function(t, self.T)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timed) and (self.function, self.T) == (other.function, other.T)

    def __hash__(self) -> int:
        return hash((self.function, self.T))


def timed(function: Any, key: str, steps: int | None) -> Any:
    """A Python function as one of the step alone: one that takes ``(t, T)`` gets the run's length."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some of those written in C do not say
        return function
    required = [
        one for one in parameters
        if one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]  # fmt: skip
    if len(required) != 2:
        return function
    if steps is None:
        raise SchedulerConfigError(
            key, function, "this function takes the run's length, which is not known here",
            "Give horizon=Horizon(epochs=90, steps_per_epoch=391), or take the step alone",
        )  # fmt: skip
    return Timed(function, steps)


class Product:
    """The running product ``f(1) f(2) ... f(t)``, in twice the precision.

    A million rounded multiplications drift by 1e-13; the second number carries what the first one rounded
    away (Dekker's product, 1971), and the result is right to the last digit.

    >>> Product(lambda t: 0.5)(3)
    0.125
    """

    __slots__ = ("_at", "_high", "_low", "_table", "function")

    def __init__(self, function: Callable[[Any], float]) -> None:
        self.function = function
        self._at, self._high, self._low = 0, 1.0, 0.0
        self._table: tuple[int, Any] = (0, 1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Product) and self.function == other.function

    __hash__ = None  # type: ignore[assignment]

    def __call__(self, t: float) -> float:
        """The product up to step `t`; between two steps, the factor of the next one to that share."""
        whole = t if t.__class__ is int else math.floor(t)
        if whole == self._at + 1:  # one step further, the usual case
            self._advance(whole)
        elif whole != self._at:
            if whole < self._at:
                self._at, self._high, self._low = 0, 1.0, 0.0
            while self._at < whole:
                self._advance(self._at + 1)
        if t == whole:
            return self._high
        return float(self._high * scalar.power(float(self.function(whole + 1)), t - whole))

    def _advance(self, t: int) -> None:
        f = self.function(t)
        if f.__class__ is not float:
            f = float(f)
        high = self._high
        split = 134217729.0 * high
        a = split - (split - high)
        split = 134217729.0 * f
        b = split - (split - f)
        product, rest, other = high * f, high - a, f - b
        low = self._low * f + (((a * b - product) + a * other + rest * b) + rest * other)
        self._high = high = product + low
        self._low, self._at = low - (high - product), t

    def array(self, t: Any) -> Any:
        """The products up to the steps of the rising array `t`, in extended precision where the platform has it."""
        import numpy as np

        whole = getattr(self.function, "array", None) if np.finfo(np.longdouble).nmant >= 63 else None
        if whole is None or not t.size:
            return np.fromiter((self(x) for x in t.tolist()), np.float64, t.size)
        first, last = int(t[0]), int(t[-1])
        at, value = self._table if self._table[0] <= first else (0, np.longdouble(1))
        behind = np.arange(at + 1, last + 1, dtype=np.float64)
        table = whole(behind).astype(np.longdouble)
        if table.size:
            table[0] *= value
            np.cumprod(table, out=table)
            self._table = (last, table[-1])
        if first > at and t.size == last - first + 1 and (t == behind[first - at - 1 :]).all():  # step by step
            return table[first - at - 1 :].astype(np.float64)
        steps = np.floor(t)
        out = np.concatenate([[value], table])[steps.astype(np.int64) - at].astype(np.float64)
        # Between two steps, the factor of the next one to that share.
        return out if (steps == t).all() else out * np.where(steps == t, 1.0, whole(steps + 1) ** (t - steps))

    def overflow(self, steps: int) -> int | None:
        """The first step of a run of `steps` at which the product is no finite number, or None."""
        return _overflow(self.function, steps)

    def __deepcopy__(self, memo: dict[int, Any]) -> Product:
        return Product(self.function)

    def __reduce__(self) -> tuple[Any, ...]:
        return Product, (self.function,)


@lru_cache(maxsize=64)
def _overflow(function: Any, steps: int) -> int | None:
    import numpy as np

    def chunks() -> Iterator[tuple[int, Any]]:
        for start in range(1, steps, _CHUNK):
            yield start, function.array(np.arange(start, min(start + _CHUNK, steps), dtype=np.float64))

    if all(factors.max() <= 1 for _, factors in chunks()):  # the usual case: it falls
        return None
    logarithm = 0.0
    with np.errstate(all="ignore"):
        for start, factors in chunks():
            sums = logarithm + np.cumsum(np.log(factors))
            above = np.flatnonzero(sums > math.log(1e300))
            if above.size:
                return start + int(above[0])
            logarithm = float(sums[-1])
    return None
