"""A cooldown behind, and a warmup over, any schedule; and what formulas and functions know of the run and of the group."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from helpers import BEYOND_TORCH, CURVED, TWINS, optimizer, rates

from lr_configs import Horizon, SchedulerConfigError, build, curve
from lr_configs.plan import Plan, differences, resolve
from lr_configs.registry import parse

H = Horizon(steps=100)
SHAPES = {
    "linear": lambda x: 1 - x,
    "cosine": lambda x: (1 + np.cos(np.pi * x)) / 2,
    "1-sqrt": lambda x: 1 - np.sqrt(x),
    "1-square": lambda x: 1 - x**2,
    "exponential": lambda x: 2 * 0.5**x - 1,
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", [*CURVED, *BEYOND_TORCH])
def test_a_cooldown_takes_the_last_steps_of_any_schedule(name: str, shape: str) -> None:
    if name in ("sequential", "chained", "one_cycle", "cyclic", "piecewise"):
        node: dict[str, Any] = {"name": name, "interval": "step", "warmup": 5}
    else:
        node = {"name": name, **TWINS.get(name, ({}, None))[0], "interval": "step", "warmup": 5}
    plain = curve(node, 0.1, H)
    tailed = curve({**node, "cooldown": "20%", "cooldown_shape": shape}, 0.1, H)
    np.testing.assert_array_equal(tailed[:80], plain[:80])
    x = np.arange(20) / 20
    np.testing.assert_allclose(tailed[80:], plain[80] * SHAPES[shape](x), rtol=1e-12, atol=1e-17)
    opt = optimizer(2)
    made = build({**node, "cooldown": 20, "cooldown_shape": shape}, opt, H)
    for t in range(100):
        assert rates(opt)[0] == pytest.approx(tailed[t], rel=1e-13, abs=1e-300)
        opt.step()
        made.step()
    assert rates(opt) == [0.0, 0.0]
    assert made.rates_at(10**6) == [0.0, 0.0]


def test_a_cooldown_of_the_whole_run_begins_at_once() -> None:
    found = curve({"name": "none", "interval": "step", "cooldown": "100%"}, 0.1, H)
    np.testing.assert_allclose(found, 0.1 * (1 - np.arange(100) / 100), rtol=1e-12)


@pytest.mark.parametrize("name", [*CURVED, *BEYOND_TORCH])
def test_the_clock_may_run_during_the_warmup(name: str) -> None:
    params = {} if name in ("sequential", "chained") else TWINS.get(name, ({}, None))[0]
    node: dict[str, Any] = {"name": name, **params, "interval": "step"}
    plain = curve(node, 0.1, H)
    over = curve({**node, "warmup": "10%", "warmup_overlap": True, "warmup_start_factor": 0.2}, 0.1, H)
    np.testing.assert_array_equal(over[10:], plain[10:])
    np.testing.assert_allclose(over[:10], plain[0] * (0.2 + 0.8 * np.arange(10) / 10), rtol=1e-14)
    opt = optimizer()
    made = build({**node, "warmup": "10%", "warmup_overlap": True, "warmup_start_factor": 0.2}, opt, H)
    for t in range(100):
        assert rates(opt)[0] == pytest.approx(over[t], rel=1e-13, abs=1e-300)
        opt.step()
        made.step()


GONE = {
    "linear": lambda x: x,
    "cosine": lambda x: (1 - np.cos(np.pi * x)) / 2,
    "exponential": lambda x: (0.2 ** (1 - x) - 0.2) / 0.8,
    "constant": lambda x: 0.0 * x,
}


@pytest.mark.parametrize("shape", GONE)
@pytest.mark.parametrize("name", [*CURVED, *BEYOND_TORCH])
def test_a_warmup_may_lead_to_where_the_clock_is(name: str, shape: str) -> None:
    params = {} if name in ("sequential", "chained") else TWINS.get(name, ({}, None))[0]
    node: dict[str, Any] = {"name": name, **params, "interval": "step"}
    plain = curve(node, 0.1, H)
    warm = {"warmup": 10, "warmup_overlap": "continuous", "warmup_start_factor": 0.2, "warmup_shape": shape}
    over = curve({**node, **warm}, 0.1, H)
    np.testing.assert_array_equal(over[10:], plain[10:])
    gone = GONE[shape](np.arange(10) / 10)
    np.testing.assert_allclose(over[:10], plain[0] * 0.2 * (1 - gone) + plain[10] * gone, rtol=1e-13, atol=1e-17)
    opt = optimizer(3)
    made = build({**node, **warm}, opt, H)
    for t in range(30):
        assert rates(opt)[0] == pytest.approx(over[t], rel=1e-13, abs=1e-300)
        if t in (4, 14):
            again = build({**node, **warm}, optimizer(3), H)
            again.load_state_dict(made.state_dict())
            for other in (again, copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
                assert rates(other.optimizer) == rates(opt)
                assert other.rates_at(7) == made.rates_at(7)
        opt.step()
        made.step()


def detectron2(scheduler: Any, factor: float, length: float, method: str) -> Any:
    """Its `WarmupParamScheduler`, as its docstring has it: a function of the share of the run that is gone."""

    def value(where: float) -> float:
        if where >= length:
            return float(scheduler(where))
        first, last = factor * scheduler(0.0), scheduler(length)
        return float(first if method == "constant" else first + (last - first) * where / length)

    return value


@pytest.mark.parametrize("method", ["linear", "constant"])
@pytest.mark.parametrize(("steps", "warmup"), [(90, 10), (900, 100), (270, 1)])
@pytest.mark.parametrize("factor", [0.001, 1 / 3])
def test_detectron2s_warmup(method: str, steps: int, warmup: int, factor: float) -> None:
    """Its two schedules: WarmupMultiStepLR and WarmupCosineLR, by ``SOLVER``'s keys; two groups."""
    marks, gamma, low = [steps // 20, steps // 2, steps * 3 // 4], 0.1, 0.02
    theirs = {
        "multi_step": lambda where: gamma ** sum(where >= mark / steps for mark in marks),
        "cosine": lambda where: low + 0.5 * (1 - low) * (1 + np.cos(np.pi * where)),
    }
    ours: dict[str, dict[str, Any]] = {
        "multi_step": {"milestones": marks, "gamma": gamma},
        "cosine": {"T_max": "100%", "eta_min": f"{100 * low}%"},
    }
    for name, keys in ours.items():
        warm = {"warmup": warmup, "warmup_start_factor": factor, "warmup_overlap": "continuous", "warmup_shape": method}
        opt = optimizer(2)
        made = build({"name": name, **keys, **warm, "interval": "step"}, opt, Horizon(steps=steps))
        expected = detectron2(theirs[name], factor, warmup / steps, method)
        for t in range(steps):
            value = expected(t / steps)
            assert rates(opt) == pytest.approx([0.1 * value, 0.05 * value], rel=1e-12, abs=0), (name, t)
            opt.step()
            made.step()


def test_a_warmup_that_meets_the_curve_follows_its_parameters() -> None:
    warm = {"warmup": 10, "warmup_overlap": "continuous", "warmup_start_factor": 0.5}
    node = {"name": "cosine", "T_max": 40, "interval": "step", **warm}
    opt = optimizer(2)
    made: Any = build(node, opt, H)
    made.jump(4)
    made.eta_min = 0.002
    made.jump(5)
    assert rates(opt)[0] == pytest.approx(curve({**node, "eta_min": 0.002}, 0.1, H)[5], rel=1e-14)
    made.T_max = 20
    made.jump(6)
    assert rates(opt)[0] == pytest.approx(curve({**node, "T_max": 20, "eta_min": 0.002}, 0.1, H)[6], rel=1e-14)
    made.base_lrs[1] = 0.08
    assert made.curve.rates(7)[1] == pytest.approx(
        curve({**node, "T_max": 20, "eta_min": 0.002}, 0.08, H)[7], rel=1e-14
    )


def test_a_group_may_join_during_a_warmup_that_meets_the_curve() -> None:
    warm = {"warmup": 10, "warmup_overlap": "continuous", "warmup_start_factor": 0.5}
    for node in ({"name": "cosine", "T_max": 40, "eta_min": 0.001}, {"name": "step", "step_size": 5, "eta_min": 0.003}):
        opt = optimizer()
        made = build({**node, **warm, "interval": "step"}, opt, H)
        made.jump(4)
        opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": rates(opt)[0] / 3})
        brought = rates(opt)[1]
        made.jump(4)
        assert rates(opt)[1] == pytest.approx(brought, rel=1e-12)
        base = float(opt.param_groups[1]["initial_lr"])
        made.jump(7)
        assert rates(opt)[1] == pytest.approx(curve({**node, **warm, "interval": "step"}, base, H)[7], rel=1e-12)


def test_stages_have_tails_of_their_own() -> None:
    stages = {
        "a": {"name": "none", "length": 40, "cooldown": "25%"},
        "b": {"name": "cosine", "warmup": 10, "warmup_overlap": True, "cooldown": 6},
    }
    node = {"name": "sequential", "interval": "step", "stages": stages, "cooldown": 3}
    values = curve(node, 1.0, H)
    np.testing.assert_allclose(values[30:40], 1 - np.arange(10) / 10)
    cosine = curve({"name": "cosine", "interval": "step"}, 1.0, Horizon(steps=60))
    np.testing.assert_allclose(values[50:94], cosine[10:54])
    np.testing.assert_allclose(values[94:97], cosine[54] * (1 - np.arange(3) / 6))
    np.testing.assert_allclose(values[97:], cosine[54] * 0.5 * (1 - np.arange(3) / 3))


def test_a_cooldown_is_part_of_the_function_of_the_step() -> None:
    node = {"name": "step", "step_size": 30, "interval": "step", "cooldown": 10}
    one, longer = (resolve(node, Horizon(steps=n)) for n in (100, 120))
    assert one.function() != longer.function()
    assert differences(one.to_data(), longer.to_data()) == [
        "cooldown linear from 90 over 10 steps -> linear from 110 over 10 steps"
    ]
    assert Plan.from_data(json.loads(json.dumps(one.to_data()))) == one
    over = resolve({**node, "warmup": 5, "warmup_overlap": True}, H)
    under = resolve({**node, "warmup": 5}, H)
    assert over.function() != under.function()
    assert differences(under.to_data(), over.to_data()) == ["warmup_overlap False -> True"]
    assert Plan.from_data(over.to_data()).own_start == 0


def test_what_was_saved_before_there_were_tails_is_read() -> None:
    plan = resolve({"name": "cosine", "warmup": 3, "interval": "step"}, H)
    data = plan.to_data()
    for key in ("warmup_overlap", "cooldown", "cooldown_shape"):
        del data[key], data["config"][key]
    for key in ("power", "cycles", "k"):
        del data["params"][key], data["config"][key]
    old = Plan.from_data(data)
    assert old == plan
    assert old.function() == plan.function()


def test_the_cooldown_of_a_plateau_is_torchs() -> None:
    config: Any = parse({"name": "reduce_on_plateau", "cooldown": 3, "monitor": "val_loss"})
    assert config.cooldown == 3
    plan = resolve(config, H)
    assert (plan.params["cooldown"], plan.cooldown) == (3, 0)
    made: Any = build(config, optimizer(), H)
    assert made.cooldown == 3
    with pytest.raises(SchedulerConfigError, match="cooldown='10%': this is not a number"):
        parse({"name": "reduce_on_plateau", "cooldown": "10%"})


@pytest.mark.parametrize(
    ("node", "horizon", "message"),
    [
        ({"cooldown": 101}, H, r"cooldown=101: the cooldown takes 101 scheduler steps, and 100 are left"),
        ({"cooldown": "60%", "warmup": "50%"}, H, r"cooldown='60%': .* and 50 are left behind the warmup"),
        ({"cooldown": 5}, None, r"cooldown=5: a cooldown ends with the run, whose length is not known"),
        ({"cooldown_shape": "one_minus_sqrt"}, H, r"did you mean '1-sqrt'"),
        ({"cooldown": -1}, H, r"cooldown=-1: a length is not negative"),
        ({"warmup_overlap": 3}, H, r"warmup_overlap=3: this is true or false or continuous"),
        ({"warmup_overlap": "meet"}, H, r"warmup_overlap='meet': .*Write true or false or continuous"),
    ],
)
def test_what_is_refused(node: dict[str, Any], horizon: Horizon | None, message: str) -> None:
    with pytest.raises(SchedulerConfigError, match=message):
        resolve({"name": "none", "interval": "step", **node}, horizon)


# ---------------------------------------------------------------------------------------- formulas and functions


def falling(t: float, T: int) -> float:
    return 1 - t / T


def test_p_is_the_progress_behind_the_warmup() -> None:
    node = {"name": "lambda", "lr_lambda": "0.5 * (1 + cos(pi * p))", "interval": "step"}
    for warmup in (0, 10):
        cosine = curve({"name": "cosine", "interval": "step", "warmup": warmup}, 0.1, H)
        np.testing.assert_allclose(curve({**node, "warmup": warmup}, 0.1, H), cosine, rtol=1e-12, atol=1e-17)
    made = build({**node, "warmup": 10}, optimizer(), H)
    assert made.rates_at(10**6) == made.rates_at(100)
    with pytest.raises(SchedulerConfigError, match="not known here"):
        build({"name": "lambda", "lr_lambda": "1 - p"}, optimizer())


@pytest.mark.parametrize("name", ["lambda", "multiplicative"])
def test_base_is_the_groups_own_rate(name: str) -> None:
    node = {"name": name, "lr_lambda": "max(0.9 ** t, 0.02 / base)" if name == "lambda" else "1 - base"}
    opt = optimizer(3)
    made = build(node, opt)
    for t in range(40):
        for rate, base in zip(rates(opt), (0.1, 0.05, 0.1 / 3), strict=True):
            factor = max(0.9**t, 0.02 / base) if name == "lambda" else (1 - base) ** t
            assert rate == pytest.approx(base * factor, rel=1e-12)
        if t == 7:
            again = build(node, optimizer(3))
            again.load_state_dict(made.state_dict())
            assert rates(again.optimizer) == rates(opt)
            for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
                assert other.rates_at(30) == made.rates_at(30)
        opt.step()
        made.step()
    assert curve({**node, "interval": "step"}, 0.05, H)[9] == pytest.approx(made.rates_at(9)[1])


LATE: list[tuple[Any, Callable[[float, float], float]]] = [
    ("1 / (1 + base * t)", lambda b, t: b / (1 + b * t)),
    ("max(0.9 ** t, 0.002 / base)", lambda b, t: max(b * 0.9**t, 0.002)),
    (["0.9 ** t", "0.5 + 0.5 / (1 + base * t)"], lambda b, t: b * (0.5 + 0.5 / (1 + b * t))),
]


@pytest.mark.parametrize("low", [0.0, 1e-5, [1e-5, 2e-5]], ids=str)
@pytest.mark.parametrize(("text", "rate"), LATE, ids=[str(text) for text, _ in LATE])
def test_a_late_group_has_a_base_of_its_own(text: Any, rate: Callable[[float, float], float], low: Any) -> None:
    """Its curve passes through the rate it brings, and goes on by the formula with its own base."""
    node = {"name": "lambda", "lr_lambda": text, "eta_min": low, "interval": "step"}
    opt = optimizer(2)
    made = build(node, opt, H)
    made.jump(7)
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.013})
    for _ in range(20):
        opt.step()
        made.step()
    base = float(opt.param_groups[2]["initial_lr"])
    assert rate(base, 7) == pytest.approx(0.013, rel=1e-9)
    for t in (27, 90, 8):
        made.jump(t)
        assert rates(opt)[2] == pytest.approx(rate(base, t), rel=1e-12)
        assert made.rates_at(t) == rates(opt)
    array = made.curve.array(np.arange(100.0))
    np.testing.assert_allclose(array[2], [rate(base, t) for t in range(100)], rtol=1e-12)
    saved, other = made.state_dict(), optimizer(2)
    other.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.013})
    again = build({**node, "lr_lambda": text if isinstance(text, str) else [*text, text[-1]]} | (
        {"eta_min": [*low, low[0] * base / 0.1]} if isinstance(low, list) else {}
    ), other, H)  # fmt: skip
    other.load_state_dict(opt.state_dict())
    again.load_state_dict(saved)
    for t in (8, 60):
        again.jump(t)
        made.jump(t)
        assert rates(other) == pytest.approx(rates(opt), rel=1e-14)
    copied = pickle.loads(pickle.dumps(made))
    copied.jump(33)
    assert rates(copied.optimizer) == made.rates_at(33)


