"""The sweeper `lr_grid` in small apps, each call a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra.core.utils import JobReturn, JobStatus
from hydra_apps import HEAVY, VERSION_BASE, app, completion, multirun, outcome, ran, start
from omegaconf import OmegaConf

from lr_configs.errors import SchedulerConfigError
from lr_configs.sweeps import folder as folder_module
from lr_configs.sweeps import grid, process
from lr_configs.sweeps.files import read_json, write_json
from lr_configs.sweeps.folder import Jobs, SweepFolder, job_folders, manifests
from lr_configs.sweeps.grid import _changes, _failures
from lr_configs.sweeps.manifest import Job, Task, read

CONFIG = """
hydra:
  searchpath: [lr-configs://]
  sweep: {dir: sweep}
defaults:
  - scheduler: cosine
  - override hydra/sweeper: lr_grid
  - _self_
x: 0
y: 0
fail: none
"""
#: Hydra 1.4 makes no callback that it was not told of
OPTIONS = VERSION_BASE or {"execution_whitelist": ["lr_configs.sweeps.JobManifest"]}
CODE = f"""
import os, sys, time
import hydra
from hydra.core.hydra_config import HydraConfig

@hydra.main(config_path="conf", config_name="config", **{OPTIONS})
def main(cfg):
    job = HydraConfig.get().job
    with open("ran.txt", "a") as file:  # an append of a few bytes is one write
        file.write(f"{{job.num if 'num' in job else '-'}} {{cfg.scheduler.name}} {{cfg.x}} {{cfg.y}}\\n")
    if os.path.exists(f"fail-{{cfg.x}}"):
        raise ValueError(f"x is {{cfg.x}}")
    if os.path.exists(f"die-{{cfg.x}}"):
        os.kill(os.getpid(), 9)
    while os.path.exists(f"wait-{{cfg.x}}"):
        time.sleep(0.05)
    return cfg.x + cfg.y / 10

if __name__ == "__main__":
    main()
    assert "joblib" in sys.modules or not {HEAVY} & set(sys.modules), {HEAVY} & set(sys.modules)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return app(tmp_path, {"config.yaml": CONFIG}, CODE)


def statuses(folder: Path) -> dict[str, str]:
    """The jobs' folders and what became of each."""
    return {path.parent.name: read(path).status for path in manifests(folder / "sweep")}


def data(folder: Path, job: str) -> dict[str, Any]:
    return read(folder / "sweep" / job / "manifest.json").data


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_sweep_and_the_same_command_again(folder: Path) -> None:
    said = multirun(folder, "x=1,2", "y=3,4")
    assert "4 jobs: 4 to run" in said
    assert ran(folder) == ["0 cosine 1 3", "1 cosine 1 4", "2 cosine 2 3", "3 cosine 2 4"]
    assert statuses(folder) == dict.fromkeys("0123", "finished")
    found = data(folder, "2")
    assert (found["value"], found["overrides"], found["number"]) == (2.3, ["x=2", "y=3"], 2)
    assert found["command"] == "python app.py x=2 y=3"
    assert "4 jobs: 4 finished before, 0 to run" in multirun(folder, "x=1,2", "y=3,4")
    assert ran(folder) == []
    assert (folder / "sweep/multirun.yaml").exists()  # as Hydra's own sweeper leaves it


def test_a_failure_hides_no_other_job_and_is_run_again(folder: Path) -> None:
    (folder / "fail-2").touch()
    said = multirun(folder, "x=1,2,3", code=1)
    assert ran(folder) == ["0 cosine 1 0", "1 cosine 2 0", "2 cosine 3 0"]
    assert "1 of 3 jobs did not finish:\n  job 1, x=2: ValueError: x is 2 [app.py:" in said
    assert "The same command runs them again" in said
    assert statuses(folder) == {"0": "finished", "1": "failed", "2": "finished"}
    assert "Traceback" in (folder / "sweep/1/app.log").read_text()
    (folder / "fail-2").unlink()
    multirun(folder, "x=1,2,3")
    assert ran(folder) == ["1 cosine 2 0"]
    assert data(folder, "1")["attempt"] == 2


def test_a_job_that_takes_its_process_with_it(folder: Path) -> None:
    """The next call runs it and all behind it, and what was finished stays."""
    (folder / "die-2").touch()
    multirun(folder, "x=1,2,3", code=-9)
    assert statuses(folder) == {"0": "finished", "1": "killed"}
    (folder / "die-2").unlink()
    ran(folder)
    multirun(folder, "x=1,2,3")
    assert ran(folder) == ["1 cosine 2 0", "2 cosine 3 0"]
    assert statuses(folder) == dict.fromkeys("012", "finished")


def test_more_jobs_may_join(folder: Path) -> None:
    """Each keeps its number and its folder, wherever its value stands in the new list."""
    multirun(folder, "x=1,2", "y=3")
    multirun(folder, "x=0,1,2", "y=3,5")
    assert ran(folder)[2:] == ["2 cosine 0 3", "3 cosine 0 5", "4 cosine 1 5", "5 cosine 2 5"]
    assert [data(folder, str(i))["overrides"] for i in range(3)] == [["x=1", "y=3"], ["x=2", "y=3"], ["x=0", "y=3"]]
    assert "6 jobs: 6 finished before, 0 to run" in multirun(folder, "x=0,1,2", "y=3,5")


def test_equal_jobs_are_as_many_as_were_asked_for(folder: Path) -> None:
    multirun(folder, "x=1,1,2")
    assert ran(folder) == ["0 cosine 1 0", "1 cosine 1 0", "2 cosine 2 0"]
    multirun(folder, "x=1,1,2")
    assert ran(folder) == []


def test_two_sweeps_in_one_folder(folder: Path) -> None:
    multirun(folder, "x=1,2")
    said = multirun(folder, "x=1", "y=7,8", code=1)
    assert "2 of the 2 jobs in this folder, the first being x=1, are not of this sweep, whose first is x=1 y=7" in said
    assert "hydra.sweep.dir" in said
    assert "Traceback" not in said
    assert len(ran(folder)) == 2


def test_two_sweeps_at_once_in_one_folder(folder: Path) -> None:
    (folder / "wait-1").touch()
    first = start(folder, "app.py", "-m", "x=1,2")
    wait_for((folder / "ran.txt").exists)
    said = multirun(folder, "x=1,2", code=1)
    assert f"another sweep is at work in this folder: process {first.pid}" in said
    (folder / "wait-1").unlink()
    code, _, error = outcome(first)
    assert code == 0, error
    assert ran(folder) == ["0 cosine 1 0", "1 cosine 2 0"]
    assert not (folder / "sweep/.sweep.lock").exists()


def test_the_sweeper_is_killed_and_what_held_the_folder_is_no_obstacle(folder: Path) -> None:
    (folder / "wait-2").touch()
    first = start(folder, "app.py", "-m", "x=1,2,3")
    wait_for(lambda: (folder / "sweep/1/manifest.json").exists())
    first.send_signal(signal.SIGKILL)
    outcome(first)
    assert (folder / "sweep/.sweep.lock").exists()
    assert statuses(folder) == {"0": "finished", "1": "killed"}
    (folder / "wait-2").unlink()
    ran(folder)
    multirun(folder, "x=1,2,3")
    assert ran(folder) == ["1 cosine 2 0", "2 cosine 3 0"]


def test_an_interrupted_sweep(folder: Path) -> None:
    (folder / "wait-2").touch()
    first = start(folder, "app.py", "-m", "x=1,2,3")
    wait_for(lambda: (folder / "sweep/1/manifest.json").exists())
    first.send_signal(signal.SIGINT)
    assert outcome(first)[0] != 0
    assert not (folder / "sweep/.sweep.lock").exists()
    assert statuses(folder) == {"0": "finished", "1": "killed"}


def test_a_config_file_that_was_changed_is_said(folder: Path) -> None:
    multirun(folder, "x=1,2")
    config = folder / "conf/config.yaml"
    config.write_text(config.read_text().replace("y: 0", "y: 6"))
    said = multirun(folder, "x=1,2,3")
    assert "the config has changed since jobs of this sweep ran: y 0 -> 6" in said
    assert ran(folder) == ["0 cosine 1 0", "1 cosine 2 0", "2 cosine 3 6"]


@pytest.mark.parametrize(
    ("name", "text", "match"),
    [
        (
            "0/manifest.json",
            '{"format": 9, "versions": {"lr_configs": "9.1"}}',
            "0/manifest.json has format 9, of lr_configs 9.1",
        ),
        ("sweep.json", '{"format": 9}', "sweep.json has format 9"),
    ],
)
def test_a_folder_of_a_later_version(name: str, text: str, match: str, folder: Path) -> None:
    multirun(folder, "x=1")
    (folder / "sweep" / name).write_text(text)
    said = multirun(folder, "x=1", code=1)
    assert match in said
    assert "Traceback" not in said
    assert len(ran(folder)) == 1


def test_a_manifest_that_was_cut_off(folder: Path) -> None:
    multirun(folder, "x=1,2")
    path = folder / "sweep/1/manifest.json"
    path.write_bytes(path.read_bytes()[:100])
    said = multirun(folder, "x=1,2")
    assert "1/manifest.json is cut off in the middle: the job is run again" in said
    assert ran(folder)[2:] == ["1 cosine 2 0"]


def test_a_lost_list_of_jobs_is_found_again_in_the_manifests(folder: Path) -> None:
    multirun(folder, "x=1,2")
    (folder / "sweep/sweep.json").unlink()
    multirun(folder, "x=1,2,3")
    assert ran(folder)[2:] == ["2 cosine 3 0"]


def test_folders_named_by_the_overrides(folder: Path) -> None:
    named = "hydra.sweep.subdir=${hydra.job.override_dirname}"
    multirun(folder, "scheduler=step,rex", "x=1", named)
    multirun(folder, "scheduler=step,rex", "x=1", named)
    assert ran(folder) == ["0 step 1 0", "1 rex 1 0"]
    assert statuses(folder) == {"scheduler=rex,x=1": "finished", "scheduler=step,x=1": "finished"}


def test_the_sweepers_own_parameters_and_batches(folder: Path) -> None:
    config = folder / "conf/config.yaml"
    text = "  sweep: {dir: sweep}\n  sweeper: {max_batch_size: 2, params: {scheduler: 'step,rex', x: 'range(1,4)'}}"
    config.write_text(config.read_text().replace("  sweep: {dir: sweep}", text))
    (folder / "fail-1").touch()
    said = multirun(folder, "y=2", code=1)
    assert said.count("Launching 2 jobs") == 3
    assert len(ran(folder)) == 6
    assert "2 of 6 jobs did not finish" in said
    (folder / "fail-1").unlink()
    multirun(folder, "y=2")
    assert ran(folder) == ["0 step 1 2", "3 rex 1 2"]


def test_a_mistake_in_one_job_starts_none(folder: Path) -> None:
    """As under Hydra's own sweeper; the folder is free afterwards."""
    said = multirun(folder, "scheduler=step,no_such", code=1)
    assert "no_such" in said
    assert ran(folder) == []
    assert not list(manifests(folder / "sweep"))


def test_a_disk_that_is_full_at_a_jobs_end(folder: Path) -> None:
    """The sweep writes at its end what the job could not; where it cannot either, it says so, and the job runs again."""
    (folder / "sitecustomize.py").write_text(
        "import os, pathlib\n"
        "old = os.replace\n"
        "def full(a, b, *rest):\n"
        "    if pathlib.Path('full').exists() and str(b).endswith('1/manifest.json'):\n"
        "        if pathlib.Path('full').read_text() == 'once': pathlib.Path('full').unlink()\n"
        "        raise OSError(28, 'No space left on device')\n"
        "    return old(a, b, *rest)\n"
        "os.replace = full\n"
    )
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "default"}

    def run(code: int) -> str:
        found, out, error = outcome(start(folder, "app.py", "-m", "x=1,2,3", env=environment))
        assert found == code, error
        return out + error

    (folder / "full").write_text("always")
    said = run(1)
    assert "manifest.json could not be written: No space left on device" in said
    assert "job 1, x=2: it has finished, but its manifest could not be written (No space left on device)" in said
    assert statuses(folder) == {"0": "finished", "2": "finished"}
    ran(folder)
    (folder / "full").write_text("once")
    run(0)
    assert ran(folder) == ["1 cosine 2 0"]
    assert statuses(folder) == dict.fromkeys("012", "finished")


