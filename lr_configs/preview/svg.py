"""Pictures as SVG, without a library: for files, notebooks and the documentation.

They follow the reader's light or dark theme, and bring their own ground, so that they can be read on any page. The same picture
gives the same text.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from html import escape

from lr_configs.preview import scale, style
from lr_configs.preview.arrangement import MARGIN, SIZE, SWATCH, Arranged, Arrangement, Box, Words, arrange
from lr_configs.preview.picture import Line, Picture
from lr_configs.preview.scale import Scale

FONT = "system-ui, sans-serif"
#: around a small picture
_EDGE = 4


def chart(picture: Picture, width: int = 720, height: int | None = None, *, log: bool = False) -> str:
    """A picture with axes, legend, marks, and the last value at every line's end.

    Args:
        picture: what it shows.
        width: pixels.
        height: pixels; None is what its panels need.
        log: a logarithmic axis for the rates.

    Returns:
        An ``<svg>`` element.
    """
    placed = arrange(picture, width, height, log=log)
    label = picture.title or ", ".join(picture.labels)
    return _whole(placed.width, placed.height, list(_drawn(placed)), label, _styles(picture))


def thumbnail(picture: Picture, width: int = 230, height: int = 76) -> str:
    """A picture as small as an icon: the lines of the first panel, and its axes.

    Args:
        picture: what it shows.
        width: pixels.
        height: pixels.

    Returns:
        An ``<svg>`` element.
    """
    lines = picture.panels[0].lines
    top = max(max(line.y) for line in lines) or 1.0
    box = Box(_EDGE, _EDGE, width - 2 * _EDGE, height - 2 * _EDGE, Scale(-0.08 * top, top * 1.08), picture.end)
    body = [_axes(box), *(_path(line, box) for line in reversed(lines))]
    return _whole(width, height, body, ", ".join(line.label for line in lines), _styles(picture))


def _n(value: float) -> str:
    """A coordinate, to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")


def _path(line: Line, box: Box) -> str:
    """A line; what a tenth of a pixel does not tell apart is left out."""
    at = [(_n(box.x(x)), _n(box.y(y))) for x, y in zip(line.x, line.y, strict=True)]
    steps = "".join(_joined(at) if line.thinned else _stairs(at))
    return (
        f'<path class="l c{_class(line.style)}" d="{steps}H{_n(box.x(line.end))}"{_dashes(line.style)}>'
        f"<title>{escape(line.label)}</title></path>"
    )


def _stairs(at: Sequence[tuple[str, str]]) -> Iterator[str]:
    x, y = at[0]
    yield f"M{x} {y}"
    for new_x, new_y in at[1:]:
        if new_y != y:
            yield f"H{new_x}V{new_y}" if new_x != x else f"V{new_y}"
            x, y = new_x, new_y


def _joined(at: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield f"M{at[0][0]} {at[0][1]}"
    for (x, y), (new_x, new_y) in itertools.pairwise(at):
        if new_y == y:
            yield f"H{new_x}" if new_x != x else ""
        else:
            yield f"L{new_x} {new_y}" if new_x != x else f"V{new_y}"


def _class(number: int) -> int:
    return number % len(style.COLOURS)


def _dashes(number: int) -> str:
    dash = style.dash(number)
    return f' stroke-dasharray="{dash}"' if dash else ""


# ---------------------------------------------------------------------------------------- the whole


def _styles(picture: Picture) -> list[int]:
    """The classes of the lines, each once."""
    return sorted({_class(line.style) for panel in picture.panels for line in panel.lines})


def _whole(width: float, height: float, body: Sequence[str], label: str, styles: Sequence[int]) -> str:
    """The element with its theme; its classes are inside of one of its own, which a page's other elements have not."""
    size = f'width="{_n(width)}" height="{_n(height)}" viewBox="0 0 {_n(width)} {_n(height)}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="lr-configs" {size} role="img" aria-label="{escape(label)}" '
        f'font-family="{FONT}" font-size="{SIZE}"><style>{_css(styles)}</style>'
        f'<rect class="ground" width="{_n(width)}" height="{_n(height)}"/>{"".join(body)}</svg>\n'
    )


