"""How rates are written: what a step looks at, what it sees of others' writes, and tensors of every kind."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from helpers import T, optimizer, rates

import lr_configs.schedulers as ours
from lr_configs import Horizon, build
from lr_configs.layout import Layout
from lr_configs.slots import Slot
from lr_configs.torch_classes.proxy import ParamView
from lr_configs.writer import Writer

RUN = Horizon(steps=40)
FLOOR = {"name": "cosine", "eta_min": 0.001}
COSINE = {**FLOOR, "interval": "step"}
#: groups and a schedule, of which a step writes without a look at what others have done
PLAIN: dict[str, tuple[Any, Any]] = {
    "one rate": (lambda: optimizer(1), COSINE),
    "two": (lambda: optimizer(2), COSINE),
    "ten": (lambda: optimizer(10), {"name": "exponential", "interval": "step"}),
    "many with few rates": (lambda: many(40, 4), COSINE),
    "many with two rates": (lambda: many(40, 2), COSINE),
    "many with one rate": (lambda: many(40, 1), {"name": "one_cycle"}),
    "many": (lambda: many(40, 40), COSINE),
    "three bounds": (lambda: many(40, 4), {"name": "one_cycle"}),
    "three bounds, all distinct": (lambda: optimizer(3), {"name": "one_cycle"}),
    "four ends": (lambda: optimizer(3), {"name": "chained", "interval": "step", "stages": {"a": FLOOR, "b": FLOOR}}),
    "four ends of one rate": (
        lambda: many(40, 1),
        {"name": "chained", "interval": "step", "stages": {"a": FLOOR, "b": FLOOR}},
    ),
    "functions": (
        lambda: optimizer(2),
        {"name": "lambda", "lr_lambda": ["1 / (1 + t)", "0.9 ** t"], "interval": "step"},
    ),
    "product of functions": (
        lambda: optimizer(2),
        {
            "name": "chained",
            "stages": {"a": {"name": "lambda", "lr_lambda": ["0.9 ** t", "0.8 ** t"]}, "b": FLOOR},
            "interval": "step",
        },
    ),
    "float32": (lambda: optimizer(3, tensor=torch.float32), COSINE),
    "float64": (lambda: optimizer(3, tensor=torch.float64), {"name": "one_cycle"}),
}


def many(groups: int, distinct: int) -> Any:
    parameters = [
        {"params": [torch.zeros(1, requires_grad=True)], "lr": 0.1 / (1 + i % distinct)} for i in range(groups)
    ]
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


def step(opt: Any, schedule: Any, n: int = 1) -> None:
    for _ in range(n):
        opt.step()
        schedule.step()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often a writer has looked what others have done."""
    found = [0]
    settle = Writer.settle

    def counted(self: Writer) -> bool:
        found[0] += 1
        return settle(self)

    monkeypatch.setattr(Writer, "settle", counted)
    return found


@pytest.mark.parametrize("name", PLAIN)
def test_a_step_looks_at_nothing_but_the_rates(name: str, looks: list[int]) -> None:
    make, node = PLAIN[name]
    opt = make()
    schedule: Any = build(node, opt, RUN)
    curve, rel = schedule.curve, 1e-6 if name == "float32" else 1e-12
    step(opt, schedule, 2)
    looks[0] = 0
    for t in range(3, 10):
        step(opt, schedule)
        assert rates(opt) == pytest.approx(curve.rates(t), rel=rel), t
    assert looks[0] == 0


@pytest.mark.parametrize("which", [0, 1, -1])
@pytest.mark.parametrize("name", PLAIN)
def test_an_edit_is_seen_in_every_place(name: str, which: int, looks: list[int]) -> None:
    """It costs one look, and from then on nothing."""
    make, node = PLAIN[name]
    opt = make()
    schedule: Any = build(node, opt, RUN)
    step(opt, schedule, 3)
    which %= len(opt.param_groups)
    edited, rel = opt.param_groups[which], 1e-5 if name == "float32" else 1e-12
    if isinstance(edited["lr"], torch.Tensor):
        edited["lr"].mul_(0.5)
    else:
        edited["lr"] *= 0.5
    looks[0] = 0
    for t in range(4, 10):
        step(opt, schedule)
        expected = schedule.curve.rates(t)
        expected[which] *= 0.5
        assert rates(opt) == pytest.approx(expected, rel=rel), t
    assert looks[0] == 1
    schedule.step()
    assert schedule.state_dict()["_lr_configs"]["scales"][which] == pytest.approx(0.5, rel=rel)


