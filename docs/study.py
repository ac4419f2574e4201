"""Write docs/study.md and its pictures from docs/study/runs.csv, the numbers of the study that `make study` makes.

python docs/study.py                    # --check: fail where a file is another one
python docs/study.py multirun/study     # take the numbers from these sweeps first
"""

from __future__ import annotations

import csv
import math
import statistics
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from lr_configs.preview import style
from lr_configs.sweeps.effects import Effect, Estimate, difference, effects, mean_of
from lr_configs.sweeps.runs import Comparison, Judge, Run, compare
from lr_configs.sweeps.tables import behind, interval

HERE = Path(__file__).parent
PAGE, PICTURES, NUMBERS = HERE / "study.md", HERE / "study", HERE / "study" / "runs.csv"
COLUMNS = ("data", "seed", "optimizer.lr", "scheduler", "val_acc", "val_loss")
#: folder of the sweep -> what it is called
DATA = {"digits": "The digits", "cells": "The cells"}
REFERENCE = "none"
ACCURACY, LOSS = Judge("val_acc", "max"), Judge("val_loss", "min")


# ---------------------------------------------------------------------------------------- the numbers


def take(folder: Path) -> None:
    """Keep of each run of the sweeps in a folder what the page needs."""
    rows = []
    for data in DATA:
        found = compare([folder / data])
        assert set(found.counts()) == {"finished"}, f"{folder / data}: {found.counts()}"
        for run in found.runs:
            keys = [run.settings[key] for key in COLUMNS[1:4]]
            rows.append((data, *keys, *(f"{run.scores[name][0]:.6g}" for name in COLUMNS[4:])))
    PICTURES.mkdir(exist_ok=True)
    with NUMBERS.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *sorted(rows)])


def read(data: str) -> list[Run]:
    """The runs of one data set."""
    with NUMBERS.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["data"] == data]
    return [
        Run(
            "",
            "finished",
            settings={key: row[key] for key in COLUMNS[1:4]},
            scores={name: (float(row[name]), None, None) for name in COLUMNS[4:]},
        )
        for row in rows
    ]


@dataclass(frozen=True)
class Tuned:
    """A schedule at its own best rate, found without the seed that it is judged by.

    Attributes:
        name: of the schedule.
        rates: seed -> the rate with the best mean of the other seeds.
        scores: seed -> what that rate gives with this seed.
    """

    name: str
    rates: Mapping[str, str]
    scores: Mapping[tuple[str, ...], float]

    @property
    def estimate(self) -> Estimate:
        """The mean over the seeds."""
        return mean_of([self.scores])

    @property
    def rate(self) -> str:
        """The rate that most seeds have."""
        return Counter(self.rates.values()).most_common(1)[0][0]

    def ahead(self, other: Tuned) -> Estimate:
        """What it has more than another one, seed by seed."""
        return difference([self.scores], [other.scores])


@dataclass(frozen=True)
class Study:
    """What is made of the runs of one data set."""

    runs: Sequence[Run]
    judge: Judge = ACCURACY

    def values(self, key: str) -> list[str]:
        """Of an override, in their order."""
        found = {run.settings[key] for run in self.runs}
        return sorted(found) if key == "scheduler" else sorted(found, key=float)

    def score(self, schedule: str, rate: str, seed: str) -> float:
        """Of one run; a loss that is no number is infinite."""
        wanted = {"scheduler": schedule, "optimizer.lr": rate, "seed": seed}
        (run,) = [run for run in self.runs if run.settings == wanted]
        found = self.judge.score(run)
        assert found is not None
        return found if math.isfinite(found) else math.inf

    def mean(self, schedule: str, rate: str, seeds: Sequence[str]) -> float:
        """Over some seeds."""
        return statistics.fmean(self.score(schedule, rate, seed) for seed in seeds)

    def effects(self) -> dict[str, Effect]:
        """What `lr-configs compare` says, by the override."""
        factors = list(COLUMNS[1:4])
        found = effects(Comparison(list(self.runs), self.judge, factors, ["seed"], 0, len(self.runs)))
        return {effect.factor: effect for effect in found}

    def tuned(self) -> list[Tuned]:
        """Every schedule at its own best rate, the best one first."""
        seeds, rates = self.values("seed"), self.values("optimizer.lr")
        found = []
        for name in self.values("scheduler"):
            chosen = {}
            for seed in seeds:
                others = [one for one in seeds if one != seed]
                means = {rate: self.mean(name, rate, others) for rate in rates}
                chosen[seed] = min(rates, key=lambda rate: self.judge.order(means[rate]))
            found.append(Tuned(name, chosen, {(seed,): self.score(name, chosen[seed], seed) for seed in seeds}))
        return sorted(found, key=lambda one: self.judge.order(one.estimate.mean))

    def winners(self) -> list[tuple[str, str]]:
        """What each seed alone would have called the best schedule and rate; the first of several that are equal."""
        pairs = [(name, rate) for name in self.values("scheduler") for rate in self.values("optimizer.lr")]
        return [min(pairs, key=lambda pair: self.judge.order(self.score(*pair, seed))) for seed in self.values("seed")]


