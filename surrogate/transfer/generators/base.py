"""What a generator must offer, and what those share that learn from codes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from surrogate.space import Space
from surrogate.transfer.table import Columns, as_frame

__all__ = ["FloatArray", "Generator", "Rng", "TableGenerator", "check_count"]

FloatArray = NDArray[np.float64]
Rng = np.random.Generator | int | None


@runtime_checkable
class Generator(Protocol):
    """What makes new points without labels.

    ``fit`` learns from points and returns the generator; ``draw`` returns `n` new ones, in a table of the same kind
    and with the same columns and types. ``fit`` may take, by these names, more than the points: ``y`` (their labels),
    ``space`` (their types and bounds), and ``teacher``, ``student`` and ``labels`` of the
    :class:`~surrogate.transfer.chain.Metamorphosis` that uses it.
    """

    def fit(self, X: Any) -> Any: ...
    def draw(self, n: int, rng: Rng = None) -> Any: ...


class TableGenerator(BaseEstimator, ABC):
    """A generator that learns from points as codes (see :class:`~surrogate.transfer.table.Columns`).

    Subclasses say how many rows they need (``min_rows``) and implement ``_learn(codes, y)`` and ``_make(n, rng)``,
    which returns codes of shape (n, d). What they make is brought into the bounds of the space, where one was given,
    by reflection, and whole numbers and categories are rounded to.

    Attributes
    ----------
    columns_ : Columns
    n_features_in_ : int
    """

    min_rows = 1

    def fit(self, X: Any, y: Any = None, *, space: Space | None = None) -> Self:
        """Learn where points lie.

        Parameters
        ----------
        X : DataFrame or array of shape (n, d)
            Points. Columns of text, booleans or pandas categories are nominal.
        y : array of shape (n,), optional
            Labels, for generators that look at them.
        space : Space, optional
            Types and bounds of the columns; what is drawn stays inside.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there are too few rows, or a value is missing or infinite.
        TypeError
            If `X` is sparse or a column is neither number nor category.
        """
        frame, dtype = as_frame(X, space)
        self.columns_ = Columns.of_frame(frame, dtype, space)
        codes = self.columns_.encode(frame)
        if len(codes) < self.min_rows:
            raise ValueError(
                f"{type(self).__name__} needs at least {self.min_rows} rows, got n_samples = {len(codes)}; "
                "Bootstrap and Uniform take any number"
            )
        labels = None if y is None else np.asarray(y)
        if labels is not None and len(labels) != len(codes):
            raise ValueError(f"y must have as many rows as X ({len(codes)}), got {len(labels)}")
        self.n_features_in_ = codes.shape[1]
        self._learn(codes, labels)
        return self

    def draw(self, n: int, rng: Rng = None) -> Any:
        """`n` new points.

        Parameters
        ----------
        n : int
            At least 1.
        rng : int, numpy Generator or None

        Returns
        -------
        DataFrame or array of shape (n, d)
            As the points that were fitted, with their columns and types.
        """
        check_is_fitted(self, "columns_")
        codes = self._make(check_count(n), np.random.default_rng(rng))
        return self.columns_.decode(_reflected(codes, self.columns_))

    @abstractmethod
    def _learn(self, codes: FloatArray, y: NDArray[Any] | None) -> None: ...

    @abstractmethod
    def _make(self, n: int, rng: np.random.Generator) -> FloatArray: ...


def check_count(n: Any) -> int:
    """`n` as an int of at least 1."""
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
        raise TypeError(f"n must be a whole number of points, got {n!r}")
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    return int(n)


def _reflected(codes: FloatArray, columns: Columns) -> FloatArray:
    """Codes mirrored at the bounds they cross: cut off, they would pile up there."""
    out = codes
    for j, column in enumerate(columns.columns):
        for bound, beyond in ((column.low, np.less), (column.high, np.greater)):
            if np.isfinite(bound) and column.kind in ("real", "integer"):
                crossed = beyond(out[:, j], bound)
                if crossed.any():
                    out = out.copy() if out is codes else out
                    out[crossed, j] = 2 * bound - out[crossed, j]
        if np.isfinite(column.low) or np.isfinite(column.high):
            out = out.copy() if out is codes else out
            out[:, j] = np.clip(out[:, j], column.low, column.high)
    return out
