"""Schedules made of schedules: with torch's own among the stages, and what their states say."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from helpers import T, optimizer, rates

import lr_configs.schedulers as ours

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


def test_one_of_torchs_own_deep_inside() -> None:
    def nested(module: Any, inner: Any, opt: Any) -> Any:
        pair = module.SequentialLR(opt, [inner.ConstantLR(opt, 0.5, 2), inner.ExponentialLR(opt, 0.5)], [2])
        return module.ChainedScheduler([pair, module.StepLR(opt, 3, 0.1)])

    mine, theirs = optimizer(2), optimizer(2)
    got, expected = walk(nested(ours, T, mine), mine, 8), walk(nested(T, T, theirs), theirs, 8)
    assert [one for both in got for one in both] == pytest.approx([one for both in expected for one in both])
