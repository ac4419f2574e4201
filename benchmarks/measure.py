"""How all benchmarks measure."""

from __future__ import annotations

import gc
import math
import os
import time
from collections.abc import Callable
from typing import Any


def best(
    candidates: dict[str, Callable[[], Any]],
    repeat: int,
    number: int = 1,
    clock: Callable[[], float] = time.thread_time,
) -> dict[str, float]:
    """Seconds of one call of each candidate at its quickest, on this thread's own clock; the candidates take turns."""
    times = dict.fromkeys(candidates, math.inf)
    for function in candidates.values():
        function()
    gc.collect()
    gc.disable()
    for _ in range(repeat):
        for name, function in candidates.items():
            start = clock()
            for _ in range(number):
                function()
            times[name] = min(times[name], (clock() - start) / number)
    gc.enable()
    return times


def children() -> float:
    """The clock of processes that were waited for: what they used of a core, however busy the machine is."""
    times = os.times()
    return times.children_user + times.children_system
