"""Lengths with units, the size of a run, and the one place that rounds.

A length is an integer in scheduler steps (``30``), or text with a unit: ``30ep`` epochs, ``500st``
optimizer updates, ``10%`` of the run. Everything here is exact arithmetic on fractions until
:meth:`Clock.round`.

**Rounding.** Where the interval is ``step``, a position in the run is rounded to the nearest scheduler
step, halves upwards; a sum of lengths is rounded as one position, so parts always add up to the whole.
Where the interval is ``epoch`` nothing is rounded: a length is a whole number of epochs or an error. A
length that would round to 0 is an error at either interval.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from typing import Any

from lr_configs.errors import RunTooShortError, SchedulerConfigError, nearest

UNITS = {"ep": "epochs", "st": "optimizer updates", "%": "of the run"}
FORMS = "Write an integer (30), epochs ('30ep'), optimizer updates ('500st') or a share of the run ('10%')"
_LENGTH = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([a-zA-Z%]*)\s*")


class NotWholeEpochsError(SchedulerConfigError):
    """A length that is not a whole number of epochs, or whose epochs are unknown."""


@dataclass(frozen=True)
class Length:
    """A length as it was written.

    Attributes:
        amount: the number, exact.
        unit: ``"ep"``, ``"st"``, ``"%"``, or ``""`` for scheduler steps.
    """

    amount: Fraction
    unit: str

    @classmethod
    def parse(cls, value: Any, key: str, *, zero: bool = False) -> Length:
        """Read a length; ``zero`` says whether 0 is one.

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
        if isinstance(value, bool) or not isinstance(value, (int, float, str, Fraction)):
            raise SchedulerConfigError(key, value, "a length is a number or text with a unit", FORMS)
        match = _LENGTH.fullmatch(str(value))
        if match is None:
            raise SchedulerConfigError(key, value, "this is not a length", FORMS)
        amount, unit = Fraction(match[1]), match[2]
        if unit and unit not in UNITS:
            raise SchedulerConfigError(key, value, f"{unit!r} is not a unit of length", (_unit_hint(unit) + FORMS))
        if amount < 0 or (amount == 0 and not zero):
            rule = "a length is not negative" if zero else "a length is positive"
            raise SchedulerConfigError(key, value, rule, FORMS)
        if unit == "%" and amount > 100:
            raise SchedulerConfigError(
                key, value, "a share of the run is at most 100%", "Write a share up to 100%, or '30ep'"
            )
        if unit in ("", "st") and amount.denominator != 1:
            raise SchedulerConfigError(key, value, "a number of steps is an integer", FORMS)
        return cls(amount, unit)


def _unit_hint(unit: str) -> str:
    words = {"epoch": "ep", "epochs": "ep", "e": "ep", "step": "st", "steps": "st", "s": "st", "pct": "%"}
    return f"did you mean '{words[unit.lower()]}'? " if unit.lower() in words else nearest(unit, UNITS)


def _positive(value: Any, key: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, Fraction)) or value <= 0:
        raise SchedulerConfigError(
            key,
            value,
            "a run has a positive whole number of epochs and steps",
            "Write Horizon(epochs=90, steps_per_epoch=391) or Horizon(steps=35190)",
        )


