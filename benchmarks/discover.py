"""Active discovery against one design of the same size, on test functions of the REDS paper.

Both use `Reds` with the same options; one-shot learns a Sobol design of N runs, active discovery begins with half of it
and never stops early. Judged on 20,000 new points: the trajectory's precision-recall area (times 100, less the share of
interest) and the chosen box's WRAcc (times 100). Rows are kept in results/discover.csv, so that an interrupted
benchmark goes on.

    python benchmarks/discover.py --repeats 10
    python benchmarks/discover.py --repeats 1 --n 40 --functions ishigami --share 0.02
"""

from __future__ import annotations

import argparse
import dataclasses
import time

import numpy as np
import pandas as pd
from _table import RESULTS

import surrogate as sg
from simulators.reds_functions import FUNCTIONS

ROWS = RESULTS / "discover.csv"
TEST_POINTS = 20_000
KEY = ["function", "share", "n", "seed", "method"]


def with_share(function, share: float | None):
    """The function with the threshold below which that share of its values lies."""
    if share is None:
        return function
    values = function.values(np.random.default_rng(99).random((100_000, function.d)))
    return dataclasses.replace(function, threshold=float(np.quantile(values, share)), share=share)


def measure(function, n: int, seed: int, method: str) -> dict[str, object]:
    """One method on one function."""
    clock = time.process_time()
    condition = f"value < {function.threshold!r}"
    first = n if method == "one-shot" else None
    found = sg.discover(
        function,
        condition,
        budget=n,
        first=first,
        stop=False,
        rng=seed,
        n_jobs=0,
        reds=sg.Reds(rng=seed),
        progress=False,
    )
    row = {
        "function": function.name,
        "share": round(function.share, 4),
        "n": n,
        "seed": seed,
        "method": method,
        "metamodel": "" if found.reds is None else found.reds.method_,
        "of_interest": int(found.of_interest_.sum()),
        "area": 0.0,
        "wracc": 0.0,
    }
    if found.reds is not None:
        test = function.space.from_unit(np.random.default_rng(10_000 + seed).random((TEST_POINTS, function.d)))
        truth = function.labels(test)
        inside = found.best_.contains(test)
        row["area"] = 100 * sg.trajectory_quality(found.boxes_, test, truth)
        row["wracc"] = 100 * inside.mean() * (truth[inside].mean() - truth.mean() if inside.any() else 0.0)
    return row | {"cpu": time.process_time() - clock}


def report(rows: pd.DataFrame) -> str:
    """Means by function and N, and the difference with its standard error over repeats."""
    wide = rows.pivot_table(index=["function", "share", "n", "seed"], columns="method", values=["area", "wracc"])
    out = wide.groupby(["function", "share", "n"]).mean()
    for measured in ("area", "wracc"):
        gain = (wide[measured]["active"] - wide[measured]["one-shot"]).groupby(["function", "share", "n"])
        out[(measured, "gain")] = gain.mean()
        out[(measured, "error of the gain")] = gain.sem()
    return out.sort_index(axis=1).round(2).to_string()


def main() -> None:
    """Measure what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--n", type=int, nargs="+", default=[40, 60, 100])
    parser.add_argument("--functions", nargs="+", default=["ishigami", "borehole", "willetal06"])
    parser.add_argument("--share", type=float, help="share of interest, instead of the paper's")
    given = parser.parse_args()
    rows = pd.read_csv(ROWS) if ROWS.exists() else pd.DataFrame(columns=KEY)
    known = set(rows[KEY].itertuples(index=False, name=None))
    for seed in range(given.repeats):
        for name in given.functions:
            function = with_share(FUNCTIONS[name], given.share)
            for n in given.n:
                for method in ("one-shot", "active"):
                    if (name, round(function.share, 4), n, seed, method) in known:
                        continue
                    rows = pd.concat([rows, pd.DataFrame([measure(function, n, seed, method)])], ignore_index=True)
                    rows.to_csv(ROWS, index=False)
    print(report(rows))


if __name__ == "__main__":
    main()
