"""Active scenario discovery: runs are made where they tell most about the box, until the box has settled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.special
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.base import clone

from surrogate.boxes.box import Box
from surrogate.boxes.reds import Reds
from surrogate.boxes.resampling import quality_intervals
from surrogate.conditions import Condition, parse_conditions
from surrogate.designs.sobol import sobol
from surrogate.emulators.gp.gaussian_process import GaussianProcess
from surrogate.errors import ConditionError, did_you_mean
from surrogate.runs.plan import run_ids
from surrogate.runs.records import Runs
from surrogate.runs.run import run
from surrogate.runs.store import RunStore
from surrogate.simulation import Series, Simulator, is_stochastic, load_simulator
from surrogate.space import Categorical, Space

__all__ = ["Discovery", "discover"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
_Make = Callable[[pd.DataFrame], None]
Conditions = str | Condition | Mapping[str, str] | Sequence[str | Condition]

# Points of the space that the next runs are chosen from.
CANDIDATES = 8192

# Of each batch at least this share goes where runs are fewest, whatever the metamodel says: a metamodel that is sure of
# what it never saw would not ask there. It is more as long as the metamodel predicts left-out runs badly.
EXPLORING = 0.2

# How far from the box's faces, in the unit cube, a run still tells something about them.
NEAR = 0.15

# Candidates drawn for each exploring run, from which the most spread ones are taken. With many more they would all lie
# in the cube's corners, which are the points farthest from all others.
DRAWN = 4

# Of the variance of a point's value, what counts as none.
SMALLEST_VARIANCE = 1e-6

# Fewest runs that a metamodel can be fitted to.
LEAST_RUNS = 4

# Points behind the intervals: chunks of the first number until they hold the second of interest, if that is not rare.
INTERVAL_POINTS, ENOUGH_OF_INTEREST, MOST_CHUNKS = 20_000, 1000, 10

# Points and posterior draws; the joint distribution of the points takes their square in memory.
JOINT_POINTS, DRAWS = 800, 400


@dataclass(frozen=True, eq=False)
class Discovery:
    """What a scenario discovery found, and how sure it is.

    Attributes
    ----------
    runs : Runs
        All runs that it rests on, failed ones included.
    conditions : tuple of Condition
        What is of interest.
    reds : Reds or None
        Fitted on the finished runs; None if there was nothing to tell apart.
    history : DataFrame
        By number of runs, each time the box was looked for: ``n_of_interest``, ``coverage``, ``density`` (as the
        metamodel expects them), ``coverage_change``, ``density_change``, ``method`` (the metamodel) and ``rule``.
        A discovery that goes on with stored runs begins with the last few batches of them.
    intervals : DataFrame
        Rows ``coverage`` and ``density`` of the chosen box, on points it was not found with where there is a posterior;
        columns ``value``, ``low``, ``high``: 95%. Empty without a box.
    intervals_from : str
        Where they come from: "posterior draws" of a Gaussian process on the output, else "runs", which are those of the
        first design unless none of them is of interest.
    converged : bool
        Whether coverage and density had settled.
    message : str
        Why it ended, and what a reader must know.
    """

    runs: Runs
    conditions: tuple[Condition, ...]
    reds: Reds | None
    history: pd.DataFrame
    intervals: pd.DataFrame = field(default_factory=pd.DataFrame)
    intervals_from: str = ""
    converged: bool = False
    message: str = ""

    @classmethod
    def of_runs(cls, runs: Runs, of_interest: Conditions, *, reds: Reds | None = None) -> Discovery:
        """Discovery on runs that are there, without making more.

        Parameters
        ----------
        runs : Runs
        of_interest : str, mapping of output to comparison, or sequence of conditions
        reds : Reds, optional
            Its options.

        Raises
        ------
        ConditionError
            If a condition cannot be read or names no output, or if it tells no run from another.
        """
        known = _Known.of(runs, _checked(of_interest, _scalars(runs.output_types)))
        fitted = known.fit(_template(reds, 0))
        if fitted is None:
            raise ConditionError(known.nothing_to_tell())
        table, source = _intervals(fitted, known, len(known.inputs), 0)
        message = f"the box rests on {len(known.inputs)} stored runs{known.failures_told}"
        history = _history([_row(len(runs), known, fitted)])
        return cls(runs, known.conditions, fitted, history, table, source, False, message)

    @property
    def of_interest_(self) -> BoolArray:
        """Whether each finished run is of interest."""
        return _Known.of(self.runs, self.conditions).labels

    @property
    def boxes_(self) -> list[Box]:
        """The boxes to choose from, from the whole space to the densest."""
        return self._found().boxes_

    @property
    def trajectory_(self) -> pd.DataFrame:
        """Coverage, density and mass of :attr:`boxes_`, as the metamodel expects them over the space."""
        return self._found().trajectory_

    @property
    def best_index_(self) -> int:
        """Position of :attr:`best_`."""
        return self._found().best_index_

    @property
    def best_(self) -> Box:
        """The chosen box."""
        box: Box = self._found().best_
        return box

    def _found(self) -> Reds:
        if self.reds is None:
            raise ValueError(f"there is no box: {self.message}")
        return self.reds

    def __str__(self) -> str:
        interest = " and ".join(map(str, self.conditions))
        if self.reds is None:
            return f"{interest}: no box\n{self.message}"
        quality = ", ".join(
            f"{name} {row['value']:.2f} ({row['low']:.2f} to {row['high']:.2f})"
            for name, row in self.intervals.iterrows()
        )
        share = self.trajectory_["density"].iloc[0]
        return (
            f"{interest} where {self.best_.rule()}\n"
            f"{quality}; 95% intervals from {self.intervals_from}\n"
            f"without the box's limits the density would be {share:.2g}\n"
            f"metamodel: {self.reds.method_}; {self.reds.reason_}\n"
            f"{self.message}"
        )


def discover(
    simulator: Simulator | str,
    of_interest: Conditions,
    *,
    budget: int,
    batch: int = 10,
    first: int | None = None,
    store: RunStore | str | Path | None = None,
    space: Space | None = None,
    reds: Reds | None = None,
    stop: bool = True,
    tolerance: float = 0.02,
    patience: int = 3,
    n_jobs: int | None = None,
    timeout: float | None = None,
    retries: int = 0,
    executor: Any = None,
    rng: int | np.random.Generator | None = 0,
    progress: bool | None = None,
) -> Discovery:
    """Find where a simulator's outputs are of interest, choosing the runs on the way.

    A design that fills the space comes first. Then, batch by batch, the box is looked for with :class:`Reds`, and the
    next runs are made where the metamodel cannot tell whether they are of interest, most of all near the faces of the
    chosen box; every fifth run goes where there are fewest. As long as no run is of interest, runs are made where a
    Gaussian process on the output expects the threshold to be passed soonest.

    Parameters
    ----------
    simulator : Simulator or str
        Or what :func:`load_simulator` takes.
    of_interest : str, mapping of output to comparison, or sequence of conditions
        ``{"growth_rate": "< 0"}``; several must all hold. Of one threshold on one output the output itself is learnt.
    budget : int
        Most runs in all. Those in the store count, failed ones too.
    batch : int
        Runs between two looks at the box.
    first : int, optional
        Size of the first design; by default half the budget, and at least ``2 d + 2``.
    store : RunStore, str or Path, optional
        Where runs are kept. An interrupted discovery goes on when it is called again with the same store, and a
        finished one makes no new runs. Runs of other designs in it are used as well.
    space : Space, optional
        Where to look, if not in the simulator's whole space: the same inputs with narrower bounds or other
        distributions. Stored runs outside of it neither count nor help.
    reds : Reds, optional
        Options of the metamodel and the finder.
    stop : bool
        Whether to end before the budget once the box has settled: the chosen box's coverage and density both changed by
        less than `tolerance` in each of the last `patience` batches.
    tolerance : float
    patience : int
    n_jobs, timeout, retries, executor, progress
        As of :func:`run`.
    rng : int, Generator or None
        Of the design and the choice of runs. A discovery that is to be resumed needs the same integer each time.

    Returns
    -------
    Discovery

    Raises
    ------
    ConditionError
        If a condition cannot be read or names no scalar output.
    ValueError
        If an option is none.
    StoreMismatchError
        If the store belongs to another simulator or version.
    KeyboardInterrupt
        After Ctrl-C, once everything finished has been stored; call again to go on.

    Notes
    -----
    Active runs lie close to the threshold, so the share of interest among all runs is not that of the space; coverage
    and density are therefore those of the metamodel over the space. Intervals are taken from joint draws of the
    posterior where a Gaussian process learnt the output: they hold as far as it fits. With other metamodels they are
    Jeffreys intervals on the runs of the first design, which the box has seen.

    That a box has settled does not prove it: it can miss a region that no run has met.

    Examples
    --------
    >>> from surrogate.simulation import simulator
    >>> from surrogate.space import Real
    >>> @simulator(space=Space(a=Real(0, 1), b=Real(0, 1), c=Real(0, 1)), outputs=["total"])
    ... def total(a, b, c):
    ...     return {"total": a + b}
    >>> found = discover(total, {"total": "< 0.5"}, budget=30, n_jobs=0, reds=Reds(n_new=5_000))
    >>> found.best_.restricted
    ('a', 'b')
    """
    sim = load_simulator(simulator) if isinstance(simulator, str) else simulator
    if not isinstance(sim, Simulator):
        raise TypeError(f"simulator must be a Simulator or a reference to one, got {simulator!r:.80}")
    conditions = _checked(of_interest, _scalars(sim.outputs))
    where = _checked_space(sim, space)
    for name, value, least in (("budget", budget, LEAST_RUNS), ("batch", batch, 1), ("patience", patience, 1)):
        _check_count(name, value, least)
    if first is not None:
        _check_count("first", first, LEAST_RUNS)
        if first > budget:
            raise ValueError(f"the first design of {first} runs is larger than the budget of {budget}")
    if not tolerance > 0:
        raise ValueError(f"tolerance must be positive, got {tolerance!r}")
    seed = int(rng) if isinstance(rng, (int, np.integer)) else int(np.random.default_rng(rng).integers(2**32))
    template = _template(reds, seed)
    start = min(budget, max(budget // 2, 2 * where.d + 2)) if first is None else first

    with ExitStack() as stack:
        opened = (
            store
            if isinstance(store, RunStore)
            else stack.enter_context(RunStore(":memory:" if store is None else store))
        )

        def make(points: pd.DataFrame) -> None:
            options: dict[str, Any] = {"n_jobs": n_jobs, "timeout": timeout, "retries": retries, "executor": executor}
            run(sim, points, store=opened, rng=seed, progress=progress, **options)

        # Also when nothing is left to run, this tells whether the store is the simulator's.
        opened.open_study(sim)
        _first_design(sim, where, opened, start, seed, make)
        ends = _Ends(budget, batch, tolerance, patience, stop)
        return _in_batches(where, conditions, opened, make, template, start, seed, ends)


@dataclass(frozen=True)
class _Ends:
    """When a discovery ends."""

    budget: int
    batch: int
    tolerance: float
    patience: int
    stop: bool

    def has_settled(self, fitted: Reds | None, rows: Sequence[Mapping[str, Any]]) -> bool:
        # The whole space has a coverage of 1 for ever, and boxes of the runs alone no metamodel to go by.
        if fitted is None or fitted.metamodel_ is None or not fitted.best_.limits or len(rows) <= self.patience:
            return False
        if rows[-1]["n_of_interest"] < LEAST_RUNS:
            return False
        changes = _history(rows)[["coverage_change", "density_change"]].tail(self.patience)
        return bool((changes < self.tolerance).to_numpy().all())


def _first_design(sim: Simulator, space: Space, store: RunStore, start: int, seed: int, make: _Make) -> None:
    """Run what is missing of the first design; other stored runs take the place of its last points."""
    points = sobol(space, start, rng=seed)
    ids = run_ids(sim.space, sim.space.validate(points, "design"), replicates=is_stochastic(sim))
    stored = store.statuses(ids)
    missing = [row for row, key in enumerate(ids) if key not in stored]
    wanted = max(start - len(_stored(store, space)), 0)
    if missing[:wanted]:
        make(points.iloc[missing[:wanted]])


def _in_batches(
    space: Space,
    conditions: tuple[Condition, ...],
    store: RunStore,
    make: _Make,
    template: Reds,
    start: int,
    seed: int,
    ends: _Ends,
) -> Discovery:
    runs = _stored(store, space)
    n, batch = len(runs), ends.batch
    # What earlier calls saw is seen again, so that a discovery that had settled does not begin anew.
    looked = [size for size in range(n - ends.patience * batch, n, batch) if size >= start]
    rows = [_row(size, known, known.fit(template)) for size in looked for known in [_Known.of(runs, conditions, size)]]
    exhausted = False
    further = sobol(space, ends.budget, rng=seed).iloc[start:]
    while True:
        known = _Known.of(runs, conditions)
        fitted = known.fit(template)
        rows.append(_row(n, known, fitted))
        settled = ends.has_settled(fitted, rows)
        if n >= ends.budget or exhausted or (ends.stop and settled):
            break
        points = _next_points(
            known, fitted, min(batch, ends.budget - n), np.random.default_rng([seed, n]), further=further
        )
        if len(points):
            make(points)
        runs = _stored(store, space)
        exhausted, n = len(runs) == n, len(runs)
    table, source = (pd.DataFrame(), "") if fitted is None else _intervals(fitted, known, start, seed)
    if fitted is None:
        why = known.nothing_to_tell()
    elif settled:
        why = (
            f"settled after {n} of {ends.budget} runs: coverage and density changed by less than {ends.tolerance:g} in "
            f"each of the last {ends.patience} batches"
        )
    elif exhausted:
        why = f"ended after {n} of {ends.budget} runs: the space holds no new points"
    else:
        why = f"all {n} runs are used; coverage and density have not settled, more runs may change the box"
    return Discovery(runs, conditions, fitted, _history(rows), table, source, settled, why + known.failures_told)


@dataclass(frozen=True, eq=False)
class _Known:
    """Runs as the metamodels take them."""

    conditions: tuple[Condition, ...]
    space: Space
    ended: pd.DataFrame  # inputs, of failed runs too
    inputs: pd.DataFrame
    outputs: pd.DataFrame
    labels: BoolArray

    @classmethod
    def of(cls, runs: Runs, conditions: tuple[Condition, ...], first: int | None = None) -> _Known:
        """Of the first runs, or all."""
        some = replace(runs, table=runs.table.iloc[:first], scalars=runs.scalars.iloc[:first])
        labels = np.logical_and.reduce([c.holds(some.outputs[c.name]) for c in conditions])
        return cls(conditions, runs.space, some.table[list(runs.space)], some.inputs, some.outputs, np.asarray(labels))

    @property
    def threshold(self) -> Condition | None:
        """The condition, if it is one threshold on one output: the output then says more than the labels."""
        only = self.conditions[0]
        return only if len(self.conditions) == 1 and only.operator in ("<", "<=", ">", ">=") else None

    @property
    def failures_told(self) -> str:
        failed = len(self.ended) - len(self.inputs)
        return f"; {failed} of {len(self.ended)} runs failed and are left out" if failed else ""

    def nothing_to_tell(self) -> str:
        """Why there is no box."""
        finished = len(self.inputs)
        if finished < LEAST_RUNS:
            return f"only {finished} of {len(self.ended)} runs finished, too few to look for a box"
        interest = " and ".join(map(str, self.conditions))
        ranges = "; ".join(
            f"{name} lies in [{self.outputs[name].min():g}, {self.outputs[name].max():g}]"
            for name in dict.fromkeys(c.name for c in self.conditions)
        )
        which = "no run meets" if not self.labels.any() else "every run meets"
        return f"{which} {interest}, so there is nothing to tell apart; {ranges} over {finished} runs"

    def fit(self, template: Reds) -> Reds | None:
        """Metamodel and boxes, if there are runs of both kinds."""
        if len(self.inputs) < LEAST_RUNS or self.labels.all() or not self.labels.any():
            return None
        learner: Reds = clone(template)
        if self.threshold is None:
            return learner.fit(self.inputs, self.labels, space=self.space)
        output = self.outputs[self.threshold.name].to_numpy()
        return learner.fit(self.inputs, output, of_interest=self.threshold, space=self.space)


def _row(n: int, known: _Known, fitted: Reds | None) -> dict[str, Any]:
    found = {"coverage": np.nan, "density": np.nan, "method": "", "rule": ""}
    if fitted is not None:
        chosen = fitted.trajectory_.iloc[fitted.best_index_]
        found = {
            "coverage": float(chosen["coverage"]),
            "density": float(chosen["density"]),
            "method": fitted.method_,
            "rule": fitted.best_.rule(),
        }
    return {"n_runs": n, "n_of_interest": int(known.labels.sum()), **found}


def _history(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(list(rows)).set_index("n_runs")
    changes = table[["coverage", "density"]].diff().abs().add_suffix("_change")
    return table.join(changes)[
        ["n_of_interest", "coverage", "density", "coverage_change", "density_change", "method", "rule"]
    ]


@dataclass(frozen=True, eq=False)
class _Candidates:
    """Points that the next runs are chosen from: each once, and none that was run."""

    points: pd.DataFrame
    places: FloatArray  # in the unit cube
    distance: FloatArray  # there, to the nearest run
    n_further: int  # so many of them, in front, go on with the first design

    @classmethod
    def of(cls, known: _Known, further: pd.DataFrame | None, rng: np.random.Generator) -> _Candidates:
        space = known.space
        points = space.from_unit(rng.random((CANDIDATES, space.d)))
        if further is not None:
            points = pd.concat([further, points], ignore_index=True)
        # After the round trip, as integers and categories have few positions.
        places = space.to_unit(points)
        distance = _nearest(places, space.to_unit(known.ended) if len(known.ended) else np.empty((0, space.d)))
        rows = np.sort(np.unique(places, axis=0, return_index=True)[1])
        # Further points of the design were not run where rounding tells them from those that were.
        rows = rows[distance[rows] > 1e-9]
        n_further = 0 if further is None else int((rows < len(further)).sum())
        return cls(points.iloc[rows].reset_index(drop=True), places[rows], distance[rows], n_further)

    def distance_with(self, chosen: list[int]) -> FloatArray:
        """The same, with chosen candidates as if they were run."""
        return np.minimum(self.distance, _nearest(self.places, self.places[chosen]))


def _next_points(
    known: _Known, fitted: Reds | None, n: int, rng: np.random.Generator, further: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Where the next `n` runs tell most about the box; fewer where the space holds no more.

    Exploring takes the points of `further`, which go on with the first design, before any others.
    """
    new = _Candidates.of(known, further, rng)
    n = min(n, len(new.points))
    if not n:
        return new.points
    telling = n - round((1 - (1 - EXPLORING) * _trust(known, fitted)) * n)
    if fitted is None:
        chosen = _towards_threshold(known, new, telling, rng)
    else:
        chosen = _doubtful(known, fitted, new, telling, rng)
    chosen += [row for row in range(new.n_further) if row not in chosen][: n - len(chosen)]
    distance = new.distance_with(chosen)
    left = np.flatnonzero(distance > 0)
    exploring = n - len(chosen)
    chosen += _spread(new.places, distance, rng.permutation(left)[: DRAWN * exploring], exploring)
    return new.points.iloc[chosen].reset_index(drop=True)


