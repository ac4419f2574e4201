"""Lengths: every unit at every interval, the rounding rule, what advances the schedule, and what is refused."""

from __future__ import annotations

import copy
import itertools
import pickle
import time
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lr_configs.errors import SchedulerConfigError
from lr_configs.horizon import Clock, Horizon, Length
from lr_configs.plan import resolve

RUN = Horizon(epochs=90, steps_per_epoch=391)
STEPS = 35_190


def T_max(value: Any, horizon: Horizon | None = RUN, **keys: Any) -> tuple[int, str]:
    plan = resolve({"name": "cosine", "T_max": value, **keys}, horizon)
    return plan.params["T_max"], plan.interval


@pytest.mark.parametrize(
    ("value", "interval", "expected"),
    [
        (30, "auto", (30, "epoch")),
        (30, "step", (30, "step")),
        ("30", "epoch", (30, "epoch")),
        (1e4, "step", (10_000, "step")),
        ("1e4", "step", (10_000, "step")),
        (np.int64(30), "auto", (30, "epoch")),
        (np.float32(30), "auto", (30, "epoch")),
        (Fraction(60, 2), "auto", (30, "epoch")),
        ("30ep", "auto", (30, "epoch")),
        ("30 ep", "step", (11_730, "step")),
        ("1.5ep", "auto", (587, "step")),  # 586.5, halves upwards
        ("500st", "auto", (500, "step")),
        ("782st", "epoch", (2, "epoch")),
        ("782st", "auto", (782, "step")),
        ("10%", "auto", (3519, "step")),
        ("10%", "epoch", (9, "epoch")),
        ("2.5%", "auto", (880, "step")),  # 879.75
        ("100%", "epoch", (90, "epoch")),
        ("100%", "step", (STEPS, "step")),
    ],
)
def test_units(value: Any, interval: str, expected: tuple[int, str]) -> None:
    assert T_max(value, interval=interval) == expected


def test_how_long_a_length_may_be_written() -> None:
    assert T_max("0" * 56 + "10st")[0] == 10
    with pytest.raises(SchedulerConfigError, match="this is not a length"):
        T_max("0" * 57 + "10st")


def test_how_large_a_number_may_be() -> None:
    assert Horizon(steps=10**15).total_steps == 10**15
    with pytest.raises(SchedulerConfigError, match="steps=1000000000000001"):
        Horizon(steps=10**15 + 1)


def test_room_is_said_in_the_units_that_are_known() -> None:
    epochs, own = Length(Fraction(5), "ep"), Length(Fraction(5), "")
    assert Clock("step", 1, Horizon(steps=200)).room_in_words(epochs, 0, 10) == "10 updates"
    assert Clock("step", 1, None).room_in_words(epochs, 0, 10) == "10 updates"
    assert Clock("step", 1, Horizon(epochs=20, steps_per_epoch=10)).room_in_words(epochs, 0, 10) == "1 epoch"
    assert Clock("epoch", 1, Horizon(epochs=20)).room_in_words(Length(Fraction(5), "st"), 0, 10) == "10 epochs"
    assert Clock("epoch", 3, Horizon(epochs=20)).room_in_words(own, 0, 2) == "2 scheduler steps"
    assert Clock("epoch", 3, Horizon(epochs=20)).room_in_words(epochs, 6, 1) == "2 epochs"  # the last is a shorter one


def test_a_plain_number_keeps_its_meaning_when_another_length_makes_the_interval_step() -> None:
    for warmup, steps in (("500st", 500), ("5ep", 5 * 391), ("1%", 352)):
        plan = resolve({"name": "step", "step_size": 30, "warmup": warmup}, RUN)
        assert (plan.interval, plan.params["step_size"], plan.warmup) == ("step", 30 * 391, steps)
    explicit = resolve({"name": "step", "step_size": 30, "warmup": "500st", "interval": "step"}, RUN)
    assert explicit.params["step_size"] == 30
    alone = resolve({"name": "step", "step_size": 30, "warmup": "500st"})
    assert (alone.interval, alone.params["step_size"], alone.warmup) == ("step", 30, 500)


