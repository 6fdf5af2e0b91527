"""From coded levels, -1 the lowest and 1 the highest, to a design."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.designs._design import finish, open_ends
from surrogate.designs._exchange import n_values
from surrogate.space import Categorical, Real, Space

__all__ = ["coded_to_unit", "design_from_coded", "numeric", "two_levels", "with_centres"]

FloatArray = NDArray[np.float64]

# -1 and 1 of a parameter without ends are its 5% and 95% quantiles.
TAIL = 0.05


def coded_to_unit(space: Space, coded: FloatArray) -> FloatArray:
    """Positions in the unit cube of coded levels in [-1, 1].

    A discrete parameter of k values has k equally spaced levels, the first -1 and the last 1.
    """
    u = (np.clip(coded, -1, 1) + 1) / 2
    for k, parameter in enumerate(space.values()):
        if not isinstance(parameter, Real):
            first, last = parameter.to_unit(parameter.from_unit(np.array([0.0, 1.0])))
            u[:, k] = first + u[:, k] * (last - first)
    open_columns = open_ends(space)
    u[:, open_columns] = TAIL + u[:, open_columns] * (1 - 2 * TAIL)
    return u


def design_from_coded(
    space: Space, coded: FloatArray, sampler: str, options: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """The design of coded levels; it has no seed."""
    return finish(space, space.from_unit(coded_to_unit(space, np.asarray(coded, dtype=float))), sampler, None, options)


def with_centres(coded: FloatArray, centre: int) -> FloatArray:
    """Coded levels with runs in the middle added."""
    if isinstance(centre, bool) or not isinstance(centre, (int, np.integer)) or centre < 0:
        raise ValueError(f"centre must be a number of runs, 0 or more, got {centre!r}")
    coded = np.asarray(coded, dtype=float)
    return np.vstack([coded, np.zeros((int(centre), coded.shape[1]))])


def two_levels(space: Space, sampler: str) -> None:
    """Refuse categorical parameters that have more than two values.

    Raises
    ------
    ValueError
    """
    for name, parameter in space.items():
        if isinstance(parameter, Categorical) and len(parameter.values) > 2:
            raise ValueError(
                f"{sampler} has two levels, but {name!r} has {len(parameter.values)} values without an order; "
                "use factorial, gsd or optimal"
            )


def numeric(space: Space, sampler: str) -> None:
    """Refuse parameters without a middle: categories, and whatever has only two values.

    Raises
    ------
    ValueError
    """
    for name, parameter in space.items():
        if isinstance(parameter, Categorical):
            raise ValueError(f"{sampler} needs a middle level, but {name!r} is categorical; use factorial or optimal")
        if not isinstance(parameter, Real) and n_values(parameter) == 2:
            raise ValueError(f"{sampler} needs a middle level, but {name!r} has two values; use factorial or optimal")
