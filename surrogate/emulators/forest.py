"""A forest of regression trees whose intervals are calibrated on the runs that each tree did not see."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import scipy.stats
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

from surrogate.emulators.base import IntervalEmulator
from surrogate.emulators.tables import Scaled, conformal_quantile, numbers_of

__all__ = ["ForestEmulator"]

FloatArray = NDArray[np.float64]
KINDS: dict[str, Any] = {"extra_trees": ExtraTreesRegressor, "random_forest": RandomForestRegressor}

# Share of the output's spread that is added to the trees' own, so that runs on which they agree by chance do not get
# intervals of no width.
LEAST_SPREAD = 0.1

# Outputs are rounded to so many steps a standard deviation.
STEPS = 2.0**40

CHUNK_ROWS = 8192


class ForestEmulator(IntervalEmulator):
    """Random forest or extremely randomised trees, with intervals that hold what they promise.

    Each run is predicted by the trees that were grown without it. The residuals of these out-of-bag predictions, over
    the spread of the trees, calibrate the intervals: they hold their nominal share of new runs whatever the output
    looks like, and are wide where the trees disagree. Of use where outputs jump or inputs are categories.

    Of the standard deviations 1.96 are half the calibrated 95% interval. A fit needs three rows.

    Parameters
    ----------
    kind : {"extra_trees", "random_forest"}
    n_trees : int
    min_leaf : int
        Smallest number of runs in a leaf.
    max_features : float
        Share of the inputs tried at each split.
    rng : int, Generator or None

    Attributes
    ----------
    oob_error_ : float
        Out-of-bag mean square error over the output's variance.
    space_ : Space or None
    input_range_ : array of shape (2, d) or None
        Lowest and highest inputs that it learnt from; None with a space.
    n_features_in_ : int
    feature_names_in_ : array of shape (d,), if fitted on a DataFrame or with a space

    References
    ----------
    .. [1] P. Geurts, D. Ernst, L. Wehenkel, "Extremely randomized trees", Machine Learning 63, 2006.
    .. [2] U. Johansson, H. Bostroem, T. Loefstroem, H. Linusson, "Regression conformal prediction with random
       forests", Machine Learning 97, 2014: out-of-bag calibration, normalised residuals, eq. 8.

    Examples
    --------
    >>> x = np.random.default_rng(0).random((200, 2))
    >>> model = ForestEmulator().fit(x, x[:, 0] > 0.5)
    >>> model.predict([[0.2, 0.5], [0.8, 0.5]]) > 0.5
    array([False,  True])
    """

    _least_rows = 3

    def __init__(
        self,
        *,
        kind: Literal["extra_trees", "random_forest"] = "extra_trees",
        n_trees: int = 200,
        min_leaf: int = 1,
        max_features: float = 1.0,
        rng: int | np.random.Generator | None = 0,
    ) -> None:
        self.kind = kind
        self.n_trees = n_trees
        self.min_leaf = min_leaf
        self.max_features = max_features
        self.rng = rng

    def _check_options(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {sorted(KINDS)}, got {self.kind!r}")
        if self.n_trees < 10:
            raise ValueError(f"n_trees must be at least 10, got {self.n_trees}")

    def _learn(self, table: Any, y: FloatArray) -> None:
        x = self._columns(table)
        self._scaled = Scaled.of(y)
        # Sums of whole steps are exact: splits that are equally good are found to be so, and the trees do not hang on
        # the output's unit.
        z = np.rint(self._scaled.forward(y) * STEPS) / STEPS
        forest = KINDS[self.kind](
            self.n_trees,
            bootstrap=True,
            min_samples_leaf=self.min_leaf,
            max_features=self.max_features,
            random_state=int(np.random.default_rng(self.rng).integers(2**31)),
            n_jobs=1,
        ).fit(x, z)
        self._trees = _flat(forest)
        unseen = np.ones((self.n_trees, len(z)), dtype=bool)
        for tree, rows in enumerate(forest.estimators_samples_):
            unseen[tree, rows] = False
        self._calibrate(z, _each_tree(self._trees, x), unseen)

    def _columns(self, table: Any) -> NDArray[np.float32]:
        """What the trees see.

        They cut single-precision numbers and take ranges below 1e-7 for constant: nanometres in metres, or seconds
        since 1970, would be nothing to learn from. So numbers are given as shares of their range.
        """
        x = numbers_of(table, self.space_)
        if self.input_range_ is not None:
            low, high = self.input_range_
            x = (x - low) / np.where(high > low, high - low, 1.0)
        return x.astype(np.float32)

    def _calibrate(self, z: FloatArray, values: FloatArray, unseen: NDArray[np.bool_]) -> None:
        # A run that every tree saw is predicted by all; of hundreds of trees there is none.
        unseen = np.where(unseen.any(axis=0), unseen, True)
        counts = unseen.sum(axis=0)
        mean = (values * unseen).sum(axis=0) / counts
        spread = np.sqrt((((values - mean) ** 2) * unseen).sum(axis=0) / counts)
        self._spread_floor = LEAST_SPREAD * float(np.sqrt(((z - mean) ** 2).mean()))
        scale = spread + self._spread_floor
        self.oob_error_ = float(((z - mean) ** 2).mean())
        self._scores = np.sort(np.abs(z - mean) / np.where(scale > 0, scale, 1.0))
        self._held_out, self._held_out_scale = mean, scale

    def _answer(self, table: Any, with_std: bool) -> tuple[FloatArray, FloatArray]:
        mean, scale = self._moments(table)
        return self._scaled.moments(mean, self._factor(0.95) * scale)

    def _answer_unseen(self) -> tuple[FloatArray, FloatArray]:
        return self._scaled.moments(self._held_out, self._factor(0.95) * self._held_out_scale)

    def _ends(self, table: Any, level: float) -> tuple[FloatArray, FloatArray]:
        mean, scale = self._moments(table)
        half = conformal_quantile(self._scores, level) * scale
        return self._scaled.backward(mean - half), self._scaled.backward(mean + half)

    def _factor(self, level: float) -> float:
        return conformal_quantile(self._scores, level) / float(scipy.stats.norm.ppf(0.5 + level / 2))

    def _moments(self, table: Any) -> tuple[FloatArray, FloatArray]:
        x = self._columns(table)
        parts = [_each_tree(self._trees, x[i : i + CHUNK_ROWS]) for i in range(0, len(x), CHUNK_ROWS)]
        mean = np.concatenate([part.mean(axis=0) for part in parts])
        return mean, np.concatenate([part.std(axis=0) for part in parts]) + self._spread_floor


def _flat(forest: Any) -> dict[str, NDArray[Any]]:
    """All trees' nodes, one after another; a leaf is its own child."""
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in ("left", "right", "feature", "threshold", "value")}
    roots, depths, start = [], [], 0
    for tree in (one.tree_ for one in forest.estimators_):
        own = np.arange(tree.node_count)
        leaf = tree.children_left < 0
        parts["left"].append(np.where(leaf, own, tree.children_left) + start)
        parts["right"].append(np.where(leaf, own, tree.children_right) + start)
        parts["feature"].append(np.where(leaf, 0, tree.feature))
        parts["threshold"].append(tree.threshold)
        parts["value"].append(tree.value[:, 0, 0])
        roots.append(start)
        depths.append(tree.max_depth)
        start += tree.node_count
    out = {name: np.concatenate(found) for name, found in parts.items()}
    return out | {"roots": np.array(roots), "depths": np.array(depths)}


def _each_tree(trees: dict[str, NDArray[Any]], x: NDArray[np.float32]) -> FloatArray:
    """Predictions of every tree, array of shape (n_trees, m)."""
    rows = np.arange(len(x))
    out = np.empty((len(trees["roots"]), len(x)))
    for i, (root, depth) in enumerate(zip(trees["roots"], trees["depths"])):
        node = np.full(len(x), root)
        for _ in range(depth):
            goes_left = x[rows, trees["feature"][node]] <= trees["threshold"][node]
            node = np.where(goes_left, trees["left"][node], trees["right"][node])
        out[i] = trees["value"][node]
    return out
