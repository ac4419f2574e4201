"""Other libraries' calls as configs of ours: torch's own, the command, and what is refused."""

from __future__ import annotations

import math
import subprocess
import sys
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

import pytest
import torch
import yaml
from helpers import TWINS, optimizer, rates

from lr_configs import SchedulerConfigError, build, convert
from lr_configs.__main__ import main
from lr_configs.config import SchedulerConfig
from lr_configs.convert import from_timm, from_transformers

T = torch.optim.lr_scheduler


@pytest.mark.parametrize("name", [name for name in TWINS if name not in ("none", "reduce_on_plateau")])
def test_an_instance_of_torch(name: str) -> None:
    """Three groups; the converted schedule beside the instance it was read from."""
    theirs, mine = optimizer(2), optimizer(2)
    scheduler = TWINS[name][1](theirs)
    config = convert.torch(scheduler)
    config.interval = "step"
    made: Any = build(config, mine)
    for _ in range(600 if name != "one_cycle" else 499):
        assert rates(mine) == pytest.approx(rates(theirs), rel=1e-9, abs=1e-14)
        for one, schedule in ((theirs, scheduler), (mine, made)):
            one.step()
            schedule.step()


CLASSES: list[tuple[Any, dict[str, Any], str]] = [
    (T.StepLR, {"step_size": 30}, "step"),
    (T.CosineAnnealingLR, {"T_max": 10, "eta_min": 0.001}, "cosine"),
    (T.PolynomialLR, {"power": 2}, "polynomial"),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 50}, "one_cycle"),
    ("torch.optim.lr_scheduler.ExponentialLR", {"gamma": 0.9}, "exponential"),
    (T.ReduceLROnPlateau, {"patience": 3}, "reduce_on_plateau"),
]


@pytest.mark.parametrize(("cls", "keys", "name"), CLASSES)
def test_a_class_with_its_arguments(cls: Any, keys: dict[str, Any], name: str) -> None:
    config = convert.torch(cls, **keys)
    assert config.name == name
    assert {key: getattr(config, key) for key in keys} == keys


def test_a_composite_of_torch() -> None:
    o = optimizer()
    chain = T.SequentialLR(o, [T.LinearLR(o, 0.1, total_iters=5), T.ChainedScheduler([T.ExponentialLR(o, 0.9)])], [5])
    config = convert.torch(chain)
    assert config.stage_lengths() == [5, None]
    assert [child.name for _, child in config.children()] == ["linear", "chained"]


def test_a_composite_as_a_class_with_its_arguments() -> None:
    o = optimizer()
    inner = [T.LinearLR(o, 0.1, total_iters=5), T.ConstantLR(o, 0.5), T.ExponentialLR(o, 0.9)]
    for config in (
        convert.torch("SequentialLR", schedulers=inner, milestones=[5, 9]),
        convert.torch(T.SequentialLR, inner, [5, 9]),
    ):
        assert config.name == "sequential"
        assert [stage.get("length") for stage in _stages(config)] == [5, 4, None]
        assert [stage["name"] for stage in _stages(config)] == ["linear", "constant", "exponential"]
    assert [stage["name"] for stage in _stages(convert.torch("ChainedScheduler", inner[:2]))] == ["linear", "constant"]


def _stages(config: Any) -> list[dict[str, Any]]:
    stages = config.to_dict()["stages"]
    return list(stages.values()) if isinstance(stages, dict) else list(stages)


def follows(config: SchedulerConfig, due: list[Callable[[int], float]], steps: int) -> None:
    """Every group has the rate that is due, at so many steps."""
    mine = optimizer(len(due))
    made: Any = build(config, mine)
    for t in range(steps):
        assert rates(mine) == pytest.approx([rate(t) for rate in due], rel=1e-9, abs=1e-14), t
        mine.step()
        made.step()


