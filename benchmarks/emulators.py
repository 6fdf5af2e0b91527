"""Accuracy, calibration and cost of emulators against their peers, on the same designs and one thread.

    python benchmarks/emulators.py                      # everything that is not in the table yet, then the report
    python benchmarks/emulators.py --quick              # four functions, one seed, cheap peers: a few minutes
    python benchmarks/emulators.py --methods auto --again   # only ours, anew, after a change
    python benchmarks/emulators.py --report             # the report from the rows there are

Every row (function, runs, seed, method) goes into ``results/emulators.csv`` as soon as it is known; what is there is
not computed again, so that a benchmark that was interrupted goes on. Each method works in a process of its own:
whatever raises, crashes or takes too long is a row with that status. Peers that are not installed are left out and
named.

Needs, besides this package: smt, egobox, openturns, botorch.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import importlib.metadata
import importlib.util
import multiprocessing
import os
import platform
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats
from functions import FUNCTIONS
from scipy.stats import qmc

HERE = Path(__file__).parent
TABLE = HERE / "results" / "emulators.csv"
REPORT = HERE / "results" / "emulators.md"

# Threads of linear algebra: in the workers, which are started with these.
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")

FIELDS = ["function", "d", "n", "kind", "seed", "method", "status", "nrmse", "nlpd", "coverage", "crps"]
FIELDS += ["fit_seconds", "predict_seconds", "error"]
SEEDS = 5
TEST_POINTS = 3000
LARGE = {
    "borehole": (500, 1000, 2000),
    "piston": (500, 1000, 2000),
    "robot_arm": (500, 1000, 2000),
    "friedman": (500, 1000, 2000),
}
LARGE_SEEDS = 1
QUICK = ("branin", "friedman", "borehole", "sir_peak")

# Errors below this share of the output's standard deviation are all the same: exact.
EXACT = 1e-6

# Longest fit and prediction of one row, in seconds of wall clock.
TIME_LIMIT = 900.0

Prediction = tuple[np.ndarray, np.ndarray | None]
Fitted = Callable[[np.ndarray], Prediction]


def sklearn_gpr(u: np.ndarray, y: np.ndarray) -> Fitted:
    """Matern 5/2, one length scale an input, five restarts."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern

    kernel = ConstantKernel(1.0, (1e-3, 1e5)) * Matern(np.ones(u.shape[1]), (1e-2, 1e3), nu=2.5)
    model = GaussianProcessRegressor(kernel, n_restarts_optimizer=5, normalize_y=True, random_state=0).fit(u, y)
    return lambda v: model.predict(v, return_std=True)


def smt_krg(u: np.ndarray, y: np.ndarray) -> Fitted:
    """Defaults: squared exponential, ten starts."""
    from smt.surrogate_models import KRG

    model = KRG(print_global=False)
    model.set_training_values(u, y)
    model.train()
    return lambda v: (model.predict_values(v)[:, 0], np.sqrt(np.maximum(model.predict_variances(v)[:, 0], 0)))


def _egobox(correlation: str) -> Callable[[np.ndarray, np.ndarray], Fitted]:
    def fit(u: np.ndarray, y: np.ndarray) -> Fitted:
        import egobox

        spec = getattr(egobox.CorrelationSpec, correlation)
        model = egobox.Gpx.builder(regr_spec=egobox.RegressionSpec.CONSTANT, corr_spec=spec, seed=0).fit(u, y[:, None])
        return lambda v: (np.ravel(model.predict(v)), np.sqrt(np.maximum(np.ravel(model.predict_var(v)), 0)))

    return fit


def botorch_gp(u: np.ndarray, y: np.ndarray) -> Fitted:
    """SingleTaskGP with its defaults, double precision."""
    import torch
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.models.transforms import Standardize
    from gpytorch.mlls import ExactMarginalLogLikelihood

    torch.set_num_threads(1)
    model = SingleTaskGP(torch.tensor(u), torch.tensor(y[:, None]), outcome_transform=Standardize(m=1))
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))

    def predict(v: np.ndarray) -> Prediction:
        with torch.no_grad():
            found = model.posterior(torch.tensor(v))
            return found.mean.numpy()[:, 0], found.variance.clamp_min(0).sqrt().numpy()[:, 0]

    return predict


