"""A small conv net on scikit-learn's bundled digits; no line here knows of a schedule."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, random_split


class Digits(pl.LightningDataModule):
    """1797 images of 8 x 8 pixels, split into training and validation."""

    def __init__(self, batch_size: int = 64, val_share: float = 0.2, seed: int = 0) -> None:
        super().__init__()
        self.batch_size, self.val_share, self.seed = batch_size, val_share, seed

    def load(self) -> TensorDataset:
        """All images."""
        images, labels = load_digits(return_X_y=True)
        return TensorDataset(torch.tensor(images, dtype=torch.float32).view(-1, 1, 8, 8) / 16, torch.tensor(labels))

    def setup(self, stage: str | None = None) -> None:
        """Load and split."""
        data = self.load()
        n_val = int(len(data) * self.val_share)
        split = torch.Generator().manual_seed(self.seed)
        self.train, self.val = random_split(data, [len(data) - n_val, n_val], generator=split)

    def train_dataloader(self) -> DataLoader[Any]:
        """Shuffled."""
        return DataLoader(self.train, batch_size=self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        """In order."""
        return DataLoader(self.val, batch_size=512)


class ConvNet(nn.Sequential):
    """Two convolutions and a linear layer: (n, 1, 8, 8) -> (n, 10)."""

    def __init__(self, width: int = 16) -> None:
        super().__init__(
            nn.Conv2d(1, width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(8 * width, 10),
        )


class Linear(nn.Sequential):
    """Logistic regression: (n, 1, 8, 8) -> (n, 10)."""

    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.Linear(64, 10))


class Classifier(pl.LightningModule):
    """Trains a network on labelled images; `optimizer` is a function of the parameters."""

    def __init__(self, net: nn.Module, optimizer: Any) -> None:
        super().__init__()
        self.net, self.make_optimizer = net, optimizer

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Cross entropy."""
        images, labels = batch
        loss = nn.functional.cross_entropy(self.net(images), labels)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Loss and accuracy."""
        images, labels = batch
        logits = self.net(images)
        self.log("val_loss", nn.functional.cross_entropy(logits, labels))
        self.log("val_acc", (logits.argmax(1) == labels).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The optimizer alone: the schedule comes from the configuration."""
        return self.make_optimizer(self.parameters())
