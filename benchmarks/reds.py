"""Scenario discovery with few runs: the REDS paper's protocol on its test functions.

N runs of a Latin hypercube, the trajectory's precision-recall area on 20,000 new points (times 100, less the share of
interest, as in the paper), mean over repeats. Methods: P (PRIM), Pc (alpha by cross-validation), PBc (bumping, alpha
and the number of inputs by cross-validation), BIc (best interval, its depth likewise), RPf and RPx (REDS with
probabilities of a random forest and of boosted trees), and our default. Limits: "truth", the default's finder on new
points with their true labels; "BI" is a best interval instead of PRIM on 10,000 new points. With `--data`, a folder
that holds bryant2010_tgl.csv (five folds) and smart_grid_uci_6000.csv (N = 400), also on these. Rows are kept in
results/reds.csv, so that an interrupted benchmark goes on.

    python benchmarks/reds.py --repeats 10 --data DATA --jobs 2    # three to four hours; writes results/reds.md
    python benchmarks/reds.py --repeats 1 --n 200 --functions borehole ishigami --inputs uniform
    python benchmarks/reds.py --report                      # only writes the tables of the rows that there are
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from _table import RESULTS, markdown, write
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.model_selection import StratifiedKFold

import surrogate as sg
from simulators.reds_functions import FUNCTIONS

ROWS = RESULTS / "reds.csv"
TEST_POINTS = 20_000
METHODS = ("P", "Pc", "PBc", "BIc", "RPf", "RPx", "default")
TRUTH, DEFAULT_BI, TRUTH_BI = "truth", "default, BI", "truth, BI"
KEY = ["function", "inputs", "n", "seed"]

# Points that best intervals learn from a metamodel, as in the paper.
BI_POINTS = 10_000

# Pc alone is also given so many runs: of 2,500 and 5,000, the 200 and 400 of the default are 8%.
MORE_RUNS = (2500, 5000, 12_800)

# The paper's other distributions of the inputs, at this number of runs only.
OTHER_INPUTS, OTHER_N = ("mixed", "logit-normal"), 400
FOLDS = 5
SIZES = (200, 400, 800)


def answer(function, points: pd.DataFrame, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Output and label at points."""
    values = np.asarray(function.function(points.to_numpy(dtype=float)))
    if function.stochastic:
        labels = rng.random(len(values)) < values
        return labels.astype(float), labels
    return values, values < function.threshold


# What was measured at another time than the rest.
LATER = (
    "Rows of BIc were measured anew after its search had learnt to look for intervals that hold enough runs; their CPU "
    "seconds are those of before, which in pairs of runs have not changed."
)


class Truth(ClassifierMixin, BaseEstimator):
    """A metamodel that knows the function."""

    def __init__(self, function=None):
        self.function = function

    def fit(self, X, y):
        self.classes_ = np.array([False, True])
        return self

    def predict_proba(self, X):
        _, labels = answer(self.function, X, np.random.default_rng(0))
        return np.column_stack([~labels, labels]).astype(float)


