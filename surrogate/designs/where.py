"""Conditions on inputs, such as ``"width * height <= 2"``: which part of the space a design may use."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.errors import ConditionError, did_you_mean
from surrogate.space import Integer, Real, Space

__all__ = ["Condition", "Where", "check_where"]

Where = str | Sequence[str] | None

_ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.Mod: operator.mod,
}
_COMPARISONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "log": np.log,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "min": np.minimum,
    "max": np.maximum,
}


@dataclass(frozen=True)
class Condition:
    """A condition on the rows of a design.

    The text is read by a small interpreter of its own, never by Python's: names of inputs, numbers, quoted text,
    arithmetic, comparisons, ``and``, ``or``, ``not`` and a few functions are all there is.

    Parameters
    ----------
    text : str
    space : Space
        Whose inputs it speaks of.

    Examples
    --------
    >>> space = Space(x=Real(0, 1), y=Real(0, 1))
    >>> condition = Condition("x + y <= 1 and x > 0.2", space)
    >>> condition(pd.DataFrame({"x": [0.5, 0.1, 0.9], "y": [0.5, 0.1, 0.9]}))
    array([ True, False, False])
    """

    text: str
    space: Space

    def __post_init__(self) -> None:
        self(self.space.from_unit(np.full((1, self.space.d), 0.5)))

    def __call__(self, design: pd.DataFrame) -> NDArray[np.bool_]:
        """Which rows meet the condition; those where it cannot be computed do not."""
        with np.errstate(all="ignore"):
            value = self._value(_parsed(self.text), design)
        if np.asarray(value).dtype != bool:
            raise ConditionError(f"where: {self.text!r} is not a condition; write e.g. 'x + y <= 1'")
        return np.broadcast_to(np.asarray(value, dtype=bool), len(design)).copy()

    def _value(self, node: ast.expr, design: pd.DataFrame) -> Any:
        match node:
            case ast.Name(id=name):
                return self._column(name, design)
            # Backquotes stand for names that are no identifiers; they reach here as a call of a marker.
            case ast.Call(func=ast.Name(id="__named__"), args=[ast.Constant(value=str() as name)]):
                return self._column(name, design)
            case ast.Constant(value=bool() | str() as value):
                return value
            case ast.Constant(value=int() | float() as value):
                return float(value)  # whole numbers would grow without end in powers
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return -self._value(inner, design)
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                return np.logical_not(self._flag(inner, design))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return _ARITHMETIC[type(op)](self._number(left, design), self._number(right, design))
            case ast.BoolOp(op=op, values=parts):
                joined = np.logical_and if isinstance(op, ast.And) else np.logical_or
                return joined.reduce([np.broadcast_to(self._flag(part, design), len(design)) for part in parts])
            case ast.Compare(left=first, ops=ops, comparators=rest) if all(type(op) in _COMPARISONS for op in ops):
                values = [self._value(part, design) for part in (first, *rest)]
                pairs = zip(ops, values, values[1:])
                try:
                    return np.logical_and.reduce(
                        [np.broadcast_to(_COMPARISONS[type(op)](a, b), len(design)) for op, a, b in pairs]
                    )
                except TypeError:
                    raise ConditionError(f"where: {self.text!r} compares text with numbers") from None
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
                try:
                    return _FUNCTIONS[name](*(self._number(arg, design) for arg in args))
                except (TypeError, ValueError) as error:
                    raise ConditionError(f"where: {self.text!r}: {name} {error}") from None
        raise ConditionError(
            f"where: {ast.unparse(node)!r} in {self.text!r} is not understood; allowed are inputs, numbers, text, "
            f"arithmetic, comparisons, and, or, not, {', '.join(_FUNCTIONS)}"
        )

    def _column(self, name: str, design: pd.DataFrame) -> Any:
        if name not in self.space:
            raise ConditionError(f"where: no input {name!r}; {did_you_mean(name, self.space)}")
        values = design[name].to_numpy()
        return values.astype(float) if isinstance(self.space[name], (Real, Integer)) else values

    def _number(self, node: ast.expr, design: pd.DataFrame) -> Any:
        value = np.asarray(self._value(node, design))
        try:
            return value.astype(float)
        except ValueError:
            raise ConditionError(f"where: {ast.unparse(node)!r} in {self.text!r} is not a number") from None

    def _flag(self, node: ast.expr, design: pd.DataFrame) -> Any:
        value = np.asarray(self._value(node, design))
        if value.dtype != bool and not (value.dtype == object and all(isinstance(v, bool) for v in value.ravel())):
            raise ConditionError(f"where: {ast.unparse(node)!r} in {self.text!r} is not a condition")
        return value.astype(bool)


def _parsed(text: str) -> ast.expr:
    pieces = text.split("`")
    if len(pieces) % 2 == 0:
        raise ConditionError(f"where: {text!r} has a backquote without its partner")
    source = "".join(f"__named__({piece!r})" if odd % 2 else piece for odd, piece in enumerate(pieces))
    try:
        return ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ConditionError(f"where: {text!r} cannot be read ({reason})") from None


def check_where(where: Where, space: Space) -> Condition | None:
    """The condition of one text or of several that must all hold; None for no condition.

    Raises
    ------
    ConditionError
        If a text is no condition on the space's inputs.
    """
    if where is None:
        return None
    texts = [where] if isinstance(where, str) else list(where)
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise TypeError(f"where must be a condition as text, or a list of them, got {where!r}")
    for text in texts:
        Condition(text, space)
    return Condition(texts[0] if len(texts) == 1 else " and ".join(f"({text})" for text in texts), space)
