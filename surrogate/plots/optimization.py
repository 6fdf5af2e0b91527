"""How an optimisation went, where its runs were, and the front that it found."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from surrogate.optimize.result import Optimum
from surrogate.plots.style import INTEREST, LINE, OTHER, axes
from surrogate.space import Real

__all__ = ["plot_front", "plot_optimization", "plot_parallel"]

FloatArray = NDArray[np.float64]

# Outputs more than so many times as far from the best as the median run is are left out of the picture.
FAR = 3.0


def plot_optimization(optimum: Optimum, ax: Axes | None = None) -> Axes:
    """Each run's objective and the best so far, in the order of proposal; of several objectives the hypervolume.

    Parameters
    ----------
    optimum : Optimum
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes(ax)
    history = optimum.history
    place = np.arange(1, len(history) + 1)
    if len(optimum.objectives) > 1:
        ax.step(place, history["hypervolume"], where="post", color=LINE)
        ax.set_ylabel("hypervolume of the front")
    else:
        objective = optimum.objectives[0]
        values = history[objective.output].to_numpy(dtype=float)
        feasible = history["feasible"].to_numpy(dtype=bool)
        is_told, true = np.isfinite(values), optimum.at_truest
        done = is_told & true
        if (is_told & ~true).any():
            # Of what a cheaper level answers, the truth may be far.
            ax.plot(place[is_told & ~true], values[is_told & ~true], ".", color=OTHER, alpha=0.5, markersize=3,
                    label="cheaper level")  # fmt: skip
        ax.plot(place[done & feasible], values[done & feasible], "o", color=OTHER, markersize=4, label="run")
        if (done & ~feasible).any():
            ax.plot(
                place[done & ~feasible],
                values[done & ~feasible],
                "x",
                color=INTEREST,
                markersize=5,
                label="not allowed",
            )
        best = objective.sign * history["best"].to_numpy(dtype=float)
        ax.step(place, best, where="post", color=LINE, label="best so far")
        _without_outliers(ax, objective.sign * values[done], feasible[done], objective.sign)
        ax.set_ylabel(optimum.label(objective.output))
    failed = history["status"].isin(["failed"]).to_numpy()
    if failed.any():
        # At the lower edge whatever the scale is.
        at = np.full(int(failed.sum()), 0.02)
        ax.plot(place[failed], at, "|", color=INTEREST, transform=ax.get_xaxis_transform(), label="no answer")
    begun = _end_of_design(history)
    if 0 < begun < len(history):
        ax.axvline(begun + 0.5, color="0.8", linewidth=1, zorder=0)
        told = "known before, or design" if (history.index < 0).any() else "design"
        ax.annotate(
            told, (begun + 0.4, 0.99), xycoords=("data", "axes fraction"), ha="right", va="top", color="0.4", fontsize=8
        )
    ax.set_xlabel("run")
    ax.set_xlim(0, len(history) + 1)
    if ax.get_legend_handles_labels()[1]:
        ax.legend(frameon=False, fontsize="small", loc="best")
    return ax