@pytest.mark.parametrize(("number", "more"), [(1, []), (10, []), (11, ["  and 1 more"]), (300, ["  and 290 more"])])
def test_so_many_failures_are_listed(number: int, more: list[str]) -> None:
    jobs = Jobs(list(range(400)), {i: (f"x={i}", "y=1") for i in range(400)})
    assert _failures(jobs, {i: f"no\n{i}" for i in range(number)}).splitlines() == [
        f"{number} of 400 jobs did not finish:",
        *(f"  job {i}, x={i} y=1: no {i}" for i in range(min(number, 10))),
        *more,
        "The same command runs them again, and no others.",
    ]


# --- the folder ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "last"), [(9, "k8 0 -> 1"), (10, "k9 0 -> 1"), (11, "and 1 more"), (25, "and 15 more")]
)
def test_so_many_changes_are_listed(number: int, last: str) -> None:
    before, now = ({f"k{i}": value for i in range(number)} for value in (0, 1))
    found = _changes(before, now, set())
    assert (len(found), found[-1]) == (min(number, 11), last)


def test_jobs_have_an_order(tmp_path: Path) -> None:
    """Numbers by their size, then names; nothing below a job, in a hidden folder or behind a link is one."""
    for place in ("10", "9", "9/below", "b/1", "a", "²", ".hidden"):
        (tmp_path / "sweep" / place).mkdir(parents=True)
        (tmp_path / "sweep" / place / "manifest.json").touch()
    for place in (".hydra", "c/.hydra", "b/.hydra", "d/.hydra/1"):  # the sweep's own, and what has jobs below, is none
        (tmp_path / "sweep" / place).mkdir(parents=True)
    (tmp_path / "sweep/link").symlink_to(tmp_path / "sweep/a")
    found = [
        (path.relative_to(tmp_path / "sweep").as_posix(), recorded)
        for path, recorded in job_folders(tmp_path / "sweep")
    ]
    assert found == [("9", True), ("10", True), ("a", True), ("b/1", True), ("c", False), ("d", False), ("²", True)]
    assert list(manifests(tmp_path / "sweep/b")) == [tmp_path / "sweep/b/1/manifest.json"]


