"""The nodes that Hydra composes: for our own group, and for a group of the user's choice."""

from __future__ import annotations

from typing import Any

from lr_configs.registry import available, entry


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
    """Put the schedules into Hydra's ConfigStore under another group.

    May be called again; it replaces its own nodes only.

    Args:
        group: the group, e.g. ``"model/scheduler"``.
        package: where the node goes in the config; the group's own path by default.

    Raises:
        ValueError: if something else is stored there under the name of a schedule.

    >>> store(group="model/scheduler")
    """
    from hydra.core.config_store import ConfigStore

    repository = ConfigStore.instance()
    known: Any = repository.repo
    for part in group.split("/"):
        known = known.get(part, {}) if isinstance(known, dict) else {}
    for name in available():
        there = known.get(f"{name}.yaml") if isinstance(known, dict) else None
        if there is not None and there.provider != "lr_configs":
            raise ValueError(
                f"{group}/{name} is in the ConfigStore already (from {there.provider or 'the application'}): "
                "choose another group, or do not store that one"
            )
        repository.store(group=group, name=name, node=node(name), package=package, provider="lr_configs")
