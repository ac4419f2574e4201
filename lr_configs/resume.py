"""Going on from a checkpoint: what was saved, what is asked for now, and the decision between them.

Nothing here touches an optimizer or a trainer. :func:`decide` is a pure function of a saved schedule, the one that this
run asks for, and the policy. A saved schedule is resolved (:meth:`Plan.to_data`): it is never resolved again.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from typing import Any, TypeAlias

from lr_configs.errors import SchedulerConfigError
from lr_configs.horizon import Horizon
from lr_configs.plan import Plan, differences, resolve
from lr_configs.rest import Epoch, Made, Rest, rest, shortest
from lr_configs.run_data import horizon_data, read_horizon, run_text, size

POLICIES = ("strict", "keep", "stretch", "restart")
VERSION = 2
Data: TypeAlias = dict[str, Any]


# ---------------------------------------------------------------------------------------- where on its curve


@dataclass(frozen=True)
class Warp:
    """A clock that runs at another speed: the position is a linear function of the optimizer's updates.

    Attributes:
        start: position at update `since`.
        since: an update of the run.
        span: scheduler steps that pass within `over` updates.
        over: updates.
    """

    start: Fraction
    since: int
    span: Fraction
    over: int

    def at(self, updates: int) -> Fraction:
        """The position after so many updates."""
        return self.start + (updates - self.since) * self.span / self.over


@dataclass(frozen=True)
class Timeline:
    """Where on its curve a schedule is, given its clock.

    Attributes:
        last: position after which it holds, or None.
        warp: None where one scheduler step follows another.

    >>> Timeline(last=Fraction(3)).position(ticks=10, updates=10, frequency=2)
    3
    >>> Timeline(warp=Warp(Fraction(4), 4, Fraction(6), 16)).position(ticks=5, updates=5, frequency=1)
    4.375
    """

    last: Fraction | None = None
    warp: Warp | None = None

    def position(self, ticks: int, updates: int, frequency: int) -> int | float:
        """The position at a scheduler tick."""
        exact = Fraction(ticks // frequency) if self.warp is None else self.warp.at(updates)
        return number(exact if self.last is None else min(exact, self.last))


def number(value: Fraction) -> int | float:
    """An integer where it is one."""
    return value.numerator if value.denominator == 1 else float(value)


# ---------------------------------------------------------------------------------------- what is asked, what was saved


@dataclass(frozen=True)
class Asked:
    """What this run asks for.

    Attributes:
        plan: the schedule, resolved for the whole run.
        bases: what it begins from in each group.
        limits: everything that ends the run; nothing where its end is unknown.
        epoch: with which the trainer goes on, where its batches tell.
    """

    plan: Plan
    bases: tuple[float, ...]
    limits: tuple[Horizon, ...]
    epoch: Epoch | None = None

    @property
    def horizon(self) -> Horizon | None:
        """The whole run, or None where its end is unknown."""
        return shortest(self.limits)

    def rest(self, made: Made) -> Rest | None:
        """What is left of the run after `made`, as it goes on from a checkpoint or begins."""
        epoch = self.epoch
        if epoch is None:
            return rest(self.limits, made)
        return rest([epoch.limit(limit, made) for limit in self.limits], epoch.goes_on(made))

    def lost(self, made: Made) -> tuple[int, int, int] | None:
        """Where the trainer has lost its place: the epoch, the updates that it makes in all, and those that were planned."""
        if self.epoch is None:
            return None
        left, known = self.rest(made), rest(self.limits, made)
        if left is None or known is None:
            return None
        total, planned = int(left.total(by_epoch=False) or 0), int(known.total(by_epoch=False) or 0)
        return None if total == planned else (self.epoch.ended, total, planned)

    def to_data(self) -> Data:
        """Plain data for a checkpoint."""
        return {
            "function": self.plan.function(),
            "bases": list(self.bases),
            "run": horizon_data(self.horizon),
            "limits": [horizon_data(limit) for limit in self.limits],
        }


@dataclass(frozen=True)
class Saved:
    """One schedule in a checkpoint.

    Attributes:
        asked: what that run asked for: function, bases and run.
        plan: what it drove, as :meth:`Plan.to_data` gives it.
        bases: what that began from in each group.
        end: exact end of the plan's run in its scheduler steps, or None where it has none.
        timeline: where on its curve it is.
        ticks: intervals since it began.
        updates: updates that the optimizer had made, since the run began.
        epoch_updates: the same at the end of the last epoch.
        values: of the metric.
        position: where on its curve it was.
        groups: how many groups the optimizer had.
        ending: an early ending that has begun.
        module_steps: whether the module calls ``step()`` itself.
        slot: which of the checkpoint's scheduler states belongs to it; None where another scheduler had taken its place.
        epochs: epochs that had ended.
        seal: a digest of the scheduler's own state.
        origin: updates that the optimizer had made when its clock began.
    """

    asked: Data
    plan: Data
    bases: tuple[float, ...]
    end: Fraction | None
    timeline: Timeline
    ticks: int
    updates: int
    epoch_updates: int
    values: int
    position: int | float
    groups: int
    ending: Data | None
    module_steps: bool
    slot: int | None
    epochs: int
    seal: str | None = None
    origin: int = 0

    def to_data(self) -> Data:
        """Plain data for a checkpoint."""
        return {
            **{name: getattr(self, name) for name in _AS_THEY_ARE},
            "bases": list(self.bases),
            "end": _ratio(self.end),
            "last": _ratio(self.timeline.last),
            "warp": None if self.timeline.warp is None else _warp_data(self.timeline.warp),
        }

    @staticmethod
    def from_data(data: Data) -> Saved:
        """What :meth:`to_data` wrote."""
        warp = data["warp"]
        if warp is not None:
            warp = Warp(Fraction(*warp["start"]), warp["since"], Fraction(*warp["span"]), warp["over"])
        return Saved(
            **{name: data[name] for name in _AS_THEY_ARE},
            bases=tuple(data["bases"]),
            end=_fraction(data["end"]),
            timeline=Timeline(_fraction(data["last"]), warp),
        )

    @property
    def frequency(self) -> int:
        """Intervals in a scheduler step."""
        return int(self.plan["frequency"])

    @property
    def by_epoch(self) -> bool:
        """Whether an interval is an epoch."""
        return bool(self.plan["interval"] == "epoch")

    def exact(self) -> Fraction:
        """The exact position, also within an epoch or between two scheduler steps."""
        if self.timeline.warp is not None:
            return self.timeline.warp.at(self.updates)
        part, run = Fraction(0), read_horizon(self.asked["run"])
        begin = max(self.epoch_updates, self.origin)  # of the epoch, as far as this clock has seen it
        since = self.updates - begin
        if self.by_epoch and since and run is not None and run.knows_epochs:
            length = run.steps_between(Fraction(self.epochs), Fraction(self.epochs + 1)) - (begin - self.epoch_updates)
            part = min(Fraction(since) / length, Fraction(1)) if length > 0 else Fraction(1)
        return (self.ticks + part) / self.frequency

    @property
    def made(self) -> Made:
        """What was over of the run."""
        return Made(self.updates, self.epochs, self.updates - self.epoch_updates)


_AS_THEY_ARE = (
    "asked", "plan", "ticks", "updates", "epoch_updates", "values", "position", "groups", "ending", "module_steps",
    "slot", "epochs", "seal", "origin",
)  # fmt: skip


def _ratio(value: Fraction | None) -> list[int] | None:
    return None if value is None else [value.numerator, value.denominator]


def _fraction(data: list[int] | None) -> Fraction | None:
    return None if data is None else Fraction(*data)


def _warp_data(warp: Warp) -> Data:
    return {**asdict(warp), "start": _ratio(warp.start), "span": _ratio(warp.span)}


# ---------------------------------------------------------------------------------------- the state of a callback


def seal(content: Data) -> Data:
    """`content` with its version, and a digest that any change of it would break."""
    content = {"version": VERSION, **content}
    return {**content, "digest": _digest(content)}


def _digest(content: Data) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def damaged(value: Any, why: str = "the state of its schedules is damaged") -> SchedulerConfigError:
    """The error for a checkpoint that cannot be gone on with."""
    return SchedulerConfigError(
        "checkpoint",
        value,
        why,
        "Resume from another checkpoint, or with resume=restart, which begins the schedule anew",
    )


def unseal(state: Any) -> Data:
    """The content that :func:`seal` closed.

    Raises:
        SchedulerConfigError: where a single bit of it is another one, or an older version wrote it.
    """
    if not isinstance(state, dict) or "version" not in state:
        raise damaged(state if isinstance(state, dict) else type(state).__name__)
    if state["version"] == 1 and "digest" not in state:
        raise damaged(1, "an older version of lr_configs wrote it, and this one cannot read its state")
    content = {key: value for key, value in state.items() if key != "digest"}
    try:
        whole = state["digest"] == _digest(content) and state["version"] == VERSION
    except (KeyError, TypeError, ValueError):
        whole = False
    if not whole:
        raise damaged(state["version"], "the state of its schedules is damaged: it does not fit its digest")
    return content


def read(content: Data) -> dict[str, Saved]:
    """The schedules of an unsealed state."""
    try:
        return {str(key): Saved.from_data(data) for key, data in content["schedules"].items()}
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
        raise damaged(content.get("version")) from error


def slots(state: Any) -> list[int | None]:
    """Which of a checkpoint's scheduler states are ours, as far as `state` can be read."""
    schedules = state.get("schedules") if isinstance(state, dict) else None
    entries = schedules.values() if isinstance(schedules, dict) else ()
    return [entry["slot"] for entry in entries if isinstance(entry, dict) and "slot" in entry]