STEP_OR_EPOCH = {
    "plain": ({"name": "step", "step_size": 30}, "epoch"),
    "whole epochs": ({"name": "step", "step_size": "30ep"}, "epoch"),
    "plain warmup": ({"name": "step", "step_size": 30, "warmup": 5}, "epoch"),
    "no lengths": ({"name": "exponential"}, "epoch"),
    "plateau": ({"name": "reduce_on_plateau", "monitor": "x"}, "epoch"),
    "part of an epoch": ({"name": "step", "step_size": "1.5ep"}, "step"),
    "updates": ({"name": "step", "step_size": "391st"}, "step"),
    "a share of whole epochs": ({"name": "step", "step_size": "10%"}, "step"),
    "a default share": ({"name": "cosine"}, "step"),
    "epochs of warmup": ({"name": "step", "step_size": 30, "warmup": "5ep"}, "step"),
    "natural": ({"name": "cyclic", "step_size_up": 30}, "step"),
    "natural stage": ({"name": "sequential", "stages": [{"name": "none", "length": 5}, "one_cycle"]}, "step"),
    "stage length": (
        {"name": "sequential", "stages": [{"name": "none", "length": "5%"}, {"name": "step", "step_size": 3}]},
        "step",
    ),
    "plain stages": (
        {"name": "sequential", "stages": [{"name": "none", "length": 5}, {"name": "step", "step_size": 3}]},
        "epoch",
    ),
    "warmup of a stage": (
        {"name": "chained", "stages": [{"name": "step", "step_size": 3}, {"name": "exponential", "warmup": "1ep"}]},
        "step",
    ),
}


@pytest.mark.parametrize("case", STEP_OR_EPOCH)
@pytest.mark.parametrize(
    "horizon", [RUN, Horizon(epochs=100, steps_per_epoch=1), Horizon(steps=9000, steps_per_epoch=70)]
)
def test_auto_is_decided_by_what_is_written(case: str, horizon: Horizon) -> None:
    node, interval = STEP_OR_EPOCH[case]
    plan = resolve(node, horizon)
    assert (plan.interval, plan.notes) == (interval, ())


def test_max_steps_alone_does_not_turn_epochs_into_updates() -> None:
    horizon = Horizon(steps=1000, steps_per_epoch=391)
    assert T_max(2, horizon) == (2, "epoch")
    for text in ("0.95 ** epoch", "0.95 ** epoch if T > 0 else 1"):
        plan = resolve({"name": "lambda", "lr_lambda": text}, horizon)
        assert (plan.interval, plan.steps) == ("epoch", 3)


def test_where_updates_per_epoch_cannot_be_known_shares_count_epochs() -> None:
    horizon = Horizon(epochs=20)
    for node in ({"name": "cosine"}, {"name": "one_cycle"}, {"name": "step", "step_size": 3, "warmup": "10%"}):
        plan = resolve(node, horizon)
        assert (plan.interval, plan.steps) == ("epoch", 20)
        assert plan.notes == ("shares of the run count epochs: its updates per epoch are not known",)
    assert resolve({"name": "step", "step_size": 3}, horizon).notes == ()
    assert resolve({"name": "cyclic"}, horizon).interval == "step"
    refused = (
        ({"name": "cosine", "warmup": "500st"}, r"updates cannot be counted in epochs: the updates per epoch are not"),
        ({"name": "step", "step_size": 3, "warmup": "5ep"}, r"epochs cannot be counted in updates.*interval=epoch"),
        ({"name": "cosine", "T_max": "33%"}, r"this is 6.6 epochs.*Give the horizon its steps_per_epoch"),
    )
    for node, match in refused:
        with pytest.raises(SchedulerConfigError, match=match):
            resolve(node, horizon)


def test_a_stream_has_no_epochs() -> None:
    stream = Horizon(steps=1000)
    assert T_max("100%", stream) == (1000, "step")
    assert T_max("30st", stream) == (30, "step")
    assert T_max(30, stream, interval="step") == (30, "step")
    assert resolve({"name": "cyclic"}, stream).params["step_size_up"] == 2000
    plan = resolve("exponential", stream)
    assert (plan.interval, plan.steps) == ("epoch", None)
    assert plan.notes == ("the schedule advances by epochs, and this run says nothing of its epochs",)
    message = "{}: a plain number counts epochs here, and this run has none. Write '30st' or '10%'."
    for node, key in (
        ({"name": "step", "step_size": 30}, "step_size=30"),
        ({"name": "step", "step_size": "30st", "warmup": 30}, "warmup=30"),
    ):
        with pytest.raises(SchedulerConfigError) as caught:
            resolve(node, stream)
        assert str(caught.value) == message.format(key)
    with pytest.raises(SchedulerConfigError, match="an 'ep' counts epochs, and this run has none"):
        T_max("30ep", stream)


def test_a_run_that_ends_within_an_epoch() -> None:
    horizon = Horizon(steps=1000, steps_per_epoch=400)
    assert T_max("100%", horizon) == (1000, "step")
    assert T_max(2, horizon, interval="epoch") == (2, "epoch")
    assert T_max("100%", horizon, interval="epoch") == (3, "epoch")
    assert resolve({"name": "step", "step_size": 1}, Horizon(steps=4, steps_per_epoch=400)).steps == 1


