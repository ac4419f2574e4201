"""A study over schedules with Optuna's ask-and-tell: what is behind ``hydra/sweeper=lr_optuna``."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn
from hydra.errors import CompactHydraException
from omegaconf import OmegaConf

from lr_configs.errors import SchedulerConfigError
from lr_configs.registry import plain
from lr_configs.sweeps.files import LaterVersion, Unreadable, one_line, write_json
from lr_configs.sweeps.folder import SweepFolder
from lr_configs.sweeps.grid import Launch, Numbers
from lr_configs.sweeps.hydra_callback import Environment, outcome
from lr_configs.sweeps.manifest import NAME, Manifest, Task, read, settle
from lr_configs.sweeps.space import Space, read_space
from lr_configs.sweeps.study import (
    DIRECTIONS,
    TRIAL,
    Handle,
    close_storage,
    needs_optuna,
    open_storage,
    open_study,
    part,
    shown,
)

if TYPE_CHECKING:
    import optuna

log = logging.getLogger(__name__)
#: of a trial, in its study: the overrides of its job, the folder of its sweep, the job's folder, why it failed
OVERRIDES, SWEEP, FOLDER, REASON = "overrides", "sweep", "folder", "reason"
RESULTS = "optimization_results.json"


@dataclass(frozen=True)
class Settings:
    """What ``hydra.sweeper`` says, but for the space.

    Attributes:
        n_trials: of the whole study; those that an interrupted sweep has made count.
        n_jobs: trials that are launched together.
        directions: of the values that a job returns, ``minimize`` or ``maximize``.
        storage: URL; by default an SQLite file in the sweep's folder.
        study_name: within the storage; a storage of one's own needs it.
        seed: of the sampler.
        sampler: node of a class of Optuna.
        pruner: node of a class of Optuna, or None where nothing is pruned.
    """

    n_trials: int = 20
    n_jobs: int = 1
    directions: tuple[str, ...] = ("maximize",)
    storage: str | None = None
    study_name: str | None = None
    seed: int | None = None
    sampler: Mapping[str, Any] | None = None
    pruner: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        for key in ("n_trials", "n_jobs"):
            value = getattr(self, key)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise SchedulerConfigError(f"hydra.sweeper.{key}", value, "this is a number from 1 on", "Write 20")
        for one in self.directions or ("nothing",):
            if one not in DIRECTIONS:
                raise SchedulerConfigError(
                    "hydra.sweeper.direction",
                    one,
                    "each value that a job returns is to be minimized or maximized",
                    "Write maximize, or [maximize,minimize] for jobs that return two values",
                )
        if self.storage is not None and self.study_name is None:
            raise SchedulerConfigError(
                "hydra.sweeper.study_name",
                None,
                "a storage may have several studies",
                "Name this one: hydra.sweeper.study_name=first",
            )

    def of_sampler(self, before: int) -> dict[str, Any]:
        """Arguments of a sampler, where it has them, behind so many trials.

        >>> Settings(seed=7, n_jobs=2).of_sampler(before=3)
        {'seed': 10, 'constant_liar': True}
        >>> Settings().of_sampler(before=3)
        {'seed': None, 'constant_liar': False}
        """
        # A sampler that begins anew with the same seed would repeat its first suggestions.
        seed = None if self.seed is None else self.seed + before
        return {"seed": seed, "constant_liar": self.n_jobs > 1}

    @property
    def name(self) -> str:
        """Of the study."""
        return self.study_name or "study"

    def url(self, folder: Path) -> str:
        """Of the storage."""
        return self.storage or f"sqlite:///{folder.resolve() / 'study.db'}"


class Trials:
    """The trials of a study, and what becomes of their jobs.

    Args:
        study: Optuna's.
        storage: where it is kept.
        folder: of the sweep.
    """

    def __init__(self, study: optuna.Study, storage: Any, folder: Path) -> None:
        self.study, self.storage, self.folder = study, storage, folder
        self._id = storage.get_study_id_from_name(study.study_name)

    def done(self) -> int:
        """How many have ended, in whatever way."""
        return sum(trial.state.is_finished() for trial in self.study.get_trials(deepcopy=False))

    def left_behind(self) -> list[optuna.trial.FrozenTrial]:
        """Trials that a sweep in this folder began, and did not live to settle."""
        from optuna.trial import TrialState

        mine = str(self.folder.resolve())
        found = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return [trial for trial in found if trial.user_attrs.get(SWEEP) == mine]

    def ask(self, space: Space) -> tuple[int, list[str]]:
        """A new trial: its number, and the overrides of its job."""
        trial = self.study.ask()
        # First, so that a sweep that is killed here finds it again.
        trial.set_user_attr(SWEEP, str(self.folder.resolve()))
        try:
            overrides = space.overrides(trial)
        except ValueError as error:
            raise SchedulerConfigError(
                "hydra.sweeper.params",
                trial.number,
                f"the study has this trial's choices with other values: {error}",
                "Go on with the choices of its first trials, or give this sweep a folder of its own",
            ) from None
        trial.set_user_attr(OVERRIDES, overrides)
        return trial.number, overrides

    def tell(self, number: int, status: str, reason: str | None, value: Any) -> str:
        """Settle a trial; in words.

        Args:
            number: of the trial.
            status: ``finished``, ``failed``, ``pruned``, as manifests have it; anything else fails.
            reason: why it did not finish.
            value: what the job returned.
        """
        from optuna.trial import TrialState

        if status == "pruned":
            self.study.tell(number, state=TrialState.PRUNED)
            return "pruned"
        values, wrong = self._values(value) if status == "finished" else ([], reason or status)
        if wrong:
            self.storage.set_trial_user_attr(self.id_of(number), REASON, one_line(wrong))
            self.study.tell(number, state=TrialState.FAIL)
            return f"failed ({one_line(wrong)})"
        self.study.tell(number, values)
        return " ".join(f"{one:.6g}" for one in values)

    def _values(self, value: Any) -> tuple[list[float], str]:
        """The numbers that a job returned, or what is wrong with them."""
        expected = len(self.study.directions)
        several = list(value) if isinstance(value, (list, tuple)) else [value]
        if len(several) != expected:
            return [], f"the job returned {value!r}, and the study has {expected} direction(s)"
        try:
            numbers = [float(one) for one in several]
        except (TypeError, ValueError):
            return [], f"the job returned {value!r}, which is no number"
        return ([], "the job returned NaN") if any(map(math.isnan, numbers)) else (numbers, "")

    def id_of(self, number: int) -> int:
        """Optuna's id of a trial."""
        found: int = self.storage.get_trial_id_from_study_id_trial_number(self._id, number)
        return found

    def best(self) -> str:
        """The best so far, in words; empty where none has finished."""
        from optuna.trial import TrialState

        finished = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if not finished:
            return ""
        if len(self.study.directions) > 1:
            return f"{len(self.study.best_trials)} of {len(finished)} finished trials are beaten by none"
        best = self.study.best_trial
        return f"best {best.value:.6g} by trial {best.number}: {' '.join(best.user_attrs.get(OVERRIDES, []))}"


