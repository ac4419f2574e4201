"""What the rate is at step `t`: one tree, made from a plan and bound to the parameter groups once.

The rate of group `i` at step `t` is ``sum_k w_k(t) * e_k[i]``. The *weights* `w` are functions of the step, the same for
all groups; the *ends* `e` are numbers per group, found when the tree is bound (a factor has one end, the base; a cosine
two, base and floor; one-cycle three). A warmup multiplies weights, a sequence chooses between curves, a product multiplies
them. ``at(t, m)`` of every node serves a number and an array alike; the steps of an array lie between two
:meth:`~Curve.breaks`, so that they all take the same way through the tree.
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from lr_configs import ops
from lr_configs.config import Parameters, SchedulerConfig
from lr_configs.group_values import values_per_group
from lr_configs.ops import scalar
from lr_configs.shapes import falling
from lr_configs.warmup import warmup, way

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lr_configs.plan import Plan

#: one factor (a float), one for each group (a list), or one for each end (a tuple); arrays in their place
Weights: TypeAlias = Any


class Ends:
    """The numbers that weights mix; a new object where they have changed.

    Attributes:
        columns: a list with one number per group, for each end.
        plain: whether there is one end and it is the groups' own rate, so that the weight is a factor.
        row: the ends of every group, where all groups have the same ones.
    """

    __slots__ = ("columns", "plain", "row")

    def __init__(self, columns: tuple[list[float], ...], plain: bool = False) -> None:
        self.columns, self.plain = columns, plain
        rows = set(zip(*columns, strict=True))
        self.row = rows.pop() if len(rows) == 1 else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ends) and self.columns == other.columns

    __hash__ = None  # type: ignore[assignment]


def mix(weights: Weights, ends: Ends) -> list[Any]:
    """The rates that weights and ends stand for, one per group."""
    columns = ends.columns
    if weights.__class__ is tuple:
        if len(columns) == 2:
            (x, y), (high, low) = weights, columns
            return [x * a + y * b for a, b in zip(high, low, strict=True)]
        return [sum(w * e for w, e in zip(weights, row, strict=True)) for row in zip(*columns, strict=True)]
    if weights.__class__ is list:
        return [w * e for w, e in zip(weights, columns[0], strict=True)]
    return [weights * e for e in columns[0]]


def _scaled(weights: Weights, factor: Any) -> Weights:
    if weights.__class__ is tuple:
        return tuple([w * factor for w in weights])
    if weights.__class__ is list:
        return [w * factor for w in weights]
    return weights * factor


def _raised(weights: Weights, lowest: Any, m: Any) -> Weights:
    """Weights of one end that nowhere are below `lowest`, a number or one for each group."""
    if weights.__class__ is not list and lowest.__class__ is not list:
        return m.larger(weights, lowest)
    several = lowest if lowest.__class__ is list else [lowest] * len(weights)
    ours = weights if weights.__class__ is list else [weights] * len(several)
    return [m.larger(w, low) for w, low in zip(ours, several, strict=True)]


class Curve(ABC):
    """A node of the tree."""

    @abstractmethod
    def at(self, t: Any, m: Any = scalar) -> tuple[Weights, Ends]:
        """Weights and ends at step `t`."""

    @abstractmethod
    def momentum_at(self, t: Any, m: Any = scalar) -> tuple[Weights, Ends] | None:
        """What moves along as momentum at step `t`, or None."""

    @abstractmethod
    def has_momentum(self) -> bool:
        """Whether momentum moves along at any step."""

    @abstractmethod
    def breaks(self) -> list[float]:
        """The steps at which another part of the tree takes over."""

    @abstractmethod
    def rebind(self, groups: list[Any] | None = None) -> None:
        """Find the ends again, where parameters have changed, or `groups` stand in the place of others."""

    @abstractmethod
    def probe(self, t: float, base: float) -> float:
        """The rate at step `t` of a group that would join with this base."""

    @abstractmethod
    def join(self, group: Any, base: float) -> None:
        """Take in one more group."""

    @abstractmethod
    def drop(self, count: int) -> None:
        """Forget the groups from `count` on."""

    def settled(self) -> Ends | None:
        """The same object as long as the rate of no step has changed; None where only a look at the rates can tell."""
        return None

    def rates(self, t: float) -> list[float]:
        """The rates of all groups at step `t`; nothing is written."""
        return mix(*self.at(t))

    def array(self, t: NDArray[Any], *, momentum: bool = False, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """The rates at the rising steps `t`, or what moves along as momentum (nan where nothing does); in `out`, if it is given.

        Returns:
            float64 array of shape ``(groups, len(t))``.
        """
        import numpy as np

        m = ops.array()
        cuts = [0, *np.searchsorted(t, sorted(set(self.breaks())), side="left").tolist(), t.size]
        for begin, end in itertools.pairwise(cuts):
            if end > begin:
                steps = t[begin:end]
                found = self.momentum_at(steps, m) if momentum else self.at(steps, m)
                rows = [np.nan] * len(self.rates(0)) if found is None else mix(*found)
                out = np.empty((len(rows), t.size)) if out is None else out
                for i, row in enumerate(rows):
                    out[i, begin:end] = row
        assert out is not None, "there are steps"
        return out


class Leaf(Curve):
    """One schedule.

    Args:
        schedule: its config class, which has the formula.
        p: its resolved parameters as attributes.
    """

    def __init__(self, schedule: type[SchedulerConfig], p: Parameters) -> None:
        self.schedule, self.p = schedule, p
        self.weights: Callable[[Any, Any, Any], Weights] = schedule.weights
        self.rebind()

    def rebind(self, groups: list[Any] | None = None) -> None:
        """Find the ends again, where the parameters have changed."""
        if groups is not None:
            self.schedule.regroup(self.p, groups)
        columns = self.schedule.ends(self.p)
        self.bases = list(self.p.base_lrs)
        self.ends = Ends(tuple([list(column) for column in columns]), len(columns) == 1)
        self.p.lowest = self.schedule.lowest(self.p)
        self.p.altered = bool(self.schedule.altered(vars(self.p)))
        self._floor = self.p.lowest if self.schedule.clamps else None
        moving = self.schedule.momentum(self.p)
        self._momentum = None if moving is None else Ends(moving)
        self._last: tuple[Any, Weights] = (None, None)
        self._plain = self._floor is None and self._momentum is None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Leaf) and (self.schedule, self.ends) == (other.schedule, other.ends)

    __hash__ = None  # type: ignore[assignment]

    def at(self, t: Any, m: Any = scalar) -> tuple[Weights, Ends]:
        """Weights and ends at step `t`."""
        if self.p.base_lrs != self.bases:  # somebody has written into the list
            self.rebind()
        formula = self.weights
        weights = formula(self.p, t, m)
        if self._plain:
            return weights, self.ends
        if self._floor is not None:
            weights = _raised(weights, self._floor, m)
        if self._momentum is not None and m is scalar:
            self._last = t, weights
        return weights, self.ends

    def momentum_at(self, t: Any, m: Any = scalar) -> tuple[Weights, Ends] | None:
        """The same weights, and the ends of the momentum."""
        if self._momentum is None:
            return None
        known = m is scalar and self._last[0] == t
        return self._last[1] if known else self.weights(self.p, t, m), self._momentum

    def settled(self) -> Ends:
        """Its ends, which a new parameter replaces."""
        if self.p.base_lrs != self.bases:
            self.rebind()
        return self.ends

    def has_momentum(self) -> bool:
        """Whether it is asked for."""
        return self._momentum is not None

    def breaks(self) -> list[float]:
        """The schedule's own."""
        return self.schedule.breaks(self.p)

    def probe(self, t: float, base: float) -> float:
        """The rate of a group with this base."""
        alone = self.schedule.alone(self.p, base)
        if alone is not None:
            return Leaf(self.schedule, alone).rates(t)[0]
        weights, row = self.weights(self.p, t, scalar), self.schedule.late_ends(self.p, base)
        if weights.__class__ is tuple:
            return float(sum(w * e for w, e in zip(weights, row, strict=True)))
        return float((weights[-1] if weights.__class__ is list else weights) * row[0])

    def join(self, group: Any, base: float) -> None:
        """Extend the parameters."""
        self.schedule.join(self.p, group, base)
        self.rebind()

    def drop(self, count: int) -> None:
        """Cut the parameters."""
        self.schedule.drop(self.p, count)
        self.rebind()


