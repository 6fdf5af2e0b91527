"""Points spread evenly over a space, or over the box around the data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from surrogate.space import Space
from surrogate.transfer.generators.base import FloatArray, Rng, TableGenerator, check_count
from surrogate.transfer.table import Columns

__all__ = ["Uniform"]


class Uniform(TableGenerator):
    """Independent values, over the space as its distributions say, or evenly over the box around the data.

    Parameters
    ----------
    space : Space, optional
        What may vary. With it no data are needed: ``fit`` may be called without points, and inputs follow their
        distributions. Without it every number lies between the smallest and the largest that was seen, and every
        category is equally likely.

    Examples
    --------
    >>> from surrogate.space import Integer, Real
    >>> Uniform(Space(alpha=Real(-4, 12), n=Integer(1, 9))).fit().draw(2, rng=0)
          alpha  n
    0  6.191387  3
    1 -3.344424  1
    """

    def __init__(self, space: Space | None = None) -> None:
        self.space = space

    def fit(self, X: Any = None, y: Any = None, *, space: Space | None = None) -> Uniform:
        """Learn the box around the points; with a space there is nothing to learn.

        Parameters
        ----------
        X : DataFrame or array of shape (n, d), optional
            Needed if no space is known.
        y : ignored
        space : Space, optional
            If the generator was made without one.
        """
        self.space_ = self.space if self.space is not None else space
        if self.space_ is not None and X is None:
            self.columns_ = Columns.of_space(self.space_)
            self.n_features_in_ = self.space_.d
            return self
        if X is None:
            raise ValueError("Uniform needs a space or points: use Uniform(space), or fit(X)")
        super().fit(X, y, space=self.space_)
        return self

    def draw(self, n: int, rng: Rng = None) -> Any:
        check_is_fitted(self, "columns_")
        if self.space_ is None:
            return super().draw(n, rng)
        frame = self.space_.from_unit(np.random.default_rng(rng).random((check_count(n), self.space_.d)))
        return self.columns_.as_came(frame)

    def _learn(self, codes: FloatArray, y: NDArray[Any] | None) -> None:
        self._low, self._high = codes.min(axis=0), codes.max(axis=0)

    def _make(self, n: int, rng: np.random.Generator) -> FloatArray:
        out = rng.uniform(self._low, self._high, (n, len(self._low)))
        for j, column in enumerate(self.columns_.columns):
            if column.kind != "real":
                out[:, j] = rng.integers(int(self._low[j]), int(self._high[j]) + 1, n)
        return out
