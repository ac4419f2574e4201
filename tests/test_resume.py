"""Kill and resume: the rates of the uninterrupted run, bit for bit; and every policy where the run has changed."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from lightning_helpers import Tiny, fit
from pytorch_lightning.callbacks import ModelCheckpoint

from lr_configs import Horizon, LRSchedulerCallback, SchedulerConfigError, curve

CASES: dict[str, dict[str, Any]] = {
    "cosine": {"name": "cosine", "interval": "step", "warmup": 3},
    "cosine epoch": {"name": "cosine"},
    "one_cycle": {"name": "one_cycle"},
    "cyclic": {"name": "cyclic", "step_size_up": 4, "mode": "triangular2"},
    "restarts": {"name": "cosine_warm_restarts", "T_0": 2, "T_mult": 2, "interval": "step"},
    "step frequency": {"name": "step", "step_size": 2, "gamma": 0.5, "interval": "step", "frequency": 3},
    "multiplicative": {"name": "multiplicative", "lr_lambda": "1 - 1 / (2 + t)", "interval": "step"},
    "lambda": {"name": "lambda", "lr_lambda": "1 / (1 + t)", "interval": "step"},
    "sequential": {"name": "sequential", "warmup": 2},
    "chained": {"name": "chained", "interval": "step"},
    "plateau": {"name": "reduce_on_plateau", "monitor": "val_loss", "patience": 0, "warmup": "6st", "factor": 0.5},
    "plateau in sequence": {
        "name": "sequential",
        "monitor": "val_loss",
        "stages": {
            "up": {"name": "linear", "total_iters": "100%", "length": "4st"},
            "then": {"name": "reduce_on_plateau", "patience": 0, "factor": 0.5},
        },
    },
    "plateau times cosine": {
        "name": "chained",
        "monitor": "val_loss",
        "interval": "step",
        "stages": {"a": {"name": "cosine"}, "b": {"name": "reduce_on_plateau", "patience": 0, "factor": 0.5}},
    },
}


class Edit(pl.Callback):
    """Halves the rate by hand before the 6th update, whichever run makes it."""

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == 6:
            for group in trainer.optimizers[0].param_groups:
                group["lr"] /= 2


def losses(start: int = 0) -> Any:
    return iter([3.0, 2.0, 2.5, 2.6, 1.0, 1.1, 1.2, 0.9, 1.0, 1.1][start:])


def module(start: int = 0) -> Tiny:
    made = Tiny()
    made.metric = losses(start)
    return made


@pytest.mark.parametrize("case", CASES)
def test_resuming_after_every_update(case: str, tmp_path: Path) -> None:
    save = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_top_k=-1, filename="{step}")
    whole = fit(LRSchedulerCallback(CASES[case]), module(), Edit(), save, max_epochs=4).rates
    assert len(whole) == 20
    for step in (1, 3, 5, 6, 7, 10, 13, 15, 19):
        if "plateau" in case and step % 5 == 0:
            continue  # Lightning itself skips the validation that such a checkpoint was written before
        rest = fit(
            LRSchedulerCallback(CASES[case]),
            module(step // 5),
            Edit(),
            ckpt=str(tmp_path / f"step={step}.ckpt"),
            max_epochs=4,
        ).rates
        assert rest == whole[step:], step


def life(folder: Path, callback: LRSchedulerCallback, name: str, start: str | None, **kwargs: Any) -> list[float]:
    """The rates of a run that goes on from the checkpoint `start` and leaves one at every update."""
    save = ModelCheckpoint(folder, every_n_train_steps=1, save_top_k=-1, filename=f"{name}-{{step}}")
    ckpt = None if start is None else str(folder / f"{start}.ckpt")
    return list(fit(callback, Tiny(), save, ckpt=ckpt, **kwargs).rates)


@pytest.mark.parametrize("policy", ["strict", "keep", "stretch"])
@pytest.mark.parametrize("step", [8, 10])
def test_an_epoch_that_the_trainer_begins_again(step: int, policy: str, tmp_path: Path, capsys: Any) -> None:
    """Lightning loses count of its epochs where a run goes on from the last batch of one, and is ended and resumed."""

    rest = 15  # epochs 1, 2 and 3
    for name, node in {
        "u": {"name": "cosine", "interval": "step"},
        "e": {"name": "step", "step_size": 1, "gamma": 0.5, "interval": "epoch"},
    }.items():
        callback = LRSchedulerCallback(node, resume=policy)
        life(tmp_path, callback, f"{name}1", None, max_epochs=4)
        life(tmp_path, callback, f"{name}2", f"{name}1-step=5", max_epochs=4)
        capsys.readouterr()
        rates = life(tmp_path, callback, f"{name}3", f"{name}2-step={step}", max_epochs=4)
        said = capsys.readouterr().out
        assert len(rates) == rest, "Lightning counts right by now"
        assert f"the trainer has lost its place in epoch 1: it makes {step + rest} updates instead of 20\n" in said
        assert ("climbs again after update 20" in said) == (name == "u" and policy == "strict")
        last = 19 if policy == "keep" else 99
        whole = [0.05 * (1 + math.cos(math.pi * min(u, last) / 20)) for u in range(step + rest)]
        left = 20 - step  # updates of the plan
        first = 1 if step == 8 else 2
        by_epoch = [min(first + i // 5, 3 if policy == "keep" else 9) for i in range(rest)]
        if policy == "stretch":
            whole[step:] = [0.05 * (1 + math.cos(math.pi * (step + i * left / rest) / 20)) for i in range(rest)]
            by_epoch = [math.floor((step + i // 5 * 5 * left / rest) / 5) for i in range(rest)]
        due = whole[step:] if name == "u" else [0.1 * 0.5**epoch for epoch in by_epoch]
        assert rates == pytest.approx(due, rel=1e-12), name


def test_a_limit_of_updates_alone_keeps_the_place(tmp_path: Path, capsys: Any) -> None:
    node = {"name": "cosine", "interval": "step"}
    for name, start in (("1", None), ("2", "1-step=5"), ("3", "2-step=8")):
        rates = life(tmp_path, LRSchedulerCallback(node), name, start, max_epochs=-1, max_steps=20)
        assert "lost its place" not in capsys.readouterr().out
    due = [0.05 * (1 + math.cos(math.pi * update / 20)) for update in range(8, 20)]
    assert rates == pytest.approx(due, rel=1e-12)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("interval", [1.0, 2])
def test_resuming_from_a_checkpoint_written_at_validation(case: str, interval: Any, tmp_path: Path) -> None:
    save = ModelCheckpoint(
        tmp_path, monitor="val_loss", save_top_k=-1, filename="{step}", save_on_train_epoch_end=False
    )
    kwargs = {"max_epochs": 4, "val_check_interval": interval}
    whole = fit(LRSchedulerCallback(CASES[case]), module(), save, **kwargs).rates
    paths = sorted(tmp_path.glob("*.ckpt"), key=lambda p: int(p.stem.split("=")[1]))
    assert len(paths) == (4 if interval == 1.0 else 8)
    for i, path in enumerate(paths[:-1]):
        step = int(path.stem.split("=")[1])
        rest = fit(LRSchedulerCallback(CASES[case]), module(i + 1), ckpt=str(path), **kwargs).rates
        assert rest == whole[step:], step


NODE = {"name": "cosine", "interval": "step"}


def test_a_run_that_stops_within_an_epoch_goes_on_with_it(tmp_path: Path) -> None:
    class Stop(pl.Callback):
        def on_train_batch_end(self, trainer: Any, *args: Any) -> None:
            trainer.should_stop = trainer.global_step == 7

    node = {"name": "exponential", "gamma": 0.5, "interval": "epoch"}
    save = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_last=True)
    first = fit(LRSchedulerCallback(node), Tiny(), Stop(), save).rates
    assert len(first) == 7
    rest = fit(LRSchedulerCallback(node), ckpt=str(tmp_path / "last.ckpt")).rates
    np.testing.assert_allclose([*first, *rest], np.repeat([0.1, 0.05, 0.025], 5))


@pytest.fixture
def halfway(tmp_path: Path) -> str:
    """A checkpoint at update 10 of 10."""
    fit(LRSchedulerCallback(NODE), Tiny(), ModelCheckpoint(tmp_path, save_last=True), max_epochs=2)
    return str(tmp_path / "last.ckpt")


def test_strict_lists_what_differs(halfway: str) -> None:
    seen = Tiny()
    with pytest.raises(
        SchedulerConfigError, match=r"T_max.*run 2 epochs x 5 updates -> 4 epochs x 5 updates.*resume=keep"
    ):
        fit(LRSchedulerCallback(NODE), seen, ckpt=halfway, max_epochs=4)
    assert seen.rates == []
    with pytest.raises(SchedulerConfigError, match=r"another schedule: schedule cosine -> step\. Choose"):
        fit(LRSchedulerCallback({"name": "step", "step_size": 3, "interval": "step"}), ckpt=halfway, max_epochs=2)
    with pytest.raises(SchedulerConfigError, match=r"another schedule: base rate 0\.1 -> 0\.2\. Choose"):
        fit(LRSchedulerCallback(NODE), Tiny(lr=0.2), ckpt=halfway, max_epochs=2)
    with pytest.raises(SchedulerConfigError, match=r"eta_min 0.0 -> 0.01"):
        fit(LRSchedulerCallback({**NODE, "eta_min": 0.01}), ckpt=halfway, max_epochs=2)


#: the last rate that a run of ten updates really uses
LAST = curve(NODE, base_lr=0.1, horizon=Horizon(steps=10))[-1]


def test_keep_holds_the_last_rate_used(halfway: str) -> None:
    rates = fit(LRSchedulerCallback(NODE, resume="keep"), ckpt=halfway, max_epochs=4).rates
    assert rates == [LAST] * 10
    assert LAST > 0


def test_keep_in_the_middle(tmp_path: Path) -> None:
    save = ModelCheckpoint(tmp_path, every_n_train_steps=4, save_top_k=-1, filename="{step}")
    whole = fit(LRSchedulerCallback(NODE), Tiny(), save, max_epochs=2).rates
    ckpt = str(tmp_path / "step=4.ckpt")
    rates = fit(
        LRSchedulerCallback({"name": "exponential"}, resume="keep"), Tiny(lr=0.3), ckpt=ckpt, max_epochs=4
    ).rates
    assert rates[:6] == whole[4:]
    assert rates[6:] == [LAST] * 10
    restarts = {"name": "cosine_warm_restarts", "T_0": 5, "interval": "step"}
    fit(LRSchedulerCallback(restarts), Tiny(), ModelCheckpoint(tmp_path, save_last=True), max_epochs=2)
    held = fit(LRSchedulerCallback(restarts, resume="keep"), ckpt=str(tmp_path / "last.ckpt"), max_epochs=3).rates
    assert held == [pytest.approx(0.1 * (1 + np.cos(np.pi * 4 / 5)) / 2)] * 5  # it does not climb to a new peak


def test_stretch_has_no_jump_at_the_seam(tmp_path: Path) -> None:
    save = ModelCheckpoint(tmp_path, every_n_train_steps=4, save_top_k=-1, filename="{step}")
    whole = fit(LRSchedulerCallback(NODE), Tiny(), save, max_epochs=2).rates
    ckpt = str(tmp_path / "step=4.ckpt")
    again = ModelCheckpoint(tmp_path / "b", every_n_train_steps=3, save_top_k=-1, filename="{step}")
    rates = fit(LRSchedulerCallback(NODE, resume="stretch"), Tiny(), again, ckpt=ckpt, max_epochs=4).rates
    assert rates[0] == whole[4]
    position = 4 + np.arange(16) * (10 - 4) / (20 - 4)
    np.testing.assert_allclose(rates, 0.1 * (1 + np.cos(np.pi * position / 10)) / 2)
    # and a stretched run resumes exactly, under any policy, when nothing has changed since
    for policy in ("strict", "keep", "stretch", "restart"):
        rest = fit(
            LRSchedulerCallback(NODE, resume=policy), ckpt=str(tmp_path / "b" / "step=12.ckpt"), max_epochs=4
        ).rates
        assert rest == rates[8:], policy


def test_restart_begins_anew(halfway: str) -> None:
    rates = fit(LRSchedulerCallback(NODE, resume="restart"), Tiny(lr=0.2), ckpt=halfway, max_epochs=4).rates
    np.testing.assert_allclose(rates, 2 * curve(NODE, base_lr=0.1, horizon=Horizon(steps=10)))
    other = {"name": "step", "step_size": 3, "gamma": 0.5, "interval": "step"}
    rates = fit(LRSchedulerCallback(other, resume="restart"), ckpt=halfway, max_epochs=4).rates
    np.testing.assert_allclose(rates, 0.1 * 0.5 ** (np.arange(10) // 3))


def test_a_checkpoint_written_without_the_callback(tmp_path: Path) -> None:
    fit(None, Tiny(), ModelCheckpoint(tmp_path, save_last=True), max_epochs=2)
    ckpt = str(tmp_path / "last.ckpt")
    with pytest.raises(SchedulerConfigError, match=r"step 10.*written without LRSchedulerCallback"):
        fit(LRSchedulerCallback(NODE), ckpt=ckpt, max_epochs=4)
    whole = curve(NODE, base_lr=0.1, horizon=Horizon(steps=20))
    kept = fit(LRSchedulerCallback(NODE, resume="keep"), ckpt=ckpt, max_epochs=4).rates
    np.testing.assert_allclose(kept, whole[10:])
    restarted = fit(LRSchedulerCallback(NODE, resume="restart"), ckpt=ckpt, max_epochs=4).rates
    np.testing.assert_allclose(restarted, curve(NODE, base_lr=0.1, horizon=Horizon(steps=10)))


def test_a_checkpoint_with_torchs_scheduler(tmp_path: Path) -> None:
    class Native(Tiny):
        def configure_optimizers(self) -> Any:
            optimizer = super().configure_optimizers()
            return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)]

    fit(None, Native(), ModelCheckpoint(tmp_path, save_last=True), max_epochs=2)
    ckpt = str(tmp_path / "last.ckpt")
    with pytest.raises(SchedulerConfigError, match="written without LRSchedulerCallback"):
        fit(LRSchedulerCallback(NODE), ckpt=ckpt, max_epochs=4)
    rates = fit(LRSchedulerCallback(NODE, resume="restart"), ckpt=ckpt, max_epochs=4).rates
    np.testing.assert_allclose(rates, curve(NODE, base_lr=0.1, horizon=Horizon(steps=10)))


def test_other_optimizers_than_before(halfway: str) -> None:
    both = [NODE, {**NODE, "name": "exponential", "param": "weight_decay"}]
    with pytest.raises(SchedulerConfigError, match=r"has schedules for 0/lr, and this run for 0/lr, 0/weight_decay"):
        fit(LRSchedulerCallback(both), Tiny(weight_decay=0.1), ckpt=halfway, max_epochs=2)


@pytest.mark.parametrize("damage", ["callback", "scheduler", "schedule"])
def test_damaged_state_is_refused(halfway: str, damage: str) -> None:
    saved = torch.load(halfway, weights_only=True)
    if damage == "callback":
        saved["callbacks"]["LRSchedulerCallback"] = {"version": 2}
    elif damage == "schedule":
        saved["callbacks"]["LRSchedulerCallback"]["schedules"]["0/lr"] = {"asked": {}}
    else:
        del saved["lr_schedulers"][0]["T_max"]
    torch.save(saved, halfway)
    seen = Tiny()
    with pytest.raises(ValueError, match="damaged"):
        fit(LRSchedulerCallback(NODE), seen, ckpt=halfway, max_epochs=2)
    assert seen.rates == []
    if damage != "scheduler":
        rates = fit(LRSchedulerCallback(NODE, resume="restart"), ckpt=halfway, max_epochs=4).rates
        np.testing.assert_allclose(rates, curve(NODE, base_lr=0.1, horizon=Horizon(steps=10)))


def test_the_state_of_an_older_version_is_refused_by_name(halfway: str) -> None:
    saved = torch.load(halfway, weights_only=True)
    old = {"version": 1, "ticked_epoch": 1, "schedules": {"0/lr": {"asked": {}, "active": {}, "ticks": 10}}}
    saved["callbacks"]["LRSchedulerCallback"] = old
    torch.save(saved, halfway)
    for policy in ("strict", "keep", "stretch"):
        with pytest.raises(SchedulerConfigError, match=r"an older version of lr_configs.*resume=restart"):
            fit(LRSchedulerCallback(NODE, resume=policy), ckpt=halfway, max_epochs=4)
    rates = fit(LRSchedulerCallback(NODE, resume="restart"), ckpt=halfway, max_epochs=4).rates
    np.testing.assert_allclose(rates, curve(NODE, base_lr=0.1, horizon=Horizon(steps=10)))


def test_other_parameters_resume_like_the_rate(tmp_path: Path) -> None:
    node = [NODE, {"name": "exponential", "gamma": 0.9, "param": "weight_decay", "interval": "step"}]

    class Watch(pl.Callback):
        def __init__(self) -> None:
            self.seen: list[Any] = []

        def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
            self.seen.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["weight_decay"]))

    first, second = Watch(), Watch()
    save = ModelCheckpoint(tmp_path, every_n_train_steps=7, save_top_k=-1, filename="{step}")
    fit(LRSchedulerCallback(node), Tiny(weight_decay=0.5), first, save)
    fit(LRSchedulerCallback(node), Tiny(weight_decay=0.5), second, ckpt=str(tmp_path / "step=7.ckpt"))
    assert second.seen == first.seen[7:]


def test_late_groups_resume(tmp_path: Path) -> None:
    class Unfreeze(pl.callbacks.BaseFinetuning):
        def freeze_before_training(self, module: Any) -> None:
            self.freeze(module.extra)

        def finetune_function(self, module: Any, epoch: int, optimizer: Any) -> None:
            if epoch == 1:
                self.unfreeze_and_add_param_group(module.extra, optimizer, lr=0.01)

    class Frozen(Tiny):
        def __init__(self) -> None:
            super().__init__()
            self.extra = torch.nn.Linear(2, 2)

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            return super().training_step(batch, batch_idx) + self.extra(batch).sum() * 1e-3

    save = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_top_k=-1, filename="{step}")
    whole = fit(LRSchedulerCallback(NODE), Frozen(), Unfreeze(), save, max_epochs=3).rates
    for step in (3, 7, 12):
        rest = fit(
            LRSchedulerCallback(NODE), Frozen(), Unfreeze(), ckpt=str(tmp_path / f"step={step}.ckpt"), max_epochs=3
        ).rates
        assert rest == whole[step:], step


def test_early_ending_is_recorded_and_resumed(tmp_path: Path) -> None:
    class End(pl.Callback):
        def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
            if trainer.global_step == 6:
                next(c for c in trainer.callbacks if isinstance(c, LRSchedulerCallback)).decay_now(over="25%")

    save = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_top_k=-1, filename="{step}")
    whole = fit(LRSchedulerCallback("none"), Tiny(), End(), save, max_epochs=4).rates
    np.testing.assert_allclose(whole, [0.1] * 7 + [0.08, 0.06, 0.04, 0.02] + [0.0] * 9, atol=1e-12)
    for step in (5, 8, 9, 15):
        rest = fit(
            LRSchedulerCallback("none"), Tiny(), End(), ckpt=str(tmp_path / f"step={step}.ckpt"), max_epochs=4
        ).rates
        assert rest == whole[step:], step


def test_kill_during_training_and_during_a_write(tmp_path: Path) -> None:
    script = tmp_path / "job.py"
    script.write_text(
        f"""
