"""Every schedule of transformers' get_scheduler, step by step."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import mpmath
import pytest

from lr_configs import SchedulerConfigError, convert
from lr_configs.convert.from_transformers import NAMES
from parity.compare import Rates, agree, in_high_precision, ours, theirs

#: name -> its own arguments
KEYS: dict[str, list[dict[str, Any]]] = {
    "linear": [{}],
    "cosine": [{}, {"num_cycles": 1.5}, {"num_cycles": 0.7}],
    "cosine_with_restarts": [{}, {"num_cycles": 3}, {"num_cycles": 2.5}],
    "polynomial": [{}, {"lr_end": 0.001, "power": 2.0}, {"lr_end": 0, "power": 0.5}],
    "constant": [{}],
    "constant_with_warmup": [{}],
    "inverse_sqrt": [{}, {"timescale": 20}],
    "cosine_with_min_lr": [{"min_lr": 0.003}, {"min_lr_rate": 0.25, "num_cycles": 1.3}, {"min_lr": 0}],
    "cosine_warmup_with_min_lr": [
        {"min_lr_rate": 0.1},
        {"min_lr": 0.01, "warmup_lr_rate": 0.2},
        {"min_lr": 0, "num_cycles": 0.7},
    ],
    "warmup_stable_decay": [
        {"num_decay_steps": 20, "warmup_type": rise, "decay_type": fall, **more}
        for rise, fall in (("linear", "cosine"), ("cosine", "linear"), ("1-sqrt", "1-sqrt"))
        for more in ({}, {"min_lr_ratio": 0.1}, {"num_stable_steps": 5, "num_cycles": 0.8})
    ],
}
CASES = [(name, keys) for name, several in KEYS.items() for keys in several]


def stepped(
    get_scheduler: Any, name: str, lrs: list[float], warmup: int, steps: int, keys: dict[str, Any]
) -> tuple[Any, Rates]:
    """Their scheduler and its rates, also a little beyond the run."""
    made: list[Any] = []

    def build(optimizer: Any) -> Any:
        made.append(get_scheduler(name, optimizer, warmup, steps, keys))
        return made[0]

    rows = theirs(build, lrs, steps + 10, lambda s, t: s.step())
    return made[0], rows


def exactly(monkeypatch: Any, scheduler: Any) -> Callable[[int, int], Any]:
    """Their own function of the step, computed in high precision."""

    def value(t: int, group: int) -> Any:
        with monkeypatch.context() as patch:
            in_high_precision(patch, importlib.import_module("transformers.optimization"))
            return mpmath.mpf(scheduler.base_lrs[group]) * scheduler.lr_lambdas[group](t)

    return value


def test_every_name_is_here() -> None:
    assert set(KEYS) | {"reduce_lr_on_plateau", "greedy"} == set(NAMES)


def test_every_name_of_the_library_is_here(get_scheduler: Any) -> None:
    types = importlib.import_module("transformers.trainer_utils").SchedulerType
    assert {one.value for one in types} == set(NAMES)


@pytest.mark.filterwarnings("ignore:Both num_training_steps and num_stable_steps")
@pytest.mark.parametrize(("warmup", "steps"), [(0, 40), (1, 41), (2, 50), (7, 100), (30, 333)])
@pytest.mark.parametrize("lrs", [[0.1], [3e-4, 0.02]], ids=["one", "two"])
@pytest.mark.parametrize(("name", "keys"), CASES, ids=[f"{name}-{i}" for i, (name, _) in enumerate(CASES)])
def test_equal_at_every_step(
    get_scheduler: Any,
    monkeypatch: Any,
    name: str,
    keys: dict[str, Any],
    lrs: list[float],
    warmup: int,
    steps: int,
) -> None:
    keys = {key: value * lrs[0] if key in ("min_lr", "lr_end") else value for key, value in keys.items()}
    if name == "polynomial" and not keys:
        keys = {"lr_end": 1e-7}
    config = convert.transformers(name, warmup, steps, keys, lr=lrs[0])
    made, expected = stepped(get_scheduler, name, lrs, warmup, steps, keys)
    agree(ours(config, lrs, steps + 10), expected, exactly(monkeypatch, made))


def test_plateau(get_scheduler: Any) -> None:
    keys = {"patience": 1, "factor": 0.5, "min_lr": 0.01}
    config = convert.transformers("reduce_lr_on_plateau", scheduler_specific_kwargs=keys)
    values = iter([1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5] * 2)
    expected = theirs(
        lambda optimizer: get_scheduler("reduce_lr_on_plateau", optimizer, scheduler_specific_kwargs=keys),
        [0.1], 10, lambda s, t: s.step(next(values)),
    )  # fmt: skip
    config.monitor = "loss"
    again = theirs(config, [0.1], 10, lambda s, t: s.step(next(values)))
    agree(again, expected)


def test_a_decay_that_does_not_fit(get_scheduler: Any) -> None:
    """Transformers' own page: three stages. It never reaches the rate; ours refuses."""
    keys = {"num_decay_steps": 8}
    rows = theirs(lambda o: get_scheduler("warmup_stable_decay", o, 5, 10, keys), [1.0], 12, lambda s, t: s.step())
    assert rows.max() <= 0.8
    with pytest.raises(SchedulerConfigError, match="num_decay_steps=8: warmup and decay take 3 steps more"):
        convert.transformers("warmup_stable_decay", 5, 10, keys)


@pytest.mark.filterwarnings("ignore:Both num_training_steps and num_stable_steps")
@pytest.mark.parametrize(("name", "keys"), CASES, ids=[f"{name}-{i}" for i, (name, _) in enumerate(CASES)])
def test_long_runs(get_scheduler: Any, monkeypatch: Any, name: str, keys: dict[str, Any]) -> None:
    keys = {"lr_end": 1e-7} if name == "polynomial" and not keys else keys
    config = convert.transformers(name, 500, 5000, keys, lr=0.1)
    made, expected = stepped(get_scheduler, name, [0.1], 500, 5000, keys)
    agree(ours(config, [0.1], 5010), expected, exactly(monkeypatch, made))


def test_long_runs_differ_by_the_others_rounding(get_scheduler: Any, monkeypatch: Any) -> None:
    """At the last updates of 20000 the two differ by more than 1e-9 of the rate: ours is right to 1e-14, theirs is not."""
    steps = 20000
    made, expected = stepped(get_scheduler, "cosine", [0.1], 0, steps, {})
    mine = ours(convert.transformers("cosine", 0, steps), [0.1], steps + 10)
    assert 10 < agree(mine, expected, exactly(monkeypatch, made)) < steps / 20
    with mpmath.workdps(50):
        exact = mpmath.mpf(0.1) * (1 + mpmath.cos(mpmath.pi * (steps - 1) / steps)) / 2
        errors = [float(abs(mpmath.mpf(float(one[-12, 0])) / exact - 1)) for one in (mine, expected)]
    assert errors[0] < 1e-14
    assert errors[1] > 1e-10
