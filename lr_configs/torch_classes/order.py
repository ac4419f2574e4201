"""Torch's marks on optimizers that tell in which order `step` is called; the only module that knows their names."""

from __future__ import annotations

import warnings
from typing import Any

_MORE = "See more details at https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"


def check_order(optimizer: Any, stacklevel: int) -> None:
    """Warn, in torch's words so that filters for them go on to work, where the optimizer has not stepped before."""
    if not hasattr(optimizer.step, "_wrapped_by_lr_sched"):
        warnings.warn(
            "Seems like `optimizer.step()` has been overridden after learning rate scheduler initialization. "
            f"Please, make sure to call `optimizer.step()` before `lr_scheduler.step()`. {_MORE}",
            UserWarning,
            stacklevel=stacklevel,
        )
    elif not getattr(optimizer, "_opt_called", getattr(optimizer.step, "_with_counter", False)):
        warnings.warn(
            "Detected call of `lr_scheduler.step()` before `optimizer.step()`. "
            "In PyTorch 1.1.0 and later, you should call them in the opposite order: "
            "`optimizer.step()` before `lr_scheduler.step()`.  Failure to do this "
            f"will result in PyTorch skipping the first value of the learning rate schedule. {_MORE}",
            UserWarning,
            stacklevel=stacklevel,
        )


def tracks_order(optimizer: Any) -> bool:
    """Whether torch has wrapped the optimizer's step."""
    return bool(getattr(optimizer.step, "_wrapped_by_lr_sched", False))


def order_is_known(optimizer: Any) -> None:
    """The order of the calls is somebody else's affair: no warnings."""
    optimizer._opt_called = True


def allow_wrapped_step(optimizer: Any) -> None:
    """Torch wants to wrap a bound method, and fails on the function that `torch.compile` returns."""
    step = vars(optimizer).get("step")
    if step is not None and not hasattr(step, "__func__") and not hasattr(step, "_wrapped_by_lr_sched"):
        step._wrapped_by_lr_sched = True
        order_is_known(optimizer)