def test_numbers_of_jobs(tmp_path: Path) -> None:
    """Those that a job has stay its own; a new one gets its place in the list, or the next that is free."""
    sweep = SweepFolder(tmp_path)
    for number, one in ((0, "x=a"), (1, "x=a"), (5, "x=b")):
        Job(Task(tmp_path / str(number), [one], number, multirun=True)).end("finished" if number else "pruned")
    Job(Task(tmp_path / "2", ["x=c"], 2, multirun=True))  # this process runs it
    Job(Task(tmp_path / "3", ["x=d"], 3, multirun=True)).end("failed")
    jobs = sweep.jobs([[f"x={one}"] for one in "eabcdaf"])
    assert jobs.numbers == [4, 0, 5, 2, 3, 1, 6]
    assert jobs.overrides == {number: (f"x={one}",) for number, one in zip(jobs.numbers, "eabcdaf", strict=True)}
    assert (sorted(jobs.found), jobs.notes) == ([0, 1, 2, 3, 5], [])
    assert (jobs.left(), jobs.with_status("pruned", "finished")) == ([4, 3, 6], [0, 5, 1])
    sweep.save(jobs, {"k": 1}, "python app.py")
    saved = sweep.saved()
    assert saved["jobs"] == [["x=a"], ["x=a"], ["x=c"], ["x=d"], ["x=e"], ["x=b"], ["x=f"]]
    assert (saved["config"], saved["command"], saved["process"]) == ({"k": 1}, "python app.py", process.identity())
    assert sweep.jobs([[f"x={one}"] for one in "fedcbaa"]).numbers == [6, 4, 3, 2, 5, 0, 1]
    (tmp_path / "empty").mkdir()
    SweepFolder(tmp_path / "empty").save(Jobs(), {}, "python app.py")
    assert SweepFolder(tmp_path / "empty").saved()["jobs"] == []