def params(state: Any, key: str) -> set[str]:
    """The hyper-parameters of an optimizer that a checkpoint's schedules drove, as far as `state` can be read."""
    schedules = state.get("schedules") if isinstance(state, dict) else None
    names = [str(name).partition("/") for name in schedules] if isinstance(schedules, dict) else []
    return {param for optimizer, _, param in names if optimizer == key and param}


# ---------------------------------------------------------------------------------------- decisions


@dataclass(frozen=True)
class Continue:
    """Go on with a saved schedule.

    Attributes:
        saved: its clock.
        plan: what to drive.
        bases: what it begins from in each group.
        timeline: where on its curve it is.
        end: exact end of the plan's run in scheduler steps.
        rebuild: whether `plan` is another one than this run asks for.
    """

    saved: Saved
    plan: Plan
    bases: tuple[float, ...]
    timeline: Timeline
    end: Fraction | None
    rebuild: bool


@dataclass(frozen=True)
class Restart:
    """Begin what is asked for, over what remains of the run."""


@dataclass(frozen=True)
class Place:
    """Go on with what is asked for, from the checkpoint's update or epoch."""


@dataclass(frozen=True)
class Refuse:
    """Go on with nothing."""

    error: SchedulerConfigError


Decision: TypeAlias = Continue | Restart | Place | Refuse


