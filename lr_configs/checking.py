"""What would be refused at the start of training, or said there, found out from the config alone, without torch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from lr_configs.arguments import ON_EXISTING, check_choice, check_keys, check_one, check_switches, check_total
from lr_configs.builder import check_curve, check_monitor
from lr_configs.composed import CALLBACKS, Finder, Found, is_schedule
from lr_configs.config import SchedulerConfig
from lr_configs.config_tree import dotted, target_of
from lr_configs.curve_tree import Curve, bind
from lr_configs.errors import SchedulerConfigError, nearest
from lr_configs.groups import check_base
from lr_configs.horizon import Horizon
from lr_configs.optimizer_keys import check_apart, check_momentum, check_number
from lr_configs.own import SteppedConfig
from lr_configs.plan import Plan, last_step, resolve
from lr_configs.registry import CLASS_MODULES, HYDRA_KEYS, parse
from lr_configs.report import Facts, Report
from lr_configs.rest import Made, rest
from lr_configs.resume import POLICIES, Timeline
from lr_configs.run import Facts as RunFacts
from lr_configs.run import in_whole, resolve_for
from lr_configs.run_size import RunSize

#: the arguments of the callback
CALLBACK_KEYS = (
    "scheduler",
    "schedulers",
    "total_steps",
    "on_existing",
    "resume",
    "log",
    "progress_bar",
    "tensor_lr",
    "decay_file",
    "monitor",
    "save_curve",
)
#: sizes that a run may have where it is not known, from a smoke test to the largest
_EPOCHS, _PER_EPOCH = (1000, 10, 1), (1000, 10, 1_000_000)
#: own rates that an optimizer may have where it is not known
_RATES = (1.0, 1e-6, 1e6)


@dataclass(frozen=True)
class Checked:
    """What became of a schedule.

    Attributes:
        found: the schedule.
        name: what it is called, where that can be read.
        error: why training would refuse it, or None.
        line: what is said about it at fit start.
        warnings: what its author may not have meant.
        notes: what is said at fit start beside the line.
        unknown: what could not be checked, and what is missing for it.
    """

    found: Found
    name: str = ""
    error: SchedulerConfigError | None = None
    line: str = ""
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def check(
    config: Any,
    *,
    lr: float | None = None,
    epochs: int | None = None,
    steps: int | None = None,
    steps_per_epoch: int | None = None,
    batches: int | None = None,
) -> list[str]:
    """Refuse now what would be refused at the start of training; torch is not imported.

    Finds the schedules of an app's config, the optimizer's rate, the trainer's epochs, its limits and its accumulation,
    and resolves every schedule for that run. To be called at the top of the app's main function.

    Args:
        config: what Hydra composed, or plain data.
        lr: the optimizer's own rate, where the config does not say it.
        epochs: of the run, likewise.
        steps: optimizer updates of the run, likewise.
        steps_per_epoch: optimizer updates in an epoch, accumulation divided out.
        batches: batches in an epoch of the training data, to which the config's limits and accumulation apply.

    Returns:
        Warnings, a line each: curves that the run cuts short or outlives, schedules that nothing uses.

    Raises:
        SchedulerConfigError: for the first thing that would be refused; its `place` is the key of the schedule.

    >>> node = {"_target_": "lr_configs.scheduler", "name": "step", "step_size": "30ep"}
    >>> check({"model": {"_target_": "my.Model", "scheduler": node}, "trainer": {"max_epochs": 20}})
    ['model.scheduler: step: step_size=30 epochs is never reached: the run has 20']
    >>> check({"model": {"scheduler": {**node, "gamma": -1}}})
    Traceback (most recent call last):
    lr_configs.errors.SchedulerConfigError: model.scheduler: gamma=-1: this must be a number at least 0. ...
    """
    finder = Finder(config, batches)
    for error in refused_callbacks(finder):
        raise error
    warnings = []
    for found in finder.found:
        size = found.size.given(lr=lr, epochs=epochs, steps=steps, steps_per_epoch=steps_per_epoch)
        checked = check_schedule(found, size)
        if checked.error is not None:
            raise checked.error
        warnings += [f"{found.key}: {line}" for line in checked.warnings]
    return [*warnings, *unused(finder)]


# ---------------------------------------------------------------------------------------- one schedule


def check_schedule(found: Found, size: RunSize) -> Checked:
    """What training would say about a schedule in a run of this size."""
    called = [
        f"{key} is what {target} makes, which is not called here" for key, target in _called(found.data, found.key)
    ]
    if called:
        return Checked(found, unknown=tuple(called))
    try:
        config = parse(found.node)
    except SchedulerConfigError as error:
        if found.ours or found.broken is not None:
            return Checked(found, error=error.at(found.key))
        return Checked(found, unknown=(f"torch's class is called with this, and it is not understood: {error}",))
    try:
        return _checked(found, config, size)
    except SchedulerConfigError as error:
        return Checked(found, config.name, error=error.at(found.key))


def _called(data: Any, key: str) -> Iterator[tuple[str, str]]:
    """Nodes of which Hydra makes something else than a schedule: functions, and schedulers of another library."""
    if isinstance(data, dict):
        if target_of(data) and not is_schedule(data) and target_of(data).rpartition(".")[0] not in CLASS_MODULES:
            yield key, target_of(data)
        else:
            for name, value in data.items():
                yield from _called(value, dotted(key, name))
    elif isinstance(data, list):
        for i, value in enumerate(data):
            yield from _called(value, dotted(key, i))


def _checked(found: Found, config: SchedulerConfig, size: RunSize) -> Checked:
    if found.ours:
        check_monitor(config)
    if found.group_keys is not None:
        _check_keys(found.group_keys, config)
    for base in size.bases:
        check_base(config.param, base)
    plan = _plan(config, size)
    if plan is None or isinstance(config, SteppedConfig):
        return Checked(found, config.name, unknown=_missing(config, size, None))
    curve, bases = _bound(plan, config, size)
    plan = in_whole(plan, None if plan.end(size.horizon) is None else size.horizon)
    facts = _facts(plan, curve, bases, size)
    first, *misfits = Report(facts).lines()
    return Checked(
        found,
        config.name,
        line=first,
        warnings=tuple(misfits),
        notes=tuple(f"{config.name}: {note}" for note in plan.notes),
        unknown=_missing(config, size, facts),
    )


def _missing(config: SchedulerConfig, size: RunSize, facts: Facts | None) -> tuple[str, ...]:
    """What is not known of the run, as far as it matters."""
    length = facts is None or (facts.last is None and not config.metric_driven)
    rate = any(
        item.metadata.get("per_group") and getattr(one, name) not in (item.default, None, 0)
        for one in _all(config)
        for name, item in one.__dataclass_fields__.items()
    )
    return tuple(line for line in size.missing if (rate if line.startswith(f"{size.param} ") else length))


def _check_keys(keys: Any, config: SchedulerConfig, key: str = "") -> None:
    """Refuse what does not fit the optimizer."""
    if not key:
        check_number(keys, config.param, "the optimizer's parameter group")
    check_momentum(keys, getattr(config, "cycle_momentum", False), key)
    for name, child in config.children():
        _check_keys(keys, child, dotted(key, name))


def _plan(config: SchedulerConfig, size: RunSize) -> Plan | None:
    """The plan of a schedule; None where it depends on what is not known of the run, and may well be right."""
    horizon = size.horizon
    known = horizon is not None and size.steps_per_epoch is not None
    facts = RunFacts(size.epochs, size.steps, lambda: horizon, lambda: "the config does not say it")
    if known:
        return resolve_for(config, facts)
    for cheap in facts.cheap(config):
        try:
            return resolve(config, cheap)
        except SchedulerConfigError:
            continue
    refused = None
    for supposed in _supposed(size):
        try:
            resolve(config, supposed)
        except SchedulerConfigError as error:
            refused = refused or error
        else:
            return None
    assert refused is not None
    raise refused


def _supposed(size: RunSize) -> Iterator[Horizon]:
    """Runs as this one may be."""
    for per_epoch in (size.steps_per_epoch,) if size.steps_per_epoch is not None else _PER_EPOCH:
        if size.epochs is None and size.steps is not None:
            yield Horizon(steps=size.steps, steps_per_epoch=per_epoch)
            continue
        for epochs in (size.epochs,) if size.epochs is not None else _EPOCHS:
            yield Horizon(epochs=epochs, steps_per_epoch=per_epoch)


# ---------------------------------------------------------------------------------------- its groups and its curve


def _groups(config: SchedulerConfig, size: RunSize) -> tuple[tuple[float, ...], tuple[str | None, ...]]:
    """The groups' own rates and names: what is known of them, and as many as the schedule has values for."""
    if len(size.bases) > 1 or any(name is not None for name in size.names):
        return size.bases, size.names
    count, named = 1, list[str]()
    for one in _all(config):
        for name, item in one.__dataclass_fields__.items():
            value = getattr(one, name)
            if isinstance(value, list) and (item.metadata.get("per_group") or item.metadata.get("formula")):
                count = max(count, len(value))
            if isinstance(value, dict) and item.metadata.get("per_group"):
                named += [key for key in value if not key.isdecimal() and key not in named]
                count = max([count, *(int(key) + 1 for key in value if key.isdecimal())])
    names: list[str | None] = [*named, *[None] * max(count - len(named), 0)]
    return size.bases * len(names), tuple(names)


