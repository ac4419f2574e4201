"""Overrides in Hydra's own syntax -> schedules: of our group alone, or of an app that is composed as it would be."""

from __future__ import annotations

import argparse
import importlib
import itertools
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lr_configs.commands.errors import CallError, ConfigError
from lr_configs.commands.parser import Parser
from lr_configs.composed import Found, find
from lr_configs.errors import SchedulerConfigError, nearest
from lr_configs.run_size import RunSize

#: the primary config of the commands that compose our group alone
_BASE = "lr_configs_command"
#: the short form of scheduler=NAME
_NAMES = re.compile(r"\w+(,\w+)*")


@dataclass(frozen=True)
class Composed:
    """A schedule of a composed config.

    Attributes:
        label: what tells it from the others: the values of the overrides that differ, its key where an app has several; its name
            where there is no other one.
        key: where it is in the config, dotted.
        found: what else the config says about it: `found.size` is the run's, with its sources.
        overrides: of the composition that it is of.
    """

    label: str
    key: str
    found: Found
    overrides: tuple[str, ...] = ()

    @property
    def node(self) -> Any:
        """The schedule, as :func:`lr_configs.registry.parse` takes it.

        Raises:
            SchedulerConfigError: where it cannot be read.
        """
        return self.found.node


# ---------------------------------------------------------------------------------------- options


def add_arguments(parser: Parser) -> None:
    """What says which schedules a command is about."""
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="OVERRIDE",
        help="as Hydra takes them: scheduler=cosine scheduler.warmup=5%%; a list (scheduler=cosine,one_cycle) tries each. "
        "NAME alone is short for scheduler=NAME",
    )
    parser.add_argument(
        "--config-dir", metavar="FOLDER", help="compose this app instead of the group `scheduler` alone"
    )
    parser.add_argument("--config-name", metavar="NAME", help="its primary config (default: config)")
    parser.add_argument(
        "-m", "--multirun", action="store_true", help="every job of the app's own sweep, too (hydra.sweeper.params)"
    )
    add_import_argument(parser)


def add_import_argument(parser: Parser) -> None:
    """What is imported before a command looks for schedules."""
    parser.add_argument(
        "--import",
        dest="modules",
        action="append",
        default=[],
        metavar="MODULE",
        help="import this first, for the schedules, resolvers or stored configs of your own",
    )


def add_run_arguments(parser: Parser) -> None:
    """What says how large the run is; it wins over what an app's config says."""
    parser.add_argument("--epochs", type=int, metavar="N", help="epochs of the run")
    parser.add_argument(
        "--steps-per-epoch", type=int, metavar="N", help="optimizer updates in an epoch, accumulation divided out"
    )
    parser.add_argument("--steps", type=int, metavar="N", help="optimizer updates of the run")
    parser.add_argument(
        "--batches",
        type=int,
        metavar="N",
        help="batches in an epoch of the training data, to which an app's limits and accumulation apply",
    )
    parser.add_argument("--lr", type=float, metavar="RATE", help="the optimizer's own rate")
    parser.add_argument(
        "--groups",
        type=_groups,
        metavar="RATES",
        help="the rates of several parameter groups: 0.1,0.01 or backbone=0.01,head=0.1",
    )


def _groups(text: str) -> dict[str, float] | list[float]:
    pairs = [part.rpartition("=") for part in text.split(",")]
    try:
        rates = [float(rate) for _, _, rate in pairs]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 0.1,0.01 or backbone=0.01,head=0.1") from None
    names = [name for name, _, _ in pairs]
    if len(set(names)) == len(names) and all(names):
        return dict(zip(names, rates, strict=True))
    if any(names):
        raise argparse.ArgumentTypeError(f"{text!r} names some of its groups, or one of them twice")
    return rates


def composed(options: argparse.Namespace) -> list[Composed]:
    """The schedules that the options of :func:`add_arguments` speak of."""
    check_batches(getattr(options, "batches", None))
    bring(options.modules)
    batches = getattr(options, "batches", None)
    return compose(options.overrides, options.config_dir, options.config_name, batches, options.multirun)


