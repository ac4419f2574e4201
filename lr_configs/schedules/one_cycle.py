"""``one_cycle``: up to a peak and far down, once."""

from __future__ import annotations

import math
from typing import Any, Optional

from lr_configs.config import Landmarks, SchedulerConfig, choice, flag, length, number, per_group, schedule
from lr_configs.errors import SchedulerConfigError
from lr_configs.groups import column, filled

_HALF_PI = math.pi / 2
#: the three rates that the phases run between
FIRST, PEAK, LAST = 0, 1, 2
#: where torch keeps these rates, and the bounds of the momentum, in a parameter group
RATES, MOMENTA = ("initial_lr", "max_lr", "min_lr"), ("max_momentum", "base_momentum")


@schedule("one_cycle")
class OneCycleLRConfig(SchedulerConfig):
    """Up from ``max_lr / div_factor`` to `max_lr`, then down to ``max_lr / div_factor / final_div_factor``.

    Torch's `OneCycleLR` (Smith and Topin, arXiv 1708.07120). The first rate is at step 0, the peak at step
    ``pct_start * total_steps - 1``, the last rate at step ``total_steps - 1`` and beyond. Momentum moves the other way.

    Attributes:
        max_lr: the peak, per group; null is the group's own rate.
        total_steps: length of the cycle.
        epochs: with `steps_per_epoch`, another way to write `total_steps`.
        steps_per_epoch: see `epochs`.
        pct_start: share of the cycle that goes up, 0 to 1.
        anneal_strategy: ``cos`` or ``linear``.
        cycle_momentum: move momentum (or beta1) against the rate.
        base_momentum: lower bound of the momentum, per group, 0 to 1.
        max_momentum: upper bound of the momentum, per group, 0 to 1.
        div_factor: peak over first rate.
        final_div_factor: first rate over last rate.
        three_phase: go down to the first rate as fast as up, then to the last.

    >>> OneCycleLRConfig(epochs=10, steps_per_epoch=100).total_steps
    1000
    """

    natural_interval = "step"
    one_way = True
    search = {
        "pct_start": "interval(0.1,0.5)",
        "div_factor": "choice(10.0,25.0,100.0)",
        "anneal_strategy": "choice(cos,linear)",
    }

    max_lr: Any = per_group(None, above=0, optional=True, share=True)
    total_steps: Any = length("100%", optional=True)
    epochs: Optional[int] = number(None, 1, integer=True, optional=True)  # noqa: UP045
    steps_per_epoch: Optional[int] = number(None, 1, integer=True, optional=True)  # noqa: UP045
    pct_start: float = number(0.3, 0, 1)
    anneal_strategy: str = choice("cos", "cos", "linear")
    cycle_momentum: bool = flag(True)
    base_momentum: Any = per_group(0.85, 0, high=1)
    max_momentum: Any = per_group(0.95, 0, high=1)
    div_factor: float = number(25.0, 1e-9, 1e12)
    final_div_factor: float = number(10000.0, 1e-9, 1e12)
    three_phase: bool = flag(False)

    def __post_init__(self) -> None:
        super().__post_init__()
        for one, other in (("epochs", "steps_per_epoch"), ("steps_per_epoch", "epochs")):
            if getattr(self, one) is not None and getattr(self, other) is None:
                raise SchedulerConfigError(
                    one, getattr(self, one), f"this needs {other} as well", f"Give {other}, or total_steps alone"
                )
        if self.epochs is not None and self.steps_per_epoch is not None:
            if self.total_steps in (None, "100%"):
                self.total_steps = self.epochs * self.steps_per_epoch
            self.epochs = self.steps_per_epoch = None  # total_steps has it now, as with torch
        elif self.total_steps is None:
            raise SchedulerConfigError(
                "total_steps", None, "the cycle needs its length", "Write total_steps=100%, or a number of steps"
            )

    @classmethod
    def prepare(cls, p: Any) -> None:
        """The phases and the three rates of each group."""
        p.phases = with_starts(phases(p.total_steps, float(p.pct_start), p.three_phase))
        first = [peak / p.div_factor for peak in p.max_lr]
        p.rates = first, p.max_lr, [one / p.final_div_factor for one in first]
        p.momentums = tuple(column(value, first) for value in (p.max_momentum, p.base_momentum))

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """The shares of the first, the highest and the last rate."""
        spans = p.phases
        t = m.minimum(t, spans[-1][1])
        now = m.first(t)
        for start, end, first, last in spans:  # noqa: B007 - the last one is left standing
            if now <= end:
                break
        width = end - start
        if width == 0:
            to_go, gone = 0.0, m.full_like(t, 1.0)
        elif p.anneal_strategy == "linear":
            to_go, gone = (end - t) / width, (t - start) / width
        else:
            to_go, gone = m.sin2((end - t) / width * _HALF_PI), m.sin2((t - start) / width * _HALF_PI)
        if last == LAST:
            return (to_go, 0.0, gone) if first == FIRST else (0.0, to_go, gone)
        return (to_go, gone, 0.0) if first == FIRST else (gone, to_go, 0.0)

    @staticmethod
    def breaks(p: Any) -> list[float]:
        """The first step behind each phase, to which its end belongs."""
        return [math.floor(end) + 1 for _, end, _, _ in p.phases]

    @staticmethod
    def ends(p: Any) -> tuple[list[float], ...]:
        """The first, the highest and the last rate."""
        return p.rates  # type: ignore[no-any-return]

    @staticmethod
    def late_ends(p: Any, base: float) -> tuple[float, ...]:
        """A group that joins later peaks at its own rate."""
        first, peak, last = (one[0] for one in p.rates)
        return base * first / peak, base, base * last / peak

    @staticmethod
    def join(p: Any, group: Any, base: float) -> None:
        """Its three rates, which torch keeps in the group, and the first group's momentum."""
        rates = OneCycleLRConfig.late_ends(p, base)
        for values, rate in zip(p.rates, rates, strict=True):
            values.append(rate)
        group.update(zip(RATES, rates, strict=True))
        p.base_lrs.append(rates[FIRST])
        if p.cycle_momentum:
            for key, values in zip(MOMENTA, p.momentums, strict=True):
                values.append(values[0])
                group[key] = values[0]

    @staticmethod
    def regroup(p: Any, groups: list[Any]) -> None:
        """The rates and momenta, which torch keeps in the groups."""
        kept = list(zip(RATES, p.rates, strict=True))
        kept += zip(MOMENTA, p.momentums, strict=True) if p.cycle_momentum else ()
        if len(groups) == len(p.base_lrs) and all(key in group for group in groups for key, _ in kept):
            for key, values in kept:
                values[:] = [float(group[key]) for group in groups]

    @staticmethod
    def drop(p: Any, count: int) -> None:
        """All lists."""
        for values in (p.base_lrs, *p.rates, *(p.momentums if p.cycle_momentum else ())):
            del values[count:]

    @staticmethod
    def momentum(p: Any) -> tuple[list[float], ...] | None:
        """High where the rate is low."""
        return (*p.momentums, p.momentums[0]) if p.cycle_momentum else None

    @staticmethod
    def landmarks(p: Any) -> Landmarks:
        """The peak, and the end of the cycle."""
        peak = round(phases(p.total_steps, float(p.pct_start), p.three_phase)[0][0])
        return Landmarks(
            events=(("top at", (peak,)),),
            key="total_steps",
            ends=(p.total_steps,),
            beyond="is held",
            flat=True,
        )

    def resolved(self, params: dict[str, Any], steps: int | None, key: str) -> dict[str, Any]:
        """What torch computes from, once."""
        return {k: v for k, v in params.items() if k not in ("epochs", "steps_per_epoch")}

    def check_values(self, values: dict[str, Any], bases: list[float], key: str) -> dict[str, Any]:
        """The peak is the group's own rate where it is left out."""
        values["max_lr"] = filled(values["max_lr"], bases)
        return values


def phases(total: int, pct_start: float, three_phase: bool) -> list[tuple[float, int, int]]:
    """``(end step, first rate, last rate)`` of each phase, the rates as :data:`FIRST`, :data:`PEAK`, :data:`LAST`.

    >>> phases(100, 0.3, False)
    [(29.0, 0, 1), (99, 1, 2)]
    """
    warm = pct_start * total
    if three_phase:
        return [(warm - 1, FIRST, PEAK), (2 * warm - 2, PEAK, FIRST), (total - 1, FIRST, LAST)]
    return [(warm - 1, FIRST, PEAK), (total - 1, PEAK, LAST)]


def with_starts(ends: list[tuple[float, int, int]]) -> list[tuple[float, float, int, int]]:
    """The phases with the step at which each begins."""
    return [(start, *phase) for start, phase in zip([0.0, *(end for end, _, _ in ends)], ends, strict=False)]
