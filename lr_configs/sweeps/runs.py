"""The runs of one or several folders, as far as they are compared: little of each, however long it was."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lr_configs.sweeps.files import Unreadable, number, read_json
from lr_configs.sweeps.folder import SWEEP, job_folders
from lr_configs.sweeps.manifest import NAME, Manifest, read

#: what a job returned, where that is what runs are compared by
VALUE = "value"
MODES = ("min", "max")
#: what may have become of a run
STATES = ("finished", "running", "pruned", "failed", "killed", "unreadable", "unrecorded")
#: words in the names of metrics of which less is better; the longer ones also within a word
_LESS = ("err", "ppl", "mse", "mae", "rmse", "nll", "cer", "wer", "fid", "bpc", "bpb")
_LESS_WITHIN = ("loss", "error", "perplexity")


@dataclass
class Run:
    """One job.

    Attributes:
        folder: of the job, as it was reached.
        status: ``finished``, ``running``, ``failed``, ``pruned``, ``killed``, ``unreadable`` (a manifest that says nothing) or
            ``unrecorded`` (a Hydra job without a manifest).
        reason: why there is no result; empty where there is nothing to say.
        settings: override -> what it was set to.
        schedule: the name of its first schedule, or an empty text.
        scores: metric -> last, least and greatest value; what the job returned is the metric ``value``, or ``value.0`` and so on.
        objective: metric and mode that the job itself is judged by.
        seconds: that it ran.
        updates: that it made.
        attempt: how often it was begun.
        command: what repeats it.
    """

    folder: str
    status: str
    reason: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    schedule: str = ""
    scores: dict[str, tuple[float, float | None, float | None]] = field(default_factory=dict)
    objective: tuple[str, str | None] | None = None
    seconds: float = 0.0
    updates: int | None = None
    attempt: int = 1
    command: str = ""


def settings(overrides: Iterable[str]) -> dict[str, str]:
    """What overrides set, by their keys.

    >>> settings(["scheduler=cosine", "+note='a=b'", "~logger"])
    {'scheduler': 'cosine', 'note': "'a=b'", '~logger': ''}
    """
    found = {}
    for one in overrides:
        key, _, value = one.partition("=")
        found[key.lstrip("+")] = value
    return found


def run_of(folder: Path, recorded: bool) -> Run:
    """What one job left."""
    if not recorded:
        reason = "no manifest: it failed before its training began, or its app writes none"
        return Run(str(folder), "unrecorded", reason, settings(_hydras(folder)))
    try:
        return _of_manifest(folder, read(folder / NAME))
    except (Unreadable, FileNotFoundError) as error:
        return Run(str(folder), "unreadable", str(error), settings(_hydras(folder)))


def _hydras(folder: Path) -> list[str]:
    """The overrides that Hydra noted."""
    import yaml

    with contextlib.suppress(OSError, yaml.YAMLError, UnicodeDecodeError):
        found = yaml.safe_load((folder / ".hydra" / "overrides.yaml").read_text())
        if isinstance(found, list):
            return [str(one) for one in found]
    return []


def _of_manifest(folder: Path, manifest: Manifest) -> Run:
    data = manifest.data
    scores = {}
    for name, series in (data.get("metrics") or {}).items():
        if isinstance(series, dict) and (last := _value(series.get("last"))) is not None:
            scores[str(name)] = (last, _value(series.get("least")), _value(series.get("greatest")))
    returned = data.get("value")
    values = (
        {f"{VALUE}.{i}": one for i, one in enumerate(returned)} if isinstance(returned, list) else {VALUE: returned}
    )
    scores.update({name: (one, one, one) for name, each in values.items() if (one := number(each)) is not None})
    objective = data.get("objective") or {}
    schedules = data.get("schedules") or []
    first = schedules[0] if schedules and isinstance(schedules[0], dict) else {}
    mode = objective.get("mode")
    return Run(
        folder=str(folder),
        status=manifest.status,
        reason=manifest.reason if manifest.status != "finished" else "",
        settings=settings(manifest.overrides),
        schedule=str(first.get("name", "")),
        scores=scores,
        objective=(str(objective["metric"]), mode if mode in MODES else None) if objective.get("metric") else None,
        seconds=float(data.get("seconds", 0.0)),
        updates=data.get("updates"),
        attempt=data.get("attempt", 1),
        command=data.get("command", ""),
    )


def _value(point: Any) -> float | None:
    return number(point[1]) if isinstance(point, list) and len(point) == 2 else None


def curves(folder: str, metric: str | None) -> dict[str, list[list[float]]]:
    """The rate of a job's first optimizer, and a metric, over its updates: pairs of numbers."""
    try:
        data = read(Path(folder) / NAME).data
    except (Unreadable, FileNotFoundError):
        return {}
    rates, metrics = data.get("rates") or {}, data.get("metrics") or {}
    found = {}
    for key, series in (("rate", next(iter(rates.values()), None)), ("metric", metrics.get(metric))):
        points = series.get("points") if isinstance(series, dict) else None
        pairs = [one for one in points if isinstance(one, list) and len(one) == 2] if isinstance(points, list) else []
        numbers = [(number(x), number(y)) for x, y in pairs]
        found[key] = [[x, y] for x, y in numbers if x is not None and y is not None]
    return found