def sweep(
    config: Any,
    written: Sequence[str],
    settings: Mapping[str, Any],
    conditions: Mapping[str, Any],
    hydra_context: Any,
    launch: Launch,
) -> Any:
    """Run what is left of a study.

    Args:
        config: the app's, with its `hydra` node.
        written: overrides in Hydra's syntax, which are the search space.
        settings: the arguments of :class:`Settings`, as the config has them.
        conditions: `group`, `ranges` and `conditional` of :func:`lr_configs.sweeps.space.read_space`.
        hydra_context: Hydra's.
        launch: launches jobs.

    Returns:
        What is in ``optimization_results.json`` of the sweep's folder.

    Raises:
        CompactHydraException: where the folder, the storage or the space is refused.
    """
    try:
        needs_optuna()
        asked: dict[str, Any] = plain({**settings, **conditions})
        asked["directions"] = (
            tuple(asked["directions"]) if isinstance(asked["directions"], list) else (asked["directions"],)
        )
        group, ranges, conditional = asked.pop("group"), asked.pop("ranges"), asked.pop("conditional")
        kept = Settings(**asked)
        chosen = config.hydra.runtime.choices.get(group)
        space = read_space(
            written, hydra_context.config_loader, group=group, schedule=chosen, ranges=ranges, conditional=conditional
        )
        environment = Environment()
        hydra_context.callbacks.callbacks.append(environment)
        folder = SweepFolder(Path(str(config.hydra.sweep.dir)))
        with folder.held():
            OmegaConf.save(config, folder.path / "multirun.yaml")  # as Hydra's own sweeper does
            storage = open_storage(kept.url(folder.path))
            try:
                return _run(space, kept, launch, environment, folder.path, storage)
            finally:
                close_storage(storage)
    except SchedulerConfigError as error:
        raise CompactHydraException(str(error)) from None


