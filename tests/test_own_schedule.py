"""A schedule of fifteen lines, all of them here, has everything that ours have."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from helpers import optimizer, rates
from hydra import compose, initialize_config_dir
from hydra_apps import VERSION_BASE
from lightning_helpers import Tiny, fit
from pytorch_lightning.callbacks import ModelCheckpoint

from lr_configs import (
    Horizon,
    LRSchedulerCallback,
    SchedulerConfigError,
    available,
    build,
    curve,
    register,
    registry,
    schedulers,
)
from lr_configs.config import SchedulerConfig, length, number, schedule
from lr_configs.plan import resolve


@schedule("halving", torch_class="HalvingLR")
class HalvingConfig(SchedulerConfig):
    """``rate(t) = base * depth ** (t / every)``."""

    every: Any = length("50%")
    depth: float = number(0.5, 0, 1)

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """The factor at `t`."""
        return m.power(p.depth, t / p.every)


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    registry.add(HalvingConfig, replace=False)
    yield
    registry.remove("halving")


H = Horizon(epochs=2, steps_per_epoch=10)
NODE = {"name": "halving", "every": "25%", "warmup": "10%"}
EXPECTED = [0.1 * (0.01 + 0.99 * t / 2) if t < 2 else 0.1 * 0.5 ** ((t - 2) / 5) for t in range(20)]  # 25% of 18 is 5


def test_it_is_listed_and_checked() -> None:
    assert "halving" in available()
    with pytest.raises(SchedulerConfigError, match=r"evry=3: halving has no such key. did you mean 'every'"):
        build({"name": "halving", "evry": 3}, optimizer(), H)
    with pytest.raises(SchedulerConfigError, match="depth=2: this must be a number at least 0 and at most 1"):
        build({"name": "halving", "depth": 2}, optimizer(), H)


def test_lengths_warmup_and_arrays() -> None:
    np.testing.assert_allclose(curve(NODE, 0.1, H), EXPECTED, rtol=1e-14)
    opt = optimizer()
    made: Any = build(NODE, opt, H)
    for value in EXPECTED:
        assert rates(opt) == [pytest.approx(value, rel=1e-14)]
        opt.step()
        made.step()


def test_stages_and_products() -> None:
    stages = {"hold": {"name": "none", "length": "50%"}, "fall": {"name": "halving", "every": "100%"}}
    values = curve({"name": "sequential", "stages": stages}, 0.1, H)
    np.testing.assert_allclose(values, [0.1] * 10 + [0.1 * 0.5 ** (t / 10) for t in range(10)])
    twice = {"a": {"name": "halving", "every": 5}, "b": {"name": "halving", "every": 10}}
    values = curve({"name": "chained", "interval": "step", "stages": twice}, 0.1, H)
    np.testing.assert_allclose(values, [0.1 * 0.5 ** (t / 5 + t / 10) for t in range(20)])


def test_from_yaml(tmp_path: Any) -> None:
    (tmp_path / "config.yaml").write_text(
        "hydra: {searchpath: ['lr-configs://']}\ndefaults: [_self_, {scheduler: halving}]\n"
    )
    with initialize_config_dir(str(tmp_path), **VERSION_BASE):
        cfg = compose("config", overrides=["scheduler.every=25%", "scheduler.warmup=10%"])
    np.testing.assert_allclose(curve(cfg.scheduler, 0.1, H), EXPECTED)


def test_its_class_is_in_torchs_style() -> None:
    opt = optimizer(2)
    made = schedulers.HalvingLR(opt, every=4, depth=0.25)  # type: ignore[attr-defined]
    assert isinstance(made, torch.optim.lr_scheduler.LRScheduler)
    opt.step()
    made.step()
    assert rates(opt) == pytest.approx([0.1 * 0.25**0.25, 0.05 * 0.25**0.25])
    for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        other.jump(4)
        assert rates(other.optimizer) == pytest.approx([0.025, 0.0125])
    again = schedulers.HalvingLR(optimizer(2), 4, 0.25)  # type: ignore[attr-defined]
    again.load_state_dict(made.state_dict())
    assert rates(again.optimizer) == rates(opt)


def test_resume(tmp_path: Any) -> None:
    save = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_top_k=-1, filename="{step}")
    whole = fit(LRSchedulerCallback(NODE), Tiny(), save, batches=10, max_epochs=2).rates
    np.testing.assert_allclose(whole, EXPECTED, rtol=1e-14)
    for step in (1, 7, 15):
        rest = fit(
            LRSchedulerCallback(NODE), Tiny(), ckpt=str(tmp_path / f"step={step}.ckpt"), batches=10, max_epochs=2
        ).rates
        assert rest == whole[step:]


def test_the_length_of_a_function_of_ones_own_has_its_default() -> None:
    @register("half")
    def half(t, T="50%"):  # type: ignore[no-untyped-def]
        return 1 / (1 + t / T)

    @register("whole")
    def whole(t=0, T=None):  # type: ignore[no-untyped-def]
        return 1 / (1 + t / T)

    try:
        assert resolve("half", Horizon(steps=10)).params["T"] == 5
        assert resolve({"name": "half", "T": "20%"}, Horizon(steps=10)).params["T"] == 2
        assert resolve("whole", Horizon(steps=10)).params["T"] == 10
        assert resolve({"name": "whole", "T": 4}, Horizon(steps=10)).params["T"] == 4
    finally:
        registry.remove("half")
        registry.remove("whole")
