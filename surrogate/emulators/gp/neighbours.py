"""The posterior for very many training points: each prediction from its nearest neighbours."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dposv
from scipy.spatial import KDTree

from surrogate.emulators.gp.inputs import Trend
from surrogate.emulators.gp.likelihood import Problem, factorise

__all__ = ["NeighbourPosterior"]

FloatArray = NDArray[np.float64]

# Training points that a prediction looks at. Of 50,000 runs of four test functions 128 neighbours left 1/4 to 1 of the
# error of 64, and 256 another 2/3 to 1 of that at four times the cost.
NEIGHBOURS = 128


@dataclass(frozen=True, eq=False)
class NeighbourPosterior:
    """Kriging from the nearest training points, in scaled units: Vecchia's approximation at new points.

    Trend coefficients and variance are those of the points from which hyper-parameters were chosen.

    Attributes
    ----------
    problem : Problem
        Of all points.
    theta : array of shape (q,)
    coefficients : array of shape (p,)
        Of the trend.
    variance : float
        Of the process.
    nugget : float

    References
    ----------
    .. [1] A. V. Vecchia, "Estimation and model identification for continuous spatial processes", Journal of the Royal
       Statistical Society B 50(2), 1988.
    .. [2] M. Katzfuss, J. Guinness, W. Gong, D. Zilber, "Vecchia approximations of Gaussian-process predictions",
       Journal of Agricultural, Biological and Environmental Statistics 25, 2020.
    """

    problem: Problem
    theta: FloatArray
    coefficients: FloatArray
    variance: float
    nugget: float

    theta_covariance = None  # of very many runs they are known well

    @classmethod
    def of(cls, problem: Problem, theta: FloatArray, part: NDArray[np.int64]) -> NeighbourPosterior:
        """The posterior whose trend and variance come from some of the points."""
        f = factorise(problem.rows(part), theta)
        return cls(dataclasses.replace(problem, pairs=None), theta, f.coefficients, f.variance, f.nugget)

    def arrays(self) -> dict[str, FloatArray]:
        """What `from_arrays` needs besides problem and hyper-parameters."""
        return {"coefficients": self.coefficients}

    def facts(self) -> dict[str, float]:
        """The numbers among it."""
        return {"variance": self.variance, "nugget": self.nugget}

    @classmethod
    def from_arrays(
        cls, problem: Problem, theta: FloatArray, arrays: Mapping[str, FloatArray], facts: Mapping[str, float]
    ) -> NeighbourPosterior:
        """The posterior again."""
        return cls(problem, theta, arrays["coefficients"], facts["variance"], facts["nugget"])

    def __post_init__(self) -> None:
        kernel, d = self.problem.kernel, self.problem.z.shape[1]
        # Near is what correlates: to second order 1 - f grows with (1 - c) times the squared scaled distance.
        weights = kernel.rates(self.kernel_theta, d) * np.sqrt(1.0 - kernel.floors(self.kernel_theta, d))
        object.__setattr__(self, "_weights", weights)
        object.__setattr__(self, "_tree", KDTree(self.problem.z * weights))

    @property
    def kernel_theta(self) -> FloatArray:
        return self.problem.split(self.theta)[0]

    def _neighbours(self, z: FloatArray, count: int) -> NDArray[np.int64]:
        """Row numbers of the nearest training points, (m, count), nearest first."""
        tree, weights = vars(self)["_tree"], vars(self)["_weights"]
        count = min(count, len(self.problem.y))
        return np.asarray(tree.query(z * weights, k=count)[1]).reshape(len(z), count)

    def _krige(self, others: FloatArray, added: FloatArray, right: FloatArray) -> FloatArray:
        """inv(R) B of some points, with what is `added` to the diagonal of their correlation matrix R.

        Parameters
        ----------
        others : array of shape (k, d)
        right : array of shape (k, r)
        """
        inside = self.problem.kernel.cross(self.kernel_theta, others, others)
        nugget = self.nugget
        while True:
            matrix = inside.copy()
            matrix.ravel()[:: len(others) + 1] += added + nugget
            _, solved, info = dposv(matrix, right, lower=1, overwrite_a=1)
            if info == 0:
                return np.asarray(solved)
            # Neighbours lie closer together than the points for which the nugget was enough.
            nugget *= 10.0

    def _at(self, z: FloatArray, near: NDArray[np.int64]) -> Iterator[tuple[int, FloatArray, FloatArray, FloatArray]]:
        """For each point its number, neighbours, correlations with them, and inv(R) of correlations and residuals."""
        p = self.problem
        residuals = p.y - p.basis @ self.coefficients
        added = p.diagonal(self.theta)
        for i, rows in enumerate(near):
            others = p.z[rows]
            cross = p.kernel.cross(self.kernel_theta, z[i : i + 1], others)[0]
            right = np.column_stack([cross, residuals[rows]])
            yield i, others, cross, self._krige(others, added[rows], right)

    def predict(self, z: FloatArray, basis: FloatArray, *, with_variance: bool) -> tuple[FloatArray, FloatArray]:
        """Mean and variance at points, each of shape (m,); as :meth:`ExactPosterior.predict`."""
        return self._predict(z, basis, self._neighbours(z, NEIGHBOURS))

    def _predict(self, z: FloatArray, basis: FloatArray, near: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
        mean, relative = basis @ self.coefficients, np.empty(len(z))
        for i, _, cross, solved in self._at(z, near):
            mean[i] += cross @ solved[:, 1]
            relative[i] = 1.0 - cross @ solved[:, 0]
        return mean, self.variance * np.maximum(relative, self.nugget)

    def gradient(self, z: FloatArray, trend: Trend) -> tuple[FloatArray, FloatArray]:
        """Derivatives of mean and variance by the columns at points, each of shape (m, d), for the same neighbours."""
        kernel, theta = self.problem.kernel, self.kernel_theta
        mean, variance = trend.slopes(z, self.coefficients), np.empty(z.shape)
        for i, others, cross, solved in self._at(z, self._neighbours(z, NEIGHBOURS)):
            point = z[i : i + 1]
            mean[i] += kernel.input_slopes(theta, point, others, cross[None] * solved[:, 1])[0]
            slopes = kernel.input_slopes(theta, point, others, cross[None] * solved[:, 0])[0]
            # Where rounding is all that is left, the variance stays at its floor.
            above = 1.0 - cross @ solved[:, 0] > self.nugget
            variance[i] = -2.0 * self.variance * slopes if above else 0.0
        return mean, variance

    def joint(self, z: FloatArray, basis: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean, (m,), and covariance, (m, m), at points: each given its nearest training and earlier points."""
        p, m = self.problem, len(z)
        residuals, added = p.y - p.basis @ self.coefficients, p.diagonal(self.theta)
        near = self._neighbours(z, NEIGHBOURS)
        mean, covariance = np.zeros(m), np.zeros((m, m))
        scaled, known = z * vars(self)["_weights"], p.z * vars(self)["_weights"]
        for i in range(m):
            away = np.concatenate(
                [((known[near[i]] - scaled[i]) ** 2).sum(axis=1), ((scaled[:i] - scaled[i]) ** 2).sum(axis=1)]
            )
            nearest = np.argsort(away, kind="stable")[:NEIGHBOURS]
            k = near.shape[1]
            old, earlier = near[i][nearest[nearest < k]], nearest[nearest >= k] - k
            others = np.vstack([p.z[old], z[earlier]])
            cross = p.kernel.cross(self.kernel_theta, z[i : i + 1], others)[0]
            diagonal = np.concatenate([added[old], np.zeros(len(earlier))])
            weights = self._krige(others, diagonal, cross[:, None])[:, 0]
            own, given = weights[: len(old)], weights[len(old) :]
            mean[i] = own @ residuals[old] + given @ mean[earlier]
            covariance[i, :i] = covariance[:i, i] = given @ covariance[earlier, :i]
            own_variance = self.variance * max(1.0 - float(weights @ cross), self.nugget)
            covariance[i, i] = own_variance + given @ covariance[np.ix_(earlier, earlier)] @ given
        return mean + basis @ self.coefficients, covariance

    def leave_one_out(self, rows: NDArray[np.int64] | None = None) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of training points given their neighbours; of all points, or of some."""
        p = self.problem
        rows = np.arange(len(p.y)) if rows is None else rows
        near = self._neighbours(p.z[rows], NEIGHBOURS + 1)
        # Each point is among its own neighbours: put it last, and leave that out.
        order = np.argsort(near == rows[:, None], axis=1, kind="stable")
        near = np.take_along_axis(near, order, axis=1)[:, :-1]
        mean, variance = self._predict(p.z[rows], p.basis[rows], near)
        return mean, variance + self.variance * p.diagonal(self.theta)[rows]

    def extended(self, z: FloatArray, y: FloatArray, basis: FloatArray, noise: FloatArray | None) -> NeighbourPosterior:
        """The posterior with more points, at the same hyper-parameters, trend and variance."""
        return dataclasses.replace(self, problem=self.problem.joined(z, y, basis, noise))
