"""Formulas: what is allowed means what Python means, for a number and for an array; the rest is refused by name."""

from __future__ import annotations

import copy
import itertools
import math
import pickle
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lr_configs import SchedulerConfigError, formula
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
    "1 - 0.9 * p",
    "3 * 0.5 + 3 / 0.5 + 3 ** 0.5 - 7 // 0.5 + 20 + 3.25 % 0.5 + t",
    "max(base * t, p ** 2)",
]


@pytest.mark.parametrize("text", GOOD)
def test_means_what_python_means(text: str) -> None:
    formula = Formula(text, T=100, base=0.004)
    t = np.arange(130.0)  # beyond the run, too
    steps = [{"t": k, "epoch": k, "T": 100, "p": min(k / 100, 1), "base": 0.004} for k in range(130)]
    expected = [eval(text, {**NAMES, **step}) for step in steps]
    assert [formula(k) for k in range(130)] == pytest.approx(expected, rel=1e-14)
    np.testing.assert_allclose(formula.array(t), expected, rtol=1e-14)


@pytest.mark.parametrize("base", [0.0, 0.3, 2.0])
def test_the_base_is_any_rate(base: float) -> None:
    formula = Formula("base + t", base=base)
    assert (formula(0.0), formula(2.0)) == (base, base + 2)
    assert formula.array(np.arange(3.0)).tolist() == [base, base + 1, base + 2]
    assert Formula("max(base, 0.5) ** 2").of_base(base)(1.0) == max(base, 0.5) ** 2


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
    ("most", "more", "rule"),
    [
        ("1" + " " * 999, "1" + " " * 1000, "a formula has at most 1000 characters, this one 1001"),
        ("-" * 50 + "t", "-" * 51 + "t", "a formula is nested at most 50 levels deep"),
    ],
)
def test_how_long_and_deep_a_formula_may_be(most: str, more: str, rule: str) -> None:
    assert Formula(most)(1.0) == 1
    with pytest.raises(SchedulerConfigError, match=f": {rule}\\. Write"):
        Formula(more)


def test_what_is_long_is_shown_in_part() -> None:
    for length, shown in ((60, "x" * 60), (61, "x" * 57 + "...")):
        with pytest.raises(
            SchedulerConfigError, match=f": '{re.escape(shown)}' is not allowed in a formula: it is none"
        ):
            Formula("x" * length)


def test_an_attribute_may_be_a_function_that_needs_a_name() -> None:
    remedy = "sin tanh floor ceil pi e"
    with pytest.raises(SchedulerConfigError) as caught:
        Formula("mine.decay")
    assert str(caught.value).startswith("lr_lambda='mine.decay': 'mine.decay' is not allowed in a formula. Write arith")
    named = "a function of Python has a name after lr_configs.register('name', function)"
    assert caught.value.remedy.endswith(f"{remedy}; {named}")
    with pytest.raises(SchedulerConfigError) as caught:
        Formula("mine[0]")
    assert caught.value.remedy.endswith(remedy)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("1 / (t - 500)", "the factor is -0.002 at t=0"),
        ("abs(1 / (t - 500))", "fails at t=500"),
        ("sqrt(500 - t)", "fails at t=501"),
        ("2 ** t", "fails at t=1024|inf"),
        ("log(t)", "fails at t=0"),
        ("1 - t / 800", "at t=801"),
        ("-1.0 if t == 777 else 1", "the factor is -1 at t=777"),
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
    assert formula(2) == pickle.loads(pickle.dumps(formula))(2) == copy.deepcopy(formula)(2) == 0.5


def test_T_is_bound_only_where_it_is_used() -> None:
    assert Formula("t / T").bind(4)(1) == 0.25
    assert Formula("t + 1").bind(4) == Formula("t + 1").bind(None)
    for use in (lambda f: f.bind(None), lambda f: f(1), lambda f: f.array(np.arange(3.0)), lambda f: f.check(3)):
        with pytest.raises(SchedulerConfigError, match="T is the run's length, which is not known here"):
            use(Formula("t / T"))


