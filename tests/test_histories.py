"""Random histories of the drop-in classes: beside torch's own, and beside the closed form.

A history is a class, an optimizer, and a few dozen operations: steps, hand edits, states saved and loaded (into ours, into
torch's, and back), groups that come and go, copies and pickles. After each one the rates are compared with the closed form,
and with torch's class for as long as torch is right. It is not, and only the closed form counts, where

- a hand edit meets a class that overwrites it (LambdaLR, CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR; CosineAnnealingLR
  at its lowest point) or that adds a floor which it does not scale (CosineAnnealingLR with eta_min);
- a late group meets a class that knows base rates only from its constructor, or brings an initial_lr;
- OneCycleLR is at its end (torch begins to climb there; one step later both raise);
- a class is constructed with `last_epoch`, and multiplies what the optimizer already holds (StepLR, MultiStepLR, ConstantLR) or
  does not know in which cycle it is (CosineAnnealingWarmRestarts).
"""

from __future__ import annotations

import copy
import math
import pickle
import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import oracle
import pytest
import torch
from torch.optim import lr_scheduler as theirs

from lr_configs import schedulers as ours
from lr_configs.registry import entry


def decay(t: int) -> float:
    return 0.9**t


def wave(t: int) -> float:
    return 1 / (1 + t)


def shrink(t: int) -> float:
    return 1 - 1 / (2 + t)


oracle.FORMULAS |= {"decay": lambda t, T: decay(t), "wave": lambda t, T: wave(t), "shrink": lambda t, T: shrink(t)}
FUNCTIONS = {"decay": decay, "wave": wave, "shrink": shrink}


@dataclass
class Kind:
    """A class, its arguments, and its law."""

    cls: str
    kwargs: dict[str, Any]
    name: str
    node: dict[str, Any]
    keeps_edits: bool = True  # torch's recurrence scales with the rate
    late: bool = True  # torch's recurrence goes on from the rate of a late group
    in_torch: bool = True

    def law(self, t: float, base: float, group: int) -> float:
        plan = oracle.Plan(oracle.filled({"name": self.name, **self.node}), 0, "step", 1, 10**6, Fraction(10**6))
        return oracle.own(plan, Fraction(t), base, group)

    def build(self, module: Any, optimizer: Any, **more: Any) -> Any:
        return getattr(module, self.cls)(optimizer, **self.kwargs, **more)

    def base_for(self, t: float, rate: float, group: int) -> float | None:
        """The base whose curve passes through `rate` at step `t`; None where there is not one alone."""
        low, high = 1e-9, 1e9
        if self.law(t, high, group) <= 10 * max(self.law(t, low, group), 1e-9):
            return None
        if not self.law(t, low, group) < rate < self.law(t, high, group):
            return None
        for _ in range(120):
            middle = math.sqrt(low * high)
            low, high = (middle, high) if self.law(t, middle, group) < rate else (low, middle)
        return high


#: by their registry names, which torch has not
BEYOND = [
    "inverse_sqrt", "warmup_stable_decay", "rex", "noam", "inverse_time", "power", "piecewise", "slanted_triangular", "tanh",
    "hyperbolic", "exp_hyperbolic", "range_test",
]  # fmt: skip


