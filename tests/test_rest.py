"""What is left of a run with several limits, of which the epochs before had other lengths than they would have now."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import pytest

from lr_configs.horizon import Horizon
from lr_configs.plan import resolve
from lr_configs.rest import Epoch, Made, Rest, rest, shortest
from lr_configs.run import PlainRun


@pytest.mark.parametrize(
    ("horizon", "updates", "epochs", "left"),
    [
        (Horizon(epochs=10, steps_per_epoch=20), 100, 5, (100, 5)),
        (Horizon(epochs=10, steps_per_epoch=20), 110, 5, (90, 5)),  # an epoch in progress counts whole
        (Horizon(epochs=10, steps_per_epoch=20), 0, 0, (200, 10)),
        (Horizon(epochs=10, steps_per_epoch=20), 200, 10, (0, 0)),
        (Horizon(steps=1000, steps_per_epoch=391), 500, 1, (500, 1 + Fraction(218, 391))),
        (Horizon(steps_per_epoch=[10, 2, 4]), 10, 1, (6, 2)),
        (Horizon(steps_per_epoch=[10, 2, 4]), 11, 1, (5, 2)),
        (Horizon(epochs=10), 123, 4, (None, 6)),
        (Horizon(steps=1000), 400, 0, (600, None)),
        (Horizon(steps=1000), 1000, 0, (0, None)),
        (Horizon(epochs=10), 123, 10, (None, 0)),
        (Horizon(epochs=10), 123, 12, (None, 0)),
        (Horizon(steps=1000), 1200, 0, (0, None)),
        (Horizon(epochs=10, steps_per_epoch=20), 95, 5, (100, 5)),  # some were skipped
        (Horizon(epochs=10, steps_per_epoch=20), 200, 5, (100, 5)),  # two per batch
    ],
)
def test_what_is_left_of_a_run(horizon: Horizon, updates: int, epochs: int, left: tuple[Any, Any]) -> None:
    found = rest([horizon], Made(updates, epochs, None))
    assert found is not None
    assert (found.updates, found.epochs) == left
    alone = (found.horizon.total_steps, found.horizon.total_epochs)
    assert alone == left or (0 in left and 1 in alone)  # a run of nothing has one update or epoch


def test_the_epoch_in_progress_ends_early() -> None:
    found = rest([Horizon(epochs=10, steps_per_epoch=20)], Made(110, 5, None))
    assert found is not None
    left = found.horizon
    assert resolve({"name": "step", "step_size": "1ep", "interval": "step"}, left).params["step_size"] == 10
    node = {"name": "multi_step", "milestones": ["1ep", "2ep"], "interval": "step"}
    assert resolve(node, left).params["milestones"] == [10, 30]


def test_updates_at_the_ends_of_epochs_that_differ() -> None:
    """Of those that are over as planned where they were as planned, else spread evenly; of the others as planned."""
    run = Horizon(epochs=4, steps_per_epoch=[3, 5, 7, 9])
    planned = rest([run], Made(updates=8, epochs=2))
    assert planned is not None
    assert [planned.updates_at(Fraction(i)) for i in range(5)] == [0, 3, 8, 15, 24]
    other = rest([run], Made(updates=10, epochs=2))
    assert other is not None
    assert [other.updates_at(Fraction(i)) for i in range(5)] == [0, 5, 10, 17, 26]
    within = rest([run], Made(updates=10, epochs=2, within=2))
    assert within is not None
    assert [within.updates_at(Fraction(i)) for i in range(5)] == [0, 3, 8, 15, 24]


@pytest.mark.parametrize("horizon", [Horizon(steps=1000), Horizon(epochs=10)])
@pytest.mark.parametrize(("within", "known"), [(None, 0), (0, 0), (3, 3)])
def test_what_is_made_of_an_epoch_is_kept_where_its_length_is_unknown(
    horizon: Horizon, within: int | None, known: int
) -> None:
    found = rest([horizon], Made(13, 2, within))
    assert found is not None
    assert found.made == Made(13, 2, known)


def both(epochs: int, steps: int, per_epoch: Any) -> tuple[Horizon, ...]:
    return Horizon(epochs=epochs, steps_per_epoch=per_epoch), Horizon(steps=steps, steps_per_epoch=per_epoch)


def left(limits: Any, *made: int) -> Rest:
    found = rest(limits, Made(*made))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("limits", "made", "updates", "epochs", "whole"),
    [
        # from the beginning six epochs end first, at 30; after two epochs of 10 they would end at 40
        (both(6, 35, 5), (20, 2), 15, 3, 30),
        # and the reverse: max_steps first, at 55 of 60; after two epochs of 5 the epochs end at 50
        (both(6, 55, 10), (10, 2), 40, 4, 55),
        (both(6, 35, 5), (0, 0), 30, 6, 30),
        (both(6, 55, 10), (0, 0), 55, Fraction(11, 2), 55),
        (both(6, 40, 5), (20, 2), 20, 4, 30),  # both at once
        (both(6, 20, 5), (20, 2), 0, 0, 20),
        (both(2, 90, 5), (20, 2), 0, 0, 10),
        (both(1, 90, 5), (20, 2), 0, 0, 5),
        # in the middle of the third epoch, of which two updates are made
        (both(6, 35, 5), (22, 2, 2), 13, 3, 30),
        (both(6, 55, 10), (12, 2, 2), 38, 4, 55),
        # accumulation that changes between the epochs
        (both(4, 40, [5, 5, 10, 10]), (20, 2), 20, 2, 30),
        (both(4, 33, [5, 5, 10, 10]), (20, 2), 13, Fraction(13, 10), 30),
        # a list for fewer epochs than are made: the last one repeats, not what is left of the one in progress
        ((Horizon(steps=40, steps_per_epoch=[10, 5]),), (22, 3, 2), 18, 4, 40),
        # a run of one's own that is given by both
        ((Horizon(epochs=6, steps_per_epoch=10, steps=55),), (10, 2), 40, 4, 55),
        ((Horizon(epochs=6, steps_per_epoch=10, steps=45),), (10, 2), 35, Fraction(7, 2), 45),
    ],
)
def test_the_first_limit_that_is_reached_ends_the_run(
    limits: Any, made: tuple[int, ...], updates: int, epochs: Any, whole: int
) -> None:
    found = left(limits, *made)
    assert (found.updates, found.epochs) == (updates, epochs)
    assert (found.total(by_epoch=False), found.total(by_epoch=True)) == (made[0] + updates, made[1] + epochs)
    if updates:
        assert (found.horizon.total_steps, found.horizon.total_epochs) == (updates, epochs)
    first = shortest(limits)
    assert first is not None
    assert first.total_steps == whole


def train(per_epoch: list[int], updates: int, epochs: int, max_epochs: int, max_steps: int) -> tuple[int, int]:
    """Updates and epochs that are begun by a loop that goes on until it reaches a limit."""
    more = begun = 0
    while epochs < max_epochs and updates < max_steps:
        begun += 1
        for _ in range(per_epoch[min(epochs, len(per_epoch) - 1)]):
            if updates < max_steps:
                updates, more = updates + 1, more + 1
        epochs += 1
    return more, begun


def test_as_a_loop_with_two_limits_ends() -> None:
    seen = set()
    for before, now, ended in itertools.product([2, 3, 7], [[2], [3], [7], [2, 2, 6, 3, 3]], range(4)):
        for max_epochs, max_steps in itertools.product(range(1, 6), range(1, 40, 3)):
            per_epoch = now[0] if len(now) == 1 else now[:max_epochs]
            found = left(both(max_epochs, max_steps, per_epoch), before * ended, ended)
            more, begun = train(now[:max_epochs], before * ended, ended, max_epochs, max_steps)
            assert found.updates == more, (before, now, ended, max_epochs, max_steps)
            assert found.epochs is not None
            assert -(-found.epochs // 1) == begun, (before, now, ended, max_epochs, max_steps)
            seen.add((found.limit.steps is None, shortest(both(max_epochs, max_steps, per_epoch)) == found.limit))
    assert len(seen) == 4  # either limit, be it the one that ends a run from its beginning or not


@pytest.mark.parametrize(
    ("per_epoch", "made", "left", "updates"),
    [
        (5, (13, 1, 3), 4, 4 + 2 * 5),  # 3 of 10 batches are over, each an update; from here on one in two
        (5, (17, 1, 7), 2, 2 + 2 * 5),
        (10, (7, 1, 2), 6, 6 + 2 * 10),  # 4 of 10 batches are over, in two updates; from here on one each
        (5, (20, 1, 10), 0, 2 * 5),  # all batches, before the epoch ends
        (5, (10, 1, 0), 5, 3 * 5),
    ],
)
def test_the_batches_tell_what_the_epoch_in_progress_has_left(
    per_epoch: int, made: tuple[int, ...], left: int, updates: int
) -> None:
    for limits in (both(4, 100, per_epoch), both(100, made[0] + updates, per_epoch)):
        found = rest(limits, Made(*made, left=left))
        assert found is not None
        assert found.updates == updates
        if left:
            assert found.updates_at(Fraction(2)) == made[0] + left
            assert found.epochs == 4 - made[1]


def test_updates_at_an_epoch() -> None:
    found = left(both(6, 35, 5), 22, 2, 2)
    assert [found.updates_at(Fraction(epoch)) for epoch in range(6)] == [0, 10, 20, 25, 30, 35]
    found = left(both(4, 90, [5, 5, 10, 10]), 10, 2)
    assert [found.updates_at(Fraction(epoch)) for epoch in range(5)] == [0, 5, 10, 20, 30]
    assert left([Horizon(epochs=4)], 20, 2).updates_at(Fraction(3)) is None
    assert left([Horizon(epochs=4)], 20, 2).updates_in(Fraction(1), by_epoch=True) is None
    assert left([Horizon(epochs=4)], 20, 2).updates_in(Fraction(1), by_epoch=False) == 1


def test_a_run_without_an_end() -> None:
    assert rest([], Made()) is shortest([]) is None
    assert PlainRun().limits() == ()
    assert PlainRun(Horizon(steps=3)).limits("anything") == (Horizon(steps=3),)


def test_an_epoch_that_has_not_begun_is_whole() -> None:
    for limits in (both(4, 100, 5), both(100, 30, 5)):
        found = rest(limits, Epoch(ended=2).goes_on(Made(20, 2, 0)))
        assert found is not None
        assert found.updates == 2 * 5
