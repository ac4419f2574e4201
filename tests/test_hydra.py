"""The plugin in real Hydra apps, in their own processes: what it gives, and what it leaves alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from lr_configs import available

ROOT = Path(__file__).parents[1]
APP = """
import sys
import hydra
from omegaconf import OmegaConf

@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(cfg):
    print(OmegaConf.to_yaml(cfg), end="")
    loaded = {"torch", "pytorch_lightning", "lightning", "numpy"} & set(sys.modules)
    assert not loaded, loaded

main()
assert not {"torch", "pytorch_lightning", "lightning", "numpy"} & set(sys.modules)
"""
#: the same process without our plugin
WITHOUT = """
import sys, runpy, hydra_plugins
hydra_plugins.__path__ = [p for p in hydra_plugins.__path__ if p != {ours!r}]
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def app(folder: Path, files: dict[str, str], code: str = APP) -> Path:
    for name, text in {"config.yaml": "", **files}.items():
        path = folder / "conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "app.py").write_text(code)
    return folder


def run(folder: Path, *arguments: str, plugin: bool = True, python: str = sys.executable, check: bool = True) -> Any:
    command = [python, "app.py", *arguments]
    if not plugin:
        (folder / "without.py").write_text(WITHOUT.format(ours=str(ROOT / "hydra_plugins")))
        command = [python, "without.py", "app.py", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if check:
        assert done.returncode == 0, done.stderr
    return done


def test_a_second_app_sees_the_group(tmp_path: Path) -> None:
    folder = app(tmp_path, {"config.yaml": "defaults: [{scheduler: cosine}]\n"})
    out = run(
        folder, "scheduler=cosine_warm_restarts", "scheduler.T_0=10", "scheduler.T_mult=2", "scheduler.verbose=true"
    ).stdout
    assert out.startswith(
        "scheduler:\n  _target_: lr_configs.scheduler\n  name: cosine_warm_restarts\n  T_0: 10\n  T_mult: 2\n"
    )
    assert run(folder, "--cfg", "job").stdout.startswith("scheduler:\n")
    assert f"scheduler: {', '.join(sorted(available()))}" in run(folder, "--help").stdout


def test_every_name_composes_in_one_sweep(tmp_path: Path) -> None:
    folder = app(tmp_path, {"config.yaml": "defaults: [{scheduler: none}]\n"})
    out = run(folder, "-m", f"scheduler={','.join(available())}").stdout
    for name in available():
        assert f"  name: {name}\n" in out


def test_tab_completion_imports_nothing_heavy(tmp_path: Path) -> None:
    folder = app(tmp_path, {"config.yaml": "defaults: [{scheduler: cosine}]\n"})
    done = subprocess.run(
        [sys.executable, "app.py", "-sc", "query=bash"], cwd=folder, capture_output=True, text=True, check=True,
        env={**__import__("os").environ, "COMP_LINE": "python app.py scheduler=cosine_w", "COMP_POINT": "33"},
    )  # fmt: skip
    assert done.stdout.split() == ["scheduler=cosine_warm_restarts"]


def test_composed_stages_take_new_keys(tmp_path: Path) -> None:
    folder = app(tmp_path, {"config.yaml": "defaults: [{scheduler: sequential}]\n"})
    out = run(
        folder, "scheduler.stages.decay.T_max=20", "scheduler.stages.warmup=null", "scheduler.stages.new.name=step"
    ).stdout
    assert "    warmup: null\n" in out
    assert "      T_max: 20\n" in out
    assert "    new:\n      name: step\n" in out


def test_a_preset_extends_one_of_ours(tmp_path: Path) -> None:
    preset = "defaults: [cosine_warm_restarts, _self_]\nT_mult: 3\n"
    folder = app(tmp_path, {"config.yaml": "defaults: [{scheduler: mine}]\n", "scheduler/mine.yaml": preset})
    assert "  T_mult: 3\n" in run(folder).stdout


def test_a_misspelt_key_and_a_misspelt_schedule(tmp_path: Path) -> None:
    folder = app(tmp_path, {"config.yaml": "defaults: [{scheduler: cosine}]\n"})
    key = run(folder, "scheduler.t_max=3", check=False)
    assert "Key 't_max' not in 'CosineAnnealingLRConfig'" in key.stderr
    name = run(folder, "scheduler=cosin", check=False)
    assert "there is no such schedule. did you mean 'cosine'?" in name.stderr
    assert "Traceback" not in name.stderr
    far = run(folder, "scheduler=zzz", check=False)
    assert "Could not find 'scheduler/zzz'" in far.stderr
    kind = run(folder, "scheduler=step", "scheduler.gamma=abc", check=False)
    assert "could not be converted to Float" in kind.stderr


OWN = {
    "own files": {
        "config.yaml": "defaults: [{scheduler: step}]\n",
        "scheduler/step.yaml": "mine: 1\n",
        "scheduler/other.yaml": "mine: 2\n",
    },
    "plain key": {"config.yaml": "scheduler: linear\nlr: 0.1\n"},
    "plain key in an included file": {"config.yaml": "defaults: [base, _self_]\n", "base.yaml": "scheduler: linear\n"},
    "plain mapping": {"config.yaml": "scheduler: {step: 3}\n"},
    "no such thing": {"config.yaml": "x: 1\n"},
}
CALLS = {
    "own files": [
        (),
        ("scheduler=other",),
        ("scheduler=step", "scheduler.mine=4"),
        ("scheduler=nothing",),
        ("-m", "scheduler=step,other"),
    ],
    "plain key": [(), ("scheduler=cosine",), ("scheduler=null",), ("-m", "scheduler=a,b"), ("--cfg", "job")],
    "plain key in an included file": [("scheduler=cosine",), ("scheduler=step",)],
    "plain mapping": [(), ("scheduler.step=4",), ("scheduler={step:5}",)],
    "no such thing": [(), ("x=2",), ("y=2",), ("--cfg", "all", "--package", "x"), ("--help",)],
}


@pytest.mark.parametrize(("case", "arguments"), [(case, call) for case, calls in CALLS.items() for call in calls])
def test_other_apps_behave_as_before(case: str, arguments: tuple[str, ...], tmp_path: Path) -> None:
    folder = app(tmp_path, OWN[case])
    before, after = (run(folder, *arguments, plugin=plugin, check=False) for plugin in (False, True))
    if arguments == ("--help",):
        ours = f"scheduler: {', '.join(sorted(available()))}\n"
        after.stdout = after.stdout.replace(ours, "")

    def text(out: str) -> str:
        return "\n".join(
            line
            for line in out.splitlines()
            if "HYDRA" not in line and "lr_configs" not in line and not line.startswith("\t")
        )

    assert (after.returncode, text(after.stdout)) == (before.returncode, text(before.stdout))
    assert text(after.stderr) == text(before.stderr)


def test_own_files_are_not_merged_with_ours(tmp_path: Path) -> None:
    folder = app(tmp_path, OWN["own files"])
    assert run(folder, "scheduler=step").stdout == "scheduler:\n  mine: 1\n"
    assert "  name: cosine\n" in run(folder, "scheduler=cosine").stdout  # and it gains the names it lacks


def test_stored_nodes_and_search_paths_win(tmp_path: Path) -> None:
    stored = "from hydra.core.config_store import ConfigStore\nConfigStore.instance().store(group='scheduler', name='step', node={'stored': 1})\n"
    folder = app(tmp_path / "a", {"config.yaml": "defaults: [{scheduler: step}]\n"}, stored + APP)
    assert run(folder).stdout == "scheduler:\n  stored: 1\n"
    folder = app(tmp_path / "b", {"config.yaml": "defaults: [{scheduler: step}]\n"})
    other = tmp_path / "more" / "scheduler"
    other.mkdir(parents=True)
    (other / "step.yaml").write_text("found: 1\n")
    assert run(folder, f"hydra.searchpath=[file://{tmp_path}/more]").stdout == "scheduler:\n  found: 1\n"


def test_another_group(tmp_path: Path) -> None:
    code = (
        "import lr_configs; lr_configs.store(group='model/scheduler'); lr_configs.store(group='model/scheduler')\n"
        + APP
    )
    folder = app(tmp_path, {"config.yaml": "defaults: [{model/scheduler: step}]\n"}, code)
    out = run(folder, "model/scheduler=cosine", "model.scheduler.T_max=4").stdout
    assert out.startswith("model:\n  scheduler:\n    _target_: lr_configs.scheduler\n    name: cosine\n    T_max: 4\n")


def test_foreign_nodes_are_not_overwritten() -> None:
    from hydra.core.config_store import ConfigStore

    import lr_configs

    state = ConfigStore.instance().repo.copy()
    try:
        ConfigStore.instance().store(group="taken", name="cosine", node={"x": 1})
        with pytest.raises(ValueError, match="taken/cosine is in the ConfigStore already"):
            lr_configs.store(group="taken")
    finally:
        ConfigStore.instance().repo = state


def test_a_wheel_away_from_the_checkout(tmp_path: Path) -> None:
    """Built and installed into a fresh environment, which borrows the heavy packages of this one."""
    source = tmp_path / "source"
    ignore = shutil.ignore_patterns(".git", ".venv", "outputs", "multirun", "__pycache__", ".*_cache", ".hypothesis")
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
    folder = app(tmp_path / "app", {"config.yaml": "defaults: [{scheduler: cosine}]\n"})
    heavy = next(p for p in sys.path if p.endswith("site-packages"))
    # -I keeps this checkout out; the installed wheel comes first
    code = (
        f"import sys; sys.path[:0] = [{str(site)!r}, {heavy!r}]; sys.argv = ['app.py', 'scheduler=step']; "
        "import lr_configs, hydra_plugins.lr_configs_plugin as p; "
        f"assert lr_configs.__file__.startswith({str(site)!r}) and p.__file__.startswith({str(site)!r}); "
        "import runpy; runpy.run_path('app.py', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "  name: step\n" in done.stdout
