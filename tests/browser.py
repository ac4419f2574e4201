"""A real browser for the tests of pages: Debian's Chromium, without a network."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from requirements import need

#: without a network, what Chromium would ask of its makers' servers only takes time
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@dataclass
class Opened:
    """A page in a browser.

    Attributes:
        page: playwright's.
        requests: addresses that it asked for, itself included.
        errors: what its console and its scripts complained of.
    """

    page: Any
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def wait_for(self, condition: str) -> None:
        """Until a condition holds; playwright's own way polls with an `eval`, which the pages forbid."""
        for _ in range(300):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"in 15 seconds it never held: {condition}")


def started() -> Iterator[Any]:
    """Playwright's browser, and its end; for a fixture."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    need(chromium, "a browser is missing: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as one:
        browser = one.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield browser
        browser.close()


@contextlib.contextmanager
def opened(browser: Any, path: Path, **context: Any) -> Iterator[Opened]:
    """Open a file; `context` is of playwright's ``new_context``, as ``color_scheme="dark"``."""
    inside = browser.new_context(offline=True, **{"viewport": {"width": 900, "height": 700}, **context})
    found = Opened(inside.new_page())
    found.page.on("request", lambda request: found.requests.append(request.url))
    found.page.on("console", lambda message: found.errors.append(message.text))
    found.page.on("pageerror", lambda error: found.errors.append(str(error)))
    found.page.goto(path.as_uri())
    yield found
    inside.close()
