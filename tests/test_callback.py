"""The callback in real Trainers on CPU: rates compared value by value with the closed form."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from helpers import CURVED, TORCH_NAMES, TWINS, T, sequence
from lightning_helpers import Stream, Tiny, fit, loader, trainer
from pytorch_lightning.callbacks import GradientAccumulationScheduler, LearningRateMonitor, ModelCheckpoint
from torch.utils.data import DataLoader

import lr_configs
from lr_configs import Horizon, LRSchedulerCallback, SchedulerConfigError, available, curve
from lr_configs.plan import resolve

#: the twins again, where 20 steps of a stage do not fit the run
SHORT = {
    **TWINS,
    "sequential": (
        {"stages": [{"name": "linear", "start_factor": 0.1, "total_iters": 2, "length": 2}, {"name": "exponential"}]},
        lambda o: sequence(o, [T.LinearLR(o, 0.1, 1.0, 2), T.ExponentialLR(o, 0.95)], [2]),
    ),
}


def expected(node: Any, horizon: Horizon, frequency: int = 1) -> Any:
    """The curve, one value per update."""
    plan = resolve(node, horizon)
    values = curve(node, base_lr=0.1, horizon=horizon)
    per = horizon.steps_per_epoch if plan.interval == "epoch" else 1
    return np.repeat(values, per * frequency)


@pytest.mark.parametrize("interval", ["epoch", "step", "auto"])
@pytest.mark.parametrize("name", CURVED)
def test_the_trace_in_a_trainer_is_the_curve(name: str, interval: str) -> None:
    node = copy.deepcopy({"name": name, **TWINS[name][0], "interval": interval})
    if name == "one_cycle":
        node["total_steps"] = 20
    if name == "sequential":
        node["stages"]["warmup"]["length"] = 1
    module = fit(LRSchedulerCallback(node))
    np.testing.assert_allclose(module.rates, expected(node, Horizon(epochs=3, steps_per_epoch=5)), rtol=1e-15)


@pytest.mark.parametrize("name", available())
def test_every_schedule_runs_with_its_defaults(name: str) -> None:
    node = {"name": name} | ({"monitor": "val_loss"} if name == "reduce_on_plateau" else {})
    module = fit(LRSchedulerCallback(node), batches=10)
    assert len(module.rates) == 30
    if name != "reduce_on_plateau":
        np.testing.assert_allclose(module.rates, expected(node, Horizon(epochs=3, steps_per_epoch=10)), rtol=1e-15)


@pytest.mark.parametrize("interval", ["epoch", "step"])
@pytest.mark.parametrize("name", ["cosine", "step", "chained", "sequential"])
def test_equals_torchs_class_driven_by_lightning(name: str, interval: str) -> None:
    params, twin = SHORT[name]

    class Native(Tiny):
        def configure_optimizers(self) -> Any:
            optimizer = super().configure_optimizers()
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": twin(optimizer), "interval": interval}}

    theirs = fit(None, Native())
    mine = fit(LRSchedulerCallback({"name": name, **params, "interval": interval}))
    np.testing.assert_allclose(mine.rates, theirs.rates, rtol=1e-12)


@pytest.mark.parametrize("frequency", [2, 3, 7])
def test_frequency_counts_updates_over_the_whole_run(frequency: int) -> None:
    module = fit(LRSchedulerCallback({"name": "exponential", "gamma": 0.5, "interval": "step", "frequency": frequency}))
    assert module.rates == [0.1 * 0.5 ** (i // frequency) for i in range(15)]


def test_frequency_of_epochs() -> None:
    node = {"name": "exponential", "gamma": 0.5, "frequency": 2}
    module = fit(LRSchedulerCallback(node), max_epochs=6)
    assert module.rates == [0.1 * 0.5 ** (i // 10) for i in range(30)]


def test_accumulation_is_counted_once() -> None:
    node = {"name": "cosine", "interval": "step"}
    module = fit(LRSchedulerCallback(node), batches=10, max_epochs=2, accumulate_grad_batches=3)
    assert len(module.rates) == 8
    np.testing.assert_allclose(module.rates, curve(node, base_lr=0.1, horizon=Horizon(epochs=2, steps_per_epoch=4)))


def test_accumulation_that_changes_between_epochs() -> None:
    node = {"name": "cosine", "interval": "step"}
    module = fit(
        LRSchedulerCallback(node), Tiny(), GradientAccumulationScheduler({0: 1, 1: 5}), batches=10, max_epochs=2
    )
    assert len(module.rates) == 12
    np.testing.assert_allclose(module.rates, curve(node, base_lr=0.1, horizon=Horizon(steps=12)))


@pytest.mark.parametrize(("change", "updates"), [({0: 1, 1: 5}, (10, 2, 2, 2)), ({0: 5, 3: 1}, (2, 2, 2, 10))])
def test_accumulation_that_changes_in_a_run_of_updates(change: dict[int, int], updates: tuple[int, ...]) -> None:
    """Nobody says how many epochs there are; behind the last change they are alike."""
    node = {"name": "multi_step", "milestones": ["1ep", "4ep"], "gamma": 0.5, "interval": "step"}
    made = sum(updates)
    callback, accumulation = LRSchedulerCallback(node), GradientAccumulationScheduler(change)
    module = fit(callback, Tiny(), accumulation, batches=10, max_epochs=-1, max_steps=made + 2)
    expected = [0.1] * updates[0] + [0.05] * (made - updates[0]) + [0.025] * 2
    np.testing.assert_allclose(module.rates, expected)


def test_epochs_of_unequal_length_keep_their_meaning() -> None:
    node = {"name": "step", "step_size": "1ep", "gamma": 0.5, "interval": "step"}
    horizon = Horizon(steps_per_epoch=[10, 2])
    assert resolve(node, horizon).params["step_size"] == 10


@pytest.mark.parametrize(
    ("kwargs", "steps"),
    [
        ({"max_steps": 11}, 11),
        ({"max_steps": 11, "max_epochs": 2}, 10),
        ({"limit_train_batches": 2}, 6),
        ({"fast_dev_run": 3}, 3),
        ({"max_epochs": 1, "overfit_batches": 2}, 2),
    ],
)
def test_run_length(kwargs: dict[str, Any], steps: int) -> None:
    node = {"name": "cosine", "interval": "step"}
    module = fit(LRSchedulerCallback(node), **kwargs)
    np.testing.assert_allclose(module.rates, curve(node, base_lr=0.1, horizon=Horizon(steps=steps)))


def test_total_steps_says_the_length() -> None:
    node = {"name": "cosine", "interval": "step"}
    module = fit(LRSchedulerCallback(node, total_steps=30))
    np.testing.assert_allclose(module.rates, curve(node, base_lr=0.1, horizon=Horizon(steps=30))[:15])


@pytest.mark.parametrize("name", available())
def test_a_smoke_test_runs_with_every_schedule(name: str) -> None:
    node = {"name": name, "warmup": "5%"} | ({"monitor": "val_loss"} if name == "reduce_on_plateau" else {})
    assert len(fit(LRSchedulerCallback(node), fast_dev_run=4).rates) == 4
    assert len(fit(LRSchedulerCallback(node), limit_train_batches=4, max_epochs=1).rates) == 4
    if name != "sequential":  # which has two stages
        assert len(fit(LRSchedulerCallback(node), fast_dev_run=True).rates) == 1


def test_the_loader_is_not_touched_when_nothing_needs_it() -> None:
    class Watch(pl.Callback):
        def on_fit_start(self, trainer: Any, module: Any) -> None:
            self.loaded = trainer.fit_loop._combined_loader is not None

    for node, kwargs, touched in (
        ({"name": "cosine"}, {"max_steps": 10}, False),
        ({"name": "cosine", "interval": "step"}, {"max_steps": 10}, False),
        ({"name": "step", "step_size": 3}, {}, False),
        ({"name": "step", "step_size": "3st", "warmup": "2st"}, {}, False),
        ({"name": "step", "step_size": 3, "warmup": "2st"}, {"max_steps": 10}, True),
        ({"name": "cosine", "interval": "epoch"}, {}, False),
        ({"name": "cosine", "interval": "epoch"}, {"max_steps": 10}, True),
        ({"name": "cosine"}, {}, True),
    ):
        watch = Watch()
        fit(LRSchedulerCallback(node), Tiny(), watch, **kwargs)
        assert watch.loaded is touched, node


class Counted(DataLoader):  # type: ignore[type-arg]
    """A loader with state."""

    def __init__(self) -> None:
        super().__init__(torch.ones(10, 2), batch_size=2)
        self.restored: list[Any] = []

    def state_dict(self) -> dict[str, Any]:
        return {"mark": 7}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.restored.append(state)


def test_a_stateful_loader_is_still_restored(tmp_path: Path) -> None:
    node = {"name": "cosine", "interval": "step"}
    save = ModelCheckpoint(tmp_path, every_n_train_steps=7, save_top_k=-1)
    fit(LRSchedulerCallback(node), Tiny(), save, train=Counted())
    again = Counted()
    module = fit(LRSchedulerCallback(node), Tiny(), train=again, ckpt=str(next(tmp_path.glob("*step=7.ckpt"))))
    assert again.restored == [{"mark": 7}]
    assert module.rates[0] == curve(node, base_lr=0.1, horizon=Horizon(steps=15))[7]


@pytest.mark.parametrize(
    ("kwargs", "train", "why"),
    [
        ({}, DataLoader(Stream(), batch_size=2), "the train dataloader has no length"),
        ({"max_time": "00:00:00:01"}, None, "max_time alone ends it"),
        ({"max_epochs": -1}, None, "max_epochs=-1"),
    ],
)
@pytest.mark.parametrize("name", ["one_cycle", "cosine"])
def test_an_unknown_length_is_refused_before_the_first_batch(name: str, kwargs: Any, train: Any, why: str) -> None:
    module = Tiny()
    with pytest.raises(SchedulerConfigError, match=rf"needs the run's end.*{why}.*Set total_steps"):
        fit(LRSchedulerCallback({"name": name, "interval": "step"}), module, train=train, **kwargs)
    assert module.rates == []


def test_schedules_without_an_end_run_on_a_stream() -> None:
    for node in ({"name": "exponential", "interval": "step"}, {"name": "step", "step_size": "3st"}, {"name": "cosine"}):
        module = fit(LRSchedulerCallback(node), train=DataLoader(Stream(), batch_size=2))
        assert len(module.rates) == 15
    fit(LRSchedulerCallback({"name": "exponential"}), max_time={"seconds": 1}, max_epochs=-1, limit_val_batches=0)


def test_a_stream_with_a_limit_has_a_length() -> None:
    node = {"name": "cosine", "interval": "step"}
    module = fit(LRSchedulerCallback(node), train=DataLoader(Stream(), batch_size=2), limit_train_batches=3)
    np.testing.assert_allclose(module.rates, curve(node, base_lr=0.1, horizon=Horizon(steps=9)))


def test_one_line_at_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    fit(LRSchedulerCallback({"name": "cosine_warm_restarts", "T_0": 1, "T_mult": 2, "eta_min": 0.001}))
    out = capsys.readouterr().out
    assert "cosine_warm_restarts" in out
    assert "lr 0.1" in out
    assert "0.0505" in out
    fit(LRSchedulerCallback({"name": "exponential", "interval": "step", "frequency": 2}), max_steps=4)
    out = capsys.readouterr().out
    assert "exponential" in out
    assert "0.095" in out


def test_verbose_keeps_the_progress_bar_whole(capsys: pytest.CaptureFixture[str]) -> None:
    node = {"name": "step", "step_size": 1, "gamma": 0.5, "verbose": True}
    fit(LRSchedulerCallback(node), enable_progress_bar=True)
    lines = capsys.readouterr().out.replace("\r", "\n").splitlines()
    assert "Epoch 00001: adjusting learning rate of group 0 to 5.0000e-02." in lines
    assert "Epoch 00002: adjusting learning rate of group 0 to 2.5000e-02." in lines


def test_what_is_said_goes_through_the_bar_that_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    """And is printed where there is none, or it is not drawn any more."""

    class Bar(pl.callbacks.TQDMProgressBar):
        said: list[str] = []

        def print(self, *words: Any, **more: Any) -> None:
            self.said.append(words[0])

    node = {"name": "step", "step_size": 1, "gamma": 0.5, "verbose": True}
    fit(LRSchedulerCallback(node), None, Bar(), enable_progress_bar=True)
    assert [line[:12] for line in Bar.said] == ["Epoch 00001:", "Epoch 00002:", "Epoch 00003:"]
    out = capsys.readouterr().out
    assert "step | interval=epoch" in out
    assert "adjusting" not in out
    fit(LRSchedulerCallback(node), enable_progress_bar=False)
    assert "Epoch 00001: adjusting" in capsys.readouterr().out


class Own(Tiny):
    """Returns a scheduler of its own."""

    def configure_optimizers(self) -> Any:
        optimizer = super().configure_optimizers()
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.1)]


def test_a_module_with_a_scheduler_is_an_error_that_names_both() -> None:
    with pytest.raises(
        SchedulerConfigError, match=r"scheduler='cosine'.*returns a StepLR already.*on_existing=replace"
    ):
        fit(LRSchedulerCallback("cosine"), Own())
    kept = fit(LRSchedulerCallback("cosine", on_existing="keep"), Own())
    np.testing.assert_allclose(kept.rates, np.repeat([0.1, 0.01, 0.001], 5))
    replaced = fit(LRSchedulerCallback("cosine", on_existing="replace"), Own())
    np.testing.assert_allclose(replaced.rates, expected("cosine", Horizon(epochs=3, steps_per_epoch=5)))


WEIGHT_DECAY = {"name": "linear", "param": "weight_decay", "start_factor": 0.5, "interval": "step"}
MOMENTUM = {**WEIGHT_DECAY, "param": "momentum"}
ONE_CYCLE = {"name": "one_cycle", "max_lr": 0.5}
RISING = np.linspace(0.5, 1, 6)[[0, 1, 2, 3, 4, *[5] * 10]]


class OwnCycle(Tiny):
    """Returns torch's one-cycle, which moves momentum along."""

    def configure_optimizers(self) -> Any:
        optimizer = super().configure_optimizers()
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.5, total_steps=20)
        return [optimizer], [{"scheduler": cycle, "interval": "step"}]


