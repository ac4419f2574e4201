"""What the rate of every update should be, said a second time: slow, plain, and without a line of the package.

Three parts: how long a run is (`oracle_run.Run`), what a schedule is in that run (`resolve`; `rate` is in `oracle_curves`),
and where on its curve a schedule stands at each update, also after a resume (`Track`). Numbers are exact fractions up to the
last formula.
"""

from __future__ import annotations

import copy
import dataclasses
import itertools
import math
import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import oracle_families
from oracle_curves import FORMULAS, OWN, floor_of, momentum, own, rate
from oracle_run import Run, Span

__all__ = ["FORMULAS", "OWN", "Run", "Span", "momentum", "own", "rate"]  # with everything below


class Refused(Exception):
    """The package has to refuse this with a SchedulerConfigError."""


# ------------------------------------------------------------------------------------------------ lengths

DEFAULTS: dict[str, dict[str, Any]] = {
    "none": {},
    "lambda": {"lr_lambda": "0.95 ** epoch", "eta_min": 0.0},
    "multiplicative": {"lr_lambda": "0.95", "eta_min": 0.0},
    "step": {"step_size": "40%", "gamma": 0.1, "eta_min": 0.0},
    "multi_step": {"milestones": ["60%", "80%"], "gamma": 0.1, "eta_min": 0.0},
    "constant": {"factor": 1 / 3, "total_iters": 5},
    "linear": {"start_factor": 1 / 3, "end_factor": 1.0, "total_iters": 5, "eta_min": 0.0},
    "exponential": {"gamma": 0.95, "decay_period": None, "staircase": False, "eta_min": 0.0},
    "polynomial": {"total_iters": 5, "power": 1.0, "eta_min": 0.0},
    "cosine": {"T_max": "100%", "eta_min": 0.0, "power": 1.0, "cycles": 0.5, "k": 1.0},
    "cosine_warm_restarts": {"T_0": "10%", "T_mult": 1, "eta_min": 0.0, "restart_decay": 1.0, "cycles": None},
    "cyclic": {
        "base_lr": None,
        "max_lr": None,
        "step_size_up": 2000,
        "step_size_down": None,
        "mode": "triangular",
        "gamma": 1.0,
        "cycle_momentum": True,
        "base_momentum": 0.8,
        "max_momentum": 0.9,
    },
    "one_cycle": {
        "max_lr": None,
        "total_steps": "100%",
        "pct_start": 0.3,
        "anneal_strategy": "cos",
        "cycle_momentum": True,
        "base_momentum": 0.85,
        "max_momentum": 0.95,
        "div_factor": 25.0,
        "final_div_factor": 1e4,
        "three_phase": False,
    },
    "reduce_on_plateau": {
        "mode": "min",
        "factor": 0.1,
        "patience": 10,
        "threshold": 1e-4,
        "threshold_mode": "rel",
        "cooldown": 0,
        "min_lr": 0.0,
        "eps": 1e-8,
    },
    "sequential": {"stages": None},
    "chained": {"stages": None},
    **oracle_families.DEFAULTS,
}
COMMON = {
    "interval": "auto",
    "frequency": 1,
    "monitor": None,
    "warmup": 0,
    "warmup_start_factor": 0.01,
    "warmup_shape": "linear",
    "warmup_overlap": False,
    "cooldown": 0,
    "cooldown_shape": "linear",
}
LENGTHS = [
    "step_size", "milestones", "total_iters", "T_max", "T_0", "step_size_up", "step_size_down", "total_steps", "decay_period",
    "timescale", "decay", "warmup_steps", "upper_bound",
]  # fmt: skip
BY_STEP = ["cyclic", "one_cycle", *oracle_families.DEFAULTS]


def filled(node: dict[str, Any]) -> dict[str, Any]:
    return {**COMMON, **DEFAULTS[node["name"]], **node}


def stages_of(node: dict[str, Any]) -> list[dict[str, Any]]:
    stages = node.get("stages") or {}
    return [stage for stage in (stages.values() if isinstance(stages, dict) else stages) if stage is not None]


def parse(length: Any) -> tuple[Fraction, str]:
    """``"2.5%"`` is ``(5/2, "%")``; a plain number has the unit ``""``."""
    match = re.fullmatch(r"\s*([\d.eE+-]+)\s*(ep|st|%|)\s*", str(length))
    assert match, length
    return Fraction(match[1]), match[2]


