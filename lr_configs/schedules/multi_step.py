"""``multi_step``: times `gamma` at each of a list of positions."""

from __future__ import annotations

from typing import Any

from lr_configs.config import Landmarks, lengths, number, schedule
from lr_configs.floor import ClampedConfig
from lr_configs.functions import check_growth


@schedule("multi_step")
class MultiStepLRConfig(ClampedConfig):
    """``rate(t) = base * gamma ** (number of milestones that are at most t)``, as torch's `MultiStepLR`.

    `base` at step 0 and up to the first milestone; from the last one on, also beyond the run, it stays.

    Attributes:
        milestones: positions in the run, a rising list of lengths.
        gamma: multiplied in at every milestone, 0 or more.
        eta_min: the rate falls no lower, per group; text like ``1%`` is a share of the group's own rate. Not in torch.

    >>> MultiStepLRConfig(milestones=["50%", "75%"]).gamma
    0.1
    """

    one_way = True

    beyond_torch = ("eta_min",)
    search = {"milestones": "choice([50%,75%],[60%,80%],[80%,90%])", "gamma": "choice(0.1,0.2,0.5)"}

    milestones: Any = lengths(["60%", "80%"])
    gamma: float = number(0.1, 0)

    @classmethod
    def prepare(cls, p: Any) -> None:
        """The milestones in order, each as often as it is given."""
        p.sorted_milestones = sorted(p.milestones)

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """``gamma ** (milestones passed)``."""
        return m.power(p.gamma, m.count(p.sorted_milestones, t))

    @staticmethod
    def landmarks(p: Any) -> Landmarks:
        """All milestones lie within the run."""
        return Landmarks(
            events=(("milestone(s) at", sorted(p.milestones)),),
            key="milestones",
            expected=() if p.gamma == 1 else sorted(p.milestones),
        )

    def resolved(self, params: dict[str, Any], steps: int | None, key: str) -> dict[str, Any]:
        """Refuse a rate that grows out of the numbers."""
        check_growth(key, "gamma", self.gamma, len(params["milestones"]))
        return params
