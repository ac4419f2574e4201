"""The README's code runs, and what it promises is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from helpers import optimizer

from lr_configs import Horizon, available, curve, registry
from lr_configs.config import COMMON
from lr_configs.driver import Driver
from lr_configs.run import PlainRun

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.splitlines()[0])
def test_python(code: str) -> None:
    known = available()
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    for name in set(available()) - set(known):
        registry.remove(name)


def test_yaml() -> None:
    for text in blocks("yaml"):
        node = yaml.safe_load(text).get("scheduler")
        if isinstance(node, dict):
            curve(node, base_lr=0.1, horizon=Horizon(epochs=100, steps_per_epoch=20))


def test_the_table_has_every_schedule_and_its_picture() -> None:
    rows = re.findall(r"^\| `(\w+)` \| !\[\w+\]\((docs/curves/\w+\.svg)\)", TEXT, flags=re.MULTILINE)
    assert [name for name, _ in rows] == available()
    for _, picture in rows:
        assert (ROOT / picture).exists()
    for key in COMMON[2:]:
        assert f"| `{key}` |" in TEXT


def test_the_lines_at_the_top() -> None:
    node = {"name": "cosine_warm_restarts", "T_0": "10%", "T_mult": 2, "warmup": "500st"}
    said: list[str] = []
    driver = Driver(PlainRun(Horizon(epochs=90, steps_per_epoch=391), said.append))
    driver.drive(node, optimizer())
    driver.start()
    driver.announce()
    assert "\n".join(said) in TEXT


def test_links() -> None:
    for target in re.findall(r"\]\((?!http)([^)]+)\)", TEXT):
        assert (ROOT / target).exists(), target
