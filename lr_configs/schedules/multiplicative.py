"""``multiplicative``: the running product of a formula's values."""

from __future__ import annotations

from typing import Any

from lr_configs.config import Landmarks, formula, schedule
from lr_configs.errors import SchedulerConfigError
from lr_configs.functions import FunctionsConfig, Product


@schedule("multiplicative")
class MultiplicativeLRConfig(FunctionsConfig):
    """``rate(t) = base * lr_lambda(1) * ... * lr_lambda(t)``, as torch's `MultiplicativeLR`: `base` at step 0.

    The product goes on beyond the run.

    Attributes:
        lr_lambda: the factor of each step, as for ``lambda``: a formula in ``t`` (or ``epoch``), ``T``, ``p`` and ``base``, a callable,
            or a list with one for each group. Finite and not negative, and so is the product.
        eta_min: the rate falls no lower, per group; text like ``1%`` is a share of the group's own rate. Not in torch.

    >>> MultiplicativeLRConfig(lr_lambda=0.95).lr_lambda
    '0.95'
    """

    lr_lambda: Any = formula("0.95")

    of_each = Product

    @staticmethod
    def landmarks(p: Any) -> Landmarks:
        """A product of a Python function's values has to be multiplied out step by step."""
        functions = p.lr_lambda if isinstance(p.lr_lambda, list) else [p.lr_lambda]
        return Landmarks(at_once=all(hasattr(one, "array") for one in functions))

    def resolved(self, params: dict[str, Any], steps: int | None, key: str) -> dict[str, Any]:
        """Refuse a product that leaves the numbers within the run."""
        written = self.lr_lambda if isinstance(self.lr_lambda, list) else [self.lr_lambda]
        functions = params["lr_lambda"] if isinstance(params["lr_lambda"], list) else [params["lr_lambda"]]
        for text, function in zip(written, functions, strict=True):
            overflow = (
                Product(function).overflow(steps)
                if hasattr(function, "array") and not function.uses_base and steps is not None
                else None
            )
            if overflow is not None:
                raise SchedulerConfigError(
                    f"{key}.lr_lambda" if key else "lr_lambda",
                    text,
                    f"the product of the factors is infinite at t={overflow}, and the run has {steps} steps",
                    "Write factors that stay near 1, or fall",
                )
        return params