def test_checks_begin_where_the_formula_is_used() -> None:
    formula = Formula("1 / x", variable=("x",))
    formula.check(10, first=1)
    with pytest.raises(SchedulerConfigError, match="the formula fails at x=0, where its value is inf"):
        formula.check(10)
    Formula("1 / t").check(10**8, first=1)


# ---------------------------------------------------------------------------------------- IEEE, number and array

#: as numpy computes them, also where Python raises
IEEE = [
    "2 + tanh(-1 / t)",
    "exp(-1 / t)",
    "exp(-1 / (T - t))",
    "min(t ** -0.5, t * 0.001)",
    "max(0, min(1, 1 / (t - 3)))",
    "exp(-exp(t * 100))",
    "1 / (1 + exp(t * 300))",
    "tanh(log(t)) + 1",
    "min(1, t % (t - 3))",
    "max(0, 0 ** (t - 3))",
    "min(1, sqrt(t - 3))",
    "max(t - 5, (3 - t) ** 0.5)",
    "min(1, abs(log(t)))",
    "tanh(floor(1 / t)) + ceil(t / 7)",
    "1 if 1 / t > 5 else 0.5",
    "(t < 3) ** 0.5 + (not t > 4) * 2 + (1 < t <= 6)",
    "(t and 5) + (t or 3)",
    "-(t < 3) + 2",
    "1 / T if T - 10 else 7",
    "exp(1 / (T - 10) * 0 - t)",
    "0 < (0 < (0 < t < 5) < 2) < 2",
    "min(1, (t - 3) // 0)",
    "((3 - t) * 1e308 * 10 > 0) + 1",
    "min(1 / t, 9) * 0.5 + min(1 / t, 9) ** 0.5 + min(1 / t, 9) ** 2",
    "min(1 / t, 9) / 0.5 - 0.5 + min(1 / t, 9) // 0.5 + min(1 / t, 9) % 0.5",
]


@pytest.mark.parametrize("text", IEEE)
def test_a_number_is_what_an_array_is(text: str) -> None:
    formula = Formula(text, T=10)
    t = np.arange(10.0)
    values = formula.array(t)
    np.testing.assert_allclose([formula.value(x) for x in t.tolist()], values, rtol=1e-14)
    for x, value in zip(t.tolist(), values.tolist(), strict=True):
        if math.isfinite(value):
            assert formula(x) == pytest.approx(value, rel=1e-14)
        else:
            with pytest.raises(SchedulerConfigError, match="the formula fails at"):
                formula(x)


@pytest.mark.parametrize("text", ["2 + tanh(-1 / t)", "exp(-1 / t)", "min(t ** -0.5, t * 0.001)"])
def test_what_python_would_refuse_is_accepted(text: str) -> None:
    formula = Formula(text)
    formula.check(1000)
    assert math.isfinite(formula(0))


