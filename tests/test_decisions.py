"""What a resume decides: a pure function of what was saved, what is asked for, and the policy. No torch, no trainer."""

from __future__ import annotations

import copy
import itertools
import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from lr_configs.errors import SchedulerConfigError
from lr_configs.horizon import Horizon
from lr_configs.plan import resolve
from lr_configs.rest import Epoch
from lr_configs.resume import (
    POLICIES,
    Asked,
    Continue,
    Foreign,
    Place,
    Refuse,
    Restart,
    Saved,
    Timeline,
    Warp,
    decide,
    decide_all,
    params,
    read,
    seal,
    slots,
    unseal,
)
from lr_configs.run_data import horizon_data, read_horizon, run_text, size

RUN = Horizon(epochs=4, steps_per_epoch=5)
LONGER = Horizon(epochs=8, steps_per_epoch=5)
COSINE = {"name": "cosine", "T_max": "100%"}
TWICE = {**COSINE, "frequency": 2}
STEP = {"name": "step", "step_size": "3st", "gamma": 0.5}
EPOCHS = {"name": "step", "step_size": 2, "gamma": 0.5}


def asked(node: Any = COSINE, horizon: Horizon | None = RUN, bases: tuple[float, ...] = (0.1,)) -> Asked:
    return Asked(resolve(node, horizon), bases, () if horizon is None else (horizon,))


def saved(node: Any = COSINE, horizon: Horizon | None = RUN, updates: int = 7, **changes: Any) -> Saved:
    """The state of a run after so many updates."""
    request = asked(node, horizon)
    plan = request.plan
    by_epoch, epochs = plan.interval == "epoch", updates // 5
    ticks = epochs if by_epoch else updates
    total = None if horizon is None else horizon.total_epochs if by_epoch else horizon.total_steps
    state = Saved(
        asked=request.to_data(), plan=plan.to_data(), bases=request.bases,
        end=None if total is None else Fraction(total) / plan.frequency, timeline=Timeline(), ticks=ticks, updates=updates,
        epoch_updates=epochs * 5, values=0, position=ticks // plan.frequency, groups=1, ending=None, module_steps=False,
        slot=0, epochs=epochs,
    )  # fmt: skip
    return replace(state, **changes)


def several(bases: tuple[float, ...]) -> Saved:
    """The state of a run with several groups."""
    return saved(asked=asked(bases=bases).to_data(), bases=bases, groups=len(bases))


