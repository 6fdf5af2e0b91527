"""Active discovery against one design of the same size, on test functions of the REDS paper.

Both use `Reds` with the same options; one-shot learns a Sobol design of N runs, active discovery begins with half of it
and never stops early. Each function is taken with the paper's threshold and with one that 2% of the space lies below.
Judged on 20,000 new points: the trajectory's precision-recall area (times 100, less the share of interest) and the
chosen box's weighted relative accuracy (times 100). A design without a run of interest has found nothing: both are 0.
Rows are kept in results/discover.csv, so that an interrupted benchmark goes on.

    python benchmarks/discover.py                                    # writes results/discover.md
    python benchmarks/discover.py --repeats 1 --n 40 --functions ishigami --shares 0.02
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import time

import numpy as np
import pandas as pd
from _table import RESULTS, markdown, write

import surrogate as sg
from simulators.reds_functions import FUNCTIONS

ROWS = RESULTS / "discover.csv"
TEST_POINTS = 20_000
RARE = 0.02
FUNCTIONS_SHOWN = ("ishigami", "hart4", "hart6sc", "otlcircuit")
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


def compared(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Means of both methods, and the gain with its standard error over repeats (and what else is averaged over)."""
    wide = rows.pivot_table(index=["function", "share", "n", "seed"], columns="method", values=["area", "wracc"])
    wide = wide.dropna()
    groups = wide.groupby(by)
    out = pd.DataFrame({"repeats": groups.size()})
    for measured in ("area", "wracc"):
        gain = wide[measured]["active"] - wide[measured]["one-shot"]
        for method in ("one-shot", "active"):
            out[f"{measured} {method}"] = groups[[(measured, method)]].mean().iloc[:, 0]
        mean, error = gain.groupby(by).mean(), gain.groupby(by).sem()
        out[f"{measured} gain"] = [f"{m:+.2f} ± {e:.2f}" for m, e in zip(mean, error, strict=True)]
        if measured == "area":
            # Of fewer than three differences the error itself is not known.
            told = np.where(mean < -2 * error, "yes", "no")
            out["loses"] = np.where(groups.size() < 3, "not known", told)
    return out.reset_index()


def report() -> None:
    """Write the table of all rows that there are."""
    rows = pd.read_csv(ROWS)
    cells = compared(rows, ["function", "share", "n"])
    used = rows.pivot_table(index="method", columns="metamodel", values="seed", aggfunc="size", fill_value=0)
    missed = rows[rows["of_interest"] == 0].groupby(["share", "n", "method"]).size().rename("designs without a hit")
    parts = [
        (__doc__ or "").split("\n\n")[1].replace("\n", " "),
        "Gains are means with their standard errors over repeats; `loses` says whether the area's mean loss is more "
        "than two of them, which takes three repeats to tell.",
        "## By function",
        markdown(cells, digits=4),
        "## Means over functions, at the rare share",
        markdown(compared(rows[rows["share"] == RARE], ["n"]), digits=4),
        "## Means over functions, at the paper's shares",
        markdown(compared(rows[rows["share"] != RARE], ["n"]), digits=4),
        "## Designs that met nothing of interest",
        markdown(missed.reset_index()),
        "## Metamodels chosen",
        markdown(used.reset_index()),
    ]
    write("discover", "Active discovery", "python benchmarks/discover.py", parts, ["surrogate-learn", "numpy", "scipy"])


def main() -> None:
    """Measure what is missing, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--n", type=int, nargs="+", default=[40, 60, 100])
    parser.add_argument("--functions", nargs="+", default=FUNCTIONS_SHOWN, choices=sorted(FUNCTIONS))
    parser.add_argument("--shares", type=float, nargs="+", default=[0, RARE], help="of interest; 0: the paper's")
    parser.add_argument("--report", action="store_true", help="only write the table of the rows that there are")
    given = parser.parse_args()
    if given.report:
        return report()
    RESULTS.mkdir(exist_ok=True)
    rows = pd.read_csv(ROWS) if ROWS.exists() else pd.DataFrame(columns=KEY)
    known = set(rows[KEY].itertuples(index=False, name=None))
    # Repeats outermost: what an interrupted benchmark leaves is a smaller one.
    for seed, name, share, n, method in itertools.product(
        range(given.repeats), given.functions, given.shares, given.n, ("one-shot", "active")
    ):
        function = with_share(FUNCTIONS[name], share or None)
        if (name, round(function.share, 4), n, seed, method) in known:
            continue
        row = measure(function, n, seed, method)
        pd.DataFrame([row]).to_csv(ROWS, mode="a", header=not ROWS.exists(), index=False)
        print(row, flush=True)
    return report()


if __name__ == "__main__":
    main()
