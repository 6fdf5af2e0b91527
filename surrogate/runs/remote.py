"""The far side of an executor: runs chunks of tasks in a supervised process beside the executor's own worker.

An executor's worker cannot kill a run that hangs, and dies with one that crashes. So it runs nothing itself: on every
engine a run happens in a process of its own, with the same deadlines, limits and outcomes as on this machine.
"""

from __future__ import annotations

import atexit
import os
import threading
from typing import Any

from surrogate.runs.outcome import Outcome, Task
from surrogate.runs.pool import Model, WorkerPool

__all__ = ["run_chunk"]

# A pool that nobody has asked for so long is closed: the executor may live on for days.
IDLE_SECONDS = 30.0


def run_chunk(model: Model, tasks: list[Task], options: dict[str, Any]) -> list[Outcome]:
    """Run tasks in the supervised process of this thread, started at the first call.

    Parameters
    ----------
    options : dict
        ``timeout``, ``retries`` and ``memory`` of :class:`WorkerPool`.

    Returns
    -------
    list of Outcome
        In order of completion.
    """
    keeper = _keeper_of_this_thread()
    with keeper.lock:
        pool = keeper.pool_for(model, options)
        outcomes: list[Outcome] = []
        try:
            pool.submit(tasks)
            while pool.outstanding:
                outcomes += pool.collect()
        except BaseException:
            keeper.close()
            raise
        keeper.rest()
    return outcomes


class _Keeper:
    """Keeps one thread's pool between calls."""

    def __init__(self) -> None:
        # Not reentrant on purpose: the timer's thread must wait until a call is over.
        self.lock = threading.Lock()
        self._pool: WorkerPool | None = None
        self._made_for: tuple[bytes, tuple[Any, ...]] | None = None
        self._timer: threading.Timer | None = None

    def pool_for(self, model: Model, options: dict[str, Any]) -> WorkerPool:
        if self._timer is not None:
            self._timer.cancel()
        wanted = (model.payload, tuple(sorted(options.items())))
        if self._pool is None or self._made_for != wanted:
            self.close()
            self._pool, self._made_for = WorkerPool(model, 1, **options), wanted
        return self._pool

    def rest(self) -> None:
        self._timer = threading.Timer(IDLE_SECONDS, self._close_if_idle)
        self._timer.daemon = True
        self._timer.start()

    def _close_if_idle(self) -> None:
        if self.lock.acquire(blocking=False):
            try:
                self.close()
            finally:
                self.lock.release()

    def close(self) -> None:
        # Taken first: the timer's thread and the end of the process may both come here.
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()


_here = threading.local()


def _keeper_of_this_thread() -> _Keeper:
    # A forked process has a copy of its parent's keeper, whose workers are not its own.
    if getattr(_here, "process", None) != os.getpid():
        _here.process, _here.keeper = os.getpid(), _Keeper()
        atexit.register(_here.keeper.close)
    keeper: _Keeper = _here.keeper
    return keeper
