"""Single schedules as drop-in classes: what each has beyond the rates that all are tested for."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from helpers import T, optimizer, rates

import lr_configs.schedulers as ours
from lr_configs import Horizon, SchedulerConfigError, build


def step(opt: Any, schedule: Any, n: int = 1) -> None:
    for _ in range(n):
        opt.step()
        schedule.step()


def join(opt: Any, rate: Any, **more: Any) -> None:
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": rate, **more})


# ---------------------------------------------------------------------------------------- warm restarts


def restarting(t: float, base: float, low: float, first: float, factor: float) -> float:
    while t >= first:
        t, first = t - first, first * factor
    return low + (base - low) * (1 + math.cos(math.pi * t / first)) / 2


@pytest.mark.parametrize("eta_min", [0.001, [0.001, 0.002]])
@pytest.mark.parametrize("factor", [1, 2, 1.5])
@pytest.mark.parametrize("begin", [-1, 4])
def test_warm_restarts_with_what_torchs_class_does_not_take(eta_min: Any, factor: float, begin: int) -> None:
    opt = optimizer(2)
    for group in opt.param_groups if begin >= 0 else ():
        group["initial_lr"] = group["lr"]
    schedule = ours.CosineAnnealingWarmRestarts(opt, 6, factor, eta_min, last_epoch=begin)
    assert (schedule.T_mult, schedule.eta_min) == (factor, eta_min)
    lows = eta_min if isinstance(eta_min, list) else [eta_min] * 2
    for t in range(begin + 1, 30):
        expected = [restarting(t, base, low, 6, factor) for base, low in zip((0.1, 0.05), lows, strict=True)]
        assert rates(opt) == pytest.approx(expected, rel=1e-9), t
        step(opt, schedule)


def test_warm_restarts_say_the_period_that_they_are_in() -> None:
    mine, theirs = optimizer(), optimizer()
    schedule, reference = ours.CosineAnnealingWarmRestarts(mine, 4, 2), T.CosineAnnealingWarmRestarts(theirs, 4, 2)
    for at in (None, None, None, None, 2.5, None, 9.25, 12, 30.75):
        for one in (schedule, reference):
            one.step(at)
        assert (schedule.T_cur, schedule.T_i) == (reference.T_cur, reference.T_i)
        assert schedule.last_epoch == reference.last_epoch
        saved, other = schedule.state_dict(), reference.state_dict()
        assert {k: saved[k] for k in ("T_cur", "T_i")} == {k: other[k] for k in ("T_cur", "T_i")}
    with pytest.raises(ValueError, match="Expected non-negative epoch, but got -1"):
        schedule.step(-1)


def test_warm_restarts_say_their_period_behind_a_warmup() -> None:
    for overlap in (False, True):
        node = {"name": "cosine_warm_restarts", "T_0": 4, "T_mult": 2, "warmup": 3, "warmup_overlap": overlap}
        schedule: Any = build(node, optimizer())
        found = []
        for t in range(9):
            schedule.jump(t)
            found.append((schedule.T_cur, schedule.T_i))
        behind = [(t, 4) for t in range(4)] + [(t, 8) for t in range(5)]
        assert found == [(0, 4)] * 3 + (behind[3:] if overlap else behind)[:6]


def test_warm_restarts_after_a_fraction_go_on_by_whole_steps() -> None:
    mine, theirs = optimizer(), optimizer()
    schedule, reference = ours.CosineAnnealingWarmRestarts(mine, 4), T.CosineAnnealingWarmRestarts(theirs, 4)
    for at in (1.5, None, None, 2.25, None, 3, None):
        for one in (schedule, reference):
            one.step(at)
        assert rates(mine) == pytest.approx(rates(theirs))
        again = ours.CosineAnnealingWarmRestarts(other := optimizer(), 4)
        again.load_state_dict(copy.deepcopy(schedule.state_dict()))
        assert again.position == schedule.position
        assert rates(other) == rates(mine)


# ---------------------------------------------------------------------------------------- linear


def test_a_line_may_rise_only_where_a_config_says_so() -> None:
    for arguments in ({"start_factor": 2.0}, {"end_factor": 2.0}):
        with pytest.raises(ValueError, match="factor"):
            ours.LinearLR(optimizer(), **arguments)
    node = {"name": "linear", "start_factor": 0.5, "end_factor": 3.0, "total_iters": 5, "param": "weight_decay"}
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, weight_decay=0.2)
    schedule: Any = build(node, opt)
    assert (schedule.start_factor, schedule.end_factor, schedule.total_iters) == (0.5, 3.0, 5)
    seen = []
    for _ in range(7):
        seen.append(opt.param_groups[0]["weight_decay"])
        schedule.advance()
    assert seen == pytest.approx([0.2 * (0.5 + 0.5 * min(t, 5)) for t in range(7)])


def test_a_line_of_no_length_stays_where_it_begins() -> None:
    mine, theirs = optimizer(2), optimizer(2)
    schedule, reference = ours.LinearLR(mine, 0.5, total_iters=0), T.LinearLR(theirs, 0.5, total_iters=0)
    for _ in range(3):
        assert rates(mine) == rates(theirs) == [0.05, 0.025]
        step(mine, schedule)
        step(theirs, reference)
    assert schedule.curve.array(np.arange(3.0)).tolist() == [[0.05] * 3, [0.025] * 3]
    tail: Any = build(
        {"name": "chained", "stages": {"a": {"name": "linear", "total_iters": 1}, "b": "none"}}, optimizer()
    )
    tail._schedulers[0].total_iters = 0
    assert tail.curve.array(np.arange(3.0)).tolist() == [[pytest.approx(0.1 / 3)] * 3]


# ---------------------------------------------------------------------------------------- functions


class Decay:
    """A callable object, whose attributes are part of a checkpoint."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __call__(self, t: int) -> float:
        return self.factor**t


