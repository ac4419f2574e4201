"""The schedules in the Hydra apps that ask for them: in processes of their own, and through Hydra's API."""

from __future__ import annotations

import contextlib
import functools
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import pytest
import torch
from helpers import TWINS, optimizer, rates
from hydra.core.config_store import ConfigStore
from hydra.core.object_type import ObjectType
from hydra.errors import InstantiationException
from hydra.plugins.config_source import ConfigLoadError
from hydra.utils import instantiate
from hydra_apps import APP, LIGHT_APP, TIMELESS, VERSION_BASE, app, completion, failure, outcome, run, start
from omegaconf import DictConfig, OmegaConf

import lr_configs
from hydra_plugins.lr_configs_plugin import LrConfigsSource
from lr_configs import Horizon, SchedulerConfigError, available, build, curve

ROOT = Path(__file__).parents[1]
ASKS = "hydra: {searchpath: ['lr-configs://']}\n"
ASKING = {"config.yaml": f"{ASKS}defaults: [{{scheduler: cosine}}, _self_]\n"}
ON_THE_COMMAND_LINE = "hydra.searchpath=[lr-configs://]"
EXECUTION_LIST = getattr(hydra.utils, "execution_whitelist", None)


@pytest.fixture
def config_store() -> Iterator[ConfigStore]:
    """Hydra's store, put back afterwards."""
    store = ConfigStore.instance()
    before = store.repo
    store.repo = {**before}
    yield store
    store.repo = before


def compose(*overrides: str) -> DictConfig:
    with hydra.initialize(config_path=None, **VERSION_BASE):
        return hydra.compose(overrides=[ON_THE_COMMAND_LINE, *overrides])


def mistake(function: Any) -> SchedulerConfigError:
    """The error of ours that a call ends in; Hydra 1.3 wraps it in one of its own."""
    with pytest.raises((SchedulerConfigError, InstantiationException)) as caught:
        function()
    error = caught.value if isinstance(caught.value, SchedulerConfigError) else caught.value.__cause__
    assert isinstance(error, SchedulerConfigError)
    return error


# The apps that ask, as processes.


def test_one_line_in_the_primary_config(tmp_path: Path) -> None:
    folder = app(tmp_path, ASKING, LIGHT_APP)
    changes = ("scheduler.T_0=10", "scheduler.T_mult=2", "scheduler.verbose=true")
    expected = OmegaConf.to_yaml(
        {
            "scheduler": {
                "_target_": "lr_configs.scheduler",
                "name": "cosine_warm_restarts",
                "T_0": 10,
                "T_mult": 2,
                "eta_min": 0.0,
                "interval": "auto",
                "frequency": 1,
                "monitor": None,
                "warmup": 0,
                "warmup_start_factor": 0.01,
                "warmup_shape": "linear",
                "restart_decay": 1.0,
                "cycles": None,
                "warmup_overlap": False,
                "cooldown": 0,
                "cooldown_shape": "linear",
                "param": "lr",
                "verbose": True,
                "last_epoch": -1,
            }
        }
    )
    assert run(folder, "scheduler=cosine_warm_restarts", *changes) == expected
    assert run(folder, "--cfg", "job", "scheduler=cosine_warm_restarts", *changes).strip() == expected.strip()


def test_one_argument_on_the_command_line(tmp_path: Path) -> None:
    folder = app(tmp_path, {"config.yaml": "lr: 0.1\n"}, LIGHT_APP)
    assert run(folder, ON_THE_COMMAND_LINE, "+scheduler=step", "scheduler.step_size=3").startswith(
        "lr: 0.1\nscheduler:\n  _target_: lr_configs.scheduler\n  name: step\n  step_size: 3\n"
    )