def _all(config: SchedulerConfig) -> Iterator[SchedulerConfig]:
    yield config
    for _, child in config.children():
        yield from _all(child)


def _bound(plan: Plan, config: SchedulerConfig, size: RunSize) -> tuple[Curve, tuple[float, ...]]:
    """The curve, and the groups' own rates; where they are not known, rates with which it is right, if there are any."""
    refused = None
    for rate in _RATES if not size.bases else (None,):
        bases, names = _groups(config, size if rate is None else replace(size, bases=(rate,), names=(None,)))
        try:
            curve = bind(plan, bases, names)
            check_curve(curve, plan)
            return curve, bases
        except SchedulerConfigError as error:
            refused = refused or error
    assert refused is not None
    raise refused


class _Standing:
    """A schedule that nothing has stepped yet, as far as a report asks."""

    writer = None

    def __init__(self, curve: Curve) -> None:
        self.curve = curve

    def held(self) -> list[float]:
        """The first rates."""
        return self.curve.rates(0)


def _facts(plan: Plan, curve: Curve, bases: tuple[float, ...], size: RunSize) -> Facts:
    horizon = size.horizon
    end = None if plan.config.metric_driven else plan.end(horizon)
    return Facts(
        key=f"0/{plan.config.param}",
        plan=plan,
        scheduler=_Standing(curve),
        rest=None if horizon is None else rest((horizon,), Made()),
        ticks=0,
        updates=0,
        epochs=0,
        bases=bases,
        last=None if end is None else last_step(end),
        timeline=Timeline(),
        ending=None,
        resumed=False,
        processes=1,
    )


