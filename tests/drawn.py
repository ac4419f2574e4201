"""What the random tests draw: schedules with all their keys, runs, and changes between a run and the one that goes on from it."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import oracle
import torch
from oracle import Run

from lr_configs import register, registry

POLICIES = ("strict", "keep", "stretch", "restart")

# ------------------------------------------------------------------------------------------------ schedules of one's own


def slope(t: float, span: int, *, depth: float = 0.5, start: Any = "25%") -> float:
    """A function of the step."""
    return 1.0 if t < start else float(depth ** ((t - start) / span))


class Halving(torch.optim.lr_scheduler.LRScheduler):
    """A class of torch's kind."""

    def __init__(self, optimizer: Any, every: int = 3, last_epoch: int = -1) -> None:
        if every <= 0:
            raise ValueError("every is positive")
        self.every = every
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        half = self.last_epoch > 0 and self.last_epoch % self.every == 0
        return [group["lr"] * (0.5 if half else 1.0) for group in self.optimizer.param_groups]


FUNCTION, CLASS = "drawn_function", "drawn_class"
oracle.DEFAULTS |= {FUNCTION: {"span": "100%", "depth": 0.5, "start": "25%"}, CLASS: {"every": 3}}
oracle.OWN |= {
    FUNCTION: lambda p, t: 1.0 if t < p["start"] else p["depth"] ** float((t - p["start"]) / p["span"]),
    CLASS: lambda p, t: 0.5 ** (t // p["every"]),
}
oracle.LENGTHS += ["span", "start"]
oracle.BY_STEP.append(FUNCTION)


@contextlib.contextmanager
def registered() -> Iterator[None]:
    """While these two have their names."""
    for name, what in ((FUNCTION, slope), (CLASS, Halving)):
        register(name, what)
    try:
        yield
    finally:
        for name in (FUNCTION, CLASS):
            registry.remove(name)


# ------------------------------------------------------------------------------------------------ schedules


def length(rng: random.Random, most: int = 60) -> Any:
    """A length in any unit; shares are the most common, as in real configs."""
    unit = rng.choice(["", "st", "ep", ".5ep", "%", "%", "%"])
    if unit == "%":
        return f"{rng.choice([5, 10, 25, 30, 33, 50, most])}%"
    if unit == ".5ep":
        return f"{rng.choice(['0.5', '1.5'])}ep"
    return rng.randint(1, 3) if unit == "" else f"{rng.randint(1, 3 if unit == 'ep' else 9)}{unit}"


def milestones(rng: random.Random) -> list[Any]:
    unit = rng.choice(["", "st", "ep", "%", "%"])
    if unit == "":
        return sorted(rng.sample(range(1, 5), rng.randint(1, 3)))
    scale = {"st": range(1, 15), "ep": range(1, 4), "%": range(5, 95, 5)}[unit]
    return [f"{m}{unit}" for m in sorted(rng.sample(scale, rng.randint(1, 3)))]


def floor(rng: random.Random, groups: int, *, positive: bool = False) -> Any:
    """A floor below every rate that is drawn; of a mapping the other group has the default."""
    choices: list[Any] = [0.001, "1%"] if positive else [0.0, 0.0, 0.001, "1%"]
    if groups == 2:
        choices += [[0.001, 0.002], ["1%", 0.0005]] if positive else [[0.001, 0.0], {"1": 0.002}, ["2%", 0.0]]
    return rng.choice(choices)


def whole(rng: random.Random) -> Any:
    """The length of what has an end: mostly all that there is."""
    return rng.choice(["100%", "100%", length(rng, 100)])


def own_keys(rng: random.Random, name: str, groups: int) -> dict[str, Any]:
    """The keys of one schedule; now and then its defaults."""
    if rng.random() < 0.12 and name not in ("lambda", "multiplicative"):
        return {}
    keys: dict[str, Any] = {
        "none": lambda: {},
        "lambda": lambda: {"lr_lambda": rng.choice(LAMBDAS), **clamp(rng, groups)},
        "multiplicative": lambda: {
            "lr_lambda": rng.choice(["0.95", "1 - 1 / (2 + t)", "0.98 - 0.1 * p", "1 - base"]),
            **clamp(rng, groups),
        },
        "step": lambda: {"step_size": length(rng), "gamma": 0.5, **clamp(rng, groups)},
        "multi_step": lambda: {"milestones": milestones(rng), "gamma": 0.5, **clamp(rng, groups)},
        "constant": lambda: {"factor": 0.25, "total_iters": length(rng)},
        "linear": lambda: {
            "start_factor": 0.1,
            "end_factor": rng.choice([1.0, 0.0, 0.5]),
            "total_iters": length(rng, 100),
            **clamp(rng, groups),
        },
        "exponential": lambda: {"gamma": rng.choice([0.9, 0.5]), **clamp(rng, groups), **periods(rng)},
        "polynomial": lambda: {
            "total_iters": length(rng, 100),
            "power": rng.choice([1.0, 2.0, 0.5]),
            **clamp(rng, groups),
        },
        "cosine": lambda: {"T_max": whole(rng), "eta_min": floor(rng, groups), **waves(rng)},
        "cosine_warm_restarts": lambda: {
            "T_0": length(rng),
            "T_mult": rng.choice([1, 1, 2, 3, 1.5, 1.1, 1.25]),
            "eta_min": floor(rng, groups),
            **rng.choice([{}, {}, {"restart_decay": 0.5}, {"cycles": 2}, {"restart_decay": 0.9, "cycles": 3}]),
        },
        "cyclic": lambda: {
            "step_size_up": length(rng),
            "step_size_down": rng.choice([None, length(rng)]),
            "mode": rng.choice(["triangular", "triangular2", "exp_range"]),
            "gamma": 0.98,
            "max_lr": rng.choice([None, 0.3]),
            "base_lr": rng.choice([None, 0.001]),
        },
        "one_cycle": lambda: {
            "total_steps": whole(rng),
            "max_lr": rng.choice([None, 0.5]),
            "pct_start": rng.choice([0.3, 0.25]),
            "anneal_strategy": rng.choice(["cos", "linear"]),
            "three_phase": rng.random() < 0.3,
        },
        "inverse_sqrt": lambda: {"timescale": length(rng), "eta_min": floor(rng, groups)},
        "warmup_stable_decay": lambda: {
            "total_steps": whole(rng),
            "decay": length(rng),
            **rng.choice(
                [
                    {"eta_min": floor(rng, groups), "decay_shape": rng.choice(SHAPES)},
                    {"eta_min": floor(rng, 1, positive=True), "decay_shape": "geometric"},
                ]
            ),
        },
        "rex": lambda: {"total_steps": whole(rng), "beta": rng.choice([0.5, 0.9, 0.0]), "eta_min": floor(rng, groups)},
        "noam": lambda: {
            "d_model": rng.choice([1, 64]),
            "warmup_steps": length(rng),
            "eta_min": rng.choice([0.0, "0.01%", 0.0001]),
        },
        "inverse_time": lambda: {
            "gamma": rng.choice([1.0, 0.5]),
            "decay_period": length(rng),
            "staircase": rng.random() < 0.4,
            "eta_min": floor(rng, groups),
        },
        "power": lambda: {
            "timescale": length(rng),
            "exponent": rng.choice([-0.51, -1, 0]),
            "eta_min": floor(rng, groups),
        },
        "piecewise": lambda: {
            "points": points(rng),
            "interpolation": rng.choice(["linear", "cosine", "constant"]),
            **low(rng),
        },
        "slanted_triangular": lambda: {
            "total_steps": whole(rng),
            "cut_frac": rng.choice([0.1, 0.29, 0.5, 0.0]),
            "ratio": rng.choice([32.0, 2, 1]),
            **clamp(rng, groups),
        },
        "tanh": lambda: {
            "total_steps": whole(rng),
            **rng.choice([{}, {"lb": -4, "ub": 2.5}]),
            "eta_min": floor(rng, groups),
        },
        "hyperbolic": lambda: {**bounds(rng), "eta_min": floor(rng, groups)},
        "exp_hyperbolic": lambda: {**bounds(rng), "eta_min": floor(rng, groups, positive=True)},
        "range_test": lambda: {
            "total_steps": whole(rng),
            "shape": rng.choice(["exponential", "linear"]),
            "eta_min": floor(rng, groups, positive=True),
        },
        FUNCTION: lambda: {"span": whole(rng), "start": length(rng), "depth": rng.choice([0.5, 0.1])},
        CLASS: lambda: {"every": rng.randint(1, 4)},
    }[name]()
    return keys


LAMBDAS = [
    "0.95 ** epoch", "1 / (1 + t)", "max(1 - t / T, 0)", "max(1 - t / 40, 0.1)", "0.5 * (1 + cos(pi * p))", "1 - 0.9 * p ** 2",
    "max(0.9 ** t, 0.005 / base)", "exp(-base * p)",
]  # fmt: skip
SHAPES = ["linear", "cosine", "1-sqrt", "1-square", "exponential"]


def clamp(rng: random.Random, groups: int) -> dict[str, Any]:
    return {"eta_min": rng.choice([0.02, floor(rng, groups)])} if rng.random() < 0.4 else {}


def low(rng: random.Random) -> dict[str, Any]:
    """A floor that is below the highest of any points, or a config's error."""
    return {"eta_min": rng.choice([0.001, "1%"])} if rng.random() < 0.3 else {}


def periods(rng: random.Random) -> dict[str, Any]:
    return {"decay_period": length(rng), "staircase": rng.random() < 0.5} if rng.random() < 0.5 else {}


def waves(rng: random.Random) -> dict[str, Any]:
    if rng.random() < 0.6:
        return {}
    return {
        "power": rng.choice([1.0, 2.0, 1.5, 0.5]),
        "cycles": rng.choice([0.5, 1.0, 1.5, 2, 0.7]),
        "k": rng.choice([1.0, 1.0, 1.5, 0.5]),
    }


def points(rng: random.Random) -> list[list[Any]]:
    later = milestones(rng)
    at = [0, *later] if rng.random() < 0.7 else later
    return [[one, rng.choice([1.0, 0.5, 0.1, 0.0, 2.0]) if i else 1.0] for i, one in enumerate(at)]


def bounds(rng: random.Random) -> dict[str, Any]:
    return rng.choice([{}, {"total_steps": whole(rng)}, {"total_steps": length(rng), "upper_bound": whole(rng)}])


ALONE = (CLASS,)  # neither warmup nor stage
SINGLE = [name for name in oracle.DEFAULTS if name not in ("sequential", "chained", "reduce_on_plateau", *ALONE)]


def schedule(rng: random.Random, groups: int, depth: int = 0) -> dict[str, Any]:
    name = rng.choice(
        [*SINGLE, "cosine", *["sequential", "chained"] * 3, *(ALONE if depth == 0 else ())] if depth < 2 else SINGLE
    )
    node: dict[str, Any] = {"name": name}
    if name == "sequential":
        node["stages"] = in_sequence(rng, [schedule(rng, groups, depth + 1) for _ in range(rng.randint(1, 3))])
    elif name == "chained":
        node["stages"] = {f"s{i}": schedule(rng, groups, depth + 1) for i in range(2)}
    else:
        node |= own_keys(rng, name, groups)
    if name not in ALONE:
        node |= around(rng, 0.3 if depth == 0 else 0.1)
    if depth == 0:
        node["interval"] = rng.choice(["auto", "auto", "step", "epoch"])
        node["frequency"] = rng.choice([1, 1, 1, 2, 3])
    return node


def in_sequence(rng: random.Random, stages: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Stages with their lengths."""
    unit = rng.choice(["%", "%", "st", "ep"])
    # an epoch behind a stage of open length is counted back from the last scheduler step, which may be a shorter one
    anywhere = len(stages) - 1 if unit == "ep" else rng.randrange(len(stages))
    without = rng.choice([len(stages) - 1, anywhere, -1])
    for i, stage in enumerate(stages):
        if i != without:
            stage["length"] = {"%": f"{rng.choice([10, 25, 30])}%", "st": f"{rng.randint(1, 5)}st", "ep": "1ep"}[unit]
    if without == -1:
        stages[-1].setdefault("length", "30%")
        for stage in stages[:-1]:
            stage.setdefault("length", "25%")
    return {f"s{i}": stage for i, stage in enumerate(stages)}


def around(rng: random.Random, chance: float) -> dict[str, Any]:
    """A warmup in front, a cooldown behind."""
    keys: dict[str, Any] = {}
    if rng.random() < chance:
        keys["warmup"] = length(rng, 30)
        keys["warmup_shape"] = rng.choice(["linear", "cosine", "exponential", "constant"])
        keys["warmup_start_factor"] = rng.choice([0.01, 0.1, 0.5])
        keys["warmup_overlap"] = rng.choice([False, False, False, True, "continuous"])
    if rng.random() < chance * 0.7:
        keys |= {"cooldown": length(rng, 30), "cooldown_shape": rng.choice(SHAPES)}
    return keys


def a_run(rng: random.Random) -> Run:
    run = Run(rng.randint(3, 6), rng.choice([1, 1, 1, 2, 3, {0: 1, 2: 2}, {0: 2, 1: 1}]), rng.randint(2, 4))
    kind = rng.random()
    if kind < 0.15:
        return replace(run, max_steps=rng.randint(max(run.updates // 2, 1), run.updates))
    return replace(run, epochs=None, max_steps=rng.randint(5, 14)) if kind < 0.25 else run


@dataclass
class Case:
    """One run: what is asked for, how, and where it comes from."""

    node: dict[str, Any]
    run: Run
    lr: float = 0.1
    groups: int = 1
    policy: str = "strict"
    way: str = "callback"  # or "helper": lightning(...), "module": one that the module has built itself, "bare": none
    param: str = "lr"
    edits: oracle.Edits = field(default_factory=dict)
    start: int = 0  # updates in the checkpoint that it goes on from

    @property
    def bases(self) -> tuple[float, ...]:
        return tuple(self.lr / (i + 1) for i in range(self.groups)) if self.param == "lr" else (self.lr,) * self.groups


def change(rng: random.Random, case: Case) -> Case:
    """The same job again, or with something changed."""
    kind = rng.choice(["same", "longer", "longer", "shorter", "schedule", "interval", "frequency", "lr", "length"])
    node, run = dict(case.node), case.run
    if kind == "longer" or (kind != "same" and rng.random() < 0.4):
        extra = rng.randint(1, 4)
        steps = None if run.max_steps is None else run.max_steps + extra * 3
        run = replace(run, epochs=None if run.epochs is None else run.epochs + extra, max_steps=steps)
        run = replace(run, max_steps=None) if run.epochs is not None and rng.random() < 0.5 else run
    elif kind == "shorter":
        run = replace(run, epochs=max(run.epochs - 1, 1) if run.epochs else None, max_steps=run.max_steps)
    if kind == "schedule":
        node = schedule(rng, case.groups)
        node = node if case.param == "lr" or node["name"] not in ALONE else dict(case.node)
    elif kind == "interval":
        node["interval"] = rng.choice(["auto", "step", "epoch"])
    elif kind == "frequency":
        node["frequency"] = rng.choice([1, 2, 3])
    elif kind == "length":
        node |= (
            own_keys(rng, node["name"], case.groups)
            if node["name"] in (*SINGLE, *ALONE)
            else {"warmup": length(rng, 30)}
        )
    lr = case.lr * 3 if kind == "lr" else case.lr
    return replace(case, node=node, run=run, lr=lr, policy=rng.choice(POLICIES))