def test_another_group(tmp_path: Path) -> None:
    config = "hydra: {searchpath: ['lr-configs://model/scheduler']}\ndefaults: [{model: conv}, {model/scheduler: step}, _self_]\n"
    folder = app(tmp_path, {"config.yaml": config, "model/conv.yaml": "width: 3\n"}, LIGHT_APP)
    out = run(folder, "model/scheduler=cosine", "model.scheduler.T_max=4")
    assert out.startswith(
        "model:\n  width: 3\n  scheduler:\n    _target_: lr_configs.scheduler\n    name: cosine\n    T_max: 4\n"
    )
    assert "Could not find 'model/linear'" in failure(folder, "model=linear")


def test_every_name_in_one_sweep(tmp_path: Path) -> None:
    out = run(app(tmp_path, ASKING, LIGHT_APP), "-m", f"scheduler={','.join(available())}", TIMELESS)
    assert [line.split()[1] for line in out.splitlines() if line.startswith("  name: ")] == available()


def test_a_sweep_that_asks_on_the_command_line(tmp_path: Path) -> None:
    folder = app(tmp_path, {"config.yaml": "lr: 0.1\n"}, LIGHT_APP)
    out = run(folder, "-m", ON_THE_COMMAND_LINE, "+scheduler=step,cosine", "lr=1,2", TIMELESS)
    assert out.count("  name: step\n") == out.count("  name: cosine\n") == 2


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--help",), "  name: step"),
        (("--info", "searchpath"), "| hydra.searchpath in main | lr-configs://"),
        (("--info", "defaults-tree"), "scheduler: step"),
        (("--info", "defaults"), "| scheduler/step"),
        (("--info", "config"), "  name: step"),
        (("--cfg", "job", "--package", "scheduler"), "name: step"),
    ],
)
def test_information(arguments: tuple[str, ...], line: str, tmp_path: Path) -> None:
    assert line in run(app(tmp_path, ASKING, LIGHT_APP), *arguments, "scheduler=step")


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("scheduler=cosine_w", ["scheduler=cosine_warm_restarts"]),
        ("scheduler=", [f"scheduler={name}" for name in sorted(available())]),
        ("sched", ["scheduler.", "scheduler="]),
        ("+scheduler=const", ["+scheduler=constant"]),
        ("scheduler=step scheduler.step", ["scheduler.step_size="]),
    ],
)
def test_completion(word: str, found: list[str], tmp_path: Path) -> None:
    folder = app(tmp_path, ASKING, LIGHT_APP)
    code, out, _ = outcome(start(folder, "app.py", "-sc", "query=bash", **completion(word)))
    assert (code, sorted(out.split())) == (0, found)


def test_an_app_that_does_not_ask_never_imports_us(tmp_path: Path) -> None:
    check = "assert 'hydra_plugins.lr_configs_plugin' in sys.modules and 'lr_configs' not in sys.modules\n"
    folder = app(tmp_path, {"config.yaml": "scheduler: linear\n"}, APP + check)
    assert run(folder, "scheduler=x") == "scheduler: x\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("scheduler.t_max=3",), "Key 't_max' not in 'CosineAnnealingLRConfig'"),
        (("scheduler=step", "scheduler.gamma=abc"), "could not be converted to Float"),
        (("scheduler=cosin",), "Could not find 'scheduler/cosin'\n\nAvailable options in 'scheduler':\n\tchained\n"),
        (("scheduler=None",), "Could not find 'scheduler/None'"),
    ],
)
def test_mistakes_are_hydras_to_name(arguments: tuple[str, ...], line: str, tmp_path: Path) -> None:
    assert line in failure(app(tmp_path, ASKING), *arguments)


# What is the app's own wins, name by name.


def test_own_files(tmp_path: Path) -> None:
    own = {"scheduler/step.yaml": "mine: 1\n", "scheduler/none.yaml": "mine: 2\n"}
    folder = app(tmp_path, {**ASKING, **own})
    assert run(folder, "scheduler=step") == "scheduler:\n  mine: 1\n"  # not merged with ours
    assert run(folder, "scheduler=none", "scheduler.mine=3") == "scheduler:\n  mine: 3\n"
    assert "  name: cosine\n" in run(folder)  # and the app gains the names it lacks


