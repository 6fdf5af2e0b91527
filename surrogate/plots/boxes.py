"""Where runs of interest lie, and the boxes around them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from surrogate.boxes.box import Box
from surrogate.plots.style import INTEREST, LINE, OTHER, SHADE, axes
from surrogate.space import Integer, Parameter, Real, Space

__all__ = ["plot_box_limits", "plot_runs", "plot_trajectory"]


def plot_trajectory(trajectory: pd.DataFrame, chosen: int | None = None, ax: Axes | None = None) -> Axes:
    """Coverage against density of the boxes of a peeling trajectory, coloured by the number of restricted inputs.

    Parameters
    ----------
    trajectory : DataFrame
        With ``coverage``, ``density``, ``n_restricted``, as ``Prim.trajectory_``.
    chosen : int, optional
        Row of the box to mark.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes(ax)
    ax.plot(trajectory["coverage"], trajectory["density"], color="0.8", linewidth=1, zorder=0)
    dots = ax.scatter(trajectory["coverage"], trajectory["density"], c=trajectory["n_restricted"], s=24, cmap="viridis")
    # One tick a whole number, since half an input is not restricted.
    top = int(trajectory["n_restricted"].max())
    bar = ax.figure.colorbar(dots, ax=ax, ticks=range(0, top + 1, max(1, top // 6)))
    bar.set_label("restricted inputs")
    if chosen is not None:
        row = trajectory.iloc[chosen]
        ax.scatter(row["coverage"], row["density"], s=120, facecolors="none", edgecolors=INTEREST, linewidths=2)
        ax.annotate(
            f"box {chosen}",
            (row["coverage"], row["density"]),
            xytext=(-8, -14),
            textcoords="offset points",
            ha="right",
            color=INTEREST,
        )
    ax.set_xlim(0, 1.03)
    ax.set_ylim(0, 1.03)
    ax.set_xlabel("coverage: share of the runs of interest inside")
    ax.set_ylabel("density: share of interest among the runs inside")
    return ax


def plot_box_limits(box: Box, space: Space, ax: Axes | None = None) -> Axes:
    """A bar for each restricted input: what the box allows of the input's range, with the limits in its unit.

    Parameters
    ----------
    box : Box
    space : Space
        The ranges.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes(ax)
    names = list(box.limits)
    for row, name in enumerate(reversed(names)):
        ax.plot([0, 1], [row, row], color="0.88", linewidth=8, solid_capstyle="butt", zorder=0)
        for low, high in _unit_parts(box.limits[name], space[name]):
            ax.plot([low, high], [row, row], color=LINE, linewidth=8, solid_capstyle="butt")
    words = box.conditions(digits=3)
    ax.set_yticks(range(len(names)), [words[name] for name in reversed(names)])
    ax.set_ylim(-0.7, max(len(names), 1) - 0.3)
    ax.set_xlim(0, 1)
    ax.set_xticks([0, 0.5, 1], ["lowest", "middle", "highest"])
    ax.spines["left"].set_visible(False)
    ax.tick_params(left=False)
    ax.set_xlabel("range of the input")
    if not names:
        ax.text(0.5, 0, "no limits", ha="center")
    return ax


def _unit_parts(limits: Any, parameter: Parameter) -> list[tuple[float, float]]:
    """The allowed parts of an input's range, as intervals of [0, 1]."""
    if isinstance(limits, frozenset):
        values = list(getattr(parameter, "values", limits))
        return [(i / len(values), (i + 1) / len(values)) for i, value in enumerate(values) if value in limits]
    if isinstance(parameter, Real) and parameter.log:
        low, high = (
            float(np.clip(parameter.to_unit(end), 0, 1)) for end in np.clip(limits, parameter.low, parameter.high)
        )
        return [(low, high)]
    assert isinstance(parameter, (Real, Integer))
    start, end = parameter.finite_range
    low, high = (float(np.clip((limit - start) / (end - start), 0, 1)) for limit in limits)
    return [(low, high)]


def plot_runs(
    inputs: pd.DataFrame,
    of_interest: NDArray[np.bool_],
    x: str,
    y: str,
    box: Box | None = None,
    labels: Mapping[str, str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Runs in the plane of two inputs, those of interest in another colour and shape, with the box's limits there.

    Parameters
    ----------
    inputs : DataFrame of shape (n, d)
    of_interest : bool array of shape (n,)
    x, y : str
        The two inputs.
    box : Box, optional
        Its limits on other inputs do not show.
    labels : mapping of str to str, optional
        Axis labels by input, e.g. with units.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes(ax)
    places = {name: _positions(inputs[name]) for name in (x, y)}
    shown = {name: _spread(places[name][0]) for name in (x, y)}
    chosen = np.asarray(of_interest, dtype=bool)
    for part, colour, marker, name in ((~chosen, OTHER, "o", "other"), (chosen, INTEREST, "^", "of interest")):
        ax.scatter(
            shown[x][part], shown[y][part], s=12, c=colour, marker=marker, linewidths=0, label=f"{name} ({part.sum()})"
        )
    if box is not None and (x in box.limits or y in box.limits):
        edges = []
        for name, view in ((x, ax.get_xlim()), (y, ax.get_ylim())):
            low, high = _box_edge(box.limits.get(name, (-math.inf, math.inf)), places[name][1])
            edges.append((max(low, view[0]), min(high, view[1])))
        (x0, x1), (y0, y1) = edges
        ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, facecolor=SHADE, edgecolor=LINE, linewidth=1.5, zorder=0.5))
    for name, set_label, axis in ((x, ax.set_xlabel, ax.xaxis), (y, ax.set_ylabel, ax.yaxis)):
        set_label((labels or {}).get(name, name))
        values = places[name][1]
        if values:
            axis.set_ticks(range(len(values)), [str(value) for value in values])
    ax.legend(frameon=False, fontsize="small", loc="upper right", bbox_to_anchor=(1, 1.12), ncols=2, handletextpad=0.2)
    return ax


def _positions(values: pd.Series) -> tuple[NDArray[np.float64], list[Any]]:
    """Numbers as they are; other values by their place in the sorted list, which is returned too."""
    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
        return values.to_numpy(dtype=float), []
    codes, found = pd.factorize(values, sort=True)
    return codes.astype(float), list(found)


def _spread(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values that repeat, moved a little to the side so that every run shows; the same way at every call."""
    steps = np.diff(np.unique(positions))
    if not len(steps) or len(steps) + 1 > len(positions) / 4:
        return positions
    return np.asarray(positions + steps.min() * np.random.default_rng(0).uniform(-0.25, 0.25, len(positions)))


def _box_edge(limits: Any, values: list[Any]) -> tuple[float, float]:
    if not isinstance(limits, frozenset):
        return limits[0], limits[1]
    inside = [place for place, value in enumerate(values) if value in limits]
    # A rectangle shows one stretch of categories; where they are apart it spans them all.
    return (min(inside) - 0.4, max(inside) + 0.4) if inside else (-math.inf, math.inf)
