"""Correlated inputs: a Gaussian copula couples the unit cube's columns and leaves every margin as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats
from numpy.typing import NDArray

from surrogate.errors import did_you_mean
from surrogate.space import Categorical, Space

__all__ = ["Copula", "Correlation", "correlated"]

FloatArray = NDArray[np.float64]
Correlation = Mapping[tuple[str, str], float] | pd.DataFrame | None

# Smallest eigenvalue of a matrix of correlations below which it counts as singular.
SINGULAR = 1e-10


@dataclass(frozen=True, eq=False)
class Copula:
    """A Gaussian copula on the unit cube.

    Attributes
    ----------
    matrix : array of shape (d, d) or None
        Correlations of the normal scores; None leaves everything independent.
    told : list or None
        ``[first, second, correlation]`` of every pair that is correlated, for ``attrs``.
    """

    matrix: FloatArray | None
    told: list[list[Any]] | None

    def __call__(self, u: FloatArray) -> FloatArray:
        """Independent positions made dependent.

        Each point is moved on its own, so that a sequence stays a sequence.
        """
        if self.matrix is None:
            return u
        scores = scipy.stats.norm.ppf(np.clip(u, 2.0**-53, 1 - 2.0**-53))
        return np.asarray(scipy.stats.norm.cdf(scores @ np.linalg.cholesky(self.matrix).T))

    def reorder(self, u: FloatArray, rng: np.random.Generator) -> FloatArray:
        """The columns of `u`, each rearranged so that their rank correlations come near those of the copula.

        Every column keeps its values, so that a Latin hypercube stays one.

        References
        ----------
        .. [1] R. L. Iman, W. J. Conover, "A distribution-free approach to inducing rank correlation among input
           variables", Communications in Statistics - Simulation and Computation 11(3), 1982.
        """
        n, d = u.shape
        if self.matrix is None or n < 2:
            return u
        even = np.tile(scipy.stats.norm.ppf(np.arange(1, n + 1) / (n + 1))[:, None], d)
        scores = rng.permuted(even, axis=0)
        target = np.linalg.cholesky(self.matrix)
        if n > d + 1:
            # The scores' own chance correlations are taken out first. Of few points two columns may be alike by chance,
            # which nothing can take apart: they are dealt again.
            while np.linalg.eigvalsh(own := np.corrcoef(scores, rowvar=False).reshape(d, d))[0] < SINGULAR:
                scores = rng.permuted(even, axis=0)
            scores = scores @ np.linalg.inv(np.linalg.cholesky(own)).T
        ranks = scipy.stats.rankdata(scores @ target.T, axis=0, method="ordinal").astype(int) - 1
        return np.take_along_axis(np.sort(u, axis=0), ranks, axis=0)


def correlated(space: Space, correlation: Correlation) -> Copula:
    """The copula of correlations that a user gives.

    Parameters
    ----------
    space : Space
    correlation : mapping of (name, name) to float, DataFrame of shape (d, d), or None
        Correlations of the normal scores; pairs that are not given are 0. For inputs that are themselves normal these
        are their ordinary correlations; a rank correlation r is ``2 * sin(pi / 6 * r)`` here.

    Raises
    ------
    ValueError
        If a name is unknown, a pair is given twice, a correlation is not between -1 and 1, an input is categorical, or
        the matrix is not positive definite.
    """
    if correlation is None:
        return Copula(None, None)
    names = list(space)
    if isinstance(correlation, pd.DataFrame):
        if list(correlation.index) != list(correlation.columns):
            raise ValueError("correlation: a DataFrame must have the same names as rows and columns")
        square = correlation.to_numpy(dtype=float)
        if not (np.allclose(square, square.T) and np.allclose(np.diag(square), 1)):
            raise ValueError("correlation: a DataFrame must be symmetric with ones on its diagonal")
        labels = list(correlation.columns)
        pairs = {(a, b): square[i, j] for i, a in enumerate(labels) for j, b in enumerate(labels[:i])}
    elif isinstance(correlation, Mapping):
        pairs = dict(correlation)
    else:
        raise TypeError(f"correlation must be a mapping such as {{('a', 'b'): 0.5}}, got {correlation!r:.80}")
    matrix = np.eye(len(names))
    told = []
    given = set()
    for pair, value in pairs.items():
        if not (isinstance(pair, tuple) and len(pair) == 2 and pair[0] != pair[1]):
            raise ValueError(f"correlation: a pair must be two different names, got {pair!r}")
        unknown = [name for name in pair if name not in space]
        if unknown:
            raise ValueError(f"correlation: no input {unknown[0]!r}; {did_you_mean(unknown[0], space)}")
        if frozenset(pair) in given:
            raise ValueError(f"correlation of {pair[0]!r} and {pair[1]!r} is given twice; give each pair once")
        given.add(frozenset(pair))
        if not -1 < value < 1:
            raise ValueError(f"correlation of {pair[0]!r} and {pair[1]!r} must lie between -1 and 1, got {value!r}")
        if value == 0:
            continue
        nominal = [name for name in pair if isinstance(space[name], Categorical)]
        if nominal:
            raise ValueError(f"correlation: {nominal[0]!r} is categorical and has no order to correlate; use Ordinal")
        first, second = (names.index(name) for name in pair)
        matrix[first, second] = matrix[second, first] = value
        told.append([pair[0], pair[1], float(value)])
    if np.linalg.eigvalsh(matrix)[0] < SINGULAR:
        raise ValueError("correlation: these correlations cannot hold together (their matrix is not positive definite)")
    return Copula(matrix, told) if told else Copula(None, None)
