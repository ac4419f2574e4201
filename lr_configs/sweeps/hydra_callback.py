"""The Hydra half of a manifest: a job's start, its end, and whatever it raised."""

from __future__ import annotations

import logging
import os
from typing import Any

from hydra.errors import CompactHydraException
from hydra.experimental.callback import Callback

from lr_configs.errors import SchedulerConfigError
from lr_configs.sweeps import current, process
from lr_configs.sweeps.ending import ending
from lr_configs.sweeps.manifest import Job

log = logging.getLogger(__name__)


class JobManifest(Callback):
    """Writes the manifest of every job of an app, as a Hydra callback.

    ``hydra/sweeper=lr_grid`` has it by itself; under another sweeper, and for single runs::

        hydra:
          callbacks:
            manifest:
              _target_: lr_configs.sweeps.JobManifest

    What the Lightning callback :class:`lr_configs.sweeps.Manifest` knows of the training goes into the same file.
    """

    def __init__(self) -> None:
        # Hydra makes its callbacks in the process of the command line, and a launcher takes them to the others.
        self.program = current.program()

    def on_job_start(self, config: Any, **kwargs: Any) -> None:
        """Begin the manifest; what is raised here, Hydra shows as a warning."""
        current.leave()
        if process.rank() == 0:
            current.enter(Job(current.hydra_task(config, self.program)))

    def on_job_end(self, config: Any, job_return: Any, **kwargs: Any) -> None:
        """Write how the job ended."""
        job = current.current()
        current.leave()
        if job is None:
            return
        status, reason, value = outcome(job_return)
        job.end(status, reason, value)
        if status == "failed" and job.task.multirun:
            # Hydra raises what one job raised after all of them, and says nothing of the others.
            error = job_return._return_value
            short = isinstance(error, (CompactHydraException, SchedulerConfigError))
            log.error("job %s failed: %s", job.task.number, reason, exc_info=None if short else error)


class Environment(Callback):
    """Gives each job of a sweep variables of its own, in whatever process a launcher runs it.

    Attributes:
        variables: number of a job -> name -> text.
    """

    def __init__(self) -> None:
        self.variables: dict[int, dict[str, str]] = {}

    def on_job_start(self, config: Any, **kwargs: Any) -> None:
        """Set them."""
        os.environ.update(self.variables.get(config.hydra.job.num, {}))

    def on_job_end(self, config: Any, job_return: Any, **kwargs: Any) -> None:
        """Forget them: the next job may run in the same process."""
        for name in self.variables.get(config.hydra.job.num, ()):
            os.environ.pop(name, None)


def outcome(job_return: Any) -> tuple[str, str | None, Any]:
    """Status, reason and value of a job that Hydra has run."""
    # The public property writes to stderr before it raises what the job raised.
    result = job_return._return_value
    if isinstance(result, BaseException):
        return (*ending(result), None)
    return "finished", None, result
