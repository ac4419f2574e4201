"""Gives up on a run that is worse than the others: the part of an Optuna sweep that lives in Lightning."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lr_configs.errors import SchedulerConfigError
from lr_configs.lightning_run import callback_bases
from lr_configs.sweeps import current
from lr_configs.sweeps.study import Handle, close_storage, needs_optuna, open_storage, part

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule, Trainer

    class Callback:
        """Lightning's, of whichever package is in use."""

else:
    Callback = type("Callback", callback_bases(), {})


class Pruning(Callback):
    """Reports a metric after each validation, and stops the run where the sweep's pruner finds it hopeless.

    Under ``hydra/sweeper=lr_optuna``; anywhere else it does nothing. The first process alone asks, and tells the others. The run
    ends as by early stopping, so that loggers and checkpoints are closed in order; whatever it returns, its trial is pruned.

    Args:
        monitor: the logged metric, the one that the job returns (and the study compares).

    Raises:
        SchedulerConfigError: at the first validation that has not logged it, and for a study of several objectives, which
            Optuna does not prune.
    """

    def __init__(self, monitor: str) -> None:
        super().__init__()
        self.monitor = monitor
        self.reports = 0
        self.stopped = False
        self._handle = Handle.of_this_job()
        self._trial: Any = None
        self._storage: Any = None

    def state_dict(self) -> dict[str, Any]:
        """How often it has reported: a run that goes on from a checkpoint goes on counting."""
        return {"reports": self.reports}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """What :meth:`state_dict` gave."""
        self.reports = int(state["reports"])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_trial": None, "_storage": None}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Find the trial."""
        handle = self._handle
        if stage != "fit" or handle is None or handle.pruner is None or not trainer.is_global_zero:
            return
        optuna = needs_optuna()
        self._storage = open_storage(handle.storage)
        study = optuna.load_study(
            study_name=handle.study, storage=self._storage, pruner=part("hydra.sweeper.pruner", handle.pruner)
        )
        if len(study.directions) > 1:
            raise SchedulerConfigError(
                "hydra.sweeper.direction",
                [direction.name.lower() for direction in study.directions],
                "a study of several objectives prunes nothing",
                "Leave lr_configs.sweeps.Pruning out, or name one direction",
            )
        self._trial = optuna.trial.Trial(study, handle.trial)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report, and ask."""
        handle = self._handle
        if trainer.sanity_checking or trainer.state.fn != "fit" or handle is None or handle.pruner is None:
            return
        metrics = trainer.callback_metrics
        if self.monitor not in metrics:
            raise SchedulerConfigError(
                "monitor",
                self.monitor,
                f"this validation has not logged it, but {', '.join(sorted(map(str, metrics))) or 'nothing'}",
                "Name a metric that every validation logs",
            )
        self.reports += 1
        hopeless = self._trial is not None and self._ask(float(metrics[self.monitor]))
        if trainer.strategy.broadcast(hopeless):
            trainer.should_stop = self.stopped = True
            job = current.current()
            if job is not None:
                job.prune(
                    f"given up after {self.reports} validations, at {self.monitor}={float(metrics[self.monitor]):.4g}"
                )

    def _ask(self, value: float) -> bool:
        if math.isnan(value):
            return False  # a trial without a value says nothing to a pruner; its end will be a failure
        self._trial.report(value, step=self.reports)
        return bool(self._trial.should_prune())

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Close the storage."""
        if self._storage is not None:
            close_storage(self._storage)
            self._trial = self._storage = None
