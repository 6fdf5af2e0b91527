"""Draws with the data's marginals and a Gaussian dependence."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special
import scipy.stats
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf

from surrogate.transfer.generators.base import FloatArray, TableGenerator

__all__ = ["Copula"]


class Copula(TableGenerator):
    """A Gaussian copula: the data's own marginals, tied together by the correlations of their normal scores.

    Numbers are drawn from the quantiles of their column, interpolated between its values. Categories stand in a row by
    frequency, each with a cell of the normal scores as wide as it is frequent.

    Notes
    -----
    Correlations are shrunk by Ledoit and Wolf's rule, so that few rows of many columns give a usable matrix.

    References
    ----------
    .. [1] R. B. Nelsen, "An Introduction to Copulas", Springer 2006.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a = rng.exponential(size=500)
    >>> new = Copula().fit(np.column_stack([a, a + 0.1 * rng.random(500)])).draw(500, rng=1)
    >>> bool((new > 0).all() and np.corrcoef(new.T)[0, 1] > 0.9)
    True
    """

    min_rows = 2

    def _learn(self, codes: FloatArray, y: NDArray[Any] | None) -> None:
        n = len(codes)
        self._sorted = np.sort(codes, axis=0)
        self._orders: dict[int, tuple[NDArray[np.int64], FloatArray]] = {}
        jitter = np.random.default_rng(0).random(codes.shape)
        u = np.empty_like(codes)
        for j, nominal in enumerate(self.columns_.nominal):
            if nominal:
                counts = np.bincount(codes[:, j].astype(int), minlength=len(self.columns_.columns[j].values))
                order = np.argsort(-counts, kind="stable")
                edges = np.concatenate([[0.0], np.cumsum(counts[order]) / n])
                place = np.argsort(order)[codes[:, j].astype(int)]
                u[:, j] = edges[place] + jitter[:, j] * (edges[place + 1] - edges[place])
                self._orders[j] = (order, edges)
            else:
                u[:, j] = (scipy.stats.rankdata(codes[:, j]) - 0.5) / n
        z = scipy.special.ndtri(np.clip(u, 1e-6, 1 - 1e-6))
        std = z.std(axis=0)
        covariance, _ = ledoit_wolf((z - z.mean(axis=0)) / np.where(std > 0, std, 1.0))
        scale = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
        correlation = covariance / np.outer(scale, scale)
        values, vectors = np.linalg.eigh(correlation)
        self._factor = vectors * np.sqrt(np.maximum(values, 0.0))

    def _make(self, n: int, rng: np.random.Generator) -> FloatArray:
        u: FloatArray = scipy.special.ndtr(rng.standard_normal((n, len(self._factor))) @ self._factor.T)
        out = np.empty_like(u)
        m = len(self._sorted)
        for j in range(u.shape[1]):
            if j in self._orders:
                order, edges = self._orders[j]
                place = np.searchsorted(edges, u[:, j], side="right") - 1
                out[:, j] = order[np.minimum(place, len(order) - 1)]
            else:
                out[:, j] = np.interp(u[:, j] * m - 0.5, np.arange(m), self._sorted[:, j])
        return out
