"""Draws the README's curves with the very arrays that training uses: `make docs`."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from lr_configs import Horizon, available, curve

matplotlib.rcParams["svg.hashsalt"] = "lr_configs"  # the same file for the same curve
FOLDER = Path(__file__).parent / "curves"
RUN = Horizon(epochs=30, steps_per_epoch=23)
#: what shows a schedule's character where its defaults alone do not
SHOWN = {
    "lambda": {"lr_lambda": "0.95 ** epoch"},
    "multiplicative": {"lr_lambda": "0.95"},
    "constant": {"total_iters": "30%"},
    "linear": {"start_factor": 0.1, "total_iters": "40%"},
    "polynomial": {"total_iters": "100%", "power": 2.0},
    "exponential": {"gamma": 0.9},
    "cyclic": {"step_size_up": "10%", "mode": "triangular2"},
    "cosine_warm_restarts": {"T_0": "2ep", "T_mult": 2, "interval": "step"},
    "noam": {"d_model": 1, "warmup_steps": "3%"},
    "warmup_stable_decay": {"warmup": "5%", "decay": "20%"},
    "cosine": {"interval": "step", "warmup": "5%"},
}


def plateau() -> np.ndarray:
    """A rate that a metric drives: here the metric stops improving at a third and at two thirds."""
    return 0.1 * 0.1 ** np.searchsorted([230, 460], np.arange(690), side="right")


def draw(name: str) -> None:
    """One small picture."""
    node = {"name": name, **SHOWN.get(name, {})}
    values = plateau() if name == "reduce_on_plateau" else curve(node, base_lr=0.1, horizon=RUN)
    figure = Figure(figsize=(2.4, 0.8), layout="constrained")
    axis = figure.subplots()
    epochs = np.arange(len(values) + 1) * 30 / len(values)
    axis.step(epochs, [*values, values[-1]], where="post", linewidth=1.4)
    axis.set(ylim=(-0.008, 0.108), xticks=[], yticks=[])
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    figure.savefig(FOLDER / f"{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for schedule in available():
        draw(schedule)
