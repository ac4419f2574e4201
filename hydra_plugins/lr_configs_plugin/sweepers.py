"""The sweepers ``hydra/sweeper=lr_grid`` and ``hydra/sweeper=lr_optuna``.

Hydra imports this module in every app of the environment: what it does is imported where it is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins import basic_sweeper  # not the class: Hydra would list it as a plugin of ours
from hydra.plugins import sweeper


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


class LrOptunaSweeper(sweeper.Sweeper):
    """Optuna chooses the values; in place of a grid, the search space is written in Hydra's overrides.

    Args:
        direction: ``maximize`` or ``minimize`` what a job returns; a list where it returns several values.
        n_trials: of the whole study.
        n_jobs: trials that are launched together.
        storage: URL of Optuna's storage; by default an SQLite file in the sweep's folder.
        study_name: within the storage.
        seed: of the sampler.
        sampler: a class of Optuna as ``_target_``, with its arguments.
        pruner: the same, or null to prune nothing.
        conditional: whether the keys of the schedule that is chosen are chosen, too.
        ranges: schedule -> key -> values, beside those that the schedule's file declares.
        group: the config group of the schedules.
        params: the search space, beside what the command line says.
    """

    def __init__(
        self,
        direction: Any = "maximize",
        n_trials: int = 20,
        n_jobs: int = 1,
        storage: str | None = None,
        study_name: str | None = None,
        seed: int | None = None,
        sampler: Any = None,
        pruner: Any = None,
        conditional: bool = True,
        ranges: Any = None,
        group: str = "scheduler",
        params: Any = None,
    ) -> None:
        self.params, self.conditional, self.ranges, self.group = params or {}, conditional, ranges or {}, group
        self.settings: dict[str, Any] = {
            "directions": direction, "n_trials": n_trials, "n_jobs": n_jobs, "storage": storage,
            "study_name": study_name, "seed": seed, "sampler": sampler, "pruner": pruner,
        }  # fmt: skip
        self.config: Any = None
        self.launcher: Any = None
        self.hydra_context: Any = None

    def setup(self, *, hydra_context: Any, task_function: Any, config: Any) -> None:
        """Let every job leave a manifest."""
        from hydra.core.plugins import Plugins

        from lr_configs.sweeps.grid import record

        record(hydra_context)
        self.config, self.hydra_context = config, hydra_context
        self.launcher = Plugins.instance().instantiate_launcher(
            config=config, hydra_context=hydra_context, task_function=task_function
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Run what is left of the study."""
        from lr_configs.sweeps.optuna_sweep import sweep

        written = [*(f"{key}={value}" for key, value in self.params.items()), *arguments]
        return sweep(
            self.config,
            written,
            self.settings,
            {"group": self.group, "ranges": self.ranges, "conditional": self.conditional},
            self.hydra_context,
            self._launch,
        )

    def _launch(self, jobs: Sequence[Sequence[str]], first: int) -> Any:
        self.validate_batch_is_legal(jobs)
        return self.launcher.launch(jobs, initial_job_idx=first)
