"""The Optuna study of a sweep: how it is made, and the handle through which a job reaches its trial."""

from __future__ import annotations

import inspect
import json
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from lr_configs.errors import SchedulerConfigError

if TYPE_CHECKING:
    import optuna

#: environment of a job: its trial, as :meth:`Handle.text` has it
TRIAL = "LR_CONFIGS_TRIAL"
DIRECTIONS = ("minimize", "maximize")


def needs_optuna() -> Any:
    """The module `optuna`.

    Raises:
        SchedulerConfigError: where it is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise SchedulerConfigError(
            "hydra/sweeper", "lr_optuna", "this sweeper needs Optuna", "pip install 'lr_configs[optuna]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def part(key: str, node: Mapping[str, Any], **more: Any) -> Any:
    """The sampler, or the pruner, that a node with a `_target_` describes.

    Args:
        key: of the node, for errors.
        node: a class of Optuna, with its arguments.
        more: arguments that count where the class has them and the node has not.

    Raises:
        SchedulerConfigError: for anything that is no class of Optuna, or has no such arguments.
    """
    arguments = dict(node)
    target = str(arguments.pop("_target_", None))
    path, _, name = target.rpartition(".")
    made = getattr(import_module(path), name, None) if path.partition(".")[0] == "optuna" else None
    if not isinstance(made, type):
        raise SchedulerConfigError(
            f"{key}._target_", target, "this is no class of Optuna", "Write one such as optuna.samplers.TPESampler"
        )
    known = inspect.signature(made).parameters
    arguments = {**{name: value for name, value in more.items() if name in known}, **arguments}
    try:
        with _quietly():
            return made(**arguments)
    except (TypeError, ValueError) as error:
        raise SchedulerConfigError(key, dict(node), str(error), f"See {target} in Optuna's documentation") from None


@contextmanager
def _quietly() -> Iterator[None]:
    """Without Optuna's word on what it calls experimental."""
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


def open_storage(url: str) -> optuna.storages.RDBStorage:
    """The storage at a URL.

    Raises:
        SchedulerConfigError: where it cannot be opened.
    """
    import optuna

    # Six workers and a sweeper wait for each other's writes, instead of failing.
    options = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {"pool_pre_ping": True}
    try:
        return optuna.storages.RDBStorage(url, engine_kwargs=options)
    except Exception as error:  # SQLAlchemy's, the driver's, the database's
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SchedulerConfigError(
            "hydra.sweeper.storage",
            shown(url),
            f"this storage cannot be opened: {reason}",
            "Write sqlite:///FILE, or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE",
        ) from None


def close_storage(storage: Any) -> None:
    """Let go of what :func:`open_storage` has opened."""
    storage.remove_session()
    storage.engine.dispose()


def shown(url: str) -> str:
    """A URL without its password.

    >>> shown("postgresql+psycopg://me:secret@host/studies")
    'postgresql+psycopg://me:***@host/studies'
    """
    scheme, separator, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    name, colon, _ = user.partition(":")
    return f"{scheme}{separator}{name}{colon}{'***' if colon else ''}{at}{place}"


def open_study(
    storage: Any, name: str, directions: Sequence[str], sampler: Any = None, pruner: Any = None
) -> optuna.Study:
    """The study of this name, made where there is none.

    Raises:
        SchedulerConfigError: where the one that is there has other directions.
    """
    import optuna

    study = optuna.create_study(
        storage=storage,
        study_name=name,
        directions=["maximize" if one == "maximize" else "minimize" for one in directions],
        sampler=sampler,
        pruner=pruner,
        load_if_exists=True,
    )
    there = [direction.name.lower() for direction in study.directions]
    if there != list(directions):
        raise SchedulerConfigError(
            "hydra.sweeper.direction",
            list(directions),
            f"the study {name!r} is there already, with {there}",
            "Give this sweep a folder, or a study_name, of its own",
        )
    return study


@dataclass(frozen=True)
class Handle:
    """What a job needs to reach its trial, in whatever process it runs.

    Attributes:
        storage: URL.
        study: name.
        trial: Optuna's id of it.
        pruner: node of the pruner, or None where nothing is pruned.

    >>> handle = Handle("sqlite:///study.db", "study", 3, None)
    >>> Handle.read(handle.text()) == handle
    True
    """

    storage: str
    study: str
    trial: int
    pruner: Mapping[str, Any] | None

    def text(self) -> str:
        """For the environment."""
        return json.dumps([self.storage, self.study, self.trial, self.pruner])

    @classmethod
    def read(cls, text: str) -> Handle:
        """What :meth:`text` wrote."""
        return cls(*json.loads(text))

    @classmethod
    def of_this_job(cls) -> Handle | None:
        """The handle of the job around the caller; None where it is no trial."""
        text = os.environ.get(TRIAL)
        return cls.read(text) if text else None