def _public(node: object) -> dict[str, Any]:
    return {key: value for key, value in vars(node).items() if not key.startswith("_")}


class _Around(Curve):
    """A node around one other."""

    def __init__(self, inner: Curve) -> None:
        self.inner = inner

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and _public(self) == _public(other)

    __hash__ = None  # type: ignore[assignment]

    def has_momentum(self) -> bool:
        """Whether the inner one's moves."""
        return self.inner.has_momentum()

    def rebind(self, groups: list[Any] | None = None) -> None:
        """The inner one's."""
        self.inner.rebind(groups)

    def join(self, group: Any, base: float) -> None:
        """The inner one takes in the group."""
        self.inner.join(group, base)

    def drop(self, count: int) -> None:
        """The inner one forgets the groups."""
        self.inner.drop(count)


class Warmup(_Around):
    """A warmup in front of a curve.

    Args:
        inner: the curve.
        length: scheduler steps.
        start: the factor at step 0.
        shape: see :mod:`lr_configs.warmup`.
        begin: the step at which the curve is at its own step 0; `length`, or 0 where its clock runs during the warmup.
    """

    def __init__(self, inner: Curve, length: int, start: float, shape: str, begin: int) -> None:
        super().__init__(inner)
        self.length, self.start, self.shape, self.begin = length, start, shape, begin

    def at(self, t: Any, m: Any = scalar) -> tuple[Weights, Ends]:
        """The curve's first value times the warmup's factor, then the curve."""
        W = self.length
        if (t if m is scalar else t[0]) >= W:
            return self.inner.at(t - self.begin, m)
        weights, ends = self.inner.at(0)
        return _scaled(weights, warmup(self.shape, self.start, W, t, m)), ends

    def momentum_at(self, t: Any, m: Any = scalar) -> tuple[Weights, Ends] | None:
        """The curve's first value during the warmup."""
        behind = (t if m is scalar else t[0]) >= self.length
        return self.inner.momentum_at(t - self.begin, m) if behind else self.inner.momentum_at(0)

    def breaks(self) -> list[float]:
        """The end of the warmup, and those of the curve behind it."""
        return [self.length, *(one for one in (self.begin + b for b in self.inner.breaks()) if one > self.length)]

    def probe(self, t: float, base: float) -> float:
        """As the curve's, times the factor."""
        W = self.length
        if t >= W:
            return self.inner.probe(t - self.begin, base)
        return float(self.inner.probe(0, base) * warmup(self.shape, self.start, W, t, scalar))


