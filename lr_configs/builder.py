"""Config + optimizer + horizon -> scheduler. torch is imported when something is built."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lr_configs.config import SchedulerConfig
from lr_configs.curve_tree import Curve
from lr_configs.errors import SchedulerConfigError
from lr_configs.group_values import values_per_group
from lr_configs.groups import check_base
from lr_configs.horizon import Horizon
from lr_configs.optimizer_keys import check_momentum
from lr_configs.plan import Plan, resolve
from lr_configs.registry import parse, plain

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler


def check_monitor(config: SchedulerConfig) -> None:
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
        horizon: the run's size; needed as soon as a length is a share of the run. While a Lightning module with an
            :class:`~lr_configs.LRSchedulerCallback` configures its optimizers, the run's own.

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
    from lr_configs.run import current

    run = current() if horizon is None else None
    plan = resolve(scheduler, horizon) if run is None else run.resolve(scheduler, optimizer=optimizer)
    return build_plan(plan, optimizer)


def build_plan(
    plan: Plan,
    optimizer: Optimizer,
    *,
    printer: Callable[[str], None] | None = None,
    bases: Sequence[float] | None = None,
) -> LRScheduler:
    """Build a resolved schedule.

    Args:
        plan: the resolved schedule.
        optimizer: the optimizer whose rates, or other hyper-parameters, it drives.
        printer: takes the lines of `verbose`.
        bases: the groups' own rates to begin from; None takes what they hold.

    Raises:
        SchedulerConfigError: where the schedule does not fit the optimizer.
    """
    from torch.optim import Optimizer as TorchOptimizer

    from lr_configs.torch_classes.order import allow_wrapped_step
    from lr_configs.torch_classes.proxy import ParamView
    from lr_configs.writer import type_of

    config = plan.config
    check_monitor(config)
    if not isinstance(optimizer, TorchOptimizer):
        raise SchedulerConfigError(
            "optimizer", type(optimizer).__name__, "a schedule drives a torch optimizer", "Pass the optimizer itself"
        )
    view: Any = optimizer if config.param == "lr" else ParamView(optimizer, config.param)
    if bases is not None:
        _begin_from(view, bases)
    _check_rates(view, config)
    check_optimizer(config, optimizer)  # before torch's constructors write into the groups
    allow_wrapped_step(optimizer)
    for group in view.param_groups if config.last_epoch < 0 else ():
        group.setdefault(
            "initial_lr", type_of(group["lr"], _own_rate(group))
        )  # before a cycle puts its lower bound there
    made: Any = _make(plan, view, view)
    check_curve(made.curve, plan)
    made.printer = printer
    if view is not optimizer:
        made.param, made.view, made.optimizer = config.param, view, optimizer
    return made  # type: ignore[no-any-return]


def _own_rate(group: Any) -> float:
    """A group's own rate: where one-cycle has replaced it by its first, the peak that torch keeps beside it."""
    lr = group.get("max_lr", group.get("initial_lr", group["lr"]))
    return float(lr)


def check_curve(curve: Curve, plan: Plan) -> None:
    """Refuse schedules whose product leaves the numbers within the run; single ones are checked by themselves.

    Raises:
        SchedulerConfigError: naming the first step that was found.
    """
    if not plan.stages:
        return
    steps = min(1000 if plan.steps is None else plan.steps, 1_000_000)
    points = {*range(min(steps, 1000)), *(steps * i // 1000 for i in range(1000)), steps - 1}
    breaks = [math.floor(one) + side for one in curve.breaks() for side in (-1, 0, 1)]
    for t in sorted({*points, *(one for one in breaks if 0 <= one < steps)}):
        for rate in curve.rates(t):
            if not math.isfinite(rate) or rate < 0:
                raise SchedulerConfigError(
                    "stages", [name for name, _ in plan.config.children()],
                    f"the rate is {rate} at step {t}, and a rate is finite and not negative", "Lower the factors",
                )  # fmt: skip


def _begin_from(optimizer: Any, bases: Sequence[float]) -> None:
    """Give the groups these rates, as if training began."""
    from lr_configs.slots import write_rate

    for group, base in zip(optimizer.param_groups, bases, strict=False):
        for key in ("max_lr", "min_lr"):
            if key in group:
                del group[key]
        group["initial_lr"] = float(base)
        write_rate(group, float(base))


def _check_rates(optimizer: Any, config: SchedulerConfig) -> None:
    for i, group in enumerate(optimizer.param_groups):
        rate = check_base(f"optimizer.param_groups.{i}.{config.param}", float(group["lr"]))
        initial = float(group.get("initial_lr", rate))
        if config.last_epoch < 0 and not math.isclose(rate, initial, rel_tol=1e-9):
            warnings.warn(
                f"parameter group {i} has {config.param} {rate:g}, and began with {initial:g}: another schedule is or "
                "was attached to this optimizer, and the two multiply. Build a new optimizer for a fresh start",
                UserWarning,
                stacklevel=4,
            )
            return


def _make(plan: Plan, optimizer: Any, outermost: Any) -> Any:
    """One scheduler of the tree; stages are built on a proxy, so that only the outermost one writes."""
    from lr_configs import schedulers
    from lr_configs.torch_classes.proxy import Proxy

    cls = getattr(schedulers, type(plan.config).torch_name)
    new = cls.__new__(cls)
    new.plan = plan
    arguments: dict[str, Any] = {} if plan.key else {"last_epoch": plan.config.last_epoch}
    if plan.stages:
        # A metric reduces what the outermost schedule writes.
        single = [stage.config.metric_driven and not stage.stages for _, stage in plan.stages]
        stages = [
            _make(stage, outermost if direct else Proxy(optimizer), outermost)
            for direct, (_, stage) in zip(single, plan.stages, strict=True)
        ]
        arguments |= {"schedulers": stages, "optimizer": optimizer}
        if plan.config.arrangement == "sequence":
            arguments["milestones"] = [start for start, _ in plan.stages[1:]]
    else:
        params = {**plan.params, **_values(plan, optimizer)}
        vars(new).update(plan.config.altered(params))  # torch's constructor has no such keys
        theirs = {key: value for key, value in params.items() if key not in plan.config.beyond_torch}
        arguments |= {**theirs, "optimizer": optimizer}
    try:
        new.__init__(**arguments)
    except SchedulerConfigError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise _translated(error, plan) from error
    return new


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
    return SchedulerConfigError(f"{prefix}name", plan.config.name, text, "See the schedule's documentation")


def _values(plan: Plan, optimizer: Any) -> dict[str, Any]:
    groups = optimizer.param_groups
    bases = [_own_rate(group) for group in groups]
    return values_per_group(plan.config, bases, [group.get("name") for group in groups], plan.key, plan.params)


def check_optimizer(config: SchedulerConfig, optimizer: Any, key: str = "") -> None:
    """Refuse what does not fit the optimizer, before the size of the run is known.

    Raises:
        SchedulerConfigError: a lowest rate above the group's own, bounds in the wrong order, values for groups
            that are not there, a hyper-parameter that the groups do not have.
    """
    from lr_configs.torch_classes.proxy import ParamView

    view = optimizer if config.param == "lr" else ParamView(optimizer, config.param)
    groups = view.param_groups
    bases = [check_base(f"optimizer.param_groups.{i}.{config.param}", _own_rate(g)) for i, g in enumerate(groups)]
    values_per_group(config, bases, [group.get("name") for group in groups], key)
    check_momentum(optimizer.defaults, getattr(config, "cycle_momentum", False), key)
    for name, child in config.children():
        check_optimizer(child, optimizer, f"{key}.{name}" if key else name)
