"""The keys of a schedule that torch's class has not, as keywords of ours, behind torch's own arguments."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from lr_configs.config import SchedulerConfig, own_keys
from lr_configs.group_values import values_per_group
from lr_configs.plan import resolve


def checked_by_hand(schedule: type[SchedulerConfig], given: dict[str, Any], optimizer: Any) -> dict[str, Any]:
    """The keys of a schedule whose class is built by hand: lengths are scheduler steps, values are per group.

    Raises:
        SchedulerConfigError: naming key, value, rule and remedy.
    """
    config = schedule(**given)
    params = resolve(config).params
    groups = optimizer.param_groups
    bases = [float(group.get("initial_lr", group["lr"])) for group in groups]
    return {**params, **values_per_group(config, bases, [group.get("name") for group in groups], "", params)}


def take_keywords(cls: Any, schedule: type[SchedulerConfig]) -> None:
    """Let the constructor of a drop-in class take, by name, what torch's has not.

    They are checked as in a config, and together with torch's own arguments; without them torch's constructor is all there is.
    """
    keys, theirs = schedule.beyond_torch, cls.__init__
    signature = inspect.signature(theirs)
    more = [key for key in keys if key not in signature.parameters]

    @functools.wraps(theirs)
    def __init__(self: Any, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        given = {key: kwargs.pop(key) for key in more if key in kwargs}
        if given:
            arguments = {**signature.bind(self, optimizer, *args, **kwargs).arguments, **given}
            own = {key: value for key, value in arguments.items() if key in own_keys(schedule)}
            checked = checked_by_hand(schedule, own, optimizer)
            vars(self).update({key: checked[key] for key in given})
        theirs(self, optimizer, *args, **kwargs)

    fields = schedule.__dataclass_fields__
    by_name = [inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=fields[key].default) for key in more]
    __init__.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *by_name])  # type: ignore[attr-defined]
    cls.__init__ = __init__