def plot_parallel(optimum: Optimum, ax: Axes | None = None) -> Axes:
    """Every run as a line across its inputs, each from its lowest to its highest value; good runs are dark.

    Parameters
    ----------
    optimum : Optimum
        The best run is drawn in another colour; of several objectives the knee, and the front is dark.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    ax = axes(ax)
    space, history = optimum.space, optimum.history
    shown = history[history["status"] == "done"]
    if not len(shown):
        raise ValueError("no run is done, so there is nothing to draw")
    heights = space.to_unit(shown[list(space)])
    darkness = _darkness(optimum, shown)
    order = np.argsort(darkness, kind="stable")
    across = np.arange(space.d)
    lines = [np.column_stack([across, row]) for row in heights[order]]
    colours = _colours(darkness[order])
    ax.add_collection(LineCollection(lines, colors=colours, linewidths=0.6 + 0.6 * darkness[order], zorder=1))
    if optimum.id is not None:
        ax.plot(
            across,
            heights[shown.index.get_loc(optimum.id)],
            color=INTEREST,
            linewidth=2,
            marker="o",
            markersize=4,
            zorder=3,
        )
    for j, (name, parameter) in enumerate(space.items()):
        ax.axvline(j, color="0.5", linewidth=0.8, zorder=2)
        ends = space.from_unit(np.tile([[0.0], [1.0]], space.d))[name]
        for value, y, va in zip(ends, (0.0, 1.0), ("top", "bottom"), strict=True):
            told = f"{value:.3g}" if isinstance(parameter, Real) else str(value)
            ax.annotate(told, (j, y), xytext=(0, -4 if va == "top" else 4), textcoords="offset points",
                        ha="center", va=va, fontsize="x-small", color="0.35")  # fmt: skip
    crowded = sum(len(space.label(name)) for name in space) > 40
    ax.set_xticks(across, [space.label(name) for name in space], rotation=20 if crowded else 0, ha="center")
    ax.tick_params(axis="x", length=0, pad=14)
    ax.set_yticks([])
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.set_xlim(-0.3, max(space.d - 0.7, 0.3))
    ax.set_ylim(0, 1)
    return ax


def plot_front(optimum: Optimum, ax: Axes | None = None) -> Axes:
    """Two objectives of all runs, the front and its knee; a third objective as colour.

    Parameters
    ----------
    optimum : Optimum
        Of several objectives.
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    if len(optimum.objectives) < 2 or optimum.front is None:
        raise ValueError("a front is of several objectives, this optimum has one; see plot_optimization")
    ax = axes(ax)
    first, second, *third = (objective.output for objective in optimum.objectives)
    history = optimum.history[(optimum.history["status"] == "done") & optimum.at_truest]
    feasible, front = history[history["feasible"]], optimum.front
    excluded = history[~history["feasible"]]
    ax.plot(feasible[first], feasible[second], "o", color=OTHER, markersize=4, label="run")
    if len(excluded):
        ax.plot(excluded[first], excluded[second], "x", color=INTEREST, markersize=5, label="not allowed")
    if third:
        dots = ax.scatter(front[first], front[second], c=front[third[0]], cmap="viridis", zorder=3, label="front")
        ax.figure.colorbar(dots, ax=ax, label=optimum.label(third[0]))
    else:
        # What the front's points dominate ends in steps.
        where: Literal["post", "pre"] = "post" if optimum.objectives[0].sign > 0 else "pre"
        ordered = front.sort_values(first)
        ax.step(ordered[first], ordered[second], where=where, color=LINE, linewidth=1)
        ax.plot(ordered[first], ordered[second], "o", color=LINE, markersize=5, label="front")
    if optimum.knee is not None:
        knee = front.loc[optimum.knee]
        ax.plot(knee[first], knee[second], "o", color=INTEREST, markersize=11, fillstyle="none", label="knee")
    for name, limit in ((first, ax.set_xlim), (second, ax.set_ylim)):
        if len(front):
            sign = next(o.sign for o in optimum.objectives if o.output == name)
            low, high = _range(sign * history[name].to_numpy(dtype=float), sign * front[name].to_numpy(dtype=float))
            limit(*sorted((sign * low, sign * high)))
    ax.set_xlabel(optimum.label(first))
    ax.set_ylabel(optimum.label(second))
    ax.legend(frameon=False, fontsize="small")
    return ax


def _colours(darkness: FloatArray) -> FloatArray:
    """From light grey to the line's blue, (n, 4)."""
    light, dark = np.array([0.8, 0.82, 0.85]), np.array([0.0, 0.33, 0.6])
    mixed = light + (dark - light) * darkness[:, None] ** 2
    return np.column_stack([mixed, 0.35 + 0.65 * darkness])


def _darkness(optimum: Optimum, shown: pd.DataFrame) -> FloatArray:
    """By rank of the objective, (n,) in [0, 1]: 0 unless allowed and at the truest level; of several 1 on the front."""
    if optimum.front is not None:
        return shown.index.isin(optimum.front.index).astype(float)
    objective = optimum.objectives[0]
    true = pd.Series(optimum.at_truest, index=optimum.history.index)[shown.index]
    allowed = shown["feasible"].to_numpy(dtype=bool) & true.to_numpy()
    ranked = pd.Series(objective.sign * shown[objective.output].to_numpy(dtype=float))
    rank = ranked[allowed].rank(ascending=False, pct=True).reindex(ranked.index, fill_value=0.0)
    return np.asarray(rank, dtype=float)


def _end_of_design(history: pd.DataFrame) -> int:
    """Number of runs before the first that a model proposed."""
    proposed = ~history["step"].isin(["design", "given"]).to_numpy()
    return int(np.argmax(proposed)) if proposed.any() else len(history)


def _without_outliers(ax: Axes, scores: FloatArray, feasible: NDArray[np.bool_], sign: float) -> None:
    if len(scores) < 2:
        return
    allowed = np.sort(scores[feasible] if feasible.any() else scores)
    low, high = _range(scores, allowed[: max(1, len(allowed) // 2)])
    ax.set_ylim(*sorted((sign * low, sign * high)))


def _range(scores: FloatArray, good: FloatArray) -> tuple[float, float]:
    """All the good scores, and of the others those that are not very far from the best good one, with a margin."""
    scores = scores[np.isfinite(scores)]
    # Where good ones are all the same they do not tell what is far.
    best, width = float(good.min()), float(np.ptp(good) or np.ptp(scores))
    low, high = max(float(scores.min()), best - FAR * width), min(float(scores.max()), best + FAR * width)
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin
