"""Plans: plain data and back, what is compared, the differences in words; auto never depends on the run's size."""

from __future__ import annotations

import copy
import dataclasses
import functools
import json
import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from lr_configs import plan_data
from lr_configs.errors import SchedulerConfigError
from lr_configs.formula import Formula
from lr_configs.horizon import Horizon
from lr_configs.plan import Plan, differences, resolve
from lr_configs.registry import available, entry, parse, plain

RUN = Horizon(epochs=20, steps_per_epoch=50)


def halved(epoch: float) -> float:
    return 0.5**epoch


def doubled(epoch: float) -> float:
    return 2.0


# ---------------------------------------------------------------------------------------- any schedule

LENGTHS = st.one_of(
    st.integers(1, 20),
    st.integers(1, 20).map(lambda n: f"{n}ep"),
    st.sampled_from(["1.5ep", "0.5ep", "30st", "111st"]),
    st.integers(1, 100).map(lambda n: f"{n}%"),
    st.sampled_from(["2.5%", "0.3%"]),
)
FORMULAS = st.sampled_from(
    ["0.95 ** epoch", "1 - t / T / 2", "0.9", halved, ["0.5", "0.9 ** t"], [halved, "1 / (1 + t)"]]
)
PER_GROUP = st.sampled_from([None, 0.0, 0.001, [0.001, 0.002], {"0": 0.001}, "1%"])
NUMBERS = st.sampled_from([None, 0, 1, 2, 0.1, 0.5, 0.95])


def values_of(item: Any) -> st.SearchStrategy[Any]:
    if item.name in ("_target_", "name", "last_epoch", "stages"):
        return st.none()
    if item.metadata.get("length"):
        return st.one_of(st.none(), st.lists(LENGTHS, min_size=1, max_size=3) if item.name == "milestones" else LENGTHS)
    if item.metadata.get("points"):
        return st.lists(st.tuples(LENGTHS, st.sampled_from([0, 0.5, 1.0])).map(list), min_size=1, max_size=3)
    if item.metadata.get("formula"):
        return st.just("0.5 * x") if item.metadata["formula"] == ("x",) else FORMULAS
    if item.metadata.get("per_group"):
        return PER_GROUP
    words = {
        "interval": ["auto", "epoch", "step"],
        "frequency": [1, 2, 3],
        "monitor": ["val_loss", "<odd>"],
        "warmup_shape": ["linear", "cosine"],
        "param": ["lr", "weight_decay"],
        "verbose": [True, False],
    }
    return st.sampled_from([None, *words[item.name]]) if item.name in words else NUMBERS


@st.composite
def leaves(draw: Any, names: tuple[str, ...]) -> dict[str, Any]:
    name = draw(st.sampled_from(names))
    node = {"name": name}
    for item in draw(
        st.lists(st.sampled_from(dataclasses.fields(entry(name))), max_size=5, unique_by=lambda f: f.name)
    ):
        value = draw(values_of(item))
        if value is not None:
            node[item.name] = value
            try:
                parse(node)
            except SchedulerConfigError:
                del node[item.name]
    return node


OUTER = ("interval", "frequency", "monitor", "param", "verbose")


@st.composite
def schedules(draw: Any) -> dict[str, Any]:
    single = tuple(name for name in available() if entry(name).arrangement is None)
    node: dict[str, Any] = draw(leaves(tuple(available())))
    if entry(node["name"]).arrangement is None or not draw(st.booleans()):
        return node
    stages = [{k: v for k, v in draw(leaves(single)).items() if k not in OUTER} for _ in range(draw(st.integers(1, 3)))]
    if node["name"] == "sequential":
        for stage in stages[:-1]:
            stage["length"] = draw(LENGTHS)
    node["stages"] = {f"s{i}": stage for i, stage in enumerate(stages)} if draw(st.booleans()) else stages
    return node


HORIZONS = st.sampled_from([None, RUN, Horizon(epochs=7), Horizon(steps=333), Horizon(steps=333, steps_per_epoch=50)])


def check_words(error: SchedulerConfigError) -> None:
    assert str(error).count("\n") < 3
    assert " . " not in str(error)


def resolved(node: Any, horizon: Horizon | None) -> Plan:
    try:
        return resolve(node, horizon)
    except SchedulerConfigError as error:
        check_words(error)
        assume(False)
        raise


