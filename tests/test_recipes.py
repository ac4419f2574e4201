"""Every recipe of docs/recipes.md, with numbers that were computed another way."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import yaml
from lightning_helpers import Tiny, loader, trainer
from torch.optim import lr_scheduler

import lr_configs
from lr_configs import Horizon, LRSchedulerCallback, SchedulerConfigError, curve, registry

TEXT = (Path(__file__).parents[1] / "docs/recipes.md").read_text()
RUN = Horizon(epochs=90, steps_per_epoch=20)
STEPS = 1800


def recipe(title: str, language: str = "yaml") -> str:
    """The first block of a section."""
    (section,) = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", TEXT, flags=re.DOTALL | re.MULTILINE)
    return re.findall(rf"```{language}\n(.*?)```", section, flags=re.DOTALL)[0]


def node(title: str) -> dict[str, Any]:
    return yaml.safe_load(recipe(title))["scheduler"]


def callback(title: str, **more: Any) -> LRSchedulerCallback:
    return hydra.utils.instantiate({**yaml.safe_load(recipe(title))["callback"], **more})


def torch_rates(scheduler: Any, steps: int) -> list[float]:
    rates = []
    for _ in range(steps):
        rates.append(scheduler.optimizer.param_groups[0]["lr"])
        scheduler.optimizer.step()
        scheduler.step()
    return rates


def sgd(lr: float = 0.1) -> Any:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


def same(node: Any, expected: Any, rtol: float = 1e-12) -> None:
    np.testing.assert_allclose(curve(node, base_lr=0.1, horizon=RUN), expected, rtol=rtol, atol=1e-17)


def test_every_recipe_has_a_test() -> None:
    titles = re.findall(r"^## (.*)$", TEXT, flags=re.MULTILINE)
    source = Path(__file__).read_text()
    assert len(titles) == 12
    assert all(f'"{title}"' in source for title in titles)


def test_cosine() -> None:
    warmup, n = 90, STEPS - 90
    up = [0.1 * (0.01 + 0.99 * t / warmup) for t in range(warmup)]
    down = [0.001 + 0.099 * (1 + math.cos(math.pi * t / n)) / 2 for t in range(n)]
    same(node("Cosine with warmup and a 1% floor"), up + down, rtol=1e-11)


def test_linear() -> None:
    # get_linear_schedule_with_warmup
    factors = [t / 500 if t < 500 else (STEPS - t) / (STEPS - 500) for t in range(STEPS)]
    same(node("Linear decay, as transformers does it"), [0.1 * f for f in factors])


def test_restarts() -> None:
    optimizer = sgd()
    theirs = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=200, T_mult=2)
    same(node("Restarts that are smooth within epochs"), torch_rates(theirs, STEPS), rtol=1e-9)


def test_step_decay_goes_on_for_longer(tmp_path: Path) -> None:
    written = node("Step decay, and training longer")
    module = Tiny()
    checkpoint = pl.callbacks.ModelCheckpoint(dirpath=tmp_path, save_last=True, save_top_k=0)
    trainer(LRSchedulerCallback(written), checkpoint, max_epochs=31).fit(module, loader(1), loader(1))
    longer = Tiny()
    resumed = trainer(LRSchedulerCallback(written), max_epochs=62)
    resumed.fit(longer, loader(1), loader(1), ckpt_path=tmp_path / "last.ckpt", weights_only=False)
    rates = [0.1 * 0.1 ** (epoch // 30) for epoch in range(62)]
    assert module.rates + longer.rates == pytest.approx(rates)


def test_floors_by_name() -> None:
    written = node("Floors by group name")
    expected = {"backbone": (1e-3, 1e-6), "head": (0.1, 1e-3)}
    for group, (base, floor) in expected.items():
        values = curve(written, base_lr=base, horizon=Horizon(epochs=10), group=group)
        by_hand = [floor + (base - floor) * (1 + math.cos(math.pi * t / 10)) / 2 for t in range(10)]
        assert values.tolist() == pytest.approx(by_hand, rel=1e-12)


def test_plateau() -> None:
    written = node("Plateau with warmup, and two validations per epoch")
    module = Tiny()
    module.metric = iter([1.0] * 40)
    made = trainer(LRSchedulerCallback(written), max_epochs=20, val_check_interval=0.5)
    made.fit(module, loader(60), loader(1))
    # The first value behind the warmup, at update 510, is the best one; every fifth after it is one too many.
    reductions = [max(t - 510, 0) // 150 for t in range(1200)]
    up = [0.1 * (0.01 + 0.99 * t / 500) for t in range(500)] + [0.1] * 700
    assert module.rates == pytest.approx([u * 0.5**k for u, k in zip(up, reductions, strict=True)], rel=1e-9)


@pytest.mark.parametrize("decay", ["10%", "20%", "40%"])
def test_warmup_stable_decay(decay: str) -> None:
    written = {**node("Warmup-stable-decay, swept over its decay"), "decay": decay}
    n = 1782 * int(decay[:-1]) / 100
    begin = STEPS - math.floor(n + 0.5)
    expected = [
        0.1 * (0.01 + 0.99 * t / 18) if t < 18 else 0.1 if t < begin else 0.1 * (1 - math.sqrt((t - begin) / (STEPS - begin)))
        for t in range(STEPS)
    ]  # fmt: skip
    same(written, expected, rtol=1e-10)


class Gan(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator, self.critic = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
        self.rates: dict[str, list[float]] = {"generator": [], "critic": []}

    def training_step(self, batch: Any, batch_idx: int) -> None:
        generator, critic = self.optimizers()
        for name, optimizer, net in [("critic", critic, self.critic)] * 2 + [("generator", generator, self.generator)]:
            self.rates[name].append(optimizer.param_groups[0]["lr"])
            optimizer.zero_grad()
            self.manual_backward(net(batch).sum() * 1e-3)
            optimizer.step()

    def configure_optimizers(self) -> Any:
        return [torch.optim.SGD(net.parameters(), lr=0.1) for net in (self.generator, self.critic)]


def test_gan() -> None:
    module = Gan()
    trainer(callback("A GAN"), max_epochs=10).fit(module, loader(100))
    up = [0.1 * (0.01 + 0.99 * t / 20) for t in range(20)]
    down = [0.1 * (1 + math.cos(math.pi * t / 980)) / 2 for t in range(980)]
    assert module.rates["generator"] == pytest.approx(up + down, rel=1e-9)
    assert module.rates["critic"] == pytest.approx([0.1 * (1 - 0.9 * t / 2000) for t in range(2000)])


def test_weight_decay() -> None:
    class Decayed(Tiny):
        def on_before_optimizer_step(self, optimizer: Any) -> None:
            self.rates.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["weight_decay"]))

    module = Decayed(cls=torch.optim.AdamW, weight_decay=0.04)
    trainer(callback("Weight decay along with the rate"), max_epochs=10).fit(module, loader(10), loader(1))
    rates, decays = zip(*module.rates, strict=True)
    up = [0.1 * (0.01 + 0.99 * t / 5) for t in range(5)]
    assert rates == pytest.approx(up + [0.1 * (1 + math.cos(math.pi * t / 95)) / 2 for t in range(95)], rel=1e-9)
    assert decays == pytest.approx([0.4 - 0.36 * (1 + math.cos(math.pi * t / 100)) / 2 for t in range(100)])


def test_formula() -> None:
    same(node("A formula of your own"), [0.1 * (1 - t / STEPS) ** 0.9 for t in range(STEPS)])


def test_function() -> None:
    exec(recipe("A function of your own", "python"), {"__name__": "recipes"})
    try:
        n = STEPS - 36
        expected = [0.1 * (0.01 + 0.99 * t / 36) for t in range(36)] + [0.1 * 0.5 ** (4 * t / n) for t in range(n)]
        same(node("A function of your own"), expected)
    finally:
        registry.remove("half_life")


def test_resume(tmp_path: Path) -> None:
    title = "The four ways to resume"
    checkpoint = pl.callbacks.ModelCheckpoint(dirpath=tmp_path, filename="{epoch}", every_n_epochs=10, save_top_k=-1)
    trainer(callback(title), checkpoint, max_epochs=20).fit(Tiny(), loader(5), loader(1))
    half = tmp_path / "epoch=9.ckpt"
    cosine = [0.001 + 0.099 * (1 + math.cos(math.pi * t / 100)) / 2 for t in range(101)]
    expected = {
        "keep": cosine[50:100] + [cosine[99]] * 50,
        "stretch": [0.001 + 0.099 * (1 + math.cos(math.pi * (50 + t / 2) / 100)) / 2 for t in range(100)],
        "restart": cosine[:100],
    }
    for policy, rates in expected.items():
        module = Tiny()
        resumed = trainer(callback(title, resume=policy), max_epochs=30)
        resumed.fit(module, loader(5), loader(1), ckpt_path=half, weights_only=False)
        assert module.rates == pytest.approx(rates, rel=1e-9), policy
    with pytest.raises(SchedulerConfigError, match="T_max"):
        strict = trainer(callback(title, resume="strict"), max_epochs=30)
        strict.fit(Tiny(), loader(5), loader(1), ckpt_path=half, weights_only=False)


def test_the_names_are_those_of_the_package() -> None:
    for word in re.findall(r"lr_configs\.(\w+)", TEXT):
        assert hasattr(lr_configs, word), word
