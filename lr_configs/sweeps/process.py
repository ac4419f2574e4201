"""Which process writes a file, and whether it is still there."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

#: seconds after which a file of another machine's process, whose time stamp moves every `BEAT` seconds, is left behind
BEAT, STALE = 15.0, 120.0


def identity() -> dict[str, Any]:
    """Of this process: host, pid, and what tells it from another process of that number.

    >>> alive(identity(), Path("no such file"))
    True
    """
    pid = os.getpid()
    found: dict[str, Any] = {"host": socket.gethostname(), "pid": pid, "place": _place(), "start": _start(pid)}
    if "SLURM_JOB_ID" in os.environ:
        found["slurm_job"] = os.environ["SLURM_JOB_ID"]
    return found


def is_this(process: Any) -> bool:
    """Whether an identity is this process's."""
    return isinstance(process, dict) and process.get("pid") == os.getpid() and certainly_alive(process) is True


def certainly_alive(process: Any) -> bool | None:
    """Whether a process of this machine is there; None for one of another machine."""
    if not isinstance(process, dict) or process.get("place") != _place() or not isinstance(process.get("pid"), int):
        return None
    pid = process["pid"]
    if os.name != "posix":  # asking would interrupt it
        return True if pid == os.getpid() else None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return process.get("start") == _start(pid)


def alive(process: Any, file: Path) -> bool:
    """Whether the process that writes `file` is there, as far as can be known.

    On this machine that is known. On another one, it is there as long as the file's time stamp moves.
    """
    known = certainly_alive(process)
    if known is not None:
        return known
    try:
        return time.time() - file.stat().st_mtime < STALE
    except OSError:
        return False


def requeued(process: Any) -> bool:
    """Whether Slurm began the job of that process again, as this one."""
    job = os.environ.get("SLURM_JOB_ID")
    return job is not None and isinstance(process, dict) and process.get("slurm_job") == job


class Pulse:
    """Moves the time stamps of files, so that readers on other machines see that this process lives.

    One thread does it for all of them, as long as there is one.
    """

    def __init__(self) -> None:
        self._files: set[Path] = set()
        self._pid: int | None = None  # of the process whose thread it is: a forked one has none

    def add(self, file: Path) -> None:
        """Begin with a file."""
        if self._pid != os.getpid():
            self._pid, self._files = os.getpid(), set()
            threading.Thread(target=self._beat, name="lr_configs pulse", daemon=True).start()
        self._files.add(file)

    def drop(self, file: Path) -> None:
        """Leave a file alone."""
        self._files.discard(file)

    def _beat(self) -> None:
        while True:
            time.sleep(BEAT)
            for file in list(self._files):
                with contextlib.suppress(OSError):
                    os.utime(file)


#: of this process
pulse = Pulse()


@lru_cache(maxsize=1)
def _place() -> str:
    """What numbers processes: the host since it was started, and a container on it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()}/{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()


def _start(pid: int) -> str | None:
    """When a process began, in the kernel's ticks; None where that cannot be known, or it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, UnicodeDecodeError):
        return None
    return None if fields[0] in "ZX" else fields[19]


def rank() -> int:
    """The number of this process among those that train together, as launchers tell it before torch is there."""
    for key in ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK"):
        if os.environ.get(key, "").isdigit():
            return int(os.environ[key])
    return 0
