"""What `check` finds is what training says and refuses: beside a driver, and beside Lightning's trainer."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import TORCH_NAMES, TWINS, optimizer
from hydra_apps import app
from lightning_helpers import Tiny, fit
from omegaconf import OmegaConf

from lr_configs import Horizon, LRSchedulerCallback, SchedulerConfigError, available, build, check
from lr_configs.checking import CALLBACK_KEYS, Checked, _groups, check_schedule
from lr_configs.commands import main
from lr_configs.composed import find
from lr_configs.driver import Driver
from lr_configs.optimizer_keys import number_at, optimizer_keys
from lr_configs.plan import Plan
from lr_configs.registry import parse
from lr_configs.run import Facts, PlainRun, resolve_for
from lr_configs.run_size import RunSize

CONF = str(Path(__file__).parents[1] / "conf")
OURS = {"_target_": "lr_configs.scheduler"}
CALLBACK = {"_target_": "lr_configs.LRSchedulerCallback"}
TRAINER = {"_target_": "pytorch_lightning.Trainer", "max_epochs": 3, "limit_train_batches": 5}
SGD = {"_target_": "torch.optim.SGD", "lr": 0.1, "momentum": 0.9}


def checked(node: Any, horizon: Horizon | None, **given: Any) -> Checked:
    size = (
        {}
        if horizon is None
        else {"epochs": horizon.epochs, "steps": horizon.steps, "steps_per_epoch": horizon.steps_per_epoch}
    )
    (found,) = find({"scheduler": {**OURS, **node}})
    return check_schedule(found, found.size.given(lr=0.1).given(**{**size, **given}))


def words(one: Checked) -> list[str]:
    return [one.line, *one.warnings, *one.notes]


# --- beside a driver --------------------------------------------------------------------------------------------------

RUNS = {
    "a usual run": Horizon(epochs=90, steps_per_epoch=391),
    "a smoke test": Horizon(epochs=1, steps_per_epoch=4),
    "updates alone": Horizon(steps=500),
    "a run of the notes": Horizon(epochs=500, steps_per_epoch=1),
}


class LikeTrainers(PlainRun):
    """Resolves as a trainer's run does: with no more of the run than it takes."""

    def resolve(self, node: Any, *, key: str | None = None, optimizer: Any = None) -> Plan:
        run = self.horizon()
        assert run is not None
        return resolve_for(node, Facts(run.epochs, run.steps, lambda: run, lambda: "?"))


def said_by_a_driver(node: Any, horizon: Horizon) -> list[str]:
    said: list[str] = []
    driver = Driver(LikeTrainers(horizon, said.append))
    driver.drive(node, optimizer())
    driver.start()
    driver.announce()
    return said


