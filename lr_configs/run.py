"""What a run is: how long it is, how it prints, how its processes agree.

A driver needs no more of a trainer than :class:`Run`. :class:`PlainRun` is the run of a loop of one's own; Lightning's
is :class:`lr_configs.lightning_run.LightningRun`.

While a trainer sets up its module, its run is the *ambient* one (:func:`current`): a schedule that is built there
without a horizon takes the size of that run.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from lr_configs.config import SchedulerConfig
from lr_configs.errors import SchedulerConfigError
from lr_configs.horizon import Horizon
from lr_configs.plan import Plan, natural_interval, resolve, written_lengths
from lr_configs.registry import parse
from lr_configs.rest import Epoch


class Run(Protocol):
    """A run, as far as schedules can feel it. `key` names one of its optimizers, where there are several."""

    @property
    def processes(self) -> int:
        """How many processes train together."""

    def horizon(self, key: str | None = None) -> Horizon | None:
        """All that can be known of the size of the whole run; None where it has no known end."""

    def limits(self, key: str | None = None) -> tuple[Horizon, ...]:
        """Everything that ends the run, each by itself and in the same counts; from the beginning, `horizon` comes first."""

    def epoch(self) -> Epoch | None:
        """The epoch with which it goes on from a checkpoint; None where only the updates tell, and no batches."""

    def resolve(self, node: Any, *, key: str | None = None, optimizer: Any = None) -> Plan:
        """The plan of a schedule for this run; `optimizer` is the one that it will be built on, if known."""

    def say(self, line: str) -> None:
        """Print a line, on one process."""

    def mean(self, value: float) -> float:
        """The mean of a value over the processes, the same on each of them."""

    def schedulers(self) -> list[Any] | None:
        """The schedulers that the run itself saves with its checkpoints, in their order; None where it keeps none."""

    def exchange(self, old: Any, new: Any) -> None:
        """Put a scheduler in the place of another."""


class PlainRun:
    """The run of a training loop of one's own, in one process.

    Args:
        horizon: the run's size: ``Horizon(epochs=90, steps_per_epoch=391)``, in optimizer updates, gradient accumulation
            already divided out. None: no known end.
        say: where lines go.

    >>> PlainRun(Horizon(epochs=4, steps_per_epoch=5)).resolve("cosine").params["T_max"]
    20
    """

    processes = 1

    def __init__(self, horizon: Horizon | None = None, say: Callable[[str], None] = print) -> None:
        self._horizon, self._say = horizon, say

    def horizon(self, key: str | None = None) -> Horizon | None:
        """What the run was made with."""
        return self._horizon

    def limits(self, key: str | None = None) -> tuple[Horizon, ...]:
        """The same."""
        return () if self._horizon is None else (self._horizon,)

    def epoch(self) -> Epoch | None:
        """None."""
        return None

    def resolve(self, node: Any, *, key: str | None = None, optimizer: Any = None) -> Plan:
        """The plan of a schedule for this run."""
        return resolve(node, self._horizon)

    def say(self, line: str) -> None:
        """Print a line."""
        self._say(line)

    def mean(self, value: float) -> float:
        """The value."""
        return value

    def schedulers(self) -> list[Any] | None:
        """None: the driver saves them."""
        return None

    def exchange(self, old: Any, new: Any) -> None:
        """Nothing: the driver alone has them."""


# ---------------------------------------------------------------------------------------- the ambient run

_ambient: ContextVar[weakref.ref[Run] | None] = ContextVar("lr_configs_run", default=None)


def enter(run: Run) -> None:
    """Make `run` the ambient one, for as long as it lives or until :func:`leave`."""
    _ambient.set(weakref.ref(run))


def leave() -> None:
    """There is no ambient run any more."""
    _ambient.set(None)


def current() -> Run | None:
    """The run that is being set up around the caller, or None.

    >>> current() is None
    True
    """
    reference = _ambient.get()
    return None if reference is None else reference()


# ---------------------------------------------------------------------------------------- resolving for a run


@dataclass(frozen=True)
class Facts:
    """What is known of a run's size, the cheap parts apart from the rest.

    Attributes:
        epochs: the limit in epochs, or None.
        steps: the limit in updates, or None.
        whole: finds out all that can be known, and may have to load data.
        unknown: why the end is not known, where it is not.
    """

    epochs: int | None
    steps: int | None
    whole: Callable[[], Horizon | None]
    unknown: Callable[[], str]

    def cheap(self, config: SchedulerConfig) -> Iterator[Horizon | None]:
        """Horizons that give the same plan as the whole one, where they give one."""
        if _plain_numbers_may_be_epochs(config):
            return
        yield None
        if self.steps is not None and self.epochs is None and config.interval != "epoch":
            yield Horizon(steps=self.steps)
        if self.epochs is not None and self.steps is None and config.interval == "epoch":
            yield Horizon(epochs=self.epochs)


def _plain_numbers_may_be_epochs(config: SchedulerConfig) -> bool:
    """Whether a number without a unit counts something else than scheduler steps in a run that is known."""
    units = {length.unit for _, length in written_lengths(config)}
    by_itself = config.frequency == 1 and units <= {"", "ep"}
    return config.interval == "auto" and natural_interval(config) == "epoch" and "" in units and not by_itself


def resolve_for(node: Any, facts: Facts) -> Plan:
    """The plan of a schedule for a run, with no more of the run's facts than it takes.

    Raises:
        SchedulerConfigError: where the schedule needs an end that the run does not have, or does not fit it.
    """
    config = parse(node)
    for horizon in facts.cheap(config):
        try:
            return resolve(config, horizon)
        except SchedulerConfigError:
            continue
    whole = facts.whole()
    try:
        return resolve(config, whole)
    except SchedulerConfigError as error:
        if (whole is None or whole.total_steps is None) and _would_fit(config):
            raise SchedulerConfigError(
                error.key,
                error.value,
                f"{config.name} needs the run's end, which is not known: {facts.unknown()}",
                "Set total_steps on LRSchedulerCallback or max_steps on the Trainer, write absolute lengths ('500st'), or "
                "choose a schedule without an end",
            ) from error
        raise


def in_whole(plan: Plan, horizon: Horizon | None) -> Plan:
    """A plan that was made with less than is known of the run, made with all of it, where that changes no rate.

    Raises:
        SchedulerConfigError: where the schedule does not fit the run.
    """
    if horizon is None or plan.steps is not None:
        return plan
    whole = resolve(plan.config, horizon)
    return whole if whole.function() == plan.function() else plan


def _would_fit(config: SchedulerConfig) -> bool:
    """Whether nothing but the run's size is missing."""
    try:
        resolve(config, Horizon(epochs=1000, steps_per_epoch=1000))
    except SchedulerConfigError:
        return False
    return True
