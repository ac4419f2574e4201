"""Tests on real servers and clusters: `make test-servers` runs them, and there a missing server is a failure."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lr_configs.sweeps.folder import manifests
from lr_configs.sweeps.manifest import read

ROOT = Path(__file__).parents[2]
TRAIN = ROOT / "examples" / "train.py"
SLURM = Path(__file__).with_name("slurm.sh")
#: set by `make test-servers`
ASKED = os.environ.get("LR_CONFIGS_SERVERS") == "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip = pytest.mark.skip(reason="`make test-servers` runs this, with the servers that it needs")
    for item in items:
        if Path(__file__).parent in item.path.parents and not ASKED:
            item.add_marker(skip)


def until(true: Callable[[], Any], what: str, seconds: float = 90) -> Any:
    """What `true` gives as soon as it is something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = true()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


class App:
    """The example app, as its users start it: in a process of its own, from another folder."""

    def __init__(self, folder: Path, launcher: str, *always: str, python: str = sys.executable) -> None:
        self.folder, self.launcher, self.always, self.python = folder, launcher, always, python
        self.environment = dict(os.environ)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [self.python, str(TRAIN), "-m", f"launcher={self.launcher}", f"hydra.sweep.dir={self.folder}/sweep"]
        with (self.folder / "log.txt").open("a") as log:
            return subprocess.Popen(
                [*command, *self.always, *arguments],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )

    def finish(self, process: subprocess.Popen[str], seconds: float = 300) -> None:
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
        assert code == 0, (self.folder / "log.txt").read_text()[-4000:]

    def run(self, *arguments: str) -> None:
        self.finish(self.start(*arguments))

    def results(self) -> dict[str, dict[str, Any]]:
        found = {}
        for path in sorted((self.folder / "sweep").rglob("result.json")):
            result = json.loads(path.read_text())
            assert result["schedule"] not in found
            found[result["schedule"]] = result
        return found

    def log(self) -> str:
        return (self.folder / "log.txt").read_text()

    def attempts(self, status: str) -> dict[str, int]:
        """How often each job with this status was begun."""
        found = [read(path) for path in manifests(self.folder / "sweep")]
        return {one.path.parent.name: one.data["attempt"] for one in found if one.status == status}

    def checkpoint(self, job: int) -> Path:
        return self.folder / "sweep" / str(job) / "checkpoints" / "last.ckpt"


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Slurm cluster of one node; the folder of its configuration."""
    folder = tmp_path_factory.mktemp("slurm")
    folder.parent.chmod(0o755)
    subprocess.run(["bash", str(SLURM), "start", str(folder)], check=True, timeout=120)
    os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
    yield folder
    subprocess.run(["scancel", "--user=root"], check=False, timeout=60)
    subprocess.run(["bash", str(SLURM), "stop", str(folder)], check=True, timeout=60)
    del os.environ["SLURM_CONF"]
