"""A training loop of one's own, with gradient accumulation and checkpoints: no trainer, no Lightning.

python examples/plain_loop.py --folder /tmp/run                 # stop it at any moment, and call it again
python examples/plain_loop.py --folder /tmp/run --epochs 12 --resume stretch
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from torch.utils.data import DataLoader, TensorDataset

from lr_configs import Horizon
from lr_configs.driver import Driver
from lr_configs.run import PlainRun

ACCUMULATE = 4


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
    loader = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=10)
    model = torch.nn.Linear(8, 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)

    horizon = Horizon(epochs=options.epochs, steps_per_epoch=math.ceil(len(loader) / ACCUMULATE))
    driver = Driver(PlainRun(horizon), resume=options.resume)
    driver.drive({"name": options.schedule, "warmup": "5%"}, optimizer)
    saved = torch.load(path, weights_only=True) if path.exists() else None
    if saved is not None:
        driver.load(saved["schedule"])  # decides, before anything is restored
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
    driver.start()
    driver.announce()

    done = 0 if saved is None else saved["batches"]  # of the epoch in progress
    for epoch in range(driver.epoch + 1, options.epochs):
        for i, (inputs, targets) in enumerate(loader):
            if i < done:
                continue
            torch.nn.functional.mse_loss(model(inputs), targets).div(ACCUMULATE).backward()
            last = i + 1 == len(loader)
            if (i + 1) % ACCUMULATE and not last:
                continue
            print(f"rate {optimizer.param_groups[0]['lr']!r}", flush=True)
            optimizer.step()  # the schedule advances by itself
            optimizer.zero_grad()
            if last:
                driver.end_epoch(epoch)
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "schedule": driver.save()}
            torch.save({**state, "batches": 0 if last else i + 1}, path.with_suffix(".tmp"))
            path.with_suffix(".tmp").replace(path)
        done = 0


if __name__ == "__main__":
    main()
