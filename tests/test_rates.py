"""Rates that were once silently wrong, each by itself."""

from __future__ import annotations

import copy
import functools
import math
import pickle
from typing import Any

import hydra
import numpy as np
import pytest
import torch
from helpers import Interrupted, T, optimizer, rates

import lr_configs
import lr_configs.schedulers as ours
from lr_configs import Horizon, SchedulerConfigError, build, curve, registry
from lr_configs.arguments import schedules_of


def advance(opt: Any, schedule: Any, n: int = 1) -> None:
    for _ in range(n):
        opt.step()
        schedule.step()


@pytest.mark.parametrize("strategy", ["linear", "cos"])
@pytest.mark.parametrize("three_phase", [False, True])
def test_a_one_cycle_that_the_run_outlives_holds(strategy: str, three_phase: bool) -> None:
    opt = optimizer()
    node = {"name": "one_cycle", "total_steps": 10, "anneal_strategy": strategy, "three_phase": three_phase}
    schedule = build(node, opt)
    advance(opt, schedule, 9)
    end = rates(opt), opt.param_groups[0]["momentum"]
    assert end == ([pytest.approx(0.1 / 25 / 1e4)], pytest.approx(0.95))
    for _ in range(5):
        advance(opt, schedule)
        assert (rates(opt), opt.param_groups[0]["momentum"]) == end
    values = curve({**node}, 0.1, Horizon(steps=15))
    np.testing.assert_array_equal(values[9:], values[9])


@pytest.mark.parametrize("exchange", ["data", "set_", "share_memory_"])
def test_a_tensor_rate_whose_memory_was_exchanged_is_still_driven(exchange: str) -> None:
    tensor = torch.tensor(0.1, dtype=torch.float64)
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=tensor)
    schedule = ours.ExponentialLR(opt, 0.5)
    advance(opt, schedule, 2)
    if exchange == "data":
        tensor.data = tensor.data.clone()
    elif exchange == "set_":
        tensor.set_(tensor.clone())  # type: ignore[call-overload]
    else:
        tensor.share_memory_()
    advance(opt, schedule)
    assert float(tensor) == 0.0125
    tensor.data = torch.tensor(0.1, dtype=torch.float64)  # an edit in new memory
    advance(opt, schedule)
    assert float(tensor) == pytest.approx(0.05)


@pytest.mark.parametrize("dtype", [None, torch.float64])
def test_an_edit_made_in_torch_between_two_of_ours_counts(dtype: Any) -> None:
    opt = optimizer(2, tensor=dtype)
    schedule = ours.CosineAnnealingLR(opt, 20)
    advance(opt, schedule, 3)
    opt.param_groups[0]["lr"] *= 0.5
    advance(opt, schedule, 2)
    second = optimizer(2, tensor=dtype)
    theirs = T.CosineAnnealingLR(second, 20)
    theirs.load_state_dict(copy.deepcopy(schedule.state_dict()))
    second.load_state_dict(copy.deepcopy(opt.state_dict()))
    advance(second, theirs, 2)
    second.param_groups[1]["lr"] *= 0.25
    advance(second, theirs, 1)
    third = optimizer(2, tensor=dtype)
    again = ours.CosineAnnealingLR(third, 20)
    third.load_state_dict(copy.deepcopy(second.state_dict()))
    again.load_state_dict(copy.deepcopy(theirs.state_dict()))
    for _ in range(5):
        assert rates(third) == pytest.approx(rates(second), rel=1e-9)
        advance(second, theirs)
        advance(third, again)


