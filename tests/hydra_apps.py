"""Small Hydra apps in folders of their own, run as processes: with this package installed, and without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import hydra

#: Hydra 1.3 wants to be told, and Hydra 1.4 warns about being told.
VERSION_BASE: dict[str, Any] = {"version_base": "1.3"} if hydra.__version__.startswith("1.3.") else {}
#: what must not be imported to compose, to complete, or to show help
HEAVY = {"torch", "pytorch_lightning", "lightning", "numpy"}
APP = f"""
import sys
import hydra
from omegaconf import OmegaConf

@hydra.main(config_path="conf", config_name="config", **{VERSION_BASE})
def main(cfg):
    print(OmegaConf.to_yaml(cfg), end="")

main()
"""
LIGHT_APP = f"{APP}assert not {HEAVY} & set(sys.modules), {HEAVY} & set(sys.modules)\n"
#: no time in front of the lines that Hydra logs
TIMELESS = "hydra.hydra_logging.formatters.simple.format='[HYDRA] %(message)s'"


def app(folder: Path, files: dict[str, str], code: str = APP) -> Path:
    """An app with the given files below `conf`; `config.yaml` is its primary config."""
    for name, text in {"config.yaml": "", **files}.items():
        path = folder / "conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "app.py").write_text(code)
    return folder


def without_this_package(folder: Path) -> dict[str, str]:
    """The environment of a process in which neither `lr_configs` nor its Hydra plugin can be found.

    Python runs `sitecustomize` behind the `.pth` files, one of which brings a checkout.
    """
    folder.mkdir(exist_ok=True)
    ours = 'os.path.isdir(os.path.join(path, "hydra_plugins", "lr_configs_plugin"))'
    hide = f"import os, sys\nsys.path[:] = [path for path in sys.path if not {ours}]\n"
    (folder / "sitecustomize.py").write_text(hide)
    return {**os.environ, "PYTHONPATH": str(folder)}


def start(folder: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """An app's process, its output caught."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, *arguments], cwd=folder, **pipes, **options)


def outcome(process: subprocess.Popen[str], text: str | None = None) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a process that is given `text`."""
    out, error = process.communicate(text, timeout=120)
    return process.returncode, out, error


def run(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> str:
    """What an app prints; it must end well, and warn of nothing."""
    code, out, error = outcome(start(folder, "-W", "error", "app.py", *arguments, env=env))
    assert code == 0, error
    assert error == ""
    return out


def multirun(folder: Path, *arguments: str, code: int = 0, **options: Any) -> str:
    """What an app's sweep prints on both streams."""
    found, out, error = outcome(start(folder, "-W", "error", "app.py", "-m", *arguments, **options))
    assert found == code, out + error
    return out + error


def ran(folder: Path) -> list[str]:
    """The lines that jobs have appended to ``ran.txt`` since the last look."""
    path = folder / "ran.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return lines


def failure(folder: Path, *arguments: str) -> str:
    """What an app that must fail prints to stderr."""
    code, _, error = outcome(start(folder, "-W", "error", "app.py", *arguments))
    assert code == 1
    return error


def completion(word: str, **environment: str) -> dict[str, Any]:
    """Arguments of :func:`start` that ask an app what the shell asks on a tab behind `word`."""
    line = f"python app.py {word}"
    return {"env": {**os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line)), **environment}}
