"""How far an emulator can be trusted."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from surrogate.plots.style import INTEREST, LINE, axes

__all__ = ["plot_leave_one_out"]


def plot_leave_one_out(table: pd.DataFrame, label: str = "output", ax: Axes | None = None) -> Axes:
    """Predicted against actual, with 95% intervals; points whose interval misses the diagonal in another colour.

    Parameters
    ----------
    table : DataFrame of shape (n, 5)
        As from ``leave_one_out_table``: ``actual``, ``mean``, ``low``, ``high``.
    label : str
        Name and unit of the output.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes(ax)
    hit = ((table["actual"] >= table["low"]) & (table["actual"] <= table["high"])).to_numpy()
    ends = np.array([table[["actual", "low"]].min().min(), table[["actual", "high"]].max().max()])
    ax.plot(ends, ends, color="0.6", linewidth=1, zorder=0)
    for chosen, colour, name in ((hit, LINE, "interval holds the truth"), (~hit, INTEREST, "interval misses it")):
        part = table[chosen]
        if len(part):
            error = np.abs(part[["low", "high"]].to_numpy().T - part["mean"].to_numpy())
            ax.errorbar(
                part["actual"],
                part["mean"],
                yerr=error,
                fmt="o",
                markersize=3,
                linewidth=0.7,
                color=colour,
                label=f"{name} ({len(part)})",
            )
    ax.set_xlabel(f"simulated {label}")
    ax.set_ylabel(f"predicted from the other runs, {label}")
    ax.legend(frameon=False, fontsize="small")
    return ax
