"""A loop of one's own: what it is told, and that it goes on exactly from any update."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from helpers import optimizer, rates

from lr_configs import Horizon, SchedulerConfigError, curve
from lr_configs.fabric_run import FabricRun
from lr_configs.loop import Loop
from lr_configs.run import PlainRun

RUN = Horizon(epochs=4, steps_per_epoch=5)
NODES: list[dict[str, Any]] = [
    {"name": "cosine", "warmup": "10%"},
    {"name": "step", "step_size": 2},
    {"name": "one_cycle", "frequency": 3},
]


def train(loop: Loop, opt: Any, saves: list[Any] | None = None, saved: Any = None, per_epoch: int = 5) -> list[float]:
    """The rate of every update; after each of them a checkpoint."""
    loop.begin(saved)
    found = []
    for _ in loop.epochs():
        for _ in loop.batches(range(per_epoch)):
            found.append(rates(opt)[0])
            opt.step()
            if saves is not None:
                saves.append(copy.deepcopy(loop.save()))
    return found


@pytest.mark.parametrize("node", NODES, ids=lambda node: node["name"])
def test_it_goes_on_from_any_update(node: dict[str, Any], capsys: Any) -> None:
    opt, saves = optimizer(2), []
    whole = train(Loop(node, opt, RUN), opt, saves)
    if node["name"] == "cosine":
        assert whole == pytest.approx(curve(node, 0.1, RUN).tolist())
        assert capsys.readouterr().out.startswith("cosine | interval=step | 20 updates")
    assert len(whole) == 20
    for n, saved in enumerate(saves, 1):
        opt = optimizer(2)
        assert train(Loop(node, opt, RUN), opt, saved=saved) == whole[n:]


def test_a_checkpoint_between_epochs() -> None:
    opt = optimizer()
    loop = Loop("cosine", opt, RUN)
    loop.begin()
    whole, saves = [], []
    for _ in loop.epochs():
        for _ in loop.batches(range(5)):
            whole.append(rates(opt)[0])
            opt.step()
        loop.end_epoch()
        saves.append(copy.deepcopy(loop.save()))
    for n, saved in enumerate(saves, 1):
        opt = optimizer()
        assert train(Loop("cosine", opt, RUN), opt, saved=saved) == whole[5 * n :]


def test_another_request() -> None:
    opt, saves = optimizer(), []
    whole = train(Loop("cosine", opt, RUN), opt, saves)
    longer = Horizon(epochs=6, steps_per_epoch=5)
    with pytest.raises(SchedulerConfigError, match="T_max 20"):
        Loop("cosine", optimizer(), longer).begin(saves[9])
    opt = optimizer()
    rest = train(Loop("cosine", opt, longer, resume="stretch"), opt, saved=saves[9])
    assert rest[0] == pytest.approx(whole[10])
    assert len(rest) == 20
    assert rest == sorted(rest, reverse=True)


def test_several_hyper_parameters_and_a_metric() -> None:
    opt = optimizer()
    nodes = [
        {"name": "reduce_on_plateau", "monitor": "loss", "patience": 0, "factor": 0.5},
        {"name": "linear", "param": "momentum", "end_factor": 0.5, "start_factor": 1.0, "total_iters": 4},
    ]
    loop = Loop(nodes, opt, RUN)
    loop.begin()
    seen = []
    for epoch in loop.epochs():
        seen.append((rates(opt)[0], opt.param_groups[0]["momentum"]))
        for _ in loop.batches(range(5)):
            opt.step()
        loop.end_epoch()
        loop.metric("loss", [1.0, 2.0, 2.0, 0.5][epoch])
    assert seen == [
        (0.1, 0.9),
        (0.1, pytest.approx(0.7875)),
        (0.05, pytest.approx(0.675)),
        (0.025, pytest.approx(0.5625)),
    ]


def test_a_run_without_an_end() -> None:
    opt = optimizer()
    loop = Loop({"name": "exponential", "gamma": 0.5}, opt)
    loop.begin()
    for epoch in loop.epochs():
        assert rates(opt) == [0.1 * 0.5**epoch]
        for _ in loop.batches("abc"):
            opt.step()
        if epoch == 5:
            break


def test_updates_that_a_scaler_skips_are_batches_nevertheless() -> None:
    """A checkpoint counts what was taken from the loader, not what came of it."""
    opt = optimizer()
    loop = Loop("cosine", opt, RUN)
    loop.begin()
    next(loop.epochs())
    batches = loop.batches(range(5))
    assert [next(batches), next(batches)] == [0, 1]
    saved = copy.deepcopy(loop.save())
    again = Loop("cosine", optimizer(), RUN)
    again.begin(saved)
    next(again.epochs())
    assert list(again.batches(range(5))) == [2, 3, 4]


class Fabric:
    """What FabricRun needs of one, as the first of two processes."""

    world_size = 2

    def __init__(self) -> None:
        self.lines: list[str] = []

    def print(self, line: str) -> None:
        self.lines.append(line)

    def all_reduce(self, value: Any, reduce_op: str) -> Any:
        assert reduce_op == "mean"
        return (value + 3.0) / 2


def test_a_run_of_several_processes() -> None:
    fabric = Fabric()
    run = FabricRun(fabric, RUN)
    assert isinstance(run, PlainRun)
    assert (run.processes, run.mean(1.0)) == (2, 2.0)
    Loop("cosine", optimizer(), run).begin()
    assert fabric.lines[0].startswith("cosine | interval=step | 20 updates")
