"""The JSON Schema of schedules, against a public validator and against what the package itself accepts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra_apps import VERSION_BASE
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from omegaconf import OmegaConf

from lr_configs import SchedulerConfigError, available, register, registry
from lr_configs.commands import main
from lr_configs.config import COMMON, SchedulerConfig, config_field
from lr_configs.config import number as number_field
from lr_configs.hydra_store import node
from lr_configs.kinds import Choice, Flag, FormulaKind, Kind, LengthKind, Lengths, Number, OrNull, PerGroup, Text
from lr_configs.registry import entry, parse
from lr_configs.schedules.piecewise import Points
from lr_configs.schema import json_schema, opened, written
from lr_configs.stages import Stages

ROOT = Path(__file__).parents[1]


@cache
def validator(form: str = "node", name: str | None = None, key: str | None = None) -> Any:
    schema = json_schema(form, name=name, keys=[] if key is None else [key])
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(json.loads(written(schema)))


def complaints(of: Any, document: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}"[:300] for error in of.iter_errors(document)]


def node_of(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, **more}


# ---------------------------------------------------------------------------------------- what is right


@pytest.mark.parametrize("name", available())
def test_the_composed_node_and_the_config_as_data(name: str) -> None:
    composed = OmegaConf.to_container(node(name))
    for of in (validator(), validator(name=name), validator("group"), validator("group", name)):
        assert not complaints(of, composed)
        assert not complaints(of, parse(name).to_dict())
    assert not complaints(validator("app", key="scheduler"), {"scheduler": composed, "lr": 1})


@pytest.mark.parametrize("name", available())
def test_every_key_is_there_with_meaning_and_default(name: str) -> None:
    schema = json_schema(name=name)
    config = entry(name)
    found = schema["$defs"][f"schedule.{name}"]["properties"]
    composed: Any = OmegaConf.to_container(node(name))
    assert set(found) == set(config.__dataclass_fields__) - {"_target_", "name"}
    for key, one in found.items():
        said = schema["$defs"][f"key.{key}"] if "$ref" in one else one
        assert said["description"], key
        assert said["default"] == composed[key], key
        assert said.get("type") or said.get("anyOf"), key


@pytest.mark.parametrize("path", sorted((ROOT / "conf").rglob("*.yaml")), ids=lambda path: path.stem)
def test_conf(path: Path) -> None:
    document = yaml.safe_load(path.read_text())
    assert not complaints(validator("app", key="scheduler"), document)
    assert not complaints(validator("app", key="*.scheduler"), document)


def test_the_experiments_as_composed() -> None:
    import hydra

    for path in sorted((ROOT / "conf/experiment/notes").glob("*.yaml")):
        with hydra.initialize_config_dir(str(ROOT / "conf"), **VERSION_BASE):
            composed = hydra.compose("config", [f"experiment=notes/{path.stem}"])
        plain = OmegaConf.to_container(composed.scheduler, resolve=True)
        assert not complaints(validator(), plain), path
        assert isinstance(plain, dict)
        assert not complaints(validator(name=plain["name"]), plain), path


def examples() -> Iterator[Any]:
    """Every block of YAML in the documentation that has something to do with schedules."""
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        page = path.read_text()
        own = re.findall(r"register\(\"(\w+)\"", page)  # schedules that the page itself makes
        for i, text in enumerate(re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)):
            if not any(f"name: {name}" in text for name in own):
                yield pytest.param(text, id=f"{path.stem} {i}")


@pytest.mark.parametrize("text", list(examples()))
def test_the_worked_examples(text: str) -> None:
    for document in yaml.safe_load_all(text):
        if isinstance(document, list):  # steps of somebody's CI
            continue
        of_group = "/scheduler/" in text.split("\n")[0]
        if of_group or not isinstance(document, dict) or "name" not in document:
            form = validator("group") if of_group else validator("app", key="scheduler")
            assert not complaints(form, document)
        else:
            assert not complaints(validator(), document)


RIGHT: list[Any] = [
    node_of("step", gamma="${other}", step_size="???", verbose="${oc.env:V}", interval="${i}", frequency="${f}"),
    node_of("multi_step", milestones="${list}"),
    node_of("multi_step", milestones=["${a}", "50%"]),
    node_of("cosine", T_max="${n}ep", eta_min={"head": "1%", "0": "${low}"}, monitor=None, warmup=None),
    node_of("piecewise", points=[["${a}", 0], ["5%", "${b}"]]),
    node_of("lambda", lr_lambda={"_target_": "hydra.utils.get_method", "path": "math.exp"}),
    node_of("lambda", lr_lambda=["0.5", 1]),
    node_of("sequential", stages="${stages}"),
    node_of("sequential", stages={"a": None, "b": "cosine", "c": "${c}", "d": {"name": "step", "length": "${n}"}}),
    node_of("sequential", stages=[{"name": "linear", "length": "10%"}, "cosine"]),
    node_of("chained", stages={"deep": node_of("sequential", stages={"deeper": node_of("chained")})}),
    node_of("StepLR", step_size=30),
    node_of("step", _target_="lr_configs.scheduler", _partial_=True, _convert_="all", _recursive_=False),
    {"_target_": "torch.optim.lr_scheduler.StepLR", "step_size": 30, "_partial_": True},
    {"_target_": "lr_configs.schedulers.REXLR", "beta": 0.9},
    node_of("${which}", T_max=3, step_size=4),
]


@pytest.mark.parametrize("document", RIGHT, ids=lambda one: json.dumps(one)[:60])
def test_right(document: Any) -> None:
    assert not complaints(validator(), document)


def test_hydras_own_keys_are_read_over() -> None:
    assert parse(node_of("step", _partial_=True, _convert_="all", _recursive_=False)) == parse("step")


# ---------------------------------------------------------------------------------------- what is wrong

WRONG: dict[str, Any] = {
    "unknown key": node_of("step", gama=0.5),
    "key of another": node_of("step", T_max=10),
    "unknown name": node_of("cosin"),
    "no name": {"gamma": 0.5},
    "no name but a target": {"_target_": "lr_configs.scheduler", "gamma": 0.5},
    "null for a number": node_of("step", gamma=None),
    "text": node_of("step", gamma="abc"),
    "out of range": node_of("step", gamma=-1),
    "a list": node_of("step", gamma=[1]),
    "no length": node_of("step", step_size=0),
    "a unit": node_of("step", step_size="30min"),
    "a share": node_of("step", step_size="101%"),
    "a fraction": node_of("step", step_size=1.5),
    "rising list": node_of("multi_step", milestones=["50%", "50%"]),
    "no list": node_of("multi_step", milestones=30),
    "empty list": node_of("multi_step", milestones=[]),
    "a choice": node_of("step", interval="epcoh"),
    "a flag": node_of("step", verbose="yes"),
    "a metric": node_of("step", monitor=3),
    "per group": node_of("cosine", eta_min={"head": -1}),
    "no share": node_of("one_cycle", max_momentum="10%"),
    "a point": node_of("piecewise", points=[[0, 1, 2]]),
    "half a point": node_of("piecewise", points=[[0]]),
    "a formula": node_of("lambda", lr_lambda=True),
    "a function without a path": node_of("lambda", lr_lambda={"path": "math.exp"}),
    "no stages": node_of("sequential", stages={}),
    "a stage": node_of("sequential", stages={"a": {"name": "cosine", "T_mx": 3}}),
    "a stage in a list": node_of("sequential", stages=[{"name": "cosine", "T_max": -3}]),
    "a deep stage": node_of("chained", stages={"a": node_of("sequential", stages={"b": node_of("step", gama=1)})}),
    "a stage without a name": node_of("sequential", stages={"a": {"T_max": 3}}),
    "a stage's name": node_of("sequential", stages={"a": "cosin"}),
    "a length outside of a sequence": node_of("step", length=3),
    "a length in a product": node_of("chained", stages={"a": node_of("cosine", length="10%")}),
    "a stage's length": node_of("sequential", stages={"a": node_of("cosine", length=0)}),
    "another class": {"_target_": "torch.optim.SGD", "lr": 0.1},
    "a key of another class": {"_target_": "torch.optim.lr_scheduler.StepLR", "T_max": 30},
    "how Hydra calls": node_of("step", _convert_="some"),
    "a defaults list in a node": node_of("step", defaults=["cosine"]),
    "no node": [node_of("step")],
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong(case: str) -> None:
    assert complaints(validator(), WRONG[case])


def test_editors_are_told_what_to_write_where_there_are_words() -> None:
    said = opened({"type": "number"}, "a number")
    assert said["errorMessage"] == said["patternErrorMessage"] == "Write a number"
    assert not {"errorMessage", "patternErrorMessage"} & opened({"type": "number"}, "").keys()


def test_a_schema_of_one_schedule_takes_no_other() -> None:
    assert not complaints(validator(name="step"), node_of("step", gamma=0.5))
    assert complaints(validator(name="step"), node_of("cosine"))
    assert "schedule.cosine" not in json_schema(name="step")["$defs"]
    assert not complaints(validator(name="sequential"), node_of("sequential", stages=["cosine"]))


GROUP = [
    ({"defaults": ["cosine_warm_restarts", "_self_"], "T_0": "20%", "T_mult": 2}, True),
    ({"defaults": ["/scheduler/cosine@_here_", "_self_"], "T_max": 3}, True),
    ({"defaults": [{"/scheduler@_here_": "cosine"}], "T_max": 3}, True),
    ({"defaults": ["cosine"], "T_0": "20%"}, False),
    ({"defaults": [{"/scheduler@_here_": "cosine"}], "T_0": 3}, False),
    ({"defaults": ["cosine"], "T_max": 0}, False),
    ({"defaults": ["cosine"], "name": "step", "step_size": 3}, True),
    ({"defaults": ["my_own", "_self_"], "T_max": 3, "T_0": 3}, True),  # which may be anything of ours
    ({"defaults": ["my_own", "_self_"], "T_mx": 3}, False),
    ({"defaults": ["my_own", "_self_"], "T_max": 0}, False),
    ({"defaults": ["sequential"], "stages": {"decay": {"T_max": 20}, "warmup": None}}, True),
    ({"defaults": ["sequential"], "stages": {"decay": {"T_mx": 20}}}, False),
    ({"defaults": "cosine"}, False),
    ({"T_max": 3}, True),
]


@pytest.mark.parametrize(("document", "right"), GROUP)
def test_a_file_of_a_group(document: Any, right: bool) -> None:
    assert (not complaints(validator("group"), document)) == right


APP = [
    ({"scheduler": {"name": "cosine", "T_max": 3}}, True),
    ({"scheduler": {"name": "cosine", "T_0": 3}}, False),
    ({"scheduler": "${other}", "x": 1}, True),
    ({"scheduler": None}, True),
    ({"scheduler": "cosine"}, True),
    ({"scheduler": "cosin"}, False),
    ({"scheduler": [{"name": "cosine"}, {"name": "linear", "param": "weight_decay"}]}, True),
    ({"scheduler": [{"name": "cosine"}, {"name": "linear", "parm": "weight_decay"}]}, False),
    ({"scheduler": {"monitor": "val_loss"}}, True),
    ({"scheduler": {"monitr": "val_loss"}}, False),
    ({"defaults": [{"override /scheduler": "cosine"}, {"model": "linear"}], "scheduler": {"T_max": 3}}, True),
    ({"defaults": [{"override /scheduler": "cosine"}, {"model": "linear"}], "scheduler": {"end_factor": 1}}, False),
    ({"defaults": [{"scheduler": "cosine"}], "scheduler": {"T_0": 3}}, False),
    ({"defaults": [{"optional train/scheduler@here": "cosine"}], "scheduler": {"T_0": 3}}, False),
    ({"defaults": ["scheduler/cosine"], "scheduler": {"T_0": 3}}, False),
    ({"defaults": [{"my_scheduler": "cosine"}], "scheduler": {"T_0": 3}}, True),
    ({"defaults": [{"scheduler": "my_own"}], "scheduler": {"T_0": 3}}, True),
    ({"defaults": [{"scheduler": "cosine"}], "scheduler": {"name": "step", "gamma": 0.5}}, True),
    (None, True),
    ({"other": {"scheduler": 3}}, True),
]


@pytest.mark.parametrize(("document", "right"), APP)
def test_an_apps_config(document: Any, right: bool) -> None:
    assert (not complaints(validator("app", key="scheduler"), document)) == right


def test_dotted_keys_and_stars() -> None:
    of = Draft202012Validator(json_schema("app", keys=["train.scheduler", "callbacks.lr.schedulers.*"]))
    good, bad = node_of("cosine"), node_of("cosine", T_0=3)
    assert not complaints(
        of, {"train": {"scheduler": good}, "callbacks": {"lr": {"schedulers": {"g": good, "d": "none"}}}}
    )
    assert complaints(of, {"train": {"scheduler": bad}})
    assert complaints(of, {"callbacks": {"lr": {"schedulers": {"g": good, "d": bad}}}})
    assert not complaints(of, {"scheduler": bad})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nod",), "form='nod'"),
        (("app",), "keys=.*dotted keys"),
        (("node", ["scheduler"]), "keys="),
        (("app", ["a..b"]), "keys="),
    ],
)
def test_arguments(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(SchedulerConfigError, match=message):
        json_schema(arguments[0], keys=arguments[1] if len(arguments) > 1 else ())
    with pytest.raises(SchedulerConfigError, match="did you mean 'step'"):
        json_schema(name="stp")


def test_a_registered_schedule_is_there() -> None:
    def bumps(t: float, T: int, *, many: int = 3, low: float = 0.5, mirror: bool = False) -> float:
        """Ups and downs.

        Args:
            many: of them.
        """
        return low

    register("bumps", bumps)
    register("own_check", _OwnCheck)
    try:
        of = Draft202012Validator(json_schema())
        assert not complaints(of, node_of("bumps", many=4, low=0.1, mirror=True, T="50%"))
        assert complaints(of, node_of("bumps", many=0.5))
        assert complaints(of, node_of("bumps", mony=3))
        assert not complaints(of, node_of("sequential", stages={"a": node_of("bumps", length="10%"), "b": "bumps"}))
        assert json_schema(name="bumps")["$defs"]["schedule.bumps"]["properties"]["many"]["description"] == "of them"
        assert not complaints(of, node_of("own_check", anything={"at": "all"}))
        assert complaints(of, node_of("own_check", share=2))
    finally:
        registry.remove("bumps")
        registry.remove("own_check")


class _OwnCheck(SchedulerConfig):
    """With a key whose check is a function of its own."""

    anything: Any = config_field(None, lambda value, key: value)
    share: float = number_field(0.5, 0, 1)

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        return m.where(t >= 0, 1.0, 1.0)


def test_a_class_of_torchs_kind_is_no_stage() -> None:
    import torch

    class Custom(torch.optim.lr_scheduler.StepLR):
        pass

    register("custom_steps", Custom, defaults={"step_size": 3})
    try:
        of = Draft202012Validator(json_schema())
        assert not complaints(of, node_of("custom_steps", step_size=4, gamma=0.5))
        assert complaints(of, node_of("sequential", stages={"a": "custom_steps"}))
        assert complaints(of, node_of("sequential", stages={"a": node_of("custom_steps")}))
    finally:
        registry.remove("custom_steps")


# ---------------------------------------------------------------------------------------- beside `parse`

PROBES: list[Any] = [
    *(None, True, -1, 0, 1, 2, 0.5, 1.0, 1.5, 1e16, -0.5, 101),
    *(
        "abc",
        "",
        "1",
        "-1",
        "0.5",
        "1e3",
        "1.5",
        " 2 ",
        "10%",
        "101%",
        "0%",
        "-1%",
        "5ep",
        "1.5ep",
        "0ep",
        "5st",
        "1.5st",
    ),
    *("5 st", "5x", "0.5%", "1e1%", "cosine", "epoch", "1 if t < 3 else 0"),
    *(
        [],
        [1],
        ["1"],
        [0.5, 0.25],
        [1, 1],
        ["50%", "75%"],
        ["x"],
        [None],
        {},
        {"0": 1},
        {"a": "1%"},
        {"a": -1},
        {"a": None},
    ),
    *([[0, 1]], [["5%", 1.0]], [[0, 1], [5, -1]], [[1, 2, 3]]),
]
#: what other keys make wrong
TOGETHER = {
    *(("linear", "start_factor"), ("linear", "end_factor"), ("exponential", "staircase"), ("tanh", "lb")),
    *(("one_cycle", "total_steps"), ("one_cycle", "epochs"), ("one_cycle", "steps_per_epoch")),
}


def accepted(document: Any) -> bool:
    try:
        parse(document)
    except SchedulerConfigError:
        return False
    return True


@pytest.mark.parametrize("name", available())
def test_the_schema_and_the_package_agree_on_every_key(name: str) -> None:
    of = validator(name=name)
    own = [
        key
        for key in entry(name).__dataclass_fields__
        if key not in COMMON or (name, key) == ("reduce_on_plateau", "cooldown")
    ]
    for key in [*own, *(COMMON[2:] if name == "none" else ())]:
        kind = entry(name).__dataclass_fields__[key].metadata["check"]
        refused = 0
        for value in PROBES:
            document = node_of(name, **{key: value})
            right, said = accepted(document), complaints(of, document)
            refused += bool(said)
            assert not (right and said), (key, value, said)
            text = isinstance(value, str) or (isinstance(value, list) and value and isinstance(value[0], str))
            # Of quoted numbers and of formulas, more is right for a schema.
            lenient = (name, key) in TOGETHER or (text and isinstance(kind, (Number, PerGroup, OrNull, FormulaKind)))
            lenient = lenient or (isinstance(kind, Stages) and value in ([None], {"a": None}))
            assert right or said or lenient, (key, value)
        assert refused > len(PROBES) // 4, key


def values(kind: Kind) -> st.SearchStrategy[Any]:
    """What a key may hold, from what its kind says of itself and not from its schema."""
    lengths = st.one_of(
        st.integers(1, 10**6),
        st.integers(1, 500).map(lambda n: f"{n}st"),
        st.decimals("0.01", "90", places=2).map(lambda n: f"{n}ep"),
        st.decimals("0.1", "100", places=1).map(lambda n: f" {n} %"),
        st.integers(1, 99).map(str),
        st.integers(1, 99).map(float),
    )
    if isinstance(kind, OrNull):
        return st.none() | values(kind.kind)
    if isinstance(kind, PerGroup):
        one = values(kind.number)
        if kind.share:
            one |= st.decimals("0.1", "100", places=1).map(lambda n: f"{n}%")
        if kind.optional:
            one |= st.none()
        return one | st.lists(one, min_size=1, max_size=3) | st.dictionaries(st.text(max_size=5), one, max_size=3)
    if isinstance(kind, Number):
        low, high = max(kind.low, -1e6), min(kind.high, 1e6)
        if kind.integer:
            numbers: st.SearchStrategy[Any] = st.integers(int(low), int(high))
            return numbers | numbers.map(float) | numbers.map(str)
        numbers = st.floats(low, high, exclude_min=kind.open_low, exclude_max=kind.open_high, allow_subnormal=False)
        return numbers | numbers.map(str) | numbers.map(lambda n: f" {n!r} ")
    if isinstance(kind, LengthKind):
        return lengths | (st.sampled_from([0, "0", "0ep", "0%", None]) if kind.zero else st.nothing())
    if isinstance(kind, Lengths):
        return st.lists(st.integers(1, 999), min_size=1, max_size=4, unique=True).map(sorted) | st.just(["10%", "3ep"])
    if isinstance(kind, Choice):
        return st.sampled_from(kind.options)
    if isinstance(kind, Flag):
        return st.booleans()
    if isinstance(kind, FormulaKind):
        formulas = st.sampled_from([f"0.5 ** {kind.variables[0]}", "1", 0.5, 1])
        return (formulas | st.none()) if kind.optional else (formulas | st.lists(formulas, min_size=1, max_size=3))
    if isinstance(kind, Text):
        return st.text(min_size=1, max_size=9)
    if isinstance(kind, Points):
        positions = st.lists(st.integers(0, 999), min_size=1, max_size=4, unique=True).map(sorted)
        return positions.flatmap(
            lambda at: st.lists(st.floats(0, 9), min_size=len(at), max_size=len(at)).map(
                lambda factors: [list(pair) for pair in zip(at, factors, strict=True)]
            )
        )
    assert isinstance(kind, Stages)
    return st.just({"a": "step"})


@st.composite
def configs(draw: Any, depth: int = 2, stage: bool = False) -> dict[str, Any]:
    names = [name for name in available() if depth or entry(name).arrangement is None]
    name = draw(st.sampled_from([one for one in names if not (stage and one == "reduce_on_plateau")]))
    fields = {k: v for k, v in entry(name).__dataclass_fields__.items() if k not in ("_target_", "name")}
    keys = [
        k for k in fields if not (stage and k in ("interval", "frequency", "monitor", "param", "verbose", "last_epoch"))
    ]
    made = {"name": name}
    for key in draw(st.lists(st.sampled_from(keys), unique=True, max_size=5)):
        made[key] = draw(values(fields[key].metadata["check"]))
    if entry(name).arrangement is not None:
        parts = draw(st.lists(configs(depth - 1, stage=True), min_size=1, max_size=3))
        if entry(name).arrangement == "sequence":
            parts = [{**part, "length": draw(st.sampled_from(["10%", 5, "3ep"]))} for part in parts]
        made["stages"] = draw(st.sampled_from([parts, {f"s{i}": part for i, part in enumerate(parts)}]))
    return made


@settings(max_examples=120, deadline=None)
@given(configs())
def test_what_the_package_accepts_the_schema_accepts(document: dict[str, Any]) -> None:
    try:
        config = parse(document)
    except SchedulerConfigError:  # what several keys together make wrong; few of them, or the health check fails
        reject()
    assert not complaints(validator(), document)
    plain = json.loads(json.dumps(config.to_dict()))
    assert not complaints(validator(), plain)
    assert not complaints(validator("app", key="scheduler"), {"scheduler": document})


# ---------------------------------------------------------------------------------------- the command


def test_the_command_prints(capsys: Any) -> None:
    calls: list[tuple[list[str], dict[str, Any]]] = [
        ([], {}),
        (["step"], {"name": "step"}),
        (["--group"], {"form": "group"}),
        (["--key", "scheduler", "--key", "a.*.b"], {"form": "app", "keys": ["scheduler", "a.*.b"]}),
        (["cosine", "--key", "scheduler"], {"form": "app", "keys": ["scheduler"], "name": "cosine"}),
    ]
    for words, arguments in calls:
        assert main(["schema", *words]) == 0
        out, error = capsys.readouterr()
        assert json.loads(out) == json.loads(written(json_schema(**arguments)))
        assert out.isascii()
        assert error == ""


def test_the_command_writes_a_file_once(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "schedule.json"
    assert main(["schema", "step", "-o", str(path)]) == 0
    first = path.read_text()
    assert json.loads(first)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert main(["schema", "cosine", "-o", str(path)]) == 2
    assert "is kept" in capsys.readouterr().err
    assert path.read_text() == first
    assert main(["schema", "cosine", "-o", str(path), "--force"]) == 0
    assert "schedule.cosine" in json.loads(path.read_text())["$defs"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["cosin"], "did you mean 'cosine'"),
        (["--key", ""], "dotted keys"),
        (["--group", "--key", "a"], "not allowed with"),
        (["-o", "/nowhere/at/all.json"], "there is no folder"),
    ],
)
def test_the_command_refuses(words: list[str], message: str, capsys: Any) -> None:
    assert main(["schema", *words]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("lr-configs schema: ")
    assert message in error


def test_a_package_that_cannot_be_imported_is_named_and_the_rest_is_there(monkeypatch: Any, capsys: Any) -> None:
    broken = EntryPoint("broken_one", "no_such_module:schedule", registry.GROUP)
    monkeypatch.setattr(registry, "_offered", {"broken_one": broken})
    assert main(["schema"]) == 0
    out, error = capsys.readouterr()
    assert "schedule.step" in json.loads(out)["$defs"]
    assert "schedule.broken_one" not in json.loads(out)["$defs"]
    assert error.startswith("left out: name='broken_one': the package no_such_module:schedule has this schedule")


@pytest.mark.parametrize(
    ("kind", "taken", "refused"),
    [
        (Number(0), ["0", "0.0", " 2 ", "+1e-3"], ["-1", "x", "-0.5"]),
        (Number(0, open_low=True), ["2", ".5", "1e-3"], ["0", "0.0", "-1", "0e3"]),
        (Number(1), ["1", "2.5"], ["0", "-1"]),
        (Number(-1, open_low=True), ["0", "-0.5", "+3"], ["x", ""]),
        (Number(), ["0", "-2", "+3.5e7"], ["x", "1 2"]),
        (Number(0, integer=True), ["0", "12"], ["1.5", "-1"]),
    ],
)
def test_text_for_a_number_is_held_against_its_sign(kind: Number, taken: list[str], refused: list[str]) -> None:
    pattern = re.compile(kind.schema()["pattern"])
    for text in taken:
        assert pattern.fullmatch(text), text
        kind(text, "key")
    for text in refused:
        assert not pattern.fullmatch(text), text
        with pytest.raises(SchedulerConfigError):
            kind(text, "key")


@pytest.mark.parametrize(
    ("kind", "taken", "refused"),
    [
        (FormulaKind(("t",), optional=False), ["t", "1", ["t", "1"]], ["", [], ["t", ""]]),
        (Text("this is a name", "Write one", "a name"), ["x"], [""]),
        (Text("this is a name", "Write one", "a name", empty=True), ["x", ""], []),
        (Choice("one", "two"), ["one", "two"], ["", "three", "One"]),
    ],
)
def test_the_shortest_text_that_is_taken(kind: Kind, taken: list[Any], refused: list[Any]) -> None:
    validator = Draft202012Validator(kind.schema())
    assert [validator.is_valid(value) for value in (*taken, *refused)] == [True] * len(taken) + [False] * len(refused)
    for value in refused:
        with pytest.raises(SchedulerConfigError):
            kind(value, "key")


def test_a_word_that_is_like_none_is_answered_with_the_first() -> None:
    with pytest.raises(SchedulerConfigError, match=r"^mode='zzzz': this is one of min, max\. Write min\.$"):
        Choice("min", "max")("zzzz", "mode")
