"""Schedules of one's own: a config class, a function, a class of torch's kind."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from helpers import optimizer, rates
from hydra import compose, initialize_config_dir
from lightning_helpers import Tiny, fit
from pytorch_lightning.callbacks import ModelCheckpoint

from lr_configs import (
    Horizon,
    LRSchedulerCallback,
    SchedulerConfigError,
    available,
    build,
    curve,
    functions,
    register,
    registry,
    schedulers,
)
from lr_configs.config import SchedulerConfig, number
from lr_configs.formula import Formula
from lr_configs.plan import resolve
from lr_configs.registry import offers

H = Horizon(epochs=2, steps_per_epoch=10)


def fading(t: Any, T: int, *, depth: float = 0.5, offset: int = 0, over: Any = "50%") -> float:
    """Down to `depth`."""
    return depth ** ((t + offset) / T)


class Halving(torch.optim.lr_scheduler.LRScheduler):
    """Half of what the groups hold, every so often."""

    def __init__(self, optimizer: Any, every: int = 4, last_epoch: int = -1) -> None:
        self.every = every
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        half = self.last_epoch > 0 and self.last_epoch % self.every == 0
        return [group["lr"] * (0.5 if half else 1.0) for group in self.optimizer.param_groups]


def test_defaults_of_every_kind() -> None:
    """They are kept as plain data, and a copy belongs to each config."""

    def shaped(t: Any, T: int, *, ends: Any = (1, 2), marks: Any, by: Any, word: str = "", of: Any = None) -> float:
        return 1.0

    register("shaped", shaped, defaults={"marks": [3], "by": {"a": 1}})
    made, other = (registry.parse({"name": "shaped"}) for _ in range(2))
    assert (made.ends, made.marks, made.by, made.word, made.of) == ([1, 2], [3], {"a": 1}, "", None)
    made.marks.append(4)
    assert other.marks == registry.parse({"name": "shaped"}).marks == [3]
    assert registry.parse({"name": "shaped", "ends": [5]}).ends == [5]


@pytest.mark.parametrize(
    "text", ["1.01", "exp(0.001 * t)", "1 + 0.1 * (t > 7000)", "0.9", "2 if t == 3000 else 1", "1.2 if t % 2 else 0.9"]
)
@pytest.mark.parametrize("chunk", [7, 1000, 1 << 14])
def test_where_a_product_overflows(text: str, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow reference finds the same step, however many are looked at at once."""
    monkeypatch.setattr(functions, "_CHUNK", chunk)
    functions._overflow.cache_clear()
    factor = Formula(text)
    logarithm, expected = 0.0, None
    for t in range(1, 9000):
        logarithm += math.log(factor(t))
        if logarithm > math.log(1e300):
            expected = t
            break
    assert functions.Product(factor).overflow(9000) == expected


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    before = available()
    register("fading", fading)
    register("halving_class", Halving)
    yield
    for name in set(available()) - set(before):
        registry.remove(name)


def test_a_function_has_all_that_ours_have(tmp_path: Any) -> None:
    node = {"name": "fading", "warmup": "10%", "depth": 0.25}
    expected = [0.1 * (0.01 + 0.99 * t / 2) if t < 2 else 0.1 * 0.25 ** ((t - 2) / 18) for t in range(20)]
    np.testing.assert_allclose(curve(node, 0.1, H), expected, rtol=1e-14)
    opt = optimizer(2)
    made: Any = build(node, opt, H)
    for value in expected:
        assert rates(opt) == pytest.approx([value, value / 2], rel=1e-14)
        opt.step()
        made.step()
    stages = {"hold": {"name": "none", "length": "50%"}, "fall": {"name": "fading"}}
    values = curve({"name": "sequential", "stages": stages}, 0.1, H)
    np.testing.assert_allclose(values, [0.1] * 10 + [0.1 * 0.5 ** (t / 10) for t in range(10)])
    (tmp_path / "config.yaml").write_text(
        "hydra: {searchpath: ['lr-configs://']}\ndefaults: [_self_, {scheduler: fading}]\n"
    )
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        cfg = compose("config", overrides=["scheduler.warmup=10%", "scheduler.depth=0.25", "scheduler.T=100%"])
        np.testing.assert_allclose(curve(cfg.scheduler, 0.1, H), expected)
        with pytest.raises(Exception, match=r"scheduler\.depth=half"):
            compose("config", overrides=["scheduler.depth=half"])


