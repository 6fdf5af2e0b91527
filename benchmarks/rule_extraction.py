"""Which transfer set teaches a tree of 8 leaves best? 200 training rows, two teachers, eight data sets.

    python benchmarks/rule_extraction.py --data FOLDER [--draws 20] [--jobs 2]

FOLDER holds banknote.csv, ionosphere.csv, phoneme.csv, pima.csv and twonorm_synth.csv, last column y. Three more sets
ship with scikit-learn. Writes results/rule_extraction.md; measured cells are kept in results/rule_extraction.csv, so
that an interrupted benchmark goes on where it was.
"""

from __future__ import annotations

import argparse
import itertools
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from _table import RESULTS, markdown, write
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

import surrogate as sg

N_TRAIN, N_TEST, N_NEW, LEAVES = 200, 2000, 10_000, 8
CELLS = RESULTS / "rule_extraction.csv"

TEACHERS = {
    "random forest": RandomForestClassifier(100, random_state=0),
    "gradient boosting": GradientBoostingClassifier(random_state=0),
}
STUDENT = sg.BinnedTree(LEAVES, n_refine=4)
PLAIN = DecisionTreeClassifier(max_leaf_nodes=LEAVES, random_state=0)
GENERATORS = {
    "mixture of kernel density, MUNGE and noise": sg.Mixed(
        [sg.KernelDensity("mean"), sg.Munge(local_variance=1.0), sg.Noise()]
    ),
    "kernel density, likeliest width, full": sg.KernelDensity("likelihood", kernel="full"),
    "kernel density, likeliest width": sg.KernelDensity("likelihood"),
    "kernel density, Silverman": sg.KernelDensity(),
    "kernel density of prelim (kde)": sg.KernelDensity("mean"),
    "kernel density of prelim, inside (kdebwhl)": sg.KernelDensity("mean", inside=True),
    "Gaussian mixture": sg.GaussianMixture(max_components=8),
    "MUNGE": sg.Munge(),
    "MUNGE, s = 1": sg.Munge(local_variance=1.0),
    "SMOTE": sg.Smote(),
    "noise": sg.Noise(0.2),
    "forest density of prelim (cmmrf)": sg.ForestDensity(),
    "copula": sg.Copula(),
    "uniform": sg.Uniform(),
    "rows, relabelled": sg.Bootstrap(),
}


