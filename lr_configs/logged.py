"""What optimizers really hold, by the names that it is logged under."""

from __future__ import annotations

from torch.optim import Optimizer

from lr_configs.driver import Driver


class HeldRates:
    """What every optimizer really holds, by name."""

    def __init__(self, of: list[Optimizer], driver: Driver) -> None:
        self._optimizers = list(of)
        self._count = self._groups()
        self._entries: list[tuple[str, int, int, str, int | None]] = []
        classes = [type(optimizer).__name__ for optimizer in of]
        for number, optimizer in enumerate(of):
            tracks = [track for track in driver.tracks if track.optimizer is optimizer]
            label = next((track.key for track in tracks if not track.key.isdigit()), classes[number])
            if label == classes[number] and classes.count(label) > 1:
                label = f"{label}-{number}"
            for param in dict.fromkeys(["lr", *(track.plan.config.param for track in tracks)]):
                key, _, index = param.partition(".")
                for i, group in enumerate(optimizer.param_groups):
                    name = f"{param}/{label}/{group.get('name', i)}"
                    self._entries.append((name, number, i, key, int(index) if index else None))

    def _groups(self) -> int:
        return sum(len(optimizer.param_groups) for optimizer in self._optimizers)

    def fit(self) -> bool:
        """Whether these are still all groups."""
        return self._groups() == self._count

    def held(self) -> dict[str, float]:
        """Plain numbers."""
        groups = [optimizer.param_groups for optimizer in self._optimizers]
        values = {}
        for name, number, i, key, index in self._entries:
            value = groups[number][i][key]
            values[name] = float(value if index is None else value[index])
        return values
