"""Points between neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.transfer.generators.base import FloatArray, TableGenerator
from surrogate.transfer.generators.neighbours import nearest_rows, unit_distances

__all__ = ["Smote"]


class Smote(TableGenerator):
    """Points on the lines between rows and their near neighbours, of the same class where classes are known.

    Parameters
    ----------
    n_neighbors : int
        Among how many of its nearest rows a row's partner is drawn; fewer where the class is smaller.

    Notes
    -----
    Of a category one of the two partners' values is taken. SMOTE-NC takes the neighbours' commonest, which would make
    rare values rarer still.

    References
    ----------
    .. [1] N. V. Chawla et al., "SMOTE: Synthetic Minority Over-sampling Technique", JAIR 16, 2002.

    Examples
    --------
    >>> X = np.array([[0.0, 0.0], [1.0, 1.0]])
    >>> points = Smote().fit(X).draw(3, rng=0)
    >>> bool((points[:, 0] == points[:, 1]).all())
    True
    """

    min_rows = 2

    def __init__(self, n_neighbors: int = 5) -> None:
        self.n_neighbors = n_neighbors

    def _learn(self, codes: FloatArray, y: NDArray[Any] | None) -> None:
        if self.n_neighbors < 1:
            raise ValueError(f"n_neighbors must be at least 1, got {self.n_neighbors}")
        self._codes = codes
        points = unit_distances(codes, self.columns_)
        # Numbers are no classes: labels that hardly repeat say nothing of who belongs together.
        values, group = (None, np.zeros(len(codes), dtype=np.int64)) if y is None else np.unique(y, return_inverse=True)
        if values is not None and len(values) > max(20, len(codes) // 10):
            group = np.zeros(len(codes), dtype=np.int64)
        self._neighbours: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)] * len(codes)
        for label in np.unique(group):
            rows = np.flatnonzero(group == label)
            k = min(self.n_neighbors, len(rows) - 1)
            # A class of one row has no one between: it stays itself.
            near = rows[nearest_rows(points[rows], k)] if k else rows[:, None]
            for row, others in zip(rows, near):
                self._neighbours[row] = others

    def _make(self, n: int, rng: np.random.Generator) -> FloatArray:
        rows = rng.integers(0, len(self._codes), n)
        counts = np.array([len(others) for others in self._neighbours])
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        flat = np.concatenate(self._neighbours)
        partners = flat[starts[rows] + (rng.random(n) * counts[rows]).astype(np.int64)]
        a, b = self._codes[rows], self._codes[partners]
        out = a + rng.random((n, 1)) * (b - a)
        nominal = self.columns_.nominal
        return np.where(nominal, np.where(rng.random(a.shape) < 0.5, a, b), out)
