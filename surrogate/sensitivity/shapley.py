"""Shapley effects: the variance shared out fairly when inputs are correlated (Owen 2014, Song et al. 2016)."""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats
from numpy.typing import NDArray
from scipy.stats import qmc

from surrogate.designs._design import Rng, check_size, seeded
from surrogate.designs.copula import Correlation, correlated
from surrogate.sensitivity._source import Coordinates, Emulators, source_of
from surrogate.sensitivity._table import enough, half_width, table
from surrogate.space import Space

__all__ = ["shapley_effects"]

FloatArray = NDArray[np.float64]

# Up to so many inputs all subsets are taken; with more, those of random orders of the inputs, each with its reverse.
ALL_SUBSETS = 10
PAIRS_OF_ORDERS = 30
CHEAPER = 4
RESAMPLES = 200


def shapley_effects(
    source: Any,
    space: Space | None = None,
    n: int = 256,
    rng: Rng = 0,
    *,
    correlation: Correlation = None,
    outputs: str | list[str] | None = None,
    confidence: float = 0.95,
    coordinates: Coordinates = None,
    **running: Any,
) -> pd.DataFrame:
    """Shapley effects: shares of the output's variance that add up to one, also for correlated inputs.

    Sobol indices lose their meaning when inputs depend on each other. An input's Shapley effect is the variance that it
    explains beyond others, averaged over all orders in which inputs may become known; it lies between the first-order
    and the total index if inputs are independent.

    Parameters
    ----------
    source : Simulator, str, emulator, mapping of output to emulator, Runs or RunStore
        As in :func:`sobol_indices`.
    space : Space, optional
        How the inputs of an emulator vary.
    n : int
        Number of points for each subset of the inputs. A simulator is run ``n * (2^d - 1)`` times (with more than 10
        inputs at most ``60 * n * d`` times): mostly a matter for emulators, which are asked four times as often.
    rng : int, numpy Generator or None
    correlation : mapping of (name, name) to float, or DataFrame, optional
        Correlations of the normal scores of pairs of inputs, as for the samplers.
    outputs : str or list of str, optional
    confidence : float
        Of the intervals, by a bootstrap of the points, and with more than 10 inputs of the orders in which inputs
        become known, of which 30 are drawn, each with its reverse; an emulator's own error is not in them.
    coordinates : {"unit", "own"}, optional
        As in :func:`sobol_indices`.
    **running
        Options of :func:`surrogate.run`.

    Returns
    -------
    DataFrame
        Columns ``shapley``, ``shapley_low``, ``shapley_high``; the first adds up to 1.

    References
    ----------
    .. [1] A. B. Owen, "Sobol' indices and Shapley value", SIAM/ASA Journal on Uncertainty Quantification 2(1), 2014.
    .. [2] E. Song, B. L. Nelson, J. Staum, "Shapley effects for global sensitivity analysis: theory and computation",
       SIAM/ASA Journal on Uncertainty Quantification 4(1), 2016.
    .. [3] B. Broto, F. Bachoc, M. Depecker, "Variance reduction for estimation of Shapley effects and adaptation to
       unknown input distribution", SIAM/ASA Journal on Uncertainty Quantification 8(2), 2020.

    Examples
    --------
    >>> from surrogate.simulation import simulator
    >>> from surrogate.space import Real
    >>> @simulator(space=Space(a=Real(0, 1), b=Real(0, 1)), outputs=["y"])
    ... def first(a, b):
    ...     return {"y": a}
    >>> shapley_effects(first, n=128, correlation={("a", "b"): 0.9}, n_jobs=0)["shapley"].round(1).tolist()
    [0.6, 0.4]
    """
    n = check_size(n)
    half_width(confidence)
    asked = source_of(source, space, outputs, coordinates, running, rng)
    generator, _ = seeded(rng)
    d = asked.space.d
    if isinstance(asked, Emulators):
        n *= CHEAPER
    copula = correlated(asked.space, correlation)
    matrix = np.eye(d) if copula.matrix is None else copula.matrix
    weights = _weights(d, generator)
    subsets = list(dict.fromkeys(s for own in weights for s in own if len(s) < d))
    # Pick and freeze: beside each point one with the same values in the subset and others drawn given them.
    scores = _normal(n, 2 * d, generator)
    first = scores[:, :d] @ np.linalg.cholesky(matrix).T
    points = [first, *(_redrawn(first, scores[:, d:], matrix, s) for s in subsets)]
    u = np.clip(scipy.stats.norm.cdf(np.vstack(points)), 0, 1)
    y = asked.answers(u).reshape(len(points), n, -1)
    failed = int(np.isnan(y).any(axis=2).sum())
    whole = ~np.isnan(y).any(axis=(0, 2))
    dropped = int(n - whole.sum())
    enough(n - dropped, n, 16)
    y = y[:, whole]
    row = {s: k for k, s in enumerate([*subsets, tuple(range(d))])}
    shares = [(np.array([row[s] for s in own]), np.array(list(own.values()))) for own in weights]
    parts = {}
    for k, name in enumerate(asked.outputs):
        columns = y[:, :, k]
        if np.ptp(columns[0]) == 0:
            parts[name] = {c: np.zeros(d) for c in ("shapley", "shapley_low", "shapley_high")}
            continue
        middle = _effects(columns, shares).mean(axis=0)
        rows = generator.integers(columns.shape[1], size=(RESAMPLES, columns.shape[1]))
        drawn = generator.integers(len(shares), size=(RESAMPLES, len(shares)))
        resampled = np.array([_effects(columns[:, r], shares)[g].mean(axis=0) for r, g in zip(rows, drawn)])
        low, high = np.percentile(resampled, [50 * (1 - confidence), 50 * (1 + confidence)], axis=0)
        parts[name] = {"shapley": middle, "shapley_low": low, "shapley_high": high}
    note = f"{failed} of {len(u)} runs failed; {dropped} of {n} points were left out with all that belongs to them"
    facts = {
        "n": n,
        "runs": 0 if isinstance(asked, Emulators) else len(u),
        "failed": failed,
        "dropped": dropped,
        "confidence": confidence,
        "correlation": copula.told,
        "note": note if failed else None,
    }
    return table(parts, list(asked.space), "shapley", facts)