@pytest.mark.parametrize("horizon", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("name", available())
def test_it_says_what_a_driver_says(name: str, horizon: Horizon) -> None:
    for more in ({}, {"warmup": "5%"}, TWINS[name][0] if name in TWINS else {"warmup": "2ep"}):
        node = {"name": name, "monitor": "val_loss", **more}
        try:
            said = said_by_a_driver(node, horizon)
        except SchedulerConfigError as error:
            refusal = f"scheduler: {error}"
            found = checked(node, horizon)
            if horizon.knows_epochs:
                assert str(found.error) == refusal
            else:  # in a run whose batches can be counted it may well be right
                assert (found.error, len(found.unknown)) == (None, 1)
        else:
            unsaid = "the schedule advances by epochs, and this run says nothing of its epochs"  # it may have some
            assert words(checked(node, horizon)) == [line for line in said if unsaid not in line]


@pytest.mark.parametrize("name", TORCH_NAMES)
def test_the_same_words_with_and_without_numpy(name: str) -> None:
    code = (
        "import sys\nfrom lr_configs.checking import check_schedule\nfrom lr_configs.composed import find\n"
        "from lr_configs.run_size import RunSize\n"
        f"(found,) = find({{'scheduler': {{**{OURS!r}, 'name': {name!r}, 'monitor': 'x', 'warmup': '10%'}}}})\n"
        "one = check_schedule(found, RunSize().given(lr=0.1, epochs=90, steps_per_epoch=391))\n"
        "print(*[one.line, *one.warnings, *one.notes], sep='\\n')\nassert 'torch' not in sys.modules\n"
        f"assert ('numpy' in sys.modules) is {name in ('lambda', 'multiplicative')}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    node = {"name": name, "monitor": "x", "warmup": "10%"}
    assert done.stdout.splitlines() == said_by_a_driver(node, RUNS["a usual run"])


# --- beside a trainer -------------------------------------------------------------------------------------------------

WRONG: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "an unknown key": ({"name": "step", "gama": 0.5}, {}),
    "a value out of range": ({"name": "step", "gamma": -1}, {}),
    "no such schedule": ({"name": "stpe"}, {}),
    "a warmup as long as the run": ({"name": "cosine", "warmup": "3ep"}, {}),
    "a warmup in updates": ({"name": "cosine", "warmup": "15st"}, {}),
    "a floor above the rate": ({"name": "cosine", "eta_min": 0.2}, {}),
    "bounds in the wrong order": ({"name": "cyclic", "base_lr": 0.2, "max_lr": 0.1}, {}),
    "no monitor": ({"name": "reduce_on_plateau"}, {}),
    "a half epoch": ({"name": "step", "step_size": "0.5ep", "interval": "epoch"}, {}),
    "it would never advance": ({"name": "step", "frequency": 4, "interval": "epoch"}, {}),
    "a formula that falls below 0": ({"name": "lambda", "lr_lambda": "1 - t"}, {}),
    "milestones at one step": ({"name": "multi_step", "milestones": ["1ep", "5st"]}, {}),
    "stages too long": (
        {"name": "sequential", "stages": {"a": {"name": "none", "length": "4ep"}, "b": {"name": "cosine"}}},
        {},
    ),
    "a stage's key": (
        {"name": "sequential", "stages": {"a": {"name": "none", "length": "1ep"}, "b": {"name": "cosine", "eta_min": 1}}},
        {},
    ),
    "a cooldown too long": ({"name": "none", "cooldown": "16st"}, {}),
    "a product that grows": ({"name": "chained", "stages": {"a": {"name": "exponential", "gamma": 1e200, "interval": "auto"}, "b": {"name": "exponential", "gamma": 1e200}}}, {}),
    "no such hyper-parameter": ({"name": "linear", "param": "beta"}, {}),
    "no momentum to cycle": ({"name": "cyclic"}, {"_target_": "torch.optim.Adagrad"}),
    "no momentum in a stage": (
        {"name": "sequential", "stages": {"a": {"name": "none", "length": "1ep"}, "b": {"name": "one_cycle"}}},
        {"_target_": "torch.optim.Adagrad"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("node", "optim"), WRONG.values(), ids=WRONG)
def test_it_refuses_what_a_trainer_refuses(node: dict[str, Any], optim: dict[str, Any]) -> None:
    target = optim.get("_target_", SGD["_target_"])
    config = {
        "optimizer": {**({} if optim else SGD), "lr": 0.1, **optim},
        "trainer": TRAINER,
        "callbacks": {"lr": {**CALLBACK, "scheduler": node}},
    }
    with pytest.raises(SchedulerConfigError) as ours:
        check(config)
    kwargs = {} if optim else {"momentum": 0.9}
    with pytest.raises(SchedulerConfigError) as theirs:
        fit(LRSchedulerCallback(node), Tiny(cls=getattr(torch.optim, target.rpartition(".")[2]), **kwargs), batches=5)
    assert (ours.value.place, ours.value.key) == ("callbacks.lr.scheduler", theirs.value.key)
    if "hyper-parameter" not in theirs.value.rule:
        expected = theirs.value.rule.replace("parameter group 0 of SGD", "the optimizer's parameter group")
        assert ours.value.rule == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"schedulr": "cosine"}, "callbacks.lr: schedulr='cosine': LRSchedulerCallback has no such argument. did you mean 'scheduler'"),
        ({"scheduler": "cosine", "schedulers": {"0": "step"}}, "callbacks.lr: schedulers='...': scheduler is given as well"),
        ({"scheduler": "cosine", "tensor_lr": "no"}, "callbacks.lr: tensor_lr='no': this is true or false"),
        ({"scheduler": "cosine", "decay_file": 3}, "callbacks.lr: decay_file=3: this is the path of a file"),
        ({"scheduler": "cosine", "on_existing": "keeep"}, "callbacks.lr: on_existing='keeep': this is one of error"),
        ({"scheduler": "cosine", "resume": "no"}, "callbacks.lr: resume='no': this is one of strict"),
        ({"scheduler": "cosine", "total_steps": 0}, "callbacks.lr: total_steps=0: a number of updates is a positive"),
        ({"schedulers": {"gen": "step"}, "total_steps": {"gne": 5}}, "callbacks.lr: total_steps.gne=5: no schedule has this key. did you mean 'gen'"),
        ({"scheduler": ["cosine", "step"]}, "callbacks.lr: scheduler='callbacks.lr.scheduler.1': callbacks.lr.scheduler.0 drives lr already"),
        ({"scheduler": [{"name": "one_cycle", "max_lr": 0.5}, {"name": "linear", "param": "momentum"}]}, "callbacks.lr.scheduler.0 drives momentum already. Write cycle_momentum=false"),
        ({"schedulers": {"gen": [{"name": "cosine"}, {"name": "step", "param": "lr"}]}}, "callbacks.lr: schedulers='callbacks.lr.schedulers.gen.1'"),
    ],
    ids=str,
)  # fmt: skip
def test_it_refuses_what_the_callback_refuses(arguments: dict[str, Any], message: str) -> None:
    config = {"optimizer": SGD, "trainer": TRAINER, "callbacks": {"lr": {**CALLBACK, **arguments}}}
    with pytest.raises(SchedulerConfigError, match=re.escape(message)):
        check(config)
    with pytest.raises((SchedulerConfigError, TypeError)):
        fit(LRSchedulerCallback(**arguments), Tiny())


