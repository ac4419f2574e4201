"""Name -> config class, curve, torch class and natural interval. One entry adds a schedule."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lr_configs import configs, curves
from lr_configs.errors import SchedulerConfigError, nearest


@dataclass(frozen=True)
class Entry:
    """One schedule.

    Attributes:
        name: the registry key, what ``scheduler=NAME`` selects.
        config: its dataclass.
        cls: dotted path of the scheduler class, imported when one is built.
        kind: what its curve returns: ``factor``, ``mix``, ``phases``, ``function``, ``stages`` or ``metric``.
        curve: the closed form, where one function is all of it.
        interval: natural interval, ``epoch`` or ``step``.
    """

    name: str
    config: type[configs.SchedulerConfig]
    cls: str
    kind: str
    curve: Callable[..., Any] | None = None
    interval: str = "epoch"


_ENTRIES: dict[str, Entry] = {}


def _add(
    config: type[configs.SchedulerConfig],
    kind: str,
    curve: Callable[..., Any] | None = None,
    *,
    cls: str | None = None,
    interval: str = "epoch",
) -> None:
    name = config.__dataclass_fields__["name"].default
    cls = cls or f"lr_configs.schedulers.{config.__name__.removesuffix('Config')}"
    _ENTRIES[str(name)] = Entry(str(name), config, cls, kind, curve, interval)


_add(configs.NoneConfig, "factor", curves.identity, cls="lr_configs.schedulers.IdentityLR")
_add(configs.LambdaLRConfig, "function")
_add(configs.MultiplicativeLRConfig, "function")
_add(configs.StepLRConfig, "factor", curves.step)
_add(configs.MultiStepLRConfig, "factor", curves.multi_step)
_add(configs.ConstantLRConfig, "factor", curves.constant)
_add(configs.LinearLRConfig, "factor", curves.linear)
_add(configs.ExponentialLRConfig, "factor", curves.exponential)
_add(configs.PolynomialLRConfig, "factor", curves.polynomial)
_add(configs.CosineAnnealingLRConfig, "mix", curves.cosine)
_add(configs.CosineAnnealingWarmRestartsConfig, "mix", curves.cosine_warm_restarts)
_add(configs.CyclicLRConfig, "mix", curves.cyclic, interval="step")
_add(configs.OneCycleLRConfig, "phases", interval="step")
_add(configs.ReduceLROnPlateauConfig, "metric")
_add(configs.SequentialLRConfig, "stages")
_add(configs.ChainedSchedulerConfig, "stages")


def available() -> list[str]:
    """The names of all schedules, what ``scheduler=NAME`` accepts.

    >>> "cosine_warm_restarts" in available()
    True
    """
    return list(_ENTRIES)


def entry(name: Any) -> Entry:
    """The entry of a schedule.

    Raises:
        SchedulerConfigError: for an unknown name, with the known ones and the nearest.

    >>> entry("cosin")
    Traceback (most recent call last):
    lr_configs.errors.SchedulerConfigError: name='cosin': there is no such schedule. did you mean 'cosine'? ...
    """
    found = _ENTRIES.get(name) if isinstance(name, str) else None
    if found is None:
        raise SchedulerConfigError(
            "name", name, "there is no such schedule", f"{nearest(str(name), _ENTRIES)}Known: {', '.join(_ENTRIES)}"
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


def parse(node: Any) -> configs.SchedulerConfig:
    """The validated config of whatever describes a schedule: the one door to a config object.

    Args:
        node: a composed node, a dict, a config object, or the name of a schedule.

    >>> parse({"name": "step", "step_size": 30}).gamma
    0.1
    >>> parse({"name": "step", "gama": 0.5})
    Traceback (most recent call last):
    lr_configs.errors.SchedulerConfigError: gama=0.5: step has no such key. did you mean 'gamma'? ...
    """
    if isinstance(node, configs.SchedulerConfig):
        # Fields may have been set since: construct, and so check, again.
        node = node.to_dict()
    elif isinstance(node, str):
        node = {"name": node}
    node = plain(node)
    if not isinstance(node, dict):
        raise SchedulerConfigError(
            "scheduler",
            node,
            "a schedule is a config node, a dict with a name, a config object or a name",
            f"Known names: {', '.join(_ENTRIES)}",
        )
    if "name" not in node:
        raise SchedulerConfigError("name", None, "a schedule needs a name", f"Known: {', '.join(_ENTRIES)}")
    found = entry(node["name"])
    fields = {item.name for item in dataclasses.fields(found.config)}
    for key, value in node.items():
        if key not in fields:
            others = [e.name for e in _ENTRIES.values() if key in {f.name for f in dataclasses.fields(e.config)}]
            elsewhere = f"{', '.join(others)} {'has' if len(others) == 1 else 'have'} it. " if others else ""
            own = [k for k in fields if k not in ("_target_", "name", *configs.COMMON)]
            raise SchedulerConfigError(
                str(key),
                value,
                f"{found.name} has no such key",
                f"{'' if others else nearest(str(key), fields)}{elsewhere}"
                f"Its keys: {', '.join([k for k in found.config.__dataclass_fields__ if k in own])}; "
                f"the common ones: {', '.join(configs.COMMON[2:])}",
            )
    return found.config(**{k: v for k, v in node.items() if k != "_target_"})
