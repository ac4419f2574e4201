"""States of schedulers: what is refused, what is compared, and what counts as an edit when one is loaded."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from helpers import T, optimizer, rates

import lr_configs.schedulers as ours
from lr_configs import SchedulerConfigError, build
from lr_configs.torch_classes import state as states

# ---------------------------------------------------------------------------------------- what is a state


@pytest.mark.parametrize("rate", [0, 0.0, 0.1, 3, 1e300, torch.tensor(0.1), torch.tensor([0.1])])
def test_rates(rate: Any) -> None:
    assert states.is_rate(rate)


@pytest.mark.parametrize(
    "value",
    [-0.1, math.nan, math.inf, True, False, "0.1", None, [0.1], torch.tensor([0.1, 0.2]), torch.tensor(-1.0), torch.tensor(math.nan)],
)  # fmt: skip
def test_no_rates(value: Any) -> None:
    assert not states.is_rate(value)


def step_state(**changes: Any) -> dict[str, Any]:
    schedule = ours.StepLR(optimizer(2), 3, 0.5)
    return {**schedule.state_dict(), **changes}


@pytest.mark.parametrize("step", [-1, 0, 7, 2.5])
def test_steps_of_a_state(step: Any) -> None:
    states.check(ours.StepLR(optimizer(2), 3), step_state(last_epoch=step))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ([], r"a scheduler's state is a dict, not list"),
        (
            {"gamma": 0.5},
            r"not the state of a StepLR: it lacks step_size, last_epoch and has gamma\. It comes from another",
        ),
        (step_state(last_epoch=-2), r"last_epoch=-2 in the state of a StepLR is not a step"),
        (step_state(last_epoch=True), "last_epoch=True"),
        (step_state(last_epoch="3"), "last_epoch='3'"),
        (step_state(last_epoch=math.nan), "last_epoch=nan"),
        (step_state(last_epoch=math.inf), "last_epoch=inf"),
        (step_state(base_lrs=0.1), r"base_lrs=0\.1 in the state of a StepLR are not rates"),
        (step_state(base_lrs=[0.1, -0.1]), r"base_lrs=\[0\.1, -0\.1\]"),
        (step_state(base_lrs=[math.nan, 0.1]), "base_lrs"),
    ],
)
def test_no_states(state: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ours.StepLR(optimizer(2), 3).load_state_dict(state)


@pytest.mark.parametrize("other", ["step_size", "milestones"])
def test_an_exponential_refuses_the_gamma_of_another(other: str) -> None:
    state = ours.ExponentialLR(optimizer(), 0.9).state_dict()
    with pytest.raises(ValueError, match=f"not the state of an ExponentialLR: it has {other}"):
        ours.ExponentialLR(optimizer(), 0.9).load_state_dict({**state, other: 3})


@pytest.mark.parametrize(
    ("key", "value"),
    [("num_bad_epochs", -1), ("num_bad_epochs", 1.5), ("num_bad_epochs", True), ("cooldown_counter", -1), ("best", "x"), ("best", math.nan)],
)  # fmt: skip
def test_counters_of_a_plateau(key: str, value: Any) -> None:
    schedule: Any = ours.ReduceLROnPlateau(optimizer(), patience=3)
    state = schedule.state_dict()
    schedule.load_state_dict({**state, key: -3.5 if key == "best" else 0})
    with pytest.raises(ValueError, match=f"{key}=.* in the state of a ReduceLROnPlateau is no count and no metric"):
        schedule.load_state_dict({**state, key: value})


# ---------------------------------------------------------------------------------------- exact continuation


def cosine_state(**changes: Any) -> dict[str, Any]:
    schedule: Any = build({"name": "cosine", "T_max": 10}, optimizer(2))
    return {**schedule.state_dict(), **changes}


def nested_state(*stages: str) -> dict[str, Any]:
    node = {"name": "sequential", "stages": {one: {"name": one, "length": 2, "total_iters": 2} for one in stages}}
    schedule: Any = build(node, optimizer(2))
    return schedule.state_dict()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "saved",
    [
        cosine_state(),
        cosine_state(T_max=10 * (1 + 1e-13)),
        cosine_state(_step_count=99, _get_lr_called_within_step=True),
        cosine_state(base_lrs=[0.1 * (1 + 1e-7), 0.05]),
        cosine_state(base_lrs=[0.1, 0.05, 0.2]),  # a group has joined since
        cosine_state(_last_lr=[0.0, 3.0]),
    ],
)
def test_the_same_schedule_at_the_same_step(saved: Any) -> None:
    states.compare(cosine_state(), saved, "X")


@pytest.mark.parametrize(
    ("saved", "words"),
    [
        ([], r"checkpoint\.X=\[\]: this state of a schedule is damaged: it is no dict"),
        ({k: v for k, v in cosine_state().items() if k != "T_max"}, r"X='T_max'.*this key is missing"),
        (cosine_state(new=1), r"X='new'.*there is no such key"),
        (cosine_state(T_max=11), r"X\.T_max=11: .*the schedule beside it has 10 here"),
        (cosine_state(T_max=True), r"X\.T_max=True"),
        (cosine_state(T_max="10"), r"X\.T_max='10'"),
        (cosine_state(T_max=[10]), r"X\.T_max=\[10\]"),
        (cosine_state(eta_min=1e-12), r"X\.eta_min"),
        (cosine_state(base_lrs=[0.1 * (1 + 1e-5), 0.05]), r"X\.base_lrs"),
        (
            cosine_state(base_lrs=[0.1]),
            r"X\.base_lrs=\[0\.1\]: the checkpoint has 1 parameter group\(s\), and the optimizer 2",
        ),
        (cosine_state(base_lrs=[0.1, 0.05, -0.2]), r"X\.base_lrs=.*these are not rates"),
        (cosine_state(_last_lr=None), r"X\._last_lr=None: .*these are not rates"),
        (cosine_state(_last_lr=[0.1, math.nan]), r"X\._last_lr=.*these are not rates"),
        (cosine_state(_lr_configs=[]), r"X\._lr_configs=\[\]: .*it is no dict"),
        (cosine_state(_lr_configs={"scales": 2}), r"X\._lr_configs\.scales=2: .*these are not ratios"),
        (cosine_state(_lr_configs={"scales": [1.0, -1.0]}), "these are not ratios"),
        (cosine_state(_lr_configs={"rates": [0.1, 0.06]}), r"X\._last_lr=.*the rates beside it are \[0\.1, 0\.06\]"),
    ],
)
def test_another_schedule_or_damage(saved: Any, words: str) -> None:
    with pytest.raises(SchedulerConfigError, match=words):
        states.compare(cosine_state(), saved, "X")


def test_a_truth_is_no_number() -> None:
    schedule: Any = build({"name": "step", "step_size": 1}, optimizer())
    mine = schedule.state_dict()
    with pytest.raises(SchedulerConfigError, match=r"X\.step_size=True: .*beside it has 1 here"):
        states.compare(mine, {**mine, "step_size": True}, "X")
    cycle: Any = build({"name": "one_cycle", "total_steps": 5}, optimizer())
    mine = cycle.state_dict()
    with pytest.raises(SchedulerConfigError, match=r"X\.cycle_momentum=1: .*beside it has True here"):
        states.compare(mine, {**mine, "cycle_momentum": 1}, "X")


def test_stages_are_compared_in_their_places() -> None:
    mine = nested_state("constant", "linear")
    states.compare(mine, copy.deepcopy(mine), "X")
    with pytest.raises(SchedulerConfigError, match=r"X=.*it has other stages"):
        states.compare(mine, {**mine, "_schedulers": mine["_schedulers"][:1]}, "X")
    with pytest.raises(SchedulerConfigError, match=r"X=None.*it has other stages"):
        states.compare(mine, {**mine, "_schedulers": None}, "X")
    damaged = copy.deepcopy(mine)
    damaged["_schedulers"][1]["total_iters"] = 3
    with pytest.raises(SchedulerConfigError, match=r"X\.1\.total_iters=3: .*beside it has 2 here"):
        states.compare(mine, damaged, "X")


def test_counters_are_the_states_own() -> None:
    """Nothing but the state knows what a metric has moved."""
    plateau: Any = build({"name": "reduce_on_plateau", "monitor": "x"}, optimizer())
    mine = plateau.state_dict()
    states.compare(mine, {**mine, "best": -3.0, "num_bad_epochs": 2, "cooldown_counter": 1, "last_epoch": 9}, "X")
    for key, value, words in (
        ("best", math.nan, "no number"), ("best", None, "no number"), ("num_bad_epochs", -1, "no count"),
        ("last_epoch", 1.0, "no count"), ("cooldown_counter", True, "no count"), ("patience", 3, "beside it has 10"),
    ):  # fmt: skip
        with pytest.raises(SchedulerConfigError, match=rf"X\.{key}=.*{words}"):
            states.compare(mine, {**mine, key: value}, "X")


def test_mappings_are_compared_by_their_entries() -> None:
    schedule: Any = build({"name": "multi_step", "milestones": [3, 5]}, optimizer())
    mine = schedule.state_dict()
    states.compare(mine, {**mine, "milestones": type(mine["milestones"])({3: 1, 5: 1})}, "X")
    for milestones in ({3: 1}, {3: 1, 5: 2}, {3: 1, 6: 1}):
        with pytest.raises(SchedulerConfigError, match=r"X\.milestones"):
            states.compare(mine, {**mine, "milestones": milestones}, "X")


# ---------------------------------------------------------------------------------------- digests


def test_a_digest_is_of_what_is_saved() -> None:
    state = {"a": [1, 2.5, None, True, "x"], "b": {"c": (1, 2)}, 3: torch.tensor([0.5])}
    same = {3: [0.5], "b": {"c": [1, 2]}, "a": [1, 2.5, None, True, "x"]}
    assert states.digest(state) == states.digest(same)
    assert states.digest({"f": math.sqrt, "g": Exception()}) == states.digest({"f": math.sin, "g": Exception("y")})
    for other in ({**same, "a": [1, 2.5, None, True, "y"]}, {**same, "d": 0}, {**same, "b": {"c": [2, 1]}}):
        assert states.digest(other) != states.digest(state)


# ---------------------------------------------------------------------------------------- what is an edit


def loaded(last: list[Any], steps: int = 3, dtype: Any = None) -> tuple[Any, Any]:
    """Ours, loaded with a state of torch's whose rates are these after so many steps of ``0.5 ** t``."""
    source = T.ExponentialLR(optimizer(len(last)), 0.5)
    for _ in range(steps):
        source.optimizer.step()
        source.step()
    opt = optimizer(len(last), tensor=dtype)
    schedule = ours.ExponentialLR(opt, 0.5)
    schedule.load_state_dict({**source.state_dict(), "_last_lr": last})
    return opt, schedule


