"""Sobol indices: which share of an output's variance is due to which input (Sobol 1993, Saltelli et al. 2010)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from SALib.analyze import sobol as salib_analyze
from scipy.stats import qmc

from surrogate.designs._design import Rng, check_size, seeded
from surrogate.sensitivity._source import MOST_DRAWN, Coordinates, Emulators, source_of
from surrogate.sensitivity._table import (
    Failures,
    Groups,
    check_failures,
    half_width,
    labels_of,
    salib,
    seed_of,
    settled,
    table,
)
from surrogate.space import Space

__all__ = ["second_order", "sobol_indices"]

FloatArray = NDArray[np.float64]
# The columns of each input, or group of inputs.
Columns = list[NDArray[np.int64]]

# Answers of an emulator cost next to nothing: so many designs instead of one.
SCRAMBLINGS = 8
# Values of an input at which its main effect is computed, and over how many other points it is averaged; values of an
# input over which an emulator is averaged to see what the others leave.
NODES, OTHERS, INNER = 32, 64, 12
DRAWS = 200
RESAMPLES = 200


def sobol_indices(
    source: Any,
    space: Space | None = None,
    n: int = 1024,
    rng: Rng = 0,
    *,
    outputs: str | list[str] | None = None,
    second_order: bool = False,
    groups: Groups = None,
    failures: Failures = "drop",
    confidence: float = 0.95,
    coordinates: Coordinates = None,
    **running: Any,
) -> pd.DataFrame:
    """First-order and total Sobol indices with intervals.

    The first-order index is the share of the output's variance that would go if the input were known, the total index
    the share that would stay if all others were. Inputs are independent and vary as the space says.

    Parameters
    ----------
    source : Simulator, str, emulator, mapping of output to emulator, Runs or RunStore
        A simulator is run at a scrambled Saltelli design; emulators are asked instead, and their own uncertainty is
        part of the intervals. A polynomial chaos gives its indices exactly where it was fitted to inputs that vary as
        they are asked to. Runs must be those that an earlier call with the same `n` and `rng` made.
    space : Space, optional
        How the inputs of an emulator vary; a simulator brings its own.
    n : int
        Number of base points, best a power of two. A simulator is run ``n * (d + 2)`` times, with second order
        ``n * (2 d + 2)`` times; emulators are asked eight times as often.
    rng : int, numpy Generator or None
        Seed of the design, of the runs of a stochastic simulator, and of the intervals.
    outputs : str or list of str, optional
        By default all scalar outputs.
    second_order : bool
        Also the indices of pairs of inputs, which :func:`second_order` shows.
    groups : mapping of str to list of str, optional
        Inputs that are varied together as one; the others stay alone.
    failures : {"drop", "fill", "raise"}
        What to do about failed runs: leave out the whole block of runs around their base point, have them predicted by
        a Gaussian process from the others, or raise. What was done is told in ``attrs["note"]``.
    confidence : float
        Of the intervals.
    coordinates : {"unit", "own"}, optional
        Whether an emulator that was fitted on an array without names saw positions in the unit cube or the inputs.
    **running
        Options of :func:`surrogate.run`, e.g. ``store``, ``n_jobs``, ``timeout``.

    Returns
    -------
    DataFrame
        Indexed by input (or group); with several outputs by output and input. Columns ``first``, ``first_low``,
        ``first_high``, ``total``, ``total_low``, ``total_high``; ``attrs`` holds ``method``, ``runs``, ``failed``,
        ``dropped`` and, if there is something to tell, ``note``.

    Raises
    ------
    TooManyFailuresError
        If too few blocks are left, or any run failed with ``failures="raise"``.
    ValueError
        If the emulator's space or coordinates are not clear, or an output is unknown.

    Notes
    -----
    The intervals of a simulator's indices come from a bootstrap of the blocks and so hold for random points; the design
    is more even than that, so that they are rather too wide. An emulator's indices are those of its mean on eight
    scrambled designs, moved and spread by what functions drawn from its posterior add to them.

    References
    ----------
    .. [1] A. Saltelli et al., "Variance based sensitivity analysis of model output. Design and estimator for the total
       sensitivity index", Computer Physics Communications 181(2), 2010.
    .. [2] A. Marrel, B. Iooss, B. Laurent, O. Roustant, "Calculations of Sobol indices for the Gaussian process
       metamodel", Reliability Engineering & System Safety 94(3), 2009.
    .. [3] L. Le Gratiet, C. Cannamela, B. Iooss, "A Bayesian approach for global sensitivity analysis of
       (multifidelity) computer codes", SIAM/ASA Journal on Uncertainty Quantification 2(1), 2014.

    Examples
    --------
    >>> from surrogate.simulation import simulator
    >>> from surrogate.space import Real
    >>> @simulator(space=Space(a=Real(0, 1), b=Real(0, 1)), outputs=["y"])
    ... def line(a, b):
    ...     return {"y": 2 * a + b}
    >>> sobol_indices(line, n=256, n_jobs=0)["first"].round(1).tolist()
    [0.8, 0.2]
    """
    n = check_size(n)
    check_failures(failures)
    half_width(confidence)
    asked = source_of(source, space, outputs, coordinates, running, rng)
    generator, _ = seeded(rng)
    labels = labels_of(asked.space, groups)
    names = list(dict.fromkeys(labels))
    columns = [np.flatnonzero([label == name for label in labels]) for name in names]
    if isinstance(asked, Emulators):
        return _of_emulators(asked, columns, names, n, generator, second_order, confidence)

    u = _saltelli(columns, n, second_order, generator)
    u, y, facts = settled(u, asked.answers(u), n, failures, 16, "blocks", generator)
    parts, pairs = {}, {}
    for k, name in enumerate(asked.outputs):
        parts[name], pairs[name] = _by_salib(names, y[:, k], second_order, confidence, generator)
    return _with_pairs(table(parts, names, "sobol", facts | {"confidence": confidence}), pairs, names)


def second_order(result: pd.DataFrame) -> pd.DataFrame:
    """The second-order indices that ``sobol_indices(..., second_order=True)`` found.

    Returns
    -------
    DataFrame
        Indexed by ``input`` and ``other`` (with several outputs by ``output`` first); columns ``second``,
        ``second_low``, ``second_high``: the share of variance due to the two acting together. Empty of a single input.

    Raises
    ------
    ValueError
        If they were not asked for.

    Examples
    --------
    >>> from surrogate.simulation import simulator
    >>> from surrogate.space import Real
    >>> @simulator(space=Space(a=Real(-1, 1), b=Real(-1, 1)), outputs=["y"])
    ... def product(a, b):
    ...     return {"y": a * b}
    >>> found = second_order(sobol_indices(product, n=256, n_jobs=0, second_order=True))
    >>> bool(found.loc[("a", "b"), "second"] > 0.8)
    True
    """
    if "second_order" not in result.attrs:
        raise ValueError("this result has no second-order indices: ask for them with second_order=True")
    measures = ["second", "second_low", "second_high"]
    # Named, since a single input makes no pair.
    columns = ["output", "input", "other", *measures]
    rows = pd.DataFrame(result.attrs["second_order"], columns=columns).astype(dict.fromkeys(measures, float))
    keys = ["output", "input", "other"] if len(result.attrs["outputs"]) > 1 else ["input", "other"]
    return rows.set_index(keys)[measures]


def _saltelli(columns: Columns, n: int, second: bool, rng: np.random.Generator) -> FloatArray:
    """Saltelli's design from a scrambled Sobol sequence, in SALib's order of rows.

    For each base point: its row of A; for each input (or group) that row with the input's columns from B; with second
    order the row of B with the input's columns from A; the row of B. SALib's own sampler takes a single group for none.

    Returns
    -------
    array of shape (n * (k + 2), d), with second order (n * (2 k + 2), d)
    """
    d = sum(map(len, columns))
    base = qmc.Sobol(2 * d, rng=rng).random_base2((n - 1).bit_length())[:n]
    a, b = base[:, :d], base[:, d:]
    rows = [a, *(_swapped(a, b, group) for group in columns)]
    if second:
        rows += [_swapped(b, a, group) for group in columns]
    return np.stack([*rows, b], axis=1).reshape(-1, d)


def _swapped(into: FloatArray, source: FloatArray, group: NDArray[np.int64]) -> FloatArray:
    out = into.copy()
    out[:, group] = source[:, group]
    return out


def _by_salib(
    names: list[str], y: FloatArray, second: bool, confidence: float, rng: np.random.Generator
) -> tuple[dict[str, FloatArray], FloatArray | None]:
    """Columns of the table, and array of shape (3, d, d) of the pairs' indices with their limits."""
    size = len(names)
    if np.ptp(y) == 0:
        # A constant output has no variance to share: none of it is due to anything.
        nothing = np.zeros(size)
        columns = _columns(nothing, nothing, nothing, nothing)
        return columns, np.zeros((3, size, size)) if second else None
    with salib():
        found = salib_analyze.analyze(
            # To the estimators a group is an input.
            {"num_vars": size, "names": names, "bounds": [[0.0, 1.0]] * size},
            y,
            calc_second_order=second,
            num_resamples=RESAMPLES,
            conf_level=confidence,
            seed=seed_of(rng),
        )
    columns = _columns(found["S1"], found["S1_conf"], found["ST"], found["ST_conf"])
    pairs = None
    if second:
        middle, wide = np.asarray(found["S2"]), np.asarray(found["S2_conf"])
        pairs = np.stack([middle, middle - wide, middle + wide])
    return columns, pairs


