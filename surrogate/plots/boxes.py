"""Where runs of interest lie, and the boxes around them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from surrogate.boxes.box import Box
from surrogate.boxes.stacking import Stacked
from surrogate.plots.style import INTEREST, LINE, OTHER, axes
from surrogate.space import Integer, Parameter, Real, Space

# Colours of several boxes, and the two digits that make of one the shade inside.
COLOURS = (LINE, "#EE7733", "#009988", "#AA3377", "#BBAA00")
SHADE = "22"

__all__ = [
    "frames_of",
    "plot_box_limits",
    "plot_pairs",
    "plot_runs",
    "plot_stacked",
    "plot_trajectory",
    "unit_parts",
]


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
    share = trajectory["density"].iloc[0]
    ax.axhline(share, color="0.5", linewidth=1, linestyle=":", zorder=0)
    ax.text(0.01, share, "whole space", va="bottom", fontsize="small", color="0.35")
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
    ax.set_xlabel("coverage: share of what is of interest that lies inside")
    ax.set_ylabel("density: share of interest inside")
    return ax


def plot_box_limits(
    box: Box | Sequence[Box], space: Space, ax: Axes | None = None, *, quasi_p: pd.DataFrame | None = None
) -> Axes:
    """A bar for each restricted input: what the box allows of the input's range, with the limits in its unit.

    Parameters
    ----------
    box : Box or sequence of Box
        Of several boxes each has a bar of its own and a colour.
    space : Space
        The ranges.
    ax : Axes, optional
    quasi_p : DataFrame, optional
        As of :meth:`surrogate.Prim.quasi_p`, to be written beside the bars of a single box.

    Returns
    -------
    Axes
    """
    ax = axes(ax)
    boxes = [box] if isinstance(box, Box) else list(box)
    names = list(dict.fromkeys(name for one in boxes for name in one.limits))
    height = 0.62 / len(boxes)
    for row, name in enumerate(reversed(names)):
        for i, one in enumerate(boxes):
            y = row + 0.31 - height * (i + 0.5)
            ax.barh(y, 1, 0.8 * height, color="0.9", linewidth=0, zorder=0)
            colour = COLOURS[i % len(COLOURS)]
            for low, high in unit_parts(one.limits[name], space[name]) if name in one.limits else [(0.0, 1.0)]:
                alpha = 1.0 if name in one.limits else 0.25
                ax.barh(y, high - low, 0.8 * height, left=low, color=colour, alpha=alpha, linewidth=0)
    if len(boxes) == 1:
        words = boxes[0].conditions(digits=3)
    else:
        words = {name: space.label(name) for name in names}
        for i in range(len(boxes)):
            ax.barh(0, 0, 0, color=COLOURS[i % len(COLOURS)], label=f"box {i + 1}")
        ax.legend(frameon=False, fontsize="small", loc="lower right", bbox_to_anchor=(1, 1), ncols=len(boxes))
    if quasi_p is not None:
        for row, name in enumerate(reversed(names)):
            known = quasi_p.loc[name].dropna().to_numpy(dtype=float)
            told = [f"{p:.2g}" if p >= 0.001 else "< 0.001" for p in known]
            ax.text(1.02, row, ", ".join(told), va="center", fontsize="small", color="0.35")
        ax.text(1.02, len(names) - 0.45, "quasi-p", va="center", fontsize="small", color="0.35")
    ax.set_yticks(range(len(names)), [words[name] for name in reversed(names)])
    ax.set_ylim(-0.6, max(len(names), 1) - 0.3)
    ax.set_xlim(0, 1)
    ax.set_xticks([0, 0.5, 1], ["lowest", "middle", "highest"])
    ax.spines["left"].set_visible(False)
    ax.tick_params(left=False)
    ax.set_xlabel("range of the input")
    if not names:
        ax.text(0.5, 0, "no limits", ha="center")
    return ax


def unit_parts(limits: Any, parameter: Parameter) -> list[tuple[float, float]]:
    """The parts of an input's range that limits allow, as intervals of [0, 1]."""
    if isinstance(limits, frozenset):
        values = list(getattr(parameter, "values", limits))
        return [(i / len(values), (i + 1) / len(values)) for i, value in enumerate(values) if value in limits]
    if not isinstance(parameter, (Real, Integer)):
        raise TypeError(f"limits of a {parameter.kind} input are a set of its values, got {limits}")
    ends = np.array(parameter.finite_range)
    inside = np.clip(limits, *ends)
    if parameter.log:
        ends, inside = np.log(ends), np.log(inside)
    low, high = ((inside - ends[0]) / (ends[1] - ends[0])).tolist()
    return [(low, high)]