def _trust(known: _Known, fitted: Reds | None) -> float:
    """Share of the ranks' variance that an emulator of the output explains of left-out runs; 1 where there is none."""
    if fitted is None or known.threshold is None or not _learnt_output(fitted.metamodel_):
        return 1.0
    output = known.outputs[known.threshold.name]
    mean = pd.Series(fitted.metamodel_.emulator_.leave_one_out()[0], output.index)
    correlation = mean.corr(output, method="spearman")
    return float(max(correlation, 0.0) ** 2) if correlation == correlation else 0.0


def _doubtful(known: _Known, fitted: Reds, new: _Candidates, n: int, rng: np.random.Generator) -> list[int]:
    """Candidates that tell most of what the metamodel doubts, above all near the box's faces."""
    model, condition = fitted.metamodel_, known.threshold
    from_faces = _distance_to_faces(fitted.best_, known.space, new.points, new.places)
    score = np.log(0.2 + np.exp(-((from_faces / NEAR) ** 2)))
    if model is not None:
        score += _log_doubt(model, condition, new.points)
    # The largest of scores with Gumbel noise are a draw in proportion to their exponentials without replacement: a wide
    # doubtful region gets more points than a thin one. Of a metamodel that is all but sure they are its last doubts.
    score += rng.gumbel(size=len(score))
    chosen: list[int] = []
    emulator = getattr(model, "emulator_", None)
    if isinstance(emulator, GaussianProcess):
        pool = np.argsort(-score)[:JOINT_POINTS]
        values = emulator.draws(new.points.iloc[pool], DRAWS, rng)
        labels = condition.holds(values) if condition is not None and _learnt_output(model) else values > 0.5
        chosen = pool[_resolving(values, labels, emulator.noise_std_, n)].tolist()
    return chosen + _apart(score, new.places, new.distance_with(chosen), n - len(chosen))


