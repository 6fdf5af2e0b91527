"""How fast is PRIM? One box with default settings against EMA workbench and `prim`, each fit in a process of its own.

    python benchmarks/prim.py                       # all sizes and programs that are installed, writes results/prim.md
    python benchmarks/prim.py --sizes 1000 10000    # some of them

CPU seconds and peak memory are those of one process on one thread. The task: an ellipsoid over the first five of twenty
uniform inputs, 2% of the labels wrong; alpha 0.05, smallest mass 0.05, lenient objective, pasting, quasi-p-values of
every box.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

# This file bears the name of a peer, which must be found instead.
sys.path = [place for place in sys.path if Path(place or ".").resolve() != Path(__file__).resolve().parent]

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
RESULT = Path(__file__).parent / "results" / "prim.md"
D = 20
# Beyond these sizes a peer takes minutes and gigabytes.
LARGEST = {"surrogate": 10**6, "ema_workbench": 10**5, "prim": 10**5}


def task(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs of shape (n, 20) and labels."""
    rng = np.random.default_rng(0)
    x = rng.random((n, D))
    distance = ((x[:, :5] - 0.35) ** 2 * [1, 1.5, 2, 1, 0.7]).sum(axis=1)
    return x, (distance < 0.25) ^ (rng.random(n) < 0.02)


def fit_surrogate(x: np.ndarray, y: np.ndarray) -> Callable[[], dict[str, Any]]:
    """Prim with the peers' defaults."""
    import surrogate as sg

    prim = sg.Prim(min_support=0.05)

    def fit() -> dict[str, Any]:
        t = prim.fit(x, y).trajectory_
        last = t.iloc[-1]
        return {"boxes": len(t), "coverage": last["coverage"], "density": last["density"]}

    return fit


def fit_ema_workbench(x: np.ndarray, y: np.ndarray) -> Callable[[], dict[str, Any]]:
    """EMA workbench, whose boxes have their quasi-p-values as they are found."""
    import pandas as pd
    from ema_workbench.analysis import prim

    frame = pd.DataFrame(x, columns=[f"x{j}" for j in range(D)])

    def fit() -> dict[str, Any]:
        settings = {"threshold": 0.8} if "threshold" in prim.Prim.__init__.__code__.co_varnames else {}
        box = prim.Prim(frame, y, peel_alpha=0.05, paste_alpha=0.05, mass_min=0.05, **settings).find_box()
        last = box.peeling_trajectory.iloc[-1]
        return {"boxes": len(box.peeling_trajectory), "coverage": last["coverage"], "density": last["density"]}

    return fit


def fit_prim(x: np.ndarray, y: np.ndarray) -> Callable[[], dict[str, Any]]:
    """`prim`, which computes quasi-p-values when a box is looked at: here at the last."""
    import pandas as pd
    import prim

    frame = pd.DataFrame(x, columns=[f"x{j}" for j in range(D)])

    def fit() -> dict[str, Any]:
        box = prim.Prim(frame, y, peel_alpha=0.05, paste_alpha=0.05, mass_min=0.05).find_box()
        last = box.peeling_trajectory.iloc[-1]
        return {"boxes": len(box.peeling_trajectory), "coverage": last["coverage"], "density": last["density"]}

    return fit


FITS = {"surrogate": fit_surrogate, "ema_workbench": fit_ema_workbench, "prim": fit_prim}


def measure(program: str, n: int) -> dict[str, Any]:
    """CPU seconds of the fit, best of up to five, peak memory, and what was found; in this process."""
    warnings.simplefilter("ignore")
    x, y = task(n)
    fit = FITS[program](x, y)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds: list[float] = []
    while not seconds or (len(seconds) < 5 and sum(seconds) < 3):
        start = time.process_time()
        found = fit()
        seconds.append(time.process_time() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found | {"seconds": min(seconds), "peak": peak / 1024, "before": before / 1024, "data": x.nbytes / 2**20}


def in_own_process(program: str, n: int) -> dict[str, Any]:
    """The same in a fresh process on one thread."""
    environment = os.environ | dict.fromkeys(THREADS, "1")
    command = [sys.executable, __file__, "--one", program, str(n)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(f"{program} at {n} rows failed:\n{done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def table(sizes: list[int], results: dict[tuple[str, int], dict[str, Any]]) -> str:
    """The results as a Markdown page."""
    programs = [name for name in FITS if any(program == name for program, _ in results)]
    versions = [f"{name} {_version(name)}" for name in (*programs, "numpy")]
    lines = [
        "# PRIM: CPU seconds of one box",
        "",
        (__doc__ or "").split("\n\n")[2].replace("\n", " "),
        "",
        f"{', '.join(versions)}; Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}.",
        f"{_processor()}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.0f}: trust ratios before seconds.",
        "Best of up to five fits; peak memory of the whole process in MB, in brackets its growth during the fit.",
        "",
        "| rows x inputs | "
        + " | ".join(programs)
        + " | "
        + " | ".join(f"{p} / surrogate" for p in programs[1:])
        + " |",
        "|---" * (2 * len(programs)) + "|",
    ]
    for n in sizes:
        cells, ratios = [], []
        ours = results.get(("surrogate", n))
        for program in programs:
            found = results.get((program, n))
            cells.append(
                f"{found['seconds']:.4f} s, {found['peak']:.0f} ({found['peak'] - found['before']:.0f})"
                if found
                else "-"
            )
            if program != "surrogate":
                ratios.append(f"{found['seconds'] / ours['seconds']:.0f}" if found and ours else "-")
        lines.append(f"| {n} x {D} ({n * D * 8 / 2**20:.3g} MB) | " + " | ".join(cells + ratios) + " |")
    lines += ["", "What was found (boxes on the way; coverage and density of the last):", ""]
    lines += ["| rows | " + " | ".join(programs) + " |", "|---" * (1 + len(programs)) + "|"]
    for n in sizes:
        found = [results.get((program, n)) for program in programs]
        told = [f"{f['boxes']}; {f['coverage']:.4f}, {f['density']:.4f}" if f else "-" for f in found]
        lines.append(f"| {n} | " + " | ".join(told) + " |")
    return "\n".join(lines) + "\n"


def _version(name: str) -> str:
    try:
        return importlib.metadata.version("surrogate-learn" if name == "surrogate" else name)
    except importlib.metadata.PackageNotFoundError:
        import surrogate

        return surrogate.__version__


def _processor() -> str:
    for line in (
        Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else ()
    ):
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10**3, 10**4, 10**5, 10**6])
    parser.add_argument("--programs", nargs="+", choices=FITS, default=list(FITS))
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--one", nargs=2, metavar=("PROGRAM", "ROWS"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measure(asked.one[0], int(asked.one[1]))))
        return
    results = {}
    for program in asked.programs:
        for n in asked.sizes:
            if n > LARGEST[program]:
                continue
            try:
                results[program, n] = in_own_process(program, n)
            except RuntimeError as error:
                print(error, file=sys.stderr)
                if "ModuleNotFoundError" in str(error):
                    break
                continue
            print(f"{program} {n}: {results[program, n]}", flush=True)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(table(asked.sizes, results), encoding="utf-8")


if __name__ == "__main__":
    main()
