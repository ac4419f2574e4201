"""What is made of the manifests of a sweep: ranks, effects beside scipy's numbers, tables, and the command."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks import synthetic
from lr_configs.commands import main
from lr_configs.sweeps import process, tables
from lr_configs.sweeps.effects import difference, effects, independent, mean_of
from lr_configs.sweeps.files import write_json
from lr_configs.sweeps.manifest import Job, Task
from lr_configs.sweeps.runs import compare
from lr_configs.sweeps.student import quantile


def job(folder: Path, *overrides: str, score: float | None = None, status: str = "finished", **more: Any) -> None:
    """A manifest as the callback writes it."""
    made = Job(Task(folder, overrides, int(folder.name) if folder.name.isdecimal() else None, multirun=True))
    if score is not None:
        points = [[10, score / 2], [20, score * 1.1], [30, score]]
        made.data["metrics"] = {"acc": {"points": points, "last": points[2], "least": points[0], "greatest": points[1]}}
        made.data["objective"] = {"metric": "acc", "mode": "max"}
    made.data.update(more)
    made.end(status, None if status == "finished" else "it had to")


def grid(folder: Path, scores: dict[tuple[str, str, str], float | None]) -> None:
    """(schedule, rate, seed) -> score; None has failed."""
    for number, ((name, rate, seed), score) in enumerate(scores.items()):
        status = "finished" if score is not None else "failed"
        overrides = [f"scheduler={name}", f"optimizer.lr={rate}", f"seed={seed}"]
        job(folder / str(number), *overrides, score=score, status=status)


def called(*words: Any, code: int = 0) -> str:
    """What a command prints, in a process of its own."""
    command = [sys.executable, "-m", "lr_configs", "compare", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout


# --- statistics ------------------------------------------------------------------------------------------------------


@given(st.floats(0.6, 0.99999), st.floats(0.5, 5000))
def test_the_quantile_is_scipys(p: float, df: float) -> None:
    assert quantile(p, df) == pytest.approx(stats.t.ppf(p, df), rel=1e-8, abs=1e-12)


SCORES = st.lists(st.floats(-10, 10).map(lambda x: round(x, 3)), min_size=3, max_size=8)


@given(SCORES)
def test_one_setting_has_students_interval(scores: list[float]) -> None:
    found = mean_of([{(str(i),): score for i, score in enumerate(scores)}])
    assert found.mean == pytest.approx(sum(scores) / len(scores), abs=1e-12)
    if len(set(scores)) > 1:
        low, high = stats.t.interval(0.95, len(scores) - 1, found.mean, stats.sem(scores))
        assert found.half() == pytest.approx((high - low) / 2, rel=1e-8)
    else:
        assert found.half() == pytest.approx(0, abs=1e-12)


@given(SCORES, SCORES)
def test_without_common_seeds_a_difference_is_welchs(one: list[float], other: list[float]) -> None:
    if len(set(one)) == 1 or len(set(other)) == 1:  # scipy warns
        return
    found = difference(
        [{("a", str(i)): x for i, x in enumerate(one)}], [{("b", str(i)): x for i, x in enumerate(other)}]
    )
    theirs = stats.ttest_ind(one, other, equal_var=False).confidence_interval(0.95)
    assert found.mean - found.half() == pytest.approx(theirs.low, rel=1e-7, abs=1e-9)
    assert found.mean + found.half() == pytest.approx(theirs.high, rel=1e-7, abs=1e-9)


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=3, max_size=8))
def test_with_common_seeds_a_difference_is_that_of_pairs(pairs: list[tuple[float, float]]) -> None:
    one, other = zip(*[(round(a, 3), round(b, 3)) for a, b in pairs], strict=True)
    found = difference(*[[{(str(i),): x for i, x in enumerate(some)}] for some in (one, other)])
    if len({round(a - b, 9) for a, b in zip(one, other, strict=True)}) > 1:
        theirs = stats.ttest_rel(one, other).confidence_interval(0.95)
        assert found.mean - found.half() == pytest.approx(theirs.low, rel=1e-6, abs=1e-9)
        assert found.mean + found.half() == pytest.approx(theirs.high, rel=1e-6, abs=1e-9)


def test_seeds_that_all_settings_share_are_in_the_error_of_a_mean() -> None:
    groups = [{("0",): 1.0, ("1",): 2.0, ("2",): 4.0}, {("0",): 11.0, ("1",): 12.0, ("2",): 14.0}]
    low, high = stats.t.interval(0.95, 2, 22 / 3, stats.sem([6, 7, 9]))
    assert mean_of(groups).half() == pytest.approx((high - low) / 2)
    assert (mean_of(groups).n, mean_of(groups).settings) == (6, 2)


def test_a_setting_that_was_not_repeated_scatters_as_the_others() -> None:
    found = independent([[1.0, 3.0], [5.0]])
    assert found.mean == 3.5
    assert found.error == pytest.approx(math.sqrt(2 / 2 + 2 / 1) / 2)
    assert independent([[1.0], [2.0]]).error is None


def test_intervals_hold_as_often_as_they_say() -> None:
    """Studies of which the truth is known: two settings with another scatter each, four seeds."""
    chance, held, rounds = random.Random(1), 0, 4000
    for _ in range(rounds):
        shift = [chance.gauss(0, 1) for _ in range(4)]
        one, other = (
            [{(str(s),): shift[s] + chance.gauss(0, wide) for s in range(4)} for wide in (0.3, 1.0)] for _ in range(2)
        )
        found = difference(one, other)
        held += abs(found.mean) <= found.half()
    # Satterthwaite's is an approximation: with other seeds 0.940 to 0.949; the binomial's own scatter is 0.0034.
    assert 0.93 <= held / rounds <= 0.965


# --- effects ---------------------------------------------------------------------------------------------------------


def effect_of(folder: Path, factor: str) -> Any:
    return next(one for one in effects(compare([folder])) if one.factor == factor)


def test_what_is_ahead_and_what_cannot_be_told_apart(tmp_path: Path) -> None:
    chance = random.Random(0)
    base = {"cosine": 0.9, "rex": 0.899, "step": 0.8}
    seeds = {str(s): chance.gauss(0, 0.05) for s in range(5)}
    grid(tmp_path, {
        (name, rate, seed): base[name] + shift - (0.1 if rate == "1.0" else 0) + chance.gauss(0, 0.004)
        for name, rate, (seed, shift) in itertools.product(base, ("0.1", "1.0"), seeds.items())
    })  # fmt: skip
    found = effect_of(tmp_path, "scheduler")
    assert [(level.name, level.leads) for level in found.levels[2:]] == [("step", "")]
    assert {level.leads for level in found.levels[:2]} == {"best", "close"}
    assert "cannot be told apart" in found.verdict
    assert found.levels[0].best == "optimizer.lr=0.1"
    assert (found.levels[2].estimate.n, found.settings, found.of) == (10, 2, 2)
    rates = effect_of(tmp_path, "optimizer.lr")
    assert [level.name for level in rates.levels] == ["0.1", "1.0"]
    assert rates.verdict == "0.1 is ahead of all others"
    assert "seed" not in [one.factor for one in effects(compare([tmp_path]))]


def test_levels_are_compared_over_the_settings_that_all_of_them_have(tmp_path: Path) -> None:
    """A schedule that breaks at the rate where all are bad must not gain by it."""
    grid(tmp_path, {
        ("cosine", "0.1", "0"): 0.9, ("cosine", "1.0", "0"): 0.5,
        ("step", "0.1", "0"): 0.8, ("step", "1.0", "0"): None,
    })  # fmt: skip
    found = effect_of(tmp_path, "scheduler")
    assert [(level.name, level.estimate.mean, level.missing) for level in found.levels] == [
        ("cosine", 0.9, 0),
        ("step", 0.8, 1),
    ]
    assert (found.settings, found.of, found.even, found.repeated) == (1, 2, True, False)
    assert "repetitions would tell" in found.verdict
    assert "those of 2 in which every value has a result" in tables.effect_note(found)


def test_levels_without_a_common_setting_are_said_to_be_uneven(tmp_path: Path) -> None:
    grid(tmp_path, {("cosine", "0.1", "0"): 0.9, ("step", "1.0", "0"): 0.8, ("rex", "1.0", "0"): None})
    found = effect_of(tmp_path, "scheduler")
    assert not found.even
    assert "different settings" in tables.effect_note(found)
    assert found.levels[-1].name == "rex"
    assert found.levels[-1].estimate is None


def test_no_distance_has_one_sign(tmp_path: Path) -> None:
    scores = {("a", "0"): 0.5, ("a", "1"): 0.75, ("b", "0"): 0.75, ("b", "1"): 0.5}
    grid(tmp_path, {(name, "0.1", seed): score for (name, seed), score in scores.items()})
    found = effect_of(tmp_path, "scheduler")
    assert tables.behind(found, found.levels[1]) == "+0.0 ± 3.2, not told apart"


def test_less_may_be_better(tmp_path: Path) -> None:
    for number, (name, score) in enumerate([("a", 0.5), ("b", 0.25)]):
        job(tmp_path / str(number), f"scheduler={name}", value=None)
        data = {"last": [5, score], "least": [2, score / 2], "greatest": [1, 9.0], "points": []}
        job(tmp_path / str(number), f"scheduler={name}", metrics={"val_loss": data})
    found = compare([tmp_path])
    assert (found.judge.metric, found.judge.mode, found.judge.guessed) == ("val_loss", "min", True)
    assert [run.settings["scheduler"] for run in found.runs] == ["b", "a"]
    assert "a guess from its name" in tables.title(found)
    assert effects(found)[0].levels[0].name == "b"
    assert effects(found)[0].levels[1].behind == (0.25, None)
    best = compare([tmp_path], best=True)
    assert [best.score(run) for run in best.runs] == [0.125, 0.25]


def test_runs_that_became_no_number_are_last_and_in_no_mean(tmp_path: Path) -> None:
    grid(tmp_path, {("a", "1", "0"): 0.5, ("b", "1", "0"): math.nan, ("c", "1", "0"): 0.7})
    found = compare([tmp_path])
    assert [run.settings["scheduler"] for run in found.runs] == ["c", "a", "b"]
    assert found.ranks == 3
    assert effects(found)[0].levels[-1].estimate is None
    assert tables.data(found)["runs"][2]["score"] is None


# --- what lies in folders --------------------------------------------------------------------------------------------


def test_every_kind_of_job(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    job(sweep / "0", "x=1", score=0.5)
    job(sweep / "1", "x=2", status="failed")
    job(sweep / "2", "x=3", status="pruned")
    Job(Task(sweep / "3", ["x=4"], 3, multirun=True))  # this process runs it
    dead = {**process.identity(), "start": "1"}
    job(sweep / "4", "x=5")
    data = json.loads((sweep / "4/manifest.json").read_text())
    write_json(sweep / "4/manifest.json", {**data, "status": "running", "process": dead})
    (sweep / "5").mkdir()
    (sweep / "5/manifest.json").write_text('{"format": 1, "over')
    (sweep / "6/.hydra").mkdir(parents=True)
    (sweep / "6/.hydra/overrides.yaml").write_text("- x=7\n- y=<b>\n")
    (sweep / "0/checkpoints").mkdir()
    write_json(sweep / "sweep.json", {"format": 1, "jobs": [[f"x={i}"] for i in range(1, 11)]})
    found = compare([sweep])
    assert found.counts() == {
        "finished": 1, "running": 1, "pruned": 1, "failed": 1, "killed": 1, "unreadable": 1, "unrecorded": 1, "waiting": 4,
    }  # fmt: skip
    assert [run.folder.rpartition("/")[2] for run in found.runs] == ["0", "3", "2", "1", "4", "5", "6"]
    reasons = {run.status: run.reason for run in found.runs}
    assert "is gone" in reasons["killed"]
    assert "is cut off in the middle" in reasons["unreadable"]
    assert found.runs[-1].settings == {"x": "7", "y": "<b>"}
    out = called(sweep)
    assert "11 jobs: 1 finished, 1 running, 1 pruned, 1 failed, 1 killed, 1 unreadable, 1 unrecorded, 4 waiting" in out


@pytest.mark.parametrize("name", ["metrics", "objective", "schedules", "rates", "process", "value", "seconds"])
@pytest.mark.parametrize("value", [3, "text", [], {}, [[1]], {"a": 1}, {"a": {"last": 3, "points": [1]}}, None])
def test_manifests_of_any_content_stop_nothing(name: str, value: Any, tmp_path: Path) -> None:
    job(tmp_path / "0", "x=1", score=0.5)
    job(tmp_path / "1", "x=2", score=0.6)
    data = json.loads((tmp_path / "1/manifest.json").read_text())
    write_json(tmp_path / "1/manifest.json", {**data, name: value})
    found = compare([tmp_path])
    assert len(found.runs) == 2
    from lr_configs.sweeps.page import page

    assert page(found)
    tables.data(found)


def test_the_schedule_is_a_factor_where_no_override_tells_it(tmp_path: Path) -> None:
    for number, name in enumerate(("cosine", "rex")):
        job(tmp_path / str(number), f"experiment={number}", score=0.5 + number, schedules=[{"name": name}])
    assert compare([tmp_path]).factors == ["schedule", "experiment"]


def test_a_value_that_is_another_one_in_every_run_is_no_factor(tmp_path: Path) -> None:
    for number in range(30):
        job(
            tmp_path / str(number),
            f"lr={0.1 + number / 1000}",
            f"scheduler={'ab'[number % 2]}",
            score=0.5 + number / 100,
        )
    found = compare([tmp_path])
    assert found.factors == ["lr", "scheduler"]
    assert [one.factor for one in effects(found)] == ["scheduler"]
    assert [(level.name, level.estimate.n) for level in effects(found)[0].levels] == [("b", 15), ("a", 15)]


def test_several_values_of_a_job(tmp_path: Path) -> None:
    Job(Task(tmp_path / "0", ["x=1"], 0, multirun=True)).end("finished", value=(0.5, 2))
    assert compare([tmp_path], metric="value.1").runs[0].scores == {"value.0": (0.5,) * 3, "value.1": (2.0,) * 3}


def test_a_manifest_of_a_later_version_is_named_and_the_rest_is_shown(tmp_path: Path) -> None:
    job(tmp_path / "0", "x=1", score=0.5)
    (tmp_path / "1").mkdir()
    (tmp_path / "1/manifest.json").write_text('{"format": 2, "versions": {"lr_configs": "9.1"}}')
    out = called(tmp_path)
    assert "1 finished, 1 unreadable" in out
    assert "has format 2, of lr_configs 9.1: this version reads 1. Update it" in out


def test_what_the_jobs_returned_counts_where_they_have_nothing_else(tmp_path: Path) -> None:
    for number in range(3):
        made = Job(Task(tmp_path / str(number), [f"x={number}"], number, multirun=True))
        made.end("finished", value=float(number))
    found = compare([tmp_path])
    assert (found.judge.metric, found.score(found.runs[0])) == ("value", 2.0)


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Path:
    scores = {
        (n, r, s): 0.5 + 0.1 * (n == "rex") + 0.01 * int(s)
        for n in ("step", "rex")
        for r in ("0.1", "0.2")
        for s in "01"
    }
    grid(tmp_path / "sweep", {**scores, ("bad\x1b[31m", "0.1", "0"): None})
    return tmp_path / "sweep"


def test_the_terminals_page(small: Path) -> None:
    out = called(small)
    assert out.startswith("9 jobs: 8 finished, 1 failed\n\nranked by acc, its last value (greater is better)\n")
    assert "rex is ahead of all others" in out
    assert "1     0.61  0.671  rex" in out
    assert f"  {small}/8 failed: it had to  [scheduler=bad [31m optimizer.lr=0.1 seed=0]" in out
    assert "\x1b" not in out


def test_csv(small: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(called(small, "--csv"))))
    assert [row["rank"] for row in rows] == [*"12345678", ""]
    assert float(rows[0]["acc"]) == 0.61
    assert (rows[0]["scheduler"], rows[0]["seed"]) == ("rex", "1")
    assert rows[-1]["reason"] == "it had to"


def test_json(small: Path) -> None:
    data = json.loads(called(small, "--json"))
    assert (data["metric"], data["mode"], data["by"]) == ("acc", "max", "last")
    assert data["repeats"] == ["seed"]
    assert data["best"]["score"] == pytest.approx(0.61)
    (effect,) = [one for one in data["effects"] if one["factor"] == "scheduler"]
    assert [(level["value"], level["missing"]) for level in effect["levels"]] == [
        ("rex", 0),
        ("step", 0),
        ("bad\x1b[31m", 1),
    ]
    assert effect["levels"][1]["behind"] == pytest.approx(-0.1)
    assert len(data["runs"]) == 9


def test_files_by_their_endings(small: Path, tmp_path: Path) -> None:
    for kind in ("csv", "json", "html"):
        called(small, "-o", tmp_path / f"x.{kind}")
        assert (tmp_path / f"x.{kind}").stat().st_size > 100
    assert "x.csv is there already" in called(small, "-o", tmp_path / "x.csv", code=2)
    called(small, "-o", tmp_path / "x.csv", "--force")


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["no such folder"], "there is no such folder"),
        (["{empty}"], "no job's manifest.json is anywhere below"),
        (["{small}", "--metric", "f1"], "no run has it. Theirs: acc"),
        (["{small}", "-o", "x.xls"], "html, csv, json"),
        (["{small}", "--top", "0"], "1 or more"),
        (["{small}", "--csv", "--json"], "not allowed with"),
    ],
)
def test_calls_that_are_wrong(words: Sequence[str], match: str, small: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "empty").mkdir()
    places = {"small": str(small), "empty": str(tmp_path / "empty")}
    assert main(["compare", *(word.format(**places) for word in words)]) == 2
    error = capsys.readouterr().err
    assert match in error
    assert error.startswith("lr-configs compare: ")


def test_other_repetitions_and_other_metrics(small: Path, capsys: Any) -> None:
    assert main(["compare", str(small), "--repeat", "optimizer.lr", "--by", "best", "--top", "2"]) == 0
    out = capsys.readouterr().out
    assert "the best value of each run" in out
    assert "... and 7 more: --top 9" in out
    assert "best with" not in out


def test_nothing_heavy_is_imported(small: Path) -> None:
    code = (
        "import sys; from lr_configs.commands import main; main(sys.argv[1:])\n"
        "assert not {'torch', 'hydra', 'numpy', 'matplotlib', 'omegaconf'} & set(sys.modules), sys.modules.keys()"
    )
    for form in ([], ["-o", str(small / "x.html")]):
        command = [sys.executable, "-c", code, "compare", str(small), *form]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_memory_does_not_grow_with_the_length_of_logs(tmp_path: Path) -> None:
    """Of logs, which nobody reads, and of manifests, of which little is kept."""
    code = "import sys, resource; from lr_configs.commands import main; main(['compare', sys.argv[1], '--top', '1'])\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    used = []
    for points, log in ((2, 0), (2000, 200_000)):
        folder = tmp_path / str(points)
        synthetic.sweep(folder, 200, points)
        for place in folder.iterdir():
            (place / "train.log").write_bytes(b"x" * log)
        done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
        used.append(int(done.stdout.splitlines()[-1]))
    assert os.path.getsize(tmp_path / "2000/0/manifest.json") > 20 * os.path.getsize(tmp_path / "2/0/manifest.json")
    assert used[1] < used[0] + 8_000  # kB; the greater manifests alone have 10 MB, and the logs 40 MB
