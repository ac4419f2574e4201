"""What a job leaves behind: the file, its place in the process, and what the Lightning callback puts into it."""

from __future__ import annotations

import importlib.machinery
import json
import math
import os
import platform
import subprocess
import sys
import time
import types
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from helpers import together
from hydra.errors import CompactHydraException
from hydra_apps import VERSION_BASE
from lightning_helpers import Tiny, fit, loader, trainer

from lr_configs import Horizon, LRSchedulerCallback, SchedulerConfigError, curve
from lr_configs.sweeps import Manifest, current, files, process
from lr_configs.sweeps.ending import ending
from lr_configs.sweeps.files import LaterVersion, Unreadable, read_json, write_json
from lr_configs.sweeps.manifest import LONGEST, Job, Task, plain_value, read, settle

NODE = {"name": "cosine", "warmup": "10%"}


def manifest(folder: Path) -> dict[str, Any]:
    return read(folder / "manifest.json").data


def points(found: dict[str, Any]) -> dict[float, float]:
    return {x: y for x, y in found["points"]}


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("my.app.__main__", "python -m my.app a=1"),
        ("my.app", "python -m my.app a=1"),
        ("joblib.externals.loky.backend.popen_loky_posix", ""),
        ("submitit.core._submit", ""),
    ],
)
def test_how_this_process_was_started(name: str, begins: str, monkeypatch: pytest.MonkeyPatch) -> None:
    main = types.ModuleType("__main__")
    main.__spec__ = importlib.machinery.ModuleSpec(name, None)
    monkeypatch.setitem(sys.modules, "__main__", main)
    monkeypatch.setattr(sys, "argv", ["x.py", "a=1"])
    assert current.command_line() == begins
    assert current.program() == begins.removesuffix(" a=1")


# --- the file --------------------------------------------------------------------------------------------------------


