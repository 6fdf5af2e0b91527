"""The restricted likelihood of a Gaussian process, its gradient, and all that prediction needs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dsyrk
from scipy.linalg.lapack import dpotrf, dpotri, dtrtrs

from surrogate.emulators.gp.kernels import Kernel, Pairs

__all__ = [
    "MAX_NUGGET",
    "Factorised",
    "Problem",
    "factorise",
    "generalised_least_squares",
    "log_likelihood",
    "negative_log_likelihood",
    "solve_lower",
]

FloatArray = NDArray[np.float64]

# Largest nugget, relative to the process variance, that a near-singular design may force on deterministic data.
MAX_NUGGET = 1e-4


@dataclass(frozen=True, eq=False)
class Problem:
    """Training data in scaled units and the model's form; what is left to choose are the hyper-parameters.

    The covariance is ``variance * (R(theta) + nugget I + ratio I) + diag(noise)``. `theta` holds the kernel's
    hyper-parameters, then the logarithm of `ratio` if `noise` is to be estimated, then the logarithm of the variance
    if `noise` is known; otherwise the variance is profiled out.

    Attributes
    ----------
    kernel : Kernel
    z : array of shape (n, d)
        Scaled inputs.
    y : array of shape (n,)
        Scaled outputs.
    basis : array of shape (n, p)
        Trend functions at the points.
    nugget : float
    noise : array of shape (n,) or None
        Known variances of the noise.
    pairs : Pairs or None
        Of the points, to be shared by problems that differ in other things.
    """

    kernel: Kernel
    z: FloatArray
    y: FloatArray
    basis: FloatArray
    nugget: float
    noise: FloatArray | None = None
    estimates_noise: bool = False
    pairs: Pairs | None = None

    def joined(self, z: FloatArray, y: FloatArray, basis: FloatArray, noise: FloatArray | None) -> Problem:
        """The same with more points."""
        return dataclasses.replace(
            self,
            z=np.vstack([self.z, z]),
            y=np.concatenate([self.y, y]),
            basis=np.vstack([self.basis, basis]),
            noise=None if self.noise is None or noise is None else np.concatenate([self.noise, noise]),
            pairs=None,
        )

    def lower(self, theta: FloatArray) -> FloatArray:
        """Lower triangle, C-ordered, of the correlation matrix R(theta)."""
        return self._pairs.lower(self.kernel, self.split(theta)[0])

    def derivatives(self, theta: FloatArray) -> FloatArray:
        """Derivatives of the correlation matrix with all its diagonal by `theta`, array of shape (size, n, n)."""
        kernel_theta, ratio, log_variance = self.split(theta)
        n = len(self.y)
        correlation = self.lower(theta)
        out = np.zeros((self.size, n, n))
        out[: len(kernel_theta)] = self._pairs.derivatives(self.kernel, kernel_theta, correlation)
        if self.estimates_noise:
            out[len(kernel_theta)] = ratio * np.eye(n)
        if log_variance is not None:
            # Of the covariance, over the variance: only the noise does not grow with it.
            out[-1] = correlation + np.tril(correlation, -1).T
        return out

    @property
    def _pairs(self) -> Pairs:
        if self.pairs is None:
            object.__setattr__(self, "pairs", Pairs(self.z))
        return cast(Pairs, self.pairs)

    @property
    def size(self) -> int:
        """Number of hyper-parameters."""
        return self.kernel.size(self.z.shape[1]) + int(self.estimates_noise) + int(self.noise is not None)

    def split(self, theta: FloatArray) -> tuple[FloatArray, float, float | None]:
        """The kernel's hyper-parameters, the ratio of noise to process variance, the log of the variance or None."""
        k = self.kernel.size(self.z.shape[1])
        ratio = float(np.exp(theta[k])) if self.estimates_noise else 0.0
        return theta[:k], ratio, float(theta[-1]) if self.noise is not None else None

    def diagonal(self, theta: FloatArray) -> FloatArray:
        """What is added to the correlation's diagonal besides the nugget, shape (n,)."""
        _, ratio, log_variance = self.split(theta)
        added = np.full(len(self.y), ratio)
        if self.noise is not None and log_variance is not None:
            added += self.noise * np.exp(-log_variance)
        return added

    def rows(self, chosen: NDArray[np.int64]) -> Problem:
        """The same with part of the points."""
        noise = None if self.noise is None else self.noise[chosen]
        return Problem(
            self.kernel, self.z[chosen], self.y[chosen], self.basis[chosen], self.nugget, noise, self.estimates_noise
        )


@dataclass(frozen=True, eq=False)
class Factorised:
    """A correlation matrix R with all its diagonal, factorised, and generalised least squares for the trend.

    Attributes
    ----------
    lower : array of shape (n, n), C-ordered
        Cholesky factor L, R = L L'; zeros above the diagonal.
    nugget : float
        What it took to factorise.
    coefficients : array of shape (p,)
        Generalised least squares estimate of the trend's coefficients.
    weights : array of shape (n,)
        inv(R) (y - F coefficients).
    squares : float
        (y - F coefficients)' inv(R) (y - F coefficients).
    variance : float
        Process variance: given, or its restricted maximum likelihood estimate with divisor n - p.
    whitened_basis : array of shape (n, p)
        inv(L) F.
    information : array of shape (p, p)
        Lower Cholesky factor of F' inv(R) F.
    """

    lower: FloatArray
    nugget: float
    coefficients: FloatArray
    weights: FloatArray
    squares: float
    variance: float
    whitened_basis: FloatArray
    information: FloatArray

    def inverse_basis(self) -> FloatArray:
        """inv(R) F A', with A the inverse of `information`, so that the projected inverse is inv(R) - U U'."""
        solved = solve_lower(self.lower, self.whitened_basis, transposed=True)
        return solve_lower(self.information, solved.T).T

    def projected_inverse(self) -> FloatArray:
        """inv(R) - inv(R) F inv(F' inv(R) F) F' inv(R), array of shape (n, n)."""
        inverse, _ = dpotri(self.lower.T, lower=0)
        lower = np.tril(inverse.T)
        u = self.inverse_basis()
        return np.asarray(lower + np.tril(lower, -1).T - u @ u.T)


