"""``warmup_stable_decay``: constant, and down at the end."""

from __future__ import annotations

from typing import Any

from lr_configs.config import Landmarks, choice, length, schedule
from lr_configs.errors import SchedulerConfigError
from lr_configs.floor import FloorConfig, between, powers, shares
from lr_configs.shapes import FALLING, HINTS, falling


@schedule("warmup_stable_decay")
class WarmupStableDecayLRConfig(FloorConfig):
    """`base`, and over the last `decay` of `total_steps` down to `eta_min`, where it stays; `warmup` is as everywhere.

    Also known as WSD (Hu et al., arXiv 2404.06395) and trapezoidal. With `x` from 0 to 1 over the decay,
    ``rate = eta_min + (base - eta_min) f(x)``, where `f` is ``1 - x`` (``linear``), ``(1 + cos(pi x)) / 2`` (``cosine``),
    ``1 - sqrt(x)`` (``1-sqrt``, Hägele et al., arXiv 2405.18392), ``1 - x ** 2`` (``1-square``) or ``2 * 0.5 ** x - 1``
    (``exponential``, Megatron's); ``geometric`` is ``base (eta_min / base) ** x``. `base` at step 0 and at the decay's
    first step; `eta_min` at step `total_steps` and beyond.

    Attributes:
        total_steps: all of it behind the warmup, a length.
        decay: length of the decay, no longer than `total_steps`.
        decay_shape: see above.
        eta_min: lowest rate, per group; text like ``1%`` is a share of the group's own rate.

    >>> WarmupStableDecayLRConfig(warmup="1%", decay="20%", decay_shape="1-sqrt").total_steps
    '100%'
    """

    natural_interval = "step"
    one_way = True
    search = {"decay": "choice(10%,20%,40%)", "decay_shape": "choice(linear,cosine,1-sqrt)"}

    total_steps: Any = length("100%")
    decay: Any = length("10%")
    decay_shape: str = choice("linear", *FALLING, "geometric", hints=HINTS)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.decay_shape == "geometric" and not _positive(self.eta_min):
            raise SchedulerConfigError(
                "eta_min", self.eta_min, "a geometric decay ends above 0", "Write eta_min=1%, or another decay_shape"
            )

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """1, then what is left of the decay."""
        n = p.total_steps
        geometric = p.decay_shape == "geometric"
        if m.first(t) < n - p.decay:
            one = m.full_like(t, 1.0)
            return one if geometric else between(one, p)
        left = (n - m.minimum(t, n)) / p.decay
        return powers(p.lowest, 1.0 - left, m) if geometric else between(falling(p.decay_shape, left, m), p)

    @staticmethod
    def breaks(p: Any) -> list[float]:
        """Where the decay begins."""
        return [p.total_steps - p.decay]

    @staticmethod
    def landmarks(p: Any) -> Landmarks:
        """Where the decay begins, and where it has ended."""
        events = ("decay from", (p.total_steps - p.decay,)), ("lowest from", (p.total_steps,))
        return Landmarks(events=events, key="total_steps", ends=(p.total_steps,), flat=True)

    @staticmethod
    def lowest(p: Any) -> Any:
        """The floor, as shares of the groups' own rates, for the geometric decay."""
        return shares(p) if p.decay_shape == "geometric" else None

    @staticmethod
    def ends(p: Any) -> tuple[list[float], ...]:
        """The base, and the floor but for the geometric decay."""
        return (p.base_lrs,) if p.decay_shape == "geometric" else FloorConfig.ends(p)

    @staticmethod
    def late_ends(p: Any, base: float) -> tuple[float, ...]:
        """The base, and the floor but for the geometric decay."""
        return (base,) if p.decay_shape == "geometric" else FloorConfig.late_ends(p, base)

    def resolved(self, params: dict[str, Any], steps: int | None, key: str) -> dict[str, Any]:
        """The decay is no longer than the whole."""
        if params["decay"] > params["total_steps"]:
            raise SchedulerConfigError(
                f"{key}.decay" if key else "decay", self.decay,
                f"the decay takes {params['decay']} steps, and there are {params['total_steps']} behind the warmup",
                "Shorten the decay or the warmup, or train for longer",
            )  # fmt: skip
        return params


def _positive(value: Any) -> bool:
    """Whether no group's floor is 0."""
    several = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else [value]
    return all(float(str(one).rstrip("% ")) > 0 for one in several)
