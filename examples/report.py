"""What a run leaves behind: the rates that were really used, a picture of them, and a small JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytorch_lightning as pl


class Record(pl.Callback):
    """Remembers the rate of every update and the validation metric of every epoch."""

    def __init__(self, metric: str) -> None:
        self.metric, self.rates, self.scores = metric, [], []

    def state_dict(self) -> dict[str, Any]:
        """A job that is killed and started again goes on with its record, too."""
        return {"rates": list(self.rates), "scores": list(self.scores)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """What was recorded up to the checkpoint."""
        self.rates, self.scores = list(state["rates"]), list(state["scores"])

    def on_train_batch_start(self, trainer: pl.Trainer, *args: Any) -> None:
        """Read what the optimizer holds."""
        self.rates.append(float(trainer.optimizers[0].param_groups[0]["lr"]))

    def on_validation_end(self, trainer: pl.Trainer, *args: Any) -> None:
        """Read the metric."""
        if not trainer.sanity_checking and self.metric in trainer.callback_metrics:
            self.scores.append((len(self.rates), float(trainer.callback_metrics[self.metric])))


def picture(path: Path, title: str, rates: list[float], scores: list[tuple[int, float]], metric: str) -> None:
    """The rate per update, and below it the metric."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True)
    top.plot(range(len(rates)), rates, drawstyle="steps-post", color="tab:blue")
    top.set(title=title, ylabel="learning rate")
    if scores:
        bottom.plot(*zip(*scores, strict=True), marker=".", color="tab:orange")
    bottom.set(xlabel="optimizer updates", ylabel=metric)
    for axis in (top, bottom):
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def write_result(path: Path, **result: Any) -> None:
    """One JSON object per job; a job that was cut short may write it again."""
    with path.open("w") as file:
        json.dump(result, file, indent=1)
