"""The command line: dispatch, what goes where, exit codes; processes where only a process shows it."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import types
from pathlib import Path
from typing import Any

import pytest

from lr_configs import __version__, commands
from lr_configs.commands import COMMANDS, Command, main, output
from lr_configs.commands.errors import CallError
from lr_configs.errors import SchedulerConfigError


@pytest.fixture
def command(monkeypatch: Any) -> Any:
    """Makes a function the command `tried`."""

    def make(run: Any, add_arguments: Any = lambda parser: None) -> None:
        module = types.ModuleType("tried_command")
        vars(module).update(run=run, add_arguments=add_arguments, EXAMPLES="  lr-configs tried\n")
        monkeypatch.setitem(sys.modules, "tried_command", module)
        monkeypatch.setitem(COMMANDS, "tried", Command("tried_command", "try it"))

    return make


def raising(error: BaseException) -> Any:
    def run(options: Any) -> int:
        raise error

    return run


def process(*words: str, **options: Any) -> subprocess.Popen[str]:
    """The command as a process."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-m", "lr_configs", *words], **{**pipes, **options})


# --- dispatch ---------------------------------------------------------------------------------------------------------


def test_help_names_every_command(capsys: Any) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for name, (_, text) in COMMANDS.items():
        assert any(line.split() == [name, *text.split()] for line in out.splitlines())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(name: str, capsys: Any) -> None:
    assert main([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: lr-configs {name} ")
    assert f"examples:\n  lr-configs {name}" in out


def test_version(capsys: Any) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"lr-configs {__version__}\n"


def test_a_process_ends_with_the_code() -> None:
    out, error = (done := process("convert", "torch", "StepLR", "step_size=30")).communicate()
    assert (done.returncode, error) == (0, "")
    assert "name: step" in out
    out, error = (done := process("convert", "torch", "StepLR", "--stpes", "3")).communicate()
    assert (done.returncode, out) == (2, "")
    assert error.startswith("lr-configs convert: there is no option --stpes. did you mean '--steps'?")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "lr-configs: which command? Commands: "),
        (["convrt"], "lr-configs: there is no command 'convrt'. did you mean 'convert'? Commands: "),
        (["--convert"], "lr-configs: there is no option '--convert'. "),
        (["convert"], "lr-configs convert: the following arguments are required: "),
        (["convert", "keras", "x"], "lr-configs convert: argument LIBRARY: invalid choice: 'keras'"),
        (["convert", "torch", "StepLR", "--step size"], "lr-configs convert: there is no option --step size. "),
        (["convert", "torch", "StepLR", "--epochs", "3"], "lr-configs convert: torch has no --epochs"),
        (["convert", "timm", "cosine", "--epochs", "x"], "lr-configs convert: argument --epochs: invalid int value"),
        (["convert", "torch", "StepLR", "30"], "lr-configs convert: arguments='30': an argument is KEY=VALUE. "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_call(words: list[str], message: str, capsys: Any) -> None:
    assert main(words) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith(message)
    assert len(error.splitlines()) == 1


def test_options_stand_anywhere(capsys: Any) -> None:
    words = ["convert", "timm", "--epochs", "10", "step", "decay_epochs=3", "--lr", "0.1", "decay_rate=0.5"]
    assert main(words) == 0
    assert "gamma: 0.5" in capsys.readouterr().out


# --- exit codes -------------------------------------------------------------------------------------------------------


def hydra_error() -> BaseException:
    from hydra.errors import ConfigCompositionException

    error = ConfigCompositionException("Error merging override scheduler.T_mx=3")
    error.__cause__ = ValueError("Key 'T_mx' is not in struct")
    return error


def omegaconf_error() -> BaseException:
    from omegaconf.errors import ConfigKeyError

    return ConfigKeyError("no such key")


def yaml_error() -> BaseException:
    import yaml

    return yaml.YAMLError("mapping values are not allowed here")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (CallError("no"), 2, "no"),
        (SchedulerConfigError("T_max", 0, "a length is positive", "Write 10"), 1, "T_max=0: a length is positive. Write 10."),
        (hydra_error(), 1, "Error merging override scheduler.T_mx=3\nKey 'T_mx' is not in struct"),
        (omegaconf_error(), 1, "no such key"),
        (yaml_error(), 1, "mapping values are not allowed here"),
    ],
    ids=["call", "schedule", "hydra", "omegaconf", "yaml"],
)  # fmt: skip
def test_an_error(error: BaseException, code: int, message: str, command: Any, capsys: Any) -> None:
    command(raising(error))
    assert main(["tried"]) == code
    assert capsys.readouterr().err == f"lr-configs tried: {message}\n"


