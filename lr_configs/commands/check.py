"""``lr-configs check``: what training would refuse, found in a moment."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lr_configs.commands import compose
from lr_configs.commands.errors import CONFIG, CallError, ConfigError, told
from lr_configs.commands.output import say, say_json
from lr_configs.commands.parser import Parser

EXAMPLES = """\
  lr-configs check scheduler=cosine scheduler.warmup=5% --epochs 90 --steps-per-epoch 391 --lr 0.1
  lr-configs check --config-dir conf --config-name train optimizer.lr=0.3
  lr-configs check --config-dir conf --config-name train --all        # every option of the group `experiment`
  lr-configs check --config-dir conf -m sweep=rates                   # every job of a sweep, before it is launched
  lr-configs check --config-dir conf --all --strict                   # warnings fail, too
"""


def add_arguments(parser: Parser) -> None:
    """What is composed, the run's size, and what counts as wrong."""
    compose.add_arguments(parser)
    compose.add_run_arguments(parser)
    parser.add_argument("--all", action="store_true", help="check the app as it is, and with every option of --group")
    parser.add_argument("--group", metavar="GROUP", help="the group for --all (default: experiment)")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where there is a warning, too")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")


@dataclass
class Outcome:
    """What became of one composition.

    Attributes:
        label: what tells it from the others.
        overrides: of it.
        errors: why training would not begin.
        warnings: what may not be meant.
        schedules: what was found of each schedule.
    """

    label: str
    overrides: tuple[str, ...]
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    schedules: list[Any] = field(default_factory=list)


def run(options: argparse.Namespace) -> int:
    """Check, and say what was found."""
    if options.group is not None and not options.all:
        raise CallError("--group is for --all")
    compose.check_batches(options.batches)
    compose.bring(options.modules)
    outcomes = list(_outcomes(options))
    wrong = [one for one in outcomes if one.errors or (options.strict and one.warnings)]
    if options.json:
        say_json([_data(one) for one in outcomes])
    else:
        _tell(outcomes, options.strict)
    return CONFIG if wrong else 0


def _outcomes(options: argparse.Namespace) -> Iterator[Outcome]:
    with compose.Composer(options.config_dir, options.config_name) as composer:
        if not options.all:
            for changed, words in composer.sweep(options.overrides, options.multirun):
                yield _checked(composer, [f"{key}={value}" for key, value in changed.items()], words, options)
            return
        for label, choice in _choices(composer, options):
            for changed, words in composer.sweep([*choice, *options.overrides], options.multirun):
                more = [f"{key}={value}" for key, value in changed.items()]
                yield _checked(composer, [*label, *more], words, options)


def _choices(composer: compose.Composer, options: argparse.Namespace) -> Iterator[tuple[list[str], list[str]]]:
    """Nothing, and the override for every option of the group, each with its label."""
    if composer.folder is None:
        raise CallError("--all is of an app: give its folder, with --config-dir")
    group = options.group or "experiment"
    names = list(composer.all_options(group))
    if not names:
        known = ", ".join(composer.groups()) or "none"
        raise CallError(f"the app has no group {group}. Say which, with --group. It has: {known}")
    prefix = composer.addition(group)
    if prefix is not None:  # else the app cannot be without one
        yield [], []
    for name in names:
        yield [f"{group}={name}"], [f"{prefix or ''}{group}={name}"]


def _checked(composer: compose.Composer, label: list[str], words: list[str], options: argparse.Namespace) -> Outcome:
    from lr_configs.checking import check_schedule, refused_callbacks, unused
    from lr_configs.composed import Finder

    outcome = Outcome(" ".join(label), tuple(words))
    try:
        finder = Finder(composer.config(words), options.batches)
        if not finder.found and not finder.callbacks:
            raise ConfigError(composer.nothing_found(words))
    except Exception as error:
        known = told(error)
        if known is None:
            raise
        outcome.errors.append(known[1])
        return outcome
    outcome.errors += [str(error) for error in refused_callbacks(finder)]
    for found in finder.found:
        checked = check_schedule(found, compose.size_of(found, options))
        outcome.schedules.append(checked)
        if checked.error is not None:
            outcome.errors.append(str(checked.error))
        outcome.warnings += [f"{found.key}: {line}" for line in checked.warnings]
    if composer.folder is not None:
        outcome.warnings += unused(finder)
    return outcome


# ---------------------------------------------------------------------------------------- what is said


def _tell(outcomes: list[Outcome], strict: bool) -> None:
    for one in outcomes:
        if len(outcomes) > 1:
            say(f"{one.label or 'as it is'}: {_verdict(one)}")
        indent = "  " if len(outcomes) > 1 else ""
        for checked in one.schedules:
            said = [
                checked.line or checked.name,
                *checked.notes,
                _from(checked),
                *(f"not checked: {line}" for line in checked.unknown),
            ]
            for line in filter(None, said):
                say(f"{indent}{checked.found.key}: {line}")
        for line in one.warnings:
            say(f"{indent}warning: {line}")
        sys.stdout.flush()  # in the order in which it is read where both are one terminal
        for line in one.errors:
            place = f"{one.label}: " if one.label else ""
            sys.stderr.write(f"lr-configs check: {place}{line}\n")
    errors, warnings = sum(bool(one.errors) for one in outcomes), sum(bool(one.warnings) for one in outcomes)
    if len(outcomes) > 1:
        say(f"{len(outcomes)} checked: {errors} wrong, {warnings} with a warning")
    elif not errors:
        say("ok" if not warnings else "ok, with a warning" + (", which --strict refuses" if strict else ""))


def _verdict(one: Outcome) -> str:
    return "wrong" if one.errors else "warning" if one.warnings else "ok"


def _from(checked: Any) -> str:
    """Where the size of the run is from."""
    return ", ".join(checked.found.size.sources)


def _data(one: Outcome) -> dict[str, Any]:
    return {
        "label": one.label,
        "overrides": list(one.overrides),
        "ok": not one.errors,
        "errors": one.errors,
        "warnings": one.warnings,
        "schedules": [_schedule_data(checked) for checked in one.schedules],
    }


def _schedule_data(checked: Any) -> dict[str, Any]:
    found, error = checked.found, checked.error
    return {
        "key": found.key,
        "name": checked.name,
        "used_by": list(found.users),
        "error": None
        if error is None
        else {
            "place": error.place,
            "key": error.key,
            "value": repr(error.value),
            "rule": error.rule,
            "remedy": error.remedy,
        },
        "line": checked.line,
        "notes": list(checked.notes),
        "not_checked": list(checked.unknown),
        "from": list(found.size.sources),
    }
