"""What a fit announces is what it trains, wherever Lightning goes on: killed behind any checkpoint, again and again.

Lightning does not always go on where a checkpoint lies: epochs and batches come again or are left out. The updates that a
trainer really makes, and the last rate of them, are compared with the line at its start.
"""

from __future__ import annotations

import contextlib
import io
import random
import re
import tempfile
import warnings
from pathlib import Path
from typing import Any

import pytest
from lightning_helpers import Tiny, loader, trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from lr_configs import LRSchedulerCallback

NODES: list[dict[str, Any]] = [
    {"name": "cosine", "interval": "step"},
    {"name": "cosine"},
    {"name": "step", "step_size": 1, "gamma": 0.7},
    {"name": "exponential", "gamma": 0.95, "interval": "step"},
    {"name": "polynomial", "interval": "step", "warmup": "10%"},
]
LIMITS: list[dict[str, Any]] = [
    {"max_epochs": 4},
    {"max_epochs": 4, "max_steps": 17},
    {"max_epochs": -1, "max_steps": 19},
    {"max_epochs": 3, "val_check_interval": 0.5},
    {"max_epochs": 3, "val_check_interval": 2},
    {"max_epochs": 3, "limit_train_batches": 0.5},
]
SAVES: list[dict[str, Any]] = [
    {"every_n_train_steps": 1},
    {"every_n_train_steps": 2},
    {"every_n_train_steps": 3},
    {"save_on_train_epoch_end": True},
    {"save_on_train_epoch_end": False},
]


class Killed(Exception):
    """The end of a life."""


class Save(ModelCheckpoint):
    """Dies behind so many checkpoints, or before the last of them is written."""

    def __init__(self, folder: Path, after: int | None, whole: bool, **kwargs: Any) -> None:
        super().__init__(folder, save_last=True, save_top_k=1, **kwargs)
        self.after, self.whole = after, whole

    def _save_checkpoint(self, run: Any, filepath: str) -> None:
        self.after = None if self.after is None else self.after - 1
        if self.after == 0 and not self.whole:
            raise Killed
        super()._save_checkpoint(run, filepath)
        if self.after == 0:
            raise Killed


def draw(seed: int) -> dict[str, Any]:
    """A schedule, a run, its checkpoints, and behind how many of them each life ends."""
    rng = random.Random(seed)
    limits = rng.choice(LIMITS)
    return {
        "node": rng.choice(NODES),
        "limits": limits,
        "save": rng.choice(SAVES),
        "batches": rng.choice([4, 12] if "limit_train_batches" in limits else [4, 5, 12]),
        "accumulate": rng.choice([1, 1, 2, 3]),
        "policy": rng.choice(["strict", "keep", "stretch"]),
        "validates": "val_check_interval" in limits or rng.random() < 0.7,
        "lives": [(rng.randint(1, 14), rng.random() < 0.7) for _ in range(rng.randint(1, 4))],
    }


def life(job: dict[str, Any], folder: Path, after: int | None, whole: bool) -> tuple[str, list[float], int, int]:
    """What is said, the rates, and the updates before and behind the fit."""
    last = folder / "last.ckpt"
    callback = LRSchedulerCallback(job["node"], resume=job["policy"])
    save = Save(folder, after, whole, **job["save"])
    made = trainer(callback, save, accumulate_grad_batches=job["accumulate"], **job["limits"])
    module, said = Tiny(), io.StringIO()
    data = (loader(job["batches"]), loader(2) if job["validates"] else None)
    with contextlib.redirect_stdout(said), contextlib.suppress(Killed), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no validation; a loader that does not go on where it was
        made.fit(module, *data, ckpt_path=str(last) if last.exists() else None)
    return said.getvalue(), module.rates, made.global_step - len(module.rates), made.global_step


def check(seed: int) -> list[str]:
    """One job with its lives; what is wrong."""
    job = draw(seed)
    line = f"\npython tests/fuzz.py places {seed}   # {job}: "
    with tempfile.TemporaryDirectory() as folder:
        try:
            lives = [life(job, Path(folder), after, whole) for after, whole in job["lives"]]
            said, rates, _, updates = life(job, Path(folder), None, True)
        except Exception as error:
            # Lightning's own, where its count of the epochs has passed max_epochs
            return [] if "You restored a checkpoint with current_epoch" in str(error) else [f"{line}{error!r}"]
    if not rates:
        return []
    announced, last = re.search(r"\| (\d+) updates", said), re.search(r"-> ([0-9.e-]+)(?: \||\n)", said)
    if announced is None or int(announced[1]) != updates:
        return [f"{line}{updates} updates, and what was said is: {said}"]
    planned = re.search(r"\| (\d+) updates", lives[0][0])
    lost = [one for one in (*(one for one, *_ in lives), said) if "lost its place" in one]
    if planned is None or (int(planned[1]) != updates and not lost) or (int(planned[1]) == updates and said in lost):
        return [f"{line}{updates} updates, and what was said first and at last is: {lives[0][0]}{said}"]
    if last is not None and rates[-1] != pytest.approx(float(last[1]), rel=6e-4, abs=1e-12):
        return [f"{line}{rates[-1]} at last, and what was said is: {said}"]
    return []


@pytest.mark.parametrize("part", range(4))
def test_what_is_announced_is_trained(part: int) -> None:
    problems = [text for seed in range(part * 20, part * 20 + 20) for text in check(seed)]
    assert not problems, "".join(problems)


@pytest.mark.parametrize("seed", [592013290, 592013294])
def test_batches_that_come_again_within_an_epoch_are_said(seed: int) -> None:
    """Lightning begins the right epoch, and makes one update more of it than are left."""
    assert not check(seed)


@pytest.mark.parametrize(("validates", "updates"), [(True, 12), (False, 13)])
def test_an_epoch_is_counted_twice_where_both_limits_are_set(
    validates: bool, updates: int, tmp_path: Path, capsys: Any
) -> None:
    job = {**draw(0), "node": {"name": "cosine", "interval": "step"}, "batches": 4, "accumulate": 1, "policy": "keep"}
    job |= {"limits": LIMITS[1], "save": {"save_on_train_epoch_end": True}, "validates": validates}
    life(job, tmp_path, 2, True)  # the best one, and the last one
    said, _, before, behind = life(job, tmp_path, None, True)
    assert (before, behind) == (4, updates)
    assert f"the trainer has lost its place in epoch 2: it makes {updates} updates instead of 16\n" in said