class Halved:
    """A scheduler of another library."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer

    def step(self, epoch: int) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = 0.1 * 0.5**epoch


def both(given: Any, module: Any, **kwargs: Any) -> tuple[list[float], list[float], list[float]]:
    """Rates, weight decays and momenta of a run."""
    watch = Watch()
    fit(LRSchedulerCallback(given, **kwargs), module, watch)
    rates, decays, momenta = zip(*watch.seen, strict=True)
    return list(rates), list(decays), list(momenta)


class Watch(pl.Callback):
    def __init__(self) -> None:
        self.seen: list[tuple[float, float, float]] = []

    def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
        (group,) = optimizer.param_groups
        self.seen.append((group["lr"], group["weight_decay"], group["momentum"]))


@pytest.mark.parametrize("on_existing", ["error", "replace", "keep"])
def test_what_drives_something_else_stands_beside_the_modules_own(on_existing: str) -> None:
    steps = np.repeat([0.1, 0.01, 0.001], 5)
    for given, column in ((WEIGHT_DECAY, 1), (MOMENTUM, 2)):
        found = both(given, Own(weight_decay=0.1, momentum=0.9), on_existing=on_existing)
        np.testing.assert_allclose(found[0], steps)
        np.testing.assert_allclose(found[column], (0.1, 0.1, 0.9)[column] * RISING)


@pytest.mark.parametrize("own", [Own, OwnCycle])
def test_of_several_only_what_drives_the_same_gives_way(own: Any) -> None:
    alone = Watch()
    fit(None, own(weight_decay=0.1, momentum=0.9), alone)
    rates, _, momenta = zip(*alone.seen, strict=True)
    kept = both(["cosine", WEIGHT_DECAY], own(weight_decay=0.1, momentum=0.9), on_existing="keep")
    assert (kept[0], kept[2]) == (list(rates), list(momenta))
    np.testing.assert_allclose(kept[1], 0.1 * RISING)
    replaced = both(["cosine", WEIGHT_DECAY], own(weight_decay=0.1, momentum=0.9), on_existing="replace")
    np.testing.assert_allclose(replaced[0], expected("cosine", Horizon(epochs=3, steps_per_epoch=5)))
    np.testing.assert_allclose(replaced[1], 0.1 * RISING)
    assert set(replaced[2]) == {0.9}


@pytest.mark.parametrize("param", ["weight_decay", "momentum"])
def test_replacing_leaves_alone_what_stands_beside(param: str) -> None:
    node = {**WEIGHT_DECAY, "param": param}

    class Both(Tiny):
        def configure_optimizers(self) -> Any:
            optimizer = super().configure_optimizers()
            step = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.1)
            return [optimizer], [step, lr_configs.build(node, optimizer)]

    found = both("cosine", Both(weight_decay=0.1, momentum=0.9), on_existing="replace")
    np.testing.assert_allclose(found[0], expected("cosine", Horizon(epochs=3, steps_per_epoch=5)))
    np.testing.assert_allclose(
        found[1 if param == "weight_decay" else 2], {"weight_decay": 0.1, "momentum": 0.9}[param] * RISING
    )


def test_a_restart_of_the_one_leaves_alone_what_the_other_has_begun(tmp_path: Path) -> None:
    save = ModelCheckpoint(tmp_path, every_n_train_steps=5, save_top_k=-1, filename="{step}")
    seen = []
    for given in ([ONE_CYCLE, WEIGHT_DECAY], [ONE_CYCLE]):
        fit(LRSchedulerCallback([ONE_CYCLE, WEIGHT_DECAY]), Tiny(momentum=0.9, weight_decay=0.1), save)
        watch, callback = Watch(), LRSchedulerCallback(given, resume="restart")
        fit(callback, Tiny(momentum=0.9, weight_decay=0.1), watch, ckpt=tmp_path / "step=5.ckpt", max_epochs=4)
        seen.append([(rate, momentum) for rate, _, momentum in watch.seen])
    assert seen[0] == seen[1]


def test_what_moves_along_is_driven_as_well() -> None:
    with pytest.raises(SchedulerConfigError, match="returns a OneCycleLR already, and both would drive momentum"):
        both(MOMENTUM, OwnCycle(momentum=0.9))
    own = OwnCycle(momentum=0.9)
    alone = Watch()
    fit(None, own, alone)
    assert both(MOMENTUM, OwnCycle(momentum=0.9), on_existing="keep")[2] == [seen[2] for seen in alone.seen]
    replaced = both(MOMENTUM, OwnCycle(momentum=0.9), on_existing="replace")
    np.testing.assert_allclose(replaced[2], 0.9 * RISING)
    assert set(replaced[0]) == {0.1}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([ONE_CYCLE, MOMENTUM], "schedulers='linear': one_cycle drives momentum of optimizer 0 already. Write cycle_mom"),
        ([MOMENTUM, ONE_CYCLE], "schedulers='one_cycle': linear drives momentum of optimizer 0 already"),
        ([{"name": "sequential", "stages": [{"name": "linear", "length": 4}, ONE_CYCLE]}, MOMENTUM], "sequential drives momentum"),
        ([ONE_CYCLE, {**ONE_CYCLE, "param": "weight_decay"}], "one_cycle drives momentum of optimizer 0 already"),
        ([MOMENTUM, MOMENTUM], "linear drives momentum of optimizer 0 already. Give each a param of its own"),
    ],
    ids=str,
)  # fmt: skip
def test_two_that_move_the_same_are_refused(given: Any, message: str) -> None:
    with pytest.raises(SchedulerConfigError, match=message):
        both(given, Tiny(weight_decay=0.1, momentum=0.9))


def test_two_that_move_each_its_own() -> None:
    _, _, momenta = both([{**ONE_CYCLE, "cycle_momentum": False}, MOMENTUM], Tiny(momentum=0.9))
    np.testing.assert_allclose(momenta, 0.9 * RISING)


@pytest.mark.parametrize("given", [Halved, lambda optimizer: Halved(optimizer)])
def test_a_scheduler_of_another_library_beside_the_modules_own(given: Any, tmp_path: Path) -> None:
    with pytest.raises(SchedulerConfigError, match=r"returns a StepLR already, and both would drive the rate"):
        both(given, Own(momentum=0.9))
    np.testing.assert_allclose(
        both(given, Own(momentum=0.9), on_existing="replace")[0], np.repeat([0.1, 0.05, 0.025], 5)
    )
    np.testing.assert_allclose(both(given, Own(momentum=0.9), on_existing="keep")[0], np.repeat([0.1, 0.01, 0.001], 5))


def test_one_of_our_own_schedulers_counts_as_the_modules() -> None:
    class Built(Tiny):
        def configure_optimizers(self) -> Any:
            optimizer = super().configure_optimizers()
            return [optimizer], [lr_configs.build({"name": "step", "step_size": 1, "gamma": 0.5}, optimizer)]

    with pytest.raises(SchedulerConfigError, match="returns a StepLR already"):
        fit(LRSchedulerCallback("cosine"), Built())
    np.testing.assert_allclose(fit(None, Built()).rates, np.repeat([0.1, 0.05, 0.025], 5))


def test_replacing_a_one_cycle_restores_the_rate() -> None:
    class Cycle(Tiny):
        def configure_optimizers(self) -> Any:
            optimizer = super().configure_optimizers()
            return [optimizer], [torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.7, total_steps=20)]

    module = fit(LRSchedulerCallback("none", on_existing="replace"), Cycle(momentum=0.9))
    assert set(module.rates) == {0.1}


def test_the_learning_rate_monitor_sees_it(tmp_path: Path) -> None:
    from pytorch_lightning.loggers import CSVLogger

    run = trainer(
        LRSchedulerCallback({"name": "cosine", "interval": "step"}),
        LearningRateMonitor(),
        logger=CSVLogger(tmp_path),
        log_every_n_steps=1,
    )
    run.fit(Tiny(), loader(), loader(2))
    seen = [
        float(row.split(",")[-1] or "nan")
        for row in (tmp_path / "lightning_logs/version_0/metrics.csv").read_text().splitlines()[1:]
    ]
    assert "lr-SGD" in (tmp_path / "lightning_logs/version_0/metrics.csv").read_text()
    assert len(seen) > 0
    assert run.lr_scheduler_configs[0].interval == "step"
    assert run.lr_scheduler_configs[0].frequency == 1


@pytest.mark.parametrize("name", available())
def test_checkpoints_load_with_weights_only(name: str, tmp_path: Path) -> None:
    from omegaconf import OmegaConf

    from lr_configs.hydra_store import node

    config = OmegaConf.merge(node(name), {"warmup": 2, "monitor": "val_loss"})
    if name in ("cosine", "cosine_warm_restarts"):
        config.eta_min = [0.001]
    run = trainer(LRSchedulerCallback(config), ModelCheckpoint(tmp_path, save_last=True), max_epochs=20)
    run.fit(Tiny(momentum=0.9), loader(2), loader(2))
    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert len(saved["lr_schedulers"]) == 1
    assert "omegaconf" not in repr(saved)
    json.dumps(saved["callbacks"]["LRSchedulerCallback"])


def test_several_fits_with_one_callback() -> None:
    callback = LRSchedulerCallback({"name": "cosine", "interval": "step"})
    first = fit(callback)
    second = fit(callback, batches=4)
    np.testing.assert_allclose(first.rates, curve("cosine", base_lr=0.1, horizon=Horizon(steps=15)))
    np.testing.assert_allclose(second.rates, curve("cosine", base_lr=0.1, horizon=Horizon(steps=12)))
    module, run = Tiny(), trainer(callback)
    run.fit(module, loader(), loader(2))
    run.fit_loop.max_epochs = 5
    run.fit(module, loader(), loader(2))


@pytest.mark.filterwarnings("ignore:You are trying to `self.log")
def test_barebones() -> None:
    module = Tiny()
    trainer(LRSchedulerCallback({"name": "cosine", "interval": "step"}), barebones=True).fit(
        module, loader(), loader(2)
    )
    np.testing.assert_allclose(module.rates, curve("cosine", base_lr=0.1, horizon=Horizon(steps=15)))


def test_lightning_too() -> None:
    import subprocess
    import sys

    code = """
