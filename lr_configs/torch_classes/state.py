"""States of schedulers: what is checked, compared and written when one is loaded."""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lr_configs.errors import SchedulerConfigError
from lr_configs.writer import Writer

if TYPE_CHECKING:
    from lr_configs.torch_classes.base import CurveScheduler

#: attributes of ours, which no torch scheduler has
OURS = frozenset(
    {"optimizer", "plan", "curve", "leaf", "writer", "param", "view", "gate", "printer", "fraction"}
)  # fmt: skip
#: entries that differ between two schedulers at the same step of the same schedule
_VARYING = frozenset(
    {"_last_lr", "_step_count", "_lr_configs", "_get_lr_called_within_step", "_is_initial", "lr_lambdas", "_scale_fn_custom"}
)  # fmt: skip
#: what a metric has moved, which nothing but the state knows
_COUNTERS = frozenset({"best", "num_bad_epochs", "cooldown_counter", "last_epoch"})
DRIFT = 1e-4


def of_writer(writer: Writer | None) -> dict[str, Any]:
    """What the writer has to remember; empty where nothing but the curve has written."""
    if writer is None:
        return {}
    extra: dict[str, Any] = {}
    if any(scale != 1.0 for scale in writer.scales):
        extra["scales"] = list(writer.scales)
    if writer.late:
        extra["late"] = list(writer.late)
    if writer.off_curve:
        extra["off_curve"] = True
    return extra


def damaged(key: str, value: Any, rule: str) -> SchedulerConfigError:
    """The error for a state that cannot be an exact continuation."""
    return SchedulerConfigError(
        f"checkpoint.{key}", value, f"this state of a schedule is damaged: {rule}", "Resume from another checkpoint"
    )


def check(scheduler: CurveScheduler, state: Any) -> None:
    """Refuse what is no state of this class.

    Raises:
        ValueError: naming what is missing, or wrong.
    """
    name = type(scheduler).__name__
    if not isinstance(state, dict):
        raise ValueError(f"a scheduler's state is a dict, not {type(state).__name__}")
    missing = [key for key in scheduler.needs if key not in state]
    if missing:
        raise ValueError(
            f"this is not the state of a {name}: it lacks {', '.join(missing)} and has "
            f"{', '.join(sorted(map(str, state)))}. It comes from another scheduler, or is damaged"
        )
    step = state.get("last_epoch", 0)
    if isinstance(step, bool) or not isinstance(step, (int, float)) or not step >= -1 or not math.isfinite(step):
        raise ValueError(f"last_epoch={step!r} in the state of a {name} is not a step")
    bases = state.get("base_lrs", [])
    if not isinstance(bases, list) or not all(is_rate(base) for base in bases):
        raise ValueError(f"base_lrs={bases!r} in the state of a {name} are not rates")


def is_rate(value: Any) -> bool:
    """Whether `value` is a finite number, or a tensor of one, and not negative."""
    if isinstance(value, Tensor) and value.numel() != 1:
        return False
    if isinstance(value, bool) or not isinstance(value, (int, float, Tensor)):
        return False
    return math.isfinite(float(value)) and float(value) >= 0


# ---------------------------------------------------------------------------------------- exact continuation


def compare(mine: dict[str, Any], saved: Any, where: str) -> None:
    """Refuse a saved state that differs from that of the same schedule at the same step.

    Args:
        mine: the state of the schedule that goes on, at the step of the checkpoint.
        saved: the checkpoint's.
        where: for errors.
    """
    if not isinstance(saved, dict):
        raise damaged(where, saved, "it is no dict")
    for key in mine.keys() | saved.keys():
        if key in _VARYING:
            continue
        if key not in saved or key not in mine:
            raise damaged(where, key, "this key is missing" if key not in saved else "there is no such key")
        if key in _COUNTERS and "num_bad_epochs" in mine:
            _check_counter(saved[key], key, where)
        else:
            _compare_entry(mine[key], saved[key], key, where)
    _compare_last(mine, saved, where)


def _check_counter(value: Any, key: str, where: str) -> None:
    kinds = (int, float) if key == "best" else int
    if isinstance(value, bool) or not isinstance(value, kinds) or value != value or (key != "best" and value < 0):
        raise damaged(f"{where}.{key}", value, "this is no number" if key == "best" else "this is no count")


