"""Lightning's own tests of what works with schedulers, with ours in place of torch's."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import checkout, ours_alone, told

pytest.importorskip("lightning")

TESTS = [
    "tests_pytorch/callbacks/test_lr_monitor.py",
    "tests_pytorch/callbacks/test_stochastic_weight_avg.py",
    "tests_pytorch/callbacks/test_weight_averaging.py",
    "tests_pytorch/trainer/optimization/test_multiple_optimizers.py",
    "tests_pytorch/trainer/optimization/test_optimizers.py",
    "tests_pytorch/tuner/test_lr_finder.py",
]
ONE_PROCESS = ["-k", "not ddp"]  # the swap does not reach processes that a test starts
AT_LEAST = 127  # of 2.6.5


def test_they_pass_with_our_classes(tmp_path: Path):
    folder = checkout("pytorch-lightning", f"tests/{TESTS[0]}") / "tests"
    outcome, wrong = ours_alone(folder, TESTS + ONE_PROCESS, tmp_path)
    assert not wrong, told(wrong)
    assert len(outcome.passed) >= AT_LEAST
    assert {"LambdaLR", "OneCycleLR", "ReduceLROnPlateau", "StepLR"} <= outcome.made
