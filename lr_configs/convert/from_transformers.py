"""Transformers' ``get_scheduler``, name by name (transformers 5, ``optimization.py``).

There every schedule is a `LambdaLR` that is stepped after every update; `W` steps of warmup lead from 0 to the rate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lr_configs.convert.result import Converted, known, needed, positive, rates, share
from lr_configs.convert.result import converted as made
from lr_configs.errors import SchedulerConfigError, nearest

Node = dict[str, Any]
Keys = Mapping[str, Any]


class _Call:
    """The arguments of the call."""

    def __init__(self, name: str, warmup: int | None, steps: int | None, keys: Keys, lr: float | None) -> None:
        self.name, self.keys, self.lr = name, keys, lr
        self._warmup, self._steps = warmup, steps

    @property
    def warmup(self) -> int:
        """Steps of warmup."""
        return int(needed("num_warmup_steps", self._warmup, f"{self.name} begins with a warmup"))

    @property
    def rest(self) -> int:
        """Steps behind the warmup, at least one, as there."""
        steps = int(needed("num_training_steps", self._steps, f"{self.name} ends with the run"))
        return max(1, steps - self.warmup)

    def key(self, name: str, default: Any) -> Any:
        """One of the schedule's own arguments."""
        return self.keys.get(name, default)

    def node(self, name: str, **keys: Any) -> Node:
        """A schedule behind the warmup."""
        warm = {"warmup": self.warmup, "warmup_start_factor": 0} if self.warmup else {}
        return {"name": name, **keys, "interval": "step", **warm}

    def part(self, key: str, value: float) -> float:
        """An absolute rate as the share of the rate that transformers makes of it."""
        why = f"transformers divides {key}={value} by the optimizer's own rate, and every group ends at that share"
        (lr,) = rates(self.lr, why)[:1]
        return value / lr


def _constant(call: _Call) -> Converted:
    return made({"name": "none", "interval": "step"})


def _constant_with_warmup(call: _Call) -> Converted:
    return made(call.node("none"))


def _linear(call: _Call) -> Converted:
    return made(call.node("linear", start_factor=1.0, end_factor=0.0, total_iters=call.rest))


def _waves(cycles: float, steps: int, floor: Any = 0.0) -> Node:
    """Cosine waves: a half one in `steps` where `cycles` is 0.5."""
    if not cycles:
        return {"name": "none"}
    more = {"cycles": abs(cycles)} if abs(cycles) != 0.5 else {}
    return {"name": "cosine", "T_max": steps, **more, **({"eta_min": floor} if floor else {})}


def _cosine(call: _Call) -> Converted:
    return made(call.node(**_waves(call.key("num_cycles", 0.5), call.rest)))


