"""What it costs to run a simulator that costs nothing: CPU time a run, for this framework and its peers.

The whole call is counted, with starting and stopping workers, in parent and children, without imports in the parent.
Ours commits every run to an SQLite file that survives a power cut and can be resumed; the peers keep answers in memory.

    python benchmarks/overhead.py            # writes results/overhead.md
    python benchmarks/overhead.py --million  # only the study of a million runs
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

SIZES = [10_000, 100_000]
ROUNDS = 2


def model(x: float) -> dict[str, float]:
    """Square `x`."""
    return {"y": x * x}


def model_value(x: float) -> float:
    """The same, as a number."""
    return model(x)["y"]


def model_values(xs: list[float]) -> list[float]:
    """Many at once."""
    return [model(x)["y"] for x in xs]


def loop(xs: np.ndarray, folder: str) -> float:
    return sum(model(x)["y"] for x in xs.tolist())


def ours(xs: np.ndarray, folder: str, **options: object) -> float:
    import surrogate as sg

    options = {"n_jobs": 2, "store": Path(folder) / "runs.db"} | options
    simulator = sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=["y"], name="model")(model)
    return float(sg.run(simulator, pd.DataFrame({"x": xs}), **options).outputs["y"].sum())  # type: ignore[arg-type]


def ours_batch(xs: np.ndarray, folder: str) -> float:
    import surrogate as sg

    simulator = sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=["y"], name="model", batch=1000)(model)
    runs = sg.run(simulator, pd.DataFrame({"x": xs}), n_jobs=2, store=Path(folder) / "runs.db")
    return float(runs.outputs["y"].sum())


def joblib_auto(xs: np.ndarray, folder: str) -> float:
    from joblib import Parallel, delayed
    from joblib.externals.loky import get_reusable_executor

    total = sum(Parallel(n_jobs=2)(delayed(model_value)(x) for x in xs.tolist()))
    get_reusable_executor().shutdown(wait=True)
    return total


def joblib_chunks(xs: np.ndarray, folder: str) -> float:
    from joblib import Parallel, delayed
    from joblib.externals.loky import get_reusable_executor

    parts = Parallel(n_jobs=2)(delayed(model_values)(part.tolist()) for part in np.array_split(xs, len(xs) // 1000))
    get_reusable_executor().shutdown(wait=True)
    return sum(map(sum, parts))


def ema(xs: np.ndarray, parallel: bool) -> float:
    import ema_workbench as ema

    problem = ema.Model("model", function=model)
    problem.uncertainties = [ema.RealParameter("x", 0, 1)]
    problem.outcomes = [ema.ScalarOutcome("y")]
    points = [ema.Sample(str(i), x=x) for i, x in enumerate(xs.tolist())]
    made = ema.MultiprocessingEvaluator(problem, n_processes=2) if parallel else ema.SequentialEvaluator(problem)
    with made as evaluator:
        _, outputs = evaluator.perform_experiments(points)
    return float(np.sum(outputs["y"]))


def dask_map(xs: np.ndarray, folder: str) -> float:
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        parts = client.map(model_values, [part.tolist() for part in np.array_split(xs, len(xs) // 100)])
        return sum(map(sum, client.gather(parts)))


ENGINES = {
    "plain loop": loop,
    "surrogate, 2 processes, SQLite": ours,
    "surrogate, in this process, SQLite": lambda xs, folder: ours(xs, folder, n_jobs=0),
    "surrogate, batch of 1000, SQLite": ours_batch,
    "joblib": joblib_auto,
    "joblib, chunks of 1000": joblib_chunks,
    "EMA sequential": lambda xs, folder: ema(xs, False),
    "EMA multiprocessing": lambda xs, folder: ema(xs, True),
    "Dask, chunks of 100": dask_map,
}
IMPORTS = {"surrogate": "surrogate", "joblib": "joblib", "EMA": "ema_workbench", "Dask": "distributed"}


def cpu_seconds() -> float:
    """User and system time of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def child(engine: str, n: int) -> None:
    """Measure one engine in this process; prints CPU and wall seconds."""
    module = next((module for word, module in IMPORTS.items() if engine.startswith(word)), None)
    if module:
        __import__(module)
    if module == "surrogate":
        ours(np.linspace(0, 1, 3), tempfile.mkdtemp(), n_jobs=0)  # the lazy imports
    xs = np.random.default_rng(0).random(n)
    with tempfile.TemporaryDirectory() as folder:
        before, clock = cpu_seconds(), time.perf_counter()
        total = ENGINES[engine](xs, folder)
        print(json.dumps([cpu_seconds() - before, time.perf_counter() - clock]), flush=True)
    if abs(total - (xs**2).sum()) > 1e-6 * n:
        raise AssertionError(f"{engine} computed {total}")
    os._exit(0)