def test_own_config_directory(tmp_path: Path) -> None:
    more = app(tmp_path / "more", {"scheduler/step.yaml": "found: 1\n"}) / "conf"
    folder = app(tmp_path / "app", ASKING)
    assert run(folder, "--config-dir", str(more), "scheduler=step") == "scheduler:\n  found: 1\n"


@pytest.mark.parametrize(("first", "expected"), [(True, "  found: 1\n"), (False, "  _target_: lr_configs.scheduler\n")])
def test_other_search_paths_win_in_the_order_written(first: bool, expected: str, tmp_path: Path) -> None:
    more = app(tmp_path / "more", {"scheduler/step.yaml": "found: 1\n"}) / "conf"
    paths = [f"file://{more}", "lr-configs://"]
    order = ",".join(paths if first else reversed(paths))
    out = run(app(tmp_path / "app", ASKING), f"hydra.searchpath=[{order}]", "scheduler=step")
    assert out.startswith(f"scheduler:\n{expected}")


def test_stored_nodes(tmp_path: Path, config_store: ConfigStore) -> None:
    config_store.store(group="scheduler", name="step", node={"stored": 1})
    assert compose("+scheduler=step").scheduler == {"stored": 1}
    assert compose("+scheduler=cosine").scheduler.name == "cosine"


def test_a_preset_extends_one_of_ours(tmp_path: Path) -> None:
    preset = "defaults: [cosine_warm_restarts, _self_]\nT_mult: 3\n"
    folder = app(tmp_path, {**ASKING, "scheduler/mine.yaml": preset})
    out = run(folder, "scheduler=mine", "scheduler.T_0=7")
    assert "  name: cosine_warm_restarts\n  T_0: 7\n  T_mult: 3\n" in out
    assert "Key 'gamma' not in 'CosineAnnealingWarmRestartsConfig'" in failure(
        folder, "scheduler=mine", "scheduler.gamma=1"
    )


@pytest.mark.parametrize(
    ("config", "files", "arguments", "expected"),
    [
        ("defaults: [{scheduler: null}, _self_]", {}, [], {}),
        ("defaults: [{scheduler: null}, _self_]", {}, ["scheduler=step"], {"scheduler": "step"}),
        ("defaults: [{scheduler: step}, _self_]", {}, ["~scheduler"], {}),
        ("defaults: [{scheduler@one: step}, {scheduler@two: cosine}, _self_]", {}, [], {"one": "step", "two": "cosine"}),
        ("defaults: [{scheduler@one: step}, _self_]", {}, ["scheduler@one=linear"], {"one": "linear"}),
        ("defaults: [{scheduler@one: step}, _self_]", {}, ["+scheduler@two=none"], {"one": "step", "two": "none"}),
        (
            "defaults: [{model: step}, {optional scheduler: '${model}'}, _self_]",
            {"model/step.yaml": "x: 1\n", "model/conv.yaml": "x: 2\n"},
            [],
            {"model": None, "scheduler": "step"},
        ),
        (
            "defaults: [{model: conv}, {optional scheduler: '${model}'}, _self_]",
            {"model/step.yaml": "x: 1\n", "model/conv.yaml": "x: 2\n"},
            [],
            {"model": None},
        ),
        (
            "defaults: [{scheduler: step}, _self_, {experiment: null}]",
            {"experiment/e.yaml": "# @package _global_\ndefaults: [{override /scheduler: cosine}]\nscheduler: {T_max: 3}\n"},
            ["experiment=e"],
            {"scheduler": "cosine"},
        ),
        ("defaults: [scheduler/step, _self_]", {}, [], {"scheduler": "step"}),
    ],
)  # fmt: skip
def test_defaults_lists(
    config: str, files: dict[str, str], arguments: list[str], expected: dict[str, Any], tmp_path: Path
) -> None:
    folder = app(tmp_path, {**files, "config.yaml": f"{ASKS}{config}\n"})
    with hydra.initialize_config_dir(str(folder / "conf"), **VERSION_BASE):
        composed = hydra.compose("config", arguments)
    assert {key: node.get("name") for key, node in composed.items()} == expected