@pytest.mark.parametrize("name", [name for name in PLAIN if PLAIN[name][0]().param_groups[1:]])
def test_groups_in_another_order_are_looked_at(name: str) -> None:
    """Their dictionaries may be exchanged: each goes on with the edit that it holds."""
    make, node = PLAIN[name]
    opt = make()
    schedule: Any = build(node, opt, RUN)
    step(opt, schedule, 3)
    opt.load_state_dict(copy.deepcopy(opt.state_dict()))  # other dictionaries, the same rates
    for t in range(4, 8):
        step(opt, schedule)
        assert rates(opt) == pytest.approx(schedule.curve.rates(t), rel=1e-6), t
    assert not schedule.state_dict().get("_lr_configs", {}).get("scales")


@pytest.mark.parametrize(
    ("groups", "distinct", "rows", "single"),
    [
        (1, 1, [0], True),
        (3, 1, [0, 0, 0], True),
        (8, 2, [0, 1] * 4, False),
        (7, 2, [0, 1, 0, 1, 0, 1, 0], False),
        (32, 8, [*range(8)] * 4, False),
        (27, 9, [*range(9)] * 3, False),
        (26, 9, list(range(26)), False),
    ],
)
def test_groups_with_the_same_rates_are_written_together(
    groups: int, distinct: int, rows: list[int], single: bool
) -> None:
    """Where they are few enough for their number."""
    ends = [1 / (1 + i % distinct) for i in range(groups)]
    dicts = [{"lr": 0.0} for _ in ends]
    one, two = Layout(dicts, ends), Layout(dicts, ends, [0.5] * groups)
    assert one.rows == two.rows == rows
    assert (one.single, two.single) == ((1.0, (1.0, 0.5)) if single else (None, None))
    assert [one.values(2.0)[row] for row in rows] == pytest.approx([2.0 * end for end in ends])
    assert [two.values((2.0, 4.0))[row] for row in rows] == pytest.approx([2.0 * end + 2.0 for end in ends])
    three, four = (Layout(dicts, ends, *[[0.5] * groups] * n) for n in (2, 3))
    assert [three.values((2.0, 4.0, 6.0))[row] for row in rows] == pytest.approx([2.0 * end + 5.0 for end in ends])
    assert [four.values((2.0, 4.0, 6.0, 8.0))[row] for row in rows] == pytest.approx([2.0 * end + 9.0 for end in ends])
    assert three.single == ((1.0, 0.5, 0.5) if single else None)
    assert four.single is None
    alone = Layout(dicts, ends, kind=list)
    assert alone.rows == list(range(groups))
    assert alone.single is None


# ---------------------------------------------------------------------------------------- removed groups


@pytest.mark.parametrize("removed", [0, 1, 2])
@pytest.mark.parametrize("tensor", [None, torch.float64])
def test_a_group_that_is_removed_takes_its_edit_along(removed: int, tensor: Any) -> None:
    opt = optimizer(3, tensor=tensor)
    schedule: Any = build({"name": "exponential", "gamma": 0.5, "interval": "step"}, opt, RUN)
    step(opt, schedule)
    for i, group in enumerate(opt.param_groups):
        if tensor is None:
            group["lr"] *= 1 + i
        else:
            group["lr"].mul_(1 + i)
    step(opt, schedule)
    kept = [one for i, one in enumerate(rates(opt)) if i != removed]
    del opt.param_groups[removed]
    for n in range(1, 4):
        step(opt, schedule)
        assert rates(opt) == pytest.approx([one * 0.5**n for one in kept], rel=1e-12)
    assert len(schedule.get_last_lr()) == len(schedule.state_dict()["base_lrs"]) == 2
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.3})
    step(opt, schedule)
    assert rates(opt) == pytest.approx([kept[0] / 16, kept[1] / 16, 0.15], rel=1e-12)


