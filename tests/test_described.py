"""What docstrings say of schedules, and that each key has its say."""

from __future__ import annotations

import re

import pytest

from lr_configs import available, register, registry
from lr_configs.described import meanings, summary, text
from lr_configs.kinds import Kind
from lr_configs.registry import entry


@pytest.mark.parametrize("name", available())
def test_every_key_has_a_meaning_and_a_kind(name: str) -> None:
    config = entry(name)
    keys = [key for key in config.__dataclass_fields__ if key not in ("_target_", "name")]
    found = meanings(config)
    assert list(found) == keys
    for key, words in found.items():
        assert words, key
        assert "`" not in words, key
        kind = config.__dataclass_fields__[key].metadata["check"]
        assert isinstance(kind, Kind), key
        assert kind.words, key
    assert summary(config)
    assert text(config).startswith(summary(config))
    assert "Attributes" not in text(config)


@pytest.mark.parametrize("name", [one for one in available() if not entry(one).torch_name.startswith("ReduceLR")])
def test_every_formula_says_where_it_begins_and_ends(name: str) -> None:
    """At step 0, at the end, and beyond."""
    words = text(entry(name))
    assert re.search(r"[Ss]teps? 0|at every step", words)
    assert "beyond" in words


def test_a_meaning_over_several_lines_and_one_of_its_own() -> None:
    assert meanings(entry("cyclic"))["mode"] == (
        "triangular, triangular2 (the height halves every cycle) or exp_range (it falls as gamma ** t)"
    )
    own, common = meanings(entry("reduce_on_plateau"))["cooldown"], meanings(entry("step"))["cooldown"]
    assert own == "values to wait after a reduction"
    assert common.startswith("length of the tail")


def test_of_a_function() -> None:
    def fading(t: float, T: int, *, depth: float = 0.5) -> float:
        """Down to a depth.

        Args:
            t: the step.
            T: steps.
            depth (float): where it ends;
                a factor.

        Returns:
            depth: no key.
        """
        return depth ** (t / T)

    register("fading_described", fading)
    try:
        found = meanings(entry("fading_described"))
        assert found["depth"] == "where it ends; a factor"
        assert found["T"] == "steps"
        assert "t" not in found
        assert text(entry("fading_described")) == "Down to a depth."
    finally:
        registry.remove("fading_described")
