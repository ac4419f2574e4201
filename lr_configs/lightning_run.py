"""Lightning's trainer as a :class:`lr_configs.run.Run`: the only module that knows Lightning's private names.

Lightning's own `estimated_stepping_batches` can be -1 or infinite, ignores accumulation that changes between epochs, and
loads the train dataloader even where nothing needs it.
"""

from __future__ import annotations

import importlib
import math
import sys
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch.optim import Optimizer

from lr_configs import optimizers
from lr_configs.errors import SchedulerConfigError
from lr_configs.horizon import Horizon
from lr_configs.plan import Plan
from lr_configs.rest import Epoch, shortest
from lr_configs.run import Facts, resolve_for

if TYPE_CHECKING:
    from pytorch_lightning import Trainer
    from pytorch_lightning.utilities.types import LRSchedulerConfig


class Frequency(int):
    """A frequency that is shown, and that Lightning never finds reached: the driver counts.

    Lightning steps a scheduler when ``batch_index % frequency == 0`` within the epoch; ours counts updates over the
    whole run.
    """

    def __rmod__(self, other: int) -> int:
        return 1


def callback_bases() -> tuple[type, ...]:
    """The Callback class of every Lightning package that is in use, or of one that is installed."""
    packages = ("pytorch_lightning", "lightning.pytorch")
    names = [name for name in packages if name in sys.modules]
    for name in names or packages:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
        names = names or [name]
        break
    if not names:
        raise ImportError("LRSchedulerCallback needs Lightning: pip install pytorch-lightning (or lightning)")
    return tuple(importlib.import_module(f"{name}.callbacks").Callback for name in names)


