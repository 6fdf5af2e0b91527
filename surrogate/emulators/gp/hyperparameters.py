"""Which hyper-parameters: a weak prior, several starts on part of the runs, one climb on all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surrogate.emulators.gp.kernels import Pairs
from surrogate.emulators.gp.likelihood import Problem, factorise, negative_log_likelihood

__all__ = ["ALL_ROWS", "Prior", "Variant", "choose", "climb", "posterior_covariance", "posterior_precision", "spread"]

FloatArray = NDArray[np.float64]

# Inputs are scaled to [0, 1]: below the lower bound a length scale sees no neighbour, above the upper it sees a plane.
LENGTH_SCALE_BOUNDS = (1e-2, 1e3)

# Weak prior on log length scales, wider apart in more dimensions where distances grow with sqrt(d). The mean is that of
# C. Hvarfner, E. O. Hellsten, L. Nardi, "Vanilla Bayesian Optimization Performs Great in High Dimensions", ICML 2024,
# sec. 5, the standard deviation larger. It decides only where the likelihood is flat.
LENGTH_SCALE_MEAN_1D = np.sqrt(2.0)
LENGTH_SCALE_STD = 2.5

# Logits of the floors: mean, standard deviation and bounds. A floor of 0.9975 gives interactions of two inputs 1/400 of
# the weight of single effects, and leaves digits enough to what varies.
FLOOR_MEAN, FLOOR_STD, FLOOR_BOUNDS = 0.0, 3.0, (-7.0, 6.0)

# Logarithm of noise to process variance.
NOISE_MEAN, NOISE_STD, NOISE_BOUNDS = np.log(1e-4), 4.0, (np.log(1e-10), np.log(1e2))

# Logarithm of the process variance of standardised outputs, where it is no closed form.
VARIANCE_MEAN, VARIANCE_STD, VARIANCE_BOUNDS = 1.0, 3.0, (-10.0, 15.0)

# Which starting point, which warp and which kernel family show on part of the runs, at a fraction of the cost; the best
# is then climbed on all of them, or on as many as tell the hyper-parameters well.
PART_ROWS = 120
ALL_ROWS = 1000

# Iterations for a first look, for each alternative, and at most for the final climb.
LOOK, TRY, FINAL = 5, 6, 40

# The climbs stop where an iteration gains less than this in log density.
ROUGH, FINE = 0.1, 0.005

# Second derivative of the log density by a hyper-parameter, a run, before anything is known.
GUESS = 0.1

# Longest step in any hyper-parameter, and how often it is shortened before a climb ends.
LONGEST_STEP, SHORTENED = 1.5, 8

# Runs from which the information on the hyper-parameters is extrapolated.
INFORMATION_ROWS = 200

# By how much, times the root of the number of runs, the log likelihood must rise for a warp to be taken.
WARP_MARGIN = 0.5

# The same for a radial kernel, with its other set of hyper-parameters, against a product.
RADIAL_MARGIN = 0.2

# Kernel family and warp were chosen too, and likelihoods have tails: with twice the standard deviations 95% intervals
# held 94.7% (10 d runs) and 96.3% (25 d) of the values of 20 test functions, with once 91.4% and 94.6%.
WIDENING = 2.0


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
        value += 0.5 * float(off @ off)
        return value, gradient + off / self.std


@dataclass(frozen=True, eq=False)
class Variant:
    """One way to see the outputs.

    Attributes
    ----------
    problem : Problem
    log_slopes : array of shape (n,)
        Logarithm of the derivative of scaled outputs by outputs, at each output.
    """

    problem: Problem
    log_slopes: FloatArray

    def rows(self, chosen: NDArray[np.int64]) -> Variant:
        """The same with part of the points."""
        if len(chosen) == len(self.log_slopes):
            return self
        return Variant(self.problem.rows(chosen), self.log_slopes[chosen])

    def of_family(self, family: str) -> Variant:
        """The same with another kernel family."""
        kernel = dataclasses.replace(self.problem.kernel, family=family)
        return dataclasses.replace(self, problem=dataclasses.replace(self.problem, kernel=kernel))

    @property
    def offset(self) -> float:
        """What makes likelihoods of variants comparable.

        That of the Jacobian, at the outputs' geometric mean slope (Box and Cox 1964, sec. 3) for as many outputs as the
        restricted likelihood counts; else the improper prior of the trend's coefficients would count a change of unit.
        """
        n, p = self.problem.basis.shape
        return float(-(n - p) * self.log_slopes.mean())


@dataclass(frozen=True, eq=False)
class Climbed:
    """Where a climb ended: hyper-parameters, minus the log posterior density and its second derivatives, about."""

    variant: Variant
    theta: FloatArray
    value: float
    precision: FloatArray


def choose(variants: Sequence[Variant], families: Sequence[str], n_starts: int) -> tuple[int, Problem, FloatArray]:
    """The best hyper-parameters, and the best variant and kernel family where there are several.

    Parameters
    ----------
    variants : sequence of Variant
        The first is preferred, unless another is likelier by a margin.
    families : sequence of str
        The first is searched from all starts, the others from its optimum, which lies near theirs.

    Returns
    -------
    variant : int
        Number of the variant.
    problem : Problem
        With the chosen kernel.
    theta : array of shape (problem.size,)
    """
    n, d = variants[0].problem.z.shape
    parts = [variant.rows(spread(n, PART_ROWS)).of_family(families[0]) for variant in variants]
    pairs = Pairs(parts[0].problem.z)
    parts = [dataclasses.replace(part, problem=dataclasses.replace(part.problem, pairs=pairs)) for part in parts]
    # Short scales explain anything, long ones almost nothing: start between and on both sides.
    scales = np.log(np.geomspace(0.3, 3.0, n_starts) if n_starts > 1 else [1.0]) + 0.5 * np.log(d)
    mean = Prior.of(parts[0].problem).mean
    looks = [climb(parts[0], np.concatenate([np.full(d, s), mean[d:]]), LOOK, ROUGH) for s in scales]
    best = min(looks, key=lambda look: look.value)
    best = climb(parts[0], best.theta, TRY, ROUGH, best.precision)
    chosen, margin = 0, WARP_MARGIN * np.sqrt(len(parts[0].log_slopes))
    found = [best, *(climb(part, best.theta, TRY, ROUGH, best.precision) for part in parts[1:])]
    likeliest = int(np.argmin([one.value for one in found]))
    if found[likeliest].value < best.value - margin:
        chosen, best = likeliest, found[likeliest]
    others = [try_family(best, family) for family in families[1:]]
    hurdle = RADIAL_MARGIN * np.sqrt(len(best.variant.log_slopes))
    best = min([best, *others], key=lambda one: one.value + hurdle * one.variant.problem.kernel.radial)
    whole = variants[chosen].of_family(best.variant.problem.kernel.family)
    most = whole.rows(spread(n, ALL_ROWS))
    if n > PART_ROWS:
        precision = posterior_precision(best.variant.problem, best.theta, len(most.log_slopes))
    else:
        most, precision = best.variant, best.precision
    return chosen, whole.problem, climb(most, best.theta, FINAL, FINE, precision).theta


def try_family(best: Climbed, family: str) -> Climbed:
    """Climb with another kernel family from where one ended, as far as they have the same hyper-parameters."""
    other, d = best.variant.of_family(family), best.variant.problem.z.shape[1]
    if other.problem.size == best.variant.problem.size:
        return climb(other, best.theta, TRY, ROUGH, best.precision)
    start = Prior.of(other.problem).mean.copy()
    shared = np.r_[0:d, best.variant.problem.kernel.size(d) : len(best.theta)]
    start[np.r_[0:d, other.problem.kernel.size(d) : len(start)]] = best.theta[shared]
    return climb(other, start, LOOK + TRY, ROUGH)


def climb(
    variant: Variant, start: FloatArray, iterations: int, tolerance: float, precision: FloatArray | None = None
) -> Climbed:
    """Maximise the posterior density of the hyper-parameters from one start: projected BFGS with Powell's damping.

    Parameters
    ----------
    tolerance : float
        Stop where an iteration gains less.
    precision : array of shape (size, size), optional
        A guess of minus the log density's second derivatives, which spares the iterations that would find it.

    References
    ----------
    .. [1] J. Nocedal, S. J. Wright, "Numerical Optimization", 2nd ed. 2006, procedure 18.2.
    """
    problem = variant.problem
    prior = Prior.of(problem)
    theta = np.clip(start, prior.low, prior.high)
    b = np.diag(prior.std**-2.0 + GUESS * len(problem.y)) if precision is None else precision.copy()
    value, gradient = prior.penalised(problem, theta)
    for _ in range(iterations):
        free = ~(((theta <= prior.low) & (gradient > 0)) | ((theta >= prior.high) & (gradient < 0)))
        direction = np.zeros(len(theta))
        direction[free] = -np.linalg.solve(b[np.ix_(free, free)], gradient[free])
        direction *= min(1.0, LONGEST_STEP / max(float(np.abs(direction).max()), 1e-300))
        for _ in range(SHORTENED):
            moved = np.clip(theta + direction, prior.low, prior.high)
            step = moved - theta
            new_value, new_gradient = prior.penalised(problem, moved)
            if new_value <= value + 1e-4 * float(gradient @ step):
                break
            direction *= 0.3
        else:
            break
        change, bent = new_gradient - gradient, b @ step
        curvature, expected = float(step @ change), float(step @ bent)
        if curvature < 0.2 * expected:
            share = 0.8 * expected / (expected - curvature)
            change = share * change + (1.0 - share) * bent
            curvature = float(step @ change)
        if expected > 0 and curvature > 0:
            b += np.outer(change, change) / curvature - np.outer(bent, bent) / expected
        gain = value - new_value
        theta, value, gradient = moved, new_value, new_gradient
        if gain < tolerance:
            break
    return Climbed(variant, theta, value + variant.offset, b)


def spread(n: int, most: int) -> NDArray[np.int64]:
    """At most `most` of `n` row numbers, evenly spread."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))