@pytest.mark.parametrize("how", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_a_pending_edit_of_a_tensor_survives_a_copy(how: Any, dtype: Any) -> None:
    opt = optimizer(1, tensor=dtype)
    schedule = ours.ExponentialLR(opt, 0.5)
    advance(opt, schedule, 2)
    opt.param_groups[0]["lr"].mul_(0.5)
    other = how(schedule)
    other.optimizer._opt_called = True
    other.step()
    assert rates(other.optimizer)[0] == pytest.approx(0.1 * 0.5**4, rel=torch.finfo(dtype).eps)


def test_momentum_moves_where_two_neighbouring_rates_are_equal() -> None:
    mine, theirs = optimizer(), optimizer()
    arguments: dict[str, Any] = {"total_steps": 20, "div_factor": 1, "three_phase": True, "pct_start": 0.1}
    schedule, reference = ours.OneCycleLR(mine, 0.1, **arguments), T.OneCycleLR(theirs, 0.1, **arguments)
    for _ in range(18):
        assert rates(mine) == pytest.approx(rates(theirs))
        assert mine.param_groups[0]["momentum"] == pytest.approx(theirs.param_groups[0]["momentum"])
        advance(mine, schedule)
        advance(theirs, reference)
    cycle = {"name": "cyclic", "step_size_up": 4, "length": 8}
    opt = optimizer()
    node = {
        "name": "sequential",
        "stages": {"a": dict(cycle), "b": {**cycle, "max_momentum": 0.5, "base_momentum": 0.1}},
    }
    twice = build(node, opt)
    advance(opt, twice, 8)  # the rate is at the lower bound, and the momentum at the second cycle's upper one
    assert opt.param_groups[0]["momentum"] == 0.5


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({"name": "multiplicative", "lr_lambda": "1.1", "interval": "step"}, "the product of the factors is infinite"),
        ({"name": "cyclic", "mode": "exp_range", "gamma": 2}, "the rate would be infinite"),
        ({"name": "cyclic", "scale_fn": "-x"}, "finite and not negative"),
        ({"name": "one_cycle", "div_factor": 1e-320}, "at least"),
        ({"name": "cosine", "eta_min": math.nan}, "a number at least 0"),
        ({"name": "exponential", "gamma": math.inf}, "gamma=inf"),
        (
            {
                "name": "chained",
                "interval": "step",
                "stages": [{"name": "lambda", "lr_lambda": "1e200"}, {"name": "lambda", "lr_lambda": "1e200"}],
            },
            "inf",
        ),
    ],
)
def test_nonsense_is_refused(node: dict[str, Any], words: str) -> None:
    run = Horizon(steps=20_000)
    with pytest.raises(SchedulerConfigError, match=words):
        build(node, optimizer(), run)
    with pytest.raises(SchedulerConfigError, match=words):
        curve(node, 0.1, run)


@pytest.mark.parametrize(
    ("scale_mode", "scale_fn", "steps", "refused"),
    [
        ("cycle", "4 - x", 100, None),  # four whole cycles of 25
        ("cycle", "4 - x", 101, "-1 at x=5"),
        ("cycle", "5 - x", 125, None),
        ("cycle", "3 - x", 76, "-1 at x=4"),
        ("cycle", "x - 1", 101, None),
        ("cycle", "x - 2", 101, "-1 at x=1"),
        ("iterations", "99 - x", 100, None),
        ("iterations", "98 - x", 100, "-1 at x=99"),
        ("iterations", "x", 100, None),
        ("iterations", "x - 1", 100, "-1 at x=0"),
    ],
)
def test_the_height_of_a_cycle_is_checked_where_the_run_goes(
    scale_mode: str, scale_fn: str, steps: int, refused: str | None
) -> None:
    node = {"name": "cyclic", "step_size_up": 10, "step_size_down": 15, "scale_fn": scale_fn, "scale_mode": scale_mode}
    if refused is None:
        assert curve(node, 0.1, Horizon(steps=steps)).min() >= 0
    else:
        with pytest.raises(SchedulerConfigError, match=f"the factor is {refused}, and a factor is finite"):
            curve(node, 0.1, Horizon(steps=steps))


@pytest.mark.parametrize("base", [math.nan, -1, "x", None, math.inf])
def test_a_base_rate_that_is_none_is_refused(base: Any) -> None:
    with pytest.raises(SchedulerConfigError, match=r"base_lr=.*a rate is a finite number and not negative"):
        curve("cosine", base, Horizon(steps=10))