def is_plain(data: Any) -> bool:
    if isinstance(data, dict):
        return all(type(key) is str and is_plain(value) for key, value in data.items())
    if isinstance(data, list):
        return all(map(is_plain, data))
    return data is None or type(data) in (bool, int, float, str)


@settings(max_examples=400, deadline=None)
@given(schedules(), HORIZONS)
def test_plain_data_and_back(node: dict[str, Any], horizon: Horizon | None) -> None:
    plan = resolved(node, horizon)
    data = plan.to_data()
    assert is_plain(data)
    back = Plan.from_data(json.loads(json.dumps(data)), plan)
    assert back == plan
    assert back.to_data() == data
    assert back.function() == plan.function()
    assert differences(data, data) == []


@pytest.mark.parametrize("name", available())
def test_every_schedule_as_it_is(name: str) -> None:
    plan = resolve(name, RUN)
    data = plan.to_data()
    for i, (start, stage) in enumerate(data["stages"]):
        for wrong in ("ab", {"start": start, "stage": stage}, [start], [start, stage, 3], start, None):
            damaged = {**data, "stages": [*data["stages"][:i], wrong, *data["stages"][i + 1 :]]}
            with pytest.raises(SchedulerConfigError, match="stages="):
                Plan.from_data(damaged)
    assert Plan.from_data(plan.to_data()) == plan == pickle.loads(pickle.dumps(plan)) == copy.deepcopy(plan)


@settings(max_examples=400, deadline=None)
@given(schedules(), st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 500), st.integers(1, 500))
def test_auto_never_depends_on_the_size_of_the_run(node: dict[str, Any], a: int, b: int, c: int, d: int) -> None:
    node.pop("interval", None)
    one, other = (resolved(node, Horizon(epochs=e, steps_per_epoch=s)) for e, s in ((a, c), (b, d)))
    assert one.interval == other.interval
    cut = resolved(node, Horizon(steps=a, steps_per_epoch=c))
    assert cut.interval == one.interval


@settings(max_examples=300, deadline=None)
@given(schedules(), schedules())
def test_functions_are_equal_where_nothing_differs(node: dict[str, Any], other: dict[str, Any]) -> None:
    one, two = resolved(node, RUN), resolved(other, RUN)
    same = one.function() == two.function()
    assert same == (differences(one.to_data(), two.to_data()) == [])


# ---------------------------------------------------------------------------------------- what is compared


def function(node: Any, horizon: Horizon | None = RUN) -> Any:
    return resolve(node, horizon).function()


EQUAL: dict[str, tuple[Any, Any]] = {
    "run length": (({"name": "step", "step_size": 30}, RUN), ({"name": "step", "step_size": 30}, Horizon(epochs=90))),
    "no length": (("exponential", RUN), ("exponential", Horizon(epochs=3))),
    "unused T": (
        ({"name": "lambda", "lr_lambda": "1 / (1 + t)"}, RUN),
        ({"name": "lambda", "lr_lambda": "1 / (1 + t)"}, None),
    ),
    "another way to write it": (
        ({"name": "cosine"}, RUN),
        ({"name": "cosine", "T_max": "20ep", "interval": "step"}, RUN),
    ),
    "verbose": (("cosine", RUN), ({"name": "cosine", "verbose": True, "last_epoch": 3}, RUN)),
    "shape of no warmup": (
        ("cosine", RUN),
        ({"name": "cosine", "warmup_shape": "cosine", "warmup_start_factor": 0.5}, RUN),
    ),
    "monitor of no metric": (("cosine", RUN), ({"name": "cosine", "monitor": "val_loss"}, RUN)),
    "names of stages": (
        ({"name": "chained", "stages": {"a": "step", "b": "exponential"}}, RUN),
        ({"name": "chained", "stages": ["step", "exponential"]}, RUN),
    ),
    "a last stage that ends": (
        ({"name": "sequential", "stages": [{"name": "linear", "length": 20}]}, RUN),
        ({"name": "sequential", "stages": [{"name": "linear", "length": 20}]}, Horizon(epochs=40)),
    ),
}


@pytest.mark.parametrize("case", EQUAL)
def test_the_function_is_the_same(case: str) -> None:
    one, other = EQUAL[case]
    assert function(*one) == function(*other)
    assert differences(resolve(*one).to_data(), resolve(*other).to_data()) == []


