"""The posterior given all training points at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from surrogate.emulators.gp.inputs import Trend
from surrogate.emulators.gp.likelihood import (
    Factorised,
    Problem,
    factorise,
    generalised_least_squares,
    solve_lower,
)

__all__ = ["ExactPosterior"]

FloatArray = NDArray[np.float64]

FACTORISED_ARRAYS = ("coefficients", "weights", "whitened_basis", "information")
FACTORISED_NUMBERS = ("nugget", "squares", "variance")

# Half step of differences by scaled inputs.
STEP = 1e-5


@dataclass(frozen=True, eq=False)
class ExactPosterior:
    """Universal kriging with a factorised covariance, in scaled units.

    Attributes
    ----------
    theta_covariance : array of shape (q, q) or None
        Uncertainty of the hyper-parameters, to be added to first order.
    weight_slopes : array of shape (n, q) or None
        Derivatives of the weights by the hyper-parameters, where their uncertainty counts.
    coefficient_slopes : array of shape (p, q) or None
        The same of the trend's coefficients.

    References
    ----------
    .. [1] J. Sacks, W. J. Welch, T. J. Mitchell, H. P. Wynn, "Design and Analysis of Computer Experiments",
       Statistical Science 4(4), 1989: the prediction and its variance, eqs. 7 and 9.
    """

    problem: Problem
    theta: FloatArray
    factorised: Factorised
    theta_covariance: FloatArray | None = None
    weight_slopes: FloatArray | None = None
    coefficient_slopes: FloatArray | None = None

    @classmethod
    def of(
        cls,
        problem: Problem,
        theta: FloatArray,
        theta_covariance: FloatArray | None = None,
        factorised: Factorised | None = None,
    ) -> ExactPosterior:
        """The posterior at hyper-parameters `theta`, factorised here if it is not yet."""
        made = cls(problem, theta, factorise(problem, theta) if factorised is None else factorised, theta_covariance)
        weights, coefficients = (None, None) if theta_covariance is None else made._slopes_of_weights()
        # Without the pairs of points, which only a search for hyper-parameters needs again.
        return dataclasses.replace(
            made,
            problem=dataclasses.replace(problem, pairs=None),
            weight_slopes=weights,
            coefficient_slopes=coefficients,
        )

    def arrays(self) -> dict[str, FloatArray]:
        """What `from_arrays` needs besides problem and hyper-parameters."""
        f = self.factorised
        # Only the half of the factor that is not zero.
        out = {"lower": f.lower[np.tril_indices(len(f.lower))]}
        out |= {name: getattr(f, name) for name in FACTORISED_ARRAYS}
        for name in ("theta_covariance", "weight_slopes", "coefficient_slopes"):
            if getattr(self, name) is not None:
                out[name] = getattr(self, name)
        return out

    def facts(self) -> dict[str, float]:
        """The numbers among it."""
        return {name: getattr(self.factorised, name) for name in FACTORISED_NUMBERS}

    @classmethod
    def from_arrays(
        cls, problem: Problem, theta: FloatArray, arrays: Mapping[str, FloatArray], facts: Mapping[str, float]
    ) -> ExactPosterior:
        """The posterior again, without factorising."""
        n = len(problem.y)
        lower = np.zeros((n, n))
        lower[np.tril_indices(n)] = arrays["lower"]
        given = {name: arrays[name] for name in FACTORISED_ARRAYS} | {name: facts[name] for name in FACTORISED_NUMBERS}
        rest = [arrays.get(name) for name in ("theta_covariance", "weight_slopes", "coefficient_slopes")]
        return cls(problem, theta, Factorised(lower=lower, **cast(Any, given)), *rest)

    @property
    def variance(self) -> float:
        """The process variance."""
        return self.factorised.variance

    @property
    def nugget(self) -> float:
        """The nugget that was used."""
        return self.factorised.nugget

    @property
    def optimism(self) -> float:
        """By what factor squared errors on new values exceed those that fitted ones suggest.

        Residuals of a model with k parameters fitted to n values are that much smaller than errors on new ones, for
        which the first order of the hyper-parameters' effect on the mean does not account.
        """
        n, p = self.problem.basis.shape
        k = min(p + len(self.theta), n / 2)
        return float((n + k) / (n - k))

    @property
    def kernel_theta(self) -> FloatArray:
        return self.problem.split(self.theta)[0]

    def predict(self, z: FloatArray, basis: FloatArray, *, with_variance: bool) -> tuple[FloatArray, FloatArray]:
        """Mean and variance at points `z` of shape (m, d) whose trend functions are `basis`, each of shape (m,)."""
        f, p = self.factorised, self.problem
        if not with_variance:
            mean = basis @ f.coefficients + p.kernel.cross(self.kernel_theta, z, p.z) @ f.weights
            return mean, np.zeros_like(mean)
        cross, slopes = self._cross(z, basis)
        variance = f.variance * np.maximum(_relative_variance(*self._whiten(cross, basis)), f.nugget)
        if slopes is not None:
            variance += _quadratic(slopes, cast(FloatArray, self.theta_covariance))
        return basis @ f.coefficients + cross @ f.weights, variance

    def joint(self, z: FloatArray, basis: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean, (m,), and covariance, (m, m), at points."""
        f, p = self.factorised, self.problem
        cross, slopes = self._cross(z, basis)
        white, unknown = self._whiten(cross, basis)
        own = p.kernel.cross(self.kernel_theta, z, z)
        covariance = f.variance * (own - white.T @ white + unknown.T @ unknown)
        if slopes is not None:
            covariance += slopes @ cast(FloatArray, self.theta_covariance) @ slopes.T
        return basis @ f.coefficients + cross @ f.weights, covariance

    def gradient(self, z: FloatArray, trend: Trend) -> tuple[FloatArray, FloatArray]:
        """Derivatives of mean and variance by the columns at points, each of shape (m, d)."""
        f, p = self.factorised, self.problem
        basis = trend.basis(z)
        cross = p.kernel.cross(self.kernel_theta, z, p.z)
        mean = trend.slopes(z, f.coefficients)
        mean += p.kernel.input_slopes(self.kernel_theta, z, p.z, cross * f.weights)
        white, unknown = self._whiten(cross, basis)
        # Of 1 - |white|^2 + |unknown|^2: everything depends on the point through its correlations and trend functions.
        solved = solve_lower(f.information, unknown, transposed=True)
        by_cross = -solve_lower(f.lower, white + f.whitened_basis @ solved, transposed=True).T
        variance = p.kernel.input_slopes(self.kernel_theta, z, p.z, cross * by_cross) + trend.slopes(z, solved.T)
        variance *= 2.0 * f.variance
        # Where rounding is all that is left, the variance stays at its floor.
        variance[_relative_variance(white, unknown) <= f.nugget] = 0.0
        if self.theta_covariance is not None:
            for j in range(z.shape[1]):
                step = STEP * np.eye(z.shape[1])[j]
                ends = [self._theta_variance(moved, trend.basis(moved)) for moved in (z + step, z - step)]
                variance[:, j] += (ends[0] - ends[1]) / (2.0 * STEP)
        return mean, variance

    def extended(self, z: FloatArray, y: FloatArray, basis: FloatArray, noise: FloatArray | None) -> ExactPosterior:
        """The posterior with more points, at the same hyper-parameters: the factor grows by a block of rows.

        References
        ----------
        .. [1] G. H. Golub, C. F. Van Loan, "Matrix Computations", 4th ed. 2013, sec. 6.5.4.
        """
        p, f = self.problem, self.factorised
        problem = p.joined(z, y, basis, noise)
        n, m = len(p.y), len(y)
        white = solve_lower(f.lower, p.kernel.cross(self.kernel_theta, z, p.z).T)
        corner = p.kernel.cross(self.kernel_theta, z, z) - white.T @ white
        corner[np.diag_indices(m)] += problem.diagonal(self.theta)[n:] + f.nugget
        lower = np.zeros((n + m, n + m))
        lower[:n, :n] = f.lower
        lower[n:, :n] = white.T
        try:
            lower[n:, n:] = np.linalg.cholesky(corner)
        except np.linalg.LinAlgError:
            # The new points come too close to old ones for this nugget.
            return ExactPosterior.of(problem, self.theta, self.theta_covariance)
        grown = generalised_least_squares(problem, self.theta, lower, f.nugget)
        return ExactPosterior.of(problem, self.theta, self.theta_covariance, grown)

    def _whiten(self, cross: FloatArray, basis: FloatArray) -> tuple[FloatArray, FloatArray]:
        """inv(L) k, (n, m), and what is unknown of the trend, (p, m); Sacks et al. (1989), eq. 9."""
        f = self.factorised
        white = solve_lower(f.lower, cross.T)
        return white, solve_lower(f.information, basis.T - f.whitened_basis.T @ white)

    def _theta_variance(self, z: FloatArray, basis: FloatArray) -> FloatArray:
        """Variance of the mean from the hyper-parameters' uncertainty, to first order, (m,)."""
        return _quadratic(cast(FloatArray, self._cross(z, basis)[1]), cast(FloatArray, self.theta_covariance))

    def _cross(self, z: FloatArray, basis: FloatArray) -> tuple[FloatArray, FloatArray | None]:
        """Correlations with the training points, (m, n), and derivatives of the mean by hyper-parameters, (m, q)."""
        f, p = self.factorised, self.problem
        if self.weight_slopes is None:
            return p.kernel.cross(self.kernel_theta, z, p.z), None
        cross, own = p.kernel.slopes(self.kernel_theta, z, p.z, f.weights)
        slopes = cross @ self.weight_slopes + basis @ cast(FloatArray, self.coefficient_slopes)
        slopes[:, : own.shape[1]] += own
        return cross, slopes

    def _slopes_of_weights(self) -> tuple[FloatArray, FloatArray]:
        """Derivatives by the hyper-parameters of the weights, (n, q), and of the trend's coefficients, (p, q)."""
        f, p = self.factorised, self.problem
        # The correlation matrix's derivatives times the weights.
        products = np.zeros((len(p.y), p.size))
        k = len(self.kernel_theta)
        products[:, :k] = p.kernel.slopes(self.kernel_theta, p.z, p.z, f.weights)[1]
        _, ratio, log_variance = p.split(self.theta)
        if p.estimates_noise:
            products[:, k] = ratio * f.weights
        if p.noise is not None and log_variance is not None:
            products[:, -1] = -p.noise * np.exp(-log_variance) * f.weights
        white = solve_lower(f.lower, products)
        half = solve_lower(f.information, f.whitened_basis.T @ white)
        coefficients = solve_lower(f.information, half, transposed=True)
        weights = solve_lower(f.lower, white - f.whitened_basis @ coefficients, transposed=True)
        return -weights, -coefficients

    def leave_one_out(self, rows: NDArray[np.int64] | None = None) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of every training point given the others, each of shape (n,), or of some.

        References
        ----------
        .. [1] O. Dubrule, "Cross validation of kriging in a unique neighborhood", Mathematical Geology 15(6), 1983.
        """
        projected = self.factorised.projected_inverse()
        diagonal = np.maximum(np.diag(projected), np.finfo(float).tiny)
        mean = self.problem.y - (projected @ self.problem.y) / diagonal
        variance = self.factorised.variance / diagonal
        return (mean, variance) if rows is None else (mean[rows], variance[rows])


def _relative_variance(white: FloatArray, unknown: FloatArray) -> FloatArray:
    """Variances over the process variance, (m,); Sacks et al. (1989), eq. 9."""
    return np.asarray(1.0 - np.einsum("nm,nm->m", white, white) + np.einsum("pm,pm->m", unknown, unknown))


def _quadratic(rows: FloatArray, matrix: FloatArray) -> FloatArray:
    """The quadratic form of a matrix at each row, (m,)."""
    return np.asarray(((rows @ matrix) * rows).sum(axis=1))
