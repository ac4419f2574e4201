"""``exponential``: times `gamma` at every step."""

from __future__ import annotations

from typing import Any

from lr_configs.config import SchedulerConfig, number, schedule
from lr_configs.functions import check_growth


@schedule("exponential")
class ExponentialLRConfig(SchedulerConfig):
    """``rate(t) = base * gamma ** t``, as torch's `ExponentialLR`; it goes on beyond the run.

    Attributes:
        gamma: decay rate per scheduler step, 0 or more.

    >>> ExponentialLRConfig(gamma=0.5).interval
    'auto'
    """

    gamma: float = number(0.95, 0)

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """``gamma ** t``."""
        return m.power(p.gamma, t)

    def resolved(self, params: dict[str, Any], steps: int | None, key: str) -> dict[str, Any]:
        """Refuse a rate that grows out of the numbers within the run."""
        check_growth(key, "gamma", self.gamma, steps)
        return params
