"""The gallery is what its script writes, and each of its nodes runs."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers import loaded, optimizer

from lr_configs import available, build

SCRIPT = Path(__file__).parents[1] / "docs" / "gallery.py"


@pytest.fixture(scope="module")
def script() -> Any:
    return loaded(SCRIPT)


def test_the_gallery_is_up_to_date(script: Any, capsys: Any) -> None:
    assert script.main(check=True) == 0, f"make docs: {capsys.readouterr().out}"
    for path, text in script.pictures():
        ElementTree.fromstring(text)
        assert path.exists()


def test_what_it_shows_runs(script: Any) -> None:
    text = script.PAGE.read_text()
    nodes = [yaml.safe_load(one)["scheduler"] for one in re.findall(r"```yaml\n(.*?)```", text, flags=re.DOTALL)]
    assert nodes == [node for _, node, _, _ in script.nodes()]
    assert [node["name"] for node in nodes[-len(available()) :]] == available()
    for _, node, run, rate in script.nodes():
        made = build(node, optimizer(), run)
        assert made.get_last_lr()[0] > 0 or node["name"] in ("linear", "piecewise", "slanted_triangular"), rate


def test_nothing_else_lies_beside_the_pictures(script: Any) -> None:
    drawn = {path for path, _ in script.pictures()}
    assert set(script.PICTURES.iterdir()) == {path for path in drawn if path.parent == script.PICTURES}
