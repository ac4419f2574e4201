"""What optimizers really hold, by the names that it is logged under."""

from __future__ import annotations

from torch.optim import Optimizer

from lr_configs.driver import Driver


def labels(of: list[Optimizer], driver: Driver) -> list[str]:
    """What each optimizer is called: by the key of its schedule, or by its class, with its number where that says too little."""
    classes = [type(optimizer).__name__ for optimizer in of]
    found = []
    for number, optimizer in enumerate(of):
        keys = (track.key for track in driver.tracks if track.optimizer is optimizer)
        name = next((key for key in keys if not key.isdigit()), classes[number])
        found.append(f"{name}-{number}" if name == classes[number] and classes.count(name) > 1 else name)
    return found


class HeldRates:
    """What every optimizer really holds, by name."""

    def __init__(self, of: list[Optimizer], driver: Driver) -> None:
        self._optimizers = list(of)
        self._count = self._groups()
        self._entries: list[tuple[str, int, int, str, int | None]] = []
        for number, (optimizer, label) in enumerate(zip(of, labels(of, driver), strict=True)):
            tracks = [track for track in driver.tracks if track.optimizer is optimizer]
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