def written(node: dict[str, Any]) -> list[tuple[Fraction, str, bool]]:
    """Every length that a schedule and its stages write: amount, unit, whether it is a warmup."""
    node = filled(node)
    found = [(*parse(node["warmup"]), True)] if node["warmup"] else []
    for key in (*LENGTHS, "length"):
        value = node.get(key)
        found += [(*parse(v), False) for v in (value if isinstance(value, list) else [value]) if v is not None]
    found += [(*parse(at), False) for at, _ in node.get("points", ()) if at]
    found += [(*parse(node["cooldown"]), False)] if has_tail(node) else []
    for stage in stages_of(node):
        found += written(stage)
    return found


def has_tail(node: dict[str, Any]) -> bool:
    """Whether there is a cooldown; that of a plateau counts values of its metric."""
    return bool(filled(node)["cooldown"]) and node["name"] != "reduce_on_plateau"


def by_step(node: dict[str, Any]) -> bool:
    return node["name"] in BY_STEP or any(by_step(stage) for stage in stages_of(node))


def interval_of(node: dict[str, Any]) -> str:
    """What `auto` becomes: a matter of what is written, not of the run's size."""
    if filled(node)["interval"] != "auto":
        return str(filled(node)["interval"])
    for amount, unit, warmup in written(node):
        if unit in ("st", "%") or (unit == "ep" and (warmup or amount.denominator != 1)):
            return "step"
    return "step" if by_step(node) else "epoch"


def half_up(x: Fraction) -> int:
    return math.floor(x + Fraction(1, 2))


@dataclass
class Plan:
    """A schedule with every length in scheduler steps."""

    node: dict[str, Any]  # filled in, lengths as integers
    warmup: int
    interval: str
    frequency: int
    total: int
    end: Fraction  # the run in scheduler steps, exactly
    hold: int | None = None
    stages: list[tuple[int, Plan]] = field(default_factory=list)
    cooldown: tuple[int, int] | None = None  # first step, and how many

    def function(self) -> Any:
        """What two schedules have in common that give the same rate at every step."""
        unlike = ("stages", "interval", "length", "warmup", "verbose", *(["cooldown"] if has_tail(self.node) else []))
        node = {k: v for k, v in self.node.items() if k not in unlike}
        if not self.warmup:
            node = {k: v for k, v in node.items() if k not in ("warmup_start_factor", "warmup_shape", "warmup_overlap")}
        if self.cooldown is None:
            node.pop("cooldown_shape")
        stages = [(start, plan.function()) for start, plan in self.stages]
        return node, self.warmup, self.interval, self.frequency, self.hold, self.cooldown, stages