def openturns_gp(u: np.ndarray, y: np.ndarray) -> Fitted:
    """Matern 5/2 as a product is not there: the radial one, Cobyla from ten starts."""
    import openturns as ot

    ot.Log.Show(ot.Log.NONE)
    d = u.shape[1]
    fitter = ot.GaussianProcessFitter(
        ot.Sample(u), ot.Sample(y[:, None]), ot.MaternModel([0.5] * d, [1.0], 2.5), ot.ConstantBasisFactory(d).build()
    )
    bounds = ot.Interval([0.02] * d, [20.0] * d)
    starts = ot.LowDiscrepancyExperiment(ot.SobolSequence(), ot.JointDistribution([ot.LogUniform(-2.0, 2.0)] * d), 10)
    search = ot.MultiStart(ot.Cobyla(), starts.generate())
    search.setCheckStatus(False)
    fitter.setOptimizationBounds(bounds)
    fitter.setOptimizationAlgorithm(search)
    fitter.run()
    regression = ot.GaussianProcessRegression(fitter.getResult())
    regression.run()
    result = regression.getResult()
    covariance = ot.GaussianProcessConditionalCovariance(result)

    def predict(v: np.ndarray) -> Prediction:
        mean = np.array(result.getMetaModel()(ot.Sample(v)))[:, 0]
        variance = np.array(covariance.getConditionalMarginalVariance(ot.Sample(v)))[:, 0]
        return mean, np.sqrt(np.maximum(variance, 0))

    return predict


def openturns_pce(u: np.ndarray, y: np.ndarray) -> Fitted:
    """LARS with corrected leave-one-out; degree, and q of three, by its error."""
    import openturns as ot

    ot.Log.Show(ot.Log.NONE)
    n, d = u.shape
    uniform = ot.JointDistribution([ot.Uniform(0, 1)] * d)
    family = [ot.StandardDistributionPolynomialFactory(ot.Uniform(0, 1))] * d
    best, least = None, np.inf
    for q in (0.5, 0.75, 1.0):
        enumerate_terms = ot.HyperbolicAnisotropicEnumerateFunction(d, q)
        basis = ot.OrthogonalProductPolynomialFactory(family, enumerate_terms)
        for degree in range(1, 16):
            size = enumerate_terms.getBasisSizeFromTotalDegree(degree)
            if size > max(4 * n, 60) or size > 1200:
                break
            selection = ot.LeastSquaresMetaModelSelectionFactory(ot.LARS(), ot.CorrectedLeaveOneOut())
            sample = (ot.Sample(u), ot.Sample(y[:, None]))
            strategy = ot.LeastSquaresStrategy(*sample, selection)
            algorithm = ot.FunctionalChaosAlgorithm(*sample, uniform, ot.FixedStrategy(basis, size), strategy)
            with contextlib.suppress(Exception):  # a degree that it cannot solve is no candidate
                algorithm.run()
                result = algorithm.getResult()
                error = min(result.getErrorHistory())
                if error < least:
                    best, least = result, error
    if best is None:
        raise RuntimeError("no degree could be solved")
    model = best.getMetaModel()
    return lambda v: (np.array(model(ot.Sample(v)))[:, 0], None)


def _ours(name: str) -> Callable[[np.ndarray, np.ndarray], Fitted]:
    def fit(u: np.ndarray, y: np.ndarray) -> Fitted:
        import surrogate as sg

        model = getattr(sg, name)().fit(u, y)
        return lambda v: model.predict(v, return_std=True)

    return fit


@dataclass(frozen=True)
class Method:
    """How to fit; which distribution package it needs; up to how many runs it is asked."""

    fit: Callable[[np.ndarray, np.ndarray], Fitted]
    package: str
    largest: int = 2000
    ours: bool = False


METHODS: dict[str, Method] = {
    "auto": Method(_ours("AutoEmulator"), "surrogate-learn", ours=True),
    "gp": Method(_ours("GaussianProcess"), "surrogate-learn", ours=True),
    "pce": Method(_ours("PolynomialChaos"), "surrogate-learn", ours=True),
    "sklearn": Method(sklearn_gpr, "scikit-learn", 500),
    "egobox_se": Method(_egobox("SQUARED_EXPONENTIAL"), "egobox", 1000),
    "egobox_m52": Method(_egobox("MATERN52"), "egobox", 1000),
    "botorch": Method(botorch_gp, "botorch", 1000),
    "openturns_gp": Method(openturns_gp, "openturns", 500),
    "openturns_pce": Method(openturns_pce, "openturns", 500),
    "smt_krg": Method(smt_krg, "smt", 250),
}
MODULES = {"scikit-learn": "sklearn", "surrogate-learn": "surrogate"}


