"""Schedules in a LightningModule: the hooks of Lightning, and what each of them tells the driver.

The callback computes no rate and decides nothing about checkpoints: see :mod:`lr_configs.driver` and
:mod:`lr_configs.resume`.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch.optim import Optimizer

from lr_configs import optimizers, report, run
from lr_configs.adapter import Adapters
from lr_configs.arguments import (
    ON_EXISTING,
    check_choice,
    check_keys,
    check_one,
    check_switches,
    check_total,
    schedules_of,
)
from lr_configs.builder import build_plan
from lr_configs.config import SchedulerConfig
from lr_configs.decay_file import DecayFile, read_ending
from lr_configs.driver import Driver
from lr_configs.errors import SchedulerConfigError
from lr_configs.lightning_run import Frequency, LightningRun, callback_bases, check_strategy
from lr_configs.logged import HeldRates
from lr_configs.monitors import Monitors, check_can_be
from lr_configs.registry import TARGET, parse, plain
from lr_configs.resume import POLICIES, slots
from lr_configs.saved_curve import SavedCurve
from lr_configs.schedulers import is_ours
from lr_configs.track import check_ending

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule, Trainer

    class Callback:
        """Lightning's, of whichever package is in use."""

else:
    Callback = type("Callback", callback_bases(), {})