import sys, json, warnings; warnings.simplefilter("ignore")
sys.path.insert(0, {str(Path(__file__).parent)!r})
import time, torch
from lightning_helpers import Tiny, fit
from lr_configs import LRSchedulerCallback
from pytorch_lightning.callbacks import ModelCheckpoint
class Slow(Tiny):
    def on_before_optimizer_step(self, optimizer):
        super().on_before_optimizer_step(optimizer)
        with open("rates.txt", "a") as f: f.write(json.dumps(self.rates[-1]) + "\\n")
        time.sleep(0.01)
if __name__ == "__main__":
    ckpt = "last.ckpt" if len(sys.argv) > 1 else None
    fit(LRSchedulerCallback({{"name": "cosine", "interval": "step", "warmup": "10%"}}), Slow(),
        ModelCheckpoint(".", every_n_train_steps=1, save_last=True, save_top_k=1), batches=20, max_epochs=4, ckpt=ckpt)
"""
    )
    rates = tmp_path / "rates.txt"
    process = subprocess.Popen([sys.executable, str(script)], cwd=tmp_path)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and (not rates.exists() or len(rates.read_text().splitlines()) < 30):
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)  # whole, whenever the kill came
    step = saved["global_step"]
    rates.unlink()
    subprocess.run([sys.executable, str(script), "resume"], cwd=tmp_path, check=True)
    rest = [json.loads(line) for line in rates.read_text().splitlines()]
    whole = curve({"name": "cosine", "interval": "step", "warmup": "10%"}, base_lr=0.1, horizon=Horizon(steps=80))
    np.testing.assert_allclose(rest, whole[step:], rtol=1e-15)


@pytest.mark.parametrize("node", [NODE, {"name": "exponential", "interval": "step"}, {"name": "step", "step_size": 1}])
def test_the_helper_resumes(node: Any, tmp_path: Path) -> None:
    import lr_configs

    class Helped(Tiny):
        def configure_optimizers(self) -> Any:
            return lr_configs.lightning(node, super().configure_optimizers(), self.trainer)

    save = ModelCheckpoint(tmp_path, every_n_train_steps=7, save_top_k=-1, filename="{step}")
    whole = fit(None, Helped(), save).rates
    assert fit(None, Helped(), ckpt=str(tmp_path / "step=7.ckpt")).rates == whole[7:]
    if node is NODE:
        with pytest.raises(SchedulerConfigError, match="run 3 epochs x 5 updates -> 6 epochs"):
            fit(None, Helped(), ckpt=str(tmp_path / "step=7.ckpt"), max_epochs=6)
    else:
        longer = fit(None, Helped(), max_epochs=6).rates
        assert fit(None, Helped(), ckpt=str(tmp_path / "step=7.ckpt"), max_epochs=6).rates == longer[7:]
    policy = LRSchedulerCallback(resume="keep")
    assert len(fit(policy, Helped(), ckpt=str(tmp_path / "step=7.ckpt"), max_epochs=6).rates) == 23