def draw_beyond(rng: random.Random) -> Kind:
    """A class that torch has not, or one of torch's with a key that it has not."""
    n, low = rng.randint(1, 9), rng.choice([0.0, 0.002])
    floor = {"eta_min": low}
    end = {"total_steps": n + 5}
    name = rng.choice(
        [*BEYOND, "step", "multi_step", "linear", "exponential", "polynomial", *["cosine", "cosine_warm_restarts"] * 2]
    )
    keys: dict[str, Any] = {
        "inverse_sqrt": {"timescale": n, **floor},
        "warmup_stable_decay": {
            **end,
            "decay": rng.randint(1, n + 5),
            **rng.choice(
                [
                    {"decay_shape": rng.choice(["linear", "cosine", "1-sqrt", "1-square", "exponential"]), **floor},
                    {"decay_shape": "geometric", "eta_min": 0.002},
                ]
            ),
        },
        "rex": {**end, "beta": rng.choice([0.5, 0.9]), **floor},
        "noam": {"d_model": 4, "warmup_steps": n, "eta_min": rng.choice([0.0, 0.0005])},
        "inverse_time": {"gamma": 0.5, "decay_period": n, "staircase": rng.random() < 0.5, **floor},
        "power": {"timescale": n, **floor},
        "piecewise": {
            "points": [[0, 0.5], [n, 1.0], [n + 4, 0.1]],
            "interpolation": rng.choice(["linear", "cosine", "constant"]),
            **floor,
        },
        "slanted_triangular": {**end, "cut_frac": rng.choice([0.1, 0.5]), **floor},
        "tanh": {**end, **floor},
        "hyperbolic": {**end, "upper_bound": n + rng.choice([5, 12]), **floor},
        "exp_hyperbolic": {**end, "upper_bound": n + rng.choice([5, 12]), "eta_min": 0.002},
        "range_test": {**end, "shape": rng.choice(["exponential", "linear"]), "eta_min": 0.002},
        "step": {"step_size": n, "gamma": 0.5, "eta_min": 0.004},
        "multi_step": {"milestones": [n, n + 2], "gamma": 0.5, "eta_min": 0.02},
        "linear": {"start_factor": 1.0, "end_factor": 0.1, "total_iters": n, "eta_min": 0.02},
        "exponential": {
            "gamma": 0.5,
            **rng.choice([{"decay_period": n, "staircase": rng.random() < 0.5}, {"eta_min": 0.02}]),
        },
        "polynomial": {"total_iters": n + 5, "power": 2.0, "eta_min": 0.002},
        "cosine": {
            "T_max": n,
            **floor,
            **rng.choice([{"power": 1.5}, {"cycles": rng.choice([1.0, 1.5])}, {"k": 1.5}, {"power": 2, "k": 0.5}]),
        },
        "cosine_warm_restarts": {
            "T_0": n,
            "T_mult": rng.choice([1, 2, 1.5]),
            **floor,
            **rng.choice([{"restart_decay": 0.5}, {"cycles": 2}, {"restart_decay": 0.9, "cycles": 3}]),
        },
    }[name]
    own = {**oracle.DEFAULTS[name], **keys}
    return Kind(entry(name).torch_name, keys, name, own, keeps_edits=False, late=False, in_torch=False)


def draw_kind(rng: random.Random, groups: int) -> Kind:
    if rng.random() < 0.4:
        return draw_beyond(rng)
    return draw_torchs(rng, groups)


def draw_torchs(rng: random.Random, groups: int) -> Kind:
    n = rng.randint(1, 9)
    gamma = rng.choice([0.5, 0.9, 1.1])
    eta = rng.choice([0.0, 0.0, 0.002])
    cls = rng.choice(
        [
            "StepLR",
            "MultiStepLR",
            "ConstantLR",
            "LinearLR",
            "ExponentialLR",
            "PolynomialLR",
            "CosineAnnealingLR",
            "CosineAnnealingWarmRestarts",
            "LambdaLR",
            "MultiplicativeLR",
            "CyclicLR",
            "OneCycleLR",
        ]
    )
    if cls == "StepLR":
        return Kind(cls, {"step_size": n, "gamma": gamma}, "step", {"step_size": n, "gamma": gamma})
    if cls == "MultiStepLR":
        points = sorted(rng.choices(range(1, 15), k=3))
        return Kind(cls, {"milestones": points, "gamma": gamma}, "multi_step", {"milestones": points, "gamma": gamma})
    if cls == "ConstantLR":
        return Kind(cls, {"factor": 0.25, "total_iters": n}, "constant", {"factor": 0.25, "total_iters": n})
    if cls == "LinearLR":
        own = {"start_factor": rng.choice([0.1, 1.0]), "end_factor": rng.choice([0.2, 1.0]), "total_iters": n}
        return Kind(cls, own, "linear", own)
    if cls == "ExponentialLR":
        return Kind(cls, {"gamma": gamma}, "exponential", {"gamma": gamma})
    if cls == "PolynomialLR":
        own = {"total_iters": n + 5, "power": rng.choice([1.0, 2.0])}
        return Kind(cls, own, "polynomial", own)
    if cls == "CosineAnnealingLR":
        own = {"T_max": n, "eta_min": eta}
        return Kind(cls, own, "cosine", own, keeps_edits=eta == 0)
    if cls == "CosineAnnealingWarmRestarts":
        own = {"T_0": n, "T_mult": rng.choice([1, 2, 3]), "eta_min": eta}
        return Kind(cls, own, "cosine_warm_restarts", own, keeps_edits=False, late=False)
    if cls in ("LambdaLR", "MultiplicativeLR"):
        name = rng.choice(["decay", "wave"] if cls == "LambdaLR" else ["shrink"])
        function: Any = [FUNCTIONS[name]] * groups if rng.random() < 0.3 else FUNCTIONS[name]
        kind = "lambda" if cls == "LambdaLR" else "multiplicative"
        plain = kind == "multiplicative"
        return Kind(cls, {"lr_lambda": function}, kind, {"lr_lambda": name}, keeps_edits=plain, late=False)
    if cls == "CyclicLR":
        own = {
            "base_lr": 0.01,
            "max_lr": 0.2,
            "step_size_up": n,
            "step_size_down": rng.choice([None, 4]),
            "mode": rng.choice(["triangular", "triangular2", "exp_range"]),
            "gamma": 0.97,
        }
        return Kind(cls, own, "cyclic", own, keeps_edits=False, late=False)
    own = {"max_lr": 0.3, "total_steps": n + 6, "pct_start": 0.3, "anneal_strategy": rng.choice(["cos", "linear"])}
    own["three_phase"] = rng.random() < 0.4
    return Kind(cls, own, "one_cycle", own, keeps_edits=False, late=False)


