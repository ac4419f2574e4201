"""The page of `lr-configs compare` in a real browser: order, filters, keys, curves, and what runs write into it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from browser import Opened, opened

from benchmarks import synthetic
from lr_configs.commands import main
from lr_configs.sweeps.manifest import Job, Task

EVIL = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"


def written(folder: Path, *words: str) -> Path:
    path = folder.parent / "report.html"
    assert main(["compare", str(folder), "-o", str(path), "--force", *words]) == 0
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve jobs: schedules, rates, seeds; one has failed, and one has evil words."""
    folder = tmp_path_factory.mktemp("page") / "sweep"
    scores = {"step": 0.7, "cosine": 0.9, "rex": 0.8}
    number = 0
    for name, score in scores.items():
        for rate in ("0.1", "0.02"):
            for seed in ("0", "1"):
                job = Job(
                    Task(
                        folder / str(number),
                        [f"scheduler={name}", f"lr={rate}", f"seed={seed}"],
                        number,
                        True,
                        f"python train.py scheduler={name} lr={rate} seed={seed}",
                    )
                )
                last = score + 0.01 * int(seed) + (0.05 if rate == "0.1" else 0)
                job.data["metrics"] = {
                    "acc": {
                        "points": [[10, 0.1], [20, last]],
                        "last": [20, last],
                        "least": [10, 0.1],
                        "greatest": [20, last],
                    }
                }
                job.data["rates"] = {"lr/SGD/0": {"points": [[0, float(rate)], [19, float(rate) / 10]]}}
                job.data["objective"] = {"metric": "acc", "mode": "max"}
                job.end("failed", f"ValueError: {EVIL}") if (name, rate, seed) == ("step", "0.02", "1") else job.end(
                    "finished"
                )
                number += 1
    Job(Task(folder / "12", [f"scheduler={EVIL}", "lr=0.1", "seed=0"], 12, True)).end("failed", EVIL)
    return folder


def column(one: Opened, name: str) -> list[str]:
    """The cells of a column, from the first row on."""
    return one.page.evaluate(
        """(name) => {
            const heads = [...document.querySelectorAll('.head [role=columnheader]')].map((one) => one.textContent.replace(/ [▲▼]$/, ''));
            const rows = [...document.querySelectorAll('.body .row')].sort((a, b) => a.ariaRowIndex - b.ariaRowIndex);
            return rows.map((row) => row.children[heads.indexOf(name)].textContent);
        }""",
        name,
    )


def click(one: Opened, name: str) -> None:
    one.page.locator(".head button", has_text=name).first.click()


def legend(one: Opened) -> list[str]:
    """The labels of the lines that are drawn, of the first picture."""
    return one.page.locator("#curves .lr-values >> nth=0").locator("tbody th").all_inner_texts()


def test_order(small: Path, browser: Any) -> None:
    with opened(browser, written(small)) as one:
        assert column(one, "rank") == [*map(str, range(1, 12)), "", ""]
        assert column(one, "acc")[:3] == ["0.96", "0.95", "0.91"]
        click(one, "acc")
        assert column(one, "acc")[:2] == ["0.7", "0.71"]  # of a failed job, too
        click(one, "acc")
        assert column(one, "acc")[:2] == ["0.96", "0.95"]
        assert column(one, "acc")[-1] == ""  # empty cells are last in both directions
        click(one, "lr")
        assert column(one, "lr") == ["0.02"] * 6 + ["0.1"] * 7
        click(one, "scheduler")
        assert column(one, "scheduler")[1:5] == ["cosine"] * 4
        heads = one.page.locator('[role=columnheader][aria-sort="ascending"]').all_inner_texts()
        assert heads == ["scheduler ▲"]
        assert one.requests == [written(small).as_uri()]
        assert one.errors == []


