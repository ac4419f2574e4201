"""Schedules made of schedules: with torch's own among the stages, and what their states say."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from helpers import T, optimizer, rates

import lr_configs.schedulers as ours
from lr_configs import Horizon, build
from lr_configs.registry import parse

#: where the first and the second stage come from, at least one of them torch's
MIXED = {"torch, ours": (T, ours), "ours, torch": (ours, T), "torch, torch": (T, T)}


def made(module: Any, kind: str, stages: Any, opt: Any) -> Any:
    first, second = stages[0].LinearLR(opt, 0.25, 1.0, 4), stages[1].ExponentialLR(opt, 0.5)
    if kind == "SequentialLR":
        return module.SequentialLR(opt, [first, second], [3])
    return module.ChainedScheduler([first, second])


def walk(schedule: Any, opt: Any, steps: int) -> list[list[float]]:
    found = [rates(opt)]
    for _ in range(steps):
        opt.step()
        schedule.step()
        found.append(rates(opt))
    return found


@pytest.mark.parametrize("kind", ["SequentialLR", "ChainedScheduler"])
@pytest.mark.parametrize("mixed", MIXED)
def test_with_stages_of_torchs_own(kind: str, mixed: str) -> None:
    mine, theirs = optimizer(2), optimizer(2)
    schedule, reference = made(ours, kind, MIXED[mixed], mine), made(T, kind, (T, T), theirs)
    for got, expected in zip(walk(schedule, mine, 9), walk(reference, theirs, 9), strict=True):
        assert got == pytest.approx(expected, rel=1e-14)
    assert schedule.get_last_lr() == rates(mine)
    assert not schedule.metric_driven


@pytest.mark.parametrize("kind", ["SequentialLR", "ChainedScheduler"])
@pytest.mark.parametrize("target", [T, ours], ids=["torch", "ours"])
def test_a_state_with_stages_of_torchs_own_loads(kind: str, target: Any) -> None:
    mine, again = optimizer(2), optimizer(2)
    schedule = made(ours, kind, (T, T), mine)
    walk(schedule, mine, 5)
    state, saved = copy.deepcopy(schedule.state_dict()), copy.deepcopy(mine.state_dict())
    assert set(state) == set(made(T, kind, (T, T), optimizer(2)).state_dict())
    loaded = made(target, kind, (T, T), again)
    again.load_state_dict(saved)
    loaded.load_state_dict(state)
    assert loaded.get_last_lr() == rates(mine)
    assert walk(loaded, again, 4) == walk(schedule, mine, 4)


def test_rates_in_the_states_of_stages() -> None:
    """Each stage's are those of its own last step, as in torch's sequence; stages that were built by hand read the groups."""
    opt, theirs = optimizer(2), optimizer(2)
    stages = {"up": {"name": "linear", "start_factor": 0.5, "total_iters": 4, "length": 4}, "down": "exponential"}
    mine = build({"name": "sequential", "interval": "step", "stages": stages}, opt, Horizon(steps=9))
    parts = [T.LinearLR(theirs, 0.5, 1.0, 4), T.ExponentialLR(theirs, 0.95)]
    reference = T.SequentialLR(theirs, parts, [4])
    for t in range(9):
        found, expected = mine.state_dict()["_schedulers"], reference.state_dict()["_schedulers"]
        for i, (one, other) in enumerate(zip(found, expected, strict=True)):
            if i == 0 or t >= 4:  # before its turn torch's has what the first stage wrote at the start
                assert one["_last_lr"] == pytest.approx(other["_last_lr"], rel=1e-14)
        opt.step(), mine.step(), theirs.step(), reference.step()
    dropped = made(ours, "ChainedScheduler", (ours, ours), opt)
    walk(dropped, opt, 3)
    assert [stage.get_last_lr() for stage in dropped._schedulers] == [rates(opt)] * 2


def test_one_of_torchs_own_deep_inside() -> None:
    def nested(module: Any, inner: Any, opt: Any) -> Any:
        pair = module.SequentialLR(opt, [inner.ConstantLR(opt, 0.5, 2), inner.ExponentialLR(opt, 0.5)], [2])
        return module.ChainedScheduler([pair, module.StepLR(opt, 3, 0.1)])

    mine, theirs = optimizer(2), optimizer(2)
    got, expected = walk(nested(ours, T, mine), mine, 8), walk(nested(T, T, theirs), theirs, 8)
    assert [one for both in got for one in both] == pytest.approx([one for both in expected for one in both])


# ---------------------------------------------------------------------------------------- with a metric

UP = {"name": "linear", "start_factor": 0.5, "total_iters": 4}
PLATEAU = {"name": "reduce_on_plateau", "patience": 0, "factor": 0.5}
INNER = {"name": "sequential", "stages": {"up": {**UP, "length": 2}, "then": PLATEAU}}
#: a schedule with a plateau among its stages, and the step from which its metric counts
FOLLOWING: dict[str, tuple[Any, int]] = {
    "sequential": ({"name": "sequential", "stages": {"up": {**UP, "length": 4}, "then": PLATEAU}}, 4),
    "chained": ({"name": "chained", "stages": {"up": UP, "then": PLATEAU}}, 0),
    "nested": ({"name": "chained", "stages": {"a": "none", "b": INNER}}, 2),
    "behind a warmup": ({"name": "chained", "warmup": 2, "stages": {"up": UP, "then": {**PLATEAU, "warmup": 3}}}, 5),
}


def following(name: str, opt: Any, **more: Any) -> Any:
    return build({**FOLLOWING[name][0], "monitor": "x", "interval": "step", **more}, opt, Horizon(steps=12))


@pytest.mark.parametrize("name", FOLLOWING)
def test_a_metric_reduces_what_the_outermost_writes(name: str) -> None:
    opt = optimizer(2)
    schedule, begin = following(name, opt), FOLLOWING[name][1]
    curve = [schedule.curve.rates(t) for t in range(12)]
    assert schedule.metric_driven
    factor = 1.0
    for t in range(1, 12):
        opt.step()
        schedule.step(1.0)  # after the first value that counts, each one is a bad one
        if t > max(begin, 1):
            factor *= 0.5
        assert rates(opt) == pytest.approx([one * (factor if t >= begin else 1.0) for one in curve[t]]), t
    again = following(name, other := optimizer(2))
    again.load_state_dict(copy.deepcopy(schedule.state_dict()))
    assert rates(other) == rates(opt)
    for one, group in ((schedule, opt), (again, other)):
        one.react(0.5)
        one.react(2.0)
        assert rates(group) == pytest.approx([one * factor / 2 for one in curve[11]])


def test_a_metric_moves_nothing_while_the_rates_are_not_the_curves() -> None:
    opt = optimizer(1)
    schedule = following("chained", opt)
    schedule.put([0.07])
    for _ in range(3):
        schedule.react(1.0)
    assert rates(opt) == [0.07]


def test_what_a_metric_reduces_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    opt = optimizer(1)
    schedule = following("chained", opt, verbose=True, stages={"a": "none", "then": PLATEAU})
    schedule.react(1.0)
    assert capsys.readouterr().out == ""
    schedule.react(1.0)
    assert capsys.readouterr().out == "Step 00000: adjusting learning rate of group 0 to 5.0000e-02.\n"


@pytest.mark.parametrize("name", ["sequential", "nested"])
def test_stages_know_their_own_steps(name: str) -> None:
    schedule = following(name, opt := optimizer(1))
    seen = []
    for _ in range(8):
        stages = schedule.state_dict()["_schedulers"]
        inner = stages if name == "sequential" else stages[1]["_schedulers"]
        seen.append((inner[0]["last_epoch"], inner[0]["_step_count"], inner[1]["_lr_configs"]["t"]))
        opt.step()
        schedule.step()
    begin = FOLLOWING[name][1]
    assert seen == [(min(t, begin - 1), min(t, begin - 1) + 1, max(t - begin, -1)) for t in range(8)]


def test_a_state_of_other_stages_is_refused() -> None:
    schedule: Any = build({"name": "chained", "stages": {"a": "none", "b": UP}}, optimizer(1))
    state = schedule.state_dict()
    for stages in (state["_schedulers"][:1], None):
        with pytest.raises(ValueError, match=r"the state of (1|None) stages, and there are 2: it comes from another"):
            schedule.load_state_dict({**state, "_schedulers": stages})


def test_other_optimizers_and_numbers_of_milestones_are_refused() -> None:
    opt = optimizer(1)
    stages = [ours.ConstantLR(opt), ours.ConstantLR(opt)]
    elsewhere = [ours.ConstantLR(opt), ours.ConstantLR(optimizer(1))]
    with pytest.raises(ValueError, match="SequentialLR expects all schedulers to belong to the same optimizer"):
        ours.SequentialLR(opt, elsewhere, [3])
    with pytest.raises(ValueError, match="ChainedScheduler expects all schedulers to belong to the same optimizer"):
        ours.ChainedScheduler(elsewhere)
    with pytest.raises(ValueError, match=r"number of schedulers 2 and the number of milestones to be equal to 2"):
        ours.SequentialLR(opt, stages, [3, 5])
    for made in (lambda m, s: m.SequentialLR(opt, [s, s], [3]), lambda m, s: m.ChainedScheduler([s, s])):
        words = []
        for module in (T, ours):
            with pytest.raises(ValueError, match="ReduceLROnPlateau") as error:
                made(module, module.ReduceLROnPlateau(opt))
            words.append(str(error.value))
        assert words[0] == words[1]


def test_stages_that_were_stepped_before_they_are_chained() -> None:
    mine, theirs = optimizer(2), optimizer(2)
    seen = []
    for module, opt in ((ours, mine), (T, theirs)):
        stages = [module.LinearLR(opt, 0.5, 1.0, 6), module.ExponentialLR(opt, 0.9)]
        for _ in range(2):
            opt.step()
            stages[0].step()
        chained = module.ChainedScheduler(stages)
        seen.append(walk(chained, opt, 7))
        again = module.ChainedScheduler([module.LinearLR(opt, 0.5, 1.0, 6), module.ExponentialLR(opt, 0.9)])
        again.load_state_dict(copy.deepcopy(chained.state_dict()))
        assert [one.last_epoch for one in again._schedulers] == [9, 7]
    assert seen[0] == [pytest.approx(one) for one in seen[1]]


def test_a_composite_of_a_config_goes_on_at_a_later_step() -> None:
    node = {"name": "chained", "interval": "step", "stages": {"a": UP, "b": {"name": "exponential", "gamma": 0.9}}}
    whole: Any = build(node, first := optimizer(2))
    whole.jump(3)
    second = optimizer(2)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    later: Any = build({**node, "last_epoch": 2}, second)
    assert later.position == 3
    assert rates(second) == pytest.approx(rates(first))
    assert walk(later, second, 3) == [pytest.approx(one) for one in walk(whole, first, 3)]


@pytest.mark.parametrize("groups", [1, 2])
def test_a_cycle_among_the_stages_knows_the_bounds_of_late_groups(groups: int) -> None:
    """Its own optimizer has no such groups, and loading a state, or a changed parameter, finds the bounds again."""
    seen = []
    for again in (False, True):
        node = {"name": "chained", "stages": {"a": "none", "b": {"name": "one_cycle", "total_steps": 12}}}
        opt = optimizer(groups)
        schedule: Any = build(node, opt)
        walk(schedule, opt, 2)
        opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": rates(opt)[0] / 4})
        walk(schedule, opt, 1)
        if again:
            schedule.rebind()
        seen.append((walk(schedule, opt, 5), [group["momentum"] for group in opt.param_groups]))
    assert seen[0] == seen[1]
    assert seen[0][1][0] == seen[0][1][-1] != 0.9
    assert all(found[-1] == pytest.approx(found[0] / 4) for found in seen[0][0])


@pytest.mark.parametrize("name", ["sequential", "chained"])
def test_what_the_stages_share_is_written_once(name: str) -> None:
    config: Any = parse(
        {"name": name, "interval": "step", "stages": [{"name": "linear", "length": 3}, "cosine"][name == "chained" :]}
    )
    for stage in config.stages:
        assert stage["name"] in ("linear", "cosine")
        assert not {"interval", "frequency", "monitor", "param", "verbose", "last_epoch", "_target_"} & stage.keys()
        assert "warmup" in stage


def test_a_late_group_of_a_cycle_among_the_stages_goes_as_the_first_one() -> None:
    """Whose rates are another multiple of its base than those of the second."""
    opt = optimizer(2)
    schedule: Any = ours.ChainedScheduler([ours.OneCycleLR(opt, [0.1, 0.9], 12, div_factor=10)])
    walk(schedule, opt, 2)
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": rates(opt)[0] / 4})
    for again in (False, True):
        if again:
            schedule.rebind()
        assert all(late == pytest.approx(first / 4) for first, _, late in walk(schedule, opt, 3)[1:])


@pytest.mark.parametrize("staged", [False, True])
def test_the_momentum_of_a_group_that_is_gone_is_nobodys(staged: bool) -> None:
    opt = optimizer(3)
    schedule: Any = ours.OneCycleLR(opt, 0.1, 12, base_momentum=[0.5, 0.6, 0.7], max_momentum=[0.8, 0.9, 0.95])
    if staged:
        schedule = ours.ChainedScheduler([schedule])
    walk(schedule, opt, 2)
    del opt.param_groups[1:]
    walk(schedule, opt, 1)
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.02})
    walk(schedule, opt, 2)
    first, late = (group["momentum"] for group in opt.param_groups)
    assert late == first


@pytest.mark.parametrize("staged", [False, True])
def test_a_late_group_cycles_its_momentum_as_the_first_one(staged: bool) -> None:
    opt = optimizer(2)
    schedule: Any = ours.OneCycleLR(opt, 0.1, 12, base_momentum=[0.5, 0.6], max_momentum=[0.8, 0.9])
    if staged:
        schedule = ours.ChainedScheduler([schedule])
    walk(schedule, opt, 2)
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.02})
    for again in (False, True):
        if again:
            schedule.rebind()
        walk(schedule, opt, 2)
        first, second, third = (group["momentum"] for group in opt.param_groups)
        assert third == first == pytest.approx(second - 0.1)


@pytest.mark.parametrize("name", ["sequential", "chained"])
def test_a_gate_is_asked_from_when_it_is_set(name: str) -> None:
    schedule = following(name, opt := optimizer(1))
    walk(schedule, opt, 3)
    before = rates(opt)
    schedule.gate = lambda scheduler: False
    assert walk(schedule, opt, 3) == [before] * 4
    schedule.gate = None
    walk(schedule, opt, 1)
    assert schedule.position == 4