def test_lists() -> None:
    def milestones(value: Any, horizon: Horizon, **keys: Any) -> Any:
        return resolve({"name": "multi_step", "milestones": value, **keys}, horizon).params["milestones"]

    assert milestones(["50%", "75%"], Horizon(epochs=20), interval="epoch") == [10, 15]
    assert milestones([1, "2.5ep", "75%"], Horizon(epochs=4, steps_per_epoch=10)) == [10, 25, 30]
    with pytest.raises(SchedulerConfigError, match=r"milestones=\['50%', 1\].*here they are steps \[20, 1\]"):
        milestones(["50%", 1], Horizon(epochs=40, steps_per_epoch=1))
    with pytest.raises(SchedulerConfigError, match=r"here they are steps \[1, 1\]"):
        milestones(["2st", "3st"], Horizon(steps=40), frequency=2 + 1)


def test_milestones_may_coincide_in_a_short_run() -> None:
    plan = resolve({"name": "multi_step", "milestones": ["50%", "55%", "90%"]}, Horizon(steps=4))
    assert plan.params["milestones"] == [2, 2, 4]
    assert plan.notes == ("milestones: 50% and 55% are the same step 2 here",)


def test_epochs_of_unequal_length() -> None:
    horizon = Horizon(steps_per_epoch=[10, 2, 4])
    assert (horizon.total_steps, horizon.total_epochs) == (16, 3)
    node = {"name": "multi_step", "milestones": ["1ep", "1.5ep", "2ep"], "interval": "step"}
    assert resolve(node, horizon).params["milestones"] == [10, 11, 12]
    node = {
        "name": "sequential",
        "stages": [{"name": "none", "length": "1ep"}, {"name": "step", "step_size": "1ep"}],
        "interval": "step",
    }
    assert resolve(node, horizon).stages[1][1].params["step_size"] == 2
    node = {"name": "sequential", "stages": ["none", {"name": "none", "length": "2ep"}], "interval": "step"}
    assert [start for start, _ in resolve(node, horizon).stages] == [0, 10]


def test_without_a_horizon() -> None:
    assert T_max(30, None) == (30, "epoch")
    assert T_max("500st", None) == (500, "step")
    assert T_max("30ep", None) == (30, "epoch")
    with pytest.raises(SchedulerConfigError, match="the updates per epoch are not known here"):
        T_max("1.5ep", None)
    with pytest.raises(SchedulerConfigError, match="needs the run's length") as caught:
        T_max("10%", None)
    for way in ("lr_configs.LRSchedulerCallback", "lr_configs.lightning(", "horizon=Horizon("):
        assert way in caught.value.remedy


def test_frequency_makes_scheduler_steps_longer() -> None:
    assert T_max("100%", Horizon(epochs=10), frequency=2) == (5, "epoch")
    assert T_max("100%", Horizon(epochs=10, steps_per_epoch=7), frequency=3) == (24, "step")  # 70 / 3, the last shorter
    assert T_max("100%", Horizon(steps=3), frequency=3) == (1, "step")
    with pytest.raises(SchedulerConfigError, match="would not advance once: the run has 3 epochs"):
        T_max("100%", Horizon(epochs=3), frequency=5, interval="epoch")


# ---------------------------------------------------------------------------------------- the least there is


def test_a_share_is_at_least_one_step() -> None:
    plan = resolve({"name": "step", "step_size": "1%", "warmup": "1%"}, Horizon(steps=20))
    assert (plan.warmup, plan.params["step_size"]) == (1, 1)
    assert plan.notes == (
        "warmup=1% is 1 of 20 steps here, the least there is",
        "step_size=1% is 1 of 19 steps here, the least there is",
    )
    assert resolve({"name": "step", "step_size": "10%"}, Horizon(steps=20)).notes == ()
    by_epoch = resolve({"name": "step", "step_size": "10%", "interval": "epoch"}, Horizon(epochs=4))
    assert by_epoch.params["step_size"] == 1
    assert by_epoch.notes == ("step_size=10% is 1 of 4 steps here, the least there is",)


def test_a_warmup_may_take_the_whole_of_one_step() -> None:
    plan = resolve({"name": "cosine", "warmup": "5%"}, Horizon(steps=1))
    assert (plan.warmup, plan.steps, plan.params["T_max"]) == (1, 1, 1)
    plan = resolve({"name": "cosine", "warmup": "90%"}, Horizon(steps=4))
    assert (plan.warmup, plan.params["T_max"]) == (3, 1)
    assert plan.notes == ("warmup=90% is 3 of 4 steps here, one is left to the schedule",)


@pytest.mark.parametrize("steps", range(1, 30))
@pytest.mark.parametrize("name", ["cosine", "step", "multi_step", "cosine_warm_restarts", "one_cycle", "chained"])
def test_a_smoke_test_runs_with_the_same_yaml(name: str, steps: int) -> None:
    plan = resolve({"name": name, "warmup": "1%"}, Horizon(epochs=1, steps_per_epoch=steps))
    assert (plan.interval, plan.steps) == ("step", steps)


