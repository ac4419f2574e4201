"""The metric-driven schedule, which has no curve: torch's own, with a warmup."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.optim import Optimizer, lr_scheduler

from lr_configs.closed_form import SLOW, ClosedForm, Terms, rates_in, write_rate


class ReduceLROnPlateau(ClosedForm, lr_scheduler.ReduceLROnPlateau):
    """torch's own, which may have a warmup, and knows tensors that groups share.

    ``step(metrics)`` is torch's. ``step()`` without a metric advances the warmup alone, and
    ``react(metrics)`` takes a metric without advancing: with a warmup in optimizer updates, call ``step()`` after
    every update and ``react(metrics)`` after every validation. Metrics during the warmup do not count.
    """

    _cf_needs = ("best", "num_bad_epochs", "patience", "factor")
    _cf_t = 0

    def __init__(self, optimizer: Optimizer, *args: Any, **kwargs: Any) -> None:
        super().__init__(optimizer, *args, **kwargs)
        self._cf_base = [float(group.get("initial_lr", group["lr"])) for group in optimizer.param_groups]
        if self._cf_envelope is not None or self._cf_verbose or self._cf_configured:
            self._cf_begin()

    def _cf_begin(self) -> None:
        for group in self.optimizer.param_groups:
            lr = group["lr"]
            group.setdefault("initial_lr", lr.clone() if isinstance(lr, Tensor) else lr)
        self._cf_start()

    def _cf_bases(self) -> list[float]:
        return self._cf_base

    def _cf_position(self) -> float:
        return self._cf_t

    def _cf_epoch(self) -> float:
        return self._cf_t

    def _cf_steps_done(self) -> int:
        return self._cf_t

    def _cf_curve(self, t: float) -> Terms:
        return 1.0, self._cf_base, None, None

    def _cf_settle_mode(self) -> None:
        self._cf_mode = SLOW

    def _cf_add_group(self, group: dict[str, Any], base: float) -> None:
        self._cf_base = [*self._cf_base, base]

    def _cf_drop_groups(self, n: int) -> None:
        self._cf_base = self._cf_base[:n]

    def step(self, metrics: Any = None, epoch: Any = None) -> None:
        """Advance, and take the metric's new value if there is one."""
        if self._cf_listener is not None and not self._cf_driven and not self._cf_listener(self):
            return
        self.tick()
        if metrics is not None:
            self.react(metrics, epoch)

    def tick(self) -> None:
        """Advance by one step of the interval, without a metric."""
        envelope = self._cf_envelope
        if envelope is not None and self._cf_t < envelope.warmup:
            self._cf_move(self._cf_t + 1)
        else:
            self._cf_t += 1

    def change_run(self, end: int, over: int | None) -> None:
        """Nothing: a metric knows no run length."""

    def jump(self, t: int) -> None:
        """Go to step `t` of the interval."""
        if self._cf_envelope is None:
            self._cf_t = t
        else:
            self._cf_move(t)

    def _cf_place(self, t: int) -> None:
        self._cf_t = t

    @property
    def warming_up(self) -> bool:
        """Whether metrics do not count yet."""
        return self._cf_envelope is not None and self._cf_t < self._cf_envelope.warmup

    def react(self, metrics: Any, epoch: Any = None) -> None:
        """Take a new value of the metric."""
        if self.warming_up or self._cf_decay is not None:
            return
        before = rates_in(self.optimizer)
        lr_scheduler.ReduceLROnPlateau.step(self, metrics, epoch)
        self._cf_last = None
        if self._cf_verbose:
            self._cf_announce(before, rates_in(self.optimizer))

    def _reduce_lr(self, epoch: Any) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs) and self.default_min_lr is None:
            self.min_lrs = [*self.min_lrs, *[self.min_lrs[-1]] * (len(groups) - len(self.min_lrs))][: len(groups)]
        elif len(groups) != len(self.min_lrs):
            self.min_lrs = [self.default_min_lr] * len(groups)
        done = set()
        for group, min_lr in zip(groups, self.min_lrs, strict=True):
            lr = group["lr"]
            old = float(lr)
            new = max(old * self.factor, min_lr)
            if isinstance(lr, Tensor) and id(lr) in done:
                continue  # groups that share one tensor are reduced once
            if old - new > self.eps:
                done.add(id(lr))
                write_rate(group, new)

    def state_dict(self) -> dict[str, Any]:
        """Torch's keys, and the warmup's step where there is one."""
        state = self._cf_own_state()
        state["_last_lr"] = rates_in(self.optimizer)
        if self._cf_configured:
            if self._cf_terms_now is not None and not self._cf_member:
                self._cf_settle()
            state["_lr_configs"] = {
                "t": self._cf_t,
                "base": list(self._cf_base),
                "scales": self._cf_scales,
                "decay": self._cf_decay,
            }
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state of this class or of torch's, and write the rates that belong to it."""
        if self._cf_ignore_state:
            return
        self._cf_check_state(state_dict)
        state = dict(state_dict)
        extra = state.pop("_lr_configs", {})
        last = state.pop("_last_lr", None)
        lr_scheduler.ReduceLROnPlateau.load_state_dict(self, state)
        self._cf_t = extra.get("t", self._cf_t)
        self._cf_base = list(extra.get("base", self._cf_base))
        self._cf_scales = extra.get("scales")
        self._cf_decay = extra.get("decay")
        if self._cf_member:
            return
        groups = self.optimizer.param_groups
        self._cf_join(groups)
        self._cf_find_slots(groups)
        for i, lr in enumerate((last or [])[: len(groups)]):
            self._cf_set(i, float(lr))
        self._cf_last = None
