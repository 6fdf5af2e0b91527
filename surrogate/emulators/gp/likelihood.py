"""The restricted likelihood of a Gaussian process with constant mean, its gradient, and all that prediction needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs

from surrogate.emulators.gp.kernels import matern52_with_slope, squared_distances

__all__ = ["Factorised", "factorise", "negative_log_likelihood"]

FloatArray = NDArray[np.float64]

# Largest nugget, relative to the process variance, that a near-singular design may force on deterministic data.
MAX_NUGGET = 1e-4


@dataclass(frozen=True, eq=False)
class Factorised:
    """A correlation matrix R + nugget I factorised, with generalised least squares for a constant mean.

    Attributes
    ----------
    lower : array of shape (n, n)
        Cholesky factor L, R + nugget I = L L'.
    nugget : float
        What it took to factorise.
    mean : float
        Generalised least squares estimate of the constant.
    weights : array of shape (n,)
        inv(R) (y - mean).
    variance : float
        Restricted maximum likelihood estimate of the process variance, divisor n - 1.
    inverse_ones : array of shape (n,)
        inv(R) 1.
    ones_information : float
        1' inv(R) 1.
    """

    lower: FloatArray
    nugget: float
    mean: float
    weights: FloatArray
    variance: float
    inverse_ones: FloatArray
    ones_information: float

    def projected_inverse(self) -> FloatArray:
        """inv(R) - inv(R) 1 1' inv(R) / (1' inv(R) 1), array of shape (n, n)."""
        inverse, _ = dpotri(self.lower, lower=1)
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        return np.asarray(inverse - np.outer(self.inverse_ones, self.inverse_ones) / self.ones_information)


def factorise(correlation: FloatArray, y: FloatArray, nugget: float) -> Factorised:
    """Factorise with `nugget` on the diagonal, or with the smallest power of ten times it that works.

    Raises
    ------
    numpy.linalg.LinAlgError
        If not even ``MAX_NUGGET`` makes the matrix positive definite.
    """
    n = len(y)
    ones = np.ones(n)
    while True:
        matrix = correlation.copy(order="F")
        matrix[np.diag_indices(n)] += nugget
        lower, info = dpotrf(matrix, lower=1, clean=1, overwrite_a=1)
        if info == 0:
            break
        nugget *= 10.0
        if nugget > MAX_NUGGET:
            raise np.linalg.LinAlgError(f"a correlation matrix of {n} points is singular even with nugget {nugget:g}")
    inverse_ones, _ = dpotrs(lower, ones, lower=1)
    information = float(inverse_ones.sum())
    mean = float(inverse_ones @ y) / information
    residual = y - mean
    weights, _ = dpotrs(lower, residual, lower=1)
    # Of a constant y nothing is left over; a variance of zero has no logarithm.
    variance = max(float(residual @ weights) / max(n - 1, 1), np.finfo(float).tiny)
    return Factorised(lower, nugget, mean, weights, variance, inverse_ones, information)


def negative_log_likelihood(
    log_length_scales: FloatArray, x: FloatArray, y: FloatArray, nugget: float
) -> tuple[float, FloatArray]:
    """Minus the restricted log likelihood, mean and variance profiled out, and its gradient.

    Parameters
    ----------
    log_length_scales : array of shape (d,)
    x : array of shape (n, d)
        Scaled inputs.
    y : array of shape (n,)
    nugget : float

    Returns
    -------
    value : float
        Up to a constant.
    gradient : array of shape (d,)

    Notes
    -----
    With S the derivative of the value by the correlation times the kernel's slope, the gradient is
    ``sum_ij S_ij (x_ik - x_jk)^2 = 2 sum_i x_ik^2 S_i. - 2 (X' S X)_kk``: one matrix product and no tensor of shape
    (n, n, d).

    References
    ----------
    .. [1] C. E. Rasmussen, C. K. I. Williams, "Gaussian Processes for Machine Learning", MIT Press 2006,
       eqs. 5.9 and 2.45.
    """
    n = len(y)
    length_scales = np.exp(log_length_scales)
    correlation, slope = matern52_with_slope(squared_distances(x, x, length_scales))
    f = factorise(correlation, y, nugget)
    log_determinant = 2.0 * np.log(np.diag(f.lower)).sum()
    value = 0.5 * ((n - 1) * np.log(f.variance) + log_determinant + np.log(f.ones_information))

    s = 0.5 * (f.projected_inverse() - np.outer(f.weights, f.weights) / f.variance) * slope
    z = x / length_scales
    gradient = 2.0 * (s.sum(axis=1) @ z**2 - np.einsum("ik,ik->k", z, s @ z))
    return float(value), gradient


def solve_lower(lower: FloatArray, right: FloatArray) -> FloatArray:
    """inv(L) B."""
    return np.asarray(scipy.linalg.solve_triangular(lower, right, lower=True, check_finite=False))
