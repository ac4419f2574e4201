"""Lengths with units, the size of a run, and the one place that rounds.

A length is an integer in scheduler steps (``30``), or text with a unit: ``30ep`` epochs, ``500st``
optimizer updates, ``10%`` of the run. Everything here is exact arithmetic on fractions until
:meth:`Clock.round`.

**Rounding.** Where the interval is ``step``, a position in the run is rounded to the nearest scheduler
step, halves upwards; a sum of lengths is rounded as one position, so parts always add up to the whole.
Where the interval is ``epoch`` nothing is rounded: a length is a whole number of epochs or an error. A share
of the run is at least one scheduler step; an absolute length that would round to 0 is an error.
"""

from __future__ import annotations

import math
import numbers
import operator
import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from typing import Any

from lr_configs.errors import SchedulerConfigError, nearest

#: unit -> what it counts, in the singular
UNITS = {"ep": "epoch", "st": "update", "%": "share of the run"}
FORMS = "Write an integer (30), epochs ('30ep'), optimizer updates ('500st') or a share of the run ('10%')"
#: more than any run has, and still counted exactly by a float
LARGEST = 10**15

_LENGTH = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d+))?)\s*([a-zA-Z%]*)\s*", re.ASCII)
_LONGEST_TEXT, _LARGEST_EXPONENT = 60, 30
_OWN_UNIT = {"epoch": "ep", "step": "st"}
_HORIZONS = "Write Horizon(epochs=90, steps_per_epoch=391) or Horizon(steps=35190)"


def amount_text(amount: Fraction | int, noun: str = "") -> str:
    """A number for a message, with what it counts.

    >>> amount_text(Fraction(5, 2), "epoch"), amount_text(1, "update"), amount_text(1234567)
    ('2.5 epochs', '1 update', '1234567')
    """
    number = str(int(amount)) if Fraction(amount).denominator == 1 else f"{float(amount):.6g}"
    return f"{number} {noun}{'' if amount == 1 else 's'}" if noun else number


def _shown(value: Any) -> Any:
    """`value` for a message; Python refuses to write an integer of more than 4,300 digits."""
    if isinstance(value, int) and abs(value) > LARGEST**4:
        return f"an integer of about {int(value.bit_length() * math.log10(2)) + 1} digits"
    return value


# ---------------------------------------------------------------------------------------- lengths


@dataclass(frozen=True)
class Length:
    """A length as it was written.

    Attributes:
        amount: the number, exact.
        unit: ``"ep"``, ``"st"``, ``"%"``, or ``""`` where none was written.
    """

    amount: Fraction
    unit: str

    @classmethod
    def parse(cls, value: Any, key: str, *, zero: bool = False) -> Length:
        """Read a length; ``zero`` says whether 0 is one.

        Raises:
            SchedulerConfigError: for anything else, whatever it is.

        >>> Length.parse("2.5%", "warmup")
        Length(amount=Fraction(5, 2), unit='%')
        >>> Length.parse(1e4, "T_max").amount
        Fraction(10000, 1)
        >>> Length.parse("10min", "T_max")
        Traceback (most recent call last):
        lr_configs.errors.SchedulerConfigError: T_max='10min': 'min' is not a unit of length. Write ...
        """
        if isinstance(value, Length):
            return value
        amount, unit = _read(value, key)
        if unit and unit not in UNITS:
            raise SchedulerConfigError(key, value, f"{unit!r} is not a unit of length", _unit_hint(unit) + FORMS)
        if amount < 0 or (amount == 0 and not zero):
            rule = "a length is not negative" if zero else "a length is positive"
            raise SchedulerConfigError(key, _shown(value), rule, FORMS)
        if amount > LARGEST:
            raise SchedulerConfigError(key, _shown(value), "a length is at most 1e15", FORMS)
        if unit == "%" and amount > 100:
            raise SchedulerConfigError(
                key, value, "a share of the run is at most 100%", "Write a share up to 100%, or '30ep'"
            )
        if unit in ("", "st") and amount.denominator != 1:
            hint = f"did you mean '{amount_text(amount * 100)}%'? " if not unit and amount < 1 else ""
            raise SchedulerConfigError(key, value, "a number of steps is an integer", hint + FORMS)
        return cls(amount, unit)

    @property
    def is_share(self) -> bool:
        """Whether this is a share of the run."""
        return self.unit == "%"


