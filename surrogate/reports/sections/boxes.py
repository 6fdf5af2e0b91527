"""Where runs of interest lie: the trade-off, the chosen box, its limits, and the runs in its plane."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from surrogate.boxes.box import Box
from surrogate.plots.boxes import frames_of, plot_box_limits, plot_runs, plot_trajectory, unit_parts
from surrogate.reports.content import Asked, Block, Figure, Live, Section, Table, Text, name_parts, new_axes, shares
from surrogate.space import Space

__all__ = ["box_finder", "boxes_section"]

# Of more runs than these the scatters do not tell which lie in the chosen box: the page would become slow and large.
MOST_RUNS_MARKED = 5000


def boxes_section(asked: Asked) -> Section | None:
    """The section "Where it is of interest", if a box finder was given."""
    finder = box_finder(asked.boxes)
    if finder is None or asked.runs is None:
        return None
    box, trajectory, chosen = finder.best_, finder.trajectory_, finder.best_index_
    runs, flags = asked.runs, np.asarray(finder.of_interest_, dtype=bool)
    # A finder that learned from a metamodel's points has counted its boxes on the runs, too.
    row, last = getattr(finder, "run_trajectory_", trajectory).iloc[chosen], trajectory.iloc[-1]
    share = flags.mean()
    interest = asked.interest or "the condition"
    lead = (
        f"{flags.sum()} of {len(flags)} runs ({share:.1%}) meet {interest}. The box “{box.rule()}” holds "
        f"{row['coverage']:.0%} of them (coverage), and {row['density']:.0%} of the runs inside it are of interest "
        f"(density, {row['density'] / share:.1f} times the share among all runs)."
    )
    trade_off = plot_trajectory(trajectory, chosen, new_axes())
    name_parts(trade_off, mark=[trade_off.collections[-1], trade_off.texts[-1]])
    scatters: dict[tuple[str, str], Axes] = {}
    for x, y in _pairs(box, runs.inputs, flags):
        ax = scatters[x, y] = plot_runs(runs.inputs, flags, x, y, box, ax=new_axes(), space=runs.space)
        name_parts(ax, frame=ax.patches, other=ax.collections[:1], interest=ax.collections[1:])
    choice = _choice(finder, runs.inputs, runs.space, trade_off, scatters)
    blocks: list[Block] = [
        Text(
            _how_found(finder)
            + _how_sure(asked.boxes)
            + " Where scripts run, a click on another dot, or the arrow keys, show its box."
        ),
        Figure.of(
            trade_off,
            alt=f"Peeling trajectory from coverage 1, density {share:.2f} to coverage {last['coverage']:.2f}, "
            f"density {last['density']:.2f}; box {chosen} is marked.",
            caption="Peeling trajectory: the boxes to choose from",
            table=Table(trajectory, "The boxes of the trajectory", folded=True),
            view="trade-off",
        ),
        Figure.of(
            plot_box_limits(box, runs.space, new_axes(6.0, 0.9 + 0.42 * max(1, len(box.limits)))),
            alt=f"Limits of box {chosen}: {box.rule()}.",
            caption=f"Limits of box {chosen} within the inputs' ranges",
            table=Table(_limits_table(box, runs.space), "Limits", folded=False),
            view="limits",
        ),
        *(
            Figure.of(
                ax,
                alt=f"Runs over {x} and {y}; triangles are of interest, the rectangle is the box.",
                caption=f"Runs of interest over {x} and {y}; the rectangle is the box, its other limits do not show",
                view="scatter",
            )
            for (x, y), ax in scatters.items()
        ),
    ]
    blocks.insert(2, choice)
    return Section("boxes", "Where it is of interest", lead, blocks)


def box_finder(boxes: Any) -> Any:
    """The fitted finder of what was given as boxes; None if there is none."""
    # A discovery's boxes are its metamodel's; it knows how sure it is of them, too.
    return getattr(boxes, "reds", boxes)


def _how_found(finder: Any) -> str:
    chosen = finder.best_index_
    text = (
        "PRIM peels the space a slice at a time and so trades coverage for density. Every dot below is a box on that "
        f"way; described here is box {chosen}, the one with the largest weighted relative accuracy (share of all runs "
        "inside times the gain of density) after a deduction for every restricted input, as each was chosen to look "
        "good. "
    )
    if not hasattr(finder, "method_"):
        return text + (
            "Coverage and density are counted on the runs the box was found with, so new runs will do somewhat worse."
        )
    expected = finder.trajectory_.iloc[chosen]
    return text + (
        f"The boxes were found on new points that a metamodel labelled ({finder.method_}: {finder.reason_}). Over the "
        f"whole space it expects coverage {expected['coverage']:.0%} and density {expected['density']:.0%} of this "
        "box; the trade-off shows what it expects."
    )


def _how_sure(found: Any) -> str:
    """The intervals of a discovery; empty of a finder."""
    intervals = getattr(found, "intervals", None)
    if intervals is None or intervals.empty:
        return ""
    told = " and ".join(
        f"{name} {row['value']:.0%} ({row['low']:.0%} to {row['high']:.0%})" for name, row in intervals.iterrows()
    )
    return f" On points it was not found with it has {told}: 95% intervals from {found.intervals_from}."


def _choice(
    finder: Any, inputs: pd.DataFrame, space: Space, trade_off: Axes, scatters: Mapping[tuple[str, str], Axes]
) -> Live:
    """Every box of the trajectory as the page's script shows it; places are shares of a plot's width and height."""
    flags = np.asarray(finder.of_interest_, dtype=bool)
    # In the order of drawing: the others, then the runs of interest.
    drawn = np.argsort(flags, kind="stable")
    boxes: list[dict[str, Any]] = []
    for i, (box, row) in enumerate(zip(finder.boxes_, finder.trajectory_.to_dict("records"), strict=True)):
        figures = f"box {i}: coverage {row['coverage']:.0%}, density {row['density']:.0%}"
        inside = box.contains(inputs)
        entry: dict[str, Any] = {
            "figures": figures,
            "told": f"{figures.capitalize()}, {inside.sum()} runs inside. {box.rule()}",
            "at": shares(trade_off, row["coverage"], row["density"]),
            "limits": [
                {**words, "parts": unit_parts(box.limits[name], space[name])}
                for name, words in zip(box.restricted, _limits_table(box, space).reset_index().to_dict("records"))
            ],
            "frames": [
                [[*shares(ax, x0, y0), *shares(ax, x1, y1)] for (x0, x1), (y0, y1) in frames_of(box, inputs, x, y, ax)]
                for (x, y), ax in scatters.items()
            ],
        }
        if len(inputs) <= MOST_RUNS_MARKED:
            entry["inside"] = base64.b64encode(np.packbits(inside[drawn]).tobytes()).decode()
        boxes.append(entry)
    chosen = int(finder.best_index_)
    return Live("choice", boxes[chosen]["told"], {"chosen": chosen, "boxes": boxes})


def _limits_table(box: Box, space: Space) -> pd.DataFrame:
    words = box.conditions()
    rows = [
        {"input": space.label(name), "box": words[name], "whole range": space[name].allowed} for name in box.restricted
    ]
    return pd.DataFrame(rows, columns=["input", "box", "whole range"]).set_index("input")


def _pairs(box: Box, inputs: pd.DataFrame, flags: np.ndarray) -> list[tuple[str, str]]:
    """Two pairs of inputs to draw: those whose limits matter most, filled up with the others in order."""
    ranked = _by_importance(box, inputs, flags)
    names = [*ranked, *(name for name in inputs.columns if name not in ranked)]
    if len(names) < 2:
        return []
    if len(names) == 2:
        return [(names[0], names[1])]
    return [(names[0], names[1]), (names[2], names[3]) if len(ranked) > 3 else (names[0], names[2])]


def _by_importance(box: Box, inputs: pd.DataFrame, flags: np.ndarray) -> Sequence[str]:
    """Restricted inputs by how much density is lost when the input's limits are dropped, the most first."""
    loss = {}
    for name in box.restricted:
        without = Box({other: limits for other, limits in box.limits.items() if other != name})
        inside = without.contains(inputs)
        loss[name] = flags[inside].mean() if inside.any() else 0.0
    return sorted(loss, key=lambda name: loss[name])
