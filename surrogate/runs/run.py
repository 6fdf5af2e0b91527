"""Run a simulator at the points of a design, durably and in parallel."""

from __future__ import annotations

import signal
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.errors import InvalidInputError, SurrogateError
from surrogate.loading import load_simulator
from surrogate.runs.execute import InProcess, checked_count, execute, make_engine
from surrogate.runs.identity import check_simulator
from surrogate.runs.ids import run_ids
from surrogate.runs.plan import Plan
from surrogate.runs.progress import Progress
from surrogate.runs.records import Runs
from surrogate.runs.store import RunStore
from surrogate.simulation import Simulator, is_stochastic, levels_of

__all__ = ["RunAbortedError", "deferred_interrupt", "entropy_of", "run", "stored_runs"]


class RunAbortedError(SurrogateError):
    """A run failed and ``on_failure="abort"`` was asked for; the runs that ended before are stored."""


def run(
    simulator: Simulator | str,
    design: Any,
    *,
    store: RunStore | str | Path | None = None,
    n_jobs: int | None = None,
    timeout: float | None = None,
    retries: int = 0,
    on_failure: Literal["record", "abort"] = "record",
    executor: Any = None,
    level: int | None = None,
    replicates: int = 1,
    rerun_failures: bool = False,
    memory: int | None = None,
    rng: int | None = None,
    progress: bool | None = None,
) -> Runs:
    """Run a simulator at every point of a design that is not in the store yet.

    Parameters
    ----------
    simulator : Simulator or str
        Or what :func:`load_simulator` takes.
    design : DataFrame of shape (n, d), sequence of mappings, or array of shape (n, d)
        The points. Rows that are alike are one run, or, of a stochastic simulator, replicates with seeds of their own.
        A column ``level`` gives each row's level if the simulator has levels.
    store : RunStore, str or Path, optional
        Where finished runs are committed as they come; a file name or database URL. Without one, in memory only.
    n_jobs : int, optional
        Number of worker processes, by default 1; negative counts back from the number of processors, -1 being all. 0
        runs in this process, where a crash is a crash and a hang a hang: for debugging. With an executor the number of
        runs (or chunks of cheap ones) in its workers at a time.
    timeout : float, optional
        Seconds a run may take (of a batch simulator, a call); then it is killed with everything it started.
    retries : int
        How often a run that is not done is tried again.
    on_failure : {"record", "abort"}
        Whether to go on when a run is not done, or to stop with a :class:`RunAbortedError`.
    executor : Executor, callable or str, optional
        Run elsewhere: anything with the ``submit`` of :class:`concurrent.futures.Executor` (Dask's
        ``client.get_executor()``, ``mpi4py.futures``, submitit), a function that makes one (called again if it breaks),
        or the name of a joblib backend (``"joblib"``: the one in force). Each run still happens in a supervised process
        of its own beside the executor's worker, so that time, memory, crashes and retries are handled as on this
        machine. What the executor's workers have in hand when this call is interrupted ends by itself.
    level : int, optional
        Level of all runs, for a simulator that has levels; 0, the truest, by default.
    replicates : int
        How often each row is run, for stochastic simulators; each replicate has a seed of its own and keeps the row's
        index.
    rerun_failures : bool
        Also run the stored points that are not done.
    memory : int, optional
        Bytes of address space for a worker.
    rng : int, optional
        Seed from which the runs' own seeds are made, for stochastic simulators. The store remembers it,
        and warns of another one.
    progress : bool, optional
        Whether to show progress; by default if the standard error is a terminal.

    Returns
    -------
    Runs
        One row for each of the design's points that has ended, with the design's index.

    Raises
    ------
    InvalidInputError
        If the design does not belong to the simulator's space; nothing has been run then.
    StoreMismatchError
        If the store belongs to another simulator or version.
    KeyboardInterrupt
        After Ctrl-C, once everything finished has been stored; call again to go on.

    Examples
    --------
    >>> from surrogate.designs import sobol
    >>> from surrogate.loading import load_simulator
    >>> lake = load_simulator("lake")
    >>> run(lake, sobol(lake.space, 4, rng=1), n_jobs=0)
    <4 runs of 'lake' version 1: 4 done>
    """
    sim = load_simulator(simulator) if isinstance(simulator, str) else simulator
    check_simulator(sim)
    if on_failure not in ("record", "abort"):
        raise ValueError(f"on_failure must be 'record' or 'abort', got {on_failure!r}")
    if timeout is not None and not timeout > 0:
        raise ValueError(f"timeout must be a positive number of seconds, got {timeout!r}")
    retries = checked_count("retries", retries, least=0)
    replicates = checked_count("replicates", replicates, least=1)
    if replicates > 1 and not is_stochastic(sim):
        raise ValueError(
            f"replicates={replicates}, but simulator {sim.name!r} takes no seed: every replicate would be the same"
        )
    points, levels = _points_and_levels(sim, design, level)
    made = _how_made(points)
    if replicates > 1:
        # By position: labels may occur twice.
        points = points.iloc[np.repeat(np.arange(len(points)), replicates)]
        levels = np.repeat(levels, replicates)
    ids = run_ids(sim.space, points, levels, replicates=is_stochastic(sim))
    engine = make_engine(sim, n_jobs=n_jobs, timeout=timeout, retries=retries, memory=memory, executor=executor)

    with ExitStack() as stack:
        stack.callback(engine.close)
        opened = (
            store
            if isinstance(store, RunStore)
            else stack.enter_context(RunStore(":memory:" if store is None else store))
        )
        opened.open_study(sim, made)
        stack.callback(opened.release_claims)
        entropy = opened.remember("entropy", lambda: entropy_of(rng)) if is_stochastic(sim) else None
        if entropy is not None and rng is not None and entropy != entropy_of(rng):
            warnings.warn(
                f"run store {opened.target} was begun with another seed than rng={rng}: its runs stay as they are, and "
                "new ones get their seeds from the one that it began with; for other seeds name another store",
                UserWarning,
                stacklevel=2,
            )
        plan = Plan(points, levels, ids, opened, rerun_failures, entropy)
        # In this process a Ctrl-C must reach the simulator itself.
        watch = stack.enter_context(deferred_interrupt(active=not isinstance(engine, InProcess)))
        bar = Progress(len(plan), sim.name, progress)
        stack.callback(bar.close)
        for outcomes in execute(engine, plan, stop=lambda: watch.interrupted):
            opened.add(plan.match(outcomes))
            done = sum(1 for outcome in outcomes if outcome.status == "done")
            bar.add(done, len(outcomes) - done)
            if on_failure == "abort" and done < len(outcomes):
                bad = next(outcome for outcome in outcomes if outcome.status != "done")
                raise RunAbortedError(f"run {bad.id} is {bad.status}: {bad.error}")
        if watch.interrupted:
            raise KeyboardInterrupt
        return _of_design(opened, ids, points.index, made)


