"""What is left of a run, and where it really ends.

A trainer may have several limits, and ends a run at the first that it reaches. Counted from the beginning that may be another
one than counted from a checkpoint: the epochs before it may have had other lengths than they would have now, as where gradient
accumulation has changed. So a run tells all its limits, and what is left is the least that they leave.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

from lr_configs.horizon import Horizon


@dataclass(frozen=True)
class Made:
    """How much of a run is over.

    Attributes:
        updates: optimizer updates made so far.
        epochs: epochs that have ended.
        within: updates of the epoch in progress; None where nobody has counted them.
        left: updates that the epoch in progress has left, where its batches tell: those that are over may have made more
            updates, or fewer, than they would make now.
    """

    updates: int = 0
    epochs: int = 0
    within: int | None = 0
    left: int | None = None


@dataclass(frozen=True)
class Epoch:
    """The epoch with which a trainer goes on from a checkpoint. It may have lost its place, and count other epochs than those made.

    Attributes:
        ended: epochs that are over for the trainer.
        left: updates that its batches have left; None where it begins with its first batch.
        extra: updates that come before it begins.

    >>> Epoch(ended=1).goes_on(Made(updates=16, epochs=1, within=4))
    Made(updates=16, epochs=1, within=0, left=None)
    >>> Epoch(ended=1, left=2).goes_on(Made(updates=24, epochs=2))
    Made(updates=24, epochs=2, within=-2, left=None)
    >>> Epoch(ended=3).limit(Horizon(epochs=5, steps_per_epoch=4), Made(updates=8, epochs=2)).epochs
    4
    """

    ended: int
    left: int | None = None
    extra: int = 0

    def goes_on(self, made: Made) -> Made:
        """What is over for the trainer."""
        if self.left is None:
            return replace(made, epochs=min(self.ended, made.epochs), within=-self.extra) if self.lost(made) else made
        if self.ended < made.epochs:  # batches of an epoch that is over already come before the next one
            return replace(made, within=-self.left)
        return replace(made, left=self.left)

    def limit(self, whole: Horizon, made: Made) -> Horizon:
        """A limit, counted as the trainer counts: epochs that it counts too many are not trained in the end."""
        if whole.epochs is None or self.ended <= made.epochs:
            return whole
        epochs, each = max(whole.epochs - (self.ended - made.epochs), 1), whole.steps_per_epoch
        return replace(whole, epochs=epochs, steps_per_epoch=each[:epochs] if isinstance(each, tuple) else each)

    def lost(self, made: Made) -> bool:
        """Whether the trainer has lost its place."""
        return self.ended != made.epochs or bool(self.extra) or (self.left is None and bool(made.within))


@dataclass(frozen=True)
class Rest:
    """What is left of a run.

    Attributes:
        made: what is over.
        limit: the limit that ends the run.
        horizon: the rest as a run of its own: where nothing is left, one update or epoch, whose rate is never used.
        updates: updates that are left; None where only epochs are known.
        epochs: epochs that are left; None where only updates are known. One in progress counts whole.
    """

    made: Made
    limit: Horizon
    horizon: Horizon
    updates: int | None
    epochs: Fraction | None

    def intervals(self, by_epoch: bool) -> Fraction | None:
        """Epochs or updates that are left."""
        left = self.epochs if by_epoch else self.updates
        return None if left is None else Fraction(left)

    def total(self, by_epoch: bool) -> Fraction | None:
        """Epochs or updates in the whole run, those that are over included."""
        left = self.intervals(by_epoch)
        return None if left is None else left + (self.made.epochs if by_epoch else self.made.updates)

    def updates_in(self, intervals: Fraction, by_epoch: bool) -> Fraction | None:
        """Updates in the next so many intervals, the first being what is left of the epoch in progress."""
        if not by_epoch:
            return intervals
        return self.horizon.to_steps(intervals, Fraction(0)) if self.horizon.knows_epochs else None

    def updates_at(self, epochs: Fraction) -> Fraction | None:
        """Updates of the whole run when so many of its epochs have passed; None where the two do not convert."""
        if not self.limit.knows_epochs:
            return None
        if epochs > self.made.epochs:
            return self.made.updates + self.horizon.to_steps(epochs - self.made.epochs, Fraction(0))
        ended, planned = self.made.updates - (self.made.within or 0), self.limit.to_steps(epochs, Fraction(0))
        if epochs == self.made.epochs:
            return Fraction(ended)
        as_planned = self.limit.to_steps(Fraction(self.made.epochs), Fraction(0)) == ended
        return planned if as_planned else ended * epochs / self.made.epochs  # nobody knows them one by one


def rest(limits: Iterable[Horizon], made: Made) -> Rest | None:
    """What is left of a run after `made`: the least that its limits leave; None where it has none.

    Uncounted updates that do not fit the epoch in progress (some were skipped, or there were more than planned) are left out
    of account.

    Twenty updates in two epochs, and from here on five to an epoch: six epochs end at update 40, and max_steps=35 before them.

    >>> limits = Horizon(epochs=6, steps_per_epoch=5), Horizon(steps=35, steps_per_epoch=5)
    >>> left = rest(limits, Made(updates=20, epochs=2))
    >>> left.updates, left.epochs
    (15, Fraction(3, 1))
    >>> shortest(limits).total_steps
    30
    """
    each = [_left(one, made) for limit in limits for one in _apart(limit)]
    return min(each, key=lambda left: math.inf if left.updates is None else left.updates, default=None)


def shortest(limits: Iterable[Horizon]) -> Horizon | None:
    """The limit that ends a run that begins with its first update; None where there is none."""
    return min(limits, key=lambda one: math.inf if one.total_steps is None else one.total_steps, default=None)


def _apart(limit: Horizon) -> tuple[Horizon, ...]:
    """The two limits of a run that is given by its epochs and its updates."""
    if limit.epochs is None or limit.steps is None:
        return (limit,)
    return replace(limit, steps=None), replace(limit, epochs=None)


def _left(limit: Horizon, made: Made) -> Rest:
    if not limit.knows_epochs:
        updates = None if limit.steps is None else max(limit.steps - made.updates, 0)
        epochs = None if limit.epochs is None else Fraction(max(limit.epochs - made.epochs, 0))
        alone = Horizon(steps=max(updates or 0, 1)) if epochs is None else Horizon(epochs=max(int(epochs), 1))
        return Rest(replace(made, within=made.within or 0), limit, alone, updates, epochs)
    begin = int(limit.to_steps(Fraction(made.epochs), Fraction(0)))
    size = int(limit.steps_between(Fraction(made.epochs), Fraction(made.epochs + 1)))
    within = made.within
    if within is None:
        within = made.updates - begin if begin <= made.updates <= begin + size else 0
    gone = within if made.left is None else size - made.left
    left = (limit.total_steps or 0) - begin - gone if limit.steps is None else limit.steps - made.updates
    per_epoch = limit.steps_per_epoch if isinstance(limit.steps_per_epoch, tuple) else (limit.steps_per_epoch,)
    following = per_epoch[made.epochs + 1 :] or per_epoch[-1:]
    alone = Horizon(steps=max(left, 1), steps_per_epoch=(max(size - gone, 1), *following))
    epochs = alone.total_epochs if left > 0 else Fraction(0)
    return Rest(replace(made, within=within), limit, alone, max(left, 0), epochs)
