"""The rates of a whole run as an array, without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lr_configs.curve_tree import bind
from lr_configs.errors import SchedulerConfigError
from lr_configs.groups import check_base, is_default, select

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lr_configs.horizon import Horizon
    from lr_configs.plan import Plan

_CHUNK = 1 << 14


def curve(scheduler: Any, base_lr: float, horizon: Horizon, *, group: int | str = 0) -> NDArray[Any]:
    """The rates of a whole run, computed without torch by what also trains.

    Args:
        scheduler: a composed node, a dict, a config object, or the name of a schedule.
        base_lr: the group's own rate.
        horizon: the run's size.
        group: index or name of the parameter group, where the schedule has values per group.

    Returns:
        float64 array of shape ``(scheduler steps of the run,)``: the rate of each, the first one first.

    Raises:
        SchedulerConfigError: for a configuration that does not fit the run, and for metric-driven schedules.

    >>> from lr_configs import Horizon
    >>> curve({"name": "cosine"}, base_lr=0.1, horizon=Horizon(epochs=4)).round(4).tolist()
    [0.1, 0.0854, 0.05, 0.0146]
    """
    import numpy as np

    from lr_configs.horizon import Horizon
    from lr_configs.plan import resolve

    if not isinstance(horizon, Horizon):
        raise SchedulerConfigError(
            "horizon",
            horizon,
            "a curve needs the run's size",
            "Write lr_configs.Horizon(epochs=90, steps_per_epoch=391)",
        )
    base = check_base("base_lr", base_lr)
    plan = _of_group(resolve(scheduler, horizon), group)
    tree = bind(plan, [base])
    if plan.steps is None:
        raise SchedulerConfigError(
            "horizon",
            horizon,
            f"the schedule advances by {plan.interval}s, and the run's length in {plan.interval}s is not known",
            "Write Horizon(epochs=90, steps_per_epoch=391)",
        )
    out, finite = np.empty((1, plan.steps)), True
    steps = np.arange(min(_CHUNK, plan.steps), dtype=np.float64)
    with np.errstate(all="ignore"):  # what is not finite is refused below
        for start in range(0, plan.steps, _CHUNK):
            part = out[:, start : start + _CHUNK]
            tree.array(steps[: part.size], out=part)
            finite = finite and bool(np.isfinite(part).all())
            steps += _CHUNK
    rates: NDArray[Any] = out[0]
    if not finite:
        at = int(np.flatnonzero(~np.isfinite(rates))[0])
        raise SchedulerConfigError(
            "base_lr", base_lr, f"the rate of {plan.config.name} is {rates[at]} at step {at}", "Lower the factors"
        )
    return rates


def _of_group(plan: Plan, group: int | str) -> Plan:
    """The plan as one group sees it."""
    import dataclasses

    config = plan.config
    if config.metric_driven and not plan.stages:
        raise SchedulerConfigError(
            f"{plan.key}.name" if plan.key else "name",
            config.name,
            "a schedule that reacts to a metric has no curve",
            "Leave it out of curve(...), or choose a schedule of the step alone",
        )
    prefix = f"{plan.key}." if plan.key else ""
    changed, params = config.to_dict(), dict(plan.params)
    for name, item in config.__dataclass_fields__.items():
        if item.metadata.get("per_group"):
            value = select(getattr(config, name), group, prefix + name)
            changed[name] = params[name] = item.default if is_default(value) else value
        elif item.metadata.get("formula") and name in params:
            changed[name] = select(getattr(config, name), group, prefix + name)
            params[name] = select(params[name], group, prefix + name)
    changed.pop("stages", None)
    own = type(config).__new__(type(config))
    own.__dict__.update({**config.__dict__, **changed})
    stages = tuple((start, _of_group(stage, group)) for start, stage in plan.stages)
    return dataclasses.replace(plan, config=own, params=params, stages=stages)
