"""Sliced Latin hypercubes (Qian 2012) and nested designs for several levels of truth (Qian 2009)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from surrogate.designs._design import Rng, check_size, finish, seeded
from surrogate.designs.augment import extended
from surrogate.designs.latin_hypercube import check_criterion, latin_hypercube, optimised
from surrogate.space import Space

__all__ = ["nested", "sliced_latin_hypercube"]


def sliced_latin_hypercube(
    space: Space, n_slices: int, n: int, *, rng: Rng = None, criterion: str | None = "maximin", effort: float = 1.0
) -> pd.DataFrame:
    """Latin hypercube of ``n_slices * n`` points that falls into slices which are Latin hypercubes themselves.

    For runs in batches, of which each should be useful alone; for the levels of a categorical parameter; for folds of a
    cross-validation.

    Parameters
    ----------
    space : Space
    n_slices : int
    n : int
        Number of points a slice.
    rng : int, numpy Generator or None
    criterion : str, optional
        As of :func:`latin_hypercube`; the whole design is improved within its slices. None leaves it random.
    effort : float
        Multiplies how long the search takes.

    Returns
    -------
    DataFrame of shape (n_slices * n, d)
        Its index has the levels ``slice`` and ``point``: ``design.loc[0]`` is the first slice.

    References
    ----------
    .. [1] P. Z. G. Qian, "Sliced Latin hypercube designs", Journal of the American Statistical Association 107(497),
       2012.

    Examples
    --------
    >>> from surrogate.space import Real, Space
    >>> design = sliced_latin_hypercube(Space(x=Real(0, 4)), 2, 4, rng=0)
    >>> sorted(int(x) for x in design.loc[1, "x"])
    [0, 1, 2, 3]
    """
    slices, n = check_size(n_slices, "n_slices"), check_size(n)
    check_criterion(criterion)
    generator, seed = seeded(rng)
    # Each of the n coarse cells of a column holds one fine cell for every slice, dealt at random.
    cells = np.empty((slices, n, space.d))
    for k in range(space.d):
        fine = generator.permuted(np.tile(np.arange(slices), (n, 1)), axis=1) + slices * np.arange(n)[:, None]
        cells[:, :, k] = generator.permuted(fine.T, axis=1)
    u = (cells.reshape(-1, space.d) + (generator.random((slices * n, space.d)) if criterion is None else 0.5)) / (
        slices * n
    )
    if criterion not in (None, "centred"):
        group = np.repeat(np.arange(slices), n)
        u = optimised(space, u, criterion, generator, group=group, effort=effort)
    design = space.from_unit(u)
    design.index = pd.MultiIndex.from_product([range(slices), range(n)], names=["slice", "point"])
    return finish(space, design, "sliced_latin_hypercube", seed, {"n_slices": slices, "criterion": criterion})


def nested(space: Space, sizes: Sequence[int], *, rng: Rng = None, effort: float = 1.0) -> list[pd.DataFrame]:
    """Nested maximin designs, one a level of truth: each is a part of the next.

    A multi-fidelity emulator compares levels best where both were run.

    Parameters
    ----------
    space : Space
    sizes : sequence of int
        Number of points by level, the truest (level 0, the costliest) first: not falling, e.g. ``[20, 100]``. If each
        is a multiple of the one before, all designs are Latin hypercubes.
    rng : int, numpy Generator or None
    effort : float
        Multiplies how long the searches take.

    Returns
    -------
    list of DataFrame
        By level; the first rows of each are the level before.

    References
    ----------
    .. [1] P. Z. G. Qian, "Nested Latin hypercube designs", Biometrika 96(4), 2009.

    Examples
    --------
    >>> from surrogate.space import Real, Space
    >>> fine, coarse = nested(Space(x=Real(0, 1), y=Real(0, 1)), [5, 15], rng=0)
    >>> coarse.head(5).equals(fine), len(coarse)
    (True, 15)
    """
    counts = [check_size(size, "sizes") for size in sizes]
    if not counts or counts != sorted(counts):
        raise ValueError(f"sizes must not fall from the truest level to the others, got {list(sizes)}")
    generator, seed = seeded(rng)
    first = latin_hypercube(space, counts[0], criterion="maximin", rng=generator, effort=effort)
    designs = [finish(space, first, "nested", seed, {"level": 0})]
    for level, count in enumerate(counts[1:], start=1):
        more = count - len(designs[-1])
        grown = extended(space, designs[-1], more, "maximin", generator, effort=effort) if more else designs[-1].copy()
        designs.append(finish(space, grown, "nested", seed, {"level": level}))
    return designs
