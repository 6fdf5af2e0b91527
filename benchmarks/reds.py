"""Scenario discovery with few runs: the REDS paper's protocol on its test functions.

N runs of a Latin hypercube, the trajectory's precision-recall area on 20,000 new points (times 100, less the share of
interest, as in the paper), mean over repeats. Methods: P (PRIM), Pc (its alpha by cross-validation), RPf and RPx (REDS
with probabilities of a random forest and of boosted trees), and our default. Rows are kept in results/reds.csv, so that
an interrupted benchmark goes on.

    python benchmarks/reds.py --repeats 10                  # hours
    python benchmarks/reds.py --repeats 1 --n 200 --functions borehole ishigami
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from _table import RESULTS, markdown, write
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier

import surrogate as sg
from simulators.reds_functions import FUNCTIONS

ROWS = RESULTS / "reds.csv"
TEST_POINTS = 20_000
METHODS = ("P", "Pc", "RPf", "RPx", "default")


def answer(function, points: pd.DataFrame, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Output and label at points."""
    values = np.asarray(function.function(points.to_numpy(dtype=float)))
    if function.stochastic:
        labels = rng.random(len(values)) < values
        return labels.astype(float), labels
    return values, values < function.threshold


def boxes_of(method: str, function, X: pd.DataFrame, output: np.ndarray, labels: np.ndarray, seed: int):
    """A fitted finder, and the metamodel that it used."""
    space = function.space
    if method == "P":
        return sg.Prim(objective="original").fit(X, labels, space=space), ""
    if method == "Pc":
        return sg.Prim(objective="original", alpha="cv", rng=seed).fit(X, labels, space=space), ""
    if method in ("RPf", "RPx"):
        model = (
            RandomForestClassifier(200, random_state=seed)
            if method == "RPf"
            else GradientBoostingClassifier(n_estimators=100, max_depth=3, subsample=0.75, random_state=seed)
        )
        return sg.Reds(model, rng=seed).fit(X, labels, space=space), ""
    condition = None if function.stochastic else f"< {function.threshold!r}"
    reds = sg.Reds(rng=seed).fit(X, labels if condition is None else output, of_interest=condition, space=space)
    return reds, reds.method_


def measure(function, n: int, seed: int, methods: tuple[str, ...]) -> list[dict[str, object]]:
    """One design, all methods."""
    rng = np.random.default_rng([seed, n])
    X = sg.latin_hypercube(function.space, n, rng=seed)
    output, labels = answer(function, X, rng)
    test = function.space.from_unit(np.random.default_rng(10_000 + seed).random((TEST_POINTS, function.space.d)))
    _, truth = answer(function, test, rng)
    rows = []
    for method in methods:
        clock = time.process_time()
        finder, used = boxes_of(method, function, X, output, labels, seed)
        cpu = time.process_time() - clock
        best = finder.best_.contains(test)
        rows.append(
            {
                "function": function.name,
                "inputs": function.inputs,
                "n": n,
                "seed": seed,
                "method": method,
                "metamodel": used,
                "area": 100 * sg.trajectory_quality(finder.boxes_, test, truth),
                "wracc": 100 * best.mean() * (truth[best].mean() - truth.mean() if best.any() else 0.0),
                "restricted": len(finder.best_.restricted),
                "irrelevant": len(set(finder.best_.restricted) - set(function.influential)),
                "cpu": cpu,
            }
        )
    return rows


def report() -> None:
    """The table of all rows that there are."""
    rows = pd.read_csv(ROWS)
    parts = []
    for (inputs, n), cells in rows.groupby(["inputs", "n"]):
        table = cells.pivot_table(index="function", columns="method", values="area")[list(METHODS)]
        summary = table.mean().to_frame("mean area").T
        summary["default wins or ties (within 0.5)"] = f"{(table['default'] >= table.max(axis=1) - 0.5).mean():.0%}"
        summary["worst loss to Pc"] = float((table["default"] - table["Pc"]).min())
        wracc = cells.groupby("method")["wracc"].mean()
        few = cells.groupby("method")[["restricted", "irrelevant", "cpu"]].mean()
        text = few.loc[list(METHODS)].assign(wracc=wracc).reset_index()
        chosen = cells[cells["method"] == "default"].groupby("function")["metamodel"].agg(lambda s: s.mode()[0])
        table = table.assign(metamodel=chosen).reset_index()
        repeats = cells.groupby(["function", "method"]).size()
        parts += [
            f"## {inputs} inputs, N = {n} ({repeats.min()} to {repeats.max()} repeats, {len(table)} functions)",
            markdown(summary),
            markdown(text),
            markdown(table),
        ]
    write(
        "reds",
        "Scenario discovery with few runs",
        "python benchmarks/reds.py",
        [__doc__.split("\n\n")[1].strip(), *parts],
        ["surrogate-learn", "scikit-learn", "numpy", "scipy"],
    )


def main() -> None:
    """Measure what is missing, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--n", type=int, nargs="+", default=[200, 400, 800])
    parser.add_argument("--functions", nargs="+", default=sorted(FUNCTIONS))
    parser.add_argument("--inputs", nargs="+", default=["uniform"], choices=["uniform", "mixed", "logit-normal"])
    chosen = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    known = pd.read_csv(ROWS) if Path(ROWS).exists() else pd.DataFrame(columns=["function", "inputs", "n", "seed"])
    done = set(known[["function", "inputs", "n", "seed"]].itertuples(index=False, name=None))
    for seed in range(chosen.repeats):
        for n in chosen.n:
            for inputs in chosen.inputs:
                for name in chosen.functions:
                    if (name, inputs, n, seed) in done:
                        continue
                    rows = pd.DataFrame(measure(FUNCTIONS[name].with_inputs(inputs), n, seed, METHODS))
                    rows.to_csv(ROWS, mode="a", header=not ROWS.exists(), index=False)
                    areas = dict(zip(rows["method"], rows["area"].round(1), strict=True))
                    print(name, inputs, n, seed, areas, rows["metamodel"].iloc[-1], flush=True)
    report()


if __name__ == "__main__":
    main()
