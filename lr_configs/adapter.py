"""Schedulers of other libraries that are told the epoch or the update, as timm's are: attached as they are."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch.optim.lr_scheduler import LRScheduler

from lr_configs import optimizers
from lr_configs.config import SchedulerConfig
from lr_configs.errors import SchedulerConfigError

#: where the state is, in checkpoints
KEY = "lr_configs_adapter"


def is_foreign(node: Any) -> bool:
    """Whether this is a scheduler with ``step(epoch)`` or ``step_update(n)``, or a function of the optimizer that makes one.

    >>> is_foreign("cosine"), is_foreign(lambda optimizer: None)
    (False, True)
    """
    if isinstance(node, (SchedulerConfig, LRScheduler)):
        return False
    if isinstance(node, partial):
        module = str(getattr(node.func, "__module__", ""))
        return not module.startswith(("torch.", "lr_configs"))
    return callable(node) or steps(node)


def steps(scheduler: Any) -> bool:
    """Whether an object can be stepped by epochs or by updates."""
    return any(callable(getattr(scheduler, name, None)) for name in ("step", "step_update"))


class Adapter:
    """Tells a scheduler of another library how far the run is.

    After update `n` of its optimizer it calls ``step_update(n)``, and after the epoch that is number `e` from 1 ``step(e)``,
    as timm wants it; what the scheduler has not is left out. It computes its rates alone: nothing of ours is in front of it.

    Args:
        source: the scheduler, or a function of the optimizer that makes it.
        monitor: the metric that it gets with every epoch.

    Attributes:
        scheduler: the scheduler, once there is an optimizer.
        updates: that the optimizer has made.
    """

    def __init__(self, source: Any, monitor: str | None = None) -> None:
        self._source, self._monitor = source, monitor
        self._state: Any = None
        self._hook: optimizers.Handle | None = None
        self.scheduler: Any = None
        self.updates = 0

    def attach(self, known: list[Any]) -> None:
        """Make the scheduler on the first of the run's optimizers, or find its own among them.

        Raises:
            SchedulerConfigError: for what cannot be stepped, and for another run's optimizer.
        """
        there = steps(self._source) and not isinstance(self._source, type)
        made = self._source if there else self._source(known[0])
        if isinstance(made, LRScheduler):
            raise SchedulerConfigError(
                "scheduler", type(made).__name__, "this is a scheduler of torch's kind",
                "Write lr_configs.register('name', Class), and the name as the schedule",
            )  # fmt: skip
        if not steps(made):
            raise SchedulerConfigError(
                "scheduler",
                made,
                "this has neither step(epoch) nor step_update(n)",
                "Give a scheduler, or a function that makes one",
            )
        own = getattr(made, "optimizer", known[0])
        if not any(one is own for one in known):
            raise SchedulerConfigError(
                "scheduler", type(made).__name__, "its optimizer is none of the trainer's",
                "Give a function of the optimizer instead: lambda optimizer: Scheduler(optimizer, ...)",
            )  # fmt: skip
        self.scheduler, self.updates = made, 0
        self._optimizer = own

    def start(self, updates: int, epochs: int) -> None:
        """Go on after so many updates and epochs, and count from here."""
        self.updates = updates
        if self._state is not None and hasattr(self.scheduler, "load_state_dict"):
            self.scheduler.load_state_dict(self._state)
        self._state = None
        if updates:
            self._call("step_update", updates)
        if epochs:
            self._call("step", epochs)
        self.close()
        self._hook = optimizers.on_update(self._optimizer, self._updated)

    def _updated(self, optimizer: Any) -> None:
        if not optimizers.skipped(optimizer):
            self.updates += 1
            self._call("step_update", self.updates)

    def end_epoch(self, epochs: int, value_of: Callable[[str], float | None]) -> None:
        """So many epochs have ended; `value_of` tells the value of a metric."""
        metric = None if self._monitor is None else value_of(self._monitor)
        if metric is None:
            self._call("step", epochs)
        else:
            self._call("step", epochs, metric)

    def _call(self, name: str, *args: Any) -> None:
        function: Callable[..., Any] | None = getattr(self.scheduler, name, None)
        if function is not None:
            function(*args)

    def close(self) -> None:
        """Let go of the optimizer."""
        if self._hook is not None:
            self._hook.remove()
        self._hook = None

    def save(self) -> Any:
        """The scheduler's own state, if it has one."""
        return self.scheduler.state_dict() if hasattr(self.scheduler, "state_dict") else None

    def load(self, state: Any) -> None:
        """Keep a state until :meth:`start`."""
        self._state = state

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_hook": None}
