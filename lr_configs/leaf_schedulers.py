"""Torch's single schedules as closed forms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer, lr_scheduler

from lr_configs import curves
from lr_configs.closed_form import SLOW, ClosedForm, Terms, one_or_list
from lr_configs.formula import Formula

LRScheduler = lr_scheduler.LRScheduler

# ---------------------------------------------------------------------------------------- factors


class IdentityLR(ClosedForm, LRScheduler):
    """The optimizer's own rate, constant: what ``scheduler=none`` builds.

    Args:
        optimizer: the optimizer.
        last_epoch: as for every torch scheduler.
    """

    def _cf_curve(self, t: float) -> Terms:
        return 1.0, self.base_lrs, None, None


class StepLR(ClosedForm, lr_scheduler.StepLR):
    """``base * gamma ** (t // step_size)``.

    >>> import torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    >>> schedule = StepLR(optimizer, step_size=200, gamma=0.5)
    >>> schedule.jump(400)
    >>> optimizer.param_groups[0]["lr"]
    0.025
    """

    _cf_needs = ("step_size", "gamma", "last_epoch")

    def _cf_curve(self, t: float) -> Terms:
        return curves.step(self, t), self.base_lrs, None, None


class MultiStepLR(ClosedForm, lr_scheduler.MultiStepLR):
    """``base * gamma ** (number of milestones that are at most t)``."""

    _cf_needs = ("milestones", "gamma", "last_epoch")
    _cf_sorted: tuple[Any, int, list[int]] | None = None

    @property
    def sorted_milestones(self) -> list[int]:
        """The milestones in order, each as often as it was given."""
        known = self._cf_sorted
        if known is None or known[0] is not self.milestones or known[1] != len(self.milestones):
            known = self._cf_sorted = (self.milestones, len(self.milestones), sorted(self.milestones.elements()))
        return known[2]

    def _cf_curve(self, t: float) -> Terms:
        return curves.multi_step(self, t), self.base_lrs, None, None


class ConstantLR(ClosedForm, lr_scheduler.ConstantLR):
    """``base * factor`` before step `total_iters`, then `base`."""

    _cf_needs = ("factor", "total_iters", "last_epoch")

    def _cf_curve(self, t: float) -> Terms:
        return curves.constant(self, t), self.base_lrs, None, None


class LinearLR(ClosedForm, lr_scheduler.LinearLR):
    """From ``base * start_factor`` in a straight line to ``base * end_factor`` at step `total_iters`."""

    _cf_needs = ("start_factor", "end_factor", "total_iters", "last_epoch")

    def _cf_curve(self, t: float) -> Terms:
        return curves.linear(self, t), self.base_lrs, None, None


class ExponentialLR(ClosedForm, lr_scheduler.ExponentialLR):
    """``base * gamma ** t``."""

    _cf_needs = ("gamma", "last_epoch")

    def _cf_curve(self, t: float) -> Terms:
        return curves.exponential(self, t), self.base_lrs, None, None

    def _cf_check_state(self, state: Any) -> None:
        super()._cf_check_state(state)
        other = {"step_size", "milestones"} & set(state)
        if other:
            raise ValueError(f"this is not the state of an ExponentialLR: it has {', '.join(sorted(other))}")


class PolynomialLR(ClosedForm, lr_scheduler.PolynomialLR):
    """``base * (1 - t / total_iters) ** power``, and 0 from step `total_iters` on."""

    _cf_needs = ("total_iters", "power", "last_epoch")

    def _cf_curve(self, t: float) -> Terms:
        return curves.polynomial(self, t), self.base_lrs, None, None


class _FunctionLR(ClosedForm):
    """What LambdaLR and MultiplicativeLR share: one function, or one for each group."""

    lr_lambdas: list[Callable[[int], float]]
    _cf_needs = ("lr_lambdas", "last_epoch")
    _cf_functions_of: Any = None
    _cf_functions: list[Any] | None = None

    def _cf_function(self, function: Callable[[int], float]) -> Callable[[float], float]:
        return function  # type: ignore[return-value]

    def _cf_curve(self, t: float) -> Terms:
        lambdas = self.lr_lambdas
        if self._cf_functions_of is not lambdas:
            same = all(one is lambdas[0] for one in lambdas)
            self._cf_functions = [self._cf_function(one) for one in (lambdas[:1] if same else lambdas)]
            self._cf_functions_of = lambdas
        functions = self._cf_functions
        if len(functions) == 1:  # type: ignore[arg-type]
            f = functions[0](t)  # type: ignore[index]
            # A numpy number here would end in the checkpoint, which could then not be loaded safely.
            return f if f.__class__ is float else float(f), self.base_lrs, None, None
        values = [base * float(f(t)) for base, f in zip(self.base_lrs, functions, strict=True)]  # type: ignore[arg-type]
        return 1.0, values, 0.0, None

    def _cf_add_group(self, group: dict[str, Any], base: float) -> None:
        super()._cf_add_group(group, base)
        self.lr_lambdas = [*self.lr_lambdas, self.lr_lambdas[-1]]

    def _cf_drop_groups(self, n: int) -> None:
        super()._cf_drop_groups(n)
        self.lr_lambdas = self.lr_lambdas[:n]

    def _cf_own_state(self) -> dict[str, Any]:
        state = super()._cf_own_state()
        # A formula has no __dict__: the text belongs to the run that wrote it, not to its checkpoint.
        state["lr_lambdas"] = [
            None if getattr(f, "__dict__", None) is None or isinstance(f, _FUNCTION) else f.__dict__.copy()
            for f in self.lr_lambdas
        ]
        return state

    def _cf_load_own(self, state: dict[str, Any]) -> None:
        lambdas = state.pop("lr_lambdas")
        LRScheduler.load_state_dict(self, state)  # type: ignore[arg-type]
        for function, saved in zip(self.lr_lambdas, lambdas, strict=False):
            if saved is not None and not isinstance(function, Formula):
                function.__dict__.update(saved)
        self._cf_functions_of = None


_FUNCTION = type(lambda: None)


class LambdaLR(_FunctionLR, lr_scheduler.LambdaLR):
    """``base * lr_lambda(t)``."""

    _cf_multiplies = False


class MultiplicativeLR(_FunctionLR, lr_scheduler.MultiplicativeLR):
    """``base * lr_lambda(1) * ... * lr_lambda(t)``; a jump computes the factors in between."""

    def _cf_function(self, function: Callable[[int], float]) -> Callable[[float], float]:
        return curves.Product(function)


# ---------------------------------------------------------------------------------------- mixes


class CosineAnnealingLR(ClosedForm, lr_scheduler.CosineAnnealingLR):
    """``eta_min + (base - eta_min) (1 + cos(pi t / T_max)) / 2``; `eta_min` may be a list, one per group."""

    _cf_needs = ("T_max", "eta_min", "last_epoch")

    def _cf_curve(self, t: float) -> Terms:
        f, eta_min = curves.cosine(self, t), self.eta_min
        if eta_min.__class__ is not list and not eta_min:
            return f, self.base_lrs, None, None
        return f, self.base_lrs, 1.0 - f, self._cf_spread(eta_min)


class CosineAnnealingWarmRestarts(ClosedForm, lr_scheduler.CosineAnnealingWarmRestarts):
    """A cosine from `base` to `eta_min` over each period; `eta_min` may be a list, one per group."""

    _cf_multiplies = False
    _cf_needs = ("T_0", "T_mult", "eta_min", "last_epoch")
    _cf_fraction = 0.0  # of `step(epoch + i / iterations)`

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: Any = 0.0, last_epoch: int = -1
    ) -> None:
        per_group = eta_min if isinstance(eta_min, (list, tuple)) else None
        self._cf_eta_min = per_group
        super().__init__(optimizer, T_0, T_mult, 0.0 if per_group is not None else eta_min, last_epoch)
        if per_group is not None:
            self.eta_min = list(per_group)

    def _cf_curve(self, t: float) -> Terms:
        f = curves.cosine_warm_restarts(self, t)
        eta_min = self.eta_min if self._cf_eta_min is None else self._cf_eta_min
        if eta_min.__class__ is not list and not eta_min:
            return f, self.base_lrs, None, None
        return f, self.base_lrs, 1.0 - f, self._cf_spread(eta_min)

    def _cf_position(self) -> float:
        return super()._cf_position() + self._cf_fraction

    def _cf_cycle(self) -> tuple[float, int]:
        t = self._cf_position() - (self._cf_envelope.warmup if self._cf_envelope else 0)
        return curves.cycle(max(t, 0), self.T_0, self.T_mult)

    @property
    def T_cur(self) -> float:
        """Steps since the last restart."""
        return self._cf_cycle()[0]

    @T_cur.setter
    def T_cur(self, value: float) -> None:
        pass  # follows from last_epoch

    @property
    def T_i(self) -> int:
        """Length of the present period."""
        return self._cf_cycle()[1]

    @T_i.setter
    def T_i(self, value: int) -> None:
        pass

    def _cf_step(self, epoch: Any) -> None:
        if epoch is not None:
            if epoch < 0:
                raise ValueError(f"Expected non-negative epoch, but got {epoch}")
            whole = math.floor(epoch)
            self._cf_settle()
            self._cf_fraction = float(epoch - whole)
            epoch = whole
        super()._cf_step(epoch)

    def _cf_warn_epoch(self) -> None:
        pass  # torch's class takes an epoch for good

    def _cf_check_order(self) -> None:
        pass  # torch's class does not

    def _cf_settle_mode(self) -> None:
        super()._cf_settle_mode()
        if self._cf_fraction:
            self._cf_mode = SLOW

    def jump(self, t: int) -> None:
        """Go to step `t`, forwards or backwards, in constant time."""
        self._cf_settle()
        self._cf_fraction = 0.0
        super().jump(t)

    def _cf_own_state(self) -> dict[str, Any]:
        return {**super()._cf_own_state(), "T_cur": self.T_cur, "T_i": self.T_i}

    def _cf_load_own(self, state: dict[str, Any]) -> None:
        now = state.pop("T_cur", 0)
        state.pop("T_i", None)
        super()._cf_load_own(state)
        self._cf_eta_min = self.eta_min if isinstance(self.eta_min, list) else None
        self._cf_fraction = float(now - math.floor(now))


def _write_momentum(
    groups: list[dict[str, Any]], beta1: bool, x: float, first: list[float], y: float, last: list[float]
) -> None:
    """Write ``x * first + y * last`` as momentum, or as beta1."""
    if beta1:
        for group, a, b in zip(groups, first, last):  # noqa: B905 - one each per group
            group["betas"] = (x * a + y * b, *group["betas"][1:])
    elif len(groups) == 1:
        groups[0]["momentum"] = x * first[0] + y * last[0]
    else:
        for group, a, b in zip(groups, first, last):  # noqa: B905
            group["momentum"] = x * a + y * b


class CyclicLR(ClosedForm, lr_scheduler.CyclicLR):
    """Between `base_lr` and `max_lr`, up in `step_size_up` steps and down in `step_size_down`."""

    _cf_multiplies = False
    _cf_needs = ("max_lrs", "total_size", "step_ratio", "mode", "last_epoch")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._cf_wait = True
        super().__init__(*args, **kwargs)
        # torch replaces base_lrs after the first step; tensors among the bounds are plain numbers here.
        self.base_lrs = [float(value) for value in self.base_lrs]
        self.max_lrs = [float(value) for value in self.max_lrs]
        del self._cf_wait
        if not self._cf_overridden:
            self._cf_start()

    def _cf_start(self, started_at: int = -1) -> None:
        if not hasattr(self, "_cf_wait"):
            self._cf_cycles_momentum = self.cycle_momentum
            super()._cf_start()

    _cf_low: tuple[Any, Any] = (None, None)
    _cf_at: tuple[float, float] = (-1.0, 0.0)  # step and height computed last, for the momentum

    def _cf_curve(self, t: float) -> Terms:
        x = curves.cyclic(self, t)
        self._cf_at = t, x
        lows = self.base_lrs
        if self._cf_low[0] is not lows:
            self._cf_low = lows, one_or_list(lows)
        return x, self.max_lrs, 1.0 - x, self._cf_low[1]

    def _cf_add_group(self, group: dict[str, Any], base: float) -> None:
        low, high = self.base_lrs[0], self.max_lrs[0]
        self.max_lrs = [*self.max_lrs, base]
        super()._cf_add_group(group, base * low / high)
        if self.cycle_momentum:
            self.base_momentums = [*self.base_momentums, self.base_momentums[0]]
            self.max_momentums = [*self.max_momentums, self.max_momentums[0]]

    def _cf_drop_groups(self, n: int) -> None:
        super()._cf_drop_groups(n)
        self.max_lrs = self.max_lrs[:n]

    def _cf_momentum(self, t: float) -> None:
        if not self.cycle_momentum:
            return
        x = self._cf_at[1] if self._cf_at[0] == t else curves.cyclic(self, t)
        _write_momentum(
            self.optimizer.param_groups, self.use_beta1, 1.0 - x, self.max_momentums, x, self.base_momentums
        )

    def _init_scale_fn(self) -> None:
        # torch keeps a bound method here, and with it a reference cycle.
        if self._scale_fn_custom is None:
            self.scale_mode = "iterations" if self.mode == "exp_range" else "cycle"

    def scale_fn(self, x: float) -> float:
        """The height of the cycle, of the cycle's number or of the step (`scale_mode`)."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        return {"triangular": 1.0, "triangular2": 0.5 ** (x - 1)}.get(self.mode, self.gamma**x)

    def _cf_own_state(self) -> dict[str, Any]:
        state = super()._cf_own_state()
        function = state.pop("_scale_fn_custom")
        plain = function is None or isinstance(function, _FUNCTION) or not hasattr(function, "__dict__")
        state["_scale_fn_custom"] = None if plain else function.__dict__.copy()
        return state

    def _cf_load_own(self, state: dict[str, Any]) -> None:
        saved = state.pop("_scale_fn_custom", None)
        LRScheduler.load_state_dict(self, state)
        if saved is not None and self._scale_fn_custom is not None:
            self._scale_fn_custom.__dict__.update(saved)  # type: ignore[attr-defined]
        self._init_scale_fn()
        self.max_lrs = [float(value) for value in self.max_lrs]


class OneCycleLR(ClosedForm, lr_scheduler.OneCycleLR):
    """Up to `max_lr` and down again within `total_steps`."""

    _cf_multiplies = False
    _cf_needs = ("total_steps", "_schedule_phases", "last_epoch")
    _cf_ends: tuple[list[float], list[float], list[float]]
    _cf_phases: list[tuple[float, int, int]] | None = None
    _cf_phases_of: Any = None
    _cf_lasts: tuple[Any, ...]
    _cf_at: tuple[float, Any] = (-1.0, None)  # step and mix computed last, for the momentum

    @property
    def phases(self) -> list[tuple[float, int, int]]:
        """``(end step, first value, last value)`` of each phase."""
        if self._cf_phases_of is not self._schedule_phases:
            index = {"initial_lr": curves.INITIAL, "max_lr": curves.PEAK, "min_lr": curves.LAST}
            self._cf_phases = [
                (phase["end_step"], index[phase["start_lr"]], index[phase["end_lr"]]) for phase in self._schedule_phases
            ]
            self._cf_phases_of = self._schedule_phases
        return self._cf_phases  # type: ignore[return-value]

    @property
    def anneal_strategy(self) -> str:
        """``cos`` or ``linear``."""
        return self._anneal_func_type

    def _cf_start(self, started_at: int = -1) -> None:
        self._cf_cycles_momentum = self.cycle_momentum
        self._cf_refresh(self.optimizer.param_groups)
        super()._cf_start(started_at)

    def _cf_refresh(self, groups: list[dict[str, Any]]) -> None:
        if all("max_lr" in group for group in groups):
            self._cf_ends = tuple([float(g[key]) for g in groups] for key in ("initial_lr", "max_lr", "min_lr"))  # type: ignore[assignment]
            self._cf_lasts = tuple(one_or_list(values) for values in self._cf_ends)
            if self.cycle_momentum:
                self._cf_momentums = tuple([float(g[key]) for g in groups] for key in ("max_momentum", "base_momentum"))

    def _cf_curve(self, t: float) -> Terms:
        if t > self.total_steps:
            if not self._cf_configured:
                raise ValueError(f"Tried to step {t} times. The specified number of total steps is {self.total_steps}")
            t = self.total_steps - 1
        x, first, y, last = mix = curves.one_cycle(self, t)
        self._cf_at = t, mix
        return x, self._cf_ends[first], y, self._cf_lasts[last]

    def _cf_add_group(self, group: dict[str, Any], base: float) -> None:
        initial, peak, last = self._cf_ends
        first, end = base * initial[0] / peak[0], base * last[0] / peak[0]
        self._cf_ends = [*initial, first], [*peak, base], [*last, end]
        self._cf_lasts = tuple(one_or_list(values) for values in self._cf_ends)
        group.update(initial_lr=first, max_lr=base, min_lr=end)
        super()._cf_add_group(group, first)
        if self.cycle_momentum:
            self._cf_momentums = tuple([*values, values[0]] for values in self._cf_momentums)
            group["max_momentum"], group["base_momentum"] = (values[-1] for values in self._cf_momentums)

    def _cf_drop_groups(self, n: int) -> None:
        super()._cf_drop_groups(n)
        self._cf_ends = tuple(values[:n] for values in self._cf_ends)  # type: ignore[assignment]
        self._cf_lasts = tuple(one_or_list(values) for values in self._cf_ends)

    def _cf_momentum(self, t: float) -> None:
        if not self.cycle_momentum:
            return
        if t > self.total_steps:
            t = self.total_steps - 1
        x, first, y, last = self._cf_at[1] if self._cf_at[0] == t else curves.one_cycle(self, t)
        high, low = self._cf_momentums
        start, end = (low if index == curves.PEAK else high for index in (first, last))
        _write_momentum(self.optimizer.param_groups, self.use_beta1, x, start, y, end)