def test_lengths_among_its_keys() -> None:
    @register("late")
    def late(t: float, *, start: Any = "25%") -> float:
        return 1.0 if t < start else 0.5

    np.testing.assert_allclose(curve("late", 0.1, H), [0.1] * 5 + [0.05] * 15)
    np.testing.assert_allclose(curve({"name": "late", "start": "1ep"}, 0.1, H), [0.1] * 10 + [0.05] * 10)


def test_a_function_goes_on_from_a_checkpoint(tmp_path: Any) -> None:
    node = {"name": "fading", "warmup": "10%"}
    save = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_top_k=-1, filename="{step}")
    whole = fit(LRSchedulerCallback(node), Tiny(), save, batches=10, max_epochs=2).rates
    for step in (1, 15):
        ckpt = str(tmp_path / f"step={step}.ckpt")
        assert fit(LRSchedulerCallback(node), Tiny(), ckpt=ckpt, batches=10, max_epochs=2).rates == whole[step:]


def test_pickles_and_copies() -> None:
    opt = optimizer()
    made: Any = build("fading", opt, H)
    for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        other.jump(20)
        assert rates(other.optimizer) == pytest.approx([0.05])
    config = registry.parse({"name": "fading", "depth": 0.1})
    assert pickle.loads(pickle.dumps(config)) == config
    assert isinstance(schedulers.FadingLR(opt, T=10, over=5), torch.optim.lr_scheduler.LRScheduler)  # type: ignore[attr-defined]


@pytest.mark.parametrize("bad", [float("nan"), -1.0, float("inf")])
def test_a_function_that_gives_no_rate(bad: float) -> None:
    register("broken", lambda t, T: bad if t == 13 else 1.0)
    with pytest.raises(SchedulerConfigError, match=f"name='broken': at step 13 its function gives {bad}"):
        build("broken", optimizer(), H)
    register("negative", lambda t, T: 1 / (t - 3))
    with pytest.raises(SchedulerConfigError, match=r"at step 0 its function gives -0.*Repair \S+<lambda>\.$"):
        build("negative", optimizer(), H)
    register("raising", lambda t, T: 1 / 0)
    with pytest.raises(
        SchedulerConfigError, match=r"its function raises ZeroDivisionError.*Repair \S+<lambda>, or its keys\.$"
    ):
        build("raising", optimizer(), H)


@pytest.mark.parametrize(
    ("steps", "asked"),
    [
        (4, [0, 1, 2, 3]),
        (5, [0, 1, 2, 3, 4]),
        (6, [0, 1, 2, 3, 4, 5]),
        (13, [0, 2, 5, 7, 10, 12]),  # a longer run, in as many parts, and its end
        (25, [0, 5, 10, 15, 20, 24]),
        (None, [0, 1, 2, 3]),
    ],
)
def test_at_which_steps_a_function_is_checked(steps: int | None, asked: list[int], monkeypatch: Any) -> None:
    monkeypatch.setattr("lr_configs.own._CHECKED", 5)
    monkeypatch.setattr("lr_configs.own._FIRST", 4)
    found = []

    @register("noted")
    def noted(t: int) -> float:
        found.append(t)
        return 1.0

    resolve({"name": "noted", "interval": "step"}, None if steps is None else Horizon(steps=steps))
    assert found == asked


def test_names() -> None:
    with pytest.raises(SchedulerConfigError, match="name='fading': FadingLRConfig has this name already"):
        register("fading", lambda t: 1.0)
    with pytest.raises(SchedulerConfigError, match="name='cosine': CosineAnnealingLRConfig has this name already"):
        register("cosine", lambda t: 1.0)
    register("fading", lambda t: 0.5, replace=True)
    assert curve("fading", 0.1, H).tolist() == [0.05] * 20
    with pytest.raises(SchedulerConfigError, match="the name of a schedule is one word"):
        register("my decay", lambda t: 1.0)


