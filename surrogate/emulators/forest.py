"""A forest of regression trees whose intervals are calibrated on the runs that each tree did not see."""

from __future__ import annotations

from typing import Any, Literal, Self, overload

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
from sklearn.utils.validation import check_is_fitted

from surrogate.emulators.state import Stateful
from surrogate.emulators.tables import Scaled, check_new, check_training, conformal_quantile, numbers_of
from surrogate.space import Space

__all__ = ["ForestEmulator"]

FloatArray = NDArray[np.float64]
KINDS: dict[str, Any] = {"extra_trees": ExtraTreesRegressor, "random_forest": RandomForestRegressor}

# Share of the output's spread that is added to the trees' own, so that runs on which they agree by chance do not get
# intervals of no width.
LEAST_SPREAD = 0.1

CHUNK_ROWS = 8192


class ForestEmulator(Stateful, RegressorMixin, BaseEstimator):
    """Random forest or extremely randomised trees, with intervals that hold what they promise.

    Each run is predicted by the trees that were grown without it. The residuals of these out-of-bag predictions, over
    the spread of the trees, calibrate the intervals: they hold their nominal share of new runs whatever the output
    looks like, and are wide where the trees disagree. Of use where outputs jump or inputs are categories.

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
    >>> model.predict([[0.2, 0.5], [0.8, 0.5]]).round()
    array([0., 1.])
    """

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

    def fit(self, X: ArrayLike, y: ArrayLike, space: Space | None = None) -> Self:
        """Grow and calibrate.

        Parameters
        ----------
        X : array or DataFrame of shape (n, d)
            Numbers; with a `space` a DataFrame of its columns, in its units, of any type. At least three rows.
        y : array of shape (n,)
        space : Space, optional
            Types of the inputs.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If an option is not allowed, shapes do not match, a value is not a finite number, or there are too few rows.
        InvalidInputError
            If inputs do not belong to `space`.
        """
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {sorted(KINDS)}, got {self.kind!r}")
        if self.n_trees < 10:
            raise ValueError(f"n_trees must be at least 10, got {self.n_trees}")
        table, y = check_training(self, X, y, space, least=3)
        x = numbers_of(table, space).astype(np.float32)
        self._scaled = Scaled.of(y)
        z = self._scaled.forward(y)
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
        return self

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

    @overload
    def predict(self, X: ArrayLike, return_std: Literal[False] = False) -> FloatArray: ...
    @overload
    def predict(self, X: ArrayLike, return_std: Literal[True]) -> tuple[FloatArray, FloatArray]: ...
    def predict(self, X: ArrayLike, return_std: bool = False) -> Any:
        """Mean, and standard deviation if asked for, of the output at new points.

        Parameters
        ----------
        X : array or DataFrame of shape (m, d)
        return_std : bool

        Returns
        -------
        mean : array of shape (m,)
        std : array of shape (m,)
            Only if `return_std`: 1.96 of them are half the calibrated 95% interval.
        """
        mean, scale = self._moments(X)
        mean = self._scaled.backward(mean)
        return (mean, self._scaled.spread(self._factor(0.95) * scale)) if return_std else mean

    def predict_interval(self, X: ArrayLike, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
        """Ends of intervals that hold the output with probability `level`.

        Parameters
        ----------
        X : array or DataFrame of shape (m, d)
        level : float
            In (0, 1).

        Returns
        -------
        low, high : array of shape (m,)
        """
        if not 0 < level < 1:
            raise ValueError(f"level must lie in (0, 1), got {level}")
        mean, scale = self._moments(X)
        half = conformal_quantile(self._scores, level) * scale
        return self._scaled.backward(mean - half), self._scaled.backward(mean + half)

    def _factor(self, level: float) -> float:
        return conformal_quantile(self._scores, level) / float(scipy.stats.norm.ppf(0.5 + level / 2))

    def _moments(self, X: ArrayLike) -> tuple[FloatArray, FloatArray]:
        x = numbers_of(check_new(self, X), self.space_).astype(np.float32)
        parts = [_each_tree(self._trees, x[i : i + CHUNK_ROWS]) for i in range(0, len(x), CHUNK_ROWS)]
        mean = np.concatenate([part.mean(axis=0) for part in parts])
        return mean, np.concatenate([part.std(axis=0) for part in parts]) + self._spread_floor

    def leave_one_out(self) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation at every training point as predicted by the trees that did not see it.

        Returns
        -------
        mean, std : array of shape (n,)
        """
        check_is_fitted(self)
        std = self._factor(0.95) * self._held_out_scale
        return self._scaled.backward(self._held_out), self._scaled.spread(std)


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
