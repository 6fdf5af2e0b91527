"""BinnedTree: against scikit-learn's exact trees, hand-made refinements, and with and without compiled code."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

import surrogate as sg
from surrogate.rules import kernels
from surrogate.rules.tree import _binned, _cuts, _Grower, _Labels


@parametrize_with_checks([sg.BinnedTree(), sg.BinnedTree(max_leaf_nodes=6, n_refine=2)])
def test_is_a_classifier(estimator, check):
    check(estimator)


@pytest.mark.parametrize("load", [load_iris, load_digits])
@pytest.mark.parametrize("leaves", [2, 5, 12])
def test_finds_the_splits_of_an_exact_tree(load, leaves):
    """Columns with fewer values than bins are cut exactly, so that Gini, best leaf first, is scikit-learn's tree."""
    X, y = load(return_X_y=True)
    ours = sg.BinnedTree(leaves, max_bins=256).fit(X, y)
    exact = DecisionTreeClassifier(max_leaf_nodes=leaves, random_state=0).fit(X, y)
    theirs = exact.tree_
    impurity = [
        sum(v.sum() * (1 - ((v / v.sum()) ** 2).sum()) for v in values)
        for values in (
            ours.nodes_.value[ours.nodes_.leaves],
            theirs.value[theirs.feature < 0][:, 0] * theirs.weighted_n_node_samples[theirs.feature < 0, None],
        )
    ]
    assert ours.n_leaves_ <= leaves  # fewer where all are pure
    assert_allclose(*impurity, rtol=1e-9)


def test_unlimited_tree_learns_its_rows_by_heart():
    X, y = load_digits(return_X_y=True)
    tree = sg.BinnedTree().fit(X, y)
    assert tree.score(X, y) == 1.0
    assert (tree.nodes_.value[tree.nodes_.leaves] > 0).sum(axis=1).max() == 1


def test_hard_labels_are_soft_labels_of_0_and_1():
    X, y = load_digits(return_X_y=True)
    hard = sg.BinnedTree(40).fit(X, y)
    soft = sg.BinnedTree(40).fit(X, np.eye(10)[y], classes=np.arange(10))
    assert_array_equal(hard.nodes_.feature, soft.nodes_.feature)
    assert_allclose(hard.predict_proba(X), soft.predict_proba(X))


def test_soft_labels_are_those_of_weighted_copies():
    rng = np.random.default_rng(0)
    X, p = rng.random((300, 3)), rng.dirichlet([1, 1, 1], 300)
    soft = sg.BinnedTree(10).fit(X, p, classes=["a", "b", "c"])
    copies = sg.BinnedTree(10).fit(np.repeat(X, 3, axis=0), np.tile(["a", "b", "c"], 300), sample_weight=p.ravel())
    assert_array_equal(soft.nodes_.feature, copies.nodes_.feature)
    assert_allclose(soft.predict_proba(X), copies.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("leaves", [4, 10, 30])
@pytest.mark.parametrize("load", [load_digits, load_breast_cancer])
def test_refinement_answers_no_fewer_rows_right_within_the_same_size(load, leaves):
    X, y = load(return_X_y=True)
    scores = [sg.BinnedTree(leaves, n_refine=rounds).fit(X, y).score(X, y) for rounds in (0, 1, 4)]
    assert scores[0] <= min(scores[1:]) + 1e-12
    if load is load_digits:
        assert scores[0] < scores[2] - 0.005
    assert sg.BinnedTree(leaves, n_refine=4).fit(X, y).n_leaves_ <= leaves


def test_alternating_repairs_tests_that_are_wrong():
    """A tree of the right shape with wrong cuts and a wrong column: each is replaced by the best one, bottom up."""
    rng = np.random.default_rng(0)
    X = rng.random((4000, 3))
    y = np.select([X[:, 0] <= 0.6, X[:, 1] <= 0.25], [0, 1], 2)
    labels = _Labels(np.ones(4000), None, y, 3)
    edges = [_cuts(X[:, j], 256) for j in range(3)]
    tree = _Grower(_binned(X, edges), labels, sg.BinnedTree())
    # Root: x0 <= 0.3 -> leaf, else x2 <= 0.5 -> leaf | leaf; the leaves' answers are set to 0, 1, 2.
    for _ in range(4):
        tree._add(np.zeros(3), 1)
    tree.level[3:] = [2, 2]
    tree.feature[0], tree.cut[0], tree.left[0], tree.right[0] = 0, int(np.searchsorted(edges[0], 0.3)), 1, 2
    tree.feature[2], tree.cut[2], tree.left[2], tree.right[2] = 2, int(np.searchsorted(edges[2], 0.5)), 3, 4
    tree.value = [np.eye(3)[c] for c in (0, 0, 0, 1, 2)]
    for _ in range(2):
        tree.alternate()
    nodes = tree.nodes(edges)
    assert nodes.feature[[0, 2]].tolist() == [0, 1]
    assert_allclose(nodes.threshold[[0, 2]], [0.6, 0.25], atol=1 / 128)


def test_pruning_keeps_the_branches_that_answer_most_rows():
    """x decides 1,000 rows and z only 10: with two leaves the split on x must be left."""
    x = np.repeat([0.0, 1.0], 500)
    z = np.zeros(1000)
    z[:10] = 1.0
    y = (x > 0.5).astype(int)
    y[:10] = 1
    X = np.column_stack([z, x])
    tree = sg.BinnedTree(2, n_refine=1).fit(X, y)
    assert tree.nodes_.feature[0] == 1
    assert tree.score(X, y) == 0.99


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.float32, np.float64])
def test_bins_agree_with_the_thresholds_that_are_kept(dtype):
    X = (np.random.default_rng(0).gamma(1.0, 40.0, (3000, 4)) % 250).astype(dtype)
    edges = [_cuts(X[:, j], 16) for j in range(4)]
    bins = _binned(X, edges)
    for j in range(4):
        assert len(edges[j]) <= 15
        for b, threshold in enumerate(edges[j]):
            assert_array_equal(bins[:, j] <= b, X[:, j] <= threshold)
        counts = np.bincount(bins[:, j])
        assert counts.max() < 4 * len(X) / 16  # bins hold about as many rows each


