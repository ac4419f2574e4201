"""Other libraries' calls as configs of ours: torch's own, the command, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
import yaml
from helpers import TWINS, optimizer, rates

from lr_configs import SchedulerConfigError, build, convert
from lr_configs.__main__ import main
from lr_configs.config import SchedulerConfig

T = torch.optim.lr_scheduler


@pytest.mark.parametrize("name", [name for name in TWINS if name not in ("none", "reduce_on_plateau")])
def test_an_instance_of_torch(name: str) -> None:
    """Three groups; the converted schedule beside the instance it was read from."""
    theirs, mine = optimizer(2), optimizer(2)
    scheduler = TWINS[name][1](theirs)
    config = convert.torch(scheduler)
    config.interval = "step"
    made: Any = build(config, mine)
    for _ in range(600 if name != "one_cycle" else 499):
        assert rates(mine) == pytest.approx(rates(theirs), rel=1e-9, abs=1e-14)
        for one, schedule in ((theirs, scheduler), (mine, made)):
            one.step()
            schedule.step()


CLASSES: list[tuple[Any, dict[str, Any], str]] = [
    (T.StepLR, {"step_size": 30}, "step"),
    (T.CosineAnnealingLR, {"T_max": 10, "eta_min": 0.001}, "cosine"),
    (T.PolynomialLR, {"power": 2}, "polynomial"),
    ("OneCycleLR", {"max_lr": 0.1, "total_steps": 50}, "one_cycle"),
    ("torch.optim.lr_scheduler.ExponentialLR", {"gamma": 0.9}, "exponential"),
    (T.ReduceLROnPlateau, {"patience": 3}, "reduce_on_plateau"),
]


@pytest.mark.parametrize(("cls", "keys", "name"), CLASSES)
def test_a_class_with_its_arguments(cls: Any, keys: dict[str, Any], name: str) -> None:
    config = convert.torch(cls, **keys)
    assert config.name == name
    assert {key: getattr(config, key) for key in keys} == keys


def test_a_composite_of_torch() -> None:
    o = optimizer()
    chain = T.SequentialLR(o, [T.LinearLR(o, 0.1, total_iters=5), T.ChainedScheduler([T.ExponentialLR(o, 0.9)])], [5])
    config = convert.torch(chain)
    assert config.stage_lengths() == [5, None]
    assert [child.name for _, child in config.children()] == ["linear", "chained"]


def test_what_is_not_torchs() -> None:
    class Mine(T.LRScheduler):
        def get_lr(self) -> list[Any]:
            return [group["lr"] for group in self.optimizer.param_groups]

    with pytest.raises(SchedulerConfigError, match="scheduler='Mine': this is no scheduler of torch's own"):
        convert.torch(Mine(optimizer()))
    with pytest.raises(SchedulerConfigError, match="torch has no such class"):
        convert.torch("CosineLR")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: convert.transformers("cosin", 0, 10), "name='cosin': transformers has no such schedule. did you mean 'cosine'"),
        (lambda: convert.transformers("cosine", 0), "num_training_steps=None: cosine ends with the run"),
        (lambda: convert.transformers("cosine", 0, 10, {"cycles": 2}), "cycles=2: cosine of transformers has no such"),
        (lambda: convert.transformers("greedy"), "GreedyLR raises the rate while a metric improves"),
        (lambda: convert.transformers("polynomial", 0, 10), "lr=None: transformers divides lr_end=1e-07"),
        (lambda: convert.transformers("cosine", -1, 10), "num_warmup_steps=-1: this is a number of updates"),
        (lambda: convert.timm("cosin"), "sched='cosin': timm has no such schedule. did you mean 'cosine'"),
        (lambda: convert.timm("cosine", 10, warmup=3), "warmup=3: timm's create_scheduler_v2 has no such argument"),
        (lambda: convert.timm("cosine", 10, warmup_epochs=3), "lr=None: timm's warmup_lr=1e-05 is a rate"),
        (lambda: convert.timm("rsqrt", 10), "stable_timescale=0: rsqrt without a warmup needs a length above 0"),
        (lambda: convert.timm("cosine", 10, step_on_epochs=False), "updates_per_epoch=0"),
    ],
)  # fmt: skip
def test_refused(call: Any, message: str) -> None:
    with pytest.raises(SchedulerConfigError) as error:
        call()
    assert message in str(error.value)


def test_the_command(capsys: Any) -> None:
    assert main(["convert", "transformers", "cosine", "--warmup-steps", "500", "--steps", "10000"]) == 0
    out = capsys.readouterr().out
    assert out == (
        "_target_: lr_configs.scheduler\nname: cosine\nT_max: 9500\ninterval: step\nwarmup: 500\n"
        "warmup_start_factor: 0\n"
    )
    assert build(yaml.safe_load(out), optimizer()) is not None
    timm = [
        "convert",
        "timm",
        "multistep",
        "decay_milestones=[3, 6]",
        "warmup_epochs=2",
        "warmup_prefix=true",
        "--lr",
        "0.1",
    ]
    assert main(timm) == 0
    out = capsys.readouterr().out
    assert out.startswith("# timm trains for 302 epochs\n# timm's milestone m takes effect at step m - 1")
    assert yaml.safe_load(out)["milestones"] == [2, 5]
    assert main(["convert", "torch", "StepLR", "step_size=30"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["name"] == "step"
    assert main(["convert", "transformers", "greedy"]) == 2
    assert "GreedyLR raises the rate" in capsys.readouterr().err


def test_every_conversion_survives_yaml() -> None:
    from lr_configs.convert import from_timm

    keys = {"cycle_limit": 3, "cycle_decay": 0.5, "warmup_epochs": 2, "min_lr": 1e-4}
    result = from_timm.converted("cosine", 20, keys, [0.1, 0.05])
    again: SchedulerConfig = build_config(yaml.safe_load(result.yaml()))
    assert again == result.config


def build_config(node: Any) -> SchedulerConfig:
    from lr_configs.registry import parse

    return parse(node)


def test_without_torch() -> None:
    code = "import sys, lr_configs.__main__ as m; m.main(['convert', 'timm', 'wsd']); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
