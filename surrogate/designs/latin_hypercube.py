"""Latin hypercube designs (McKay, Beckman and Conover 1979), random and optimised."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import qmc

from surrogate.designs._conditioned import APART, conditioned_latin_hypercube
from surrogate.designs._design import Rng, check_size, design_from_unit, finish, open_ends, seeded
from surrogate.designs._exchange import exchange, refine
from surrogate.designs.copula import Correlation, correlated
from surrogate.designs.where import Where, check_where
from surrogate.errors import did_you_mean
from surrogate.space import Space

__all__ = ["latin_hypercube", "maximin", "maxpro"]

FloatArray = NDArray[np.float64]
Criterion = Literal["centred", "maximin", "correlation", "ese", "discrepancy", "maxpro"]

# How near to an end that is infinitely far away a point may come, in slices: about half of one, but not on a border of
# the slices of a design that is some times as large, where rounding would decide on which side it lies.
FARTHEST = 0.447


def latin_hypercube(
    space: Space,
    n: int,
    *,
    rng: Rng = None,
    criterion: Criterion | None = None,
    where: Where = None,
    correlation: Correlation = None,
    effort: float = 1.0,
) -> pd.DataFrame:
    """Latin hypercube: in each of `n` equally likely slices of every parameter lies exactly one point.

    Parameters
    ----------
    space : Space
    n : int
        Number of points, at least 1.
    rng : int, numpy Generator or None
        Seed. Without one the operating system gives one, which ``attrs["seed"]`` tells.
    criterion : str, optional
        What the points are arranged for; by default they are paired at random, each anywhere in its slice.

        - ``"centred"``: paired at random, in the middle of their slices
        - ``"maximin"``: as far apart as possible; for emulators
        - ``"ese"``: the same search for phi_p [2]_, but in the middle of their slices
        - ``"discrepancy"``: small centred discrepancy, i.e. as uniform as possible; for averages
        - ``"maxpro"``: apart in every subset of the parameters [3]_; if few of many parameters will matter
        - ``"correlation"``: no correlation between parameters
    where : str or list of str, optional
        Conditions on the inputs, e.g. ``"width * height <= 2"``. The slices are then those of each parameter's
        distribution under the condition, and filled as evenly as the condition lets them be [4]_. Of the criteria
        only ``"maximin"`` and ``"maxpro"`` can be had with it.
    correlation : mapping of (name, name) to float, or DataFrame, optional
        Correlations of the normal scores of pairs of parameters; the slices stay exact [5]_.
    effort : float
        Multiplies how long an optimised design is searched for.

    Returns
    -------
    DataFrame of shape (n, d)
        In the parameters' units; ``attrs`` holds ``sampler``, ``seed``, ``n`` and the options that were given.

    Raises
    ------
    ValueError
        If options contradict each other, or a correlation matrix is not possible.
    ConditionError
        If `where` cannot be read, or almost no point meets it.

    References
    ----------
    .. [1] M. D. McKay, R. J. Beckman, W. J. Conover, "A Comparison of Three Methods for Selecting Values of Input
       Variables in the Analysis of Output from a Computer Code", Technometrics 21(2), 1979.
    .. [2] R. Jin, W. Chen, A. Sudjianto, "An efficient algorithm for constructing optimal design of computer
       experiments", Journal of Statistical Planning and Inference 134(1), 2005.
    .. [3] V. R. Joseph, E. Gul, S. Ba, "Maximum projection designs for computer experiments", Biometrika 102(2), 2015.
    .. [4] B. Minasny, A. B. McBratney, "A conditioned Latin hypercube method for sampling in the presence of ancillary
       information", Computers & Geosciences 32(9), 2006.
    .. [5] R. L. Iman, W. J. Conover, "A distribution-free approach to inducing rank correlation among input variables",
       Communications in Statistics - Simulation and Computation 11(3), 1982.

    Examples
    --------
    >>> from surrogate.space import Real, Space
    >>> design = latin_hypercube(Space(x=Real(0, 4)), 4, rng=0)
    >>> sorted(int(x) for x in design["x"])
    [0, 1, 2, 3]
    """
    return _latin(
        "latin_hypercube",
        space,
        n,
        rng,
        criterion,
        where,
        correlation,
        effort,
        {"criterion": criterion},
    )


def maximin(space: Space, n: int, *, rng: Rng = None, where: Where = None, effort: float = 1.0) -> pd.DataFrame:
    """Maximin Latin hypercube: ``latin_hypercube`` with the criterion ``"maximin"``.

    The points are as far apart as they can be while every parameter stays evenly covered.

    Examples
    --------
    >>> from surrogate.space import Real, Space
    >>> maximin(Space(x=Real(0, 1), y=Real(0, 1)), 6, rng=0).attrs["sampler"]
    'maximin'
    """
    return _latin("maximin", space, n, rng, "maximin", where, None, effort, {})


def maxpro(space: Space, n: int, *, rng: Rng = None, where: Where = None, effort: float = 1.0) -> pd.DataFrame:
    """Maximum projection Latin hypercube: ``latin_hypercube`` with the criterion ``"maxpro"``.

    The points are apart in every subset of the parameters, also when only few of them turn out to matter.

    Examples
    --------
    >>> from surrogate.space import Real, Space
    >>> maxpro(Space(x=Real(0, 1), y=Real(0, 1)), 6, rng=0).attrs["sampler"]
    'maxpro'
    """
    return _latin("maxpro", space, n, rng, "maxpro", where, None, effort, {})


def _latin(
    sampler: str,
    space: Space,
    n: int,
    rng: Rng,
    criterion: Criterion | None,
    where: Where,
    correlation: Correlation,
    effort: float,
    options: dict[str, str | None],
) -> pd.DataFrame:
    n = check_size(n)
    check_criterion(criterion)
    if not effort > 0:
        raise ValueError(f"effort must be positive, got {effort!r}")
    condition, couple = check_where(where, space), correlated(space, correlation)
    if couple.told and (condition or criterion not in (None, "centred")):
        other = "where" if condition else f"criterion={criterion!r}"
        raise ValueError(f"correlation and {other} cannot be had together: each decides how the values are paired")
    if condition is not None and criterion not in (None, *APART):
        raise ValueError(f"where can be had with the criteria {', '.join(APART)} or none only, got {criterion!r}")
    generator, seed = seeded(rng)
    if condition is not None:
        design = conditioned_latin_hypercube(space, n, condition, generator, criterion=criterion, effort=effort)
        return finish(space, design, sampler, seed, {**options, "where": condition.text})
    start = qmc.LatinHypercube(space.d, scramble=criterion is None, rng=generator).random(n)
    if couple.told:
        u = couple.reorder(start, generator)
    elif criterion in (None, "centred"):
        u = start
    else:
        u = optimised(space, start, criterion, generator, effort=effort)
    return design_from_unit(space, u, sampler, seed, {**options, "correlation": couple.told})


def check_criterion(criterion: str | None) -> None:
    """Raise a ValueError if there is no such criterion."""
    if criterion is not None and criterion not in get_args(Criterion):
        raise ValueError(f"unknown criterion {criterion!r}; {did_you_mean(str(criterion), get_args(Criterion))}")


def optimised(
    space: Space,
    u: FloatArray,
    criterion: str,
    rng: np.random.Generator,
    *,
    group: NDArray[np.int64] | None = None,
    effort: float = 1.0,
) -> FloatArray:
    """A Latin hypercube rearranged for a criterion; the rows of a negative group stay as they are."""
    found = exchange(space, u, criterion, rng, group=group, effort=effort)
    low, high = slices(space, found)
    if group is not None:
        low[group < 0] = high[group < 0] = found[group < 0]
    return refine(space, found, criterion, low, high)


def slices(space: Space, u: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Limits of the slices in which the points `u` lie, a hair inside, so that no rounding leads out."""
    n = len(u)
    cell = np.minimum(np.floor(u * n), n - 1)
    low, high = (cell + 1e-9) / n, (cell + 1 - 1e-9) / n
    # The border of a bounded parameter is a good place for a point; the end of the normal distribution is none.
    endless = open_ends(space)
    low[:, endless] = np.maximum(low[:, endless], FARTHEST / n)
    high[:, endless] = np.minimum(high[:, endless], 1 - FARTHEST / n)
    return np.minimum(low, u), np.maximum(high, u)
