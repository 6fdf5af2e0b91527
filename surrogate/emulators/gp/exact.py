"""The posterior given all training points at once."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import scipy.linalg
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

# Half step of differences by scaled inputs.
STEP = 1e-5


@dataclass(frozen=True, eq=False)
class ExactPosterior:
    """Universal kriging with a factorised covariance, in scaled units.

    Attributes
    ----------
    theta_covariance : array of shape (q, q) or None
        Uncertainty of the hyper-parameters, to be added to first order.

    References
    ----------
    .. [1] J. Sacks, W. J. Welch, T. J. Mitchell, H. P. Wynn, "Design and Analysis of Computer Experiments",
       Statistical Science 4(4), 1989: the prediction and its variance, eqs. 7 and 9.
    """

    problem: Problem
    theta: FloatArray
    factorised: Factorised
    theta_covariance: FloatArray | None = None
    _theta_slopes: tuple[FloatArray, FloatArray] | None = field(init=False, default=None)

    @classmethod
    def of(cls, problem: Problem, theta: FloatArray, theta_covariance: FloatArray | None = None) -> ExactPosterior:
        return cls(problem, theta, factorise(problem, theta), theta_covariance)

    def __post_init__(self) -> None:
        if self.theta_covariance is not None:
            object.__setattr__(self, "_theta_slopes", self._slopes_of_weights())

    @property
    def kernel_theta(self) -> FloatArray:
        return self.problem.split(self.theta)[0]

    def predict(self, z: FloatArray, basis: FloatArray, *, with_variance: bool) -> tuple[FloatArray, FloatArray]:
        """Mean and variance at points `z` of shape (m, d) whose trend functions are `basis`, each of shape (m,)."""
        f, p = self.factorised, self.problem
        cross = p.kernel.cross(self.kernel_theta, z, p.z)
        mean = basis @ f.coefficients + cross @ f.weights
        if not with_variance:
            return mean, np.zeros_like(mean)
        white, unknown = self._whiten(cross, basis)
        relative = 1.0 - np.einsum("nm,nm->m", white, white) + np.einsum("pm,pm->m", unknown, unknown)
        variance = f.variance * np.maximum(relative, f.nugget)
        if self.theta_covariance is not None:
            variance += self._theta_variance(z, basis, cross)
        return mean, variance

    def joint(self, z: FloatArray, basis: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean, (m,), and covariance, (m, m), at points."""
        f, p = self.factorised, self.problem
        cross = p.kernel.cross(self.kernel_theta, z, p.z)
        white, unknown = self._whiten(cross, basis)
        own = p.kernel.cross(self.kernel_theta, z, z)
        covariance = f.variance * (own - white.T @ white + unknown.T @ unknown)
        if self.theta_covariance is not None:
            slopes = self._mean_slopes(z, basis, cross)
            covariance += slopes @ self.theta_covariance @ slopes.T
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
        solved = scipy.linalg.solve_triangular(f.information, unknown, lower=True, trans=1, check_finite=False)
        by_cross = -solve_lower(f.lower, white + f.whitened_basis @ solved, transposed=True).T
        variance = p.kernel.input_slopes(self.kernel_theta, z, p.z, cross * by_cross) + trend.slopes(z, solved.T)
        variance *= 2.0 * f.variance
        if self.theta_covariance is not None:
            for j in range(z.shape[1]):
                ends = []
                for step in (STEP, -STEP):
                    moved = z.copy()
                    moved[:, j] += step
                    ends.append(
                        self._theta_variance(moved, trend.basis(moved), p.kernel.cross(self.kernel_theta, moved, p.z))
                    )
                variance[:, j] += (ends[0] - ends[1]) / (2.0 * STEP)
        return mean, variance

    def extended(self, z: FloatArray, y: FloatArray, basis: FloatArray, noise: FloatArray | None) -> ExactPosterior:
        """The posterior with more points, at the same hyper-parameters: the factor grows by a block of rows.

        References
        ----------
        .. [1] G. H. Golub, C. F. Van Loan, "Matrix Computations", 4th ed. 2013, sec. 6.5.4.
        """
        p, f = self.problem, self.factorised
        noises = None if p.noise is None or noise is None else np.concatenate([p.noise, noise])
        problem = dataclasses.replace(
            p,
            z=np.vstack([p.z, z]),
            y=np.concatenate([p.y, y]),
            basis=np.vstack([p.basis, basis]),
            noise=noises,
        )
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
        return ExactPosterior(problem, self.theta, grown, self.theta_covariance)

    def _whiten(self, cross: FloatArray, basis: FloatArray) -> tuple[FloatArray, FloatArray]:
        """inv(L) k, (n, m), and what is unknown of the trend, (p, m); Sacks et al. (1989), eq. 9."""
        f = self.factorised
        white = solve_lower(f.lower, cross.T)
        unknown = scipy.linalg.solve_triangular(
            f.information, basis.T - f.whitened_basis.T @ white, lower=True, check_finite=False
        )
        return white, unknown

    def _theta_variance(self, z: FloatArray, basis: FloatArray, cross: FloatArray) -> FloatArray:
        """Variance of the mean from the hyper-parameters' uncertainty, to first order, (m,)."""
        slopes = self._mean_slopes(z, basis, cross)
        return np.asarray(((slopes @ cast(FloatArray, self.theta_covariance)) * slopes).sum(axis=1))

    def _slopes_of_weights(self) -> tuple[FloatArray, FloatArray]:
        """Derivatives by the hyper-parameters of the weights, (n, q), and of the trend's coefficients, (p, q)."""
        f, p = self.factorised, self.problem
        correlation = p.kernel.lower(self.kernel_theta, p.z)
        correlation += np.tril(correlation, -1).T
        # The correlation matrix's derivatives times the weights.
        products = np.zeros((len(p.y), p.size))
        k = len(self.kernel_theta)
        products[:, :k] = p.kernel.slopes(self.kernel_theta, p.z, p.z, correlation * f.weights, rowwise=True)
        _, ratio, log_variance = p.split(self.theta)
        if p.estimates_noise:
            products[:, k] = ratio * f.weights
        if p.noise is not None and log_variance is not None:
            products[:, -1] = -p.noise * np.exp(-log_variance) * f.weights
        white = solve_lower(f.lower, products)
        half = scipy.linalg.solve_triangular(f.information, f.whitened_basis.T @ white, lower=True, check_finite=False)
        coefficients = scipy.linalg.solve_triangular(f.information, half, lower=True, trans=1, check_finite=False)
        weights = solve_lower(f.lower, white - f.whitened_basis @ coefficients, transposed=True)
        return -weights, -coefficients

    def _mean_slopes(self, z: FloatArray, basis: FloatArray, cross: FloatArray) -> FloatArray:
        """Derivatives by the hyper-parameters of the mean at points, (m, q)."""
        assert self._theta_slopes is not None
        weights, coefficients = self._theta_slopes
        f, p = self.factorised, self.problem
        slopes = cross @ weights + basis @ coefficients
        k = len(self.kernel_theta)
        slopes[:, :k] += p.kernel.slopes(self.kernel_theta, z, p.z, cross * f.weights, rowwise=True)
        return slopes

    def leave_one_out(self) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of every training point given the others, each of shape (n,).

        References
        ----------
        .. [1] O. Dubrule, "Cross validation of kriging in a unique neighborhood", Mathematical Geology 15(6), 1983.
        """
        projected = self.factorised.projected_inverse()
        diagonal = np.maximum(np.diag(projected), np.finfo(float).tiny)
        mean = self.problem.y - (projected @ self.problem.y) / diagonal
        return mean, self.factorised.variance / diagonal