DIFFERENT: dict[str, tuple[Any, Any, list[str]]] = {
    "a length": ({"name": "cosine", "T_max": 10}, {"name": "cosine", "T_max": 20}, ["T_max 10 -> 20"]),
    "what was written": (
        {"name": "step", "step_size": "10ep", "interval": "step"},
        {"name": "step", "step_size": "40%", "interval": "step"},
        ["step_size 500 (10ep) -> 400 (40%)"],
    ),
    "a number": ({"name": "step"}, {"name": "step", "gamma": 0.5}, ["gamma 0.1 -> 0.5"]),
    "a word": ({"name": "cyclic"}, {"name": "cyclic", "mode": "triangular2"}, ["mode triangular -> triangular2"]),
    "the schedule": ({"name": "cosine"}, {"name": "step"}, ["schedule cosine -> step"]),
    "schedule and interval": (
        {"name": "cosine"},
        {"name": "exponential"},
        ["interval step -> epoch", "schedule cosine -> exponential"],
    ),
    "interval": (
        {"name": "exponential"},
        {"name": "exponential", "interval": "step", "frequency": 50},
        ["interval epoch -> step", "frequency 1 -> 50"],
    ),
    "param": ({"name": "exponential"}, {"name": "exponential", "param": "weight_decay"}, ["param lr -> weight_decay"]),
    "monitor": (
        {"name": "reduce_on_plateau", "monitor": "val_loss"},
        {"name": "reduce_on_plateau", "monitor": "val/acc"},
        ["monitor val_loss -> 'val/acc'"],
    ),
    "warmup": (
        {"name": "one_cycle", "warmup": "10%", "total_steps": 500},
        {"name": "one_cycle", "warmup": 50, "total_steps": 500},
        ["warmup 100 (10%) -> 50"],
    ),
    "warmup shape": (
        {"name": "one_cycle", "warmup": 50},
        {"name": "one_cycle", "warmup": 50, "warmup_shape": "cosine", "warmup_start_factor": 0.1},
        ["warmup_shape linear -> cosine", "warmup_start_factor 0.01 -> 0.1"],
    ),
    "a formula": (
        {"name": "lambda", "lr_lambda": "0.9 ** t"},
        {"name": "lambda", "lr_lambda": "0.9 ** t / T"},
        ["lr_lambda '0.9 ** t' -> '0.9 ** t / T' with T=20"],
    ),
    "a callable": (
        {"name": "lambda", "lr_lambda": halved},
        {"name": "lambda", "lr_lambda": doubled},
        [f"lr_lambda '<{__name__}.halved>' -> '<{__name__}.doubled>'"],
    ),
    "a list": (
        {"name": "multi_step", "milestones": [3, 5]},
        {"name": "multi_step", "milestones": [3, 6]},
        ["milestones [3, 5] -> [3, 6]"],
    ),
    "inside of a stage": (
        {"name": "sequential", "stages": {"a": {"name": "none", "length": 5}, "b": {"name": "step", "step_size": 3}}},
        {"name": "sequential", "stages": {"a": {"name": "none", "length": 6}, "b": {"name": "step", "step_size": 4}}},
        ["stages.b begins at 5 -> 6", "stages.b.step_size 3 -> 4"],
    ),
    "a stage more": (
        {"name": "chained", "stages": {"a": "exponential"}},
        {"name": "chained", "stages": {"a": "exponential", "b": "exponential"}},
        ["stages a -> a, b"],
    ),
    "a stage more inside": (
        {"name": "chained", "stages": {"x": {"name": "chained", "stages": {"a": "exponential"}}}},
        {"name": "chained", "stages": {"x": {"name": "chained", "stages": {"a": "exponential", "b": "none"}}}},
        ["stages.x.stages a -> a, b"],
    ),
    "number of stages": (
        {"name": "chained", "stages": {"a": "exponential", "b": "exponential"}},
        {"name": "chained", "stages": {"a": "exponential"}},
        ["stages a, b -> a"],
    ),
    "schedule of a stage": (
        {"name": "chained", "stages": {"a": "exponential", "b": "step"}},
        {"name": "chained", "stages": {"a": "exponential", "b": "cosine"}},
        ["stages.b: schedule step -> cosine"],
    ),
    "the end of a stage": (
        {"name": "sequential", "stages": [{"name": "exponential", "length": 5}]},
        {"name": "sequential", "stages": [{"name": "exponential"}]},
        ["stages.0.hold after 5 steps -> never"],
    ),
}


