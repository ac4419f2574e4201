"""The lines at fit start, beside the rates that the schedulers really give."""

from __future__ import annotations

import copy
import itertools
import re
import time
from typing import Any

import pytest
import torch
from helpers import CURVED, TWINS, optimizer
from lightning_helpers import Tiny, fit, loader, trainer

from lr_configs import Horizon, LRSchedulerCallback, curve
from lr_configs.driver import Driver
from lr_configs.report import lines, undriven
from lr_configs.run import PlainRun

RUN = Horizon(epochs=10, steps_per_epoch=20)
LONG = Horizon(epochs=90, steps_per_epoch=391)
OPEN = None


class Training:
    """A loop that notes what every update is made with, and what is said."""

    def __init__(self, node: Any, horizon: Horizon | None, resume: str = "strict", groups: int = 1) -> None:
        self.said: list[str] = []
        self.horizon, self.optimizer = horizon, optimizer(groups)
        self.driver = Driver(PlainRun(horizon, self.said.append), resume)
        param = node.get("param", "lr") if isinstance(node, dict) else "lr"
        self.driver.drive(node, self.optimizer)
        self.param, self.rates, self.states = param, [], []

    def start(self, state: Any = None) -> Training:
        if state is not None:
            self.driver.load(state[1])
            self.optimizer.load_state_dict(state[0])
        self.driver.start()
        self.driver.announce()
        return self

    def train(self, epochs: int | None = None, per_epoch: int | None = None) -> Training:
        """To the end, or for some epochs."""
        assert self.horizon is not None
        size = per_epoch or self.horizon.steps_per_epoch or 20
        limit = self.horizon.total_steps or 10**9
        for epoch in range(self.driver.epoch + 1, epochs or self.horizon.epochs or -(-limit // size)):
            for _ in range(size if per_epoch else min(size, limit - self.driver.tracks[0].updates)):
                self.rates.append(float(self.optimizer.param_groups[0][self.param]))
                self.optimizer.step()
            self.driver.end_epoch(epoch)
        return self

    def state(self) -> Any:
        return self.optimizer.state_dict(), self.driver.save()


def said(node: Any, horizon: Horizon | None = RUN, groups: int = 1) -> list[str]:
    return Training(node, horizon, groups=groups).start().said


def promised(line: str) -> list[float]:
    """First rate, peak and last rate of a line."""
    part = next(one for one in line.split(" | ") if re.match(r"lr |weight_decay ", one))
    values = [float(one.removeprefix("peak ")) for one in part.split(" ", 1)[1].split(" -> ")]
    return [values[0], max(values), values[-1]]


def shown(rates: list[float]) -> list[float]:
    return [float(f"{rate:.4g}") for rate in (rates[0], max(rates), rates[-1])]


# --- the first line is true -------------------------------------------------------------------------------------------

SHAPES = {
    "fits": {name: {"name": name} for name in CURVED},
    "as torch's": {name: {"name": name, **TWINS[name][0], "interval": "step"} for name in CURVED},
    "warm": {name: {"name": name, "warmup": "1ep"} for name in CURVED},
    "by epoch": {
        name: {"name": name, **TWINS[name][0], "interval": "epoch"} for name in CURVED if name != "sequential"
    },
    "frequency": {name: {"name": name, "interval": "step", "frequency": 7} for name in CURVED},
}
CASES = [(shape, name) for shape, nodes in SHAPES.items() for name in nodes]


@pytest.mark.parametrize(("shape", "name"), CASES)
def test_first_peak_and_last_rate(shape: str, name: str) -> None:
    training = Training(SHAPES[shape][name], RUN).start()
    assert promised(training.said[0]) == shown(training.train().rates)


@pytest.mark.parametrize("interval", ["step", "epoch"])
@pytest.mark.parametrize("frequency", [1, 2, 3, 5])
@pytest.mark.parametrize("epochs", [7, 8, 9, 10])
def test_first_and_last_rate_with_a_frequency(epochs: int, frequency: int, interval: str) -> None:
    """Whether or not it divides the run, the updates before it and what is left."""
    node = {"name": "exponential", "gamma": 0.9, "interval": interval, "frequency": frequency}
    run = Horizon(epochs=epochs, steps_per_epoch=1)
    assert promised(Training(node, run).start().said[0]) == shown(Training(node, run).start().train().rates)
    for made in range(1, epochs):
        state = Training(node, run).start().train(made).state()
        ways = [
            ("strict", epochs),
            *itertools.product(["keep", "stretch"], range(max(made + 1, epochs - 2), epochs + 3)),
        ]
        for policy, later in ways:
            again = Training(node, Horizon(epochs=later, steps_per_epoch=1), policy).start(copy.deepcopy(state))
            assert promised(again.said[0]) == shown(again.train().rates), (made, policy, later)


@pytest.mark.parametrize("policy", ["strict", "keep", "stretch", "restart"])
@pytest.mark.parametrize("later", [RUN, Horizon(epochs=14, steps_per_epoch=20), Horizon(epochs=6, steps_per_epoch=20)])
@pytest.mark.parametrize("name", CURVED)
@pytest.mark.parametrize("more", [{}, {"warmup": "5ep"}, {"interval": "epoch"}])
def test_the_same_after_a_resume(name: str, policy: str, later: Horizon, more: dict[str, Any]) -> None:
    node = {"name": name, **more}
    if name == "cyclic":
        node["step_size_up"] = 30
    if policy == "strict" and later is not RUN:
        return
    if name == "sequential" and more == {"interval": "epoch"} and later.epochs == 14:
        return  # a tenth of 14 epochs
    try:
        second = Training(node, later, policy)
    except ValueError:
        return  # a share that is no whole epoch
    state = Training(node, RUN).start().train(4).state()
    try:
        second.start(state)
    except ValueError:
        return  # the warmup does not fit what is left
    line = second.said[0]
    assert "resumed at update 80" in line
    first, peak, last = promised(line)
    real = shown(second.train().rates)
    assert (first, last) == (real[0], real[2]), line
    assert peak == pytest.approx(real[1], rel=1e-3), line


@pytest.mark.parametrize("policy", ["strict", "keep", "stretch", "restart"])
@pytest.mark.parametrize(
    "node", [{"name": "exponential", "gamma": 0.99, "interval": "step"}, {"name": "step", "step_size": 3}]
)
def test_a_run_without_an_end_goes_on_in_one_that_has_one(node: dict[str, Any], policy: str) -> None:
    first = Training(node, OPEN).start()
    for _ in range(20):
        first.optimizer.step()
    first.driver.end_epoch(0)
    again = Training(node, RUN, policy).start(first.state())
    assert "->" in again.said[0]
    assert promised(again.said[0]) == shown(again.train().rates)


FALL, LOW = {"name": "exponential", "gamma": 0.1}, {"name": "lambda", "lr_lambda": "0.1"}
#: at a boundary in the middle of a long run, and near its beginning
PEAKS = {
    "with the stage that begins": (
        {"a": {"name": "constant", "factor": 0.5, "total_iters": "100%", "length": 50_050}, "b": FALL},
        "0.05 -> peak 0.1 -> 0",
    ),
    "with the stage that ends": (
        {"a": {"name": "lambda", "lr_lambda": "0.5 + 2 * (t > 50048)", "length": 50_050}, "b": LOW},
        "0.05 -> peak 0.25 -> 0.01",
    ),
    "soon": (
        {
            "a": {"name": "exponential", "gamma": 1.1, "length": 51},
            "b": {"name": "constant", "factor": 0.5, "total_iters": "100%"},
        },
        "0.1 -> peak 11.74 -> 0.05",
    ),
}


@pytest.mark.parametrize("case", PEAKS)
def test_a_peak_of_one_step_in_a_long_run(case: str) -> None:
    stages, rates = PEAKS[case]
    node = {"name": "sequential", "interval": "step", "stages": stages}
    horizon = Horizon(steps=100_000)
    assert said(node, horizon)[0].endswith(f"| lr {rates}")
    values = curve(node, 0.1, horizon)
    assert promised(said(node, horizon)[0]) == shown(values.tolist())


def test_a_peak_that_has_been_is_none() -> None:
    plateau = {"name": "reduce_on_plateau", "monitor": "x", "interval": "step"}
    stages = {"a": {"name": "lambda", "lr_lambda": "5", "length": 60}, "b": {**FALL, "length": 20}, "c": {**plateau}}
    node = {"name": "sequential", "monitor": "x", "interval": "step", "stages": stages}
    first = Training(node, RUN).start()
    assert first.said[0].split(" | ")[-1] == "lr 0.5, reduced on x"
    state = first.train(2).state()
    assert Training(node, RUN).start(state).said[0].split(" | ")[-2] == "lr 0.5, reduced on x"
    state = first.train(4).state()
    assert Training(node, RUN).start(state).said[0].split(" | ")[-2] == "lr 0.1, reduced on x"


def test_rates_after_an_edit_are_those_with_it() -> None:
    node = {"name": "cosine", "warmup": "50%"}
    first = Training(node, RUN).start().train(2)
    first.optimizer.param_groups[0]["lr"] *= 0.5
    first.train(4)
    second = Training(node, RUN).start(first.state())
    assert promised(second.said[0]) == shown(second.train().rates)
    assert max(second.rates) == pytest.approx(0.05)


def test_of_many_stages_the_next_are_named() -> None:
    stages = {f"s{i}": {"name": "none", "length": 2} for i in range(9)}
    lines = ["s0, s1 from 40, s2 from 80, s3 from 120, ...", "s0, s1 from 40, s2 from 80, s3 from 120"]
    for count, words in zip((5, 4), lines, strict=True):
        node = {"name": "sequential", "interval": "epoch", "stages": dict(list(stages.items())[:count])}
        assert said(node)[0] == f"sequential | interval=epoch | 200 updates | stages {words} | lr 0.1"
    node = {"name": "sequential", "interval": "epoch", "stages": dict(list(stages.items())[:5])}
    state = Training(node, RUN).start().train(4).state()
    line = Training(node, RUN).start(state).said[0]
    assert "| stages s2, s3 from 120, s4 from 160 |" in line


def moves(rates: list[float], sign: int) -> list[int]:
    """Updates at which the rate first goes another way, or jumps."""
    return [i for i in range(1, len(rates)) if (rates[i] - rates[i - 1]) * sign > 1e-12]


def numbers(line: str, word: str) -> list[int]:
    found = re.search(rf"{word}s? at ([\d, ]+\d)", line)
    return [int(one) for one in found[1].split(", ")] if found else []


@pytest.mark.parametrize("interval", ["epoch", "step"])
@pytest.mark.parametrize("frequency", [1, 2])
@pytest.mark.parametrize(
    ("node", "word", "sign"),
    [
        ({"name": "step", "step_size": 2}, "step", -1),
        ({"name": "multi_step", "milestones": [1, 4]}, "milestone", -1),
        ({"name": "cosine_warm_restarts", "T_0": 2}, "restart", 1),
        ({"name": "cosine_warm_restarts", "T_0": 2, "T_mult": 3}, "restart", 1),
    ],
)
def test_landmarks_are_the_updates_at_which_it_happens(
    node: dict[str, Any], word: str, sign: int, interval: str, frequency: int
) -> None:
    unit = "ep" if interval == "epoch" else "st"
    scale = 1 if interval == "epoch" else 13
    with_units = {
        key: [f"{one * scale * frequency}{unit}" for one in value]
        if isinstance(value, list)
        else f"{value * scale * frequency}{unit}"
        if key in ("step_size", "T_0")
        else value
        for key, value in node.items()
    }
    training = Training({**with_units, "interval": interval, "frequency": frequency}, RUN).start()
    real = moves(training.train().rates, sign)
    line = training.said[0]
    assert numbers(line, word) == real[:3], line
    assert (", ..." in line) == (len(real) > 3)


def test_landmarks_after_a_stretch_are_those_to_come() -> None:
    node = {"name": "multi_step", "milestones": ["20%", "60%", "80%"]}
    state = Training(node, RUN).start().train(4).state()
    second = Training(node, Horizon(epochs=16, steps_per_epoch=20), "stretch").start(state)
    line = second.said[0]
    assert numbers(line, "milestone") == [80 + one for one in moves(second.train().rates, -1)]
    assert line.endswith("| lr 0.01 -> 0.0001 | resumed at update 80")


def test_what_the_run_has_ends_with_its_last_update() -> None:
    """Also where the frequency does not divide it."""
    for interval, size, words in (
        ("step", "700st", "700 updates, the run has 200"),
        ("epoch", "35ep", "35 epochs, the run has 10"),
    ):
        node = {"name": "cosine", "T_max": size, "interval": interval, "frequency": 7}
        assert said(node)[1].startswith(f"cosine: T_max={words}: it ends at ")


@pytest.mark.parametrize(("peak", "shown"), [(0.1, "0.9992 of the base rate"), (0.15, "0.1499"), (0.3, "0.2998")])
def test_a_rate_above_the_base_is_no_share_of_it(peak: float, shown: str) -> None:
    (line,) = said({"name": "one_cycle", "max_lr": peak, "total_steps": "640st"})[1:]
    assert line == f"one_cycle: total_steps=640 updates, the run has 200: it ends at {shown}"


def test_the_stage_that_it_goes_on_within_is_named() -> None:
    stages = {f"s{i}": {"name": "none", "length": 2} for i in range(5)}
    state = Training({"name": "sequential", "stages": stages}, RUN).start().train(5).state()
    second = Training({"name": "sequential", "stages": stages}, RUN).start(state)
    assert "| stages s2, s3 from 120, s4 from 160 |" in second.said[0]


def test_landmarks_after_a_restart_count_the_updates_of_the_run() -> None:
    state = Training("cosine", RUN).start().train(4).state()
    node = {"name": "cosine_warm_restarts", "warmup": "1ep", "T_0": "25%"}
    second = Training(node, RUN, "restart").start(state)
    assert second.said[0] == (
        "cosine_warm_restarts | interval=step | 200 updates | warmup from 80 to 100, restarts at 125, 150, 175"
        " | lr 0.001 -> peak 0.1 -> 0.0003943 | resumed at update 80"
    )
    assert [80 + one for one in moves(second.train().rates, 1)][-3:] == [125, 150, 175]


LINES = {
    "restarts": (
        {"name": "cosine_warm_restarts", "eta_min": 0.001, "warmup": "500st"},
        LONG,
        "cosine_warm_restarts | interval=step | 35190 updates | warmup 500, restarts at 3969, 7438, 10907, ..."
        " | lr 0.001 -> peak 0.1 -> 0.001 | groups 2",
    ),
    "an epoch": (
        {"name": "multi_step", "milestones": [5, 8]},
        RUN,
        "multi_step | interval=epoch | 200 updates | milestones at 100, 160 | lr 0.1 -> 0.001 | groups 2",
    ),
    "one": (
        {"name": "step", "step_size": 6},
        RUN,
        "step | interval=epoch | 200 updates | step at 120 | lr 0.1 -> 0.01 | groups 2",
    ),
    "constant": ("none", RUN, "none | interval=epoch | 200 updates | lr 0.1 | groups 2"),
    "frequency": (
        {"name": "cosine", "frequency": 7},
        RUN,
        "cosine | interval=step frequency=7 | 200 updates | lr 0.1 -> 0.0002931 | groups 2",
    ),
    "a metric": (
        {"name": "reduce_on_plateau", "monitor": "val_loss", "warmup": "1ep"},
        RUN,
        "reduce_on_plateau | interval=step | 200 updates | warmup 20"
        " | lr 0.001 -> peak 0.1, reduced on val_loss | groups 2",
    ),
    "no end": (
        {"name": "step", "step_size": 30, "warmup": 5},
        OPEN,
        "step | interval=epoch | open end | warmup 5 epochs, steps at epochs 35, 65, 95, ..."
        " | lr 0.001 -> peak 0.1 | groups 2",
    ),
    "only epochs": (
        {"name": "step", "step_size": 6},
        Horizon(epochs=10),
        "step | interval=epoch | 10 epochs | step at epoch 6 | lr 0.1 -> 0.01 | groups 2",
    ),
    "an end that takes too long to find": (
        {"name": "multiplicative", "lr_lambda": lambda t: 0.99999, "interval": "step"},
        LONG,
        "multiplicative | interval=step | 35190 updates | lr 0.1 -> ? | groups 2",
    ),
    "an end that is found soon enough": (
        {"name": "multiplicative", "lr_lambda": lambda t: 0.999, "interval": "step"},
        Horizon(steps=1501),
        "multiplicative | interval=step | 1501 updates | lr 0.1 -> 0.0223 | groups 2",
    ),
    "only updates": (
        "exponential",
        Horizon(steps=100),
        "exponential | interval=epoch | 100 updates | lr 0.1 -> ? | groups 2",
    ),
    "stages": (
        "sequential",
        LONG,
        "sequential | interval=step | 35190 updates | stages warmup, decay from 3519"
        " | lr 0.001 -> peak 0.1 -> 2.46e-10 | groups 2",
    ),
    "weight decay": (
        {"name": "linear", "param": "weight_decay", "total_iters": 10},
        RUN,
        "linear | interval=epoch | 200 updates | weight_decay 0 | groups 2",
    ),
}


@pytest.mark.parametrize("case", LINES)
def test_line(case: str) -> None:
    node, horizon, expected = LINES[case]
    assert said(node, horizon, groups=2)[0] == expected


def test_several_optimizers() -> None:
    found: list[str] = []
    driver = Driver(PlainRun(RUN, found.append))
    driver.drive("cosine", optimizer(), "generator")
    driver.drive({"name": "cosine", "T_max": 20}, optimizer(), "1")
    driver.start()
    driver.announce()
    assert found[0].startswith("generator | cosine | interval=step")
    assert found[1].startswith("optimizer 1 | cosine | interval=epoch")
    assert found[2].startswith("optimizer 1 cosine: T_max=20 epochs, the run has 10")
    assert undriven(2, optimizer(2)) == "optimizer 2 (SGD) | driven by no schedule | lr 0.1, 0.05"


def test_an_early_ending_that_goes_on() -> None:
    first = Training({"name": "cosine", "T_max": 100}, RUN).start()
    first.train(4)
    first.driver.decay_now("30%")
    first.train(5)
    second = Training({"name": "cosine", "T_max": 100}, RUN).start(first.state())
    assert len(second.said) == 1
    assert "| ending early |" in second.said[0]
    assert promised(second.said[0]) == shown(second.train().rates)


# --- the second line --------------------------------------------------------------------------------------------------

E30 = Horizon(epochs=30, steps_per_epoch=20)
MISFITS = {
    "cut": ({"name": "cosine", "T_max": 100}, E30, "cosine: T_max=100 epochs, the run has 30: it ends at 0.81 of the base rate"),
    "cut above the base": (  # 0.5 - 0.24 * (1 + cos(pi * 599 / 999))
        {"name": "one_cycle", "max_lr": 0.5, "total_steps": "100ep", "pct_start": 0.5},
        E30,
        "one_cycle: total_steps=2000 updates, the run has 600: it ends at 0.3339",
    ),
    "cut behind a warmup": (
        {"name": "cosine", "T_max": "100ep", "warmup": "1ep"},
        E30,
        "cosine: T_max=2000 updates, 580 are left to it: it ends at 0.81 of the base rate",
    ),
    "climbs": (
        {"name": "cosine", "T_max": 20},
        E30,
        "cosine: T_max=20 epochs, the run has 30: it climbs again after epoch 20, and ends at 0.42 of the base rate",
    ),
    "linear at 0": (
        {"name": "linear", "start_factor": 1, "end_factor": 0, "total_iters": 5},
        RUN,
        "linear: the rate is at 0 from epoch 5 of 10",
    ),
    "polynomial at 0": ("polynomial", RUN, "polynomial: the rate is at 0 from epoch 5 of 10"),
    "held at 0": (
        {"name": "sequential", "stages": {"a": {"name": "none", "length": 5}, "b": {"name": "cosine", "length": 10}}},
        E30,
        "sequential: stages.b is at 0 from update 300 of 600",
    ),
    "linear unfinished": (
        {"name": "linear"},
        Horizon(epochs=3),
        "linear: total_iters=5 epochs, the run has 3: it ends at 0.6 of the base rate",
    ),
    "constant": (
        {"name": "constant", "total_iters": 50},
        RUN,
        "constant: total_iters=50 epochs, the run has 10: it ends at 0.33 of the base rate",
    ),
    "step": ({"name": "step", "step_size": 30}, RUN, "step: step_size=30 epochs is never reached: the run has 10"),
    "milestone": (
        {"name": "multi_step", "milestones": [5, 60]},
        RUN,
        "multi_step: milestones=60 epochs is never reached: the run has 10",
    ),
    "milestones": (
        {"name": "multi_step", "milestones": [5, 15, 60]},
        RUN,
        "multi_step: milestones=15, 60 epochs are never reached: the run has 10",
    ),
    "back at the base rate": (
        {"name": "cosine", "T_max": 10},
        Horizon(epochs=21, steps_per_epoch=20),
        "cosine: T_max=10 epochs, the run has 21: it climbs again after epoch 10, and ends at 1 of the base rate",
    ),
    "one cycle held": (
        {"name": "one_cycle", "total_steps": 100},
        RUN,
        "one_cycle: total_steps=100 updates, the run has 200: it is held from update 100, at 4e-06 of the base rate",
    ),
    "one cycle cut": (
        {"name": "one_cycle", "total_steps": 300},
        RUN,
        "one_cycle: total_steps=300 updates, the run has 200: it ends at 0.46 of the base rate",
    ),
    "cyclic": ("cyclic", RUN, "cyclic: step_size_up=2000 updates is never reached: the run has 200"),
    "period": (
        {"name": "cosine_warm_restarts", "T_0": 10, "T_mult": 2},
        LONG,
        "cosine_warm_restarts: the run ends 20 into a period of 80 epochs: at 0.87 of the base rate",
    ),
    "no period": (
        {"name": "cosine_warm_restarts", "T_0": 100},
        E30,
        "cosine_warm_restarts: T_0=100 epochs, the run has 30: it ends at 0.81 of the base rate",
    ),
    "stages": (
        {
            "name": "sequential",
            "stages": [
                {"name": "linear", "length": 5, "total_iters": 10},
                {"name": "step", "step_size": 3, "length": 3},
                {"name": "none"},
            ],
        },
        E30,
        "sequential: stages.0.total_iters=10 epochs, the stage has 5: it ends at 0.6 of the base rate. "
        "stages.1.step_size=3 epochs is never reached: the stage has 3",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MISFITS)
def test_misfit(case: str) -> None:
    node, horizon, expected = MISFITS[case]
    assert said(node, horizon)[1] == expected


def test_what_a_misfit_says_of_the_end_is_true() -> None:
    for node, horizon, text in MISFITS.values():
        share = re.search(r"(?:ends|period.*|held.*) at ([\d.e-]+) of the base rate$", text)
        if share and horizon is not None and horizon.epochs in (3, 10, 30):
            training = Training(node, horizon).start().train()
            assert float(f"{training.rates[-1] / 0.1:.2g}") == float(share[1]), text


PERIODS = {"name": "cosine_warm_restarts", "T_0": 100, "interval": "step"}


@pytest.mark.parametrize(
    ("node", "within", "beyond", "words"),
    [
        ({"name": "cosine", "T_max": 100, "interval": "step"}, 99, 98, "T_max=100 updates, the run has 98: it ends at 0.0022 of"),
        (
            {"name": "cosine", "T_max": 100, "interval": "step"},
            102,
            103,
            "T_max=100 updates, the run has 103: it climbs again after update 100, and ends at 0.00099 of",
        ),
        (
            {"name": "one_cycle", "total_steps": 100},
            101,
            102,
            "total_steps=100 updates, the run has 102: it is held from update 100, at 4e-06 of",
        ),
        ({"name": "one_cycle", "total_steps": 100}, 99, 98, "total_steps=100 updates, the run has 98: it ends at"),
        ({"name": "cosine", "T_max": 199, "interval": "step"}, 198, 197, "T_max=199 updates, the run has 197: it ends at"),
        (PERIODS, 199, 198, "the run ends 98 into a period of 100 updates: at 0.0022 of"),
        (PERIODS, 201, 202, "the run ends 2 into a period of 100 updates: at 0.9998 of"),
    ],
)  # fmt: skip
def test_a_hundredth_of_a_length_is_no_misfit(node: dict[str, Any], within: int, beyond: int, words: str) -> None:
    assert len(said(node, Horizon(steps=within))) == 1
    (line,) = said(node, Horizon(steps=beyond))[1:]
    assert line.startswith(f"{node['name']}: {words}")


FITS = [
    {"name": "multi_step", "milestones": [100, 300], "gamma": 1},
    *(name for name in CURVED if name not in ("polynomial", "cyclic")),
    {"name": "cosine", "T_max": 10},
    {"name": "cosine", "T_max": 9},
    {"name": "cosine", "warmup": "10%"},
    {"name": "polynomial", "total_iters": "100%"},
    {"name": "linear", "start_factor": 1, "end_factor": 0, "total_iters": "100%"},
    {"name": "linear", "start_factor": 1, "end_factor": 0.1, "total_iters": 5},
    {"name": "step", "step_size": 60, "gamma": 1},
    {"name": "cyclic", "step_size_up": 20},
    {"name": "cosine_warm_restarts", "T_0": 5},
    {"name": "reduce_on_plateau", "monitor": "val_loss"},
]


@pytest.mark.parametrize("node", FITS, ids=str)
@pytest.mark.parametrize(
    "horizon", [RUN, Horizon(epochs=10, steps_per_epoch=123), Horizon(epochs=10, steps_per_epoch=391)]
)
def test_no_false_alarm(node: Any, horizon: Horizon) -> None:
    assert len(said(node, horizon)) == 1


@pytest.mark.parametrize("policy", ["keep", "stretch"])
@pytest.mark.parametrize("node", ["cosine", "one_cycle", "cosine_warm_restarts", "step", "sequential"])
def test_no_false_alarm_after_a_resume(node: Any, policy: str) -> None:
    state = Training(node, RUN).start().train(4).state()
    second = Training(node, Horizon(epochs=16, steps_per_epoch=20), policy).start(state)
    assert len(second.said) == 1, second.said


def test_a_shorter_run_after_a_resume() -> None:
    state = Training({"name": "cosine", "warmup": "5ep"}, RUN).start().train(2).state()
    second = Training("cosine", Horizon(epochs=4, steps_per_epoch=20), "keep").start(state)
    assert second.said[1] == "cosine: warmup=100 updates is not over when the run ends: at 0.79 of the base rate"
    assert second.train().rates[-1] == pytest.approx(0.079, abs=5e-4)


STAGES = {"name": "sequential", "stages": [
    {"name": "step", "step_size": "30st", "length": "50%"}, {"name": "cosine", "warmup": "5%", "length": "25%"}, "rex",
]}  # fmt: skip


@pytest.mark.parametrize(
    ("total", "says"),
    [
        (100, "stages.1 would begin at update 100, and the run ends before"),
        (101, "stages.1.warmup=3 updates is not over when the run ends: at 0.01 of the base rate"),
        (103, "stages.1.warmup=3 updates is not over when the run ends: at 0.67 of the base rate"),
        (104, "stages.1.T_max=47 updates, the stage has 1: it ends at 1 of the base rate"),
        (112, "stages.1.T_max=47 updates, the stage has 9: it ends at 0.93 of the base rate"),
        (150, ""),
        (151, None),
    ],
)
def test_what_a_shorter_run_does_not_reach_of_the_stages(total: int, says: str | None) -> None:
    state = Training(STAGES, RUN).start().train(2).state()
    second = Training(STAGES, Horizon(epochs=8, steps_per_epoch=20, steps=total), "keep").start(state)
    last = "stages.2 would begin at update 150, and the run ends before"
    if says is not None:
        assert second.said[1:] == [f"sequential: {says}. {last}" if says else f"sequential: {last}"]
    else:
        assert second.said[1:] == [
            "sequential: stages.2.total_steps=50 updates, 1 of them is used: it ends at 1 of the base rate"
        ]


def test_more_updates_than_planned_are_said_once() -> None:
    training = Training("cosine", RUN).start()
    training.train(per_epoch=40)
    assert training.said[1:] == [
        "cosine: more updates than planned: 240 by now, and the schedule was laid out for 200. "
        "Give their number: total_steps of LRSchedulerCallback, or the Horizon"
    ]
    assert len(Training({"name": "cosine", "T_max": 10}, RUN).start().train(per_epoch=40).said) == 1


SLOW: list[Any] = [
    ({"name": "cosine_warm_restarts", "T_0": "1st"}, 1),
    ("sequential", 1000),
    ({"name": "multiplicative", "lr_lambda": lambda t: 0.99999}, 1),
]


@pytest.mark.parametrize(("node", "groups"), SLOW, ids=["restarts", "groups", "callable"])
def test_a_long_run_is_described_at_once(node: Any, groups: int) -> None:
    training = Training(node, Horizon(steps=10**7), groups=groups)
    training.driver.start()
    facts = training.driver.describe()
    begin = time.perf_counter()
    assert list(lines(facts))
    assert time.perf_counter() - begin < 1


# --- in Lightning -----------------------------------------------------------------------------------------------------


def test_the_lines_of_a_fit(capsys: pytest.CaptureFixture[str]) -> None:
    fit(LRSchedulerCallback({"name": "cosine", "T_max": 100}))
    assert capsys.readouterr().out.splitlines() == [
        "cosine | interval=epoch | 15 updates | lr 0.1 -> 0.0999",
        "cosine: T_max=100 epochs, the run has 3: it ends at 0.999 of the base rate",
    ]


class Two(Tiny):
    """Two optimizers, with `critic` steps of the first one in each batch."""

    def __init__(self, critic: int = 1) -> None:
        super().__init__()
        self.automatic_optimization, self.critic = False, critic

    def training_step(self, batch: Any, batch_idx: int) -> None:
        for one, times in zip(self.optimizers(), (self.critic, 1), strict=True):
            for _ in range(times):
                one.zero_grad()
                self.manual_backward(self.layers[0](batch).sum())
                one.step()

    def configure_optimizers(self) -> Any:
        return [torch.optim.SGD(self.parameters(), lr=lr) for lr in (0.1, 0.02)]


def test_an_optimizer_without_a_schedule_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    fit(LRSchedulerCallback(schedulers={"0": "cosine"}), Two())
    assert capsys.readouterr().out.splitlines() == [
        "cosine | interval=step | 15 updates | lr 0.1 -> 0.001093",
        "optimizer 1 (SGD) | driven by no schedule | lr 0.02",
    ]


def test_two_critic_steps_per_batch(capsys: pytest.CaptureFixture[str]) -> None:
    fit(LRSchedulerCallback(schedulers={"0": {"name": "cosine"}, "1": {"name": "cosine"}}), Two(2))
    assert capsys.readouterr().out.splitlines() == [
        "optimizer 0 | cosine | interval=step | 15 updates | lr 0.1 -> 0.001093",
        "optimizer 1 | cosine | interval=step | 15 updates | lr 0.02 -> 0.0002185",
        "optimizer 0 cosine: more updates than planned: 20 by now, and the schedule was laid out for 15. "
        "Give their number: total_steps of LRSchedulerCallback, or the Horizon",
    ]


@pytest.mark.parametrize(
    ("total", "said"),
    [
        (10, "total_steps=10, and the trainer makes 20 updates: more than planned"),
        (30, "total_steps=30, and the trainer makes 20 updates: the schedule is cut short"),
        (20, None),
    ],
)
def test_total_steps_that_the_trainer_does_not_make_are_said_at_fit_start(
    total: int, said: str | None, capsys: Any
) -> None:
    callback = LRSchedulerCallback("cosine", total_steps=total)
    trainer(callback, max_epochs=10, accumulate_grad_batches=2).fit(Tiny(), loader(4), loader(1))
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("total_steps")]
    assert lines == ([] if said is None else [said])


@pytest.mark.parametrize(
    ("node", "opt", "said"),
    [
        ({"param": "weight_decay"}, {}, "cosine: weight_decay is 0 in every group, and any multiple of it too"),
        ({}, {"lr": 0.0}, "cosine: lr is 0 in every group, and any multiple of it too"),
        ({"param": "weight_decay", "eta_min": 0.1}, {}, None),
        ({"param": "weight_decay"}, {"weight_decay": 0.1}, None),
        ({"name": "one_cycle", "max_lr": 0.5}, {"lr": 0.0}, None),
        ({}, {"groups": [0.0, 0.1]}, None),
    ],
)
def test_a_number_that_no_schedule_moves_is_said(
    node: dict[str, Any], opt: dict[str, Any], said: str | None, capsys: Any
) -> None:
    class Module(Tiny):
        def configure_optimizers(self) -> Any:
            rates = opt.get("groups", [opt.get("lr", 0.1)] * 2)
            groups = [{"params": [one], "lr": rate} for one, rate in zip(self.parameters(), rates, strict=True)]
            return torch.optim.SGD(groups, lr=0.1, momentum=0.9, weight_decay=opt.get("weight_decay", 0.0))

    trainer(LRSchedulerCallback({"name": "cosine", **node}), max_epochs=2).fit(Module(), loader(4), loader(1))
    warned = [line for line in capsys.readouterr().out.splitlines() if " any multiple " in line]
    assert warned == ([] if said is None else [said])
