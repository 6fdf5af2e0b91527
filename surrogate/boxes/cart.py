"""Boxes from a classification tree (CART)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeRegressor

from surrogate.boxes.box import Box, BoxUnion, Limits
from surrogate.boxes.choice import supported_accuracy
from surrogate.boxes.finder import BoxFinder, Found, least_weight, trajectory_of
from surrogate.boxes.labels import Labels
from surrogate.boxes.table import InputTable, Interval, Missing, between

__all__ = ["CartBoxes"]


class CartBoxes(BoxFinder):
    """Boxes that the splits of a tree make.

    Every node of the tree is a box. The trajectory runs from the whole space through the best node on to the densest
    leaf below it; the leaves are boxes that do not overlap, and those of interest together are `cover(n)`.

    Parameters
    ----------
    min_support : int or float
        Smallest number of rows in a leaf (their weight, if rows are weighted); below 1 a share of all rows.
    max_leaves : int or None
        Largest number of leaves; the best splits come first.

    Attributes
    ----------
    boxes_ : list of Box
        Nested boxes, the whole space first.
    trajectory_ : DataFrame
        One row a box: ``coverage``, ``density``, ``mass``, ``n_restricted``, ``n_inside``.
    best_ : Box
        Of all nodes the one with the largest :func:`surrogate.boxes.choice.supported_accuracy`.
    best_index_ : int
    leaves_ : list of Box
        From the densest to the least dense.
    leaf_table_ : DataFrame
        One row a leaf, with the same columns as `trajectory_`.
    of_interest_ : bool array of shape (n,)

    References
    ----------
    .. [1] L. Breiman, J. Friedman, C. J. Stone, R. A. Olshen, "Classification and Regression Trees", 1984.
    .. [2] R. J. Lempert, B. P. Bryant, S. C. Bankes, "Comparing Algorithms for Scenario Discovery", RAND WR-557, 2008.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.random((500, 3)), columns=["a", "b", "c"])
    >>> CartBoxes().fit(X, (X["a"] > 0.6) & (X["b"] < 0.5)).best_.rule(digits=1)
    'a >= 0.6 and b <= 0.5'
    """

    # A split sends a missing value one way or the other, which no box can say.
    missing: Missing = "raise"

    def __init__(self, *, min_support: float = 20, max_leaves: int | None = None) -> None:
        self.min_support = min_support
        self.max_leaves = max_leaves

    def _check_parameters(self) -> None:
        if not self.min_support > 0:
            raise ValueError(f"min_support must be positive, got {self.min_support}")
        if self.max_leaves is not None and self.max_leaves < 2:
            raise ValueError(f"max_leaves must be at least 2, got {self.max_leaves}")

    def _search(self, table: InputTable, labels: Labels) -> Found:
        least = least_weight(self.min_support, labels)
        rows = np.flatnonzero(labels.taking_part)
        weight = np.ones(len(rows)) if labels.weight is None else labels.weight[rows] * labels.weight_unit
        features = _Features(table, rows)
        # Squared error of labels is the Gini index of classes, and takes probabilities too.
        tree = DecisionTreeRegressor(
            min_weight_fraction_leaf=min(0.5, least / labels.total * (1 - 1e-9)),
            # Of more than half of the weight there are no two leaves.
            min_samples_split=2 if 2 * least <= labels.total * (1 + 1e-9) else len(rows) + 1,
            max_leaf_nodes=self.max_leaves,
            random_state=0,
        )
        tree.fit(features.matrix, labels.y[rows], sample_weight=weight)
        nodes = list(features.nodes(tree.tree_))
        found = Found.counted([limits for limits, _, _ in nodes], table, labels)
        scores = supported_accuracy(trajectory_of(found), labels.total).to_numpy(copy=True)
        # Of equals the one nearest to the root.
        scores[1:][found.positive[1:] * found.weight[0] <= found.positive[0] * found.weight[1:]] = -np.inf
        best = int(np.argmax(scores[1:])) + 1 if len(nodes) > 1 and np.isfinite(scores[1:]).any() else 0
        path = [best]
        while path[0]:
            path.insert(0, nodes[path[0]][1])
        density = found.positive / np.maximum(found.weight, labels.weight_unit)
        while children := nodes[path[-1]][2]:
            path.append(max(children, key=lambda i: density[i]))
        self._best_depth = path.index(best)
        leaves = [i for i, (_, _, children) in enumerate(nodes) if not children]
        leaves.sort(key=lambda i: (-density[i], -found.weight[i]))
        self.leaves_ = [Box(found.limits[i], units=table.units) for i in leaves]
        self.leaf_table_ = trajectory_of(_part(found, leaves), found).rename_axis("leaf")
        return _part(found, path)

    def _choose(self) -> int:
        return self._best_depth

    def cover(self, n: int) -> BoxUnion:
        """Up to `n` leaves, the densest first, that are denser than the whole space.

        Parameters
        ----------
        n : int
            At least 1.

        Returns
        -------
        BoxUnion
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        dense = int((self.leaf_table_["density"] > self.trajectory_["density"].iloc[0]).sum())
        return BoxUnion(tuple(self.leaves_[: max(1, min(n, dense))]))


def _part(found: Found, which: list[int]) -> Found:
    return Found([found.limits[i] for i in which], found.weight[which], found.positive[which], found.n_inside[which])


class _Features:
    """A table as the tree sees it: ranks, which 32-bit numbers keep apart, and one column a category."""

    def __init__(self, table: InputTable, rows: NDArray[np.intp]) -> None:
        self.table = table
        self.source: list[tuple[int, int]] = []  # input, and category or -1
        self.distinct: dict[int, NDArray[np.float64]] = {}
        columns = []
        for j, column in enumerate(table.columns):
            v = table.values[rows, j]
            if column.kind == "categorical":
                for code in range(len(column.values)):
                    columns.append(v == code)
                    self.source.append((j, code))
            else:
                self.distinct[j], rank = np.unique(v, return_inverse=True)
                columns.append(rank)
                self.source.append((j, -1))
        self.matrix = np.column_stack(columns).astype(np.float32)

    def nodes(self, tree: Any) -> Iterator[tuple[dict[str, Limits], int, list[int]]]:
        """Limits, parent and children of every node, the root first, each before its children."""
        limits: list[dict[int, Interval]] = [{} for _ in range(tree.node_count)]
        parents = [0] * tree.node_count
        for i in range(tree.node_count):
            left, right = int(tree.children_left[i]), int(tree.children_right[i])
            children = [] if left < 0 else [left, right]
            if children:
                feature, threshold = int(tree.feature[i]), float(tree.threshold[i])
                for child, below in ((left, True), (right, False)):
                    limits[child] = self._narrowed(limits[i], feature, threshold, below)
                    parents[child] = i
            yield self.table.named(limits[i]), parents[i], children

    def _narrowed(
        self, limits: Mapping[int, Interval], feature: int, threshold: float, below: bool
    ) -> dict[int, Interval]:
        j, code = self.source[feature]
        if code >= 0:
            whole = frozenset(range(len(self.table.columns[j].values)))
            known = limits.get(j, whole)
            one = frozenset([code])
            return {**limits, j: known - one if below else known & one}  # type: ignore[operator]
        rank = int(np.floor(threshold))
        lower, upper = (float(v) for v in self.distinct[j][rank : rank + 2])
        low, high = limits.get(j, (-np.inf, np.inf))
        return {**limits, j: (low, between(lower, upper)) if below else (between(upper, lower), high)}
