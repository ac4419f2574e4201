"""A picture as numbers: CSV with a row for every update, JSON with every change."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lr_configs.errors import SchedulerConfigError
from lr_configs.preview.picture import Line, Picture

#: rows that a file may have
MOST_ROWS = 1 << 24
#: rows that are made at once
_ROWS = 1 << 14


def to_csv(picture: Picture) -> str:
    """A row for every update (or every epoch, where the updates are not known), and a column for every line.

    Args:
        picture: with every value, as ``picture(..., bins=0)`` gives it.

    Raises:
        SchedulerConfigError: for a run that would fill more rows than can be meant.

    >>> from lr_configs import Horizon
    >>> from lr_configs.preview.series import Subject, picture
    >>> print(to_csv(picture([Subject("exponential", Horizon(epochs=2, steps_per_epoch=2))], bins=0)))
    update,epoch,lr
    0,0,0.1
    1,0,0.1
    2,1,0.095
    3,1,0.095
    """
    if picture.end > MOST_ROWS:
        raise SchedulerConfigError(
            "horizon", picture.end, f"a table has a row for every {picture.unit}, and this one would have too many",
            "Write JSON, which has the changes alone, or a picture",
        )  # fmt: skip
    names, lines = zip(*columns(picture), strict=True)
    parts = [_header([picture.unit, *(["epoch"] if picture.epochs else []), *names])]
    for start in range(0, _count(picture.end), _ROWS):
        stop = min(start + _ROWS, _count(picture.end))
        cells: list[Iterable[str]] = [
            map(str, range(start, stop)),
            *(map(str, one) for one in _epochs(picture, start, stop)),
        ]
        cells += [_cells(line, start, stop) for line in lines]
        parts += map(",".join, zip(*cells, strict=True))  # numbers need no quotes
    return "\n".join([*parts, ""])


def _header(names: Sequence[str]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="").writerow(names)
    return file.getvalue()


def columns(picture: Picture) -> Iterator[tuple[str, Line]]:
    """Every line with its name: what it drives, and where there are several schedules, its label."""
    several = len(picture.labels) > 1
    for panel in picture.panels:
        for line in panel.lines:
            yield f"{panel.title} {line.label}" if several else panel.title, line


def _count(end: float) -> int:
    return int(end) if end == int(end) else int(end) + 1


def _epochs(picture: Picture, start: int, stop: int) -> Iterator[list[int]]:
    """The number of the epoch that each update lies in, where that is known."""
    import numpy as np

    if not picture.epochs:
        return
    updates, epochs = np.array(picture.epochs, dtype=np.float64).T
    found = np.interp(np.arange(start, stop), updates, epochs)
    yield np.floor(found + 1e-9).astype(np.int64).tolist()


def _cells(line: Line, start: int, stop: int) -> list[str]:
    """The values of a line; nothing in front of its beginning and behind its end."""
    import numpy as np

    at = np.arange(start, stop)
    index = np.searchsorted(np.asarray(line.x), at, side="right") - 1
    if index[0] >= 0 and stop <= line.end and index[-1] - index[0] + 1 == len(index):  # a value for each
        return list(map(repr, line.y[index[0] : index[-1] + 1]))
    first, last = max(int(index[0]), 0), max(int(index[-1]), 0)
    texts = list(map(repr, line.y[first : last + 1]))  # each once, however long it holds
    outside = (index < 0) | (at >= line.end)
    return ["" if out else texts[i - first] for i, out in zip(index.tolist(), outside.tolist(), strict=True)]


def to_json(picture: Picture, **more: Any) -> str:
    """Every line with the places at which its value changes, and what happens on it.

    Args:
        picture: with every value, as ``picture(..., bins=0)`` gives it.
        **more: further keys.
    """
    panels = [
        {
            "param": panel.title,
            "lines": [
                {
                    "label": line.label,
                    picture.unit: [int(x) if x == int(x) else x for x in line.x],
                    "value": list(line.y),
                    "end": line.end,
                    "marks": [{picture.unit: mark.x, "value": mark.y, "what": mark.word} for mark in line.marks],
                }
                for line in panel.lines
            ],
        }
        for panel in picture.panels
    ]
    whole = {
        "unit": picture.unit,
        "end": picture.end,
        "epochs": [{"update": update, "epoch": epoch} for update, epoch in picture.epochs],
        "panels": panels,
        "notes": list(picture.notes),
        **more,
    }
    return json.dumps(whole, allow_nan=False) + "\n"
