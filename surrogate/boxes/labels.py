"""What is known of the rows: how far each is of interest, and how much it counts."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Labels", "check_of_interest", "check_weight"]

FloatArray = NDArray[np.float64]

# What all weights together are worth in units: enough for thirteen digits, and few enough that a sum over all sides of
# all columns, in which a row counts more than once, is still a 64-bit number.
UNITS = 2.0**46


@dataclass(frozen=True, eq=False)
class Labels:
    """What is known of the rows: how far each is of interest, and how much it counts.

    Weights are whole multiples of a small unit, so that their sums are exact in any order: boxes that are equally good
    are found to be so, and nothing drifts while rows are taken off a sum one peel after the other.

    Attributes
    ----------
    y : float array of shape (n,)
        1 of interest, 0 not; in between a probability.
    weight : int array of shape (n,), or None where every row counts once
        In multiples of `weight_unit`.
    positive : int array of shape (n,)
        The part of a row's weight that is of interest, in multiples of `positive_unit`.
    weight_unit, positive_unit : float
        Powers of two.
    """

    y: FloatArray
    weight: NDArray[np.int64] | None
    positive: NDArray[np.int64]
    weight_unit: float = 1.0
    positive_unit: float = 1.0

    @classmethod
    def of(cls, of_interest: Any, n: int, sample_weight: Any = None) -> Labels:
        """Checked labels and weights.

        Raises
        ------
        ValueError
            If a shape or value does not fit, or if the labels tell no row from another.
        """
        y = check_of_interest(of_interest, n)
        weight = check_weight(sample_weight, n)
        counted = y if weight is None else y[weight > 0]
        low, high = counted.min(), counted.max()
        if high == 0:
            raise ValueError(f"none of the {len(counted)} runs is of interest: there is no region to find")
        if low == 1:
            raise ValueError(f"all {len(counted)} runs are of interest: there is no other region to tell apart")
        if low == high:
            raise ValueError(f"of_interest must be true or false, got {low} for each of the {len(counted)} runs")
        return cls.weighted(y, weight)

    @classmethod
    def weighted(cls, y: FloatArray, weight: FloatArray | None) -> Labels:
        """Labels and weights that are known to be right."""
        unit = 2.0 ** math.ceil(math.log2((len(y) if weight is None else weight.sum()) / UNITS))
        if weight is None:
            whole = y.astype(np.int64)
            if (whole == y).all():
                return cls(y, None, whole)
            return cls(y, None, _rounded(y / unit), positive_unit=unit)
        return cls(y, _rounded(weight / unit), _rounded(weight * y / unit), unit, unit)

    @property
    def binary(self) -> bool:
        """Whether every row counts once and is of interest or not."""
        return self.weight is None and self.positive_unit == 1.0

    @property
    def taking_part(self) -> NDArray[np.bool_]:
        """Rows that count."""
        return np.ones(len(self.y), dtype=bool) if self.weight is None else self.weight > 0

    @property
    def total(self) -> float:
        """Weight of all rows."""
        return float(len(self.y)) if self.weight is None else int(self.weight.sum()) * self.weight_unit

    def times(self, times: NDArray[Any]) -> Labels:
        """The same with each row taken a whole number of times; rows that are not taken do not take part."""
        weight = np.ones(len(self.y), dtype=np.int64) if self.weight is None else self.weight
        return replace(self, weight=weight * times, positive=self.positive * times)

    def sums(self, rows: NDArray[np.intp]) -> tuple[float, float]:
        """Weight of some rows and the part of it that is of interest."""
        weight = len(rows) if self.weight is None else int(self.weight[rows].sum())
        return weight * self.weight_unit, int(self.positive[rows].sum()) * self.positive_unit

    def counted(self, keys: NDArray[Any], rows: Any, size: int) -> NDArray[np.int64]:
        """Weight and weight of interest of some rows by key, in their units.

        Parameters
        ----------
        keys : array of unsigned integers below `size`, of shape (m,) or (m, k)
            One or several of every row.
        rows : int array of shape (m,), or a slice of them

        Returns
        -------
        int array of shape (2, size)
        """
        positive = self.positive[rows]
        if keys.ndim == 2:
            positive = positive[:, None]
        if self.binary:
            # Rows of interest under keys of their own: one count for both. Keys of two bytes are counted fastest.
            kind: Any = np.uint16 if 2 * size <= 2**16 else np.intp
            marked = positive.astype(kind) * kind(size) + keys.astype(kind, copy=False)
            by_label = np.bincount(marked.ravel(), minlength=2 * size).reshape(2, size)
            by_label[0] += by_label[1]
            return by_label
        flat = keys.ravel()
        weight = None
        if self.weight is not None:
            weight = np.broadcast_to(self.weight[rows].reshape(positive.shape), keys.shape).ravel()
        out = np.empty((2, size), dtype=np.int64)
        out[0] = np.bincount(flat, weights=weight, minlength=size)
        out[1] = np.bincount(flat, weights=np.broadcast_to(positive, keys.shape).ravel(), minlength=size)
        return out


def _rounded(values: FloatArray) -> NDArray[np.int64]:
    return np.round(values).astype(np.int64)


def check_of_interest(of_interest: Any, n: int) -> FloatArray:
    """How far each of `n` rows is of interest: 1, 0 or a probability."""
    given = np.asarray(of_interest)
    if given.shape != (n,):
        raise ValueError(f"of_interest must have shape ({n},) like the rows of X, got {given.shape}")
    try:
        y = given.astype(float)
    except (TypeError, ValueError):
        raise ValueError(f"of_interest must be true or false, got dtype {given.dtype}") from None
    right = (y >= 0) & (y <= 1)
    if not right.all():
        raise ValueError(
            f"of_interest must be true or false, or a probability in [0, 1], got {given[~right][0]!r}; "
            "compare the output with a number first"
        )
    return np.asarray(y, dtype=np.float64)


def check_weight(sample_weight: Any, n: int) -> FloatArray | None:
    """Weights of the rows; None where all are 1."""
    if sample_weight is None:
        return None
    weight = np.asarray(sample_weight, dtype=float)
    if weight.shape != (n,):
        raise ValueError(f"sample_weight must have shape ({n},) like the rows of X, got {weight.shape}")
    if not (np.isfinite(weight) & (weight >= 0)).all():
        raise ValueError("sample_weight must be finite and not negative")
    if not weight.any():
        raise ValueError("sample_weight is zero for every row")
    return None if (weight == 1).all() else weight