def _learnt_output(model: Any) -> bool:
    return getattr(model, "method_", "") == "continuous output" and isinstance(model.emulator_, GaussianProcess)


def _log_doubt(model: Any, threshold: Condition | None, candidates: pd.DataFrame) -> FloatArray:
    """Logarithm of the variance of each candidate's label."""
    if threshold is not None and _learnt_output(model):
        mean, std = model.emulator_.predict(candidates, return_std=True)
        # Of probabilities so small that they are zero in floating point the logarithm still tells which is smallest.
        z = (threshold.value - mean) / np.maximum(std, np.finfo(float).tiny)
        return np.asarray(scipy.special.log_ndtr(z) + scipy.special.log_ndtr(-z))
    probability = np.asarray(model.predict_proba(candidates), dtype=float)
    return np.asarray(np.log(np.maximum(probability, np.finfo(float).tiny)).sum(axis=1))


def _towards_threshold(known: _Known, new: _Candidates, n: int, rng: np.random.Generator) -> list[int]:
    """Of runs that are all of one kind: where functions drawn from the posterior come closest to the other kind."""
    condition = known.threshold
    if condition is None or len(known.inputs) < LEAST_RUNS:
        return []
    output = known.outputs[condition.name].to_numpy()
    if np.ptp(output) == 0:
        return []
    emulator = GaussianProcess().fit(known.inputs, output, known.space)
    mean, std = emulator.predict(new.points, return_std=True)
    side = 1.0 if (condition.operator in ("<", "<=")) != bool(known.labels.all()) else -1.0
    # By rank, as the probabilities themselves may all be zero in floating point.
    reach = side * (condition.value - mean) / np.maximum(std, np.finfo(float).tiny)
    pool = np.argsort(-reach)[:JOINT_POINTS]
    chosen: list[int] = []
    for drawn in side * emulator.draws(new.points.iloc[pool], n, rng):
        drawn[chosen] = np.inf
        chosen.append(int(np.argmin(drawn)))
    return [int(row) for row in pool[chosen]]