@pytest.mark.parametrize("name", ["LambdaLR", "MultiplicativeLR"])
def test_functions_and_their_objects_in_a_state(name: str) -> None:
    functions = [Decay(0.5), lambda t: 0.9]
    schedule = getattr(ours, name)(optimizer(2), functions)
    reference = getattr(T, name)(optimizer(2), functions)
    state = schedule.state_dict()
    assert state["lr_lambdas"] == reference.state_dict()["lr_lambdas"] == [{"factor": 0.5}, None]
    state["lr_lambdas"][0]["factor"] = 7.0
    assert functions[0].factor == 0.5  # type: ignore[attr-defined]
    others = [Decay(0.1), lambda t: 0.8]
    again = getattr(ours, name)(opt := optimizer(2), others)
    schedule.jump(3)
    again.load_state_dict(schedule.state_dict())
    assert others[0].factor == 0.5  # type: ignore[attr-defined]
    assert rates(opt) == rates(schedule.optimizer)
    again.jump(4)
    assert rates(opt)[0] == pytest.approx(0.1 * 0.5 ** (4 if name == "LambdaLR" else 10))


@pytest.mark.parametrize("name", ["lambda", "multiplicative"])
def test_formulas_are_not_in_a_state(name: str) -> None:
    """They belong to the run that wrote them, not to its checkpoint."""
    first: Any = build({"name": name, "lr_lambda": "0.5 if t else 1"}, optimizer(2))
    second: Any = build({"name": name, "lr_lambda": "0.25 if t else 1"}, opt := optimizer(2))
    state = first.state_dict()
    assert state["lr_lambdas"] == [None, None]
    second.load_state_dict(state)
    second.advance()
    assert rates(opt) == [0.025, 0.0125]


def test_a_group_that_joins_has_the_last_function() -> None:
    opt = optimizer(2)
    schedule = ours.LambdaLR(opt, [lambda t: 0.9**t, lambda t: 0.5**t])
    step(opt, schedule)
    join(opt, 0.2)
    step(opt, schedule, 2)
    assert rates(opt) == pytest.approx([0.1 * 0.9**3, 0.05 / 8, 0.05])
    state = schedule.state_dict()
    assert len(state["lr_lambdas"]) == len(state["base_lrs"]) == 3
    again = ours.LambdaLR(other := optimizer(3), [lambda t: 0.9**t, lambda t: 0.5**t, lambda t: 0.1**t])
    again.load_state_dict(state)
    assert len(again.lr_lambdas) == 3
    smaller = ours.LambdaLR(other := optimizer(2), [lambda t: 0.9**t, lambda t: 0.5**t])
    smaller.load_state_dict(state)
    join(other, 0.05, initial_lr=0.4)
    step(other, smaller)
    assert rates(other)[:2] == pytest.approx([0.1 * 0.9**4, 0.05 / 16])


# ---------------------------------------------------------------------------------------- cyclic


