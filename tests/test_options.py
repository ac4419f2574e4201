"""Keys that torch's classes do not take: what they do, and that they change nothing at their defaults."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from helpers import CURVED, TORCH_NAMES, TWINS, optimizer, rates

from lr_configs import Horizon, SchedulerConfigError, build, curve, schedulers
from lr_configs.curve_tree import bind
from lr_configs.formula import Formula
from lr_configs.plan import Plan, resolve
from lr_configs.registry import entry

mpmath.mp.dps = 60
mpf = mpmath.mpf
BASE = 0.1
B, LOW = mpf(BASE), mpf(0.001)


def cosine(x: Any) -> Any:
    return (1 + mpmath.cos(mpmath.pi * x)) / 2


def restarts(t: int, T_0: int, mult: Any, decay: Any = 1, cycles: int | None = None, low: Any = LOW) -> Any:
    i, start, size = 0, mpf(0), mpf(T_0)
    while t >= start + size:
        i, start, size = i + 1, start + size, size * mult
    return low if cycles is not None and i >= cycles else low + (B * mpf(decay) ** i - low) * cosine((t - start) / size)


def k_decay(t: int, k: Any, n: int = 1000) -> Any:
    there = mpf(t % (2 * n))
    return LOW + (B - LOW) * cosine((min(there, 2 * n - there) / n) ** k)


R = {"T_0": 100, "eta_min": 0.001}
CASES: dict[str, tuple[str, dict[str, Any], Callable[[int], Any], list[int]]] = {
    "step": ("step", {"step_size": 100, "eta_min": 0.001}, lambda t: max(B * mpf(0.1) ** (t // 100), LOW), [100, 200]),
    "step share": (
        "step",
        {"step_size": 100, "eta_min": "2.5%"},
        lambda t: max(B * mpf(0.1) ** (t // 100), B / 40),
        [200],
    ),
    "multi_step": (
        "multi_step",
        {"milestones": [100, 200, 300], "eta_min": 0.001},
        lambda t: max(B * mpf(0.1) ** min(t // 100, 3), LOW),
        [200, 300],
    ),
    "exponential": ("exponential", {"gamma": 0.99, "eta_min": 0.001}, lambda t: max(B * mpf(0.99) ** t, LOW), [458]),
    "exponential period": (
        "exponential",
        {"gamma": 0.5, "decay_period": 70},
        lambda t: B * mpf(0.5) ** (mpf(t) / 70),
        [70],
    ),
    "exponential staircase": (
        "exponential",
        {"gamma": 0.5, "decay_period": 70, "staircase": True},
        lambda t: B * mpf(0.5) ** (t // 70),
        [70, 140],
    ),
    "lambda": (
        "lambda",
        {"lr_lambda": "1 / (1 + t)", "eta_min": 0.001},
        lambda t: max(B / (1 + t), LOW),
        [99],
    ),
    "multiplicative": (
        "multiplicative",
        {"lr_lambda": "0.99", "eta_min": 0.001},
        lambda t: max(B * mpf(0.99) ** t, LOW),
        [458],
    ),
    "linear": (
        "linear",
        {"start_factor": 0.5, "end_factor": 0.001, "total_iters": 1000, "eta_min": "1%"},
        lambda t: max(B * (mpf(0.5) + (mpf(0.001) - mpf(0.5)) * min(t, 1000) / 1000), LOW),
        [981, 1000],
    ),
    "linear rises": (
        "linear",
        {"start_factor": 0.001, "total_iters": 100, "eta_min": 0.01},
        lambda t: max(B * (mpf(0.001) + (1 - mpf(0.001)) * min(t, 100) / 100), B / 10),
        [10, 100],
    ),
    "polynomial": (
        "polynomial",
        {"total_iters": 1000, "power": 2, "eta_min": 0.001},
        lambda t: LOW + (B - LOW) * (1 - mpf(min(t, 1000)) / 1000) ** 2,
        [1000],
    ),
    "cosine power": (
        "cosine",
        {"T_max": 1000, "power": 1.5, "eta_min": 0.001},
        lambda t: LOW + (B - LOW) * cosine(mpf(t) / 1000) ** mpf(1.5),
        [1000],
    ),
    "cosine cycles": ("cosine", {"T_max": 1000, "cycles": 2}, lambda t: B * cosine(4 * mpf(t) / 1000), [250, 1000]),
    "cosine inner turns": (
        "cosine",
        {"T_max": 4500, "cycles": 0.7},
        lambda t: B * cosine(2 * mpf(0.7) * t / 4500),
        [3214, 3215, 9643],
    ),
    "cosine odd cycles": ("cosine", {"T_max": 1000, "cycles": 1.5}, lambda t: B * cosine(3 * mpf(t) / 1000), [1000]),
    "cosine k": ("cosine", {"T_max": 1000, "k": 1.5, "eta_min": 0.001}, lambda t: k_decay(t, mpf(1.5)), [1000, 2000]),
    "restarts decay": (
        "cosine_warm_restarts",
        R | {"restart_decay": 0.5},
        lambda t: restarts(t, 100, 1, 0.5),
        [100, 200],
    ),
    "restarts end": (
        "cosine_warm_restarts",
        R | {"cycles": 3},
        lambda t: restarts(t, 100, 1, 1, 3),
        [100, 300],
    ),
    "restarts grow and end": (
        "cosine_warm_restarts",
        R | {"T_mult": 2, "cycles": 3, "restart_decay": 0.5},
        lambda t: restarts(t, 100, 2, 0.5, 3),
        [100, 300, 700],
    ),
    "restarts fraction": (
        "cosine_warm_restarts",
        R | {"T_mult": 1.5},
        lambda t: restarts(t, 100, mpf(1.5)),
        [100, 250, 475],
    ),
}
each = pytest.mark.parametrize("case", CASES)


@each
def test_the_formula_in_high_precision(case: str) -> None:
    name, params, exact, seams = CASES[case]
    tree = bind(resolve({"name": name, **params}), [BASE])
    steps = sorted({t + side for t in (0, 1, 17, 333, 998, 1500, *seams) for side in (-1, 0, 1) if t + side >= 0})
    array = tree.array(np.array(steps, dtype=np.float64))[0]
    for t, value in zip(steps, array.tolist(), strict=True):
        expected = float(exact(t))
        assert tree.rates(t)[0] == pytest.approx(expected, rel=1e-13, abs=1e-30), t
        assert value == pytest.approx(expected, rel=1e-13, abs=1e-30), t


@each
def test_steps_arrays_states_and_copies(case: str) -> None:
    name, params, _, _ = CASES[case]
    node = {"name": name, **params, "warmup": 5, "interval": "step"}
    horizon = Horizon(steps=600)
    whole = curve(node, BASE, horizon)
    opt = optimizer(3)
    made = build(node, opt, horizon)
    for t in range(600):
        assert rates(opt)[0] == pytest.approx(whole[t], rel=1e-14, abs=1e-30), t
        opt.step()
        made.step()
        if t in (0, 123, 400):
            again = build(node, optimizer(3), horizon)
            again.load_state_dict(made.state_dict())
            for other in (again, copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
                assert rates(other.optimizer) == rates(opt)
                assert other.rates_at(550) == made.rates_at(550)
    assert isinstance(made, TORCH_NAMES[name])


@each
def test_the_plan_as_data(case: str) -> None:
    name, params, _, _ = CASES[case]
    plan = resolve({"name": name, **params}, Horizon(epochs=600))
    assert Plan.from_data(plan.to_data()) == plan
    plain = resolve({"name": name, **{k: v for k, v in params.items() if k not in entry(name).beyond_torch}})
    assert (plain.function() == plan.function()) == (case == "restarts fraction")


@pytest.mark.parametrize("name", [name for name in CURVED if name in TORCH_NAMES])
def test_at_their_defaults_nothing_changes(name: str) -> None:
    config = entry(name)
    if config.arrangement is not None:
        return
    params, twin = TWINS[name]
    mine, theirs = optimizer(), optimizer()
    made, reference = build({"name": name, **params}, mine), twin(theirs)
    assert set(made.state_dict()) == set(reference.state_dict())
    signature = inspect.signature(TORCH_NAMES[name].__init__).parameters
    own = {key for key in config.__dataclass_fields__ if key not in entry("none").__dataclass_fields__}
    assert own - set(config.beyond_torch) <= set(signature)
    assert not set(config.beyond_torch) & set(signature)


@each
def test_by_hand_they_are_keywords(case: str) -> None:
    name, params, exact, _ = CASES[case]
    cls = getattr(schedulers, entry(name).torch_name)
    params = {key: Formula(value) if key == "lr_lambda" else value for key, value in params.items()}
    opt = optimizer(2)
    made = cls(opt, **params)
    assert isinstance(made, TORCH_NAMES[name])
    assert list(inspect.signature(cls).parameters)[-len(entry(name).beyond_torch) :] == list(entry(name).beyond_torch)
    made.jump(123)
    assert rates(opt)[0] == pytest.approx(float(exact(123)), rel=1e-13)
    plain = cls(optimizer(2), **{k: v for k, v in params.items() if k not in entry(name).beyond_torch})
    plain.load_state_dict(made.state_dict())
    for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made)), plain):
        assert rates(other.optimizer) == rates(opt)
        assert other.rates_at(340) == made.rates_at(340)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda o: schedulers.StepLR(o, 10, eta_min=0.2), r"eta_min=0\.2: the lowest rate is above"),
        (lambda o: schedulers.StepLR(o, 10, eta_min="x"), r"eta_min='x': this is not a number"),
        (
            lambda o: schedulers.ExponentialLR(o, 0.9, decay_period="10%"),
            r"decay_period='10%': a share of the run needs",
        ),
        (lambda o: schedulers.ExponentialLR(o, 0.9, staircase=True), r"staircase=True: a staircase has periods"),
        (lambda o: schedulers.LinearLR(o, 0.5, 0.1, eta_min=[0.01]), r"eta_min=\[0\.01\]: there are 1 values for 2"),
    ],
)
def test_by_hand_they_are_checked(make: Callable[[Any], Any], message: str) -> None:
    opt = optimizer(2)
    with pytest.raises(SchedulerConfigError, match=message):
        make(opt)
    assert "initial_lr" not in opt.param_groups[0]
    with pytest.raises(TypeError, match="unexpected keyword argument 'eta'"):
        schedulers.StepLR(opt, 10, eta=1)  # type: ignore[call-arg]


def test_by_hand_they_are_attributes() -> None:
    opt = optimizer(2)
    made = schedulers.StepLR(opt, 10)
    made.eta_min = [0.002, 0.03]
    made.jump(25)
    assert rates(opt) == [pytest.approx(0.002), pytest.approx(0.03)]
    made.load_state_dict(schedulers.StepLR(optimizer(2), 10).state_dict())
    made.jump(35)
    assert rates(opt) == [pytest.approx(0.0001), pytest.approx(0.00005)]


@pytest.mark.parametrize(
    ("mult", "low"), [(1.5, 0.002), (2, [0.002, 0.001]), (1.5, [0.002, 0.0])], ids=["fraction", "floors", "both"]
)
def test_restarts_that_begin_at_a_later_step(mult: Any, low: Any) -> None:
    """What torch's constructor does not take holds from the first rate on: the optimizer's own is no edit."""
    opt, other = optimizer(2), optimizer(2)
    made = schedulers.CosineAnnealingWarmRestarts(opt, 2, mult, eta_min=low)
    made.jump(4)
    for group, held in zip(other.param_groups, opt.param_groups, strict=True):
        group |= {"lr": held["lr"], "initial_lr": held["initial_lr"]}
    again = schedulers.CosineAnnealingWarmRestarts(other, 2, mult, eta_min=low, last_epoch=3)
    for _ in range(9):
        assert rates(other) == pytest.approx(rates(opt), rel=1e-13)
        for one, schedule in ((opt, made), (other, again)):
            one.step()
            schedule.step()
    assert set(again.state_dict()) == set(made.state_dict())


def test_a_late_group_has_the_floor_too() -> None:
    opt = optimizer(2)
    made = build({"name": "step", "step_size": 10, "eta_min": 0.002}, opt)
    made.jump(15)
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.004})
    made.jump(16)
    assert rates(opt)[2] == pytest.approx(0.004)
    made.jump(35)
    assert rates(opt) == [pytest.approx(0.002)] * 3


BAD = [
    ({"name": "step", "eta_min": 0.2}, r"eta_min=0\.2: the lowest rate is above"),
    ({"name": "polynomial", "eta_min": "101%"}, r"eta_min=0\.101: the lowest rate is above"),
    (
        {"name": "linear", "start_factor": 0.5, "end_factor": 0.1, "eta_min": "60%"},
        r"eta_min=0\.06: .* above the peak 0\.05",
    ),
    ({"name": "lambda", "eta_min": "101%"}, r"eta_min=0\.101: the lowest rate is above"),
    ({"name": "multiplicative", "eta_min": [0.1, 0.1]}, r"eta_min=\[0\.1, 0\.1\]: there are 2 values for 1"),
    ({"name": "exponential", "staircase": True}, r"staircase=True: a staircase has periods"),
    ({"name": "cosine_warm_restarts", "T_mult": 1.0001}, r"T_mult=1\.0001: a growth is 1, or 1\.001 and more"),
    ({"name": "cosine_warm_restarts", "cycles": 0}, r"cycles=0: this must be an integer at least 1"),
    ({"name": "cosine_warm_restarts", "restart_decay": 2}, r"restart_decay=2: this must be a number at least 0"),
    ({"name": "cosine", "k": 0}, r"k=0: this must be a number above 0"),
]


@pytest.mark.parametrize(("node", "message"), BAD, ids=lambda one: str(one)[:50])
def test_what_is_refused(node: dict[str, Any], message: str) -> None:
    opt = optimizer()
    with pytest.raises(SchedulerConfigError, match=message):
        build(node, opt, Horizon(epochs=100, steps_per_epoch=1))
    assert rates(opt) == [0.1]
