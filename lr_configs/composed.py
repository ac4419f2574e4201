"""What a composed config says: the schedules in it, who uses them, and the size of the run, each with its place."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lr_configs.errors import SchedulerConfigError
from lr_configs.groups import check_base
from lr_configs.horizon import LARGEST, Horizon
from lr_configs.registry import TARGET, by_torch_name, plain

#: `_target_` of the callback that drives schedules
CALLBACKS = ("lr_configs.LRSchedulerCallback", "lr_configs.callback.LRSchedulerCallback")
#: where torch's schedules are, and ours in torch's place
_TORCH = ("torch.optim.lr_scheduler", "torch.optim", "lr_configs.schedulers")
#: a value that is another node
_REFERENCE = re.compile(r"\$\{\s*(\.*)([\w.\[\]/-]+)\s*\}")
#: keys that say how long a run is, wherever they are
_EPOCHS = ("max_epochs", "num_epochs", "epochs", "num_train_epochs", "n_epochs")
_STEPS = ("max_steps", "max_updates", "total_steps", "num_steps")
_ACCUMULATION = ("accumulate_grad_batches", "gradient_accumulation_steps", "accumulation_steps", "grad_accum_steps")


# ---------------------------------------------------------------------------------------- a config as plain data


class Tree:
    """A composed config, read as far as it can be.

    Attributes:
        data: its values, dicts and lists; text where an interpolation cannot be resolved.
        raw: the same as written, interpolations unresolved.
        unresolved: dotted key -> why the value there cannot be read.
    """

    def __init__(self, config: Any) -> None:
        self.unresolved: dict[str, str] = {}
        if type(config).__module__.startswith("omegaconf"):
            from omegaconf import OmegaConf

            self.raw = OmegaConf.to_container(config, resolve=False)
            self.data = self._read(config, self.raw, "")
        else:
            self.raw = self.data = plain(config)
        if isinstance(self.data, dict):
            self.data.pop("hydra", None)

    def _read(self, node: Any, raw: Any, key: str) -> Any:
        if isinstance(raw, dict):
            return {str(k): self._item(node, k, v, dotted(key, k)) for k, v in raw.items() if (key, k) != ("", "hydra")}
        if isinstance(raw, list):
            return [self._item(node, i, v, dotted(key, i)) for i, v in enumerate(raw)]
        return raw

    def _item(self, node: Any, k: Any, raw: Any, key: str) -> Any:
        from omegaconf import OmegaConf

        if isinstance(raw, (dict, list)):
            return self._read(node[k], raw, key)
        if not isinstance(raw, str):
            return plain(raw)
        try:
            value = node[k]  # which resolves it
            return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else plain(value)
        except Exception as error:  # a resolver is the app's own code, and may raise anything
            self.unresolved[key] = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            return raw

    def nodes(self) -> Iterator[tuple[str, Any]]:
        """Every node that is written out in its place, with its dotted key, the outermost first."""
        yield from _nodes(self.data, self.raw, "")

    def references(self) -> Iterator[tuple[str, str]]:
        """Every key whose value is another node, and the key of that node."""
        for key, value in _values(self.raw, ""):
            match = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
            if match is not None:
                yield key, _absolute(match, key)

    def home(self, key: str) -> str:
        """The key at which a value is written out that this key may only refer to."""
        known = dict(self.references())
        for _ in range(len(known)):
            parts = key.split(".")
            for i in range(len(parts), 0, -1):
                head = ".".join(parts[:i])
                if head in known:
                    key = ".".join([known[head], *parts[i:]])
                    break
            else:
                break
        return key

    def at(self, key: str) -> Any:
        """The value at a dotted key; None where there is none."""
        value = self.data
        for part in key.split("."):
            if isinstance(value, dict) and part in value:
                value = value[part]
            elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
                value = value[int(part)]
            else:
                return None
        return value


def dotted(key: str, part: Any) -> str:
    """One key further down."""
    return f"{key}.{part}" if key else str(part)


def _nodes(data: Any, raw: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(raw, dict) and isinstance(data, dict):
        yield key, data
        for k, value in data.items():
            yield from _nodes(value, raw.get(k), dotted(key, k))
    elif isinstance(raw, list) and isinstance(data, list):
        for i, (value, written) in enumerate(zip(data, raw, strict=True)):
            yield from _nodes(value, written, dotted(key, i))


def _values(raw: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(raw, dict):
        for k, value in raw.items():
            if (key, k) != ("", "hydra"):
                yield from _values(value, dotted(key, k))
    elif isinstance(raw, list):
        for i, value in enumerate(raw):
            yield from _values(value, dotted(key, i))
    else:
        yield key, raw


def _absolute(match: re.Match[str], key: str) -> str:
    dots, path = match.groups()
    path = path.replace("[", ".").replace("]", "")
    if not dots:
        return path
    return ".".join([*key.split(".")[: -len(dots)], path])


# ---------------------------------------------------------------------------------------- the size of the run


@dataclass(frozen=True)
class RunSize:
    """What is known of a run, and from where.

    Attributes:
        bases: the parameter groups' own rates; empty where they are not known.
        names: the groups' names.
        epochs: in the run, or None.
        steps: optimizer updates in the run, or None.
        steps_per_epoch: optimizer updates in an epoch, gradient accumulation divided out, or None.
        sources: what was taken from where, a line for each (``lr 0.1 from optimizer.lr``).
        missing: what is not known, with the reason, a line for each.
    """

    bases: tuple[float, ...] = ()
    names: tuple[str | None, ...] = ()
    epochs: int | None = None
    steps: int | None = None
    steps_per_epoch: int | None = None
    sources: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def horizon(self) -> Horizon | None:
        """The run's size as schedules take it; None where nothing is known of it."""
        epochs, steps, per_epoch = self.epochs, self.steps, self.steps_per_epoch
        if epochs is None and steps is None:
            return None
        if per_epoch is None:
            return Horizon(epochs=epochs) if steps is None else Horizon(steps=steps)
        if epochs is None:
            return Horizon(steps=steps, steps_per_epoch=per_epoch)
        whole = Horizon(epochs=epochs, steps_per_epoch=per_epoch)
        if steps is not None and steps < epochs * per_epoch:
            return Horizon(steps=steps, steps_per_epoch=per_epoch)
        return whole

    def given(
        self,
        *,
        lr: float | None = None,
        groups: Mapping[str, float] | Sequence[float] | None = None,
        epochs: int | None = None,
        steps: int | None = None,
        steps_per_epoch: int | None = None,
    ) -> RunSize:
        """The same, with what the caller says in the place of what was found.

        Raises:
            SchedulerConfigError: for numbers that are none.
        """
        found = self
        if lr is not None:
            found = _without(replace(found, bases=(check_base("lr", lr),), names=(None,)), "lr ")
        if groups is not None:
            pairs = list(groups.items()) if isinstance(groups, Mapping) else [(None, one) for one in groups]
            bases = tuple(check_base("groups" if name is None else f"groups.{name}", rate) for name, rate in pairs)
            found = _without(replace(found, bases=bases, names=tuple(name for name, _ in pairs)), "lr ")
        for key, value in (("epochs", epochs), ("steps", steps), ("steps_per_epoch", steps_per_epoch)):
            if value is not None and not 0 < value <= LARGEST:
                raise SchedulerConfigError(key, value, "a run has a positive whole number of them", "Write 90")
        if steps_per_epoch is not None:
            found = _without(replace(found, steps_per_epoch=steps_per_epoch), "batches")
        if epochs is not None or steps is not None:
            found = _without(replace(found, epochs=epochs, steps=steps), "epochs ", "updates ")
        return found


