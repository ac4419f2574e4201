"""The libraries whose schedules ours are compared with; where one is not installed, its tests are skipped."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="session")
def get_scheduler() -> Any:
    pytest.importorskip("transformers", reason="transformers is not installed: pip install 'lr_configs[transformers]'")
    return importlib.import_module("transformers.optimization").get_scheduler


@pytest.fixture(scope="session")
def timm_scheduler() -> Any:
    """The package `timm.scheduler` alone: the whole of timm wants a torchvision that fits torch."""
    spec = importlib.util.find_spec("timm")
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip("timm is not installed: pip install 'lr_configs[timm]'")
    if "timm" not in sys.modules:
        package = ModuleType("timm")
        package.__path__ = list(spec.submodule_search_locations)
        sys.modules["timm"] = package
    return importlib.import_module("timm.scheduler")
