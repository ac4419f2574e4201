"""Where everything of a picture goes, in pixels, whoever draws it: panels, words, the legend, ticks, last values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from lr_configs.preview import scale
from lr_configs.preview.picture import Line, Mark, Panel, Picture
from lr_configs.preview.scale import Scale

#: pixels of the text
SIZE = 12
#: what a character is wide, for the question whether words have room
CHARACTER = 0.58 * SIZE
#: a line of text, the gap between two panels, and around the whole
ROW, GAP, MARGIN = 16, 14, 8
#: how high the first panel is, and each further one
FIRST, FURTHER = 230, 90
#: of the line in the legend
SWATCH = 28

T = TypeVar("T")


@dataclass(frozen=True)
class Box:
    """Where a panel is drawn.

    Attributes:
        left: edge.
        top: edge.
        width: of the run.
        height: of the axis.
        axis: of the values.
        end: of the run, in the picture's unit.
    """

    left: float
    top: float
    width: float
    height: float
    axis: Scale
    end: float

    @property
    def bottom(self) -> float:
        """Edge."""
        return self.top + self.height

    @property
    def right(self) -> float:
        """Edge."""
        return self.left + self.width

    def x(self, value: float) -> float:
        """The place of an update, or an epoch."""
        return self.left + self.width * value / self.end

    def y(self, value: float) -> float:
        """The place of a value."""
        return self.top + self.height * (1 - self.axis.share(value))

    def ticks(self) -> list[float]:
        """The values that are written beside the axis."""
        return self.axis.ticks(max(int(self.height / 36), 3))


@dataclass(frozen=True)
class Words:
    """Words in their place.

    Attributes:
        text: the words.
        x: place.
        y: of the line that they stand on.
        style: of the line that they belong to.
        mark: what they name, if that is something that happens.
    """

    text: str
    x: float
    y: float
    style: int = 0
    mark: Mark | None = None


@dataclass(frozen=True)
class Arranged:
    """A panel, and everything about it in its place.

    Attributes:
        panel: what is drawn.
        box: where.
        words: what happens, above it, in the middle of `x`.
        ends: the last values, from `x` on.
    """

    panel: Panel
    box: Box
    words: tuple[Words, ...]
    ends: tuple[Words, ...]


@dataclass(frozen=True)
class Arrangement:
    """A picture with everything in its place.

    Attributes:
        picture: the picture.
        width: pixels.
        height: pixels.
        title: None where there is none.
        legend: a label for each style, where there are several; the line in front of it ends 6 pixels before `x`.
        panels: from top to bottom.
        ticks: rows of numbers below the last panel: what they count, at the right end, and for each its place on the axis and,
            where there is room for it, the words.
        notes: below everything.
    """

    picture: Picture
    width: float
    height: float
    title: Words | None
    legend: tuple[Words, ...]
    panels: tuple[Arranged, ...]
    ticks: tuple[tuple[Words, tuple[tuple[float, Words | None], ...]], ...]
    notes: tuple[Words, ...]


def arrange(picture: Picture, width: int = 720, height: int | None = None, *, log: bool = False) -> Arrangement:
    """Put everything in its place.

    Args:
        picture: what is shown.
        width: pixels.
        height: pixels; None is what the panels need.
        log: a logarithmic axis for the rates.
    """
    y = float(MARGIN)
    title = Words(picture.title, width / 2, y + SIZE) if picture.title else None
    y += ROW + 4 if title else 0
    legend = tuple(_legend(picture.labels, width, y)) if len(picture.labels) > 1 else ()
    y = legend[-1].y + ROW - SIZE + 6 if legend else y
    flat = [_flat(panel, picture, width, log and i == 0) for i, panel in enumerate(picture.panels)]
    left, right = max(one.left for one in flat), min(one.right for one in flat)
    words = [
        tuple(_words(panel, replace(one, left=left, width=right - left)))
        for panel, one in zip(picture.panels, flat, strict=True)
    ]
    above = [ROW * (1 + max((1 for one in some if one.y), default=0)) + 4 for some in words]
    below = ROW * (2 if picture.epochs else 1) + MARGIN + len(picture.notes) * ROW
    heights = [FIRST if i == 0 else FURTHER for i in range(len(flat))]
    if height is not None:
        room = max(height - y - sum(above) - GAP * (len(flat) - 1) - below, 40 * len(flat))
        heights = [round(room * one / sum(heights)) for one in heights]
    panels = []
    for panel, one, some, over, high in zip(picture.panels, flat, words, above, heights, strict=True):
        box = replace(one, left=left, top=y + over, width=right - left, height=high)
        placed = tuple(replace(word, y=box.top - 6 - word.y) for word in some)
        panels.append(Arranged(panel, box, placed, tuple(_ends(panel, box))))
        y = box.bottom + GAP
    bottom = panels[-1].box.bottom
    notes = (
        Words(text, MARGIN, bottom + below - MARGIN - ROW * (len(picture.notes) - 1 - i))
        for i, text in enumerate(picture.notes)
    )
    return Arrangement(
        picture, width, bottom + below, title, legend, tuple(panels), tuple(_ticks(picture, panels[-1].box, width)), tuple(notes)
    )  # fmt: skip


def _flat(panel: Panel, picture: Picture, width: float, log: bool) -> Box:
    """The box of a panel as far as its own words decide: its left and right edges."""
    axis = scale.of_panel(panel, log)
    numbers = max(len(scale.number(tick)) for tick in axis.ticks(6))
    ends = max(len(scale.number(line.last)) for line in panel.lines)
    left = round(MARGIN + numbers * CHARACTER + 8)
    return Box(left, 0, width - left - round(MARGIN + ends * CHARACTER + 8), 0, axis, picture.end)


def _legend(labels: Sequence[str], width: float, y: float) -> Iterator[Words]:
    x = float(MARGIN)
    for style, label in enumerate(labels):
        size = SWATCH + 6 + len(label) * CHARACTER + 14
        if x > MARGIN and x + size > width:
            x, y = float(MARGIN), y + ROW
        yield Words(label, x + SWATCH + 6, y + SIZE, style)
        x += size


def _words(panel: Panel, box: Box) -> Iterator[Words]:
    """The words for what happens, in two rows (`y` is how far up), as far as there is room."""
    taken = [box.left + len(panel.title) * CHARACTER - 40, box.left]
    for mark, style in sorted(first_of_each(panel), key=lambda pair: pair[0].x):
        half = len(mark.word) * CHARACTER / 2
        x = min(max(box.x(mark.x), box.left + half), box.right - half)
        row = next((i for i, edge in enumerate(taken) if x - half >= edge), None)
        if row is not None:
            taken[row] = x + half + 8
            yield Words(mark.word, x, row * (SIZE + 2), style, mark)


def first_of_each(panel: Panel) -> list[tuple[Mark, int]]:
    """The first mark of every kind on every line, with the line's style; what several lines share, once."""
    found: dict[tuple[float, str], tuple[Mark, int]] = {}
    for line in panel.lines:
        words = set[str]()
        for mark in line.marks:
            if mark.word not in words:
                words.add(mark.word)
                found.setdefault((mark.x, mark.word), (mark, line.style))
    return list(found.values())


