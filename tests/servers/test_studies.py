"""Studies of Optuna on a real PostgreSQL server, and in optuna-dashboard."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from conftest import until
from hydra_apps import app, outcome, ran, start
from test_lr_optuna import CODE, CONFIG, SPACE

from lr_configs.sweeps.study import close_storage, open_storage


def port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """A server of its own; the URL of its database."""
    import tempfile

    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    # The server refuses to be root's, and pytest's folders are closed to others.
    folder = Path(tempfile.mkdtemp(prefix="lr_configs_pg"))
    shutil.chown(folder, "postgres")
    data, number = folder / "data", port()

    def run(*command: str) -> None:
        subprocess.run(
            ["runuser", "-u", "postgres", "--", *command],
            check=True,
            cwd=folder,
            timeout=120,
            stdout=subprocess.DEVNULL,
        )

    run(str(programs / "initdb"), "-D", str(data), "--auth=trust", "--no-sync")
    options = f"-p {number} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    run(str(programs / "pg_ctl"), "-D", str(data), "-l", str(folder / "log"), "-w", "-o", options, "start")
    yield f"postgresql+psycopg://postgres@127.0.0.1:{number}/postgres"
    run(str(programs / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")
    shutil.rmtree(folder)


def states(url: str, name: str) -> list[str]:
    storage = open_storage(url)
    try:
        return [trial.state.name for trial in optuna.load_study(study_name=name, storage=storage).get_trials()]
    finally:
        close_storage(storage)


def test_two_sweeps_share_a_study_and_a_killed_one_goes_on(postgres: str, tmp_path: Path) -> None:
    arguments = [*SPACE, f"hydra.sweeper.storage={postgres}", "hydra.sweeper.study_name=shared"]
    folders = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        folders.append(app(tmp_path / name, {"config.yaml": CONFIG}, CODE))
    (folders[0] / "die-1").touch()
    code, out, error = outcome(start(folders[0], "app.py", "-m", *arguments))
    assert code == -9, out + error
    assert states(postgres, "shared") == ["COMPLETE", "RUNNING"]
    ran(folders[0])
    # the other folder's sweep leaves the first one's trial alone
    both = [start(folder, "app.py", "-m", *arguments, "hydra.sweeper.n_trials=8") for folder in folders[1:]]
    assert [outcome(one)[0] for one in both] == [0]
    assert states(postgres, "shared")[1] == "RUNNING"
    (folders[0] / "die-1").unlink()
    code, out, error = outcome(start(folders[0], "app.py", "-m", *arguments, "hydra.sweeper.n_trials=9"))
    assert code == 0, out + error
    assert "trials 1 were interrupted, and run again" in out + error
    assert states(postgres, "shared") == ["COMPLETE"] * 9
    numbers = [line.split()[0] for folder in folders for line in ran(folder)]
    assert sorted(numbers) == [str(i) for i in range(1, 9)]


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    folder = app(tmp_path, {"config.yaml": CONFIG}, CODE)
    url = f"postgresql+psycopg://me:secret@127.0.0.1:{port()}/studies"
    code, out, error = outcome(
        start(folder, "app.py", "-m", *SPACE, f"hydra.sweeper.storage={url}", "hydra.sweeper.study_name=x")
    )
    assert code == 1
    assert "hydra.sweeper.storage='postgresql+psycopg://me:***@127.0.0.1" in error
    assert "this storage cannot be opened" in error
    assert "Traceback" not in error
    assert "secret" not in out + error


def test_the_dashboard_opens_a_study(tmp_path: Path) -> None:
    folder = app(tmp_path, {"config.yaml": CONFIG}, CODE)
    code, out, error = outcome(start(folder, "app.py", "-m", *SPACE, "hydra.sweeper.n_trials=3"))
    assert code == 0, out + error
    number = port()
    command = [str(Path(sys.executable).with_name("optuna-dashboard")), f"sqlite:///{folder}/sweep/study.db"]
    server = subprocess.Popen([*command, "--port", str(number)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def get(path: str) -> Any:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{number}/api/{path}", timeout=30) as answer:
                return json.load(answer)
        except (urllib.error.URLError, ConnectionError):
            assert server.poll() is None
            return None

    try:
        (study,) = until(lambda: get("studies"), "the list of studies")["study_summaries"]
        assert study["study_name"] == "study"
        trials = get(f"studies/{study['study_id']}?after=0")["trials"]
        assert [trial["state"] for trial in trials] == ["Complete"] * 3
        names = {param["name"] for trial in trials for param in trial["params"]}
        assert {"x", "scheduler"} <= names
        assert os.path.exists(folder / "sweep/optimization_results.json")
    finally:
        server.terminate()
        server.wait(30)
