"""Inputs of any type as one matrix of numbers that orders or numbers their values, and the way back to limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.boxes.box import Limits
from surrogate.space import Categorical, Integer, Ordinal, Parameter, Real, Space

__all__ = ["LEAVE_OUT", "Column", "InputTable", "Interval", "Labels", "Missing", "between", "check_weight"]

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
            else:  # numbers kept as objects are numbers all the same
                frame = X.infer_objects() if any(map(pd.api.types.is_object_dtype, X.dtypes)) else X
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
    if pd.api.types.is_bool_dtype(series.dtype) or not pd.api.types.is_numeric_dtype(series.dtype):
        codes, values = pd.factorize(series, sort=True)
        return Column(name, "categorical", tuple(values)), np.where(codes < 0, np.nan, codes)
    kind = "integer" if pd.api.types.is_integer_dtype(series.dtype) else "real"
    return Column(name, kind), series.to_numpy(dtype=float, na_value=np.nan)


@dataclass(frozen=True, eq=False)
class Labels:
    """What is known of the rows: how far each is of interest, and how much it counts.

    Weights are whole multiples of a small unit, so that their sums are exact in any order: boxes that are equally good
    are found to be so, and nothing drifts while rows are taken off a sum one peel after the other.

    Attributes
    ----------
    y : float array of shape (n,)
        1 of interest, 0 not; in between a probability.
    weight : int array of shape (n,), or None where every row counts once
        In multiples of `weight_unit`.
    positive : int array of shape (n,)
        The part of a row's weight that is of interest, in multiples of `positive_unit`.
    weight_unit, positive_unit : float
        Powers of two.
    """

    y: FloatArray
    weight: NDArray[np.int64] | None
    positive: NDArray[np.int64]
    weight_unit: float = 1.0
    positive_unit: float = 1.0

    @classmethod
    def of(cls, of_interest: Any, n: int, sample_weight: Any = None) -> Labels:
        """Checked labels and weights.

        Raises
        ------
        ValueError
            If a shape or value does not fit, or if the labels tell no row from another.
        """
        given = np.asarray(of_interest)
        if given.shape != (n,):
            raise ValueError(f"of_interest must have shape ({n},) like the rows of X, got {given.shape}")
        try:
            y = given.astype(float)
        except (TypeError, ValueError):
            raise ValueError(f"of_interest must be true or false, got dtype {given.dtype}") from None
        right = (y >= 0) & (y <= 1)
        if not right.all():
            raise ValueError(
                f"of_interest must be true or false, or a probability in [0, 1], got {given[~right][0]!r}; "
                "compare the output with a number first"
            )
        weight = check_weight(sample_weight, n)
        counted = y if weight is None else y[weight > 0]
        low, high = counted.min(), counted.max()
        if high == 0:
            raise ValueError(f"none of the {len(counted)} runs is of interest: there is no region to find")
        if low == 1:
            raise ValueError(f"all {len(counted)} runs are of interest: there is no other region to tell apart")
        if low == high:
            raise ValueError(f"of_interest must be true or false, got {low} for each of the {len(counted)} runs")
        return cls.weighted(y, weight)

    @classmethod
    def weighted(cls, y: FloatArray, weight: FloatArray | None) -> Labels:
        """Labels and weights that are known to be right."""
        unit = 2.0 ** math.ceil(math.log2((len(y) if weight is None else weight.sum()) / UNITS))
        if weight is None:
            whole = y.astype(np.int64)
            if (whole == y).all():
                return cls(y, None, whole)
            return cls(y, None, _rounded(y / unit), positive_unit=unit)
        return cls(y, _rounded(weight / unit), _rounded(weight * y / unit), unit, unit)

    @property
    def binary(self) -> bool:
        """Whether every row counts once and is of interest or not."""
        return self.weight is None and self.positive_unit == 1.0

    @property
    def taking_part(self) -> NDArray[np.bool_]:
        """Rows that count."""
        return np.ones(len(self.y), dtype=bool) if self.weight is None else self.weight > 0

    @property
    def total(self) -> float:
        """Weight of all rows."""
        return float(len(self.y)) if self.weight is None else int(self.weight.sum()) * self.weight_unit

    def times(self, times: NDArray[Any]) -> Labels:
        """The same with each row taken a whole number of times; rows that are not taken do not take part."""
        weight = np.ones(len(self.y), dtype=np.int64) if self.weight is None else self.weight
        return replace(self, weight=weight * times, positive=self.positive * times)

    def sums(self, rows: NDArray[np.intp]) -> tuple[float, float]:
        """Weight of some rows and the part of it that is of interest."""
        weight = len(rows) if self.weight is None else int(self.weight[rows].sum())
        return weight * self.weight_unit, int(self.positive[rows].sum()) * self.positive_unit


# What all weights together are worth in units: enough for thirteen digits, and few enough that a sum over all sides of
# all columns, in which a row counts more than once, is still a 64-bit number.
UNITS = 2.0**46


def _rounded(values: FloatArray) -> NDArray[np.int64]:
    return np.round(values).astype(np.int64)


def between(kept: float, dropped: float) -> float:
    """A limit half-way between two different values; where no number fits in between, the one that is kept."""
    middle = 0.5 * kept + 0.5 * dropped
    return middle if middle not in (kept, dropped) else kept


def check_weight(sample_weight: Any, n: int) -> FloatArray | None:
    """Weights of the rows; None where all are 1."""
    if sample_weight is None:
        return None
    weight = np.asarray(sample_weight, dtype=float)
    if weight.shape != (n,):
        raise ValueError(f"sample_weight must have shape ({n},) like the rows of X, got {weight.shape}")
    if not (np.isfinite(weight) & (weight >= 0)).all():
        raise ValueError("sample_weight must be finite and not negative")
    if not weight.any():
        raise ValueError("sample_weight is zero for every row")
    return None if (weight == 1).all() else weight
