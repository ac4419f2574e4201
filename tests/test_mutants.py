"""The tool behind `make mutants`: which mistakes it makes, and which tests meet them."""

from __future__ import annotations

from collections import defaultdict

import pytest

pytest.importorskip("cosmic_ray")

from benchmarks.mutants import Mutant, Reach, changes, different, sites

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


def test_every_mistake_is_a_program_with_one_place_changed():
    assert len(made(CODE)) > 20
    for text, _ in made(CODE):
        assert len(changes(CODE, text)) == 2


def test_a_mistake_knows_the_lines_of_its_statement():
    lines = {line for text, mutant in made(CODE) if "or values" in text for line in mutant.lines}
    assert lines == {9, 10, 11, 12}


def test_the_tests_of_a_mistake():
    by_line = {"a.py": {1: {""}, 9: {"t::slow", "t::quick"}, 12: {"t::broken"}, 13: {"t::other"}}}
    seconds = {"t::slow": 5.0, "t::quick": 1.0, "t::broken": 1.0, "t::other": 2.0}
    found = Reach(seconds, {"t::broken"}, defaultdict(dict, by_line))

    def tests(path: str, lines: range, budget: float) -> list[str]:
        return found.tests(Mutant(path, "", lines, lambda: None), budget)

    assert tests("a.py", range(9, 13), 10) == ["t::quick", "t::slow"]
    assert tests("a.py", range(9, 13), 5) == ["t::quick"]
    assert tests("a.py", range(1, 2), 10) == ["t::quick", "t::other", "t::slow"]
    assert tests("a.py", range(20, 21), 10) == tests("b.py", range(9, 10), 10) == []