def make_optimizer(rates: list[float], dtype: Any, shared: bool, cls: Any = torch.optim.SGD) -> Any:
    tensors = (
        [torch.tensor(rates[0], dtype=dtype)] * len(rates) if shared else [torch.tensor(r, dtype=dtype) for r in rates]
    )
    groups = [
        {"params": [torch.zeros(1, requires_grad=True)], "lr": tensors[i] if dtype else rate}
        for i, rate in enumerate(rates)
    ]
    return cls(groups, lr=0.1, momentum=0.9)


def held(optimizer: Any) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


class Over(Exception):
    """The history has come to its end."""


@dataclass
class History:
    """Ours, torch's beside it (None from where torch is wrong), and the law."""

    rng: random.Random
    kind: Kind
    dtype: Any
    bases: list[float]
    optimizer: Any
    scheduler: Any
    twin: Any = None  # torch's optimizer and scheduler
    t: int = 0
    ratios: list[float] = field(default_factory=list)
    arrived: dict[int, float] = field(default_factory=dict)  # groups that wait for their first step
    unseen: set[int] = field(default_factory=set)  # groups that no scheduler has looked at yet
    log: list[str] = field(default_factory=list)
    loose: bool = False  # torch's recurrences have been in between
    changed: bool = False  # by an edit or a late group

    def curve(self, i: int, base: float | None = None) -> float:
        return self.kind.law(self.t, self.bases[i] if base is None else base, i)

    def due(self) -> list[float]:
        return [self.arrived.get(i, self.curve(i) * self.ratios[i]) for i in range(len(self.bases))]

    def check(self) -> None:
        rel = 2e-6 if self.dtype is torch.float32 else 1e-9 if self.loose else 1e-12
        slack = 1e-15 if self.dtype is not torch.float32 else 1e-9
        found, due = held(self.optimizer), self.due()
        for i, (one, other) in enumerate(zip(found, due, strict=True)):
            assert math.isclose(one, other, rel_tol=rel, abs_tol=slack), (
                f"group {i}: {one!r}, not {other!r} (closed form)"
            )
        if self.twin:
            for i, (one, other) in enumerate(zip(found, held(self.twin[0]), strict=True)):
                assert math.isclose(one, other, rel_tol=max(rel, 1e-8), abs_tol=1e-10), (
                    f"group {i}: {one!r}, torch {other!r}"
                )

    # -------------------------------------------------------------------------------- operations

    def step(self) -> None:
        if self.kind.cls == "OneCycleLR" and self.t == self.kind.kwargs["total_steps"]:
            with pytest.raises(ValueError, match="total steps"):
                self.scheduler.step()
            raise Over
        self.t += 1
        self.arrived.clear()
        self.unseen.clear()
        self.optimizer.step()
        self.scheduler.step()
        told = [float(rate) for rate in self.scheduler.get_last_lr()]
        assert told == held(self.optimizer), f"get_last_lr {told} of {held(self.optimizer)}"
        if self.twin and self.kind.cls == "OneCycleLR" and self.t >= self.kind.kwargs["total_steps"]:
            self.twin = None
        if self.kind.cls == "CosineAnnealingLR" and self.t > self.kind.kwargs["T_max"] and self.changed:
            self.twin = None
        if self.twin:
            self.twin[0].step()
            self.twin[1].step()

    def steps(self) -> None:
        for _ in range(self.rng.randint(1, 5)):
            self.step()
            self.check()

    def edit(self) -> None:
        i = self.rng.randrange(len(self.bases))
        if i in self.arrived or abs(self.curve(i)) < 1e-6:
            return
        ratio = self.rng.choice([0.5, 0.25, 2.0, 0.3])
        mine = self.optimizer.param_groups[i]["lr"]
        together = [j for j, group in enumerate(self.optimizer.param_groups) if j == i or group["lr"] is mine]
        together = together if isinstance(mine, torch.Tensor) else [i]
        if any(j in self.arrived or j in self.unseen for j in together):
            return  # what it arrives with is no edit
        write(self.optimizer, i, ratio, self.rng.random() < 0.7 or len(together) > 1)
        self.changed = True
        for j in together:
            self.ratios[j] *= ratio
        if self.twin and self.kind.keeps_edits and len(together) == 1:
            write(self.twin[0], i, ratio, True)
        else:
            self.twin = None

    def reload(self) -> None:
        """Into new objects, in either order."""
        states = self.saved()
        fresh = make_optimizer([0.1] * len(self.bases), self.dtype, False)
        scheduler = self.kind.build(ours, fresh)
        pairs = [(fresh, states[0]), (scheduler, states[1])]
        for target, state in pairs if self.rng.random() < 0.5 else pairs[::-1]:
            target.load_state_dict(state)
        self.optimizer, self.scheduler = fresh, scheduler

    def saved(self) -> tuple[Any, Any]:
        states = self.optimizer.state_dict(), self.scheduler.state_dict()
        return pickle.loads(pickle.dumps(states)) if self.rng.random() < 0.5 else copy.deepcopy(states)

    def through_torch(self) -> None:
        """To torch's class, a few steps there, perhaps an edit there, and back."""
        if (
            self.arrived
            or not self.kind.in_torch
            or self.kind.cls == "OneCycleLR"
            or any(abs(self.curve(i)) < 1e-6 for i in range(len(self.bases)))
        ):
            return
        if "lr_lambda" in self.kind.kwargs and len(self.bases) != len(self.scheduler.lr_lambdas):
            return
        states = self.saved()
        optimizer = make_optimizer([0.1] * len(self.bases), self.dtype, False)
        scheduler = self.kind.build(theirs, optimizer)
        optimizer.load_state_dict(states[0])
        scheduler.load_state_dict(states[1])
        before = self.t
        for _ in range(self.rng.randint(0, 3)):
            optimizer.step()
            scheduler.step()
            self.t += 1
        curve = [self.curve(i) for i in range(len(self.bases))]
        if any(abs(rate) < 1e-6 for rate in curve):
            self.t = before
            return
        back = optimizer.state_dict(), scheduler.state_dict()
        if self.rng.random() < 0.4:
            write(optimizer, 0, 0.5, True)
            # torch's own state tells the rates of its last step: an edit after that is known to the optimizer's state alone
            back = optimizer.state_dict(), {**scheduler.state_dict(), "_last_lr": held(optimizer)}
        # What torch leaves is the rate; what it has forgotten is gone.
        self.ratios = [rate / due for rate, due in zip(held(optimizer), curve, strict=True)]
        fresh = make_optimizer([0.1] * len(self.bases), self.dtype, False)
        mine = self.kind.build(ours, fresh)
        pairs = [(fresh, copy.deepcopy(back[0])), (mine, copy.deepcopy(back[1]))]
        for target, state in pairs if self.rng.random() < 0.5 else pairs[::-1]:
            target.load_state_dict(state)
        self.optimizer, self.scheduler, self.twin, self.loose = fresh, mine, None, True

    def jump(self) -> None:
        """To another step, forwards or back; torch has no such thing."""
        if self.arrived or self.unseen or self.kind.cls == "OneCycleLR":
            return
        self.t, self.twin, self.loose = self.rng.randint(0, 30), None, True
        self.scheduler.jump(self.t)

    def deep_copy(self) -> None:
        self.optimizer, self.scheduler = copy.deepcopy((self.optimizer, self.scheduler))

    def pickled(self) -> None:
        self.optimizer, self.scheduler = pickle.loads(pickle.dumps((self.optimizer, self.scheduler)))

    def new_storage(self) -> None:
        """The memory of a tensor rate is exchanged under the scheduler's feet, as sharing between processes does."""
        for group in self.optimizer.param_groups:
            lr = group["lr"]
            if isinstance(lr, torch.Tensor):
                how = self.rng.randrange(3)
                if how == 0:
                    lr.data = lr.data.clone()
                elif how == 1:
                    lr.share_memory_()
                else:
                    lr.set_(lr.detach().clone())

    def add_group(self) -> None:
        if (
            len(self.bases) > 3
            or self.kind.cls in ("CyclicLR", "OneCycleLR")
            or isinstance(self.kind.kwargs.get("lr_lambda"), list)
        ):
            return
        i, rate = len(self.bases), self.rng.choice([0.05, 0.01])
        found = None if self.kind.in_torch else self.kind.base_for(self.t, rate, i)
        if not self.kind.in_torch and found is None:
            return
        value = torch.tensor(rate, dtype=self.dtype) if self.dtype else rate
        group = {"params": [torch.zeros(1, requires_grad=True)], "lr": value}
        slope, low = 1.0, 0.0
        if found is None:
            low = self.kind.law(self.t, 0.0, i)
            slope = self.kind.law(self.t, 1.0, i) - low
        if abs(slope) < 1e-15 and low:
            return  # no base rate takes a curve that touches its floor through another rate
        if self.rng.random() < 0.3:
            group["initial_lr"] = 0.08
            self.bases.append(0.08)
            self.arrived[i] = rate
        elif abs(slope) < 1e-15:
            self.bases.append(rate)
            self.arrived[i] = rate
        elif found is not None:
            self.bases.append(found)
            self.loose = True
        else:
            self.bases.append((rate - low) / slope)
        self.ratios.append(1.0)
        trusted = self.kind.late and "initial_lr" not in group and abs(slope) >= 1e-15
        if self.twin and trusted:
            self.twin[0].add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": copy.deepcopy(value)})
        else:
            self.twin = None
        self.changed = True
        self.optimizer.add_param_group(group)
        self.unseen.add(i)
        if self.rng.random() < 0.7:
            self.step()

    def remove_group(self) -> None:
        if len(self.bases) < 2 or self.kind.cls in ("CyclicLR", "OneCycleLR") or "lr_lambda" in self.kind.kwargs:
            return
        self.optimizer.param_groups.pop()
        self.bases.pop()
        self.ratios.pop()
        self.arrived.pop(len(self.bases), None)
        self.unseen.discard(len(self.bases))
        self.twin = None