def data_sets(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Inputs and classes by name."""
    out = {}
    for name in ("banknote", "ionosphere", "phoneme", "pima", "twonorm_synth"):
        frame = pd.read_csv(folder / f"{name}.csv")
        out[name] = frame.drop(columns="y").to_numpy(float), frame["y"].to_numpy()
    out["breast cancer"] = load_breast_cancer(return_X_y=True)
    out["digits"] = load_digits(return_X_y=True)
    X, y = load_diabetes(return_X_y=True)
    out["diabetes"] = X, (y > np.median(y)).astype(int)
    return out


def students(
    teacher: Any, X: Any, y: Any, pool: Any
) -> dict[str, Callable[[], tuple[Callable[[Any], Any], float, str]]]:
    """By method: a function that teaches and returns how to predict, the student's CPU seconds and a note."""

    def taught(
        generator: Any, unlabelled: bool = False, student: Any = STUDENT
    ) -> tuple[Callable[[Any], Any], float, str]:
        started = time.process_time()
        fitted = clone(generator)
        if not unlabelled:
            fitted.fit(X, y)
        else:
            fitted.fit()
        points = fitted.draw(len(pool) if unlabelled else N_NEW, 0)
        seconds = time.process_time() - started
        labels = teacher.predict(points)
        started = time.process_time()
        tree = clone(student).fit(points, labels)
        return tree.predict, seconds + time.process_time() - started, ""

    def chosen() -> tuple[Callable[[Any], Any], float, str]:
        started = time.process_time()
        chain = sg.Metamorphosis(teacher, sg.AutoGenerator(), STUDENT, N_NEW, rng=0)
        chain.fit(X, y)
        return chain.predict, time.process_time() - started, chain.generator_.chosen_

    def timed(model: Any, *data: Any, **options: Any) -> tuple[Callable[[Any], Any], float, str]:
        started = time.process_time()
        model.fit(*data, **options)
        return model.predict, time.process_time() - started, ""

    out: dict[str, Any] = {
        "tree on the labels (direct)": lambda: timed(clone(PLAIN), X, y),
        "BinnedTree on the labels": lambda: timed(clone(STUDENT), X, y),
        "AutoGenerator": chosen,
        "true inputs, labelled by the teacher (limit)": lambda: taught(sg.Unlabelled(pool), True),
        "Trepan, m-of-n": lambda: timed(sg.Trepan(LEAVES - 1), X, teacher.predict(X), oracle=teacher.predict),
        "Trepan, single tests": lambda: timed(
            sg.Trepan(LEAVES - 1, max_literals=1), X, teacher.predict(X), oracle=teacher.predict
        ),
        "ALPA": lambda: timed(sg.Alpa(clone(teacher), STUDENT), X, y),
    }
    prelim = GENERATORS["kernel density of prelim (kde)"]
    out["kernel density of prelim (kde), scikit-learn's tree"] = lambda: taught(prelim, student=PLAIN)
    for name, generator in GENERATORS.items():
        out[name] = lambda generator=generator: taught(generator)
    try:
        import imodels
    except ImportError:
        return out
    out["imodels FIGS"] = lambda: timed(imodels.FIGSClassifier(max_rules=LEAVES - 1), X, y)
    out["imodels HSTree"] = lambda: timed(imodels.HSTreeClassifier(max_leaf_nodes=LEAVES), X, y)
    out["imodels rule fit"] = lambda: timed(imodels.RuleFitClassifier(max_rules=LEAVES, random_state=0), X, y)
    return out


def cell(name: str, X: np.ndarray, y: np.ndarray, teacher_name: str, draw: int) -> list[dict[str, Any]]:
    """All methods on one draw of training rows."""
    order = np.random.default_rng(draw).permutation(len(X))
    train, rest = order[:N_TRAIN], order[N_TRAIN:]
    # Half of the rest are inputs of which only the limit knows, the other half judge.
    pool, test = rest[: len(rest) // 2][:N_NEW], rest[len(rest) // 2 :][:N_TEST]
    teacher = clone(TEACHERS[teacher_name]).fit(X[train], y[train])
    asked = teacher.predict(X[test])
    rows = []
    for method, teach in students(teacher, X[train], y[train], X[pool]).items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                predict, seconds, note = teach()
                told = np.asarray(predict(X[test]))
            except Exception as error:
                if not method.startswith("imodels"):
                    raise
                told, seconds, note = np.full(len(test), np.nan), np.nan, repr(error)[:80]
        rows.append(
            {
                "set": name,
                "teacher": teacher_name,
                "draw": draw,
                "method": method,
                "accuracy": float((told == y[test]).mean()) if seconds == seconds else np.nan,
                "fidelity": float((told == asked).mean()) if seconds == seconds else np.nan,
                "teacher accuracy": float((asked == y[test]).mean()),
                "seconds": seconds,
                "note": note,
            }
        )
    return rows


def summary(cells: pd.DataFrame) -> list[str]:
    """The result in words and tables."""
    wide = cells.pivot_table(index=["set", "teacher", "draw"], columns="method", values="accuracy")
    true = cells.pivot_table(index=["set", "teacher", "draw"], columns="method", values="fidelity")
    direct = "tree on the labels (direct)"
    gain = 100 * wide.sub(wide[direct], axis=0)
    truer = true.sub(true[direct], axis=0)
    seconds = cells.groupby("method")["seconds"].mean()
    table = pd.DataFrame(
        {
            "accuracy": wide.mean(),
            "over direct, points": gain.mean(),
            "standard error": gain.std() / np.sqrt(gain.notna().sum()),
            "fidelity": true.mean(),
            "over direct": truer.mean(),
            "CPU s": seconds,
        }
    ).sort_values("over direct, points", ascending=False)
    by_cell = gain.groupby(level=["set", "teacher"]).mean()
    singles = [name for name in GENERATORS if name in by_cell]
    auto = by_cell["AutoGenerator"]
    near = (auto >= by_cell[singles].max(axis=1) - 0.3).mean()
    steady = by_cell[singles].mean().idxmax()
    near_steady = (auto >= by_cell[steady] - 0.3).mean()
    goals = pd.DataFrame(
        [
            ("AutoGenerator over the direct tree, points", ">= 1.2", f"{auto.mean():.2f}"),
            ("at least the best single generator of the cell less 0.3 points, share of cells", ">= 0.7", f"{near:.2f}"),
            (f"the same against the generator that is best over all cells ({steady})", "", f"{near_steady:.2f}"),
            ("fidelity over the direct tree's", ">= 0.03", f"{truer['AutoGenerator'].mean():.3f}"),
            ("worst cell against the direct tree, points", ">= -1", f"{auto.min():.2f}"),
            ("a given generator with student: the mixture, CPU s", "<= 0.1", f"{seconds[next(iter(GENERATORS))]:.3f}"),
            ("the slowest, CPU s", "<= 0.1", f"{seconds[singles].max():.3f}"),
        ],
        columns=["goal", "wanted", "measured"],
    )
    picks = cells[cells["method"] == "AutoGenerator"]["note"].value_counts(normalize=True)
    shown = by_cell[
        ["AutoGenerator", *table.index[table.index.isin(singles)][:4], "true inputs, labelled by the teacher (limit)"]
    ]
    draws = cells["draw"].nunique()
    return [
        f"{draws} draws of {N_TRAIN} training rows of each of {cells['set'].nunique()} sets; {N_NEW:,} points, hard "
        f"labels; trees of at most {LEAVES} leaves (`BinnedTree` with refinement where nothing else is said; the "
        f"direct tree is scikit-learn's); up to {N_TEST:,} test rows.",
        "CPU seconds are of generator and student, without the teacher's; of AutoGenerator, ALPA and Trepan they hold "
        "the teacher's work too. Of ionosphere, diabetes and breast cancer only 75 to 184 true inputs are left to be "
        "labelled, so that there the limit is none.",
        markdown(table.rename_axis("method").reset_index()),
        "## Goals",
        markdown(goals),
        "The best single generator of a cell is known only afterwards, from the same test rows: its lead over the "
        "others is in part chance.",
        "## Points over the direct tree, by set and teacher",
        markdown(shown.reset_index()),
        "AutoGenerator chose " + ", ".join(f"{name} ({share:.0%})" for name, share in picks.items()) + ".",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--fresh", action="store_true", help="measure again what is measured already")
    arguments = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    done = (
        pd.read_csv(CELLS)
        if CELLS.exists() and not arguments.fresh
        else pd.DataFrame(columns=["set", "teacher", "draw"])
    )
    have = set(zip(done["set"], done["teacher"], done["draw"]))
    sets = data_sets(arguments.data)
    todo = [
        (name, teacher, draw)
        for draw, name, teacher in itertools.product(range(arguments.draws), sets, TEACHERS)
        if (name, teacher, draw) not in have
    ]
    work = (joblib.delayed(cell)(name, *sets[name], teacher, draw) for name, teacher, draw in todo)
    found = [done] if len(done) else []
    for rows in joblib.Parallel(n_jobs=arguments.jobs, return_as="generator")(work):
        found.append(pd.DataFrame(rows))
        pd.concat(found).to_csv(CELLS, index=False)
    parts = summary(pd.concat(found))
    write(
        "rule_extraction",
        "Rule extraction: which transfer set teaches a small tree best?",
        f"python benchmarks/rule_extraction.py --data FOLDER --draws {arguments.draws}",
        parts,
        ["surrogate-learn", "scikit-learn", "numpy", "imodels"],
    )
    print("\n\n".join(parts))


if __name__ == "__main__":
    main()
