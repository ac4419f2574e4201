"""Real runs, drawn at random, against the oracle: every update's rate, also after resuming in every way.

A seed is a first run, checkpoints at a few of its updates, and runs that go on from them. ``make fuzz`` draws more;
``python tests/fuzz.py runs SEED`` repeats one.
"""

from __future__ import annotations

import contextlib
import math
import random
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import oracle
import pytest
import pytorch_lightning as pl
from drawn import ALONE, POLICIES, Case, a_run, change, registered, schedule
from lightning_helpers import Tiny, loader, trainer
from oracle import Refused, Run

import lr_configs
from lr_configs import LRSchedulerCallback, SchedulerConfigError
from lr_configs.config import COMMON, own_keys
from lr_configs.registry import parse
from lr_configs.schedules import BUILT_IN

# ------------------------------------------------------------------------------------------------ how it is run


class Watch(pl.Callback):
    """Records epoch, rates and momentum of every update, and edits rates by hand."""

    def __init__(self, case: Case) -> None:
        self.case, self.edited = case, set[int]()
        self.epochs: list[int] = []
        self.rates: list[list[float]] = []
        self.momenta: list[float | None] = []

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        at = trainer.global_step
        if at in self.case.edits and at not in self.edited:
            self.edited.add(at)
            for group, ratio in zip(trainer.optimizers[0].param_groups, self.case.edits[at], strict=True):
                group[self.case.param] *= ratio

    def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
        self.epochs.append(trainer.current_epoch)
        self.rates.append([float(group[self.case.param]) for group in optimizer.param_groups])
        self.momenta.append(optimizer.param_groups[0].get("momentum"))


class Save(pl.callbacks.Checkpoint):
    """Writes a checkpoint at chosen moments: ``(updates, "batch" | "validation" | "epoch" | "end")`` -> path."""

    def __init__(self, at: dict[tuple[int, str], Path]) -> None:
        self.at = at

    def _save(self, trainer: Any, moment: str) -> None:
        path = self.at.get((trainer.global_step, moment))
        if path is not None and not trainer.sanity_checking and not path.exists():
            trainer.save_checkpoint(path)

    def on_train_batch_end(self, trainer: Any, *args: Any) -> None:
        self._save(trainer, "batch")

    def on_validation_end(self, trainer: Any, module: Any) -> None:
        self._save(trainer, "validation")

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        self._save(trainer, "epoch")

    def on_train_end(self, trainer: Any, module: Any) -> None:
        self._save(trainer, "end")


