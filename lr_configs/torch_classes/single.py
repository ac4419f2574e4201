"""Torch's single schedules as curves."""

from __future__ import annotations

import math
from typing import Any

from torch.optim import Optimizer, lr_scheduler

from lr_configs.formula import Formula
from lr_configs.functions import FunctionWeights, Product
from lr_configs.schedules import (
    ConstantLRConfig,
    CosineAnnealingLRConfig,
    CosineAnnealingWarmRestartsConfig,
    CyclicLRConfig,
    ExponentialLRConfig,
    LambdaLRConfig,
    LinearLRConfig,
    MultiplicativeLRConfig,
    MultiStepLRConfig,
    NoneConfig,
    OneCycleLRConfig,
    PolynomialLRConfig,
    StepLRConfig,
)
from lr_configs.schedules.cosine_warm_restarts import period
from lr_configs.schedules.cyclic import rising
from lr_configs.schedules.one_cycle import FIRST, MOMENTA, PEAK, RATES, with_starts
from lr_configs.torch_classes.base import CurveScheduler
from lr_configs.torch_classes.keywords import take_keywords
from lr_configs.torch_classes.state import OURS

_FUNCTION = type(lambda: None)


class IdentityLR(CurveScheduler, lr_scheduler.LRScheduler):
    """The optimizer's own rate, constant: what ``scheduler=none`` builds.

    Args:
        optimizer: the optimizer.
        last_epoch: as for every torch scheduler.
    """

    schedule = NoneConfig


class StepLR(CurveScheduler, lr_scheduler.StepLR):
    """Torch's `StepLR`: ``base * gamma ** (t // step_size)``.

    >>> import torch
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    >>> schedule = StepLR(optimizer, step_size=200, gamma=0.5)
    >>> schedule.jump(400)
    >>> optimizer.param_groups[0]["lr"]
    0.025
    """

    schedule = StepLRConfig
    needs = ("step_size", "gamma", "last_epoch")


class MultiStepLR(CurveScheduler, lr_scheduler.MultiStepLR):
    """Torch's `MultiStepLR`: ``base * gamma ** (number of milestones that are at most t)``."""

    schedule = MultiStepLRConfig
    needs = ("milestones", "gamma", "last_epoch")

    def parameters(self) -> dict[str, Any]:
        """The milestones in order, each as often as it was given."""
        return {**super().parameters(), "sorted_milestones": sorted(self.milestones.elements())}


class ConstantLR(CurveScheduler, lr_scheduler.ConstantLR):
    """Torch's `ConstantLR`: ``base * factor`` before step `total_iters`, then `base`."""

    schedule = ConstantLRConfig
    needs = ("factor", "total_iters", "last_epoch")


class LinearLR(CurveScheduler, lr_scheduler.LinearLR):
    """Torch's `LinearLR`: a straight line from ``base * start_factor`` to ``base * end_factor`` at step `total_iters`."""

    schedule = LinearLRConfig
    needs = ("start_factor", "end_factor", "total_iters", "last_epoch")

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if self.plan is None or max(start_factor, end_factor) <= 1:
            super().__init__(optimizer, start_factor, end_factor, total_iters, last_epoch)
            return
        # Torch refuses what no rate should do; a weight decay may rise.
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        lr_scheduler.LRScheduler.__init__(self, optimizer, last_epoch)


class ExponentialLR(CurveScheduler, lr_scheduler.ExponentialLR):
    """Torch's `ExponentialLR`: ``base * gamma ** t``."""

    schedule = ExponentialLRConfig
    needs = ("gamma", "last_epoch")

    def load_torch_state(self, state: dict[str, Any]) -> None:
        """Refuse what has a gamma of another schedule."""
        other = {"step_size", "milestones"} & set(state)
        if other:
            raise ValueError(f"this is not the state of an ExponentialLR: it has {', '.join(sorted(other))}")
        super().load_torch_state(state)


