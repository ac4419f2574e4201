"""What an editor shows of the schema: yaml-language-server itself completes, explains and marks."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from requirements import need
from yaml_server import YamlServer

from lr_configs.schema import json_schema, written

#: where `make test` puts it
SCRIPT = Path(sys.prefix) / "node/node_modules/yaml-language-server/bin/yaml-language-server"
NO_NODE = "node is missing: install Node.js"
SCHEMAS: dict[str, dict[str, Any]] = {
    "node": {},
    "group": {"form": "group"},
    "app": {"form": "app", "keys": ["scheduler"]},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: Any) -> Iterator[YamlServer]:
    node = shutil.which("node")
    need(node, NO_NODE)
    need(SCRIPT.exists(), "yaml-language-server is missing: make test installs it, with npm")
    folder = tmp_path_factory.mktemp("editor")
    for form, arguments in SCHEMAS.items():
        (folder / f"{form}.json").write_text(written(json_schema(**arguments)), encoding="utf-8")
    made = YamlServer([str(node), str(SCRIPT), "--stdio"], folder)
    yield made
    made.close()


def patterns(schema: Any) -> Iterator[str]:
    """Every pattern of a schema."""
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        yield from schema.get("patternProperties", {}) if isinstance(schema.get("patternProperties"), dict) else ()
        yield from (one for value in schema.values() for one in patterns(value))
    elif isinstance(schema, list):
        yield from (one for value in schema for one in patterns(value))


def test_patterns_are_those_of_ecmascript() -> None:
    node = shutil.which("node")
    need(node, NO_NODE)
    found = sorted({*patterns(json_schema("group")), *patterns(json_schema("app", keys=["a-b.my+scheduler"]))})
    assert len(found) > 30
    code = "for (const one of JSON.parse(process.argv[1])) { new RegExp(one); new RegExp(one, 'u') }"
    subprocess.run([str(node), "-e", code, json.dumps(found)], check=True)


def of(form: str, text: str) -> str:
    """A document as a user writes it, with the line that names its schema."""
    return f"# yaml-language-server: $schema={form}.json\n{text}"


RIGHT = [
    ("node", "name: step\ngamma: 0.5\nstep_size: 30ep\nwarmup: 5%\n"),
    ("node", "name: step\ngamma: ${other}\nstep_size: ???\nverbose: ${v}\ninterval: ${i}\nwarmup: null\n"),
    ("node", "name: cosine\nT_max: 1e4\neta_min: {head: 1%, body: 0.001}\n"),
    ("node", "name: sequential\nstages:\n  a: {name: linear, length: 10%}\n  b: cosine\n  c: null\n"),
    ("node", "name: piecewise\npoints: [[0, 0.0], [5%, 1.0], [100%, 0.1]]\n"),
    ("group", "defaults:\n  - cosine_warm_restarts\n  - _self_\nT_0: 20%\nT_mult: 2\n"),
    ("app", "defaults:\n  - override /scheduler: cosine\nscheduler:\n  T_max: 100\ntrainer:\n  max_epochs: 3\n"),
    ("app", "scheduler: ${other}\n"),
]


@pytest.mark.parametrize(("form", "text"), RIGHT)
def test_nothing_is_marked(server: YamlServer, form: str, text: str) -> None:
    assert server.complaints(of(form, text)) == []


WRONG = [
    ("node", "name: step\ngama: 0.5\ngamma: 0.1\n", [(2, "Property gama is not allowed.")]),
    ("node", "name: step\ngamma: -1\n", [(2, "Value is below the minimum of 0.")]),
    ("node", "name: step\ngamma: [1]\n", [(2, "Write a number at least 0")]),
    ("node", "name: step\ngamma: half\n", [(2, "Write a number at least 0")]),
    ("node", "name: step\nwarmup: 5x\n", [(2, "Write a length (30, '30ep', '500st', '10%'), or 0")]),
    ("node", "name: step\nverbose: 3\n", [(2, "Write true or false")]),
    ("node", "name: step\ninterval: epcoh\n", [(2, 'Value is not accepted. Valid values: "auto", "epoch", "step".')]),
    ("node", "gamma: 0.5\n", [(1, 'Missing property "name".')]),
    ("node", "name: cosine\neta_min: {body: -1}\n", [(2, "Value is below the minimum of 0.")]),
    ("node", "name: sequential\nstages:\n  a: {name: step, gama: 1}\n", [(3, "Property gama is not allowed.")]),
    ("group", "defaults: [cosine, _self_]\nT_0: 20%\n", [(2, "Property T_0 is not allowed.")]),
    ("app", "defaults:\n  - scheduler: cosine\nscheduler:\n  T_0: 3\n", [(4, "Property T_0 is not allowed.")]),
    ("app", "scheduler:\n  monitr: val_loss\n", [(2, "Property monitr is not allowed.")]),
]


@pytest.mark.parametrize(("form", "text", "marks"), WRONG)
def test_a_mistake_is_marked_once_where_it_is(
    server: YamlServer, form: str, text: str, marks: list[tuple[int, str]]
) -> None:
    assert server.complaints(of(form, text)) == marks


def test_an_unknown_name(server: YamlServer) -> None:
    [(at, message)] = server.complaints(of("node", "name: stp\ngamma: 0.5\n"))
    assert at == 1
    assert message.startswith('Value is not accepted. Valid values: "none", "lambda"')


SUGGESTED = [
    ("node", "name: |\n", {"none", "step", "range_test"}, {"gamma"}),
    ("node", "name: step\n|\n", {"gamma", "step_size", "warmup"}, {"T_max", "name", "length", "defaults"}),
    ("node", "name: cosine\n|\n", {"T_max"}, {"T_0"}),  # cosine_warm_restarts begins alike
    ("node", "name: step\nwarmup_shape: |\n", {"linear", "cosine", "exponential", "constant"}, {"1-sqrt"}),
    ("node", "name: step\nverbose: |\n", {"true", "false"}, set()),
    ("node", "name: sequential\nstages:\n  a:\n    name: |\n", {"step", "cosine"}, set()),
    ("node", "name: sequential\nstages:\n  a:\n    name: linear\n    |\n", {"end_factor", "length"}, {"gamma"}),
    ("group", "defaults:\n  - cosine_warm_restarts\n  - _self_\n|\n", {"T_0", "T_mult", "name"}, {"T_max"}),
    (
        "app",
        "defaults:\n  - override /scheduler: cosine\nscheduler:\n  warmup: 5%\n  |\n",
        {"T_max", "eta_min"},
        {"T_0"},
    ),
    ("app", "scheduler:\n  name: |\n", {"cosine"}, set()),
]


@pytest.mark.parametrize(("form", "text", "there", "absent"), SUGGESTED)
def test_suggestions(server: YamlServer, form: str, text: str, there: set[str], absent: set[str]) -> None:
    found = set(server.suggestions(of(form, text)))
    assert there <= found
    assert not absent & found


def test_meanings_are_shown(server: YamlServer) -> None:
    assert server.suggestions(of("node", "name: step\n|\n"))["gamma"].startswith("multiplied in at every period")
    assert server.suggestions(of("node", "name: |\n"))["none"].startswith("The optimizer's own rate")
    assert "multiplied in at every period" in server.hover(of("node", "name: step\nga|mma: 0.5\n"))