def test_a_late_group_under_a_product_of_formulas() -> None:
    opt = optimizer(2)
    made = build({"name": "multiplicative", "lr_lambda": "1 - base / (1 + t)", "interval": "step"}, opt, H)
    made.jump(9)
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.013})
    made.jump(30)
    base = float(opt.param_groups[2]["initial_lr"])
    for t, value in ((9, 0.013), (30, rates(opt)[2])):
        assert base * np.prod([1 - base / (1 + k) for k in range(1, t + 1)]) == pytest.approx(value, rel=1e-9)


def test_no_base_gives_the_rate_that_a_late_group_brings() -> None:
    """Below the formula's own floor: its curve is scaled."""
    opt = optimizer(1)
    made = build({"name": "lambda", "lr_lambda": "max(0.9 ** t, 0.02 / base)", "interval": "step"}, opt, H)
    made.jump(7)
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.013})
    made.jump(50)
    assert rates(opt) == [pytest.approx(0.02), pytest.approx(0.013)]


def test_a_formula_that_fails_for_one_groups_rate_is_refused() -> None:
    node = {"name": "lambda", "lr_lambda": "1 / (base - 0.05)", "interval": "step"}
    assert build(node, optimizer(1), H)
    with pytest.raises(SchedulerConfigError, match="the formula fails at t=0"):
        build(node, optimizer(2), H)


