"""How accurate, calibrated and fast is the Gaussian process, next to its peers on the same designs with one thread?

    python -m benchmarks.gaussian_process [--seeds 3] [--rows 10 25] [--sizes 500] [--peers surrogate ...]

writes ``benchmarks/results/gaussian_process.md``. Peers that are not installed are left out. Cells of peers that are
not asked for are kept from the file beside it, so ``--peers surrogate`` measures only ours anew, and ``--peers`` none.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import multiprocessing
import os
import platform
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.stats
from numpy.typing import NDArray

from benchmarks.functions import FUNCTIONS

FloatArray = NDArray[np.float64]
Predict = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
RESULTS = Path(__file__).parent / "results"

TEST_ROWS = 2000

# Functions of the larger designs.
LARGE = ("borehole", "robot_arm")


def surrogate_default(x: FloatArray, y: FloatArray) -> Predict:
    from surrogate import GaussianProcess

    gp = GaussianProcess().fit(x, y)
    return lambda new: gp.predict(new, return_std=True)


def scikit_learn(x: FloatArray, y: FloatArray) -> Predict:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern

    kernel = ConstantKernel(1.0, (1e-3, 1e5)) * Matern(np.full(x.shape[1], 0.5), (1e-2, 1e3), nu=2.5)
    gp = GaussianProcessRegressor(kernel, alpha=1e-10, normalize_y=True, n_restarts_optimizer=5, random_state=0)
    gp.fit(x, y)
    return lambda new: gp.predict(new, return_std=True)


def _egobox(kernel: str) -> Callable[[FloatArray, FloatArray], Predict]:
    def fit(x: FloatArray, y: FloatArray) -> Predict:
        import egobox

        found = egobox.Gpx.builder(
            regr_spec=egobox.RegressionSpec.CONSTANT, corr_spec=getattr(egobox.CorrelationSpec, kernel), seed=0
        ).fit(x, y.reshape(-1, 1))
        return lambda new: (found.predict(new).ravel(), np.sqrt(np.maximum(found.predict_var(new).ravel(), 0.0)))

    return fit


def _botorch(matern: bool) -> Callable[[FloatArray, FloatArray], Predict]:
    def fit(x: FloatArray, y: FloatArray) -> Predict:
        import torch
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import SingleTaskGP
        from botorch.models.utils.gpytorch_modules import get_matern_kernel_with_gamma_prior
        from gpytorch.mlls import ExactMarginalLogLikelihood

        torch.set_num_threads(1)
        torch.manual_seed(0)
        data = torch.tensor(x), torch.tensor((y - y.mean()) / y.std())[:, None]
        kernel = get_matern_kernel_with_gamma_prior(x.shape[1]) if matern else None
        model = SingleTaskGP(*data, covar_module=kernel, outcome_transform=None)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))

        def predict(new: FloatArray) -> tuple[FloatArray, FloatArray]:
            with torch.no_grad():
                found = model.posterior(torch.tensor(new))
            mean, std = found.mean.numpy().ravel(), found.variance.sqrt().numpy().ravel()
            return y.mean() + y.std() * mean, y.std() * std

        return predict

    return fit


def openturns_matern(x: FloatArray, y: FloatArray) -> Predict:
    import openturns as ot

    ot.Log.Show(ot.Log.NONE)
    ot.RandomGenerator.SetSeed(0)
    d = x.shape[1]
    scaled = (y - y.mean()) / y.std()
    kernel = ot.MaternModel([0.5] * d, [1.0], 2.5)
    fitter = ot.GaussianProcessFitter(
        ot.Sample(x), ot.Sample(scaled[:, None]), kernel, ot.ConstantBasisFactory(d).build()
    )
    bounds = ot.Interval([1e-2] * d, [30.0] * d)
    starts = ot.LowDiscrepancyExperiment(
        ot.SobolSequence(), ot.JointDistribution([ot.LogUniform(np.log(0.05), np.log(10.0))] * d), 10
    ).generate()
    search = ot.MultiStart(ot.NLopt("LD_LBFGS"), starts)
    search.setCheckStatus(False)
    fitter.setOptimizationAlgorithm(search)
    fitter.setOptimizationBounds(bounds)
    fitter.run()
    regression = ot.GaussianProcessRegression(fitter.getResult())
    regression.run()
    result = regression.getResult()
    meta = result.getMetaModel()
    variance = ot.GaussianProcessConditionalCovariance(result)

    def predict(new: FloatArray) -> tuple[FloatArray, FloatArray]:
        mean = np.asarray(meta(ot.Sample(new))).ravel()
        var = np.asarray(variance.getConditionalMarginalVariance(ot.Sample(new))).ravel()
        return y.mean() + y.std() * mean, y.std() * np.sqrt(np.maximum(var, 0.0))

    return predict


def smt_kriging(x: FloatArray, y: FloatArray) -> Predict:
    from smt.surrogate_models import KRG

    model = KRG(print_global=False, seed=0)
    model.set_training_values(x, y)
    model.train()
    return lambda new: (
        model.predict_values(new).ravel(),
        np.sqrt(np.maximum(model.predict_variances(new).ravel(), 0.0)),
    )


# Name, how it is fitted, and the package whose version is told.
PEERS: dict[str, tuple[Callable[[FloatArray, FloatArray], Predict], str]] = {
    "surrogate": (surrogate_default, "surrogate-learn"),
    "scikit_learn": (scikit_learn, "scikit-learn"),
    "egobox_matern52": (_egobox("MATERN52"), "egobox"),
    "egobox_squared_exponential": (_egobox("SQUARED_EXPONENTIAL"), "egobox"),
    "botorch_default": (_botorch(False), "botorch"),
    "botorch_matern52": (_botorch(True), "botorch"),
    "openturns_matern52": (openturns_matern, "openturns"),
    "smt_kriging": (smt_kriging, "smt"),
}


def installed(package: str) -> str | None:
    """A package's version, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def design(name: str, rows: int, seed: int) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Training and test points with their values."""
    function = FUNCTIONS[name]
    x = scipy.stats.qmc.LatinHypercube(function.d, rng=seed).random(rows)
    new = np.random.default_rng(10_000 + seed).random((TEST_ROWS, function.d))
    return x, function(x), new, function(new)


