"""Where the parts of a schedule lie in the whole."""

from __future__ import annotations

from typing import Any

import pytest

from lr_configs import Horizon, SchedulerConfigError, curve
from lr_configs.kinds import LengthKind
from lr_configs.landmarks import cooldowns, parts, sequences, stage_name, warmups
from lr_configs.plan import resolve

RUN = Horizon(steps=40)


def stages(*lengths: Any, **more: Any) -> dict[str, Any]:
    named = {f"s{i}": {"name": "cosine", **({} if one is None else {"length": one})} for i, one in enumerate(lengths)}
    return {"name": "sequential", "stages": named, **more}


def sequential(node: dict[str, Any]) -> Any:
    return resolve({"interval": "step", **node}, RUN)


#: begin, own step 0, where another takes over, from where on it stays
PLACES: dict[str, tuple[dict[str, Any], list[tuple[int, int, int | None, int | None]]]] = {
    "one": ({"name": "cosine"}, [(0, 0, None, None)]),
    "behind a warmup": ({"name": "cosine", "warmup": 4}, [(0, 4, None, None)]),
    "with the clock running": ({"name": "cosine", "warmup": 4, "warmup_overlap": True}, [(0, 0, None, None)]),
    "the last one open": (stages(10, None), [(0, 0, 10, None), (10, 10, None, None)]),
    "the last one held": (stages(10, 20), [(0, 0, 10, None), (10, 10, None, 30)]),
    "all behind a warmup": (stages(10, 20, warmup=5), [(5, 5, 15, None), (15, 15, None, 35)]),
    "one in the other": (
        {"name": "sequential", "stages": {"a": {**stages(4, None), "length": 12}, "b": {**stages(6, 8)}}},
        [(0, 0, 4, None), (4, 4, 12, None), (12, 12, 18, None), (18, 18, None, 26)],
    ),
    "one in the other, held": (
        {"name": "sequential", "stages": {"a": {"name": "none", "length": 5}, "b": {**stages(6, None), "length": 20}}},
        [(0, 0, 5, None), (5, 5, 11, None), (11, 11, None, 25)],
    ),
    "a product": (
        {"name": "chained", "stages": {"a": "cosine", "b": stages(7, None)}},
        [(0, 0, None, None), (0, 0, 7, None), (7, 7, None, None)],
    ),
}


@pytest.mark.parametrize("case", PLACES)
def test_parts_in_their_places(case: str) -> None:
    node, expected = PLACES[case]
    found = list(parts(sequential(node)))
    assert [(part.begin, part.start, part.stop, part.hold) for part in found] == expected
    assert [part.bounded for part in found] == [stop is not None or hold is not None for *_, stop, hold in expected]


def test_how_far_a_part_reaches() -> None:
    first, last = parts(sequential(stages(10, 20)))
    assert (first.until(39), first.reach(39), first.steps(39)) == (9, 9, 10)
    assert (first.until(5), first.reach(5), first.steps(5)) == (5, 5, 6)
    assert (last.until(39), last.reach(39), last.steps(39)) == (39, 30, 20)
    assert (last.until(20), last.reach(20), last.steps(20)) == (20, 20, 11)
    (open_end,) = parts(sequential({"name": "cosine", "warmup": 4}))
    assert (open_end.until(39), open_end.reach(39), open_end.steps(39)) == (39, 39, 36)


def test_warmups_tails_and_sequences() -> None:
    inner = {**stages(6, None, warmup=3), "length": 20}
    node = {
        "name": "sequential",
        "warmup": 5,
        "stages": {"a": {"name": "cosine", "length": 10, "cooldown": 2}, "b": inner},
    }
    plan = sequential({**node, "stages": {**node["stages"], "c": "none"}, "cooldown": 4})
    assert [(begin, one.warmup) for begin, one in warmups(plan)] == [(0, 5), (15, 3)]
    within = {"name": "sequential", "stages": [{"name": "none", "length": 3}, {**stages(6, None, warmup=1)}]}
    deep = sequential({**node, "stages": {"a": {"name": "none", "length": 10}, "b": {**within, "warmup": 3}}})
    assert [(begin, one.warmup) for begin, one in warmups(deep)] == [(0, 5), (15, 3), (21, 1)]
    assert list(cooldowns(plan)) == [36, 13]
    assert [(start, one.key) for start, one in sequences(plan)] == [(5, ""), (18, "stages.b")]
    assert [stage_name(stage) for _, stage in plan.stages] == ["a", "b", "c"]
    listed = sequential({"name": "chained", "stages": ["cosine", "step"]})
    assert [stage_name(stage) for _, stage in listed.stages] == ["cosine", "step"]


def test_a_length_says_whether_it_may_be_0() -> None:
    for zero in (False, True):
        kind = LengthKind(zero=zero)
        assert (", or 0" in kind.words) is zero
        if zero:
            assert kind(0, "k") == kind(None, "k") == 0
            continue
        with pytest.raises(SchedulerConfigError, match="a length is positive"):
            kind(0, "k")


ONE_END: dict[str, dict[str, Any]] = {
    **{name: {"total_iters": 20} for name in ("constant", "linear", "polynomial")},
    **{
        name: {"total_steps": 20}
        for name in (
            "one_cycle", "warmup_stable_decay", "rex", "slanted_triangular", "tanh", "hyperbolic", "exp_hyperbolic",
            "range_test",
        )
    },
    "piecewise": {"points": [[0, 1.0], [9, 0.2], [20, 0.5]]},
    "cosine": {"T_max": 20},
}  # fmt: skip


@pytest.mark.parametrize("name", ONE_END)
def test_what_is_flat_behind_its_end_stays(name: str) -> None:
    (part,) = parts(sequential({"name": name, **ONE_END[name]}))
    marks, rate = part.landmarks, curve({"name": name, "interval": "step", **ONE_END[name]}, 0.1, RUN)
    assert list(marks.ends) == [20]
    assert (name == "cosine") == (not marks.flat)
    assert (rate[20] == rate[21] == rate[33] == rate[39]) == marks.flat
    assert rate[19] != rate[20] or name == "one_cycle"  # its last step is the one before


@pytest.mark.parametrize("eta_min", [0.0, 0.01])
@pytest.mark.parametrize(
    "name", ["polynomial", "rex", "slanted_triangular", "tanh", "warmup_stable_decay", "hyperbolic"]
)
def test_the_word_for_the_lowest_rate(name: str, eta_min: float) -> None:
    node = {"name": name, "eta_min": eta_min, "interval": "step", **ONE_END[name]}
    (part,) = parts(sequential(node))
    rate = curve(node, 0.1, RUN)
    word, (at,) = part.landmarks.events[-1]
    if word != "flat from":
        assert word in ("0 from", "lowest from")
        assert rate[at] == min(rate)
        assert (word == "0 from") <= (rate[at] == 0)
    if name == "polynomial":
        assert word == ("lowest from" if eta_min else "0 from")
