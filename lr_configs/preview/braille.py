"""Curves in a terminal: a line of text, or a chart of dots with axes, whose width is what was asked for."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lr_configs.preview import scale
from lr_configs.preview.picture import Line, Panel, Picture
from lr_configs.preview.scale import Scale

_BLOCKS, _ASCII_BLOCKS = "▁▂▃▄▅▆▇█", "_.-~=+*#"
#: the dots of a braille cell, by row and column
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
#: how the lines of several schedules look without colour: dots drawn, dots left out
_DASHES = ((1, 0), (4, 2), (1, 1), (6, 3), (2, 2), (1, 3))
_ASCII_DOTS = "*o+x#@%&"
#: of the eight colours that every terminal has, those that can be read on black and on white
_COLOURS = (34, 31, 32, 35, 36, 33)
LEAST_WIDTH, MARGIN = 20, 1


def sparkline(values: Sequence[float], width: int, *, ascii: bool = False) -> str:
    """A curve in one line of text, from 0 (or the lowest value, if that is lower) up to the highest.

    Args:
        values: evenly spaced; of those that share a place the highest is shown.
        width: characters.
        ascii: without block elements.

    >>> sparkline([0.0, 0.5, 1.0, 0.5], 4)
    '▁▅█▅'
    >>> len(sparkline([1.0], 12, ascii=True))
    12
    """
    levels = _ASCII_BLOCKS if ascii else _BLOCKS
    if not values or width < 1:
        return ""
    low, high = min(0.0, *values), max(values)
    n, text = len(values), ""
    for column in range(width):
        first = column * n // width
        top = max(values[first : max((column + 1) * n // width, first + 1)])
        share = (top - low) / (high - low) if high > low else 0.0
        text += levels[int(share * (len(levels) - 1) + 0.5)]
    return text


def chart(
    picture: Picture, width: int = 80, height: int = 16, *, colour: bool = False, ascii: bool = False, log: bool = False
) -> str:
    """A picture in text.

    Args:
        picture: what it shows.
        width: characters of every line, at least 20.
        height: lines of the first panel; the others have half as many.
        colour: tell lines apart by colour.
        ascii: without braille and box characters.
        log: a logarithmic axis for the rates.

    Returns:
        Lines of text, none longer than `width`.
    """
    width = max(width, LEAST_WIDTH)
    drawn = [
        _Drawn(panel, picture, width, max(height if i == 0 else height // 2, 3), colour, ascii, log and i == 0)
        for i, panel in enumerate(picture.panels)
    ]
    left, right = max(one.left for one in drawn), max(one.right for one in drawn)
    lines = [picture.title[:width]] if picture.title else []
    for one in drawn:
        lines += one.rows(left, right)
    lines += _axis(picture, left, width - left - right, ascii)
    lines += _legend(picture, width, colour, ascii)
    return "\n".join(line.rstrip() for line in lines)


# ---------------------------------------------------------------------------------------- a panel


@dataclass(frozen=True)
class _Drawn:
    """One panel on its way into text."""

    panel: Panel
    picture: Picture
    width: int
    height: int
    colour: bool
    ascii: bool
    log: bool

    @property
    def scale(self) -> Scale:
        return scale.of_panel(self.panel, self.log)

    @property
    def left(self) -> int:
        """Characters in front of the dots."""
        return max(len(label) for label in self._labels().values()) + 1

    @property
    def right(self) -> int:
        """Characters behind the dots, where the last values stand."""
        return max(len(text) for text in self._ends().values()) + MARGIN

    def _labels(self) -> dict[int, str]:
        """The numbers of the axis, by row."""
        axis, rows = self.scale, self.height
        found = {round((1 - axis.share(tick)) * (rows - 1)): tick for tick in axis.ticks(max(rows // 3, 3))}
        return {row: scale.number(tick) for row, tick in found.items()}

    def _ends(self) -> dict[int, str]:
        """The last value of every line, by row; where they meet, one below the other."""
        axis, found = self.scale, dict[int, str]()
        several = len(self.picture.labels) > 1 and not self.colour
        for line in sorted(self.panel.lines, key=lambda one: -one.last):
            text = (f"{_letter(line.style)} " if several else "") + scale.number(line.last)
            row = round((1 - axis.share(line.last)) * (self.height - 1))
            free = [one for one in sorted(range(self.height), key=lambda r: abs(r - row)) if one not in found]
            if free and text not in found.values():
                found[free[0]] = text
        return found

    def rows(self, left: int, right: int) -> list[str]:
        """The lines of text, the name of what is driven above them."""
        columns = self.width - left - right
        cells = _Canvas(columns, self.height, self.ascii)
        for line in reversed(self.panel.lines):  # the first one lies on top
            cells.draw(line, self.scale, self.picture.end, not self.colour and len(self.panel.lines) > 1)
        labels, ends, bar = self._labels(), self._ends(), "|" if self.ascii else "│"
        tick = "+" if self.ascii else "┤"
        lines = [f"{self.panel.title:>{left}}"[: self.width]]
        for row in range(self.height):
            front = f"{labels.get(row, ''):>{left - 1}}{tick if row in labels else bar}"
            lines.append(front + cells.text(row, self.colour) + " " * MARGIN + ends.get(row, ""))
        return lines


def _letter(style: int) -> str:
    return chr(ord("a") + style % 26)


class _Canvas:
    """Dots: in braille two by four to a character, in ASCII one."""

    def __init__(self, columns: int, rows: int, ascii: bool) -> None:
        self.ascii, self.columns, self.rows = ascii, columns, rows
        self.wide, self.high = (1, 1) if ascii else (2, 4)
        self.dots = [[0] * columns for _ in range(rows)]
        self.styles = [[0] * columns for _ in range(rows)]

    def draw(self, line: Line, axis: Scale, end: float, dashed: bool) -> None:
        """Join the values of a line from left to right."""
        width, before = self.columns * self.wide, None
        on, off = _DASHES[line.style % len(_DASHES)] if dashed and not self.ascii else (1, 0)
        for x in range(width):
            found = line.extremes(x * end / width, (x + 1) * end / width)
            if found is None:
                continue
            bottom, top = (self._row(axis.share(value)) for value in found)
            if before is not None:  # join it to the column in front
                bottom, top = max(bottom, before - 1), min(top, before + 1)
            if x % (on + off) < on:
                for y in range(top, bottom + 1):
                    self._put(x, y, line.style)
            before = self._row(axis.share(line.at(math.nextafter((x + 1) * end / width, 0))))

    def _row(self, share: float) -> int:
        return round((1 - share) * (self.rows * self.high - 1))

    def _put(self, x: int, y: int, style: int) -> None:
        column, row = x // self.wide, y // self.high
        self.dots[row][column] |= 1 if self.ascii else _DOTS[y % 4][x % 2]
        self.styles[row][column] = style

    def text(self, row: int, colour: bool) -> str:
        """One line of text."""
        cells, last = "", None
        for dots, style in zip(self.dots[row], self.styles[row], strict=True):
            if colour and dots and style != last:
                cells += f"\x1b[{_COLOURS[style % len(_COLOURS)]}m"
                last = style
            if self.ascii:
                cells += _ASCII_DOTS[style % len(_ASCII_DOTS)] if dots else " "
            else:
                cells += chr(0x2800 + dots) if dots else " "
        return cells + ("\x1b[0m" if last is not None else "")


# ---------------------------------------------------------------------------------------- below the panels


def _axis(picture: Picture, left: int, columns: int, ascii: bool) -> Iterator[str]:
    """The line under the panels, what happens on it, and the numbers of updates and of epochs."""
    corner, flat, tick = "+-+" if ascii else "└─┬"
    room = max(columns // 12, 3)
    ticks = [(one, one) for one in scale.round_numbers(0, picture.end, room)]
    places = {_column(x, picture.end, columns) for x, _ in ticks}
    yield " " * (left - 1) + corner + "".join(tick if i in places else flat for i in range(columns))
    lines = [line for panel in picture.panels[:1] for line in panel.lines]
    if len(lines) == 1 and lines[0].marks:
        marked = {_column(mark.x, picture.end, columns) for mark in lines[0].marks}
        yield " " * left + "".join("^" if i in marked else " " for i in range(columns))
    yield _numbers(ticks, picture, left, columns, f"{picture.unit}s")
    epochs = scale.epoch_ticks(picture, room)
    if epochs:
        yield _numbers(epochs, picture, left, columns, "epochs")


def _column(x: float, end: float, columns: int) -> int:
    return min(int(x / end * columns), columns - 1)


def _numbers(ticks: Iterable[tuple[float, float]], picture: Picture, left: int, columns: int, unit: str) -> str:
    """Numbers under their ticks, and what they count at the end of the line; a number that has no room is left out."""
    row = [" "] * (left + columns + 1)
    last = len(row) - len(unit) - 1
    for x, amount in ticks:
        text = scale.count(amount)
        start = left + _column(x, picture.end, columns) - (len(text) - 1) // 2
        if start + len(text) <= last and all(one == " " for one in row[start - 1 : start + len(text) + 1]):
            row[start : start + len(text)] = text
    row[len(row) - len(unit) :] = unit
    return "".join(row)


def _legend(picture: Picture, width: int, colour: bool, ascii: bool) -> Iterator[str]:
    """The name of every line where there are several, and what happens on it."""
    first = picture.panels[0].lines
    for _, line in sorted({line.style: line for panel in reversed(picture.panels) for line in panel.lines}.items()):
        words = happenings(line) if line in first else ""
        if len(picture.labels) > 1:
            yield from _folded(f"{_swatch(line.style, colour, ascii)} {line.label}", words, width)
        elif words:
            yield from _folded("^", words, width)
    for note in picture.notes:
        yield from textwrap.wrap(note, width)


def happenings(line: Line) -> str:
    """What happens on a line, in words: ``warmup ends 500, restart 3519, 10557``."""
    found: dict[str, list[str]] = {}
    for mark in line.marks:
        found.setdefault(mark.word, []).append(scale.count(mark.x))
    return ", ".join(f"{word} {', '.join(where)}" for word, where in found.items())


def _swatch(style: int, colour: bool, ascii: bool) -> str:
    """What a line looks like."""
    if ascii:
        return f"{_ASCII_DOTS[style % len(_ASCII_DOTS)]} {_letter(style)}"
    if colour:
        return f"\x1b[{_COLOURS[style % len(_COLOURS)]}m⠤⠤⠤\x1b[0m"
    on, off = _DASHES[style % len(_DASHES)]
    dots = [x % (on + off) < on for x in range(6)]
    cells = [(0x04 if a else 0) | (0x20 if b else 0) for a, b in zip(dots[::2], dots[1::2], strict=True)]
    return "".join(chr(0x2800 + one) for one in cells) + f" {_letter(style)}"


def _folded(front: str, words: str, width: int) -> list[str]:
    """Words behind what stands in front of them, in lines of the width."""
    shown = re.sub("\x1b.*?m", "", front)
    lines = textwrap.wrap(f"{shown}  {words}".rstrip() if words else shown, width, subsequent_indent="  ")
    return [lines[0].replace(shown, front, 1) if lines[0].startswith(shown) else lines[0], *lines[1:]]