def _ends(panel: Panel, box: Box) -> Iterator[Words]:
    """The last values, each at its line's end, or as near to it as the others let it be; equal ones once."""
    lines: dict[tuple[float, str], Line] = {}
    for line in panel.lines:
        lines.setdefault((line.end, scale.number(line.last)), line)
    wanted = [(line, box.y(line.last)) for line in lines.values()]
    for line, y in spread(wanted, SIZE + 1, box.top, box.bottom):
        yield Words(scale.number(line.last), box.x(line.end) + 5, y + 4, line.style)


def _ticks(picture: Picture, box: Box, width: float) -> Iterator[tuple[Words, tuple[tuple[float, Words | None], ...]]]:
    room = max(int(box.width / 90), 2)
    rows = [(f"{picture.unit}s", [(one, one) for one in scale.round_numbers(0, picture.end, room)])]
    if picture.epochs:
        rows.append(("epochs", scale.epoch_ticks(picture, room)))
    for i, (unit, ticks) in enumerate(rows):
        y = box.bottom + ROW * (i + 1)
        edge = width - MARGIN - len(unit) * CHARACTER - 8
        placed = []
        for x, amount in ticks:
            words = Words(scale.count(amount), box.x(x), y)
            placed.append((x, words if words.x + len(words.text) * CHARACTER / 2 < edge else None))
        yield Words(unit, width - MARGIN, y), tuple(placed)


def spread(wanted: Sequence[tuple[T, float]], gap: float, low: float, high: float) -> list[tuple[T, float]]:
    """Places as near to those wanted as a gap between them allows, from top to bottom.

    >>> spread([("a", 10.0), ("b", 11.0), ("c", 90.0)], 10, 0, 100)
    [('a', 5.5), ('b', 15.5), ('c', 90.0)]
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i][1])
    blocks: list[tuple[float, int]] = []  # of those that touch: the middle that they want, and how many they are

    def start(middle: float, n: int) -> float:
        return max(min(middle - gap * (n - 1) / 2, high - gap * (n - 1)), low)

    for i in order:
        blocks.append((wanted[i][1], 1))
        while len(blocks) > 1 and start(*blocks[-1]) < start(*blocks[-2]) + gap * blocks[-2][1]:
            (y, n), (other, m) = blocks.pop(), blocks.pop()
            blocks.append(((y * n + other * m) / (n + m), n + m))
    places = [start(*block) + gap * k for block in blocks for k in range(block[1])]
    return [(wanted[i][0], place) for i, place in zip(order, places, strict=True)]
