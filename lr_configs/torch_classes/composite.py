"""Schedules made of schedules: the stages are curves, and only the outermost scheduler writes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from torch.optim import Optimizer, lr_scheduler

from lr_configs.curve_tree import Curve, Product, Stages, surround
from lr_configs.schedules import ChainedSchedulerConfig, SequentialLRConfig
from lr_configs.torch_classes.base import CurveScheduler
from lr_configs.torch_classes.order import tracks_order
from lr_configs.torch_classes.plateau import ReduceLROnPlateau
from lr_configs.torch_classes.verbose import announce


class _Composite(CurveScheduler):
    """What SequentialLR and ChainedScheduler share."""

    _schedulers: list[Any]
    multiplies = False
    foreign: bool = False  # a stage is not ours: torch's own stepping then
    step_key: ClassVar[str] = "last_epoch"

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if name == "gate" and self.__dict__.get("writer") is not None:
            self.__dict__["writer"].alone = False

    @property
    def _step_count(self) -> int:  # type: ignore[override]
        # torch's composites have no such attribute, and their state no such key.
        return int(self.__dict__.get("steps_made", 1))

    @_step_count.setter
    def _step_count(self, value: int) -> None:
        self.__dict__["steps_made"] = value

    def check_order(self) -> None:
        """Only where a stage has made torch watch the optimizer."""
        if tracks_order(self.optimizer):
            super().check_order()

    # ---------------------------------------------------------------- building

    def take_stages(self) -> None:
        """The stages become curves; what they did to the rates while they were built is undone."""
        for stage in self._schedulers:
            stage.become_curve()
        self.own_bases = [float(group.get("initial_lr", group["lr"])) for group in self.groups]
        for group, base in zip(self.groups, self.own_bases, strict=True):
            group.setdefault("initial_lr", base)

    def become_curve(self) -> None:
        """Make the curve; a stage is no more than that."""
        self.curve = self.make_curve()
        self.writer = None

    def arranged(self) -> Curve:
        """The curves of the stages, put together."""
        raise NotImplementedError

    def make_curve(self) -> Curve:
        """The arrangement, with what the plan puts around it."""
        inner = self.arranged()
        return inner if self.plan is None else surround(inner, self.plan)

    def rebind(self) -> None:
        """Each stage follows its own parameters."""

    def group_bases(self) -> list[float]:
        """The groups' own rates: a stage's may be bounds of its own."""
        return list(self.own_bases)

    # ---------------------------------------------------------------- stepping

    def step(self, epoch: Any = None) -> None:
        """Advance by one step; a metric-driven composite takes the metric here, as ``step(metrics)``."""
        own, writer = self.__dict__, self.writer
        if epoch is None and writer is not None and writer.alone:
            own["steps_made"] += 1
            own[self.step_key] = t = own[self.step_key] + 1
            writer.move(t)
            return
        if epoch is not None and self.metric_driven and not self.foreign:
            self.step()
            self.react(epoch)
            return
        super().step(epoch)

    def _step_fully(self, epoch: Any) -> None:
        if self.foreign:
            super(CurveScheduler, self).step()  # type: ignore[misc]
            return
        super()._step_fully(epoch)

    @property
    def metric_driven(self) -> bool:
        """Whether a stage is."""
        return any(getattr(stage, "metric_driven", False) for stage in self._schedulers)

    def metric_stages(self) -> list[ReduceLROnPlateau]:
        """The metric-driven stages that are active now."""
        raise NotImplementedError

    def place_stages(self, t: float) -> None:
        """Tell the stages their own steps, which only their state and a metric need."""
        raise NotImplementedError

    def place(self, t: float) -> None:
        """This composite is a stage, at its own step `t`."""
        self.last_epoch = t
        self.place_stages(t)

    def inside(self, t: float) -> float:
        """The step of the arrangement, behind warmup and before the hold."""
        if self.plan is None:
            return t
        t = t - self.plan.own_start if t >= self.plan.warmup else 0
        return t if self.plan.hold is None else min(t, self.plan.hold)

    def react(self, value: Any) -> None:
        """Give a new value of the metric to the stages that wait for one."""
        writer = self.writer
        if writer is None or writer.off_curve:
            return
        before = writer.held()
        writer.settle()
        self.place_stages(self.position)
        for stage in self.metric_stages():
            stage.react(value)
        writer.settle()
        if self.verbose:
            announce(self, before)

    # ---------------------------------------------------------------- states

    def torch_state(self) -> dict[str, Any]:
        """Torch's keys, the stages' states under ``_schedulers``."""
        self.place_stages(self.position)
        own = {k: v for k, v in self.__dict__.items() if k not in _OURS}
        return {**own, "_schedulers": [stage.state_dict() for stage in self._schedulers]}

    def state_dict(self) -> dict[str, Any]:
        """Torch's keys, the stages' states under ``_schedulers``."""
        if self.foreign:
            state: dict[str, Any] = super(CurveScheduler, self).state_dict()  # type: ignore[misc]
            own = {k: v for k, v in state.items() if k == "_schedulers" or k not in _OURS}
            return {**own, "_last_lr": list(self._last_lr)}
        return super().state_dict()

    def extra_state(self) -> dict[str, Any]:
        """The step and the bases, for which torch's composites have no place."""
        extra = super().extra_state()
        return extra if self.plan is None else {**extra, "t": self.position, "base": list(self.own_bases)}

    def load_torch_state(self, state: dict[str, Any]) -> None:
        """The stages take over theirs."""
        saved = state.pop("_schedulers")
        if not isinstance(saved, list) or len(saved) != len(self._schedulers):
            count = len(saved) if isinstance(saved, list) else saved
            raise ValueError(
                f"this is the state of {count} stages, and there are {len(self._schedulers)}: it comes from "
                "another schedule"
            )
        self.__dict__.update(state)
        for stage, stage_state in zip(self._schedulers, saved, strict=True):
            stage.load_state_dict(stage_state)

    def load_extra(self, extra: dict[str, Any]) -> None:
        """The step and the bases."""
        self.last_epoch = extra.get("t", self.last_epoch)
        bases = [float(base) for base in extra.get("base", self.own_bases)]
        self.own_bases[:] = bases

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state of this class or of torch's."""
        if self.foreign:
            super(CurveScheduler, self).load_state_dict(state_dict)  # type: ignore[misc]
            return
        super().load_state_dict(state_dict)


