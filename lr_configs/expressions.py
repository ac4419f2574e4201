"""What a formula may say, and how it is compiled.

A text is held against a short white list over `ast` (:class:`Checked`). What that lets through is written anew, with names
of this module alone, and compiled: for a number as fast as Python goes (:class:`Fast`), for a number where that raises
(:class:`Exact`: a division by zero is an infinity, as for an array), for an array (:class:`Array`), and the parts that
show where its value may jump (:class:`Jumps`).
"""

from __future__ import annotations

import ast
import itertools
import math
from collections.abc import Callable, Iterable
from functools import reduce
from typing import Any

from lr_configs import ops
from lr_configs.errors import SchedulerConfigError, nearest

MAX_LENGTH = 1000
MAX_DEPTH = 50

_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
_COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
#: functions by name, with how many arguments each takes (None: two or more)
FUNCTIONS: dict[str, int | None] = {
    "min": None,
    "max": None,
    **dict.fromkeys(("abs", "sqrt", "exp", "log", "log2", "log10", "cos", "sin", "tanh", "floor", "ceil"), 1),
}
CONSTANTS = {"pi": math.pi, "e": math.e}
#: what a formula of the step knows beside it: the run's length, the share of it that is over, the group's own rate
BESIDE = ("T", "p", "base")
REMEDY = (
    "Write arithmetic, comparisons and 'a if condition else b' in t (or epoch), T, p (t / T, at most 1) and base, with "
    + " ".join(FUNCTIONS)
    + " pi e"
)


_OWN = f"{REMEDY}; a function of Python has a name after lr_configs.register('name', function)"


def refused(key: str, text: str, rule: str) -> SchedulerConfigError:
    """The error for a formula that is not allowed, or that fails."""
    return SchedulerConfigError(key, text, rule, REMEDY)


# ---------------------------------------------------------------------------------------- what is allowed


class Checked:
    """Holds a text against the white list.

    Attributes:
        tree: its syntax tree.
        uses_T: whether `T` occurs in it, or `p`, which depends on it.
        uses_base: whether `base` does.
    """

    def __init__(self, text: str, key: str, variables: tuple[str, ...]) -> None:
        self.text, self.key, self.variables = text, key, variables
        self.uses_T = self.uses_base = False
        if len(text) > MAX_LENGTH:
            raise refused(key, text, f"a formula has at most {MAX_LENGTH} characters, this one {len(text)}")
        try:
            self.tree = ast.parse(text.strip(), mode="eval").body
        except SyntaxError as error:
            raise refused(key, text, f"this is not a formula ({error.msg})") from None
        except (RecursionError, MemoryError):
            raise refused(key, text, "this formula is nested too deeply") from None
        except ValueError:
            raise refused(key, text, "this is not a formula") from None
        self._check(self.tree, 0)

    def _not_allowed(self, node: ast.AST, why: str = "") -> SchedulerConfigError:
        return refused(self.key, self.text, f"{self._source(node)!r} is not allowed in a formula{why}")

    def _source(self, node: ast.AST) -> str:
        part = ast.get_source_segment(self.text.strip(), node) or type(node).__name__
        return part if len(part) <= 60 else f"{part[:57]}..."

    def _check(self, node: ast.AST, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise refused(self.key, self.text, f"a formula is nested at most {MAX_DEPTH} levels deep")
        for part in self._parts(node):
            self._check(part, depth + 1)
        if isinstance(node, ast.BinOp) and not _varies(node, (*self.variables, *BESIDE)):
            value = Exact((), None).constant(node)
            if not math.isfinite(value):
                raise self._not_allowed(node, f": its value is {value}")

    def _parts(self, node: ast.AST) -> Iterable[ast.expr]:
        """The operands of an allowed node."""
        match node:
            case ast.Constant(value=bool() | int() | float() as value):
                self._check_number(node, value)
                return ()
            case ast.Name(id=name):
                self._check_name(node, name)
                return ()
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() | ast.Not(), operand=operand):
                return (operand,)
            case ast.BinOp(op=op, left=left, right=right) if isinstance(op, _OPERATORS):
                return left, right
            case ast.Compare(left=left, ops=operators, comparators=others) if all(
                isinstance(op, _COMPARISONS) for op in operators
            ):
                return left, *others
            case ast.BoolOp(values=values):
                return values
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return test, body, orelse
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
                self._check_arguments(node, name, len(args))
                return args
            case ast.Call(func=func):
                part = self._source(func)
                hint = nearest(part, FUNCTIONS).strip()
                raise self._not_allowed(node, f": {part!r} is not one of its functions{', ' if hint else ''}{hint}")
        if isinstance(node, ast.Attribute):
            raise SchedulerConfigError(self.key, self.text, f"{self._source(node)!r} is not allowed in a formula", _OWN)
        raise self._not_allowed(node)

    def _check_number(self, node: ast.AST, value: float) -> None:
        try:
            finite = math.isfinite(float(value))
        except OverflowError:
            raise self._not_allowed(node, ": this number is too large") from None
        if not finite:
            raise self._not_allowed(node, ": this number is not finite")

    def _check_name(self, node: ast.AST, name: str) -> None:
        known = [*self.variables, *(BESIDE if "t" in self.variables else ()), *CONSTANTS]
        if name not in known:
            raise self._not_allowed(node, f": it is none of {' '.join(known)}")
        self.uses_T = self.uses_T or name in ("T", "p")
        self.uses_base = self.uses_base or name == "base"

    def _check_arguments(self, node: ast.AST, name: str, count: int) -> None:
        arity = FUNCTIONS[name]
        if count != arity if arity is not None else count < 2:
            raise self._not_allowed(node, f": {name} takes {'two or more values' if arity is None else 'one value'}")