@dataclass(frozen=True)
class Foreign:
    """A checkpoint without state of ours.

    Attributes:
        step: the run's step that it was written at, where known.
    """

    step: int | None = None


def decide(saved: Saved | Foreign | SchedulerConfigError, asked: Asked, policy: str) -> Decision:
    """What to do about one schedule.

    Args:
        saved: its state in the checkpoint, or the error where it cannot be read.
        asked: what this run asks for.
        policy: one of :data:`POLICIES`.
    """
    if isinstance(saved, Saved):
        try:
            return _continue(saved, asked, policy)
        except SchedulerConfigError as error:
            return Restart() if policy == "restart" else Refuse(error)
    if policy == "restart":
        return Restart()
    if isinstance(saved, SchedulerConfigError):
        return Refuse(saved)
    return Refuse(_unknown_position(saved)) if policy == "strict" else Place()


def _unknown_position(checkpoint: Foreign) -> SchedulerConfigError:
    step = "" if checkpoint.step is None else f" (step {checkpoint.step})"
    return SchedulerConfigError(
        "resume",
        "strict",
        f"the checkpoint{step} was written without LRSchedulerCallback, and does not say where the schedule was",
        "Choose resume=keep (this schedule, from the checkpoint's step) or resume=restart (from its beginning)",
    )