def _resolving(values: FloatArray, labels: BoolArray, noise_std: float, n: int) -> list[int]:
    """One after another the points whose values explain most of the variance that all points' labels still have.

    Parameters
    ----------
    values, labels : arrays of shape (n_draws, n_points)
        Joint draws of the posterior.

    Notes
    -----
    The gain of a point is the variance of the labels' linear regression on its value, summed over all points; what is
    explained is then taken out of labels and values. It is the targeted mean square error of Picheny et al.,
    "Adaptive designs of experiments for accurate approximation of a target region", Journal of Mechanical Design 132,
    2010, with draws in place of formulas. Ends where labels do not vary.
    """
    std = np.sqrt(values.var(axis=0) + noise_std**2)
    scaled = (values - values.mean(axis=0)) / np.where(std > 0, std, np.inf)
    covariance = scaled.T @ scaled / len(values)
    with_labels = (labels - labels.mean(axis=0)).T @ scaled / len(values)
    # What a run at the point would give: the output with its noise.
    variance = np.minimum(covariance.diagonal(), 1.0) + np.divide(
        noise_std**2, std**2, out=np.zeros_like(std), where=std > 0
    )
    chosen: list[int] = []
    for _ in range(n):
        is_open = variance > SMALLEST_VARIANCE
        gain = np.where(is_open, (with_labels**2).sum(axis=0) / np.where(is_open, variance, 1.0), 0.0)
        best = int(np.argmax(gain))
        if not gain[best] > SMALLEST_VARIANCE:
            break
        chosen.append(best)
        slope = covariance[best] / variance[best]
        with_labels -= np.outer(with_labels[:, best], slope)
        variance -= covariance[best] * slope
        covariance -= np.outer(covariance[best], slope)
        variance[best] = 0.0
    return chosen