def _read(value: Any, key: str) -> tuple[Fraction, str]:
    """The number and the unit of a length, whatever they are."""
    if isinstance(value, numbers.Rational) and not isinstance(value, bool):
        return Fraction(int(value.numerator), int(value.denominator)), ""
    if isinstance(value, bool) or not isinstance(value, (str, numbers.Real)):
        raise SchedulerConfigError(key, value, "a length is a number or text with a unit", FORMS)
    text = str(value)
    match = _LENGTH.fullmatch(text) if len(text) <= _LONGEST_TEXT else None
    if match is None:
        raise SchedulerConfigError(key, value, "this is not a length", FORMS)
    number, exponent, unit = match.groups()
    if abs(int(exponent or 0)) > _LARGEST_EXPONENT:  # a fraction of that size takes for ever
        raise SchedulerConfigError(key, value, "this number is out of the range of lengths", FORMS)
    return Fraction(number), unit


def _unit_hint(unit: str) -> str:
    words = {
        **dict.fromkeys(("epoch", "epochs", "e"), "ep"),
        **dict.fromkeys(("step", "steps", "s", "update", "updates", "it", "iter", "iters", "batch", "batches"), "st"),
        **dict.fromkeys(("pct", "percent"), "%"),
    }
    return f"did you mean '{words[unit.lower()]}'? " if unit.lower() in words else nearest(unit, UNITS)


# ---------------------------------------------------------------------------------------- the run


