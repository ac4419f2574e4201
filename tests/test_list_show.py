"""`list`, `show` and `completion`: made from the schedules' own files, in a terminal and in a pipe."""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lr_configs import available, build, registry
from lr_configs.commands import COMMANDS, main
from lr_configs.commands.completion import replies
from lr_configs.commands.listing import torch_class
from lr_configs.commands.output import as_json
from lr_configs.commands.show import keys_of
from lr_configs.config import COMMON
from lr_configs.described import is_torchs, references
from lr_configs.registry import entry

ROOT = Path(__file__).parents[1]


def contract() -> str:
    """Every schedule with the class and the keys that users rely on: default, what it may be, what a study tries."""

    def told(keys: list[Any]) -> list[str]:
        lines = []
        for key in keys:
            lines.append(f"  {key.name}: {json.dumps(key.default)}  # {key.words}")
            lines += [f"      a study tries {key.search}"] if key.search else []
        return lines

    parts = ["every schedule", *told([key for key in keys_of(entry("none")) if key.common])]
    for name in available():
        config = entry(name)
        parts += ["", f"{name}: {torch_class(config)}, interval {config.natural_interval}"]
        parts += told([key for key in keys_of(config) if not key.common])
    return "\n".join([*parts, ""])


def test_names_keys_and_defaults_are_a_contract() -> None:
    assert contract() == (Path(__file__).parent / "contract.txt").read_text()


def in_a_terminal(*words: str, columns: int = 80, **environment: str) -> list[str]:
    """The lines that a terminal of this width gets."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm", **environment}
    env = {key: value for key, value in env.items() if value or key != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, "-m", "lr_configs", *words], stdout=theirs, stderr=subprocess.PIPE, env=env
    )
    os.close(theirs)
    found = b""
    while True:
        try:
            part = os.read(ours, 1 << 16)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        found += part
    os.close(ours)
    _, error = process.communicate(timeout=60)
    assert (process.returncode, error) == (0, b"")
    return found.decode().replace("\r\n", "\n").splitlines()


def plain(line: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


# --- list -------------------------------------------------------------------------------------------------------------


def test_a_line_for_every_schedule(capsys: Any) -> None:
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()[1:]] == available()
    assert "\x1b" not in out
    assert "█" not in out
    cosine = next(line for line in out.splitlines() if line.startswith("cosine "))
    assert cosine.endswith("it oscillates past an explicit T_max.")  # never cut off in a pipe


def test_what_is_not_finite_is_no_json() -> None:
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="not JSON compliant"):
            as_json({"lr": value})


def test_as_json(capsys: Any) -> None:
    assert main(["list", "--json"]) == 0
    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert list(found) == available()
    for name, one in found.items():
        assert one["torch"] is hasattr(torch.optim.lr_scheduler, one["class"]), name
        assert one["interval"] == entry(name).natural_interval
        assert one["summary"]


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_a_terminal_has_curves_and_no_line_is_too_long(columns: int) -> None:
    lines = in_a_terminal("list", columns=columns)
    assert len(lines) == len(available()) + 1
    assert all(len(line) <= columns for line in lines)
    step = next(line for line in lines if line.startswith("step "))
    assert "███████▂▂▂▂▂▂▁▁▁" in step


def test_a_terminal_that_has_ascii_alone() -> None:
    lines = in_a_terminal("list", PYTHONIOENCODING="ascii")
    assert all(line.isascii() for line in lines)
    assert any("#######" in line for line in lines)


class Offer:
    """An installed package's entry point, which must not be imported."""

    def __init__(self, name: str, fails: bool = False) -> None:
        self.name, self.value, self.dist = name, "their.module:thing", None
        self.fails = fails

    def load(self) -> Any:
        assert self.fails, "this is imported"
        raise ImportError("no module named 'their'")


@pytest.fixture
def offers(monkeypatch: Any) -> None:
    found = [Offer("quiet"), Offer("broken", fails=True)]
    monkeypatch.setattr(registry, "_offered", None)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: found)


