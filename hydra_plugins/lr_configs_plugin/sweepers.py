"""The sweeper ``hydra/sweeper=lr_grid``.

Hydra imports this module in every app of the environment: what it does is imported where it is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins import basic_sweeper  # not the class: Hydra would list it as a plugin of ours


class LrGridSweeper(basic_sweeper.BasicSweeper):
    """Hydra's own sweeper, whose jobs leave manifests, and which skips those that are finished.

    Args:
        max_batch_size: jobs that are launched together; all of them by default.
        params: what is swept over, beside what the command line says.
    """

    def __init__(self, max_batch_size: int | None = None, params: dict[str, str] | None = None) -> None:
        super().__init__(max_batch_size=max_batch_size, params=params)

    def setup(self, *, hydra_context: Any, task_function: Any, config: Any) -> None:
        """Let every job leave a manifest."""
        from lr_configs.sweeps.grid import record

        record(hydra_context)
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)

    def sweep(self, arguments: list[str]) -> Any:
        """Run the jobs that are left."""
        from hydra.core.override_parser.overrides_parser import OverridesParser

        from lr_configs.sweeps.grid import run

        assert self.hydra_context is not None
        assert self.config is not None
        written = [*(f"{key}={value}" for key, value in self.params.items()), *arguments]
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        (jobs,) = self.split_arguments(parser.parse_overrides(written), None)
        return run(self.config, jobs, self.max_batch_size, self._launch)

    def _launch(self, jobs: Sequence[Sequence[str]], first: int) -> Any:
        assert self.launcher is not None
        self.validate_batch_is_legal(jobs)
        return self.launcher.launch(jobs, initial_job_idx=first)