def _columns(
    first: FloatArray, first_wide: FloatArray, total: FloatArray, total_wide: FloatArray
) -> dict[str, FloatArray]:
    return {
        "first": np.asarray(first),
        "first_low": first - first_wide,
        "first_high": first + first_wide,
        "total": np.asarray(total),
        "total_low": total - total_wide,
        "total_high": total + total_wide,
    }


def _with_pairs(result: pd.DataFrame, pairs: dict[str, FloatArray | None], names: list[str]) -> pd.DataFrame:
    """The result with the pairs' indices in its ``attrs``, as plain data that survives copies and JSON."""
    rows = [
        {
            "output": output,
            "input": names[i],
            "other": names[j],
            "second": float(found[0, i, j]),
            "second_low": float(found[1, i, j]),
            "second_high": float(found[2, i, j]),
        }
        for output, found in pairs.items()
        if found is not None
        for i in range(len(names))
        for j in range(i + 1, len(names))
    ]
    if any(found is not None for found in pairs.values()):
        result.attrs["second_order"] = rows
    return result


def _of_emulators(
    asked: Emulators,
    columns: Columns,
    names: list[str],
    n: int,
    rng: np.random.Generator,
    second: bool,
    confidence: float,
) -> pd.DataFrame:
    alone = all(len(group) == 1 for group in columns)
    exact = {} if second or not alone else {name: _analytic(e, asked) for name, e in asked.emulators.items()}
    d = len(names)
    # Independent scramblings: how far their indices differ tells how much chance is in their mean.
    large = [_saltelli(columns, n, second, rng) for _ in range(SCRAMBLINGS)]
    answers = np.stack([asked.answers(u) for u in large])
    small = _saltelli(columns, _drawable(d, second), second, rng)
    drawn = asked.drawn(small, DRAWS, rng)
    effects = _effects(asked, small, columns, rng)
    parts: dict[str, dict[str, FloatArray]] = {}
    pairs: dict[str, FloatArray | None] = {}
    for k, name in enumerate(asked.outputs):
        known = exact.get(name)
        if known is not None:
            parts[name], pairs[name] = known, None
            continue
        found = np.array([_estimates(_blocks(y, d, second), d) for y in answers[:, :, k]])
        here, chance = found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(SCRAMBLINGS)
        spread = chance * rng.standard_t(SCRAMBLINGS - 1, size=(10 * DRAWS, *here.shape))
        if name in drawn:
            variance = float(answers[:, :, k].var())
            shift = _shifts(drawn[name], effects[name], here, variance, d, second)
            spread += np.tile(shift, (10, 1, 1))
        middle = here + spread.mean(axis=0)
        low, high = here + np.percentile(spread, [50 * (1 - confidence), 50 * (1 + confidence)], axis=0)
        # An emulator's error adds to an index near zero, whatever its sign: the truth may well be below what is seen.
        low = np.minimum(low, 2 * middle - high)
        parts[name] = {
            label: limit[row]
            for row, column in enumerate(("first", "total"))
            for label, limit in ((column, middle), (f"{column}_low", low), (f"{column}_high", high))
        }
        pairs[name] = np.stack([middle, low, high])[:, 2:] if second else None
    notes = []
    unsure = [name for name in asked.outputs if name not in drawn and exact.get(name) is None]
    if unsure:
        notes.append(f"emulators of {', '.join(unsure)} tell no error of their own: the intervals hold chance only")
    polynomials = [name for name, known in exact.items() if known is not None]
    if polynomials:
        notes.append(
            f"indices of {', '.join(polynomials)} are exact for the fitted polynomial, whose error is not told"
        )
    facts = {"n": n * SCRAMBLINGS, "runs": 0, "failed": 0, "dropped": 0, "confidence": confidence}
    return _with_pairs(table(parts, names, "sobol", facts | {"note": "; ".join(notes) or None}), pairs, names)


