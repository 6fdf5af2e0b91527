"""Points without labels that are there already."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
from sklearn.base import BaseEstimator

from surrogate.transfer.generators.base import Rng, check_count
from surrogate.transfer.table import rows_of

__all__ = ["Unlabelled"]


class Unlabelled(BaseEstimator):
    """Rows of a table of unlabelled points, each as often as any other.

    Parameters
    ----------
    X : DataFrame, array or sparse matrix of shape (m, ...)
        The points.

    Notes
    -----
    `n` draws hold every row ``n // m`` times, and a random ``n % m`` of them once more, in random order.

    Examples
    --------
    >>> Unlabelled(np.array([[1.0], [2.0], [3.0]])).fit().draw(3, rng=0).ravel()
    array([3., 1., 2.])
    """

    def __init__(self, X: Any) -> None:
        self.X = X

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.sparse = True
        return tags

    def __len__(self) -> int:
        return self.X.shape[0] if hasattr(self.X, "shape") else len(self.X)

    def fit(self, X: Any = None) -> Unlabelled:
        """Check that there are points, with as many columns as `X`, if it is given."""
        self._points = self.X if hasattr(self.X, "shape") else np.asarray(self.X)
        if scipy.sparse.issparse(self._points):
            self._points = self._points.tocsr()  # type: ignore[attr-defined]
        if not self._points.shape[0]:
            raise ValueError("Unlabelled: X has no rows")
        if X is not None and np.shape(X)[1:] != self._points.shape[1:]:
            raise ValueError(
                f"Unlabelled: points of shape {self._points.shape[1:]} do not fit data of shape {np.shape(X)[1:]}"
            )
        return self

    def draw(self, n: int, rng: Rng = None) -> Any:
        """`n` of the points, without replacement as far as they reach."""
        n, m = check_count(n), self._points.shape[0]
        order = np.random.default_rng(rng).permutation(m)
        return rows_of(self._points, np.resize(order, n))