_OURS = frozenset(
    {"optimizer", "plan", "curve", "writer", "param", "view", "gate", "printer", "steps_made", "own_bases", "offsets",
     "chain_step", "foreign", "_schedulers", "_last_lr"}
)  # fmt: skip


def _check_same_optimizer(composite: Any, schedulers: Sequence[Any], optimizer: Any) -> None:
    for stage in schedulers:
        if stage.optimizer is not optimizer:
            raise ValueError(
                f"{type(composite).__name__} expects all schedulers to belong to the same optimizer, but "
                f"{type(stage).__name__} has another one"
            )


def _ours(schedulers: Sequence[Any]) -> bool:
    return all(isinstance(s, CurveScheduler) and s.follows_curve for s in schedulers) and not any(
        isinstance(s, _Composite) and s.foreign for s in schedulers
    )


class SequentialLR(_Composite, lr_scheduler.SequentialLR):
    """Torch's `SequentialLR`: stages one after another; nested ones are the same as flat ones."""

    schedule = SequentialLRConfig
    needs = ("_schedulers", "_milestones", "last_epoch")

    def __init__(
        self, optimizer: Optimizer, schedulers: list[Any], milestones: list[int], last_epoch: int = -1
    ) -> None:
        if not schedulers or not _ours(schedulers):
            self.foreign = True
            super().__init__(optimizer, schedulers, milestones, last_epoch)
            return
        if self.plan is None:
            if any(isinstance(s, ReduceLROnPlateau) for s in schedulers):
                lr_scheduler.SequentialLR(optimizer, schedulers, milestones)  # torch's own refusal
            _check_same_optimizer(self, schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                "Sequential Schedulers expects number of schedulers provided to be one more than the number of "
                f"milestone points, but got number of schedulers {len(schedulers)} and the number of milestones "
                f"to be equal to {len(milestones)}"
            )
        self._schedulers, self._milestones = schedulers, milestones
        self.last_epoch = last_epoch + 1
        self.optimizer = optimizer
        self.take_stages()
        self.begin(last_epoch)

    def arranged(self) -> Curve:
        """One after another."""
        return Stages([stage.curve for stage in self._schedulers], self.own_bases, self._milestones)

    def metric_stages(self) -> list[ReduceLROnPlateau]:
        """The active stage, or those inside of it."""
        stage = self._schedulers[_index(self._milestones, self.inside(self.position))]
        return _metric_stages([stage])

    def place_stages(self, t: float) -> None:
        """A stage that is not active is at its end, or has not begun."""
        t = self.inside(t)
        for i, stage in enumerate(self._schedulers):
            begin = self._milestones[i - 1] if i else 0
            end = self._milestones[i] if i < len(self._milestones) else math.inf
            stage.place(min(t, end - 1) - begin if t >= begin else -1)