#: what differs -> (saved, asked, decision of strict, of keep, of stretch, of restart)
SAME = "as saved"
TABLE: dict[str, tuple[Saved, Asked, str, str, str, str]] = {
    "nothing": (saved(), asked(), SAME, SAME, SAME, SAME),
    "the length, which matters": (saved(), asked(horizon=LONGER), "refuse", "hold", "stretch", "restart"),
    "the length, which does not": (saved(STEP), asked(STEP, LONGER), "go on", "hold", "stretch", "restart"),
    "the length, in epochs": (saved(EPOCHS), asked(EPOCHS, LONGER), "go on", "hold", "stretch", "restart"),
    "another schedule": (saved(), asked(STEP), "refuse", "hold", "stretch", "restart"),
    "another interval": (saved(EPOCHS), asked({**EPOCHS, "interval": "step"}), "refuse", "hold", "stretch", "restart"),
    "another frequency": (saved(), asked({**COSINE, "frequency": 2}), "refuse", "hold", "stretch", "restart"),
    "another base rate": (saved(), asked(bases=(0.2,)), "refuse", "hold", "stretch", "restart"),
    "another number of groups": (saved(), asked(bases=(0.1, 0.1)), "refuse", "hold", "stretch", "restart"),
    "a group that joined late": (saved(groups=2), asked(bases=(0.1, 0.1)), SAME, SAME, SAME, SAME),
    "fewer groups": (
        several((0.1, 0.1)), asked(), "refuse", "hold", "stretch", "restart",
    ),
    "only what it says": (saved(), asked({**COSINE, "verbose": True}), SAME, SAME, SAME, SAME),
    "an end that is not known": (saved(STEP, None), asked(STEP), "go on", SAME, SAME, "restart"),
    "nothing, stretched": (
        saved(timeline=Timeline(None, Warp(Fraction(4), 4, Fraction(16), 40))), asked(), SAME, SAME, SAME, SAME,
    ),
    "stretched before, and back": (
        saved(timeline=Timeline(None, Warp(Fraction(4), 4, Fraction(16), 40)), asked=asked(STEP).to_data()), asked(),
        "refuse", "hold", "stretch", "restart",
    ),
    "held before, not yet at its end": (
        saved(timeline=Timeline(Fraction(19)), asked=asked(STEP).to_data()), asked(), "go on", SAME, "stretch", "restart",
    ),
    "held before, at its end": (
        saved(updates=20, timeline=Timeline(Fraction(19)), asked=asked(STEP).to_data()), asked(), "refuse", SAME, SAME,
        "restart",
    ),
    "held before, at its last step": (
        saved(updates=19, timeline=Timeline(Fraction(19)), asked=asked(STEP).to_data()), asked(), "go on", SAME, "stretch",
        "restart",
    ),
    "held before, every second update, at its last step": (
        saved(TWICE, updates=19, timeline=Timeline(Fraction(9)), asked=asked(STEP).to_data()), asked(TWICE), "go on", SAME,
        "stretch", "restart",
    ),
    "held before, every second update, at its end": (
        saved(TWICE, updates=20, timeline=Timeline(Fraction(9)), asked=asked(STEP).to_data()), asked(TWICE), "refuse", SAME,
        SAME, "restart",
    ),
    "a metric": (
        saved({"name": "reduce_on_plateau", "monitor": "val_loss"}),
        asked({"name": "reduce_on_plateau", "monitor": "train_loss"}), "refuse", SAME, SAME, "restart",
    ),
    "a metric's run": (
        saved({"name": "reduce_on_plateau", "monitor": "val_loss"}),
        asked({"name": "reduce_on_plateau", "monitor": "val_loss"}, LONGER), "go on", SAME, SAME, "restart",
    ),
}  # fmt: skip


def kind(decision: Any, state: Saved) -> str:
    if isinstance(decision, Continue):
        if decision.timeline == state.timeline:
            new = decision.plan.function() != state.plan and decision.end != state.end
            return "go on" if new else SAME
        if decision.timeline.warp not in (None, state.timeline.warp):
            return "stretch"
        return "go on" if decision.timeline == Timeline() else "hold"
    return type(decision).__name__.lower()


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("differs", TABLE)
def test_policy_and_what_differs(differs: str, policy: str) -> None:
    state, request, *expected = TABLE[differs]
    decision = decide(state, request, policy)
    assert kind(decision, state) == expected[POLICIES.index(policy)]
    if isinstance(decision, Continue) and policy != "strict":
        assert decision.plan.function() == resolve_function(state)


def resolve_function(state: Saved) -> Any:
    from lr_configs.plan import Plan

    return Plan.from_data(state.plan).function()


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (Foreign(10), (Refuse, Place, Place, Restart)),
        (SchedulerConfigError("checkpoint", 1, "an older version wrote it", "x"), (Refuse, Refuse, Refuse, Restart)),
    ],
)
def test_checkpoints_without_a_state_that_can_be_read(state: Any, expected: Any) -> None:
    assert tuple(type(decide(state, asked(), policy)) for policy in POLICIES) == expected


