"""When to stop: a bound on what can still be gained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from surrogate.optimize.acquisition import Optimistic, Term
from surrogate.optimize.search import Search
from surrogate.optimize.surface import Surface

if TYPE_CHECKING:
    from surrogate.optimize.optimizer import Optimizer

__all__ = ["RegretBelow", "Stop", "predicted_regret", "regret"]

FloatArray = NDArray[np.float64]

# Functions drawn from the posterior, and points at which they are looked at.
N_DRAWS, N_POINTS = 500, 200

# So many proposals an input must have been made before the model is believed: earlier its bound held in half of the
# cases only (Branin and Hartmann 3, 8 seeds), later in all.
STEPS_BEFORE = 5

# Standard deviations below the mean whose lowest points are looked at.
WIDTHS = (0.0, 1.0, 2.0, 3.0)


class Stop(Protocol):
    """Why to stop now, or an empty text to go on; asked before each proposal."""

    def __call__(self, optimizer: Optimizer) -> str: ...


@dataclass(frozen=True)
class RegretBelow:
    """Stops when the predicted regret is small; made by :func:`regret`.

    Attributes
    ----------
    tolerance : float
        In the objective's unit.
    confidence : float
    """

    tolerance: float
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if not self.tolerance > 0:
            raise ValueError(f"tolerance must be positive, got {self.tolerance}")
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence must lie between 0 and 1, got {self.confidence}")

    def __call__(self, optimizer: Optimizer) -> str:
        if len(optimizer.goals.objectives) > 1:
            raise ValueError("stop=regret(...) is of one objective; with several give a budget")
        # A model of few runs is sure of what it has not seen: it must have been proved right by a few proposals.
        steps = sum(t.step not in ("design", "given") and t.status == "done" for t in optimizer.trials)
        if steps < STEPS_BEFORE * optimizer.space.d:
            return ""
        bound = optimizer.regret_bound(self.confidence)
        if bound > self.tolerance:
            return ""
        return f"the best run is within {bound:.3g} of the optimum with probability {self.confidence:g}, as predicted"


def regret(tolerance: float, confidence: float = 0.95) -> RegretBelow:
    """Stop as soon as the best run is predicted to be this near the optimum.

    Parameters
    ----------
    tolerance : float
        Largest regret, the best run's objective minus the optimum, in the objective's unit.
    confidence : float
        Probability with which the regret is below, as the model sees it: a wrong model is wrong about it too.

    Returns
    -------
    RegretBelow
        For ``stop=`` of :func:`minimize`; it says nothing before five proposals an input have been run.

    Raises
    ------
    ValueError
        If `tolerance` is not positive or `confidence` not between 0 and 1.

    References
    ----------
    .. [1] A. Makarova et al., "Automatic Termination for Hyperparameter Optimization", AutoML 2022.
    .. [2] J. Wilson, "Stopping Bayesian Optimization with Probabilistic Regret Bounds", NeurIPS 2024: the bound from
       draws of the posterior.

    Examples
    --------
    >>> regret(1e-3)
    RegretBelow(tolerance=0.001, confidence=0.95)
    """
    return RegretBelow(float(tolerance), float(confidence))


def predicted_regret(
    surface: Surface,
    feasibility: Sequence[Term],
    search: Search,
    around: FloatArray,
    score: float | None,
    best: FloatArray,
    confidence: float,
) -> float:
    """The quantile of the best run's regret over functions drawn from the posterior.

    Parameters
    ----------
    surface : Surface
        Of the objective.
    feasibility : sequence of Term
        Logarithms of the probabilities that a point is allowed.
    around : array of shape (k, d)
        The best runs.
    score : float or None
        The best run's value, None where it is noisy and drawn too.
    best : array of shape (d,)
        Its position.
    """
    d = search.encoding.d
    low, high = np.zeros(d), np.ones(d)
    lowest = [search.best([Optimistic(surface, width), *feasibility], around) for width in WIDTHS]
    tops = np.array([found[0] for found in lowest if found is not None]).reshape(-1, d)
    spread = search.candidates(np.vstack([around, tops]), low, high)
    mean, std = surface.predict(search.columns(spread))
    # Where functions are likely to be lowest, seen with different optimism.
    ranks = np.concatenate([np.argsort(mean - w * std, kind="stable")[: N_POINTS // len(WIDTHS)] for w in WIDTHS])
    points = np.vstack([best[None], tops, spread[np.unique(ranks)]])
    z = search.columns(points)
    mean, covariance = surface.joint(z)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    draws = mean + search.rng.standard_normal((N_DRAWS, len(points))) @ root.T
    at_best = draws[:, 0].copy()
    if feasibility:
        allowed = np.exp(np.sum([term.values(z) for term in feasibility], axis=0))
        allowed[0] = 1.0
        draws[search.rng.random(draws.shape) > allowed] = np.inf
    lowest_drawn = surface.warp.backward(draws.min(axis=1))
    reached = surface.warp.backward(at_best) if score is None else score
    return float(np.quantile(np.maximum(reached - lowest_drawn, 0.0), confidence))
