"""Transformers' Trainer steps a schedule of ours, in the example and beside its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lr_configs import Horizon, curve

EXAMPLE = Path(__file__).parents[2] / "examples" / "transformers_trainer.py"


@pytest.mark.parametrize("name", ["cosine", "one_cycle"])
def test_the_example(name: str, tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed: pip install 'lr_configs[transformers]'")
    pytest.importorskip("accelerate", reason="accelerate is not installed: pip install 'lr_configs[transformers]'")
    command = [sys.executable, str(EXAMPLE), "--schedule", name, "--folder", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    rates = [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("rate ")]
    node = {"name": name, "warmup": "10%", "interval": "step"}
    expected = curve(node, 0.01, Horizon(epochs=2, steps_per_epoch=8))
    assert len(rates) == 16
    np.testing.assert_allclose(rates, expected, rtol=1e-12, atol=1e-18)
