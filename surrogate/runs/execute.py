"""Runs many tasks and gives out outcomes as they come, in worker processes or in this one."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator

from surrogate.runs.outcome import Outcome, Task, evaluate
from surrogate.runs.pool import CHUNK_SECONDS, WorkerPool
from surrogate.simulation import Simulator

__all__ = ["check_jobs", "execute"]

# Tasks that wait in a pool: enough for full chunks, few enough that a million points need no million tasks in memory.
MAX_WAITING = 20_000

# How often control returns to the caller when nothing has come in, so that it can stop.
HEARTBEAT_SECONDS = 0.5

# How long workers may finish what they have in hand when the caller stops: several chunks of cheap runs.
WIND_DOWN_SECONDS = 0.3


def check_jobs(n_jobs: int) -> int:
    """Number of workers: `n_jobs` itself, or counted back from the number of processors if negative."""
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int):
        raise TypeError(f"n_jobs must be a whole number, got {n_jobs!r}")
    return n_jobs if n_jobs >= 0 else max(1, (os.cpu_count() or 1) + 1 + n_jobs)


def execute(
    simulator: Simulator,
    tasks: Iterable[Task],
    *,
    n_jobs: int = 1,
    timeout: float | None = None,
    retries: int = 0,
    memory: int | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[list[Outcome]]:
    """Run tasks and yield lists of outcomes in order of completion, an empty one now and then while nothing comes in.

    When `stop` says so, what the workers end at once is yielded and the rest abandoned. Closing the iterator early,
    e.g. by an exception in the loop that uses it, kills the workers.
    """
    if n_jobs == 0:
        yield from _execute_here(simulator, tasks, retries)
        return
    waiting = iter(tasks)
    with WorkerPool(simulator, n_jobs, timeout=timeout, retries=retries, memory=memory) as pool:
        while not stop():
            pool.submit(itertools.islice(waiting, MAX_WAITING - pool.outstanding))
            if not pool.outstanding:
                return
            yield pool.collect(HEARTBEAT_SECONDS)
        yield pool.wind_down(WIND_DOWN_SECONDS)


def _execute_here(simulator: Simulator, tasks: Iterable[Task], retries: int) -> Iterator[list[Outcome]]:
    ended: list[Outcome] = []
    try:
        given = time.monotonic()
        for task in tasks:
            ended.append(_evaluate_here(simulator, task, retries))
            # Cheap runs are given out together, since a commit costs more than they do.
            if time.monotonic() - given >= CHUNK_SECONDS:
                yield ended
                ended, given = [], time.monotonic()
    except KeyboardInterrupt:
        yield ended
        raise
    if ended:
        yield ended


def _evaluate_here(simulator: Simulator, task: Task, retries: int) -> Outcome:
    outcome = evaluate(simulator, task)
    while outcome.status != "done" and task.attempt <= retries:
        task = task._replace(attempt=task.attempt + 1)
        outcome = evaluate(simulator, task)
    return outcome
