"""Charts in a terminal: of the width that was asked for, with every peak, in braille and in ASCII."""

from __future__ import annotations

import itertools
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lr_configs import Horizon, available
from lr_configs.preview import braille, scale
from lr_configs.preview.braille import chart, happenings, sparkline
from lr_configs.preview.examples import RUN, example
from lr_configs.preview.picture import Line, Mark, Panel, Picture, between
from lr_configs.preview.scale import Scale, around, count, epoch_ticks, number, round_numbers
from lr_configs.preview.series import Subject, picture

SEVERAL = picture(
    [
        Subject("one_cycle", RUN, label="one_cycle"),
        Subject({"name": "cosine", "warmup": "5%"}, RUN, label="cosine"),
        Subject({"name": "linear", "param": "weight_decay", "total_iters": "100%"}, RUN, [1e-5], label="weight decay"),
    ],
    title="three of them",
)


def of(y: list[float], end: float | None = None, **more: object) -> Picture:
    line = Line("one", list(range(len(y))), y, end or len(y), **more)  # type: ignore[arg-type]
    return Picture((Panel("lr", (line,)),), "update", end or len(y))


def bare(text: str) -> str:
    return re.sub("\x1b.*?m", "", text)


@pytest.mark.parametrize("width", [20, 31, 40, 80, 133])
@pytest.mark.parametrize("kind", [{}, {"ascii": True}, {"colour": True}, {"log": True}])
def test_no_line_is_wider_than_was_asked_for(width: int, kind: dict[str, bool]) -> None:
    lines = bare(chart(SEVERAL, width, **kind)).split("\n")
    assert max(map(len, lines)) <= width
    axis = next(line for line in lines if "└" in line or "++" in line)
    assert len(axis) > width / 3


@pytest.mark.parametrize("name", available())
@pytest.mark.parametrize("width", [40, 80])
def test_every_schedule_fits(name: str, width: int) -> None:
    lines = chart(picture([Subject(example(name), RUN)]), width).split("\n")
    assert max(map(len, lines)) <= width
    assert lines[0].split() == ["lr"]


def test_ascii_is_ascii_and_without_colour_there_is_no_escape() -> None:
    assert chart(SEVERAL, ascii=True).isascii()
    assert "\x1b" not in chart(SEVERAL)
    assert chart(SEVERAL, colour=True).count("\x1b[0m") >= 16
    for line in chart(SEVERAL, colour=True).split("\n"):  # a colour never runs on into the next line
        assert "\x1b[3" not in line or line.rindex("\x1b[0m") > line.rindex("\x1b[3")