def test_curve_of_one_group_among_several() -> None:
    run = Horizon(steps=11)
    node = {"name": "cosine", "interval": "step", "T_max": 10, "eta_min": {"head": 0.01}}
    assert curve(node, 0.1, run, group="head")[-1] == 0.01
    assert curve(node, 0.1, run, group="body")[-1] == 0.0
    with pytest.raises(SchedulerConfigError, match="Write group='head'"):
        curve(node, 0.1, run)
    listed = {**node, "eta_min": [0.01, 0.02, 0.03]}
    assert [curve(listed, 0.1, run, group=i)[-1] for i in range(3)] == [0.01, 0.02, 0.03]
    assert curve(listed, 0.1, run)[-1] == 0.01
    with pytest.raises(SchedulerConfigError, match=r"has 2 values, and none for group=2\. Write group=0 to group=1"):
        curve({**node, "eta_min": [0.0, 0.01]}, 0.1, run, group=2)
    assert curve({**node, "eta_min": [0.0, 0.01]}, 0.1, run, group=1)[-1] == 0.01
    assert curve({**node, "eta_min": "10%"}, 0.1, run)[-1] == pytest.approx(0.01)
    with pytest.raises(SchedulerConfigError, match=r"^eta_min="):
        curve(node, 0.1, run)
    del node["interval"]
    with pytest.raises(SchedulerConfigError, match=r"^stages\.a\.eta_min="):
        curve({"name": "chained", "interval": "step", "stages": {"a": node}}, 0.1, run)


@pytest.mark.parametrize(
    "node",
    [
        {"name": "chained", "interval": "step", "stages": [{"name": "exponential", "gamma": 0.5}]},
        {"name": "exponential", "gamma": 0.5},
        {"name": "sequential", "stages": [{"name": "exponential", "gamma": 0.5, "length": 20}]},
        {"name": "reduce_on_plateau", "monitor": "x", "warmup": 8},
        {"name": "one_cycle", "total_steps": 20},
        {"name": "cyclic", "step_size_up": 4},
    ],
)
def test_last_epoch_places_every_schedule(node: dict[str, Any]) -> None:
    first = optimizer()
    before: Any = build(node, first)
    for _ in range(4):
        first.step()
        before.advance()
    second = optimizer()
    second.load_state_dict(first.state_dict())
    after: Any = build({**node, "last_epoch": 3}, second)
    assert after.position == 4
    for _ in range(5):
        assert rates(second) == pytest.approx(rates(first))
        for opt, schedule in ((first, before), (second, after)):
            opt.step()
            schedule.advance()


def test_last_epoch_without_the_state_of_the_optimizer_is_refused() -> None:
    for name in ("exponential", "one_cycle", "cyclic", "cosine"):
        with pytest.raises(SchedulerConfigError, match=r"last_epoch=3.*needs the optimizer's own state"):
            build(
                {
                    "name": name,
                    "last_epoch": 3,
                    **({"T_max": 9} if name == "cosine" else {"total_steps": 9} if name == "one_cycle" else {}),
                },
                optimizer(),
            )


def test_a_late_group_that_brings_no_rate_and_gets_one_by_hand() -> None:
    """What 0 is times an edit, nobody knows: the curve goes through what it has then."""
    opt = optimizer()
    schedule = build({"name": "exponential", "gamma": 0.5, "interval": "step"}, opt)
    advance(opt, schedule, 2)
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.0})
    assert schedule.get_last_lr() == rates(opt) == [0.025, 0.0]
    opt.param_groups[1]["lr"] = 0.04
    advance(opt, schedule, 1)
    assert rates(opt) == pytest.approx([0.0125, 0.02])  # as torch's recursion has it