def _index(milestones: Sequence[int], t: float) -> int:
    return sum(one <= t for one in milestones)


def _metric_stages(stages: Sequence[Any]) -> list[ReduceLROnPlateau]:
    found: list[ReduceLROnPlateau] = []
    for stage in stages:
        if isinstance(stage, ReduceLROnPlateau):
            found.append(stage)
        elif isinstance(stage, _Composite):
            found += stage.metric_stages()
    return found


class ChainedScheduler(_Composite, lr_scheduler.ChainedScheduler):
    """Torch's `ChainedScheduler`: the product of the stages' factors."""

    schedule = ChainedSchedulerConfig
    needs = ("_schedulers",)
    step_key = "chain_step"

    def __init__(self, schedulers: Sequence[Any], optimizer: Optimizer | None = None, *, last_epoch: int = -1) -> None:
        if not schedulers or not _ours(schedulers):
            self.foreign = True
            super().__init__(schedulers, optimizer)
            return
        optimizer = optimizer or schedulers[0].optimizer
        if self.plan is None:
            if any(isinstance(s, ReduceLROnPlateau) for s in schedulers):
                lr_scheduler.ChainedScheduler(schedulers, optimizer)  # torch's own refusal
            _check_same_optimizer(self, schedulers, optimizer)
        self._schedulers = list(schedulers)
        self.optimizer = optimizer
        # They may have been stepped before they were chained.
        self.offsets = [int(s.position) if self.plan is None else 0 for s in self._schedulers]
        self.last_epoch = last_epoch + 1
        self.take_stages()
        self.begin(last_epoch)

    @property
    def last_epoch(self) -> float:  # type: ignore[override]
        """The step; torch's class has no such attribute, and its state no such key."""
        return self.__dict__.get("chain_step", 0)  # type: ignore[no-any-return]

    @last_epoch.setter
    def last_epoch(self, value: float) -> None:
        self.__dict__["chain_step"] = value

    def arranged(self) -> Curve:
        """Their product."""
        return Product([stage.curve for stage in self._schedulers], self.own_bases, self.offsets)

    def metric_stages(self) -> list[ReduceLROnPlateau]:
        """All of them."""
        return _metric_stages(self._schedulers)

    def place_stages(self, t: float) -> None:
        """All are as far as the product."""
        t = self.inside(t)
        for stage, offset in zip(self._schedulers, self.offsets, strict=True):
            stage.place(t + offset)

    def load_torch_state(self, state: dict[str, Any]) -> None:
        """The step is the stages'."""
        super().load_torch_state(state)
        self.last_epoch = self._schedulers[0].position - self.offsets[0]
