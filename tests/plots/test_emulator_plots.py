"""What is drawn: the numbers of the tables, labelled."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import scipy.stats
from numpy.testing import assert_allclose

import surrogate as sg
from surrogate.plots.emulator import (
    plot_interval_coverage,
    plot_pit,
    plot_residual_quantiles,
    plot_residuals,
    plot_series,
    plot_slice,
    plot_weights,
)


@pytest.fixture
def ax():
    figure, own = plt.subplots()
    yield own
    plt.close(figure)


def table(residuals):
    return pd.DataFrame({"mean": np.arange(len(residuals), dtype=float), "residual": residuals})


def test_interval_coverage(ax):
    rng = np.random.default_rng(0)
    curve = sg.interval_coverage_curve(rng.standard_normal(50), np.zeros(50), np.ones(50))
    assert plot_interval_coverage(curve, ax) is ax
    measured = next(line for line in ax.lines if line.get_label() == "measured")
    assert_allclose(measured.get_xydata(), np.column_stack([curve.index, curve["interval_coverage"]]))
    band = ax.collections[0].get_paths()[0].vertices
    assert_allclose([band[:, 1].min(), band[:, 1].max()], [curve["low"].min(), curve["high"].max()])


def test_pit_counts_all_runs(ax):
    values = np.array([0.05, 0.05, 0.5, 0.95])
    plot_pit(values, bins=10, ax=ax)
    bars = [patch for patch in ax.patches if patch.get_width() < 0.2]
    assert [bar.get_height() for bar in bars] == [2, 0, 0, 0, 0, 1, 0, 0, 0, 1]


def test_residuals_outside_are_told_apart(ax):
    plot_residuals(table([0.1, -3.0, 1.9, 2.5]), "lift [-]", ax)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["inside (2)", "outside (2)"]
    assert "lift [-]" in ax.get_xlabel()


def test_quantiles_are_sorted_against_the_normal_ones(ax):
    plot_residual_quantiles(table([2.0, -1.0, 0.5]), ax)
    points = next(line for line in ax.lines if line.get_marker() == "o").get_xydata()
    assert_allclose(points[:, 1], [-1.0, 0.5, 2.0])
    assert_allclose(points[:, 0], scipy.stats.norm.ppf([1 / 6, 0.5, 5 / 6]))


@pytest.mark.parametrize("values", [["u", "v"], np.array(["u", "v"], dtype=object)])
def test_a_slice_along_words_names_them(ax, values):
    plot_slice(values, [1.0, 2.0], [0.1, 0.1], ax=ax)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["u", "v"]


def test_weights_show_the_parts_that_could_be_fitted(ax):
    scores = pd.DataFrame({"weight": [0.7, 0.3, 0.0], "q2": [0.99, 0.98, np.nan]}, index=["matern52", "forest", "bad"])
    plot_weights(scores, ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["forest", "matern52"]
    assert [bar.get_width() for bar in ax.patches] == [0.3, 0.7]


def test_series_have_a_band_of_95_percent(ax):
    at = np.linspace(0, 1, 5)
    plot_series(at, at**2, np.full(5, 0.1), actual=at**2 + 0.05, label="emulated", ax=ax)
    band = ax.collections[0].get_paths()[0].vertices
    assert_allclose(band[:, 1].max(), 1 + 1.959964 * 0.1, rtol=1e-5)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["emulated", "95% interval", "simulated"]
