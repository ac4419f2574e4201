"""Our schedulers beside torch's own: values, state, interface, and what torch's cannot do."""

from __future__ import annotations

import copy
import gc
import io
import math
import pickle
import random
import warnings
import weakref
from typing import Any

import pytest
import torch
from helpers import CURVED, TORCH_NAMES, TWINS, T, close, optimizer, rates

import lr_configs.schedulers as ours
from lr_configs import SchedulerConfigError, build

DROP_IN = {
    "LambdaLR": lambda m, o: m.LambdaLR(o, lambda t: 0.95**t),
    "MultiplicativeLR": lambda m, o: m.MultiplicativeLR(o, lambda t: 0.95),
    "StepLR": lambda m, o: m.StepLR(o, 3, 0.5),
    "MultiStepLR": lambda m, o: m.MultiStepLR(o, [3, 3, 7], 0.5),
    "ConstantLR": lambda m, o: m.ConstantLR(o, 0.5, 4),
    "LinearLR": lambda m, o: m.LinearLR(o, 0.25, 1.0, 6),
    "ExponentialLR": lambda m, o: m.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda m, o: m.PolynomialLR(o, 20, 2.0),
    "CosineAnnealingLR": lambda m, o: m.CosineAnnealingLR(o, 8, 0.001),
    "CosineAnnealingWarmRestarts": lambda m, o: m.CosineAnnealingWarmRestarts(o, 4, 2, 0.001),
    "CyclicLR": lambda m, o: m.CyclicLR(o, 0.01, 0.1, 3, 5, mode="triangular2"),
    "CyclicLR-exp_range": lambda m, o: m.CyclicLR(o, 0.01, 0.1, 3, mode="exp_range", gamma=0.9),
    "OneCycleLR": lambda m, o: m.OneCycleLR(o, 0.1, 30),
    "OneCycleLR-three": lambda m, o: m.OneCycleLR(
        o, [0.1] * len(o.param_groups), 30, three_phase=True, anneal_strategy="linear"
    ),
    "SequentialLR": lambda m, o: m.SequentialLR(o, [m.ConstantLR(o, 0.1, 2), m.ExponentialLR(o, 0.9)], [2]),
    "ChainedScheduler": lambda m, o: m.ChainedScheduler([m.ConstantLR(o, 0.1, 20), m.ExponentialLR(o, 0.9)]),
    "ReduceLROnPlateau": lambda m, o: m.ReduceLROnPlateau(o, patience=2),
}
STEPPED = [name for name in DROP_IN if name != "ReduceLROnPlateau"]


def advance(opt: Any, schedule: Any, n: int = 1) -> None:
    for i in range(n):
        opt.step()
        schedule.step(1.0 + i) if isinstance(schedule, T.ReduceLROnPlateau) else schedule.step()


@pytest.mark.parametrize("groups", [1, 2, 100])
@pytest.mark.parametrize("name", TWINS)
def test_equals_torch_over_500_steps(name: str, groups: int) -> None:
    params, twin = TWINS[name]
    mine, theirs = optimizer(groups), optimizer(groups)
    schedule, reference = build({"name": name, **params}, mine), twin(theirs)
    for step in range(500):  # torch's one-cycle climbs again, or turns negative, one step past its end
        assert close(rates(mine), rates(theirs)), step
        assert [g["momentum"] for g in mine.param_groups] == pytest.approx([g["momentum"] for g in theirs.param_groups])
        if step < 499:
            advance(mine, schedule)
            advance(theirs, reference)


@pytest.mark.parametrize("name", TORCH_NAMES)
def test_is_an_instance_of_the_torch_class_of_that_name(name: str) -> None:
    assert isinstance(build({"name": name, **TWINS[name][0]}, optimizer()), TORCH_NAMES[name])


@pytest.mark.parametrize("name", STEPPED)
@pytest.mark.parametrize("dtype", [None, torch.float64])
def test_drop_in_equals_torch(name: str, dtype: Any) -> None:
    mine, theirs = optimizer(2, tensor=dtype), optimizer(2, tensor=dtype)
    schedule, reference = DROP_IN[name](ours, mine), DROP_IN[name](T, theirs)
    for step in range(30):
        assert close(rates(mine), rates(theirs), 1e-11), step
        assert [float(x) for x in schedule.get_last_lr()] == pytest.approx([float(x) for x in reference.get_last_lr()])
        assert type(schedule.get_last_lr()[0]) is type(reference.get_last_lr()[0])
        advance(mine, schedule)
        advance(theirs, reference)


@pytest.mark.parametrize("name", DROP_IN)
def test_state_has_torchs_keys(name: str) -> None:
    mine, theirs = optimizer(2), optimizer(2)
    schedule, reference = DROP_IN[name](ours, mine), DROP_IN[name](T, theirs)
    advance(mine, schedule, 3)
    advance(theirs, reference, 3)
    assert set(schedule.state_dict()) == set(reference.state_dict())