class LRSchedulerCallback(Callback):
    """Attaches schedules to a LightningModule that returns only its optimizers, or drives those that it builds itself.

    Args:
        scheduler: the schedule: a composed node, a dict with a name, a config object or a name; a list drives several
            hyper-parameters of one optimizer (`param`). A scheduler of another library with ``step(epoch)`` or
            ``step_update(n)``, such as timm's, or a function of the optimizer that makes one, is attached as it is. Without
            it the callback drives the schedules of ours that the module's ``configure_optimizers`` builds.
        schedulers: for several optimizers, a mapping from the optimizer to its schedule (or list of them, or scheduler of
            another library). The optimizer is an index, the attribute of the module that holds it, or the attribute
            that holds what it trains (``generator``).
        total_steps: updates of the run, where the trainer cannot tell or should not; for several optimizers, a mapping
            with the keys of `schedulers`.
        on_existing: what to do where a scheduler that the module returns drives the same: ``error``, ``replace`` it or ``keep``
            it (and leave out the callback's).
        resume: what to do where a checkpoint's schedule is another one: ``strict`` refuses and lists the differences;
            ``keep`` continues the old schedule and holds its last rate; ``stretch`` spreads what was left of it over what
            is left of the run; ``restart`` begins the new one.
        log: log what every optimizer holds as ``lr/<optimizer>/<group>`` to the trainer's loggers.
        progress_bar: show the rate in the progress bar.
        tensor_lr: turn the rates into tensors, for compiled optimizer steps.
        decay_file: a path; creating or changing this file brings the rates down as :meth:`decay_now` does. It may hold
            the length and the shape (``10% cosine``).
        monitor: the logged metric that a scheduler of another library gets after every epoch, as ``step(epoch, metric)``.
        save_curve: leave the rates beside those that were planned, as ``lr_curve.csv`` and ``lr_curve.png`` in the run's folder
            and in the pages of TensorBoard or W&B, and warn where they leave the plan.

    Raises:
        SchedulerConfigError: on construction or before the first batch.
    """

    joined = False  # by `lightning`, where the trainer had no callback of ours

    def __init__(
        self,
        scheduler: str | dict[str, Any] | list[Any] | SchedulerConfig | Callable[[Optimizer], Any] | None = None,
        *,
        schedulers: dict[str, Any] | None = None,
        total_steps: int | dict[str, int] | None = None,
        on_existing: str = "error",
        resume: str = "strict",
        log: bool = False,
        progress_bar: bool = False,
        tensor_lr: bool = False,
        decay_file: str | None = None,
        monitor: str | None = None,
        save_curve: bool = False,
    ) -> None:
        super().__init__()
        check_choice("on_existing", on_existing, ON_EXISTING)
        check_choice("resume", resume, POLICIES)
        check_one(scheduler, schedulers)
        switches = {"log": log, "progress_bar": progress_bar, "tensor_lr": tensor_lr, "save_curve": save_curve}
        check_switches({**switches, "decay_file": decay_file})
        self.total_steps = check_total(total_steps)
        self.on_existing, self.resume = on_existing, resume
        self.logs, self.progress_bar, self.tensor_lr = log, progress_bar, tensor_lr  # Lightning puts a method at `log`
        self.decay_file = None if decay_file is None else DecayFile(Path(decay_file))
        self.foreign = Adapters(scheduler, schedulers, monitor)
        self.asked = list(schedules_of(*self.foreign.rest))
        self.driver: Driver | None = None
        self._run: LightningRun | None = None
        self._monitors = Monitors()
        self._held: HeldRates | None = None
        self._loaded: dict[str, Any] | None = None
        self._pending: tuple[Any, str] | None = None
        self._set_up = False
        self.curve = SavedCurve(save_curve)

    # Lightning enters a profiler for every hook of every batch that is callable, used or not.
    on_before_zero_grad = None
    on_before_backward = None
    on_after_backward = None
    on_before_optimizer_step = None

    @property
    def state_key(self) -> str:
        """The key in checkpoints, the same for all of them."""
        # A trainer refuses two of one key when it is made; until the set-up, which says more, each has its own.
        return "LRSchedulerCallback" if self._set_up or self.joined else f"LRSchedulerCallback at {id(self):#x}"

    # ------------------------------------------------------------------------------------ the beginning of a fit

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Make the run known to schedules that the module builds."""
        self._set_up = True
        if stage != "fit":
            return
        self._check_alone(trainer)
        self._let_go()
        self.driver, self._run = None, LightningRun(trainer, self.total_steps)
        run.enter(self._run)

    def run_of(self, trainer: Trainer) -> LightningRun:
        """The run of this trainer's fit, as this callback sees it."""
        if self._run is None or self._run.trainer is not trainer:
            self._run = LightningRun(trainer, self.total_steps)
        return self._run

    def _check_alone(self, trainer: Trainer) -> None:
        others = [one for one in trainer.callbacks if isinstance(one, LRSchedulerCallback) and not one.joined]
        if len(others) > 1:
            raise SchedulerConfigError(
                "callbacks",
                "LRSchedulerCallback",
                f"the trainer has {len(others)} of them, and each would drive and save the schedules",
                "Give one callback a list: LRSchedulerCallback([{name: cosine}, {name: linear, param: weight_decay}])",
            )

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Build the schedules, and decide how to go on from a checkpoint."""
        run.leave()
        if self.joined and any(isinstance(one, LRSchedulerCallback) and not one.joined for one in trainer.callbacks):
            return  # the user's own does it
        the_run = self.run_of(trainer)
        self.driver, self._held = Driver(the_run, self.resume), None
        self._monitors = Monitors()
        check_strategy(trainer)
        self.__dict__.pop("on_train_batch_start", None)
        if not self.logs and not self.progress_bar:
            self.__dict__["on_train_batch_start"] = None
        self.foreign.attach(list(trainer.optimizers), pl_module, partial(_gives_way, the_run, self.on_existing))
        self._take_schedules(trainer, pl_module, the_run, self.driver)
        for track in self.driver.tracks:
            check_can_be(the_run, track.monitor)
        if self.decay_file is not None:
            self.decay_file.note()
        if the_run.checkpoint():
            self._decide(the_run, self.driver)

    def _take_schedules(self, trainer: Trainer, module: LightningModule, the_run: LightningRun, driver: Driver) -> None:
        asked = [one for one in self.asked if _may_drive(the_run, self.on_existing, module, *one)]
        existing = list(the_run.records)
        if self.tensor_lr:
            for optimizer in trainer.optimizers:
                optimizers.make_rates_tensors(optimizer)
        for record in existing:
            if is_ours(record.scheduler) and record.scheduler.plan is not None:
                _adopt(the_run, driver, record)
        for key, config in asked:
            optimizer = trainer.optimizers[optimizers.find(trainer.optimizers, module, key)]
            driver.remember(optimizer, the_run.groups(optimizer))
            try:
                scheduler = driver.drive(config, optimizer, str(key or 0))
            except SchedulerConfigError as error:
                raise (error.within(f"schedulers.{key}") if key else error) from None
            the_run.take(scheduler, scheduler.plan)
        check_keys(self.total_steps, [track.key for track in driver.tracks])
        idle = not driver.tracks and not self.foreign
        if idle and not (existing and self.on_existing == "keep") and not the_run.none_on_purpose:
            raise SchedulerConfigError(
                "scheduler",
                None,
                "the callback has nothing to drive: it has no schedule, and the module builds none of ours",
                "Write scheduler: ${scheduler} under the callback (scheduler: none where the rate is constant on purpose)",
            )

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Decide how to go on, where the strategy restores after the set-up."""
        self.foreign.load(checkpoint)
        self.curve.load(checkpoint)
        if self._run is not None and self.driver is not None and self._run.restores_late:
            self._decide(self._run, self.driver)

    def _decide(self, the_run: LightningRun, driver: Driver) -> None:
        """Decide before anything is restored, and keep Lightning from loading what is ours to restore."""
        checkpoint = the_run.checkpoint()
        state = (checkpoint.get("callbacks") or {}).get(self.state_key)
        states = list(checkpoint.get("lr_schedulers") or [])
        driver.load(state, states, step=checkpoint.get("global_step"))
        _check_others(state, states, the_run, driver)
        if "lr_schedulers" in checkpoint:
            checkpoint["lr_schedulers"] = _harmless(state, states, the_run, driver)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Go on from the checkpoint, now that the optimizers are restored, and say what will happen."""
        driver = self.driver
        if driver is None or self._run is None:
            return
        if trainer.ckpt_path and not driver.resuming and self._run.restores_late:
            driver.load(None, step=trainer.global_step)  # a checkpoint without any callback's state
        self.curve.begin(trainer, driver, self._run, _updates_made(trainer))
        driver.start(_updates_made(trainer), self._run.epochs_ended)
        self.foreign.start(_updates_made(trainer), self._run.epochs_ended)
        if self._pending is not None:
            driver.decay_now(*self._pending)
            self._pending = None
        if not pl_module.automatic_optimization:
            driver.let_the_module_step()
        self._monitors.going_on(driver)
        self._loaded = None
        _warn_compiled(driver)
        driver.announce()
        for differing in dict.fromkeys(self._run.told_otherwise(track.key) for track in driver.tracks):
            if differing is not None:
                self._run.say(report.told_otherwise(*differing))
        schedulers = [record.scheduler for record in self._run.records] + [track.scheduler for track in driver.tracks]
        driven = {id(getattr(scheduler, "optimizer", None)) for scheduler in schedulers}
        for number, optimizer in enumerate(trainer.optimizers if driver.tracks else ()):
            if id(optimizer) not in driven:
                self._run.say(report.undriven(number, optimizer))

    # ------------------------------------------------------------------------------------ the end of a fit

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Let go of the optimizers."""
        if stage != "fit":
            return
        for track in self.driver.tracks if self.driver is not None else ():
            if track.skipped and self._run is not None:
                self._run.say(
                    f"{track.plan.config.name}: {track.skipped} updates were skipped by the gradient scaler, and did not "
                    "advance the schedule"
                )
        self._let_go()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Let go of the optimizers, and leave what there is of the curve."""
        self.curve.end(trainer, failed=True)
        self._let_go()

    def _let_go(self) -> None:
        run.leave()
        self.curve.close()
        self.foreign.close()
        if self.driver is not None:
            self.driver.close()

    # ------------------------------------------------------------------------------------ checkpoints

    def state_dict(self) -> dict[str, Any]:
        """What the schedules were built from and how far their clocks are: plain data."""
        if self.driver is None or self._run is None:
            return self._loaded or {}
        self._monitors.take_late(self._run, self.driver)
        return self.driver.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep the state until a fit begins."""
        self._loaded = state_dict

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Make config objects among the hyper-parameters plain data, which ``torch.load(weights_only=True)`` reads."""
        self.foreign.save(checkpoint)
        self.curve.save(checkpoint)
        for key in ("hyper_parameters", "datamodule_hyper_parameters"):
            if key in checkpoint:
                checkpoint[key] = _without_objects(checkpoint[key])

    def __getstate__(self) -> dict[str, Any]:
        # Spawned processes, and copies, get the callback before it has attached anything.
        state = {**self.__dict__, "driver": None, "_run": None, "_held": None, "_monitors": Monitors()}
        if self.driver is not None:
            state["_loaded"] = copy.deepcopy(self.state_dict())
        return state

    # ------------------------------------------------------------------------------------ batches and epochs

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Log the rates that this batch is trained with."""
        if self.driver is None or self._run is None:
            return
        if self._held is None or not self._held.fit():
            self._held = HeldRates(trainer.optimizers, self.driver)
        values = self._held.held()
        if self.logs and self._run.should_log:
            for logger in trainer.loggers if trainer.is_global_zero else ():
                logger.log_metrics(values, step=self._run.log_step)
        for name, value in values.items() if self.progress_bar else ():
            if name.startswith("lr/"):
                shown = "lr" if name.endswith("/0") and len(trainer.optimizers) == 1 else name
                pl_module.log(shown, value, prog_bar=True, logger=False, rank_zero_only=True)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """End the epoch of the schedules that advance by epochs, take metrics of the step, watch for the file."""
        driver, the_run = self.driver, self._run
        if driver is None or the_run is None:
            return
        if the_run.epoch_is_through:
            driver.end_epoch(trainer.current_epoch)
        self._monitors.after_batch(the_run, driver)
        if self.decay_file is not None:
            _watch(self.decay_file, the_run, driver, batch_idx)
        driver.begin_ending()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the epoch where its last batch was skipped; take metrics of the epoch."""
        driver, the_run = self.driver, self._run
        if driver is None or the_run is None:
            return
        # A run that stops within an epoch may go on with it from a checkpoint. Lightning counts this epoch already.
        within = trainer.should_stop or 0 < trainer.max_steps <= trainer.global_step
        if the_run.epoch_is_through or not within:
            driver.end_epoch(trainer.current_epoch)
        self._monitors.after_epoch(the_run, driver)
        self.foreign.end_epoch(trainer.current_epoch + 1, the_run.metric)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse a monitor that a whole epoch has not logged."""
        if self.driver is not None and self._run is not None:
            self._monitors.check_awaited(self._run, self.driver)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Give each new value of a monitored metric to its schedule, once."""
        if self.driver is not None and self._run is not None and trainer.state.fn == "fit":
            self._monitors.after_validation(self._run, self.driver)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take what was logged last, and leave the curve."""
        if self.driver is not None and self._run is not None:
            self._monitors.check_awaited(self._run, self.driver)
        self.curve.end(trainer)

    # ------------------------------------------------------------------------------------ early ending

    def decay_now(self, over: Any = "5%", shape: str = "linear") -> None:
        """End early: bring every rate down to its end value, from wherever it is.

        The end value is what the schedule would have at the run's last step, or 0 where it would not fall below the
        present rate. Called within a batch it begins after it, otherwise with the next update. It is saved with
        checkpoints.

        Args:
            over: a length; a share is one of the whole run.
            shape: ``linear``, ``cosine`` or ``one_minus_sqrt``.

        Raises:
            SchedulerConfigError: for what is no length or no shape.
        """
        check_ending(over, shape)
        if self.driver is None or self._run is None or not self.driver.running:
            self._pending = over, shape
        else:
            self.driver.decay_now(over, shape, wait=self._run.inside_batch)