@dataclass(frozen=True, eq=False)
class _Effects:
    """An emulator's mean function at the points at which functions are drawn, and its parts.

    Attributes
    ----------
    mean : array of shape (m,)
        Centred.
    main, total : array of shape (d, m)
        Expectation given the input alone, centred; the mean less its expectation given all other inputs.
    """

    mean: FloatArray
    main: FloatArray
    total: FloatArray


def _effects(asked: Emulators, u: FloatArray, columns: Columns, rng: np.random.Generator) -> dict[str, _Effects]:
    """By output, from averages over a few hundred other points and over a few values of each input."""
    values = asked.answers(u)
    others = qmc.Sobol(u.shape[1], rng=rng).random_base2(OTHERS.bit_length() - 1)
    main, total = [], []
    for group in columns:
        # One input's main effect is a curve, drawn through a few of its values; a group's is averaged directly.
        alone = len(group) == 1
        at = (np.arange(NODES)[:, None] + 0.5) / NODES if alone else u[:, group]
        around = others
        x = np.repeat(around[None], len(at), axis=0)
        x[:, :, group] = at[:, None, :]
        curve = asked.answers(x.reshape(-1, u.shape[1])).reshape(len(at), len(around), -1).mean(axis=1)
        if alone:
            curve = np.column_stack([np.interp(u[:, group[0]], at[:, 0], column) for column in curve.T])
        main.append(curve - values.mean(axis=0))
        inner = (np.arange(INNER)[:, None] + 0.5) / INNER if alone else others[:, group]
        x = np.repeat(u[:, None, :], len(inner), axis=1)
        x[:, :, group] = inner[None]
        total.append(values - asked.answers(x.reshape(-1, u.shape[1])).reshape(len(u), len(inner), -1).mean(axis=1))
    centred = values - values.mean(axis=0)
    return {
        name: _Effects(centred[:, k], np.stack([m[:, k] for m in main]), np.stack([t[:, k] for t in total]))
        for k, name in enumerate(asked.outputs)
    }


