"""Schedules made of schedules: the stages are functions of the step, and only the outermost object writes."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from torch.optim import Optimizer, lr_scheduler

from lr_configs.closed_form import ClosedForm, Terms, rates_in, rates_of, write_rate
from lr_configs.plateau import ReduceLROnPlateau


class _Composite(ClosedForm):
    """What SequentialLR and ChainedScheduler share: the stages are functions, only this object writes."""

    _schedulers: list[Any]
    _cf_own: list[float]
    _cf_cycles_momentum = False
    _cf_foreign = False  # a stage is not ours: torch's own stepping then

    @property
    def _step_count(self) -> int:  # type: ignore[override]
        # torch's composites have no such attribute, and their state no such key.
        return self._cf_steps

    @_step_count.setter
    def _step_count(self, value: int) -> None:
        self._cf_steps = value

    def _cf_check_order(self) -> None:
        if getattr(self.optimizer.step, "_wrapped_by_lr_sched", False):
            super()._cf_check_order()

    def _cf_take_stages(self) -> None:
        """Make the stages functions of the step; what they did to the rates while built is undone."""
        for stage in self._schedulers:
            stage._cf_member = True
            stage._cf_scales = None
            if not isinstance(stage, _Composite):
                stage._cf_last = None
        self._cf_own = [float(group.get("initial_lr", group["lr"])) for group in self.optimizer.param_groups]
        self._cf_cycles_momentum = any(
            stage._cf_cycles_momentum or getattr(stage, "cycle_momentum", False) for stage in self._schedulers
        )

    def _cf_bases(self) -> list[float]:
        return self._cf_own  # a stage's base_lrs may be bounds of its own

    def _cf_add_group(self, group: dict[str, Any], base: float) -> None:
        self._cf_own = [*self._cf_own, base]
        for stage in self._schedulers:
            stage._cf_add_group(dict(group), base)

    def _cf_drop_groups(self, n: int) -> None:
        self._cf_own = self._cf_own[:n]
        for stage in self._schedulers:
            stage._cf_drop_groups(n)

    def _cf_extra_state(self) -> dict[str, Any]:
        return {"t": self.last_epoch, "base": list(self._cf_own)} if self._cf_configured else {}

    def _cf_load_extra(self, extra: dict[str, Any]) -> None:
        self.last_epoch = extra.get("t", self.last_epoch)
        self._cf_own = list(extra.get("base", self._cf_own))

    def _cf_step(self, epoch: Any) -> None:
        if self._cf_foreign:
            super(ClosedForm, self).step()  # type: ignore[misc]
            return
        super()._cf_step(epoch)

    def _cf_metric_stages(self) -> list[ReduceLROnPlateau]:
        """The metric-driven stages that are active now."""
        raise NotImplementedError

    def _cf_place_stages(self) -> None:
        """Tell the stages their own steps, which only their state and a metric need."""
        raise NotImplementedError

    def step(self, epoch: Any = None) -> None:
        """Advance by one step; a metric-driven composite takes the metric here, as ``step(metrics)``."""
        if epoch is not None and self._cf_metric():
            super().step()
            self.react(epoch)
            return
        super().step(epoch)

    def _cf_metric(self) -> bool:
        return any(
            isinstance(stage, ReduceLROnPlateau) or (isinstance(stage, _Composite) and stage._cf_metric())
            for stage in self._schedulers
        )

    def react(self, metrics: Any) -> None:
        """Give a new value of the metric to the stages that wait for one."""
        if self._cf_decay is not None:
            return
        before = self._cf_settle()
        self._cf_place_stages()
        for stage in self._cf_metric_stages():
            stage.react(metrics)
        self._cf_settle()
        self._cf_last = None
        self._cf_settle_mode()
        if self._cf_verbose:
            self._cf_announce(before, rates_in(self.optimizer))

    def _cf_own_state(self) -> dict[str, Any]:
        if not self._cf_foreign:
            self._cf_place_stages()
        state = super()._cf_own_state()
        state["_schedulers"] = [stage.state_dict() for stage in self._schedulers]
        return state

    def _cf_load_own(self, state: dict[str, Any]) -> None:
        saved = state.pop("_schedulers")
        if len(saved) != len(self._schedulers):
            raise ValueError(
                f"this is the state of {len(saved)} stages, and there are {len(self._schedulers)}: it comes from "
                "another schedule"
            )
        self.__dict__.update(state)
        for stage, stage_state in zip(self._schedulers, saved, strict=True):
            stage.load_state_dict(stage_state)

    def state_dict(self) -> dict[str, Any]:
        """Torch's keys, the stages' states under ``_schedulers``."""
        if self._cf_foreign:
            return super(ClosedForm, self).state_dict()  # type: ignore[misc,no-any-return]
        return super().state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state of this class or of torch's."""
        if self._cf_foreign:
            super(ClosedForm, self).load_state_dict(state_dict)  # type: ignore[misc]
            return
        super().load_state_dict(state_dict)