def write(optimizer: Any, i: int, ratio: float, in_place: bool) -> None:
    lr = optimizer.param_groups[i]["lr"]
    if isinstance(lr, torch.Tensor) and in_place:
        with torch.no_grad():
            lr.mul_(ratio)
    else:
        optimizer.param_groups[i]["lr"] = lr * ratio


OPERATIONS: list[Callable[[History], None]] = (
    [History.steps] * 6
    + [History.edit] * 2
    + [
        History.new_storage,
        History.reload,
        History.through_torch,
        History.deep_copy,
        History.pickled,
        History.jump,
        History.add_group,
        History.remove_group,
    ]
)


def begin(seed: int) -> History:
    rng = random.Random(seed)
    groups = rng.choice([1, 1, 2, 3])
    kind = draw_kind(rng, groups)
    dtype = rng.choice([None, None, torch.float32, torch.float64])
    shared = dtype is not None and groups > 1 and rng.random() < 0.3
    rates = [0.1] * groups if shared else [0.1 / (i + 1) for i in range(groups)]
    start = rng.choice([-1, -1, -1, -1, 3]) if kind.cls not in ("CyclicLR", "OneCycleLR") and not shared else -1
    pair = []
    for module in (ours, theirs) if kind.in_torch else (ours, ours):
        optimizer = make_optimizer(rates, dtype, shared)
        if start >= 0:  # resuming by hand after step 3: the optimizer holds the next rate, and knows its base rates
            for i, (group, base) in enumerate(zip(optimizer.param_groups, rates, strict=True)):
                value = kind.law(start + 1, base, i)
                group["initial_lr"] = base
                group["lr"] = torch.tensor(value, dtype=dtype) if dtype else value
        pair.append((optimizer, kind.build(module, optimizer, last_epoch=start)))
    due = [kind.law(start + 1, base, i) for i, base in enumerate(rates)]
    twin = pair[1] if held(pair[1][0]) == pytest.approx(due, rel=1e-6) and not shared else None
    if not kind.in_torch or (start >= 0 and kind.cls == "CosineAnnealingWarmRestarts"):
        twin = None
    return History(rng, kind, dtype, rates, *pair[0], twin, start + 1, [1.0] * groups)