def test_two_callbacks() -> None:
    with pytest.raises(
        SchedulerConfigError,
        match=r"callbacks.b: _target_='lr_configs.LRSchedulerCallback': callbacks.a is one already",
    ):
        check({"callbacks": {"a": {**CALLBACK, "scheduler": "cosine"}, "b": {**CALLBACK, "scheduler": "step"}}})
    apart = {
        "callbacks": {"a": {**CALLBACK, "scheduler": "cosine"}},
        "others": {"b": {**CALLBACK, "scheduler": "step"}},
    }
    assert check(apart) == []


def test_the_callbacks_arguments_are_all_known() -> None:
    assert set(CALLBACK_KEYS) == set(inspect.signature(LRSchedulerCallback).parameters)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "NAdam", "RAdam", "Adamax", "Adagrad", "Adadelta", "ASGD", "RMSprop", "Rprop", "SparseAdam"])  # fmt: skip
def test_what_torchs_optimizers_hold(name: str) -> None:
    (group,) = getattr(torch.optim, name)([torch.nn.Parameter(torch.zeros(1))]).param_groups
    known = optimizer_keys(f"torch.optim.{name}")
    assert known is not None
    for key in known:
        assert known[key] == group[key]
    numbers = {key for key in group if number_at(group, key) is not None}
    assert numbers == {key for key in known if number_at(known, key) is not None}
    assert ("betas" in known, "momentum" in known) == ("betas" in group, "momentum" in group)


# --- what is not known ------------------------------------------------------------------------------------------------


def test_a_length_that_may_be_right_is_not_refused() -> None:
    epochs = RunSize().given(lr=0.1, epochs=30)
    (found,) = find({"scheduler": {**OURS, "name": "cosine", "warmup": "500st"}, "trainer": {"max_epochs": 30}})
    one = check_schedule(found, found.size)
    assert (one.error, one.line) == (None, "")
    assert one.unknown == ("batches in an epoch are not in the config: say updates with --steps-per-epoch",)
    refused = check_schedule(found, epochs.given(steps_per_epoch=10)).error
    assert refused is not None
    assert "the run has 300 updates" in str(refused)
    assert "warmup 500" in check_schedule(found, epochs.given(steps_per_epoch=100)).line