# ---------------------------------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        (
            COSINE,
            asked(horizon=LONGER),
            "T_max 20 (100%) -> 40 (100%); run 4 epochs x 5 updates -> 8 epochs x 5 updates",
        ),
        (COSINE, asked({"name": "cosine", "T_max": "40st"}, LONGER), "T_max 20 (100%) -> 40 (40st)"),
        (COSINE, asked({**COSINE, "eta_min": 0.01}), "eta_min 0.0 -> 0.01"),
        (COSINE, asked(bases=(0.2,)), "base rate 0.1 -> 0.2"),
        (COSINE, asked(bases=(0.1, 0.2)), "parameter groups 1 -> 2"),
        (EPOCHS, asked({**EPOCHS, "interval": "step"}), "interval epoch -> step"),
        (COSINE, asked(STEP), "schedule cosine -> step"),
    ],
)
def test_strict_lists_what_differs_and_nothing_else(before: Any, now: Asked, words: str) -> None:
    decision = decide(saved(before), now, "strict")
    assert isinstance(decision, Refuse)
    assert f"another schedule: {words}. Choose resume=keep" in str(decision.error)
    assert len(str(decision.error).splitlines()) == 1


def test_many_differences_are_cut_short() -> None:
    values = {"gamma": 0.5, "milestones": list(range(1, 20))}
    decision = decide(saved({"name": "multi_step", **values}), asked({"name": "polynomial"}), "strict")
    assert isinstance(decision, Refuse)
    assert len(str(decision.error)) < 700


@pytest.mark.parametrize("count", [1, 7, 8, 9, 10])
def test_eight_differences_are_listed_and_the_others_counted(count: int) -> None:
    other = {
        "max_lr": 0.5, "total_steps": "10st", "pct_start": 0.4, "anneal_strategy": "linear", "base_momentum": 0.5,
        "max_momentum": 0.9, "div_factor": 10.0, "final_div_factor": 100.0, "three_phase": True, "cycle_momentum": False,
    }  # fmt: skip
    changed = dict(list(other.items())[:count])
    decision = decide(saved({"name": "one_cycle"}), asked({"name": "one_cycle", **changed}), "strict")
    assert isinstance(decision, Refuse)
    listed = str(decision.error).split("another schedule: ")[1].split(". Choose")[0].split("; ")
    assert listed[8:] == ([f"and {count - 8} more"] if count > 8 else [])
    shown = [one.split()[0] for one in listed[:8]]
    assert len(set(shown)) == min(count, 8)
    assert set(shown) <= set(changed)


@pytest.mark.parametrize(
    ("step", "words"), [(10, "the checkpoint (step 10) was written"), (None, "the checkpoint was written")]
)
def test_the_step_of_a_foreign_checkpoint_is_named_where_it_is_known(step: int | None, words: str) -> None:
    decision = decide(Foreign(step), asked(), "strict")
    assert isinstance(decision, Refuse)
    assert str(decision.error).startswith(f"resume='strict': {words} without LRSchedulerCallback")


def test_the_first_base_rate_that_has_changed_is_named() -> None:
    for now, words in (((0.2, 0.4), "of group 0 0.1 -> 0.2"), ((0.1, 0.4), "of group 1 0.3 -> 0.4")):
        decision = decide(several((0.1, 0.3)), asked(bases=now), "strict")
        assert isinstance(decision, Refuse)
        assert f"another schedule: base rate {words}. Choose" in str(decision.error)


def test_a_shorter_run_is_named() -> None:
    decision = decide(saved(horizon=LONGER), asked(), "strict")
    assert isinstance(decision, Refuse)
    words = "T_max 40 (100%) -> 20 (100%); run 8 epochs x 5 updates -> 4 epochs x 5 updates. Choose"
    assert words in str(decision.error)


# ---------------------------------------------------------------------------------------- keep and stretch


@pytest.mark.parametrize(("frequency", "last"), [(1, 19), (3, 6), (7, 2)])
def test_keep_holds_the_last_rate_that_was_really_used(frequency: int, last: int) -> None:
    node = {**COSINE, "frequency": frequency}
    decision = decide(saved(node), asked(STEP), "keep")
    assert isinstance(decision, Continue)
    assert decision.timeline == Timeline(Fraction(last))
    assert decision.timeline.position(1000, 1000, frequency) == last


def test_keep_holds_the_only_step_of_a_run() -> None:
    decision = decide(saved(COSINE, Horizon(steps=1), updates=1), asked(STEP), "keep")
    assert isinstance(decision, Continue)
    assert decision.timeline == Timeline(Fraction(0))


