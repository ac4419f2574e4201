"""Shared by all tests: small optimizers and modules, and every schedule with its torch twin."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("PL_DISABLE_FORK", "1")