def test_composed_stages_take_new_keys() -> None:
    stages = compose(
        "+scheduler=sequential",
        "scheduler.stages.decay.T_max=20",
        "scheduler.stages.warmup=null",
        "scheduler.stages.new.name=step",
    ).scheduler.stages
    assert stages.warmup is None
    assert stages.decay.T_max == 20
    assert stages.new == {"name": "step"}


# Through the ConfigStore.


def test_store_under_a_group(tmp_path: Path) -> None:
    stored = "import lr_configs; lr_configs.store(group='model/scheduler'); lr_configs.store(group='model/scheduler')\n"
    folder = app(tmp_path, {"config.yaml": "defaults: [{model/scheduler: step}, _self_]\n"}, stored + LIGHT_APP)
    out = run(folder, "model/scheduler=cosine", "model.scheduler.T_max=4")
    assert out.startswith("model:\n  scheduler:\n    _target_: lr_configs.scheduler\n    name: cosine\n    T_max: 4\n")
    assert f"model/scheduler: {', '.join(sorted(available()))}" in run(folder, "--help")


def test_store_under_a_package(config_store: ConfigStore) -> None:
    lr_configs.store(package="training.schedule")
    assert compose("+scheduler=step").training.schedule.name == "step"


def test_foreign_nodes_are_not_overwritten(config_store: ConfigStore) -> None:
    config_store.store(group="taken", name="cosine", node={"x": 1}, provider="somebody")
    with pytest.raises(ValueError, match=r"taken/cosine is in the ConfigStore already \(from somebody\)"):
        lr_configs.store(group="taken")


# The source by itself.


@pytest.mark.parametrize(
    ("path", "asked", "group", "config"),
    [
        ("lr-configs://", "", True, False),
        ("lr-configs://", "scheduler", True, False),
        ("lr-configs://", "scheduler/", True, False),
        ("lr-configs://", "scheduler/step", False, True),
        ("lr-configs://", "scheduler/step.yaml", False, True),
        ("lr-configs://", "scheduler/None", False, False),
        ("lr-configs://", "scheduler/Step", False, False),
        ("lr-configs://", "scheduler/step/x", False, False),
        ("lr-configs://", "step", False, False),
        ("lr-configs://", "None", False, False),
        ("lr-configs://", "sched", False, False),
        ("lr-configs://", "model", False, False),
        ("lr-configs://", "config", False, False),
        ("lr-configs://model/scheduler", "model", True, False),
        ("lr-configs://model/scheduler", "mod", False, False),
        ("lr-configs://model/scheduler", "scheduler", False, False),
        ("lr-configs://model/scheduler", "scheduler/step", False, False),
        ("lr-configs://model/scheduler", "model/step", False, False),
        ("lr-configs://model/scheduler", "model/scheduler", True, False),
        ("lr-configs://model/scheduler/", "model/scheduler/step", False, True),
    ],
)
def test_what_is_there(path: str, asked: str, group: bool, config: bool) -> None:
    source = LrConfigsSource("test", path)
    assert (source.is_group(asked), source.is_config(asked)) == (group, config)
    if not config:
        with pytest.raises(ConfigLoadError, match="Config not found"):
            source.load_config(asked)


def test_lists() -> None:
    source = LrConfigsSource("test", "lr-configs://model/scheduler")
    names = sorted(available())
    for kind, groups, configs in (
        (None, True, True),
        (ObjectType.GROUP, True, False),
        (ObjectType.CONFIG, False, True),
    ):
        assert source.list("", kind) == (["hydra", "model"] if groups else [])
        assert source.list("hydra", kind) == (["sweeper"] if groups else [])
        assert source.list("hydra/sweeper", kind) == (["lr_grid", "lr_optuna"] if configs else [])
        assert source.list("model", kind) == (["scheduler"] if groups else [])
        assert source.list("model/scheduler", kind) == (names if configs else [])
        assert source.list("other", kind) == []


