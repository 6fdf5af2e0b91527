"""What an optimisation found, and how it went."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.conditions import Condition
from surrogate.optimize.goals import Goals, Objective
from surrogate.optimize.optimizer import Optimizer
from surrogate.runs.outcome import cause
from surrogate.space import Space

__all__ = ["Optimum"]


@dataclass(frozen=True, eq=False)
class Optimum:
    """The best run and everything that led to it; SciPy's names where it has some.

    Attributes
    ----------
    goals : Goals
        Objectives and constraints.
    x : dict or None
        Inputs of the best run by parameter name (of several objectives, of the front's knee); None if no run is done.
    fun : float or tuple of float
        The objective there, or all of them, with the sign in which they are minimised; NaN if no run is done.
    outputs : dict
        All numbers that came out there, in their own units and signs.
    nfev : int
        Runs that this optimisation used, failed ones too.
    success : bool
        Whether a run meets all constraints.
    converged : bool
        Whether it ended because of `stop`.
    message : str
        Why it ended.
    regret_bound : float
        By how much at most `fun` can be improved, with 95% probability as the model sees it; NaN of several objectives.
    history : DataFrame
        One row a run in the order in which they were proposed or told: inputs, outputs, ``step``, ``status``,
        ``feasible``, ``error``, and the best objective so far (``best``) or the front's hypervolume (``hypervolume``).
        Runs made before have negative ids.
    front : DataFrame or None
        Of several objectives: feasible runs that no other beats in all of them.
    knee : int or None
        Id of the front's knee.
    id : int or None
        That of the best run in the history; None if no run is done.
    noise : bool
        Whether outputs of the same point differ: then the best run is the best as the model predicts it.
    met : dict
        Whether the best run meets each constraint, by its text.

    Examples
    --------
    >>> from surrogate.optimize.minimize import minimize
    >>> from surrogate.loading import load_simulator
    >>> best = minimize(load_simulator("ishigami"), "value", budget=25, n_jobs=0, rng=0)
    >>> sorted(best.x), best.nfev, best.success
    (['x1', 'x2', 'x3'], 25, True)
    >>> bool(best.history["best"].iloc[-1] == best.fun)
    True
    """

    space: Space
    goals: Goals
    x: dict[str, Any] | None
    fun: Any
    outputs: dict[str, float]
    nfev: int
    success: bool
    converged: bool
    message: str
    regret_bound: float
    history: pd.DataFrame
    front: pd.DataFrame | None = None
    knee: int | None = None
    id: int | None = None
    noise: bool = False
    met: dict[str, bool] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, optimizer: Optimizer, message: str, *, converged: bool = False, labels: Any = None) -> Optimum:
        """What an optimizer knows now."""
        goals, best = optimizer.goals, optimizer.best
        several = len(goals.objectives) > 1
        history = optimizer.to_frame()
        if several:
            history["hypervolume"] = optimizer.hypervolumes()
        else:
            history["best"] = best_so_far(history, goals)
        fun: Any = (np.nan,) * len(goals.objectives) if several else np.nan
        if best is not None:
            scores = goals.scores([best.outputs or {}])[0]
            fun = tuple(map(float, scores)) if several else float(scores[0])
        front = history.loc[[t.id for t in optimizer.front]] if several else None
        return cls(
            space=optimizer.space,
            goals=goals,
            x=None if best is None else dict(best.x),
            fun=fun,
            outputs={} if best is None else dict(best.outputs or {}),
            nfev=sum(t.status != "pending" and t.step != "given" for t in optimizer.trials),
            success=optimizer.is_feasible,
            converged=converged,
            message=message,
            regret_bound=np.nan if several else optimizer.regret_bound(),
            history=history,
            front=front,
            knee=best.id if several and best is not None and optimizer.is_feasible else None,
            id=None if best is None else best.id,
            noise=optimizer.noise,
            met={} if best is None else goals.met(best.outputs or {}),
            labels=dict(labels or {}),
        )

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """What was to be minimised."""
        return self.goals.objectives

    @property
    def constraints(self) -> tuple[Condition, ...]:
        """What had to hold."""
        return self.goals.constraints

    @property
    def at_truest(self) -> NDArray[np.bool_]:
        """Whether each run of the history was made at the truest level."""
        level = self.history.get("level")
        return np.ones(len(self.history), dtype=bool) if level is None else (level == 0).to_numpy(dtype=bool)

    @property
    def failures(self) -> Counter[str]:
        """How often each cause kept a run of this optimisation from an answer."""
        own = self.history[(self.history.index >= 0) & (self.history["status"] == "failed")]
        return Counter(cause(str(error)) for error in own["error"])

    def to_frame(self) -> pd.DataFrame:
        """The history; a copy."""
        return self.history.copy()

    def label(self, name: str) -> str:
        """Name of an output or parameter with its unit."""
        return self.space.label(name) if name in self.space else self.labels.get(name, name)

    def __repr__(self) -> str:
        if self.x is None:
            return f"<Optimum: {self.message}>"
        goals = ", ".join(f"{o.output} = {self.outputs[o.output]:.6g}" for o in self.objectives)
        where = ", ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in self.x.items())
        told = "" if self.success else " (no run meets the constraints)"
        return f"<Optimum {goals} at {where}{told}; {self.nfev} runs: {self.message}>"


def best_so_far(history: pd.DataFrame, goals: Goals) -> Any:
    """Smallest feasible objective up to each run, NaN before the first."""
    objective = goals.objectives[0]
    counts = history["feasible"]
    if "level" in history:
        counts = counts & (history["level"] == 0)
    values = np.where(counts, objective.sign * history.get(objective.output, np.nan), np.inf)
    found = np.minimum.accumulate(values) if len(values) else values
    return np.where(np.isfinite(found), found, np.nan)
