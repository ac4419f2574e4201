"""A sweep on a Ray cluster of two nodes: a job whose worker is killed goes on from its checkpoint exactly."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import App, until

from lr_configs import Horizon, curve

RUN = Horizon(epochs=30, steps_per_epoch=23)
ADDRESS = "127.0.0.1:6399"


def ray(*arguments: str) -> None:
    command = [sys.executable, "-m", "ray.scripts.scripts", *arguments]
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    subprocess.run(command, check=True, timeout=120, env=environment, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Two nodes with one core each; the address."""
    pytest.importorskip("hydra_plugins.hydra_ray_launcher", reason="`make test-servers` runs this where Ray is")
    ray("start", "--head", "--port=6399", "--num-cpus=1", "--num-gpus=0", "--include-dashboard=false")
    ray("start", f"--address={ADDRESS}", "--num-cpus=1", "--num-gpus=0")
    yield ADDRESS
    ray("stop", "--force")


@pytest.fixture
def app(cluster: str, tmp_path: Path) -> App:
    return App(tmp_path, "ray", "gpus_per_job=0", f"ray_address={cluster}", "trainer.max_epochs=30", "model=linear")


def planned(*names: str) -> dict[str, object]:
    return {name: pytest.approx(curve(name, base_lr=0.1, horizon=RUN).tolist(), rel=1e-12) for name in names}


def test_every_job_of_a_sweep_is_trained_once_on_both_nodes(app: App, tmp_path: Path) -> None:
    app.run("scheduler=cosine,one_cycle,rex")
    assert {name: result["rates"] for name, result in app.results().items()} == planned("cosine", "one_cycle", "rex")
    workers = set(re.findall(r"_run_job pid=(\d+)", (tmp_path / "log.txt").read_text()))
    assert len(workers) >= 2


def test_a_job_whose_worker_is_killed_goes_on_exactly(app: App, tmp_path: Path) -> None:
    sweep = app.start("scheduler=cosine,one_cycle")
    until(lambda: app.checkpoint(0).exists(), "a checkpoint of the first job")
    pid = until(
        lambda: re.search(r"_run_job pid=(\d+)\)\S* cosine \|", (tmp_path / "log.txt").read_text()), "its process"
    )
    os.kill(int(pid[1]), signal.SIGKILL)
    app.finish(sweep)
    assert "Restored all states from the checkpoint" in (tmp_path / "log.txt").read_text()
    assert {name: result["rates"] for name, result in app.results().items()} == planned("cosine", "one_cycle")


def test_the_same_command_completes_a_sweep_whose_sweeper_was_killed(app: App) -> None:
    sweep = app.start("scheduler=cosine,one_cycle,rex")
    until(lambda: app.results(), "a first result")
    until(lambda: app.checkpoint(2).exists(), "a checkpoint of the last job")
    os.killpg(sweep.pid, signal.SIGKILL)
    sweep.wait()
    before = app.attempts("finished")
    app.run("scheduler=cosine,one_cycle,rex")
    assert {name: result["rates"] for name, result in app.results().items()} == planned("cosine", "one_cycle", "rex")
    # what had finished did not run again
    after = app.attempts("finished")
    assert len(after) == 3
    assert before
    assert {job: after[job] for job in before} == dict.fromkeys(before, 1)
