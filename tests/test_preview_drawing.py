"""Pictures as SVG and by matplotlib: every value in its place, the same bytes every time, readable in grey."""

from __future__ import annotations

import itertools
import re
import runpy
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_hex

import lr_configs
from lr_configs import Horizon, SchedulerConfigError, available, curve
from lr_configs.preview import figure, style, svg
from lr_configs.preview.arrangement import CHARACTER, arrange, spread
from lr_configs.preview.examples import RUN, example
from lr_configs.preview.picture import Line, Mark, Panel, Picture
from lr_configs.preview.scale import number
from lr_configs.preview.series import Subject, labelled, picture

LONG = Horizon(epochs=90, steps_per_epoch=391)
STAGES = {"up": {"name": "linear", "total_iters": "100%", "length": "5%"}, "down": {"name": "cosine", "eta_min": 1e-5}}
THREE = picture(
    [
        Subject("one_cycle", LONG, label="one_cycle"),
        Subject({"name": "sequential", "stages": STAGES}, LONG, label="two stages"),
        Subject(
            {"name": "linear", "param": "weight_decay", "total_iters": "100%", "end_factor": 10.0},
            LONG,
            [0.04],
            label="wd",
        ),
    ],
    title="three of them",
)
NAME = "{http://www.w3.org/2000/svg}"


def stairs(path: str) -> list[tuple[float, float]]:
    """The corners of a path of M, L, H and V."""
    x = y = 0.0
    found = []
    for letter, numbers in re.findall(r"([MLHV])([-\d. ]+)", path):
        parts = [float(one) for one in numbers.split()]
        x = parts[0] if letter in "MLH" else x
        y = parts[-1] if letter in "MLV" else y
        found.append((x, y))
    return found


def lines_of(text: str) -> list[list[tuple[float, float]]]:
    root = ElementTree.fromstring(text)
    return [stairs(one.get("d", "")) for one in root.iter(f"{NAME}path") if one.find(f"{NAME}title") is not None]


@pytest.mark.parametrize("log", [False, True])
def test_the_lines_of_an_svg_are_where_their_values_are(log: bool) -> None:
    placed = arrange(THREE, log=log)
    drawn = iter(lines_of(svg.chart(THREE, log=log)))
    for one in placed.panels:
        for line in reversed(one.panel.lines):
            corners = next(drawn)
            assert corners[0] == pytest.approx((one.box.x(line.x[0]), one.box.y(line.y[0])), abs=0.06)
            assert corners[-1] == pytest.approx((one.box.x(line.end), one.box.y(line.last)), abs=0.06)
            for x, y in zip(line.x, line.y, strict=True):
                place = one.box.x(x), one.box.y(y)
                assert min(abs(place[0] - a) + abs(place[1] - b) for a, b in corners) < 1.3, (x, y)
    assert next(drawn, None) is None


def test_stairs_hold_their_values() -> None:
    shown = Picture((Panel("lr", (Line("a", [0, 10, 20], [1.0, 0.5, 0.25], 40),)),), "update", 40)
    (corners,) = lines_of(svg.chart(shown))
    box = arrange(shown).panels[0].box
    wanted = [(0, 1.0), (10, 1.0), (10, 0.5), (20, 0.5), (20, 0.25), (40, 0.25)]
    assert corners == pytest.approx([pytest.approx((box.x(x), box.y(y)), abs=0.06) for x, y in wanted])


@pytest.mark.parametrize("name", available())
def test_every_schedule_is_drawn_inside_of_its_picture(name: str) -> None:
    shown = picture([Subject(example(name), RUN)])
    for text in (svg.chart(shown), svg.chart(shown, 400, 250, log=True), svg.thumbnail(shown)):
        root = ElementTree.fromstring(text)
        width, height = (float(root.get(side, "0")) for side in ("width", "height"))
        for corners in lines_of(text):
            assert all(0 <= x <= width and 0 <= y <= height for x, y in corners)
        for one in root.iter(f"{NAME}text"):
            x, y, size = float(one.get("x", "0")), float(one.get("y", "0")), len(one.text or "") * CHARACTER
            start = x - size * {"middle": 0.5, "end": 1.0}.get(one.get("text-anchor", ""), 0.0)
            assert start > -8
            assert start + size < width + 8
            assert 0 < y <= height


