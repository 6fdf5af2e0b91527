"""Nearest rows among points with numbers and categories."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from surrogate.transfer.generators.base import FloatArray
from surrogate.transfer.table import Columns

__all__ = ["nearest_rows", "unit_distances"]

# Beyond this dimension a tree visits nearly every point, and a matrix product is faster.
TREE_DIMENSIONS = 12


def unit_distances(codes: FloatArray, columns: Columns) -> FloatArray:
    """Coordinates whose squared distances count every column alike; array of shape (n, m).

    Numbers are scaled to [0, 1], and two different categories are 1 apart (Bucila et al. 2006, sec. 3.3).
    """
    parts = []
    low, width = codes.min(axis=0), np.ptp(codes, axis=0)
    for j, column in enumerate(columns.columns):
        if column.nominal:
            known = np.arange(len(column.values))
            # Two corners of a cube of this edge are 1 apart.
            parts.append((codes[:, [j]] == known) * np.sqrt(0.5))
        else:
            parts.append((codes[:, [j]] - low[j]) / (width[j] or 1.0))
    return np.hstack(parts).astype(float)


def nearest_rows(points: FloatArray, k: int) -> NDArray[np.int64]:
    """The `k` nearest *other* rows of every row, nearest first; array of shape (n, k).

    Raises
    ------
    ValueError
        If there are not more than `k` rows.
    """
    if len(points) <= k:
        raise ValueError(f"{k} neighbours need at least {k + 1} rows, got n_samples = {len(points)}")
    algorithm = "kd_tree" if points.shape[1] <= TREE_DIMENSIONS else "brute"
    # Asked without points, it leaves out each row itself, also where rows are equal.
    return np.asarray(
        NearestNeighbors(n_neighbors=k, algorithm=algorithm).fit(points).kneighbors(return_distance=False)
    )