def test_numbers_that_no_json_has(tmp_path: Path) -> None:
    write_json(
        tmp_path / "x.json", {"format": 1, "loss": [math.nan, math.inf, -math.inf, 1.5], "more": {"a": math.nan}}
    )

    def strict(text: str) -> None:
        raise AssertionError(text)

    data = json.loads((tmp_path / "x.json").read_text(), parse_constant=strict)
    assert data["loss"] == ["nan", "inf", "-inf", 1.5]
    assert [files.number(one) for one in data["loss"][1:]] == [math.inf, -math.inf, 1.5]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "is empty"),
        ('{"format": 1, "status": "fin', "is cut off in the middle"),
        ('{"format": 1, }', "is damaged"),
        ("[1]", "was not written by lr_configs"),
        ('{"status": "finished"}', "was not written by lr_configs"),
        ('{"format": 1, "status": "no such"}', "status is 'no such'"),
        ('{"format": 1, "status": "finished", "overrides": 3}', "overrides is a int"),
        ('{"format": 1, "status": "finished", "metrics": []}', "metrics is a list"),
        ("[" * 100_000, "is cut off"),
        ('{"format": 1, "status": "finished", "x": "' + "y" * (1 << 23) + '"}', "more than 8 MB"),
        ('{"format": 1, "status": "\udcff"}'.encode("utf-8", "surrogateescape").decode("latin-1"), "status is"),
    ],
)
def test_files_that_say_nothing(text: str, match: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(Unreadable, match=match):
        read(tmp_path / "manifest.json")


def test_a_later_version(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"format": 2, "versions": {"lr_configs": "9.1"}}')
    with pytest.raises(LaterVersion, match=r"format 2, of lr_configs 9\.1: this version reads 1"):
        read(tmp_path / "manifest.json")
    with pytest.raises(SchedulerConfigError, match="format 2"):
        Job(Task(tmp_path))


def test_every_prefix_of_a_manifest_is_whole_or_unreadable(tmp_path: Path) -> None:
    Job(Task(tmp_path, ["a=1"])).end("finished", value=1.0)
    whole = (tmp_path / "manifest.json").read_bytes()
    for end in range(len(whole.rstrip())):
        (tmp_path / "manifest.json").write_bytes(whole[:end])
        with pytest.raises(Unreadable):
            read(tmp_path / "manifest.json")


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").mkdir()
    with pytest.raises(Unreadable, match=r"^manifest\.json cannot be read: Is a directory"):
        read_json(tmp_path / "manifest.json")


def test_what_has_to_outlast_a_power_failure_is_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it takes the old file's place: a job's end is, its beats are not."""
    done: list[str] = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *words, name=name, real=real: (done.append(name), real(*words)))
    write_json(tmp_path / "x.json", {"format": 1})
    write_json(tmp_path / "x.json", {"format": 1}, flush=False)
    assert done == ["fsync", "replace", "replace"]
    job = Job(Task(tmp_path))
    job.write()
    job.end("finished")
    assert done[3:] == ["replace", "replace", "fsync", "replace"]


def test_readers_see_whole_files_only(tmp_path: Path) -> None:
    """A process writes without a pause while this one reads."""
    code = (
        "import sys; from pathlib import Path; from lr_configs.sweeps.files import write_json\n"
        "for i in range(10**9): write_json(Path(sys.argv[1]), {'format': 1, 'i': i, 'x': 'y' * 50_000, 'j': i}, flush=False)"
    )
    path = tmp_path / "x.json"
    write_json(path, {"format": 1, "i": 0, "j": 0})
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)])
    try:
        seen = set()
        deadline = time.monotonic() + 60
        while len(seen) < 50 and time.monotonic() < deadline:
            data = read_json(path)
            assert data["i"] == data["j"]
            seen.add(data["i"])
        assert len(seen) == 50
    finally:
        writer.kill()
        writer.wait()


def test_a_full_disk_leaves_the_old_file_alone(tmp_path: Path) -> None:
    """A limit on the size of files is what a full disk is to a writer: a part is taken, then nothing."""
    path = tmp_path / "x.json"
    write_json(path, {"format": 1, "old": True})
    code = (
        "import resource, signal, sys; from pathlib import Path; from lr_configs.sweeps.files import write_json\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_json(Path(sys.argv[1]), {'format': 1, 'x': 'y' * 5000})\n"
        "except OSError as error: print(error.strerror)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == "File too large\n"
    assert read_json(path) == {"format": 1, "old": True}
    assert [one.name for one in tmp_path.iterdir()] == ["x.json"]


# --- processes -------------------------------------------------------------------------------------------------------


def test_a_process_that_is_gone_and_its_number_used_again(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.touch()
    code = "from lr_configs.sweeps import process; import json; print(json.dumps(process.identity()))"
    other = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert process.certainly_alive(other) is False
    assert process.alive(process.identity(), file)
    assert process.certainly_alive({**process.identity(), "start": "1"}) is False


def test_a_machine_that_tells_little_of_its_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_text(path: Path) -> str:
        raise OSError(path)

    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process._place.cache_clear()
    monkeypatch.setattr(process.Path, "read_text", read_text)
    try:
        mine = process.identity()
        assert (mine["place"], mine["start"]) == (mine["host"], None)
        assert process.certainly_alive(mine)
        assert process.certainly_alive({**mine, "pid": other.pid})
        other.communicate(b"\n")
        assert other.returncode == 0  # it was only looked for
        assert process.certainly_alive({**mine, "pid": other.pid}) is False
    finally:
        process._place.cache_clear()


def test_a_process_of_another_machine_lives_as_long_as_its_file_changes(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.touch()
    other = {**process.identity(), "host": "node7", "place": "node7/another boot"}
    assert process.certainly_alive(other) is None
    assert not process.is_this(other)
    assert process.is_this(process.identity())
    assert process.alive(other, file)
    os.utime(file, (0, time.time() - process.STALE - 1))
    assert not process.alive(other, file)


def test_the_time_stamp_moves_while_a_job_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "BEAT", 0.01)
    monkeypatch.setattr(process, "pulse", process.Pulse())
    job = Job(Task(tmp_path))
    os.utime(tmp_path / "manifest.json", (0, 0))
    deadline = time.monotonic() + 30
    while (tmp_path / "manifest.json").stat().st_mtime == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (tmp_path / "manifest.json").stat().st_mtime > 0
    job.end("finished")
    time.sleep(0.1)
    os.utime(tmp_path / "manifest.json", (0, 0))
    time.sleep(0.1)
    assert (tmp_path / "manifest.json").stat().st_mtime == 0


# --- a job -----------------------------------------------------------------------------------------------------------


def test_a_job_that_runs_after_all(tmp_path: Path) -> None:
    job = Job(Task(tmp_path))
    job.end("failed", "too early", 1.0)
    job.reopen()
    assert not job.ended
    assert {key: job.data[key] for key in ("status", "reason", "value", "ended")} == {
        "status": "running", "reason": None, "value": None, "ended": None,
    }  # fmt: skip
    job.end("finished")
    assert manifest(tmp_path)["status"] == "finished"


@pytest.mark.parametrize(("cls", "status"), [("Failing", "running"), ("Interrupted", "killed")])
def test_a_job_that_hydra_ends_is_ended_here_by_an_interruption_alone(cls: str, status: str, tmp_path: Path) -> None:
    current.enter(Job(Task(tmp_path)))
    try:
        with pytest.raises((RuntimeError, SystemExit)):
            fit(LRSchedulerCallback(NODE), globals()[cls](), Manifest())
        assert manifest(tmp_path)["status"] == status
    finally:
        current.leave()


def test_how_long_a_job_has_run_and_how_old_its_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    job = Job(Task(tmp_path))
    assert manifest(tmp_path)["seconds"] == 0
    now = 107.5
    assert (job.older(7), job.older(8)) == (True, False)
    job.write()
    assert manifest(tmp_path)["seconds"] == 7.5
    now = 110.0
    assert (job.older(2), job.older(3)) == (True, False)
    job.end("finished")
    assert manifest(tmp_path)["seconds"] == 10


def test_a_killed_job_and_its_next_attempt(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from lr_configs.sweeps.manifest import Job, Task\n"
        "Job(Task(Path(sys.argv[1]), ['a=1'])); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == -9
    found = read(tmp_path / "manifest.json")
    assert (found.data["status"], found.status) == ("running", "killed")
    assert "is gone" in found.reason
    Job(Task(tmp_path, ["a=1"])).end("failed", "x" * 10_000)
    again = read(tmp_path / "manifest.json")
    assert (again.status, again.data["attempt"]) == ("failed", 2)
    assert len(again.reason) == LONGEST


def test_the_folder_of_another_job(tmp_path: Path) -> None:
    Job(Task(tmp_path, ["a=1"], 0, multirun=True)).end("finished")
    with pytest.raises(SchedulerConfigError, match="this is the folder of the job a=1, of another sweep"):
        Job(Task(tmp_path, ["a=2"], 0, multirun=True))
    Job(Task(tmp_path, ["a=3"])).end("finished")  # a single run replaces what it finds
    assert manifest(tmp_path)["overrides"] == ["a=3"]
    assert manifest(tmp_path)["attempt"] == 1


def test_a_job_that_another_process_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import sys, time; from pathlib import Path; from lr_configs.sweeps.manifest import Job, Task\n"
        "Job(Task(Path(sys.argv[1]), ['a=1'])); print(flush=True); time.sleep(100)"
    )
    environment = {**os.environ, "SLURM_JOB_ID": "77"}
    other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, env=environment)
    try:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(SchedulerConfigError, match=f"process {other.pid} runs this very job"):
            Job(Task(tmp_path, ["a=1"]))
        monkeypatch.setenv("SLURM_JOB_ID", "77")  # Slurm has requeued it, and is about to end the old one
        Job(Task(tmp_path, ["a=1"])).end("finished")
    finally:
        other.kill()
        other.communicate()


def test_a_pruned_job(tmp_path: Path) -> None:
    job = Job(Task(tmp_path))
    job.prune("0.3 after 2 epochs is hopeless")
    job.end("finished", value=0.3)
    assert manifest(tmp_path)["status"] == "pruned"
    assert read(tmp_path / "manifest.json").reason == "0.3 after 2 epochs is hopeless"


def test_a_manifest_that_cannot_be_written_never_ends_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job(Task(tmp_path, ["a=1"]))
    replace = os.replace

    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.warns(UserWarning, match=r"manifest\.json could not be written: No space left on device"):
        job.end("finished", value=2.0)
    assert manifest(tmp_path)["status"] == "running"
    refusal = settle(Task(tmp_path, ["a=1"]), "finished", None, 2.0)
    assert refusal is not None
    monkeypatch.setattr(os, "replace", replace)
    assert settle(Task(tmp_path, ["a=1"]), "finished", None, 2.0) is None
    assert (manifest(tmp_path)["status"], manifest(tmp_path)["value"]) == ("finished", 2.0)
    assert settle(Task(tmp_path, ["a=1"]), "failed", "too late", None) is None
    assert manifest(tmp_path)["status"] == "finished"


def test_the_end_of_a_job_that_left_nothing(tmp_path: Path) -> None:
    task = Task(tmp_path, ["a=1"], 3, multirun=True, command="python app.py a=1")
    assert settle(task, "failed", "x" * (LONGEST + 1), (1, 2)) is None
    found = manifest(tmp_path)
    assert found.pop("started") <= found.pop("ended")
    assert found.pop("process") == process.identity()
    assert found.pop("versions")["python"] == platform.python_version()
    assert found == {
        "format": 1, "status": "failed", "reason": "x" * (LONGEST - 3) + "...", "overrides": ["a=1"], "number": 3,
        "mode": "multirun", "command": "python app.py a=1", "seconds": 0.0, "attempt": 1, "value": [1.0, 2.0],
        "schedules": [], "rates": {}, "metrics": {},
    }  # fmt: skip


class TrialPruned(Exception):
    """As Optuna calls it."""


class SIGTERMException(SystemExit):
    """As Lightning calls it."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("no"), ("failed", "ValueError: no")),
        (ValueError(), ("failed", "ValueError")),
        (TrialPruned("hopeless"), ("pruned", "hopeless")),
        (KeyboardInterrupt(), ("killed", "KeyboardInterrupt")),
        (SIGTERMException(), ("killed", "SIGTERMException")),
        (CompactHydraException("scheduler: gama=1: no such key"), ("failed", "scheduler: gama=1: no such key")),
    ],
)
def test_what_ends_a_job(error: BaseException, expected: tuple[str, str]) -> None:
    assert ending(error) == expected