def plot_runs(
    inputs: pd.DataFrame,
    of_interest: NDArray[np.bool_],
    x: str,
    y: str,
    box: Box | Sequence[Box] | None = None,
    labels: Mapping[str, str] | None = None,
    ax: Axes | None = None,
    *,
    space: Space | None = None,
) -> Axes:
    """Runs in the plane of two inputs, those of interest in another colour and shape, with the box's limits there.

    Parameters
    ----------
    inputs : DataFrame of shape (n, d)
    of_interest : bool array of shape (n,)
    x, y : str
        The two inputs.
    box : Box or sequence of Box, optional
        Limits on other inputs do not show.
    labels : mapping of str to str, optional
        Axis labels by input; by default those of the space, with units.
    ax : Axes, optional
    space : Space, optional
        Its logarithmic inputs get logarithmic axes.

    Returns
    -------
    Axes
    """
    ax = axes(ax)
    places = {name: _positions(inputs[name]) for name in (x, y)}
    shown = {name: _spread(places[name][0], seed, _is_log(space, name)) for seed, name in enumerate((x, y))}
    chosen = np.asarray(of_interest, dtype=bool)
    for part, colour, marker, name in ((~chosen, OTHER, "o", "other"), (chosen, INTEREST, "^", "of interest")):
        ax.scatter(
            shown[x][part], shown[y][part], s=12, c=colour, marker=marker, linewidths=0, label=f"{name} ({part.sum()})"
        )
    _set_scales(ax, space, x, y)
    _frame(ax, inputs, x, y, box)
    for name, set_label, axis in ((x, ax.set_xlabel, ax.xaxis), (y, ax.set_ylabel, ax.yaxis)):
        set_label(_label(name, labels, space))
        values = places[name][1]
        if values:
            axis.set_ticks(range(len(values)), [str(value) for value in values])
    ax.legend(frameon=False, fontsize="small", loc="upper right", bbox_to_anchor=(1, 1.12), ncols=2, handletextpad=0.2)
    return ax


def frames_of(
    box: Box, inputs: pd.DataFrame, x: str, y: str, ax: Axes
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """What a box allows in the plane of two inputs, as intervals of both; none where it limits neither.

    Parameters
    ----------
    box : Box
    inputs : DataFrame of shape (n, d)
        The runs that are drawn: they give categories their places.
    x, y : str
    ax : Axes
        Sides that are open end where its view does.
    """
    if x not in box.limits and y not in box.limits:
        return []
    across, up = (_stretches(box, name, inputs[name], view) for name, view in ((x, ax.get_xlim()), (y, ax.get_ylim())))
    return list(itertools.product(across, up))


def _frame(ax: Axes, inputs: pd.DataFrame, x: str, y: str, box: Box | Sequence[Box] | None) -> None:
    """Rectangles of boxes in the plane of two inputs."""
    boxes = [] if box is None else [box] if isinstance(box, Box) else list(box)
    for i, one in enumerate(boxes):
        colour = COLOURS[i % len(COLOURS)]
        style: dict[str, Any] = {"facecolor": colour + SHADE, "edgecolor": colour, "linewidth": 1.5, "zorder": 0.5}
        for (x0, x1), (y0, y1) in frames_of(one, inputs, x, y, ax):
            ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, **style))
            if len(boxes) > 1:
                ax.text(x0, y1, f" {i + 1}", color=colour, va="top", fontsize="small", fontweight="bold")


