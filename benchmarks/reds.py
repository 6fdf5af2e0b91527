"""Scenario discovery with few runs: the REDS paper's protocol on its test functions.

N runs of a Latin hypercube, the trajectory's precision-recall area on 20,000 new points (times 100, less the share of
interest, as in the paper), mean over repeats. Methods: P (PRIM), Pc (alpha by cross-validation), BIc (best interval,
its depth likewise), RPf and RPx (REDS with probabilities of a random forest and of boosted trees), and our
default. With `--data`, a folder that holds bryant2010_tgl.csv (five folds) and smart_grid_uci_6000.csv (N = 400), also
on these. Rows are kept in results/reds.csv, so that an interrupted benchmark goes on.

    python benchmarks/reds.py --repeats 10 --data DATA      # many hours; writes results/reds.md
    python benchmarks/reds.py --repeats 1 --n 200 --functions borehole ishigami --inputs uniform
    python benchmarks/reds.py --report                      # only writes the tables of the rows that there are
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from _table import RESULTS, markdown, write
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.model_selection import StratifiedKFold

import surrogate as sg
from simulators.reds_functions import FUNCTIONS

ROWS = RESULTS / "reds.csv"
TEST_POINTS = 20_000
METHODS = ("P", "Pc", "BIc", "RPf", "RPx", "default")
KEY = ["function", "inputs", "n", "seed"]

# The paper's other distributions of the inputs, at this number of runs only.
OTHER_INPUTS, OTHER_N = ("mixed", "logit-normal"), 400
FOLDS = 5


def answer(function, points: pd.DataFrame, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Output and label at points."""
    values = np.asarray(function.function(points.to_numpy(dtype=float)))
    if function.stochastic:
        labels = rng.random(len(values)) < values
        return labels.astype(float), labels
    return values, values < function.threshold


def boxes_of(method: str, X: pd.DataFrame, output: np.ndarray, labels: np.ndarray, condition, space, seed: int):
    """A fitted finder, and the metamodel that it used."""
    if method == "P":
        return sg.Prim(objective="original").fit(X, labels, space=space), ""
    if method == "Pc":
        return sg.Prim(objective="original", alpha="cv", rng=seed).fit(X, labels, space=space), ""
    if method == "BIc":
        return sg.BestInterval(rng=seed).fit(X, labels, space=space), ""
    if method in ("RPf", "RPx"):
        model = (
            RandomForestClassifier(200, random_state=seed)
            if method == "RPf"
            else GradientBoostingClassifier(n_estimators=100, max_depth=3, subsample=0.75, random_state=seed)
        )
        return sg.Reds(model, rng=seed).fit(X, labels, space=space), ""
    target = labels if condition is None else output
    reds = sg.Reds(rng=seed).fit(X, target, of_interest=condition, space=space)
    return reds, reds.method_


def judged(task: dict, X, output, labels, test, truth, *, condition=None, space=None, influential=None) -> pd.DataFrame:
    """One row a method."""
    rows = []
    for method in METHODS:
        clock = time.process_time()
        finder, used = boxes_of(method, X, output, labels, condition, space, task["seed"])
        cpu = time.process_time() - clock
        best = finder.best_.contains(test)
        irrelevant = np.nan if influential is None else len(set(finder.best_.restricted) - set(influential))
        row = {
            "method": method,
            "metamodel": used,
            "area": 100 * sg.trajectory_quality(finder.boxes_, test, truth),
            "wracc": 100 * best.mean() * (truth[best].mean() - truth.mean() if best.any() else 0.0),
            "restricted": len(finder.best_.restricted),
            "irrelevant": irrelevant,
            "box": json.dumps(finder.best_.to_dict()),
            "cpu": cpu,
        }
        rows.append(task | row)
    return pd.DataFrame(rows)


