"""``lr-configs schema``: the JSON Schema of schedules, for editors and validators."""

from __future__ import annotations

import argparse
import sys

from lr_configs.commands.errors import CallError
from lr_configs.commands.output import check_free, write_file
from lr_configs.commands.parser import Parser
from lr_configs.errors import SchedulerConfigError

EXAMPLES = """\
  lr-configs schema --key scheduler -o .schedule.json       # for an app's config, whose key `scheduler` is a schedule
  lr-configs schema --key 'callbacks.*.scheduler' --key scheduler -o .schedule.json
  lr-configs schema --group -o conf/scheduler/.schedule.json # for the files of a config group
  lr-configs schema cosine                                  # of one schedule, to look at
"""


def add_arguments(parser: Parser) -> None:
    """The schedule, the form, and the file."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="the one schedule that is meant; by default any")
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--group", action="store_true", help="for a file of a config group, which may have a defaults list"
    )
    form.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="KEY",
        help="for an app's config, with the schedule under this dotted key (* is any one part); may be given again",
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="where it goes; by default to stdout")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")


def run(options: argparse.Namespace) -> int:
    """Print or write the schema."""
    from lr_configs.schema import json_schema, usable, written

    if options.output is not None:
        check_free(options.output, options.force)
    form = "group" if options.group else "app" if options.key else "node"
    try:
        schema = json_schema(form, name=options.name, keys=options.key)
    except SchedulerConfigError as error:  # no config has been read
        raise CallError(str(error)) from None
    for broken in usable()[1]:
        sys.stderr.write(f"left out: {broken}\n")
    text = written(schema)
    if options.output is None:
        sys.stdout.write(text)
    else:
        write_file(options.output, text, options.force)
    return 0
