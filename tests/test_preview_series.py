"""What a picture shows is what training does: every value, and of a long run every peak."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from helpers import CURVED, TWINS, optimizer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lr_configs import Horizon, SchedulerConfigError, available, curve, register
from lr_configs.curve_tree import bind
from lr_configs.driver import Driver
from lr_configs.plan import resolve
from lr_configs.preview import thin
from lr_configs.preview.examples import example, nominal_run, samples
from lr_configs.preview.plateau import Metric, Plateau, read
from lr_configs.preview.series import Subject, epoch_knots, picture
from lr_configs.registry import parse, remove
from lr_configs.run import PlainRun

RUN = Horizon(epochs=30, steps_per_epoch=23)


def line(node: Any, horizon: Horizon, bins: int = 0, **more: Any) -> Any:
    return picture([Subject(node, horizon, **more)], bins=bins).panels[0].lines[0]


@pytest.mark.parametrize("name", [name for name in available() if name != "reduce_on_plateau"])
@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_every_update_has_the_value_that_training_gives_it(name: str, interval: str) -> None:
    lengths = {"30%": "9ep", "40%": "12ep", "10%": "3ep", "5%": "3ep", "20%": "6ep", "3%": "3ep", "2ep": "2ep"}
    node = {**example(name), "interval": interval}
    if interval == "epoch":
        node = {key: lengths.get(str(value), value) for key, value in node.items()}
        node |= {
            "noam": {"warmup_steps": "3ep"},
            "cyclic": {"step_size_up": "3ep"},
            "piecewise": {"points": [[0, 0.0], ["3ep", 1.0], ["30ep", 0.1]]},
        }.get(name, {})
    values = curve(node, 0.1, RUN)
    shown = line(node, RUN)
    for update in range(690):
        wanted = values[update if interval == "step" else update // 23]
        assert shown.at(update) == pytest.approx(wanted, rel=1e-12)
    assert shown.last == pytest.approx(values[-1], rel=1e-12)


@pytest.mark.parametrize("name", ["one_cycle", "cyclic"])
def test_momentum_is_torchs(name: str) -> None:
    params, theirs = TWINS[name]
    opt = optimizer()
    torch_schedule = theirs(opt)
    shown = picture([Subject({"name": name, **params}, Horizon(steps=400))], bins=0)
    assert [panel.title for panel in shown.panels] == ["lr", "momentum"]
    for step in range(400):
        assert shown.panels[1].lines[0].at(step) == pytest.approx(opt.param_groups[0]["momentum"], rel=1e-12)
        assert shown.panels[0].lines[0].at(step) == pytest.approx(opt.param_groups[0]["lr"], rel=1e-9)
        opt.step()
        torch_schedule.step()


def test_momentum_of_a_stage_begins_with_it_and_stays() -> None:
    stages = {"flat": {"name": "none", "length": 20}, "up": {"name": "one_cycle"}}
    shown = picture([Subject({"name": "sequential", "stages": stages, "interval": "step"}, Horizon(steps=100))], bins=0)
    momentum = shown.panels[1].lines[0]
    alone = picture([Subject("one_cycle", Horizon(steps=80))], bins=0).panels[1].lines[0]
    assert momentum.x[0] == 20
    assert [momentum.at(20 + t) for t in range(80)] == pytest.approx([alone.at(t) for t in range(80)], rel=1e-12)


# --- long runs --------------------------------------------------------------------------------------------------------

LENGTH = st.one_of(st.sampled_from(["3%", "10%", "37%", "100%"]), st.integers(1, 3000).map(lambda n: f"{n}st"))
FACTOR = st.sampled_from([0.05, 0.5, 0.97])
SINGLE = st.one_of(
    st.builds(lambda n, g: {"name": "step", "step_size": n, "gamma": g}, LENGTH, FACTOR),
    st.builds(lambda g: {"name": "multi_step", "milestones": ["20%", "21%", "90%"], "gamma": g}, FACTOR),
    st.builds(lambda n: {"name": "constant", "total_iters": n}, LENGTH),
    st.builds(lambda n, a: {"name": "linear", "total_iters": n, "end_factor": a}, LENGTH, FACTOR),
    st.builds(lambda n, p: {"name": "polynomial", "total_iters": n, "power": p, "eta_min": "2%"}, LENGTH, FACTOR),
    st.builds(
        lambda n, k: {"name": "cosine", "T_max": n, "eta_min": "1%", **k},
        LENGTH,
        st.sampled_from([{}, {"k": 2.0}, {"cycles": 3.5, "T_max": "100%"}]),
    ),
    st.builds(
        lambda n, m, more: {"name": "cosine_warm_restarts", "T_0": n, "T_mult": m, **more},
        LENGTH,
        st.sampled_from([1, 2, 1.37]),
        st.sampled_from([{}, {"restart_decay": 0.7}, {"cycles": 3}]),
    ),
    st.builds(
        lambda n, d, m: {"name": "cyclic", "step_size_up": n, "step_size_down": d, "mode": m, "gamma": 0.999},
        LENGTH,
        LENGTH,
        st.sampled_from(["triangular", "triangular2", "exp_range"]),
    ),
    st.builds(
        lambda p, three, a: {"name": "one_cycle", "pct_start": p, "three_phase": three, "anneal_strategy": a},
        st.floats(0.05, 0.45),
        st.booleans(),
        st.sampled_from(["cos", "linear"]),
    ),
    st.builds(lambda n: {"name": "noam", "warmup_steps": n, "d_model": 4}, LENGTH),
    st.builds(lambda c: {"name": "slanted_triangular", "cut_frac": c}, st.floats(0, 0.9)),
    st.builds(
        lambda how, a: {"name": "piecewise", "points": [[0, 0.2], ["5%", a], ["6%", 0.9], ["90%", 0.0]], "interpolation": how},
        st.sampled_from(["linear", "cosine", "constant"]),
        FACTOR,
    ),
    st.builds(lambda s, n: {"name": "warmup_stable_decay", "decay": n, "decay_shape": s}, st.sampled_from(["1-sqrt", "cosine"]), st.sampled_from(["1%", "30%"])),
    st.builds(lambda n: {"name": "inverse_time", "decay_period": n, "staircase": True}, LENGTH),
    st.builds(lambda n: {"name": "exponential", "gamma": 0.9, "decay_period": n}, LENGTH),
    st.builds(lambda n: {"name": "lambda", "lr_lambda": f"1 + sin(t / {n})"}, st.integers(3, 900)),
    st.sampled_from([{"name": name} for name in ("rex", "tanh", "power", "hyperbolic", "exp_hyperbolic", "range_test", "inverse_sqrt")]),
)  # fmt: skip
WARM = st.builds(
    lambda node, warmup, shape, overlap, cooldown: {
        **node,
        "warmup": warmup,
        "warmup_shape": shape,
        "warmup_overlap": overlap,
        "cooldown": cooldown,
    },
    SINGLE,
    st.sampled_from([0, "2%", "30%"]),
    st.sampled_from(["linear", "cosine", "exponential"]),
    st.booleans(),
    st.sampled_from([0, 0, "10%"]),
)
SEVERAL = st.builds(
    lambda kind, stages: {
        "name": kind,
        "stages": [
            {**one, **({"length": "30%"} if kind == "sequential" and i == 0 else {})} for i, one in enumerate(stages)
        ],
    },
    st.sampled_from(["sequential", "chained"]),
    st.lists(SINGLE, min_size=2, max_size=2),
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    node=st.one_of(WARM, SEVERAL),
    steps=st.integers(2000, 20_000),
    bins=st.integers(20, 200),
    frequency=st.sampled_from([1, 1, 7]),
)
def test_no_peak_is_lost(node: dict[str, Any], steps: int, bins: int, frequency: int) -> None:
    node = {**node, "interval": "step", "frequency": frequency}
    try:
        values = curve(node, 0.1, Horizon(steps=steps))
        shown = line(node, Horizon(steps=steps), bins)
    except SchedulerConfigError:
        return  # some lengths do not fit
    assert len(shown.x) <= 6 * bins
    x, y = np.array(shown.x), np.array(shown.y)
    np.testing.assert_allclose(y, values[(x // frequency).astype(int)], rtol=1e-11)
    if len(values) <= 4 * bins:
        return
    places = np.arange(len(values)) * frequency
    bin_of, kept_bin = (places * bins // steps), (x * bins // steps).astype(int)
    for i in range(bins):
        all_of, ours = values[bin_of == i], y[kept_bin == i]
        held = shown.at(np.ceil(i * steps / bins))
        if all_of.size:
            seen = np.append(ours, shown.at(places[bin_of == i][0]))
            assert seen.max() == pytest.approx(all_of.max(), rel=1e-11)
            assert seen.min() == pytest.approx(all_of.min(), rel=1e-11, abs=1e-300)
        assert held == pytest.approx(values[int(np.ceil(i * steps / bins)) // frequency], rel=1e-11)


@pytest.mark.parametrize(
    "name", ["step", "cosine", "cosine_warm_restarts", "one_cycle", "linear", "warmup_stable_decay"]
)
def test_of_a_million_steps_only_those_are_evaluated_that_are_shown(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from lr_configs import curve_tree

    seen: list[int] = []
    whole = curve_tree.Curve.array
    monkeypatch.setattr(
        curve_tree.Curve, "array", lambda self, t, **more: seen.append(len(t)) or whole(self, t, **more)
    )
    line({"name": name, "interval": "step"}, Horizon(steps=1_000_000), 500)
    assert 0 < sum(seen) <= 2 * (2 * 500 + 40)


def test_a_formula_is_looked_at_everywhere() -> None:
    spike = {"name": "lambda", "lr_lambda": "10 if t == 123457 else 1", "interval": "step"}
    shown = line(spike, Horizon(steps=1_000_000), 100)
    assert max(shown.y) == 1.0
    assert shown.at(123_457) == 1.0
    assert shown.at(123_458) == 0.1


def test_who_replaces_a_formula_is_not_taken_at_the_word_of_the_old_one() -> None:
    from lr_configs.schedules import StepLRConfig

    @register("spiky")
    class Spiky(StepLRConfig):
        @staticmethod
        def weights(p: Any, t: Any, m: Any) -> Any:
            return m.where(t == 123_457, 1.0, 0.5)

    try:
        assert max(line({"name": "spiky", "interval": "step"}, Horizon(steps=1_000_000), 100).y) == 0.1
    finally:
        remove("spiky")


def test_a_run_of_a_billion_updates_is_drawn() -> None:
    shown = line({"name": "cosine", "warmup": "1%", "interval": "step"}, Horizon(steps=10**9), 100)
    assert max(shown.y) == 0.1
    assert shown.at(10**7) == 0.1
    assert len(shown.x) <= 404


# --- places -----------------------------------------------------------------------------------------------------------


def test_epochs_that_differ_in_length() -> None:
    horizon = Horizon(epochs=4, steps_per_epoch=[10, 20, 5, 15])
    shown = picture([Subject({"name": "exponential", "gamma": 0.5}, horizon)])
    assert shown.panels[0].lines[0].x == [0, 10, 30, 35]
    assert (shown.unit, shown.end) == ("update", 50)
    assert [shown.epoch(x) for x in (0, 5, 10, 30, 50)] == [0, 0.5, 1, 2, 4]
    assert [shown.update(e) for e in (0, 0.5, 1, 2, 4)] == [0, 5, 10, 30, 50]


def test_a_run_that_ends_within_an_epoch() -> None:
    shown = picture([Subject({"name": "exponential", "gamma": 0.5}, Horizon(steps=25, steps_per_epoch=10))])
    assert shown.panels[0].lines[0].x == [0, 10, 20]
    assert (shown.end, shown.epoch(25)) == (25, 2.5)


def test_a_run_whose_updates_are_not_known_is_counted_in_epochs() -> None:
    shown = picture([Subject({"name": "exponential", "gamma": 0.5}, Horizon(epochs=4))])
    assert (shown.unit, shown.end, shown.epochs) == ("epoch", 4, ())


def test_an_interval_that_is_not_known_is_refused() -> None:
    with pytest.raises(SchedulerConfigError, match="advances by epochs, and the run's length in epochs is not known"):
        picture([Subject({"name": "exponential", "interval": "epoch"}, Horizon(steps=100))])


def test_a_constant_needs_no_epochs() -> None:
    assert line("none", Horizon(steps=100)).y == [0.1]
    with pytest.raises(SchedulerConfigError, match="in epochs is not known"):
        line({"name": "none", "warmup": 3, "interval": "epoch"}, Horizon(steps=100))


def test_not_every_value_of_a_run_without_end() -> None:
    with pytest.raises(SchedulerConfigError, match="values are too many"):
        line("rex", Horizon(steps=10**9), 0)


def test_runs_of_different_lengths_and_counts() -> None:
    long, short = Horizon(epochs=10, steps_per_epoch=10), Horizon(epochs=5, steps_per_epoch=10)
    shown = picture([Subject("step", long, label="long"), Subject("step", short, label="short")])
    assert shown.end == 100
    assert [one.end for one in shown.panels[0].lines] == [100, 50]
    assert shown.epochs
    other = Horizon(epochs=5, steps_per_epoch=7)
    assert not picture([Subject("step", long), Subject("step", other)]).epochs
    by_epochs = picture([Subject("step", long), Subject("exponential", Horizon(epochs=12))])
    assert (by_epochs.unit, by_epochs.end) == ("epoch", 12)
    with pytest.raises(SchedulerConfigError, match="no unit in common"):
        picture([Subject("exponential", Horizon(epochs=5)), Subject("rex", Horizon(steps=5))])


def test_what_happens_is_marked_where_it_happens() -> None:
    node = {"name": "cosine_warm_restarts", "T_0": "100st", "T_mult": 2, "warmup": "50st", "interval": "step"}
    marks = line(node, Horizon(steps=1000)).marks
    assert [(mark.x, mark.word) for mark in marks] == [
        (50, "warmup ends"), (150, "restart"), (350, "restart"), (750, "restart"),
    ]  # fmt: skip
    assert {mark.y for mark in marks} == {0.1}
    stages = {"hold": {"name": "none", "length": "60%"}, "decay": {"name": "multi_step", "milestones": ["50%"]}}
    marks = line({"name": "sequential", "stages": stages}, RUN).marks
    assert [(mark.x, mark.word) for mark in marks] == [(0, "hold"), (414, "decay"), (552, "milestone")]
    tail = line({"name": "none", "cooldown": "10%", "interval": "step"}, RUN).marks
    assert [(mark.x, mark.word) for mark in tail] == [(621, "cooldown")]


def test_marks_too_many_to_be_told_apart_are_left_out() -> None:
    node = {"name": "cosine_warm_restarts", "T_0": "10st", "warmup": "50st", "interval": "step"}
    assert [mark.word for mark in line(node, Horizon(steps=100_000), 100).marks] == ["warmup ends"]
    for steps, count in ((299, 24), (300, 24), (301, 0)):
        shown = [mark.word for mark in line(node, Horizon(steps=steps), 100).marks]
        assert shown == ["warmup ends"] + ["restart"] * count, steps


# --- groups and what is driven ----------------------------------------------------------------------------------------


def test_groups_with_curves_of_their_own() -> None:
    node = {"name": "cosine", "eta_min": {"head": 0.01}}
    shown = picture([Subject(node, RUN, bases=[0.1, 0.05, 0.1], names=[None, "head", None], label="c")], bins=0)
    assert [one.label for one in shown.panels[0].lines] == ["c [0]", "c [head]"]
    assert [one.style for one in shown.panels[0].lines] == [0, 1]
    wanted = curve({"name": "cosine", "eta_min": 0.01}, 0.05, RUN)
    assert shown.panels[0].lines[1].at(23 * 29) == pytest.approx(wanted[23 * 29])


def test_what_else_is_driven_has_a_panel_of_its_own() -> None:
    subjects = [
        Subject("one_cycle", RUN, label="rate"),
        Subject(
            {"name": "linear", "param": "weight_decay", "total_iters": "100%", "end_factor": 10.0},
            RUN,
            [0.04],
            label="wd",
        ),
    ]
    shown = picture(subjects)
    assert [panel.title for panel in shown.panels] == ["lr", "weight_decay", "momentum"]
    assert [[(one.label, one.style) for one in panel.lines] for panel in shown.panels] == [
        [("rate", 0)], [("wd", 1)], [("rate", 0)],
    ]  # fmt: skip
    assert shown.labels == ["rate", "wd"]


def test_a_scheduler_class_is_stepped() -> None:
    @register("halving_class")
    class Halving(torch.optim.lr_scheduler.LRScheduler):
        def get_lr(self) -> list[float]:
            return [base * 0.5**self.last_epoch for base in self.base_lrs]

    try:
        shown = line({"name": "halving_class"}, Horizon(epochs=4), bases=[0.1, 0.2])
        assert shown.y == pytest.approx([0.1, 0.05, 0.025, 0.0125])
    finally:
        remove("halving_class")


def test_what_is_not_finite_is_refused() -> None:
    @register("growing")
    def growing(t, T):
        return 1e300 if t > 50 else 1.0

    try:
        node = {"name": "chained", "stages": [{"name": "growing"}, {"name": "growing"}]}
        with pytest.raises(SchedulerConfigError, match="the rate is inf at step 51"):
            picture([Subject(node, RUN)])
        with pytest.raises(SchedulerConfigError, match="with growing it is inf at step 51"):
            picture([Subject({"name": "growing"}, RUN, bases=[1e10])])
    finally:
        remove("growing")


# --- metrics ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_a_plateau_reduces_when_torchs_does(seed: int) -> None:
    rng = random.Random(seed)
    keys = {
        "mode": rng.choice(["min", "max"]),
        "factor": rng.choice([0.0, 0.1, 0.5, 0.9]),
        "patience": rng.randrange(4),
        "threshold": rng.choice([0.0, 1e-4, 0.3]),
        "threshold_mode": rng.choice(["rel", "abs"]),
        "cooldown": rng.randrange(4),
        "eps": rng.choice([1e-8, 1e-3]),
    }
    lows = [rng.choice([0.0, 0.004]), rng.choice([0.0, 0.004])]
    opt = optimizer(2)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(opt, **keys, min_lr=lows)
    ours = Plateau(parse({"name": "reduce_on_plateau", "monitor": "m", **keys, "min_lr": lows}), lows)
    rates, sign = [group["lr"] for group in opt.param_groups], rng.choice([-1, 1])
    for _ in range(60):
        odd = [float("nan"), 0.0, *([] if seed % 4 else [float("inf"), -float("inf")])]
        value = rng.choice([*odd, *(sign * rng.lognormvariate(0, 1) for _ in range(6))])
        theirs.step(value)
        if ours.reduces(value):
            rates = ours.reduced(rates)
        assert rates == [group["lr"] for group in opt.param_groups]


PLATEAU = {"name": "reduce_on_plateau", "patience": 1, "factor": 0.5}
STAGES = {
    "alone": {**PLATEAU, "monitor": "loss"},
    "floor": {**PLATEAU, "monitor": "loss", "min_lr": ["30%", 0.0]},
    "warm": {**PLATEAU, "monitor": "loss", "warmup": "25%"},
    "by epochs": {**PLATEAU, "monitor": "loss", "interval": "epoch"},
    "last stage": {
        "name": "sequential",
        "monitor": "loss",
        "warmup": "10%",
        "stages": {"up": {"name": "linear", "total_iters": "100%", "length": "30%"}, "down": PLATEAU},
    },
    "factor": {"name": "chained", "monitor": "loss", "stages": [{"name": "cosine"}, PLATEAU], "warmup": "20%"},
    "factors from the end of the warmup on": {
        "name": "chained",
        "monitor": "loss",
        "warmup": "25%",
        "stages": [{"name": "cosine"}, {**PLATEAU, "patience": 0}],
    },
    "a stage that begins within the warmup": {
        "name": "sequential",
        "monitor": "loss",
        "warmup": "20%",
        "warmup_overlap": True,
        "stages": [{"name": "linear", "length": "10%"}, {**PLATEAU, "patience": 0}],
    },
    "two factors": {
        "name": "chained",
        "monitor": "loss",
        "stages": [PLATEAU, {**PLATEAU, "patience": 0, "cooldown": 3}],
    },
}


@pytest.mark.parametrize("case", STAGES)
@pytest.mark.parametrize("each", [5, 10])
def test_a_metric_does_what_it_would_have_done_in_training(case: str, each: int) -> None:
    horizon = Horizon(epochs=20, steps_per_epoch=10)
    rng = random.Random(case)
    values = [rng.gauss(0, 1) for _ in range(200 // each)]
    opt = optimizer(2)
    driver = Driver(PlainRun(horizon))
    driver.drive(STAGES[case], opt)
    driver.start()
    rates: list[list[float]] = []
    for update in range(200):
        rates.append([group["lr"] for group in opt.param_groups])
        opt.step()
        if (update + 1) % 10 == 0:
            driver.end_epoch(update // 10)
        if (update + 1) % each == 0:
            driver.metric("loss", values[update // each])
    metric = Metric(tuple(values), tuple((i + 1) * each for i in range(len(values))), "update")
    shown = picture([Subject(STAGES[case], horizon, [0.1, 0.05], metric=metric)], bins=0).panels[0].lines
    assert len(set(map(tuple, rates))) > 3
    for group, one in enumerate(shown):
        assert [one.at(t) for t in range(200)] == pytest.approx([rate[group] for rate in rates], rel=1e-12)


def test_without_values_it_says_so() -> None:
    shown = picture([Subject({**PLATEAU, "monitor": "val_loss"}, RUN)])
    assert shown.notes == ("it follows val_loss, of which no values are given",)
    assert shown.panels[0].lines[0].y == [0.1]


def test_a_picture_says_into_how_many_parts_it_was_cut() -> None:
    long, short = Horizon(steps=10_000), Horizon(steps=40)
    assert [picture([Subject("one_cycle", run)], bins=50).bins for run in (long, short)] == [50, 0]
    assert picture([Subject("one_cycle", long)], bins=0).bins == 0


@pytest.mark.parametrize(
    ("length", "run"),
    [
        ("25050st", (100, 251)),
        ("25000st", (100, 250)),
        ("10001st", (100, 101)),
        ("9st", (100, 100)),
        ("101.5ep", (102, 100)),
    ],
)
def test_a_run_in_which_what_is_written_can_be_seen(length: str, run: tuple[int, int]) -> None:
    found = nominal_run(parse({"name": "step", "step_size": length}))
    assert (found.epochs, found.steps_per_epoch) == run


def test_of_a_long_run_so_many_steps_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spread evenly from the first to the last one, where it is not known where the curve turns."""
    monkeypatch.setattr(thin, "MOST", 100)
    for steps, count in ((99, 99), (100, 100), (101, 100), (1000, 100)):
        run = Horizon(steps=steps)
        plan = resolve({"name": "lambda", "lr_lambda": "1 / (1 + t)", "interval": "step"}, run)
        found = thin.positions(plan, bind(plan, [0.1], [None]), steps, 10, steps, 1)
        assert (found[0], found[-1], len(found)) == (0, steps - 1, count)
        assert max(np.diff(found)) - min(np.diff(found)) <= 1