def on_function(task: dict) -> pd.DataFrame:
    """One design."""
    function, n, seed = FUNCTIONS[task["function"]].with_inputs(task["inputs"]), task["n"], task["seed"]
    rng = np.random.default_rng([seed, n])
    X = sg.latin_hypercube(function.space, n, rng=seed)
    output, labels = answer(function, X, rng)
    test = function.space.from_unit(np.random.default_rng(10_000 + seed).random((TEST_POINTS, function.d)))
    _, truth = answer(function, test, rng)
    condition = None if function.stochastic else f"< {function.threshold!r}"
    options = {"condition": condition, "space": function.space, "influential": function.influential}
    return judged(task, X, output, labels, test, truth, **options)


def on_data(task: dict, folder: Path) -> pd.DataFrame:
    """One draw of the smart grid's rows; the five folds of bryant2010, averaged."""
    rng = np.random.default_rng(task["seed"])
    if task["function"] == "smart grid":
        table = pd.read_csv(folder / "smart_grid_uci_6000.csv")
        inputs, labels = table.iloc[:, :12], table["stable"].to_numpy() == 1
        order = rng.permutation(len(table))
        train, test = order[: task["n"]], order[task["n"] :]
        return judged(task, inputs.iloc[train], labels[train], labels[train], inputs.iloc[test], labels[test])
    table = pd.read_csv(folder / "bryant2010_tgl.csv")
    inputs, labels = table.iloc[:, 2:11], table["Greater than 90%"].to_numpy() == 1
    inputs = inputs.rename(columns=str.strip)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=task["seed"]).split(inputs, labels)
    parts = [
        judged(task, inputs.iloc[train], labels[train], labels[train], inputs.iloc[test], labels[test])
        for train, test in folds
    ]
    means = pd.concat(parts).groupby("method")[["area", "wracc", "restricted", "irrelevant", "cpu"]].mean()
    return parts[0].set_index("method").assign(**means).reset_index()


def tasks(repeats: int, sizes: list[int], functions: list[str], inputs: list[str], with_data: bool) -> Iterator[dict]:
    """All functions at every N come once before anything comes twice."""
    for seed in range(repeats):
        for kind in inputs:
            for n in sizes if kind == "uniform" else {OTHER_N} & set(sizes):
                for name in functions:
                    yield {"function": name, "inputs": kind, "n": n, "seed": seed}
        if with_data:
            yield {"function": "bryant2010", "inputs": "data", "n": 706, "seed": seed}
            yield {"function": "smart grid", "inputs": "data", "n": 400, "seed": seed}


def consistency(cells: pd.DataFrame) -> pd.Series:
    """Mean over functions of the shared volume of the reported boxes of two repeats, by method."""
    found = {}
    for (name, inputs, method), rows in cells.groupby(["function", "inputs", "method"]):
        if len(rows) > 1 and inputs != "data":
            boxes = [sg.Box.from_dict(json.loads(text)) for text in rows["box"]]
            found[name, method] = sg.consistency(boxes, FUNCTIONS[name].with_inputs(inputs).space)
    return pd.Series(found, dtype=float).groupby(level=1).mean() if found else pd.Series(dtype=float)


