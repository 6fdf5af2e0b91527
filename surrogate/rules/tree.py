"""A decision tree for millions of rows."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from surrogate.rules import kernels

__all__ = ["BinnedTree", "Nodes"]

FloatArray = NDArray[np.float64]
Ints = NDArray[np.int64]

# Quantiles are read off so many rows.
QUANTILE_ROWS = 100_000

# Histograms of nodes with fewer rows are counted again when they are needed: keeping them would cost more memory than
# counting costs time.
KEEP_ROWS = 4096

# Refinement grows a tree to so many times its size before it prunes.
OVERGROW = 4


@dataclass(frozen=True, eq=False)
class Nodes:
    """A binary tree as arrays, node 0 being the root.

    Attributes
    ----------
    feature : int array of shape (m,)
        Column of the test; -1 in a leaf.
    threshold : float array of shape (m,)
        A row with a value up to this goes left.
    left, right : int array of shape (m,)
        Children; -1 in a leaf.
    value : float array of shape (m, k)
        Weight of each class among the training rows.
    """

    feature: Ints
    threshold: FloatArray
    left: Ints
    right: Ints
    value: FloatArray

    def __len__(self) -> int:
        return len(self.feature)

    @property
    def leaves(self) -> Ints:
        """Numbers of the leaves."""
        return np.flatnonzero(self.feature < 0)

    @property
    def depth(self) -> Ints:
        """Depth of every node; the root's is 0."""
        out = np.zeros(len(self), dtype=np.int64)
        # Level by level, since children may have smaller numbers than parents.
        level = np.array([0])
        while len(level):
            inner = level[self.feature[level] >= 0]
            children = np.concatenate([self.left[inner], self.right[inner]])
            out[children] = np.concatenate([out[inner], out[inner]]) + 1
            level = children
        return out

    def apply(self, X: NDArray[Any]) -> Ints:
        """The leaf of every row; int array of shape (n,)."""
        node = np.zeros(len(X), dtype=np.int64)
        active = np.flatnonzero(self.feature[node] >= 0)
        while len(active):
            at = node[active]
            goes_left = X[active, self.feature[at]] <= self.threshold[at]
            node[active] = np.where(goes_left, self.left[at], self.right[at])
            active = active[self.feature[node[active]] >= 0]
        return node