PANELS = (
    Panel(
        "lr",
        (
            Line("first", [0, 2, 4, 6], [1.0, 0.5, 0.25, 0.1], 8),
            Line("second", [0, 2, 4, 6], [0.2, 0.4, 0.6, 0.8], 8, style=1),
        ),
    ),
    Panel("weight_decay", (Line("third", [0, 4], [0.0, 1e-3], 8, style=2),)),
)
NOTE = "what is to be said beside it, which takes two lines"
WHOLE = Picture(PANELS, "update", 8, "of three", ((0, 0), (4, 1), (8, 2)), notes=(NOTE,))
CHARTS = {
    "braille": (
        {},
        """
of three
      lr
      1┤⠉⠉⠉⠉⠉⠉⠉⡆
       │       ⡇             ⡖⠒ ⠒⠒ ⠒ b 0.8
    0.5┤       ⡇       ⠒⠒ ⠒⠒ ⠁
       │       ⡭⠉⠭⠭⠉⠭⠭⡆
       │⠤⠤ ⠤⠤ ⠤⠃      ⠓⠒⠒⠒⠒⠒⠒⡄       a 0.1
      0┤                     ⠓⠒⠒⠒⠒⠒⠒
weight_decay
  0.001┤              ⡏⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉ c 0.001
5.0e-04┤              ⡇
      0┤⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⠇
       └┬────────────────┬──────────
        0                5    updates
        0             1        epochs
⠤⠤⠤ a first
⠤⠤⠀ b second
⠄⠄⠄ c third
what is to be said beside it, which takes
two lines""",
    ),
    "ASCII": (
        {"ascii": True},
        """
of three
      lr
      1+*******
       |       *             ooooooo b 0.8
    0.5+       *******ooooooo
       |       ooooooo*
       |ooooooo       ************** a 0.1
      0+
weight_decay
  0.001+              ++++++++++++++ c 0.001
5.0e-04+              +
      0+++++++++++++++
       ++----------------+----------
        0                5    updates
        0             1        epochs
* a first
o b second
+ c third
what is to be said beside it, which takes
two lines""",
    ),
    "logarithmic, but for what is no rate": (
        {"log": True},
        """
of three
      lr
      1┤⠉⠉⠉⠉⠉⠉⠉⡆             ⡤⠤ ⠤⠤ ⠤ b 0.8
       │       ⣇⣀⣀⣀⣀⣀⣀ ⠒⠒ ⠒⠒ ⠁
       │       ⡖ ⠒⠒ ⠒⠒⡇
       │       ⡇      ⠧⠤⠤⠤⠤⠤⠤⡀
       │⠉⠉ ⠉⠉ ⠉              ⡇
    0.1┤                     ⣇⣀⣀⣀⣀⣀⣀ a 0.1
weight_decay
  0.001┤              ⡏⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉ c 0.001
5.0e-04┤              ⡇
      0┤⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⠇
       └┬────────────────┬──────────
        0                5    updates
        0             1        epochs
⠤⠤⠤ a first
⠤⠤⠀ b second
⠄⠄⠄ c third
what is to be said beside it, which takes
two lines""",
    ),
    "in colour": (
        {"colour": True},
        """
of three
      lr
      1┤<34>⠉⠉⠉⠉⠉⠉⠉⢱                      <0>
       │       <34>⢸              <31>⢰⠒⠒⠒⠒⠒⠒⠒<0> 0.8
    0.5┤       <34>⢸       <31>⡖⠒⠒⠒⠒⠒⠒⠊       <0>
       │       <34>⢨⠭⠭⠭⠭⠭⠭⠭⡇              <0>
       │<31>⠤⠤⠤⠤⠤⠤⠤⠜       <34>⠓⠒⠒⠒⠒⠒⠒⢢       <0> 0.1
      0┤                      <34>⠘⠒⠒⠒⠒⠒⠒⠒<0>
weight_decay
  0.001┤               <32>⡏⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉⠉<0> 0.001
5.0e-04┤               <32>⡇              <0>
      0┤<32>⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⣀⠇              <0>
       └┬─────────────────┬───────────
        0                 5     updates
        0              1         epochs
<34>⠤⠤⠤<0> first
<31>⠤⠤⠤<0> second
<32>⠤⠤⠤<0> third
what is to be said beside it, which takes
two lines""",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHARTS)
def test_a_whole_chart(case: str) -> None:
    kind, wanted = CHARTS[case]
    assert re.sub(r"\x1b\[(\d+)m", r"<\1>", chart(WHOLE, 44, 6, **kind)) == wanted[1:]


def test_a_chart_is_80_wide_and_16_high() -> None:
    lines = chart(Picture(PANELS, "update", 8)).split("\n")
    assert max(map(len, lines)) == 80
    assert [i for i, line in enumerate(lines) if "┤" in line or "│" in line] == [*range(1, 17), *range(18, 26)]


def test_many_lines_are_told_apart() -> None:
    """By dashes, by letters or by colours, on the chart as in the legend; of each kind the first follows the last."""
    lines = tuple(Line(f"line {i}", [0], [1 - i / 10], 8, style=i) for i in range(9))
    shown = Picture((Panel("lr", lines),), "update", 8)
    dashed = chart(shown, 50, 11).split("\n")
    assert [line[4:44] for line in dashed[1:10]] == [
        "⠉" * 40, "⠉⠉ " * 13 + "⠉", "⠂" * 40, "⠒⠒⠒ ⠐⠒⠒⠂ " * 4 + "⠒⠒⠒ ", "⠒ " * 20, "⠄ " * 20,
        "⠤" * 40, "⠤⠤ " * 13 + "⠤", "⠄" * 40,
    ]  # fmt: skip
    looks = ["⠤⠤⠤", "⠤⠤⠀", "⠄⠄⠄", "⠤⠤⠤", "⠤⠀⠤", "⠄⠀⠄", "⠤⠤⠤", "⠤⠤⠀", "⠄⠄⠄"]
    names = list(zip(looks, "abcdefghi", range(9), strict=True))
    assert dashed[-9:] == [f"{look} {letter} line {i}" for look, letter, i in names]
    starred, stars = chart(shown, 50, 11, ascii=True).split("\n"), "*o+x#@%&*"
    assert [line[4:44] for line in starred[1:10]] == [star * 40 for star in stars]
    assert starred[-9:] == [f"{star} {letter} line {i}" for star, (_, letter, i) in zip(stars, names, strict=True)]
    coloured, codes = chart(shown, 40, 11, colour=True).split("\n"), [34, 31, 32, 35, 36, 33, 34, 31, 32]
    assert [re.findall(r"\x1b\[(\d+)m", line) for line in coloured[1:10]] == [[str(code), "0"] for code in codes]
    assert coloured[-9:] == [f"\x1b[{code}m⠤⠤⠤\x1b[0m line {i}" for i, code in enumerate(codes)]


def test_a_line_is_where_its_values_are() -> None:
    text = chart(of([0.0] * 10 + [1.0] * 10), 30, 5, ascii=True).split("\n")
    rows = [line[line.index(bar) + 1 :] for line in text[1:6] for bar in "+|" if bar in line[:6]][:5]
    dots = [[i for i, char in enumerate(row) if char == "*"] for row in rows]
    half = len("".join(rows[4]).rstrip())
    assert dots[4] == list(range(half))
    assert dots[0][0] == half - 1 or dots[0][0] == half
    assert all(len(one) == 1 for one in dots[1:4])
    assert text[1].rstrip().endswith("1")


def test_of_a_million_values_a_single_peak_is_seen() -> None:
    y = [0.0] * 1000
    y[617] = 1.0
    row = chart(of(y), 60, 6, ascii=True).split("\n")[1]
    assert row.count("*") == 1
    column = row.index("*") - row.index("+") - 1
    columns = len(chart(of(y), 60, 6, ascii=True).split("\n")[7].strip()) - 1
    assert column == int(617 / 1000 * columns)


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=300), st.integers(20, 100), st.booleans())
def test_a_line_has_no_gap(y: list[float], width: int, log: bool) -> None:
    """Every column has a dot, and each is next to, or shares rows with, the one in front."""
    lines = chart(of(y), width, 8, ascii=True, log=log).split("\n")
    corner = next(line for line in lines if re.match(r" *\+[-+]+$", line))
    left = len(corner) - len(corner.lstrip())
    width_of = len(corner) - left - 1
    columns = [
        {row for row, line in enumerate(lines[1:9]) if line.ljust(200)[left + 1 + i] == "*"} for i in range(width_of)
    ]
    assert all(columns)
    for before, after in itertools.pairwise(columns):
        assert min(after) - 1 <= max(before)
        assert max(after) + 1 >= min(before)
        assert after == set(range(min(after), max(after) + 1))


