"""The page that maps other libraries' calls is what the converters give."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers import loaded, optimizer

from lr_configs import build

SCRIPT = Path(__file__).parents[1] / "docs" / "migrating.py"


def page() -> Any:
    return loaded(SCRIPT)


def cosine(x: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * x))


def restarts(t: int) -> float:
    i, start, size = 0, 0, 1000
    while t >= start + size:
        i, start, size = i + 1, start + size, 2 * size
    return 0.5**i * cosine((t - start) / size)


#: the beginning of each call -> its library's formula of the rate, for 0.1
FORMULAS: dict[str, Callable[[int], float]] = {
    "detectron2": lambda t: 0.1 * (0.001 + (1 - 0.001) * t / 1000 if t < 1000 else 0.1 ** ((t >= 6000) + (t >= 8000))),
    "fairseq": lambda t: 0.1 * (t / 1000 if t < 1000 else (1000 / t) ** 0.5),
    "optax.warmup": lambda t: 0.1 * t / 1000 if t < 1000 else 0.1 * (0.99 * cosine((t - 1000) / 9000) ** 2 + 0.01),
    "optax.exp": lambda t: max(0.1 * 0.5 ** (t // 1000), 0.01),
    "keras: CosineDecayRestarts": lambda t: 0.1 * restarts(t),
    "keras: Poly": lambda t: (0.1 - 0.001) * (1 - min(t, 10000) / 10000) ** 2 + 0.001,
    "keras: Inv": lambda t: 0.1 / (1 + 0.5 * t / 1000),
    "Megatron": lambda t: 0.1 * (t / 1000 if t < 1000 else 1 if t <= 8000 else 2 * 0.5 ** ((t - 8000) / 2000) - 1),
    "lightning-bolts": lambda t: 0.1 * (t / 9 if t < 9 else 1 if t < 10 else cosine((t - 10) / 90)),
    "diffusers": lambda t: 0.1 * (1 if t < 1000 else 0.1 if t < 2000 else 0.005),
}


@pytest.mark.parametrize("call", FORMULAS)
def test_what_is_written_by_hand_is_theirs(call: str) -> None:
    (node,) = [node for one, node, _ in page().BY_HAND if one.startswith(call)]
    made: Any = build(node, optimizer(2))
    last = 100 if call == "lightning-bolts" else 10_000
    for t in sorted({*range(0, last, 7), *(k * 1000 + side for k in range(last // 1000) for side in (0, 1)), last - 1}):
        expected = FORMULAS[call](t)
        rates = made.rates_at(t)
        assert rates[0] == pytest.approx(expected, rel=1e-10)
        assert "eta_min" in node or rates[1] == pytest.approx(expected / 2, rel=1e-10)
    assert len(FORMULAS) == len(page().BY_HAND)


def test_the_page_is_up_to_date_and_its_yaml_builds() -> None:
    script = page()
    text = SCRIPT.with_suffix(".md").read_text()
    assert text == script.page(), "make docs"
    nodes = [yaml.safe_load(one) for one in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    assert len(nodes) > 30
    for node in nodes:
        assert build({"monitor": "loss", **node} if node["name"] == "reduce_on_plateau" else node, optimizer())
