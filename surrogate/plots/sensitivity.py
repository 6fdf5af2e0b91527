"""Which inputs matter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from surrogate.plots.style import INTEREST, LINE, OTHER, axes
from surrogate.sensitivity import by_output

__all__ = ["MEASURES_SHOWN", "plot_convergence", "plot_indices", "plot_indices_heatmap", "plot_morris"]

# Columns that are shown as bars, by method; the first orders the inputs.
MEASURES_SHOWN: dict[str, tuple[str, ...]] = {
    "sobol": ("total", "first"),
    "fast": ("total", "first"),
    "dgsm": ("bound",),
    "morris": ("mu_star",),
    "delta": ("delta", "first"),
    "pawn": ("median",),
    "shapley": ("shapley",),
}
LABELS = {
    "total": "total",
    "first": "first order",
    "bound": "bound of the total index",
    "mu_star": "mean size of elementary effects",
    "delta": "delta",
    "median": "PAWN, median over slices",
    "shapley": "Shapley effect",
}
COLOURS = (LINE, OTHER)


def plot_indices(result: pd.DataFrame, output: str | None = None, most: int = 15, ax: Axes | None = None) -> Axes:
    """Bars with intervals, the most important input at the top.

    Parameters
    ----------
    result : DataFrame
        As from :func:`surrogate.sobol_indices` or any other measure.
    output : str, optional
        Which output; by default the first.
    most : int
        How many inputs are shown at most.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes(ax)
    table = _of(result, output)
    shown = [c for c in MEASURES_SHOWN[result.attrs["method"]] if c in table]
    table = table.sort_values(shown[0], ascending=False).head(most)[::-1]
    thickness = 0.8 / len(shown)
    for place, column in enumerate(shown):
        rows = np.arange(len(table)) - 0.4 + thickness * (len(shown) - place - 0.5)
        values = table[column].to_numpy()
        ax.barh(rows, values, height=thickness * 0.92, color=COLOURS[place], label=LABELS[column])
        if f"{column}_low" in table:
            error = np.abs(np.stack([values - table[f"{column}_low"], table[f"{column}_high"] - values]))
            ax.errorbar(values, rows, xerr=error, fmt="none", ecolor="0.2", elinewidth=1, capsize=2)
    if "chance" in table:
        ax.axvline(float(table["chance"].iloc[0]), color=INTEREST, linewidth=1, linestyle="--", label="chance")
    ax.axvline(0, color="0.7", linewidth=0.8, zorder=0)
    ax.set_yticks(range(len(table)), table.index)
    ax.set_ylim(-0.6, len(table) - 0.4)
    ax.tick_params(left=False)
    if len(shown) > 1 or "chance" in table:
        # In the lower right corner, where the bars of the least important inputs leave room.
        ax.legend(frameon=False, fontsize="small", loc="lower right")
    share = result.attrs["method"] in ("sobol", "fast", "shapley")
    ax.set_xlabel("share of the variance" if share else LABELS[shown[0]] if len(shown) == 1 else "index")
    return ax


