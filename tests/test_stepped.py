"""A scheduler class of somebody else's, stepped as it is: what a driver may ask of it."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from helpers import optimizer, rates
from torch.optim.lr_scheduler import LRScheduler

from lr_configs import Horizon, SchedulerConfigError, available, build, register, registry
from lr_configs.driver import Driver
from lr_configs.run import PlainRun


class Halving(LRScheduler):
    """Half of what the groups hold, every so often."""

    def __init__(self, optimizer: Any, every: int = 2, last_epoch: int = -1) -> None:
        self.every = every
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        half = self.last_epoch > 0 and self.last_epoch % self.every == 0
        return [group["lr"] * (0.5 if half else 1.0) for group in self.optimizer.param_groups]

    def _get_closed_form_lr(self) -> list[float]:
        return [base * 0.5 ** (self.last_epoch // self.every) for base in self.base_lrs]


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    before = available()
    register("halving", Halving)
    yield
    for name in set(available()) - set(before):
        registry.remove(name)


NODE = {"name": "halving", "interval": "step"}


@pytest.fixture
def made() -> Any:
    return build(NODE, optimizer(2))


def test_it_is_driven_without_torchs_warnings(made: Any) -> None:
    """The order of the calls is the driver's affair, also of those of a jump, and no step is given an epoch."""
    fresh: Any = build(NODE, optimizer(2))
    fresh.jump(3)
    loaded: Any = build(NODE, optimizer(2))
    loaded.load_state_dict(fresh.state_dict())
    loaded.jump(1)
    assert made.is_stage is False
    for t in range(1, 6):
        made.advance()
        assert (made.position, made.last_epoch) == (t, t)
        assert (
            made.held()
            == rates(made.optimizer)
            == made.get_last_lr()
            == [0.1 * 0.5 ** (t // 2), 0.05 * 0.5 ** (t // 2)]
        )


@pytest.mark.parametrize("tensor", [None, torch.float64])
def test_it_jumps_by_stepping_and_back_from_its_beginning(tensor: Any) -> None:
    made: Any = build(NODE, opt := optimizer(2, tensor=tensor))
    for t in (5, 2, 2, 0, 3.9, 4):
        made.jump(t)
        assert made.position == int(t)
        assert rates(opt) == pytest.approx([0.1 * 0.5 ** (int(t) // 2), 0.05 * 0.5 ** (int(t) // 2)])
    assert made.rates_at(99) == rates(opt)


def test_its_own_step_takes_an_epoch(made: Any) -> None:
    made.optimizer.step()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.step(4)
    assert rates(made.optimizer) == pytest.approx([0.025, 0.0125])


def test_a_gate_is_asked(made: Any) -> None:
    asked = []
    made.gate = lambda scheduler: asked.append(scheduler)
    for _ in range(4):
        made.optimizer.step()
        made.step()
    assert (made.position, len(asked)) == (0, 4)
    made.gate = lambda scheduler: True
    made.step()
    assert made.position == 1


def test_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    made: Any = build({**NODE, "verbose": True}, optimizer(1))
    made.jump(4)
    assert capsys.readouterr().out.splitlines() == [
        f"Step {t:05d}: adjusting learning rate of group 0 to {rate}."
        for t, rate in ((2, "5.0000e-02"), (4, "2.5000e-02"))
    ]


@pytest.mark.parametrize("tensor", [None, torch.float64])
def test_rates_are_put(tensor: Any) -> None:
    made: Any = build(NODE, opt := optimizer(3, tensor=tensor))
    made.put([0.04, 0.03])
    assert rates(opt) == [0.04, 0.03, 0.04]


def test_its_state_is_torchs(made: Any) -> None:
    made.jump(3)
    reference = Halving(optimizer(2))
    assert set(made.state_dict()) == set(reference.state_dict())
    again: Any = build(NODE, opt := optimizer(2))
    opt.load_state_dict(copy.deepcopy(made.optimizer.state_dict()))
    again.load_state_dict(copy.deepcopy(made.state_dict()))
    assert again.position == 3
    again.advance()
    assert rates(opt) == [0.025, 0.0125]


@pytest.mark.parametrize(
    ("state", "position", "words"),
    [
        (None, 3, r"lr_schedulers=None.*it cannot be read"),
        ({"last_epoch": 2}, 3, r"it is at step 2, the run at 3"),
    ],
)
def test_a_damaged_state(made: Any, state: Any, position: int, words: str) -> None:
    made.jump(3)
    with pytest.raises(SchedulerConfigError, match=words):
        made.restore(state, position)
    made.restore({"last_epoch": 4}, 4)


def test_a_driver_goes_on_with_it() -> None:
    def begin(saved: Any = None) -> tuple[Any, Any]:
        opt = optimizer(1)
        driver = Driver(PlainRun(Horizon(steps=12), say=lambda line: None))
        driver.drive(NODE, opt)
        if saved is not None:
            driver.load(saved[0])
            opt.load_state_dict(saved[1])
        driver.start()
        return driver, opt

    driver, opt = begin()
    for t in range(12):
        assert rates(opt) == [0.1 * 0.5 ** (t // 2)]
        saved = copy.deepcopy((driver.save(), opt.state_dict()))
        _, other = begin(saved)
        opt.step()
        other.step()
        assert rates(other) == rates(opt), t


def test_a_class_that_cannot_be_extended() -> None:
    class Final(LRScheduler):
        def __init_subclass__(cls, **kwargs: Any) -> None:
            raise TypeError("this class is final")

    register("final", Final)
    with pytest.raises(SchedulerConfigError, match=r"name='FinalLR': its class cannot be stepped: this class is final"):
        build("final", optimizer())


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("no such\nthing"), r"^name='picky': no such\. See the schedule's documentation"),
        (TypeError(), r"^name='picky': \. See|^name='picky'"),
        (SchedulerConfigError("depth", 3, "too deep", "Lower it"), r"^depth=3: too deep"),
    ],
)
def test_what_the_constructor_of_a_class_refuses(error: Exception, words: str) -> None:
    class Picky(LRScheduler):
        def __init__(self, optimizer: Any, last_epoch: int = -1) -> None:
            raise error

    register("picky", Picky)
    with pytest.raises(SchedulerConfigError, match=words):
        build("picky", optimizer())
    registry.remove("picky")
