"""What the callback's arguments may be, and the file that ends a run: without Lightning."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from lr_configs import SchedulerConfigError
from lr_configs.arguments import check_choice, check_keys, check_one, check_total, schedules_of
from lr_configs.decay_file import DecayFile, read_ending


def test_schedules_of_optimizers() -> None:
    found = list(
        schedules_of(None, {"d": "cosine", 1: [{"name": "step"}, {"name": "linear", "param": "momentum"}], "g": None})
    )
    assert [(key, config.name) for key, config in found] == [("d", "cosine"), ("1", "step"), ("1", "linear")]
    assert [(key, config.name) for key, config in schedules_of(["cosine", "step"], None)] == [
        (None, "cosine"),
        (None, "step"),
    ]
    assert list(schedules_of(None, None)) == []
    nodes = OmegaConf.create({"d": [{"name": "cosine"}]})
    assert [config.name for _, config in schedules_of(None, nodes)] == ["cosine"]
    assert [config.name for _, config in schedules_of(nodes.d, None)] == ["cosine"]


@pytest.mark.parametrize(
    ("scheduler", "schedulers", "words"),
    [
        ({"name": "cosine", "T_max": "x"}, None, r"^T_max='x'"),
        ([{"name": "cosine", "T_max": "x"}], None, r"^scheduler\.0\.T_max='x'"),
        (None, {"d": {"name": "cosine", "T_max": "x"}}, r"^schedulers\.d\.T_max='x'"),
        (None, {"d": ["step", {"name": "cosine", "T_max": "x"}]}, r"^schedulers\.d\.1\.T_max='x'"),
        (None, {"d": "reduce_on_plateau"}, r"^schedulers\.d\.monitor=None"),
        (None, ["cosine"], r"^schedulers=\['cosine'\]: this maps optimizers to schedules"),
    ],
)
def test_schedules_refused(scheduler: Any, schedulers: Any, words: str) -> None:
    with pytest.raises(SchedulerConfigError, match=words):
        list(schedules_of(scheduler, schedulers))


def test_words_and_numbers() -> None:
    check_one(None, {})
    check_one("cosine", None)
    with pytest.raises(SchedulerConfigError, match="scheduler is given as well"):
        check_one("cosine", {})
    check_choice("resume", "keep", ("strict", "keep"))
    with pytest.raises(SchedulerConfigError, match=r"resume='kep': this is one of strict, keep\. did you mean 'keep'"):
        check_choice("resume", "kep", ("strict", "keep"))
    with pytest.raises(SchedulerConfigError, match=r"resume=3: .*Write strict"):
        check_choice("resume", 3, ("strict", "keep"))
    assert check_total(None) is None
    assert check_total(1) == 1
    assert check_total({"d": 5, 1: 6}) == {"d": 5, "1": 6}
    assert check_total(OmegaConf.create({"d": 5})) == {"d": 5}
    for value in (0, -1, True, 1.5, "7"):
        with pytest.raises(SchedulerConfigError, match=r"^total_steps=.*positive integer"):
            check_total(value)
        with pytest.raises(SchedulerConfigError, match=r"^total_steps\.d=.*positive integer"):
            check_total({"d": value})
    check_keys(5, ["d"])
    check_keys({"d": 5}, ["d", "g"])
    with pytest.raises(
        SchedulerConfigError, match=r"^total_steps\.dd=5: no schedule has this key.*did you mean 'd'.*Known: d, g"
    ):
        check_keys({"d": 3, "dd": 5}, ["d", "g"])


# ---------------------------------------------------------------------------------------- the file


@pytest.mark.parametrize(
    ("text", "over", "shape"),
    [
        ("", "5%", "linear"),
        ("10%", "10%", "linear"),
        ("10 %\n", "10%", "linear"),
        ("COSINE", "5%", "cosine"),
        ("one-minus-sqrt 500st", "500st", "one_minus_sqrt"),
        ("3 ep linear", "3ep", "linear"),
    ],
)
def test_what_a_file_asks_for(text: str, over: str, shape: str) -> None:
    assert read_ending(text) == (over, shape)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "over='nonsense'"),
        ("-5%", r"over='-5%'"),
        ("cosine linear", "shape='cosine, linear'"),
        ("10% 20%", "over='10%20%'"),
        ("x" * 500, f"over='{'x' * 60}"),
    ],
)
def test_what_no_file_asks_for(text: str, words: str) -> None:
    with pytest.raises(SchedulerConfigError, match=words):
        read_ending(text)


def test_a_file_counts_once_whenever_it_is_new(tmp_path: Path) -> None:
    path = tmp_path / "decay"
    file = DecayFile(path)
    file.note()
    assert file.news() is None
    path.write_text("10%")
    assert (file.news(), file.news()) == ("10%", None)
    path.write_text("20%")
    os.utime(path, ns=(5, 5))
    assert (file.news(), file.news()) == ("20%", None)
    path.unlink()
    assert file.news() is None
    path.write_bytes(b"\xff" + b"x" * 5000)
    text = file.news()
    assert text is not None
    assert (text[0], len(text)) == ("\ufffd", 1000)
    again = DecayFile(path)
    again.note()
    assert again.news() is None
    path.unlink()
    path.mkdir()
    assert (again.news() or "").startswith("unreadable: ")
    assert again.news() is None
