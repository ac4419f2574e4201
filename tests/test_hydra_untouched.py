"""Installing this package changes nothing in an app that does not ask for it: not one byte of what it prints.

Every composition is made twice, with the package and in a process that cannot find it. Compositions by the
hundred share a process, through Hydra's own API; the command line is tried in processes of its own.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hydra_apps import APP, TIMELESS, VERSION_BASE, app, completion, outcome, start, without_this_package

STEP = "gamma: 0.5\n"
#: small apps that have, or miss, a `scheduler` of their own; none of them asks for ours
APPS: dict[str, dict[str, str]] = {
    "no such thing": {"config.yaml": "x: 1\n"},
    "plain key": {"config.yaml": "scheduler: linear\nlr: 0.1\n"},
    "mapping": {"config.yaml": "scheduler: {step: 3, gamma: 0.1}\n"},
    "null": {"config.yaml": "scheduler: null\n"},
    "empty mapping": {"config.yaml": "scheduler: {}\n"},
    "missing value": {"config.yaml": "scheduler: ???\n"},
    "plain key in an included file": {
        "config.yaml": "defaults: [base, _self_]\n",
        "base.yaml": "scheduler: linear\n",
    },
    "plain key from a _global_ group": {
        "config.yaml": "defaults: [_self_, {optimizer: sgd}]\n",
        "optimizer/sgd.yaml": "# @package _global_\nscheduler: linear\n",
        "optimizer/adam.yaml": "# @package _global_\nscheduler: cosine\n",
    },
    "plain key in an experiment": {
        "config.yaml": "defaults: [_self_, {experiment: null}]\nscheduler: linear\n",
        "experiment/e.yaml": "# @package _global_\nscheduler: cosine\n",
    },
    "choice in an experiment": {
        "config.yaml": "defaults: [_self_, {experiment: null}]\nlr: 0.1\n",
        "experiment/e.yaml": "# @package _global_\ndefaults: [{override /scheduler: step}]\n",
    },
    "own group chosen in an experiment": {
        "config.yaml": "defaults: [_self_, {scheduler: other}, {experiment: null}]\n",
        "scheduler/step.yaml": STEP,
        "scheduler/other.yaml": "mine: 2\n",
        "experiment/e.yaml": "# @package _global_\ndefaults: [{override /scheduler: step}]\n",
    },
    "null in the defaults list": {"config.yaml": "defaults: [_self_, {scheduler: null}]\n"},
    "null in the defaults list, own group": {
        "config.yaml": "defaults: [_self_, {scheduler: null}]\n",
        "scheduler/step.yaml": STEP,
    },
    "missing choice": {"config.yaml": "defaults: [_self_, {scheduler: ???}]\n"},
    "choice that does not exist": {"config.yaml": "defaults: [_self_, {scheduler: step}]\n"},
    "optional": {"config.yaml": "defaults: [_self_, {optional scheduler: step}]\nscheduler: {x: 1}\n"},
    "optional by interpolation": {
        "config.yaml": "defaults: [_self_, {model: step}, {optional scheduler: '${model}'}]\n",
        "model/step.yaml": "x: 1\n",
        "model/cosine.yaml": "x: 2\n",
    },
    "override": {
        "config.yaml": "defaults: [base, _self_, {override scheduler: step}]\n",
        "base.yaml": "defaults: [{scheduler: other}]\n",
        "scheduler/other.yaml": "mine: 2\n",
    },
    "override of nothing": {"config.yaml": "defaults: [_self_, {override scheduler: step}]\n"},
    "another package": {"config.yaml": "defaults: [_self_, {scheduler@x: step}]\n"},
    "another package, own group": {
        "config.yaml": "defaults: [_self_, {scheduler@x: step}, {scheduler@y: step}]\n",
        "scheduler/step.yaml": STEP,
    },
    "config of a group": {"config.yaml": "defaults: [_self_, scheduler/step]\n"},
    "own group": {
        "config.yaml": "defaults: [_self_, {scheduler: step}]\n",
        "scheduler/step.yaml": STEP,
        "scheduler/other.yaml": "mine: 2\n",
    },
    "own group that extends": {
        "config.yaml": "defaults: [_self_, {scheduler: mine}]\n",
        "scheduler/mine.yaml": "defaults: [step, _self_]\ngamma: 0.9\n",
    },
    "own group of groups": {
        "config.yaml": "defaults: [_self_, {scheduler/warmup: none}]\n",
        "scheduler/warmup/none.yaml": "x: 1\n",
        "scheduler/warmup/linear.yaml": "x: 2\n",
    },
    "nested group": {
        "config.yaml": "defaults: [_self_, {model/scheduler: step}]\n",
        "model/scheduler/step.yaml": STEP,
    },
    "search path of its own": {
        "config.yaml": "hydra: {searchpath: ['file://more']}\ndefaults: [_self_, {scheduler: step}]\n",
        "../more/scheduler/step.yaml": STEP,
    },
    "stored": {"config.yaml": "defaults: [_self_, {scheduler: step}]\n"},
    "stored schema": {"config.yaml": "defaults: [schema, _self_]\nscheduler: linear\n"},
}
#: what an app puts into the ConfigStore: (group, name) -> node
STORED = {
    "stored": {("scheduler", "step"): {"stored": 1}, ("scheduler", "mine"): {"stored": 2}},
    "stored schema": {(None, "schema"): {"scheduler": "step", "lr": 0.1}},
}
CALLS: list[list[str]] = [
    [],
    *(
        [override]
        for override in (
            "scheduler=step", "scheduler=cosine", "scheduler=cosin", "scheduler=null", "scheduler=None",
            "scheduler=[step,cosine]", "scheduler={step:5}", "scheduler.step=4",
            "scheduler.name=step", "+scheduler=step", "+scheduler=x", "+scheduler.gamma=1",
            "++scheduler=step", "++scheduler.gamma=1", "~scheduler", "~scheduler=step", "~scheduler=linear",
            "scheduler@x=step", "+scheduler@x=step", "scheduler@:x=step",
            "model/scheduler=step", "scheduler/warmup=linear", "schedulers=step", "sheduler=step",
            "experiment=e", "model=cosine", "optimizer=adam",
        )
    ),
    ["scheduler=step", "scheduler.gamma=1"],
    ["+scheduler=cosine", "scheduler.T_max=3"],
    ["experiment=e", "scheduler=step"],
]  # fmt: skip
BATCH = f"""
import copy, importlib.util, json, sys
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

