"""The ways in which people train: other callbacks, loaders, limits and interruptions, each against the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import oracle
import pytest
import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from lightning_helpers import Stream, Tiny, loader, trainer
from omegaconf import OmegaConf
from oracle import Run
from pytorch_lightning import callbacks as theirs
from pytorch_lightning.tuner import Tuner
from pytorch_lightning.utilities import CombinedLoader
from torch.utils.data import DataLoader

from lr_configs import LRSchedulerCallback

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*(val|test)_dataloader.*"),
    pytest.mark.filterwarnings("ignore:.*Trying to infer the `batch_size`.*"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory.*"),
    pytest.mark.filterwarnings("ignore:.*overfit_batches.*"),
    pytest.mark.filterwarnings("ignore:.*was called without a model.*"),
    pytest.mark.filterwarnings("ignore:.*no last checkpoint available.*"),
]
NODES: dict[str, dict[str, Any]] = {
    "step": {"name": "lambda", "lr_lambda": "max(1 - t / T, 0)", "interval": "step"},
    "epoch": {"name": "lambda", "lr_lambda": "max(1 - t / T, 0)", "interval": "epoch"},
    "warmup": {"name": "cosine", "warmup": "10%", "cooldown": "1ep"},
    "frequency": {"name": "rex", "frequency": 3},
    "epochs": {"name": "step", "step_size": "2ep", "gamma": 0.5},
}
each = pytest.mark.parametrize("node", NODES.values(), ids=NODES)
some = pytest.mark.parametrize("node", [NODES["epoch"], NODES["warmup"]], ids=["epoch", "warmup"])


class Watch(pl.Callback):
    """What every update is made with."""

    def __init__(self) -> None:
        self.rates: list[Any] = []
        self.epochs: list[int] = []

    def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
        self.rates.append(float(optimizer.param_groups[0]["lr"]))
        self.epochs.append(trainer.current_epoch)


def due(node: dict[str, Any], run: Run, lr: float = 0.1) -> list[float]:
    return [rates[0] for rates in oracle.begin(node, run, (lr,)).trace()]


def same(found: list[float], wanted: list[float]) -> None:
    assert found == pytest.approx(wanted, rel=1e-12, abs=1e-15)


def trained(node: dict[str, Any], *more: Any, module: Any = None, ckpt: Any = None, **kwargs: Any) -> list[float]:
    """The rates of a run of three epochs of five updates, where nothing else is said."""
    watch, train = Watch(), kwargs.pop("train", None)
    kwargs.setdefault("enable_checkpointing", any(isinstance(one, theirs.Checkpoint) for one in more))
    made = trainer(watch, LRSchedulerCallback(node), *more, **kwargs)
    own = {} if hasattr(module, "own_data") else {"train_dataloaders": loader(5) if train is None else train}
    made.fit(module or Tiny(), **own, val_dataloaders=loader(2) if own else None, ckpt_path=ckpt)
    return watch.rates


# ------------------------------------------------------------------------------------------------ more than one fit


@some
def test_a_validation_in_front(node: dict[str, Any]) -> None:
    watch, module = Watch(), Tiny()
    made = trainer(watch, LRSchedulerCallback(node))
    made.validate(module, loader(2), verbose=False)
    made.fit(module, loader(5), loader(2))
    same(watch.rates, due(node, Run(5, 1, 3)))


@each
def test_a_trainer_that_fits_again_lays_the_schedule_over_what_remains(node: dict[str, Any], tmp_path: Path) -> None:
    """Its optimizers are new, and it goes on with the next epoch: a schedule of the whole run would end in its middle."""
    save = theirs.ModelCheckpoint(tmp_path, every_n_train_steps=22, save_top_k=-1, filename="{step}")
    watch, module, run = Watch(), Tiny(), Run(5, 1, 6)
    made = trainer(watch, LRSchedulerCallback(node), save)
    made.fit(module, loader(5), loader(2))
    same(watch.rates, due(node, Run(5, 1, 3)))
    made.fit_loop.max_epochs = 6
    made.fit(module, loader(5), loader(2))
    assert watch.epochs[15:] == [3] * 5 + [4] * 5 + [5] * 5
    rest = oracle.Track(oracle.resolve(node, run, 15), (0.1,), run, None, origin=15).trace(15)
    same(watch.rates[15:], [rates[0] for rates in rest])
    again = Watch()
    kept = trainer(again, LRSchedulerCallback(node, resume="keep"), max_epochs=6)
    kept.fit(module, loader(5), loader(2), ckpt_path=str(tmp_path / "step=22.ckpt"))
    same(again.rates, watch.rates[22:])


# ------------------------------------------------------------------------------------------------ how long it is


LIMITS: list[tuple[dict[str, Any], Run]] = [
    ({"overfit_batches": 3}, Run(3, 1, 3)),
    ({"fast_dev_run": 4}, Run(4, 1, 1, 4)),
    ({"max_epochs": -1, "max_steps": 8}, Run(5, 1, None, 8)),
    ({"max_epochs": 3, "max_steps": 8}, Run(5, 1, 3, 8)),
    ({"max_epochs": 4, "min_epochs": 2, "min_steps": 12}, Run(5, 1, 4)),
    ({"max_epochs": 4, "max_time": {"hours": 1}}, Run(5, 1, 4)),
    ({"max_epochs": 3, "reload_dataloaders_every_n_epochs": 1}, Run(5, 1, 3)),
    ({"max_epochs": 3, "accumulate_grad_batches": 2, "limit_train_batches": 0.8}, Run(4, 2, 3)),
]


@pytest.mark.parametrize(("limits", "run"), LIMITS, ids=lambda one: str(one)[:40])
def test_limits(limits: dict[str, Any], run: Run) -> None:
    for node in NODES.values():
        if node.get("frequency", 1) <= run.updates and not (node is NODES["warmup"] and run.updates < 5):
            same(trained(node, **limits), due(node, run))


@pytest.mark.parametrize(("mode", "batches"), [("min_size", 3), ("max_size_cycle", 7), ("max_size", 7)])
def test_loaders_together(mode: Any, batches: int) -> None:
    class Several(Tiny):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            return super().training_step(next(one for one in batch.values() if one is not None), batch_idx)

    for node in NODES.values():
        both = CombinedLoader({"a": loader(3), "b": loader(7)}, mode)
        same(trained(node, module=Several(), train=both), due(node, Run(batches, 1, 3)))


@pytest.mark.parametrize(
    ("limits", "run"),
    [
        ({"limit_train_batches": 4}, Run(4, 1, 3)),
        ({"max_epochs": 3, "max_steps": 11, "limit_train_batches": 4}, Run(4, 1, 3, 11)),
    ],
)
@each
def test_a_stream_that_is_limited(node: dict[str, Any], limits: dict[str, Any], run: Run) -> None:
    same(trained(node, train=DataLoader(Stream(5), batch_size=2), **limits), due(node, run))


def test_loaders_that_grow(capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be known is said, and epochs stay epochs."""

    class Growing(Tiny):
        own_data = True

        def train_dataloader(self) -> Any:
            return loader(3 + self.trainer.current_epoch)

    found = trained(NODES["epoch"], module=Growing(), reload_dataloaders_every_n_epochs=1)
    same(found, [0.1] * 3 + [0.1 * 2 / 3] * 4 + [0.1 / 3] * 5)
    found = trained(NODES["step"], module=Growing(), reload_dataloaders_every_n_epochs=1)
    same(found, [0.1 * max(1 - t / 9, 0) for t in range(12)])
    assert "more updates than planned: 12 by now, and the schedule was laid out for 9" in capsys.readouterr().out


