"""`lr-configs plot`: every format, several schedules, an app's config, metrics; and what it refuses."""

from __future__ import annotations

import csv
import io
import json
import random
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra_apps import VERSION_BASE

from lr_configs import Horizon, curve
from lr_configs.commands import main, output, parser_of, plot
from lr_configs.preview.picture import Line
from lr_configs.preview.series import Subject, picture
from lr_configs.preview.table import MOST_ROWS, _cells, _count, to_csv

RUN = ["--epochs", "6", "--steps-per-epoch", "10"]
HORIZON = Horizon(epochs=6, steps_per_epoch=10)
METRIC = "epoch,val_loss,other\n0,1.0,3\n1,1.0,\n2,1.0,2\n3,0.9,1\n"
PLATEAU = ["reduce_on_plateau", "scheduler.monitor=val_loss", "scheduler.patience=0", "scheduler.factor=0.5"]


@pytest.fixture
def told(capsys: Any) -> Any:
    """Runs the command; its exit code, stdout and stderr."""

    def run(*words: Any) -> tuple[int, str, str]:
        code = main(["plot", *map(str, words)])
        out, error = capsys.readouterr()
        return code, out, error

    return run


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


# --- what it draws ----------------------------------------------------------------------------------------------------


def test_a_chart_in_the_terminal(told: Any) -> None:
    code, out, error = told("cosine", *RUN, "--lr", 0.1)
    assert (code, error) == (0, "")
    lines = out.rstrip().split("\n")
    assert lines[0] == "cosine"
    assert lines[-1].endswith("epochs")
    assert lines[-2].endswith("updates")
    assert len(lines) == 1 + 1 + 16 + 3
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in out


@pytest.mark.parametrize(("words", "width"), [([], 720), (["--width", 500], 500)])
def test_how_wide_a_picture_is(words: list[Any], width: int, told: Any, tmp_path: Path) -> None:
    told("cosine", *RUN, *words, "-o", tmp_path / "lr.svg")
    assert ElementTree.parse(tmp_path / "lr.svg").getroot().get("viewBox", "").split()[2] == str(width)


@pytest.mark.parametrize("width", [20, 40, 100])
def test_of_the_width_that_is_asked_for(told: Any, width: int) -> None:
    _, out, _ = told("cosine,one_cycle", *RUN, "--width", width, "--height", 5)
    assert max(map(len, out.split("\n"))) <= width
    assert out.count("┤") + out.count("│") == 5 + 3  # and the momentum


def screen(monkeypatch: Any, **what: Any) -> None:
    seen = {"width": 80, "terminal": True, "colour": False, "ascii": False, **what}
    monkeypatch.setattr(plot, "screen", lambda: output.Screen(**seen))


def test_in_colour_where_there_is_some(told: Any, monkeypatch: Any) -> None:
    screen(monkeypatch, colour=True)
    assert "\x1b[3" in told("cosine,step", *RUN)[1]
    screen(monkeypatch)
    assert "\x1b" not in told("cosine,step", *RUN)[1]


def test_a_narrow_and_a_wide_and_a_plain_terminal(told: Any, monkeypatch: Any) -> None:
    for width, widest in ((40, 40), (300, 100)):
        screen(monkeypatch, width=width)
        out = told("cosine,step", *RUN, "--groups", "a=0.1,b=0.2")[1]
        assert widest - 8 <= max(map(len, out.split("\n"))) <= widest
    screen(monkeypatch, ascii=True)
    assert told("cosine,step", *RUN)[1].isascii()


