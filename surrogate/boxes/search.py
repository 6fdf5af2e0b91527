"""PRIM's search on counted cells: peel, paste, and judge every limit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from surrogate.boxes.cells import Cells
from surrogate.boxes.exits import Exits
from surrogate.boxes.labels import Labels
from surrogate.boxes.objectives import OBJECTIVES
from surrogate.boxes.pasting import Pasting
from surrogate.boxes.path import Path
from surrogate.boxes.peeling import Peeling

__all__ = ["find_path"]


def find_path(
    cells: Cells,
    labels: Labels,
    *,
    alpha: float,
    objective: str = "lenient1",
    least: float = 20,
    paste: bool = True,
    paste_alpha: float = 0.05,
    rows: NDArray[np.bool_] | None = None,
    columns: NDArray[np.bool_] | None = None,
) -> Path:
    """The boxes from the whole space to the last paste.

    Parameters
    ----------
    cells : Cells
    labels : Labels
        Rows without weight do not take part.
    alpha, paste_alpha : float
    objective : str
        One of `OBJECTIVES`.
    least : float
        Smallest weight of a box.
    paste : bool
    rows : bool array of shape (n,), optional
        Which rows take part.
    columns : bool array of shape (d,), optional
        Which inputs may be restricted.
    """
    taking_part = None if rows is None and labels.weight is None else labels.taking_part
    if rows is not None and taking_part is not None:
        taking_part &= rows
    score = OBJECTIVES[objective]
    trail = Peeling(cells, labels, score, alpha=alpha, least=least, taking_part=taking_part, columns=columns).run()
    if objective == "original":  # which peels on where density falls
        trail.end_at_densest()
    n_peeled = len(trail.steps)
    exits = Exits(trail, cells, labels, taking_part)
    beside = exits.beside()
    if paste:
        beside += Pasting(exits, score, alpha=paste_alpha, least=least).run()
    return Path.of(trail, n_peeled, beside)
