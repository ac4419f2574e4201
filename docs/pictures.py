"""Draws the README's curves with the very values that training uses: `make docs`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lr_configs import Horizon, available
from lr_configs.preview.examples import BASE, RUN, example, example_metric
from lr_configs.preview.series import Subject, picture
from lr_configs.preview.svg import chart, thumbnail

DOCS = Path(__file__).parent
#: parts into which the run is cut, for lines as short as these
BINS = 150


def pictures() -> Iterator[tuple[str, str]]:
    """Every file, relative to this folder, and what it holds: a small picture of each schedule, and a large one of three."""
    for name in available():
        subject = Subject(example(name), RUN, [BASE], metric=example_metric())
        yield f"curves/{name}.svg", thumbnail(picture([subject], bins=BINS))
    run = Horizon(epochs=90, steps_per_epoch=391)
    nodes = ({"name": name, "warmup": "5%"} for name in ("one_cycle", "cosine", "step"))
    yield "plot.svg", chart(picture([Subject(node, run, [BASE], label=node["name"]) for node in nodes]))


if __name__ == "__main__":
    for file, text in pictures():
        (DOCS / file).write_text(text, encoding="utf-8")
