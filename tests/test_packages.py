"""Schedules that installed packages offer: found by name, imported when asked for."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
ASK = """
import sys, warnings
sys.path.insert(0, {folder!r})
import lr_configs
assert "own_schedule" not in sys.modules
names = lr_configs.available()
assert names[-2:] == ["sawtooth", "broken"] or names[-2:] == ["broken", "sawtooth"], names
assert "own_schedule" not in sys.modules and "broken_package" not in sys.modules
assert lr_configs.registry.entry("cosine")
assert "own_schedule" not in sys.modules
rates = lr_configs.curve({{"name": "sawtooth", "teeth": 2, "low": 0.5}}, 1.0, lr_configs.Horizon(steps=8))
assert rates.tolist() == [1, 0.875, 0.75, 0.625] * 2
assert "torch" not in sys.modules
try:
    lr_configs.registry.entry("broken")
except lr_configs.SchedulerConfigError as error:
    print(error)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    lr_configs.store()
assert any("broken" in str(one.message) for one in caught)
from hydra.core.config_store import ConfigStore
stored = ConfigStore.instance().list("scheduler")
assert "sawtooth.yaml" in stored and "cosine.yaml" in stored and "broken.yaml" not in stored
try:
    lr_configs.registry.entry("sawtoth")
except lr_configs.SchedulerConfigError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: Any) -> Path:
    """The example installed as pip would, and a package beside it that cannot be imported."""
    folder: Path = tmp_path_factory.mktemp("packages")
    source = ROOT / "examples" / "own_schedule"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), str(source)]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    information = folder / "broken_package-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: broken_package\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[lr_configs.schedules]\nbroken = broken_package:schedule\n")
    (folder / "broken_package.py").write_text("import a_package_that_is_not_there\n")
    return folder


def test_a_package_is_found_and_imported_when_asked_for(installed: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK.format(folder=str(installed))], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    broken, unknown = done.stdout.splitlines()
    assert broken == (
        "name='broken': the package broken_package has this schedule, and its import fails: ModuleNotFoundError: No "
        "module named 'a_package_that_is_not_there'. Repair broken_package:schedule, or uninstall the package."
    )
    assert "did you mean 'sawtooth'?" in unknown


def test_as_an_option_of_a_hydra_app(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import hydra, lr_configs\n@hydra.main(config_path=None, version_base='1.3')\n"
        "def main(cfg): print(lr_configs.curve(cfg.scheduler, 1.0, lr_configs.Horizon(steps=4)).tolist())\n"
        "if __name__ == '__main__': main()\n"
    )
    arguments = ["hydra.searchpath=[lr-configs://]", "+scheduler=sawtooth", "scheduler.teeth=2", "scheduler.low=0"]
    done = subprocess.run(
        [sys.executable, "app.py", *arguments, "hydra.run.dir=."],
        capture_output=True, text=True, cwd=tmp_path, check=False,
        env={"PYTHONPATH": f"{installed}:{ROOT}", "PATH": sysconfig.get_path("scripts")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[1.0, 0.5, 1.0, 0.5]"
