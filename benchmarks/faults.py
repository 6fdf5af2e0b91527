"""What is left of a study when something goes wrong: this framework and its peers under the same faults.

Twelve runs of 0.2 s on two workers; the sixth misbehaves (or the parent is signalled when five have ended). Every
engine is used as its documentation shows, with what it offers to keep partial results. Each cell is a process of its
own, which is given LIMIT seconds and then counts as hung.

    python benchmarks/faults.py              # all, about 15 minutes; writes results/faults.md
    python benchmarks/faults.py surrogate joblib
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

TASKS = 12
GUILTY = 5
SECONDS = 0.2
LIMIT = 35.0

RUN_FAULTS = ["none", "raise", "os._exit", "SIGSEGV", "SIGKILL worker", "sys.exit", "hang", "hang in a child", "NaN"]
RUN_FAULTS += ["missing output", "unpicklable error"]
PARENT_FAULTS = ["Ctrl-C", "SIGKILL parent"]


def model(x: float, fault: str, folder: str) -> dict[str, float]:
    """Square `x` after a while, or go wrong at the guilty point."""
    time.sleep(SECONDS)
    if int(x) == GUILTY:
        match fault:
            case "raise":
                raise ValueError("guilty")
            case "os._exit":
                os._exit(3)
            case "SIGSEGV":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "SIGKILL worker":
                os.kill(os.getpid(), signal.SIGKILL)
            case "sys.exit":
                sys.exit(5)
            case "hang":
                time.sleep(600)
            case "hang in a child":
                subprocess.run(["sleep", "600"], check=True)
            case "NaN":
                return {"y": float("nan")}
            case "missing output":
                return {}
            case "unpicklable error":
                raise UnpicklableError
    with open(Path(folder) / "ended", "a") as log:
        log.write(f"{os.getpid()} {x}\n")
    return {"y": x**2}


class UnpicklableError(Exception):
    """An error that cannot be sent."""

    def __reduce__(self):
        raise TypeError("not to be pickled")


# The engines: each keeps in `results` whatever it gets hold of.


def run_surrogate(fault: str, folder: str, results: dict[int, float]) -> None:
    import surrogate as sg

    simulator = sg.simulator(space=sg.Space(x=sg.Real(0, TASKS)), outputs=["y"], name="model")(
        lambda x: model(x, fault, folder)
    )
    sg.run(simulator, [{"x": float(i)} for i in range(TASKS)], store=Path(folder) / "runs.db", n_jobs=2, timeout=3)


def run_joblib(fault: str, folder: str, results: dict[int, float]) -> None:
    from joblib import Parallel, delayed

    answers = Parallel(n_jobs=2)(delayed(model)(float(i), fault, folder) for i in range(TASKS))
    results.update({i: answer["y"] for i, answer in enumerate(answers)})


def run_joblib_generator(fault: str, folder: str, results: dict[int, float]) -> None:
    from joblib import Parallel, delayed

    calls = (delayed(numbered)(i, fault, folder) for i in range(TASKS))
    for i, answer in Parallel(n_jobs=2, return_as="generator_unordered")(calls):
        results[i] = answer["y"]


def numbered(i: int, fault: str, folder: str) -> tuple[int, dict[str, float]]:
    """A run with its number."""
    return i, model(float(i), fault, folder)


def run_futures(fault: str, folder: str, results: dict[int, float]) -> None:
    from concurrent.futures import ProcessPoolExecutor, as_completed

    with ProcessPoolExecutor(2) as pool:
        futures = {pool.submit(model, float(i), fault, folder): i for i in range(TASKS)}
        for future in as_completed(futures):
            try:
                results[futures[future]] = future.result()["y"]
            except Exception as error:
                print(type(error).__name__, file=sys.stderr)


def run_ema(evaluator_name: str, fault: str, folder: str, results: dict[int, float]) -> None:
    import ema_workbench as ema

    def wrapped(x: float) -> dict[str, float]:
        return model(x, fault, folder)

    problem = ema.Model("model", function=EmaModel(fault, folder) if evaluator_name == "mp" else wrapped)
    problem.uncertainties = [ema.RealParameter("x", -1, TASKS + 1)]
    problem.outcomes = [ema.ScalarOutcome("y")]
    points = [ema.Sample(str(i), x=float(i)) for i in range(TASKS)]
    if evaluator_name == "mp":
        with ema.MultiprocessingEvaluator(problem, n_processes=2) as evaluator:
            inputs, outputs = evaluator.perform_experiments(points)
    else:
        with ema.SequentialEvaluator(problem) as evaluator:
            inputs, outputs = evaluator.perform_experiments(points)
    results.update({int(x): y for x, y in zip(inputs["x"], outputs["y"])})


class EmaModel:
    """A model that multiprocessing can send."""

    __name__ = "EmaModel"

    def __init__(self, fault: str, folder: str) -> None:
        self.fault, self.folder = fault, folder

    def __call__(self, x: float) -> dict[str, float]:
        return model(x, self.fault, self.folder)


ENGINES = {
    "surrogate": run_surrogate,
    "EMA sequential": lambda *a: run_ema("seq", *a),
    "EMA multiprocessing": lambda *a: run_ema("mp", *a),
    "joblib": run_joblib,
    "joblib generator": run_joblib_generator,
    "concurrent.futures": run_futures,
}


def child(engine: str, fault: str, folder: str) -> None:
    """One study in this process; what the user's program holds at the end is written down."""
    results: dict[int, float] = {}
    try:
        ENGINES[engine](fault, folder, results)
    finally:
        if engine == "surrogate":
            results = stored(folder)
        Path(folder, "kept.json").write_text(json.dumps({str(k): v for k, v in results.items()}))