def check(seed: int) -> list[str]:
    """One history; what is wrong with it."""
    history = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            history = begin(seed)
            history.check()
            for _ in range(history.rng.randint(4, 12)):
                operation = history.rng.choice(OPERATIONS)
                history.log.append(f"{operation.__name__}@{history.t}")
                operation(history)
                history.check()
    except Over:
        return []
    except Exception as error:  # any other one than a difference is a bug as well
        kind = history and f"{history.kind.cls}({history.kind.kwargs}) {history.dtype} {len(history.bases)} groups"
        path = history and " ".join(history.log)
        return [f"\npython tests/fuzz.py histories {seed}   # {type(error).__name__}: {error}\n    {kind}: {path}"]
    return []


@pytest.mark.parametrize("block", range(10))
def test_single_schedules(block: int) -> None:
    problems = [line for seed in range(block * 160, block * 160 + 160) for line in check(seed)]
    assert not problems, f"{len(problems)} histories" + "".join(problems[:10])


# ------------------------------------------------------------------------------------------------ several at once

FACTORS = ("StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR")


def draw_factor(rng: random.Random) -> Kind:
    while (kind := draw_torchs(rng, 1)).cls not in FACTORS:
        pass
    return kind


def check_together(seed: int) -> list[str]:
    """Two schedulers on one optimizer, a product or a sequence: beside torch's, which is right for these."""
    rng = random.Random(seed)
    how = rng.choice(["beside", "chained", "sequential"])
    kinds = [draw_factor(rng) for _ in range(2)]
    cut = rng.randint(1, 8)
    log: list[str] = []
    times = [0, 0]

    def build(module: Any) -> Any:
        optimizer = make_optimizer([0.1, 0.05], None, False)
        made = [kind.build(module, optimizer) for kind in kinds]
        if how == "chained":
            made = [module.ChainedScheduler(made)]
        elif how == "sequential":
            made = [module.SequentialLR(optimizer, made, [cut])]
        return optimizer, made

    def law(base: float) -> float:
        if how == "sequential":
            t = times[0]
            return kinds[0].law(t, base, 0) if t < cut else kinds[1].law(t - cut, base, 0)
        second = times[1] if how == "beside" else times[0]
        return kinds[0].law(times[0], base, 0) * kinds[1].law(second, 1.0, 0)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mine: Any = build(ours)
            torchs: Any = build(theirs)
            ratio = 1.0
            for _ in range(rng.randint(5, 25)):
                operation = rng.choice(["step", "step", "step", "step", "edit", "reload", "copy"])
                which = rng.randrange(len(mine[1]))
                log.append(f"{operation}{which}")
                if operation == "step":
                    times[which] += 1
                    for optimizer, schedulers in filter(None, (mine, torchs)):
                        optimizer.step()
                        schedulers[which].step()
                elif operation == "edit":
                    ratio *= 0.5
                    for optimizer, _ in filter(None, (mine, torchs)):
                        write(optimizer, 0, 0.5, True)
                    if how == "sequential" and times[0] < cut:
                        torchs = None  # it begins a stage from the base rate
                elif operation == "reload":
                    states = copy.deepcopy((mine[0].state_dict(), [one.state_dict() for one in mine[1]]))
                    mine = build(ours)
                    mine[0].load_state_dict(states[0])
                    for one, state in zip(mine[1], states[1], strict=True):
                        one.load_state_dict(state)
                else:
                    mine = pickle.loads(pickle.dumps(mine)) if rng.random() < 0.5 else copy.deepcopy(mine)
                due = [law(0.1) * ratio, law(0.05)]
                for i, (one, other, third) in enumerate(
                    zip(held(mine[0]), due, held((torchs or mine)[0]), strict=True)
                ):
                    assert math.isclose(one, other, rel_tol=1e-9), f"group {i}: {one!r}, not {other!r} (closed form)"
                    assert math.isclose(one, third, rel_tol=1e-8), f"group {i}: {one!r}, torch {third!r}"
    except Exception as error:
        what = f"{how} {[(kind.cls, kind.kwargs) for kind in kinds]} cut {cut}: {' '.join(log)}"
        return [f"\npython tests/fuzz.py together {seed}   # {type(error).__name__}: {error}\n    {what}"]
    return []