def stored_runs(simulator: Simulator, design: Any, store: RunStore) -> Runs:
    """What :func:`run` with this design would return if it ran nothing: those of its points that have ended.

    Raises
    ------
    InvalidInputError
        If the design does not belong to the simulator's space.
    StoreMismatchError
        If the store belongs to another simulator or version.
    StoreError
        If the store is empty.
    """
    store.check_study(simulator)
    points, levels = _points_and_levels(simulator, design, None)
    ids = run_ids(simulator.space, points, levels, replicates=is_stochastic(simulator))
    return _of_design(store, ids, points.index, _how_made(points))


def _how_made(points: pd.DataFrame) -> dict[str, Any]:
    return {str(key): value for key, value in points.attrs.items()}


def _of_design(store: RunStore, ids: Sequence[str], index: pd.Index, made: dict[str, Any]) -> Runs:
    runs = store.runs(ids, index)
    # The store tells of the design that began it; these runs are of this one.
    return replace(runs, design=made) if made else runs


def _points_and_levels(sim: Simulator, design: Any, level: int | None) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """The design's points, and the level of each from the argument, the design's column ``level``, or 0."""
    known = levels_of(sim)
    if level is not None and not known:
        raise ValueError(f"level={level}, but simulator {sim.name!r} has no levels")
    if not known:
        points = sim.space.validate(design, "design")
        return points, np.zeros(len(points), dtype=np.int64)
    rest, column = _level_apart(design)
    points = sim.space.validate(rest, "design")
    if column.ndim and len(column) != len(points):
        raise InvalidInputError(f"design: there are {len(points)} points, but 'level' has {len(column)} values")
    chosen = np.broadcast_to(column, len(points))
    if level is not None:
        chosen = np.full(len(points), level)
    unknown = [value for value in pd.unique(chosen) if value not in known]
    if unknown:
        raise ValueError(f"level {unknown[0]} of the design is none of simulator {sim.name!r}: {list(known)}")
    return points, chosen.astype(np.int64)


def _level_apart(design: Any) -> tuple[Any, NDArray[Any]]:
    """The design without its levels, and these; 0, the truest, if it names none."""
    table = design.to_frame().T if isinstance(design, pd.Series) else design
    if isinstance(table, (pd.DataFrame, Mapping)) and "level" in table:
        level = np.asarray(table["level"])
        if isinstance(table, pd.DataFrame):
            return table.drop(columns="level"), level
        return {name: values for name, values in table.items() if name != "level"}, level
    are_mappings = isinstance(table, Sequence) and all(isinstance(row, Mapping) for row in table)
    if are_mappings and any("level" in row for row in table):
        rows = [{name: value for name, value in row.items() if name != "level"} for row in table]
        return rows, np.array([row.get("level", np.nan) for row in table])
    return design, np.array(0)


def entropy_of(rng: int | None) -> int:
    return int(np.random.SeedSequence(rng).generate_state(1, np.uint64)[0])


class _Watch:
    interrupted = False


@contextmanager
def deferred_interrupt(active: bool) -> Iterator[_Watch]:
    """Turn the first Ctrl-C (or SIGTERM) into a flag, so that it never falls into a commit; a second is immediate."""
    watch = _Watch()
    if not active or threading.current_thread() is not threading.main_thread():
        yield watch
        return
    previous: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def remember(number: int, frame: Any) -> None:
        watch.interrupted = True
        signal.signal(number, previous[number])

    for number, handler in previous.items():
        # A program that ignores a signal, or handles it itself, keeps its way.
        if handler in (signal.default_int_handler, signal.SIG_DFL):
            signal.signal(number, remember)
    try:
        yield watch
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
