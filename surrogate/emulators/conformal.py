"""Any regressor with intervals by cross-validation."""

from __future__ import annotations

from typing import Any, Literal, Self, overload

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from surrogate.emulators.state import Stateful
from surrogate.emulators.tables import Scaled, check_new, check_training, fold_of_each, numbers_of
from surrogate.space import Space

__all__ = ["ConformalEmulator"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Boosted trees for tens to thousands of runs: scikit-learn's own smallest leaf, 20 runs, is made for millions.
BOOSTING = {"min_samples_leaf": 4, "max_iter": 200, "random_state": 0}

CHUNK_ROWS = 4096


class ConformalEmulator(Stateful, RegressorMixin, BaseEstimator):
    """Intervals for any regressor by CV+ [1]_: whatever the output looks like, they hold nearly their nominal share.

    The regressor is fitted once without each fold. An interval's ends are quantiles, over the training runs, of the
    prediction by the model that did not see the run, plus and minus that run's residual.

    Parameters
    ----------
    regressor : scikit-learn regressor, optional
        By default boosted trees. It sees numbers: with a space positions in the unit interval, and of a category of
        more than two values one column a value.
    folds : int
        At most one a run, which is the jackknife+.
    rng : int, Generator or None
        Assigns runs to folds.

    Attributes
    ----------
    regressors_ : list
        One a fold; the mean prediction is their average.
    cv_error_ : float
        Cross-validated mean square error over the output's variance.
    space_ : Space or None
    n_features_in_ : int
    feature_names_in_ : array of shape (d,), if fitted on a DataFrame or with a space

    References
    ----------
    .. [1] R. F. Barber, E. J. Candes, A. Ramdas, R. J. Tibshirani, "Predictive inference with the jackknife+", Annals
       of Statistics 49(1), 2021, sec. 3: coverage of at least 1 - 2 alpha always, near 1 - alpha mostly.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> rng = np.random.default_rng(0)
    >>> x = rng.random((100, 1))
    >>> model = ConformalEmulator(LinearRegression()).fit(x, x[:, 0] + rng.uniform(-1, 1, 100))
    >>> low, high = model.predict_interval([[0.5]], level=0.9)
    >>> bool(1.6 < high[0] - low[0] < 2.1)
    True
    """

    def __init__(self, regressor: Any = None, *, folds: int = 10, rng: int | np.random.Generator | None = 0) -> None:
        self.regressor = regressor
        self.folds = folds
        self.rng = rng

    def fit(self, X: ArrayLike, y: ArrayLike, space: Space | None = None) -> Self:
        """Fit without each fold.

        Parameters
        ----------
        X : array or DataFrame of shape (n, d)
            Numbers; with a `space` a DataFrame of its columns, in its units, of any type. At least four rows.
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
        if self.folds < 2:
            raise ValueError(f"folds must be at least 2, got {self.folds}")
        table, y = check_training(self, X, y, space, least=4)
        x = numbers_of(table, space)
        self._scaled = Scaled.of(y)
        z = self._scaled.forward(y)
        self._fold = fold_of_each(len(z), min(self.folds, len(z)), self.rng)
        regressor = HistGradientBoostingRegressor(**BOOSTING) if self.regressor is None else self.regressor
        self.regressors_ = []
        self._held_out = np.empty(len(z))
        # Boosted trees on a few hundred runs spend their time waiting for each other's threads.
        with threadpool_limits(limits=1):
            for fold in range(int(self._fold.max()) + 1):
                held = self._fold == fold
                model = clone(regressor).fit(x[~held], z[~held])
                self.regressors_.append(model)
                self._held_out[held] = np.asarray(model.predict(x[held]), dtype=float)
        self._residuals = np.abs(z - self._held_out)
        self.cv_error_ = float((self._residuals**2).mean())
        return self

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
            Only if `return_std`: the 95% interval over its width in standard deviations.
        """
        each = self._each(X)
        mean = self._scaled.backward(each.mean(axis=0))
        if not return_std:
            return mean
        low, high = self._ends(each, 0.95)
        return mean, self._scaled.spread((high - low) / (2.0 * scipy.stats.norm.ppf(0.975)))

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
        low, high = self._ends(self._each(X), level)
        return self._scaled.backward(low), self._scaled.backward(high)

    def _each(self, X: ArrayLike) -> FloatArray:
        """Predictions of every fold's model, (folds, m)."""
        x = numbers_of(check_new(self, X), self.space_)
        with threadpool_limits(limits=1):
            return np.array([np.asarray(model.predict(x), dtype=float) for model in self.regressors_])

    def _ends(self, each: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
        n = len(self._residuals)
        # Ranks of Barber et al. (2021), eq. 3.2; with too few runs for the level the outermost.
        upper = min(int(np.ceil(level * (n + 1))), n) - 1
        lower = max(int(np.floor((1.0 - level) * (n + 1))), 1) - 1
        low, high = np.empty(each.shape[1]), np.empty(each.shape[1])
        for start in range(0, each.shape[1], CHUNK_ROWS):
            own = each[self._fold, start : start + CHUNK_ROWS]
            low[start : start + CHUNK_ROWS] = np.partition(own - self._residuals[:, None], lower, axis=0)[lower]
            high[start : start + CHUNK_ROWS] = np.partition(own + self._residuals[:, None], upper, axis=0)[upper]
        return low, high

    def leave_one_out(self) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation at every training point as predicted without its fold.

        Returns
        -------
        mean, std : array of shape (n,)
            All standard deviations are the same: that of residuals whose 95% quantile is theirs.
        """
        check_is_fitted(self)
        z95 = float(scipy.stats.norm.ppf(0.975))
        std = np.full(len(self._residuals), np.quantile(self._residuals, 0.95) / z95)
        return self._scaled.backward(self._held_out), self._scaled.spread(std)
