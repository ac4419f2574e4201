"""A file that ends a run early: when it counts, and what it asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lr_configs.track import SHAPES, check_ending


def read_ending(text: str) -> tuple[Any, str]:
    """What a file asks for: a length, a shape, both or neither.

    Raises:
        SchedulerConfigError: for anything else.

    >>> read_ending("10 % Cosine"), read_ending("")
    (('10%', 'cosine'), ('5%', 'linear'))
    """
    words = [word.lower().replace("-", "_") for word in text[:200].split()]
    shapes = [word for word in words if word in SHAPES]
    length = "".join(word for word in words if word not in SHAPES)
    return check_ending(
        length.replace("_", "-") or "5%", shapes[0] if len(shapes) == 1 else ", ".join(shapes) or "linear"
    )


class DecayFile:
    """A file that counts once it is new or has changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None

    def note(self) -> None:
        """What is there now does not count."""
        self._seen = self._signature()

    def _signature(self) -> tuple[int, int, int] | None:
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    def news(self) -> str | None:
        """What a new file holds, or None."""
        signature = self._signature()
        if signature is None or signature == self._seen:
            return None
        self._seen = signature
        try:
            return self.path.read_bytes()[:1000].decode(errors="replace")
        except OSError as error:
            return f"unreadable: {error}"
