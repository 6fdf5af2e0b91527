"""A Gaussian process that learns from derivatives, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, Self

import numpy as np
import scipy.linalg
import scipy.optimize
from numpy.typing import ArrayLike, NDArray
from scipy.linalg.lapack import dpotrf, dpotri

from surrogate.emulators.base import Emulator
from surrogate.emulators.tables import Scaled, check_training
from surrogate.emulators.threads import few_threads

__all__ = ["GradientEnhanced"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# As of the Gaussian process without derivatives, on inputs scaled to [0, 1].
LENGTH_SCALE_BOUNDS = (1e-2, 1e2)
LENGTH_SCALE_MEAN_1D, LENGTH_SCALE_STD = np.sqrt(2.0), np.sqrt(3.0)

ITERATIONS = 40
MAX_NUGGET = 1e-4

CHUNK_ROWS = 2048


def _squared_exponential(u: FloatArray) -> tuple[FloatArray, ...]:
    """Correlation at scaled signed distances, and its first three derivatives over it."""
    return np.exp(-0.5 * u**2), -u, u**2 - 1.0, u * (3.0 - u**2)


def _matern52(u: FloatArray) -> tuple[FloatArray, ...]:
    root = np.sqrt(5.0)
    r = root * np.abs(u)
    p = 1.0 + r + r**2 / 3.0
    sign = np.sign(u)
    # Derivatives of (1 + r + r^2 / 3) exp(-r) over it.
    first = -root * sign * (r + r**2) / (3.0 * p)
    second = -5.0 * (1.0 + r - r**2) / (3.0 * p)
    third = 5.0 * root * sign * (3.0 * r - r**2) / (3.0 * p)
    return p * np.exp(-r), first, second, third


KERNELS: dict[str, Callable[[FloatArray], tuple[FloatArray, ...]]] = {
    "squared_exponential": _squared_exponential,
    "matern52": _matern52,
}


class GradientEnhanced(Emulator):
    """Gaussian process conditioned on outputs and on their derivatives by the inputs.

    An adjoint solver gives all derivatives at about the price of one more run; with d inputs they are worth up to d
    runs.

    ``leave_one_out`` leaves out a run's output and its derivatives; length scales and variance stay as fitted, the
    constant mean is estimated without the run.

    Parameters
    ----------
    kernel : {"squared_exponential", "matern52"}
        Product over the inputs.
    nugget : float
        Added to the diagonal of the correlation matrix, relative; raised by powers of ten where it is nearly singular.
    n_starts : int
        Number of starting points of the likelihood's optimiser.

    Attributes
    ----------
    length_scales_ : array of shape (d,)
        In the inputs' units.
    variance_ : float
        The process variance, in the output's unit squared.
    nugget_ : float
        The nugget that was used.
    log_likelihood_ : float
        Restricted log likelihood of standardised outputs and derivatives at the optimum, up to a constant.
    input_range_ : array of shape (2, d)
        Lowest and highest inputs that it learnt from.
    n_features_in_ : int
    feature_names_in_ : array of shape (d,), if fitted on a DataFrame

    References
    ----------
    .. [1] M. D. Morris, T. J. Mitchell, D. Ylvisaker, "Bayesian design and analysis of computer experiments: use of
       derivatives in surface prediction", Technometrics 35(3), 1993, sec. 2.

    Examples
    --------
    >>> x = np.array([[0.0], [0.5], [1.0]])
    >>> model = GradientEnhanced().fit(x, np.sin(6 * x[:, 0]), 6 * np.cos(6 * x))
    >>> bool(abs(model.predict([[0.25]])[0] - np.sin(1.5)) < 0.05)
    True
    """

    def __init__(
        self,
        *,
        kernel: Literal["squared_exponential", "matern52"] = "squared_exponential",
        nugget: float = 1e-10,
        n_starts: int = 3,
    ) -> None:
        self.kernel = kernel
        self.nugget = nugget
        self.n_starts = n_starts

    def fit(self, X: ArrayLike, y: ArrayLike, gradients: ArrayLike | None = None) -> Self:
        """Choose hyper-parameters and factorise.

        Parameters
        ----------
        X : array or DataFrame of shape (n, d)
            Numbers; at least two rows, no row twice.
        y : array of shape (n,)
        gradients : array of shape (n, d), optional
            Derivatives of the output by each input, in their units; NaN where one is not known.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If an option is not allowed, shapes do not match, a value is not a finite number, or there are fewer than
            two rows.
        """
        self._check_options()
        x, y = check_training(self, X, y, None)
        n, d = x.shape
        slopes = np.full((n, d), np.nan) if gradients is None else np.asarray(gradients, dtype=float)
        if slopes.shape != (n, d):
            raise ValueError(f"gradients must have shape {(n, d)} like X, got {slopes.shape}")
        if np.isinf(slopes).any():
            raise ValueError("gradients must be finite, or NaN where they are not known")
        self._low = x.min(axis=0)
        width = np.ptp(x, axis=0)
        self._width = np.where(width > 0, width, 1.0)
        self._scaled = _scaled(y, slopes * self._width)
        z = (x - self._low) / self._width
        # The first of repeated points counts.
        _, first, group = np.unique(z, axis=0, return_index=True, return_inverse=True)
        order = np.argsort(first)
        rows, self._group = first[order], np.argsort(order)[group.ravel()]
        self._z = z[rows]
        unit = self._scaled.spread(np.ones(1))[0] or 1.0
        targets = np.column_stack([self._scaled.forward(y), slopes * self._width / unit])[rows]
        # Inputs by which a derivative is known somewhere; the others need no rows.
        self._by = np.flatnonzero(np.isfinite(targets[:, 1:]).any(axis=0))
        targets = targets[:, np.append(0, self._by + 1)]
        self._known = np.isfinite(targets)
        # One value after another: all outputs, then the derivatives by the first input, ...
        self._t = targets.T[self._known.T]
        self._ones = np.concatenate([np.ones(len(self._z)), np.zeros(int(self._known[:, 1:].sum()))])
        with few_threads(len(self._t)):
            self._optimise()
        return self

    def _check_options(self) -> None:
        if self.kernel not in KERNELS:
            raise ValueError(f"kernel must be one of {sorted(KERNELS)}, got {self.kernel!r}")
        if self.n_starts < 1:
            raise ValueError(f"n_starts must be at least 1, got {self.n_starts}")

    def _optimise(self) -> None:
        d = self._z.shape[1]
        prior_mean = LENGTH_SCALE_MEAN_1D + 0.5 * np.log(d)

        def objective(log_scales: FloatArray) -> Any:  # scipy-stubs take a value with its gradient for an array
            value, gradient = self._likelihood(log_scales)
            off = (log_scales - prior_mean) / LENGTH_SCALE_STD
            return value + 0.5 * float(off @ off), gradient + off / LENGTH_SCALE_STD

        log_scales = np.full(d, prior_mean)
        if not self._scaled.is_constant:
            found = []
            scales = np.geomspace(0.3, 3.0, self.n_starts) if self.n_starts > 1 else np.array([1.0])
            for start in np.log(scales) + 0.5 * np.log(d):
                found.append(
                    scipy.optimize.minimize(
                        objective,
                        np.full(d, start),
                        jac=True,
                        method="L-BFGS-B",
                        bounds=[tuple(np.log(LENGTH_SCALE_BOUNDS))] * d,
                        options={"maxiter": ITERATIONS, "ftol": 1e-7},
                    )
                )
            log_scales = np.asarray(min(found, key=lambda one: float(one.fun)).x)
        self._scales = np.exp(log_scales)
        self.length_scales_ = self._scales * self._width
        self.log_likelihood_ = -self._likelihood(log_scales)[0]
        parts = self._parts(self._scales, self._z, self._z)
        self._lower, self.nugget_ = self._factorise(self._covariance(self._scales, parts)[self._pairs()])
        self._solve()

    def _pairs(self) -> Any:
        known = self._known.T.ravel()
        return np.ix_(known, known)

    def _solve(self) -> None:
        """Generalised least squares for the constant mean, with the factor as it is."""
        white = scipy.linalg.solve_triangular(self._lower, np.column_stack([self._ones, self._t]), lower=True)
        self._information = float(white[:, 0] @ white[:, 0])
        self._mean = float(white[:, 0] @ white[:, 1]) / self._information
        residual = white[:, 1] - self._mean * white[:, 0]
        self._variance = max(float(residual @ residual) / max(len(self._t) - 1, 1), np.finfo(float).tiny)
        self._weights = scipy.linalg.solve_triangular(self._lower, residual, lower=True, trans=1)
        self._white_ones = white[:, 0]
        with np.errstate(over="ignore", under="ignore"):
            self.variance_ = float(self._scaled.spread(np.ones(1))[0] ** 2 * self._variance)

    def _parts(self, scales: FloatArray, a: FloatArray, b: FloatArray) -> tuple[FloatArray, ...]:
        """Scaled signed distances, the correlation, and the factors' first three relative derivatives; (d, m, n)."""
        u = (a.T[:, :, None] - b.T[:, None, :]) / scales[:, None, None]
        k, first, second, third = KERNELS[self.kernel](u)
        return u, k.prod(axis=0), first, second, third

    def _covariance(self, scales: FloatArray, parts: tuple[FloatArray, ...]) -> FloatArray:
        """Correlations of outputs and derivatives with each other, outputs first."""
        _, k, first, second, _ = parts
        d, (m, n) = len(self._by), k.shape
        out = np.empty((d + 1, m, d + 1, n))
        out[0, :, 0] = k
        for row, i in enumerate(self._by, 1):
            out[row, :, 0] = k * first[i] / scales[i]
            out[0, :, row] = -k * first[i] / scales[i]
            for column, j in enumerate(self._by, 1):
                product = second[i] if i == j else first[i] * first[j]
                out[row, :, column] = -k * product / (scales[i] * scales[j])
        return out.reshape((d + 1) * m, (d + 1) * n)

    def _slopes(self, scales: FloatArray, parts: tuple[FloatArray, ...]) -> Iterator[FloatArray]:
        """Derivatives of the covariance by the logarithms of the length scales."""
        u, k, first, second, third = parts
        d, n = len(self._by), len(k)
        for m in range(len(scales)):
            # d kappa / d log l = -u kappa', and so on for its derivatives, which also carry powers of 1 / l.
            common = -u[m] * first[m] * k
            moved_first = -(u[m] * second[m] + first[m]) * k
            moved_second = -(u[m] * third[m] + 2.0 * second[m]) * k
            out = np.empty((d + 1, n, d + 1, n))
            out[0, :, 0] = common
            for row, i in enumerate(self._by, 1):
                one = moved_first if i == m else common * first[i]
                out[row, :, 0] = one / scales[i]
                out[0, :, row] = -one / scales[i]
                for column, j in enumerate(self._by, 1):
                    if i == j:
                        two = moved_second if i == m else common * second[i]
                    elif i == m:
                        two = moved_first * first[j]
                    elif j == m:
                        two = moved_first * first[i]
                    else:
                        two = common * first[i] * first[j]
                    out[row, :, column] = -two / (scales[i] * scales[j])
            yield out.reshape((d + 1) * n, (d + 1) * n)

    def _factorise(self, covariance: FloatArray) -> tuple[FloatArray, float]:
        """Cholesky factor with the smallest nugget that works, relative to each diagonal entry."""
        diagonal = np.diag(covariance).copy()
        nugget = max(self.nugget, np.finfo(float).eps)
        while True:
            matrix = covariance.copy()
            matrix[np.diag_indices(len(matrix))] += nugget * diagonal
            lower, info = dpotrf(matrix, lower=1, clean=1)
            if info == 0:
                return lower, nugget
            nugget *= 10.0
            if nugget > MAX_NUGGET:
                raise np.linalg.LinAlgError(
                    f"the covariance of {len(matrix)} values is singular with nugget {nugget:g}"
                )

    def _likelihood(self, log_scales: FloatArray) -> tuple[float, FloatArray]:
        """Minus the restricted log likelihood, mean and variance profiled out, and its gradient."""
        scales = np.exp(log_scales)
        pairs = self._pairs()
        parts = self._parts(scales, self._z, self._z)
        covariance = self._covariance(scales, parts)[pairs]
        lower, nugget = self._factorise(covariance)
        n = len(self._t)
        inverse, _ = dpotri(lower, lower=1)
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        ones = inverse @ self._ones
        information = float(self._ones @ ones)
        projected = inverse - np.outer(ones, ones) / information
        weights = projected @ self._t
        variance = max(float(self._t @ weights) / max(n - 1, 1), np.finfo(float).tiny)
        value = 0.5 * (n - 1) * np.log(variance) + np.log(np.diag(lower)).sum() + 0.5 * np.log(information)
        inner = 0.5 * (projected - np.outer(weights, weights) / variance)
        gradient = np.empty(len(scales))
        for m, slope in enumerate(self._slopes(scales, parts)):
            own = slope[pairs]
            own[np.diag_indices(n)] *= 1.0 + nugget
            gradient[m] = np.einsum("ij,ij->", inner, own)
        return float(value), gradient

    def _answer(self, table: Any, with_std: bool) -> tuple[FloatArray, FloatArray]:
        means, variances = [], []
        known = self._known.T.ravel()
        for start in range(0, len(table), CHUNK_ROWS):
            z = (table[start : start + CHUNK_ROWS] - self._low) / self._width
            _, k, first, _, _ = self._parts(self._scales, z, self._z)
            blocks = [k, *(-k * first[i] / self._scales[i] for i in self._by)]
            cross = np.hstack(blocks)[:, known]
            means.append(self._mean + cross @ self._weights)
            if with_std:
                white = scipy.linalg.solve_triangular(self._lower, cross.T, lower=True, check_finite=False)
                unknown = (1.0 - self._white_ones @ white) ** 2 / self._information
                variances.append(np.maximum(1.0 - (white**2).sum(axis=0) + unknown, self.nugget_))
        variance = np.concatenate(variances) if with_std else np.zeros(len(table))
        return self._scaled.moments(np.concatenate(means), np.sqrt(self._variance * variance))

    def _answer_unseen(self) -> tuple[FloatArray, FloatArray]:
        inverse, _ = dpotri(self._lower, lower=1)
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        ones = inverse @ self._ones
        projected = inverse - np.outer(ones, ones) / float(self._ones @ ones)
        weights = projected @ self._t
        owner = np.broadcast_to(np.arange(len(self._z)), self._known.T.shape)[self._known.T]
        mean, std = np.empty(len(self._z)), np.empty(len(self._z))
        for i in range(len(self._z)):
            own = np.flatnonzero(owner == i)
            # The block's own covariance given all the rest; its first entry is the output.
            block = np.linalg.pinv(projected[np.ix_(own, own)], hermitian=True)
            mean[i] = self._t[own[0]] - (block @ weights[own])[0]
            std[i] = np.sqrt(self._variance * max(block[0, 0], np.finfo(float).tiny))
        return self._scaled.moments(mean[self._group], std[self._group])


def _scaled(y: FloatArray, changes: FloatArray) -> Scaled:
    """Outputs brought to the size of their differences, or of the changes that derivatives tell of if these are larger.

    At the zeros of a wave all outputs are the same, and yet it is no constant.
    """
    by_outputs = Scaled.of(y)
    known = changes[np.isfinite(changes)]
    change = float(np.abs(known).max()) if len(known) else 0.0
    if change <= by_outputs.spread(np.ones(1))[0]:
        return by_outputs
    unit = max(by_outputs.unit, change)
    return Scaled(unit, by_outputs.centre * (by_outputs.unit / unit), change / unit)