def _apart(score: FloatArray, places: FloatArray, distance: FloatArray, n: int) -> list[int]:
    """One after another the largest of log scores, lowered where a run or a point taken before is near."""
    chosen: list[int] = []
    for _ in range(n):
        with np.errstate(divide="ignore"):
            best = int(np.argmax(score + np.log(-np.expm1(-((distance / NEAR) ** 2)))))
        chosen.append(best)
        distance = np.minimum(distance, _nearest(places, places[[best]]))
    return chosen


def _distance_to_faces(box: Box, space: Space, candidates: pd.DataFrame, places: FloatArray) -> FloatArray:
    """Distance of each candidate to the surface of a box in the unit cube; inputs without order differ by 1."""
    beyond = np.zeros(len(places))
    within = np.full(len(places), np.inf)
    for name, limits in box.limits.items():
        u = places[:, space.names.index(name)]
        inside = Box({name: limits}).contains(candidates)
        if isinstance(space[name], Categorical) or not inside.any():
            beyond += ~inside
            continue
        # Faces as the candidates show them: close enough, and the same for every kind of ordered input.
        low, high = u[inside].min(), u[inside].max()
        beyond += np.maximum(np.maximum(low - u, u - high), 0.0) ** 2
        for face, is_face in ((low, low > u.min()), (high, high < u.max())):
            if is_face:
                within = np.minimum(within, np.abs(u - face))
    return np.where(beyond > 0, np.sqrt(beyond), within)


