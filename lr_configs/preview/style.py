"""How lines are told apart: colours that are read on white and on black, and dashes, which grey leaves."""

from __future__ import annotations

#: for each style the colour on a light and on a dark ground; their lightness differs too
COLOURS = (
    ("#0b4aa2", "#7db4ff"),
    ("#c2410c", "#ff9f5a"),
    ("#247a35", "#7bd88f"),
    ("#862e9c", "#d6a2ee"),
    ("#0b7285", "#66d9e8"),
    ("#c2255c", "#ff8ab5"),
    ("#846a00", "#e6c84f"),
    ("#495057", "#c1c8cf"),
)
#: lengths drawn and left out, in pixels; the first line is whole
DASHES = ("", "7 3", "2 2", "9 3 2 3", "12 4", "5 2 1 2 1 2", "4 5", "1 4")
#: text and axes, a fainter grid, and the ground, on a light and on a dark page
INK, GRID, GROUND = ("#24292f", "#d7dade"), ("#d8dce0", "#3a4048"), ("#ffffff", "#15181c")


def colour(style: int, *, dark: bool = False) -> str:
    """The colour of a line."""
    return COLOURS[style % len(COLOURS)][dark]


def dash(style: int) -> str:
    """The dashes of a line; a second round of colours has others than the first."""
    return DASHES[(style + style // len(COLOURS)) % len(DASHES)]