@pytest.mark.parametrize("tensor", [None, torch.float64])
@pytest.mark.parametrize("before", [0, 1, 2])
def test_a_group_that_takes_the_place_of_another(before: int, tensor: Any) -> None:
    """It goes on from the rate that it brings, and what lies behind it keeps its rate and its edit."""
    opt = optimizer(3, tensor=tensor)
    schedule: Any = build({"name": "exponential", "gamma": 0.5, "interval": "step"}, opt, RUN)
    step(opt, schedule)
    edited = opt.param_groups[2]["lr"] * 3
    opt.param_groups[2]["lr"] = edited
    step(opt, schedule)
    expected = rates(opt)
    new = {**opt.param_groups[before], "params": [torch.zeros(1, requires_grad=True)], "lr": 0.7}
    del new["initial_lr"]
    opt.param_groups[before] = new
    expected[before] = 0.7
    for _ in range(3):
        assert schedule.get_last_lr() == pytest.approx(expected, rel=1e-12)
        step(opt, schedule)
        expected = [one / 2 for one in expected]
        assert rates(opt) == pytest.approx(expected, rel=1e-12)
    assert schedule.state_dict()["base_lrs"][before] == pytest.approx(0.7 * 4)


@pytest.mark.parametrize("reads", [1, 2])
def test_groups_that_move_up_are_not_taken_for_edited(reads: int) -> None:
    """One is removed and another one added, and the state is read before the next step."""
    opt = optimizer(3)
    schedule: Any = build({"name": "exponential", "gamma": 0.5, "interval": "step"}, opt, RUN)
    step(opt, schedule)
    first, _, last = rates(opt)
    del opt.param_groups[1]
    plain = {key: value for key, value in opt.param_groups[0].items() if key != "initial_lr"}
    opt.param_groups.append({**plain, "params": [torch.zeros(1, requires_grad=True)], "lr": 0.7})
    for _ in range(reads):
        assert schedule.state_dict()["_last_lr"] == [first, last, 0.7]
    step(opt, schedule)
    assert rates(opt) == pytest.approx([first / 2, last / 2, 0.35], rel=1e-12)


def test_a_late_group_that_is_removed_again_before_its_first_step() -> None:
    opt = optimizer(1)
    schedule: Any = build({"name": "exponential", "gamma": 0.5, "interval": "step"}, opt, RUN)
    step(opt, schedule)
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.3})
    assert schedule.state_dict()["_lr_configs"]["late"] == [1]
    opt.param_groups.pop()
    state = schedule.state_dict()
    assert "_lr_configs" not in state
    assert state["base_lrs"] == [0.1]
    step(opt, schedule)
    assert rates(opt) == [0.025]


# ---------------------------------------------------------------------------------------- late groups


def join(opt: Any, rate: Any, **more: Any) -> None:
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": rate, **more})


def test_a_late_group_keeps_its_rate_and_momentum_until_the_next_step() -> None:
    opt = optimizer(1)
    schedule: Any = build({"name": "one_cycle"}, opt, RUN)
    step(opt, schedule, 5)
    join(opt, 0.02, momentum=0.7)
    assert schedule.rates_at(5) == pytest.approx([rates(opt)[0], 0.02])
    assert opt.param_groups[1]["momentum"] == 0.7
    step(opt, schedule)
    first, second = opt.param_groups
    assert second["lr"] / 0.02 == pytest.approx(first["lr"] / schedule.curve.rates(5)[0])
    assert second["momentum"] == first["momentum"]


def test_a_state_with_a_late_group_leaves_its_momentum_alone() -> None:
    opt, again = optimizer(1), optimizer(1)
    schedule: Any = build({"name": "one_cycle"}, opt, RUN)
    step(opt, schedule, 5)
    join(opt, 0.02, momentum=0.7)
    state = copy.deepcopy(schedule.state_dict())
    loaded: Any = build({"name": "one_cycle"}, again, RUN)
    join(again, 0.3, momentum=0.1)
    again.load_state_dict(copy.deepcopy(opt.state_dict()))
    loaded.load_state_dict(state)
    for _ in range(3):
        assert rates(again) == rates(opt)
        momenta = [[group["momentum"] for group in one.param_groups] for one in (again, opt)]
        assert momenta[0] == momenta[1]
        step(opt, schedule), step(again, loaded)
    assert len(set(momenta[0])) == 1


