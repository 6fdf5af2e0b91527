"""Inputs of any type as one matrix of numbers that orders or numbers their values, and the way back to limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.boxes.box import Limits
from surrogate.parameters import plain
from surrogate.space import Categorical, Integer, Ordinal, Parameter, Real, Space

__all__ = ["LEAVE_OUT", "Column", "InputTable", "Interval", "Missing", "between"]

FloatArray = NDArray[np.float64]
Missing = Literal["raise", "outside"]
# Of one input: an interval of its numbers, or the positions of its allowed categories.
Interval = tuple[float, float] | frozenset[int]

# What can be done about missing values wherever they are an error.
LEAVE_OUT = "leave out or fill rows with missing values"


@dataclass(frozen=True)
class Column:
    """One input: its name, what its numbers mean, and its unit.

    Attributes
    ----------
    kind : {"real", "integer", "ordinal", "categorical"}
        Numbers of reals and integers are the values themselves, of the others positions in `values`.
    """

    name: str
    kind: str
    values: tuple[Any, ...] = ()
    unit: str = ""

    def limits(self, low: float, high: float) -> Limits | None:
        """Limits in the input's own terms of an interval of numbers; None if it is open on both sides."""
        if math.isinf(low) and math.isinf(high):
            return None
        if self.kind == "ordinal":
            return frozenset(value for code, value in enumerate(self.values) if low <= code <= high)
        if self.kind == "integer":
            # Between two whole numbers any limit means the same: say the one that is allowed.
            return (float(np.ceil(low)), float(np.floor(high)))
        return (low, high)


@dataclass(frozen=True, eq=False)
class InputTable:
    """Inputs as a matrix of numbers.

    Attributes
    ----------
    columns : tuple of Column
    values : float array of shape (n, d)
        NaN where a value is missing. The given data themselves where they are numbers, not a copy.
    has_missing : bool
    """

    columns: tuple[Column, ...]
    values: FloatArray
    has_missing: bool

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.values)

    @property
    def d(self) -> int:
        """Number of inputs."""
        return len(self.columns)

    @classmethod
    def of(cls, X: Any, space: Space | None = None, *, missing: Missing = "raise", cure: str = LEAVE_OUT) -> InputTable:
        """From a DataFrame or array; types come from `space`, else from the columns' dtypes.

        `cure` is what an error tells to do about a missing value.

        Raises
        ------
        ValueError
            If there are no rows or columns, a value is infinite, or one is missing and `missing` is "raise".
        """
        if missing not in ("raise", "outside"):
            raise ValueError(f"missing must be 'raise' or 'outside', got {missing!r}")
        if space is None and not isinstance(X, pd.DataFrame):
            X = np.asarray(X)
            if X.ndim != 2:
                raise ValueError(f"X must have shape (n, d), got {X.shape}")
            if X.dtype.kind not in "biuf":
                X = pd.DataFrame(X, columns=_numbered(X.shape[1]))
        if isinstance(X, np.ndarray) and space is None:
            kind = {"b": "categorical", "f": "real"}.get(X.dtype.kind, "integer")
            named = (False, True) if kind == "categorical" else ()
            columns = [Column(name, kind, named) for name in _numbered(X.shape[1])]
            values = np.asarray(X, dtype=float)
        else:
            if space is not None:
                frame = _checked(X, space, missing)
            else:
                frame = _inferred(X)
            if all(dtype == np.float64 for dtype in frame.dtypes) and space is None:
                columns = [Column(str(name), "real") for name in frame.columns]
                values = frame.to_numpy()
            else:
                coded = [_coded(str(name), frame[name], None if space is None else space[str(name)]) for name in frame]
                columns = [column for column, _ in coded]
                values = np.empty((len(frame), len(coded)), order="F")
                for j, (_, numbers) in enumerate(coded):
                    values[:, j] = numbers
        if not values.size:
            raise ValueError(f"X has no {'columns' if len(values) else 'rows'}")
        # A sum costs a third of looking at every value, and is finite only if all of them are.
        with np.errstate(over="ignore", invalid="ignore"):
            clean = bool(np.isfinite(values.sum()))
        has_missing = False
        if not clean:
            bad = np.isinf(values) if missing == "outside" else ~np.isfinite(values)
            if bad.any():
                row, j = np.argwhere(bad)[0]
                # Without a space, or its own error had come first: the columns are those of the table.
                label, shown = (X.index[row], X.iloc[row, j]) if isinstance(X, pd.DataFrame) else (row, values[row, j])
                if np.isinf(values[row, j]):
                    cure = "only finite numbers have a place"
                raise ValueError(f"X: row {label!r}, {columns[j].name!r} is {shown}; {cure}")
            has_missing = bool(np.isnan(values).any())
        return cls(tuple(columns), values, has_missing)

    @property
    def units(self) -> dict[str, str]:
        """Units by input, where known."""
        return {column.name: column.unit for column in self.columns if column.unit}

    def inside(self, limits: Mapping[str, Limits]) -> NDArray[np.bool_]:
        """Which rows satisfy limits on some inputs."""
        inside = np.ones(self.n, dtype=bool)
        for j, column in enumerate(self.columns):
            limit = limits.get(column.name)
            if isinstance(limit, frozenset):
                inside &= np.isin(self.values[:, j], [code for code, v in enumerate(column.values) if v in limit])
            elif limit is not None:
                inside &= (self.values[:, j] >= limit[0]) & (self.values[:, j] <= limit[1])
        return inside

    def limits(self, j: int, low: float, high: float, allowed: frozenset[int] | None) -> Limits | None:
        """Limits of one input, from an interval of its numbers or the allowed positions of categories."""
        column = self.columns[j]
        if allowed is None:
            return column.limits(low, high)
        if len(allowed) == len(column.values):
            return None
        return frozenset(column.values[code] for code in allowed)

    def named(self, limits: Mapping[int, Interval]) -> dict[str, Limits]:
        """Limits by position of the input as limits by its name, without those that are open on both sides."""
        named: dict[str, Limits] = {}
        for j in sorted(limits):
            known = limits[j]
            low, high, allowed = (0.0, 0.0, known) if isinstance(known, frozenset) else (*known, None)
            found = self.limits(j, low, high, allowed)
            if found is not None:
                named[self.columns[j].name] = found
        return named


