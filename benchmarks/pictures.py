"""Pictures: of a million updates beside those of a thousand, and as whole processes beside a Hydra app that does nothing."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import best, children

NAMES = (
    "cosine", "cosine_warm_restarts", "one_cycle", "step", "multi_step", "linear", "polynomial", "rex", "warmup_stable_decay",
    "inverse_sqrt",
)  # fmt: skip
SHORT, LONG = 1_000, 1_000_000
EMPTY = """import hydra
@hydra.main(version_base=None)
def main(config): pass
main()
"""


def bench_pictures(quick: bool) -> list[str]:
    """Ten schedules in one picture, in every format."""
    from lr_configs import Horizon
    from lr_configs.preview import braille, figure, page, svg
    from lr_configs.preview.series import Subject, picture

    def drawn(steps: int, draw: Callable[[Any], Any]) -> Callable[[], Any]:
        subjects = [Subject({"name": name, "interval": "step", "warmup": "1%"}, Horizon(steps=steps)) for name in NAMES]
        return lambda: draw(picture(subjects))

    ways: dict[str, Callable[[Any], Any]] = {
        "chart in the terminal": braille.chart,
        ".svg": svg.chart,
        ".html": page.page,
        ".png": lambda shown: figure.save(figure.figure(shown), "png"),
    }
    lines = [
        "", "### Ten schedules in one picture", "",
        f"| format | {LONG:,} updates: x {SHORT:,} updates |", "|---|---|",
    ]  # fmt: skip
    for name, draw in ways.items():
        result = best({"long": drawn(LONG, draw), "short": drawn(SHORT, draw)}, 5 if quick else 15)
        lines.append(f"| {name} | {result['long'] / result['short']:.2f} |")
    return [*lines, *_processes(quick)]


def _processes(quick: bool) -> list[str]:
    lines = [
        "",
        "### `lr-configs plot`, whole process",
        "",
        "| to | x an empty Hydra app | less matplotlib's import |",
        "|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        (base / "app.py").write_text(EMPTY)

        def process(*words: str) -> Callable[[], Any]:
            return lambda: subprocess.run([sys.executable, *words], check=True, cwd=base, capture_output=True)

        def plot(kind: str, *size: str) -> Callable[[], Any]:
            run = size or ("--epochs", "90", "--steps-per-epoch", "391")
            return process("-m", "lr_configs", "plot", "cosine", "--lr", "0.1", *run, "--force", "-o", f"lr.{kind}")

        candidates = {kind: plot(kind) for kind in ("csv", "svg", "html", "png")}
        candidates |= {"svg, 1,000,000 updates": plot("svg", "--steps", str(LONG))}
        others = {
            "app": process("app.py"),
            "python": process("-c", ""),
            "matplotlib": process("-c", "import matplotlib.figure"),
        }
        result = best({**candidates, **others}, 3 if quick else 11, clock=children)
        for kind in candidates:
            extra = result["matplotlib"] - result["python"] if kind == "png" else 0.0
            less = f"{(result[kind] - extra) / result['app']:.2f}" if extra else ""
            lines.append(f"| .{kind} | {result[kind] / result['app']:.2f} | {less} |")
    return lines
