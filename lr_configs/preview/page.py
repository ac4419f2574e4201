"""A picture as one page that needs no network: values under the pointer, lines that can be switched off, keys for both."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

from lr_configs.preview import style
from lr_configs.preview.picture import Line, Picture
from lr_configs.preview.svg import chart

_ASSETS = Path(__file__).parent / "assets"
#: digits of values that can be read; more would only make the page larger
_DIGITS = 7


def page(picture: Picture, *, log: bool = False) -> str:
    """A self-contained HTML page.

    Args:
        picture: what it shows.
        log: begin with a logarithmic axis for the rates; the page has a button for it.
    """
    title = picture.title or ", ".join(picture.labels)
    notes = "".join(f"<p>{escape(note)}</p>\n" for note in picture.notes)
    body = (
        f"<h1>{escape(title)}</h1>\n<div id=chart></div>\n{notes}<noscript>{chart(picture, log=log)}</noscript>\n"
        f'<script type="application/json" id=data>{embedded({**data(picture), "log": log})}</script>\n'
        f"<script>{script()}\n"
        'lrChart(document.getElementById("chart"), JSON.parse(document.getElementById("data").textContent));</script>'
    )
    return document(title, body)


def document(title: str, body: str, css: str = "") -> str:
    """A whole page, with the look of all of ours; nothing that is not in it can be loaded.

    Args:
        title: of the page, as text.
        body: as HTML.
        css: more of it.
    """
    allowed = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{allowed}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}</title>\n<style>\n{stylesheet()}{css}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def data(picture: Picture) -> dict[str, Any]:
    """What ``lrChart`` of ``assets/chart.js`` draws, as plain data."""
    return {
        "title": picture.title,
        "unit": picture.unit,
        "end": picture.end,
        "epochs": [list(pair) for pair in picture.epochs],
        "bins": picture.bins,
        "colours": len(style.COLOURS),
        "dashes": [style.dash(number) for number in range(len(picture.labels))],
        "panels": [{"title": one.title, "lines": [_line(line) for line in one.lines]} for one in picture.panels],
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "label": line.label,
        "x": [_whole(x) for x in line.x],
        "y": [_short(y) for y in line.y],
        "end": line.end,
        "style": line.style,
        "thinned": line.thinned,
        "marks": [[_whole(mark.x), _short(mark.y), mark.word] for mark in line.marks],
    }


def _whole(x: float) -> float:
    return int(x) if x == int(x) else x


def _short(y: float) -> float:
    return float(f"{y:.{_DIGITS}g}")


def embedded(value: Any) -> str:
    r"""Data for a ``<script>`` element, which no text in it can end.

    >>> embedded({"label": "</script>"})
    '{"label":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def script() -> str:
    """The code of ``lrChart``."""
    return (_ASSETS / "chart.js").read_text(encoding="utf-8")


def stylesheet() -> str:
    """The look of pages and charts, on a light and on a dark screen."""
    light, dark = (_theme(i) for i in range(2))
    whole = (
        "body { margin: 0; color: var(--ink); background: var(--ground); font: 14px/1.4 system-ui, sans-serif }\n"
        "main { max-width: 960px; margin: 0 auto; padding: 1em }\nh1 { font-size: 1.2em; margin: 0 0 .5em }\n"
    )
    return (
        f":root {{ color-scheme: light dark; {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"
        + whole
        + (_ASSETS / "chart.css").read_text(encoding="utf-8")
        + "".join(
            f".c{k} {{ stroke: var(--c{k}) }} .t{k} {{ fill: var(--c{k}) !important }}\n"
            for k in range(len(style.COLOURS))
        )
    )


def _theme(i: int) -> str:
    colours = "; ".join(f"--c{k}: {pair[i]}" for k, pair in enumerate(style.COLOURS))
    return f"--ink: {style.INK[i]}; --grid: {style.GRID[i]}; --ground: {style.GROUND[i]}; {colours}"
