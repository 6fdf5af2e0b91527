"""PRIM with bumping: many trajectories on random parts of the data, and the best boxes of all of them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from surrogate.boxes.best_interval import depths
from surrogate.boxes.box import Limits
from surrogate.boxes.cells import Cells
from surrogate.boxes.finder import BoxFinder, Found, least_weight
from surrogate.boxes.folds import stratified_folds
from surrogate.boxes.labels import Labels
from surrogate.boxes.objectives import OBJECTIVES
from surrogate.boxes.path import Path
from surrogate.boxes.prim import check_alpha, choose_alpha, path_limits
from surrogate.boxes.quality import precision_recall_area
from surrogate.boxes.search import find_path
from surrogate.boxes.table import InputTable, Missing

__all__ = ["BumpedPrim"]


class BumpedPrim(BoxFinder):
    """PRIM on bootstrap draws of the runs and random subsets of the inputs; keeps the boxes that no other beats.

    Greedy peeling may miss a box that it would find in slightly other data. Each box is judged on the runs as given.

    Parameters
    ----------
    n_repeats : int
        How many draws.
    n_inputs : int, "cv" or None
        How many inputs may be restricted in each draw; None all of them. With "cv" the number is chosen by five-fold
        cross-validation of the precision-recall area among d, d - ceil(d / 6), d - 2 ceil(d / 6), ...
    alpha : float or "cv"
        As of :class:`Prim`; chosen before `n_inputs`.
    min_support : int or float
        Smallest number of rows in a box (their weight, if rows are weighted); below 1 a share of all rows.
    objective : {"lenient1", "lenient2", "original"}
        As of :class:`Prim`.
    paste : bool
        Whether to paste in each draw.
    missing : {"raise", "outside"}
        As of :class:`Prim`.
    rng : int, Generator or None
        Makes draws, subsets and folds.

    Attributes
    ----------
    boxes_ : list of Box
        The whole space, then the boxes of which no other has more coverage and density, in order of falling coverage.
    trajectory_ : DataFrame
        One row a box: ``coverage``, ``density``, ``mass``, ``n_restricted``, ``n_inside``.
    best_ : Box
        Chosen as of :class:`Prim`.
    best_index_ : int
    alpha_, n_inputs_ : float, int
        As used.
    of_interest_ : bool array of shape (n,)

    References
    ----------
    .. [1] J. H. Kwakkel, S. C. Cunningham, "Improving scenario discovery by bagging random boxes", Technological
       Forecasting and Social Change 111, 2016.
    .. [2] V. Arzamasov, K. Boehm, "REDS: Rule Extraction for Discovering Scenarios", SIGMOD 2021.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.random((500, 3)), columns=["a", "b", "c"])
    >>> BumpedPrim(n_repeats=10).fit(X, (X["a"] > 0.6) & (X["b"] < 0.5)).best_.rule(digits=1)
    'a >= 0.6 and b <= 0.5'
    """

    def __init__(
        self,
        *,
        n_repeats: int = 50,
        n_inputs: int | Literal["cv"] | None = None,
        alpha: float | Literal["cv"] = 0.05,
        min_support: float = 20,
        objective: Literal["lenient1", "lenient2", "original"] = "lenient1",
        paste: bool = False,
        missing: Missing = "raise",
        rng: int | np.random.Generator | None = 0,
    ) -> None:
        self.n_repeats = n_repeats
        self.n_inputs = n_inputs
        self.alpha = alpha
        self.min_support = min_support
        self.objective = objective
        self.paste = paste
        self.missing = missing
        self.rng = rng

    def _check_parameters(self) -> None:
        check_alpha(self.alpha)
        if self.n_repeats < 1:
            raise ValueError(f"n_repeats must be at least 1, got {self.n_repeats}")
        if isinstance(self.n_inputs, str):
            if self.n_inputs != "cv":
                raise ValueError(f"n_inputs must be a number, 'cv' or None, got {self.n_inputs!r}")
        elif self.n_inputs is not None and self.n_inputs < 1:
            raise ValueError(f"n_inputs must be at least 1, got {self.n_inputs}")
        if self.objective not in OBJECTIVES:
            raise ValueError(f"objective must be one of {', '.join(OBJECTIVES)}, got {self.objective!r}")
        if not self.min_support > 0:
            raise ValueError(f"min_support must be positive, got {self.min_support}")

    def _search(self, table: InputTable, labels: Labels) -> Found:
        rng = np.random.default_rng(self.rng)
        cells = Cells.of(table)
        options: dict[str, Any] = {
            "least": least_weight(self.min_support, labels),
            "objective": self.objective,
            "paste": self.paste,
        }
        if self.alpha == "cv":
            scores = choose_alpha(cells, labels, rng, **options)
            self.alpha_ = float(scores.index[int(scores.argmax())])
        else:
            self.alpha_ = float(self.alpha)
        options["alpha"] = self.alpha_
        if self.n_inputs == "cv":
            self.n_inputs_ = self._choose_n_inputs(cells, labels, options, rng)
        else:
            self.n_inputs_ = table.d if self.n_inputs is None else min(int(self.n_inputs), table.d)
        rows = np.flatnonzero(labels.taking_part)
        paths = self._paths(cells, labels, rows, self.n_inputs_, options, rng)
        counts = [path.counted(table, labels, rows) for path in paths]
        weight = np.concatenate([found[0] for found in counts])
        positive = np.concatenate([found[1] for found in counts])
        limits: list[dict[str, Limits]] = [box for path in paths for box in path_limits(table, path)]
        kept = _undominated(weight, positive, least=options["least"])
        return Found.counted([{}, *(limits[i] for i in kept if limits[i])], table, labels)

    def _paths(
        self,
        cells: Cells,
        labels: Labels,
        rows: NDArray[np.intp],
        n_inputs: int,
        options: dict[str, Any],
        rng: np.random.Generator,
    ) -> list[Path]:
        paths = []
        for _ in range(self.n_repeats):
            times = np.bincount(rng.choice(rows, len(rows)), minlength=len(labels.y))
            columns = np.zeros(len(cells.codes), dtype=bool)
            columns[rng.choice(len(columns), n_inputs, replace=False)] = True
            paths.append(find_path(cells, labels.times(times), columns=columns, **options))
        return paths

    def _choose_n_inputs(self, cells: Cells, labels: Labels, options: dict[str, Any], rng: np.random.Generator) -> int:
        choices = depths(len(cells.codes))
        options = options | {"least": min(options["least"], labels.total / 2)}
        areas = np.zeros(len(choices))
        for held_out in stratified_folds(labels, 5, rng):
            rows = np.flatnonzero(labels.taking_part & ~held_out)
            test = np.flatnonzero(labels.taking_part & held_out)
            for i, n_inputs in enumerate(choices):
                paths = self._paths(cells, labels, rows, n_inputs, options, rng)
                trained = np.concatenate([path.counted(cells.table, labels, rows) for path in paths], axis=1)
                tested = np.concatenate([path.counted(cells.table, labels, test) for path in paths], axis=1)
                kept = _undominated(*trained, least=options["least"])
                weight, positive = tested[:, kept]
                if positive[0] > 0:
                    areas[i] += precision_recall_area(
                        positive / positive[0], positive / np.maximum(weight, labels.weight_unit)
                    )
        return choices[int(areas.argmax())]


def _undominated(weight: NDArray[np.float64], positive: NDArray[np.float64], *, least: float) -> NDArray[np.intp]:
    """Positions of the boxes of which none has more coverage and density, the largest first."""
    density = positive / np.maximum(weight, 1e-300)
    allowed = np.flatnonzero((weight >= least) & (positive > 0))
    order = allowed[np.lexsort((-density[allowed], -positive[allowed]))]
    densest_before = np.maximum.accumulate(np.append(-1.0, density[order]))[:-1]
    kept: NDArray[np.intp] = order[density[order] > densest_before]
    return kept
