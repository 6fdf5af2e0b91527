"""Points of any column types as a matrix of codes, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from surrogate.parameters import plain
from surrogate.space import Categorical, Integer, Ordinal, Real, Space

__all__ = ["Column", "Columns", "as_frame", "checked", "rows_of", "stacked"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Column:
    """One input: its name, what its codes mean, and where they may lie.

    Attributes
    ----------
    name : Any
        The column's label in the table.
    kind : {"real", "integer", "ordinal", "categorical"}
        Codes of reals and integers are the values themselves, of the others positions in `values`.
    dtype : Any
        Of the values, as they came.
    values : tuple
        Of an ordinal column in its order, of a categorical one in any.
    low, high : float
        Bounds of the codes; infinite where nothing is known.
    """

    name: Any
    kind: str
    dtype: Any
    values: tuple[Any, ...] = ()
    low: float = -np.inf
    high: float = np.inf

    @property
    def nominal(self) -> bool:
        """Whether the values have no order."""
        return self.kind == "categorical"

    def encode(self, series: pd.Series) -> FloatArray:
        """Codes of a column; NaN for missing and for unknown values."""
        if self.values:
            # Not pandas' own codes: a column of text may hold what is a category here.
            codes = pd.Index(self.values, dtype=object).get_indexer(pd.Index(series.to_numpy(dtype=object)))
            return np.where(codes < 0, np.nan, codes).astype(float)
        return np.asarray(series.to_numpy(dtype=float, na_value=np.nan))

    def decode(self, codes: FloatArray) -> Any:
        """Values at codes, of the type that came."""
        if self.kind == "real":
            return pd.array(np.clip(codes, self.low, self.high)).astype(self.dtype)
        whole = np.clip(np.floor(codes + 0.5), self.low, self.high)
        if self.kind == "integer":
            info = np.iinfo(getattr(self.dtype, "numpy_dtype", self.dtype))
            return pd.array(np.clip(whole, info.min, info.max).astype(np.int64)).astype(self.dtype)
        table = np.empty(len(self.values), dtype=object)
        table[:] = self.values
        return pd.Series(table[whole.astype(np.int64)], dtype=self.dtype).array


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of a table and whether they came as a DataFrame or as an array.

    Examples
    --------
    >>> frame = pd.DataFrame({"delay": [0.5, 2.0], "kind": ["flap", "clean"]})
    >>> columns = Columns.of(frame)
    >>> columns.encode(frame)
    array([[0.5, 1. ],
           [2. , 0. ]])
    >>> columns.decode(np.array([[0.7, 1.0]]))
       delay  kind
    0    0.7  flap
    """

    columns: tuple[Column, ...]
    array_dtype: Any = None  # None for a DataFrame

    @classmethod
    def of(cls, X: Any, space: Space | None = None) -> Columns:
        """Learn the columns of `X`: types and bounds from `space` where given, else types from the dtypes.

        Text, booleans and pandas categories are nominal, or ordinal if the category is ordered.

        Raises
        ------
        TypeError
            If `X` is sparse, or a column holds neither numbers nor categories.
        InvalidInputError
            If `X` does not belong to `space`.
        """
        return cls.of_frame(*as_frame(X, space), space)

    @classmethod
    def of_frame(cls, frame: pd.DataFrame, array_dtype: Any, space: Space | None = None) -> Columns:
        """The same from what :func:`as_frame` returned."""
        return cls(
            tuple(_column(frame[name], None if space is None else space[name]) for name in frame.columns), array_dtype
        )

    @classmethod
    def of_space(cls, space: Space) -> Columns:
        """The columns of a space of which no data are known."""
        return cls.of(space.from_unit(np.full((1, space.d), 0.5)), space)

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def names(self) -> tuple[Any, ...]:
        """The columns' labels."""
        return tuple(column.name for column in self.columns)

    @property
    def nominal(self) -> NDArray[np.bool_]:
        """Which columns have no order; shape (d,)."""
        return np.array([column.nominal for column in self.columns], dtype=bool)

    @property
    def _are_of_a_space(self) -> bool:
        """Whether columns have bounds or values, which the numbers of an array have not."""
        return any(column.values or np.isfinite([column.low, column.high]).any() for column in self.columns)

    def encode(self, X: Any, *, unseen: bool = False) -> FloatArray:
        """Codes of a table with these columns; array of shape (n, d).

        Parameters
        ----------
        X : table of shape (n, d)
        unseen : bool
            Whether there may be categories that are not known; their codes are NaN.

        Raises
        ------
        ValueError
            If the columns differ, or a value is missing, infinite, or of no known category; row and column are named.
        """
        frame, _ = as_frame(X)
        if list(frame.columns) != list(self.names):
            if len(frame.columns) != len(self) or self.array_dtype is None:
                raise ValueError(f"X must have the columns {list(self.names)}, got {list(frame.columns)}")
            frame = frame.set_axis(list(self.names), axis=1)
        codes = np.empty(frame.shape)
        for j, column in enumerate(self.columns):
            codes[:, j] = column.encode(frame[column.name])
            wrong = ~np.isfinite(codes[:, j])
            if unseen and column.values:
                wrong &= frame[column.name].isna().to_numpy()
            bad = np.flatnonzero(wrong)
            if len(bad):
                raise ValueError(
                    f"X: row {frame.index[bad[0]]!r}, {str(column.name)!r} is {frame[column.name].iloc[bad[0]]} "
                    "(NaN, infinite, or of no known category); leave out or fill such rows"
                )
        return codes

    def decode(self, codes: FloatArray) -> Any:
        """A table like the one that was learned from, with values at the codes; whole numbers are rounded to."""
        if self.array_dtype is not None and self.array_dtype.kind in "iuf" and not self._are_of_a_space:
            if self.array_dtype.kind == "f":
                return codes.astype(self.array_dtype)
            info = np.iinfo(self.array_dtype)
            return np.clip(np.floor(codes + 0.5), info.min, info.max).astype(self.array_dtype)
        frame = pd.DataFrame({j: column.decode(codes[:, j]) for j, column in enumerate(self.columns)})
        return self.as_came(frame.set_axis(pd.Index(self.names), axis=1))

    def as_came(self, frame: pd.DataFrame) -> Any:
        """A frame of these columns as the kind of table that was learned from."""
        dtype = self.array_dtype
        if dtype is None:
            return frame
        # All that came of a real parameter may have been whole numbers.
        whole = all(c.kind != "real" and all(isinstance(v, int) for v in c.values) for c in self.columns)
        return frame.to_numpy(dtype=dtype if whole or dtype.kind not in "iu" else np.float64)


