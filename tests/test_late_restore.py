"""Strategies that restore a checkpoint after the set-up, as FSDP and DeepSpeed do: the same rules, the same rates."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from lightning_helpers import Tiny, fit
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.strategies import SingleDeviceStrategy
from test_resume import CASES, LAST, NODE, Edit, module

import lr_configs
from lr_configs import Horizon, LRSchedulerCallback, SchedulerConfigError, curve
from lr_configs.lightning_run import LightningRun


class Late(SingleDeviceStrategy):
    """Restores after the set-up."""

    restored = 0

    @property
    def restore_checkpoint_after_setup(self) -> bool:
        return True

    def load_checkpoint(self, *args: Any, **kwargs: Any) -> Any:
        Late.restored += 1
        return super().load_checkpoint(*args, **kwargs)


def late() -> Late:
    return Late(device="cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints after each of ten updates, and the helper's and torch's own at the tenth."""
    path = tmp_path_factory.mktemp("late")
    save = ModelCheckpoint(path, every_n_train_steps=1, save_top_k=-1, filename="{step}")
    fit(LRSchedulerCallback(NODE), Tiny(), save, max_epochs=2, strategy=late())
    fit(None, Cycle(momentum=0.9), ModelCheckpoint(path / "torch", save_last=True), max_epochs=2, strategy=late())
    return path


class Cycle(Tiny):
    """Brings torch's own scheduler."""

    def configure_optimizers(self) -> Any:
        optimizer = super().configure_optimizers()
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.5, total_steps=40)
        return [optimizer], [{"scheduler": cycle, "interval": "step"}]