def test_a_manifest_that_goes_away_while_the_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        Job(Task(tmp_path / str(number), [f"x={number}"], number, multirun=True)).end("finished")
    monkeypatch.setattr(folder_module, "manifests", lambda path: [path / f"{i}/manifest.json" for i in (0, 7, 2)])
    jobs = SweepFolder(tmp_path).jobs([["x=0"], ["x=2"]])
    assert (jobs.numbers, sorted(jobs.found), jobs.notes) == ([0, 2], [0, 2], [])


def test_a_manifest_among_others_that_cannot_be_read(tmp_path: Path) -> None:
    for number in range(3):
        Job(Task(tmp_path / str(number), [f"x={number}"], number, multirun=True)).end("finished")
    for broken in (0, 1, 2):
        path = tmp_path / f"{broken}/manifest.json"
        text = path.read_text()
        path.write_text(text[:20])
        jobs = SweepFolder(tmp_path).jobs([[f"x={number}"] for number in range(3)])
        assert jobs.with_status("finished") == [number for number in range(3) if number != broken]
        assert [note.partition(":")[0] for note in jobs.notes] == [f"{broken}/manifest.json is cut off in the middle"]
        path.write_text(text)


@pytest.mark.parametrize(
    ("made", "asked", "message"),
    [
        ({"0": (0, "x=0"), "copy": (0, "x=0")}, ["x=0"], "copy has the manifest of job 0, as 0 has. Give this sweep"),
        ({"0": (None, "x=0")}, ["x=0"], "0 has the manifest of a single run. Give this sweep"),
        ({"0": (0, "x=0")}, [], "1 of the 1 jobs in this folder, the first being x=0, are not of this sweep, whose first is nothing"),
        ({"0": (0, "x=0"), "1": (1, "")}, ["x=0"], "1 of the 2 jobs in this folder, the first being without overrides, are"),
        ({"0": (0, "x=1")}, ["x=1"], "job 0 is x=0 y=0 in sweep.json, and x=1 in its folder. Give each sweep"),
    ],
)  # fmt: skip
def test_a_folder_that_is_not_this_sweeps(
    made: dict[str, tuple[int | None, str]], asked: list[str], message: str, tmp_path: Path
) -> None:
    for name, (number, one) in made.items():
        Job(Task(tmp_path / name, one.split(), number, multirun=True)).end("finished")
    if "sweep.json" in message:
        write_json(tmp_path / "sweep.json", {"format": 1, "jobs": [["x=0", "y=0"]]})
    with pytest.raises(SchedulerConfigError) as error:
        SweepFolder(tmp_path).jobs([one.split() for one in asked])
    assert str(error.value).startswith(f"hydra.sweep.dir='{tmp_path}': {message}")


