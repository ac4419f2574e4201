"""Timm's own scheduler objects, attached as they are: the rates of timm's own training loop, also after a resume."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from lightning_helpers import Tiny, fit, loader, trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from lr_configs import LRSchedulerCallback
from parity.compare import held, made

BATCHES, EPOCHS = 4, 6
#: timm's class -> its own arguments; lengths in epochs
KEYS: dict[str, dict[str, Any]] = {
    "CosineLRScheduler": {"t_initial": 3, "lr_min": 1e-3, "cycle_limit": 2, "cycle_decay": 0.5, "k_decay": 1.5},
    "TanhLRScheduler": {"t_initial": 5},
    "PolyLRScheduler": {"t_initial": 5, "power": 0.5, "lr_min": 1e-3},
    "StepLRScheduler": {"decay_t": 2, "decay_rate": 0.5},
    "MultiStepLRScheduler": {"decay_t": [2, 4], "decay_rate": 0.5},
    "WSDLRScheduler": {"t_initial": 5, "decay_t": 2, "stable_fn": "rsqrt", "stable_timescale": 2},
}
LENGTHS = ("t_initial", "decay_t", "warmup_t", "stable_timescale")
WARM = {"warmup_t": 1, "warmup_lr_init": 0.01, "noise_range_t": None}
NOISE = {"noise_range_t": 1, "noise_pct": 0.3}


def maker(timm_scheduler: Any, name: str, by_epoch: bool, **more: Any) -> Callable[[Any], Any]:
    """A function of the optimizer; by updates, every length is as many times longer."""
    keys = {**KEYS[name], **WARM, **more, "t_in_epochs": by_epoch}
    for key in () if by_epoch else set(LENGTHS) & set(keys):
        keys[key] = [one * BATCHES for one in keys[key]] if isinstance(keys[key], list) else keys[key] * BATCHES
    cls = getattr(importlib.import_module("timm.scheduler.wsd_lr") if name.startswith("WSD") else timm_scheduler, name)
    return lambda optimizer: cls(optimizer, **keys)


def by_timms_own_loop(make: Callable[[Any], Any], lrs: list[float]) -> list[Any]:
    """What timm's train.py does: ``step_update`` after an update, ``step`` after an epoch."""
    optimizer = made(lrs)
    scheduler, rows, n = make(optimizer), [], 0
    for epoch in range(EPOCHS):
        for _ in range(BATCHES):
            rows.append(held(optimizer))
            n += 1
            scheduler.step_update(num_updates=n)
        scheduler.step(epoch + 1)
    return rows if len(lrs) > 1 else [row[0] for row in rows]


@pytest.mark.parametrize("more", [{}, NOISE], ids=["plain", "noise"])
@pytest.mark.parametrize("by_epoch", [True, False], ids=["epochs", "updates"])
@pytest.mark.parametrize("name", KEYS)
def test_the_rates_of_timms_loop_and_exact_resume(
    timm_scheduler: Any, name: str, by_epoch: bool, more: dict[str, Any], tmp_path: Any
) -> None:
    make = maker(timm_scheduler, name, by_epoch, **more)
    for cls, groups in ((torch.optim.SGD, 1), (torch.optim.AdamW, 2)):
        expected = by_timms_own_loop(make, [0.1 / (i + 1) for i in range(groups)])
        folder = tmp_path / str(groups)
        save = ModelCheckpoint(folder, every_n_train_steps=1, save_top_k=-1, filename="{step}")
        whole = fit(LRSchedulerCallback(make), Tiny(groups=groups, cls=cls), save, batches=BATCHES, max_epochs=EPOCHS)
        assert whole.rates == expected
        assert len(set(map(str, expected[:BATCHES]))) == (1 if by_epoch else BATCHES)  # within the warmup
        for step in (2, 9, 16, 23):
            ckpt = str(folder / f"step={step}.ckpt")
            rest = fit(
                LRSchedulerCallback(make), Tiny(groups=groups, cls=cls), ckpt=ckpt, batches=BATCHES, max_epochs=EPOCHS
            )
            assert rest.rates == expected[step:]