import warnings; warnings.simplefilter("ignore")
import torch, lightning as L, lr_configs
class M(L.LightningModule):
    def __init__(self): super().__init__(); self.l = torch.nn.Linear(2, 2); self.rates = []
    def training_step(self, b, i):
        self.rates.append(self.trainer.optimizers[0].param_groups[0]["lr"]); return self.l(b).sum()
    def configure_optimizers(self): return torch.optim.SGD(self.parameters(), lr=0.1)
    def on_train_start(self):
        from lightning.pytorch.utilities.types import LRSchedulerConfig
        assert [type(one) for one in self.trainer.lr_scheduler_configs] == [LRSchedulerConfig]
cb = lr_configs.LRSchedulerCallback({"name": "step", "step_size": "2st", "gamma": 0.5})
assert isinstance(cb, L.pytorch.callbacks.Callback)
import sys; assert "pytorch_lightning" not in sys.modules
m = M()
L.Trainer(max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, callbacks=[cb]).fit(m, torch.utils.data.DataLoader(torch.ones(4, 2)))
assert m.rates == [0.1, 0.1, 0.05, 0.05], m.rates
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# ---------------------------------------------------------------------------------------- what an update is


def test_updates_skipped_by_the_gradient_scaler_do_not_advance() -> None:
    class Overflow(Tiny):
        def on_after_backward(self) -> None:
            if self.trainer.global_step in (2, 3, 7):
                for p in self.parameters():
                    p.grad.fill_(float("inf"))

    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    plugin = pl.plugins.MixedPrecision("16-mixed", "cpu", scaler=scaler)
    node = {"name": "exponential", "gamma": 0.5, "interval": "step"}
    module = Overflow()
    fit(LRSchedulerCallback(node), module, plugins=plugin)
    done = np.cumsum([0] + [i not in (2, 3, 7) for i in range(15)])[:15]
    np.testing.assert_allclose(module.rates, 0.1 * 0.5**done)


def test_a_fused_optimizer_that_skips_itself(capsys: pytest.CaptureFixture[str]) -> None:
    callback = LRSchedulerCallback({"name": "exponential", "gamma": 0.5, "interval": "step"})
    run = trainer(callback)
    module = Tiny()
    run.fit(module, loader(), loader(2))
    assert callback.driver is not None
    (track,) = callback.driver.tracks
    before = track.updates
    optimizer: Any = track.optimizer
    optimizer.found_inf = torch.tensor(1.0)
    callback.driver.updated(optimizer)
    assert (track.updates, track.skipped) == (before, 1)
    optimizer.found_inf = torch.tensor(0.0)
    callback.driver.updated(optimizer)
    assert track.updates == before + 1
    assert "skipped" not in capsys.readouterr().out
    for stage, said in (
        ("validate", ""),
        ("fit", "exponential: 1 updates were skipped by the gradient scaler, and did"),
    ):
        callback.teardown(run, module, stage)
        assert capsys.readouterr().out.partition(" not ")[0] == said


def test_an_epoch_cut_short_by_the_module() -> None:
    class Cut(Tiny):
        def on_train_batch_start(self, batch: Any, batch_idx: int) -> Any:
            return -1 if batch_idx == 3 else None

    module = fit(LRSchedulerCallback({"name": "exponential", "gamma": 0.5}), Cut())
    np.testing.assert_allclose(module.rates, np.repeat([0.1, 0.05, 0.025], 3))


