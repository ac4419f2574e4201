"""The search path entry ``lr-configs://``: the schedules as a config group, for the apps that ask for it.

Hydra imports this module in every app of the environment, so it imports nothing heavy and registers nothing but the
scheme. Only an app with the entry in its ``hydra.searchpath`` ever makes a source of it.
"""

from __future__ import annotations

from typing import Any

from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource


class LrConfigsSource(ConfigSource):
    """The schedules as the options of one group, each built when it is chosen.

    What follows ``lr-configs://`` is the group; ``scheduler`` where nothing does.
    """

    def __init__(self, provider: str, path: str) -> None:
        super().__init__(provider, path)
        self.group = self.path.strip("/") or "scheduler"

    @staticmethod
    def scheme() -> str:
        """The scheme of the search path's entry."""
        return "lr-configs"

    def available(self) -> bool:
        """Always: there is no folder that might be missing."""
        return True

    def is_group(self, config_path: str) -> bool:
        """Whether the path is our group, or lies on the way to it."""
        return f"{self.group}/".startswith(_folder(config_path))

    def is_config(self, config_path: str) -> bool:
        """Whether the path is one of our options, and not one that the app has stored itself."""
        return self._schedule(config_path) is not None

    def load_config(self, config_path: str) -> ConfigResult:
        """The typed node of one schedule."""
        name = self._schedule(config_path)
        if name is None:
            raise ConfigLoadError(f"Config not found: {config_path}")
        from lr_configs.hydra_store import node

        return ConfigResult(provider=self.provider, path=self.full_path(), config=node(name), header={"package": None})

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """The options of our group; on the way to it, the next group."""
        folder = _folder(config_path)
        found: list[str] = []
        if folder == f"{self.group}/":
            if results_filter != ObjectType.GROUP:
                found = sorted(_available())
        elif self.is_group(config_path) and results_filter != ObjectType.CONFIG:
            found = [self.group.removeprefix(folder).partition("/")[0]]
        return found

    def _schedule(self, config_path: str) -> str | None:
        folder, _, name = config_path.removesuffix(".yaml").rpartition("/")
        # Hydra asks for whatever is written anywhere, `None` too: the registry decides.
        if folder != self.group or name not in _available():
            return None
        return None if _stored(f"{folder}/{name}.yaml") else name


def _folder(config_path: str) -> str:
    """``a/b`` as ``a/b/``, and the root as an empty text: what the paths below it begin with."""
    path = (config_path or "").strip("/")
    return f"{path}/" if path else ""


def _available() -> Any:
    from lr_configs.registry import available

    return available()


def _stored(path: str) -> bool:
    # Hydra keeps its ConfigStore behind all of the search path, and the app's own nodes win over ours all the same.
    from hydra.core.config_store import ConfigStore

    return ConfigStore.instance().get_type(path) == ObjectType.CONFIG
