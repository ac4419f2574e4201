"""A sweep's folder: which jobs it has, which of them are left to run, and who runs them."""

from __future__ import annotations

import itertools
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lr_configs.errors import SchedulerConfigError
from lr_configs.sweeps import process
from lr_configs.sweeps.files import FORMAT, LaterVersion, Unreadable, checked, read_json, try_quietly, write_json
from lr_configs.sweeps.manifest import DONE, NAME, Manifest, read, versions

SWEEP, LOCK = "sweep.json", ".sweep.lock"
#: the overrides of a job
Overrides = tuple[str, ...]


def job_folders(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Folders of jobs, and whether they have a manifest; nothing below a job is looked at.

    In the order of the folders' names, numbers by their size. A job without one is what Hydra began where nobody wrote a manifest: it has a folder ``.hydra``.

    >>> list(job_folders(Path("no such folder")))
    []
    """
    try:
        with os.scandir(folder) as found:
            entries = {entry.name: entry for entry in found}
    except OSError:
        return
    if NAME in entries:
        yield folder, True
        return
    names = [name for name, one in entries.items() if name[:1] != "." and one.is_dir(follow_symlinks=False)]
    below = [one for name in sorted(names, key=_by_number) for one in job_folders(folder / name)]
    if ".hydra" in entries and not below:
        yield folder, False
    yield from below


def manifests(folder: Path) -> Iterator[Path]:
    """Paths of all manifests below a folder."""
    return (job / NAME for job, recorded in job_folders(folder) if recorded)


def _by_number(name: str) -> tuple[int, int, str]:
    return (0, int(name), name) if name.isdecimal() else (1, 0, name)


@dataclass
class Jobs:
    """The jobs of a sweep by their numbers, and what has become of them.

    Attributes:
        numbers: of every job, in the order in which they were asked for.
        overrides: number -> the job's overrides.
        found: number -> the manifest of a job that was begun.
        notes: what is to be said.
    """

    numbers: list[int] = field(default_factory=list)
    overrides: dict[int, Overrides] = field(default_factory=dict)
    found: dict[int, Manifest] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def with_status(self, *statuses: str) -> list[int]:
        """Numbers of the begun jobs that have one of these."""
        return [number for number in self.numbers if number in self.found and self.found[number].status in statuses]

    def left(self) -> list[int]:
        """Numbers of the jobs to run: neither done, nor at work elsewhere."""
        out = set(self.with_status("running", *DONE))
        return [number for number in self.numbers if number not in out]


class SweepFolder:
    """The folder of one sweep.

    Args:
        path: the folder, which need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    # ------------------------------------------------------------------------------------ one sweep at a time

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other sweeps out of the folder.

        Raises:
            SchedulerConfigError: where one is at work in it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = self.path / LOCK
        while not _take(lock):
            holder = _holder(lock)
            if process.alive(holder, lock):
                raise self._refused(
                    f"another sweep is at work in this folder: process {holder.get('pid')} on {holder.get('host')}",
                    "Wait for it, or give this one a folder of its own: hydra.sweep.dir",
                )
            lock.unlink(missing_ok=True)
        process.pulse.add(lock)
        try:
            yield
        finally:
            process.pulse.drop(lock)
            try_quietly(lambda: lock.unlink(missing_ok=True))

    # ------------------------------------------------------------------------------------ its jobs

    def jobs(self, asked: Sequence[Sequence[str]]) -> Jobs:
        """The jobs that are asked for, with the numbers that they have in this folder.

        Args:
            asked: the overrides of each.

        Raises:
            SchedulerConfigError: where the folder has jobs of another sweep, or is of a later version.
        """
        found, notes = self._begun()
        known = self._numbered(found)
        jobs = Jobs(notes=notes)
        free: dict[Overrides, list[int]] = defaultdict(list)
        for number in sorted(known, reverse=True):
            free[known[number]].append(number)
        wanted = [tuple(one) for one in asked]
        numbers = [free[one].pop() if free[one] else None for one in wanted]
        others = sorted(number for left in free.values() for number in left)
        if others:
            raise self._another(known, others, wanted)
        taken = set(known)
        free_ones = (number for number in itertools.count() if number not in taken)
        for place, (old, one) in enumerate(zip(numbers, wanted, strict=True)):
            # In a new folder a job's number is its place, as it is for Hydra.
            chosen = old if old is not None else place if place not in taken else next(free_ones)
            taken.add(chosen)
            jobs.numbers.append(chosen)
            jobs.overrides[chosen] = one
        jobs.found = {number: one for number, one in found.items() if number in jobs.overrides}
        return jobs

    def _begun(self) -> tuple[dict[int, Manifest], list[str]]:
        """The manifests of the folder by the numbers of their jobs, and what is to be said of those that say nothing."""
        found: dict[int, Manifest] = {}
        notes = []
        for path in manifests(self.path):
            try:
                manifest = read(path)
            except LaterVersion as error:
                raise self._refused(f"{path.parent.name}/{error}", "Give this sweep a folder of its own") from None
            except Unreadable as error:
                notes.append(f"{path.parent.name}/{error}: the job is run again")
                continue
            except FileNotFoundError:
                continue
            number = manifest.number
            if number is None or number in found:
                both = "a single run" if number is None else f"job {number}, as {found[number].path.parent.name} has"
                raise self._refused(
                    f"{path.parent.name} has the manifest of {both}",
                    "Give this sweep a folder of its own: hydra.sweep.dir",
                )
            found[number] = manifest
        return found, notes

    def _numbered(self, found: Mapping[int, Manifest]) -> dict[int, Overrides]:
        """The jobs that the folder's sweep has so far."""
        known = {number: tuple(manifest.overrides) for number, manifest in found.items()}
        listed = self.saved().get("jobs") or []
        for number, one in enumerate(listed):
            if isinstance(one, list):
                overrides = tuple(str(each) for each in one)
                if known.setdefault(number, overrides) != overrides:
                    raise self._refused(
                        f"job {number} is {' '.join(overrides)} in {SWEEP}, and {' '.join(known[number])} in its folder",
                        "Give each sweep a folder of its own: hydra.sweep.dir",
                    )
        return known

    def saved(self) -> dict[str, Any]:
        """What :meth:`save` wrote; empty where there is nothing.

        Raises:
            SchedulerConfigError: where a later version wrote it.
        """
        try:
            return checked(read_json(self.path / SWEEP, largest=1 << 28), {"jobs": list, "config": dict}, SWEEP)
        except LaterVersion as error:
            raise self._refused(str(error), "Give this sweep a folder of its own: hydra.sweep.dir") from None
        except (FileNotFoundError, Unreadable):
            return {}  # the manifests themselves have the numbers of what was begun

    def save(self, jobs: Jobs, config: dict[str, Any], command: str) -> None:
        """Keep the jobs' numbers, for every later call.

        Args:
            jobs: all of them.
            config: the app's config, as it is without the jobs' own overrides.
            command: what started the sweep.

        Raises:
            SchedulerConfigError: where the disk refuses: without the numbers, no job may start.
        """
        listed: list[Any] = [None] * (max(jobs.numbers, default=-1) + 1)
        for number, one in jobs.overrides.items():
            listed[number] = list(one)
        data = {
            "format": FORMAT, "versions": versions(), "command": command, "process": process.identity(),
            "config": config, "jobs": listed,
        }  # fmt: skip
        refusal = try_quietly(lambda: write_json(self.path / SWEEP, data))
        if refusal is not None:
            raise self._refused(
                f"{SWEEP} could not be written: {refusal.strerror or refusal}", "Make room, or choose another folder"
            )

    # ------------------------------------------------------------------------------------ refusals

    def _refused(self, rule: str, remedy: str) -> SchedulerConfigError:
        return SchedulerConfigError("hydra.sweep.dir", str(self.path), rule, remedy)

    def _another(
        self, known: Mapping[int, Overrides], others: list[int], asked: list[Overrides]
    ) -> SchedulerConfigError:
        first = " ".join(known[others[0]]) or "without overrides"
        mine = " ".join(asked[0]) if asked else "nothing"
        return self._refused(
            f"{len(others)} of the {len(known)} jobs in this folder, the first being {first}, are not of this sweep, whose first "
            f"is {mine}",
            "Give each sweep a folder of its own; to add jobs to this one, ask for its old ones too",
        )


def _take(lock: Path) -> bool:
    """Make the lock; False where there is one."""
    try:
        with open(lock, "x") as file:
            json.dump({"format": FORMAT, "process": process.identity()}, file)
    except FileExistsError:
        return False
    return True


def _holder(lock: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = checked(read_json(lock), {"process": dict}, lock.name).get("process") or {}
    except (Unreadable, FileNotFoundError):
        found = {}
    return found