def stored(folder: str) -> dict[int, float]:
    """What a later program finds in the store."""
    import surrogate as sg

    store = sg.RunStore(Path(folder) / "runs.db")
    if store.is_empty:
        return {}
    runs = store.runs()
    failed = runs.failures
    if len(failed):
        status, lines = failed["status"].iloc[0], failed["error"].iloc[0].splitlines()
        Path(folder, "told").write_text(f"{status}: {lines[0 if status == 'crashed' else -1]}".split(";")[0])
    return dict(zip(runs.inputs["x"].astype(int), runs.outputs["y"]))


def descendants(pid: int) -> set[int]:
    import psutil

    try:
        return {process.pid for process in psutil.Process(pid).children(recursive=True)}
    except psutil.NoSuchProcess:
        return set()


def ended(folder: str) -> int:
    log = Path(folder) / "ended"
    return len(log.read_text().splitlines()) if log.exists() else 0


def trial(engine: str, fault: str) -> str:
    """One cell of the table."""
    import psutil

    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, __file__, "--child", engine, fault, folder],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        began, family, hung = time.monotonic(), set(), False
        signalled = 0.0
        while process.poll() is None:
            family |= descendants(process.pid)
            if not signalled and fault in PARENT_FAULTS and ended(folder) >= GUILTY:
                signalled = time.monotonic()
                if fault == "Ctrl-C":  # as a terminal sends it, to the whole group
                    os.killpg(process.pid, signal.SIGINT)
                else:
                    process.kill()
            if time.monotonic() - began > LIMIT:
                hung = True
                break
            time.sleep(0.02)
        took = time.monotonic() - (signalled or began)
        at_end = ended(folder)
        if not hung:
            time.sleep(5.0)
        orphans = [pid for pid in family if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]
        went_on = ended(folder) - at_end
        for pid in [process.pid, *family]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.wait()
        kept_file = Path(folder, "kept.json")
        if engine == "surrogate":
            kept = stored(folder)
        else:
            kept = json.loads(kept_file.read_text()) if kept_file.exists() and not hung else {}
        told = Path(folder, "told").read_text() if Path(folder, "told").exists() else ""
        bad = [k for k, value in kept.items() if value != value]
        cell = f"{len(kept) - len(bad)} kept of {at_end}"
        if bad:
            cell += ", 1 NaN passed on"
        if hung:
            cell = f"**hung**; {cell}"
        elif signalled:
            cell += f", over in {took:.1f} s"
        if told:
            cell += f"; {told[:60]}"
        if not hung and orphans:
            cell += f"; {len(orphans)} orphans" + (f", {went_on} runs computed on" if went_on else "")
        return cell


def main(chosen: list[str]) -> None:
    """Fill the table."""
    from _table import markdown, write

    # A shell starts what it sends to the background deaf to Ctrl-C, and so would be all that is started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    engines = chosen or list(ENGINES)
    rows = []
    for fault in [*RUN_FAULTS, *PARENT_FAULTS]:
        row = {"fault": fault}
        for engine in engines:
            row[engine] = trial(engine, fault)
            print(f"{fault} | {engine}: {row[engine]}", flush=True)
        rows.append(row)
    if not chosen:
        write(
            "faults",
            "Faults: what is left of twelve runs",
            "python benchmarks/faults.py",
            [
                f"{TASKS} runs of {SECONDS} s on two workers, the sixth goes wrong; Ctrl-C and SIGKILL come when five "
                "have ended. A cell says how many answers the user's program (for us the store on disk, read by "
                f"another process) holds of those computed, and what it was told. *Hung* is no end in {LIMIT:.0f} s. "
                "Orphans are processes alive five seconds after the parent's end. Ours runs with `timeout=3`; no peer "
                "can end one run that hangs and go on.",
                markdown(pd.DataFrame(rows)),
            ],
            ["surrogate-learn", "ema_workbench", "joblib", "numpy"],
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    else:
        main(sys.argv[1:])
