"""What is still to be run of a design: tasks in the order of its rows, claimed where processes share a store."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.runs.outcome import Outcome, Task
from surrogate.runs.store import RunStore

__all__ = ["Plan"]

# How often runs that another process has claimed are asked for again.
RETRY_SECONDS = 1.0


class Plan:
    """The source of a design's tasks; see :class:`surrogate.runs.execute.TaskSource`.

    Parameters
    ----------
    points : DataFrame of shape (n, d)
    levels : array of shape (n,)
    ids : sequence of str
        One a row; equal ids are one run.
    store : RunStore
    rerun_failures : bool
        Whether stored runs that are not done are to be run too.
    entropy : int or None
        Seed of the runs' seeds, of a stochastic simulator.
    """

    def __init__(
        self,
        points: pd.DataFrame,
        levels: NDArray[np.int64],
        ids: Sequence[str],
        store: RunStore,
        rerun_failures: bool = False,
        entropy: int | None = None,
    ) -> None:
        settled = {key for key, status in store.statuses().items() if status == "done" or not rerun_failures}
        # Runs are numbered by their rows, after those that the store has.
        self._first = store.next_number()
        self._store = store
        self._rerun_failures = rerun_failures
        self._entropy = entropy
        # Python numbers, as a simulator's author expects them: `n` as a range's end, a bool that is True.
        self._columns = {name: points[name].to_numpy() for name in points.columns}
        self._levels = levels
        self._rows: dict[str, int] = {}
        for row, key in enumerate(ids):
            if key not in settled:
                self._rows.setdefault(key, row)
        self._waiting = deque(self._rows)
        self._held: deque[str] = deque()
        self._retry_at = 0.0
        self._given: dict[str, Task] = {}

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def is_exhausted(self) -> bool:
        """Whether every run has been given out, or has been done by another process."""
        return not self._waiting and not self._held

    def take(self, n: int) -> list[Task]:
        """At most `n` tasks, in the order of the design; none while another process has all that is left."""
        if not self._waiting and self._held and time.monotonic() >= self._retry_at:
            self._waiting, self._held = self._held, deque()
            self._retry_at = time.monotonic() + RETRY_SECONDS
        keys = [self._waiting.popleft() for _ in range(min(n, len(self._waiting)))]
        if not keys:
            return []
        granted, held = self._store.claim(keys, self._rerun_failures)
        self._held.extend(held)
        tasks = [self._task(key) for key in granted]
        self._given.update((task.id, task) for task in tasks)
        return tasks

    def match(self, outcomes: Sequence[Outcome]) -> list[tuple[int, Task, Outcome]]:
        """Outcomes with their tasks and numbers, as the store takes them."""
        return [(self._first + self._rows[o.id], self._given.pop(o.id), o) for o in outcomes]

    def _task(self, key: str) -> Task:
        row = self._rows[key]
        inputs = {name: _python_value(column[row]) for name, column in self._columns.items()}
        seed = None if self._entropy is None else _derived_seed(self._entropy, key)
        return Task(key, inputs, seed, level=int(self._levels[row]))


def _python_value(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _derived_seed(entropy: int, key: str) -> int:
    """A run's own seed: the same for the same study seed and run, whatever the order and number of workers."""
    digest = hashlib.blake2b(f"{entropy}/{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