@pytest.mark.parametrize("case", DIFFERENT)
def test_differences_name_only_what_differs(case: str) -> None:
    old, new, words = DIFFERENT[case]
    one, other = resolve(old, RUN), resolve(new, RUN)
    assert one.function() != other.function()
    assert differences(one.to_data(), other.to_data()) == words


def test_a_share_of_another_run_is_another_length() -> None:
    old, new = resolve("cosine", RUN), resolve("cosine", Horizon(epochs=40, steps_per_epoch=50))
    assert differences(old.to_data(), new.to_data()) == ["T_max 1000 (100%) -> 2000 (100%)"]


# ---------------------------------------------------------------------------------------- callables, damage


def test_callables_come_from_this_run() -> None:
    node = {"name": "chained", "stages": {"a": {"name": "lambda", "lr_lambda": [halved, "0.5"]}, "b": "exponential"}}
    plan = resolve(node, RUN)
    data = plan.to_data()
    assert data["stages"][0][1]["params"]["lr_lambda"][0] == f"<{__name__}.halved>"
    back = Plan.from_data(data, plan)
    assert back == plan
    assert back.stages[0][1].params["lr_lambda"][0] is halved
    node["stages"]["a"]["lr_lambda"][0] = doubled  # type: ignore[index]
    for asked in (None, resolve("cosine", RUN), resolve(node, RUN)):
        with pytest.raises(
            SchedulerConfigError, match=r"stages\.a\.lr_lambda\.0='<.*halved>': .* a checkpoint cannot keep"
        ):
            Plan.from_data(data, asked)


def test_callables_without_a_name() -> None:
    partial = functools.partial(math.pow, 0.5)
    plan = resolve({"name": "lambda", "lr_lambda": partial}, RUN)
    assert plan.to_data()["params"]["lr_lambda"] == "<functools.partial>"
    assert Plan.from_data(plan.to_data(), plan).params["lr_lambda"] is partial


def test_formulas_are_bound() -> None:
    plan = resolve({"name": "lambda", "lr_lambda": "1 - t / T", "interval": "step"}, RUN)
    assert plan.params["lr_lambda"] == Formula("1 - t / T", T=1000)
    assert Plan.from_data(plan.to_data()).params["lr_lambda"](500) == 0.5
    scaled = resolve({"name": "cyclic", "scale_fn": "1 / (x + 1)"}, RUN)
    assert Plan.from_data(scaled.to_data()).params["scale_fn"](3) == 0.25


def test_numbers_of_numpy_become_plain() -> None:
    plan = resolve({"name": "step", "step_size": np.int64(3), "gamma": np.float64(0.5)}, RUN)
    assert is_plain(plan.to_data())
    assert Plan.from_data(plan.to_data()) == plan


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path] + [place for key, value in items for place in places(value, (*path, key))]


DAMAGES = [..., None, -1, 1.5, "x", "<a.b>", [], {}, math.nan, True, 10**30, [[1]], {"formula": 3}]


@pytest.mark.parametrize("name", available())
def test_damage_is_an_error_or_another_plan(name: str) -> None:
    plan = resolve({"name": name, "warmup": "10%"}, RUN)
    for path in places(plan.to_data())[1:]:
        for damage in DAMAGES:
            data = plan.to_data()
            *way, last = path
            holder = functools.reduce(lambda node, key: node[key], way, data)
            if damage is ...:
                del holder[last]
            else:
                holder[last] = damage
            try:
                Plan.from_data(data, plan)
            except SchedulerConfigError as error:
                check_words(error)


@pytest.mark.parametrize("data", [None, [], "x", 3, {}, {"config": {}}, {"config": {"name": "x"}}])
def test_no_plan_at_all(data: Any) -> None:
    with pytest.raises(SchedulerConfigError, match=r"^checkpoint"):
        Plan.from_data(data)


def test_a_name_that_is_not_the_configs_is_damage() -> None:
    data = resolve({"name": "linear"}, RUN).to_data() | {"name": "step"}
    with pytest.raises(SchedulerConfigError, match=r"^checkpoint\.name='step': the saved schedule is damaged"):
        Plan.from_data(data)


