"""Pictures of designs show the points where they are."""

from __future__ import annotations

import numpy as np
import scipy.stats

import surrogate as sg
from surrogate.plots.designs import plot_design_pair, plot_design_pairs

SPACE = sg.Space(
    x=sg.Real(-4, 12, unit="deg"),
    rate=sg.Real(1e-4, 1, log=True),
    gust=sg.Real.distributed(scipy.stats.norm(1, 2)),
    n=sg.Integer(1, 5),
    kind=sg.Categorical(["clean", "flap"]),
)


def test_pair_shows_positions_and_values():
    design = sg.sobol(SPACE, 32, rng=0)
    ax = plot_design_pair(design, SPACE, "x", "kind", None)
    drawn = np.asarray(ax.collections[0].get_offsets())
    np.testing.assert_allclose(drawn[:, 0], (design["x"] + 4) / 16)
    # Spread around their middles by less than half a cell.
    np.testing.assert_array_less(np.abs(drawn[:, 1] - np.where(design["kind"] == "clean", 0.25, 0.75)), 0.25)
    assert ax.get_xlabel() == "x [deg]"
    assert [t.get_text() for t in ax.get_xticklabels()] == ["-4", "4", "12"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["clean", "flap"]


def test_pairs_has_a_panel_for_each_pair_and_bars_that_count_the_points():
    design = sg.maximin(SPACE, 30, rng=0, effort=0.1)
    figure = plot_design_pairs(design, SPACE)
    panels = figure.axes
    assert sum(len(ax.collections) for ax in panels) == 10
    bars = [ax.patches for ax in panels if ax.patches]
    assert [sum(bar.get_height() for bar in group) for group in bars] == [30] * 5
    assert [len(group) for group in bars] == [10, 10, 10, 5, 2]
