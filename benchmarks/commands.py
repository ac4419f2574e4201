"""Commands as whole processes, beside a Hydra app that does nothing."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import best, children
from benchmarks.pictures import EMPTY

CONF = Path(__file__).parents[1] / "conf"
RUN = ("--epochs", "90", "--steps-per-epoch", "391", "--lr", "0.1")
COMMANDS = {
    "list": ("list",),
    "show cosine": ("show", "cosine"),
    "check cosine": ("check", "cosine", *RUN),
    "check of the example app": ("check", "--config-dir", str(CONF), "--batches", "23"),
    "check of the example app, --all": ("check", "--config-dir", str(CONF), "--batches", "23", "--all"),
}


def bench_commands(quick: bool) -> list[str]:
    """Each command's whole process."""
    lines = ["", "### Commands, whole process", "", "| lr-configs | x an empty Hydra app |", "|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        (base / "app.py").write_text(EMPTY)

        def process(*words: str) -> Callable[[], Any]:
            return lambda: subprocess.run([sys.executable, *words], check=True, cwd=base, capture_output=True)

        candidates = {name: process("-m", "lr_configs", *words) for name, words in COMMANDS.items()}
        result = best({**candidates, "app": process("app.py")}, 3 if quick else 11, clock=children)
    return [*lines, *(f"| `{name}` | {result[name] / result['app']:.2f} |" for name in COMMANDS)]