def test_a_missing_key_is_named() -> None:
    data = resolve("sequential", RUN).to_data()
    del data["stages"][1][1]["warmup"]
    with pytest.raises(SchedulerConfigError, match=r"^checkpoint\.stages\.decay\.warmup=None"):
        Plan.from_data(data)


@pytest.mark.parametrize(
    "value",
    [None, 3, [], [3], [[3]], [[3, 0.5, 1]], [[-1, 0.5]], [[1.5, 0.5]], [[True, 0.5]], [[3, True]], [[3, None]],
     [[3, -0.1]], [[3, math.inf]], [[3, math.nan]], [[0, 0], [3, "1"]]],
)  # fmt: skip
def test_no_points(value: Any) -> None:
    with pytest.raises(SchedulerConfigError, match=r"^checkpoint\.k=.*the saved schedule is damaged"):
        plan_data.points(value, "k")
    assert plan_data.points([[0, 0], [3, 0.5]], "k") == [[0, 0], [3, 0.5]]


@pytest.mark.parametrize("value", [-1, True, 1.5, None, "3", [3]])
def test_no_counts(value: Any) -> None:
    with pytest.raises(SchedulerConfigError, match=r"^checkpoint\.k="):
        plan_data.integer(value, "k")
    assert [plan_data.integer(n, "k") for n in (0, 5)] == [0, 5]


def test_what_a_reader_refuses() -> None:
    for data in (None, [], "x"):
        with pytest.raises(SchedulerConfigError, match=r"^checkpoint\.at="):
            plan_data.reader(data, "at")
    read = plan_data.reader({"a": "x", "n": 3, "none": None}, "at")
    assert (read("a", str), read("n", int), read("none", str, None)) == ("x", 3, None)
    for key, kind, default in (
        ("a", int, ...),
        ("a", list, ...),
        ("none", str, ...),
        ("missing", str, None),
        ("n", str, ...),
    ):
        with pytest.raises(SchedulerConfigError, match=rf"^checkpoint\.at\.{key}="):
            read(key, kind, *([] if default is ... else [default]))


class Nameless:
    """A callable without a name, of no module."""

    __module__ = None  # type: ignore[assignment]

    def __call__(self, t: float) -> float:
        return t


def test_names_of_callables() -> None:
    assert plan_data.name_of(halved) == f"<{__name__}.halved>"
    assert plan_data.name_of(Nameless()) == "<?.Nameless>"
    assert plan_data.encode({1: (2, np.int64(3), np.float32(0.5), None, True, halved)}) == {
        "1": [2, 3, 0.5, None, True, f"<{__name__}.halved>"]
    }


def test_functions_that_take_the_runs_length_are_kept_by_their_name() -> None:
    def shrinking(t: float, T: int) -> float:
        return 1 - t / T / 2

    def other(t: float, T: int) -> float:
        return 1.0

    plan = resolve({"name": "lambda", "lr_lambda": shrinking, "interval": "step"}, RUN)
    data = plan.to_data()
    kept = data["params"]["lr_lambda"]
    assert (kept["T"], kept["function"].endswith("shrinking>")) == (1000, True)
    assert Plan.from_data(data, plan).params["lr_lambda"](500) == 0.75
    elsewhere = resolve({"name": "lambda", "lr_lambda": other, "interval": "step"}, RUN)
    with pytest.raises(SchedulerConfigError, match="a checkpoint cannot keep"):
        Plan.from_data(data, elsewhere)
    longer = resolve({"name": "lambda", "lr_lambda": shrinking, "interval": "step"}, Horizon(steps=2000))
    assert differences(data, longer.to_data()) == [
        f"lr_lambda {kept['function']} with T=1000 -> {kept['function']} with T=2000"
    ]


def test_a_metric_may_look_like_the_name_of_a_callable() -> None:
    plan = resolve({"name": "reduce_on_plateau", "monitor": "<val>"}, RUN)
    assert Plan.from_data(plan.to_data()).config.monitor == "<val>"