def test_words_do_not_lie_on_each_other() -> None:
    marks = tuple(Mark(float(x), 0.1, f"what happens at {x}") for x in range(0, 100, 5))
    lines = tuple(Line(f"line {i}", [0], [0.1 + i * 1e-4], 100, marks if i == 0 else (), i) for i in range(9))
    placed = arrange(Picture((Panel("lr", lines),), "update", 100))
    words = placed.panels[0].words
    assert len(words) >= 8
    for row in {word.y for word in words}:
        here = sorted(word.x for word in words if word.y == row)
        assert all(b - a >= 17 * CHARACTER for a, b in itertools.pairwise(here))
    ends = sorted(word.y for word in placed.panels[0].ends)
    assert len(ends) == len({word.text for word in placed.panels[0].ends})
    assert all(b - a >= 12.9 for a, b in itertools.pairwise(ends))
    legend = [(word.x, word.y, len(word.text) * CHARACTER) for word in placed.legend]
    assert len({y for _, y, _ in legend}) == 2
    assert all(x + size <= 720 for x, _, size in legend)


def test_equal_last_values_are_written_once() -> None:
    lines = (Line("a", [0], [0.1], 9, style=0), Line("b", [0], [0.1], 9, style=1), Line("c", [0], [0.2], 9, style=2))
    assert [word.text for word in arrange(Picture((Panel("lr", lines),), "update", 9)).panels[0].ends] == ["0.2", "0.1"]


def test_places_are_spread_no_further_than_they_must() -> None:
    assert spread([("a", 5.0)], 10, 0, 100) == [("a", 5.0)]
    assert spread([("b", 50.0), ("a", 20.0)], 10, 0, 100) == [("a", 20.0), ("b", 50.0)]
    found = spread([(i, 99.0) for i in range(4)], 10, 0, 100)
    assert [place for _, place in found] == [70, 80, 90, 100]
    assert spread([(i, 50.0) for i in range(4)], 50, 0, 100)[0] == (0, 0)
    # What is pushed away from an edge pushes what it meets.
    assert spread([(0, 80.0), (1, 99.0), (2, 99.0), (3, 99.0)], 10, 0, 100) == [(0, 70), (1, 80), (2, 90), (3, 100)]


@given(st.lists(st.integers(-50, 350), max_size=20), st.sampled_from([(0.0, 300.0), (20.0, 90.0)]))
def test_places_are_the_nearest_that_do_not_lie_on_each_other(wanted: list[int], ends: tuple[float, float]) -> None:
    """With the gaps taken out they may not fall: the nearest such numbers, by the formula of isotonic regression."""
    low, high = ends
    free = [y - 13 * k for k, y in enumerate(sorted(wanted))]
    n = len(free)
    rising = [max(min(sum(free[i:j]) / (j - i) for j in range(k + 1, n + 1)) for i in range(k + 1)) for k in range(n)]
    places = [max(min(y, high - 13 * (n - 1)), low) + 13 * k for k, y in enumerate(rising)]
    found = spread([(y, float(y)) for y in wanted], 13, low, high)
    assert [y for y, _ in found] == sorted(wanted)
    assert [place for _, place in found] == pytest.approx(places)


