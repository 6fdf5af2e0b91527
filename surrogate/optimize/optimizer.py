"""Ask and tell: proposes points, learns what came of them, and knows the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import qmc

from surrogate.conditions import Condition
from surrogate.emulators.threads import few_threads
from surrogate.errors import InvalidInputError
from surrogate.optimize.acquisition import Cautious, Optimistic, Term
from surrogate.optimize.beliefs import Beliefs
from surrogate.optimize.encoding import Encoding
from surrogate.optimize.goals import Goals
from surrogate.optimize.levels import Levels
from surrogate.optimize.polish import SAME_POLISHED, polish
from surrogate.optimize.search import Search, is_new
from surrogate.optimize.steps import Steps
from surrogate.optimize.stopping import predicted_regret
from surrogate.optimize.trials import BOOK, Ledger, Trial
from surrogate.space import Space

__all__ = ["Optimizer"]

FloatArray = NDArray[np.float64]

# Proposals that are less likely to succeed than the first number are avoided. With each failure among the last runs the
# probability that is asked for rises by the second, up to the third, and the likelier success counts that much more.
LEAST_SUCCESS, STRICTER, MOST_SUCCESS = 0.4, 0.1, 0.8
CAUTION = 8.0


class Optimizer:
    """Proposes points so that as few runs as possible find the optimum.

    Each objective and constraint has a Gaussian process of its own. A proposal maximises the expected improvement
    (of several objectives: of the hypervolume), times the probabilities that constraints are met and that the run does
    not fail, over the space or near the best run, or minimises the predicted mean; which of these follows from what
    paid so far. Points that are running count as if they had come out as predicted.

    Parameters
    ----------
    space : Space
    objectives : str or sequence of str
        One to three outputs, minimised; ``"-lift"`` maximises.
    constraints : str, Condition, mapping or sequence of them
        E.g. ``["lift >= 0.5", "moment == 0"]``; all must hold.
    rng : int, Generator or None
        Everything that is drawn follows from it and from what was told, so that the same tells give the same asks.
    n_initial : int, optional
        Points of a space-filling design before models are used; runs told before count. By default 2 (d + 1).
    noise : bool
        Whether outputs of the same point differ. Without noise the models go through the runs.
    levels : mapping of int to float, optional
        Cost of a run by level, 0 being the truest. Each proposal then has the level that tells most per cost.
    equality_tolerance : float
        By how much an output may miss the number of an ``==`` constraint, in its unit.
    reference : sequence of float, optional
        Of several objectives, the point from which the hypervolume is measured, in their units. By default a tenth of
        the front's range beyond its worst points.

    Attributes
    ----------
    seed : int
        From which everything random is made.

    References
    ----------
    .. [1] D. R. Jones, M. Schonlau, W. J. Welch, "Efficient Global Optimization of Expensive Black-Box Functions",
       Journal of Global Optimization 13, 1998.
    .. [2] M. Schonlau, W. J. Welch, D. R. Jones, "Global versus local search in constrained optimization of computer
       models", 1998: improvement times probability of feasibility.

    Examples
    --------
    >>> from surrogate.space import Real
    >>> opt = Optimizer(Space(x=Real(-2, 2)), "y", rng=0)
    >>> for _ in range(10):
    ...     trial = opt.ask()[0]
    ...     opt.tell(trial, {"y": (trial.x["x"] - 1) ** 2})
    >>> round(opt.best.x["x"], 3)
    1.0
    """

    def __init__(
        self,
        space: Space,
        objectives: str | Sequence[str],
        constraints: str | Condition | Mapping[str, str] | Sequence[str | Condition] = (),
        *,
        rng: int | np.random.Generator | None = None,
        n_initial: int | None = None,
        noise: bool = False,
        levels: Mapping[int, float] | None = None,
        equality_tolerance: float = 1e-4,
        reference: Sequence[float] | None = None,
    ) -> None:
        if not isinstance(space, Space):
            raise TypeError(f"space must be a Space, got {space!r:.80}")
        self.space = space
        self.goals = Goals.of(objectives, constraints, equality_tolerance)
        for name in (*space, *self.goals.outputs):
            if name in BOOK or (name in space and name in self.goals.outputs):
                raise ValueError(
                    f"{name!r} names a column of the history twice; call the parameter or output otherwise"
                )
        self.noise = bool(noise)
        self.n_initial = 2 * (space.d + 1) if n_initial is None else n_initial
        if isinstance(self.n_initial, bool) or not isinstance(self.n_initial, (int, np.integer)) or self.n_initial < 2:
            raise ValueError(f"n_initial must be a whole number of at least 2, got {n_initial!r}")
        k = len(self.goals.objectives)
        self._reference: FloatArray | None = None
        if reference is not None:
            given = np.asarray(reference, dtype=float)
            if given.shape != (k,) or k == 1 or not np.isfinite(given).all():
                raise ValueError(
                    f"reference must have a number for each of several objectives, got {reference!r} for {k}"
                )
            self._reference = np.array([o.sign for o in self.goals.objectives]) * given
        self._encoding = Encoding(space)
        self._levels = Levels(levels or {})
        self._ledger = Ledger(space, self.goals, with_levels=bool(self._levels))
        self.seed = _seed(rng)
        self._memory: dict[str, dict[str, Any]] = {}
        self._fitted: tuple[tuple[Any, ...], Beliefs] | None = None
        self._n_asked = 0
        self._n_given = 0
        self._n_drawn = 0

    # Asking

    def ask(self, n: int = 1) -> list[Trial]:
        """The next `n` points to run; fewer where the space has no more points.

        Points that were asked for and not told yet are taken to be running. The hyper-parameters stay as they are
        within the call.
        """
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
            raise ValueError(f"n must be a whole number of at least 1, got {n!r}")
        made: list[Trial] = []
        with few_threads(len(self.trials)):
            for _ in range(n):
                proposed = self._propose()
                if proposed is None:
                    break
                made.append(self._add(*proposed))
        return made

    def _propose(self) -> tuple[FloatArray, str, int] | None:
        done = self._ledger.done
        if self._is_designing(done):
            level = self._levels.of_design(self._n_asked, [t.level for t in self.trials])
            drawn = self._next_of_design(level)
            return None if drawn is None else (drawn, "design", level)
        # Everything random follows from the seed and the number of the trial.
        rng = np.random.default_rng([self.seed, self._n_asked])
        beliefs = self._beliefs(done)
        # Only proposals move the start of the next fit: who looks at the best or at the regret changes nothing.
        self._memory = beliefs.memory
        pending = self._ledger.with_status("pending")
        if pending:
            beliefs = beliefs.believing(self._columns(pending), np.array([t.level == 0 for t in pending]))
        search = Search(self._encoding, self._ledger.positions(0), rng, self._levels.columns(0))
        kind, point = self._step(beliefs, search, is_exploiting=any(t.step == "exploit" for t in pending))
        if point is None:
            drawn = self._next_of_design(0)
            return None if drawn is None else (drawn, "explore", 0)
        level = self._levels.choose(beliefs.objectives[0], self._encoding.columns(point[None]), self.trials)
        if level and not is_new(point[None], self._ledger.positions(level))[0]:
            level = 0
        return point, kind, level

    def _is_designing(self, done: Sequence[Trial]) -> bool:
        """Whether the design is not complete, or runs tell too little for a model."""
        if len(done) < 2 or not self._ledger.done_at_truest:
            return True
        if self._ledger.models_began:
            # A larger `n_initial` in a later call does not take back what the models began.
            return False
        begun = sum(t.step == "design" or t.status != "pending" for t in self.trials)
        return begun < self.n_initial or self._levels.are_unknown(t.level for t in self.trials)

    def _step(self, beliefs: Beliefs, search: Search, is_exploiting: bool) -> tuple[str, FloatArray | None]:
        steps = Steps.after(self._ledger.improvements(), self.space.d, constrained=bool(self.goals.constraints))
        feasibility = self._feasibility(beliefs)
        several = len(self.goals.objectives) > 1
        kind = steps.kind
        if several or (not len(beliefs.front) and feasibility):
            kind = "explore" if kind == "refine" else kind
        if kind == "exploit" and (several or is_exploiting):
            # Where the mean is lowest, a run is on its way.
            kind = "explore"
        low, high = np.zeros(self.space.d), np.ones(self.space.d)
        if kind == "exploit":
            point = self._exploit(beliefs, search, feasibility)
            if point is not None:
                return kind, point
            kind = "explore"
        starts = None
        if kind == "refine":
            centre = beliefs.around[0]
            low, high = np.maximum(centre - steps.box / 2, 0.0), np.minimum(centre + steps.box / 2, 1.0)
            fixed = self._encoding.unordered
            low[fixed], high[fixed] = 0.0, 1.0
            starts = beliefs.around[:1]
        found = search.best([*beliefs.gain(self._reference), *feasibility], beliefs.around, low, high, starts)
        if found is None and kind == "refine":
            found = search.best([*beliefs.gain(self._reference), *feasibility], beliefs.around)
        return kind, None if found is None else found[0]

    def _exploit(self, beliefs: Beliefs, search: Search, feasibility: Sequence[Term]) -> FloatArray | None:
        surface = beliefs.objectives[0]
        if not feasibility:
            found = search.best([Optimistic(surface)], beliefs.around, starts=beliefs.around)
            return None if found is None else found[0]
        low, high = np.zeros(self.space.d), np.ones(self.space.d)
        # So much is kept away from each constraint as the last such runs overstepped it.
        point = polish(surface, beliefs.bounds(self._ledger.last_misses()), search, beliefs.around, low, high)
        return point if point is not None and is_new(point[None], search.known, SAME_POLISHED)[0] else None

    def _feasibility(self, beliefs: Beliefs) -> list[Term]:
        """Logarithms of the probabilities that constraints are met, and that the run succeeds: more after failures.

        An optimum that lies at the edge of where runs fail would otherwise cost a failure for every success.
        """
        failures = self._ledger.last_failures()
        least = min(LEAST_SUCCESS + STRICTER * failures, MOST_SUCCESS)
        cautious = [Cautious(likely, 1.0 + CAUTION * failures, least) for likely in beliefs.succeeds()]
        return [*beliefs.limits(), *cautious]

    # Models

    def _beliefs(self, done: list[Trial]) -> Beliefs:
        key = (len(done), len(self._ledger.with_status("failed")))
        if self._fitted is None or self._fitted[0] != key:
            self._fitted = key, self._fit(done)
        return self._fitted[1]

    def _fit(self, done: list[Trial]) -> Beliefs:
        failed = self._ledger.with_status("failed")
        return Beliefs.of(
            self.goals,
            [t.outputs or {} for t in done],
            np.array([t.position for t in done]),
            self._columns(done),
            np.array([t.level == 0 for t in done]),
            self._columns(failed),
            memory=self._memory,
            noise=self.noise,
            n_columns=self._encoding.n_columns,
        )

    def _columns(self, trials: Sequence[Trial]) -> FloatArray:
        z = self._encoding.columns(np.array([t.position for t in trials]).reshape(-1, self.space.d))
        levels = np.array([self._levels.columns(t.level) for t in trials])
        return np.hstack([z, levels.reshape(len(trials), len(self._levels.columns(0)))])

    def _next_of_design(self, level: int) -> FloatArray | None:
        """The next point of a scrambled Sobol sequence that is new at a level; None if the space is exhausted."""
        known = np.unique(self._ledger.positions(level), axis=0)
        if np.isfinite(self._encoding.n_points) and len(known) >= self._encoding.n_points:
            return None
        sequence = qmc.Sobol(self.space.d, rng=np.random.default_rng([self.seed, 2**32 - 1]))
        if self._n_drawn:
            sequence.fast_forward(self._n_drawn)
        # A discrete space that is nearly used up repeats itself many times first.
        for _ in range(100_000):
            u = self._encoding.snap(sequence.random(1))
            self._n_drawn += 1
            if is_new(u, known)[0]:
                return np.asarray(u[0])
        return None

    # Telling

    def _add(self, position: FloatArray, kind: str, level: int) -> Trial:
        x = {str(name): _plain(value) for name, value in self._encoding.points(position[None]).iloc[0].items()}
        trial = Trial(self._n_asked, x, kind, level, position=position)
        self._n_asked += 1
        self.trials.append(trial)
        return trial

    def tell(self, trials: Any, outputs: Any, *, level: int = 0) -> None:
        """What came of runs.

        Parameters
        ----------
        trials : Trial, sequence of Trial, or points
            What was asked for; or any other points (a mapping, a sequence of mappings, or a DataFrame), which then
            count as known from elsewhere.
        outputs : mapping of str to float, sequence of mappings, or DataFrame
            One for each.
        level : int
            Of points that are no trials.

        Raises
        ------
        InvalidInputError
            If an output that matters is missing or not finite, or points do not belong to the space. Nothing has been
            told then.
        ValueError
            If there are not as many outputs as points, or a trial was told already.
        """
        told = self._checked_trials(trials, level)
        rows: Any = outputs.to_dict("records") if isinstance(outputs, pd.DataFrame) else outputs
        rows = [rows] if isinstance(rows, Mapping) else rows
        if not isinstance(rows, Sequence) or isinstance(rows, str):
            raise InvalidInputError(f"outputs must be a mapping from name to number, or one a trial, got {rows!r:.100}")
        if len(rows) != len(told):
            raise ValueError(f"outputs must be as many as trials, got {len(rows)} for {len(told)}")
        checked = [self.goals.checked(row) for row in rows]
        for trial, values in zip(told, checked, strict=True):
            trial.status, trial.outputs = "done", values
            self._keep(trial)

    def fail(self, trials: Any, error: str = "", *, level: int = 0) -> None:
        """Runs that gave no answer: the neighbourhood of failures is avoided, as far as it is known.

        Parameters
        ----------
        trials : Trial, sequence of Trial, or points
            As in :meth:`tell`.
        error : str
            Why.
        """
        for trial in self._checked_trials(trials, level):
            trial.status, trial.error = "failed", error
            self._keep(trial)

    def withdraw(self, trials: Trial | Sequence[Trial]) -> None:
        """Proposals that will not be run: they are no longer taken to be running.

        Parameters
        ----------
        trials : Trial or sequence of Trial
            Pending ones, e.g. of which a rounded point was run and told instead.

        Raises
        ------
        ValueError
            If one is not pending, or of another optimizer.
        """
        listed = [trials] if isinstance(trials, Trial) else list(trials)
        withdrawn = {id(trial) for trial in self._checked_trials(listed, 0)}
        self._ledger.trials = [trial for trial in self.trials if id(trial) not in withdrawn]

    def _checked_trials(self, trials: Any, level: int) -> list[Trial]:
        if isinstance(trials, Trial):
            trials = [trials]
        if isinstance(trials, Sequence) and all(isinstance(t, Trial) for t in trials):
            if len({id(trial) for trial in trials}) < len(trials):
                raise ValueError(f"a trial was given twice: {', '.join(str(trial.id) for trial in trials)}")
            for trial in trials:
                if trial.status != "pending" or not any(trial is mine for mine in self.trials):
                    raise ValueError(
                        f"trial {trial.id} is {trial.status} and cannot be told again"
                        if trial.status != "pending"
                        else f"trial {trial.id} is not of this optimizer; tell its point, trial.x, instead"
                    )
            return list(trials)
        self._levels.check(level)
        points = self.space.validate(trials, "trials")
        positions = self._encoding.positions(points)
        records: list[dict[Any, Any]] = points.to_dict("records")
        return [
            Trial(0, {name: _plain(x[name]) for name in self.space}, "given", int(level), position=u)
            for x, u in zip(records, positions, strict=True)
        ]

    def _keep(self, trial: Trial) -> None:
        if trial.step == "given":
            self._n_given += 1
            trial.id = -self._n_given
            self.trials.append(trial)

    # Knowing

    @property
    def trials(self) -> list[Trial]:
        """All trials, proposed ones in order."""
        return self._ledger.trials

    @property
    def best(self) -> Trial | None:
        """The best feasible run at the truest level, or, where none is feasible, the one that violates least.

        With noise the best as predicted; of several objectives the knee of the front. None before any run.
        """
        is_unsure = self.noise and len(self._ledger.done_at_truest) > 2
        return self._ledger.best(self._predicted if is_unsure else None)

    def _predicted(self, trials: Sequence[Trial]) -> FloatArray:
        done = self._ledger.done
        with few_threads(len(done)):
            mean, _ = self._beliefs(done).objectives[0].predict(self._columns(trials))
        return mean

    @property
    def is_feasible(self) -> bool:
        """Whether a run meets all constraints."""
        return self._ledger.is_feasible

    @property
    def front(self) -> list[Trial]:
        """Feasible runs that no other one beats in all objectives, by the first objective."""
        return self._ledger.front

    def hypervolumes(self) -> list[float]:
        """Hypervolume of the front after each trial in order of proposal; all from one reference.

        Without a `reference` it lies a tenth of the last front's range beyond its worst points.
        """
        return self._ledger.hypervolumes(self._reference)

    def to_frame(self) -> pd.DataFrame:
        """All trials in the order in which they were proposed or told: id, parameters, outputs, step, level, status,
        feasible, error. Other outputs that are called like one of these are left out.
        """
        return self._ledger.to_frame()

    def regret_bound(self, confidence: float = 0.95) -> float:
        """By how much at most the best run can be improved, with this probability as the model sees it.

        In the objective's unit, of one objective only; infinite while there is no feasible run or no model. What is
        unknown of the model's length scales is counted, to first order; another basin that no run has met is not.
        """
        if not 0 < confidence < 1:
            raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")
        done, best = self._ledger.done, self.best
        if len(self.goals.objectives) > 1:
            raise ValueError("a bound on the regret is of one objective; with several see hypervolumes")
        if best is None or not self.is_feasible or len(done) < self.n_initial:
            return float("inf")
        with few_threads(len(done)):
            beliefs = self._beliefs(done)
            rng = np.random.default_rng([self.seed, 2**32 - 2, len(done)])
            search = Search(self._encoding, np.empty((0, self.space.d)), rng, self._levels.columns(0))
            score = float(self.goals.scores([best.outputs or {}])[0, 0])
            return predicted_regret(
                beliefs.objectives[0].unsure(),
                [*beliefs.limits(), *beliefs.succeeds()],
                search,
                beliefs.around,
                None if self.noise else score,
                best.position,
                confidence,
            )

    def cost(self, level: int) -> float:
        """Cost of a run at a level, in runs at the truest."""
        return self._levels.cost(level)

    # Going on later

    def proposal(self, trial: Trial) -> dict[str, Any]:
        """A trial as plain data, with what the optimizer would otherwise forget; :meth:`restore` reads it."""
        return {
            "x": trial.x,
            "position": trial.position.tolist(),
            "step": trial.step,
            "level": trial.level,
            "drawn": self._n_drawn,
            "memory": self._memory,
        }

    def restore(self, proposal: Mapping[str, Any]) -> Trial:
        """A trial that was proposed before, pending; in the order in which they were proposed."""
        self.space.validate(proposal["x"], "proposal")
        trial = self._add(np.array(proposal["position"], dtype=float), str(proposal["step"]), int(proposal["level"]))
        if trial.x != dict(proposal["x"]):
            raise InvalidInputError(f"proposal {trial.id} is not of this space: {proposal['x']}")
        self._n_drawn = int(proposal["drawn"])
        self._memory = {name: dict(entry) for name, entry in proposal["memory"].items()}
        self._fitted = None
        return trial


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _seed(rng: int | np.random.Generator | None) -> int:
    """A number from which everything random is made."""
    if isinstance(rng, np.random.Generator):
        return int(rng.integers(2**63))
    if rng is not None and (isinstance(rng, bool) or not isinstance(rng, (int, np.integer)) or rng < 0):
        raise TypeError(f"rng must be a whole number that is not negative, a Generator or None, got {rng!r}")
    return int(np.random.SeedSequence(None if rng is None else int(rng)).generate_state(1, np.uint64)[0])