def test_the_line_that_raised() -> None:
    def inner() -> None:
        raise ValueError("deep")

    with pytest.raises(ValueError, match="deep") as caught:
        inner()
    assert ending(caught.value)[1] == f"ValueError: deep [test_manifest.py:{inner.__code__.co_firstlineno + 1}]"


def test_what_ends_a_job_by_way_of_another_error() -> None:
    try:
        try:
            raise KeyError("width")
        except KeyError as error:
            raise RuntimeError("the model could not be made") from error
    except RuntimeError as error:
        status, reason = ending(error)
    assert status == "failed"
    assert reason.startswith(
        "RuntimeError: the model could not be made (because of KeyError: 'width') [test_manifest.py:"
    )


# --- Lightning -------------------------------------------------------------------------------------------------------


def test_a_whole_manifest_from_the_callback_alone(tmp_path: Path) -> None:
    module = Tiny()
    module.metric = iter([0.5, 0.9, 0.7])
    seen: list[Any] = []
    own = Manifest("val_loss", "min", str(tmp_path))
    look = pl.callbacks.LambdaCallback(on_train_start=lambda *_: seen.append(current.current()))
    fit(LRSchedulerCallback(NODE), module, own, look, batches=30)
    (job,) = seen  # as pruning finds it
    assert job is not None
    assert job.data["objective"] == {"metric": "val_loss", "mode": "min"}
    found = manifest(tmp_path)
    assert found["status"] == "finished"
    assert found["objective"] == {"metric": "val_loss", "mode": "min"}
    assert (found["updates"], found["epochs"], found["attempt"]) == (90, 3, 1)
    assert {"python", "torch", "pytorch_lightning", "lr_configs"} <= found["versions"].keys()
    (schedule,) = found["schedules"]
    assert (schedule["name"], schedule["optimizer"], schedule["written"]["warmup"]) == ("cosine", "0", "10%")
    assert (schedule["resolved"]["warmup"], schedule["resolved"]["params"]["T_max"]) == (9, 81)
    expected = curve(NODE, base_lr=0.1, horizon=Horizon(epochs=3, steps_per_epoch=30))
    assert found["rates"]["lr/SGD/0"].keys() == {"points"}
    used = points(found["rates"]["lr/SGD/0"])
    assert list(used) == list(range(90))
    np.testing.assert_allclose(list(used.values()), expected, rtol=1e-5)
    # Two batches of validation: the metric is their mean with 1.
    metric = found["metrics"]["val_loss"]
    assert points(metric) == {30: 0.75, 60: 0.95, 90: 0.85}
    assert (metric["last"], metric["greatest"]) == ([90, pytest.approx(0.85)], [60, pytest.approx(0.95)])
    assert current.current() is None


