"""Config + optimizer + horizon -> scheduler. torch is imported when something is built."""

from __future__ import annotations

import importlib
import math
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lr_configs import configs
from lr_configs.errors import SchedulerConfigError, nearest
from lr_configs.horizon import Horizon
from lr_configs.plan import Plan, check_floor, resolve
from lr_configs.registry import parse, plain

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler


def check_monitor(config: configs.SchedulerConfig) -> None:
    """Refuse a metric-driven schedule that does not say which metric."""
    if config.metric_driven and config.monitor is None:
        raise SchedulerConfigError(
            "monitor",
            None,
            f"{config.name} follows a logged metric, and monitor names it",
            "Write monitor=val_loss, the name under which the module logs it",
        )


def scheduler(optimizer: Any = None, /, **node: Any) -> Any:
    """What ``_target_`` of every composed node names: a config object, or a scheduler where there is an optimizer.

    Args:
        optimizer: builds the scheduler on it (positional, or as ``optimizer=``).
        **node: the keys of the schedule; ``horizon`` may be among them.

    Returns:
        The validated config object, callable as ``spec(optimizer, horizon=None)``; with an optimizer, the
        scheduler.

    Raises:
        SchedulerConfigError: naming key, value, rule and remedy.

    >>> scheduler(name="step", step_size=30, gamma=0.5).gamma
    0.5
    """
    optimizer = node.pop("optimizer", optimizer)
    horizon = node.pop("horizon", None)
    if type(horizon).__module__.startswith("omegaconf"):  # Hydra turns dataclass arguments into nodes
        horizon = Horizon(**plain(horizon))
    config = parse(node)
    check_monitor(config)
    if optimizer is not None:
        return build(config, optimizer, horizon)
    # The object can be called, and Hydra 1.4 asks it for its name: it is the one that apps list, not that of its class.
    vars(config).update(__module__="lr_configs", __qualname__="scheduler")
    return config


def build(scheduler: Any, optimizer: Optimizer, horizon: Horizon | None = None) -> LRScheduler:
    """Build a schedule on an optimizer.

    Args:
        scheduler: a composed node, a dict, a config object, or the name of a schedule.
        optimizer: the optimizer whose rates it drives.
        horizon: the run's size; needed as soon as a length is a share of the run.

    Returns:
        An instance of the torch class of that name; its first rates are written.

    Raises:
        SchedulerConfigError: naming key, value, rule and remedy.

    >>> import torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    >>> schedule = build({"name": "cosine", "T_max": 100, "eta_min": 0.001}, optimizer)
    >>> isinstance(schedule, torch.optim.lr_scheduler.CosineAnnealingLR)
    True
    """
    return build_plan(resolve(scheduler, horizon), optimizer)


def build_plan(plan: Plan, optimizer: Optimizer, printer: Callable[[str], None] | None = None) -> LRScheduler:
    """Build a resolved schedule; `printer` takes the lines of `verbose`."""
    from torch.optim import Optimizer as TorchOptimizer

    config = plan.config
    check_monitor(config)
    if not isinstance(optimizer, TorchOptimizer):
        raise SchedulerConfigError(
            "optimizer", type(optimizer).__name__, "a schedule drives a torch optimizer", "Pass the optimizer itself"
        )
    if config.param != "lr":
        from lr_configs.views import ParamView

        optimizer = ParamView(optimizer, config.param)
    _check_rates(optimizer)
    check_optimizer(config, optimizer)  # before torch's constructors write into the groups
    for i, group in enumerate(optimizer.param_groups):
        initial = float(group.get("initial_lr", group["lr"]))
        if config.last_epoch < 0 and not math.isclose(float(group["lr"]), initial, rel_tol=1e-9):
            warnings.warn(
                f"parameter group {i} has lr {float(group['lr']):g}, and began with {initial:g}: another schedule is or "
                "was attached to this optimizer, and the two multiply. Build a new optimizer for a fresh start",
                UserWarning,
                stacklevel=3,
            )
            break
    step = vars(optimizer).get("step")
    if step is not None and not hasattr(step, "__func__") and not hasattr(step, "_wrapped_by_lr_sched"):
        # torch wants to wrap a bound method, and fails on the function that torch.compile returns.
        step._wrapped_by_lr_sched = True
        optimizer._opt_called = True  # type: ignore[attr-defined]
    scheduler: Any = _make(plan, optimizer, printer, ())
    return scheduler  # type: ignore[no-any-return]


def _check_rates(optimizer: Any) -> None:
    for i, group in enumerate(optimizer.param_groups):
        rate = float(group["lr"])
        if not math.isfinite(rate) or rate < 0:
            raise SchedulerConfigError(
                f"optimizer.param_groups.{i}.lr", rate, "a rate is finite and not negative", "Write lr=0.1"
            )