def _nearest(places: FloatArray, others: FloatArray) -> FloatArray:
    return cdist(places, others).min(axis=1) if len(others) else np.full(len(places), np.inf)


def _spread(places: FloatArray, distance: FloatArray, pool: NDArray[np.int64], n: int) -> list[int]:
    """Of the pool one after another the point farthest from all runs and those taken before."""
    chosen: list[int] = []
    distance = distance[pool]
    for _ in range(min(n, len(pool))):
        best = int(np.argmax(distance))
        chosen.append(int(pool[best]))
        distance = np.minimum(distance, np.linalg.norm(places[pool] - places[pool[best]], axis=1))
    return chosen


def _intervals(fitted: Reds, known: _Known, start: int, seed: int) -> tuple[pd.DataFrame, str]:
    """Coverage and density of the chosen box with 95% intervals, and where these come from."""
    box, model = fitted.best_, fitted.metamodel_
    if not _learnt_output(model):
        # Runs chosen later lie close to the threshold: not what a box would meet.
        used, source = known.inputs.index.isin(known.ended.index[:start]), "runs"
        if not known.labels[used].any():
            used, source = np.ones(len(used), dtype=bool), "all runs, most of them chosen close to the threshold"
        table = quality_intervals(box, known.inputs[used], known.labels[used])
        return table.loc[["coverage", "density"]], source
    rng = np.random.default_rng([seed, 1])
    points, probability = _points_holding(model, known.space, rng)
    inside = box.contains(points)
    # Only of the points that could be either way does the joint distribution matter.
    is_open = (probability > 1e-3) & (probability < 1 - 1e-3)
    sure = np.where(is_open, 0.0, probability)
    open_rows = np.flatnonzero(is_open)
    rows = rng.choice(open_rows, min(JOINT_POINTS, len(open_rows)), replace=False)
    of_interest, of_interest_inside = np.full(DRAWS, sure.sum()), np.full(DRAWS, sure[inside].sum())
    if len(rows):
        assert known.threshold is not None
        drawn = known.threshold.holds(model.emulator_.draws(points.iloc[rows], DRAWS, rng)).astype(float)
        weight = len(open_rows) / len(rows)
        of_interest += weight * drawn.sum(axis=1)
        of_interest_inside += weight * drawn[:, inside[rows]].sum(axis=1)
    expected = float(probability[inside].sum())
    shares = {
        "coverage": (expected, float(probability.sum()), of_interest_inside, of_interest),
        "density": (expected, float(inside.sum()), of_interest_inside, np.full(DRAWS, float(inside.sum()))),
    }
    rows_of = {}
    for name, (part, whole, part_drawn, whole_drawn) in shares.items():
        value = part / max(whole, np.finfo(float).tiny)
        # The points are finite in number too: Jeffreys' posterior of a share.
        rest = np.maximum(whole_drawn - part_drawn, 0.0)
        low, high = np.quantile(rng.beta(part_drawn + 0.5, rest + 0.5), [0.025, 0.975])
        # The draws know fewer points than the value does.
        rows_of[name] = (value, min(low, value), max(high, value))
    return pd.DataFrame.from_dict(rows_of, orient="index", columns=["value", "low", "high"]), "posterior draws"


