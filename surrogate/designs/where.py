"""Conditions on inputs, such as ``"width * height <= 2"``: which part of the space a design may use."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.errors import ConditionError, did_you_mean
from surrogate.space import Categorical, Integer, Ordinal, Real, Space

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


class _Truth(NamedTuple):
    """Where a condition surely holds and where it may; they differ where a number in it cannot be computed."""

    surely: NDArray[np.bool_]
    possibly: NDArray[np.bool_]


@dataclass(frozen=True)
class Condition:
    """A condition on the rows of a design.

    The text is read by a small interpreter of its own, never by Python's: names of inputs, numbers, quoted text,
    arithmetic, comparisons, ``and``, ``or``, ``not`` and a few functions are all there is. Levels of an ordinal input
    are compared in its order; categories that are text are equal or not.

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
        """Which rows meet the condition; those where it cannot be computed do not.

        Where one part decides alone, as in ``"x <= 0 or log(x) < 1"``, the other need not be computable.
        """
        with np.errstate(all="ignore"):
            return self._truth(_parsed(self.text), design).surely.copy()

    def _value(self, node: ast.expr, design: pd.DataFrame) -> Any:
        if (name := _input(node)) is not None:
            return self._column(name, design)
        match node:
            case ast.Constant(value=bool() | str() as value):
                return value
            case ast.Constant(value=int() | float() as value):
                return float(value)  # whole numbers would grow without end in powers
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return -self._number(inner, design)
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                truth = self._truth(inner, design)
                return _Truth(~truth.possibly, ~truth.surely)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return _ARITHMETIC[type(op)](self._number(left, design), self._number(right, design))
            case ast.BoolOp(op=op, values=parts):
                joined = np.logical_and if isinstance(op, ast.And) else np.logical_or
                return _joined(joined, [self._truth(part, design) for part in parts])
            case ast.Compare(left=first, ops=ops, comparators=rest) if all(type(op) in _COMPARISONS for op in ops):
                pairs = zip(ops, (first, *rest), rest)
                return _joined(np.logical_and, [self._compared(op, a, b, design) for op, a, b in pairs])
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
        value = np.asarray(_plain(self._value(node, design)))
        try:
            return value.astype(float)
        except ValueError:
            raise ConditionError(f"where: {ast.unparse(node)!r} in {self.text!r} is not a number") from None

    def _truth(self, node: ast.expr, design: pd.DataFrame) -> _Truth:
        value = self._value(node, design)
        if isinstance(value, _Truth):
            return value
        value = np.asarray(value)
        if value.dtype != bool and not (value.dtype == object and all(isinstance(v, bool) for v in value.ravel())):
            raise ConditionError(
                f"where: {ast.unparse(node)!r} in {self.text!r} is not a condition; write e.g. 'x + y <= 1'"
            )
        holds = np.broadcast_to(value.astype(bool), len(design))
        return _Truth(holds, holds)

    def _compared(self, op: ast.cmpop, left: ast.expr, right: ast.expr, design: pd.DataFrame) -> _Truth:
        self._check_categories(op, left, right)
        self._check_categories(op, right, left)
        sides = [_plain(self._value(side, design)) for side in (left, right)]
        ordered = next((levels for levels in map(self._levels, (left, right)) if levels is not None), None)
        if ordered is not None:
            sides = [self._positions(ordered, side) for side in sides]
        try:
            holds = np.broadcast_to(_COMPARISONS[type(op)](*sides), len(design)).astype(bool)
        except TypeError:
            raise ConditionError(f"where: {self.text!r} compares text with numbers") from None
        known = np.logical_not(pd.isna(sides[0]) | pd.isna(sides[1]))
        return _Truth(holds & known, holds | ~known)

    def _check_categories(self, op: ast.cmpop, node: ast.expr, other: ast.expr) -> None:
        """Refuse an order of categories that are text, and equality with what is none of them."""
        name = _input(node)
        parameter = self.space.get(name or "")
        if not isinstance(parameter, Categorical) or not any(isinstance(value, str) for value in parameter.values):
            return
        if not isinstance(op, (ast.Eq, ast.NotEq)):
            raise ConditionError(
                f"where: {name!r} in {self.text!r} is categorical and has no order; compare with == or !=, or make it "
                "an Ordinal"
            )
        if isinstance(other, ast.Constant) and other.value not in parameter.values:
            raise ConditionError(
                f"where: {other.value!r} in {self.text!r} is no value of {name!r}; "
                f"{did_you_mean(str(other.value), map(str, parameter.values))}"
            )

    def _levels(self, node: ast.expr) -> Ordinal | None:
        """The ordinal input that is meant, if its order is not simply that of rising numbers."""
        parameter = self.space.get(_input(node) or "")
        if not isinstance(parameter, Ordinal):
            return None
        values = parameter.values
        rising = all(isinstance(value, (int, float)) for value in values) and list(values) == sorted(values)
        return None if rising else parameter

    def _positions(self, levels: Ordinal, values: Any) -> NDArray[np.int64]:
        try:
            return levels.codes(values)
        except KeyError as error:
            raise ConditionError(
                f"where: {error.args[0]!r} in {self.text!r} is none of the levels {list(levels.values)}"
            ) from None


def _input(node: ast.expr) -> str | None:
    """The name of the input that a node is, if it is one."""
    match node:
        case ast.Name(id=name):
            return name
        # Backquotes stand for names that are no identifiers; they reach here as a call of a marker.
        case ast.Call(func=ast.Name(id="__named__"), args=[ast.Constant(value=str() as name)]):
            return name
    return None


def _joined(how: np.ufunc, truths: Sequence[_Truth]) -> _Truth:
    return _Truth(*(how.reduce(side) for side in zip(*truths)))


def _plain(value: Any) -> Any:
    """The truth of a condition as 1, 0 or not a number; all else as it is."""
    return np.where(value.surely == value.possibly, value.surely, np.nan) if isinstance(value, _Truth) else value


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
