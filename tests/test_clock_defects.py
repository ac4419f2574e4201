"""Resume and clocks in real trainers: each case once trained at a wrong rate, or ended a run that could go on."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from lightning_helpers import Tiny, fit, loader, trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from lr_configs import Horizon, LRSchedulerCallback, curve

pytestmark = pytest.mark.filterwarnings("ignore:The dirpath has changed")
COSINE = {"name": "cosine"}


def checkpoint(folder: Path, node: Any, step: int, module: Any = None, *more: Any, **kwargs: Any) -> str:
    """A checkpoint of a run at an update."""
    save = ModelCheckpoint(folder, every_n_train_steps=1, save_top_k=-1, filename="{step}")
    fit(LRSchedulerCallback(node), module, *more, save, **kwargs)
    return str(folder / f"step={step}.ckpt")


def resumed(ckpt: str, node: Any, policy: str, module: Any = None, *more: Any, **kwargs: Any) -> Any:
    return fit(LRSchedulerCallback(node, resume=policy), module, *more, ckpt=ckpt, **kwargs).rates


def cosine(at: Any, length: float) -> Any:
    return 0.05 * (1 + np.cos(np.pi * np.asarray(at) / length))


@pytest.mark.parametrize("policy", ["keep", "stretch"])
def test_a_resolved_schedule_is_not_resolved_again(policy: str, tmp_path: Path) -> None:
    node = {"name": "cosine", "T_max": "20st"}
    ckpt = checkpoint(tmp_path, node, 20, batches=10, max_epochs=2)
    rates = resumed(ckpt, node, policy, batches=10, max_epochs=4)
    assert rates == [curve(node, 0.1, Horizon(steps=20))[-1]] * 20


@pytest.mark.parametrize(
    "node",
    [{"name": "step", "step_size": 2}, {"name": "exponential"}, {"name": "none"}, {"name": "step", "step_size": "7st"}],
)
def test_strict_lets_go_on_what_knows_no_length(node: Any, tmp_path: Path) -> None:
    ckpt = checkpoint(tmp_path, node, 7)
    whole = fit(LRSchedulerCallback(node), max_epochs=6).rates
    assert resumed(ckpt, node, "strict", max_epochs=6) == whole[7:]
    assert resumed(ckpt, node, "strict", max_steps=12) == whole[7:12]


def test_strict_lets_a_plateau_go_on_for_longer(tmp_path: Path) -> None:
    node = {"name": "reduce_on_plateau", "monitor": "val_loss", "patience": 0, "factor": 0.5}
    ckpt = checkpoint(tmp_path, node, 7)
    assert resumed(ckpt, node, "strict", max_epochs=6)[-1] < 0.1


def test_a_plateau_goes_on_as_it_was_saved(tmp_path: Path) -> None:
    """Not with the schedule, nor the metric, that is asked for now; and the reverse has no metric to react to."""
    plateau = {"name": "reduce_on_plateau", "monitor": "val_loss", "patience": 0, "factor": 0.5}
    ckpt = checkpoint(tmp_path / "a", plateau, 7)
    for policy in ("keep", "stretch"):
        for node in (COSINE, {**plateau, "monitor": "train_loss"}):
            rates = resumed(ckpt, node, policy, max_epochs=6)
            assert rates == [0.1] * 3 + [0.05] * 5 + [0.025] * 5 + [0.0125] * 5 + [0.00625] * 5
    ckpt = checkpoint(tmp_path / "b", COSINE, 7)
    whole = curve(COSINE, 0.1, Horizon(steps=15))
    assert resumed(ckpt, plateau, "keep", max_epochs=4) == [*whole[7:], *[whole[-1]] * 5]


@pytest.mark.parametrize("frequency", [1, 3])
def test_stretch_from_epochs_to_updates(frequency: int, tmp_path: Path) -> None:
    """4 epochs by epoch, resumed as 8 by update: the saved interval goes on, in updates."""
    node = {"name": "cosine", "interval": "epoch"}
    ckpt = checkpoint(tmp_path, node, 10, max_epochs=4)
    rates = resumed(ckpt, {**COSINE, "interval": "step", "frequency": frequency}, "stretch", max_epochs=8)
    np.testing.assert_allclose(rates, np.repeat(cosine(2 + np.arange(6) * 2 / 6, 4), 5))


@pytest.mark.parametrize("frequency", [1, 2])
def test_stretch_from_updates_to_epochs(frequency: int, tmp_path: Path) -> None:
    node = {**COSINE, "interval": "step", "frequency": frequency}
    ckpt = checkpoint(tmp_path, node, 10, max_epochs=4)
    rates = resumed(ckpt, {"name": "cosine", "interval": "epoch"}, "stretch", max_epochs=8)
    at = 10 + np.arange(30) // frequency * frequency * 10 / 30
    np.testing.assert_allclose(rates, cosine(at, 20), atol=1e-15)


def test_stretch_twice_has_no_wrong_update_at_the_seam(tmp_path: Path) -> None:
    first = checkpoint(tmp_path / "a", COSINE, 4, max_epochs=2)
    save = ModelCheckpoint(tmp_path / "b", every_n_train_steps=1, save_top_k=-1, filename="{step}")
    once = fit(LRSchedulerCallback(COSINE, resume="stretch"), Tiny(), save, ckpt=first, max_epochs=4).rates
    again = resumed(str(tmp_path / "b" / "step=11.ckpt"), COSINE, "stretch", max_epochs=8)
    assert again[0] == once[7]
    start = 4 + 7 * 6 / 16
    np.testing.assert_allclose(again, cosine(start + np.arange(29) * (10 - start) / 29, 10))


@pytest.mark.parametrize("schedule", [COSINE, {"name": "multi_step", "milestones": ["50%"]}])
def test_restart_covers_what_remains(schedule: Any, tmp_path: Path) -> None:
    ckpt = checkpoint(tmp_path, {"name": "step", "step_size": 30}, 10, max_epochs=2)
    rates = resumed(ckpt, schedule, "restart", max_epochs=5)
    np.testing.assert_allclose(rates, curve(schedule, 0.1, Horizon(steps=15)))


@pytest.mark.parametrize(("policy", "begin"), [("restart", 0), ("keep", 1)])
def test_a_foreign_checkpoint_of_a_validation_has_its_epoch_behind_it(policy: str, begin: int, tmp_path: Path) -> None:
    """ModelCheckpoint writes it when every batch of the epoch has been trained on, and before the epoch ends."""
    fit(None, None, ModelCheckpoint(tmp_path, filename="{step}", save_top_k=-1, monitor="val_loss"), max_epochs=1)
    node = {"name": "exponential", "gamma": 0.5}
    rates = resumed(str(tmp_path / "step=5.ckpt"), node, policy)
    np.testing.assert_allclose(rates, 0.1 * 0.5 ** (begin + np.arange(10) // 5))


def test_restart_counts_what_remains_from_the_updates_that_were_made(tmp_path: Path) -> None:
    """Two epochs of three updates are over, whose number of batches would now make two updates each."""
    ckpt = checkpoint(tmp_path, {"name": "none"}, 6, batches=3, max_epochs=2)
    rates = resumed(ckpt, COSINE, "restart", batches=3, max_epochs=4, accumulate_grad_batches=2)
    np.testing.assert_allclose(rates, curve(COSINE, 0.1, Horizon(steps=4)))


def test_stretch_from_within_the_epoch_of_a_restart(tmp_path: Path) -> None:
    """The clock began at update 1: at update 2 it has seen a quarter of its first epoch, not two fifths."""
    node = {"name": "linear", "start_factor": 1.0, "end_factor": 0.0, "total_iters": 2, "interval": "epoch"}
    first = checkpoint(tmp_path / "a", {"name": "none"}, 1, max_epochs=2)
    save = ModelCheckpoint(tmp_path / "b", every_n_train_steps=1, save_top_k=-1, filename="{step}")
    fit(LRSchedulerCallback(node, resume="restart"), None, save, ckpt=first, max_epochs=2)
    rates = resumed(str(tmp_path / "b" / "step=2.ckpt"), node, "stretch", max_epochs=3)
    seen = 0.25 + 1.75 * (np.array([5, 10]) - 2) / 13
    np.testing.assert_allclose(rates, np.repeat([0.1, *(0.1 * (1 - seen / 2))], [3, 5, 5]))


def test_one_cycle_restarts_from_its_own_bounds(tmp_path: Path) -> None:
    node = {"name": "one_cycle", "max_lr": 0.5}
    ckpt = checkpoint(tmp_path, node, 10, Tiny(momentum=0.9), max_epochs=4)
    rates = resumed(ckpt, node, "restart", Tiny(momentum=0.9), max_epochs=8)
    np.testing.assert_allclose(rates, curve(node, 0.1, Horizon(steps=30)))


def test_max_steps_alone_leaves_epochs_epochs() -> None:
    node = {"name": "step", "step_size": 1, "gamma": 0.5}
    np.testing.assert_allclose(fit(LRSchedulerCallback(node), max_steps=13).rates, 0.1 * 0.5 ** (np.arange(13) // 5))


# ---------------------------------------------------------------------------------------- ending early


class Unfreeze(pl.Callback):
    """Adds a group at one update, or at once where a checkpoint has it already, as finetuning callbacks do."""

    def __init__(self, at: int, dtype: Any = None, before: Any = None) -> None:
        self.at, self.dtype, self.before, self.added = at, dtype, before, False

    def _add(self, trainer: pl.Trainer) -> None:
        self.added = True
        rate = 0.5 * float(trainer.optimizers[0].param_groups[0]["lr"])
        value = rate if self.dtype is None else torch.tensor(rate, dtype=self.dtype)
        trainer.optimizers[0].add_param_group({"params": torch.nn.Linear(2, 2).parameters(), "lr": value})

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.ckpt_path:
            self._add(trainer)

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *args: Any) -> None:
        if trainer.global_step == self.at and not self.added:
            self._add(trainer)
            if self.before is not None:
                self.before.decay_now("6st")


LATE = [
    {"name": "exponential", "gamma": 0.5},
    {"name": "cyclic", "step_size_up": 4},
    {"name": "chained", "stages": {"a": {"name": "one_cycle", "total_steps": "100%"}, "b": {"name": "exponential"}}},
    {"name": "multiplicative", "lr_lambda": "0.9", "interval": "step", "warmup": 4},
]


@pytest.mark.parametrize("dtype", [None, torch.float32])
@pytest.mark.parametrize("node", LATE, ids=lambda node: node["name"])
def test_a_late_group_goes_on_from_its_checkpoint(node: Any, dtype: Any, tmp_path: Path) -> None:
    module = Tiny(lr=0.1 if dtype is None else torch.tensor(0.1, dtype=dtype))  # type: ignore[arg-type]
    for step in (7, 9):
        ckpt = checkpoint(tmp_path / node["name"], node, step, copy.deepcopy(module), Unfreeze(6, dtype))
        whole = fit(LRSchedulerCallback(node), copy.deepcopy(module), Unfreeze(6, dtype)).rates
        rates = resumed(ckpt, node, "strict", copy.deepcopy(module), Unfreeze(6, dtype))
        for one, other in zip(rates, whole[step:], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12 if dtype is None else 1e-6)


def test_an_ending_begins_with_a_group_that_joins() -> None:
    callback = LRSchedulerCallback({"name": "exponential", "gamma": 0.5})
    rates = fit(callback, None, Unfreeze(6, before=callback)).rates
    np.testing.assert_allclose(rates[6:8], [[0.05, 0.025], [0.05 - 0.025 / 6, 0.025 - 0.0125 / 6]])
    np.testing.assert_allclose(rates[-1], [0.025, 0.0125])


class EndAt(pl.Callback):
    """Asks for an early ending in one hook, at one update, in whichever run makes it."""

    def __init__(self, hook: str, step: int) -> None:
        self.step, self.done = step, False
        setattr(self, hook, self.ask)

    def ask(self, trainer: Any, *_: Any) -> None:
        if trainer.global_step == self.step and not trainer.sanity_checking and not self.done:
            self.done = True
            next(c for c in trainer.callbacks if isinstance(c, LRSchedulerCallback)).decay_now("20%")


@pytest.mark.parametrize(
    ("hook", "step", "first"),
    [
        ("on_train_batch_start", 6, 7),  # within a batch: after it
        ("on_train_batch_end", 6, 6),
        ("on_validation_start", 5, 5),
        ("on_validation_end", 5, 5),
        ("on_train_epoch_end", 5, 5),
        ("on_train_epoch_start", 5, 5),
        ("on_before_optimizer_step", 6, 7),
    ],
)
def test_an_ending_begins_with_the_next_update(hook: str, step: int, first: int, tmp_path: Path) -> None:
    save = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_top_k=-1, filename="{step}")
    end = ModelCheckpoint(tmp_path, filename="end-{step}", save_top_k=-1, save_on_train_epoch_end=True)
    whole = fit(LRSchedulerCallback("none"), Tiny(), EndAt(hook, step), save, end, max_epochs=4).rates
    ending = [0.075, 0.05, 0.025, *[0.0] * (17 - first)]
    np.testing.assert_allclose(whole, [*[0.1] * first, *ending], atol=1e-15)
    for path in sorted(tmp_path.glob("*.ckpt")):
        at = int(path.stem.rpartition("=")[2])
        if at < first or at == 20 or (at == step and ("end" not in path.stem or hook == "on_train_epoch_start")):
            continue  # it was written before anybody asked
        assert fit(LRSchedulerCallback("none"), ckpt=str(path), max_epochs=4).rates == whole[at:], path


def test_an_ending_that_is_asked_for_before_the_fit_begins_with_it() -> None:
    callback = LRSchedulerCallback({"name": "none"})
    callback.decay_now("4st")
    np.testing.assert_allclose(fit(callback, max_epochs=1).rates, [0.075, 0.05, 0.025, 0, 0], atol=1e-12)
    assert fit(callback, max_epochs=1).rates == [0.1] * 5


@pytest.mark.parametrize("text", ["nonsense", "200%", "0", "5min linear", "10% spline", "-3", "\x00\xff", "x" * 10_000])
def test_a_file_that_says_nothing_ends_no_run(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "decay"

    class Touch(Tiny):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            if len(self.rates) == 4:
                file.write_text(text)
            if len(self.rates) == 8:
                file.write_text("3 st")  # and a better one counts
            return super().training_step(batch, batch_idx)

    rates = fit(LRSchedulerCallback("none", decay_file=str(file)), Touch()).rates
    np.testing.assert_allclose(rates, [*[0.1] * 9, 0.2 / 3, 0.1 / 3, *[0.0] * 4], atol=1e-15)
    lines = [line for line in capsys.readouterr().out.splitlines() if "no early ending" in line]
    assert len(lines) == 1
    assert len(lines[0]) < 1000


@pytest.mark.parametrize("text", ["20 %", "20% Linear", "20%", " 3st\n", "3", "linear 20%"])
def test_a_file_is_understood(text: str, tmp_path: Path) -> None:
    file = tmp_path / "decay"

    class Touch(Tiny):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            if len(self.rates) == 4:
                file.write_text(text)
            return super().training_step(batch, batch_idx)

    rates = fit(LRSchedulerCallback("none", decay_file=str(file)), Touch()).rates
    np.testing.assert_allclose(rates, [*[0.1] * 5, 0.2 / 3, 0.1 / 3, *[0.0] * 8], atol=1e-15)


def test_a_file_of_the_last_run_does_not_count(tmp_path: Path) -> None:
    file = tmp_path / "decay"
    file.write_text("10%")
    callback = LRSchedulerCallback("none", decay_file=str(file))
    assert set(fit(callback).rates) == {0.1}
    assert set(fit(callback).rates) == {0.1}


# ---------------------------------------------------------------------------------------- metrics

PLATEAU = {"name": "reduce_on_plateau", "patience": 0, "factor": 0.5}


class Falls(Tiny):
    """Its train metric gets better for two epochs, and worse after that."""

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        self.log("mean", float([3, 2, 2.5, 2.6, 2.7, 2.8][self.trainer.current_epoch]), on_epoch=True, on_step=False)
        self.log("accuracy", 1.0, on_epoch=True, on_step=False)
        return super().training_step(batch, batch_idx)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_accuracy", 0.5)


def test_a_train_metric_of_the_last_batch_is_in_the_checkpoint(tmp_path: Path) -> None:
    node = {**PLATEAU, "monitor": "mean"}
    save = ModelCheckpoint(tmp_path, every_n_train_steps=5, save_top_k=-1, filename="{step}")
    whole = fit(LRSchedulerCallback(node), Falls(), save, max_epochs=6).rates
    assert whole == fit(LRSchedulerCallback(node), Falls(), max_epochs=6).rates
    assert whole[-1] == 0.1 * 0.5**3
    for step in (5, 10, 15, 20, 25):
        ckpt = str(tmp_path / f"step={step}.ckpt")
        assert fit(LRSchedulerCallback(node), Falls(), ckpt=ckpt, max_epochs=6).rates == whole[step:], step
        # without a validation too, where a metric that has been logged before must not be called unknown
        rest = fit(LRSchedulerCallback(node), Falls(), ckpt=ckpt, max_epochs=6, limit_val_batches=0).rates
        assert rest == whole[step:], step


@pytest.mark.parametrize("sanity", [0, 2])
def test_a_train_metric_is_not_taken_for_a_misspelt_one(sanity: int) -> None:
    callback = LRSchedulerCallback({**PLATEAU, "monitor": "accuracy"})
    assert fit(callback, Falls(), num_sanity_val_steps=sanity).rates[-1] == 0.05


def test_a_train_metric_may_be_named_as_a_validations() -> None:
    class Logs(Tiny):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            self.log("dev_loss", 1.0, on_epoch=True, on_step=False)
            return super().training_step(batch, batch_idx)

    callback = LRSchedulerCallback({**PLATEAU, "monitor": "dev_loss"})
    assert fit(callback, Logs(), num_sanity_val_steps=0).rates[-1] == 0.05


def test_copies_while_a_metric_is_awaited() -> None:
    class Logs(Tiny):
        def on_train_epoch_end(self) -> None:
            self.log("at_the_end", 1.0)

    copies: list[Any] = []

    class Copy(pl.Callback):
        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            callback = next(c for c in trainer.callbacks if isinstance(c, LRSchedulerCallback))
            copies.append(copy.deepcopy(callback))

    callback = LRSchedulerCallback({**PLATEAU, "monitor": "at_the_end"})
    run = trainer(callback, Copy())
    run.fit(Logs(), loader(), loader(2))
    assert [one.state_dict()["version"] for one in copies] == [2, 2, 2]


def test_two_critic_steps_per_batch_simply_count() -> None:
    from test_callback import Gan

    module = Gan()
    trainer(LRSchedulerCallback(schedulers={"0": "none", "1": {"name": "exponential", "interval": "step"}})).fit(
        module, loader()
    )
    np.testing.assert_allclose(module.rates["d"], 0.2 * 0.95 ** np.arange(30))
