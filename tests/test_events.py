"""Real runs in which something happens: an early ending, a group that joins, updates that are skipped; against the oracle."""

from __future__ import annotations

import math
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import oracle
import pytest
import pytorch_lightning as pl
import torch
from drawn import ALONE, Case, a_run, registered, schedule
from lightning_helpers import loader, trainer
from oracle import Run, Track
from test_runs import Module, Save, Watch, expected, quiet

from lr_configs import LRSchedulerCallback, SchedulerConfigError

Due = Callable[[int], list[float]]  # the rates of an update


def uniform(rng: random.Random) -> Run:
    """A run whose epochs are alike, and end with a whole accumulation."""
    return Run(rng.choice([4, 6]), rng.choice([1, 1, 2]), rng.randint(2, 4))


def trained(case: Case, event: Any, save: Any = None, ckpt: Any = None, **limits: Any) -> Watch:
    watch = Watch(case)
    callback = LRSchedulerCallback(case.node, resume=case.policy)
    event.callback = callback
    callbacks = [watch, callback, event, *([Save(save)] if save else [])]
    limits |= {"max_epochs": case.run.epochs, "accumulate_grad_batches": case.run.accumulate}
    with quiet():
        made = trainer(*callbacks, num_sanity_val_steps=0, enable_checkpointing=bool(save), **limits)
        made.fit(Module(case), loader(case.run.batches), loader(1), ckpt_path=ckpt)
    return watch


def wrong(watch: Watch, due: Due, start: int, updates: int, rel: float = 1e-12) -> str:
    wanted = [due(update) for update in range(start, updates)]
    if len(watch.rates) != len(wanted):
        return f"{len(watch.rates)} updates, not {len(wanted)}"
    for i, (found, want) in enumerate(zip(watch.rates, wanted, strict=True)):
        if found != pytest.approx(want, rel=rel, abs=1e-15):
            return f"update {start + i}: {found}, not {want}; got {watch.rates} due {wanted}"
    return ""


# ------------------------------------------------------------------------------------------------ an early ending


@dataclass
class Ending(pl.Callback):
    """Asks for it at a moment: behind a batch, or at the beginning of an epoch."""

    at: int
    over: str
    shape: str
    hook: str
    callback: Any = None

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.hook == "batch" and trainer.global_step == self.at:
            self.ask()

    def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
        if self.hook == "epoch" and trainer.global_step == self.at:
            self.ask()

    def ask(self) -> None:
        self.callback.decay_now(self.over, self.shape)
        self.hook = ""


def ended(track: Track, at: int, over: str, shape: str) -> Due:
    """A fall from what update `at` would have been made with, to what the last one would have, or to 0."""
    steps = oracle.resolve({"name": "linear", "total_iters": over, "interval": "step"}, track.run).node["total_iters"]
    begin = track.rates(at)
    last = [
        oracle.rate(track.plan, Fraction(max(math.ceil(track.plan.end) - 1, 0)), base, i)
        for i, base in enumerate(track.bases)
    ]
    ends = [low if low < high else 0.0 for low, high in zip(last, begin, strict=True)]

    def due(update: int) -> list[float]:
        if update < at:
            return track.rates(update)
        x = min(update - at + 1, steps) / steps
        left = {"linear": 1 - x, "cosine": (1 + math.cos(math.pi * x)) / 2, "one_minus_sqrt": 1 - math.sqrt(x)}[shape]
        return [high * left + low * (1 - left) for high, low in zip(begin, ends, strict=True)]

    return due


@registered()
def check_ending(seed: int) -> list[str]:
    """A run that is ended early, and goes on with that from a checkpoint."""
    rng = random.Random(seed)
    case = Case(schedule(rng, 1), uniform(rng))
    track = expected(lambda: oracle.begin(case.node, case.run, case.bases))
    if track is None or case.node["name"] in ALONE:
        return []
    at = rng.randrange(1, case.run.updates)
    hook = "epoch" if at % case.run.updates_in(0) == 0 and rng.random() < 0.5 else "batch"
    over, shape = rng.choice(["20%", "3st", "1ep", "100%"]), rng.choice(["linear", "cosine", "one_minus_sqrt"])
    due = ended(track, at, over, shape)
    line = f"\npython tests/fuzz.py endings {seed}   # {over} {shape} from {at} ({hook}): "
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.ckpt"
        saved = rng.randrange(at, case.run.updates)
        try:
            problem = wrong(
                trained(case, Ending(at, over, shape, hook), {(saved, "batch"): path}), due, 0, case.run.updates
            )
            if not problem and saved > at:
                case.policy = rng.choice(["strict", "keep", "stretch", "restart"])
                problem = wrong(
                    trained(case, Ending(-1, "1%", "linear", ""), None, str(path)), due, saved, case.run.updates
                )
        except Exception as error:  # any is a bug
            problem = f"{type(error).__name__}: {error}"
    return [f"{line}{problem}\n    {case}"] if problem else []