def design(function: str, n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training points and outputs, test points and outputs."""
    f = FUNCTIONS[function]
    better = "random-cd" if n <= 500 else None
    u = qmc.LatinHypercube(f.d, rng=np.random.default_rng(seed), optimization=better).random(n)
    v = np.random.default_rng(10_000 + seed).random((TEST_POINTS, f.d))
    return u, f(u), v, f(v)


def measure(function: str, n: int, seed: int, method: str) -> dict[str, Any]:
    """One row."""
    u, y, v, truth = design(function, n, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.process_time()
        predict = METHODS[method].fit(u, y)
        fitted = time.process_time()
        mean, std = predict(v)
        done = time.process_time()
    if not np.isfinite(mean).all():
        raise FloatingPointError("predictions are not finite")
    spread = truth.std()
    error = (truth - np.asarray(mean, dtype=float)) / spread
    row = {"nrmse": float(np.sqrt((error**2).mean())), "fit_seconds": fitted - start, "predict_seconds": done - fitted}
    if std is not None:
        # A standard deviation of exactly 0 has no density.
        s = np.maximum(np.asarray(std, dtype=float) / spread, 1e-12)
        z = error / s
        normal = scipy.stats.norm
        row["nlpd"] = float((0.5 * z**2 + np.log(s) + 0.5 * np.log(2 * np.pi)).mean())
        row["coverage"] = float((np.abs(z) <= normal.ppf(0.975)).mean())
        row["crps"] = float((s * (z * (2 * normal.cdf(z) - 1) + 2 * normal.pdf(z) - 1 / np.sqrt(np.pi))).mean())
    return row


def worker(pipe: Any, method: str) -> None:
    """Answer tasks until the pipe closes."""
    # The first fit pays for imports and for compiling.
    with contextlib.suppress(Exception):
        x = np.random.default_rng(0).random((20, 2))
        METHODS[method].fit(x, np.sin(3 * x[:, 0]) + x[:, 1])(x)
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send({"status": "done", **measure(*task, method)})
        except Exception as error:
            pipe.send({"status": "failed", "error": f"{type(error).__name__}: {error}"[:300].replace("\n", " ")})


class Worker:
    """A process that works for one method and is replaced when it dies or is stuck."""

    def __init__(self, method: str) -> None:
        self.method = method
        self._context = multiprocessing.get_context("spawn")
        self._process: Any = None
        self._pipe: Any = None

    def ask(self, task: tuple[str, int, int]) -> dict[str, Any]:
        """The row of a task, whatever happens."""
        if self._process is None:
            self._pipe, other = self._context.Pipe()
            self._process = self._context.Process(target=worker, args=(other, self.method), daemon=True)
            self._process.start()
            other.close()
        try:
            self._pipe.send(task)
            if self._pipe.poll(TIME_LIMIT):
                return self._pipe.recv()
            found = {"status": "timeout", "error": f"more than {TIME_LIMIT:g} s"}
        except (EOFError, OSError):
            self._process.join(5)
            found = {"status": "crashed", "error": f"process ended with {self._process.exitcode}"}
        self.close()
        return found

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.terminate()
            self._process.join(5)
        self._process = None


def tasks(quick: bool, seeds: int) -> list[tuple[str, int, str, int]]:
    """Function, runs, kind and seed of every row, cheap ones first."""
    names = QUICK if quick else tuple(FUNCTIONS)
    out = [(name, k * FUNCTIONS[name].d, f"{k}d", s) for k in (10, 25) for s in range(seeds) for name in names]
    if not quick:
        out += [(name, n, "large", s) for n in (500, 1000, 2000) for s in range(LARGE_SEEDS) for name in LARGE]
    return out


def read() -> pd.DataFrame:
    """The rows there are."""
    if not TABLE.exists():
        return pd.DataFrame(columns=FIELDS)
    return pd.read_csv(TABLE)


def write(rows: pd.DataFrame) -> None:
    """Replace the table, at once."""
    part = TABLE.with_suffix(".part")
    rows.to_csv(part, index=False)
    part.replace(TABLE)


def installed(method: str) -> bool:
    """Whether a method's package is there."""
    package = METHODS[method].package
    return importlib.util.find_spec(MODULES.get(package, package)) is not None


def compute(methods: list[str], quick: bool, seeds: int, again: bool) -> None:
    """Add the rows that are missing."""
    rows = read()
    wanted = tasks(quick, seeds)
    if again:
        keys = {(f, n, s) for f, n, _, s in wanted}
        drop = rows["method"].isin(methods) & [key in keys for key in zip(rows["function"], rows["n"], rows["seed"])]
        write(rows[~drop])
        rows = read()
    have = set(zip(rows["function"], rows["n"], rows["seed"], rows["method"]))
    if not TABLE.exists():
        TABLE.parent.mkdir(exist_ok=True)
        write(rows)
    workers = {method: Worker(method) for method in methods}
    todo = [
        (function, n, kind, seed, method)
        for function, n, kind, seed in wanted
        for method in methods
        if n <= METHODS[method].largest and (function, n, seed, method) not in have
    ]
    with TABLE.open("a", newline="") as file:
        out = csv.DictWriter(file, FIELDS)
        for i, (function, n, kind, seed, method) in enumerate(todo):
            row = workers[method].ask((function, n, seed))
            d = FUNCTIONS[function].d
            out.writerow({"function": function, "d": d, "n": n, "kind": kind, "seed": seed, "method": method, **row})
            file.flush()
            told = f"{row['nrmse']:.3g}, {row['fit_seconds']:.2f} s" if row["status"] == "done" else row["error"]
            print(f"{i + 1}/{len(todo)} {function} n={n} seed {seed} {method}: {told}", flush=True)
    for one in workers.values():
        one.close()


def geometric(values: Any) -> float:
    """Geometric mean."""
    return float(np.exp(np.mean(np.log(values)))) if len(values) else float("nan")


def won(ours: pd.Series, theirs: pd.Series) -> float:
    """Share of pairs in which ours is smaller; equal ones count half."""
    return float(((ours < theirs) + 0.5 * (ours == theirs)).mean())


def paired(rows: pd.DataFrame, ours: str, peer: str) -> dict[str, Any]:
    """One method against another, same function, runs and seed."""
    key = ["function", "n", "seed"]
    both = rows[rows["method"] == ours].merge(rows[rows["method"] == peer], on=key, suffixes=("", "_peer"))
    a, b = both["nrmse"].clip(lower=EXACT), both["nrmse_peer"].clip(lower=EXACT)
    certain = both.dropna(subset=["nlpd", "nlpd_peer"])
    out: dict[str, Any] = {"pairs": len(both)}
    if not len(both):
        return out
    out |= {"NRMSE won": f"{won(a, b):.0%}", "NRMSE ratio": geometric(a / b), "median ratio": float((a / b).median())}
    if len(certain):
        out |= {"NLPD won": f"{won(certain['nlpd'], certain['nlpd_peer']):.0%}"}
        out |= {"NLPD difference": float((certain["nlpd"] - certain["nlpd_peer"]).median())}
    return out | {"fit CPU ratio": geometric(both["fit_seconds"] / both["fit_seconds_peer"])}


def against_the_best(rows: pd.DataFrame, ours: str, peers: list[str]) -> pd.DataFrame:
    """Our error over that of the best peer of each function and kind, seeds averaged geometrically first."""
    clipped = rows.assign(nrmse=rows["nrmse"].clip(lower=EXACT))
    means = clipped.groupby(["kind", "function", "method"])["nrmse"].apply(geometric).unstack("method")
    known = [peer for peer in peers if peer in means]
    if ours not in means or not known:
        return pd.DataFrame(columns=["ours", "best", "peer", "ratio"])
    means = means.dropna(subset=[ours]).dropna(subset=known, how="all")
    best = means[known].min(axis=1)
    table = pd.DataFrame({"ours": means[ours], "best": best, "peer": means[known].idxmin(axis=1)})
    return table.assign(ratio=table["ours"] / table["best"])


def markdown(table: pd.DataFrame) -> str:
    """A table in Markdown, numbers to three digits."""

    def cell(value: Any) -> str:
        if isinstance(value, float):
            return "" if np.isnan(value) else f"{value:.3g}"
        return str(value)

    index = [*[str(name or "") for name in table.index.names]]
    lines = ["| " + " | ".join([*index, *map(str, table.columns)]) + " |", "|" + "---|" * (len(index) + table.shape[1])]
    for key, row in zip(table.index, table.itertuples(index=False)):
        keys = key if isinstance(key, tuple) else (key,)
        lines.append("| " + " | ".join([*map(str, keys), *map(cell, row)]) + " |")
    return "\n".join(lines)


def versions() -> str:
    """Packages and machine."""
    packages = ["surrogate-learn", "numpy", "scipy", "scikit-learn", "smt", "egobox", "openturns", "botorch", "torch"]
    found = []
    for name in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.append(f"{name} {importlib.metadata.version(name)}")
    processor = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), processor)
    return f"Python {platform.python_version()}, {', '.join(found)}. {processor}, one thread of {os.cpu_count()} cores."


