"""Lightning Fabric: a loop of one's own on any device and in any number of processes, with the same schedules.

python examples/fabric.py --folder /tmp/run    # (pip install lightning) stop it at any moment, and call it again
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from torch.utils.data import DataLoader, TensorDataset

from lr_configs import Horizon
from lr_configs.fabric_run import FabricRun
from lr_configs.loop import Loop


def main() -> None:
    """Train a small model until a plateau, and print the rate of every update."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("outputs/fabric"))
    path = parser.parse_args().folder / "last.ckpt"

    fabric = Fabric(accelerator="cpu", devices=1)
    fabric.seed_everything(0, verbose=False)
    x = torch.randn(300, 8)
    loader: Any = fabric.setup_dataloaders(DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=50))
    net = torch.nn.Linear(8, 1)
    adam = torch.optim.AdamW(net.parameters(), lr=0.01)
    model, optimizer = fabric.setup(net, adam)

    run = FabricRun(fabric, Horizon(epochs=8, steps_per_epoch=len(loader)))
    loop = Loop({"name": "reduce_on_plateau", "monitor": "loss", "patience": 0, "warmup": "1ep"}, adam, run)
    saved = fabric.load(path) if path.exists() else None
    loop.begin(saved and saved["loop"])
    if saved:
        net.load_state_dict(saved["model"])

    for _ in loop.epochs():
        losses = []
        for inputs, targets in loop.batches(loader):
            loss = torch.nn.functional.mse_loss(model(inputs), targets)
            fabric.backward(loss)
            fabric.print(f"rate {adam.param_groups[0]['lr']!r}", flush=True)
            optimizer.step()  # the schedule advances by itself
            optimizer.zero_grad()
            losses.append(float(loss.detach()))
        loop.end_epoch()
        loop.metric("loss", round(sum(losses) / len(losses), 1))
        fabric.save(path.with_suffix(".tmp"), {"model": net.state_dict(), "loop": loop.save()})
        if fabric.is_global_zero:
            path.with_suffix(".tmp").replace(path)


if __name__ == "__main__":
    main()
