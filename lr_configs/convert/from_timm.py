"""Timm's ``create_scheduler_v2``, name by name (timm 1.0, ``scheduler/``).

There a warmup begins at an absolute rate, and ours at a share of the group's own; the schedule's clock runs during it unless
it is a *prefix*, as with our `warmup_overlap`. Where the two meet, a schedule of ours is written; elsewhere timm's formula.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lr_configs.convert.result import Converted, known, positive, rates, whole
from lr_configs.convert.result import converted as made
from lr_configs.errors import SchedulerConfigError, nearest
from lr_configs.formula import Formula
from lr_configs.schedules.cosine_warm_restarts import periods

#: timm's arguments and defaults, beside `sched` and `num_epochs`
DEFAULTS: dict[str, Any] = {
    "decay_epochs": None,
    "decay_milestones": (90, 180, 270),
    "cooldown_epochs": 0,
    "patience_epochs": 10,
    "decay_rate": 0.1,
    "min_lr": 0.0,
    "warmup_lr": 1e-5,
    "warmup_epochs": 0,
    "warmup_prefix": False,
    "noise": None,
    "noise_pct": 0.67,
    "noise_std": 1.0,
    "noise_seed": 42,
    "cycle_mul": 1.0,
    "cycle_decay": 0.1,
    "cycle_limit": 1,
    "k_decay": 1.0,
    "decay_fn": None,
    "stable_timescale": None,
    "plateau_mode": "max",
    "step_on_epochs": True,
    "updates_per_epoch": 0,
}
#: why there is one
_FORMULA = "no schedule of ours is this one: timm's own formula"
#: text of a factor, from the text of the schedule's own step and the group's own rate (None where it makes no difference)
Body = Callable[[str, float | None], str]


@dataclass(frozen=True)
class _Call:
    """The arguments of the call, lengths in scheduler steps."""

    sched: str
    epochs: int
    keys: Mapping[str, Any]
    lr: Any

    @property
    def unit(self) -> int:
        """Scheduler steps of an epoch."""
        return 1 if self.keys["step_on_epochs"] else int(self.keys["updates_per_epoch"])

    @property
    def interval(self) -> str:
        """What a scheduler step is."""
        return "epoch" if self.keys["step_on_epochs"] else "step"

    @property
    def T(self) -> int:
        """Length of the first cycle."""
        return self.epochs * self.unit

    @property
    def W(self) -> int:
        """Length of the warmup."""
        return int(self.keys["warmup_epochs"]) * self.unit

    @property
    def low(self) -> float:
        """The lowest rate."""
        return float(self.keys["min_lr"])

    @property
    def shift(self) -> int:
        """Where the schedule's own step 0 is."""
        return self.W if self.keys["warmup_prefix"] or self.sched in ("wsd", "rsqrt") else 0

    @property
    def own_first(self) -> bool:
        """Whether the formula's first value is not the group's own rate."""
        return self.sched == "tanh" or (self.sched == "multistep" and self.keys["decay_milestones"][0] * self.unit <= 1)

    def floor(self, base: float | None) -> float:
        """The lowest rate as a factor."""
        return self.low / base if self.low and base else 0.0

    def rates(self) -> list[float]:
        """The groups' own rates."""
        key = "warmup_lr" if self.W else "min_lr"
        value = self.keys[key]
        return rates(
            self.lr, f"timm's {key}={value} is a rate, and ours is a share of the group's own, which has to be known"
        )

    # ------------------------------------------------------------------------------------ what is written

    def plain(self, name: str, *, constant: bool = False, first: float | None = None, **keys: Any) -> Converted | None:
        """A schedule of ours, where a warmup of ours is timm's; None where it is not.

        Args:
            name: of the schedule.
            constant: whether it makes no difference when its clock begins.
            first: its first value as a share of the way from `min_lr` to the group's own rate, where that is not the rate itself,
                and timm's warmup leads to the value at its end.
            **keys: of the schedule.
        """
        node = {"name": name, **keys, "interval": self.interval}
        if not self.W:
            return self.done(node)
        start = self.start(1.0 if first is None else first)
        if start is None:
            return None
        overlap = {} if self.shift or constant else {"warmup_overlap": True if first is None else "continuous"}
        note = ["timm's clock runs during a warmup that is no prefix"] if overlap else []
        return self.done({**node, "warmup": self.W, "warmup_start_factor": start, **overlap}, *note)

    def start(self, first: float = 1.0) -> float | None:
        """The rate at which the warmup begins, as a share of a schedule's first value; None where groups differ in it."""
        start = float(self.keys["warmup_lr"])
        if not start:
            return start
        several = {start / (self.low + (base - self.low) * first if first != 1 else base) for base in self.rates()}
        return several.pop() if len(several) == 1 and max(several) <= 1 else None

    @property
    def ends_at(self) -> dict[str, Any]:
        """The lowest rate as a key of ours, where there is one."""
        return {"eta_min": self.low} if self.low else {}

    def formula(self, body: Body, *, end: Body | None = None) -> Converted:
        """Timm's own formula.

        Args:
            body: behind the warmup.
            end: what the warmup leads to at its last step, where that is not the group's own rate.
        """
        needs_rates = bool(self.W or self.low)
        bases: list[float | None] = list(self.rates()) if needs_rates else [None]
        texts = list(dict.fromkeys(self._text(body, end, base) for base in bases))
        if len(texts) > 1:
            texts = [self._text(body, end, base) for base in bases]
        node = {"name": "lambda", "lr_lambda": texts[0] if len(texts) == 1 else texts, "interval": self.interval}
        note = f"{_FORMULA}, one for each of the rates {bases}" if len(texts) > 1 else _FORMULA
        return self.done(node, note)

    def _text(self, body: Body, end: Body | None, base: float | None) -> str:
        own = body(f"(t - {self.shift})" if self.shift else "t", base)
        if not self.W:
            # timm's constructor leaves the group's own rate, whatever the formula gives at step 0
            return f"1 if t < 1 else {own}" if self.own_first else own
        if base is None:
            return own
        start = float(self.keys["warmup_lr"])
        if end is None:
            slope = repr((base - start) / self.W)
        else:
            slope = repr((Formula(end(str(self.W), base))(self.W) * base - start) / self.W)
        return f"({start!r} + t * ({slope})) / {base!r} if t < {self.W} else {own}"

    def done(self, node: dict[str, Any], *notes: str) -> Converted:
        """The config, and how long timm trains."""
        epochs = self.whole_run()
        return replace(made(node, *notes, f"timm trains for {epochs} epochs"), epochs=epochs)

    def whole_run(self) -> float:
        """The epochs that timm's factory gives back."""
        prefix = int(self.keys["warmup_epochs"]) if self.shift else 0
        if self.sched in ("wsd", "rsqrt"):
            return whole((self.W + self.stable_and_decay + self.cooldown) // self.unit)
        if self.sched not in ("cosine", "tanh", "poly"):
            return self.epochs + (int(self.keys["warmup_epochs"]) if self.keys["warmup_prefix"] else 0)
        cycles, mul = max(1, self.keys["cycle_limit"]), float(self.keys["cycle_mul"])
        length = self.T * cycles if mul == 1 else math.floor(-self.T * (mul**cycles - 1) / (1 - mul))
        return whole((length + prefix * self.unit + self.cooldown) // self.unit)

    @property
    def cooldown(self) -> int:
        """Steps at the floor, behind the last cycle."""
        return int(self.keys["cooldown_epochs"]) * self.unit

    @property
    def stable_and_decay(self) -> int:
        """Length of what is behind the warmup, for `wsd` and `rsqrt`."""
        return self.T if self.keys["warmup_prefix"] else self.T - self.W


# ---------------------------------------------------------------------------------------- schedules with cycles


def _cycles(call: _Call, fall: Callable[[str, str], str]) -> Body:
    """Text of a schedule with cycles; `fall` is one from 1 to 0, over `n` steps of which `t` are gone."""
    T, mul, limit, decay = call.T, float(call.keys["cycle_mul"]), call.keys["cycle_limit"], call.keys["cycle_decay"]

    def body(t: str, base: float | None) -> str:
        low = call.floor(base)
        if limit == 1:
            peak, i, now, n, inside = "1", "", t, str(T), f"{t} < {T}"
        elif mul == 1:
            i, n = f"({t} // {T})", str(T)
            peak, now, inside = f"{decay!r} ** {i}", f"({t} % {T})", f"{i} < {limit}"
        else:
            i = f"floor(log(1 - {t} / {T} * (1 - {mul!r})) / log({mul!r}))"
            n, inside = f"({mul!r} ** {i} * {T})", f"{i} < {limit}"
            peak, now = f"{decay!r} ** {i}", f"({t} - (1 - {mul!r} ** {i}) / (1 - {mul!r}) * {T})"
        factor = fall(now, n)
        text = f"{low!r} + ({peak} - {low!r}) * {factor}" if low else f"{peak} * {factor}" if limit != 1 else factor
        return f"{text} if {inside} else {low!r}"

    return body


def _gone(call: _Call, t: str, n: str) -> str:
    """Share of a cycle that is gone, with timm's k-decay."""
    k = call.keys["k_decay"]
    return f"{t} / {n}" if k == 1 else f"{t} ** {k!r} / {n} ** {k!r}"


def _cosine(call: _Call) -> Converted:
    plain = _cosine_of_ours(call)
    return plain or call.formula(_cycles(call, lambda t, n: f"0.5 * (1 + cos(pi * {_gone(call, t, n)}))"))


def _cosine_of_ours(call: _Call) -> Converted | None:
    keys, k, limit = call.keys, call.keys["k_decay"], max(1, call.keys["cycle_limit"])
    if limit == 1 and (k != 1 or not call.cooldown):
        cosine: dict[str, Any] = {"T_max": call.T, **({"k": k} if k != 1 else {}), **call.ends_at}
        if call.cooldown:  # a last stage with a length of its own holds its last value
            return call.plain("sequential", stages={"decay": {"name": "cosine", **cosine, "length": call.T}})
        return call.plain("cosine", **cosine)
    mul, decay = float(keys["cycle_mul"]), keys["cycle_decay"]
    if k != 1 or not 0 <= decay <= 1 or not (mul == 1 or mul >= 1.001) or _slips(call.T, mul, limit):
        return None
    more: dict[str, Any] = {} if limit == 1 else {"restart_decay": decay, "T_mult": whole(mul)}
    return call.plain("cosine_warm_restarts", T_0=call.T, **more, cycles=limit, **call.ends_at)


def _slips(T: int, mul: float, limit: int) -> bool:
    """Whether timm's logarithm finds another cycle than the one that a step is in, by rounding, near a restart."""
    if mul == 1 or limit == 1:
        return False
    starts = periods(T, mul)[0]
    near = {math.floor(start) + side for start in starts[:limit] for side in (-1, 0, 1, 2)}
    return any(math.floor(math.log(1 - t / T * (1 - mul), mul)) != bisect_right(starts, t) for t in near)


#: timm's factory leaves the bounds of `tanh` at -7 and 3: its first value
_FIRST = 1 / (1 + math.exp(-14))


def _tanh(call: _Call) -> Converted:
    keys: dict[str, Any] = {"total_steps": call.T, **call.ends_at}
    plain = None
    if call.keys["cycle_limit"] == 1 and call.W:
        start = call.start()
        if not call.keys["warmup_prefix"]:
            plain = call.plain("tanh", first=_FIRST, **keys)
        elif start:  # it leads to the group's own rate, which the schedule is a little below
            warmup = {"name": "linear", "start_factor": start, "total_iters": call.W, "length": call.W}
            stages = {"warmup": warmup, "decay": {"name": "tanh", **keys}}
            plain = call.done({"name": "sequential", "stages": stages, "interval": call.interval})
    body = _cycles(call, lambda t, n: f"0.5 * (1 - tanh(-7.0 * (1 - {t} / {n}) + 3.0 * ({t} / {n})))")
    return plain or call.formula(body, end=None if call.keys["warmup_prefix"] else body)


def _poly(call: _Call) -> Converted:
    keys, power = call.keys, call.keys["decay_rate"]
    plain = None
    if keys["k_decay"] == 1 and keys["cycle_limit"] == 1 and power > 0:
        plain = call.plain("polynomial", total_iters=call.T, power=power, **call.ends_at)
    return plain or call.formula(_cycles(call, lambda t, n: f"(1 - {_gone(call, t, n)}) ** {power!r}"))


# ---------------------------------------------------------------------------------------- the others


def _none(call: _Call) -> Converted:
    return made({"name": "none", "interval": call.interval}, "timm returns no scheduler, and has no warmup here")


def _constant(call: _Call) -> Converted:
    return call.plain("none", constant=True) or call.formula(lambda t, base: "1")


def _step(call: _Call) -> Converted:
    given = call.keys["decay_epochs"]
    period, gamma = whole((90 if given is None else given) * call.unit), call.keys["decay_rate"]
    plain = call.plain("step", step_size=period, gamma=gamma) if isinstance(period, int) else None
    return plain or call.formula(lambda t, base: f"{gamma!r} ** ({t} // {period!r})")


def _multistep(call: _Call) -> Converted:
    gamma = call.keys["decay_rate"]
    marks = [whole(one * call.unit) for one in call.keys["decay_milestones"]]
    if marks != sorted(marks):
        raise SchedulerConfigError("decay_milestones", marks, "milestones rise", "Sort them")
    note = f"timm's milestone m takes effect at step m - 1, a step before torch's: {marks} is written as one less each"
    plain = None
    if all(isinstance(one, int) and one > 1 for one in marks) and len(set(marks)) == len(marks):
        plain = call.plain("multi_step", milestones=[one - 1 for one in marks], gamma=gamma)
    if plain is None:

        def body(t: str, base: float | None) -> str:
            return (
                "".join(f"{gamma!r} ** {i} if {t} + 1 < {one} else " for i, one in enumerate(marks))
                + f"{gamma!r} ** {len(marks)}"
            )

        plain = call.formula(body)
    return replace(plain, notes=(*plain.notes, note))


_DECAYS = {
    "linear": "1 - {x}",
    "1-sqrt": "1 - sqrt({x})",
    "cosine": "0.5 * (1 + cos(pi * {x}))",
    "power": "1 - {x} ** 0.5",
    "exp": "(0.1 ** {x} - 0.1) / 0.9",
}


def _wsd(call: _Call) -> Converted:
    given, n, rsqrt = call.keys["decay_epochs"], call.stable_and_decay, call.sched == "rsqrt"
    given = 0.2 if given is None else given
    D = round(given * n if 0 < given < 1 else given * call.unit)
    if not 0 < D <= n:
        raise SchedulerConfigError(
            "decay_epochs", given, f"the decay takes {D} of the {n} steps behind the warmup", "Write a share, e.g. 0.2"
        )
    name = call.keys["decay_fn"] or ("linear" if rsqrt else "1-sqrt")
    if name not in _DECAYS:
        raise SchedulerConfigError("decay_fn", name, f"this is one of {', '.join(_DECAYS)}", "Name one of them")
    scale = call.keys["stable_timescale"]
    scale = call.W if scale is None else whole(scale * call.unit)
    if rsqrt:
        positive("stable_timescale", scale, "rsqrt without a warmup")
    plain = _wsd_of_ours(call, n, D, name, scale if rsqrt else None)
    if plain is not None:
        return plain

    def body(t: str, base: float | None) -> str:
        low = call.floor(base)
        stable = "1"
        if rsqrt:
            stable = f"(1 + {t} / {scale!r}) ** -0.5"
            stable = f"max({stable}, {low!r})" if low else stable
        decay = _DECAYS[name].format(x=f"min(({t} - {n - D}) / {D}, 1)")
        falling = f"{low!r} + ({stable} - {low!r}) * ({decay})" if low else f"{stable} * ({decay})"
        return f"{stable} if {t} <= {n - D} else {falling}"

    return _behind_warmup(call, body)


#: its decays that are ours
_SHAPES = {"linear": "linear", "1-sqrt": "1-sqrt", "cosine": "cosine", "power": "1-sqrt"}


def _wsd_of_ours(call: _Call, n: int, D: int, name: str, scale: float | None) -> Converted | None:
    """`n` steps behind the warmup, the last `D` of them a decay; `scale` is that of `rsqrt`."""
    if name not in _SHAPES:
        return None
    decay: dict[str, Any] = {"total_steps": n, "decay": D, "decay_shape": _SHAPES[name]}
    if scale is None:
        return call.plain("warmup_stable_decay", **decay, **call.ends_at)
    if call.low or not isinstance(scale, int):
        return None
    stages = {"fall": {"name": "inverse_sqrt", "timescale": scale}, "decay": {"name": "warmup_stable_decay", **decay}}
    return call.plain("chained", stages=stages)


def _behind_warmup(call: _Call, body: Body) -> Converted:
    """A formula behind a warmup of ours, where that is timm's."""
    texts = {body("t", base) for base in (call.rates() if call.low else [None])}
    plain = call.plain("lambda", lr_lambda=texts.pop()) if len(texts) == 1 else None
    return call.formula(body) if plain is None else replace(plain, notes=(_FORMULA, *plain.notes))


def _plateau(call: _Call) -> Converted:
    if not call.keys["step_on_epochs"]:
        raise SchedulerConfigError("step_on_epochs", False, "timm's plateau steps by epochs alone", "Write True")
    keys = {
        "mode": call.keys["plateau_mode"],
        "factor": call.keys["decay_rate"],
        "patience": call.keys["patience_epochs"],
    }
    plain = call.plain("reduce_on_plateau", constant=True, **keys, **({"min_lr": call.low} if call.low else {}))
    if plain is None:
        raise SchedulerConfigError(
            "warmup_lr", call.keys["warmup_lr"],
            "each group's warmup would begin at another share of its rate, and a schedule of a metric has no formula",
            "Give the groups one rate, or warmup_lr=0",
        )  # fmt: skip
    return replace(plain, notes=(*plain.notes, "write monitor, the metric; timm forgets its counters in a checkpoint"))


NAMES: dict[str, Callable[[_Call], Converted]] = {
    "cosine": _cosine,
    "tanh": _tanh,
    "step": _step,
    "multistep": _multistep,
    "poly": _poly,
    "wsd": _wsd,
    "rsqrt": _wsd,
    "constant": _constant,
    "plateau": _plateau,
    "none": _none,
}


def converted(sched: Any, num_epochs: Any, arguments: Mapping[str, Any], lr: Any) -> Converted:
    """The schedule of timm's call.

    Raises:
        SchedulerConfigError: see :func:`lr_configs.convert.timm`.
    """
    if sched not in NAMES:
        remedy = f"{nearest(str(sched), NAMES)}Known: {', '.join(NAMES)}"
        raise SchedulerConfigError("sched", sched, "timm has no such schedule", remedy)
    known(arguments, DEFAULTS, "timm's create_scheduler_v2")
    call = _Call(sched, num_epochs, {**DEFAULTS, **arguments}, lr)
    positive("num_epochs", num_epochs, sched)
    if not call.keys["step_on_epochs"]:
        positive("updates_per_epoch", call.keys["updates_per_epoch"], "a schedule that steps by updates")
    if call.keys["noise"] is not None and sched != "none":
        raise SchedulerConfigError(
            "noise",
            call.keys["noise"],
            "timm draws noise from torch's generator, seeded by every step: ours are functions of the step alone",
            "Leave noise out, or attach timm's scheduler as it is: LRSchedulerCallback(lambda optimizer: ...)",
        )
    return NAMES[sched](call)