@pytest.mark.parametrize("updates", range(1, 20))
@pytest.mark.parametrize("frequency", [1, 2, 3, 7])
@pytest.mark.parametrize("node", [COSINE, {**COSINE, "interval": "epoch"}])
def test_stretching_an_unchanged_run_is_the_identity(node: Any, frequency: int, updates: int) -> None:
    if node.get("interval") == "epoch" and frequency > 4:
        return
    node = {**node, "frequency": frequency}
    state = saved(node, updates=updates)
    decision = decide(state, asked(node, bases=(0.2,)), "stretch")
    assert isinstance(decision, Continue)
    assert decision.timeline.warp is not None
    ticks = state.ticks
    for now in range(updates + 1, 20):
        if node.get("interval") == "epoch" and now % 5:
            continue
        ticks += 1
        if ticks % frequency == 0:
            assert decision.timeline.position(ticks, now, frequency) == ticks // frequency


def test_stretch_may_be_done_again() -> None:
    state = saved(updates=4)
    first = decide(state, asked(horizon=LONGER), "stretch")
    assert isinstance(first, Continue)
    assert first.timeline.warp == Warp(Fraction(4), 4, Fraction(16), 36)
    later = replace(
        state, asked=asked(horizon=LONGER).to_data(), timeline=first.timeline, updates=13, epoch_updates=10, ticks=13, epochs=2
    )  # fmt: skip
    again = decide(later, asked(horizon=Horizon(epochs=10, steps_per_epoch=5)), "stretch")
    assert isinstance(again, Continue)
    assert again.timeline.warp == Warp(Fraction(8), 13, Fraction(12), 37)
    # continuous at the seam, and at its end with the run
    assert again.timeline.warp.at(13) == first.timeline.warp.at(13)  # type: ignore[union-attr]
    assert again.timeline.warp.at(50) == 20
    assert again.timeline.last == again.timeline.warp.at(49)


def test_stretch_across_intervals() -> None:
    """4 epochs by epoch, saved within the second one, then 8 epochs that are asked for by step."""
    node = {**COSINE, "interval": "epoch"}
    decision = decide(saved(node, updates=7), asked(horizon=LONGER), "stretch")
    assert isinstance(decision, Continue)
    assert decision.timeline.warp == Warp(Fraction(7, 5), 7, Fraction(4) - Fraction(7, 5), 33)
    # its last tick is where the last epoch of this run begins
    assert decision.timeline.last == decision.timeline.warp.at(35)


def test_stretch_of_an_epoch_that_has_another_length_now() -> None:
    decision = decide(saved(updates=7), asked(horizon=Horizon(epochs=4, steps_per_epoch=10)), "stretch")
    assert isinstance(decision, Continue)
    # three epochs of 10 remain, of which two updates of the first are made
    assert decision.timeline.warp == Warp(Fraction(7), 7, Fraction(13), 28)


def two_limits(epochs: int, steps: int, per_epoch: int, left: int | None = None) -> Asked:
    limits = Horizon(epochs=epochs, steps_per_epoch=per_epoch), Horizon(steps=steps, steps_per_epoch=per_epoch)
    first = min(limits, key=lambda limit: limit.total_steps or 0)
    return Asked(resolve(COSINE, first), (0.1,), limits, None if left is None else Epoch(1, left))


@pytest.mark.parametrize(
    ("request_", "updates", "over"),
    [
        (two_limits(6, 55, 10), 10, 40),  # 2 of 6 epochs are over
        (two_limits(6, 45, 10), 10, 35),
        (two_limits(6, 27, 3), 10, 12),
        (two_limits(6, 21, 3), 10, 11),
        (two_limits(6, 55, 10), 7, 48),  # within the second epoch: two updates are made, eight more with the epoch
        (two_limits(6, 55, 10, 6), 7, 46),  # its batches have six more
        (two_limits(6, 50, 10, 6), 7, 43),
    ],
)
def test_stretch_ends_at_the_first_limit_counted_from_the_checkpoint(request_: Asked, updates: int, over: int) -> None:
    decision = decide(saved(updates=updates), request_, "stretch")
    assert isinstance(decision, Continue)
    assert decision.timeline.warp == Warp(Fraction(updates), updates, Fraction(20 - updates), over)
    assert decision.timeline.last == decision.timeline.warp.at(updates + over - 1)