@dataclass(frozen=True)
class Judge:
    """How runs are ranked.

    Attributes:
        metric: the metric's name; ``value`` is what the job returned.
        mode: ``min`` or ``max``, whichever is better.
        best: whether the best value of each run counts, and not the last.
        guessed: whether the mode is a guess from the name.
    """

    metric: str
    mode: str
    best: bool = False
    guessed: bool = False

    def score(self, run: Run) -> float | None:
        """Of a run; None where it has no such metric."""
        return self._of(run, self.best)

    def other(self, run: Run) -> float | None:
        """The best value where the last one counts, and the last one where the best counts."""
        return self._of(run, not self.best)

    def _of(self, run: Run, best: bool) -> float | None:
        found = run.scores.get(self.metric)
        if found is None:
            return None
        return found[0] if not best else found[1 if self.mode == "min" else 2]

    def order(self, score: float) -> float:
        """What sorts the better score to the front; one that is no number to the end."""
        if score != score:
            return float("inf")
        return score if self.mode == "min" else -score


def judge(
    runs: Sequence[Run], metric: str | None = None, mode: str | None = None, *, best: bool = False
) -> Judge | None:
    """How to rank these runs.

    Args:
        runs: all of them.
        metric: by default what most of them are judged by; else what they returned; else the metric most of them have.
        mode: by default the runs' own, else a guess from the metric's name.
        best: whether the best value of each run counts, and not the last.

    Returns:
        None where no run has anything that could be compared.
    """
    if metric is None:
        asked = Counter(
            run.objective[0] for run in runs if run.objective is not None and run.objective[0] in run.scores
        )
        having = Counter(name for run in runs for name in run.scores)
        if VALUE in having and not asked:
            metric = VALUE
        elif asked or having:
            metric = (asked or having).most_common(1)[0][0]
        else:
            return None
    modes = Counter(run.objective[1] for run in runs if run.objective is not None and run.objective[1] is not None
                    and (run.objective[0] == metric or metric == VALUE))  # fmt: skip
    if mode is not None or modes:
        return Judge(metric, mode or max(modes, key=modes.__getitem__), best)
    name = metric.lower()
    less = any(part in name for part in _LESS_WITHIN) or not set(_LESS).isdisjoint(re.split(r"[^a-z0-9]+", name))
    return Judge(metric, "min" if less else "max", best, guessed=True)