def plot_pairs(
    inputs: pd.DataFrame,
    of_interest: NDArray[np.bool_],
    box: Box | Sequence[Box],
    names: Sequence[str] | None = None,
    labels: Mapping[str, str] | None = None,
    figure: Figure | None = None,
    *,
    space: Space | None = None,
) -> NDArray[np.object_]:
    """Runs over every pair of some inputs with the boxes' limits, and along the diagonal the share of interest.

    Parameters
    ----------
    inputs : DataFrame of shape (n, d)
    of_interest : bool array of shape (n,)
    box : Box or sequence of Box
    names : sequence of str, optional
        The inputs; by default those that a box restricts.
    labels : mapping of str to str, optional
        Axis labels by input; by default those of the space, with units.
    figure : Figure, optional
    space : Space, optional
        Its logarithmic inputs get logarithmic axes.

    Returns
    -------
    array of Axes of shape (k, k)
        None above the diagonal.
    """
    boxes = [box] if isinstance(box, Box) else list(box)
    if names is None:
        names = list(dict.fromkeys(name for one in boxes for name in one.limits)) or list(inputs.columns[:2])
    k = len(names)
    figure = plt.figure(figsize=(2.1 * k + 0.6, 2.0 * k + 0.6), layout="constrained") if figure is None else figure
    grid = figure.add_gridspec(k, k)
    out = np.full((k, k), None, dtype=object)
    for row, column in ((i, j) for i in range(k) for j in range(i + 1)):
        ax = out[row, column] = figure.add_subplot(grid[row, column])
        if row == column:
            _plot_share(inputs[names[row]], of_interest, boxes, names[row], axes(ax), _is_log(space, names[row]))
        else:
            plot_runs(inputs, of_interest, names[column], names[row], boxes, labels, ax, space=space)
            if (legend := ax.get_legend()) is not None:
                legend.remove()
            for dots in ax.collections:
                dots.set(sizes=[6])
        ax.set_xlabel(_label(names[column], labels, space) if row == k - 1 else "")
        ax.set_ylabel(_label(names[row], labels, space) if column == 0 and row else "")
        if row < k - 1:
            ax.tick_params(labelbottom=False)
        if 0 < column < row:
            ax.tick_params(labelleft=False)
    handles, told = [], []
    if k > 1:
        handles, told = out[1, 0].get_legend_handles_labels()
    if len(boxes) > 1:
        handles += [Rectangle((0, 0), 1, 1, color=COLOURS[i % len(COLOURS)]) for i in range(len(boxes))]
        told += [f"box {i + 1}" for i in range(len(boxes))]
    figure.legend(handles, told, loc="upper right", frameon=False)
    return out


def _label(name: str, labels: Mapping[str, str] | None, space: Space | None) -> str:
    return (labels or {}).get(name, name if space is None else space.label(name))


def _is_log(space: Space | None, name: str) -> bool:
    return space is not None and bool(getattr(space[name], "log", False))


def _set_scales(ax: Axes, space: Space | None, x: str, y: str) -> None:
    if _is_log(space, x):
        ax.set_xscale("log")
    if _is_log(space, y):
        ax.set_yscale("log")


def _plot_share(
    values: pd.Series, of_interest: NDArray[np.bool_], boxes: Sequence[Box], name: str, ax: Axes, log: bool = False
) -> None:
    """Share of interest over one input, with the boxes' limits."""
    positions, words = _positions(values)
    chosen = np.asarray(of_interest, dtype=bool)
    average, known = chosen.mean(), np.isfinite(positions)
    positions, chosen = positions[known], chosen[known]
    forward, backward = (np.log, np.exp) if log else (np.positive, np.positive)
    places = forward(positions)
    few = np.unique(places)
    if len(few) <= 12:
        middles, which = few, np.searchsorted(few, places)
        width = 0.8 * float(np.diff(few).min()) if len(few) > 1 else 1.0
    else:
        edges = np.linspace(few[0], few[-1], 11)
        which = np.clip(np.searchsorted(edges, places, side="right") - 1, 0, 9)
        middles, width = (edges[1:] + edges[:-1]) / 2, 0.92 * float(edges[1] - edges[0])
    count = np.bincount(which, minlength=len(middles))
    share = np.bincount(which, weights=chosen, minlength=len(middles)) / np.maximum(count, 1)
    left_ends, right_ends = backward(middles - width / 2), backward(middles + width / 2)
    ax.bar(left_ends, share, right_ends - left_ends, align="edge", color=INTEREST, alpha=0.75, linewidth=0)
    if log:
        ax.set_xscale("log")
    ax.axhline(average, color="0.5", linewidth=1, linestyle=":")
    left, right = ax.get_xlim()
    for i, one in enumerate(boxes):
        if name in one.limits:
            colour = COLOURS[i % len(COLOURS)]
            for low, high in _stretches(one, name, values, (left, right)):
                ax.axvspan(low, high, facecolor=colour + SHADE, edgecolor=colour, zorder=0)
    ax.set_xlim(left, right)
    if words:
        ax.set_xticks(range(len(words)), [str(word) for word in words])
    ax.set_ylim(0, 1)
    ax.set_yticks([0, 0.5, 1])
    ax.set_title("share of interest", fontsize="small", loc="left", color="0.35", pad=2)