def _points_holding(model: Any, space: Space, rng: np.random.Generator) -> tuple[pd.DataFrame, FloatArray]:
    """Points of the space, as many as it takes to hold :data:`ENOUGH_OF_INTEREST`, and their probabilities."""
    points: list[pd.DataFrame] = []
    probability: list[FloatArray] = []
    for _ in range(MOST_CHUNKS):
        points.append(space.from_unit(rng.random((INTERVAL_POINTS, space.d))))
        probability.append(np.asarray(model.predict_proba(points[-1]))[:, 1])
        if sum(map(np.sum, probability)) >= ENOUGH_OF_INTEREST:
            break
    return pd.concat(points, ignore_index=True), np.concatenate(probability)


def _stored(store: RunStore, space: Space) -> Runs:
    """The store's runs at the truest level that lie in the space."""
    runs = store.runs()
    if runs.levels:
        runs = runs.at_level(0)
    if space != runs.space:
        table = runs.table
        inside = np.array(
            [all(p.problem(value) is None for p, value in zip(space.values(), row)) for row in _tuples(table, space)],
            dtype=bool,
        )
        runs = replace(runs, space=space, table=table[inside], scalars=runs.scalars[inside])
    # Series are not looked at; without them a part of the runs is cut as a table is.
    return replace(runs, arrays={})


