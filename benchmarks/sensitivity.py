"""How many runs do Sobol indices cost, from the simulator directly and through an emulator?

    python benchmarks/sensitivity.py [--seeds 10] > benchmarks/results/sensitivity.md

Mean absolute error of all first-order and total indices against exact values (Ishigami, G-function) or those of 2^20
points a block (borehole, OTL circuit), by number of runs: SALib and OpenTURNS at designs of their own, ours through a
Gaussian process on a maximin Latin hypercube of as many runs, and ours from given data. Needs SALib, openturns.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import openturns as ot
import pandas as pd
from SALib.analyze import sobol as salib_analyze
from SALib.sample import sobol as salib_sample
from scipy.stats import qmc

from surrogate.designs import latin_hypercube
from surrogate.emulators.gp.gaussian_process import GaussianProcess
from surrogate.sensitivity.sobol import sobol_indices
from surrogate.space import Real, Space

ot.Log.Show(ot.Log.NONE)
Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Problem:
    """A function on the unit cube with its first-order and total indices, array of shape (2, d)."""

    function: Function
    indices: np.ndarray

    @property
    def d(self) -> int:
        return self.indices.shape[1]


def ishigami(u: np.ndarray) -> np.ndarray:
    x = -np.pi + 2 * np.pi * u
    return np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])


def ishigami_indices() -> np.ndarray:
    one = 0.5 * (1 + 0.1 * np.pi**4 / 5) ** 2
    two, pair = 49 / 8, 0.01 * np.pi**8 * 8 / 225
    return np.array([[one, two, 0], [one + pair, two, pair]]) / (one + two + pair)


A = np.array([0, 1, 4.5, 9, 99, 99, 99, 99])


def g_function(u: np.ndarray) -> np.ndarray:
    return np.prod((np.abs(4 * u - 2) + A) / (1 + A), axis=1)


def g_indices() -> np.ndarray:
    partial = 1 / 3 / (1 + A) ** 2
    whole = np.prod(1 + partial)
    return np.array([partial, partial * whole / (1 + partial)]) / (whole - 1)


def borehole(u: np.ndarray) -> np.ndarray:
    low = np.array([0.05, 100, 63070, 990, 63.1, 700, 1120, 9855])
    high = np.array([0.15, 50000, 115600, 1110, 116, 820, 1680, 12045])
    rw, r, tu, hu, tl, hl, length, kw = (low + u * (high - low)).T
    f = np.log(r / rw)
    return 2 * np.pi * tu * (hu - hl) / (f * (1 + 2 * length * tu / (f * rw**2 * kw) + tu / tl))


def otl_circuit(u: np.ndarray) -> np.ndarray:
    low, high = np.array([50, 25, 0.5, 1.2, 0.25, 50]), np.array([150, 70, 3, 2.5, 1.2, 300])
    rb1, rb2, rf, rc1, rc2, beta = (low + u * (high - low)).T
    vb1, gain = 12 * rb2 / (rb1 + rb2), beta * (rc2 + 9)
    return (vb1 + 0.74) * gain / (gain + rf) + 11.35 * rf / (gain + rf) + 0.74 * rf * gain / ((gain + rf) * rc1)


def reference(function: Function, d: int) -> np.ndarray:
    x = qmc.Sobol(2 * d, rng=0).random_base2(20)
    a, b = x[:, :d], x[:, d:]
    ya, yb = function(a), function(b)
    mean, variance = np.mean([ya, yb]), np.var([ya, yb])
    out = np.empty((2, d))
    for k in range(d):
        ab = a.copy()
        ab[:, k] = b[:, k]
        y = function(ab)
        out[:, k] = ((yb - mean) * (y - ya)).mean() / variance, 0.5 * ((ya - y) ** 2).mean() / variance
    return out


def salib(problem: Problem, runs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices and half widths of their intervals, from the largest power of two of base points that fits."""
    d = problem.d
    base = 2 ** int(np.log2(runs / (d + 2)))
    described = {"num_vars": d, "names": [f"x{k}" for k in range(d)], "bounds": [[0, 1]] * d}
    x = salib_sample.sample(described, base, calc_second_order=False, seed=seed)
    found = salib_analyze.analyze(described, problem.function(x), calc_second_order=False, seed=seed + 1)
    return np.array([found["S1"], found["ST"]]), np.array([found["S1_conf"], found["ST_conf"]])