def _continue(saved: Saved, asked: Asked, policy: str) -> Decision:
    lost = policy in ("keep", "stretch") and asked.lost(saved.made) is not None
    if _unchanged(saved, asked) and not lost:
        plain = saved.end is not None and saved.timeline == Timeline()
        return replace(_as_saved(saved, asked, saved.timeline), end=end_of(saved, asked) if plain else saved.end)
    if policy == "restart":
        return Restart()
    if policy == "keep":
        return _as_saved(saved, asked, _held(saved))
    if policy == "stretch":
        return _as_saved(saved, asked, _stretched(saved, asked))
    reasons = _reasons(saved, asked)
    if reasons:
        return Refuse(_differs(reasons))
    return Continue(saved, asked.plan, asked.bases, Timeline(), end_of(saved, asked), rebuild=False)


def _unchanged(saved: Saved, asked: Asked) -> bool:
    """Whether this is the run that wrote the checkpoint, or one with the same request: a requeued job."""
    then, now = saved.asked, asked.to_data()
    return (
        _same(then["function"], now["function"])
        and _same_bases(then["bases"], now["bases"], saved.groups)
        and size(then["run"]) == size(now["run"])
        and _left(saved, replace(asked, limits=_limits(then))) == _left(saved, asked)
    )


def _limits(then: Data) -> tuple[Horizon, ...]:
    """What ended the run that wrote a checkpoint."""
    known = [read_horizon(data) for data in then.get("limits", [then["run"]])]
    return tuple(limit for limit in known if limit is not None)


def _left(saved: Saved, asked: Asked) -> tuple[int | None, Fraction | None] | None:
    left = asked.rest(saved.made)
    return None if left is None else (left.updates, left.epochs)


def _same(one: Any, other: Any) -> bool:
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _same_bases(then: Any, now: Any, groups: int) -> bool:
    """Whether the groups begin from the same; some that joined later may be there from the beginning now."""
    shared = len(then) == len(now) or len(then) < len(now) == groups
    return shared and all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(then, now, strict=False))


def _as_saved(saved: Saved, asked: Asked, timeline: Timeline) -> Continue:
    plan = Plan.from_data(saved.plan, asked.plan)
    same = _same(saved.plan, asked.plan.to_data()) and len(saved.bases) == len(asked.bases)
    if same and all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(saved.bases, asked.bases, strict=True)):
        return Continue(saved, asked.plan, asked.bases, timeline, saved.end, rebuild=False)
    plan = replace(plan, config=replace(plan.config, verbose=asked.plan.config.verbose))
    return Continue(saved, plan, saved.bases, timeline, saved.end, rebuild=True)


# ---------------------------------------------------------------------------------------- strict


def _reasons(saved: Saved, asked: Asked) -> list[str]:
    """Why the rates would not go on as they are, in words; nothing where they do."""
    found = []
    then = Plan.from_data(saved.plan, asked.plan)
    if not _same(then.function(), asked.plan.function()):
        found = differences(saved.plan, asked.plan.to_data())
        found += _run_reason(saved, asked, then) or ([] if found else ["the schedule"])
    if not _same_bases(saved.bases, asked.bases, saved.groups):
        found.append(_bases_reason(saved.bases, asked.bases, asked.plan.config.param))
    if not found and saved.timeline.warp is not None:
        found.append("the checkpoint's schedule is stretched")
    elif not found and saved.timeline.last is not None and saved.ticks // saved.frequency > saved.timeline.last:
        found.append("the checkpoint's schedule has ended, and is held")
    return found


def _run_reason(saved: Saved, asked: Asked, then: Plan) -> list[str]:
    """The run's length, where it is what makes the difference."""
    before, now = saved.asked["run"], horizon_data(asked.horizon)
    if size(before) == size(now):
        return []
    try:
        same = _same(resolve(asked.plan.config, read_horizon(before)).function(), then.function())
    except SchedulerConfigError:
        same = False
    return [f"run {run_text(before)} -> {run_text(now)}"] if same else []


def _bases_reason(then: tuple[float, ...], now: tuple[float, ...], param: str) -> str:
    if len(then) != len(now):
        return f"parameter groups {len(then)} -> {len(now)}"
    what = "base rate" if param == "lr" else f"initial {param}"
    changed = [
        (i, a, b) for i, (a, b) in enumerate(zip(then, now, strict=True)) if not math.isclose(a, b, rel_tol=1e-6)
    ]
    group = f" of group {changed[0][0]}" if len(then) > 1 else ""
    return f"{what}{group} {changed[0][1]:.6g} -> {changed[0][2]:.6g}"


