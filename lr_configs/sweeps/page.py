"""A comparison as one page that needs no network: a table of any length, curves, effects, failures."""

from __future__ import annotations

import math
import re
from collections import Counter
from html import escape
from pathlib import Path
from typing import Any

from lr_configs.preview import style
from lr_configs.preview.page import document, embedded, script
from lr_configs.sweeps import tables
from lr_configs.sweeps.effects import Effect, effects
from lr_configs.sweeps.files import one_line
from lr_configs.sweeps.runs import Comparison, Run, curves

_ASSETS = Path(__file__).parent / "assets"
#: runs whose curves are in the page, and failures that are listed
CURVES, FAILURES = 200, 500
#: points of each curve, and values of a factor that are drawn
POINTS, LEVELS = 256, 40
#: runs whose curves are shown at first
CHOSEN = 6
#: pixels of the picture of an interval
WIDTH, ROW = 260, 22


def page(comparison: Comparison, most: int = CURVES) -> str:
    """A self-contained HTML page.

    Args:
        comparison: the runs.
        most: so many runs, from the best one on, have their curves in it.
    """
    found = effects(comparison)
    parts = [
        f"<h1>{escape(tables.counts(comparison))}</h1>\n<p>{escape(tables.title(comparison))}</p>\n",
        _best(comparison),
        '<section aria-labelledby="h-runs"><h2 id="h-runs">Runs</h2>\n<div id="runs"></div></section>\n',
        '<section aria-labelledby="h-curves"><h2 id="h-curves">Curves</h2>\n<div id="curves"></div></section>\n',
        *(_effect(effect) for effect in found),
        _troubles(comparison.troubles()),
        "<noscript><p>The table and the curves need JavaScript; <code>lr-configs compare --csv</code> does not.</p></noscript>\n",
        f'<script type="application/json" id="data">{embedded(data(comparison, most))}</script>\n',
        f"<script>{script()}\n{(_ASSETS / 'compare.js').read_text(encoding='utf-8')}\n",
        "lrCompare(JSON.parse(document.getElementById('data').textContent));</script>",
    ]
    return document("Comparison of runs", "".join(parts), (_ASSETS / "compare.css").read_text(encoding="utf-8"))


def _best(comparison: Comparison) -> str:
    leader = comparison.leader
    if leader is None:
        return "<p>No run has finished with a score yet.</p>\n"
    score = tables.short(comparison.score(leader))
    again = (
        f"<pre id=command>{escape(leader.command)}</pre><button type=button id=copy>copy</button>"
        if leader.command
        else ""
    )
    return f"<p>The best run, {escape(leader.folder)}, with {escape(score)}:</p>\n<div class=best>{again}</div>\n"


# ---------------------------------------------------------------------------------------- what the script gets


def data(comparison: Comparison, most: int) -> dict[str, Any]:
    """What ``lrCompare`` of ``assets/compare.js`` shows, as plain data."""
    names = tables.columns(comparison)
    rows = [tables.cells(comparison, place) for place in range(len(comparison.runs))]
    numbers = {name: i for i, name in enumerate(names)}
    times = [run.seconds for run in comparison.runs]
    firsts = _firsts(comparison)
    shown = sorted({*range(min(most, len(comparison.runs))), *firsts[:most]})
    return {
        "columns": names,
        # What is sorted by: the numbers themselves where cells are numbers in words.
        "keys": {str(numbers["time"]): [round(time, 1) for time in times]},
        "rows": rows,
        "states": list(comparison.counts()),
        "state": [run.status for run in comparison.runs],
        "metric": "" if comparison.judge is None else comparison.judge.metric,
        "labels": {place: _label(comparison, comparison.runs[place]) for place in shown},
        "curves": {place: _curves(comparison, comparison.runs[place]) for place in shown},
        "chosen": firsts[: min(CHOSEN, most)],
        "colours": len(style.COLOURS),
        "dashes": [style.dash(number) for number in range(2 * len(style.COLOURS))],
    }


def _label(comparison: Comparison, run: Run) -> str:
    said = " ".join(f"{key}={comparison.value(run, key)}" for key in comparison.factors)
    return one_line(said or run.folder, 80)


def _curves(comparison: Comparison, run: Run) -> dict[str, Any]:
    metric = None if comparison.judge is None else comparison.judge.metric
    objective = None if run.objective is None else run.objective[0]
    found = curves(run.folder, objective if metric in (None, "value") else metric)
    return {key: _thin([point for point in points if math.isfinite(point[1])]) for key, points in found.items()}


