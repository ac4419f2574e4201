"""The job that this process runs: what its Hydra half and its Lightning half share."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Any

from lr_configs.sweeps import process
from lr_configs.sweeps.manifest import Job, Task

_jobs: list[Job] = []


def enter(job: Job) -> None:
    """Make it the job of this process, until :func:`leave`."""
    _jobs[:] = [job]


def leave() -> None:
    """This process runs no job any more."""
    _jobs.clear()


def current() -> Job | None:
    """The job of this process, or None: also in a process that was forked off."""
    return next((job for job in _jobs if job.here), None)


def hydra_task(config: Any, program: str) -> Task:
    """The task that a composed config with its `hydra` node describes.

    Args:
        config: as Hydra's callbacks get it.
        program: what starts the app, see :func:`program`.
    """
    node = config.hydra
    multirun = getattr(node.mode, "name", str(node.mode)) == "MULTIRUN"
    overrides = [str(one) for one in node.overrides.task]
    number = node.job.get("num") if multirun else None
    command = " ".join([program or f"python {node.job.name}.py", *map(shlex.quote, overrides)])
    return Task(Path(node.runtime.output_dir), overrides, number, multirun, command, process.identity())


def own_task() -> Task | None:
    """The task of the Hydra job around the caller; None where there is none."""
    if "hydra" not in sys.modules:
        return None
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    config: Any = HydraConfig.instance().cfg
    if config is None or OmegaConf.is_missing(config.hydra.runtime, "output_dir"):
        return None
    return hydra_task(config, program())


#: of Hydra's own flags, those that a repetition needs, each with a value
_FLAGS = ("--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd")
#: in the names of the programs that launchers start their processes with
_LAUNCHERS = ("joblib", "multiprocessing", "ray", "submitit")


def program() -> str:
    """What starts this app again, overrides apart; empty in a process that a launcher started.

    >>> program().partition(" ")[0] in ("python", "")
    True
    """
    flags: list[str] = []
    words = iter(sys.argv[1:])
    for word in words:
        if word in _FLAGS:
            flags += [word, next(words, "")]
        elif word.partition("=")[0] in _FLAGS:
            flags.append(word)
    start = _start()
    return shlex.join([*start, *flags]) if start else ""


def command_line() -> str:
    """The command line of this process; empty in a process that a launcher started."""
    start = _start()
    return shlex.join([*start, *sys.argv[1:]]) if start else ""


def _start() -> list[str]:
    main = sys.modules.get("__main__")
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    if spec is not None and spec.name:
        found = ["python", "-m", spec.name.removesuffix(".__main__")]
    elif file is not None and os.path.exists(file):
        found = ["python", os.path.relpath(file) if _below_here(file) else file]
    else:
        return []
    return [] if any(name in found[-1] for name in _LAUNCHERS) else found


def _below_here(file: str) -> bool:
    return not os.path.relpath(file).startswith(os.path.join("..", ".."))