def as_frame(X: Any, space: Space | None = None) -> tuple[pd.DataFrame, Any]:
    """`X` as a DataFrame, and the dtype of the array it was, or None.

    Raises
    ------
    TypeError
        If `X` is sparse.
    ValueError
        If it is no table, or has no rows.
    """
    if scipy.sparse.issparse(X):
        raise TypeError("Sparse data were passed for X; dense data is required, use X.toarray()")
    if isinstance(X, pd.DataFrame):
        frame, dtype = (X if space is None else space.validate(X)), None
    else:
        array = np.asarray(X)
        if array.ndim != 2:
            raise ValueError(f"Expected 2D array: X must have shape (n, d), got {array.shape}. Reshape your data")
        if array.dtype.kind == "c":
            raise ValueError("Complex data not supported")
        if space is not None:
            # Types come from the space then, so that a DataFrame is what fits them.
            frame, dtype = space.validate(X), None if array.dtype.kind == "O" else array.dtype
        else:
            frame = pd.DataFrame(array, columns=[f"x{j}" for j in range(array.shape[1])])
            frame, dtype = frame.infer_objects() if array.dtype.kind == "O" else frame, array.dtype
    if not frame.shape[1]:
        raise ValueError(f"0 feature(s) (shape={frame.shape}) while a minimum of 1 is required.")
    if not len(frame):
        raise ValueError(f"X has no rows: 0 sample(s) (shape={frame.shape}) while a minimum of 1 is required.")
    return frame, dtype


def checked(estimator: Any, X: Any, *, reset: bool, **options: Any) -> Any:
    """`X` with as many columns, and the names, that ``fit`` saw; what may be in a frame is up to the parts."""
    if isinstance(X, pd.DataFrame):
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        return X
    return validate_data(estimator, X, reset=reset, dtype=None, **options)


def rows_of(X: Any, index: Any) -> Any:
    """Rows of a DataFrame, array or sparse matrix, by position or mask."""
    if isinstance(X, (pd.DataFrame, pd.Series)):
        return X.iloc[index]
    return X[index]


def stacked(tables: list[Any]) -> Any:
    """Tables of the same columns, one below the other."""
    if isinstance(tables[0], pd.DataFrame):
        return pd.concat(tables, ignore_index=True)
    if scipy.sparse.issparse(tables[0]):
        return scipy.sparse.vstack(tables, format="csr")
    return np.concatenate(tables)


def _column(series: pd.Series, parameter: Any) -> Column:
    dtype, name = series.dtype, series.name
    match parameter:
        case Real():
            return Column(name, "real", dtype, low=parameter.low, high=parameter.high)
        case Integer():
            return Column(name, "integer", dtype, low=parameter.low, high=parameter.high)
        case Ordinal() | Categorical():
            return Column(name, parameter.kind, dtype, parameter.values, 0, len(parameter.values) - 1)
    if isinstance(dtype, pd.CategoricalDtype):
        values = tuple(dtype.categories)
        return Column(name, "ordinal" if dtype.ordered else "categorical", dtype, values, 0, len(values) - 1)
    if pd.api.types.is_bool_dtype(dtype) or pd.api.types.is_object_dtype(dtype) or pd.api.types.is_string_dtype(dtype):
        present = series.dropna()
        odd = [v for v in present if not isinstance(v, (str, bool, int, float, bytes, np.bool_, np.number))]
        if odd:
            raise TypeError(
                f"X: column {str(name)!r} holds {odd[0]!r:.60}; argument must be a string, a number or a boolean"
            )
        different = [plain(value) for value in present.unique()]
        try:
            values = tuple(sorted(different))
        except TypeError:  # text beside numbers
            values = tuple(sorted(different, key=repr))
        return Column(name, "categorical", dtype, values, 0, max(len(values) - 1, 0))
    if pd.api.types.is_integer_dtype(dtype):
        return Column(name, "integer", dtype)
    if pd.api.types.is_float_dtype(dtype):
        return Column(name, "real", dtype)
    raise TypeError(f"X: column {str(name)!r} has dtype {dtype}; make it a number or a category")