def _check_same_optimizer(composite: Any, schedulers: Sequence[Any], optimizer: Any) -> None:
    for stage in schedulers:
        if stage.optimizer is not optimizer:
            raise ValueError(
                f"{type(composite).__name__} expects all schedulers to belong to the same optimizer, but "
                f"{type(stage).__name__} has another one"
            )


def _ours(schedulers: Sequence[Any]) -> bool:
    return all(isinstance(s, ClosedForm) and not s._cf_overridden for s in schedulers) and not any(
        isinstance(s, _Composite) and s._cf_foreign for s in schedulers
    )


def _merge(a: Terms, b: Terms, base: list[float]) -> Terms:
    """The product of two curves, each as a multiple of the base rates."""
    if b[2] is None:
        return a[0] * b[0], a[1], None if a[2] is None else a[2] * b[0], a[3]
    if a[2] is None:
        return a[0] * b[0], b[1], b[2] * a[0], b[3]
    one, other = rates_of(a), rates_of(b)
    return 1.0, [x * y / z if z else 0.0 for x, y, z in zip(one, other, base, strict=True)], 0.0, None


class SequentialLR(_Composite, lr_scheduler.SequentialLR):
    """Stages one after another; nested ones are the same as flat ones."""

    _cf_needs = ("_schedulers", "_milestones", "last_epoch")

    def __init__(
        self, optimizer: Optimizer, schedulers: list[Any], milestones: list[int], last_epoch: int = -1
    ) -> None:
        if not schedulers or not _ours(schedulers):
            self._cf_foreign = True
            super().__init__(optimizer, schedulers, milestones, last_epoch)
            return
        metric = [s for s in schedulers if isinstance(s, ReduceLROnPlateau)]
        if metric and not self._cf_configured:
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
        self._cf_take_stages()
        for group, base in zip(optimizer.param_groups, self._cf_bases(), strict=True):
            group.setdefault("initial_lr", base)
            write_rate(group, float(group["initial_lr"]))
        self._cf_steps = 1
        if not self._cf_member:
            self._cf_start()

    def _cf_stage(self, t: float) -> tuple[Any, float]:
        i = bisect_right(self._milestones, t)
        return self._schedulers[i], t - self._milestones[i - 1] if i else t

    def _cf_curve(self, t: float) -> Terms:
        i = bisect_right(self._milestones, t)
        return self._schedulers[i]._cf_terms(t - self._milestones[i - 1] if i else t)  # type: ignore[no-any-return]

    def _cf_momentum(self, t: float) -> None:
        stage, own = self._cf_stage(t)
        if stage._cf_cycles_momentum or getattr(stage, "cycle_momentum", False):
            stage._cf_momentum(stage._cf_inside(own))

    def _cf_metric_stages(self) -> list[ReduceLROnPlateau]:
        stage, _ = self._cf_stage(self._cf_inside(self._cf_position()))
        if isinstance(stage, ReduceLROnPlateau):
            return [stage]
        return stage._cf_metric_stages() if isinstance(stage, _Composite) else []

    def _cf_place_stages(self) -> None:
        t = self._cf_inside(self._cf_position())
        for i, stage in enumerate(self._schedulers):
            begin = self._milestones[i - 1] if i else 0
            end = self._milestones[i] if i < len(self._milestones) else math.inf
            _place(stage, min(t, end - 1) - begin if t >= begin else -1)


