"""Gaussian process regression for deterministic simulators."""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np
import scipy.optimize
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from surrogate.emulators.gp.kernels import matern52, squared_distances
from surrogate.emulators.gp.likelihood import factorise, negative_log_likelihood, solve_lower
from surrogate.emulators.threads import few_threads

__all__ = ["GaussianProcess"]

FloatArray = NDArray[np.float64]

# Inputs are scaled to [0, 1]: below the lower bound a length scale sees no neighbour, above the upper it sees a plane.
LENGTH_SCALE_BOUNDS = (1e-2, 1e3)

# Weak prior on log length scales, wider apart in more dimensions where distances grow with sqrt(d): mean and standard
# deviation of C. Hvarfner, E. O. Hellsten, L. Nardi, "Vanilla Bayesian Optimization Performs Great in High
# Dimensions", ICML 2024, sec. 5. It decides only where the likelihood is flat.
PRIOR_MEAN_1D = np.sqrt(2.0)
PRIOR_STD = np.sqrt(3.0)

# Runs and iterations that decide between the starting points, and iterations from the best of them on all runs.
START_ROWS = 250
START_ITERATIONS = 20
FINAL_ITERATIONS = 60

# Rows predicted at a time: bounds the memory of the cross-correlation.
CHUNK_ROWS = 4096


