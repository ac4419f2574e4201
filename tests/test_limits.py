"""A run with max_epochs and max_steps that is resumed with other accumulation ends at the first of the two, counted from there."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_helpers import Tiny, fit
from pytorch_lightning.callbacks import GradientAccumulationScheduler, ModelCheckpoint

from lr_configs import Horizon, LRSchedulerCallback
from lr_configs.driver import Driver
from lr_configs.rest import shortest
from lr_configs.run import PlainRun

pytestmark = pytest.mark.filterwarnings("ignore:The dirpath has changed")
BATCHES = 10


def cosine(at: Any, length: float) -> Any:
    return 0.05 * (1 + np.cos(np.pi * np.asarray(at, dtype=float) / length))


@dataclass(frozen=True)
class Case:
    """Two runs of six epochs: how many batches make an update in each, and what that comes to, worked out by hand."""

    before: Any
    made: int  # updates in the two epochs before
    planned: int  # updates of the first run
    now: Any
    max_steps: int
    left: tuple[int, ...]  # updates in the epochs that are left
    scratch: int  # updates that the second run would have from its beginning


CASES = {
    # epochs would end at 20 + 4 * 5 = 40
    "updates end it first": Case(1, 20, 60, 2, 35, (5, 5, 5), 30),
    "updates end it within an epoch": Case(1, 20, 60, 2, 33, (5, 5, 3), 30),
    # epochs end at 10 + 4 * 10 = 50
    "epochs end it first": Case(2, 10, 30, 1, 55, (10, 10, 10, 10), 55),
    "epochs end it, and would from the beginning": Case(1, 20, 60, 2, 90, (5, 5, 5, 5), 30),
    "updates end it, and would from the beginning": Case(2, 10, 30, 1, 45, (10, 10, 10, 5), 45),
    # 10, 10, 5, 5, 5, 5; then 5, 5, 10, 5, 5, 5 (in the first epoch after a checkpoint Lightning itself knows only 1)
    "updates end a changing accumulation": Case({0: 1, 2: 2}, 20, 40, {0: 2, 2: 1, 3: 2}, 40, (10, 5, 5), 35),
    # 5 each; then 10, 10, 10, 5, 5, 5
    "epochs end a changing accumulation": Case({0: 2}, 10, 30, {0: 1, 3: 2}, 40, (10, 5, 5, 5), 40),
    "epochs and updates end it at once": Case(1, 20, 60, 2, 40, (5, 5, 5, 5), 30),
}


def run(node: Any, accumulate: Any, *more: Any, policy: str = "strict", ckpt: str | None = None, **kwargs: Any) -> Any:
    if isinstance(accumulate, dict):
        more = (*more, GradientAccumulationScheduler(accumulate))
    else:
        kwargs["accumulate_grad_batches"] = accumulate
    return fit(LRSchedulerCallback(node, resume=policy), Tiny(), *more, ckpt=ckpt, batches=BATCHES, **kwargs).rates


def saved(folder: Path) -> ModelCheckpoint:
    """Not at an epoch's end: from there, Lightning itself trains an epoch less wherever max_steps is set."""
    return ModelCheckpoint(folder, every_n_train_steps=1, save_top_k=-1, filename="{step}")


def checkpoint(folder: Path, node: Any, case: Case) -> str:
    """At the end of the second epoch."""
    assert len(run(node, case.before, saved(folder), max_epochs=6)) == case.planned
    return str(folder / f"step={case.made}.ckpt")