def arranged(**size: int) -> tuple[Any, ...]:
    """Two panels with all that there can be around them, in short: text, x and y; boxes as left, top, width, height."""
    marks = [
        (2, "up"),
        (3, "down again"),
        (4, "restart"),
        (6, "restart"),
        (10, "end"),
        (10, "a last one"),
        (19.9, "edge"),
    ]
    first = Line("first of them", [0, 10], [0.5, 0.1], 20, tuple(Mark(x, 0.1, word) for x, word in marks))
    others = Line("second", [0], [0.11], 20, style=1), Line("third, of a long name", [0], [0.1], 20, style=2)
    momentum = Line("first of them", [0], [0.95], 20, (Mark(5, 0.95, "top"), Mark(12, 0.95, "down")))
    panels = Panel("lr", (first, *others)), Panel("momentum", (momentum, Line("second", [0], [0.85], 20, style=1)))
    shown = Picture(panels, "update", 20, "a title", ((0, 0), (10, 1), (20, 2)), 0, ("one note", "another"))
    placed = arrange(shown, **size)

    def short(words: Any) -> list[tuple[str, float, float]]:
        return [(one.text, round(one.x, 2), round(one.y, 2)) for one in words if one is not None]

    boxes = [(one.box.left, one.box.top, one.box.width, one.box.height) for one in placed.panels]
    written = [short([*one.words, *one.ends]) for one in placed.panels]
    ticks = [(x, None if word is None else word.text) for _, row in placed.ticks for x, word in row]
    below = [short([unit, *(word for _, word in row)]) for unit, row in placed.ticks]
    around = short([placed.title, *placed.legend, *placed.notes])
    return (placed.width, placed.height), around, boxes, written, below, ticks


def test_everything_has_its_place() -> None:
    size, around, boxes, written, below, ticks = arranged()
    # A character is 6.96 wide. From the top: a margin of 8, rows of 16, a first panel of 230 and a second one of 90.
    assert size == (720, 512)
    legend = [("first of them", 42, 40), ("second", 180.48, 40), ("third, of a long name", 270.24, 40)]
    assert around == [("a title", 360, 20), *legend, ("one note", 8, 488), ("another", 8, 504)]
    assert boxes == [(44, 86, 632, 230), (44, 350, 632, 90)]
    # What has no room in the first row stands above it, and at the edges inside of them.
    assert written == [
        [
            ("up", 107.2, 80), ("down again", 138.8, 66), ("restart", 170.4, 80), ("end", 360, 80), ("a last one", 360, 66),
            ("edge", 662.08, 80), ("0.11", 681, 265.2), ("0.1", 681, 278.2),
        ],
        [("top", 202, 344), ("down", 423.2, 344), ("0.95", 681, 361.5), ("0.85", 681, 436.5)],
    ]  # fmt: skip
    updates = [("0", 44, 456), ("5", 202, 456), ("10", 360, 456), ("15", 518, 456)]
    assert below == [
        [("updates", 712, 456), *updates],  # 20 would touch the word
        [("epochs", 712, 472), ("0", 44, 472), ("1", 360, 472)],
    ]
    assert ticks == [(0, "0"), (5, "5"), (10, "10"), (15, "15"), (20, None), (0, "0"), (10, "1"), (20, None)]


def test_everything_has_its_place_in_a_smaller_picture() -> None:
    size, around, boxes, written, below, _ = arranged(width=400, height=400)
    assert size == (400, 400)
    legend = [("first of them", 42, 40), ("second", 180.48, 40), ("third, of a long name", 42, 56)]
    assert around == [("a title", 200, 20), *legend, ("one note", 8, 376), ("another", 8, 392)]
    # 192 are left to the two panels.
    assert boxes == [(44, 102, 312, 138), (44, 274, 312, 54)]
    assert [word for words in written for word, _, _ in words] == [
        "up", "down again", "end", "a last one", "edge", "0.11", "0.1", "top", "down", "0.95", "0.85",
    ]  # fmt: skip
    assert [[word for word, _, _ in row] for row in below] == [["updates", "0", "10"], ["epochs", "0", "1"]]
    # However little there is, two panels have 80.
    assert [box[-1] for box in arranged(height=100)[2]] == [58, 22]


