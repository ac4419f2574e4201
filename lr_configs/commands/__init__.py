"""The command ``lr-configs``, also ``python -m lr_configs``: one module for each of its commands.

A command's module has ``add_arguments(parser)``, ``run(options)``, which returns the exit code, and ``EXAMPLES``, which
its help ends with. It is imported when the command is called, and no earlier.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import NamedTuple, TextIO

from lr_configs import __version__
from lr_configs.commands.errors import CALL, INTERRUPTED, NO_READER, CallError, interrupt, told
from lr_configs.commands.parser import Parser
from lr_configs.errors import nearest

PROGRAM = "lr-configs"


class Command(NamedTuple):
    """A command: the module that has it, and its help in one line."""

    module: str
    help: str


COMMANDS = {
    "list": Command("lr_configs.commands.listing", "list the schedules"),
    "show": Command("lr_configs.commands.show", "show all about one schedule: formula, keys, curve, YAML"),
    "plot": Command("lr_configs.commands.plot", "draw schedules, in the terminal or as a file"),
    "check": Command("lr_configs.commands.check", "find what training would refuse, in a moment"),
    "compare": Command("lr_configs.commands.compare", "compare the jobs of sweeps"),
    "schema": Command("lr_configs.commands.schema", "make the JSON Schema of schedules, for editors and validators"),
    "convert": Command("lr_configs.commands.convert", "print another library's schedule as YAML"),
    "completion": Command("lr_configs.commands.completion", "print what a shell needs to complete all of this"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: its words; those that the process was started with by default.

    Returns:
        0; 1 where the config is wrong, 2 where the call is wrong. A message is on stderr then.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    # Closed by the shell's `>&-`: there is nobody to tell, but a file that is asked for is written.
    sys.stdout, sys.stderr = sys.stdout or _nowhere(), sys.stderr or _nowhere()
    try:
        with interrupt.awaited():
            code = _ended(words)
    except KeyboardInterrupt:
        return INTERRUPTED
    return INTERRUPTED if interrupt.came else code


def _ended(words: Sequence[str]) -> int:
    try:
        code = _run(words)
        sys.stdout.flush()  # while a closed pipe can still be caught
        return code
    except SystemExit as done:  # argparse's, behind --help
        return done.code if isinstance(done.code, int) else 0
    except BrokenPipeError:
        _leave_stdout()
        return NO_READER
    except Exception as error:
        known = told(error)
        if known is None and isinstance(error, OSError) and error.filename is None:  # stdout's: a file's has its name
            _leave_stdout()
            known = CALL, f"the output cannot be written: {error.strerror or error}"
        if known is None:
            raise
        code, message = known
        sys.stderr.write(f"{_name(words)}: {message}\n")
        return code


def _nowhere() -> TextIO:
    return os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")


def _leave_stdout() -> None:
    """Python flushes stdout once more when it ends, and would say again that nothing can be written there."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _name(words: Sequence[str]) -> str:
    return f"{PROGRAM} {words[0]}" if words and words[0] in COMMANDS else PROGRAM


def _run(words: Sequence[str]) -> int:
    if not words:
        raise CallError(f"which command? Commands: {', '.join(COMMANDS)} (see {PROGRAM} --help)")
    first, *rest = words
    if first in ("-h", "--help"):
        sys.stdout.write(_help())
        return 0
    if first == "--version":
        sys.stdout.write(f"{PROGRAM} {__version__}\n")
        return 0
    if first not in COMMANDS:
        kind = "option" if first.startswith("-") else "command"
        raise CallError(f"there is no {kind} {first!r}. {nearest(first, COMMANDS)}Commands: {', '.join(COMMANDS)}")
    parser, module = parser_of(first)
    code: int = module.run(parser.read(rest))
    return code


def parser_of(name: str) -> tuple[Parser, ModuleType]:
    """The parser of a command, and its module."""
    command = COMMANDS[name]
    module = import_module(command.module)
    parser = Parser(f"{PROGRAM} {name}", f"{command.help[0].upper()}{command.help[1:]}.", module.EXAMPLES)
    module.add_arguments(parser)
    return parser, module


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = "".join(f"  {name.ljust(width)}  {command.help}\n" for name, command in COMMANDS.items())
    return (
        f"usage: {PROGRAM} COMMAND ...\n\nLearning-rate schedules on the command line.\n\ncommands:\n{lines}\n"
        f"`{PROGRAM} COMMAND --help` says more, with examples. {PROGRAM} {__version__}\n"
    )
