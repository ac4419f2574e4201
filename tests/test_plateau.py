"""Metric-driven schedules in real training: each new value once, wherever it comes from."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from helpers import optimizer, rates
from lightning_helpers import Tiny, fit, loader, trainer

from lr_configs import LRSchedulerCallback, SchedulerConfigError, build

NODE = {"name": "reduce_on_plateau", "monitor": "val_loss", "patience": 0, "factor": 0.5}


def values(callback: Any) -> int:
    return int(callback.driver.tracks[0].values)


@pytest.mark.parametrize(
    ("kwargs", "count"),
    [
        ({}, 3),
        ({"check_val_every_n_epoch": 2, "max_epochs": 4}, 2),
        ({"val_check_interval": 0.5, "max_epochs": 3}, 6),
        ({"val_check_interval": 3, "check_val_every_n_epoch": None, "max_epochs": 3}, 4),
    ],
)
@pytest.mark.parametrize("interval", ["auto", "step", "epoch"])
def test_every_validation_counts_once(kwargs: dict[str, Any], count: int, interval: str) -> None:
    module = Tiny()
    module.metric = iter([1.0] * 100)
    callback = LRSchedulerCallback({**NODE, "interval": interval})
    run = trainer(callback, **kwargs)
    run.fit(module, loader(4), loader(2))
    assert values(callback) == count
    # the first value is the best so far, every further one a reduction
    assert run.optimizers[0].param_groups[0]["lr"] == 0.1 * 0.5 ** (count - 1)


@pytest.mark.parametrize(
    ("monitor", "count"),
    [("train_loss", 3), ("each_step", 15), ("at_the_end", 3), ("both", 3), ("both_step", 15), ("both_epoch", 3)],
)
def test_training_metrics(monitor: str, count: int) -> None:
    class Logs(Tiny):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            self.log("each_step", 1.0)
            self.log("both", 1.0, on_step=True, on_epoch=True)
            return super().training_step(batch, batch_idx)

        def on_train_epoch_end(self) -> None:
            self.log("at_the_end", 1.0)

    callback = LRSchedulerCallback({**NODE, "monitor": monitor})
    fit(callback, Logs())
    assert values(callback) == count


def test_a_training_metric_needs_no_validation() -> None:
    callback = LRSchedulerCallback({**NODE, "monitor": "train_loss"})
    fit(callback, limit_val_batches=0)
    assert values(callback) == 3


def test_frequency_takes_every_second_value() -> None:
    callback = LRSchedulerCallback({**NODE, "frequency": 2})
    run = trainer(callback, max_epochs=6)
    run.fit(Tiny(), loader(), loader(2))
    assert run.optimizers[0].param_groups[0]["lr"] == 0.1 * 0.5**2


@pytest.mark.parametrize("sanity", [0, 2])
@pytest.mark.parametrize(
    ("wrong", "hint"), [("val_los", "val_loss"), ("val/loss", "val_loss"), ("valid_loss", "val_loss")]
)
def test_a_misspelt_monitor_is_named_at_the_first_validation(wrong: str, hint: str, sanity: int) -> None:
    module = Tiny()
    with pytest.raises(SchedulerConfigError, match=f"monitor='{wrong}'.*did you mean '{hint}'"):
        fit(LRSchedulerCallback({**NODE, "monitor": wrong}), module, num_sanity_val_steps=sanity)
    assert len(module.rates) == (0 if sanity else 5)


def test_a_metric_that_a_validation_leaves_out_is_no_misspelt_one() -> None:
    class Rare(Tiny):
        def validation_step(self, batch: Any, batch_idx: int) -> None:
            self.log("val_loss", 1.0)
            if self.current_epoch % 2 == 0:
                self.log("val_rare", 1.0)

    callback = LRSchedulerCallback({**NODE, "monitor": "val_rare"})
    fit(callback, Rare(), max_epochs=5, num_sanity_val_steps=0)
    assert values(callback) == 3


def test_a_monitor_like_nothing_is_named_after_an_epoch() -> None:
    with pytest.raises(SchedulerConfigError, match=r"monitor='bleu'.*Logged: train_loss, val_loss"):
        fit(LRSchedulerCallback({**NODE, "monitor": "bleu"}))
    with pytest.raises(SchedulerConfigError, match=r"monitor='train_bleu'.*Logged: train_loss, val_loss"):
        fit(LRSchedulerCallback({**NODE, "monitor": "train_bleu"}), max_epochs=1)


@pytest.mark.filterwarnings("ignore:You defined a `validation_step`")
def test_a_run_without_validation_is_refused_before_training() -> None:
    module = Tiny()
    with pytest.raises(SchedulerConfigError, match="this run has no validation"):
        fit(LRSchedulerCallback(NODE), module, limit_val_batches=0)
    with pytest.raises(SchedulerConfigError, match="this run has no validation"):
        trainer(LRSchedulerCallback(NODE)).fit(module, loader())
    assert module.rates == []


def test_other_validations_do_not_count() -> None:
    callback = LRSchedulerCallback(NODE)
    run, module = trainer(callback), Tiny()
    run.fit(module, loader(), loader(2))
    run.validate(module, loader(2), verbose=False)
    assert values(callback) == 3


def test_composites_with_a_plateau() -> None:
    node = {
        "name": "sequential",
        "monitor": "val_loss",
        "interval": "step",
        "stages": {
            "up": {"name": "linear", "start_factor": 0.5, "total_iters": "100%", "length": 5},
            "then": {"name": "reduce_on_plateau", "patience": 0, "factor": 0.5},
        },
    }
    module = fit(LRSchedulerCallback(node), max_epochs=4)
    assert module.rates[:5] == pytest.approx([0.05, 0.06, 0.07, 0.08, 0.09])
    # the value after epoch 1 is the first that counts: warming up has ended by then
    assert module.rates[5:] == pytest.approx([0.1] * 5 + [0.05] * 5 + [0.025] * 5)


class SavesAtItsEnd(Tiny):
    """Logs in its own epoch end, which comes after every callback's, and saves there."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def on_train_epoch_end(self) -> None:
        self.log("at_the_end", 1.0)
        self.trainer.save_checkpoint(self.folder / f"{self.current_epoch}.ckpt")


