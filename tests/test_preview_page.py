"""The page, in a real browser: values under the pointer, lines that are switched off, keys, and nothing from elsewhere."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Opened, opened

from lr_configs import Horizon
from lr_configs.preview.page import data, embedded, page
from lr_configs.preview.picture import Line, Mark, Panel, Picture
from lr_configs.preview.scale import number
from lr_configs.preview.series import Subject, picture

RUN = Horizon(epochs=90, steps_per_epoch=391)
THREE = picture(
    [
        Subject("one_cycle", RUN, label="one_cycle"),
        Subject({"name": "cosine", "warmup": "5%"}, RUN, label="cosine"),
        Subject("step", RUN, label="step"),
    ],
    title="three <schedules> & more",
)
FEW = picture([Subject("exponential", Horizon(epochs=12, steps_per_epoch=5), label="exponential")])
WHOLE = picture(
    [Subject("one_cycle", RUN), Subject({"name": "cosine", "warmup": "5%"}, RUN), Subject("step", RUN)], bins=0
)


@pytest.fixture(scope="module")
def three(tmp_path_factory: Any, browser: Any) -> Iterator[Opened]:
    path = tmp_path_factory.mktemp("page") / "three.html"
    path.write_text(page(THREE), encoding="utf-8")
    with opened(browser, path) as found:
        yield found


def values(found: Opened) -> dict[str, list[float | None]]:
    """Label -> the values that are shown, by panel."""
    rows = found.page.locator(".lr-values tbody tr").all()
    cells = {row.locator("th").inner_text().strip(): row.locator("td").all_inner_texts() for row in rows}
    return {label: [float(text) if text else None for text in texts] for label, texts in cells.items()}


def place(found: Opened) -> str:
    return str(found.page.locator(".lr-values caption").inner_text())


def at(found: Opened, share: float) -> None:
    """Put the pointer so far along the run."""
    axis = found.page.locator(".lr-chart .axis").first.bounding_box()
    found.page.mouse.move(axis["x"] + axis["width"] * share, axis["y"] + axis["height"] / 2)


def test_nothing_is_loaded_and_nothing_is_complained_of(three: Opened) -> None:
    at(three, 0.3)
    assert three.requests == [three.page.url]
    assert three.errors == []
    assert three.page.title() == "three <schedules> & more"
    assert three.page.locator("h1").inner_text() == "three <schedules> & more"


@pytest.mark.parametrize("share", [0.001, 0.03, 0.2, 0.31, 0.43, 0.77, 0.999])
def test_the_values_under_the_pointer_are_those_of_training(three: Opened, share: float) -> None:
    at(three, share)
    match = re.fullmatch(r"at update (\d+), epoch ([\d.]+)", place(three))
    assert match
    update = int(match[1])
    assert update == pytest.approx(share * 35190, abs=130)
    assert float(match[2]) == pytest.approx(update / 391, abs=0.006)
    shown = values(three)
    for label, line in zip(("one_cycle", "cosine", "step"), WHOLE.panels[0].lines, strict=True):
        assert shown[label][0] == pytest.approx(line.at(update), rel=1e-4)
    assert shown["one_cycle"][1] == pytest.approx(WHOLE.panels[1].lines[0].at(update), rel=1e-4)
    assert shown["cosine"][1] is None


def test_away_from_the_picture_stand_the_last_values(three: Opened) -> None:
    three.page.mouse.move(1, 1)
    assert place(three) == "at the end of the run"
    assert values(three)["cosine"][0] == pytest.approx(WHOLE.panels[0].lines[1].last, rel=1e-4)


def test_the_legend_switches_lines_off_and_on(three: Opened) -> None:
    lines = three.page.locator(".lr-chart path.l")
    assert sorted(line.get_attribute("data-style") for line in lines.all()) == ["0", "0", "1", "2"]
    button = three.page.get_by_role("button", name="one_cycle")
    button.click()
    assert sorted(line.get_attribute("data-style") for line in lines.all()) == ["1", "2"]
    assert button.get_attribute("aria-pressed") == "false"
    at(three, 0.5)
    assert values(three)["one_cycle"] == [None, None]
    assert values(three)["step"][0] == 0.01
    button.press("Enter")
    assert lines.count() == 4
    assert button.get_attribute("aria-pressed") == "true"


def test_the_axis_follows_the_lines_that_are_left(tmp_path: Path, browser: Any) -> None:
    path = tmp_path / "two.html"
    high, low = Line("high", [0, 10], [1.0, 0.5], 20), Line("low", [0, 10], [0.001, 0.0005], 20, style=1)
    path.write_text(page(Picture((Panel("lr", (high, low)),), "update", 20)), encoding="utf-8")
    with opened(browser, path) as found:
        ticks = found.page.locator('.lr-chart text[text-anchor="end"]')
        assert "1" in ticks.all_text_contents()
        found.page.get_by_role("button", name="high").click()
        assert "0.001" in ticks.all_text_contents()


def test_keys_move_along_the_run(three: Opened) -> None:
    chart = three.page.locator(".lr-chart")
    chart.focus()
    three.page.keyboard.press("Escape")
    assert place(three) == "at the end of the run"
    for key, update in (("Home", 0), ("ArrowRight", 59), ("ArrowRight", 118), ("ArrowLeft", 59), ("End", 35132)):
        three.page.keyboard.press(key)
        assert place(three).startswith(f"at update {update},"), key
    three.page.keyboard.press("Shift+ArrowLeft")
    assert int(re.findall(r"\d+", place(three))[0]) == pytest.approx(35132 - 586, abs=2)
    three.page.keyboard.press("Escape")


def test_everything_is_reached_by_the_tab_key(three: Opened) -> None:
    three.page.locator("body").click(position={"x": 1, "y": 1})
    reached = []
    for _ in range(5):
        three.page.keyboard.press("Tab")
        reached.append(
            three.page.evaluate("document.activeElement.textContent.slice(0, 9) || document.activeElement.tagName")
        )
    assert reached[0] == "log scale"
    assert reached[2:] == ["one_cycle", "cosine", "step"]
    assert "three <schedules> & more" in three.page.locator(".lr-chart").get_attribute("aria-label")


def test_a_logarithmic_axis(three: Opened) -> None:
    toggle = three.page.get_by_role("button", name="log scale")
    toggle.click()
    ticks = three.page.locator('.lr-chart text[text-anchor="end"]').all_text_contents()
    assert {"0.1", "0.001", "1.0e-05"} <= set(ticks)
    toggle.click()
    assert "0.02" in three.page.locator('.lr-chart text[text-anchor="end"]').all_text_contents()


def test_marks_and_last_values_are_written(three: Opened) -> None:
    words = three.page.locator(".lr-chart text").all_text_contents()
    assert {"warmup ends", "top", "step", "momentum", "updates", "epochs"} <= set(words)
    assert {number(line.last) for panel in THREE.panels for line in panel.lines} <= set(words)
    assert three.page.locator(".lr-chart circle").count() == sum(len(line.marks) for line in THREE.panels[0].lines)
    assert "step: step 14076" in three.page.locator(".lr-chart circle title").all_text_contents()


def test_every_update_of_a_short_run_can_be_read(tmp_path: Path, browser: Any) -> None:
    path = tmp_path / "few.html"
    path.write_text(page(FEW), encoding="utf-8")
    with opened(browser, path) as found:
        found.page.locator(".lr-chart").focus()
        found.page.keyboard.press("Home")
        for update in range(60):
            assert place(found) == f"at update {update}, epoch {round(update / 5, 2):g}"
            assert values(found)["exponential"][0] == pytest.approx(FEW.panels[0].lines[0].at(update), rel=1e-4)
            found.page.keyboard.press("ArrowRight")
        assert place(found).startswith("at update 59,")


def test_last_values_do_not_lie_on_each_other(tmp_path: Path, browser: Any) -> None:
    lines = tuple(
        Line(f"line {i}", [0, 5], [1.0, y], 10, style=i) for i, y in enumerate((0.15, 0.0, 1e-9, 1e-8, 1e-7, 1e-6))
    )
    path = tmp_path / "ends.html"
    path.write_text(page(Picture((Panel("lr", lines),), "update", 10)), encoding="utf-8")
    with opened(browser, path) as found:
        places = sorted(float(one.get_attribute("y")) for one in found.page.locator(".lr-chart text[class^=t]").all())
    assert len(places) == 6
    assert min(b - a for a, b in itertools.pairwise(places)) >= 12.8


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_as_dark_as_the_screen(tmp_path: Path, browser: Any, scheme: str) -> None:
    path = tmp_path / "page.html"
    path.write_text(page(FEW), encoding="utf-8")
    with opened(browser, path, color_scheme=scheme) as found:
        ground, ink = (
            found.page.evaluate(f"getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color")
        )
    brightness = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (ground, ink)]
    assert (brightness[0] > brightness[1]) == (scheme == "light")
    assert abs(brightness[0] - brightness[1]) > 450


def test_a_narrow_screen_has_a_narrow_picture(tmp_path: Path, browser: Any) -> None:
    path = tmp_path / "page.html"
    path.write_text(page(THREE), encoding="utf-8")
    with opened(browser, path, viewport={"width": 380, "height": 700}) as found:
        assert found.page.evaluate("document.documentElement.scrollWidth") <= 380
        found.page.set_viewport_size({"width": 800, "height": 700})
        found.wait_for("document.querySelector('.lr-chart').clientWidth > 700")
        assert found.errors == []


def test_without_scripts_there_is_a_picture(tmp_path: Path, browser: Any) -> None:
    path = tmp_path / "page.html"
    path.write_text(page(THREE), encoding="utf-8")
    with opened(browser, path, java_script_enabled=False) as found:
        assert found.page.locator("svg.lr-configs path.l").count() == 4 + 3  # and in the legend
        assert found.page.locator("svg.lr-configs").bounding_box()["width"] == 720


HOSTILE = "</script><script>document.title='bad'</script><img src=x onerror=\"document.title='bad'\">"


def test_what_people_write_is_text(tmp_path: Path, browser: Any) -> None:
    line = Line(HOSTILE, [0], [0.1], 10, (Mark(0, 0.1, HOSTILE),))
    path = tmp_path / "page.html"
    path.write_text(
        page(Picture((Panel(HOSTILE, (line,)),), "update", 10, HOSTILE, notes=(HOSTILE,))), encoding="utf-8"
    )
    with opened(browser, path) as found:
        assert found.page.title() == HOSTILE
        assert found.errors == []
        assert found.requests == [found.page.url]
        assert HOSTILE in found.page.locator(".lr-values").inner_text()
        assert found.page.locator("img").count() == 0


def test_the_data_of_a_line() -> None:
    marks = (Mark(2.5, 1 / 3, "turn"), Mark(3.0, 0.25, "end"))
    line = Line("a", [0.0, 2.5, 3.0], [1 / 3, 0.123456789, 2e-9], 4.5, marks, style=1, thinned=True)
    picture_ = Picture((Panel("lr", (line,)),), "epoch", 4.5, "title", ((0, 0), (9, 4.5)))
    found = data(picture_)
    (panel,) = found["panels"]
    assert (found["title"], found["unit"], found["end"], found["epochs"]) == ("title", "epoch", 4.5, [[0, 0], [9, 4.5]])
    assert panel == {
        "title": "lr",
        "lines": [
            {
                "label": "a", "x": [0, 2.5, 3], "y": [0.3333333, 0.1234568, 2e-9], "end": 4.5, "style": 1,
                "thinned": True, "marks": [[2.5, 0.3333333, "turn"], [3, 0.25, "end"]],
            }
        ],
    }  # fmt: skip
    assert [type(x) for x in panel["lines"][0]["x"]] == [int, float, int]


def test_what_is_embedded_is_the_same_data() -> None:
    assert json.loads(embedded(data(THREE))) == json.loads(json.dumps(data(THREE)))
    assert "<" not in embedded({"a": HOSTILE})
    with pytest.raises(ValueError, match="JSON"):
        embedded(float("nan"))


def test_a_page_is_the_same_every_time_and_small() -> None:
    assert page(THREE) == page(THREE)
    assert len(page(THREE).encode()) < 130_000
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page(THREE))