def _run(
    space: Space, settings: Settings, launch: Launch, environment: Environment, folder: Path, storage: Any
) -> dict[str, Any]:
    pruner = None if settings.pruner is None else part("hydra.sweeper.pruner", settings.pruner)
    trials = Trials(open_study(storage, settings.name, settings.directions, pruner=pruner), storage, folder)
    before = trials.done()
    trials.study.sampler = part("hydra.sweeper.sampler", settings.sampler or {}, **settings.of_sampler(before))
    study = _Study(settings, trials, launch, environment)
    log.info(
        f"study {settings.name!r} in {shown(settings.url(folder))}: {settings.n_trials} trials"
        + (f", {before} of them were made before" if before else "")
    )
    study.settle_left_behind()
    while (left := settings.n_trials - trials.done()) > 0:
        again = study.take_again(min(left, settings.n_jobs))
        asked = [trials.ask(space) for _ in range(min(left, settings.n_jobs) - len(again))]
        study.launch([*again, *asked])
    return study.results()


class _Study:
    """Launches the jobs of trials, and settles the trials."""

    def __init__(self, settings: Settings, trials: Trials, launch: Launch, environment: Environment) -> None:
        self.settings, self.trials, self._launch, self.environment = settings, trials, launch, environment
        self._again: list[tuple[int, list[str]]] = []

    def settle_left_behind(self) -> None:
        """Settle the trials of a sweep that was killed, by what their jobs left; those that had not ended run again."""
        for trial in self.trials.left_behind():
            overrides = trial.user_attrs.get(OVERRIDES)
            if overrides is None:
                self.trials.tell(trial.number, "killed", "the sweep was killed before the trial's job began", None)
                continue
            found = self._manifest(trial.number, trial.user_attrs.get(FOLDER))
            if found is not None and found.status in ("finished", "pruned", "failed"):
                self._settle(trial.number, found.status, found.reason, found.data.get("value"))
            else:
                self._again.append((trial.number, list(overrides)))
        if self._again:
            log.info(f"trials {', '.join(str(number) for number, _ in self._again)} were interrupted, and run again")

    def take_again(self, most: int) -> list[tuple[int, list[str]]]:
        """Trials that run again, with the overrides of their jobs."""
        taken, self._again = self._again[:most], self._again[most:]
        return taken

    def launch(self, batch: Sequence[tuple[int, list[str]]]) -> None:
        """Run the jobs of these trials, and settle them."""
        self.environment.variables = {number: {TRIAL: self._handle(number)} for number, _ in batch}
        results = self._launch([overrides for _, overrides in batch], Numbers([number for number, _ in batch]))
        for (number, overrides), result in zip(batch, results, strict=True):
            status, reason, value = self._outcome(number, overrides, result)
            self._settle(number, status, reason, value)

    def _handle(self, number: int) -> str:
        """Through which a job reaches its trial."""
        settings = self.settings
        node = settings.pruner if len(settings.directions) == 1 else None
        return Handle(settings.url(self.trials.folder), settings.name, self.trials.id_of(number), node).text()

    def _outcome(self, number: int, overrides: Sequence[str], result: JobReturn) -> tuple[str, str | None, Any]:
        status, reason, value = outcome(result)
        if result.hydra_cfg is None:
            return status, reason, value
        folder = Path(str(result.hydra_cfg.hydra.runtime.output_dir))
        self.trials.storage.set_trial_user_attr(self.trials.id_of(number), FOLDER, str(folder))
        settle(Task(folder, overrides, number, multirun=True), status, reason, value)
        found = self._manifest(number, str(folder))
        if status == "finished" and found is not None and found.status == "pruned":
            return "pruned", found.reason, value
        return status, reason, value

    def _manifest(self, number: int, folder: str | None) -> Manifest | None:
        """What a trial's job left; None where there is nothing that can be read."""
        place = Path(folder) if folder is not None else self.trials.folder / str(number)
        try:
            return read(place / NAME)
        except (FileNotFoundError, Unreadable, LaterVersion):
            return None

    def _settle(self, number: int, status: str, reason: str | None, value: Any) -> None:
        words = self.trials.tell(number, status, reason, value)
        log.info(f"trial {number}, {self.trials.done()} of {self.settings.n_trials}: {words} | {self.trials.best()}")

    def results(self) -> dict[str, Any]:
        """The best trials, which are written into the sweep's folder, too."""
        from optuna.trial import TrialState

        study = self.trials.study
        finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        found = {
            "study": self.settings.name,
            "directions": list(self.settings.directions),
            "trials": {
                state.name.lower(): count
                for state in TrialState
                if (count := len(study.get_trials(deepcopy=False, states=(state,))))
            },
            "best": [
                {"number": trial.number, "values": trial.values, "overrides": trial.user_attrs.get(OVERRIDES)}
                for trial in (study.best_trials if finished else [])
            ],
        }
        write_json(self.trials.folder / RESULTS, found)
        return found
