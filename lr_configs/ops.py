"""The few operations that differ between a number and an array, with the same answers from both.

A formula is written once, over `m`: :data:`scalar` for one step, :func:`array` for many. Where Python raises
(a division by zero, ``exp(1000)``, ``sqrt(-1)``) the scalar operations give what IEEE arithmetic, and so
numpy, gives: an infinity or nan.
"""

from __future__ import annotations

import math
import operator
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache, reduce
from types import SimpleNamespace
from typing import Any


def _odd(x: float) -> bool:
    return math.isfinite(x) and x % 2 == 1


def _power(base: float, exponent: float) -> float:
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return -math.inf if base < 0 and _odd(exponent) else math.inf
    except ValueError:  # a root of a negative number, or 0 to a negative power
        if base != 0:
            return math.nan
        return math.copysign(math.inf, base) if _odd(exponent) else math.inf


def _divide(a: float, b: float) -> float:
    try:
        return a / b
    except ZeroDivisionError:
        return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1.0, b)


def _floor_divide(a: float, b: float) -> float:
    return a // b if b != 0 else _divide(a, b)


def _remainder(a: float, b: float) -> float:
    return a % b if b != 0 else math.nan


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _expm1(x: float) -> float:
    try:
        return math.expm1(x)
    except OverflowError:
        return math.inf


def _log1p(x: float) -> float:
    return math.log1p(x) if x > -1 else (-math.inf if x == -1 else math.nan)


def _logarithm(function: Callable[[float], float]) -> Callable[[float], float]:
    return lambda x: function(x) if x > 0 else (-math.inf if x == 0 else math.nan)


def _whole(function: Callable[[float], int]) -> Callable[[float], float]:
    # copysign: the ceiling of -0.5 is -0.0
    return lambda x: math.copysign(function(x), x) if math.isfinite(x) else x


def _finite(function: Callable[[float], float]) -> Callable[[float], float]:
    def of(x: float) -> float:
        try:
            return function(x)
        except ValueError:  # of an infinity
            return math.nan

    return of


def _sin2(x: float) -> float:
    s = math.sin(x)
    return s * s


def _minimum(a: float, b: float) -> float:
    return b if b < a else a  # a third as long as Python's own


def _smaller(a: float, b: float) -> float:
    return a if a <= b or a != a else b


def _larger(a: float, b: float) -> float:
    return a if a >= b or a != a else b


def _each(function: Callable[[float], Any], t: float) -> float:
    value = function(t)
    # A numpy number here would end in the checkpoint, which could then not be loaded safely.
    return value if value.__class__ is float else float(value)


#: operations on one number; a class, since Python finds a function of one sooner than an attribute of an object
scalar: Any = type("scalar", (), dict(
    full_like=lambda t, value: value,
    where=lambda condition, yes, no: yes if condition else no,
    choose=lambda condition, yes, no: yes() if condition else no(),
    power=_power,
    divide=_divide,
    floor_divide=_floor_divide,
    remainder=_remainder,
    minimum=_minimum,
    smaller=_smaller,
    larger=_larger,
    first=lambda t: t,
    each=_each,
    count=bisect_right,
    sin=_finite(math.sin),
    sin2=_sin2,
    cos=_finite(math.cos),
    tanh=math.tanh,
    sqrt=lambda x: math.sqrt(x) if x >= 0 else math.nan,
    exp=_exp,
    expm1=_expm1,
    log1p=_log1p,
    log=_logarithm(math.log),
    log2=_logarithm(math.log2),
    log10=_logarithm(math.log10),
    abs=abs,
    floor=_whole(math.floor),
    ceil=_whole(math.ceil),
    # Python's own min and max depend on the order where a value is nan.
    min=lambda parts: reduce(_smaller, parts),
    max=lambda parts: reduce(_larger, parts),
    logical_not=lambda a: float(not a),
    logical_and=lambda parts: float(all(parts)),
    logical_or=lambda parts: float(any(parts)),
))  # fmt: skip


@lru_cache(maxsize=1)
def array() -> SimpleNamespace:
    """The operations on arrays; numpy is imported when they are first asked for."""
    import numpy as np

    def over(function: Any) -> Callable[[Sequence[Any]], Any]:
        return lambda parts: reduce(function, parts)

    def each(function: Any, t: Any) -> Any:
        whole = getattr(function, "array", None)
        return whole(t) if whole else np.fromiter((function(x) for x in t.tolist()), np.float64, t.size)

    def sin2(x: Any) -> Any:
        s = np.sin(x)
        s *= s
        return s

    def log1p(x: Any) -> Any:
        with np.errstate(divide="ignore"):  # of -1 it is minus infinity
            return np.log1p(x)

    return SimpleNamespace(
        full_like=lambda t, value: np.full(np.shape(t), value),
        where=np.where,
        choose=lambda condition, yes, no: np.where(condition, yes(), no()),
        power=lambda base, exponent: np.power(float(base), exponent),
        divide=operator.truediv,
        floor_divide=operator.floordiv,
        remainder=operator.mod,
        minimum=np.minimum,
        smaller=np.minimum,
        larger=np.maximum,
        first=lambda t: t[0],
        each=each,
        count=lambda points, t: np.searchsorted(np.asarray(points, dtype=np.float64), t, side="right"),
        sin=np.sin,
        sin2=sin2,
        cos=np.cos,
        tanh=np.tanh,
        sqrt=np.sqrt,
        exp=np.exp,
        expm1=np.expm1,
        log1p=log1p,
        log=np.log,
        log2=np.log2,
        log10=np.log10,
        abs=np.abs,
        floor=np.floor,
        ceil=np.ceil,
        min=over(np.minimum),
        max=over(np.maximum),
        logical_not=lambda a: np.logical_not(a) * 1.0,
        logical_and=lambda parts: over(np.logical_and)(parts) * 1.0,
        logical_or=lambda parts: over(np.logical_or)(parts) * 1.0,
    )