@dataclass(frozen=True)
class Horizon:
    """The size of a run, in optimizer updates as this run makes them.

    Gradient accumulation is already divided out; the number of processes does not enter.

    Args:
        epochs: number of epochs; may be left out where ``steps`` says where the run ends.
        steps_per_epoch: updates in each epoch, or a list with one number for every epoch (gradient
            accumulation may change between epochs).
        steps: updates in the whole run.

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
                _positive(value, key)
        per_epoch = self.steps_per_epoch
        if per_epoch is not None:
            if isinstance(per_epoch, Sequence) and not isinstance(per_epoch, str):
                per_epoch = tuple(per_epoch)
                for value in per_epoch or (0,):
                    _positive(value, "steps_per_epoch")
                if self.epochs is not None and len(per_epoch) != self.epochs:
                    raise SchedulerConfigError(
                        "steps_per_epoch",
                        list(per_epoch),
                        f"a list has one number for each of the {self.epochs} epochs",
                        "Give a single number, or as many as there are epochs",
                    )
                object.__setattr__(self, "steps_per_epoch", per_epoch)
                if self.epochs is None and self.steps is None:
                    object.__setattr__(self, "epochs", len(per_epoch))
            else:
                _positive(per_epoch, "steps_per_epoch")
        if self.epochs is None and self.steps is None:
            raise SchedulerConfigError(
                "horizon",
                self.steps_per_epoch,
                "the size of a run is its epochs or its steps",
                "Write Horizon(epochs=90, steps_per_epoch=391) or Horizon(steps=35190)",
            )
        if self.epochs is not None and self.steps is not None:
            if per_epoch is None:
                if self.steps % self.epochs:
                    raise SchedulerConfigError(
                        "steps",
                        self.steps,
                        f"{self.steps} steps do not divide into {self.epochs} equal epochs",
                        "Give steps_per_epoch as well",
                    )
                object.__setattr__(self, "steps_per_epoch", self.steps // self.epochs)
            elif self.steps > self._steps_at(Fraction(self.epochs)):
                raise SchedulerConfigError(
                    "steps",
                    self.steps,
                    f"{self.epochs} epochs have only {self._steps_at(Fraction(self.epochs))} steps",
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
        whole = min(int(epochs), len(per_epoch) - 1)
        done = self._ends[whole - 1] if whole else 0
        return done + (epochs - whole) * Fraction(per_epoch[whole])

    def _epochs_at(self, steps: Fraction) -> Fraction:
        per_epoch = self.steps_per_epoch
        if not isinstance(per_epoch, tuple):
            return Fraction(steps / Fraction(per_epoch))
        whole = sum(end <= steps for end in self._ends[:-1])
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
        """Updates in the `epochs` epochs that begin at update `start`."""
        return self._steps_at(self._epochs_at(start) + epochs) - start

    def to_epochs(self, steps: Fraction, start: Fraction) -> Fraction:
        """Epochs in the `steps` updates that begin at epoch `start`."""
        return self._epochs_at(self._steps_at(start) + steps) - start


@dataclass(frozen=True)
class Clock:
    """Turns lengths into scheduler steps, for one interval.

    Args:
        interval: ``"epoch"`` or ``"step"``, what one scheduler step is made of.
        frequency: how many of them make one scheduler step.
        horizon: the size of the run, or None.
        bare: what a number without a unit counts: ``""`` scheduler steps, ``"ep"`` epochs.
    """

    interval: str
    frequency: int
    horizon: Horizon | None
    bare: str = ""

    @property
    def _intervals(self) -> Fraction | int | None:
        if self.horizon is None:
            return None
        return self.horizon.total_epochs if self.interval == "epoch" else self.horizon.total_steps

    @property
    def total(self) -> int | None:
        """Whole scheduler steps in the run; None where that is not known."""
        count = self._intervals
        return None if count is None else int(count // self.frequency)

    def exact(self, length: Length, key: str, written: Any, start: int, span: int | None) -> Fraction:
        """`length` in scheduler steps, not yet rounded.

        Args:
            length: the length.
            key: its name, for errors.
            written: what the user wrote, for errors.
            start: scheduler steps before it begins.
            span: scheduler steps that 100% stands for, or None.
        """
        unit = length.unit or self.bare
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
            count = self._intervals
            if count is not None and count % 1:
                raise NotWholeEpochsError(
                    key,
                    written,
                    f"the run ends after {float(count):g} epochs, and the rate moves at whole epochs only (interval=epoch)",
                    "Write interval=step (or auto), or an absolute length",
                )
            return length.amount * span / 100
        begin = Fraction(start * self.frequency)
        if (unit == "ep") == (self.interval == "epoch"):
            return length.amount / self.frequency
        horizon = self.horizon
        if horizon is None or not horizon.knows_epochs:
            kind = NotWholeEpochsError if unit == "st" else SchedulerConfigError
            raise kind(
                key,
                written,
                f"{UNITS[unit]} cannot be counted in {self.interval}s: the steps per epoch are not known",
                "Give horizon=Horizon(epochs=..., steps_per_epoch=...), or write this length in "
                + ("epochs ('30ep')" if self.interval == "epoch" else "updates ('500st')"),
            )
        convert = horizon.to_epochs if unit == "st" else horizon.to_steps
        return convert(length.amount, begin) / self.frequency

    def _unknown_run(self) -> str:
        if self.horizon is None:
            return "Give horizon=Horizon(epochs=90, steps_per_epoch=391), or write an absolute length ('30ep', '500st')"
        missing = "epochs" if self.interval == "epoch" else "steps_per_epoch"
        return f"Give the horizon its {missing}, or write an absolute length ('30ep', '500st')"

    def round(self, position: Fraction, key: str, written: Any) -> int:
        """The scheduler step nearest to `position` (halves up), or an error where that repairs something."""
        if self.interval == "epoch" and position.denominator != 1:
            what = f"{float(position * self.frequency):g} epochs"
            if self.frequency > 1:
                what += f", no multiple of frequency={self.frequency}"
            raise NotWholeEpochsError(
                key,
                written,
                f"this is {what}, and the rate moves at whole epochs only (interval=epoch)",
                "Write interval=step (or auto), or a whole number of epochs",
            )
        rounded = int(position + Fraction(1, 2))
        if rounded == 0 and position > 0:
            raise RunTooShortError(
                key,
                written,
                f"this is {float(position):.3g} of a scheduler step here, less than half a step",
                "Write a longer length, an absolute one ('1st', '1ep'), or train for longer",
            )
        return rounded

    def steps(self, value: Any, key: str, start: int, span: int | None) -> int:
        """A length in scheduler steps, rounded.

        >>> clock = Clock("step", 1, Horizon(epochs=3, steps_per_epoch=5))
        >>> clock.steps("50%", "T_max", 0, 15), clock.steps("1.5ep", "T_max", 0, 15)
        (8, 8)
        """
        return self.round(self.exact(Length.parse(value, key), key, value, start, span), key, value)
