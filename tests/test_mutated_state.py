"""Damage: checkpoints and configs with one value changed give an exact continuation or a clear error, and nothing else.

Every mutation of a checkpoint is resumed by a real trainer (10 ms each). A clear error is a SchedulerConfigError, or a plain
ValueError; a KeyError, a TypeError or another curve than the uninterrupted run's is a failure.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import math
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import oracle
import pytest
import torch
from drawn import CLASS, FUNCTION, Case, registered
from oracle import Run
from test_runs import run_it

import lr_configs
from lr_configs import Horizon, SchedulerConfigError

RUN = Run(batches=5, epochs=4)
NODES: dict[str, dict[str, Any]] = {
    "cosine": {"name": "cosine", "interval": "step", "warmup": 3, "eta_min": 0.001},
    "cosine by epoch": {"name": "cosine", "T_max": "100%", "interval": "epoch"},
    "step": {"name": "step", "step_size": 2, "gamma": 0.5, "interval": "step", "frequency": 3},
    "multi_step": {"name": "multi_step", "milestones": ["5st", "9st", "14st"], "gamma": 0.5},
    "linear": {"name": "linear", "start_factor": 0.1, "total_iters": "80%"},
    "constant": {"name": "constant", "factor": 0.5, "total_iters": "50%"},
    "polynomial": {"name": "polynomial", "total_iters": "100%", "power": 2.0},
    "exponential": {"name": "exponential", "gamma": 0.9},
    "lambda": {"name": "lambda", "lr_lambda": "1 / (1 + t)", "interval": "step"},
    "multiplicative": {"name": "multiplicative", "lr_lambda": "0.95", "interval": "step"},
    "restarts": {"name": "cosine_warm_restarts", "T_0": "20%", "T_mult": 2},
    "cyclic": {"name": "cyclic", "step_size_up": 4, "mode": "triangular2", "base_lr": 0.01},
    "one_cycle": {"name": "one_cycle", "max_lr": 0.5},
    "none": {"name": "none", "warmup": "40%"},
    "sequential": {
        "name": "sequential",
        "stages": {
            "up": {"name": "linear", "start_factor": 0.1, "total_iters": "100%", "length": "20%"},
            "down": {"name": "cosine"},
        },
    },
    "chained": {
        "name": "chained",
        "stages": {"a": {"name": "exponential", "gamma": 0.95}, "b": {"name": "cosine", "T_max": "100%"}},
    },
    "wsd": {
        "name": "warmup_stable_decay",
        "decay": "30%",
        "decay_shape": "1-sqrt",
        "warmup": 2,
        "warmup_overlap": "continuous",
    },
    "noam": {"name": "noam", "warmup_steps": "20%", "d_model": 16, "cooldown": "10%"},
    "piecewise": {"name": "piecewise", "points": [[0, 0.1], ["1ep", 1.0], ["3ep", 0.2]], "eta_min": "1%"},
    "exp_hyperbolic": {"name": "exp_hyperbolic", "eta_min": 0.001},
    "restarts that end": {"name": "cosine_warm_restarts", "T_0": 3, "T_mult": 1.5, "restart_decay": 0.5, "cycles": 4},
    "k-decay": {"name": "cosine", "k": 1.5, "power": 2, "cycles": 1.5, "interval": "step"},
    "staircase": {"name": "exponential", "gamma": 0.5, "decay_period": "4st", "staircase": True, "eta_min": 0.002},
    "of the base": {"name": "lambda", "lr_lambda": "max(0.9 ** t, 0.005 / base)", "interval": "step"},
    "function": {"name": FUNCTION, "depth": 0.3, "start": "2ep"},
    "class": {"name": CLASS, "interval": "step"},
    "plateau": {
        "name": "reduce_on_plateau",
        "monitor": "train_loss",
        "patience": 0,
        "factor": 0.5,
        "threshold": 1e9,
        "threshold_mode": "abs",
    },
}
SAVED_AT = 12

# ------------------------------------------------------------------------------------------------ mutations

Path_ = tuple[Any, ...]


def places(data: Any, path: Path_ = ()) -> list[Path_]:
    """Every place in nested plain data."""
    found = [path] if path else []
    if isinstance(data, dict):
        for key in data:
            found += places(data[key], (*path, key))
    elif isinstance(data, (list, tuple)):
        for i, value in enumerate(data):
            found += places(value, (*path, i))
    return found


def at(data: Any, path: Path_) -> Any:
    return functools.reduce(lambda inner, key: inner[key], path, data)


DELETE = object()


def values(rng: random.Random, old: Any, data: Any) -> Any:
    """What to put in the place of `old`."""
    choices = [DELETE, DELETE, math.nan, math.inf, -1, 0, None, "x", [], {}, True, 1e300, -0.5]
    if isinstance(old, (int, float)) and not isinstance(old, bool):
        choices += [old + 1, old + 1, -old, old * 2, str(old), [old]]
    elif isinstance(old, (list, tuple)) and old:
        choices += [list(old)[:-1], [*old, old[0]], list(old)[::-1], old[0]]
    elif isinstance(old, str):
        choices += [old + "s", old.upper(), old[:-1]]
    elif isinstance(old, dict) and old:
        choices += [dict(list(old.items())[1:]), list(old)]
    elif isinstance(old, bool):
        choices += [not old] * 3
    other = at(data, rng.choice(places(data)))  # swapped with a neighbour
    return rng.choice([*choices, other, other])


def put(data: Any, path: Path_, value: Any) -> None:
    parent = at(data, path[:-1])
    if isinstance(parent, tuple):
        put(data, path[:-1], [value if i == path[-1] else v for i, v in enumerate(parent)])
    elif value is DELETE:
        del parent[path[-1]]
    else:
        parent[path[-1]] = copy.deepcopy(value)


# ------------------------------------------------------------------------------------------------ checkpoints


@functools.cache
def checkpoint(name: str) -> tuple[Any, list[list[float]]]:
    """A checkpoint in the middle of a run with a hand edit in it, and the rates of the rest of that run."""
    groups = 2 if name in ("cosine", "chained", "exp_hyperbolic", "of the base", "class") else 1
    case = Case(NODES[name], RUN, groups=groups, edits={} if name == "plateau" else {6: [0.5] * groups})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.ckpt"
        watch = run_it(case, None, {(SAVED_AT, "batch"): path})
        return torch.load(path, weights_only=True), watch.rates[SAVED_AT:]


def ours(saved: Any) -> str:
    return next(key for key in saved["callbacks"] if "LRSchedulerCallback" in key)


def mutate(rng: random.Random, name: str) -> tuple[Any, str]:
    """A damaged copy, and what was done to it."""
    saved = copy.deepcopy(checkpoint(name)[0])
    parts = {"callbacks": saved["callbacks"][ours(saved)], "lr_schedulers": saved["lr_schedulers"]}
    part = rng.choice(["callbacks", "lr_schedulers"])
    path = rng.choice(places(parts[part]))
    old = copy.deepcopy(at(parts[part], path))
    new = values(rng, old, parts[part])
    put(parts[part], path, new)
    what = "deleted" if new is DELETE else f"{old!r} -> {new!r}"
    return saved, f"{part}{''.join(f'[{key!r}]' for key in path)} {what}"


def restarted(name: str, groups: int) -> list[list[float]] | None:
    if name == "plateau":
        return None
    case = Case(NODES[name], RUN, groups=groups)
    plan = oracle.resolve(case.node, RUN, SAVED_AT)
    return oracle.Track(plan, case.bases, RUN, None, origin=SAVED_AT).trace(SAVED_AT)


@registered()
def check(seed: int) -> list[str]:
    """One mutation of one checkpoint; what is wrong."""
    rng = random.Random(seed)
    name = rng.choice(list(NODES))
    policy = rng.choice(["strict", "strict", "strict", "keep", "stretch", "restart"])
    saved, what = mutate(rng, name)
    due = checkpoint(name)[1]
    groups = len(due[0])
    line = f"\npython tests/fuzz.py mutations {seed}   # {name}, {policy}: {what}: "
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.ckpt"
        torch.save(saved, path)
        try:
            rates = run_it(Case(NODES[name], RUN, groups=groups, policy=policy), path).rates
        except SchedulerConfigError as error:
            return [f"{line}more than three lines: {error}"] if len(str(error).splitlines()) > 3 else []
        except Exception as error:
            return [] if type(error) is ValueError else [f"{line}{type(error).__name__}: {error}"]
    if all(a == pytest.approx(b, rel=1e-12) for a, b in zip(rates, due, strict=True)):
        return []
    if policy == "restart":
        anew = restarted(name, groups)
        if anew is None or all(a == pytest.approx(b, rel=1e-12) for a, b in zip(rates, anew, strict=True)):
            return []
    return [f"{line}silently {[round(r[0], 5) for r in rates]}, not {[round(r[0], 5) for r in due]}"]


@pytest.mark.parametrize("block", [*range(4), *(pytest.param(block, marks=pytest.mark.slow) for block in range(4, 8))])
def test_damaged_checkpoints(block: int) -> None:
    problems = [line for seed in range(block * 200, block * 200 + 200) for line in check(seed)]
    assert not problems, f"{len(problems)} mutations" + "".join(problems[:12])


@pytest.mark.parametrize("name", NODES)
@registered()
def test_an_undamaged_checkpoint_goes_on(name: str, tmp_path: Path) -> None:
    """The test of the test: without a mutation, every policy gives the uninterrupted run's rates."""
    saved, due = checkpoint(name)
    torch.save(saved, tmp_path / "a.ckpt")
    for policy in ("strict", "keep", "stretch", "restart"):
        assert run_it(Case(NODES[name], RUN, groups=len(due[0]), policy=policy), tmp_path / "a.ckpt").rates == due


