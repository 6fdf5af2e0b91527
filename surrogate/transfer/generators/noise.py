"""Rows of the data with a little noise."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.transfer.generators.base import FloatArray, TableGenerator

__all__ = ["Noise"]


class Noise(TableGenerator):
    """Rows drawn with replacement, every number moved by normal noise, some categories drawn anew.

    Parameters
    ----------
    scale : float
        Standard deviation of the noise in standard deviations of the column, and the share of the categories that are
        drawn anew from their column.

    Examples
    --------
    >>> X = np.array([[0.0, 10.0], [1.0, 30.0]])
    >>> Noise(0.01).fit(X).draw(2, rng=0).round(1)
    array([[ 1. , 30.1],
           [ 1. , 29.9]])
    """

    def __init__(self, scale: float = 0.1) -> None:
        self.scale = scale

    def _learn(self, codes: FloatArray, y: NDArray[Any] | None) -> None:
        if not self.scale >= 0:
            raise ValueError(f"scale must not be negative, got {self.scale}")
        self._codes = codes
        self._std = codes.std(axis=0)

    def _make(self, n: int, rng: np.random.Generator) -> FloatArray:
        out = self._codes[rng.integers(0, len(self._codes), n)]
        nominal = self.columns_.nominal
        out[:, ~nominal] += self.scale * self._std[~nominal] * rng.standard_normal((n, int((~nominal).sum())))
        for j in np.flatnonzero(nominal):
            anew = np.flatnonzero(rng.random(n) < self.scale)
            out[anew, j] = self._codes[rng.integers(0, len(self._codes), len(anew)), j]
        return out