@pytest.mark.parametrize("name", DROP_IN)
@pytest.mark.parametrize("direction", ["torch to ours", "ours to torch", "ours to ours"])
def test_checkpoints_load_in_both_directions(name: str, direction: str) -> None:
    source, target = {"torch to ours": (T, ours), "ours to torch": (ours, T), "ours to ours": (ours, ours)}[direction]
    first = optimizer(2)
    before = DROP_IN[name](source, first)
    advance(first, before, 5)
    buffer = io.BytesIO()
    torch.save({"optimizer": first.state_dict(), "schedule": before.state_dict()}, buffer)
    buffer.seek(0)
    saved = torch.load(buffer, weights_only=True)

    second = optimizer(2)
    after = DROP_IN[name](target, second)
    second.load_state_dict(saved["optimizer"])
    after.load_state_dict(saved["schedule"])
    for _ in range(20):
        assert close(rates(first), rates(second), 1e-11)
        advance(first, before)
        advance(second, after)


@pytest.mark.parametrize("name", STEPPED)
@pytest.mark.parametrize("optimizer_first", [True, False])
def test_the_order_of_loading_does_not_matter(name: str, optimizer_first: bool) -> None:
    first = optimizer(2)
    before = DROP_IN[name](ours, first)
    advance(first, before, 4)
    first.param_groups[1]["lr"] *= 0.5
    saved = copy.deepcopy((first.state_dict(), before.state_dict()))
    second = optimizer(2)
    after = DROP_IN[name](ours, second)
    if optimizer_first:
        second.load_state_dict(saved[0])
        after.load_state_dict(saved[1])
    else:
        after.load_state_dict(saved[1])
        second.load_state_dict(saved[0])
    for _ in range(12):
        assert rates(first) == rates(second)
        advance(first, before)
        advance(second, after)


@pytest.mark.parametrize("name", STEPPED)
def test_loading_the_schedule_alone_restores_the_rate(name: str) -> None:
    first, second = optimizer(2), optimizer(2)
    before, after = DROP_IN[name](ours, first), DROP_IN[name](ours, second)
    advance(first, before, 5)
    after.load_state_dict(before.state_dict())
    assert rates(first) == rates(second)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("CosineAnnealingLR", "StepLR"),
        ("StepLR", "CosineAnnealingLR"),
        ("StepLR", "ExponentialLR"),
        ("ReduceLROnPlateau", "StepLR"),
    ],
)
def test_the_state_of_another_class_is_refused(source: str, target: str) -> None:
    a, b = optimizer(), optimizer()
    with pytest.raises(ValueError, match=f"not the state of an? {target}"):
        DROP_IN[target](ours, b).load_state_dict(DROP_IN[source](ours, a).state_dict())


def test_damaged_state_is_refused() -> None:
    schedule = ours.StepLR(optimizer(), 3)
    with pytest.raises(ValueError, match="last_epoch='x'"):
        schedule.load_state_dict({**schedule.state_dict(), "last_epoch": "x"})
    with pytest.raises(ValueError, match="is a dict"):
        schedule.load_state_dict(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [n for n in STEPPED if n not in ("SequentialLR", "ChainedScheduler")])
def test_a_given_epoch_uses_the_closed_form(name: str) -> None:
    mine, theirs = optimizer(2), optimizer(2)
    schedule, reference = DROP_IN[name](ours, mine), DROP_IN[name](T, theirs)
    for _ in range(7):
        advance(theirs, reference)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        schedule.step(7)
    assert close(rates(mine), rates(theirs))
    deprecated = any("epoch parameter in `scheduler.step()`" in str(w.message) for w in caught)
    assert deprecated == (name != "CosineAnnealingWarmRestarts")


@pytest.mark.parametrize("name", ["ConstantLR", "LinearLR", "PolynomialLR"])
def test_a_length_of_0_is_as_in_torch(name: str) -> None:
    theirs, mine = optimizer(2), optimizer(2)
    pair = [(theirs, getattr(T, name)(theirs, total_iters=0)), (mine, getattr(ours, name)(mine, total_iters=0))]
    for _ in range(4):
        assert rates(mine) == rates(theirs)
        for opt, scheduler in pair:
            opt.step()
            scheduler.step()


