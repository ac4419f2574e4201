"""Every schedule of timm's factory, step by step."""

from __future__ import annotations

import copy
import inspect
import sys
from collections.abc import Callable
from typing import Any

import mpmath
import pytest

from lr_configs import SchedulerConfigError, convert
from lr_configs.convert.from_timm import DEFAULTS, NAMES, converted
from parity.compare import agree, in_high_precision, ours, theirs

CYCLES: list[dict[str, Any]] = [
    {},
    {"min_lr": 1e-4},
    {"k_decay": 1.5},
    {"cycle_limit": 3, "cycle_decay": 0.5, "min_lr": 1e-4},
    {"cycle_limit": 3, "cycle_mul": 1.5, "cycle_decay": 0.8},
    {"cycle_limit": 2, "cycle_mul": 2.0, "k_decay": 0.7},
    {"cooldown_epochs": 4},
]
DECAYS: list[dict[str, Any]] = [{}, {"decay_fn": "cosine", "min_lr": 1e-4}, {"decay_fn": "exp", "decay_epochs": 5},
    {"decay_fn": "power"}, {"decay_fn": "linear", "stable_timescale": 3, "decay_epochs": 0.5, "min_lr": 0.0002}]  # fmt: skip
KEYS: dict[str, list[dict[str, Any]]] = {
    "cosine": CYCLES,
    "tanh": [{key: value for key, value in keys.items() if key != "k_decay"} for keys in CYCLES],
    "poly": [
        {**keys, "decay_rate": power} for keys, power in zip(CYCLES, [0.5, 2.0, 1.0, 0.1, 0.9, 1.0, 3.0], strict=True)
    ],
    "step": [{"decay_epochs": 5}, {"decay_epochs": 2.5, "decay_rate": 0.5}, {}],
    "multistep": [{"decay_milestones": [3, 9, 14]}, {"decay_milestones": [1, 6]}],
    "wsd": DECAYS,
    "rsqrt": [{"stable_timescale": 4, **keys} for keys in DECAYS],
    "constant": [{}],
}
WARMUPS: list[dict[str, Any]] = [
    {},
    {"warmup_epochs": 4},
    {"warmup_epochs": 4, "warmup_prefix": True},
    {"warmup_epochs": 3, "warmup_prefix": True, "warmup_lr": 0.0},
    {"warmup_epochs": 1, "warmup_lr": 5e-4},
]
CASES = [(name, keys) for name, several in KEYS.items() for keys in several]


def exactly(monkeypatch: Any, scheduler: Any) -> Callable[[int, int], Any]:
    """Their own function of the step, computed in high precision."""

    def high(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [high(one) for one in value]
        return mpmath.mpf(value) if type(value) is float else value

    def value(t: int, group: int) -> Any:
        other = copy.copy(scheduler)
        with monkeypatch.context() as patch:
            in_high_precision(patch, sys.modules[type(scheduler).__module__])
            vars(other).update({key: high(one) for key, one in vars(scheduler).items()})
            return other._get_lr(t)[group]

    return value


def test_every_name_and_argument_is_here(timm_scheduler: Any) -> None:
    parameters = inspect.signature(timm_scheduler.create_scheduler_v2).parameters
    defaults = {
        name: one.default for name, one in parameters.items() if name not in ("optimizer", "sched", "num_epochs")
    }
    assert defaults == DEFAULTS
    assert set(KEYS) | {"plateau", "none"} == set(NAMES)


@pytest.mark.parametrize(("epochs", "updates"), [(20, 0), (20, 3), (31, 0), (17, 7)])
@pytest.mark.parametrize("lrs", [[0.1], [0.01, 0.002]], ids=["one", "two"])
@pytest.mark.parametrize("warm", WARMUPS, ids=["none", "inside", "prefix", "zero", "high"])
@pytest.mark.parametrize(("name", "keys"), CASES, ids=[f"{name}-{i}" for i, (name, _) in enumerate(CASES)])
def test_equal_at_every_step(
    timm_scheduler: Any,
    monkeypatch: Any,
    name: str,
    keys: dict[str, Any],
    warm: dict[str, Any],
    lrs: list[float],
    epochs: int,
    updates: int,
) -> None:
    keys = {**keys, **warm, "step_on_epochs": not updates, "updates_per_epoch": updates}
    result = converted(name, epochs, keys, lrs)
    made: list[Any] = []

    def build(optimizer: Any) -> Any:
        made.extend(timm_scheduler.create_scheduler_v2(optimizer, name, epochs, **keys))
        return made[0]

    steps = int((result.epochs or 0) * max(updates, 1))
    expected = theirs(build, lrs, steps, lambda s, t: s.step_update(t) if updates else s.step(t))
    assert made[1] == result.epochs
    agree(ours(result.config, lrs, steps), expected, exactly(monkeypatch, made[0]))


def test_plateau(timm_scheduler: Any) -> None:
    keys = {"patience_epochs": 1, "decay_rate": 0.5, "plateau_mode": "min", "warmup_epochs": 3, "min_lr": 0.01}
    values = [1.0, 0.9, 0.8, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    with pytest.warns(FutureWarning):
        expected = theirs(
            lambda o: timm_scheduler.create_scheduler_v2(o, "plateau", 20, **keys)[0],
            [0.1], 12, lambda s, t: s.step(t, values[t - 1]),
        )  # fmt: skip
    config = convert.timm("plateau", 20, lr=0.1, **keys)
    config.monitor = "loss"
    # our metric of the epoch that ends the warmup counts, timm's does not
    agree(theirs(config, [0.1], 12, lambda s, t: s.step(values[t - 1] if t > 3 else None)), expected)


def test_milestones_of_timm_are_a_step_early(timm_scheduler: Any) -> None:
    """Its docstring: epochs to decay at. It decays an epoch before, and says so where it is computed."""
    rows = theirs(
        lambda o: timm_scheduler.create_scheduler_v2(o, "multistep", 10, decay_milestones=[3], decay_rate=0.1)[0],
        [1.0], 4, lambda s, t: s.step(t),
    )  # fmt: skip
    assert rows[:, 0].tolist() == pytest.approx([1, 1, 0.1, 0.1, 0.1])
    assert convert.timm("multistep", 10, decay_milestones=[3]).milestones == [2]  # type: ignore[attr-defined]


def test_noise_has_no_counterpart() -> None:
    with pytest.raises(SchedulerConfigError, match=r"noise=0.5: timm draws noise from torch's generator"):
        convert.timm("cosine", 10, noise=0.5)


@pytest.mark.parametrize("warm", WARMUPS[:3], ids=["none", "inside", "prefix"])
@pytest.mark.parametrize(("name", "keys"), CASES, ids=[f"{name}-{i}" for i, (name, _) in enumerate(CASES)])
def test_long_runs(
    timm_scheduler: Any, monkeypatch: Any, name: str, keys: dict[str, Any], warm: dict[str, Any]
) -> None:
    keys = {**keys, **warm, "step_on_epochs": False, "updates_per_epoch": 150}
    result = converted(name, 20, keys, 0.1)
    steps = int(result.epochs or 0) * 150
    made: list[Any] = []

    def build(optimizer: Any) -> Any:
        made.extend(timm_scheduler.create_scheduler_v2(optimizer, name, 20, **keys))
        return made[0]

    expected = theirs(build, [0.1], steps, lambda s, t: s.step_update(t))
    agree(ours(result.config, [0.1], steps), expected, exactly(monkeypatch, made[0]))