def _without(size: RunSize, *words: str) -> RunSize:
    """Less the lines that begin with a word."""
    sources, missing = (tuple(x for x in lines if not x.startswith(words)) for lines in (size.sources, size.missing))
    return replace(size, sources=sources, missing=missing)


@dataclass(frozen=True)
class _Value:
    """A number, and the key at which it is."""

    number: float
    key: str


class _Sizes:
    """Finds the size of the run in a config."""

    def __init__(self, tree: Tree, schedules: set[str]) -> None:
        self.tree = tree
        self.nodes = [(key, node) for key, node in tree.nodes() if not _inside(key, schedules)]
        self.trainers = [(key, node) for key, node in self.nodes if _is_trainer(key, node)]
        self.sources: list[str] = []
        self.missing: list[str] = []

    def size(self, schedule: str, optimizer: str | None, total_steps: _Value | None) -> RunSize:
        """The size of the run as one schedule feels it."""
        self.sources, self.missing = [], []
        rate = self._rate(schedule, optimizer)
        epochs, steps, batches = self._length()
        if total_steps is not None:
            epochs, steps = None, total_steps
        for value, noun in ((epochs, "epochs"), (steps, "updates")):
            if value is not None:
                self.sources.append(f"{noun} {value.number:.0f} from {value.key}")
        return RunSize(
            bases=() if rate is None else (rate.number,),
            names=() if rate is None else (None,),
            epochs=None if epochs is None else int(epochs.number),
            steps=None if steps is None else int(steps.number),
            steps_per_epoch=self._updates(batches),
            sources=tuple(self.sources),
            missing=tuple(self.missing),
        )

    # -------------------------------------------------------------------------------- the rate

    def _rate(self, schedule: str, optimizer: str | None) -> _Value | None:
        found = [_Value(node["lr"], dotted(key, "lr")) for key, node in self.nodes if _is_optimizer(key, node)]
        if not found:
            names = ("lr", "learning_rate", "base_lr")
            found = [
                _Value(node[name], dotted(key, name)) for key, node in self.nodes for name in names if _rate(node, name)
            ]
        if len(found) > 1:
            found = _closest(found, schedule, optimizer)
        if len({one.number for one in found}) == 1:
            self.sources.append(f"lr {found[0].number:g} from {found[0].key}")
            return found[0]
        listed = ", ".join(f"{one.key} {one.number:g}" for one in found)
        self.missing.append(
            f"lr is one of {listed}: say which with --lr" if found else "lr is nowhere: say it with --lr"
        )
        return None

    # -------------------------------------------------------------------------------- its length

    def _length(self) -> tuple[_Value | None, _Value | None, _Value | None]:
        """Epochs, updates, and batches in an epoch."""
        for key, node in self.trainers:
            fast = node.get("fast_dev_run")
            if fast:
                count = _Value(1 if fast is True else int(fast), dotted(key, "fast_dev_run"))
                return _Value(1, count.key), count, count
        epochs, steps = self._one(_EPOCHS, "epochs"), self._one(_STEPS, "updates")
        if (
            epochs is None
            and steps is None
            and not any(line.startswith(("epochs", "updates")) for line in self.missing)
        ):
            self.missing.append("epochs are nowhere: say them with --epochs, or updates with --steps")
        return epochs, steps, self._batches()

    def _one(self, names: Sequence[str], noun: str) -> _Value | None:
        """The only positive count under one of these names; a trainer's before all others."""
        for nodes in (self.trainers, self.nodes):
            found = [
                _Value(node[name], dotted(key, name)) for key, node in nodes for name in names if _count(node.get(name))
            ]
            found = found if nodes is self.trainers else [one for one in found if one.key.count(".") <= 1]
            if len({one.number for one in found}) == 1:
                return found[0]
            if found:
                listed = ", ".join(f"{one.key} {one.number:g}" for one in found)
                option = "--epochs" if noun == "epochs" else "--steps"
                self.missing.append(f"{noun} are one of {listed}: say which with {option}")
                return None
        return None

    def _batches(self) -> _Value | None:
        for name in ("limit_train_batches", "overfit_batches"):
            for key, node in self.trainers:
                value = node.get(name)
                if _count(value) and not (isinstance(value, float) and value <= 1):
                    return _Value(value, dotted(key, name))
        return None

    def _updates(self, batches: _Value | None) -> int | None:
        """Optimizer updates in an epoch."""
        if any(isinstance(node.get("scheduling"), dict) and "_target_" in node for _, node in self.nodes):
            self.missing.append("batches: accumulation changes between epochs")
            return None
        accumulated = next(
            (
                _Value(node[name], dotted(key, name))
                for key, node in (self.trainers or self.nodes)
                for name in _ACCUMULATION
                if _count(node.get(name))
            ),
            None,
        )
        if batches is None:
            self.missing.append("batches in an epoch are not in the config: say updates with --steps-per-epoch")
            return None
        divisor = 1 if accumulated is None else int(accumulated.number)
        text = f"batches per epoch {batches.number:.0f} from {batches.key}"
        if divisor > 1 and accumulated is not None:
            text += f", {divisor} for an update from {accumulated.key}"
        self.sources.append(text)
        return math.ceil(int(batches.number) / divisor)


