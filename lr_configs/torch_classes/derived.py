"""Scheduler classes made from a config class: for every schedule that torch has no class of."""

from __future__ import annotations

import inspect
from typing import Any

from torch.optim import Optimizer, lr_scheduler

from lr_configs.config import Parameters, SchedulerConfig, own_keys
from lr_configs.own import SteppedConfig
from lr_configs.torch_classes.base import CurveScheduler
from lr_configs.torch_classes.keywords import checked_by_hand
from lr_configs.torch_classes.stepped import stepped

#: a class is made once, so that instances of it know each other
_MADE: dict[str, Any] = {}


class _Derived(CurveScheduler):
    """A scheduler whose constructor has the keys of its schedule, in torch's style."""

    def __init__(self, optimizer: Optimizer, *args: Any, last_epoch: int = -1, **kwargs: Any) -> None:
        own = own_keys(self.schedule)
        if len(args) > len(own):
            raise TypeError(f"{type(self).__name__} takes at most {len(own)} parameters, and got {len(args)}")
        given = {**dict(zip(own, args, strict=False)), **kwargs}
        if self.plan is None:  # by hand: lengths are scheduler steps
            given = checked_by_hand(self.schedule, given, optimizer)
        for key, value in given.items():
            setattr(self, key, value)
        lr_scheduler.LRScheduler.__init__(self, optimizer, last_epoch)  # type: ignore[arg-type]

    def parameters(self) -> dict[str, Any]:
        """The keys of the schedule, and what it computes from them once."""
        p = Parameters(**{key: self.__dict__[key] for key in own_keys(self.schedule)}, base_lrs=self.base_lrs)
        self.schedule.prepare(p)
        return dict(p.__dict__)


def derived(config: type[SchedulerConfig]) -> Any:
    """The scheduler class of a schedule that torch has no class of.

    Its instances can be pickled while the schedule is registered: the class is found as an attribute of
    :mod:`lr_configs.schedulers`.
    """
    known = _MADE.get(config.torch_name)
    if known is not None and known.schedule is config:
        return known
    if issubclass(config, SteppedConfig):
        made = _MADE[config.torch_name] = stepped(config)
        return made
    fields = config.__dataclass_fields__
    keyword = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [
        inspect.Parameter("self", keyword),
        inspect.Parameter("optimizer", keyword),
        *(inspect.Parameter(key, keyword, default=fields[key].default) for key in own_keys(config)),
        inspect.Parameter("last_epoch", keyword, default=-1),
    ]
    own = {
        "__doc__": config.__doc__,
        "__module__": "lr_configs.schedulers",
        "__signature__": inspect.Signature(parameters[1:]),
        "schedule": config,
        "needs": (*own_keys(config), "last_epoch"),
    }
    made = _MADE[config.torch_name] = type(config.torch_name, (_Derived, lr_scheduler.LRScheduler), own)
    return made