def test_what_happens_is_drawn_and_named() -> None:
    root = ElementTree.fromstring(svg.chart(THREE))
    titles = [one.findtext(f"{NAME}title") for one in root.iter(f"{NAME}circle")]
    assert titles == ["one_cycle: top 10556", "two stages: up 0", "two stages: down 1760"]
    words = [one.text for one in root.iter(f"{NAME}text")]
    assert {"three of them", "top", "up", "down", "lr", "weight_decay", "momentum", "updates", "epochs", "wd"} <= set(
        words
    )
    assert {number(line.last) for panel in THREE.panels for line in panel.lines} <= set(words)


def test_a_light_and_a_dark_theme_with_a_ground_of_their_own() -> None:
    text = svg.chart(THREE)
    assert "@media(prefers-color-scheme:dark)" in text
    assert text.index(style.GROUND[0]) < text.index("@media") < text.index(style.GROUND[1])
    assert re.search(r'<rect class="ground" width="720" height="\d', text)


def test_the_pictures_of_the_documentation_are_those_of_today() -> None:
    docs = Path(__file__).parents[1] / "docs"
    made = dict(runpy.run_path(str(docs / "pictures.py"))["pictures"]())
    assert {str(path.relative_to(docs)) for path in docs.glob("curves/*.svg")} == {file for file in made if "/" in file}
    for file, text in made.items():
        assert (docs / file).read_text(encoding="utf-8") == text, f"{file}: make docs"


