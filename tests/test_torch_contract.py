"""What code written for torch's schedulers may rely on, beyond their rates: the same statements of torch's class and ours."""

from __future__ import annotations

import copy
import inspect
import io
from collections.abc import Callable
from typing import Any

import helpers
import pytest
import torch
from torch.optim import lr_scheduler

from lr_configs import schedulers
from lr_configs.registry import entry

#: class -> arguments, and others for one that is loaded over
ARGUMENTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "LambdaLR": ({"lr_lambda": lambda t: 0.95**t}, {"lr_lambda": lambda t: 0.95**t}),
    "MultiplicativeLR": ({"lr_lambda": lambda t: 0.95}, {"lr_lambda": lambda t: 0.95}),
    "StepLR": ({"step_size": 3, "gamma": 0.5}, {"step_size": 7, "gamma": 0.1}),
    "MultiStepLR": ({"milestones": [2, 5], "gamma": 0.5}, {"milestones": [1, 9], "gamma": 0.1}),
    "ConstantLR": ({"factor": 0.5, "total_iters": 4}, {"factor": 0.1, "total_iters": 9}),
    "LinearLR": ({"start_factor": 0.5, "total_iters": 4}, {"start_factor": 0.1, "total_iters": 9}),
    "ExponentialLR": ({"gamma": 0.5}, {"gamma": 0.9}),
    "PolynomialLR": ({"total_iters": 20, "power": 2.0}, {"total_iters": 9}),
    "CosineAnnealingLR": ({"T_max": 20, "eta_min": 0.01}, {"T_max": 9}),
    "CosineAnnealingWarmRestarts": ({"T_0": 5, "T_mult": 2}, {"T_0": 9}),
    "CyclicLR": (
        {"base_lr": 0.01, "max_lr": 0.2, "step_size_up": 3, "mode": "triangular2"},
        {"base_lr": 0.02, "max_lr": 0.3, "step_size_up": 7},
    ),
    "OneCycleLR": ({"max_lr": 0.2, "total_steps": 40}, {"max_lr": 0.3, "total_steps": 90}),
}
NAMES = list(ARGUMENTS)
each = pytest.mark.parametrize("name", NAMES)
module = pytest.mark.parametrize("module", [lr_scheduler, schedulers], ids=["torch", "ours"])


def made(module: Any, name: str, optimizer: Any, other: bool = False, **more: Any) -> Any:
    return getattr(module, name)(optimizer, **ARGUMENTS[name][other], **more)


def walk(scheduler: Any, steps: int) -> list[list[float]]:
    found = []
    for _ in range(steps):
        scheduler.optimizer.step()
        scheduler.step()
        found.append(helpers.rates(scheduler.optimizer))
    return found


def through_a_file(state: Any) -> Any:
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def load(loaded: Any, saved: Any, state: dict[str, Any]) -> None:
    loaded.optimizer.load_state_dict(saved.optimizer.state_dict())
    loaded.load_state_dict(state)


def without_functions(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in ("optimizer", "lr_lambdas", "_scale_fn_ref")}


@module
@each
def test_one_that_loaded_a_state_holds_the_same(module: Any, name: str) -> None:
    saved = made(module, name, helpers.optimizer(2))
    walk(saved, 6)
    loaded = made(module, name, helpers.optimizer(2), other=True)
    load(loaded, saved, saved.state_dict())
    assert without_functions(vars(loaded)) == without_functions(vars(saved))
    assert loaded.get_last_lr() == saved.get_last_lr()


@module
@each
def test_a_state_comes_back_from_a_file_as_it_was(module: Any, name: str) -> None:
    saved = made(module, name, helpers.optimizer(2))
    walk(saved, 6)
    state = saved.state_dict()
    read = through_a_file(state)
    assert read == state
    loaded = made(module, name, helpers.optimizer(2), other=True)
    load(loaded, saved, read)
    assert loaded.state_dict() == state


