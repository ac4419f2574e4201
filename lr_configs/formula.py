"""Arithmetic formulas in YAML: parsed into closures, never evaluated as Python code.

A general expression library either allows attributes and subscripts, or evaluates one number at a time; a
schedule needs neither, and needs whole arrays. The grammar is therefore a short white list over `ast`.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from typing import Any

from lr_configs import curves
from lr_configs.errors import SchedulerConfigError, nearest

MAX_LENGTH = 1000
MAX_DEPTH = 50


def _like_array(operator: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """`operator` with numpy's answers where Python raises, so that a number and an array agree."""

    def safe(a: Any, b: Any) -> Any:
        try:
            value = operator(a, b)
        except ZeroDivisionError:
            return math.nan if a == 0 or math.isnan(a) else math.inf
        except OverflowError:
            return math.inf
        return math.nan if isinstance(value, complex) else value

    return safe


_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: _like_array(lambda a, b: a / b),
    ast.FloorDiv: _like_array(lambda a, b: a // b),
    ast.Mod: _like_array(lambda a, b: a % b),
    ast.Pow: _like_array(lambda a, b: a**b),
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
}
#: functions by name, with how many arguments each takes (None: two or more)
FUNCTIONS: dict[str, int | None] = {
    "min": None,
    "max": None,
    **dict.fromkeys(("abs", "sqrt", "exp", "log", "log2", "log10", "cos", "sin", "tanh", "floor", "ceil"), 1),
}
CONSTANTS = {"pi": math.pi, "e": math.e}
REMEDY = (
    "Write arithmetic, comparisons and 'a if condition else b' in t (or epoch) and T, with "
    + " ".join(FUNCTIONS)
    + " pi e"
)

Node = Callable[[Any, Any, Any], Any]  # (t, T, ops) -> value