def expressions() -> st.SearchStrategy[str]:
    """Formulas whose every operation is exact or rounded once, so that number and array agree to the last digit."""
    leaves = st.sampled_from(["t", "T", "0", "1", "0.5", "3", "1e308", "True", "(t - 3)", "(1 / t)", "pi"])

    def larger(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        operator = st.sampled_from(["+", "-", "*", "/", "//", "%", "<", "<=", "==", "!=", "and", "or"])
        return st.one_of(
            st.tuples(part, operator, part).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
            st.tuples(st.sampled_from(["min", "max"]), part, part).map(lambda p: f"{p[0]}({p[1]}, {p[2]} + 0.0)"),
            st.tuples(st.sampled_from(["abs", "sqrt", "floor", "ceil", "-", "not "]), part).map(
                lambda p: f"({p[0]}({p[1]}))"
            ),
            st.tuples(part, part, part).map(lambda p: f"({p[0]} if {p[1]} else {p[2]})"),
            st.tuples(part, part, part).map(lambda p: f"({p[0]} < {p[1]} <= {p[2]})"),
            part.map(lambda p: f"({p} ** 0.5)"),
        )

    return st.recursive(leaves, larger, max_leaves=12)


@settings(max_examples=500, deadline=None)
@given(expressions())
def test_number_and_array_agree_on_any_formula(text: str) -> None:
    try:
        formula = Formula(text, T=7)
    except SchedulerConfigError:
        return  # a constant part fails
    t = np.array([0.0, 1.0, 2.0, 2.5, 3.0, 7.0, 1e6])
    values = formula.array(t)
    numbers = [formula.value(x) for x in t.tolist()]
    zero = ("min" in text or "max" in text or "%" in text) and "/" in text
    if not zero:  # of two zeros of different sign numpy does not say which is the smaller, and 1 / 0 shows it
        np.testing.assert_array_equal(numbers, values)
    for x, value in zip(t.tolist(), numbers, strict=True):
        if math.isfinite(value):
            assert formula(x) == value


def test_shapes() -> None:
    formula = Formula("t * 2")
    assert formula.array(3.0).shape == ()
    assert formula.array(np.ones((2, 3))).shape == (2, 3)
    assert formula.array(np.empty(0)).shape == (0,)
    assert Formula("2").array(np.arange(4)).tolist() == [2.0] * 4


# ---------------------------------------------------------------------------------------- the whole run


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("1 - t / 2e7", "the factor is -.* at t=2000"),
        ("1 - t / 99999999", None),
        ("1 if t < 99999990 else -1", "the factor is -1 at t=9999999"),
        ("1 if t < T - 1 else -1", "the factor is -1 at t=99999999"),
        ("T - 2 - t", "the factor is -1 at t=99999999"),
        ("T - 1 - t", None),
        ("-1 if 50000001 <= t < 50000003 else 1", "t=50000001"),
        ("1 if t < 50000001 else 1 / (t - 50000001)", "fails at t=50000001"),
        ("1 / (t - 50000001) ** 2 if t > 9 else 1", "fails at t=50000001"),
        ("abs(t - 50000001) - 0.5", "at t=50000001|-0.5"),
        *((f"1 / abs(t - {50_000_000 + offset})", f"at t={50_000_000 + offset}") for offset in range(1, 100, 14)),
        ("(t - 50000001) * (t - 50000004) + 1", "the factor is -1 at t=50000002"),
        ("log(t - 9e7) if t > 8e7 else 1", "fails at t=80000"),
        ("min(1, (5e7 - t) / 1e7 + 3)", "at t=8000"),
        ("2 ** (t / 90000)", "fails at"),
        ("0.5 * (1 + cos(pi * t / T))", None),
    ],
)
def test_a_run_of_a_hundred_million_steps(text: str, match: str | None) -> None:
    formula = Formula(text, T=10**8)
    if match is None:
        formula.check(10**8)
    else:
        with pytest.raises(SchedulerConfigError, match=match):
            formula.check(10**8)


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


def test_a_run_as_long_as_there_is() -> None:
    Formula("0.5 * (1 + cos(pi * t / T))", T=10**15).check(10**15)
    with pytest.raises(SchedulerConfigError, match="the factor is -"):
        Formula("(t / T - 0.3) ** 2 - 1e-20", T=10**15).check(10**15)
    with pytest.raises(SchedulerConfigError, match="the factor is -1 at t=700000000000003"):
        Formula("1 if t != 700000000000003 else -1").check(10**15)


def test_messages_are_short() -> None:
    for text in ("tt + " + "t + " * 40 + "1", "(" + "t + " * 40 + "1) @ 3", "x" * 999):
        with pytest.raises(SchedulerConfigError) as caught:
            Formula(text)
        assert len(str(caught.value)) < 560


# ---------------------------------------------------------------------------------------- at which steps it is checked


def asked_for(text: str, steps: int | None, first: int, monkeypatch: Any) -> list[int]:
    """Every step at which a formula is looked at, with less patience than usual."""
    for name, value in (("_CHECKED_WHOLLY", 400), ("_CHECKED_SAMPLE", 50), ("_CHUNK", 16)):
        monkeypatch.setattr(formula, name, value)
    found: list[int] = []
    one, looks = Formula(text), Formula._check_at

    def look(self: Formula, t: Any) -> Any:
        assert len(t) <= 1000
        found.extend(int(step) for step in t)
        return looks(self, t)

    monkeypatch.setattr(Formula, "_check_at", look)
    one.check_now(steps, first)
    return found


