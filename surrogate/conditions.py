"""Conditions on named columns, such as ``"growth_rate < 0"``: what is of interest, what a constraint demands."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from surrogate.errors import ConditionError, did_you_mean

__all__ = ["Condition", "of_interest"]

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_COMPARISON = re.compile(r"^\s*(?P<operator><=|>=|==|!=|<|>)\s*(?P<value>\S.*?)\s*$")
_NAMED = re.compile(r"^\s*(?P<name>.+?)\s*(?P<rest>(?:<=|>=|==|!=|<|>).*)$")


@dataclass(frozen=True)
class Condition:
    """A comparison of one named column with a number.

    Parameters
    ----------
    name : str
        The column, e.g. an output of a simulator.
    operator : {"<", "<=", ">", ">=", "==", "!="}
    value : float

    Examples
    --------
    >>> condition = Condition.parse("lift >= 0.5")
    >>> condition
    Condition(name='lift', operator='>=', value=0.5)
    >>> str(condition)
    'lift >= 0.5'
    """

    name: str
    operator: str
    value: float

    def __post_init__(self) -> None:
        if self.operator not in _OPERATORS:
            raise ConditionError(f"operator must be one of {', '.join(_OPERATORS)}, got {self.operator!r}")
        if not np.isfinite(self.value):
            raise ConditionError(f"condition on {self.name!r}: the number must be finite, got {self.value}")

    @classmethod
    def parse(cls, text: str, name: str | None = None) -> Condition:
        """Read ``"lift >= 0.5"``, or ``">= 0.5"`` where `name` is given.

        Raises
        ------
        ConditionError
            If the text is no comparison with a number.
        """
        rest = text
        if name is None:
            found = _NAMED.match(text)
            if not found:
                raise ConditionError(f"{text!r} is not a condition; write e.g. 'lift >= 0.5'")
            name, rest = found["name"], found["rest"]
            if name[-1] in "=!<>":
                raise ConditionError(f"{text!r} has no operator that is known; known: {', '.join(_OPERATORS)}")
        compared = _COMPARISON.match(rest)
        if not compared:
            raise ConditionError(f"condition on {name!r}: {text!r} is not a comparison; write e.g. '>= 0.5'")
        try:
            value = float(compared["value"])
        except ValueError:
            raise ConditionError(
                f"condition on {name!r}: {compared['value']!r} is not a number; write e.g. '>= 0.5'"
            ) from None
        return cls(name, compared["operator"], value)

    def holds(self, values: Any) -> NDArray[np.bool_]:
        """Whether each value meets the condition; NaN does not."""
        try:
            array = np.asarray(values, dtype=float)
        except (TypeError, ValueError) as error:
            raise ConditionError(f"condition on {self.name!r}: its values must be numbers ({error})") from None
        return np.asarray(_OPERATORS[self.operator](array, self.value) & ~np.isnan(array))

    def between(self, values: ArrayLike) -> Condition:
        """The same for these values if they are learnt as those of a continuous output.

        Where two or more of them lie just on the number, as counts and outputs cut off at a bound do, each would count
        half as beyond it: the number moves half-way to the nearest value of the other kind.

        Parameters
        ----------
        values : array of shape (n,)
            In the column's units; NaN is of neither kind.

        Returns
        -------
        Condition
            Which holds for the same of these values. This one if fewer lie on its number, all values are of one kind,
            or it is an equality.

        Examples
        --------
        >>> str(Condition("count", ">", 4.0).between([3, 4, 4, 5]))
        'count > 4.5'
        """
        array = np.asarray(values, dtype=float)
        array = array[~np.isnan(array)]
        holds = self.holds(array)
        # The threshold of a function is known to the last bit but one.
        on_it = np.abs(array - self.value) <= 2 * np.spacing(abs(self.value))
        if self.operator not in ("<", "<=", ">", ">=") or np.count_nonzero(on_it) < 2:
            return self
        lower = holds if self.operator in ("<", "<=") else ~holds
        if lower.all() or not lower.any():
            return self
        below, above = float(array[lower].max()), float(array[~lower].min())
        return replace(self, value=below + 0.5 * (above - below))

    def __str__(self) -> str:
        # As short as it can be read back.
        short = f"{self.value:g}"
        return f"{self.name} {self.operator} {short if float(short) == self.value else repr(float(self.value))}"


def parse_conditions(
    conditions: str | Condition | Mapping[str, str] | Iterable[str | Condition],
) -> tuple[Condition, ...]:
    """Conditions that must all hold, from any of the ways to write them.

    Examples
    --------
    >>> [str(c) for c in parse_conditions({"growth_rate": "< 0"})]
    ['growth_rate < 0']
    >>> [str(c) for c in parse_conditions(["lift >= 0.5", "drag < 0.02"])]
    ['lift >= 0.5', 'drag < 0.02']
    """
    if isinstance(conditions, (str, Condition)):
        conditions = [conditions]
    if isinstance(conditions, Mapping):
        parsed = [
            replace(text, name=name) if isinstance(text, Condition) else Condition.parse(str(text), name)
            for name, text in conditions.items()
        ]
    elif isinstance(conditions, Iterable):
        parsed = [c if isinstance(c, Condition) else Condition.parse(str(c)) for c in conditions]
    else:
        raise ConditionError(f"conditions are written as 'lift >= 0.5' or {{'lift': '>= 0.5'}}, got {conditions!r}")
    if not parsed:
        raise ConditionError("at least one condition is needed, got none")
    return tuple(parsed)


def of_interest(
    values: pd.DataFrame, conditions: str | Condition | Mapping[str, str] | Sequence[str | Condition]
) -> NDArray[np.bool_]:
    """Which rows meet every condition.

    Parameters
    ----------
    values : DataFrame of shape (n, k)
        One column an output.
    conditions : str, mapping of column to comparison, or sequence of conditions

    Returns
    -------
    bool array of shape (n,)

    Raises
    ------
    ConditionError
        If a condition cannot be read, names no column, or if no row or every row meets them: such a condition tells no
        run from another.

    Examples
    --------
    >>> of_interest(pd.DataFrame({"y": [1.0, -2.0]}), {"y": "< 0"})
    array([False,  True])
    """
    parsed = parse_conditions(conditions)
    unknown = [c.name for c in parsed if c.name not in values.columns]
    if unknown:
        raise ConditionError(f"no column {unknown[0]!r}; {did_you_mean(unknown[0], values.columns)}")
    if not len(values):
        raise ConditionError("there are no finished runs to judge")
    met = np.logical_and.reduce([c.holds(values[c.name]) for c in parsed])
    share = met.mean()
    if share in (0, 1):
        text = " and ".join(map(str, parsed))
        ranges = "; ".join(
            f"{name} lies in [{values[name].min():g}, {values[name].max():g}]"
            for name in dict.fromkeys(c.name for c in parsed)
        )
        which = "every run meets" if share == 1 else "no run meets"
        raise ConditionError(f"{which} {text}, so there is nothing to tell apart; {ranges} over {len(values)} runs")
    return np.asarray(met)