def _restarts(call: _Call) -> Converted:
    n, cycles = call.rest, call.key("num_cycles", 1)
    if cycles == int(cycles) and cycles > 0 and n % cycles == 0:
        return made(call.node("cosine_warm_restarts", T_0=n // int(cycles), cycles=int(cycles)))
    text = f"0 if t >= {n} else 0.5 * (1 + cos(pi * ({float(cycles)!r} * t / {n} % 1)))"
    return made(call.node("lambda", lr_lambda=text), "a cycle is no whole number of steps: a formula")


def _polynomial(call: _Call) -> Converted:
    end, keys = call.key("lr_end", 1e-7), {"total_iters": call.rest, "power": call.key("power", 1.0)}
    if end == 0:
        return made(call.node("polynomial", **keys))
    part = call.part("lr_end", end)
    if part >= 1:
        raise SchedulerConfigError("lr_end", end, f"it lies below the rate {call.lr}", "Lower lr_end")
    note = f"lr_end={end} is that share of every group's own rate, as transformers has it"
    return made(call.node("polynomial", **keys, eta_min=share(part)), note)


def _inverse_sqrt(call: _Call) -> Converted:
    scale = call.key("timescale", None) or call.warmup or 10_000
    if scale == int(scale) and scale > 0:
        return made(call.node("inverse_sqrt", timescale=int(scale)))
    return made(call.node("lambda", lr_lambda=f"1 / sqrt((t + {scale}) / {scale})"), "a fraction of a step: a formula")


def _floor(call: _Call) -> tuple[Any, tuple[str, ...]]:
    """``min_lr`` or ``min_lr_rate`` as ours."""
    low, part = call.key("min_lr", None), call.key("min_lr_rate", None)
    if (low is None) == (part is None):
        raise SchedulerConfigError(
            "min_lr", low, f"{call.name} takes one of min_lr and min_lr_rate", "Give min_lr_rate, a share"
        )
    if part is not None:
        return share(part), ()
    if low == 0:
        return 0.0, ()
    note = f"min_lr={low} is that share of every group's own rate, as transformers has it"
    return share(call.part("min_lr", low)), (note,)


def _cosine_with_min_lr(call: _Call) -> Converted:
    floor, notes = _floor(call)
    return made(call.node(**_waves(call.key("num_cycles", 0.5), call.rest, floor)), *notes)


def _cosine_warmup_with_min_lr(call: _Call) -> Converted:
    floor, notes = _floor(call)
    W, n, cycles = call.warmup, call.rest, call.key("num_cycles", 0.5)
    first = call.key("warmup_lr_rate", None)
    note = (
        "one step ahead of `cosine`: the peak is the warmup's last step, and the floor that of the run; then it rises"
    )
    node = {**_waves(cycles, n, floor), "interval": "step"}
    if W > 1:
        start = 1 / W if first is None else first
        return made({**node, "warmup": W - 1, "warmup_start_factor": start}, *notes, note)
    if W == 1:
        warm = {} if first is None else {"warmup": 1, "warmup_start_factor": first, "warmup_overlap": True}
        return made({**node, **warm}, *notes, note)
    part = float(floor[:-1]) / 100 if isinstance(floor, str) else floor
    wave = f"0.5 * (1 + cos(pi * {float(cycles)!r} * 2 * (t + 1) / {n}))"
    text = f"max(0, {wave} * (1 - {part!r}) + {part!r})"
    return made(
        {"name": "lambda", "lr_lambda": text, "interval": "step"}, *notes, f"{note}, without a warmup a formula"
    )


_DECAYS = {
    "linear": "1 - {x}",
    "cosine": "0.5 * (1 + cos(pi * {cycles} * 2 * {x}))",
    "1-sqrt": "1 - sqrt({x})",
}


def _warmup_stable_decay(call: _Call) -> Converted:
    W, D = call.warmup, needed("num_decay_steps", call.key("num_decay_steps", None), "the decay needs its length")
    stable = call.key("num_stable_steps", None)
    S = call.rest - D if stable is None else stable
    if S < 0:
        raise SchedulerConfigError(
            "num_decay_steps",
            D,
            f"warmup and decay take {-S} steps more than the run has: transformers goes on with a stable phase of negative "
            "length, and never reaches the rate",
            f"Write at most {call.rest}",
        )
    rise, fall, low = call.key("warmup_type", "linear"), call.key("decay_type", "cosine"), call.key("min_lr_ratio", 0)
    for key, value in (("warmup_type", rise), ("decay_type", fall)):
        if value not in _DECAYS:
            raise SchedulerConfigError(key, value, f"this is one of {', '.join(_DECAYS)}", "")
    cycles = float(call.key("num_cycles", 0.5))
    note = f"{S} steps at the rate, and {D} of decay"
    if D > 0 and (fall != "cosine" or cycles == 0.5) and not (rise == "1-sqrt" and W):
        keys: Node = {"total_steps": S + D, "decay": D, "decay_shape": fall, **({"eta_min": share(low)} if low else {})}
        shape = {"warmup_start_factor": low, "warmup_shape": rise} if W else {}
        return made({**call.node("warmup_stable_decay", **keys), **shape}, note)

    def text(begin: int) -> Any:
        x = f"((t - {begin + S}) / {max(1, D)})"
        shape = _DECAYS[fall].format(x=x, cycles=repr(cycles))
        return (
            f"1 if t < {begin + S} else max(0, ({shape}) * (1 - {low!r}) + {low!r}) if t < {begin + S + D} else {low!r}"
        )

    if rise == "1-sqrt" and W:
        warm = f"(1 - sqrt(1 - t / {W})) * (1 - {low!r}) + {low!r}"
        node: Node = {"name": "lambda", "lr_lambda": f"{warm} if t < {W} else {text(W)}", "interval": "step"}
        return made(node, "no warmup of ours has the shape 1-sqrt: a formula")
    node = {"name": "lambda", "lr_lambda": text(0), "interval": "step"}
    if W:
        node |= {"warmup": W, "warmup_start_factor": low, "warmup_shape": rise}
    return made(node, note, "no decay of ours has these waves: a formula")


_PLATEAU = ("mode", "factor", "patience", "threshold", "threshold_mode", "cooldown", "min_lr", "eps")


def _plateau(call: _Call) -> Converted:
    keys = {key: value for key, value in call.keys.items() if key in _PLATEAU}
    return made(
        {"name": "reduce_on_plateau", **keys},
        "write monitor, the metric; transformers takes metric_for_best_model, and has no warmup here",
    )


def _greedy(call: _Call) -> Converted:
    raise SchedulerConfigError(
        "name",
        "greedy",
        "GreedyLR raises the rate while a metric improves and lowers it while it does not, by the counts of a smoothed "
        "metric, and starts over: ours reduce on a metric, and never raise",
        "Attach GreedyLR itself, or choose reduce_lr_on_plateau",
    )


_WAVES = ("num_cycles",)
_FLOOR = ("num_cycles", "min_lr", "min_lr_rate")
#: name -> (converter, the schedule's own arguments)
NAMES: dict[str, tuple[Callable[[_Call], Converted], tuple[str, ...]]] = {
    "linear": (_linear, ()),
    "cosine": (_cosine, _WAVES),
    "cosine_with_restarts": (_restarts, _WAVES),
    "polynomial": (_polynomial, ("lr_end", "power")),
    "constant": (_constant, ()),
    "constant_with_warmup": (_constant_with_warmup, ()),
    "inverse_sqrt": (_inverse_sqrt, ("timescale",)),
    "reduce_lr_on_plateau": (_plateau, _PLATEAU),
    "cosine_with_min_lr": (_cosine_with_min_lr, _FLOOR),
    "cosine_warmup_with_min_lr": (_cosine_warmup_with_min_lr, (*_FLOOR, "warmup_lr_rate")),
    "warmup_stable_decay": (
        _warmup_stable_decay,
        ("num_decay_steps", "num_stable_steps", "warmup_type", "decay_type", "min_lr_ratio", "num_cycles"),
    ),
    "greedy": (_greedy, ()),
}


def converted(name: Any, warmup: int | None, steps: int | None, keys: Keys, lr: float | None) -> Converted:
    """The schedule of transformers' call.

    Raises:
        SchedulerConfigError: see :func:`lr_configs.convert.transformers`.
    """
    text = str(getattr(name, "value", name))  # its enum
    if text not in NAMES:
        raise SchedulerConfigError(
            "name", text, "transformers has no such schedule", f"{nearest(text, NAMES)}Known: {', '.join(NAMES)}"
        )
    convert, own = NAMES[text]
    if text != "greedy":
        known(keys, own, f"{text} of transformers")
    for key, value in (("num_warmup_steps", warmup), ("num_training_steps", steps)):
        if value is not None and (isinstance(value, bool) or int(value) != value or value < 0):
            raise SchedulerConfigError(key, value, "this is a number of updates", "Write 500")
    if steps is not None:
        positive("num_training_steps", steps, text)
    return convert(_Call(text, warmup, steps, keys, lr))
