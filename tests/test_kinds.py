"""What a key may hold: what is kept of it, what is refused and how, and what lists, errors and editors say of it."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from lr_configs import SchedulerConfigError
from lr_configs.kinds import (
    Choice,
    Flag,
    FormulaKind,
    Kind,
    LengthKind,
    Lengths,
    Number,
    OrNull,
    PerGroup,
    Text,
)

inf, nan = math.inf, math.nan
SHARE = Number(0, 1, open_high=True)
COUNT = Number(1, integer=True)
BASE = Number(0, open_low=True)

#: a kind, its words, pairs of what is given and what is kept, and what is refused with the error's words
KINDS: dict[str, tuple[Kind, str, list[tuple[Any, Any]], list[tuple[Any, str]]]] = {
    "number": (
        Number(),
        "a finite number",
        [(0, 0), (-1.5, -1.5), ("1e-3", 0.001), (" -2 ", -2.0), (10**30, 10**30), (np.float32(0.5), 0.5), (np.int64(3), 3)],
        [
            (inf, "k=inf: this must be a finite number. Write a finite number."),
            (nan, "k=nan: this must be a finite number."),
            ("x", "k='x': this is not a number. Write a finite number."),
            (True, "k=True: this is not a number. Write a finite number."),
            (None, "k=None: this is not a number."),
            ([1], "k=[1]: this is not a number."),
            (1j, "k=1j: this is not a number."),
            (10**400, "this must be a finite number. Write a finite number."),
            (Fraction(10**400), "this number is out of range. Write a finite number."),
        ],
    ),
    "half open": (
        SHARE,
        "a number at least 0 and below 1",
        [(0, 0), ("0", 0.0), (0.999, 0.999)],
        [
            (1, "k=1: this must be a number at least 0 and below 1. Write a number at least 0 and below 1."),
            (1.5, "this must be"),
            (-1e-9, "this must be"),
        ],
    ),
    "above": (BASE, "a number above 0", [(1e-9, 1e-9), (5, 5)], [(0, "this must be a number above 0"), (-1, "must be")]),
    "at most": (Number(high=2), "a number at most 2", [(2, 2), (-9, -9)], [(2.001, "this must be a number at most 2")]),
    "between": (
        Number(0, 1, open_low=True, open_high=True),
        "a number above 0 and below 1",
        [(0.5, 0.5)],
        [(0, "must be"), (1, "must be")],
    ),
    "integer": (Number(integer=True), "an integer", [(-3, -3), (2.0, 2), ("1e2", 100)], [(2.5, "k=2.5: this must be an integer")]),
    "count": (COUNT, "an integer at least 1", [(1, 1), ("7", 7)], [(0, "must be an integer at least 1"), (1.5, "must be")]),
    "one for each": (
        PerGroup(SHARE, share=False, optional=False),
        "a number at least 0 and below 1",
        [(0.5, 0.5), ([0.5, "0.25"], [0.5, 0.25]), ((0.5,), [0.5]), ({"a": 0.5, 1: 0}, {"a": 0.5, "1": 0})],
        [
            ([], "k=[]: a list has one value per parameter group. Write one number or a list."),
            ([0.5, 2], "k.1=2: this must be a number at least 0 and below 1."),
            ({"a": 2}, "k.a=2: this must be"),
            ("1%", "k='1%': this is not a number."),
            (None, "k=None: this is not a number."),
        ],
    ),
    "shares": (
        PerGroup(SHARE, share=True, optional=True),
        "a number at least 0 and below 1, or a share of the group's own rate (1%), or null",
        [(" 50% ", "50%"), (None, None), ([None, "1 %"], [None, "1 %"]), (0.5, 0.5), ({"a": None}, {"a": None})],
        [("100%", "k=1.0: this must be a number at least 0 and below 1."), ("x%", "k='x%'"), ([True], "k.0=True")],
    ),
    "length": (
        LengthKind(),
        "a length (30, '30ep', '500st', '10%')",
        [("10%", "10%"), ("30", 30), (30.0, 30), ("1e3st", "1e3st"), ("0.5ep", "0.5ep"), (7, 7)],
        [(0, "k=0: "), (None, "k=None: "), (-1, "k=-1: "), (1.5, "k=1.5: "), ("101%", "k='101%': "), (True, "k=True: ")],
    ),
    "length or 0": (
        LengthKind(zero=True),
        "a length (30, '30ep', '500st', '10%'), or 0",
        [(0, 0), (None, 0), ("0%", 0), ("0ep", 0), ("5", 5), ("5%", "5%")],
        [(-1, "k=-1: "), ("x", "k='x': ")],
    ),
    "lengths": (
        Lengths(),
        "a rising list of lengths",
        [([30, 60], [30, 60]), (("50%", "75%"), ["50%", "75%"]), ([5, "1%"], [5, "1%"]), (["3"], [3])],
        [
            ([], "k=[]: this is a list of lengths. Write [30, 60] or [50%, 75%]."),
            ("30", "k='30': this is a list of lengths."),
            ([30, 30], "k=[30, 30]: milestones rise strictly. Sort them, each only once."),
            (["60%", "50%"], "milestones rise strictly"),
            ([1, 0], "k.1=0: "),
        ],
    ),
    "choice": (
        Choice("cosine", "linear", hints={"cos": "cosine"}),
        "one of cosine, linear",
        [("cosine", "cosine"), ("linear", "linear")],
        [
            ("Cos", "k='Cos': this is one of cosine, linear. did you mean 'cosine'?"),
            ("liner", "k='liner': this is one of cosine, linear. did you mean 'linear'?"),
            (3, "k=3: this is one of cosine, linear. Write cosine."),
            (None, "k=None: this is one of"),
        ],
    ),
    "flag": (Flag(), "true or false", [(True, True), (False, False)], [(1, "k=1: this is true or false. Write true or false."), ("x", "k='x'")]),
    "flag or word": (
        Flag("auto"),
        "true or false or auto",
        [("auto", "auto"), (True, True)],
        [("off", "k='off': this is true or false or auto. Write true or false or auto."), (0, "k=0")],
    ),
    "formula": (
        FormulaKind(("t", "epoch"), optional=False),
        "a formula in t or epoch, or a list with one for each parameter group",
        [("0.9 ** epoch", "0.9 ** epoch"), (0.5, "0.5"), (2, "2"), (["t", 1], ["t", "1"]), (("t",), ["t"]), (abs, abs)],
        [
            (True, "k=True: this is a formula as text, or a Python callable. Write '0.95 ** epoch'."),
            (None, "k=None: this is a formula"),
            ([], "k=[]: this is a formula"),
            (["t", None], "k.1=None: this is a formula"),
            ("x + 1", "k='x + 1'"),
        ],
    ),
    "formula or null": (
        FormulaKind(("x",), optional=True),
        "a formula in x, or null",
        [(None, None), ("x", "x"), (1.5, "1.5")],
        [(["x"], "k=['x']: this is a formula"), (False, "k=False")],
    ),
    "text": (
        Text("this names a metric", "Write val_loss", "a metric"),
        "a metric",
        [("x", "x")],
        [("", "k='': this names a metric. Write val_loss."), (3, "k=3: this names a metric")],
    ),
    "text or nothing": (Text("rule", "Do it", "words", empty=True), "words", [("", ""), ("x", "x")], [(None, "k=None: rule. Do it.")]),
    "or null": (
        OrNull(COUNT),
        "an integer at least 1, or null",
        [(None, None), (3, 3)],
        [(0, "k=0: this must be an integer at least 1. Write an integer at least 1.")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_what_is_kept(name: str) -> None:
    kind, words, pairs, _ = KINDS[name]
    assert kind.words == words
    for given, kept in pairs:
        found = kind(given, "k")
        assert (found, type(found)) == (kept, type(kept))
        if isinstance(found, list):
            assert [type(one) for one in found] == [type(one) for one in kept]


@pytest.mark.parametrize("name", KINDS)
def test_what_is_refused(name: str) -> None:
    kind, _, _, refused = KINDS[name]
    for given, says in refused:
        with pytest.raises(SchedulerConfigError, match=re.escape(says)):
            kind(given, "k")


NUMBER = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
INTEGER = r"(?:[0-9]+(?:\.0*)?|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+))"
ABOVE = r"(?=[0.]*[1-9])"
ONE_SHARE = {"type": ["number", "string", "null"], "minimum": 0, "exclusiveMaximum": 1}
ONE_FORMULA = {"type": ["string", "number", "object"], "minLength": 1, "maxLength": 1000, "required": ["_target_"]}
SCHEMAS: dict[str, Any] = {
    "number": {"type": ["number", "string"], "pattern": rf"\s*[+-]?{NUMBER}\s*"},
    "half open": {"type": ["number", "string"], "minimum": 0, "exclusiveMaximum": 1, "pattern": rf"\s*\+?{NUMBER}\s*"},
    "above": {"type": ["number", "string"], "exclusiveMinimum": 0, "pattern": rf"\s*\+?{ABOVE}{NUMBER}\s*"},
    "at most": {"type": ["number", "string"], "maximum": 2, "pattern": rf"\s*[+-]?{NUMBER}\s*"},
    "count": {"type": ["integer", "string"], "minimum": 1, "pattern": rf"\s*\+?{ABOVE}{INTEGER}\s*"},
    "integer": {"type": ["integer", "string"], "pattern": rf"\s*[+-]?{INTEGER}\s*"},
    "shares": {
        **ONE_SHARE,
        "type": ["number", "string", "null", "array", "object"],
        "pattern": rf"\s*\+?{NUMBER}\s*(?:%\s*)?",
        "items": {**ONE_SHARE, "pattern": rf"\s*\+?{NUMBER}\s*(?:%\s*)?"},
        "minItems": 1,
        "additionalProperties": {**ONE_SHARE, "pattern": rf"\s*\+?{NUMBER}\s*(?:%\s*)?"},
    },
    "choice": {"enum": ["cosine", "linear"]},
    "flag": {"type": "boolean"},
    "flag or word": {"enum": [True, False, "auto"]},
    "formula": {
        **ONE_FORMULA,
        "type": ["string", "number", "object", "array"],
        "items": ONE_FORMULA,
        "minItems": 1,
    },
    "formula or null": {**ONE_FORMULA, "type": ["string", "number", "object", "null"]},
    "text": {"type": "string", "minLength": 1},
    "text or nothing": {"type": "string"},
    "or null": {"type": ["integer", "string", "null"], "minimum": 1, "pattern": rf"\s*\+?{ABOVE}{INTEGER}\s*"},
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_an_editor_is_told(name: str) -> None:
    assert KINDS[name][0].schema() == SCHEMAS[name]


def test_what_an_editor_is_told_of_lengths() -> None:
    length, zero = LengthKind().schema(), LengthKind(zero=True).schema()
    assert (length["type"], length["minimum"], length["maximum"]) == (["integer", "string"], 1, 10**15)
    assert (zero["type"], zero["minimum"], zero["maximum"]) == (["integer", "string", "null"], 0, 10**15)
    assert Lengths().schema() == {"type": "array", "items": length, "minItems": 1, "uniqueItems": True}
    for text in ("30", "+30", " 30st ", "1e3", "1.5ep", "10%", "100.0%", ".5 %"):
        assert re.fullmatch(length["pattern"], text), text
        assert re.fullmatch(zero["pattern"], text), text
    for text in ("", "-1", "1.5", "1.5st", "101%", "30x", "ep"):
        assert not re.fullmatch(zero["pattern"], text), text
    for text in ("0", "0%", "0.0ep"):
        assert re.fullmatch(zero["pattern"], text), text
        assert not re.fullmatch(length["pattern"], text), text