def test_warm_restarts_take_a_fraction_of_an_epoch() -> None:
    mine, theirs = optimizer(), optimizer()
    schedule, reference = (m.CosineAnnealingWarmRestarts(o, 4, 2) for m, o in ((ours, mine), (T, theirs)))
    for epoch in (0.25, 3.5, 4.75, 11.5, 30.25):
        schedule.step(epoch)
        reference.step(epoch)
        assert close(rates(mine), rates(theirs))
        assert (schedule.T_cur, schedule.T_i, schedule.last_epoch) == (
            reference.T_cur,
            reference.T_i,
            reference.last_epoch,
        )
    schedule.step()
    reference.step()
    assert close(rates(mine), rates(theirs))
    again = optimizer()
    loaded = ours.CosineAnnealingWarmRestarts(again, 4, 2)
    loaded.load_state_dict(schedule.state_dict())
    assert rates(again) == rates(mine)


def test_warm_restarts_are_right_where_torchs_logarithm_is_not() -> None:
    stepped, jumped = optimizer(), optimizer()
    walk, jump = ours.CosineAnnealingWarmRestarts(stepped, 1, 3), ours.CosineAnnealingWarmRestarts(jumped, 1, 3)
    for t in range(1, 400):
        walk.step()
        jump.jump(t)
        assert rates(stepped) == rates(jumped), t
        assert walk.T_cur < walk.T_i


@pytest.mark.parametrize("name", ["StepLR", "CosineAnnealingLR", "LambdaLR", "CyclicLR", "OneCycleLR"])
def test_the_order_of_calls_is_watched_as_by_torch(name: str) -> None:
    opt = optimizer()
    schedule = DROP_IN[name](ours, opt)
    with pytest.warns(UserWarning, match=r"Detected call of `lr_scheduler.step\(\)` before `optimizer.step\(\)`"):
        schedule.step()
    opt = optimizer()
    schedule = DROP_IN[name](ours, opt)
    opt.step = lambda: None
    with pytest.warns(UserWarning, match="has been overridden after learning rate scheduler"):
        schedule.step()


def test_get_lr_warns_outside_of_step() -> None:
    schedule = ours.StepLR(optimizer(), 3)
    with pytest.warns(UserWarning, match="use `get_last_lr"):
        assert schedule.get_lr() == [0.1]


@pytest.mark.parametrize("name", ["StepLR", "CosineAnnealingLR", "LinearLR", "ExponentialLR", "MultiStepLR"])
@pytest.mark.parametrize("edit", [1.0, 0.7])
def test_starting_at_a_later_epoch(name: str, edit: float) -> None:
    first = optimizer(2)
    before = DROP_IN[name](ours, first)
    advance(first, before, 5)
    second = optimizer(2)
    first.param_groups[1]["lr"] *= edit
    with pytest.raises(KeyError, match="initial_lr"):
        type(before)(second, *_arguments(name), last_epoch=4)
    second.load_state_dict(first.state_dict())
    after = type(before)(second, *_arguments(name), last_epoch=4)
    assert after.last_epoch == 5
    for _ in range(10):
        assert close(rates(first), rates(second))
        advance(first, before)
        advance(second, after)


@pytest.mark.parametrize("name", ["StepLR", "ExponentialLR", "MultiStepLR"])
def test_an_edit_in_front_of_a_later_epoch_is_kept_as_torch_keeps_it(name: str) -> None:
    pair = []
    for module in (ours, T):
        opt = optimizer(2)
        for group, rate in zip(opt.param_groups, (0.07, 0.011), strict=True):
            group.update(initial_lr=group["lr"], lr=rate)
        pair.append((opt, getattr(module, name)(opt, *_arguments(name), last_epoch=4)))
    for _ in range(10):
        (mine, _), (theirs, _) = pair
        assert rates(mine) == pytest.approx(rates(theirs), rel=1e-12)
        for one in pair:
            advance(*one)


@pytest.mark.parametrize("first", [0, 1])
def test_a_small_rate_beside_a_large_one_keeps_an_edit_that_torch_has_seen(first: int) -> None:
    """What is drift is measured by the group's own base."""
    bases, edits = [0.1, 1.6][:: 1 - 2 * first], [0.5, 1.0][:: 1 - 2 * first]

    def pair(module: Any) -> tuple[Any, Any]:
        opt = torch.optim.SGD([{"params": [torch.zeros(1, requires_grad=True)], "lr": base} for base in bases])
        return opt, module.ExponentialLR(opt, 0.5)

    (mine, before), (theirs, between), (again, after) = pair(ours), pair(T), pair(ours)
    advance(mine, before, 13)
    theirs.load_state_dict(mine.state_dict())
    between.load_state_dict(before.state_dict())
    advance(theirs, between, 3)
    for group, edit in zip(theirs.param_groups, edits, strict=True):
        group["lr"] *= edit
    after.load_state_dict({**between.state_dict(), "_last_lr": rates(theirs)})
    again.load_state_dict(theirs.state_dict())
    advance(again, after)
    assert rates(again) == pytest.approx([base * edit * 0.5**17 for base, edit in zip(bases, edits, strict=True)])


