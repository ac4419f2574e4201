"""A picture as numbers: CSV with a row for every update, JSON with every change."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
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
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    lines = [(name, line) for name, line in columns(picture)]
    writer.writerow([picture.unit, *(["epoch"] if picture.epochs else []), *(name for name, _ in lines)])
    for start in range(0, _count(picture.end), _ROWS):
        stop = min(start + _ROWS, _count(picture.end))
        numbers = [_epochs(picture, start, stop)] if picture.epochs else []
        writer.writerows(
            zip(range(start, stop), *numbers, *(_cells(line, start, stop) for _, line in lines), strict=True)
        )
    return file.getvalue()


def columns(picture: Picture) -> Iterator[tuple[str, Line]]:
    """Every line with its name: what it drives, and where there are several schedules, its label."""
    several = len(picture.labels) > 1
    for panel in picture.panels:
        for line in panel.lines:
            yield f"{panel.title} {line.label}" if several else panel.title, line


def _count(end: float) -> int:
    return int(end) if end == int(end) else int(end) + 1


def _epochs(picture: Picture, start: int, stop: int) -> list[int]:
    """The number of the epoch that each update lies in."""
    import numpy as np

    if len(picture.epochs) == 2:  # of equal length, or the only one
        return [int(epoch) for epoch in np.floor(np.arange(start, stop) * _share(picture) + 1e-9)]
    begins = np.array([update for update, _ in picture.epochs])
    found: list[int] = (np.searchsorted(begins, np.arange(start, stop), side="right") - 1).tolist()
    return found


def _share(picture: Picture) -> float:
    (_, _), (updates, epochs) = picture.epochs
    return epochs / updates


def _cells(line: Line, start: int, stop: int) -> list[Any]:
    """The values of a line; nothing in front of its beginning and behind its end."""
    import numpy as np

    at = np.arange(start, stop)
    index = np.searchsorted(np.asarray(line.x), at, side="right") - 1
    values = np.asarray(line.y)[np.maximum(index, 0)].tolist()
    outside = (index < 0) | (at >= line.end)
    if not outside.any():
        return values  # type: ignore[no-any-return]
    return [None if out else value for value, out in zip(values, outside.tolist(), strict=True)]


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