def composed(call):
    try:
        return OmegaConf.to_yaml(compose("config", call))
    except Exception as error:
        return "; because of ".join(f"{{type(e).__name__}}: {{e}}" for e in (error, error.__cause__) if e)

apps, calls = json.load(sys.stdin)
result = {{}}
for name, (folder, stored) in apps.items():
    store = ConfigStore.instance()
    before, store.repo = store.repo, copy.deepcopy(store.repo)
    for group, key, node in stored:
        store.store(group=group, name=key, node=node)
    with initialize_config_dir(folder, **{VERSION_BASE}):
        for call in calls:
            result[f"{{name}}: {{' '.join(call)}}"] = composed(call)
    store.repo = before
plugin = importlib.util.find_spec("hydra_plugins.lr_configs_plugin")
json.dump([plugin is not None, importlib.util.find_spec("lr_configs") is not None, result], sys.stdout)
"""


def environments(folder: Path) -> list[dict[str, str]]:
    """Of a process with this package, and of one without."""
    return [dict(os.environ), without_this_package(folder)]


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What both environments make of every call to every app."""
    base = tmp_path_factory.mktemp("apps")
    apps: dict[str, Any] = {}
    for number, (name, files) in enumerate(APPS.items()):
        stored = [(group, key, node) for (group, key), node in STORED.get(name, {}).items()]
        apps[name] = (str(app(base / str(number), files) / "conf"), stored)
    (base / "more").symlink_to(Path(apps["search path of its own"][0]).parent / "more")
    processes = [start(base, "-c", BATCH, stdin=subprocess.PIPE, env=env) for env in environments(base / "hide")]
    results = [outcome(process, json.dumps([apps, CALLS])) for process in processes]
    for code, _, error in results:
        assert code == 0, error
    return [(*json.loads(out), error) for _, out, error in results]