def _arguments(name: str) -> tuple[Any, ...]:
    return {
        "StepLR": (3, 0.5),
        "CosineAnnealingLR": (8, 0.001),
        "LinearLR": (0.25, 1.0, 6),
        "ExponentialLR": (0.9,),
        "MultiStepLR": ([3, 3, 7], 0.5),
    }[name]


@pytest.mark.parametrize("name", [n for n in STEPPED if n not in ("LambdaLR", "MultiplicativeLR")])
def test_pickle_and_deepcopy(name: str) -> None:
    opt = optimizer(2)
    schedule = DROP_IN[name](ours, opt)
    advance(opt, schedule, 4)
    opt.param_groups[0]["lr"] /= 2
    copies = [copy.deepcopy(schedule), pickle.loads(pickle.dumps(schedule))]
    advance(opt, schedule, 3)
    for other in copies:
        assert other.optimizer is not opt
        for _ in range(3):
            other.optimizer._opt_called = True
            other.step()
        assert rates(other.optimizer) == rates(opt)


@pytest.mark.parametrize("name", CURVED)
def test_configured_schedules_pickle(name: str) -> None:
    opt = optimizer(2)
    schedule = build({"name": name, **TWINS[name][0], "warmup": 5}, opt)
    advance(opt, schedule, 3)
    other = pickle.loads(pickle.dumps(schedule))
    advance(opt, schedule, 7)
    for _ in range(7):
        other.optimizer._opt_called = True
        other.step()
    assert rates(other.optimizer) == rates(opt)


@pytest.mark.parametrize("name", STEPPED)
@pytest.mark.parametrize("dtype", [None, torch.float32])
def test_no_reference_cycles(name: str, dtype: Any) -> None:
    gc.collect()
    gc.disable()
    try:
        opt = optimizer(2, tensor=dtype)
        schedule = DROP_IN[name](ours, opt)
        advance(opt, schedule, 5)
        schedule.state_dict()
        gone = weakref.ref(schedule)
        del schedule
        assert gone() is None
    finally:
        gc.enable()


def test_several_schedulers_on_one_optimizer_multiply_as_with_torch() -> None:
    mine, theirs = optimizer(2), optimizer(2)
    ones, others = (
        [m.ConstantLR(o, 0.1, 10), m.ExponentialLR(o, 0.9), m.StepLR(o, 7, 0.5)] for m, o in ((ours, mine), (T, theirs))
    )
    for _ in range(40):
        assert close(rates(mine), rates(theirs), 1e-11)
        mine.step()
        theirs.step()
        for schedule in (*ones, *others):
            schedule.step()


def test_ours_beside_torchs_on_one_optimizer() -> None:
    mine, theirs = optimizer(), optimizer()
    pairs = (
        [ours.CosineAnnealingLR(mine, 50), T.StepLR(mine, 7, 0.5)],
        [T.CosineAnnealingLR(theirs, 50), T.StepLR(theirs, 7, 0.5)],
    )
    for _ in range(45):
        assert close(rates(mine), rates(theirs), 1e-11)
        mine.step()
        theirs.step()
        for schedule in (*pairs[0], *pairs[1]):
            schedule.step()


def test_a_users_subclass_keeps_its_own_rule() -> None:
    class Doubling(ours.StepLR):
        def get_lr(self) -> list[float]:
            return [base * 2**self.last_epoch for base in self.base_lrs]

    opt = optimizer()
    schedule = Doubling(opt, 3)
    advance(opt, schedule, 3)
    assert rates(opt) == [0.8]


def test_parameters_changed_on_the_object_take_effect() -> None:
    opt = optimizer()
    schedule = ours.CosineAnnealingLR(opt, 100)
    advance(opt, schedule, 10)
    schedule.T_max = 20
    advance(opt, schedule, 10)
    assert rates(opt)[0] == pytest.approx(0.0, abs=1e-15)


# ---------------------------------------------------------------------------------------- what torch cannot do


@pytest.mark.parametrize("name", CURVED)
@pytest.mark.parametrize("warm", [0, 7])
def test_jumping_equals_stepping(name: str, warm: int) -> None:
    stepped, jumped = optimizer(3), optimizer(3)
    params = {"name": name, **TWINS[name][0], "warmup": warm}
    walk, jump = build(params, stepped), build(params, jumped)
    for t in range(1, 60):
        advance(stepped, walk)
        if t % 13 == 0:
            jump.jump(t)
            assert rates(stepped) == rates(jumped)
            assert [g["momentum"] for g in stepped.param_groups] == [g["momentum"] for g in jumped.param_groups]
    jump.jump(13)
    back = optimizer(3)
    again = build(params, back)
    advance(back, again, 13)
    assert rates(jumped) == rates(back)


