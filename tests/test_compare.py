"""What is made of the manifests of a sweep: ranks, effects beside scipy's numbers, tables, and the command."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import os
import random
import re
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
from lr_configs.preview import style
from lr_configs.sweeps import page, process, tables
from lr_configs.sweeps.effects import Effect, Estimate, Level, difference, effects, independent, mean_of
from lr_configs.sweeps.files import write_json
from lr_configs.sweeps.manifest import Job, Task
from lr_configs.sweeps.runs import MODES, Comparison, Judge, Run, compare, curves, judge, run_of
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
    if "seconds" in more:
        write_json(folder / "manifest.json", {**made.data, "seconds": more["seconds"]})


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


def test_a_quantile_beyond_all_numbers() -> None:
    assert quantile(0.999, 0.005) >= 1e154


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


def test_two_seeds_that_all_settings_share_are_a_pair() -> None:
    seeds = [("0",), ("1",)]
    shared = mean_of([dict(zip(seeds, scores, strict=True)) for scores in ([1.0, 2.0], [1.5, 2.5])])
    (low, high) = stats.t.interval(0.95, 1, 1.75, 0.5)  # the means of the seeds: 1.25 and 2.25
    assert shared.mean == 1.75
    assert shared.half() == pytest.approx((high - low) / 2, rel=1e-6)
    assert (shared.n, shared.settings) == (4, 2)
    apart = mean_of([{("0",): 1.0, ("1",): 2.0}, {("0",): 1.5, ("2",): 2.5}])
    assert apart.half() < shared.half() / 2


def test_a_setting_that_was_not_repeated_scatters_as_the_others() -> None:
    found = independent([[1.0, 3.0], [5.0]])
    assert found.mean == 3.5
    assert found.error == pytest.approx(math.sqrt(2 / 2 + 2 / 1) / 2)
    assert independent([[1.0], [2.0]]).error is None


def test_one_common_seed_makes_no_pair() -> None:
    found = difference([{("0",): 1.0, ("1",): 2.0}], [{("0",): 1.5, ("5",): 3.5}])
    theirs = stats.ttest_ind([1.0, 2.0], [1.5, 3.5], equal_var=False).confidence_interval(0.95)
    assert (found.mean, found.n, found.settings) == (-1.0, 4, 1)
    assert found.mean + found.half() == pytest.approx(theirs.high, rel=1e-7)
    assert difference([{("0",): 1.0}], [{("0",): 2.5}]) == Estimate(-1.5, 2, 1, None, 0)
    assert difference([{("0",): 1.0, ("1",): 2.0}], [{("0",): 2.5}]) == Estimate(-1.0, 3, 1, None, 0)


@pytest.mark.parametrize(
    ("close", "says"),
    [
        (0, "0 is ahead of all others"),
        (1, "0 is ahead; 1 cannot be told apart from it"),
        (5, "0 is ahead; 1, 2, 3, 4, 5 cannot be told apart from it"),
        (6, "0 is ahead; 1, 2, 3, 4, 5 and 1 more cannot be told apart from it"),
        (8, "0 is ahead; 1, 2, 3, 4, 5 and 3 more cannot be told apart from it"),
    ],
)
def test_of_many_that_are_close_five_are_named(close: int, says: str) -> None:
    some = Estimate(0.5, 2, 1, 0.1, 1)
    leads = ["best", *["close"] * close, ""]
    levels = [Level(str(i), some, "", some, 0, leads=lead) for i, lead in enumerate(leads)]
    assert Effect("x", levels, 1, 1, True, repeated=True).verdict == says
    assert Effect("x", levels, 1, 1, True, repeated=False).verdict.startswith(
        "0 is ahead; how sure that is, repetitions"
    )
    nothing = [Level("1", None, "", None, 1), Level("2", None, "", None, 1)]
    assert Effect("x", [levels[0], *nothing], 1, 1, True, repeated=False).verdict == "there is nothing to compare"


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
    assert found.levels[1].behind == (pytest.approx(-0.1), None)
    assert [level.leads for level in found.levels] == ["best", "close", ""]


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
    assert page.page(found)
    tables.data(found)


def test_the_schedule_is_a_factor_where_no_override_tells_it(tmp_path: Path) -> None:
    for number, name in enumerate(("cosine", "rex")):
        job(tmp_path / str(number), f"experiment={number}", score=0.5 + number, schedules=[{"name": name}])
    assert compare([tmp_path]).factors == ["schedule", "experiment"]
    for number, name in enumerate(("cosine", "rex")):
        job(tmp_path / "told" / str(number), f"model.schedule={name}", "seed=1", schedules=[{"name": name}])
        job(tmp_path / "same" / str(number), f"model={number}", schedules=[{"name": "rex"}])
        job(tmp_path / "own" / str(number), f"schedule={number}", schedules=[{"name": name}])
    job(tmp_path / "told/2", "model.schedule=cosine", "seed=2")  # has failed before its schedule was made
    found = [compare([tmp_path / name]).factors for name in ("told", "same", "own")]
    assert found == [["model.schedule", "seed"], ["model"], ["schedule"]]


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
    # before anything is read
    assert "x.csv is there already" in called(tmp_path / "no folder", "-o", tmp_path / "x.csv", code=2)
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


# --- single runs ------------------------------------------------------------------------------------------------------


def a_run(
    number: int = 0, *, objective: tuple[str, str | None] | None = None, status: str = "finished", **scores: float
) -> Run:
    found = {name.replace("__", "."): (score, score, score) for name, score in scores.items()}
    return Run(f"{number}", status, scores=found, objective=objective)


@pytest.mark.parametrize(
    ("runs", "given", "expected"),
    [
        ([], {}, None),
        ([a_run(), a_run(objective=("acc", "max"))], {}, None),
        ([a_run(acc=1.0, loss=2.0, objective=("acc", "min"))], {}, Judge("acc", "min")),
        # what most are judged by, if they have it; then what they returned; then what most have
        ([a_run(acc=1, f1=1, objective=("acc", "max")), *[a_run(acc=1, f1=1, objective=("f1", "max"))] * 2], {}, Judge("f1", "max")),
        ([a_run(acc=1, value=1, objective=("acc", "max")), *[a_run(value=1, objective=("f1", "max"))] * 2], {}, Judge("acc", "max")),
        ([a_run(acc=1, value=1), *[a_run(acc=1)] * 2], {}, Judge("value", "max", guessed=True)),
        ([a_run(acc=1), *[a_run(f1=1)] * 2], {}, Judge("f1", "max", guessed=True)),
        # what they returned is better in the way in which the jobs are judged
        ([a_run(value=1, objective=("loss", "min"))], {}, Judge("value", "min")),
        ([a_run(f1=1, objective=("loss", "min"))], {}, Judge("f1", "max", guessed=True)),
        ([a_run(acc=1, objective=("acc", None))], {}, Judge("acc", "max", guessed=True)),
        ([a_run(acc=1, objective=("acc", "min")), *[a_run(acc=1, objective=("acc", "max"))] * 2], {}, Judge("acc", "max")),
        # the caller's word
        ([a_run(acc=1, f1=1, objective=("acc", "max"))], {"metric": "f1"}, Judge("f1", "max", guessed=True)),
        ([a_run(acc=1, objective=("acc", "max"))], {"metric": "acc", "mode": "min"}, Judge("acc", "min")),
        ([a_run(acc=1, objective=("acc", "max"))], {"mode": "min", "best": True}, Judge("acc", "min", best=True)),
        ([], {"metric": "acc", "best": True}, Judge("acc", "max", best=True, guessed=True)),
        *(([a_run(**{name: 1})], {}, Judge(name, "min", guessed=True)) for name in ("val_Loss", "valLoss", "err", "top1_error", "ppl", "val/RMSE", "wer", "test-fid")),
        *(([a_run(**{name: 1})], {}, Judge(name, "max", guessed=True)) for name in ("answer_acc", "confidence", "merry", "F1")),
    ],
)  # fmt: skip
def test_what_runs_are_judged_by(runs: list[Run], given: dict[str, Any], expected: Judge | None) -> None:
    assert judge(runs, **given) == expected


def test_the_value_of_a_run_that_counts() -> None:
    run = Run("0", "finished", scores={"acc": (0.5, 0.25, 0.75)})
    found = [
        (one.score(run), one.other(run))
        for one in (Judge("acc", mode, best) for mode in MODES for best in (False, True))
    ]
    assert found == [(0.5, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 0.5)]
    assert (Judge("f1", "max").score(run), Judge("f1", "max").other(run)) == (None, None)
    for mode, sign in (("min", 1), ("max", -1)):
        assert [Judge("acc", mode).order(score) for score in (0.5, -2.0, math.nan)] == [
            sign * 0.5,
            sign * -2.0,
            math.inf,
        ]


def test_the_order_of_runs(tmp_path: Path) -> None:
    """Those that are finished and those that run by their scores; a score of the others counts for nothing."""
    for number, score in enumerate([0.25, 0.75, 0.5]):
        job(tmp_path / str(number), f"x={number}", score=score)
        job(tmp_path / str(number + 3), f"x={number + 3}", score=score)
        path = tmp_path / str(number + 3) / "manifest.json"
        write_json(path, {**json.loads(path.read_text()), "status": "running"})
        job(tmp_path / str(number + 6), f"x={number + 6}", score=1.0, status="failed")
        job(tmp_path / str(number + 9), f"x={number + 9}")
    found = compare([tmp_path])
    assert [run.folder.rpartition("/")[2] for run in found.runs] == [
        "1",
        "2",
        "0",
        "9",
        "10",
        "11",
        "4",
        "5",
        "3",
        "6",
        "7",
        "8",
    ]
    assert found.ranks == 3


def test_the_whole_of_a_run(tmp_path: Path) -> None:
    series = {"last": [3, 0.5], "least": [1, 0.25], "greatest": [2, "inf"], "points": [[1, 0.25], [2, "inf"], [3, 0.5]]}
    points = [[0, 0.1], [1, "nan"], [2, None], ["x", 1.0], [3], 4, [5, 0.05]]
    job(
        tmp_path / "7", "+x='a=b'", "~y", status="failed", seconds=1.5, updates=3, attempt=2, command="again",
        metrics={"acc": series, "none": {"last": None}, "text": {"last": [1, "text"]}, "more": {"last": [1, 2, 3]}},
        objective={"metric": "acc", "mode": "up"}, schedules=[{"name": "rex"}, {"name": "step"}],
        rates={"lr/SGD/0": {"points": points}, "lr/SGD/1": {"points": [[0, 7.0]]}},
    )  # fmt: skip
    assert run_of(tmp_path / "7", recorded=True) == Run(
        str(tmp_path / "7"), "failed", "it had to", {"x": "'a=b'", "~y": ""}, "rex", {"acc": (0.5, 0.25, math.inf)},
        ("acc", None), 1.5, 3, 2, "again",
    )  # fmt: skip
    found = curves(str(tmp_path / "7"), "acc")
    assert found["metric"] == [[1.0, 0.25], [2.0, math.inf], [3.0, 0.5]]
    assert [[x, y] for x, y in found["rate"] if y == y] == [[0.0, 0.1], [5.0, 0.05]]
    assert [x for x, y in found["rate"] if y != y] == [1.0]
    assert curves(str(tmp_path / "7"), "f1") == {"rate": found["rate"], "metric": []}
    assert curves(str(tmp_path / "8"), "acc") == {}


# --- whole outputs ---------------------------------------------------------------------------------------------------


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two schedules with three seeds at a small rate, and what else becomes of jobs at a greater one."""
    monkeypatch.chdir(tmp_path)
    scores = [("cosine", 0.9), ("cosine", 0.92), ("cosine", 0.88), ("step", 0.8), ("step", 0.86), ("step", 0.74)]
    for number, (name, score) in enumerate(scores):
        overrides = [f"scheduler={name}", "lr=0.1", f"seed={number % 3}"]
        job(
            Path(f"sweep/{number}"), *overrides, score=score, seconds=59.6 + number, updates=30, command=f"run {number}"
        )
    job(Path("sweep/6"), "scheduler=step", "lr=0.5", "seed=0", score=0.5, seconds=3700.0, attempt=2, command="run 6")
    job(Path("sweep/7"), "scheduler=rex", "lr=0.5", "seed=0", status="failed", seconds=2.25)
    job(Path("sweep/8"), "scheduler=cosine", "lr=0.5", "seed=0", score=math.nan, seconds=0.5)
    write_json(Path("sweep/sweep.json"), {"format": 1, "jobs": [["x"]] * 11})
    return Path("sweep")