@pytest.mark.parametrize(("batch_size", "batches"), [(None, [[0, 1, 2]]), (2, [[0, 1], [2]]), (3, [[0, 1, 2]])])
def test_what_the_jobs_returned_by_batch(batch_size: int | None, batches: list[list[int]], tmp_path: Path) -> None:
    launched: list[list[int]] = []

    def launch(jobs: list[list[str]], numbers: Any) -> list[JobReturn]:
        launched.append([numbers + index for index in range(len(jobs))])
        assert jobs == [[f"x={number}"] for number in launched[-1]]
        return [
            JobReturn(one, None, folder_of(number), status=JobStatus.COMPLETED, _return_value=one[0])
            for number, one in zip(launched[-1], jobs, strict=True)
        ]

    def folder_of(number: int) -> Any:
        (tmp_path / str(number)).mkdir()
        return OmegaConf.create({"hydra": {"runtime": {"output_dir": str(tmp_path / str(number))}}})

    config = OmegaConf.create({"hydra": {"sweep": {"dir": str(tmp_path)}}, "x": 0})
    found = grid.run(config, [["x=0"], ["x=1"], ["x=2"]], batch_size, launch)
    assert launched == batches
    assert [[one.return_value for one in batch] for batch in found] == [[f"x={i}" for i in batch] for batch in batches]
    # the jobs wrote nothing of themselves, and are known all the same
    assert {read(tmp_path / f"{i}/manifest.json").data["mode"] for i in range(3)} == {"multirun"}
    assert SweepFolder(tmp_path).jobs([["x=0"], ["x=1"], ["x=2"]]).with_status("finished") == [0, 1, 2]
    assert grid.run(config, [["x=0"], ["x=1"], ["x=2"]], batch_size, launch) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1, "process": 7}'])