@pytest.mark.parametrize("shape", ["linear", "cosine", "1-sqrt"])
@pytest.mark.parametrize("rise", ["linear", "cosine", "1-sqrt"])
@pytest.mark.parametrize(("low", "cycles"), [(0.0, 0.5), (0.1, 0.8)])
@pytest.mark.parametrize("warmup", [0, 10])
def test_the_rates_are_those_of_transformers_formula(
    shape: str, rise: str, low: float, cycles: float, warmup: int
) -> None:
    """The warmup, the plateau and the decay of get_wsd_schedule (transformers, optimization.py)."""
    keys = {
        "num_decay_steps": 20, "decay_type": shape, "warmup_type": rise, "min_lr_ratio": low, "num_cycles": cycles,
    }  # fmt: skip
    result = from_transformers.converted("warmup_stable_decay", warmup, 100, keys, 0.1)
    up: dict[str, Any] = {
        "linear": lambda x: x,
        "cosine": lambda x: 0.5 * (1 - math.cos(math.pi * x)),
        "1-sqrt": lambda x: 1 - math.sqrt(1 - x),
    }
    down: dict[str, Any] = {
        "linear": lambda x: 1 - x,
        "cosine": lambda x: 0.5 * (1 + math.cos(math.pi * cycles * 2 * x)),
        "1-sqrt": lambda x: 1 - math.sqrt(x),
    }

    def due(t: int) -> float:
        if t < warmup:
            return low + (1 - low) * float(up[rise](t / warmup))
        if t < 80:
            return 1.0
        return low + (1 - low) * max(0.0, float(down[shape]((t - 80) / 20))) if t < 100 else low

    follows(result.config, [lambda t: 0.1 * due(t)], 105)


@pytest.mark.parametrize("cycles", [0.5, 0.7])
@pytest.mark.parametrize("first", [None, 0.2])
@pytest.mark.parametrize("warmup", [0, 1, 2, 10])
def test_the_rates_are_those_of_transformers_formula_with_a_floor(
    warmup: int, first: float | None, cycles: float
) -> None:
    """get_cosine_with_min_lr_schedule_with_warmup_lr_rate (transformers, optimization.py), within the run."""
    keys = {"min_lr_rate": 0.1, "num_cycles": cycles} | ({} if first is None else {"warmup_lr_rate": first})
    result = from_transformers.converted("cosine_warmup_with_min_lr", warmup, 100, keys, 0.1)

    def due(t: int) -> float:
        if t < warmup:
            return (t + 1) / warmup if first is None else first + (1 - first) * t / max(1, warmup - 1)
        progress = (t - warmup + 1) / (100 - warmup)
        return max(0.0, 0.5 * (1 + math.cos(math.pi * cycles * 2 * progress)) * 0.9 + 0.1)

    follows(result.config, [lambda t: 0.1 * due(t)], 100)


@pytest.mark.parametrize("lr", [0.0, -0.1, [], [0.1, -1], [0.1, 0], [0.1, True], [0.1, "x"], "x", True])
def test_what_are_no_rates(lr: Any) -> None:
    keys = {"min_lr": 1e-4}
    with pytest.raises(SchedulerConfigError, match=r"^lr="):
        from_transformers.converted("cosine_with_min_lr", 10, 100, keys, lr)


def test_a_decay_that_is_longer_than_the_run() -> None:
    with pytest.raises(SchedulerConfigError) as caught:
        from_transformers.converted("warmup_stable_decay", 10, 100, {"num_decay_steps": 95}, 0.1)
    assert (caught.value.key, caught.value.value) == ("num_decay_steps", 95)
    assert caught.value.rule.startswith("warmup and decay take 5 steps more than the run has")
    assert caught.value.remedy == "Write at most 90"


def test_a_decay_right_behind_the_warmup() -> None:
    found: Any = from_transformers.converted("warmup_stable_decay", 10, 100, {"num_decay_steps": 90}, 0.1)
    assert (found.config.total_steps, found.config.decay, found.config.warmup) == (90, 90, 10)


