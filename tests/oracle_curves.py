"""The oracle's formulas: every schedule as torch documents it, at any step of a plan, also between two."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import oracle_families as families
from mpmath import workdps

#: formulas as text, and what they mean
FORMULAS: dict[str, Any] = {
    "0.95 ** epoch": lambda t, T: 0.95**t,
    "0.95": lambda t, T: 0.95,
    "1 / (1 + t)": lambda t, T: 1 / (1 + t),
    "1 - 1 / (2 + t)": lambda t, T: 1 - 1 / (2 + t),
    "max(1 - t / T, 0)": lambda t, T: max(1 - t / T, 0.0),
    "max(1 - t / 40, 0.1)": lambda t, T: max(1 - t / 40, 0.1),
    "0.5 * (1 + cos(pi * p))": lambda t, T: (1 + math.cos(math.pi * min(t / T, 1))) / 2,
    "1 - 0.9 * p ** 2": lambda t, T: 1 - 0.9 * min(t / T, 1) ** 2,
    "0.98 - 0.1 * p": lambda t, T: 0.98 - 0.1 * min(t / T, 1),
}
#: formulas in which the group's own rate stands
OF_BASE: dict[str, Any] = {
    "max(0.9 ** t, 0.005 / base)": lambda t, T, base: max(0.9**t, 0.005 / base),
    "1 - base": lambda t, T, base: 1 - base,
    "exp(-base * p)": lambda t, T, base: math.exp(-base * min(t / T, 1)),
}
#: schedules that a test has registered: the factor at step `t` of resolved keys
OWN: dict[str, Any] = {}


def formula(text: str, base: float) -> Any:
    """A formula as a function of step and length."""
    return (lambda t, T: OF_BASE[text](t, T, base)) if text in OF_BASE else FORMULAS[text]


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
    if plan.cooldown is not None:
        start, steps = plan.cooldown
        if t >= start:
            with workdps(40):
                x = families.real(min((Fraction(t) - start) / steps, Fraction(1)))
                return float(
                    in_front(plan, Fraction(start), base, group) * families.fallen(plan.node["cooldown_shape"], x)
                )
    return in_front(plan, Fraction(t), base, group)


def in_front(plan: Any, t: Fraction, base: float, group: int) -> float:
    """The rate without its cooldown."""
    node = plan.node
    if t < plan.warmup:
        first = own(plan, Fraction(0), base, group)
        s = node["warmup_start_factor"]
        now = shape(node["warmup_shape"], s, float(t / plan.warmup))
        if node["warmup_overlap"] != "continuous":
            return first * now
        gone = (now - s) / (1 - s)  # of the way from the start to where the schedule will be
        return first * s * (1 - gone) + own(plan, held(plan, Fraction(plan.warmup)), base, group) * gone
    return own(plan, held(plan, t), base, group)


def held(plan: Any, t: Fraction) -> Fraction:
    """The schedule's own step behind its warmup."""
    t = t if plan.node["warmup_overlap"] else t - plan.warmup
    return t if plan.hold is None else min(t, Fraction(plan.hold))


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
    if name in OWN:
        return base * float(OWN[name](plan.node, t))
    if name in families.RATES:
        return families.beyond(plan.node, t, base, floor_of(plan.node, group, base))
    if name in ("cosine", "cosine_warm_restarts", "cyclic", "one_cycle"):
        return bounded(plan, t, base, group)
    share, low = factor(plan, t, base), floor_of(plan.node, group, base)
    return low + (base - low) * share if name == "polynomial" else max(base * share, low)


def floor_of(node: dict[str, Any], group: int, base: float) -> float:
    """The floor of one group; one that a mapping does not name has the default."""
    default = families.DEFAULTS.get(node["name"], {}).get("eta_min", 0.0)
    value = group_value(node.get("eta_min", 0.0), group, base, group_value(default, group, base, 0.0))
    return float(value)


def factor(plan: Any, t: Fraction, base: float = 1.0) -> float:
    """The schedules that multiply the base rate."""
    p, name, x = plan.node, plan.node["name"], float(t)
    if name in ("none", "reduce_on_plateau"):
        return 1.0
    if name in ("lambda", "multiplicative"):
        function = formula(p["lr_lambda"], base)
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
        return families.exponential(p, t)
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
        return getattr(families, name)(p, t, base, floor_of(p, group, base))  # type: ignore[no-any-return]
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
    t = Fraction(t) if plan.cooldown is None else min(Fraction(t), Fraction(plan.cooldown[0]))
    t = held(plan, t) if t >= plan.warmup else Fraction(0)
    low, high = p["base_momentum"], p["max_momentum"]
    if p["name"] == "cyclic":
        return float(high - (high - low) * cyclic_height(p, t))
    return one_cycle(p, t, (high, low, high), (high, low, high))