@pytest.mark.parametrize("case", CASES)
def test_resuming_late_is_exact(case: str, tmp_path: Path) -> None:
    save = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_top_k=-1, filename="{step}")
    whole = fit(LRSchedulerCallback(CASES[case]), module(), Edit(), save, max_epochs=4, strategy=late()).rates
    before = Late.restored
    for step in (3, 6, 7, 13):
        ckpt = str(tmp_path / f"step={step}.ckpt")
        rest = fit(
            LRSchedulerCallback(CASES[case]), module(step // 5), Edit(), ckpt=ckpt, max_epochs=4, strategy=late()
        ).rates  # fmt: skip
        assert rest == whole[step:], step
    assert Late.restored == before + 4


def resumed(folder: Path, step: int, node: Any, policy: str, strategy: Any, lr: float = 0.1, epochs: int = 4) -> Any:
    callback = LRSchedulerCallback(node, resume=policy)
    return fit(
        callback, Tiny(lr=lr), ckpt=str(folder / f"step={step}.ckpt"), max_epochs=epochs, strategy=strategy
    ).rates  # fmt: skip


OTHER = {"name": "step", "step_size": 3, "gamma": 0.5, "interval": "step"}


@pytest.mark.parametrize("step", [4, 5, 10])
@pytest.mark.parametrize("node", [NODE, OTHER, {"name": "exponential"}], ids=lambda node: str(node["name"]))
@pytest.mark.parametrize("policy", ["strict", "keep", "stretch", "restart"])
def test_late_and_early_decide_alike(policy: str, node: Any, step: int, folder: Path) -> None:
    results: list[Any] = []
    for strategy in (late(), "auto"):
        try:
            results.append(resumed(folder, step, node, policy, strategy, lr=0.2))
        except SchedulerConfigError as error:
            results.append(str(error))
    assert results[0] == results[1]
    assert isinstance(results[0], str) is (policy == "strict")


def test_the_policies_late(folder: Path) -> None:
    with pytest.raises(SchedulerConfigError, match=r"T_max.*resume=keep"):
        resumed(folder, 4, NODE, "strict", late())
    whole = curve(NODE, base_lr=0.1, horizon=Horizon(steps=10))
    np.testing.assert_allclose(resumed(folder, 4, OTHER, "keep", late()), [*whole[4:], *[LAST] * 10])
    position = 4 + np.arange(16) * 6 / 16
    np.testing.assert_allclose(
        resumed(folder, 4, NODE, "stretch", late()), 0.1 * (1 + np.cos(np.pi * position / 10)) / 2
    )
    np.testing.assert_allclose(resumed(folder, 4, OTHER, "restart", late(), lr=0.2), 0.2 * 0.5 ** (np.arange(16) // 3))


@pytest.mark.parametrize("strategy", [late, lambda: "auto"])
def test_from_torchs_one_cycle(folder: Path, strategy: Any) -> None:
    ckpt = str(folder / "torch" / "last.ckpt")
    module = Tiny(momentum=0.9)

    class Watch(pl.Callback):
        def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
            self.momentum = optimizer.param_groups[0]["momentum"]
            self.keys = set(optimizer.param_groups[0])

    watch = Watch()
    fit(LRSchedulerCallback(NODE, resume="restart"), module, watch, ckpt=ckpt, max_epochs=4, strategy=strategy())
    np.testing.assert_allclose(module.rates, curve(NODE, base_lr=0.1, horizon=Horizon(steps=10)))
    assert watch.momentum == 0.9
    assert not {key for key in watch.keys if key.startswith(("max_", "min_", "base_"))}
    kept = fit(LRSchedulerCallback(NODE, resume="keep"), ckpt=ckpt, max_epochs=4, strategy=strategy()).rates
    np.testing.assert_allclose(kept, curve(NODE, base_lr=0.1, horizon=Horizon(steps=20))[10:])
    with pytest.raises(SchedulerConfigError, match=r"step 10.*written without LRSchedulerCallback"):
        fit(LRSchedulerCallback(NODE), ckpt=ckpt, max_epochs=4, strategy=strategy())


@pytest.mark.parametrize(("strategy", "empty"), [(late, True), (lambda: "auto", True), (lambda: "auto", False)])
def test_from_a_checkpoint_without_any_callback(folder: Path, empty: bool, strategy: Any, tmp_path: Path) -> None:
    """Of which Lightning tells no callback."""
    content = torch.load(folder / "torch" / "last.ckpt", weights_only=False)
    del content["callbacks"]
    content["lr_schedulers"] = [] if empty else content["lr_schedulers"]
    ckpt = str(tmp_path / "bare.ckpt")
    torch.save(content, ckpt)
    kept = fit(LRSchedulerCallback(NODE, resume="keep"), ckpt=ckpt, max_epochs=4, strategy=strategy()).rates
    np.testing.assert_allclose(kept, curve(NODE, base_lr=0.1, horizon=Horizon(steps=20))[10:])
    with pytest.raises(SchedulerConfigError, match=r"step 10.*written without LRSchedulerCallback"):
        fit(LRSchedulerCallback(NODE), ckpt=ckpt, max_epochs=4, strategy=strategy())


@pytest.mark.parametrize("limits", [{"max_epochs": 4}, {"max_steps": 20}, {"max_steps": 20, "max_epochs": 9}], ids=str)
@pytest.mark.parametrize("frequency", [1, 2])
def test_an_epoch_that_had_ended_does_not_end_again(limits: dict[str, Any], frequency: int, tmp_path: Path) -> None:
    """With max_steps, Lightning tells once more of the end of the epoch at whose end a checkpoint was written."""
    node = {"name": "exponential", "gamma": 0.5, "interval": "epoch", "frequency": frequency}
    save = ModelCheckpoint(tmp_path, every_n_epochs=1, save_on_train_epoch_end=True, save_top_k=-1, filename="{step}")
    fit(None, Tiny(), save, **limits)
    for ended in (1, 2, 3):
        ckpt = str(tmp_path / f"step={5 * ended}.ckpt")
        rest = np.repeat(range(4), 5)[5 * ended :]
        kept = fit(LRSchedulerCallback(node, resume="keep"), ckpt=ckpt, **limits).rates
        np.testing.assert_allclose(kept, 0.1 * 0.5 ** (rest // frequency))
        if ended + frequency <= 4:  # or it would not advance once
            anew = fit(LRSchedulerCallback(node, resume="restart"), ckpt=ckpt, **limits).rates
            np.testing.assert_allclose(anew, 0.1 * 0.5 ** ((rest - ended) // frequency))


@pytest.mark.parametrize("strategy", [late, lambda: "auto"])
def test_the_helper_late(strategy: Any, tmp_path: Path) -> None:
    class Helped(Tiny):
        def configure_optimizers(self) -> Any:
            return lr_configs.lightning(NODE, super().configure_optimizers(), self.trainer)

    save = ModelCheckpoint(tmp_path, every_n_train_steps=7, save_top_k=-1, filename="{step}")
    whole = fit(None, Helped(), save, strategy=strategy()).rates
    ckpt = str(tmp_path / "step=7.ckpt")
    assert fit(None, Helped(), ckpt=ckpt, strategy=strategy()).rates == whole[7:]
    with pytest.raises(SchedulerConfigError, match="T_max"):
        fit(None, Helped(), ckpt=ckpt, max_epochs=6, strategy=strategy())
    kept = fit(LRSchedulerCallback(resume="keep"), Helped(), ckpt=ckpt, max_epochs=6, strategy=strategy()).rates
    assert kept == [*whole[7:], *[whole[-1]] * 15]


@pytest.mark.parametrize("strategy", [late, lambda: "auto"])
def test_a_scheduler_of_the_modules_own_gets_its_own_state(strategy: Any, tmp_path: Path) -> None:
    """Kept beside ours (which drives another hyper-parameter), before it in the list or after it."""

    class Both(Tiny):
        def configure_optimizers(self) -> Any:
            optimizer = super().configure_optimizers()
            step = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
            decay = lr_configs.build(
                {"name": "exponential", "param": "weight_decay", "gamma": 0.9, "interval": "step"}, optimizer
            )
            return [optimizer], [{"scheduler": step, "interval": "step"}, {"scheduler": decay, "interval": "epoch"}]

    class Watch(pl.Callback):
        def __init__(self) -> None:
            self.seen: list[Any] = []

        def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
            self.seen.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["weight_decay"]))

    save = ModelCheckpoint(tmp_path, every_n_train_steps=7, save_top_k=-1, filename="{step}")
    watch, again = Watch(), Watch()
    fit(LRSchedulerCallback(), Both(weight_decay=0.1), save, watch, strategy=strategy())
    np.testing.assert_allclose(watch.seen, [(0.1 * 0.5**i, 0.1 * 0.9**i) for i in range(15)])
    ckpt = str(tmp_path / "step=7.ckpt")
    fit(LRSchedulerCallback(), Both(weight_decay=0.1), again, ckpt=ckpt, strategy=strategy())
    assert again.seen == watch.seen[7:]


class Another(Tiny):
    """Brings a scheduler of its own for the rate, or none."""

    def __init__(self, own: bool) -> None:
        super().__init__(weight_decay=0.1)
        self.own = own

    def configure_optimizers(self) -> Any:
        optimizer = super().configure_optimizers()
        halves = {"scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5), "interval": "step"}
        return [optimizer], [halves] * self.own


@pytest.mark.parametrize("policy", ["strict", "keep", "stretch", "restart"])
@pytest.mark.parametrize("saved", [True, False])
def test_a_scheduler_of_the_modules_own_that_is_gone_or_new(saved: bool, policy: str, tmp_path: Path) -> None:
    """Its state is given to no other."""

    def ours() -> Any:
        return LRSchedulerCallback(
            {"name": "exponential", "param": "weight_decay", "gamma": 0.9, "interval": "step"}, resume=policy
        )

    save = ModelCheckpoint(tmp_path, every_n_train_steps=7, save_top_k=-1, filename="{step}")
    fit(ours(), Another(saved), save)
    ckpt = str(tmp_path / "step=7.ckpt")
    if policy == "restart":
        assert len(fit(ours(), Another(not saved), ckpt=ckpt).rates) == 8
        return
    counts = (
        f"state of {1 + saved} schedulers, and this run has {2 - saved}. Give the schedulers that it was written with"
    )
    with pytest.raises(SchedulerConfigError, match=f"resume='{policy}': the checkpoint has the {counts}"):
        fit(ours(), Another(not saved), ckpt=ckpt)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("first", [True, False])
def test_what_the_first_process_finds_holds_on_all(processes: int, first: bool) -> None:
    """The others, which may not see the folder, do not look."""
    asked: list[bool] = []

    def broadcast(found: Any) -> Any:
        asked.append(found is not None)
        return "of the first"

    made = Mock(is_global_zero=first, world_size=processes, strategy=Mock(broadcast=broadcast))
    found = LightningRun(made).from_first(lambda: "here")
    assert found == ("of the first" if processes == 2 else "here" if first else None)
    assert asked == ([first] if processes == 2 else [])
