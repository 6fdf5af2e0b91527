"""The child process of a pool: takes chunks of tasks from a pipe, runs them, sends outcomes back.

It is started with ``subprocess`` and not with ``multiprocessing``, so that scripts need no ``__main__`` guard, no state
of the parent is forked, and the worker leads a process group of its own that can be killed with all its children.
"""

from __future__ import annotations

import contextlib
import faulthandler
import mmap
import os
import pickle
import signal
import sys
import time
from multiprocessing.connection import Connection
from typing import Any

from surrogate.connectors.group import will_be_killed_as_a_whole
from surrogate.runs.outcome import Outcome, describe_error, evaluate_all, split_calls

__all__ = ["BOARD_BYTES", "IDLE", "SENDING", "main"]

# The board is a page that parent and worker share: three doubles, the position in the current chunk of the task that is
# running (or IDLE or SENDING), when it began on the monotonic clock, and how many tasks the call answers. It tells the
# parent, without a message a run, what a dead worker was doing and when a deadline passes.
BOARD_BYTES = 24
IDLE, SENDING = -1.0, -2.0

# Outcomes are sent at once unless the last message is younger than this: a message costs more than a cheap run.
FLUSH_SECONDS = 0.02

# What runs print is kept for the text of a crash; beyond this it is dropped.
MAX_PRINTED_BYTES = 1 << 20


def main(connection_fd: int, board_fd: int, memory_bytes: int) -> None:
    """Serve the parent until it hangs up."""
    will_be_killed_as_a_whole()
    # Ctrl-C reaches the terminal's foreground group; stopping is the parent's decision.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A segmentation fault leaves a Python traceback in what the run printed, where the parent finds it.
    faulthandler.enable()
    connection = Connection(connection_fd)
    board = memoryview(mmap.mmap(board_fd, BOARD_BYTES)).cast("d")
    board[0] = IDLE
    try:
        simulator = pickle.loads(connection.recv_bytes())
    except EOFError:
        return
    except BaseException as error:
        connection.send_bytes(pickle.dumps(("broken", describe_error(error))))
        return
    if memory_bytes:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    connection.send_bytes(pickle.dumps(("ready", None)))
    while True:
        try:
            tasks = pickle.loads(connection.recv_bytes())
        except (EOFError, OSError):
            return
        _run_chunk(simulator, tasks, connection, board)


def _run_chunk(simulator: Any, tasks: list[Any], connection: Connection, board: Any) -> None:
    unsent: list[Outcome] = []
    flushed = time.monotonic()
    process = os.getpid()
    position = 0
    for call in split_calls(simulator, tasks):
        board[1] = time.monotonic()
        board[2] = float(len(call))
        board[0] = float(position)
        try:
            outcomes = evaluate_all(simulator, call)
        except BaseException as error:
            text, now = describe_error(error), time.time()
            outcomes = [Outcome(task.id, "failed", None, text, now, 0.0, task.attempt) for task in call]
        if os.getpid() != process:
            # A child that the run forked came back through it: it must not answer in the worker's place.
            os._exit(0)
        unsent += outcomes
        position += len(call)
        now = time.monotonic()
        if now - flushed >= FLUSH_SECONDS or position == len(tasks):
            # Off the board first: a run that is done must not be killed for the time its message takes.
            board[0] = SENDING
            _forget_old_output()
            connection.send_bytes(_packed(unsent))
            board[0] = IDLE
            unsent = []
            flushed = now


def _packed(outcomes: list[Outcome]) -> bytes:
    try:
        return pickle.dumps(("outcomes", outcomes), protocol=pickle.HIGHEST_PROTOCOL)
    except MemoryError:
        # The answers fit into the allowed memory, their copy for the pipe does not.
        error = "MemoryError: no memory left to send the answer"
        lost = [o if o.outputs is None else o._replace(status="failed", outputs=None, error=error) for o in outcomes]
        return pickle.dumps(("outcomes", lost), protocol=pickle.HIGHEST_PROTOCOL)


def _forget_old_output() -> None:
    # A run may have closed or replaced any of these; what it prints is not worth the run.
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    with contextlib.suppress(OSError):
        if os.fstat(1).st_size > MAX_PRINTED_BYTES:
            os.ftruncate(1, 0)
            # Written on from where it was, the file would begin with a hole.
            os.lseek(1, 0, os.SEEK_SET)
