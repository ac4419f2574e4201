"""The sweeper `lr_optuna`: its space, its study, and what becomes of trials that fail, are pruned or are killed."""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
import pytorch_lightning as pl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra_apps import VERSION_BASE, app, multirun, ran
from lightning_helpers import Tiny, loader, trainer
from omegaconf import OmegaConf

from lr_configs import Horizon, SchedulerConfigError, available
from lr_configs.plan import resolve
from lr_configs.registry import entry
from lr_configs.sweeps import Pruning, current
from lr_configs.sweeps.hydra_callback import Environment, JobManifest
from lr_configs.sweeps.manifest import Job, Task, read
from lr_configs.sweeps.optuna_sweep import FOLDER, OVERRIDES, REASON, SWEEP, Settings, Trials
from lr_configs.sweeps.space import Space, read_space
from lr_configs.sweeps.study import TRIAL, Handle, close_storage, needs_optuna, open_storage, part, shown

RANDOM = {"_target_": "optuna.samplers.RandomSampler"}
EVERY = f"scheduler={','.join(available())}"


def space(*written: str, schedule: str | None = None, ranges: Any = None, conditional: bool = True) -> Space:
    return read_space(written, None, group="scheduler", schedule=schedule, ranges=ranges or {}, conditional=conditional)


def asked(found: Space, trials: int = 60) -> list[dict[str, str]]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return [dict(one.split("=", 1) for one in found.overrides(study.ask())) for _ in range(trials)]


# --- the space ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", available())
def test_what_a_schedule_declares_can_be_trained(name: str) -> None:
    parser = OverridesParser.create()
    for key, values in entry(name).search.items():
        parsed = parser.parse_override(f"{key}={values}")
        assert parsed.is_sweep_override(), key
        value: Any = parsed.value()
        ends = [value.start, value.end] if parsed.is_interval_sweep() else list(parsed.sweep_iterator())
        for one in ends:
            resolve({"name": name, key: one}, Horizon(epochs=20, steps_per_epoch=50))


def test_keys_that_are_no_schedule_s_are_kept() -> None:
    found = asked(
        space(
            "scheduler=step",
            "my.scheduler.T_max=1,2",
            "scheduler.T_max=3,4",
            "scheduler.gamma=0.1,0.2",
            schedule="step",
        )
    )
    keys = {key for one in found for key in one}
    assert keys == {"scheduler", "my.scheduler.T_max", "scheduler.gamma", "scheduler.step_size"}


def test_only_the_chosen_schedule_s_keys_are_chosen() -> None:
    found = asked(space(EVERY, "optimizer.lr=tag(log,interval(1e-3,1))"), 300)
    assert {one["scheduler"] for one in found} == set(available())
    for one in found:
        keys = {key.removeprefix("scheduler.") for key in one if key.startswith("scheduler.")}
        assert keys == set(entry(one["scheduler"]).search)
        assert 1e-3 <= float(one["optimizer.lr"]) <= 1


def test_a_key_of_one_s_own_goes_to_the_schedules_that_have_it() -> None:
    found = asked(
        space("scheduler=cosine,step", "scheduler.gamma=0.2", "scheduler.T_max=50%,100%", "scheduler.warmup=1%,5%")
    )
    assert {tuple(sorted(one)) for one in found} == {
        ("scheduler", "scheduler.T_max", "scheduler.eta_min", "scheduler.warmup"),
        ("scheduler", "scheduler.gamma", "scheduler.step_size", "scheduler.warmup"),
    }
    assert {one["scheduler.gamma"] for one in found if one["scheduler"] == "step"} == {"0.2"}


def test_ranges_are_changed_added_and_taken_away() -> None:
    ranges = {"cosine": {"eta_min": None, "T_max": "choice(50%,100%)"}, "step": {"gamma": "interval(0.5,0.6)"}}
    found = asked(space("scheduler=cosine,step", ranges=ranges))
    assert {tuple(one) for one in found} == {
        ("scheduler", "scheduler.T_max"),
        ("scheduler", "scheduler.step_size", "scheduler.gamma"),
    }
    assert all(0.5 <= float(one["scheduler.gamma"]) <= 0.6 for one in found if one["scheduler"] == "step")


