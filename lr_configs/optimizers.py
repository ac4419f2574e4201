"""What an optimizer tells, and what it was built with: updates made, groups as they were, rates as tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import torch
from torch import nn
from torch.optim import Optimizer

from lr_configs.config import SchedulerConfig
from lr_configs.errors import SchedulerConfigError, nearest
from lr_configs.optimizer_keys import MOMENTUM
from lr_configs.torch_classes.order import allow_wrapped_step

Group = dict[str, Any]


class Handle(Protocol):
    """What takes a hook off again."""

    def remove(self) -> None:
        """Take it off."""


# ---------------------------------------------------------------------------------------- updates


def skipped(optimizer: Any) -> bool:
    """Whether the step just made was none: a fused optimizer skips itself where the gradient scaler found infinities."""
    found = getattr(optimizer, "found_inf", None)
    return found is not None and bool(found)


def on_update(optimizer: Any, done: Callable[[Any], None]) -> Handle:
    """Call ``done(optimizer)`` after every step that the optimizer makes.

    Raises:
        SchedulerConfigError: for an optimizer that does not tell.
    """
    if is_compiled(optimizer) or _steps_within(type(optimizer)):
        return _Around(optimizer, done)
    if not hasattr(optimizer, "register_step_post_hook"):
        raise SchedulerConfigError(
            "scheduler",
            type(optimizer).__name__,
            "this optimizer does not tell when it has made an update",
            "Use an optimizer that derives from torch.optim.Optimizer",
        )

    def hook(optimizer: Any, args: Any, kwargs: Any) -> None:
        done(optimizer)

    handle: Handle = optimizer.register_step_post_hook(hook)
    return handle


def _steps_within(cls: type) -> bool:
    """Whether a step may call that of a class it extends, which torch tells of as well, so that one update is two."""
    return sum("step" in vars(one) for one in cls.__mro__ if one not in (Optimizer, object)) > 1


class _Around:
    """Calls ``done(optimizer)`` behind what an optimizer has as its step, until it is removed.

    A hook inside a compiled step would be traced with it.
    """

    def __init__(self, optimizer: Any, done: Callable[[Any], None]) -> None:
        self.optimizer, self._own, self._on = optimizer, "step" in vars(optimizer), True
        self._inner = inner = optimizer.step

        def step(*args: Any, **kwargs: Any) -> Any:
            result = inner(*args, **kwargs)
            if self._on:
                done(optimizer)
            return result

        vars(step)["__wrapped__"] = inner  # leads to what is inside
        optimizer.step = self._step = step
        allow_wrapped_step(optimizer)

    def remove(self) -> None:
        """Take it off; where somebody has put another one around it, it stays and does nothing."""
        self._on = False
        if vars(self.optimizer).get("step") is not self._step:
            return
        if self._own:
            self.optimizer.step = self._inner
        else:
            del self.optimizer.step


def is_compiled(optimizer: Any) -> bool:
    """Whether the step is what ``torch.compile`` returned, or a wrapper around that."""
    step: Any = vars(optimizer).get("step")
    while step is not None:
        if hasattr(step, "_torchdynamo_orig_callable"):
            return True
        step = getattr(step, "__wrapped__", None)
    return False


# ---------------------------------------------------------------------------------------- groups as they were


def groups_of(optimizer: Optimizer) -> list[Group]:
    """A copy of the hyper-parameters of every group."""
    return [
        {key: _copied(value) for key, value in group.items() if key != "params"} for group in optimizer.param_groups
    ]


def _copied(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, torch.Tensor) else value


def base_rates(groups: Iterable[Group], param: str) -> list[float]:
    """What a schedule of `param` begins from in each group."""
    key, _, index = param.partition(".")
    values = []
    for group in groups:
        value = group.get(f"initial_{param}", group[key][int(index)] if index else group[key])
        values.append(float(value))
    return values


def driven(scheduler: Any) -> set[str]:
    """The hyper-parameters that a scheduler writes, as far as it tells."""
    config = getattr(getattr(scheduler, "plan", None), "config", None)
    if isinstance(config, SchedulerConfig):
        return config.drives
    moved = MOMENTUM if getattr(scheduler, "cycle_momentum", False) else ()
    return {getattr(scheduler, "param", "lr"), *moved}


def put_back(optimizer: Optimizer, groups: list[Group], params: Iterable[str], others: Iterable[str] = ()) -> None:
    """Undo what schedules of `params` ever wrote: give the groups what `groups` has.

    A group that was not there then keeps its own initial rate. What `others` name, other schedules drive: it is left alone.
    """
    keys = {param.partition(".")[0] for param in (*params, *MOMENTUM)} - {one.partition(".")[0] for one in others}
    for i, group in enumerate(optimizer.param_groups):
        before = groups[i] if i < len(groups) else _as_it_arrived(group)
        for key in [*group]:
            if key in keys or _is_bound(key):
                if key in before:
                    _write(group, key, before[key])
                elif _is_bound(key):
                    del group[key]
        for key in before:
            if key not in group:
                group[key] = _copied(before[key])


_BOUNDS = ("initial_", "max_", "min_", "base_")


def _is_bound(key: str) -> bool:
    """Whether torch's schedules, or ours, keep a first or extreme value under this key."""
    return key.startswith(_BOUNDS)


