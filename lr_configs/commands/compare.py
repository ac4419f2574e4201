"""``lr-configs compare``: the jobs of sweeps side by side."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from lr_configs.commands.errors import CallError
from lr_configs.commands.output import as_json, check_free, cut, say, screen, table, write_file
from lr_configs.commands.parser import Parser
from lr_configs.sweeps import tables
from lr_configs.sweeps.effects import effects
from lr_configs.sweeps.files import one_line
from lr_configs.sweeps.runs import Comparison, Run, compare

EXAMPLES = """\
  lr-configs compare sweeps/first                       # at any time, also while it runs
  lr-configs compare sweeps/first -o report.html        # one page: table, curves, effects, failures
  lr-configs compare sweeps/first --metric val_loss --by best
  lr-configs compare sweeps/* --csv > runs.csv
"""
#: runs that a terminal is shown by default, and failures
TOP, FAILURES = 20, 10
KINDS = ("html", "csv", "json")


def add_arguments(parser: Parser) -> None:
    """The folders, what counts, and the form."""
    parser.add_argument("folders", nargs="+", metavar="DIR", help="a sweep's folder, or one with jobs anywhere below")
    parser.add_argument(
        "--metric",
        metavar="NAME",
        help="rank by this metric; 'value' is what the jobs returned (default: what the jobs are judged by)",
    )
    parser.add_argument(
        "--mode", choices=("min", "max"), help="whichever is better (default: the jobs' own, or a guess)"
    )
    parser.add_argument(
        "--by", choices=("last", "best"), default="last", help="the value of each run that counts (default: last)"
    )
    parser.add_argument(
        "--repeat",
        action="append",
        default=[],
        metavar="KEY",
        help="an override that only repeats a setting, beside those called seed; may be given again",
    )
    parser.add_argument(
        "--top", type=int, metavar="N", help=f"runs to list (default: {TOP} in a terminal, all of them in a pipe)"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="all runs as CSV")
    form.add_argument("--json", action="store_true", help="all of it as JSON")
    form.add_argument("-o", "--output", metavar="FILE", help=f"write a file, by its ending: {', '.join(KINDS)}")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")


def run(options: argparse.Namespace) -> int:
    """Print or write the comparison."""
    kind = _kind(options.output)
    if options.output is not None:
        check_free(options.output, options.force)
    if options.top is not None and options.top < 1:
        raise CallError(f"--top {options.top}: it is a number of runs, 1 or more")
    folders = [Path(name) for name in options.folders]
    for folder in folders:
        if not folder.is_dir():
            raise CallError(f"{folder}: there is no such folder")
    found = compare(
        folders, metric=options.metric, mode=options.mode, best=options.by == "best", repeats=options.repeat
    )
    if not found.runs and not found.waiting:
        raise CallError(f"{' '.join(options.folders)}: no job's manifest.json is anywhere below")
    if options.metric is not None and not any(options.metric in one.scores for one in found.runs):
        known = sorted({name for one in found.runs for name in one.scores})
        raise CallError(f"--metric {options.metric}: no run has it. Theirs: {', '.join(known) or 'none'}")
    if options.csv or kind == "csv":
        text = tables.spreadsheet(found)
    elif options.json or kind == "json":
        text = as_json(tables.data(found)) + "\n"
    elif kind == "html":
        from lr_configs.sweeps.page import page

        text = page(found)
    else:
        show = screen()
        top = options.top or (TOP if show.terminal else None)
        text = "\n".join(_lines(found, top, show.width if show.terminal else None)) + "\n"
    if options.output is None:
        say(text[:-1])
    else:
        write_file(options.output, text, options.force)
    return 0


def _kind(output: str | None) -> str | None:
    if output is None:
        return None
    kind = Path(output).suffix[1:].lower()
    if kind not in KINDS:
        raise CallError(f"{output}: a comparison is written as {', '.join(KINDS)}")
    return kind


def _lines(found: Comparison, top: int | None, width: int | None) -> Iterator[str]:
    """For a person."""
    yield tables.counts(found)
    if found.runs:
        yield from ("", tables.title(found), table(tables.ranking(found, top), width))
        if top is not None and len(found.runs) > top:
            yield f"... and {len(found.runs) - top} more: --top {len(found.runs)}"
    for effect in effects(found):
        yield from ("", table(tables.effect_rows(effect), width), f"{effect.verdict} ({tables.effect_note(effect)})")
    yield from _troubles(found.troubles(), width)
    leader = found.leader
    if leader is not None and leader.command:
        yield from ("", f"the best run again:  {one_line(leader.command, 10_000)}")


def _troubles(runs: list[Run], width: int | None) -> Iterator[str]:
    if runs:
        yield from ("", "without a result:")
    for one in runs[:FAILURES]:
        said = " ".join(f"{key}={value}" for key, value in one.settings.items())
        yield cut(f"  {one.folder} {one.status}: {one_line(one.reason)}  [{one_line(said, 200)}]", width)
    if len(runs) > FAILURES:
        yield f"  ... and {len(runs) - FAILURES} more: all of them are in -o report.html, --csv and --json"