# ------------------------------------------------------------------------------------------------ configs

HORIZON = Horizon(epochs=4, steps_per_epoch=5)
WORDS = [
    math.nan, math.inf, -math.inf, -1, 0, 0.0, 1, 2, 0.5, 1.5, 1e-320, 1e300, 10**400, None, True, False, "", "x", "1e400", "%",
    "1e99999999%", "9" * 5000, "10 %", "0%", "100%", "101%", "1e-9%", "-5%", "3ep", "0.001ep", "3 st", "nan", "inf%", "1e5st",
    [], [1], [1, 1], [3, 2], ["10%", "20%"], {}, {"a": 1}, {"0": 0.001}, {"x": 1}, [None], [[1]], (1, 2), object(), b"1", 1j,
    np.float64(0.1), np.int64(3), np.array([1, 2]), np.nan, "lambda t: t", "1/t", "t - 5", "0*t", "2**t", "exp(t)", "-1", "x",
]  # fmt: skip


def mutated_config(rng: random.Random) -> tuple[Any, str]:
    name = rng.choice(list(NODES))
    node: dict[str, Any] = copy.deepcopy({**oracle.filled(NODES[name])})
    node = {k: v for k, v in node.items() if v is not None}
    for _ in range(rng.choice([1, 1, 1, 2])):
        path = rng.choice(places(node))
        value = rng.choice(WORDS) if rng.random() < 0.8 else values(rng, at(node, path), node)
        put(node, path, value)
        if not node:
            break
    return node, repr(node)[:600]