def test_a_schedule_that_is_not_chosen_has_its_keys_chosen_too() -> None:
    assert set(asked(space("x=1", schedule="rex"))[0]) == {"x", "scheduler.beta"}
    assert set(asked(space("scheduler=tanh", schedule="rex"))[0]) == {"scheduler", "scheduler.lb", "scheduler.ub"}
    assert set(asked(space("x=1,2", schedule="rex", conditional=False))[0]) == {"x"}


def test_numbers_keep_to_their_grid() -> None:
    found = asked(
        space("a=range(1,8,3)", "b=range(0.0,1.0,0.25)", "c=int(interval(2,4))", "d=tag(log,int(interval(1,64)))")
    )
    wide = asked(space("a=tag(log,range(1,65,3))", "b=tag(log,range(0.25,1.25,0.25))"))
    assert {int(one["a"]) for one in wide} <= {*range(1, 65)}
    assert all(0.25 <= float(one["b"]) <= 1 for one in wide)
    assert {one["a"] for one in found} == {"1", "4", "7"}
    assert {float(one["b"]) for one in found} == {0.0, 0.25, 0.5, 0.75}
    assert {one["c"] for one in found} == {"2", "3", "4"}
    assert all(1 <= int(one["d"]) <= 64 for one in found)


@pytest.mark.parametrize(
    ("written", "ranges", "message"),
    [
        (["scheduler=cosine,cosin"], {}, "scheduler='cosin': there is no such schedule. did you mean 'cosine'"),
        (["lr=interval(1,0.1)"], {}, r"lr='interval\(1(.0)?,0.1\)': .*low.* Write interval"),
        (["lr=tag(log,interval(0,1))"], {}, "lr=.*low.*log"),
        (["lr=range(1,1)"], {}, "lr='range.*': this range has no values"),
        (["lr=range(0,1,1e-9)"], {}, "more than 10000 values"),
        (["lr==="], {}, "hydra.sweeper.params='lr===': this is no override"),
        ([EVERY], {"cosin": {}}, "name='cosin': there is no such schedule"),
        ([EVERY], {"step": {"gama": "choice(1)"}}, "hydra.sweeper.ranges.step.gama='.*': step has no such key. did you mean 'gamma'"),
        ([EVERY], {"step": {"gamma": "0.5"}}, "hydra.sweeper.ranges.step.gamma='0.5': this is one value, and no range. Write scheduler.gamma"),
        ([EVERY], {"step": {"gamma": "choice(1"}}, "hydra.sweeper.ranges.step.gamma='.*': this is no override's value"),
    ],
)  # fmt: skip
def test_what_is_no_space(written: list[str], ranges: Any, message: str) -> None:
    with pytest.raises(SchedulerConfigError, match=message):
        space(*written, ranges=ranges)


# --- the settings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_trials": 0}, "hydra.sweeper.n_trials=0: this is a number from 1 on"),
        ({"n_jobs": "two"}, "hydra.sweeper.n_jobs='two'"),
        ({"directions": ("up",)}, "hydra.sweeper.direction='up': each value"),
        ({"directions": ()}, "hydra.sweeper.direction='nothing'"),
        ({"storage": "sqlite:///x.db"}, "hydra.sweeper.study_name=None: a storage may have several studies"),
    ],
)
def test_wrong_settings(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(SchedulerConfigError, match=message):
        Settings(**wrong)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({}, "hydra.sweeper.sampler._target_='None': this is no class of Optuna"),
        ({"_target_": "os.system"}, "hydra.sweeper.sampler._target_='os.system': this is no class of Optuna"),
        ({"_target_": "optuna.samplers.TPSampler"}, "this is no class of Optuna"),
        ({"_target_": "optuna.samplers.RandomSampler", "sed": 1}, "unexpected keyword argument 'sed'"),
    ],
)
def test_what_is_no_sampler(node: dict[str, Any], message: str) -> None:
    with pytest.raises(SchedulerConfigError, match=message):
        part("hydra.sweeper.sampler", node)


def test_a_sampler_s_own_arguments_win() -> None:
    assert isinstance(part("s", RANDOM, seed=3, constant_liar=True), optuna.samplers.RandomSampler)
    with pytest.raises(SchedulerConfigError, match="n_startup"):
        part("s", {"_target_": "optuna.pruners.MedianPruner", "n_startup_trials": -1}, seed=3)