def test_marks_and_what_happens() -> None:
    marks = (Mark(5, 1.0, "warmup ends"), Mark(10, 1.0, "restart"), Mark(15, 1.0, "restart"))
    shown = of([float(i % 5) for i in range(20)], marks=marks)
    assert happenings(shown.panels[0].lines[0]) == "warmup ends 5, restart 10, 15"
    text = chart(shown, 60).split("\n")
    assert text[-1] == "^  warmup ends 5, restart 10, 15"
    row = next(line for line in text if set(line) == {" ", "^"})
    left, columns = text[17].index("└") + 1, len(text[17].strip()) - 1
    assert [i - left for i, char in enumerate(row) if char == "^"] == [int(x / 20 * columns) for x in (5, 10, 15)]


def test_last_values_stand_at_the_ends_of_the_lines() -> None:
    text = chart(SEVERAL, 80).split("\n")
    for letter, panel, i in (("a", 0, 0), ("b", 0, 1), ("c", 1, 0)):
        shown = f"{letter} {number(SEVERAL.panels[panel].lines[i].last)}"
        assert sum(line.endswith(shown) for line in text) >= 1, shown


def test_nothing_but_zeros() -> None:
    assert "0" in chart(of([0.0, 0.0]), 40)
    assert "0" in chart(of([0.0, 0.0]), 40, log=True)
    assert "0.1" in chart(of([0.1]), 40)


