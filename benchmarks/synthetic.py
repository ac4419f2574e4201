"""Sweeps that never ran: manifests by the thousand, as the callback writes them."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

from lr_configs.sweeps.manifest import Job, Task, read

SCHEDULES = ("none", "step", "cosine", "one_cycle", "rex", "linear", "polynomial", "exponential", "noam", "power")


def sweep(folder: Path, jobs: int, points: int = 128, seed: int = 0) -> None:
    """A folder with the manifests of `jobs` jobs: schedules x rates x seeds; one in fifty has failed."""
    chance = random.Random(seed)
    template = folder / "template"
    Job(Task(template, [], 0, multirun=True)).end("finished", value=1.0)
    whole = read(template / "manifest.json").data
    (template / "manifest.json").unlink()
    template.rmdir()
    x = [round(10_000 * i / (points - 1)) for i in range(points)]
    rates = [[i, float(f"{0.05 * (1 + math.cos(math.pi * i / 10_000)):.6g}")] for i in x]
    seeds = max(jobs // (len(SCHEDULES) * 10), 1)
    for number in range(jobs):
        name, rest = SCHEDULES[number // (10 * seeds) % len(SCHEDULES)], number % (10 * seeds)
        rate, repetition = (rest // seeds + 1) / 20, rest % seeds
        last = 0.9 + 0.01 * SCHEDULES.index(name) - (rate - 0.2) ** 2 / 5 + chance.gauss(0, 0.01)
        metric = [[i, float(f"{last * (1 - math.exp(-(i + 500) / 2000)):.6g}")] for i in x]
        failed = number % 50 == 49
        data = {
            **whole, "status": "failed" if failed else "finished", "number": number,
            "reason": f"RuntimeError: loss is nan in update {number} [train.py:{number % 7}]" if failed else None,
            "overrides": [f"scheduler={name}", f"optimizer.lr={rate}", f"seed={repetition}"],
            "command": f"python train.py scheduler={name} optimizer.lr={rate} seed={repetition}",
            "value": None if failed else last, "objective": {"metric": "val_acc", "mode": "max"}, "updates": 10_000,
            "schedules": [{"name": name, "optimizer": "0"}], "rates": {"lr/SGD/0": {"points": rates}},
            "metrics": {"val_acc": {
                "points": metric, "last": [10_000, last], "least": metric[0], "greatest": [10_000, last],
            }},
        }  # fmt: skip
        job = folder / str(number)
        job.mkdir(parents=True)
        (job / "manifest.json").write_text(json.dumps(data, separators=(",", ":")))