def _css(styles: Sequence[int]) -> str:
    light, dark = (_theme(i, styles) for i in range(2))
    return (
        ".lr-configs .l{fill:none;stroke-width:1.6;stroke-linejoin:round}.lr-configs .axis{fill:none}"
        ".lr-configs .dot{stroke-width:1.4}.lr-configs .rule{stroke-dasharray:1 3;fill:none}"
        f"{light}@media(prefers-color-scheme:dark){{{dark}}}"
    )


def _theme(i: int, styles: Sequence[int]) -> str:
    ink, grid, ground = style.INK[i], style.GRID[i], style.GROUND[i]
    lines = "".join(
        f".lr-configs .c{k}{{stroke:{style.COLOURS[k][i]}}}.lr-configs .t{k}{{fill:{style.COLOURS[k][i]}}}"
        for k in styles
    )
    return (
        f".lr-configs .ground{{fill:{ground}}}.lr-configs text{{fill:{ink}}}.lr-configs .axis,.lr-configs .rule{{stroke:{ink}}}"
        f".lr-configs .grid{{stroke:{grid}}}.lr-configs .dot{{fill:{ground}}}{lines}"
    )


def _axes(box: Box) -> str:
    return f'<path class="axis" d="M{_n(box.left)} {_n(box.top)}V{_n(box.bottom)}H{_n(box.right)}"/>'


def _text(words: Words, anchor: str = "start", more: str = "") -> str:
    anchored = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{_n(words.x)}" y="{_n(words.y)}"{anchored}{more}>{escape(words.text)}</text>'


def _coloured(words: Words, anchor: str = "start") -> str:
    return _text(words, anchor, f' class="t{_class(words.style)}"')


def _drawn(placed: Arrangement) -> Iterator[str]:
    if placed.title is not None:
        yield _text(placed.title, "middle", ' font-weight="600"')
    for words in placed.legend:
        x, y = words.x - SWATCH - 6, words.y - SIZE + 8
        yield f'<path class="l c{_class(words.style)}" d="M{_n(x)} {_n(y)}h{SWATCH}"{_dashes(words.style)}/>{_text(words)}'
    for one in placed.panels:
        yield from _panel(one)
    bottom = placed.panels[-1].box
    for i, (unit, ticks) in enumerate(placed.ticks):
        yield _text(unit, "end", ' font-style="italic"')
        for x, number in ticks:
            yield f'<path class="axis" d="M{_n(bottom.x(x))} {_n(bottom.bottom)}v{-3 if i else 3}"/>'
            yield _text(number, "middle") if number is not None else ""
    yield from map(_text, placed.notes)


def _panel(one: Arranged) -> Iterator[str]:
    box, panel = one.box, one.panel
    for tick in box.ticks():
        y = box.y(tick)
        yield f'<path class="grid" d="M{_n(box.left)} {_n(y)}H{_n(box.right)}"/>'
        yield _text(Words(scale.number(tick), box.left - 5, y + 4), "end")
    yield _axes(box)
    yield _text(Words(panel.title, MARGIN, box.top - 9), "start", ' font-style="italic"')
    for words in one.words:
        if words.mark is not None:
            x, down = _n(box.x(words.mark.x)), _n(box.y(words.mark.y))
            yield f'<path class="rule" d="M{x} {_n(box.top - 3)}V{down}"/>{_coloured(words, "middle")}'
    yield from (_path(line, box) for line in reversed(panel.lines))
    for line in panel.lines:
        yield from (
            f'<circle class="dot c{_class(line.style)}" cx="{_n(box.x(mark.x))}" cy="{_n(box.y(mark.y))}" r="2.6">'
            f"<title>{escape(f'{line.label}: {mark.word} {scale.count(mark.x)}')}</title></circle>"
            for mark in line.marks
        )
    yield from map(_coloured, one.ends)
