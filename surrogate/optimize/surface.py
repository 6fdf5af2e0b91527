"""What the loop believes about one output: a Gaussian process that is fitted again after every run, fast.

It is made of the emulator's parts (kernel, likelihood, posterior) without its comforts: hyper-parameters start where
the last fit ended, warps and kernels are chosen anew only when there are a good deal more runs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from surrogate.emulators.gp.exact import ExactPosterior
from surrogate.emulators.gp.hyperparameters import Prior, Variant, choose, climb, posterior_covariance
from surrogate.emulators.gp.inputs import Trend
from surrogate.emulators.gp.kernels import Kernel, Pairs
from surrogate.emulators.gp.likelihood import Problem, solve_lower

__all__ = ["Moments", "Surface", "Warp", "fit_surface"]

FloatArray = NDArray[np.float64]
Kind = Literal["objective", "constraint", "success"]

# On the diagonal, relative to the process variance; raised where a matrix needs more. With 1e-8 the regret on smooth
# functions is 1.4 to 2.4 decades worse than with 1e-12. With 1e-14 it is 0.4 to 1.4 decades better on Branin,
# Goldstein-Price and the Hartmanns, 0.1 to 0.2 worse on Rosenbrock and Ackley, and the same under constraints (medians
# of ten and of six seeds with which it was not chosen).
NUGGET = 1e-14
# Of constraints, whose zero is sought to the last digit where an objective's minimum is flat.
CONSTRAINT_NUGGET = 1e-13

# Offsets of the shifted logarithm, as shares of the distance from the smallest output to the median.
LOG_OFFSETS = (0.3, 0.03)

# Warp and kernel are chosen anew when the number of runs has grown by this factor and number.
GROWTH, GROWTH_RUNS = 1.15, 3

# Iterations of a fit that starts from the last one, and the gain in log density that ends it.
ITERATIONS, TOLERANCE = 10, 0.02

CALIBRATED = ("constraint",)

# Of constant outputs the variance is zero, by which nothing can be divided.
LEAST_STD = 1e-100

# Numbers whose exponential is not yet infinite.
LARGEST_LOG = 700.0


@dataclass(frozen=True)
class Warp:
    """A monotone function of an output, then standardised: t = (g(y) - centre) / scale.

    Attributes
    ----------
    kind : "none", "log" or "asinh"
        g(y) = y, log(y - origin) or asinh(y / unit).
    """

    kind: str = "none"
    origin: float = 0.0
    unit: float = 1.0
    centre: float = 0.0
    scale: float = 1.0

    @classmethod
    def of(cls, y: FloatArray, kind: str, offset: float = 0.0) -> Warp:
        """The warp that fits outputs."""
        origin, unit = 0.0, 1.0
        if kind == "log":
            origin = float(y.min() - offset * (np.median(y) - y.min()))
        if kind == "asinh":
            unit = float(offset * np.median(np.abs(y)))
        g = cls(kind, origin, unit).forward(y)
        centre = float(g.mean())
        # The square of 1e200 is infinite, that of 1e-200 zero.
        largest = float(np.abs(g - centre).max()) or 1.0
        return cls(kind, origin, unit, centre, largest * float(((g - centre) / largest).std()) or 1.0)

    def forward(self, y: Any) -> FloatArray:
        """Warped outputs."""
        g = np.asarray(y, dtype=float)
        if self.kind == "log":
            g = np.log(g - self.origin)
        elif self.kind == "asinh":
            g = np.arcsinh(g / self.unit)
        return np.asarray((g - self.centre) / self.scale)

    def backward(self, t: Any) -> FloatArray:
        """Outputs."""
        g = self.centre + self.scale * np.asarray(t, dtype=float)
        if self.kind == "log":
            return np.asarray(self.origin + np.exp(np.minimum(g, LARGEST_LOG)))
        if self.kind == "asinh":
            return np.asarray(self.unit * np.sinh(np.clip(g, -LARGEST_LOG, LARGEST_LOG)))
        return np.asarray(g)

    def log_slopes(self, y: FloatArray) -> FloatArray:
        """Logarithms of the warp's derivative at outputs."""
        out = np.full(len(y), -np.log(self.scale))
        if self.kind == "log":
            out -= np.log(y - self.origin)
        elif self.kind == "asinh":
            out -= np.log(self.unit) + 0.5 * np.log1p((y / self.unit) ** 2)
        return out


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean and standard deviation of warped outputs at points, (m,), with derivatives by the columns, (m, c)."""

    mean: FloatArray
    std: FloatArray
    mean_slopes: FloatArray
    std_slopes: FloatArray


@dataclass(frozen=True, eq=False)
class Surface:
    """A fitted model of one output.

    Attributes
    ----------
    memory : dict
        Where the next fit begins, JSON-ready.
    """

    posterior: ExactPosterior
    trend: Trend
    warp: Warp
    memory: dict[str, Any]
    inflation: float = 1.0

    def predict(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of warped outputs at columns, (m,)."""
        mean, variance = self.posterior.predict(z, self.trend.basis(z), with_variance=True)
        return mean, np.maximum(self.inflation * np.sqrt(variance), LEAST_STD)

    @property
    def least_variance(self) -> float:
        """What the nugget leaves of the variance at a run."""
        return self.inflation**2 * self.posterior.factorised.variance * self.posterior.factorised.nugget

    def joint(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean, (m,), and covariance, (m, m), of warped outputs."""
        mean, covariance = self.posterior.joint(z, self.trend.basis(z))
        return mean, self.inflation**2 * covariance

    def unsure(self) -> Surface:
        """The same, whose variances hold the uncertainty of the hyper-parameters, too."""
        posterior = self.posterior
        if not posterior.problem.y.any():
            return self  # constant outputs tell nothing of them
        covariance = posterior_covariance(posterior.problem, posterior.theta)
        unsure = ExactPosterior.of(posterior.problem, posterior.theta, covariance, posterior.factorised)
        return dataclasses.replace(self, posterior=unsure, inflation=self.inflation * np.sqrt(unsure.optimism))

    def moments(self, z: FloatArray) -> Moments:
        """Mean and standard deviation with their derivatives.

        References
        ----------
        .. [1] J. Sacks, W. J. Welch, T. J. Mitchell, H. P. Wynn, "Design and Analysis of Computer Experiments",
           Statistical Science 4(4), 1989, eqs. 7 and 9.
        """
        p, f = self.posterior.problem, self.posterior.factorised
        basis = self.trend.basis(z)
        cross, log_slopes = p.kernel.cross_and_log_slopes(self.posterior.kernel_theta, z, p.z)
        white = solve_lower(f.lower, cross.T)
        solved = self._inverse_information @ (basis.T - f.whitened_basis.T @ white)
        relative = 1.0 - (white * white).sum(axis=0) + ((f.information.T @ solved) ** 2).sum(axis=0)
        std = np.maximum(self.inflation * np.sqrt(f.variance * np.maximum(relative, f.nugget)), LEAST_STD)
        by_cross = -solve_lower(f.lower, white + f.whitened_basis @ solved, transposed=True).T
        weights = np.stack([cross * f.weights, cross * by_cross], axis=-1)
        # (m, c, n) @ (m, n, 2): both sums over the runs at once.
        slopes = log_slopes.transpose(1, 0, 2) @ weights
        mean_slopes, variance_slopes = slopes[:, :, 0], slopes[:, :, 1]
        if len(self.trend.terms) > 1:
            mean_slopes = mean_slopes + self.trend.slopes(z, f.coefficients)
            variance_slopes = variance_slopes + self.trend.slopes(z, solved.T)
        # Half the derivative of the variance over the standard deviation; none where the nugget is all there is.
        by_std = np.where(relative > f.nugget, self.inflation**2 * f.variance / std, 0.0)
        return Moments(basis @ f.coefficients + cross @ f.weights, std, mean_slopes, by_std[:, None] * variance_slopes)

    @cached_property
    def _inverse_information(self) -> FloatArray:
        """inv(A A'), with A the Cholesky factor of the trend's information."""
        inverse = np.linalg.inv(self.posterior.factorised.information)
        return np.asarray(inverse.T @ inverse)

    def believing(self, z: FloatArray) -> Surface:
        """The same as if runs at `z` had been predicted right; hyper-parameters stay.

        References
        ----------
        .. [1] D. Ginsbourger, R. Le Riche, L. Carraro, "Kriging is well-suited to parallelize optimization", 2010:
           the kriging believer.
        """
        mean, _ = self.predict(z)
        return dataclasses.replace(
            self, posterior=self.posterior.extended(z, mean, self.trend.basis(z), None), memory=self.memory
        )


def _told_apart(z: FloatArray, columns: Sequence[int]) -> list[int]:
    """Those of the columns that runs tell apart from a constant and from each other: of a level without runs none."""
    kept: list[int] = []
    for j in columns:
        basis = np.column_stack([np.ones(len(z)), z[:, [*kept, j]]])
        if np.linalg.matrix_rank(basis) == basis.shape[1]:
            kept.append(j)
    return kept


def fit_surface(
    z: FloatArray,
    y: FloatArray,
    *,
    kind: Kind = "objective",
    noise: bool = False,
    memory: dict[str, Any] | None = None,
    families: Sequence[str] = ("matern52",),
    level_columns: Sequence[int] = (),
) -> Surface:
    """Fit the model of one output.

    Parameters
    ----------
    z : array of shape (n, c)
        Columns in [0, 1].
    y : array of shape (n,)
        Of a constraint its excess, not positive where it is met.
    kind : str
        Which warps are tried.
    noise : bool
        Whether to estimate noise.
    memory : dict, optional
        That of the last fit.
    families : sequence of str
        Kernels by likelihood: the first is preferred unless another is clearly likelier.
    level_columns : sequence of int
        Columns with a trend of their own, as far as the runs tell it.

    Returns
    -------
    Surface
    """
    n = len(z)
    terms: tuple[tuple[int, ...], ...] = ((), *((j,) for j in _told_apart(z, level_columns)))
    trend = Trend("linear" if len(terms) > 1 else "constant", terms)
    warps = [Warp.of(y, "none")]
    if kind == "objective":
        # Beside a large number a small offset rounds away, and the smallest output has no logarithm.
        lowest, span = y.min(), np.median(y) - y.min()
        warps += [Warp.of(y, "log", offset) for offset in LOG_OFFSETS if lowest - offset * span < lowest]
    if kind == "constraint" and np.median(np.abs(y)) > 0:
        warps.append(Warp.of(y, "asinh", 0.3))
    nugget = CONSTRAINT_NUGGET if kind == "constraint" else NUGGET
    # The pairs of runs are the same under every warp and kernel.
    base = Problem(Kernel(families[0]), z, warps[0].forward(y), trend.basis(z), nugget, None, noise, Pairs(z))
    if np.ptp(y) == 0:
        # Constant outputs say nothing about the hyper-parameters.
        return Surface(ExactPosterior.of(base, Prior.of(base).mean), trend, warps[0], {})
    variants = [Variant(dataclasses.replace(base, y=warp.forward(y)), warp.log_slopes(y)) for warp in warps]
    chosen = min(memory["warp"], len(variants) - 1) if memory else 0
    one = variants[chosen].of_family(memory["family"] if memory else families[0])
    if memory and n < GROWTH * memory["runs"] + GROWTH_RUNS and len(memory["theta"]) == one.problem.size:
        problem, theta = one.problem, climb(one, np.array(memory["theta"]), ITERATIONS, TOLERANCE).theta
        runs = memory["runs"]
    else:
        chosen, problem, theta = choose(variants, families, 3)
        runs = n
    made = {"theta": theta.tolist(), "family": problem.kernel.family, "warp": chosen, "runs": runs}
    posterior = ExactPosterior.of(problem, theta)
    inflation = 1.0
    if kind in CALIBRATED:
        mean, variance = posterior.leave_one_out()
        inflation = float(np.sqrt(max(1.0, ((problem.y - mean) ** 2 / variance).mean())))
    return Surface(posterior, trend, warps[chosen], made, inflation)