def goals(rows: pd.DataFrame) -> pd.DataFrame:
    """The project's goals, what was measured, and whether that is enough."""
    known = {name for name, function in FUNCTIONS.items() if not function.stochastic}

    def mean(column: str, n: int, method: str = "default") -> float:
        cells = rows[(rows["inputs"] == "uniform") & (rows["n"] == n) & (rows["method"] == method)]
        return float(cells[cells["function"].isin(known)].groupby("function")[column].mean().mean())

    areas = rows.pivot_table(index=["inputs", "n", "function"], columns="method", values="area")
    paired = rows.pivot_table(index=["inputs", "n", "function", "seed"], columns="method", values="area")
    loss = (paired["Pc"] - paired["default"]).groupby(level=[0, 1, 2]).agg(["mean", "sem", "size"])
    # With one repeat there is no standard error: two points then.
    worse = int((loss["mean"] > (2 * loss["sem"]).fillna(2.0)).sum())
    uniform = rows[(rows["inputs"] == "uniform") & (rows["n"] == 400)]
    bryant = rows[(rows["function"] == "bryant2010") & (rows["method"] == "default")]["area"].mean()
    best_or_tied = float((areas["default"] >= areas.max(axis=1) - 0.5).mean())
    found = [
        ("mean area, deterministic, N = 200", ">= 45", mean("area", 200), mean("area", 200) >= 45),
        ("mean area, deterministic, N = 400", ">= 45.5", mean("area", 400), mean("area", 400) >= 45.5),
        ("the same, Pc, N = 800 (more runs, for comparison)", "", mean("area", 800, "Pc"), None),
        ("mean WRAcc of the reported box, N = 200", "(12.14 in the notes)", mean("wracc", 200), None),
        ("consistency, N = 400", ">= 0.59", c := consistency(uniform).get("default", np.nan), c >= 0.59),
        ("restricted inputs, N = 400", "<= 4.6", r := mean("restricted", 400), r <= 4.6),
        ("cells where the default is best or within 0.5", ">= 0.85", best_or_tied, best_or_tied >= 0.85),
        ("cells where it loses to Pc by over two errors", "0", worse, worse == 0),
        ("area, bryant2010", ">= 69.5", float(bryant), bryant >= 69.5),
    ]
    table = pd.DataFrame(found, columns=["what", "goal", "measured", "reached"])
    reached = [
        "-" if met is None or value != value else "yes" if met else "no"
        for met, value in zip(table["reached"], table["measured"], strict=True)
    ]
    return table.assign(reached=reached)


def report() -> None:
    """The tables of all rows that there are."""
    rows = pd.read_csv(ROWS)
    parts = ["## Goals", markdown(goals(rows), digits=4)]
    for (inputs, n), cells in rows.groupby(["inputs", "n"]):
        shown = list(METHODS)
        table = cells.pivot_table(index="function", columns="method", values="area")[shown]
        means = cells.groupby("method")[["area", "wracc", "restricted", "irrelevant", "cpu"]].mean().loc[shown]
        means["consistency"] = consistency(cells)
        chosen = cells[cells["method"] == "default"].groupby("function")["metamodel"].agg(lambda s: s.mode()[0])
        repeats = cells.groupby(["function", "method"]).size()
        parts += [
            f"## {inputs} inputs, N = {n} ({repeats.min()} to {repeats.max()} repeats, {len(table)} functions)",
            markdown(means.reset_index()),
            markdown(table.assign(metamodel=chosen).reset_index()),
        ]
    write(
        "reds",
        "Scenario discovery with few runs",
        "python benchmarks/reds.py --data DATA",
        [(__doc__ or "").split("\n\n")[1].replace("\n", " "), *parts],
        ["surrogate-learn", "scikit-learn", "numpy", "scipy"],
    )


def main() -> None:
    """Measure what is missing, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--n", type=int, nargs="+", default=[200, 400, 800])
    parser.add_argument("--functions", nargs="+", default=sorted(FUNCTIONS))
    parser.add_argument("--inputs", nargs="+", default=["uniform", *OTHER_INPUTS], choices=["uniform", *OTHER_INPUTS])
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="with the two data sets")
    parser.add_argument("--report", action="store_true", help="only write the tables of the rows that there are")
    given = parser.parse_args()
    if given.report:
        return report()
    RESULTS.mkdir(exist_ok=True)
    done = set(pd.read_csv(ROWS)[KEY].itertuples(index=False, name=None)) if ROWS.exists() else set()
    for task in tasks(given.repeats, given.n, given.functions, given.inputs, given.data is not None):
        if tuple(task[name] for name in KEY) in done:
            continue
        rows = on_data(task, given.data) if task["inputs"] == "data" else on_function(task)
        rows.to_csv(ROWS, mode="a", header=not ROWS.exists(), index=False)
        areas = dict(zip(rows["method"], rows["area"].round(1), strict=True))
        print(task, areas, rows["metamodel"].iloc[-1], f"{rows['cpu'].sum():.0f} s", flush=True)
    return report()


if __name__ == "__main__":
    main()