def _count(value: Any, key: str) -> int:
    """A positive integer of any kind: Python's, numpy's, or a float without a fraction."""
    try:
        whole = int(value) if isinstance(value, float) and value.is_integer() else operator.index(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        whole = 0
    if isinstance(value, bool) or not 0 < whole <= LARGEST:
        raise SchedulerConfigError(
            key, _shown(value), "a run has a positive whole number of epochs and steps, at most 1e15", _HORIZONS
        )
    return whole


@dataclass(frozen=True)
class Horizon:
    """The size of a run, in optimizer updates as this run makes them.

    Gradient accumulation is already divided out; the number of processes does not enter.

    Args:
        epochs: number of epochs; may be left out where ``steps`` says where the run ends.
        steps_per_epoch: updates in each epoch, or a list with one number for every epoch (gradient
            accumulation may change between epochs).
        steps: updates in the whole run.

    Raises:
        SchedulerConfigError: for sizes that are no positive integers, or that contradict each other.

    >>> Horizon(epochs=90, steps_per_epoch=391).total_steps
    35190
    >>> Horizon(steps=1000, steps_per_epoch=400).total_epochs
    Fraction(5, 2)
    >>> Horizon(steps=1000).total_epochs is None
    True
    """

    epochs: int | None = None
    # int, sequence of int or None; OmegaConf, which `instantiate(cfg, horizon=...)` goes through, knows no such union
    steps_per_epoch: Any = None
    steps: int | None = None

    def __post_init__(self) -> None:
        for key in ("epochs", "steps"):
            value = getattr(self, key)
            if value is not None:
                self._set(key, _count(value, key))
        if self.steps_per_epoch is not None:
            self._read_steps_per_epoch()
        if self.epochs is None and self.steps is None:
            raise SchedulerConfigError(
                "horizon", self.steps_per_epoch, "the size of a run is its epochs or its steps", _HORIZONS
            )
        if self.epochs is not None and self.steps is not None:
            self._reconcile(self.epochs, self.steps)
        if (self.total_steps or 0) > LARGEST:
            raise SchedulerConfigError("epochs", self.epochs, "a run has at most 1e15 updates", _HORIZONS)

    def _set(self, key: str, value: Any) -> None:
        object.__setattr__(self, key, value)  # frozen for everybody else

    def _read_steps_per_epoch(self) -> None:
        given = self.steps_per_epoch
        if isinstance(given, str) or not isinstance(given, Iterable) or getattr(given, "ndim", 1) == 0:
            self._set("steps_per_epoch", _count(given, "steps_per_epoch"))
            return
        per_epoch = tuple(_count(value, "steps_per_epoch") for value in given) or (_count(0, "steps_per_epoch"),)
        if self.epochs is not None and len(per_epoch) != self.epochs:
            raise SchedulerConfigError(
                "steps_per_epoch",
                list(per_epoch),
                f"a list has one number for each of the {self.epochs} epochs",
                "Give a single number, or as many as there are epochs",
            )
        self._set("steps_per_epoch", per_epoch)
        if self.epochs is None and self.steps is None:
            self._set("epochs", len(per_epoch))

    def _reconcile(self, epochs: int, steps: int) -> None:
        if self.steps_per_epoch is None:
            if steps % epochs:
                raise SchedulerConfigError(
                    "steps",
                    steps,
                    f"{steps} steps do not divide into {epochs} equal epochs",
                    "Give steps_per_epoch as well",
                )
            self._set("steps_per_epoch", steps // epochs)
        elif steps > self._steps_at(Fraction(epochs)):
            raise SchedulerConfigError(
                "steps",
                steps,
                f"{epochs} epochs have only {self._steps_at(Fraction(epochs))} steps",
                "Leave out steps, or lower it",
            )

    @cached_property
    def _ends(self) -> list[int]:
        per_epoch = self.steps_per_epoch
        return list(accumulate(per_epoch)) if isinstance(per_epoch, tuple) else []

    def _steps_at(self, epochs: Fraction) -> Fraction:
        """Updates made when `epochs` have passed; past the last listed epoch it repeats."""
        per_epoch = self.steps_per_epoch
        if not isinstance(per_epoch, tuple):
            return epochs * Fraction(per_epoch)
        whole = max(0, min(int(epochs), len(per_epoch) - 1))
        done = self._ends[whole - 1] if whole else 0
        return done + (epochs - whole) * Fraction(per_epoch[whole])

    def _epochs_at(self, steps: Fraction) -> Fraction:
        per_epoch = self.steps_per_epoch
        if not isinstance(per_epoch, tuple):
            return Fraction(steps / Fraction(per_epoch))
        whole = bisect_right(self._ends, steps, 0, len(per_epoch) - 1)
        done = self._ends[whole - 1] if whole else 0
        return whole + (steps - done) / Fraction(per_epoch[whole])

    @property
    def knows_epochs(self) -> bool:
        """Whether epochs and updates convert into each other."""
        return self.steps_per_epoch is not None

    @cached_property
    def total_steps(self) -> int | None:
        """Updates in the run, or None where only its epochs are known."""
        if self.steps is not None:
            return self.steps
        return int(self._steps_at(Fraction(self.epochs or 0))) if self.knows_epochs else None

    @cached_property
    def total_epochs(self) -> Fraction | None:
        """Epochs in the run, or None where only its updates are known."""
        if self.steps is None:
            return Fraction(self.epochs or 0)
        return self._epochs_at(Fraction(self.steps)) if self.knows_epochs else None

    def to_steps(self, epochs: Fraction, start: Fraction) -> Fraction:
        """Updates in the `epochs` epochs that begin at update `start`; a negative number looks back from there."""
        return self._steps_at(self._epochs_at(start) + epochs) - start

    def to_epochs(self, steps: Fraction, start: Fraction) -> Fraction:
        """Epochs in the `steps` updates that begin at epoch `start`; a negative number looks back from there."""
        return self._epochs_at(self._steps_at(start) + steps) - start

    def epochs_between(self, start: Fraction, end: Fraction) -> Fraction:
        """Epochs from update `start` to update `end`."""
        return self._epochs_at(end) - self._epochs_at(start)

    def steps_between(self, start: Fraction, end: Fraction) -> Fraction:
        """Updates from epoch `start` to epoch `end`."""
        return self._steps_at(end) - self._steps_at(start)


# ---------------------------------------------------------------------------------------- scheduler steps


@dataclass(frozen=True)
class Clock:
    """Turns lengths into scheduler steps, for one interval.

    Args:
        interval: ``"epoch"`` or ``"step"``, what one scheduler step is made of.
        frequency: how many of them make one scheduler step; the last one of the run may have fewer.
        horizon: the size of the run, or None.
        plain: what a number without a unit counts: ``""`` scheduler steps, ``"ep"`` epochs; where an epoch is the
            interval, as many scheduler steps, of which each has `frequency` epochs.
    """

    interval: str
    frequency: int
    horizon: Horizon | None
    plain: str = ""

    @cached_property
    def intervals(self) -> Fraction | int | None:
        """Epochs or updates in the run; None where that is not known."""
        if self.horizon is None:
            return None
        return self.horizon.total_epochs if self.interval == "epoch" else self.horizon.total_steps

    @cached_property
    def total(self) -> int | None:
        """Scheduler steps in the run, a last shorter one included; None where that is not known.

        >>> Clock("step", 3, Horizon(steps=10)).total, Clock("epoch", 1, Horizon(steps=5, steps_per_epoch=2)).total
        (4, 3)
        """
        return None if self.intervals is None else math.ceil(Fraction(self.intervals) / self.frequency)

    def exact(
        self, length: Length, key: str, written: Any, start: Fraction | int, span: int | None, *, back: bool = False
    ) -> Fraction:
        """`length` in scheduler steps, not yet rounded.

        Args:
            length: the length.
            key: its name, for errors.
            written: what the user wrote, for errors.
            start: scheduler steps before it begins (with `back`: before it ends).
            span: scheduler steps that 100% stands for, or None.
            back: measure backwards from `start`; epochs may differ in length.
        """
        self._check_epochs(length, key, written)
        unit = self._counted(length)
        if unit == "":
            return length.amount
        if unit == "%":
            if span is None:
                raise SchedulerConfigError(
                    key,
                    written,
                    "a share of the run needs the run's length, which is not known here",
                    self._unknown_run(),
                )
            return length.amount * span / 100
        if unit == _OWN_UNIT[self.interval]:
            return length.amount / self.frequency
        horizon = self.horizon
        if horizon is None or not horizon.knows_epochs:
            raise SchedulerConfigError(
                key,
                written,
                f"{UNITS[unit]}s cannot be counted in {UNITS[_OWN_UNIT[self.interval]]}s: "
                "the updates per epoch are not known here",
                self._unknown_conversion(),
            )
        convert = horizon.to_epochs if unit == "st" else horizon.to_steps
        sign = -1 if back else 1
        return sign * convert(sign * length.amount, Fraction(start * self.frequency)) / self.frequency

    def _check_epochs(self, length: Length, key: str, written: Any) -> None:
        by_epochs = self.plain == "ep" and length.unit in ("", "ep")
        if not by_epochs or self.horizon is None or self.horizon.total_epochs is not None:
            return
        what = "an 'ep' counts epochs" if length.unit else "a plain number counts epochs here"
        raise SchedulerConfigError(
            key, written, f"{what}, and this run has none", f"Write '{amount_text(length.amount)}st' or '10%'"
        )

    def _unknown_run(self) -> str:
        if self.horizon is None:
            return (
                "Add lr_configs.LRSchedulerCallback() to the trainer, return lr_configs.lightning(...), "
                "give horizon=Horizon(epochs=90, steps_per_epoch=391), or write an absolute length ('30ep', '500st')"
            )
        missing = "epochs" if self.interval == "epoch" else "steps_per_epoch"
        return f"Give the horizon its {missing}, or write an absolute length ('30ep', '500st')"

    def _unknown_conversion(self) -> str:
        own = "epochs ('30ep')" if self.interval == "epoch" else "updates ('500st')"
        return f"Give horizon=Horizon(epochs=90, steps_per_epoch=391), write interval=epoch, or this length in {own}"

    def nearest(self, position: Fraction) -> int:
        """The scheduler step nearest to `position`, halves upwards."""
        return math.floor(position + Fraction(1, 2))

    def is_lifted(self, length: Length, exact: Fraction) -> bool:
        """Whether a share of the run is a whole step only because that is the least there is."""
        return length.is_share and exact < (1 if self.interval == "epoch" else Fraction(1, 2))

    def round(self, length: Length, exact: Fraction, key: str, written: Any) -> int:
        """The scheduler steps of a length that is `exact` steps, or an error where that would repair something."""
        if self.is_lifted(length, exact):
            return 1
        if self.interval == "epoch" and exact.denominator != 1:
            what = amount_text(exact * self.frequency, "epoch")
            if self.frequency > 1:
                what += f", no multiple of frequency={self.frequency}"
            raise SchedulerConfigError(
                key,
                written,
                f"this is {what}, and the rate moves at whole epochs only (interval=epoch)",
                "Write interval=step (or auto), or a whole number of epochs"
                if self.horizon is None or self.horizon.knows_epochs
                else "Give the horizon its steps_per_epoch, or write a whole number of epochs",
            )
        rounded = self.nearest(exact)
        if rounded == 0:
            raise SchedulerConfigError(
                key,
                written,
                f"this is {float(exact):.3g} of a scheduler step here, less than half a step",
                "Write a longer length, or a share of the run, which is at least one step",
            )
        return rounded

    def steps(self, value: Any, key: str, start: Fraction | int, span: int | None) -> int:
        """A length in scheduler steps, rounded.

        >>> clock = Clock("step", 1, Horizon(epochs=3, steps_per_epoch=5))
        >>> clock.steps("50%", "T_max", 0, 15), clock.steps("1.5ep", "T_max", 0, 15), clock.steps("1%", "T_max", 0, 15)
        (8, 8, 1)
        """
        length = Length.parse(value, key)
        return self.round(length, self.exact(length, key, value, start, span), key, value)

    # -------------------------------------------------------------- words

    def in_words(self, length: Length) -> str:
        """A length for a message: in the unit that it was written in.

        >>> Clock("step", 1, None).in_words(Length(Fraction(500), "st"))
        '500 updates'
        """
        if length.is_share:
            return f"{amount_text(length.amount)}%"
        unit = self._unit_of(length)
        return amount_text(length.amount, UNITS[unit] if unit else "scheduler step")

    def room_in_words(self, length: Length, start: int, span: int) -> str:
        """The `span` scheduler steps that begin at step `start`, in the unit of `length`.

        >>> Clock("step", 20, Horizon(steps=200)).room_in_words(Length(Fraction(500), "st"), 0, 10)
        '200 updates'
        """
        unit, own = self._unit_of(length), _OWN_UNIT[self.interval]
        if not unit:
            return amount_text(span, "scheduler step")
        begin, size = Fraction(start * self.frequency), Fraction(span * self.frequency)
        if self.intervals is not None:  # the last scheduler step may be a shorter one
            size = min(size, self.intervals - begin)
        if unit == own or self.horizon is None or not self.horizon.knows_epochs:
            return amount_text(size, UNITS[own])
        between = self.horizon.epochs_between if unit == "ep" else self.horizon.steps_between
        return amount_text(between(begin, begin + size), UNITS[unit])

    def _counted(self, length: Length) -> str:
        """The unit that a length counts in; "" for scheduler steps."""
        return length.unit or ("" if self.interval == "epoch" else self.plain)

    def _unit_of(self, length: Length) -> str:
        unit = self._counted(length)
        if unit == "%" or (not unit and self.frequency == 1):
            return _OWN_UNIT[self.interval]
        return unit
