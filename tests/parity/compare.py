"""Whole runs of another library's scheduler, beside the converted one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mpmath
import numpy as np
import torch

from lr_configs import build
from lr_configs.config import SchedulerConfig

Rates = Any


def made(lrs: Sequence[float]) -> Any:
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": lr} for lr in lrs]
    return torch.optim.SGD(groups, lr=lrs[0])


def held(optimizer: Any) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


def ours(config: SchedulerConfig, lrs: Sequence[float], steps: int) -> Rates:
    """What trains: the scheduler on an optimizer, without any horizon."""
    optimizer = made(lrs)
    scheduler: Any = build(config, optimizer)
    rows = [held(optimizer)]
    for _ in range(steps):
        optimizer.step()
        scheduler.step()
        rows.append(held(optimizer))
    return np.array(rows)


def theirs(
    build_theirs: Callable[[Any], Any], lrs: Sequence[float], steps: int, step: Callable[[Any, int], Any]
) -> Rates:
    optimizer = made(lrs)
    scheduler = build_theirs(optimizer)
    rows = [held(optimizer)]
    for t in range(steps):
        optimizer.step()
        step(scheduler, t + 1)
        rows.append(held(optimizer))
    return np.array(rows)


def agree(mine: Rates, others: Rates, exact: Callable[[int, int], Any] | None = None) -> int:
    """Within 1e-12 of each rate.

    The others compute what is small as a difference, as ``1 + cos(x)`` with x near pi, which leaves few right digits of a rate of
    1e-9. Where the two differ by more, their own code is asked again in high precision: it has to say that ours is right
    within 1e-13, and theirs is further from it.

    Args:
        mine: rows of rates.
        others: theirs.
        exact: what their code gives for a step and a group, in high precision; None where nothing cancels.

    Returns:
        At how many rates the two differ by more.
    """
    if exact is None:
        np.testing.assert_allclose(mine, others, rtol=1e-12, atol=0)
        return 0
    assert mine.shape == others.shape
    places = np.argwhere(~np.isclose(mine, others, rtol=1e-12, atol=0))
    for t, group in places.tolist():
        with mpmath.workdps(50):
            truth = exact(t, group)
            ours_off, theirs_off = (abs(mpmath.mpf(float(rows[t, group])) - truth) for rows in (mine, others))
            assert ours_off <= truth * mpmath.mpf("1e-13"), (t, group, truth)
            assert theirs_off > ours_off, (t, group, truth)
            assert theirs_off < mpmath.mpf("1e-15") * float(np.max(others)), "more than a difference's rounding"
    return len(places)


def in_high_precision(monkeypatch: Any, module: Any) -> None:
    """Let the code of a module compute with mpmath's functions and numbers."""
    monkeypatch.setattr(module, "math", mpmath)
    monkeypatch.setattr(module, "float", mpmath.mpf, raising=False)
