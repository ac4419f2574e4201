"""Killed at random moments, as schedulers of clusters kill, and resumed until the run is done: no update has another rate.

A worker process has everything imported and forks; its children train and are killed by -9 wherever they are, also in the
middle of writing a checkpoint, and the next child resumes. The trace of all lives together is compared with the oracle.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import oracle
import pytest

NODES: list[dict[str, Any]] = [
    {"name": "cosine", "warmup": "10%", "interval": "step"},
    {"name": "step", "step_size": 2, "gamma": 0.5},
    {"name": "one_cycle"},
    {"name": "cosine_warm_restarts", "T_0": "20%", "T_mult": 2, "frequency": 3},
    {"name": "multiplicative", "lr_lambda": "0.95", "interval": "step"},
    {"name": "sequential", "warmup": 2},
    {
        "name": "chained",
        "stages": {"a": {"name": "exponential", "gamma": 0.97}, "b": {"name": "cosine", "T_max": "100%"}},
    },
    {"name": "warmup_stable_decay", "warmup": "10%", "decay": "30%", "cooldown": "1ep"},
    {
        "name": "cosine_warm_restarts",
        "T_0": 7,
        "T_mult": 1.5,
        "restart_decay": 0.8,
        "interval": "step",
        "eta_min": "1%",
    },
    {"name": "noam", "d_model": 4, "warmup_steps": "1ep"},
    {"name": "exponential", "gamma": 0.5, "decay_period": "1ep", "staircase": True, "eta_min": 0.01},
    {
        "name": "lambda",
        "lr_lambda": "max(0.9 ** t, 0.005 / base)",
        "interval": "step",
        "warmup": 5,
        "warmup_overlap": "continuous",
    },
]
STAGES = {
    "warmup": {"name": "linear", "start_factor": 0.01, "total_iters": "100%", "length": "10%"},
    "decay": {"name": "cosine", "T_max": "100%", "eta_min": 0.0},
}
NODES[5]["stages"] = STAGES
BATCHES, EPOCHS = 12, 5


def draw(seed: int) -> dict[str, Any]:
    """What is run: a schedule, accumulation, an edit by hand, and how checkpoints are written."""
    rng = random.Random(seed)
    return {
        "node": rng.choice(NODES),
        "accumulate": rng.choice([1, 1, 3]),
        "edit": rng.choice([None, 7]),
        "every": rng.choice([1, 1, 2, 5]),
        "policy": rng.choice(["strict", "strict", "keep", "stretch"]),
        "pauses": [rng.uniform(0.0, 0.4) for _ in range(rng.randint(2, 5))],
    }


# ------------------------------------------------------------------------------------------------ the worker's side


def train(job: dict[str, Any], folder: Path) -> None:
    """One life: go on from the newest whole checkpoint, and note update and rate of each update."""
    import pytorch_lightning as pl
    from lightning_helpers import Tiny, loader, trainer
    from pytorch_lightning.callbacks import ModelCheckpoint

    from lr_configs import LRSchedulerCallback

    class Edit(pl.Callback):
        def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
            if trainer.global_step == job["edit"] and batch_idx % job["accumulate"] == 0:
                trainer.optimizers[0].param_groups[0]["lr"] /= 2

    class Noting(Tiny):
        def on_before_optimizer_step(self, optimizer: Any) -> None:
            batch = self.trainer.current_epoch * BATCHES + self.trainer.fit_loop.epoch_loop.batch_progress.current.ready
            in_place = batch == min((self.trainer.global_step + 1) * job["accumulate"], EPOCHS * BATCHES)
            entry = [self.trainer.global_step, optimizer.param_groups[0]["lr"], in_place]
            os.write(trace, f"{json.dumps(entry)}\n".encode())
            time.sleep(0.003)

    trace = os.open(folder / "trace.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    last = folder / "last.ckpt"
    save = ModelCheckpoint(folder, every_n_train_steps=job["every"], save_last=True, save_top_k=1)
    callback = LRSchedulerCallback(job["node"], resume=job["policy"])
    run = trainer(callback, Edit(), save, max_epochs=EPOCHS, accumulate_grad_batches=job["accumulate"])
    run.fit(Noting(), loader(BATCHES), loader(1), ckpt_path=str(last) if last.exists() else None)


def lives(job: dict[str, Any], folder: Path) -> None:
    """Child after child: each is killed after its pause, the last one may finish."""
    for pause in [*job["pauses"], None]:
        child = os.fork()
        if child == 0:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            code = 1
            try:
                train(job, folder)
                code = 0
            except BaseException as error:
                (folder / "error.txt").write_text(f"{type(error).__name__}: {error}")
            finally:
                os._exit(code)
        if pause is not None:
            time.sleep(pause)
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with (folder / "trace.jsonl").open("a") as file:
            file.write("null\n")  # a life has ended here


def work() -> None:
    """Reads jobs from the standard input, a line each."""
    import warnings

    warnings.simplefilter("ignore")
    import conftest  # noqa: F401
    import lightning_helpers  # noqa: F401
    import torch

    import lr_configs  # noqa: F401

    torch.set_num_threads(1)
    for line in sys.stdin:
        job, folder = json.loads(line)
        lives(job, Path(folder))
        print("done", flush=True)


# ------------------------------------------------------------------------------------------------ the tests' side


class Worker:
    """A process that has imported everything."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __call__(self, job: dict[str, Any], folder: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([job, folder]) + "\n")
        self.process.stdin.flush()
        while (line := self.process.stdout.readline()) != "done\n":
            assert line, "the worker has died"

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


def check(seed: int, worker: Worker) -> list[str]:
    """One job with its kills; what is wrong."""
    job = draw(seed)
    run = oracle.Run(BATCHES, job["accumulate"], EPOCHS)
    edits = {} if job["edit"] is None else {job["edit"]: [0.5]}
    due = [rates[0] for rates in oracle.begin(job["node"], run, (0.1,), edits).trace()]
    line = f"\npython tests/fuzz.py kills {seed}   # {job}: "
    with tempfile.TemporaryDirectory() as folder:
        worker(job, folder)
        error = Path(folder) / "error.txt"
        if error.exists():
            return [f"{line}{error.read_text()}"]
        noted = [json.loads(text) for text in (Path(folder) / "trace.jsonl").read_text().splitlines()]
    seen, previous, lost = set(), None, False
    for entry in noted:
        if entry is None:
            previous = None
            continue
        update, rate, in_place = entry
        # A run that goes on from the last batch of an epoch and is killed makes Lightning begin an epoch again, for which
        # test_resume.py has what is due.
        lost = lost or not in_place
        if previous is not None and update != previous + 1:
            return [f"{line}update {update} after {previous}"]
        if not lost and rate != pytest.approx(due[update], rel=1e-12, abs=1e-16):
            return [f"{line}update {update}: {rate}, not {due[update]}"]
        seen.add(update)
        previous = update
    if not seen >= set(range(run.updates)):
        return [f"{line}never made: {sorted(set(range(run.updates)) - seen)}"]
    return []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_kills() -> None:
    worker = Worker()
    try:
        problems = [text for seed in range(10) for text in check(seed, worker)]
    finally:
        worker.close()
    assert not problems, "".join(problems)


if __name__ == "__main__":
    work()
