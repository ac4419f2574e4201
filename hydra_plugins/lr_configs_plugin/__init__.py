"""Puts the config group `scheduler` into every Hydra app of the environment.

Hydra imports this module in every app, so it imports nothing heavy, and registers nothing: a lazy source is
appended to the search path, and asked only for what no other source has.
"""

from __future__ import annotations

from typing import Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin

GROUP = "scheduler"


class LrConfigsSearchPath(SearchPathPlugin):
    """Appends our source, behind all of the app's own."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Hydra's hook."""
        search_path.append(provider="lr_configs", path="lr-configs://")


class LrConfigsSource(ConfigSource):
    """The options of the group `scheduler`, each built when it is chosen."""

    @staticmethod
    def scheme() -> str:
        """The scheme of the search path's entry."""
        return "lr-configs"

    def load_config(self, config_path: str) -> ConfigResult:
        """The structured config of one schedule."""
        name = self._schedule(config_path)
        if name is None:
            raise ConfigLoadError(f"Config not found: {config_path}")
        return ConfigResult(
            config=self._build(name),
            path=f"{self.scheme()}://{self.path}",
            provider=self.provider,
            header={"package": None},
        )

    def _build(self, name: str) -> Any:
        from lr_configs.hydra_store import node

        return node(name)

    def _schedule(self, config_path: str) -> str | None:
        path = (config_path or "").removesuffix(".yaml").strip("/")
        group, _, name = path.partition("/")
        if group != GROUP or not name:
            return None
        from lr_configs.registry import available

        return name if name in available() else None

    def available(self) -> bool:
        """Always."""
        return True

    def is_group(self, config_path: str) -> bool:
        """Whether the path is the root or our group."""
        return (config_path or "").strip("/") in ("", GROUP)

    def is_config(self, config_path: str) -> bool:
        """Whether the path is one of our options."""
        return self._schedule(config_path) is not None

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """The options of our group, or the group itself."""
        path = (config_path or "").strip("/")
        if path == "" and results_filter in (None, ObjectType.GROUP):
            return [GROUP]
        if path == GROUP and results_filter in (None, ObjectType.CONFIG):
            from lr_configs.registry import available

            return sorted(available())
        return []