def million(n: int = 1_000_000) -> pd.DataFrame:
    """A study of a million runs in a process of its own: time, memory, size, reading back."""
    script = f"""
import json, resource, sys, time, tempfile
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
import numpy as np, pandas as pd
import surrogate as sg
from overhead import cpu_seconds, model
folder = Path(sys.argv[1])
if sys.argv[2] == "run":
    simulator = sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=["y"], name="model")(model)
    clock = time.perf_counter()
    design = pd.DataFrame({{"x": np.random.default_rng(0).random({n})}})
    runs = sg.run(simulator, design, n_jobs=2, store=folder / "runs.db")
    assert runs.counts["done"] == {n}
else:
    store = sg.RunStore(folder / "runs.db")
    clock = time.perf_counter()
    runs = store.runs()
    assert len(runs.outputs) == {n}
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([time.perf_counter() - clock, cpu_seconds(), peak]))
"""
    with tempfile.TemporaryDirectory() as folder:
        rows = []
        for what in ("run", "read"):
            done = subprocess.run([sys.executable, "-c", script, folder, what], capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(done.stderr)
            wall, cpu, peak = json.loads(done.stdout)
            rows.append(
                {
                    "step": {"run": f"run {n:,} points and store them", "read": "read back as DataFrames"}[what],
                    "wall s": wall,
                    "CPU s, with imports": cpu,
                    "peak memory of the parent, MiB": peak,
                    "store, MiB": (Path(folder) / "runs.db").stat().st_size / 2**20,
                }
            )
    return pd.DataFrame(rows)


def main() -> None:
    """Measure all, engines alternating, and write the table."""
    from _table import markdown, write

    found: dict[tuple[str, int], list[float]] = {}
    for n in SIZES:
        for _ in range(ROUNDS):
            for engine in ENGINES:
                done = subprocess.run(
                    [sys.executable, __file__, "--child", engine, str(n)], capture_output=True, text=True
                )
                if done.returncode:
                    print(engine, done.stderr[-300:])
                    continue
                cpu, wall = json.loads(done.stdout.splitlines()[-1])
                found.setdefault((engine, n), []).append(cpu)
                print(f"{engine} n={n}: {1e6 * cpu / n:.1f} us CPU a run, {wall:.2f} s", flush=True)
    reference = {n: min(found["surrogate, 2 processes, SQLite", n]) for n in SIZES}
    rows = []
    for engine in ENGINES:
        row: dict[str, object] = {"engine": engine}
        for n in SIZES:
            if (engine, n) in found:
                best = min(found[engine, n])
                row[f"us CPU a run, n = {n:,}"] = round(1e6 * best / n, 1)
                row[f"ratio to ours, n = {n:,}"] = round(best / reference[n], 2)
        rows.append(row)
    write(
        "overhead",
        "Overhead of running a simulator that costs nothing",
        "python benchmarks/overhead.py",
        [
            f"CPU microseconds a run, least of {ROUNDS} processes; parent and children, with starting and stopping "
            "workers, which dominates at 10,000. Only ours leaves a durable, resumable store.",
            markdown(pd.DataFrame(rows), digits=4),
            "## A million runs",
            markdown(million(), digits=4),
        ],
        ["surrogate-learn", "joblib", "ema_workbench", "distributed", "sqlalchemy", "pandas", "numpy"],
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], int(sys.argv[3]))
    elif sys.argv[1:2] == ["--million"]:
        print(million().to_string())
    else:
        main()
