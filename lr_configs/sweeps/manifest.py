"""The manifest that a job leaves in its folder: written while it runs, and read afterwards."""

from __future__ import annotations

import os
import platform
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from lr_configs.errors import SchedulerConfigError
from lr_configs.sweeps import process
from lr_configs.sweeps.files import FORMAT, LaterVersion, Unreadable, checked, read_json, try_quietly, write_json

NAME = "manifest.json"
#: of a job that will not run again
DONE = ("finished", "pruned")
STATUSES = ("running", *DONE, "failed", "killed")
#: characters of a reason
LONGEST = 4000
_IMPORTED = ("hydra", "lightning", "lr_configs", "numpy", "omegaconf", "optuna", "pytorch_lightning", "torch")
_TRAINING = ("objective", "updates", "epochs", "schedules", "rates", "metrics")
_KINDS: dict[str, Any] = {
    "status": str, "reason": str, "overrides": list, "number": int, "mode": str, "command": str, "started": str,
    "ended": str, "seconds": (int, float), "attempt": int, "process": dict, "versions": dict, "objective": dict,
    "schedules": list, "rates": dict, "metrics": dict, "updates": int, "epochs": int,
}  # fmt: skip


@dataclass(frozen=True)
class Task:
    """What a job is, before it runs.

    Attributes:
        folder: its own.
        overrides: of the config, as they are written on the command line.
        number: of the job in its sweep, or None.
        multirun: whether it is one of a sweep.
        command: what runs it alone, or an empty text.
        starter: identity of the process that described it, which may have the job's train process started.
    """

    folder: Path
    overrides: Sequence[str] = ()
    number: int | None = None
    multirun: bool = False
    command: str = ""
    starter: Mapping[str, Any] | None = field(default=None, compare=False)

    @property
    def path(self) -> Path:
        """Of its manifest."""
        return self.folder / NAME


