"""Schedules that a module builds itself, beside the callback alone, and what the callback refuses."""

from __future__ import annotations

import copy
import functools
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from lightning_helpers import Stream, Tiny, fit, loader, trainer
from omegaconf import OmegaConf
from pytorch_lightning.callbacks import ModelCheckpoint
from test_callback import STEP, Gan
from torch.utils.data import DataLoader

import lr_configs
from lr_configs import Horizon, LRSchedulerCallback, SchedulerConfigError, build, curve
from lr_configs.run import current

pytestmark = pytest.mark.filterwarnings("ignore:A `OneCycleLR` scheduler is using")
COSINE = {"name": "cosine"}


class Template(Tiny):
    """As popular templates do it: a partial of the schedule, and a dictionary with an interval of its own."""

    def __init__(self, scheduler: Any = None, key: str = "interval", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.save_hyperparameters("scheduler", logger=False)

    def configure_optimizers(self) -> Any:
        optimizer = super().configure_optimizers()
        scheduler = self.hparams.scheduler(optimizer=optimizer)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "monitor": "val_loss", "interval": "epoch", "frequency": 1},
        }


def spec(**node: Any) -> Any:
    return lr_configs.scheduler(**node)


@pytest.mark.parametrize(
    "node",
    [
        COSINE,
        {"name": "one_cycle"},
        {"name": "cosine", "warmup": "20%"},
        {"name": "step", "step_size": "3st", "frequency": 2},
        {"name": "exponential", "gamma": 0.5},
        {"name": "sequential"},
    ],
)
@pytest.mark.parametrize("cheap", [{}, {"max_steps": 12}])
def test_the_callback_alone_drives_what_the_module_builds(node: dict[str, Any], cheap: dict[str, Any]) -> None:
    built = fit(LRSchedulerCallback(), Template(spec(**node)), **cheap)
    attached = fit(LRSchedulerCallback(node), Tiny(), **cheap)
    assert built.rates == attached.rates
    assert len(set(built.rates)) > 2
    assert current() is None


def test_a_plateau_that_the_module_builds() -> None:
    node = {"name": "reduce_on_plateau", "monitor": "val_loss", "patience": 0, "factor": 0.5}
    module = Template(spec(**node))
    fit(LRSchedulerCallback(), module, max_epochs=4)
    assert module.rates == [0.1] * 10 + [0.05] * 5 + [0.025] * 5


def test_it_logs_and_resumes(tmp_path: Path) -> None:
    save = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_top_k=-1, filename="{step}")
    whole = fit(LRSchedulerCallback(), Template(spec(**COSINE)), save).rates
    for step in (4, 5, 11):
        ckpt = str(tmp_path / f"step={step}.ckpt")
        assert fit(LRSchedulerCallback(), Template(spec(**COSINE)), ckpt=ckpt).rates == whole[step:]
    with pytest.raises(SchedulerConfigError, match="run 3 epochs x 5 updates -> 6 epochs"):
        fit(LRSchedulerCallback(), Template(spec(**COSINE)), ckpt=ckpt, max_epochs=6)
    kept = fit(LRSchedulerCallback(resume="keep"), Template(spec(**COSINE)), ckpt=ckpt, max_epochs=6).rates
    assert kept == [*whole[11:], *[whole[-1]] * 15]


@pytest.mark.parametrize("step", [5, 10])
def test_restart_knows_what_the_optimizer_was_built_with(step: int, tmp_path: Path) -> None:
    cycle = {"name": "one_cycle", "max_lr": 0.5}
    save = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_top_k=-1, filename="{step}")
    fit(LRSchedulerCallback(), Template(spec(**cycle), momentum=0.9, groups=2), save)
    ckpt = str(tmp_path / f"step={step}.ckpt")

    class Watch(pl.Callback):
        def __init__(self) -> None:
            self.momentum: list[float] = []

        def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
            self.momentum.append(optimizer.param_groups[0]["momentum"])

    for node in (cycle, {**cycle, "max_lr": 1.0}, COSINE):
        module, watch = Template(spec(**node), momentum=0.9, groups=2), Watch()
        fit(LRSchedulerCallback(resume="restart"), module, watch, ckpt=ckpt, max_epochs=8)
        left = 40 - step
        fresh, seen = Tiny(momentum=0.9, groups=2), Watch()
        fit(LRSchedulerCallback(node), fresh, seen, batches=left, max_epochs=1)
        assert module.rates == fresh.rates
        assert watch.momentum == seen.momentum


def test_a_share_without_a_callback_is_an_error_that_names_both() -> None:
    with pytest.raises(SchedulerConfigError, match=r"LRSchedulerCallback.*lr_configs\.lightning"):
        fit(None, Template(spec(**COSINE)))


def test_another_run_is_not_taken_for_this_one() -> None:
    class Failing(Tiny):
        def configure_optimizers(self) -> Any:
            assert current() is not None
            raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        fit(LRSchedulerCallback(COSINE), Failing())
    assert current() is None
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    with pytest.raises(SchedulerConfigError, match="needs the run's length"):
        build(COSINE, opt)


