"""Points of several generators together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from surrogate.space import Space
from surrogate.transfer.generators.base import Rng, check_count
from surrogate.transfer.label import accepted
from surrogate.transfer.table import stacked

__all__ = ["Mixed"]


class Mixed(BaseEstimator):
    """Points of several generators in equal shares, one after the other.

    What one of them does badly on the data at hand is a part only of what the student learns from.

    Parameters
    ----------
    generators : sequence of generators

    Attributes
    ----------
    generators_ : list of fitted generators

    Examples
    --------
    >>> from surrogate.transfer.generators.bootstrap import Bootstrap
    >>> from surrogate.transfer.generators.noise import Noise
    >>> points = Mixed([Bootstrap(), Noise()]).fit(np.zeros((5, 1)) + np.arange(5)[:, None]).draw(100, rng=0)
    >>> int((points % 1 == 0).sum())
    50
    """

    def __init__(self, generators: Sequence[Any]) -> None:
        self.generators = generators

    def fit(self, X: Any, y: Any = None, *, space: Space | None = None) -> Self:
        """Fit every generator.

        Parameters
        ----------
        X : DataFrame or array of shape (n, d)
        y : array of shape (n,), optional
            For generators that take labels.
        space : Space, optional
            For generators that take one.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If there is no generator, or as of the generators.
        """
        if isinstance(self.generators, str) or not len(self.generators):
            raise ValueError(f"generators must hold at least one generator, got {self.generators!r}")
        self.generators_ = []
        for each in self.generators:
            generator = clone(each)
            generator.fit(X, **accepted(generator.fit, y=y, space=space))
            self.generators_.append(generator)
        return self

    def draw(self, n: int, rng: Rng = None) -> Any:
        """`n` new points.

        Parameters
        ----------
        n : int
            At least 1; what cannot be shared equally comes from the first generators.
        rng : int, numpy Generator or None

        Returns
        -------
        DataFrame or array of shape (n, d)
        """
        check_is_fitted(self, "generators_")
        n, rng = check_count(n), np.random.default_rng(rng)
        share, rest = divmod(n, len(self.generators_))
        counts = [share + (i < rest) for i in range(len(self.generators_))]
        parts = [each.draw(count, rng) for each, count in zip(self.generators_, counts, strict=True) if count]
        return stacked(parts)