def test_a_late_group_where_the_first_bound_is_zero() -> None:
    opt = optimizer()
    schedule = build({"name": "cyclic", "base_lr": 0.0, "max_lr": 0.1, "step_size_up": 4}, opt)
    advance(opt, schedule, 2)
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.02})
    advance(opt, schedule, 2)
    assert rates(opt) == pytest.approx([0.1, 0.04])


@pytest.mark.parametrize(
    "node",
    [
        {"name": "step", "param": None},
        {"name": "step", "param": ""},
        {"name": "cosine", "T_max": "1e400"},
        {"name": "cosine", "T_max": "1e99999999%"},
        {"name": "cosine", "T_max": "9" * 5000},
        {"name": "cosine", "interval": np.array(["step", "epoch"])},
        {"name": np.array(["step", "epoch"])},
        {"name": "step", "gamma": 10**400},
        {"name": "step", "step_size": np.array([1, 2])},
        {"name": "step", "gamma": torch.tensor([1.0, 2.0])},
    ],
)
def test_foreign_values_are_refused_in_our_words(node: dict[str, Any]) -> None:
    with pytest.raises(SchedulerConfigError) as caught:
        build(node, optimizer(), Horizon(epochs=2, steps_per_epoch=5))
    assert str(caught.value).count("\n") < 3


def test_horizons_of_all_kinds_of_integers() -> None:
    assert Horizon(steps=np.int64(5)).total_steps == 5  # type: ignore[arg-type]
    for steps in (10**400, 0, -1, 2.5, True, "5"):
        with pytest.raises(SchedulerConfigError):
            Horizon(steps=steps)  # type: ignore[arg-type]


@pytest.mark.parametrize("order", [("schedule", "optimizer"), ("optimizer", "schedule")])
def test_the_rounding_of_a_float32_rate_is_no_edit(order: tuple[str, str]) -> None:
    first = optimizer(2, tensor=torch.float32)
    before = ours.CosineAnnealingLR(first, 30)
    advance(first, before, 7)
    saved = {"optimizer": copy.deepcopy(first.state_dict()), "schedule": copy.deepcopy(before.state_dict())}
    second = optimizer(2)
    after = ours.CosineAnnealingLR(second, 30)
    for what in order:
        {"optimizer": second, "schedule": after}[what].load_state_dict(saved[what])
    advance(first, before, 3)
    advance(second, after, 3)
    assert "_lr_configs" not in after.state_dict()
    assert rates(second) == rates(first)


def test_a_mixin_with_a_rule_of_its_own_is_followed() -> None:
    class Doubling:
        def get_lr(self) -> list[float]:
            return [base * 2**self.last_epoch for base in self.base_lrs]  # type: ignore[attr-defined]

    class Mixed(Doubling, ours.StepLR):
        pass

    opt = optimizer()
    schedule = Mixed(opt, 3)
    advance(opt, schedule, 3)
    assert rates(opt) == [0.8]


def test_unfreezing_with_a_share_of_the_present_rate() -> None:
    opt = optimizer()
    schedule = build({"name": "step", "step_size": 1, "gamma": 0.5}, opt)
    advance(opt, schedule)
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.1})
    seen = []
    for _ in range(3):
        seen.append(rates(opt)[1])
        advance(opt, schedule)
    assert seen == pytest.approx([0.1, 0.05, 0.025])


def test_a_write_that_is_interrupted_is_no_edit() -> None:
    for groups in (5, 1):
        opt, plain = optimizer(groups), optimizer(groups)
        opt.param_groups[0] = Interrupted(opt.param_groups[0])
        schedule, reference = ours.ExponentialLR(opt, 0.5), ours.ExponentialLR(plain, 0.5)
        advance(opt, schedule, 3)
        advance(plain, reference, 3)
        Interrupted.armed = True
        with pytest.raises(KeyboardInterrupt):
            schedule.step()
        schedule.jump(5)
        reference.jump(5)
        assert rates(opt) == rates(plain)