class BinnedTree(ClassifierMixin, BaseEstimator):
    """A classification tree on binned columns, grown best leaf first, for hard or soft labels.

    Columns are cut into at most `max_bins` bins of about as many rows each; a split is the best of the cuts between
    bins by Gini impurity, read off a histogram that is counted for the smaller of two siblings and subtracted for the
    other. So a split costs time proportional to rows times columns and no sorting.

    Parameters
    ----------
    max_leaf_nodes : int, optional
        The leaf that gains most is split next, until there are so many.
    max_depth : int, optional
    min_samples_leaf : float
        Least weight of a leaf.
    max_bins : int
        At most 256.
    n_refine : int
        Rounds of tree alternating optimisation after growing [1]_: from the bottom up, every test is replaced by the
        one that sends most rows to a child that answers right, given the subtrees below. Leaves that no row reaches
        any more are given to others. A refined tree of the same size answers more rows right; it needs many rows.

    Attributes
    ----------
    classes_ : array of shape (k,)
    nodes_ : Nodes
    n_leaves_ : int
    n_features_in_ : int
    feature_names_in_ : array of shape (d,), if fitted on a DataFrame

    References
    ----------
    .. [1] M. A. Carreira-Perpinan, P. Tavallali, "Alternating Optimization of Decision Trees, with Application to
       Learning Sparse Oblique Trees", NeurIPS 2018.
    .. [2] G. Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree", NIPS 2017: histograms,
       subtraction and growth by leaf.

    Examples
    --------
    >>> X = np.random.default_rng(0).random((1000, 2))
    >>> tree = BinnedTree(max_leaf_nodes=3).fit(X, (X[:, 0] > 0.5) & (X[:, 1] > 0.3))
    >>> tree.n_leaves_, tree.predict([[0.9, 0.9], [0.1, 0.9]]).tolist()
    (3, [True, False])
    """

    soft_labels = True  # y may be probabilities

    def __init__(
        self,
        max_leaf_nodes: int | None = None,
        *,
        max_depth: int | None = None,
        min_samples_leaf: float = 1,
        max_bins: int = 64,
        n_refine: int = 0,
    ) -> None:
        self.max_leaf_nodes = max_leaf_nodes
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.max_bins = max_bins
        self.n_refine = n_refine

    def fit(self, X: Any, y: Any, *, sample_weight: Any = None, classes: Any = None) -> BinnedTree:
        """Grow the tree.

        Parameters
        ----------
        X : array or DataFrame of numbers of shape (n, d)
            Bytes and small integers stay as small as they are.
        y : array of shape (n,) or (n, k)
            Classes, or probabilities of `classes`.
        sample_weight : array of shape (n,), optional
        classes : array of shape (k,), optional
            Names of the columns of probabilities, in order; with classes in `y` it is not needed.

        Returns
        -------
        self
        """
        self._check_parameters()
        X = validate_data(self, X, dtype=[np.float64, np.float32, np.uint8, np.int16, np.int32, np.int64])
        labels = self._labels(X, y, sample_weight, classes)
        if not labels.weight.all():
            # Rows that count for nothing must not shape the bins either.
            X, labels = X[labels.weight > 0], labels.take(labels.weight > 0)
        self.edges_ = [_cuts(X[:, j], self.max_bins, labels.weight) for j in range(X.shape[1])]
        grower = _Grower(_binned(X, self.edges_), labels, self)
        limit = self.max_leaf_nodes or np.iinfo(np.int64).max
        grower.grow(limit)
        for _ in range(self.n_refine):
            grower.grow(OVERGROW * limit)
            grower.prune(limit)
            grower.alternate()
        grower.grow(limit)
        self.nodes_ = grower.nodes(self.edges_)
        self.n_leaves_ = len(self.nodes_.leaves)
        return self

    def _check_parameters(self) -> None:
        if self.max_leaf_nodes is not None and self.max_leaf_nodes < 1:
            raise ValueError(f"max_leaf_nodes must be at least 1, got {self.max_leaf_nodes}")
        if self.max_depth is not None and self.max_depth < 0:
            raise ValueError(f"max_depth must not be negative, got {self.max_depth}")
        if not 2 <= self.max_bins <= 256:
            raise ValueError(f"max_bins must lie between 2 and 256, got {self.max_bins}")
        if not self.min_samples_leaf > 0:
            raise ValueError(f"min_samples_leaf must be positive, got {self.min_samples_leaf}")

    def _labels(self, X: Any, y: Any, sample_weight: Any, classes: Any) -> _Labels:
        y = np.asarray(y)
        if y.ndim == 2 and y.shape[1] > 1:
            if y.shape[0] != len(X):
                raise ValueError(f"y must have as many rows as X ({len(X)}), got {len(y)}")
            if classes is None or len(classes) != y.shape[1]:
                raise ValueError(f"y has {y.shape[1]} columns of probabilities: classes must name them, got {classes}")
            self.classes_ = np.asarray(classes)
            weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
            p = (y * weight[:, None]).astype(np.float32)
            return _Labels(weight, p, np.empty(0, dtype=np.int64), p.shape[1])
        y = column_or_1d(y, warn=True)
        check_consistent_length(X, y)
        check_classification_targets(y)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if not weight.any():
            raise ValueError("sample_weight: every weight is zero")
        self.classes_, codes = np.unique(y, return_inverse=True)
        return _Labels(weight, None, codes.astype(np.int64), len(self.classes_))

    def apply(self, X: Any) -> Ints:
        """Number of the leaf of every row, as in ``nodes_``; array of shape (m,)."""
        check_is_fitted(self)
        return self.nodes_.apply(validate_data(self, X, reset=False, dtype="numeric"))

    def predict_proba(self, X: Any) -> FloatArray:
        """Shares of the classes in each row's leaf; array of shape (m, k)."""
        leaf = self.apply(X)
        value = self.nodes_.value[leaf]
        return np.asarray(value / value.sum(axis=1, keepdims=True))

    def predict(self, X: Any) -> NDArray[Any]:
        """The commonest class of each row's leaf; array of shape (m,)."""
        leaf = self.apply(X)
        return np.asarray(self.classes_[self.nodes_.value[leaf].argmax(axis=1)])


