"""Torch's own tests of its schedulers, with ours in their place; and that this swap is one."""

from __future__ import annotations

from pathlib import Path

from harness import checkout, ours_alone, run, told
from swap import ours

TESTS = ["test/optim/test_lrscheduler.py"]
AT_LEAST = 117  # 2.1 has 118, one of which its own classes fail since; later ones have more


def test_they_pass_with_our_classes(tmp_path: Path):
    outcome, wrong = ours_alone(checkout("pytorch", TESTS[0]), TESTS, tmp_path)
    assert not wrong, told(wrong)
    assert len(outcome.passed) >= AT_LEAST
    assert outcome.made == set(ours()), "classes of ours that no test made"


SAMPLE = """
import torch
from torch.optim.lr_scheduler import StepLR
from lr_configs import schedulers

MODULE = torch.optim.lr_scheduler

def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)

def test_by_name():
    assert type(StepLR(optimizer(), 3)) is schedulers.StepLR

def test_by_module():
    assert type(MODULE.LinearLR(optimizer())) is schedulers.LinearLR
    assert type(torch.optim.lr_scheduler.ExponentialLR(optimizer(), 0.9)) is schedulers.ExponentialLR

def test_what_is_not_ours_stays():
    from torch.optim.swa_utils import SWALR
    assert issubclass(StepLR, MODULE.LRScheduler) and issubclass(SWALR, MODULE.LRScheduler)

def test_only_of_torch():
    assert type(StepLR(optimizer(), 3)) is not schedulers.StepLR

def test_never():
    raise ValueError("a line\\nand another")
"""


def sample(folder: Path) -> Path:
    (folder / "test_sample.py").write_text(SAMPLE)
    return folder


def test_the_swap_is_one(tmp_path: Path):
    swapped = run(sample(tmp_path), ["test_sample.py"], tmp_path / "swapped")
    assert set(swapped.failed) == {"test_sample.py::test_only_of_torch", "test_sample.py::test_never"}
    assert len(swapped.passed) == 3
    assert swapped.made == {"StepLR", "LinearLR", "ExponentialLR"}


def test_without_the_swap_they_are_torchs(tmp_path: Path):
    plain = run(sample(tmp_path), ["test_sample.py"], tmp_path / "plain", swapped=False)
    assert set(plain.failed) == {f"test_sample.py::test_{name}" for name in ("by_name", "by_module", "never")}
    assert not plain.made


def test_what_fails_with_ours_alone_is_told(tmp_path: Path):
    outcome, wrong = ours_alone(sample(tmp_path), ["test_sample.py"], tmp_path / "runs")
    assert outcome.failed["test_sample.py::test_never"] == "ValueError: a line"
    assert set(wrong) == {"test_sample.py::test_only_of_torch"}
    assert "1 fail with our classes alone\ntest_sample.py::test_only_of_torch: AssertionError" in told(wrong)