def _as_it_arrived(group: Group) -> Group:
    kept = {key: value for key, value in group.items() if key != "params" and not _is_bound(key)}
    return {**kept, "lr": group["initial_lr"]} if "initial_lr" in group else kept


def _write(group: Group, key: str, value: Any) -> None:
    held = group[key]
    if isinstance(held, torch.Tensor):
        held.fill_(float(value))  # a captured or compiled step knows the tensor, not the group
    else:
        group[key] = _copied(value)


def without_schedule(optimizer: Optimizer, scheduler: Any) -> None:
    """Give the groups what they had before a scheduler that is not ours was built on them, as far as they tell."""
    cycled = getattr(scheduler, "cycle_momentum", False)
    for group in optimizer.param_groups:
        rate = group.get("initial_lr", group["lr"])
        if "max_lr" in group or hasattr(scheduler, "max_lrs"):
            rate = optimizer.defaults["lr"]  # one-cycle and cyclic schedules overwrite the initial rate with a bound
        for key in [*group]:
            if _is_bound(key) and key not in optimizer.defaults:
                del group[key]
        _write(group, "lr", rate)
        for key in ("momentum", "betas") if cycled else ():
            if key in optimizer.defaults:
                _write(group, key, optimizer.defaults[key])


# ---------------------------------------------------------------------------------------- rates as tensors


def make_rates_tensors(optimizer: Optimizer) -> None:
    """Float rates become tensors, where the optimizer takes them."""
    adam = isinstance(optimizer, (torch.optim.Adam, torch.optim.AdamW))
    for group in optimizer.param_groups:
        if isinstance(group["lr"], torch.Tensor) or (adam and group.get("foreach") and not group.get("capturable")):
            continue
        device = group["params"][0].device if group.get("capturable") or group.get("fused") else "cpu"
        group["lr"] = torch.tensor(float(group["lr"]), dtype=torch.float32, device=device)


def has_float_rates(optimizer: Optimizer) -> bool:
    """Whether a group's rate is a Python number."""
    return any(not isinstance(group["lr"], torch.Tensor) for group in optimizer.param_groups)


# ---------------------------------------------------------------------------------------- by name


def find(optimizers: list[Optimizer], module: nn.Module, key: str | None) -> int:
    """The number of the optimizer that `key` names: an index, an attribute of the module, or of what it trains.

    Raises:
        SchedulerConfigError: where it names none, or more than one.
    """
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
    found = _named(module, key, optimizers)
    if len(found) == 1:
        return found[0]
    names = _optimizer_names(module, optimizers)
    raise SchedulerConfigError(
        f"schedulers.{key}",
        "...",
        f"{key!r} names no optimizer, and nothing that one optimizer alone trains",
        f"{nearest(key, names)}Known: {', '.join([*(str(i) for i in range(len(optimizers))), *names])}",
    )


def _named(module: nn.Module, key: str, optimizers: list[Optimizer]) -> list[int]:
    """The optimizers that an attribute of the module is, or that train what it holds."""
    held = getattr(module, key, None)
    if isinstance(held, (nn.Module, nn.Parameter)):
        wanted = {id(p) for p in (held.parameters() if isinstance(held, nn.Module) else [held])}
        return [number for number, one in enumerate(optimizers) if wanted & {id(p) for p in _trained(one)}]
    held = getattr(held, "optimizer", held)
    return [number for number, one in enumerate(optimizers) if one is held]


def _trained(optimizer: Optimizer) -> Iterator[Any]:
    for group in optimizer.param_groups:
        yield from group["params"]


def _optimizer_names(module: nn.Module, optimizers: list[Optimizer]) -> list[str]:
    owner = {id(p): number for number, one in enumerate(optimizers) for p in _trained(one)}
    children = [
        name
        for name, child in module.named_children()
        if len({owner[id(p)] for p in child.parameters() if id(p) in owner}) == 1
    ]
    return children + [name for name, value in vars(module).items() if any(value is one for one in optimizers)]