def _shifts(
    drawn: FloatArray, effects: _Effects, indices: FloatArray, variance: float, d: int, second: bool
) -> FloatArray:
    """How far the indices of drawn functions lie from those of the emulator's mean; as :func:`_estimates`, by draw.

    A drawn function is the mean and a deviation e. Its partial variances are those of the mean, plus twice the
    covariance of e with the mean's effects, plus those of e alone. The covariances are averaged over all points of the
    design, where differences of indices from the few base points would be mostly chance.
    """
    error = drawn - drawn.mean(axis=0)
    points = drawn.shape[1]
    own = np.array([_estimates(_blocks(e, d, second), d) for e in error])
    power = error.var(axis=1)
    whole = variance + 2 * error @ effects.mean / points + power
    first = indices[0] * variance + 2 * error @ effects.main.T / points + own[:, 0] * power[:, None]
    total = indices[1] * variance + 2 * error @ effects.total.T / points + own[:, 1] * power[:, None]
    shift = np.stack([first, total], axis=1) / np.maximum(whole, 1e-300)[:, None, None] - indices[:2]
    if not second:
        return np.asarray(shift)
    base = _estimates(_blocks(effects.mean, d, second), d)[2:]
    pairs = np.array([_estimates(_blocks(draw, d, second), d)[2:] for draw in effects.mean + error]) - base
    return np.concatenate([shift, pairs], axis=1)


