"""Measures that any runs will do for: Borgonovo's delta with first-order indices, and PAWN."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from SALib.analyze import delta as salib_delta

from surrogate.designs._design import Rng, check_size, seeded
from surrogate.designs.sobol import sobol
from surrogate.sensitivity._source import Coordinates, GivenRuns, source_of
from surrogate.sensitivity._table import (
    enough,
    half_width,
    problem_of,
    salib,
    seed_of,
    table,
)
from surrogate.space import Space

__all__ = ["delta", "pawn"]

FloatArray = NDArray[np.float64]

# Fewer runs make too few in each slice of an input.
LEAST_RUNS = 30
RESAMPLES = 60

# Output values that more than this share of the runs have are atoms: a density cannot show them.
ATOM = 0.05
# Into how many parts inputs and outputs are cut at most where there are atoms, and how many runs a part needs.
PARTS = 10
LEAST_IN_PART = 15


def delta(
    source: Any,
    space: Space | None = None,
    n: int = 512,
    rng: Rng = 0,
    *,
    outputs: str | list[str] | None = None,
    confidence: float = 0.95,
    coordinates: Coordinates = None,
    **running: Any,
) -> pd.DataFrame:
    """Borgonovo's delta, and first-order indices, from any runs.

    Delta is how much of the output's whole distribution, not only of its variance, depends on the input: 0 if they are
    independent, 1 if the input decides everything.

    Parameters
    ----------
    source : Runs, RunStore, Simulator, str, emulator, or mapping of output to emulator
        Runs that exist are used as they are; failed ones, and those at other levels than the truest among them, are
        left out. Others are asked at `n` Sobol points.
    space : Space, optional
        How the inputs of an emulator vary.
    n : int
        Number of points, if they are to be made.
    rng : int, numpy Generator or None
    outputs : str or list of str, optional
        By default all scalar outputs.
    confidence : float
        Of the intervals.
    coordinates : {"unit", "own"}, optional
        As in :func:`sobol_indices`.
    **running
        Options of :func:`surrogate.run`.

    Returns
    -------
    DataFrame
        Columns ``delta``, ``delta_low``, ``delta_high``, ``first``, ``first_low``, ``first_high`` (the share of
        variance that a curve through the runs over the input alone explains). ``attrs["estimates"]`` holds for each
        output how delta was found: of ``"densities"`` (by SALib), or of ``"frequencies"`` where more than a twentieth
        of the runs have the same value, such as 0 and 1, counts, or an output that is cut off.

    Raises
    ------
    TooManyFailuresError
        If fewer than 30 runs are finished.

    References
    ----------
    .. [1] E. Borgonovo, "A new uncertainty importance measure", Reliability Engineering & System Safety 92(6), 2007.
    .. [2] E. Plischke, E. Borgonovo, C. L. Smith, "Global sensitivity measures from given data", European Journal of
       Operational Research 226(3), 2013.

    Examples
    --------
    >>> from surrogate.simulation import simulator
    >>> from surrogate.space import Real
    >>> @simulator(space=Space(a=Real(0, 1), b=Real(0, 1)), outputs=["y"])
    ... def line(a, b):
    ...     return {"y": 4 * a + b}
    >>> delta(line, n=128, n_jobs=0)["delta"].idxmax()
    'a'
    """
    half = half_width(confidence)
    asked, u, y, facts = _data(source, space, n, rng, outputs, coordinates, running)
    generator, _ = seeded(rng)
    problem, names = problem_of(asked.space)
    parts, estimates = {}, {}
    columns = [f"{measure}{end}" for measure in ("delta", "first") for end in ("", "_low", "_high")]
    for k, name in enumerate(asked.outputs):
        if np.ptp(y[:, k]) == 0:
            parts[name] = dict.fromkeys(columns, np.zeros(len(names)))
            continue
        atoms = _atoms(y[:, k])
        estimates[name] = "frequencies" if atoms.any() else "densities"
        if atoms.any():
            middle, error = np.transpose([_of_frequencies(column, y[:, k], atoms, generator) for column in u.T])
            wide = half * error
        else:
            middle, wide = _of_densities(problem, u, y[:, k], confidence, generator)
        first = np.array([_first_order(u[:, i], y[:, k], half, generator) for i in range(len(names))])
        values = (middle, middle - wide, middle + wide, *first.T)
        parts[name] = dict(zip(columns, values, strict=True))
    return table(parts, names, "delta", facts | {"confidence": confidence, "estimates": estimates})


def pawn(
    source: Any,
    space: Space | None = None,
    n: int = 512,
    rng: Rng = 0,
    *,
    outputs: str | list[str] | None = None,
    slices: int = 10,
    coordinates: Coordinates = None,
    **running: Any,
) -> pd.DataFrame:
    """PAWN: how far an input's slices move the output's distribution function, from any runs.

    Parameters
    ----------
    source : Runs, RunStore, Simulator, str, emulator, or mapping of output to emulator
        As in :func:`delta`.
    space : Space, optional
    n : int
    rng : int, numpy Generator or None
    outputs : str or list of str, optional
    slices : int
        Into how many parts of equal probability each input is cut; one of no more different values has a slice each.
    coordinates : {"unit", "own"}, optional
    **running
        Options of :func:`surrogate.run`.

    Returns
    -------
    DataFrame
        Columns ``median``, ``mean``, ``minimum``, ``maximum`` of the largest distances between the distribution
        function in a slice and over all, and ``chance``: the median that an input without any influence reaches in 19
        of 20 cases. Below it, nothing is shown.

    References
    ----------
    .. [1] F. Pianosi, T. Wagener, "Distribution-based sensitivity analysis from a generic input-output sample",
       Environmental Modelling & Software 108, 2018.

    Examples
    --------
    >>> from surrogate.simulation import simulator
    >>> from surrogate.space import Real
    >>> @simulator(space=Space(a=Real(0, 1), b=Real(0, 1)), outputs=["y"])
    ... def line(a, b):
    ...     return {"y": 4 * a + b}
    >>> pawn(line, n=128, n_jobs=0)["median"].idxmax()
    'a'
    """
    slices = check_size(slices, "slices")
    if slices < 2:
        raise ValueError(f"slices must be at least 2, got {slices}")
    asked, u, y, facts = _data(source, space, n, rng, outputs, coordinates, running)
    generator, _ = seeded(rng)
    names = list(asked.space)
    # Columns of pure chance show what the measure is worth when there is nothing to find.
    dummies = generator.random((len(u), 20))
    cut = [_slice_of_each(column, slices) for column in np.hstack([u, dummies]).T]
    parts = {}
    for k, name in enumerate(asked.outputs):
        distances = [_distances(own, y[:, k]) for own in cut]
        columns: dict[str, Any] = {"median": np.median, "mean": np.mean, "minimum": np.min, "maximum": np.max}
        values = {c: np.array([how(own) for own in distances]) for c, how in columns.items()}
        chance = float(np.quantile(values["median"][len(names) :], 0.95))
        parts[name] = {c: v[: len(names)] for c, v in values.items()} | {"chance": np.full(len(names), chance)}
    return table(parts, names, "pawn", facts | {"slices": slices})


def _atoms(y: FloatArray) -> NDArray[np.bool_]:
    """Which runs have an output that many others have too, shape (n,)."""
    _, place, counts = np.unique(y, return_inverse=True, return_counts=True)
    return np.asarray(counts[place] > ATOM * len(y))


def _of_densities(
    problem: dict[str, Any], u: FloatArray, y: FloatArray, confidence: float, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Delta of each input by SALib, and half the width of its interval; classes of equal outputs count as nothing."""
    with salib():
        found = salib_delta.analyze(problem, u, y, conf_level=confidence, seed=seed_of(rng), method="delta")
    # SALib 1.6 has several kinds in place of its one delta; the balanced one is corrected for its bias as that was.
    kind = "delta" if "delta" in found else "delta_balanced"
    return np.asarray(found[kind], dtype=float), np.asarray(found[f"{kind}_conf"], dtype=float)