def check_batches(batches: int | None) -> None:
    """Refuse a number of batches that is none, before anything is composed."""
    if batches is not None and batches < 1:
        raise CallError(f"--batches: {batches}: an epoch has a positive whole number of them. Write 391")


def size_of(found: Found, options: argparse.Namespace) -> RunSize:
    """The run of a schedule: what the options of :func:`add_run_arguments` say, then what its config says."""
    try:
        return found.size.given(
            lr=options.lr,
            groups=options.groups,
            epochs=options.epochs,
            steps=options.steps,
            steps_per_epoch=options.steps_per_epoch,
        )
    except SchedulerConfigError as error:
        raise CallError(f"--{error.key.replace('_', '-')}: {error.value}: {error.rule}. {error.remedy}") from None


def bring(modules: Sequence[str]) -> None:
    """Import modules of the user's own, from the working directory too."""
    if modules and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:  # whatever it does when it is imported
            raise CallError(f"--import {name}: {type(error).__name__}: {error}") from error


def spelled_out(overrides: Sequence[str]) -> list[str]:
    """Overrides with the short form of a schedule in full.

    >>> spelled_out(["cosine,step", "scheduler.warmup=5%"])
    ['scheduler=cosine,step', 'scheduler.warmup=5%']
    """
    return [f"scheduler={word}" if _NAMES.fullmatch(word) else word for word in overrides]


# ---------------------------------------------------------------------------------------- composing


def compose(
    overrides: Sequence[str],
    config_dir: str | Path | None = None,
    config_name: str | None = None,
    batches: int | None = None,
    multirun: bool = False,
) -> list[Composed]:
    """The schedules that overrides stand for.

    Args:
        overrides: in Hydra's syntax, sweeps (``scheduler=cosine,one_cycle``) too, which are tried one by one.
        config_dir: the folder of an app's configs; without it there is our group `scheduler` and nothing else.
        config_name: the app's primary config, ``config`` by default.
        batches: in an epoch of the training data, where the caller knows it.
        multirun: sweep over the parameters of the app's own sweeper as well.

    Raises:
        CallError: for overrides that Hydra cannot read, and for an app that is not there.
        ConfigError: where there is no schedule in what is composed.

    >>> [one.label for one in compose(["scheduler=cosine,step", "scheduler.warmup=5%"])]
    ['cosine', 'step']
    """
    found: list[tuple[dict[str, str], tuple[str, ...], Found]] = []
    with Composer(config_dir, config_name) as composer:
        for changed, words in composer.sweep(overrides, multirun):
            schedules = find(composer.config(words), batches)
            if not schedules:
                raise ConfigError(composer.nothing_found(words))
            found += [(changed, tuple(words), one) for one in schedules]
    several = len({one.key for _, _, one in found}) > 1
    return [Composed(_label(changed, one, several), one.key, one, words) for changed, words, one in found]


def _label(changed: dict[str, str], found: Found, several: bool) -> str:
    words = [
        value if key == "scheduler" else f"{key.removeprefix(f'{found.key}.').removeprefix('scheduler.')}={value}"
        for key, value in changed.items()
    ]
    if several:
        words.insert(0, found.key)
    name = found.data.get("name") if isinstance(found.data, dict) else found.data
    return " ".join(words) or str(name or found.key)


