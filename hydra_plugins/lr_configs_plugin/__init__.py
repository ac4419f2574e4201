"""Puts the config group `scheduler` into every Hydra app of the environment.

Hydra imports this module in every app, so it imports nothing heavy, and registers nothing: a lazy source is
appended to the search path, and asked only for what no other source has.
"""

from __future__ import annotations

import sys
from typing import Any

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin

GROUP = "scheduler"


class _OursLast(list):  # type: ignore[type-arg]
    """A search path that keeps our entry behind what is appended later (`hydra.searchpath`).

    Hydra itself insists on its schema as the very last one; see :meth:`LrConfigsSource._schedule` for that.
    """

    def append(self, element: Any) -> None:
        ours = bool(self) and self[-1].provider == "lr_configs"
        self.insert(len(self) - 1 if ours and element.provider != "schema" else len(self), element)


class LrConfigsSearchPath(SearchPathPlugin):
    """Appends our source, behind all of the app's own."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Hydra's hook."""
        search_path.append(provider="lr_configs", path="lr-configs://")
        if isinstance(getattr(search_path, "config_search_path", None), list):
            search_path.config_search_path = _OursLast(search_path.config_search_path)  # type: ignore[attr-defined]


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
            from hydra.errors import ConfigCompositionException

            from lr_configs.errors import SchedulerConfigError
            from lr_configs.registry import entry

            try:
                entry(self._name(config_path))
            except SchedulerConfigError as error:
                raise ConfigCompositionException(f"scheduler: {error}") from None
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

    @staticmethod
    def _name(config_path: str) -> str:
        path = (config_path or "").removesuffix(".yaml").strip("/")
        group, _, name = path.partition("/")
        return name if group == GROUP else ""

    def _schedule(self, config_path: str) -> str | None:
        name = self._name(config_path)
        if not name:
            return None
        from hydra.core.config_store import ConfigStore

        from lr_configs.registry import available

        # What the app stored in the ConfigStore lies behind us in the search path, and wins all the same.
        stored = ConfigStore.instance().repo.get(GROUP)
        if name not in available() or (isinstance(stored, dict) and f"{name}.yaml" in stored):
            return None
        return name

    def available(self) -> bool:
        """Always."""
        return True

    def is_group(self, config_path: str) -> bool:
        """Whether the path is the root or our group."""
        path = (config_path or "").strip("/")
        return path == "" or (path == GROUP and not _app_has_a_plain_key())

    def is_config(self, config_path: str) -> bool:
        """Whether the path is one of our options, or so nearly one that the error should name it."""
        return self._schedule(config_path) is not None or self._misspelt(config_path)

    def _misspelt(self, config_path: str) -> bool:
        name = self._name(config_path)
        if not name or "/" in name:
            return False
        from difflib import get_close_matches

        from hydra.core.config_store import ConfigStore

        from lr_configs.registry import available

        stored = ConfigStore.instance().repo.get(GROUP)
        known = isinstance(stored, dict) and f"{name}.yaml" in stored
        return not known and name not in available() and bool(get_close_matches(name, available(), n=1, cutoff=0.75))

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """The options of our group, or the group itself."""
        path = (config_path or "").strip("/")
        if path == "" and results_filter in (None, ObjectType.GROUP):
            return [GROUP]
        if path == GROUP and results_filter in (None, ObjectType.CONFIG):
            from lr_configs.registry import available

            return sorted(available())
        return []


def _app_has_a_plain_key() -> bool:
    """Whether `scheduler` is an ordinary value of the running app, and no group.

    Hydra reads ``scheduler=x`` as a choice in a group wherever a group of that name exists; without this, the
    override of an app that has ``scheduler: linear`` in its config would fail once we are installed. A source is
    not told what is being composed, so the question is put to Hydra's own call that asks.
    """
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_name != "create_defaults_list":
        frame = frame.f_back  # type: ignore[assignment]
    if frame is None:
        return False
    repo, name = frame.f_locals.get("repo"), frame.f_locals.get("config_name")
    return repo is not None and name is not None and _plain_key_in(repo, name, depth=4) is True


def _plain_key_in(repo: Any, name: str, depth: int) -> bool | None:
    """True for a plain value in the config `name` or those it includes, False for a choice in the group."""
    from omegaconf import DictConfig

    loaded = repo.load_config(config_path=name)
    if loaded is None:
        return None
    included = []
    for default in loaded.defaults_list or []:
        group = getattr(default, "group", None)
        if group is not None and group.strip("/") == GROUP:
            return False
        path = getattr(default, "path", None)
        if group is None and path and path != "_self_":
            included.append(path)
    found = None
    if isinstance(loaded.config, DictConfig) and GROUP in loaded.config:
        found = not isinstance(loaded.config._get_node(GROUP), DictConfig)
    for path in included if depth else ():
        inner = _plain_key_in(repo, path, depth - 1)
        if inner is False:
            return False
        found = found or inner
    return found
