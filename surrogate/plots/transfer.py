"""How true students are to their teacher."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from surrogate.plots.style import INTEREST, LINE, axes

__all__ = ["plot_confusion", "plot_fidelity_curve"]


def plot_fidelity_curve(curve: pd.DataFrame, chosen: int | None = None, ax: Axes | None = None) -> Axes:
    """Fidelity, and accuracy if there is any, against the number of rules.

    Parameters
    ----------
    curve : DataFrame
        As from ``fidelity_curve``: ``n_rules``, ``fidelity`` and perhaps ``accuracy``.
    chosen : int, optional
        The student's own number of rules, to be marked.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes(ax)
    for column, colour, marker in (("fidelity", LINE, "o"), ("accuracy", INTEREST, "^")):
        if column in curve:
            ax.plot(curve["n_rules"], curve[column], color=colour, marker=marker, markersize=5, label=column)
    if chosen is not None:
        ax.axvline(chosen, color="0.6", linewidth=1, linestyle="--", label="this student")
    ax.set_xscale("log", base=2)
    ax.set_xticks(curve["n_rules"].unique(), [f"{n}" for n in curve["n_rules"].unique()])
    ax.minorticks_off()
    ax.set_xlabel("number of rules")
    ax.set_ylabel("share of points")
    ax.legend(frameon=False, fontsize="small")
    return ax


def plot_confusion(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """What the student says where the teacher says a class; shares within a row as shades, numbers written.

    Parameters
    ----------
    table : DataFrame of shape (k, k)
        As from ``fidelity_by_class``.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes(ax)
    counts = table.to_numpy(dtype=float)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="equal")
    for (row, column), count in np.ndenumerate(counts):
        shade = "white" if share[row, column] > 0.6 else "black"
        ax.text(column, row, f"{count:.0f}", ha="center", va="center", color=shade, fontsize="small")
    ax.set_xticks(range(table.shape[1]), [str(name) for name in table.columns])
    ax.set_yticks(range(table.shape[0]), [str(name) for name in table.index])
    ax.set_xlabel("student says")
    ax.set_ylabel("teacher says")
    return ax
