"""The driver without a trainer: clocks, early endings, going on, and the two examples that use it."""

from __future__ import annotations

import copy
import json
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

from lr_configs import Horizon, SchedulerConfigError, build, curve
from lr_configs.driver import Driver
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


@pytest.mark.parametrize(("example", "count", "kill"), [("plain_loop.py", 64, 21), ("fabric.py", 48, 15)])
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
    assert len(text.splitlines()) <= 150
    assert "pytorch_lightning" not in text
    assert "Trainer" not in text


def test_torch_is_not_needed_for_decisions() -> None:
    code = "import sys, lr_configs.resume, lr_configs.run; assert 'torch' not in sys.modules; import torch"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert "torch" in vars(torch)["__name__"]
