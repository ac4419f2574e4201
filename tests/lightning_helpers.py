"""A tiny module that records the rate of every update, and a trainer for it."""

from __future__ import annotations

import logging
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, IterableDataset

logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)


class Tiny(pl.LightningModule):
    """One optimizer and no schedule; `rates` has what each update was made with."""

    def __init__(self, lr: float = 0.1, groups: int = 1, cls: Any = torch.optim.SGD, **kwargs: Any) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList(torch.nn.Linear(2, 2) for _ in range(groups))
        self.lr, self.cls, self.kwargs = lr, cls, kwargs
        self.rates: list[Any] = []
        self.metric = iter(())

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        loss = sum(layer(batch).sum() for layer in self.layers) * 1e-3
        self.log("train_loss", loss, on_epoch=True, on_step=False)
        return loss

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        rates = [float(group["lr"]) for group in optimizer.param_groups]
        self.rates.append(rates[0] if len(rates) == 1 else rates)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        if batch_idx == 0 and not self.trainer.sanity_checking:
            self.log("val_loss", next(self.metric, 1.0))
        else:
            self.log("val_loss", 1.0)

    def configure_optimizers(self) -> Any:
        groups = [{"params": layer.parameters(), "lr": self.lr / (i + 1)} for i, layer in enumerate(self.layers)]
        return self.cls(groups, lr=self.lr, **self.kwargs)


class Stream(IterableDataset):  # type: ignore[type-arg]
    """No length."""

    def __init__(self, n: int = 5) -> None:
        self.n = n

    def __iter__(self) -> Any:
        return iter(torch.ones(self.n * 2, 2))


def loader(batches: int = 5) -> Any:
    return DataLoader(torch.ones(2 * batches, 2), batch_size=2)


def trainer(*callbacks: Any, **kwargs: Any) -> Any:
    defaults: dict[str, Any] = {
        "accelerator": "cpu",
        "devices": 1,
        "logger": False,
        "enable_checkpointing": any(isinstance(c, pl.callbacks.ModelCheckpoint) for c in callbacks),
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "max_epochs": 3,
    }
    if kwargs.get("max_steps") or kwargs.get("max_time"):
        del defaults["max_epochs"]
    if kwargs.get("barebones"):
        defaults = {"accelerator": "cpu", "max_epochs": 3}
    return pl.Trainer(callbacks=list(callbacks), **{**defaults, **kwargs})


def fit(
    callback: Any, module: Any = None, *more: Any, batches: int = 5, ckpt: Any = None, train: Any = None, **kwargs: Any
) -> Any:
    """Train and return the module."""
    module = module or Tiny()
    run = trainer(*([callback] if callback is not None else []), *more, **kwargs)
    run.fit(module, loader(batches) if train is None else train, loader(2), ckpt_path=ckpt)
    return module
