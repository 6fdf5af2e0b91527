"""How good boxes are, on runs that they were found with or, better, on others."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from surrogate.boxes.box import Box, BoxUnion, Limits
from surrogate.boxes.labels import check_of_interest, check_weight
from surrogate.space import Categorical, Ordinal, Parameter, Space

__all__ = [
    "box_quality",
    "consistency",
    "dominates",
    "interpretability",
    "precision_recall_area",
    "trajectory_quality",
]

FloatArray = NDArray[np.float64]


def precision_recall_area(coverage: ArrayLike, density: ArrayLike) -> float:
    """Area between a trajectory and the base rate, coverage along and density up.

    The boxes are joined in their order by straight lines, the last one's density holds down to coverage 0, and the
    density of the first box, which must be the whole space, is subtracted: a trajectory that finds nothing has area 0
    [1]. Boxes without any run of interest tell nothing and are left out.

    Parameters
    ----------
    coverage, density : array of shape (n_boxes,)

    References
    ----------
    .. [1] V. Arzamasov, K. Boehm, "REDS: Rule Extraction for Discovering Scenarios", SIGMOD 2021, section 8.

    Examples
    --------
    >>> round(precision_recall_area([1.0, 0.5], [0.2, 0.6]), 3)
    0.3
    """
    recall, precision = np.asarray(coverage, dtype=float), np.asarray(density, dtype=float)
    told = recall > 0
    recall, precision = recall[told], precision[told]
    area = float(np.sum((recall[:-1] - recall[1:]) * (precision[:-1] + precision[1:])) / 2)
    return area + float(recall[-1] * precision[-1] - precision[0])


def trajectory_quality(boxes: Sequence[Box], X: Any, of_interest: ArrayLike, *, sample_weight: Any = None) -> float:
    """Precision-recall area of a trajectory on given runs, which should not be those it was found with.

    Parameters
    ----------
    boxes : sequence of Box
        From the whole space on, as ``finder.boxes_``.
    X : DataFrame or array of shape (n, d)
    of_interest : bool array of shape (n,), or probabilities
    sample_weight : float array of shape (n,), optional

    Returns
    -------
    float
        At most 1 minus the share of interest; 0 for boxes that find nothing. See :func:`precision_recall_area`.

    Raises
    ------
    ValueError
        If the first box restricts anything, or no run is of interest.

    Examples
    --------
    >>> x = np.linspace(0, 1, 101)[:, None]
    >>> boxes = [Box({}), Box({"x0": (0.5, float("inf"))})]
    >>> round(trajectory_quality(boxes, x, x[:, 0] > 0.745), 3)
    0.252
    """
    if not boxes or boxes[0].limits:
        raise ValueError("the first box of a trajectory must be the whole space, with no limits")
    table = pd.DataFrame([box_quality(box, X, of_interest, sample_weight=sample_weight) for box in boxes])
    return precision_recall_area(table["coverage"], table["density"])


def box_quality(box: Box | BoxUnion, X: Any, of_interest: ArrayLike, *, sample_weight: Any = None) -> dict[str, float]:
    """What a box holds of given runs.

    Parameters
    ----------
    box : Box or BoxUnion
    X : DataFrame or array of shape (n, d)
    of_interest : bool array of shape (n,), or probabilities
    sample_weight : float array of shape (n,), optional

    Returns
    -------
    dict
        ``coverage``: share of the runs of interest inside (recall); ``density``: share of interest among the runs
        inside (precision), 0 if none is inside; ``mass``: share of all runs inside; ``wracc``: weighted relative
        accuracy, mass times the density above that of all runs; ``lift``: density over that of all runs.

    Raises
    ------
    ValueError
        If shapes do not match or no run is of interest.

    Examples
    --------
    >>> runs = pd.DataFrame({"x": [0.0, 0.6, 0.7, 0.2]})
    >>> box_quality(Box({"x": (0.5, float("inf"))}), runs, [False, True, False, False])
    {'coverage': 1.0, 'density': 0.5, 'mass': 0.5, 'wracc': 0.125, 'lift': 2.0}
    """
    inside = box.contains(X)
    y = check_of_interest(of_interest, len(inside))
    weight = check_weight(sample_weight, len(y))
    if weight is None:
        total, held = float(len(y)), float(np.count_nonzero(inside))
        positive, found = float(y.sum()), float(y[inside].sum())
    else:
        total, held = float(weight.sum()), float(weight[inside].sum())
        positive, found = float(weight @ y), float(weight[inside] @ y[inside])
    if positive <= 0:
        raise ValueError(f"none of the {len(y)} runs is of interest: there is no coverage to tell")
    density = found / held if held else 0.0
    share = positive / total
    return {
        "coverage": found / positive,
        "density": density,
        "mass": held / total,
        "wracc": held / total * (density - share),
        "lift": density / share,
    }


def dominates(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    """Whether a box is better than another in coverage or density and worse in neither.

    Parameters
    ----------
    one, other : mapping or row with ``coverage`` and ``density``
    """
    better = [one[name] - other[name] for name in ("coverage", "density")]
    return min(better) >= 0 and max(better) > 0


def consistency(boxes: Iterable[Box], space: Space) -> float:
    """How alike boxes are that came out of repeats: the volume that two share, by the volume of either or both.

    Parameters
    ----------
    boxes : iterable of Box
        At least two, e.g. the best boxes of several designs.
    space : Space
        Gives the inputs' distributions: a volume is the share of all possible points.

    Returns
    -------
    float
        Mean over all pairs, between 0 (no two overlap) and 1 (all are the same) [1].

    References
    ----------
    .. [1] V. Arzamasov, K. Boehm, "REDS: Rule Extraction for Discovering Scenarios", SIGMOD 2021, section 8.

    Examples
    --------
    >>> from surrogate.space import Real
    >>> round(consistency([Box({"x": (0.0, 0.5)}), Box({"x": (0.25, 1.0)})], Space(x=Real(0, 1), y=Real(0, 1))), 3)
    0.25
    """
    found = list(boxes)
    if len(found) < 2:
        raise ValueError(f"consistency is about two boxes or more, got {len(found)}")
    shares = []
    for i, one in enumerate(found):
        for other in found[:i]:
            both = _volume(space, one, other)
            either = _volume(space, one) + _volume(space, other) - both
            shares.append(both / either if either > 0 else 0.0)
    return float(np.mean(shares))


def _volume(space: Space, *boxes: Box) -> float:
    """Share of the possible points that lie in every box."""
    volume = 1.0
    for name in {name for box in boxes for name in box.limits}:
        limits = [box.limits[name] for box in boxes if name in box.limits]
        volume *= _share(space[name], limits)
    return volume


def _share(parameter: Parameter, limits: Sequence[Limits]) -> float:
    if isinstance(parameter, (Ordinal, Categorical)):
        inside = np.logical_and.reduce([Box({"": limit}).contains({"": list(parameter.values)}) for limit in limits])
        return float(inside.mean())
    ends = [limit for limit in limits if not isinstance(limit, frozenset)]
    low, high = max(limit[0] for limit in ends), min(limit[1] for limit in ends)
    low, high = max(low, float(parameter.low)), min(high, float(parameter.high))  # type: ignore[attr-defined]
    if high < low:
        return 0.0
    # A whole number stands for its cell of the unit interval, from half a step below to half a step above.
    half = 0.5 if parameter.kind == "integer" else 0.0
    start, end = np.clip(
        parameter.to_unit([math.ceil(low) - half, math.floor(high) + half] if half else [low, high]), 0, 1
    )
    return max(0.0, float(end - start))


def interpretability(box: Box, influential: Iterable[str] | None = None) -> dict[str, int]:
    """How much there is to read in a box.

    Parameters
    ----------
    box : Box
    influential : iterable of str, optional
        The inputs that matter, where known, e.g. of a test function.

    Returns
    -------
    dict
        ``n_restricted``: inputs with limits; with `influential` also ``n_irrelevant``: those with limits that do not
        matter.

    Examples
    --------
    >>> interpretability(Box({"a": (0.2, np.inf), "b": (-np.inf, 3.0)}), influential=["a"])
    {'n_restricted': 2, 'n_irrelevant': 1}
    """
    out = {"n_restricted": len(box.limits)}
    if influential is not None:
        out["n_irrelevant"] = len(set(box.limits) - set(influential))
    return out