def test_a_lock_that_says_nothing_holds_while_it_is_fresh(text: str, tmp_path: Path) -> None:
    """Another process may be about to write it."""
    lock = tmp_path / folder_module.LOCK
    lock.write_text(text)
    with (
        pytest.raises(SchedulerConfigError, match="another sweep is at work in this folder"),
        SweepFolder(tmp_path).held(),
    ):
        pass
    os.utime(lock, (0, time.time() - process.STALE - 1))
    with SweepFolder(tmp_path).held():
        assert json.loads(lock.read_text())["process"] == process.identity()


def test_a_folder_with_a_job_of_a_later_version(tmp_path: Path) -> None:
    Job(Task(tmp_path / "0", ["x=0"], 0, multirun=True)).end("finished")
    path = tmp_path / "0/manifest.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 99'))
    with pytest.raises(
        SchedulerConfigError, match=r"0/manifest\.json has format 99.*Give this sweep a folder of its own"
    ):
        SweepFolder(tmp_path).jobs([["x=0"]])


def test_the_lock_of_a_folder_is_fresh_as_long_as_it_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of another machine sees by its time stamp that somebody is at work."""
    stamped: list[Path] = []
    monkeypatch.setattr(process, "pulse", SimpleNamespace(add=stamped.append, drop=stamped.remove))
    with SweepFolder(tmp_path).held():
        assert [path.exists() for path in stamped] == [True]
    assert stamped == []


# --- other launchers -------------------------------------------------------------------------------------------------

JOBLIB = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]


def test_parallel_jobs_keep_their_numbers(folder: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    (folder / "fail-2").touch()
    (folder / "fail-4").touch()
    multirun(folder, "x=1,2,3,4", *JOBLIB, code=1)
    assert sorted(ran(folder)) == [f"{i} cosine {i + 1} 0" for i in range(4)]
    (folder / "fail-2").unlink()
    (folder / "fail-4").unlink()
    multirun(folder, "x=1,2,3,4", *JOBLIB)
    assert sorted(ran(folder)) == ["1 cosine 2 0", "3 cosine 4 0"]
    assert statuses(folder) == dict.fromkeys("0123", "finished")
    assert data(folder, "3")["command"] == "python app.py x=4"


def test_a_killed_worker_and_jobs_that_outlive_their_sweeper(folder: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    (folder / "die-2").touch()
    found, _, _ = outcome(start(folder, "app.py", "-m", "x=1,2,3", *JOBLIB))
    assert found == 1
    before = statuses(folder)
    assert before["1"] == "killed"
    (folder / "die-2").unlink()
    ran(folder)
    multirun(folder, "x=1,2,3", *JOBLIB)
    assert {line.split()[0] for line in ran(folder)} == {"0", "1", "2"} - {
        k for k, v in before.items() if v == "finished"
    }
    assert statuses(folder) == dict.fromkeys("012", "finished")


def test_a_killed_sweeper_of_parallel_jobs(folder: Path) -> None:
    """Whether its workers die with it or live on: what is finished stays, and each job ends once."""
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    (folder / "wait-2").touch()
    first = start(folder, "app.py", "-m", "x=1,2,3,4", *JOBLIB)
    wait_for(lambda: statuses(folder).get("0") == "finished" and "1" in statuses(folder))
    first.send_signal(signal.SIGKILL)
    first.wait()
    (folder / "wait-2").unlink()
    for pipe in (first.stdout, first.stderr):
        assert pipe is not None
        pipe.close()
    wait_for(lambda: "running" not in statuses(folder).values())
    before = statuses(folder)
    ran(folder)
    multirun(folder, "x=1,2,3,4", *JOBLIB)
    assert statuses(folder) == dict.fromkeys("0123", "finished")
    left = {number for number in "0123" if before.get(number) != "finished"}
    assert sorted(line.split()[0] for line in ran(folder)) == sorted(left)


def test_a_comparison_while_the_sweep_runs(folder: Path) -> None:
    (folder / "wait-2").touch()
    first = start(folder, "app.py", "-m", "x=1,2,3")
    wait_for(lambda: (folder / "sweep/1/manifest.json").exists())
    code, out, error = outcome(start(folder, "-m", "lr_configs", "compare", "sweep"))
    assert code == 0, error
    assert out.startswith("3 jobs: 1 finished, 1 running, 1 waiting\n")
    (folder / "wait-2").unlink()
    assert outcome(first)[0] == 0


def test_jobs_that_still_run_are_left_alone(folder: Path) -> None:
    """The process of a job that an earlier, killed sweep started may live on."""
    code = (
        "from pathlib import Path; from lr_configs.sweeps.manifest import Job, Task; import sys\n"
        "job = Job(Task(Path('sweep/1'), ['x=2'], 1, multirun=True)); print(flush=True); sys.stdin.read()\n"
        "job.end('finished', value=2.0)"
    )
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    other = subprocess.Popen([sys.executable, "-c", code], cwd=folder, **pipes)
    assert other.stdout is not None
    other.stdout.readline()
    assert "3 jobs: 1 still running elsewhere, 2 to run" in multirun(folder, "x=1,2,3")
    assert ran(folder) == ["0 cosine 1 0", "2 cosine 3 0"]
    other.communicate("")
    assert "3 jobs: 3 finished before, 0 to run" in multirun(folder, "x=1,2,3")


# --- what Hydra sees -------------------------------------------------------------------------------------------------


def test_the_sweeper_is_completed_in_apps_that_ask(folder: Path) -> None:
    _, out, _ = outcome(start(folder, "app.py", "-sc", "query=bash", **completion("hydra/sweeper=")))
    assert {"hydra/sweeper=basic", "hydra/sweeper=lr_grid"} <= set(out.split())


def test_the_group_of_schedules_may_be_another(folder: Path) -> None:
    config = folder / "conf/config.yaml"
    config.write_text(
        CONFIG.replace("lr-configs://", "lr-configs://model/scheduler").replace("- scheduler", "- model/scheduler")
    )
    (folder / "app.py").write_text(CODE.replace("cfg.scheduler", "cfg.model.scheduler"))
    multirun(folder, "model/scheduler=step,rex")
    assert ran(folder) == ["0 step 0 0", "1 rex 0 0"]


def test_the_hydra_callback_alone(folder: Path) -> None:
    """Under Hydra's own sweeper, and in a single run."""
    mine = "+hydra.callbacks.manifest._target_=lr_configs.sweeps.JobManifest"
    (folder / "fail-2").touch()
    multirun(folder, "hydra/sweeper=basic", "x=1,2", mine, code=1)
    assert statuses(folder) == {"0": "finished", "1": "failed"}
    code, _, error = outcome(start(folder, "app.py", "x=1", "hydra.run.dir=single", mine))
    assert code == 0, error
    found = read(folder / "single/manifest.json").data
    assert (found["status"], found["value"], found["mode"]) == ("finished", 1.0, "run")
    assert "number" not in found


def test_the_command_has_hydras_flags_and_quotes(folder: Path) -> None:
    (folder / "conf/other.yaml").write_text(CONFIG)
    multirun(folder, "--config-name", "other", "x=1", "+note='a b','c;d'")
    assert data(folder, "1")["command"] == "python app.py --config-name other x=1 '+note='\"'\"'c;d'\"'\"''"
    assert read_json(folder / "sweep/sweep.json")["command"].startswith("python app.py -m --config-name other x=1 ")


def test_the_file_lists_every_job(folder: Path) -> None:
    multirun(folder, "x=1,2")
    assert json.loads((folder / "sweep/sweep.json").read_text())["jobs"] == [["x=1"], ["x=2"]]
