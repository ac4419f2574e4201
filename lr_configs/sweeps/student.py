"""Student's t distribution, as far as confidence intervals need it."""

from __future__ import annotations

import math


def quantile(p: float, df: float) -> float:
    """The value below which a variable of Student's t distribution is with probability `p`.

    Args:
        p: between 0.5 and 1.
        df: degrees of freedom, positive, not necessarily whole.

    Found by halving from the distribution function, which is an incomplete beta function (Abramowitz and Stegun 26.7.1).

    >>> round(quantile(0.975, 4), 6), round(quantile(0.975, 1), 4)
    (2.776445, 12.7062)
    """
    low, high = 0.0, 1.0
    while _below(high, df) < p:
        low, high = high, 2 * high
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if _below(middle, df) < p else (low, middle)
    return (low + high) / 2


def _below(t: float, df: float) -> float:
    """The probability of a value below `t`, which is not negative."""
    return 1 - _beta(df / (df + t * t), df / 2, 0.5) / 2


def _beta(x: float, a: float, b: float) -> float:
    """The regularized incomplete beta function, by its continued fraction (Numerical Recipes, 6.4)."""
    if x in (0.0, 1.0):
        return x
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta(1 - x, b, a)
    log = a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    tiny = 1e-300
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > tiny else tiny)
    found = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for step in (even, odd):
            d = 1 + step * d
            d = 1 / (d if abs(d) > tiny else tiny)
            c = 1 + step / c
            c = c if abs(c) > tiny else tiny
            found *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return math.exp(log) * found / a
