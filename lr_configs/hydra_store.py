"""The nodes that Hydra composes, for the search path entry ``lr-configs://`` and for its ConfigStore."""

from __future__ import annotations

import warnings
from inspect import signature
from typing import Any

from lr_configs.errors import SchedulerConfigError
from lr_configs.registry import available, entry

#: what Hydra's `--info` names as the origin of a stored node
PROVIDER = "lr_configs"


def node(name: str) -> Any:
    """The structured config of one schedule, typed; its stages take new keys from the command line."""
    from omegaconf import DictConfig, OmegaConf

    structured = OmegaConf.structured(entry(name))
    if isinstance(structured, DictConfig) and "stages" in structured:
        # Which keys a stage has depends on its name, which only composing decides.
        OmegaConf.set_struct(structured.stages, False)
        for stage in structured.stages.values():
            OmegaConf.set_struct(stage, False)
    return structured


def store(group: str = "scheduler", *, package: str | None = None) -> None:
    """Put the schedules into Hydra's ConfigStore, before ``@hydra.main``.

    The same as ``lr-configs://`` in the app's ``hydra.searchpath``, in Python. May be called again; it replaces its
    own nodes only.

    Args:
        group: the group, e.g. ``"model/scheduler"``.
        package: where the node goes in the config; the group's own path by default.

    Raises:
        ValueError: if something else is stored there under the name of a schedule.

    >>> store(group="model/scheduler")
    """
    from hydra.core.config_store import ConfigStore
    from hydra.core.object_type import ObjectType

    repository = ConfigStore.instance()
    # Hydra 1.4 wants it said that a node replaces another one.
    replacing: dict[str, Any] = {"replace": True} if "replace" in signature(repository.store).parameters else {}
    for name in available():
        try:
            made = node(name)
        except SchedulerConfigError as error:  # a package that is installed, and cannot be imported
            warnings.warn(str(error), UserWarning, stacklevel=2)
            continue
        path = f"{group}/{name}.yaml"
        if repository.get_type(path) == ObjectType.CONFIG:
            provider = repository.load(path).provider
            if provider != PROVIDER:
                raise ValueError(
                    f"{group}/{name} is in the ConfigStore already (from {provider or 'the application'}): "
                    "choose another group, or do not store that one"
                )
        repository.store(group=group, name=name, node=made, package=package, provider=PROVIDER, **replacing)