def _compare_entry(mine: Any, saved: Any, key: str, where: str) -> None:
    if key == "_schedulers":
        if not isinstance(saved, list) or len(saved) != len(mine):
            raise damaged(where, saved, "it has other stages")
        for i, (one, other) in enumerate(zip(mine, saved, strict=True)):
            compare(one, other, f"{where}.{i}")
        return
    known = saved
    if isinstance(mine, list) and isinstance(saved, list) and key in _PER_GROUP:
        known = saved[: len(mine)]  # groups that joined later
        if not all(is_rate(one) for one in saved):
            raise damaged(f"{where}.{key}", saved, "these are not rates")
        if len(saved) < len(mine):
            raise SchedulerConfigError(
                f"checkpoint.{where}.{key}",
                saved,
                f"the checkpoint has {len(saved)} parameter group(s), and the optimizer {len(mine)}",
                "Group the parameters as they were; torch's own states do not fit other groups either",
            )
    # A late group's base may have been through a float32 tensor.
    if not _equal(mine, known, 1e-6 if key in _PER_GROUP else 1e-12):
        raise damaged(f"{where}.{key}", saved, f"the schedule beside it has {mine!r} here")


_PER_GROUP = ("base_lrs", "max_lrs", "eta_min", "base_momentums", "max_momentums", "min_lrs")


def _equal(one: Any, other: Any, rel: float = 1e-12) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return one == other or math.isclose(one, other, rel_tol=rel)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[k], other[k], rel) for k in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(_equal(a, b, rel) for a, b in zip(one, other, strict=True))
    return type(one) is type(other) and bool(one == other)


def _compare_last(mine: dict[str, Any], saved: dict[str, Any], where: str) -> None:
    last, extra = saved.get("_last_lr"), saved.get("_lr_configs", {})
    if not isinstance(last, list) or not all(is_rate(one) for one in last):
        raise damaged(f"{where}._last_lr", last, "these are not rates")
    if not isinstance(extra, dict):
        raise damaged(f"{where}._lr_configs", extra, "it is no dict")
    scales = extra.get("scales", [])
    if not isinstance(scales, list) or not all(is_rate(one) for one in scales):
        raise damaged(f"{where}._lr_configs.scales", scales, "these are not ratios")
    if "rates" in extra and not _equal([float(one) for one in last], extra["rates"]):
        raise damaged(f"{where}._last_lr", last, f"the rates beside it are {extra['rates']!r}")


# ---------------------------------------------------------------------------------------- loading


def copied(state: dict[str, Any]) -> dict[str, Any]:
    """A state whose lists may grow with the groups, while the caller's stay as they are."""
    return {key: list(value) if isinstance(value, list) else value for key, value in state.items()}


def write_loaded(scheduler: CurveScheduler, writer: Writer, last: list[Any] | None, extra: dict[str, Any]) -> None:
    """Write the rates of a loaded state: the curve's, but for what the state shows to be an edit.

    Args:
        scheduler: has its parameters and its step already.
        writer: its writer.
        last: the rates that the state says were there.
        extra: what ours has beside torch's keys.
    """
    held = writer.held()
    rates = [float(lr) for lr in last or []][: len(held)]
    known = len(scheduler.group_bases())
    writer.scales = (list(extra.get("scales", [])) + [1.0] * known)[:known]
    writer.position = scheduler.position
    writer.forget()
    late = [i for i in extra.get("late", ()) if i < min(known, len(held))]
    off = bool(extra.get("off_curve")) and _fresh(scheduler, extra, rates)
    if rates and not off and not ("scales" in extra and _fresh(scheduler, extra, rates)):
        held_in = [*(group["lr"] for group in writer.optimizer.param_groups), *(last or [])]
        coarse = max((torch.finfo(lr.dtype).eps for lr in held_in if isinstance(lr, Tensor)), default=0.0)
        _find_edits(scheduler, writer, rates, late, coarse)
    writer.settle()
    joined = [i for i in range(known, len(held))]
    writer.write(scheduler.position, late=(*late, *joined))
    if off:
        writer.put(rates)
        return
    for i in (*late, *joined):  # groups that have not made a step yet
        writer.set(i, rates[i] if i < len(rates) else held[i])
    writer.arrive((*late, *joined))
    writer.keep_digits(rates)


def _fresh(scheduler: CurveScheduler, extra: dict[str, Any], rates: list[float]) -> bool:
    """Whether what ours remembers is of this very step: torch's class carries it along unchanged."""
    return extra.get("step") == scheduler.position and extra.get("rates", [])[: len(rates)] == rates


def _find_edits(scheduler: CurveScheduler, writer: Writer, rates: list[float], late: list[int], coarse: float) -> None:
    """Torch's checkpoints do not say what was edited: rates that no drift explains are kept as a ratio."""
    values = writer.rates_at(scheduler.position)
    drift = max(DRIFT, 4 * coarse)
    for i, (rate, value, base) in enumerate(zip(rates, values, scheduler.group_bases(), strict=False)):
        near = drift * 1e-2 * abs(base)
        if i not in late and value and not math.isclose(rate, value, rel_tol=drift, abs_tol=near):
            writer.scales[i] *= rate / value


def digest(state: Any) -> str:
    """A digest of a scheduler's state, the same before and after it was saved."""
    text = json.dumps(_canonical(state), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.tolist()
    if isinstance(value, dict):
        return {str(key): _canonical(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(one) for one in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return type(value).__qualname__
