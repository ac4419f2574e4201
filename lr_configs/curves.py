"""Each closed form once: a pure function of the step, for a number and for an array.

A curve is called as ``curve(p, t, m)``: `p` has the schedule's parameters as attributes, in torch's spelling;
`t` is the step, a number or an array; `m` is :data:`scalar` or :func:`array`, the few operations that
differ between the two. What a curve returns depends on its kind:

* a *factor*: the rate is ``factor * base``;
* a *mix*: the rate is ``low + x * (high - low)``, computed as ``(1 - x) * low + x * high``, which does not
  cancel near either end;
* *phases* (`one_cycle` alone): a mix whose ends change with the step.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

_HALF_PI = math.pi / 2


def _power(base: float, exponent: float) -> float:
    try:
        return float(base**exponent)
    except OverflowError:
        return math.inf


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _logarithm(function: Callable[[float], float]) -> Callable[[float], float]:
    return lambda x: function(x) if x > 0 else (-math.inf if x == 0 else math.nan)


scalar = SimpleNamespace(
    where=lambda condition, yes, no: yes if condition else no,
    choose=lambda condition, yes, no: yes() if condition else no(),
    power=_power,
    minimum=min,
    count=bisect_right,
    sin=lambda x: math.sin(x) if math.isfinite(x) else math.nan,
    cos=lambda x: math.cos(x) if math.isfinite(x) else math.nan,
    tanh=math.tanh,
    sqrt=lambda x: math.sqrt(x) if x >= 0 else math.nan,
    exp=_exp,
    log=_logarithm(math.log),
    log2=_logarithm(math.log2),
    log10=_logarithm(math.log10),
    abs=abs,
    floor=lambda x: float(math.floor(x)) if math.isfinite(x) else x,
    ceil=lambda x: float(math.ceil(x)) if math.isfinite(x) else x,
    min=min,
    max=max,
    logical_not=lambda a: float(not a),
    logical_and=lambda parts: float(all(parts)),
    logical_or=lambda parts: float(any(parts)),
)


@lru_cache(maxsize=1)
def array() -> SimpleNamespace:
    """The operations for arrays; numpy is imported when they are first asked for."""
    import numpy as np

    def stack(reduce: Any) -> Callable[[Sequence[Any]], Any]:
        def over(parts: Sequence[Any]) -> Any:
            value = parts[0]
            for part in parts[1:]:
                value = reduce(value, part)
            return value

        return over

    return SimpleNamespace(
        where=np.where,
        choose=lambda condition, yes, no: np.where(condition, yes(), no()),
        power=lambda base, exponent: np.power(float(base), exponent),
        minimum=np.minimum,
        count=lambda points, t: np.searchsorted(np.asarray(points, dtype=np.float64), t, side="right"),
        sin=np.sin,
        cos=np.cos,
        tanh=np.tanh,
        sqrt=np.sqrt,
        exp=np.exp,
        log=np.log,
        log2=np.log2,
        log10=np.log10,
        abs=np.abs,
        floor=np.floor,
        ceil=np.ceil,
        min=stack(np.minimum),
        max=stack(np.maximum),
        logical_not=lambda a: np.logical_not(a) * 1.0,
        logical_and=lambda parts: stack(np.logical_and)(parts) * 1.0,
        logical_or=lambda parts: stack(np.logical_or)(parts) * 1.0,
    )


# ---------------------------------------------------------------------------------------- factors


def identity(p: Any, t: Any, m: Any = scalar) -> Any:
    """1 at every step."""
    return m.where(t >= 0, 1.0, 0.0)


def constant(p: Any, t: Any, m: Any = scalar) -> Any:
    """`factor` before step `total_iters`, then 1."""
    return m.where(t < p.total_iters, p.factor, 1.0)


def linear(p: Any, t: Any, m: Any = scalar) -> Any:
    """From `start_factor` at step 0 to `end_factor` at step `total_iters`, then flat."""
    n = p.total_iters
    if n <= 0:  # torch stays at the start then
        return m.where(t >= 0, p.start_factor, p.start_factor)
    k = m.minimum(t, n)
    return p.start_factor * ((n - k) / n) + p.end_factor * (k / n)


def polynomial(p: Any, t: Any, m: Any = scalar) -> Any:
    """``(1 - t / total_iters) ** power`` up to step `total_iters`, then 0."""
    n = p.total_iters
    if n <= 0:
        return m.where(t >= 0, 1.0, 1.0)
    left = (n - m.minimum(t, n)) / n
    # A fractional power of a whole array is slow, and most schedules are straight lines.
    return left if p.power == 1 else left**p.power


def step(p: Any, t: Any, m: Any = scalar) -> Any:
    """``gamma ** (t // step_size)``."""
    return m.power(p.gamma, t // p.step_size)


def multi_step(p: Any, t: Any, m: Any = scalar) -> Any:
    """``gamma ** (number of milestones that are at most t)``."""
    return m.power(p.gamma, m.count(p.sorted_milestones, t))


def exponential(p: Any, t: Any, m: Any = scalar) -> Any:
    """``gamma ** t``."""
    return m.power(p.gamma, t)


# ---------------------------------------------------------------------------------------- mixes


def cosine(p: Any, t: Any, m: Any = scalar) -> Any:
    """``(1 + cos(pi t / T_max)) / 2``, which oscillates with half period `T_max`.

    In the half-angle form ``sin(pi (T_max - t) / (2 T_max)) ** 2``, whose argument is exact near the
    lower end, where the other one cancels (Loshchilov and Hutter, arXiv 1608.03983, eq. 5).
    """
    n = p.T_max
    return m.sin((n - t % (2 * n)) * _HALF_PI / n) ** 2


def cycle(t: float, T_0: int, T_mult: int) -> tuple[float, int]:
    """``(steps since the last restart, length of this cycle)`` of warm restarts.

    Cycle `i` begins at ``T_0 (T_mult**i - 1) / (T_mult - 1)``. The logarithm only guesses `i`: where a
    restart falls on a power, it is off by one, so integers decide.

    >>> cycle(121, 1, 3)
    (0, 243)
    """
    if T_mult == 1:
        return t % T_0, T_0
    i = int(math.log(t / T_0 * (T_mult - 1) + 1, T_mult)) if t > 0 else 0
    start = T_0 * (T_mult**i - 1) // (T_mult - 1)
    if t < start:
        i -= 1
    elif t >= start + T_0 * T_mult**i:
        i += 1
    else:
        return t - start, T_0 * T_mult**i
    return t - T_0 * (T_mult**i - 1) // (T_mult - 1), T_0 * T_mult**i


def cosine_warm_restarts(p: Any, t: Any, m: Any = scalar) -> Any:
    """A cosine over each cycle, from 1 at every restart; cycle `i` lasts ``T_0 * T_mult**i`` (arXiv 1608.03983)."""
    if p.T_mult == 1:
        n = p.T_0
        now = t % n
    elif m is scalar:
        now, n = cycle(t, p.T_0, p.T_mult)
    else:
        now, n = _cycles(t, p.T_0, p.T_mult)
    return m.sin((n - now) * _HALF_PI / n) ** 2


def _cycles(t: Any, T_0: int, T_mult: int) -> tuple[Any, Any]:
    import numpy as np

    starts, lengths, last = [0], [T_0], float(t.max(initial=0))
    while starts[-1] + lengths[-1] <= last:
        starts.append(starts[-1] + lengths[-1])
        lengths.append(lengths[-1] * T_mult)
    first = int(np.searchsorted(starts, t[0], side="right")) - 1 if t.size else 0
    if starts[first] + lengths[first] > last:  # the usual case: a chunk inside one cycle
        return t - starts[first], lengths[first]
    i = np.searchsorted(np.asarray(starts, dtype=np.float64), t, side="right") - 1
    return t - np.asarray(starts, dtype=np.float64)[i], np.asarray(lengths, dtype=np.float64)[i]


def cyclic(p: Any, t: Any, m: Any = scalar) -> Any:
    """Up in `step_size_up` steps and down in `step_size_down`, times the amplitude of `mode` (arXiv 1506.01186)."""
    total = p.total_size
    up = total * p.step_ratio
    if abs(up - round(up)) < 1e-9 * total:
        up = float(round(up))  # torch keeps the ratio only; the lengths are integers
    now = t % total
    if m is scalar:
        height = now / up if now <= up else (total - now) / (total - up)
    else:
        with_down = (total - now) / (total - up) if total > up else 0.0
        height = m.where(now <= up, now / up, with_down)
    custom = getattr(p, "_scale_fn_custom", None)
    if custom is not None:
        at = t // total + 1 if p.scale_mode == "cycle" else t
        return height * (custom(at) if m is scalar else each(custom, at))
    if p.mode == "triangular2":
        return height * m.power(0.5, t // total)
    if p.mode == "exp_range":
        return height * m.power(p.gamma, t)
    return height


def each(function: Callable[[Any], Any], at: Any) -> Any:
    """`function` of every element of the array `at`, at once where it can."""
    import numpy as np

    whole = getattr(function, "array", None)
    return whole(at) if whole else np.fromiter((function(x) for x in at.tolist()), np.float64, at.size)


# ---------------------------------------------------------------------------------------- phases

INITIAL, PEAK, LAST = 0, 1, 2


def one_cycle_phases(p: Any) -> list[tuple[float, int, int]]:
    """``(end step, index of the first value, index of the last)`` of each phase.

    The values are 0 the initial rate, 1 the peak, 2 the final one (arXiv 1708.07120).
    """
    warm, n = float(p.pct_start * p.total_steps), p.total_steps
    if p.three_phase:
        return [(warm - 1, INITIAL, PEAK), (2 * warm - 2, PEAK, INITIAL), (n - 1, INITIAL, LAST)]
    return [(warm - 1, INITIAL, PEAK), (n - 1, PEAK, LAST)]


def anneal(strategy: str, x: Any, m: Any = scalar) -> Any:
    """Share of the phase's last value after the share `x` of the phase."""
    return x if strategy == "linear" else m.sin(x * _HALF_PI) ** 2


def phase_at(phases: Sequence[tuple[float, int, int]], t: float) -> tuple[float, float, int, int]:
    """``(start, end, first value, last value)`` of the phase that step `t` is in."""
    start = 0.0
    for end, first, last in phases[:-1]:
        if t <= end:
            return start, end, first, last
        start = end
    return start, *phases[-1]


def one_cycle(p: Any, t: float) -> tuple[float, int, float, int]:
    """``(share, value, share, value)``: the mix at one step, of the phases in `p.phases`."""
    phases = p.phases
    start, (end, first, last) = 0.0, phases[0]
    if t > end:
        start, end, first, last = phase_at(phases, t)
    width = end - start
    if width == 0:
        return 0.0, first, 1.0, last
    to_go, gone = (end - t) / width, (t - start) / width
    if p.anneal_strategy == "linear":
        return to_go, first, gone, last
    return math.sin(to_go * _HALF_PI) ** 2, first, math.sin(gone * _HALF_PI) ** 2, last


def one_cycle_array(p: Any, t: Any, ends: Sequence[float]) -> Any:
    """The rates at the steps `t` (ascending), for the three values `ends`."""
    import numpy as np

    out, done, start = np.empty(t.shape), 0, 0.0
    for i, (end, first, last) in enumerate(p.phases):
        stop = t.size if i == len(p.phases) - 1 else int(np.searchsorted(t, end, side="right"))
        if stop > done:
            now, width = t[done:stop], end - start
            if width == 0:
                out[done:stop] = ends[last]
            else:
                to_go = anneal(p.anneal_strategy, (end - now) / width, array())
                gone = anneal(p.anneal_strategy, (now - start) / width, array())
                out[done:stop] = to_go * ends[first] + gone * ends[last]
        done, start = max(done, stop), end
    return out


# ---------------------------------------------------------------------------------------- products


class Product:
    """The running product ``f(1) f(2) ... f(t)``, in twice the precision.

    A million rounded multiplications drift by 1e-13; the second number carries what the first one rounded
    away (Dekker's product, 1971), and the result is right to the last digit.

    >>> Product(lambda t: 0.5)(3)
    0.125
    """

    __slots__ = ("_at", "_high", "_low", "function")

    def __init__(self, function: Callable[[int], float]) -> None:
        self.function = function
        self._at, self._high, self._low = 0, 1.0, 0.0

    def __call__(self, t: float) -> float:
        """The product up to step `t`."""
        t = int(t)
        if t == self._at + 1:  # one step further, the usual case
            f = self.function(t)
            high = self._high
            split = 134217729.0 * high
            a = split - (split - high)
            split = 134217729.0 * f
            b = split - (split - f)
            product, rest, other = high * f, high - a, f - b
            low = self._low * f + (((a * b - product) + a * other + rest * b) + rest * other)
            self._high = high = product + low
            self._low, self._at = low - (high - product), t
            return high
        if t < self._at:
            self._at, self._high, self._low = 0, 1.0, 0.0
        while self._at < t:
            self(self._at + 1)
        return self._high

    def __deepcopy__(self, memo: dict[int, Any]) -> Product:
        return Product(self.function)

    def __reduce__(self) -> tuple[Any, ...]:
        return Product, (self.function,)


# ---------------------------------------------------------------------------------------- warmup

WARMUP_SHAPES = ("linear", "cosine", "exponential", "constant")


def warmup(shape: str, start: float, W: int, t: Any, m: Any = scalar) -> Any:
    """The factor at step `t` of a warmup over `W` steps from the factor `start`: ``s + (1 - s) shape(t / W)``.

    `linear` is ``x``, `cosine` is ``(1 - cos(pi x)) / 2``, `exponential` makes the factor itself geometric,
    ``s ** (1 - x)``, and `constant` stays at the start until step `W`.

    >>> [round(warmup("linear", 0.1, 4, t), 3) for t in range(4)]
    [0.1, 0.325, 0.55, 0.775]
    """
    if shape == "exponential":
        return m.power(start, (W - t) / W)
    if shape == "constant":
        return m.where(t >= 0, start, start)
    if shape == "cosine":
        return start * m.sin((W - t) * _HALF_PI / W) ** 2 + m.sin(t * _HALF_PI / W) ** 2
    return start * ((W - t) / W) + t / W


# ---------------------------------------------------------------------------------------- early ending

DECAY_SHAPES = ("linear", "cosine", "one_minus_sqrt")


def decay(shape: str, x: float) -> float:
    """What is left after the share `x` of an early ending: 1 at 0, 0 at 1.

    `linear` is ``1 - x``, `cosine` is ``(1 + cos(pi x)) / 2``, `one_minus_sqrt` is ``1 - sqrt(x)``.

    >>> decay("linear", 0.25)
    0.75
    """
    if shape == "cosine":
        return math.sin((1 - x) * _HALF_PI) ** 2
    return 1 - math.sqrt(x) if shape == "one_minus_sqrt" else 1 - x
