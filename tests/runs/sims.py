"""Simulators that misbehave on demand, importable by worker processes."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time

import numpy as np

import surrogate as sg

SPACE = sg.Space(
    x=sg.Real(0, 1),
    mode=sg.Categorical(
        ["ok", "raise", "exit", "segv", "kill", "sysexit", "hang", "nan", "inf", "shape", "missing", "extra", "text"]
    ),
)


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
        case "hang":
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