def test_a_long_run_keeps_its_peak_and_stays_small(tmp_path: Path) -> None:
    node = {"name": "one_cycle", "pct_start": 0.123}
    fit(LRSchedulerCallback(node), None, Manifest(folder=str(tmp_path)), batches=1500, max_epochs=1)
    used = points(manifest(tmp_path)["rates"]["lr/SGD/0"])
    expected = curve(node, base_lr=0.1, horizon=Horizon(epochs=1, steps_per_epoch=1500))
    peak = int(np.argmax(expected))
    assert used[peak] == pytest.approx(expected[peak], rel=1e-5)
    assert used[1499] == pytest.approx(expected[1499], rel=1e-5)
    assert len(used) <= 256
    assert (tmp_path / "manifest.json").stat().st_size < 20_000


def test_the_objective_is_the_first_monitor_of_the_callbacks(tmp_path: Path) -> None:
    stop = pl.callbacks.EarlyStopping("val_loss", mode="min")
    fit(LRSchedulerCallback(NODE), None, stop, Manifest(folder=str(tmp_path)))
    assert manifest(tmp_path)["objective"] == {"metric": "val_loss", "mode": "min"}


class Late(Tiny):
    """Logs in its own epoch end, behind every callback's, and a metric that becomes no number."""

    def on_train_epoch_end(self) -> None:
        self.log("late", float(self.current_epoch))
        self.log("broken", math.nan if self.current_epoch else 1.0)


