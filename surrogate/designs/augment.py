"""More points for a design that exists, so that the whole keeps the property of its kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from surrogate.designs._criteria import squared_distances
from surrogate.designs._design import FloatArray, Rng, check_size, finish, first_that_hold, seeded
from surrogate.designs._exchange import LARGEST, seen
from surrogate.designs.copula import Correlation, correlated
from surrogate.designs.halton import halton
from surrogate.designs.latin_hypercube import optimised
from surrogate.designs.optimal import augmented
from surrogate.designs.sobol import sobol
from surrogate.designs.where import Condition, check_where
from surrogate.space import Space

__all__ = ["augment"]

SEQUENCES = {"sobol": sobol, "halton": halton}


def augment(
    design: pd.DataFrame, n: int, *, space: Space | None = None, rng: Rng = None, effort: float = 1.0
) -> pd.DataFrame:
    """The design with `n` more points.

    What is kept depends on how the design was made, which its ``attrs`` tell:

    - Sobol and Halton designs become the longer part of the same sequence;
    - Latin hypercubes, of whatever criterion, get points in the slices that are empty once each parameter is cut
      into as many slices as there will be points. If the new size is a multiple of the old one the whole is a Latin
      hypercube again; the criterion decides where in the empty slices the new points go, without one they are far
      from all others;
    - optimal designs get the runs that help the same model most;
    - all others, also points from elsewhere, get points far from all others in slices that are empty.

    New points of a correlated design are correlated like the old ones. Those of a design under conditions meet them,
    and are far from all others. Beyond 4000 points those of a design without a criterion are paired at random.

    Parameters
    ----------
    design : DataFrame of shape (m, d)
        At its default index or any other; existing rows are not changed.
    n : int
        Number of points to add.
    space : Space, optional
        Where the points lie. A design that comes straight from a sampler remembers it; a copy or one read from a file
        does not.
    rng : int, numpy Generator or None
        Seed of the new points. Sequences do not need it: they go on with their own.
    effort : float
        Multiplies how long the search takes.

    Returns
    -------
    DataFrame of shape (m + n, d)
        The old rows come first, unchanged; ``attrs`` tells the design's sampler and, as ``augmented``, its old size.

    Raises
    ------
    ValueError
        If the space is not known, or if a sequence's seed is not.
    InvalidInputError
        If the design does not belong to the space.

    Examples
    --------
    >>> from surrogate.designs.sobol import sobol
    >>> from surrogate.space import Real, Space
    >>> space = Space(x=Real(0, 1), y=Real(0, 1))
    >>> augment(sobol(space, 8, rng=1), 8).equals(sobol(space, 16, rng=1))
    True
    """
    n = check_size(n)
    known = space if space is not None else getattr(design, "_space", None)
    if known is None:
        raise ValueError("the design does not remember its space (it is a copy, or from a file): pass space=")
    points = known.validate(design, "design")
    made = {str(key): value for key, value in design.attrs.items()}
    sampler = str(made.get("sampler", ""))
    told = {key: value for key, value in made.items() if key not in ("sampler", "seed", "n")}
    told["augmented"] = len(points)
    if sampler in SEQUENCES:
        grown = _longer_sequence(known, points, n, sampler, made)
        # The longer part of a sequence is what the sampler itself would have made.
        del told["augmented"]
        seed = made["seed"]
    else:
        generator, seed = seeded(rng)
        if sampler == "optimal":
            grown = augmented(known, points, n, made["model"], made["criterion"], made.get("where"), generator)
        else:
            criteria = {"maximin": "maximin", "maxpro": "maxpro", "latin_hypercube": made.get("criterion")}
            asked = criteria.get(sampler)
            grown = extended(known, points, n, asked, generator, made.get("where"), _correlation(made), effort)
    grown.index = _longer_index(points.index, n)
    return finish(known, grown, sampler or "augment", seed, told)


def extended(
    space: Space,
    points: pd.DataFrame,
    n: int,
    criterion: str | None,
    rng: np.random.Generator,
    where: str | None = None,
    correlation: Correlation = None,
    effort: float = 1.0,
) -> pd.DataFrame:
    """`points` and `n` more in the empty slices of every parameter, arranged for a criterion or a correlation."""
    old = space.to_unit(points)
    condition, couple = check_where(where, space), correlated(space, correlation)
    if condition is not None:
        new = _far_points(space, old, n, condition, rng)
    else:
        u = _in_empty_slices(old, n, rng)
        arranged = criterion not in (None, "centred")
        if couple.told:
            u = couple.reorder(u, rng)
        elif arranged or len(old) + n <= LARGEST:
            group = np.repeat([-1, 0], [len(old), n])
            # Searched with points in the middle of their slices, then moved; the old ones stay where they are.
            kind = criterion if criterion is not None and criterion not in ("ese", "centred") else "maximin"
            u = optimised(space, np.vstack([old, u]), kind, rng, group=group, effort=effort)[len(old) :]
        new = space.from_unit(u)
    return pd.concat([points.reset_index(drop=True), new], ignore_index=True)


def _in_empty_slices(old: FloatArray, n: int, rng: np.random.Generator) -> FloatArray:
    """`n` points in the middle of slices that hold none of the old ones, paired at random."""
    total = len(old) + n
    new = np.empty((n, old.shape[1]))
    for k in range(old.shape[1]):
        taken = np.minimum((old[:, k] * total).astype(np.int64), total - 1)
        empty = np.setdiff1d(np.arange(total), taken)
        # Old points that share a slice leave more empty ones than there are new points: those left out are spread.
        jitter = rng.random()
        kept = empty[((np.arange(n) + jitter) * len(empty) / n).astype(np.int64)]
        new[:, k] = (rng.permutation(kept) + 0.5) / total
    return new


def _far_points(space: Space, old: FloatArray, n: int, condition: Condition, rng: np.random.Generator) -> pd.DataFrame:
    """One after the other, of many points that meet the condition, the one farthest from all before."""
    pool, _ = first_that_hold(space, lambda size: rng.random((size, space.d)), max(50 * n, 2000), condition.text, None)
    points, others = seen(space, pool), seen(space, old).x
    nearest = np.min([squared_distances(points, points.x, other[None])[:, 0] for other in others], axis=0)
    chosen = []
    for _ in range(n):
        best = int(np.argmax(nearest))
        chosen.append(best)
        nearest = np.minimum(nearest, squared_distances(points, points.x, points.x[[best]])[:, 0])
        nearest[best] = -1.0
    return space.from_unit(pool[chosen])


def _longer_sequence(space: Space, points: pd.DataFrame, n: int, sampler: str, made: dict[str, Any]) -> pd.DataFrame:
    seed = made.get("seed")
    if not isinstance(seed, (int, np.integer)):
        raise ValueError(
            f"a {sampler} design made with a Generator cannot be continued, since its seed is not known; "
            "make it with rng=<an int>"
        )
    longer = SEQUENCES[sampler](
        space, len(points) + n, rng=int(seed), where=made.get("where"), correlation=_correlation(made)
    )
    # Rows may have been dropped or changed since.
    if made.get("n") != len(points) or not longer.head(len(points)).equals(points.reset_index(drop=True)):
        raise ValueError(
            f"these {len(points)} rows are not the first of the {sampler} sequence with seed {seed}; "
            'to fill up a changed design, clear its attrs["sampler"]'
        )
    return longer


def _correlation(made: dict[str, Any]) -> Correlation:
    """The correlation that a design's ``attrs`` tell."""
    return {(a, b): value for a, b, value in made.get("correlation") or []} or None


def _longer_index(index: pd.Index[Any], n: int) -> pd.Index[Any]:
    """The old labels and `n` new ones."""
    if isinstance(index, pd.MultiIndex) or index.dtype.kind not in "iu":
        return pd.RangeIndex(len(index) + n)
    start = int(index.max()) + 1
    return index.append(pd.RangeIndex(start, start + n))