# ------------------------------------------------------------------------------------------------ a group that joins


@dataclass
class Joining(pl.Callback):
    """Adds a group before an update."""

    at: int
    rate: float
    callback: Any = None

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == self.at and len(trainer.optimizers[0].param_groups) == 1:
            parameter = torch.nn.Parameter(torch.zeros(1))
            trainer.optimizers[0].add_param_group({"params": [parameter], "lr": self.rate})


def base_through(track: Track, update: int, rate: float) -> float | None:
    """The base whose curve passes through `rate` at an update; None where there is no one base."""

    def law(base: float) -> float:
        return oracle.rate(track.plan, track.position(update), base, 0)

    low, high = 1e-8, 1e8
    if law(high) < 1e-9 * high:
        return rate if law(high) == 0 and law(low) == 0 else None  # its rate is its base
    if not law(low) < rate < law(high) or law(high) < 10 * law(low):
        return None
    for _ in range(120):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if law(middle) < rate else (low, middle)
    if law(high * 1.01) < rate * 1.0001 or law(high * 0.99) > rate * 0.9999:
        return None  # too flat to tell
    return high


#: bounds per group, and formulas in which more than one base leads to the same rate
SEVERAL_BASES = ("cyclic", "one_cycle", "'1': ", "1 - base", "-base")


@registered()
def check_joining(seed: int) -> list[str]:
    """A group joins with a rate, and goes on from it."""
    rng = random.Random(seed)
    case = Case(schedule(rng, 1), uniform(rng))
    track = expected(lambda: oracle.begin(case.node, case.run, case.bases))
    text = str(case.node)
    if track is None or case.node["name"] in ALONE or any(word in text for word in SEVERAL_BASES):
        return []
    at, rate = rng.randrange(1, case.run.updates), rng.choice([0.05, 0.01])
    try:
        base = base_through(track, at, rate)
    except (ZeroDivisionError, ValueError, OverflowError):
        return []
    if base is None:
        return []

    def due(update: int) -> list[float]:
        first = track.rates(update)
        if update < at:
            return first
        position = track.position(update)
        held = position == track.position(at)  # until the first step after its arrival
        return [*first, rate if held else oracle.rate(track.plan, position, base, 0)]

    line = f"\npython tests/fuzz.py joining {seed}   # {rate} at {at}: "
    try:
        problem = wrong(trained(case, Joining(at, rate)), due, 0, case.run.updates, 1e-9)
    except Exception as error:  # any is a bug
        problem = f"{type(error).__name__}: {error}"
    return [f"{line}{problem}\n    {case}"] if problem else []


# ------------------------------------------------------------------------------------------------ skipped updates


@dataclass
class Skipping(pl.Callback):
    """Lets gradients be infinite, so that the gradient scaler skips some updates."""

    updates: set[int]
    callback: Any = None

    def on_after_backward(self, trainer: Any, module: Any) -> None:
        if trainer.global_step in self.updates:
            for parameter in module.parameters():
                parameter.grad.fill_(math.inf)


@registered()
def check_skipping(seed: int) -> list[str]:
    """Skipped updates advance nothing, and epochs go on."""
    rng = random.Random(seed)
    case = Case(schedule(rng, 1), a_run(rng))
    track = expected(lambda: oracle.begin(case.node, case.run, case.bases))
    if track is None or not isinstance(case.run.accumulate, int):
        return []
    case.run = Run(case.run.batches, case.run.accumulate, case.run.epochs or 3)
    track = expected(lambda: oracle.begin(case.node, case.run, case.bases))
    if track is None:
        return []
    skipped = {update for update in range(case.run.updates) if rng.random() < 0.25}

    def due(update: int) -> list[float]:
        lost = sum(one < update for one in skipped) if track.plan.interval == "step" else 0
        return track.rates(update - lost)

    line = f"\npython tests/fuzz.py skipping {seed}   # {sorted(skipped)}: "
    try:
        scaler = pl.plugins.MixedPrecision("16-mixed", "cpu", scaler=torch.amp.GradScaler("cpu", init_scale=2.0))
        problem = wrong(trained(case, Skipping(skipped), plugins=scaler), due, 0, case.run.updates)
    except SchedulerConfigError as error:
        problem = str(error)
    return [f"{line}{problem}\n    {case}"] if problem else []


@pytest.mark.parametrize("check", [check_ending, check_joining, check_skipping])
def test_events(check: Callable[[int], list[str]]) -> None:
    problems = [line for seed in range(20) for line in check(seed)]
    assert not problems, f"{len(problems)} runs" + "".join(problems[:10])
