"""A training loop of one's own, that can be stopped at any moment: what a driver needs to be told, and in which order.

loop = Loop({"name": "cosine", "warmup": "5%"}, optimizer, Horizon(epochs=4, steps_per_epoch=len(loader)))
loop.begin(checkpoint["loop"] if checkpoint else None)
for epoch in loop.epochs():
    for batch in loop.batches(loader):
        ...
        optimizer.step()                  # the schedule advances by itself
        checkpoint = {"model": model.state_dict(), "loop": loop.save()}
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from torch.optim import Optimizer

from lr_configs.driver import Driver
from lr_configs.horizon import Horizon
from lr_configs.resume import Data
from lr_configs.run import PlainRun, Run

T = TypeVar("T")


class Loop:
    """Drives the schedules of one optimizer in a loop of one's own; for several optimizers, see :class:`~lr_configs.driver.Driver`.

    Args:
        scheduler: a composed node, a dict, a config object or the name of a schedule; a list drives several hyper-parameters.
        optimizer: the optimizer, in the state that it was made in.
        run: the run's size, in optimizer updates; or the run, where it is one of several processes. None: no known end.
        resume: what to do where a checkpoint's schedule is another one, as for the callback.

    Attributes:
        driver: what moves the schedules.

    Raises:
        SchedulerConfigError: where a schedule does not fit the run or the optimizer.

    >>> import torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> loop = Loop({"name": "linear", "start_factor": 1.0, "end_factor": 0.5, "total_iters": "100%"}, optimizer,
    ...             Horizon(epochs=2, steps_per_epoch=2))
    >>> loop.begin()
    linear | interval=step | ...
    >>> for epoch in loop.epochs():
    ...     for batch in loop.batches("ab"):
    ...         print(epoch, batch, optimizer.param_groups[0]["lr"])
    ...         optimizer.step()
    0 a 1.0
    0 b 0.875
    1 a 0.75
    1 b 0.625
    """

    def __init__(
        self, scheduler: Any, optimizer: Optimizer, run: Run | Horizon | None = None, *, resume: str = "strict"
    ) -> None:
        self._run: Run = PlainRun(run) if run is None or isinstance(run, Horizon) else run
        self.driver, self._optimizer = Driver(self._run, resume), optimizer
        for one in scheduler if isinstance(scheduler, (list, tuple)) else [scheduler]:
            self.driver.drive(one, optimizer)
        self._taken = 0  # batches of the epoch in progress

    def begin(self, saved: Data | None = None) -> None:
        """Begin, or go on from what :meth:`save` gave, the optimizer's state included; and say what will happen.

        Raises:
            SchedulerConfigError: where the checkpoint is refused.
        """
        if saved is not None:
            self.driver.load(saved["schedule"])  # decides, before anything is restored
            self._optimizer.load_state_dict(saved["optimizer"])
            self._taken = saved["batches"]
        self.driver.start()
        self.driver.announce()

    def epochs(self) -> Iterator[int]:
        """The indices of the epochs that are left, the one in progress included; each ends when the next one is asked for."""
        horizon = self._run.horizon()
        last = None if horizon is None or horizon.total_epochs is None else horizon.total_epochs
        while last is None or self.driver.epoch + 1 < last:
            epoch = self.driver.epoch + 1
            yield epoch
            if self.driver.epoch < epoch:
                self.end_epoch()

    def batches(self, loader: Iterable[T]) -> Iterator[T]:
        """Those of an epoch, without the ones that a checkpoint within it has."""
        for batch in itertools.islice(loader, self._taken, None):
            self._taken += 1
            yield batch

    def end_epoch(self) -> None:
        """The epoch has ended: before what comes behind it, such as a metric or a checkpoint."""
        self.driver.end_epoch(self.driver.epoch + 1)
        self._taken = 0

    def metric(self, name: str, value: float) -> None:
        """A metric has a new value."""
        self.driver.metric(name, value)

    def save(self) -> Data:
        """All that :meth:`begin` needs, for a checkpoint."""
        return {"schedule": self.driver.save(), "optimizer": self._optimizer.state_dict(), "batches": self._taken}