def _drawable(d: int, second: bool) -> int:
    """The largest power of two of base points at which functions can be drawn jointly."""
    return int(2 ** max(3, int(np.log2(MOST_DRAWN / (2 * d + 2 if second else d + 2)))))


def _analytic(emulator: Any, asked: Emulators) -> dict[str, FloatArray] | None:
    """Indices that an emulator knows exactly of the space asked about, as a polynomial chaos may; else None."""
    offered, space = getattr(emulator, "sobol_indices", None), asked.space
    if offered is None or not asked.are_its_own_inputs(emulator):
        return None
    found = pd.DataFrame(offered() if callable(offered) else offered)
    if asked.is_asked_by_name(emulator) and sorted(found.index) == sorted(space):
        found = found.loc[list(space)]
    if not {"first", "total"} <= set(found.columns) or len(found) != space.d:
        return None
    first, total = (np.nan_to_num(found[column].to_numpy(dtype=float)) for column in ("first", "total"))
    return _columns(first, np.zeros(space.d), total, np.zeros(space.d))


def _blocks(y: FloatArray, d: int, second: bool) -> FloatArray:
    """Rows of a Saltelli design by their part in it: A, AB of each input, (BA of each,) B; then base points."""
    return y.reshape(-1, 2 * d + 2 if second else d + 2).T


def _estimates(blocks: FloatArray, d: int) -> FloatArray:
    """First-order and total indices, then those of pairs if there are blocks for them: array of shape (2 or 2 + d, d).

    The estimators are those of SALib: Saltelli et al. (2010) for the first order, Jansen (1999) for totals, Saltelli
    (2002) for pairs.
    """
    first_block, last_block = blocks[0], blocks[-1]
    both = np.concatenate([first_block, last_block])
    variance = both.var()
    second = len(blocks) == 2 * d + 2
    if variance == 0:
        return np.zeros((2 + d if second else 2, d))
    a, b, ab = first_block - both.mean(), last_block - both.mean(), blocks[1 : d + 1] - both.mean()
    first = (b * (ab - a)).mean(axis=1) / variance
    total = 0.5 * ((a - ab) ** 2).mean(axis=1) / variance
    if not second:
        return np.stack([first, total])
    ba = blocks[d + 1 : 2 * d + 1] - both.mean()
    closed = (ba @ ab.T / len(a) - (a * b).mean()) / variance
    return np.vstack([first, total, closed - first[:, None] - first[None, :]])
