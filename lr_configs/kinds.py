"""What a key may hold: a check, which also says in words and as JSON Schema what it lets through."""

from __future__ import annotations

import itertools
import math
import numbers
from collections.abc import Mapping
from typing import Any

from lr_configs.errors import SchedulerConfigError, nearest
from lr_configs.expressions import MAX_LENGTH
from lr_configs.formula import Formula
from lr_configs.groups import share_of
from lr_configs.horizon import LARGEST, Length

#: a JSON Schema, or a part of one
Schema = dict[str, Any]

# Patterns of text in the schemas, of the regular expressions that Python and ECMAScript share.
_DIGITS = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
_POSITIVE = r"(?=[0.]*[1-9])"
_EXPONENT = r"(?:[eE][+-]?[0-9]+)"
_INTEGER = rf"(?:[0-9]+(?:\.0*)?|{_DIGITS}{_EXPONENT})"
_SHARE = rf"0*(?:100(?:\.0*)?|[0-9]{{1,2}}(?:\.[0-9]*)?|\.[0-9]+|{_DIGITS}{_EXPONENT})"


class Kind:
    """What a key may hold; called with the value and the key, it returns the value to keep.

    Raises:
        SchedulerConfigError: when called, for what it does not let through.
    """

    def __call__(self, value: Any, key: str) -> Any:
        """The value to keep."""
        raise NotImplementedError

    @property
    def words(self) -> str:
        """What it lets through: ``a number at least 0``."""
        raise NotImplementedError

    def schema(self) -> Schema:
        """What it lets through, as JSON Schema.

        A keyword binds values of its own type only, so that several types stand side by side without a choice between
        schemas: editors then say what is wrong with the value that is there. A ``pattern`` is one of the whole text.
        """
        return {}


class Number(Kind):
    """A finite number in a range, or text that is one.

    Args:
        low: lowest value.
        high: highest value.
        open_low: whether `low` itself is refused.
        open_high: whether `high` itself is.
        integer: whether it has no fraction.

    >>> Number(0, 1, open_high=True)("0.5", "factor")
    0.5
    >>> Number(0, 1, open_high=True).words
    'a number at least 0 and below 1'
    """

    def __init__(
        self,
        low: float = -math.inf,
        high: float = math.inf,
        *,
        open_low: bool = False,
        open_high: bool = False,
        integer: bool = False,
    ) -> None:
        self.low, self.high, self.open_low, self.open_high, self.integer = low, high, open_low, open_high, integer

    @property
    def words(self) -> str:
        """Its range."""
        kind = "an integer" if self.integer else "a number"
        if self.low == -math.inf and self.high == math.inf:
            return kind if self.integer else "a finite number"
        lower = "" if self.low == -math.inf else f"{'above' if self.open_low else 'at least'} {self.low:g}"
        upper = "" if self.high == math.inf else f"{'below' if self.open_high else 'at most'} {self.high:g}"
        return f"{kind} " + " and ".join(part for part in (lower, upper) if part)

    def __call__(self, value: Any, key: str) -> Any:
        """An integer, or a float."""
        number = self._read(value, key)
        try:
            inside = self.low <= number <= self.high and math.isfinite(number)
        except OverflowError:  # an integer that no float holds
            inside = False
        if inside and ((self.open_low and number == self.low) or (self.open_high and number == self.high)):
            inside = False
        if not inside or (self.integer and number != int(number)):
            raise SchedulerConfigError(key, value, f"this must be {self.words}", f"Write {self.words}")
        return int(number) if self.integer else number

    def _read(self, value: Any, key: str) -> Any:
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                raise SchedulerConfigError(key, value, "this is not a number", f"Write {self.words}") from None
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise SchedulerConfigError(key, value, "this is not a number", f"Write {self.words}")
        try:
            # numpy's numbers would end in the checkpoint, which could then not be loaded safely
            return int(value) if isinstance(value, numbers.Integral) else float(value)
        except OverflowError:
            raise SchedulerConfigError(key, value, "this number is out of range", f"Write {self.words}") from None

    def schema(self) -> Schema:
        """A number, or text; of text only the sign is held against the range."""
        sign = r"\+?" if self.low >= 0 else "[+-]?"
        positive = _POSITIVE if self.low > 0 or (self.low == 0 and self.open_low) else ""
        digits = _INTEGER if self.integer else f"{_DIGITS}{_EXPONENT}?"
        bounds = {
            "exclusiveMinimum" if self.open_low else "minimum": self.low,
            "exclusiveMaximum" if self.open_high else "maximum": self.high,
        }
        finite = {keyword: bound for keyword, bound in bounds.items() if math.isfinite(bound)}
        return {
            "type": ["integer" if self.integer else "number", "string"],
            **finite,
            "pattern": rf"\s*{sign}{positive}{digits}\s*",
        }


