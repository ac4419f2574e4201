"""Lengths: every unit at every interval, the rounding rule, and what is refused."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lr_configs import Horizon, SchedulerConfigError
from lr_configs.plan import resolve

RUN = Horizon(epochs=90, steps_per_epoch=391)


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
        ("30ep", "auto", (30, "epoch")),
        ("30 ep", "step", (11_730, "step")),
        ("1.5ep", "auto", (587, "step")),  # 586.5, halves upwards
        ("500st", "auto", (500, "step")),
        ("782st", "epoch", (2, "epoch")),
        ("782st", "auto", (2, "epoch")),
        ("10%", "auto", (9, "epoch")),
        ("2.5%", "auto", (880, "step")),  # 2.25 epochs, 879.75 steps
        ("100%", "epoch", (90, "epoch")),
        ("100%", "step", (35_190, "step")),
    ],
)
def test_units(value: Any, interval: str, expected: tuple[int, str]) -> None:
    assert T_max(value, interval=interval) == expected


def test_a_plain_number_keeps_its_meaning_when_the_interval_becomes_step() -> None:
    plan = resolve({"name": "step", "step_size": 30, "warmup": "500st"}, RUN)
    assert (plan.interval, plan.params["step_size"], plan.envelope.warmup) == ("step", 30 * 391, 500)


def test_a_run_that_knows_no_epochs_counts_steps() -> None:
    assert T_max(30, Horizon(steps=1000)) == (30, "step")
    assert T_max("100%", Horizon(steps=1000)) == (1000, "step")
    assert T_max("100%", Horizon(epochs=7)) == (7, "epoch")


def test_a_run_that_ends_within_an_epoch() -> None:
    horizon = Horizon(steps=1000, steps_per_epoch=400)
    assert T_max("100%", horizon) == (1000, "step")
    assert T_max(2, horizon, interval="epoch") == (2, "epoch")
    with pytest.raises(SchedulerConfigError, match=r"T_max='100%': the run ends after 2.5 epochs"):
        T_max("100%", horizon, interval="epoch")


def test_lists() -> None:
    assert resolve({"name": "multi_step", "milestones": ["50%", "75%"]}, Horizon(epochs=20)).params["milestones"] == [
        10,
        15,
    ]
    plan = resolve({"name": "multi_step", "milestones": [1, "2.5ep", "75%"]}, Horizon(epochs=4, steps_per_epoch=10))
    assert plan.params["milestones"] == [10, 25, 30]
    with pytest.raises(SchedulerConfigError, match=r"milestones=\['50%', 1\].*here they are steps \[20, 1\]"):
        resolve({"name": "multi_step", "milestones": ["50%", 1]}, Horizon(epochs=40, steps_per_epoch=1))


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


def test_without_a_horizon() -> None:
    assert T_max(30, None) == (30, "epoch")
    assert T_max("500st", None) == (500, "step")
    assert T_max("30ep", None) == (30, "epoch")
    for value, hint in (("10%", "Give horizon=Horizon"), ("1.5ep", "steps per epoch are not known")):
        with pytest.raises(SchedulerConfigError, match=hint):
            T_max(value, None)


def test_frequency_makes_scheduler_steps_longer() -> None:
    assert T_max("100%", Horizon(epochs=10), frequency=2) == (5, "epoch")
    assert T_max("100%", Horizon(epochs=10, steps_per_epoch=7), frequency=3, interval="step") == (23, "step")
    with pytest.raises(SchedulerConfigError, match="would not advance once"):
        T_max("100%", Horizon(epochs=3), frequency=5, interval="epoch")


@settings(deadline=None, max_examples=300)
@given(
    st.integers(10, 5000),
    st.lists(st.integers(1, 40), min_size=1, max_size=6),
    st.sampled_from([0, "1%", "7%", "12.5%"]),
)
def test_parts_add_up_to_the_whole(steps: int, shares: list[int], warm: Any) -> None:
    total = sum(shares)
    stages = [
        {"name": "none", "length": f"{Fraction(100 * s, total).limit_denominator(10**9).__float__():.9f}%"}
        for s in shares[:-1]
    ]
    node = {"name": "sequential", "interval": "step", "warmup": warm, "stages": [*stages, {"name": "none"}]}
    try:
        plan = resolve(node, Horizon(steps=steps))
    except SchedulerConfigError as error:
        assert "half a step" in error.rule or "no step is left" in error.rule  # noqa: PT017
        return
    rest = steps - plan.envelope.warmup
    assert sum(stage.steps or 0 for _, stage in plan.stages) == rest
    assert plan.stages[0][0] == 0
    for (start, stage), (following, _) in zip(plan.stages, plan.stages[1:], strict=False):
        assert start + (stage.steps or 0) == following
    # a half and a half of an odd number
    halves = resolve(
        {
            "name": "sequential",
            "interval": "step",
            "stages": [{"name": "none", "length": "50%"}, {"name": "none", "length": "50%"}],
        },
        Horizon(steps=steps),
    )
    assert [stage.steps for _, stage in halves.stages] == [(steps + 1) // 2, steps - (steps + 1) // 2]


REFUSED: dict[str, tuple[dict[str, Any], Horizon | None, str]] = {
    "unknown unit": ({"T_max": "10min"}, RUN, r"T_max='10min': 'min' is not a unit of length"),
    "unit hint": ({"T_max": "10epochs"}, RUN, r"did you mean 'ep'"),
    "text": ({"T_max": "soon"}, RUN, r"T_max='soon': this is not a length"),
    "bool": ({"T_max": True}, RUN, r"T_max=True"),
    "zero": ({"T_max": 0}, RUN, r"T_max=0: a length is positive"),
    "negative": ({"T_max": -3}, RUN, r"T_max=-3: a length is positive"),
    "zero percent": ({"T_max": "0%"}, RUN, r"T_max='0%': a length is positive"),
    "negative text": ({"T_max": "-5%"}, RUN, r"T_max='-5%'"),
    "more than all": ({"T_max": "150%"}, RUN, r"T_max='150%': a share of the run is at most 100%"),
    "half a step": ({"T_max": "1.5st"}, RUN, r"T_max='1.5st': a number of steps is an integer"),
    "fraction": ({"T_max": 2.5}, RUN, r"T_max=2.5: a number of steps is an integer"),
    "infinite": ({"T_max": float("inf")}, RUN, r"T_max=inf"),
    "fraction of an epoch": ({"T_max": "1.5ep", "interval": "epoch"}, RUN, r"this is 1.5 epochs.*Write interval=step"),
    "steps within an epoch": ({"T_max": "500st", "interval": "epoch"}, RUN, r"this is 1.27877 epochs"),
    "no horizon": ({"T_max": "10%"}, None, r"T_max='10%': a share of the run needs the run's length"),
    "epochs with only steps": ({"T_max": "3ep"}, Horizon(steps=100), r"T_max='3ep': epochs cannot be counted in steps"),
    "rounds to nothing": ({"T_max": "1%"}, Horizon(steps=10), r"T_max='1%': this is 0.1 of a scheduler step"),
    "warmup as long as the run": ({"warmup": "100%"}, Horizon(steps=10), r"warmup='100%': the warmup takes 10 of 10"),
    "warmup longer": ({"warmup": 20}, Horizon(steps=10), r"warmup=20: the warmup takes 20 of 10"),
    "warmup of nothing": ({"warmup": "1%"}, Horizon(steps=10), r"warmup='1%'"),
    "no run": ({}, 100, r"horizon=100: this is not a Horizon"),  # type: ignore[dict-item]
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    keys, horizon, match = REFUSED[case]
    with pytest.raises(SchedulerConfigError, match=match) as caught:
        resolve({"name": "cosine", **keys}, horizon)
    assert caught.value.remedy


STAGES: dict[str, tuple[Any, str]] = {
    "exceed": (
        [{"name": "none", "length": 8}, {"name": "none", "length": 8}],
        r"stages\.1\.length=8: the stages up to here take 16.*there are 10",
    ),
    "shares exceed": (
        [{"name": "none", "length": "60%"}, {"name": "none", "length": "60%"}],
        r"stages\.1\.length='60%'",
    ),
    "nothing left": (
        [{"name": "none", "length": "100%"}, {"name": "none"}],
        r"stages\.1\.length=None: no step is left",
    ),
    "no length": (
        [{"name": "none"}, {"name": "none"}],
        r"stages\.0\.length=None: every stage but the last needs a length",
    ),
    "bad unit": ({"a": {"name": "none", "length": "3min"}, "b": "none"}, r"stages\.a\.length='3min'"),
    "inner": ({"a": {"name": "cosine", "T_max": "150%"}}, r"stages\.a\.T_max='150%'"),
    "inner warmup": (
        {"a": {"name": "none", "length": 5, "warmup": 5}, "b": "none"},
        r"stages\.a\.warmup=5: the warmup takes 5 of 5",
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
        resolve({"name": "sequential", "interval": "step", "monitor": "x", "stages": stages}, Horizon(steps=10))


def test_a_product_has_no_lengths() -> None:
    with pytest.raises(SchedulerConfigError, match=r"stages\.a\.length=5.*all last for the whole run"):
        resolve({"name": "chained", "stages": {"a": {"name": "none", "length": 5}}}, Horizon(steps=10))


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({}, "the size of a run is its epochs or its steps"),
        ({"epochs": 0}, "epochs=0"),
        ({"steps": -1}, "steps=-1"),
        ({"steps": 2.5}, "steps=2.5"),
        ({"epochs": 3, "steps_per_epoch": [1, 2]}, "one number for each of the 3 epochs"),
        ({"epochs": 3, "steps": 10}, "do not divide"),
        ({"epochs": 3, "steps_per_epoch": 2, "steps": 10}, "have only 6 steps"),
    ],
)
def test_horizons_refused(kwargs: dict[str, Any], match: str) -> None:
    with pytest.raises(SchedulerConfigError, match=match):
        Horizon(**kwargs)
