"""Files of a sweep: plain JSON, whole or not there, with numbers that no JSON has written as text."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

#: of every file that a sweep writes; a reader refuses greater ones
FORMAT = 1
_NO_JSON = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class Unreadable(ValueError):
    """A file of a sweep that says nothing: cut off, of a later version, or something else."""


class LaterVersion(Unreadable):
    """A file that a later version wrote."""


def write_json(path: Path, data: Mapping[str, Any], *, flush: bool = True) -> None:
    """Write beside the place and rename: a reader sees the old file or the new one.

    Args:
        path: the file.
        data: its keys, one a line.
        flush: wait until the disk has it, so that it outlasts a power failure.

    Raises:
        OSError: where it cannot be written; the old file is still there, and nothing beside it.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "x.json"
    >>> write_json(path, {"format": 1, "loss": float("nan")})
    >>> print(path.read_text(), end="")
    {
    "format": 1,
    "loss": "nan"
    }
    """
    lines = (f"{json.dumps(key)}: {_text(value)}" for key, value in data.items())
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(beside, "wb", buffering=0) as file:
            left = memoryview(text.encode())
            while left:  # a disk that fills up takes a part
                left = left[file.write(left) :]
            if flush:
                os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _text(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"), default=str)
    except ValueError:
        return json.dumps(_without_nan(value), separators=(",", ":"), default=str)


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _without_nan(one) for key, one in value.items()}
    return [_without_nan(one) for one in value] if isinstance(value, (list, tuple)) else value


def number(value: Any) -> float | None:
    """A number of a file, also one that JSON does not have; None for anything else.

    >>> number("nan"), number(3), number("x"), number(True)
    (nan, 3.0, None, None)
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    return _NO_JSON.get(value) if isinstance(value, str) else None


def read_json(path: Path, largest: int = 1 << 23) -> dict[str, Any]:
    """What :func:`write_json` wrote.

    Args:
        path: the file.
        largest: bytes that it may have.

    Raises:
        Unreadable: with the reason in words.
        FileNotFoundError: where there is none.
    """
    try:
        with open(path, "rb") as file:
            raw = file.read(largest + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Unreadable(f"{path.name} cannot be read: {error.strerror}") from None
    if len(raw) > largest:
        raise Unreadable(f"{path.name} has more than {largest >> 20} MB: no version writes so much")
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        raise Unreadable(f"{path.name} {_cut_off(raw)}") from None
    if not isinstance(data, dict) or not isinstance(data.get("format"), int):
        raise Unreadable(f"{path.name} was not written by lr_configs")
    if data["format"] > FORMAT:
        writer = (data.get("versions") or {}).get("lr_configs", "a later version")
        raise LaterVersion(
            f"{path.name} has format {data['format']}, of lr_configs {writer}: this version reads {FORMAT}. Update it"
        )
    return data


def _cut_off(raw: bytes) -> str:
    if not raw.strip():
        return "is empty"
    return "is cut off in the middle" if not raw.rstrip().endswith(b"}") else "is damaged: it is no JSON"


def checked(data: dict[str, Any], kinds: Mapping[str, type | tuple[type, ...]], name: str) -> dict[str, Any]:
    """`data`, where the keys that are there are of their kinds.

    Raises:
        Unreadable: where one is not.
    """
    for key, kind in kinds.items():
        if key in data and data[key] is not None and not isinstance(data[key], kind):
            raise Unreadable(f"{name} is damaged: {key} is a {type(data[key]).__name__}")
    return data


def one_line(text: str, longest: int = 300) -> str:
    r"""Text of a run as one line without control characters: what a terminal may be shown.

    >>> one_line("a\n\x1b[31mb")
    'a [31mb'
    """
    line = re.sub(r"[\s\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+", " ", text).strip()
    return line if len(line) <= longest else f"{line[: longest - 3]}..."


def try_quietly(action: Callable[[], Any]) -> OSError | None:
    """Do something that a full or a missing disk may refuse; the refusal, or None."""
    try:
        action()
    except OSError as error:
        return error
    return None