# ------------------------------------------------------------------------------------------------ other callbacks


def both_ways(node: dict[str, Any], make: Any, run: Run, **kwargs: Any) -> None:
    """Beside another callback, in front of it and behind it."""
    same(trained(node, make(), **kwargs), due(node, run))
    watch = Watch()
    trainer(make(), LRSchedulerCallback(node), watch, **kwargs).fit(Tiny(), loader(5), loader(2))
    same(watch.rates, due(node, run))


@some
def test_averages_of_weights(node: dict[str, Any]) -> None:
    both_ways(node, theirs.WeightAveraging, Run(5, 1, 3))


class Measured(Tiny):
    """Has data, a batch size, and a loss with a minimum."""

    own_data, batch_size = True, 2

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return (self.layers[0](batch) - 1).pow(2).mean()

    def train_dataloader(self) -> Any:
        return DataLoader(torch.rand(24, 2), batch_size=self.batch_size)

    def val_dataloader(self) -> Any:
        return DataLoader(torch.rand(24, 2), batch_size=self.batch_size)


@some
def test_a_search_for_the_rate(node: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rates that it tried leave nothing behind, and the schedule begins from the one that it found."""
    monkeypatch.chdir(tmp_path)
    module = Measured()
    finder = theirs.LearningRateFinder(num_training_steps=20, update_attr=True)
    found = trained(node, finder, module=module, enable_checkpointing=True)
    same(found[-36:], due(node, Run(12, 1, 3), module.lr))
    watch, module = Watch(), Measured()
    made = trainer(watch, LRSchedulerCallback(node), enable_checkpointing=True)
    Tuner(made).lr_find(module, num_training=20, update_attr=True)
    watch.rates.clear()
    made.fit(module)
    same(watch.rates, due(node, Run(12, 1, 3), module.lr))


@some
def test_a_search_for_the_batch_size(node: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = Measured()
    finder = theirs.BatchSizeFinder(max_trials=1, init_val=4, steps_per_trial=2)
    found = trained(node, finder, module=module, enable_checkpointing=True)
    assert module.batch_size == 4
    same(found, due(node, Run(6, 1, 3)))


# ------------------------------------------------------------------------------------------------ interruptions


@each
def test_early_stopping_and_going_on_from_the_last_checkpoint(node: dict[str, Any], tmp_path: Path) -> None:
    def save() -> Any:
        return theirs.ModelCheckpoint(tmp_path, save_last=True, save_on_train_epoch_end=True)

    whole = due(node, Run(5, 1, 6))
    first = trained(node, theirs.EarlyStopping("val_loss", patience=2), save(), max_epochs=6)
    assert len(first) == 15
    same(first, whole[:15])
    same(trained(node, save(), max_epochs=6, ckpt="last"), whole[15:])


@each
def test_a_run_that_is_stopped_within_an_epoch(node: dict[str, Any], tmp_path: Path) -> None:
    class Stop(pl.Callback):
        def on_train_batch_end(self, trainer: Any, *args: Any) -> None:
            trainer.should_stop = trainer.global_step == 7

    def save() -> Any:
        return theirs.ModelCheckpoint(tmp_path, save_last=True, every_n_train_steps=1)

    whole = due(node, Run(5, 1, 4))
    same(trained(node, Stop(), save(), max_epochs=4), whole[:7])
    same(trained(node, save(), max_epochs=4, ckpt="last"), whole[7:])


@each
def test_checkpoints_between_the_batches_of_an_accumulation(node: dict[str, Any], tmp_path: Path) -> None:
    class Save(theirs.Checkpoint):
        def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            trainer.save_checkpoint(tmp_path / f"{trainer.current_epoch}-{batch_idx}.ckpt")

    kwargs: dict[str, Any] = {"train": loader(7), "accumulate_grad_batches": 3}
    whole = due(node, Run(7, 3, 3))
    same(trained(node, Save(), **kwargs), whole)
    for epoch, batch, done in ((0, 3, 1), (0, 6, 3), (1, 1, 3), (2, 4, 7)):
        same(trained(node, ckpt=str(tmp_path / f"{epoch}-{batch}.ckpt"), **kwargs), whole[done:])


@each
def test_a_checkpoint_that_an_exception_leaves(node: dict[str, Any], tmp_path: Path) -> None:
    class Breaks(Tiny):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            if self.trainer.global_step == 7:
                raise RuntimeError("broken")
            return super().training_step(batch, batch_idx)

    save = theirs.OnExceptionCheckpoint(tmp_path)
    with pytest.raises(RuntimeError, match="broken"):
        trained(node, save, module=Breaks(), max_epochs=4)
    found = trained(node, ckpt=str(next(tmp_path.glob("*.ckpt"))), max_epochs=4)
    same(found, due(node, Run(5, 1, 4))[7:])


# ------------------------------------------------------------------------------------------------ manual optimization


@pytest.mark.parametrize(("every", "steps", "updates"), [(1, 1, 5), (1, 2, 10), (5, 1, 1)])
def test_a_critic_with_updates_of_its_own(every: int, steps: int, updates: int, capsys: Any) -> None:
    """Two for every batch, or one for every fifth: an epoch has as many as `total_steps` says."""

    class Gan(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.automatic_optimization = False
            self.generator, self.critic = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
            self.seen: list[list[float]] = [[], []]

        def training_step(self, batch: Any, batch_idx: int) -> None:
            for i, optimizer in enumerate(self.optimizers()):
                self.toggle_optimizer(optimizer)
                for _ in range(1 if i == 0 else steps if (batch_idx + 1) % every == 0 else 0):
                    self.seen[i].append(optimizer.param_groups[0]["lr"])
                    optimizer.zero_grad()
                    self.manual_backward((self.generator if i == 0 else self.critic)(batch).sum())
                    optimizer.step()
                self.untoggle_optimizer(optimizer)

        def configure_optimizers(self) -> Any:
            return [torch.optim.SGD(one.parameters(), lr=0.1) for one in (self.generator, self.critic)]

    for node in ({"name": "cosine", "warmup": "1ep"}, {"name": "step", "step_size": "2ep", "gamma": 0.5}):
        callback = LRSchedulerCallback(
            schedulers={"generator": node, "critic": node}, total_steps={"generator": 20, "critic": 4 * updates}
        )
        module = Gan()
        trainer(callback, max_epochs=4).fit(module, loader(5), loader(2))
        same(module.seen[0], due(node, Run(5, 1, 4)))
        same(module.seen[1], due(node, Run(updates, 1, 4)))
    assert "total_steps=" not in capsys.readouterr().out  # nobody but the module knows how many it makes


@pytest.mark.parametrize("reload", [0, 1])
def test_batches_that_are_limited_while_it_trains(reload: int) -> None:
    """Lightning looks at the limit when it loads the data again, and epochs stay epochs."""

    class Limit(pl.Callback):
        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            trainer.limit_train_batches = 3

    found = trained(NODES["epoch"], Limit(), reload_dataloaders_every_n_epochs=reload)
    size = 3 if reload else 5
    same(found, [0.1] * 5 + [0.1 * 2 / 3] * size + [0.1 / 3] * size)


# ------------------------------------------------------------------------------------------------ templates


class Template(Tiny):
    """As lightning-hydra-template's: a partial object among the hyper-parameters, and an interval that is written there."""

    def __init__(self, scheduler: Any) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)

    def configure_optimizers(self) -> Any:
        optimizer = super().configure_optimizers()
        scheduler = self.hparams.scheduler(optimizer=optimizer)
        record = {"scheduler": scheduler, "monitor": "val_loss", "interval": "epoch", "frequency": 1}
        return {"optimizer": optimizer, "lr_scheduler": record}


