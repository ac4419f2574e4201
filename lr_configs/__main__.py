"""The command ``lr-configs``, also ``python -m lr_configs``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from lr_configs.errors import SchedulerConfigError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lr-configs", description="Learning-rate schedules on the command line.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_convert(commands.add_parser("convert", help="print another library's schedule as YAML"))
    return parser


def _add_convert(parser: argparse.ArgumentParser) -> None:
    libraries = parser.add_subparsers(dest="library", required=True, metavar="LIBRARY")
    arguments = "the library's own arguments, as KEY=VALUE"
    hf = libraries.add_parser("transformers", help="transformers' get_scheduler")
    hf.add_argument("name", help="as in lr_scheduler_type")
    hf.add_argument("--warmup-steps", type=int, metavar="N", default=0, help="num_warmup_steps (default: 0)")
    hf.add_argument("--steps", type=int, metavar="N", help="num_training_steps")
    hf.add_argument("--lr", type=float, help="the optimizer's own rate, for ends in absolute numbers")
    hf.add_argument("arguments", nargs="*", metavar="KEY=VALUE", help=arguments)
    timm = libraries.add_parser("timm", help="timm's create_scheduler_v2")
    timm.add_argument("name", help="as in sched")
    timm.add_argument("--epochs", type=int, metavar="N", default=300, help="num_epochs (default: 300)")
    timm.add_argument("--lr", type=float, action="append", help="the groups' own rate; again for each group")
    timm.add_argument("arguments", nargs="*", metavar="KEY=VALUE", help=arguments)
    torch = libraries.add_parser("torch", help="a class of torch.optim.lr_scheduler")
    torch.add_argument("name", help="of the class")
    torch.add_argument("arguments", nargs="*", metavar="KEY=VALUE", help=arguments)


def _value(text: str) -> Any:
    """A value as YAML has it, and 1e-5 as a number all the same."""
    import yaml

    value = yaml.safe_load(text)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _arguments(pairs: Sequence[str]) -> dict[str, Any]:
    found = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise SchedulerConfigError("arguments", pair, "an argument is KEY=VALUE", "Write num_cycles=0.5")
        found[key] = _value(text)
    return found


def _convert(options: argparse.Namespace) -> str:
    from lr_configs.convert import from_timm, from_torch, from_transformers

    keys = _arguments(options.arguments)
    if options.library == "transformers":
        return from_transformers.converted(options.name, options.warmup_steps, options.steps, keys, options.lr).yaml()
    if options.library == "timm":
        return from_timm.converted(options.name, options.epochs, keys, options.lr).yaml()
    return from_torch.converted(options.name, (), keys).yaml()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0, or 2 where something is written wrongly."""
    options = _parser().parse_args(arguments)
    try:
        text = _convert(options)
    except SchedulerConfigError as error:
        print(f"lr-configs: {error}", file=sys.stderr)  # noqa: T201
        return 2
    print(text)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
