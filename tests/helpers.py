"""Optimizers, and every schedule beside the torch class it stands for."""

from __future__ import annotations

import importlib.util
import math
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.optim import lr_scheduler as torch_schedulers

BASE = 0.1


def optimizer(
    groups: int = 1, *, tensor: torch.dtype | None = None, lr: float = BASE, cls: Any = torch.optim.SGD
) -> Any:
    """An optimizer with `groups` groups whose rates are lr, lr/2, lr/3, ..."""
    parameters = []
    for i in range(groups):
        rate: Any = lr / (i + 1)
        if tensor is not None:
            rate = torch.tensor(rate, dtype=tensor)
        parameters.append({"params": [torch.zeros(1, requires_grad=True)], "lr": rate})
    kwargs = {"momentum": 0.9} if cls is torch.optim.SGD else {}
    return cls(parameters, lr=lr, **kwargs)


def rates(optimizer: Any) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


def sequence(optimizer: Any, stages: list[Any], milestones: list[int]) -> Any:
    return torch_schedulers.SequentialLR(optimizer, stages, milestones)


T = torch_schedulers
#: name -> (our parameters, torch's own scheduler)
TWINS: dict[str, tuple[dict[str, Any], Callable[[Any], Any]]] = {
    "none": ({}, lambda o: T.LambdaLR(o, lambda t: 1.0)),
    "lambda": ({"lr_lambda": "0.95 ** epoch"}, lambda o: T.LambdaLR(o, lambda t: 0.95**t)),
    "multiplicative": ({"lr_lambda": "0.95"}, lambda o: T.MultiplicativeLR(o, lambda t: 0.95)),
    "step": ({"step_size": 200, "gamma": 0.5}, lambda o: T.StepLR(o, 200, 0.5)),
    "multi_step": ({"milestones": [200, 350], "gamma": 0.5}, lambda o: T.MultiStepLR(o, [200, 350], 0.5)),
    "constant": ({"factor": 0.25, "total_iters": 40}, lambda o: T.ConstantLR(o, 0.25, 40)),
    "linear": ({"start_factor": 0.1, "total_iters": 300}, lambda o: T.LinearLR(o, 0.1, 1.0, 300)),
    "exponential": ({"gamma": 0.99}, lambda o: T.ExponentialLR(o, 0.99)),
    "polynomial": ({"total_iters": 600, "power": 1.7}, lambda o: T.PolynomialLR(o, 600, 1.7)),
    "cosine": ({"T_max": 100, "eta_min": 0.0005}, lambda o: T.CosineAnnealingLR(o, 100, 0.0005)),
    "cosine_warm_restarts": (
        {"T_0": 50, "T_mult": 2, "eta_min": 0.0005},
        lambda o: T.CosineAnnealingWarmRestarts(o, 50, 2, 0.0005),
    ),
    "cyclic": (
        {"base_lr": 0.001, "max_lr": 0.1, "step_size_up": 50, "step_size_down": 100},
        lambda o: T.CyclicLR(o, 0.001, 0.1, 50, 100),
    ),
    "one_cycle": ({"max_lr": 0.1, "total_steps": 500}, lambda o: T.OneCycleLR(o, 0.1, 500)),
    "reduce_on_plateau": (
        {"patience": 3, "monitor": "val_loss"},
        lambda o: T.ReduceLROnPlateau(o, patience=3),
    ),
    "sequential": (
        {
            "stages": {
                "warmup": {"name": "linear", "start_factor": 0.1, "total_iters": 20, "length": 20},
                "decay": {"name": "exponential", "gamma": 0.99},
            }
        },
        lambda o: sequence(o, [T.LinearLR(o, 0.1, 1.0, 20), T.ExponentialLR(o, 0.99)], [20]),
    ),
    "chained": (
        {
            "stages": {
                "warmup": {"name": "linear", "start_factor": 0.1, "total_iters": 20},
                "decay": {"name": "exponential", "gamma": 0.99},
            }
        },
        lambda o: T.ChainedScheduler([T.LinearLR(o, 0.1, 1.0, 20), T.ExponentialLR(o, 0.99)]),
    ),
}
TORCH_NAMES = {
    "lambda": T.LambdaLR,
    "multiplicative": T.MultiplicativeLR,
    "step": T.StepLR,
    "multi_step": T.MultiStepLR,
    "constant": T.ConstantLR,
    "linear": T.LinearLR,
    "exponential": T.ExponentialLR,
    "polynomial": T.PolynomialLR,
    "cosine": T.CosineAnnealingLR,
    "cosine_warm_restarts": T.CosineAnnealingWarmRestarts,
    "cyclic": T.CyclicLR,
    "one_cycle": T.OneCycleLR,
    "reduce_on_plateau": T.ReduceLROnPlateau,
    "sequential": T.SequentialLR,
    "chained": T.ChainedScheduler,
}
#: those that torch lacks
BEYOND_TORCH = (
    "inverse_sqrt",
    "warmup_stable_decay",
    "rex",
    "noam",
    "inverse_time",
    "power",
    "piecewise",
    "slanted_triangular",
    "tanh",
    "hyperbolic",
    "exp_hyperbolic",
    "range_test",
)
#: those that are a function of the step
CURVED = [name for name in TWINS if name != "reduce_on_plateau"]


def close(a: list[float], b: list[float], rel: float = 1e-12) -> bool:
    return all(math.isclose(x, y, rel_tol=rel, abs_tol=1e-15) for x, y in zip(a, b, strict=True))


def together(command: list[str], folder: Path, leftovers: str) -> subprocess.CompletedProcess[str]:
    """Run a script whose processes train together; again where torch's own threads abort one of them at its exit.

    What an aborted attempt left (a pattern of names) is taken away.
    """
    for _ in range(4):
        for old in folder.glob(leftovers):
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=70, check=False)
        if "terminate called without an active exception" not in done.stderr:
            break
    return done


def loaded(script: Path) -> Any:
    """The module of a script that lies in no package."""
    spec = importlib.util.spec_from_file_location(script.stem, script)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[script.stem] = found  # dataclasses look their module up
    spec.loader.exec_module(found)
    return found


class Interrupted(dict):  # type: ignore[type-arg]
    """A parameter group in which the next write of its rate, once `armed`, is followed by Ctrl-C."""

    armed = False

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        if Interrupted.armed and key == "lr":
            Interrupted.armed = False
            signal.raise_signal(signal.SIGINT)
