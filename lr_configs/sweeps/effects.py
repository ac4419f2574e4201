"""What a setting does to the score, and how sure that is, given the repetitions."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lr_configs.sweeps.runs import Comparison, Judge
from lr_configs.sweeps.student import quantile

#: of intervals, and of differences between all levels of a factor together
CONFIDENCE = 0.95
#: values of a factor that are compared however few runs have each
FEW = 12
#: the values of all factors but one and the repetitions
Setting = tuple[str, ...]
#: the scores in one setting by what they repeat it with, such as the seed
Scores = Mapping[tuple[str, ...], float]


@dataclass(frozen=True)
class Estimate:
    """A mean over settings, and what is known of its error.

    Attributes:
        mean: every setting has the same weight.
        n: runs in it.
        settings: in it.
        error: standard error, from the scatter of repetitions; None where nothing was repeated.
        df: degrees of freedom of that error.
    """

    mean: float
    n: int
    settings: int
    error: float | None
    df: float

    def half(self, comparisons: int = 1) -> float | None:
        """Half the width of the confidence interval; None where nothing was repeated.

        Args:
            comparisons: how many intervals shall hold together with this confidence (Bonferroni).
        """
        if self.error is None:
            return None
        return self.error * quantile(1 - (1 - CONFIDENCE) / 2 / comparisons, self.df) if self.error else 0.0


@dataclass(frozen=True)
class Level:
    """One value of a factor.

    Attributes:
        name: the value.
        estimate: over the settings that all levels have; None where it has no score.
        best: its best setting of the other factors, in words, and the mean there.
        at_best: that mean.
        missing: runs of it without a result.
        behind: what it has more than the best value, and half the width of the interval of that; all values of a factor
            together are as sure as one. None for the best one, and where there is no score.
        leads: ``best`` of its factor; ``close`` where it cannot be told apart from that one; else an empty text.
    """

    name: str
    estimate: Estimate | None
    best: str
    at_best: Estimate | None
    missing: int
    behind: tuple[float, float | None] | None = None
    leads: str = ""


@dataclass(frozen=True)
class Effect:
    """What the values of one factor do.

    Attributes:
        factor: the override.
        levels: its values, the best one first.
        settings: of the other factors, over which each level is averaged.
        of: how many settings there are; more than `settings` where some levels have no result in some of them.
        even: whether every level is averaged over the same settings.
        repeated: whether anything was repeated, so that there are intervals.
    """

    factor: str
    levels: list[Level]
    settings: int
    of: int
    even: bool
    repeated: bool

    @property
    def verdict(self) -> str:
        """Which value is best, and how sure that is, in words."""
        scored = [level for level in self.levels if level.estimate is not None]
        if len(scored) < 2:
            return "there is nothing to compare"
        first = scored[0].name
        if not self.repeated:
            return f"{first} is ahead; how sure that is, repetitions would tell: seed=0,1,2"
        close = [level.name for level in scored if level.leads == "close"]
        if not close:
            return f"{first} is ahead of all others"
        shown = ", ".join(close[:5]) + (f" and {len(close) - 5} more" if len(close) > 5 else "")
        return f"{first} is ahead; {shown} cannot be told apart from it"


def mean_of(groups: Sequence[Scores]) -> Estimate:
    """The mean of several settings' means, each of them from its repetitions.

    Where all settings were repeated with the same seeds, what a seed does to all of them is in the error: it is that of the
    means of the seeds. Elsewhere the settings count as independent, see :func:`independent`.

    >>> estimate = mean_of([{("0",): 1.0, ("1",): 2.0, ("2",): 3.0}])
    >>> round(estimate.half(), 4)  # scipy.stats.t.interval(0.95, 2, 2, 1 / 3**0.5)
    2.4841
    """
    blocks = set(groups[0])
    if len(groups) == 1 or len(blocks) < 2 or any(set(group) != blocks for group in groups):
        return independent([list(group.values()) for group in groups])
    found = independent([[_mean([group[block] for group in groups]) for block in sorted(blocks)]])
    return replace(found, n=found.n * len(groups), settings=len(groups))


def difference(ones: Sequence[Scores], others: Sequence[Scores]) -> Estimate:
    """The mean difference between the same settings of two values of a factor.

    Where settings were repeated with the same seeds, a run is compared with the other one of its seed, so that what a seed does
    to both is not in the error.
    """
    pairs = [
        [one[block] - other[block] for block in one if block in other] for one, other in zip(ones, others, strict=True)
    ]
    if all(len(pair) > 1 for pair in pairs):
        return independent(pairs)
    first, second = (independent([list(group.values()) for group in groups]) for groups in (ones, others))
    found = replace(first, mean=first.mean - second.mean, n=first.n + second.n)
    if first.error is None or second.error is None:
        return replace(found, error=None, df=0)
    error, df = _sum([(first.error**2, first.df), (second.error**2, second.df)], first.df + second.df)
    return replace(found, error=error, df=df)


def independent(groups: Sequence[Sequence[float]]) -> Estimate:
    """The mean of several groups' means, and the error that the scatter within them gives it.

    It is that of Welch and Satterthwaite: groups may scatter differently. A single value is taken to scatter as the other groups do
    on average.
    """
    n = sum(map(len, groups))
    mean, df = math.fsum(map(_mean, groups)) / len(groups), n - len(groups)
    if not df:
        return Estimate(mean, n, len(groups), None, 0)
    pooled = math.fsum(map(_squares, groups)) / df
    parts = [(_squares(one) / (len(one) - 1) / len(one), len(one) - 1) for one in groups if len(one) > 1]
    parts += [(pooled * single, df) for single in [sum(len(one) == 1 for one in groups)] if single]
    error, free = _sum(parts, df)
    return Estimate(mean, n, len(groups), error / len(groups), free)


def _sum(parts: Sequence[tuple[float, float]], df: float) -> tuple[float, float]:
    """Error and degrees of freedom of a sum, from the variances of its parts and theirs (Satterthwaite)."""
    variance = math.fsum(part for part, _ in parts)
    weight = math.fsum(part * part / free for part, free in parts)
    return math.sqrt(variance), variance**2 / weight if weight else df


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _squares(values: Sequence[float]) -> float:
    middle = _mean(values)
    return math.fsum((value - middle) ** 2 for value in values)


def effects(comparison: Comparison, most: int = 8) -> list[Effect]:
    """What the factors of some runs do, repetitions apart.

    Args:
        comparison: the runs.
        most: so many factors at most.
    """
    if comparison.judge is None:
        return []
    # What has another value in nearly every run, as in a random search, has no means.
    top = max(FEW, len(comparison.runs) // 2)
    factors = [
        one
        for one in comparison.factors
        if one not in comparison.repeats and len({comparison.value(run, one) for run in comparison.runs}) <= top
    ]
    return [_Table(comparison, factor, factors).effect(comparison.judge) for factor in factors[:most]]


class _Table:
    """The scores of some runs: value of one factor -> setting of the others -> repetition."""

    def __init__(self, comparison: Comparison, factor: str, factors: Sequence[str]) -> None:
        self.factor, self.others = factor, [one for one in factors if one != factor]
        self.scores: dict[str, dict[Setting, dict[tuple[str, ...], float]]] = defaultdict(lambda: defaultdict(dict))
        self.missing: Counter[str] = Counter()
        for run in comparison.runs:
            name, score = comparison.value(run, factor), comparison.score(run)
            if run.status == "finished" and score is not None and math.isfinite(score):
                group = self.scores[name][tuple(comparison.value(run, one) for one in self.others)]
                block = tuple(comparison.value(run, one) for one in comparison.repeats)
                again = sum(one[: len(block)] == block for one in group)
                group[(*block, str(again)) if again else block] = score
            elif run.status != "running":
                self.missing[name] += 1
        found = [set(settings) for settings in self.scores.values()]
        self.settings = set().union(*found)
        self.shared = set.intersection(*found) if found else set()

    def effect(self, judge: Judge) -> Effect:
        """What the factor does."""
        levels = [self._level(name, judge) for name in self.scores]
        levels += [
            Level(name, None, "", None, count) for name, count in self.missing.items() if name not in self.scores
        ]
        levels.sort(key=lambda level: math.inf if level.estimate is None else judge.order(level.estimate.mean))
        levels = [self._beside(level, levels[0]) for level in levels]
        repeated = any(level.estimate is not None and level.estimate.error is not None for level in levels)
        count = len(self.shared or self.settings)
        return Effect(self.factor, levels, count, len(self.settings), bool(self.shared), repeated)

    def _groups(self, name: str) -> list[Scores]:
        """In the settings that every value has; where there are none, in all that this one has."""
        return [self.scores[name][one] for one in sorted(self.shared or self.scores[name])]

    def _level(self, name: str, judge: Judge) -> Level:
        found = self.scores[name]
        best = min(found, key=lambda setting: judge.order(_mean(list(found[setting].values()))))
        words = " ".join(f"{key}={value}" for key, value in zip(self.others, best, strict=True))
        return Level(name, mean_of(self._groups(name)), words, mean_of([found[best]]), self.missing[name])

    def _beside(self, level: Level, first: Level) -> Level:
        """The level, with how far it is behind the first one."""
        if level is first:
            return replace(level, leads="best" if level.estimate is not None else "")
        if level.estimate is None or first.estimate is None:
            return level
        if self.shared:
            apart = difference(self._groups(first.name), self._groups(level.name))
        else:
            apart = replace(first.estimate, mean=first.estimate.mean - level.estimate.mean, error=None)
        half = apart.half(len(self.scores) - 1)
        close = half is None or abs(apart.mean) <= half
        return replace(level, behind=(-apart.mean, half), leads="close" if close else "")
