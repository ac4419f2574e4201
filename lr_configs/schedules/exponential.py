"""``exponential``: times `gamma` at every step."""

from __future__ import annotations

from typing import Any

from lr_configs.config import flag, length, number, schedule
from lr_configs.errors import SchedulerConfigError
from lr_configs.floor import ClampedConfig
from lr_configs.functions import check_growth


@schedule("exponential")
class ExponentialLRConfig(ClampedConfig):
    """``rate(t) = base * gamma ** t``, as torch's `ExponentialLR`: `base` at step 0; it goes on beyond the run.

    With a `decay_period` it is ``base * gamma ** (t / decay_period)``, rounded down with `staircase`: Composer's, optax' and
    Keras' `ExponentialDecay`.

    Attributes:
        gamma: decay rate per scheduler step, or per `decay_period`, 0 or more.
        decay_period: what `gamma` is per, a length; null is one scheduler step. Not in torch.
        staircase: fall at the end of each period only. Not in torch.
        eta_min: the rate falls no lower, per group; text like ``1%`` is a share of the group's own rate. Not in torch.

    >>> ExponentialLRConfig(gamma=0.5).interval
    'auto'
    """

    one_way = True

    beyond_torch = ("decay_period", "staircase", "eta_min")
    search = {"gamma": "tag(log, interval(0.01,0.5))", "decay_period": "choice(100%)"}

    gamma: float = number(0.95, 0)
    decay_period: Any = length(None, optional=True)
    staircase: bool = flag(False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.staircase and self.decay_period is None:
            raise SchedulerConfigError(
                "staircase", True, "a staircase has periods, and decay_period is null", "Write decay_period=10%"
            )

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """``gamma ** t``, `t` counting periods."""
        if p.decay_period is not None:
            t = t // p.decay_period if p.staircase else t / p.decay_period
        return m.power(p.gamma, t)

    def resolved(self, params: dict[str, Any], steps: int | None, key: str) -> dict[str, Any]:
        """Refuse a rate that grows out of the numbers within the run."""
        check_growth(key, "gamma", self.gamma, None if steps is None else steps // (params["decay_period"] or 1))
        return params
