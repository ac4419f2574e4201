"""A sweep on Slurm: jobs that are requeued, or whose node loses its daemon, go on from their checkpoint exactly."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from conftest import SLURM, App, until

from lr_configs import Horizon, curve

EPOCHS, BATCHES = 30, 23
RUN = Horizon(epochs=EPOCHS, steps_per_epoch=BATCHES)


@pytest.fixture
def app(slurm: Path, tmp_path: Path) -> App:
    return App(tmp_path, "slurm", "gpus_per_job=0", "cpus_per_job=1", f"trainer.max_epochs={EPOCHS}", "model=linear")


def running(state: str = "RUNNING") -> list[str]:
    """The jobs in a state, as ARRAY_TASK."""
    command = ["squeue", "--noheader", "--array", "--format=%i", f"--states={state}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def planned(schedule: str) -> list[float]:
    return curve(schedule, base_lr=0.1, horizon=RUN).tolist()


def test_every_job_of_a_sweep_is_trained_once(app: App) -> None:
    app.run("scheduler=cosine,one_cycle,rex")
    found = app.results()
    assert {name: result["rates"] for name, result in found.items()} == {
        name: pytest.approx(planned(name), rel=1e-12) for name in ("cosine", "one_cycle", "rex")
    }


def test_a_job_that_is_killed_and_requeued_goes_on_exactly(app: App, tmp_path: Path) -> None:
    sweep = app.start("scheduler=cosine,one_cycle")
    until(lambda: app.checkpoint(0).exists(), "a checkpoint of the first job")
    (job,) = [one for one in running() if one.endswith("_0")]
    subprocess.run(["scontrol", "requeue", job], check=True)
    app.finish(sweep)
    again = (tmp_path / "sweep" / "0" / "train.log").read_text()
    assert again.count("Restored all states from the checkpoint") == 1
    found = app.results()
    assert found["cosine"]["rates"] == pytest.approx(planned("cosine"), rel=1e-12)
    assert found["one_cycle"]["rates"] == pytest.approx(planned("one_cycle"), rel=1e-12)


def test_a_node_whose_daemon_is_killed_loses_nothing(app: App, slurm: Path) -> None:
    sweep = app.start("scheduler=cosine,rex,one_cycle")
    until(lambda: app.checkpoint(0).exists(), "a checkpoint of the first job")
    os.kill(int((slurm / "slurmd.pid").read_text()), signal.SIGKILL)
    subprocess.run(["bash", str(SLURM), "slurmd", str(slurm)], check=True, timeout=60)
    app.finish(sweep)
    found = app.results()
    assert {name: result["rates"] for name, result in found.items()} == {
        name: pytest.approx(planned(name), rel=1e-12) for name in ("cosine", "one_cycle", "rex")
    }


def test_the_jobs_of_a_sweeper_that_is_killed_finish_by_themselves_and_are_not_run_again(app: App) -> None:
    sweep = app.start("scheduler=cosine,rex")
    until(lambda: app.checkpoint(0).exists(), "a checkpoint of the first job")
    os.killpg(sweep.pid, signal.SIGKILL)
    sweep.wait()
    until(lambda: not [*running(), *running("PENDING")], "the end of all jobs")
    app.run("scheduler=cosine,rex,one_cycle")
    assert "3 jobs: 2 finished before, 1 to run" in app.log()
    assert {name: result["rates"] for name, result in app.results().items()} == {
        name: pytest.approx(planned(name), rel=1e-12) for name in ("cosine", "one_cycle", "rex")
    }
    assert app.attempts("finished") == {"0": 1, "1": 1, "2": 1}