@pytest.mark.parametrize("name", CURVED)
@pytest.mark.parametrize("dtype", [None, torch.float64])
def test_the_curve_of_a_late_group_passes_through_the_rate_it_brings(name: str, dtype: Any) -> None:
    """A group that arrives with the rate that the first one has then goes on like the first one."""
    opt = optimizer(1, tensor=dtype)
    schedule = build({"name": name, **TWINS[name][0]}, opt)
    advance(opt, schedule, 30)
    late: Any = rates(opt)[0] if dtype is None else torch.tensor(rates(opt)[0], dtype=dtype)
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": late})
    for _ in range(30):
        assert rates(opt)[1] == pytest.approx(rates(opt)[0], rel=1e-12)
        advance(opt, schedule)
    saved = schedule.state_dict()
    schedule.load_state_dict(saved)
    assert len(schedule.get_last_lr()) == 2


@pytest.mark.parametrize("name", ["StepLR", "ExponentialLR", "LinearLR", "PolynomialLR", "CosineAnnealingLR"])
def test_a_late_group_goes_on_as_under_torchs_recurrence(name: str) -> None:
    mine, theirs = optimizer(1), optimizer(1)
    schedule, reference = DROP_IN[name](ours, mine), DROP_IN[name](T, theirs)
    for step in range(7):
        if step == 2:
            for opt in (mine, theirs):
                group = {"params": [torch.zeros(1, requires_grad=True)], "lr": 0.02, "initial_lr": 0.02}
                if opt is mine:
                    del group["initial_lr"]
                opt.add_param_group(group)
            reference.base_lrs.append(0.02)
        assert close(rates(mine), rates(theirs), 1e-11), step
        advance(mine, schedule)
        advance(theirs, reference)


def test_a_late_group_with_an_initial_rate_has_it_as_its_base() -> None:
    opt = optimizer()
    schedule = ours.ExponentialLR(opt, 0.5)
    advance(opt, schedule, 2)
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.3, "initial_lr": 0.8})
    assert rates(opt)[1] == 0.3
    advance(opt, schedule)
    assert rates(opt)[1] == pytest.approx(0.1)


def test_where_the_curve_is_zero_a_late_group_has_its_rate_as_its_base() -> None:
    opt = optimizer()
    schedule = build({"name": "cosine", "T_max": 4}, opt)
    schedule.jump(4)
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.2})
    schedule.jump(8)
    assert rates(opt) == pytest.approx([0.1, 0.2])


@pytest.mark.parametrize("name", CURVED)
@pytest.mark.parametrize("warm", [0, 40])
@pytest.mark.parametrize("dtype", [None, torch.float64, torch.float32])
def test_a_hand_edit_scales_the_rest_also_after_save_and_load(name: str, warm: int, dtype: Any) -> None:
    tolerance = 1e-6 if dtype is torch.float32 else 1e-12
    params = {"name": name, **TWINS[name][0], "warmup": warm}
    edited, plain = optimizer(2, tensor=dtype), optimizer(2, tensor=dtype)
    schedule, reference = build(params, edited), build(params, plain)
    for step in range(80):
        if step == 23:
            edited.param_groups[0]["lr"] /= 2
        if step == 50:
            other = optimizer(2, tensor=dtype)
            saved = copy.deepcopy((edited.state_dict(), schedule.state_dict()))
            schedule = build(params, other)
            other.load_state_dict(saved[0])
            schedule.load_state_dict(saved[1])
            edited = other
        factor = 0.5 if step >= 23 else 1.0
        assert rates(edited)[0] == pytest.approx(factor * rates(plain)[0], rel=tolerance), step
        assert rates(edited)[1] == pytest.approx(rates(plain)[1], rel=tolerance), step
        advance(edited, schedule)
        advance(plain, reference)


def test_a_hand_edit_survives_steps_that_change_nothing() -> None:
    opt = optimizer()
    schedule = ours.StepLR(opt, 10, 0.5)
    advance(opt, schedule, 3)
    opt.param_groups[0]["lr"] = 0.04
    advance(opt, schedule, 2)
    assert schedule.get_last_lr() == [0.04]
    assert rates(opt) == [0.04]
    advance(opt, schedule, 5)
    assert rates(opt) == [0.02]


@pytest.mark.parametrize("verbose", [False, True])
def test_a_hand_edit_at_the_end_of_a_schedule_stays(verbose: bool) -> None:
    opt = optimizer()
    schedule = build({"name": "polynomial", "total_iters": 3, "verbose": verbose}, opt)
    advance(opt, schedule, 5)
    assert rates(opt) == [0.0]
    opt.param_groups[0]["lr"] = 0.01
    advance(opt, schedule, 5)
    assert rates(opt) == [0.01]


