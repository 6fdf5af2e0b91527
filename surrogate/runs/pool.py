"""Supervised worker processes: deadlines, crashes and retries are handled here, one level above any simulator."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from types import TracebackType
from typing import Any

import cloudpickle

from surrogate.errors import SurrogateError
from surrogate.runs import guardian
from surrogate.runs.outcome import PRINTED_LAST, Outcome, Task
from surrogate.runs.worker import BOARD_BYTES, IDLE, SENDING
from surrogate.simulation import Simulator, batch_of

__all__ = ["ChunkSize", "Model", "WorkerPool"]

# Seconds of work in one message to a worker: long enough that messages cost little, short enough that workers finish
# together and that progress and commits come often.
CHUNK_SECONDS = 0.05

# Longest sleep between two looks at deadlines and dead workers.
TICK_SECONDS = 0.1

# A worker that dies this often in a row before it has sent anything will not do better the next time.
MAX_IDLE_DEATHS = 3

_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from surrogate.runs.worker import main; main(*map(int, sys.argv[2:]))"
)
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True)
class Model:
    """A simulator as it travels: pickled once, whatever the engine."""

    payload: bytes
    batch: int

    @classmethod
    def of(cls, simulator: Simulator) -> Model:
        """Pickle a simulator.

        Raises
        ------
        SurrogateError
            If it cannot be pickled.
        """
        try:
            return cls(cloudpickle.dumps(simulator), batch_of(simulator))
        except Exception as error:
            raise SurrogateError(
                f"simulator {simulator.name!r} cannot be sent to a worker process ({type(error).__name__}: {error}); "
                "define what it needs at the top level of a module, or run it in this process with n_jobs=0"
            ) from error


class ChunkSize:
    """How many tasks to give out together, learnt from what runs take."""

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._seconds_a_run: float | None = None

    def learn(self, seconds: float) -> None:
        """Take in the duration of a run."""
        known = self._seconds_a_run
        self._seconds_a_run = seconds if known is None else 0.9 * known + 0.1 * seconds

    @property
    def value(self) -> int:
        """One at a time until it is known what a run costs; for a batch simulator what a call takes."""
        if self._batch:
            return self._batch
        if self._seconds_a_run is None:
            return 1
        return max(1, int(CHUNK_SECONDS / max(self._seconds_a_run, 1e-7)))

    def share(self, waiting: int, workers: int) -> int:
        """How many of the waiting tasks to give to one of the workers, so that they all end together."""
        return min(self.value, -(-waiting // (2 * workers)))


class WorkerPool:
    """Worker processes that run tasks of one simulator.

    A run that raises, hangs past `timeout`, kills its process or answers nonsense costs only itself; its worker is
    replaced. Tasks go in with :meth:`submit`, outcomes come out of :meth:`collect` in order of completion.

    Parameters
    ----------
    model : Model
        Sent to each worker once.
    n_jobs : int
        Number of workers, at least 1.
    timeout : float, optional
        Seconds of wall time a run may take; for a batch simulator, a call.
    retries : int
        How often a run that is not done is tried again before its outcome is given out.
    memory : int, optional
        Bytes of address space a worker may use; a run that wants more gets a ``MemoryError``.

    Notes
    -----
    Kept libraries do not give this: loky, and joblib on it, end the whole pool when one worker dies; pebble replaces
    the worker, but what the worker had started lives on.
    """

    def __init__(
        self,
        model: Model,
        n_jobs: int = 1,
        *,
        timeout: float | None = None,
        retries: int = 0,
        memory: int | None = None,
    ) -> None:
        self._payload = model.payload
        self.n_jobs = n_jobs
        self.timeout = timeout
        self.retries = retries
        self.memory = memory
        self._queue: deque[Task] = deque()
        # Tasks of which one killed a worker, it is not known which: they are run one at a time.
        self._suspects: deque[Task] = deque()
        self._workers: list[_Worker] = []
        self._finished: list[Outcome] = []
        self._chunk = ChunkSize(model.batch)
        self._idle_deaths = 0
        self._guardian = subprocess.Popen(
            [sys.executable, "-I", "-S", guardian.__file__],
            stdin=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )

    @property
    def outstanding(self) -> int:
        """Number of submitted tasks whose outcomes have not been collected."""
        given = sum(len(w.tasks) - w.received for w in self._workers)
        return len(self._queue) + len(self._suspects) + given + len(self._finished)

    @property
    def wanted(self) -> int:
        """How many more tasks keep the workers busy until they are next looked at.

        No more, since what waits here another coordinator of the study cannot take.
        """
        return max(0, 4 * self.n_jobs * self._chunk.value - len(self._queue))

    def submit(self, tasks: Iterable[Task]) -> None:
        """Add tasks to the queue and set idle workers to work."""
        self._queue.extend(tasks)
        self._feed()

    def collect(self, seconds: float | None = None) -> list[Outcome]:
        """Outcomes that have come in since the last call; waits for at least one.

        Parameters
        ----------
        seconds : float, optional
            Return an empty list if nothing has come in by then; 0 only looks.

        Raises
        ------
        SurrogateError
            If the simulator cannot be loaded in a worker.
        """
        until = None if seconds is None else time.monotonic() + seconds
        while self.outstanding:
            self._feed()
            left = TICK_SECONDS if until is None else max(0.0, min(TICK_SECONDS, until - time.monotonic()))
            if self._finished:
                left = 0.0
            ready = wait([w.connection for w in self._workers], min(left, self._until_deadline()))
            for worker in [w for w in self._workers if w.connection in ready]:
                self._receive(worker)
            for worker in list(self._workers):
                self._supervise(worker)
            # The workers go on while the caller stores what has come.
            self._feed()
            if self._finished or (until is not None and time.monotonic() >= until):
                break
        finished, self._finished = self._finished, []
        return finished

    def wind_down(self, seconds: float) -> list[Outcome]:
        """Begin nothing more from the queue, and give out what the workers finish within `seconds`.

        A chunk of cheap runs is over by then, so that none of them ended in vain; a long run is not waited for.
        """
        finished, self._finished = self._finished, []
        until = time.monotonic() + seconds
        while True:
            self._queue.clear()
            self._suspects.clear()
            if not self.outstanding or time.monotonic() >= until:
                return finished
            finished += self.collect(until - time.monotonic())

    def close(self) -> None:
        """Kill the workers and everything they started."""
        for worker in list(self._workers):
            self._bury(worker)
        self._queue.clear()
        if self._guardian.stdin and not self._guardian.stdin.closed:
            self._guardian.stdin.close()
        self._guardian.wait()

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _feed(self) -> None:
        busy = sum(1 for w in self._workers if w.tasks)
        waiting = len(self._queue) + len(self._suspects)
        while waiting and len(self._workers) < min(self.n_jobs, waiting + busy):
            self._workers.append(self._start())
        for worker in self._workers:
            if worker.tasks or worker.dead:
                continue
            if self._suspects:
                worker.give([self._suspects.popleft()])
            elif self._queue:
                size = self._chunk.share(len(self._queue), self.n_jobs)
                worker.give([self._queue.popleft() for _ in range(size)])

    def _start(self) -> _Worker:
        worker = _Worker(self._payload, self.memory)
        self._tell_guardian("+", worker.pid)
        return worker

    def _tell_guardian(self, sign: str, pid: int) -> None:
        try:
            self._guardian.stdin.write(f"{sign}{pid}\n".encode())  # type: ignore[union-attr]
        except (BrokenPipeError, ValueError):
            # Somebody killed the guardian; workers still go when their pipe closes.
            return

    def _until_deadline(self) -> float:
        if self.timeout is None:
            return TICK_SECONDS
        begun = [w.running_since for w in self._workers]
        deadlines = [since + self.timeout for since in begun if since is not None]
        return max(0.0, min(deadlines, default=float("inf")) - time.monotonic())

    def _receive(self, worker: _Worker) -> None:
        try:
            while worker.connection.poll():
                kind, content = pickle.loads(worker.connection.recv_bytes())
                if kind == "broken":
                    raise SurrogateError(
                        f"the simulator cannot be loaded in a worker process:\n{content}\n"
                        "Define what it needs at the top level of a module, or run it in this process with n_jobs=0."
                    )
                if kind == "outcomes":
                    self._idle_deaths = 0
                    for outcome in content:
                        task = worker.tasks[worker.received]
                        if outcome.id != task.id:
                            raise SurrogateError(f"a worker answered run {outcome.id} where {task.id} was asked")
                        self._settle(task, outcome)
                        worker.received += 1
                    if worker.received == len(worker.tasks):
                        worker.tasks, worker.received = [], 0
        except (EOFError, OSError, pickle.UnpicklingError):
            worker.dead = True

    def _settle(self, task: Task, outcome: Outcome) -> None:
        if outcome.status in ("done", "failed", "invalid"):
            self._chunk.learn(outcome.seconds)
        if outcome.status != "done" and task.attempt <= self.retries:
            self._queue.append(task._replace(attempt=task.attempt + 1))
        else:
            self._finished.append(outcome)

    def _supervise(self, worker: _Worker) -> None:
        """Settle what a worker was doing if it died or its run passed the deadline."""
        since = worker.running_since
        if self.timeout is not None and since is not None and time.monotonic() > since + self.timeout:
            # Frozen, the worker can neither finish this run nor begin the next between the look and the kill. While a
            # run is on the board no message is under way, so that reading cannot block.
            worker.freeze()
            since = worker.running_since
            if since is not None and time.monotonic() > since + self.timeout:
                self._receive(worker)
                error = f"no answer within the timeout of {self.timeout:g} s"
                self._settle_dead(worker, "timeout", error, time.monotonic() - since)
            else:
                worker.thaw()
        elif worker.dead or worker.process.poll() is not None:
            worker.let_die()
            self._receive(worker)  # what it sent before it died counts
            if not worker.has_begun:
                self._idle_deaths += 1
                if self._idle_deaths >= MAX_IDLE_DEATHS:
                    raise SurrogateError(
                        f"worker processes die before they can run anything ({worker.obituary()}); "
                        "try n_jobs=0 to see why"
                    )
            self._settle_dead(worker, "crashed", "", 0.0 if since is None else time.monotonic() - since)

    def _settle_dead(self, worker: _Worker, status: Any, error: str, seconds: float) -> None:
        """Bury a worker: the run it died of gets `status`, what it had not begun or not delivered goes back in line."""
        culprits, rest = worker.blame()
        self._bury(worker)
        self._queue.extendleft(reversed(rest))
        if len(culprits) > 1:
            self._suspects.extend(culprits)
        elif culprits:
            task, told = culprits[0], error or worker.obituary()
            self._settle(task, Outcome(task.id, status, None, told, time.time() - seconds, seconds, task.attempt))

    def _bury(self, worker: _Worker) -> None:
        worker.kill()
        self._tell_guardian("-", worker.pid)
        if worker in self._workers:
            self._workers.remove(worker)


class _Worker:
    """The parent's view of one worker process."""

    def __init__(self, payload: bytes, memory: int | None) -> None:
        self.tasks: list[Task] = []
        self.received = 0
        self.dead = False
        ours, theirs = Pipe()
        self.connection: Connection = ours
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115 - closed in kill
        with tempfile.TemporaryFile() as board_file:
            board_file.truncate(BOARD_BYTES)
            self._board_map = mmap.mmap(board_file.fileno(), BOARD_BYTES)
            self._board = memoryview(self._board_map).cast("d")
            self._board[0] = IDLE
            handles = (theirs.fileno(), board_file.fileno())
            self.process = subprocess.Popen(
                [sys.executable, "-c", _BOOT, json.dumps(_search_path()), *map(str, (*handles, memory or 0))],
                stdin=subprocess.DEVNULL,
                stdout=self._printed,
                stderr=self._printed,
                pass_fds=handles,
                start_new_session=True,
                # One run is one core's work: threads of linear algebra that wait for a core that another worker holds
                # make small problems ten to a hundred times slower. Whoever sets the variable means it.
                env=dict.fromkeys(_THREAD_VARIABLES, "1") | dict(os.environ),
            )
        theirs.close()
        self.pid = self.process.pid
        try:
            self.connection.send_bytes(payload)
        except OSError:
            self.dead = True

    @property
    def position(self) -> int | None:
        """Position in the chunk of the task that is running, None between tasks."""
        position = int(self._board[0])
        return position if position >= 0 and self.tasks else None

    @property
    def running_since(self) -> float | None:
        """When the running task began, on the monotonic clock."""
        return float(self._board[1]) if self.position is not None else None

    @property
    def has_begun(self) -> bool:
        """Whether the worker died of something that it was given."""
        return bool(self.blame()[0])

    def blame(self) -> tuple[list[Task], list[Task]]:
        """The tasks of which one is to blame if the worker is dead, and the others that it has not delivered."""
        if self.position is not None:
            # Runs between the last delivered one and this one had ended, but their outcomes are lost.
            first = max(self.position, self.received)
            last = min(first + int(self._board[2]), len(self.tasks))
        elif self._board[0] == SENDING and self.tasks:
            # One of the runs left something behind that killed the process after it.
            first, last = self.received, len(self.tasks)
        else:
            first = last = len(self.tasks)
        return self.tasks[first:last], self.tasks[self.received : first] + self.tasks[last:]

    def give(self, tasks: list[Task]) -> None:
        self.tasks, self.received = tasks, 0
        try:
            self.connection.send_bytes(pickle.dumps(tasks, protocol=pickle.HIGHEST_PROTOCOL))
        except OSError:
            self.dead = True

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def let_die(self) -> None:
        """Wait for a process that is ending, so that its own exit code is known, then kill what it left behind.

        A child of the run that outlives it may hold the pipe open, and reading would wait for it.
        """
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=1.0)
        self._signal(signal.SIGKILL)

    def kill(self) -> None:
        """Kill the process with everything in its group, also when it has died itself and left children behind."""
        self._signal(signal.SIGKILL)
        self.process.wait()
        self._obituary = self._describe_end()
        self.connection.close()
        self._printed.close()

    def obituary(self) -> str:
        """How the process ended, with the end of what it had printed."""
        if self.process.poll() is None:
            return "the worker closed its pipe"
        return getattr(self, "_obituary", None) or self._describe_end()

    def _describe_end(self) -> str:
        code = self.process.returncode
        if code < 0:
            try:
                name = signal.Signals(-code).name
            except ValueError:
                name = "unknown signal"
            told = f"the worker process was killed by {name} ({-code})"
        else:
            told = f"the worker process exited with code {code}"
        self._printed.seek(0)
        # faulthandler ends with a list of all extension modules, which says nothing about this run.
        tail = self._printed.read().decode(errors="replace").split("\nExtension modules:")[0].strip()[-2000:]
        return f"{told}{PRINTED_LAST}\n{tail}" if tail else told

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return


def _search_path() -> list[str]:
    """``sys.path`` for a worker, with the entry that stands for the current folder spelt out."""
    return [entry or str(Path.cwd()) for entry in sys.path]
