"""``exp_hyperbolic``: down along a hyperbola on a logarithmic scale."""

from __future__ import annotations

from typing import Any

from lr_configs.config import Landmarks, SchedulerConfig, length, per_group, schedule
from lr_configs.floor import powers, shares
from lr_configs.groups import check_floor
from lr_configs.hyperbola import check_bound, drop, prepare


@schedule("exp_hyperbolic")
class ExpHyperbolicLRConfig(SchedulerConfig):
    """``rate(t) = base (eta_min / base) ** (h(0) - h(t))`` with ``h(t) = sqrt((N - t) (2 U - N - t)) / U``.

    ExpHyperbolicLR (Kim, arXiv 2407.15200): ``hyperbolic`` for the logarithm of the rate. `base` at step 0; at step
    `total_steps` and beyond ``base (eta_min / base) ** h(0)``, which is `eta_min` where `total_steps` is `upper_bound`.

    Attributes:
        total_steps: a length.
        upper_bound: length of the longest run that is meant, `total_steps` or more.
        eta_min: lowest rate of a run of that length, above 0, per group; text like ``1%`` is a share of the group's own rate.

    >>> ExpHyperbolicLRConfig(total_steps=200, upper_bound=1000).eta_min
    '1%'
    """

    natural_interval = "step"
    one_way = True
    search = {"eta_min": "choice(0.1%,1%,10%)"}

    total_steps: Any = length("100%")
    upper_bound: Any = length("100%")
    eta_min: Any = per_group("1%", above=0, share=True)

    @classmethod
    def prepare(cls, p: Any) -> None:
        """What does not depend on the step."""
        prepare(p)

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """A power of the lowest share."""
        return powers(p.lowest, drop(p, t, m)[0], m)

    @staticmethod
    def landmarks(p: Any) -> Landmarks:
        """The end."""
        return Landmarks(events=(("flat from", (p.total_steps,)),), key="total_steps", ends=(p.total_steps,), flat=True)

    @staticmethod
    def lowest(p: Any) -> Any:
        """The floor, as shares of the groups' own rates."""
        return shares(p)

    def resolved(self, params: dict[str, Any], steps: int | None, key: str) -> dict[str, Any]:
        """The run is no longer than the longest."""
        return check_bound(params, key)

    def check_values(self, values: dict[str, Any], bases: list[float], key: str) -> dict[str, Any]:
        """A floor lies below the rate."""
        check_floor(f"{key}eta_min", values["eta_min"], bases)
        return values