def test_late_metrics_and_metrics_that_are_no_numbers(tmp_path: Path) -> None:
    fit(LRSchedulerCallback(NODE), Late(), Manifest(folder=str(tmp_path)))
    metrics = manifest(tmp_path)["metrics"]
    assert points(metrics["late"]) == {5: 0.0, 10: 1.0, 15: 2.0}
    assert metrics["broken"]["points"][0] == [5, 1.0]
    assert metrics["broken"]["last"] == [15, "nan"]
    assert metrics["broken"]["greatest"] == [5, 1.0]


def test_rates_in_tensors_are_noted_at_every_update(tmp_path: Path) -> None:
    class Capturable(Tiny):
        def configure_optimizers(self) -> Any:
            optimizer = super().configure_optimizers()
            optimizer.param_groups[0]["lr"] = torch.tensor(0.1)
            return optimizer

    fit(LRSchedulerCallback(NODE), Capturable(), Manifest(folder=str(tmp_path)), batches=30)
    expected = curve(NODE, base_lr=0.1, horizon=Horizon(epochs=3, steps_per_epoch=30))
    used = points(manifest(tmp_path)["rates"]["lr/SGD/0"])
    np.testing.assert_allclose(list(used.values()), expected, rtol=1e-5)
    assert list(used) == list(range(90))


