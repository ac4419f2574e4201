"""Runs another project's tests as they are, in a process of their own, with our schedulers in place of torch's.

Those tests are not part of this repository: UPSTREAM_TESTS names a folder that holds checkouts of their projects.
"""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import pytest
from swap import LEAVE_TORCH, MADE, NAME

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
INI = "[pytest]\nmarkers =\n    cloud\n"  # what their own settings declare


@dataclass(frozen=True)
class Outcome:
    """What a run of tests came to: their names, and which of our classes they made."""

    passed: frozenset[str]
    failed: dict[str, str]  # name -> what went wrong, a line
    skipped: frozenset[str]
    made: frozenset[str]


def checkout(name: str, needed: str) -> Path:
    """The folder of a checkout, or the calling test is skipped."""
    folder = os.environ.get("UPSTREAM_TESTS")
    if not folder:
        pytest.skip("UPSTREAM_TESTS is not set: a folder with checkouts of pytorch and pytorch-lightning")
    found = Path(folder).resolve() / name
    if not (found / needed).exists():
        pytest.skip(f"UPSTREAM_TESTS holds no {name}/{needed}")
    return found


def run(folder: Path, arguments: list[str], scratch: Path, *, swapped: bool = True) -> Outcome:
    """Run pytest in `folder`; `swapped=False` leaves torch's own classes in place."""
    scratch.mkdir(parents=True)
    ini, report = scratch / "pytest.ini", scratch / "report.xml"
    ini.write_text(INI)
    command = [sys.executable, "-m", "pytest", "-c", str(ini), "--rootdir", str(folder), "-q", "-p", "no:cacheprovider"]
    command += [
        "-p",
        "swap",
        "--basetemp",
        str(scratch / "tmp"),
        "-o",
        "junit_family=xunit1",
        "--junitxml",
        str(report),
    ]
    done = subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env=environment(folder, swapped),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert report.exists(), done.stdout[-3000:] + done.stderr[-3000:]
    return outcome(report)


def environment(folder: Path, swapped: bool) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    paths = os.pathsep.join(map(str, (HERE, ROOT, folder)))
    added = {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"} | ({} if swapped else {LEAVE_TORCH: "1"})
    return ours | added


def outcome(report: Path) -> Outcome:
    passed, failed, skipped, made = set(), {}, set(), set()
    for case in ET.parse(report).iter("testcase"):
        properties = {entry.get("name"): entry.get("value", "") for entry in case.iter("property")}
        name = properties.get(NAME) or f"{case.get('classname')}::{case.get('name')}"  # not even set up
        made.update(properties.get(MADE, "").split())
        wrong = [found for found in case if found.tag in ("failure", "error")]
        if wrong:
            failed[name] = first_line(wrong[0].get("message", ""))
        elif case.find("skipped") is not None:
            skipped.add(name)
        else:
            passed.add(name)
    return Outcome(frozenset(passed), failed, frozenset(skipped), frozenset(made))


def first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")[:200]


def ours_alone(folder: Path, arguments: list[str], scratch: Path) -> tuple[Outcome, dict[str, str]]:
    """The run with our classes, and what fails in it but passes with torch's own."""
    with_ours = run(folder, arguments, scratch / "ours")
    if not with_ours.failed:
        return with_ours, {}
    with_torchs = run(folder, list(with_ours.failed), scratch / "torchs", swapped=False)
    return with_ours, {name: why for name, why in with_ours.failed.items() if name in with_torchs.passed}


def told(wrong: dict[str, str]) -> str:
    """What fails with our classes alone, a line each."""
    return f"{len(wrong)} fail with our classes alone\n" + "\n".join(f"{name}: {why}" for name, why in wrong.items())