def finders(task: dict, X: pd.DataFrame, output: np.ndarray, labels: np.ndarray, condition, space) -> Iterator:
    """By method: a function that gives a fitted finder."""
    seed, options = task["seed"], {"objective": "original"}

    def best_interval(metamodel):
        finder = sg.BestInterval(rng=seed)
        if metamodel is None:
            return finder.fit(X, labels, space=space)
        chain = sg.Metamorphosis(metamodel, sg.Uniform(space), finder, n_new=BI_POINTS, labels="soft", rng=seed)
        return chain.fit(X, space=space).student_

    yield "Pc", lambda: sg.Prim(alpha="cv", rng=seed, **options).fit(X, labels, space=space)
    if task["n"] in MORE_RUNS:
        return
    yield "P", lambda: sg.Prim(**options).fit(X, labels, space=space)
    yield "PBc", lambda: sg.BumpedPrim(alpha="cv", n_inputs="cv", rng=seed, **options).fit(X, labels, space=space)
    yield "BIc", lambda: sg.BestInterval(rng=seed).fit(X, labels, space=space)
    forest = RandomForestClassifier(200, random_state=seed)
    yield "RPf", lambda: sg.Reds(forest, rng=seed).fit(X, labels, space=space)
    boosted = GradientBoostingClassifier(n_estimators=100, max_depth=3, subsample=0.75, random_state=seed)
    yield "RPx", lambda: sg.Reds(boosted, rng=seed).fit(X, labels, space=space)
    reds = sg.Reds(rng=seed)
    target = labels if condition is None else output
    yield "default", lambda: reds.fit(X, target, of_interest=condition, space=space)
    if condition is not None and task["inputs"] == "uniform":
        truth = Truth(FUNCTIONS[task["function"]])
        yield TRUTH, lambda: sg.Reds(truth, rng=seed).fit(X, labels, space=space)
        if task["n"] == min(SIZES):
            yield DEFAULT_BI, lambda: best_interval(reds.metamodel_)
            yield TRUTH_BI, lambda: best_interval(truth.fit(X, labels))


