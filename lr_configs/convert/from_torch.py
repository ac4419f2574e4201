"""Schedulers of torch: instances, and classes with their arguments. The only module that reads their private attributes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from lr_configs.convert.result import Converted
from lr_configs.convert.result import converted as made
from lr_configs.errors import SchedulerConfigError
from lr_configs.registry import by_torch_name

Node = dict[str, Any]
NOTE = "torch's step is whatever calls step(): interval auto counts epochs; write interval=step where every batch does"


def _copied(*keys: str) -> Callable[[Any], Node]:
    """A reader of attributes that have the names of our keys."""
    return lambda scheduler: {key: _plain(getattr(scheduler, key)) for key in keys}


def _plain(value: Any) -> Any:
    return float(value) if hasattr(value, "numel") else value


def _multi_step(scheduler: Any) -> Node:
    marks = sorted(scheduler.milestones.elements())
    if len(set(marks)) < len(marks):
        raise SchedulerConfigError(
            "milestones", marks, "a milestone that is given twice counts twice in torch, and ours rise", "Merge them"
        )
    return {"milestones": marks, "gamma": scheduler.gamma}


def _cyclic(scheduler: Any) -> Node:
    up = round(scheduler.total_size * scheduler.step_ratio)
    node = {
        "base_lr": [float(one) for one in scheduler.base_lrs],
        "max_lr": [float(one) for one in scheduler.max_lrs],
        "step_size_up": up,
        "step_size_down": round(scheduler.total_size) - up,
        "mode": scheduler.mode if scheduler.mode in ("triangular", "triangular2", "exp_range") else "triangular",
        "gamma": scheduler.gamma,
        "cycle_momentum": scheduler.cycle_momentum,
    }
    custom = scheduler._scale_fn_custom
    if custom is not None:
        node |= {"scale_fn": custom, "scale_mode": scheduler.scale_mode}
    if scheduler.cycle_momentum:
        node |= {"base_momentum": scheduler.base_momentums, "max_momentum": scheduler.max_momentums}
    return node


def _one_cycle(scheduler: Any) -> Node:
    groups, phases = scheduler.optimizer.param_groups, scheduler._schedule_phases
    first = groups[0]
    node = {
        "max_lr": [float(group["max_lr"]) for group in groups],
        "total_steps": scheduler.total_steps,
        "pct_start": (phases[0]["end_step"] + 1) / scheduler.total_steps,
        "anneal_strategy": scheduler._anneal_func_type,
        "div_factor": float(first["max_lr"]) / float(first["initial_lr"]),
        "final_div_factor": float(first["initial_lr"]) / float(first["min_lr"]),
        "three_phase": len(phases) == 3,
        "cycle_momentum": scheduler.cycle_momentum,
    }
    if scheduler.cycle_momentum:
        node |= {f"{key}_momentum": [float(group[f"{key}_momentum"]) for group in groups] for key in ("base", "max")}
    return node


def _plateau(scheduler: Any) -> Node:
    keys = ("mode", "factor", "patience", "threshold", "threshold_mode", "cooldown", "eps")
    lows = [float(low) for low in scheduler.min_lrs]
    return {**_copied(*keys)(scheduler), "min_lr": lows[0] if len(set(lows)) == 1 else lows}


def _functions(scheduler: Any) -> Node:
    functions = list(scheduler.lr_lambdas)
    single = all(one is functions[0] for one in functions)
    return {"lr_lambda": functions[0] if single else functions}


def _chained(scheduler: Any) -> Node:
    return {"stages": [_stage(one) for one in scheduler._schedulers]}


def _sequential(scheduler: Any) -> Node:
    marks = [0, *scheduler._milestones]
    stages = [_stage(one) for one in scheduler._schedulers]
    for stage, (begin, end) in zip(stages, itertools.pairwise(marks), strict=False):
        stage["length"] = end - begin
    return {"stages": stages}


def _stage(scheduler: Any) -> Node:
    return {key: value for key, value in _node(scheduler).items() if key != "interval"}


READERS: dict[str, Callable[[Any], Node]] = {
    "LambdaLR": _functions,
    "MultiplicativeLR": _functions,
    "StepLR": _copied("step_size", "gamma"),
    "MultiStepLR": _multi_step,
    "ConstantLR": _copied("factor", "total_iters"),
    "LinearLR": _copied("start_factor", "end_factor", "total_iters"),
    "ExponentialLR": _copied("gamma"),
    "PolynomialLR": _copied("total_iters", "power"),
    "CosineAnnealingLR": _copied("T_max", "eta_min"),
    "CosineAnnealingWarmRestarts": _copied("T_0", "T_mult", "eta_min"),
    "CyclicLR": _cyclic,
    "OneCycleLR": _one_cycle,
    "ReduceLROnPlateau": _plateau,
    "SequentialLR": _sequential,
    "ChainedScheduler": _chained,
}


def _node(scheduler: Any) -> Node:
    for cls in type(scheduler).__mro__:
        config = by_torch_name(cls.__name__) if cls.__name__ in READERS else None
        if config is not None and cls.__module__ in ("torch.optim.lr_scheduler", "lr_configs.torch_classes.single"):
            return {"name": config.__dataclass_fields__["name"].default, **READERS[cls.__name__](scheduler)}
    raise SchedulerConfigError(
        "scheduler",
        type(scheduler).__name__,
        "this is no scheduler of torch's own",
        "Register its class: lr_configs.register('name', Class)",
    )


def _of_class(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Node:
    config = by_torch_name(name)
    if config is None or name not in READERS:
        raise SchedulerConfigError("scheduler", name, "torch has no such class", f"Known: {', '.join(READERS)}")
    own = config.__dataclass_fields__["name"].default
    if name in ("SequentialLR", "ChainedScheduler"):
        return {
            "name": own,
            **_composite(name, dict(zip(("schedulers", "milestones"), args, strict=False)) | dict(kwargs)),
        }
    keys = [key for key in config.__dataclass_fields__ if key not in ("_target_", "name")]
    given = {**dict(zip(keys, args, strict=False)), **kwargs}
    ignored = ("optimizer", "last_epoch", "verbose")
    return {"name": own, **_torch_defaults(name), **{k: v for k, v in given.items() if k not in ignored}}


def _torch_defaults(name: str) -> Node:
    """Where a default of torch is a number that ours is relative to the run."""
    defaults: dict[str, Node] = {"PolynomialLR": {"total_iters": 5}, "CyclicLR": {"step_size_up": 2000}}
    return defaults.get(name, {})


def _composite(name: str, given: Node) -> Node:
    stages = [_stage(one) for one in given.get("schedulers", ())]
    for stage, (begin, end) in zip(stages, itertools.pairwise([0, *given.get("milestones", ())]), strict=False):
        stage["length"] = end - begin
    return {"stages": stages}


def converted(scheduler: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Converted:
    """The schedule of a torch scheduler.

    Raises:
        SchedulerConfigError: see :func:`lr_configs.convert.torch`.
    """
    if isinstance(scheduler, (str, type)):
        name = scheduler if isinstance(scheduler, str) else scheduler.__name__
        return made(_of_class(name.rpartition(".")[2], args, kwargs), NOTE)
    return made(_node(scheduler), NOTE)
