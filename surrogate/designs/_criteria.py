"""What makes a set of points good, as sums over pairs that an exchange of two values changes cheaply.

A criterion holds the points as codes into each column's list of values, and per column a table of what two values
contribute to a pair. Exchanging the values of rows i and j in one column changes only the pairs of i and of j, so a
candidate costs O(n), and all candidates of one row are judged together by NumPy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CenteredDiscrepancy",
    "Correlations",
    "Criterion",
    "MaxPro",
    "PhiP",
    "Points",
    "squared_distances",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Sums that have fallen to this share of their highest value since they were last added up are added up anew: what
# points that coincided added and took away again has left rounding errors that now count.
CANCELLED = 1e-3


@dataclass(frozen=True, eq=False)
class Points:
    """Positions as a criterion sees them.

    Attributes
    ----------
    x : array of shape (n, d)
        In the unit cube; a discrete value is at the middle of its cell.
    levels : int array of shape (d,)
        Number of values of a discrete column, 0 for a continuous one.
    nominal : bool array of shape (d,)
        Whether a column's values have no order.
    """

    x: FloatArray
    levels: IntArray
    nominal: NDArray[np.bool_]


def nominal_distance(levels: int) -> float:
    """Squared distance of two different categories: on average two points are then as far apart as in a uniform column.

    Two independent uniform positions have mean squared distance 1/6; two of k categories differ with probability
    1 - 1/k.
    """
    return 1 / (6 * (1 - 1 / levels))


def squared_distances(points: Points, a: FloatArray | None = None, b: FloatArray | None = None) -> FloatArray:
    """Between all rows, (n, n); or between positions `a`, (m, d), and `b`, (k, d), in the columns of `points`."""
    a = points.x if a is None else a
    b = a if b is None else b
    total = np.zeros((len(a), len(b)))
    for k in range(a.shape[1]):
        total += squared_between(a[:, k], b[:, k], int(points.levels[k]), bool(points.nominal[k]))
    return total


def _squared(values: FloatArray, levels: int, nominal: bool) -> FloatArray:
    return squared_between(values, values, levels, nominal)


def squared_between(a: FloatArray, b: FloatArray, levels: int, nominal: bool) -> FloatArray:
    """What one column contributes to the squared distances of some rows, which have `a`, to others, which have `b`."""
    if nominal:
        return np.asarray((a[:, None] != b[None, :]) * nominal_distance(levels))
    return np.asarray((a[:, None] - b[None, :]) ** 2)


def maxpro_factor(values: FloatArray, levels: int, nominal: bool) -> FloatArray:
    """:func:`maxpro_between` all rows; none makes a pair with itself."""
    factor = maxpro_between(values, values, levels, nominal)
    np.fill_diagonal(factor, 1.0)
    return factor


def maxpro_between(a: FloatArray, b: FloatArray, levels: int, nominal: bool) -> FloatArray:
    """What one column contributes to a pair's product (Joseph, Gul and Ba 2015, eq. 5; for discrete columns 2020).

    Equal values of a discrete column get a distance of one cell instead of none.
    """
    gap = (a[:, None] != b[None, :]) * 1.0 if nominal else np.abs(a[:, None] - b[None, :])
    if levels:
        gap = gap + 1 / levels
    # Continuous values are all different in a Latin hypercube; the floor keeps others finite.
    return np.asarray(1 / np.maximum(gap, 1e-12) ** 2)


def centred_factor(values: FloatArray) -> FloatArray:
    """What one column contributes to a pair's product in the centred discrepancy (Hickernell 1998, eq. 5.1)."""
    z = np.abs(values - 0.5)
    return np.asarray(1 + 0.5 * (z[:, None] + z[None, :]) - 0.5 * np.abs(values[:, None] - values[None, :]))


class Criterion(Protocol):
    """A number to be made small, and how exchanges change it."""

    value: float
    temperature: float

    def pick(self, movable: IntArray, rng: np.random.Generator) -> int:
        """A row worth moving."""

    def deltas(self, i: int, k: int, partners: IntArray) -> FloatArray:
        """Change of the value if rows i and each of `partners` exchange their values in column k."""

    def accept(self, which: int) -> None:
        """Carry out the exchange at this position of the last :meth:`deltas`."""


