"""The study's page is what its script writes from the committed numbers; these are right; and a tiny one runs."""

from __future__ import annotations

import csv
import math
import re
import statistics
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import hydra
import pytest
from helpers import loaded
from hydra_apps import VERSION_BASE
from scipy import stats

ROOT = Path(__file__).parents[1]
SCRIPT, TRAIN = ROOT / "docs" / "study.py", ROOT / "examples" / "train.py"
#: what `make study` calls, for each data set
CALLS = {"digits": ["sweep=study"], "cells": ["sweep=study", "data=cells", "model=perceptron"]}


def load() -> Any:
    return loaded(SCRIPT)


@pytest.fixture(scope="module")
def script() -> Any:
    return load()


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with (ROOT / "docs/study/runs.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def scores(rows: list[dict[str, str]], data: str) -> dict[tuple[str, str, str], float]:
    return {
        (row["scheduler"], row["optimizer.lr"], row["seed"]): float(row["val_acc"])
        for row in rows
        if row["data"] == data
    }


def test_the_page_is_up_to_date(script: Any, capsys: Any) -> None:
    assert script.main("--check") == 0, f"make docs: {capsys.readouterr().out}"
    for data in CALLS:
        ElementTree.fromstring((ROOT / f"docs/study/{data}.svg").read_text())
    assert {path.name for path in script.PICTURES.iterdir()} == {"runs.csv", "digits.svg", "cells.svg"}


@pytest.mark.parametrize("data", CALLS)
def test_the_numbers_are_of_the_sweep_that_conf_describes(data: str, rows: list[dict[str, str]]) -> None:
    with hydra.initialize_config_dir(str(ROOT / "conf"), **VERSION_BASE):
        cfg = hydra.compose("config", CALLS[data], return_hydra_config=True)
    params = {key: [one.strip() for one in str(value).split(",")] for key, value in cfg.hydra.sweeper.params.items()}
    assert {key: len(values) for key, values in params.items()} == {"seed": 6, "optimizer.lr": 4, "scheduler": 16}
    assert cfg.hydra.sweep.dir == f"multirun/study/{data}"
    found = [(row["seed"], row["optimizer.lr"], row["scheduler"]) for row in rows if row["data"] == data]
    wanted = {(s, r, n) for s in params["seed"] for r in params["optimizer.lr"] for n in params["scheduler"]}
    assert set(found) == wanted
    assert len(found) == len(wanted)


def test_make_study_calls_just_that() -> None:
    (recipe,) = re.findall(r"^study:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    for data, words in CALLS.items():
        assert f"examples/train.py -m {' '.join(words)} launcher=joblib\n" in recipe
        assert f"lr-configs compare multirun/study/{data}\n" in recipe
    assert recipe.rstrip().endswith("docs/study.py multirun/study")


@pytest.mark.parametrize("data", CALLS)
@pytest.mark.parametrize("name", ["cosine", "one_cycle", "step"])
def test_each_at_its_own_best_rate(data: str, name: str, rows: list[dict[str, str]]) -> None:
    """Beside scipy's intervals and a choice of the rate that is written another way."""
    found = scores(rows, data)
    seeds, rates = sorted({key[2] for key in found}), sorted({key[1] for key in found}, key=float)

    def held_out(schedule: str) -> list[float]:
        chosen = []
        for seed in seeds:
            sums = [math.fsum(found[schedule, rate, one] for one in seeds if one != seed) for rate in rates]
            chosen.append(found[schedule, rates[sums.index(max(sums))], seed])
        return chosen

    ours, constant = held_out(name), held_out("none")
    mean, sem = statistics.fmean(ours), stats.sem(ours)
    half = stats.t.ppf(0.975, len(seeds) - 1) * sem
    differences = [a - b for a, b in zip(ours, constant, strict=True)]
    wide = stats.t.ppf(1 - 0.05 / 2 / 15, len(seeds) - 1) * stats.sem(differences)
    (section,) = re.findall(rf"study/{data}\.svg\)(.*?)###? What a single", page(), flags=re.DOTALL)
    (cells,) = re.findall(rf"^\| `{name}` \| (.*?) \|$", section, flags=re.MULTILINE)
    _, shown, gain, _ = cells.split(" | ")
    assert [float(part) for part in shown.split(" ± ")] == pytest.approx([mean, half], abs=6e-4, rel=0.06)
    assert gain == f"{100 * statistics.fmean(differences):+.1f} ± {100 * wide:.1f}"
    better = re.findall(r"Better than a constant rate, surely: (.*)\.", section)
    assert (statistics.fmean(differences) > wide) == (f"`{name}`" in "".join(better))


def page() -> str:
    return (ROOT / "docs/study.md").read_text()


@pytest.mark.slow
def test_a_tiny_one_runs(tmp_path: Path) -> None:
    """Both calls, and the script that takes their numbers."""
    for words in CALLS.values():
        small = ["scheduler=none,cosine", "optimizer.lr=0.1", "seed=0,1", "trainer.max_epochs=1"]
        done = subprocess.run(
            [sys.executable, str(TRAIN), "-m", *words, *small, "trainer.limit_train_batches=2"],
            cwd=tmp_path, capture_output=True, text=True, check=False, timeout=280,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
    taken = load()
    taken.PICTURES, taken.NUMBERS, taken.PAGE = tmp_path / "s", tmp_path / "s" / "runs.csv", tmp_path / "study.md"
    taken.take(tmp_path / "multirun" / "study")
    with taken.NUMBERS.open(newline="") as file:
        found = list(csv.DictReader(file))
    assert len(found) == 8
    assert {row["data"] for row in found} == set(CALLS)
    text = taken.page()
    assert "8 runs" in text
    assert "`cosine`" in text
    jobs = [path for path in (tmp_path / "multirun").rglob("*") if path.suffix in (".ckpt", ".png")]
    assert jobs == []  # nothing but what is read of them