# ---------------------------------------------------------------------------------------- what the module built


def _may_drive(
    the_run: LightningRun, on_existing: str, module: LightningModule, key: str | None, config: SchedulerConfig
) -> bool:
    several = the_run.trainer.optimizers
    unnamed = key is None and len(several) != 1  # which one it is for is refused later, if it is for any
    optimizer = None if unnamed else several[optimizers.find(several, module, key)]
    return not _gives_way(the_run, on_existing, config.name, optimizer, config.drives)


def _gives_way(
    the_run: LightningRun, on_existing: str, name: str, optimizer: Optimizer | None, params: set[str]
) -> bool:
    """Whether a schedule of the callback's is left out, for what the module's own drive already."""
    rivals = the_run.rivals(optimizer, params)
    if rivals and on_existing == "error":
        theirs, both = type(rivals[0].scheduler).__name__, params & optimizers.driven(rivals[0].scheduler)
        raise SchedulerConfigError(
            "scheduler",
            name,
            f"the module's configure_optimizers returns a {theirs} already, and both would drive "
            + ("the rate" if "lr" in both else min(both)),
            f"Return only the optimizer, or set on_existing=replace (drop the {theirs}) or on_existing=keep",
        )
    if on_existing == "replace":
        the_run.drop(rivals)
    return bool(rivals) and on_existing == "keep"