@pytest.mark.parametrize("node", [COSINE, {"name": "one_cycle"}, {"name": "exponential", "interval": "step"}])
def test_several_join_at_several_steps(node: Any) -> None:
    opt = optimizer(1)
    schedule: Any = build(node, opt, RUN)
    joined = []
    for t in (3, 4, 9):
        step(opt, schedule, t - int(schedule.position))
        join(opt, 0.7 * rates(opt)[0])
        joined.append((t, 0.7 * schedule.curve.rates(t)[0]))
    step(opt, schedule)
    for i, (t, rate) in enumerate(joined, 1):
        assert schedule.curve.rates(t)[i] == pytest.approx(rate, rel=1e-9)
    assert rates(opt) == pytest.approx(schedule.curve.rates(10), rel=1e-12)


@pytest.mark.parametrize("name", ["lambda", "multiplicative"])
def test_a_late_group_goes_by_the_last_of_several_functions(name: str) -> None:
    opt = optimizer(3)
    texts = [["0.9 ** t", "0.8 ** t", "0.5 ** t"], ["0.9", "0.8", "0.5"]][name == "multiplicative"]
    schedule: Any = build({"name": name, "lr_lambda": texts, "interval": "step"}, opt, RUN)
    step(opt, schedule, 2)
    join(opt, 0.05)
    step(opt, schedule)
    assert rates(opt)[3] == pytest.approx(0.025)
    assert len(schedule.state_dict()["base_lrs"]) == 4
    opt.param_groups.pop()
    step(opt, schedule)
    assert rates(opt) == pytest.approx([0.1 * 0.9**4, 0.05 * 0.8**4, 0.1 / 3 * 0.5**4])


@pytest.mark.parametrize("shape", ["linear", "cosine", "1-sqrt", "1-square", "exponential", "geometric"])
def test_the_floor_of_a_late_group_with_a_decay_of_every_shape(shape: str) -> None:
    """What it brings is its rate until the decay, which leads to the floor that the others have."""
    opt = optimizer(1)
    node = {"name": "warmup_stable_decay", "decay": 10, "decay_shape": shape, "eta_min": 0.01, "interval": "step"}
    schedule: Any = build(node, opt, RUN)
    step(opt, schedule, 20)
    join(opt, 0.05)
    step(opt, schedule)
    assert rates(opt) == pytest.approx([0.1, 0.05])
    schedule.jump(40)
    assert rates(opt) == pytest.approx([0.01, 0.01])


@pytest.mark.parametrize("rate", [1.0, 0.09, 0.03, 0.006])
def test_the_floor_of_a_late_group_stays_where_it_is(rate: float) -> None:
    """As under torch's recurrences: its curve passes through the rate that it brings, and ends at the same floor."""
    opt = optimizer(1)
    schedule: Any = build({"name": "cosine", "eta_min": 0.005, "T_max": 10}, opt)
    step(opt, schedule, 4)
    join(opt, rate)
    left = (1 + math.cos(0.4 * math.pi)) / 2
    base = 0.005 + (rate - 0.005) / left
    for t in range(5, 11):
        step(opt, schedule)
        expected = [0.005 + (one - 0.005) * (1 + math.cos(math.pi * t / 10)) / 2 for one in (0.1, base)]
        assert rates(opt) == pytest.approx(expected, rel=1e-9), t
    assert opt.param_groups[1]["initial_lr"] == pytest.approx(base)


def test_a_late_group_whose_floor_hides_its_base() -> None:
    """Below the floor every base has the same rate; the one that leads to the group's own is high above it."""
    opt = optimizer(1)
    schedule: Any = build({"name": "exponential", "gamma": 0.5, "eta_min": 0.01, "interval": "step"}, opt)
    step(opt, schedule, 8)
    assert rates(opt) == [0.01]
    join(opt, 0.05)
    for expected in (0.025, 0.0125, 0.01):
        step(opt, schedule)
        assert rates(opt) == pytest.approx([0.01, expected], rel=1e-9)
    assert opt.param_groups[1]["initial_lr"] == pytest.approx(0.05 * 2**8)


