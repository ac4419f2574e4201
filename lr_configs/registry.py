"""Name -> config class, and the one door to a config object."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar, overload

from lr_configs.config import COMMON, SchedulerConfig, own_keys
from lr_configs.errors import SchedulerConfigError, nearest
from lr_configs.own import config_of

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

#: what `_target_` of every node says
TARGET = "lr_configs.scheduler"
#: that, and the same function where it is at home, as the partial calls name it that Hydra makes
TARGETS = (TARGET, "lr_configs.builder.scheduler")
#: where else a `_target_` may find the class of a schedule
CLASS_MODULES = ("torch.optim.lr_scheduler", "lr_configs.schedulers")
#: keys that tell Hydra how to call, and say nothing about the schedule
HYDRA_KEYS = ("_partial_", "_convert_", "_recursive_")

#: the entry points under which installed packages offer schedules
GROUP = "lr_configs.schedules"

_ENTRIES: dict[str, type[SchedulerConfig]] = {}
#: those that are part of the package, found when a schedule is first asked for: they read stages through this module
_BUILT_IN = "lr_configs.schedules"


def _entries() -> dict[str, type[SchedulerConfig]]:
    if _BUILT_IN not in _LOADED:
        _LOADED.add(_BUILT_IN)
        added = dict(_ENTRIES)
        _ENTRIES.clear()
        _ENTRIES.update({_name(config): config for config in import_module(_BUILT_IN).BUILT_IN} | added)
    return _ENTRIES


_LOADED: set[str] = set()


def _name(config: type[SchedulerConfig]) -> str:
    return str(config.__dataclass_fields__["name"].default)


def add(config: type[SchedulerConfig], *, replace: bool) -> None:
    """Take in the config class of one more schedule.

    Raises:
        SchedulerConfigError: where there is one of this name already.
    """
    name, known = _name(config), _entries()
    if not replace and known.get(name, config) is not config:
        raise SchedulerConfigError(
            "name",
            name,
            f"{known[name].__name__} has this name already",
            "Choose another name, or write register(..., replace=True)",
        )
    known[name] = config


W = TypeVar("W")


@overload
def register(name: str, /, *, replace: bool = False, defaults: Mapping[str, Any] | None = None) -> Callable[[W], W]: ...
@overload
def register(name: str, schedule: W, /, *, replace: bool = False, defaults: Mapping[str, Any] | None = None) -> W: ...
def register(
    name: str, schedule: Any = None, /, *, replace: bool = False, defaults: Mapping[str, Any] | None = None
) -> Any:
    """Add a schedule of one's own, which has everything that ours have; a decorator, or a call.

    Args:
        name: what ``scheduler=NAME`` says.
        schedule: one of three. A config class with its formula, as :mod:`lr_configs.schedules` has them. A function
            ``f(t, T, *, alpha=0.5)`` that gives the factor at step `t` of `T`, with its keys by name; a key whose default is a
            length (``"10%"``) is one. A class of torch's schedulers, which is stepped as it is: without a curve, and so
            without warmup and as no stage.
        replace: take the place of a schedule of this name.
        defaults: of keys that have none in the signature, or another one.

    Returns:
        `schedule` itself.

    Raises:
        SchedulerConfigError: for a name that exists, and for what cannot be read.

    >>> @register("decay_of_the_doctest")
    ... def decay(t, T, *, depth=0.5):
    ...     return depth ** (t / T)
    >>> parse({"name": "decay_of_the_doctest", "warmup": "10%"}).depth
    0.5
    >>> remove("decay_of_the_doctest")
    """
    if not isinstance(name, str):
        own = getattr(name, "__name__", "fading")
        raise SchedulerConfigError("name", name, "a schedule is registered under a name", f"Write @register({own!r})")

    def take(what: Any) -> Any:
        add(config_of(name, what, defaults or {}), replace=replace)
        return what

    return take if schedule is None else take(schedule)


def remove(name: str) -> None:
    """Forget a schedule that was added."""
    if any(_name(config) == name for config in import_module(_BUILT_IN).BUILT_IN):
        raise SchedulerConfigError("name", name, "a schedule of lr_configs stays", "Remove only what was added")
    del _entries()[name]


def __getattr__(name: str) -> Any:
    """A config class that was made from a function or a class: pickles find it here."""
    if name.endswith("Config"):
        for config in _entries().values():
            if config.__module__ == __name__ and config.__name__ == name:
                return config
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def by_torch_name(name: str) -> type[SchedulerConfig] | None:
    """The config class whose scheduler class has this name."""
    return next((one for one in _entries().values() if one.torch_name == name), None)


def offered() -> dict[str, EntryPoint]:
    """What installed packages offer, by name; none of it is imported."""
    global _offered
    if _offered is None:
        from importlib.metadata import entry_points  # as slow as all of this package

        _offered = {one.name: one for one in entry_points(group=GROUP)}
    return _offered


_offered: dict[str, EntryPoint] | None = None


def _from_package(name: str) -> type[SchedulerConfig] | None:
    """The schedule that an installed package has under this name, imported now."""
    offer = offered().get(name)
    if offer is None:
        return None
    try:
        what = offer.load()  # which may call `register` itself
        if name not in _entries():
            add(config_of(name, what, {}), replace=False)
    except Exception as error:  # whatever it raises; the other schedules go on
        raise SchedulerConfigError(
            "name",
            name,
            f"the package {offer.dist.name if offer.dist else offer.value} has this schedule, and its import fails: "
            f"{type(error).__name__}: {error}",
            f"Repair {offer.value}, or uninstall the package",
        ) from error
    return _entries()[name]


def available() -> list[str]:
    """The names of all schedules, what ``scheduler=NAME`` accepts.

    >>> "cosine_warm_restarts" in available()
    True
    """
    return list(dict.fromkeys([*_entries(), *offered()]))


def known() -> dict[str, type[SchedulerConfig]]:
    """The config classes that are here already, by name: without what an installed package offers, until it is used."""
    return dict(_entries())


def offers(name: str) -> bool:
    """Whether there is a schedule of this name; installed packages are looked through only where ours has none.

    >>> offers("cosine"), offers("cosin")
    (True, False)
    """
    return name in _entries() or name in offered()


def entry(name: Any) -> type[SchedulerConfig]:
    """The config class of a schedule, by its name or by the name of its torch class.

    Raises:
        SchedulerConfigError: for an unknown name, with the known ones and the nearest.

    >>> entry("StepLR") is entry("step")
    True
    >>> entry("cosin")
    Traceback (most recent call last):
    lr_configs.errors.SchedulerConfigError: name='cosin': there is no such schedule. did you mean 'cosine'? ...
    """
    found = None
    if isinstance(name, str):
        found = _entries().get(name) or by_torch_name(name) or _from_package(name)
    if found is None:
        raise SchedulerConfigError(
            "name",
            name,
            "there is no such schedule",
            f"{nearest(name, available()) if isinstance(name, str) else ''}Known: {', '.join(available())}",
        )
    return found


def plain(node: Any) -> Any:
    """`node` without OmegaConf containers and enums, which must not reach torch or a checkpoint."""
    if type(node).__module__.startswith("omegaconf"):
        from omegaconf import OmegaConf
        from omegaconf.errors import OmegaConfBaseException

        try:
            return OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
        except OmegaConfBaseException as error:
            raise SchedulerConfigError(
                getattr(error, "full_key", None) or "scheduler",
                str(getattr(error, "value", None) or error).splitlines()[0],
                "the configuration cannot be read",
                "Give the missing value, or repair the interpolation",
            ) from None
    if isinstance(node, Mapping):
        return {key: plain(value) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [plain(value) for value in node]
    return node


def parse(node: Any) -> SchedulerConfig:
    """The validated config of whatever describes a schedule.

    Args:
        node: a composed node, a dict, a config object, or the name of a schedule; a node of a torch class (its
            `_target_`) is understood as the schedule of that class, and so is what Hydra makes of a node with
            ``_partial_: true``, of a torch class or of ours.

    Raises:
        SchedulerConfigError: naming key, value, rule and remedy.

    >>> parse({"name": "step", "step_size": 30}).gamma
    0.1
    >>> parse({"_target_": "torch.optim.lr_scheduler.StepLR", "step_size": 30}).name
    'step'
    >>> parse({"name": "step", "gama": 0.5})
    Traceback (most recent call last):
    lr_configs.errors.SchedulerConfigError: gama=0.5: step has no such key. did you mean 'gamma'? ...
    """
    if isinstance(node, SchedulerConfig):
        # Fields may have been set since: construct, and so check, again.
        node = node.to_dict()
    elif isinstance(node, str):
        node = {"name": node}
    elif isinstance(node, partial):
        node = _of_partial(node)
    node = plain(node)
    if not isinstance(node, dict):
        raise SchedulerConfigError(
            "scheduler",
            node,
            "a schedule is a config node, a dict with a name, a config object or a name",
            f"Known names: {', '.join(_entries())}",
        )
    node = _understood(node)
    if "name" not in node:
        raise SchedulerConfigError("name", None, "a schedule needs a name", f"Known: {', '.join(_entries())}")
    found = entry(node.pop("name"))
    for key, value in node.items():
        if key not in found.__dataclass_fields__:
            raise _unknown_key(found, str(key), value)
    return found(**node)


def _of_partial(call: partial[Any]) -> dict[str, Any]:
    """What Hydra makes of a node with ``_partial_: true``: a class of torch, or ours, with its arguments by name."""
    if call.args:
        raise SchedulerConfigError(
            "scheduler", call, "the arguments of a schedule have names", "Write step_size=30 instead of 30"
        )
    return {"_target_": f"{call.func.__module__}.{getattr(call.func, '__qualname__', '?')}", **call.keywords}


def _understood(node: Mapping[Any, Any]) -> dict[str, Any]:
    """The node without its `_target_`, which may be the torch class of a schedule."""
    node = {str(key): value for key, value in node.items()}
    target = node.pop("_target_", TARGET)
    for key in HYDRA_KEYS:
        node.pop(key, None)
    if target in TARGETS:
        return node
    path, _, cls = str(target).rpartition(".")
    theirs = path in CLASS_MODULES
    known = next((name for name, one in _entries().items() if theirs and one.torch_name == cls), None)
    if known is None:
        raise SchedulerConfigError(
            "_target_",
            target,
            "a schedule is built by its name, and nothing else is called",
            f"Write _target_: {TARGET} (or leave it out) and name: one of {', '.join(_entries())}",
        )
    return {"name": known, **node}


def _unknown_key(found: type[SchedulerConfig], key: str, value: Any) -> SchedulerConfigError:
    name = _name(found)
    fields = [item.name for item in dataclasses.fields(found)]
    own = own_keys(found)
    others = [other for other, config in _entries().items() if key in config.__dataclass_fields__]
    elsewhere = f"{', '.join(others)} {'has' if len(others) == 1 else 'have'} it. " if others else ""
    return SchedulerConfigError(
        key,
        value,
        f"{name} has no such key",
        f"{'' if others else nearest(key, fields)}{elsewhere}"
        f"Its keys: {', '.join(own) or 'none'}; the common ones: {', '.join(COMMON[2:])}",
    )
