"""What is measured of every schedule: how it is made, and the same formula by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: longer than any measurement
N = 10**7
_PI = math.pi


@dataclass(frozen=True)
class Case:
    """One schedule.

    Args:
        make: the scheduler, from a module with torch's names and an optimizer.
        factor: what a loop by hand computes at step `t`.
        momentum: whether it moves as well.
    """

    make: Callable[[Any, Any], Any]
    factor: Callable[[int], float]
    momentum: bool = False


def _half_cosine(t: float) -> float:
    return (1 + math.cos(_PI * t / N)) / 2


def _fixed_optimizer(module: Any, opt: Any) -> Any:
    return module.SequentialLR(opt, [module.LinearLR(opt, 0.1, 1.0, 5), module.CosineAnnealingLR(opt, N)], [5])


class Fed:
    """A schedule that wants a metric, which gets better at every step."""

    def __init__(self, schedule: Any) -> None:
        self.schedule, self.value = schedule, 0.0

    def step(self) -> None:
        self.value -= 1.0
        self.schedule.step(self.value)


#: torch's, by their names there
TORCH: dict[str, Case] = {
    "LambdaLR": Case(lambda m, o: m.LambdaLR(o, lambda t: 1 / (1 + t)), lambda t: 1 / (1 + t)),
    "MultiplicativeLR": Case(lambda m, o: m.MultiplicativeLR(o, lambda t: 0.9999999), lambda t: 0.9999999),
    "StepLR": Case(lambda m, o: m.StepLR(o, 3, 0.9999), lambda t: 0.9999 ** (t // 3)),
    "MultiStepLR": Case(lambda m, o: m.MultiStepLR(o, list(range(0, 3000, 3)), 0.9999), lambda t: 0.9999 ** (t // 3)),
    "ConstantLR": Case(lambda m, o: m.ConstantLR(o, 0.5, N), lambda t: 0.5 if t < N else 1.0),
    "LinearLR": Case(lambda m, o: m.LinearLR(o, 0.1, 1.0, N), lambda t: 0.1 + 0.9 * min(t, N) / N),
    "ExponentialLR": Case(lambda m, o: m.ExponentialLR(o, 0.999999), lambda t: 0.999999**t),
    "PolynomialLR": Case(lambda m, o: m.PolynomialLR(o, N, 2.0), lambda t: (1 - min(t, N) / N) ** 2.0),
    "CosineAnnealingLR": Case(lambda m, o: m.CosineAnnealingLR(o, N), _half_cosine),
    "CosineAnnealingLR eta_min": Case(lambda m, o: m.CosineAnnealingLR(o, N, 1e-4), _half_cosine),
    "CosineAnnealingWarmRestarts": Case(
        lambda m, o: m.CosineAnnealingWarmRestarts(o, 1000, 2), lambda t: (1 + math.cos(_PI * (t % 1000) / 1000)) / 2
    ),
    "CyclicLR": Case(lambda m, o: m.CyclicLR(o, 0.01, 0.1, 2000), lambda t: 1 - abs((t % 4000) / 2000 - 1), True),
    "CyclicLR no momentum": Case(
        lambda m, o: m.CyclicLR(o, 0.01, 0.1, 2000, cycle_momentum=False), lambda t: 1 - abs((t % 4000) / 2000 - 1)
    ),
    "OneCycleLR": Case(lambda m, o: m.OneCycleLR(o, 0.1, N), _half_cosine, True),
    "OneCycleLR no momentum": Case(lambda m, o: m.OneCycleLR(o, 0.1, N, cycle_momentum=False), _half_cosine),
    "SequentialLR": Case(_fixed_optimizer, _half_cosine),
    "ChainedScheduler": Case(
        lambda m, o: m.ChainedScheduler([m.LinearLR(o, 0.1, 1.0, N), m.CosineAnnealingLR(o, N)]),
        lambda t: (0.1 + 0.9 * min(t, N) / N) * _half_cosine(t),
    ),
    "ReduceLROnPlateau": Case(lambda m, o: Fed(m.ReduceLROnPlateau(o)), lambda t: 1.0),
}


def _piecewise(t: int) -> float:
    if t < 5:
        return t / 5
    return 1.0 - 0.9 * (t - 5) / (N - 5) if t < N else 0.1


def _stable_decay(t: int) -> float:
    return 1.0 if t < 5 else (N - t) / (N - 5) if t < N else 0.0


def _slanted(t: int) -> float:
    cut = N // 10
    p = t / cut if t < cut else 1 - (t - cut) / (cut * 9)
    return (1 + p * 31.0) / 32.0


def _hyperbola(t: int) -> float:
    t = min(t, N)
    return math.sqrt((N - t) * (3.0 * N - t)) / (2.0 * N)


_FIRST = _hyperbola(0)

#: those that torch lacks; beside them, torch's LambdaLR with the same formula
OTHERS: dict[str, Case] = {
    "IdentityLR": Case(lambda m, o: m.IdentityLR(o), lambda t: 1.0),
    "InverseSqrtLR": Case(lambda m, o: m.InverseSqrtLR(o, 1000), lambda t: math.sqrt(1000 / (1000 + t))),
    "WarmupStableDecayLR": Case(lambda m, o: m.WarmupStableDecayLR(o, N, N - 5), _stable_decay),
    "REXLR": Case(lambda m, o: m.REXLR(o, N), lambda t: (1 - min(t, N) / N) / (0.5 + 0.5 * (1 - min(t, N) / N))),
    "NoamLR": Case(
        lambda m, o: m.NoamLR(o, 512, 4000), lambda t: 512**-0.5 * min((t + 1) ** -0.5, (t + 1) * 4000**-1.5)
    ),
    "InverseTimeLR": Case(lambda m, o: m.InverseTimeLR(o, 1.0, 1000), lambda t: 1 / (1 + t / 1000)),
    "PowerLR": Case(lambda m, o: m.PowerLR(o, 1000), lambda t: (1 + t / 1000) ** -0.51),
    "PiecewiseLR": Case(lambda m, o: m.PiecewiseLR(o, [[0, 0.0], [5, 1.0], [N, 0.1]]), _piecewise),
    "SlantedTriangularLR": Case(lambda m, o: m.SlantedTriangularLR(o, N), _slanted),
    "TanhLR": Case(
        lambda m, o: m.TanhLR(o, N), lambda t: 0.5 * (1 - math.tanh(-7.0 * (1 - t / N) + 3.0 * t / N)) if t < N else 0.0
    ),
    "HyperbolicLR": Case(lambda m, o: m.HyperbolicLR(o, N, 2 * N), lambda t: 1 + _hyperbola(t) - _FIRST),
    "ExpHyperbolicLR": Case(lambda m, o: m.ExpHyperbolicLR(o, N, 2 * N), lambda t: 0.01 ** (_FIRST - _hyperbola(t))),
    "RangeTestLR": Case(lambda m, o: m.RangeTestLR(o, N), lambda t: 1e-5 ** (1 - min(t, N) / N)),
}


def curves(n: int) -> dict[str, tuple[dict[str, Any], Callable[[], Any]]]:
    """Name -> the keys of a schedule, and its first `n` rates in numpy as one writes them."""
    import numpy as np

    t = np.arange(n, dtype=np.float64)
    x = t / n
    first = math.sqrt(n * 3.0 * n) / (2.0 * n)

    def hyperbola() -> Any:
        return np.sqrt((n - t) * (3.0 * n - t)) / (2.0 * n)

    return {
        "lambda": ({"lr_lambda": "1 / (1 + t)"}, lambda: 0.1 / (1 + t)),
        "lambda, p": ({"lr_lambda": "(1 - p) ** 0.9"}, lambda: 0.1 * (1 - x) ** 0.9),
        "lambda, where": (
            {"lr_lambda": "t / 1000 if t < 1000 else 0.5 * (1 + cos(pi * p))"},
            lambda: 0.1 * np.where(t < 1000, t / 1000, 0.5 * (1 + np.cos(_PI * x))),
        ),
        "multiplicative": ({"lr_lambda": "0.999999"}, lambda: 0.1 * np.cumprod(np.full(n, 0.999999))),
        "multiplicative, t": ({"lr_lambda": "1 - 1 / (9 + t)"}, lambda: 0.1 * np.cumprod(1 - 1 / (9 + t))),
        "step": ({"step_size": 1000, "gamma": 0.99}, lambda: 0.1 * 0.99 ** (t // 1000)),
        "multi_step": (
            {"milestones": [n // 2, 3 * n // 4]},
            lambda: 0.1 * 0.1 ** np.searchsorted([n // 2, 3 * n // 4], t, side="right"),
        ),
        "constant": ({"total_iters": 1000}, lambda: np.where(t < 1000, 0.1 / 3, 0.1)),
        "none": ({}, lambda: np.full(n, 0.1)),
        "linear": ({"total_iters": n}, lambda: 0.1 * (1 / 3 + 2 / 3 * np.minimum(t, n) / n)),
        "exponential": ({"gamma": 0.999999}, lambda: 0.1 * 0.999999**t),
        "polynomial": ({"total_iters": n, "power": 2.0}, lambda: 0.1 * (1 - np.minimum(t, n) / n) ** 2.0),
        "cosine": ({"T_max": n}, lambda: 0.1 * (1 + np.cos(_PI * t / n)) / 2),
        "cosine_warm_restarts": ({"T_0": 10_000}, lambda: 0.1 * (1 + np.cos(_PI * (t % 10_000) / 10_000)) / 2),
        "cyclic": ({"step_size_up": 2000}, lambda: 0.01 + 0.09 * (1 - np.abs((t % 4000) / 2000 - 1))),
        "one_cycle": (
            {"total_steps": n},
            lambda: np.where(
                t < 0.3 * n - 1,
                0.1 + (0.004 - 0.1) / 2 * (1 + np.cos(_PI * t / (0.3 * n - 1))),
                4e-7 + (0.1 - 4e-7) / 2 * (1 + np.cos(_PI * (t - 0.3 * n + 1) / (0.7 * n))),
            ),
        ),
        "sequential": (
            {},
            lambda: np.where(
                t < n // 10, 0.1 * (0.01 + 0.99 * t / (n // 10)), 0.05 * (1 + np.cos(_PI * (t - n // 10) / (0.9 * n)))
            ),
        ),
        "chained": ({}, lambda: 0.05 * (0.01 + 0.99 * np.minimum(t, n // 10) / (n // 10)) * (1 + np.cos(_PI * t / n))),
        "inverse_sqrt": ({"timescale": 1000}, lambda: 0.1 * np.sqrt(1000 / (1000 + t))),
        "warmup_stable_decay": ({"decay": n // 2}, lambda: 0.1 * np.minimum(1.0, (n - t) / (n // 2))),
        "rex": ({}, lambda: 0.1 * (1 - x) / (0.5 + 0.5 * (1 - x))),
        "noam": (
            {"warmup_steps": 4000},
            lambda: 0.1 * 512**-0.5 * np.minimum((t + 1) ** -0.5, (t + 1) * 4000**-1.5),
        ),
        "inverse_time": ({"decay_period": 1000}, lambda: 0.1 / (1 + t / 1000)),
        "power": ({"timescale": 1000}, lambda: 0.1 * (1 + t / 1000) ** -0.51),
        "piecewise": (
            {"points": [[0, 0.0], [n // 20, 1.0], [n, 0.1]]},
            lambda: 0.1 * np.interp(t, [0, n // 20, n], [0.0, 1.0, 0.1]),
        ),
        "slanted_triangular": (
            {},
            lambda: 0.1 * (1 + 31.0 * np.where(t < n // 10, t / (n // 10), 1 - (t - n // 10) / (0.9 * n))) / 32.0,
        ),
        "tanh": ({}, lambda: 0.05 * (1 - np.tanh(-7.0 * (1 - x) + 3.0 * x))),
        "hyperbolic": ({"upper_bound": 2 * n}, lambda: 0.1 * (1 + hyperbola() - first)),
        "exp_hyperbolic": ({"upper_bound": 2 * n}, lambda: 0.1 * 0.01 ** (first - hyperbola())),
        "range_test": ({}, lambda: 0.1 * 1e-5 ** (1 - x)),
        "cosine, warmup": (
            {"warmup": n // 20},
            lambda: 0.1 * np.where(
                t < n // 20, 0.01 + 0.99 * t / (n // 20), (1 + np.cos(_PI * (t - n // 20) / (n - n // 20))) / 2
            ),
        ),
    }  # fmt: skip
