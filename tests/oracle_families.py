"""The oracle's formulas of what torch lacks, from the papers and the docstrings, in forty digits."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
from mpmath import mpf

#: keys of each, and their defaults; all of them advance by updates where nothing else is written
DEFAULTS: dict[str, dict[str, Any]] = {
    "inverse_sqrt": {"timescale": "10%", "eta_min": 0.0},
    "warmup_stable_decay": {"total_steps": "100%", "decay": "10%", "decay_shape": "linear", "eta_min": 0.0},
    "rex": {"total_steps": "100%", "beta": 0.5, "eta_min": 0.0},
    "noam": {"d_model": 512, "warmup_steps": "10%", "eta_min": 0.0},
    "inverse_time": {"gamma": 1.0, "decay_period": "10%", "staircase": False, "eta_min": 0.0},
    "power": {"timescale": "10%", "exponent": -0.51, "eta_min": 0.0},
    "piecewise": {"points": [[0, 0.0], ["5%", 1.0], ["100%", 0.1]], "interpolation": "linear", "eta_min": 0.0},
    "slanted_triangular": {"total_steps": "100%", "cut_frac": 0.1, "ratio": 32.0, "eta_min": 0.0},
    "tanh": {"total_steps": "100%", "lb": -7.0, "ub": 3.0, "eta_min": 0.0},
    "hyperbolic": {"total_steps": "100%", "upper_bound": "100%", "eta_min": 0.0},
    "exp_hyperbolic": {"total_steps": "100%", "upper_bound": "100%", "eta_min": "1%"},
    "range_test": {"total_steps": "100%", "shape": "exponential", "eta_min": "0.001%"},
}

Rate = Callable[[dict[str, Any], Any, Any, Any], Any]  # of keys, step, base and floor


def real(x: Any) -> Any:
    """An exact fraction, or the number that is written, in forty digits."""
    return mpf(x.numerator) / x.denominator if isinstance(x, Fraction) else mpf(x)


def fallen(shape: str, x: Any) -> Any:
    """What is left of a height after the share `x` of its fall."""
    return {
        "linear": lambda: 1 - x,
        "cosine": lambda: (1 + mpmath.cos(mpmath.pi * x)) / 2,
        "1-sqrt": lambda: 1 - mpmath.sqrt(x),
        "1-square": lambda: 1 - x**2,
        "exponential": lambda: 2 * mpf(0.5) ** x - 1,
    }[shape]()


def inverse_sqrt(p: Any, t: Any, base: Any, low: Any) -> Any:
    return low + (base - low) * mpmath.sqrt(p["timescale"] / (p["timescale"] + t))


def warmup_stable_decay(p: Any, t: Any, base: Any, low: Any) -> Any:
    begin = p["total_steps"] - p["decay"]
    if t < begin:
        return base
    x = min(t - begin, mpf(p["decay"])) / p["decay"]
    if p["decay_shape"] == "geometric":
        return base * (low / base) ** x
    return low + (base - low) * fallen(p["decay_shape"], x)


def rex(p: Any, t: Any, base: Any, low: Any) -> Any:
    z = 1 - min(t / p["total_steps"], mpf(1))
    return low + (base - low) * z / (1 - mpf(p["beta"]) + p["beta"] * z)


def noam(p: Any, t: Any, base: Any, low: Any) -> Any:
    s, W = max(t, mpf(1)), mpf(p["warmup_steps"])
    peak = base / mpmath.sqrt(p["d_model"] * W)
    return peak * s / W if s < W else low + (peak - low) * mpmath.sqrt(W / s)


def inverse_time(p: Any, t: Any, base: Any, low: Any) -> Any:
    periods = t / p["decay_period"]
    return low + (base - low) / (1 + p["gamma"] * (mpmath.floor(periods) if p["staircase"] else periods))


def power(p: Any, t: Any, base: Any, low: Any) -> Any:
    return low + (base - low) * (1 + t / p["timescale"]) ** mpf(p["exponent"])


def piecewise(p: Any, t: Any, base: Any, low: Any) -> Any:
    points = p["points"]
    behind = [i for i, (at, _) in enumerate(points) if at <= t]
    if not behind:
        return base * points[0][1]
    (at, factor), following = points[behind[-1]], points[behind[-1] + 1 :]
    if not following or p["interpolation"] == "constant":
        return base * mpf(factor)
    x = (t - at) / (following[0][0] - at)
    x = 1 - fallen("cosine", x) if p["interpolation"] == "cosine" else x
    return base * (mpf(factor) + (mpf(following[0][1]) - mpf(factor)) * x)


def slanted_triangular(p: Any, t: Any, base: Any, low: Any) -> Any:
    n = p["total_steps"]
    cut = math.floor(Fraction(str(p["cut_frac"])) * n)
    q = t / cut if t < cut else (n - min(t, mpf(n))) / (n - cut)
    return base * (1 + q * (mpf(p["ratio"]) - 1)) / p["ratio"]


def tanh(p: Any, t: Any, base: Any, low: Any) -> Any:
    x = t / p["total_steps"]
    return low if x >= 1 else low + (base - low) * (1 - mpmath.tanh(p["lb"] * (1 - x) + p["ub"] * x)) / 2


def _h(p: Any, t: Any) -> Any:
    n, bound = p["total_steps"], p["upper_bound"]
    t = min(t, mpf(n))
    return mpmath.sqrt((n - t) * (2 * bound - n - t)) / bound


def hyperbolic(p: Any, t: Any, base: Any, low: Any) -> Any:
    return base + (base - low) * (_h(p, t) - _h(p, mpf(0)))


def exp_hyperbolic(p: Any, t: Any, base: Any, low: Any) -> Any:
    return base * (low / base) ** (_h(p, mpf(0)) - _h(p, t))


def range_test(p: Any, t: Any, base: Any, low: Any) -> Any:
    x = min(t / p["total_steps"], mpf(1))
    return low + (base - low) * x if p["shape"] == "linear" else low * (base / low) ** x


RATES: dict[str, Rate] = {
    "inverse_sqrt": inverse_sqrt,
    "warmup_stable_decay": warmup_stable_decay,
    "rex": rex,
    "noam": noam,
    "inverse_time": inverse_time,
    "power": power,
    "piecewise": piecewise,
    "slanted_triangular": slanted_triangular,
    "tanh": tanh,
    "hyperbolic": hyperbolic,
    "exp_hyperbolic": exp_hyperbolic,
    "range_test": range_test,
}


def beyond(p: dict[str, Any], t: Fraction, base: float, low: float) -> float:
    """The rate of a schedule that torch lacks."""
    with mpmath.workdps(40):
        rate = float(RATES[p["name"]](p, real(t), mpf(base), mpf(low)))
    return max(rate, low) if p["name"] in ("piecewise", "slanted_triangular") else rate


# ------------------------------------------------------------------------------------------------ torch's, with more keys


def cosine(p: dict[str, Any], t: Fraction, base: float, low: float) -> float:
    """``((1 + cos(2 pi cycles x ** k)) / 2) ** power``."""
    with mpmath.workdps(40):
        x = t / p["T_max"]
        if p["k"] != 1:
            x = x % 2
            x = min(x, 2 - x)
        height = (1 + mpmath.cos(2 * mpmath.pi * mpf(p["cycles"]) * real(x) ** mpf(p["k"]))) / 2
        return float(low + (mpf(base) - low) * height ** mpf(p["power"]))


def cosine_warm_restarts(p: dict[str, Any], t: Fraction, base: float, low: float) -> float:
    """Periods that grow by the number that is written, get lower, and end."""
    length, period = Fraction(p["T_0"]), 0
    while t >= length:
        t, length, period = t - length, length * Fraction(str(p["T_mult"])), period + 1
    if p["cycles"] is not None and period >= p["cycles"]:
        return low
    with mpmath.workdps(40):
        high = mpf(base) * mpf(p["restart_decay"]) ** period
        return float(low + (high - low) * fallen("cosine", real(t / length)))


def exponential(p: dict[str, Any], t: Fraction) -> float:
    periods = t / (p["decay_period"] or 1)
    with mpmath.workdps(40):
        return float(mpf(p["gamma"]) ** (math.floor(periods) if p["staircase"] else real(periods)))
