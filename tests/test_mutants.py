"""The tool behind `make mutants`: which mistakes it makes, and which tests meet them."""

from __future__ import annotations

import subprocess
from collections import defaultdict

import pytest

pytest.importorskip("cosmic_ray")
pytest.importorskip("coverage")

import coverage

from benchmarks.mutants import Mutant, Reach, changes, different, numbered, read_lines, sites, watched_files

CODE = '''\
"""A module."""
from typing import Any

LIMIT: int | None = 3


def rate(step: int, values: list[float] | None = None) -> float | Any:
    """A function."""
    if (
        step < LIMIT
        and values
    ):
        values.append(0.5)
    scale = step * 2
    return scale
'''


def made(code: str) -> list[tuple[str, Mutant]]:
    texts = [(mutant.make() or "", mutant) for place in sites("a.py", code) for mutant in place]
    return [(text, mutant) for text, mutant in texts if different(code, text)]


@pytest.mark.parametrize(
    "change",
    ["        step <= LIMIT", "        or values", "        pass", "    scale = step + 2", "    scale = step * 3"],
)
def test_mistakes_are_made_at_every_place(change):
    assert any(f"\n{change}\n" in text for text, _ in made(CODE))


def test_what_cannot_be_seen_is_left_alone():
    untouched = [line for line in CODE.splitlines() if "Any" in line or '"""' in line]
    assert all(line in text for text, _ in made(CODE) for line in untouched)
    assert any("LIMIT: int | None = 4" in text for text, _ in made(CODE))
    assert not any("LIMIT: int & None" in text for text, _ in made(CODE))


@pytest.mark.parametrize(
    "line",
    [
        "    assert a > 1",
        "    return [x for x, y in zip(a, b, strict=True)]",
        "    return dataclass(a, frozen=True)",
        "    raise NotImplementedError",
        "    @abstractmethod",
        "    @dataclass_transform(kw_only_default=True)",
        "    @lru_cache(maxsize=64)",
    ],
)
def test_what_states_that_something_always_holds_is_left_alone(line: str):
    inside = f"class A:\n{line}\n    def f(self): ...\n" if "@" in line else f"def f(a, b):\n{line}\n"
    assert all(line.strip() in text for text, _ in made(inside))


@pytest.mark.parametrize("side", ["None", "True", "b.__class__", "type(b)"])
def test_equality_with_an_only_object_is_identity(side: str):
    texts = [text for text, _ in made(f"def f(a, b):\n    return a is {side}\n")]
    assert texts
    assert not any(f"a == {side}" in text for text in texts)
    assert any("a == b" in text for text, _ in made("def f(a, b):\n    return a is b\n"))


def test_a_mistake_knows_the_function_around_it_or_that_it_runs_at_import():
    found = {text: mutant.function for text, mutant in made(CODE)}
    assert not found[CODE.replace("LIMIT: int | None = 3", "LIMIT: int | None = 4")]
    assert found[CODE.replace("step * 2", "step * 3")] == range(8, 16)
    inner = "def f():\n    def g():\n        return 1\n    return 2\n"
    assert {text: mutant.function for text, mutant in made(inner)}[inner.replace("1", "2")] == range(3, 4)


def test_every_mistake_is_a_program_with_one_place_changed():
    assert len(made(CODE)) > 20
    for text, _ in made(CODE):
        assert len(changes(CODE, text)) == 2


def test_every_mistake_is_one_of_its_own():
    mutants = [mutant for _, mutant in made("def f():\n    return 1 + 1\n")]
    assert len(set(mutants)) == len(mutants) > 4


def test_a_mistake_knows_the_lines_of_its_statement():
    lines = {line for text, mutant in made(CODE) if "or values" in text for line in mutant.lines}
    assert lines == {9, 10, 11, 12}


