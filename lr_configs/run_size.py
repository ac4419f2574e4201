"""The size of the run that a config describes: rates, epochs, updates, each with its place."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lr_configs.config_tree import Tree, dotted, inside, target_of
from lr_configs.errors import SchedulerConfigError
from lr_configs.groups import check_base
from lr_configs.horizon import LARGEST, Horizon
from lr_configs.optimizer_keys import number_at, optimizer_keys

#: keys that say how long a run is, wherever they are
_EPOCHS = ("max_epochs", "num_epochs", "epochs", "num_train_epochs", "n_epochs")
_STEPS = ("max_steps", "max_updates", "total_steps", "num_steps")
#: in the place of a key: what the caller says
GIVEN = "the caller"
_ACCUMULATION = ("accumulate_grad_batches", "gradient_accumulation_steps", "accumulation_steps", "grad_accum_steps")


@dataclass(frozen=True)
class RunSize:
    """What is known of a run, and from where.

    Attributes:
        bases: the parameter groups' own rates (values of `param`); empty where they are not known.
        names: the groups' names.
        epochs: in the run, or None.
        steps: optimizer updates in the run, or None.
        steps_per_epoch: optimizer updates in an epoch, gradient accumulation divided out, or None.
        param: what the schedule drives.
        sources: what was taken from where, a line for each (``lr 0.1 from optimizer.lr``).
        missing: what is not known, with the reason, a line for each.
    """

    bases: tuple[float, ...] = ()
    names: tuple[str | None, ...] = ()
    epochs: int | None = None
    steps: int | None = None
    steps_per_epoch: int | None = None
    param: str = "lr"
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
            found = _without(replace(found, bases=(check_base("lr", lr),), names=(None,)), f"{self.param} ")
        if groups is not None:
            pairs = list(groups.items()) if isinstance(groups, Mapping) else [(None, one) for one in groups]
            bases = tuple(check_base("groups" if name is None else f"groups.{name}", rate) for name, rate in pairs)
            found = _without(replace(found, bases=bases, names=tuple(name for name, _ in pairs)), f"{self.param} ")
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
class Value:
    """A number, and the key at which it is."""

    number: float
    key: str


class Sizes:
    """Finds the size of the run in a config."""

    def __init__(self, tree: Tree, schedules: set[str], batches: int | None) -> None:
        if batches is not None and not is_count(batches):
            raise SchedulerConfigError("batches", batches, "an epoch has a positive whole number of them", "Write 391")
        self.tree, self.given = tree, batches
        self.nodes = [(key, node) for key, node in tree.nodes() if not inside(key, schedules)]
        self.trainers = [(key, node) for key, node in self.nodes if _is_trainer(key, node)]
        self.optimizers = [(key, node) for key, node in self.nodes if _is_optimizer(key, node)]
        self.sources: list[str] = []
        self.missing: list[str] = []

    def size(self, schedule: str, optimizer: str | None, param: str, total_steps: Value | None) -> RunSize:
        """The size of the run as one schedule feels it."""
        self.sources, self.missing = [], []
        rate = self._own_value(schedule, optimizer, param)
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
            param=param,
            sources=tuple(self.sources),
            missing=tuple(self.missing),
        )

    def refused(self, param: str) -> SchedulerConfigError | None:
        """What an optimizer or a trainer of the config cannot take for a number; None where there is nothing of the kind."""
        torchs = [(key, node, param) for key, node in self.optimizers if optimizer_keys(target_of(node))]
        lengths = [(key, node, name) for key, node in self.trainers for name in (*_EPOCHS, *_STEPS)]
        for key, node, name in [*torchs, *lengths]:
            place, value = dotted(key, name), node.get(name)
            if isinstance(value, str) and place not in self.tree.unresolved:
                return SchedulerConfigError(place, value, "this is no number", "Write one, or leave the key out")
        return None

    # -------------------------------------------------------------------------------- the rate

    def _own_value(self, schedule: str, optimizer: str | None, param: str) -> Value | None:
        """The optimizer's own value of what a schedule drives."""
        found = self._values(param)
        if len(found) > 1:
            found = _closest(found, schedule, optimizer)
        if len({one.number for one in found}) == 1:
            self.sources.append(f"{param} {found[0].number:g} from {found[0].key}")
            return found[0]
        listed = ", ".join(f"{one.key} {one.number:g}" for one in found)
        if found:
            self.missing.append(f"{param} is one of {listed}: say which with --lr")
        else:
            self.missing.append(f"{param} is nowhere: say it with --lr")
        return None

    def _values(self, param: str) -> list[Value]:
        found = []
        for key, node in self.optimizers:
            written, known = number_at(node, param), optimizer_keys(target_of(node)) or {}
            usual = number_at(known, param)
            if written is not None:
                found.append(Value(written, dotted(key, param)))
            elif usual is not None and param.partition(".")[0] not in node:
                found.append(Value(usual, f"{target_of(node)}'s default"))
        if not found and param == "lr":
            found = [
                Value(node[name], dotted(key, name))
                for key, node in self.nodes
                for name in ("lr", "learning_rate", "base_lr")
                if _is_rate(node.get(name))
            ]
        return found

    def keys(self, schedule: str, optimizer: str | None) -> Mapping[str, Any] | None:
        """What the groups of a schedule's optimizer hold; None where that is not known."""
        nodes = {key: node for key, node in self.optimizers}
        nearest = _closest([Value(0, key) for key in nodes], schedule, optimizer) if len(nodes) > 1 else nodes
        several = [optimizer_keys(target_of(nodes[one.key if isinstance(one, Value) else one])) for one in nearest]
        return several[0] if len({*map(repr, several)}) == 1 else None

    # -------------------------------------------------------------------------------- its length

    def _length(self) -> tuple[Value | None, Value | None, Value | None]:
        """Epochs, updates, and batches in an epoch."""
        for key, node in self.trainers:
            fast = node.get("fast_dev_run")
            if fast:
                count = Value(1 if fast is True else int(fast), dotted(key, "fast_dev_run"))
                return Value(1, count.key), count, count
        epochs, steps = self._one(_EPOCHS, "epochs"), self._one(_STEPS, "updates")
        if (
            epochs is None
            and steps is None
            and not any(line.startswith(("epochs", "updates")) for line in self.missing)
        ):
            self.missing.append("epochs are nowhere: say them with --epochs, or updates with --steps")
        return epochs, steps, self._batches()

    def _one(self, names: Sequence[str], noun: str) -> Value | None:
        """The only positive count under one of these names; a trainer's before all others."""
        for nodes in (self.trainers, self.nodes):
            found = [
                Value(node[name], dotted(key, name))
                for key, node in nodes
                for name in names
                if is_count(node.get(name))
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

    def _batches(self) -> Value | None:
        """Batches in an epoch: those that the caller knows of, as far as the trainer takes them."""
        whole = None if self.given is None else Value(self.given, GIVEN)
        for name in ("overfit_batches", "limit_train_batches"):
            for key, node in self.trainers:
                limit, place = node.get(name), dotted(key, name)
                if _is_share(limit) and limit > 0:
                    if whole is None or limit == 1:  # 1.0: all of them, whatever the other limit says
                        return whole
                    return Value(int(whole.number * limit), f"{place} = {limit:g}")
                if is_count(limit) and not _is_share(limit) and (whole is None or limit <= whole.number):
                    return Value(limit, place)
        return whole

    def _updates(self, batches: Value | None) -> int | None:
        """Optimizer updates in an epoch."""
        if any(isinstance(node.get("scheduling"), dict) and "_target_" in node for _, node in self.nodes):
            self.missing.append("batches: accumulation changes between epochs")
            return None
        accumulated = next(
            (
                Value(node[name], dotted(key, name))
                for key, node in (self.trainers or self.nodes)
                for name in _ACCUMULATION
                if is_count(node.get(name))
            ),
            None,
        )
        if batches is None:
            self.missing.append("batches in an epoch are not in the config: say updates with --steps-per-epoch")
            return None
        divisor = 1 if accumulated is None else int(accumulated.number)
        text = f"batches per epoch {batches.number:.0f} {'as given' if batches.key == GIVEN else f'from {batches.key}'}"
        if divisor > 1 and accumulated is not None:
            text += f", {divisor} for an update from {accumulated.key}"
        self.sources.append(text)
        return math.ceil(int(batches.number) / divisor)


def is_count(value: Any) -> bool:
    """Whether a value is a positive whole number."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and 0 < value < math.inf and value == int(value)


def _is_share(value: Any) -> bool:
    """Whether a limit is a share of all batches; 1 is one batch, and 1.0 all of them."""
    return isinstance(value, float) and value <= 1


def _is_rate(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf


def _is_trainer(key: str, node: dict[str, Any]) -> bool:
    named = target_of(node).endswith("Trainer") or key.rpartition(".")[2] in (
        "trainer",
        "trainer_args",
        "training_args",
    )
    return named and any(name in node for name in (*_EPOCHS, *_STEPS, *_ACCUMULATION, "limit_train_batches"))


def _is_optimizer(key: str, node: dict[str, Any]) -> bool:
    """Whether a node is an optimizer: by its target, or by a rate and its name."""
    if optimizer_keys(target_of(node)) is not None:
        return True
    words = f"{target_of(node)} {key.rpartition('.')[2]}".lower()
    return _is_rate(node.get("lr")) and "optim" in words


def _closest(found: list[Value], schedule: str, optimizer: str | None) -> list[Value]:
    """Of several rates, those of the optimizer that has the schedule's name, or is nearest to it in the config."""
    words = {part for part in [*schedule.split("."), optimizer or ""] if part}

    def rank(one: Value) -> tuple[int, int]:
        parts = one.key.split(".")
        shared = sum(1 for a, b in zip(parts, schedule.split("."), strict=False) if a == b)
        return len(words & set(parts)), shared

    best = max(map(rank, found))
    return [one for one in found if rank(one) == best]
