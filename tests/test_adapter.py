"""Schedulers of other libraries, attached as they are through the callback."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from lightning_helpers import Tiny, fit
from pytorch_lightning.callbacks import ModelCheckpoint

from lr_configs import LRSchedulerCallback, SchedulerConfigError


class Foreign:
    """As timm's: told the number of epochs and updates, from which it computes what it writes."""

    def __init__(self, optimizer: Any, by_epoch: bool) -> None:
        self.optimizer, self.by_epoch, self.metrics = optimizer, by_epoch, [0.0]
        self.base = optimizer.param_groups[0]["lr"]

    def _write(self, n: int) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.base / (1 + n)

    def step(self, epoch: int, metric: float | None = None) -> None:
        if metric is not None:
            self.metrics.append(metric)
        if self.by_epoch:
            self._write(epoch)

    def step_update(self, n: int) -> None:
        if not self.by_epoch:
            self._write(n)

    def state_dict(self) -> dict[str, Any]:
        return {"base": self.base, "metrics": list(self.metrics)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


class EpochsAlone:
    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer

    def step(self, epoch: int) -> None:
        self.optimizer.param_groups[0]["lr"] = 0.1 * 0.5**epoch


def test_by_updates_and_by_epochs() -> None:
    by_update = fit(LRSchedulerCallback(lambda o: Foreign(o, False)), Tiny(), batches=5, max_epochs=2)
    assert by_update.rates == [0.1 / (1 + n) for n in range(10)]
    by_epoch = fit(LRSchedulerCallback(partial(Foreign, by_epoch=True)), Tiny(), batches=5, max_epochs=3)
    assert by_epoch.rates == [0.1] * 5 + [0.05] * 5 + [0.1 / 3] * 5
    alone = fit(LRSchedulerCallback(EpochsAlone), Tiny(), batches=2, max_epochs=3)
    assert alone.rates == [0.1, 0.1, 0.05, 0.05, 0.025, 0.025]


def test_it_gets_a_metric() -> None:
    made: list[Foreign] = []

    def make(optimizer: Any) -> Foreign:
        made.append(Foreign(optimizer, True))
        return made[0]

    fit(LRSchedulerCallback(make, monitor="val_loss"), Tiny(), batches=2, max_epochs=3)
    assert len(made[0].metrics) == 4


@pytest.mark.parametrize("by_epoch", [False, True])
def test_it_goes_on_from_a_checkpoint(by_epoch: bool, tmp_path: Any) -> None:
    save = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_top_k=-1, filename="{step}")
    whole = fit(LRSchedulerCallback(partial(Foreign, by_epoch=by_epoch)), Tiny(), save, batches=5, max_epochs=3).rates
    for step in (3, 7, 12):
        callback = LRSchedulerCallback(partial(Foreign, by_epoch=by_epoch))
        ckpt = str(tmp_path / f"step={step}.ckpt")
        assert fit(callback, Tiny(), ckpt=ckpt, batches=5, max_epochs=3).rates == whole[step:]


class Two(Tiny):
    """Two optimizers by hand, of which the second makes two updates with every batch."""

    def __init__(self) -> None:
        super().__init__(groups=2)
        self.automatic_optimization = False
        self.both: list[list[float]] = [[], []]

    def training_step(self, batch: Any, batch_idx: int) -> None:
        for i, optimizer in enumerate(self.optimizers()):  # type: ignore[arg-type,var-annotated]
            for _ in range(i + 1):
                self.both[i].append(optimizer.param_groups[0]["lr"])
                optimizer.zero_grad()
                self.manual_backward(self.layers[i](batch).sum() * 1e-3)
                optimizer.step()

    def configure_optimizers(self) -> Any:
        return [torch.optim.SGD(layer.parameters(), lr=0.1) for layer in self.layers]


