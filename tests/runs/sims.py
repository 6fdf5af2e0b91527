"""Simulators that misbehave on demand, importable by worker processes."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np

import surrogate as sg

SPACE = sg.Space(
    x=sg.Real(0, 1),
    mode=sg.Categorical(
        [
            *(
                "ok",
                "raise",
                "exit",
                "segv",
                "kill",
                "sysexit",
                "late",
                "recursion",
                "hang",
                "hang_child",
                "hang_compiled",
            ),
            *("nan", "inf", "shape", "missing", "extra", "text", "unpicklable", "unpicklable_error", "no_mapping"),
        ]
    ),
)


class UnpicklableError(Exception):
    """Neither can it be sent, nor has it a text."""

    def __reduce__(self):
        raise TypeError("not to be pickled")

    def __str__(self):
        raise RuntimeError("no text either")


def misbehave(x: float, mode: str) -> dict[str, object]:
    """Square `x`, or fail in the way that `mode` says."""
    match mode:
        case "raise":
            raise ValueError(f"no square of {x}")
        case "exit":
            os._exit(3)
        case "segv":
            ctypes.string_at(0)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "sysexit":
            sys.exit(5)
        case "late":
            # The run ends well, and takes its process with it a moment later.
            os.kill(subprocess.Popen(["sh", "-c", f"sleep 0.002; kill -9 {os.getpid()}"]).pid, 0)
            threading.Thread(target=lambda: (time.sleep(0.001), os._exit(9))).start()
        case "hang":
            while True:
                pass
        case "hang_compiled":
            # Holds the interpreter: no signal handler of Python's runs.
            ctypes.PyDLL(None).usleep(600_000_000)
        case "recursion":
            return misbehave(x, mode)
        case "unpicklable_error":
            raise UnpicklableError
        case "hang_child":
            # In a child, as an external solver would: killing the worker alone leaves it behind.
            subprocess.run(["sleep", "600.125"], check=True)
    answer = {"square": x**2, "wave": x * np.arange(3.0)}
    match mode:
        case "nan":
            answer["square"] = np.nan
        case "inf":
            answer["wave"] = np.array([0.0, np.inf, 1.0])
        case "shape":
            answer["wave"] = np.zeros(4)
        case "missing":
            del answer["wave"]
        case "extra":
            answer["cube"] = x**3
        case "text":
            answer["square"] = "large"
        case "unpicklable":
            answer["square"] = lambda: x
        case "no_mapping":
            return [x]
    return answer


misbehaving = sg.simulator(
    space=SPACE, outputs=["square", sg.Series("wave", at=[0.0, 1.0, 2.0], coordinate="time")], name="misbehaving"
)(misbehave)


@sg.simulator(space=sg.Space(x=sg.Real(0, 1), log=sg.Categorical(["", "count.txt"])), outputs=["y"])
def counted(x: float, log: str) -> dict[str, float]:
    """Half of `x`; leaves a mark in a file for every time it is really run."""
    if log:
        with open(log, "a") as file:
            file.write(f"{x!r}\n")
    time.sleep(0.02)
    return {"y": x / 2}


@sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=["y"])
def noisy(x: float, seed: int) -> dict[str, float]:
    """`x` with a random disturbance."""
    return {"y": x + float(np.random.default_rng(seed).normal())}


@sg.simulator(
    space=sg.Space(mode=sg.Categorical(["ok", "greedy", "large"])), outputs=[sg.Series("big", at=range(12_500_000))]
)
def hungry(mode: str) -> dict[str, object]:
    """100 MB of numbers; or more than there is room for."""
    if mode == "greedy":
        np.ones(10**9)
    return {"big": np.zeros(12_500_000)}


@sg.simulator(
    space=sg.Space(x=sg.Real(0, 1), n=sg.Integer(0, 9)), outputs=["y", sg.Series("w", at=[0.0, 1.0])], batch=8
)
def vectorised(x, n):
    """Eight points a call: 3 is an error, 5 is no number, 7 kills the process."""
    if (n == 3).any():
        raise ValueError("three")
    if (n == 7).any():
        os.kill(os.getpid(), signal.SIGKILL)
    return {"y": np.where(n == 5, np.nan, x + n), "w": np.outer(x, [1.0, 2.0])}


@sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=["y"], levels={0: 100.0, 1: 2.5})
def levelled(x, level):
    """Exact, or cheaper and wrong by a tenth."""
    return {"y": x + 0.1 * level}
