"""Shared by all tests: small optimizers and modules, and every schedule with its torch twin."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import hydra.utils
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("PL_DISABLE_FORK", "1")
# What is started in the background, as in a script with `&`, does not hear of Ctrl-C, and neither do its children.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not os.environ.get("LR_CONFIGS_SLOW"):
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip(reason="slow: `LR_CONFIGS_SLOW=1 make test` runs it, as .ci/run does"))


@pytest.fixture(autouse=True)
def what_hydra_may_call() -> Iterator[None]:
    """The list that docs/hydra.md names; Hydra 1.4 calls nothing else, and Hydra 1.3 has no such list."""
    if hasattr(hydra.utils, "execution_whitelist"):
        with hydra.utils.execution_whitelist(["lr_configs.scheduler", "lr_configs.LRSchedulerCallback"]):
            yield
    else:
        yield


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A real browser, for :func:`browser.opened`."""
    from browser import started

    yield from started()
