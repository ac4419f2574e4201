"""What a test needs beside Python packages: a browser, a server, a program.

On a user's machine a test without it is skipped, with the reason; where everything has to be there, it fails.
"""

from __future__ import annotations

import os

import pytest

#: set where nothing may be missing
VARIABLE = "LR_CONFIGS_REQUIRE"


def need(there: object, what: str) -> None:
    """Skip, or fail where :data:`VARIABLE` is set, unless something is there; `what` says what it is, and how to get it."""
    if there:
        return
    if os.environ.get(VARIABLE):
        pytest.fail(f"{what} (and {VARIABLE} is set)")
    pytest.skip(what)