def test_every_word_for_a_terminal(sweep: Path, capsys: Any) -> None:
    assert main(["compare", "sweep"]) == 0
    apart = "those of 2 in which every value has a result; ± is the 95% interval, by the scatter of repetitions"
    assert (
        capsys.readouterr().out
        == f"""\
11 jobs: 8 finished, 1 failed, 2 waiting

ranked by acc, its last value (greater is better)
rank  acc   best   scheduler  lr   seed  status                updates  time       job
1     0.92  1.012  cosine     0.1  1     finished              30       1 min 0 s  sweep/1
2     0.9   0.99   cosine     0.1  0     finished              30       60 s       sweep/0
3     0.88  0.968  cosine     0.1  2     finished              30       1 min 1 s  sweep/2
4     0.86  0.946  step       0.1  1     finished              30       1 min 3 s  sweep/4
5     0.8   0.88   step       0.1  0     finished              30       1 min 2 s  sweep/3
6     0.74  0.814  step       0.1  2     finished              30       1 min 4 s  sweep/5
7     0.5   0.55   step       0.5  0     finished (attempt 2)           1 h 1 min  sweep/6
8     nan   nan    cosine     0.5  0     finished                       0.5 s      sweep/8
                   rex        0.5  0     failed                         2.2 s      sweep/7

scheduler  mean          to the best     n  no result  best with
cosine     0.900 ± 0.05  best            3  1          lr=0.1: 0.900 ± 0.05 (3)
step       0.80 ± 0.15   -0.100 ± 0.099  3             lr=0.1: 0.80 ± 0.15 (3)
rex                                      0  1
cosine is ahead of all others (means over 1 setting of the others, {apart})

lr   mean         to the best  n  no result  best with
0.1  0.80 ± 0.15  best         3             scheduler=cosine: 0.900 ± 0.05 (3)
0.5  0.5          -0.3         1  2          scheduler=step: 0.5 (1)
0.1 is ahead; 0.5 cannot be told apart from it (means over 1 setting of the others, {apart})

without a result:
  sweep/7 failed: it had to  [scheduler=rex lr=0.5 seed=0]

the best run again:  run 1
"""
    )


