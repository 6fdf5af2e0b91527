"""What a rule asks of an input: a comparison, membership in a set, or m of n such tests."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.literals import in_order, python_literal, said, sql_literal, sql_name
from surrogate.parameters import plain

__all__ = ["Condition", "Literal", "MofN", "condition_from_dict", "in_words"]

BoolArray = NDArray[np.bool_]

COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
}
OPPOSITE = {"<=": ">", ">": "<=", ">=": "<", "<": ">=", "in": "not in", "not in": "in"}


@dataclass(frozen=True)
class Literal:
    """One test of one input; a missing value fails every test, as in SQL.

    Attributes
    ----------
    feature : str
    op : {"<=", ">", ">=", "<", "in", "not in"}
    value : float, or frozenset of values for the last two

    Examples
    --------
    >>> test = Literal("delay", ">", 2.5)
    >>> test.holds(pd.DataFrame({"delay": [1.0, 3.0]})), str(test.negated())
    (array([False,  True]), 'delay <= 2.5')
    """

    feature: str
    op: str
    value: Any

    def __post_init__(self) -> None:
        if self.op not in OPPOSITE:
            raise ValueError(f"op must be one of {', '.join(OPPOSITE)}, got {self.op!r}")
        if self.op in ("in", "not in"):
            object.__setattr__(self, "value", frozenset(self.value))

    def __len__(self) -> int:
        return 1

    @property
    def literals(self) -> tuple[Literal, ...]:
        """Itself."""
        return (self,)

    def negated(self) -> Literal:
        """The test that holds where this one does not, but for missing values, which fail both."""
        return replace(self, op=OPPOSITE[self.op])

    def holds(self, frame: pd.DataFrame) -> BoolArray:
        """For which rows it holds; a missing value fails every test."""
        column = frame[self.feature]
        if self.op in COMPARE:
            return np.asarray(COMPARE[self.op](column.to_numpy(dtype=float, na_value=np.nan), self.value))
        inside = column.isin(list(self.value)).to_numpy()
        return (inside if self.op == "in" else ~inside) & column.notna().to_numpy()

    def __str__(self) -> str:
        return self.words()

    def words(self, digits: int = 4) -> str:
        """Readable, numbers rounded to significant digits."""
        if self.op in COMPARE:
            return f"{self.feature} {self.op} {said(float(self.value), digits)}"
        values = in_order(self.value)
        if len(values) == 1:
            return f"{self.feature} {'=' if self.op == 'in' else '!='} {values[0]!r}"
        return f"{self.feature} {'is one' if self.op == 'in' else 'is none'} of {', '.join(map(repr, values))}"

    def to_python(self) -> str:
        """As an expression over a mapping ``row``."""
        cell = f"row[{self.feature!r}]"
        if self.op in COMPARE:
            return f"{cell} {self.op} {python_literal(self.value)}"
        values = "".join(python_literal(v) + ", " for v in in_order(self.value))
        if self.op == "in":
            return f"{cell} in ({values})"
        # Neither None nor NaN, which is no number, not even itself.
        return f"{cell} == {cell} and {cell} not in ({values}None)"

    def to_sql(self) -> str:
        """As a condition over columns."""
        column = sql_name(self.feature)
        if self.op in COMPARE:
            return f"{column} {self.op} {sql_literal(self.value)}"
        return f"{column} {self.op.upper()} ({', '.join(map(sql_literal, in_order(self.value)))})"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        value = [plain(v) for v in in_order(self.value)] if isinstance(self.value, frozenset) else plain(self.value)
        return {"feature": self.feature, "op": self.op, "value": value}


@dataclass(frozen=True)
class MofN:
    """At least `m` of several tests hold; a missing value fails its test.

    Examples
    --------
    >>> test = MofN(2, (Literal("a", ">", 1.0), Literal("b", ">", 1.0), Literal("c", ">", 1.0)))
    >>> str(test)
    'at least 2 of (a > 1; b > 1; c > 1)'
    >>> str(test.negated())
    'at least 2 of (a <= 1; b <= 1; c <= 1)'
    """

    m: int
    literals: tuple[Literal, ...]

    def __post_init__(self) -> None:
        if not 1 <= self.m <= len(self.literals):
            raise ValueError(f"m must lie between 1 and the number of tests, got {self.m} of {len(self.literals)}")

    def __len__(self) -> int:
        return len(self.literals)

    def negated(self) -> MofN:
        """Fewer than m of n hold: at least n - m + 1 fail; where values are missing, it may be that neither holds."""
        return MofN(len(self.literals) - self.m + 1, tuple(literal.negated() for literal in self.literals))

    def holds(self, frame: pd.DataFrame) -> BoolArray:
        """For which rows it holds."""
        return np.asarray(sum(literal.holds(frame).astype(np.int64) for literal in self.literals) >= self.m)

    def __str__(self) -> str:
        return self.words()

    def words(self, digits: int = 4) -> str:
        """Readable, numbers rounded to significant digits."""
        return f"at least {self.m} of ({'; '.join(literal.words(digits) for literal in self.literals)})"

    def to_python(self) -> str:
        """As an expression over a mapping ``row``."""
        # A sum begins with a whole number: NumPy's truth values, which a row of a table gives, add up to one at most.
        return f"sum([{', '.join(literal.to_python() for literal in self.literals)}]) >= {self.m}"

    def to_sql(self) -> str:
        """As a condition over columns."""
        counts = " + ".join(f"CASE WHEN {literal.to_sql()} THEN 1 ELSE 0 END" for literal in self.literals)
        return f"({counts}) >= {self.m}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"m": self.m, "of": [literal.to_dict() for literal in self.literals]}


Condition = Literal | MofN


def condition_from_dict(entry: Mapping[str, Any]) -> Condition:
    """The condition that its ``to_dict`` described."""
    if "of" in entry:
        return MofN(entry["m"], tuple(Literal(x["feature"], x["op"], _value(x["value"])) for x in entry["of"]))
    return Literal(entry["feature"], entry["op"], _value(entry["value"]))


def _value(value: Any) -> Any:
    return frozenset(value) if isinstance(value, list) else value


def in_words(conditions: Sequence[Condition], digits: int) -> list[str]:
    """Conditions in words, in order; the tightest limits of each input as one."""
    limits: dict[str, dict[str, Literal]] = {}
    for c in conditions:
        if isinstance(c, Literal) and c.op in COMPARE:
            side = "high" if c.op in ("<=", "<") else "low"
            known = limits.setdefault(c.feature, {}).get(side)
            tighter = known is None or (c.value < known.value if side == "high" else c.value > known.value)
            if tighter or (known is not None and c.value == known.value and c.op in ("<", ">")):
                limits[c.feature][side] = c
    out: list[str] = []
    told: set[str] = set()
    for c in conditions:
        if not (isinstance(c, Literal) and c.op in COMPARE):
            out.append(c.words(digits))
        elif c.feature not in told:
            told.add(c.feature)
            low, high = limits[c.feature].get("low"), limits[c.feature].get("high")
            if low is None or high is None:
                out.append((low or high or c).words(digits))
            else:
                less = "<" if low.op == ">" else "<="
                ends = (said(float(end.value), digits) for end in (low, high))
                out.append(f"{next(ends)} {less} {c.feature} {high.op} {next(ends)}")
    return out