@pytest.mark.parametrize("rate", [0.02, 0.08, 0.15])
def test_a_late_group_whose_rate_bends_in_its_base(rate: float) -> None:
    opt = optimizer(1)
    schedule: Any = build({"name": "lambda", "lr_lambda": "exp(-base * t)", "interval": "step"}, opt)
    step(opt, schedule, 2)
    join(opt, rate)
    low, high = 0.0, 0.5  # where base * exp(-2 base) rises
    for _ in range(100):
        base = (low + high) / 2
        low, high = (base, high) if base * math.exp(-2 * base) < rate else (low, base)
    for t in (3, 4, 9):
        schedule.jump(t)
        assert rates(opt) == pytest.approx([0.1 * math.exp(-0.1 * t), base * math.exp(-base * t)], rel=1e-6)


def test_a_late_group_where_the_curve_is_0_has_its_rate_as_base() -> None:
    opt = optimizer(1)
    schedule: Any = build({"name": "linear", "start_factor": 1.0, "end_factor": 0.0, "total_iters": 4}, opt)
    step(opt, schedule, 4)
    join(opt, 0.3)
    assert rates(opt) == [0.0, 0.3]
    step(opt, schedule)
    assert rates(opt) == [0.0, 0.0]
    schedule.jump(1)
    assert rates(opt) == pytest.approx([0.075, 0.225])


def test_a_late_group_without_a_rate_goes_the_way_of_its_base() -> None:
    opt = optimizer(1)
    schedule: Any = build({"name": "cosine", "eta_min": 0.005, "T_max": 10}, opt)
    step(opt, schedule, 4)
    join(opt, 0.0)
    step(opt, schedule)
    assert rates(opt) == pytest.approx([0.0525, 0.0025], rel=1e-9)


@pytest.mark.parametrize("tensor", [None, torch.float64])
def test_a_loaded_state_brings_the_rates_of_groups_that_have_not_made_a_step(tensor: Any) -> None:
    source, opt = optimizer(1, tensor=tensor), optimizer(1, tensor=tensor)
    node = {"name": "exponential", "gamma": 0.5, "interval": "step"}
    schedule: Any = build(node, source, RUN)
    step(source, schedule, 2)
    join(source, 0.3)
    again: Any = build(node, opt, RUN)
    join(opt, 0.9)
    again.load_state_dict(schedule.state_dict())
    assert rates(opt) == [0.025, 0.3]
    for one, other in ((source, schedule), (opt, again)):
        step(one, other)
        assert rates(one) == [0.0125, 0.15]
    source, opt = optimizer(1, tensor=tensor), optimizer(2, tensor=tensor)
    node = {"name": "linear", "start_factor": 1.0, "end_factor": 0.0, "total_iters": 4}
    schedule = build(node, source)
    step(source, schedule, 4)
    join(source, 0.3)
    build(node, opt).load_state_dict(schedule.state_dict())
    assert rates(opt) == [0.0, 0.3]


@pytest.mark.parametrize("cycle_momentum", [False, True])
def test_numbers_of_the_groups_that_a_loaded_state_brings(cycle_momentum: bool) -> None:
    """Torch's one-cycle keeps its rates in the groups, and reads them at every step."""
    found = []
    for module in (ours, T):
        opt = optimizer(2)
        schedule: Any = module.OneCycleLR(opt, [0.5, 0.2], total_steps=20, cycle_momentum=cycle_momentum)
        step(opt, schedule, 4)
        state = copy.deepcopy(opt.state_dict())
        for i, group in enumerate(state["param_groups"]):
            group.update(initial_lr=0.2 + i, max_lr=2.0 + i, min_lr=0.01 * (1 + i), max_momentum=0.9, base_momentum=0.7)
        opt.load_state_dict(state)
        for _ in range(12):
            step(opt, schedule)
            found.append([*rates(opt), *(group["momentum"] for group in opt.param_groups)])
    np.testing.assert_allclose(found[:12], found[12:], rtol=1e-12)


def test_a_late_tensor_has_an_initial_rate_of_its_own() -> None:
    opt = optimizer(1, tensor=torch.float64)
    schedule: Any = build({"name": "exponential", "gamma": 0.5, "interval": "step"}, opt, RUN)
    step(opt, schedule)
    join(opt, torch.tensor(0.2, dtype=torch.float64))
    step(opt, schedule)
    group = opt.param_groups[1]
    assert float(group["initial_lr"]) == pytest.approx(0.4)
    assert float(group["lr"]) == pytest.approx(0.1)
    assert group["initial_lr"] is not group["lr"]