def test_a_node_is_made_anew_each_time() -> None:
    source = LrConfigsSource("test", "lr-configs://")
    first, second = (source.load_config("scheduler/sequential").config for _ in range(2))
    assert first == second
    first.stages.decay.name = "step"
    assert first != second


# What users write in Python.


def stepped(schedule: Any, steps: int = 6) -> list[float]:
    values = []
    for _ in range(steps):
        values.append(rates(schedule.optimizer)[0])
        schedule.optimizer.step()
        schedule.step()
    return values


HORIZON = Horizon(epochs=6, steps_per_epoch=4)
FORMS = {
    "spec": lambda node, opt: instantiate(node)(opt, horizon=HORIZON),
    "optimizer by name": lambda node, opt: instantiate(node, optimizer=opt, horizon=HORIZON),
    "optimizer in place": lambda node, opt: instantiate(node, opt, horizon=HORIZON),
    "build from a node": lambda node, opt: build(node, opt, HORIZON),
    "build from a dict": lambda node, opt: build(OmegaConf.to_container(node), opt, horizon=HORIZON),
    "build from a spec": lambda node, opt: build(instantiate(node), opt, HORIZON),
    "scheduler": lambda node, opt: lr_configs.scheduler(**OmegaConf.to_container(node))(opt, HORIZON),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_the_call(form: str) -> None:
    node = compose("+scheduler=step", "scheduler.step_size=10st", "scheduler.gamma=0.5").scheduler
    opt = optimizer()
    schedule = FORMS[form](node, opt)
    assert isinstance(schedule, torch.optim.lr_scheduler.StepLR)
    assert schedule.optimizer is opt
    assert stepped(schedule, 13) == [0.1] * 10 + [0.05] * 3
    assert curve(node, base_lr=0.1, horizon=HORIZON).tolist() == [0.1] * 10 + [0.05] * 10 + [0.025] * 4


@pytest.mark.parametrize("name", [name for name in available() if name != "reduce_on_plateau"])
def test_every_name_is_instantiated(name: str) -> None:
    node = compose(f"+scheduler={name}").scheduler
    written = {key: value for key, value in TWINS[name][0].items() if key != "stages"} if name in TWINS else {}
    node = OmegaConf.merge(node, written)
    with_hydra = instantiate(node, optimizer=optimizer(), horizon=HORIZON)
    np.testing.assert_array_equal(stepped(with_hydra), stepped(build(node, optimizer(), HORIZON)))


def test_a_callback_takes_the_node_by_interpolation() -> None:
    callback = {"_target_": "lr_configs.LRSchedulerCallback", "scheduler": "${scheduler}"}
    config = OmegaConf.create({**compose("+scheduler=step"), "callback": callback})
    assert isinstance(instantiate(config.callback), lr_configs.LRSchedulerCallback)


def test_mistakes_reach_the_user_as_ours() -> None:
    node = compose("+scheduler=step", "+scheduler.gama=1").scheduler
    error = mistake(lambda: instantiate(node))
    assert (error.key, error.value) == ("gama", 1)
    assert "did you mean 'gamma'?" in str(error)


@pytest.mark.skipif(EXECUTION_LIST is None, reason="Hydra 1.4 brings the list")
class TestExecutionList:
    """What an app lists, so that Hydra calls it; conftest.py lists the same for all tests."""

    def test_two_names_are_enough(self) -> None:
        node = OmegaConf.create(OmegaConf.to_container(compose("+scheduler=sequential").scheduler))
        callback = {"_target_": "lr_configs.LRSchedulerCallback", "scheduler": node}
        with EXECUTION_LIST(["lr_configs.scheduler", "lr_configs.LRSchedulerCallback"], reset=True):
            assert instantiate(node).name == "sequential"
            assert isinstance(instantiate(node)(optimizer(), HORIZON), torch.optim.lr_scheduler.SequentialLR)
            assert instantiate(node, optimizer=optimizer(), horizon=HORIZON) is not None
            assert instantiate(callback) is not None

    def test_what_is_not_listed_is_not_called(self) -> None:
        node = compose("+scheduler=step").scheduler
        with (
            EXECUTION_LIST(["torch.optim.SGD"], reset=True),
            pytest.raises(InstantiationException, match=r"lr_configs\.scheduler"),
        ):
            instantiate(node)

    def test_build_needs_none(self) -> None:
        node = compose("+scheduler=step").scheduler
        with EXECUTION_LIST(["nothing.of.ours"], reset=True):
            assert isinstance(build(node, optimizer(), HORIZON), torch.optim.lr_scheduler.StepLR)
            assert lr_configs.LRSchedulerCallback(node) is not None


# Nodes that were written for torch's own classes.

TORCH = "torch.optim.lr_scheduler"


@pytest.mark.parametrize("extra", [{}, {"_partial_": True}, {"_partial_": False}])
@pytest.mark.parametrize(
    ("target", "name", "keys"),
    [
        ("StepLR", "step", {"step_size": 2, "gamma": 0.5}),
        ("CosineAnnealingLR", "cosine", {"T_max": 5}),
        ("CosineAnnealingWarmRestarts", "cosine_warm_restarts", {"T_0": 3}),
        ("MultiStepLR", "multi_step", {"milestones": [1, 3]}),
        ("ExponentialLR", "exponential", {"gamma": 0.9}),
    ],
)
class TestTorchsOwnNodes:
    """``_target_: torch.optim.lr_scheduler.StepLR`` means ``name: step`` with the same keys."""

    def test_build(self, target: str, name: str, keys: dict[str, Any], extra: dict[str, Any]) -> None:
        node = {"_target_": f"{TORCH}.{target}", **extra, **keys}
        expected = stepped(build({"name": name, **keys}, optimizer()))
        for form in (node, OmegaConf.create(node)):
            schedule = build(form, optimizer())
            assert isinstance(schedule, getattr(torch.optim.lr_scheduler, target))
            assert stepped(schedule) == expected

    def test_scheduler(self, target: str, name: str, keys: dict[str, Any], extra: dict[str, Any]) -> None:
        config = lr_configs.scheduler(_target_=f"{TORCH}.{target}", **extra, **keys)
        assert config.to_dict() == lr_configs.scheduler(name=name, **keys).to_dict()

    def test_callback(self, target: str, name: str, keys: dict[str, Any], extra: dict[str, Any]) -> None:
        assert lr_configs.LRSchedulerCallback({"_target_": f"{TORCH}.{target}", **extra, **keys}) is not None

    def test_callback_that_hydra_hands_it_unopened(
        self, target: str, name: str, keys: dict[str, Any], extra: dict[str, Any]
    ) -> None:
        node = {"_target_": f"{TORCH}.{target}", **extra, **keys}
        callback = {"_target_": "lr_configs.LRSchedulerCallback", "_recursive_": False, "scheduler": node}
        assert isinstance(instantiate(callback), lr_configs.LRSchedulerCallback)


@pytest.mark.parametrize("through_hydra", [True, False])
def test_a_partial_of_torchs_own_class(through_hydra: bool) -> None:
    """What Hydra makes of a node with `_partial_: true` before it reaches a callback or a module."""
    node = {"_target_": f"{TORCH}.StepLR", "_partial_": True, "step_size": 2, "gamma": 0.5}
    made: Any = functools.partial(torch.optim.lr_scheduler.StepLR, step_size=2, gamma=0.5)
    if through_hydra:
        with EXECUTION_LIST(node["_target_"]) if EXECUTION_LIST else contextlib.nullcontext():
            made = instantiate(node)
    assert stepped(build(made, optimizer())) == [0.1, 0.1, 0.05, 0.05, 0.025, 0.025]
    assert lr_configs.LRSchedulerCallback(made) is not None


@pytest.mark.parametrize(
    ("written", "name"),
    [("StepLR", "step"), ("CosineAnnealingLR", "cosine"), ("OneCycleLR", "one_cycle"), ("LambdaLR", "lambda")],
)
def test_torchs_names(written: str, name: str) -> None:
    assert lr_configs.scheduler(name=written).name == name
    node = OmegaConf.create({"_target_": "lr_configs.scheduler", "name": written})
    assert instantiate(node).name == name


@pytest.mark.parametrize(
    "target", ["timm.scheduler.CosineLRScheduler", "os.system", "my_app.Schedule", "torch.optim.SGD"]
)
def test_any_other_target_is_refused_by_name(target: str) -> None:
    for node in ({"_target_": target, "T_max": 3}, {"_target_": target, "name": "step"}):
        error = mistake(lambda node=node: build(node, optimizer()))
        assert error.key == "_target_"
        assert error.value == target
        assert len(str(error).splitlines()) <= 3
        stage = {"name": "sequential", "stages": {"a": {**node, "length": 3}, "b": {"name": "none"}}}
        assert mistake(lambda stage=stage: build(stage, optimizer())).key == "stages.a._target_"


# What docs/hydra.md says.

DOCUMENT = (ROOT / "docs" / "hydra.md").read_text()


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", DOCUMENT, flags=re.DOTALL))
def test_the_documents_configs(text: str, tmp_path: Path) -> None:
    files = {"config.yaml": text}
    if text.startswith("# conf/"):
        name = text.splitlines()[0].removeprefix("# conf/")
        files = {"config.yaml": f"{ASKS}defaults: [{{scheduler: {Path(name).stem}}}, _self_]\n", name: text}
    with hydra.initialize_config_dir(str(app(tmp_path, files) / "conf"), **VERSION_BASE):
        composed = hydra.compose("config")
    if "callbacks" in composed:
        assert isinstance(instantiate(composed.callbacks.lr_scheduler), lr_configs.LRSchedulerCallback)
    else:
        node = composed.get("scheduler") or composed.model.scheduler
        assert instantiate(node).name in available()


def test_the_documents_list() -> None:
    assert '["lr_configs.scheduler", "lr_configs.LRSchedulerCallback", ' in DOCUMENT


# Installed as users install it.


def test_a_wheel_away_from_the_checkout(tmp_path: Path) -> None:
    """Built and installed into a fresh environment, which borrows the heavy packages of this one."""
    source = tmp_path / "source"
    ignore = shutil.ignore_patterns(".git", ".venv*", "outputs", "multirun", "__pycache__", ".*_cache", ".hypothesis")
    shutil.copytree(ROOT, source, ignore=ignore)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(source)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "hydra_plugins/lr_configs_plugin/__init__.py" in names
    assert "hydra_plugins/__init__.py" not in names  # a namespace that others share
    assert "lr_configs/py.typed" in names
    assert not [name for name in names if name.startswith(("tests", "conf", "examples", "docs"))]

    site = tmp_path / "site"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(wheel)],
        check=True,
        capture_output=True,
    )
    folder = app(tmp_path / "app", ASKING)
    heavy = [path for path in sys.path if path.endswith("site-packages")]
    # -I keeps this checkout out; the installed wheel comes first
    code = (
        f"import sys; sys.path[:0] = [{str(site)!r}, *{heavy!r}]; sys.argv = ['app.py', 'scheduler=step']; "
        "import lr_configs, hydra_plugins.lr_configs_plugin as p; "
        f"assert lr_configs.__file__.startswith({str(site)!r}) and p.__file__.startswith({str(site)!r}); "
        "import runpy; runpy.run_path('app.py', run_name='__main__')"
    )
    code, out, error = outcome(start(folder, "-I", "-S", "-c", code))
    assert code == 0, error
    assert "  name: step\n" in out
