"""What is known of a run: no more of it is found out than a schedule needs."""

from __future__ import annotations

from typing import Any

import pytest

from lr_configs import Horizon, SchedulerConfigError
from lr_configs.plan import resolve
from lr_configs.run import Facts, PlainRun, resolve_for

WHOLE = Horizon(epochs=4, steps_per_epoch=5)


def facts(whole: Horizon | None = WHOLE, epochs: int | None = 4, steps: int | None = None) -> tuple[Facts, list[int]]:
    """Facts, and how often the whole run was asked for."""
    asked: list[int] = []

    def find() -> Horizon | None:
        asked.append(1)
        return whole

    return Facts(epochs, steps, find, lambda: "nobody knows"), asked


@pytest.mark.parametrize(
    ("node", "epochs", "steps", "loads"),
    [
        ({"name": "exponential"}, 4, None, False),
        ({"name": "step", "step_size": 3}, 4, None, False),
        ({"name": "step", "step_size": "3ep"}, 4, None, False),
        ({"name": "step", "step_size": "3st"}, 4, None, False),
        ({"name": "step", "step_size": 3, "frequency": 2}, 4, None, True),
        ({"name": "step", "step_size": 3, "warmup": "2st"}, 4, None, True),
        ({"name": "step", "step_size": 3, "warmup": "2st", "interval": "step"}, 4, None, False),
        ({"name": "cosine"}, 4, None, True),
        ({"name": "cosine", "interval": "epoch"}, 4, None, False),
        ({"name": "cosine", "interval": "epoch"}, 4, 20, True),
        ({"name": "cosine", "interval": "step"}, 4, None, True),
        ({"name": "cosine"}, None, 20, False),
        ({"name": "cosine", "interval": "step"}, None, 20, False),
        ({"name": "cosine", "interval": "epoch"}, None, 20, True),
        ({"name": "cosine", "warmup": "1ep"}, None, 20, True),
    ],
)
def test_what_is_found_out(node: Any, epochs: int | None, steps: int | None, loads: bool) -> None:
    """Whatever is left out, the plan is that of the whole run."""
    known, asked = facts(epochs=epochs, steps=steps)
    assert resolve_for(node, known).function() == resolve(node, WHOLE).function()
    assert bool(asked) is loads


@pytest.mark.parametrize(
    ("node", "whole", "key", "words"),
    [
        ({"name": "cosine"}, None, "T_max", "cosine needs the run's end, which is not known: nobody knows"),
        (
            {"name": "step", "step_size": "50%", "interval": "step"},
            Horizon(epochs=3),
            "step_size",
            "step needs the run's end",
        ),
        ({"name": "multi_step", "milestones": ["9st", "5%"]}, None, "milestones.1", "multi_step needs the run's end"),
        ({"name": "step", "step_size": "0.3ep", "interval": "epoch"}, None, "step_size", "this is 0.3 epochs"),
        ({"name": "step", "warmup": "500st"}, WHOLE, "warmup", "the warmup takes 500 updates"),
    ],
)
def test_what_cannot_be(node: Any, whole: Horizon | None, key: str, words: str) -> None:
    """The run's end is named where nothing else is missing."""
    with pytest.raises(SchedulerConfigError) as caught:
        resolve_for(node, facts(whole, None if whole is None else 4)[0])
    assert caught.value.key == key
    assert words in str(caught.value)


def test_a_loop_of_ones_own() -> None:
    said: list[str] = []
    run = PlainRun(WHOLE, said.append)
    run.say("a line")
    assert said == ["a line"]
    assert run.horizon() is run.horizon("anything") is WHOLE
    assert run.resolve({"name": "cosine"}).params["T_max"] == 20
    assert (run.processes, run.mean(0.25), run.schedulers()) == (1, 0.25, None)
    assert PlainRun().horizon() is None
