"""The search path entry ``lr-configs://``: the schedules as a config group, for the apps that ask for it.

Hydra imports this module in every app of the environment, so it imports nothing heavy and registers nothing but the
scheme. Only an app with the entry in its ``hydra.searchpath`` ever makes a source of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource

#: the sweepers, see :mod:`hydra_plugins.lr_configs_plugin.sweepers`
#: name -> class, and what its node has beside ``params``
SWEEPERS: dict[str, tuple[str, dict[str, Any]]] = {
    "lr_grid": ("LrGridSweeper", {"max_batch_size": None}),
    "lr_optuna": (
        "LrOptunaSweeper",
        {
            "_recursive_": False,  # the sampler is made when it is known how many trials there are
            "direction": "maximize", "n_trials": 20, "n_jobs": 1, "storage": None, "study_name": None, "seed": None,
            "sampler": {"_target_": "optuna.samplers.TPESampler", "multivariate": True, "group": True},
            "pruner": {"_target_": "optuna.pruners.MedianPruner", "n_startup_trials": 5, "n_warmup_steps": 2},
            "conditional": True, "ranges": {}, "group": "scheduler",
        },
    ),
}  # fmt: skip


class LrConfigsSource(ConfigSource):
    """The schedules as the options of one group, each built when it is chosen, and the sweepers in ``hydra/sweeper``.

    What follows ``lr-configs://`` is the schedules' group; ``scheduler`` where nothing does.
    """

    def __init__(self, provider: str, path: str) -> None:
        super().__init__(provider, path)
        self.group = self.path.strip("/") or "scheduler"
        self._options: dict[str, Callable[[], Collection[str]]] = {
            self.group: _available,
            "hydra/sweeper": SWEEPERS.keys,
        }

    @staticmethod
    def scheme() -> str:
        """The scheme of the search path's entry."""
        return "lr-configs"

    def available(self) -> bool:
        """Always: there is no folder that might be missing."""
        return True

    def is_group(self, config_path: str) -> bool:
        """Whether the path is one of our groups, or lies on the way to one."""
        return any(f"{group}/".startswith(_folder(config_path)) for group in self._options)

    def is_config(self, config_path: str) -> bool:
        """Whether the path is one of our options, and not one that the app has stored itself."""
        return self._option(config_path) is not None

    def load_config(self, config_path: str) -> ConfigResult:
        """The typed node of one schedule, or that of a sweeper."""
        found = self._option(config_path)
        if found is None:
            raise ConfigLoadError(f"Config not found: {config_path}")
        group, name = found
        config = _schedule(name) if group == self.group else _sweeper(name)
        return ConfigResult(provider=self.provider, path=self.full_path(), config=config, header={"package": None})

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """The options of a group of ours; on the way to one, the next group."""
        folder = _folder(config_path)
        found: set[str] = set()
        for group, options in self._options.items():
            if folder == f"{group}/":
                found |= set(options()) if results_filter != ObjectType.GROUP else set()
            elif f"{group}/".startswith(folder) and results_filter != ObjectType.CONFIG:
                found.add(group.removeprefix(folder).partition("/")[0])
        return sorted(found)

    def _option(self, config_path: str) -> tuple[str, str] | None:
        """Group and name of one of our options."""
        group, _, name = config_path.removesuffix(".yaml").rpartition("/")
        # Hydra asks for whatever is written anywhere, `None` too: the registry decides.
        offered = _offers(name) if group == self.group else group in self._options and name in SWEEPERS
        if not offered:
            return None
        return None if _stored(f"{group}/{name}.yaml") else (group, name)


def _folder(config_path: str) -> str:
    """``a/b`` as ``a/b/``, and the root as an empty text: what the paths below it begin with."""
    path = (config_path or "").strip("/")
    return f"{path}/" if path else ""


def _available() -> Any:
    from lr_configs.registry import available

    return available()


def _offers(name: str) -> bool:
    from lr_configs.registry import offers

    return offers(name)


def _schedule(name: str) -> Any:
    from lr_configs.hydra_store import node

    return node(name)


def _sweeper(name: str) -> Any:
    from omegaconf import OmegaConf

    kind, arguments = SWEEPERS[name]
    target = f"hydra_plugins.lr_configs_plugin.sweepers.{kind}"
    return OmegaConf.create({"_target_": target, **arguments, "params": None})


def _stored(path: str) -> bool:
    # Hydra keeps its ConfigStore behind all of the search path, and the app's own nodes win over ours all the same.
    from hydra.core.config_store import ConfigStore

    return ConfigStore.instance().get_type(path) == ObjectType.CONFIG
