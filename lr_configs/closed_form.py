"""The one mixin that replaces torch's recurrences: ``step()`` evaluates a closed form.

Here speed, jumps, float drift, tensor rates, parameter groups added later, hand edits and warmup are solved once.

How a rate is found. The curve at step `t` is four terms ``(f, D, g, L)``: the rate of group `i` is
``f * D[i] + g * L[i]``, where `L` may be one number for all groups. ``L is None`` leaves ``f * D[i]``, and ``g is None``
then says that `D` is the base rates, so that `f` is a factor which products can multiply. Whatever else changed the rate
since (a hand edit, another scheduler on the same optimizer) is seen as a ratio, kept per group in `_cf_scales`, and scales
the rest.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.optim import Optimizer, lr_scheduler

from lr_configs import curves

Terms: TypeAlias = "tuple[float, list[float], float | None, list[float] | float | None]"

SLOW, FLOATS, TENSORS = 0, 1, 2
#: below this relative difference a rate is the one that was written, not an edit of it
_SAME = 1e-13
#: what torch's recurrences may have drifted by in a checkpoint
_DRIFT = 1e-4


class _Slot:
    """A rate held in a tensor, written in place."""

    __slots__ = ("seen", "tensor", "version", "view")

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        # A view of a CPU tensor's memory writes one number 10 times faster than fill_.
        plain = tensor.device.type == "cpu" and tensor.numel() == 1 and tensor.dtype in (torch.float32, torch.float64)
        self.view = memoryview(tensor.detach().numpy().reshape(1)) if plain else None
        self.looked()

    def looked(self) -> None:
        """Remember what is there now."""
        # Reading a tensor on another device would wait for it: its version tells of edits there.
        self.version = -1 if self.view is not None else self.tensor._version
        self.seen = math.nan if self.view is None else self.view[0]

    def edited(self) -> bool:
        """Whether somebody else has written since."""
        return self.tensor._version != self.version if self.view is None else self.view[0] != self.seen

    def write(self, value: float) -> None:
        """Write `value`, which whoever holds the tensor sees."""
        if self.view is None:
            with torch.no_grad():
                self.tensor.fill_(value)
        else:
            self.view[0] = value
        self.looked()


class ClosedForm:
    """Makes the torch scheduler that follows it in the bases a pure function of the step.

    A class gives :meth:`_cf_curve`. Attributes that begin with ``_cf_`` are ours and stay out of the
    ``state_dict``.
    """

    optimizer: Any
    base_lrs: list[float]
    last_epoch: int
    _step_count: int

    _cf_mode = SLOW
    _cf_terms_now: Terms | None = None  # what was written last
    _cf_count = 0  # parameter groups then
    _cf_scales: list[float] | None = None  # hand edits
    _cf_new: tuple[int, ...] = ()  # groups that have joined since
    _cf_slots: list[_Slot | None] | None = None
    _cf_last: list[Any] | None = None
    _cf_envelope: Any = None
    _cf_warp: tuple[float, float, float] | None = None  # from which step, which position, how fast
    _cf_hold: int | None = None
    _cf_decay: dict[str, Any] | None = None
    _cf_print: Callable[[str], None] | None = None
    _cf_verbose: str = ""  # "Epoch" or "Step"
    _cf_every = 1
    _cf_member = False  # a stage, driven by the composite around it
    _cf_configured = False  # built from a config
    # What a callback that drives the schedule sets:
    _cf_listener: Callable[[Any], bool] | None = None  # is asked when somebody else steps
    _cf_driven = False
    _cf_ignore_state = False
    _cf_after_load: dict[str, Any] | None = None
    _cf_ticket: Any = None

    _cf_multiplies = True  # a new scheduler continues from a rate that is no longer the initial one
    _cf_cycles_momentum = False
    _cf_overridden = False
    _cf_needs: tuple[str, ...] = ()  # keys of a state_dict without which it is another class's

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # A user's subclass with a rule of its own must get torch's step.
        own = cls.__dict__.get("get_lr") or cls.__dict__.get("_get_closed_form_lr")
        if own is not None and getattr(own, "__module__", "") != __name__:
            cls._cf_overridden = True

    # ---------------------------------------------------------------- curve

    def _cf_curve(self, t: float) -> Terms:
        raise NotImplementedError

    def _cf_terms(self, t: float) -> Terms:
        """The curve with warmup and hold around it, at the schedule's own step `t`."""
        envelope = self._cf_envelope
        if envelope is None:
            return self._cf_curve(t)
        W = envelope.warmup
        if t < W:
            f, D, g, L = self._cf_curve(0)
            w = curves.warmup(envelope.shape, envelope.start_factor, W, t)
            return f * w, D, None if g is None else g * w, L
        return self._cf_curve(self._cf_inside(t))

    def _cf_position(self) -> float:
        """The step that the curve is at."""
        t: float = self.last_epoch
        if self._cf_warp is not None and t > self._cf_warp[0]:
            t = self._cf_warp[1] + (t - self._cf_warp[0]) * self._cf_warp[2]
        if self._cf_hold is not None and t > self._cf_hold:
            t = self._cf_hold
        return t

    def _cf_spread(self, value: Any) -> list[float] | float:
        """`value` as one number, or as a number for every group."""
        if not isinstance(value, (list, tuple)):
            return value if value.__class__ is float else float(value)
        if len(value) == len(self.base_lrs):
            return value  # type: ignore[return-value]
        # A group added later keeps the proportion that the first one has.
        share = value[0] / self.base_lrs[0] if self.base_lrs[0] else 0.0
        return [*value, *(share * base for base in self.base_lrs[len(value) :])]

    def _cf_inside(self, t: float) -> float:
        """The curve's own step, behind the warmup, at the schedule's step `t`."""
        envelope = self._cf_envelope
        if envelope is None:
            return t
        t = max(t - envelope.warmup, 0)
        return t if envelope.hold is None else min(t, envelope.hold)

    def _cf_scaled(self, terms: Terms) -> list[float]:
        """The rates that four terms stand for, hand edits included."""
        values = rates_of(terms)
        return values if self._cf_scales is None else [v * s for v, s in zip(values, self._cf_scales, strict=True)]

    # ---------------------------------------------------------------- stepping

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = False
        self._get_lr_called_within_step = False
        if self._cf_overridden:
            super()._initial_step()  # type: ignore[misc]
            return
        self.base_lrs = [float(base) for base in self.base_lrs]
        started_at = self.last_epoch
        self.last_epoch += 1
        self._step_count += 1
        self._cf_start(started_at)

    def _cf_start(self, started_at: int = -1) -> None:
        """Take over the optimizer's rates and write the first ones."""
        groups = self.optimizer.param_groups
        self._cf_count = len(groups)
        before = [float(group["lr"]) for group in groups]
        self._cf_find_slots(groups)
        if started_at >= 0:
            self._cf_resume_by_hand(before, started_at)
        elif self._cf_multiplies:
            self._cf_adopt_scales(
                before, [float(g.get("initial_lr", lr)) for g, lr in zip(groups, before, strict=True)]
            )
        self._cf_write(self._cf_terms(self._cf_position()), before)
        self._cf_settle_mode()

    def _cf_resume_by_hand(self, rates: list[float], t: int) -> None:
        """Torch's ``last_epoch >= 0``: the optimizer holds the rates of step `t`, possibly edited."""
        self.last_epoch, now = t, self.last_epoch
        expected = rates_of(self._cf_terms(self._cf_position()))
        self.last_epoch = now
        following = rates_of(self._cf_terms(self._cf_position()))
        known = [
            value if any(math.isclose(rate, one, rel_tol=_DRIFT) for one in (value, other, base)) else None
            for rate, value, other, base in zip(rates, expected, following, self._cf_bases(), strict=True)
        ]
        if None in known:
            self._cf_adopt_scales(rates, expected, [k is None for k in known])

    def _cf_bases(self) -> list[float]:
        return self.base_lrs

    def _cf_adopt_scales(self, rates: list[float], expected: list[float], where: list[bool] | None = None) -> None:
        """Keep the ratio between the rates that are there and the ones that the curve expects."""
        scales = list(self._cf_scales or [1.0] * len(expected))
        scales += [1.0] * (len(expected) - len(scales))
        for i, (rate, value) in enumerate(zip(rates, expected, strict=True)):
            if (where is None or where[i]) and value != 0 and not math.isclose(rate, value * scales[i], rel_tol=_SAME):
                scales[i] = rate / value
        self._cf_scales = scales if any(s != 1.0 for s in scales) else None

    def step(self, epoch: Any = None) -> None:
        """Advance by one step, or to step `epoch` (any step, in constant time)."""
        mode = self._cf_mode
        if epoch is not None or not mode:
            self._cf_step(epoch)
            return
        self._step_count += 1
        self._cf_last = None
        t = self.last_epoch = self.last_epoch + 1
        terms = self._cf_curve(t) if self._cf_envelope is None else self._cf_terms(t)
        now = self._cf_terms_now
        groups = self.optimizer.param_groups
        if len(groups) == self._cf_count:
            if terms == now:
                return
            f, D, g, L = terms
            f0, D0, g0, L0 = now  # type: ignore[misc]
            if D is not D0 or L is not L0:
                pass  # another list of values: a phase or a stage has ended
            elif mode == TENSORS:
                values = D if L is None else rates_of(terms)
                k = f if L is None else 1.0
                for group, slot, value in zip(groups, self._cf_slots, values):  # type: ignore[arg-type]  # noqa: B905
                    view = slot.view  # type: ignore[union-attr]
                    if group["lr"] is not slot.tensor or view[0] != slot.seen:  # type: ignore[union-attr,index]
                        break
                    view[0] = k * value  # type: ignore[index]
                    slot.seen = view[0]  # type: ignore[union-attr,index]
                else:
                    self._cf_written(terms)
                    return
            elif L is None:
                for group, d in zip(groups, D):  # noqa: B905 - the length was compared above
                    if group["lr"] != f0 * d:
                        self._cf_put_back(now, group)  # type: ignore[arg-type]
                        break
                    group["lr"] = f * d
                else:
                    self._cf_written(terms)
                    return
            elif L.__class__ is float:
                c0, c = g0 * L, g * L  # type: ignore[operator]
                for group, d in zip(groups, D):  # noqa: B905
                    if group["lr"] != f0 * d + c0:
                        self._cf_put_back(now, group)  # type: ignore[arg-type]
                        break
                    group["lr"] = f * d + c
                else:
                    self._cf_written(terms)
                    return
            else:
                for group, d, low in zip(groups, D, L):  # type: ignore[arg-type]  # noqa: B905
                    if group["lr"] != f0 * d + g0 * low:  # type: ignore[operator]
                        self._cf_put_back(now, group)  # type: ignore[arg-type]
                        break
                    group["lr"] = f * d + g * low  # type: ignore[operator]
                else:
                    self._cf_written(terms)
                    return
        self.last_epoch = t - 1
        self._cf_move(t)

    def _cf_written(self, terms: Terms) -> None:
        self._cf_terms_now = terms
        if self._cf_cycles_momentum:
            if self._cf_envelope is None:
                self._cf_momentum(self.last_epoch)
            else:
                self._cf_side()

    def _cf_put_back(self, now: Terms, edited: dict[str, Any]) -> None:
        """Undo the short way up to the group that somebody else has changed."""
        for group, value in zip(self.optimizer.param_groups, rates_of(now), strict=True):
            if group is edited:
                return
            group["lr"] = value

    def _cf_step(self, epoch: Any) -> None:
        """`step` in full: warnings, a given epoch, edits, new groups, tensors, lines of `verbose`."""
        if self._cf_overridden:
            super().step(epoch)  # type: ignore[misc]
            return
        if self._cf_listener is not None and not self._cf_driven and not self._cf_listener(self):
            return
        if self._step_count == 1:
            self._cf_check_order()
        self._step_count += 1
        if epoch is not None:
            self._cf_warn_epoch()
        self._cf_move(self.last_epoch + 1 if epoch is None else epoch)

    def _cf_warn_epoch(self) -> None:
        warnings.warn(lr_scheduler.EPOCH_DEPRECATION_WARNING, UserWarning, stacklevel=4)

    def _cf_check_order(self) -> None:
        # The texts are torch's, so that filters for them go on to work.
        more = "See more details at https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"
        if not hasattr(self.optimizer.step, "_wrapped_by_lr_sched"):
            warnings.warn(
                "Seems like `optimizer.step()` has been overridden after learning rate scheduler initialization. "
                f"Please, make sure to call `optimizer.step()` before `lr_scheduler.step()`. {more}",
                UserWarning,
                stacklevel=4,
            )
        elif not getattr(self.optimizer, "_opt_called", getattr(self.optimizer.step, "_with_counter", False)):
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. "
                "In PyTorch 1.1.0 and later, you should call them in the opposite order: "
                "`optimizer.step()` before `lr_scheduler.step()`.  Failure to do this "
                f"will result in PyTorch skipping the first value of the learning rate schedule. {more}",
                UserWarning,
                stacklevel=4,
            )

    def jump(self, t: int) -> None:
        """Go to step `t`, forwards or backwards, in constant time and without a warning."""
        self._cf_move(t)

    def _cf_move(self, t: int) -> None:
        """See what others have changed since the last write, then go to step `t`."""
        before = self._cf_settle()
        self._cf_place(t)
        self._cf_last = None
        if self._cf_decay is not None:
            return  # the curve was left for good
        terms = self._cf_terms(self._cf_position())
        if terms != self._cf_terms_now or self._cf_new:  # where nothing moves, nothing is written
            self._cf_write(terms, before)
        self._cf_settle_mode()

    def _cf_place(self, t: int) -> None:
        self.last_epoch = t

    # ---------------------------------------------------------------- another run length

    def change_run(self, end: int, over: int | None) -> None:
        """Meet a run of another length than the curve was made for.

        Args:
            end: step at which the curve ends.
            over: steps of the new run, over which the rest of the curve is stretched; None goes on as before. Either
                way its last value is held.
        """
        # A curve that begins again at its end holds the value before it.
        ends, before = self.rates_at(end), self.rates_at(max(end - 1, 0))
        self._cf_hold = end if all(a <= b for a, b in zip(ends, before, strict=True)) else max(end - 1, 0)
        now = self._cf_steps_done()
        if over is not None and over > now:
            position = self._cf_position()
            self._cf_warp = (now, position, max(end - position, 0) / (over - now))
        self._cf_move(now)

    def _cf_steps_done(self) -> int:
        return self.last_epoch

    # ---------------------------------------------------------------- early ending

    def begin_decay(self, steps: int, shape: str, last: list[float]) -> None:
        """Leave the curve: from the present rates to `last` within `steps` calls of :meth:`advance_decay`."""
        self._cf_settle()
        rates = rates_in(self.optimizer)
        self._cf_decay = {"at": 0, "steps": steps, "shape": shape, "from": rates, "to": list(last)}
        self._cf_mode = SLOW

    def rates_at(self, t: float) -> list[float]:
        """The rates of step `t`, one per group, hand edits included; nothing is written."""
        return self._cf_scaled(self._cf_terms(t))

    @property
    def decaying(self) -> bool:
        """Whether :meth:`begin_decay` was called."""
        return self._cf_decay is not None

    def advance_decay(self) -> None:
        """Advance the early ending by one step, and write its rates."""
        decay = self._cf_decay
        if decay is None:
            return
        before = rates_in(self.optimizer)
        if decay["at"] < decay["steps"]:
            decay["at"] += 1
        self._cf_write_decay()
        if self._cf_verbose:
            self._cf_announce(before, rates_in(self.optimizer))

    def _cf_write_decay(self) -> None:
        decay = self._cf_decay
        assert decay is not None
        left = curves.decay(decay["shape"], decay["at"] / decay["steps"])
        groups = self.optimizer.param_groups
        # A group that joined later ends where the first one does, from its own rate.
        for group in groups[len(decay["from"]) :]:
            decay["from"].append(float(group["lr"]))
            decay["to"].append(min(decay["to"][0], float(group["lr"])))
        for group, start, end in zip(groups, decay["from"], decay["to"], strict=False):
            value = start * left + end * (1 - left)
            write_rate(group, value)
        self._cf_last = None

    # ---------------------------------------------------------------- what others did

    def _cf_settle(self) -> list[float]:
        """Find groups added and rates changed since the last write; returns the rates that are there."""
        groups = self.optimizer.param_groups
        now = self._cf_terms_now
        if now is None or self._cf_decay is not None:
            return [float(group["lr"]) for group in groups]
        if len(groups) != self._cf_count:
            now = self._cf_join(groups)
        expected = rates_of(now)
        scales = self._cf_scales or [1.0] * len(expected)
        rates: list[float] = []
        edited = [i not in self._cf_new for i in range(len(groups))]
        old_slots = self._cf_slots or []
        self._cf_find_slots(groups)
        for i, group in enumerate(groups):
            lr = group["lr"]
            slot = old_slots[i] if i < len(old_slots) else None
            if slot is not None and slot.tensor is lr and not slot.edited():
                edited[i] = False
                rates.append(expected[i] * scales[i])
                continue
            rates.append(float(lr))
            if slot is None and isinstance(lr, Tensor) and edited[i]:
                # The float became a tensor: its rounding is no edit.
                edited[i] = not math.isclose(rates[i], expected[i] * scales[i], rel_tol=1e-2)
        if any(edited):
            self._cf_adopt_scales(rates, expected, edited)
        return rates

    def _cf_join(self, groups: list[dict[str, Any]]) -> Terms:
        """Parameter groups were added: each keeps its own base rate. Some were removed: so are their rates.

        Returns the terms of the present step for the groups that there are now.
        """
        known = len(self._cf_bases())
        for group in groups[known:]:
            lr = group["lr"]
            group.setdefault("initial_lr", lr.clone() if isinstance(lr, Tensor) else lr)
            self._cf_add_group(group, float(group["initial_lr"]))
        if known > len(groups):
            self._cf_drop_groups(len(groups))
        # The new ones have their first rate until the next step.
        self._cf_new = (*(i for i in self._cf_new if i < len(groups)), *range(known, len(groups)))
        if self._cf_scales is not None:
            self._cf_scales = [*self._cf_scales, *[1.0] * (len(groups) - known)][: len(groups)]
        self._cf_count = len(groups)
        self._cf_terms_now = self._cf_terms(self._cf_position())
        return self._cf_terms_now

    def _cf_add_group(self, group: dict[str, Any], base: float) -> None:
        # A new list, since terms already handed out hold the old one.
        self.base_lrs = [*self.base_lrs, base]

    def _cf_drop_groups(self, n: int) -> None:
        self.base_lrs = self.base_lrs[:n]

    def _cf_find_slots(self, groups: list[dict[str, Any]]) -> None:
        """Which rates are tensors; groups that share one share its slot."""
        known: dict[int, _Slot] = {}
        slots: list[_Slot | None] = []
        for group in groups:
            lr = group["lr"]
            slot = known.get(id(lr)) if isinstance(lr, Tensor) else None
            if slot is None and isinstance(lr, Tensor):
                slot = known[id(lr)] = _Slot(lr)
            slots.append(slot)
        self._cf_slots = slots if known else None

    def _cf_write(self, terms: Terms, before: list[float]) -> None:
        values = self._cf_scaled(terms)
        groups = self.optimizer.param_groups
        slots = self._cf_slots
        if slots is None:
            for group, value in zip(groups, values, strict=True):
                group["lr"] = value
        else:
            done = set()
            for group, slot, value in zip(groups, slots, values, strict=True):
                if slot is None:
                    group["lr"] = value
                elif id(slot) not in done:
                    slot.write(value)
                    done.add(id(slot))
        self._cf_terms_now = terms
        self._cf_last = None
        self._cf_new = ()
        if self._cf_cycles_momentum:
            self._cf_side()
        if self._cf_verbose:
            self._cf_announce(before, values)

    def _cf_announce(self, before: list[float], after: list[float]) -> None:
        line = "{} {:05d}: adjusting learning rate of group {} to {:.4e}."
        for i, (old, new) in enumerate(zip(before, after, strict=True)):
            if not math.isclose(old, new, rel_tol=1e-12):
                text = line.format(self._cf_verbose, int(self._cf_epoch()) * self._cf_every, i, new)
                if self._cf_print is not None:
                    self._cf_print(text)
                elif not _rank():
                    print(text)  # noqa: T201 - what `verbose` is for

    def _cf_epoch(self) -> float:
        return self.last_epoch

    def _cf_side(self) -> None:
        """Write what moves along with the rate, at the present step."""
        self._cf_momentum(self._cf_inside(self._cf_position()))

    def _cf_momentum(self, t: float) -> None:
        """Write the momentum of the curve's own step `t`."""

    def _cf_settle_mode(self) -> None:
        """Whether the next step may take the short way."""
        slots = self._cf_slots
        mode = FLOATS if slots is None else SLOW
        if slots is not None and all(s is not None and s.view is not None for s in slots):
            mode = TENSORS if len({id(s) for s in slots}) == len(slots) else SLOW
        changed = (self._cf_scales, self._cf_warp, self._cf_hold, self._cf_decay, self._cf_listener)
        simple = all(one is None for one in changed) and not self._cf_new
        self._cf_mode = mode if simple and not self._cf_verbose and self._step_count > 1 else SLOW

    # ---------------------------------------------------------------- torch's interface

    def get_lr(self) -> list[float]:
        """The rates of the present step."""
        if not self._get_lr_called_within_step:
            warnings.warn(
                "To get the last learning rate computed by the scheduler, please use `get_last_lr()`.",
                UserWarning,
                stacklevel=2,
            )
        return self.rates_at(self._cf_position())

    def _get_closed_form_lr(self) -> list[float]:
        return rates_of(self._cf_terms(self._cf_position()))

    @property
    def _last_lr(self) -> list[Any]:
        # Read when it is asked for, not at every step.
        if self._cf_last is None:
            self._cf_last = [
                group["lr"].clone() if isinstance(group["lr"], Tensor) else group["lr"]
                for group in self.optimizer.param_groups
            ]
        return self._cf_last

    @_last_lr.setter
    def _last_lr(self, value: list[Any]) -> None:
        self._cf_last = value

    def _cf_own_state(self) -> dict[str, Any]:
        state = {k: v for k, v in self.__dict__.items() if k != "optimizer" and not k.startswith("_cf_")}
        if "base_lrs" in state:
            state["base_lrs"] = list(state["base_lrs"])
        return state

    def state_dict(self) -> dict[str, Any]:
        """Torch's keys; one more, ``_lr_configs``, where there is a hand edit or a changed run to remember."""
        if not self._cf_member and not self._cf_overridden:
            self._cf_settle()
            self._cf_last = None
            self._cf_settle_mode()
        state = self._cf_own_state()
        state["_last_lr"] = self._cf_member_rates() if self._cf_member else list(self._last_lr)
        extra: dict[str, Any] = {}
        if self._cf_scales is not None:
            extra["scales"] = list(self._cf_scales)
        if self._cf_warp is not None:
            extra["warp"] = list(self._cf_warp)
        if self._cf_hold is not None:
            extra["hold"] = self._cf_hold
        if self._cf_decay is not None:
            extra["decay"] = {**self._cf_decay, "from": list(self._cf_decay["from"]), "to": list(self._cf_decay["to"])}
        if self._cf_new:
            extra["new"] = list(self._cf_new)
        extra.update(self._cf_extra_state())
        if extra:
            state["_lr_configs"] = extra
        return state

    def _cf_extra_state(self) -> dict[str, Any]:
        return {}

    def _cf_load_extra(self, extra: dict[str, Any]) -> None:
        """What :meth:`_cf_extra_state` gave."""

    def _cf_member_rates(self) -> list[float]:
        return rates_of(self._cf_terms(max(self.last_epoch, 0)))

    def _cf_load_own(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)  # type: ignore[misc]

    def _cf_check_state(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise ValueError(f"a scheduler's state is a dict, not {type(state).__name__}")
        missing = [key for key in self._cf_needs if key not in state]
        if missing:
            raise ValueError(
                f"this is not the state of a {type(self).__name__}: it lacks {', '.join(missing)} and has "
                f"{', '.join(sorted(map(str, state)))}. It comes from another scheduler, or is damaged"
            )
        count = state.get("last_epoch", 0)
        if isinstance(count, bool) or not isinstance(count, (int, float)) or not count >= -1:
            raise ValueError(f"last_epoch={count!r} in the state of a {type(self).__name__} is not a step")

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the state of this class or of torch's, and write the rates that belong to it.

        The optimizer's own state may be loaded before or after.

        Raises:
            ValueError: for the state of another class, or a damaged one.
        """
        if self._cf_ignore_state:
            return  # the callback begins anew
        if self._cf_overridden:
            super().load_state_dict(state_dict)  # type: ignore[misc]
            return
        self._cf_check_state(state_dict)
        state = dict(state_dict)
        extra = state.pop("_lr_configs", {})
        last = state.pop("_last_lr", None)
        self._cf_load_own(state)
        self._cf_load_extra(extra)
        if "base_lrs" in self.__dict__:
            self.base_lrs = [float(base) for base in self.base_lrs]
        self._cf_scales = list(extra["scales"]) if "scales" in extra else None
        self._cf_warp = tuple(extra["warp"]) if "warp" in extra else None
        self._cf_hold = extra.get("hold")
        self._cf_decay = extra.get("decay")
        self._cf_last = None
        if not self._cf_member:
            self._cf_restore(last, extra)

    def _cf_restore(self, last: list[Any] | None, extra: dict[str, Any]) -> None:
        """Write the rates of a loaded state: from the formula, but for what `last` shows to be an edit."""
        groups = self.optimizer.param_groups
        before = [float(group["lr"]) for group in groups]
        self._cf_refresh(groups)
        self._cf_new = ()
        self._cf_join(groups)
        new = {*extra.get("new", ()), *self._cf_new}
        self._cf_find_slots(groups)
        rates = [float(lr) for lr in last or []][: len(groups)]
        if "scales" not in extra and rates:
            self._cf_find_edits(rates, any(isinstance(lr, Tensor) for lr in last or []), new)
        verbose, self._cf_verbose = self._cf_verbose, ""
        self._cf_write(self._cf_terms(self._cf_position()), before)
        self._cf_verbose = verbose
        for i in new:  # groups that have not made a step yet
            self._cf_set(i, rates[i] if i < len(rates) else before[i])
        self._cf_new = tuple(sorted(new))
        if self._cf_decay is not None:
            self._cf_write_decay()
        for i, rate in enumerate(rates if "scales" in extra else ()):
            # A pending edit was saved with its very digits.
            if not isinstance(groups[i]["lr"], Tensor) and math.isclose(groups[i]["lr"], rate, rel_tol=_SAME):
                groups[i]["lr"] = rate
        self._cf_settle_mode()

    def _cf_find_edits(self, rates: list[float], tensors: bool, new: set[int]) -> None:
        """Torch's checkpoints do not say what was edited: rates that no drift explains are kept as a ratio."""
        values = rates_of(self._cf_terms(self._cf_position()))[: len(rates)]
        drift = 1e-2 if tensors or self._cf_slots is not None else _DRIFT
        near = drift * 1e-2 * max(map(abs, self._cf_bases()), default=0.0)
        edited = [
            i not in new and not math.isclose(rate, value, rel_tol=drift, abs_tol=near)
            for i, (rate, value) in enumerate(zip(rates, values, strict=True))
        ]
        if any(edited):
            self._cf_adopt_scales(rates, values, edited)
            if self._cf_scales is not None:
                self._cf_scales += [1.0] * (self._cf_count - len(self._cf_scales))

    def _cf_set(self, i: int, value: float) -> None:
        """Write one group's rate, whatever it is held in."""
        slot = self._cf_slots[i] if self._cf_slots is not None else None
        if slot is None:
            self.optimizer.param_groups[i]["lr"] = value
        else:
            slot.write(value)

    def _cf_refresh(self, groups: list[dict[str, Any]]) -> None:
        """Take from the groups what torch keeps there."""

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        for key in ("_cf_slots", "_cf_print", "_cf_listener", "_cf_mode"):
            state.pop(key, None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if not self._cf_member and not self._cf_overridden and "optimizer" in state:
            self._cf_find_slots(self.optimizer.param_groups)


def rates_of(terms: Terms) -> list[float]:
    """The rates that four terms stand for, one per group."""
    f, D, g, L = terms
    if L is None:
        return [f * d for d in D]
    if L.__class__ is float:
        c = g * L  # type: ignore[operator]
        return [f * d + c for d in D]
    return [f * d + g * low for d, low in zip(D, L, strict=True)]  # type: ignore[operator,arg-type]


def rates_in(optimizer: Any) -> list[float]:
    """The rates that an optimizer holds."""
    return [float(group["lr"]) for group in optimizer.param_groups]


def write_rate(group: Any, value: float) -> None:
    """Put a rate into a group: in place where it is a tensor."""
    if isinstance(group["lr"], Tensor):
        with torch.no_grad():
            group["lr"].fill_(value)
    else:
        group["lr"] = value


def one_or_list(values: list[float]) -> list[float] | float:
    """The number that all groups share, or the list."""
    return values[0] if values and all(v == values[0] for v in values) else values


def _rank() -> int:
    distributed = torch.distributed
    return distributed.get_rank() if distributed.is_available() and distributed.is_initialized() else 0


def proxy(optimizer: Any) -> Optimizer:
    """An optimizer with copies of the groups' numbers, on which a stage can be built without a trace."""
    return _Proxy(optimizer)


class _Proxy(Optimizer):
    def __init__(self, optimizer: Any) -> None:
        self.defaults = optimizer.defaults
        self.param_groups = []
        for group in optimizer.param_groups:
            base = float(group.get("initial_lr", group["lr"]))
            copy = {k: v for k, v in group.items() if k not in ("params", "max_lr", "min_lr")}
            self.param_groups.append({**copy, "lr": base, "initial_lr": base})
        self.state = {}  # type: ignore[assignment]

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Nothing: the proxy is never trained with."""