@registered()
def check_config(seed: int) -> list[str]:
    """A config with a value or two replaced: an error, or rates that are finite and the same from both sides."""
    rng = random.Random(seed)
    node, what = mutated_config(rng)
    line = f"\npython tests/fuzz.py configs {seed}   # {what}: "
    began = time.monotonic()
    rates: list[float] = []
    try:
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9, weight_decay=0.1)
        scheduler = lr_configs.build(node, optimizer, HORIZON)
        param = scheduler_param(node)
        driven = param == "lr"
        for _ in range(20):
            rates.append(float(optimizer.param_groups[0]["lr"]))
            optimizer.step()
            if node.get("name") == "reduce_on_plateau":
                scheduler.step(1.0)
            else:
                scheduler.step()
        if not all(math.isfinite(rate) and rate >= 0 for rate in rates):
            return [f"{line}accepted, and gives {rates}"]
        if node.get("name") not in ("reduce_on_plateau", CLASS) and driven and node.get("last_epoch", -1) == -1:
            curve = lr_configs.curve(node, 0.1, HORIZON)
            if curve.tolist() != pytest.approx(rates[: len(curve)], rel=1e-12, abs=1e-300):
                return [f"{line}build gives {rates}, curve {curve.tolist()}"]
    except SchedulerConfigError as error:
        if len(str(error).splitlines()) > 3 or len(str(error)) > 2000:
            return [f"{line}a message of {len(str(error))} characters: {str(error)[:200]}"]
    except Exception as error:
        return [f"{line}{type(error).__name__}: {error}"]
    if time.monotonic() - began > 2:
        return [f"{line}took {time.monotonic() - began:.1f} s"]
    return []


def scheduler_param(node: dict[str, Any]) -> str:
    param = node.get("param", "lr")
    return param if isinstance(param, str) else "lr"


@pytest.mark.parametrize("block", range(4))
def test_damaged_configs(block: int) -> None:
    problems = [line for seed in range(block * 1000, block * 1000 + 1000) for line in check_config(seed)]
    assert not problems, f"{len(problems)} configs" + "".join(problems[:12])


@pytest.mark.parametrize("word", WORDS, ids=lambda word: repr(word)[:20])
def test_odd_words_for_the_run(word: Any) -> None:
    """Horizon and base rate take numbers, and refuse the rest by name."""
    for make in (
        lambda: Horizon(epochs=word),
        lambda: Horizon(steps=word),
        lambda: Horizon(epochs=4, steps_per_epoch=word),
        lambda: lr_configs.curve({"name": "step", "step_size": 2}, word, HORIZON),
    ):
        with contextlib.suppress(SchedulerConfigError):
            made = make()
            assert isinstance(made, Horizon) or (np.isfinite(made).all() and (made >= 0).all()), (word, made)