class PerGroup(Kind):
    """One number, or one for each parameter group: a list, or a mapping by group name or index.

    Args:
        number: what each of them is.
        share: whether text like ``1%``, a share of the group's own rate, is one.
        optional: whether null is one.
    """

    def __init__(self, number: Number, *, share: bool, optional: bool) -> None:
        self.number, self.share, self.optional = number, share, optional

    @property
    def words(self) -> str:
        """Those of the number, and the other forms."""
        share = ", or a share of the group's own rate (1%)" if self.share else ""
        return f"{self.number.words}{share}, or null" if self.optional else f"{self.number.words}{share}"

    def __call__(self, value: Any, key: str) -> Any:
        """The number, or a list or a dict of them."""
        if isinstance(value, Mapping):
            return {str(k): self._one(v, f"{key}.{k}") for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            if not value:
                raise SchedulerConfigError(
                    key, value, "a list has one value per parameter group", "Write one number or a list"
                )
            return [self._one(v, f"{key}.{i}") for i, v in enumerate(value)]
        return self._one(value, key)

    def _one(self, value: Any, key: str) -> Any:
        if value is None and self.optional:
            return None
        part = share_of(value) if self.share else None
        if part is not None:
            self.number(part, key)
            return str(value).strip()
        return self.number(value, key)

    def schema(self) -> Schema:
        """The number, and lists and objects of it."""
        one = self.number.schema()
        if self.share:
            one["pattern"] = rf"{one['pattern']}(?:%\s*)?"
        if self.optional:
            one["type"] = [*one["type"], "null"]
        return {
            **one,
            "type": [*one["type"], "array", "object"],
            "items": one,
            "minItems": 1,
            "additionalProperties": one,
        }


class LengthKind(Kind):
    """A length, see :mod:`lr_configs.horizon`, as it is kept: an integer, or text with a unit.

    Args:
        zero: whether 0 (or null, for it) is one.

    >>> LengthKind()("10%", "T_max"), LengthKind()("30", "T_max")
    ('10%', 30)
    """

    def __init__(self, *, zero: bool = False) -> None:
        self.zero = zero

    @property
    def words(self) -> str:
        """Its forms."""
        return f"a length (30, '30ep', '500st', '10%'){', or 0' if self.zero else ''}"

    def __call__(self, value: Any, key: str) -> Any:
        """An integer, or the text."""
        parsed = Length.parse(0 if value is None and self.zero else value, key, zero=self.zero)
        if parsed.amount == 0:
            return 0
        return str(value) if parsed.unit else int(parsed.amount)

    def schema(self) -> Schema:
        """An integer, or text with a unit."""
        positive = "" if self.zero else _POSITIVE
        text = rf"\s*\+?{positive}(?:{_INTEGER}\s*(?:st)?|{_DIGITS}{_EXPONENT}?\s*ep|{_SHARE}\s*%)\s*"
        types = ["integer", "string", "null"] if self.zero else ["integer", "string"]
        return {"type": types, "minimum": 0 if self.zero else 1, "maximum": LARGEST, "pattern": text}


#: a length above 0
check_length = LengthKind()


class Lengths(Kind):
    """A rising list of positions, each a length."""

    words = "a rising list of lengths"

    def __call__(self, value: Any, key: str) -> Any:
        """The list."""
        if not isinstance(value, (list, tuple)) or not value:
            raise SchedulerConfigError(key, value, "this is a list of lengths", "Write [30, 60] or [50%, 75%]")
        checked = [check_length(v, f"{key}.{i}") for i, v in enumerate(value)]
        parsed = [Length.parse(v, key) for v in checked]
        for before, after in itertools.pairwise(parsed):
            if before.unit == after.unit and before.amount >= after.amount:
                raise SchedulerConfigError(key, value, "milestones rise strictly", "Sort them, each only once")
        return checked

    def schema(self) -> Schema:
        """A list of lengths."""
        return {"type": "array", "items": check_length.schema(), "minItems": 1, "uniqueItems": True}


class Choice(Kind):
    """One of a few words.

    Args:
        *options: the words.
        hints: what people write for them elsewhere.
    """

    def __init__(self, *options: str, hints: Mapping[str, str] | None = None) -> None:
        self.options, self.hints = options, hints or {}

    @property
    def words(self) -> str:
        """The words."""
        return f"one of {', '.join(self.options)}"

    def __call__(self, value: Any, key: str) -> Any:
        """The word."""
        if isinstance(value, str) and value in self.options:
            return value
        known = self.hints.get(str(value).lower())
        hint = f"did you mean {known!r}? " if known else nearest(str(value), self.options)
        raise SchedulerConfigError(key, value, f"this is {self.words}", hint.strip() or f"Write {self.options[0]}")

    def schema(self) -> Schema:
        """An enumeration."""
        return {"enum": list(self.options)}


class Flag(Kind):
    """True or false, or one of a few words.

    Args:
        *others: the words.
    """

    def __init__(self, *others: str) -> None:
        self.others = others

    @property
    def words(self) -> str:
        """The two, and the words."""
        return " or ".join(("true", "false", *self.others))

    def __call__(self, value: Any, key: str) -> Any:
        """The flag, or the word."""
        if not isinstance(value, bool) and not (isinstance(value, str) and value in self.others):
            raise SchedulerConfigError(key, value, f"this is {self.words}", f"Write {self.words}")
        return value

    def schema(self) -> Schema:
        """A boolean, or an enumeration."""
        return {"enum": [True, False, *self.others]} if self.others else {"type": "boolean"}


class FormulaKind(Kind):
    """A formula as text, or a Python callable; where it is not optional, a list has one for each parameter group.

    Args:
        variables: what stands for the step.
        optional: whether null is one.
    """

    def __init__(self, variables: tuple[str, ...], *, optional: bool) -> None:
        self.variables, self.optional = variables, optional

    @property
    def words(self) -> str:
        """Its variables."""
        several = ", or null" if self.optional else ", or a list with one for each parameter group"
        return f"a formula in {' or '.join(self.variables)}{several}"

    def __call__(self, value: Any, key: str) -> Any:
        """The text, the callable, or a list of them."""
        if value is None and self.optional:
            return None
        if isinstance(value, (list, tuple)) and value and not self.optional:
            return [self._one(v, f"{key}.{i}") for i, v in enumerate(value)]
        return self._one(value, key)

    def _one(self, value: Any, key: str) -> Any:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            value = repr(value)  # an unquoted constant formula, `lr_lambda: 0.95`
        if not isinstance(value, str) and not callable(value):
            raise SchedulerConfigError(
                key, value, "this is a formula as text, or a Python callable", "Write '0.95 ** epoch'"
            )
        if isinstance(value, str):
            Formula(value, key, variable=self.variables)
        return value

    def schema(self) -> Schema:
        """Text, a constant, or a node of which Hydra makes a function."""
        one: Schema = {
            "type": ["string", "number", "object"],
            "minLength": 1,
            "maxLength": MAX_LENGTH,
            "required": ["_target_"],
        }
        if self.optional:
            return {**one, "type": [*one["type"], "null"]}
        return {**one, "type": [*one["type"], "array"], "items": one, "minItems": 1}


class Text(Kind):
    """Text.

    Args:
        rule: what it stands for.
        remedy: what to write, for errors.
        words: what it is, for lists.
        empty: whether it may be empty.
    """

    def __init__(self, rule: str, remedy: str, words: str, *, empty: bool = False) -> None:
        self._rule, self._remedy, self._words, self._empty = rule, remedy, words, empty

    @property
    def words(self) -> str:
        """What it is."""
        return self._words

    def __call__(self, value: Any, key: str) -> Any:
        """The text."""
        if not isinstance(value, str) or not (value or self._empty):
            raise SchedulerConfigError(key, value, self._rule, self._remedy)
        return value

    def schema(self) -> Schema:
        """Text."""
        return {"type": "string"} if self._empty else {"type": "string", "minLength": 1}


class OrNull(Kind):
    """What another kind lets through, or null."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    @property
    def words(self) -> str:
        """Those of the kind."""
        return f"{self.kind.words}, or null"

    def __call__(self, value: Any, key: str) -> Any:
        """The value, or None."""
        return None if value is None else self.kind(value, key)

    def schema(self) -> Schema:
        """The kind's, with null."""
        one = self.kind.schema()
        types = one["type"] if isinstance(one["type"], list) else [one["type"]]
        return {**one, "type": [*types, "null"]}
