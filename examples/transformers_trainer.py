"""Transformers' Trainer with a schedule of ours: ``optimizers=(optimizer, schedule)``, the run's length from its arguments.

python examples/transformers_trainer.py --schedule one_cycle --epochs 3
"""

from __future__ import annotations

import argparse
import math

import torch
from transformers import Trainer, TrainerCallback, TrainingArguments

import lr_configs


class Linear(torch.nn.Module):
    """A model as the Trainer wants it: its inputs by name, its loss first."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(8, 1)

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The loss."""
        return (torch.nn.functional.mse_loss(self.layer(x), labels),)


class Rates(TrainerCallback):
    """Print the rate of every update."""

    def on_step_begin(self, args, state, control, optimizer=None, **_):  # noqa: D102 - the Trainer's hook
        print(f"rate {optimizer.param_groups[0]['lr']!r}", flush=True)


def main() -> None:
    """Train a small model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedule", default="cosine")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--folder", default="outputs/transformers_trainer")
    options = parser.parse_args()
    data = [{"x": x, "labels": x.sum(0, keepdim=True)} for x in torch.randn(120, 8)]
    arguments = TrainingArguments(
        options.folder, num_train_epochs=options.epochs, per_device_train_batch_size=8, gradient_accumulation_steps=2,
        report_to=[], save_strategy="no", disable_tqdm=True, use_cpu=True,
    )  # fmt: skip
    batches = math.ceil(len(data) / (arguments.train_batch_size * arguments.world_size))
    updates = math.ceil(batches / arguments.gradient_accumulation_steps)
    horizon = lr_configs.Horizon(epochs=int(arguments.num_train_epochs), steps_per_epoch=updates)
    model = Linear()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    node = {"name": options.schedule, "warmup": "10%", "interval": "step"}  # as the Trainer calls step()
    schedule = lr_configs.build(node, optimizer, horizon)
    Trainer(model, arguments, train_dataset=data, optimizers=(optimizer, schedule), callbacks=[Rates()]).train()


if __name__ == "__main__":
    main()