class Resolver:
    """Turns the lengths of one schedule into scheduler steps."""

    def __init__(self, node: dict[str, Any], span: Span) -> None:
        self.span = span
        self.node = filled(node)
        self.interval = interval_of(node)
        self.frequency = int(self.node["frequency"])
        self.bare_is_epochs = self.node["interval"] == "auto" and self.interval == "step" and not by_step(node)
        intervals = Fraction(span.updates) if self.interval == "step" else span.epochs
        if intervals < self.frequency and self.frequency > 1:
            raise Refused(f"frequency {self.frequency} is longer than the run")
        self.end = intervals / self.frequency
        self.total = math.ceil(self.end)

    def exact(self, length: Any, start: int, whole: int, sign: int = 1) -> tuple[Fraction, bool]:
        """Scheduler steps of a length that begins at step `start` (or, with `sign` -1, ends there), not rounded, and
        whether it is a share."""
        amount, unit = parse(length)
        if unit == "%":
            return amount * whole / 100, True
        if unit == "" and self.bare_is_epochs:
            unit = "ep"
        begin = Fraction(start * self.frequency)
        if unit == "ep" and self.interval == "step":
            amount = sign * (self.span.updates_at(self.span.epochs_at(begin) + sign * amount) - begin)
        elif unit == "st" and self.interval == "epoch":
            amount = sign * (self.span.epochs_at(self.span.updates_at(begin) + sign * amount) - begin)
        return amount / (self.frequency if unit else 1), False

    def rounded(self, exact: Fraction, share: bool, what: str) -> int:
        if share and exact < 1:
            return 1
        if self.interval == "epoch" and exact.denominator != 1:
            raise Refused(f"{what} is no whole number of epochs (or of frequency)")
        steps = half_up(exact)
        if steps == 0:
            raise Refused(f"{what} is less than half a scheduler step")
        return steps

    def steps(self, length: Any, start: int, whole: int) -> int:
        return self.rounded(*self.exact(length, start, whole), str(length))

    def plan(self, node: dict[str, Any], start: int, whole: int, hold: int | None = None) -> Plan:
        node = copy.deepcopy(filled(node))
        warmup = 0
        if node["warmup"]:
            warmup = self.steps(node["warmup"], start, whole)
            if warmup >= whole and not (whole == 1 and parse(node["warmup"])[1] == "%"):
                raise Refused("the warmup leaves nothing")
        tail = self.tail(node, start, whole, warmup)
        begin = 0 if node["warmup_overlap"] else warmup
        start, rest = start + begin, max(whole - begin, 1)
        if re.search(r"\b[Tp]\b", str(node.get("lr_lambda"))):
            node["T"] = rest
        for key in LENGTHS:
            value = node.get(key)
            if isinstance(value, list):
                node[key] = self.rising(value, start, rest)
            elif value is not None:
                node[key] = self.steps(value, start, rest)
        if "points" in node:
            later = [at for at, _ in node["points"] if at]
            steps = [0] * (len(node["points"]) - len(later)) + self.rising(later, start, rest)
            node["points"] = [[at, factor] for at, (_, factor) in zip(steps, node["points"], strict=True)]
        check(node)
        hold = None if hold is None else rest
        made = Plan(node, warmup, self.interval, self.frequency, whole, self.end, hold, cooldown=tail)
        if node["name"] == "chained":
            made.stages = [(0, self.plan(stage, start, rest)) for stage in stages_of(node)]
        elif node["name"] == "sequential":
            made.stages = self.sequence(stages_of(node), start, rest)
        return made

    def rising(self, lengths: list[Any], start: int, whole: int) -> list[int]:
        """Positions, of which those that are shares may fall together."""
        steps = [self.steps(one, start, whole) for one in lengths]
        shares = all(parse(one)[1] == "%" for one in lengths)
        if any(b < a or (b == a and not shares) for a, b in itertools.pairwise(steps)):
            raise Refused(f"{lengths} do not rise here")
        return steps

    def tail(self, node: dict[str, Any], start: int, whole: int, warmup: int) -> tuple[int, int] | None:
        """A cooldown ends where the schedule does, and is counted back from there."""
        if not has_tail(node):
            return None
        exact, share = self.exact(node["cooldown"], start + whole, whole, -1)
        steps = self.rounded(exact, share, "the cooldown")
        if steps > whole - warmup and not (share and whole == 1):
            raise Refused("the cooldown is longer than what is behind the warmup")
        return max(whole - steps, 0), steps

    def sequence(self, stages: list[dict[str, Any]], start: int, whole: int) -> list[tuple[int, Plan]]:
        """Ends are rounded as positions; one stage may take what the others leave."""
        if len(stages) > whole:
            raise Refused("more stages than steps")
        open_ones = [i for i, stage in enumerate(stages) if stage.get("length") is None]
        if len(open_ones) > 1:
            raise Refused("two stages without a length")
        lengths, shares = [Fraction(-1)] * len(stages), [True] * len(stages)
        # Those behind the one of open length are counted back from the end, since epochs may differ in length.
        behind = range(len(stages) - 1, open_ones[0], -1) if open_ones else range(0)
        for order, sign in ((range(open_ones[0] if open_ones else len(stages)), 1), (behind, -1)):
            done = Fraction(0)
            for i in order:
                at = start + (half_up(done) if sign == 1 else half_up(whole - done))
                exact, shares[i] = self.exact(stages[i]["length"], at, whole, sign)
                steps = self.rounded(exact, shares[i], f"length {stages[i]['length']}")
                lengths[i] = exact if self.interval == "step" else Fraction(steps)
                done += lengths[i]
        if open_ones:
            taken = [max(x, Fraction(1)) if share else x for x, share in zip(lengths, shares, strict=True)]
            left = whole - sum(x for i, x in enumerate(taken) if i not in open_ones)
            if left <= 0 or (half_up(left) == 0 and not all(shares)):
                raise Refused("nothing is left for the stage without a length")
        ends = self.ends(lengths, shares, open_ones[0] if open_ones else len(stages), whole)
        found: list[tuple[int, Plan]] = []
        begin = 0
        for i, (stage, end) in enumerate(zip(stages, ends, strict=True)):
            if end == begin:
                raise Refused(f"stage {i} has no step")
            last = i == len(stages) - 1
            hold = end - begin if last and stage.get("length") is not None else None
            if stage["name"] == "reduce_on_plateau":
                hold = None
            found.append((begin, self.plan(stage, start + begin, end - begin, hold)))
            begin = end
        return found

    @staticmethod
    def ends(lengths: list[Fraction], shares: list[bool], open_one: int, whole: int) -> list[int]:
        """Where stages end: counted from the front up to the one of open length, and from the back behind it."""
        n = len(lengths)
        ends = [0] * n
        later = whole
        for i in range(n - 1, open_one - 1, -1):
            position = whole - sum(lengths[i + 1 :], Fraction(0))
            ends[i] = whole if i == n - 1 else min(half_up(position), later - 1)
            if i < n - 1 and half_up(position) > ends[i] and not shares[i + 1]:
                raise Refused(f"no step is left for stage {i + 1}")
            later = ends[i]
        begin, position = 0, Fraction(0)
        for i in range(min(open_one, n)):
            position += lengths[i]
            room = whole - (n - i - 1)
            if position > whole or ((half_up(position) > room or half_up(position) <= begin) and not shares[i]):
                raise Refused(f"the stages up to {i} take {position} of {whole}")
            begin = ends[i] = min(max(half_up(position), begin + 1), room)
        return [max(end, i + 1) for i, end in enumerate(ends)]