class MeetingWarmup(Warmup):
    """A warmup that leads to the value which the curve has at the warmup's end; the curve's clock runs from step 0."""

    def __init__(self, inner: Curve, length: int, start: float, shape: str) -> None:
        super().__init__(inner, length, start, shape, 0)
        self._values: Any = None
        self._settled: Ends | None = None
        self._mixed = Ends(([],))

    def at(self, t: Any, m: Any = scalar) -> tuple[Weights, Ends]:
        """Shares of the curve's first value and of that at the end, then the curve."""
        if (t if m is scalar else t[0]) >= self.length:
            return self.inner.at(t, m)
        return way(self.shape, self.start, self.length, t, m), self._ends()

    def _ends(self) -> Ends:
        """Both values of every group; the same object as long as they are the same."""
        settled = self.inner.settled()
        if settled is not None and settled is self._settled:
            return self._mixed
        values = self.inner.at(0), self.inner.at(self.length)
        self._settled = settled
        if values != self._values:
            self._values, self._mixed = values, Ends((mix(*values[0]), mix(*values[1])))
        return self._mixed

    def probe(self, t: float, base: float) -> float:
        """As the curve's two values, mixed."""
        if t >= self.length:
            return self.inner.probe(t, base)
        first, last = way(self.shape, self.start, self.length, t, scalar)
        return float(first * self.inner.probe(0, base) + last * self.inner.probe(self.length, base))


class Cooldown(_Around):
    """A tail: the value that a curve has at step `start`, and over `length` steps down to 0, where it stays."""

    def __init__(self, inner: Curve, start: int, length: int, shape: str) -> None:
        super().__init__(inner)
        self.start, self.length, self.shape = start, length, shape

    def at(self, t: Any, m: Any = scalar) -> tuple[Weights, Ends]:
        """The curve, then what is left of its value."""
        if (t if m is scalar else t[0]) < self.start:
            return self.inner.at(t, m)
        weights, ends = self.inner.at(self.start)
        return _scaled(weights, self._left(t, m)), ends

    def _left(self, t: Any, m: Any) -> Any:
        end = self.start + self.length
        return falling(self.shape, (end - m.minimum(t, end)) / self.length, m)

    def momentum_at(self, t: Any, m: Any = scalar) -> tuple[Weights, Ends] | None:
        """As the curve's; it stays in the tail."""
        return self.inner.momentum_at(m.minimum(t, self.start), m)

    def breaks(self) -> list[float]:
        """Where the tail begins, and those of the curve in front of it."""
        return [self.start, *(one for one in self.inner.breaks() if one < self.start)]

    def probe(self, t: float, base: float) -> float:
        """As the curve's, times what is left."""
        if t < self.start:
            return self.inner.probe(t, base)
        return float(self.inner.probe(self.start, base) * self._left(t, scalar))