class _Tables:
    """Codes and pair tables by column; equal columns share a table."""

    def __init__(self, points: Points, factor: Any) -> None:
        self.codes = np.empty(points.x.shape, dtype=np.int64)
        self.values: list[FloatArray] = []
        self.tables: list[FloatArray] = []
        shared: dict[tuple[bytes, int, bool], FloatArray] = {}
        for k in range(points.x.shape[1]):
            values, self.codes[:, k] = np.unique(points.x[:, k], return_inverse=True)
            key = (values.tobytes(), int(points.levels[k]), bool(points.nominal[k]))
            if key not in shared:
                shared[key] = factor(values, key[1], key[2])
            self.values.append(values)
            self.tables.append(shared[key])

    def pairs(self, k: int) -> FloatArray:
        return np.asarray(self.tables[k][np.ix_(self.codes[:, k], self.codes[:, k])])

    def rows(self, i: int, k: int, partners: IntArray) -> tuple[FloatArray, FloatArray]:
        """Contributions of column k to the pairs of row i, and of each partner."""
        codes, table = self.codes[:, k], self.tables[k]
        return table[codes[i]][codes], table[codes[partners]][:, codes]


def _uniform(movable: IntArray, rng: np.random.Generator) -> int:
    return int(movable[rng.integers(len(movable))])


def _by_weight(row: FloatArray, movable: IntArray, rng: np.random.Generator) -> int:
    """One of the rows, in proportion to what it contributes."""
    # Updates leave rounding errors, which may make the smallest contributions negative.
    total = np.cumsum(np.maximum(row[movable], 0.0))
    return int(movable[min(np.searchsorted(total, rng.random() * total[-1]), len(movable) - 1)])


class PhiP:
    """Sum of distances to the power -p over all pairs (Morris and Mitchell 1995), with p = 16.

    The power is even and a power of two, so that it is four multiplications of squared distances.
    """

    temperature = 0.005

    def __init__(self, points: Points) -> None:
        self._tables = _Tables(points, _squared)
        self._distance = squared_distances(points)
        np.fill_diagonal(self._distance, np.inf)
        self._scale = points.x.shape[1] / 6
        self._energy = self._power(self._distance)
        self._sum_up()

    def _sum_up(self) -> None:
        self._row = self._energy.sum(axis=1)
        self.value = self._peak = float(self._row.sum() / 2)

    def _power(self, squared: FloatArray) -> FloatArray:
        # Points that coincide are as bad as it gets, yet must stay comparable.
        r = self._scale / np.maximum(squared, 1e-9)
        for _ in range(3):
            r *= r
        return np.asarray(r)

    def pick(self, movable: IntArray, rng: np.random.Generator) -> int:
        # Only the closest points decide the smallest distance.
        return _by_weight(self._row, movable, rng)

    def deltas(self, i: int, k: int, partners: IntArray) -> FloatArray:
        here, there = self._tables.rows(i, k, partners)
        change = there - here
        which = np.arange(len(partners))
        row_i = self._distance[i] + change
        row_j = self._distance[partners] - change
        # The pair itself keeps its distance, and no point has one to itself.
        row_i[which, partners] = row_j[:, i] = self._distance[i, partners]
        row_i[:, i] = row_j[which, partners] = np.inf
        energy_i, energy_j = self._power(row_i), self._power(row_j)
        self._trial = i, k, partners, row_i, row_j, energy_i, energy_j
        return np.asarray(energy_i.sum(axis=1) + energy_j.sum(axis=1) - self._row[i] - self._row[partners])

    def accept(self, which: int) -> None:
        i, k, partners, row_i, row_j, energy_i, energy_j = self._trial
        j = partners[which]
        self._row += energy_i[which] - self._energy[i] + energy_j[which] - self._energy[j]
        for row, distance, energy in ((i, row_i[which], energy_i[which]), (j, row_j[which], energy_j[which])):
            self._distance[row] = self._distance[:, row] = distance
            self._energy[row] = self._energy[:, row] = energy
            self._row[row] = energy.sum()
        codes = self._tables.codes[:, k]
        codes[i], codes[j] = codes[j], codes[i]
        self.value = float(self._row.sum() / 2)
        self._peak = max(self._peak, self.value)
        if self.value < CANCELLED * self._peak:
            self._sum_up()


class _Product:
    """A sum over pairs of products over columns, plus sums over rows of products over columns."""

    temperature = 0.001

    def __init__(self, points: Points, factor: Any) -> None:
        self._tables = _Tables(points, factor)
        self._product = np.ones((len(points.x), len(points.x)))
        for k in range(points.x.shape[1]):
            self._product *= self._tables.pairs(k)
        np.fill_diagonal(self._product, 0.0)
        self._pairs = float(self._product.sum() / 2)

    def pick(self, movable: IntArray, rng: np.random.Generator) -> int:
        return _uniform(movable, rng)

    def deltas(self, i: int, k: int, partners: IntArray) -> FloatArray:
        here, there = self._tables.rows(i, k, partners)
        ratio = there / here
        change = self._product[i] * (ratio - 1)
        change += self._product[partners] * (1 / ratio - 1)
        which = np.arange(len(partners))
        self._trial = i, k, partners, ratio
        # The pair itself does not change.
        self._change = change.sum(axis=1) - change[:, i] - change[which, partners]
        return np.asarray(self._change)

    def accept(self, which: int) -> None:
        i, k, partners, ratio = self._trial
        j = partners[which]
        row_i, row_j = self._product[i] * ratio[which], self._product[j] / ratio[which]
        row_i[j] = row_j[i] = self._product[i, j]
        row_i[i] = row_j[j] = 0.0
        self._product[i] = self._product[:, i] = row_i
        self._product[j] = self._product[:, j] = row_j
        codes = self._tables.codes[:, k]
        codes[i], codes[j] = codes[j], codes[i]
        self._pairs += float(self._change[which])