def test_the_comparison_is_one(batches: Any) -> None:
    """One process has the package and its plugin, the other one finds neither."""
    assert [(plugin, package) for plugin, package, _, _ in batches] == [(True, True), (False, False)]


@pytest.mark.parametrize("name", APPS)
def test_compositions(name: str, batches: Any) -> None:
    (_, _, after, _), (_, _, before, _) = batches
    mine = [key for key in before if key.startswith(f"{name}: ")]
    assert len(mine) == len(CALLS)
    for key in mine:
        assert after[key] == before[key], key


def test_warnings(batches: Any) -> None:
    assert batches[0][3] == batches[1][3]


def both(folder: Path, *arguments: str, **environment: str) -> list[tuple[int, str, str]]:
    """What the app of `folder` does with this package and without."""
    found = environments(folder / "hide")
    processes = [start(folder, "app.py", *arguments, env={**env, **environment}) for env in found]
    return [outcome(process) for process in processes]


COMMAND_LINES: dict[str, list[tuple[str, ...]]] = {
    "no such thing": [(), ("scheduler=step",), ("+scheduler=step",), ("--help",), ("--hydra-help",), ("--cfg", "all")],
    "plain key": [
        ("scheduler=cosine",),
        ("-m", "scheduler=a,b", TIMELESS),
        ("--help",),
        ("--info", "config"),
        ("--cfg", "job", "--package", "scheduler"),
        ("~scheduler",),
    ],
    "own group": [
        ("scheduler=other",),
        ("scheduler=cosin",),
        ("-m", "scheduler=step,other", TIMELESS),
        ("--help",),
        ("--info", "searchpath"),
        ("--info", "defaults"),
        ("--info", "defaults-tree"),
    ],
    "choice that does not exist": [(), ("scheduler=step",), ("--help",), ("--info", "defaults-tree")],
    "optional": [(), ("--info", "defaults"), ("hydra/sweeper=lr_grid",), ("-m", "hydra/sweeper=no_such")],
}


@pytest.mark.parametrize(
    ("name", "arguments"), [(name, call) for name, calls in COMMAND_LINES.items() for call in calls]
)
def test_command_lines(name: str, arguments: tuple[str, ...], tmp_path: Path) -> None:
    after, before = both(app(tmp_path, APPS[name]), *arguments)
    assert after == before


def test_information_differs_in_the_list_of_plugins_alone(tmp_path: Path) -> None:
    (code, out, error), before = both(app(tmp_path, APPS["own group"]), "--info", "all")
    for plugin in ("LrConfigsSource", "LrGridSweeper", "LrOptunaSweeper"):
        assert out.count(f"\t\t{plugin}\n") == 1
        out = out.replace(f"\t\t{plugin}\n", "")
    assert (code, timeless(out), error) == (0, timeless(before[1]), before[2])


def timeless(information: str) -> str:
    """Without the time that each plugin took to import, which Hydra prints beside it."""
    without = re.sub(r"^.*(hydra_plugins|hydra\._internal).*\| *[\d.]+ sec.*\n", "", information, flags=re.MULTILINE)
    return re.sub(r"[\d.]+ sec", "", without)


@pytest.mark.parametrize("word", ["sched", "scheduler=", "+sched", "~scheduler=", "hydra/sweeper="])
@pytest.mark.parametrize("name", ["no such thing", "plain key", "own group"])
def test_completion(name: str, word: str, tmp_path: Path) -> None:
    words = {key: completion(word)["env"][key] for key in ("COMP_LINE", "COMP_POINT")}
    after, before = both(app(tmp_path, APPS[name]), "-sc", "query=bash", **words)
    assert after == before


def test_an_app_that_asks_is_told_apart(tmp_path: Path) -> None:
    """The comparison itself notices: without the package, nobody knows the scheme."""
    files = {"config.yaml": "hydra: {searchpath: ['lr-configs://']}\ndefaults: [_self_, {scheduler: step}]\n"}
    (code, out, _), (other_code, _, _) = both(app(tmp_path, files, APP))
    assert code == 0
    assert "name: step" in out
    assert other_code == 1
