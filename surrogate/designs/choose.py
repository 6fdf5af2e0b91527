"""The design to take if one does not want to choose."""

from __future__ import annotations

import numpy as np
import pandas as pd

from surrogate.designs._design import Rng, check_size, finish
from surrogate.designs._exchange import n_values
from surrogate.designs.copula import Correlation
from surrogate.designs.factorial import factorial
from surrogate.designs.latin_hypercube import latin_hypercube
from surrogate.designs.sobol import sobol
from surrogate.designs.where import Where
from surrogate.space import Real, Space

__all__ = ["design"]

# Beyond this many points the search for a maximin design takes longer than a few seconds and gains little over Sobol's.
LARGEST_SEARCHED = 500

# Up to so many combinations are looked at one by one for those that meet a condition.
MOST_LISTED = 100_000


def design(
    space: Space, n: int, *, rng: Rng = None, where: Where = None, correlation: Correlation = None
) -> pd.DataFrame:
    """A design that suits the space and the number of points, with the reason in ``attrs["why"]``.

    Parameters
    ----------
    space : Space
    n : int
        Number of points; if the space has no more combinations than that (that meet the condition), all of them are
        returned once.
    rng : int, numpy Generator or None
    where : str or list of str, optional
        Conditions on the inputs.
    correlation : mapping of (name, name) to float, or DataFrame, optional
        Correlations of the normal scores of pairs of parameters.

    Returns
    -------
    DataFrame of shape (n, d), or fewer rows
        ``attrs`` as of the sampler taken, and ``why``.

    Examples
    --------
    >>> from surrogate.space import Real, Space
    >>> design(Space(x=Real(0, 1), y=Real(0, 1)), 20, rng=0).attrs["why"]
    'a maximin Latin hypercube: 20 points are few for 2 parameters, so they are kept as far apart as possible'
    """
    n = check_size(n)
    all_of_them = None if correlation is not None else _all_combinations(space, n, where)
    if all_of_them is not None:
        made = all_of_them
        which = "the space has" if where is None else "the condition leaves"
        why = f"a full factorial: {which} only {len(made)} combinations, and {n} runs pay for all of them"
    elif correlation is not None and where is None:
        made = latin_hypercube(space, n, correlation=correlation, rng=rng)
        why = "a Latin hypercube rearranged to the wanted correlations: every parameter stays evenly covered"
    elif where is not None or n > LARGEST_SEARCHED:
        made = sobol(space, n, where=where, correlation=correlation, rng=rng)
        why = (
            "a Sobol sequence of which the points that meet the condition are kept: even in any part of the space"
            if where is not None
            else f"a Sobol sequence: with {n} points a search for the best distances gains little, and this one can "
            "be continued"
        )
        if where is None and n & (n - 1):
            why += f"; it is most even at powers of two, e.g. {2 ** (n - 1).bit_length()}"
    else:
        made = latin_hypercube(space, n, criterion="maximin", rng=rng)
        what = f"{n} point{'s are' if n > 1 else ' is'} few for {space.d} parameter{'s' if space.d > 1 else ''}"
        why = f"a maximin Latin hypercube: {what}, so they are kept as far apart as possible"
    told = {str(key): value for key, value in made.attrs.items() if key not in ("sampler", "seed", "n")}
    return finish(space, made, made.attrs["sampler"], made.attrs["seed"], {**told, "why": why})


def _all_combinations(space: Space, n: int, where: Where) -> pd.DataFrame | None:
    """Every combination of a discrete space, if there are at most `n` that meet the condition."""
    total = np.prod([np.inf if isinstance(p, Real) else float(n_values(p)) for p in space.values()])
    if total > (n if where is None else max(n, MOST_LISTED)):
        return None
    made = factorial(space, {name: n_values(p) for name, p in space.items()}, where=where)
    return made if len(made) <= n else None
