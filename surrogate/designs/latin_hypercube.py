"""Latin hypercube designs (McKay, Beckman and Conover 1979)."""

from __future__ import annotations

import pandas as pd
from scipy.stats import qmc

from surrogate.designs._design import Rng, check_size, design_from_unit, seeded
from surrogate.space import Space

__all__ = ["latin_hypercube"]


def latin_hypercube(space: Space, n: int, *, rng: Rng = None) -> pd.DataFrame:
    """Random Latin hypercube: in each of `n` equally likely slices of every parameter lies exactly one point.

    Parameters
    ----------
    space : Space
    n : int
        Number of points, at least 1.
    rng : int, numpy Generator or None
        Seed. Without one the operating system gives one, which ``attrs["seed"]`` tells.

    Returns
    -------
    DataFrame of shape (n, d)
        In the parameters' units; ``attrs`` holds ``sampler``, ``seed`` and ``n``.

    References
    ----------
    .. [1] M. D. McKay, R. J. Beckman, W. J. Conover, "A Comparison of Three Methods for Selecting Values of Input
       Variables in the Analysis of Output from a Computer Code", Technometrics 21(2), 1979.

    Examples
    --------
    >>> from surrogate.space import Real, Space
    >>> design = latin_hypercube(Space(x=Real(0, 4)), 4, rng=0)
    >>> sorted(int(x) for x in design["x"])
    [0, 1, 2, 3]
    """
    n = check_size(n)
    generator, seed = seeded(rng)
    u = qmc.LatinHypercube(space.d, rng=generator).random(n)
    return design_from_unit(space, u, "latin_hypercube", seed)