@pytest.mark.usefixtures("offers")
def test_what_packages_offer_is_listed_and_not_imported(capsys: Any) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].split() == ["quiet", "of", "the", "package", "their.module:thing"]
    assert main(["list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[-1] == {
        "name": "broken",
        "class": None,
        "torch": False,
        "interval": None,
        "summary": None,
        "package": "their.module:thing",
    }
    assert main(["show", "broken"]) == 2
    assert "its import fails: ImportError: no module named 'their'" in capsys.readouterr().err
    assert main(["show", "cosine"]) == 0


def test_a_schedule_of_ones_own(capsys: Any) -> None:
    @registry.register("fading_here")
    def fading(t: Any, T: Any, *, depth: float = 0.5) -> Any:
        """Fades."""
        return depth ** (t / T)

    try:
        assert main(["list"]) == 0
        assert "fading_here" in capsys.readouterr().out
        assert main(["show", "fading_here"]) == 0
        assert "depth: 0.5  # a finite number" in capsys.readouterr().out
    finally:
        registry.remove("fading_here")


def test_a_module_of_one_s_own_is_imported_first(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    (tmp_path / "mine_to_show.py").write_text(
        "import lr_configs\ndef to_show(t, T, *, depth=0.5):\n    return depth\nlr_configs.register('to_show', to_show)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    try:
        assert main(["show", "to_show", "--import", "mine_to_show"]) == 0
        assert "depth: 0.5" in capsys.readouterr().out
    finally:
        registry.remove("to_show")


def test_nothing_heavy_is_imported() -> None:
    for words in (
        ["completion", "bash", "--for", "lr-configs pl"],
        ["list"],
        ["list", "--json"],
        ["show", "cosine"],
        ["completion", "bash"],
    ):
        code = (
            f"import sys\nfrom lr_configs.commands import main\nassert main({words!r}) == 0\n"
            "assert not {'hydra', 'omegaconf', 'numpy', 'torch', 'matplotlib'} & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


# --- show -------------------------------------------------------------------------------------------------------------


def test_show_in_a_wide_terminal_is_as_wide_as_text_is_read() -> None:
    assert max(map(len, in_a_terminal("show", "cosine", columns=300, NO_COLOR="1"))) == 100


@pytest.mark.parametrize("name", available())
def test_show_has_all_of_it(name: str, capsys: Any) -> None:
    assert main(["show", name, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert main(["show", name]) == 0
    out = capsys.readouterr().out
    config = entry(name)
    keys = {key["name"]: key for key in data["keys"]}
    assert set(keys) == set(config.__dataclass_fields__) - {"_target_", "name"}
    for key in keys.values():
        assert key["words"], key
        assert key["meaning"], key
        assert f"\n  {key['name']}: " in out
        assert key["search"] == config.search.get(key["name"], "")
    assert out.count("\n      a study tries ") == len(config.search)
    assert {key for key, one in keys.items() if one["common"]} == set(COMMON[2:]) - {
        k for k, one in keys.items() if not one["common"]
    }
    node = yaml.safe_load(data["yaml"])
    assert config(**{key: value for key, value in node.items() if key != "name"}) == config()
    copied = yaml.safe_load(out.partition("as YAML:\n")[2].partition("\nsee ")[0])
    assert copied["scheduler"] == node
    if is_torchs(config):
        assert data["references"][0].endswith(f".{config.torch_name}.html")
    assert all(f"see {one}" in out for one in references(config))
    assert all(len(line) <= 100 for line in out.splitlines() if not line.startswith(("see ", "  ")))


def test_the_yaml_is_built(capsys: Any) -> None:
    main(["show", "step", "--json"])
    node = yaml.safe_load(json.loads(capsys.readouterr().out)["yaml"])
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    assert isinstance(build({**node, "step_size": 3}, optimizer), torch.optim.lr_scheduler.StepLR)


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("name", ["cosine", "one_cycle", "reduce_on_plateau"])
def test_a_terminal_has_a_chart(name: str, columns: int) -> None:
    lines = in_a_terminal("show", name, columns=columns, NO_COLOR="")
    assert any("\x1b[" in line for line in lines)
    assert any("⠉" in line or "⠒" in line for line in lines)
    assert all(len(plain(line)) <= columns for line in lines if not line.startswith(("see ", "  ")))
    assert not any("\x1b" in line for line in in_a_terminal("show", name, NO_COLOR="1"))


def test_an_unknown_name(capsys: Any) -> None:
    assert main(["show", "cosin"]) == 2
    assert capsys.readouterr().err.startswith(
        "lr-configs show: cosin: there is no such schedule. did you mean 'cosine'?"
    )


# --- completion -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "word", "expected"),
    [
        ([], "", [*COMMANDS, "--help", "--version"]),
        ([], "sh", ["show"]),
        (["nothing"], "x", []),
        (["show"], "cos", ["cosine", "cosine_warm_restarts"]),
        (["show", "cosine"], "", []),
        (["plot"], "--ep", ["--epochs"]),
        (["convert"], "ti", ["timm"]),
        (["completion"], "", ["bash", "zsh", "fish"]),
        (["plot"], "cosine_w", ["cosine_warm_restarts"]),
        (["plot"], "sched", ["scheduler="]),
        (["plot"], "scheduler=ran", ["scheduler=range_test"]),
        (["plot"], "scheduler=step,ran", ["scheduler=step,range_test"]),
        (["plot", "cosine"], "scheduler.T", ["scheduler.T_max="]),
        (["plot", "--epochs", "9", "scheduler=step"], "scheduler.ga", ["scheduler.gamma="]),
        (["plot", "--epochs"], "1", []),
        (["plot", "scheduler=step"], "cos", []),
        (["plot"], "scheduler.ga", []),
        (["plot", "scheduler=step"], "scheduler.ga", ["scheduler.gamma="]),
        (["check", "--config-dir", "conf"], "optimizer=", ["optimizer=adamw", "optimizer=sgd"]),
        (["check", "--config-dir=conf", "--config-name", "config", "optimizer=sgd"], "optimizer.mom", ["optimizer.momentum="]),
        (["check", "--config-dir", "conf"], "experiment/notes=s", ["experiment/notes=step"]),
        (["check", "--config-dir", "conf", "--config-name"], "", ["config"]),
        (["check", "--config-dir", "conf", "--all", "--group"], "exp", ["experiment"]),
        (["check", "--config-dir", "conf", "--config-name", "nothing", "--all", "--group"], "exp", []),
        (["check", "--config-dir"], "conf/exp", ["conf/experiment/"]),
        (["check", "--config-dir", "nowhere"], "x", []),
        (["check", "--config-dir", "nowhere", "--config-name"], "", []),
        (["check", "--config-dir", "nowhere", "--all", "--group"], "", []),
        (["check", "scheduler=["], "x", []),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)  # fmt: skip
def test_replies(words: list[str], word: str, expected: list[str], monkeypatch: Any) -> None:
    monkeypatch.chdir(ROOT)
    assert sorted(replies(words, word)) == sorted(expected)


BASH = """
lr-configs() {{ {python} -m lr_configs "$@"; }}
eval "$(lr-configs completion bash)"
compopt() {{ printf 'compopt %s %s\\n' "$@"; }}
COMP_LINE={line!r}; COMP_POINT=${{#COMP_LINE}}
_lr_configs
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("lr-configs sho", ["show"]),
        ("lr-configs plot scheduler=range", ["range_test"]),
        ("lr-configs plot cosine scheduler.T_", ["compopt -o nospace", "scheduler.T_max="]),
        ("lr-configs plot scheduler=step,ran", ["step,range_test"]),
        ("lr-configs plot -o pict", [""]),
    ],
)
def test_bash(line: str, expected: list[str]) -> None:
    script = BASH.format(python=sys.executable, line=line)
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.splitlines() == expected


# --- pre-commit -------------------------------------------------------------------------------------------------------


def test_the_hook_runs_as_pre_commit_would_run_it() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert {"id", "name", "entry", "language"} <= set(hook)
    assert (hook["language"], hook["pass_filenames"]) == ("python", False)
    assert re.search(hook["files"], "conf/scheduler/mine.yaml")
    program, *rest = [*hook["entry"].split(), *hook["args"]]
    assert program in (Path(sys.executable).parent / "lr-configs").name
    done = subprocess.run([sys.executable, "-m", "lr_configs", *rest], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