def _varies(node: ast.AST, names: tuple[str, ...]) -> bool:
    return any(isinstance(part, ast.Name) and part.id in names for part in ast.walk(node))


# ---------------------------------------------------------------------------------------- how it is written anew


def _call(name: str, *args: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(name, ast.Load()), list(args), [])


class Style:
    """Writes a checked tree anew as Python code, with names of this module alone.

    Args:
        variables: names that stand for the step; the code knows it as `t`.
        T: the run's length.
        base: the group's own rate.
    """

    #: the names that the code has
    names: dict[str, Any]

    def __init__(self, variables: tuple[str, ...], T: int | None, base: float | None = None) -> None:
        self.steps, self.T, self.base = variables, T, base
        self.variables = (*variables, "p") if "t" in variables else variables

    def function(self, tree: ast.expr) -> Callable[..., Any]:
        """The function of the step that `tree` stands for."""
        return self._evaluated(self.whole(tree))

    def whole(self, tree: ast.expr) -> ast.expr:
        """The body of the function."""
        return self.value(tree)

    def constant(self, tree: ast.expr) -> float:
        """The value of a tree without the step."""
        return float(self._evaluated(self.written(tree))(0.0))

    def _evaluated(self, body: ast.expr) -> Callable[..., Any]:
        arguments = ast.arguments([], [ast.arg("t")], None, [], [], None, [])
        code = ast.fix_missing_locations(ast.Expression(ast.Lambda(arguments, body)))
        # Every name and operation in it was written by this class.
        function: Callable[..., Any] = eval(compile(code, "<formula>", "eval"), {"__builtins__": {}, **self.names})
        return function

    def value(self, node: ast.expr) -> ast.expr:
        """`node` as a number; what does not depend on the step is computed here, once."""
        if isinstance(node, ast.Constant):
            return ast.Constant(float(node.value))  # type: ignore[arg-type]
        if not _varies(node, self.variables):
            return ast.Constant(Exact((), self.T, self.base).constant(node))
        return self.written(node)

    def written(self, node: ast.expr) -> ast.expr:
        """`node` with its parts written anew."""
        match node:
            case ast.Constant(value=value):
                return ast.Constant(float(value))  # type: ignore[arg-type]
            case ast.Name(id=name):
                return self._name(name)
            case ast.UnaryOp(op=ast.USub() as op, operand=operand):
                return ast.UnaryOp(op, self.value(operand))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.value(operand)
            case ast.BinOp(op=op, left=left, right=right):
                return self.binary(op, self.value(left), self.value(right))
            case ast.Call(func=ast.Name(id=name), args=args):
                return self.call(name, [self.value(arg) for arg in args])
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self.choice(self.condition(test), self.value(body), self.value(orelse))
        return self.number(self.condition(node))

    def _name(self, name: str) -> ast.expr:
        if name in self.steps:
            return ast.Name("t", ast.Load())
        if name == "p":
            return _call("min", ast.BinOp(ast.Name("t", ast.Load()), ast.Div(), self._name("T")), ast.Constant(1.0))
        known = {"T": float(self.T or 1), "base": float(self.base or 0), **CONSTANTS}
        return ast.Constant(known[name])

    def condition(self, node: ast.expr) -> ast.expr:
        """`node` as something true or false."""
        match node:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self.negation(self.condition(operand))
            case ast.BoolOp(op=op, values=values):
                return self.junction(op, [self.condition(value) for value in values])
            case ast.Compare(left=left, ops=operators, comparators=others):
                return self.comparison(operators, [self.value(part) for part in (left, *others)])
        return self.value(node)

    def call(self, name: str, args: list[ast.expr]) -> ast.expr:
        """A function of the formula; those of several values are taken two by two."""
        return reduce(lambda a, b: _call(name, a, b), args) if len(args) > 1 else _call(name, args[0])

    def binary(self, op: ast.operator, left: ast.expr, right: ast.expr) -> ast.expr:
        """An arithmetic operation."""
        return ast.BinOp(left, op, right)

    def choice(self, test: ast.expr, yes: ast.expr, no: ast.expr) -> ast.expr:
        """``yes if test else no``."""
        return ast.IfExp(test, yes, no)

    def number(self, condition: ast.expr) -> ast.expr:
        """1 where the condition holds, else 0."""
        return ast.IfExp(condition, ast.Constant(1.0), ast.Constant(0.0))

    def negation(self, condition: ast.expr) -> ast.expr:
        """``not condition``."""
        return ast.UnaryOp(ast.Not(), condition)

    def junction(self, op: ast.boolop, parts: list[ast.expr]) -> ast.expr:
        """``a and b``, ``a or b``."""
        return ast.BoolOp(op, parts)

    def comparison(self, operators: list[ast.cmpop], parts: list[ast.expr]) -> ast.expr:
        """``a < b <= c``."""
        return ast.Compare(parts[0], operators, parts[1:])