class Job:
    """A job of this process, and its manifest.

    Args:
        task: what the job is.

    Attributes:
        data: what the manifest says.
        earlier: what an earlier attempt's manifest said; empty where there was none.

    Raises:
        SchedulerConfigError: where the folder is another job's, or another process runs the same one.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> job = Job(Task(folder, ["scheduler=cosine"]))
    >>> read(folder / "manifest.json").status
    'running'
    >>> job.end("finished", value=0.9)
    >>> found = read(folder / "manifest.json")
    >>> found.status, found.data["value"]
    ('finished', 0.9)
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.earlier = _earlier(task)
        self._began = self._written = time.monotonic()
        self._failing = False  # whether it could not be written, which was said
        self._pruned: str | None = None
        within = self.earlier.get("status") == "running" and self.earlier.get("process") == task.starter
        self.data = _begun(task, (self.earlier.get("attempt") or 0) + (not within))
        try_quietly(lambda: task.folder.mkdir(parents=True, exist_ok=True))
        process.pulse.add(task.path)
        self.write()

    def __reduce__(self) -> Any:
        raise TypeError("a job belongs to its process")

    @property
    def here(self) -> bool:
        """Whether this is the process that began it, and not one that was forked off."""
        return bool(self.data["process"]["pid"] == os.getpid())

    @property
    def ended(self) -> bool:
        """Whether its end has been written."""
        return bool(self.data["status"] != "running")

    def older(self, seconds: float) -> bool:
        """Whether the file was written so long ago."""
        return time.monotonic() - self._written > seconds

    def write(self) -> None:
        """Write the file; where the disk refuses, warn once and go on."""
        self._written = time.monotonic()
        self.data["seconds"] = round(self._written - self._began, 3)
        refusal = try_quietly(lambda: write_json(self.task.path, self.data, flush=self.ended))
        if refusal is not None and not self._failing:
            warnings.warn(f"{self.task.path} could not be written: {refusal.strerror or refusal}", stacklevel=3)
        self._failing = refusal is not None

    def prune(self, reason: str) -> None:
        """Say that the job was given up as hopeless; it ends by itself."""
        self._pruned = reason

    def end(self, status: str, reason: str | None = None, value: Any = None) -> None:
        """Write how the job ended.

        Args:
            status: ``finished``, ``failed``, ``pruned`` or ``killed``.
            reason: in words.
            value: what the job returned: a number or a few of them; anything else is left out.
        """
        process.pulse.drop(self.task.path)
        if not self.data["schedules"] and not self.data["rates"]:
            self._take_over()
        if self._pruned is not None and status != "killed":
            status, reason = "pruned", self._pruned
        self.data.update(status=status, reason=_shortened(reason), value=plain_value(value), ended=_now())
        self.data["versions"] = versions()
        self.write()

    def reopen(self) -> None:
        """Say that the job runs after all."""
        if self.ended:
            self.data.update(status="running", reason=None, value=None, ended=None)
            process.pulse.add(self.task.path)

    def _take_over(self) -> None:
        """Keep what a process that this one spawned, as some trainers do, has written."""
        try:
            found = read(self.task.path).data
        except (Unreadable, FileNotFoundError):
            return
        mine = found["process"] == self.data["process"] or found["overrides"] != self.data["overrides"]
        if not mine and found.get("attempt") == self.data["attempt"]:
            self.data.update({key: found[key] for key in _TRAINING if key in found})
            if found["status"] == "pruned":
                self._pruned = self._pruned or found.get("reason") or ""


def _begun(task: Task, attempt: int) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "status": "running",
        "reason": None,
        "overrides": [str(one) for one in task.overrides],
        "number": task.number,
        "mode": "multirun" if task.multirun else "run",
        "command": task.command,
        "started": _now(),
        "ended": None,
        "seconds": 0.0,
        "attempt": attempt,
        "process": process.identity(),
        "versions": {},
        "value": None,
        "objective": None,
        "updates": None,
        "epochs": None,
        "schedules": [],
        "rates": {},
        "metrics": {},
    }


def settle(task: Task, status: str, reason: str | None, value: Any) -> OSError | None:
    """Write the end of a job that could not write it itself, from outside of it.

    Returns:
        What refuses it, or None.
    """
    try:
        found = read(task.path).data
    except (FileNotFoundError, Unreadable):
        found = {}
    if found.get("status", "running") != "running":
        return None
    data = {**_begun(task, 1), **found, "status": status, "reason": _shortened(reason), "value": plain_value(value)}
    return try_quietly(lambda: write_json(task.path, {**data, "ended": _now(), "versions": versions()}))


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def _shortened(reason: str | None) -> str | None:
    return reason if reason is None or len(reason) <= LONGEST else f"{reason[: LONGEST - 3]}..."


def plain_value(value: Any) -> Any:
    """What a job returned, as far as it is a number or a few of them.

    >>> plain_value(0.5), plain_value([1, 2.5]), plain_value("text"), plain_value(None)
    (0.5, [1.0, 2.5], None, None)
    """
    if isinstance(value, (list, tuple)):
        found = [plain_value(one) for one in value[:16]]
        return found if found and all(isinstance(one, float) for one in found) else None
    if isinstance(value, (bool, str, bytes)) or not hasattr(value, "__float__"):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None


def versions() -> dict[str, str]:
    """Of Python and of what has been imported."""
    found = {name: getattr(sys.modules.get(name), "__version__", None) for name in _IMPORTED}
    return {"python": platform.python_version(), **{name: str(one) for name, one in found.items() if one is not None}}


def _earlier(task: Task) -> dict[str, Any]:
    """What an earlier attempt of the same job left; empty where there was none.

    Raises:
        SchedulerConfigError: where the folder is that of another job of a sweep, of a later version, or of a process that
            runs the same job.
    """
    try:
        found = read(task.path)
    except FileNotFoundError:
        return {}
    except LaterVersion as error:
        raise _refused(task, str(error), "Choose another folder: hydra.sweep.dir") from None
    except Unreadable:
        return {}  # cut off: the job begins anew
    if found.overrides != [str(one) for one in task.overrides]:
        if not task.multirun:
            return {}  # a single run replaces what another one left in its folder, as Hydra does
        other = " ".join(found.overrides) or "without overrides"
        raise _refused(
            task, f"this is the folder of the job {other}, of another sweep", "Give each sweep its own hydra.sweep.dir"
        )
    at_work = found.data["status"] == "running" and process.certainly_alive(found.process)
    mine = found.process == task.starter or process.is_this(found.process) or process.requeued(found.process)
    if at_work and not mine:
        raise _refused(
            task,
            f"process {found.process.get('pid')} runs this very job",
            "Wait for it, or give each sweep its own hydra.sweep.dir",
        )
    return found.data


def _refused(task: Task, rule: str, remedy: str) -> SchedulerConfigError:
    return SchedulerConfigError(NAME, str(task.folder), rule, remedy)


# ---------------------------------------------------------------------------------------- reading


@dataclass(frozen=True)
class Manifest:
    """A manifest that was read.

    Attributes:
        path: of the file.
        data: what it says; every key of a whole one is there, and of its kind.
        status: what has become of the job: a running one whose process is gone was killed.
    """

    path: Path
    data: dict[str, Any]
    status: str

    @property
    def overrides(self) -> list[str]:
        """Of the job."""
        return [str(one) for one in self.data["overrides"]]

    @property
    def process(self) -> dict[str, Any]:
        """That wrote it."""
        found: dict[str, Any] = self.data["process"] or {}
        return found

    @property
    def number(self) -> int | None:
        """Of the job in its sweep."""
        found: int | None = self.data.get("number")
        return found

    @property
    def reason(self) -> str:
        """Why it did not finish; empty where it did."""
        if self.status == "killed" and self.data["status"] == "running":
            return f"process {self.process.get('pid')} on {self.process.get('host')} is gone"
        return self.data.get("reason") or ""


def read(path: Path) -> Manifest:
    """A job's manifest.

    Raises:
        Unreadable: where it is damaged, or of a later version.
        FileNotFoundError: where there is none.
    """
    data = checked(read_json(path), _KINDS, path.name)
    data = {"overrides": [], "process": {}, **{key: value for key, value in data.items() if value is not None}}
    if data.get("status") not in STATUSES:
        raise Unreadable(f"{path.name} is damaged: status is {data.get('status')!r}")
    status = data["status"]
    if status == "running" and not process.alive(data["process"], path):
        status = "killed"
    return Manifest(path, data, status)
