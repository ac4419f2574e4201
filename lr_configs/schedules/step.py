"""``step``: times `gamma` at every period."""

from __future__ import annotations

from typing import Any

from lr_configs.config import Landmarks, every, length, number, schedule
from lr_configs.floor import ClampedConfig
from lr_configs.functions import check_growth


@schedule("step")
class StepLRConfig(ClampedConfig):
    """``rate(t) = base * gamma ** (t // step_size)``, as torch's `StepLR`: `base` until the first period ends.

    `base` at step 0, ``base * gamma`` at step `step_size`; it goes on beyond the run.

    Attributes:
        step_size: update period, a length.
        gamma: multiplied in at every period, 0 or more.
        eta_min: the rate falls no lower, per group; text like ``1%`` is a share of the group's own rate. Not in torch.

    >>> StepLRConfig(step_size=200, gamma=0.5).step_size
    200
    """

    one_way = True

    beyond_torch = ("eta_min",)
    search = {"step_size": "choice(20%,30%,40%)", "gamma": "choice(0.1,0.3,0.5)"}

    step_size: Any = length("40%")
    gamma: float = number(0.1, 0)

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """``gamma ** (t // step_size)``."""
        return m.power(p.gamma, t // p.step_size)

    @staticmethod
    def landmarks(p: Any) -> Landmarks:
        """A decay at every period, the first of them within the run."""
        return Landmarks(
            events=(("step(s) at", every(p.step_size)),),
            key="step_size",
            expected=() if p.gamma == 1 else (p.step_size,),
        )

    def resolved(self, params: dict[str, Any], steps: int | None, key: str) -> dict[str, Any]:
        """Refuse a rate that grows out of the numbers within the run."""
        check_growth(key, "gamma", self.gamma, None if steps is None else steps // params["step_size"])
        return params