def staged(lengths: list[Any], horizon: Horizon, **keys: Any) -> Any:
    stages = [{"name": "none", **({} if one is None else {"length": one})} for one in lengths]
    return resolve({"name": "sequential", "stages": stages, **keys}, horizon)


def starts(lengths: list[Any], horizon: Horizon, **keys: Any) -> list[int]:
    return [start for start, _ in staged(lengths, horizon, **keys).stages]


@pytest.mark.parametrize(
    "lengths", [["1ep", "1ep", "1ep"], ["1ep", "1ep", None], ["1ep", None, "1ep"], [None, "1ep", "1ep"]]
)
def test_a_stage_of_an_epoch_is_as_long_as_that_epoch(lengths: list[Any]) -> None:
    assert starts(lengths, Horizon(epochs=3, steps_per_epoch=[2, 3, 4]), interval="step") == [0, 2, 5]


LEAST = "1% is 1 of 10 steps here, the least there is"
EACH = "of 10 steps here, as every stage has at least one"
SHARES: dict[str, tuple[list[Any], list[int], list[str]]] = {
    "they fit": (["50%", "30%", "20%"], [0, 5, 8], []),
    "rounded to nothing": (["5%", "5%", "5%", None], [0, 1, 2, 3], [f"stages.1.length=5% is 1 {EACH}", f"stages.2.length=5% is 1 {EACH}"]),
    "one is left to each behind it": (
        ["95%", "1%", "1%", None],
        [0, 7, 8, 9],
        [f"stages.0.length=95% is 7 {EACH}", f"stages.1.length={LEAST}", f"stages.2.length={LEAST}"],
    ),
    "from the back": ([None, "97%", "1%"], [0, 1, 9], [f"stages.2.length={LEAST}", f"stages.1.length=97% is 8 {EACH}"]),
    "beside what is no share": (["9st", "1%"], [0, 9], [f"stages.1.length={LEAST}"]),
}  # fmt: skip


@pytest.mark.parametrize("case", SHARES)
def test_every_stage_has_a_step_and_a_share_that_is_moved_by_it_is_named(case: str) -> None:
    lengths, wanted, notes = SHARES[case]
    plan = staged(lengths, Horizon(steps=10), interval="step")
    assert [start for start, _ in plan.stages] == wanted
    assert list(plan.notes) == notes


@pytest.mark.parametrize(
    ("lengths", "steps", "expected"),
    [
        (["10%", None], 100, [0, 10]),
        (["10%", None], 4, [0, 1]),
        (["10%", None], 2, [0, 1]),
        (["95%", None], 4, [0, 3]),
        ([None, "10%"], 100, [0, 90]),
        ([None, "10%"], 4, [0, 3]),
        (["10%", None, "20%"], 100, [0, 10, 80]),
        (["1%", None, "1%"], 3, [0, 1, 2]),
        (["1%", "1%", None, "1%", "1%"], 6, [0, 1, 2, 4, 5]),
        (["1%", "1%", "98%"], 10, [0, 1, 2]),
        (["98%", "1%", "1%"], 10, [0, 8, 9]),
        (["98%", "1%", "1%"], 3, [0, 1, 2]),
        (["1%", "5st", None], 10, [0, 1, 6]),  # what is absolute stays what it is
        ([None, "5st", "1%"], 10, [0, 4, 9]),
        (["5st", None, "2st"], 10, [0, 5, 8]),
        (["50%", "50%"], 5, [0, 3]),
        (["5st"], 10, [0]),
    ],
)
def test_stages_in_their_places(lengths: list[Any], steps: int, expected: list[int]) -> None:
    assert starts(lengths, Horizon(steps=steps)) == expected


def test_stages_in_epochs() -> None:
    assert starts(["10%", None], Horizon(epochs=4), interval="epoch") == [0, 1]
    assert starts([2, None, 3], Horizon(epochs=10)) == [0, 2, 7]
    with pytest.raises(SchedulerConfigError, match=r"this is 2\.5 epochs"):
        starts(["25%", None], Horizon(epochs=10), interval="epoch")


def test_a_last_stage_with_a_length_holds_what_it_ends_with() -> None:
    node = {"name": "sequential", "stages": [{"name": "cosine", "length": 10, "warmup": 2}]}
    for horizon in (None, Horizon(epochs=10), Horizon(epochs=40)):
        (_, stage), *_ = resolve({**node, "interval": "epoch"}, horizon).stages
        assert (stage.warmup, stage.params["T_max"], stage.hold, stage.steps) == (2, 8, 8, 10)
    open_ended = {"name": "sequential", "stages": [{"name": "none", "length": 4}, "none"]}
    assert [stage.hold for _, stage in resolve(open_ended, Horizon(epochs=10)).stages] == [None, None]


