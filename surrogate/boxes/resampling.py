"""How much of a box is there to stay: quality on runs held out, and what comes back in other draws of the runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.special
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from surrogate.boxes.box import Box, BoxUnion
from surrogate.boxes.finder import BoxFinder, by_name
from surrogate.boxes.folds import stratified_folds
from surrogate.boxes.labels import Labels
from surrogate.boxes.quality import box_quality
from surrogate.space import Space

__all__ = ["Resampled", "held_out_quality", "quality_intervals", "resample"]

FloatArray = NDArray[np.float64]


def quality_intervals(
    box: Box | BoxUnion, X: Any, of_interest: ArrayLike, *, sample_weight: Any = None, level: float = 0.95
) -> pd.DataFrame:
    """Coverage and density of a box among all possible runs, judged by runs that it was not found with.

    Parameters
    ----------
    box : Box or BoxUnion
    X : DataFrame or array of shape (n, d)
        Independent runs. On the runs that the box was found with, the intervals leave out that it was chosen to do well
        there: see :func:`held_out_quality`.
    of_interest : bool array of shape (n,), or probabilities
    sample_weight : float array of shape (n,), optional
    level : float
        Probability of the intervals.

    Returns
    -------
    DataFrame
        Rows ``coverage``, ``density``, ``mass``; columns ``value``, ``low``, ``high``.

    Notes
    -----
    Jeffreys intervals of a share [1]_: they do not shrink to nothing where all runs inside are of interest. Weighted
    runs count as the number of equal ones that would tell as much, ``sum(w)**2 / sum(w**2)``.

    References
    ----------
    .. [1] L. D. Brown, T. T. Cai, A. DasGupta, "Interval Estimation for a Binomial Proportion", Statistical Science
       16(2), 2001.

    Examples
    --------
    >>> x = np.arange(100.0)[:, None]
    >>> quality_intervals(Box({"x0": (50.0, float("inf"))}), x, x[:, 0] >= 60).round(2)
              value   low  high
    coverage    1.0  0.94  1.00
    density     0.8  0.67  0.89
    mass        0.5  0.40  0.60
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    quality = box_quality(box, X, of_interest, sample_weight=sample_weight)
    inside, y = box.contains(X), np.asarray(of_interest, dtype=float)
    weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=float)
    of = {"coverage": weight * y, "density": weight * inside, "mass": weight}
    rows = {name: (quality[name], *_jeffreys(quality[name], _effective(w), level)) for name, w in of.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high"])


def _effective(weight: FloatArray) -> float:
    squares = float(weight @ weight)
    return float(weight.sum()) ** 2 / squares if squares else 0.0


def _jeffreys(share: float, n: float, level: float) -> tuple[float, float]:
    tails = [(1 - level) / 2, (1 + level) / 2]
    low, high = scipy.special.betaincinv(share * n + 0.5, (1 - share) * n + 0.5, tails)
    return (0.0 if share == 0 else float(low)), (1.0 if share == 1 else float(high))


def held_out_quality(
    finder: BoxFinder,
    X: Any,
    of_interest: ArrayLike,
    *,
    space: Space | None = None,
    n_folds: int = 5,
    level: float = 0.95,
    rng: int | np.random.Generator | None = 0,
) -> pd.DataFrame:
    """What new runs will make of the box that a finder reports, by cross-validation.

    The finder is fitted anew without each part of the runs, and its `best_` judged on the part left out. This tells how
    good the way to a box is, choice included, rather than how good one box is.

    Parameters
    ----------
    finder : box finder
        Fitted or not; it is not changed.
    X : DataFrame or array of shape (n, d)
    of_interest : bool array of shape (n,), or probabilities
    space : Space, optional
    n_folds : int
        At least 2.
    level : float
    rng : int, Generator or None
        Makes the parts.

    Returns
    -------
    DataFrame
        Rows ``coverage``, ``density``, ``mass``; columns ``found`` (on the runs that a box was found with, mean over
        the parts), ``held_out``, ``low``, ``high``. The interval is that of a share of all runs, as of
        :func:`quality_intervals`; that the boxes of the parts differ is not in it.

    Raises
    ------
    ValueError
        If `n_folds` is less than 2, or the runs without a part are too few for the finder.

    Examples
    --------
    >>> from surrogate.boxes.prim import Prim
    >>> X = pd.DataFrame(np.random.default_rng(0).random((400, 3)), columns=["a", "b", "c"])
    >>> y = (X["a"] > 0.6) & (X["b"] < 0.5)
    >>> bool(held_out_quality(Prim(), X, y).loc["density", "held_out"] > 0.8)
    True
    """
    if n_folds < 2:
        raise ValueError(f"n_folds must be at least 2, got {n_folds}")
    y = np.asarray(of_interest, dtype=float)
    inside = np.zeros(len(y), dtype=bool)
    found = []
    folds = stratified_folds(Labels.of(of_interest, len(y)), n_folds, np.random.default_rng(rng))
    for k, held_out in enumerate(folds, 1):
        part = f"without fold {k} of {len(folds)}"
        if np.ptp(y[~held_out]) == 0:
            raise ValueError(
                f"{part} all runs are alike: there is nothing to tell apart; make more runs of either kind"
            )
        _check_support(finder, part, ~held_out, f"a larger n_folds than {n_folds}")
        rest = clone(finder).fit(_rows(X, ~held_out), np.asarray(of_interest)[~held_out], space=space)
        found.append(rest.trajectory_.iloc[rest.best_index_][["coverage", "density", "mass"]].astype(float))
        inside[held_out] = rest.best_.contains(by_name(_rows(X, held_out), rest.feature_names_in_))
    shares = {
        "coverage": (y @ inside / y.sum(), y.sum()),
        "density": (y @ inside / max(1, inside.sum()), inside.sum()),
        "mass": (inside.mean(), len(y)),
    }
    before = pd.concat(found, axis=1).mean(axis=1)
    rows = {name: (before[name], share, *_jeffreys(share, n, level)) for name, (share, n) in shares.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["found", "held_out", "low", "high"])


@dataclass(frozen=True, eq=False)
class Resampled:
    """What other draws of the runs make of a finder's best box.

    Attributes
    ----------
    frequencies : DataFrame
        By input, the share of the draws whose box restricts it: column ``coverage`` for the box of each draw's
        trajectory nearest in coverage to the one reported (of several the densest), ``density`` for that nearest in
        density (of several the one of the largest coverage).
    limits : DataFrame
        By input and side (``low``, ``high``) that the best box limits by a number: ``limit``, and between which values
        (``from``, ``to``) the limits of the draws' boxes nearest in coverage lie, where they have one; ``share`` of
        the draws have.
    boxes : tuple of Box
        Those nearest in coverage.

    Examples
    --------
    >>> from surrogate.boxes.prim import Prim
    >>> X = pd.DataFrame(np.random.default_rng(0).random((400, 2)), columns=["a", "b"])
    >>> told = resample(Prim().fit(X, X["a"] > 0.6), X, X["a"] > 0.6, n=5)
    >>> told.limits.round(2)
                limit  from    to  share
    input side
    a     low    0.61  0.59  0.61    1.0
    """

    frequencies: pd.DataFrame
    limits: pd.DataFrame
    boxes: tuple[Box, ...]


def resample(
    finder: BoxFinder,
    X: Any,
    of_interest: ArrayLike,
    *,
    space: Space | None = None,
    n: int = 20,
    share: float = 0.5,
    level: float = 0.9,
    rng: int | np.random.Generator | None = 0,
) -> Resampled:
    """Repeat a search on random parts of the runs, and see which restrictions come back [1]_.

    Parameters
    ----------
    finder : fitted box finder
        It is not changed.
    X, of_interest, space
        As it was fitted to.
    n : int
        Number of draws.
    share : float
        Part of the runs in a draw, without replacement.
    level : float
        Part of the draws' limits between the ends told.
    rng : int, Generator or None

    Returns
    -------
    Resampled

    Raises
    ------
    ValueError
        If `n` or `share` is none, or a draw holds too few runs for the finder.

    References
    ----------
    .. [1] B. P. Bryant, R. J. Lempert, "Thinking inside the box: A participatory, computer-assisted approach to
       scenario discovery", Technological Forecasting and Social Change 77(1), 2010, section 3.3.

    Examples
    --------
    >>> from surrogate.boxes.prim import Prim
    >>> X = pd.DataFrame(np.random.default_rng(0).random((400, 3)), columns=["a", "b", "c"])
    >>> y = (X["a"] > 0.6) & (X["b"] < 0.5)
    >>> resample(Prim().fit(X, y), X, y, n=5, rng=0).frequencies
           coverage  density
    input
    a           1.0      1.0
    b           1.0      1.0
    c           0.0      0.0
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    if not 0 < share < 1:
        raise ValueError(f"share must lie between 0 and 1, got {share}")
    rng = np.random.default_rng(rng)
    y = np.asarray(of_interest)
    reported = finder.trajectory_.iloc[finder.best_index_]
    near: dict[str, list[Box]] = {"coverage": [], "density": []}
    for i in range(n):
        rows = np.zeros(len(y), dtype=bool)
        rows[rng.choice(len(y), max(2, round(share * len(y))), replace=False)] = True
        if np.ptp(y[rows].astype(float)) == 0:  # nothing to tell apart: such a draw restricts nothing
            for boxes in near.values():
                boxes.append(Box({}))
            continue
        _check_support(finder, f"in draw {i + 1} of {n}", rows, f"a larger share than {share:g}")
        part = clone(finder).fit(_rows(X, rows), y[rows], space=space)
        for measure, other in (("coverage", "density"), ("density", "coverage")):
            distance = (part.trajectory_[measure] - reported[measure]).abs()
            # Many boxes may be as near: all that cut off no run of interest have the whole coverage.
            near[measure].append(part.boxes_[int(np.lexsort((-part.trajectory_[other], distance))[0])])
    names = pd.Index(finder.feature_names_in_, name="input")
    frequencies = pd.DataFrame(
        {
            measure: [np.mean([name in box.limits for box in boxes]) for name in names]
            for measure, boxes in near.items()
        },
        index=names,
    )
    return Resampled(frequencies, _limit_table(finder.best_, near["coverage"], level), tuple(near["coverage"]))


def _limit_table(best: Box, boxes: list[Box], level: float) -> pd.DataFrame:
    rows = []
    for name, limits in best.limits.items():
        if isinstance(limits, frozenset):
            continue
        for side, limit in zip(("low", "high"), limits):
            if not np.isfinite(limit):
                continue
            theirs = [box.limits[name][side == "high"] for box in boxes if name in box.limits]  # type: ignore[index]
            known = [value for value in theirs if np.isfinite(value)]
            ends = np.quantile(known, [(1 - level) / 2, (1 + level) / 2]) if known else (np.nan, np.nan)
            rows.append((name, side, limit, *ends, len(known) / len(boxes)))
    table = pd.DataFrame(rows, columns=["input", "side", "limit", "from", "to", "share"])
    return table.set_index(["input", "side"])


def _check_support(finder: BoxFinder, part: str, rows: NDArray[np.bool_], cure: str) -> None:
    """Say of a part of the runs that it is too small, in place of the finder, which would take it for all there is."""
    least = finder.get_params().get("min_support", 0)
    if rows.sum() < least:
        raise ValueError(
            f"{part} there are {rows.sum()} of {len(rows)} runs, fewer than min_support={least}; "
            f"ask for {cure}, or give the finder a smaller min_support"
        )


def _rows(X: Any, rows: NDArray[np.bool_]) -> Any:
    return X[rows] if isinstance(X, (np.ndarray, pd.DataFrame)) else np.asarray(X)[rows]
