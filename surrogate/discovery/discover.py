"""Active scenario discovery: runs are made where they tell most about the box, until the box has settled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.boxes.box import Box
from surrogate.boxes.reds import Reds
from surrogate.conditions import Condition, parse_conditions
from surrogate.designs.sobol import sobol
from surrogate.discovery.intervals import intervals
from surrogate.discovery.known import LEAST_RUNS, Known
from surrogate.discovery.proposals import next_points
from surrogate.errors import ConditionError, did_you_mean
from surrogate.loading import load_simulator
from surrogate.outputs import Series
from surrogate.runs.ids import run_ids
from surrogate.runs.records import Runs
from surrogate.runs.run import run
from surrogate.runs.store import RunStore
from surrogate.simulation import Simulator, is_stochastic
from surrogate.space import Space

__all__ = ["Discovery", "discover"]

BoolArray = NDArray[np.bool_]
_Make = Callable[[pd.DataFrame], None]
Conditions = str | Condition | Mapping[str, str] | Sequence[str | Condition]


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
        first design unless none of them is of interest, and all where none was made (:meth:`of_runs`).
    converged : bool
        Whether coverage and density had settled.
    message : str
        Why it ended, and what a reader must know.

    Examples
    --------
    >>> from surrogate.loading import load_simulator
    >>> found = discover(load_simulator("ishigami"), "value > 8", budget=40, n_jobs=0, rng=0)
    >>> len(found.runs), found.intervals.index.tolist()
    (40, ['coverage', 'density'])
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
            Of a simulator with levels those at the truest are used.
        of_interest : str, mapping of output to comparison, or sequence of conditions
        reds : Reds, optional
            Its options.

        Raises
        ------
        ConditionError
            If a condition cannot be read or names no output, or if it tells no run from another.
        """
        runs = _truest(runs)
        known = Known.of(runs, _checked(of_interest, _scalars(runs.output_types)))
        fitted = known.fit(_template(reds, 0))
        if fitted is None:
            raise ConditionError(known.nothing_to_tell())
        table, source = intervals(fitted, known, len(known.ended), 0)
        message = f"the box rests on {len(known.inputs)} stored runs{known.failures_told}"
        history = _history([_row(len(runs), known, fitted)])
        return cls(runs, known.conditions, fitted, history, table, source, False, message)

    @property
    def of_interest_(self) -> BoolArray:
        """Whether each finished run is of interest."""
        return Known.of(self.runs, self.conditions).labels

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
    next runs are made where they resolve most of what the metamodel cannot tell [1]_, above all near the faces of the
    chosen box. At least every fifth run, and more while the metamodel predicts left-out runs badly, goes on with the
    design that fills the space. As long as no run is of interest, runs are made where functions drawn from a Gaussian
    process on the output come closest to the threshold.

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

    References
    ----------
    .. [1] V. Picheny, D. Ginsbourger, O. Roustant, R. T. Haftka, N.-H. Kim, "Adaptive designs of experiments for
       accurate approximation of a target region", Journal of Mechanical Design 132(7), 2010; with joint draws of the
       posterior in place of formulas.

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
    rows = [_row(size, known, known.fit(template)) for size in looked for known in [Known.of(runs, conditions, size)]]
    exhausted = False
    further = sobol(space, ends.budget, rng=seed).iloc[start:]
    while True:
        known = Known.of(runs, conditions)
        fitted = known.fit(template)
        rows.append(_row(n, known, fitted))
        settled = ends.has_settled(fitted, rows)
        if n >= ends.budget or exhausted or (ends.stop and settled):
            break
        points = next_points(
            known, fitted, min(batch, ends.budget - n), np.random.default_rng([seed, n]), further=further
        )
        if len(points):
            make(points)
        runs = _stored(store, space)
        exhausted, n = len(runs) == n, len(runs)
    table, source = (pd.DataFrame(), "") if fitted is None else intervals(fitted, known, start, seed)
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


def _row(n: int, known: Known, fitted: Reds | None) -> dict[str, Any]:
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


def _stored(store: RunStore, space: Space) -> Runs:
    """The store's runs at the truest level that lie in the space."""
    runs = _truest(store.runs())
    if space != runs.space:
        table = runs.table
        inside = np.array(
            [all(p.problem(value) is None for p, value in zip(space.values(), row)) for row in _tuples(table, space)],
            dtype=bool,
        )
        runs = replace(runs, space=space, table=table[inside], scalars=runs.scalars[inside])
    # Series are not looked at; without them a part of the runs is cut as a table is.
    return replace(runs, arrays={})


def _truest(runs: Runs) -> Runs:
    return runs.at_level(0) if runs.levels else runs


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