def test_through_a_pipe_and_to_a_reader_of_ascii(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lr_configs", "plot", "cosine,step", *RUN]
    for encoding in ("utf-8", "ascii"):
        done = subprocess.run(
            command,
            capture_output=True,
            env={"PATH": "", "PYTHONIOENCODING": encoding, "PYTHONPATH": ":".join(sys.path)},
        )
        assert (done.returncode, done.stderr) == (0, b"")
        text = done.stdout.decode(encoding)
        assert "\x1b" not in text
        assert "b cosine" in text or "a cosine" in text


def test_csv_has_the_rate_of_every_update(told: Any, tmp_path: Path) -> None:
    path = tmp_path / "lr.csv"
    code, out, error = told("scheduler=one_cycle,step", *RUN, "--lr", 0.2, "-o", path)
    assert (code, error) == (0, "")
    assert out == f"{path} is written\n"
    found = rows(path)
    assert list(found[0]) == ["update", "epoch", "lr one_cycle", "lr step", "momentum one_cycle"]
    assert [int(row["update"]) for row in found] == list(range(60))
    assert [int(row["epoch"]) for row in found] == [update // 10 for update in range(60)]
    assert [float(row["lr one_cycle"]) for row in found] == curve("one_cycle", 0.2, HORIZON).tolist()
    assert [float(row["lr step"]) for row in found] == curve("step", 0.2, HORIZON).tolist()
    assert float(found[0]["momentum one_cycle"]) == 0.95


def test_csv_of_epochs_and_of_uneven_runs(told: Any, tmp_path: Path) -> None:
    path = tmp_path / "lr.csv"
    told("exponential", "scheduler.gamma=0.1", "--epochs", 3, "--lr", 1, "-o", path)
    values = curve({"name": "exponential", "gamma": 0.1}, 1, Horizon(epochs=3)).tolist()
    assert path.read_text() == "epoch,lr\n" + "".join(f"{epoch},{value}\n" for epoch, value in enumerate(values))
    uneven = Horizon(epochs=3, steps_per_epoch=[2, 1, 3])
    text = to_csv(
        picture(
            [Subject({"name": "exponential", "gamma": 0.5}, uneven, [1.0]), Subject("none", Horizon(steps=4), [1.0])],
            bins=0,
        )
    )
    assert [line.split(",")[1] for line in text.splitlines()[1:]] == ["1.0", "1.0", "0.5", *["0.25"] * 3]
    assert [line.split(",")[2] for line in text.splitlines()[1:]] == ["1.0"] * 4 + [""] * 2
    text = to_csv(picture([Subject("exponential", uneven)], bins=0))
    assert [line.split(",")[1] for line in text.splitlines()[1:]] == ["0", "0", "1", "2", "2", "2"]


def test_a_table_of_a_run_that_ends_within_an_epoch() -> None:
    text = to_csv(
        picture(
            [
                Subject("none", Horizon(steps=25, steps_per_epoch=10)),
                Subject({"name": "none", "interval": "step"}, Horizon(epochs=1, steps_per_epoch=7)),
            ],
            bins=0,
        )
    )
    assert [line.split(",")[0] for line in text.splitlines()[1:]] == [str(i) for i in range(25)]
    assert [_count(end) for end in (3, 3.0, 3.2, 2.999)] == [3, 3, 4, 3]


@pytest.mark.parametrize("seed", range(60))
def test_cells_of_a_line(seed: int) -> None:
    """Of any part of it: every value as long as it holds, nothing in front of the first and behind the last."""
    rng = random.Random(seed)
    begin, length = rng.randrange(4), rng.randint(1, 12)
    x = sorted(rng.sample(range(begin, begin + length), rng.randint(1, length)))
    line = Line("", x, [rng.random() for _ in x], x[-1] + rng.choice([1, 1, 2, 4]))
    start = rng.randrange(8)
    stop = start + rng.randint(1, 10)
    expected = [repr(line.at(t)) if x[0] <= t < line.end else "" for t in range(start, stop)]
    assert _cells(line, start, stop) == expected


def test_a_table_too_long_is_refused(told: Any, tmp_path: Path) -> None:
    for interval, says in (("epoch", "a row for every update"), ("step", "values are too many")):
        words = [f"scheduler.interval={interval}", "--epochs", 1000, "--steps-per-epoch", MOST_ROWS]
        code, _, error = told("step", *words, "-o", tmp_path / "lr.csv")
        assert (code, list(tmp_path.iterdir())) == (2, [])
        assert says in error
    assert told("step", *words, "-o", tmp_path / "lr.svg")[0] == 0


def test_json_has_every_change(told: Any, tmp_path: Path) -> None:
    code, out, error = told("step", "scheduler.warmup=1ep", *RUN, "--lr", 0.2, "--json")
    assert (code, error) == (0, "")
    found = json.loads(out)
    (line,) = found["panels"][0]["lines"]
    values = curve({"name": "step", "warmup": "1ep"}, 0.2, HORIZON).tolist()
    for at, stop, value in zip(line["update"], [*line["update"][1:], 60], line["value"], strict=True):
        assert values[at:stop] == [value] * (stop - at)
    assert line["marks"][0] == {"update": 10, "value": 0.2, "what": "warmup ends"}
    assert found["epochs"] == [{"update": 0, "epoch": 0}, {"update": 60, "epoch": 6.0}]
    path = tmp_path / "lr.json"
    told("step", "scheduler.warmup=1ep", *RUN, "--lr", 0.2, "-o", path)
    assert json.loads(path.read_text()) == found


@pytest.mark.parametrize(
    ("kind", "begins"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<svg"), ("html", b"<!doctype html>")]
)
def test_files(told: Any, tmp_path: Path, kind: str, begins: bytes) -> None:
    path = tmp_path / f"lr.{kind.upper() if kind == 'png' else kind}"
    code, _, error = told(
        "scheduler=cosine,one_cycle", *RUN, "-o", path, "--width", 640, "--height", 400, "--log", "--title", "two & two"
    )
    assert (code, error) == (0, "")
    data = path.read_bytes()
    assert data.startswith(begins)
    if kind in ("svg", "html"):
        assert b"two &amp; two" in data
        assert b"one_cycle" in data
    if kind == "svg":
        assert (ElementTree.fromstring(data).get("width"), ElementTree.fromstring(data).get("height")) == ("640", "400")
    again = tmp_path / f"again.{kind}"
    told(
        "scheduler=cosine,one_cycle",
        *RUN,
        "-o",
        again,
        "--width",
        640,
        "--height",
        400,
        "--log",
        "--title",
        "two & two",
    )
    assert again.read_bytes() == data


@pytest.mark.parametrize("kind", ["svg", "html", "csv", "json"])
def test_what_was_written_and_where_its_numbers_are_from(kind: str, told: Any, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(APP)
    code, out, error = told("--config-dir", tmp_path, "-o", tmp_path / f"lr.{kind}")
    assert (code, error) == (0, "")
    lines = out.rstrip().split("\n")
    assert lines[0] == f"{tmp_path / f'lr.{kind}'} is written"
    assert "lr 0.3 from optimizer.lr" in lines


def test_sweeps_are_named_by_what_differs(told: Any) -> None:
    found = json.loads(told("cosine", "scheduler.warmup=0,10%,20%", *RUN, "--json")[1])
    assert [line["label"] for line in found["panels"][0]["lines"]] == ["warmup=0", "warmup=10%", "warmup=20%"]
    found = json.loads(told("scheduler=glob(*cyc*)", *RUN, "--json")[1])
    assert [line["label"] for line in found["panels"][0]["lines"]] == ["cyclic", "one_cycle"]


def test_groups(told: Any) -> None:
    found = json.loads(
        told("cosine", "scheduler.eta_min={head:0.01}", *RUN, "--groups", "body=0.1,head=0.05", "--json")[1]
    )
    assert [(line["label"], line["value"][0]) for line in found["panels"][0]["lines"]] == [
        ("cosine [body]", 0.1),
        ("cosine [head]", 0.05),
    ]


def test_without_a_rate_it_says_from_which_it_begins(told: Any) -> None:
    _, out, _ = told("cosine", *RUN)
    assert out.rstrip().endswith("lr 1, as none is known: say it with --lr")


# --- an app -----------------------------------------------------------------------------------------------------------

APP = """
defaults: [scheduler: cosine, _self_]
hydra: {searchpath: ['lr-configs://']}
optimizer: {_target_: torch.optim.SGD, lr: 0.3}
trainer: {_target_: pytorch_lightning.Trainer, max_epochs: 6, limit_train_batches: 40, accumulate_grad_batches: 4}
callbacks:
  rates: {_target_: lr_configs.LRSchedulerCallback, scheduler: '${scheduler}'}
"""


def test_an_app_is_composed_and_its_run_is_found(told: Any, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(APP)
    code, out, error = told("--config-dir", tmp_path, "scheduler.warmup=10%", "-o", tmp_path / "lr.csv")
    assert (code, error) == (0, "")
    lines = out.split("\n")
    assert "lr 0.3 from optimizer.lr" in lines
    assert "epochs 6 from trainer.max_epochs" in lines
    assert any("40 from trainer.limit_train_batches" in line and "accumulate_grad_batches" in line for line in lines)
    wanted = curve({"name": "cosine", "warmup": "10%"}, 0.3, HORIZON)
    assert [float(row["lr"]) for row in rows(tmp_path / "lr.csv")] == wanted.tolist()


@pytest.mark.parametrize("wrong", [False, True])
def test_within_an_app_that_runs_hydra_is_left_as_it_was(wrong: bool, told: Any, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(APP)
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/mine.yaml").write_text("lr: 7")
    with hydra.initialize_config_dir(str(tmp_path / "conf"), **VERSION_BASE):
        around = GlobalHydra.instance().hydra
        for words in (["--config-dir", tmp_path], [*RUN, "cosine"]):
            code, _, error = told(*words, "scheduler=nothing" if wrong else "scheduler.warmup=10%")
            assert (bool(code), bool(error)) == (wrong, wrong)
            assert GlobalHydra.instance().hydra is around
            assert hydra.compose("mine") == {"lr": 7}
    assert not GlobalHydra.instance().is_initialized()


def test_what_the_call_says_wins(told: Any, tmp_path: Path) -> None:
    (tmp_path / "train.yaml").write_text(APP)
    _, out, _ = told(
        "--config-dir", tmp_path, "--config-name", "train", "--lr", 1, "--epochs", 2, "--steps-per-epoch", 3, "--json"
    )
    found = json.loads(out)
    assert found["end"] == 6
    assert found["panels"][0]["lines"][0]["value"][0] == 1.0


def test_an_app_with_several_schedules(told: Any, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "trainer: {_target_: pytorch_lightning.Trainer, max_steps: 50}\n"
        "callbacks:\n  rates:\n    _target_: lr_configs.LRSchedulerCallback\n"
        "    schedulers: {generator: {name: cosine}, discriminator: {name: none}}\n"
    )
    found = json.loads(told("--config-dir", tmp_path, "--lr", 0.1, "--json")[1])
    labels = [line["label"] for line in found["panels"][0]["lines"]]
    assert len(labels) == 2
    assert "generator" in labels[0]
    assert "discriminator" in labels[1]
    words = ["+callbacks.rates.schedulers.generator.eta_min=0,0.01"]
    found = json.loads(told("--config-dir", tmp_path, "--lr", 0.1, "--json", *words)[1])
    node = "callbacks.rates.schedulers"
    assert [line["label"] for line in found["panels"][0]["lines"]] == [
        f"{node}.generator eta_min=0",
        f"{node}.discriminator {node}.generator.eta_min=0",
        f"{node}.generator eta_min=0.01",
        f"{node}.discriminator {node}.generator.eta_min=0.01",
    ]


DECAY = """
trainer: {_target_: pytorch_lightning.Trainer, max_steps: 50}
optimizer: {_target_: torch.optim.AdamW, lr: 0.3, weight_decay: 0.05}
callbacks:
  rates:
    _target_: lr_configs.LRSchedulerCallback
    scheduler: [{name: rex}, {name: rex, param: weight_decay}]
"""


def test_what_else_is_driven_has_its_own_base(told: Any, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(DECAY)
    for more, bases in (
        ([], (0.3, 0.05)),
        (["--lr", 1], (1.0, 0.05)),
        (["--base", "weight_decay=0.2"], (0.3, 0.2)),
        (["--lr", 1, "--base", "weight_decay=0.2"], (1.0, 0.2)),
    ):
        found = json.loads(told("--config-dir", tmp_path, *more, "--json")[1])
        assert [panel["param"] for panel in found["panels"]] == ["lr", "weight_decay"]
        assert tuple(panel["lines"][0]["value"][0] for panel in found["panels"]) == bases
    alone = ["rex", "scheduler.param=weight_decay", *RUN]
    assert json.loads(told(*alone, "--lr", 0.04, "--json")[1])["panels"][0]["lines"][0]["value"][0] == 0.04
    assert "weight_decay 1, as none is known: say it with --base weight_decay=VALUE" in told(*alone)[1]
    assert "'wd=x' is not like weight_decay=0.04" in told(*alone, "--base", "wd=x")[2]


# --- metrics ----------------------------------------------------------------------------------------------------------


def test_a_metric_shows_what_it_would_have_done(told: Any, tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(METRIC)
    code, out, _ = told(*PLATEAU, *RUN, "--lr", 1, "--metric", tmp_path / "metrics.csv", "--json")
    assert code == 0
    (line,) = json.loads(out)["panels"][0]["lines"]
    assert (line["update"], line["value"]) == ([0, 20, 30], [1.0, 0.5, 0.25])


def test_without_a_metric_it_says_so(told: Any) -> None:
    assert "it follows val_loss, of which no values are given" in told(*PLATEAU, *RUN)[1]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("epoch,val_loss\n0,1\n1,\n", ":3: there is no value of val_loss in this line. Fill the hole"),
        ("epoch,val_loss\n0,1\n4,1\n5,1\n", "there is no value between epoch 0 and epoch 4"),
        ("loss,accuracy\n1,2\n", "no column val_loss"),
        ("val_loss\n" + "1\n" * 7, "a value comes at epoch 7, and the run has 6"),
    ],
)
def test_a_csv_that_does_not_fit_is_refused(told: Any, tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "metrics.csv").write_text(text)
    code, out, error = told(*PLATEAU, *RUN, "--metric", tmp_path / "metrics.csv")
    assert (code, out) == (2, "")
    assert error.startswith("lr-configs plot: --metric ")
    assert says in error


def test_a_metric_without_its_name_and_for_nobody(told: Any, tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(METRIC)
    assert "monitor names none" in told("reduce_on_plateau", *RUN, "--metric", tmp_path / "metrics.csv")[2]
    assert "none of these does" in told("step", *RUN, "--metric", tmp_path / "metrics.csv")[2]
    assert "cannot be read: No such file" in told("step", *RUN, "--metric", tmp_path / "none.csv")[2]
    (tmp_path / "bad.csv").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in told("step", *RUN, "--metric", tmp_path / "bad.csv")[2]


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({}, ""),
        ({"trainer": {"limit_train_batches": 2}, "optim": {"_target_": "torch.optim.SGD", "lr": 0.1}}, ""),
        (
            {"a": {"_target_": "pl.Trainer", "max_epochs": 3}, "b": {"_target_": "pl.Trainer", "max_epochs": 4}},
            " (epochs are one of a.max_epochs 3, b.max_epochs 4: say which with --epochs)",
        ),
        (
            {"a": {"_target_": "pl.Trainer", "max_steps": 3}, "b": {"_target_": "pl.Trainer", "max_steps": 4}},
            " (updates are one of a.max_steps 3, b.max_steps 4: say which with --steps)",
        ),
    ],
)
def test_why_the_length_of_a_run_is_not_known(config: dict[str, Any], why: str, told: Any, tmp_path: Path) -> None:
    schedule = {"_target_": "lr_configs.scheduler", "name": "cosine"}
    (tmp_path / "config.yaml").write_text(json.dumps({"scheduler": schedule, **config}))
    asked = "lr-configs plot: how long is the run? Say --epochs 90 --steps-per-epoch 391, or --steps 35190"
    assert told("--config-dir", tmp_path, "--config-name", "config") == (2, "", f"{asked}{why}\n")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["cosine"], 2, "how long is the run? Say --epochs 90 --steps-per-epoch 391, or --steps 35190"),
        (["exponential", "--steps", 50], 2, "in epochs is not known. Say --epochs and --steps-per-epoch"),
        (["cosine", "scheduler.warmup=5st", "--epochs", 5], 1, "Say --epochs and --steps-per-epoch, or write a length"),
        (["cosine", *RUN, "-o", "lr.JPG"], 2, "the name of a file says its format. did you mean 'png'? Formats: png"),
        (["cosine", *RUN, "-o", "lr.xyz"], 2, "its format. Formats: png, svg, pdf, csv, json, html"),
        (["cosine", *RUN, "-o", "lr"], 2, "-o lr: the name of a file says its format. Formats: png, svg"),
        (["cosine", *RUN, "-o", "nowhere/lr.svg"], 2, "there is no folder nowhere"),
        (["cosine", *RUN, "-o", "there.svg"], 2, "there already, and is kept. Add --force"),
        (["cosine", *RUN, "-o", "lr.json", "--json"], 2, "--json prints to stdout"),
        (["cosine", *RUN, "--width", 0], 2, "--width 0: this is a number from 1"),
        (["cosin", *RUN], 1, "scheduler=cosin: there is no such schedule. did you mean 'cosine'?"),
        (["step", "scheduler.step_size=-1", *RUN], 1, "scheduler.step_size=-1: a length is positive"),
        (["step,cosine", "scheduler.eta_min=5", *RUN, "--lr", 1], 1, "step: scheduler.eta_min=5.0: the lowest rate is above"),
        (["step", *RUN, "--lr", -1], 2, "--lr: -1.0: a rate is a finite number"),
        (["cosine", "--epochs", 0], 2, "a run has a positive whole number"),
        (["cosine", "--epoch", 3, "--steps-per-epoch", 5], 2, "--epoch"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(
    told: Any, tmp_path: Path, monkeypatch: Any, words: list[Any], code: int, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.svg").write_text("mine")
    found, out, error = told(*words)
    assert (found, out) == (code, "")
    assert error.startswith("lr-configs plot: ")
    assert says in error
    assert sorted(one.name for one in tmp_path.iterdir()) == ["there.svg"]
    assert (tmp_path / "there.svg").read_text() == "mine"


def test_force_replaces_a_file(told: Any, tmp_path: Path) -> None:
    path = tmp_path / "there.svg"
    path.write_text("mine")
    assert told("cosine", *RUN, "-o", path, "--force")[0] == 0
    assert path.read_text().startswith("<svg")


def test_a_missing_matplotlib_is_named(told: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(plot, "find_spec", lambda name: None)
    code, _, error = told("cosine", *RUN, "-o", tmp_path / "lr.png")
    assert code == 2
    assert "pip install 'lr_configs[plot]'" in error
    assert told("cosine", *RUN, "-o", tmp_path / "lr.svg")[0] == 0


PROBE = """
import sys
from lr_configs.commands import main
code = main(["plot", *sys.argv[1:]])
print(code, [name for name in ("torch", "lightning", "pytorch_lightning", "matplotlib") if name in sys.modules])
"""


@pytest.mark.parametrize(("kind", "slow"), [("csv", "[]"), ("svg", "[]"), ("html", "[]"), ("png", "['matplotlib']")])
def test_nothing_slow_is_imported(tmp_path: Path, kind: str, slow: str) -> None:
    words = ["cosine,one_cycle", *RUN, "-o", str(tmp_path / f"lr.{kind}")]
    done = subprocess.run([sys.executable, "-c", PROBE, *words], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"0 {slow}"


def test_ten_schedules_of_a_million_updates_are_drawn_from_a_few_thousand_values(
    monkeypatch: Any, told: Any, tmp_path: Path
) -> None:
    from lr_configs import curve_tree

    seen: list[int] = []
    whole = curve_tree.Curve.array
    monkeypatch.setattr(
        curve_tree.Curve, "array", lambda self, t, **more: seen.append(len(t)) or whole(self, t, **more)
    )
    names = (
        "cosine,cosine_warm_restarts,one_cycle,step,multi_step,linear,polynomial,rex,warmup_stable_decay,inverse_sqrt"
    )
    code, _, error = told(
        names, "scheduler.warmup=1%", "scheduler.interval=step", "--steps", 1_000_000, "-o", tmp_path / "lr.svg"
    )
    assert (code, error) == (0, "")
    assert sum(seen) < 11 * 3 * 720
    assert (tmp_path / "lr.svg").stat().st_size < 500_000


# --- the documentation ------------------------------------------------------------------------------------------------

DOCS = Path(__file__).parents[1] / "docs"


def test_the_chart_of_the_documentation(told: Any) -> None:
    block = re.search(r"```console\n\$ lr-configs plot (.*)\n((?:.+\n)+)```", (DOCS / "plot.md").read_text())
    assert block
    assert told(*shlex.split(block[1])) == (0, block[2], "")


def test_the_python_of_the_documentation() -> None:
    for code in re.findall(r"```python\n(.*?)```", (DOCS / "plot.md").read_text(), flags=re.DOTALL):
        exec(compile(code, "plot.md", "exec"), {})


def test_every_format_and_option_is_documented() -> None:
    text = (DOCS / "plot.md").read_text()
    assert all(f"`.{kind}`" in text for kind in plot.FORMATS)
    parser, _ = parser_of("plot")
    for option in (
        "--log",
        "--title",
        "--width",
        "--height",
        "--force",
        "--metric",
        "--json",
        "--groups",
        "--steps",
        "--base",
    ):
        assert option in parser.format_help()
        assert option in text