def test_metrics_that_are_no_single_numbers_are_passed_over(tmp_path: Path) -> None:
    metrics = {"pair": torch.ones(2), "one": torch.tensor([3.0]), "plain": 0.5}
    found = Manifest(folder=str(tmp_path))
    found._job = Job(Task(tmp_path))
    found._take(SimpleNamespace(callback_metrics=metrics, global_step=4), unchanged=False)  # type: ignore[arg-type]
    points = {"one": [(4, 3.0)], "plain": [(4, 0.5)]}
    assert {name: series.points() for name, series in found._metrics.items()} == points
    for step, unchanged in ((4, True), (6, False)):  # of this moment already; as it was at the last end of an epoch
        found._take(SimpleNamespace(callback_metrics=metrics, global_step=step), unchanged=unchanged)  # type: ignore[arg-type]
        assert {name: series.points() for name, series in found._metrics.items()} == points
    found._take(SimpleNamespace(callback_metrics=metrics, global_step=8), unchanged=True)  # type: ignore[arg-type]
    assert found._metrics["one"].points() == [(4, 3.0), (8, 3.0)]


def test_a_failure_before_there_is_a_job(tmp_path: Path) -> None:
    """Another callback's error is the one that is raised."""

    class Broken(pl.Callback):
        def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
            raise RuntimeError("not ours")

    with pytest.raises(RuntimeError, match="not ours"):
        fit(LRSchedulerCallback(NODE), None, Broken(), Manifest(folder=str(tmp_path)))
    assert not (tmp_path / "manifest.json").exists()


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (np.float32(0.5), 0.5),
        (torch.tensor(2.0), 2.0),
        (np.array([1.0, 2.0]), None),
        (torch.ones(2), None),
        (10**400, None),
        (True, None),
        (b"1", None),
        ((1, np.int64(2)), [1.0, 2.0]),
        ([1, "x"], None),
        ([], None),
        (list(range(20)), [float(i) for i in range(16)]),
        ({"a": 1}, None),
    ],
    ids=str,
)
def test_what_a_job_may_return(value: Any, kept: Any) -> None:
    assert plain_value(value) == kept


class Reader(pl.Callback):
    """Notes what the file says before each batch."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.seen = folder, []

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        self.seen.append(manifest(self.folder))


@pytest.mark.parametrize(("age", "updates"), [(9.5, [0] * 5), (10.5, [0, 1, 2, 3, 4])])
def test_the_file_of_a_job_that_trains(
    age: float, updates: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The schedules from the first batch on, and the rates every ten seconds."""
    monkeypatch.setattr(Job, "older", lambda job, seconds: age > seconds)
    reader = Reader(tmp_path)
    fit(LRSchedulerCallback(NODE), None, Manifest(folder=str(tmp_path)), reader, max_epochs=1)
    assert [len(found["schedules"]) for found in reader.seen] == [1] * 5
    assert [len(found["rates"]["lr/SGD/0"]["points"]) if found["rates"] else 0 for found in reader.seen] == updates


