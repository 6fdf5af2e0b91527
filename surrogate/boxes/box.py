"""A box: limits on some inputs, open everywhere else. Plain data that lives without the finder that made it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.errors import did_you_mean

__all__ = ["Box", "Limits"]

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
                checked[name] = frozenset(limits)
            else:
                low, high = (float(end) for end in limits)
                if not low <= high:
                    raise ValueError(f"box: the limits of {name!r} must be low <= high, got low={low}, high={high}")
                if math.isfinite(low) or math.isfinite(high):
                    checked[name] = (low, high)
        object.__setattr__(self, "limits", checked)

    def __hash__(self) -> int:
        return hash(frozenset(self.limits.items()))

    @property
    def restricted(self) -> tuple[str, ...]:
        """Names of the inputs with limits."""
        return tuple(self.limits)

    def contains(self, inputs: pd.DataFrame | Mapping[str, Any]) -> NDArray[np.bool_]:
        """Which rows lie in the box; NaN in a restricted input does not.

        Parameters
        ----------
        inputs : DataFrame of shape (n, d), or mapping of columns
            Further columns do not matter.

        Returns
        -------
        bool array of shape (n,)

        Raises
        ------
        KeyError
            If a restricted input is missing.
        """
        frame = inputs if isinstance(inputs, pd.DataFrame) else pd.DataFrame(inputs)
        inside = np.ones(len(frame), dtype=bool)
        for name, limits in self.limits.items():
            if name not in frame.columns:
                raise KeyError(f"the box limits {name!r}, which is missing; {did_you_mean(name, frame.columns)}")
            if isinstance(limits, frozenset):
                inside &= frame[name].isin(list(limits)).to_numpy()
            else:
                values = frame[name].to_numpy(dtype=float)
                inside &= (values >= limits[0]) & (values <= limits[1])
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
            values = _ordered(limits)
            if len(values) == 1:
                return f"{name} = {values[0]!r}{unit}"
            return f"{name} is one of {', '.join(map(repr, values))}{unit}"
        low, high = (f"{end:.{digits}g}" for end in limits)
        if not math.isfinite(limits[0]):
            return f"{name} <= {high}{unit}"
        if not math.isfinite(limits[1]):
            return f"{name} >= {low}{unit}"
        return f"{low} <= {name} <= {high}{unit}"

    def to_python(self) -> str:
        """A Python expression over variables (or DataFrame columns) named like the inputs, exact to the last digit.

        Examples
        --------
        >>> Box({"x": (0.1, 0.5)}).to_python()
        '(0.1 <= x) & (x <= 0.5)'
        """
        parts = []
        for name, limits in self.limits.items():
            if isinstance(limits, frozenset):
                parts.append("(" + " | ".join(f"({name} == {value!r})" for value in _ordered(limits)) + ")")
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
            column = '"' + name.replace('"', '""') + '"'
            if isinstance(limits, frozenset):
                parts.append(f"{column} IN ({', '.join(map(_sql_literal, _ordered(limits)))})")
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
                limits[name] = {"values": _ordered(limit)}
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


def _ordered(values: Iterable[Any]) -> list[Any]:
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=repr)


def _sql_literal(value: Any) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