def solve_lower(lower: FloatArray, right: FloatArray, *, transposed: bool = False) -> FloatArray:
    """inv(L) B, or inv(L') B, of a C-ordered lower triangle L."""
    # As the transpose of an upper triangle in Fortran's order, which LAPACK takes without a copy.
    trans = 0 if transposed else 1
    solved, info = dtrtrs(lower.T, right, lower=0, trans=trans)
    if info:
        raise np.linalg.LinAlgError("a Cholesky factor has a zero on its diagonal")
    return np.asarray(solved)


def factorise(problem: Problem, theta: FloatArray) -> Factorised:
    """Factorise with the nugget on the diagonal, or with the smallest power of ten times it that works.

    Raises
    ------
    numpy.linalg.LinAlgError
        If not even ``MAX_NUGGET`` makes the matrix positive definite.
    """
    return _factorise(problem, theta, problem.lower(theta))


def _factorise(problem: Problem, theta: FloatArray, correlation: FloatArray) -> Factorised:
    n = len(problem.y)
    added = problem.diagonal(theta)
    nugget = problem.nugget
    while True:
        matrix = correlation.copy()
        matrix.ravel()[:: n + 1] += added + nugget
        upper, info = dpotrf(matrix.T, lower=0, clean=0, overwrite_a=1)
        if info == 0:
            return generalised_least_squares(problem, theta, upper.T, nugget)
        nugget *= 10.0
        if nugget > MAX_NUGGET * 1.0001:
            raise np.linalg.LinAlgError(f"a correlation matrix of {n} points is singular even with nugget {nugget:g}")


def generalised_least_squares(problem: Problem, theta: FloatArray, lower: FloatArray, nugget: float) -> Factorised:
    """Trend, weights and variance given the factor `lower` of the correlation matrix with its diagonal."""
    n, p = problem.basis.shape
    white = solve_lower(lower, np.concatenate([problem.basis, problem.y[:, None]], axis=1))
    basis, y = white[:, :p], white[:, p]
    information = np.asarray(np.linalg.cholesky(basis.T @ basis), dtype=np.float64)
    half = solve_lower(information, basis.T @ y)
    coefficients = solve_lower(information, half, transposed=True)
    residual = y - basis @ coefficients
    weights = solve_lower(lower, residual, transposed=True)
    log_variance = problem.split(theta)[2]
    squares = float(residual @ residual)
    if log_variance is None:
        # Of a constant y nothing is left over; a variance of zero has no logarithm.
        variance = max(squares / max(n - p, 1), np.finfo(float).tiny)
    else:
        variance = float(np.exp(log_variance))
    return Factorised(lower, nugget, coefficients, weights, squares, variance, basis, information)


def log_likelihood(problem: Problem, theta: FloatArray) -> float:
    """Restricted log likelihood, trend (and variance) profiled out, up to a constant."""
    return -_value(problem, theta, factorise(problem, theta))


def _value(problem: Problem, theta: FloatArray, f: Factorised) -> float:
    n, p = problem.basis.shape
    log_determinants = 2.0 * (np.log(np.diag(f.lower)).sum() + np.log(np.diag(f.information)).sum())
    value = 0.5 * ((n - p) * np.log(f.variance) + log_determinants)
    if problem.split(theta)[2] is not None:
        value += 0.5 * f.squares / f.variance
    return float(value)


def negative_log_likelihood(problem: Problem, theta: FloatArray) -> tuple[float, FloatArray]:
    """Minus the restricted log likelihood, trend (and variance) profiled out, and its gradient.

    Parameters
    ----------
    theta : array of shape (problem.size,)

    Returns
    -------
    value : float
        Up to a constant.
    gradient : array of shape (problem.size,)

    References
    ----------
    .. [1] C. E. Rasmussen, C. K. I. Williams, "Gaussian Processes for Machine Learning", MIT Press 2006,
       eqs. 5.9 and 2.45.
    """
    n, p = problem.basis.shape
    kernel_theta, ratio, log_variance = problem.split(theta)
    correlation = problem.lower(theta)
    f = _factorise(problem, theta, correlation)
    value = _value(problem, theta, f)

    # The derivative by the correlation, lower triangle: half of the projected inverse minus w w' / variance.
    u = np.concatenate([f.inverse_basis(), f.weights[:, None] / np.sqrt(f.variance)], axis=1)
    inverse, _ = dpotri(f.lower.T, lower=0, overwrite_c=1)
    slope = dsyrk(-0.5, u, beta=0.5, c=inverse, trans=0, lower=0, overwrite_c=1).T
    on_diagonal = np.diag(slope).copy()
    slope *= correlation  # whose zeros clear the upper triangle
    gradient = np.empty(len(theta))
    k = len(kernel_theta)
    gradient[:k] = problem._pairs.slopes(problem.kernel, kernel_theta, slope)
    if problem.estimates_noise:
        gradient[k] = ratio * on_diagonal.sum()
    if problem.noise is not None and log_variance is not None:
        gradient[-1] = 0.5 * ((n - p) - f.squares / f.variance) - on_diagonal @ problem.noise / f.variance
    return value, gradient