@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_a_checkpoint_behind_the_very_last_metric_has_it(interval: str, tmp_path: Path) -> None:
    node = {**NODE, "monitor": "at_the_end", "interval": interval}
    whole = fit(LRSchedulerCallback(node), SavesAtItsEnd(tmp_path), max_epochs=5).rates
    assert whole[::5] == [0.1, 0.1, 0.05, 0.025, 0.0125]
    (tmp_path / "again").mkdir()
    for epoch in range(4):
        ckpt = tmp_path / f"{epoch}.ckpt"
        again = fit(LRSchedulerCallback(node), SavesAtItsEnd(tmp_path / "again"), ckpt=ckpt, max_epochs=5)
        assert again.rates == whole[5 * (epoch + 1) :], epoch


def test_a_late_group_has_the_last_of_the_lowest_rates() -> None:
    opt = torch.optim.SGD([{"params": [torch.zeros(1)], "lr": 0.1 * (1 + i)} for i in range(2)])
    schedule: Any = build({**NODE, "min_lr": [0.04, 0.07]}, opt)
    opt.add_param_group({"params": [torch.zeros(1)], "lr": 0.3})
    for _ in range(4):
        schedule.react(1.0)
    assert [group["lr"] for group in opt.param_groups] == pytest.approx([0.04, 0.07, 0.07])
    del opt.param_groups[1:]
    schedule.react(1.0)
    assert [group["lr"] for group in opt.param_groups] == pytest.approx([0.04])


def test_plateau_moves_by_the_metric_alone() -> None:
    class Seen(pl.Callback):
        def on_validation_end(self, trainer: Any, module: Any) -> None:
            if not trainer.sanity_checking:
                self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])

        rates: list[float] = []

    module, seen = Tiny(), Seen()
    module.metric = iter([3.0, 2.0, 2.0, 1.0, 1.5])
    fit(LRSchedulerCallback(NODE), module, seen, max_epochs=5)
    assert seen.rates == [0.1, 0.1, 0.05, 0.05, 0.025]


@pytest.mark.parametrize("verbose", [True, False])
def test_every_change_is_printed(verbose: bool, capsys: Any) -> None:
    """Those of the warmup and of the metric, and nothing where a rate stays."""
    warmup = {"warmup": "2st", "warmup_start_factor": 0.5, "interval": "step"}
    opt = optimizer(1)
    schedule = build({**NODE, **warmup, "verbose": verbose}, opt)
    for value in (None, None, 1.0, 1.0, 1.0):
        opt.step()
        schedule.step(value)  # type: ignore[arg-type]
    changes = [(0, "5.0000e-02"), (1, "7.5000e-02"), (2, "1.0000e-01"), (4, "5.0000e-02"), (5, "2.5000e-02")]
    lines = [f"Step {t:05d}: adjusting learning rate of group 0 to {rate}." for t, rate in changes]
    assert capsys.readouterr().out.splitlines() == (lines if verbose else [])
    assert rates(opt) == [0.025]


def test_torchs_count_is_one_of_metrics() -> None:
    opt = optimizer(1)
    opt.param_groups[0]["initial_lr"] = 0.1
    schedule: Any = build({**NODE, "warmup": 5, "last_epoch": 3, "interval": "step"}, opt)
    assert (schedule.state_dict()["last_epoch"], schedule.position) == (0, 4)
    for value in (None, None, 1.0, 1.0):  # during the warmup none counts
        opt.step()
        schedule.step(value)
    assert (schedule.state_dict()["last_epoch"], schedule.position) == (2, 8)