def plot_indices_heatmap(result: pd.DataFrame, column: str | None = None, ax: Axes | None = None) -> Axes:
    """A measure of every input (rows) for every output (columns) as a coloured table.

    Parameters
    ----------
    result : DataFrame
        Of several outputs.
    column : str, optional
        The measure; by default the one that orders the bars.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes(ax)
    column = MEASURES_SHOWN[result.attrs["method"]][0] if column is None else column
    table = pd.DataFrame({name: part[column] for name, part in by_output(result).items()})
    table = table.loc[table.max(axis=1).sort_values(ascending=False).index]
    values = table.to_numpy(dtype=float)
    top = max(float(np.nanmax(values)), 1e-12)
    ax.imshow(values, cmap="Blues", vmin=0, vmax=top, aspect="auto")
    for row, column_index in np.ndindex(*values.shape):
        value = values[row, column_index]
        # Dark fields need light digits.
        ax.text(
            column_index,
            row,
            f"{value:.2f}" if top <= 10 else f"{value:.3g}",
            ha="center",
            va="center",
            fontsize="small",
            color="white" if value > 0.6 * top else "0.15",
        )
    ax.set_xticks(range(table.shape[1]), table.columns, rotation=30 if table.shape[1] > 4 else 0)
    ax.set_yticks(range(table.shape[0]), table.index)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(LABELS.get(column, column), fontsize="medium")
    return ax


def plot_morris(result: pd.DataFrame, output: str | None = None, ax: Axes | None = None) -> Axes:
    """Morris' plane: how large the effects of each input are, and how much they differ from place to place.

    Inputs near the origin can be left alone; those above the line act differently depending on where the others are.

    Parameters
    ----------
    result : DataFrame
        As from :func:`surrogate.morris`, without groups.
    output : str, optional
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If no row has a sigma.
    """
    ax = axes(ax)
    table = _of(result, output)
    table = table[table["sigma"].notna()]
    if not len(table):
        raise ValueError("groups have no sigma, so there is no plane to draw them in; use plot_indices")
    error = np.stack([table["mu_star"] - table["mu_star_low"], table["mu_star_high"] - table["mu_star"]])
    ax.errorbar(table["mu_star"], table["sigma"], xerr=error, fmt="o", color=LINE, ecolor="0.7", elinewidth=1)
    right = float(table["mu_star_high"].max()) * 1.15 or 1.0
    top = max(float(table["sigma"].max()) * 1.15, 0.3 * right)
    end = min(right, top)
    ax.plot([0, end], [0, end], color="0.8", linewidth=1, zorder=0)
    ax.annotate("sigma = mu*", (end * 0.93, end * 0.95), ha="right", color="0.5", fontsize="small")
    for name, row in table.iterrows():
        place = (row["mu_star"], row["sigma"])
        ax.annotate(str(name), place, xytext=(5, 4), textcoords="offset points", fontsize="small")
    ax.set_xlim(0, right)
    ax.set_ylim(-0.03 * top, top)
    ax.set_xlabel("mu*: mean size of elementary effects")
    ax.set_ylabel("sigma: their standard deviation")
    return ax


def plot_convergence(
    results: Sequence[pd.DataFrame], column: str = "total", output: str | None = None, ax: Axes | None = None
) -> Axes:
    """A measure with its interval against the number of base points.

    Parameters
    ----------
    results : sequence of DataFrame
        Of the same measure with different `n`.
    column : str
    output : str, optional
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes(ax)
    ordered = sorted(results, key=lambda result: result.attrs["n"])
    tables = [_of(result, output) for result in ordered]
    sizes = [result.attrs["n"] for result in ordered]
    names = tables[-1][column].sort_values(ascending=False).index
    for position, name in enumerate(names):
        # Beyond ten lines colours repeat; the labels at their ends tell them apart.
        colour = f"C{position % 10}"
        ax.plot(sizes, [t.loc[name, column] for t in tables], marker="o", markersize=3, color=colour, label=str(name))
        if f"{column}_low" in tables[0]:
            low, high = ([t.loc[name, f"{column}_{end}"] for t in tables] for end in ("low", "high"))
            ax.fill_between(sizes, low, high, color=colour, alpha=0.12, linewidth=0)
    ax.set_xscale("log", base=2)
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.set_xlabel("base points n")
    ax.set_ylabel(LABELS.get(column, column))
    ax.legend(frameon=False, fontsize="small", ncols=2)
    return ax


def _of(result: pd.DataFrame, output: str | None) -> pd.DataFrame:
    tables = by_output(result)
    if output is None:
        return next(iter(tables.values()))
    if output not in tables:
        raise ValueError(f"no output {output!r} in the result; known: {', '.join(map(repr, tables))}")
    return tables[output]