def test_drift_is_no_edit() -> None:
    value, other = 0.1 / 8, 0.05 / 8
    for drift, kept in ((0.9e-4, False), (-0.9e-4, False), (1.2e-4, True), (-1.2e-4, True), (1.0, True)):
        opt, schedule = loaded([value * (1 + drift), other])
        expected = value * (1 + drift) if kept else value
        assert rates(opt) == [pytest.approx(expected, rel=1e-12), other]
        opt.step()
        schedule.step()
        assert rates(opt) == pytest.approx([expected / 2, other / 2], rel=1e-12)
        assert ("_lr_configs" in schedule.state_dict()) is kept


def test_what_is_near_to_nothing_is_no_edit() -> None:
    """Torch's recurrences arrive at 1e-18 where the curve is 0, which no ratio brings back."""
    opt, _ = loaded([1e-8], 40)
    assert rates(opt) == [pytest.approx(0.1 * 0.5**40)]
    opt, _ = loaded([2e-7], 40)
    assert rates(opt) == [pytest.approx(2e-7)]


def test_the_rounding_of_a_coarse_tensor_is_no_edit() -> None:
    value = 0.1 / 8
    opt, schedule = loaded([torch.tensor(value * (1 + 4e-3), dtype=torch.bfloat16)], dtype=torch.float64)
    assert rates(opt) == [pytest.approx(value, rel=1e-14)]
    opt, schedule = loaded([torch.tensor(value * 1.25, dtype=torch.bfloat16)], dtype=torch.float64)
    assert rates(opt) == [pytest.approx(value * 1.25, rel=5e-3)]
    assert schedule.state_dict()["_lr_configs"]["scales"] == [pytest.approx(1.25, rel=5e-3)]