def test_a_rate_that_no_base_gives_is_kept_as_a_ratio() -> None:
    """Below the floor that the curve has at this step, no base leads to the rate."""
    opt = optimizer(1)
    schedule: Any = build({"name": "cosine", "eta_min": 0.01, "T_max": 10}, opt)
    step(opt, schedule, 9)
    join(opt, 0.001)
    step(opt, schedule)
    at_nine = 0.01 + (0.001 - 0.01) * (1 + math.cos(0.9 * math.pi)) / 2  # of a group whose base is that rate
    assert rates(opt) == pytest.approx([0.01, 0.001 * 0.01 / at_nine], rel=1e-12)
    assert schedule.state_dict()["_lr_configs"]["scales"] == pytest.approx([1.0, 0.001 / at_nine])


# ---------------------------------------------------------------------------------------- rates that no curve gives


@pytest.mark.parametrize("tensor", [None, torch.float64])
def test_groups_beyond_the_list_go_along_with_the_first(tensor: Any) -> None:
    opt = optimizer(3, tensor=tensor)
    schedule: Any = build("none", opt)
    schedule.put([0.05, 0.04])
    assert rates(opt) == pytest.approx([0.05, 0.04, 0.1 / 3 / 2])
    schedule.put([0.0])
    assert rates(opt) == [0.0, 0.0, 0.0]
    schedule.put([0.01, 0.02, 0.03])
    assert rates(opt) == [0.01, 0.02, 0.03]
    assert schedule.state_dict()["_lr_configs"]["off_curve"] is True


def test_what_was_put_is_no_edit_of_the_next_step() -> None:
    opt = optimizer(2)
    schedule: Any = build({"name": "exponential", "gamma": 0.5, "interval": "step"}, opt, RUN)
    step(opt, schedule)
    schedule.put([0.9, 0.8])
    step(opt, schedule)
    assert rates(opt) == pytest.approx([0.025, 0.0125])
    assert "_lr_configs" not in schedule.state_dict()


# ---------------------------------------------------------------------------------------- tensors


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_tensors_of_every_kind(dtype: Any, shape: tuple[int, ...]) -> None:
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=torch.full(shape, 0.5, dtype=dtype))
    tensor = opt.param_groups[0]["lr"]
    schedule: Any = build({"name": "exponential", "gamma": 0.5, "interval": "step"}, opt, RUN)
    assert opt.param_groups[0]["initial_lr"] is not tensor
    for t in range(1, 5):
        schedule.advance()
        assert tensor.item() == 0.5 * 0.5**t
    assert opt.param_groups[0]["lr"] is tensor
    tensor.mul_(0.5)
    schedule.advance()
    assert tensor.item() == 0.5 * 0.5**6
    for other in (copy.deepcopy(schedule), pickle.loads(pickle.dumps(schedule))):
        other.advance()
        assert rates(other.optimizer) == [0.5 * 0.5**7]
    assert tensor.item() == 0.5 * 0.5**6


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_an_edit_of_a_tensor_is_seen_once(dtype: Any) -> None:
    slot = Slot(torch.tensor(0.1, dtype=dtype))
    assert not slot.edited()
    for value in (0.3, 0.6):
        before = float(slot.tensor)
        slot.tensor.fill_(value)
        assert slot.edited()
        assert slot.ratio(before) == pytest.approx(float(slot.tensor) / before)
        for other in (copy.deepcopy(slot), pickle.loads(pickle.dumps(slot))):
            assert other.edited()
        slot.remember()
        assert not slot.edited()
    slot.write(0.2)
    assert float(slot.tensor) == float(torch.tensor(0.2, dtype=dtype))
    for other in (slot, copy.deepcopy(slot), pickle.loads(pickle.dumps(slot))):
        assert not other.edited()


def test_an_edit_to_the_value_that_was_there_anyway() -> None:
    opt = optimizer(1, tensor=torch.bfloat16)
    schedule: Any = build("none", opt)
    opt.param_groups[0]["lr"].fill_(0.1)
    step(opt, schedule)
    assert rates(opt)[0] == pytest.approx(0.1, rel=1e-2)
    assert "_lr_configs" not in schedule.state_dict()


