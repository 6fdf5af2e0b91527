"""One run: what is asked (a task), what came of it (an outcome), and the asking itself."""

from __future__ import annotations

import itertools
import os
import re
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from surrogate.simulation import Simulator, answers_by_point, arguments_of, batch_of, checked_answer

__all__ = [
    "FAILURES",
    "PRINTED_LAST",
    "Outcome",
    "Status",
    "Task",
    "cause",
    "evaluate",
    "evaluate_all",
    "split_calls",
]

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

# Between how a process ended and the end of what it printed.
PRINTED_LAST = "; it printed last:"

# What Python writes between the tracebacks of errors that led to one another.
_LED_TO = re.compile(
    "\n\n(?:The above exception was the direct cause of the following exception"
    "|During handling of the above exception, another exception occurred):\n\n"
)

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
    level : int
        Given to a simulator that has levels.
    """

    id: str
    inputs: dict[str, Any]
    seed: int | None = None
    attempt: int = 1
    level: int = 0


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


def split_calls(simulator: Simulator, tasks: Sequence[Task]) -> list[list[Task]]:
    """Tasks by the call that answers them: one each, or for a batch simulator as many as it takes of one level."""
    size = batch_of(simulator)
    if not size:
        return [[task] for task in tasks]
    calls = []
    for _, alike in itertools.groupby(tasks, key=lambda task: task.level):
        same = list(alike)
        calls += [same[i : i + size] for i in range(0, len(same), size)]
    return calls


def evaluate_all(simulator: Simulator, tasks: list[Task]) -> list[Outcome]:
    """Run the tasks of one call in this process."""
    if not batch_of(simulator):
        return [evaluate(simulator, task) for task in tasks]
    outcomes = _evaluate_batch(simulator, tasks)
    if len(tasks) > 1 and all(outcome.status == "failed" for outcome in outcomes):
        # One point's error must not cost the others their answers.
        return [_evaluate_batch(simulator, [task])[0] for task in tasks]
    return outcomes


def evaluate(simulator: Simulator, task: Task) -> Outcome:
    """Run one task in this process; whatever the simulator does short of killing the process becomes an outcome."""
    if batch_of(simulator):
        return _evaluate_batch(simulator, [task])[0]
    inputs = arguments_of(simulator, [task.inputs], [task.seed], task.level)
    started, clock = time.time(), time.perf_counter()
    status: Status
    outputs: dict[str, Any] | None = None
    try:
        answer = simulator(**inputs)
    except (Exception, SystemExit) as caught:
        status, error = "failed", describe_error(caught)
    else:
        status, outputs, error = _checked(simulator, answer)
    return Outcome(task.id, status, outputs, error, started, time.perf_counter() - clock, task.attempt)


def _evaluate_batch(simulator: Simulator, tasks: list[Task]) -> list[Outcome]:
    points, seeds = [task.inputs for task in tasks], [task.seed for task in tasks]
    inputs = arguments_of(simulator, points, seeds, tasks[0].level)
    started, clock = time.time(), time.perf_counter()
    checked: list[tuple[Status, dict[str, Any] | None, str]]
    try:
        answer = simulator(**inputs)
    except (Exception, SystemExit) as caught:
        checked = [("failed", None, describe_error(caught))] * len(tasks)
    else:
        try:
            checked = [_checked(simulator, own) for own in answers_by_point(simulator, answer, len(tasks))]
        except Exception as caught:
            checked = [("invalid", None, _short(caught))] * len(tasks)
    seconds = (time.perf_counter() - clock) / len(tasks)
    return [
        Outcome(task.id, status, outputs, error, started, seconds, task.attempt)
        for task, (status, outputs, error) in zip(tasks, checked, strict=True)
    ]


def _checked(simulator: Simulator, answer: Any) -> tuple[Status, dict[str, Any] | None, str]:
    try:
        return "done", checked_answer(simulator.outputs, answer), ""
    except Exception as caught:
        return "invalid", None, _short(caught)


def describe_error(error: BaseException) -> str:
    """The traceback as text without this package's own frames; it ends with the error itself."""
    try:
        inner = error.__traceback__
        while inner is not None and inner.tb_frame.f_code.co_filename.startswith(_PACKAGE):
            inner = inner.tb_next
        text = "".join(traceback.format_exception(type(error), error, inner)).strip()
    except Exception:
        # An exception whose own text cannot be made must not take the run's record with it.
        text = _short(error)
    return text if len(text) <= MAX_ERROR_CHARACTERS else "... " + text[-MAX_ERROR_CHARACTERS:]


def cause(error: str) -> str:
    """The line of an error's text that says what happened: below a traceback's last frame, else the first."""
    # A group of exceptions has a margin, and those that it holds have a wider one.
    lines = [line.removeprefix("  | ") for line in _LED_TO.split(error.strip())[-1].split("\n")]
    first = lines[0]
    # What is cut has lost its beginning.
    if first.endswith("Traceback (most recent call last):") or first.startswith("... "):
        frames = [number for number, line in enumerate(lines) if line.startswith('  File "')]
        below = lines[frames[-1] :] if frames else []
        first = next((line for line in below if line and not line[0].isspace()), first)
    return first.removesuffix(PRINTED_LAST)


def _short(error: BaseException) -> str:
    try:
        return str(error)[:MAX_ERROR_CHARACTERS] or type(error).__name__
    except Exception:
        return type(error).__name__