@pytest.mark.parametrize(("steps", "same"), [(21, True), (24, False)])
def test_another_limit_is_another_run_where_it_ends_it(steps: int, same: bool) -> None:
    """Both have 18 updates from the beginning; ten made in two epochs, the first ends at 21, the other at 22."""
    state = replace(saved(updates=10), asked=two_limits(6, 21, 3).to_data())
    assert isinstance(decide(state, two_limits(6, steps, 3), "restart"), Continue if same else Restart)


def test_a_checkpoint_that_says_one_limit_alone() -> None:
    state = saved()
    older = replace(state, asked={key: value for key, value in state.asked.items() if key != "limits"})
    assert decide(older, asked(), "restart") == replace(decide(state, asked(), "restart"), saved=older)
    assert decide(older, asked(horizon=LONGER), "restart") == Restart()


def test_nothing_left_to_stretch_holds() -> None:
    decision = decide(saved(updates=20), asked(horizon=LONGER), "stretch")
    assert isinstance(decision, Continue)
    assert decision.timeline == Timeline(Fraction(19))


def test_stretch_needs_an_end() -> None:
    endless = asked({"name": "exponential"}, None)
    decision = decide(saved(), endless, "stretch")
    assert isinstance(decision, Refuse)
    assert "whose length is not known" in str(decision.error)


# ---------------------------------------------------------------------------------------- several schedules


def test_other_schedules_than_before() -> None:
    states = {"0/lr": saved()}
    for policy in ("strict", "keep", "stretch"):
        with pytest.raises(
            SchedulerConfigError, match=r"has schedules for 0/lr, and this run for 0/lr, 0/weight_decay"
        ):
            decide_all(states, {"0/lr": asked(), "0/weight_decay": asked()}, policy)
    decisions = decide_all(states, {"0/lr": asked(), "0/weight_decay": asked()}, "restart")
    assert set(map(type, decisions.values())) == {Restart}


def test_the_schedule_that_is_refused_is_named() -> None:
    states = {"generator/lr": saved(), "critic/lr": saved()}
    with pytest.raises(SchedulerConfigError, match="critic/lr: the checkpoint was written with another schedule"):
        decide_all(states, {"generator/lr": asked(), "critic/lr": asked(STEP)}, "strict")


# ---------------------------------------------------------------------------------------- the state


def content() -> dict[str, Any]:
    warped = saved(timeline=Timeline(Fraction(19), Warp(Fraction(4), 4, Fraction(16), 40)))
    return seal({"epoch": 1, "requested": None, "schedules": {"0/lr": saved().to_data(), "1/lr": warped.to_data()}})


def test_the_state_is_plain_and_comes_back() -> None:
    state = json.loads(json.dumps(content()))
    assert state == content()
    back = read(unseal(state))
    assert back == {
        "0/lr": saved(),
        "1/lr": saved(timeline=Timeline(Fraction(19), Warp(Fraction(4), 4, Fraction(16), 40))),
    }


@pytest.mark.parametrize(
    "schedules",
    [None, [], {"0/lr": None}, {"0/lr": {}}, {"0/lr": {"asked": {}}}, {"0/lr": "x"}],
)
def test_schedules_that_cannot_be_read(schedules: Any) -> None:
    with pytest.raises(SchedulerConfigError, match=r"^checkpoint=2: the state of its schedules is damaged"):
        read({"version": 2, "schedules": schedules})
    with pytest.raises(SchedulerConfigError, match=r"^checkpoint=2: the state of its schedules is damaged"):
        read({"version": 2})


def test_the_order_of_the_keys_does_not_matter() -> None:
    state = content()
    assert read(unseal(dict(reversed(list(state.items()))))) == read(unseal(state))