def _make(plan: Plan, optimizer: Any, printer: Any, path: tuple[str, ...]) -> Any:
    """One scheduler of the tree; stages are built on a proxy, so that only the outermost one writes."""
    from lr_configs.closed_form import proxy

    module, _, name = plan.entry.cls.rpartition(".")
    cls = getattr(importlib.import_module(module), name)
    member = bool(path)
    target = proxy(optimizer) if member else optimizer
    new = cls.__new__(cls)
    new._cf_configured = True
    new._cf_member = member
    if plan.envelope:
        new._cf_envelope = plan.envelope
    if plan.config.verbose and not member:
        new._cf_verbose = plan.interval.capitalize()
        new._cf_every = plan.frequency
        new._cf_print = printer
    if plan.stages:
        stages = [_make(stage, target, printer, (*path, plan.key or plan.entry.name)) for _, stage in plan.stages]
        for stage in stages:
            stage.optimizer = target
        arguments: dict[str, Any] = {"schedulers": stages}
        if plan.entry.name == "sequential":
            arguments["milestones"] = [start for start, _ in plan.stages[1:]]
    else:
        arguments = _arguments(plan, target)
    if not member and plan.entry.name not in ("chained", "reduce_on_plateau"):
        arguments["last_epoch"] = plan.config.last_epoch
    try:
        new.__init__(target, **arguments) if plan.entry.name != "chained" else new.__init__(
            optimizer=target, **arguments
        )
    except SchedulerConfigError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise _translated(error, plan) from error
    if member:
        _adopt(new, optimizer)
    return new


def _adopt(stage: Any, optimizer: Any) -> None:
    """Point a stage, and what is inside it, at the real optimizer."""
    stage.optimizer = optimizer
    for inner in getattr(stage, "_schedulers", ()):
        _adopt(inner, optimizer)


def _translated(error: Exception, plan: Plan) -> SchedulerConfigError:
    prefix = f"{plan.key}." if plan.key else ""
    text = str(error.args[0]).splitlines()[0] if error.args else str(error)
    if "initial_lr" in text:
        return SchedulerConfigError(
            f"{prefix}last_epoch",
            plan.config.last_epoch,
            "resuming by hand needs the optimizer's own state, with initial_lr in its groups",
            "Load the optimizer's state first, or write last_epoch=-1",
        )
    return SchedulerConfigError(f"{prefix}name", plan.entry.name, text, "See the schedule's documentation")


def _arguments(plan: Plan, optimizer: Any) -> dict[str, Any]:
    """Torch's constructor arguments: lengths are integers already, per-group values become lists."""
    return {**plan.params, **_group_values(plan.config, optimizer, plan.key)}


def check_optimizer(config: configs.SchedulerConfig, optimizer: Any, key: str = "") -> None:
    """Refuse what does not fit the optimizer, before the size of the run is known.

    Raises:
        SchedulerConfigError: a lowest rate above the group's own, bounds in the wrong order, values for groups
            that are not there.
    """
    _group_values(config, optimizer, key)
    if getattr(config, "cycle_momentum", False) and not {"momentum", "betas"} & set(optimizer.defaults):
        raise _no_momentum(key)
    for name, child in config.children():
        check_optimizer(child, optimizer, f"{key}.{name}" if key else name)


def _no_momentum(key: str) -> SchedulerConfigError:
    return SchedulerConfigError(
        f"{key}.cycle_momentum" if key else "cycle_momentum",
        True,
        "this optimizer has neither momentum nor beta1",
        "Write cycle_momentum=false",
    )


def _group_values(config: configs.SchedulerConfig, optimizer: Any, key: str) -> dict[str, Any]:
    groups = optimizer.param_groups
    prefix = f"{key}." if key else ""
    bases = [float(group.get("initial_lr", group["lr"])) for group in groups]
    values: dict[str, Any] = {}
    for name, item in config.__dataclass_fields__.items():
        if item.metadata.get("per_group"):
            values[name] = _per_group(getattr(config, name), groups, item.default, prefix + name)
    if "eta_min" in values:
        for floor, base in zip(_filled(values["eta_min"], bases), bases, strict=True):
            check_floor(prefix + "eta_min", floor, base)
    if "max_lr" in values:
        peaks = values["max_lr"] = _filled(values["max_lr"], bases)
        if "base_lr" in values:
            values["base_lr"] = _filled(values["base_lr"], [peak / 10 for peak in peaks])
            for low, high in zip(values["base_lr"], peaks, strict=True):
                try:
                    configs.check_bounds(low, high)
                except SchedulerConfigError as error:
                    raise (error.within(key) if key else error) from None
    functions = getattr(config, "lr_lambda", None)
    if isinstance(functions, list) and len(functions) != len(groups):
        raise SchedulerConfigError(
            f"{prefix}lr_lambda",
            functions,
            f"there are {len(functions)} formulas for {len(groups)} parameter groups",
            "Write one formula, or one for each group",
        )
    return values


def _filled(value: Any, defaults: list[float]) -> list[float]:
    values = value if isinstance(value, list) else [value] * len(defaults)
    return [default if v is None else float(v) for v, default in zip(values, defaults, strict=True)]


def _per_group(value: Any, groups: list[dict[str, Any]], default: Any, key: str) -> Any:
    """A list with one value per group, or the number that all of them share."""
    if isinstance(value, list):
        if len(value) != len(groups):
            raise SchedulerConfigError(
                key,
                value,
                f"there are {len(value)} values for {len(groups)} parameter groups",
                "Write one number, or one for each group",
            )
        return value
    if not isinstance(value, dict):
        return value
    names = {str(i): i for i in range(len(groups))}
    names.update({str(group["name"]): i for i, group in enumerate(groups) if "name" in group})
    values = [default] * len(groups)
    for name, one in value.items():
        if name not in names:
            raise SchedulerConfigError(
                f"{key}.{name}",
                one,
                "there is no such parameter group",
                f"{nearest(name, names)}Known: {', '.join(names)}",
            )
        values[names[name]] = one
    return values
