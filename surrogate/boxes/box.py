"""A box: limits on some inputs, open everywhere else. Plain data that lives without the finder that made it."""

from __future__ import annotations

import html
import keyword
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.errors import did_you_mean
from surrogate.literals import in_order, sql_literal, sql_name
from surrogate.parameters import plain

__all__ = ["Box", "BoxUnion", "Limits"]

# An interval, open (infinite) on an unrestricted side; or the allowed values of a categorical or ordinal input.
Limits = tuple[float, float] | frozenset[Any]


@dataclass(frozen=True)
class Box:
    """Limits on inputs; what satisfies all of them lies inside.

    Parameters
    ----------
    limits : mapping of str to (low, high) or to a set of values
        Only restricted inputs. Interval ends belong to the box; ``-inf`` or ``inf`` leave a side open. A set holds the
        allowed values of a categorical or ordinal input.
    units : mapping of str to str, optional
        For the rule's text.

    Raises
    ------
    ValueError
        If an interval is empty or a set holds nothing.

    Examples
    --------
    >>> box = Box({"delay": (2.5, float("inf")), "kind": {"flap"}}, units={"delay": "s"})
    >>> box.rule()
    "delay >= 2.5 s and kind = 'flap'"
    >>> box.contains(pd.DataFrame({"delay": [1.0, 3.0], "kind": ["flap", "flap"]}))
    array([False,  True])
    """

    limits: Mapping[str, Limits]
    units: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        checked: dict[str, Limits] = {}
        for name, limits in self.limits.items():
            if isinstance(limits, (set, frozenset)):
                if not limits:
                    raise ValueError(f"box: no value of {name!r} is allowed")
                checked[name] = frozenset(map(plain, limits))
            else:
                low, high = (float(end) for end in limits)
                if not low <= high:
                    raise ValueError(f"box: the limits of {name!r} must be low <= high, got low={low}, high={high}")
                if low == math.inf or high == -math.inf:
                    raise ValueError(f"box: no number lies within the limits of {name!r}, got low={low}, high={high}")
                if math.isfinite(low) or math.isfinite(high):
                    checked[name] = (low, high)
        object.__setattr__(self, "limits", checked)

    def __hash__(self) -> int:
        return hash(frozenset(self.limits.items()))

    @property
    def restricted(self) -> tuple[str, ...]:
        """Names of the inputs with limits."""
        return tuple(self.limits)

    def contains(self, inputs: pd.DataFrame | Mapping[str, Any] | NDArray[Any]) -> NDArray[np.bool_]:
        """Which rows lie in the box; NaN in a restricted input does not.

        Parameters
        ----------
        inputs : DataFrame of shape (n, d), mapping of columns, or array of shape (n, d)
            Further columns do not matter. An array's columns are x0, x1, ..., as where a finder was fitted to one
            without a space.

        Returns
        -------
        bool array of shape (n,)

        Raises
        ------
        KeyError
            If a restricted input is missing.
        """
        columns = _columns(inputs)
        inside = np.ones(_length(inputs), dtype=bool)
        for name, limits in self.limits.items():
            if name not in columns:
                raise KeyError(f"the box limits {name!r}, which is missing; {did_you_mean(name, columns)}")
            values = columns[name]
            if isinstance(limits, frozenset):
                inside &= pd.Series(values).isin(list(limits)).to_numpy()
                continue
            values = _numbers(values)
            if math.isfinite(limits[0]):
                inside &= values >= limits[0]
            if math.isfinite(limits[1]):
                inside &= values <= limits[1]
        return inside

    def rule(self, digits: int = 4) -> str:
        """The box as one readable sentence, numbers rounded to `digits` significant digits."""
        parts = [self._words(name, limits, digits) for name, limits in self.limits.items()]
        return " and ".join(parts) if parts else "no limits: every run"

    def conditions(self, digits: int = 4) -> dict[str, str]:
        """The words of each restricted input."""
        return {name: self._words(name, limits, digits) for name, limits in self.limits.items()}

    def _words(self, name: str, limits: Limits, digits: int) -> str:
        unit = f" {self.units[name]}" if self.units.get(name) else ""
        if isinstance(limits, frozenset):
            values = in_order(limits)
            if len(values) == 1:
                return f"{name} = {values[0]!r}{unit}"
            return f"{name} is one of {', '.join(map(repr, values))}{unit}"
        low, high = (f"{end:.{digits}g}" for end in limits)
        if not math.isfinite(limits[0]):
            return f"{name} <= {high}{unit}"
        if not math.isfinite(limits[1]):
            return f"{name} >= {low}{unit}"
        return f"{low} <= {name} <= {high}{unit}"

    def _repr_html_(self) -> str:
        if not self.limits:
            return "<p>no limits: every run</p>"
        cells = ((html.escape(name), html.escape(words)) for name, words in self.conditions().items())
        rows = "".join(f"<tr><th>{name}</th><td>{words}</td></tr>" for name, words in cells)
        return f"<table><thead><tr><th>input</th><td>inside</td></tr></thead><tbody>{rows}</tbody></table>"

    def to_python(self) -> str:
        """A Python expression over variables (or DataFrame columns) named like the inputs, exact to the last digit.

        Raises
        ------
        ValueError
            If the name of a restricted input cannot be a variable's.

        Examples
        --------
        >>> Box({"x": (0.1, 0.5)}).to_python()
        '(0.1 <= x) & (x <= 0.5)'
        """
        parts = []
        for name, limits in self.limits.items():
            if not name.isidentifier() or keyword.iskeyword(name):
                raise ValueError(f"{name!r} cannot be a variable's name in Python; rename the input, or use to_sql()")
            if isinstance(limits, frozenset):
                parts.append("(" + " | ".join(f"({name} == {value!r})" for value in in_order(limits)) + ")")
            else:
                parts += [f"({limits[0]!r} <= {name})"] if math.isfinite(limits[0]) else []
                parts += [f"({name} <= {limits[1]!r})"] if math.isfinite(limits[1]) else []
        return " & ".join(parts) or "True"

    def to_sql(self) -> str:
        r"""The condition of an SQL ``WHERE`` over columns named like the inputs, exact to the last digit.

        Examples
        --------
        >>> Box({"x": (0.1, 0.5), "kind": {"flap"}}).to_sql()
        '"x" >= 0.1 AND "x" <= 0.5 AND "kind" IN (\'flap\')'
        """
        parts = []
        for name, limits in self.limits.items():
            column = sql_name(name)
            if isinstance(limits, frozenset):
                parts.append(f"{column} IN ({', '.join(map(sql_literal, in_order(limits)))})")
            else:
                parts += [f"{column} >= {limits[0]!r}"] if math.isfinite(limits[0]) else []
                parts += [f"{column} <= {limits[1]!r}"] if math.isfinite(limits[1]) else []
        return " AND ".join(parts) or "1 = 1"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description; an open side is None.

        Examples
        --------
        >>> Box({"x": (0.1, float("inf"))}).to_dict()
        {'limits': {'x': {'low': 0.1, 'high': None}}, 'units': {}}
        """
        limits: dict[str, Any] = {}
        for name, limit in self.limits.items():
            if isinstance(limit, frozenset):
                limits[name] = {"values": in_order(limit)}
            else:
                low, high = (end if math.isfinite(end) else None for end in limit)
                limits[name] = {"low": low, "high": high}
        return {"limits": limits, "units": dict(self.units)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Box:
        """The box that :meth:`to_dict` described."""
        limits: dict[str, Limits] = {}
        for name, entry in data["limits"].items():
            if "values" in entry:
                limits[name] = frozenset(entry["values"])
            else:
                low, high = entry["low"], entry["high"]
                limits[name] = (-math.inf if low is None else low, math.inf if high is None else high)
        return cls(limits, units=data.get("units", {}))


@dataclass(frozen=True)
class BoxUnion:
    """Several boxes; what lies in any of them lies inside.

    Parameters
    ----------
    boxes : sequence of Box
        At least one.

    Examples
    --------
    >>> union = BoxUnion((Box({"x": (0.0, 1.0)}), Box({"y": (2.0, float("inf"))})))
    >>> union.rule()
    '(0 <= x <= 1) or (y >= 2)'
    >>> union.contains({"x": [0.5, 3.0, 3.0], "y": [0.0, 0.0, 4.0]})
    array([ True, False,  True])
    """

    boxes: tuple[Box, ...]

    def __post_init__(self) -> None:
        if not self.boxes:
            raise ValueError("a union needs at least one box")
        object.__setattr__(self, "boxes", tuple(self.boxes))

    def __len__(self) -> int:
        return len(self.boxes)

    def __iter__(self) -> Iterator[Box]:
        return iter(self.boxes)

    def __getitem__(self, i: int) -> Box:
        return self.boxes[i]

    @property
    def restricted(self) -> tuple[str, ...]:
        """Names of the inputs with limits in any box."""
        return tuple(dict.fromkeys(name for box in self.boxes for name in box.restricted))

    def contains(self, inputs: pd.DataFrame | Mapping[str, Any] | NDArray[Any]) -> NDArray[np.bool_]:
        """Which rows lie in a box; see :meth:`Box.contains`."""
        inside = self.boxes[0].contains(inputs)
        for box in self.boxes[1:]:
            inside |= box.contains(inputs)
        return inside

    def rule(self, digits: int = 4) -> str:
        """The boxes as one readable sentence."""
        return _joined((box.rule(digits) for box in self.boxes), " or ")

    def to_python(self) -> str:
        """A Python expression, as :meth:`Box.to_python`."""
        return _joined((box.to_python() for box in self.boxes), " | ")

    def to_sql(self) -> str:
        """The condition of an SQL ``WHERE``, as :meth:`Box.to_sql`."""
        return _joined((box.to_sql() for box in self.boxes), " OR ")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description."""
        return {"boxes": [box.to_dict() for box in self.boxes]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> BoxUnion:
        """The union that :meth:`to_dict` described."""
        return cls(tuple(Box.from_dict(entry) for entry in data["boxes"]))

    def _repr_html_(self) -> str:
        parts = (f"<p>Box {i}</p>{box._repr_html_()}" for i, box in enumerate(self.boxes, 1))
        return f"<div>{''.join(parts)}</div>"


def _joined(parts: Iterable[str], word: str) -> str:
    found = list(parts)
    return found[0] if len(found) == 1 else word.join(f"({part})" for part in found)


def _columns(inputs: pd.DataFrame | Mapping[str, Any] | NDArray[Any]) -> Mapping[str, Any]:
    if isinstance(inputs, np.ndarray):
        if inputs.ndim != 2:
            raise ValueError(f"inputs must have shape (n, d), got {inputs.shape}")
        return {f"x{j}": inputs[:, j] for j in range(inputs.shape[1])}
    if not all(isinstance(name, str) for name in inputs):
        return {str(name): column for name, column in inputs.items()}  # finders name inputs by text
    return inputs  # type: ignore[return-value]  # a DataFrame is a mapping of columns in all that is asked of it


def _numbers(values: Any) -> NDArray[np.float64]:
    """One input's values as floats, whatever stands for a missing one."""
    if getattr(values, "dtype", None) in (np.float64, np.int64):
        return np.asarray(values, dtype=float)
    return pd.Series(values).to_numpy(dtype=float, na_value=np.nan)


def _length(inputs: pd.DataFrame | Mapping[str, Any] | NDArray[Any]) -> int:
    if isinstance(inputs, Mapping):
        return len(next(iter(inputs.values()), ()))
    return len(inputs)