def posterior_precision(problem: Problem, theta: FloatArray, n: int) -> FloatArray:
    """Expected second derivatives of minus the log posterior density, had there been `n` runs, (size, size).

    References
    ----------
    .. [1] H. D. Patterson, R. Thompson, "Recovery of inter-block information when block sizes are unequal",
       Biometrika 58(3), 1971: information of the restricted likelihood.
    """
    points, p = problem.basis.shape
    products = np.matmul(factorise(problem, theta).projected_inverse(), problem.derivatives(theta))
    flat = products.reshape(len(theta), -1)
    information = flat @ products.transpose(0, 2, 1).reshape(len(theta), -1).T
    if problem.noise is None:
        # The variance is profiled out.
        traces = np.trace(products, axis1=1, axis2=2)
        information -= np.outer(traces, traces) / (points - p)
    return np.asarray(0.5 * n / points * information + np.diag(Prior.of(problem).std ** -2.0))


def posterior_covariance(problem: Problem, theta: FloatArray) -> FloatArray:
    """Covariance of the hyper-parameters' posterior as a normal distribution around its mode, (size, size).

    Directions that the likelihood hardly knows are cut to a standard deviation of one, which is as far as a linear
    expansion in logarithms can be trusted; then all is widened by ``WIDENING``.
    """
    n = len(problem.y)
    values, vectors = np.linalg.eigh(posterior_precision(problem.rows(spread(n, INFORMATION_ROWS)), theta, n))
    return np.asarray(WIDENING**2 * (vectors / np.maximum(values, 1.0)) @ vectors.T)
