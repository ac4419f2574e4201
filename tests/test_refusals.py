"""What is wrong with new schedules and with one's own: key, value, rule and remedy, before the first update."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from helpers import optimizer, rates
from lightning_helpers import Tiny, fit

from lr_configs import (
    Horizon,
    LRSchedulerCallback,
    SchedulerConfigError,
    available,
    build,
    register,
    registry,
)


def test_a_decorator_without_a_name_is_refused_at_once() -> None:
    with pytest.raises(
        SchedulerConfigError, match=r"name=.*a schedule is registered under a name\. Write @register\('mine'\)"
    ):

        @register  # type: ignore[arg-type]
        def mine(t: Any, T: Any) -> float:
            return 1.0


def test_what_cannot_be_shown_hides_nothing() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError("not even this")

    assert (
        str(SchedulerConfigError("gamma", Broken(), "this is no number", "Write 0.1"))
        == "gamma=<Broken>: this is no number. Write 0.1."
    )


class Unreadable(torch.optim.lr_scheduler.LRScheduler):
    __signature__ = "none"


class Open(torch.optim.lr_scheduler.LRScheduler):
    def __init__(self, optimizer: Any, *args: Any, **keys: Any) -> None: ...


class Bare(torch.optim.lr_scheduler.LRScheduler):
    def __init__(self) -> None: ...


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    before = available()
    register("nan_at_13", lambda t, T: float("nan") if t == 13 else 1.0)
    register("negative_at_7", lambda t, T: -0.5 if t == 7 else 1.0)
    register("raises_at_5", lambda t, T: 1 / 0 if t == 5 else 1.0)
    yield
    for name in set(available()) - set(before):
        registry.remove(name)


P = {"name": "piecewise"}
W = {"name": "warmup_stable_decay"}
#: id -> (node, key, value, part of the rule, part of the remedy); in a run of 20 updates with the rate 0.1
NODES: dict[str, tuple[dict[str, Any], str, Any, str, str]] = {
    "points out of order": (P | {"points": [[0, 1.0], ["50%", 0.5], ["20%", 0.1]]}, "points",
        [[0, 1.0], ["50%", 0.5], ["20%", 0.1]], "20% comes after 50%", "Sort the points"),
    "points out of order in this run": (P | {"points": [[0, 1.0], ["50%", 0.5], ["3st", 0.1]]}, "points",
        [[0, 1.0], ["50%", 0.5], ["3st", 0.1]], "rise strictly", "Sort them"),
    "a negative factor": (P | {"points": [[0, 1.0], [5, -0.1]]}, "points.1.1", -0.1, "at least 0", "Write a number"),
    "no points": (P | {"points": []}, "points", [], "a list of points", "Write [[0, 0.0]"),
    "a decay longer than what is left": (W | {"decay": 15, "warmup": 10}, "decay", 15,
        "takes 15 steps, and there are 10 behind the warmup", "Shorten the decay or the warmup, or train for longer"),
    "a cooldown longer than what is left": ({"name": "none", "cooldown": 15, "warmup": 10, "interval": "step"},
        "cooldown", 15, "takes 15 scheduler steps, and 10 are left behind the warmup", "Shorten the cooldown"),
    "a floor above the rate": (W | {"eta_min": 0.2}, "eta_min", 0.2, "above the optimizer's own rate 0.1", "Lower it"),
    "a floor above the peak": ({"name": "noam", "eta_min": "9%"}, "eta_min", pytest.approx(0.009), "above the peak", "Lower it"),
    "a floor above the highest point": (P | {"points": [[0, 0.5]], "eta_min": 0.06}, "eta_min", 0.06, "the peak 0.05", "Lower it"),
    "a share above all": ({"name": "lambda", "eta_min": "120%"}, "eta_min", pytest.approx(0.12), "above the optimizer's", "Lower"),
    "a floor that is no number": ({"name": "linear", "eta_min": "low"}, "eta_min", "low", "not a number", "at least 0"),
    "a geometric decay to 0": (W | {"decay_shape": "geometric"}, "eta_min", 0.0, "ends above 0", "Write eta_min=1%"),
    "a shape of another library": (W | {"decay_shape": "sqrt"}, "decay_shape", "sqrt", "this is one of", "did you mean '1-sqrt'"),
    "an upper bound below the run": ({"name": "hyperbolic", "upper_bound": 5}, "upper_bound", 5, "at least as long", "Raise"),
    "bounds in the wrong order": ({"name": "tanh", "lb": 4}, "lb", 4.0, "begins below ub=3", "Lower lb"),
    "a growing power": ({"name": "power", "exponent": 1}, "exponent", 1, "at most 0", "at most 0"),
    "a dotted path": ({"name": "lambda", "lr_lambda": "my.module.f"}, "lr_lambda", "my.module.f", "is not allowed", "register"),
    "nan at some step": ({"name": "nan_at_13"}, "name", "nan_at_13", "at step 13 its function gives nan", "Repair"),
    "negative at some step": ({"name": "negative_at_7"}, "name", "negative_at_7", "at step 7 its function gives -0.5", "Repair"),
    "raises at some step": ({"name": "raises_at_5"}, "name", "raises_at_5", "at step 5 its function raises ZeroDivisionError", "Repair"),
}  # fmt: skip


def check(error: SchedulerConfigError, key: str, value: Any, rule: str, remedy: str) -> None:
    assert error.key == key
    assert error.value == value
    assert rule in error.rule
    assert remedy in error.remedy
    assert f"{key}=" in str(error)


@pytest.mark.parametrize("case", NODES)
def test_before_anything_is_built(case: str) -> None:
    node, *expected = NODES[case]
    opt = optimizer()
    with pytest.raises(SchedulerConfigError) as caught:
        build(node, opt, Horizon(epochs=2, steps_per_epoch=10))
    check(caught.value, *expected)
    assert rates(opt) == [0.1]


@pytest.mark.parametrize("case", NODES)
def test_before_the_first_update(case: str) -> None:
    node, key, *expected = NODES[case]
    module = Tiny()
    with pytest.raises(SchedulerConfigError) as caught:
        fit(LRSchedulerCallback(node), module, batches=10, max_epochs=2)
    check(caught.value, key, *expected)
    assert module.rates == []


OWN: dict[str, tuple[Callable[[], Any], str, str, str]] = {
    "a class whose signature cannot be read": (lambda: Unreadable, "schedule", "its signature cannot be read", "Wrap it"),
    "a class that says nothing of its keys": (lambda: Open, "schedule", "its signature has *args", "Name every key"),
    "a class without an optimizer": (lambda: Bare, "schedule", "takes the optimizer first", "def __init__(self, optimizer"),
    "a function that says nothing": (lambda: max, "schedule", "its signature cannot be read", "Wrap it in a function"),
    "a function of nothing": (lambda: lambda: 1.0, "schedule", "takes (t) or (t, T)", "def f(t, T, *, alpha=0.5)"),
    "a key without a default": (lambda: lambda t, *, depth: 1.0, "depth", "has no default", "defaults={'depth': ...}"),
    "a key of every schedule": (lambda: lambda t, *, cooldown=1: 1.0, "cooldown", "has this key already", "another name"),
    "what is no schedule": (lambda: 3, "schedule", "no config class, no function", "Register a SchedulerConfig"),
}  # fmt: skip


@pytest.mark.parametrize("case", OWN)
def test_when_it_is_registered(case: str) -> None:
    make, key, rule, remedy = OWN[case]
    what = make()
    with pytest.raises(SchedulerConfigError) as caught:
        register("another", what)
    assert caught.value.value in (what, None, getattr(what, "__name__", what))
    check(caught.value, key, caught.value.value, rule, remedy)
    assert "another" not in available()
