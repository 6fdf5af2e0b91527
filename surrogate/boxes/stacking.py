"""Dimensional stacking: the share of interest over several binned inputs at once."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from surrogate.boxes.labels import Labels
from surrogate.boxes.table import InputTable
from surrogate.space import Space

__all__ = ["Stacked", "stack_dimensions"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Stacked:
    """The share of interest in every combination of the bins of some inputs.

    Attributes
    ----------
    share : float array of shape (n_rows, n_columns)
        NaN where there is no run.
    count : int array of shape (n_rows, n_columns)
    rows, columns : tuple of str
        The inputs down and across, the outermost (slowest) first.
    bins : dict of str to tuple of str
        The bins of each input in words.
    """

    share: FloatArray
    count: NDArray[np.intp]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    bins: dict[str, tuple[str, ...]]


def stack_dimensions(
    X: Any,
    of_interest: ArrayLike,
    names: Sequence[str] | None = None,
    *,
    space: Space | None = None,
    n_inputs: int = 4,
    n_bins: int = 3,
) -> Stacked:
    """Count runs and runs of interest over the bins of the inputs that matter most.

    Parameters
    ----------
    X : DataFrame or array of shape (n, d)
    of_interest : bool array of shape (n,), or probabilities
    names : sequence of str, optional
        The inputs, the most important first. By default the `n_inputs` whose bins differ most in their share of
        interest, of those with any value.
    space : Space, optional
    n_inputs : int
    n_bins : int
        Equally full bins of a number; few values have a bin each.

    Returns
    -------
    Stacked
        Inputs go to the columns and rows in turn, so that the two most important span the whole table.

    References
    ----------
    .. [1] J. LeBlanc, M. O. Ward, N. Wittels, "Exploring N-dimensional databases", IEEE Visualization 1990.
    .. [2] S. Suzuki, D. Stern, T. Manzocchi, "Using association rule mining and high-dimensional visualization to
       explore the impact of geological features on dynamic flow behavior", SPE 174774, 2015.

    Examples
    --------
    >>> import pandas as pd
    >>> x = pd.DataFrame({"a": [0, 0, 1, 1], "b": [0, 1, 0, 1]})
    >>> stacked = stack_dimensions(x, [False, False, False, True])
    >>> stacked.columns, stacked.rows
    (('a',), ('b',))
    >>> stacked.share
    array([[0., 0.],
           [0., 1.]])
    """
    if n_bins < 2:
        raise ValueError(f"n_bins must be at least 2, got {n_bins}")
    table = InputTable.of(X, space, missing="outside")
    y = Labels.of(of_interest, table.n).y
    binned = {column.name: _binned(table, j, n_bins) for j, column in enumerate(table.columns)}
    if names is None:
        spread = {name: _spread(codes, y) for name, (codes, _) in binned.items() if (codes >= 0).any()}
        names = sorted(spread, key=lambda name: -spread[name])[:n_inputs]
    unknown = [name for name in names if name not in binned]
    if unknown or not names:
        raise ValueError(f"names must be among {', '.join(binned)}, got {list(names)}")
    columns, rows = tuple(names[0::2]), tuple(names[1::2])
    across, n_across = _combined([binned[name] for name in columns], table.n)
    down, n_down = _combined([binned[name] for name in rows], table.n)
    known = (across >= 0) & (down >= 0)
    cell = down[known] * n_across + across[known]
    count = np.bincount(cell, minlength=n_down * n_across)
    total = np.bincount(cell, weights=y[known], minlength=n_down * n_across)
    share = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    bins = {name: binned[name][1] for name in names}
    return Stacked(share.reshape(n_down, n_across), count.reshape(n_down, n_across), rows, columns, bins)


def _binned(table: InputTable, j: int, n_bins: int) -> tuple[NDArray[np.intp], tuple[str, ...]]:
    """The bin of every row, -1 for a missing value, and the bins in words."""
    column, v = table.columns[j], table.values[:, j]
    if column.values:
        return np.where(np.isnan(v), -1, v).astype(np.intp), tuple(map(str, column.values))
    known = np.unique(v[~np.isnan(v)])
    if len(known) <= n_bins:
        codes, words = np.searchsorted(known, v), tuple(_apart(known))
    else:
        edges = np.unique(np.nanquantile(v, np.linspace(0, 1, n_bins + 1)[1:-1]))
        often = edges[0] == known[0]
        if often:
            # The smallest value has a bin of its own; the others share the rest.
            above = v[v > known[0]]
            edges = np.unique(np.append(known[1], np.quantile(above, np.linspace(0, 1, n_bins)[1:-1])))
        codes = np.searchsorted(edges, v, side="right")
        ends = _apart(edges)
        first = f"= {known[0]:.3g}" if often else f"< {ends[0]}"
        words = (first, *(f"{a} to {b}" for a, b in itertools.pairwise(ends)), f">= {ends[-1]}")
    return np.where(np.isnan(v), -1, codes), words


def _apart(values: FloatArray) -> list[str]:
    """Different numbers in words, with as many digits as keep them apart, at least three."""
    for digits in range(3, 18):
        words = [f"{value:.{digits}g}" for value in values]
        if len(set(words)) == len(words):
            break
    return words


def _spread(codes: NDArray[np.intp], y: FloatArray) -> float:
    """Variance of the share of interest between bins."""
    inside = codes >= 0
    count = np.bincount(codes[inside])
    share = np.bincount(codes[inside], weights=y[inside]) / np.maximum(count, 1)
    return float(np.average((share - y[inside].mean()) ** 2, weights=count))


def _combined(parts: Sequence[tuple[NDArray[np.intp], tuple[str, ...]]], n: int) -> tuple[NDArray[np.intp], int]:
    """One number for the bins of several inputs, the first the slowest; -1 if one of them is missing."""
    number, size = np.zeros(n, dtype=np.intp), 1
    absent = np.zeros(n, dtype=bool)
    for codes, words in parts:
        absent |= codes < 0
        number = number * len(words) + codes
        size *= len(words)
    return np.where(absent, -1, number), size