def test_accumulated_batches_are_one_update(timm_scheduler: Any) -> None:
    make = maker(timm_scheduler, "CosineLRScheduler", False)
    module = fit(LRSchedulerCallback(make), Tiny(), batches=2 * BATCHES, max_epochs=EPOCHS, accumulate_grad_batches=2)
    assert module.rates == by_timms_own_loop(make, [0.1])


@pytest.mark.filterwarnings("ignore::FutureWarning")  # timm's, of its plateau
def test_the_plateau_gets_its_metric(timm_scheduler: Any) -> None:
    values = [1.0, 0.9, 0.9, 0.9, 0.9, 0.9]

    def make(optimizer: Any) -> Any:
        return timm_scheduler.PlateauLRScheduler(optimizer, decay_rate=0.5, patience_t=0, mode="min")

    optimizer = made([0.1])
    scheduler, expected = make(optimizer), []
    for epoch in range(EPOCHS):
        expected += held(optimizer) * 2
        scheduler.step(epoch + 1, values[epoch])
    module = Tiny()
    module.metric = iter(values)
    fit(LRSchedulerCallback(make, monitor="val_loss"), module, batches=2, max_epochs=EPOCHS, num_sanity_val_steps=0)
    assert module.rates == expected
    assert len(set(expected)) > 2


class Two(pl.LightningModule):
    """Two optimizers, one of them stepped twice as often."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.one, self.two = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
        self.rates: dict[int, list[float]] = {0: [], 1: []}

    def training_step(self, batch: Any, batch_idx: int) -> None:
        for i, optimizer in enumerate(self.optimizers()):  # type: ignore[arg-type,var-annotated]
            for _ in range(i + 1):
                self.rates[i].append(optimizer.param_groups[0]["lr"])
                optimizer.zero_grad()
                self.manual_backward((self.one if i == 0 else self.two)(batch).sum() * 1e-3)
                optimizer.step()

    def configure_optimizers(self) -> Any:
        return [torch.optim.SGD(self.one.parameters(), lr=0.1), torch.optim.AdamW(self.two.parameters(), lr=0.05)]


@pytest.mark.filterwarnings("ignore:Using ModelCheckpoint with manual optimization")
@pytest.mark.parametrize("beside", ["timm", "ours", "nothing"])
def test_several_optimizers(timm_scheduler: Any, beside: str, tmp_path: Any) -> None:
    """Each is told its own optimizer's updates, by the index or the module's attribute; ours may drive another one."""
    cosine, step = maker(timm_scheduler, "CosineLRScheduler", False), maker(timm_scheduler, "StepLRScheduler", False)
    schedulers: dict[str, Any] = {"two": cosine}
    if beside != "nothing":
        schedulers["0"] = step if beside == "timm" else {"name": "step", "step_size": 2 * BATCHES, "interval": "step"}

    def run(ckpt: Any = None) -> Two:
        module = Two()
        save = [] if ckpt else [ModelCheckpoint(tmp_path, every_n_train_steps=1, save_top_k=-1, filename="{step}")]
        callback = LRSchedulerCallback(schedulers=dict(schedulers))
        trainer(callback, *save, max_epochs=EPOCHS).fit(module, loader(BATCHES), ckpt_path=ckpt)
        return module

    optimizer = made([0.05])
    scheduler, expected = cosine(optimizer), []
    for n in range(2 * BATCHES * EPOCHS):
        expected += held(optimizer)
        scheduler.step_update(n + 1)
    whole = run()
    assert whole.rates[1] == expected
    first = by_timms_own_loop(step, [0.1]) if beside == "timm" else [0.1] * BATCHES * EPOCHS
    if beside == "ours":
        first = [pytest.approx(0.1 * 0.1 ** (t // (2 * BATCHES))) for t in range(BATCHES * EPOCHS)]
    assert whole.rates[0] == first
    for batches in (3, 4, 17):
        rest = run(str(tmp_path / f"step={3 * batches}.ckpt"))
        assert rest.rates == {0: whole.rates[0][batches:], 1: expected[2 * batches :]}
