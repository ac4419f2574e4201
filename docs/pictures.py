"""Draws the README's curves with the very values that training uses: `make docs`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lr_configs import available
from lr_configs.preview.examples import BASE, RUN, example, example_metric
from lr_configs.preview.series import Subject, picture
from lr_configs.preview.svg import thumbnail

FOLDER = Path(__file__).parent / "curves"
#: parts into which the run is cut, for lines as short as these
BINS = 150


def pictures() -> Iterator[tuple[str, str]]:
    """The name of every schedule, and a small picture of it."""
    for name in available():
        subject = Subject(example(name), RUN, [BASE], metric=example_metric())
        yield name, thumbnail(picture([subject], bins=BINS))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for schedule, text in pictures():
        (FOLDER / f"{schedule}.svg").write_text(text, encoding="utf-8")