def goals(done: pd.DataFrame, peers: list[str]) -> pd.DataFrame:
    """Each goal with what was measured."""
    small = done[done["kind"].isin(["10d", "25d"])]
    lines: list[tuple[str, str, str, bool]] = []

    def add(text: str, goal: str, value: float, met: bool, form: str) -> None:
        if not np.isnan(value):
            lines.append((text, goal, format(value, form), met))

    shares: dict[str, list[float]] = {"NRMSE won": [], "NLPD won": []}
    for peer in peers:
        found = paired(small, "auto", peer)
        for name, own in shares.items():
            if name in found:
                own.append(float(found[name].rstrip("%")) / 100)
    for name, own in shares.items():
        if own:
            add(
                f"AutoEmulator, {name.split()[0]}: pairs won against the peer that loses least",
                ">= 75%",
                min(own),
                min(own) >= 0.75,
                ".0%",
            )
    best = against_the_best(small, "auto", peers)
    for kind, part in best.groupby(level=0):
        ratio = geometric(part["ratio"])
        add(f"AutoEmulator, {kind}: error over that of each function's best peer", "<= 1.0", ratio, ratio <= 1.0, ".3f")
    if len(best):
        ratio = geometric(best["ratio"])
        add("the same, both sizes", "<= 1.0", ratio, ratio <= 1.0, ".3f")
    off = (small.loc[small["method"] == "auto", "coverage"] - 0.95).abs().mean()
    add("AutoEmulator: mean of abs(coverage - 0.95)", "<= 0.03", off, off <= 0.03, ".3f")
    cpu = paired(small, "auto", "sklearn").get("fit CPU ratio", float("nan"))
    add("AutoEmulator: fit CPU over scikit-learn's with 5 restarts", "<= 1", cpu, cpu <= 1, ".2f")
    for peer in ("sklearn", "egobox_se", "egobox_m52"):
        ratio = paired(small, "gp", peer).get("NRMSE ratio", float("nan"))
        add(f"GaussianProcess: error over {peer}'s", "< 1", ratio, ratio < 1, ".3f")
    pce = paired(small, "pce", "openturns_pce")
    if "NRMSE won" in pce:
        share = float(pce["NRMSE won"].rstrip("%")) / 100
        add("PolynomialChaos: pairs at least as accurate as OpenTURNS' LARS", ">= 80%", share, share >= 0.8, ".0%")
    table = pd.DataFrame(lines, columns=["goal", "wanted", "measured", "met"]).set_index("goal")
    return table.assign(met=np.where(table["met"], "yes", "**no**"))