@pytest.mark.parametrize("shape", [(), (1,)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_tensor_rates_are_updated_in_place(shape: tuple[int, ...], dtype: Any) -> None:
    tensor = torch.full(shape, 0.1, dtype=dtype)
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=tensor)
    schedule = ours.CosineAnnealingLR(opt, 10)
    base = float(tensor)
    for t in range(1, 10):
        advance(opt, schedule)
        assert opt.param_groups[0]["lr"] is tensor
        assert tensor.dtype == dtype
        assert tensor.shape == shape
        expected = torch.tensor(base * (1 + math.cos(math.pi * t / 10)) / 2, dtype=dtype)
        assert float(tensor) == pytest.approx(float(expected), rel=torch.finfo(dtype).eps, abs=1e-9)
        assert schedule.get_last_lr()[0] is not tensor


@pytest.mark.parametrize("name", ["StepLR", "ExponentialLR", "CosineAnnealingLR", "ReduceLROnPlateau"])
def test_groups_that_share_one_tensor_are_moved_once(name: str) -> None:
    shared = torch.tensor(0.1, dtype=torch.float64)
    opt = torch.optim.SGD([{"params": [torch.zeros(1, requires_grad=True)]} for _ in range(3)], lr=shared)
    alone = optimizer()
    schedule, reference = DROP_IN[name](ours, opt), DROP_IN[name](ours, alone)
    for _ in range(8):
        advance(opt, schedule)
        advance(alone, reference)
        assert float(shared) == pytest.approx(rates(alone)[0], rel=1e-14)


def test_a_tensor_bound_of_cyclic_is_not_aliased() -> None:
    mine, plain = optimizer(), optimizer()
    peak = torch.tensor(0.1, dtype=torch.float64)
    schedule = ours.CyclicLR(mine, torch.tensor(0.01), peak, 5)  # type: ignore[arg-type]
    reference = ours.CyclicLR(plain, 0.01, 0.1, 5)
    assert [type(one) for one in (*schedule.max_lrs, *schedule.base_lrs)] == [float, float]
    peak.fill_(7.0)
    for _ in range(12):
        advance(mine, schedule)
        advance(plain, reference)
        assert close(rates(mine), rates(plain), 1e-7)


def test_float32_tensor_rates_do_not_drift() -> None:
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=torch.tensor(0.1))
    gamma = 0.01 ** (1 / 100_000)
    schedule = ours.ExponentialLR(opt, gamma)
    opt._opt_called = True
    for _ in range(100_000):
        schedule.step()
    assert rates(opt)[0] == pytest.approx(0.001, rel=1e-7)


def test_a_compiled_step_is_not_compiled_again() -> None:
    from torch._dynamo.testing import CompileCounter

    counter = CompileCounter()
    opt = torch.optim.SGD([torch.ones(2, requires_grad=True) for _ in range(2)], lr=torch.tensor(0.1), foreach=True)
    schedule = ours.CosineAnnealingLR(opt, 30)
    opt._opt_called = True
    step = torch.compile(opt.step, backend=counter)
    for group in opt.param_groups:
        for p in group["params"]:
            p.grad = torch.ones_like(p)
    for _ in range(20):
        step()
        schedule.step()
    assert counter.frame_count == 1


def test_the_order_of_calls_is_not_watched_where_the_step_cannot_be() -> None:
    """A compiled step is a function, which torch's mark would not survive."""
    opt = optimizer()
    plain = opt.step

    def compiled(closure: Any = None) -> None:
        plain(closure)

    opt.step = compiled
    schedule: Any = build({"name": "exponential", "gamma": 0.5}, opt)
    assert opt.step is compiled
    for _ in range(2):
        opt.step()
        schedule.step()
    assert rates(opt) == [0.025]


def test_replaced_group_dictionaries_are_followed() -> None:
    opt, plain = optimizer(2), optimizer(2)
    schedule, reference = ours.CosineAnnealingLR(opt, 50), ours.CosineAnnealingLR(plain, 50)
    advance(opt, schedule, 5)
    advance(plain, reference, 5)
    opt.load_state_dict(opt.state_dict())
    advance(opt, schedule, 5)
    advance(plain, reference, 5)
    assert rates(opt) == rates(plain)