# ---------------------------------------------------------------------------------------- the pictures

WIDTH, ROW, LEFT, RIGHT, TOP, BOTTOM = 720, 25, 160, 20, 44, 34


def forest(study: Study) -> str:
    """For each schedule the share of mistakes at each rate, and at its own best rate with its interval, on a logarithmic axis."""
    tuned, rates, seeds = study.tuned(), study.values("optimizer.lr"), study.values("seed")
    errors = {(one.name, rate): 1 - study.mean(one.name, rate, seeds) for one in tuned for rate in rates}
    spans = {one.name: (1 - one.estimate.mean, one.estimate.half() or 0.0) for one in tuned}
    low = min(*errors.values(), *(max(mean - half, 0.3 * mean) for mean, half in spans.values())) * 0.95
    high = max(*errors.values(), *(mean + half for mean, half in spans.values())) * 1.05
    height = TOP + ROW * len(tuned) + BOTTOM

    def x(error: float) -> str:
        share = math.log(max(error, low) / low) / math.log(high / low)
        return f"{LEFT + share * (WIDTH - LEFT - RIGHT):.1f}"

    parts = []
    for tick in (one * 10.0**power for power in range(-3, 0) for one in (1, 2, 3, 4, 5, 6, 7, 8, 9)):
        if low <= tick <= high and (high / low < 12 or f"{tick:.0e}"[0] in "1235"):
            parts.append(f'<path class="grid" d="M{x(tick)} {TOP - 6}V{height - BOTTOM + 4}"/>')
            parts.append(f'<text x="{x(tick)}" y="{height - BOTTOM + 18}" text-anchor="middle">{100 * tick:g}%</text>')
    for i, one in enumerate(tuned):
        y = TOP + ROW * i + ROW / 2
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{escape(one.name)}</text>')
        mean, half = spans[one.name]
        parts.append(f'<path class="bar" d="M{x(mean - half)} {y + 5}H{x(mean + half)}"/>')
        parts.append(
            f'<circle class="dot" cx="{x(mean)}" cy="{y + 5}" r="4"><title>{mean:.2%} ± {half:.2%}</title></circle>'
        )
        parts += [
            _mark(k, x(errors[one.name, rate]), y - 5, f"{rate}: {errors[one.name, rate]:.1%}")
            for k, rate in enumerate(rates)
        ]
    legend = LEFT
    for k, rate in enumerate(rates):
        parts.append(_mark(k, f"{legend}", 14, "") + f'<text x="{legend + 9}" y="18">{rate}</text>')
        legend += 60
    parts.append(f'<circle class="dot" cx="{legend + 14}" cy="14" r="4"/>')
    parts.append(
        f'<path class="bar" d="M{legend} 14h28"/><text x="{legend + 34}" y="18">at its own best rate, 95%</text>'
    )
    parts.append('<text x="8" y="18">mistakes at a rate of</text>')
    return _svg(height, "".join(parts))