def judged(task: dict, X, output, labels, test, truth, *, condition=None, space=None, influential=None) -> pd.DataFrame:
    """One row a method."""
    rows = []
    for method, fitted in finders(task, X, output, labels, condition, space):
        clock = time.process_time()
        finder = fitted()
        cpu = time.process_time() - clock
        best = finder.best_.contains(test)
        irrelevant = np.nan if influential is None else len(set(finder.best_.restricted) - set(influential))
        row = {
            "method": method,
            "metamodel": finder.method_ if method == "default" else "",
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
    return parts[0].set_index("method").assign(**means).reset_index()[parts[0].columns]


def tasks(repeats: int, sizes: list[int], functions: list[str], inputs: list[str], with_data: bool) -> Iterator[dict]:
    """All functions at every N come once before anything comes twice."""
    for seed in range(repeats):
        for kind in inputs:
            for n in sizes if kind == "uniform" else {OTHER_N} & set(sizes):
                for name in functions:
                    yield {"function": name, "inputs": kind, "n": n, "seed": seed}
        if "uniform" in inputs and set(sizes) == set(SIZES):
            for n in MORE_RUNS:
                for name in functions:
                    if not FUNCTIONS[name].stochastic:
                        yield {"function": name, "inputs": "uniform", "n": n, "seed": seed}
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


def deterministic_means(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """Means over deterministic functions with uniform inputs; by N and method."""
    known = {name for name, function in FUNCTIONS.items() if not function.stochastic}
    cells = rows[(rows["inputs"] == "uniform") & rows["function"].isin(known)]
    means = cells.pivot_table(index=["n", "function"], columns="method", values=column)
    return means.groupby(level="n").mean()


def runs_of_pc(areas: pd.DataFrame, area: float) -> float:
    """How many runs at least Pc needs for a mean area, between the sizes that were measured; the largest if more."""
    pc = areas["Pc"].dropna()
    return float(np.exp(np.interp(area, np.maximum.accumulate(pc), np.log(pc.index))))


def goals(rows: pd.DataFrame) -> pd.DataFrame:
    """The project's goals, what was measured, and whether that is enough."""
    area, wracc, restricted = (deterministic_means(rows, name) for name in ("area", "wracc", "restricted"))
    compared = rows[rows["method"].isin(METHODS) & ~rows["n"].isin(MORE_RUNS)]
    areas = compared.pivot_table(index=["inputs", "n", "function"], columns="method", values="area")
    paired = compared.pivot_table(index=["inputs", "n", "function", "seed"], columns="method", values="area")
    loss = (paired["Pc"] - paired["default"]).groupby(level=[0, 1, 2]).agg(["mean", "sem", "size"])
    # With one repeat there is no standard error: two points then.
    worse = int((loss["mean"] > (2 * loss["sem"]).fillna(2.0)).sum())
    uniform = rows[(rows["inputs"] == "uniform") & (rows["n"] == 400)]
    bryant = rows[(rows["function"] == "bryant2010") & (rows["method"] == "default")]["area"].mean()
    best_or_tied = float((areas["default"] >= areas.max(axis=1) - 0.5).mean())
    ours, fewer = area["default"], {n: 1 - n / runs_of_pc(area, area.loc[n, "default"]) for n in (200, 400)}
    box = wracc.loc[200, "default"] / wracc.loc[200, TRUTH]
    interval = wracc.loc[200, DEFAULT_BI] / wracc.loc[200, TRUTH_BI]
    found = [
        ("mean area, deterministic, N = 200", ">= 45", ours[200], ours[200] >= 45),
        ("mean area, deterministic, N = 400", ">= 45.5", ours[400], ours[400] >= 45.5),
        ("the same with true labels on the new points, N = 200", "", area.loc[200, TRUTH], None),
        ("fewer runs than Pc for the area of N = 200, % at least", ">= 92", 100 * fewer[200], fewer[200] >= 0.92),
        ("fewer runs than Pc for the area of N = 400, % at least", ">= 92", 100 * fewer[400], fewer[400] >= 0.92),
        ("WRAcc of the best interval over that with true labels, N = 200", ">= 0.99", interval, interval >= 0.99),
        ("WRAcc of the reported box over that with true labels, N = 200", "", box, None),
        ("consistency, N = 400", ">= 0.59", c := consistency(uniform).get("default", np.nan), c >= 0.59),
        ("restricted inputs, N = 400", "<= 4.6", r := restricted.loc[400, "default"], r <= 4.6),
        (
            f"cells of {len(areas)} where the default is best or within 0.5",
            ">= 0.85",
            best_or_tied,
            best_or_tied >= 0.85,
        ),
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
    areas = deterministic_means(rows, "area")
    parts = [
        "## Goals",
        markdown(goals(rows), digits=4),
        "## Mean area by number of runs, deterministic functions, uniform inputs",
        markdown(areas[[*METHODS, TRUTH]].reset_index()),
    ]
    for (inputs, n), cells in rows[~rows["n"].isin(MORE_RUNS)].groupby(["inputs", "n"]):
        shown = [name for name in (*METHODS, TRUTH, DEFAULT_BI, TRUTH_BI) if (cells["method"] == name).any()]
        table = cells.pivot_table(index="function", columns="method", values="area")[list(METHODS)]
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
        [(__doc__ or "").split("\n\n")[1].replace("\n", " "), LATER, *parts],
        ["surrogate-learn", "scikit-learn", "numpy", "scipy"],
    )


def main() -> None:
    """Measure what is missing, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--n", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--functions", nargs="+", default=sorted(FUNCTIONS))
    parser.add_argument("--inputs", nargs="+", default=["uniform", *OTHER_INPUTS], choices=["uniform", *OTHER_INPUTS])
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="with the two data sets")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--report", action="store_true", help="only write the tables of the rows that there are")
    given = parser.parse_args()
    if given.report:
        return report()
    RESULTS.mkdir(exist_ok=True)
    done = set(pd.read_csv(ROWS)[KEY].itertuples(index=False, name=None)) if ROWS.exists() else set()
    work = (
        joblib.delayed(on_data)(task, given.data) if task["inputs"] == "data" else joblib.delayed(on_function)(task)
        for task in tasks(given.repeats, given.n, given.functions, given.inputs, given.data is not None)
        if tuple(task[name] for name in KEY) not in done
    )
    for rows in joblib.Parallel(n_jobs=given.jobs, return_as="generator_unordered")(work):
        rows.to_csv(ROWS, mode="a", header=not ROWS.exists(), index=False)
        areas = dict(zip(rows["method"], rows["area"].round(1), strict=True))
        metamodel = " ".join(rows["metamodel"])
        print(*rows.loc[0, KEY], areas, metamodel.strip(), f"{rows['cpu'].sum():.0f} s", flush=True)
    return report()


if __name__ == "__main__":
    main()