def test_per_group_values() -> None:
    opt = optimizer(2)
    opt.param_groups[1]["name"] = "head"
    schedule = build({"name": "cosine", "T_max": 10, "eta_min": [0.01, 0.02]}, opt)
    schedule.jump(10)
    assert rates(opt) == [0.01, 0.02]
    opt = optimizer(2)
    opt.param_groups[1]["name"] = "head"
    schedule = build({"name": "cosine_warm_restarts", "T_0": 10, "eta_min": {"head": 0.02}}, opt)
    schedule.jump(5)
    assert rates(opt) == pytest.approx([0.05, 0.035])
    opt = optimizer(2)
    schedule = build({"name": "cyclic", "base_lr": [0.01, 0.02], "max_lr": [0.1, 0.2], "step_size_up": 5}, opt)
    schedule.jump(5)
    assert rates(opt) == [0.1, 0.2]
    opt = optimizer(2)
    schedule = build({"name": "one_cycle", "total_steps": 100}, opt)
    schedule.jump(29)
    assert rates(opt) == pytest.approx([0.1, 0.05])
    opt = optimizer(2)
    schedule = build({"name": "lambda", "lr_lambda": ["0.5 ** t", "0.1 ** t"]}, opt)
    schedule.jump(1)
    assert rates(opt) == pytest.approx([0.05, 0.005])


def test_a_function_that_does_not_say_what_it_takes() -> None:
    opt = optimizer(1)
    schedule = build({"name": "lambda", "lr_lambda": math.hypot}, opt)
    schedule.jump(3)
    assert rates(opt) == pytest.approx([0.3])


@pytest.mark.parametrize("name", sorted(TWINS.keys() - {"cyclic", "one_cycle"}))
@pytest.mark.parametrize("tensor", [None, torch.float64])
def test_the_groups_keep_what_they_began_with(name: str, tensor: Any) -> None:
    opt = optimizer(2, tensor=tensor)
    schedule: Any = build({"name": name, **TWINS[name][0]}, opt)
    if name != "reduce_on_plateau":
        schedule.jump(3)
    elif tensor is not None:
        opt.param_groups[0]["lr"].fill_(7)
    assert [float(group["initial_lr"]) for group in opt.param_groups] == [0.1, 0.05]


@pytest.mark.parametrize("module", [ours, T])
def test_a_base_rate_that_somebody_writes_counts_from_the_next_step(module: Any) -> None:
    opt = optimizer(2)
    schedule = module.LambdaLR(opt, lambda t: 0.5**t)
    advance(opt, schedule, 2)
    schedule.base_lrs[1] = 0.8
    assert rates(opt) == pytest.approx([0.025, 0.0125])
    advance(opt, schedule)
    assert rates(opt) == pytest.approx([0.0125, 0.1])


@pytest.mark.parametrize("name", ["lambda", "multiplicative"])
def test_a_late_group_has_the_last_function(name: str) -> None:
    opt = optimizer(3)
    schedule: Any = build(
        {"name": name, "lr_lambda": ["0.5 ** (t / 3)", "0.3 ** (t / 3)", "0.9 ** (t / 3)"], "interval": "step"}, opt
    )
    advance(opt, schedule, 1)
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 7 * rates(opt)[2]})
    for _ in range(4):
        advance(opt, schedule)
        assert rates(opt)[3] == pytest.approx(7 * rates(opt)[2])


def test_a_late_group_cycles_with_the_momentum_of_the_first() -> None:
    opt = optimizer(2)
    momenta = {"base_momentum": [0.5, 0.6], "max_momentum": [0.8, 0.9]}
    schedule = build(
        {"name": "cyclic", "base_lr": 0.01, "max_lr": 0.1, "step_size_up": 4, "interval": "step", **momenta}, opt
    )
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.3})
    for t in range(1, 9):
        opt.step()
        schedule.step()
        first, second, late = (group["momentum"] for group in opt.param_groups)
        assert first == late != second
        up = 1 - abs(t - 4) / 4
        assert (first, second) == pytest.approx((0.8 - 0.3 * up, 0.9 - 0.3 * up))


@pytest.mark.parametrize("step", [0, 1, 4])
def test_what_goes_on_by_hand_needs_the_first_rates(step: int) -> None:
    """At step 0, too: what the groups hold is not taken for them."""
    node = {"name": "exponential", "gamma": 0.5, "last_epoch": step}
    with pytest.raises(
        SchedulerConfigError, match=f"last_epoch={step}: resuming by hand needs the optimizer's own state"
    ):
        build(node, optimizer())
    opt = optimizer()
    opt.param_groups[0].update(initial_lr=0.4, lr=0.4 * 0.5**step)
    assert build(node, opt).get_last_lr() == pytest.approx([0.4 * 0.5 ** (step + 1)])


def test_a_cycle_without_a_length_is_refused() -> None:
    with pytest.raises(SchedulerConfigError, match="total_steps=None: the cycle needs its length"):
        build({"name": "one_cycle", "total_steps": None}, optimizer())


