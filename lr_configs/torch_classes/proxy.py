"""Optimizers that only look like one: copies of the groups' numbers, and another hyper-parameter in the rate's place."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

from torch.optim import Optimizer

from lr_configs.optimizer_keys import check_number


class Proxy(Optimizer):
    """An optimizer with copies of the groups' numbers, on which a stage can be built without a trace."""

    def __init__(self, optimizer: Any) -> None:
        self.defaults = optimizer.defaults
        self.param_groups = []
        for group in optimizer.param_groups:
            base = float(group.get("initial_lr", group["lr"]))
            copied = {k: v for k, v in group.items() if k not in ("params", "max_lr", "min_lr")}
            self.param_groups.append({**copied, "lr": base, "initial_lr": base})
        self.state = {}  # type: ignore[assignment]

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Nothing: the proxy is never trained with."""


class GroupView(MutableMapping[str, Any]):
    """One parameter group, with ``lr`` standing for the hyper-parameter and ``initial_lr`` for its first value."""

    def __init__(self, group: dict[str, Any], key: str, index: int | None) -> None:
        self.group, self._key, self._index = group, key, index
        self._name = key if index is None else f"{key}.{index}"

    def _real(self, key: str) -> str:
        # torch keeps a scheduler's first value, peak and floor in the group: each parameter its own.
        return key if key in ("params", "name", "momentum", "betas") else f"{key.removesuffix('_lr')}_{self._name}"

    def __getitem__(self, key: str) -> Any:
        if key != "lr":
            return self.group[self._real(key)]
        value = self.group[self._key]
        return value if self._index is None else value[self._index]

    def __setitem__(self, key: str, value: Any) -> None:
        if key != "lr":
            self.group[self._real(key)] = value
        elif self._index is None:
            self.group[self._key] = value
        else:
            values = list(self.group[self._key])
            values[self._index] = value
            self.group[self._key] = type(self.group[self._key])(values)

    def __delitem__(self, key: str) -> None:
        del self.group[self._real(key)]

    def __contains__(self, key: object) -> bool:
        return key == "lr" or (isinstance(key, str) and self._real(key) in self.group)

    def __iter__(self) -> Iterator[str]:
        yield "lr"
        yield from (key for key in ("initial_lr", "params", "name") if self._real(key) in self.group)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GroupView) and other.group is self.group

    __hash__ = None  # type: ignore[assignment]


class ParamView(Optimizer):
    """Looks like an optimizer whose rate is the hyper-parameter `param` of the real one.

    Args:
        optimizer: the real optimizer.
        param: a numeric key of its groups, or an element of one (``betas.0``).

    Raises:
        SchedulerConfigError: where a group has no such number.

    >>> import torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, weight_decay=0.5)
    >>> view = ParamView(optimizer, "weight_decay")
    >>> view.param_groups[0]["lr"] = 0.25
    >>> optimizer.param_groups[0]["weight_decay"]
    0.25
    """

    def __init__(self, optimizer: Any, param: str) -> None:
        self.real, self.param = optimizer, param
        key, _, index = param.partition(".")
        self._key, self._index = key, int(index) if index.isdigit() else None
        for i, group in enumerate(optimizer.param_groups):
            check_number(group, param, f"parameter group {i} of {type(optimizer).__name__}")
        self.defaults = optimizer.defaults

    @property
    def param_groups(self) -> list[Any]:  # type: ignore[override]
        """A view of every group of the real optimizer, which may replace and add groups."""
        return [GroupView(group, self._key, self._index) for group in self.real.param_groups]

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Nothing: the real optimizer steps."""

    def __getstate__(self) -> dict[str, Any]:
        # torch has put a function into the place of `step`, which nobody calls.
        return {k: v for k, v in self.__dict__.items() if k != "step"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __repr__(self) -> str:
        return f"{type(self.real).__name__}.{self.param}"
