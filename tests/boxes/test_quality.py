"""Quality measures by hand, intervals by repeated experiments, and what resampling tells."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import surrogate as sg
from surrogate.boxes.choice import PENALTY, choose_supported, supported_accuracy
from surrogate.boxes.quality import dominates, precision_recall_area

INF = math.inf
SPACE = sg.Space(
    x=sg.Real(0, 2),
    rate=sg.Real(1, 100, log=True),
    n=sg.Integer(1, 4),
    kind=sg.Categorical(["u", "v", "w"]),
    gust=sg.Real.distributed(scipy.stats.norm(0, 1)),
)


def test_area_of_a_perfect_and_of_a_useless_trajectory():
    # Perfect at once: density 1 down from coverage 1, so 1 minus the share of interest.
    assert_allclose(precision_recall_area([1, 1], [0.3, 1.0]), 0.7)
    # Density stays: nothing found.
    assert_allclose(precision_recall_area([1, 0.6, 0.2], [0.3, 0.3, 0.3]), 0)
    # Two trapezoids, the last density down to 0, by hand: (.1+.3)/2*.5 + (.3+.9)/2*.3 + .2*.9 - .1.
    assert_allclose(precision_recall_area([1, 0.5, 0.2], [0.1, 0.3, 0.9]), 0.1 + 0.18 + 0.18 - 0.1)
    # A box that holds nothing of interest is as if it were not there.
    assert_allclose(precision_recall_area([1, 0.5, 0.2, 0], [0.1, 0.3, 0.9, 0]), 0.36)
    # Pasting goes back: what was counted is taken off again.
    assert_allclose(precision_recall_area([1, 0.2, 0.4], [0.1, 0.9, 0.9]), 0.4 + 0.36 - 0.18 - 0.1)


def test_trajectory_quality_counts_on_the_runs_it_is_given():
    x = np.arange(10.0)[:, None]
    boxes = [sg.Box({}), sg.Box({"x0": (5.0, INF)})]
    assert_allclose(sg.trajectory_quality(boxes, x, x[:, 0] >= 5), 0.5)
    assert_allclose(sg.trajectory_quality(boxes, x, x[:, 0] >= 5, sample_weight=np.ones(10)), 0.5)
    with pytest.raises(ValueError, match="must be the whole space"):
        sg.trajectory_quality(boxes[1:], x, x[:, 0] >= 5)
    with pytest.raises(ValueError, match="none of the 10 runs is of interest"):
        sg.trajectory_quality(boxes, x, np.zeros(10))
    with pytest.raises(ValueError, match=r"shape \(10,\)"):
        sg.box_quality(boxes[1], x, np.zeros(9))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_box_quality_by_its_definitions(seed, weighted):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(5, 60))
    x, y = rng.random((n, 2)), rng.random(n)
    w = rng.integers(0, 4, n).astype(float) if weighted else None
    if w is not None and not w.any():
        return
    box = sg.Box({"x1": (0.3, INF)})
    found = sg.box_quality(box, x, y, sample_weight=w)
    w = np.ones(n) if w is None else w
    inside = x[:, 1] >= 0.3
    assert_allclose(found["coverage"], (w * y)[inside].sum() / (w * y).sum())
    assert_allclose(found["mass"], w[inside].sum() / w.sum())
    if w[inside].any():
        assert_allclose(found["density"], np.average(y[inside], weights=w[inside]))
        assert_allclose(found["wracc"], (w * (y - np.average(y, weights=w)))[inside].sum() / w.sum(), atol=1e-12)
        assert_allclose(found["lift"], found["density"] / np.average(y, weights=w))


def test_dominance():
    one, other = {"coverage": 0.5, "density": 0.9}, {"coverage": 0.5, "density": 0.8}
    assert dominates(one, other)
    assert not dominates(other, one)
    assert not dominates(one, one)
    assert not dominates({"coverage": 0.6, "density": 0.7}, one)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({"x": (0.0, 1.0)}, {"x": (0.5, INF)}, 0.25),
        ({"x": (0.0, 1.0)}, {}, 0.5),
        ({"x": (0.0, 1.0)}, {"x": (1.0, 2.0)}, 0.0),
        ({"rate": (1.0, 10.0)}, {}, 0.5),  # half of the logarithms
        ({"n": (2.0, 3.0)}, {"n": (3.0, INF)}, 1 / 3),
        ({"kind": {"u"}}, {"kind": {"u", "v"}}, 0.5),
        ({"kind": {"u"}}, {"kind": {"w"}}, 0.0),
        ({"gust": (0.0, INF)}, {"gust": (-INF, 0.0)}, 0.0),
        ({"gust": (0.0, INF)}, {"gust": (-1.0, INF)}, 0.5 / scipy.stats.norm.cdf(1)),
        ({"x": (0.0, 1.0)}, {"kind": {"u"}}, (1 / 6) / (1 / 2 + 1 / 3 - 1 / 6)),
    ],
)
def test_consistency_is_the_shared_part_of_the_volume(one, other, expected):
    one, other = sg.Box(one), sg.Box(other)
    assert_allclose(sg.consistency([one, other], SPACE), expected, atol=1e-12)
    assert_allclose(sg.consistency([one, other, one], SPACE), (1 + 2 * expected) / 3)
    # The same by counting points.
    points = SPACE.from_unit(scipy.stats.qmc.Sobol(SPACE.d, rng=0).random(2**13))
    a, b = one.contains(points), other.contains(points)
    assert_allclose((a & b).sum() / (a | b).sum(), expected, atol=0.02)


def test_consistency_knows_intervals_of_ordered_values():
    space = sg.Space(n=sg.Ordinal([1, 2, 4, 8]))
    low, high = sg.Box({"n": (1, 2)}), sg.Box({"n": (4, 8)})
    assert sg.consistency([low, high], space) == 0
    assert_allclose(sg.consistency([low, sg.Box({"n": (2, INF)})], space), 1 / 4)
    assert_allclose(sg.consistency([low, sg.Box({"n": {2, 8}})], space), 1 / 3)


def test_consistency_needs_two():
    with pytest.raises(ValueError, match="two boxes or more, got 1"):
        sg.consistency([sg.Box({})], SPACE)


def test_interpretability_counts_what_is_read_for_nothing():
    box = sg.Box({"a": (0, 1), "b": (0, 1)})
    assert sg.interpretability(box) == {"n_restricted": 2}
    assert sg.interpretability(box, influential=["a", "c"]) == {"n_restricted": 2, "n_irrelevant": 1}


def test_the_choice_weighs_accuracy_against_restrictions():
    trajectory = pd.DataFrame(
        {"mass": [1, 0.5, 0.4], "density": [0.2, 0.4, 0.5], "n_restricted": [0, 1, 3], "coverage": [1, 1, 1.0]}
    )
    # Accuracies 0.1 and 0.12; three inputs are supported when 2 PENALTY sqrt(0.16 / n) < 0.02, n > 100 by hand.
    assert PENALTY == 0.25
    assert choose_supported(trajectory, 99) == 1
    assert choose_supported(trajectory, 101) == 2
    assert_allclose(supported_accuracy(trajectory, 100), [0, 0.09, 0.09])
    equal = trajectory.assign(density=[0.2, 0.2, 0.2])
    assert choose_supported(equal, 100) == 0


def noisy(rng, n, d=8):
    x = rng.random((n, d))
    p = 0.1 + 0.6 * ((x[:, 0] > 0.5) & (x[:, 1] < 0.6))
    return x, rng.random(n) < p


def test_the_choice_restricts_less_and_is_no_worse_on_new_runs():
    rng = np.random.default_rng(2)
    new_x, new_y = noisy(rng, 20_000)
    restricted, gain = {"supported": 0, "simplified": 0, "accurate": 0}, {"supported": [], "simplified": []}
    for _ in range(25):
        prim = sg.Prim().fit(*noisy(rng, 250))
        t = prim.trajectory_
        accurate = prim.boxes_[int((t["mass"] * (t["density"] - t["density"].iloc[0])).argmax())]
        reference = sg.box_quality(accurate, new_x, new_y)["wracc"]
        restricted["accurate"] += len(accurate.limits)
        for name, box in (("supported", prim.best_), ("simplified", prim.simplified())):
            restricted[name] += len(box.limits)
            gain[name].append(sg.box_quality(box, new_x, new_y)["wracc"] - reference)
    assert restricted["simplified"] < restricted["supported"] < restricted["accurate"]
    assert restricted["simplified"] / 25 < 2.5  # two inputs matter
    for gains in gain.values():
        assert np.mean(gains) > 0


def test_simplified_starts_from_one_box_or_all():
    rng = np.random.default_rng(4)
    prim = sg.Prim().fit(*noisy(rng, 400))
    last = len(prim.boxes_) - 1
    simple = prim.simplified(last)
    assert set(simple.limits) <= set(prim.boxes_[last].limits)
    assert all(simple.limits[name] == prim.boxes_[last].limits[name] for name in simple.limits)
    few = prim.simplified(last, n_runs=20)
    assert set(few.limits) < set(prim.boxes_[last].limits)
    assert prim.simplified(last, n_runs=1e12).limits.keys() >= simple.limits.keys()


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(0)
    box = sg.Box({"x0": (0.5, INF), "x1": (-INF, 0.6)})
    # By hand: mass 0.3, density 0.7, of interest 0.1 + 0.6 * 0.3 = 0.28, coverage 0.21 / 0.28.
    truth = {"coverage": 0.75, "density": 0.7, "mass": 0.3}
    hits = dict.fromkeys(truth, 0)
    for _ in range(400):
        table = sg.quality_intervals(box, *noisy(rng, 150), level=0.9)
        for name, value in truth.items():
            hits[name] += table.loc[name, "low"] <= value <= table.loc[name, "high"]
    for name, count in hits.items():
        assert 0.86 < count / 400 < 0.95, name


def test_an_interval_of_a_perfect_box_is_not_a_point_and_weights_count():
    x = np.arange(40.0)[:, None]
    y = x[:, 0] >= 20
    table = sg.quality_intervals(sg.Box({"x0": (20.0, INF)}), x, y)
    assert table.loc["density", "value"] == table.loc["density", "high"] == 1
    assert 0.85 < table.loc["density", "low"] < 0.95
    # Forty equal weights tell as much as forty runs, whatever their unit; unequal ones tell less.
    box = sg.Box({"x0": (15.0, INF)})
    plain = sg.quality_intervals(box, x, y)
    pd.testing.assert_frame_equal(sg.quality_intervals(box, x, y, sample_weight=np.full(40, 7.0)), plain)
    uneven = sg.quality_intervals(box, x, y, sample_weight=np.where(np.arange(40) % 2, 1.9, 0.1))
    assert (uneven["high"] - uneven["low"]).loc["density"] > (plain["high"] - plain["low"]).loc["density"]
    with pytest.raises(ValueError, match="level must lie between 0 and 1"):
        sg.quality_intervals(box, x, y, level=95)


def test_held_out_quality_is_not_flattered_by_the_search():
    rng = np.random.default_rng(1)
    tables = []
    for _ in range(8):
        x, y = rng.random((150, 8)), rng.random(150) < 0.3  # nothing to find
        table = sg.held_out_quality(sg.Prim(), x, y)
        assert (table["low"] <= table["held_out"]).all()
        assert (table["held_out"] <= table["high"]).all()
        tables.append(table - [y.mean(), y.mean(), 0, 0])
    mean = sum(tables) / len(tables)
    assert mean.loc["density", "found"] > 0.08
    assert abs(mean.loc["density", "held_out"]) < 0.05


def test_parts_of_the_runs_that_are_too_small_are_told_as_parts():
    x, y = noisy(np.random.default_rng(0), 30)
    prim = sg.Prim().fit(x, y)
    words = "in draw 1 of 20 there are 15 of 30 runs, fewer than min_support=20; ask for a larger share than 0.5"
    with pytest.raises(ValueError, match=words):
        sg.resample(prim, x, y)
    words = "without fold 1 of 2 there are 15 of 30 runs, fewer than min_support=20; ask for a larger n_folds than 2"
    with pytest.raises(ValueError, match=words):
        sg.held_out_quality(prim, x, y, n_folds=2)
    with pytest.raises(ValueError, match=r"without fold \d of 5 all runs are alike: .* make more runs of either kind"):
        sg.held_out_quality(prim, x, np.arange(30) == 3)
    with pytest.raises(ValueError, match="n_folds must be at least 2, got 1"):
        sg.held_out_quality(prim, x, y, n_folds=1)


def test_resampling_tells_inputs_that_matter_from_others():
    rng = np.random.default_rng(3)
    x, y = noisy(rng, 500)
    prim = sg.Prim().fit(x, y)
    before = [box.to_dict() for box in prim.boxes_]
    told = sg.resample(prim, x, y, n=15)
    assert [box.to_dict() for box in prim.boxes_] == before
    frequencies = told.frequencies["coverage"]
    assert frequencies[["x0", "x1"]].min() > 0.85
    assert frequencies.drop(["x0", "x1"]).max() < 0.7
    assert len(told.boxes) == 15
    for (name, side), row in told.limits.iterrows():
        assert row["limit"] == prim.best_.limits[name][side == "high"]
        assert not row["from"] > row["to"]
    low = told.limits.loc[("x0", "low")]
    assert low["from"] <= 0.5 <= low["to"]
    assert low["share"] > 0.85
    again = sg.resample(prim, pd.DataFrame(x, columns=[f"x{j}" for j in range(8)]), y, n=15)
    pd.testing.assert_frame_equal(again.frequencies, told.frequencies)
    with pytest.raises(ValueError, match="share must lie between 0 and 1"):
        sg.resample(prim, x, y, share=1.0)


def test_an_output_is_not_taken_for_labels():
    x = np.linspace(0, 1, 11)[:, None]
    for wrong in (10 * x[:, 0], np.full(11, np.nan)):
        with pytest.raises(ValueError, match="of_interest must be true or false, or a probability"):
            sg.box_quality(sg.Box({"x0": (0.0, 0.5)}), x, wrong)
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        sg.resample(sg.Prim(min_support=2).fit(x, x[:, 0] > 0.5), x, x[:, 0] > 0.5, n=0)
