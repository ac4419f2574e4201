"""A comparison as rows: for a terminal, for a spreadsheet, for a program."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

from lr_configs.sweeps.effects import CONFIDENCE, Effect, Estimate, Level, effects
from lr_configs.sweeps.files import one_line
from lr_configs.sweeps.runs import Comparison, Run

#: levels of a factor that are listed in a terminal
LEVELS = 30


def short(value: float | None) -> str:
    """A number as a table has it.

    >>> short(0.98765), short(1234567.0), short(float("nan")), short(None), short(2e-5)
    ('0.98765', '1.23457e+06', 'nan', '', '2e-05')
    """
    return "" if value is None else f"{value:.6g}"


def time_words(seconds: float) -> str:
    """A duration in two units at most.

    >>> time_words(0.42), time_words(75), time_words(7300), time_words(200_000)
    ('0.4 s', '1 min 15 s', '2 h 1 min', '2 d 7 h')
    """
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    whole = int(seconds)
    units = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
    size, unit, part, sub = next(one for one in units if whole >= one[0])
    return f"{whole // size} {unit} {whole % size // part} {sub}"


def title(comparison: Comparison) -> str:
    """What runs are ranked by, in words."""
    judge = comparison.judge
    if judge is None:
        return "no run has a metric"
    which = "the best value of each run" if judge.best else "its last value"
    better = "less is better" if judge.mode == "min" else "greater is better"
    guess = (
        f", a guess from its name: --mode {'max' if judge.mode == 'min' else 'min'} for the contrary"
        if judge.guessed
        else ""
    )
    name = "what the jobs returned" if judge.metric == "value" else judge.metric
    return f"ranked by {name}, {which} ({better}{guess})"


def counts(comparison: Comparison) -> str:
    """How many runs there are, by what became of them."""
    found = comparison.counts()
    total = sum(found.values())
    shown = ", ".join(f"{number} {status}" for status, number in found.items())
    return f"{total} {'job' if total == 1 else 'jobs'}: {shown}" if total else "no jobs"


# ---------------------------------------------------------------------------------------- rows of runs


def columns(comparison: Comparison) -> list[str]:
    """Names of the cells of :func:`cells`."""
    judge = comparison.judge
    scores = [] if judge is None else [judge.metric, "last" if judge.best else "best"]
    return ["rank", *scores, *comparison.factors, "status", "updates", "time", "job"]


def cells(comparison: Comparison, place: int) -> list[str]:
    """One run, for reading."""
    run, judge = comparison.runs[place], comparison.judge
    scores = [] if judge is None else [short(judge.score(run)), short(judge.other(run))]
    values = [comparison.value(run, factor) for factor in comparison.factors]
    rank = str(place + 1) if place < comparison.ranks else ""
    updates = "" if run.updates is None else str(run.updates)
    again = f" (attempt {run.attempt})" if run.attempt > 1 else ""
    return [rank, *scores, *values, f"{run.status}{again}", updates, time_words(run.seconds), run.folder]


def ranking(comparison: Comparison, most: int | None) -> list[list[str]]:
    """A header and the first runs, for reading; columns that say nothing are left out."""
    shown = range(len(comparison.runs) if most is None else min(most, len(comparison.runs)))
    found = [cells(comparison, place) for place in shown]
    names = columns(comparison)
    status = names.index("status")
    dull = {status} if all(row[status] == "finished" for row in found) else set()
    dull |= {i for i, name in enumerate(names) if name == "updates" and not any(row[i] for row in found)}
    rows = [names, *found]
    return [[one_line(cell, 60) for i, cell in enumerate(row) if i not in dull] for row in rows]


# ---------------------------------------------------------------------------------------- what settings do


def interval(estimate: Estimate | None) -> str:
    """A mean with its interval.

    >>> interval(Estimate(0.5, 3, 1, 0.01, 2))
    '0.500 ± 0.043'
    """
    if estimate is None:
        return ""
    half = estimate.half()
    return short(estimate.mean) if half is None else f"{_to_digit(estimate.mean, half)} ± {half:.2g}"


def _to_digit(value: float, error: float) -> str:
    """A value to the digit that its error leaves."""
    if not error or not math.isfinite(error) or not math.isfinite(value):
        return short(value)
    digits = 1 - math.floor(math.log10(error))
    return f"{value:.{digits}f}" if 0 <= digits < 15 and abs(value) < 1e6 else short(value)


def level_cells(effect: Effect, level: Level) -> list[str]:
    """One value of a factor, for reading."""
    n = 0 if level.estimate is None else level.estimate.n
    missing = str(level.missing) if level.missing else ""
    best = (
        f"{level.best}: {interval(level.at_best)} ({level.at_best.n})"
        if level.best and level.at_best is not None
        else ""
    )
    return [level.name or "(none)", interval(level.estimate), behind(effect, level), str(n), missing, best]


def behind(effect: Effect, level: Level) -> str:
    """How far a value is behind the best one."""
    if level.behind is None:
        return level.leads
    distance, half = level.behind[0] or 0.0, level.behind[1]  # no distance has one sign
    if half is None:
        return f"{distance:+.2g}"
    sign = "+" if distance >= 0 else ""
    return f"{sign}{_to_digit(distance, half)} ± {half:.2g}{', not told apart' if level.leads == 'close' else ''}"


#: of :func:`level_cells`
LEVEL_COLUMNS = ["mean", "to the best", "n", "no result", "best with"]


def effect_rows(effect: Effect, most: int | None = LEVELS) -> list[list[str]]:
    """A header and the values of a factor, for reading; columns that say nothing are left out."""
    rows = [[effect.factor, *LEVEL_COLUMNS], *(level_cells(effect, level) for level in effect.levels[:most])]
    kept = [i for i in range(len(rows[0])) if i < 2 or any(row[i] for row in rows[1:])]
    return [[one_line(row[i], 60) for i in kept] for row in rows]


def effect_note(effect: Effect) -> str:
    """What the means of a factor are taken over."""
    over = f"means over {effect.settings} {'setting' if effect.settings == 1 else 'settings'} of the others"
    if effect.settings < effect.of:
        over += f", those of {effect.of} in which every value has a result"
    if not effect.even:
        over = "means over different settings of the others, since no setting has a result for every value"
    return f"{over}; ± is the {CONFIDENCE:.0%} interval, by the scatter of repetitions" if effect.repeated else over


# ---------------------------------------------------------------------------------------- for programs


def spreadsheet(comparison: Comparison) -> str:
    """All runs as CSV, numbers in full."""
    judge = comparison.judge
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    scores = [] if judge is None else [judge.metric, "last" if judge.best else "best"]
    writer.writerow(
        ["rank", *scores, *comparison.factors, "status", "updates", "seconds", "attempt", "job", "reason", "command"]
    )
    for place, run in enumerate(comparison.runs):
        values = [] if judge is None else [judge.score(run), judge.other(run)]
        rank = place + 1 if place < comparison.ranks else None
        settings = [comparison.value(run, factor) for factor in comparison.factors]
        writer.writerow(
            [rank, *values, *settings, run.status, run.updates, run.seconds, run.attempt, run.folder, run.reason, run.command]
        )  # fmt: skip
    return file.getvalue()


def data(comparison: Comparison) -> dict[str, Any]:
    """All of it as plain data; what is no number is None."""
    judge, leader = comparison.judge, comparison.leader
    return {
        "metric": None if judge is None else judge.metric,
        "mode": None if judge is None else judge.mode,
        "by": None if judge is None else "best" if judge.best else "last",
        "counts": comparison.counts(),
        "factors": comparison.factors,
        "repeats": comparison.repeats,
        "best": None if leader is None else {"job": leader.folder, "score": _number(comparison.score(leader)), "command": leader.command},
        "effects": [_effect(effect) for effect in effects(comparison)],
        "runs": [_run(comparison, place) for place in range(len(comparison.runs))],
    }  # fmt: skip


def _run(comparison: Comparison, place: int) -> dict[str, Any]:
    run: Run = comparison.runs[place]
    return {
        "rank": place + 1 if place < comparison.ranks else None,
        "score": _number(comparison.score(run)),
        "other": None if comparison.judge is None else _number(comparison.judge.other(run)),
        "status": run.status,
        "reason": run.reason or None,
        "settings": run.settings,
        "schedule": run.schedule or None,
        "metrics": {name: _number(last) for name, (last, _, _) in run.scores.items()},
        "updates": run.updates,
        "seconds": run.seconds,
        "attempt": run.attempt,
        "job": run.folder,
        "command": run.command or None,
    }


def _effect(effect: Effect) -> dict[str, Any]:
    return {
        "factor": effect.factor,
        "verdict": effect.verdict,
        "settings": effect.settings,
        "even": effect.even,
        "levels": [
            {
                "value": level.name,
                "mean": None if level.estimate is None else _number(level.estimate.mean),
                "half_width": None if level.estimate is None else _number(level.estimate.half()),
                "behind": None if level.behind is None else _number(level.behind[0]),
                "behind_half_width": None if level.behind is None else _number(level.behind[1]),
                "n": 0 if level.estimate is None else level.estimate.n,
                "missing": level.missing,
                "leads": level.leads,
                "best_with": level.best,
                "best_mean": None if level.at_best is None else _number(level.at_best.mean),
            }
            for level in effect.levels
        ],
    }


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
