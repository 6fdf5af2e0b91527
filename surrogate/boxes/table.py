"""Inputs of any type as one matrix of codes that orders or numbers their values, and the way back to limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.boxes.box import Box, Limits
from surrogate.space import Categorical, Integer, Ordinal, Real, Space

__all__ = ["Column", "InputTable", "check_of_interest"]


@dataclass(frozen=True)
class Column:
    """One input: its name, what its codes mean, and its unit.

    Attributes
    ----------
    kind : {"real", "integer", "ordinal", "categorical"}
        Codes of reals and integers are the values themselves, of the others positions in `values`.
    """

    name: str
    kind: str
    values: tuple[Any, ...] = ()
    unit: str = ""

    def limits(self, low: float, high: float) -> Limits | None:
        """Limits in the input's own terms of an interval of codes; None if it is open on both sides."""
        if not (np.isfinite(low) or np.isfinite(high)):
            return None
        if self.kind == "ordinal":
            return frozenset(value for code, value in enumerate(self.values) if low <= code <= high)
        if self.kind == "integer":
            # Between two whole numbers any limit means the same: say the one that is allowed.
            return (float(np.ceil(low)), float(np.floor(high)))
        return (low, high)


@dataclass(frozen=True, eq=False)
class InputTable:
    """Inputs as a matrix of codes.

    Attributes
    ----------
    columns : tuple of Column
    codes : float array of shape (n, d)
    """

    columns: tuple[Column, ...]
    codes: NDArray[np.float64]

    @classmethod
    def of(cls, X: Any, space: Space | None = None) -> InputTable:
        """From a DataFrame or array; types come from `space`, else from the columns' dtypes.

        Raises
        ------
        ValueError
            If there are no rows, or a value is missing or infinite.
        """
        if space is not None:
            frame = space.validate(X)
        elif isinstance(X, pd.DataFrame):
            frame = X
        else:
            array = np.asarray(X)
            if array.ndim != 2:
                raise ValueError(f"X must have shape (n, d), got {array.shape}")
            frame = pd.DataFrame(array, columns=[f"x{j}" for j in range(array.shape[1])])
        if not len(frame):
            raise ValueError("X has no rows")
        columns, codes = [], []
        for name in frame.columns:
            column, code = _coded(str(name), frame[name], None if space is None else space[name])
            bad = np.flatnonzero(~np.isfinite(code))
            if len(bad):
                raise ValueError(
                    f"X: row {frame.index[bad[0]]!r}, {str(name)!r} is {frame[name].iloc[bad[0]]}; "
                    "leave out or fill rows with missing values"
                )
            columns.append(column)
            codes.append(code)
        return cls(tuple(columns), np.column_stack(codes))

    @property
    def units(self) -> dict[str, str]:
        """Units by input, where known."""
        return {column.name: column.unit for column in self.columns if column.unit}

    def box(self, low: NDArray[np.float64], high: NDArray[np.float64], allowed: dict[int, frozenset[int]]) -> Box:
        """The box of an interval of codes an input (shape (d,)) and, by position, the allowed codes of categories."""
        limits: dict[str, Limits] = {}
        for j, column in enumerate(self.columns):
            if column.kind == "categorical":
                if len(allowed[j]) < len(column.values):
                    limits[column.name] = frozenset(column.values[code] for code in allowed[j])
                continue
            found = column.limits(float(low[j]), float(high[j]))
            if found is not None:
                limits[column.name] = found
        return Box(limits, units=self.units)


def _coded(name: str, series: pd.Series, parameter: Any) -> tuple[Column, NDArray[np.float64]]:
    unit = "" if parameter is None else parameter.unit
    if isinstance(parameter, (Ordinal, Categorical)):
        return Column(name, parameter.kind, parameter.values, unit), parameter.codes(series).astype(float)
    if isinstance(parameter, (Real, Integer)):
        return Column(name, parameter.kind, unit=unit), series.to_numpy(dtype=float)
    if pd.api.types.is_bool_dtype(series.dtype) or not pd.api.types.is_numeric_dtype(series.dtype):
        codes, values = pd.factorize(series, sort=True)
        return Column(name, "categorical", tuple(values)), np.where(codes < 0, np.nan, codes).astype(float)
    kind = "integer" if pd.api.types.is_integer_dtype(series.dtype) else "real"
    return Column(name, kind), series.to_numpy(dtype=float, na_value=np.nan)


def check_of_interest(of_interest: Any, n: int) -> NDArray[np.float64]:
    """Which runs are of interest, as zeros and ones.

    Raises
    ------
    ValueError
        If the shape or the values do not fit, or if no run or every run is of interest.
    """
    y = np.asarray(of_interest)
    if y.shape != (n,):
        raise ValueError(f"of_interest must have shape ({n},) like the rows of X, got {y.shape}")
    try:
        values = y.astype(float)
    except (TypeError, ValueError):
        raise ValueError(f"of_interest must be true or false, got dtype {y.dtype}") from None
    if not np.isin(values, (0.0, 1.0)).all():
        odd = y[~np.isin(values, (0.0, 1.0))][0]
        raise ValueError(f"of_interest must be true or false, got {odd!r}; compare the output with a number first")
    if not values.any():
        raise ValueError(f"none of the {n} runs is of interest: there is no region to find")
    if values.all():
        raise ValueError(f"all {n} runs are of interest: there is no other region to tell apart")
    return values
