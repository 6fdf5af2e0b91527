"""Scrambled Sobol designs (Sobol 1967, Owen 1998)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import qmc

from surrogate.designs._design import FloatArray, Rng, check_size, design_from_unit, first_that_hold, seeded
from surrogate.designs.copula import Correlation
from surrogate.designs.where import Where
from surrogate.space import Space

__all__ = ["sobol"]


def sobol(
    space: Space, n: int, *, rng: Rng = None, where: Where = None, correlation: Correlation = None
) -> pd.DataFrame:
    """The first `n` points of a scrambled Sobol sequence.

    Every power of two of points from the start is balanced in all parameters; other numbers are allowed, and a longer
    design with the same seed begins with the shorter one.

    Parameters
    ----------
    space : Space
    n : int
        Number of points, at least 1; best a power of two.
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
    .. [1] I. M. Sobol', "On the distribution of points in a cube and the approximate evaluation of integrals",
       USSR Comput. Math. Math. Phys. 7(4), 1967.
    .. [2] A. B. Owen, "Scrambling Sobol' and Niederreiter-Xing points", Journal of Complexity 14(4), 1998.

    Examples
    --------
    >>> from surrogate.space import Real, Space
    >>> design = sobol(Space(x=Real(0, 4)), 4, rng=0)
    >>> sorted(int(x) for x in design["x"])
    [0, 1, 2, 3]
    """
    n = check_size(n)
    generator, seed = seeded(rng)
    engine = qmc.Sobol(space.d, scramble=True, rng=generator)

    def draw(size: int) -> FloatArray:
        # To the next power of two, since SciPy warns (rightly) when an unbalanced number is asked for.
        return np.asarray(engine.random(2 ** (size - 1).bit_length()))

    u, options = first_that_hold(space, draw, n, where, correlation)
    return design_from_unit(space, u, "sobol", seed, options)