def test_the_modules_own_horizon_holds() -> None:
    class Own(Tiny):
        def configure_optimizers(self) -> Any:
            optimizer = super().configure_optimizers()
            return [optimizer], [build(COSINE, optimizer, Horizon(steps=30))]

    np.testing.assert_allclose(
        fit(LRSchedulerCallback(), Own()).rates, curve(COSINE, base_lr=0.1, horizon=Horizon(steps=30))[:15]
    )


def test_several_manual_optimizers() -> None:
    class Two(Gan):
        def configure_optimizers(self) -> Any:
            optimizers = super().configure_optimizers()
            return optimizers, [build(STEP, optimizers[0]), build({**STEP, "gamma": 0.5}, optimizers[1])]

    module = Two()
    trainer(LRSchedulerCallback()).fit(module, loader())
    np.testing.assert_allclose(module.rates["g"], 0.1 * 0.9 ** np.arange(15))
    np.testing.assert_allclose(module.rates["d"], 0.2 * 0.5 ** np.arange(30))


def test_max_steps_of_several_manual_optimizers() -> None:
    """Lightning counts the steps of both together; within configure_optimizers nobody knows how many there are."""

    class Two(Gan):
        def configure_optimizers(self) -> Any:
            optimizers = super().configure_optimizers()
            return optimizers, [build(COSINE, one) for one in optimizers]

    with pytest.raises(SchedulerConfigError, match="max_steps counts the updates of all optimizers together"):
        trainer(LRSchedulerCallback(), max_steps=24).fit(Two(), loader(20))
    module = Two()
    trainer(LRSchedulerCallback(total_steps=16), max_steps=24).fit(module, loader(20))
    np.testing.assert_allclose(module.rates["d"], 2 * curve(COSINE, base_lr=0.1, horizon=Horizon(steps=16)))

    # one that has its own run is not asked for the trainer's
    class Known(Gan):
        def configure_optimizers(self) -> Any:
            optimizers = super().configure_optimizers()
            return optimizers, [build(COSINE, one, Horizon(steps=50)) for one in optimizers]

    module = Known()
    trainer(LRSchedulerCallback(), max_steps=24).fit(module, loader(20))
    np.testing.assert_allclose(module.rates["g"], curve(COSINE, base_lr=0.1, horizon=Horizon(steps=50))[:8])
    # the callback's own schedules know both
    module = Gan()
    trainer(LRSchedulerCallback(schedulers={"0": COSINE, "1": "none"}), max_steps=24).fit(module, loader(20))
    np.testing.assert_allclose(module.rates["g"], curve(COSINE, base_lr=0.1, horizon=Horizon(steps=12))[:8])


def test_total_steps_by_optimizer() -> None:
    module = Gan()
    callback = LRSchedulerCallback(
        schedulers={"generator": COSINE, "discriminator": COSINE}, total_steps={"generator": 15, "discriminator": 30}
    )
    trainer(callback).fit(module, loader())
    np.testing.assert_allclose(module.rates["g"], curve(COSINE, base_lr=0.1, horizon=Horizon(steps=15)))
    np.testing.assert_allclose(module.rates["d"], curve(COSINE, base_lr=0.2, horizon=Horizon(steps=30)))
    with pytest.raises(SchedulerConfigError, match=r"total_steps\.genrator=15.*did you mean 'generator'"):
        trainer(
            LRSchedulerCallback(schedulers={"generator": COSINE, "1": "none"}, total_steps={"genrator": 15})
        ).fit(Gan(), loader())  # fmt: skip
    with pytest.raises(SchedulerConfigError, match=r"total_steps.*the module builds its schedules itself"):
        fit(LRSchedulerCallback(total_steps={"0": 15}), Template(spec(**COSINE)))


# ---------------------------------------------------------------------------------------- nothing, and twice


class Bare(Tiny):
    """Uses the helper, with or without a schedule."""

    def __init__(self, node: Any) -> None:
        super().__init__(weight_decay=0.5)
        self.node = node

    def configure_optimizers(self) -> Any:
        return lr_configs.lightning(self.node, super().configure_optimizers(), self.trainer)


def test_the_helper_takes_none() -> None:
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    assert lr_configs.lightning(None, opt, trainer()) == {"optimizer": opt}
    assert set(fit(None, Bare(None)).rates) == {0.1}
    assert set(fit(LRSchedulerCallback(), Bare(None)).rates) == {0.1}
    assert set(fit(LRSchedulerCallback(), Bare("none")).rates) == {0.1}


def test_the_helper_drives_other_hyper_parameters() -> None:
    seen = []

    class Watch(pl.Callback):
        def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
            seen.append(optimizer.param_groups[0]["weight_decay"])

    module = fit(None, Bare({"name": "cosine", "param": "weight_decay", "eta_min": 0.1}), Watch())
    assert set(module.rates) == {0.1}
    np.testing.assert_allclose(seen, curve({"name": "cosine", "eta_min": 0.1}, base_lr=0.5, horizon=Horizon(steps=15)))