def test_every_cell_of_a_spreadsheet(sweep: Path, capsys: Any) -> None:
    assert main(["compare", "sweep", "--csv"]) == 0
    assert (
        capsys.readouterr().out
        == """\
rank,acc,best,scheduler,lr,seed,status,updates,seconds,attempt,job,reason,command
1,0.92,1.0120000000000002,cosine,0.1,1,finished,30,60.6,1,sweep/1,,run 1
2,0.9,0.9900000000000001,cosine,0.1,0,finished,30,59.6,1,sweep/0,,run 0
3,0.88,0.9680000000000001,cosine,0.1,2,finished,30,61.6,1,sweep/2,,run 2
4,0.86,0.9460000000000001,step,0.1,1,finished,30,63.6,1,sweep/4,,run 4
5,0.8,0.8800000000000001,step,0.1,0,finished,30,62.6,1,sweep/3,,run 3
6,0.74,0.8140000000000001,step,0.1,2,finished,30,64.6,1,sweep/5,,run 5
7,0.5,0.55,step,0.5,0,finished,,3700.0,2,sweep/6,,run 6
8,nan,nan,cosine,0.5,0,finished,,0.5,1,sweep/8,,
,,,rex,0.5,0,failed,,2.25,1,sweep/7,it had to,
"""
    )
    best = tables.spreadsheet(compare([sweep], best=True)).splitlines()
    assert best[:2] == [
        "rank,acc,last,scheduler,lr,seed,status,updates,seconds,attempt,job,reason,command",
        "1,1.0120000000000002,0.92,cosine,0.1,1,finished,30,60.6,1,sweep/1,,run 1",
    ]