def _count(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0 and value == int(value)


def _rate(node: Any, name: str) -> bool:
    value = node.get(name)
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf


def _target(node: Any) -> str:
    target = node.get("_target_")
    return target if isinstance(target, str) else ""


def _is_trainer(key: str, node: dict[str, Any]) -> bool:
    named = _target(node).endswith("Trainer") or key.rpartition(".")[2] in ("trainer", "trainer_args", "training_args")
    return named and any(name in node for name in (*_EPOCHS, *_STEPS, *_ACCUMULATION, "limit_train_batches"))


def _is_optimizer(key: str, node: dict[str, Any]) -> bool:
    """Whether a node is an optimizer with a rate: by its target, or by its name."""
    words = f"{_target(node)} {key.rpartition('.')[2]}".lower()
    return _rate(node, "lr") and "optim" in words and not is_schedule(node)


def _closest(found: list[_Value], schedule: str, optimizer: str | None) -> list[_Value]:
    """Of several rates, those of the optimizer that has the schedule's name, or is nearest to it in the config."""
    words = {part for part in [*schedule.split("."), optimizer or ""] if part}

    def rank(one: _Value) -> tuple[int, int]:
        parts = one.key.split(".")
        shared = sum(1 for a, b in zip(parts, schedule.split("."), strict=False) if a == b)
        return len(words & set(parts)), shared

    best = max(map(rank, found))
    return [one for one in found if rank(one) == best]


def _inside(key: str, places: set[str]) -> bool:
    return any(key == place or key.startswith(f"{place}.") for place in places)


# ---------------------------------------------------------------------------------------- the schedules


@dataclass(frozen=True)
class Found:
    """A schedule in a config.

    Attributes:
        key: where it is written out, dotted.
        data: the node.
        size: the run as it feels it.
        ours: whether it is built by us; else it is a node of torch's class, which Hydra calls.
        users: the keys of what it is given to: callbacks, modules, other nodes.
        optimizer: the name of the optimizer that it drives, where a callback names it.
        broken: why it cannot be read, where it cannot.
    """

    key: str
    data: Any
    size: RunSize
    ours: bool = True
    users: tuple[str, ...] = ()
    optimizer: str | None = None
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
    target = _target(node) if isinstance(node, dict) else ""
    path, _, name = target.rpartition(".")
    return target in (TARGET, "lr_configs.builder.scheduler") or (path in _TORCH and by_torch_name(name) is not None)


def find(config: Any) -> list[Found]:
    """The schedules of a composed config, in the order in which they are written.

    A schedule that is written once and referred to (``scheduler: ${scheduler}``) is one.

    >>> found = find({"scheduler": {"_target_": "lr_configs.scheduler", "name": "step"}, "trainer": {"max_epochs": 9}})
    >>> [(one.key, one.size.epochs, one.size.sources) for one in found]
    [('scheduler', 9, ('epochs 9 from trainer.max_epochs',))]
    """
    return Finder(config).found


class Finder:
    """Looks through a composed config.

    Attributes:
        tree: the config.
        callbacks: the keys of our callbacks in it, and their nodes.
        found: the schedules.
    """

    def __init__(self, config: Any) -> None:
        self.tree = Tree(config)
        nodes = list(self.tree.nodes())
        self.callbacks = {key: node for key, node in nodes if _target(node) in CALLBACKS}
        self._users = self._all_users()
        places = self._places(nodes)
        self._sizes = _Sizes(self.tree, set(places))
        self.found = [self._schedule(key, *asked) for key, asked in places.items()]

    def _places(self, nodes: list[tuple[str, Any]]) -> dict[str, tuple[str | None, str | None]]:
        """The key of every schedule, with the optimizer that a callback gives it, and the key of that callback."""
        places: dict[str, tuple[str | None, str | None]] = {}
        for key, node in nodes:
            if is_schedule(node) and not _inside(key, set(places)):
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
        data = self.tree.at(key)
        broken = next((self._broken(at, why) for at, why in self.tree.unresolved.items() if _inside(at, {key})), None)
        return Found(
            key=key,
            data=data,
            size=self._sizes.size(key, optimizer, self._total_steps(callback, optimizer)),
            ours=callback is not None or not isinstance(data, dict) or _target(data) in ("", TARGET),
            users=tuple(self._used_by(key)),
            optimizer=optimizer,
            broken=broken,
        )

    def _broken(self, key: str, why: str) -> SchedulerConfigError:
        return SchedulerConfigError(
            key,
            self.tree.at(key),
            f"this cannot be read: {why}",
            "Give the missing value, or repair the interpolation",
        )

    def _used_by(self, key: str) -> Iterator[str]:
        """What refers to a schedule, or has it as an argument."""
        for home, keys in self._users.items():
            if home == key or key.startswith(f"{home}.") or home.startswith(f"{key}."):
                yield from (one for one in keys if not _inside(one, {key}))
        parts = key.split(".")
        for i in range(len(parts) - 1, 0, -1):
            above = self.tree.at(".".join(parts[:i]))
            if isinstance(above, dict) and "_target_" in above:
                yield ".".join(parts[:i])
                break

    def _total_steps(self, callback: str | None, optimizer: str | None) -> _Value | None:
        """What a callback says about the run's updates."""
        if callback is None:
            return None
        key, value = dotted(callback, "total_steps"), self.callbacks[callback].get("total_steps")
        if isinstance(value, dict):
            key, value = dotted(key, optimizer), value.get(optimizer)
        return _Value(value, key) if _count(value) else None