def _adopt(the_run: LightningRun, driver: Driver, record: Any) -> None:
    """Drive a schedule of ours that the module built, by its own plan."""
    scheduler = record.scheduler
    optimizers = the_run.trainer.optimizers
    number = next((i for i, one in enumerate(optimizers) if one is scheduler.optimizer), None)
    if number is None:
        raise SchedulerConfigError(
            "scheduler",
            scheduler.plan.config.name,
            "the optimizer that the module built it on is none of the trainer's",
            "Give the schedule to LRSchedulerCallback(scheduler=...) instead",
        )
    the_run.check_known(scheduler.plan)
    driver.remember(scheduler.optimizer, the_run.groups(scheduler.optimizer))
    driver.adopt(scheduler, str(number))
    the_run.mark(record, scheduler.plan)


def _check_others(state: Any, states: list[Any], the_run: LightningRun, driver: Driver) -> None:
    """Refuse to give the state of one of the module's own schedulers to another."""
    taken = slots(state)
    others = len(the_run.records) - len(driver.tracks)
    if driver.resume != "restart" and taken and None not in taken and len(states) - len(taken) != others:
        raise SchedulerConfigError(
            "resume",
            driver.resume,
            f"the checkpoint has the state of {len(states)} schedulers, and this run has {len(the_run.records)}",
            "Give the schedulers that it was written with, or resume=restart",
        )