def openturns(problem: Problem, runs: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    d = problem.d
    base = 2 ** int(np.log2(runs / (d + 2)))
    ot.RandomGenerator.SetSeed(seed)
    inputs = ot.JointDistribution([ot.Uniform(0, 1)] * d)
    x = ot.SobolIndicesExperiment(ot.LowDiscrepancyExperiment(ot.SobolSequence(), inputs, base, True), False).generate()
    y = ot.Sample(problem.function(np.array(x))[:, None])
    found = ot.SaltelliSensitivityAlgorithm(x, y, base)
    first, total = found.getFirstOrderIndicesInterval(), found.getTotalOrderIndicesInterval()
    wide = [(np.array(i.getUpperBound()) - np.array(i.getLowerBound())) / 2 for i in (first, total)]
    return np.array([found.getFirstOrderIndices(), found.getTotalOrderIndices()]), np.array(wide)


def through_emulator(problem: Problem, runs: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices with the lower and upper ends of their intervals."""
    space = Space({f"x{k}": Real(0, 1) for k in range(problem.d)})
    x = latin_hypercube(space, runs, rng=seed, criterion="maximin").to_numpy()
    found = sobol_indices(GaussianProcess().fit(x, problem.function(x)), space, rng=seed)
    return tuple(found[[f"first{end}", f"total{end}"]].to_numpy().T for end in ("", "_low", "_high"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--functions", nargs="+", default=["ishigami", "g", "borehole", "otl"])
    asked = parser.parse_args()
    problems = {
        "ishigami": lambda: Problem(ishigami, ishigami_indices()),
        "g": lambda: Problem(g_function, g_indices()),
        "borehole": lambda: Problem(borehole, reference(borehole, 8)),
        "otl": lambda: Problem(otl_circuit, reference(otl_circuit, 6)),
    }
    direct = {"SALib": salib, "OpenTURNS": openturns}
    rows = []
    for name in asked.functions:
        problem = problems[name]()
        for factor in (10, 20, 30):
            runs = factor * problem.d
            for seed in range(asked.seeds):
                start = time.process_time()
                middle, low, high = through_emulator(problem, runs, seed)
                hits = (low <= problem.indices) & (problem.indices <= high)
                error = np.abs(middle - problem.indices).mean()
                rows.append((name, "ours", runs, error, hits.mean(), time.process_time() - start))
            # Every method at as many runs, at ten and at a hundred times as many.
            for times in (1, 10, 100):
                for method, estimate in direct.items():
                    if times * runs < 4 * (problem.d + 2):
                        continue
                    for seed in range(asked.seeds):
                        start = time.process_time()
                        with warnings.catch_warnings():
                            warnings.simplefilter("ignore")
                            middle, wide = estimate(problem, times * runs, seed)
                        hits = np.abs(middle - problem.indices) <= wide
                        error = np.abs(middle - problem.indices).mean()
                        rows.append((name, method, times * runs, error, hits.mean(), time.process_time() - start))
    report(pd.DataFrame(rows, columns=["function", "method", "runs", "error", "covered", "CPU s"]), asked.seeds)


def report(table: pd.DataFrame, seeds: int) -> None:
    versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("numpy", "scipy", "SALib", "openturns"))
    print("# Sobol indices: error against number of runs\n")
    print(f"Mean of {seeds} seeds; one thread. {versions}; Python {platform.python_version()}, {platform.machine()}.")
    print(
        "Error: mean absolute error of all first-order and total indices. Covered: share of exact values inside their"
    )
    print("95% intervals.\n")
    means = table.groupby(["function", "method", "runs"], sort=False).mean()
    print(
        "| function | runs | ours: error / covered / CPU s | SALib at 1x, 10x, 100x the runs | OpenTURNS likewise | ",
        end="",
    )
    print("best peer's error at 10x / ours |")
    print("|---|---|---|---|---|---|")
    ratios = []
    for (name, runs), own in means.xs("ours", level="method").iterrows():
        cells, ten = [], []
        for method in ("SALib", "OpenTURNS"):
            errors = [means["error"].get((name, method, times * runs), np.nan) for times in (1, 10, 100)]
            cells.append(" / ".join("-" if np.isnan(e) else f"{e:.4f}" for e in errors))
            ten.append(errors[1])
        ratios.append(min(ten) / own["error"])
        print(
            f"| {name} | {runs} | {own['error']:.4f} / {own['covered']:.0%} / {own['CPU s']:.1f} | {cells[0]} | "
            f"{cells[1]} | {ratios[-1]:.1f} |"
        )
    won = sum(ratio >= 1 for ratio in ratios)
    print(f"\nSame or smaller error with a tenth of the runs in {won} of {len(ratios)} cells.")
    covered = table.groupby("method", sort=False)["covered"].mean()
    print("Coverage over everything: " + ", ".join(f"{method} {share:.1%}" for method, share in covered.items()) + ".")


if __name__ == "__main__":
    main()