@given(st.lists(st.floats(0, 1e6), max_size=50), st.integers(1, 60), st.booleans())
def test_a_sparkline_has_its_width_and_its_highest_value(values: list[float], width: int, ascii: bool) -> None:
    text = sparkline(values, width, ascii=ascii)
    assert len(text) == (width if values else 0)
    assert text.isascii() == (ascii or not values)
    if values and max(values) > 0 and width >= len(values):
        assert ("#" if ascii else "█") in text


def test_a_sparkline_of_nothing() -> None:
    assert sparkline([0.0, 0.0], 3) == "▁▁▁"
    assert sparkline([], 3) == ""
    assert sparkline([0.2], 3) == "███"
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8, ascii=True) == "_.-~=+*#"


# --- axes -------------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=20), st.booleans())
def test_an_axis_holds_all_values(values: list[float], log: bool) -> None:
    axis = around(values, log)
    assert axis.low < axis.high
    assert axis.high >= max(values) * (1 - 1e-9)
    assert axis.low <= min(value for value in values if not axis.log or value > 0) * (1 + 1e-9) or axis.log
    assert all(0 <= axis.share(value) <= 1 for value in values)
    for wanted in (2, 5, 9):
        ticks = axis.ticks(wanted)
        assert ticks == sorted(ticks)
        assert 1 <= len(ticks) <= max(wanted, 2)
        assert all(axis.low * (1 - 1e-9) <= tick <= axis.high * (1 + 1e-9) for tick in ticks)


@pytest.mark.parametrize(
    ("values", "log", "ends"),
    [
        ([0.0, 0.1], False, (0.0, 0.1)),
        ([0.05, 0.1], False, (0.05, 0.1)),
        ([1e-5, 3.3e-4], False, (0.0, 4e-4)),
        ([0.1], False, (0.0, 0.15)),
        ([0.0], False, (0.0, 1.0)),
        ([0.004, 0.1, 4e-7], True, (2e-7, 0.1)),
        ([1e-12, 0.03], True, (5e-8, 0.05)),
        ([0.0, 0.0], True, (0.0, 1.0)),
        ([0.1], True, (0.01, 0.1)),
        ([0.1, 0.1 + 2e-17], False, (0.0, 0.15)),  # a rounding apart
        ([1.0, 1.0 + 2**-52], False, (0.0, 1.5)),
        ([1.0, 1.0 + 1e-7], False, (1.0, 1.0 + 1e-7)),
        ([5e-324], False, (0.0, 1.0)),
        ([5e-324, 1e-310], True, (0.0, 1.0)),
        ([0.0, 5e-324, 0.1], True, (0.01, 0.1)),
        ([1e-299], False, (0.0, 1.5e-299)),
    ],
)
def test_ends_of_axes_are_round(values: list[float], log: bool, ends: tuple[float, float]) -> None:
    assert around(values, log).ends == pytest.approx(ends, rel=1e-12, abs=0)


