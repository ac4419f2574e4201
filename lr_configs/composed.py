"""What a composed config says: the schedules in it, who uses them, and the size of their run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lr_configs.config_tree import Tree, dotted, inside, target_of
from lr_configs.errors import SchedulerConfigError
from lr_configs.registry import CLASS_MODULES, TARGETS, by_torch_name
from lr_configs.run_size import RunSize, Sizes, Value, is_count

#: `_target_` of the callback that drives schedules
CALLBACKS = ("lr_configs.LRSchedulerCallback", "lr_configs.callback.LRSchedulerCallback")


@dataclass(frozen=True)
class Found:
    """A schedule in a config.

    Attributes:
        key: where it is written out, dotted.
        data: the node.
        size: the run as it feels it.
        ours: whether it is built by us; else it is a node of torch's class, which Hydra calls.
        callback: the key of the callback of ours that drives it, if one does.
        users: the keys of what it is given to: callbacks, modules, other nodes.
        optimizer: the name of the optimizer that it drives, where a callback names it.
        group_keys: what the groups of its optimizer hold, with torch's defaults; None where that is not known.
        broken: why it, or a number of its run, cannot be read.
    """

    key: str
    data: Any
    size: RunSize
    ours: bool = True
    callback: str | None = None
    users: tuple[str, ...] = ()
    optimizer: str | None = None
    group_keys: Mapping[str, Any] | None = None
    broken: SchedulerConfigError | None = None

    @property
    def node(self) -> Any:
        """The node, as :func:`lr_configs.registry.parse` takes it.

        Raises:
            SchedulerConfigError: where a value is missing, or an interpolation cannot be resolved.
        """
        if self.broken is not None:
            raise self.broken
        return self.data


def is_schedule(node: Any) -> bool:
    """Whether a node is a schedule, ours or a class of torch's that is known here.

    >>> is_schedule({"_target_": "lr_configs.scheduler", "name": "step"}), is_schedule({"_target_": "my.Model"})
    (True, False)
    """
    target = target_of(node) if isinstance(node, dict) else ""
    path, _, name = target.rpartition(".")
    return target in TARGETS or (path in CLASS_MODULES and by_torch_name(name) is not None)


def find(config: Any, batches: int | None = None) -> list[Found]:
    """The schedules of a composed config, in the order in which they are written.

    A schedule that is written once and referred to (``scheduler: ${scheduler}``) is one.

    Args:
        config: what Hydra composed, or plain data.
        batches: in an epoch of the training data, where the caller knows it.

    >>> found = find({"scheduler": {"_target_": "lr_configs.scheduler", "name": "step"}, "trainer": {"max_epochs": 9}})
    >>> [(one.key, one.size.epochs, one.size.sources) for one in found]
    [('scheduler', 9, ('epochs 9 from trainer.max_epochs',))]
    """
    return Finder(config, batches).found


class Finder:
    """Looks through a composed config.

    Args:
        config: what Hydra composed, or plain data.
        batches: in an epoch of the training data, where the caller knows it.

    Attributes:
        tree: the config.
        callbacks: the keys of our callbacks in it, and their nodes.
        found: the schedules.
    """

    def __init__(self, config: Any, batches: int | None = None) -> None:
        self.tree = Tree(config)
        nodes = list(self.tree.nodes())
        self._nodes = dict(nodes)
        self.callbacks = {key: node for key, node in nodes if target_of(node) in CALLBACKS}
        self._users = self._all_users()
        places = self._places(nodes)
        self._sizes = Sizes(self.tree, set(places), batches)
        self.found = [self._schedule(key, *asked) for key, asked in places.items()]

    def _places(self, nodes: list[tuple[str, Any]]) -> dict[str, tuple[str | None, str | None]]:
        """The key of every schedule, with the optimizer that a callback gives it, and the key of that callback."""
        places: dict[str, tuple[str | None, str | None]] = {}
        for key, node in nodes:
            if is_schedule(node) and not inside(key, set(places)):
                places[key] = (None, None)
        for callback in self.callbacks:
            for key, optimizer in self._of_callback(callback):
                places[self.tree.home(key)] = (optimizer, callback)
        order = [key for key, _ in nodes]
        return dict(sorted(places.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order)))

    def _of_callback(self, key: str) -> Iterator[tuple[str, str | None]]:
        """The keys of the schedules that a callback is given, with the optimizers that it names."""
        node = self.callbacks[key]
        one, several = node.get("scheduler"), node.get("schedulers")
        if one is not None:
            yield from self._listed(dotted(key, "scheduler"), one, None)
        if isinstance(several, dict):
            for name, value in several.items():
                yield from self._listed(dotted(dotted(key, "schedulers"), name), value, str(name))

    def _listed(self, key: str, value: Any, optimizer: str | None) -> Iterator[tuple[str, str | None]]:
        if isinstance(value, list):
            yield from ((dotted(key, i), optimizer) for i in range(len(value)))
        elif value is not None:
            yield key, optimizer

    def _all_users(self) -> dict[str, list[str]]:
        """Key of a node -> the keys that refer to it."""
        found: dict[str, list[str]] = {}
        for key, _ in self.tree.references():
            found.setdefault(self.tree.home(key), []).append(key)
        return found

    def _schedule(self, key: str, optimizer: str | None, callback: str | None) -> Found:
        data = self._nodes.get(key) or self.tree.at(key)  # a key may have a dot in it
        param = str(data.get("param", "lr")) if isinstance(data, dict) else "lr"
        broken = next(
            (self._broken(key, at, why) for at, why in self.tree.unresolved.items() if inside(at, {key})),
            self._sizes.refused(param),
        )
        return Found(
            key=key,
            data=data,
            size=self._sizes.size(key, optimizer, param, self._total_steps(callback, optimizer)),
            group_keys=self._sizes.keys(key, optimizer),
            ours=callback is not None or not isinstance(data, dict) or target_of(data) in ("", *TARGETS),
            callback=callback,
            users=tuple(self._used_by(key)),
            optimizer=optimizer,
            broken=broken,
        )

    def _broken(self, schedule: str, key: str, why: str) -> SchedulerConfigError:
        if key == schedule:
            schedule = key.rpartition(".")[0]
        return SchedulerConfigError(
            key.removeprefix(f"{schedule}."),
            self.tree.at(key),
            f"this cannot be read: {why}",
            "Give the missing value, or repair the interpolation",
            schedule,
        )

    def _used_by(self, key: str) -> Iterator[str]:
        """What refers to a schedule, or has it as an argument."""
        for home, keys in self._users.items():
            if home == key or key.startswith(f"{home}.") or home.startswith(f"{key}."):
                yield from (one for one in keys if not inside(one, {key}))
        parts = key.split(".")
        for i in range(len(parts) - 1, 0, -1):
            above = self.tree.at(".".join(parts[:i]))
            if isinstance(above, dict) and "_target_" in above:
                yield ".".join(parts[:i])
                break

    def _total_steps(self, callback: str | None, optimizer: str | None) -> Value | None:
        """What a callback says about the run's updates."""
        if callback is None:
            return None
        key, value = dotted(callback, "total_steps"), self.callbacks[callback].get("total_steps")
        if isinstance(value, dict):
            key, value = dotted(key, optimizer), value.get(optimizer)
        return Value(value, key) if is_count(value) else None
