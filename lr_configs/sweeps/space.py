"""The search space of an Optuna sweep: Hydra's overrides, and, once a schedule is chosen, the keys of that schedule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep, Sweep
from hydra.errors import OverrideParseException

from lr_configs.errors import SchedulerConfigError, nearest
from lr_configs.registry import available, entry

if TYPE_CHECKING:
    import optuna

#: values of a numeric range that are told one by one
LARGEST_GRID = 10_000


def bare(key: str) -> str:
    """The key of an override without what stands before and behind it.

    >>> bare("+model/scheduler@here")
    'model/scheduler'
    """
    return key.lstrip("+~").partition("@")[0]


@dataclass(frozen=True)
class Choice:
    """One override whose value a trial chooses.

    Attributes:
        key: as it is written in front of ``=``.
        distribution: Optuna's.
        parameter: the name that it has in the study.
    """

    key: str
    distribution: Any
    parameter: str

    @property
    def group(self) -> str:
        """The key alone."""
        return bare(self.key)

    def suggest(self, trial: optuna.Trial) -> str:
        """The override with the value that is suggested."""
        import optuna

        found = self.distribution
        if isinstance(found, optuna.distributions.CategoricalDistribution):
            value = trial.suggest_categorical(self.parameter, found.choices)
        elif isinstance(found, optuna.distributions.IntDistribution):
            value = trial.suggest_int(self.parameter, found.low, found.high, step=found.step, log=found.log)
        else:
            value = trial.suggest_float(self.parameter, found.low, found.high, step=found.step, log=found.log)
        return f"{self.key}={value}"


@dataclass
class Space:
    """What a trial chooses.

    Attributes:
        fixed: overrides that every job has.
        choices: overrides that are chosen for every job.
        group: the config group of the schedules, as ``scheduler``.
        node: the key of the composed schedule.
        schedule: the schedule where it is not chosen, or None.
        ranges: schedule -> its own choices.
    """

    fixed: list[str] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    group: str = "scheduler"
    node: str = "scheduler"
    schedule: str | None = None
    ranges: dict[str, list[Choice]] = field(default_factory=dict)

    def overrides(self, trial: optuna.Trial) -> list[str]:
        """The overrides of a trial's job.

        A key of the schedule's node that the chosen schedule does not have is left out.
        """
        chosen = [choice for choice in self.choices if choice.group == self.group]
        first = [choice.suggest(trial) for choice in chosen]
        name = first[0].partition("=")[2] if first else self.schedule
        known = None if name is None else entry(name).__dataclass_fields__
        kept = [one for one in self.fixed if self._has(known, one.partition("=")[0])]
        for choice in [*self.choices, *self.ranges.get(name or "", ())]:
            if choice not in chosen and self._has(known, choice.key):
                kept.append(choice.suggest(trial))
        return [*first, *kept]

    def _has(self, known: Mapping[str, Any] | None, key: str) -> bool:
        head, _, rest = bare(key).partition(f"{self.node}.")
        return head != "" or known is None or not rest or rest.partition(".")[0] in known


def read_space(
    written: Sequence[str],
    config_loader: Any,
    *,
    group: str,
    schedule: str | None,
    ranges: Mapping[str, Mapping[str, Any]],
    conditional: bool,
) -> Space:
    """The space that overrides describe.

    Args:
        written: overrides in Hydra's syntax, `choice`, `range`, `interval`, `tag(log, ...)` and ``a,b,c`` among them.
        config_loader: Hydra's, for ``glob(*)``.
        group: the config group of the schedules.
        schedule: the one that the app's own config has, or None.
        ranges: schedule -> key -> values, in place of what the schedule's file declares; null takes a key away.
        conditional: whether the chosen schedule's own keys are chosen, too.

    Raises:
        SchedulerConfigError: for a value that is no space, and for ranges of unknown schedules and keys.
    """
    try:
        parsed = OverridesParser.create(config_loader=config_loader).parse_overrides(list(written))
    except OverrideParseException as error:
        raise SchedulerConfigError(
            "hydra.sweeper.params", error.override, "this is no override", "Write optimizer.lr=interval(1e-4,1)"
        ) from None
    space = Space(group=group, node=group.replace("/", "."), schedule=schedule)
    for one in parsed:
        if one.is_sweep_override():
            key = (one.input_line or "").partition("=")[0]
            space.choices.append(Choice(key, distribution(one, key), key))
        else:
            space.fixed.append(str(one.input_line))
            if bare(one.key_or_group) == group and not one.is_delete():
                space.schedule = str(one.value())
    if conditional:
        _check(ranges)
        taken = {bare(one.partition("=")[0]) for one in [*space.fixed, *(each.key for each in space.choices)]}
        for name in _schedules(space):
            space.ranges[name] = list(_of_schedule(name, space.node, ranges.get(name) or {}, taken))
    return space


def _schedules(space: Space) -> Iterator[str]:
    """The schedules that a trial may have."""
    known = available()
    for choice in space.choices:
        if choice.group == space.group:
            for name in choice.distribution.choices:
                if name not in known:
                    raise SchedulerConfigError(
                        space.group,
                        name,
                        "there is no such schedule",
                        f"{nearest(name, known)}Known: {', '.join(known)}",
                    )
                yield name
            return
    if space.schedule in known:
        yield str(space.schedule)


def _check(ranges: Mapping[str, Mapping[str, Any]]) -> None:
    for name, keys in ranges.items():
        fields = entry(name).__dataclass_fields__
        for key in keys or {}:
            if str(key).partition(".")[0] not in fields:
                raise SchedulerConfigError(
                    f"hydra.sweeper.ranges.{name}.{key}",
                    keys[key],
                    f"{name} has no such key",
                    f"{nearest(str(key), fields)}Its keys: {', '.join(fields)}",
                )


def _of_schedule(name: str, node: str, changed: Mapping[str, Any], taken: set[str]) -> Iterator[Choice]:
    for key, values in {**entry(name).search, **changed}.items():
        path = f"{node}.{key}"
        if values is None or path in taken:
            continue
        place = f"hydra.sweeper.ranges.{name}.{key}"
        try:
            (parsed,) = OverridesParser.create().parse_overrides([f"{path}={values}"])
        except OverrideParseException:
            raise SchedulerConfigError(
                place, values, "this is no override's value", "Write interval(1e-4,1), or choice(5%,10%)"
            ) from None
        if not parsed.is_sweep_override():
            raise SchedulerConfigError(
                place, values, "this is one value, and no range", f"Write {path}={values} among the overrides"
            )
        yield Choice(path, distribution(parsed, place), f"{name}.{key}")


def distribution(override: Override, key: str) -> Any:
    """Optuna's distribution of an override that is swept over.

    Args:
        override: parsed by Hydra.
        key: for errors.

    Raises:
        SchedulerConfigError: for a range without values, and a logarithm of what is not positive.

    >>> parse = OverridesParser.create().parse_override
    >>> distribution(parse("lr=tag(log, interval(1e-4, 1))"), "lr")
    FloatDistribution(high=1.0, log=True, low=0.0001, step=None)
    >>> distribution(parse("width=range(16,65,16)"), "width")
    IntDistribution(high=64, log=False, low=16, step=16)
    >>> distribution(parse("scheduler=cosine,rex"), "scheduler")
    CategoricalDistribution(choices=('cosine', 'rex'))
    """
    from optuna import distributions

    value = override.value()
    log = isinstance(value, Sweep) and "log" in value.tags
    try:
        if not (override.is_interval_sweep() or override.is_range_sweep()):
            texts = [str(one) for one in override.sweep_string_iterator()]
            return distributions.CategoricalDistribution(tuple(dict.fromkeys(texts)))
        if isinstance(value, IntervalSweep):
            low, high = value.start, value.end
            assert low is not None
            assert high is not None
            if isinstance(low, int) and isinstance(high, int):
                return distributions.IntDistribution(low, high, log=log)
            return distributions.FloatDistribution(float(low), float(high), log=log)
        assert isinstance(value, RangeSweep)
        numbers = [one for one, _ in zip(value.range(), range(LARGEST_GRID + 1), strict=False)]
        if not numbers or len(numbers) > LARGEST_GRID:
            raise ValueError(f"this range has {'no' if not numbers else f'more than {LARGEST_GRID}'} values")
        low, high, step = min(numbers), max(numbers), abs(value.step)
        if all(isinstance(one, int) for one in numbers):
            return distributions.IntDistribution(int(low), int(high), step=1 if log else int(step), log=log)
        return distributions.FloatDistribution(float(low), float(high), step=None if log else float(step), log=log)
    except ValueError as error:
        raise SchedulerConfigError(
            key, override.get_value_string(), str(error).rstrip("."), "Write interval(1e-4,1), low before high"
        ) from None
