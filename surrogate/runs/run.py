"""Run a simulator at the points of a design, durably and in parallel."""

from __future__ import annotations

import hashlib
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from surrogate.errors import SurrogateError
from surrogate.runs.execute import check_jobs, execute
from surrogate.runs.outcome import Outcome, Task
from surrogate.runs.progress import Progress
from surrogate.runs.records import Runs
from surrogate.runs.store import RunStore
from surrogate.simulation import Simulator, is_stochastic, load_simulator
from surrogate.space import Space

__all__ = ["RunAbortedError", "run"]


class RunAbortedError(SurrogateError):
    """A run failed and ``on_failure="abort"`` was asked for; the runs that ended before are stored."""


def run(
    simulator: Simulator | str,
    design: Any,
    *,
    store: RunStore | str | Path | None = None,
    n_jobs: int = 1,
    timeout: float | None = None,
    retries: int = 0,
    on_failure: Literal["record", "abort"] = "record",
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
    store : RunStore, str or Path, optional
        Where finished runs are committed as they come; a file name or database URL. Without one, in memory only.
    n_jobs : int
        Number of worker processes; negative counts back from the number of processors, -1 being all. 0 runs in this
        process, where a crash is a crash and a hang a hang: for debugging.
    timeout : float, optional
        Seconds a run may take; then it is killed with everything it started.
    retries : int
        How often a run that is not done is tried again.
    on_failure : {"record", "abort"}
        Whether to go on when a run is not done, or to stop with a :class:`RunAbortedError`.
    rerun_failures : bool
        Also run the stored points that are not done.
    memory : int, optional
        Bytes of address space for a worker.
    rng : int, optional
        Seed from which the runs' own seeds are made, for stochastic simulators. The store remembers it.
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
    >>> from surrogate.simulation import load_simulator
    >>> lake = load_simulator("lake")
    >>> run(lake, sobol(lake.space, 4, rng=1), n_jobs=0)
    <4 runs of 'lake' version 1: 4 done>
    """
    sim = load_simulator(simulator) if isinstance(simulator, str) else simulator
    if not isinstance(sim, Simulator):
        raise TypeError(f"simulator must be a Simulator or a reference to one, got {simulator!r:.80}")
    if on_failure not in ("record", "abort"):
        raise ValueError(f"on_failure must be 'record' or 'abort', got {on_failure!r}")
    if timeout is not None and not timeout > 0:
        raise ValueError(f"timeout must be a positive number of seconds, got {timeout!r}")
    if retries < 0:
        raise ValueError(f"retries must not be negative, got {retries}")
    n_jobs = check_jobs(n_jobs)
    if n_jobs == 0 and (timeout is not None or memory is not None):
        raise ValueError("timeout and memory need a worker process to be enforced in: use n_jobs=1 or more")
    points = sim.space.validate(design, "design")
    made = {str(key): value for key, value in points.attrs.items()}
    ids = run_ids(sim.space, points, replicates=is_stochastic(sim))

    with ExitStack() as stack:
        opened = (
            store
            if isinstance(store, RunStore)
            else stack.enter_context(RunStore(":memory:" if store is None else store))
        )
        opened.open_study(sim, made)
        entropy = opened.remember("entropy", lambda: _entropy(rng)) if is_stochastic(sim) else None
        plan = _Plan(points, ids, opened, rerun_failures, entropy)
        watch = stack.enter_context(_deferred_interrupt(active=n_jobs > 0))
        bar = Progress(len(plan), sim.name, progress)
        stack.callback(bar.close)
        for outcomes in execute(
            sim,
            plan.tasks(),
            n_jobs=n_jobs,
            timeout=timeout,
            retries=retries,
            memory=memory,
            stop=lambda: watch.interrupted,
        ):
            opened.add(plan.claim(outcomes))
            done = sum(1 for outcome in outcomes if outcome.status == "done")
            bar.add(done, len(outcomes) - done)
            if on_failure == "abort" and done < len(outcomes):
                bad = next(outcome for outcome in outcomes if outcome.status != "done")
                raise RunAbortedError(f"run {bad.id} is {bad.status}: {bad.error}")
        if watch.interrupted:
            raise KeyboardInterrupt
        runs = opened.runs(ids, points.index)
        # The store tells of the design that began it; these runs are of this one.
        return replace(runs, design=made) if made else runs


class _Plan:
    """Which rows of a design are still to be run, and the number of each in the store."""

    def __init__(
        self, points: pd.DataFrame, ids: list[str], store: RunStore, rerun_failures: bool, entropy: int | None
    ) -> None:
        ended = store.statuses()
        settled = {key for key, status in ended.items() if status == "done" or not rerun_failures}
        first = store.next_number()
        self._points = points
        self._ids = ids
        self._entropy = entropy
        self._rows: dict[str, int] = {}
        for row, key in enumerate(ids):
            if key not in settled:
                self._rows.setdefault(key, row)
        self._numbers = {key: first + position for position, key in enumerate(self._rows)}
        self._open: dict[str, Task] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def tasks(self) -> Iterator[Task]:
        names = list(self._points.columns)
        # Python numbers, as a simulator's author expects them: `n` as a range's end, a bool that is True.
        columns = [self._points[name].to_numpy() for name in names]
        for key, row in self._rows.items():
            inputs = {n: _python_value(column[row]) for n, column in zip(names, columns, strict=True)}
            seed = None if self._entropy is None else _derived_seed(self._entropy, key)
            task = Task(key, inputs, seed)
            self._open[key] = task
            yield task

    def claim(self, outcomes: list[Outcome]) -> list[tuple[int, Task, Outcome]]:
        return [(self._numbers[o.id], self._open.pop(o.id), o) for o in outcomes]


def _python_value(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def run_ids(space: Space, points: pd.DataFrame, replicates: bool = False) -> list[str]:
    """A key for every row that depends on its values only, so that a run is recognised wherever it comes from.

    With `replicates` the k-th of several equal rows gets a key of its own.
    """
    numeric = [name for name, p in space.items() if p.dtype is not object]
    others = [name for name in space if name not in numeric]
    # Adding 0.0 makes one zero of the two that IEEE has.
    matrix = points[numeric].to_numpy(dtype="<f8") + 0.0 if numeric else np.empty((len(points), 0))
    texts = ["\x00".join(map(repr, row)) for row in points[others].to_numpy(dtype=object)] if others else None
    seen: dict[bytes, int] = {}
    out = []
    for row, numbers in enumerate(np.ascontiguousarray(matrix)):
        content = numbers.tobytes() + (texts[row].encode() if texts else b"")
        if replicates:
            count = seen.get(content, 0)
            seen[content] = count + 1
            content += f"#{count}".encode() if count else b""
        out.append(hashlib.blake2b(content, digest_size=12).hexdigest())
    return out


def _entropy(rng: int | None) -> int:
    return int(np.random.SeedSequence(rng).generate_state(1, np.uint64)[0])


def _derived_seed(entropy: int, key: str) -> int:
    """A run's own seed: the same for the same study seed and run, whatever the order and number of workers."""
    digest = hashlib.blake2b(f"{entropy}/{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


class _Watch:
    interrupted = False


@contextmanager
def _deferred_interrupt(active: bool) -> Iterator[_Watch]:
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
