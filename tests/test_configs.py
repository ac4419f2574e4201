"""Configs and registry: torch's signatures, round trips, and an error table."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
from typing import Any

import pytest
import torch
from helpers import BEYOND_TORCH, TORCH_NAMES, TWINS, optimizer
from omegaconf import OmegaConf

import lr_configs
from lr_configs import Horizon, SchedulerConfigError, available, build, scheduler, schedulers
from lr_configs.config import SchedulerConfig, own_keys
from lr_configs.hydra_store import node
from lr_configs.registry import entry, parse
from lr_configs.schedules import StepLRConfig


def test_the_names() -> None:
    assert set(available()) == {*TORCH_NAMES, "none", *BEYOND_TORCH}
    for name, cls in TORCH_NAMES.items():
        assert entry(name).__name__ == f"{cls.__name__}Config"


@pytest.mark.parametrize("name", TORCH_NAMES)
def test_torchs_parameter_names_and_defaults(name: str) -> None:
    if name in ("sequential", "chained"):
        return
    fields = entry(name).__dataclass_fields__
    for key, parameter in inspect.signature(TORCH_NAMES[name].__init__).parameters.items():
        if key in ("self", "optimizer", "last_epoch"):
            continue
        assert key in fields, key
        if parameter.default not in (inspect.Parameter.empty, None):
            assert fields[key].default == parameter.default, key


def test_the_node_is_flat_and_ordered_as_promised() -> None:
    keys = list(OmegaConf.to_container(node("cosine_warm_restarts")))  # type: ignore[arg-type]
    assert keys[:5] == ["_target_", "name", "T_0", "T_mult", "eta_min"]
    common = ["interval", "frequency", "monitor", "warmup", "warmup_start_factor", "warmup_shape"]
    assert keys[5:11] == common
    assert keys[-2:] == ["verbose", "last_epoch"]
    composed = node("cosine_warm_restarts")
    assert composed._target_ == "lr_configs.scheduler"
    assert (composed.T_0, composed.warmup_start_factor, composed.last_epoch) == ("10%", 0.01, -1)


@pytest.mark.parametrize("name", available())
def test_what_a_schedule_computes_with_is_no_instance(name: str) -> None:
    """Formulas take the parameters of a curve, which are not those of a config: they are called on the class."""
    for key in dir(entry(name)):
        of_all = inspect.getattr_static(SchedulerConfig, key, None)
        if isinstance(of_all, (staticmethod, classmethod)) and not key.startswith("__"):
            assert type(inspect.getattr_static(entry(name), key)) is type(of_all), key
        own = inspect.getattr_static(entry(name), key)
        if inspect.isfunction(own):
            assert next(iter(inspect.signature(own).parameters)) == "self", key


@pytest.mark.parametrize("name", available())
def test_the_arguments_of_the_classes(name: str) -> None:
    config = entry(name)
    if config.torch_name in vars(torch.optim.lr_scheduler):
        return  # they have torch's
    arguments = inspect.signature(getattr(schedulers, config.torch_name)).parameters
    assert list(arguments) == ["optimizer", *own_keys(config), "last_epoch"]
    for key in own_keys(config):
        assert arguments[key].default == config.__dataclass_fields__[key].default


@pytest.mark.parametrize("name", TORCH_NAMES)
def test_constructors_look_like_torchs(name: str) -> None:
    ours, theirs = (
        getattr(module, entry(name).torch_name).__init__ for module in (schedulers, torch.optim.lr_scheduler)
    )
    assert (ours.__name__, ours.__doc__) == (theirs.__name__, theirs.__doc__)
    shared = [
        one for one in inspect.signature(ours).parameters.values() if one.name in inspect.signature(theirs).parameters
    ]
    if not any(one.kind is inspect.Parameter.VAR_POSITIONAL for one in inspect.signature(ours).parameters.values()):
        assert [(one.name, one.default) for one in shared] == [
            (one.name, one.default) for one in inspect.signature(theirs).parameters.values()
        ]


def test_keys_are_given_by_name() -> None:
    with pytest.raises(TypeError, match="positional"):
        StepLRConfig("step")  # type: ignore[misc]


def test_a_whole_number_of_periods_is_an_integer() -> None:
    for value, kind in ((2.0, int), ("2", int), (2, int), (1.5, float)):
        assert type(parse({"name": "cosine_warm_restarts", "T_mult": value}).T_mult) is kind  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", available())
def test_round_trips(name: str) -> None:
    monitor = {"monitor": "val_loss"} if name == "reduce_on_plateau" else {}
    config = parse({"name": name, **monitor})
    assert parse(config) == config
    assert parse(config.to_dict()) == config
    assert parse(json.loads(json.dumps(config.to_dict()))) == config
    assert parse(OmegaConf.merge(node(name), monitor)) == config
    assert pickle.loads(pickle.dumps(config)) == config
    assert copy.deepcopy(config) == config
    assert OmegaConf.to_object(OmegaConf.merge(node(name), monitor)) == config
    assert config.warmup == 0


@pytest.mark.parametrize("name", available())
def test_every_call_form(name: str) -> None:
    import hydra

    monitor = {"monitor": "val_loss"} if name == "reduce_on_plateau" else {}
    cfg = OmegaConf.merge(node(name), {"warmup": "5%", **monitor})
    horizon = Horizon(epochs=20, steps_per_epoch=10)
    spec = hydra.utils.instantiate(cfg)
    assert isinstance(spec, SchedulerConfig)
    made = [
        spec(optimizer(), horizon=horizon),
        build(cfg, optimizer(), horizon),
        build(OmegaConf.to_container(cfg), optimizer(), horizon),
        build(spec, optimizer(), horizon),
        hydra.utils.instantiate(cfg, optimizer=optimizer(), horizon=horizon),
        hydra.utils.instantiate(cfg, optimizer(), horizon=horizon),
        scheduler(optimizer(), **{**OmegaConf.to_container(cfg), "horizon": horizon}),  # type: ignore[dict-item]
    ]
    assert len({type(one) for one in made}) == 1
    assert len({tuple(one.get_last_lr()) for one in made}) == 1
    if name in TORCH_NAMES:
        assert isinstance(made[0], TORCH_NAMES[name])
    assert isinstance(made[0], torch.optim.lr_scheduler.LRScheduler)


def test_absolute_lengths_need_no_horizon() -> None:
    import hydra

    cfg = OmegaConf.merge(node("cosine"), {"T_max": 10})
    schedule = hydra.utils.instantiate(cfg, optimizer=optimizer())
    assert schedule.T_max == 10
    assert build("exponential", optimizer()).get_last_lr() == [0.1]
    assert build(StepLRConfig(step_size=3), optimizer()).get_last_lr() == [0.1]


def test_the_typing_of_a_composed_node_is_kept() -> None:
    from omegaconf.errors import ConfigKeyError, ValidationError

    cfg = node("step")
    with pytest.raises(ValidationError):
        cfg.gamma = "abc"
    with pytest.raises((ConfigKeyError, AttributeError)):
        cfg.gama = 1


def test_omegaconf_containers_do_not_reach_torch() -> None:
    import hydra

    cfg = OmegaConf.merge(node("multi_step"), {"milestones": [3, 5]})
    schedule = hydra.utils.instantiate(cfg, optimizer=optimizer())
    assert "omegaconf" not in repr(schedule.state_dict())
    cfg = OmegaConf.merge(node("one_cycle"), {"max_lr": [0.3], "total_steps": 10})
    opt = optimizer()
    hydra.utils.instantiate(cfg, optimizer=opt)
    assert type(opt.param_groups[0]["max_lr"]) is float


def test_numbers_as_people_write_them() -> None:
    assert parse({"name": "step", "step_size": 1e4}).step_size == 10_000  # type: ignore[attr-defined]
    assert parse({"name": "step", "step_size": "30"}).step_size == 30  # type: ignore[attr-defined]
    assert parse({"name": "step", "gamma": "1e-3"}).gamma == 1e-3  # type: ignore[attr-defined]
    assert parse({"name": "lambda", "lr_lambda": 0.5}).lr_lambda == "0.5"  # type: ignore[attr-defined]
    assert parse({"name": "cosine", "warmup": None}).warmup == 0
    one = parse({"name": "one_cycle", "epochs": 3, "steps_per_epoch": 7})
    assert one.total_steps == 21  # type: ignore[attr-defined]


ERRORS: dict[str, tuple[Any, str]] = {
    "unknown key": ({"name": "step", "gama": 1}, r"gama=1: step has no such key.*did you mean 'gamma'"),
    "key of another": ({"name": "step", "T_max": 1}, r"T_max=1: step has no such key.*cosine has it"),
    "unknown name": ({"name": "cosin"}, r"name='cosin'.*did you mean 'cosine'.*Known: none, lambda"),
    "no name": ({"T_max": 1}, r"name=None: a schedule needs a name"),
    "name of a wrong type": ({"name": 3}, r"name=3"),
    "nothing": (3, r"scheduler=3: a schedule is a config node"),
    "wrong type": ({"name": "step", "gamma": "abc"}, r"gamma='abc': this is not a number"),
    "wrong type of a flag": ({"name": "step", "verbose": "yes"}, r"verbose='yes': this is true or false"),
    "wrong type of a list": ({"name": "multi_step", "milestones": 3}, r"milestones=3: this is a list of lengths"),
    "negative length": ({"name": "step", "step_size": -1}, r"step_size=-1"),
    "zero length": ({"name": "step", "step_size": 0}, r"step_size=0"),
    "T_0 of 0": ({"name": "cosine_warm_restarts", "T_0": 0}, r"T_0=0: a length is positive"),
    "T_mult": ({"name": "cosine_warm_restarts", "T_mult": 0}, r"T_mult=0: this must be a number at least 1"),
    "T_mult fraction": ({"name": "cosine_warm_restarts", "T_mult": 1.0001}, r"T_mult=1.0001"),
    "unsorted": ({"name": "multi_step", "milestones": [350, 200]}, r"milestones=\[350, 200\]: milestones rise"),
    "twice": ({"name": "multi_step", "milestones": [200, 200]}, r"milestones rise strictly"),
    "bounds": ({"name": "cyclic", "base_lr": 0.1, "max_lr": 0.1}, r"base_lr=0.1: the lower bound is below max_lr=0.1"),
    "mode": ({"name": "cyclic", "mode": "triangle"}, r"mode='triangle'.*did you mean 'triangular'"),
    "plateau mode": ({"name": "reduce_on_plateau", "mode": "mni"}, r"mode='mni'.*did you mean 'min'"),
    "nan": ({"name": "exponential", "gamma": float("nan")}, r"gamma=nan"),
    "infinite": ({"name": "exponential", "gamma": float("inf")}, r"gamma=inf"),
    "infinite eta_min": ({"name": "cosine", "eta_min": float("inf")}, r"eta_min=inf"),
    "negative gamma": ({"name": "exponential", "gamma": -0.5}, r"gamma=-0.5"),
    "factor": (
        {"name": "reduce_on_plateau", "factor": 1.0},
        r"factor=1.0: this must be a number at least 0 and below 1",
    ),
    "interval": ({"name": "step", "interval": "epcoh"}, r"interval='epcoh'.*did you mean 'epoch'"),
    "frequency": ({"name": "step", "frequency": 0}, r"frequency=0"),
    "start factor": ({"name": "linear", "start_factor": 0}, r"start_factor=0: .*above 0"),
    "warmup": ({"name": "step", "warmup": -1}, r"warmup=-1: a length is not negative"),
    "warmup shape": ({"name": "step", "warmup_shape": "linaer"}, r"warmup_shape='linaer'.*did you mean 'linear'"),
    "warmup factor": ({"name": "step", "warmup_start_factor": 2}, r"warmup_start_factor=2"),
    "warmup from 0": (
        {"name": "step", "warmup": 3, "warmup_shape": "exponential", "warmup_start_factor": 0},
        r"an exponential warmup cannot start at 0",
    ),
    "one_cycle half": ({"name": "one_cycle", "epochs": 3}, r"epochs=3: this needs steps_per_epoch"),
    "monitor": ({"name": "step", "monitor": 3}, r"monitor=3: this is a name"),
    "formula": ({"name": "lambda", "lr_lambda": "t.real"}, r"lr_lambda='t.real': 't.real' is not allowed"),
    "no formula": ({"name": "lambda", "lr_lambda": None}, r"lr_lambda=None: this is a formula as text"),
    "interpolation": (OmegaConf.create({"name": "step", "gamma": "${nowhere}"}), r"the configuration cannot be read"),
    "missing": (OmegaConf.create({"name": "step", "gamma": "???"}), r"the configuration cannot be read"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_refused_on_construction(case: str) -> None:
    value, match = ERRORS[case]
    with pytest.raises(SchedulerConfigError, match=match) as caught:
        parse(value)
    error = caught.value
    assert isinstance(error, ValueError)
    assert error.key
    assert error.rule
    assert error.remedy
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.key) == (str(error), error.key)


BUILD_ERRORS: dict[str, tuple[Any, str]] = {
    "eta_min": ({"name": "cosine", "T_max": 3, "eta_min": 0.5}, r"eta_min=0.5: the lowest rate is above.*0.1"),
    "eta_min of a group": ({"name": "cosine", "T_max": 3, "eta_min": [0.01, 0.09]}, r"eta_min=0.09"),
    "base_lr null": ({"name": "cyclic", "base_lr": 0.2}, r"base_lr=0.2: the lower bound is below max_lr=0.1"),
    "too few values": ({"name": "cosine", "T_max": 3, "eta_min": [0.01]}, r"there are 1 values for 2 parameter groups"),
    "too few formulas": ({"name": "lambda", "lr_lambda": ["1"]}, r"there are 1 formulas for 2 parameter groups"),
    "unknown group": ({"name": "cosine", "T_max": 3, "eta_min": {"head": 0}}, r"eta_min\.head=0.*Known: 0, 1"),
    "plateau without monitor": (
        {"name": "reduce_on_plateau"},
        r"monitor=None: reduce_on_plateau follows a logged metric",
    ),
    "stage": (
        {"name": "chained", "stages": {"a": {"name": "cosine", "T_max": 3, "eta_min": 1}}},
        r"stages\.a\.eta_min=1",
    ),
    "formula with T": ({"name": "lambda", "lr_lambda": "t / T"}, r"lr_lambda='t / T': T is the run's length"),
    "negative formula": ({"name": "lambda", "lr_lambda": "1 - t / 100"}, r"the factor is -0.01 at t=101"),
    "last_epoch": ({"name": "step", "step_size": 3, "last_epoch": 4}, r"last_epoch=4: resuming by hand needs"),
    "param": ({"name": "step", "step_size": 3, "param": "weight"}, r"param='weight'.*did you mean 'weight_decay'"),
}


@pytest.mark.parametrize("case", BUILD_ERRORS)
def test_refused_when_built(case: str) -> None:
    value, match = BUILD_ERRORS[case]
    with pytest.raises(SchedulerConfigError, match=match):
        build(value, optimizer(2))


def test_a_metric_is_asked_for_as_soon_as_a_node_is_instantiated() -> None:
    for arguments in ((), (optimizer(),)):
        with pytest.raises(SchedulerConfigError) as caught:
            scheduler(*arguments, name="reduce_on_plateau")
        assert str(caught.value) == (
            "monitor=None: reduce_on_plateau follows a logged metric, and monitor names it. "
            "Write monitor=val_loss, the name under which the module logs it."
        )
    assert scheduler(name="reduce_on_plateau", monitor="val_loss").monitor == "val_loss"


def test_refused_for_the_run() -> None:
    node = {"name": "lambda", "lr_lambda": "1 - 2 * t / T"}
    with pytest.raises(SchedulerConfigError, match=r"the factor is -0.2 at t=6"):
        build(node, optimizer(), Horizon(epochs=10))
    with pytest.raises(SchedulerConfigError, match=r"gamma=2: after 9999 multiplications the rate would be infinite"):
        build({"name": "exponential", "gamma": 2, "interval": "step"}, optimizer(), Horizon(steps=9999))


def test_an_optimizer_without_momentum() -> None:
    opt = torch.optim.Adagrad([torch.zeros(1, requires_grad=True)], lr=0.1)
    with pytest.raises(SchedulerConfigError, match=r"cycle_momentum=True.*Write cycle_momentum=false"):
        build({"name": "one_cycle", "total_steps": 10}, opt)
    build({"name": "one_cycle", "total_steps": 10, "cycle_momentum": False}, opt)


def test_what_is_no_optimizer() -> None:
    with pytest.raises(SchedulerConfigError, match="a schedule drives a torch optimizer"):
        build("none", "sgd")  # type: ignore[arg-type]
    opt = optimizer(lr=float("nan"))
    with pytest.raises(SchedulerConfigError, match=r"param_groups\.0\.lr=nan"):
        build("none", opt)


def test_instantiating_shows_the_error() -> None:
    import hydra
    from hydra.errors import InstantiationException

    # Hydra 1.3 wraps it in an error of its own.
    with pytest.raises((SchedulerConfigError, InstantiationException), match="step_size=0: a length is positive"):
        hydra.utils.instantiate(OmegaConf.merge(node("step"), {"step_size": 0}))


def test_a_second_schedule_on_a_used_optimizer_is_told_of() -> None:
    opt = optimizer()
    first = build({"name": "step", "step_size": 1}, opt)
    opt.step()
    first.step()
    with pytest.warns(UserWarning, match="another schedule is or was attached"):
        build({"name": "step", "step_size": 1}, opt)


def test_max_lr_defaults_to_the_groups_own_rate() -> None:
    opt = optimizer(2)
    schedule: Any = build({"name": "cyclic", "step_size_up": 5}, opt)
    assert schedule.max_lrs == [0.1, 0.05]
    assert schedule.base_lrs == [pytest.approx(0.01), pytest.approx(0.005)]


def test_a_stage_can_be_taken_out() -> None:
    cfg = OmegaConf.merge(node("sequential"), {"stages": {"warmup": None, "decay": {"T_max": 20}}})
    config: Any = parse(cfg)
    assert list(config.stages) == ["decay"]
    assert config.stages["decay"]["T_max"] == 20


def test_public_names() -> None:
    assert set(lr_configs.__all__) <= set(dir(lr_configs))
    for name in lr_configs.__all__:
        assert getattr(lr_configs, name).__doc__, name
    with pytest.raises(AttributeError, match="has no attribute 'bulid'"):
        lr_configs.bulid  # type: ignore[attr-defined]
    assert callable(lr_configs.build)
    assert {*TWINS, *BEYOND_TORCH} == set(available())
