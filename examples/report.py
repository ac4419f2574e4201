"""What a run leaves behind beside its curve: a small JSON file, with the rates that were really used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytorch_lightning as pl


class Record(pl.Callback):
    """Remembers the rate of every update."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    def state_dict(self) -> dict[str, Any]:
        """A job that is killed and started again goes on with its record, too."""
        return {"rates": list(self.rates)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """What was recorded up to the checkpoint."""
        self.rates = list(state["rates"])

    def on_train_batch_start(self, trainer: pl.Trainer, *args: Any) -> None:
        """Read what the optimizer holds."""
        self.rates.append(float(trainer.optimizers[0].param_groups[0]["lr"]))


def write_result(path: Path, **result: Any) -> None:
    """One JSON object per job; a job that was cut short may write it again."""
    with path.open("w") as file:
        json.dump(result, file, indent=1)