class _Labels:
    """What rows count for: a class with a weight, or a probability a class (then there are no codes)."""

    def __init__(self, weight: FloatArray, p: NDArray[np.float32] | None, codes: Ints, n_classes: int) -> None:
        self.weight, self.p, self.codes, self.n_classes = weight, p, codes, n_classes

    def take(self, mask: NDArray[np.bool_]) -> _Labels:
        """Those of some rows."""
        p = None if self.p is None else self.p[mask]
        return _Labels(self.weight[mask], p, self.codes if p is not None else self.codes[mask], self.n_classes)

    def histogram(self, bins: NDArray[np.uint8], rows: Ints, n_bins: int) -> FloatArray:
        if self.p is not None:
            return np.asarray(kernels.soft_histogram(bins, rows, self.p, n_bins))
        return np.asarray(kernels.class_histogram(bins, rows, self.codes, self.weight, n_bins, self.n_classes))

    def totals(self, rows: Ints) -> FloatArray:
        """Weight of each class of some rows; shape (k,)."""
        if self.p is not None:
            return np.asarray(self.p[rows].sum(axis=0, dtype=float))
        return np.bincount(self.codes[rows], self.weight[rows], self.n_classes).astype(float)

    def gain(self, rows: Ints, one: Ints, other: Ints) -> FloatArray:
        """How much more is right if a row is said to be of class `one` instead of `other`."""
        if self.p is not None:
            return (self.p[rows, one] - self.p[rows, other]).astype(float)
        right = (self.codes[rows] == one).astype(float) - (self.codes[rows] == other)
        return np.asarray(right * self.weight[rows])