def _mark(kind: int, x: str, y: float, title: str) -> str:
    """A rate's mark: shapes as well as colours tell them apart."""
    shape = ("M-4 3L0 -4L4 3Z", "M-3.2 -3.2H3.2V3.2H-3.2Z", "M0 -4.5L4.5 0L0 4.5L-4.5 0Z", "M-4 -3L0 4L4 -3Z")[kind % 4]
    words = f"<title>{escape(title)}</title>" if title else ""
    return f'<path class="m c{kind}" transform="translate({x} {y})" d="{shape}">{words}</path>'


def _svg(height: int, body: str) -> str:
    themes = []
    for dark in (False, True):
        colours = "".join(f".study .c{k}{{stroke:{style.colour(k + 1, dark=dark)}}}" for k in range(4))
        themes.append(
            f".study .ground{{fill:{style.GROUND[dark]}}}.study text{{fill:{style.INK[dark]}}}"
            f".study .grid{{stroke:{style.GRID[dark]}}}.study .dot{{fill:{style.colour(0, dark=dark)}}}"
            f".study .bar{{stroke:{style.colour(0, dark=dark)}}}.study .m{{fill:{style.GROUND[dark]}}}{colours}"
        )
    rules = f".study .bar{{stroke-width:2}}.study .m{{stroke-width:1.5}}{themes[0]}@media(prefers-color-scheme:dark){{{themes[1]}}}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="study" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="system-ui, sans-serif" font-size="12" role="img"><style>{rules}</style>'
        f'<rect class="ground" width="{WIDTH}" height="{height}"/>{body}</svg>\n'
    )


# ---------------------------------------------------------------------------------------- the page

INTRODUCTION = """# Which schedule, really?

<!-- written by docs/study.py from docs/study/runs.csv: change these, and run `make docs` -->

Sixteen schedules, each as it is with no key of its own, at four rates, with {seeds} seeds, on two small data sets: {runs} runs, made by
`conf/sweep/study.yaml` of the example app and read by `lr-configs compare`. The one command that repeats all of it, in ten minutes at most
on two idle cores, and writes this page again from what comes out:

```console
$ make study
```

It is an example of how such a question is asked with this library, and of what a small study can answer and what it cannot. It is
not advice. In short:

{short}

## What was run

| | the digits | the cells |
|---|---|---|
| data | 1797 pictures of 8 x 8 pixels, ten classes | 569 biopsies, 30 measurements each, two classes |
| | `data=digits model=conv` | `data=cells model=perceptron` |
| trained on, judged by | 899, 898 | 285, 284 |
| run | 8 epochs of 15 updates | 8 epochs of 18 updates |

Both come with scikit-learn. SGD with momentum 0.9 and weight decay 5e-4; the rates are {rates}. A seed decides the split, the
initial weights and the order. What counts is the accuracy after the last update (`val_acc`), as fixed before anything ran. ± is a 95%
interval (Student, by the scatter of the seeds; differences seed by seed), and what is said to be sure of several schedules is so of all of
them together (Bonferroni). Versions are those of `constraints.txt`; on another processor last digits differ, and with them single runs.
"""

NOT_SHOWN = """## What this does not show

- **Anything about another budget.** These runs are short, so that schedules differ at all; a longer run may rank them otherwise.
- **Anything about tuned schedules.** Each is as its defaults make it: `inverse_time`, say, could be made as gentle as `inverse_sqrt`.
  `-m sweep=parameters` and `-m sweep=optuna` are for that.
- **Anything about large models**, other optimizers, normalisation, or warmup where it is needed.
- **Which of those that are close is the best.** {seeds} seeds have one interval for each; halving it takes four times as many. What
  cannot be told apart here may differ by as much as its interval is wide.
- **A fresh test set.** The rate is chosen without the seed that judges it, but all seeds split the same rows, so that they are not quite
  independent and the intervals somewhat too narrow; and what holds for these rows need not hold for others.
- **Rates between and beyond the four.** A schedule whose best rate is not among them is sold short. The lowest or the highest one was
  the best of {edges}.

## Ask your own

```console
$ python examples/train.py -m sweep=study scheduler=cosine,rex,tanh optimizer.lr=0.05,0.1,0.2 seed=0,1,2,3,4,5,6,7 hydra.sweep.dir=sweeps/mine
$ lr-configs compare sweeps/mine -o mine.html
```
"""


