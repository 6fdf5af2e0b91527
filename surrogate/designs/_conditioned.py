"""Latin hypercubes in a part of the space: chosen from many points that meet a condition."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import qmc

from surrogate.designs._criteria import Points, maxpro_between, squared_distances
from surrogate.designs._design import first_that_hold
from surrogate.designs._exchange import seen
from surrogate.designs.where import Condition
from surrogate.space import Space

__all__ = ["APART", "conditioned_latin_hypercube"]

FloatArray = NDArray[np.float64]


def _nearest(points: Points, rows: NDArray[np.int64], others: NDArray[np.int64]) -> FloatArray:
    """Distance of each row to the nearest of the others."""
    return np.asarray(np.sqrt(squared_distances(points, points.x[rows], points.x[others]).min(axis=1)))


def _apart_in_subsets(points: Points, rows: NDArray[np.int64], others: NDArray[np.int64]) -> FloatArray:
    """A row's share of the MaxPro sum, as a length."""
    columns = zip(points.x[rows].T, points.x[others].T, points.levels, points.nominal)
    product = np.multiply.reduce([maxpro_between(a, b, int(k), bool(nominal)) for a, b, k, nominal in columns])
    return np.asarray(product.sum(axis=1) ** (-0.5 / points.x.shape[1]))


# How far each of some points is from others, by criterion; about n^(-1/d) in a good design.
APART = {"maximin": _nearest, "maxpro": _apart_in_subsets}


def conditioned_latin_hypercube(
    space: Space,
    n: int,
    condition: Condition,
    rng: np.random.Generator,
    *,
    criterion: str | None = None,
    effort: float = 1.0,
) -> pd.DataFrame:
    """`n` points that meet the condition and fill the slices of every parameter's conditional distribution.

    A large sample of the conditional distribution is cut into `n` slices of equal probability in every parameter. Then
    points are exchanged with others of the sample until as few slices as possible are empty or doubly filled.

    Parameters
    ----------
    criterion : str, optional
        Among equally even choices prefer points that are far from the others; a key of ``APART``.
    effort : float
        Multiplies the number of exchanges that are tried.

    References
    ----------
    .. [1] B. Minasny, A. B. McBratney, "A conditioned Latin hypercube method for sampling in the presence of ancillary
       information", Computers & Geosciences 32(9), 2006.
    """
    d = space.d
    engine = qmc.Sobol(d, rng=np.random.default_rng(int(rng.integers(2**63))))

    def draw(size: int) -> FloatArray:
        return np.asarray(engine.random(2 ** (size - 1).bit_length()))

    pool, _ = first_that_hold(space, draw, max(30 * n, 2000), condition.text, None)
    pool = pool[rng.permutation(len(pool))]
    # Slices by rank, so that each holds the same number of the pool's points.
    ranks = np.argsort(np.argsort(pool, axis=0), axis=0)
    cell = ranks * n // len(pool)
    chosen = np.arange(n)
    columns = np.arange(d)
    count = np.stack([np.bincount(cell[:n, k], minlength=n) for k in range(d)])
    points = seen(space, pool)
    apart = APART[criterion] if criterion is not None and n > 1 else None
    for _ in range(int(effort * 30 * n)):
        excess = (count[columns, cell[chosen]] > 1).sum(axis=1)
        if not excess.any() and apart is None:
            break
        # The worst-placed point goes, with ties broken at random; when spreading, half of the time any point.
        stay = apart is not None and (not excess.any() or rng.random() < 0.5)
        place = int(rng.integers(n)) if stay else int(np.argmax(excess + rng.random(n)))
        rest = np.delete(chosen, place)
        count[columns, cell[chosen[place]]] -= 1
        candidates = np.append(rng.integers(len(pool), size=min(len(pool), 200)), chosen[place])
        candidates = candidates[~np.isin(candidates, rest)]
        cost = (count[columns, cell[candidates]] > 0).sum(axis=1).astype(float)
        if apart is not None:
            # A slice filled twice weighs as much as a tenth of the distance that n points have at best, about.
            cost -= apart(points, candidates, rest) * 10 * n ** (1 / d)
        chosen[place] = candidates[np.argmin(cost)]
        count[columns, cell[chosen[place]]] += 1
    return space.from_unit(pool[np.sort(chosen)])