LIGHTNING = """epoch,step,train_loss,val_loss
0,4,0.9,
0,9,,0.8
1,14,0.7,
1,19,,0.75
"""


def test_the_csv_of_a_run() -> None:
    assert read(LIGHTNING, "val_loss") == Metric((0.8, 0.75), (10, 20), "update", "metric.csv")
    assert read(LIGHTNING, "train_loss").values == (0.9, 0.7)
    assert read("epoch,loss\n0,1\n2,0.5\n4,nan\n", "loss").at == (1, 3, 5)
    assert read("epoch,loss\n0,1\n0.5,2\n1,3\n", "loss").at == (1, 1.5, 2)
    assert read("step,loss\n5,1\n5,2\n5.5,3\n", "loss").at == (6, 6, 6.5)
    assert read("1.0\n0.5\n", "loss").timed() == [(1, 1.0), (2, 0.5)]
    assert read("\ufeffwhatever\n1\n\n", "loss").values == (1.0,)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the file is empty"),
        ("loss\n", "the file has no value of loss"),
        ("step\n5\n", "the file has no column loss"),
        ("loss\n1\n\n2\n", "m.csv:3.*there is no value of loss in this line"),
        ("1\n\n2\n", "m.csv:2.*there is no value in this line"),
        ("epoch,loss\n0,1\n1,\n2,1\n", "m.csv:3.*there is no value of loss in this line"),
        ("epoch,loss\n0,1\n1,2\n3,1\n", "there is no value between epoch 1 and epoch 3"),
        ("epoch,loss\n0,1\n,2\n", "m.csv:3.*there is no value of epoch"),
        ("epoch,loss\n1,1\n0,2\n", "the values of epoch rise"),
        ("step,loss\n-5,1\n", "the values of step rise, from 0"),
        ("loss\none\n", "m.csv:2.*'one' is not a number"),
        ("loss,acc\n1,2,3\n", "m.csv:2.*this line has 3 values for 2 columns"),
        ("train_loss,val_los\n1,2\n", "no column val_loss. did you mean 'val_los'"),
    ],
)
def test_a_csv_that_cannot_be_right_is_refused(text: str, says: str) -> None:
    with pytest.raises(SchedulerConfigError, match=says):
        read(text, "val_loss" if "val" in text else "loss", "m.csv")


