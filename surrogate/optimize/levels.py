"""At which level to run: what a run tells about the truest answer, per cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from surrogate.optimize.surface import Surface
from surrogate.optimize.trials import Trial

__all__ = ["Levels"]

FloatArray = NDArray[np.float64]

# After cheaper runs of so many times the cost of a run at the truest level, one at the truest level is due: a model
# that takes a cheap level for the truth is only found out there.
SPENT_BELOW = 1.0


class Levels:
    """Levels of a simulator as columns of a model, and the choice among them; false if there are none.

    Level k has ones in the columns of all levels up to k, so that neighbours are alike.

    Parameters
    ----------
    costs : mapping of int to float
        By level, 0 being the truest.
    """

    def __init__(self, costs: Mapping[int, float]) -> None:
        if not isinstance(costs, Mapping):
            raise TypeError(f"levels must map each level to its cost, e.g. {{0: 1.0, 1: 0.2}}, got {costs!r}")
        self.costs = dict(sorted(costs.items()))
        if self.costs and (min(self.costs) != 0 or not all(0 < c < np.inf for c in self.costs.values())):
            raise ValueError(
                "levels must map whole numbers from 0, the truest, to what a run costs, a positive number; "
                f"got {costs!r}"
            )
        self._below = np.array([level for level in self.costs if level > 0])

    def __bool__(self) -> bool:
        return len(self.costs) > 1

    def check(self, level: int) -> None:
        """Raise ``ValueError`` if there is no such level."""
        if level not in (self.costs or {0: 1.0}):
            raise ValueError(f"there is no level {level!r}; known: {', '.join(map(str, self.costs)) or 'only 0'}")

    def cost(self, level: int) -> float:
        """Cost of a run, in runs at the truest level."""
        return self.costs[level] / self.costs[0] if self.costs else 1.0

    def columns(self, level: int) -> FloatArray:
        """The columns of a level, (number of levels - 1,)."""
        return (level >= self._below).astype(float)

    def are_unknown(self, seen: Iterable[int]) -> bool:
        """Whether there is a level that was never run: no model can choose it."""
        return bool(self.costs.keys() - set(seen))

    def of_design(self, number: int, seen: Sequence[int]) -> int:
        """The level of a design's point: all levels in turn, and first those that were never run."""
        levels = list(self.costs) or [0]
        unseen = [level for level in levels if level not in set(seen)]
        return unseen[0] if len(seen) >= len(levels) and unseen else levels[number % len(levels)]

    def choose(self, surface: Surface, z: FloatArray, trials: Sequence[Trial]) -> int:
        """The level that reduces the variance at the truest level most, per cost.

        Parameters
        ----------
        surface : Surface
            Model of the objective over inputs and levels.
        z : array of shape (1, c)
            The point's columns without those of the level.
        trials : sequence of Trial
            In order.

        References
        ----------
        .. [1] D. Huang, T. T. Allen, W. I. Notz, R. A. Miller, "Sequential kriging optimization using multiple-fidelity
           evaluations", Structural and Multidisciplinary Optimization 32, 2006: correlation with the truest level and
           ratio of costs in the acquisition.
        """
        if not self:
            return 0
        spent = 0.0
        for trial in reversed(trials):
            if trial.level == 0:
                break
            spent += self.cost(trial.level)
        levels = list(self.costs)
        rows = np.vstack([np.hstack([z[0], self.columns(level)]) for level in levels])
        _, covariance = surface.joint(rows)
        variance = np.maximum(np.diag(covariance), 1e-300)
        per_cost = covariance[0] ** 2 / variance / np.array([self.cost(level) for level in levels])
        affordable = [i for i, level in enumerate(levels) if level == 0 or spent + self.cost(level) <= SPENT_BELOW]
        return levels[max(affordable, key=lambda i: per_cost[i])]
