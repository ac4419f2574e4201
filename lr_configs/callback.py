"""Attaches schedules to a LightningModule: trainer facts -> horizon -> scheduler, resume policy, logs.

The callback computes no rate. It tells each scheduler when its optimizer has made an update, when an epoch has ended,
and when a metric has a new value; Lightning saves and restores the schedulers with its own checkpoints.
"""

from __future__ import annotations

import copy
import difflib
import importlib
import math
import sys
import warnings
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer

from lr_configs import curves, views
from lr_configs.builder import build_plan, check_monitor, check_optimizer
from lr_configs.closed_form import rates_in, write_rate
from lr_configs.errors import SchedulerConfigError, nearest
from lr_configs.fingerprint import differences, fingerprint, horizon_data, plain_function, read_horizon
from lr_configs.horizon import Clock, Horizon
from lr_configs.monitored import logged_names, logged_on_step
from lr_configs.plan import Plan, resolve
from lr_configs.registry import parse, plain
from lr_configs.run_length import full_horizon, resolve_for

RESUME = ("strict", "keep", "stretch", "restart")
ON_EXISTING = ("error", "replace", "keep")


def _callback_bases() -> tuple[type, ...]:
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


class Frequency(int):
    """A frequency that is shown, and that Lightning never finds reached: the callback counts.

    Lightning steps a scheduler when ``batch_index % frequency == 0`` within the epoch; ours counts updates over the
    whole run.
    """

    def __rmod__(self, other: int) -> int:
        return 1