@pytest.mark.parametrize("tensor", [torch.float64, torch.bfloat16])
def test_another_tensor_in_its_place(tensor: Any) -> None:
    opt = optimizer(2, tensor=tensor)
    schedule: Any = build({"name": "exponential", "gamma": 0.5, "interval": "step"}, opt, RUN)
    step(opt, schedule)
    opt.param_groups[0]["lr"] = torch.tensor(0.05, dtype=tensor)  # the value, but for rounding: no edit
    opt.param_groups[1]["lr"] = torch.tensor(0.1, dtype=tensor)
    step(opt, schedule)
    assert rates(opt) == pytest.approx([0.025, 0.05], rel=float(4 * torch.finfo(tensor).eps))
    assert schedule.state_dict()["_lr_configs"]["scales"][0] == 1.0
    opt.param_groups[0]["lr"] = 0.05  # and a number again
    step(opt, schedule)
    assert rates(opt) == pytest.approx([0.025, 0.025], rel=float(4 * torch.finfo(tensor).eps))


def test_an_edit_from_zero_has_no_ratio() -> None:
    for tensor in (None, torch.float64):
        opt = optimizer(1, tensor=tensor)
        schedule: Any = build({"name": "linear", "start_factor": 1.0, "end_factor": 0.0, "total_iters": 2}, opt)
        step(opt, schedule, 2)
        assert rates(opt) == [0.0]
        if tensor is None:
            opt.param_groups[0]["lr"] = 0.3
        else:
            opt.param_groups[0]["lr"].fill_(0.3)
        schedule.jump(1)
        assert rates(opt) == pytest.approx([0.05])


def test_shared_tensors_are_written_once() -> None:
    shared = torch.tensor(0.1, dtype=torch.float64)
    opt = torch.optim.SGD([{"params": [torch.zeros(1, requires_grad=True)], "lr": shared} for _ in range(3)], lr=shared)
    schedule: Any = build({"name": "exponential", "gamma": 0.5, "interval": "step"}, opt, RUN)
    step(opt, schedule, 2)
    shared.mul_(0.5)
    step(opt, schedule, 2)
    assert rates(opt) == pytest.approx([0.1 / 32] * 3)


def test_two_optimizers_states_are_compared_by_what_was_written() -> None:
    one, other = (build(COSINE, optimizer(2), RUN) for _ in range(2))
    assert one.writer == other.writer  # type: ignore[attr-defined]
    other.jump(1)  # type: ignore[attr-defined]
    assert one.writer != other.writer  # type: ignore[attr-defined]
    np.testing.assert_array_equal(one.writer.held(), one.curve.rates(0))  # type: ignore[attr-defined]


def test_torchs_own_beside_ours_sees_the_same_groups() -> None:
    opt, theirs = optimizer(2), optimizer(2)
    both = [ours.ExponentialLR(opt, 0.9), ours.StepLR(opt, 2, 0.5)]
    reference = [T.ExponentialLR(theirs, 0.9), T.StepLR(theirs, 2, 0.5)]
    for _ in range(6):
        for one, schedules in ((opt, both), (theirs, reference)):
            one.step()
            for schedule in schedules:
                schedule.step()
        assert rates(opt) == pytest.approx(rates(theirs), rel=1e-12)


@pytest.mark.parametrize(("param", "value"), [("weight_decay", 0.04), ("betas.1", 0.999)])
def test_a_group_seen_by_another_of_its_numbers(param: str, value: float) -> None:
    opt = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=0.1, weight_decay=0.04)
    (group,) = opt.param_groups
    (view,) = ParamView(opt, param).param_groups
    assert view["lr"] == value
    assert list(view) == ["lr", "params"]
    assert len(view) == 2
    assert ("lr" in view, "params" in view, "initial_lr" in view, "a" in view, 3 in view) == (True, True, *3 * [False])
    view["initial_lr"], view["lr"] = value, 0.5
    assert "initial_lr" in view
    assert group[f"initial_{param}"] == view["initial_lr"] == value
    assert (group["lr"], view["lr"]) == (0.1, 0.5)
    assert (group["betas"] if "." in param else group["weight_decay"]) == ((0.9, 0.5) if "." in param else 0.5)
    del view["initial_lr"]
    assert f"initial_{param}" not in group
    assert view == ParamView(opt, param).param_groups[0]
    assert view != group
