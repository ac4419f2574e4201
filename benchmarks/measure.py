"""How all benchmarks measure."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from typing import Any


def medians(candidates: dict[str, Callable[[], Any]], repeat: int, number: int = 1) -> dict[str, float]:
    """Median seconds of one call of each candidate; the candidates take turns."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for function in candidates.values():
        function()
    gc.collect()
    gc.disable()
    for _ in range(repeat):
        for name, function in candidates.items():
            start = time.perf_counter()
            for _ in range(number):
                function()
            times[name].append((time.perf_counter() - start) / number)
    gc.enable()
    return {name: statistics.median(values) for name, values in times.items()}
