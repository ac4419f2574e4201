"""Lightning Fabric: a loop of one's own on any device and in any number of processes, with the same schedules.

python examples/fabric.py --folder /tmp/run                     # stop it at any moment, and call it again
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from torch.utils.data import DataLoader, TensorDataset

from lr_configs import Horizon
from lr_configs.driver import Driver
from lr_configs.run import PlainRun


class FabricRun(PlainRun):
    """A run of several processes: one of them prints, and all follow the same metric."""

    def __init__(self, fabric: Fabric, horizon: Horizon) -> None:
        super().__init__(horizon, say=fabric.print)
        self.fabric, self.processes = fabric, fabric.world_size

    def mean(self, value: float) -> float:
        """The mean over the processes."""
        return float(self.fabric.all_reduce(torch.tensor(value), reduce_op="mean"))  # type: ignore[arg-type]


def main() -> None:
    """Train a small model until a plateau, and print the rate of every update."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("outputs/fabric"))
    parser.add_argument("--epochs", type=int, default=8)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    path = options.folder / "last.ckpt"

    fabric = Fabric(accelerator="cpu", devices=1)
    fabric.seed_everything(0, verbose=False)
    x = torch.randn(300, 8)
    loader: Any = fabric.setup_dataloaders(DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=50))
    net = torch.nn.Linear(8, 1)
    adam = torch.optim.AdamW(net.parameters(), lr=0.01)
    model, optimizer = fabric.setup(net, adam)

    driver = Driver(FabricRun(fabric, Horizon(epochs=options.epochs, steps_per_epoch=len(loader))))
    driver.drive({"name": "reduce_on_plateau", "monitor": "loss", "patience": 0, "warmup": "1ep"}, adam)
    if path.exists():
        saved = fabric.load(path)
        driver.load(saved["schedule"])  # decides, before anything is restored
        net.load_state_dict(saved["model"])
        adam.load_state_dict(saved["optimizer"])
    driver.start()
    driver.announce()

    for epoch in range(driver.epoch + 1, options.epochs):
        losses = []
        for inputs, targets in loader:
            loss = torch.nn.functional.mse_loss(model(inputs), targets)
            fabric.backward(loss)
            fabric.print(f"rate {adam.param_groups[0]['lr']!r}", flush=True)
            optimizer.step()  # the schedule advances by itself
            optimizer.zero_grad()
            losses.append(float(loss.detach()))
        driver.end_epoch(epoch)
        driver.metric("loss", round(sum(losses) / len(losses), 1))
        state = {"model": net.state_dict(), "optimizer": adam.state_dict(), "schedule": driver.save()}
        fabric.save(path.with_suffix(".tmp"), state)
        if fabric.is_global_zero:
            path.with_suffix(".tmp").replace(path)


if __name__ == "__main__":
    main()