_NUMBER = {"min": ops.scalar.smaller, "max": ops.scalar.larger, "abs": abs}


def _is_half(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == 0.5


class Fast(Style):
    """For a number, where nothing raises: Python's own operations and those of `math`."""

    names = {
        **{name: getattr(math, name) for name, arity in FUNCTIONS.items() if arity and name != "abs"},
        **_NUMBER,
        "floor": ops.scalar.floor,
        "ceil": ops.scalar.ceil,
        "power": math.pow,
    }

    def binary(self, op: ast.operator, left: ast.expr, right: ast.expr) -> ast.expr:
        """A power raises where Python's operator gives a complex number."""
        if not isinstance(op, ast.Pow):
            return super().binary(op, left, right)
        return _call("sqrt", left) if _is_half(right) else _call("power", left, right)


class Exact(Style):
    """For a number, by operations that never raise."""

    names = {
        **{name: getattr(ops.scalar, name) for name, arity in FUNCTIONS.items() if arity},
        **_NUMBER,
        **{name: getattr(ops.scalar, name) for name in ("power", "divide", "floor_divide", "remainder")},
    }
    _named = {ast.Div: "divide", ast.FloorDiv: "floor_divide", ast.Mod: "remainder", ast.Pow: "power"}

    def value(self, node: ast.expr) -> ast.expr:
        """Nothing is computed beforehand: this is what computes it."""
        return self.written(node)

    def binary(self, op: ast.operator, left: ast.expr, right: ast.expr) -> ast.expr:
        """What may raise goes through a function."""
        if isinstance(op, ast.Pow) and _is_half(right):
            return _call("sqrt", left)  # as numpy does
        return _call(self._named[type(op)], left, right) if type(op) in self._named else super().binary(op, left, right)


class Array(Style):
    """For an array."""

    names: dict[str, Any] = {}

    def __init__(self, variables: tuple[str, ...], T: int | None, base: float | None = None) -> None:
        super().__init__(variables, T, base)
        import numpy as np

        self.names = {
            **{name: getattr(np, name) for name, arity in FUNCTIONS.items() if arity},
            "min": np.minimum,
            "max": np.maximum,
            "where": np.where,
            "logical_not": np.logical_not,
            "logical_and": np.logical_and,
            "logical_or": np.logical_or,
        }

    def choice(self, test: ast.expr, yes: ast.expr, no: ast.expr) -> ast.expr:
        """Both are computed, and one is taken for each step."""
        return _call("where", test, yes, no)

    def number(self, condition: ast.expr) -> ast.expr:
        """1 where the condition holds, else 0."""
        return ast.BinOp(condition, ast.Mult(), ast.Constant(1.0))

    def negation(self, condition: ast.expr) -> ast.expr:
        """``not condition``."""
        return _call("logical_not", condition)

    def junction(self, op: ast.boolop, parts: list[ast.expr]) -> ast.expr:
        """``a and b``, ``a or b``."""
        name = "logical_and" if isinstance(op, ast.And) else "logical_or"
        return reduce(lambda a, b: _call(name, a, b), parts)

    def comparison(self, operators: list[ast.cmpop], parts: list[ast.expr]) -> ast.expr:
        """Each pair for itself; in a chain every value is computed once."""
        if len(operators) == 1:
            return super().comparison(operators, parts)
        names = [f"v{i}" for i in range(len(parts))]
        values: list[ast.expr] = [ast.Name(name, ast.Load()) for name in names]
        pairs: list[ast.expr] = [
            ast.Compare(a, [op], [b]) for op, a, b in zip(operators, values, values[1:], strict=False)
        ]
        arguments = ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, [])
        return ast.Call(ast.Lambda(arguments, self.junction(ast.And(), pairs)), parts, [])