def rounded(data: Any) -> Any:
    """Without the last digits of numbers."""
    if isinstance(data, dict):
        return {key: rounded(value) for key, value in data.items()}
    if isinstance(data, list):
        return [rounded(value) for value in data]
    return round(data, 6) if isinstance(data, float) else data


def level(
    value: str, mean: Any, half: Any, behind: Any, behind_half: Any, n: int, missing: int, leads: str, *best: Any
) -> Any:
    keys = [
        "value",
        "mean",
        "half_width",
        "behind",
        "behind_half_width",
        "n",
        "missing",
        "leads",
        "best_with",
        "best_mean",
    ]
    return dict(zip(keys, [value, mean, half, behind, behind_half, n, missing, leads, *best], strict=True))


def test_every_key_for_a_program(sweep: Path) -> None:
    t = stats.t.ppf(0.975, 2) / math.sqrt(3)  # of the intervals of three seeds, in standard deviations
    small, great, apart = rounded([t * 0.02, t * 0.06, t * 0.04])
    found = tables.data(compare([sweep]))
    runs = found.pop("runs")
    assert rounded(found) == {
        "metric": "acc", "mode": "max", "by": "last", "counts": {"finished": 8, "failed": 1, "waiting": 2},
        "factors": ["scheduler", "lr", "seed"], "repeats": ["seed"],
        "best": {"job": "sweep/1", "score": 0.92, "command": "run 1"},
        "effects": [
            {"factor": "scheduler", "verdict": "cosine is ahead of all others", "settings": 1, "even": True, "levels": [
                level("cosine", 0.9, small, None, None, 3, 1, "best", "lr=0.1", 0.9),
                level("step", 0.8, great, -0.1, apart, 3, 0, "", "lr=0.1", 0.8),
                level("rex", None, None, None, None, 0, 1, "", "", None),
            ]},
            {"factor": "lr", "verdict": "0.1 is ahead; 0.5 cannot be told apart from it", "settings": 1, "even": True, "levels": [
                level("0.1", 0.8, great, None, None, 3, 0, "best", "scheduler=cosine", 0.9),
                level("0.5", 0.5, None, -0.3, None, 1, 2, "close", "scheduler=step", 0.5),
            ]},
        ],
    }  # fmt: skip
    assert [(one["rank"], one["job"]) for one in runs] == [
        *((i + 1, f"sweep/{number}") for i, number in enumerate([1, 0, 2, 4, 3, 5, 6, 8])), (None, "sweep/7"),
    ]  # fmt: skip
    shared: dict[str, Any] = {"updates": None, "attempt": 1, "schedule": None}
    assert rounded([runs[0], *runs[-2:]]) == [
        {**shared, "rank": 1, "score": 0.92, "other": 1.012, "status": "finished", "reason": None, "metrics": {"acc": 0.92},
         "settings": {"scheduler": "cosine", "lr": "0.1", "seed": "1"}, "updates": 30, "seconds": 60.6, "job": "sweep/1", "command": "run 1"},
        {**shared, "rank": 8, "score": None, "other": None, "status": "finished", "reason": None, "metrics": {"acc": None},
         "settings": {"scheduler": "cosine", "lr": "0.5", "seed": "0"}, "seconds": 0.5, "job": "sweep/8", "command": None},
        {**shared, "rank": None, "score": None, "other": None, "status": "failed", "reason": "it had to", "metrics": {},
         "settings": {"scheduler": "rex", "lr": "0.5", "seed": "0"}, "seconds": 2.25, "job": "sweep/7", "command": None},
    ]  # fmt: skip