def test_one_cycle_goes_on_by_hand_from_groups_that_have_its_rates() -> None:
    for module in (T, ours):
        with pytest.raises(KeyError, match="initial_lr"):
            module.OneCycleLR(optimizer(), 0.1, 50, last_epoch=5)
        with pytest.raises(KeyError, match="max_lr"):
            opt = optimizer()
            opt.param_groups[0]["initial_lr"] = 0.1
            module.OneCycleLR(opt, 0.1, 50, last_epoch=5)


def test_plateau_with_warmup() -> None:
    opt = optimizer()
    schedule: Any = build(
        {"name": "reduce_on_plateau", "monitor": "x", "patience": 0, "warmup": 4, "warmup_start_factor": 0.2}, opt
    )
    seen = []
    for _ in range(8):
        seen.append(rates(opt)[0])
        opt.step()
        schedule.step(1.0)
    # four warmup steps, one value at step 4 that becomes the best, then a reduction per value
    assert seen == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1, 0.01, 0.001, 0.0001])


# ---------------------------------------------------------------------------------------- random interleavings


class Reference:
    """A slow schedule: its own record of what each group's rate is, from the formula as the notes write it."""

    def __init__(self, factor: Any, bases: list[float]) -> None:
        self.factor, self.t = factor, 0
        self.bases, self.scales = list(bases), [1.0] * len(bases)
        self.arrived: dict[int, int] = {}

    def rates(self) -> list[float]:
        return [
            base * scale * self.factor(self.t)
            for i, (base, scale) in enumerate(zip(self.bases, self.scales, strict=True))
        ]


FACTORS = {
    "exponential": ({"gamma": 0.93}, lambda t: 0.93**t),
    "step": ({"step_size": 4, "gamma": 0.7}, lambda t: 0.7 ** (t // 4)),
    "linear": ({"start_factor": 0.2, "total_iters": 9}, lambda t: 0.2 + 0.8 * min(t, 9) / 9),
    "lambda": ({"lr_lambda": "1 / (1 + t)"}, lambda t: 1 / (1 + t)),
    "multi_step": ({"milestones": [3, 8], "gamma": 0.5}, lambda t: 0.5 ** ((t >= 3) + (t >= 8))),
    "chained": (
        {"stages": [{"name": "exponential", "gamma": 0.9}, {"name": "step", "step_size": 5, "gamma": 0.5}]},
        lambda t: 0.9**t * 0.5 ** (t // 5),
    ),
    "sequential": (
        {
            "stages": [
                {"name": "exponential", "gamma": 0.9, "length": 6},
                {"name": "step", "step_size": 5, "gamma": 0.5},
            ]
        },
        lambda t: 0.9**t if t < 6 else 0.5 ** ((t - 6) // 5),
    ),
}


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("name", FACTORS)
def test_random_interleavings(name: str, seed: int) -> None:
    rng = random.Random(f"{name}{seed}")
    params, factor = FACTORS[name]
    dtype = rng.choice([None, torch.float64])

    def fresh(groups: int) -> tuple[Any, Any]:
        opt = optimizer(groups, tensor=dtype)
        return opt, build({"name": name, **params}, opt)

    groups = rng.randint(1, 3)
    opt, schedule = fresh(groups)
    reference = Reference(factor, [0.1 / (i + 1) for i in range(groups)])
    for _ in range(60):
        action = rng.choice(["step"] * 6 + ["edit", "edit", "add", "save", "jump", "swap"])
        if action == "step":
            advance(opt, schedule)
            reference.t += 1
        elif action == "jump":
            reference.t = rng.randint(0, 20)
            schedule.jump(reference.t)
            reference.arrived.clear()
        elif action == "edit":
            i = rng.randrange(len(opt.param_groups))
            if reference.arrived.get(i) == reference.t:
                continue  # an edit on arrival would be the base rate
            ratio = rng.choice([0.5, 2.0, 0.1])
            opt.param_groups[i]["lr"] *= ratio
            reference.scales[i] *= ratio
        elif action == "add" and len(opt.param_groups) < 6:
            rate = rng.choice([0.3, 0.01])
            lr: Any = rate if dtype is None else torch.tensor(rate, dtype=dtype)
            opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": lr})
            # Its curve is the one that passes through the rate it brings.
            present = factor(reference.t)
            reference.bases.append(rate / present if present else rate)
            reference.scales.append(1.0)
            reference.arrived[len(reference.bases) - 1] = reference.t
        elif action == "save":
            saved = copy.deepcopy((opt.state_dict(), schedule.state_dict()))
            opt, schedule = fresh(len(opt.param_groups))
            for part in rng.sample([0, 1], 2):
                (opt, schedule)[part].load_state_dict(saved[part])
        elif action == "swap":
            opt.load_state_dict(opt.state_dict())
        assert close(rates(opt), reference.rates(), 1e-11), action