def test_filters(small: Path, browser: Any) -> None:
    with opened(browser, written(small)) as one:
        one.page.fill("input[type=search]", "COSINE 0.02")
        assert set(column(one, "scheduler")) == {"cosine"}
        assert len(column(one, "lr")) == 2
        assert one.page.inner_text("output") == "2 of 13 runs"
        one.page.fill("input[type=search]", "")
        one.page.select_option("select", "failed")
        assert column(one, "status") == ["failed", "failed"]
        one.page.fill("input[type=search]", "no such word")
        assert column(one, "rank") == []
        assert one.page.inner_text("output") == "0 of 13 runs"


def test_curves_of_chosen_runs(small: Path, browser: Any) -> None:
    with opened(browser, written(small)) as one:
        assert legend(one) == [f"scheduler={name} lr=0.1 seed=1" for name in ("cosine", "rex", "step")]
        assert one.page.locator("#curves svg.lr-chart").count() == 2
        one.page.locator(".body .row").nth(1).click()
        assert legend(one)[-1] == "scheduler=cosine lr=0.1 seed=0"
        one.page.locator(".body .row").nth(0).click()
        assert len(legend(one)) == 3
        values = one.page.locator("#curves .lr-values").nth(1).locator("td").all_inner_texts()
        assert values == ["0.01", "0.01", "0.01"]  # the rates at the end
        one.page.locator(".body .row").nth(12).click()  # a run without curves changes no other's
        assert "undefined" not in one.page.inner_text("#curves")
        assert len(legend(one)) == 3


def test_keys_alone(small: Path, browser: Any) -> None:
    with opened(browser, written(small)) as one:
        one.page.focus(".runs")
        for key in ("ArrowDown", "ArrowDown", "Enter"):
            one.page.keyboard.press(key)
        assert one.page.locator(".row.at").get_attribute("aria-rowindex") == "3"
        assert len(legend(one)) == 4
        one.page.keyboard.press("End")
        assert one.page.locator(".row.at").get_attribute("aria-rowindex") == "13"


def test_what_runs_write_is_text(small: Path, browser: Any) -> None:
    with opened(browser, written(small)) as one:
        assert one.page.title() == "Comparison of runs"
        assert EVIL in column(one, "scheduler")
        one.page.locator("summary").click()
        assert EVIL in one.page.inner_text(".troubles")
        one.page.locator(".body .row").last.click()
        assert one.page.title() == "Comparison of runs"
        assert one.page.locator("img").count() == 0
        assert one.errors == []


def test_effects_and_the_best_command(small: Path, browser: Any) -> None:
    with opened(browser, written(small)) as one:
        assert one.page.inner_text("#command") == "python train.py scheduler=cosine lr=0.1 seed=1"
        text = one.page.inner_text("main")
        assert "Effect of scheduler" in text
        assert "cosine is ahead of all others" in text
        assert one.page.locator(".effect circle").count() == 5  # three schedules, two rates; the evil one has no score


def test_ten_thousand_runs(tmp_path: Path, browser: Any) -> None:
    """Only what is in sight is in the page's tree, and the last row can be reached."""
    synthetic.sweep(tmp_path / "sweep", 10_000, 16)
    with opened(browser, written(tmp_path / "sweep")) as one:
        assert one.page.inner_text("output") == "10000 runs"
        assert one.page.locator(".body .row").count() < 60
        one.page.focus(".runs")
        one.page.keyboard.press("End")
        one.wait_for("document.querySelector('.row.at')?.ariaRowIndex === '10000'")
        assert one.page.locator(".row.at").is_visible()
        one.page.fill("input[type=search]", "scheduler=none")
        one.page.fill("input[type=search]", "rex 0.05 failed")
        assert one.page.inner_text("output") == "2 of 10000 runs"
        assert one.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_at_every_width(scheme: str, small: Path, browser: Any) -> None:
    with opened(browser, written(small), color_scheme=scheme, viewport={"width": 420, "height": 800}) as one:
        assert one.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
        colours = one.page.evaluate(
            "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
        )
        assert len(set(colours)) == 2
