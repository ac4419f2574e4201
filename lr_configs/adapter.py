"""Schedulers of other libraries that are told the epoch or the update, as timm's are: attached as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
        key: names its optimizer, where there are several and it has not its own.

    Attributes:
        scheduler: the scheduler, once there is an optimizer.
        updates: that the optimizer has made.
    """

    def __init__(self, source: Any, monitor: str | None = None, key: str | None = None) -> None:
        self._source, self._monitor, self._key = source, monitor, key
        self._state: Any = None
        self._hook: optimizers.Handle | None = None
        self.scheduler: Any = None
        self.updates = 0

    def attach(self, known: list[Any], module: Any, gives_way: Callable[[str, Any, set[str]], bool]) -> None:
        """Make the scheduler on one of the run's optimizers, or find its own among them, unless it gives way to another.

        Raises:
            SchedulerConfigError: for what cannot be stepped, and for another run's optimizer.
        """
        there = steps(self._source) and not isinstance(self._source, type)
        own = getattr(self._source, "optimizer", None) if there else None
        if own is None:
            own = known[optimizers.find(known, module, self._key)]
        name = type(self._source).__name__ if there else getattr(self._source, "__name__", str(self._source))
        self.scheduler, self._optimizer = None, own
        if gives_way(name, own, {getattr(self._source, "param_group_field", "lr")}):  # as timm calls it
            return
        made = self._source if there else self._source(own)
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
        own = getattr(made, "optimizer", own)
        if not any(one is own for one in known):
            raise SchedulerConfigError(
                "scheduler", type(made).__name__, "its optimizer is none of the trainer's",
                "Give a function of the optimizer instead: lambda optimizer: Scheduler(optimizer, ...)",
            )  # fmt: skip
        self.scheduler, self.updates = made, 0
        self._optimizer = own

    def start(self, updates: int, epochs: int) -> None:
        """Go on after so many updates and epochs, and count from here."""
        saved, self._state = self._state or {}, None
        self.updates = saved.get("updates", updates)
        if "scheduler" in saved and hasattr(self.scheduler, "load_state_dict"):
            self.scheduler.load_state_dict(saved["scheduler"])
        if self.updates:
            self._call("step_update", self.updates)
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

    def save(self) -> dict[str, Any]:
        """How far it is, and the scheduler's own state, if it has one; nothing of one that gave way."""
        if self.scheduler is None:
            return {}
        has_state = hasattr(self.scheduler, "state_dict")
        return {"updates": self.updates, **({"scheduler": self.scheduler.state_dict()} if has_state else {})}

    def load(self, state: Any) -> None:
        """Keep a state until :meth:`start`."""
        self._state = state

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_hook": None}


class Adapters:
    """The schedulers of other libraries among those that a callback is given.

    Args:
        scheduler: one for the only optimizer.
        schedulers: one for each of several optimizers, by the optimizer's name.
        monitor: the metric that they get with every epoch.

    Attributes:
        rest: ``(scheduler, schedulers)`` without them.
    """

    def __init__(self, scheduler: Any, schedulers: Any, monitor: str | None = None) -> None:
        named = schedulers if isinstance(schedulers, Mapping) else {}
        theirs = {str(key): node for key, node in named.items() if is_foreign(node)}
        self._adapters = [Adapter(node, monitor, key) for key, node in theirs.items()]
        self.rest = scheduler, schedulers
        if theirs:
            self.rest = scheduler, {key: node for key, node in named.items() if str(key) not in theirs}
        if is_foreign(scheduler):
            self._adapters.append(Adapter(scheduler, monitor))
            self.rest = None, schedulers

    def __len__(self) -> int:
        return len(self._adapters)

    def attach(self, known: list[Any], module: Any, gives_way: Callable[[str, Any, set[str]], bool]) -> None:
        """Make or find each on its optimizer; `gives_way` tells whether it is left out, for its name and what it drives."""
        for one in self._adapters:
            one.attach(known, module, gives_way)

    def start(self, updates: int, epochs: int) -> None:
        """Go on after so many updates and epochs."""
        for one in self._adapters:
            one.start(updates, epochs)

    def end_epoch(self, epochs: int, value_of: Callable[[str], float | None]) -> None:
        """So many epochs have ended."""
        for one in self._adapters:
            one.end_epoch(epochs, value_of)

    def close(self) -> None:
        """Let go of the optimizers."""
        for one in self._adapters:
            one.close()

    def save(self, checkpoint: dict[str, Any]) -> None:
        """Put their states into a checkpoint, where they have begun."""
        if any(one.scheduler is not None for one in self._adapters):
            checkpoint[KEY] = [one.save() for one in self._adapters]

    def load(self, checkpoint: Mapping[str, Any]) -> None:
        """Keep their states of a checkpoint until :meth:`start`."""
        for one, state in zip(self._adapters, checkpoint.get(KEY) or (), strict=False):
            one.load(state)
