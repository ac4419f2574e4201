"""What is written into groups with one rate, with few, and with many, and what others have put there in between."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers import Interrupted, optimizer, rates

import lr_configs.schedulers as ours
from lr_configs import build

RATES = {
    "one": [0.1] * 6,
    "few": [0.1, 0.2, 0.3] * 4,
    "distinct": [0.1 + i / 100 for i in range(12)],
}
#: one end, two, and three
ENDS: dict[str, Any] = {
    "a factor": lambda module, opt: module.CosineAnnealingLR(opt, 100),
    "a floor": lambda module, opt: module.CosineAnnealingLR(opt, 100, 0.01),
    "three rates": lambda module, opt: module.OneCycleLR(
        opt, [2 * group["lr"] for group in opt.param_groups], total_steps=100, cycle_momentum=False
    ),
}
LAYOUTS = [f"{own}, {ends}" for own in RATES for ends in ENDS]


def bare(layout: str) -> tuple[Any, Any]:
    own, _, ends = layout.partition(", ")
    opt = optimizer(len(RATES[own]))
    for group, rate in zip(opt.param_groups, RATES[own], strict=True):
        group["lr"] = rate
    return opt, ENDS[ends]


def made(layout: str) -> tuple[Any, Any]:
    opt, make = bare(layout)
    schedule = make(ours, opt)
    schedule.jump(3)
    schedule.jump(4)
    return opt, schedule


def expected(layout: str, t: int, **edits: float) -> Any:
    """The rates of torch's own class, times the ratios of edited groups."""
    opt, make = bare(layout)
    theirs = make(torch.optim.lr_scheduler, opt)
    for _ in range(t):
        opt.step()
        theirs.step()
    return pytest.approx([value * edits.get(f"g{i}", 1.0) for i, value in enumerate(rates(opt))], rel=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("i", [0, 2, -1])
def test_an_edit_is_kept_and_no_other_group_sees_it(layout: str, i: int) -> None:
    opt, schedule = made(layout)
    opt.param_groups[i]["lr"] *= 0.5
    edit = {f"g{i % len(opt.param_groups)}": 0.5}
    for t in (5, 6, 7):
        schedule.jump(t)
        assert rates(opt) == expected(layout, t, **edit)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("i", [0, 2, -1])
def test_an_edit_to_the_rate_of_the_next_step_is_an_edit(layout: str, i: int) -> None:
    opt, schedule = made(layout)
    now, coming = rates(opt), schedule.rates_at(5)
    opt.param_groups[i]["lr"] = coming[i]
    edit = {f"g{i % len(now)}": coming[i] / now[i]}
    for t in (5, 6):
        schedule.jump(t)
        assert rates(opt) == expected(layout, t, **edit)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("i", [0, 2, -1])
def test_a_write_that_is_interrupted_is_no_edit(layout: str, i: int) -> None:
    opt, schedule = made(layout)
    before = rates(opt)
    opt.param_groups[i] = Interrupted(opt.param_groups[i])
    for quick in (False, True):
        if quick:
            schedule.jump(4)
        Interrupted.armed = True
        with pytest.raises(KeyboardInterrupt):
            schedule.jump(5)
        assert rates(opt) == before
        schedule.jump(6)
        assert rates(opt) == expected(layout, 6)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("i", [0, 2, -1])
def test_a_tensor_that_takes_the_place_of_a_number_is_driven(layout: str, i: int) -> None:
    opt, schedule = made(layout)
    tensor = opt.param_groups[i]["lr"] = torch.tensor(opt.param_groups[i]["lr"], dtype=torch.float64)
    for t in (5, 6):
        schedule.jump(t)
        assert opt.param_groups[i]["lr"] is tensor
        assert rates(opt) == expected(layout, t)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("i", [0, 2, -1])
def test_a_copy_of_a_group_in_its_place_is_driven(layout: str, i: int) -> None:
    opt, schedule = made(layout)
    opt.param_groups[i] = dict(opt.param_groups[i])
    for t in (5, 6):
        schedule.jump(t)
        assert rates(opt) == expected(layout, t)


@pytest.mark.parametrize("groups", [1, 12])
def test_a_function_that_once_gives_no_number_is_followed_again(groups: int) -> None:
    opt = optimizer(groups)
    before = rates(opt)
    schedule = ours.LambdaLR(opt, lambda t: float("nan") if t == 3 else 1 / (1 + t))
    schedule.jump(3)
    schedule.jump(4)
    assert rates(opt) == pytest.approx([rate / 5 for rate in before])


def test_each_of_many_rates_that_several_groups_share() -> None:
    own = [0.1 + (i % 40) / 100 for i in range(160)]
    opt = optimizer(len(own))
    for group, rate in zip(opt.param_groups, own, strict=True):
        group["lr"] = rate
    schedule = ours.ExponentialLR(opt, 0.5)
    for t in (1, 2, 3):
        schedule.jump(t)
        assert rates(opt) == [rate * 0.5**t for rate in own]
        assert len({id(group["lr"]) for group in opt.param_groups}) == 40


@pytest.mark.parametrize("tensors", [False, True])
@pytest.mark.parametrize("own", [[0.1, 0.1], [0.1, 0.2] * 3])
def test_groups_that_begin_alike_and_end_at_floors_of_their_own(own: list[float], tensors: bool) -> None:
    opt = optimizer(len(own))
    for group, rate in zip(opt.param_groups, own, strict=True):
        group["lr"] = torch.tensor(rate, dtype=torch.float64) if tensors else rate
    floors = [rate / (10 + i) for i, rate in enumerate(own)]
    node = {"name": "warmup_stable_decay", "total_steps": 8, "decay": 4, "decay_shape": "geometric", "interval": "step"}
    schedule: Any = build({**node, "eta_min": floors}, opt)
    for t in range(1, 10):
        opt.step()
        schedule.step()
        gone = min(max(t - 4, 0) / 4, 1)
        shares = [(floor / rate) ** gone for rate, floor in zip(own, floors, strict=True)]
        assert rates(opt) == pytest.approx([a * b for a, b in zip(own, shares, strict=True)], rel=1e-12)
