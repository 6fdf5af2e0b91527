"""Points as an optimiser sees them: positions in the unit cube, of discrete parameters the middles of their cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.space import Categorical, Integer, Real, Space

__all__ = ["Encoding"]

FloatArray = NDArray[np.float64]

# An integer with more values than this is climbed like a real number and rounded; with fewer its values are tried.
MANY_VALUES = 50


class Encoding:
    """Positions, (m, d), one a parameter, and the columns that a model takes of them.

    Numbers and ordered values are a column each; a category of more than two values has a column a value, so that all
    values are equally far from each other.

    Attributes
    ----------
    space : Space
    climbs : bool array of shape (d,)
        Parameters along which an acquisition is climbed by its gradient.
    values : list of array or None
        Positions of a discrete parameter's values; None where there are too many, or of a real number.
    n_points : float
        How many points there are; infinite with a real number.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.values: list[FloatArray | None] = []
        self.unordered = np.array([isinstance(p, Categorical) for p in space.values()])
        counts, owner, marks = [], [], []
        for j, parameter in enumerate(space.values()):
            if isinstance(parameter, Real):
                positions, count = None, np.inf
            elif isinstance(parameter, Integer):
                count = parameter.high - parameter.low + 1
                few = count <= MANY_VALUES
                positions = parameter.to_unit(np.arange(parameter.low, parameter.high + 1)) if few else None
            else:
                listed: Any = parameter
                count = len(listed.values)
                positions = (np.arange(count) + 0.5) / count
            self.values.append(positions)
            counts.append(count)
            several = self.unordered[j] and count > 2
            owner += [j] * (int(count) if several else 1)
            marks += list(positions) if several and positions is not None else [np.nan]
        self.n_points = float(np.prod(np.array(counts, dtype=float)))
        self.climbs = np.array([positions is None for positions in self.values])
        self._is_real = np.array([isinstance(p, Real) for p in space.values()])
        self._owner = np.array(owner)
        self._marks = np.array(marks)
        self._climbed_columns = np.flatnonzero(self.climbs[self._owner])

    @property
    def d(self) -> int:
        """Number of parameters."""
        return self.space.d

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return len(self._owner)

    def snap(self, u: FloatArray) -> FloatArray:
        """The nearest allowed positions; those of real numbers stay."""
        out = np.clip(u, 0.0, 1.0)
        for j in np.flatnonzero(~self._is_real):
            parameter = list(self.space.values())[j]
            out[:, j] = parameter.to_unit(parameter.from_unit(out[:, j]))
        return out

    def columns(self, u: FloatArray) -> FloatArray:
        """What a model sees, (m, c)."""
        out = u[:, self._owner]
        marked = np.isfinite(self._marks)
        if marked.any():
            # Halves of a cell apart: no rounding error makes two values one.
            cells = np.bincount(self._owner)[self._owner[marked]]
            out[:, marked] = np.abs(out[:, marked] - self._marks[marked]) < 0.5 / cells
        return out

    def slopes(self, by_column: FloatArray) -> FloatArray:
        """Derivatives by the positions, (m, d), zero along parameters that are not climbed."""
        out = np.zeros((len(by_column), self.d))
        out[:, self._owner[self._climbed_columns]] = by_column[:, self._climbed_columns]
        return out

    def points(self, u: FloatArray) -> pd.DataFrame:
        """The points in the parameters' own units."""
        return self.space.from_unit(u)

    def positions(self, x: Any) -> FloatArray:
        """Positions of points, (m, d)."""
        return self.space.to_unit(x)
