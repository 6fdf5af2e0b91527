"""Parts of the rows to hold out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from surrogate.boxes.labels import Labels

__all__ = ["stratified_folds"]


def stratified_folds(labels: Labels, n: int, rng: np.random.Generator) -> list[NDArray[np.bool_]]:
    """Rows to hold out, in `n` parts that hold about equally many of interest.

    Returns
    -------
    list of n bool arrays
        Each true for the held-out rows; fewer if there are fewer rows.
    """
    rows = np.flatnonzero(labels.taking_part)
    # Sorted by label with chance between equals, every n-th row: as good for probabilities as for classes.
    order = rows[np.lexsort((rng.random(len(rows)), labels.y[rows]))]
    n = min(n, len(rows))
    folds = []
    for k in range(n):
        held_out = np.zeros(len(labels.y), dtype=bool)
        held_out[order[k::n]] = True
        folds.append(held_out)
    return folds
