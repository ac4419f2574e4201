"""Arithmetic formulas in YAML, for a number and for an array.

A general expression library either allows attributes and subscripts, or evaluates one number at a time; a schedule
needs neither, and needs whole arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from lr_configs.errors import SchedulerConfigError
from lr_configs.expressions import Array, Checked, Exact, Fast, Jumps, Style, refused

#: runs up to this length are checked at every step
_CHECKED_WHOLLY = 10**7
#: of a longer run, every step up to here, and as many in the rest
_CHECKED_SAMPLE = 10**6
_CHUNK = 1 << 14


class Formula:
    """A factor as a function of the step `t` (also `epoch`), the run's length `T`, ``p = min(t / T, 1)`` and the rate `base`.

    A number and an array agree at every step, in IEEE arithmetic: ``1 / 0`` is an infinity, which is refused only
    where it is the result. (Of two zeros of different sign numpy does not say which one is the smaller.)

    Args:
        text: the formula.
        key: where it is written, for errors.
        T: what `T` stands for, in scheduler steps; None while it is not known.
        variable: names that stand for the step.
        base: the group's own rate; None while it is not known.

    Raises:
        SchedulerConfigError: naming the part that is not allowed.

    >>> Formula("0.5 * (1 + cos(pi * t / T))", T=100)(50)
    0.5
    >>> Formula("0.5 if epoch < 40 else 0.25")(40)
    0.25
    >>> Formula("t.real")
    Traceback (most recent call last):
    lr_configs.errors.SchedulerConfigError: lr_lambda='t.real': 't.real' is not allowed in a formula. Write ...
    """

    # Without __dict__ torch cannot copy the formula into a checkpoint, where it would replace the one
    # of the resuming run.
    __slots__ = (
        "T", "_array", "_exact", "_fast", "_of_base", "_to_check", "_tree", "base", "key", "text", "uses_T", "uses_base",
        "variable",
    )  # fmt: skip

    def __init__(
        self,
        text: str,
        key: str = "lr_lambda",
        T: int | None = None,
        variable: tuple[str, ...] = ("t", "epoch"),
        base: float | None = None,
    ) -> None:
        self.text, self.key, self.T, self.variable, self.base = text, key, T, variable, base
        self._of_base: dict[float, Formula] = {}
        self._to_check: tuple[int | None, int] | None = None
        checker = Checked(text, key, variable)
        self._tree = checker.tree
        self.uses_T, self.uses_base = checker.uses_T, checker.uses_base
        self._fast: Callable[[float], float] = self._first_call
        self._exact: Callable[[float], float] | None = None
        self._array: Callable[[Any], Any] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Formula, (self.text, self.key, self.T, self.variable, self.base)

    def __repr__(self) -> str:
        return f"Formula({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Formula) and (self.text, self.T, self.base) == (other.text, other.T, other.base)

    def __hash__(self) -> int:
        return hash((self.text, self.T))

    def bind(self, T: int | None) -> Formula:
        """The same formula for a run of `T` scheduler steps; `T` stays None in one that does not use it."""
        if not self.uses_T:
            return Formula(self.text, self.key, None, self.variable)
        if T is None:
            raise self._unbound()
        return Formula(self.text, self.key, T, self.variable)

    def unchecked(self) -> Formula:
        """The same formula, which takes any group's rate without a check of the run."""
        return Formula(self.text, self.key, self.T, self.variable)

    def of_base(self, base: float) -> Formula:
        """The same formula for a group with this rate; the same object for the same rate.

        Raises:
            SchedulerConfigError: where :meth:`check` has been asked for, and the formula fails with this rate.
        """
        if not self.uses_base:
            return self
        known = self._of_base.get(base)
        if known is None:
            known = self._of_base[base] = Formula(self.text, self.key, self.T, self.variable, base)
            if self._to_check is not None:
                known.check(*self._to_check)
        return known

    def __call__(self, t: float) -> float:
        """The factor at step `t`.

        Raises:
            SchedulerConfigError: where it is not finite.
        """
        try:
            value = float(self._fast(float(t)))
        except (ArithmeticError, ValueError) as error:
            if isinstance(error, SchedulerConfigError):
                raise
            value = self.value(t)
        if -math.inf < value < math.inf:
            return value
        raise refused(self.key, self.text, f"the formula fails at {self._at(t)}, where its value is {value}")

    def value(self, t: float) -> float:
        """The factor at step `t`, also where it is not finite."""
        if self._exact is None:
            self._exact = self._compiled(Exact)
        return float(self._exact(float(t)))

    def array(self, t: Any) -> Any:
        """One value per element of the array `t`; not finite where the formula fails."""
        import numpy as np

        if self._array is None:
            self._array = self._compiled(Array)
        t = np.asarray(t, dtype=np.float64)
        flat = np.atleast_1d(t)  # numpy's single numbers round differently from its arrays
        with np.errstate(all="ignore"):
            values = np.asarray(self._array(flat), dtype=np.float64)
        return values.reshape(t.shape) if values.size == t.size else np.broadcast_to(values, t.shape)

    def check(self, steps: int | None, first: int = 0) -> None:
        """Refuse a formula that fails, or gives a negative or infinite factor, from step `first` to below `steps`.

        Every step of a run of up to ten million is checked (of a run of unknown length the first 1000). Of a longer
        run: the first million, the last thousand, a million spread over the rest, every step around the
        lowest and the highest of those, and both sides of every step between two of them at which a comparison, a divisor, the argument
        of a root, a logarithm or `abs`, or the larger of two values changes over. A dip between two samples that none
        of this shows is found when the step is reached.
        """
        if self.uses_base and self.base is None:  # when the groups are known
            self._to_check = steps, first
        else:
            _checked(self, steps, first)

    def check_now(self, steps: int | None, first: int) -> None:
        """As :meth:`check`, whatever has been checked before."""
        import numpy as np

        steps = 1000 if steps is None else steps
        whole = steps if steps <= _CHECKED_WHOLLY else _CHECKED_SAMPLE
        for start in range(first, whole, _CHUNK):
            self._check_at(np.arange(start, min(start + _CHUNK, whole), dtype=np.float64))
        if whole < steps:
            self._check_sample(whole, steps)
            self._check_at(np.arange(steps - 1000, steps, dtype=np.float64))

    def _check_at(self, t: Any) -> Any:
        import numpy as np

        values = self.array(t)
        if t.size and not (values.min() >= 0 and values.max() < np.inf):  # nan is not, either
            at = float(t[np.flatnonzero(~(np.isfinite(values) & (values >= 0)))[0]])
            rule = f"the factor is {self(at):g} at {self._at(at)}, and a factor is finite and not negative"
            raise refused(self.key, self.text, rule)
        return values

    def _check_sample(self, start: int, steps: int) -> None:
        """Check the steps from `start` to `steps` by a sample, and densely where the sample shows something."""
        import numpy as np

        t = np.unique(np.linspace(start, steps - 1, _CHECKED_SAMPLE).astype(np.int64)).astype(np.float64)
        values = np.concatenate([self._check_at(t[i : i + _CHUNK]) for i in range(0, t.size, _CHUNK)])
        for extreme in (np.argmin(values), *_valleys(values)):
            self._check_between(t[max(extreme - 1, 0)], t[min(extreme + 1, t.size - 1)], np.argmin)
        top = int(np.argmax(values))
        self._check_between(t[max(top - 1, 0)], t[min(top + 1, t.size - 1)], np.argmax)
        jumps = self._compiled(Jumps)
        with np.errstate(all="ignore"):
            for k, values in enumerate(jumps(t)):
                near = _changes(jumps, k, t, np.broadcast_to(values, t.shape))
                self._check_at(np.unique(np.clip(near[:, None] + np.arange(-2.0, 3.0), start, steps - 1)))

    def _check_between(self, low: float, high: float, extreme: Callable[[Any], Any]) -> None:
        """Check every step between two, or where there are too many, those around the extreme value."""
        import numpy as np

        while high - low > _CHUNK:
            t = np.floor(np.linspace(low, high, _CHUNK))
            at = int(extreme(self._check_at(t)))
            low, high = t[max(at - 1, 0)], t[min(at + 1, t.size - 1)]
        self._check_at(np.arange(low, high + 1))

    def _at(self, t: float) -> str:
        return f"{self.variable[0]}={int(t) if float(t).is_integer() else t}"

    def _first_call(self, t: float) -> float:
        self._fast = compiled = self._compiled(Fast)
        return float(compiled(t))

    def _compiled(self, style: type[Style]) -> Callable[..., Any]:
        if self.uses_T and self.T is None:
            raise self._unbound()
        return style(self.variable, self.T, self.base).function(self._tree)

    def _unbound(self) -> SchedulerConfigError:
        return SchedulerConfigError(
            self.key,
            self.text,
            "T is the run's length, which is not known here",
            "Add lr_configs.LRSchedulerCallback() to the trainer, give horizon=Horizon(epochs=90, steps_per_epoch=391), "
            "or write a number instead of T (or of p, which is t / T)",
        )


@lru_cache(maxsize=256)
def _checked(formula: Formula, steps: int | None, first: int) -> None:
    """A formula that has passed is not checked again for the same run."""
    formula.check_now(steps, first)


def _valleys(values: Any, most: int = 50) -> Any:
    """Indices of the lowest local minima."""
    import numpy as np

    inner = values[1:-1]
    found = 1 + np.flatnonzero(
        (inner <= values[:-2]) & (inner <= values[2:]) & ((inner < values[:-2]) | (inner < values[2:]))
    )
    return found[np.argsort(values[found], kind="stable")[:most]]


def _changes(jumps: Callable[[Any], Any], k: int, t: Any, values: Any, most: int = 10_000) -> Any:
    """The steps at which the sign of part `k` of `jumps` changes, found between the samples `t` by bisection."""
    import numpy as np

    signs = np.sign(values)
    at = np.flatnonzero(signs[1:] != signs[:-1])[:most]
    low, high, sign = t[at], t[at + 1], signs[at]
    while np.any(high - low > 1):
        middle = np.floor((low + high) / 2)
        same = np.sign(np.broadcast_to(jumps(middle)[k], middle.shape)) == sign
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return high