# ---------------------------------------------------------------------------------------- several optimizers


class Gan(pl.LightningModule):
    """Two optimizers, stepped by hand: the discriminator twice for each step of the generator."""

    def __init__(self, drive: bool = False) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator, self.discriminator = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
        self.rates: dict[str, list[float]] = {"g": [], "d": []}
        self.drive = drive

    def training_step(self, batch: Any, batch_idx: int) -> None:
        g, d = self.optimizers()
        for name, optimizer, net, times in (("d", d, self.discriminator, 2), ("g", g, self.generator, 1)):
            for _ in range(times):
                optimizer.zero_grad()
                self.manual_backward(net(batch).sum())
                self.rates[name].append(optimizer.param_groups[0]["lr"])
                optimizer.step()
                if self.drive and name == "g":
                    self.lr_schedulers()[0].step()

    def configure_optimizers(self) -> Any:
        self.opt_g = torch.optim.SGD(self.generator.parameters(), lr=0.1)
        self.opt_d = torch.optim.SGD(self.discriminator.parameters(), lr=0.2)
        return [self.opt_g, self.opt_d]


STEP = {"name": "exponential", "gamma": 0.9, "interval": "step"}


@pytest.mark.parametrize("keys", [("generator", "discriminator"), ("0", "1"), ("opt_g", "opt_d"), (0, 1)])
def test_each_schedule_counts_its_own_optimizers_updates(keys: Any) -> None:
    module = Gan()
    callback = LRSchedulerCallback(schedulers={keys[0]: STEP, keys[1]: {**STEP, "gamma": 0.5}})
    run = trainer(callback)
    run.fit(module, loader())
    np.testing.assert_allclose(module.rates["g"], 0.1 * 0.9 ** np.arange(15))
    np.testing.assert_allclose(module.rates["d"], 0.2 * 0.5 ** np.arange(30))


