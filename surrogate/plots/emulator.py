"""How far an emulator can be trusted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import scipy.stats
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from surrogate.emulators.tables import Z95
from surrogate.plots.style import INTEREST, LINE, OTHER, SHADE, axes

__all__ = [
    "plot_interval_coverage",
    "plot_leave_one_out",
    "plot_pit",
    "plot_residual_quantiles",
    "plot_residuals",
    "plot_series",
    "plot_slice",
    "plot_weights",
]


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


def plot_interval_coverage(curve: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Share of outputs inside intervals over their nominal level; the band is where honest predictions would lie.

    Parameters
    ----------
    curve : DataFrame
        As from ``interval_coverage_curve``.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes(ax)
    levels = curve.index.to_numpy(dtype=float)
    ax.fill_between(levels, curve["low"], curve["high"], color=SHADE, label="honest, with 95% probability", linewidth=0)
    ax.plot([0, 1], [0, 1], color="0.6", linewidth=1, zorder=0)
    ax.plot(levels, curve["interval_coverage"], "o-", color=LINE, markersize=3, linewidth=1, label="measured")
    ax.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="level of the interval", ylabel="share of outputs inside")
    ax.set_aspect("equal", adjustable="box")
    ax.legend(frameon=False, fontsize="small", loc="upper left")
    return ax


def plot_pit(values: ArrayLike, bins: int = 10, ax: Axes | None = None) -> Axes:
    """Histogram of probability integral transforms; flat, within the band, for honest predictions.

    Parameters
    ----------
    values : array of shape (n,)
        As from ``pit``.
    bins : int
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes(ax)
    found = np.asarray(values, dtype=float)
    low, high = (float(scipy.stats.binom.ppf(share, len(found), 1 / bins)) for share in (0.025, 0.975))
    ax.axhspan(low, high, color=SHADE, linewidth=0, label="honest, with 95% probability in each")
    ax.hist(found, bins=np.linspace(0, 1, bins + 1).tolist(), color=OTHER, edgecolor="white", linewidth=0.8)
    ax.set(xlim=(0, 1), xlabel="predicted probability of less than the actual output", ylabel="runs")
    ax.legend(frameon=False, fontsize="small")
    return ax


def plot_residuals(table: pd.DataFrame, label: str = "output", ax: Axes | None = None) -> Axes:
    """Standardised leave-one-out residuals over the prediction; 95% of honest ones lie between the lines.

    Parameters
    ----------
    table : DataFrame
        As from ``leave_one_out_table``: ``mean``, ``residual``.
    label : str
        Name and unit of the output.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes(ax)
    limit = float(scipy.stats.norm.ppf(0.975))
    far = table["residual"].abs() > limit
    ax.axhline(0, color="0.6", linewidth=1, zorder=0)
    for end in (-limit, limit):
        ax.axhline(end, color="0.6", linewidth=1, linestyle="--", zorder=0)
    for part, colour, name in ((table[~far], LINE, "inside"), (table[far], INTEREST, "outside")):
        if len(part):
            ax.plot(part["mean"], part["residual"], "o", color=colour, markersize=3, label=f"{name} ({len(part)})")
    ax.set_xlabel(f"predicted from the other runs, {label}")
    ax.set_ylabel("residual in standard deviations")
    ax.legend(frameon=False, fontsize="small")
    return ax


def plot_residual_quantiles(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Standardised leave-one-out residuals, sorted, over those of a normal distribution.

    Steeper than the diagonal: intervals are too narrow; bent up at the ends: some runs surprise.

    Parameters
    ----------
    table : DataFrame
        As from ``leave_one_out_table``: ``residual``.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes(ax)
    found = np.sort(table["residual"].to_numpy(dtype=float))
    expected = scipy.stats.norm.ppf((np.arange(len(found)) + 0.5) / len(found))
    ends = np.array([min(found[0], expected[0]), max(found[-1], expected[-1])])
    ax.plot(ends, ends, color="0.6", linewidth=1, zorder=0)
    ax.plot(expected, found, "o", color=LINE, markersize=3)
    ax.set(xlabel="normal quantile", ylabel="residual in standard deviations")
    return ax


def plot_slice(
    values: ArrayLike,
    mean: ArrayLike,
    std: ArrayLike,
    label: str = "input",
    at: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """An emulator along one input: mean and 95% interval, as steps of a category or as a line.

    Parameters
    ----------
    values : array of shape (k,)
        Of the input, in order.
    mean, std : array of shape (k,)
    label : str
        Name and unit of the input.
    at : int, optional
        Marks this one of the values.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes(ax)
    values = np.asarray(values)
    mean, half = np.asarray(mean, dtype=float), Z95 * np.asarray(std, dtype=float)
    named = not all(isinstance(v, (int, float, np.number)) for v in values.tolist())
    places = np.arange(len(values), dtype=float) if named else values.astype(float)
    if named:
        ax.errorbar(places, mean, yerr=half, fmt="o", color=LINE, ecolor=SHADE, elinewidth=6, markersize=4)
        ax.set_xticks(places, [str(v) for v in values])
        ax.set_xlim(-0.5, len(values) - 0.5)
    else:
        ax.fill_between(places, mean - half, mean + half, color=SHADE, linewidth=0)
        ax.plot(places, mean, color=LINE)
        ax.margins(x=0)
    if at is not None:
        ax.axvline(places[at], color="0.6", linewidth=0.8, zorder=0)
    ax.set_xlabel(label)
    return ax


def plot_weights(scores: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Weights of an automatic emulator's parts, with the share of variance that each predicts of unseen runs.

    Parameters
    ----------
    scores : DataFrame
        ``AutoEmulator.scores_``: ``weight``, ``q2``.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes(ax)
    known = scores[scores["q2"].notna()].iloc[::-1]
    places = list(range(len(known)))
    ax.barh(places, known["weight"], color=LINE)
    for place, (weight, q2) in zip(places, zip(known["weight"], known["q2"])):
        ax.text(weight + 0.01, place, f"Q2 {q2:.4f}", va="center", fontsize="small")
    ax.set_yticks(places, [str(name).replace("_", " ") for name in known.index])
    ax.set(xlabel="weight", xlim=(0, max(1.0, float(known["weight"].max()) + 0.25)))
    return ax


def plot_series(
    at: ArrayLike,
    mean: ArrayLike,
    std: ArrayLike,
    actual: ArrayLike | None = None,
    label: str = "predicted",
    ax: Axes | None = None,
) -> Axes:
    """A predicted series with its 95% band, and the simulated one if there is one.

    Parameters
    ----------
    at : array of shape (m,)
        Coordinate.
    mean, std : array of shape (m,)
    actual : array of shape (m,), optional
    label : str
        Of the prediction, in the legend.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes(ax)
    x, m, s = (np.asarray(values, dtype=float) for values in (at, mean, std))
    half = float(scipy.stats.norm.ppf(0.975)) * s
    (line,) = ax.plot(x, m, color=LINE, linewidth=1.2, label=label)
    ax.fill_between(x, m - half, m + half, color=line.get_color(), alpha=0.2, linewidth=0, label="95% interval")
    if actual is not None:
        ax.plot(x, np.asarray(actual, dtype=float), ".", color=INTEREST, markersize=3, label="simulated")
    ax.legend(frameon=False, fontsize="small")
    return ax