@pytest.mark.parametrize("decades", range(2, 12))
@pytest.mark.parametrize("wanted", [1, 2, 3, 4, 6, 9])
def test_ticks_of_a_logarithmic_axis_are_as_close_as_they_may_be(decades: int, wanted: int) -> None:
    ticks = Scale(1e-10, 10.0 ** (decades - 11), log=True).ticks(wanted)
    powers = [round(math.log10(one)) for one in ticks]
    apart = next(one for one in range(1, 12) if len(range(0, decades, one)) <= max(wanted, 2))
    fitting = list(range(decades - 11, -11, -apart))[::-1]
    assert powers == (fitting if len(fitting) > 1 else [-10, decades - 11])
    assert ticks == [float(f"1e{one}") for one in powers]


def test_shares() -> None:
    assert [Scale(0, 4).share(x) for x in (-1, 0, 1, 4, 5)] == [0, 0, 0.25, 1, 1]
    assert [Scale(0.01, 1, True).share(x) for x in (0, 0.001, 0.1, 1, 2)] == pytest.approx([0, 0, 0.5, 1, 1])


@pytest.mark.parametrize(("columns", "shown"), [(16, "updates"), (17, "12 updates"), (20, "12  updates")])
def test_a_number_at_the_end_of_an_axis_is_left_out_where_it_has_no_room(columns: int, shown: str) -> None:
    """One space stays between it and what it counts."""
    drawn = picture([Subject("step", Horizon(epochs=2, steps_per_epoch=10))])
    row = braille._numbers([(10, 12)], drawn, 2, columns, "updates")
    assert (len(row), row.strip()) == (columns + 3, shown)


def test_more_lines_than_letters() -> None:
    assert [braille._letter(style) for style in (0, 1, 24, 25, 26, 27)] == ["a", "b", "y", "z", "a", "b"]


def test_numbers() -> None:
    assert [number(x) for x in (1e-5, 0.001, 0.012345, 123.4, 1234.5, 1e7, -0.5)] == [
        "1.0e-05", "0.001", "0.0123", "123", "1234", "1.0e+07", "-0.5",
    ]  # fmt: skip
    assert [count(x) for x in (0, 7.0, 0.5, 35190, 3e6, 1.25e6, 1234567)] == [
        "0", "7", "0.5", "35190", "3M", "1250000", "1234567",
    ]  # fmt: skip


@given(st.integers(1, 10**12), st.integers(1, 12))
def test_round_numbers_are_round_and_few(end: int, wanted: int) -> None:
    found = round_numbers(0, end, wanted)
    assert found[0] == 0
    assert len(found) <= max(wanted, 2)
    assert found[-1] <= end * (1 + 1e-8)
    if len(found) > 1:
        assert f"{found[1]:e}"[0] in "125"


def test_ticks_of_epochs_are_whole_epochs_where_they_begin() -> None:
    shown = picture([Subject("step", Horizon(epochs=4, steps_per_epoch=[10, 20, 5, 15]))])
    assert epoch_ticks(shown, 9) == [(0, 0), (10, 1), (30, 2), (35, 3), (50, 4)]
    assert epoch_ticks(picture([Subject("rex", Horizon(steps=100))]), 9) == []
    within = picture([Subject("rex", Horizon(steps=100, steps_per_epoch=400))])
    assert [epoch for _, epoch in epoch_ticks(within, 5)][-1] == pytest.approx(0.2)
    assert between([(0, 0), (10, 1)], 20) == 2


def test_what_a_line_holds() -> None:
    line = Line("a", [0, 10, 20], [1.0, 3.0, 2.0], 30)
    assert [line.at(x) for x in (-5, 0, 9.9, 10, 25, 99)] == [1, 1, 1, 3, 2, 2]
    assert line.extremes(0, 10) == (1, 1)
    assert line.extremes(5, 25) == (1, 3)
    assert line.extremes(30, 40) is None
    assert Line("b", [10], [1.0], 30).extremes(0, 10) is None
    assert scale.of_panel(Panel("lr", (line,))).ends == (0, 3)
