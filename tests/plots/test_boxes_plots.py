"""Pictures of boxes: what they draw is what the boxes say."""

from __future__ import annotations

import math

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.testing import assert_allclose

import surrogate as sg
from surrogate.boxes.stacking import stack_dimensions
from surrogate.plots.boxes import (
    frames_of,
    plot_box_limits,
    plot_pairs,
    plot_runs,
    plot_stacked,
    plot_trajectory,
    unit_parts,
)
from surrogate.reports.content import shares

mpl.use("Agg")
INF = math.inf
SPACE = sg.Space(x=sg.Real(0, 10, unit="m"), rate=sg.Real(1, 100, log=True), kind=sg.Categorical(["u", "v", "w"]))


@pytest.fixture
def ax():
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    yield ax
    figure.canvas.draw()  # nothing in it may fail to be drawn
    plt.close("all")


def runs(n=300, seed=0):
    x = SPACE.from_unit(np.random.default_rng(seed).random((n, 3)))
    return x, ((x["x"] > 4) & (x["kind"] != "v")).to_numpy()


def rectangles(ax):
    found = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    return sorted((p.get_x(), p.get_y(), p.get_x() + p.get_width(), p.get_y() + p.get_height()) for p in found)


def test_limits_are_bars_over_the_range(ax):
    box = sg.Box({"x": (2.5, INF), "rate": (-INF, 10.0), "kind": {"u", "w"}}, units={"x": "m"})
    plot_box_limits(box, SPACE, ax)
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert labels == ["kind is one of 'u', 'w'", "rate <= 10", "x >= 2.5 m"]
    bars = {}
    for bar in ax.patches:
        if bar.get_facecolor()[:3] == mpl.colors.to_rgb("#0077BB"):
            bars.setdefault(round(bar.get_y() + bar.get_height() / 2), []).append(
                (bar.get_x(), bar.get_x() + bar.get_width())
            )
    assert_allclose(bars[2], [(0.25, 1)])
    assert_allclose(bars[1], [(0, 0.5)])  # half of the logarithms
    assert_allclose(sorted(bars[0]), [(0, 1 / 3), (2 / 3, 1)])


def test_several_boxes_have_a_colour_each_and_quasi_p_is_written(ax):
    boxes = [sg.Box({"x": (2.5, INF)}), sg.Box({"kind": {"u"}})]
    plot_box_limits(boxes, SPACE, ax)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["kind", "x [m]"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["box 1", "box 2"]
    table = pd.DataFrame({"low": [0.0213], "high": [np.nan]}, index=["x"])
    plot_box_limits(boxes[0], SPACE, ax, quasi_p=table)
    assert "0.021" in [text.get_text() for text in ax.texts]


def test_a_box_over_two_inputs_is_a_rectangle_or_one_a_stretch_of_categories(ax):
    x, y = runs()
    box = sg.Box({"x": (4.0, INF), "kind": {"u", "w"}})
    plot_runs(x, y, "x", "kind", box, {"x": "x [m]"}, ax)
    right = ax.get_xlim()[1]
    assert_allclose(rectangles(ax), [(4, -0.4, right, 0.4), (4, 1.6, right, 2.4)])
    assert ax.get_xlabel() == "x [m]"
    assert [text.get_text() for text in ax.get_yticklabels()] == ["u", "v", "w"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        f"other ({(~y).sum()})",
        f"of interest ({y.sum()})",
    ]


def test_several_boxes_over_two_inputs(ax):
    x, y = runs()
    plot_runs(
        x, y, "x", "rate", [sg.Box({"x": (1.0, 2.0)}), sg.Box({"rate": (5.0, 6.0)}), sg.Box({"kind": {"u"}})], ax=ax
    )
    found = rectangles(ax)
    assert len(found) == 2  # the third has no limits here
    assert {round(rectangle[0], 6) for rectangle in found} == {1.0, round(ax.get_xlim()[0], 6)}
    assert len({patch.get_edgecolor() for patch in ax.patches}) == 2
    assert sorted(text.get_text().strip() for text in ax.texts) == ["1", "2"]


def test_pairs_show_every_pair_and_the_share_of_interest():
    x, y = runs()
    grid = plot_pairs(x, y, sg.Box({"x": (4.0, INF), "kind": {"u", "w"}}), ["x", "kind", "rate"])
    grid[0, 0].figure.canvas.draw()
    assert grid.shape == (3, 3)
    assert [[ax is not None for ax in row] for row in grid] == [[True, False, False], [True, True, False], [True] * 3]
    bars = {round(bar.get_x() + bar.get_width() / 2): bar.get_height() for bar in grid[1, 1].containers[0]}
    assert_allclose([bars[0], bars[1], bars[2]], [y[x["kind"] == k].mean() for k in "uvw"])
    assert grid[2, 0].get_xlabel() == "x"
    assert grid[2, 0].get_ylabel() == "rate"
    default = plot_pairs(x, y, sg.Box({"x": (4.0, INF), "kind": {"u", "w"}}))
    assert default.shape == (2, 2)


def test_logarithmic_inputs_have_logarithmic_axes(ax):
    x, y = runs()
    plot_runs(x, y, "x", "rate", sg.Box({"rate": (5.0, 6.0)}), ax=ax, space=SPACE)
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "log")
    assert ax.get_xlabel() == SPACE.label("x")
    (rectangle,) = rectangles(ax)
    assert rectangle == pytest.approx((ax.get_xlim()[0], 5.0, ax.get_xlim()[1], 6.0))
    # What a script is told: shares of the drawn plane, of a logarithmic side those of the logarithms.
    low, high = ax.get_ylim()
    assert shares(ax, 0.0, np.sqrt(low * high))[1] == pytest.approx(0.5, abs=1e-3)
    grid = plot_pairs(x, y, sg.Box({"rate": (5.0, 6.0)}), ["x", "rate"], space=SPACE)
    assert [grid[0, 0].get_xscale(), grid[1, 1].get_xscale(), grid[1, 0].get_yscale()] == ["linear", "log", "log"]
    bars = list(grid[1, 1].containers[0])
    ends = np.array([(bar.get_x(), bar.get_x() + bar.get_width()) for bar in bars])
    assert_allclose(ends[:, 1] / ends[:, 0], ends[0, 1] / ends[0, 0])
    edges = np.geomspace(x["rate"].min(), x["rate"].max(), len(bars) + 1)
    first = x["rate"] < edges[1]
    assert bars[0].get_height() == pytest.approx(y[first].mean())


