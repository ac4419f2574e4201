"""A training loop of one's own, with gradient accumulation and checkpoints: no trainer, no Lightning.

python examples/plain_loop.py --folder /tmp/run                 # stop it at any moment, and call it again
python examples/plain_loop.py --folder /tmp/run --epochs 12 --resume stretch
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch.utils.data import DataLoader, TensorDataset

from lr_configs import Horizon
from lr_configs.loop import Loop


def main() -> None:
    """Train a small model, and print the rate of every update."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("outputs/plain_loop"))
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--schedule", default="cosine")
    parser.add_argument("--resume", default="strict")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    path = options.folder / "last.pt"

    torch.manual_seed(0)
    x = torch.randn(300, 8)
    loader = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=40)
    model = torch.nn.Linear(8, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)

    horizon = Horizon(epochs=options.epochs, steps_per_epoch=len(loader))  # in updates, however many parts each has
    loop = Loop({"name": options.schedule, "warmup": "5%"}, optimizer, horizon, resume=options.resume)
    saved = torch.load(path, weights_only=True) if path.exists() else None
    loop.begin(saved and saved["loop"])
    if saved:
        model.load_state_dict(saved["model"])

    for _ in loop.epochs():
        for inputs, targets in loop.batches(loader):
            for some, wanted in zip(inputs.split(10), targets.split(10), strict=True):
                torch.nn.functional.mse_loss(model(some), wanted, reduction="sum").div(len(inputs)).backward()
            print(f"rate {optimizer.param_groups[0]['lr']!r}", flush=True)
            optimizer.step()  # the schedule advances by itself
            optimizer.zero_grad()
            torch.save({"model": model.state_dict(), "loop": loop.save()}, path.with_suffix(".tmp"))
            path.with_suffix(".tmp").replace(path)


if __name__ == "__main__":
    main()
