"""Runs tasks on an engine, whichever it is, and gives out outcomes as they come."""

from __future__ import annotations

import operator
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import numpy as np

from surrogate.errors import SurrogateError
from surrogate.runs.outcome import Outcome, Task, evaluate_all, split_calls
from surrogate.runs.pool import ChunkSize, Model, WorkerPool
from surrogate.simulation import Simulator, batch_of

__all__ = ["Engine", "TaskSource", "checked_count", "checked_jobs", "execute", "make_engine"]

# How often control returns to the caller when nothing has come in, so that it can stop.
HEARTBEAT_SECONDS = 0.5

# How long workers may finish what they have in hand when the caller stops: several chunks of cheap runs.
WIND_DOWN_SECONDS = 0.3


class Engine(Protocol):
    """What runs tasks: submitted ones come back as outcomes, in order of completion."""

    @property
    def outstanding(self) -> int:
        """Number of submitted tasks whose outcomes have not been collected."""

    @property
    def wanted(self) -> int:
        """How many more tasks it can use now."""

    def submit(self, tasks: Iterable[Task]) -> None:
        """Take tasks."""

    def collect(self, seconds: float | None = None) -> list[Outcome]:
        """Outcomes that have come in; waits so long for at least one."""

    def wind_down(self, seconds: float) -> list[Outcome]:
        """Begin nothing more, and give out what is finished within `seconds`."""

    def close(self) -> None:
        """Stop what is still running."""


class TaskSource(Protocol):
    """Where the tasks come from."""

    @property
    def is_exhausted(self) -> bool:
        """Whether there will be no more."""

    def take(self, n: int) -> list[Task]:
        """At most `n` tasks; none, if there are none at the moment."""


def make_engine(
    simulator: Simulator,
    *,
    n_jobs: int | None = None,
    timeout: float | None = None,
    retries: int = 0,
    memory: int | None = None,
    executor: Any = None,
) -> Engine:
    """The engine that :func:`surrogate.runs.run.run` was asked for by its arguments."""
    jobs = None if n_jobs is None else checked_jobs(n_jobs)
    memory = None if memory is None else checked_count("memory", memory, least=1)
    if executor is not None:
        from surrogate.runs.futures import FuturesEngine

        return FuturesEngine(
            executor, Model.of(simulator), n_jobs=jobs, timeout=timeout, retries=retries, memory=memory
        )
    if jobs == 0:
        if timeout is not None or memory is not None:
            raise ValueError("timeout and memory need a worker process to be enforced in: use n_jobs=1 or more")
        return InProcess(simulator, retries)
    workers = 1 if jobs is None else jobs
    return WorkerPool(Model.of(simulator), workers, timeout=timeout, retries=retries, memory=memory)


def execute(engine: Engine, source: TaskSource, stop: Callable[[], bool] = lambda: False) -> Iterator[list[Outcome]]:
    """Run all tasks of a source and yield lists of outcomes, an empty one now and then while nothing comes in.

    When `stop` says so, what the engine ends at once is yielded and the rest abandoned. Closing the iterator early,
    e.g. by an exception in the loop that uses it, closes the engine.
    """
    try:
        while not stop():
            try:
                engine.submit(source.take(engine.wanted))
                outcomes = engine.collect(HEARTBEAT_SECONDS)
            except SurrogateError:
                # The engine is broken; what it had finished is not.
                yield engine.wind_down(0.0)
                raise
            yield outcomes
            if not engine.outstanding:
                if source.is_exhausted:
                    return
                if not outcomes:
                    time.sleep(HEARTBEAT_SECONDS)
        yield engine.wind_down(WIND_DOWN_SECONDS)
    finally:
        engine.close()


class InProcess:
    """The engine without processes: a crash is a crash, a hang a hang. For debugging, and for cheap simulators."""

    def __init__(self, simulator: Simulator, retries: int) -> None:
        self._simulator = simulator
        self._retries = retries
        self._queue: deque[Task] = deque()
        # A commit costs more than a cheap run does: those are given out together.
        self._chunk = ChunkSize(batch_of(simulator))
        self._interrupted = False

    @property
    def outstanding(self) -> int:
        """See :class:`Engine`."""
        return len(self._queue) + self._interrupted

    @property
    def wanted(self) -> int:
        """See :class:`Engine`."""
        return max(0, self._chunk.value - len(self._queue))

    def submit(self, tasks: Iterable[Task]) -> None:
        """See :class:`Engine`."""
        self._queue.extend(tasks)

    def collect(self, seconds: float | None = None) -> list[Outcome]:
        """Run what has been submitted; after a Ctrl-C what was finished first, then the ``KeyboardInterrupt``."""
        if self._interrupted:
            raise KeyboardInterrupt
        ended: list[Outcome] = []
        try:
            calls = split_calls(self._simulator, list(self._queue))
            self._queue.clear()
            for call in calls:
                for task, outcome in zip(call, evaluate_all(self._simulator, call), strict=True):
                    self._chunk.learn(outcome.seconds)
                    if outcome.status != "done" and task.attempt <= self._retries:
                        self._queue.append(task._replace(attempt=task.attempt + 1))
                    else:
                        ended.append(outcome)
        except KeyboardInterrupt:
            self._interrupted = True
        return ended

    def wind_down(self, seconds: float) -> list[Outcome]:
        """See :class:`Engine`."""
        return []

    def close(self) -> None:
        """See :class:`Engine`."""
        self._queue.clear()


def checked_jobs(n_jobs: int) -> int:
    """Number of workers: `n_jobs` itself, or counted back from the number of processors if negative."""
    try:
        if isinstance(n_jobs, bool):
            raise TypeError
        jobs = operator.index(n_jobs)
    except TypeError:
        raise TypeError(f"n_jobs must be a whole number, got {n_jobs!r}") from None
    return jobs if jobs >= 0 else max(1, (os.cpu_count() or 1) + 1 + jobs)


def checked_count(name: str, value: Any, least: int) -> int:
    """A whole number that is not too small; also one that was written as a float, such as 2e9."""
    is_number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not is_number or not float(value).is_integer():
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must {'not be negative' if least == 0 else f'be at least {least}'}, got {value}")
    return int(value)
