"""Pictures of sensitivity measures show their numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import surrogate as sg
from surrogate.plots.sensitivity import plot_convergence, plot_indices, plot_indices_heatmap, plot_morris
from surrogate.reports.content import Asked, Figure, Table, Text
from surrogate.reports.sections.sensitivity import sensitivity_section

SPACE = sg.Space(a=sg.Real(0, 1), b=sg.Real(0, 1), c=sg.Real(0, 1))


@sg.simulator(space=SPACE, outputs=[sg.Output("y", unit="N"), "z"])
def model(a, b, c):
    """Two outputs."""
    return {"y": 3 * a + b + a * b, "z": c**2}


@pytest.fixture(scope="module")
def indices():
    return sg.sobol_indices(model, n=64, n_jobs=0, second_order=True)


def test_bars_are_ordered_and_have_their_lengths_and_intervals(indices):
    ax = plot_indices(indices, "y")
    labels = [t.get_text() for t in ax.get_yticklabels()]
    assert labels == ["c", "b", "a"]  # from bottom to top
    lengths = [bar.get_width() for bar in ax.patches]
    table = indices.loc["y"].loc[labels]
    np.testing.assert_allclose(lengths, [*table["total"], *table["first"]])
    ends = np.array([segment[:, 0] for segment in ax.collections[0].get_segments()])
    np.testing.assert_allclose(ends, table[["total_low", "total_high"]])
    with pytest.raises(ValueError, match="no output 'x'"):
        plot_indices(indices, "x")


def test_heat_map_holds_every_number(indices):
    ax = plot_indices_heatmap(indices)
    texts = {t.get_text() for t in ax.texts}
    assert f"{indices.loc[('z', 'c'), 'total']:.2f}" in texts
    assert len(ax.texts) == 6


def test_morris_plane():
    found = sg.morris(model, n=6, n_jobs=0, outputs="y")
    ax = plot_morris(found)
    dots = ax.lines[0]
    np.testing.assert_allclose(np.asarray(dots.get_xdata(), dtype=float), found["mu_star"])
    np.testing.assert_allclose(np.asarray(dots.get_ydata(), dtype=float), found["sigma"])
    assert {"a", "b", "c"} <= {t.get_text() for t in ax.texts}


def test_a_plane_of_groups_alone_is_refused():
    found = sg.morris(model, n=6, n_jobs=0, outputs="y", groups={"g": ["a", "b", "c"]})
    with pytest.raises(ValueError, match=r"groups have no sigma.*use plot_indices"):
        plot_morris(found)
    plot_indices(found)


def test_convergence_is_drawn_in_order_of_n():
    results = [sg.sobol_indices(model, n=n, n_jobs=0, outputs="y") for n in (64, 16, 32)]
    ax = plot_convergence(results)
    assert len(ax.lines) == 3
    for line in ax.lines:
        np.testing.assert_array_equal(line.get_xdata(), [16, 32, 64])
        expected = [results[k].loc[line.get_label(), "total"] for k in (1, 2, 0)]
        np.testing.assert_allclose(line.get_ydata(), expected)


@pytest.mark.parametrize("method", ["sobol", "fast", "morris", "dgsm", "delta", "pawn", "shapley"])
def test_every_measure_has_a_section(method):
    from surrogate.sensitivity import MEASURES

    found = MEASURES[method](model, n=70 if method in ("fast", "pawn", "delta") else 32, n_jobs=0)
    runs = sg.run(model, sg.sobol(SPACE, 4, rng=0), n_jobs=0)
    section = sensitivity_section(Asked(runs=runs, sensitivity=found))
    assert "y depends most on a (" in section.lead
    assert "z depends most on c (" in section.lead
    figures = [block for block in section.blocks if isinstance(block, Figure)]
    assert len(figures) == (5 if method == "morris" else 3)
    assert any("y [N]" in figure.caption for figure in figures)
    pd.testing.assert_frame_equal(figures[1].table.frame.sort_index(), found.loc["y"].sort_index(), check_names=False)


def test_the_section_tells_notes_and_pairs_and_is_absent_if_nothing_was_asked(indices):
    runs = sg.run(model, sg.sobol(SPACE, 4, rng=0), n_jobs=0)
    assert sensitivity_section(Asked(runs=runs)) is None
    noted = indices.copy()
    noted.attrs = indices.attrs | {"note": "3 of 9 runs failed"}
    section = sensitivity_section(Asked(runs=runs, sensitivity=noted))
    assert Text("Note: 3 of 9 runs failed.") in section.blocks
    pairs = next(b for b in section.blocks if isinstance(b, Table))
    assert "y x a x b" in pairs.frame.index
