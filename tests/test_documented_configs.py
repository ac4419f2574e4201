"""The primary configs that the documentation shows are composed by Hydra as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import hydra
import pytest
from hydra_apps import VERSION_BASE

import lr_configs
from lr_configs import Horizon

ROOT = Path(__file__).parents[1]
BLOCKS = [
    (f"{page.name}-{i}", text)
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    for i, text in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), flags=re.DOTALL))
    if "searchpath" in text and "defaults" in text
]


def test_there_are_some() -> None:
    assert {"README.md", "hydra.md", "sweeps.md"} <= {name.rpartition("-")[0] for name, _ in BLOCKS}


@pytest.mark.parametrize("text", [text for _, text in BLOCKS], ids=[name for name, _ in BLOCKS])
def test_it_composes(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with hydra.initialize_config_dir(str(tmp_path), **VERSION_BASE):
        cfg = hydra.compose("config", return_hydra_config=True)
    node = cfg.model.scheduler if "model/scheduler" in text else cfg.scheduler
    assert lr_configs.curve(node, base_lr=0.1, horizon=Horizon(epochs=3, steps_per_epoch=5))[0] == 0.1
    sweeper = re.findall(r"override hydra/sweeper: (\w+)", text)
    assert cfg.hydra.runtime.choices["hydra/sweeper"] == (sweeper or ["basic"])[0]