def test_values_that_repeat_are_spread_within_a_logarithmic_axis(ax):
    inputs = pd.DataFrame({"rate": np.repeat([1.0, 10.0, 100.0], 20), "x": np.linspace(0, 5, 60)})
    plot_runs(inputs, np.arange(60) % 2 == 0, "x", "rate", ax=ax, space=SPACE)
    shown = np.concatenate([dots.get_offsets()[:, 1] for dots in ax.collections])
    assert (np.abs(np.log10(shown) - np.log10(shown).round()) <= 0.25).all()
    assert len(np.unique(shown)) == 60


def test_the_trade_off_marks_the_chosen_box(ax):
    x, y = runs()
    prim = sg.Prim().fit(x, y, space=SPACE)
    plot_trajectory(prim.trajectory_, prim.best_index_, ax)
    dots = ax.collections[0].get_offsets()
    assert_allclose(dots, prim.trajectory_[["coverage", "density"]])
    mark = ax.collections[1].get_offsets()
    assert_allclose(mark, prim.trajectory_.loc[[prim.best_index_], ["coverage", "density"]])
    assert f"box {prim.best_index_}" in [text.get_text() for text in ax.texts]


def test_stacking_counts_what_is_in_each_cell():
    rng = np.random.default_rng(0)
    x = pd.DataFrame(
        {"a": rng.random(500), "kind": rng.choice(list("uvw"), 500), "n": rng.integers(0, 2, 500), "b": rng.random(500)}
    )
    y = ((x["a"] > 0.6) & (x["kind"] == "u")).to_numpy()
    stacked = stack_dimensions(x, y, ["a", "kind", "n"], n_bins=4)
    assert (stacked.columns, stacked.rows) == (("a", "n"), ("kind",))
    assert stacked.share.shape == (3, 8)
    assert stacked.count.sum() == 500
    edges = np.quantile(x["a"], [0.25, 0.5, 0.75])
    cell = (np.searchsorted(edges, x["a"], side="right") == 3) & (x["n"] == 1) & (x["kind"] == "u")
    assert stacked.count[0, 7] == cell.sum()
    assert_allclose(stacked.share[0, 7], y[cell].mean())
    assert stacked.bins["kind"] == ("u", "v", "w")
    assert stacked.bins["a"][0] == f"< {edges[0]:.3g}"
    # The inputs that matter come first by themselves.
    assert set(stack_dimensions(x, y, n_inputs=2).columns + stack_dimensions(x, y, n_inputs=2).rows) == {"a", "kind"}
    few = stack_dimensions(x[:3], y[:3] | [True, False, False], ["a", "kind"])
    assert np.isnan(few.share[few.count == 0]).all()
    with pytest.raises(ValueError, match="names must be among a, kind, n, b, got"):
        stack_dimensions(x, y, ["c"])
    with pytest.raises(ValueError, match="n_bins must be at least 2"):
        stack_dimensions(x, y, n_bins=1)