@dataclass
class Comparison:
    """Runs in their order, and what they differ in.

    Attributes:
        runs: the finished ones by their rank, then the others.
        judge: how they are ranked, or None where there is nothing to rank by.
        factors: overrides whose values differ, or ``schedule``.
        repeats: those of them that only repeat a setting: seeds.
        waiting: jobs of the sweeps that have not begun.
        ranks: how many of the first runs have a rank.
    """

    runs: list[Run]
    judge: Judge | None
    factors: list[str]
    repeats: list[str]
    waiting: int
    ranks: int

    def score(self, run: Run) -> float | None:
        """Of a run."""
        return None if self.judge is None else self.judge.score(run)

    def value(self, run: Run, factor: str) -> str:
        """What a factor is in a run."""
        return run.schedule if factor == "schedule" else run.settings.get(factor, "")

    def counts(self) -> dict[str, int]:
        """Status -> number of runs, in the order of a job's life."""
        found = Counter(run.status for run in self.runs)
        counted = {status: found[status] for status in STATES if found[status]}
        return {**counted, "waiting": self.waiting} if self.waiting else counted

    @property
    def leader(self) -> Run | None:
        """The best run."""
        return self.runs[0] if self.ranks else None

    def troubles(self) -> list[Run]:
        """The runs without a result."""
        return [run for run in self.runs if run.status in ("failed", "killed", "unreadable", "unrecorded", "pruned")]


def compare(
    folders: Sequence[Path],
    *,
    metric: str | None = None,
    mode: str | None = None,
    best: bool = False,
    repeats: Sequence[str] = (),
) -> Comparison:
    """Compare the jobs below some folders.

    Args:
        folders: of sweeps, or of anything that has jobs somewhere below.
        metric: what they are ranked by.
        mode: ``min`` or ``max``.
        best: rank by the best value of each run, and not by the last.
        repeats: overrides that only repeat a setting, beside those that are called ``seed``.
    """
    found = [[run_of(*one) for one in job_folders(folder)] for folder in folders]
    runs = [run for some in found for run in some]
    the_judge = judge(runs, metric, mode, best=best)
    factors = _factors(runs)
    return Comparison(
        runs=(ordered := sorted(runs, key=lambda run: _rank(run, the_judge))),
        judge=the_judge,
        factors=factors,
        repeats=[one for one in factors if one in repeats or one.rpartition(".")[2] in ("seed", "random_seed")],
        waiting=sum(_waiting(folder, some) for folder, some in zip(folders, found, strict=True)),
        ranks=sum(_rank(run, the_judge)[0] == 0 for run in ordered),
    )


def _rank(run: Run, the_judge: Judge | None) -> tuple[int, float]:
    score = None if the_judge is None else the_judge.score(run)
    if run.status == "finished" and score is not None and the_judge is not None:
        return 0, the_judge.order(score)
    if run.status == "running" and score is not None and the_judge is not None:
        return 2, the_judge.order(score)
    return 1 + STATES.index(run.status), 0.0


def _factors(runs: Sequence[Run]) -> list[str]:
    """The overrides that differ between runs, in the order in which they are written."""
    keys = list(dict.fromkeys(key for run in runs for key in run.settings))
    columns = {key: [run.settings.get(key, "") for run in runs] for key in keys}
    varying = [key for key, values in columns.items() if len(set(values)) > 1]
    names = [run.schedule for run in runs if run.schedule]
    told = any(all(run.settings.get(key) == run.schedule for run in runs if run.schedule) for key in varying)
    return [*(["schedule"] if len(set(names)) > 1 and not told and "schedule" not in columns else []), *varying]


def _waiting(folder: Path, begun: Sequence[Run]) -> int:
    """Jobs of the sweep in a folder that have not begun."""
    try:
        listed = read_json(folder / SWEEP, largest=1 << 28).get("jobs")
    except (Unreadable, FileNotFoundError):
        return 0
    jobs = sum(isinstance(one, list) for one in listed) if isinstance(listed, list) else 0
    return max(jobs - sum(run.status != "unrecorded" for run in begun), 0)