@settings(deadline=None, max_examples=300)
@given(
    st.integers(1, 5000),
    st.lists(st.integers(1, 40), min_size=1, max_size=6),
    st.sampled_from([0, "1%", "7%", "12.5%"]),
    st.integers(0, 5),
    st.integers(1, 3),
)
def test_parts_add_up_to_the_whole(steps: int, shares: list[int], warm: Any, free: int, frequency: int) -> None:
    total, free = sum(shares), free % len(shares)
    stages: list[dict[str, Any]] = [{"name": "none", "length": f"{100 * s / total:.9f}%"} for s in shares]
    del stages[free]["length"]
    node = {"name": "sequential", "warmup": warm, "stages": stages, "frequency": frequency, "interval": "step"}
    whole = -(-steps // frequency)
    rest = max(whole - resolve({"name": "none", "warmup": warm, "interval": "step"}, Horizon(steps=whole)).warmup, 1)
    if rest < len(shares) or steps < frequency:
        with pytest.raises(SchedulerConfigError):
            resolve(node, Horizon(steps=steps))
        return
    plan = resolve(node, Horizon(steps=steps))
    assert sum(stage.steps or 0 for _, stage in plan.stages) == rest
    assert plan.stages[0][0] == 0
    assert all((stage.steps or 0) >= 1 for _, stage in plan.stages)
    for (start, stage), (following, _) in itertools.pairwise(plan.stages):
        assert start + (stage.steps or 0) == following
    if rest >= 100 * len(shares):
        for i, (start, _) in enumerate(plan.stages):
            assert abs(start - rest * sum(shares[:i]) / total) <= 1


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 10**6), st.integers(1, 9), st.lists(st.integers(1, 10_000), min_size=2, max_size=5))
def test_resolving_is_monotone(steps: int, frequency: int, amounts: list[int]) -> None:
    clock = Clock("step", frequency, Horizon(steps=steps, steps_per_epoch=7))
    for unit in ("%", "ep", "st"):
        divisor = 100 if unit == "%" else 1
        lengths = [Length(Fraction(a * frequency, divisor), unit) for a in sorted(amounts)]
        exact = [clock.exact(length, "k", "", 0, clock.total) for length in lengths]
        rounded = [clock.round(one, e, "k", "") for one, e in zip(lengths, exact, strict=True)]
        assert rounded == sorted(rounded)
        assert all(r >= 1 and (abs(r - e) <= Fraction(1, 2) or r == 1) for r, e in zip(rounded, exact, strict=True))


# ---------------------------------------------------------------------------------------- what is refused