def test_several_schedules() -> None:
    problems = [line for seed in range(250) for line in check_together(seed)]
    assert not problems, f"{len(problems)} histories" + "".join(problems[:10])


# ------------------------------------------------------------------------------------------------ metrics


def check_plateau(seed: int) -> list[str]:
    """`ReduceLROnPlateau` is torch's own: the same metrics give the same rates, whatever else happens."""
    rng = random.Random(seed)
    keys: dict[str, Any] = {
        "mode": rng.choice(["min", "max"]),
        "factor": rng.choice([0.5, 0.1]),
        "patience": rng.choice([0, 1, 2]),
        "cooldown": rng.choice([0, 2]),
        "threshold_mode": rng.choice(["rel", "abs"]),
        "threshold": rng.choice([1e-4, 0.2]),
        "min_lr": rng.choice([0.0, 0.001, [0.01, 0.002]]),
    }
    dtype = rng.choice([None, None, torch.float64])

    def build(module: Any) -> Any:
        optimizer = make_optimizer([0.1, 0.05], dtype, False)
        return optimizer, module.ReduceLROnPlateau(optimizer, **keys)

    log: list[str] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mine, torchs = build(ours), build(theirs)
            for _ in range(rng.randint(5, 30)):
                operation = rng.choice(["step"] * 5 + ["edit", "reload", "exchange", "copy"])
                log.append(operation)
                if operation == "step":
                    value = rng.choice([1.0, 0.9, 0.5, 0.3, 2.0])
                    for _, scheduler in (mine, torchs):
                        scheduler.step(value)
                elif operation == "edit":
                    for optimizer, _ in (mine, torchs):
                        write(optimizer, 1, 0.5, True)
                elif operation in ("reload", "exchange"):
                    source = torchs if operation == "exchange" else mine
                    states = copy.deepcopy((source[0].state_dict(), source[1].state_dict()))
                    if operation == "exchange":  # ours to torch's, and torch's to ours
                        other = copy.deepcopy((mine[0].state_dict(), mine[1].state_dict()))
                        torchs = build(theirs)
                        torchs[0].load_state_dict(other[0])
                        torchs[1].load_state_dict(other[1])
                    mine = build(ours)
                    mine[1].load_state_dict(states[1])
                    mine[0].load_state_dict(states[0])
                else:
                    mine = copy.deepcopy(mine)
                found, due = held(mine[0]), held(torchs[0])
                assert found == pytest.approx(due, rel=1e-12), f"{found}, torch {due}"
    except Exception as error:
        return [
            f"\npython tests/fuzz.py plateau {seed}   # {type(error).__name__}: {error}\n    {keys} {dtype}: {' '.join(log)}"
        ]
    return []


def test_plateau() -> None:
    problems = [line for seed in range(150) for line in check_plateau(seed)]
    assert not problems, f"{len(problems)} histories" + "".join(problems[:10])
