"""Any regressor with intervals by cross-validation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from surrogate.emulators.base import IntervalEmulator
from surrogate.emulators.tables import Z95, Scaled, fold_of_each, numbers_of

__all__ = ["ConformalEmulator"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Boosted trees for tens to thousands of runs: scikit-learn's own smallest leaf, 20 runs, is made for millions.
BOOSTING = {"min_samples_leaf": 4, "max_iter": 200, "random_state": 0}

CHUNK_ROWS = 4096


class ConformalEmulator(IntervalEmulator):
    """Intervals for any regressor by CV+ [1]_: whatever the output looks like, they hold nearly their nominal share.

    The regressor is fitted once without each fold. An interval's ends are quantiles, over the training runs, of the
    prediction by the model that did not see the run, plus and minus that run's residual.

    The standard deviation is the 95% interval over its width in standard deviations; of a run as predicted without its
    fold, that of residuals whose 95% quantile is theirs. A fit needs four rows. Around a regressor of
    scikit-learn it can be pickled, but not saved.

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
    input_range_ : array of shape (2, d) or None
        Lowest and highest inputs that it learnt from; None with a space.
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

    _least_rows = 4

    def __init__(self, regressor: Any = None, *, folds: int = 10, rng: int | np.random.Generator | None = 0) -> None:
        self.regressor = regressor
        self.folds = folds
        self.rng = rng

    def _check_options(self) -> None:
        if self.folds < 2:
            raise ValueError(f"folds must be at least 2, got {self.folds}")

    def _learn(self, table: Any, y: FloatArray) -> None:
        x = numbers_of(table, self.space_)
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

    def _answer(self, table: Any, with_std: bool) -> tuple[FloatArray, FloatArray]:
        each = self._each(table)
        low, high = self._quantiles(each, 0.95) if with_std else (np.zeros(each.shape[1]), np.zeros(each.shape[1]))
        return self._scaled.moments(each.mean(axis=0), (high - low) / (2.0 * Z95))

    def _answer_unseen(self) -> tuple[FloatArray, FloatArray]:
        std = np.full(len(self._residuals), np.quantile(self._residuals, 0.95) / Z95)
        return self._scaled.moments(self._held_out, std)

    def _ends(self, table: Any, level: float) -> tuple[FloatArray, FloatArray]:
        low, high = self._quantiles(self._each(table), level)
        return self._scaled.backward(low), self._scaled.backward(high)

    def _each(self, table: Any) -> FloatArray:
        """Predictions of every fold's model, (folds, m)."""
        x = numbers_of(table, self.space_)
        with threadpool_limits(limits=1):
            return np.array([np.asarray(model.predict(x), dtype=float) for model in self.regressors_])

    def _quantiles(self, each: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
        n = len(self._residuals)
        # Ranks of Barber et al. (2021), eq. 3.2; with too few runs for the level the outermost.
        upper = min(int(np.ceil(level * (n + 1))), n) - 1
        lower = max(int(np.floor((1.0 - level) * (n + 1))), 1) - 1
        low, high = np.empty(each.shape[1]), np.empty(each.shape[1])
        for start in range(0, each.shape[1], CHUNK_ROWS):
            own = each[self._fold, start : start + CHUNK_ROWS]
            low[start : start + CHUNK_ROWS] = np.partition(own - self._residuals[:, None], lower, axis=0)[lower]
            high[start : start + CHUNK_ROWS] = np.partition(own + self._residuals[:, None], upper, axis=0)[upper]
        # Narrow intervals of few runs, whose ends are quantiles of different numbers, would begin above their end.
        return np.minimum(low, high), np.maximum(low, high)