def test_neighbouring_floats_are_told_apart():
    low = 1.0
    X = np.array([[low], [np.nextafter(low, 2)]] * 5)
    assert sg.BinnedTree().fit(X, [0, 1] * 5).score(X, [0, 1] * 5) == 1.0


def test_bounds_are_kept():
    X, y = load_digits(return_X_y=True)
    assert sg.BinnedTree(max_depth=3).fit(X, y).nodes_.depth.max() == 3
    tree = sg.BinnedTree(min_samples_leaf=25).fit(X, y)
    assert tree.nodes_.value[tree.nodes_.leaves].sum(axis=1).min() >= 25
    assert sg.BinnedTree(1).fit(X, y).n_leaves_ == 1


@pytest.mark.skipif(not kernels.COMPILED, reason="numba is not installed: there is only one implementation")
def test_numpy_counts_what_compiled_code_counts():
    rng = np.random.default_rng(0)
    n, d, n_bins, k = 5000, 6, 9, 3
    bins = rng.integers(0, n_bins, (n, d)).astype(np.uint8)
    rows, y, weight = rng.permutation(n)[:4500], rng.integers(0, k, n), rng.random(n)
    p = rng.dirichlet(np.ones(k), n).astype(np.float32)
    compiled = kernels.class_histogram(bins, rows, y, weight, n_bins, k)
    assert_allclose(kernels._class_histogram(bins, rows, y, weight, n_bins, k), compiled)
    assert_allclose(kernels._soft_histogram(bins, rows, p, n_bins), kernels.soft_histogram(bins, rows, p, n_bins))
    sign = rng.normal(size=len(rows))
    signs = kernels.sign_histogram(bins, rows, sign, n_bins)
    assert_allclose(kernels._sign_histogram(bins, rows, sign, n_bins), signs, atol=1e-9)
    for least in (1, 200, 2000):
        slow, fast = kernels._best_split(compiled, least), kernels.best_split(compiled, least)
        assert slow[1:] == fast[1:]
        assert_allclose(slow[0], fast[0])
    nodes = sg.BinnedTree(20).fit(bins, y).nodes_
    cut = np.floor(nodes.threshold).astype(np.int64)
    start = np.zeros(len(rows), dtype=np.int64)
    arrays = (bins, rows, start, nodes.feature, cut, nodes.left, nodes.right)
    assert_array_equal(kernels._descend(*arrays), kernels.descend(*arrays))


def test_without_numba_the_tree_is_the_same(monkeypatch):
    X, y = load_digits(return_X_y=True)
    fast = sg.BinnedTree(20, n_refine=2).fit(X, y)
    for name in ("class_histogram", "soft_histogram", "sign_histogram", "best_split", "descend"):
        monkeypatch.setattr(kernels, name, getattr(kernels, f"_{name}"))
    slow = sg.BinnedTree(20, n_refine=2).fit(X, y)
    assert_array_equal(fast.nodes_.feature, slow.nodes_.feature)
    assert_allclose(fast.nodes_.threshold, slow.nodes_.threshold)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_leaf_nodes": 0}, "max_leaf_nodes must be at least 1"),
        ({"max_bins": 1000}, "max_bins must lie between 2 and 256"),
        ({"max_depth": -1}, "max_depth must not be negative"),
        ({"min_samples_leaf": 0}, "min_samples_leaf must be positive"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        sg.BinnedTree(**options).fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(ValueError, match="classes must name them"):
        sg.BinnedTree().fit([[0.0], [1.0]], [[0.5, 0.5], [1, 0]])
