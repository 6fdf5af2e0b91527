"""How good a design is: distances, discrepancies, projections, correlations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import qmc

from surrogate.designs import _criteria as criteria
from surrogate.designs._exchange import seen
from surrogate.space import Space

__all__ = ["correlations", "design_quality", "discrepancy", "maxpro_value", "minimum_distance", "phi_p"]

FloatArray = NDArray[np.float64]


def minimum_distance(design: pd.DataFrame, space: Space) -> float:
    """Smallest distance of two points in the unit cube; the larger the better.

    A discrete value is at the middle of its cell; two categories differ by sqrt(1 / (6 (1 - 1/k))), which makes points
    on average as far apart as in a uniform parameter.

    Examples
    --------
    >>> from surrogate.space import Real
    >>> minimum_distance(pd.DataFrame({"x": [0.0, 1.0, 4.0]}), Space(x=Real(0, 4)))
    0.25
    """
    return float(np.sqrt(_pairs(_distances(design, space)).min()))


def phi_p(design: pd.DataFrame, space: Space, p: float = 10) -> float:
    """``(sum of distances to the power -p)^(1/p)`` over all pairs (Morris, Mitchell 1995); the smaller the better."""
    distance = np.sqrt(_pairs(_distances(design, space)))
    least = distance.min()
    if least == 0:
        return float("inf")
    return float(((least / distance) ** p).sum() ** (1 / p) / least)


def discrepancy(design: pd.DataFrame, space: Space, method: Literal["centred", "wrap-around"] = "centred") -> float:
    """Squared discrepancy from the uniform distribution (Hickernell 1998); the smaller the better.

    Parameters
    ----------
    method : {"centred", "wrap-around"}
        Of boxes from each point to its nearest corner, or of boxes that may leave the cube on one side and come in on
        the other.
    """
    kinds = {"centred": "CD", "wrap-around": "WD"}
    if method not in kinds:
        raise ValueError(f"method must be 'centred' or 'wrap-around', got {method!r}")
    return float(qmc.discrepancy(np.clip(seen(space, space.to_unit(design)).x, 0, 1), method=kinds[method]))  # type: ignore[arg-type]


def maxpro_value(design: pd.DataFrame, space: Space) -> float:
    """Maximum projection criterion (Joseph, Gul and Ba 2015); the smaller the better.

    ``(mean over pairs of 1 / product over parameters of squared differences)^(1/d)``, discrete parameters with a cell's
    width added to their differences.
    """
    points = seen(space, space.to_unit(design))
    logs = np.zeros((len(design), len(design)))
    for k in range(space.d):
        logs += np.log(criteria.maxpro_factor(points.x[:, k], int(points.levels[k]), bool(points.nominal[k])))
    pairs = _pairs(logs)
    return float(np.exp((pairs.max() + np.log(np.mean(np.exp(pairs - pairs.max())))) / space.d))


def correlations(design: pd.DataFrame, space: Space) -> pd.DataFrame:
    """Correlations between the parameters' positions in the unit cube, DataFrame of shape (d, d); 0 for a constant."""
    x = seen(space, space.to_unit(design)).x
    centred = x - x.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    z = centred / np.where(length > 0, length, 1.0)
    matrix = np.clip(z.T @ z, -1, 1)
    np.fill_diagonal(matrix, 1.0)
    return pd.DataFrame(matrix, index=list(space), columns=list(space))


def design_quality(designs: pd.DataFrame | Mapping[str, pd.DataFrame], space: Space) -> pd.DataFrame:
    """Every measure of one or several designs.

    Parameters
    ----------
    designs : DataFrame of shape (n, d), or mapping of name to such
        At least two points each.
    space : Space

    Returns
    -------
    DataFrame
        Indexed by design; columns ``n``, ``minimum_distance`` (large is good), ``phi_p`` (p = 10),
        ``centred_discrepancy``, ``wrap_around_discrepancy``, ``maxpro``, ``largest_correlation`` (small is good).

    Examples
    --------
    >>> from surrogate.designs import latin_hypercube, maximin
    >>> from surrogate.space import Real
    >>> space = Space(x=Real(0, 1), y=Real(0, 1))
    >>> table = design_quality({"random": latin_hypercube(space, 9, rng=0), "maximin": maximin(space, 9, rng=0)}, space)
    >>> table["minimum_distance"].idxmax()
    'maximin'
    """
    if isinstance(designs, pd.DataFrame):
        designs = {str(designs.attrs.get("sampler", "design")): designs}
    rows = {}
    for name, design in designs.items():
        if len(design) < 2:
            raise ValueError(f"design {name!r}: quality is measured between points, at least 2 are needed")
        matrix = correlations(design, space).to_numpy()
        rows[name] = {
            "n": len(design),
            "minimum_distance": minimum_distance(design, space),
            "phi_p": phi_p(design, space),
            "centred_discrepancy": discrepancy(design, space),
            "wrap_around_discrepancy": discrepancy(design, space, "wrap-around"),
            "maxpro": maxpro_value(design, space),
            "largest_correlation": float(np.abs(matrix - np.diag(np.diag(matrix))).max()),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("design")


def _distances(design: pd.DataFrame, space: Space) -> FloatArray:
    if len(design) < 2:
        raise ValueError(f"distances need at least 2 points, got {len(design)}")
    return criteria.squared_distances(seen(space, space.to_unit(design)))


def _pairs(square: FloatArray) -> FloatArray:
    return square[np.triu_indices(len(square), 1)]
