"""Trials of an optimizer, and what they say about its goals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.optimize.goals import Goals
from surrogate.optimize.pareto import hypervolume, is_on_front, knee, usual_reference
from surrogate.space import Space

__all__ = ["BOOK", "Ledger", "Trial"]

FloatArray = NDArray[np.float64]

# Exploiting runs whose misses count, and last proposals whose failures do.
LAST_EXPLOITS, LAST_RUNS = 2, 8

# Steps that models proposed.
MODEL_STEPS = ("explore", "refine", "exploit")

# Columns of the history that are neither inputs nor outputs.
BOOK = ("id", "step", "level", "status", "feasible", "error", "best", "hypervolume")

# A value must be better by this share of the values' range to be an improvement.
IMPROVEMENT = 1e-12


@dataclass(eq=False)
class Trial:
    """A proposed or given point and what came of it.

    Attributes
    ----------
    id : int
        Number in order of proposal; negative for runs that were made elsewhere.
    x : dict
        Value by parameter name.
    step : str
        Why it was proposed: "design", "explore", "refine", "exploit"; "given" if it was not.
    level : int
        Level of the simulator, 0 being the truest.
    status : str
        "pending", "done" or "failed".
    outputs : dict or None
        Numbers by name, once done.
    error : str
        Why it failed.

    Examples
    --------
    >>> from surrogate.optimize.optimizer import Optimizer
    >>> from surrogate.space import Real, Space
    >>> opt = Optimizer(Space(x=Real(-2, 2)), "y", rng=0)
    >>> trial = opt.ask()[0]
    >>> trial.step, trial.status
    ('design', 'pending')
    >>> opt.tell(trial, {"y": trial.x["x"] ** 2})
    >>> trial.status
    'done'
    """

    id: int
    x: dict[str, Any]
    step: str
    level: int = 0
    status: Literal["pending", "done", "failed"] = "pending"
    outputs: dict[str, float] | None = None
    error: str = ""
    position: FloatArray = field(default_factory=lambda: np.empty(0), repr=False)


class Ledger:
    """All trials, and what they say about the goals.

    Parameters
    ----------
    space : Space
    goals : Goals
    with_levels : bool
        Whether the simulator has levels, so that the table tells them.

    Attributes
    ----------
    trials : list of Trial
        Proposed ones in order.
    """

    def __init__(self, space: Space, goals: Goals, *, with_levels: bool = False) -> None:
        self.space, self.goals, self.with_levels = space, goals, with_levels
        self.trials: list[Trial] = []

    def with_status(self, *statuses: str) -> list[Trial]:
        """Trials of one status or several."""
        return [t for t in self.trials if t.status in statuses]

    @property
    def done(self) -> list[Trial]:
        """Trials that gave an answer."""
        return self.with_status("done")

    @property
    def done_at_truest(self) -> list[Trial]:
        """Those of them at the truest level: what counts."""
        return [t for t in self.done if t.level == 0]

    @property
    def models_began(self) -> bool:
        """Whether models proposed any trial."""
        return any(t.step in MODEL_STEPS for t in self.trials)

    def positions(self, level: int) -> FloatArray:
        """Where all trials of a level are in the unit cube, (n, d)."""
        found = [t.position for t in self.trials if t.level == level]
        return np.array(found).reshape(-1, self.space.d)

    # How it goes

    def improvements(self) -> list[tuple[str, bool]]:
        """Kind of each settled step of the models and whether it improved on all before it, in order of proposal."""
        done = self.done_at_truest
        if not done:
            return []
        outputs = [t.outputs or {} for t in done]
        feasible = self.goals.feasible(outputs)
        scores = self.goals.scores(outputs)[:, 0]
        violations = self.goals.violations(outputs)
        # Any feasible run is better than any other; those are compared by what they violate.
        worst = max(float(scores.max()), 0.0) + 1.0
        merit = np.where(feasible, scores, worst + np.abs(worst) * violations)
        by_trial = {id(t): value for t, value in zip(done, merit, strict=True)}
        least = IMPROVEMENT * float(np.ptp(merit))
        out, best = [], np.inf
        for trial in self.with_status("done", "failed"):
            if trial.level:
                continue
            value = by_trial.get(id(trial), np.inf)
            improved = bool(value < best - least) if np.isfinite(best) else bool(value < best)
            best = min(best, value)
            if trial.step in MODEL_STEPS:
                out.append((trial.step, improved))
        return out

    def last_misses(self) -> FloatArray:
        """By how much the last exploiting runs overstepped each constraint, (c,)."""
        exploited = [t.outputs or {} for t in self.done if t.step == "exploit"]
        missed: FloatArray = np.maximum(self.goals.excesses(exploited[-LAST_EXPLOITS:]), 0.0)
        return np.asarray(missed.max(axis=0, initial=0.0))

    def last_failures(self) -> int:
        """How many of the last runs that models proposed failed."""
        proposed = [t for t in self.with_status("done", "failed") if t.step in MODEL_STEPS]
        return sum(t.status == "failed" for t in proposed[-LAST_RUNS:])

    # What is best

    @property
    def is_feasible(self) -> bool:
        """Whether a run meets all constraints."""
        return bool(self.goals.feasible([t.outputs or {} for t in self.done_at_truest]).any())

    def best(self, predict: Callable[[Sequence[Trial]], FloatArray] | None = None) -> Trial | None:
        """The best feasible run, or, where none is feasible, the one that violates least; None before any run.

        Of several objectives the knee of the front.

        Parameters
        ----------
        predict : callable, optional
            Gives the objective that a model predicts, by which runs are compared where their outputs are noisy.
        """
        done = self.done_at_truest
        if not done:
            return None
        outputs = [t.outputs or {} for t in done]
        rows = np.flatnonzero(self.goals.feasible(outputs))
        if not len(rows):
            return done[int(np.argmin(self.goals.violations(outputs)))]
        scores = self.goals.scores(outputs)[rows]
        if scores.shape[1] > 1:
            on_front = rows[is_on_front(scores)]
            return done[int(on_front[knee(self.goals.scores([outputs[i] for i in on_front]))])]
        worth = scores[:, 0] if predict is None else predict([done[i] for i in rows])
        return done[int(rows[np.argmin(worth)])]

    @property
    def front(self) -> list[Trial]:
        """Feasible runs that no other one beats in all objectives, by the first objective."""
        done = self.done_at_truest
        outputs = [t.outputs or {} for t in done]
        rows = np.flatnonzero(self.goals.feasible(outputs)) if done else np.empty(0, dtype=int)
        if not len(rows):
            return []
        scores = self.goals.scores(outputs)[rows]
        chosen = rows[is_on_front(scores)]
        return sorted((done[i] for i in chosen), key=lambda t: self.goals.scores([t.outputs or {}])[0, 0])

    def hypervolumes(self, reference: FloatArray | None = None) -> list[float]:
        """Hypervolume of the front after each trial in order of proposal; all from one reference.

        Without a `reference` it lies a tenth of the last front's range beyond its worst points.
        """
        front = self.front
        if not front or len(self.goals.objectives) == 1:
            return [0.0] * len(self.trials)
        if reference is None:
            reference = usual_reference(self.goals.scores([t.outputs or {} for t in front]))
        out: list[float] = []
        front_then = np.empty((0, len(self.goals.objectives)))
        for trial in self.trials:
            if trial.status == "done" and trial.level == 0 and self.goals.feasible([trial.outputs or {}])[0]:
                score = self.goals.scores([trial.outputs or {}])
                if not (front_then <= score).all(axis=1).any():
                    front_then = np.vstack([front_then[~(score <= front_then).all(axis=1)], score])
                    out.append(hypervolume(front_then, reference))
                    continue
            out.append(out[-1] if out else 0.0)
        return out

    def to_frame(self) -> pd.DataFrame:
        """All trials in the order in which they were proposed or told: id, parameters, outputs, step, level, status,
        feasible, error. Other outputs that are called like one of these are left out.
        """
        trials = self.trials
        told = dict.fromkeys([*self.goals.outputs, *(n for t in trials for n in (t.outputs or {}))])
        names = [name for name in told if name not in BOOK and name not in self.space]
        table = pd.DataFrame(index=pd.Index([t.id for t in trials], name="id"))
        for name in self.space:
            table[name] = [t.x[name] for t in trials]
        for name in names:
            table[name] = [np.nan if t.outputs is None else t.outputs.get(name, np.nan) for t in trials]
        table["step"] = [t.step for t in trials]
        if self.with_levels:
            table["level"] = [t.level for t in trials]
        table["status"] = [t.status for t in trials]
        table["feasible"] = [t.outputs is not None and bool(self.goals.feasible([t.outputs])[0]) for t in trials]
        table["error"] = [t.error for t in trials]
        return table