def test_what_the_page_s_script_gets(sweep: Path) -> None:
    found = page.data(compare([sweep]), 2)
    assert [row[-1] for row in found.pop("rows")] == [f"sweep/{number}" for number in (1, 0, 2, 4, 3, 5, 6, 8, 7)]
    assert found.pop("dashes") == [style.dash(number) for number in range(16)]
    curves = found.pop("curves")
    assert rounded(curves) == {
        place: {"rate": [], "metric": [[10.0, last / 2], [20.0, round(1.1 * last, 6)], [30.0, last]]}
        for place, last in {0: 0.92, 1: 0.9, 3: 0.86}.items()
    }
    assert found == {
        "columns": ["rank", "acc", "best", "scheduler", "lr", "seed", "status", "updates", "time", "job"],
        "keys": {"8": [60.6, 59.6, 61.6, 63.6, 62.6, 64.6, 3700.0, 0.5, 2.2]},
        "states": ["finished", "failed", "waiting"],
        "state": ["finished"] * 8 + ["failed"],
        "metric": "acc",
        "labels": {
            0: "scheduler=cosine lr=0.1 seed=1",
            1: "scheduler=cosine lr=0.1 seed=0",
            3: "scheduler=step lr=0.1 seed=1",
        },
        "chosen": [0, 3],
        "colours": 8,
    }


