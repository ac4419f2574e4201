"""Every schedule as it looks with its defaults, or where these do not show its character, with other keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lr_configs.config import SchedulerConfig
from lr_configs.curve_tree import bind
from lr_configs.horizon import Horizon, Length
from lr_configs.own import SteppedConfig
from lr_configs.plan import resolve, written_lengths
from lr_configs.preview.plateau import Metric, Reductions

#: the run that small pictures are of
RUN = Horizon(epochs=30, steps_per_epoch=23)
#: the optimizer's own rate in them
BASE = 0.1
_SHOWN: Mapping[str, Mapping[str, Any]] = {
    "lambda": {"lr_lambda": "0.95 ** epoch"},
    "multiplicative": {"lr_lambda": "0.95"},
    "constant": {"total_iters": "30%"},
    "linear": {"start_factor": 0.1, "total_iters": "40%"},
    "polynomial": {"total_iters": "100%", "power": 2.0},
    "exponential": {"gamma": 0.9},
    "cyclic": {"step_size_up": "10%", "mode": "triangular2"},
    "cosine_warm_restarts": {"T_0": "2ep", "T_mult": 2, "interval": "step"},
    "noam": {"d_model": 1, "warmup_steps": "3%"},
    "warmup_stable_decay": {"warmup": "5%", "decay": "20%"},
    "cosine": {"interval": "step", "warmup": "5%"},
    "reduce_on_plateau": {"monitor": "val_loss", "patience": 3},
}


def example(name: str) -> dict[str, Any]:
    """The node of a schedule in which its character can be seen.

    >>> example("exponential"), example("rex")
    ({'name': 'exponential', 'gamma': 0.9}, {'name': 'rex'})
    """
    return {"name": name, **_SHOWN.get(name, {})}


def example_metric() -> Metric:
    """A metric that stops improving twice, for a schedule that follows one: 30 epochs of it."""
    return Metric(tuple(1.0 if e < 1 else max(1.0 - 0.1 * e, 0.4) if e < 15 else 0.2 for e in range(30)))


def samples(
    node: Any, count: int, *, horizon: Horizon = RUN, base: float = BASE, metric: Metric | None = None
) -> list[float]:
    """The rates of a run at so many places, evenly spread, for :func:`~lr_configs.preview.braille.sparkline`.

    No array is made; numpy is imported for the formulas in YAML alone, which it checks.

    Args:
        node: the schedule.
        count: of places.
        horizon: the run's size.
        base: the optimizer's own rate.
        metric: what a metric-driven schedule follows, a value for every epoch.

    Returns:
        The rates; of a scheduler class that is stepped as it is, and so has no curve, none.

    >>> [round(rate, 3) for rate in samples("linear", 4, horizon=Horizon(epochs=4))]
    [0.033, 0.047, 0.06, 0.073]
    """
    plan = resolve(node, horizon)
    if isinstance(plan.config, SteppedConfig) or plan.steps is None:
        return []
    curve, last = bind(plan, [base]), plan.steps - 1
    reductions, found, scale, epoch = Reductions(plan, curve, [base], [None]), list[float](), 1.0, 0
    values = () if metric is None else metric.values
    for i in range(count):
        t = last * i // max(count - 1, 1)
        while epoch < len(values) and (step := plan.steps * (epoch + 1) // len(values)) <= t:
            reductions.take(values[epoch], step)
            epoch, scale = epoch + 1, reductions.scales[0]
        found.append(curve.rates(t)[0] * scale)
    return found


def nominal_run(config: SchedulerConfig) -> Horizon:
    """A run in which all of a schedule can be seen that is written in epochs or updates: 100 epochs, or more.

    >>> from lr_configs.registry import parse
    >>> nominal_run(parse({"name": "step", "step_size": "300st"}))
    Horizon(epochs=100, steps_per_epoch=100, steps=None)
    >>> nominal_run(parse({"name": "cosine", "T_max": "200ep"})).epochs
    200
    """
    lengths = [length for _, length in written_lengths(config)]
    epochs = max([100, *(_whole(one) for one in lengths if one.unit != "st" and not one.is_share)])
    updates = max([0, *(_whole(one) for one in lengths if one.unit == "st")])
    return Horizon(epochs=epochs, steps_per_epoch=max(100, -(-updates // epochs)))


def _whole(length: Length) -> int:
    return -(-length.amount.numerator // length.amount.denominator)