def _numbered(d: int) -> list[str]:
    return [f"x{j}" for j in range(d)]


def _inferred(X: pd.DataFrame) -> pd.DataFrame:
    """The table, in which numbers kept as objects are numbers all the same, whatever stands for a missing one."""
    names = list(map(str, X.columns))
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"X: {names.count(twice[0])} columns are called {twice[0]!r}; give each input its own name")
    if not any(map(pd.api.types.is_object_dtype, X.dtypes)):
        return X
    X = X.copy(deep=False)
    for name, dtype in X.dtypes.items():
        if pd.api.types.is_object_dtype(dtype):
            X[name] = X[name].where(X[name].notna(), None).infer_objects()
    return X


def _checked(X: Any, space: Space, missing: Missing) -> pd.DataFrame:
    """The space's columns; where missing values are allowed, only what is there is checked."""
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] == space.d:
        X = pd.DataFrame(X, columns=space.names).infer_objects()
    if missing == "raise" or not isinstance(X, pd.DataFrame) or not X.isna().any(axis=None):
        return space.validate(X)
    absent = X.isna()
    filled = X.copy()
    for name in X.columns:
        if name in space and absent[name].any():
            some = space[name].from_unit([0.5])[0]
            filled[name] = X[name].astype(object).where(~absent[name], some).infer_objects()
    frame = space.validate(filled)
    return frame.astype(object).mask(absent[list(frame.columns)])


def _coded(name: str, series: pd.Series, parameter: Parameter | None) -> tuple[Column, FloatArray]:
    unit = "" if parameter is None else parameter.unit
    if isinstance(parameter, (Ordinal, Categorical)):
        position = {value: float(code) for code, value in enumerate(parameter.values)}
        return Column(name, parameter.kind, parameter.values, unit), series.map(position).to_numpy(dtype=float)
    if isinstance(parameter, (Real, Integer)):
        return Column(name, parameter.kind, unit=unit), series.to_numpy(dtype=float)
    if series.dtype.kind in "mM":
        raise ValueError(f"X: {name!r} holds {series.dtype}; give numbers, e.g. days since the first")
    if pd.api.types.is_bool_dtype(series.dtype) or not pd.api.types.is_numeric_dtype(series.dtype):
        codes, values = pd.factorize(series, sort=True)
        return Column(name, "categorical", plain(tuple(values))), np.where(codes < 0, np.nan, codes)
    kind = "integer" if pd.api.types.is_integer_dtype(series.dtype) else "real"
    return Column(name, kind), series.to_numpy(dtype=float, na_value=np.nan)


def between(kept: float, dropped: float) -> float:
    """A limit half-way between two different values; where no number fits in between, the one that is kept."""
    middle = 0.5 * kept + 0.5 * dropped
    return middle if middle not in (kept, dropped) else kept