@pytest.mark.parametrize("interval", ["step", "epoch"])
@pytest.mark.parametrize("name", CASES)
def test_stretch_reaches_its_end(name: str, interval: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case, node = CASES[name], {"name": "cosine", "interval": interval}
    ckpt = checkpoint(tmp_path, node, case)
    capsys.readouterr()
    rates = run(node, case.now, policy="stretch", ckpt=ckpt, max_epochs=6, max_steps=case.max_steps)
    over = sum(case.left)
    if interval == "step":
        due = cosine(case.made + np.arange(over) * (case.planned - case.made) / over, case.planned)
    else:
        begun = np.cumsum((0, *case.left[:-1]))
        due = np.repeat(cosine(2 + begun * 4 / over, 6), case.left)
    np.testing.assert_allclose(rates, due, rtol=1e-12, atol=1e-15)
    said = capsys.readouterr().out
    assert f" | {case.made + over} updates | " in said
    assert last_said(said) == f"{rates[-1]:.4g}"
    assert "more updates than planned" not in said


@pytest.mark.parametrize("interval", ["step", "epoch"])
@pytest.mark.parametrize("name", CASES)
def test_restart_covers_what_is_left(
    name: str, interval: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case, node = CASES[name], {"name": "cosine", "interval": interval}
    ckpt = checkpoint(tmp_path, {"name": "none"}, case)
    capsys.readouterr()
    rates = run(node, case.now, policy="restart", ckpt=ckpt, max_epochs=6, max_steps=case.max_steps)
    over, epochs = sum(case.left), len(case.left)
    due = (
        cosine(np.arange(over), over) if interval == "step" else np.repeat(cosine(np.arange(epochs), epochs), case.left)
    )
    np.testing.assert_allclose(rates, due, rtol=1e-12, atol=1e-15)
    said = capsys.readouterr().out
    assert f" | {case.made + over} updates | " in said
    assert last_said(said) == f"{rates[-1]:.4g}"
    assert "more updates than planned" not in said


def last_said(text: str) -> str:
    """The last rate in the line about the run."""
    found = re.search(r"\| lr .*-> (\S+)", text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("name", CASES)
def test_from_its_beginning_the_run_is_as_long_as_ever(name: str) -> None:
    case, node = CASES[name], {"name": "cosine", "interval": "step"}
    rates = run(node, case.now, max_epochs=6, max_steps=case.max_steps)
    np.testing.assert_allclose(rates, cosine(np.arange(case.scratch), case.scratch), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("interval", ["step", "epoch"])
@pytest.mark.parametrize(
    ("before", "now", "step", "left"),
    [
        # 10 updates in each epoch before, 5 from here on: of the second epoch 1, 3, 9 batches are over
        (1, 2, 11, (5, 5, 5)),
        (1, 2, 13, (4, 5, 5)),
        (1, 2, 19, (1, 5, 5)),
        # 5 and 10; 2, 8 batches are over
        (2, 1, 6, (8, 10, 10)),
        (2, 1, 9, (2, 10, 10)),
        # 5 and 4 (the last of them from one batch alone); 4, 6 batches are over
        (2, 3, 7, (3, 4, 4)),
        (2, 3, 8, (2, 4, 4)),
    ],
)
def test_from_within_an_epoch(
    before: int, now: int, step: int, left: tuple[int, ...], interval: str, tmp_path: Path
) -> None:
    """What is over of it has made more updates, or fewer, than it would make now."""
    node = {"name": "cosine", "interval": interval}
    per_epoch, over = -(-BATCHES // before), sum(left)
    run(node, before, saved(tmp_path), max_epochs=4)
    ckpt = str(tmp_path / f"step={step}.ckpt")
    begun = np.cumsum((0, *left[:-1]))
    for limits in ({"max_epochs": 4}, {"max_epochs": 40, "max_steps": step + over}):
        rates = run(node, now, policy="restart", ckpt=ckpt, **limits)
        due = cosine(np.arange(over), over) if interval == "step" else np.repeat(cosine(np.arange(3), 3), left)
        np.testing.assert_allclose(rates, due, rtol=1e-12, atol=1e-15)
        rates = run(node, now, policy="stretch", ckpt=ckpt, **limits)
        if interval == "step":
            due = cosine(step + np.arange(over) * (4 * per_epoch - step) / over, 4 * per_epoch)
        else:  # the rate of the epoch in progress holds to its end
            at = step / per_epoch
            due = np.repeat([cosine(1, 4), *cosine(at + begun[1:] * (4 - at) / over, 4)], left)
        np.testing.assert_allclose(rates, due, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("name", "batches", "left"),
    [("end-step=20", 16, 32), ("end-step=20", 6, 12), ("step=20", 6, 12), ("step=13", 16, 45), ("step=13", 6, 15)],
)
def test_from_an_epoch_that_had_another_number_of_batches(name: str, batches: int, left: int, tmp_path: Path) -> None:
    """Ten batches in each of two epochs, and the second one is over, or three batches of it."""
    end = ModelCheckpoint(tmp_path, save_top_k=-1, save_on_train_epoch_end=True, filename="end-{step}")
    run({"name": "none"}, 1, saved(tmp_path), end, max_epochs=4)
    callback = LRSchedulerCallback("cosine", resume="restart")
    rates = fit(callback, ckpt=str(tmp_path / f"{name}.ckpt"), batches=batches, max_epochs=4).rates
    np.testing.assert_allclose(rates, cosine(np.arange(left), left), rtol=1e-12, atol=1e-15)


class TwoLimits(PlainRun):
    """A loop of one's own with both limits, which tells what it really makes."""

    def __init__(self, epochs: int, steps: int | None, per_epoch: int) -> None:
        whole = Horizon(epochs=epochs, steps_per_epoch=per_epoch)
        self.both = (whole,) if steps is None else (whole, Horizon(steps=steps, steps_per_epoch=per_epoch))
        super().__init__(shortest(self.both), say=lambda line: None)
        self.epochs, self.steps, self.per_epoch = epochs, steps or 10**9, per_epoch

    def limits(self, key: str | None = None) -> tuple[Horizon, ...]:
        return self.both

    def train(self, policy: str, state: Any = None, stop: int = 10**9) -> tuple[list[float], Any]:
        """The rates, and a checkpoint after `stop` updates or at the end."""
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1)
        driver, rates = Driver(self, policy), []
        driver.drive({"name": "cosine", "interval": "step"}, optimizer)
        if state is not None:
            driver.load(state[0])
            optimizer.load_state_dict(state[1])
        driver.start()
        track = driver.tracks[0]
        for epoch in range(driver.epoch + 1, self.epochs):
            while track.updates < min(self.steps, stop) and track.updates - track.epoch_updates < self.per_epoch:
                rates.append(float(optimizer.param_groups[0]["lr"]))
                optimizer.step()
            if track.updates - track.epoch_updates == self.per_epoch:
                driver.end_epoch(epoch)
            if track.updates == min(self.steps, stop):
                break
        return rates, (driver.save(), optimizer.state_dict())


@pytest.mark.parametrize("stop", [23, 25, 28])
def test_stretch_again_knows_that_another_limit_ends_the_run(stop: int) -> None:
    """From its beginning the run has 30 updates with and without max_steps=35; from update 20 it ends at 35, and at 40."""
    before, first = TwoLimits(6, None, 10).train("strict", stop=20)
    np.testing.assert_allclose(before, cosine(np.arange(20), 60))
    job = TwoLimits(6, 35, 5)
    whole, _ = job.train("stretch", first)
    np.testing.assert_allclose(whole, cosine(20 + np.arange(15) * 40 / 15, 60), atol=1e-15)
    _, second = job.train("stretch", first, stop=stop)
    for policy in ("strict", "keep", "stretch", "restart"):  # the same job again
        assert job.train(policy, second)[0] == whole[stop - 20 :]
    at, left = 20 + (stop - 20) * 40 / 15, 40 - stop
    longer, _ = TwoLimits(6, None, 5).train("stretch", second)
    np.testing.assert_allclose(longer, cosine(at + np.arange(left) * (60 - at) / left, 60), atol=1e-15)


def test_a_checkpoint_without_state_of_ours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The schedule goes on from update 20, and the run ends at 35, not at 30."""
    fit(None, None, saved(tmp_path), batches=BATCHES, max_epochs=2)
    node = {"name": "exponential", "gamma": 0.9, "interval": "step"}
    ckpt = str(tmp_path / "step=20.ckpt")
    rates = run(node, 2, policy="keep", ckpt=ckpt, max_epochs=6, max_steps=35)
    np.testing.assert_allclose(rates, 0.1 * 0.9 ** np.arange(20, 35))
    said = capsys.readouterr().out
    assert " | 35 updates | " in said
    assert last_said(said) == f"{rates[-1]:.4g}"
    np.testing.assert_allclose(
        run({"name": "cosine"}, 2, policy="restart", ckpt=ckpt, max_epochs=6, max_steps=35),
        cosine(np.arange(15), 15),
        rtol=1e-12,
        atol=1e-15,
    )