def test_the_function_is_what_older_checkpoints_hold() -> None:
    """A new key is in it only where it is used."""
    warmup = {"steps": 5, "shape": "linear", "start_factor": 0.01}
    assert resolve({"name": "cosine", "interval": "step", "warmup": 5}, RUN).function()["warmup"] == warmup
    overlapping = resolve({"name": "cosine", "interval": "step", "warmup": 5, "warmup_overlap": True}, RUN)
    assert overlapping.function()["warmup"] == {**warmup, "overlap": True}
    before = resolve({"name": "cosine", "warmup": 5}, RUN).to_data()
    del before["warmup_overlap"], before["cooldown"]
    now = resolve({"name": "cosine", "warmup": 5}, RUN).to_data()
    assert differences(before, now) == differences(now, before) == differences(before, before) == []
    over = resolve({"name": "cosine", "warmup": 5, "warmup_overlap": True}, RUN).to_data()
    assert differences(before, over) == [
        "T_max 750 (100%) -> 1000 (100%)",
        "warmup_overlap False -> True",  # an absent key is one at its default
    ]
    assert differences(over, before) == ["T_max 1000 (100%) -> 750 (100%)", "warmup_overlap True -> False"]


# ---------------------------------------------------------------------------------------- lengths become steps


def test_the_first_point_may_be_at_0() -> None:
    points = [[0, 1.0], ["50%", 0.5], ["100%", 0.0]]
    assert resolve({"name": "piecewise", "points": points}, RUN).params["points"] == [[0, 1.0], [500, 0.5], [1000, 0.0]]


def test_every_two_neighbours_rise() -> None:
    written = ["10st", "1ep", "2%"]
    words = r"^milestones=.*these rise strictly, and here they are steps \[10, 50, 20\]"
    with pytest.raises(SchedulerConfigError, match=words):
        resolve({"name": "multi_step", "milestones": written}, RUN)


def test_shares_of_a_run_of_one_step_are_all_of_it() -> None:
    node = {"name": "linear", "warmup": "50%", "cooldown": "50%"}
    plan = resolve(node, Horizon(epochs=1, steps_per_epoch=1))
    assert (plan.warmup, plan.cooldown, plan.notes) == (1, 1, ())


@pytest.mark.parametrize(
    "value", [5, True, 1.5, "", "no name", {"formula": 3}, {"formula": "t", "T": -1}, {"T": 4}, {}]
)
def test_what_no_function_was_saved_as_is_damaged(value: Any) -> None:
    with pytest.raises(SchedulerConfigError) as caught:
        plan_data.decode(value, "lr_lambda", ("t",), None)
    assert caught.value.key.startswith("checkpoint.lr_lambda")
    assert caught.value.rule == "the saved schedule is damaged, nothing like this is ever written"


@pytest.mark.parametrize(
    ("node", "key", "value"),
    [
        ({"scheduler": {"gamma": "???"}}, "scheduler.gamma", "Missing mandatory value: gamma"),
        ({"a": {"b": [1, "${c}"]}}, "a.b[1]", "Interpolation key 'c' not found"),
    ],
)
def test_a_value_that_omegaconf_cannot_read_is_named(node: Any, key: str, value: str) -> None:
    with pytest.raises(SchedulerConfigError) as caught:
        plain(OmegaConf.create(node))
    assert (caught.value.key, caught.value.value) == (key, value)
    assert caught.value.rule == "the configuration cannot be read"


def test_a_damaged_number_is_named_with_its_stage() -> None:
    step = {"name": "step", "step_size": 2}
    alone = resolve({**step, "interval": "step"}, Horizon(steps=9)).to_data()
    stages = {"a": {**step, "length": 3}, "b": "cosine"}
    both = resolve({"name": "sequential", "interval": "step", "stages": stages}, Horizon(steps=9)).to_data()
    alone["params"]["step_size"] = both["stages"][0][1]["params"]["step_size"] = -2
    for data, key in ((alone, "checkpoint.step_size"), (both, "checkpoint.stages.a.step_size")):
        with pytest.raises(SchedulerConfigError) as caught:
            Plan.from_data(data)
        assert (caught.value.key, caught.value.value) == (key, -2)


@pytest.mark.parametrize(("before", "after"), [(0, 3), (3, 0)])
def test_the_shape_of_a_warmup_that_is_not_there_makes_no_difference(before: int, after: int) -> None:
    shapes = {before: "linear", after: "cosine"}
    old, new = (
        resolve(
            {"name": "cosine", "interval": "step", "T_max": 9, "warmup": w, "warmup_shape": shapes[w]}, Horizon(steps=9)
        )
        for w in (before, after)
    )
    assert differences(old.to_data(), new.to_data()) == [f"warmup {before} -> {after}"]
