"""``constant``: a factor for a while."""

from __future__ import annotations

from typing import Any

from lr_configs.config import Landmarks, SchedulerConfig, length, number, schedule


@schedule("constant")
class ConstantLRConfig(SchedulerConfig):
    """``rate(t) = base * factor`` before step `total_iters`, then `base`, as torch's `ConstantLR`.

    ``base * factor`` at step 0; `base` at step `total_iters` and beyond.

    Attributes:
        factor: 0 to 1.
        total_iters: a length.

    >>> ConstantLRConfig().total_iters
    5
    """

    one_way = True
    search = {"factor": "choice(0.1,0.3)", "total_iters": "choice(5%,10%)"}

    factor: float = number(1.0 / 3, 0, 1)
    total_iters: Any = length(5)

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """`factor`, then 1."""
        if p.total_iters <= 0:  # torch stays at the start then
            return p.factor
        return m.where(t < p.total_iters, p.factor, 1.0)

    @staticmethod
    def landmarks(p: Any) -> Landmarks:
        """The step at which the factor goes away."""
        if p.factor == 1:
            return Landmarks()
        return Landmarks(
            events=(("base rate from", (p.total_iters,)),), key="total_iters", ends=(p.total_iters,), flat=True
        )
