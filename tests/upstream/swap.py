"""A pytest plugin: whatever imports ``torch.optim.lr_scheduler`` while tests run gets our classes from it.

Torch's own code keeps its own names (a function's globals are those of the real module), so only the tests, and the
libraries whose tests they are, see ours. Each test's report carries its name and which of our classes it made.
With ``LEAVE_TORCH`` in the environment nothing is swapped: the control.
"""

from __future__ import annotations

import functools
import os
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from lr_configs import schedulers

LEAVE_TORCH = "LR_CONFIGS_LEAVE_TORCH"
MADE, NAME = "made", "name"  # properties of a test's report
made: set[str] = set()


def ours() -> dict[str, type]:
    """Name -> our class, for every scheduler of torch's that we have one of our own for."""
    theirs = vars(torch.optim.lr_scheduler)
    named = {name: getattr(schedulers, name) for name in schedulers.__all__ if name in theirs}
    return {name: cls for name, cls in named.items() if cls is not theirs[name]}


def noting(name: str, init: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(init)
    def noted(self: Any, *args: Any, **kwargs: Any) -> None:
        made.add(name)
        init(self, *args, **kwargs)

    return noted


def pytest_configure() -> None:
    if LEAVE_TORCH in os.environ:
        return
    real = torch.optim.lr_scheduler
    stand_in = types.ModuleType(real.__name__, real.__doc__)
    vars(stand_in).update(vars(real))
    for name, cls in ours().items():
        setattr(cls, "__init__", noting(name, cls.__init__))  # noqa: B010 - an assignment would be a type error
        setattr(stand_in, name, cls)
    sys.modules[real.__name__] = torch.optim.lr_scheduler = stand_in


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    made.clear()
    return (yield)


def pytest_runtest_teardown(item: pytest.Item) -> None:
    item.user_properties += [(NAME, item.nodeid), (MADE, " ".join(sorted(made)))]
