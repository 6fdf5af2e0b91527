"""Which box of a trajectory to report."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.boxes.box import Limits
from surrogate.boxes.labels import Labels
from surrogate.boxes.table import InputTable

__all__ = ["PENALTY", "choose_supported", "simplest_supported", "supported_accuracy"]

# What a restricted input costs, in standard errors of the share of interest. On twelve functions of the REDS paper
# (N = 200, 400) and the smart grid (N = 512), any value from 0.1 to 0.3 gave boxes with a larger weighted relative
# accuracy on new runs than 0 did, with up to a third fewer inputs; above that, inputs that matter were given up.
PENALTY = 0.25

# A box pays for what lies inside and is less dense than this, also where the share of interest is smaller. Of an
# outcome of 1 in 1000 weighted relative accuracy alone would count a slab of 2 in 1000 as won, and report such a box.
WORTHWHILE_DENSITY = 0.05


def supported_accuracy(trajectory: pd.DataFrame, n_runs: float) -> pd.Series:
    """Weighted relative accuracy of boxes, less what chance may have added to it.

    Parameters
    ----------
    trajectory : DataFrame
        ``mass``, ``density``, ``n_restricted``; the first row is the whole space.
    n_runs : float
        How many runs the boxes rest on. Of boxes found on points that an emulator labelled, the number of runs that
        the emulator learned from.

    Returns
    -------
    Series
        Mass times the density above that of all runs [1]_, and above :data:`WORTHWHILE_DENSITY` if these are rarely of
        interest, less :data:`PENALTY` standard errors of the share of interest, ``sqrt(p (1 - p) / n_runs)``, for every
        restricted input.

    Notes
    -----
    A finder keeps the most favourable of many limits, so each of them looks better than it is. How much better grows
    with the number of inputs restricted and shrinks with the number of runs.

    References
    ----------
    .. [1] N. Lavrac, P. Flach, B. Zupan, "Rule Evaluation Measures: A Unifying View", ILP 1999.
    """
    return pd.Series(_supported(trajectory, n_runs), index=trajectory.index, name="supported_accuracy")


def _supported(trajectory: pd.DataFrame, n_runs: float) -> NDArray[np.float64]:
    mass, density, n_restricted = (trajectory[name].to_numpy() for name in ("mass", "density", "n_restricted"))
    gain = mass * (density - max(density[0], WORTHWHILE_DENSITY))
    return np.asarray(gain - n_restricted * _price(density[0], n_runs))


def _price(share: float, n_runs: float) -> float:
    """What a restricted input costs."""
    return float(PENALTY * np.sqrt(share * (1 - share) / n_runs))


def choose_supported(trajectory: pd.DataFrame, n_runs: float) -> int:
    """Position of the box with the largest :func:`supported_accuracy`; of equals the one that restricts fewest inputs.

    The whole space is chosen only if there is nothing else, or if no box is denser.

    Parameters
    ----------
    trajectory : DataFrame
    n_runs : float

    Returns
    -------
    int
    """
    # Rounded, so that boxes that differ by rounding error only count as equals.
    score = _supported(trajectory, n_runs).round(12)
    density = trajectory["density"].to_numpy()
    denser = density > density[0]
    if denser.any():
        score[~denser] = -np.inf
    return int(np.lexsort((trajectory["n_restricted"].to_numpy(), -score))[0])


def simplest_supported(
    limits: Mapping[str, Limits], table: InputTable, labels: Labels, n_runs: float
) -> dict[str, Limits]:
    """Limits without those of the inputs that do not pay: dropped one by one while the supported accuracy rises.

    Parameters
    ----------
    limits : mapping of str to limits
    table, labels : InputTable, Labels
        The rows to judge by.
    n_runs : float
        As of :func:`supported_accuracy`.

    Returns
    -------
    dict
    """
    weight, positive = labels.sums(np.flatnonzero(labels.taking_part))
    least, price = max(positive / weight, WORTHWHILE_DENSITY), _price(positive / weight, n_runs)

    def score(some: Mapping[str, Limits]) -> float:
        inside, of_interest = labels.sums(np.flatnonzero(table.inside(some) & labels.taking_part))
        return (of_interest - least * inside) / weight - price * len(some)

    kept, value = dict(limits), score(limits)
    while kept:
        fewer = [{name: limit for name, limit in kept.items() if name != dropped} for dropped in kept]
        values = [score(some) for some in fewer]
        best = int(np.argmax(values))
        if values[best] < value:
            break
        kept, value = fewer[best], values[best]
    return kept