def percent(value: float) -> str:
    """A share, in percent to a tenth."""
    return f"{100 * value:.1f}%"


def points(estimate: Estimate, comparisons: int = 1) -> str:
    """A difference of shares, in percentage points."""
    half = estimate.half(comparisons)
    return f"{100 * estimate.mean:+.1f} ± {100 * (half or 0):.1f}"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence."""
    quoted = [f"`{name}`" for name in names]
    return ", ".join(quoted[:-1]) + f" and {quoted[-1]}" if len(quoted) > 1 else "".join(quoted)


def apart(estimate: Estimate, comparisons: int) -> int:
    """1 where a difference is surely above 0, -1 where it is below, and 0 where that cannot be told."""
    half = estimate.half(comparisons) or 0.0
    return (estimate.mean > half) - (estimate.mean < -half)


def _short(studies: Mapping[str, Study]) -> Iterator[str]:
    """What comes out, in a line or two for each data set."""
    for data, study in studies.items():
        tuned = study.tuned()
        best, count = tuned[0], len(tuned) - 1
        reference = next(one for one in tuned if one.name == REFERENCE)
        better = sum(apart(one.ahead(reference), count) == 1 for one in tuned if one is not reference)
        close = sum(not apart(best.ahead(one), count) for one in tuned[1:])
        wide = {key: 100 * spread(effect) for key, effect in study.effects().items()}
        winners = len({name for name, _ in study.winners()})
        yield (
            f"- **{DATA[data]}**: each at its own best rate, {better or 'none'} of {count} schedules {'are' if better > 1 else 'is'} surely better than a "
            f"constant rate, and {close} of {count} cannot be told apart from the first one. The choice of the rate moves the mean accuracy by "
            f"{wide['optimizer.lr']:.1f} points, that of the schedule by {wide['scheduler']:.1f}. What each seed alone would have called the "
            f"best schedule: {winners} different ones from {len(study.values('seed'))} seeds."
        )


def spread(effect: Effect) -> float:
    """From the mean of the worst value of a factor to that of the best one."""
    means = [level.estimate.mean for level in effect.levels if level.estimate is not None]
    return max(means) - min(means)


def _edges(data: str, study: Study) -> str:
    """Schedules whose best rate is at an end of the grid."""
    rates = study.values("optimizer.lr")
    found = sorted(one.name for one in study.tuned() if one.rate in (rates[0], rates[-1]))
    return f"{listed(found) if found else 'none'} on {DATA[data].lower()}"


def section(data: str) -> Iterator[str]:
    """What one data set says."""
    study = Study(read(data))
    tuned = study.tuned()
    reference = next(one for one in tuned if one.name == REFERENCE)
    others = [one for one in tuned if one is not reference]
    best, count = tuned[0], len(tuned) - 1
    better, equal, worse = (
        [one.name for one in others if apart(one.ahead(reference), count) == sign] for sign in (1, 0, -1)
    )
    close = [one.name for one in tuned[1:] if not apart(best.ahead(one), count)]

    yield f"## {DATA[data]}\n"
    yield f"![mistakes of each schedule, at each rate and at its best one](study/{data}.svg)\n"
    yield "### Each at its own best rate\n"
    yield (
        f"For each seed a schedule has the rate that was best with the other {len(study.values('seed')) - 1}, so that no run is judged by the "
        "seed that chose it.\n"
    )
    yield "| schedule | rate | accuracy | points more than `none` | points less than the first |\n|---|---|---|---|---|"
    for one in tuned:
        gain = "" if one is reference else points(one.ahead(reference), count)
        behind_best = "" if one is best else points(best.ahead(one), count)
        yield f"| `{one.name}` | {one.rate} | {interval(one.estimate)} | {gain} | {behind_best} |"
    yield ""
    if better:
        yield f"- Better than a constant rate, surely: {listed(better)}."
    if worse:
        yield f"- Worse than it, surely: {listed(worse)}."
    yield f"- Not told apart from it: {listed(equal) if better or worse else f'all {count}'}."
    yield f"- `{best.name}` is ahead{_beside(close, count)}."
    yield from _by_loss(data)
    yield from _alone(study, best)
    yield from _any_rate(study)


def _by_loss(data: str) -> Iterator[str]:
    """The same by another metric."""
    tuned = Study(read(data), LOSS).tuned()
    best = tuned[0]
    close = [one.name for one in tuned[1:] if not apart(best.ahead(one), len(tuned) - 1)]
    yield f"- By the loss (`val_loss`), with the rates that are best for it, `{best.name}` is ahead{_beside(close, len(tuned) - 1)}.\n"


def _beside(close: Sequence[str], count: int) -> str:
    """Which of the others the first one cannot be told apart from."""
    if len(close) == count:
        return ", and cannot be told apart from any other"
    return f", and cannot be told apart from {listed(close)}" if close else ", surely"


def _alone(study: Study, best: Tuned) -> Iterator[str]:
    """What one seed would have said."""
    names = [name for name, _ in study.winners()]
    seeds = study.values("seed")
    means = {
        (name, rate): study.mean(name, rate, seeds)
        for name in study.values("scheduler")
        for rate in study.values("optimizer.lr")
    }
    (name, rate), mean = min(means.items(), key=lambda item: study.judge.order(item[1]))
    single = statistics.fmean(study.score(*pair, seed) for pair, seed in zip(study.winners(), seeds, strict=True))
    others = statistics.fmean(
        study.mean(*pair, [one for one in seeds if one != seed])
        for pair, seed in zip(study.winners(), seeds, strict=True)
    )
    yield "### What a single seed would have said\n"
    yield (
        f"The best of the {len(means)} runs of each seed alone: {', '.join(f'`{one}`' for one in names)}, {len(set(names))} different "
        f"schedules from {len(seeds)} seeds. On average such a winner has {percent(single)} with the seed that chose it, and "
        f"{percent(others)} with the other ones. The best mean of all settings is {percent(mean)} (`{name}` at {rate}).\n"
    )


def _any_rate(study: Study) -> Iterator[str]:
    """Averaged over the rates, as the command prints it."""
    found = study.effects()
    yield "### Whatever the rate is\n"
    yield "What `lr-configs compare` says: each schedule averaged over the four rates, and each rate over the sixteen schedules.\n"
    for key, word in (("scheduler", "schedule"), ("optimizer.lr", "rate")):
        effect = found[key]
        yield f"| {word} | accuracy | to the best |\n|---|---|---|"
        for level in effect.levels:
            yield f"| `{level.name}` | {interval(level.estimate)} | {behind(effect, level)} |"
        yield ""
    wide = {key: 100 * spread(effect) for key, effect in found.items()}
    yield (
        f"From the worst value to the best one, the rate moves the mean accuracy by {wide['optimizer.lr']:.1f} points, the schedule by "
        f"{wide['scheduler']:.1f}.\n"
    )


def page() -> str:
    """The page."""
    studies = {data: Study(read(data)) for data in DATA}
    first = studies["digits"]
    runs, seeds = sum(len(one.runs) for one in studies.values()), len(first.values("seed"))
    rates = ", ".join(first.values("optimizer.lr")[:-1]) + f" and {first.values('optimizer.lr')[-1]}"
    parts = [INTRODUCTION.format(runs=runs, rates=rates, seeds=seeds, short="\n".join(_short(studies)))]
    for data in DATA:
        parts += section(data)
    parts.append(NOT_SHOWN.format(seeds=seeds, edges="; ".join(_edges(data, one) for data, one in studies.items())))
    return "\n".join(parts)


def files() -> Iterator[tuple[Path, str]]:
    """Everything that is written."""
    for data in DATA:
        yield PICTURES / f"{data}.svg", forest(Study(read(data)))
    yield PAGE, page()


def main(*arguments: str) -> int:
    """Write what has changed, or name it."""
    check = "--check" in arguments
    for folder in arguments:
        if folder != "--check":
            take(Path(folder))
    stale = []
    for path, text in files():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(str(path.relative_to(HERE.parent)))
            if not check:
                path.write_text(text, encoding="utf-8")
    print(*stale, sep="\n")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
