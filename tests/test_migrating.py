"""The page that maps other libraries' calls is what the converters give."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import yaml
from helpers import optimizer

from lr_configs import build

SCRIPT = Path(__file__).parents[1] / "docs" / "migrating.py"


def test_the_page_is_up_to_date_and_its_yaml_builds() -> None:
    spec = importlib.util.spec_from_file_location("migrating", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    text = SCRIPT.with_suffix(".md").read_text()
    assert text == script.page(), "make docs"
    nodes = [yaml.safe_load(one) for one in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    assert len(nodes) > 30
    for node in nodes:
        assert build({"monitor": "loss", **node} if node["name"] == "reduce_on_plateau" else node, optimizer())
