"""The patient rule induction method (PRIM) of Friedman and Fisher."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.boxes.box import Limits
from surrogate.boxes.cells import Cells
from surrogate.boxes.finder import BoxFinder, Found, least_weight
from surrogate.boxes.folds import stratified_folds
from surrogate.boxes.labels import Labels
from surrogate.boxes.objectives import OBJECTIVES
from surrogate.boxes.path import Path
from surrogate.boxes.quality import precision_recall_area
from surrogate.boxes.search import find_path
from surrogate.boxes.table import InputTable, Missing

__all__ = ["ALPHAS", "Prim", "check_alpha", "choose_alpha", "held_out_area", "path_limits"]

# What alpha="cv" chooses from, as in the REDS paper [4].
ALPHAS = (0.03, 0.05, 0.07, 0.1, 0.13, 0.16, 0.2)

# With so many rows one held-out part tells paths apart as well as all parts in turn.
MANY_ROWS = 20_000


class Prim(BoxFinder):
    """Patient rule induction: peel a box from the whole space until it is dense in runs of interest, then paste back.

    Parameters
    ----------
    alpha : float or "cv"
        Share of the box's rows that one peel takes off, at least a whole group of equal values. With "cv" the one of
        0.03, 0.05, 0.07, 0.1, 0.13, 0.16, 0.2 whose boxes have the largest precision-recall area in five-fold
        cross-validation; from 20,000 rows on in one held-out fifth.
    min_support : int or float
        Smallest number of rows in a box (their weight, if rows are weighted); below 1 a share of all rows.
    objective : {"lenient1", "lenient2", "original"}
        What makes a peel good: gain of density per row given up, the same times the rows kept, or the density reached.
        The first two peel only while density rises. The original peels on down to the support, and the trajectory ends
        at the first of its densest boxes.
    paste : bool
        Whether to give back rows at the end where that raises the density.
    paste_alpha : float
        Share of the rows just outside a limit that one paste gives back.
    missing : {"raise", "outside"}
        What a missing value means: an error, or that the run satisfies no limit on that input. Such a run is inside as
        long as the input is not restricted; the first peel of the input gives up all its missing values, and they count
        as rows given up. It is what SQL and ``Box.contains`` make of them.
    rng : int, Generator or None
        Makes the folds of ``alpha="cv"``.

    Attributes
    ----------
    boxes_ : list of Box
        The peeling trajectory from the whole space to the smallest box, then the pasted ones.
    trajectory_ : DataFrame
        One row a box: ``coverage`` (share of the runs of interest inside), ``density`` (share of the runs inside that
        are of interest), ``mass`` (share of all runs inside), ``n_restricted``, ``n_inside``.
    best_ : Box
        The box chosen as :func:`surrogate.boxes.choice.choose_supported` says: the largest weighted relative accuracy
        that the number of runs supports with so many limits.
    best_index_ : int
        Its position in the trajectory.
    of_interest_ : bool array of shape (n,)
        As fitted; a probability counts from one half.
    alpha_ : float
        The share used.
    alpha_scores_ : Series
        Mean precision-recall area by alpha, for ``alpha="cv"``.
    quasi_p_ : float array of shape (n_boxes, d, 2)
        Quasi-p-values of the low and high limits; NaN where open. See :meth:`quasi_p`.

    Notes
    -----
    Limits lie half-way between the last value left out and the first kept. A side that was never peeled is open: it is
    not closed at the smallest or largest value that happened to be in the data.

    References
    ----------
    .. [1] J. H. Friedman, N. I. Fisher, "Bump hunting in high-dimensional data", Statistics and Computing 9, 1999.
    .. [2] B. P. Bryant, R. J. Lempert, "Thinking inside the box: A participatory, computer-assisted approach to
       scenario discovery", Technological Forecasting and Social Change 77(1), 2010.
    .. [3] N. Lavrac, P. Flach, B. Zupan, "Rule Evaluation Measures: A Unifying View", ILP 1999.
    .. [4] V. Arzamasov, K. Boehm, "REDS: Rule Extraction for Discovering Scenarios", SIGMOD 2021.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.random((500, 3)), columns=["a", "b", "c"])
    >>> prim = Prim().fit(X, (X["a"] > 0.6) & (X["b"] < 0.5))
    >>> prim.best_.rule(digits=1)
    'a >= 0.6 and b <= 0.5'
    """

    def __init__(
        self,
        *,
        alpha: float | Literal["cv"] = 0.05,
        min_support: float = 20,
        objective: Literal["lenient1", "lenient2", "original"] = "lenient1",
        paste: bool = True,
        paste_alpha: float = 0.05,
        missing: Missing = "raise",
        rng: int | np.random.Generator | None = 0,
    ) -> None:
        self.alpha = alpha
        self.min_support = min_support
        self.objective = objective
        self.paste = paste
        self.paste_alpha = paste_alpha
        self.missing = missing
        self.rng = rng

    def _check_parameters(self) -> None:
        check_alpha(self.alpha)
        if not 0 < self.paste_alpha < 1:
            raise ValueError(f"paste_alpha must lie between 0 and 1, got {self.paste_alpha}")
        if self.objective not in OBJECTIVES:
            raise ValueError(f"objective must be one of {', '.join(OBJECTIVES)}, got {self.objective!r}")
        if not self.min_support > 0:
            raise ValueError(f"min_support must be positive, got {self.min_support}")

    def _search(self, table: InputTable, labels: Labels) -> Found:
        cells = Cells.of(table)
        options: dict[str, Any] = {
            "least": least_weight(self.min_support, labels),
            "objective": self.objective,
            "paste": self.paste,
            "paste_alpha": self.paste_alpha,
        }
        if self.alpha == "cv":
            self.alpha_scores_ = choose_alpha(cells, labels, self.rng, **options)
            self.alpha_ = ALPHAS[int(self.alpha_scores_.argmax())]
        else:
            self.alpha_ = float(self.alpha)
        path = self._path = find_path(cells, labels, alpha=self.alpha_, **options)
        self.quasi_p_ = path.quasi_p
        return Found(path_limits(table, path), path.weight, path.positive, path.n_inside)

    def quasi_p(self, box: int | None = None) -> pd.DataFrame:
        """How easily chance alone would have made each limit of a box.

        If the limit did nothing, the runs inside would be a random draw from the box without it. The quasi-p-value is
        the chance that at least as many of them were of interest as really are [2]. It is a measure to rank limits by
        and not a test, since the limits were chosen to make it small.

        Parameters
        ----------
        box : int, optional
            Position in the trajectory; by default that of `best_`.

        Returns
        -------
        DataFrame
            One row a restricted input, columns ``low`` and ``high``; NaN where open. A set of values is one limit and
            stands under ``low``.
        """
        index = self.best_index_ if box is None else box
        frame = pd.DataFrame(self.quasi_p_[index], index=self.feature_names_in_, columns=["low", "high"])
        return frame.loc[list(self.boxes_[index].limits)]


def check_alpha(alpha: Any) -> None:
    """Raise ValueError unless alpha is a share or "cv"."""
    if isinstance(alpha, str):
        if alpha != "cv":
            raise ValueError(f"alpha must be a number between 0 and 1, or 'cv', got {alpha!r}")
    elif not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha}")


def choose_alpha(
    cells: Cells, labels: Labels, rng: int | np.random.Generator | None, *, n_folds: int = 5, **options: Any
) -> pd.Series:
    """Mean precision-recall area on held-out rows by alpha; of many rows one part only is held out."""
    options["least"] = min(options["least"], labels.total / 2)  # or a fold could not be peeled at all
    folds = stratified_folds(labels, n_folds, np.random.default_rng(rng))
    if labels.taking_part.sum() >= MANY_ROWS:
        folds = folds[:1]
    areas = [
        np.mean(
            [
                held_out_area(find_path(cells, labels, alpha=alpha, rows=~out, **options), cells.table, labels, out)
                for out in folds
            ]
        )
        for alpha in ALPHAS
    ]
    return pd.Series(areas, index=pd.Index(ALPHAS, name="alpha"), name="precision_recall_area")


def held_out_area(path: Path, table: InputTable, labels: Labels, held_out: NDArray[np.bool_]) -> float:
    """Precision-recall area of a path on rows that it was not found with; 0 where none is of interest."""
    weight, positive = path.counted(table, labels, np.flatnonzero(held_out & labels.taking_part))
    if not positive[0]:
        return 0.0
    return precision_recall_area(positive / positive[0], positive / np.maximum(weight, labels.weight_unit))


def path_limits(table: InputTable, path: Path) -> Sequence[dict[str, Limits]]:
    """Limits of the path's boxes by input, in the inputs' own terms."""
    changed = np.zeros(path.low.shape, dtype=bool)
    changed[1:] = (path.low[1:] != path.low[:-1]) | (path.high[1:] != path.high[:-1])
    boxes: list[dict[str, Limits]] = [{}]
    known: dict[int, Limits] = {}
    for b in range(1, len(path.low)):
        allowed = path.allowed[b]
        which = changed[b].nonzero()[0].tolist()
        which += [j for j in allowed if allowed[j] != path.allowed[b - 1][j]]
        for j in which:
            found = table.limits(j, float(path.low[b, j]), float(path.high[b, j]), allowed.get(j))
            if found is None:
                known.pop(j, None)
            else:
                known[j] = found
        boxes.append({table.columns[j].name: known[j] for j in sorted(known)})
    return boxes