@pytest.mark.parametrize("scale_mode", ["cycle", "iterations"])
def test_a_cycle_scaled_by_an_object(scale_mode: str) -> None:
    def made(module: Any, factor: float) -> Any:
        return module.CyclicLR(optimizer(2), 0.01, [0.1, 0.2], 3, scale_fn=Decay(factor), scale_mode=scale_mode)

    mine, theirs = made(ours, 0.5), made(T, 0.5)
    for _ in range(9):
        assert rates(mine.optimizer) == pytest.approx(rates(theirs.optimizer))
        for one in (mine, theirs):
            step(one.optimizer, one)
    state = mine.state_dict()
    assert state["_scale_fn_custom"] == {"factor": 0.5}
    assert mine.group_bases() == [0.1, 0.2]
    again = made(ours, 0.1)
    again.load_state_dict(copy.deepcopy(state))
    assert rates(again.optimizer) == pytest.approx(rates(mine.optimizer))
    assert mine._scale_fn_custom.factor == 0.5


@pytest.mark.parametrize(("up", "down"), [(2.5, None), (2.5, 4.25), (0.3, 0.2), (3, 4)])
def test_a_cycle_whose_halves_are_no_whole_steps(up: float, down: float | None) -> None:
    mine, theirs = (made.CyclicLR(optimizer(2), 0.01, [0.1, 0.2], up, down) for made in (ours, T))
    for _ in range(25):
        for one in (mine, theirs):
            step(one.optimizer, one)
        assert rates(mine.optimizer) == pytest.approx(rates(theirs.optimizer), rel=1e-12)
        assert mine.optimizer.param_groups[0]["momentum"] == pytest.approx(theirs.optimizer.param_groups[0]["momentum"])


def test_the_scale_of_a_cycle_that_is_a_formula_is_not_in_a_state() -> None:
    def made(text: str, opt: Any) -> Any:
        return build({"name": "cyclic", "base_lr": 0.01, "max_lr": 0.1, "step_size_up": 3, "scale_fn": text}, opt)

    first, second = made("0.5 ** (x - 1)", optimizer()), made("0.25 ** (x - 1)", opt := optimizer())
    state = first.state_dict()
    assert state["_scale_fn_custom"] is None
    second.load_state_dict(state)
    second.jump(9)
    assert rates(opt) == pytest.approx([0.01 + 0.09 / 4])


# ---------------------------------------------------------------------------------------- one-cycle


def test_a_one_cycle_ends_as_torchs_and_one_of_a_config_holds() -> None:
    def made(module: Any) -> Any:
        return module.OneCycleLR(optimizer(), 0.1, total_steps=5)

    for module in (ours, T):
        schedule = made(module)
        step(schedule.optimizer, schedule, 5)
        with pytest.raises(ValueError, match=r"Tried to step 6 times\. The specified number of total steps is 5"):
            schedule.step()
    with pytest.raises(ValueError, match="Tried to step 9 times"):
        made(ours).step(9)
    held: Any = build({"name": "one_cycle", "total_steps": 5}, opt := optimizer())
    step(opt, held, 4)
    last = rates(opt)
    step(opt, held, 4)
    assert rates(opt) == last


def test_a_one_cycle_that_is_taken_up_needs_what_torch_keeps_in_the_groups() -> None:
    for module in (ours, T):
        opt = optimizer()
        opt.param_groups[0]["initial_lr"] = 0.004
        with pytest.raises(KeyError, match="'max_lr'"):
            module.OneCycleLR(opt, 0.1, 10, last_epoch=3)
        opt.param_groups[0].update(max_lr=0.1, min_lr=4e-7, max_momentum=0.95, base_momentum=0.85)
        step(opt, module.OneCycleLR(opt, 0.1, 10, last_epoch=3))
    assert opt.param_groups[0]["momentum"] != 0.9


def test_the_peak_of_a_one_cycle_may_be_a_share_of_the_groups_own_rate() -> None:
    schedule: Any = build(
        {"name": "one_cycle", "max_lr": "50%", "total_steps": 10, "pct_start": 0.5}, opt := optimizer(2)
    )
    schedule.jump(4)
    assert rates(opt) == pytest.approx([0.05, 0.025])


def test_groups_join_a_one_cycle_with_bounds_in_proportion() -> None:
    opt = optimizer()
    schedule: Any = build("one_cycle", opt, Horizon(steps=20))
    step(opt, schedule, 3)
    before = rates(opt)[0]
    join(opt, before / 2)
    group = opt.param_groups[1]
    step(opt, schedule)
    first = opt.param_groups[0]
    for key in ("initial_lr", "max_lr", "min_lr"):
        assert group[key] == pytest.approx(first[key] / 2), key
    assert (group["max_momentum"], group["base_momentum"]) == (first["max_momentum"], first["base_momentum"])
    for _ in range(15):
        assert group["lr"] == pytest.approx(first["lr"] / 2)
        assert group["momentum"] == first["momentum"]
        step(opt, schedule)
    assert schedule.group_bases() == pytest.approx([0.1, 0.05])