def test_settings_that_nobody_writes() -> None:
    written = Settings()
    assert (written.n_trials, written.n_jobs, written.directions) == (20, 1, ("maximize",))
    assert (written.storage, written.study_name, written.seed) == (None, None, None)
    assert (written.sampler, written.pruner) == (None, None)


@pytest.mark.parametrize(
    ("error", "reason"),
    [(OSError(" no\nsuch file"), "no"), (OSError(""), "OSError"), (ValueError(" \n"), "ValueError")],
)
def test_why_a_storage_cannot_be_opened(error: Exception, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(optuna.storages, "RDBStorage", fails)
    with pytest.raises(SchedulerConfigError) as caught:
        open_storage("sqlite:///x.db")
    assert caught.value.rule == f"this storage cannot be opened: {reason}"


def test_a_storage_that_is_not_there() -> None:
    with pytest.raises(
        SchedulerConfigError, match=r"hydra.sweeper.storage='sqlite:////no/such/x.db': this storage cannot"
    ):
        open_storage("sqlite:////no/such/x.db")
    assert "secret" not in shown("postgresql+psycopg://me:secret@host/db")
    assert shown("sqlite:///x.db") == "sqlite:///x.db"


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("sqlite:///x.db", {"connect_args": {"timeout": 60}}),
        ("postgresql+psycopg://me@host/db", {"pool_pre_ping": True}),
    ],
)
def test_a_storage_waits_for_others_and_outlives_a_lost_connection(
    url: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optuna.storages, "RDBStorage", lambda *words, **more: (words, more))
    assert open_storage(url) == ((url,), {"engine_kwargs": options})


def test_without_optuna(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SchedulerConfigError, match=r"needs Optuna\. pip install 'lr_configs\[optuna\]'"):
        needs_optuna()


# --- a study -----------------------------------------------------------------------------------------------------------

CONFIG = """
hydra:
  searchpath: [lr-configs://]
  sweep: {dir: sweep}
  sweeper: {seed: 1, n_trials: 6}
defaults:
  - scheduler: cosine
  - override hydra/sweeper: lr_optuna
  - _self_
x: 0
"""
CODE = f"""
import json, os
import hydra
from hydra.core.hydra_config import HydraConfig

@hydra.main(config_path="conf", config_name="config", **{VERSION_BASE})
def main(cfg):
    number = HydraConfig.get().job.num
    _, study, _, pruner = json.loads(os.environ['{TRIAL}'])
    with open("ran.txt", "a") as file:
        file.write(f"{{number}} {{cfg.scheduler.name}} {{cfg.x:.4f}} {{study}} {{pruner and pruner['_target_']}}\\n")
    if os.path.exists(f"fail-{{number}}"):
        raise ValueError("as asked")
    if os.path.exists(f"die-{{number}}"):
        os.kill(os.getpid(), 9)
    if os.path.exists(f"nan-{{number}}"):
        return float("nan")
    return (cfg.x, -cfg.x) if os.path.exists("two") else cfg.x

if __name__ == "__main__":
    main()
"""
SPACE = ["x=interval(0,1)", "scheduler=cosine,rex,step"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return app(tmp_path, {"config.yaml": CONFIG}, CODE)


def sweep(folder: Path, *arguments: str, code: int = 0) -> str:
    return multirun(folder, *SPACE, *arguments, code=code)


class Opened:
    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'sweep' / 'study.db'}"

    def __enter__(self) -> Any:
        self.storage = open_storage(self.url)
        return optuna.load_study(study_name="study", storage=self.storage)

    def __exit__(self, *error: object) -> None:
        close_storage(self.storage)


def states(folder: Path) -> list[str]:
    with Opened(folder) as study:
        return [trial.state.name for trial in study.get_trials()]


