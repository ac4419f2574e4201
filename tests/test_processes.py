"""Real processes: DDP with gloo, started and spawned; the same rates on all ranks, one line, and checkpoints between."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import together

from lr_configs import Horizon, curve

SCRIPT = """
import sys, json, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, {tests!r})
import torch
from lightning_helpers import Tiny, loader, trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from lr_configs import LRSchedulerCallback

class Ranked(Tiny):
    def validation_step(self, batch, batch_idx):
        self.log("val_loss", float(self.trainer.global_rank) + self.trainer.current_epoch)  # no sync_dist
    def on_fit_end(self):
        with open(f"rates{{self.trainer.global_rank}}.json", "w") as file:
            json.dump(self.rates, file)

if __name__ == "__main__":
    node, kwargs, ckpt = json.loads(sys.argv[1])
    save = ModelCheckpoint(".", every_n_train_steps=1, save_top_k=-1, filename="{{step}}")
    run = trainer(LRSchedulerCallback(node), save, max_epochs=3, **kwargs)
    run.fit(Ranked(), loader(8), loader(4), ckpt_path=ckpt)
"""


def launch(folder: Path, node: Any, ckpt: str | None = None, **kwargs: Any) -> tuple[list[list[float]], str]:
    script = folder / "job.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent)))
    done = together([sys.executable, str(script), json.dumps([node, kwargs, ckpt])], folder, "rates*.json")
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(path.read_text()) for path in sorted(folder.glob("rates*.json"))], done.stdout


NODE = {"name": "cosine", "interval": "step", "warmup": 2}
TWO = {"strategy": "ddp", "devices": 2}


@pytest.mark.parametrize("strategy", ["ddp", pytest.param("ddp_spawn", marks=pytest.mark.slow)])
def test_two_processes_have_the_same_rates_and_one_line(strategy: str, tmp_path: Path) -> None:
    rates, out = launch(tmp_path, {**NODE, "verbose": True}, strategy=strategy, devices=2)
    assert len(rates) == 2
    assert rates[0] == rates[1]
    # eight batches are four updates on each of two processes
    np.testing.assert_allclose(rates[0], curve(NODE, base_lr=0.1, horizon=Horizon(steps=12)), rtol=1e-15)
    assert out.count("cosine | interval=step") == 1
    assert "2 processes" in out
    assert out.count("Step 00003: adjusting") == 1


def test_a_checkpoint_of_two_processes_resumes_on_two_and_is_refused_or_stretched_on_one(tmp_path: Path) -> None:
    whole, _ = launch(tmp_path, NODE, **TWO)
    again, _ = launch(tmp_path, NODE, ckpt="step=5.ckpt", **TWO)
    assert again[0] == again[1] == whole[0][5:]


@pytest.mark.slow
def test_a_checkpoint_of_two_processes_resumes_on_one(tmp_path: Path) -> None:
    # the same number of updates: half the batches in each epoch
    whole, _ = launch(tmp_path, NODE, **TWO)
    one, _ = launch(tmp_path, NODE, ckpt="step=5.ckpt", limit_train_batches=4)
    assert one == [whole[0][5:]]


def test_the_metric_agrees_across_processes(tmp_path: Path) -> None:
    node = {"name": "reduce_on_plateau", "monitor": "val_loss", "patience": 0, "factor": 0.5}
    rates, _ = launch(tmp_path, node, **TWO)
    assert rates[0] == rates[1] == [0.1] * 8 + [0.05] * 4
