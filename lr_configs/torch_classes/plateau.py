"""The metric-driven schedule, which has no curve: torch's own, with a warmup."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor
from torch.optim import Optimizer, lr_scheduler

from lr_configs.config import Parameters
from lr_configs.curve_tree import Curve, Leaf, surround
from lr_configs.schedules import ReduceLROnPlateauConfig
from lr_configs.slots import slots_of
from lr_configs.torch_classes import state as states
from lr_configs.torch_classes.base import CurveScheduler
from lr_configs.torch_classes.verbose import announce


class ReduceLROnPlateau(CurveScheduler, lr_scheduler.ReduceLROnPlateau):
    """Torch's own, which may have a warmup, and knows tensors that groups share.

    ``step(metrics)`` is torch's. ``step()`` without a metric advances the warmup alone, and
    ``react(metrics)`` takes a metric without advancing: with a warmup in optimizer updates, call ``step()`` after
    every update and ``react(metrics)`` after every validation. Metrics during the warmup do not count.
    """

    schedule = ReduceLROnPlateauConfig
    multiplies = False
    needs = ("best", "num_bad_epochs", "patience", "factor")

    def __init__(self, optimizer: Optimizer, *args: Any, last_epoch: int = -1, **kwargs: Any) -> None:
        super().__init__(optimizer, *args, **kwargs)
        self.at_step: float = last_epoch + 1
        if self.plan is not None:
            self.own_bases = [float(group.get("initial_lr", group["lr"])) for group in optimizer.param_groups]
            self.begin(last_epoch)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def become_curve(self) -> None:
        """Make the curve: 1, behind a warmup."""
        self.curve = self.make_curve()
        self.writer = None

    def make_curve(self) -> Curve:
        """1, behind a warmup."""
        leaf = Leaf(self.schedule, Parameters(base_lrs=self.own_bases))
        return leaf if self.plan is None else surround(leaf, self.plan)

    def rebind(self) -> None:
        """No parameter changes a constant."""
        if "curve" in self.__dict__:
            self.curve.rebind()

    def begin(self, started_at: int = -1) -> None:
        """The step of the interval is not torch's count of metrics."""
        count, self.last_epoch = self.last_epoch, self.at_step
        super().begin(started_at)
        self.last_epoch = count

    def group_bases(self) -> list[float]:
        """The groups' own rates."""
        return list(self.own_bases)

    @property
    def position(self) -> float:
        """Steps of the interval."""
        return self.at_step

    @property
    def metric_driven(self) -> bool:
        """True."""
        return True

    # ---------------------------------------------------------------- stepping

    def step(self, metrics: Any = None, epoch: Any = None) -> None:
        """Advance, and take the metric's new value if there is one."""
        if self.gate is not None and not self.gate(self):
            return
        if self.writer is not None:
            self.advance()
        if metrics is not None:
            self.react(metrics, epoch)

    def advance(self) -> None:
        """One step of the interval, without a metric."""
        self.go(self.at_step + 1)

    def go(self, t: float) -> None:
        """Write the rates of the warmup; behind it, nothing but a metric changes them."""
        warm = 0 if self.plan is None else self.plan.warmup
        before, self.at_step = self.at_step, t
        if self.writer is None or min(before, t) >= warm:
            return
        held = self.writer.held() if self.verbose else []
        self.writer.move(t)
        if self.verbose:
            announce(self, held)

    def place(self, t: float) -> None:
        """This is a stage, at its own step `t`."""
        self.at_step = t

    @property
    def warming_up(self) -> bool:
        """Whether metrics do not count yet."""
        return self.plan is not None and self.at_step < self.plan.warmup

    def react(self, value: Any, epoch: Any = None) -> None:
        """Take a new value of the metric."""
        if self.warming_up or (self.writer is not None and self.writer.off_curve):
            return
        before = self.writer.held() if self.verbose and self.writer is not None else []
        lr_scheduler.ReduceLROnPlateau.step(self, value, epoch)
        if before:
            announce(self, before)

    def _reduce_lr(self, epoch: Any) -> None:
        groups = self.groups
        if self.default_min_lr is None and self.plan is None and len(groups) != len(self.min_lrs):
            super()._reduce_lr(epoch)  # torch refuses
        elif self.default_min_lr is None:
            self.min_lrs = [*self.min_lrs, *[self.min_lrs[-1]] * len(groups)][: len(groups)]
        else:
            self.min_lrs = [self.default_min_lr] * len(groups)
        done: set[int] = set()
        for group, slot, low in zip(groups, slots_of(groups), self.min_lrs, strict=True):
            old = float(group["lr"])
            new = max(old * self.factor, low)
            if old - new <= self.eps or id(slot) in done:
                continue  # groups that share one tensor are reduced once
            if slot is None:
                group["lr"] = new
            else:
                done.add(id(slot))
                slot.write(new)

    # ---------------------------------------------------------------- states

    def torch_state(self) -> dict[str, Any]:
        """Torch's keys."""
        return {k: v for k, v in self.__dict__.items() if k not in _OURS}

    def state_dict(self) -> dict[str, Any]:
        """Torch's keys, and the step of the interval where it was built from a config."""
        if self.writer is not None:
            self.writer.settle()
        state = {**self.torch_state(), "_last_lr": [float(group["lr"]) for group in self.groups]}
        if self.plan is not None:
            extra = {**states.of_writer(self.writer), "t": self.at_step, "base": list(self.own_bases)}
            state["_lr_configs"] = {**extra, "rates": list(state["_last_lr"]), "step": self.position}
        return state

    def load_torch_state(self, state: dict[str, Any]) -> None:
        """As torch's."""
        for key, whole in (("num_bad_epochs", True), ("cooldown_counter", True), ("best", False)):
            value = state.get(key, 0)
            kind = (int,) if whole else (int, float)
            if isinstance(value, bool) or not isinstance(value, kind) or math.isnan(value) or (whole and value < 0):
                raise ValueError(f"{key}={value!r} in the state of a ReduceLROnPlateau is no count and no metric")
        lr_scheduler.ReduceLROnPlateau.load_state_dict(self, state)

    def load_extra(self, extra: dict[str, Any]) -> None:
        """The step and the bases."""
        self.at_step = extra.get("t", self.at_step)
        if self.plan is not None:
            self.own_bases[:] = [float(base) for base in extra.get("base", self.own_bases)]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state of this class or of torch's, and write the rates that belong to it."""
        states.check(self, state_dict)
        state = dict(state_dict)
        extra, last = state.pop("_lr_configs", {}), state.pop("_last_lr", None)
        self.load_torch_state(state)
        self.load_extra(extra)
        self.rebind()
        if self.writer is not None:
            states.write_loaded(self, self.writer, last, extra)
        elif self.plan is None and last:
            for group, slot, lr in zip(self.groups, slots_of(self.groups), last, strict=False):
                if slot is None:
                    group["lr"] = float(lr)
                else:
                    slot.write(float(lr))

    @property
    def _last_lr(self) -> list[Any]:
        return [lr.clone() if isinstance(lr, Tensor) else lr for lr in (g["lr"] for g in self.groups)]

    @_last_lr.setter
    def _last_lr(self, value: list[Any]) -> None:
        pass  # read when it is asked for


_OURS = frozenset(
    {
        "optimizer",
        "plan",
        "curve",
        "writer",
        "param",
        "view",
        "gate",
        "printer",
        "own_bases",
        "at_step",
        "_last_lr",
    }
)
