"""Where runs of interest lie: the trade-off, the chosen box, its limits, and the runs in its plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from surrogate.boxes.box import Box
from surrogate.plots.boxes import plot_box_limits, plot_runs, plot_trajectory
from surrogate.reports.content import Asked, Figure, Section, Table, Text, new_axes

__all__ = ["boxes_section"]


def boxes_section(asked: Asked) -> Section | None:
    """The section "Where it is of interest", if a box finder was given."""
    finder = asked.boxes
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
    blocks: list[Text | Table | Figure] = [
        Text(_how_found(finder)),
        Figure.of(
            plot_trajectory(trajectory, chosen, new_axes()),
            alt=f"Peeling trajectory from coverage 1, density {share:.2f} to coverage {last['coverage']:.2f}, "
            f"density {last['density']:.2f}; box {chosen} is marked.",
            caption="Peeling trajectory: the boxes to choose from",
            table=Table(trajectory, "The boxes of the trajectory", folded=True),
        ),
        Figure.of(
            plot_box_limits(box, runs.space, new_axes(6.0, 0.9 + 0.42 * max(1, len(box.limits)))),
            alt=f"Limits of box {chosen}: {box.rule()}.",
            caption=f"Limits of box {chosen} within the inputs' ranges",
            table=Table(_limits_table(box, runs.space), "Limits", folded=False),
        ),
    ]
    labels = {name: runs.space.label(name) for name in runs.space}
    for x, y in _pairs(box, runs.inputs, flags):
        blocks.append(
            Figure.of(
                plot_runs(runs.inputs, flags, x, y, box, labels, new_axes()),
                alt=f"Runs over {x} and {y}; triangles are of interest, the rectangle is the box.",
                caption=f"Runs of interest over {x} and {y}; the rectangle is the box, its other limits do not show",
            )
        )
    return Section("boxes", "Where it is of interest", lead, blocks)


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


def _limits_table(box: Box, space: Any) -> pd.DataFrame:
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