def _effects(y: FloatArray, shares: list[tuple[NDArray[np.int64], FloatArray]]) -> FloatArray:
    """Shapley effects by each of the weightings, from answers at the points (first row) and at those redrawn.

    Parameters
    ----------
    y : array of shape (1 + number of subsets, n)
    shares : list of (array of shape (m,), array of shape (m, d))
        Which subsets, the last being all inputs, and what their explained variance adds to each input's effect.

    Returns
    -------
    array of shape (number of weightings, d)
    """
    mean = 0.5 * (y[0] + y[1:]).mean(axis=1) if len(y) > 1 else np.empty(0)
    variance = y[0].var()
    explained = np.append(((y[0] - mean[:, None]) * (y[1:] - mean[:, None])).mean(axis=1), variance)
    return np.asarray([explained[rows] @ share for rows, share in shares] / variance)


def _weights(d: int, rng: np.random.Generator) -> list[dict[tuple[int, ...], FloatArray]]:
    """What the variance explained by each subset of inputs adds to each input's effect.

    Knowing i after the inputs S adds V(S + i) - V(S), weighted by how often S comes first among all orders [1]_ (see
    :func:`shapley_effects`): one weighting by all orders, or one by each random order with its reverse.
    """

    def add(out: dict[tuple[int, ...], FloatArray], before: tuple[int, ...], i: int, weight: float) -> None:
        out.setdefault(tuple(sorted((*before, i))), np.zeros(d))[i] += weight
        if before:
            out.setdefault(before, np.zeros(d))[i] -= weight

    if d <= ALL_SUBSETS:
        every: dict[tuple[int, ...], FloatArray] = {}
        for i in range(d):
            others = [j for j in range(d) if j != i]
            for size in range(d):
                for before in combinations(others, size):
                    add(every, before, i, 1 / (d * comb(d - 1, size)))
        return [every]
    pairs: list[dict[tuple[int, ...], FloatArray]] = [{} for _ in range(PAIRS_OF_ORDERS)]
    for pair in pairs:
        order = rng.permutation(d).tolist()
        # Who comes late in the one comes early in the other, so that their mean varies less.
        for each in (order, order[::-1]):
            for place, i in enumerate(each):
                add(pair, tuple(sorted(each[:place])), i, 1 / 2)
    return pairs


def _normal(n: int, d: int, rng: np.random.Generator) -> FloatArray:
    u = qmc.Sobol(d, rng=rng).random_base2((n - 1).bit_length())[:n]
    return np.asarray(scipy.stats.norm.ppf(np.clip(u, 2.0**-53, 1 - 2.0**-53)))


def _redrawn(first: FloatArray, fresh: FloatArray, matrix: FloatArray, subset: tuple[int, ...]) -> FloatArray:
    """Normal scores with those of the subset kept and the others drawn from their distribution given them."""
    kept = list(subset)
    others = [j for j in range(matrix.shape[0]) if j not in subset]
    slope = np.linalg.solve(matrix[np.ix_(kept, kept)], matrix[np.ix_(kept, others)])
    rest = matrix[np.ix_(others, others)] - matrix[np.ix_(others, kept)] @ slope
    out = first.copy()
    out[:, others] = first[:, kept] @ slope + fresh[:, others] @ np.linalg.cholesky(rest).T
    return out