def _place(stage: Any, t: float) -> None:
    t = int(t)
    if isinstance(stage, ReduceLROnPlateau):
        stage._cf_t = t
    else:
        stage.last_epoch = t
    stage._cf_last = None
    if isinstance(stage, _Composite):
        stage._cf_place_stages()
    elif not isinstance(stage, ReduceLROnPlateau):
        stage._step_count = max(t + 1, 0)


class ChainedScheduler(_Composite, lr_scheduler.ChainedScheduler):
    """The product of the stages' factors."""

    _cf_needs = ("_schedulers",)

    def __init__(self, schedulers: Sequence[Any], optimizer: Optimizer | None = None) -> None:
        if not schedulers or not _ours(schedulers):
            self._cf_foreign = True
            super().__init__(schedulers, optimizer)
            return
        metric = any(isinstance(s, ReduceLROnPlateau) for s in schedulers)
        if metric and not self._cf_configured:
            lr_scheduler.ChainedScheduler(schedulers, optimizer)  # torch's own refusal
        optimizer = optimizer or schedulers[0].optimizer
        _check_same_optimizer(self, schedulers, optimizer)
        self._schedulers = list(schedulers)
        self.optimizer = optimizer
        self._cf_take_stages()
        self._cf_t, self._cf_steps = 0, 1
        # They may have been stepped before they were chained.
        self._cf_offsets = [0 if self._cf_configured else getattr(s, "last_epoch", 0) for s in self._schedulers]
        if not self._cf_member:
            self._cf_chain_start()

    def _cf_chain_start(self) -> None:
        groups = self.optimizer.param_groups
        before = rates_in(self.optimizer)
        for group, base in zip(groups, self._cf_bases(), strict=True):
            group.setdefault("initial_lr", base)
        self._cf_count = len(groups)
        self._cf_find_slots(groups)
        # The stages have written while they were built, some of them over each other: the product counts.
        self._cf_write(self._cf_terms(0), before)
        self._cf_settle_mode()

    @property
    def last_epoch(self) -> int:  # type: ignore[override]
        """The step; torch's class has no such attribute, and its state no such key."""
        return self._cf_t

    @last_epoch.setter
    def last_epoch(self, value: int) -> None:
        self._cf_t = value

    def _cf_curve(self, t: float) -> Terms:
        terms: Terms | None = None
        for stage, offset in zip(self._schedulers, self._cf_offsets):  # noqa: B905 - made together
            if terms is None:
                terms = stage._cf_terms(t + offset)
                continue
            other = stage._cf_terms(t + offset)
            if other[2] is None and terms[2] is None:
                terms = terms[0] * other[0], terms[1], None, None
            else:
                terms = _merge(terms, other, self._cf_own)
        assert terms is not None
        return terms

    def _cf_momentum(self, t: float) -> None:
        for stage, offset in zip(self._schedulers, self._cf_offsets, strict=True):
            if stage._cf_cycles_momentum or getattr(stage, "cycle_momentum", False):
                stage._cf_momentum(stage._cf_inside(t + offset))

    def _cf_metric_stages(self) -> list[ReduceLROnPlateau]:
        found: list[ReduceLROnPlateau] = []
        for stage in self._schedulers:
            if isinstance(stage, ReduceLROnPlateau):
                found.append(stage)
            elif isinstance(stage, _Composite):
                found += stage._cf_metric_stages()
        return found

    def _cf_place_stages(self) -> None:
        t = self._cf_inside(self._cf_position())
        for stage, offset in zip(self._schedulers, self._cf_offsets, strict=True):
            _place(stage, t + offset)

    def _cf_load_own(self, state: dict[str, Any]) -> None:
        super()._cf_load_own(state)
        first = self._schedulers[0]
        now = first._cf_t if isinstance(first, ReduceLROnPlateau) else first.last_epoch
        self._cf_t = now - self._cf_offsets[0]
