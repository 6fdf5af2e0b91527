"""Runs tasks through somebody else's engine: any ``concurrent.futures`` executor, or a backend of joblib."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import itertools
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from typing import Any

import joblib

from surrogate.errors import SurrogateError
from surrogate.runs.outcome import Outcome, Task
from surrogate.runs.pool import ChunkSize, Model
from surrogate.runs.remote import run_chunk

__all__ = ["FuturesEngine", "JoblibExecutor"]

# Chunks that an executor may hold. Nobody says how many workers a cluster has, so it is given plenty; what it holds
# can still be cancelled.
MAX_CHUNKS_OUT = 1000

# How often the executor may lose a run before the run is taken to be the cause.
MAX_LOSSES = 3

# Futures that are no ``concurrent.futures.Future`` (submitit's jobs) can only be asked again and again.
POLL_SECONDS = 0.1


class FuturesEngine:
    """Runs tasks through an executor; see :class:`surrogate.runs.execute.Engine`.

    Parameters
    ----------
    executor : Executor, callable or str
        Anything with ``submit(function, *arguments)``; a function that makes one, so that a broken one can be replaced;
        or the name of a joblib backend (``"joblib"`` for the one in force).
    model : Model
    n_jobs : int, optional
        At most so many chunks of tasks are out at a time; for joblib the number of its workers.
    timeout, retries, memory
        As for :class:`surrogate.runs.pool.WorkerPool`.
    """

    def __init__(
        self,
        executor: Any,
        model: Model,
        *,
        n_jobs: int | None = None,
        timeout: float | None = None,
        retries: int = 0,
        memory: int | None = None,
    ) -> None:
        self._make, self._executor = _executor_of(executor, n_jobs)
        self._model = model
        self._options = {"timeout": timeout, "retries": retries, "memory": memory}
        self._workers = n_jobs or os.cpu_count() or 1
        self._most = 2 * n_jobs if n_jobs else MAX_CHUNKS_OUT
        self._has_answered = False
        self._queue: deque[Task] = deque()
        # Tasks that an executor took with it when it broke: sent one at a time, so that the guilty one shows.
        self._suspects: deque[Task] = deque()
        self._out: dict[Any, list[Task]] = {}
        self._losses: Counter[str] = Counter()
        self._finished: list[Outcome] = []
        self._chunk = ChunkSize(model.batch)

    @property
    def outstanding(self) -> int:
        """Number of submitted tasks whose outcomes have not been collected."""
        waiting = len(self._queue) + len(self._suspects) + sum(map(len, self._out.values()))
        return waiting + len(self._finished)

    @property
    def wanted(self) -> int:
        """How many more tasks the executor can hold."""
        return max(0, (self._most - len(self._out)) * self._chunk.value - len(self._queue))

    def submit(self, tasks: Iterable[Task]) -> None:
        """Add tasks and send what the executor can hold."""
        self._queue.extend(tasks)
        self._send()

    def collect(self, seconds: float | None = None) -> list[Outcome]:
        """Outcomes that have come in; waits so long for at least one.

        Raises
        ------
        SurrogateError
            If the executor is broken and there is no way to make another.
        """
        until = None if seconds is None else time.monotonic() + seconds
        while self.outstanding and not self._finished:
            self._send()
            left = None if until is None else max(0.0, until - time.monotonic())
            for future in _first_done(list(self._out), left):
                if future in self._out:
                    self._receive(future)
            if until is not None and time.monotonic() >= until:
                break
        finished, self._finished = self._finished, []
        return finished

    def wind_down(self, seconds: float) -> list[Outcome]:
        """Cancel what has not begun, and give out what is finished within `seconds`."""
        self._cancel()
        finished, self._finished = self._finished, []
        until = time.monotonic() + seconds
        while done := _first_done(list(self._out), max(0.0, until - time.monotonic())):
            for future in done:
                with contextlib.suppress(Exception, CancelledError):
                    finished += future.result()
                del self._out[future]
        return finished

    def close(self) -> None:
        """Cancel what has not begun. What is running ends by itself: the executor belongs to the caller."""
        self._cancel()
        self._out.clear()
        if self._make is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)

    def _cancel(self) -> None:
        self._queue.clear()
        self._suspects.clear()
        for future in list(self._out):
            if future.cancel():
                del self._out[future]

    def _send(self) -> None:
        while (self._queue or self._suspects) and len(self._out) < self._most:
            if self._suspects:
                if self._out:
                    return
                tasks = [self._suspects.popleft()]
            else:
                size = self._chunk.share(len(self._queue), self._workers)
                tasks = [self._queue.popleft() for _ in range(size)]
            try:
                self._out[self._executor.submit(run_chunk, self._model, tasks, self._options)] = tasks
            except (RuntimeError, BrokenExecutor) as error:
                self._queue.extendleft(reversed(tasks))
                self._replace_executor(error)

    def _receive(self, future: Any) -> None:
        tasks = self._out.pop(future)
        try:
            outcomes: list[Outcome] = future.result()
        except SurrogateError:
            raise
        except (BrokenExecutor, CancelledError) as error:
            # All that were out are lost together: only one that was out alone can be to blame.
            alone = len(tasks) == 1 and not self._out
            self._suspects.extend(tasks)
            if alone:
                self._count_loss(tasks[0], error)
            self._replace_executor(error)
        except Exception as error:
            # The executor gave up on these tasks, e.g. since its workers died of them.
            self._suspects.extend(tasks)
            if len(tasks) == 1:
                self._count_loss(tasks[0], error)
        else:
            self._has_answered = True
            for outcome in outcomes:
                self._chunk.learn(outcome.seconds)
            self._finished += outcomes

    def _count_loss(self, task: Task, error: BaseException) -> None:
        self._losses[task.id] += 1
        if self._losses[task.id] >= MAX_LOSSES:
            if not self._has_answered:
                raise SurrogateError(
                    f"the executor has not answered a single run ({type(error).__name__}: {error}); is surrogate-learn "
                    "installed where its workers are?"
                ) from error
            self._suspects.remove(task)
            told = f"the executor lost this run {MAX_LOSSES} times ({type(error).__name__}: {error})"
            self._finished.append(Outcome(task.id, "crashed", None, told, time.time(), 0.0, task.attempt))

    def _replace_executor(self, error: BaseException) -> None:
        if isinstance(error, CancelledError):
            return
        if self._make is None:
            raise SurrogateError(
                f"the executor takes no more runs ({type(error).__name__}: {error}). Everything that had come in is "
                "stored: call run again with a new executor, or give it a function that makes one "
                "(executor=lambda: ProcessPoolExecutor(4)), which is then called again"
            ) from error
        out, self._out = self._out, {}
        for future, tasks in out.items():
            try:
                if not future.done():
                    future.cancel()
                    raise error
                self._finished += future.result()
            except (Exception, CancelledError):
                self._suspects.extend(tasks)
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._executor = self._make()


class JoblibExecutor(Executor):
    """A backend of joblib as an executor.

    Parameters
    ----------
    backend : str or ParallelBackendBase
        What ``joblib.Parallel`` takes.
    n_jobs : int
        Number of workers, -1 for one a processor.
    """

    def __init__(self, backend: Any, n_jobs: int = -1) -> None:
        self._backend = backend
        self._n_jobs = n_jobs
        self._gives_back_at_once = True
        self._lock = threading.Lock()
        self._waiting: deque[tuple[int, Callable[..., Any], tuple[Any, ...]]] = deque()
        self._futures: dict[int, Future[Any]] = {}
        self._count = 0
        self._serving = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Schedule a call; see :class:`concurrent.futures.Executor`."""
        if kwargs:
            raise TypeError("JoblibExecutor takes positional arguments only")
        with self._lock:
            key, future = self._count, Future[Any]()
            self._count += 1
            self._futures[key] = future
            self._waiting.append((key, fn, args))
            if not self._serving:
                self._serving = True
                threading.Thread(target=self._serve, daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Forget what is waiting; the workers belong to joblib."""
        with self._lock:
            self._waiting.clear()

    def _serve(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._serving = False
                    return
            out: set[int] = set()
            try:
                for key, value, error in self._answers(out):
                    out.discard(key)
                    future = self._futures.pop(key)
                    if error is None:
                        future.set_result(value)
                    else:
                        future.set_exception(error)
            except BaseException as error:
                with self._lock:
                    # Of a backend that does not even start nothing is out, and what waits would wait for ever.
                    lost = out or {key for key, *_ in self._waiting}
                    self._waiting = deque(call for call in self._waiting if call[0] not in lost)
                for key in lost:
                    future = self._futures.pop(key)
                    if not future.cancelled():
                        future.set_exception(BrokenExecutor(f"{type(error).__name__}: {error}"))

    def _answers(self, out: set[int]) -> Iterator[tuple[int, Any, BaseException | None]]:
        """What the backend gives back, as it comes; of backends that cannot do that, all of a round together."""
        # Arrays must not be turned into read-only maps of files that are deleted.
        options = {"n_jobs": self._n_jobs, "backend": self._backend, "batch_size": 1, "max_nbytes": None}
        if self._gives_back_at_once:
            try:
                parallel = joblib.Parallel(return_as="generator_unordered", **options)
            except ValueError:
                self._gives_back_at_once = False
        if self._gives_back_at_once:
            yield from parallel(self._calls(out))
        else:
            parallel = joblib.Parallel(**options)
            yield from parallel(itertools.islice(self._calls(out), parallel._effective_n_jobs()))

    def _calls(self, out: set[int]) -> Iterator[Any]:
        """What is waiting, until nothing is; joblib asks for the next when a worker is free."""
        while True:
            with self._lock:
                if not self._waiting:
                    return
                key, function, arguments = self._waiting.popleft()
                if not self._futures[key].set_running_or_notify_cancel():
                    del self._futures[key]
                    continue
            out.add(key)
            yield joblib.delayed(_answer)(key, function, arguments)


def _answer(
    key: int, function: Callable[..., Any], arguments: tuple[Any, ...]
) -> tuple[int, Any, BaseException | None]:
    try:
        return key, function(*arguments), None
    except BaseException as error:
        return key, None, error


def _executor_of(executor: Any, n_jobs: int | None) -> tuple[Callable[[], Any] | None, Any]:
    """How to make the executor again, if that is known, and the executor."""
    if isinstance(executor, str):
        # The configuration in force is a thread's own: it is read here, in the caller's.
        in_force, jobs = joblib.parallel.get_active_backend()
        backend, workers = (in_force, n_jobs or jobs) if executor == "joblib" else (executor, n_jobs or -1)
        make = functools.partial(JoblibExecutor, backend, workers)
        return make, make()
    if callable(getattr(executor, "submit", None)):
        return None, executor
    if callable(executor):
        made = executor()
        if callable(getattr(made, "submit", None)):
            return executor, made
    raise TypeError(
        "executor must be an executor (with a method submit), a function that makes one, or the name of a joblib "
        f"backend; got {executor!r:.80}"
    )


def _first_done(futures: list[Any], seconds: float | None) -> list[Any]:
    """Those that are done, once there is one; none if time is up."""
    if not futures:
        return []
    if all(isinstance(future, Future) for future in futures):
        return list(
            concurrent.futures.wait(futures, timeout=seconds, return_when=concurrent.futures.FIRST_COMPLETED).done
        )
    until = None if seconds is None else time.monotonic() + seconds
    while True:
        done = [future for future in futures if future.done()]
        left = POLL_SECONDS if until is None else min(POLL_SECONDS, until - time.monotonic())
        if done or left <= 0:
            return done
        time.sleep(left)