def test_parameters_that_rise() -> None:
    opt = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=0.1, weight_decay=0.04)
    schedule: Any = build(
        {"name": "cosine", "param": "weight_decay", "eta_min": 0.4, "T_max": 10, "interval": "step"}, opt
    )
    assert schedule.optimizer is opt
    schedule.jump(10)
    assert (opt.param_groups[0]["weight_decay"], rates(opt)) == (pytest.approx(0.4), [0.1])
    opt = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=0.1, weight_decay=0.04)
    rising: Any = build({"name": "linear", "param": "weight_decay", "start_factor": 1, "end_factor": 10}, opt)
    rising.jump(5)
    assert opt.param_groups[0]["weight_decay"] == pytest.approx(0.4)
    with pytest.raises(SchedulerConfigError, match=r"end_factor=10.*at most 1"):
        build({"name": "linear", "end_factor": 10}, optimizer())
    for other in (copy.deepcopy(rising), pickle.loads(pickle.dumps(rising))):
        other.jump(0)
        assert other.optimizer.param_groups[0]["weight_decay"] == pytest.approx(0.04)


def test_a_share_of_the_groups_own_rate() -> None:
    opt = optimizer(2)
    schedule: Any = build({"name": "cosine", "T_max": 10, "interval": "step", "eta_min": "1%"}, opt)
    schedule.jump(10)
    assert rates(opt) == pytest.approx([0.001, 0.0005])
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.0002})
    schedule.jump(20)
    assert rates(opt) == pytest.approx([0.1, 0.05, 0.02])


@pytest.mark.parametrize(
    ("node", "name"),
    [
        ({"name": "StepLR", "step_size": 3}, "step"),
        ({"name": "CosineAnnealingLR", "T_max": 3}, "cosine"),
        ({"_target_": "torch.optim.lr_scheduler.StepLR", "step_size": 3}, "step"),
        ({"_target_": "torch.optim.lr_scheduler.StepLR", "_partial_": True, "step_size": 3}, "step"),
    ],
)
def test_torchs_names_are_understood(node: dict[str, Any], name: str) -> None:
    assert build(node, optimizer()).plan.config.name == name  # type: ignore[attr-defined]


def test_a_partial_of_ours_is_the_node_that_it_was_made_of() -> None:
    node = {"_target_": "lr_configs.scheduler", "_partial_": True, "name": "step", "step_size": 3}
    made = hydra.utils.instantiate(node)
    assert isinstance(made, functools.partial)
    for call in (made, functools.partial(lr_configs.scheduler, name="step", step_size=3)):
        assert registry.parse(call) == registry.parse(node)
        assert type(build(call, optimizer())).__name__ == "StepLR"
        assert [config.name for _, config in schedules_of(call, None)] == ["step"]
    with pytest.raises(SchedulerConfigError, match=r"gama=2: step has no such key"):
        build(functools.partial(lr_configs.scheduler, name="step", gama=2), optimizer())
    with pytest.raises(SchedulerConfigError, match=r"_target_='lr_configs.whole_run.curve': .*nothing else is called"):
        build(functools.partial(curve, name="step"), optimizer())


@pytest.mark.parametrize("target", ["os.system", "timm.scheduler.CosineLRScheduler", "torch.optim.SGD", 3])
def test_a_foreign_target_is_refused_by_name(target: Any) -> None:
    with pytest.raises(SchedulerConfigError, match=r"_target_=.*nothing else is called"):
        build({"_target_": target, "name": "step"}, optimizer())


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({"name": "step", "interval": "batch"}, "did you mean 'step'"),
        ({"name": "step", "interval": "stp"}, r"did you mean 'step'\?$"),
        ({"name": "step", "warmup": 0.05}, "'5%'"),
    ],
)
def test_words(node: dict[str, Any], words: str) -> None:
    with pytest.raises(SchedulerConfigError, match=words):
        build(node, optimizer(), Horizon(epochs=2, steps_per_epoch=5))