@pytest.mark.parametrize(("steps", "first"), [(1, 0), (16, 0), (17, 0), (400, 0), (400, 3), (100, 99), (32, 32)])
def test_every_step_of_a_short_run_is_checked_once(steps: int, first: int, monkeypatch: Any) -> None:
    assert asked_for("1", steps, first, monkeypatch) == list(range(first, steps))


def test_of_a_run_of_unknown_length_the_first_thousand(monkeypatch: Any) -> None:
    monkeypatch.setattr(formula, "_CHECKED_WHOLLY", 1000)
    found: list[int] = []
    monkeypatch.setattr(Formula, "_check_at", lambda self, t: found.extend(int(step) for step in t))
    Formula("1").check_now(None, 2)
    assert found == list(range(2, 1000))


def test_of_a_long_run_the_beginning_the_end_and_a_sample(monkeypatch: Any) -> None:
    found = asked_for("1 + t", 5000, 0, monkeypatch)
    assert found[:50] == list(range(50))
    assert found[-1000:] == list(range(4000, 5000))
    between = {step for step in found if 50 <= step < 4000}
    assert 35 <= len(between) <= 160  # spread evenly, and dense around the lowest one
    assert max(b - a for a, b in itertools.pairwise(sorted(between))) <= 103
    assert max(found) == 4999


@pytest.mark.parametrize("lowest", [51, 100, 1234, 2600, 4998, 4999])
def test_the_lowest_and_the_highest_step_are_found_between_the_samples(lowest: int, monkeypatch: Any) -> None:
    for text in (f"1 + (t - {lowest}) ** 2", f"1 / (1 + (t - {lowest}) ** 2 / 1e7)"):
        assert lowest in asked_for(text, 5000, 0, monkeypatch)


@pytest.mark.parametrize("change", [777, 3333, 4990, 4999])
def test_both_sides_of_a_change_are_found_between_the_samples(change: int, monkeypatch: Any) -> None:
    """One that is neither the lowest nor the highest."""
    text = f"1 if t < {change - 500} else 3 if t < {change - 300} else 2 if t < {change} else 2.5"
    found = asked_for(text, 5000, 0, monkeypatch)
    assert {change - 2, change - 1, change, min(change + 1, 4999)} <= set(found)
    assert max(found) == 4999


def test_a_formula_in_the_base_is_checked_when_the_base_is_known() -> None:
    one = Formula("1 - base * t")
    one.check(100)
    assert one.of_base(0.001)(50) == 0.95
    assert one.of_base(0.001) is one.of_base(0.001)
    with pytest.raises(SchedulerConfigError, match="the factor is -"):
        one.of_base(1.0)
    with pytest.raises(SchedulerConfigError, match="the factor is -"):
        Formula("1 - base * t", base=1.0).check(100)
    assert Formula("1 - base * t").of_base(1.0)(2) == -1  # nobody has asked for a check


@given(st.lists(st.integers(0, 4), min_size=3, max_size=30), st.integers(1, 5))
def test_valleys_are_the_lowest_local_minima(values: list[int], most: int) -> None:
    lows = [
        i
        for i in range(1, len(values) - 1)
        if values[i] <= min(values[i - 1], values[i + 1]) and values[i] < max(values[i - 1], values[i + 1])
    ]
    assert formula._valleys(np.array(values), most).tolist() == sorted(lows, key=lambda i: values[i])[:most]


@given(st.lists(st.integers(1, 199), min_size=1, max_size=4, unique=True))
def test_changes_of_a_sign_are_found_to_the_step(changes: list[int]) -> None:
    """One between two samples; of two between the same ones the sign is the same again."""
    at = sorted(changes)

    def jumps(t: Any) -> list[Any]:
        return [(-1.0) ** np.searchsorted(at, t, side="right"), np.ones_like(t)]

    t = np.arange(0.0, 201.0, 10)
    alone = [one for one in at if sum((one - 1) // 10 == (other - 1) // 10 for other in at) == 1]
    found = formula._changes(jumps, 0, t, jumps(t)[0]).tolist()
    assert [one for one in found if one in alone] == alone
    assert len(found) >= len(alone)
    assert formula._changes(jumps, 1, t, jumps(t)[1]).size == 0