@pytest.mark.parametrize(("age", "written"), [(0.5, False), (1.5, True)])
def test_a_validation_within_an_epoch_is_noted(
    age: float, written: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether or not it has changed the metric; and the file says so where it is a second old."""
    monkeypatch.setattr(Job, "older", lambda job, seconds: age > seconds)
    reader = Reader(tmp_path)
    fit(
        LRSchedulerCallback(NODE),
        None,
        Manifest(folder=str(tmp_path)),
        reader,
        batches=6,
        max_epochs=1,
        val_check_interval=2,
    )
    assert manifest(tmp_path)["metrics"]["val_loss"]["points"][0] == [2, 1.0]
    assert ("val_loss" in reader.seen[2]["metrics"]) is written


class Failing(Tiny):
    def training_step(self, batch: Any, batch_idx: int) -> Any:
        if self.trainer.global_step == 7:
            raise RuntimeError("no <b>memory</b>")
        return super().training_step(batch, batch_idx)


def test_a_failure_within_the_fit(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no <b>memory"):
        fit(LRSchedulerCallback(NODE), Failing(), Manifest(folder=str(tmp_path)))
    found = read(tmp_path / "manifest.json")
    assert found.status == "failed"
    assert found.reason.startswith("RuntimeError: no <b>memory</b> [test_manifest.py:")
    assert (found.data["updates"], len(found.data["rates"]["lr/SGD/0"]["points"])) == (7, 7)
    assert current.current() is None


class Interrupted(Tiny):
    def training_step(self, batch: Any, batch_idx: int) -> Any:
        raise KeyboardInterrupt


def test_an_interruption(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        fit(LRSchedulerCallback(NODE), Interrupted(), Manifest(folder=str(tmp_path)))
    assert manifest(tmp_path)["status"] == "killed"


def test_going_on_from_a_checkpoint(tmp_path: Path) -> None:
    """The curve of a job that was killed and continued is whole, and nothing is in it twice."""
    module, saver = Tiny(), pl.callbacks.ModelCheckpoint(tmp_path, filename="x", every_n_train_steps=6, save_top_k=-1)
    module.metric = iter([0.1, 0.2, 0.3])
    with pytest.raises(RuntimeError):
        fit(LRSchedulerCallback(NODE), Failing(), saver, Manifest(folder=str(tmp_path)))
    again = Tiny()
    again.metric = iter([0.6, 0.8])
    fit(LRSchedulerCallback(NODE), again, Manifest(folder=str(tmp_path)), ckpt=tmp_path / "x.ckpt")
    found = manifest(tmp_path)
    assert (found["attempt"], found["status"]) == (2, "finished")
    expected = curve(NODE, base_lr=0.1, horizon=Horizon(epochs=3, steps_per_epoch=5))
    used = points(found["rates"]["lr/SGD/0"])
    assert list(used) == list(range(15))
    np.testing.assert_allclose(list(used.values()), expected, rtol=1e-5)
    assert [x for x, _ in found["metrics"]["val_loss"]["points"]] == [5, 10, 15]


def test_a_second_fit_of_the_same_job_is_the_same_attempt(tmp_path: Path) -> None:
    writer = Manifest(folder=str(tmp_path))
    fit(LRSchedulerCallback(NODE), None, writer, max_epochs=2)
    fit(LRSchedulerCallback({"name": "step"}), None, writer, max_epochs=1)
    found = manifest(tmp_path)
    assert (found["attempt"], found["status"], found["updates"]) == (1, "finished", 5)
    assert [one["name"] for one in found["schedules"]] == ["step"]
    assert points(found["rates"]["lr/SGD/0"])[0] == 0.1  # and not the 0.001 of the first fit


def test_fits_in_folders_of_their_own_are_jobs_of_their_own(tmp_path: Path) -> None:
    writer = Manifest()
    for number, name in enumerate(("first", "second", "second")):
        module = Tiny(lr=0.1 * (1 + number))
        fit(LRSchedulerCallback("none"), module, writer, default_root_dir=tmp_path / name)
    for name, rate in (("first", 0.1), ("second", 0.3)):
        found = manifest(tmp_path / name)
        assert (found["status"], found["attempt"]) == ("finished", 1)
        assert points(found["rates"]["lr/SGD/0"])[0] == pytest.approx(rate)


class Elsewhere(torch.Tensor):
    """As if it were on a device, where reading it takes time."""

    device = torch.device("cuda")


def test_rates_of_a_device_are_read_now_and_then(tmp_path: Path) -> None:
    class There(Tiny):
        def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
            group = self.optimizers().optimizer.param_groups[0]  # type: ignore[union-attr]
            group["lr"] = torch.tensor(0.1 + batch_idx).as_subclass(Elsewhere)

    fit(None, There(), Manifest(folder=str(tmp_path)), batches=110, max_epochs=1)
    assert [x for x, _ in manifest(tmp_path)["rates"]["lr/SGD/0"]["points"]] == [0, 50, 100]


def test_where_another_process_writes_nothing_is_noted(tmp_path: Path) -> None:
    writer, made = Manifest(folder=str(tmp_path)), SimpleNamespace(is_global_zero=False, callback_metrics={"a": 1.0})
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    made.__dict__.update(global_step=3, current_epoch=0, optimizers=[optimizer], sanity_checking=False)
    made.state = SimpleNamespace(fn="fit")
    nothing: Any = None
    writer.setup(made, nothing, "fit")  # type: ignore[arg-type]
    writer.on_train_start(made, nothing)  # type: ignore[arg-type]
    writer.on_train_epoch_start(made, nothing)  # type: ignore[arg-type]
    writer.on_before_optimizer_step(made, nothing, optimizer)  # type: ignore[arg-type]
    writer.on_validation_end(made, nothing)  # type: ignore[arg-type]
    writer.on_train_epoch_end(made, nothing)  # type: ignore[arg-type]
    writer.on_exception(made, nothing, RuntimeError())  # type: ignore[arg-type]
    writer.on_train_end(made, nothing)  # type: ignore[arg-type]
    writer.teardown(made, nothing, "fit")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    assert current.current() is None


def test_schedulers_that_are_not_ours_have_a_name(tmp_path: Path) -> None:
    class Own(Tiny):
        def configure_optimizers(self) -> Any:
            optimizer = super().configure_optimizers()
            return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)]

    fit(None, Own(), Manifest(folder=str(tmp_path)))
    found = manifest(tmp_path)
    assert found["schedules"] == [{"name": "ExponentialLR"}]
    assert points(found["rates"]["lr/SGD/0"]) == {0: 0.1, 4: 0.1, 5: 0.05, 9: 0.05, 10: 0.025, 14: 0.025}


@pytest.mark.parametrize(
    ("arguments", "match"), [({"mode": "min"}, "direction of a metric"), ({"metric": "x", "mode": "up"}, "min, max")]
)
def test_what_is_written_wrongly(arguments: dict[str, Any], match: str) -> None:
    with pytest.raises(SchedulerConfigError, match=match):
        Manifest(**arguments)


def test_a_validation_apart_from_a_fit_leaves_nothing(tmp_path: Path) -> None:
    trainer(Manifest(folder=str(tmp_path))).validate(Tiny(), loader(2), verbose=False)
    assert not list(tmp_path.iterdir())


DDP = """
import sys
sys.path.insert(0, {tests!r})
import torch
from lightning_helpers import Tiny, loader, trainer
from lr_configs import LRSchedulerCallback
from lr_configs.sweeps import Manifest
if __name__ == "__main__":
    run = trainer(LRSchedulerCallback({node}), Manifest(folder="job"), strategy=sys.argv[1], devices=2)
    run.fit(Tiny(), loader(8), loader(4))
"""


@pytest.mark.parametrize("strategy", ["ddp", pytest.param("ddp_spawn", marks=pytest.mark.slow)])
def test_one_of_several_processes_writes(strategy: str, tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(DDP.format(tests=str(Path(__file__).parent), node=NODE))
    done = together([sys.executable, "job.py", strategy], tmp_path, "job")
    assert done.returncode == 0, done.stderr[-3000:]
    found = manifest(tmp_path / "job")
    assert (found["status"], found["attempt"], found["updates"]) == ("finished", 1, 12)
    assert [path.name for path in (tmp_path / "job").iterdir()] == ["manifest.json"]


SPAWNING = """
import sys
sys.path.insert(0, {tests!r})
import hydra

@hydra.main(config_path=None, **{base})
def main(cfg):
    from lightning_helpers import Tiny, loader, trainer
    from lr_configs import LRSchedulerCallback
    from lr_configs.sweeps import Manifest
    run = trainer(LRSchedulerCallback({node}), Manifest(), strategy="ddp_spawn", devices=2)
    run.fit(Tiny(), loader(8), loader(4))
    return 0.5

if __name__ == "__main__":
    main()
"""


def test_a_hydra_job_whose_trainer_spawns_its_processes(tmp_path: Path) -> None:
    """The job's own process ends it, and what the spawned one wrote of the training stays."""
    (tmp_path / "job.py").write_text(SPAWNING.format(tests=str(Path(__file__).parent), node=NODE, base=VERSION_BASE))
    words = ["-m", "hydra.searchpath=[lr-configs://]", "hydra/sweeper=lr_grid", "hydra.sweep.dir=sweep", "+x=1"]
    done = subprocess.run(
        [sys.executable, "job.py", *words], cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = manifest(tmp_path / "sweep/0")
    assert (found["status"], found["attempt"], found["value"], found["updates"]) == ("finished", 1, 0.5, 12)
    assert found["schedules"][0]["name"] == "cosine"
    assert found["rates"]["lr/SGD/0"]["points"]
