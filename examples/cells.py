"""A second data set that comes with scikit-learn: 569 biopsies, 30 measurements of cell nuclei each, benign or malignant."""

from __future__ import annotations

import torch
from digits import Digits
from sklearn.datasets import load_breast_cancer
from torch import nn
from torch.utils.data import TensorDataset


class Cells(Digits):
    """Each measurement has mean 0 and deviation 1 over the training rows."""

    def load(self) -> TensorDataset:
        """All rows, as they are."""
        rows, labels = load_breast_cancer(return_X_y=True)
        return TensorDataset(torch.tensor(rows, dtype=torch.float32), torch.tensor(labels))

    def setup(self, stage: str | None = None) -> None:
        """Load, split and scale."""
        super().setup(stage)
        rows = self.train.dataset.tensors[0]
        known = rows[self.train.indices]
        rows.sub_(known.mean(0)).div_(known.std(0))


class Perceptron(nn.Sequential):
    """One hidden layer: (n, 30) -> (n, 2)."""

    def __init__(self, width: int = 32) -> None:
        super().__init__(nn.Linear(30, width), nn.ReLU(), nn.Linear(width, 2))