def test_a_plain_number_counts_scheduler_steps_whatever_the_frequency() -> None:
    """As under torch and Lightning; every schedule runs with its defaults."""
    run = Horizon(epochs=12, steps_per_epoch=5)
    for interval in ("auto", "epoch"):
        node = {"name": "step", "step_size": 2, "gamma": 0.5, "frequency": 3, "interval": interval}
        assert curve(node, 0.1, run).tolist() == [0.1, 0.1, 0.05, 0.05]
    assert len(curve({"name": "linear", "frequency": 2}, 0.1, run)) == 6
    assert curve({"name": "step", "step_size": "6ep", "gamma": 0.5, "frequency": 3}, 0.1, run).tolist()[1:3] == [
        0.1,
        0.05,
    ]


def test_phases_of_no_length_behind_a_warmup() -> None:
    node = {"name": "one_cycle", "pct_start": 0.25, "three_phase": True, "anneal_strategy": "linear", "warmup": "2st"}
    opt, values = optimizer(), curve(node, 0.1, Horizon(steps=6))
    schedule = build(node, opt, Horizon(steps=6))
    for value in values:
        assert rates(opt) == [value]
        advance(opt, schedule)
    assert values[2:].tolist() == pytest.approx([0.1, 0.002666800, 0.001333600, 4e-7], rel=1e-6)


def test_numbers_of_numpy_are_plain_ones() -> None:
    opt = optimizer()
    schedule = build({"name": "polynomial", "total_iters": np.int64(4), "power": np.float64(0.5)}, opt)
    advance(opt, schedule)
    assert type(opt.param_groups[0]["lr"]) is float
    assert rates(opt) == [pytest.approx(0.1 * 0.75**0.5)]


def test_a_group_that_takes_the_place_of_another_goes_its_own_way() -> None:
    opt = optimizer(3)
    schedule = ours.ExponentialLR(opt, 0.5)
    advance(opt, schedule, 2)
    del opt.param_groups[1]
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.04})
    advance(opt, schedule, 2)
    assert rates(opt) == pytest.approx([0.1 / 16, 0.1 / 3 / 16, 0.01])
    constant = build("none", opt := optimizer(2))
    opt.param_groups.pop()
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.04, "initial_lr": 0.08})
    advance(opt, constant)
    assert rates(opt) == [0.1, 0.08]


def test_an_edit_of_a_late_group_before_its_first_step_survives_a_checkpoint() -> None:
    opt = optimizer()
    schedule = ours.ExponentialLR(opt, 0.5)
    advance(opt, schedule)
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.4})
    saved = copy.deepcopy((opt.state_dict(), schedule.state_dict()))
    again = optimizer(2)
    restored = ours.ExponentialLR(again, 0.5)
    again.load_state_dict(saved[0])
    restored.load_state_dict(saved[1])
    again.param_groups[1]["lr"] /= 4
    advance(again, restored)
    assert rates(again) == pytest.approx([0.025, 0.05])


def test_a_phase_without_width_behind_a_warmup() -> None:
    node = {"name": "one_cycle", "total_steps": 10, "pct_start": 0.1, "warmup": 2}
    opt = optimizer()
    schedule = build(node, opt)
    seen = []
    for _ in range(12):
        seen.append(rates(opt)[0])
        advance(opt, schedule)
    np.testing.assert_allclose(curve(node, 0.1, Horizon(steps=12)), seen, rtol=1e-14)


def test_a_number_of_numpys_is_a_number() -> None:
    schedule: Any = build({"name": "polynomial", "total_iters": 4, "power": np.float64(0.5)}, opt := optimizer())
    advance(opt, schedule)
    assert type(rates(opt)[0]) is float
    assert type(schedule.state_dict()["power"]) is float