@pytest.mark.parametrize("low", [[0.01, 0.02, 0.03], {"head": 0.01}, {"2": 0.01}])
def test_values_for_groups_of_an_optimizer_that_is_not_known(low: Any) -> None:
    """Those of a stage, too, say how many groups there are, and how they are called."""
    for node in (
        {"name": "cosine", "eta_min": low},
        {
            "name": "sequential",
            "stages": {"a": {"name": "none", "length": "10%"}, "b": {"name": "cosine", "eta_min": low}},
        },
        {"name": "chained", "stages": [{"name": "chained", "stages": [{"name": "cosine", "eta_min": low}, "none"]}]},
    ):
        (found,) = find({"scheduler": {**OURS, **node}, "trainer": TRAINER, "optimizer": SGD})
        assert check_schedule(found, found.size).error is None


def test_a_group_that_is_named_twice_is_one() -> None:
    low = {"head": 0.01, "body": 0.0}
    node = {
        "name": "sequential",
        "stages": [{"name": "cosine", "eta_min": low, "length": "20%"}, {"name": "cosine", "eta_min": low}],
    }
    found = _groups(parse(node), RunSize().given(lr=0.1))
    assert found == ((0.1, 0.1), ("head", "body"))


def test_what_no_size_makes_right_is_refused() -> None:
    node = {
        "name": "sequential",
        "stages": {"a": {"name": "none", "length": "40ep"}, "b": {"name": "cosine"}},
        "warmup": "1st",
    }
    (found,) = find({"scheduler": {**OURS, **node}, "trainer": {"max_epochs": 30}})
    error = check_schedule(found, found.size).error
    assert error is not None
    assert error.key.startswith("stages")


@pytest.mark.parametrize(("low", "unknown"), [(0, 0), (0.0, 0), (0.01, 1)])
def test_a_bound_of_0_needs_no_rate(low: float, unknown: int) -> None:
    (found,) = find({"scheduler": {**OURS, "name": "cyclic", "base_lr": low}})
    one = check_schedule(found, found.size.given(epochs=3, steps_per_epoch=9))
    assert (one.error, one.unknown) == (None, ("lr is nowhere: say it with --lr",) * unknown)


def test_an_unknown_rate() -> None:
    (found,) = find({"scheduler": {**OURS, "name": "cosine", "eta_min": 5.0}})
    size = found.size.given(epochs=3, steps_per_epoch=9)
    one = check_schedule(found, size)
    assert (one.error, one.unknown) == (None, ("lr is nowhere: say it with --lr",))
    assert check_schedule(found, size.given(lr=1.0)).error is not None
    (found,) = find({"scheduler": {**OURS, "name": "cyclic", "base_lr": 0.2, "max_lr": 0.1}})
    assert check_schedule(found, found.size.given(epochs=3)).error is not None


@pytest.mark.parametrize("rate", [-1, float("inf"), float("nan")])
def test_a_rate_that_is_none(rate: float) -> None:
    """Whether or not the size of the run is known."""
    for trainer in (TRAINER, {}):
        config = {"scheduler": {**OURS, "name": "cosine"}, "optimizer": {**SGD, "lr": rate}, "trainer": trainer}
        (found,) = find(config)
        error = check_schedule(found, found.size).error
        assert str(error) == f"scheduler: lr={rate}: a rate is a finite number and not negative. Write 0.1."
    with pytest.raises(
        (SchedulerConfigError, ValueError), match=r"finite number and not negative|Invalid learning rate"
    ):
        build("cosine", torch.optim.SGD([torch.zeros(1)], lr=rate), Horizon(epochs=2, steps_per_epoch=3))


@pytest.mark.parametrize(
    ("optim", "trainer", "key"),
    [
        ({**SGD, "lr": "abc"}, TRAINER, "optimizer.lr='abc'"),
        (SGD, {**TRAINER, "max_epochs": "1o"}, "trainer.max_epochs='1o'"),
        (SGD, {**TRAINER, "max_steps": "many"}, "trainer.max_steps='many'"),
    ],
)
def test_a_number_of_the_run_that_is_none(optim: dict[str, Any], trainer: dict[str, Any], key: str) -> None:
    config = {"scheduler": {**OURS, "name": "cosine"}, "optimizer": optim, "trainer": trainer}
    with pytest.raises(SchedulerConfigError, match=f"^scheduler: {key}: this is no number. Write one, or leave"):
        check(config)
    (found,) = find(config)
    with pytest.raises(SchedulerConfigError, match=key):
        _ = found.node


