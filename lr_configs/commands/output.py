"""Where results go: a terminal, a pipe, a file."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from lr_configs.commands.errors import CallError

#: the width of what is made for a pipe, where nothing is cut off but a picture needs one
PIPED_WIDTH = 80
#: characters that are drawn with, for the question whether an encoding has them
_DRAWN = "▁█⣿│─"


@dataclass(frozen=True)
class Screen:
    """What the reader of stdout can show.

    Attributes:
        width: characters in a line.
        terminal: whether a person is looking at it; a pipe or a file gets every word in full.
        colour: whether colours are wanted: a terminal that has them, and no ``NO_COLOR``.
        ascii: whether it can show nothing but ASCII.
    """

    width: int
    terminal: bool
    colour: bool
    ascii: bool

    @property
    def limit(self) -> int | None:
        """Where lines are cut off: a terminal's width, and nowhere in a pipe."""
        return self.width if self.terminal else None


def screen(stream: TextIO | None = None) -> Screen:
    """The reader of `stream`, which is stdout by default."""
    stream = sys.stdout if stream is None else stream
    terminal = stream.isatty()
    try:
        _DRAWN.encode(stream.encoding or "utf-8")
        plain = False
    except (UnicodeError, LookupError):
        plain = True
    dumb = os.environ.get("TERM") == "dumb"
    return Screen(
        width=shutil.get_terminal_size((PIPED_WIDTH, 24)).columns if terminal else PIPED_WIDTH,
        terminal=terminal,
        colour=terminal and not dumb and not os.environ.get("NO_COLOR"),
        ascii=plain,
    )


def say(text: str) -> None:
    """Write a line, or several, to stdout; what its encoding has not becomes a question mark."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(f"{text}\n".encode(encoding, "replace").decode(encoding))


def say_json(data: Any) -> None:
    """Write data for a program to stdout."""
    say(as_json(data))


def as_json(data: Any) -> str:
    r"""Data as JSON, of ASCII, with two spaces for each level; what is not finite has no number there.

    >>> as_json({"lr": 0.1})
    '{\n  "lr": 0.1\n}'
    """
    return json.dumps(data, indent=2, allow_nan=False)


def table(rows: Sequence[Sequence[str]], width: int | None = None, indent: str = "") -> str:
    """Rows with their columns under each other, two spaces apart.

    Args:
        rows: the cells; a header is a row.
        width: where lines are cut off, which ends them with ``...``; None leaves every word in full.
        indent: in front of every line.

    >>> print(table([["name", "interval"], ["cosine", "epoch"], ["one_cycle", ""]]))
    name       interval
    cosine     epoch
    one_cycle
    >>> table([["a", "long words"]], 9)
    'a  lon...'
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (indent + "  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(cut(line.rstrip(), width) for line in lines)


def cut(line: str, width: int | None) -> str:
    """A line no longer than `width`, where there is one."""
    return line if width is None or len(line) <= width else line[: max(width - 3, 0)] + "..."


def check_free(path: str | Path, force: bool) -> Path:
    """The path of a file that may be written: there is none, or `force` says to replace it.

    To be asked before the work is done as well, which would be for nothing.

    Raises:
        CallError: for a file that is there, and a folder that is not.
    """
    path = Path(path)
    if path.is_dir():
        raise CallError(f"{path} is a folder. Name a file in it")
    if not path.parent.is_dir():
        raise CallError(f"{path}: there is no folder {path.parent}. Make it first")
    if path.is_file() and not force:
        raise CallError(f"{path} is there already, and is kept. Add --force to replace it")
    return path


def write_file(path: str | Path, data: str | bytes, force: bool = False) -> None:
    """Write a file, whole or not at all.

    Args:
        path: of the file.
        data: what it will hold; text in UTF-8.
        force: replace a file that is there.

    Raises:
        CallError: for a file that is there, and for a place where none can be written.
    """
    path, made = Path(os.path.realpath(check_free(path, force))), None
    try:
        if path.exists() and not path.is_file():  # /dev/stdout, a named pipe
            path.write_bytes(_bytes(data))
            return
        handle, made = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(_bytes(data))
        os.chmod(made, _mode(path))
        os.replace(made, path)
        made = None
    except OSError as error:
        raise CallError(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        if made is not None:
            os.unlink(made)


def _bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data


def _mode(path: Path) -> int:
    """The permissions of the file that is there, or of a new one."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