def test_a_callback_with_nothing_to_drive_shows_the_line_to_add() -> None:
    for callback in (LRSchedulerCallback(), LRSchedulerCallback(log=True), LRSchedulerCallback([])):
        with pytest.raises(
            SchedulerConfigError, match=r"nothing to drive.*scheduler: \$\{scheduler\}.*scheduler: none"
        ):
            fit(callback)
    fit(LRSchedulerCallback("none"))

    class Theirs(Tiny):
        def configure_optimizers(self) -> Any:
            optimizer = super().configure_optimizers()
            return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.1)]

    with pytest.raises(SchedulerConfigError, match="nothing to drive"):
        fit(LRSchedulerCallback(), Theirs())
    kept = fit(LRSchedulerCallback(on_existing="keep"), Theirs())
    np.testing.assert_allclose(kept.rates, np.repeat([0.1, 0.01, 0.001], 5))


def test_two_callbacks_are_an_error_that_shows_the_list() -> None:
    one, other = LRSchedulerCallback(COSINE), LRSchedulerCallback({**COSINE, "param": "weight_decay"})
    with pytest.raises(SchedulerConfigError, match=r"has 2 of them.*LRSchedulerCallback\(\[\{name: cosine\}"):
        fit(one, Tiny(), other)
    # the helper's gives way
    run = trainer()
    run.fit(Bare(COSINE), loader(), loader(2))
    run.callbacks.append(LRSchedulerCallback(resume="keep"))
    run.fit_loop.max_epochs = 6
    module = Bare(COSINE)
    run.fit(module, loader(), loader(2))


@pytest.mark.parametrize("cycle", [torch.optim.lr_scheduler.OneCycleLR, torch.optim.lr_scheduler.CyclicLR])
def test_replacing_puts_momentum_back(cycle: Any) -> None:
    arguments = {"total_steps": 40} if cycle is torch.optim.lr_scheduler.OneCycleLR else {"base_lr": 0.01}

    class Cycle(Tiny):
        def configure_optimizers(self) -> Any:
            optimizer = super().configure_optimizers()
            return [optimizer], [cycle(optimizer, max_lr=0.7, **arguments)]

    module = Cycle(momentum=0.7)
    run = trainer(LRSchedulerCallback("none", on_existing="replace"))
    run.fit(module, loader(), loader(2))
    group = run.optimizers[0].param_groups[0]
    assert set(module.rates) == {0.1}
    assert group["momentum"] == 0.7
    assert not {key for key in group if key.startswith(("max_", "min_", "base_"))}


def test_replacing_one_of_ours() -> None:
    class Ours(Tiny):
        def configure_optimizers(self) -> Any:
            optimizer = super().configure_optimizers()
            return [optimizer], [build({"name": "one_cycle", "max_lr": 0.7, "total_steps": 40}, optimizer)]

    module = Ours(momentum=0.7, groups=2)
    run = trainer(LRSchedulerCallback("none", on_existing="replace"))
    run.fit(module, loader(), loader(2))
    assert module.rates == [[0.1, 0.05]] * 15
    assert run.optimizers[0].param_groups[0]["momentum"] == 0.7
    kept = Ours(momentum=0.7)
    fit(LRSchedulerCallback("none", on_existing="keep"), kept)
    assert len(set(kept.rates)) == 15


# ---------------------------------------------------------------------------------------- what is kept of it


def partly(config: Any) -> Any:
    """What Hydra makes of a node with `_partial_: true`."""
    return functools.partial(lr_configs.scheduler, **{k: v for k, v in config.to_dict().items() if k != "_target_"})


@pytest.mark.parametrize(
    "wrap", [lambda s: s, lambda s: {"nested": [s]}, lambda s: OmegaConf.create(s.to_dict()), partly]
)
def test_hyper_parameters_load_with_weights_only(wrap: Any, tmp_path: Path) -> None:
    class Holds(Tiny):
        def __init__(self, scheduler: Any) -> None:
            super().__init__()
            self.save_hyperparameters()

    config = spec(**COSINE)
    module = Holds(wrap(config))
    run = trainer(LRSchedulerCallback(COSINE), ModelCheckpoint(tmp_path, save_last=True))
    run.fit(module, loader(), loader(2))
    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)
    found = saved["hyper_parameters"]["scheduler"]
    found = found["nested"][0] if "nested" in found else found
    assert lr_configs.scheduler(**{k: v for k, v in found.items() if k not in ("_target_", "_partial_")}) == config
    assert module.hparams.scheduler is not found


def test_copies_of_the_callback() -> None:
    callback = LRSchedulerCallback(COSINE)
    fit(callback, Tiny())
    for other in (copy.deepcopy(callback), pickle.loads(pickle.dumps(callback))):
        assert other.state_dict() == callback.state_dict()
        assert len(fit(other, Tiny()).rates) == 15


def test_a_stream_has_no_epochs_to_count() -> None:
    with pytest.raises(SchedulerConfigError, match="a plain number counts epochs here, and this run has none"):
        stream = DataLoader(Stream(), batch_size=2)
        fit(LRSchedulerCallback({"name": "step", "step_size": 3}), train=stream, max_steps=12)