class GaussianProcess(RegressorMixin, BaseEstimator):
    """Gaussian process with a constant mean and one Matern 5/2 length scale an input, for noise-free outputs.

    Length scales are chosen by the restricted likelihood with a weak prior, from several starts with analytic
    gradients; mean and variance follow in closed form.

    Parameters
    ----------
    nugget : float
        Added to the diagonal of the correlation matrix, relative to the process variance. Small enough to interpolate;
        raised by powers of ten where a design is nearly singular.
    n_starts : int
        Number of starting points of the likelihood's optimiser.

    Attributes
    ----------
    length_scales_ : array of shape (d,)
        In the inputs' units.
    mean_ : float
        The constant mean.
    variance_ : float
        The process variance, in the output's unit squared.
    nugget_ : float
        The nugget that was used.
    log_likelihood_ : float
        Restricted log likelihood of the standardised outputs at the optimum, without the prior, up to a constant.
    n_features_in_ : int
    feature_names_in_ : array of shape (d,), if fitted on a DataFrame

    References
    ----------
    .. [1] C. E. Rasmussen, C. K. I. Williams, "Gaussian Processes for Machine Learning", MIT Press 2006.
    .. [2] J. Sacks, W. J. Welch, T. J. Mitchell, H. P. Wynn, "Design and Analysis of Computer Experiments",
       Statistical Science 4(4), 1989: universal kriging with its prediction variance, eq. 9.

    Examples
    --------
    >>> x = np.linspace(0, 1, 8)[:, None]
    >>> gp = GaussianProcess().fit(x, np.sin(6 * x[:, 0]))
    >>> mean, std = gp.predict([[0.5]], return_std=True)
    >>> bool(abs(mean[0] - np.sin(3.0)) < 0.01 and std[0] < 0.05)
    True
    """

    def __init__(self, *, nugget: float = 1e-12, n_starts: int = 3) -> None:
        self.nugget = nugget
        self.n_starts = n_starts

    def fit(self, X: ArrayLike, y: ArrayLike) -> GaussianProcess:
        """Choose length scales and factorise.

        Parameters
        ----------
        X : array or DataFrame of shape (n, d)
            Numbers; at least two rows.
        y : array of shape (n,)

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If shapes do not match, a value is not a finite number, or there are fewer than two rows.
        """
        if not self.nugget >= 0:
            raise ValueError(f"nugget must not be negative, got {self.nugget}")
        if self.n_starts < 1:
            raise ValueError(f"n_starts must be at least 1, got {self.n_starts}")
        x, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        y = np.asarray(y, dtype=np.float64)
        self._low = x.min(axis=0)
        width = x.max(axis=0) - self._low
        self._width = np.where(width > 0, width, 1.0)
        # Scaled before it is squared, so that outputs of 1e-300 or 1e300 have a standard deviation.
        magnitude = float(np.abs(y - y[0]).max()) or 1.0
        relative = (y - y[0]) / magnitude
        spread = float(relative.std()) or 1.0
        self._y_mean = float(y[0] + magnitude * relative.mean())
        self._y_scale = magnitude * spread
        self._z = self._scaled(x)
        self._t = (relative - relative.mean()) / spread

        nugget = max(self.nugget, np.finfo(float).eps)
        with few_threads(len(y)):
            self._log_scales = self._optimise(nugget)
            scales = np.exp(self._log_scales)
            self._f = factorise(matern52(squared_distances(self._z, self._z, scales)), self._t, nugget)
            self.log_likelihood_ = -negative_log_likelihood(self._log_scales, self._z, self._t, self._f.nugget)[0]
        self.length_scales_ = scales * self._width
        self.mean_ = self._y_mean + self._y_scale * self._f.mean
        with np.errstate(over="ignore", under="ignore"):  # outputs of 1e300 have an infinite variance, and still a std
            self.variance_ = float(np.float64(self._y_scale) ** 2 * self._f.variance)
        self.nugget_ = self._f.nugget
        return self

    def _scaled(self, X: FloatArray) -> FloatArray:
        return np.asarray((X - self._low) / self._width)

    def _optimise(self, nugget: float) -> FloatArray:
        """Log length scales at the mode of likelihood times prior."""
        n, d = self._z.shape
        prior_mean = PRIOR_MEAN_1D + 0.5 * np.log(d)

        def climb(start: FloatArray, rows: NDArray[np.int64], iterations: int) -> Any:
            def objective(log_scales: FloatArray) -> tuple[float, FloatArray]:
                value, gradient = negative_log_likelihood(log_scales, self._z[rows], self._t[rows], nugget)
                off = (log_scales - prior_mean) / PRIOR_STD
                return value + 0.5 * float(off @ off), gradient + off / PRIOR_STD

            return scipy.optimize.minimize(
                objective,
                start,
                jac=True,
                method="L-BFGS-B",
                bounds=[tuple(np.log(LENGTH_SCALE_BOUNDS))] * d,
                options={"maxiter": iterations},
            )

        # Short scales explain anything, long ones almost nothing: start between and on both sides.
        starts = np.log(np.geomspace(0.2, 3.0, self.n_starts) if self.n_starts > 1 else [0.8]) + 0.25 * np.log(d)
        # Which hill to climb shows on part of the runs, at a fraction of the cost; its top is then found on all.
        part = np.unique(np.linspace(0, n - 1, min(n, START_ROWS)).astype(np.int64))
        found = [climb(np.full(d, start), part, START_ITERATIONS) for start in starts]
        best = min(found, key=lambda result: float(result.fun))
        return np.asarray(climb(best.x, np.arange(n), FINAL_ITERATIONS).x, dtype=float)

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
            Only if `return_std`; includes the uncertainty of the constant mean.
        """
        check_is_fitted(self)
        z = self._scaled(validate_data(self, X, dtype=np.float64, reset=False))
        with few_threads(len(self._z)):
            parts = [self._predict_scaled(z[i : i + CHUNK_ROWS], return_std) for i in range(0, len(z), CHUNK_ROWS)]
        mean = np.concatenate([part[0] for part in parts])
        return (mean, np.concatenate([part[1] for part in parts])) if return_std else mean

    def _predict_scaled(self, z: FloatArray, return_std: bool) -> tuple[FloatArray, FloatArray]:
        f = self._f
        cross = matern52(squared_distances(z, self._z, np.exp(self._log_scales)))
        mean = self._y_mean + self._y_scale * (f.mean + cross @ f.weights)
        if not return_std:
            return mean, mean
        explained = (solve_lower(f.lower, cross.T) ** 2).sum(axis=0)
        # What is unknown of the constant mean; Sacks et al. (1989), eq. 9.
        trend = (1.0 - cross @ f.inverse_ones) ** 2 / f.ones_information
        variance = f.variance * np.maximum(1.0 - explained + trend, 0.0)
        return mean, self._y_scale * np.sqrt(variance)

    def leave_one_out(self) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation at every training point as predicted from the others.

        Length scales and variance stay as fitted, the constant mean is estimated without the point.

        Returns
        -------
        mean, std : array of shape (n,)

        References
        ----------
        .. [1] O. Dubrule, "Cross validation of kriging in a unique neighborhood", Mathematical Geology 15(6), 1983.
        """
        check_is_fitted(self)
        projected = self._f.projected_inverse()
        diagonal = np.maximum(np.diag(projected), np.finfo(float).tiny)
        mean = self._t - (projected @ self._t) / diagonal
        std = np.sqrt(self._f.variance / diagonal)
        return self._y_mean + self._y_scale * mean, self._y_scale * std