def test_epochs_in_manual_optimization() -> None:
    module = Gan()
    run = trainer(
        LRSchedulerCallback(schedulers={"generator": {"name": "cosine", "T_max": 3}, "discriminator": {"name": "none"}})
    )
    run.fit(module, loader())
    np.testing.assert_allclose(module.rates["g"], np.repeat([0.1, 0.075, 0.025], 5))
    assert set(module.rates["d"]) == {0.2}


def test_a_module_that_steps_the_schedule_itself_is_not_stepped_for() -> None:
    module = Gan(drive=True)
    run = trainer(LRSchedulerCallback(schedulers={"generator": STEP, "discriminator": STEP}))
    run.fit(module, loader())
    np.testing.assert_allclose(module.rates["g"], 0.1 * 0.9 ** np.arange(15))


def test_optimizers_that_are_not_there() -> None:
    with pytest.raises(SchedulerConfigError, match=r"schedulers\.genrator.*did you mean 'generator'"):
        trainer(LRSchedulerCallback(schedulers={"genrator": STEP})).fit(Gan(), loader())
    with pytest.raises(SchedulerConfigError, match="the module has 2 optimizers"):
        trainer(LRSchedulerCallback(STEP)).fit(Gan(), loader())
    with pytest.raises(SchedulerConfigError, match="drives lr of optimizer 0 already"):
        trainer(LRSchedulerCallback(schedulers={"generator": STEP, "0": STEP})).fit(Gan(), loader())


# ---------------------------------------------------------------------------------------- groups, other parameters


def test_groups_added_by_fine_tuning_join() -> None:
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

    for name in CURVED:
        node = {"name": name, **SHORT[name][0], "interval": "step"}
        module = fit(LRSchedulerCallback(node), Frozen(), Unfreeze())
        late = [r[1] for r in module.rates[5:]]
        assert late[0] == 0.01
        assert len(late) == 10
        if name == "exponential":
            np.testing.assert_allclose(late, 0.01 * 0.99 ** np.arange(10))


def test_other_hyper_parameters_are_driven_side_by_side() -> None:
    class Watch(pl.Callback):
        def __init__(self) -> None:
            self.seen: list[Any] = []

        def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
            group = optimizer.param_groups[0]
            self.seen.append((group["lr"], group["weight_decay"], group["betas"][0]))

    watch = Watch()
    callback = LRSchedulerCallback(
        [
            {"name": "cosine", "interval": "step"},
            {
                "name": "linear",
                "param": "weight_decay",
                "interval": "step",
                "start_factor": 1.0,
                "end_factor": 0.1,
                "total_iters": "100%",
            },
            {"name": "exponential", "param": "betas.0", "gamma": 0.9, "interval": "step"},
        ]
    )
    fit(callback, Tiny(cls=torch.optim.AdamW, weight_decay=0.5), watch)
    lr, decay, beta = np.array(watch.seen).T
    np.testing.assert_allclose(lr, curve("cosine", base_lr=0.1, horizon=Horizon(steps=15)))
    np.testing.assert_allclose(decay, 0.5 * (1 - 0.9 * np.arange(15) / 15))
    np.testing.assert_allclose(beta, 0.9 * 0.9 ** np.arange(15))


def test_a_parameter_that_is_not_there() -> None:
    with pytest.raises(SchedulerConfigError, match=r"param='weight_decy'.*did you mean 'weight_decay'"):
        fit(LRSchedulerCallback({"name": "cosine", "param": "weight_decy"}))
    with pytest.raises(SchedulerConfigError, match=r"param='betas\.0'"):
        fit(LRSchedulerCallback({"name": "cosine", "param": "betas.0"}))