def check(node: dict[str, Any]) -> None:
    """What no schedule can do."""
    if node["name"] == "warmup_stable_decay" and node["decay"] > node["total_steps"]:
        raise Refused("the decay is longer than the whole")
    if node["name"].endswith("hyperbolic") and node["upper_bound"] < node["total_steps"]:
        raise Refused("the longest run is shorter than this one")


def resolve(node: dict[str, Any], run: Run, done: int = 0) -> Plan:
    """The plan of a schedule for a run, or for what is left of it after `done` updates."""
    resolver = Resolver(node, Span(run, done))
    return resolver.plan(node, 0, resolver.total)


def check_floors(plan: Plan, bases: tuple[float, ...]) -> None:
    """A floor lies below the peak, which is not always the base."""
    for _, stage in plan.stages:
        check_floors(stage, bases)
    node, peak = plan.node, 1.0
    if node["name"] == "noam":
        peak = 1 / math.sqrt(node["d_model"] * node["warmup_steps"])
    elif node["name"] == "linear":
        peak = max(node["start_factor"], node["end_factor"])
    for group, base in enumerate(bases):
        if floor_of(node, group, base) > base * peak:
            raise Refused("the floor is above the peak")


def fitted(node: dict[str, Any], run: Run, bases: tuple[float, ...], done: int = 0) -> Plan:
    """The plan for an optimizer with these rates."""
    plan = resolve(node, run, done)
    check_floors(plan, bases)
    return plan


# ------------------------------------------------------------------------------------------------ metrics


def reductions(node: dict[str, Any], values: list[float], base: float, low: float = 0.0) -> float:
    """The rate of `reduce_on_plateau` after it has seen `values`, of which it takes every frequency-th."""
    p = filled(node)
    sign = 1 if p["mode"] == "min" else -1
    best, bad, cooling, held = math.inf, 0, 0, base
    for value in values[p["frequency"] - 1 :: p["frequency"]]:
        value = sign * value
        margin = p["threshold"] * (abs(best) if p["threshold_mode"] == "rel" and best < math.inf else 1)
        if value < best - margin:
            best, bad = value, 0
        else:
            bad += 1
        if cooling:
            cooling, bad = cooling - 1, 0
        if bad > p["patience"]:
            new = max(held * p["factor"], low)
            held = new if held - new > p["eps"] else held
            bad, cooling = 0, p["cooldown"]
    return held


# ------------------------------------------------------------------------------------------------ where it stands

Edits = dict[int, list[float]]  # update before which an edit is made -> the ratio of every group


