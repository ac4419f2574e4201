"""``lr-configs list``: every schedule in a line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lr_configs import described
from lr_configs.commands.compose import add_import_argument, bring
from lr_configs.commands.output import Screen, say, say_json, screen, table
from lr_configs.commands.parser import Parser
from lr_configs.registry import known, offered

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from lr_configs.config import SchedulerConfig

EXAMPLES = """\
  lr-configs list
  lr-configs list | grep -i warm
  lr-configs list --json
"""
#: characters of a curve
CURVE = 16
#: room that is worth a column of words
WORDS = 20


def add_arguments(parser: Parser) -> None:
    """The form, and what is imported first."""
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    add_import_argument(parser)


def run(options: argparse.Namespace) -> int:
    """Print the list."""
    bring(options.modules)
    if options.json:
        say_json(list(_data()))
        return 0
    shown = screen()
    header = ["name", *(["curve"] if shown.terminal else []), "interval", "torch class", ""]
    say(table(_fitting([header, *_rows(shown)], shown.limit), shown.limit))
    return 0


def _fitting(rows: list[list[str]], limit: int | None) -> list[list[str]]:
    """The columns that a terminal has room for; of the last one, for some words."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widths[-1] = WORDS
    count = len(widths)
    while limit is not None and count > 1 and sum(widths[:count]) + 2 * (count - 1) > limit:
        count -= 1
    return [row[:count] for row in rows]


def _rows(shown: Screen) -> Iterator[list[str]]:
    """Name, curve, interval, class, and what it is; of what a package offers its name, since it is not imported."""
    for name, config in known().items():
        curve = [sparkline(name, shown.ascii)] if shown.terminal else []
        yield [name, *curve, config.natural_interval, torch_class(config), described.summary(config)]
    for name, offer in _elsewhere():
        yield [
            name,
            *([""] if shown.terminal else []),
            "",
            "",
            f"of the package {_package(offer)}",
        ]


def _data() -> Iterator[dict[str, Any]]:
    for name, config in known().items():
        yield {
            "name": name,
            "class": config.torch_name,
            "torch": described.is_torchs(config),
            "interval": config.natural_interval,
            "summary": described.summary(config),
            "package": None,
        }
    for name, offer in _elsewhere():
        yield {
            "name": name,
            "class": None,
            "torch": False,
            "interval": None,
            "summary": None,
            "package": _package(offer),
        }


def _elsewhere() -> Iterator[tuple[str, EntryPoint]]:
    """What installed packages offer, and nothing has imported."""
    return ((name, offer) for name, offer in offered().items() if name not in known())


def _package(offer: EntryPoint) -> str:
    return offer.dist.name if offer.dist else offer.value


def torch_class(config: type[SchedulerConfig]) -> str:
    """The name of the scheduler class, and whose it is."""
    return config.torch_name if described.is_torchs(config) else f"{config.torch_name} (ours)"


def sparkline(name: str, ascii: bool) -> str:
    """What a schedule looks like, in one line; nothing where it has no curve."""
    from lr_configs.preview import braille, examples

    node = examples.example(name)
    metric = examples.example_metric() if "monitor" in node else None
    return braille.sparkline(examples.samples(node, 8 * CURVE, metric=metric), CURVE, ascii=ascii)
