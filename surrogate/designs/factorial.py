"""Full and fractional factorial designs, Plackett-Burman designs and generalised subsets."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pydoe
from numpy.typing import NDArray

from surrogate.designs._coded import coded_to_unit, design_from_coded, two_levels, with_centres
from surrogate.designs._design import check_size, finish
from surrogate.designs._exchange import n_values
from surrogate.designs._hadamard import hadamard
from surrogate.designs.where import Where, check_where
from surrogate.errors import ConditionError, did_you_mean
from surrogate.space import Integer, Real, Space

__all__ = ["factorial", "fractional_factorial", "gsd", "plackett_burman"]

Levels = int | Mapping[str, int] | None

# A full factorial beyond this size is a slip, and would fill the memory.
MOST_RUNS = 1_000_000


def factorial(space: Space, levels: Levels = None, *, where: Where = None) -> pd.DataFrame:
    """Full factorial: every combination of the parameters' levels.

    Parameters
    ----------
    space : Space
    levels : int or mapping of str to int, optional
        Number of levels of real and whole numbers, equally spaced from the lowest to the highest (in the logarithm or
        the distribution, if the parameter has one; whole numbers as nearly as different ones can be); 2 by default.
        Ordinal and categorical parameters, and whole numbers that have fewer, take all their values unless they are
        named here.
    where : str or list of str, optional
        Conditions on the inputs; combinations that do not meet them are left out.

    Returns
    -------
    DataFrame of shape (product of levels, d)
        The first parameter varies fastest; ``attrs`` holds ``sampler``, ``seed`` (None) and ``n``.

    Raises
    ------
    ValueError
        If there would be more than a million combinations.

    Examples
    --------
    >>> from surrogate.space import Categorical, Real, Space
    >>> factorial(Space(x=Real(0, 1), kind=Categorical(["a", "b"])), levels=3)
         x kind
    0  0.0    a
    1  0.5    a
    2  1.0    a
    3  0.0    b
    4  0.5    b
    5  1.0    b
    """
    condition = check_where(where, space)
    counts = _counts(space, levels)
    total = int(np.prod([float(c) for c in counts]))
    if total > MOST_RUNS:
        raise ValueError(f"{' x '.join(map(str, counts))} levels are {total} runs, too many; use gsd or optimal")
    design = _by_level(space, np.asarray(pydoe.fullfact(np.array(counts)), dtype=np.int64), counts)
    if condition is not None:
        design = design[condition(design)].reset_index(drop=True)
        if design.empty:
            raise ConditionError(f"where: no combination of levels meets {condition.text!r}")
    return finish(space, design, "factorial", None, {"where": condition.text if condition else None})


def gsd(space: Space, reduction: int, levels: Levels = None) -> pd.DataFrame:
    """Generalised subset design: a balanced part of the full factorial, about one in `reduction` of its runs.

    Parameters
    ----------
    space : Space
    reduction : int
        At least 2.
    levels : int or mapping of str to int, optional
        As in :func:`factorial`.

    Returns
    -------
    DataFrame
        ``attrs`` holds ``sampler``, ``seed`` (None), ``n`` and ``reduction``.

    References
    ----------
    .. [1] I. Surowiec et al., "Generalized Subset Designs in Analytical Chemistry", Analytical Chemistry 89(12), 2017.

    Examples
    --------
    >>> from surrogate.space import Ordinal, Real, Space
    >>> len(gsd(Space(x=Real(0, 1), y=Real(0, 1), z=Ordinal([1, 2, 3])), 3, levels=3))
    9
    """
    if isinstance(reduction, bool) or not isinstance(reduction, (int, np.integer)) or reduction < 2:
        raise ValueError(f"reduction must be a whole number of at least 2, got {reduction!r}")
    counts = _counts(space, levels)
    try:
        rows = pydoe.gsd(counts, int(reduction))
    except ValueError as error:
        raise ValueError(f"gsd: {error} (levels {counts}, reduction {reduction})") from error
    design = _by_level(space, np.asarray(rows, dtype=np.int64), counts)
    return finish(space, design, "gsd", None, {"reduction": int(reduction)})


def fractional_factorial(
    space: Space, resolution: int = 3, *, generators: str | None = None, centre: int = 0
) -> pd.DataFrame:
    """Two-level fractional factorial: the smallest regular fraction of the given resolution.

    Parameters
    ----------
    space : Space
        Parameters with a lowest and a highest value; a categorical one must have exactly two.
    resolution : int
        3: no main effect is mixed up with another; 4: nor with an interaction of two; 5: nor are interactions of two
        with each other.
    generators : str, optional
        A word for each parameter instead, e.g. ``"a b c abc"``; then `resolution` is not used.
    centre : int
        Number of added runs in the middle.

    Returns
    -------
    DataFrame of shape (2^k + centre, d)
        ``attrs`` holds ``sampler``, ``seed`` (None), ``n`` and ``generators`` or ``resolution``.

    References
    ----------
    .. [1] G. E. P. Box, J. S. Hunter, "The 2^(k-p) fractional factorial designs", Technometrics 3(3), 1961.

    Examples
    --------
    >>> from surrogate.space import Real, Space
    >>> len(fractional_factorial(Space({f"x{i}": Real(0, 1) for i in range(7)})))
    8
    """
    two_levels(space, "fractional_factorial")
    d = space.d
    options: dict[str, Any] = {"generators": generators} if generators else {"resolution": resolution}
    if generators is not None:
        words = generators.split()
        if len(words) != d or not all(re.fullmatch(r"[+-]?[A-Za-z]+", word) for word in words):
            raise ValueError(f"generators must be {d} words of letters such as 'a b ab', got {generators!r}")
        coded = pydoe.fracfact(generators)
    else:
        if resolution not in (3, 4, 5, 6, 7):
            raise ValueError(f"resolution must be a whole number from 3 to 7, got {resolution!r}")
        try:
            coded = pydoe.fracfact_by_res(d, resolution) if d > 2 else pydoe.ff2n(d)
        except ValueError:
            # No proper fraction of so few parameters has it: the full factorial is the smallest.
            coded = pydoe.ff2n(d)
    return design_from_coded(space, with_centres(coded, centre), "fractional_factorial", options)


def plackett_burman(space: Space, *, centre: int = 0) -> pd.DataFrame:
    """Plackett-Burman design: main effects of d parameters from the next multiple of four above d runs.

    The runs are rows of a Hadamard matrix, built by Paley's constructions and by doubling [2]_. These miss few
    multiples of four, of those up to 200 only 92, 116, 156, 172, 184 and 188; there the next larger one is taken.

    Parameters
    ----------
    space : Space
        Parameters with a lowest and a highest value; a categorical one must have exactly two.
    centre : int
        Number of added runs in the middle.

    Returns
    -------
    DataFrame of shape (4 * (d // 4 + 1) + centre, d), or a few rows more
        ``attrs`` holds ``sampler``, ``seed`` (None) and ``n``.

    References
    ----------
    .. [1] R. L. Plackett, J. P. Burman, "The design of optimum multifactorial experiments", Biometrika 33(4), 1946.
    .. [2] R. E. A. C. Paley, "On orthogonal matrices", Journal of Mathematics and Physics 12, 1933.

    Examples
    --------
    >>> from surrogate.space import Real, Space
    >>> len(plackett_burman(Space({f"x{i}": Real(0, 1) for i in range(11)})))
    12
    """
    two_levels(space, "plackett_burman")
    sizes = itertools.count(4 * (space.d // 4 + 1), 4)
    matrix = next(found for found in map(hadamard, sizes) if found is not None)
    # The first column is 1 in every run: the mean, to which all others are orthogonal.
    return design_from_coded(space, with_centres(matrix[:, 1 : space.d + 1], centre), "plackett_burman")


def _counts(space: Space, levels: Levels) -> list[int]:
    given: Mapping[str, int] = levels if isinstance(levels, Mapping) else {}
    unknown = [name for name in given if name not in space]
    if unknown:
        raise ValueError(f"levels: no input {unknown[0]!r}; {did_you_mean(unknown[0], space)}")
    default = check_size(levels, "levels") if levels is not None and not isinstance(levels, Mapping) else 2
    counts = []
    for name, parameter in space.items():
        most = None if isinstance(parameter, Real) else n_values(parameter)
        usual = default if most is None else min(default, most) if isinstance(parameter, Integer) else most
        count = check_size(given.get(name, usual), f"levels of {name!r}")
        if most is not None and count > most:
            raise ValueError(f"levels of {name!r}: it has only {most} values, got {count}")
        counts.append(count)
    return counts


def _by_level(space: Space, rows: NDArray[np.int64], counts: list[int]) -> pd.DataFrame:
    """Levels 0 ... count - 1, spread from the lowest to the highest value; a single one is in the middle."""
    steps = np.arange(max(counts))
    spread = np.array([1 if count == 1 else count - 1 for count in counts])
    coded = np.where(np.array(counts) == 1, 0.0, 2 * steps[:, None] / spread - 1)
    levels = space.from_unit(coded_to_unit(space, coded))
    columns = {}
    for k, (name, parameter) in enumerate(space.items()):
        values = levels[name].to_numpy()[: counts[k]]
        if isinstance(parameter, Integer):
            # Levels that are even in the logarithm fall on the same small numbers: each rises above the one before, and
            # the last stay within the bounds.
            step = steps[: counts[k]]
            values = np.minimum(np.maximum.accumulate(values - step), parameter.high - step[-1]) + step
        columns[name] = values[rows[:, k]]
    return pd.DataFrame(columns)