def measure(task: tuple[str, str, int, int, str]) -> dict[str, object]:
    """One peer on one design: accuracy, calibration, CPU seconds; or its error."""
    peer, name, rows, seed, size = task
    x, y, new, actual = design(name, rows, seed)
    out: dict[str, object] = {"peer": peer, "function": name, "rows": rows, "size": size, "seed": seed}
    # Imports and first calls are no part of a fit.
    warm = np.random.default_rng(0).random((12, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            PEERS[peer][0](warm, warm.sum(axis=1) ** 2)(warm)
            start = time.process_time()
            predict = PEERS[peer][0](x, y)
            out["fit_seconds"] = time.process_time() - start
            start = time.process_time()
            mean, std = predict(new)
            out["predict_seconds"] = time.process_time() - start
        except Exception as error:  # a peer's failure is a result
            return out | {"error": f"{type(error).__name__}: {error}"[:200]}
    scale = actual.std()
    # A standard deviation of zero would cost an infinity: one of a millionth of a millionth is held against nobody.
    std = np.maximum(std, 1e-12 * scale)
    error = actual - mean
    density = scipy.stats.norm.logpdf(error / scale, 0.0, std / scale)
    return out | {
        "nrmse": float(np.sqrt((error**2).mean()) / scale),
        "interval_coverage": float((np.abs(error) <= scipy.stats.norm.ppf(0.975) * std).mean()),
        # Cut at 1e3 nat a point, so that one point cannot decide a mean.
        "nlpd": float(-np.maximum(density, -1e3).mean()),
    }


def summarise(cells: pd.DataFrame) -> pd.DataFrame:
    """One row a peer: medians over all cells, and paired against ours."""
    ours = cells[cells.peer == "surrogate"].set_index(["function", "rows", "seed"])
    rows = []
    for peer, part in sorted(cells.groupby("peer"), key=lambda group: (group[0] != "surrogate", group[0])):
        theirs = part.set_index(["function", "rows", "seed"])
        both = theirs.join(ours.add_suffix("_ours")).dropna(subset=["nrmse", "nrmse_ours"])
        by_function = part.groupby("function")["interval_coverage"].mean()
        rows.append(
            {
                "peer": peer,
                "cells": len(part),
                "NRMSE, median": part.nrmse.median(),
                "NRMSE / ours, geometric mean": np.exp(np.log(both.nrmse / both.nrmse_ours).mean()),
                "ours better in NRMSE": f"{(both.nrmse > both.nrmse_ours).mean():.0%}",
                "NLPD, median": part.nlpd.median(),
                "NLPD - ours, median": (both.nlpd - both.nlpd_ours).median(),
                "ours better in NLPD": f"{(both.nlpd > both.nlpd_ours).mean():.0%}",
                "coverage": part.interval_coverage.mean(),
                "\\|coverage - 0.95\\| a function": (by_function - 0.95).abs().mean(),
                "fit CPU s, median": part.fit_seconds.median(),
                "predicting 1e5, CPU s": part.predict_seconds.median() * 1e5 / TEST_ROWS,
                "fit CPU / ours, geometric mean": np.exp(np.log(both.fit_seconds / both.fit_seconds_ours).mean()),
                "failures": int(part.nrmse.isna().sum()),
            }
        )
    return pd.DataFrame(rows)


def markdown(table: pd.DataFrame) -> str:
    """A table as Markdown."""
    lines = ["| " + " | ".join(map(str, table.columns)) + " |", "|" + "---|" * len(table.columns)]
    for row in table.itertuples(index=False):
        cells = [f"{value:.3g}" if isinstance(value, float) else str(value) for value in row]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def report(cells: pd.DataFrame) -> str:
    """The page."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        cpu = next((line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line), cpu)
    versions = {package: installed(package) for package in sorted({package for _, package in PEERS.values()})}
    told = ", ".join(f"{package} {version}" for package, version in versions.items() if version)
    text = [
        "# Gaussian process: accuracy, calibration and CPU time next to peers",
        f"`python -m benchmarks.gaussian_process`: {cells.function.nunique()} functions of `benchmarks/functions.py`, "
        f"{cells.seed.nunique()} Latin hypercubes each, the same for all, one thread, {TEST_ROWS} test points. "
        "CPU seconds of one run without imports. Ratios above 1 and differences above 0 are in our favour, and compare "
        "the same cells (a function and a seed); slow peers were measured on fewer.",
        f"{told}; Python {platform.python_version()}, numpy {np.__version__}; {cpu}. "
        f"{(cells.fit_seconds.sum() + cells.predict_seconds.sum()) / 60:.0f} minutes of fits and predictions.",
    ]
    for size, part in cells.groupby("size", sort=False):
        text += [f"## n = {size}", markdown(summarise(part))]
        wide = part.pivot_table(
            index="function", columns="peer", values="nrmse", aggfunc=lambda v: np.exp(np.log(v).mean())
        )
        order = ["surrogate", *[c for c in wide.columns if c != "surrogate"]]
        wide = wide[order].assign(**{"best peer / ours": wide.drop(columns="surrogate").min(axis=1) / wide.surrogate})
        text += ["NRMSE, geometric mean over seeds:", markdown(wide.reset_index())]
        losses = wide[wide["best peer / ours"] < 1].sort_values("best peer / ours")
        text += [
            "Lost to the best peer of the function: "
            + (", ".join(f"{name} ({row['best peer / ours']:.2f})" for name, row in losses.iterrows()) or "none")
            + "."
        ]
    errors = (
        cells[cells.get("error", pd.Series(index=cells.index, dtype=object)).notna()] if "error" in cells else cells[:0]
    )
    if len(errors):
        text += ["## Failures", markdown(errors[["peer", "function", "rows", "seed", "error"]])]
    return "\n\n".join(text) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, nargs="*", default=[10, 25], help="runs an input")
    parser.add_argument("--sizes", type=int, nargs="*", default=[500], help="runs, on two functions and one seed")
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--functions", nargs="+", default=list(FUNCTIONS), choices=list(FUNCTIONS))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--output", type=Path, default=RESULTS / "gaussian_process.md")
    options = parser.parse_args()
    peers = [p for p in options.peers if p == "surrogate" or installed(PEERS[p][1])]
    tasks = [
        (peer, name, times * FUNCTIONS[name].d, seed, f"{times} d")
        for times in options.rows
        for peer in peers
        for name in options.functions
        for seed in range(options.seeds)
    ]
    tasks += [(peer, name, size, 0, str(size)) for size in options.sizes for peer in peers for name in LARGE]
    kept = options.output.with_suffix(".jsonl")
    lines = kept.read_text().splitlines() if kept.exists() else []
    # For workers that start afresh, so that their libraries see it.
    os.environ |= {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL", "RAYON")}
    cells = [cell for cell in map(json.loads, lines) if cell["peer"] not in peers]
    with ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn")) as pool, kept.open("w") as file:
        for cell in cells:
            file.write(json.dumps(cell) + "\n")
        for cell in pool.map(measure, tasks):
            cells.append(cell)
            file.write(json.dumps(cell) + "\n")
            file.flush()
    frame = pd.DataFrame(cells)
    page = report(frame)
    options.output.write_text(page)
    print(page)


if __name__ == "__main__":
    main()