def test_what_nobody_expects_has_a_traceback(command: Any) -> None:
    command(raising(ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError):
        main(["tried"])


SLOW = """
import sys, time
from lr_configs import commands
sys.modules["slow"] = sys.modules["__main__"]
EXAMPLES = ""
add_arguments = lambda parser: None
def run(options):
    print("begun", flush=True)
    time.sleep(60)
commands.COMMANDS["slow"] = commands.Command("slow", "wait")
sys.exit(commands.main(["slow"]))
"""


def test_ctrl_c() -> None:
    done = subprocess.Popen([sys.executable, "-c", SLOW], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.stdout is not None
    assert done.stdout.readline() == "begun\n"
    done.send_signal(signal.SIGINT)
    _, error = done.communicate(timeout=60)
    assert (done.returncode, error) == (130, "")


LOST = SLOW.replace(
    "time.sleep(60)",
    "\n    try:\n        time.sleep(60)\n    except BaseException: {}",
)


@pytest.mark.parametrize("becomes", ["return 0", "raise ValueError('no') from None", "raise commands.CallError('no')"])
def test_ctrl_c_that_a_library_makes_something_else_of(becomes: str) -> None:
    done = subprocess.Popen(
        [sys.executable, "-c", LOST.format(becomes)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert done.stdout is not None
    assert done.stdout.readline() == "begun\n"
    done.send_signal(signal.SIGINT)
    _, error = done.communicate(timeout=60)
    assert (done.returncode, error) == (130, "")


def test_ctrl_c_is_heard_for_as_long_as_a_command_runs(command: Any) -> None:
    heard: list[Any] = []

    def run(options: Any) -> int:
        heard.append(signal.getsignal(signal.SIGINT))
        return 0

    before = signal.getsignal(signal.SIGINT)
    command(run)
    assert main(["tried"]) == 0
    assert heard != [before]
    assert signal.getsignal(signal.SIGINT) is before
    thread = threading.Thread(target=main, args=(["tried"],))
    thread.start()
    thread.join()
    assert heard[1] is before


MUCH = SLOW.replace('print("begun", flush=True)', 'print("line\\n" * 10**6)').replace("time.sleep(60)", "return 0")


@pytest.fixture
def buffered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed waits for the end, as it does for everybody."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


@pytest.mark.usefixtures("buffered")
@pytest.mark.parametrize("much", [True, False])
def test_a_pipe_that_nobody_reads(much: bool) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    code = MUCH if much else MUCH.replace("10**6", "1")
    done = subprocess.run([sys.executable, "-c", code], stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.usefixtures("buffered")
@pytest.mark.parametrize(
    "command", ["list", "plot cosine --steps 10", "schema", "list --json", "convert torch StepLR step_size=3"]
)
def test_an_output_that_cannot_be_written(command: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "lr_configs", *command.split(" ")], stdout=full, stderr=subprocess.PIPE, text=True
        )
    name = command.split()[0]
    assert (done.returncode, done.stderr) == (
        2,
        f"lr-configs {name}: the output cannot be written: No space left on device\n",
    )


def test_an_output_that_is_closed(tmp_path: Path) -> None:
    command = f"'{sys.executable}' -m lr_configs plot cosine --steps 10 -o '{tmp_path / 'a.csv'}'"
    done = subprocess.run(["bash", "-c", f"{command} >&-; echo $? >&2"], capture_output=True, text=True)
    assert done.stderr == "0\n"
    assert (tmp_path / "a.csv").stat().st_size > 0
    done = subprocess.run(["bash", "-c", f"{command} 2>&-; echo $?"], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("2\n", "")


# --- where results go -------------------------------------------------------------------------------------------------


class Terminal(io.TextIOWrapper):
    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding)

    def isatty(self) -> bool:
        return True


def test_a_terminal(monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    assert output.screen(Terminal()) == output.Screen(40, terminal=True, colour=True, ascii=False)
    assert output.screen(Terminal("ascii")).ascii
    assert output.screen(io.StringIO()) == output.Screen(80, terminal=False, colour=False, ascii=False)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not output.screen(Terminal()).colour
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.setenv("TERM", "dumb")
    assert not output.screen(Terminal()).colour


def test_what_an_encoding_has_not(monkeypatch: Any) -> None:
    terminal = Terminal("ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    output.say("a█b")
    terminal.flush()
    assert terminal.buffer.getvalue() == b"a?b\n"  # type: ignore[attr-defined]


def test_a_table_is_cut_for_a_terminal_alone() -> None:
    rows = [["a", "b" * 50], ["aaa", "c"]]
    assert output.table(rows) == f"a    {'b' * 50}\naaa  c"
    assert output.table(rows, 20) == f"a    {'b' * 12}...\naaa  c"
    assert output.table(rows, indent="  ").startswith("  a    b")


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    output.write_file(path, "ä")
    assert path.read_bytes() == "ä".encode()
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
    with pytest.raises(CallError, match=r"a.csv is there already, and is kept. Add --force"):
        output.write_file(path, "b")
    assert path.read_text() == "ä"
    path.chmod(0o600)
    output.write_file(path, b"b", force=True)
    assert path.read_text() == "b"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["a.csv"]


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    output.write_file(tmp_path / "link", "new", force=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "a").read_text() == "new"


def test_no_place_for_a_file(tmp_path: Path, monkeypatch: Any) -> None:
    with pytest.raises(CallError, match=r"is a folder. Name a file in it"):
        output.write_file(tmp_path, "x")
    with pytest.raises(CallError, match=r"there is no folder .*/no. Make it first"):
        output.write_file(tmp_path / "no" / "a", "x")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(CallError, match="cannot be written: No space left on device"):
        output.write_file(tmp_path / "a", "x")
    assert os.listdir(tmp_path) == []


def test_a_device_takes_what_is_written() -> None:
    output.write_file("/dev/null", "x")


def test_commands_is_no_heavy_import() -> None:
    code = f"import sys, {commands.__name__}; assert not {{'hydra', 'numpy', 'torch', 'omegaconf'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