def test_what_the_page_shows_without_its_script(sweep: Path) -> None:
    html = page.page(compare([sweep]))
    assert "<h1>11 jobs: 8 finished, 1 failed, 2 waiting</h1>\n<p>ranked by acc, its last value" in html
    assert "<p>The best run, sweep/1, with 0.92:</p>\n<div class=best><pre id=command>run 1</pre>" in html
    rows = re.findall(r"<tr>(<th scope=row>.*|<td>.*)</tr>", html)
    cells = [re.findall(r"<t[hd][^>]*>(?:<svg.*?>)?(.*?)(?:</svg>)?</t[hd]>", row) for row in rows]
    half = {mean: stats.t.ppf(0.975, 2) / math.sqrt(3) * deviation for mean, deviation in ((0.9, 0.02), (0.8, 0.06))}
    # The scale goes from 4 to 256: from the lowest end of all intervals, cut off at twice the distance of the means, to the highest.
    low, high = 0.8 - half[0.8], 0.9 + half[0.9]
    by_name = [round(4 + 252 * (x - low) / (high - low), 1) for x in (0.9 - half[0.9], 0.9, 0.8, 0.8 + half[0.8])]
    low, high = 0.5, 0.8 + half[0.8]
    by_rate = [round(4 + 252 * (x - low) / (high - low), 1) for x in (0.8 - half[0.8], 0.8)]
    assert cells == [
        ["cosine", "0.900 ± 0.05", "best", "3", "1", "lr=0.1: 0.900 ± 0.05 (3)",
         f'<path class=axis d="M{by_name[0]} 11.0H256.0"/><circle cx={by_name[1]} cy=11.0 r=3.5 />'],
        ["step", "0.80 ± 0.15", "-0.100 ± 0.099", "3", "", "lr=0.1: 0.80 ± 0.15 (3)",
         f'<path class=axis d="M4.0 11.0H{by_name[3]}"/><circle cx={by_name[2]} cy=11.0 r=3.5 />'],
        ["rex", "", "", "0", "1", "", ""],
        ["0.1", "0.80 ± 0.15", "best", "3", "", "scheduler=cosine: 0.900 ± 0.05 (3)",
         f'<path class=axis d="M{by_rate[0]} 11.0H256.0"/><circle cx={by_rate[1]} cy=11.0 r=3.5 />'],
        ["0.5", "0.5", "-0.3", "1", "2", "scheduler=step: 0.5 (1)",
         '<path class=axis d="M4.0 11.0H4.0"/><circle cx=4.0 cy=11.0 r=3.5 />'],
        ["sweep/7", "failed", "scheduler=rex lr=0.5 seed=0", "<pre>it had to</pre>"],
    ]  # fmt: skip
    assert "<ul><li>1 failed: it had to</li>\n</ul>" in html
    assert "<summary>each of 1</summary>" in html
    assert "more" not in html[: html.index("<noscript>")]


def compared(runs: list[Run], metric: str = "acc", **more: Any) -> Comparison:
    return Comparison(
        **{
            **{
                "runs": runs,
                "judge": Judge(metric, "max"),
                "factors": ["x"],
                "repeats": [],
                "waiting": 0,
                "ranks": len(runs),
            },
            **more,
        }
    )


