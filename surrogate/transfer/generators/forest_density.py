"""Points spread over the leaves of a forest."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from surrogate.transfer.generators.base import FloatArray, TableGenerator

__all__ = ["ForestDensity"]

# With more different labels than this they are numbers, not classes.
MAX_CLASSES = 50


class ForestDensity(TableGenerator):
    """A forest's leaves as a density: a leaf by its number of rows, then a point evenly inside the leaf.

    Parameters
    ----------
    n_trees : int
    min_samples_leaf : int
        Rows in a leaf at least.
    random_state : int
        Seed of the forest.

    Notes
    -----
    The forest learns the labels, if there are any; without them it learns to tell the rows from rows whose columns were
    shuffled independently, as in Breiman's unsupervised forests. Leaves are cut off at the box around the data.
    Categories of a point are those of one of the leaf's rows.

    References
    ----------
    .. [1] V. Arzamasov, B. Jochum, K. Böhm, arXiv:2112.13285, 2021: generator *cmmrf* of the package prelim.
    .. [2] L. Breiman, A. Cutler, "Random Forests" manual, 2003: unsupervised learning.

    Examples
    --------
    >>> X = np.random.default_rng(0).random((50, 2))
    >>> new = ForestDensity().fit(X, X[:, 0] > 0.5).draw(3, rng=0)
    >>> bool((new.min(axis=0) >= X.min(axis=0)).all())
    True
    """

    min_rows = 2

    def __init__(self, n_trees: int = 100, *, min_samples_leaf: int = 1, random_state: int = 0) -> None:
        self.n_trees = n_trees
        self.min_samples_leaf = min_samples_leaf
        self.random_state = random_state

    def _learn(self, codes: FloatArray, y: NDArray[Any] | None) -> None:
        self._codes = codes
        options = {
            "n_estimators": self.n_trees,
            "min_samples_leaf": self.min_samples_leaf,
            "random_state": self.random_state,
        }
        if y is None:
            rng = np.random.default_rng(self.random_state)
            shuffled = np.column_stack([rng.permutation(column) for column in codes.T])
            told_apart = np.repeat([1, 0], len(codes))
            forest: Any = RandomForestClassifier(**options).fit(np.concatenate([codes, shuffled]), told_apart)
        elif y.ndim == 1 and (y.dtype.kind in "bOSU" or _few_whole(y)):
            forest = RandomForestClassifier(**options).fit(codes, y)
        else:
            forest = RandomForestRegressor(**options).fit(codes, y)
        lows, highs, rows = [], [], []
        for tree in forest.estimators_:
            low, high = _leaf_boxes(tree.tree_, codes)
            leaf = tree.apply(codes.astype(np.float32))
            for number in np.unique(leaf):
                members = np.flatnonzero(leaf == number)
                lows.append(low[number])
                highs.append(high[number])
                rows.append(members)
        self._low, self._high, self._rows = np.array(lows), np.array(highs), rows

    def _make(self, n: int, rng: np.random.Generator) -> FloatArray:
        counts = np.array([len(rows) for rows in self._rows])
        leaf = rng.choice(len(counts), n, p=counts / counts.sum())
        out = rng.uniform(self._low[leaf], self._high[leaf])
        nominal = self.columns_.nominal
        if nominal.any():
            starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
            donors = np.concatenate(self._rows)[starts[leaf] + (rng.random(n) * counts[leaf]).astype(np.int64)]
            out[:, nominal] = self._codes[np.ix_(donors, nominal)]
        return out


def _few_whole(y: NDArray[Any]) -> bool:
    """Whether numbers may be the names of classes."""
    values = np.unique(y)
    return len(values) <= MAX_CLASSES and bool((values == np.floor(values)).all())


def _leaf_boxes(tree: Any, codes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Lower and upper ends of every node's box, within the box around the data; two arrays of shape (nodes, d)."""
    low = np.tile(codes.min(axis=0), (tree.node_count, 1))
    high = np.tile(codes.max(axis=0), (tree.node_count, 1))
    # Children come after their parents.
    for node in range(tree.node_count):
        left, right, j, cut = (
            tree.children_left[node],
            tree.children_right[node],
            tree.feature[node],
            tree.threshold[node],
        )
        if left < 0:
            continue
        low[[left, right]], high[[left, right]] = low[node], high[node]
        high[left, j] = np.clip(cut, low[node, j], high[node, j])
        low[right, j] = np.clip(cut, low[node, j], high[node, j])
    return low, high
