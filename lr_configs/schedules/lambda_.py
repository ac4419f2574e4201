"""``lambda``: a formula, or a Python function, of the step."""

from __future__ import annotations

from typing import Any

from lr_configs.config import formula, schedule
from lr_configs.floor import ClampedConfig
from lr_configs.functions import FunctionWeights


@schedule("lambda")
class LambdaLRConfig(ClampedConfig):
    """``rate(t) = base * lr_lambda(t)``, as torch's `LambdaLR`; the formula goes on beyond the run.

    Attributes:
        lr_lambda: formula in the step ``t`` (or ``epoch``), the run's length ``T`` behind the warmup, in scheduler steps,
            the progress ``p = min(t / T, 1)`` and the group's own rate ``base``; or a Python callable of ``(t)`` or
            ``(t, T)``; a list has one for each parameter group. Finite and not negative.
        eta_min: the rate is nowhere lower, per group; text like ``1%`` is a share of the group's own rate. Not in torch.

    >>> LambdaLRConfig(lr_lambda="1 / (1 + t)").lr_lambda
    '1 / (1 + t)'
    """

    beyond_torch = ("eta_min",)

    lr_lambda: Any = formula("0.95 ** epoch")

    @classmethod
    def prepare(cls, p: Any) -> None:
        """The functions, one for each group."""
        p.lr_lambdas = list(p.lr_lambda) if isinstance(p.lr_lambda, list) else [p.lr_lambda] * len(p.base_lrs)
        p.functions = FunctionWeights(p.lr_lambdas, p.base_lrs)
        p.single = p.functions.single

    @staticmethod
    def join(p: Any, group: Any, base: float) -> None:
        """A group that joins later has the last one's function."""
        p.base_lrs.append(base)
        p.lr_lambdas.append(p.lr_lambdas[-1])
        p.functions = FunctionWeights(p.lr_lambdas, p.base_lrs)
        p.single = p.functions.single

    @staticmethod
    def drop(p: Any, count: int) -> None:
        """The functions, too."""
        del p.base_lrs[count:], p.lr_lambdas[count:]
        p.functions = FunctionWeights(p.lr_lambdas, p.base_lrs)
        p.single = p.functions.single

    @staticmethod
    def weights(p: Any, t: Any, m: Any) -> Any:
        """The function's value at `t`; a list where groups have functions of their own."""
        return p.functions(t, m) if p.single is None else m.each(p.single, t)