def test_values_by_group_name() -> None:
    class Named(Tiny):
        def configure_optimizers(self) -> Any:
            optimizer = super().configure_optimizers()
            for group, name in zip(optimizer.param_groups, ("body", "head"), strict=True):
                group["name"] = name
            return optimizer

    node = {"name": "cosine", "T_max": "2st", "eta_min": {"head": 0.02, "0": 0.01}}
    module = fit(LRSchedulerCallback(node), Named(groups=2))
    assert module.rates[2] == [0.01, 0.02]
    with pytest.raises(SchedulerConfigError, match=r"eta_min\.haed.*did you mean 'head'"):
        fit(LRSchedulerCallback({"name": "cosine", "eta_min": {"haed": 0.02}}), Named(groups=2))


# ---------------------------------------------------------------------------------------- tensors, compiled steps


@pytest.mark.parametrize("cls", [torch.optim.SGD, torch.optim.AdamW, torch.optim.RMSprop])
def test_tensor_rates(cls: Any) -> None:
    module = Tiny(cls=cls)
    run = trainer(LRSchedulerCallback({"name": "cosine", "interval": "step"}, tensor_lr=True))
    run.fit(module, loader(), loader(2))
    assert isinstance(run.optimizers[0].param_groups[0]["lr"], torch.Tensor)
    np.testing.assert_allclose(
        module.rates, curve("cosine", base_lr=0.1, horizon=Horizon(steps=15)), rtol=1e-7, atol=1e-9
    )


@pytest.mark.parametrize("tensor_lr", [False, True])
def test_a_compiled_step_with_a_float_rate_is_warned_of(tensor_lr: bool) -> None:
    class Compiled(Tiny):
        def configure_optimizers(self) -> Any:
            optimizer = super().configure_optimizers()
            optimizer.step = torch.compile(optimizer.step, backend="eager")
            return optimizer

    import warnings

    module = Compiled()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(LRSchedulerCallback({"name": "cosine", "interval": "step"}, tensor_lr=tensor_lr), module)
    told = [w for w in caught if "Set tensor_lr=true" in str(w.message)]
    assert len(told) == (0 if tensor_lr else 1)
    np.testing.assert_allclose(
        module.rates, curve("cosine", base_lr=0.1, horizon=Horizon(steps=15)), rtol=1e-7, atol=1e-9
    )


# ---------------------------------------------------------------------------------------- the helper, the CLI


@pytest.mark.parametrize("name", TORCH_NAMES)
def test_the_helper_for_configure_optimizers(name: str) -> None:
    node = {"name": name, **SHORT[name][0], "interval": "step", "frequency": 2}
    if name == "one_cycle":
        node["total_steps"] = 20

    class Helped(Tiny):
        def configure_optimizers(self) -> Any:
            return lr_configs.lightning(node, super().configure_optimizers(), self.trainer)

    module = fit(None, Helped())
    reference = fit(LRSchedulerCallback(node))
    assert module.rates == reference.rates
    with pytest.raises(SchedulerConfigError, match=r"returns a \w+ already, and both would drive the rate"):
        fit(LRSchedulerCallback(node), Helped())


@pytest.mark.filterwarnings("ignore:No seed found", "ignore:You defined a `validation_step`")
def test_lightning_cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pytorch_lightning.cli import LightningCLI

    monkeypatch.setattr("sys.argv", ["train.py"])

    config = {
        "trainer": {
            "max_epochs": 3,
            "accelerator": "cpu",
            "logger": False,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "callbacks": [
                {
                    "class_path": "lr_configs.LRSchedulerCallback",
                    "init_args": {"scheduler": {"name": "cosine", "interval": "step"}},
                }
            ],
        }
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))

    cli = LightningCLI(Fed, args=["fit", "--config", str(path)], save_config_callback=None)
    np.testing.assert_allclose(cli.model.rates, curve("cosine", base_lr=0.1, horizon=Horizon(steps=15)))


class Fed(Tiny):
    """Brings its data, as LightningCLI needs it."""

    def __init__(self) -> None:
        super().__init__()

    def train_dataloader(self) -> Any:
        return loader()