REFUSED: dict[str, tuple[dict[str, Any], Any, str]] = {
    "unknown unit": ({"T_max": "10min"}, RUN, r"T_max='10min': 'min' is not a unit of length"),
    "unit hint": ({"T_max": "10epochs"}, RUN, r"did you mean 'ep'"),
    "text": ({"T_max": "soon"}, RUN, r"T_max='soon': this is not a length"),
    "bool": ({"T_max": True}, RUN, r"T_max=True"),
    "numpy bool": ({"T_max": np.bool_(True)}, RUN, r"a length is a number or text with a unit"),
    "array": ({"T_max": np.arange(3)}, RUN, r"a length is a number or text with a unit"),
    "zero": ({"T_max": 0}, RUN, r"T_max=0: a length is positive"),
    "negative": ({"T_max": -3}, RUN, r"T_max=-3: a length is positive"),
    "zero percent": ({"T_max": "0%"}, RUN, r"T_max='0%': a length is positive"),
    "negative text": ({"T_max": "-5%"}, RUN, r"T_max='-5%'"),
    "more than all": ({"T_max": "150%"}, RUN, r"T_max='150%': a share of the run is at most 100%"),
    "half a step": ({"T_max": "1.5st"}, RUN, r"T_max='1.5st': a number of steps is an integer"),
    "fraction": ({"T_max": 2.5}, RUN, r"T_max=2.5: a number of steps is an integer"),
    "share without its sign": (
        {"warmup": 0.05},
        RUN,
        r"warmup=0.05: a number of steps is an integer. did you mean '5%'\?",
    ),
    "infinite": ({"T_max": float("inf")}, RUN, r"T_max=inf"),
    "not a number": ({"T_max": float("nan")}, RUN, r"T_max=nan"),
    "huge": ({"T_max": "1e400"}, RUN, r"T_max='1e400': this number is out of the range"),
    "huge share": ({"T_max": "1e99999999%"}, RUN, r"this number is out of the range"),
    "tiny": ({"T_max": "1e-99999999ep"}, RUN, r"this number is out of the range"),
    "many digits": ({"T_max": "9" * 5000}, RUN, r"this is not a length"),
    "huge integer": ({"T_max": 10**400}, RUN, r"an integer of about 401 digits"),
    "an even number of digits": ({"T_max": 10**399}, RUN, r"an integer of about 400 digits"),
    "huger integer": ({"T_max": 10**5000}, RUN, r"an integer of about 5001 digits"),
    "more than a float counts": ({"T_max": "1e16st"}, RUN, r"a length is at most 1e15"),
    "foreign digits": ({"T_max": "٣"}, RUN, r"this is not a length"),
    "fraction of an epoch": ({"T_max": "1.5ep", "interval": "epoch"}, RUN, r"this is 1.5 epochs.*Write interval=step"),
    "steps within an epoch": ({"T_max": "500st", "interval": "epoch"}, RUN, r"this is 1.27877 epochs"),
    "share within an epoch": ({"T_max": "1.5%", "interval": "epoch"}, RUN, r"this is 1.35 epochs"),
    "no horizon": ({"T_max": "10%"}, None, r"T_max='10%': a share of the run needs the run's length"),
    "epochs with only steps": (
        {"T_max": "3ep", "interval": "step"},
        Horizon(steps=100),
        r"T_max='3ep': epochs cannot be counted in updates",
    ),
    "rounds to nothing": ({"T_max": "0.001ep"}, RUN, r"T_max='0.001ep': this is 0.391 of a scheduler step"),
    "less than the frequency": (
        {"T_max": "1st", "frequency": 3},
        RUN,
        r"T_max='1st': this is 0.333 of a scheduler step",
    ),
    "warmup as long as the run": (
        {"warmup": "100%"},
        Horizon(steps=10),
        r"the warmup takes 100%, and the run has 100%",
    ),
    "warmup of all in one step": ({"warmup": "100%"}, Horizon(steps=1), r"the warmup takes 100%, and the run has 100%"),
    "warmup in updates": (
        {"warmup": "500st", "frequency": 20},
        Horizon(steps=190),
        r"warmup='500st': the warmup takes 500 updates, and the run has 190 updates: nothing is left",
    ),
    "warmup in epochs": (
        {"warmup": "2ep"},
        Horizon(steps=15, steps_per_epoch=10),
        r"the warmup takes 2 epochs, and the run has 1.5 epochs",
    ),
    "warmup plain": (
        {"T_max": 3, "warmup": 20},
        Horizon(epochs=10),
        r"warmup=20: the warmup takes 20 epochs, and the run has 10 epochs",
    ),
    "no run": ({}, 100, r"horizon=100: this is not a Horizon"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    keys, horizon, match = REFUSED[case]
    begin = time.perf_counter()
    with pytest.raises(SchedulerConfigError, match=match) as caught:
        resolve({"name": "cosine", **keys}, horizon)
    assert time.perf_counter() - begin < 1
    assert caught.value.remedy
    assert " . " not in str(caught.value)
    assert str(caught.value).count("\n") < 3


#: behind what the error says itself: what there is, and what helps
ROOM: dict[str, tuple[list[Any], Any, dict[str, Any], str]] = {
    "updates": (["6st", "5st"], Horizon(steps=10), {}, "stages.1.length='5st': the stages up to here take 11 updates, and the run has 10 updates"),
    "shares": (["50%", "30%", "21%"], Horizon(steps=10), {}, "stages.2.length='21%': the stages up to here take 101%, and the run has 100%"),
    "mixed, by epoch": (
        ["3ep", "40st"],
        Horizon(epochs=10, steps_per_epoch=5),
        {"interval": "epoch"},
        "stages.1.length='40st': the stages up to here take 11 epochs, and the run has 10 epochs",
    ),
    "mixed, every other epoch": (
        ["4ep", "80%"],
        Horizon(epochs=10, steps_per_epoch=5),
        {"interval": "epoch", "frequency": 2},
        "stages.1.length='80%': the stages up to here take 12 epochs, and the run has 10 epochs",
    ),
    "behind the free one": (
        [None, "3ep", "1st"],
        Horizon(epochs=3, steps_per_epoch=[2, 3, 4]),
        {"interval": "step"},
        "stages.1.length='3ep': the stages up to here take 9.5 updates, and the run has 9 updates",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ROOM)
def test_stages_that_are_too_long_say_by_how_much(case: str) -> None:
    lengths, horizon, keys, words = ROOM[case]
    with pytest.raises(SchedulerConfigError) as refused:
        starts(lengths, horizon, **keys)
    assert str(refused.value) == f"{words}. Shorten the stages, or leave out the length of one of them."


STAGES: dict[str, tuple[Any, str]] = {
    "exceed": (
        [{"name": "none", "length": 8}, {"name": "none", "length": 8}],
        r"stages\.1\.length=8: the stages up to here take 16 updates, and the run has 10 updates",
    ),
    "mixed": (
        [{"name": "none", "length": "8st"}, {"name": "none", "length": "50%"}],
        r"stages\.1\.length='50%': the stages up to here take 13 updates, and the run has 10 updates",
    ),
    "one": ([{"name": "none", "length": "500st"}], r"this stage takes 500 updates, and the run has 10 updates"),
    "behind the free one": (
        ["none", {"name": "none", "length": "8st"}, {"name": "none", "length": "3st"}],
        r"stages\.1\.length='8st': .* take 11 updates, and the run has 10",
    ),
    "behind the free one, mixed": (
        ["none", {"name": "none", "length": "8st"}, {"name": "none", "length": "30%"}],
        r"stages\.1\.length='8st': the stages up to here take 11 updates, and the run has 10 updates",
    ),
    "shares exceed": (
        [{"name": "none", "length": "60%"}, {"name": "none", "length": "60%"}],
        r"stages\.1\.length='60%': the stages up to here take 120%, and the run has 100%",
    ),
    "nothing left": (
        [{"name": "none", "length": "100%"}, {"name": "none"}],
        r"stages\.1\.length=None: no step is left",
    ),
    "nothing left in the middle": (
        [{"name": "none", "length": "60%"}, "none", {"name": "none", "length": "4st"}],
        r"stages\.1\.length=None: no step is left",
    ),
    "no step for the last": (
        [{"name": "none", "length": "9st"}, {"name": "none", "length": "5%"}, "none"],
        r"stages\.0\.length='9st': this is 9 updates, and no scheduler step would be left",
    ),
    "half a step, rounded away": (
        [{"name": "none", "length": "0.05ep"}, {"name": "none", "length": "0.05ep"}, "none"],
        r"stages\.1\.length='0\.05ep': no scheduler step is left for this stage",
    ),
    "more than steps": ([{"name": "none", "length": "5%"}] * 10 + ["none"], r"11 stages need .* the run has 10"),
    "two without length": (
        [{"name": "none"}, {"name": "none"}],
        r"stages\.0\.length=None: only one stage may leave its length out, and 0, 1 do",
    ),
    "bad unit": ({"a": {"name": "none", "length": "3min"}, "b": "none"}, r"stages\.a\.length='3min'"),
    "inner": ({"a": {"name": "cosine", "T_max": "150%"}}, r"stages\.a\.T_max='150%'"),
    "inner warmup": (
        {"a": {"name": "none", "length": 5, "warmup": 5}, "b": "none"},
        r"stages\.a\.warmup=5: the warmup takes 5 updates, and the stage has 5 updates",
    ),
    "deep": (
        {"a": {"name": "sequential", "stages": {"b": {"name": "cosine", "T_max": "2min"}}}},
        r"stages\.a\.stages\.b\.T_max='2min'",
    ),
    "own interval": (
        {"a": {"name": "none", "interval": "epoch"}},
        r"stages\.a\.interval='epoch': the stages of one schedule share",
    ),
    "plateau first": (
        [{"name": "reduce_on_plateau", "length": 3}, "none"],
        r"stages\.0\.name='reduce_on_plateau'.*only be the last",
    ),
    "empty": ({}, r"at least one stage"),
    "no mapping": ("cosine", r"stages='cosine': stages are a mapping"),
}


@pytest.mark.parametrize("case", STAGES)
def test_stages_refused(case: str) -> None:
    stages, match = STAGES[case]
    with pytest.raises(SchedulerConfigError, match=match):
        resolve(
            {"name": "sequential", "interval": "step", "monitor": "x", "stages": stages},
            Horizon(epochs=1, steps_per_epoch=10),
        )


def test_a_free_stage_in_front_needs_the_run() -> None:
    with pytest.raises(SchedulerConfigError, match=r"stages\.0\.length=None: a stage that takes what the others leave"):
        resolve({"name": "sequential", "stages": ["none", {"name": "none", "length": 5}]})
    plan = resolve({"name": "sequential", "stages": [{"name": "none", "length": 5}, "none"]})
    assert [start for start, _ in plan.stages] == [0, 5]


def test_a_product_has_no_lengths() -> None:
    with pytest.raises(SchedulerConfigError, match=r"stages\.a\.length=5.*all last for the whole run"):
        resolve({"name": "chained", "stages": {"a": {"name": "none", "length": 5}}}, Horizon(steps=10))


# ---------------------------------------------------------------------------------------- horizons


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({}, "the size of a run is its epochs or its steps"),
        ({"steps_per_epoch": 3}, "the size of a run is its epochs or its steps"),
        ({"epochs": 0}, "epochs=0"),
        ({"steps": -1}, "steps=-1"),
        ({"steps": 2.5}, "steps=2.5"),
        ({"steps": float("inf")}, "steps=inf"),
        ({"steps": True}, "steps=True"),
        ({"steps": np.bool_(True)}, "steps=np.True_|steps=True"),
        ({"steps": "10"}, "steps='10'"),
        ({"steps": 10**400}, "steps='an integer of about 401 digits'"),
        ({"steps": 10**5000}, "steps='an integer of about 5001 digits'"),
        ({"epochs": 3, "steps_per_epoch": 0}, "steps_per_epoch=0"),
        ({"epochs": 3, "steps_per_epoch": -1}, "steps_per_epoch=-1"),
        ({"epochs": 3, "steps_per_epoch": "391"}, "steps_per_epoch='391'"),
        ({"steps_per_epoch": []}, "steps_per_epoch"),
        ({"steps_per_epoch": [3, 0]}, "steps_per_epoch=0"),
        ({"epochs": 10**12, "steps_per_epoch": 10**6}, "a run has at most 1e15 updates"),
        ({"epochs": 3, "steps_per_epoch": [1, 2]}, "one number for each of the 3 epochs"),
        ({"epochs": 3, "steps": 10}, "do not divide"),
        ({"epochs": 3, "steps_per_epoch": 2, "steps": 10}, "have only 6 steps"),
    ],
)
def test_horizons_refused(kwargs: dict[str, Any], match: str) -> None:
    with pytest.raises(SchedulerConfigError, match=match):
        Horizon(**kwargs)


def test_horizons_take_any_integer() -> None:
    horizon = Horizon(epochs=np.int64(3), steps_per_epoch=np.int32(5), steps=14.0)  # type: ignore[arg-type]
    assert horizon == Horizon(epochs=3, steps_per_epoch=5, steps=14)
    assert {type(one) for one in (horizon.epochs, horizon.steps_per_epoch, horizon.steps)} == {int}
    assert Horizon(steps_per_epoch=np.array([4, 5])) == Horizon(steps_per_epoch=[4, 5])
    assert Horizon(epochs=2, steps_per_epoch=np.array(4)) == Horizon(epochs=2, steps_per_epoch=4)
    assert pickle.loads(pickle.dumps(horizon)) == horizon == copy.deepcopy(horizon)
    assert hash(Horizon(steps_per_epoch=[4, 5])) == hash(Horizon(steps_per_epoch=(4, 5)))


def test_epochs_before_the_run_are_as_long_as_its_first_and_those_after_it_as_its_last() -> None:
    horizon = Horizon(steps_per_epoch=[5, 7, 9])
    assert horizon.to_steps(Fraction(-3), Fraction(5)) == -15
    assert horizon.to_steps(Fraction(2), Fraction(12)) == 18
    assert horizon.to_steps(Fraction(3, 2), Fraction(12)) == Fraction(27, 2)
    assert horizon.to_epochs(Fraction(-15), Fraction(1)) == -3
    assert horizon.to_epochs(Fraction(18), Fraction(2)) == 2
    assert [horizon.to_epochs(Fraction(n), Fraction(0)) for n in (0, 5, 12, 21)] == [0, 1, 2, 3]
    assert horizon.epochs_between(Fraction(5), Fraction(21)) == 2
    assert horizon.steps_between(Fraction(1), Fraction(5, 2)) == 7 + Fraction(9, 2)


def test_a_remedy_is_in_the_unit_that_the_interval_counts() -> None:
    with pytest.raises(SchedulerConfigError, match=r"or this length in epochs \('30ep'\)"):
        resolve({"name": "step", "step_size": "5st", "interval": "epoch"})
    with pytest.raises(SchedulerConfigError, match=r"or this length in updates \('500st'\)"):
        resolve({"name": "step", "step_size": "5ep", "interval": "step"})
    with pytest.raises(SchedulerConfigError, match="Give the horizon its epochs"):
        resolve({"name": "step", "step_size": "5%", "interval": "epoch"}, Horizon(steps=5))
    with pytest.raises(SchedulerConfigError, match="Give the horizon its steps_per_epoch"):
        resolve({"name": "step", "step_size": "5%", "interval": "step"}, Horizon(epochs=5))


def test_whole_epochs_and_their_multiples() -> None:
    node = {"name": "step", "step_size": "3ep", "interval": "epoch"}
    with pytest.raises(
        SchedulerConfigError, match=r"this is 3 epochs, no multiple of frequency=2, and the rate moves at"
    ):
        resolve({**node, "frequency": 2}, RUN)
    with pytest.raises(SchedulerConfigError, match=r"this is 2\.5 epochs, and the rate moves at whole epochs only"):
        resolve({**node, "step_size": "2.5ep"}, RUN)
    assert resolve({**node, "step_size": "4ep", "frequency": 2}, RUN).params["step_size"] == 2
