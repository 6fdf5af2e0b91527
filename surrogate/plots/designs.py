"""Where the points of a design lie."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from surrogate.designs._exchange import n_values
from surrogate.plots.style import LINE, OTHER, axes
from surrogate.space import Integer, Real, Space

__all__ = ["plot_design_pair", "plot_design_pairs"]

# More panels than this are no longer looked at one by one.
MOST_INPUTS = 8


def plot_design_pair(design: pd.DataFrame, space: Space, x: str, y: str, ax: Axes | None = None) -> Axes:
    """The points in the plane of two inputs.

    Inputs with a distribution or a logarithm are shown in the position that the design fills evenly; ticks give the
    values. Discrete values are spread a little, so that points on each other show.

    Parameters
    ----------
    design : DataFrame of shape (n, d)
    space : Space
    x, y : str
        The two inputs.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes(ax)
    places = {name: _places(design, space, name) for name in (x, y)}
    size = float(np.clip(2000 / max(len(design), 1), 4, 30))
    ax.scatter(places[x], places[y], s=size, color=LINE, alpha=0.8, linewidths=0)
    for name, axis in ((x, ax.xaxis), (y, ax.yaxis)):
        ticks, words = _ticks(space, name)
        axis.set_ticks(ticks, words)
    ax.set_xlim(-0.03, 1.03)
    ax.set_ylim(-0.03, 1.03)
    ax.set_xlabel(space.label(x))
    ax.set_ylabel(space.label(y))
    return ax


def plot_design_pairs(design: pd.DataFrame, space: Space, names: list[str] | None = None) -> Figure:
    """Every pair of inputs as a panel, and on the diagonal how evenly each is covered.

    Parameters
    ----------
    design : DataFrame of shape (n, d)
    space : Space
    names : list of str, optional
        The inputs to show; by default the first eight.

    Returns
    -------
    Figure
        Known to no global state; ``figure.savefig(...)`` writes it.
    """
    chosen = list(space)[:MOST_INPUTS] if names is None else list(names)
    k = len(chosen)
    figure = Figure(figsize=(1.9 * k + 0.6, 1.9 * k + 0.4), layout="constrained")
    panels = figure.subplots(k, k, squeeze=False)
    for row, second in enumerate(chosen):
        for column, first in enumerate(chosen):
            ax = panels[row, column]
            if column > row:
                ax.set_axis_off()
                continue
            if column == row:
                ax = axes(ax)
                # A bar for each of a few values; a continuous input in tenths.
                bars = _n_values(space, first)
                counts, edges = np.histogram(_positions(design, space, first), bins=bars, range=(0, 1))
                ax.bar(edges[:-1], counts, width=1 / bars, align="edge", color=OTHER, edgecolor="white")
                ax.set_xlim(-0.03, 1.03)
                ax.set_xticks(*_ticks(space, first))
                ax.set_xlabel(space.label(first))
                ax.set_ylabel("points")
            else:
                plot_design_pair(design, space, first, second, ax)
            ax.tick_params(labelsize="small")
            if row < k - 1:
                ax.set_xlabel("")
                ax.set_xticklabels([])
            if 0 < column < row:
                ax.set_ylabel("")
                ax.set_yticklabels([])
    return figure


def _positions(design: pd.DataFrame, space: Space, name: str) -> NDArray[np.float64]:
    return np.asarray(space[name].to_unit(design[name].to_numpy()), dtype=float)


def _places(design: pd.DataFrame, space: Space, name: str) -> NDArray[np.float64]:
    place = _positions(design, space, name)
    parameter = space[name]
    if isinstance(parameter, Real):
        return place
    # The same places each time: spread by a fixed sequence, not by chance.
    return place + 0.5 / n_values(parameter) * ((np.arange(len(place)) * 0.618034 % 1) - 0.5)


def _n_values(space: Space, name: str) -> int:
    parameter = space[name]
    return 10 if isinstance(parameter, Real) or n_values(parameter) > 20 else n_values(parameter)


def _ticks(space: Space, name: str) -> tuple[list[float], list[str]]:
    """Positions and words: the ends and the middle of a number, every value of a short list."""
    parameter = space[name]
    if isinstance(parameter, Real):
        ends = np.array([0.0, 0.5, 1.0])
        if not (np.isfinite(parameter.low) and np.isfinite(parameter.high)):
            ends = np.array([0.05, 0.5, 0.95])
        return list(ends), [f"{value:.3g}" for value in parameter.from_unit(ends)]
    if isinstance(parameter, Integer):
        values = sorted({parameter.low, (parameter.low + parameter.high) // 2, parameter.high})
        return list(map(float, parameter.to_unit(values))), [str(value) for value in values]
    listed = list(parameter.values)  # type: ignore[attr-defined]
    shown = listed if len(listed) <= 6 else [listed[0], listed[len(listed) // 2], listed[-1]]
    return list(map(float, parameter.to_unit(np.array(shown, dtype=object)))), [str(value) for value in shown]