class Jumps(Array):
    """For an array: the list of all parts of a formula at whose change of sign its value may jump."""

    def whole(self, tree: ast.expr) -> ast.expr:
        """A list of arrays."""
        found = [part for node in ast.walk(tree) for part in self._shown_by(node) if _varies(part, self.variables)]
        return ast.List([self.value(part) for part in found], ast.Load())

    def _shown_by(self, node: ast.AST) -> list[ast.expr]:
        match node:
            case ast.Compare(left=left, comparators=others):
                return [_minus(a, b) for a, b in itertools.pairwise((left, *others))]
            case ast.BinOp(op=ast.Div() | ast.FloorDiv() | ast.Mod(), right=right):
                return [right]
            case ast.BinOp(op=ast.Pow(), left=left):
                return [left]
            case ast.Call(func=ast.Name(id="min" | "max"), args=args):
                return [_minus(a, b) for a, b in itertools.pairwise(args)]
            case ast.Call(func=ast.Name(id="log" | "log2" | "log10" | "sqrt" | "abs"), args=args):
                return args
            case ast.IfExp(test=test):
                return [test]
            case ast.Name(id="p"):
                return [_minus(node, ast.Constant(1.0))]
        return []


def _minus(a: ast.expr, b: ast.expr) -> ast.expr:
    return ast.BinOp(a, ast.Sub(), b)