@pytest.mark.filterwarnings("ignore:Using ModelCheckpoint with manual optimization")
def test_each_optimizer_has_its_own(tmp_path: Any) -> None:
    schedulers = {"1": lambda o: Foreign(o, False), "0": {"name": "exponential", "gamma": 0.5}}
    save = ModelCheckpoint(tmp_path, every_n_train_steps=3, save_top_k=-1, filename="{step}")
    whole = fit(LRSchedulerCallback(schedulers=schedulers), Two(), save, batches=4, max_epochs=2).both
    assert whole == [[0.1] * 4 + [0.05] * 4, [0.1 / (1 + n) for n in range(16)]]
    ckpt = str(tmp_path / "step=9.ckpt")
    rest = fit(LRSchedulerCallback(schedulers=schedulers), Two(), ckpt=ckpt, batches=4, max_epochs=2).both
    assert rest == [whole[0][3:], whole[1][6:]]
    with pytest.raises(SchedulerConfigError, match="the module has 2 optimizers"):
        fit(LRSchedulerCallback(lambda o: Foreign(o, False)), Two(), batches=2, max_epochs=1)
    with pytest.raises(SchedulerConfigError, match=r"schedulers\.generator='\.\.\.': 'generator' names"):
        fit(LRSchedulerCallback(schedulers={"generator": EpochsAlone}), Two(), batches=2, max_epochs=1)


class TwoWithOne(Two):
    """Of which the module drives the first by itself."""

    def configure_optimizers(self) -> Any:
        first, second = super().configure_optimizers()
        self.own = torch.optim.lr_scheduler.StepLR(first, 1, 0.5)
        return [first, second], [self.own]

    def on_train_epoch_end(self) -> None:
        self.own.step()


@pytest.mark.filterwarnings("ignore:Using ModelCheckpoint with manual optimization")
def test_one_that_gives_way_leaves_the_others_their_states(tmp_path: Any) -> None:
    def callback() -> Any:
        schedulers = {"0": EpochsAlone, "1": lambda o: Foreign(o, False)}
        return LRSchedulerCallback(schedulers=schedulers, on_existing="keep")

    save = ModelCheckpoint(tmp_path, every_n_train_steps=3, save_top_k=-1, filename="{step}")
    whole = fit(callback(), TwoWithOne(), save, batches=4, max_epochs=2).both
    assert whole == [[0.1] * 4 + [0.05] * 4, [0.1 / (1 + n) for n in range(16)]]
    ckpt = str(tmp_path / "step=9.ckpt")
    assert fit(callback(), TwoWithOne(), ckpt=ckpt, batches=4, max_epochs=2).both == [whole[0][3:], whole[1][6:]]
    # the module's own drives another optimizer than this one
    alone = LRSchedulerCallback(schedulers={"1": {"name": "exponential", "gamma": 0.5}})
    assert fit(alone, TwoWithOne(), batches=4, max_epochs=2).both == [whole[0], [0.1] * 8 + [0.05] * 8]
    with pytest.raises(SchedulerConfigError, match=r"scheduler='EpochsAlone': .* returns a StepLR already"):
        fit(LRSchedulerCallback(schedulers={"0": EpochsAlone}), TwoWithOne(), batches=4, max_epochs=2)


@pytest.mark.parametrize("number", [0, 1])
def test_one_that_is_made_already_names_its_optimizer(number: int) -> None:
    class Made(Two):
        def configure_optimizers(self) -> Any:
            return both

    module = Made()
    both = Two.configure_optimizers(module)
    there = EpochsAlone(both[number])
    fit(LRSchedulerCallback(there), module, batches=2, max_epochs=2)
    assert module.both[number] == [0.1] * 2 * (1 + number) + [0.05] * 2 * (1 + number)
    assert set(module.both[1 - number]) == {0.1}


def test_what_cannot_be_attached() -> None:
    torchs = LRSchedulerCallback(lambda o: torch.optim.lr_scheduler.ConstantLR(o))
    with pytest.raises(SchedulerConfigError, match="scheduler='ConstantLR': this is a scheduler of torch's kind"):
        fit(torchs, Tiny(), batches=2, max_epochs=1)
    with pytest.raises(SchedulerConfigError, match=r"this has neither step\(epoch\) nor step_update\(n\)"):
        fit(LRSchedulerCallback(lambda o: 3), Tiny(), batches=2, max_epochs=1)
    other = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    with pytest.raises(SchedulerConfigError, match="its optimizer is none of the trainer's"):
        fit(LRSchedulerCallback(EpochsAlone(other)), Tiny(), batches=2, max_epochs=1)