def plot_stacked(stacked: Stacked, labels: Mapping[str, str] | None = None, ax: Axes | None = None) -> Axes:
    """Dimensional stacking: the share of interest over several binned inputs, nested across and down.

    Parameters
    ----------
    stacked : Stacked
        As of :func:`surrogate.boxes.stacking.stack_dimensions`.
    labels : mapping of str to str, optional
        Names by input, e.g. with units.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes(ax)
    n_down, n_across = stacked.share.shape
    image = ax.imshow(
        np.ma.masked_invalid(stacked.share),
        cmap="viridis",
        vmin=0,
        vmax=1,
        aspect="auto",
        extent=(0, n_across, 0, n_down),
        origin="lower",
    )
    ax.set_facecolor("0.92")
    for names, size, axis in ((stacked.columns, n_across, ax.xaxis), (stacked.rows, n_down, ax.yaxis)):
        line = ax.axvline if axis is ax.xaxis else ax.axhline
        step = size
        for depth, name in enumerate(names):
            words = stacked.bins[name]
            step //= len(words)
            for edge in range(step, size, step):
                line(edge, color="white", linewidth=2.5 / (1 + 2 * depth))
        # The innermost input has the ticks, the others a line of words each further out.
        _nested_ticks(ax, axis, names, stacked.bins, size, labels or {})
    ax.spines[:].set_visible(False)
    bar = ax.figure.colorbar(image, ax=ax, pad=0.05 + 0.1 * (len(stacked.rows) > 1))
    bar.set_label("share of interest; grey: no run")
    return ax


def _nested_ticks(
    ax: Axes, axis: Axis, names: Sequence[str], bins: Mapping[str, Sequence[str]], size: int, labels: Mapping[str, str]
) -> None:
    across = axis is ax.xaxis
    if not names:
        axis.set_ticks([])
        return
    inner = bins[names[-1]]
    axis.set_ticks(list(np.arange(size) + 0.5), [inner[i % len(inner)] for i in range(size)])
    ax.tick_params(axis="x" if across else "y", length=0, labelsize="x-small", labelrotation=90 if across else 0)
    (ax.set_xlabel if across else ax.set_ylabel)(labels.get(names[-1], names[-1]))
    step = size
    for level, name in enumerate(names[:-1]):
        words = bins[name]
        step //= len(words)
        second = ax.secondary_xaxis(1.0) if across else ax.secondary_yaxis(1.0)
        second.spines[:].set_visible(False)
        far = getattr(second, "xaxis" if across else "yaxis")
        far.set_ticks(list(np.arange(step / 2, size, step)), [words[i % len(words)] for i in range(size // step)])
        far.set_label_text(labels.get(name, name))
        second.tick_params(length=0, labelsize="small", pad=2 + 26 * (len(names) - 2 - level))
        if not across:
            for text in far.get_ticklabels():
                text.set(rotation=270, va="center")


def _positions(values: pd.Series) -> tuple[NDArray[np.float64], list[Any]]:
    """Numbers as they are; other values by their place in the sorted list, which is returned too; NaN where missing."""
    if pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype):
        return values.to_numpy(dtype=float, na_value=np.nan), []
    codes, found = pd.factorize(values, sort=True)
    return np.where(codes < 0, np.nan, codes), list(found)


def _spread(positions: NDArray[np.float64], seed: int, log: bool = False) -> NDArray[np.float64]:
    """Values that repeat, moved a little to the side so that every run shows; the same way at every call."""
    if log:
        return np.asarray(np.exp(_spread(np.log(positions), seed)))
    steps = np.diff(np.unique(positions[np.isfinite(positions)]))
    if not len(steps) or len(steps) + 1 > len(positions) / 4:
        return positions
    return np.asarray(
        positions + steps.min() * np.random.default_rng((7919, seed)).uniform(-0.25, 0.25, len(positions))
    )


def _stretches(box: Box, name: str, values: pd.Series, view: tuple[float, float]) -> list[tuple[float, float]]:
    """What a box allows of an input, as intervals of an axis: several where its categories lie apart."""
    limits = box.limits.get(name, (-math.inf, math.inf))
    positions, words = _positions(values)
    # A category of numbers is where these are.
    places = np.arange(len(words), dtype=float) if words else np.unique(positions[np.isfinite(positions)])
    if not isinstance(limits, frozenset):
        # Whole numbers are drawn a little to the side, too.
        beside = 0.4 if (places == np.rint(places)).all() else 0.0
        low, high = (end - s * beside if end == np.rint(end) else end for end, s in zip(limits, (1, -1)))
        low, high = max(low, view[0]), min(high, view[1])
        return [(low, high)] if low <= high else []
    inside = [row for row, value in enumerate(words or places.tolist()) if value in limits]
    starts = [row for row in inside if row - 1 not in inside]
    ends = [row for row in inside if row + 1 not in inside]
    beside = 0.4 * float(np.diff(places).min()) if len(places) > 1 else 0.4
    return [(float(places[start]) - beside, float(places[end]) + beside) for start, end in zip(starts, ends)]
