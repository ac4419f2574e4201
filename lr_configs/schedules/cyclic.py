"""``cyclic``: up and down between two bounds."""

from __future__ import annotations

from typing import Any

from lr_configs.config import (
    Landmarks,
    SchedulerConfig,
    choice,
    every,
    flag,
    formula,
    length,
    number,
    per_group,
    schedule,
)
from lr_configs.errors import SchedulerConfigError
from lr_configs.functions import check_growth
from lr_configs.groups import column, filled
from lr_configs.horizon import LARGEST


@schedule("cyclic")
class CyclicLRConfig(SchedulerConfig):
    """Up from `base_lr` to `max_lr` in `step_size_up` steps and down again in `step_size_down`, over and over.

    Torch's `CyclicLR` (Smith, arXiv 1506.01186): ``rate(t) = base_lr + (max_lr - base_lr) x(t)``; `x` rises from 0 to 1
    and falls back, times the height that `mode` gives: ``triangular`` 1, ``triangular2`` ``0.5 ** (cycle - 1)``,
    ``exp_range`` ``gamma ** t``. `base_lr` at step 0, `max_lr` at step `step_size_up`; it goes on beyond the run. Momentum moves the other way, from `max_momentum` to
    `base_momentum`.

    Attributes:
        base_lr: lower bound, per group; null is a tenth of `max_lr`, ``1%`` a share of the group's own rate.
        max_lr: upper bound, per group; null is the group's own rate.
        step_size_up: length from base to max.
        step_size_down: length from max to base; null is `step_size_up`.
        mode: ``triangular``, ``triangular2`` (the height halves every cycle) or ``exp_range`` (it falls as
            ``gamma ** t``).
        gamma: base of the exponential, for ``exp_range``.
        scale_fn: height as a formula in ``x`` (or a callable), in place of `mode`; 0 or more.
        scale_mode: what ``x`` is: ``cycle`` number from 1, or ``iterations``.
        cycle_momentum: move momentum (or beta1) against the rate.
        base_momentum: lower bound of the momentum, per group, 0 to 1.
        max_momentum: upper bound of the momentum, per group, 0 to 1.

    >>> CyclicLRConfig(base_lr=0.001, max_lr=0.1, step_size_up=50, step_size_down=100).mode
    'triangular'
    """

    natural_interval = "step"
    search = {
        "step_size_up": "choice(5%,10%,25%)",
        "base_lr": "choice(1%,10%)",
        "mode": "choice(triangular,triangular2)",
    }

    base_lr: Any = per_group(None, 0, optional=True, share=True)
    max_lr: Any = per_group(None, above=0, optional=True, share=True)
    step_size_up: Any = length(2000)
    step_size_down: Any = length(None, optional=True)
    mode: str = choice("triangular", "triangular", "triangular2", "exp_range")
    gamma: float = number(1.0, 0)
    scale_fn: Any = formula(None, ("x",), optional=True)
    scale_mode: str = choice("cycle", "cycle", "iterations")
    cycle_momentum: bool = flag(True)
    base_momentum: Any = per_group(0.8, 0, high=1)
    max_momentum: Any = per_group(0.9, 0, high=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.base_lr, (int, float)) and isinstance(self.max_lr, (int, float)):
            _check_bounds(self.base_lr, self.max_lr, "")

    @classmethod
    def prepare(cls, p: Any) -> None:
        """The whole cycle and the part of it that rises, as torch has them."""
        up, down = float(p.step_size_up), float(p.step_size_down or p.step_size_up)
        p.total_size, p.up = up + down, up
        p.scale_function = p.scale_fn
        p.base_lrs, p.max_lrs = p.base_lr, p.max_lr
        p.base_momentums, p.max_momentums = (column(v, p.max_lrs) for v in (p.base_momentum, p.max_momentum))

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """The shares of the upper and of the lower bound."""
        total, up = p.total_size, p.up
        now = t % total
        falling = (total - now) / (total - up) if total > up else 0.0
        x = m.where(now <= up, now / up, falling)
        if p.scale_function is not None:
            x = x * m.each(p.scale_function, t // total + 1 if p.scale_mode == "cycle" else t)
        elif p.mode == "triangular2":
            x = x * m.power(0.5, t // total)
        elif p.mode == "exp_range":
            x = x * m.power(p.gamma, t)
        return x, 1.0 - x

    @staticmethod
    def ends(p: Any) -> tuple[list[float], ...]:
        """The upper and the lower bound."""
        return p.max_lrs, p.base_lrs

    @staticmethod
    def late_ends(p: Any, base: float) -> tuple[float, ...]:
        """A group that joins later cycles below its own rate, as the first one does."""
        return base, base * p.base_lrs[0] / p.max_lrs[0]

    @staticmethod
    def join(p: Any, group: Any, base: float) -> None:
        """Its bounds, and the first group's momentum."""
        p.base_lrs.append(base * p.base_lrs[0] / p.max_lrs[0])
        p.max_lrs.append(base)
        if p.cycle_momentum:
            p.base_momentums.append(p.base_momentums[0])
            p.max_momentums.append(p.max_momentums[0])

    @staticmethod
    def drop(p: Any, count: int) -> None:
        """All four lists."""
        for values in (p.base_lrs, p.max_lrs, *((p.base_momentums, p.max_momentums) if p.cycle_momentum else ())):
            del values[count:]

    @staticmethod
    def momentum(p: Any) -> tuple[list[float], ...] | None:
        """High where the rate is low."""
        return (p.base_momentums, p.max_momentums) if p.cycle_momentum else None

    @classmethod
    def goes_one_way(cls, p: Any) -> bool:
        """Between two turns, unless the height changes with every step, or as a function of one's own says."""
        return p.scale_fn is None and p.mode != "exp_range"

    @staticmethod
    def landmarks(p: Any) -> Landmarks:
        """The turns, the first of them the top."""
        up, total = p.step_size_up, p.step_size_up + (p.step_size_down or p.step_size_up)
        return Landmarks(
            events=(("turn(s) at", range(up, LARGEST, total)), ("turn(s) at", every(total))),
            key="step_size_up",
            expected=(up,),
        )

    def resolved(self, params: dict[str, Any], steps: int | None, key: str) -> dict[str, Any]:
        """Refuse heights that grow out of the numbers, or turn negative, within the run."""
        if self.mode == "exp_range" and self.scale_fn is None:
            check_growth(key, "gamma", self.gamma, steps)
        function, cycle = (
            params["scale_fn"],
            params["step_size_up"] + (params["step_size_down"] or params["step_size_up"]),
        )
        if hasattr(function, "check") and steps is not None:
            by_step = self.scale_mode == "iterations"
            # Cycles are counted from 1, and the last one may be cut.
            function.check(steps if by_step else -(-steps // cycle) + 1, first=0 if by_step else 1)
        return params

    def check_values(self, values: dict[str, Any], bases: list[float], key: str) -> dict[str, Any]:
        """The bounds that are left out, and their order."""
        highs = values["max_lr"] = filled(values["max_lr"], bases)
        lows = values["base_lr"] = filled(values["base_lr"], [high / 10 for high in highs])
        for low, high in zip(lows, highs, strict=True):
            _check_bounds(low, high, key)
        return values


def rising(total_size: float, step_ratio: float) -> float:
    """Steps of a cycle that rise: torch keeps their share only, and they are an integer.

    >>> rising(150.0, 50 / 150)
    50.0
    """
    up = total_size * step_ratio
    return float(round(up)) if abs(up - round(up)) < 1e-9 * total_size else up


def _check_bounds(low: float, high: float, key: str) -> None:
    if low >= high:
        raise SchedulerConfigError(
            f"{key}base_lr", low, f"the lower bound is below max_lr={high:g}", "Lower base_lr, or raise max_lr"
        )
