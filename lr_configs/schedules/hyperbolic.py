"""``hyperbolic``: down along a hyperbola."""

from __future__ import annotations

from typing import Any

from lr_configs.config import Landmarks, length, schedule
from lr_configs.floor import FloorConfig
from lr_configs.hyperbola import check_bound, drop, prepare


@schedule("hyperbolic")
class HyperbolicLRConfig(FloorConfig):
    """``rate(t) = base + (base - eta_min) (h(t) - h(0))`` with ``h(t) = sqrt((N - t) (2 U - N - t)) / U``.

    HyperbolicLR (Kim, arXiv 2407.15200), `N` and `U` being `total_steps` and `upper_bound`: `base` at step 0. The fall at the
    beginning depends on `upper_bound` more than on the run's length, so that rates found in short runs hold in long ones. At
    step `total_steps` and beyond it has fallen by the share ``h(0)``, which is all of the way where `N` is `U`.

    Attributes:
        total_steps: a length.
        upper_bound: length of the longest run that is meant, `total_steps` or more.
        eta_min: lowest rate of a run of that length, per group; text like ``1%`` is a share of the group's own rate.

    >>> HyperbolicLRConfig(total_steps=200, upper_bound=1000).upper_bound
    1000
    """

    natural_interval = "step"
    one_way = True
    search = {"eta_min": "choice(0.1%,1%,10%)"}

    total_steps: Any = length("100%")
    upper_bound: Any = length("100%")

    @classmethod
    def prepare(cls, p: Any) -> None:
        """What does not depend on the step."""
        prepare(p)

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """The share of the way that is left, and the share that is gone."""
        gone, left = drop(p, t, m)
        return (left, gone) if p.eta_min else left

    @staticmethod
    def landmarks(p: Any) -> Landmarks:
        """The end."""
        return Landmarks(events=(("flat from", (p.total_steps,)),), key="total_steps", ends=(p.total_steps,), flat=True)

    def resolved(self, params: dict[str, Any], steps: int | None, key: str) -> dict[str, Any]:
        """The run is no longer than the longest."""
        return check_bound(params, key)
