"""``lr-configs convert``: another library's schedule as YAML."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from lr_configs.commands.errors import CallError
from lr_configs.commands.parser import Parser
from lr_configs.errors import SchedulerConfigError

EXAMPLES = """\
  lr-configs convert transformers cosine --warmup-steps 500 --steps 10000
  lr-configs convert timm multistep 'decay_milestones=[30, 60]' warmup_epochs=5 --epochs 90
  lr-configs convert torch StepLR step_size=30
"""
#: the options of each library
_OPTIONS = {"transformers": ("warmup_steps", "steps", "lr"), "timm": ("epochs", "lr"), "torch": ()}


def add_arguments(parser: Parser) -> None:
    """The library, the schedule's name there, and its arguments."""
    parser.add_argument("library", choices=list(_OPTIONS), help="whose schedule it is: %(choices)s", metavar="LIBRARY")
    parser.add_argument(
        "name",
        metavar="NAME",
        help="its name there: transformers' lr_scheduler_type, timm's sched, or the name of torch's class",
    )
    parser.add_argument("arguments", nargs="*", metavar="KEY=VALUE", help="the library's own arguments")
    parser.add_argument("--warmup-steps", type=int, metavar="N", help="transformers: num_warmup_steps (default: 0)")
    parser.add_argument("--steps", type=int, metavar="N", help="transformers: num_training_steps")
    parser.add_argument("--epochs", type=int, metavar="N", help="timm: num_epochs (default: 300)")
    parser.add_argument(
        "--lr",
        type=float,
        action="append",
        metavar="RATE",
        help="the optimizer's own rate, for ends in absolute numbers; timm: again for each group",
    )


def run(options: argparse.Namespace) -> int:
    """Print the YAML."""
    for option in ("warmup_steps", "steps", "epochs", "lr"):
        if getattr(options, option) is not None and option not in _OPTIONS[options.library]:
            raise CallError(f"{options.library} has no --{option.replace('_', '-')}")
    try:
        text = _converted(options)
    except SchedulerConfigError as error:  # there is no config yet: the call is what can be wrong
        raise CallError(str(error)) from None
    sys.stdout.write(f"{text}\n")
    return 0


def _converted(options: argparse.Namespace) -> str:
    from lr_configs.convert import from_timm, from_torch, from_transformers

    keys, rates = _arguments(options.arguments), options.lr
    if options.library == "transformers":
        lr = rates[-1] if rates else None
        steps = options.warmup_steps or 0
        return from_transformers.converted(options.name, steps, options.steps, keys, lr).yaml()
    if options.library == "timm":
        epochs = 300 if options.epochs is None else options.epochs
        return from_timm.converted(options.name, epochs, keys, rates).yaml()
    return from_torch.converted(options.name, (), keys).yaml()


def _arguments(pairs: Sequence[str]) -> dict[str, Any]:
    found = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise SchedulerConfigError("arguments", pair, "an argument is KEY=VALUE", "Write num_cycles=0.5")
        found[key] = _value(text)
    return found


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
