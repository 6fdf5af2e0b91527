"""One run: what is asked (a task), what came of it (an outcome), and the asking itself."""

from __future__ import annotations

import os
import time
import traceback
from pathlib import Path
from typing import Any, Literal, NamedTuple

from surrogate.simulation import Simulator, checked_answer, is_stochastic

__all__ = ["FAILURES", "Outcome", "Status", "Task", "evaluate"]

Status = Literal["done", "failed", "timeout", "crashed", "invalid"]

# What can befall a run, and what each means; "done" is the other status.
FAILURES: dict[str, str] = {
    "failed": "the simulator raised an error or exited",
    "timeout": "the run took longer than the timeout and was killed",
    "crashed": "the process that computed the run died",
    "invalid": "the answer was missing, wrongly shaped or not finite",
}

# A traceback's end names the cause; more than this of it helps nobody and fills the store.
MAX_ERROR_CHARACTERS = 4000

_PACKAGE = str(Path(__file__).parent.parent) + os.sep


# Named tuples and no dataclasses: two of them cross a pipe for every run, and tuples pickle several times faster.
class Task(NamedTuple):
    """One point to be run.

    Attributes
    ----------
    id : str
        The same for the same inputs and replicate, so that a run is never stored twice.
    inputs : dict
        Value by parameter name.
    seed : int or None
        Given to a stochastic simulator.
    attempt : int
        1 for the first.
    """

    id: str
    inputs: dict[str, Any]
    seed: int | None = None
    attempt: int = 1


class Outcome(NamedTuple):
    """What came of a task.

    Attributes
    ----------
    outputs : dict or None
        Floats and arrays by output name if ``status`` is ``"done"``.
    error : str
        Why the run is not done; empty if it is.
    started : float
        Seconds since 1970.
    seconds : float
        Wall time of the run.
    """

    id: str
    status: Status
    outputs: dict[str, Any] | None
    error: str
    started: float
    seconds: float
    attempt: int


def evaluate(simulator: Simulator, task: Task) -> Outcome:
    """Run one task in this process; whatever the simulator does short of killing the process becomes an outcome."""
    inputs = task.inputs | {"seed": task.seed} if is_stochastic(simulator) else task.inputs
    started, clock = time.time(), time.perf_counter()
    status: Status = "done"
    outputs, error = None, ""
    try:
        answer = simulator(**inputs)
    except (Exception, SystemExit) as caught:
        status, error = "failed", describe_error(caught)
    else:
        try:
            outputs = checked_answer(simulator.outputs, answer)
        except Exception as caught:
            status, error = "invalid", _short(caught)
    return Outcome(task.id, status, outputs, error, started, time.perf_counter() - clock, task.attempt)


def describe_error(error: BaseException) -> str:
    """The traceback as text without this package's own frames; its last line is the error itself."""
    try:
        inner = error.__traceback__
        while inner is not None and inner.tb_frame.f_code.co_filename.startswith(_PACKAGE):
            inner = inner.tb_next
        text = "".join(traceback.format_exception(type(error), error, inner)).strip()
    except Exception:
        # An exception whose own text cannot be made must not take the run's record with it.
        text = _short(error)
    return text if len(text) <= MAX_ERROR_CHARACTERS else "... " + text[-MAX_ERROR_CHARACTERS:]


def _short(error: BaseException) -> str:
    try:
        return str(error)[:MAX_ERROR_CHARACTERS] or type(error).__name__
    except Exception:
        return type(error).__name__
