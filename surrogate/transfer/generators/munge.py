"""MUNGE, the generator of model compression."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.transfer.generators.base import FloatArray, TableGenerator
from surrogate.transfer.generators.neighbours import nearest_rows, unit_distances

__all__ = ["Munge"]


class Munge(TableGenerator):
    """Rows that exchange some attributes with their nearest neighbours, numbers with noise.

    On a fresh copy of the data, every row in turn meets its nearest other row. Each attribute is, with probability
    `swap`, exchanged between the two: categories as they are, a number `a` becomes a draw from a normal distribution
    around the other's `b` with standard deviation ``|a - b| / local_variance``, and the other way round. As many copies
    are made as needed.

    Parameters
    ----------
    swap : float
        Probability `p` of an attribute being exchanged.
    local_variance : float
        The parameter `s`: the larger, the closer to the data.

    Notes
    -----
    Neighbours are those of the rows as fitted, found once with a spatial index or a blocked matrix product, so that a
    copy costs time proportional to its rows.

    References
    ----------
    .. [1] C. Bucila, R. Caruana, A. Niculescu-Mizil, "Model Compression", KDD 2006, sec. 3.3.

    Examples
    --------
    >>> X = np.array([[0.0, 5.0], [1.0, 6.0], [10.0, 0.0]])
    >>> Munge(swap=1.0, local_variance=1e9).fit(X).draw(3, rng=0).round(6) + 0.0
    array([[10.,  0.],
           [ 1.,  6.],
           [ 0.,  5.]])
    """

    min_rows = 2

    def __init__(self, swap: float = 0.5, local_variance: float = 5.0) -> None:
        self.swap = swap
        self.local_variance = local_variance

    def _learn(self, codes: FloatArray, y: NDArray[Any] | None) -> None:
        if not 0 <= self.swap <= 1:
            raise ValueError(f"swap must be a probability, got {self.swap}")
        if not self.local_variance > 0:
            raise ValueError(f"local_variance must be positive, got {self.local_variance}")
        self._codes = codes
        self._partner = nearest_rows(unit_distances(codes, self.columns_), 1)[:, 0]
        self._rounds = _conflict_free(self._partner)

    def _make(self, n: int, rng: np.random.Generator) -> FloatArray:
        # The last copy is cut at random, so that no row is rarer than another.
        m = len(self._codes)
        copies = [self._copy(rng) for _ in range(-(-n // m))]
        if n % m:
            copies[-1] = copies[-1][rng.permutation(m)[: n % m]]
        return np.concatenate(copies)

    def _copy(self, rng: np.random.Generator) -> FloatArray:
        out = self._codes.copy()
        nominal = self.columns_.nominal
        for rows in self._rounds:
            partners = self._partner[rows]
            a, b = out[rows], out[partners]
            spread = np.where(nominal, 0.0, np.abs(a - b) / self.local_variance)
            exchange = rng.random(a.shape) < self.swap
            out[rows] = np.where(exchange, b + spread * rng.standard_normal(a.shape), a)
            out[partners] = np.where(exchange, a + spread * rng.standard_normal(a.shape), b)
        return out


def _conflict_free(partner: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Rounds of rows that, done at once, give what meeting their partners one row after the other gives.

    A row's meeting belongs to the first round after the last meeting of either of the two.
    """
    last = [0] * len(partner)
    number = []
    for row, other in enumerate(partner.tolist()):
        turn = max(last[row], last[other]) + 1
        last[row] = last[other] = turn
        number.append(turn)
    order = np.argsort(number, kind="stable")
    counts = np.bincount(number)[1:]
    return np.split(order, np.cumsum(counts)[:-1])