def test_a_function_may_take_the_runs_length() -> None:
    node = {"name": "lambda", "lr_lambda": falling, "interval": "step"}
    values = curve(node, 0.1, H)
    np.testing.assert_allclose(values, 0.1 * (1 - np.arange(100) / 100))
    made = build(node, optimizer(), H)
    assert made.rates_at(30) == [pytest.approx(0.07)]
    assert "lr_lambdas" in made.state_dict()
    plan = resolve(node, H)
    assert Plan.from_data(json.loads(json.dumps(plan.to_data())), plan) == plan
    other = resolve(node, Horizon(steps=200))
    assert plan.function() != other.function()
    (text,) = differences(plan.to_data(), other.to_data())
    assert text == f"lr_lambda <{__name__}.falling> with T=100 -> <{__name__}.falling> with T=200"
    assert Plan.from_data(plan.to_data(), other).params["lr_lambda"](50) == 0.5
    with pytest.raises(SchedulerConfigError, match="this function takes the run's length"):
        build({"name": "lambda", "lr_lambda": falling}, optimizer())


def test_functions_of_the_step_alone_stay_as_they_are() -> None:
    def one(t: float, depth: float = 0.5) -> float:
        return depth**t

    for function in (one, float, lambda t: 0.5):
        assert resolve({"name": "lambda", "lr_lambda": function}).params["lr_lambda"] is function


def test_a_dotted_path_is_refused_with_the_remedy() -> None:
    with pytest.raises(
        SchedulerConfigError, match=r"'my\.function' is not allowed in a formula\..*lr_configs\.register"
    ):
        parse({"name": "lambda", "lr_lambda": "my.function"})
