"""What a metric would have done: `reduce_on_plateau` fed with recorded values, without torch."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from lr_configs.curve_tree import Curve
from lr_configs.errors import SchedulerConfigError
from lr_configs.group_values import values_per_group
from lr_configs.groups import column
from lr_configs.plan import Plan


@dataclass(frozen=True)
class Metric:
    """The recorded values of a metric, in their order.

    Attributes:
        values: the values; nan is no improvement, as with torch.
        at: when each came; empty where one came at the end of every epoch.
        unit: what `at` counts: ``update`` or ``epoch``, so many of which had passed.
        source: where they come from, for messages.
    """

    values: tuple[float, ...]
    at: tuple[float, ...] = ()
    unit: str = "epoch"
    source: str = "metric"

    def timed(self) -> list[tuple[float, float]]:
        """Pairs of a time, in `unit`, and a value.

        >>> Metric((0.5, 0.4)).timed()
        [(1, 0.5), (2, 0.4)]
        """
        return list(zip(self.at or range(1, len(self.values) + 1), self.values, strict=True))


@dataclass
class Plateau:
    """Torch's `ReduceLROnPlateau` without an optimizer: when it reduces, and to what.

    Attributes:
        config: its config.
        lows: the lowest rate of each group.
        best: value so far.
        bad: values without improvement.
        waiting: values that do not count after a reduction.
    """

    config: Any
    lows: Sequence[float]
    best: float = field(init=False)
    bad: int = 0
    waiting: int = 0

    def __post_init__(self) -> None:
        self.best = math.inf if self.config.mode == "min" else -math.inf

    def reduces(self, value: float) -> bool:
        """Take a new value, and tell whether that is one too many without improvement."""
        if self._improves(value):
            self.best, self.bad = value, 0
        else:
            self.bad += 1
        if self.waiting > 0:
            self.waiting, self.bad = self.waiting - 1, 0
        if self.bad <= self.config.patience:
            return False
        self.waiting, self.bad = self.config.cooldown, 0
        return True

    def _improves(self, value: float) -> bool:
        least, sign = self.config.threshold, 1 if self.config.mode == "max" else -1
        bar = self.best * (1 + sign * least) if self.config.threshold_mode == "rel" else self.best + sign * least
        return bool(value > bar if sign > 0 else value < bar)

    def reduced(self, rates: Sequence[float]) -> list[float]:
        """The rates, times the factor, but no lower than they may get, and unchanged where the change would be too small."""
        wanted = [max(rate * self.config.factor, low) for rate, low in zip(rates, self.lows, strict=True)]
        return [new if old - new > self.config.eps else old for old, new in zip(rates, wanted, strict=True)]


class Reductions:
    """What recorded values of a metric make of a schedule.

    Args:
        plan: the schedule, of which a part follows a metric.
        curve: the same, bound: the rates without the metric.
        bases: the groups' own rates.
        names: the groups' names.

    Attributes:
        scales: what is left of the rate of each group.
    """

    def __init__(self, plan: Plan, curve: Curve, bases: Sequence[float], names: Sequence[str | None]) -> None:
        self.plan, self.curve = plan, curve
        self.scales = [1.0] * len(bases)
        self._plateaus = {id(one): Plateau(one.config, _lows(one, bases, names)) for one in _followers(plan)}

    def take(self, value: float, step: int) -> bool:
        """Take a value that comes when the schedule is at its step `step`; whether it has changed a rate."""
        before = list(self.scales)
        for plan in _active(self.plan, step):
            plateau = self._plateaus[id(plan)]
            if plateau.reduces(value):
                held = [scale * rate for scale, rate in zip(self.scales, self.curve.rates(step), strict=True)]
                new = plateau.reduced(held)
                self.scales = [
                    scale * (now / old) if old else scale
                    for scale, old, now in zip(self.scales, held, new, strict=True)
                ]
        return self.scales != before


def _lows(plan: Plan, bases: Sequence[float], names: Sequence[str | None]) -> list[float]:
    values = values_per_group(plan.config, bases, names, plan.key, plan.params)
    return column(values["min_lr"], bases)


def _followers(plan: Plan) -> Iterator[Plan]:
    """The single schedules that follow the metric."""
    if not plan.stages and plan.config.metric_driven:
        yield plan
    for _, stage in plan.stages:
        yield from _followers(stage)


def _active(plan: Plan, t: int) -> Iterator[Plan]:
    """Those whose turn it is at step `t`: of a sequence the stage that it lies in; none during its own warmup."""
    if not plan.stages:
        if plan.config.metric_driven and t >= plan.warmup:
            yield plan
        return
    inside = t - plan.own_start if t >= plan.warmup else 0
    inside = inside if plan.hold is None else min(inside, plan.hold)
    if plan.config.arrangement == "sequence":
        start, stage = plan.stages[bisect_right(plan.stages, inside, key=lambda pair: pair[0]) - 1]
        yield from _active(stage, inside - start)
        return
    for _, stage in plan.stages:
        yield from _active(stage, inside)


# ---------------------------------------------------------------------------------------- recorded values


def read(text: str, monitor: str, source: str = "metric.csv") -> Metric:
    r"""The values of a metric from a CSV file, as Lightning's CSVLogger writes it, or with a single column.

    A column ``step`` has the number, from 0, of the update after which the value came; without one, a column ``epoch`` that of
    the epoch at whose end it came; without both, there is a value at the end of every epoch. Rows that have other metrics and
    not this one belong to those.

    Args:
        text: of the file; the first line names the columns, unless there is one and it is a number.
        monitor: the name of the metric.
        source: the file, for messages.

    Raises:
        SchedulerConfigError: for a file without the metric, with holes in it, or with what is no number.

    >>> read("val_loss\n0.5\n0.4\n", "val_loss").values
    (0.5, 0.4)
    """
    header, rows = _rows(text, source)
    name = _column_of(header, monitor, source)
    clock = next((one for one in ("step", "epoch") if one in header), "")
    others = [i for i, one in enumerate(header) if one not in ("step", "epoch", name)]
    values, at = [], []
    for number, row in rows:
        cell = row[header.index(name)].strip()
        if not cell and any(row[i].strip() for i in others):
            continue
        values.append(_number(cell, f"{source}:{number}", name))
        if clock:
            at.append(_number(row[header.index(clock)].strip(), f"{source}:{number}", clock) + 1)
    if not values:
        raise SchedulerConfigError("metric", source, f"the file has no value of {name}", "Give one with values")
    _check_order(at, clock, source)
    return Metric(tuple(values), tuple(at), "update" if clock == "step" else "epoch", source)


def _rows(text: str, source: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    import csv

    reader = csv.reader(text.removeprefix("\ufeff").splitlines())
    lines = [(reader.line_num, row) for row in reader]
    while lines and not any(cell.strip() for cell in lines[-1][1]):
        lines.pop()
    if not lines:
        raise SchedulerConfigError("metric", source, "the file is empty", "Give a CSV file with a column of values")
    header, values = [cell.strip() for cell in lines[0][1]], lines[1:]
    if len(header) == 1 and _is_number(header[0]):
        header, values = [""], lines
    for number, row in values:
        row.extend([""] * (len(header) - len(row)))
        if len(row) > len(header):
            raise SchedulerConfigError(
                "metric",
                f"{source}:{number}",
                f"this line has {len(row)} values for {len(header)} columns",
                "Repair it",
            )
    return header, values


def _column_of(header: list[str], monitor: str, source: str) -> str:
    from lr_configs.errors import nearest

    if monitor in header:
        return monitor
    names = [one for one in header if one not in ("step", "epoch")]
    if len(names) == 1:
        return names[0]  # there is nothing else that could be meant
    rule = f"the file has no column {monitor}" if monitor else "the file has several columns, and monitor names none"
    raise SchedulerConfigError(
        "metric",
        source,
        rule,
        f"{nearest(monitor, names)}Its columns: {', '.join(header)}",
    )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number(cell: str, place: str, name: str) -> float:
    if not cell:
        raise SchedulerConfigError(
            "metric", place, f"there is no value{f' of {name}' if name else ''} in this line",
            "Fill the hole, or take the line out",
        )  # fmt: skip
    if not _is_number(cell):
        raise SchedulerConfigError("metric", place, f"{cell!r} is not a number", "Write one, or nan")
    return float(cell)


def _check_order(at: list[float], clock: str, source: str) -> None:
    """Refuse values that come out of order, and epochs that are left out between others."""
    gaps = [after - before for before, after in itertools.pairwise(at)]
    if any(not gap >= 0 for gap in gaps) or not all(math.isfinite(one) and one >= 1 for one in at):
        raise SchedulerConfigError("metric", source, f"the values of {clock} rise, from 0", "Sort the lines")
    if clock != "epoch" or not gaps or max(gaps) == 0:
        return
    usual = min(gap for gap in gaps if gap > 0)
    for before, gap in zip(at, gaps, strict=False):
        if gap > usual:
            raise SchedulerConfigError(
                "metric", source, f"there is no value between epoch {before - 1:g} and epoch {before - 1 + gap:g}",
                "Fill the hole",
            )  # fmt: skip