def _harmless(state: Any, states: list[Any], the_run: LightningRun, driver: Driver) -> list[Any]:
    """What Lightning may load: to the module's own schedulers theirs, to ours what they have."""
    ours = {id(track.scheduler) for track in driver.tracks}
    taken = slots(state)
    theirs = iter([one for i, one in enumerate(states) if i not in taken])
    return [
        record.scheduler.state_dict() if id(record.scheduler) in ours else next(theirs, record.scheduler.state_dict())
        for record in the_run.records
    ]


def _watch(file: DecayFile, the_run: LightningRun, driver: Driver, batch_idx: int) -> None:
    if the_run.processes > 1 and batch_idx % 20:
        return
    text = the_run.from_first(file.news)
    if text is None:
        return
    try:
        driver.decay_now(*read_ending(text), wait=True)
    except SchedulerConfigError as error:
        the_run.say(f"no early ending: {file.path}: {error}")


def _updates_made(trainer: Trainer) -> int:
    """Updates of each optimizer; with several, which only a manual optimization has, Lightning counts those of all together."""
    return int(trainer.global_step) // max(len(trainer.optimizers), 1)


def _warn_compiled(driver: Driver) -> None:
    for optimizer in {id(track.optimizer): track.optimizer for track in driver.tracks}.values():
        if optimizers.is_compiled(optimizer) and optimizers.has_float_rates(optimizer):
            warnings.warn(
                f"the step of {type(optimizer).__name__} is compiled and its rate is a float: every new value compiles "
                "it again, until torch gives up. Set tensor_lr=true on LRSchedulerCallback",
                UserWarning,
                stacklevel=2,
            )


def _without_objects(value: Any) -> Any:
    """`value` with config objects, and composed nodes of ours, as plain data."""
    if isinstance(value, SchedulerConfig):
        return value.to_dict()
    if isinstance(value, partial) and str(getattr(value.func, "__module__", "")).startswith("lr_configs"):
        return {"_target_": TARGET, "_partial_": True, **plain(value.keywords)}  # of a node with `_partial_: true`
    if type(value).__module__.startswith("omegaconf") and "_target_" in value:
        ours = str(value["_target_"]).startswith("lr_configs.")
        return plain(value) if ours else value
    if type(value) is dict:
        return {key: _without_objects(one) for key, one in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_without_objects(one) for one in value)
    return value


# ---------------------------------------------------------------------------------------- without the callback


def lightning(scheduler: Any, optimizer: Optimizer, trainer: Trainer) -> dict[str, Any]:
    """What ``configure_optimizers`` returns for one optimizer and its schedule.

    The run's length comes from the trainer, and a callback that drives the schedule joins it, so that everything
    holds that :class:`LRSchedulerCallback` does. An ``LRSchedulerCallback`` without a scheduler among the trainer's
    callbacks, with a `resume` policy or logging of the user's choice, does that instead.

    Args:
        scheduler: a composed node, a dict, a config object, or the name of a schedule; None for none.
        optimizer: the optimizer.
        trainer: the module's trainer (``self.trainer``).

    Returns:
        ``{"optimizer": ..., "lr_scheduler": {...}}``; without a schedule the optimizer alone.

    Raises:
        SchedulerConfigError: naming key, value, rule and remedy.
    """
    callback = next((one for one in trainer.callbacks if isinstance(one, LRSchedulerCallback)), None)
    if scheduler is None:
        if callback is not None:
            callback.run_of(trainer).none_on_purpose = True
        return {"optimizer": optimizer}
    config = parse(scheduler)
    joining = LRSchedulerCallback() if callback is None else callback
    plan = joining.run_of(trainer).resolve(config, optimizer=optimizer)
    built: Any = build_plan(plan, optimizer)
    if callback is None:
        joining.joined = True
        trainer.callbacks.insert(0, joining)
    record: dict[str, Any] = {
        "scheduler": built,
        "interval": plan.interval,
        "frequency": Frequency(plan.frequency),
        "reduce_on_plateau": config.metric_driven,
    }
    if config.metric_driven:
        record["monitor"] = config.monitor
    return {"optimizer": optimizer, "lr_scheduler": record}
