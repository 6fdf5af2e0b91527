"""Which hyper-parameters: a weak prior, several starts on part of the runs, one climb on all of them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from surrogate.emulators.gp.kernels import Kernel
from surrogate.emulators.gp.likelihood import Problem, negative_log_likelihood

__all__ = ["Chosen", "Prior", "choose", "posterior_covariance", "refine"]

FloatArray = NDArray[np.float64]

# Inputs are scaled to [0, 1]: below the lower bound a length scale sees no neighbour, above the upper it sees a plane.
LENGTH_SCALE_BOUNDS = (1e-2, 1e3)

# Weak prior on log length scales, wider apart in more dimensions where distances grow with sqrt(d): mean and standard
# deviation of C. Hvarfner, E. O. Hellsten, L. Nardi, "Vanilla Bayesian Optimization Performs Great in High
# Dimensions", ICML 2024, sec. 5. It decides only where the likelihood is flat.
LENGTH_SCALE_MEAN_1D = np.sqrt(2.0)
LENGTH_SCALE_STD = np.sqrt(3.0)

# Logits of the floors: mean, standard deviation and bounds. A floor of 0.97 gives interactions of two inputs 1/30 of
# the weight of single effects, and leaves digits enough to what varies.
FLOOR_MEAN, FLOOR_STD, FLOOR_BOUNDS = -1.0, 2.0, (-7.0, 3.5)

# Logarithm of noise to process variance.
NOISE_MEAN, NOISE_STD, NOISE_BOUNDS = np.log(1e-4), 4.0, (np.log(1e-10), np.log(1e2))

# Logarithm of the process variance of standardised outputs, where it is no closed form.
VARIANCE_MEAN, VARIANCE_STD, VARIANCE_BOUNDS = 1.0, 3.0, (-10.0, 15.0)

# Runs and iterations that decide between the starting points, and iterations from the best of them on all runs.
START_ROWS = 250
START_ITERATIONS = 12
FINAL_ITERATIONS = 60

# Beyond this many runs they are chosen from a part, the rest only enters the factorisation.
ALL_ROWS = 1000

# Steps of the finite differences of the gradient that make its Hessian.
HESSIAN_STEP = 1e-3


@dataclass(frozen=True, eq=False)
class Prior:
    """Independent normal densities of the hyper-parameters, and bounds, each of shape (size,)."""

    mean: FloatArray
    std: FloatArray
    low: FloatArray
    high: FloatArray

    @classmethod
    def of(cls, problem: Problem) -> Prior:
        d = problem.z.shape[1]
        length = (LENGTH_SCALE_MEAN_1D + 0.5 * np.log(d), LENGTH_SCALE_STD, *np.log(LENGTH_SCALE_BOUNDS))
        rows = [length] * d
        rows += [(FLOOR_MEAN, FLOOR_STD, *FLOOR_BOUNDS)] * (problem.kernel.size(d) - d)
        rows += [(NOISE_MEAN, NOISE_STD, *NOISE_BOUNDS)] * problem.estimates_noise
        rows += [(VARIANCE_MEAN, VARIANCE_STD, *VARIANCE_BOUNDS)] * (problem.noise is not None)
        return cls(*np.array(rows, dtype=float).T)

    def penalised(self, problem: Problem, theta: FloatArray) -> tuple[float, FloatArray]:
        """Minus the log posterior density up to a constant, and its gradient."""
        value, gradient = negative_log_likelihood(problem, theta)
        off = (theta - self.mean) / self.std
        return value + 0.5 * float(off @ off), gradient + off / self.std


@dataclass(frozen=True, eq=False)
class Chosen:
    """Hyper-parameters at a mode of the posterior.

    Attributes
    ----------
    problem : Problem
        With the kernel they belong to.
    value : float
        Minus the log posterior density there.
    """

    problem: Problem
    theta: FloatArray
    value: float


def choose(problem: Problem, families: tuple[str, ...], n_starts: int) -> Chosen:
    """The best hyper-parameters, and kernel family where there are several.

    Parameters
    ----------
    families : tuple of str
        The first is searched from all starts, the others from its optimum, which lies near theirs.
    """
    n, d = problem.z.shape
    first = dataclasses.replace(problem, kernel=dataclasses.replace(problem.kernel, family=families[0]))
    prior = Prior.of(first)
    part = spread(n, START_ROWS)
    # Short scales explain anything, long ones almost nothing: start between and on both sides.
    scales = np.log(np.geomspace(0.3, 3.0, n_starts) if n_starts > 1 else [1.0]) + 0.5 * np.log(d)
    starts = []
    for scale in scales:
        start = prior.mean.copy()
        start[:d] = scale
        starts.append(_climb(first.rows(part), prior, start, START_ITERATIONS))
    best = min(starts, key=lambda found: found.value)
    return refine(problem, best.theta, families)


def refine(problem: Problem, start: FloatArray, families: tuple[str, ...]) -> Chosen:
    """The best hyper-parameters and family that are found from one start; several families as in :func:`choose`."""
    most = problem.rows(spread(len(problem.y), ALL_ROWS))
    prior = Prior.of(problem)
    found = [_climb(_with_family(most, families[0]), prior, start, FINAL_ITERATIONS)]
    for family in families[1:]:
        found.append(_climb(_with_family(most, family), prior, found[0].theta, FINAL_ITERATIONS))
    winner = min(found, key=lambda one: one.value)
    return dataclasses.replace(winner, problem=_with_family(problem, winner.problem.kernel.family))


def _with_family(problem: Problem, family: str) -> Problem:
    return dataclasses.replace(problem, kernel=Kernel(family, problem.kernel.anova))


def _climb(problem: Problem, prior: Prior, start: FloatArray, iterations: int) -> Chosen:
    def objective(theta: FloatArray) -> Any:  # scipy-stubs take a value with its gradient for an array of values
        return prior.penalised(problem, theta)

    result = scipy.optimize.minimize(
        objective,
        np.clip(start, prior.low, prior.high),
        jac=True,
        method="L-BFGS-B",
        bounds=list(zip(prior.low, prior.high)),
        options={"maxiter": iterations, "ftol": 1e-6},
    )
    return Chosen(problem, np.asarray(result.x, dtype=float), float(result.fun))


def spread(n: int, most: int) -> NDArray[np.int64]:
    """At most `most` of `n` row numbers, evenly spread."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))


def posterior_covariance(problem: Problem, theta: FloatArray) -> FloatArray:
    """Covariance of the hyper-parameters' posterior as a normal distribution around its mode (Laplace).

    Directions that the likelihood hardly knows are cut to a standard deviation of one, which is as far as a linear
    expansion in logarithms can be trusted.
    """
    prior = Prior.of(problem)
    size = len(theta)
    _, centre = prior.penalised(problem, theta)
    hessian = np.empty((size, size))
    for i in range(size):
        moved = theta.copy()
        # Away from the bound, where there is one.
        step = -HESSIAN_STEP if theta[i] > prior.mean[i] else HESSIAN_STEP
        moved[i] += step
        hessian[i] = (prior.penalised(problem, moved)[1] - centre) / step
    values, vectors = np.linalg.eigh(0.5 * (hessian + hessian.T))
    return np.asarray((vectors / np.maximum(values, 1.0)) @ vectors.T)