def test_the_tests_of_a_mistake():
    by_line = {"a.py": {1: {""}, 9: {"t::slow", "t::quick"}, 12: {"t::broken"}, 13: {"u::other"}}}
    seconds = {"t::slow": 5.0, "t::quick": 1.0, "t::broken": 1.0, "u::other": 2.0, "u::beside": 0.1, "v::none": 0.1}
    found = Reach(seconds, {"t::broken"}, defaultdict(dict, by_line))

    def tests(path: str, lines: range, budget: float, function: range = range(9, 15)) -> list[str]:
        return found.tests(Mutant(path, "", lines, function, lambda: None), budget)

    assert tests("a.py", range(9, 13), 10) == ["t::quick", "t::slow"]
    assert tests("a.py", range(9, 13), 5) == ["t::quick"]
    assert tests("a.py", range(1, 2), 10) == ["t::quick", "u::other", "t::slow", "u::beside"]
    assert tests("a.py", range(1, 2), 10, range(0)) == ["t::quick", "u::other", "t::slow", "u::beside", "v::none"]
    assert tests("b.py", range(9, 10), 10) == []
    assert tests("a.py", range(13, 14), 10) == ["u::other", "u::beside"]
    assert tests("a.py", range(13, 14), 2) == tests("a.py", range(13, 14), 0.05) == ["u::other", "u::beside"]
    found.seconds["u::third"] = 0.5
    assert tests("a.py", range(13, 14), 2) == ["u::other", "u::beside"]
    assert tests("a.py", range(13, 14), 4) == ["u::other", "u::beside", "u::third"]
    del found.seconds["u::third"]
    whole = ["t::quick", "u::other", "t::slow", "u::beside"]
    assert tests("a.py", range(13, 14), 10, function=range(0)) == [*whole, "v::none"]
    # of a line that nobody is seen at: those of the function around it, or of the file
    assert tests("a.py", range(20, 21), 10, function=range(13, 21)) == ["u::other", "u::beside"]
    assert tests("a.py", range(20, 21), 10, function=range(15, 21)) == whole


def test_a_few_files_come_first():
    seconds = {f"{file}::{i}": 0.5 for file in "abcd" for i in range(3 if file != "d" else 1)}
    found = Reach(seconds, set(), defaultdict(dict))
    first, rest = found.batches(["d::0", *(name for name in seconds if name[0] != "d")], quick=2)
    assert first == ["a::0", "a::1", "a::2", "b::0"]
    assert rest == ["d::0", "b::1", "b::2", "c::0", "c::1", "c::2"]
    assert found.batches(["d::0"]) == [["d::0"]]
    found.killers.update({"c::2": 2, "d::0": 1, "e::0": 9})
    assert found.batches(["d::0", "c::1", "c::2"], quick=0.1) == [["c::2", "d::0"], ["c::1"]]


def test_what_tests_reach_is_kept():
    by_line = {"a.py": {1: {"", "t::b"}, 2: {"t::a", "u::c"}, 3: {"u::c"}}}
    mine = {"t::a", "t::b"}
    lines = numbered(by_line, mine)
    assert lines == [("a.py", 1, [-1, 1]), ("a.py", 2, [0])]
    found = Reach({}, set(), defaultdict(lambda: defaultdict(set)))
    found.add({"seconds": {"t::a": 1.0, "t::b": 2.0}, "failed": ["t::b"], "lines": lines})
    assert found.by_line == {"a.py": {1: {"", "t::b"}, 2: {"t::a"}}}
    assert (found.seconds, found.failed) == ({"t::a": 1.0, "t::b": 2.0}, {"t::b"})


def test_data_of_a_process_that_was_killed_is_left_out(tmp_path):
    data = coverage.CoverageData(basename=str(tmp_path / "data.1"))
    data.set_context("t::a")
    data.add_lines({str(tmp_path / "a.py"): [3]})
    data.write()
    whole = (tmp_path / "data.1").read_bytes()
    (tmp_path / "data.2").write_bytes(whole[: len(whole) // 3])
    (tmp_path / "data.3").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    assert read_lines(tmp_path, tmp_path) == {"a.py": {3: {"t::a"}}}


def test_it_is_kept_for_as_long_as_nothing_it_depends_on_changes(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.mutants.ROOT", tmp_path)
    files = {"lr_configs/a.py": "1", "tests/helpers.py": "2", "tests/test_a.py": "3", "tests/test_b.py": "4"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    before = watched_files()
    assert set(before) == {"tests/test_a.py", "tests/test_b.py", "lr_configs"}
    (tmp_path / "tests/test_b.py").write_text("5")
    after = watched_files()
    assert [name for name in before if before[name] != after[name]] == ["tests/test_b.py"]
    for name in ("tests/helpers.py", "lr_configs/a.py"):
        (tmp_path / name).write_text("6")
        before, after = after, watched_files()
        assert not set(before.values()) & set(after.values())