def places(value: Any, path: tuple[Any, ...] = ()) -> Any:
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list):
        for i, one in enumerate(value):
            yield from places(one, (*path, i))


def test_every_mutation_is_refused() -> None:
    count = 0
    for path, new in itertools.product(
        list(places(content())), [None, -1, 0, 1, float("nan"), float("inf"), "x", [], {}, True, "delete"]
    ):
        state: Any = copy.deepcopy(content())
        if path:
            inner = state
            for key in path[:-1]:
                inner = inner[key]
            if new == "delete":
                del inner[path[-1]]
            elif type(inner[path[-1]]) is type(new) and inner[path[-1]] == new:
                continue
            else:
                inner[path[-1]] = new
        else:
            state = new
        with pytest.raises(SchedulerConfigError, match=r"^checkpoint="):
            unseal(state)
        count += 1
    assert count > 1000


def test_version_1_is_named() -> None:
    with pytest.raises(SchedulerConfigError, match=r"an older version of lr_configs wrote it.*resume=restart"):
        unseal({"version": 1, "ticked_epoch": 1, "schedules": {}})


def test_a_function_that_is_not_there_any_more() -> None:
    node = {"name": "lambda", "lr_lambda": lambda t: 0.5}
    decision = decide(saved(node), asked(), "keep")
    assert isinstance(decision, Refuse)
    assert isinstance(decide(saved(node), asked(), "restart"), Restart)
    assert isinstance(decide(saved(node), asked(node), "strict"), Continue)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (
            [],
            r"checkpoint='list': the state of its schedules is damaged\. Resume from another checkpoint, or with resume=restart",
        ),
        ("x", "checkpoint='str'"),
        ({"a": 1}, r"checkpoint=\{'a': 1\}"),
        ({"version": 1}, r"checkpoint=1: an older version of lr_configs wrote it"),
        ({"version": 1, "digest": "x"}, r"checkpoint=1: .* it does not fit its digest"),
        ({"version": 2}, r"checkpoint=2: .* it does not fit its digest"),
        ({**seal({"a": 1}), "a": 2}, "it does not fit its digest"),
        ({**seal({"a": 1}), "b": {1, 2}}, "it does not fit its digest"),
        (seal({"version": 3}), r"checkpoint=3: .* it does not fit its digest"),
    ],
)
def test_what_is_no_state(state: Any, words: str) -> None:
    with pytest.raises(SchedulerConfigError, match=words):
        unseal(state)


def test_what_can_be_read_of_a_damaged_state() -> None:
    state = {
        "schedules": {"0/lr": {"slot": 1}, "0/weight_decay": {"slot": None}, "1/lr": {}, "gan": 3, "1/": {"slot": 0}}
    }
    assert slots(state) == [1, None, 0]
    assert params(state, "0") == {"lr", "weight_decay"}
    assert params(state, "1") == {"lr"}
    for nothing in (None, [], {}, {"schedules": [1]}, {"schedules": None}):
        assert slots(nothing) == []
        assert params(nothing, "0") == set()


@pytest.mark.parametrize(
    ("horizon", "words"),
    [
        (None, "of unknown length"),
        (Horizon(steps=100), "100 updates"),
        (Horizon(steps=100, steps_per_epoch=30), "100 updates"),
        (Horizon(epochs=3), "3 epochs"),
        (Horizon(epochs=3, steps_per_epoch=5), "3 epochs x 5 updates"),
        (Horizon(steps_per_epoch=[1, 2, 3]), "3 epochs, 6 updates"),
    ],
)
def test_runs_as_plain_data_and_in_words(horizon: Horizon | None, words: str) -> None:
    data = horizon_data(horizon)
    assert read_horizon(json.loads(json.dumps(data))) == horizon
    assert run_text(data) == words
    assert size(data) == (None if horizon is None else (horizon.total_steps, horizon.total_epochs))


def test_decisions_are_values() -> None:
    assert decide(Foreign(), asked(), "restart") == Restart()
    assert decide(Foreign(3), asked(), "keep") == Place()
    assert Restart() != Place()