class Module(Tiny):
    """Builds its own schedule where the case says so."""

    def __init__(self, case: Case) -> None:
        super().__init__(case.lr if case.param == "lr" else 0.1, case.groups, momentum=0.9)
        self.case = case

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        pass

    def configure_optimizers(self) -> Any:
        optimizer = super().configure_optimizers()
        if self.case.param == "weight_decay":
            for group in optimizer.param_groups:
                group["weight_decay"] = self.case.lr
        node = {**self.case.node, "param": self.case.param}
        if self.case.way == "helper":
            return lr_configs.lightning(node, optimizer, self.trainer)
        if self.case.way == "module":
            scheduler = lr_configs.build(node, optimizer)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "epoch"}}
        return optimizer


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", message=".*call of `(lr_scheduler|optimizer).step.*")
        yield


def run_it(case: Case, ckpt: Path | None = None, save: dict[tuple[int, str], Path] | None = None) -> Watch:
    """Train; what happened is in the watch."""
    run, watch = case.run, Watch(case)
    node = {**case.node, "param": case.param} if case.way == "callback" else None
    callbacks: list[Any] = [watch]
    if case.way != "bare":
        callbacks.append(LRSchedulerCallback(node, resume=case.policy))
    limits: dict[str, Any] = {"max_epochs": run.epochs or -1, "max_steps": run.max_steps or -1}
    limits["enable_checkpointing"] = bool(save)
    if isinstance(run.accumulate, dict):
        callbacks.append(pl.callbacks.GradientAccumulationScheduler(run.accumulate))
    else:
        limits["accumulate_grad_batches"] = run.accumulate
    if save:
        callbacks.append(Save(save))
    with quiet():
        made = trainer(*callbacks, num_sanity_val_steps=0, **limits)
        made.fit(Module(case), loader(run.batches), loader(1), ckpt_path=str(ckpt) if ckpt else None)
    return watch


# ------------------------------------------------------------------------------------------------ the comparison


def same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-12, abs_tol=2e-16)


def compare(case: Case, track: oracle.Track | None, ckpt: Path | None, save: Any) -> str:
    """Run a case; what is wrong with it, or nothing."""
    try:
        watch = run_it(case, ckpt, save)
    except SchedulerConfigError as error:
        if len(str(error).splitlines()) > 3:
            return f"a message of {len(str(error).splitlines())} lines: {error}"
        if track is not None and not track.doubtful:
            return f"refused, but has an answer: {str(error)!r}"
        return ""
    except Exception as error:  # any other one is a bug, and is reported with its case
        return f"{type(error).__name__}: {error}"
    if track is None:
        return f"runs, but should be refused: {[r[0] for r in watch.rates]}"
    epochs = [track.run.epoch_of(update) for update in range(case.start, track.run.updates)]
    if watch.epochs != epochs:
        if run_it(replace(case, way="bare", edits={}), ckpt).epochs == watch.epochs:
            return ""  # Lightning itself counts so: nothing is known of what should be
        return f"the updates were made in the epochs {watch.epochs}, not {epochs}"
    for i, (found, due) in enumerate(zip(watch.rates, track.trace(case.start), strict=True)):
        for group, (one, other) in enumerate(zip(found, due, strict=True)):
            if not same(one, other) and not track.doubtful:
                shown = [round(r[group], 6) for r in watch.rates]
                wanted = [round(r[group], 6) for r in track.trace(case.start)]
                return f"update {case.start + i} group {group}: {one!r}, not {other!r}; got {shown} due {wanted}"
    if case.param == "lr" and not track.doubtful:
        cycles = track.plan.node.get("cycle_momentum")
        due_momenta = track.momenta(case.start) if cycles else [None if track.plan.stages else 0.9] * len(epochs)
        for i, (have, want) in enumerate(zip(watch.momenta, due_momenta, strict=True)):
            if want is not None and have is not None and not same(have, want):
                return f"momentum at update {case.start + i}: {have}, not {want}"
    return ""


def expected(make: Any) -> oracle.Track | None:
    try:
        return make()  # type: ignore[no-any-return]
    except Refused:
        return None


def moments(run: Run, update: int, rng: random.Random) -> str:
    """A moment after `update` at which a checkpoint can be written."""
    ends_epoch = run.epochs_at(oracle.Fraction(update)).denominator == 1
    if isinstance(run.accumulate, dict):
        # Lightning forgets the accumulation of an epoch that it resumes in the middle of
        return "epoch" if ends_epoch else ""
    if ends_epoch and update == run.updates:
        return rng.choice(["batch", "validation", "epoch", "end"])
    return rng.choice(["batch", "validation", "epoch"]) if ends_epoch else "batch"


def draw_edits(rng: random.Random, track: oracle.Track, start: int) -> oracle.Edits:
    """A hand edit where the rate is not 0 (of what is 0 no ratio can be taken)."""
    update = rng.randrange(start, track.run.updates)
    if any(abs(r) < 1e-9 for r in track.rates(update)):
        return {}
    return {update: [rng.choice([0.5, 0.5, 2.0, 1.0]) for _ in track.bases]}


def describe(seed: int, step: str, problem: str, case: Case) -> str:
    return f"\npython tests/fuzz.py runs {seed}   # {step}: {problem}\n    {case}"


@registered()
def check(seed: int, ways: tuple[str, ...] = ("callback", "callback", "helper", "module")) -> list[str]:
    """One first run and the runs that go on from it; a list of what is wrong."""
    rng = random.Random(seed)
    groups = rng.choice([1, 1, 2])
    run = a_run(rng)
    param = "weight_decay" if rng.random() < 0.08 else "lr"
    case = Case(schedule(rng, groups), run, groups=groups, way=rng.choice(ways), param=param)
    if "cyclic" in str(case.node) or "one_cycle" in str(case.node) or case.node["name"] in ALONE:
        case = replace(case, param="lr")
    track = expected(lambda: oracle.begin(case.node, run, case.bases))
    if track is not None and rng.random() < 0.3:
        case.edits = draw_edits(rng, track, 0)
        track = oracle.begin(case.node, run, case.bases, case.edits)
    problems: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        save: dict[tuple[int, str], Path] = {}
        if track is not None:
            for _ in range(2):
                update = rng.randint(1, run.updates)
                moment = moments(run, update, rng)
                save |= {(update, moment): Path(folder) / f"{len(save)}.ckpt"} if moment else {}
        problem = compare(case, track, None, save)
        if problem:
            return [describe(seed, "first run", problem, case)]
        for (update, moment), path in save.items():
            for _ in range(3):
                problems += go_on(rng, seed, case, track, path, update, moment, 0)
            if rng.random() < 0.2:
                problems += from_elsewhere(rng, seed, case, update, moment, path)
    return problems


def from_elsewhere(rng: random.Random, seed: int, case: Case, update: int, moment: str, path: Path) -> list[str]:
    """The same, but from a checkpoint that the package has not written."""
    path = path.with_name(f"foreign-{path.name}")
    run_it(replace(case, way="bare", edits={}), None, {(update, moment): path})
    new = replace(case, start=update, edits={}, policy=rng.choice(POLICIES))
    if new.run.updates <= update:
        return []
    later = expected(lambda: oracle.foreign(new.node, new.run, new.bases, new.policy, update))
    problem = compare(new, later, path, None)
    step = f"{new.policy} from update {update} ({moment}) of a run without the package"
    return [describe(seed, step, problem, new)] if problem else []


def go_on(
    rng: random.Random, seed: int, case: Case, track: Any, path: Path, update: int, moment: str, depth: int
) -> list[str]:
    """Resume a case, changed or not; and resume what has gone on so once more."""
    new = replace(change(rng, case), start=update)
    if moment in ("epoch", "end") and isinstance(new.run.accumulate, int) and rng.random() < 0.1:
        new.run = replace(new.run, accumulate=rng.choice([1, 2, 3]))
    if new.run.after(track.run, update).updates <= update or track.doubtful:
        return []
    later = expected(lambda: oracle.resume(track, new.node, new.run, new.bases, new.policy, update, case.edits))
    if later is not None and (later.run.updates <= update or later.doubtful):
        return []
    if later is not None and any(abs(r) < 1e-9 for at in case.edits if at >= update for r in later.rates(at)):
        return []  # an edit of 0 has no ratio
    save = {}
    if later is not None and depth < 1 and rng.random() < 0.5 and later.run.updates - update > 1:
        at = rng.randint(update + 1, later.run.updates)
        when = moments(later.run, at, rng)
        save |= {(at, when): path.with_name(f"{path.stem}-{rng.random()}.ckpt")} if when else {}
    problem = compare(new, later, path, save)
    if problem:
        step = f"{new.policy} from update {update} ({moment}) of {case}"
        return [describe(seed, step, problem, new)]
    problems: list[str] = []
    for (at, when), written in save.items():
        if written.exists():  # not where Lightning counts epochs in a way of its own
            problems += go_on(rng, seed, new, later, written, at, when, depth + 1)
    return problems


@pytest.mark.parametrize("block", [*range(4), *(pytest.param(block, marks=pytest.mark.slow) for block in range(4, 8))])
def test_runs_and_resumes(block: int) -> None:
    problems = [line for seed in range(block * 20, block * 20 + 20) for line in check(seed)]
    assert not problems, "".join(problems)


def test_the_oracle_knows_every_schedule_and_every_key() -> None:
    """With the same defaults; what is drawn nowhere is named here."""
    undrawn = {"cyclic": {"scale_fn", "scale_mode"}, "one_cycle": {"epochs", "steps_per_epoch"}}
    for config in BUILT_IN:
        name = config.__dataclass_fields__["name"].default
        defaults = {key: value for key, value in config().to_dict().items() if key in own_keys(config)}
        shown = {key: value for key, value in defaults.items() if key not in undrawn.get(name, ())}
        assert set(shown) == set(oracle.DEFAULTS[name]), name
        assert config.arrangement is not None or shown == oracle.DEFAULTS[name], name
    common = {key: value for key, value in parse("none").to_dict().items() if key in COMMON}
    left = {"_target_", "name", "param", "verbose", "last_epoch"}
    assert {key: value for key, value in common.items() if key not in left} == oracle.COMMON