@pytest.mark.parametrize(
    ("what", "rule"),
    [
        (lambda: 1.0, r"takes \(t\) or \(t, T\)"),
        (lambda t, T, alpha: 1.0, r"takes \(t\) or \(t, T\)"),
        (lambda t, **keys: 1.0, r"its signature has \*\*keys"),
        (lambda t, *, alpha: 1.0, "alpha=None: this key of <lambda> has no default"),
        (lambda t, *, warmup=1: 1.0, "every schedule has this key already"),
        (max, "its signature cannot be read"),
        (3, "no config class, no function"),
        (int, "no config class, no function"),
        (SchedulerConfig, "the class has no formula"),
    ],
)
def test_what_cannot_be_registered(what: Any, rule: str) -> None:
    with pytest.raises(SchedulerConfigError, match=rule):
        register("another", what)
    assert "another" not in available()


def test_defaults_that_a_signature_lacks() -> None:
    def needs(t: float, *, alpha: float) -> float:
        return alpha

    register("needs", needs, defaults={"alpha": 0.25})
    assert curve("needs", 1.0, Horizon(steps=2)).tolist() == [0.25, 0.25]


def test_a_config_class() -> None:
    @register("squares")
    class SquaresConfig(SchedulerConfig):
        """``base / (1 + scale t^2)``."""

        scale: float = number(1.0, 0)

        @staticmethod
        def weights(p: Any, t: Any, m: Any) -> Any:
            return 1 / (1 + p.scale * t * t)

    assert curve({"name": "squares", "scale": 2, "interval": "step"}, 1.0, Horizon(steps=3)).tolist() == [
        1,
        1 / 3,
        1 / 9,
    ]
    same = "".join(["squ", "ares"])  # a text of its own
    register(same, registry.entry(same), replace=True)
    with pytest.raises(
        SchedulerConfigError, match=r"name='cubes': SquaresConfig has the name squares already\. Register it"
    ):
        register("cubes", registry.entry("squares"))


# --- a class that is stepped as it is ---------------------------------------------------------------------------------


def test_a_class_is_stepped_as_it_is() -> None:
    opt, other = optimizer(2), optimizer(2)
    made: Any = build({"name": "halving_class", "every": 3}, opt)
    theirs = Halving(other, 3)
    assert isinstance(made, Halving)
    assert schedulers.is_ours(made)
    for _ in range(10):
        for one, schedule in ((opt, made), (other, theirs)):
            one.step()
            schedule.step()
        assert rates(opt) == rates(other)
    assert made.state_dict() == theirs.state_dict()
    made.jump(4)
    assert rates(opt) == [0.05, 0.025]
    again = pickle.loads(pickle.dumps(made))
    assert again.position == 4


def test_a_constructor_of_its_own_kind() -> None:
    class Slow(torch.optim.lr_scheduler.LRScheduler):
        """The optimizer under another name, a length, and no `last_epoch`."""

        def __init__(self, opt: Any, over: int, floor: float = 0.5) -> None:
            self.over, self.floor = over, floor
            super().__init__(opt)

        def get_lr(self) -> list[Any]:
            return [base * max(1 - self.last_epoch / self.over, self.floor) for base in self.base_lrs]

    register("slow", Slow, defaults={"over": "50%"})
    opt = optimizer()
    made: Any = build({"name": "slow", "floor": 0.25, "interval": "step"}, opt, H)
    found = []
    for _ in range(12):
        found += rates(opt)
        opt.step()
        made.step()
    assert found == pytest.approx([0.1 * max(1 - t / 10, 0.25) for t in range(12)])
    with pytest.raises(SchedulerConfigError, match="last_epoch=3: Slow takes no last_epoch"):
        registry.parse({"name": "slow", "last_epoch": 3})