def test_a_study_goes_on_after_failures_and_nan(folder: Path) -> None:
    (folder / "fail-1").touch()
    (folder / "nan-2").touch()
    said = sweep(folder)
    lines = [line.split() for line in ran(folder)]
    assert [line[0] for line in lines] == list("012345")
    assert all(line[3:] == ["study", "optuna.pruners.MedianPruner"] for line in lines)
    assert states(folder) == ["COMPLETE", "FAIL", "FAIL", "COMPLETE", "COMPLETE", "COMPLETE"]
    assert "trial 1, 2 of 6: failed (ValueError: as asked [app.py:" in said
    assert "trial 2, 3 of 6: failed (the job returned NaN)" in said
    result = json.loads((folder / "sweep/optimization_results.json").read_text())
    best = max((float(line[2]), int(line[0])) for line in lines if line[0] not in "12")
    (found,) = result["best"]
    assert found["number"] == best[1]
    assert found["values"][0] == pytest.approx(best[0], abs=1e-4)
    assert f"6 of 6: {float(lines[5][2]):.3f}"[:12] in said
    assert f"by trial {best[1]}: scheduler={lines[best[1]][1]}" in said
    assert result["trials"] == {"complete": 4, "fail": 2}


@pytest.mark.parametrize("multirun", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_a_sweep_says_which_of_its_jobs_have_failed(
    fails: bool, multirun: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a single job Hydra says it itself."""
    current.enter(Job(Task(tmp_path, ["a=1"], 3, multirun)))
    returned = SimpleNamespace(_return_value=ValueError("as asked") if fails else 0.5)
    JobManifest().on_job_end(OmegaConf.create({}), returned)
    said = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert said == (["job 3 failed: ValueError: as asked"] if fails and multirun else [])
    assert read(tmp_path / "manifest.json").status == ("failed" if fails else "finished")


def test_variables_of_a_job_are_forgotten_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OF_A_JOB", raising=False)
    environment = Environment()
    environment.variables = {3: {"OF_A_JOB": "three"}}
    for number, text in ((3, "three"), (4, None), (3, "three")):
        config = OmegaConf.create({"hydra": {"job": {"num": number}}})
        environment.on_job_start(config)
        assert os.environ.get("OF_A_JOB") == text
        environment.on_job_end(config, None)
        assert "OF_A_JOB" not in os.environ


def test_a_pruner_that_is_none_of_optunas_is_refused_before_a_job(folder: Path) -> None:
    said = sweep(folder, "hydra.sweeper.pruner._target_=optuna.pruners.MedianPrunner", code=1)
    assert "hydra.sweeper.pruner._target_='optuna.pruners.MedianPrunner': this is no class of Optuna" in said
    assert ran(folder) == []
    sweep(folder, "hydra.sweeper.pruner=null", "hydra.sweeper.n_trials=1")
    assert [line.split()[4] for line in ran(folder)] == ["None"]


def test_the_same_command_runs_what_is_missing_and_the_same_seed_repeats(folder: Path) -> None:
    sweep(folder)
    first = ran(folder)
    assert "6 of them were made before" in sweep(folder)
    assert ran(folder) == []
    sweep(folder, "hydra.sweeper.n_trials=8")
    more = ran(folder)
    assert [line.split()[0] for line in more] == ["6", "7"]
    assert {line.split()[2] for line in more}.isdisjoint({line.split()[2] for line in first})
    sweep(folder, "hydra.sweep.dir=again")
    assert ran(folder) == first


def test_a_killed_sweep_loses_nothing_and_counts_nothing_twice(folder: Path) -> None:
    (folder / "die-3").touch()
    sweep(folder, code=-9)
    assert states(folder) == ["COMPLETE"] * 3 + ["RUNNING"]
    first = ran(folder)
    (folder / "die-3").unlink()
    assert "trials 3 were interrupted, and run again" in sweep(folder)
    again = ran(folder)
    assert again[0] == first[3]
    assert [line.split()[0] for line in again] == ["3", "4", "5"]
    assert states(folder) == ["COMPLETE"] * 6
    assert read(folder / "sweep/3/manifest.json").data["attempt"] == 2


def test_a_job_that_finished_before_its_sweep_was_killed_is_counted(folder: Path) -> None:
    sweep(folder, "hydra.sweeper.n_trials=2")
    ran(folder)
    with Opened(folder) as study:
        trial = study.ask()
        trial.set_user_attr(SWEEP, str(folder / "sweep"))
        trial.set_user_attr(OVERRIDES, ["scheduler=rex", "x=0.5"])
        trial.set_user_attr(FOLDER, str(folder / "sweep/2"))
        Job(Task(folder / "sweep/2", ["scheduler=rex", "x=0.5"], 2, multirun=True)).end("finished", value=7.5)
        elsewhere = study.ask()
        elsewhere.set_user_attr(SWEEP, "/another/folder")
        early = study.ask()
        early.set_user_attr(SWEEP, str(folder / "sweep"))
    assert "best 7.5 by trial 2: scheduler=rex x=0.5" in sweep(folder, "hydra.sweeper.n_trials=4")
    assert [line.split()[0] for line in ran(folder)] == []
    assert states(folder)[:5] == ["COMPLETE", "COMPLETE", "COMPLETE", "RUNNING", "FAIL"]


def test_two_objectives(folder: Path) -> None:
    (folder / "two").touch()
    said = sweep(folder, "hydra.sweeper.direction=[maximize,minimize]", "hydra.sweeper.n_trials=3")
    with Opened(folder) as study:
        assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE"]
        assert all(a == -b for a, b in (trial.values for trial in study.get_trials()))
    assert "1 of 3 finished trials are beaten by none" in said
    assert [line.split()[3:] for line in ran(folder)] == [["study", "None"]] * 3  # Optuna prunes by one value alone
    assert "the study 'study' is there already, with ['maximize', 'minimize']" in sweep(folder, code=1)
    (folder / "two").unlink()
    both = "hydra.sweeper.direction=[maximize,minimize]"
    assert "and the study has 2 direction(s)" in sweep(folder, both, "hydra.sweeper.n_trials=4")


def test_choices_that_have_changed_are_refused(folder: Path) -> None:
    sweep(folder, "hydra.sweeper.n_trials=1")
    said = sweep(folder, "scheduler=cosine,tanh", code=1)
    assert "the study has this trial's choices with other values" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("directions", [["maximize"], ["maximize", "minimize"]])
def test_what_becomes_of_a_trial(directions: list[str], tmp_path: Path) -> None:
    storage = open_storage(f"sqlite:///{tmp_path / 'study.db'}")
    study = optuna.create_study(storage=storage, study_name="study", directions=directions)
    trials = Trials(study, storage, tmp_path)
    for _ in range(5):
        study.ask()
    whole = 0.25 if len(directions) == 1 else [0.25, 3]
    assert trials.tell(0, "pruned", "no hope", None) == "pruned"
    assert trials.tell(1, "finished", None, whole) == ("0.25" if len(directions) == 1 else "0.25 3")
    assert trials.tell(2, "finished", None, [1, 2, 3]).startswith(
        "failed (the job returned [1, 2, 3], and the study has"
    )
    assert trials.tell(3, "killed", None, whole) == "failed (killed)"
    assert trials.tell(4, "failed", "two\nlines", whole) == "failed (two lines)"
    found = study.get_trials()
    assert [trial.state.name for trial in found] == ["PRUNED", "COMPLETE", "FAIL", "FAIL", "FAIL"]
    assert [trial.user_attrs.get(REASON) for trial in found[3:]] == ["killed", "two lines"]
    assert found[1].values == ([0.25] if len(directions) == 1 else [0.25, 3.0])
    close_storage(storage)


def test_trials_side_by_side(folder: Path) -> None:
    launcher = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweeper.n_jobs=2"]
    (folder / "fail-1").touch()
    sweep(folder, *launcher, "hydra.sweeper.n_trials=4")
    assert states(folder) == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert sorted(line.split()[0] for line in ran(folder)) == list("0123")


# --- pruning -----------------------------------------------------------------------------------------------------------


class Worse(Tiny):
    """Its accuracy stays where it is."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val_acc", self.value)


@pytest.fixture
def handle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A study with two finished trials, and the handle of a third one."""
    storage = open_storage(f"sqlite:///{tmp_path / 'study.db'}")
    study = optuna.create_study(storage=storage, study_name="study", direction="maximize")
    for _ in range(2):
        trial = study.ask()
        for step in range(1, 7):
            trial.report(0.5, step)
        study.tell(trial, 0.5)
    trial = study.ask()
    pruner = {"_target_": "optuna.pruners.MedianPruner", "n_startup_trials": 2, "n_warmup_steps": 2}
    text = Handle(f"sqlite:///{tmp_path / 'study.db'}", "study", trial._trial_id, pruner).text()
    monkeypatch.setenv(TRIAL, text)
    yield study
    close_storage(storage)


def fit(module: Any, *callbacks: Any, **kwargs: Any) -> Any:
    made = trainer(*callbacks, max_epochs=6, **kwargs)
    made.fit(module, loader(2), loader(1))
    return made


def test_a_hopeless_run_is_given_up(handle: Any, tmp_path: Path) -> None:
    job = Job(Task(tmp_path / "job"))
    current.enter(job)
    made = fit(Worse(0.1), Pruning("val_acc"))
    current.leave()
    # the pruner looks from the second report on
    assert made.global_step == 2 * 2
    assert handle.get_trials()[2].intermediate_values == pytest.approx({1: 0.1, 2: 0.1})
    job.end("finished", value=0.1)
    found = read(tmp_path / "job/manifest.json")
    assert (found.status, found.reason) == ("pruned", "given up after 2 validations, at val_acc=0.1")


@pytest.mark.parametrize(("score", "stopped"), [(0.9, False), (0.1, True)])
def test_whether_it_has_stopped_the_run(score: float, stopped: bool, handle: Any) -> None:
    pruning = Pruning("val_acc")
    assert pruning.stopped is False
    fit(Worse(score), pruning)
    assert pruning.stopped is stopped


def test_the_storage_is_closed_behind_a_fit(handle: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[Any] = []
    monkeypatch.setattr("lr_configs.sweeps.pruning.close_storage", closed.append)
    pruning = Pruning("val_acc")
    opened: list[Any] = []
    monkeypatch.setattr(
        "lr_configs.sweeps.pruning.open_storage", lambda url: opened.append(open_storage(url)) or opened[-1]
    )
    made = fit(Worse(0.9), pruning)
    assert closed == opened
    assert len(opened) == 1
    pruning.teardown(made, Worse(0.9), "fit")  # nothing is open any more
    assert closed == opened
    close_storage(opened[0])


def test_a_good_run_goes_on(handle: Any) -> None:
    assert fit(Worse(0.9), Pruning("val_acc")).current_epoch == 6
    assert len(handle.get_trials()[2].intermediate_values) == 6


def test_nan_is_not_reported_and_ends_nothing(handle: Any) -> None:
    assert fit(Worse(math.nan), Pruning("val_acc")).current_epoch == 6
    assert handle.get_trials()[2].intermediate_values == {}


def test_without_a_study_nothing_is_pruned() -> None:
    assert fit(Worse(0.0), Pruning("no_such_metric")).current_epoch == 6


def test_a_metric_that_is_not_logged(handle: Any) -> None:
    with pytest.raises(SchedulerConfigError, match=r"monitor='acc': this validation has not logged it, but .*val_acc"):
        fit(Worse(0.0), Pruning("acc"))


def test_the_other_processes_do_what_the_first_one_decides(handle: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = trainer(Pruning("val_acc"), max_epochs=6)
    monkeypatch.setattr(made.strategy, "broadcast", lambda value, src=0: True)
    made.fit(Worse(0.9), loader(2), loader(1))
    assert made.global_step == 2


def test_reports_go_on_counting_after_a_checkpoint(handle: Any, tmp_path: Path) -> None:
    checkpoint = pl.callbacks.ModelCheckpoint(dirpath=tmp_path, save_last=True, save_top_k=0)
    made = trainer(Pruning("val_acc"), checkpoint, max_epochs=2)
    made.fit(Worse(0.9), loader(2), loader(1))
    again = trainer(Pruning("val_acc"), max_epochs=4)
    again.fit(Worse(0.8), loader(2), loader(1), ckpt_path=tmp_path / "last.ckpt", weights_only=False)
    assert list(handle.get_trials()[2].intermediate_values) == [1, 2, 3, 4]


def test_several_objectives_are_not_pruned(handle: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'two.db'}"
    storage = open_storage(url)
    trial = optuna.create_study(storage=storage, study_name="two", directions=["minimize", "maximize"]).ask()
    monkeypatch.setenv(TRIAL, Handle(url, "two", trial._trial_id, {"_target_": "optuna.pruners.NopPruner"}).text())
    try:
        with pytest.raises(SchedulerConfigError, match="a study of several objectives prunes nothing"):
            fit(Worse(0.0), Pruning("val_acc"))
    finally:
        close_storage(storage)