@pytest.mark.filterwarnings("ignore:No seed found", "ignore:You defined a `validation_step`")
@pytest.mark.parametrize(
    "words",
    [
        ["scheduler.name=step", "scheduler.step_size=3st", "scheduler.gamma=0.5"],
        ["scheduler={name: step, step_size: 3st, gamma: 0.5}"],
        ["scheduler=[{name: step, step_size: 3st, gamma: 0.5}]"],
        ["scheduler={name: step, step_size: 3st}", "scheduler.gamma=0.5", "resume=keep", "total_steps=15"],
    ],
)
def test_lightning_cli_on_the_command_line(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from pytorch_lightning.cli import LightningCLI

    monkeypatch.setattr("sys.argv", ["train.py"])
    quiet = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    trainer_words = ["max_epochs=3", "accelerator=cpu", *(f"{one}=false" for one in quiet)]
    ours = ["callbacks+=lr_configs.LRSchedulerCallback", *(f"callbacks.{word}" for word in words)]
    args = ["fit", *(f"--trainer.{word}" for word in [*trainer_words, *ours])]
    cli = LightningCLI(Fed, args=args, save_config_callback=None)
    np.testing.assert_allclose(cli.model.rates, 0.1 * 0.5 ** (np.arange(15) // 3))


def test_a_hydra_node() -> None:
    import hydra
    from omegaconf import OmegaConf

    from lr_configs.hydra_store import node

    cfg = OmegaConf.create(
        {
            "scheduler": node("step"),
            "callback": {"_target_": "lr_configs.LRSchedulerCallback", "scheduler": "${scheduler}"},
        }
    )
    cfg.scheduler.step_size = 1
    module = fit(hydra.utils.instantiate(cfg.callback))
    np.testing.assert_allclose(module.rates, np.repeat([0.1, 0.01, 0.001], 5))


def test_bad_arguments() -> None:
    for kwargs, match in (
        ({"on_existing": "replce"}, "on_existing='replce'.*did you mean 'replace'"),
        ({"resume": "yes"}, "resume='yes'"),
        ({"total_steps": 0}, "total_steps=0"),
        ({"log": "no"}, "log='no': this is true or false"),
        ({"save_curve": 1}, "save_curve=1: this is true or false"),
        ({"decay_file": 3}, "decay_file=3: this is the path of a file"),
        ({"decay_file": ""}, "decay_file='': this is the path of a file"),
        ({"total_steps": {"g": 0}}, r"total_steps\.g=0"),
        ({"scheduler": "cosine", "schedulers": {}}, "scheduler is given as well"),
        ({"schedulers": ["cosine"]}, "maps optimizers to schedules"),
        ({"schedulers": {"g": {"name": "cosin"}}}, r"schedulers\.g\.name='cosin'"),
    ):
        with pytest.raises(SchedulerConfigError, match=match):
            LRSchedulerCallback(**kwargs)  # type: ignore[arg-type]


def test_deepspeed_with_a_scheduler_of_its_own() -> None:
    class DeepSpeedStrategy(pl.strategies.SingleDeviceStrategy):
        config = {"scheduler": {"type": "WarmupLR"}}

    with pytest.raises(SchedulerConfigError, match="DeepSpeed configuration has a scheduler"):
        fit(LRSchedulerCallback("cosine"), strategy=DeepSpeedStrategy())


def test_an_exception_in_training_leaves_no_hook() -> None:
    class Failing(Tiny):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            if len(self.rates) == 4:
                raise RuntimeError("boom")
            return super().training_step(batch, batch_idx)

    callback = LRSchedulerCallback({"name": "exponential", "gamma": 0.5, "interval": "step"})
    module = Failing()
    run = trainer(callback)
    with pytest.raises(RuntimeError, match="boom"):
        run.fit(module, loader(), loader(2))
    optimizer = run.optimizers[0]
    rate = optimizer.param_groups[0]["lr"]
    again = fit(callback)
    np.testing.assert_allclose(again.rates, 0.1 * 0.5 ** np.arange(15))
    optimizer.step()
    assert optimizer.param_groups[0]["lr"] == rate


@pytest.mark.filterwarnings("ignore:SWA is currently only supported")
def test_stochastic_weight_averaging_takes_over(capsys: pytest.CaptureFixture[str]) -> None:
    swa = pl.callbacks.StochasticWeightAveraging(swa_lrs=0.02, swa_epoch_start=3, annealing_epochs=1)
    module = fit(LRSchedulerCallback({"name": "exponential", "gamma": 0.5}), Tiny(), swa, max_epochs=6)
    np.testing.assert_allclose(module.rates[:15], np.repeat([0.1, 0.05, 0.025], 5))
    assert set(module.rates[20:]) == {0.02}
    assert "exponential: replaced by another scheduler" in capsys.readouterr().out


def test_the_helper_outside_of_a_fit() -> None:
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    made = lr_configs.lightning({"name": "cosine", "interval": "epoch"}, opt, trainer(max_epochs=7))
    assert made["optimizer"] is opt
    assert made["lr_scheduler"]["interval"] == "epoch"
    assert made["lr_scheduler"]["frequency"] == 1
    assert made["lr_scheduler"]["scheduler"].T_max == 7


def test_the_helper_wants_the_metric_by_name() -> None:
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    with pytest.raises(SchedulerConfigError, match=r"^monitor=None: reduce_on_plateau follows a logged metric"):
        lr_configs.lightning("reduce_on_plateau", opt, trainer(max_epochs=7))


# ---------------------------------------------------------------------------------------- between runs


def test_an_ending_that_is_asked_for_between_two_fits_begins_with_the_second() -> None:
    callback, module = LRSchedulerCallback("none"), Tiny()
    runner = trainer(callback, max_epochs=1)
    runner.fit(module, loader(5), loader(1))
    callback.decay_now("4st")
    assert runner.optimizers[0].param_groups[0]["lr"] == 0.1
    runner.fit_loop.max_epochs = 2
    runner.fit(module, loader(5), loader(1))
    np.testing.assert_allclose(module.rates, [0.1] * 5 + [0.075, 0.05, 0.025, 0, 0], atol=1e-15)


def test_an_epoch_within_which_a_run_has_stopped_is_not_over(tmp_path: Path) -> None:
    node = {"name": "exponential", "gamma": 0.5}
    first = trainer(LRSchedulerCallback(node), max_epochs=-1, max_steps=7)
    first.fit(Tiny(), loader(5), loader(1))
    first.save_checkpoint(tmp_path / "a.ckpt")
    module = Tiny()
    second = trainer(LRSchedulerCallback(node), max_epochs=-1, max_steps=17)
    second.fit(module, loader(5), loader(1), ckpt_path=tmp_path / "a.ckpt")
    np.testing.assert_allclose(module.rates, [0.05] * 3 + [0.025] * 5 + [0.0125] * 2)