class _Grower:
    """A tree under way, on bins."""

    def __init__(self, bins: NDArray[np.uint8], labels: _Labels, tree: BinnedTree) -> None:
        self.bins, self.labels = bins, labels
        self.n_bins = int(bins.max(initial=0)) + 1
        self.least = float(tree.min_samples_leaf)
        self.max_depth = tree.max_depth if tree.max_depth is not None else np.iinfo(np.int64).max
        self._clear()
        every = np.arange(len(bins))
        self.rows[self._add(labels.totals(every), 0)] = every

    def _clear(self) -> None:
        self.feature: list[int] = []
        self.cut: list[int] = []
        self.left: list[int] = []
        self.right: list[int] = []
        self.value: list[FloatArray] = []
        self.level: list[int] = []
        self.rows: dict[int, Ints] = {}  # of the leaves

    def _add(self, value: FloatArray, level: int) -> int:
        for column, entry in (
            (self.feature, -1),
            (self.cut, 0),
            (self.left, -1),
            (self.right, -1),
            (self.level, level),
        ):
            column.append(entry)
        self.value.append(value)
        return len(self.feature) - 1

    @property
    def n_leaves(self) -> int:
        return sum(1 for feature in self.feature if feature < 0)

    def grow(self, max_leaves: int) -> None:
        """Split the leaves that gain most until there are so many."""
        queue: list[tuple[float, int, int, int]] = []
        kept: dict[int, FloatArray] = {}
        n_leaves = self.n_leaves

        def offer(node: int, histogram: FloatArray | None) -> None:
            rows = self.rows[node]
            if self.level[node] >= self.max_depth or len(rows) < 2 or (self.value[node] > 0).sum() < 2:
                return
            counted = self.labels.histogram(self.bins, rows, self.n_bins) if histogram is None else histogram
            gain, column, cut = kernels.best_split(counted, self.least)
            if column >= 0:
                heapq.heappush(queue, (-gain, node, column, cut))
                if len(rows) >= KEEP_ROWS:
                    kept[node] = counted

        if n_leaves < max_leaves:
            for node in list(self.rows):
                offer(node, None)
        while queue and n_leaves < max_leaves:
            _, node, column, cut = heapq.heappop(queue)
            rows = self.rows.pop(node)
            goes_left = self.bins[rows, column] <= cut
            parts = rows[goes_left], rows[~goes_left]
            children = [self._add(self.labels.totals(part), self.level[node] + 1) for part in parts]
            self.feature[node], self.cut[node], (self.left[node], self.right[node]) = column, cut, children
            self.rows.update(zip(children, parts))
            n_leaves += 1
            whole = kept.pop(node, None)
            small, large = sorted(range(2), key=lambda side: len(parts[side]))
            counted = None
            if whole is not None:
                counted = self.labels.histogram(self.bins, parts[small], self.n_bins)
                whole -= counted
            offer(children[small], counted)
            offer(children[large], whole)

    def prune(self, max_leaves: int) -> None:
        """Cut off the branches that answer the fewest rows right for their leaves, until so many leaves are left.

        Weakest-link pruning of Breiman et al. (1984), ch. 3.3, by the rows answered right.
        """
        right_as_leaf = np.array([value.max() for value in self.value])
        parent = {child: node for node in range(len(self.feature)) for child in (self.left[node], self.right[node])}
        size, right_below = np.ones(len(self.feature), dtype=np.int64), right_as_leaf.copy()
        version: dict[int, int] = {}
        # Children have larger numbers than their parents.
        for node in range(len(self.feature) - 1, -1, -1):
            if self.feature[node] >= 0:
                children = [self.left[node], self.right[node]]
                size[node], right_below[node] = size[children].sum(), right_below[children].sum()
        queue: list[tuple[float, int, int]] = []

        def offer(node: int) -> None:
            version[node] = version.get(node, 0) + 1
            loss = (right_below[node] - right_as_leaf[node]) / (size[node] - 1)
            heapq.heappush(queue, (float(loss), node, version[node]))

        for node, feature in enumerate(self.feature):
            if feature >= 0:
                offer(node)
        pruned = False
        while size[0] > max_leaves:
            _, node, number = heapq.heappop(queue)
            if version[node] != number or size[node] == 1:
                continue
            removed, lost = size[node] - 1, right_below[node] - right_as_leaf[node]
            self.feature[node], pruned = -1, True
            below = [self.left[node], self.right[node]]
            for child in below:  # nodes of the branch are no longer offered
                version[child] = -1
                if self.feature[child] >= 0:
                    below += (self.left[child], self.right[child])
            size[node], right_below[node] = 1, right_as_leaf[node]
            while node in parent and parent[node] >= 0:
                node = parent[node]
                size[node] -= removed
                right_below[node] -= lost
                offer(node)
        if pruned:
            self._rebuild(*self._arrays())

    def _arrays(self) -> tuple[Ints, Ints, Ints, Ints]:
        return tuple(np.array(entries, dtype=np.int64) for entries in (self.feature, self.cut, self.left, self.right))  # type: ignore[return-value]

    def alternate(self) -> None:
        """One round of tree alternating optimisation: better every test, from the bottom up."""
        feature, cut, left, right = self._arrays()
        n = len(self.bins)
        answer = np.array(self.value).argmax(axis=1)
        level = np.array(self.level)
        # Where each row is at each level: tests above do not change while those below are bettered.
        places = [np.zeros(n, dtype=np.int64)]
        for _ in range(int(level.max())):
            at = places[-1].copy()
            inner = np.flatnonzero(feature[at] >= 0)
            here = at[inner]
            at[inner] = np.where(self.bins[inner, feature[here]] <= cut[here], left[here], right[here])
            places.append(at)
        for depth in range(int(level.max()) - 1, -1, -1):
            at = places.pop(depth)
            rows = np.flatnonzero((feature[at] >= 0) & (level[at] == depth))
            at = at[rows]
            one = answer[kernels.descend(self.bins, rows, left[at], feature, cut, left, right)]
            other = answer[kernels.descend(self.bins, rows, right[at], feature, cut, left, right)]
            # Only rows count that one subtree answers better than the other.
            sign = self.labels.gain(rows, one, other)
            matters = np.flatnonzero(sign)
            matters = matters[np.argsort(at[matters], kind="stable")]
            rows, at, sign = rows[matters], at[matters], sign[matters]
            starts = np.flatnonzero(np.diff(at, prepend=-1))
            for start, end in zip(starts, [*starts[1:], len(at)]):
                node, mine, signs = at[start], rows[start:end], sign[start:end]
                now = float(signs[self.bins[mine, feature[node]] <= cut[node]].sum())
                best, column, where = kernels.best_cut(kernels.sign_histogram(self.bins, mine, signs, self.n_bins))
                if column >= 0 and best > now + 1e-9:
                    feature[node], cut[node] = column, where
        self._rebuild(feature, cut, left, right)

    def _rebuild(self, feature: Ints, cut: Ints, left: Ints, right: Ints) -> None:
        """The same tree without tests whose one side no row reaches; rows and values of all nodes counted anew."""
        n = len(self.bins)
        leaf = kernels.descend(self.bins, np.arange(n), np.zeros(n, dtype=np.int64), feature, cut, left, right)
        order = np.argsort(leaf, kind="stable")
        numbers, starts = np.unique(leaf[order], return_index=True)
        rows_of = dict(zip(numbers.tolist(), np.split(order, starts[1:])))
        # Parents before children, so that backwards every node's children are known before itself.
        sequence = [0]
        for node in sequence:
            if feature[node] >= 0:
                sequence += (int(left[node]), int(right[node]))
        reached = np.zeros(len(feature), dtype=bool)
        for node in reversed(sequence):
            reached[node] = node in rows_of if feature[node] < 0 else reached[left[node]] or reached[right[node]]

        self._clear()
        copies = [(0, self._add(np.empty(0), 0))]
        for source, copy in copies:
            node = source
            while feature[node] >= 0 and not (reached[left[node]] and reached[right[node]]):
                node = int(left[node] if reached[left[node]] else right[node])
            if feature[node] < 0:
                self.rows[copy] = rows_of[node]
                self.value[copy] = self.labels.totals(rows_of[node])
                continue
            self.feature[copy], self.cut[copy] = int(feature[node]), int(cut[node])
            self.left[copy], self.right[copy] = (self._add(np.empty(0), self.level[copy] + 1) for _ in range(2))
            copies += ((int(left[node]), self.left[copy]), (int(right[node]), self.right[copy]))
        for _, copy in reversed(copies):
            if self.feature[copy] >= 0:
                self.value[copy] = self.value[self.left[copy]] + self.value[self.right[copy]]

    def nodes(self, edges: list[FloatArray]) -> Nodes:
        """The tree with thresholds in the columns' own units."""
        feature, cut, left, right = self._arrays()
        threshold = np.array([edges[j][b] if j >= 0 else np.nan for j, b in zip(feature, cut)])
        return Nodes(feature, threshold, left, right, np.array(self.value))


