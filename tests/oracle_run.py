"""The oracle's runs: how long they are, and which epoch makes which update."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from fractions import Fraction
from typing import Any


@dataclass(frozen=True)
class Run:
    """A run as a trainer is told it: batches per epoch, batches per update (per epoch: {first epoch: batches}), limits."""

    batches: int = 5
    accumulate: Any = 1
    epochs: int | None = 3
    max_steps: int | None = None
    before: tuple[int, ...] = ()  # updates of the epochs that an earlier run has made, where they differ

    def after(self, old: Run, done: int) -> Run:
        """This run, going on from the checkpoint that `old` wrote after `done` updates."""
        made = tuple(old.updates_in(epoch) for epoch in range(old.epoch_of(done)))
        same = all(self.updates_in(epoch) == updates for epoch, updates in enumerate(made))
        return self if same else dataclasses.replace(self, before=made)

    def updates_in(self, epoch: int) -> int:
        """Optimizer updates that a whole epoch has; the rest of an accumulation is an update too."""
        if epoch < len(self.before):
            return self.before[epoch]
        accumulate = self.accumulate
        if isinstance(accumulate, dict):
            epoch = epoch if self.epochs is None else min(epoch, self.epochs - 1)  # behind the run the last one repeats
            known = [first for first in accumulate if first <= epoch]
            accumulate = accumulate[max(known)] if known else 1
        return -(-self.batches // accumulate)

    def updates_at(self, epochs: Fraction) -> Fraction:
        """Updates made when so many epochs have passed."""
        done, epoch = Fraction(0), 0
        while epochs >= 1:
            done, epochs, epoch = done + self.updates_in(epoch), epochs - 1, epoch + 1
        return done + epochs * self.updates_in(epoch)

    def epochs_at(self, updates: Fraction) -> Fraction:
        """Epochs that have passed after so many updates."""
        epoch = 0
        while updates >= self.updates_in(epoch):
            updates, epoch = updates - self.updates_in(epoch), epoch + 1
        return epoch + Fraction(updates) / self.updates_in(epoch)

    @property
    def updates(self) -> int:
        """Updates of the whole run."""
        limits = [] if self.epochs is None else [int(self.updates_at(Fraction(self.epochs)))]
        return min([*limits, *([] if self.max_steps is None else [self.max_steps])])

    def epoch_of(self, update: int) -> int:
        """The epoch that makes the update (both from 0)."""
        return int(self.epochs_at(Fraction(update)))

    def trace(self, start: int = 0) -> list[int]:
        """The epoch of every update from `start` on."""
        return [self.epoch_of(update) for update in range(start, self.updates)]


@dataclass(frozen=True)
class Span:
    """What is left of a run after `done` updates: the whole of it at first, less for a restart."""

    run: Run
    done: int = 0

    @property
    def updates(self) -> int:
        return self.run.updates - self.done

    @property
    def first_epoch(self) -> int:
        return self.run.epoch_of(self.done)

    @property
    def epochs(self) -> Fraction:
        """Epochs; the one in progress counts whole."""
        return self.run.epochs_at(Fraction(self.run.updates)) - self.first_epoch

    def updates_at(self, epochs: Fraction) -> Fraction:
        """Updates from the beginning of the span: a first epoch of which a part is over has only the rest of it."""
        first = self.run.updates_at(Fraction(self.first_epoch + 1)) - self.done
        if epochs < 1:
            return epochs * first
        return (
            first + self.run.updates_at(epochs + self.first_epoch) - self.run.updates_at(Fraction(self.first_epoch + 1))
        )

    def epochs_at(self, updates: Fraction) -> Fraction:
        first = self.run.updates_at(Fraction(self.first_epoch + 1)) - self.done
        if updates < first:
            return Fraction(updates) / first
        return self.run.epochs_at(self.done + updates) - self.first_epoch
