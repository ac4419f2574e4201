"""``lr-configs show``: all about one schedule, from its own file."""

from __future__ import annotations

import argparse
import dataclasses
import textwrap
from collections.abc import Iterator
from typing import Any

from lr_configs import described
from lr_configs.commands.compose import add_import_argument, bring
from lr_configs.commands.errors import CallError
from lr_configs.commands.listing import torch_class
from lr_configs.commands.output import Screen, say, say_json, screen
from lr_configs.commands.parser import Parser
from lr_configs.config import COMMON, SchedulerConfig, own_keys
from lr_configs.errors import SchedulerConfigError
from lr_configs.registry import TARGET, entry

EXAMPLES = """\
  lr-configs show cosine
  lr-configs show one_cycle --json
"""
#: lines of the curve, and the widest text that is easy to read
HEIGHT, WIDEST = 7, 100


def add_arguments(parser: Parser) -> None:
    """The schedule, and the form."""
    parser.add_argument("name", metavar="NAME", help="a schedule, as lr-configs list has it")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    add_import_argument(parser)


def run(options: argparse.Namespace) -> int:
    """Print all about it."""
    bring(options.modules)
    try:
        config = entry(options.name)
    except SchedulerConfigError as error:
        raise CallError(f"{error.value}: {error.rule}. {error.remedy}") from None
    if options.json:
        say_json(_data(config))
    else:
        say("\n".join(_text(config, screen())))
    return 0


# ---------------------------------------------------------------------------------------- what there is to say


@dataclasses.dataclass(frozen=True)
class Key:
    """One key of a schedule.

    Attributes:
        name: the key.
        default: what it has where nothing is written.
        words: what it may hold.
        meaning: what it means, as its docstring says.
        common: whether every schedule has it.
        search: what a study of the schedule tries, in Hydra's sweep syntax; empty where it does not.
    """

    name: str
    default: Any
    words: str
    meaning: str
    common: bool
    search: str = ""


def keys_of(config: type[SchedulerConfig]) -> list[Key]:
    """The keys of a schedule, its own in front."""
    own, meanings = own_keys(config), described.meanings(config)
    common = [key for key in COMMON[2:] if key not in own]
    return [
        Key(
            key,
            default_of(config, key),
            _words(config, key),
            meanings.get(key, ""),
            key not in own,
            config.search.get(key, ""),
        )
        for key in [*own, *common]
    ]


def default_of(config: type[SchedulerConfig], key: str) -> Any:
    """A key's default as plain data."""
    item = config.__dataclass_fields__[key]
    return item.default if item.default_factory is dataclasses.MISSING else item.default_factory()


def _words(config: type[SchedulerConfig], key: str) -> str:
    kind = config.__dataclass_fields__[key].metadata.get("check")
    return str(getattr(kind, "words", "")) or "any value"


def node_of(config: type[SchedulerConfig]) -> dict[str, Any]:
    """The node to copy: its own keys at their defaults."""
    return {"_target_": TARGET, "name": str(default_of(config, "name"))} | {
        key: default_of(config, key) for key in own_keys(config)
    }


def _yaml(data: Any) -> str:
    import yaml

    return str(yaml.safe_dump(data, sort_keys=False, width=1000)).rstrip()


def _data(config: type[SchedulerConfig]) -> dict[str, Any]:
    return {
        "name": default_of(config, "name"),
        "class": config.torch_name,
        "torch": described.is_torchs(config),
        "interval": config.natural_interval,
        "text": described.text(config),
        "references": described.references(config),
        "keys": [dataclasses.asdict(key) for key in keys_of(config)],
        "yaml": _yaml(node_of(config)),
    }


def _text(config: type[SchedulerConfig], shown: Screen) -> Iterator[str]:
    name, width = str(default_of(config, "name")), min(shown.width, WIDEST)
    every = "update" if config.natural_interval == "step" else "epoch"
    yield from textwrap.wrap(f"{name}: {torch_class(config)}, advances by {every}s (interval: auto)", width)
    yield ""
    for paragraph in described.text(config).splitlines():
        yield from textwrap.wrap(paragraph, width)
    if shown.terminal:
        yield from _curve(name, shown)
    keys = keys_of(config)
    for title, common in ((f"keys of {name}", False), ("keys of every schedule", True)):
        part = [key for key in keys if key.common is common]
        if part:
            yield ""
            yield f"{title}:"
            yield from _listed(part, width)
    yield ""
    yield "as YAML:"
    yield from (f"  {line}" for line in _yaml({"scheduler": node_of(config)}).splitlines())
    for one in described.references(config):
        yield f"see {one}"


def _listed(keys: list[Key], width: int) -> Iterator[str]:
    """Every key with its default and what it may hold, and under it what it means."""
    for key in keys:
        yield from textwrap.wrap(
            f"  {key.name}: {_flow(key.default)}  # {key.words}", width, subsequent_indent="      # "
        )
        yield from textwrap.wrap(key.meaning, width, initial_indent="      ", subsequent_indent="      ")
        if key.search:
            yield from textwrap.wrap(f"      a study tries {key.search}", width, subsequent_indent="      ")


def _flow(value: Any) -> str:
    """A value on one line, as it is written in YAML."""
    import yaml

    text = str(yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6))
    return text.strip().removesuffix("\n...").strip()


def _curve(name: str, shown: Screen) -> Iterator[str]:
    from lr_configs.preview import braille, examples, series

    node = examples.example(name)
    metric = examples.example_metric() if "monitor" in node else None
    try:
        picture = series.picture([series.Subject(node, examples.RUN, (examples.BASE,), label=name, metric=metric)])
    except SchedulerConfigError:  # a class that is stepped as it is has none
        return
    yield ""
    yield braille.chart(picture, min(shown.width, WIDEST), HEIGHT, colour=shown.colour, ascii=shown.ascii)