def test_a_class_is_a_hydra_option_with_typed_keys(tmp_path: Any) -> None:
    register("slowly", Halving, defaults={"every": "1ep"})
    (tmp_path / "config.yaml").write_text(
        "hydra: {searchpath: ['lr-configs://']}\ndefaults: [_self_, {scheduler: halving_class}]\n"
    )
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        cfg = compose("config", overrides=["scheduler.every=3"])
        assert build(cfg.scheduler, optimizer()).every == 3  # type: ignore[attr-defined]
        with pytest.raises(Exception, match=r"scheduler\.every=half"):
            compose("config", overrides=["scheduler.every=half"])
        with pytest.raises(SchedulerConfigError, match=r"every=2\.5: this must be an integer"):
            build({"name": "halving_class", "every": 2.5}, optimizer())
        lengths = compose("config", overrides=["scheduler=slowly"])
        assert build(lengths.scheduler, optimizer(), H).every == 1  # type: ignore[attr-defined]
        assert build({"name": "slowly", "every": "25%"}, optimizer(), H).every == 5  # type: ignore[attr-defined]


def test_a_class_goes_on_from_a_checkpoint(tmp_path: Any) -> None:
    save = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_top_k=-1, filename="{step}")
    node = {"name": "halving_class", "interval": "step"}
    whole = fit(LRSchedulerCallback(node), Tiny(), save, batches=10, max_epochs=2)
    assert whole.rates == [0.1 * 0.5 ** (t // 4) for t in range(20)]
    for step in (1, 9, 12):
        ckpt = str(tmp_path / f"step={step}.ckpt")
        rest = fit(LRSchedulerCallback(node), Tiny(), ckpt=ckpt, batches=10, max_epochs=2).rates
        assert rest == whole.rates[step:]


def test_a_class_that_goes_back_keeps_its_edits() -> None:
    opt = optimizer(2)
    made: Any = build({"name": "halving_class", "every": 2}, opt)
    made.jump(5)
    opt.param_groups[1]["lr"] *= 0.6
    made.jump(3)
    assert rates(opt) == pytest.approx([0.05, 0.05 * 0.5 * 0.6])
    made.jump(6)
    assert rates(opt) == pytest.approx([0.0125, 0.05 * 0.125 * 0.6])


def test_a_class_on_a_stretched_clock_goes_on_from_a_checkpoint(tmp_path: Any) -> None:
    save = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_top_k=-1, filename="{step}")
    node = {"name": "halving_class", "interval": "step"}
    fit(LRSchedulerCallback(node), Tiny(), save, batches=10, max_epochs=2)
    save = ModelCheckpoint(tmp_path, every_n_train_steps=1, save_top_k=-1, filename="more-{step}")
    callback = LRSchedulerCallback(node, resume="stretch")
    longer = fit(callback, Tiny(), save, ckpt=str(tmp_path / "step=4.ckpt"), batches=10, max_epochs=4).rates
    # 16 steps over 36 updates
    assert longer == pytest.approx([0.1 * 0.5 ** ((4 + t * 16 / 36) // 4) for t in range(36)])
    for step in (6, 21):
        ckpt = str(tmp_path / f"more-step={step}.ckpt")
        for policy in ("strict", "keep", "stretch"):
            callback = LRSchedulerCallback(node, resume=policy)
            assert fit(callback, Tiny(), ckpt=ckpt, batches=10, max_epochs=4).rates == longer[step - 4 :]


def test_a_class_has_no_curve() -> None:
    for ask in (
        lambda: curve("halving_class", 0.1, H),
        lambda: build({"name": "halving_class", "warmup": 3}, optimizer(), H),
        lambda: build({"name": "halving_class", "warmup_overlap": True}, optimizer(), H),
        lambda: build({"name": "halving_class", "cooldown": "10%"}, optimizer(), H),
        lambda: build({"name": "sequential", "stages": [{"name": "halving_class"}]}, optimizer(), H),
    ):
        with pytest.raises(SchedulerConfigError, match=r"(no|a) curve"):
            ask()


def test_a_name_of_ours_is_known_without_a_look_at_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def never() -> None:
        raise AssertionError("installed packages were looked through")

    monkeypatch.setattr("lr_configs.registry.offered", never)
    assert offers("cosine")
    with pytest.raises(AssertionError, match="looked through"):
        offers("cosin")
