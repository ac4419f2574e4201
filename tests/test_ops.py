"""The operations give a number and an array the same answers, also where Python alone would raise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from lr_configs.ops import array, scalar

VALUES = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 2.0, 3.0, -3.0, 1e308, -1e308, 5e-324, math.inf, -math.inf, math.nan]
ONE = [
    "sin",
    "cos",
    "tanh",
    "sqrt",
    "exp",
    "log",
    "log2",
    "log10",
    "abs",
    "floor",
    "ceil",
    "logical_not",
    "expm1",
    "log1p",
]
TWO = ["power", "divide", "floor_divide", "remainder"]
MANY = ["min", "max", "logical_and", "logical_or"]


def same(number: Any, whole: Any) -> None:
    number, whole = float(number), float(whole)
    np.testing.assert_allclose(number, whole, rtol=1e-15)
    if number == 0:
        assert math.copysign(1, number) == math.copysign(1, whole)


@pytest.mark.parametrize("name", ONE)
def test_one_value(name: str) -> None:
    with np.errstate(all="ignore"):
        for x in VALUES:
            same(getattr(scalar, name)(x), getattr(array(), name)(np.array([x]))[0])


def test_one_value_at_every_step() -> None:
    assert scalar.full_like(3, 0.5) == 0.5
    for count in (1, 3):
        found = array().full_like(np.arange(float(count)), 1.0)
        assert (found.tolist(), found.dtype) == ([1.0] * count, np.float64)


@pytest.mark.parametrize("name", TWO)
def test_two_values(name: str) -> None:
    with np.errstate(all="ignore"):
        for a in VALUES:
            for b in VALUES:
                left = a if name == "power" else np.array([a])
                same(getattr(scalar, name)(a, b), getattr(array(), name)(left, np.array([b]))[0])


@pytest.mark.parametrize("name", MANY)
def test_many_values(name: str) -> None:
    with np.errstate(all="ignore"):
        for a in VALUES:
            for b in VALUES:
                if a == b == 0:
                    continue  # numpy does not say which zero is the smaller one
                for parts in ([a, b], [1.0, a, b]):
                    whole = getattr(array(), name)([np.array([x]) for x in parts])
                    same(getattr(scalar, name)(parts), whole[0])


def test_choices() -> None:
    t = np.arange(3.0)
    assert array().where(t < 1, 5.0, t).tolist() == [scalar.where(x < 1, 5.0, x) for x in t.tolist()]
    assert array().choose(t < 1, lambda: 5.0, lambda: 1 / (t + 1)).tolist() == [
        scalar.choose(x < 1, lambda: 5.0, lambda x=x: 1 / (x + 1)) for x in t.tolist()
    ]
    assert array().count([1, 2], t).tolist() == [scalar.count([1, 2], x) for x in t.tolist()]
    assert array().minimum(t, 1).tolist() == [scalar.minimum(x, 1) for x in t.tolist()]


def test_smaller_and_larger() -> None:
    with np.errstate(all="ignore"):
        for a in VALUES:
            for b in VALUES:
                if a == b == 0:
                    continue  # numpy does not say which zero is the smaller one
                for name in ("smaller", "larger"):
                    same(getattr(scalar, name)(a, b), getattr(array(), name)(np.array([a]), np.array([b]))[0])


def test_squares_of_sines() -> None:
    x = np.linspace(-7, 7, 41)
    np.testing.assert_allclose([scalar.sin2(one) for one in x.tolist()], np.sin(x) ** 2, rtol=1e-14, atol=1e-300)
    before = x.copy()
    np.testing.assert_allclose(array().sin2(x), np.sin(x) ** 2, rtol=1e-14, atol=1e-300)
    np.testing.assert_array_equal(x, before)


def test_functions_of_each_step() -> None:
    t = np.arange(4.0)
    assert type(scalar.each(lambda t: np.float64(t) / 2, 3)) is float
    assert array().each(lambda t: t / 2, t).tolist() == [scalar.each(lambda t: t / 2, x) for x in t.tolist()]

    class Whole:
        def __call__(self, t: float) -> float:
            raise AssertionError("there is a function of the array")

        def array(self, t: Any) -> Any:
            return t * 3

    assert array().each(Whole(), t).tolist() == [0, 3, 6, 9]
    assert (array().first(t), scalar.first(2)) == (0, 2)