# ---------------------------------------------------------------------------------------- the app


def refused_callbacks(finder: Finder) -> Iterator[SchedulerConfigError]:
    """What the callbacks of an app would refuse, beside their schedules."""
    for key, node in finder.callbacks.items():
        try:
            _check_callback(node)
            _check_drives([one for one in finder.found if one.callback == key])
        except SchedulerConfigError as error:
            yield error.at(key)
    containers: dict[str, list[str]] = {}
    for key in finder.callbacks:
        containers.setdefault(key.rpartition(".")[0], []).append(key)
    for keys in containers.values():
        if len(keys) > 1:
            yield SchedulerConfigError(
                "_target_",
                CALLBACKS[0],
                f"{keys[0]} is one already, and each would drive and save the schedules",
                "Give one callback a list: scheduler: [{name: cosine}, {name: linear, param: weight_decay}]",
                keys[1],
            )


def _check_callback(node: dict[str, Any]) -> None:
    for key, value in node.items():
        if key not in CALLBACK_KEYS and key not in ("_target_", "_args_", *HYDRA_KEYS):
            remedy = f"{nearest(key, CALLBACK_KEYS)}Its arguments: {', '.join(CALLBACK_KEYS)}"
            raise SchedulerConfigError(key, value, "LRSchedulerCallback has no such argument", remedy)
    check_choice("on_existing", node.get("on_existing", ON_EXISTING[0]), ON_EXISTING)
    check_choice("resume", node.get("resume", POLICIES[0]), POLICIES)
    check_one(node.get("scheduler"), node.get("schedulers"))
    check_switches(node)
    total, several = check_total(node.get("total_steps")), node.get("schedulers")
    check_keys(total, list(several) if isinstance(several, dict) else ["0"])


def _check_drives(found: list[Found]) -> None:
    """Refuse two schedules of one hyper-parameter of one optimizer."""
    there: dict[str | None, list[tuple[str, SchedulerConfig]]] = defaultdict(list)
    for one in found:
        try:
            config = parse(one.node)
        except SchedulerConfigError:  # which is said of the schedule itself
            continue
        check_apart("schedulers" if one.optimizer else "scheduler", one.key, config, there[one.optimizer])
        there[one.optimizer].append((one.key, config))


def unused(finder: Finder) -> list[str]:
    """A line about each schedule that nothing in the config is given, and about each callback without one."""
    idle = [one for one in finder.found if one.callback is None and not one.users]
    lines = [
        f"{one.key}: no callback and no module node is given this schedule, so that it acts only where the app's own code "
        f"reads it. Write scheduler: ${{{one.key}}} under an lr_configs.LRSchedulerCallback"
        for one in idle
    ]
    for key in finder.callbacks:
        if not any(one.callback == key for one in finder.found):
            remedy = (
                f"Write scheduler: ${{{idle[0].key}}} under it" if idle else "Write scheduler: ${scheduler} under it"
            )
            lines.append(
                f"{key}: the callback has no schedule, and drives only what the module's configure_optimizers builds with "
                f"lr_configs. {remedy}"
            )
    return lines