class LightningRun:
    """The run of a trainer's fit.

    Args:
        trainer: the trainer.
        total_steps: updates of the run where the trainer cannot tell or should not, or those of each optimizer by its key.
    """

    def __init__(self, trainer: Trainer, total_steps: int | Mapping[str, int] | None = None) -> None:
        self._trainer = weakref.ref(trainer)
        self._total_steps = total_steps
        self._groups: weakref.WeakKeyDictionary[Optimizer, list[optimizers.Group]] = weakref.WeakKeyDictionary()
        self._resolved: list[Plan] = []
        self.none_on_purpose = False  # the module said that it wants no schedule

    @property
    def trainer(self) -> Trainer:
        """The trainer."""
        trainer = self._trainer()
        if trainer is None:
            raise RuntimeError("the trainer of this run is gone")
        return trainer

    @property
    def processes(self) -> int:
        """Processes that train together."""
        return int(self.trainer.world_size)

    def mean(self, value: float) -> float:
        """The mean over the processes: every one must decide alike, whether or not the module synchronised the metric."""
        if self.processes == 1:
            return value
        strategy = self.trainer.strategy
        tensor = torch.tensor(value, dtype=torch.float32, device=strategy.root_device)
        return float(strategy.reduce(tensor, reduce_op="mean"))

    # -------------------------------------------------------------------------------- the run's size

    def horizon(self, key: str | None = None) -> Horizon | None:
        """All that can be known of the whole run, with the train dataloader loaded."""
        return shortest(self.limits(key))

    def limits(self, key: str | None = None) -> tuple[Horizon, ...]:
        """max_epochs and max_steps, or `total_steps` in their place."""
        return self._limits(self._total(key))

    def told_otherwise(self, key: str | None = None) -> tuple[int, int] | None:
        """`total_steps` and the updates that the trainer's own limits give, where the two differ.

        None also where that cannot be known, as in manual optimization.
        """
        total = self._total(key)
        own = shortest(self._limits(None)) if total is not None and self._automatic else None
        found = None if own is None else own.total_steps
        return None if total is None or found in (None, total) else (total, int(found))

    def _limits(self, total: int | None) -> tuple[Horizon, ...]:
        epochs, limit = self._epochs, self._limit(total)
        batches = self._batches()
        if not batches:  # epochs and updates cannot be compared
            known = Horizon(steps=limit) if limit is not None else Horizon(epochs=epochs) if epochs else None
            return () if known is None else (known,)
        per_epoch = self._updates(batches, epochs)
        if total is not None and epochs and not self._automatic and total % epochs == 0:
            per_epoch = total // epochs  # a batch may have several updates, or some batches none
        by_epochs = () if total is not None or epochs is None else (Horizon(epochs=epochs, steps_per_epoch=per_epoch),)
        return by_epochs if limit is None else (*by_epochs, Horizon(steps=limit, steps_per_epoch=per_epoch))

    def epoch(self) -> Epoch | None:
        """The epoch with which Lightning will go on from a checkpoint, and what its batches have left.

        Asked of a loop of Lightning's own: it does not go on where it was after every history. Resumed at the last batch of
        an epoch it loses count of its epochs, and the checkpoints of that run make it begin an epoch, or a batch, again.
        """
        state = self.checkpoint().get("loops", {}).get("fit_loop")
        batches = self._batches() if self._automatic and state else None
        if not batches:
            return None
        loop = type(self.trainer.fit_loop)(self.trainer)
        with torch.enable_grad():  # which a reset switches on for good
            loop.load_state_dict(state)
            loop.reset()
        ended, within = int(loop.epoch_progress.current.processed), loop.epoch_loop
        after_a_batch = getattr(within, "restarted_on_train_batch_end", False)  # and not after a validation
        done, each = within.batch_progress.current.completed + after_a_batch, int(self.trainer.accumulate_grad_batches)
        if not within.restarting or (after_a_batch and done >= batches):
            return Epoch(ended)
        if done >= batches:  # the epoch only ends: with the validation that is due, or else with a batch too many
            return Epoch(ended + 1, extra=int(not self.trainer.enable_validation))
        return Epoch(ended, math.ceil(batches / each) - done // each)

    def resolve(self, node: Any, *, key: str | None = None, optimizer: Any = None) -> Plan:
        """The plan of a schedule; the train dataloader is loaded only where it is needed."""
        if optimizer is not None:
            self.remember(optimizer)
        epochs = None if self._total(key) is not None else self._epochs
        plan = resolve_for(
            node, Facts(epochs, self._limit(self._total(key)), lambda: self.horizon(key), self._why_unknown)
        )
        self._resolved.append(plan)
        return plan

    def _total(self, key: str | None) -> int | None:
        if not isinstance(self._total_steps, Mapping):
            return self._total_steps
        if key is None:
            raise SchedulerConfigError(
                "total_steps",
                dict(self._total_steps),
                "this names optimizers, which have no names yet where the module builds its schedules itself",
                "Write one number, or give the schedules to LRSchedulerCallback(schedulers=...)",
            )
        return self._total_steps.get(key)

    def check_known(self, plan: Plan) -> None:
        """Refuse a plan of ours for which more optimizers share max_steps than could be known when it was made."""
        if not any(plan is one for one in self._resolved) or len(self.trainer.optimizers) < 2 or self._automatic:
            return
        if self.resolve(plan.config, key="0").function() != plan.function():
            raise SchedulerConfigError(
                "total_steps",
                None,
                "max_steps counts the updates of all optimizers together, whose number was not known in configure_optimizers",
                "Set total_steps on LRSchedulerCallback, the updates of each optimizer",
            )

    def _limit(self, total: int | None) -> int | None:
        """Updates of each optimizer that the run is limited to."""
        steps = self.trainer.max_steps if total is None else total
        if steps is None or steps <= 0:
            return None
        if total is not None or self._automatic:
            return int(steps)
        # In manual optimization Lightning counts the steps of all optimizers together.
        return max(int(steps) // max(len(self.trainer.optimizers), 1), 1)

    @property
    def _automatic(self) -> bool:
        module = self.trainer.lightning_module
        return module is None or bool(module.automatic_optimization)

    @property
    def _epochs(self) -> int | None:
        """Epochs that the trainer is limited to."""
        epochs = self.trainer.max_epochs
        return int(epochs) if epochs is not None and epochs > 0 else None

    def _batches(self) -> int | None:
        """Train batches in an epoch on this process, or None where the loader has no length."""
        loop = self.trainer.fit_loop
        loaded = loop._combined_loader is not None
        if not loaded:
            loop.setup_data()
        count = loop.max_batches
        states = self.checkpoint().get("loops", {}).get("fit_loop", {}).get("state_dict", {}).get("combined_loader")
        if not loaded and states:
            # The checkpoint's loader state comes later and goes only into a loader that is set up after it.
            if loop._data_fetcher is not None:
                loop._data_fetcher.teardown()
                loop._data_fetcher = None
            loop._combined_loader = None
        return None if count is None or math.isinf(count) else int(count)

    def _updates(self, batches: int, epochs: int | None) -> int | list[int]:
        """Updates in an epoch, or in each of the epochs."""
        if not self._automatic:
            return batches  # one update of every optimizer per batch, which only the module can change
        changing = [callback for callback in self.trainer.callbacks if hasattr(callback, "get_accumulate_grad_batches")]
        if not changing:
            return math.ceil(batches / int(self.trainer.accumulate_grad_batches))
        known = epochs or 1 + max(max(callback.scheduling) for callback in changing)
        return [math.ceil(batches / changing[0].get_accumulate_grad_batches(epoch)) for epoch in range(known)]

    def _why_unknown(self) -> str:
        if self._epochs is not None:
            return "the train dataloader has no length"
        timed = any(type(callback).__name__ == "Timer" for callback in self.trainer.callbacks)
        return "max_time alone ends it" if timed else "max_epochs=-1 and max_steps=-1"

    # -------------------------------------------------------------------------------- optimizers

    def remember(self, optimizer: Optimizer) -> None:
        """Keep what the groups are, before a schedule writes into them."""
        if optimizer not in self._groups:
            self._groups[optimizer] = optimizers.groups_of(optimizer)

    def groups(self, optimizer: Optimizer) -> list[optimizers.Group]:
        """What the groups of an optimizer were before a schedule wrote into them."""
        self.remember(optimizer)
        return self._groups[optimizer]

    # -------------------------------------------------------------------------------- Lightning's list of schedulers

    def schedulers(self) -> list[Any] | None:
        """The schedulers that Lightning saves with its checkpoints."""
        return [record.scheduler for record in self.records]

    @property
    def records(self) -> list[LRSchedulerConfig]:
        """Lightning's own list."""
        records: list[LRSchedulerConfig] = self.trainer.strategy.lr_scheduler_configs
        return records

    def exchange(self, old: Any, new: Any) -> None:
        """Put a scheduler in the place of another in Lightning's list."""
        for record in self.records:
            if record.scheduler is old:
                record.scheduler = new
                _show(new)

    def take(self, scheduler: Any, plan: Plan) -> None:
        """Enter a scheduler in Lightning's list: it saves, restores and shows it, and leaves stepping to the driver."""
        package = "lightning.pytorch" if type(self.trainer).__module__.startswith("lightning.") else "pytorch_lightning"
        record = importlib.import_module(f"{package}.utilities.types").LRSchedulerConfig(scheduler)
        self.mark(record, plan)
        record.name = None if plan.config.param == "lr" else plan.config.param
        self.records.append(record)

    @staticmethod
    def mark(record: LRSchedulerConfig, plan: Plan) -> None:
        """Make a record say what the plan says, and Lightning never step its scheduler."""
        _show(record.scheduler)
        record.interval, record.frequency = plan.interval, Frequency(plan.frequency)
        record.reduce_on_plateau, record.monitor = plan.config.metric_driven, plan.config.monitor

    def rivals(self, optimizer: Optimizer | None, params: set[str]) -> list[LRSchedulerConfig]:
        """Those of Lightning's list that drive one of these hyper-parameters of the optimizer (None: of any)."""
        return [
            record
            for record in self.records
            if optimizer is None or getattr(record.scheduler, "optimizer", optimizer) is optimizer
            if optimizers.driven(record.scheduler) & params
        ]

    def drop(self, records: list[LRSchedulerConfig]) -> None:
        """Take schedulers out of Lightning's list, and what they wrote out of their optimizers."""
        kept = [record for record in self.records if not any(record is one for one in records)]
        for record in records:
            optimizer: Any = getattr(record.scheduler, "optimizer", None)
            if optimizer is not None and optimizer in self._groups:  # as it was before a schedule of ours
                beside = [one.scheduler for one in kept if getattr(one.scheduler, "optimizer", None) is optimizer]
                others = set().union(*map(optimizers.driven, beside))
                optimizers.put_back(optimizer, self._groups[optimizer], optimizers.driven(record.scheduler), others)
            elif optimizer is not None:
                optimizers.without_schedule(optimizer, record.scheduler)
        self.trainer.strategy.lr_scheduler_configs = kept

    # -------------------------------------------------------------------------------- checkpoints

    def checkpoint(self) -> dict[str, Any]:
        """The checkpoint that is being loaded, or an empty one. What is changed in it, Lightning restores."""
        return getattr(self.trainer._checkpoint_connector, "_loaded_checkpoint", None) or {}

    @property
    def restores_late(self) -> bool:
        """Whether the checkpoint is read after the set-up."""
        return bool(self.trainer.strategy.restore_checkpoint_after_setup)

    def from_first(self, ask: Callable[[], Any]) -> Any:
        """What the first process finds, on all of them."""
        found = ask() if self.trainer.is_global_zero else None
        return found if self.processes == 1 else self.trainer.strategy.broadcast(found)

    # -------------------------------------------------------------------------------- lines

    def say(self, line: str) -> None:
        """Print a line on the first process, without breaking the progress bar."""
        trainer = self._trainer()
        if trainer is None or not trainer.is_global_zero:
            return
        bar: Any = trainer.progress_bar_callback
        # A bar that is not drawn yet, or no more, swallows what it should print.
        drawn = getattr(bar, "_train_progress_bar", None)
        if (drawn is not None and not drawn.disable) or getattr(bar, "progress", None) is not None:
            bar.print(line)
        else:
            print(line)  # noqa: T201 - what `verbose` is for

    # -------------------------------------------------------------------------------- within a fit

    @property
    def inside_batch(self) -> bool:
        """Whether a train batch has begun and not ended."""
        progress = self.trainer.fit_loop.epoch_loop.batch_progress.current
        return bool(progress.processed < progress.ready)

    @property
    def epoch_is_through(self) -> bool:
        """Whether the last batch of the epoch has been trained on."""
        return bool(self.trainer.fit_loop.epoch_loop._num_ready_batches_reached())

    @property
    def epochs_ended(self) -> int:
        """Epochs of which every batch has been trained on, be their end still to come, as where a validation saves."""
        progress = self.trainer.fit_loop.epoch_progress.current
        return int(progress.processed) + (progress.processed < progress.ready and self.epoch_is_through)

    @property
    def should_log(self) -> bool:
        """Whether Lightning logs this batch."""
        return bool(self.trainer._logger_connector.should_update_logs)

    @property
    def log_step(self) -> int:
        """The step that Lightning logs under."""
        return int(self.trainer.fit_loop.epoch_loop._batches_that_stepped)

    # -------------------------------------------------------------------------------- metrics

    def metric(self, name: str) -> float | None:
        """The value of a metric."""
        value = self.logged(name)
        return None if value is None else number_of(value)

    def training_names(self) -> set[str]:
        """Names under which the train loop has logged."""
        return _names(self.trainer.fit_loop.epoch_loop._results)

    def validation_names(self) -> set[str]:
        """Names under which the validation loop has logged."""
        return _names(self.trainer.fit_loop.epoch_loop.val_loop._results)

    def logged_on_step(self, monitor: str) -> bool:
        """Whether the metric gets a new value with every batch, and not only with every epoch."""
        for metric in (self.trainer.fit_loop.epoch_loop._results or {}).values():
            meta = metric.meta
            if (meta.name == monitor and meta.on_step and not meta.on_epoch) or (
                f"{meta.name}_step" == monitor and meta.on_step and meta.on_epoch
            ):
                return True
        return False

    def logged(self, name: str) -> Any:
        """What callback_metrics has of a metric, be it of now or of long ago: a new tensor for every new value."""
        return self.trainer.callback_metrics.get(name)

    def logged_in_epoch(self, monitor: str) -> Any:
        """The value of a metric over the epoch, which has no batch left though it has not ended yet."""
        results = self.trainer.fit_loop.epoch_loop._results
        for metric in (results or {}).values():
            meta = metric.meta
            if not meta.on_epoch or monitor not in (meta.name, f"{meta.name}_epoch") or metric.has_reset:
                continue
            return results._get_cache(metric, on_step=False)
        return None


def number_of(value: Any) -> float:
    """What was logged as a number."""
    return float(torch.as_tensor(value, dtype=torch.float64))


def _names(results: Any) -> set[str]:
    """Names under which a loop has logged something, as callback_metrics spells them."""
    names = set()
    for metric in (results or {}).values():
        meta = metric.meta
        suffix = "" if meta.dataloader_idx is None else f"/dataloader_idx_{meta.dataloader_idx}"
        names.add(f"{meta.name}{suffix}")
        if meta.on_step and meta.on_epoch:
            names |= {f"{meta.name}_step{suffix}", f"{meta.name}_epoch{suffix}"}
    return names


def _show(scheduler: Any) -> None:
    """Let Lightning's monitors, which read the rate of a scheduler's optimizer, see what is really driven."""
    if scheduler.view is not None:
        scheduler.optimizer = scheduler.view


def check_strategy(trainer: Trainer) -> None:
    """Refuse a DeepSpeed configuration with a scheduler of its own."""
    config = getattr(trainer.strategy, "config", None)
    if type(trainer.strategy).__name__ == "DeepSpeedStrategy" and isinstance(config, dict) and "scheduler" in config:
        raise SchedulerConfigError(
            "scheduler",
            config["scheduler"].get("type", "?"),
            "the DeepSpeed configuration has a scheduler of its own, and both would drive the rate",
            "Take 'scheduler' out of the DeepSpeed configuration, or leave this callback out",
        )