def _cuts(column: NDArray[Any], max_bins: int, weight: FloatArray | None = None) -> FloatArray:
    """Thresholds between the bins of a column, half-way between neighbouring values."""
    step = 1 if column.dtype == np.uint8 else max(1, len(column) // QUANTILE_ROWS)
    some, share = column[::step], None if weight is None else weight[::step]
    if column.dtype == np.uint8:
        values, counts = np.arange(256.0), np.bincount(some, share, minlength=256)
        values, counts = values[counts > 0], counts[counts > 0]
    else:
        values, place = np.unique(some.astype(float), return_inverse=True)
        counts = np.bincount(place, share)
    last = np.arange(len(values) - 1)  # the last value of each bin
    if len(values) > max_bins:
        below = np.cumsum(counts)[:-1]
        aims = np.linspace(0, counts.sum(), max_bins + 1)[1:-1]
        last = np.unique(np.minimum(np.searchsorted(below, aims), len(values) - 2))
    low, high = values[last], values[last + 1]
    middle = 0.5 * low + 0.5 * high
    return np.where((middle >= low) & (middle < high), middle, low)


def _binned(X: NDArray[Any], edges: list[FloatArray]) -> NDArray[np.uint8]:
    """The bin of every value: how many thresholds lie below it."""
    out = np.empty(X.shape, dtype=np.uint8)
    if X.dtype == np.uint8:
        table = np.stack([np.searchsorted(cuts, np.arange(256.0)) for cuts in edges]).astype(np.uint8)
        columns = np.arange(X.shape[1])
    # A few rows at a time, whose columns all fit into the cache.
    for start in range(0, len(X), 8192):
        part = slice(start, start + 8192)
        if X.dtype == np.uint8:
            out[part] = table[columns, X[part]]
        else:
            for j, cuts in enumerate(edges):
                out[part, j] = np.searchsorted(cuts, X[part, j])
    return out