class Composer:
    """Composes one app, as often as is wanted.

    Args:
        config_dir: its folder; None for our group alone.
        config_name: its primary config.
    """

    def __init__(self, config_dir: str | Path | None = None, config_name: str | None = None) -> None:
        if config_dir is None and config_name is not None:
            raise CallError("--config-name is of an app: give its folder as well, with --config-dir")
        self.folder = None if config_dir is None else Path(config_dir).absolute()
        if self.folder is not None and not self.folder.is_dir():
            raise CallError(f"--config-dir {config_dir}: there is no such folder")
        self.name = _BASE if self.folder is None else (config_name or "config").removesuffix(".yaml")
        self._before: Any = None
        self._named = False  # whether there is a config of this name

    def __enter__(self) -> Composer:
        from hydra import __version__, initialize, initialize_config_dir
        from hydra.core.global_hydra import GlobalHydra
        from hydra.core.hydra_config import HydraConfig

        # Hydra 1.3 wants to be told, and Hydra 1.4 warns about being told.
        base: dict[str, Any] = {"version_base": "1.3"} if __version__.startswith("1.3.") else {}
        self._before = GlobalHydra.instance().hydra, HydraConfig.instance().cfg
        GlobalHydra.instance().hydra = None
        try:
            if self.folder is None:
                self._store_base()
                initialize(config_path=None, **base)
            else:
                initialize_config_dir(str(self.folder), **base)
                self._check_name(self.folder)
        except BaseException:
            self.__exit__()
            raise
        self._named = True
        return self

    def __exit__(self, *error: Any) -> None:
        from hydra.core.global_hydra import GlobalHydra
        from hydra.core.hydra_config import HydraConfig

        GlobalHydra.instance().hydra, HydraConfig.instance().cfg = self._before

    def _store_base(self) -> None:
        from hydra.core.config_store import ConfigStore
        from hydra.core.object_type import ObjectType

        store = ConfigStore.instance()
        if store.get_type(f"{_BASE}.yaml") != ObjectType.CONFIG:
            node = {"defaults": [{"scheduler": "???"}, "_self_"], "hydra": {"searchpath": ["lr-configs://"]}}
            store.store(name=_BASE, node=node)

    def _check_name(self, folder: Path) -> None:
        group, _, name = self.name.rpartition("/")
        known = self.options(group)
        if name not in known:
            raise CallError(
                f"--config-name {self.name}: {folder} has no such config. "
                f"{nearest(name, known)}It has: {', '.join(known) or 'none'}"
            )

    @property
    def loader(self) -> Any:
        """Hydra's."""
        from hydra.core.global_hydra import GlobalHydra

        return GlobalHydra.instance().config_loader()

    def options(self, group: str) -> list[str]:
        """The options of a group; the primary configs where it is empty."""
        from hydra.core.object_type import ObjectType

        return self.get_group_options(group, ObjectType.CONFIG)

    def get_group_options(self, group_name: str, results_filter: Any) -> list[str]:
        """For Hydra's ``glob(*)``: those of the primary config's search path too, which Hydra itself leaves out."""
        primary = {"config_name": self.name} if self._named else {}
        found: list[str] = self.loader.get_group_options(group_name, results_filter, **primary)
        return [name for name in found if name != _BASE and not name.startswith("_")]  # Hydra has one of its own

    def all_options(self, group: str) -> Iterator[str]:
        """The options of a group and of the groups in it."""
        from hydra.core.object_type import ObjectType

        yield from self.options(group)
        for inner in self.get_group_options(group, ObjectType.GROUP):
            yield from (f"{inner}/{name}" for name in self.all_options(f"{group}/{inner}"))

    def groups(self) -> list[str]:
        """The app's groups."""
        from hydra.core.object_type import ObjectType

        return [name for name in self.get_group_options("", ObjectType.GROUP) if name != "hydra"]

    def addition(self, group: str) -> str | None:
        """What an override of a group begins with.

        Returns:
            An empty text where the defaults list has the group, ``+`` where it has not; None where one must be chosen.
        """
        from hydra.errors import ConfigCompositionException

        try:
            choices = self._composed([]).hydra.runtime.choices
        except ConfigCompositionException as error:
            if f"specify '{group}'" in str(error):
                return None
            raise
        return "" if group in choices else "+"

    # -------------------------------------------------------------------------------- overrides

    def sweep(self, overrides: Sequence[str], multirun: bool = False) -> Iterator[tuple[dict[str, str], list[str]]]:
        """Each composition that the overrides stand for: what tells it from the others, and its own overrides.

        With `multirun`, those of the app's sweeper (``hydra.sweeper.params``) stand in front of them.
        """
        if multirun:
            overrides = [*self._swept(overrides), *overrides]
        for chosen in itertools.product(*self._choices(spelled_out(overrides))):
            yield dict(pair for _, pair in chosen if pair is not None), [word for word, _ in chosen]

    def _swept(self, overrides: Sequence[str]) -> list[str]:
        """The parameters of the app's sweeper, but for those that the overrides have."""
        from omegaconf import OmegaConf

        words = [values[0][0] for values in self._choices(spelled_out(overrides))]
        given = {word.partition("=")[0].lstrip("+") for word in words}
        params = OmegaConf.select(self.config(words), "hydra.sweeper.params") or {}
        return [f"{key}={value}" for key, value in params.items() if key not in given]

    def _choices(self, words: list[str]) -> list[list[tuple[str, tuple[str, str] | None]]]:
        """What each override stands for."""
        from hydra.core.override_parser.overrides_parser import OverridesParser
        from hydra.errors import HydraException

        try:
            loader: Any = self  # as far as it is asked
            parsed = OverridesParser.create(config_loader=loader).parse_overrides(words)
            choices = [list(_choices(word, one)) for word, one in zip(words, parsed, strict=True)]
        except HydraException as error:
            raise CallError(str(error).strip()) from None
        empty = next((word for word, values in zip(words, choices, strict=True) if not values), None)
        if empty is not None:
            raise CallError(f"{empty} stands for nothing: there is no such option")
        return choices

    def config(self, overrides: Sequence[str]) -> Any:
        """The composed config, with Hydra's own node in it, which ``${hydra:...}`` reads."""
        from hydra.errors import ConfigCompositionException

        try:
            return self._composed(overrides)
        except ConfigCompositionException as error:
            self._refuse_choice(str(error))
            raise

    def _composed(self, overrides: Sequence[str]) -> Any:
        from hydra import compose as compose_config
        from hydra.core.hydra_config import HydraConfig

        config = compose_config(self.name, list(overrides), return_hydra_config=True)
        HydraConfig.instance().set_config(config)
        return config

    def _refuse_choice(self, text: str) -> None:
        """No schedule, or an option that is not there, in a line where Hydra has thirty."""
        if self.folder is None and "specify 'scheduler'" in text:
            known = ", ".join(self.options("scheduler"))
            raise CallError(f"which schedule? Say its name, as in scheduler=cosine. Known: {known}")
        missing = re.search(r"Could not find '([^']+)'", text)
        parts = missing[1].split("/") if missing else []
        for i in range(len(parts) - 1, 0, -1):  # the innermost group that there is
            group, name = "/".join(parts[:i]), "/".join(parts[i:])
            options = list(self.all_options(group))
            if options:
                ours = self.folder is None and group == "scheduler"
                what = f"{group}={name}: there is no such schedule" if ours else f"Could not find '{group}/{name}'"
                has = "Known" if ours else f"The group {group} has"
                raise ConfigError(f"{what}. {nearest(name, options)}{has}: {', '.join(options)}")

    def nothing_found(self, overrides: Sequence[str]) -> str:
        """What to say where there is no schedule."""
        return (
            f"there is no schedule in {self.name}{' with ' + ' '.join(overrides) if overrides else ''}: no node has "
            f"_target_: lr_configs.scheduler, and no LRSchedulerCallback has a scheduler. Choose one: scheduler=cosine"
        )


def _choices(word: str, override: Any) -> Iterator[tuple[str, tuple[str, str] | None]]:
    """The overrides that one override stands for, each with its key and value where there are several."""
    if not override.is_sweep_override():
        yield word, None
        return
    if not override.is_discrete_sweep():
        raise CallError(f"{word}: an interval has no end of values. Write a few of them, or range(...)")
    key = override.get_key_element()
    for value in override.sweep_string_iterator():
        yield f"{key}={value}", (key.lstrip("+"), value)
