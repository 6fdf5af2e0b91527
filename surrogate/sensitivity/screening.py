"""Cheap measures that need a design of their own: Morris' elementary effects, FAST and derivatives (DGSM)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from SALib.analyze import dgsm as salib_dgsm
from SALib.analyze import fast as salib_fast
from SALib.analyze import morris as salib_morris
from SALib.sample import fast_sampler
from SALib.sample import morris as morris_sampler
from scipy.stats import qmc

from surrogate.designs._design import Rng, check_size, open_ends, seeded
from surrogate.sensitivity._source import Coordinates, source_of
from surrogate.sensitivity._table import (
    Failures,
    Groups,
    check_failures,
    half_width,
    problem_of,
    salib,
    seed_of,
    settled,
    table,
)
from surrogate.space import Real, Space

__all__ = ["dgsm", "fast", "morris"]

FloatArray = NDArray[np.float64]

# The outermost positions of inputs without ends, whose extreme quantiles would rule everything.
TAIL = 0.005
# Step of the finite differences, in the unit cube.
STEP = 1e-3
LEVELS = 4
# Harmonics that FAST tells apart, and with them its least number of points an input.
HARMONICS = 4


def morris(
    source: Any,
    space: Space | None = None,
    n: int = 20,
    rng: Rng = 0,
    *,
    outputs: str | list[str] | None = None,
    groups: Groups = None,
    failures: Failures = "drop",
    confidence: float = 0.95,
    coordinates: Coordinates = None,
    **running: Any,
) -> pd.DataFrame:
    """Elementary effects: how the output changes when one input moves two thirds of its range, from `n` starts.

    The cheapest way to see which of many inputs can be left alone.

    Parameters
    ----------
    source : Simulator, str, emulator, mapping of output to emulator, Runs or RunStore
        As in :func:`sobol_indices`.
    space : Space, optional
        How the inputs of an emulator vary.
    n : int
        Number of trajectories; a simulator is run ``n * (d + 1)`` times.
    rng : int, numpy Generator or None
    outputs : str or list of str, optional
        By default all scalar outputs.
    groups : mapping of str to list of str, optional
        Inputs that move together.
    failures : {"drop", "fill", "raise"}
        Leave out trajectories in which a run failed, have the runs predicted from the others, or raise.
    confidence : float
        Of the interval of ``mu_star``.
    coordinates : {"unit", "own"}, optional
        As in :func:`sobol_indices`.
    **running
        Options of :func:`surrogate.run`.

    Returns
    -------
    DataFrame
        Columns ``mu`` (mean effect, per unit of the unit cube), ``mu_star`` (mean of its size) with its interval
        ``mu_star_low``, ``mu_star_high``, and ``sigma`` (standard deviation: curved or interacting; NaN for a group).

    References
    ----------
    .. [1] M. D. Morris, "Factorial sampling plans for preliminary computational experiments", Technometrics 33(2),
       1991.
    .. [2] F. Campolongo, J. Cariboni, A. Saltelli, "An effective screening design for sensitivity analysis of large
       models", Environmental Modelling & Software 22(10), 2007.

    Examples
    --------
    >>> from surrogate.simulation import simulator
    >>> @simulator(space=Space(a=Real(0, 1), b=Real(0, 1)), outputs=["y"])
    ... def line(a, b):
    ...     return {"y": 2 * a - b}
    >>> morris(line, n=4, n_jobs=0)[["mu", "mu_star"]].round(6)
           mu  mu_star
    input
    a      2.0      2.0
    b     -1.0      1.0
    """
    n = check_size(n)
    if n < 2:
        raise ValueError(f"n must be at least 2 trajectories, got {n}")
    check_failures(failures)
    half_width(confidence)
    asked = source_of(source, space, outputs, coordinates, running, rng)
    generator, _ = seeded(rng)
    problem, names = problem_of(asked.space, groups)
    with salib():
        u = morris_sampler.sample(problem, n, num_levels=LEVELS, seed=seed_of(generator))
    y = asked.answers(_inside(asked.space, u))
    u, y, facts = settled(u, y, n, failures, 2, "trajectories", generator)
    parts = {}
    for k, name in enumerate(asked.outputs):
        with salib():
            found = salib_morris.analyze(
                problem, u, y[:, k].copy(), num_levels=LEVELS, conf_level=confidence, seed=seed_of(generator)
            )
        size, wide = np.asarray(found["mu_star"], dtype=float), np.asarray(found["mu_star_conf"], dtype=float)
        parts[name] = {
            "mu": np.asarray(found["mu"], dtype=float),
            "mu_star": size,
            "mu_star_low": np.maximum(size - wide, 0.0),
            "mu_star_high": size + wide,
            "sigma": np.asarray(found["sigma"], dtype=float),
        }
    return table(parts, names, "morris", facts | {"confidence": confidence})


def fast(
    source: Any,
    space: Space | None = None,
    n: int = 256,
    rng: Rng = 0,
    *,
    outputs: str | list[str] | None = None,
    failures: Failures = "fill",
    coordinates: Coordinates = None,
    **running: Any,
) -> pd.DataFrame:
    """First-order and total indices by the extended Fourier amplitude sensitivity test.

    Parameters
    ----------
    source : Simulator, str, emulator, mapping of output to emulator, Runs or RunStore
        As in :func:`sobol_indices`.
    space : Space, optional
        How the inputs of an emulator vary.
    n : int
        Number of points an input, more than 64; a simulator is run ``n * d`` times.
    rng : int, numpy Generator or None
    outputs : str or list of str, optional
    failures : {"fill", "raise"}
        A search curve must not have holes: failed runs are predicted from the others.
    coordinates : {"unit", "own"}, optional
        As in :func:`sobol_indices`.
    **running
        Options of :func:`surrogate.run`.

    Returns
    -------
    DataFrame
        Columns ``first`` and ``total``. There are no intervals: those that SALib offers are not reliable (SALib 649).

    References
    ----------
    .. [1] A. Saltelli, S. Tarantola, K. P.-S. Chan, "A quantitative model-independent method for global sensitivity
       analysis of model output", Technometrics 41(1), 1999.

    Examples
    --------
    >>> from surrogate.simulation import simulator
    >>> @simulator(space=Space(a=Real(0, 1), b=Real(0, 1)), outputs=["y"])
    ... def line(a, b):
    ...     return {"y": 2 * a + b}
    >>> fast(line, n_jobs=0)["first"].round(1).tolist()
    [0.8, 0.2]
    """
    n = check_size(n)
    if n <= 4 * HARMONICS**2:
        raise ValueError(f"n must be more than {4 * HARMONICS**2} points an input, got {n}")
    check_failures(failures, ("fill", "raise"))
    asked = source_of(source, space, outputs, coordinates, running, rng)
    generator, _ = seeded(rng)
    problem, names = problem_of(asked.space)
    with salib():
        u = fast_sampler.sample(problem, n, M=HARMONICS, seed=seed_of(generator))
    y = asked.answers(_inside(asked.space, u))
    u, y, facts = settled(u, y, 1, failures, 1, "search curves", generator)
    parts = {}
    for k, name in enumerate(asked.outputs):
        if np.ptp(y[:, k]) == 0:
            parts[name] = {"first": np.zeros(len(names)), "total": np.zeros(len(names))}
            continue
        with salib():
            found = salib_fast.analyze(problem, y[:, k], M=HARMONICS, num_resamples=2, seed=seed_of(generator))
        parts[name] = {"first": np.asarray(found["S1"], dtype=float), "total": np.asarray(found["ST"], dtype=float)}
    return table(parts, names, "fast", facts | {"n": n})


def dgsm(
    source: Any,
    space: Space | None = None,
    n: int = 256,
    rng: Rng = 0,
    *,
    outputs: str | list[str] | None = None,
    failures: Failures = "drop",
    confidence: float = 0.95,
    coordinates: Coordinates = None,
    **running: Any,
) -> pd.DataFrame:
    """Derivative-based measure: an upper bound of each total Sobol index from squared derivatives.

    Parameters
    ----------
    source : Simulator, str, emulator, mapping of output to emulator, Runs or RunStore
        As in :func:`sobol_indices`. Its answers must be smooth: differences over a thousandth of the range are taken.
    space : Space, optional
        How the inputs of an emulator vary. All inputs must be real numbers.
    n : int
        Number of base points; a simulator is run ``n * (d + 1)`` times.
    rng : int, numpy Generator or None
    outputs : str or list of str, optional
    failures : {"drop", "fill", "raise"}
        Leave out base points around which a run failed, have the runs predicted from the others, or raise.
    confidence : float
        Of the intervals.
    coordinates : {"unit", "own"}, optional
        As in :func:`sobol_indices`.
    **running
        Options of :func:`surrogate.run`.

    Returns
    -------
    DataFrame
        Columns ``derivative`` (mean squared derivative by the position in the unit cube), ``bound``, ``bound_low``,
        ``bound_high`` (of the total index).

    References
    ----------
    .. [1] I. M. Sobol', S. Kucherenko, "Derivative based global sensitivity measures and their link with global
       sensitivity indices", Mathematics and Computers in Simulation 79(10), 2009.

    Examples
    --------
    >>> from surrogate.simulation import simulator
    >>> @simulator(space=Space(a=Real(0, 1), b=Real(0, 1)), outputs=["y"])
    ... def line(a, b):
    ...     return {"y": 2 * a + b}
    >>> dgsm(line, n_jobs=0)["derivative"].round(6).tolist()
    [4.0, 1.0]
    """
    n = check_size(n)
    check_failures(failures)
    half = half_width(confidence)
    asked = source_of(source, space, outputs, coordinates, running, rng)
    discrete = [name for name, p in asked.space.items() if not isinstance(p, Real)]
    if discrete:
        raise ValueError(
            f"dgsm needs derivatives, but {discrete[0]!r} is not a real number; use morris or sobol_indices"
        )
    generator, _ = seeded(rng)
    d = asked.space.d
    base = qmc.Sobol(d, rng=generator).random_base2((n - 1).bit_length())[:n]
    base = _inside(asked.space, base)
    u = np.repeat(base, d + 1, axis=0)
    for k in range(d):
        # Backward where a forward step would leave the cube. (SALib's own sampler steps in proportion to the value and
        # cuts at the bound, which makes steps of no length.)
        u[k + 1 :: d + 1, k] += np.where(base[:, k] + STEP <= 1, STEP, -STEP)
    u, y, facts = settled(u, asked.answers(u), n, failures, 8, "base points", generator)
    problem, names = problem_of(asked.space)
    parts = {}
    for k, name in enumerate(asked.outputs):
        if np.ptp(y[:, k]) == 0:
            parts[name] = {c: np.zeros(d) for c in ("derivative", "bound", "bound_low", "bound_high")}
            continue
        with salib():
            found = salib_dgsm.analyze(problem, u, y[:, k], conf_level=confidence, seed=seed_of(generator))
        derivative = np.asarray(found["vi"], dtype=float)
        bound = np.asarray(found["dgsm"], dtype=float)
        # SALib's interval is of the mean squared derivative, in its units: brought to the bound's.
        wide = half * np.asarray(found["vi_std"], dtype=float) / np.sqrt(len(y) / (d + 1))
        wide = np.divide(wide * bound, derivative, out=np.zeros(d), where=derivative > 0)
        parts[name] = {
            "derivative": derivative,
            "bound": bound,
            "bound_low": np.maximum(bound - wide, 0.0),
            "bound_high": bound + wide,
        }
    return table(parts, names, "dgsm", facts | {"confidence": confidence})


def _inside(space: Space, u: FloatArray) -> FloatArray:
    """Positions with the extremes of inputs without ends drawn in."""
    u = np.array(u, dtype=float)
    columns = open_ends(space)
    u[:, columns] = TAIL + (1 - 2 * TAIL) * u[:, columns]
    return u