def _of_frequencies(
    u: FloatArray, y: FloatArray, atoms: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[float, float]:
    """Delta of one input from how often which outputs occur in its slices, and its standard deviation.

    Each atom is a cell of its own, the other outputs lie in cells of about the same size. The bias of so many
    frequencies is taken off by a bootstrap, as SALib does (Plischke et al. 2013, eq. 30).
    """
    n = len(y)
    parts = min(PARTS, n // LEAST_IN_PART)
    cells = np.stack([_slice_of_each(y, parts), np.where(atoms, np.unique(y, return_inverse=True)[1], -1)])
    part, cell = _slice_of_each(u, parts), np.unique(cells, axis=1, return_inverse=True)[1].ravel()
    counts = np.zeros((part.max() + 1, cell.max() + 1))
    np.add.at(counts, (part, cell), 1)
    resampled = _dependence(rng.multinomial(n, counts.ravel() / n, size=RESAMPLES).reshape(-1, *counts.shape) / n)
    middle = 2 * float(_dependence(counts / n)) - float(resampled.mean())
    return max(middle, 0.0), float(resampled.std(ddof=1))


def _dependence(joint: FloatArray) -> FloatArray:
    """Half the distance of joint frequencies, shape (..., slices, cells), from those of independence."""
    apart = joint - joint.sum(axis=-1, keepdims=True) * joint.sum(axis=-2, keepdims=True)
    return np.asarray(0.5 * np.abs(apart).sum(axis=(-1, -2)))


def _slice_of_each(u: FloatArray, slices: int) -> NDArray[np.int64]:
    """Which slice of an input each run lies in; some may hold none where values repeat.

    Slices are closed on the left, the last on both sides. SALib leaves it open, and so the highest value of a discrete
    input out.
    """
    values, place = np.unique(u, return_inverse=True)
    if len(values) <= slices:
        return place
    return np.searchsorted(np.quantile(u, np.arange(1, slices) / slices), u, side="right")


def _distances(part: NDArray[np.int64], y: FloatArray) -> FloatArray:
    """Kolmogorov-Smirnov distances of the outputs in each slice from those of all runs, (number of slices,)."""
    values, place = np.unique(y, return_inverse=True)
    whole = np.cumsum(np.bincount(place)) / len(y)
    own = [np.cumsum(np.bincount(place[part == k], minlength=len(values))) for k in np.unique(part)]
    return np.array([np.abs(counts / counts[-1] - whole).max() for counts in own])


def _first_order(u: FloatArray, y: FloatArray, half: float, rng: np.random.Generator) -> tuple[float, float, float]:
    """First-order index and its limits: the share of variance that a curve through the runs over one input explains.

    The curve is a sum of cosines, as many as generalised cross-validation wants; their number is paid for in the share
    (adjusted R^2). SALib's estimate takes means over classes of the input, 5 for 512 runs, which lose what happens
    within a class: of the Ishigami function's 0.44 they find 0.25.
    """
    n = len(u)
    most = min(20, n // 10, len(np.unique(u)) - 1)
    if most < 1:
        return 0.0, 0.0, 0.0
    basis = np.cos(np.pi * u[:, None] * np.arange(most + 1))
    z = y - y.mean()
    q = np.linalg.qr(basis)[0]
    rest = (z**2).sum() - np.cumsum((q.T @ z) ** 2)
    terms = np.arange(1, most + 2)
    size = int(np.argmin(rest / (1 - terms / n) ** 2)) + 1
    basis = basis[:, :size]

    def share(rows: NDArray[np.int64]) -> float:
        left = y[rows] - basis[rows] @ np.linalg.lstsq(basis[rows], y[rows], rcond=None)[0]
        whole = y[rows].var()
        return float(1 - left @ left / (n - size) / (whole * n / (n - 1))) if whole > 0 else 0.0

    middle = share(np.arange(n))
    error = float(np.std([share(rng.integers(n, size=n)) for _ in range(RESAMPLES)], ddof=1))
    # Near zero a bootstrap sees too little: there the share has the standard deviation sqrt(2 size) / n of pure chance.
    wide = half * float(np.hypot(error, np.sqrt(2 * size) / n))
    return middle, middle - wide, middle + wide


def _data(
    source: Any,
    space: Space | None,
    n: int,
    rng: Rng,
    outputs: str | list[str] | None,
    coordinates: Coordinates,
    running: dict[str, Any],
) -> tuple[Any, FloatArray, FloatArray, dict[str, Any]]:
    """The source, positions and outputs of finished runs, and what to tell of them."""
    asked = source_of(source, space, outputs, coordinates, running, rng)
    if isinstance(asked, GivenRuns):
        u, y, failed = asked.table()
        runs = len(u) + failed
    else:
        runs = check_size(n)
        points = asked.space.to_unit(sobol(asked.space, runs, rng=rng))
        y = asked.answers(points)
        whole = ~np.isnan(y).any(axis=1)
        u, y, failed = points[whole], y[whole], int((~whole).sum())
    enough(len(u), runs, LEAST_RUNS)
    notes = [asked.note] if isinstance(asked, GivenRuns) and asked.note else []
    if failed:
        notes.append(f"{failed} of {runs} runs failed and were left out, and with them a part of the space")
    facts = {"n": runs, "runs": runs, "failed": failed, "dropped": failed, "note": "; ".join(notes) or None}
    return asked, u, y, facts
