"""What the callback logs: plain floats of what each optimizer really holds."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from lightning_helpers import Tiny, loader, trainer
from pytorch_lightning.callbacks import LearningRateMonitor
from pytorch_lightning.loggers import CSVLogger, Logger
from test_callback import STEP, Gan

from lr_configs import Horizon, LRSchedulerCallback, SchedulerConfigError, curve
from lr_configs.callback import _watch
from lr_configs.decay_file import DecayFile


class Memory(Logger):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[int, dict[str, Any]]] = []

    name = version = "memory"

    def log_metrics(self, metrics: Any, step: Any = None) -> None:
        self.rows.append((step, dict(metrics)))

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        pass

    def column(self, key: str) -> list[float]:
        return [row[key] for _, row in self.rows if key in row]


def test_every_update_is_logged(tmp_path: Path) -> None:
    logger = Memory()
    callback = LRSchedulerCallback({"name": "cosine", "interval": "step"}, log=True)
    module = Tiny(groups=2)
    trainer(callback, logger=logger, log_every_n_steps=1).fit(module, loader(), loader(2))
    whole = curve("cosine", base_lr=0.1, horizon=Horizon(steps=15))
    np.testing.assert_allclose(logger.column("lr/SGD/0"), whole)
    np.testing.assert_allclose(logger.column("lr/SGD/1"), whole / 2)
    assert all(type(v) is float for _, row in logger.rows for k, v in row.items() if k.startswith("lr/"))
    assert [step for step, row in logger.rows if "lr/SGD/0" in row] == list(range(15))


def test_log_every_n_steps() -> None:
    logger = Memory()
    trainer(LRSchedulerCallback("none", log=True), logger=logger, log_every_n_steps=5).fit(Tiny(), loader(), loader(2))
    assert len(logger.column("lr/SGD/0")) == 3


@pytest.mark.parametrize("bar", [False, True])
def test_nothing_is_logged_unless_asked(bar: bool) -> None:
    logger = Memory()
    made = trainer(LRSchedulerCallback("none", progress_bar=bar), logger=logger, log_every_n_steps=1)
    made.fit(Tiny(), loader(), loader(2))
    assert {key for _, row in logger.rows for key in row} == {"val_loss", "train_loss", "epoch"}


def test_what_is_logged_may_change_between_two_fits() -> None:
    callback = LRSchedulerCallback("none")
    for log in (False, True, False):
        callback.logs, logger = log, Memory()
        trainer(callback, logger=logger, log_every_n_steps=1).fit(Tiny(), loader(), loader(2))
        assert len(logger.column("lr/SGD/0")) == 15 * log, logger.rows


def test_without_a_schedule() -> None:
    logger = Memory()
    trainer(LRSchedulerCallback("none", log=True), logger=logger, log_every_n_steps=1).fit(Tiny(), loader(), loader(2))
    assert set(logger.column("lr/SGD/0")) == {0.1}
    trainer(LRSchedulerCallback("none", log=True)).fit(Tiny(), loader(), loader(2))  # and without a logger


def test_names_of_groups_optimizers_and_parameters() -> None:
    class Named(Tiny):
        def configure_optimizers(self) -> Any:
            optimizer = super().configure_optimizers()
            optimizer.param_groups[0]["name"] = "body"
            return optimizer

    logger = Memory()
    callback = LRSchedulerCallback([STEP, {**STEP, "param": "betas.0"}], log=True)
    trainer(callback, logger=logger, log_every_n_steps=1).fit(Named(cls=torch.optim.Adam), loader(), loader(2))
    assert {k for _, row in logger.rows for k in row if "Adam" in k} == {"lr/Adam/body", "betas.0/Adam/body"}
    np.testing.assert_allclose(logger.column("betas.0/Adam/body"), 0.9 * 0.9 ** np.arange(15))

    logger = Memory()
    callback = LRSchedulerCallback(schedulers={"generator": STEP, "1": STEP}, log=True)
    trainer(callback, logger=logger, log_every_n_steps=1).fit(Gan(), loader())
    assert {k for _, row in logger.rows for k in row if k.startswith("lr/")} == {"lr/generator/0", "lr/SGD-1/0"}


def test_another_fit_has_names_of_its_own() -> None:
    callback = LRSchedulerCallback("none", log=True)
    for cls in (torch.optim.SGD, torch.optim.AdamW):
        logger = Memory()
        trainer(callback, logger=logger, log_every_n_steps=1).fit(Tiny(cls=cls), loader(), loader(2))
        assert logger.column(f"lr/{cls.__name__}/0") == [0.1] * 15


def test_tensor_rates_are_logged_as_floats() -> None:
    logger = Memory()
    callback = LRSchedulerCallback("none", log=True, tensor_lr=True)
    trainer(callback, logger=logger, log_every_n_steps=1).fit(Tiny(), loader(), loader(2))
    assert {type(v) for v in logger.column("lr/SGD/0")} == {float}


def test_beside_the_learning_rate_monitor(tmp_path: Path) -> None:
    callback = LRSchedulerCallback({"name": "cosine", "interval": "step"}, log=True)
    run = trainer(callback, LearningRateMonitor(), logger=CSVLogger(tmp_path), log_every_n_steps=1)
    run.fit(Tiny(), loader(), loader(2))
    with (tmp_path / "lightning_logs/version_0/metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    ours = [float(row["lr/SGD/0"]) for row in rows if row["lr/SGD/0"]]
    theirs = [float(row["lr-SGD"]) for row in rows if row["lr-SGD"]]
    assert ours == theirs
    assert len(ours) == 15


def test_the_learning_rate_monitor_sees_every_parameter() -> None:
    logger = Memory()
    callback = LRSchedulerCallback([STEP, {**STEP, "param": "weight_decay"}])
    module = Tiny(groups=2, weight_decay=0.5)
    trainer(callback, LearningRateMonitor(), logger=logger, log_every_n_steps=1).fit(module, loader(), loader(2))
    keys = {k for _, row in logger.rows for k in row}
    assert {"lr-SGD/pg1", "lr-SGD/pg2", "weight_decay/pg1", "weight_decay/pg2"} <= keys
    np.testing.assert_allclose(logger.column("weight_decay/pg1"), 0.5 * 0.9 ** np.arange(15))


def test_the_progress_bar_shows_the_rate() -> None:
    run = trainer(LRSchedulerCallback(STEP, progress_bar=True))
    run.fit(Tiny(), loader(), loader(2))
    assert run.progress_bar_metrics["lr"] == pytest.approx(0.1 * 0.9**14)


def test_the_progress_bar_is_the_first_process_s_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    module = Tiny()
    log = module.log

    def noted(name: str, value: Any, **kwargs: Any) -> None:
        asked.append((name, kwargs) if name == "lr" else None)
        log(name, value, **kwargs)

    monkeypatch.setattr(module, "log", noted)
    trainer(LRSchedulerCallback(STEP, progress_bar=True), max_epochs=1).fit(module, loader(), loader(2))
    assert [one for one in asked if one] == [("lr", {"prog_bar": True, "logger": False, "rank_zero_only": True})] * 5


def test_the_progress_bar_shows_the_rates_of_every_optimizer_and_group() -> None:
    run = trainer(LRSchedulerCallback([STEP, {**STEP, "param": "momentum"}], progress_bar=True))
    run.fit(Tiny(groups=2, momentum=0.5), loader(), loader(2))
    assert run.progress_bar_metrics == pytest.approx({"lr": 0.1 * 0.9**14, "lr/SGD/1": 0.05 * 0.9**14})
    run = trainer(LRSchedulerCallback(schedulers={"0": STEP, "1": "none"}, progress_bar=True))
    run.fit(Gan(), loader())
    assert run.progress_bar_metrics == pytest.approx({"lr/SGD-0/0": 0.1 * 0.9**14, "lr/SGD-1/0": 0.2})


def test_of_several_processes_the_first_looks_for_the_file_at_every_twentieth_batch(tmp_path: Path) -> None:
    file, asked = DecayFile(tmp_path / "decay"), list[Any]()
    driver: Any = SimpleNamespace(decay_now=lambda *ending, wait: asked.append((*ending, wait)))
    found: dict[int, list[int]] = {}
    for processes in (1, 2):
        run: Any = SimpleNamespace(processes=processes, from_first=lambda find: find(), say=print)
        for batch in range(45):
            file.path.write_text("7% cosine" + " " * batch)
            _watch(file, run, driver, batch)
            found.setdefault(processes, []).extend([batch] * len(asked))
            assert asked in ([], [("7%", "cosine", True)])
            asked.clear()
    assert found == {1: list(range(45)), 2: [0, 20, 40]}


def test_decay_now_from_outside(tmp_path: Path) -> None:
    stop = tmp_path / "decay"

    class Touch(Tiny):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            if len(self.rates) == 9:
                stop.write_text("20% cosine")
            return super().training_step(batch, batch_idx)

    module = Touch()
    node = {"name": "exponential", "gamma": 0.99, "interval": "step"}
    trainer(LRSchedulerCallback(node, decay_file=str(stop)), max_epochs=5).fit(module, loader(), loader(2))
    start = 0.1 * 0.99**10
    end = 0.1 * 0.99**24
    assert module.rates[9] == pytest.approx(0.1 * 0.99**9)
    x = np.arange(1, 6) / 5
    left = (1 + np.cos(np.pi * x)) / 2
    np.testing.assert_allclose(module.rates[10:15], start * left + end * (1 - left))
    assert module.rates[15:] == pytest.approx([end] * 10)


def test_decay_now_refuses_nonsense() -> None:
    callback = LRSchedulerCallback("none")
    with pytest.raises(SchedulerConfigError, match=r"shape='lin'.*did you mean 'linear'"):
        callback.decay_now(shape="lin")
    with pytest.raises(SchedulerConfigError, match="over='5min'"):
        callback.decay_now(over="5min")


def test_an_early_ending_that_cannot_be_costs_no_run(capsys: pytest.CaptureFixture[str]) -> None:
    callback = LRSchedulerCallback({"name": "exponential", "interval": "step"})

    class Asks(Tiny):
        def training_step(self, batch: Any, batch_idx: int) -> Any:
            if len(self.rates) == 3:
                callback.decay_now(over="10%")
            return super().training_step(batch, batch_idx)

    module = Asks()
    trainer(callback, max_epochs=-1, max_time={"seconds": 1}).fit(module, loader(), loader(2))
    assert len(module.rates) > 15
    assert "no early ending: over='10%': a share of the run needs the run's length" in capsys.readouterr().out