@pytest.mark.parametrize("n_inputs", [1, 2, 4])
def test_stacking_is_drawn_with_the_bins_beside_it(ax, n_inputs):
    rng = np.random.default_rng(1)
    x = pd.DataFrame(rng.random((400, 5)), columns=list("abcde"))
    stacked = stack_dimensions(x, x["a"] > 0.7, list("abcde")[:n_inputs])
    plot_stacked(stacked, {"a": "a [m]"}, ax)
    image = ax.images[0].get_array()
    assert_allclose(image.filled(-1), np.nan_to_num(stacked.share, nan=-1))
    inner = stacked.bins[stacked.columns[-1]]
    ticks = [text.get_text() for text in ax.get_xticklabels()]
    assert ticks == list(inner) * (len(ticks) // len(inner))


def test_a_box_outside_the_view_has_no_frame():
    inputs = pd.DataFrame({"a": [0.0, 1.0], "b": [0.0, 1.0]})
    ax = plot_runs(inputs, np.array([True, False]), "a", "b", ax=Figure().add_subplot())
    assert frames_of(sg.Box({"a": (5.0, np.inf)}), inputs, "a", "b", ax) == []
    assert frames_of(sg.Box({"c": (5.0, np.inf)}), inputs, "a", "b", ax) == []
    ((_, (low, high)),) = frames_of(sg.Box({"a": (0.5, np.inf)}), inputs, "a", "b", ax)
    assert (low, high) == ax.get_ylim()


def test_categories_that_are_numbers_have_frames_where_their_runs_are(ax):
    rng = np.random.default_rng(0)
    inputs = pd.DataFrame({"a": rng.random(90), "level": np.repeat([10, 15, 40], 30)})
    of_interest = inputs["level"].to_numpy() != 15
    box = sg.Box({"level": {10, 40}})
    plot_runs(inputs, of_interest, "level", "a", box, ax=ax)
    low, high = ax.get_ylim()
    assert_allclose(rectangles(ax), [(8, low, 12, high), (38, low, 42, high)])
    assert [across for across, _ in frames_of(sg.Box({"level": {10.0, 15.0}}), inputs, "level", "a", ax)] == [(8, 17)]
    plot_pairs(inputs, of_interest, box, ["level", "a"])


def test_parts_of_whole_numbers_on_a_log_scale_are_those_of_the_logarithms():
    n = sg.Integer(1, 100, log=True)
    assert_allclose(unit_parts((10.0, INF), n), [(0.5, 1.0)])
    assert_allclose(unit_parts((-INF, 10.0), n), [(0.0, 0.5)])
    assert_allclose(unit_parts((26.0, 51.0), sg.Integer(1, 101)), [(0.25, 0.5)])
    with pytest.raises(TypeError, match="limits of a categorical input are a set"):
        unit_parts((0.0, 1.0), sg.Categorical(["u", "v"]))


def test_runs_with_a_missing_value_do_not_hide_the_others(ax):
    rng = np.random.default_rng(0)
    x = pd.DataFrame({"k": rng.integers(0, 5, 600).astype(float), "r": rng.random(600)})
    x["kind"] = rng.choice(["u", "v"], 600).astype(object)
    x = x.mask(rng.random(x.shape) < 0.1)
    y = (x["k"] > 2).to_numpy()
    plot_runs(x, y, "k", "kind", sg.Box({}), ax=ax)
    shown = np.vstack([dots.get_offsets().filled(np.nan) for dots in ax.collections])
    assert np.isfinite(shown).all(axis=1).sum() == x[["k", "kind"]].notna().all(axis=1).sum()
    diagonal = plot_pairs(x, y, sg.Box({"r": (0.2, INF)}), ["r", "k"])[0, 0]
    heights = [bar.get_height() for bar in diagonal.containers[0]]
    assert len(heights) == 10
    assert min(heights) > 0.2  # about two fifths of the runs in every part of r


def test_whole_numbers_drawn_beside_each_other_lie_in_the_frame(ax):
    space = sg.Space(i=sg.Integer(0, 9), a=sg.Real(0, 1))
    x = sg.sobol(space, 256, rng=0)
    box = sg.Box({"i": (2.0, 5.0)})
    plot_runs(x, (x["i"] > 4).to_numpy(), "i", "a", box, space=space, ax=ax)
    shown = np.vstack([dots.get_offsets().filled(np.nan) for dots in ax.collections])
    left, _, right, _ = rectangles(ax)[0]
    assert ((shown[:, 0] >= left) & (shown[:, 0] <= right)).sum() == box.contains(x).sum()