@pytest.mark.parametrize("left", [0, 1, 2, 3])
def test_a_linear_decay_of_transformers_right_behind_the_warmup(left: int) -> None:
    """As get_linear_schedule_with_warmup has it (transformers, optimization.py)."""
    warmup, steps = 4, 4 + left

    def due(t: int) -> float:
        return t / warmup if t < warmup else max(0.0, (steps - t) / max(1, steps - warmup))

    follows(
        from_transformers.converted("linear", warmup, steps, {}, 0.1).config,
        [lambda t: 0.1 * due(t)],
        steps + 3 * (left > 0),
    )


@pytest.mark.parametrize("kept", [0, 1])
def test_a_decay_of_no_steps_in_transformers(kept: int) -> None:
    """The rate falls at once, by the formula: no schedule of ours has a decay of nothing."""
    found = from_transformers.converted("warmup_stable_decay", 10, 100, {"num_decay_steps": kept}, 0.1)
    assert found.config.name == ("warmup_stable_decay" if kept else "lambda")


def test_functions_of_torch() -> None:
    half, third = (lambda t: 0.5**t), (lambda t: 0.3**t)
    assert convert.torch(T.LambdaLR(optimizer(2), half)).lr_lambda is half  # type: ignore[attr-defined]
    assert convert.torch(T.LambdaLR(optimizer(2), [half, third])).lr_lambda == [half, third]  # type: ignore[attr-defined]


def test_momenta_of_a_cycle_of_torch() -> None:
    cycle = T.CyclicLR(optimizer(2), 0.01, 0.1, base_momentum=[0.5, 0.6], max_momentum=0.7)
    found: Any = convert.torch(cycle)
    assert (found.base_momentum, found.max_momentum) == ([0.5, 0.6], [0.7, 0.7])
    once = T.OneCycleLR(optimizer(2), 0.1, 50, base_momentum=[0.5, 0.6], max_momentum=0.7)
    found = convert.torch(once)
    assert (found.base_momentum, found.max_momentum) == ([0.5, 0.6], [0.7, 0.7])
    still = convert.torch(T.OneCycleLR(optimizer(2), 0.1, 50, cycle_momentum=False))
    assert still.cycle_momentum is False  # type: ignore[attr-defined]


def test_lowest_rates_of_a_plateau_of_torch() -> None:
    for lows, ours in (([0.01, 0.02], [0.01, 0.02]), ([0.01, 0.01], 0.01), (0.03, 0.03)):
        assert convert.torch(T.ReduceLROnPlateau(optimizer(2), min_lr=lows)).min_lr == ours  # type: ignore[attr-defined]


def test_what_is_not_torchs() -> None:
    class Mine(T.LRScheduler):
        def get_lr(self) -> list[Any]:
            return [group["lr"] for group in self.optimizer.param_groups]

    with pytest.raises(SchedulerConfigError, match="scheduler='Mine': this is no scheduler of torch's own"):
        convert.torch(Mine(optimizer()))
    with pytest.raises(SchedulerConfigError, match="torch has no such class"):
        convert.torch("CosineLR")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: convert.transformers("cosin", 0, 10), "name='cosin': transformers has no such schedule. did you mean 'cosine'"),
        (lambda: convert.transformers("cosine", 0), "num_training_steps=None: cosine ends with the run"),
        (lambda: convert.transformers("cosine", 0, 10, {"cycles": 2}), "cycles=2: cosine of transformers has no such"),
        (lambda: convert.transformers("greedy"), "GreedyLR raises the rate while a metric improves"),
        (lambda: convert.transformers("polynomial", 0, 10), "lr=None: transformers divides lr_end=1e-07"),
        (lambda: convert.transformers("cosine", -1, 10), "num_warmup_steps=-1: this is a number of updates"),
        (lambda: convert.timm("cosin"), "sched='cosin': timm has no such schedule. did you mean 'cosine'"),
        (lambda: convert.timm("cosine", 10, warmup=3), "warmup=3: timm's create_scheduler_v2 has no such argument"),
        (lambda: convert.timm("cosine", 10, warmup_epochs=3), "lr=None: timm's warmup_lr=1e-05 is a rate"),
        (lambda: convert.timm("rsqrt", 10), "stable_timescale=0: rsqrt without a warmup needs a length above 0"),
        (lambda: convert.timm("cosine", 10, step_on_epochs=False), "updates_per_epoch=0"),
        (lambda: convert.timm("plateau", 10, step_on_epochs=False, updates_per_epoch=5), "step_on_epochs=False: timm's plateau steps by epochs alone"),
        (lambda: convert.timm("wsd", 10, lr=0.1, decay_fn="cubic"), "decay_fn='cubic': this is one of linear, 1-sqrt, cosine, power, exp"),
        (lambda: convert.torch(T.MultiStepLR(optimizer(), [3, 3, 5])), "milestones=[3, 3, 5]: a milestone that is given twice counts"),
    ],
)  # fmt: skip
def test_refused(call: Any, message: str) -> None:
    with pytest.raises(SchedulerConfigError) as error:
        call()
    assert message in str(error.value)


