"""``lambda``: a formula, or a Python function, of the step."""

from __future__ import annotations

from typing import Any

from lr_configs.config import formula, schedule
from lr_configs.functions import FunctionsConfig


@schedule("lambda")
class LambdaLRConfig(FunctionsConfig):
    """``rate(t) = base * lr_lambda(t)``, as torch's `LambdaLR`: ``base * lr_lambda(0)`` at step 0; the formula goes on beyond the run.

    Attributes:
        lr_lambda: formula in the step ``t`` (or ``epoch``), the run's length ``T`` behind the warmup, in scheduler steps,
            the progress ``p = min(t / T, 1)`` and the group's own rate ``base``; or a Python callable of ``(t)`` or
            ``(t, T)``; a list has one for each parameter group. Finite and not negative.
        eta_min: the rate is nowhere lower, per group; text like ``1%`` is a share of the group's own rate. Not in torch.

    >>> LambdaLRConfig(lr_lambda="1 / (1 + t)").lr_lambda
    '1 / (1 + t)'
    """

    lr_lambda: Any = formula("0.95 ** epoch")