@pytest.mark.parametrize(
    "made", [lambda m, o: m.OneCycleLR(o, 0.1, 12), lambda m, o: m.CyclicLR(o, 0.01, 0.1, 4)], ids=["one", "cyclic"]
)
def test_the_first_beta_cycles_as_with_torch(made: Any) -> None:
    """Adam has no momentum: its first beta moves, and its second one stays."""
    seen = []
    for module in (ours, T):
        opt = optimizer(2, cls=torch.optim.Adam)
        schedule = made(module, opt)
        seen.append([])
        for _ in range(11):
            seen[-1] += [beta for group in opt.param_groups for beta in group["betas"]]
            advance(opt, schedule)
    assert seen[0] == pytest.approx(seen[1], rel=1e-14)
    assert len(set(seen[0])) > 4
    assert set(seen[0][1::2]) == {0.999}


def test_momentum_moves_on_where_a_product_is_0() -> None:
    stages = {"a": {"name": "polynomial", "total_iters": 2}, "b": {"name": "one_cycle", "total_steps": 10}}
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
    schedule = build({"name": "chained", "stages": stages}, opt)
    seen = set()
    for _ in range(9):
        advance(opt, schedule)
        seen.add(opt.param_groups[0]["momentum"])
    assert rates(opt) == [0.0]
    assert len(seen) == 9
    assert opt.param_groups[0]["momentum"] == pytest.approx(0.95)


def test_a_stage_keeps_nothing_in_a_late_group() -> None:
    """Its `initial_lr` is the base of the whole schedule, not the first rate of a one-cycle within it."""
    opt = optimizer()
    schedule = build({"name": "chained", "stages": {"a": "none", "b": {"name": "one_cycle", "total_steps": 10}}}, opt)
    advance(opt, schedule, 2)
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": rates(opt)[0] / 2})
    advance(opt, schedule)
    assert opt.param_groups[1]["initial_lr"] == pytest.approx(0.05)
    assert rates(opt)[1] == pytest.approx(rates(opt)[0] / 2)


def test_a_late_group_of_a_stage_goes_like_the_first() -> None:
    """Its peak and its end are in the same proportion to its base, though other groups have others."""
    opt = optimizer(2)
    stage = {"name": "one_cycle", "total_steps": 10, "max_lr": [0.5, 0.1]}
    schedule = build({"name": "chained", "stages": {"a": "none", "b": stage}}, opt)
    advance(opt, schedule, 2)
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": rates(opt)[0] / 2})
    for t in range(8):
        advance(opt, schedule)
        if t == 4:
            schedule.load_state_dict(copy.deepcopy(schedule.state_dict()))
        assert rates(opt)[2] == pytest.approx(rates(opt)[0] / 2)
        assert rates(opt)[1] != pytest.approx(rates(opt)[0] / 2)


def test_a_loaded_state_is_left_as_it_is() -> None:
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
    schedule = ours.CyclicLR(opt, 0.01, 0.1, step_size_up=3)
    state = schedule.state_dict()
    before = copy.deepcopy(state)
    schedule.load_state_dict(state)
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.1})
    advance(opt, schedule)
    assert state == before


def test_a_state_between_two_steps_of_a_warmup() -> None:
    """Where a stretched run saves; torch's own state has a fraction behind the warmup only."""
    node = {"name": "cosine_warm_restarts", "T_0": 3, "warmup": 4}
    opt = optimizer()
    schedule = build(node, opt)
    for position in (1.5, 4.5, 8.25):
        schedule.jump(position)
        rate, state = rates(opt), copy.deepcopy((opt.state_dict(), schedule.state_dict()))
        fresh = optimizer()
        again = build(node, fresh)
        fresh.load_state_dict(state[0])
        again.load_state_dict(state[1])
        assert (again.position, rates(fresh)) == (position, rate)
        again.jump(5)
        assert rates(fresh) == [pytest.approx(0.075)]


def test_a_state_of_a_stage_that_has_not_begun() -> None:
    node = {"name": "sequential", "stages": [{"name": "none", "length": 4}, {"name": "cosine_warm_restarts", "T_0": 3}]}
    schedule = build(node, optimizer())
    again = build(node, optimizer())
    again.load_state_dict(schedule.state_dict())
    assert again.state_dict() == schedule.state_dict()
