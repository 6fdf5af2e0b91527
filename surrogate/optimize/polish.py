"""The lowest predicted mean where the constraints are predicted to be met: the last digits of a constrained optimum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize as scipy_minimize

from surrogate.optimize.search import Search
from surrogate.optimize.surface import Surface

__all__ = ["SAME_POLISHED", "Bound", "polish"]

FloatArray = NDArray[np.float64]

# So many standard deviations, beyond those that the nugget makes up, are kept from an inequality's limit, so that most
# polished points are feasible; where the model knows the constraint, next to nothing. What was overstepped before is
# kept too, if it was a rounding error of the model rather than a surprise.
MARGIN, LARGEST_MARGIN = 1.0, 1e-4

# Polished points may lie closer together than others: where constraints meet, the objective goes on falling to the very
# corner, and the last digits are worth a run.
SAME_POLISHED = 1e-10

ITERATIONS, PRECISION = 40, 1e-12

# Points that a climb may look at. Where it has come to the means' rounding error it would go on searching its line.
EVALUATIONS = 80

# What the constraints may miss, in standardised units, for a point to count as predicted feasible.
SLACK = 1e-6
# What a rounding error of the means is; of two points the one that misses more than this is the worse.
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Bound:
    """A constraint in warped units: output <= limit, or == limit; `margin` is kept from an inequality's limit."""

    surface: Surface
    limit: float
    is_equality: bool = False
    margin: float = 0.0


def polish(
    objective: Surface, bounds: Sequence[Bound], search: Search, starts: FloatArray, low: FloatArray, high: FloatArray
) -> FloatArray | None:
    """Minimise the mean subject to the constraints' means, discrete parameters staying as they are.

    Parameters
    ----------
    objective : Surface
    bounds : sequence of Bound
    search : Search
    starts : array of shape (s, d)
    low, high : array of shape (d,)
        The region.

    Returns
    -------
    array of shape (d,), or None
        None if no start leads to a point that is predicted to be feasible.

    References
    ----------
    .. [1] M. J. Sasena, "Flexibility and Efficiency Enhancements for Constrained Global Design Optimization with
       Kriging Approximations", PhD thesis, University of Michigan 2002: infill under the constraints' means.
    .. [2] D. Kraft, "A software package for sequential quadratic programming", DFVLR-FB 88-28, 1988.
    """
    climbs = search.encoding.climbs
    if not climbs.any():
        return None
    found: list[tuple[float, FloatArray]] = []
    for start in starts:
        problem = _Problem(objective, bounds, search, start)
        try:
            result = scipy_minimize(  # type: ignore[call-overload]  # the stubs know fewer forms of constraints and jac
                problem.mean,
                start[climbs],
                jac=True,
                method="SLSQP",
                bounds=list(zip(low[climbs], high[climbs], strict=True)),
                constraints=problem.constraints(),
                options={"maxiter": ITERATIONS, "ftol": PRECISION},
            )
            end = result.x
        except _EnoughError:
            end = problem.best
        x = np.clip(end, low[climbs], high[climbs])
        if np.isfinite(x).all() and problem.worst(x) <= SLACK:
            found.append((problem.mean(x)[0], search.encoding.snap(problem.whole(x)[None])[0]))
    return min(found, key=lambda one: one[0])[1] if found else None


class _EnoughError(Exception):
    """A climb has looked at as many points as it may."""


class _Problem:
    """What SLSQP asks for: it wants values and derivatives of one point in separate calls, so the last is kept."""

    def __init__(self, objective: Surface, bounds: Sequence[Bound], search: Search, start: FloatArray) -> None:
        self._surfaces = [objective, *(bound.surface for bound in bounds)]
        self._bounds = bounds
        self._search = search
        self._start = start
        self._n_evaluated = 0
        self._best = np.inf, np.inf
        self.best = start[search.encoding.climbs]
        self._at: FloatArray | None = None
        self._rows: list[tuple[float, FloatArray]] = []

    def whole(self, x: FloatArray) -> FloatArray:
        out = self._start.copy()
        out[self._search.encoding.climbs] = x
        return out

    def mean(self, x: FloatArray) -> tuple[float, FloatArray]:
        return self._evaluate(x)[0]

    def worst(self, x: FloatArray) -> float:
        misses = [
            abs(value) if bound.is_equality else -value
            for bound, (value, _) in zip(self._bounds, self._evaluate(x)[1:], strict=True)
        ]
        return max(misses, default=0.0)

    def constraints(self) -> list[dict[str, object]]:
        """In SciPy's form: not negative, or zero."""
        return [
            {
                "type": "eq" if bound.is_equality else "ineq",
                "fun": lambda x, row=i + 1: self._evaluate(x)[row][0],
                "jac": lambda x, row=i + 1: self._evaluate(x)[row][1],
            }
            for i, bound in enumerate(self._bounds)
        ]

    def _evaluate(self, x: FloatArray) -> list[tuple[float, FloatArray]]:
        if self._at is not None and np.array_equal(x, self._at):
            return self._rows
        encoding = self._search.encoding
        z = self._search.columns(self.whole(x)[None])
        rows = []
        for i, surface in enumerate(self._surfaces):
            m = surface.moments(z)
            value, slope = m.mean[0], m.mean_slopes
            if i:
                bound = self._bounds[i - 1]
                value, slope = bound.limit - value, -slope
                unsure = np.sqrt(max(m.std[0] ** 2 - surface.least_variance, 0.0))
                if not bound.is_equality:
                    value -= min(bound.margin, LARGEST_MARGIN) + MARGIN * unsure
                if not bound.is_equality and unsure:
                    slope = slope - MARGIN * m.std[0] / unsure * m.std_slopes
            rows.append((float(value), encoding.slopes(slope[:, : encoding.n_columns])[0, encoding.climbs]))
        self._at, self._rows = x.copy(), rows
        self._n_evaluated += 1
        reached = max(self.worst(x) - ROUNDING, 0.0), rows[0][0]
        if reached < self._best:
            self._best, self.best = reached, self._at
        if self._n_evaluated == EVALUATIONS:
            raise _EnoughError
        return rows
