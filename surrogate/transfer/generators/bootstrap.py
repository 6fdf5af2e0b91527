"""The rows themselves, drawn with replacement."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.transfer.generators.base import FloatArray, TableGenerator

__all__ = ["Bootstrap"]


class Bootstrap(TableGenerator):
    """Rows of the data drawn with replacement: nothing new, and the yardstick for every other generator.

    Examples
    --------
    >>> Bootstrap().fit(np.array([[1.0], [2.0]])).draw(4, rng=0).ravel()
    array([2., 2., 2., 1.])
    """

    def _learn(self, codes: FloatArray, y: NDArray[Any] | None) -> None:
        self._codes = codes

    def _make(self, n: int, rng: np.random.Generator) -> FloatArray:
        return self._codes[rng.integers(0, len(self._codes), n)]
