"""The schedules that torch lacks: against their formulas in high precision, as classes, and what they refuse."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from helpers import optimizer, rates
from hypothesis import given, settings
from hypothesis import strategies as st

from lr_configs import Horizon, SchedulerConfigError, build, curve, schedulers
from lr_configs.curve_tree import bind
from lr_configs.plan import Plan, resolve
from lr_configs.registry import entry, parse

mpmath.mp.dps = 60
mpf, sqrt = mpmath.mpf, mpmath.sqrt
BASE, N = 0.1, 1000
B = mpf(BASE)
LOW = mpf(1e-5)

Exact = Callable[[int], Any]


def hyperbola(t: int, n: int, bound: int) -> Any:
    t = min(t, n)
    return sqrt(mpf(n - t) / bound * (2 - mpf(n + t) / bound))


def decayed(shape: Callable[[Any], Any], low: Any = 0, n: int = N, decay: int = 300) -> Exact:
    return lambda t: B if t < n - decay else low + (B - low) * shape(mpf(min(t, n) - (n - decay)) / decay)


def through(points: list[Any], shape: Callable[[Any], Any] | None) -> Exact:
    def value(t: int) -> Any:
        if t < points[0][0]:
            return B * points[0][1]
        at = max(i for i, (step, _) in enumerate(points) if step <= t)
        if at == len(points) - 1 or shape is None:
            return B * mpf(points[at][1])
        (start, first), (end, last) = points[at : at + 2]
        return B * (mpf(first) + (mpf(last) - mpf(first)) * shape(mpf(t - start) / (end - start)))

    return value


def noam(t: int, low: Any = 0, d: int = 64, W: int = 100) -> Any:
    s = mpf(max(t, 1))
    rate = B / sqrt(d) * min(1 / sqrt(s), s * mpf(W) ** mpf(-1.5))
    return rate if t < W or not low else low + (B / sqrt(d * W) - low) * sqrt(W / s)


def slanted(t: int, n: int, cut: int, ratio: int = 32) -> Any:
    q = mpf(t) / cut if t < cut else mpf(n - min(t, n)) / (n - cut)
    return B * (1 + q * (ratio - 1)) / ratio


def rex(t: int, beta: float = 0.5, low: Any = 0) -> Any:
    z = 1 - mpf(min(t, N)) / N
    return low + (B - low) * z / (1 - mpf(beta) + mpf(beta) * z)


def tanh(t: int, lb: int = -7, ub: int = 3, low: Any = 0) -> Any:
    p = mpf(t) / N
    return low if t >= N else low + (B - low) * (1 - mpmath.tanh(lb * (1 - p) + ub * p)) / 2


def half_wave(x: Any) -> Any:
    return (1 - mpmath.cos(mpmath.pi * x)) / 2


WSD = {"total_steps": N, "decay": 300}
POINTS = [[0, 0.0], [50, 1.0], [600, 0.3], [1000, 0.1]]
#: id -> (name, parameters, formula, seams)
CASES: dict[str, tuple[str, dict[str, Any], Exact, list[int]]] = {
    "inverse_sqrt": ("inverse_sqrt", {"timescale": 100}, lambda t: B * sqrt(mpf(100) / (100 + t)), []),
    "inverse_sqrt floor": (
        "inverse_sqrt",
        {"timescale": 100, "eta_min": 1e-5},
        lambda t: LOW + (B - LOW) * sqrt(mpf(100) / (100 + t)),
        [],
    ),
    "wsd linear": ("warmup_stable_decay", WSD, decayed(lambda x: 1 - x), [700, 1000]),
    "wsd cosine": ("warmup_stable_decay", WSD | {"decay_shape": "cosine"}, decayed(lambda x: 1 - half_wave(x)), [700]),
    "wsd 1-sqrt": (
        "warmup_stable_decay",
        WSD | {"decay_shape": "1-sqrt", "eta_min": 1e-5},
        decayed(lambda x: 1 - sqrt(x), LOW),
        [700],
    ),
    "wsd 1-square": ("warmup_stable_decay", WSD | {"decay_shape": "1-square"}, decayed(lambda x: 1 - x**2), [700]),
    "wsd exponential": (
        "warmup_stable_decay",
        WSD | {"decay_shape": "exponential"},
        decayed(lambda x: 2 * mpf(0.5) ** x - 1),
        [700],
    ),
    "wsd geometric": (
        "warmup_stable_decay",
        WSD | {"decay_shape": "geometric", "eta_min": 1e-5},
        lambda t: B if t < 700 else B * (LOW / B) ** (mpf(min(t, N) - 700) / 300),
        [700],
    ),
    "wsd all decay": (
        "warmup_stable_decay",
        {"total_steps": N, "decay": N},
        decayed(lambda x: 1 - x, decay=N),
        [],
    ),
    "rex": ("rex", {"total_steps": N}, rex, [1000]),
    "rex 0.9 floor": ("rex", {"total_steps": N, "beta": 0.9, "eta_min": 1e-5}, lambda t: rex(t, 0.9, LOW), [1000]),
    "noam": ("noam", {"d_model": 64, "warmup_steps": 100}, noam, [1, 100]),
    "noam floor": ("noam", {"d_model": 64, "warmup_steps": 100, "eta_min": 1e-5}, lambda t: noam(t, LOW), [1, 100]),
    "inverse_time": (
        "inverse_time",
        {"gamma": 0.5, "decay_period": 100},
        lambda t: B / (1 + mpf(0.5) * t / 100),
        [],
    ),
    "inverse_time staircase": (
        "inverse_time",
        {"gamma": 0.5, "decay_period": 100, "staircase": True, "eta_min": 1e-5},
        lambda t: LOW + (B - LOW) / (1 + mpf(0.5) * (t // 100)),
        [100, 200],
    ),
    "power": ("power", {"timescale": 200}, lambda t: B * (1 + mpf(t) / 200) ** mpf(-0.51), []),
    "piecewise": ("piecewise", {"points": POINTS}, through(POINTS, lambda x: x), [50, 600, 1000]),
    "piecewise cosine": (
        "piecewise",
        {"points": POINTS, "interpolation": "cosine"},
        through(POINTS, half_wave),
        [50, 600, 1000],
    ),
    "piecewise constant": (
        "piecewise",
        {"points": POINTS, "interpolation": "constant"},
        through(POINTS, None),
        [50, 600, 1000],
    ),
    "piecewise late": (
        "piecewise",
        {"points": [[10, 0.5], [20, 2]]},
        through([[10, 0.5], [20, 2]], lambda x: x),
        [10, 20],
    ),
    "slanted_triangular": ("slanted_triangular", {"total_steps": N}, lambda t: slanted(t, N, 100), [100, 1000]),
    "slanted_triangular short": ("slanted_triangular", {"total_steps": 15}, lambda t: slanted(t, 15, 1), [1, 15]),
    "slanted_triangular shorter": ("slanted_triangular", {"total_steps": 9}, lambda t: slanted(t, 9, 0), [9]),
    "piecewise floor": (
        "piecewise",
        {"points": POINTS, "eta_min": "20%"},
        lambda t: max(through(POINTS, lambda x: x)(t), B / 5),
        [10, 50, 600, 800, 1000],
    ),
    "slanted_triangular floor": (
        "slanted_triangular",
        {"total_steps": N, "eta_min": "10%"},
        lambda t: max(slanted(t, N, 100), B / 10),
        [7, 100, 935, 1000],
    ),
    "tanh": ("tanh", {"total_steps": N}, tanh, [1000]),
    "tanh floor": (
        "tanh",
        {"total_steps": N, "lb": -4, "ub": 4, "eta_min": 1e-5},
        lambda t: tanh(t, -4, 4, LOW),
        [1000],
    ),
    "hyperbolic": (
        "hyperbolic",
        {"total_steps": N, "upper_bound": N},
        lambda t: B * (1 + hyperbola(t, N, N) - hyperbola(0, N, N)),
        [1000],
    ),
    "hyperbolic longer": (
        "hyperbolic",
        {"total_steps": N, "upper_bound": 2500, "eta_min": 1e-5},
        lambda t: B + (B - LOW) * (hyperbola(t, N, 2500) - hyperbola(0, N, 2500)),
        [1000],
    ),
    "exp_hyperbolic": (
        "exp_hyperbolic",
        {"total_steps": N, "upper_bound": 2500, "eta_min": 1e-5},
        lambda t: B * (B / LOW) ** (hyperbola(t, N, 2500) - hyperbola(0, N, 2500)),
        [1000],
    ),
    "range_test": (
        "range_test",
        {"total_steps": N, "eta_min": 1e-5},
        lambda t: LOW * (B / LOW) ** (mpf(min(t, N)) / N),
        [1000],
    ),
    "range_test linear": (
        "range_test",
        {"total_steps": N, "eta_min": 1e-5, "shape": "linear"},
        lambda t: LOW + (B - LOW) * mpf(min(t, N)) / N,
        [1000],
    ),
}
NEW = sorted({name for name, _, _, _ in CASES.values()})
each = pytest.mark.parametrize("case", CASES)


@each
def test_the_formula_in_high_precision(case: str) -> None:
    name, params, exact, seams = CASES[case]
    tree = bind(resolve({"name": name, **params}), [BASE])
    steps = sorted({t + side for t in (0, 1, 17, 333, 999, 1000, 5000, *seams) for side in (-1, 0, 1) if t + side >= 0})
    array = tree.array(np.array(steps, dtype=np.float64))[0]
    for t, value in zip(steps, array.tolist(), strict=True):
        expected = float(exact(t))
        assert tree.rates(t)[0] == pytest.approx(expected, rel=1e-13, abs=1e-300), t
        assert value == pytest.approx(expected, rel=1e-13, abs=1e-300), t
        assert type(tree.rates(t)[0]) is float


@each
def test_arrays_and_steps_agree(case: str) -> None:
    name, params, _, _ = CASES[case]
    node = {"name": name, **params, "warmup": 7}
    horizon = Horizon(steps=1200)
    whole = curve(node, BASE, horizon)
    opt = optimizer(3)
    made = build(node, opt, horizon)
    for t in range(horizon.total_steps or 0):
        assert rates(opt)[0] == pytest.approx(whole[t], rel=1e-14, abs=1e-300), t
        opt.step()
        made.step()


@each
def test_the_class_by_hand(case: str) -> None:
    name, params, exact, _ = CASES[case]
    cls = getattr(schedulers, entry(name).torch_name)
    assert issubclass(cls, torch.optim.lr_scheduler.LRScheduler)
    opt = optimizer(2)
    made = cls(opt, **params)
    made.jump(13)
    assert rates(opt)[0] == pytest.approx(float(exact(13)), rel=1e-13)
    again = cls(optimizer(2), **params)
    again.load_state_dict(made.state_dict())
    for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made)), again):
        assert rates(other.optimizer) == rates(opt)
        other.jump(500)
        made.jump(500)
        assert rates(other.optimizer) == pytest.approx(made.rates_at(500), rel=1e-15)
        made.jump(13)


@pytest.mark.parametrize("name", NEW)
def test_it_runs_with_no_further_key(name: str) -> None:
    assert entry(name).natural_interval == "step"
    for horizon in (Horizon(epochs=3, steps_per_epoch=7), Horizon(steps=1), Horizon(steps=4)):
        opt = optimizer(2)
        made = build(name, opt, horizon)
        for _ in range(30):
            assert all(0 <= rate <= 0.1 for rate in rates(opt))
            opt.step()
            made.step()
    plan = resolve(name, Horizon(epochs=3, steps_per_epoch=7))
    assert Plan.from_data(plan.to_data()) == plan


@pytest.mark.parametrize("name", NEW)
def test_a_class_by_hand_needs_its_lengths(name: str) -> None:
    with pytest.raises(SchedulerConfigError, match="a share of the run needs the run's length"):
        getattr(schedulers, entry(name).torch_name)(optimizer())


FALLING = [
    "inverse_sqrt",
    "rex",
    "inverse_time",
    "power",
    "tanh",
    "hyperbolic",
    "exp_hyperbolic",
    "warmup_stable_decay",
]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(FALLING),
    st.integers(1, 400),
    st.sampled_from(["1%", "50%", 0.002, {"0": 0.001}, [0.01, 0.02]]),
)
def test_what_falls_stays_between_the_floor_and_the_rate(name: str, steps: int, low: Any) -> None:
    if name == "exp_hyperbolic" and isinstance(low, dict):
        low = "3%"
    tree = bind(resolve({"name": name, "eta_min": low}, Horizon(steps=steps)), [0.1, 0.05])
    values = tree.array(np.arange(2.0 * steps))
    floors = np.array(
        {"1%": [0.001, 0.0005], "50%": [0.05, 0.025], "3%": [0.003, 0.0015]}.get(str(low))
        or (low if isinstance(low, list) else [0.001, 0.0] if isinstance(low, dict) else [low, low])
    )
    assert (np.diff(values, axis=1) <= 1e-17).all()
    assert (values <= np.array([[0.1], [0.05]])).all()
    assert (values >= floors[:, None] * (1 - 1e-14)).all()
    again = np.array([tree.rates(t) for t in range(2 * steps)]).T
    np.testing.assert_allclose(values, again, rtol=1e-14)


@pytest.mark.parametrize("name", NEW)
def test_a_group_that_joins_later_goes_on_from_its_rate(name: str) -> None:
    opt = optimizer(2)
    low = 1e-5 if name in ("exp_hyperbolic", "range_test") else 0.0
    made = build({"name": name, "eta_min": low}, opt, Horizon(steps=100))
    made.jump(40)
    held = rates(opt)[0] / 4
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": held})
    made.jump(40)
    assert rates(opt)[2] == pytest.approx(held, rel=1e-12)
    made.jump(41)
    assert math.isfinite(rates(opt)[2])


def test_a_product_of_factors_that_differ_between_groups() -> None:
    """Two floors that are no share of the rate give each group a factor of its own."""
    stages = {"a": {"name": "exp_hyperbolic", "eta_min": 0.001}, "b": {"name": "range_test", "eta_min": 0.002}}
    node = {"name": "chained", "stages": {**stages, "c": {"name": "rex", "eta_min": "10%"}}}
    bases, horizon = [0.1, 0.05], Horizon(steps=100)
    tree = bind(resolve(node, horizon), bases)
    array = tree.array(np.arange(100.0))
    opt = optimizer(2)
    made = build(node, opt, horizon)
    for t in range(100):
        z = 1 - t / 100
        left = mpf(0.1) + mpf(0.9) * z / (mpf(0.5) + z / 2)
        due = [
            float(base * left * (mpf(0.001) / base) ** (1 - hyperbola(t, 100, 100)) * (mpf(0.002) / base) ** z)
            for base in map(mpf, bases)
        ]
        assert rates(opt) == pytest.approx(due, rel=1e-13)
        assert array[:, t].tolist() == pytest.approx(due, rel=1e-13)
        opt.step()
        made.step()


def test_shares_of_points_and_epochs() -> None:
    node = {"name": "piecewise", "points": [[0, 0.0], ["1ep", 1.0], ["100%", 0.5]]}
    assert resolve(node, Horizon(epochs=4, steps_per_epoch=10)).params["points"] == [[0, 0.0], [10, 1.0], [40, 0.5]]
    short = resolve("piecewise", Horizon(steps=2))
    assert short.params["points"] == [[0, 0.0], [1, 1.0], [2, 0.1]]
    assert curve(node, 0.1, Horizon(epochs=4, steps_per_epoch=10))[[0, 5, 10, 25]] == pytest.approx(
        [0, 0.05, 0.1, 0.075]
    )


def test_noam_is_the_papers() -> None:
    values = curve({"name": "noam", "d_model": 512, "warmup_steps": 4000}, 1.0, Horizon(steps=10_000))
    for t in (1, 2, 3999, 4000, 4001, 9999):
        assert values[t] == pytest.approx(512**-0.5 * min(t**-0.5, t * 4000**-1.5), rel=1e-14)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"name": "piecewise", "points": [[0, 1.0], ["20%", 0.5], ["10%", 0.1]]}, r"points=.*rise strictly, and 10% comes"),
    ({"name": "piecewise", "points": [[10, 1.0], [10, 0.5]]}, r"points=.*rise strictly"),
    ({"name": "piecewise", "points": [[0, 1.0], ["50%", 0.5], ["3st", 0.1]]}, r"points=.*rise strictly"),
    ({"name": "piecewise", "points": []}, r"points=\[\]: this is a list of points"),
    ({"name": "piecewise", "points": [[0, 1.0, 2]]}, r"points\.0=.*a point is a position and a factor"),
    ({"name": "piecewise", "points": [[0, 1.0], [0, 0.5]]}, r"points\.1\.0=0: a length is positive"),
    ({"name": "piecewise", "points": [[0, -1.0]]}, r"points\.0\.1=-1\.0: this must be a number at least 0"),
    ({"name": "warmup_stable_decay", "decay": 200}, r"decay=200: the decay takes 200 steps, and there are 100"),
    ({"name": "warmup_stable_decay", "decay": "95st", "warmup": 10}, r"decay='95st': .*there are 90 behind the warmup"),
    ({"name": "warmup_stable_decay", "decay_shape": "one_minus_sqrt"}, r"did you mean '1-sqrt'"),
    ({"name": "warmup_stable_decay", "decay_shape": "geometric"}, r"eta_min=0\.0: a geometric decay ends above 0"),
    ({"name": "warmup_stable_decay", "eta_min": 0.2}, r"eta_min=0\.2: the lowest rate is above"),
    ({"name": "inverse_sqrt", "eta_min": "150%"}, r"eta_min=0\.15\d*: the lowest rate is above"),
    ({"name": "exp_hyperbolic", "eta_min": 0}, r"eta_min=0: this must be a number above 0"),
    ({"name": "piecewise", "points": [[0, 0.5], [9, 0.1]], "eta_min": "60%"}, r"eta_min=0\.06: .* the peak 0\.05"),
    ({"name": "slanted_triangular", "eta_min": 0.2}, r"eta_min=0\.2: the lowest rate is above"),
    ({"name": "noam", "eta_min": 0.01}, r"eta_min=0\.01: the lowest rate is above the peak"),
    ({"name": "hyperbolic", "upper_bound": 50}, r"upper_bound=50: the longest run is at least as long"),
    ({"name": "tanh", "lb": 3}, r"lb=3: it begins below ub=3"),
    ({"name": "power", "exponent": 0.5}, r"exponent=0\.5: this must be a number at most 0"),
    ({"name": "rex", "beta": 1}, r"beta=1: this must be a number at least 0 and below 1"),
]


@pytest.mark.parametrize(("node", "message"), BAD, ids=lambda one: str(one)[:60])
def test_what_is_refused(node: dict[str, Any], message: str) -> None:
    opt = optimizer()
    with pytest.raises(SchedulerConfigError, match=message):
        build(node, opt, Horizon(steps=100))
    assert rates(opt) == [0.1]
    assert "initial_lr" not in opt.param_groups[0] or node["name"] == "noam"


def test_the_node_has_its_own_keys_first() -> None:
    keys = list(parse("rex").to_dict())
    assert keys[:5] == ["_target_", "name", "total_steps", "beta", "eta_min"]
