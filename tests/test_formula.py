"""Formulas: what is allowed means what Python means, for a number and for an array; the rest is refused by name."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lr_configs import SchedulerConfigError
from lr_configs.formula import Formula

NAMES = {
    "pi": math.pi, "e": math.e, "min": min, "max": max, "abs": abs, "sqrt": math.sqrt, "exp": math.exp, "log": math.log,
    "log2": math.log2, "log10": math.log10, "cos": math.cos, "sin": math.sin, "tanh": math.tanh,
    "floor": math.floor, "ceil": math.ceil,
}  # fmt: skip
GOOD = [
    "0.95 ** epoch",
    "0.5 if epoch < 40 else 0.25 if epoch < 70 else 0.125 if epoch < 90 else 0.0625",
    "1 / sqrt(1 + t / 1000)",
    "0.5 * (1 + cos(pi * t / T))",
    "min(1, (t + 1) / 10)",
    "max(0.1, 1 - t / T, 0.2)",
    "exp(-t / 50) + abs(sin(t)) * 0.1",
    "(t // 10) % 3 + 1",
    "1.0 if 10 <= t < 20 or t == 5 else 0.5 if not t > 50 and t != 3 else 0.25",
    "floor(t / 7) + ceil(t / 9) + log(1 + t) + log2(2 + t) + log10(10 + t) + tanh(t)",
    "+t - -t * 2 + e",
    "1 / (1 + exp(t - 50))",
    "1 / t if t > 0 else 1",
    "T - t if T > 50 else 0",
]


@pytest.mark.parametrize("text", GOOD)
def test_means_what_python_means(text: str) -> None:
    formula = Formula(text, T=100)
    t = np.arange(100.0)
    expected = [eval(text, {**NAMES, "t": k, "epoch": k, "T": 100}) for k in range(100)]
    assert [formula(k) for k in range(100)] == pytest.approx(expected, rel=1e-14)
    np.testing.assert_allclose(formula.array(t), expected, rtol=1e-14)


REFUSED = {
    "attribute": ("t.real", "'t.real' is not allowed"),
    "dunder": ("t.__class__.__mro__", "'t.__class__.__mro__' is not allowed"),
    "subscript": ("[1, 2][0]", r"'\[1, 2\]\[0\]' is not allowed"),
    "call": ("__import__('os').system('true')", "is not allowed"),
    "open": ("open('x')", "'open' is not one of its functions"),
    "misspelt call": ("cso(t)", "did you mean 'cos'"),
    "name": ("tt + 1", "'tt' is not allowed in a formula: it is none of t epoch T"),
    "string": ("'a' * 3", "''a'' is not allowed|\"'a'\" is not allowed"),
    "lambda": ("lambda: 1", "'lambda: 1' is not allowed"),
    "comprehension": ("[t for t in (1,)]", "is not allowed"),
    "walrus": ("(x := 3)", "is not allowed"),
    "keyword": ("min(1, 2, key=abs)", "is not allowed"),
    "star": ("min(*(1, 2))", "is not allowed"),
    "bits": ("t << 2", "'t << 2' is not allowed"),
    "membership": ("t in (1, 2)", "is not allowed"),
    "identity": ("t is t", "is not allowed"),
    "huge power": ("9 ** 9 ** 9", r"'9 \*\* 9 \*\* 9' is not allowed in a formula: its value is inf"),
    "huge number": ("1e999", "this number is not finite"),
    "complex": ("1j", "'1j' is not allowed"),
    "division": ("t + 1 / 0", "'1 / 0' is not allowed"),
    "root": ("t + (-8) ** 0.5", r"is not allowed"),
    "syntax": ("1 +", "this is not a formula"),
    "statement": ("import os", "this is not a formula"),
    "empty": ("", "this is not a formula"),
    "overlong": ("1+" * 600 + "1", "at most 1000 characters"),
    "deep": ("(" * 90 + "1" + ")" * 90 + "+1" * 80, "nested"),
    "too few": ("min(1)", "min takes two or more values"),
    "too many": ("sin(1, 2)", "sin takes one value"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name(case: str) -> None:
    text, match = REFUSED[case]
    with pytest.raises(SchedulerConfigError, match=match) as caught:
        Formula(text)
    assert caught.value.key == "lr_lambda"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("1 / (t - 500)", "the factor is -0.002 at t=0"),
        ("abs(1 / (t - 500))", "fails at t=500"),
        ("sqrt(500 - t)", "fails at t=501"),
        ("2 ** t", "fails at t=1024|inf"),
        ("log(t)", "fails at t=0"),
        ("1 - t / 800", "at t=801"),
    ],
)
def test_failing_within_the_run(text: str, match: str) -> None:
    with pytest.raises(SchedulerConfigError, match=match):
        Formula(text).check(2000)


def test_copies() -> None:
    formula = Formula("t / T", T=4)
    assert pickle.loads(pickle.dumps(formula)) == formula == copy.deepcopy(formula)
    assert hash(formula) == hash(Formula("t / T", T=4))
    assert formula != Formula("t / T", T=5)
    assert not hasattr(formula, "__dict__")  # torch would copy it into checkpoints


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="tTepochinsqrmaxlg0123456789.+-*/%()<>=, ifelse_[]'\"", max_size=40))
def test_any_text_is_a_formula_or_a_config_error(text: str) -> None:
    try:
        formula = Formula(text, T=10)
        formula.check(20)
    except SchedulerConfigError:
        return
    values = formula.array(np.arange(20.0))
    np.testing.assert_allclose([formula(t) for t in range(20)], values, rtol=1e-12)