def test_a_state_within_the_warmup_goes_on_with_it() -> None:
    node = {**NODE, "warmup": "4st", "warmup_start_factor": 0.2, "interval": "step"}
    schedule = build(node, first := optimizer(1))
    for _ in range(2):
        first.step()
        schedule.step()  # type: ignore[call-arg]
    opt = optimizer(1)
    opt.param_groups[0]["lr"] = 0.3  # the state has the rate that it began from
    again = build(node, opt)
    again.load_state_dict(schedule.state_dict())
    assert rates(opt) == rates(first) == [pytest.approx(0.06)]
    assert again.state_dict() == schedule.state_dict()
    for expected in (0.08, 0.1, 0.05, 0.025):  # the metric's values count from the end of the warmup on
        opt.step()
        again.step(1.0)  # type: ignore[arg-type]
        assert rates(opt) == [pytest.approx(expected)]


# ---------------------------------------------------------------------------------------- metrics that do not always come

RANDOM = random.Random(7)
VALUES = [RANDOM.lognormvariate(0, 1) for _ in range(100)]


class Metrics(Tiny):
    """Says which values there are, each with the number of the first update that it counts for."""

    def __init__(self) -> None:
        super().__init__()
        self.due: list[tuple[int, float]] = []

    def say(self, update: int) -> None:
        self.log("m", VALUES[update])
        self.due.append((update, VALUES[update]))


class OfEveryOtherBatch(Metrics):
    def training_step(self, batch: Any, batch_idx: int) -> Any:
        if batch_idx % 2 == 0:
            self.say(self.global_step + 1)
        return super().training_step(batch, batch_idx)


class OfEveryOtherEpoch(Metrics):
    def training_step(self, batch: Any, batch_idx: int) -> Any:
        end = 5 * (self.current_epoch + 1)
        if self.current_epoch % 2 == 0:
            self.log("m", VALUES[end], on_epoch=True, on_step=False)
            if batch_idx == 4:
                self.due.append((end, VALUES[end]))
        return super().training_step(batch, batch_idx)


class AtTheEndOfTheEpoch(Metrics):
    """In the module's own hook, which comes behind ours."""

    def on_train_epoch_end(self) -> None:
        self.say(self.global_step)


class AtTheEndOfSomeEpochs(Metrics):
    def on_train_epoch_end(self) -> None:
        if self.current_epoch != 1:
            self.say(self.global_step)


class OfEveryOtherValidation(Metrics):
    def on_validation_epoch_end(self) -> None:
        if not self.trainer.sanity_checking and self.global_step % 2 == 0:
            self.say(self.global_step)


def reduced(due: list[tuple[int, float]], updates: int) -> list[float]:
    """A slow reference with a patience of 0: whatever is not better than the best halves the rate."""
    rates = []
    for update in range(updates):
        best, rate = math.inf, 0.1
        for _, value in (one for one in due if one[0] <= update):
            rate, best = (rate, value) if value < best * (1 - 1e-4) else (rate / 2, best)
        rates.append(rate)
    return rates


def test_on_a_device_that_does_not_tell_every_value_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(one: Any, other: Any) -> bool:
        raise NotImplementedError

    monkeypatch.setattr(torch.Tensor, "is_set_to", refuses)
    callback = LRSchedulerCallback(NODE)
    fit(callback, max_epochs=4)
    assert values(callback) == 4


SOMETIMES = [OfEveryOtherBatch, OfEveryOtherEpoch, AtTheEndOfTheEpoch, AtTheEndOfSomeEpochs, OfEveryOtherValidation]
HALVED = {"name": "reduce_on_plateau", "monitor": "m", "patience": 0, "factor": 0.5, "threshold_mode": "rel"}


@pytest.mark.parametrize("cls", SOMETIMES)
def test_every_value_counts_once(cls: Any) -> None:
    """One that is not logged again is no new one, though callback_metrics still has it."""
    module = fit(
        LRSchedulerCallback(HALVED), cls(), max_epochs=6, val_check_interval=2 if "Validation" in cls.__name__ else None
    )
    assert len(module.due) >= 3
    assert module.rates == pytest.approx(reduced(module.due, 30), rel=1e-12)


@pytest.mark.parametrize("cls", SOMETIMES[2:4])
@pytest.mark.parametrize("killed", [1, 2, 3])
def test_every_value_counts_once_across_a_checkpoint(cls: Any, killed: int, tmp_path: Path) -> None:
    """The checkpoint of an epoch's end has what the module has logged in its own hook."""
    whole = fit(LRSchedulerCallback(HALVED), cls(), max_epochs=6)
    save = pl.callbacks.ModelCheckpoint(tmp_path, save_last=True, save_on_train_epoch_end=True)
    fit(LRSchedulerCallback(HALVED, resume="keep"), cls(), save, max_epochs=killed)
    again = fit(LRSchedulerCallback(HALVED), cls(), max_epochs=6, ckpt=tmp_path / "last.ckpt")
    assert again.rates == pytest.approx(whole.rates[5 * killed :], rel=1e-12)


def test_another_fit_knows_nothing_of_the_metrics_of_the_last() -> None:
    callback = LRSchedulerCallback(HALVED)
    fit(callback, AtTheEndOfTheEpoch(), max_epochs=2)
    with pytest.raises(SchedulerConfigError, match="monitor='m': no metric of this name was logged"):
        fit(callback, Tiny(), max_epochs=2)
