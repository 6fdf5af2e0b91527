"""What each finder promises beyond the conformance suite: optima by trying all, folds by hand, partitions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.tree import DecisionTreeClassifier

import surrogate as sg
from surrogate.boxes.best_interval import depths
from surrogate.boxes.folds import stratified_folds
from surrogate.boxes.labels import Labels
from surrogate.boxes.prim import ALPHAS
from surrogate.boxes.quality import dominates


def accuracy(box, x, y):
    return sg.box_quality(box, x, y)["wracc"]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(6, 40), st.booleans(), st.integers(1, 6))
def test_the_interval_is_the_best_of_all(seed, n, soft, least):
    rng = np.random.default_rng(seed)
    x = rng.random((n, 1)).round(1)
    y = rng.random(n) if soft else rng.random(n) < 0.4
    if np.ptp(y.astype(float)) == 0:
        return
    found = sg.BestInterval(depth=1, min_support=least).fit(x, y)
    values = np.unique(x)
    all_gains = [
        (y - y.mean())[inside].sum() / n
        for low, high in itertools.combinations_with_replacement(values, 2)
        if (inside := (x[:, 0] >= low) & (x[:, 0] <= high)).sum() >= least
    ]
    assert_allclose(accuracy(found.boxes_[-1], x, y), max(0.0, *all_gains), atol=1e-12)
    assert found.trajectory_["n_inside"].min() >= least


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(10, 60))
def test_the_categories_are_the_best_of_all(seed, n):
    rng = np.random.default_rng(seed)
    x = pd.DataFrame({"kind": rng.choice(list("abcde"), n)})
    y = rng.random(n) < rng.random(5)[x["kind"].map(dict(zip("abcde", range(5)))).to_numpy()]
    if y.all() or not y.any():
        return
    found = sg.BestInterval(depth=1, min_support=1).fit(x, y)
    kinds = sorted(set(x["kind"]))
    subsets = itertools.chain.from_iterable(itertools.combinations(kinds, k) for k in range(1, len(kinds) + 1))
    best = max((y - y.mean())[x["kind"].isin(subset)].sum() / n for subset in subsets)
    assert_allclose(accuracy(found.boxes_[-1], x, y), best, atol=1e-12)


def test_refinements_rise_and_stop_where_no_single_one_helps():
    rng = np.random.default_rng(5)
    x = rng.random((300, 4))
    y = (x[:, 0] > 0.3) & (x[:, 1] < 0.7) & (rng.random(300) < 0.8)
    found = sg.BestInterval(depth="all").fit(x, y)
    gains = [accuracy(box, x, y) for box in found.boxes_]
    assert (np.diff(gains) > 0).all()
    last = found.boxes_[-1]
    for j in range(4):  # any interval of one input in place of what the box has there
        rest = sg.Box({k: v for k, v in last.limits.items() if k != f"x{j}"}).contains(x)
        gain = np.where(rest, y - y.mean(), 0)[np.argsort(x[:, j])]
        sums = np.concatenate([[0], np.cumsum(gain)])
        best = max(sums[b] - sums[: b + 1].min() for b in range(len(sums))) / 300
        assert best <= gains[-1] + 1e-12


def test_a_wider_beam_is_never_worse_and_depth_is_kept():
    rng = np.random.default_rng(8)
    for _ in range(10):
        x = rng.random((150, 6))
        y = rng.random(150) < 0.2 + 0.5 * ((x[:, :3] > 0.4).sum(axis=1) == 2)
        narrow, wide = (sg.BestInterval(depth="all", beam=beam).fit(x, y).boxes_[-1] for beam in (1, 10))
        assert accuracy(wide, x, y) >= accuracy(narrow, x, y) - 1e-12
        assert max(len(box.limits) for box in sg.BestInterval(depth=2, beam=5).fit(x, y).boxes_) <= 2
    assert depths(12) == [12, 10, 8, 6, 4, 2]
    assert depths(3) == [3, 2, 1]
    assert depths(20) == [20, 16, 12, 8, 4]


def test_depth_is_chosen_on_rows_held_out():
    rng = np.random.default_rng(9)
    x = rng.random((160, 7))
    y = (x[:, 0] > 0.4) ^ (rng.random(160) < 0.3)
    found = sg.BestInterval(min_support=5, rng=4).fit(x, y)
    labels = Labels.of(y, 160)
    expected = {}
    folds = stratified_folds(labels, 5, np.random.default_rng(4))
    for depth in depths(7):
        scores = []
        for out in folds:
            box = sg.BestInterval(depth=depth, min_support=5).fit(x[~out], y[~out]).boxes_[-1]
            scores.append(accuracy(box, x[out], y[out]))
        expected[depth] = np.mean(scores)
    assert_allclose(found.depth_scores_[list(expected)], list(expected.values()), atol=1e-9)
    assert found.depth_ == min(d for d, s in expected.items() if s >= max(expected.values()) - 1e-9)


def test_alpha_is_chosen_on_rows_held_out():
    rng = np.random.default_rng(10)
    x = rng.random((150, 4))
    y = (x[:, 0] > 0.5) ^ (rng.random(150) < 0.2)
    found = sg.Prim(alpha="cv", min_support=10, rng=6).fit(x, y)
    folds = stratified_folds(Labels.of(y, 150), 5, np.random.default_rng(6))
    expected = []
    for alpha in ALPHAS:
        areas = []
        for out in folds:
            boxes = sg.Prim(alpha=alpha, min_support=10).fit(x[~out], y[~out]).boxes_
            areas.append(sg.trajectory_quality(boxes, x[out], y[out]))
        expected.append(np.mean(areas))
    assert_allclose(found.alpha_scores_, expected, atol=1e-9)
    assert found.alpha_ == ALPHAS[int(np.argmax(expected))]
    one = sg.Prim(alpha=found.alpha_, min_support=10).fit(x, y)
    assert one.boxes_ == found.boxes_


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 80), st.integers(2, 6), st.booleans())
def test_folds_are_a_partition_with_equal_shares(seed, n, k, soft):
    rng = np.random.default_rng(seed)
    y = rng.random(n) if soft else (rng.random(n) < 0.3).astype(float)
    weight = (rng.random(n) < 0.8).astype(float)
    if not weight.any() or np.ptp(y[weight > 0]) == 0:
        return
    labels = Labels.of(y, n, weight)
    folds = stratified_folds(labels, k, rng)
    assert_array_equal(np.sum(folds, axis=0), weight > 0)
    sizes = [fold.sum() for fold in folds]
    assert max(sizes) - min(sizes) <= 1
    if not soft:
        counts = [y[fold].sum() for fold in folds]
        assert max(counts) - min(counts) <= 1


def test_no_box_of_the_bumped_is_beaten_by_another():
    rng = np.random.default_rng(12)
    x = rng.random((300, 5))
    y = (x[:, 0] > 0.4) & (x[:, 1] > 0.3) & (rng.random(300) < 0.8)
    bumped = sg.BumpedPrim(n_repeats=20).fit(x, y)
    rows = bumped.trajectory_.to_dict("records")[1:]  # but the whole space, which is always there
    assert len(rows) > 5
    assert not any(dominates(one, other) for one, other in itertools.permutations(rows, 2))
    assert (np.diff([row["coverage"] for row in rows]) < 0).all()
    few = sg.BumpedPrim(n_repeats=20, n_inputs=1).fit(x, y)
    assert {len(box.limits) for box in few.boxes_[1:]} == {1}
    # Draws differ: one of them seldom has the best of all boxes.
    single = sg.BumpedPrim(n_repeats=1).fit(x, y).trajectory_[1:]
    better = [any(dominates(one, other) for one in rows) for other in single.to_dict("records")]
    assert np.mean(better) > 0.5


def test_leaves_are_a_partition_and_those_of_the_tree():
    rng = np.random.default_rng(13)
    x = rng.random((400, 3))
    x[:, 2] = 1 + 1e-9 * x[:, 2]  # told apart by 64-bit numbers only
    y = (x[:, 0] > 0.4) & (x[:, 2] > 1 + 5e-10)
    found = sg.CartBoxes(min_support=30).fit(x, y)
    inside = np.array([box.contains(x) for box in found.leaves_])
    assert (inside.sum(axis=0) == 1).all()
    assert_array_equal(inside.sum(axis=1), found.leaf_table_["n_inside"])
    assert found.leaf_table_["density"].is_monotonic_decreasing
    assert_allclose(found.leaf_table_["coverage"].sum(), 1)
    assert {"x0", "x2"} == set(found.best_.limits)
    ranks = np.argsort(np.argsort(x, axis=0), axis=0)
    tree = DecisionTreeClassifier(min_samples_leaf=30, random_state=0).fit(ranks, y)
    theirs = np.bincount(tree.apply(ranks))
    assert sorted(theirs[theirs > 0]) == sorted(inside.sum(axis=1))
    assert len(sg.CartBoxes(max_leaves=2).fit(x, y).leaves_) == 2
    for narrow, wide in zip(found.boxes_[1:], found.boxes_):  # nested
        assert (narrow.contains(x) <= wide.contains(x)).all()


def test_a_sideless_trajectory_of_the_original_objective_ends_at_its_densest_box():
    rng = np.random.default_rng(14)
    x = rng.random((400, 3))
    y = (x[:, 0] > 0.5) ^ (rng.random(400) < 0.3)
    t = sg.Prim(objective="original", paste=False).fit(x, y).trajectory_
    assert t["density"].argmax() == len(t) - 1
    assert (t["density"].diff() < 0).any()  # it peels on where density falls


def test_quasi_p_of_the_best_box_by_hand():
    x = np.arange(40.0)[:, None]
    y = (x[:, 0] >= 20) & (x[:, 0] != 30)
    prim = sg.Prim(alpha=0.5, min_support=5, paste=False).fit(x, y)
    box = prim.boxes_[1]
    assert box.limits == {"x0": (19.5, math.inf)}
    # Twenty runs inside, 19 of interest; without the limit 19 of 40: P(Binomial(20, 19/40) >= 19), by hand.
    p = 19 / 40
    expected = 20 * p**19 * (1 - p) + p**20
    table = prim.quasi_p(1)
    assert_allclose(table.loc["x0", "low"], expected, rtol=1e-9)
    assert np.isnan(table.loc["x0", "high"])
    assert prim.quasi_p(0).empty
    assert prim.quasi_p().index.tolist() == list(prim.best_.limits)


@pytest.mark.parametrize(
    ("finder", "message"),
    [
        (sg.Prim(alpha="auto"), "alpha must be a number between 0 and 1, or 'cv', got 'auto'"),
        (sg.Prim(paste_alpha=0), "paste_alpha must lie between 0 and 1, got 0"),
        (sg.BestInterval(depth=0), "depth must be at least 1, got 0"),
        (sg.BestInterval(depth="deep"), "depth must be a number, 'all' or None, got 'deep'"),
        (sg.BestInterval(beam=0), "beam must be at least 1, got 0"),
        (sg.BumpedPrim(n_repeats=0), "n_repeats must be at least 1, got 0"),
        (sg.BumpedPrim(n_inputs=0), "n_inputs must be at least 1, got 0"),
        (sg.BumpedPrim(n_inputs="all"), "n_inputs must be a number, 'cv' or None, got 'all'"),
        (sg.BumpedPrim(objective="best"), "objective must be one of original, lenient1, lenient2"),
        (sg.CartBoxes(max_leaves=1), "max_leaves must be at least 2, got 1"),
    ],
)
def test_parameters_are_checked(finder, message):
    x = np.arange(50.0)[:, None]
    with pytest.raises(ValueError, match=message):
        finder.fit(x, x[:, 0] > 25)


def test_an_interval_or_categories_that_hold_too_few_rows_are_widened():
    rng = np.random.default_rng(0)
    x = pd.DataFrame({"a": rng.random(400), "b": rng.random(400), "kind": rng.choice(list("uvwxyz"), 400)})
    found = sg.BestInterval(min_support=20).fit(x, x["a"] > 0.97)
    assert found.best_.restricted == ("a",)
    assert found.best_.contains(x).sum() == 20
    rare = (x["kind"] == "u") & (np.arange(400) < 60)
    kinds = sg.BestInterval(depth=1, min_support=100).fit(x[["kind"]], rare)
    assert "u" in kinds.best_.limits["kind"]
    assert 100 <= kinds.best_.contains(x).sum() < 200


def test_all_categories_are_no_limit_where_values_are_missing():
    rng = np.random.default_rng(0)
    kind = rng.choice(["u", "v"], 600).astype(object)
    kind[rng.random(600) < 0.4] = None
    b = rng.random(600)
    y = rng.random(600) < np.where(pd.notna(kind), 0.8, 0.05) * np.where(b > 0.3, 1, 0.3)
    found = sg.BestInterval(missing="outside", depth=1).fit(pd.DataFrame({"kind": kind, "b": b}), y)
    assert [box.restricted for box in found.boxes_] == [(), ("b",)]


def test_leaves_hold_what_was_asked_for_be_it_more_than_half():
    x = np.random.default_rng(0).random((200, 1))
    y = x[:, 0] > np.median(x)
    assert len(sg.CartBoxes(min_support=100).fit(x, y).leaves_) == 2
    assert len(sg.CartBoxes(min_support=101).fit(x, y).leaves_) == 1


@pytest.mark.parametrize("finder", [sg.Prim(missing="outside"), sg.BestInterval(missing="outside")])
def test_an_input_without_any_value_limits_nothing(finder):
    y = np.arange(200) < 60
    assert finder.fit(pd.DataFrame({"n": np.full(200, np.nan)}), y).best_ == sg.Box({})


@pytest.mark.parametrize("missing", [pd.NA, None, np.nan])
def test_numbers_kept_as_objects_are_numbers_whatever_stands_for_a_missing_one(missing):
    a = np.random.default_rng(0).random(300)
    kept = pd.DataFrame({"a": pd.Series([missing if i % 10 == 0 else v for i, v in enumerate(a)], dtype=object)})
    box = sg.Prim(missing="outside").fit(kept, a > 0.6).best_
    assert isinstance(box.limits["a"], tuple)
    assert_array_equal(box.contains(kept), (a >= box.limits["a"][0]) & (np.arange(300) % 10 > 0))


def test_columns_that_cannot_be_told_apart_or_are_no_numbers_are_refused():
    x = np.random.default_rng(0).random((300, 2))
    for names in (["a", "a"], [1, "1"]):
        with pytest.raises(ValueError, match=r"2 columns are called '[a1]'"):
            sg.Prim().fit(pd.DataFrame(x, columns=names), x[:, 0] > 0.5)
    with pytest.raises(ValueError, match=r"'day' holds datetime64.*give numbers, e.g. days"):
        sg.Prim().fit(pd.DataFrame({"day": pd.date_range("2020-01-01", periods=300)}), x[:, 0] > 0.5)
