"""A sweep over a grid that can be interrupted: what is behind ``hydra/sweeper=lr_grid``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.errors import CompactHydraException
from omegaconf import OmegaConf

from lr_configs.errors import SchedulerConfigError
from lr_configs.sweeps.current import command_line
from lr_configs.sweeps.files import one_line
from lr_configs.sweeps.folder import Jobs, SweepFolder
from lr_configs.sweeps.hydra_callback import JobManifest, outcome
from lr_configs.sweeps.manifest import Task, settle

log = logging.getLogger(__name__)
#: failures, and changed keys of the config, that are listed
SHOWN = 10
#: launches jobs: their overrides, and the number of the first one
Launch = Callable[[Sequence[Sequence[str]], int], Sequence[JobReturn]]


class Numbers(int):
    """The numbers of a batch of jobs, as the first of them.

    Hydra's launchers number a batch as ``initial_job_idx + index``, but the jobs that are left of a sweep are no longer
    neighbours.

    >>> [Numbers([2, 5, 9]) + index for index in range(3)]
    [2, 5, 9]
    """

    def __new__(cls, numbers: Sequence[int]) -> Numbers:
        """The first number, with the others behind it."""
        made = super().__new__(cls, numbers[0])
        made.numbers = list(numbers)
        return made

    numbers: list[int]

    def __add__(self, index: int) -> int:
        return self.numbers[index]

    def __reduce__(self) -> Any:
        return Numbers, (self.numbers,)


def record(hydra_context: Any) -> None:
    """Let every job of the app leave a manifest."""
    callbacks = hydra_context.callbacks.callbacks
    if not any(isinstance(one, JobManifest) for one in callbacks):
        callbacks.append(JobManifest())


def run(
    config: Any, asked: Sequence[Sequence[str]], batch_size: int | None, launch: Launch
) -> list[Sequence[JobReturn]]:
    """Run what is left of a sweep.

    Args:
        config: the app's, with its `hydra` node.
        asked: the overrides of every job of the sweep.
        batch_size: jobs that are launched together; all of them by default.
        launch: launches jobs.

    Returns:
        What the launched jobs returned, by batch.

    Raises:
        CompactHydraException: where the folder is another sweep's; and after all of them, where jobs have failed.
    """
    try:
        return _run(config, asked, batch_size, launch)
    except SchedulerConfigError as error:
        raise CompactHydraException(str(error)) from None


def _run(
    config: Any, asked: Sequence[Sequence[str]], batch_size: int | None, launch: Launch
) -> list[Sequence[JobReturn]]:
    folder = SweepFolder(Path(str(config.hydra.sweep.dir)))
    with folder.held():
        jobs = folder.jobs(asked)
        before = folder.saved().get("config")
        plain = _plain(config)
        for note in jobs.notes:
            log.warning(note)
        if before is not None and (changed := _changes(before, plain, _own_keys(jobs))):
            log.warning("the config has changed since jobs of this sweep ran: %s", "; ".join(changed))
        folder.save(jobs, plain, command_line())
        OmegaConf.save(config, folder.path / "multirun.yaml")  # as Hydra's own sweeper does
        log.info(_state(jobs))
        left = jobs.left()
        returned: list[Sequence[JobReturn]] = []
        failed: dict[int, str] = {}
        for i in range(0, len(left), batch_size or max(len(left), 1)):
            batch = left[i : i + (batch_size or len(left))]
            results = launch([list(jobs.overrides[number]) for number in batch], Numbers(batch))
            returned.append(results)
            failed.update(_settle(jobs, batch, results))
    if failed:
        raise CompactHydraException(_failures(jobs, failed))
    return returned


def _settle(jobs: Jobs, batch: Sequence[int], results: Sequence[JobReturn]) -> Iterator[tuple[int, str]]:
    """The jobs that failed, with the reason; what a job could not write of its end, as on a full disk, is written now."""
    for number, result in zip(batch, results, strict=True):
        status, reason, value = outcome(result)
        if status == "failed":
            yield number, reason or "for no known reason"
        folder = Path(str(result.hydra_cfg.hydra.runtime.output_dir)) if result.hydra_cfg is not None else None
        if folder is not None:
            refusal = settle(Task(folder, jobs.overrides[number], number, multirun=True), status, reason, value)
            if refusal is not None:
                yield number, f"it has {status}, but its manifest could not be written ({refusal.strerror or refusal})"


def _state(jobs: Jobs) -> str:
    counts = {
        "finished before": len(jobs.with_status("finished")),
        "pruned before": len(jobs.with_status("pruned")),
        "still running elsewhere": len(jobs.with_status("running")),
        "to run": len(jobs.left()),
    }
    shown = [f"{count} {words}" for words, count in counts.items() if count or words == "to run"]
    return f"{len(jobs.numbers)} jobs: {', '.join(shown)}"


def _failures(jobs: Jobs, failed: Mapping[int, str]) -> str:
    lines = [
        f"  job {number}, {' '.join(jobs.overrides[number])}: {one_line(reason)}" for number, reason in failed.items()
    ]
    more = [f"  and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n".join(
        [
            f"{len(failed)} of {len(jobs.numbers)} jobs did not finish:",
            *lines[:SHOWN],
            *more,
            "The same command runs them again, and no others.",
        ]
    )


# ---------------------------------------------------------------------------------------- the config that they share


def _plain(config: Any) -> dict[str, Any]:
    """The app's config as it is written, interpolations unresolved."""
    found = OmegaConf.to_container(config, resolve=False, enum_to_str=True)
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items() if key != "hydra"}


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    items = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list) else None
    if not items:
        yield path, str(node)
        return
    for key, value in items:
        yield from _leaves(value, f"{path}.{key}" if path else str(key))


def _own_keys(jobs: Jobs) -> set[str]:
    """Where the jobs' own overrides go."""
    keys = set()
    for overrides in jobs.overrides.values():
        for one in overrides:
            group, _, package = one.partition("=")[0].lstrip("+~").partition("@")
            keys |= {group.replace("/", "."), package}
    return keys - {""}


def _changes(before: Mapping[str, Any], now: Mapping[str, Any], own: set[str]) -> list[str]:
    """What differs between two configs, the jobs' own keys apart.

    >>> _changes({"seed": 0, "trainer": {"max_epochs": 3}}, {"seed": 1, "trainer": {"max_epochs": 5}}, {"seed"})
    ['trainer.max_epochs 3 -> 5']
    """
    old, new = dict(_leaves(before)), dict(_leaves(now))
    differing = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    shared = [key for key in differing if not any(key == one or key.startswith(f"{one}.") for one in own)]
    found = [f"{key} {old.get(key, 'nothing')} -> {new.get(key, 'nothing')}" for key in shared]
    return found[:SHOWN] + ([f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else [])