def test_a_number_of_the_run_that_only_the_app_knows() -> None:
    """A resolver of the app's own; and what another library's optimizer understands."""
    node = {"scheduler": {**OURS, "name": "cosine"}, "trainer": {**TRAINER, "max_epochs": "${mine:3}"}}
    for optim in ({**SGD, "lr": "${mine:1}"}, {"_target_": "my.Optimizer", "lr": "auto"}):
        (found,) = find(OmegaConf.create({**node, "optimizer": optim}))
        assert check_schedule(found, found.size).error is None


def test_what_hydra_calls_is_left_to_hydra() -> None:
    formula = {"_target_": "my.module.decay", "_partial_": True}
    foreign = {"_target_": "timm.scheduler.CosineLRScheduler", "_partial_": True, "t_initial": 9}
    stages = {"a": {"name": "none", "length": "1ep"}, "b": {"name": "lambda", "lr_lambda": formula}}
    config = {
        "scheduler": {**OURS, "name": "sequential", "stages": stages},
        "callbacks": {"lr": {**CALLBACK, "scheduler": foreign}},
    }
    first, second = find(config)
    assert check_schedule(first, first.size).unknown == (
        "scheduler.stages.b.lr_lambda is what my.module.decay makes, which is not called here",
    )
    assert check_schedule(second, second.size).unknown == (
        "callbacks.lr.scheduler is what timm.scheduler.CosineLRScheduler makes, which is not called here",
    )
    with pytest.raises(SchedulerConfigError, match="nothing else is called"):
        check({"callbacks": {"lr": {**CALLBACK, "scheduler": {"_target_": "torch.optim.lr_scheduler.NoSuchLR"}}}})


def test_values_for_several_groups() -> None:
    assert checked({"name": "cosine", "eta_min": [0.01, 0.02]}, RUNS["a usual run"]).error is None
    assert checked({"name": "cosine", "eta_min": {"head": 0.01}}, RUNS["a usual run"]).error is None
    wrong = checked(
        {"name": "cosine", "eta_min": {"haed": 0.01}}, RUNS["a usual run"], groups={"head": 0.1, "body": 0.2}
    )
    assert "there is no such parameter group. did you mean 'head'?" in str(wrong.error)
    lambdas = checked({"name": "lambda", "lr_lambda": ["1.0", "0.5"]}, RUNS["a usual run"])
    assert (lambdas.error, "groups 2" in lambdas.line) == (None, True)


# --- schedules that nothing uses --------------------------------------------------------------------------------------


def test_a_schedule_beside_the_one_that_is_used() -> None:
    theirs = {"_target_": "torch.optim.lr_scheduler.StepLR", "step_size": 1}
    config = {
        "lr_scheduler": theirs,
        "scheduler": {**OURS, "name": "cosine"},
        "callbacks": {"lr": {**CALLBACK, "scheduler": "${scheduler}"}},
    }
    from omegaconf import OmegaConf

    (line,) = check(OmegaConf.create(config))
    assert line.startswith("lr_scheduler: no callback and no module node is given this schedule")
    config["callbacks"] = {"lr": CALLBACK}
    _, second, third = check(OmegaConf.create(config))
    assert second.startswith("scheduler: no callback and no module node")
    assert third.startswith("callbacks.lr: the callback has no schedule")
    assert third.endswith("lr_configs. Write scheduler: ${lr_scheduler} under it")
    assert check({"callbacks": {"lr": CALLBACK}})[0].endswith("lr_configs. Write scheduler: ${scheduler} under it")
    used = {"model": {"_target_": "my.Model", "scheduler": theirs}}
    assert check({**used, "trainer": {"max_epochs": 9}}) == []


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command(capsys: Any) -> None:
    size = ["--epochs", "90", "--steps-per-epoch", "391", "--lr", "0.1"]
    assert main(["check", "cosine", "scheduler.warmup=500st", *size]) == 0
    out, error = capsys.readouterr()
    assert out == (
        "scheduler: cosine | interval=step | 35190 updates | warmup 500 | lr 0.001 -> peak 0.1 -> 2.05e-10\nok\n"
    )
    assert error == ""
    assert main(["check", "cosine", "scheduler.warmup=95ep", *size]) == 1
    out, error = capsys.readouterr()
    assert out == "scheduler: cosine\n"
    assert error.startswith(
        "lr-configs check: scheduler: warmup='95ep': the warmup takes 95 epochs, and the run has 90"
    )
    assert main(["check", "step", "scheduler.step_size=95ep", *size]) == 0
    assert "warning: scheduler: step: step_size=95 epochs is never reached" in capsys.readouterr().out
    assert main(["check", "step", "scheduler.step_size=95ep", *size, "--strict"]) == 1


