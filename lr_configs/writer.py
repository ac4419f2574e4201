"""Writes rates into an optimizer's groups, and sees what others have written there.

Whatever else changes a rate (a hand edit, another scheduler on the same optimizer, a metric) is seen as a ratio to what was
written last. It is kept per group and folded into the ends of the curve, so that the rest of the schedule is scaled at no
cost. Groups with equal ends share one float object, so that a look at its identity tells whether it is still there.
"""

from __future__ import annotations

import math
from typing import Any

from lr_configs.curve_tree import Curve, Ends, Weights, mix
from lr_configs.layout import Layout
from lr_configs.slots import Slot, slots_of

#: below this relative difference a rate is the one that was written, not an edit of it
_SAME = 1e-13
#: so many steps towards a base, where the value is no straight line in it
_SECANTS = 30
#: so many times its rate, a group is above any floor
_ABOVE = 1e12


class Writer:
    """What a scheduler writes with.

    Args:
        optimizer: its `param_groups` are read anew at every write, since loading a state replaces them.
        curve: the curve, bound to the groups.

    Attributes:
        scales: the ratio of each group's hand edits to the curve.
        late: groups that have joined since the last write, and keep the rate they brought until the next one.
        position: the step whose rates were written last.
        off_curve: whether :meth:`put` wrote last.
        alone: whether a step of the scheduler is no more than a move: nobody is asked, and nothing is said.
    """

    def __init__(self, optimizer: Any, curve: Curve) -> None:
        self.optimizer, self.curve = optimizer, curve
        self.scales = [1.0] * len(optimizer.param_groups)
        self.late: tuple[int, ...] = ()
        self.position: float = 0
        self.off_curve = False
        self.alone = False
        self._arrivals: dict[int, float] = {}  # the rates that late groups brought
        self._weights: Weights = None
        self._ends: Ends | None = None
        self._layout = Layout([], [1.0])  # with the weights, what was written
        self._slots: list[Slot | None] = []
        self._members: list[Any] = []  # what tells the groups apart, whose dictionaries are exchanged
        self._momentum = curve.has_momentum()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Writer) and (self.curve, self.scales, self.late, self.position) == (
            other.curve,
            other.scales,
            other.late,
            other.position,
        )

    __hash__ = None  # type: ignore[assignment]

    # ---------------------------------------------------------------- reading

    def held(self) -> list[float]:
        """What the groups hold now."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def rates_at(self, t: float) -> list[float]:
        """The rates of step `t`, hand edits included; nothing is written."""
        return [rate * scale for rate, scale in zip(self.curve.rates(t), self.scales, strict=True)]

    # ---------------------------------------------------------------- writing

    def move(self, t: float) -> None:
        """Write the rates of step `t`, and the momentum that moves along."""
        weights, ends = self.curve.at(t)
        layout, groups = self._layout, self.optimizer.param_groups
        known = ends is self._ends and groups is layout.listed and len(groups) == layout.count
        if known and weights.__class__ is layout.kind and not self.late:
            old, write = self._weights, layout.write
            # Where nothing moves, nothing is written.
            if groups[-1] is layout.last if weights == old else write(groups, old, weights):
                self._weights = weights
                self.position = t
                if self._momentum:  # which moves on where a product is 0
                    self._move_momentum(t)
                return
        self._move_slowly(t, weights, ends)

    def _move_slowly(self, t: float, weights: Weights, ends: Ends) -> None:
        """Look what others have done, then write in full."""
        self.settle()
        weights, ends = self.curve.at(t)
        if weights != self._weights or ends is not self._ends or self.late:
            self.write(t, weights, ends)
        elif self._momentum:
            self._move_momentum(t)
        self.position = t

    def write(self, t: float, weights: Weights = None, ends: Ends | None = None, *, late: tuple[int, ...] = ()) -> None:
        """Write the rates of step `t`, whatever is there; the momentum of `late` groups stays as it is."""
        if ends is None:
            weights, ends = self.curve.at(t)
        groups = self.optimizer.param_groups
        self._slots = slots = slots_of(groups)
        layout = self._laid_out(groups, ends, weights)
        values, done, held = layout.values(weights), False, [group["lr"] for group in groups]
        written: set[int] = set()
        try:
            for group, slot, row in zip(groups, slots, layout.rows, strict=True):
                if slot is None:
                    group["lr"] = values[row]
                elif id(slot) not in written:
                    slot.write(values[row])
                    written.add(id(slot))
            done = True
        finally:
            if not done:  # interrupted; tensors know what they hold
                for group, slot, lr in zip(groups, slots, held, strict=True):
                    if slot is None:
                        group["lr"] = lr
        layout.hold(values)
        self._layout, self._weights, self._ends = layout, weights, ends
        self.position, self.late, self.off_curve = t, late, False
        self._members = [_member(group) for group in groups]
        if self._momentum:
            self._move_momentum(t)

    def set(self, i: int, rate: float) -> None:
        """Write the rate of one group, which is no edit."""
        group = self.optimizer.param_groups[i]
        slot = slots_of([group])[0]
        if slot is None:
            group["lr"] = rate
        else:
            slot.write(rate)

    def keep_digits(self, rates: list[float]) -> None:
        """Put back the very digits of rates that are the written ones but for rounding."""
        for group, rate in zip(self.optimizer.param_groups, rates, strict=False):
            lr = group["lr"]
            if lr.__class__ is float and lr != rate and math.isclose(lr, rate, rel_tol=_SAME):
                group["lr"] = rate

    def put(self, rates: list[float]) -> None:
        """Write rates that no curve gives, one per group; groups beyond the list go along with the first one."""
        groups = self.optimizer.param_groups
        slots = slots_of(groups)
        share = rates[0] / float(groups[0]["lr"]) if rates and float(groups[0]["lr"]) else 0.0
        values = [*rates, *(float(group["lr"]) * share for group in groups[len(rates) :])]
        for group, slot, value in zip(groups, slots, values, strict=True):
            if slot is None:
                group["lr"] = value
            else:
                slot.write(value)
        self.forget()
        self.off_curve = True

    def forget(self) -> None:
        """What the groups hold is no edit of what was written."""
        self._weights, self._ends = None, None

    def _laid_out(self, groups: list[Any], ends: Ends, weights: Weights) -> Layout:
        columns = ends.columns
        if any(scale != 1.0 for scale in self.scales):
            columns = tuple([e * s for e, s in zip(column, self.scales, strict=True)] for column in columns)
        return Layout(groups, *columns, slots=self._slots, kind=weights.__class__)

    def _move_momentum(self, t: float) -> None:
        found = self.curve.momentum_at(t)
        if found is None:
            return
        groups = self.optimizer.param_groups
        weights, ends = found
        if ends.row is None:
            values = mix(weights, ends)
        else:
            row = ends.row
            value = weights[0] * row[0] + weights[1] * row[1]
            if len(row) > 2:
                value += weights[2] * row[2]
            if not self.late and "betas" not in groups[0]:  # the usual case
                for group in groups:
                    group["momentum"] = value
                return
            values = [value] * len(groups)
        for i, (group, value) in enumerate(zip(groups, values)):  # noqa: B905 - the latest groups have none yet
            if i in self.late:
                continue
            if "betas" in group:
                group["betas"] = (value, *group["betas"][1:])
            else:
                group["momentum"] = value

    # ---------------------------------------------------------------- what others did

    def settle(self) -> None:
        """Take over rates that others have changed, and groups that have joined or left."""
        if self._ends is None:
            self._count_groups()
            return
        groups, scales = self.optimizer.param_groups, list(self.scales)
        if groups is not self._layout.listed:
            self.curve.rebind(groups)
        slots = slots_of(groups)
        kept = self._kept(groups)
        written = self._layout.values(self._weights)
        for i in range(min(kept, self._layout.count)):
            if i not in self.late:
                scales[i] *= self._edit(i, groups[i]["lr"], slots[i], written[self._layout.rows[i]])
            elif i in self._arrivals:
                scales[i] *= self._edit_on_arrival(i, float(groups[i]["lr"]))
        edited = scales != self.scales
        self.scales = scales
        changed = self._exchange(groups, kept) or self._count_groups()
        self._members = [_member(group) for group in groups]
        self._slots = [self._known(slot) for slot in slots]
        if edited or changed or self._slots != self._layout.slots:
            self._again()

    def arrive(self, late: tuple[int, ...]) -> None:
        """These groups keep the rate that they hold until the next write."""
        groups = self.optimizer.param_groups
        self.late, self._arrivals = late, {i: float(groups[i]["lr"]) for i in late}

    def _edit_on_arrival(self, i: int, lr: float) -> float:
        """The ratio of an edit of a late group, whose curve passes through the rate that it brought."""
        brought = self._arrivals[i]
        if math.isclose(lr, brought, rel_tol=_SAME) or not brought:
            return 1.0
        self._arrivals[i] = lr
        on_curve = math.isclose(self.rates_at(self.position)[i], brought, rel_tol=1e-6)
        return lr / brought if on_curve else 1.0

    def _kept(self, groups: list[Any]) -> int:
        """How many groups, from the first on, are those that have been there."""
        same = [a is _member(b) for a, b in zip(self._members, groups, strict=False)]
        return same.index(False) if False in same else min(len(groups), len(self.scales))

    def _exchange(self, groups: list[Any], kept: int) -> bool:
        """Groups were removed, and others have taken their places: those behind the kept ones join anew."""
        if kept == min(len(groups), len(self.scales)):
            return False
        before = {id(member): scale for member, scale in zip(self._members, self.scales, strict=False)}
        self.curve.drop(kept)
        self.scales, late = self.scales[:kept], tuple(i for i in self.late if i < kept)
        for i, group in enumerate(groups[kept:], kept):
            scale = before.get(id(_member(group)))
            if scale is None:
                self._join(group)
                late = (*late, i)
                continue
            self.curve.join(group, float(group.get("max_lr", group.get("initial_lr", group["lr"]))))
            now = self.curve.rates(self.position)[i]
            self.scales.append(float(group["lr"]) / now if now else scale)
        self.arrive(late)
        return True

    def _again(self) -> None:
        """What is there is what was written: the next write compares with it."""
        weights, ends = self.curve.at(self.position)
        self._layout = self._laid_out(self.optimizer.param_groups, ends, weights)
        self._weights, self._ends = weights, ends

    def _known(self, slot: Slot | None) -> Slot | None:
        """The slot that has been there, which remembers what it wrote."""
        return (
            slot if slot is None else next((s for s in self._slots if s is not None and s.tensor is slot.tensor), slot)
        )

    def _edit(self, i: int, lr: Any, slot: Slot | None, written: float) -> float:
        """The ratio between what group `i` holds and what was written there."""
        old = self._slots[i] if i < len(self._slots) else None
        if slot is None:
            same = lr == written or math.isclose(lr, written, rel_tol=_SAME) or written != written
            return 1.0 if same or not written else lr / written
        if old is not None and old.tensor is slot.tensor:
            if not old.edited():
                return 1.0
            ratio = old.ratio(written)
            old.remember()
            return ratio
        return 1.0 if slot.rounds(written) or not written else float(lr) / written

    def _count_groups(self) -> bool:
        """Groups were added: each goes on from the rate it brought. Some were removed: so are their edits."""
        groups, known = self.optimizer.param_groups, len(self.scales)
        if len(groups) == known:
            return False
        if len(groups) < known:
            self.curve.drop(len(groups))
            del self.scales[len(groups) :]
            self.late = tuple(i for i in self.late if i < len(groups))
            return True
        for group in groups[known:]:
            self._join(group)
        self.arrive((*self.late, *range(known, len(groups))))
        return True

    def _join(self, group: Any) -> None:
        """The curve of a late group passes through the rate that it brings; only its own `initial_lr` is a base."""
        rate = float(group["lr"])
        if "initial_lr" in group:
            base, scale = float(group["initial_lr"]), 1.0
        else:
            base, scale = base_through(self.curve, self.position, rate)
            group["initial_lr"] = type_of(group["lr"], base)
        self.curve.join(group, base)
        self.scales.append(scale)

    # ---------------------------------------------------------------- copies

    def __getstate__(self) -> dict[str, Any]:
        # The layout keeps the groups themselves, which a copy has anew.
        state = dict(self.__dict__)
        state["_layout"] = (self._layout.rows, self._layout.columns)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        rows, columns = state.pop("_layout")
        self.__dict__.update(state)
        self._layout = Layout.known(rows, columns)


def _member(group: Any) -> Any:
    """What makes a group that group: its first parameter, which stays when a state is loaded."""
    members = group.get("params")
    return members[0] if members else None


def type_of(rate: Any, value: float) -> Any:
    """`value` in a tensor of its own where `rate` is one."""
    if hasattr(rate, "clone"):
        copy = rate.detach().clone()
        copy.fill_(value)
        return copy
    return value


def base_through(curve: Curve, t: float, rate: float) -> tuple[float, float]:
    """``(base, scale)`` of the group whose rate at step `t` is `rate`.

    As under torch's recurrences a floor stays where it is: the value of nearly every schedule is a straight line in the base, so
    two values of it give the base. Where a formula in the base bends it, more of them do. Where there is none, the group's own
    curve is scaled; where the curve is 0, its rate is its base.
    """
    once, twice = curve.probe(t, rate), curve.probe(t, 2 * rate)
    if once == 0 or rate == 0:
        return rate, 1.0
    slope = (twice - once) / rate
    base = rate - (once - rate) / slope if slope > 0 else -1.0
    if slope == 0:  # both are on the floor that the curve stays at, and above it the value is a multiple of the base
        base = rate * (_ABOVE * rate / curve.probe(t, _ABOVE * rate))
    before, was = rate, once
    for _ in range(_SECANTS):
        if not (base > 0 and math.isfinite(base)):
            break
        now = curve.probe(t, base)
        if math.isclose(now, rate, rel_tol=1e-9):
            return base, 1.0
        if now == was or base == before:
            break
        before, was, base = base, now, base - (now - rate) * (base - before) / (now - was)
    return rate, rate / once