def test_a_page_has_the_curves_of_so_many_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [Run(str(i), "finished", settings={"x": f"{min(i // 30, 7)}"}) for i in range(300)]
    runs.append(Run("300", "failed", settings={"x": "8"}))
    found = page.data(compared(runs), page.CURVES)
    # the best ones, and the best one of each value
    assert list(found["labels"]) == list(found["curves"]) == [*range(200), 210]
    assert found["chosen"] == [0, 30, 60, 90, 120, 150]
    assert list(page.data(compared(runs), 2)["labels"]) == [0, 1, 30]
    assert page.data(compared(runs, factors=["seed", "x"], repeats=["seed"]), 2)["chosen"] == [0, 30]
    assert page.data(compared(runs, factors=[]), 2)["chosen"] == [0]
    assert page.data(compared(runs, factors=[]), 1)["labels"] == {0: "0"}
    assert page.data(compared([Run("a", "running", settings={"x": "1" * 99})]), 1)["labels"] == {0: f"x={'1' * 75}..."}


def test_long_curves_are_thinned() -> None:
    points = [[float(x), 1.0] for x in range(600)]
    assert page._thin([]) == []
    assert page._thin(points[:256]) == points[:256]
    assert page._thin(points[:257]) == [*points[:256:2], points[256]]
    assert page._thin(points[:513]) == [*points[:512:3], points[512]]


@pytest.mark.parametrize(("metric", "expected"), [("value", "acc"), ("f1", "f1"), (None, "acc")])
def test_the_curve_of_a_run_is_of_what_it_is_judged_by(metric: str | None, expected: str, tmp_path: Path) -> None:
    """What a job returned has none: that of its own objective is shown instead."""
    metrics = {
        name: {"last": [2, value], "points": [[1, value], [2, "nan"]]} for name, value in (("acc", 0.5), ("f1", 0.25))
    }
    job(tmp_path / "0", "x=1", metrics=metrics, objective={"metric": "acc", "mode": "max"})
    run = run_of(tmp_path / "0", recorded=True)
    the_judge = None if metric is None else Judge(metric, "max")
    found = page.data(compared([run, Run("none", "finished")], judge=the_judge), 2)["curves"]
    assert found == {0: {"rate": [], "metric": [[1.0, {"acc": 0.5, "f1": 0.25}[expected]]]}, 1: {}}


def pictures(*levels: list[float]) -> list[list[str]]:
    """The name, the ends and the middle of each interval of a page's effect, from the scores of each value."""
    scores = [(str(i), score) for i, several in enumerate(levels) for score in several]
    runs = [Run(str(j), "finished", settings={"x": x}, scores={"acc": (y, y, y)}) for j, (x, y) in enumerate(scores)]
    return [
        re.findall(r'aria-label="(.*?)"|"M(.*?) .*?H(.*?)"|cx=(\S*)', one)
        for one in page._intervals(effects(compared(runs))[0])
    ]


def test_intervals_that_are_wider_than_the_means_are_apart() -> None:
    half = stats.t.ppf(0.975, 1)  # of two scores that are 2 apart

    def drawn(label: str, *places: float) -> list[tuple[str, ...]]:
        first, last, middle = (str(round(4.0 + 252 * place, 1)) for place in places)
        return [(label, "", "", ""), ("", first, last, ""), ("", "", "", middle)]

    # of equal means nothing is cut off; else at twice their distance
    assert pictures([-1, 1], [-2, 2]) == [drawn("0", 0.25, 0.75, 0.5), drawn("0", 0, 1, 0.5)]
    assert pictures([4, 6], [3, 5]) == [drawn("5", 0, 1, 0.6), drawn("4", 0, 1, 0.4)]
    assert pictures([99, 101], [49, 51]) == [
        drawn("100", 1 - 2 * half / (50 + 2 * half), 1, 1 - half / (50 + 2 * half)),
        drawn("50", 0, 2 * half / (50 + 2 * half), half / (50 + 2 * half)),
    ]


def test_long_words_are_cut() -> None:
    name, reason = "n" * 90, "r" * 300
    runs = [
        Run("0", "finished", settings={"x": name}, scores={"acc": (0.5,) * 3}),
        Run("1", "failed", reason, {"x": "1"}),
    ]
    found = compared(runs, ranks=1)
    assert tables.ranking(found, None)[1][3] == "n" * 57 + "..."
    assert tables.effect_rows(effects(found)[0])[1][0] == "n" * 57 + "..."
    assert f"<li>1 failed: {'r' * 157}...</li>" in page.page(found)
    assert f"<pre>{reason}</pre>" in page.page(found)
    many = [Run(str(i), "finished", settings={"x": str(i)}, scores={"acc": (-i,) * 3}) for i in range(80)]
    rows = tables.effect_rows(effects(compared(many * 2))[0])
    assert [row[0] for row in rows] == ["x", *map(str, range(30))]