def test_an_error_that_is_nobody_s_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("lr_configs.composed.Finder", broken)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        main(["check", "cosine", "--epochs", "3"])


def test_several(capsys: Any) -> None:
    assert main(["check", "scheduler=step", "scheduler.gamma=0.5,-1", "--epochs", "90", "--lr", "1"]) == 1
    out, error = capsys.readouterr()
    assert "scheduler.gamma=0.5: ok\n" in out
    assert "scheduler.gamma=-1: wrong\n" in out
    assert out.endswith("2 checked: 1 wrong, 0 with a warning\n")
    assert error.count("\n") == 1


def test_every_experiment_of_the_example_app(capsys: Any) -> None:
    assert main(["check", "--config-dir", CONF, "--all", "--batches", "23", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    files = {str(path.relative_to(f"{CONF}/experiment"))[:-5] for path in Path(CONF, "experiment").rglob("*.yaml")}
    assert found[0]["label"] == ""
    assert {one["label"].removeprefix("experiment=") for one in found[1:]} == files
    assert all(one["ok"] and one["schedules"][0]["line"] for one in found)
    (step,) = (one for one in found if one["label"] == "experiment=notes/step")
    assert step["overrides"] == ["experiment=notes/step"]
    assert step["schedules"] == [
        {
            "key": "scheduler",
            "name": "step",
            "used_by": ["callbacks.lr_scheduler.scheduler"],
            "error": None,
            "line": "step | interval=epoch | 500 updates | steps at 200, 400 | lr 0.1 -> 0.025",
            "notes": [],
            "not_checked": [],
            "from": [
                "lr 0.1 from optimizer.lr",
                "epochs 500 from trainer.max_epochs",
                "batches per epoch 1 from trainer.limit_train_batches",
            ],
        }
    ]


FILES = {
    "train.yaml": "hydra: {searchpath: ['lr-configs://']}\ndefaults: [{scheduler: cosine}, _self_]\ntrainer: {max_epochs: 5}\n",
    "experiment/good.yaml": "# @package _global_\ndefaults: [{override /scheduler: step}]\n",
    "experiment/deep/bad.yaml": "# @package _global_\nscheduler: {T_max: 0}\n",
    "experiment/broken.yaml": "# @package _global_\nscheduler: [1\n",
    "experiment/unread.yaml": "# @package _global_\nscheduler: {T_max: '${nowhere}'}\n",
    "experiment/without.yaml": "# @package _global_\ndefaults: [{override /scheduler: null}]\n",
}


def test_wrong_experiments(tmp_path: Path, capsys: Any) -> None:
    folder = str(app(tmp_path, FILES) / "conf")
    words = ["check", "--config-dir", folder, "--config-name", "train", "--all"]
    assert main(words) == 1
    out, error = capsys.readouterr()
    lines = error.splitlines()
    assert any(
        line.startswith("lr-configs check: experiment=deep/bad: scheduler: T_max=0: a length is positive")
        for line in lines
    )
    assert any(
        line.startswith("lr-configs check: experiment=unread: scheduler: T_max='${nowhere}': this cannot")
        for line in lines
    )
    assert any(line.startswith("lr-configs check: experiment=broken: ") for line in lines)
    assert any(line.startswith("lr-configs check: experiment=without: there is no schedule in train") for line in lines)
    assert "experiment=good: warning\n" in out
    assert out.endswith("6 checked: 4 wrong, 4 with a warning\n")


def test_an_experiment_that_must_be_chosen(tmp_path: Path, capsys: Any) -> None:
    config = "hydra: {searchpath: ['lr-configs://']}\ndefaults: [{scheduler: cosine}, {experiment: '???'}, _self_]\n"
    folder = str(app(tmp_path, {**FILES, "train.yaml": config}) / "conf")
    assert main(["check", "--config-dir", folder, "--config-name", "train", "--all", "--json"]) == 1
    labels = [one["label"] for one in json.loads(capsys.readouterr().out)]
    assert (len(labels), "" in labels) == (5, False)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--all"], 2, "--all is of an app"),
        (["--group", "x", "cosine"], 2, "--group is for --all"),
        (["--config-dir", CONF, "--all", "--group", "experimnt"], 2, "the app has no group experimnt. Say which, with --group. It has: callbacks, "),
        (["--config-dir", CONF, "scheduler=cosin"], 1, "Could not find 'scheduler/cosin'. did you mean 'cosine'? The group scheduler has: chained, "),
        (["hydra/sweeper=lr_gird", "cosine"], 1, "Could not find 'hydra/sweeper/lr_gird'. did you mean 'lr_grid'? The group hydra/sweeper has: basic, "),
        (["scheduler=a/b"], 1, "scheduler=a/b: there is no such schedule. did you mean 'lambda'? Known: chained, "),
        (["--config-dir", CONF, "experiment=notes/cosin"], 1, "Could not find 'experiment/notes/cosin'. did you mean "),
        (["--config-dir", CONF, "experiment=nosuch"], 1, "Could not find 'experiment/nosuch'. The group experiment has: notes/"),
        (["--config-dir", CONF, "model=linaer"], 1, "Could not find 'model/linaer'. did you mean 'linear'? The group model has: "),
        (["cosine", "--epochs", "0"], 2, "--epochs: 0: a run has a positive whole number"),
        (["cosine", "--batches", "0"], 2, "--batches: 0: an epoch has a positive whole number"),
        (["cosine", "--lr", "-1"], 2, "--lr: -1.0: a rate is a finite number"),
        (["cosine", "--groups", "a=1,b"], 2, "argument --groups: 'a=1,b' is not like 0.1,0.01"),
        (["cosine", "--groups", "a=1,2"], 2, "argument --groups: 'a=1,2' names some of its groups"),
        (["cosine", "--import", "no_such_module"], 2, "--import no_such_module: ModuleNotFoundError"),
    ],
    ids=lambda value: " ".join(value).removeprefix(CONF) if isinstance(value, list) else "",
)  # fmt: skip
def test_a_wrong_call(words: list[str], code: int, message: str, capsys: Any) -> None:
    assert main(["check", *words]) == code
    error = capsys.readouterr().err
    assert error.startswith("lr-configs check: ")
    assert message in error
    assert "Traceback" not in error


def test_schedules_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import warnings\nimport lr_configs\nfrom omegaconf import OmegaConf\n"
        "warnings.simplefilter('ignore')  # omegaconf 2.4 has another name for it\n"
        "OmegaConf.register_new_resolver('half', lambda x: x / 2)\n"
        "@lr_configs.register('fading')\ndef fading(t, T, *, depth=0.5):\n    return depth ** (t / T)\n"
    )
    command = [sys.executable, "-m", "lr_configs", "check", "--import", "mine", "fading", "scheduler.depth=${half:0.5}"]
    done = subprocess.run(
        [*command, "--epochs=9", "--steps-per-epoch=3", "--lr=1"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "lr 1 -> 0.2632" in done.stdout


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys\nfrom lr_configs.commands import main\nassert main(['check', 'cosine', '--epochs', '3']) == 0\n"
        "assert not {'torch', 'numpy', 'pytorch_lightning'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