class Formula:
    """A factor as a function of the step `t` (also `epoch`) and the run's length `T`.

    Args:
        text: the formula.
        key: where it is written, for errors.
        T: what `T` stands for, in scheduler steps; None while it is not known.
        variable: names that stand for the step.

    Raises:
        SchedulerConfigError: naming the part that is not allowed.

    >>> Formula("0.5 * (1 + cos(pi * t / T))", T=100)(50)
    0.5
    >>> Formula("0.5 if epoch < 40 else 0.25")(40)
    0.25
    >>> Formula("t.real")
    Traceback (most recent call last):
    lr_configs.errors.SchedulerConfigError: lr_lambda='t.real': 't.real' is not allowed in a formula. Write ...
    """

    # Without __dict__ torch cannot copy the formula into a checkpoint, where it would replace the one
    # of the resuming run.
    __slots__ = ("T", "_node", "key", "text", "uses_T", "variable")

    def __init__(
        self, text: str, key: str = "lr_lambda", T: int | None = None, variable: tuple[str, ...] = ("t", "epoch")
    ) -> None:
        self.text, self.key, self.T, self.variable, self.uses_T = text, key, T, variable, False
        if len(text) > MAX_LENGTH:
            raise self._error(f"a formula has at most {MAX_LENGTH} characters, this one {len(text)}")
        try:
            tree = ast.parse(text.strip(), mode="eval")
            self._node = self._compile(tree.body, 0)
        except SyntaxError as error:
            raise self._error(f"this is not a formula ({error.msg})") from None
        except (RecursionError, MemoryError, ValueError) as error:
            if isinstance(error, SchedulerConfigError):
                raise
            raise self._error("this formula is nested too deeply") from None

    def __reduce__(self) -> tuple[Any, ...]:
        return Formula, (self.text, self.key, self.T, self.variable)

    def __repr__(self) -> str:
        return f"Formula({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Formula) and (self.text, self.T) == (other.text, other.T)

    def __hash__(self) -> int:
        return hash((self.text, self.T))

    def bind(self, T: int | None) -> Formula:
        """The same formula for a run of `T` scheduler steps."""
        if self.uses_T and T is None:
            raise SchedulerConfigError(
                self.key,
                self.text,
                "T is the run's length, which is not known here",
                "Give horizon=Horizon(...), or write a number instead of T",
            )
        return Formula(self.text, self.key, T, self.variable)

    def __call__(self, t: float) -> float:
        """The factor at step `t`."""
        value = float(self._node(float(t), self.T, curves.scalar))
        if math.isfinite(value):
            return value
        raise self._error(f"the formula fails at t={t:g}, where its value is {value}")

    def array(self, t: Any) -> Any:
        """One value per element of the array `t`; not finite where the formula fails."""
        import numpy as np

        t = np.asarray(t, dtype=np.float64)
        with np.errstate(all="ignore"):
            return np.broadcast_to(np.asarray(self._node(t, self.T, curves.array()), dtype=np.float64), t.shape)

    def check(self, steps: int | None) -> None:
        """Refuse a formula that fails, or gives a negative or infinite factor, within `steps` steps."""
        import numpy as np

        for start in range(0, min(1000 if steps is None else steps, 10**7), 65536):
            t = np.arange(start, min(start + 65536, 1000 if steps is None else steps), dtype=np.float64)
            values = self.array(t)
            bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
            if bad.size:
                at = int(t[bad[0]])
                raise self._error(f"the factor is {self(at):g} at t={at}, and a factor is finite and not negative")

    def _error(self, rule: str) -> SchedulerConfigError:
        return SchedulerConfigError(self.key, self.text, rule, REMEDY)

    def _refuse(self, node: ast.AST, why: str = "") -> SchedulerConfigError:
        part = ast.get_source_segment(self.text.strip(), node) or type(node).__name__
        return self._error(f"{part!r} is not allowed in a formula{why}")

    def _compile(self, node: ast.AST, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self._error(f"a formula is nested at most {MAX_DEPTH} levels deep")
        down = depth + 1
        match node:
            case ast.Constant(value=bool() | int() | float() as value):
                try:
                    number = float(value)
                except OverflowError:
                    raise self._refuse(node, ": this number is too large") from None
                if not math.isfinite(number):
                    raise self._refuse(node, ": this number is not finite")
                return lambda t, T, m: number
            case ast.Name(id=name):
                return self._name(node, name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self._compile(operand, down)
                return lambda t, T, m: -inner(t, T, m)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self._compile(operand, down)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self._compile(operand, down)
                return lambda t, T, m: m.logical_not(inner(t, T, m))
            case ast.BinOp(op=op) if type(op) in _BINARY:
                return self._binary(node, _BINARY[type(op)], down)
            case ast.Compare():
                return self._compare(node, down)
            case ast.BoolOp(op=op, values=values):
                parts = [self._compile(value, down) for value in values]
                name = "logical_and" if isinstance(op, ast.And) else "logical_or"
                return lambda t, T, m: getattr(m, name)([part(t, T, m) for part in parts])
            case ast.IfExp(test=test, body=body, orelse=orelse):
                condition, yes, no = (self._compile(part, down) for part in (test, body, orelse))
                return lambda t, T, m: m.choose(condition(t, T, m), lambda: yes(t, T, m), lambda: no(t, T, m))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
                return self._call(node, name, args, down)
            case ast.Call(func=func):
                part = ast.get_source_segment(self.text.strip(), func) or "call"
                hint = nearest(part, FUNCTIONS).strip()
                raise self._refuse(node, f": {part!r} is not one of its functions{', ' if hint else ''}{hint}")
        raise self._refuse(node)

    def _name(self, node: ast.AST, name: str) -> Node:
        if name in self.variable:
            return lambda t, T, m: t
        if name == "T" and "t" in self.variable:
            self.uses_T = True
            return lambda t, T, m: float(T)
        if name in CONSTANTS:
            value = CONSTANTS[name]
            return lambda t, T, m: value
        known = [*self.variable, *(["T"] if "t" in self.variable else []), *CONSTANTS]
        raise self._refuse(node, f": it is none of {' '.join(known)}")

    def _binary(self, node: ast.BinOp, operator: Callable[[Any, Any], Any], depth: int) -> Node:
        left, right = self._compile(node.left, depth), self._compile(node.right, depth)
        if not any(isinstance(part, ast.Name) and part.id not in CONSTANTS for part in ast.walk(node)):
            # A constant part is computed once, here, where a failure can name it.
            value = operator(left(0.0, 1, curves.scalar), right(0.0, 1, curves.scalar))
            if not math.isfinite(value):
                raise self._refuse(node, f": its value is {value}")
            return lambda t, T, m: value
        return lambda t, T, m: operator(left(t, T, m), right(t, T, m))

    def _compare(self, node: ast.Compare, depth: int) -> Node:
        if any(type(op) not in _COMPARE for op in node.ops):
            raise self._refuse(node)
        operands = [self._compile(part, depth) for part in (node.left, *node.comparators)]
        operators = [_COMPARE[type(op)] for op in node.ops]
        if len(operators) == 1:
            operator, left, right = operators[0], operands[0], operands[1]
            return lambda t, T, m: operator(left(t, T, m), right(t, T, m)) * 1.0

        def chain(t: Any, T: Any, m: Any) -> Any:
            values = [operand(t, T, m) for operand in operands]
            return m.logical_and([op(a, b) for op, a, b in zip(operators, values, values[1:], strict=False)])

        return chain

    def _call(self, node: ast.AST, name: str, args: list[ast.expr], depth: int) -> Node:
        arity = FUNCTIONS[name]
        if (arity is None and len(args) < 2) or (arity is not None and len(args) != arity):
            raise self._refuse(node, f": {name} takes {'two or more values' if arity is None else 'one value'}")
        parts = [self._compile(arg, depth) for arg in args]
        if arity is None:
            return lambda t, T, m: getattr(m, name)([part(t, T, m) for part in parts])
        (part,) = parts
        return lambda t, T, m: getattr(m, name)(part(t, T, m))
