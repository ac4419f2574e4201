"""Overrides -> schedules, and what an app's config says about them, against configs written by hand."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hydra.core.config_store import ConfigStore
from hydra_apps import app
from omegaconf import OmegaConf

from lr_configs import Horizon
from lr_configs.commands.compose import Composed, compose
from lr_configs.commands.errors import CallError, ConfigError
from lr_configs.composed import Found, find
from lr_configs.config_tree import Tree
from lr_configs.errors import SchedulerConfigError
from lr_configs.horizon import LARGEST
from lr_configs.run_size import RunSize

CONF = Path(__file__).parents[1] / "conf"


@pytest.fixture(autouse=True)
def stored() -> Any:
    """What is stored for a command is nobody else's."""
    before = copy.copy(ConfigStore.instance().repo)
    yield
    ConfigStore.instance().repo = before


def labels(found: list[Composed]) -> list[str]:
    return [one.label for one in found]


# --- our group alone --------------------------------------------------------------------------------------------------


def test_the_group_alone() -> None:
    (one,) = compose(["scheduler=cosine", "scheduler.T_max=10ep"])
    assert (one.label, one.key, one.found.users) == ("cosine", "scheduler", ())
    assert one.node["T_max"] == "10ep"
    assert one.found.size.horizon is None
    assert len(one.found.size.missing) == 3
    (short,) = compose(["cosine", "scheduler.T_max=10ep"])
    assert short.node == one.node


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["cosine,step"], ["cosine", "step"]),
        (["scheduler=cosine,step", "scheduler.warmup=5%"], ["cosine", "step"]),
        (["scheduler=cosine", "scheduler.warmup=1%,5%"], ["warmup=1%", "warmup=5%"]),
        (
            ["scheduler=cosine,step", "scheduler.warmup=1%,5%"],
            ["cosine warmup=1%", "cosine warmup=5%", "step warmup=1%", "step warmup=5%"],
        ),
        (["scheduler=step", "scheduler.step_size=range(1,4)"], ["step_size=1", "step_size=2", "step_size=3"]),
        (["scheduler=glob(cosine*)"], ["cosine", "cosine_warm_restarts"]),
        (["scheduler=choice(step,rex)"], ["step", "rex"]),
        (["scheduler=multi_step", "scheduler.milestones=[50%,75%]"], ["multi_step"]),
        (["scheduler=multi_step", "scheduler.milestones=[1,2],[3,4]"], ["milestones=[1,2]", "milestones=[3,4]"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_sweeps(overrides: list[str], expected: list[str]) -> None:
    assert labels(compose(overrides)) == expected


def test_what_is_swept_is_what_is_composed() -> None:
    first, second = compose(["scheduler=step", "scheduler.gamma=0.5,0.25"])
    assert (first.node["gamma"], second.node["gamma"]) == (0.5, 0.25)
    assert second.overrides == ("scheduler=step", "scheduler.gamma=0.25")


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["scheduler=[1"], CallError, "missing RBRACKET|extraneous|no viable|mismatched|token recognition"),
        (["scheduler=glob(x*)"], CallError, "stands for nothing"),
        (["scheduler=step", "scheduler.gamma=interval(0,1)"], CallError, "an interval has no end of values"),
        (
            ["scheduler=cosin"],
            ConfigError,
            "^scheduler=cosin: there is no such schedule. did you mean 'cosine'[?] Known: [^\n]*$",
        ),
        ([], CallError, "^which schedule[?] Say its name, as in scheduler=cosine. Known: [^\n]*cosine[^\n]*$"),
        (["scheduler=step", "scheduler.gama=2"], Exception, "Could not override 'scheduler.gama'"),
        (["~scheduler"], ConfigError, "there is no schedule"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_composed(overrides: list[str], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        compose(overrides)


# --- an app -----------------------------------------------------------------------------------------------------------


def test_the_example_app() -> None:
    (one,) = compose(["experiment=notes/step", "optimizer.lr=0.2"], CONF, "config")
    assert (one.key, one.found.users) == ("scheduler", ("callbacks.lr_scheduler.scheduler",))
    assert one.node["step_size"] == 200
    size = one.found.size
    assert (size.bases, size.horizon) == ((0.2,), Horizon(epochs=500, steps_per_epoch=1))
    assert size.sources == (
        "lr 0.2 from optimizer.lr",
        "epochs 500 from trainer.max_epochs",
        "batches per epoch 1 from trainer.limit_train_batches",
    )
    assert labels(compose(["scheduler=glob(c*)", "optimizer.lr=0.1,0.2"], CONF))[:3] == [
        "chained optimizer.lr=0.1",
        "chained optimizer.lr=0.2",
        "constant optimizer.lr=0.1",
    ]


def test_the_apps_own_files_win(tmp_path: Path) -> None:
    files = {
        "config.yaml": "hydra: {searchpath: ['lr-configs://']}\ndefaults: [{scheduler: mine}, _self_]\n",
        "scheduler/mine.yaml": "defaults: [step, _self_]\ngamma: 0.7\n",
        "scheduler/cosine.yaml": "_target_: lr_configs.scheduler\nname: cosine\nT_max: 7\n",
    }
    folder = app(tmp_path, files) / "conf"
    first, second = compose(["scheduler=mine,cosine"], folder)
    assert (first.node["gamma"], second.node["T_max"]) == (0.7, 7)
    assert "eta_min" not in second.node
    with pytest.raises(CallError, match=r"has no such config\. did you mean 'config'\? It has: config$"):
        compose([], folder, "confg")
    with pytest.raises(CallError, match=r"has no such config\. It has: cosine, mine$"):
        compose([], folder, "scheduler/x")
    with pytest.raises(CallError, match=r"has no such config\. It has: none$"):
        compose([], folder, "nowhere/x")
    with pytest.raises(CallError, match="there is no such folder"):
        compose([], folder / "no")
    with pytest.raises(CallError, match="give its folder as well"):
        compose([], None, "config")
    (tmp_path / "conf" / "broken.yaml").write_text("a: [1\n")
    with pytest.raises(Exception, match=r"expected ',' or '\]'|while parsing"):
        compose([], folder, "broken")


def test_a_config_may_read_hydras_own_node(tmp_path: Path) -> None:
    text = "_target_: lr_configs.scheduler\nname: ${hydra:runtime.choices.scheduler}\n"
    files = {
        "config.yaml": "defaults: [{scheduler: step}, _self_]\n",
        "scheduler/step.yaml": text,
        "scheduler/rex.yaml": text,
    }
    folder = app(tmp_path, files) / "conf"
    assert [one.node["name"] for one in compose(["scheduler=step,rex"], folder)] == ["step", "rex"]


def test_the_jobs_of_a_sweep() -> None:
    jobs = compose(["sweep=parameters", "seed=0", "scheduler.warmup=0"], CONF, multirun=True)
    assert labels(jobs) == [f"T_0={t} T_mult={m}" for t in ("20%", "50%", "100%") for m in (1, 2)]
    assert [(one.node["T_0"], one.node["T_mult"]) for one in jobs[:2]] == [("20%", 1), ("20%", 2)]
    assert labels(compose(["sweep=parameters"], CONF)) == ["cosine_warm_restarts"]
    assert labels(compose(["cosine,step"], multirun=True)) == ["cosine", "step"]
    with pytest.raises(CallError, match="an interval has no end of values"):
        compose(["sweep=optuna"], CONF, multirun=True)


# --- what a config says -----------------------------------------------------------------------------------------------

OURS = {"_target_": "lr_configs.scheduler", "name": "step", "step_size": 3}
CALLBACK = {"_target_": "lr_configs.LRSchedulerCallback"}
TRAINER = {"_target_": "pytorch_lightning.Trainer", "max_epochs": 10, "limit_train_batches": 25}


def only(config: dict[str, Any]) -> Found:
    (found,) = find(OmegaConf.create(config))
    return found


def test_a_schedule_that_is_referred_to_is_one() -> None:
    found = only(
        {"scheduler": OURS, "again": "${scheduler}", "callbacks": {"lr": {**CALLBACK, "scheduler": "${again}"}}}
    )
    assert (found.key, found.ours) == ("scheduler", True)
    assert set(found.users) == {"again", "callbacks.lr.scheduler"}
    found = only({"a": {"b": {"s": OURS, "c": {**CALLBACK, "scheduler": "${..s}"}}}})
    assert (found.key, found.users) == ("a.b.s", ("a.b.c.scheduler",))
    found = only({"group": {"scheduler": OURS}, "model": {"_target_": "my.Model", "x": "${group}"}})
    assert (found.key, found.users) == ("group.scheduler", ("model.x",))


def test_an_argument_of_a_node() -> None:
    theirs = {"_target_": "torch.optim.lr_scheduler.StepLR", "_partial_": True, "step_size": 3}
    found = only({"model": {"_target_": "my.Module", "scheduler": theirs, "optimizer": {"_target_": "o", "lr": 0.3}}})
    assert (found.key, found.users, found.ours) == ("model.scheduler", ("model",), False)
    assert found.size.bases == (0.3,)
    nested = {"_target_": "torch.optim.lr_scheduler.SequentialLR", "schedulers": [theirs, theirs]}
    assert only({"scheduler": nested}).key == "scheduler"
    assert find({"scheduler": {"_target_": "my.Scheduler"}}) == []


def test_schedules_of_a_callback() -> None:
    several = {"generator": {"name": "cosine"}, "critic": [{"name": "none"}, "step"]}
    optimizers = {
        "generator": {"_target_": "torch.optim.Adam", "lr": 0.1},
        "critic": {"_target_": "torch.optim.Adam", "lr": 0.2},
    }
    config = {"optimizers": optimizers, "c": {**CALLBACK, "schedulers": several, "total_steps": {"critic": 70}}}
    found = find(OmegaConf.create(config))
    assert [(one.key, one.optimizer, one.size.bases, one.size.steps) for one in found] == [
        ("c.schedulers.generator", "generator", (0.1,), None),
        ("c.schedulers.critic.0", "critic", (0.2,), 70),
        ("c.schedulers.critic.1", "critic", (0.2,), 70),
    ]
    assert [one.node for one in found] == [{"name": "cosine"}, {"name": "none"}, "step"]
    assert only({"c": {**CALLBACK, "scheduler": "cosine", "total_steps": 90}}).size.horizon == Horizon(steps=90)


def test_unusual_keys() -> None:
    numbers = {
        "callbacks": {0: {**CALLBACK, "schedulers": {0: {"name": "step"}, 1: "${other}"}}},
        "other": {"name": "rex"},
    }
    first, second = find(OmegaConf.create(numbers))
    assert [(one.key, one.optimizer, one.node) for one in (first, second)] == [
        ("callbacks.0.schedulers.0", "0", {"name": "step"}),
        ("other", "1", {"name": "rex"}),
    ]
    assert only({"a.b": {"c": OURS}}).node == OURS
    assert only({"many": [{"x": 1}, [OURS], None]}).key == "many.1.0"
    circle = OmegaConf.create({"a": "${b}", "b": "${a}", "c": {"d": "${c}"}, "scheduler": OURS})
    assert [one.key for one in find(circle)] == ["scheduler"]


@pytest.mark.parametrize(
    ("config", "bases"),
    [
        ({"optimizer": {"_target_": "my.Lion", "lr": 0.1}}, (0.1,)),
        ({"model": {"optim": {"lr": 0.1}}}, (0.1,)),
        ({"opt": {"_target_": "torch.optim.SGD", "lr": 0.1}, "other": {"lr": 3}}, (0.1,)),
        ({"model": {"lr": 0.1}}, (0.1,)),
        ({"learning_rate": 0.1}, (0.1,)),
        ({"lr": 0.1, "optimizer": {"lr": "${lr}"}}, (0.1,)),
        ({"optimizer": {"lr": True}}, ()),
        ({"model": {"lr": 0}}, (0,)),
        ({"model": {"lr": -0.5}}, ()),
        ({"model": {"lr": float("inf")}}, ()),
        ({"optimizer": {"lr": "${oc.env:NO_SUCH_VARIABLE}"}}, ()),
        ({"optimizer_g": {"lr": 0.1}, "optimizer_d": {"lr": 0.2}}, ()),
        ({"optimizer_g": {"lr": 0.1}, "optimizer_d": {"lr": 0.1}}, (0.1,)),
    ],
    ids=str,
)
def test_the_rate(config: dict[str, Any], bases: tuple[float, ...]) -> None:
    size = only({"scheduler": OURS, **config}).size
    assert size.bases == bases
    assert size.names == (None,) * len(bases)
    assert any(line.startswith("lr ") for line in (size.sources if bases else size.missing))


@pytest.mark.parametrize(
    ("config", "horizon"),
    [
        ({"trainer": TRAINER}, Horizon(epochs=10, steps_per_epoch=25)),
        ({"trainer": {**TRAINER, "accumulate_grad_batches": 4}}, Horizon(epochs=10, steps_per_epoch=7)),
        ({"trainer": {**TRAINER, "max_steps": 100}}, Horizon(steps=100, steps_per_epoch=25)),
        ({"run": {"_target_": "my.own.Trainer", "max_epochs": 7, "limit_train_batches": 5}, "epochs": 9}, Horizon(epochs=7, steps_per_epoch=5)),
        ({"trainer_args": {"max_epochs": 7, "limit_train_batches": 5}, "epochs": 9}, Horizon(epochs=7, steps_per_epoch=5)),
        ({"a": {"training_args": {"max_steps": 7}}, "epochs": 9}, Horizon(steps=7)),
        ({"run": {"max_epochs": 7, "limit_train_batches": 5}}, Horizon(epochs=7)),  # nothing says that it is a trainer
        ({"trainer": {"devices": 1}, "epochs": 9}, Horizon(epochs=9)),
        ({"trainer": {**TRAINER, "max_steps": 1000}}, Horizon(epochs=10, steps_per_epoch=25)),
        ({"trainer": {**TRAINER, "max_steps": -1}}, Horizon(epochs=10, steps_per_epoch=25)),
        ({"trainer": {**TRAINER, "max_epochs": -1, "max_steps": 30}}, Horizon(steps=30, steps_per_epoch=25)),
        ({"trainer": {**TRAINER, "max_epochs": -1}}, None),
        ({"trainer": {**TRAINER, "limit_train_batches": 1.0}}, Horizon(epochs=10)),
        ({"trainer": {**TRAINER, "limit_train_batches": 1}}, Horizon(epochs=10, steps_per_epoch=1)),
        ({"trainer": {**TRAINER, "limit_train_batches": 2.0}}, Horizon(epochs=10, steps_per_epoch=2)),
        ({"trainer": {**TRAINER, "limit_train_batches": 1.0, "overfit_batches": 3}}, Horizon(epochs=10, steps_per_epoch=3)),
        ({"trainer": {**TRAINER, "fast_dev_run": True}}, Horizon(epochs=1, steps_per_epoch=1)),
        ({"trainer": {**TRAINER, "fast_dev_run": 5}}, Horizon(epochs=1, steps_per_epoch=5)),
        ({"trainer": TRAINER, "epochs": 99}, Horizon(epochs=10, steps_per_epoch=25)),
        ({"training": {"num_epochs": 8}}, Horizon(epochs=8)),
        ({"max_steps": 80}, Horizon(steps=80)),
        ({"a": {"epochs": 3}, "b": {"epochs": 4}}, None),
        ({"a": {"b": {"epochs": 3}}}, None),
        ({"trainer": TRAINER, "c": {"_target_": "GradientAccumulationScheduler", "scheduling": {0: 4}}}, Horizon(epochs=10)),
    ],
    ids=str,
)  # fmt: skip
def test_the_length(config: dict[str, Any], horizon: Horizon | None) -> None:
    assert only({"scheduler": OURS, **config}).size.horizon == horizon


@pytest.mark.parametrize(
    ("trainer", "updates"),
    [
        ({}, 391),
        ({"limit_train_batches": 0.5}, 195),
        ({"limit_train_batches": 100}, 100),
        ({"limit_train_batches": 1000}, 391),
        ({"limit_train_batches": 1.0, "accumulate_grad_batches": 4}, 98),
        ({"overfit_batches": 0.01}, 3),
        ({"overfit_batches": 1.0, "limit_train_batches": 25}, 391),
        ({"overfit_batches": 0.0, "limit_train_batches": 25}, 25),
    ],
    ids=str,
)
def test_batches_that_the_caller_knows_of(trainer: dict[str, Any], updates: int) -> None:
    config = {"scheduler": OURS, "trainer": {"_target_": "pytorch_lightning.Trainer", "max_epochs": 10, **trainer}}
    (found,) = find(OmegaConf.create(config), batches=391)
    assert found.size.horizon == Horizon(epochs=10, steps_per_epoch=updates)
    with pytest.raises(SchedulerConfigError, match="batches=0"):
        find(config, batches=0)


def test_accumulation_that_changes_leaves_the_number_of_updates_open() -> None:
    changing = {"_target_": "pytorch_lightning.callbacks.GradientAccumulationScheduler", "scheduling": {0: 4}}
    size = only({"scheduler": OURS, "trainer": TRAINER, "callbacks": {"a": changing}}).size
    assert "batches: accumulation changes between epochs" in size.missing


def test_a_hyper_parameter_and_its_own_value() -> None:
    node = {**OURS, "name": "linear", "param": "weight_decay"}
    written = only({"scheduler": node, "optimizer": {"_target_": "torch.optim.AdamW", "weight_decay": 0.3}})
    assert (written.size.bases, written.size.sources) == ((0.3,), ("weight_decay 0.3 from optimizer.weight_decay",))
    usual = only({"scheduler": {**node, "param": "betas.0"}, "optimizer": {"_target_": "torch.optim.AdamW", "lr": 0.1}})
    assert (usual.size.bases, usual.size.sources) == ((0.9,), ("betas.0 0.9 from torch.optim.AdamW's default",))


def test_what_cannot_be_read() -> None:
    config = {"scheduler": {**OURS, "gamma": "${nowhere}"}, "other": "${oc.env:NO_SUCH_VARIABLE}"}
    found = only(config)
    with pytest.raises(SchedulerConfigError, match=r"scheduler: gamma='.*nowhere.*': this cannot be read"):
        _ = found.node
    with pytest.raises(SchedulerConfigError, match=r"scheduler: step_size='\?\?\?': this cannot be read"):
        _ = only({"scheduler": {**OURS, "step_size": "???"}}).node
    assert only({"scheduler": OURS, "other": "${no_such_resolver:1}"}).node["step_size"] == 3


def test_what_the_caller_says_wins() -> None:
    size = only({"scheduler": OURS, "trainer": TRAINER, "optimizer": {"lr": 0.1}}).size
    said = size.given(lr=0.5, steps=70)
    assert (said.bases, said.horizon) == ((0.5,), Horizon(steps=70, steps_per_epoch=25))
    assert said.sources == ("batches per epoch 25 from trainer.limit_train_batches",)
    assert size.given(steps_per_epoch=9).horizon == Horizon(epochs=10, steps_per_epoch=9)
    groups = RunSize().given(groups={"backbone": 0.01, "head": 0.1})
    assert (groups.bases, groups.names) == ((0.01, 0.1), ("backbone", "head"))
    assert RunSize().given(groups=[0.1, 0.2]).names == (None, None)
    assert RunSize().given(epochs=1, steps=LARGEST, steps_per_epoch=1).steps == LARGEST


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "epochs=0: a run has a positive whole number of them"),
        ({"steps": -3}, "steps=-3: a run has a positive whole number of them"),
        ({"steps_per_epoch": LARGEST + 1}, f"steps_per_epoch={LARGEST + 1}: a run has a positive whole number of them"),
        ({"lr": -1.0}, "lr=-1.0: a rate is a finite number"),
        ({"lr": float("nan")}, "lr=nan: a rate is a finite number"),
        ({"groups": [0.1, -0.1]}, "groups=-0.1: a rate is a finite number"),
        ({"groups": {"head": 0.1, "backbone": -0.1}}, "groups.backbone=-0.1: a rate is a finite number"),
    ],
)
def test_numbers_of_the_caller_that_are_none(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(SchedulerConfigError) as error:
        RunSize().given(**wrong)
    assert str(error.value).startswith(message)


def test_a_node_is_found_where_it_is_written_out() -> None:
    """And not again where another key refers to it, a list as little as a mapping."""
    tree = Tree(
        OmegaConf.create({"all": [{"x": 1}] * 7, "again": "${all}", "one": "${all.0}", "n": {"y": [[{"z": 2}]]}})
    )
    assert tree.data["again"] == tree.data["all"] == [{"x": 1}] * 7
    assert list(tree.nodes()) == [
        ("", tree.data), *((f"all.{i}", {"x": 1}) for i in range(7)), ("n", {"y": [[{"z": 2}]]}), ("n.y.0.0", {"z": 2}),
    ]  # fmt: skip
    assert list(tree.references()) == [("again", "all"), ("one", "all.0")]
    assert (tree.home("again.3.x"), tree.home("one.x"), tree.home("n.y")) == ("all.3.x", "all.0.x", "n.y")
    places = ["all.6.x", "all.7.x", "all.-1.x", "n.y.0.0.z", "n.z", "n.y.0.0.z.more"]
    assert [tree.at(place) for place in places] == [1, None, None, 2, None, None]
