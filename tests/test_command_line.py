"""What docs/command-line.md shows is what the commands say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from lr_configs.commands import COMMANDS

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "command-line.md").read_text()
#: a command, and what it says
SHOWN = re.findall(r"```console\n\$ (lr-configs .*)\n((?:(?!\$|```).*\n)+)```", TEXT)


@pytest.mark.parametrize(("line", "said"), SHOWN, ids=[line for line, _ in SHOWN])
def test_what_is_shown(line: str, said: str) -> None:
    script = f'lr-configs() {{ {sys.executable} -m lr_configs "$@"; }}; {line}'
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "cwd": ROOT}
    assert subprocess.run(["bash", "-c", script], **options).stdout == said


def test_every_command_is_in_it() -> None:
    assert len(SHOWN) >= 6
    assert re.findall(r"^\| `(\w+)(?: NAME)?` \|", TEXT, flags=re.MULTILINE) == list(COMMANDS)
    for target in re.findall(r"\]\((?!http)([^)]+)\)", TEXT):
        assert (ROOT / "docs" / target).exists()


def test_python_and_yaml(capsys: Any) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    exec(compile(code, "command-line.md", "exec"), {})
    assert capsys.readouterr().out.startswith("scheduler: no callback and no module node")
    first, second, third = map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL))
    (offered,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert first["repos"][0]["hooks"][0]["id"] == offered["id"]
    (local,) = second["repos"][0]["hooks"]
    assert {key: local[key] for key in ("id", "name", "pass_filenames", "files")} == {
        key: offered[key] for key in ("id", "name", "pass_filenames", "files")
    }
    assert "lr-configs check" in third[0]["run"]