class _Driven:
    """One schedule at work: its scheduler, and how far its clock is."""

    def __init__(
        self,
        key: str,
        number: int,
        optimizer: Any,
        plan: Plan,
        scheduler: Any,
        asked: dict[str, Any],
        records: list[Any],
        tell: Callable[[str], None],
    ) -> None:
        self.records, self.tell = records, tell  # Lightning's own list of schedulers
        self.key, self.number, self.optimizer = key, number, optimizer
        self.plan, self.scheduler, self.asked = plan, scheduler, asked
        self.ticks = 0  # updates or epochs, whatever the interval is
        self.updates = 0
        self.skipped = 0
        self.values = 0  # of the metric
        self.monitor: str | None = plan.config.monitor if plan.config.metric_driven else None
        self.module_steps = False
        self.replaced = False
        self.fresh: dict[str, Any] | None = None
        self.active = copy.deepcopy(asked)

    def tick(self) -> None:
        """One more interval has passed."""
        self.ticks += 1
        if self.ticks % self.plan.frequency or self.module_steps or self._replaced():
            return
        scheduler = self.scheduler
        if not scheduler.decaying:
            scheduler._cf_driven = True
            scheduler.step()
            scheduler._cf_driven = False

    def _replaced(self) -> bool:
        """Whether another callback put its scheduler in the place of ours, as StochasticWeightAveraging does."""
        for record in self.records:
            if record.scheduler is self.scheduler:
                return False
        if not self.replaced:
            self.replaced = True
            self.tell(f"{self.plan.config.name}: replaced by another scheduler, and at rest from here on")
        return True

    def react(self, value: float) -> None:
        """The metric has a new value."""
        self.values += 1
        if self.values % self.plan.frequency == 0 and not self._replaced():
            self.scheduler.react(value)

    def state(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "asked": self.asked,
            "active": self.active,
            "ticks": self.ticks,
            "updates": self.updates,
            "values": self.values,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on counting where the checkpoint was."""
        self.ticks, self.updates, self.values = (int(state[k]) for k in ("ticks", "updates", "values"))


class LRSchedulerCallback(*_callback_bases()):  # type: ignore[misc]
    """Attaches schedules to a LightningModule that returns only its optimizers.

    Args:
        scheduler: the schedule: a composed node, a dict with a name, a config object or a name; a list drives several
            hyper-parameters of one optimizer (`param`). None attaches nothing.
        schedulers: for several optimizers, a mapping from the optimizer to its schedule (or list of them). The
            optimizer is an index, the attribute of the module that holds it, or the attribute that holds what it
            trains (``generator``).
        total_steps: updates of the run, where the trainer cannot tell or should not.
        on_existing: what to do where the module returns a scheduler of its own: ``error``, ``replace`` it or ``keep``
            it (and attach nothing).
        resume: what to do where a checkpoint's schedule is another one: ``strict`` refuses and lists the differences;
            ``keep`` continues the old schedule and holds its last value; ``stretch`` continues it over the new length;
            ``restart`` starts the new one.
        log: log what every optimizer holds as ``lr/<optimizer>/<group>`` to the trainer's loggers.
        progress_bar: show the rate in the progress bar.
        tensor_lr: turn the rates into tensors, for compiled optimizer steps.
        decay_file: a path; creating this file brings the rates down as :meth:`decay_now` does. It may hold
            the length and the shape (``10% cosine``).

    Raises:
        SchedulerConfigError: on construction or before the first batch.
    """

    def __init__(
        self,
        scheduler: Any = None,
        *,
        schedulers: Any = None,
        total_steps: int | None = None,
        on_existing: str = "error",
        resume: str = "strict",
        log: bool = False,
        progress_bar: bool = False,
        tensor_lr: bool = False,
        decay_file: str | None = None,
    ) -> None:
        super().__init__()
        for key, value, options in (("on_existing", on_existing, ON_EXISTING), ("resume", resume, RESUME)):
            if value not in options:
                raise SchedulerConfigError(
                    key,
                    value,
                    f"this is one of {', '.join(options)}",
                    nearest(str(value), options) or f"Write {options[0]}",
                )
        if total_steps is not None and (
            isinstance(total_steps, bool) or not isinstance(total_steps, int) or total_steps < 1
        ):
            raise SchedulerConfigError(
                "total_steps", total_steps, "a number of updates is a positive integer", "Write 10000"
            )
        if scheduler is not None and schedulers is not None:
            raise SchedulerConfigError(
                "schedulers",
                "...",
                "scheduler is given as well",
                "Give scheduler for one optimizer, schedulers for several",
            )
        self.total_steps, self.on_existing, self.resume = total_steps, on_existing, resume
        self.log, self.progress_bar, self.tensor_lr = log, progress_bar, tensor_lr
        self.decay_file = None if decay_file is None else Path(decay_file)
        self._asked = self._parse(scheduler, schedulers)
        self._driven: list[_Driven] = []
        self._saved: dict[str, Any] | None = None
        self._hooks: list[Any] = []
        self._logged: list[tuple[str, Any, str, int | None]] | None = None
        self._logged_count = 0
        self._decay: tuple[Any, str] | None = None
        self._reset()

    @staticmethod
    def _parse(scheduler: Any, schedulers: Any) -> list[tuple[str | None, Any]]:
        """``(optimizer or None, config)`` of each schedule, validated now, before any data is loaded."""
        entries: list[tuple[str | None, Any, str]] = []
        if scheduler is not None:
            several = isinstance(scheduler, (list, tuple)) or type(scheduler).__name__ == "ListConfig"
            for i, one in enumerate(scheduler) if several else [(None, scheduler)]:
                entries.append((None, one, "scheduler" if i is None else f"scheduler.{i}"))
        if schedulers is not None:
            if not isinstance(schedulers, Mapping) and type(schedulers).__name__ != "DictConfig":
                raise SchedulerConfigError(
                    "schedulers",
                    plain(schedulers),
                    "this maps optimizers to schedules",
                    "Write {generator: {name: cosine}}",
                )
            for key, value in schedulers.items():
                several = isinstance(value, (list, tuple)) or type(value).__name__ == "ListConfig"
                for i, one in enumerate(value) if several else [(None, value)]:
                    entries.append((str(key), one, f"schedulers.{key}" + ("" if i is None else f".{i}")))
        parsed = []
        for optimizer, node, where in entries:
            try:
                config = parse(node)
                check_monitor(config)
            except SchedulerConfigError as error:
                raise (error if where == "scheduler" else error.within(where)) from None
            parsed.append((optimizer, config))
        return parsed

    def _reset(self) -> None:
        self._ticked_epoch = -1
        self._seen_monitor: set[str] = set()
        self._awaited: set[str] = set()
        self._validated = False
        self._warned_rate = False
        self._file_seen = False
        self._logged = None  # another fit may have other optimizers

    # Lightning enters a profiler for every hook of every batch that is callable, used or not.
    on_before_zero_grad = None
    on_before_backward = None
    on_after_backward = None
    on_before_optimizer_step = None

    # ------------------------------------------------------------------------------------ attaching

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Build the schedules and hand them to the strategy, which saves and restores them."""
        self._detach()
        self._reset()
        self.__dict__.pop("on_train_batch_start", None)
        if not self.log and not self.progress_bar:
            self.__dict__["on_train_batch_start"] = None
        self._saved_from(trainer)
        optimizers = trainer.optimizers
        self._driven = self._adopted(trainer)
        self._check_strategy(trainer)
        existing = [
            c for c in trainer.strategy.lr_scheduler_configs if getattr(c.scheduler, "_cf_ticket", None) is None
        ]
        attach = bool(self._asked)
        if self._asked and existing:
            attach = self._on_existing(trainer, existing)
        if self._asked and self._driven:
            raise SchedulerConfigError(
                "scheduler",
                self._asked[0][1].name,
                f"the module's configure_optimizers returns {self._driven[0].plan.config.name} already, by lr_configs.lightning",
                "Use the callback or the helper, not both",
            )
        if self.tensor_lr:
            for optimizer in optimizers:
                _make_rates_tensors(optimizer)
        if attach:
            for optimizer_key, config in self._asked:
                number = self._find_optimizer(trainer, pl_module, optimizer_key)
                self._attach(trainer, number, config, optimizer_key)
            self._check_twice()
        for driven in self._driven:
            self._check_monitor_can_be(trainer, driven)
        self._resume_from_saved(trainer)
        self._install_hooks(optimizers)
        if not pl_module.automatic_optimization:
            for driven in self._driven:
                driven.scheduler._cf_listener = self._module_stepped
        self._warn_compiled(optimizers)

    def _saved_from(self, trainer: Any) -> None:
        """State of ours in the checkpoint that is being loaded; also where this callback joined too late for it."""
        loaded = getattr(trainer._checkpoint_connector, "_loaded_checkpoint", None) or {}
        self._resuming = bool(loaded)
        if not loaded:
            self._saved = None
        elif self._saved is None:
            state = (loaded.get("callbacks") or {}).get(self.state_key)
            if state:
                self.load_state_dict(state)
        self._checkpoint = {
            "global_step": loaded.get("global_step", 0),
            "schedulers": len(loaded.get("lr_schedulers") or []),
        }

    def _check_strategy(self, trainer: Any) -> None:
        config = getattr(trainer.strategy, "config", None)
        if (
            type(trainer.strategy).__name__ == "DeepSpeedStrategy"
            and isinstance(config, dict)
            and "scheduler" in config
        ):
            raise SchedulerConfigError(
                "scheduler",
                config["scheduler"].get("type", "?"),
                "the DeepSpeed configuration has a scheduler of its own, and both would drive the rate",
                "Take 'scheduler' out of the DeepSpeed configuration, or leave this callback out",
            )

    def _on_existing(self, trainer: Any, existing: list[Any]) -> bool:
        theirs = type(existing[0].scheduler).__name__
        if self.on_existing == "keep":
            return False
        if self.on_existing == "error":
            raise SchedulerConfigError(
                "scheduler",
                self._asked[0][1].name,
                f"the module's configure_optimizers returns a {theirs} already, and both would drive the rate",
                f"Return only the optimizer, or set on_existing=replace (drop the {theirs}) or on_existing=keep",
            )
        for config in existing:
            for group in config.scheduler.optimizer.param_groups:
                initial = group.pop("initial_lr", None)
                peak = group.pop("max_lr", None)
                group.pop("min_lr", None)
                # One-cycle and cyclic schedules overwrite the initial rate with a bound of their own.
                if peak is not None or hasattr(config.scheduler, "max_lrs"):
                    initial = config.scheduler.optimizer.defaults["lr"]
                if initial is not None:
                    group["lr"] = initial
        trainer.strategy.lr_scheduler_configs = [
            c for c in trainer.strategy.lr_scheduler_configs if not any(c is e for e in existing)
        ]
        return True

    def _find_optimizer(self, trainer: Any, module: Any, key: str | None) -> int:
        optimizers = trainer.optimizers
        if key is None:
            if len(optimizers) != 1:
                raise SchedulerConfigError(
                    "scheduler",
                    "...",
                    f"the module has {len(optimizers)} optimizers",
                    "Write schedulers={0: ..., 1: ...}, or name them by the module's attributes",
                )
            return 0
        if key.isdigit() and int(key) < len(optimizers):
            return int(key)
        held = getattr(module, key, None)
        held = getattr(held, "optimizer", held) if not isinstance(held, torch.nn.Module) else held
        for number, optimizer in enumerate(optimizers):
            if held is optimizer:
                return number
        if isinstance(held, (torch.nn.Module, torch.nn.Parameter)):
            wanted = {id(p) for p in (held.parameters() if isinstance(held, torch.nn.Module) else [held])}
            trains = [
                number
                for number, optimizer in enumerate(optimizers)
                if wanted & {id(p) for group in optimizer.param_groups for p in group["params"]}
            ]
            if len(trains) == 1:
                return trains[0]
        names = self._optimizer_names(module, optimizers)
        raise SchedulerConfigError(
            f"schedulers.{key}",
            "...",
            f"{key!r} names no optimizer, and nothing that one optimizer alone trains",
            f"{nearest(key, names)}Known: {', '.join([*(str(i) for i in range(len(optimizers))), *names])}",
        )

    @staticmethod
    def _optimizer_names(module: Any, optimizers: list[Any]) -> list[str]:
        owner = {id(p): i for i, o in enumerate(optimizers) for group in o.param_groups for p in group["params"]}
        names = []
        for name, child in module.named_children():
            if len({owner[id(p)] for p in child.parameters() if id(p) in owner}) == 1:
                names.append(name)
        return names + [n for n, v in vars(module).items() if any(v is o for o in optimizers)]

    def _attach(self, trainer: Any, number: int, config: Any, key: str | None) -> None:
        optimizer = trainer.optimizers[number]
        prefix = "" if key is None else f"schedulers.{key}"
        try:
            view = optimizer if config.param == "lr" else views.ParamView(optimizer, config.param)
            check_optimizer(config, view)
            plan, horizon = resolve_for(trainer, config, self.total_steps, len(trainer.optimizers))
            if self._resuming:
                horizon = full_horizon(trainer, self.total_steps, len(trainer.optimizers))
            asked = fingerprint(plan, horizon, view, trainer)
            scheduler = build_plan(plan, optimizer, self._printer(trainer))
        except SchedulerConfigError as error:
            raise (error.within(prefix) if prefix else error) from None
        self._hand_over(trainer, number, plan, scheduler, asked, key)

    def _hand_over(
        self, trainer: Any, number: int, plan: Plan, scheduler: Any, asked: dict[str, Any], key: str | None
    ) -> None:
        driven = _Driven(
            key or str(number),
            number,
            trainer.optimizers[number],
            plan,
            scheduler,
            asked,
            trainer.strategy.lr_scheduler_configs,
            self._printer(trainer),
        )
        driven.optimizer._opt_called = True  # the order of the calls is the callback's affair
        driven.fresh = scheduler.state_dict()
        trainer.strategy.lr_scheduler_configs.append(_lightning_config(trainer, plan, scheduler))
        self._driven.append(driven)

    def _adopted(self, trainer: Any) -> list[_Driven]:
        """Schedules that `lr_configs.lightning` built in configure_optimizers."""
        adopted = []
        for config in trainer.strategy.lr_scheduler_configs:
            ticket = getattr(config.scheduler, "_cf_ticket", None)
            if ticket is None:
                continue
            plan, asked = ticket
            whole = full_horizon(trainer, self.total_steps, len(trainer.optimizers)) if self._resuming else None
            if whole is not None:
                asked["horizon"] = horizon_data(whole)
            real = getattr(config.scheduler.optimizer, "real", config.scheduler.optimizer)
            number = next(i for i, o in enumerate(trainer.optimizers) if o is real)
            records = trainer.strategy.lr_scheduler_configs
            driven = _Driven(str(number), number, real, plan, config.scheduler, asked, records, self._printer(trainer))
            driven.fresh = config.scheduler.state_dict()
            config.frequency = Frequency(plan.frequency)
            config.scheduler._cf_print = self._printer(trainer)
            adopted.append(driven)
        return adopted

    def _check_twice(self) -> None:
        seen: dict[tuple[int, str], str] = {}
        for driven in self._driven:
            what = (driven.number, driven.plan.config.param)
            if what in seen:
                raise SchedulerConfigError(
                    "schedulers",
                    driven.plan.config.name,
                    f"{seen[what]} drives {what[1]} of optimizer {what[0]} already",
                    "Give each a param of its own, or multiply the two: name=chained",
                )
            seen[what] = driven.plan.config.name

    @staticmethod
    def _check_monitor_can_be(trainer: Any, driven: _Driven) -> None:
        if driven.monitor is None or trainer.enable_validation or "train" in driven.monitor:
            return
        raise SchedulerConfigError(
            "monitor",
            driven.monitor,
            "this run has no validation, so that no such metric will be logged",
            "Give the trainer a validation loader, or monitor a training metric ('train_loss')",
        )

    @staticmethod
    def _printer(trainer: Any) -> Any:
        reference = weakref.ref(trainer)

        def write(line: str) -> None:
            trainer = reference()
            if trainer is None or not trainer.is_global_zero:
                return
            bar = trainer.progress_bar_callback
            # A bar that is not drawn yet, or no more, swallows what it should print.
            drawn = getattr(bar, "_train_progress_bar", None)
            if (drawn is not None and not drawn.disable) or getattr(bar, "progress", None) is not None:
                bar.print(line)
                return
            print(line)  # noqa: T201 - what `verbose` is for

        return write

    def _install_hooks(self, optimizers: list[Any]) -> None:
        me = weakref.ref(self)
        for number, optimizer in enumerate(optimizers):
            if not any(driven.number == number for driven in self._driven):
                continue

            def updated(optimizer: Any, args: Any, kwargs: Any, number: int = number) -> None:
                callback = me()
                if callback is not None:
                    callback._on_update(number, optimizer)

            if _compiled(optimizer):
                # A hook inside a compiled step would be traced with it.
                compiled = optimizer.step

                def step(
                    *args: Any, _step: Any = compiled, _opt: Any = optimizer, _done: Any = updated, **kwargs: Any
                ) -> Any:
                    result = _step(*args, **kwargs)
                    _done(_opt, (), {})
                    return result

                step._wrapped_by_lr_sched = True  # type: ignore[attr-defined]
                step.__wrapped__ = compiled  # type: ignore[attr-defined]
                optimizer.step = step
                self._hooks.append(_Undo(optimizer, compiled))
            elif hasattr(optimizer, "register_step_post_hook"):
                self._hooks.append(optimizer.register_step_post_hook(updated))
            else:
                raise SchedulerConfigError(
                    "scheduler",
                    type(optimizer).__name__,
                    "this optimizer does not tell when it has made an update",
                    "Use an optimizer that derives from torch.optim.Optimizer",
                )

    def _detach(self) -> None:
        self._let_go()
        for driven in self._driven:
            driven.scheduler._cf_print = None
        self._driven = []

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Let go of the optimizers' hooks."""
        if stage == "fit":
            self._report_skipped(trainer)
            self._let_go()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Let go of the optimizers' hooks."""
        self._let_go()

    def _let_go(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        for driven in self._driven:
            driven.scheduler._cf_listener = None

    def _warn_compiled(self, optimizers: list[Any]) -> None:
        for optimizer in optimizers:
            float_rate = any(not isinstance(group["lr"], torch.Tensor) for group in optimizer.param_groups)
            if _compiled(optimizer) and float_rate and self._driven and not self._warned_rate:
                self._warned_rate = True
                warnings.warn(
                    f"the step of {type(optimizer).__name__} is compiled and its rate is a float: every new value compiles "
                    "it again, until torch gives up. Set tensor_lr=true on LRSchedulerCallback",
                    UserWarning,
                    stacklevel=2,
                )

    # ------------------------------------------------------------------------------------ resume

    def state_dict(self) -> dict[str, Any]:
        """What the schedules were built from and how far their clocks are: plain data."""
        self._take_awaited()
        if not self._driven and self._saved is not None:
            return self._saved
        return {
            "version": 1,
            "ticked_epoch": self._ticked_epoch,
            "schedules": {f"{d.key}/{d.plan.config.param}": d.state() for d in self._driven},
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep the state until the schedules are built."""
        if not isinstance(state_dict, dict) or not isinstance(state_dict.get("schedules"), dict):
            raise SchedulerConfigError(
                "checkpoint",
                state_dict,
                "this is not the state of an LRSchedulerCallback",
                "The checkpoint is damaged: resume from another one",
            )
        self._saved = state_dict

    def _resume_from_saved(self, trainer: Any) -> None:
        """Compare what the checkpoint was written with and what is asked for now, before anything is restored."""
        if not self._resuming or not self._driven:
            return
        if self._saved is None:
            for driven in self._driven:
                driven.scheduler._cf_ignore_state = True
            if not trainer.strategy.restore_checkpoint_after_setup:
                self._resume_foreign()
            return
        saved = dict(self._saved["schedules"])
        self._ticked_epoch = int(self._saved.get("ticked_epoch", -1))
        wanted = {f"{d.key}/{d.plan.config.param}" for d in self._driven}
        if set(saved) != wanted and self.resume != "restart":
            raise SchedulerConfigError(
                "resume",
                self.resume,
                f"the checkpoint has schedules for {', '.join(sorted(saved)) or 'nothing'}, and this run for "
                f"{', '.join(sorted(wanted))}",
                "Give the schedulers that it was written with, or resume=restart",
            )
        if self._checkpoint["schedulers"] != len(trainer.strategy.lr_scheduler_configs) and self.resume != "restart":
            raise SchedulerConfigError(
                "resume",
                self.resume,
                f"the checkpoint has the state of {self._checkpoint['schedulers']} schedulers, and this run has "
                f"{len(trainer.strategy.lr_scheduler_configs)}",
                "Give the schedulers that it was written with, or resume=restart",
            )
        for driven in self._driven:
            old = saved.get(f"{driven.key}/{driven.plan.config.param}")
            if old is None:
                driven.scheduler._cf_ignore_state = True
                continue
            if not isinstance(old, dict) or not {"asked", "active", "ticks", "updates", "values"} <= set(old):
                raise SchedulerConfigError(
                    "checkpoint", old, "this state of a schedule is damaged", "Resume from another checkpoint"
                )
            changes = differences(old["asked"], driven.asked)
            if changes and self.resume == "strict":
                raise SchedulerConfigError(
                    "resume",
                    "strict",
                    "the checkpoint was written with another schedule: " + "; ".join(changes),
                    "Choose resume=keep (the old schedule, then its last value), stretch (the old one over the new "
                    "length) or restart (the new one from its beginning)",
                )
            if changes and self.resume == "restart":
                driven.scheduler._cf_ignore_state = True
            elif changes or old["active"] != old["asked"]:
                # Also where nothing has changed since: a requeued job goes on with what it had.
                self._rebuild(trainer, driven, old, bool(changes))
            else:
                driven.load(old)

    def _resume_foreign(self) -> None:
        """A checkpoint without state of ours."""
        if self.resume == "strict":
            raise SchedulerConfigError(
                "resume",
                "strict",
                f"the checkpoint (step {self._checkpoint['global_step']}) was written without LRSchedulerCallback, so that "
                "it does not say where the schedule was",
                "Choose resume=keep (this schedule, from the checkpoint's step) or resume=restart (from its beginning)",
            )

    def _rebuild(self, trainer: Any, driven: _Driven, old: dict[str, Any], differs: bool) -> None:
        """Go on with the schedule of the checkpoint in place of the one that was asked for."""
        active = old["active"]
        asked_for = driven.plan.config.to_dict()
        config = {
            k: asked_for.get(k)
            if isinstance(v, str) and v.startswith("<") and plain_function(asked_for.get(k)) == v
            else v
            for k, v in active["config"].items()
        }
        plan = resolve({**config, "verbose": driven.plan.config.verbose}, read_horizon(active["horizon"]))
        configs = trainer.strategy.lr_scheduler_configs
        position = next(i for i, c in enumerate(configs) if c.scheduler is driven.scheduler)
        for group, base in zip(driven.scheduler.optimizer.param_groups, active["base"], strict=False):
            for key in ("max_lr", "min_lr"):
                group.pop(key, None)
            _set_rate(group, base)
        new_steps, now = driven.plan.steps, old["ticks"] // plan.frequency
        driven.plan, driven.scheduler = plan, build_plan(plan, driven.optimizer, self._printer(trainer))
        configs[position] = _lightning_config(trainer, plan, driven.scheduler)
        driven.active = active
        driven.load(old)
        if differs:
            driven.scheduler._cf_after_load = self._after_load(plan.steps, new_steps, now)

    def _after_load(self, old_steps: int | None, new_steps: int | None, now: int) -> dict[str, Any] | None:
        """What to change about the restored schedule: hold its last value, or stretch its clock."""
        if old_steps is None:
            return None
        if self.resume == "stretch" and new_steps is not None and new_steps > now:
            return {"end": old_steps, "over": new_steps}
        return {"end": old_steps, "over": None}

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Finish resuming, check against the whole run, and say what will happen."""
        if trainer.strategy.restore_checkpoint_after_setup and trainer.ckpt_path and self._driven:
            self._resume_late(trainer)
        whole = full_horizon(trainer, self.total_steps, len(trainer.optimizers)) if self._driven else None
        for driven in self._driven:
            scheduler = driven.scheduler
            if not self._resuming:
                self._check_whole_run(trainer, driven, whole)
            elif scheduler._cf_ignore_state and self.resume == "restart":
                self._restart(trainer, driven)
            elif scheduler._cf_ignore_state:
                self._continue_foreign(trainer, driven)
            elif scheduler._cf_after_load:
                scheduler.change_run(**scheduler._cf_after_load)
            scheduler._cf_after_load, scheduler._cf_ignore_state = None, False
        for driven in self._driven:
            if not self._resuming and whole is not None:
                # What was not needed to build the schedule is needed to compare runs.
                driven.asked["horizon"] = driven.active["horizon"] = horizon_data(whole)
            if trainer.is_global_zero:
                self._printer(trainer)(self._banner(trainer, driven, whole))
        self._saved = None

    def _resume_late(self, trainer: Any) -> None:
        """A strategy that restores after the set-up has loaded its state only now."""
        self._resuming = True
        if self._saved is None:
            self._resume_foreign()
            return
        for driven in self._driven:
            old = self._saved["schedules"].get(f"{driven.key}/{driven.plan.config.param}")
            changes = ["other optimizers or parameters"] if old is None else differences(old["asked"], driven.asked)
            if not changes:
                driven.load(old)
            elif self.resume == "restart":
                driven.scheduler._cf_ignore_state = True
            else:
                raise SchedulerConfigError(
                    "resume",
                    self.resume,
                    "the checkpoint was written with another schedule: " + "; ".join(changes),
                    f"With {type(trainer.strategy).__name__}, choose resume=restart (the new one from its beginning)",
                )

    def _continue_foreign(self, trainer: Any, driven: _Driven) -> None:
        done = trainer.global_step if driven.plan.interval == "step" else trainer.current_epoch
        driven.scheduler._cf_ignore_state = False
        driven.scheduler.load_state_dict(dict(driven.fresh or {}))
        driven.ticks = driven.updates = int(done)
        driven.scheduler.jump(driven.ticks // driven.plan.frequency)
        if driven.plan.interval == "epoch":
            self._ticked_epoch = trainer.current_epoch - 1

    def _restart(self, trainer: Any, driven: _Driven) -> None:
        for group, base in zip(driven.scheduler.optimizer.param_groups, driven.asked["base"], strict=False):
            _set_rate(group, base)
        driven.scheduler._cf_ignore_state = False
        driven.scheduler.load_state_dict(dict(driven.fresh or {}))
        driven.ticks = driven.updates = driven.values = 0

    @staticmethod
    def _check_whole_run(trainer: Any, driven: _Driven, horizon: Horizon | None) -> None:
        """Absolute lengths were resolved without the run's size; now it is known."""
        if horizon is None or getattr(trainer, "fast_dev_run", False):
            return
        if driven.plan.config.interval == "auto" and horizon.total_epochs is None and driven.plan.interval == "epoch":
            return
        resolve(driven.plan.config, horizon)

    def _banner(self, trainer: Any, driven: _Driven, horizon: Horizon | None) -> str:
        plan, scheduler = driven.plan, driven.scheduler
        parts = [plan.config.name, f"interval={plan.interval}"]
        if plan.frequency > 1:
            parts[-1] += f" frequency={plan.frequency}"
        if horizon is None:
            parts.append("open end")
        elif horizon.epochs is not None and isinstance(horizon.steps_per_epoch, int):
            parts.append(f"{horizon.epochs} epochs x {horizon.steps_per_epoch} steps")
        elif horizon.total_steps is not None:
            parts.append(f"{horizon.total_steps} steps")
        else:
            parts.append(f"{horizon.epochs} epochs")
        rates = rates_in(scheduler.optimizer)
        text = f"{plan.config.param} {rates[0]:.4g}"
        if plan.config.metric_driven:
            text += f", reduced on {driven.monitor}"
        elif horizon is not None:
            last = self._last_step(driven, horizon)
            if last is not None:
                text += f" -> {scheduler.rates_at(last)[0]:.4g}"
        if len(rates) > 1:
            text += f" (group 0 of {len(rates)})"
        parts.append(text)
        if driven.key != str(driven.number):
            parts.insert(0, driven.key)
        if self._resuming:
            parts.append(f"resumed at {plan.interval} {driven.ticks}")
        if trainer.world_size > 1:
            parts.append(f"{trainer.world_size} processes")
        return " | ".join(parts)

    @staticmethod
    def _last_step(driven: _Driven, horizon: Horizon) -> int | None:
        total = horizon.total_epochs if driven.plan.interval == "epoch" else horizon.total_steps
        return None if total is None else max(math.ceil(total / driven.plan.frequency) - 1, 0)

    # ------------------------------------------------------------------------------------ the clock

    def _on_update(self, number: int, optimizer: Any) -> None:
        """An optimizer has made a step: an update, unless the gradient scaler found infinities."""
        found = getattr(optimizer, "found_inf", None)  # a fused optimizer is called all the same, and skips itself
        skipped = found is not None and bool(found)
        for driven in self._driven:
            if driven.number != number:
                continue
            if skipped:
                driven.skipped += 1
                continue
            driven.updates += 1
            if driven.scheduler.decaying:
                driven.scheduler.advance_decay()
            elif driven.plan.interval == "step":
                driven.tick()

    def _module_stepped(self, scheduler: Any) -> bool:
        """The module called ``step()`` itself; returns whether that call should move the schedule.

        From now on the module drives this schedule. Its first call only takes over what was stepped for it.
        """
        for driven in self._driven:
            if driven.scheduler is scheduler:
                first = not driven.module_steps
                driven.module_steps = True
                if first and driven.ticks:
                    scheduler.jump(1)
                    return False
        return True

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Log the rates that this batch is trained with."""
        if self.log and trainer._logger_connector.should_update_logs:
            values = self._held(trainer, pl_module)
            step = trainer.fit_loop.epoch_loop._batches_that_stepped
            for logger in trainer.loggers if trainer.is_global_zero else ():
                logger.log_metrics(values, step=step)
        if self.progress_bar:
            for name, value in self._held(trainer, pl_module).items():
                if name.startswith("lr/"):
                    shown = "lr" if name.endswith("/0") and len(trainer.optimizers) == 1 else name
                    pl_module.log(shown, value, prog_bar=True, logger=False, rank_zero_only=True)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """End the epoch of the schedules that advance by epochs, take metrics of the step, watch for the file."""
        loop = trainer.fit_loop.epoch_loop
        if loop._num_ready_batches_reached():
            self._epoch_ended(trainer)
        for driven in self._driven:
            if driven.monitor is not None and logged_on_step(loop._results, driven.monitor):
                self._new_value(trainer, driven)
        if self.decay_file is not None:
            self._watch_file(trainer, batch_idx)
        if self._decay is not None:
            self._start_decay(trainer)

    def _epoch_ended(self, trainer: Any) -> None:
        epoch = trainer.current_epoch
        if epoch <= self._ticked_epoch:
            return
        self._ticked_epoch = epoch
        for driven in self._driven:
            if driven.plan.interval == "epoch" and not driven.scheduler.decaying:
                driven.tick()

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """End the epoch where its last batch was skipped; take metrics of the epoch."""
        loop = trainer.fit_loop.epoch_loop
        # A run that stops within an epoch may go on with it from a checkpoint.
        within = trainer.should_stop or 0 < trainer.max_steps <= trainer.global_step
        if loop._num_ready_batches_reached() or not within:
            self._epoch_ended(trainer)
        names = logged_names(loop._results)
        for driven in self._driven:
            monitor = driven.monitor
            if monitor is None:
                continue
            if monitor in names and not logged_on_step(loop._results, monitor):
                self._new_value(trainer, driven)
            elif monitor not in self._validation_names(trainer) and monitor not in names:
                self._awaited.add(monitor)  # the module may log it in a hook that comes after this one
        self._trainer = weakref.ref(trainer)

    def _take_awaited(self) -> None:
        """Metrics that were logged at the very end of the epoch."""
        if not self._awaited:
            return
        trainer = self._trainer()
        for driven in self._driven:
            if driven.monitor in self._awaited and trainer is not None and driven.monitor in trainer.callback_metrics:
                self._awaited.discard(driven.monitor)
                self._new_value(trainer, driven)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Refuse a monitor that a whole epoch has not logged."""
        self._take_awaited()
        for monitor in self._awaited - self._seen_monitor:
            if self._validated or not trainer.enable_validation:
                raise self._unknown_monitor(monitor, set(trainer.callback_metrics))
        self._awaited.clear()

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Take what was logged last."""
        self._take_awaited()
        for monitor in self._awaited - self._seen_monitor:
            if self._validated or not trainer.enable_validation:
                raise self._unknown_monitor(monitor, set(trainer.callback_metrics))

    # ------------------------------------------------------------------------------------ metrics

    @staticmethod
    def _validation_names(trainer: Any) -> set[str]:
        return logged_names(trainer.fit_loop.epoch_loop.val_loop._results)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Give each new value of a monitored metric to its schedule, once."""
        if not self._driven or trainer.state.fn != "fit":
            return
        names = self._validation_names(trainer)
        for driven in self._driven:
            monitor = driven.monitor
            if monitor is None:
                continue
            if monitor not in names:
                self._check_misspelt(trainer, monitor, names)
            elif not trainer.sanity_checking:
                self._new_value(trainer, driven)
        if not trainer.sanity_checking:
            self._validated = True

    def _check_misspelt(self, trainer: Any, monitor: str, names: set[str]) -> None:
        if monitor in self._seen_monitor or not names:
            return
        training = set() if trainer.sanity_checking else logged_names(trainer.fit_loop.epoch_loop._results)
        if monitor in training or monitor.startswith("train"):
            return
        bare = {name.lower().replace("/", "").replace("_", ""): name for name in names}
        close = difflib.get_close_matches(monitor.lower().replace("/", "").replace("_", ""), bare, n=1, cutoff=0.8)
        if close or monitor.startswith(("val", "dev", "test")):
            raise self._unknown_monitor(monitor, names | training)

    @staticmethod
    def _unknown_monitor(monitor: str, names: set[str]) -> SchedulerConfigError:
        return SchedulerConfigError(
            "monitor",
            monitor,
            "no metric of this name was logged",
            f"{nearest(monitor, names)}Logged: {', '.join(sorted(names)) or 'nothing'}",
        )

    def _new_value(self, trainer: Any, driven: _Driven) -> None:
        monitor = driven.monitor
        assert monitor is not None
        value = trainer.callback_metrics.get(monitor)
        if value is None:
            return
        self._seen_monitor.add(monitor)
        value = torch.as_tensor(value, dtype=torch.float64)
        if trainer.world_size > 1:
            # Every process must decide alike, whether or not the module synchronised the metric.
            value = trainer.strategy.reduce(
                value.to(device=trainer.strategy.root_device, dtype=torch.float32), reduce_op="mean"
            )
        driven.react(float(value))

    # ------------------------------------------------------------------------------------ logging

    def _held(self, trainer: Any, module: Any) -> dict[str, float]:
        """What every optimizer really holds, by name."""
        count = sum(len(optimizer.param_groups) for optimizer in trainer.optimizers)
        if self._logged is None or self._logged_count != count:
            self._logged, self._logged_count = self._names(trainer), count
        groups = [optimizer.param_groups for optimizer in trainer.optimizers]
        values = {}
        for name, (number, i), key, index in self._logged:
            value = groups[number][i][key]
            values[name] = float(value if index is None else value[index])
        return values

    def _names(self, trainer: Any) -> list[tuple[str, Any, str, int | None]]:
        names = []
        classes = [type(optimizer).__name__ for optimizer in trainer.optimizers]
        keys = {d.number: d.key for d in self._driven if d.key != str(d.number)}
        for number, optimizer in enumerate(trainer.optimizers):
            label = classes[number]
            if number in keys:
                label = keys[number]
            elif classes.count(label) > 1:
                label = f"{label}-{number}"
            params = ["lr", *(d.plan.config.param for d in self._driven if d.number == number)]
            for param in dict.fromkeys(params):
                key, _, index = param.partition(".")
                for i, group in enumerate(optimizer.param_groups):
                    names.append(
                        (f"{param}/{label}/{group.get('name', i)}", (number, i), key, int(index) if index else None)
                    )
        return names

    def _report_skipped(self, trainer: Any) -> None:
        for driven in self._driven:
            if driven.skipped:
                self._printer(trainer)(
                    f"{driven.plan.config.name}: {driven.skipped} updates were skipped by the gradient scaler, and did not "
                    "advance the schedule"
                )

    # ------------------------------------------------------------------------------------ early ending

    def decay_now(self, over: Any = "5%", shape: str = "linear") -> None:
        """End early: bring every rate down to its end value, from wherever it is.

        The end value is what the schedule would have at the run's last step, or 0 where it would not fall below the
        present rate. It begins after the present batch and is saved with checkpoints.

        Args:
            over: a length; a share is one of the whole run.
            shape: ``linear``, ``cosine`` or ``one_minus_sqrt``.
        """
        if shape not in curves.DECAY_SHAPES:
            raise SchedulerConfigError(
                "shape",
                shape,
                f"this is one of {', '.join(curves.DECAY_SHAPES)}",
                nearest(shape, curves.DECAY_SHAPES) or "Write linear",
            )
        from lr_configs.horizon import Length

        Length.parse(over, "over")
        self._decay = over, shape

    def _start_decay(self, trainer: Any) -> None:
        assert self._decay is not None
        (over, shape), self._decay = self._decay, None
        horizon = full_horizon(trainer, self.total_steps, len(trainer.optimizers))
        clock = Clock("step", 1, horizon)
        for driven in self._driven:
            if driven.scheduler.decaying or driven.plan.config.param != "lr":
                continue
            done = driven.updates
            try:
                steps = clock.steps(over, "over", min(done, clock.total or done), clock.total)
            except SchedulerConfigError as error:
                self._printer(trainer)(f"no early ending: {error}")  # a run is not lost over it
                return
            scheduler = driven.scheduler
            rates = rates_in(scheduler.optimizer)
            last = None if horizon is None or driven.monitor else self._last_step(driven, horizon)
            ends = [0.0] * len(rates) if last is None else scheduler.rates_at(last)
            ends = [end if end < rate else 0.0 for end, rate in zip(ends, rates, strict=False)]
            scheduler.begin_decay(steps, shape, ends)
            scheduler.advance_decay()  # the next update is the first of them
            self._printer(trainer)(
                f"{driven.plan.config.name}: ending early | {steps} steps, {shape} | "
                f"{driven.plan.config.param} {rates[0]:.4g} -> {ends[0]:.4g}"
            )

    def _watch_file(self, trainer: Any, batch_idx: int) -> None:
        assert self.decay_file is not None
        if self._file_seen or (trainer.world_size > 1 and batch_idx % 20):
            return
        found = None
        if trainer.is_global_zero and self.decay_file.exists():
            found = self.decay_file.read_text().split()
        if trainer.world_size > 1:
            found = trainer.strategy.broadcast(found)
        if found is not None:
            self._file_seen = True
            self.decay_now(*found[:2])

    def __getstate__(self) -> dict[str, Any]:
        # Spawned processes get the callback before it has attached anything.
        return {**self.__dict__, "_hooks": [], "_driven": [], "_trainer": None}


def _set_rate(group: Any, rate: float) -> None:
    """Make `rate` the group's own, as if training began."""
    group["initial_lr"] = rate
    write_rate(group, rate)


class _Undo:
    """Takes the wrapper off a compiled step again, with the interface of torch's hook handles."""

    def __init__(self, optimizer: Any, step: Any) -> None:
        self.optimizer, self.step = optimizer, step

    def remove(self) -> None:
        self.optimizer.step = self.step


def _compiled(optimizer: Any) -> bool:
    step: Any = vars(optimizer).get("step")
    while step is not None:
        if hasattr(step, "_torchdynamo_orig_callable"):
            return True
        step = getattr(step, "__wrapped__", None)
    return False


def _make_rates_tensors(optimizer: Any) -> None:
    """Float rates become tensors, where the optimizer takes them."""
    adam = isinstance(optimizer, (torch.optim.Adam, torch.optim.AdamW))
    for group in optimizer.param_groups:
        if isinstance(group["lr"], torch.Tensor) or (adam and group.get("foreach") and not group.get("capturable")):
            continue
        device = group["params"][0].device if group.get("capturable") or group.get("fused") else "cpu"
        group["lr"] = torch.tensor(float(group["lr"]), dtype=torch.float32, device=device)


def _lightning_config(trainer: Any, plan: Plan, scheduler: Any) -> Any:
    """Lightning's record of a scheduler: it saves, restores and shows it, and leaves stepping to us."""
    package = "lightning.pytorch" if type(trainer).__module__.startswith("lightning.") else "pytorch_lightning"
    record = importlib.import_module(f"{package}.utilities.types").LRSchedulerConfig
    param = plan.config.param
    return record(
        scheduler=scheduler,
        name=None if param == "lr" else param,
        interval=plan.interval,
        frequency=Frequency(plan.frequency),
        reduce_on_plateau=plan.config.metric_driven,
        monitor=plan.config.monitor,
        strict=True,
    )


def lightning(scheduler: Any, optimizer: Optimizer, trainer: Any) -> dict[str, Any]:
    """What ``configure_optimizers`` returns for one optimizer and its schedule.

    The run's length comes from the trainer, and a callback that drives the schedule joins it, so that everything
    holds that :class:`LRSchedulerCallback` does. An ``LRSchedulerCallback`` without a scheduler among the trainer's
    callbacks, with a `resume` policy or logging of the user's choice, does that instead.

    Args:
        scheduler: a composed node, a dict, a config object, or the name of a schedule.
        optimizer: the optimizer.
        trainer: the module's trainer (``self.trainer``).

    Returns:
        ``{"optimizer": ..., "lr_scheduler": {...}}``.

    Raises:
        SchedulerConfigError: naming key, value, rule and remedy.
    """
    config = parse(scheduler)
    check_monitor(config)
    view = optimizer if config.param == "lr" else views.ParamView(optimizer, config.param)
    check_optimizer(config, view)
    plan, horizon = resolve_for(trainer, config)
    asked = fingerprint(plan, horizon, view, trainer)
    built: Any = build_plan(plan, optimizer)
    built._cf_ticket = (plan, asked)
    if not any(isinstance(callback, LRSchedulerCallback) for callback in trainer.callbacks):
        trainer.callbacks.insert(0, LRSchedulerCallback())
    record: dict[str, Any] = {
        "scheduler": built,
        "interval": plan.interval,
        "frequency": Frequency(plan.frequency),
        "reduce_on_plateau": config.metric_driven,
    }
    if config.metric_driven:
        record["monitor"] = config.monitor
    return {"optimizer": optimizer, "lr_scheduler": record}
