"""Are our designs better than others' at the same cost?

    python benchmarks/designs.py [--seeds 5] [--dimensions 2 5 10 20] > benchmarks/results/designs.md

Every peer gets as much CPU time as SMT's ESE takes at that size (measured on its first seed): SciPy and pyDOE by more
iterations, OpenTURNS by a longer and slower annealing; ours takes its default effort, which is less. All are Latin
hypercubes of n = 10 d points in the unit cube. Needs scipy, pydoe, smt, openturns.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import time
import warnings
from collections.abc import Callable

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import openturns as ot
import pandas as pd
import pydoe
from scipy.spatial.distance import pdist
from scipy.stats import qmc
from smt.sampling_methods import LHS

from surrogate.designs import latin_hypercube
from surrogate.space import Real, Space

ot.Log.Show(ot.Log.NONE)
Design = Callable[[int, int, int, float], np.ndarray]


def scipy_random_cd(n: int, d: int, seed: int, seconds: float) -> np.ndarray:
    """Its optimisation stops by itself; restarted until the time is used, the best is kept."""
    return best_of(lambda k: qmc.LatinHypercube(d, optimization="random-cd", rng=1000 * seed + k).random(n), seconds)


def scipy_sobol(n: int, d: int, seed: int, seconds: float) -> np.ndarray:
    def draw(k: int) -> np.ndarray:
        return qmc.Sobol(d, rng=1000 * seed + k).random_base2((n - 1).bit_length())[:n]

    return best_of(draw, seconds)


def best_of(draw: Callable[[int], np.ndarray], seconds: float) -> np.ndarray:
    start, found, k = time.process_time(), [], 0
    while not found or time.process_time() - start < seconds:
        x = draw(k)
        found.append((qmc.discrepancy(x), x))
        found = [min(found, key=lambda pair: pair[0])]
        k += 1
    return found[0][1]


def pydoe_maximin(n: int, d: int, seed: int, seconds: float) -> np.ndarray:
    start = time.process_time()
    pydoe.lhs(d, n, criterion="maximin", iterations=20, seed=seed)
    iterations = max(20, int(20 * seconds / max(time.process_time() - start, 1e-4)))
    return pydoe.lhs(d, n, criterion="maximin", iterations=iterations, seed=seed)


def smt_ese(n: int, d: int, seed: int, seconds: float) -> np.ndarray:
    return LHS(xlimits=np.array([[0.0, 1.0]] * d), criterion="ese", seed=seed)(n)


def annealing(criterion: Callable[[], object]) -> Design:
    def design(n: int, d: int, seed: int, seconds: float) -> np.ndarray:
        def anneal(iterations: int) -> np.ndarray:
            ot.RandomGenerator.SetSeed(seed)
            lhs = ot.LHSExperiment(ot.JointDistribution([ot.Uniform(0, 1)] * d), n)
            lhs.setAlwaysShuffle(True)
            # The default cools by 0.95 over 2,000 steps; a longer run cools as much more slowly.
            profile = ot.GeometricProfile(10.0, 0.95 ** (2000 / iterations), iterations)
            return np.array(ot.SimulatedAnnealingLHS(lhs, criterion(), profile).generate())

        start = time.process_time()
        x = anneal(2000)
        spent = time.process_time() - start
        iterations = int(2000 * seconds / spent)
        return anneal(iterations) if iterations > 2000 else x

    return design


def ours(criterion: str) -> Design:
    def design(n: int, d: int, seed: int, seconds: float) -> np.ndarray:
        space = Space({f"x{k}": Real(0, 1) for k in range(d)})
        return latin_hypercube(space, n, rng=seed, criterion=criterion).to_numpy()

    return design


PEERS: dict[str, Design] = {
    "SciPy random-cd": scipy_random_cd,
    "SciPy Sobol, best of many": scipy_sobol,
    "pyDOE maximin": pydoe_maximin,
    "SMT ESE": smt_ese,
    "OpenTURNS annealing phi_p": annealing(ot.SpaceFillingPhiP),
    "OpenTURNS annealing C2": annealing(ot.SpaceFillingC2),
}
OURS: dict[str, Design] = {
    "surrogate maximin": ours("maximin"),
    "surrogate ese": ours("ese"),
    "surrogate discrepancy": ours("discrepancy"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--dimensions", type=int, nargs="+", default=[2, 5, 10, 20])
    asked = parser.parse_args()
    rows = []
    for d in asked.dimensions:
        n = 10 * d
        start = time.process_time()
        smt_ese(n, d, 0, 0.0)
        budget = time.process_time() - start
        for name, design in (PEERS | OURS).items():
            for seed in range(asked.seeds):
                start = time.process_time()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    x = design(n, d, seed, budget)
                seconds = time.process_time() - start
                rows.append((d, name, pdist(x).min(), qmc.discrepancy(x), seconds))
    table = pd.DataFrame(rows, columns=["d", "sampler", "distance", "discrepancy", "CPU s"])
    report(table, asked.seeds)


def report(table: pd.DataFrame, seeds: int) -> None:
    versions = ", ".join(
        f"{p} {importlib.metadata.version(p)}" for p in ("numpy", "scipy", "pydoe", "smt", "openturns")
    )
    print("# Designs: smallest distance and centred discrepancy at n = 10 d\n")
    print(f"Mean of {seeds} seeds; one thread. {versions}; Python {platform.python_version()}, {platform.machine()}.")
    print("Peers may use the CPU time of SMT's ESE; ours uses its default effort.\n")
    means = table.groupby(["sampler", "d"], sort=False).mean().unstack("d")
    dimensions = sorted(table["d"].unique())
    print("| sampler | " + " | ".join(f"d = {d}: distance / discrepancy / CPU s" for d in dimensions) + " |")
    print("|---|" + "---|" * len(dimensions))
    for name in means.index:
        cells = [
            f"{means.loc[name, ('distance', d)]:.3f} / {means.loc[name, ('discrepancy', d)]:.5f} / "
            f"{means.loc[name, ('CPU s', d)]:.2f}"
            for d in dimensions
        ]
        print(f"| {name} | " + " | ".join(cells) + " |")
    print("\n| against the best peer | " + " | ".join(f"d = {d}" for d in dimensions) + " |")
    print("|---|" + "---|" * len(dimensions))
    peers = means.loc[list(PEERS)]
    for what, mine, column, best in (
        ("distance: ours / best peer's (above 1 we win)", "surrogate maximin", "distance", "max"),
        ("discrepancy: ours / best peer's (below 1 we win)", "surrogate discrepancy", "discrepancy", "min"),
    ):
        cells = []
        for d in dimensions:
            other = getattr(peers[column, d], best)()
            who = getattr(peers[column, d], "idx" + best)()
            cells.append(f"{means.loc[mine, (column, d)] / other:.3f} ({who})")
        print(f"| {what} | " + " | ".join(cells) + " |")
    slowest = means.loc[list(OURS), "CPU s"].max()
    cells = [f"{slowest[d] / means.loc['SMT ESE', ('CPU s', d)]:.2f}" for d in dimensions]
    print("| CPU: our slowest / SMT ESE's | " + " | ".join(cells) + " |")
    print("\nn = 1,000, d = 20 (one seed; random Latin hypercube for comparison):\n")
    print("| sampler | distance | discrepancy | CPU s |")
    print("|---|---|---|---|")
    space = Space({f"x{k}": Real(0, 1) for k in range(20)})
    for criterion in (None, "maximin", "discrepancy"):
        start = time.process_time()
        x = latin_hypercube(space, 1000, rng=0, criterion=criterion).to_numpy()
        seconds = time.process_time() - start
        print(f"| {criterion or 'random'} | {pdist(x).min():.3f} | {qmc.discrepancy(x):.4f} | {seconds:.1f} |")


if __name__ == "__main__":
    main()