class Hold(_Around):
    """A curve that stays where it is from its own step `last` on."""

    def __init__(self, inner: Curve, last: int) -> None:
        super().__init__(inner)
        self.last = last

    def at(self, t: Any, m: Any = scalar) -> tuple[Weights, Ends]:
        """The curve at `t`, or at `last`."""
        return self.inner.at(m.minimum(t, self.last), m)

    def momentum_at(self, t: Any, m: Any = scalar) -> tuple[Weights, Ends] | None:
        """As the curve's."""
        return self.inner.momentum_at(m.minimum(t, self.last), m)

    def breaks(self) -> list[float]:
        """Those of the curve up to its end."""
        return [self.last, *(one for one in self.inner.breaks() if one < self.last)]

    def probe(self, t: float, base: float) -> float:
        """As the curve's."""
        return self.inner.probe(min(t, self.last), base)


class _Several(Curve):
    """A node over several others.

    Args:
        children: the curves.
        bases: the groups' own rates, a list that grows with the groups.
    """

    def __init__(self, children: Sequence[Curve], bases: list[float]) -> None:
        self.children, self.bases = list(children), bases

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.children == other.children  # type: ignore[attr-defined]

    __hash__ = None  # type: ignore[assignment]

    def has_momentum(self) -> bool:
        """Whether one of them moves it."""
        return any(child.has_momentum() for child in self.children)

    def rebind(self, groups: list[Any] | None = None) -> None:
        """Those of all of them."""
        for child in self.children:
            child.rebind()

    def join(self, group: Any, base: float) -> None:
        """All of them take in the group."""
        self.bases.append(base)
        for child in self.children:
            child.join({}, base)  # what a schedule keeps in the group would be taken for the whole one's

    def drop(self, count: int) -> None:
        """All of them forget the groups."""
        del self.bases[count:]
        for child in self.children:
            child.drop(count)


class Stages(_Several):
    """One curve after another.

    Args:
        children: the curves.
        bases: the groups' own rates, a list that grows with the groups.
        starts: the step at which each but the first begins, rising.
    """

    def __init__(self, children: Sequence[Curve], bases: list[float], starts: Sequence[int]) -> None:
        super().__init__(children, bases)
        self.starts = starts

    def active(self, t: float) -> tuple[int, float]:
        """``(index, its own step)`` of the curve that step `t` lies in."""
        i = bisect_right(self.starts, t)
        return i, t - self.starts[i - 1] if i else t

    def at(self, t: Any, m: Any = scalar) -> tuple[Weights, Ends]:
        """The active curve at its own step."""
        i = bisect_right(self.starts, t if m is scalar else t[0])
        return self.children[i].at(t - self.starts[i - 1] if i else t, m)

    def momentum_at(self, t: Any, m: Any = scalar) -> tuple[Weights, Ends] | None:
        """The active curve's; before a curve that moves none, the momentum stays where it is."""
        i, _ = self.active(t if m is scalar else t[0])
        return self.children[i].momentum_at(t - self.starts[i - 1] if i else t, m)

    def breaks(self) -> list[float]:
        """Where the curves begin, and where each breaks while it is active."""
        found: list[float] = list(self.starts)
        for child, start, end in zip(self.children, [0, *self.starts], [*self.starts, math.inf], strict=True):
            found += [start + one for one in child.breaks() if start + one < end]
        return found

    def probe(self, t: float, base: float) -> float:
        """The active curve's."""
        i, own = self.active(t)
        return self.children[i].probe(own, base)