def brightness(colour: str) -> float:
    """Relative luminance (WCAG 2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("i", [0, 1])
def test_lines_and_words_can_be_read_on_their_ground(i: int) -> None:
    ground = brightness(style.GROUND[i])
    for colour in (*(pair[i] for pair in style.COLOURS), style.INK[i]):
        lighter, darker = sorted((brightness(colour), ground), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, colour


def test_lines_differ_without_colour() -> None:
    assert len(set(style.DASHES)) == len(style.COLOURS)
    looks = [(style.colour(i), style.dash(i)) for i in range(40)]
    assert len(set(looks)) == 40


def test_what_people_write_is_text() -> None:
    bad = '</svg><script>"&'
    line = Line(bad, [0], [0.1], 9, (Mark(0, 0.1, bad),))
    shown = Picture((Panel(bad, (line,)),), "update", 9, bad, notes=(bad,))
    root = ElementTree.fromstring(svg.chart(shown))
    assert [one.text for one in root.iter(f"{NAME}text")].count(bad) == 4
    assert root.get("aria-label") == bad
    assert not list(root.iter("script"))


# --- matplotlib -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("log", [False, True])
def test_a_figure_has_the_values(log: bool) -> None:
    drawn = figure.figure(THREE, log=log)
    assert [axes.get_ylabel() for axes in drawn.axes] == ["lr", "weight_decay", "momentum"]
    assert [axes.get_yscale() for axes in drawn.axes] == ["log" if log else "linear", "linear", "linear"]
    for axes, panel in zip(drawn.axes, THREE.panels, strict=True):
        assert axes.get_xlim() == (0, 35190)
        for line in panel.lines:
            shown = next(one for one in axes.lines if one.get_label() == line.label)
            low = axes.get_ylim()[0]
            assert shown.get_xdata().tolist() == [*line.x, line.end]
            assert shown.get_ydata().tolist() == [max(y, low) for y in [*line.y, line.last]]
            assert shown.get_drawstyle() == ("default" if line.thinned else "steps-post")


NOTED = replace(THREE, notes=("a note", "another one"))


def test_a_figure_says_what_an_svg_says() -> None:
    """All words at the same pixels, from the same side, in the same colour and hand."""
    placed, drawn = arrange(NOTED), figure.figure(NOTED)
    sides = {None: "left", "middle": "center", "end": "right"}
    said, beside = [], []
    for one in ElementTree.fromstring(svg.chart(NOTED)).iter(f"{NAME}text"):
        if one.get("text-anchor") == "end" and one.get("font-style") is None:
            beside.append(one.text)  # the axis; there matplotlib puts them
            continue
        colour = style.colour(int(one.get("class", "")[1:])) if one.get("class") else style.INK[0]
        look = colour, one.get("font-style", "normal"), one.get("font-weight") is not None
        at = [pytest.approx(float(one.get(side, "")), abs=0.06) for side in "xy"]
        said.append((one.text, sides[one.get("text-anchor")], *look, at))
    written = []
    for text in drawn.texts:
        x, y = text.get_position()
        look = text.get_color(), text.get_style(), text.get_weight() == "bold"
        written.append((text.get_text(), text.get_ha(), *look, [x * placed.width, (1 - y) * placed.height]))
        assert (text.get_va(), text.get_fontsize()) == ("baseline", 9)  # 12 pixels
    assert len(written) == len(said)
    assert all(one in written for one in said)
    assert [tick.get_text() for axes in drawn.axes for tick in axes.get_yticklabels()] == beside


def test_a_figure_has_the_swatches_and_ticks_of_an_svg() -> None:
    placed, drawn = arrange(NOTED), figure.figure(NOTED)
    root, wanted = ElementTree.fromstring(svg.chart(NOTED)), []
    for one in root.iter(f"{NAME}path"):
        short = re.fullmatch(r"M([\d.]+) ([\d.]+)([hv])(-?[\d.]+)", one.get("d", ""))
        if short:
            x, y, size = float(short[1]), float(short[2]), float(short[4])
            end = (x + size, y) if short[3] == "h" else (x, y + size)
            colour = style.INK[0] if one.get("class") == "axis" else style.colour(len(wanted))  # the legend comes first
            wanted.append((colour, pytest.approx([x, end[0], y, end[1]], abs=0.06)))
    found = [
        (
            line.get_color(),
            [*np.multiply(line.get_xdata(), placed.width), *((1 - y) * placed.height for y in line.get_ydata())],
        )
        for line in drawn.artists
    ]
    assert found == wanted
    assert [line.get_linewidth() for line in drawn.artists] == [pytest.approx(1.2)] * 3 + [0.8] * (len(wanted) - 3)


@pytest.mark.parametrize("log", [False, True])
def test_the_looks_of_a_figure(log: bool) -> None:
    """As in an SVG, in points: three of them are four pixels."""
    placed, drawn = arrange(THREE, log=log), figure.figure(THREE, log=log)
    assert (*drawn.get_size_inches() * 96, drawn.dpi) == (720, placed.height, 96)
    assert drawn.get_facecolor() == (1, 1, 1, 1)
    for axes, one in zip(drawn.axes, placed.panels, strict=True):
        box = one.box
        left, bottom, width, height = axes.get_position().bounds
        pixels = left * 720, (1 - bottom) * placed.height, width * 720, height * placed.height
        assert pixels == pytest.approx((box.left, box.bottom, box.width, box.height))
        assert (axes.get_ylim(), axes.get_facecolor()) == (box.axis.ends, (0, 0, 0, 0))
        assert (axes.yaxis.label.get_visible(), axes.get_axisbelow()) == (False, True)
        assert (list(axes.get_xticks()), list(axes.yaxis.get_minor_ticks())) == ([], [])
        assert axes.get_yticks().tolist() == box.ticks()
        for tick in axes.yaxis.get_major_ticks():
            label, grid = tick.label1, tick.gridline
            assert (label.get_color(), label.get_fontsize(), tick.get_pad()) == (style.INK[0], 9, 3)
            assert (grid.get_visible(), grid.get_color()) == (True, style.GRID[0])
            assert (grid.get_linewidth(), tick.tick1line.get_markersize()) == (pytest.approx(0.6), 0)
        for side, spine in axes.spines.items():
            assert spine.get_visible() == (side in ("left", "bottom"))
            assert (to_hex(spine.get_edgecolor()), spine.get_linewidth()) == (style.INK[0], 0.8)
        lines = list(reversed(one.panel.lines))  # the first one lies on top
        for line, stairs, dots in zip(lines, axes.lines[::2], axes.lines[1::2], strict=True):
            colour = style.colour(line.style)
            assert (stairs.get_color(), stairs.get_clip_on(), stairs.is_dashed()) == (colour, False, line.style > 0)
            assert stairs.get_linewidth() == pytest.approx(1.2)
            assert dots.get_xydata().tolist() == [[mark.x, max(mark.y, box.axis.low)] for mark in line.marks]
            assert (dots.get_marker(), dots.get_markersize(), dots.get_linestyle()) == ("o", pytest.approx(3.9), "None")
            assert (dots.get_markerfacecolor(), dots.get_markeredgecolor()) == (style.GROUND[0], colour)
            assert (dots.get_zorder(), dots.get_clip_on()) == (3, False)
        rules = [rule for drawn_lines in axes.collections for rule in drawn_lines.get_segments()]
        named = [(word.mark.x, word.mark.y) for word in one.words if word.mark is not None]
        assert [rule.tolist() for rule in rules] == [[[x, max(y, box.axis.low)], [x, box.axis.high]] for x, y in named]
        for rule in axes.collections:
            assert (to_hex(rule.get_color()), rule.get_linewidth()) == (style.INK[0], 0.8)
            ((_, dash),) = rule.get_linestyle()
            assert dash == pytest.approx([0.8, 2.4])
    for i in range(9):
        dashes = figure._stroke(i)["linestyle"]
        pixels = [] if dashes == "-" else [length * 1.6 for length in dashes[1]]
        assert pixels == pytest.approx([float(length) for length in style.dash(i).split()])


@pytest.mark.parametrize(("kind", "begins"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_a_file_is_the_same_every_time(kind: str, begins: bytes) -> None:
    files = [figure.save(figure.figure(THREE), kind) for _ in range(2)]
    assert files[0] == files[1]
    assert files[0].startswith(begins)


def test_a_file_is_twice_as_fine_as_a_page() -> None:
    header = figure.save(figure.figure(THREE), "png")[16:24]
    assert struct.unpack(">II", header) == (1440, 2 * arrange(THREE).height)


def test_a_picture_in_grey_still_tells_lines_apart() -> None:
    import io

    import matplotlib.image

    shown = picture([Subject("cosine", LONG, label="a"), Subject({"name": "cosine", "T_max": "50%"}, LONG, label="b")])
    pixels = matplotlib.image.imread(io.BytesIO(figure.save(figure.figure(shown), "png")), format="png")
    grey = pixels[..., :3] @ np.array([0.2126, 0.7152, 0.0722])
    box = arrange(shown).panels[0].box
    # Along the first line there is no gap; along the second one there are many.
    gaps = []
    for line in shown.panels[0].lines:
        xs = np.linspace(0.05, 0.45, 400) * shown.end
        at = [(round(box.y(line.at(x)) * 2), round(box.x(x) * 2)) for x in xs]
        dark = [grey[y - 2 : y + 3, x].min() < 0.6 for y, x in at]
        gaps.append(400 - sum(dark))
    assert gaps[0] < 5
    assert gaps[1] > 60


def test_a_dollar_is_no_formula() -> None:
    shown = Picture(
        (Panel("lr", (Line("$a", [0], [0.1], 9), Line("b$", [0], [0.2], 9, style=1))),), "update", 9, "$x$ _y^"
    )
    assert figure.save(figure.figure(shown), "png")


BLOCKED = """
import sys
sys.modules["matplotlib"] = None
import lr_configs
try:
    lr_configs.plot("no such schedule", horizon=lr_configs.Horizon(epochs=3))
