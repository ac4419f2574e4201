"""Which metric has a new value, and which will never have one."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lr_configs.driver import Driver
from lr_configs.errors import SchedulerConfigError, nearest
from lr_configs.lightning_run import LightningRun, number_of


def unknown(monitor: str, names: set[str]) -> SchedulerConfigError:
    """The error for a metric that is not logged."""
    return SchedulerConfigError(
        "monitor",
        monitor,
        "no metric of this name was logged",
        f"{nearest(monitor, names)}Logged: {', '.join(sorted(names)) or 'nothing'}",
    )


def _of_validation(monitor: str) -> bool:
    """Whether nothing but a validation logs a metric of this name."""
    return monitor.lower().startswith(("val", "dev", "test"))


def check_can_be(run: LightningRun, monitor: str | None) -> None:
    """Refuse a metric of a validation that the run does not have."""
    if monitor is None or run.trainer.enable_validation or not _of_validation(monitor):
        return
    raise SchedulerConfigError(
        "monitor",
        monitor,
        "this run has no validation, so that no such metric will be logged",
        "Give the trainer a validation loader, or monitor a training metric ('train_loss')",
    )


def _in_one_place(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are one in memory; False on a device that does not tell."""
    try:
        return one.dtype == other.dtype and one.device == other.device and one.is_set_to(other)
    except (NotImplementedError, RuntimeError):
        return False


class Monitors:
    """Finds every newly logged value of a monitored metric, once."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._awaited: set[str] = set()
        self._validated = False
        self._taken: dict[str, int] = {}  # metric of the epoch -> epoch whose value was taken
        self._last: dict[str, Tensor] = {}  # metric -> the value that callback_metrics keeps until the next one

    def going_on(self, driver: Driver) -> None:
        """A metric that had values before the checkpoint is known to be logged."""
        self._seen.update(track.monitor for track in driver.tracks if track.monitor is not None and track.values)

    @staticmethod
    def _monitors(driver: Driver) -> list[str]:
        return list(dict.fromkeys(track.monitor for track in driver.tracks if track.monitor is not None))

    def _take(self, driver: Driver, monitor: str, value: Any) -> bool:
        """Give a value to the schedules, where it is a new one."""
        if value is None:
            return False
        if isinstance(value, Tensor):
            value, last = value.detach(), self._last.get(monitor)
            if last is not None and _in_one_place(last, value):
                return False
            self._last[monitor] = value  # kept, so that no other one takes its place
        self._seen.add(monitor)
        driver.metric(monitor, number_of(value))
        return True

    def after_batch(self, run: LightningRun, driver: Driver) -> None:
        """Metrics that the train loop logs with every step."""
        for monitor in self._monitors(driver):
            if run.logged_on_step(monitor):
                self._take(driver, monitor, run.logged(monitor))

    def after_epoch(self, run: LightningRun, driver: Driver) -> None:
        """Metrics that the train loop logs with every epoch."""
        names, epoch = run.training_names(), run.trainer.current_epoch
        for monitor in self._monitors(driver):
            if self._taken.get(monitor) == epoch or run.logged_on_step(monitor):
                continue
            if monitor in names and self._take(driver, monitor, run.logged(monitor)):
                self._taken[monitor] = epoch
            elif monitor in names or monitor not in run.validation_names():
                self._awaited.add(monitor)  # the module may log it in a hook that comes after this one

    def take_late(self, run: LightningRun, driver: Driver) -> None:
        """What a checkpoint of this moment would lose: metrics logged at the very end of the epoch.

        A checkpoint that is written with the last batch of an epoch goes on with the next one: the epoch's own metric,
        which is complete, is taken now.
        """
        self._take_awaited(run, driver)
        if not driver.running or not run.epoch_is_through or run.inside_batch:
            return
        for monitor in self._monitors(driver):
            epoch = run.trainer.current_epoch
            if self._taken.get(monitor) == epoch or run.logged_on_step(monitor):
                continue
            if self._take(driver, monitor, run.logged_in_epoch(monitor)):
                self._taken[monitor] = epoch

    def _take_awaited(self, run: LightningRun, driver: Driver) -> None:
        for monitor in sorted(self._awaited):
            if self._take(driver, monitor, run.logged(monitor)):
                self._awaited.discard(monitor)

    def check_awaited(self, run: LightningRun, driver: Driver) -> None:
        """Take what came at the very end of the epoch, and refuse what never came."""
        self._take_awaited(run, driver)
        for monitor in self._awaited - self._seen:
            if self._validated or not run.trainer.enable_validation:
                raise unknown(monitor, set(run.trainer.callback_metrics))
        self._awaited.clear()

    def after_validation(self, run: LightningRun, driver: Driver) -> None:
        """Metrics of a validation; the one before training only tells which names there are."""
        names, before = run.validation_names(), run.trainer.sanity_checking
        for monitor in self._monitors(driver):
            if monitor not in names:
                self._check_misspelt(run, monitor, names)
            elif not before:
                self._take(driver, monitor, run.logged(monitor))
        self._validated = self._validated or not before

    def _check_misspelt(self, run: LightningRun, monitor: str, names: set[str]) -> None:
        """Refuse a name that a validation has to log, and did not."""
        training = set() if run.trainer.sanity_checking else run.training_names()
        if monitor in self._seen or not names or monitor in training:
            return
        if _of_validation(monitor):
            raise unknown(monitor, names | training)
