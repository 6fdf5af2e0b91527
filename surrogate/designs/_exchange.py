"""Optimised Latin hypercubes: values are exchanged within columns, then moved within their slices.

The search is in the manner of the enhanced stochastic evolutionary algorithm [1]_: of several exchanges in one column
the best is taken, and a worse design is kept for a while with a threshold that falls to zero. Unlike there the row to
move is drawn by what it contributes to the criterion, and its partners are judged together.

A Latin hypercube leaves every point free within its slices; a descent with gradients uses that freedom, which is worth
as much as the last exchanges and costs a few hundredths of a second.

References
----------
.. [1] R. Jin, W. Chen, A. Sudjianto, "An efficient algorithm for constructing optimal design of computer experiments",
   Journal of Statistical Planning and Inference 134(1), 2005.
.. [2] M. D. Morris, T. J. Mitchell, "Exploratory designs for computational experiments", Journal of Statistical
   Planning and Inference 43(3), 1995.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, minimize

from surrogate.designs import _criteria as criteria
from surrogate.designs._criteria import CenteredDiscrepancy, Correlations, Criterion, MaxPro, PhiP, Points
from surrogate.space import Categorical, Parameter, Real, Space

__all__ = ["CRITERIA", "exchange", "refine", "seen"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

CRITERIA: dict[str, Callable[[Points], Criterion]] = {
    "maximin": PhiP,
    "ese": PhiP,
    "discrepancy": CenteredDiscrepancy,
    "maxpro": MaxPro,
    "correlation": Correlations,
}

# Exchanges judged together: enough to make NumPy's overhead small, few enough to stay in the cache.
PARTNERS = 50
# Rounds for each entry of the design; twice as many improve the smallest distance by less than 1%.
ROUNDS = 4
# Work in pair updates after which a search ends all the same: about 15 s of CPU.
MOST_WORK = 1.2e9
# Differences of coordinates, n x n x d, up to which points are moved within their slices as often as it takes.
REFINED = 5e5
# Matrices of n x n numbers are kept; beyond this n a sequence is as good and needs no search.
LARGEST = 4000


def seen(space: Space, u: FloatArray) -> Points:
    """Positions `u` as a criterion sees them: discrete values at the middle of their cells."""
    x = u.copy()
    levels = np.zeros(space.d, dtype=np.int64)
    nominal = np.zeros(space.d, dtype=bool)
    for k, parameter in enumerate(space.values()):
        if not isinstance(parameter, Real):
            x[:, k] = parameter.to_unit(parameter.from_unit(u[:, k]))
            levels[k] = n_values(parameter)
            nominal[k] = isinstance(parameter, Categorical)
    return Points(x, levels, nominal)


def n_values(parameter: Parameter) -> int:
    """Number of values of a discrete parameter."""
    values = getattr(parameter, "values", None)
    return len(values) if values is not None else int(getattr(parameter, "high") - getattr(parameter, "low") + 1)  # noqa: B009


def exchange(
    space: Space,
    u: FloatArray,
    criterion: str,
    rng: np.random.Generator,
    *,
    group: IntArray | None = None,
    effort: float = 1.0,
) -> FloatArray:
    """`u` with values exchanged within columns so that the criterion is small.

    Parameters
    ----------
    u : array of shape (n, d)
    criterion : str
        A key of ``CRITERIA``.
    group : int array of shape (n,), optional
        Exchanges stay within a group; rows of a negative group stay where they are.
    effort : float
        Multiplies the number of rounds.
    """
    n, d = u.shape
    if n > LARGEST:
        raise ValueError(f"n must be at most {LARGEST} for the criterion {criterion!r}, got {n}; use sobol instead")
    group = np.zeros(n, dtype=np.int64) if group is None else group
    members = {g: np.flatnonzero(group == g) for g in np.unique(group[group >= 0])}
    movable = np.concatenate([rows for rows in members.values() if len(rows) > 1] or [np.empty(0, dtype=np.int64)])
    if d < 2 or not len(movable):
        return u
    points = CRITERIA[criterion](seen(space, u))
    partners = min(PARTNERS, n - 1)
    rounds = int(effort * min(500 + ROUNDS * n * d, MOST_WORK / (partners * n)))
    order = np.tile(np.arange(n)[:, None], d)
    best, best_order = points.value, order.copy()
    for step in range(rounds):
        threshold = points.temperature * abs(points.value) * (1 - step / rounds) ** 2
        i = points.pick(movable, rng)
        k = int(rng.integers(d))
        others = members[group[i]]
        if len(others) - 1 > partners:
            js = others[rng.integers(len(others), size=partners)]
            js = js[js != i]
        else:
            js = others[others != i]
        deltas = points.deltas(i, k, js)
        which = int(np.argmin(deltas))
        if deltas[which] < threshold * rng.standard_exponential():
            points.accept(which)
            j = int(js[which])
            order[i, k], order[j, k] = order[j, k], order[i, k]
            if points.value < best * (1 - 1e-12):
                best, best_order = points.value, order.copy()
    return np.take_along_axis(u, best_order, axis=0)


def refine(
    space: Space, u: FloatArray, criterion: str, low: FloatArray, high: FloatArray, *, iterations: int = 100
) -> FloatArray:
    """`u` moved within ``low <= u <= high`` to the nearest minimum of the criterion; discrete columns stay.

    Parameters
    ----------
    u, low, high : array of shape (n, d)
        Entries with equal limits stay too.
    """
    objectives: dict[str, list[Objective]] = {
        # First the smooth criterion, then one so steep that the smallest distance alone counts.
        "maximin": [_steep_distance(25), _steep_distance(100)],
        "discrepancy": [_discrepancy],
        "maxpro": [_maxpro],
    }
    points = seen(space, u)
    free = (points.levels == 0) & (high > low)
    n = len(u)
    # A slice's width falls with n, and with it what there is to gain, while the cost grows.
    iterations = min(iterations, int(iterations * REFINED / (n * n * u.shape[1])))
    if criterion not in objectives or not free.any() or n < 2 or iterations < 5:
        return u

    def masked(moved: FloatArray, objective: Objective) -> tuple[float, FloatArray]:
        x = points.x.copy()
        x[free] = moved
        value, gradient = objective(replace(points, x=x))
        return value, gradient[free]

    for objective in objectives[criterion]:
        start: Any = points.x[free]
        found = minimize(
            masked,
            start,
            args=(objective,),
            jac=True,
            method="L-BFGS-B",
            bounds=Bounds(low[free], high[free]),
            options={"maxiter": iterations, "maxfun": 2 * iterations},
        )
        if found.fun < masked(start, objective)[0]:
            points.x[free] = found.x
    return np.where(free, points.x, u)


Objective = Callable[[Points], tuple[float, FloatArray]]


def _steep_distance(power: int) -> Objective:
    """Logarithm of the sum of distances to the power ``-2 * power``, over the power."""

    def objective(points: Points) -> tuple[float, FloatArray]:
        squared = np.maximum(criteria.squared_distances(points), 1e-12)
        np.fill_diagonal(squared, np.inf)
        least = squared.min()
        weight = (least / squared) ** power
        total = weight.sum()
        pull = weight / squared / total
        gradient = -4 * (pull.sum(axis=1)[:, None] * points.x - pull @ points.x)
        return float(np.log(total) / power - np.log(least)), gradient

    return objective


def _discrepancy(points: Points) -> tuple[float, FloatArray]:
    """Squared centred discrepancy in units of 1/n^2."""
    x = points.x
    n, d = x.shape
    factors = [criteria.centred_factor(x[:, k]) for k in range(d)]
    product = np.prod(factors, axis=0)
    side, z = np.sign(x - 0.5), np.abs(x - 0.5)
    singles = 1 + 0.5 * z - 0.5 * z * z
    single = singles.prod(axis=1)
    gradient = -2 * n * single[:, None] * (0.5 - z) * side / singles
    for k in range(d):
        slope = 0.5 * side[:, k][:, None] - 0.5 * np.sign(x[:, k][:, None] - x[:, k][None, :])
        gradient[:, k] += 2 * (product * slope / factors[k]).sum(axis=1)
    return float((13 / 12) ** d * n * n - 2 * n * single.sum() + product.sum()), gradient


def _maxpro(points: Points) -> tuple[float, FloatArray]:
    """Logarithm of the MaxPro sum."""
    x = points.x
    product = np.ones((len(x), len(x)))
    for k in range(x.shape[1]):
        product *= criteria.maxpro_factor(x[:, k], int(points.levels[k]), bool(points.nominal[k]))
    np.fill_diagonal(product, 0.0)
    total = product.sum()
    gradient = np.zeros_like(x)
    for k in map(int, np.flatnonzero(points.levels == 0)):
        gap = x[:, k][:, None] - x[:, k][None, :]
        # Both triangles hold every pair, hence twice the derivative of 1/gap^2.
        gradient[:, k] = -4 * (product / np.where(np.abs(gap) > 1e-12, gap, np.inf)).sum(axis=1) / total
    return float(np.log(total)), gradient