class PolynomialLR(CurveScheduler, lr_scheduler.PolynomialLR):
    """Torch's `PolynomialLR`: ``base * (1 - t / total_iters) ** power``, and 0 from step `total_iters` on."""

    schedule = PolynomialLRConfig
    needs = ("total_iters", "power", "last_epoch")


class _FunctionLR(CurveScheduler):
    """What LambdaLR and MultiplicativeLR share: one function, or one for each group."""

    lr_lambdas: list[Any]
    needs = ("lr_lambdas", "last_epoch")
    product: Any = None

    def parameters(self) -> dict[str, Any]:
        """The functions, each once."""
        functions = FunctionWeights(self.lr_lambdas, self.base_lrs, self.product)
        single = functions.single
        return {**super().parameters(), "lr_lambdas": self.lr_lambdas, "functions": functions, "single": single}

    def torch_state(self) -> dict[str, Any]:
        """As torch's, whose copy of a callable object's attributes formulas have none of."""
        state = {k: v for k, v in lr_scheduler.LRScheduler.state_dict(self).items() if k != "lr_lambdas"}  # type: ignore[arg-type]
        state = {k: list(v) if k == "base_lrs" else v for k, v in state.items() if k not in OURS}
        # The text of a formula belongs to the run that wrote it, not to its checkpoint.
        return {**state, "lr_lambdas": [_attributes(function) for function in self.lr_lambdas]}

    def load_torch_state(self, state: dict[str, Any]) -> None:
        """As torch's."""
        lambdas = state.pop("lr_lambdas")
        self.__dict__.update(state)
        self.__dict__["base_lrs"] = [float(base) for base in self.base_lrs]
        count, last = len(self.base_lrs), self.lr_lambdas[-1]  # groups that joined later have the last one
        self.__dict__["lr_lambdas"] = [*self.lr_lambdas, *[last] * count][:count]
        for function, saved in zip(self.lr_lambdas, lambdas, strict=False):
            if saved is not None and not isinstance(function, Formula):
                function.__dict__.update(saved)


def _attributes(function: Any) -> dict[str, Any] | None:
    plain = isinstance(function, (_FUNCTION, Formula)) or not hasattr(function, "__dict__")
    return None if plain else dict(function.__dict__)


class LambdaLR(_FunctionLR, lr_scheduler.LambdaLR):
    """Torch's `LambdaLR`: ``base * lr_lambda(t)``."""

    schedule = LambdaLRConfig
    multiplies = False


class MultiplicativeLR(_FunctionLR, lr_scheduler.MultiplicativeLR):
    """Torch's `MultiplicativeLR`: ``base * lr_lambda(1) * ... * lr_lambda(t)``; a jump computes the factors in between."""

    schedule = MultiplicativeLRConfig
    product = Product


class CosineAnnealingLR(CurveScheduler, lr_scheduler.CosineAnnealingLR):
    """Torch's `CosineAnnealingLR`: ``eta_min + (base - eta_min) (1 + cos(pi t / T_max)) / 2``.

    `eta_min` may be a list, one per group.
    """

    schedule = CosineAnnealingLRConfig
    needs = ("T_max", "eta_min", "last_epoch")


