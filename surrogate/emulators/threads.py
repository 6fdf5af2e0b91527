"""How many threads linear algebra may use on small matrices."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

__all__ = ["few_threads"]

# Up to this size a second thread gains little on an idle machine, and where another process uses the core, threads that
# wait for each other by spinning cost dearly: a fit of 500 points took 1.4 s on one thread and 50 s on two, measured on
# two cores one of which was busy.
SMALL_ROWS = 1000


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def few_threads(n: int) -> AbstractContextManager[Any]:
    """A context in which linear algebra on `n` rows uses one thread if that is faster."""
    return _controller().limit(limits=1, user_api="blas") if n <= SMALL_ROWS else nullcontext()