def _thin(points: list[list[float]]) -> list[list[float]]:
    """No more points than a page can carry for each run: what a manifest has, unless it is not ours."""
    every = max(math.ceil(len(points) / POINTS), 1)
    return points if every == 1 else [*points[:-1:every], points[-1]]


def _firsts(comparison: Comparison) -> list[int]:
    """The best run of each value of the first factor."""
    factors = [one for one in comparison.factors if one not in comparison.repeats]
    seen: dict[str, int] = {}
    for place, run in enumerate(comparison.runs):
        if run.status in ("finished", "running"):
            seen.setdefault(comparison.value(run, factors[0]) if factors else "", place)
    return list(seen.values())


# ---------------------------------------------------------------------------------------- without a script


def _effect(effect: Effect) -> str:
    rows = tables.effect_rows(effect, LEVELS)
    head = "".join(f"<th scope=col>{escape(cell)}</th>" for cell in rows[0])
    body = "".join(
        f"<tr><th scope=row>{escape(row[0])}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in row[1:])}<td>{picture}</td></tr>\n"
        for row, picture in zip(rows[1:], _intervals(effect), strict=True)
    )
    more = len(effect.levels) - LEVELS
    rest = f"<p>and {more} more values</p>" if more > 0 else ""
    return (
        f"<section><h2>Effect of {escape(effect.factor)}</h2>\n<p><strong>{escape(effect.verdict)}</strong> "
        f"({escape(tables.effect_note(effect))})</p>\n<table class=effect><thead><tr>{head}<th></th></tr></thead>"
        f"<tbody>\n{body}</tbody></table>{rest}</section>\n"
    )


def _intervals(effect: Effect) -> list[str]:
    """A dot with its interval for each value, all on one scale."""
    shown = effect.levels[:LEVELS]
    spans = [
        (level.estimate.mean, level.estimate.half() or 0.0) if level.estimate is not None else None for level in shown
    ]
    means = [one[0] for one in spans if one is not None]
    if not means:
        return [""] * len(shown)
    # Intervals that are wider than all means are apart are cut off, or nothing would be seen of these.
    reach = 2 * (max(means) - min(means))
    ends = [mean + sign * min(half, reach or half) for mean, half in filter(None, spans) for sign in (-1, 1)]
    low, high = min(ends), max(ends)

    def place(value: float) -> float:
        share = (value - low) / (high - low) if high > low else 0.5
        return round(4 + (WIDTH - 8) * min(max(share, 0.0), 1.0), 1)

    return [
        ""
        if one is None
        else f'<svg width={WIDTH} height={ROW} role="img" aria-label="{tables.short(one[0])}">'
        f'<path class=axis d="M{place(one[0] - one[1])} {ROW / 2}H{place(one[0] + one[1])}"/>'
        f"<circle cx={place(one[0])} cy={ROW / 2} r=3.5 /></svg>"
        for one in spans
    ]


def _troubles(runs: list[Run]) -> str:
    if not runs:
        return ""
    kinds = [(run.status, re.sub(r"\d+", "0", run.reason)) for run in runs]  # alike but for numbers
    first = {kind: run for kind, run in reversed(list(zip(kinds, runs, strict=True)))}
    often = "".join(
        f"<li>{count} {escape(kind[0])}: {escape(one_line(first[kind].reason, 160))}{' and alike' if count > 1 else ''}</li>\n"
        for kind, count in Counter(kinds).most_common(20)
    )
    rows = "".join(
        f"<tr><td>{escape(run.folder)}</td><td>{escape(run.status)}</td>"
        f"<td>{escape(' '.join(f'{key}={value}' for key, value in run.settings.items()))}</td>"
        f"<td><pre>{escape(run.reason)}</pre></td></tr>\n"
        for run in runs[:FAILURES]
    )
    more = f"<p>and {len(runs) - FAILURES} more</p>" if len(runs) > FAILURES else ""
    return (
        f"<section><h2>Without a result</h2>\n<ul>{often}</ul>\n<details><summary>each of {len(runs)}</summary>\n"
        f"<table class=troubles><thead><tr><th>job</th><th></th><th>settings</th><th>reason</th></tr></thead><tbody>\n{rows}</tbody></table>{more}"
        "</details></section>\n"
    )
