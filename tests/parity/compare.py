"""Whole runs of another library's scheduler, beside the converted one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

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


def agree(one: Rates, other: Rates) -> None:
    """Within 1e-12 of each rate."""
    np.testing.assert_allclose(one, other, rtol=1e-12, atol=0)


def agree_in_a_long_run(one: Rates, other: Rates) -> None:
    """Within 1e-12 of each rate, or 1e-15 of the largest one.

    The others compute a cosine's last rates as ``1 + cos(x)`` with x near pi, which cancels: what is left of a rate of
    1e-9 has few right digits there. `test_long_runs_differ_by_the_others_rounding` shows whose they are.
    """
    np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-15 * float(np.max(other)))