class CosineAnnealingWarmRestarts(CurveScheduler, lr_scheduler.CosineAnnealingWarmRestarts):
    """Torch's `CosineAnnealingWarmRestarts`: a cosine from `base` to `eta_min` over each period.

    `eta_min` may be a list, one per group, and `T_mult` a fraction; ``step(epoch + i / iterations)`` moves within an epoch.
    """

    schedule = CosineAnnealingWarmRestartsConfig
    multiplies = False
    needs = ("T_0", "T_mult", "eta_min", "last_epoch")
    fraction: float = 0.0

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: Any = 1, eta_min: Any = 0.0, last_epoch: int = -1
    ) -> None:
        several = isinstance(eta_min, (list, tuple))
        fraction = isinstance(T_mult, float) and T_mult > 1
        self._true: dict[str, Any] = {"T_mult": T_mult, "eta_min": list(eta_min) if several else eta_min}
        super().__init__(optimizer, T_0, 1 if fraction else T_mult, 0.0 if several else eta_min, last_epoch)

    def _initial_step(self) -> None:
        vars(self).update(vars(self).pop("_true", {}))  # what torch's constructor would not take
        super()._initial_step()

    @property
    def position(self) -> float:
        """The step, and the part of the next one."""
        return float(self.last_epoch + self.fraction) if self.fraction else int(self.last_epoch)

    def go(self, t: float) -> None:
        """Torch's class takes a fraction of an epoch for good."""
        if t < 0:
            raise ValueError(f"Expected non-negative epoch, but got {t}")
        whole = math.floor(t)
        self.fraction = float(t - whole)
        super().go(t)
        self.last_epoch = whole

    def steps_plainly(self) -> bool:
        """Whether it is at a whole step."""
        return not self.fraction

    def warn_epoch(self) -> None:
        """Torch's class does not warn."""

    def check_order(self) -> None:
        """Torch's class does not check."""

    def _period(self) -> tuple[float, float]:
        t = self.position
        if self.plan is not None:
            t = t - self.plan.own_start if t >= self.plan.warmup else 0
        return period(t, self.T_0, self.T_mult)

    @property
    def T_cur(self) -> float:
        """Steps since the last restart."""
        return self._period()[0]

    @T_cur.setter
    def T_cur(self, value: float) -> None:
        # Torch's constructor writes it as well; from then on it follows from the step, which moves with it.
        if self.writer is not None:
            t = self.position - self.T_cur + value
            self.last_epoch = math.floor(t)
            self.fraction = float(t - self.last_epoch)
            self.writer.alone = False

    @property
    def T_i(self) -> float:
        """Length of the present period."""
        return self._period()[1]

    @T_i.setter
    def T_i(self, value: float) -> None:
        pass

    def torch_state(self) -> dict[str, Any]:
        """Torch keeps the period that it is in."""
        return {**super().torch_state(), "T_cur": self.T_cur, "T_i": self.T_i}

    def extra_state(self) -> dict[str, Any]:
        """The fraction of a step within a warmup, which torch's class does not have."""
        extra = super().extra_state()
        return extra if self.T_cur % 1 == self.fraction else {**extra, "t": self.position}

    def load_extra(self, extra: dict[str, Any]) -> None:
        """The fraction of a step within a warmup."""
        if "t" in extra and math.floor(extra["t"]) == self.last_epoch:
            self.fraction = float(extra["t"] - self.last_epoch)

    def load_torch_state(self, state: dict[str, Any]) -> None:
        """The fraction of a step is in `T_cur`."""
        now = state.pop("T_cur", 0)
        state.pop("T_i", None)
        super().load_torch_state(state)
        self.fraction = float(now - math.floor(now))


class CyclicLR(CurveScheduler, lr_scheduler.CyclicLR):
    """Torch's `CyclicLR`: between `base_lr` and `max_lr`, up in `step_size_up` steps and down in `step_size_down`."""

    schedule = CyclicLRConfig
    multiplies = False
    needs = ("max_lrs", "total_size", "step_ratio", "mode", "last_epoch")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Only now torch has put the lower bounds into base_lrs; tensors among the bounds are plain numbers here.
        self.__dict__["max_lrs"] = [float(value) for value in self.max_lrs]
        if self.follows_curve:
            super().begin()

    def begin(self, started_at: int = -1) -> None:
        """Torch begins before the bounds are known."""

    def parameters(self) -> dict[str, Any]:
        """Torch's own numbers."""
        moved = ("base_momentums", "max_momentums") if self.cycle_momentum else ()
        keys = (
            "base_lrs",
            "max_lrs",
            "total_size",
            "step_ratio",
            "mode",
            "gamma",
            "scale_mode",
            "cycle_momentum",
            *moved,
        )
        up = rising(self.total_size, self.step_ratio)
        return {**{key: getattr(self, key) for key in keys}, "up": up, "scale_function": self._scale_fn_custom}

    def group_bases(self) -> list[float]:
        """The upper bounds: the lower ones are no group's rate."""
        return list(self.max_lrs)

    def torch_state(self) -> dict[str, Any]:
        """As torch's, whose copy of a callable object's attributes formulas have none of."""
        custom = self._scale_fn_custom
        self.__dict__["_scale_fn_custom"] = None
        try:
            state = super().torch_state()
        finally:
            self.__dict__["_scale_fn_custom"] = custom
        return {**state, "_scale_fn_custom": _attributes(custom)}

    def load_torch_state(self, state: dict[str, Any]) -> None:
        """As torch's."""
        saved, custom = state.pop("_scale_fn_custom", None), self._scale_fn_custom
        super().load_torch_state({**state, "_scale_fn_custom": None})
        self.__dict__["_scale_fn_custom"] = custom
        if saved is not None and custom is not None and not isinstance(custom, Formula):
            custom.__dict__.update(saved)  # type: ignore[attr-defined]
        self._init_scale_fn()
        self.__dict__["max_lrs"] = [float(value) for value in self.max_lrs]