def _differs(reasons: list[str]) -> SchedulerConfigError:
    shown = "; ".join(reasons[:8]) + (f"; and {len(reasons) - 8} more" if len(reasons) > 8 else "")
    return SchedulerConfigError(
        "resume",
        "strict",
        f"the checkpoint was written with another schedule: {shown}",
        "Choose resume=keep (the old one, then its last rate), stretch (the old one over the new length) or restart (the "
        "new one)",
    )


def end_of(saved: Saved, asked: Asked) -> Fraction | None:
    """Where the plan's run ends now, counted in the saved clock."""
    left = asked.rest(saved.made)
    intervals = None if left is None else left.intervals(saved.by_epoch)
    return None if intervals is None else (saved.ticks + intervals) / saved.frequency


# ---------------------------------------------------------------------------------------- keep and stretch


def _held(saved: Saved) -> Timeline:
    """The saved timeline, which ends with the last rate that its run really used."""
    if saved.end is None or saved.timeline.last is not None or _follows_a_metric_alone(saved):
        return saved.timeline
    return replace(saved.timeline, last=Fraction(max(math.ceil(saved.end) - 1, 0)))


def _follows_a_metric_alone(saved: Saved) -> bool:
    plan = Plan.from_data(saved.plan)
    return bool(plan.config.metric_driven and not plan.stages and not plan.warmup)


def _stretched(saved: Saved, asked: Asked) -> Timeline:
    """What was left of the saved schedule, over what is left of this run."""
    if saved.end is None or _follows_a_metric_alone(saved):
        return saved.timeline
    start = saved.exact()
    if start >= saved.end:
        return _held(saved)
    left = asked.rest(saved.made)
    if left is None or left.updates is None:
        raise SchedulerConfigError(
            "resume",
            "stretch",
            "the schedule is stretched over the rest of the run, whose length is not known",
            "Set total_steps on LRSchedulerCallback or max_steps on the Trainer, or choose resume=keep",
        )
    if left.updates == 0:
        return _held(saved)
    warp = Warp(start, saved.updates, saved.end - start, left.updates)
    return Timeline(_last_position(saved, left, warp), warp)


def _last_position(saved: Saved, left: Rest, warp: Warp) -> Fraction:
    """The position at the last scheduler tick of this run that an update comes after."""
    intervals = left.intervals(saved.by_epoch)
    if intervals is None:
        return warp.start + warp.span
    last = (saved.ticks + math.ceil(intervals) - 1) // saved.frequency * saved.frequency  # in ticks
    if last <= saved.ticks:
        return Fraction(saved.position)
    updates = left.updates_in(Fraction(last - saved.ticks), saved.by_epoch)
    return warp.start + warp.span if updates is None else warp.at(saved.updates + int(updates))


# ---------------------------------------------------------------------------------------- all schedules of a run


def decide_all(
    saved: Mapping[str, Saved] | Foreign | SchedulerConfigError, asked: Mapping[str, Asked], policy: str
) -> dict[str, Decision]:
    """The decision for every schedule of a run, by its key.

    Raises:
        SchedulerConfigError: where one of them is refused, with its key; where the checkpoint has other schedules.
    """
    if isinstance(saved, Mapping) and set(saved) != set(asked):
        if policy != "restart":
            raise SchedulerConfigError(
                "resume",
                policy,
                f"the checkpoint has schedules for {', '.join(sorted(saved)) or 'nothing'}, and this run for "
                f"{', '.join(sorted(asked)) or 'nothing'}",
                "Give the schedulers that it was written with, or resume=restart",
            )
        return {key: Restart() for key in asked}
    decisions: dict[str, Decision] = {}
    for key, one in asked.items():
        decision = decide(saved[key] if isinstance(saved, Mapping) else saved, one, policy)
        if isinstance(decision, Refuse):
            raise decision.error if len(asked) == 1 else _of(decision.error, key)
        decisions[key] = decision
    return decisions


def _of(error: SchedulerConfigError, key: str) -> SchedulerConfigError:
    """The error, with the schedule that it is about."""
    return SchedulerConfigError(error.key, error.value, f"{key}: {error.rule}", error.remedy)