@pytest.mark.parametrize("name", ["epoch", "warmup", "plateau"])
def test_a_template_goes_on_from_its_checkpoint(name: str, tmp_path: Path) -> None:
    """Also where the checkpoint is read safely, which a partial object among the hyper-parameters would forbid."""
    plateau = {"name": "reduce_on_plateau", "monitor": "val_loss", "patience": 0, "factor": 0.5}
    node = NODES.get(name, plateau)
    cfg = OmegaConf.create({"_target_": "lr_configs.scheduler", "_partial_": True, **node})
    watches = []
    for ckpt in (None, str(tmp_path / "step=7.ckpt")):
        save = theirs.ModelCheckpoint(tmp_path, every_n_train_steps=7, save_top_k=-1, filename="{step}")
        watches.append(Watch())
        made = trainer(watches[-1], LRSchedulerCallback(), save)
        made.fit(Template(instantiate(cfg)), loader(5), loader(2), ckpt_path=ckpt)
    same(watches[0].rates, [0.1] * 10 + [0.05] * 5 if name == "plateau" else due(node, Run(5, 1, 3)))
    same(watches[1].rates, watches[0].rates[7:])
    kept = torch.load(tmp_path / "step=7.ckpt", weights_only=True)["hyper_parameters"]["scheduler"]
    assert kept == OmegaConf.to_container(cfg)