@module
@each
def test_one_made_anew_at_its_step_goes_on(module: Any, name: str) -> None:
    saved = made(module, name, helpers.optimizer(2, cls=torch.optim.AdamW))
    walk(saved, 1)
    optimizer = helpers.optimizer(2, cls=torch.optim.AdamW)
    optimizer.load_state_dict(saved.optimizer.state_dict())
    anew = made(module, name, optimizer, last_epoch=0)
    assert helpers.close(helpers.rates(optimizer), helpers.rates(saved.optimizer))
    assert helpers.close(anew.get_last_lr(), saved.get_last_lr())


@module
@each
def test_base_rates_are_copies_of_a_tensor_rate(module: Any, name: str) -> None:
    rate = torch.tensor(0.1)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate, momentum=0.9)
    scheduler = made(module, name, optimizer)
    bases, initial = copy.deepcopy(scheduler.base_lrs), copy.deepcopy(optimizer.param_groups[0]["initial_lr"])
    walk(scheduler, 2)
    rate.mul_(0.5)
    assert scheduler.base_lrs == bases
    assert optimizer.param_groups[0]["initial_lr"] == initial


@module
@each
def test_step_is_called_once_while_it_is_made(module: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cls, calls = getattr(module, name), []
    step: Callable[..., None] = cls.step

    def counted(self: Any, *arguments: Any) -> None:
        calls.append(self)
        step(self, *arguments)

    monkeypatch.setattr(cls, "step", counted)
    made(module, name, helpers.optimizer(2))
    assert len(calls) == 1


class Halving:
    """A scale function with a state, which torch keeps in the checkpoint."""

    def __init__(self, by: float) -> None:
        self.by = by

    def __call__(self, cycle: float) -> float:
        return self.by ** (cycle - 1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Halving) and other.by == self.by


class Factor:
    """A function with a state, which torch keeps in the checkpoint."""

    def __init__(self, by: float) -> None:
        self.by = by

    def __call__(self, step: int) -> float:
        return self.by**step

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Factor) and other.by == self.by


@module
def test_what_a_function_object_holds_is_restored(module: Any) -> None:
    saved = module.LambdaLR(helpers.optimizer(2), Factor(0.5))
    walk(saved, 3)
    loaded = module.LambdaLR(helpers.optimizer(2), Factor(0.9))
    load(loaded, saved, copy.deepcopy(saved.state_dict()))
    expected = walk(saved, 3)
    assert loaded.lr_lambdas == [Factor(0.5), Factor(0.5)]
    assert all(helpers.close(*pair) for pair in zip(walk(loaded, 3), expected, strict=True))


@module
@pytest.mark.parametrize(
    "mode",
    ["triangular", "triangular2", "exp_range", Halving(0.5)],
    ids=["triangular", "triangular2", "exp_range", "own"],
)
def test_a_cyclic_one_keeps_its_scale_function(module: Any, mode: Any) -> None:
    def cyclic(optimizer: Any, **more: Any) -> Any:
        return module.CyclicLR(optimizer, 0.01, 0.2, step_size_up=3, gamma=0.9, **more)

    chosen = {"scale_fn": mode} if callable(mode) else {"mode": mode}
    saved = cyclic(helpers.optimizer(2), **chosen)
    walk(saved, 8)
    loaded = cyclic(helpers.optimizer(2), **({"scale_fn": Halving(0.1)} if callable(mode) else {}))
    load(loaded, saved, copy.deepcopy(saved.state_dict()))
    assert all(helpers.close(*pair) for pair in zip(walk(loaded, 12), walk(saved, 12), strict=True))


def test_bases_out_of_a_state_with_tensors_are_numbers() -> None:
    theirs = lr_scheduler.StepLR(helpers.optimizer(2, tensor=torch.float64), 2, 0.5)
    assert all(isinstance(base, torch.Tensor) for base in theirs.state_dict()["base_lrs"])
    loaded = schedulers.StepLR(helpers.optimizer(2), 2, 0.5)
    loaded.load_state_dict(theirs.state_dict())
    assert [type(base) for base in loaded.state_dict()["base_lrs"]] == [float, float]


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("steps", [0, 1, 5])
def test_states_are_torchs_at_every_step(groups: int, steps: int) -> None:
    found = []
    for source in (lr_scheduler, schedulers):
        scheduler = source.StepLR(helpers.optimizer(groups), 2, 0.5)
        walk(scheduler, steps)
        found.append(scheduler.state_dict())
    assert found[0] == found[1]