def test_the_command(capsys: Any) -> None:
    assert main(["convert", "transformers", "cosine", "--warmup-steps", "500", "--steps", "10000"]) == 0
    out = capsys.readouterr().out
    assert out == (
        "_target_: lr_configs.scheduler\nname: cosine\nT_max: 9500\ninterval: step\nwarmup: 500\n"
        "warmup_start_factor: 0\n"
    )
    assert build(yaml.safe_load(out), optimizer()) is not None
    timm = [
        "convert",
        "timm",
        "multistep",
        "decay_milestones=[3, 6]",
        "warmup_epochs=2",
        "warmup_prefix=true",
        "--lr",
        "0.1",
    ]
    assert main(timm) == 0
    out = capsys.readouterr().out
    assert out.startswith("# timm trains for 302 epochs\n# timm's milestone m takes effect at step m - 1")
    assert yaml.safe_load(out)["milestones"] == [2, 5]
    floor = ["convert", "transformers", "cosine_with_min_lr", "min_lr=0.01", "--steps", "100"]
    assert main([*floor, "--lr", "0.1", "--lr", "0.2", "--lr", "0.4"]) == 0
    several = capsys.readouterr().out
    assert main([*floor, "--lr", "0.4"]) == 0
    assert several == capsys.readouterr().out  # the last one counts
    assert main(["convert", "torch", "StepLR", "step_size=30"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["name"] == "step"
    assert main(["convert", "transformers", "greedy"]) == 2
    assert "GreedyLR raises the rate" in capsys.readouterr().err


WARM: dict[str, Any] = {"warmup_epochs": 4, "min_lr": 1e-4}
PREFIX = {**WARM, "warmup_prefix": True}
CYCLES: dict[str, Any] = {"cycle_limit": 3, "cycle_decay": 0.5}
#: timm's call, and the schedule of ours; `lambda` where no other one is timm's
TIMM: list[tuple[str, dict[str, Any], str]] = [
    ("cosine", WARM, "cosine"),
    ("cosine", PREFIX, "cosine"),
    ("cosine", {"k_decay": 1.5, **WARM}, "cosine"),
    ("cosine", {"cooldown_epochs": 4, **WARM}, "cosine_warm_restarts"),
    ("cosine", {"cooldown_epochs": 4, "k_decay": 1.5, **WARM}, "sequential"),
    ("cosine", {**CYCLES, **WARM}, "cosine_warm_restarts"),
    ("cosine", {**CYCLES, "cycle_mul": 1.5, **WARM}, "cosine_warm_restarts"),
    ("cosine", {**CYCLES, "cycle_mul": 0.5, **WARM}, "lambda"),
    ("cosine", {**CYCLES, "cycle_mul": 0.5, "cycle_limit": 2, **WARM}, "lambda"),
    ("tanh", {**CYCLES, "cycle_mul": 2, "cycle_limit": 2, **WARM}, "lambda"),
    ("cosine", {**CYCLES, "cycle_mul": 2, "cycle_limit": 2, **WARM}, "cosine_warm_restarts"),
    ("cosine", {**CYCLES, "k_decay": 1.5, **WARM}, "lambda"),
    ("tanh", WARM, "tanh"),
    ("tanh", PREFIX, "sequential"),
    ("tanh", {}, "lambda"),
    ("tanh", {**CYCLES, **WARM}, "lambda"),
    ("poly", {"decay_rate": 0.5, **WARM}, "polynomial"),
    ("poly", {"k_decay": 1.5, **WARM}, "lambda"),
    ("step", {"decay_epochs": 5, **WARM}, "step"),
    ("step", {"decay_epochs": 2.5, **WARM}, "lambda"),
    ("multistep", {"decay_milestones": [5, 9], **WARM}, "multi_step"),
    ("multistep", {"decay_milestones": [1, 9], **WARM}, "lambda"),
    ("multistep", {"decay_milestones": [2, 9], **WARM}, "multi_step"),
    *(("wsd", {"decay_fn": shape, **WARM}, "warmup_stable_decay") for shape in ("linear", "1-sqrt", "cosine", "power")),
    ("wsd", {"decay_fn": "exp", **WARM}, "lambda"),
    *(("wsd", {"decay_fn": "linear", "decay_epochs": length, **WARM}, "warmup_stable_decay") for length in (0.3, 1, 5)),
    ("rsqrt", {**PREFIX, "min_lr": 0.0}, "chained"),
    ("rsqrt", PREFIX, "lambda"),
    ("constant", WARM, "none"),
    ("multistep", {"decay_milestones": [5, 9]}, "multi_step"),
    ("multistep", {"decay_milestones": [1, 9]}, "lambda"),
    ("step", {"decay_epochs": 2.5, "decay_rate": 0.5}, "lambda"),
    ("wsd", {"decay_fn": "exp", "min_lr": 1e-4}, "lambda"),
    ("wsd", {"decay_fn": "exp"}, "lambda"),
    ("wsd", {"decay_fn": "exp", **WARM, "min_lr": 0.0}, "lambda"),
]
#: the same for transformers
TRANSFORMERS: list[tuple[str, dict[str, Any], str]] = [
    ("linear", {}, "linear"),
    ("cosine", {"num_cycles": 0.7}, "cosine"),
    ("cosine", {"num_cycles": 0}, "none"),
    ("cosine_with_restarts", {}, "cosine_warm_restarts"),
    ("cosine_with_restarts", {"num_cycles": 3}, "cosine_warm_restarts"),
    ("cosine_with_restarts", {"num_cycles": 7}, "lambda"),
    ("polynomial", {"power": 2.0}, "polynomial"),
    ("inverse_sqrt", {}, "inverse_sqrt"),
    ("cosine_with_min_lr", {"min_lr_rate": 0.1, "num_cycles": 1.3}, "cosine"),
    ("cosine_warmup_with_min_lr", {"min_lr_rate": 0.1, "num_cycles": 0.7}, "cosine"),
    ("warmup_stable_decay", {"num_decay_steps": 20, "decay_type": "1-sqrt"}, "warmup_stable_decay"),
    ("warmup_stable_decay", {"num_decay_steps": 20, "num_cycles": 0.8}, "lambda"),
    ("warmup_stable_decay", {"num_decay_steps": 20, "warmup_type": "1-sqrt"}, "lambda"),
]


def test_a_warmup_of_timms_from_above_the_rate() -> None:
    """Ours begins at or below the first value."""
    for lr, keys, ours in (
        (0.1, {"warmup_lr": 0.2}, "lambda"),
        (0.1, {"warmup_lr": 0.1}, "cosine"),
        (0.1, {"warmup_lr": 0.05}, "cosine"),
        ([0.1, 0.05], {"warmup_lr": 0.05}, "lambda"),
        ([0.1, 0.1], {"warmup_lr": 0.05}, "cosine"),
        ([0.1, 0.05], {"warmup_lr": 0.0}, "cosine"),
    ):
        assert from_timm.converted("cosine", 20, {"warmup_epochs": 3, **keys}, lr).config.name == ours


@pytest.mark.parametrize("prefix", [True, False])
def test_a_plateau_of_timms_behind_a_warmup(prefix: bool) -> None:
    """A constant has no clock that could run during it."""
    keys = {"warmup_epochs": 3, "warmup_lr": 0.01, "warmup_prefix": prefix, "decay_rate": 0.5, "patience_epochs": 2}
    found = from_timm.converted("plateau", 20, keys, 0.1)
    assert (found.config.name, found.config.warmup, found.config.warmup_start_factor) == (
        "reduce_on_plateau",
        3,
        0.01 / 0.1,
    )
    assert found.config.warmup_overlap is False


@pytest.mark.parametrize(("warmup", "keys", "scale"), [(0, {}, 10_000), (30, {}, 30), (30, {"timescale": 7}, 7)])
def test_the_timescale_of_transformers(warmup: int, keys: dict[str, Any], scale: int) -> None:
    assert from_transformers.converted("inverse_sqrt", warmup, 100, keys, 0.1).config.timescale == scale


def test_a_lowest_rate_of_0_in_transformers_is_one_of_ours() -> None:
    found = from_transformers.converted("cosine_with_min_lr", 10, 100, {"min_lr": 0}, None)
    assert (found.config.name, found.config.eta_min, found.notes) == ("cosine", 0.0, ())


@pytest.mark.parametrize(("name", "keys", "ours"), TIMM, ids=lambda one: str(one)[:40])
def test_a_formula_only_where_no_schedule_is_timms(name: str, keys: dict[str, Any], ours: str) -> None:
    result = from_timm.converted(name, 20, keys, 0.1)
    assert result.config.name == ours
    assert any("timm's own formula" in note for note in result.notes) == (ours == "lambda")
    assert build_config(yaml.safe_load(result.yaml())) == result.config
    several = from_timm.converted(name, 20, keys, [0.1, 0.05])
    assert build_config(yaml.safe_load(several.yaml())) == several.config


def timms(name: str, keys: dict[str, Any], T: int, W: int, unit: int, base: float) -> Callable[[int], float]:
    """The rate of a group at each step, as timm's classes have it: `T` steps of the first cycle, `W` of warmup."""
    low, start, decay = keys.get("min_lr", 0.0), 1e-5, keys.get("decay_rate", 0.1)
    prefix = keys.get("warmup_prefix", False)
    if name in ("wsd", "rsqrt"):
        n, prefix = T if prefix else T - W, True
        asked = keys.get("decay_epochs", 0.2)
        D = round(asked * n if 0 < asked < 1 else asked * unit)

    def own(t: int) -> float:
        if name == "constant":
            return base
        if name == "step":
            return float(base * decay ** (t // (keys["decay_epochs"] * unit)))
        if name == "multistep":
            return float(base * decay ** bisect_right([one * unit for one in keys["decay_milestones"]], t + 1))
        if name in ("wsd", "rsqrt"):
            stable = max(base * (1 + t / W) ** -0.5, low) if name == "rsqrt" else base
            x = (t - (n - D)) / D
            shapes = {"linear": 1 - x, "cosine": 0.5 + 0.5 * math.cos(math.pi * x), "exp": (0.1**x - 0.1) / 0.9}
            fall = shapes.get(keys.get("decay_fn", "linear" if name == "rsqrt" else ""), 1 - max(x, 0) ** 0.5)
            return stable if x <= 0 else low + (stable - low) * (fall if x < 1 else 0)
        mul, k = keys.get("cycle_mul", 1.0), keys.get("k_decay", 1.0)
        i, begin, length = 0, 0.0, float(T)
        while t >= begin + length:
            i, begin, length = i + 1, begin + length, length * mul
        if i >= keys.get("cycle_limit", 1):
            return low
        top, x = base * keys.get("cycle_decay", 0.1) ** i, (t - begin) ** k / length**k
        fall = {
            "cosine": 0.5 + 0.5 * math.cos(math.pi * x),
            "tanh": 0.5 - 0.5 * math.tanh(-7 * (1 - x) + 3 * x),
            "poly": (1 - x) ** decay,
        }[name]
        return low + (top - low) * fall

    def rate(t: int) -> float:
        if t < W:
            return start + t * ((base if prefix or name != "tanh" else own(W)) - start) / W
        return own(t - W if prefix else t) if t else base  # nothing is set before the first step

    return rate


@pytest.mark.parametrize("updates", [0, 3])
@pytest.mark.parametrize("lrs", [[0.1], [0.1, 0.05]], ids=["one", "two"])
@pytest.mark.parametrize(("name", "keys", "_"), TIMM, ids=lambda one: str(one)[:40])
def test_the_rates_are_those_of_timms_formula(
    name: str, keys: dict[str, Any], _: str, lrs: list[float], updates: int
) -> None:
    unit = updates or 1
    steps = {"step_on_epochs": False, "updates_per_epoch": updates} if updates else {}
    result = from_timm.converted(name, 20, {**keys, **steps}, lrs if len(lrs) > 1 else lrs[0])
    assert result.config.interval == ("step" if updates else "epoch")
    lengths = [20 * keys.get("cycle_mul", 1.0) ** i for i in range(keys.get("cycle_limit", 1))]
    warmup = keys.get("warmup_epochs", 0)
    assert result.epochs == sum(lengths) + keys.get("cooldown_epochs", 0) + warmup * keys.get("warmup_prefix", False)
    due = [timms(name, keys, 20 * unit, warmup * unit, unit, lr) for lr in lrs]
    follows(result.config, due, int(result.epochs) * unit + 1)


@pytest.mark.parametrize(("name", "keys", "ours"), TRANSFORMERS, ids=lambda one: str(one)[:40])
def test_a_formula_only_where_no_schedule_is_transformers(name: str, keys: dict[str, Any], ours: str) -> None:
    result = from_transformers.converted(name, 10, 100, keys, 0.1)
    assert result.config.name == ours
    assert any("formula" in note for note in result.notes) == (ours == "lambda")
    assert build_config(yaml.safe_load(result.yaml())) == result.config


def test_the_rate_is_asked_for_only_where_timm_names_another_one() -> None:
    exp: dict[str, Any] = {"decay_fn": "exp", "warmup_epochs": 4, "warmup_lr": 0.0}
    found = from_timm.converted("wsd", 20, exp, None)
    assert (found.config.name, found.config.warmup, found.config.warmup_start_factor) == ("lambda", 4, 0.0)
    assert found.notes == ("no schedule of ours is this one: timm's own formula", "timm trains for 20 epochs")
    for more, key in (({"warmup_lr": 1e-5}, "warmup_lr=1e-05"), ({"min_lr": 0.01, "warmup_epochs": 0}, "min_lr=0.01")):
        with pytest.raises(SchedulerConfigError, match=f"lr=None: timm's {key} is a rate"):
            from_timm.converted("wsd", 20, {**exp, **more}, None)


def test_a_restart_that_timm_finds_a_step_late() -> None:
    """Its logarithm is rounded: where that moves a restart, timm's own formula is the answer."""
    names = {limit: convert.timm("cosine", 10, cycle_mul=3.0, cycle_limit=limit).name for limit in range(2, 7)}
    assert math.floor(math.log(3**5, 3.0)) == 4  # cycle 5 begins at 10 (1 + 3 + 9 + 27 + 81)
    assert names == dict.fromkeys(range(2, 5), "cosine_warm_restarts") | {5: "lambda", 6: "lambda"}


def build_config(node: Any) -> SchedulerConfig:
    from lr_configs.registry import parse

    return parse(node)


def test_without_torch() -> None:
    code = "import sys, lr_configs.__main__ as m; m.main(['convert', 'timm', 'wsd']); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