# ---------------------------------------------------------------------------------------- a plateau


def test_the_floor_of_a_group_that_joins_a_plateau() -> None:
    opt = optimizer(3)
    schedule = ours.ReduceLROnPlateau(opt, factor=0.1, patience=0, min_lr=0.02)
    schedule.step(1.0)
    join(opt, 0.5)
    schedule.step(1.0)
    expected = [max(0.1 / (i + 1) / 10, 0.02) for i in range(3)]
    assert rates(opt) == pytest.approx([*expected, 0.05])
    schedule.step(1.0)
    schedule.step(1.0)
    assert rates(opt)[3] == pytest.approx(0.02)


@pytest.mark.parametrize("module", [ours, T])
def test_floors_by_group_say_nothing_of_one_that_joins(module: Any) -> None:
    opt = optimizer(3)
    schedule = module.ReduceLROnPlateau(opt, factor=0.1, patience=0, min_lr=[0.04, 0.02, 0.01])
    schedule.step(1.0)
    join(opt, 0.5)
    with pytest.raises(RuntimeError, match="number of param groups"):
        schedule.step(1.0)


@pytest.mark.parametrize("tensor", [None, torch.float64])
def test_a_plateau_moves_no_less_than_eps(tensor: Any) -> None:
    mine, theirs = optimizer(2, tensor=tensor), optimizer(2, tensor=tensor)
    both = [module.ReduceLROnPlateau(opt, patience=0, eps=0.046) for module, opt in ((ours, mine), (T, theirs))]
    for _ in range(4):
        for one in both:
            one.step(1.0)
        assert rates(mine) == pytest.approx(rates(theirs))
    assert rates(mine) == pytest.approx([0.01, 0.05])


def test_a_plateau_follows_a_metric_as_torchs() -> None:
    values = [1.0, 0.9, 0.95, 0.94, 0.93, 0.5, 0.6, 0.7, 0.6, 0.7, 0.8, 0.9]
    for arguments in (
        {"patience": 1},
        {"patience": 1, "cooldown": 2},
        {"mode": "max", "patience": 2, "threshold": 0.2},
    ):
        mine, theirs = optimizer(2), optimizer(2)
        schedule, reference = ours.ReduceLROnPlateau(mine, **arguments), T.ReduceLROnPlateau(theirs, **arguments)
        for value in values:
            schedule.step(value)
            reference.step(value)
            assert rates(mine) == rates(theirs)
            assert schedule.get_last_lr() == reference.get_last_lr()
            assert schedule.num_bad_epochs == reference.num_bad_epochs
        assert schedule.state_dict() == reference.state_dict()
        again = ours.ReduceLROnPlateau(other := optimizer(2), **arguments)
        again.load_state_dict(reference.state_dict())
        assert rates(other) == rates(theirs)
        assert again.state_dict() == reference.state_dict()


def test_metrics_within_the_warmup_do_not_count() -> None:
    node = {"name": "reduce_on_plateau", "monitor": "x", "patience": 0, "warmup": 3, "interval": "step"}
    schedule: Any = build(node, opt := optimizer(), Horizon(steps=20))
    for t in range(3):
        assert schedule.warming_up
        assert rates(opt) == [pytest.approx(0.1 * (0.01 + 0.99 * t / 3))]
        schedule.react(1.0)
        schedule.step()
    assert not schedule.warming_up
    assert rates(opt) == [0.1]
    schedule.react(1.0)
    assert rates(opt) == [0.1]
    schedule.react(2.0)
    assert rates(opt) == [pytest.approx(0.01)]
    schedule.step()
    assert rates(opt) == [pytest.approx(0.01)]
    schedule.jump(2)
    assert rates(opt) == [pytest.approx(0.01 * (0.01 + 0.99 * 2 / 3))]


# ---------------------------------------------------------------------------------------- warnings


def test_warnings_name_the_line_that_they_are_about() -> None:
    opt = optimizer()
    schedule = ours.StepLR(opt, 3)

    def used() -> Any:
        other = optimizer()
        ours.ExponentialLR(other, 0.5).jump(3)
        return build("cosine", other, Horizon(steps=5))

    for act, words in (
        (schedule.step, "before `optimizer.step"),
        (schedule.get_lr, "get_last_lr"),
        (lambda: schedule.step(3), "epoch parameter"),
        (used, "another schedule is or was attached"),
    ):
        with pytest.warns(UserWarning, match=words) as caught:
            act()
        assert {one.filename for one in caught} == {__file__}