def report() -> None:
    """Write the report from the rows there are."""
    rows = read()
    done = rows[rows["status"] == "done"]
    failed = rows[rows["status"] != "done"]
    peers = [name for name, method in METHODS.items() if not method.ours and name in set(done["method"])]
    ours = [name for name, method in METHODS.items() if method.ours and name in set(done["method"])]
    order = [name for name in METHODS if name in set(done["method"])]
    counts = done.groupby("kind").apply(
        lambda part: f"{part.function.nunique()} functions, {part.seed.nunique()} seeds"
    )
    text = [
        "# Emulators and their peers",
        "",
        f"{versions()} Latin hypercubes of n = 10 d, 25 d (" + "; ".join(f"{k}: {v}" for k, v in counts.items()) + "), "
        f"{TEST_POINTS} uniform test points. NRMSE is the root mean square error over the output's standard deviation "
        f"(below {EXACT:g} counted as exact), NLPD the mean negative log predictive density of standardised outputs, "
        "times are CPU seconds without imports. Made by `python benchmarks/emulators.py`.",
        "",
        "## Goals",
        "",
        markdown(goals(done, peers)),
        "",
    ]
    for kind in ("10d", "25d", "large"):
        part = done[done["kind"] == kind]
        if not len(part):
            continue
        groups = part.groupby("method")
        if kind == "large":
            text += ["## n = 500, 1000, 2000", ""]
            cells = part.assign(text=[f"{e:.2g} / {s:.3g}" for e, s in zip(part["nrmse"], part["fit_seconds"])])
            table = cells.pivot_table(index=["function", "n"], columns="method", values="text", aggfunc="first")
            ends = ", ".join(f"{m} {METHODS[m].largest}" for m in order if METHODS[m].largest < max(part["n"]))
            told = f"NRMSE / fit CPU s. Methods whose fits become too slow are asked for up to so many runs: {ends}."
            text += [told, "", markdown(table[[m for m in order if m in table]].fillna("")), ""]
            continue
        table = groups.agg(
            rows=("nrmse", "size"),
            **{"median NRMSE": ("nrmse", "median"), "median NLPD": ("nlpd", "median"), "mean NLPD": ("nlpd", "mean")},
            **{"mean coverage": ("coverage", "mean"), "median CRPS": ("crps", "median")},
            **{"fit CPU s": ("fit_seconds", "median"), "predict CPU s": ("predict_seconds", "median")},
        )
        off = (part["coverage"] - 0.95).abs().groupby(part["method"]).mean()
        table.insert(5, "mean abs(coverage - 0.95)", off)
        text += [f"## n = {kind[:-1]} d", "", markdown(table.loc[[m for m in order if m in table.index]]), ""]
    for mine in ours:
        small = done[done["kind"].isin(["10d", "25d"])]
        table = pd.DataFrame({peer: paired(small, mine, peer) for peer in peers}).T
        table.index.name = "peer"
        text += [f"## {mine} against each peer, same function, n and seed", ""]
        text += ["Ratios below 1 and negative differences are in our favour.", "", markdown(table), ""]
    best = against_the_best(done[done["kind"].isin(["10d", "25d"])], "auto", peers)
    if len(best):
        losses = best[best["ratio"] > 1.05].sort_values("ratio", ascending=False)
        text += ["## Where AutoEmulator loses", "", "More than 5% worse than the best peer of the function.", ""]
        text += [markdown(losses) if len(losses) else "Nowhere.", ""]
        text += ["## AutoEmulator against the best peer of each function", "", markdown(best), ""]
    text += ["## Failures", ""]
    text += (
        [markdown(failed[["function", "n", "seed", "method", "status", "error"]].set_index("function"))]
        if len(failed)
        else ["None."]
    )
    REPORT.write_text("\n".join(text).rstrip() + "\n")
    print(f"{REPORT.name}: {len(rows)} rows, {len(failed)} failures")


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="four functions, one seed, without the slowest peers")
    parser.add_argument("--methods", help="comma-separated; default: all that are installed")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--small", action="store_true", help="leave out n = 500, 1000 and 2000")
    parser.add_argument("--again", action="store_true", help="compute rows of these methods anew")
    parser.add_argument("--report", action="store_true", help="only write the report")
    asked = parser.parse_args()
    names = asked.methods.split(",") if asked.methods else list(METHODS)
    unknown = [name for name in names if name not in METHODS]
    if unknown:
        parser.error(f"unknown method {unknown[0]!r}; known: {', '.join(METHODS)}")
    missing = [name for name in names if not installed(name)]
    if missing:
        print("not installed, left out:", ", ".join(missing))
    names = [name for name in names if name not in missing]
    if asked.quick and not asked.methods:
        names = [name for name in names if name != "smt_krg"]
    if asked.small:
        LARGE.clear()
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    if not asked.report:
        compute(names, asked.quick, 1 if asked.quick else asked.seeds, asked.again)
    report()


if __name__ == "__main__":
    main()