def _tuples(table: pd.DataFrame, space: Space) -> Any:
    return table[list(space)].itertuples(index=False, name=None)


def _scalars(outputs: Sequence[Any]) -> list[str]:
    return [str(output) for output in outputs if not isinstance(output, Series)]


def _checked(of_interest: Conditions, outputs: Sequence[str]) -> tuple[Condition, ...]:
    conditions = parse_conditions(of_interest)
    for condition in conditions:
        if condition.name not in outputs:
            raise ConditionError(f"no scalar output {condition.name!r}; {did_you_mean(condition.name, outputs)}")
    return conditions


def _checked_space(sim: Simulator, space: Space | None) -> Space:
    if space is None:
        return sim.space
    if not isinstance(space, Space):
        raise TypeError(f"space must be a Space, got {space!r:.80}")
    if set(space) != set(sim.space):
        raise ValueError(f"space must have the simulator's inputs ({', '.join(sim.space)}), got {', '.join(space)}")
    return Space({name: space[name] for name in sim.space})


def _check_count(name: str, value: Any, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")


def _template(reds: Reds | None, seed: int) -> Reds:
    if reds is None:
        return Reds(rng=seed)
    if not isinstance(reds, Reds):
        raise TypeError(f"reds must be a Reds, got {reds!r:.80}")
    return reds