def test_values_that_do_not_fit_the_run_are_refused() -> None:
    node = {**PLATEAU, "monitor": "loss"}
    with pytest.raises(SchedulerConfigError, match="a value comes at epoch 31, and the run has 30"):
        picture([Subject(node, RUN, metric=Metric((1.0,) * 31))])
    with pytest.raises(SchedulerConfigError, match="the updates per epoch are not known here"):
        picture([Subject({**node, "interval": "step"}, Horizon(steps=50), metric=Metric((1.0,)))])


# --- samples ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*CURVED, "rex", "noam"])
def test_samples_are_the_curves(name: str) -> None:
    values = curve(example(name), 0.1, RUN)
    found = samples(example(name), 30)
    assert found == pytest.approx([values[(len(values) - 1) * i // 29] for i in range(30)], rel=1e-12)


@pytest.mark.parametrize(
    "values", [(1.0,) * 12, (1.0, 2.0, 2.0, 2.0, 2.0, 2.0), (3.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 1, 1, 1, 1)]
)
@pytest.mark.parametrize("count", [12, 30])
def test_samples_follow_a_metric_as_torchs_class(values: tuple[float, ...], count: int) -> None:
    """One value at the end of each epoch: of 12, or of 6 that take two steps each."""
    opt = optimizer(1)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(opt, patience=1, factor=0.5)
    rates = []
    for step in range(12):
        if step and step * len(values) % 12 == 0:
            theirs.step(values[step * len(values) // 12 - 1])
        rates.append(opt.param_groups[0]["lr"])
    node = {"name": "reduce_on_plateau", "patience": 1, "factor": 0.5, "monitor": "loss"}
    found = samples(node, count, horizon=Horizon(epochs=12), base=0.1, metric=Metric(values))
    assert found == pytest.approx([rates[11 * i // (count - 1)] for i in range(count)], rel=1e-12)


def test_updates_and_epochs_in_pairs() -> None:
    uneven = Horizon(steps_per_epoch=[1, 2, 3])
    assert epoch_knots([uneven], [6]) == ((0, 0), (1, 1), (3, 2), (6, 3))
    assert epoch_knots([Horizon(epochs=3, steps_per_epoch=4)], [12]) == ((0, 0), (12, 3))
    assert epoch_knots([Horizon(steps=10, steps_per_epoch=4)], [10]) == ((0, 0), (10, 2.5))
    assert epoch_knots([Horizon(steps=10)], [10]) == ()
    part = epoch_knots([Horizon(steps=5, steps_per_epoch=[1, 2, 3])], [5])
    assert part == ((0, 0), (1, 1), (3, 2), (5, pytest.approx(8 / 3)))
    assert epoch_knots([Horizon(steps=8, steps_per_epoch=4), Horizon(steps=12, steps_per_epoch=4)], [8, 12])[-1] == (
        12,
        3,
    )
    assert epoch_knots([uneven, Horizon(steps=12, steps_per_epoch=4)], [6, 12]) == ()


@pytest.mark.parametrize("name", available())
def test_every_schedule_can_be_seen_in_its_nominal_run(name: str) -> None:
    node = parse(example(name))
    assert picture([Subject(node, nominal_run(node))]).panels[0].lines


def test_nothing_slow_is_imported() -> None:
    code = (
        "import sys; from lr_configs.preview.examples import samples; from lr_configs.preview.braille import chart; "
        "samples('cosine', 40); "
        "print([name for name in ('numpy', 'torch', 'matplotlib', 'hydra', 'omegaconf') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
