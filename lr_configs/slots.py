"""A rate that is held in a tensor, written in place."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

_VIEWED = (torch.float32, torch.float64)


class Slot:
    """One tensor that holds a rate, and what was last seen in it.

    A view of a CPU tensor's memory writes one number ten times as fast as ``fill_``. The memory may be exchanged at any
    time (``t.data = ...``, ``share_memory_()``), so its address is compared before each use.

    Args:
        tensor: 0-dimensional, or of one element.

    Attributes:
        view: its memory, where it is looked at directly.
        address: where that memory was when it was looked at last.
        seen: what was there after the last write.
    """

    __slots__ = ("_version", "address", "seen", "tensor", "view")

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self._look()
        self.remember()

    def _look(self) -> None:
        tensor = self.tensor
        plain = tensor.device.type == "cpu" and tensor.dtype in _VIEWED
        memory: Any = tensor.detach().numpy().reshape(1) if plain else None
        self.view: Any = memoryview(memory) if plain else None
        self.address = tensor.data_ptr() if plain else 0

    @property
    def quick(self) -> bool:
        """Whether a write costs no call into torch's dispatcher."""
        return self.view is not None

    def _current(self) -> Any:
        if self.view is not None and self.tensor.data_ptr() != self.address:
            self._look()
        return self.view

    def remember(self) -> None:
        """What is there now is what was written."""
        view = self._current()
        # Reading a tensor on another device would wait for it: its version tells of edits there.
        self._version: int | None = None if view is not None else self.tensor._version
        self.seen = math.nan if view is None else view[0]

    def edited(self) -> bool:
        """Whether somebody else has written since."""
        view = self._current()
        return bool(self.tensor._version != self._version) if view is None else bool(view[0] != self.seen)

    def ratio(self, written: float) -> float:
        """What is there, over what was written."""
        before = written if self.view is None else self.seen
        return float(self.tensor) / before if before else 1.0

    def rounds(self, value: float) -> bool:
        """Whether what is there is `value`, but for the rounding of the tensor's type."""
        return math.isclose(float(self.tensor), value, rel_tol=2 * torch.finfo(self.tensor.dtype).eps)

    def write(self, value: float) -> None:
        """Write `value`, which whoever holds the tensor sees."""
        view = self._current()
        if view is None:
            with torch.no_grad():
                self.tensor.fill_(value)
            self._version = self.tensor._version
        else:
            view[0] = value
            self.seen = view[0]

    def __getstate__(self) -> tuple[Any, ...]:
        return self.tensor, self.seen, self._version == self.tensor._version

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.tensor, seen, unchanged = state
        self._look()
        self.remember()
        if self.view is not None:
            self.seen = seen
        elif not unchanged:
            self._version = None


def slots_of(groups: list[Any]) -> list[Slot | None]:
    """A slot for every group whose rate is a tensor; groups that share one share its slot."""
    known: dict[int, Slot] = {}
    slots: list[Slot | None] = []
    for group in groups:
        lr = group["lr"]
        if isinstance(lr, Tensor):
            slots.append(known.setdefault(id(lr), Slot(lr)) if id(lr) not in known else known[id(lr)])
        else:
            slots.append(None)
    return slots


def write_rate(group: Any, rate: float) -> None:
    """Put a rate into a group: in place where it is a tensor."""
    if isinstance(group["lr"], Tensor):
        Slot(group["lr"]).write(rate)
    else:
        group["lr"] = rate