def test_rates_that_are_none_are_refused_by_their_group() -> None:
    for rate, words in ((-0.1, r"-0\.1"), (math.nan, "nan"), (math.inf, "inf")):
        opt = optimizer(2)
        opt.param_groups[1]["lr"] = rate
        with pytest.raises(
            SchedulerConfigError, match=rf"^optimizer\.param_groups\.1\.lr={words}: a rate is a finite number"
        ):
            build("cosine", opt, Horizon(steps=5))
    with pytest.raises(SchedulerConfigError, match=r"^optimizer='int': a schedule drives a torch optimizer"):
        build("none", 3)  # type: ignore[arg-type]


def test_a_cycle_of_momentum_needs_one() -> None:
    plain = torch.optim.Adagrad([torch.zeros(1, requires_grad=True)], lr=0.1)
    for node, key in (
        ({"name": "one_cycle", "total_steps": 5}, "cycle_momentum"),
        (
            {"name": "chained", "stages": {"a": "none", "b": {"name": "one_cycle", "total_steps": 5}}},
            r"stages\.b\.cycle_momentum",
        ),
    ):
        with pytest.raises(SchedulerConfigError, match=rf"^{key}=True: this optimizer has neither momentum nor beta1"):
            build(node, plain)
    assert rates(plain) == [0.1]
    build({"name": "one_cycle", "total_steps": 5, "cycle_momentum": False}, plain)


@pytest.mark.parametrize(("gamma", "steps", "at"), [(1e30, 8, 6), (1.02, 20_000, 17_940)])
def test_a_product_that_is_no_rate_is_refused(gamma: float, steps: int, at: int) -> None:
    """Of a long run, a thousand steps are tried: 1.02 ** (2 t) is infinite from step 17,922 on."""
    grow = {"name": "exponential", "gamma": gamma}
    words = rf"^stages=\['stages\.a', 'stages\.b'\]: the rate is inf at step {at}, and a rate is finite"
    with pytest.raises(SchedulerConfigError, match=words):
        build(
            {"name": "chained", "interval": "step", "stages": {"a": grow, "b": grow}}, optimizer(), Horizon(steps=steps)
        )


@pytest.mark.parametrize(
    ("node", "at"),
    [
        ({"name": "exponential", "gamma": 10 ** (308.25 / 5999)}, 3000),  # the last step alone
        ({"name": "piecewise", "points": [[0, 1], [1501, 1e200], [1502, 1]], "interpolation": "constant"}, 1501),
        ({"name": "multi_step", "milestones": [3000], "gamma": 1e200}, 3000),
    ],
)
def test_a_product_is_tried_at_the_last_step_and_around_jumps(node: dict[str, Any], at: int) -> None:
    both = {"name": "chained", "interval": "step", "stages": {"a": node, "b": node}}
    with pytest.raises(SchedulerConfigError, match=rf"the rate is inf at step {at}, "):
        build(both, optimizer(), Horizon(steps=3001))
    build(both, optimizer(), Horizon(steps=at))


@pytest.mark.parametrize("name", ["LambdaLR", "MultiplicativeLR"])
def test_a_state_of_torchs_with_tensors_for_base_rates(name: str) -> None:
    """Which its own schedules of functions have where the rate is a tensor."""
    function = (lambda t: 0.9**t) if name == "LambdaLR" else (lambda t: 0.9)
    first = optimizer(1, tensor=torch.float64)
    theirs = getattr(T, name)(first, function)
    step(first, theirs, 2)
    state = copy.deepcopy(theirs.state_dict())
    state["base_lrs"] = [torch.tensor(0.1, dtype=torch.float64)]
    schedule = getattr(ours, name)(opt := optimizer(1, tensor=torch.float64), function)
    schedule.load_state_dict(state)
    assert [type(base) for base in schedule.base_lrs] == [float]
    step(first, theirs)
    step(opt, schedule)
    assert rates(opt) == pytest.approx(rates(first), rel=1e-12)


@pytest.mark.parametrize("function", ["0.5**t", ["0.9**t", "0.5**t"]])
@pytest.mark.parametrize("floor", [0.05, [0.05, 0.02]])
def test_functions_above_a_floor(function: Any, floor: Any) -> None:
    opt = optimizer(2)
    opt.param_groups[1]["lr"] = 0.1
    schedule = build({"name": "lambda", "lr_lambda": function, "eta_min": floor, "interval": "step"}, opt)
    factors = [0.9, 0.5] if isinstance(function, list) else [0.5, 0.5]
    floors = floor if isinstance(floor, list) else [floor] * 2
    for t in range(6):
        assert rates(opt) == pytest.approx([max(0.1 * f**t, low) for f, low in zip(factors, floors, strict=True)])
        step(opt, schedule)
