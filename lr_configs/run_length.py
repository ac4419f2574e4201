"""The run's length from a trainer's facts: how many optimizer updates and epochs it will make.

Lightning's own `estimated_stepping_batches` can be -1 or infinite, ignores accumulation that changes between
epochs, and loads the train dataloader even where nothing needs it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from lr_configs.configs import SchedulerConfig
from lr_configs.errors import RunTooShortError, SchedulerConfigError
from lr_configs.horizon import Horizon
from lr_configs.plan import Plan, resolve, written_lengths
from lr_configs.registry import parse


def batches_per_epoch(trainer: Any) -> int | None:
    """Train batches in an epoch on this process, or None where the loader has no length. Loads the train dataloader."""
    loop = trainer.fit_loop
    loaded = loop._combined_loader is not None
    if not loaded:
        loop.setup_data()
    count = loop.max_batches
    checkpoint = getattr(trainer._checkpoint_connector, "_loaded_checkpoint", None) or {}
    states = checkpoint.get("loops", {}).get("fit_loop", {}).get("state_dict", {}).get("combined_loader")
    if not loaded and states:
        # The checkpoint's loader state comes later and goes only into a loader that is set up after it.
        if loop._data_fetcher is not None:
            loop._data_fetcher.teardown()
            loop._data_fetcher = None
        loop._combined_loader = None
    return None if count is None or math.isinf(count) else int(count)


def accumulation(trainer: Any, epoch: int) -> int:
    """Batches per update in an epoch."""
    for callback in trainer.callbacks:
        if hasattr(callback, "get_accumulate_grad_batches"):
            return int(callback.get_accumulate_grad_batches(epoch))
    return int(trainer.accumulate_grad_batches)


def _automatic(trainer: Any) -> bool:
    module = trainer.lightning_module
    return module is None or bool(module.automatic_optimization)


def _updates(trainer: Any, batches: int, epochs: int | None) -> int | list[int]:
    if not _automatic(trainer):
        return batches  # one update of every optimizer per batch, which only the module can change
    varies = any(hasattr(callback, "get_accumulate_grad_batches") for callback in trainer.callbacks)
    if varies:
        known = epochs or 1 + max(max(c.scheduling) for c in trainer.callbacks if hasattr(c, "scheduling"))
        return [math.ceil(batches / accumulation(trainer, epoch)) for epoch in range(known)]
    return math.ceil(batches / accumulation(trainer, 0))


def epochs_of(trainer: Any) -> int | None:
    """Epochs that the trainer is limited to, or None."""
    epochs: int | None = trainer.fit_loop.max_epochs if trainer.fit_loop.max_epochs is not None else trainer.max_epochs
    return int(epochs) if epochs is not None and epochs > 0 else None


def steps_of(trainer: Any, optimizers: int) -> int | None:
    """Updates of each optimizer that the trainer is limited to, or None."""
    steps: int | None = trainer.max_steps
    if steps is None or steps <= 0:
        return None
    # In manual optimization Lightning counts the steps of all optimizers together.
    return steps if _automatic(trainer) else max(steps // max(optimizers, 1), 1)


def full_horizon(trainer: Any, total_steps: int | None, optimizers: int = 1) -> Horizon | None:
    """All that can be known of the run, with the train dataloader loaded; None where it has no known end."""
    epochs = epochs_of(trainer)
    limit = total_steps if total_steps is not None else steps_of(trainer, optimizers)
    batches = batches_per_epoch(trainer)
    if not batches:
        if limit is not None:
            return Horizon(steps=limit)
        return Horizon(epochs=epochs) if epochs else None
    per_epoch = _updates(trainer, batches, epochs)
    if total_steps is not None or epochs is None:
        return None if limit is None else Horizon(steps=limit, steps_per_epoch=per_epoch)
    whole = Horizon(epochs=epochs, steps_per_epoch=per_epoch)
    assert whole.total_steps is not None
    if limit is not None and limit < whole.total_steps:
        return Horizon(steps=limit, steps_per_epoch=per_epoch)
    return whole


def horizons(trainer: Any, total_steps: int | None, optimizers: int = 1) -> Iterator[Horizon | None]:
    """What is known of the run, the cheapest first: only the last one loads the train dataloader."""
    yield None
    epochs = epochs_of(trainer)
    limit = total_steps if total_steps is not None else steps_of(trainer, optimizers)
    if limit is None and epochs is not None:
        yield Horizon(epochs=epochs)
    yield full_horizon(trainer, total_steps, optimizers)


def _counts_epochs(config: SchedulerConfig) -> bool:
    """Whether a length may stand for epochs: it has that unit, or none."""
    return any(length.unit in ("", "ep") for length in written_lengths(config))


def resolve_for(
    trainer: Any, node: Any, total_steps: int | None = None, optimizers: int = 1
) -> tuple[Plan, Horizon | None]:
    """The plan of a schedule for a trainer's run, and as much of the run's size as it took.

    Raises:
        SchedulerConfigError: where the schedule needs an end that the run does not have, or does not fit it.
    """
    config = parse(node)
    limit = total_steps if total_steps is not None else steps_of(trainer, optimizers)
    candidates = horizons(trainer, total_steps, optimizers)
    ends_by_steps = limit is not None and (total_steps is not None or epochs_of(trainer) is None)
    if ends_by_steps and config.interval != "epoch" and not _counts_epochs(config):
        candidates = iter([None, Horizon(steps=limit)])  # shares of a known number need no dataloader
    for horizon in candidates:
        try:
            return resolve(config, horizon), horizon
        except SchedulerConfigError as failure:
            error = failure
    if horizon is None or horizon.total_steps is None:
        raise SchedulerConfigError(
            error.key,
            error.value,
            f"{config.name} needs the run's end, which is not known: {_why_unknown(trainer)}",
            "Set total_steps on LRSchedulerCallback or max_steps on the Trainer, write absolute lengths ('500st'), or "
            "choose a schedule without an end",
        ) from error
    if isinstance(error, RunTooShortError) and getattr(trainer, "fast_dev_run", False):
        # A smoke test of a few updates has no room for shares of a run: show the beginning of a longer one.
        return resolve(config, Horizon(epochs=1000, steps_per_epoch=horizon.total_steps or 1)), horizon
    raise error


def _why_unknown(trainer: Any) -> str:
    if epochs_of(trainer) is None:
        timed = any(type(callback).__name__ == "Timer" for callback in trainer.callbacks)
        return "max_time alone ends it" if timed else "max_epochs=-1 and max_steps=-1"
    return "the train dataloader has no length"
