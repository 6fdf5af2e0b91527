"""What the loop believes after its runs: a model of every output that matters, and the best runs as they see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.optimize.acquisition import Improvement, Inside, Lower, Term
from surrogate.optimize.goals import Goals
from surrogate.optimize.pareto import HypervolumeGain, is_on_front, usual_reference
from surrogate.optimize.polish import Bound
from surrogate.optimize.surface import Kind, Surface, fit_surface

__all__ = ["Beliefs"]

FloatArray = NDArray[np.float64]

# Kernels by likelihood, where constraints or a front decide: in their corners the last digits hang on the model's
# extrapolation (welded beam gains 2 decades, Gramacy 1). A single free objective has the first, for the second is too
# sure of itself where runs are few (by a choice Levy 6 loses 0.7 decades, Goldstein-Price 0.9, Griewank 0.4).
FAMILIES = ("matern52", "squared_exponential")

# Runs whose neighbourhoods are searched for candidates.
N_BEST = 3

# Logarithm of the probability beyond which a constraint is believed to be met.
LIKELY = float(np.log(0.5))


@dataclass(frozen=True, eq=False)
class Beliefs:
    """Fitted models and the data that steps refer to.

    Attributes
    ----------
    goals : Goals
    objectives, constraints : list of Surface
        One each.
    success : Surface or None
        Not positive where a run succeeds; None as long as none has failed.
    front : array of shape (f, k)
        Warped objectives of the feasible runs that no other one beats; of one objective the best.
    around : array of shape (b, d)
        Positions of the best runs, best first.
    memory : dict
        Where the next fit of each model begins, JSON-ready.
    """

    goals: Goals
    objectives: list[Surface]
    constraints: list[Surface]
    success: Surface | None
    front: FloatArray
    around: FloatArray
    memory: dict[str, dict[str, Any]]

    @classmethod
    def of(
        cls,
        goals: Goals,
        outputs: Sequence[Mapping[str, float]],
        positions: FloatArray,
        z: FloatArray,
        is_true: NDArray[np.bool_],
        failed: FloatArray,
        *,
        memory: Mapping[str, dict[str, Any]],
        noise: bool = False,
        n_columns: int | None = None,
    ) -> Beliefs:
        """From the runs.

        Parameters
        ----------
        goals : Goals
        outputs : sequence of mappings
            Of the n runs that are done.
        positions : array of shape (n, d)
        z : array of shape (n, c)
            What the models see of them.
        is_true : array of shape (n,)
            Whether they were made at the truest level.
        failed : array of shape (m, c)
            Columns of the runs that failed.
        memory : mapping
            That of the last beliefs.
        noise : bool
            Whether outputs of the same point differ.
        n_columns : int, optional
            Columns of the parameters; those after them are of levels.
        """
        levels = range(z.shape[1] if n_columns is None else n_columns, z.shape[1])
        # A single free objective has the first kernel only.
        families = FAMILIES[:1] if goals.is_free else FAMILIES

        def surface(
            name: str,
            z: FloatArray,
            y: FloatArray,
            kind: Kind,
            families: Sequence[str] = FAMILIES[:1],
            noise: bool = noise,
        ) -> Surface:
            return fit_surface(
                z, y, kind=kind, noise=noise, memory=memory.get(name), families=families, level_columns=levels
            )

        scores, excesses = goals.scores(outputs), goals.excesses(outputs)
        objectives = [surface(f"objective {j}", z, y, "objective", families) for j, y in enumerate(scores.T)]
        constraints = [surface(f"constraint {j}", z, g, "constraint") for j, g in enumerate(excesses.T)]
        success = None
        if len(failed):
            labels = np.concatenate([-np.ones(len(z)), np.ones(len(failed))])
            success = surface("success", np.vstack([z, failed]), labels, "success", noise=True)
        warped = np.column_stack([s.warp.forward(y) for s, y in zip(objectives, scores.T, strict=True)])
        if noise:
            # The lowest of noisy outputs is the luckiest: what the model makes of it counts.
            warped = np.column_stack([s.predict(z)[0] for s in objectives])
        front, rows = _best(goals, outputs, warped, is_true)
        made = {f"objective {j}": model.memory for j, model in enumerate(objectives)}
        made |= {f"constraint {j}": model.memory for j, model in enumerate(constraints)}
        made |= {} if success is None else {"success": success.memory}
        return cls(goals, objectives, constraints, success, front, positions[rows], made)

    def believing(self, z: FloatArray, is_true: NDArray[np.bool_]) -> Beliefs:
        """With runs at columns `z` as if they had come out as predicted, the best true one of them being the best.

        If only finished runs could be the best, what a batch has found already would be looked for again: with four
        points a batch that costs Hartmann 6 1.6 decades, Goldstein-Price 4.8.
        """
        objectives = [surface.believing(z) for surface in self.objectives]
        made = replace(self, objectives=objectives, constraints=[surface.believing(z) for surface in self.constraints])
        if not len(self.front):
            return made
        met = is_true.copy()
        for term in made.limits():
            met &= term.values(z) > LIKELY
        predicted = np.column_stack([surface.predict(z)[0] for surface in objectives])[met]
        front = np.vstack([self.front, predicted])
        return replace(made, front=front[is_on_front(front)])

    def gain(self, reference: FloatArray | None = None) -> list[Term]:
        """What improves the objectives; nothing while no run is feasible, which then comes first."""
        if not len(self.front):
            return []
        if len(self.objectives) == 1:
            return [Improvement(self.objectives[0], float(self.front[0, 0]))]
        return [HypervolumeGain(self.objectives, self.front, self._warped(reference))]

    def limits(self) -> list[Term]:
        """Logarithms of the probabilities that constraints are met."""
        terms: list[Term] = []
        for surface, condition in zip(self.constraints, self.goals.constraints, strict=True):
            if condition.operator == "==":
                ends = surface.warp.forward(np.array([-1.0, 1.0]) * self.goals.equality_tolerance)
                terms.append(Inside(surface, float(ends[0]), float(ends[1])))
            else:
                terms.append(Lower(surface, float(surface.warp.forward(0.0))))
        return terms

    def succeeds(self) -> list[Term]:
        """Logarithm of the probability that a run succeeds; nothing as long as none has failed."""
        return [] if self.success is None else [Lower(self.success, float(self.success.warp.forward(0.0)))]

    def bounds(self, missed: FloatArray) -> list[Bound]:
        """The constraints of a climb on the means, each with what was overstepped before, (c,)."""
        bounds = [
            Bound(
                model,
                float(model.warp.forward(0.0)),
                condition.operator == "==",
                float(model.warp.forward(by) - model.warp.forward(0.0)),
            )
            for model, condition, by in zip(self.constraints, self.goals.constraints, missed, strict=True)
        ]
        if self.success is not None:
            bounds.append(Bound(self.success, float(self.success.warp.forward(0.0))))
        return bounds

    def _warped(self, reference: FloatArray | None) -> FloatArray:
        """The point from which hypervolume is measured, as the models see it."""
        if reference is not None:
            with np.errstate(invalid="ignore"):
                given = [s.warp.forward(r) for s, r in zip(self.objectives, reference, strict=True)]
            # Where no run is better than it, it says nothing about where to look (a logarithm may not even reach it).
            if (self.front < given).all(axis=1).any():
                return np.array(given)
        return usual_reference(self.front)


def _best(
    goals: Goals, outputs: Sequence[Mapping[str, float]], warped: FloatArray, is_true: NDArray[np.bool_]
) -> tuple[FloatArray, NDArray[np.int64]]:
    """The front, and the rows of the runs around which it pays to look, best first."""
    rows = np.flatnonzero(goals.feasible(outputs) & is_true)
    k = warped.shape[1]
    if not len(rows):
        rows = np.flatnonzero(is_true)
        rows = rows[np.argsort(goals.violations([outputs[int(i)] for i in rows]), kind="stable")]
        return np.empty((0, k)), rows[:N_BEST]
    if k == 1:
        rows = rows[np.argsort(warped[rows, 0], kind="stable")]
        return warped[rows[:1]], rows[:N_BEST]
    rows = rows[is_on_front(warped[rows])]
    front = warped[rows]
    spread = np.linspace(0, len(rows) - 1, min(2 * N_BEST, len(rows))).round().astype(int)
    return front, rows[np.argsort(front[:, 0], kind="stable")][spread]
