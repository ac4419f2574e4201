"""The driver without a trainer: clocks, early endings, going on, and the two examples that use it."""

from __future__ import annotations

import copy
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import optimizer as make
from helpers import rates
from torch.optim import lr_scheduler

from lr_configs import Horizon, SchedulerConfigError, build, curve
from lr_configs.driver import Driver
from lr_configs.optimizers import (
    groups_of,
    has_float_rates,
    is_compiled,
    make_rates_tensors,
    on_update,
    put_back,
    without_schedule,
)
from lr_configs.plan import Plan, resolve
from lr_configs.run import PlainRun, current, enter, leave
from lr_configs.track import Ending

ROOT = Path(__file__).parents[1]
RUN = Horizon(epochs=4, steps_per_epoch=5)


class Loop:
    """A training loop that records the rate of every update."""

    def __init__(
        self,
        node: Any,
        horizon: Horizon | None = RUN,
        resume: str = "strict",
        lr: float = 0.1,
        weight_decay: float = 0.0,
        groups: int = 1,
    ) -> None:
        self.lines: list[str] = []
        self.horizon = horizon
        self.optimizer = make(groups, lr=lr)
        self.optimizer.param_groups[0]["weight_decay"] = weight_decay
        self.driver = Driver(PlainRun(horizon, say=self.lines.append), resume)
        self.nodes = node if isinstance(node, list) else [node]
        for one in self.nodes:
            self.driver.drive(one, self.optimizer)
        self.seen: list[Any] = []
        self.done = 0

    def begin(self, saved: Any = None) -> Loop:
        if saved is not None:
            self.driver.load(saved["schedule"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.done = saved["done"]
        self.driver.start()
        return self

    def train(self, until: int, per_epoch: int = 5) -> Loop:
        while self.done < until:
            self.seen.append(rates(self.optimizer)[0])
            self.optimizer.step()
            self.done += 1
            if self.done % per_epoch == 0:
                self.driver.end_epoch(self.done // per_epoch - 1)
        return self

    def checkpoint(self) -> Any:
        state = {"schedule": self.driver.save(), "optimizer": self.optimizer.state_dict(), "done": self.done}
        return copy.deepcopy(state)


NODES: dict[str, Any] = {
    "cosine": {"name": "cosine", "warmup": 3},
    "by epoch": {"name": "exponential", "gamma": 0.5},
    "frequency": {"name": "step", "step_size": 2, "gamma": 0.5, "interval": "step", "frequency": 3},
    "one_cycle": {"name": "one_cycle"},
    "two": [{"name": "cosine"}, {"name": "exponential", "param": "momentum", "gamma": 0.9, "interval": "step"}],
}


@pytest.mark.parametrize("name", NODES)
def test_going_on_from_every_update(name: str) -> None:
    loop = Loop(NODES[name]).begin()
    checkpoints = [loop.train(i).checkpoint() for i in range(20)]
    whole = loop.train(20).seen
    for saved in checkpoints:
        again = Loop(NODES[name]).begin(saved).train(20)
        assert again.seen == whole[saved["done"] :], saved["done"]
        assert again.optimizer.param_groups[0]["momentum"] == loop.optimizer.param_groups[0]["momentum"]


def test_the_rates_are_the_curve() -> None:
    for name in ("cosine", "one_cycle"):
        np.testing.assert_allclose(Loop(NODES[name]).begin().train(20).seen, curve(NODES[name], 0.1, RUN), rtol=1e-15)


def test_a_frequency_that_does_not_divide_the_run() -> None:
    node = {"name": "cosine_warm_restarts", "T_0": "100%", "frequency": 3}
    loop = Loop(node, Horizon(steps=10)).begin().train(10)
    values = curve(node, 0.1, Horizon(steps=10))
    assert loop.seen == [pytest.approx(v) for v in np.repeat(values, 3)[:10]]
    assert loop.seen[-1] < loop.seen[0]


def test_epochs_are_counted_by_their_index() -> None:
    loop = Loop(NODES["by epoch"]).begin()
    for epoch in (0, 0, 0, 1, 0, 1):
        loop.driver.end_epoch(epoch)
    assert rates(loop.optimizer) == [0.025]


def test_hand_edits_survive() -> None:
    loop = Loop(NODES["cosine"]).begin().train(6)
    loop.optimizer.param_groups[0]["lr"] /= 2
    saved = loop.train(8).checkpoint()
    assert Loop(NODES["cosine"]).begin(saved).train(20).seen == loop.train(20).seen[8:]
    np.testing.assert_allclose(loop.seen[6:], curve(NODES["cosine"], 0.1, RUN)[6:] / 2)


# ---------------------------------------------------------------------------------------- policies

COSINE = {"name": "cosine"}


def halfway(node: Any = COSINE, updates: int = 10, horizon: Horizon = RUN) -> Any:
    return Loop(node, horizon).begin().train(updates).checkpoint()


def test_keep_goes_on_and_holds_the_last_rate_used() -> None:
    longer = Horizon(epochs=8, steps_per_epoch=5)
    whole = curve(COSINE, 0.1, RUN)
    loop = Loop({"name": "exponential"}, longer, "keep", lr=0.3).begin(halfway()).train(40)
    np.testing.assert_allclose(loop.seen, [*whole[10:], *[whole[-1]] * 20])
    assert loop.seen[-1] > 0
    ended = Loop(COSINE, longer, "keep").begin(halfway(updates=20)).train(40)
    assert ended.seen == [whole[-1]] * 20


def test_stretch_and_stretch_again() -> None:
    longer, longest = Horizon(epochs=8, steps_per_epoch=5), Horizon(epochs=10, steps_per_epoch=5)
    first = Loop(COSINE, longer, "stretch").begin(halfway(updates=4))
    at = 4 + np.arange(36) * 16 / 36
    saved = first.train(13).checkpoint()
    first.train(40)
    np.testing.assert_allclose(first.seen, 0.05 * (1 + np.cos(np.pi * at / 20)))
    again = Loop(COSINE, longest, "stretch").begin(saved).train(50)
    at = 8 + np.arange(37) * 12 / 37
    np.testing.assert_allclose(again.seen, 0.05 * (1 + np.cos(np.pi * at / 20)))
    assert again.seen[0] == first.seen[9]
    for policy in ("strict", "keep", "stretch", "restart"):  # the same job once more
        assert Loop(COSINE, longer, policy).begin(saved).train(40).seen == first.seen[9:]


def test_restart_lays_the_schedule_over_what_remains() -> None:
    """From 10 epochs of 20 to 15: 100 updates remain."""
    ten, fifteen = Horizon(epochs=10, steps_per_epoch=20), Horizon(epochs=15, steps_per_epoch=20)
    loop = Loop({"name": "step", "step_size": 30}, ten).begin().train(200, 20)
    saved = loop.checkpoint()
    again = Loop(COSINE, fifteen, "restart").begin(saved).train(300, 20)
    np.testing.assert_allclose(again.seen, curve(COSINE, 0.1, Horizon(steps=100)))
    milestones = {"name": "multi_step", "milestones": ["50%"], "gamma": 0.1}
    again = Loop(milestones, fifteen, "restart").begin(saved).train(300, 20)
    np.testing.assert_allclose(again.seen, [0.1] * 50 + [0.01] * 50)


def test_restart_within_an_epoch_counts_it_whole() -> None:
    node = {"name": "exponential", "gamma": 0.5}
    loop = Loop(node, RUN, "restart").begin(halfway(updates=7)).train(20)
    np.testing.assert_allclose(loop.seen, [0.1] * 3 + [0.05] * 5 + [0.025] * 5)


@pytest.mark.parametrize("updates", [5, 10, 13])
def test_restart_puts_back_what_a_schedule_wrote(updates: int) -> None:
    cycle = {"name": "one_cycle", "max_lr": 0.5}
    saved = halfway(cycle, updates)
    assert saved["optimizer"]["param_groups"][0]["momentum"] != 0.9
    for node, first in ((COSINE, 0.1), ({**cycle, "max_lr": 1.0}, 1 / 25)):
        loop = Loop(node, Horizon(epochs=8, steps_per_epoch=5), "restart").begin(saved)
        fresh = Loop(node, Horizon(steps=40 - updates)).begin()
        assert rates(loop.optimizer) == rates(fresh.optimizer) == [pytest.approx(first)]
        before, after = loop.optimizer.param_groups[0], fresh.optimizer.param_groups[0]
        assert {k: v for k, v in before.items() if k != "params"} == {k: v for k, v in after.items() if k != "params"}
        if node is COSINE:
            assert before["momentum"] == 0.9


def test_restart_puts_back_a_hyper_parameter_that_nothing_drives_now() -> None:
    both = [COSINE, {"name": "exponential", "param": "weight_decay", "gamma": 0.5}]
    saved = Loop(both, weight_decay=0.5).begin().train(10).checkpoint()
    assert saved["optimizer"]["param_groups"][0]["weight_decay"] == 0.125
    again = Loop(COSINE, resume="restart", weight_decay=0.5).begin(saved)
    assert again.optimizer.param_groups[0]["weight_decay"] == 0.5
    assert "initial_weight_decay" not in again.optimizer.param_groups[0]


def decay(t: float) -> float:
    return float(0.9**t)


def faster(t: float) -> float:
    return float(0.8**t)


def test_a_function_of_python_goes_on_where_this_run_has_it() -> None:
    node = {"name": "lambda", "lr_lambda": decay, "interval": "step"}
    saved = halfway(node)
    assert "decay>" in json.dumps(saved["schedule"]["driver"])
    again = Loop(node).begin(saved).train(20)
    np.testing.assert_allclose(again.seen, 0.1 * 0.9 ** np.arange(10, 20))
    other = {**node, "lr_lambda": faster}
    for policy in ("strict", "keep", "stretch"):
        with pytest.raises(
            SchedulerConfigError, match=r"lr_lambda='<.*decay>'.*a checkpoint cannot keep.*resume=restart"
        ):
            Loop(other, resume=policy).begin(saved)
    anew = Loop(other, resume="restart").begin(saved).train(20)
    np.testing.assert_allclose(anew.seen, 0.1 * 0.8 ** np.arange(10))


def test_another_number_of_groups() -> None:
    two = Loop(COSINE, groups=2).begin().train(10).checkpoint()
    for saved, groups, words in ((halfway(), 2, "parameter groups 1 -> 2"), (two, 1, "parameter groups 2 -> 1")):
        with pytest.raises(SchedulerConfigError, match=f"another schedule: {words}"):
            Loop(COSINE, groups=groups).begin(saved)


@pytest.mark.parametrize("policy", ["strict", "keep", "stretch", "restart"])
def test_another_length_of_the_run(policy: str) -> None:
    """A share of the run is another length in it; an absolute one stays what it is."""
    share, steps = {"name": "step", "step_size": "30%"}, {"name": "step", "step_size": "6st"}
    lengths = (Horizon(steps=40), Horizon(epochs=8, steps_per_epoch=5), Horizon(steps_per_epoch=[5, 5, 5, 5, 20]))
    for longer in lengths:
        for node, refused in ((share, policy == "strict"), (steps, False)):
            loop = Loop(node, longer, policy)
            if refused:
                with pytest.raises(SchedulerConfigError, match=r"step_size 6.*run 4 epochs x 5 updates -> "):
                    loop.begin(halfway(node))
                continue
            loop.begin(halfway(node)).train(40)
            at = {
                "strict": np.arange(10, 40),
                "keep": np.minimum(np.arange(10, 40), 19),
                "stretch": 10 + np.arange(30) / 3,
                "restart": np.arange(30),
            }[policy]
            size = 9 if policy == "restart" and node is share else 6
            np.testing.assert_allclose(loop.seen, 0.1 * 0.1 ** (at // size), rtol=1e-12)


def test_a_checkpoint_without_a_schedule() -> None:
    plain = make()
    for policy, expected in (
        ("keep", curve(COSINE, 0.1, RUN)[10:]),
        ("restart", curve(COSINE, 0.1, Horizon(steps=10))),
    ):
        loop = Loop(COSINE, resume=policy)
        loop.driver.load(None)
        loop.optimizer.load_state_dict(plain.state_dict())
        loop.driver.start(updates=10, epochs=2)
        loop.done = 10
        np.testing.assert_allclose(loop.train(20).seen, expected, rtol=1e-12)
    with pytest.raises(SchedulerConfigError, match=r"\(step 10\) was written without LRSchedulerCallback"):
        Loop(COSINE).driver.load(None, step=10)


@pytest.mark.parametrize(("updates", "position"), [(10, 3), (9, 3), (8, 2)])
def test_a_checkpoint_without_a_schedule_and_a_frequency(updates: int, position: int) -> None:
    node = {"name": "exponential", "gamma": 0.5, "interval": "step", "frequency": 3}
    loop = Loop(node, resume="keep")
    loop.driver.load(None)
    loop.driver.start(updates=updates, epochs=updates // 5)
    loop.done = updates
    np.testing.assert_allclose(loop.train(13).seen, 0.1 * 0.5 ** (np.arange(updates, 13) // 3))
    assert position == updates // 3


# ---------------------------------------------------------------------------------------- early endings


def test_an_ending_begins_at_once_and_goes_on_from_a_checkpoint() -> None:
    loop = Loop({"name": "none"}).begin().train(6)
    loop.driver.decay_now("25%")
    assert rates(loop.optimizer) == [pytest.approx(0.08)]
    saved = loop.train(8).checkpoint()
    loop.train(20)
    np.testing.assert_allclose(loop.seen[6:], [0.08, 0.06, 0.04, 0.02, *[0.0] * 10], atol=1e-12)
    again = Loop({"name": "none"}).begin(saved).train(20)
    assert again.seen == loop.seen[8:]


def test_a_request_that_waits_is_saved() -> None:
    loop = Loop({"name": "none"}).begin().train(6)
    loop.driver.decay_now("25%", wait=True)
    saved = loop.checkpoint()
    assert rates(loop.optimizer) == [0.1]
    again = Loop({"name": "none"}).begin(saved).train(20)
    np.testing.assert_allclose(again.seen, [0.08, 0.06, 0.04, 0.02, *[0.0] * 10], atol=1e-12)


def test_steps_of_the_module_end_nothing() -> None:
    loop = Loop({"name": "none"}).begin().train(6)
    loop.driver.let_the_module_step()
    loop.driver.decay_now("25%")
    before = rates(loop.optimizer)
    loop.driver.tracks[0].scheduler.step()
    assert rates(loop.optimizer) == before


def test_an_ending_at_its_end() -> None:
    ending = Ending(3, 4, "linear", [0.1], [0.02])
    assert ending.rates() == [pytest.approx(0.04)]
    assert ending.next().next() == Ending(4, 4, "linear", [0.1], [0.02])
    assert ending.next().rates() == [pytest.approx(0.02)]


LEFT = {
    "linear": lambda x: 1 - x,
    "cosine": lambda x: (1 + math.cos(math.pi * x)) / 2,
    "one_minus_sqrt": lambda x: 1 - x**0.5,
}


@pytest.mark.parametrize("shape", LEFT)
def test_an_ending_leads_to_where_the_schedule_would_end(shape: str) -> None:
    """Or to 0, where that is no lower than the present rate; what other schedules drive is left alone."""
    falling = {"name": "linear", "start_factor": 1.0, "end_factor": 0.2, "total_iters": 19, "interval": "step"}
    rising = {"name": "linear", "start_factor": 0.5, "end_factor": 1.0, "total_iters": "100%", "interval": "step"}
    decay = {"name": "exponential", "param": "weight_decay", "gamma": 0.5, "interval": "step"}
    for node, end in ((falling, 0.02), (rising, 0.0)):
        loop = Loop([decay, node], weight_decay=1.0).begin().train(6)
        begin = rates(loop.optimizer)[0]
        loop.driver.decay_now("4st", shape)
        loop.driver.decay_now("9st", "linear")  # one has begun already
        loop.train(12)
        left = [LEFT[shape](min(x, 4) / 4) for x in range(1, 7)]
        np.testing.assert_allclose(loop.seen[6:], [end + (begin - end) * one for one in left], atol=1e-15)
        assert loop.optimizer.param_groups[0]["weight_decay"] == 0.5**12
        assert loop.lines == [f"linear: ending early | 4 updates, {shape} | lr {begin:.4g} -> {end:.4g}"]


def test_what_is_no_ending() -> None:
    driver = Loop({"name": "none"}).begin().driver
    with pytest.raises(SchedulerConfigError, match=r"shape='lineer': this is one of linear, .*did you mean 'linear'"):
        driver.decay_now(shape="lineer")
    with pytest.raises(SchedulerConfigError, match=r"shape=3: .* Write linear"):
        driver.decay_now(shape=3)  # type: ignore[arg-type]
    with pytest.raises(SchedulerConfigError, match=r"over='nonsense'"):
        driver.decay_now("nonsense")
    unknown = Loop({"name": "none"}, None).begin()
    unknown.driver.decay_now("10%")
    assert unknown.lines == [
        "no early ending: over='10%': a share of the run needs the run's length, which is not known here"
    ]
    assert unknown.train(3).seen == [0.1] * 3
    unknown.driver.decay_now("2st")
    assert rates(unknown.optimizer) == [0.05]


# ---------------------------------------------------------------------------------------- clocks


def test_two_schedules_of_one_hyper_parameter_are_refused() -> None:
    with pytest.raises(SchedulerConfigError, match=r"schedulers='step': cosine drives lr of optimizer 0 already"):
        Loop([COSINE, {"name": "step"}])


def test_a_scheduler_that_is_built_already_is_adopted() -> None:
    loop = Loop([])
    scheduler: Any = build({"name": "exponential", "gamma": 0.5, "interval": "step"}, loop.optimizer, RUN)
    loop.driver.adopt(scheduler)
    loop.begin().train(3)
    assert loop.seen == [0.1, 0.05, 0.025]
    assert loop.driver.tracks[0].bases == (0.1,)


def test_an_optimizer_of_its_own_has_a_clock_of_its_own() -> None:
    driver = Driver(PlainRun(RUN, say=lambda line: None))
    optimizers = [make(lr=0.1), make(lr=0.2)]
    node = {"name": "exponential", "gamma": 0.5, "interval": "step"}
    made = [driver.drive(node, one, key) for one, key in zip(optimizers, "ab", strict=True)]
    second = driver.drive({**node, "param": "momentum"}, optimizers[0], "a")
    driver.start()
    optimizers[0].step()
    optimizers[0].step()
    optimizers[1].step()
    assert [one.position for one in (*made, second)] == [2, 1, 2]
    assert [rates(one)[0] for one in optimizers] == pytest.approx([0.025, 0.1])
    assert [track.name for track in driver.tracks] == ["a/lr", "b/lr", "a/momentum"]
    assert [(fact.key, fact.updates, fact.epochs) for fact in driver.describe()] == [
        ("a/lr", 2, 0), ("b/lr", 1, 0), ("a/momentum", 2, 0),
    ]  # fmt: skip
    driver.close()
    assert not driver.running
    optimizers[0].step()
    assert made[0].position == 2


def test_a_step_that_found_infinities_is_no_update() -> None:
    loop = Loop(NODES["one_cycle"]).begin().train(2)
    before = rates(loop.optimizer)
    for found, skipped in ((torch.tensor(1.0), 1), (torch.tensor(0.0), 1), (None, 1)):
        loop.optimizer.found_inf = found
        loop.driver.updated(loop.optimizer)
        assert loop.driver.tracks[0].skipped == skipped
    assert rates(loop.optimizer) != before
    assert loop.driver.tracks[0].updates == 4


def test_a_module_that_steps_takes_over() -> None:
    """Its first call only takes over what was stepped for it; from then on nothing else moves the schedule."""
    loop = Loop(NODES["one_cycle"]).begin()
    loop.driver.let_the_module_step()
    scheduler = loop.driver.tracks[0].scheduler
    loop.train(3)
    assert scheduler.position == 3
    positions = []
    for _ in range(2):
        scheduler.step()
        loop.train(loop.done + 1)
        positions.append(scheduler.position)
    assert positions == [1, 2]
    assert loop.driver.module_stepped(object()) is True
    saved = loop.checkpoint()
    again = Loop(NODES["one_cycle"]).begin(saved)
    assert again.driver.tracks[0].module_steps
    assert again.driver.tracks[0].scheduler.position == 2
    again.driver.let_the_module_step()
    again.driver.tracks[0].scheduler.step()
    assert again.driver.tracks[0].scheduler.position == 3
    at_once = Loop(NODES["one_cycle"]).begin()
    at_once.driver.let_the_module_step()
    at_once.driver.tracks[0].scheduler._step_count = 9  # whoever calls it is not told of the order
    at_once.driver.tracks[0].scheduler.step()
    assert at_once.driver.tracks[0].scheduler.position == 1
    at_once.driver.close()
    assert at_once.driver.tracks[0].scheduler.gate is None


@pytest.mark.parametrize("frequency", [1, 2])
def test_the_state_counts_the_steps_as_torchs_class(frequency: int) -> None:
    loop = Loop({"name": "cosine", "interval": "step", "T_max": 10, "frequency": frequency}).begin().train(7)
    opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 10)
    for _ in range(7 // frequency):
        opt.step()
        theirs.step()
    saved, expected = loop.driver.tracks[0].scheduler.state_dict(), theirs.state_dict()
    assert {key: saved[key] for key in expected if key != "_last_lr"} == {
        key: value for key, value in expected.items() if key != "_last_lr"
    }
    assert saved["_last_lr"] == pytest.approx(expected["_last_lr"], rel=1e-12)


PLATEAU = {"name": "reduce_on_plateau", "monitor": "loss", "patience": 0, "factor": 0.5}


@pytest.mark.parametrize(("frequency", "expected"), [(1, 0.0125), (2, 0.05)])
def test_metrics(frequency: int, expected: float) -> None:
    loop = Loop({**PLATEAU, "frequency": frequency}).begin()
    means = []
    loop.driver.run.mean = lambda value: means.append(value) or 1.0  # type: ignore[method-assign, func-returns-value]
    for name in ("loss", "other", "a", "loss", "loss", "loss"):
        loop.driver.metric(name, 0.5)
    assert means == [0.5] * 4  # the processes agree, where a schedule asks
    assert loop.driver.tracks[0].values == 4
    assert rates(loop.optimizer) == [pytest.approx(expected)]


def test_metrics_do_not_move_an_ending() -> None:
    loop = Loop(PLATEAU).begin()
    loop.driver.decay_now("4st")
    for _ in range(3):
        loop.driver.metric("loss", 1.0)
    assert rates(loop.optimizer) == [pytest.approx(0.075)]


def test_what_was_loaded_holds_until_it_begins() -> None:
    saved = halfway()
    loop = Loop(COSINE)
    loop.driver.load(saved["schedule"])
    assert loop.driver.state_dict() == saved["schedule"]["driver"]
    nothing = Loop(COSINE, resume="restart")
    nothing.driver.load(None)
    assert nothing.driver.state_dict() == {}


def test_the_epochs_of_a_checkpoint_are_counted_on() -> None:
    loop = Loop(NODES["by epoch"]).begin(halfway(NODES["by epoch"]))
    assert loop.driver.epoch == 1
    loop.driver.end_epoch(1)
    assert rates(loop.optimizer) == [0.025]
    loop.driver.end_epoch(2)
    assert rates(loop.optimizer) == [0.0125]


@pytest.mark.parametrize(
    ("updates", "epochs", "horizon", "rest"),
    [(7, 1, RUN, 13), (7, 1, None, None), (12, 2, RUN, 8), (3, 1, RUN, 15)],
)
def test_a_foreign_checkpoint_within_an_epoch(updates: int, epochs: int, horizon: Any, rest: int | None) -> None:
    node = {"name": "linear", "start_factor": 1.0, "end_factor": 0.0, "total_iters": "100%" if horizon else "13st"}
    loop = Loop(node, horizon, "restart")
    loop.driver.load(None)
    loop.driver.start(updates=updates, epochs=epochs)
    track = loop.driver.tracks[0]
    assert (track.updates, track.origin, track.ticks) == (updates, updates, 0)
    assert track.epoch_updates == (updates if horizon is None else min(updates, 5 * epochs))
    assert track.plan.params["total_iters"] == (rest or 13)


def test_a_run_that_goes_on_without_a_checkpoint_begins_over_what_is_left() -> None:
    loop = Loop({"name": "linear", "start_factor": 1.0, "end_factor": 0.0, "total_iters": "100%"})
    loop.driver.start(updates=5, epochs=1)
    loop.done = 5
    np.testing.assert_allclose(loop.train(20).seen, 0.1 * (1 - np.arange(15) / 15), rtol=1e-12)


def test_starting_again_counts_every_update_once() -> None:
    loop = Loop({"name": "exponential", "gamma": 0.5, "interval": "step"}).begin().begin().train(4)
    assert loop.seen == [0.1, 0.05, 0.025, 0.0125]
    assert loop.driver.running
    loop.driver.close()
    assert not loop.driver.running
    assert loop.train(6).seen[4:] == [0.00625] * 2


def test_more_updates_than_planned_are_said_once() -> None:
    loop = Loop(COSINE, Horizon(epochs=4, steps_per_epoch=3)).begin().train(10)
    assert loop.lines == []
    loop.train(20)
    (line,) = loop.lines
    assert line.startswith("cosine: more updates than planned: 15 by now, and the schedule was laid out for 12.")


@pytest.mark.parametrize(("longer", "size"), [(RUN, 20), (Horizon(epochs=8, steps_per_epoch=5), 40)])
def test_the_line_of_a_resumed_run_has_the_size_of_the_whole(longer: Horizon, size: int) -> None:
    saved = Loop(COSINE).begin().train(7).checkpoint()
    loop = Loop(COSINE, longer, "keep").begin(saved)
    loop.driver.announce()
    assert f" | {size} updates | " in loop.lines[0]
    assert loop.lines[0].endswith(" | resumed at update 7")


@pytest.mark.parametrize("horizon", [RUN, None])
@pytest.mark.parametrize("own", [True, False])
def test_going_on_says_nothing_of_steps_that_were_made_before(own: bool, horizon: Any) -> None:
    """With a state of ours, and where only the checkpoint's step is known."""
    node = {"name": "exponential", "gamma": 0.5, "interval": "step", "verbose": True}
    before = Loop(node, horizon).begin().train(7)
    loop = Loop(node, horizon, "keep")
    if own:
        loop.begin(before.checkpoint())
    else:
        loop.driver.load(None)
        loop.driver.start(updates=7, epochs=1)
        loop.done = 7
    assert rates(loop.optimizer) == [0.1 / 2**7]
    assert loop.driver.tracks[0].end == (20 if horizon else None)
    assert loop.lines == []
    loop.train(8)
    assert loop.lines == before.train(8).lines[-1:]
    assert loop.lines[0].startswith("Step 00008: adjusting learning rate of group 0 to 3.9063e-04.")


def test_a_group_that_joins_between_loading_and_starting() -> None:
    """As where a callback adds the groups that it had added before: they go on from what the checkpoint has of them."""

    def join(loop: Loop) -> None:
        loop.optimizer.add_param_group(
            {"params": [torch.zeros(1, requires_grad=True)], "lr": 0.5 * rates(loop.optimizer)[0]}
        )

    for edit in (1.0, 0.5):
        loop = Loop(COSINE).begin().train(4)
        join(loop)
        loop.train(7)
        loop.optimizer.param_groups[1]["lr"] *= edit
        saved = loop.train(9).checkpoint()
        again = Loop(COSINE)
        again.driver.load(saved["schedule"])
        join(again)
        again.optimizer.load_state_dict(saved["optimizer"])
        again.driver.start()
        for _ in range(8):
            assert rates(again.optimizer) == rates(loop.optimizer)
            for one in (loop, again):
                one.optimizer.step()


def test_what_the_asked_schedule_wrote_is_put_back_where_the_saved_one_goes_on() -> None:
    """Also where the state of the optimizer is not restored, or comes later."""
    cycle = {"name": "one_cycle", "max_lr": 0.5}
    loop = Loop(cycle, resume="keep")
    assert loop.optimizer.param_groups[0]["momentum"] != 0.9
    loop.driver.load(halfway()["schedule"])
    loop.driver.start()
    fresh = Loop(COSINE).begin().optimizer.param_groups[0]
    group = loop.optimizer.param_groups[0]
    assert {**group, "params": None, "lr": 0.1} == {**fresh, "params": None}
    assert group["lr"] == curve(COSINE, 0.1, RUN)[10]


class Keeping(PlainRun):
    """A run that saves schedulers itself, in a list in which they can be replaced."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        super().__init__(RUN, say=self.lines.append)
        self.kept: list[Any] = []

    def schedulers(self) -> list[Any]:
        return self.kept


@pytest.mark.parametrize("replaced", [False, True])
def test_a_schedule_whose_place_another_takes_is_at_rest(replaced: bool) -> None:
    def begin(saved: Any = None) -> tuple[Any, Any, Keeping]:
        opt, the_run = make(), Keeping()
        driver = Driver(the_run)
        the_run.kept = [object(), driver.drive(COSINE, opt)]
        if saved is not None:
            driver.load(saved[0], saved[1])
            opt.load_state_dict(saved[2])
        driver.start()
        return driver, opt, the_run

    driver, opt, the_run = begin()
    for _ in range(6):
        opt.step()
    if replaced:
        the_run.kept[1] = object()
        opt.param_groups[0]["lr"] = 0.03
    for _ in range(2):
        opt.step()
    whole = curve(COSINE, 0.1, RUN)
    assert rates(opt) == [0.03 if replaced else whole[8]]
    assert the_run.lines == ["cosine: replaced by another scheduler, and at rest from here on"] * replaced
    state = driver.state_dict()
    assert state["schedules"]["0/lr"]["slot"] == (None if replaced else 1)
    assert (state["schedules"]["0/lr"]["seal"] is None) is replaced
    states = [None, None if replaced else the_run.kept[1].state_dict()]
    again, other, _ = begin((state, states, opt.state_dict()))
    assert again.tracks[0].scheduler.position == (6 if replaced else 8)
    assert rates(other) == rates(opt)


@pytest.mark.parametrize(
    ("node", "steps"),
    [({"name": "step", "step_size": "3st"}, 20), ({"name": "step", "step_size": 3, "warmup": "2st"}, None)],
)
def test_the_plan_of_the_whole_run_is_taken_where_it_is_the_same(node: Any, steps: int | None) -> None:
    """What is driven stays what it is, whatever becomes known of the run."""

    class Cheap(PlainRun):
        def resolve(self, node: Any, *, key: str | None = None, optimizer: Any = None) -> Plan:
            return resolve(node)

    driver = Driver(Cheap(RUN, say=lambda line: None))
    driver.drive(node, make())
    assert driver.tracks[0].plan.steps is None
    driver.start()
    track = driver.tracks[0]
    assert track.plan is track.asked.plan
    assert (track.plan.steps, track.plan.params["step_size"], track.end) == (steps, 3, 20)


# ---------------------------------------------------------------------------------------- optimizers


def test_only_what_schedules_write_is_put_back() -> None:
    opt = make(2)
    before = groups_of(opt)
    group = opt.param_groups[0]
    group.update(lr=0.3, initial_lr=0.2, max_lr=0.5, momentum=0.1, weight_decay=0.7, min_mine=3)
    del group["dampening"]
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.4, "initial_lr": 0.8, "momentum": 0.3})
    put_back(opt, before, {"lr"})
    assert {**group, "params": 0} == {**before[0], "params": 0, "weight_decay": 0.7}
    third = opt.param_groups[2]
    assert (third["lr"], third["momentum"], "initial_lr" in third) == (0.8, 0.3, False)


def test_copies_of_groups_hold_their_own_tensors() -> None:
    opt = make(tensor=torch.float64)
    before = groups_of(opt)
    tensor = opt.param_groups[0]["lr"]
    tensor.fill_(0.5)
    assert float(before[0]["lr"]) == 0.1
    put_back(opt, before, {"lr"})
    assert opt.param_groups[0]["lr"] is tensor  # a captured step knows the tensor
    assert float(tensor) == 0.1


def test_what_another_scheduler_wrote_is_taken_out() -> None:
    for make_it, rate in (
        (lambda o: lr_scheduler.ExponentialLR(o, 0.5), 0.1),
        (lambda o: lr_scheduler.OneCycleLR(o, 0.5, 10), 0.1),
        (lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.3), 0.1),
        (lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.3, cycle_momentum=False), 0.1),
    ):
        opt = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
        before = dict(opt.param_groups[0])
        scheduler = make_it(opt)
        opt.step()
        scheduler.step()
        without_schedule(opt, scheduler)
        assert opt.param_groups[0] == {**before, "lr": rate}


@pytest.mark.parametrize("cls", [torch.optim.SGD, torch.optim.Adam])
def test_rates_become_tensors_where_the_optimizer_takes_them(cls: Any) -> None:
    for flags, changes in (({}, True), ({"foreach": True}, cls is torch.optim.SGD)):
        opt = cls([torch.zeros(1, requires_grad=True)], lr=0.1, **flags)
        assert has_float_rates(opt)
        make_rates_tensors(opt)
        assert has_float_rates(opt) is not changes
        rate = opt.param_groups[0]["lr"]
        assert float(rate) == pytest.approx(0.1)
        if changes:
            assert (rate.dtype, rate.device.type, rate.ndim) == (torch.float32, "cpu", 0)
        make_rates_tensors(opt)
        assert opt.param_groups[0]["lr"] is rate


def test_a_compiled_step_is_listened_to_from_outside() -> None:
    opt = make()
    plain = opt.step

    def compiled(closure: Any = None) -> str:
        plain(closure)
        return "result"

    compiled._torchdynamo_orig_callable = plain  # type: ignore[attr-defined]
    opt.step = compiled
    assert is_compiled(opt)
    driver = Driver(PlainRun(RUN, say=lambda line: None))
    first = driver.drive({"name": "exponential", "gamma": 0.5, "interval": "step"}, opt)
    driver.start()
    assert opt.step is not compiled
    assert is_compiled(opt)
    second: Any = build({"name": "exponential", "gamma": 0.5, "param": "momentum"}, opt)
    assert opt.step() == "result"
    second.step()  # nobody knows the order of the calls
    assert (first.position, second.position) == (1, 1)
    driver.close()
    assert opt.step is compiled
    opt.step()
    assert first.position == 1
    assert not is_compiled(make())


def test_an_optimizer_that_does_not_tell() -> None:
    with pytest.raises(SchedulerConfigError, match="scheduler='Silent': this optimizer does not tell when it has made"):
        on_update(type("Silent", (), {})(), print)


# ---------------------------------------------------------------------------------------- damage


@pytest.mark.parametrize("key", ["last_epoch", "base_lrs", "T_max", "eta_min", "_last_lr"])
@pytest.mark.parametrize("value", [float("nan"), None, "x", -1, "delete"])
def test_a_damaged_scheduler_is_refused_and_named(key: str, value: Any) -> None:
    saved = halfway()
    state = saved["schedule"]["schedulers"][0]
    if value == "delete":
        del state[key]
    else:
        state[key] = [value] if isinstance(state[key], list) else value
    with pytest.raises(SchedulerConfigError, match="0/lr: "):
        Loop(COSINE).begin(saved)


def test_a_missing_scheduler_is_refused() -> None:
    saved = halfway()
    saved["schedule"]["schedulers"] = []
    with pytest.raises(SchedulerConfigError, match="a scheduler's state is missing"):
        Loop(COSINE).begin(saved)


# ---------------------------------------------------------------------------------------- the ambient run


def test_a_schedule_that_is_built_within_a_run_knows_it() -> None:
    the_run = PlainRun(RUN)
    enter(the_run)
    try:
        assert current() is the_run
        assert build("cosine", make()).T_max == 20  # type: ignore[attr-defined]
    finally:
        leave()
    assert current() is None
    enter(the_run)
    del the_run
    assert current() is None, "the ambient run is held weakly"
    with pytest.raises(SchedulerConfigError, match=r"LRSchedulerCallback.*lr_configs\.lightning"):
        build("cosine", make())


# ---------------------------------------------------------------------------------------- the examples


def lines_of(process: subprocess.Popen[str], count: int) -> list[float]:
    found: list[float] = []
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("rate "):
            found.append(json.loads(line[5:]))
            if len(found) == count:
                break
    return found


@pytest.mark.parametrize(
    ("example", "count", "kill"), [("plain_loop.py", 64, 21), pytest.param("fabric.py", 48, 15, marks=pytest.mark.slow)]
)
def test_an_example_is_killed_and_goes_on(example: str, count: int, kill: int, tmp_path: Path) -> None:
    script = str(ROOT / "examples" / example)

    def start(folder: str) -> subprocess.Popen[str]:
        command = [sys.executable, script, "--folder", str(tmp_path / folder)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)

    with start("whole") as process:
        whole = lines_of(process, count)
        assert process.stdout is not None
        assert "rate" not in process.stdout.read()
        assert process.stderr is not None
        assert process.wait() == 0, process.stderr.read()
    assert len(whole) == count
    assert len(set(whole)) > 2
    for attempt in range(5):  # on a busy machine the signal may come when all is done
        with start(f"killed {attempt}") as process:
            assert lines_of(process, kill) == whole[:kill]
            os.kill(process.pid, signal.SIGKILL)
        with start(f"killed {attempt}") as process:
            rest = lines_of(process, count)
        if rest:
            break
    assert 0 < len(rest) < count
    assert rest == whole[-len(rest) :]


@pytest.mark.parametrize("example", ["plain_loop.py", "fabric.py"])
def test_an_example_is_short(example: str) -> None:
    text = (ROOT / "examples" / example).read_text()
    assert len(text.splitlines()) < 60
    assert "pytorch_lightning" not in text
    assert "Trainer" not in text


def test_torch_is_not_needed_for_decisions() -> None:
    code = "import sys, lr_configs.resume, lr_configs.run; assert 'torch' not in sys.modules; import torch"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert "torch" in vars(torch)["__name__"]


class Extended(torch.optim.SGD):
    """Its step calls that of the class it extends, and torch tells of both."""

    def step(self, closure: Any = None) -> Any:
        return super().step(closure)


def test_an_update_counts_once_where_a_step_calls_another() -> None:
    make().step()  # from the first one on torch tells of the steps of SGD
    of = Extended([torch.zeros(1, requires_grad=True)], lr=0.1)
    driver = Driver(PlainRun(Horizon(steps=10), say=lambda line: None))
    driver.drive({"name": "cosine", "interval": "step"}, of)
    driver.start()
    for update in range(5):
        assert rates(of)[0] == curve("cosine", 0.1, Horizon(epochs=10))[update]
        of.step()
    driver.close()
    of.step()
    assert driver.tracks[0].updates == 5


@pytest.mark.parametrize("first", [0, 1])
def test_hooks_are_taken_off_in_any_order(first: int) -> None:
    of = Extended([torch.zeros(1, requires_grad=True)], lr=0.1)
    heard: list[int] = []
    handles = [on_update(of, lambda _, i=i: heard.append(i)) for i in range(2)]  # type: ignore[misc]
    of.step()
    handles.pop(first).remove()
    of.step()
    handles.pop().remove()
    of.step()
    assert heard == [0, 1, 1 - first]
    assert ("step" in vars(of)) == (first == 0)  # what was inside when it was taken off stays, and does nothing


@pytest.mark.parametrize("frequency", [1, 3])
@pytest.mark.parametrize("by_epoch", [False, True])
@pytest.mark.parametrize("policy", ["keep", "stretch"])
def test_an_early_ending_goes_down_to_the_end_of_a_shorter_run(policy: str, by_epoch: bool, frequency: int) -> None:
    """What the rate is at the last update of this run, not of the one whose schedule goes on."""
    node = {"name": "linear", "end_factor": 0.1, "start_factor": 1.0, "total_iters": "100%"}
    node |= {"interval": "epoch" if by_epoch else "step", "frequency": frequency}
    if by_epoch and frequency == 1:
        node["total_iters"] = 4  # plain epochs
    shorter = Horizon(epochs=3, steps_per_epoch=5)
    saved = Loop(node, RUN).begin().train(5).checkpoint()
    whole = Loop(node, shorter, policy).begin(saved).train(15).seen
    ended = Loop(node, shorter, policy).begin(saved).train(7)
    ended.driver.decay_now("8st")
    ended.train(15)
    low = whole[-1] if whole[-1] < whole[2] else 0.0
    assert rates(ended.optimizer) == [pytest.approx(low)]
