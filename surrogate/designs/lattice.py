"""Randomly shifted rank-1 lattices (Korobov 1959, Cranley and Patterson 1976)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.designs._design import FloatArray, Rng, check_size, design_from_unit, seeded
from surrogate.designs.copula import Correlation, correlated
from surrogate.space import Space

__all__ = ["generating_vector", "lattice"]

# The search compares this many generators a parameter; all of them up to twice as many points.
MOST_GENERATORS = 512


def lattice(space: Space, n: int, *, rng: Rng = None, correlation: Correlation = None) -> pd.DataFrame:
    """Rank-1 lattice of `n` points with a random shift: the best of designs for averages of smooth periodic outputs.

    Without correlations every slice of every parameter holds exactly one point, as in a Latin hypercube.

    Parameters
    ----------
    space : Space
    n : int
        Number of points; best a prime, at least twice the number of parameters and one. Other numbers have fewer
        generators: half as many as there are smaller numbers without a common divisor.
    rng : int, numpy Generator or None
        Seed of the shift. Without one the operating system gives one, which ``attrs["seed"]`` tells.
    correlation : mapping of (name, name) to float, or DataFrame, optional
        Correlations of the normal scores of pairs of parameters (a Gaussian copula).

    Returns
    -------
    DataFrame of shape (n, d)
        In the parameters' units; ``attrs`` holds ``sampler``, ``seed``, ``n`` and the options that were given.

    Raises
    ------
    ValueError
        If there are fewer generators than parameters: two of these would be shifted or mirrored copies of each other.

    References
    ----------
    .. [1] I. H. Sloan, A. V. Reztsov, "Component-by-component construction of good lattice rules", Mathematics of
       Computation 71(237), 2002.
    .. [2] R. Cranley, T. N. L. Patterson, "Randomization of number theoretic methods for multiple integration", SIAM
       Journal on Numerical Analysis 13(6), 1976.

    Examples
    --------
    >>> from surrogate.space import Real, Space
    >>> design = lattice(Space(x=Real(0, 5), y=Real(0, 5)), 5, rng=0)
    >>> sorted(int(x) for x in design["y"])
    [0, 1, 2, 3, 4]
    """
    n = check_size(n)
    generator, seed = seeded(rng)
    couple = correlated(space, correlation)
    base = np.outer(np.arange(n), generating_vector(n, space.d)) % n / n
    u = (base + generator.random(space.d)) % 1.0
    return design_from_unit(space, couple(u), "lattice", seed, {"correlation": couple.told})


def generating_vector(n: int, d: int) -> NDArray[np.int64]:
    """Generators of a good lattice, one a parameter, chosen one after the other.

    Each makes the worst-case error in the weighted Korobov space of smoothness 2 smallest, with weight 1/j^2 for the
    j-th parameter [1]_ (see :func:`lattice`). All are coprime to `n`, which keeps every margin even, and none is
    another's or its mirror image.
    """
    coprime = np.flatnonzero(np.gcd(np.arange(n), n) == 1) if n > 1 else np.array([0])
    # z and n - z give mirrored lattices, equally good.
    candidates = coprime[: max(1, (len(coprime) + 1) // 2)]
    if len(candidates) < d:
        raise ValueError(
            f"n={n} has only {len(candidates)} different generators for {d} parameters; take a larger or a prime n"
        )
    most = max(MOST_GENERATORS, d)
    if len(candidates) > most:
        candidates = candidates[np.linspace(0, len(candidates) - 1, most).astype(int)]
    t = np.arange(n) / n
    kernel = 2 * np.pi**2 * (t * t - t + 1 / 6)
    chosen = np.empty(d, dtype=np.int64)
    product: FloatArray = np.ones(n)
    rows = np.arange(n)
    for j in range(d):
        weight = 1 / (j + 1) ** 2
        error = [float(product @ kernel[rows * z % n]) for z in candidates] if j else [0.0]
        # Taken once only: two parameters of one generator would have all points on a diagonal, which in many
        # dimensions the error does not mind.
        best = int(np.argmin(error))
        chosen[j], candidates = candidates[best], np.delete(candidates, best)
        product = product * (1 + weight * kernel[rows * chosen[j] % n])
    return chosen