def test_what_ours_remembers_counts_only_at_its_own_step() -> None:
    """Torch's class carries our entry along unchanged: after a step in torch it is not true any more."""
    opt = optimizer(2)
    schedule = ours.ExponentialLR(opt, 0.5)
    opt.param_groups[1]["lr"] /= 5
    opt.step()
    schedule.step()
    saved = copy.deepcopy(schedule.state_dict())
    assert saved["_lr_configs"]["scales"] == [1.0, pytest.approx(0.2)]
    between = T.ExponentialLR(middle := optimizer(2), 0.5)
    between.load_state_dict(copy.deepcopy(saved))
    for group, rate in zip(middle.param_groups, rates(opt), strict=True):
        group["lr"] = rate
    middle.param_groups[0]["lr"] *= 3
    middle.step()
    between.step()
    again = optimizer(2)
    restored = ours.ExponentialLR(again, 0.5)
    restored.load_state_dict(between.state_dict())
    assert rates(again) == pytest.approx([0.1 * 3 / 4, 0.05 / 5 / 4])
    assert restored.state_dict()["_lr_configs"]["scales"] == pytest.approx([3.0, 0.2])


def test_a_group_that_the_state_does_not_know_joins_at_the_step_of_the_state() -> None:
    source = ours.ExponentialLR(optimizer(1), 0.5)
    source.jump(3)
    opt = optimizer(2)
    schedule = ours.ExponentialLR(opt, 0.5)
    del opt.param_groups[1]["initial_lr"]
    schedule.load_state_dict(source.state_dict())
    assert rates(opt) == [0.0125, 0.05]
    opt.step()
    schedule.step()
    assert rates(opt) == pytest.approx([0.00625, 0.025])
    assert schedule.curve.rates(3) == pytest.approx([0.0125, 0.05])


def test_a_state_that_cannot_be_loaded_is_damaged() -> None:
    """Where what is compared is right, and what nothing else knows is not."""
    schedule: Any = build({"name": "cosine", "T_max": 10}, optimizer(2))
    for extra in ({"late": 3}, {"late": ["x"]}, {"off_curve": True, "rates": [0.1, 0.05], "step": 0, "late": {}}):
        state = {**schedule.state_dict(), "_lr_configs": extra}
        if extra.get("late") == {}:
            schedule.restore(state, 0)
            continue
        with pytest.raises(SchedulerConfigError, match=r"checkpoint\.lr_schedulers=.*is damaged: it cannot be read"):
            schedule.restore(state, 0)