class OneCycleLR(CurveScheduler, lr_scheduler.OneCycleLR):
    """Torch's `OneCycleLR`: up to `max_lr` and down again within `total_steps`; the last rate is held.

    What torch keeps in the groups (`max_lr`, `min_lr`, ...) is read when it is built and when a state is loaded, not at every step.
    """

    schedule = OneCycleLRConfig
    multiplies = False
    needs = ("total_steps", "_schedule_phases", "last_epoch")

    def parameters(self) -> dict[str, Any]:
        """The phases, and the rates that torch keeps in the groups."""
        groups = self.groups
        index = {key: i for i, key in enumerate(RATES)}
        if not all(key in group for group in groups for key in index):
            raise KeyError(
                "param 'initial_lr', 'max_lr' or 'min_lr' is not specified in param_groups when resuming scheduler with "
                "last_epoch >= 0"
            )
        keys = MOMENTA if self.cycle_momentum else ()
        rates = tuple([float(group[key]) for group in groups] for key in index)
        momentums = tuple([float(group[key]) for group in groups] for key in keys)
        for base in self.base_lrs[len(groups) :]:  # they joined later, and a stage does not see them
            for column, rate in zip(rates, [values[0] * base / rates[FIRST][0] for values in rates], strict=True):
                column.append(rate)
            for column in momentums:
                column.append(column[0])
        return {
            "phases": with_starts(
                [(p["end_step"], index[p["start_lr"]], index[p["end_lr"]]) for p in self._schedule_phases]
            ),
            "anneal_strategy": self._anneal_strategy(),
            "cycle_momentum": self.cycle_momentum,
            "rates": rates,
            "momentums": momentums,
            "base_lrs": self.base_lrs,
        }

    def _anneal_strategy(self) -> str:
        # States of old versions of torch have the function itself.
        known: str | None = self.__dict__.get("_anneal_func_type")
        return known or ("linear" if self.__dict__["anneal_func"].__name__ == "_annealing_linear" else "cos")

    def step(self, epoch: Any = None) -> None:
        """Torch's class ends; one that is built from a config holds."""
        if self.plan is None:
            self._refuse_beyond(self.last_epoch + 1 if epoch is None else epoch)
        super().step(epoch)

    def _refuse_beyond(self, t: float) -> None:
        if t > self.total_steps and self.follows_curve:
            raise ValueError(f"Tried to step {t} times. The specified number of total steps is {self.total_steps}")

    def group_bases(self) -> list[float]:
        """The peaks: the first rates are no group's own."""
        return list(self.leaf.p.rates[PEAK])

    def rebind(self) -> None:
        """New groups in the optimizer have no rates of ours before they join."""
        groups = self.groups
        if all("max_lr" in group for group in groups):
            super().rebind()


for _class in (
    StepLR,
    MultiStepLR,
    LinearLR,
    ExponentialLR,
    PolynomialLR,
    LambdaLR,
    MultiplicativeLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
):
    take_keywords(_class, _class.schedule)
