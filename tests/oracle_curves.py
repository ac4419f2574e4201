"""The oracle's formulas: every schedule as torch documents it, at any step of a plan, also between two."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

#: formulas as text, and what they mean
FORMULAS: dict[str, Any] = {
    "0.95 ** epoch": lambda t, T: 0.95**t,
    "0.95": lambda t, T: 0.95,
    "1 / (1 + t)": lambda t, T: 1 / (1 + t),
    "1 - 1 / (2 + t)": lambda t, T: 1 - 1 / (2 + t),
    "max(1 - t / T, 0)": lambda t, T: max(1 - t / T, 0.0),
    "max(1 - t / 40, 0.1)": lambda t, T: max(1 - t / 40, 0.1),
}


def group_value(value: Any, group: int, base: float, missing: Any) -> Any:
    """The value of one group out of a number, a list, a mapping by index; ``"1%"`` is a share of its own rate."""
    if isinstance(value, dict):
        value = value.get(str(group), missing)
    elif isinstance(value, list):
        value = value[group]
    if isinstance(value, str):
        return float(Fraction(value.rstrip("% ")) / 100) * base
    return missing if value is None else value


def shape(name: str, s: float, x: float) -> float:
    """The warmup's factor after the share `x` of it."""
    if name == "exponential":
        return s ** (1 - x)
    if name == "constant":
        return s
    return s + (1 - s) * (x if name == "linear" else (1 - math.cos(math.pi * x)) / 2)


def rate(plan: Any, t: Fraction, base: float, group: int = 0) -> float:
    """The rate at step `t`, which may lie between two."""
    node = plan.node
    if t < plan.warmup:
        first = own(plan, Fraction(0), base, group)
        return first * shape(node["warmup_shape"], node["warmup_start_factor"], float(Fraction(t) / plan.warmup))
    t = Fraction(t) - plan.warmup
    return own(plan, t if plan.hold is None else min(t, Fraction(plan.hold)), base, group)


def own(plan: Any, t: Fraction, base: float, group: int) -> float:
    name = plan.node["name"]
    if name == "sequential":
        start, stage = [(start, stage) for start, stage in plan.stages if start <= t][-1]
        return rate(stage, t - start, base, group)
    if name == "chained":
        product = base
        for _, stage in plan.stages:
            product *= rate(stage, t, base, group) / base
        return product
    if name in ("cosine", "cosine_warm_restarts", "cyclic", "one_cycle"):
        return bounded(plan, t, base, group)
    return base * factor(plan, t)


def factor(plan: Any, t: Fraction) -> float:
    """The schedules that multiply the base rate."""
    p, name, x = plan.node, plan.node["name"], float(t)
    if name in ("none", "reduce_on_plateau"):
        return 1.0
    if name in ("lambda", "multiplicative"):
        function = FORMULAS[p["lr_lambda"]]
        length = p.get("T")
        if name == "lambda":
            return float(function(x, length))
        whole, part = int(t), x - int(t)
        done = math.prod(function(i, length) for i in range(1, whole + 1))
        return float(done * function(whole + 1, length) ** part if part else done)
    if name == "step":
        return float(p["gamma"] ** (t // p["step_size"]))
    if name == "multi_step":
        return float(p["gamma"] ** sum(m <= t for m in p["milestones"]))
    if name == "exponential":
        return float(p["gamma"] ** x)
    n = p["total_iters"]
    if name == "constant":
        return float(p["factor"]) if t < n else 1.0
    share = float(min(t, Fraction(n)) / n)
    if name == "linear":
        return float(p["start_factor"] + (p["end_factor"] - p["start_factor"]) * share)
    assert name == "polynomial", name
    return float((1 - min(t, Fraction(n)) / n) ** p["power"]) if p["power"] == 1 else float((1 - share) ** p["power"])


def bounded(plan: Any, t: Fraction, base: float, group: int) -> float:
    """The schedules between two bounds."""
    p, name = plan.node, plan.node["name"]
    if name in ("cosine", "cosine_warm_restarts"):
        low = group_value(p["eta_min"], group, base, 0.0)
        if name == "cosine":
            x = t / p["T_max"]
        else:
            length = p["T_0"]
            while t >= length:
                t, length = t - length, length * p["T_mult"]
            x = t / length
        return float(low + (base - low) * (1 + math.cos(math.pi * float(x % 2))) / 2)
    high = group_value(p["max_lr"], group, base, base)
    if name == "cyclic":
        low = group_value(p["base_lr"], group, base, high / 10)
        return float(low + (high - low) * cyclic_height(p, t))
    first = high / p["div_factor"]
    return one_cycle(p, t, (first, high, first / p["final_div_factor"]), (first, high, first))


def cyclic_height(p: dict[str, Any], t: Fraction) -> float:
    up = p["step_size_up"]
    down = p["step_size_down"] or up
    cycle, x = t // (up + down), t % (up + down)
    height = float(x / up if x <= up else (up + down - x) / down)
    if p["mode"] == "triangular2":
        height /= 2**cycle
    elif p["mode"] == "exp_range":
        height *= p["gamma"] ** float(t)
    return height


def one_cycle(p: dict[str, Any], t: Fraction, values: tuple[float, ...], middle: tuple[float, ...]) -> float:
    """Phases between `values` (first, peak, last); `middle` is where a third phase begins."""
    first, peak, last = values
    n = p["total_steps"]
    x = min(float(t), float(n - 1))  # what the cycle ended with is held
    warm = float(p["pct_start"] * n)
    if p["three_phase"]:
        phases = [(warm - 1, first, peak), (2 * warm - 2, peak, middle[2]), (n - 1.0, middle[2], last)]
    else:
        phases = [(warm - 1, first, peak), (n - 1.0, peak, last)]
    start = 0.0
    for i, (end, a, b) in enumerate(phases):
        if x <= end or i == len(phases) - 1:
            share = (x - start) / (end - start) if end != start else 1.0
            if p["anneal_strategy"] == "cos":
                return b + (a - b) * (1 + math.cos(math.pi * share)) / 2
            return a + (b - a) * share
        start = end
    raise AssertionError


def momentum(plan: Any, t: Fraction) -> float | None:
    """The momentum that a cycle moves against the rate; None where the schedule leaves it alone."""
    p = plan.node
    if not p.get("cycle_momentum"):
        return None
    t = max(Fraction(t) - plan.warmup, Fraction(0))
    low, high = p["base_momentum"], p["max_momentum"]
    if p["name"] == "cyclic":
        return float(high - (high - low) * cyclic_height(p, t))
    return one_cycle(p, t, (high, low, high), (high, low, high))
