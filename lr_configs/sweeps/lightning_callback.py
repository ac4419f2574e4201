"""The Lightning half of a manifest: the schedules, the rates that were used, and the metrics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.optim import Optimizer

from lr_configs.callback import LRSchedulerCallback
from lr_configs.errors import SchedulerConfigError
from lr_configs.lightning_run import callback_bases
from lr_configs.sweeps import current
from lr_configs.sweeps.ending import ending
from lr_configs.sweeps.files import number
from lr_configs.sweeps.manifest import Job, Task
from lr_configs.sweeps.series import Series

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule, Trainer

    class Callback:
        """Lightning's, of whichever package is in use."""

else:
    Callback = type("Callback", callback_bases(), {})

#: optimizers and metrics that a manifest has at most
OPTIMIZERS, METRICS = 8, 64
#: updates between two looks at a rate for which a device would have to be waited for
FAR = 50
MODES = ("min", "max")
#: seconds between two versions of the file while a job trains; where a validation has something new
EVERY, SOON = 10.0, 1.0


class Manifest(Callback):
    """Leaves ``manifest.json`` in the folder of a job: what ran, at which rates, with which metrics, and how it ended.

    In a Hydra job the folder, the overrides and the number are the job's; elsewhere the folder is the trainer's
    ``default_root_dir``. What is written, and when, is in ``docs/sweeps.md``.

    Args:
        metric: the logged metric that runs are compared by; by default the ``monitor`` of the trainer's first checkpoint
            or early-stopping callback that has one.
        mode: ``min`` or ``max``, whichever is better; by default that callback's.
        folder: where the manifest goes, in place of the above.

    Raises:
        SchedulerConfigError: before the first batch, where the folder is that of another job of a sweep, or another process
            runs the same job.
    """

    # Lightning enters a profiler for every hook of every batch that is callable, used or not.
    on_before_zero_grad = None
    on_before_backward = None
    on_after_backward = None
    on_train_batch_start = None
    on_train_batch_end = None

    def __init__(self, metric: str | None = None, mode: str | None = None, folder: str | None = None) -> None:
        super().__init__()
        if mode is not None and mode not in MODES:
            raise SchedulerConfigError("mode", mode, f"it is one of {', '.join(MODES)}", "Write min for a loss")
        if mode is not None and metric is None:
            raise SchedulerConfigError("mode", mode, "it is the direction of a metric", "Write metric: val_loss, too")
        self.metric, self.mode, self.folder = metric, mode, folder
        # A trainer may run its fit in a process of its own, which knows nothing of Hydra's job.
        self._task = current.own_task() if folder is None else Task(Path(folder))
        self._job: Job | None = None
        self._mine = False  # whether the job has no Hydra half
        self._rates: dict[str, Series] = {}
        self._metrics: dict[str, Series] = {}
        self._names: dict[int, str] = {}
        self._earlier: dict[str, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_job": None, "_mine": False}

    # ------------------------------------------------------------------------------------ the beginning of a fit

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Begin the manifest, or take the job's."""
        if stage != "fit" or not trainer.is_global_zero:
            return
        job = current.current() if self.folder is None else None
        if job is None:
            job = self._begin_own(trainer)
        elif job is not self._job:
            self._job, self._mine = job, False
        data = job.data
        self._earlier = {**(data if data["rates"] or data["metrics"] else job.earlier)}
        self._rates, self._metrics, self._names = {}, {}, {}
        data.update(objective=self._objective(trainer), rates={}, metrics={}, schedules=[])

    def _begin_own(self, trainer: Trainer) -> Job:
        """A job without a Hydra half; a second fit of the same one goes on in its manifest."""
        task = self._task or Task(Path(trainer.default_root_dir))
        if self._job is None or not (self._mine and self._job.here and self._job.task == task):
            self._job, self._mine = Job(task), True
        self._job.reopen()
        current.enter(self._job)
        return self._job

    def _objective(self, trainer: Trainer) -> dict[str, Any] | None:
        if self.metric is not None:
            return {"metric": self.metric, "mode": self.mode}
        for one in trainer.callbacks:
            monitor, mode = getattr(one, "monitor", None), getattr(one, "mode", None)
            if isinstance(monitor, str) and mode in MODES:
                return {"metric": monitor, "mode": mode}
        return None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Go on where the checkpoint was."""
        updates = trainer.global_step
        for kind, series in (("rates", self._rates), ("metrics", self._metrics)):
            for name, found in (self._earlier.get(kind) or {}).items() if updates else ():
                points = [] if not isinstance(found, dict) else found.get("points") or []
                kept = series.setdefault(name, Series())
                kept.extend(
                    ((x, value) for x, y in points if (value := number(y)) is not None), updates + (kind == "metrics")
                )
        self._earlier = {}
        labels = [type(optimizer).__name__ for optimizer in trainer.optimizers]
        for i, optimizer in enumerate(trainer.optimizers[:OPTIMIZERS]):
            label = labels[i] if labels.count(labels[i]) == 1 else f"{labels[i]}-{i}"
            self._names[id(optimizer)] = f"lr/{label}/{optimizer.param_groups[0].get('name', 0)}"

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the schedules, which a checkpoint may have changed, and what the last epoch's end has logged late."""
        self._take(trainer, unchanged=False)
        if self._job is not None and not self._job.data["schedules"]:
            self._job.data["schedules"] = list(_schedules(trainer))
            self._write(trainer)

    # ------------------------------------------------------------------------------------ while it trains

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Note the rate of the update."""
        name = self._names.get(id(optimizer))
        if self._job is None or name is None:
            return
        rate, updates = optimizer.param_groups[0]["lr"], trainer.global_step
        if not isinstance(rate, Tensor) or rate.device.type == "cpu" or updates % FAR == 0:
            series = self._rates.get(name)
            if series is None:
                series = self._rates[name] = Series()
            series.add(updates, float(rate))
        if self._job.older(EVERY):
            self._write(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the metrics."""
        if not trainer.sanity_checking and trainer.state.fn == "fit":
            self._take(trainer, unchanged=True)
            if self._job is not None and self._job.older(SOON):
                self._write(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the metrics of the epoch."""
        self._take(trainer, unchanged=False)

    def _take(self, trainer: Trainer, *, unchanged: bool) -> None:
        """Note the metrics, be they as they were or not."""
        # On every process: the look itself may gather what they have.
        found = trainer.callback_metrics
        if self._job is None:
            return
        for name, value in found.items():
            if name not in self._metrics and len(self._metrics) >= METRICS:
                continue
            if isinstance(value, Tensor) and value.numel() != 1:
                continue
            series, x, y = self._metrics.setdefault(name, Series()), trainer.global_step, float(value)
            last = series.last
            if last is None or last[1] != y or (unchanged and last[0] != x):
                series.add(x, y)

    def _write(self, trainer: Trainer) -> None:
        job = self._job
        if job is not None:
            job.data["updates"], job.data["epochs"] = trainer.global_step, trainer.current_epoch
            job.data["rates"] = {name: _data(series) for name, series in self._rates.items()}
            job.data["metrics"] = {name: _data(series, exact=True) for name, series in self._metrics.items()}
            job.write()

    # ------------------------------------------------------------------------------------ the end of a fit

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note what the last epoch's end has logged late."""
        self._take(trainer, unchanged=False)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Write what there is; a job without a Hydra half has ended."""
        if stage == "fit" and self._job is not None:
            self._write(trainer)
            if self._mine:
                self._end("finished")

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Write what there is, and how the job ended where no Hydra half will hear of it."""
        if self._job is not None and not self._job.ended:
            self._write(trainer)
            status, reason = ending(exception)
            if self._mine or status == "killed":
                self._end(status, reason)

    def _end(self, status: str, reason: str | None = None) -> None:
        if self._job is not None and not self._job.ended:
            self._job.end(status, reason)
        if self._mine:
            current.leave()


def _data(series: Series, *, exact: bool = False) -> dict[str, Any]:
    """A series as a manifest has it: points with six digits, and, exactly, the last and the extreme ones."""
    found: dict[str, Any] = {"points": [[x, float(f"{y:.6g}")] for x, y in series.points()]}
    if exact:
        found.update(last=series.last, least=series.least, greatest=series.greatest)
    return found


def _schedules(trainer: Trainer) -> Iterator[dict[str, Any]]:
    """What was written for each schedule, and what it was resolved to; names where it is not one of ours."""
    ours = set()
    for one in trainer.callbacks:
        for track in one.driver.tracks if isinstance(one, LRSchedulerCallback) and one.driver is not None else ():
            ours.add(id(track.scheduler))
            resolved = track.plan.to_data()
            written = resolved.pop("config")
            yield {"name": written["name"], "optimizer": track.key, "written": written, "resolved": resolved}
    for record in trainer.lr_scheduler_configs:
        if id(record.scheduler) not in ours:
            yield {"name": type(record.scheduler).__name__}
