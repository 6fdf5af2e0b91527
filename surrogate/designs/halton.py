"""Scrambled Halton designs (Halton 1960, Owen 2017)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import qmc

from surrogate.designs._design import Rng, check_size, design_from_unit, first_that_hold, seeded
from surrogate.designs.copula import Correlation
from surrogate.designs.where import Where
from surrogate.space import Space

__all__ = ["halton"]


def halton(
    space: Space, n: int, *, rng: Rng = None, where: Where = None, correlation: Correlation = None
) -> pd.DataFrame:
    """The first `n` points of a scrambled Halton sequence.

    No number of points is better than another, and a longer design with the same seed begins with the shorter one.

    Parameters
    ----------
    space : Space
    n : int
        Number of points, at least 1.
    rng : int, numpy Generator or None
        Seed of the scrambling. Without one the operating system gives one, which ``attrs["seed"]`` tells.
    where : str or list of str, optional
        Conditions on the inputs, e.g. ``"width * height <= 2"``; points that do not meet them are passed over.
    correlation : mapping of (name, name) to float, or DataFrame, optional
        Correlations of the normal scores of pairs of parameters (a Gaussian copula).

    Returns
    -------
    DataFrame of shape (n, d)
        In the parameters' units; ``attrs`` holds ``sampler``, ``seed``, ``n`` and the options that were given.

    References
    ----------
    .. [1] J. H. Halton, "On the efficiency of certain quasi-random sequences of points in evaluating multi-dimensional
       integrals", Numerische Mathematik 2, 1960.
    .. [2] A. B. Owen, "A randomized Halton algorithm in R", arXiv:1706.02808, 2017.

    Examples
    --------
    >>> from surrogate.space import Real, Space
    >>> design = halton(Space(x=Real(0, 4)), 4, rng=0)
    >>> sorted(int(x) for x in design["x"])
    [0, 1, 2, 3]
    """
    n = check_size(n)
    generator, seed = seeded(rng)
    engine = qmc.Halton(space.d, scramble=True, rng=generator)
    u, options = first_that_hold(space, lambda size: np.asarray(engine.random(size)), n, where, correlation)
    return design_from_unit(space, u, "halton", seed, options)