@dataclass(frozen=True)
class Track:
    """One schedule through a run and its resumes.

    Attributes:
        plan: the schedule as it was resolved.
        bases: rates of the groups.
        run: the run that it is in.
        asked: what that run asked for; a run that asks for the same goes on as if nothing had happened.
        origin: updates made before its clock began.
        edits: hand edits.
        warped: of a stretched one ``(position, update, positions per update)`` at the seam.
        seam: ``(update, position)``: where a stretched one stays until its first step.
        last: position after which nothing moves.
        doubtful: why the contract leaves open what happens here, if it does.
    """

    plan: Plan
    bases: tuple[float, ...]
    run: Run
    asked: Any
    origin: int = 0
    edits: Edits = field(default_factory=dict)
    warped: tuple[Fraction, int, Fraction] | None = None
    seam: tuple[int, Fraction] | None = None
    last: Fraction | None = None
    doubtful: str = ""

    @property
    def first_epoch(self) -> int:
        return self.run.epoch_of(self.origin)

    def tick_update(self, update: int) -> int:
        """Updates done when the schedule last moved, before `update`."""
        frequency = self.plan.frequency
        if self.plan.interval == "step":
            return self.origin + (update - self.origin) // frequency * frequency
        steps = (self.run.epoch_of(update) - self.first_epoch) // frequency
        if steps == 0:
            return self.origin
        return int(self.run.updates_at(Fraction(self.first_epoch + steps * frequency)))

    def position(self, update: int) -> Fraction:
        """The step of the schedule that `update` is made with."""
        by_epoch = self.plan.interval == "epoch"
        ticks = self.run.epoch_of(update) - self.first_epoch if by_epoch else update - self.origin
        position = Fraction(ticks // self.plan.frequency)
        if self.warped is not None:
            at, seam, slope = self.warped
            tick = self.tick_update(update)
            position = at + (tick - seam) * slope
            if self.seam is not None and tick <= self.seam[0]:
                position = self.seam[1]
        return position if self.last is None else min(position, self.last)

    def exact(self, update: int) -> Fraction:
        """Time on the schedule after so many updates, between its steps too."""
        if self.warped is not None:
            at, seam, slope = self.warped
            return at + (update - seam) * slope
        done = Fraction(update - self.origin)
        if self.plan.interval == "epoch":
            done = Span(self.run, self.origin).epochs_at(done)
        return done / self.plan.frequency

    def ratio(self, update: int, group: int) -> float:
        return math.prod(ratios[group] for at, ratios in self.edits.items() if at <= update)

    def rates(self, update: int) -> list[float]:
        """The rate of every group at an update."""
        t = self.position(update)
        return [rate(self.plan, t, base, i) * self.ratio(update, i) for i, base in enumerate(self.bases)]

    def trace(self, start: int = 0) -> list[list[float]]:
        """The rates of every update from `start` to the end of the run."""
        return [self.rates(update) for update in range(start, self.run.updates)]

    def momenta(self, start: int = 0) -> list[float | None]:
        return [momentum(self.plan, self.position(update)) for update in range(start, self.run.updates)]


def asked(node: dict[str, Any], run: Run, bases: tuple[float, ...]) -> Any:
    return fitted(node, run, bases).function(), bases, run.updates, run.epochs_at(Fraction(run.updates))


def begin(node: dict[str, Any], run: Run, bases: tuple[float, ...], edits: Edits | None = None) -> Track:
    """A run from its beginning."""
    return Track(fitted(node, run, bases), bases, run, asked(node, run, bases), edits=edits or {})


def resume(
    old: Track,
    node: dict[str, Any],
    run: Run,
    bases: tuple[float, ...],
    policy: str,
    done: int,
    edits: Edits | None = None,
) -> Track:
    """What goes on from a checkpoint after `done` updates; DESIGN, section 5.

    Raises:
        Refused: where the policy refuses.
    """
    open_question = ""
    try:
        wanted = asked(node, run, bases)
    except Refused:
        if policy == "strict":
            raise
        wanted, open_question = None, "the request does not fit the whole run, and is not needed"
    later = {at: ratios for at, ratios in (edits or {}).items() if at >= done}
    true_run = run.after(old.run, done)
    kept = {at: ratios for at, ratios in old.edits.items() if at < done} | later
    new = dataclasses.replace(old, asked=wanted, run=true_run, edits=kept, doubtful=open_question)
    if wanted == old.asked:
        return new
    if policy == "restart":
        return Track(
            fitted(node, true_run, bases, done),
            bases,
            true_run,
            wanted,
            origin=done,
            edits=later,
            doubtful=open_question,
        )
    if policy == "strict":
        plain = old.warped is None
        if wanted[0] != old.plan.function() or bases != old.bases or not plain:
            raise Refused("this run's schedule is another one")
        if old.origin or old.last is not None:
            open_question = "strict after a restart, or after a hold that may not have begun"
        if old.origin:
            return dataclasses.replace(new, doubtful=open_question)
        return dataclasses.replace(new, plan=resolve(node, true_run), doubtful=open_question)
    if policy == "keep":
        return dataclasses.replace(new, last=old.position(old.run.updates - 1) if old.last is None else old.last)
    assert policy == "stretch", policy
    start, end = old.exact(done), old.plan.end
    if start >= end:
        return dataclasses.replace(new, last=old.position(old.run.updates - 1))
    slope = (end - start) / (true_run.updates - done)
    return dataclasses.replace(new, warped=(start, done, slope), seam=(done, old.position(done)), last=None)


def foreign(node: dict[str, Any], run: Run, bases: tuple[float, ...], policy: str, done: int) -> Track:
    """What goes on from a checkpoint that was written without the package: a schedule placed where the run is."""
    if policy == "strict":
        raise Refused("nothing is known of the schedule before")
    if policy == "restart":
        return Track(fitted(node, run, bases, done), bases, run, asked(node, run, bases), origin=done)
    return begin(node, run, bases)