def test_a_page_lists_so_many_values_and_failures() -> None:
    runs = [Run(str(i), "finished", settings={"x": str(i)}, scores={"acc": (0.5, 0.5, 0.5)}) for i in range(41)]
    failed = [Run(f"f{i}", "failed", f"step {i}: no memory", {"x": "0"}) for i in range(501)]
    failed += [Run("k", "killed", "gone", {"x": "0"})]
    html = page.page(compared([*runs * 3, *failed], ranks=123))
    assert "<p>and 1 more values</p>" in html
    assert html.count("<tr><th scope=row>") == 40
    assert html.count('d="M130.0 11.0H130.0"/><circle cx=130.0') == 40  # nothing apart: in the middle
    assert "<ul><li>501 failed: step 0: no memory and alike</li>\n<li>1 killed: gone</li>\n</ul>" in html
    assert "<summary>each of 502</summary>" in html
    assert html.count("<td>failed</td>") == 500
    assert "</table><p>and 2 more</p>" in html
    few = page.page(compared([*runs[:40] * 3, *failed[:500]], ranks=120))
    assert "<p>and " not in few
    assert "No run has finished with a score yet" in page.page(compared(failed, ranks=0))


def test_words_for_a_person(sweep: Path) -> None:
    assert [tables.counts(compared([Run("0", "failed")] * n)) for n in (0, 1, 2)] == [
        "no jobs",
        "1 job: 1 failed",
        "2 jobs: 2 failed",
    ]
    assert [tables.title(compared([], judge=one)) for one in (
        None, Judge("value", "max"), Judge("loss", "min", best=True, guessed=True), Judge("acc", "max", guessed=True),
    )] == [
        "no run has a metric",
        "ranked by what the jobs returned, its last value (greater is better)",
        "ranked by loss, the best value of each run (less is better, a guess from its name: --mode max for the contrary)",
        "ranked by acc, its last value (greater is better, a guess from its name: --mode min for the contrary)",
    ]  # fmt: skip
    times = {9.96: "10.0 s", 10: "10 s", 59.4: "59 s", 60: "1 min 0 s", 3599: "59 min 59 s", 3600: "1 h 0 min", 7199: "1 h 59 min",
             86399: "23 h 59 min", 86400: "1 d 0 h", 86400 + 7199: "1 d 1 h", 86400 + 7200: "1 d 2 h"}  # fmt: skip
    assert {seconds: tables.time_words(seconds) for seconds in times} == times
    finished = tables.ranking(compare([sweep]), 3)
    assert finished[0] == [
        "rank",
        "acc",
        "best",
        "scheduler",
        "lr",
        "seed",
        "updates",
        "time",
        "job",
    ]  # all are finished
    assert len(finished) == 4
    few = compared([Run("0", "finished"), Run("1", "running")], judge=None)
    assert tables.ranking(few, None) == [
        ["rank", "x", "status", "time", "job"],
        ["1", "", "finished", "0.0 s", "0"],
        ["2", "", "running", "0.0 s", "1"],
    ]


@pytest.mark.parametrize(
    ("mean", "error", "expected"),
    [
        (0.5, 0.0, "0.5 ± 0"),
        (1234.5678, 20.0, "1235 ± 86"),
        (123456.0, 500.0, "123456 ± 2.2e+03"),
        (1.0, 1e-13, "1.00000000000000 ± 4.3e-13"),
        (1.0, 1e-14, "1 ± 4.3e-14"),
        (999999.5, 0.1, "999999.50 ± 0.43"),
        (1e6, 0.1, "1e+06 ± 0.43"),
        (-0.5, 0.01, "-0.500 ± 0.043"),
        (math.inf, 0.01, "inf ± 0.043"),
        (0.5, math.inf, "0.5 ± inf"),
        (1234567.0, None, "1.23457e+06"),
    ],
)
def test_a_mean_has_the_digits_that_its_error_leaves(mean: float, error: float | None, expected: str) -> None:
    assert tables.interval(Estimate(mean, 3, 1, error, 2)) == expected