except lr_configs.SchedulerConfigError as error:
    print(error)
"""


def test_a_missing_matplotlib_is_named_before_the_work() -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True, check=True)
    assert "not installed" in done.stdout
    assert "pip install 'lr_configs[plot]'" in done.stdout


# --- from Python ------------------------------------------------------------------------------------------------------


def test_plot_draws_what_trains() -> None:
    drawn = lr_configs.plot({"name": "cosine", "warmup": "10%"}, horizon=RUN, base_lr=0.4)
    (line,) = [one for one in drawn.axes[0].lines if one.get_label() == "cosine"]
    values = curve({"name": "cosine", "warmup": "10%"}, 0.4, RUN)
    assert np.interp(np.arange(690), line.get_xdata(), line.get_ydata()) == pytest.approx(values, rel=1e-9)


@pytest.mark.parametrize(
    ("given", "labels"),
    [
        ("step", ["step"]),
        (["step", "cosine"], ["step", "cosine"]),
        ({"a": "step", "b": {"name": "cosine"}}, ["a", "b"]),
        ([{"name": "step", "gamma": 0.5}, {"name": "step", "gamma": 0.1, "warmup": "5%"}], ["step warmup=0 gamma=0.5", "step warmup=5% gamma=0.1"]),
        (lr_configs.registry.parse("rex"), ["rex"]),
    ],
)  # fmt: skip
def test_labels_name_what_differs(given: Any, labels: list[str]) -> None:
    assert [set(label.split()) for label, _ in labelled(given)] == [set(label.split()) for label in labels]


def test_a_second_panel_in_a_notebook_has_room_of_its_own() -> None:
    def height(name: str) -> int:
        text = lr_configs.registry.parse(name)._repr_svg_()
        return int(float(str(ElementTree.fromstring(text).get("height"))))

    assert height("one_cycle") == height("cosine") + 80


def test_a_config_shows_itself_in_a_notebook() -> None:
    text = lr_configs.registry.parse({"name": "cosine", "warmup": "500st", "T_max": "200ep"})._repr_svg_()
    root = ElementTree.fromstring(text)
    assert root.get("aria-label") == "cosine"
    words = [one.text for one in root.iter(f"{NAME}text")]
    assert "a run of 200 epochs with 100 updates each, from a base of 1" in words
    assert {"warmup ends", "lr", "epochs"} <= set(words)


@pytest.mark.parametrize("name", available())
def test_every_config_shows_itself(name: str) -> None:
    assert ElementTree.fromstring(lr_configs.registry.parse(example(name))._repr_svg_()).get("aria-label") == name


def test_a_config_that_fits_no_such_run_shows_its_text() -> None:
    above_the_base = lr_configs.registry.parse({"name": "cosine", "eta_min": 2.0})
    assert above_the_base._repr_svg_() is None
    assert lr_configs.registry.parse({"name": "step", "step_size": 30, "eta_min": [0.1, 0.2]})._repr_svg_() is None


def test_plot_takes_a_metric() -> None:
    node = {"name": "reduce_on_plateau", "monitor": "loss", "patience": 0, "factor": 0.5}
    drawn = lr_configs.plot(node, horizon=Horizon(epochs=4), metric=[1.0, 1.0, 1.0])
    (line,) = [one for one in drawn.axes[0].lines if one.get_label() == "reduce_on_plateau"]
    assert line.get_ydata().tolist() == [0.1, 0.05, 0.025, 0.025]
    assert line.get_xdata().tolist() == [0, 2, 3, 4]


def test_plot_refuses_what_does_not_fit() -> None:
    with pytest.raises(SchedulerConfigError, match="no such schedule"):
        lr_configs.plot("cosin", horizon=RUN)
    with pytest.raises(SchedulerConfigError, match="a rate is a finite number"):
        lr_configs.plot("cosine", horizon=RUN, base_lr=-1)
    for nothing in ([], {}):
        with pytest.raises(SchedulerConfigError, match="there is nothing to draw"):
            lr_configs.plot(nothing, horizon=RUN)