class Product(_Several):
    """The product of curves, each as a multiple of the groups' own rates.

    Args:
        children: the curves.
        bases: the groups' own rates, a list that grows with the groups.
        offsets: the step of each at step 0 of the product.
    """

    def __init__(self, children: Sequence[Curve], bases: list[float], offsets: Sequence[int] | None = None) -> None:
        super().__init__(children, bases)
        self.offsets = list(offsets) if offsets is not None else [0] * len(self.children)
        self._products: dict[tuple[int, int], tuple[Ends, Ends, Ends]] = {}
        self._ones = Ends(([],))

    def at(self, t: Any, m: Any = scalar) -> tuple[Weights, Ends]:
        """Weights times weights, ends times ends."""
        offsets = self.offsets
        weights, ends = self.children[0].at(t + offsets[0], m)
        for i in range(1, len(self.children)):
            factor, others = self.children[i].at(t + offsets[i], m)
            weights, ends = self._times(weights, ends, factor, others)
        return weights, ends

    def _times(self, weights: Weights, ends: Ends, factor: Weights, others: Ends) -> tuple[Weights, Ends]:
        if others.plain and factor.__class__ is not list:
            return _scaled(weights, factor), ends
        if ends.plain and weights.__class__ is not list:
            return _scaled(factor, weights), others
        if weights.__class__ is list or factor.__class__ is list:
            rates = [
                a * b / c if c else 0.0 * a
                for a, b, c in zip(mix(weights, ends), mix(factor, others), self.bases, strict=True)
            ]
            if len(self._ones.columns[0]) != len(rates):
                self._ones = Ends(([1.0] * len(rates),))
            return rates, self._ones
        return tuple([a * b for a in weights for b in factor]), self._ends(ends, others)

    def _ends(self, ends: Ends, others: Ends) -> Ends:
        key = (id(ends), id(others))
        known = self._products.get(key)
        if known is None or known[0] is not ends or known[1] is not others:
            columns = tuple(
                [x * y / z if z else 0.0 for x, y, z in zip(a, b, self.bases, strict=True)]
                for a in ends.columns
                for b in others.columns
            )
            if len(self._products) > 64:
                self._products.clear()
            known = self._products[key] = ends, others, Ends(columns)
        return known[2]

    def momentum_at(self, t: Any, m: Any = scalar) -> tuple[Weights, Ends] | None:
        """The last curve's that moves one."""
        found = [child.momentum_at(t + offset, m) for child, offset in zip(self.children, self.offsets, strict=True)]
        return next((one for one in reversed(found) if one is not None), None)

    def breaks(self) -> list[float]:
        """Those of all curves."""
        return [
            one - offset for child, offset in zip(self.children, self.offsets, strict=True) for one in child.breaks()
        ]

    def probe(self, t: float, base: float) -> float:
        """The product of the curves' factors."""
        value = base
        for child, offset in zip(self.children, self.offsets, strict=True):
            value *= child.probe(t + offset, base) / base if base else 0.0
        return value


# ---------------------------------------------------------------------------------------- from a plan


def surround(inner: Curve, plan: Plan) -> Curve:
    """`inner` with the hold and the warmup of its plan around it."""
    if plan.hold is not None:
        inner = Hold(inner, plan.hold)
    if plan.warmup:
        config = plan.config
        how = plan.warmup, config.warmup_start_factor, config.warmup_shape
        meets = config.warmup_overlap == "continuous"
        inner = MeetingWarmup(inner, *how) if meets else Warmup(inner, *how, plan.own_start)
    if plan.cooldown and plan.steps is not None:
        inner = Cooldown(inner, max(plan.steps - plan.cooldown, 0), plan.cooldown, plan.config.cooldown_shape)
    return inner


def bind(plan: Plan, bases: Sequence[float], names: Sequence[str | None] | None = None) -> Curve:
    """The tree of a plan, without a scheduler.

    Args:
        plan: the resolved schedule.
        bases: the groups' own rates.
        names: the groups' names.

    Raises:
        SchedulerConfigError: for values that do not fit the groups.
    """
    names = names if names is not None else [None] * len(bases)
    if plan.stages:
        children = [bind(stage, bases, names) for _, stage in plan.stages]
        return surround(arranged(plan, children, list(bases)), plan)
    p = Parameters(**{**plan.params, **values_per_group(plan.config, bases, names, plan.key, plan.params)})
    p.base_lrs = list(bases)
    type(plan.config).prepare(p)
    return surround(Leaf(type(plan.config), p), plan)


def arranged(plan: Plan, children: Sequence[Curve], bases: list[float]) -> Curve:
    """The curves of the stages, put together as the schedule says."""
    if plan.config.arrangement == "sequence":
        return Stages(children, bases, [start for start, _ in plan.stages[1:]])
    return Product(children, bases)
