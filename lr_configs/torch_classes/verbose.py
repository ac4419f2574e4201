"""Torch's old line at every change of a rate."""

from __future__ import annotations

import math
from typing import Any

import torch


def announce(scheduler: Any, before: list[float]) -> None:
    """Print a line for every group whose rate is no longer what it was before.

    Args:
        scheduler: one of ours, built from a config.
        before: what the groups held.
    """
    plan, count = scheduler.plan, int(scheduler.position) * scheduler.plan.frequency
    for i, (old, new) in enumerate(zip(before, scheduler.held(), strict=False)):
        if not math.isclose(old, new, rel_tol=1e-12):
            line = f"{plan.interval.capitalize()} {count:05d}: adjusting learning rate of group {i} to {new:.4e}."
            if scheduler.printer is not None:
                scheduler.printer(line)
            elif not _rank():
                print(line)  # noqa: T201 - what `verbose` is for


def _rank() -> int:
    distributed = torch.distributed
    return distributed.get_rank() if distributed.is_available() and distributed.is_initialized() else 0