@module
def test_a_cyclic_one_with_a_function_that_no_state_has(module: Any) -> None:
    def cyclic(optimizer: Any) -> Any:
        return module.CyclicLR(optimizer, 0.01, 0.2, step_size_up=3, scale_fn=lambda cycle: 0.5**cycle)

    saved, loaded = cyclic(helpers.optimizer(2)), cyclic(helpers.optimizer(2))
    walk(saved, 4)
    assert saved.state_dict()["_scale_fn_custom"] is None
    load(loaded, saved, copy.deepcopy(saved.state_dict()))
    assert all(helpers.close(*pair) for pair in zip(walk(loaded, 9), walk(saved, 9), strict=True))


@pytest.mark.parametrize("frequency", [1, 2, 3])
def test_a_group_that_joins_late_goes_as_with_torch(frequency: int) -> None:
    found = []
    for source in (lr_scheduler, schedulers):
        optimizer = helpers.optimizer(1)
        scheduler = source.StepLR(optimizer, frequency, 0.5)
        walk(scheduler, 1)
        optimizer.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.1})
        found.append([rates[1] for rates in walk(scheduler, 5)])
    assert helpers.close(found[1], found[0])


@pytest.mark.parametrize("name", helpers.TORCH_NAMES)
def test_defaults_are_torchs(name: str) -> None:
    """But for lengths, which are shares of the run where torch asks for them."""
    fields = entry(name).__dataclass_fields__
    theirs = inspect.signature(helpers.TORCH_NAMES[name]).parameters
    compared = 0
    for key, parameter in theirs.items():
        share = key in fields and fields[key].metadata.get("length") and isinstance(fields[key].default, str)
        if key in fields and parameter.default is not parameter.empty and not share:
            assert fields[key].default == parameter.default, key
            compared += 1
    assert compared or not set(theirs) & set(fields)


@pytest.mark.parametrize("T_mult", [1, 2])
def test_the_place_within_a_period_may_be_set(T_mult: int) -> None:
    def seen(module: Any) -> list[Any]:
        opt = helpers.optimizer()
        schedule = module.CosineAnnealingWarmRestarts(opt, 4, T_mult)
        found = []
        for value in (2, 0.5, 3, 1, 0):
            schedule.T_cur = value
            for _ in range(3):
                opt.step()
                schedule.step()
                found.append((schedule.T_cur, schedule.T_i, *helpers.rates(opt)))
        return found

    assert seen(schedulers) == [pytest.approx(one) for one in seen(lr_scheduler)]


@module
@pytest.mark.parametrize("anneal_strategy", ["cos", "linear"])
def test_a_state_with_the_function_that_old_torch_kept(module: Any, anneal_strategy: Any) -> None:
    new, old = helpers.optimizer(), helpers.optimizer()
    made = {"max_lr": 0.2, "total_steps": 10, "anneal_strategy": anneal_strategy}
    schedule, legacy = (module.OneCycleLR(opt, **made) for opt in (new, old))
    del legacy._anneal_func_type
    state = legacy.state_dict()
    state["anneal_func"] = getattr(module.OneCycleLR, f"_annealing_{anneal_strategy}")
    legacy.load_state_dict(state)
    for _ in range(9):
        for opt, one in ((new, schedule), (old, legacy)):
            opt.step()
            one.step()
        assert helpers.rates(old) == helpers.rates(new)


@module
def test_a_plateau_with_floors_for_other_groups_than_there_are(module: Any) -> None:
    opt = helpers.optimizer(2)
    schedule = module.ReduceLROnPlateau(opt, patience=0, min_lr=[1e-5, 1e-4])
    opt.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": 0.05})
    schedule.step(1.0)
    with pytest.raises(RuntimeError, match="The number of param groups in the"):
        schedule.step(1.3)
    schedule.min_lrs.append(1e-3)
    schedule.step(1.4)
    assert helpers.rates(opt)[-1] == pytest.approx(0.005)