class MaxPro(_Product):
    """Sum over pairs of the inverse product of squared differences (Joseph, Gul and Ba 2015)."""

    temperature = 0.005

    def __init__(self, points: Points) -> None:
        super().__init__(points, maxpro_factor)
        self._sum_up()

    def _sum_up(self) -> None:
        self._row = self._product.sum(axis=1)
        self.value = self._peak = self._pairs = float(self._row.sum() / 2)

    def pick(self, movable: IntArray, rng: np.random.Generator) -> int:
        return _by_weight(self._row, movable, rng)

    def accept(self, which: int) -> None:
        i, _, partners, _ = self._trial
        j = partners[which]
        before = self._product[i] + self._product[j]
        super().accept(which)
        self._row += self._product[i] + self._product[j] - before
        self._row[[i, j]] = self._product[[i, j]].sum(axis=1)
        self.value = self._pairs
        self._peak = max(self._peak, self.value)
        if self.value < CANCELLED * self._peak:
            self._sum_up()


class CenteredDiscrepancy(_Product):
    """Squared centred discrepancy (Hickernell 1998) in units of 1/n^2, without its constant."""

    def __init__(self, points: Points) -> None:
        super().__init__(points, lambda values, levels, nominal: centred_factor(values))
        self._n, d = points.x.shape
        z = [np.abs(values - 0.5) for values in self._tables.values]
        self._single = [1 + 0.5 * v - 0.5 * v * v for v in z]
        self._double = [1 + v for v in z]
        codes = self._tables.codes
        self._singles = np.prod([self._single[k][codes[:, k]] for k in range(d)], axis=0)
        self._doubles = np.prod([self._double[k][codes[:, k]] for k in range(d)], axis=0)
        constant = (13 / 12) ** d * self._n**2
        self.value = float(constant - 2 * self._n * self._singles.sum() + 2 * self._pairs + self._doubles.sum())

    def deltas(self, i: int, k: int, partners: IntArray) -> FloatArray:
        pairs = super().deltas(i, k, partners)
        codes = self._tables.codes[:, k]
        single = self._single[k][codes[partners]] / self._single[k][codes[i]]
        double = self._double[k][codes[partners]] / self._double[k][codes[i]]
        self._ratios = single, double
        singles = self._singles[i] * (single - 1) + self._singles[partners] * (1 / single - 1)
        doubles = self._doubles[i] * (double - 1) + self._doubles[partners] * (1 / double - 1)
        self._total = 2 * pairs - 2 * self._n * singles + doubles
        return np.asarray(self._total)

    def accept(self, which: int) -> None:
        i, _, partners, _ = self._trial
        j = partners[which]
        for products, ratio in zip((self._singles, self._doubles), self._ratios):
            products[i] *= ratio[which]
            products[j] /= ratio[which]
        super().accept(which)
        self.value += float(self._total[which])


class Correlations:
    """Sum of squared correlations between columns."""

    temperature = 0.0

    def __init__(self, points: Points) -> None:
        centred = points.x - points.x.mean(axis=0)
        length = np.linalg.norm(centred, axis=0)
        self._z = centred / np.where(length > 0, length, 1.0)
        self._gram = self._z.T @ self._z
        np.fill_diagonal(self._gram, 0.0)
        self.value = float((self._gram**2).sum() / 2)

    def pick(self, movable: IntArray, rng: np.random.Generator) -> int:
        return _uniform(movable, rng)

    def deltas(self, i: int, k: int, partners: IntArray) -> FloatArray:
        step = self._z[partners, k] - self._z[i, k]
        change = step[:, None] * (self._z[i] - self._z[partners])
        change[:, k] = 0.0
        self._trial = i, k, partners, change
        return np.asarray((change * (2 * self._gram[k] + change)).sum(axis=1))

    def accept(self, which: int) -> None:
        i, k, partners, change = self._trial
        j = partners[which]
        self._gram[k] += change[which]
        self._gram[:, k] += change[which]
        self._z[[i, j], k] = self._z[[j, i], k]
        self.value = float((self._gram**2).sum() / 2)
