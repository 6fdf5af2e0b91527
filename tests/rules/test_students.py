"""Trepan, Alpa, and how a student's truth and length are measured."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

import surrogate as sg


@parametrize_with_checks(
    [sg.Trepan(max_nodes=10, min_sample=50), sg.Alpa(GaussianNB(), DecisionTreeClassifier(random_state=0))]
)
def test_is_a_classifier(estimator, check):
    check(estimator)


def numbers(n=600, d=5, seed=0):
    return pd.DataFrame(np.random.default_rng(seed).random((n, d)), columns=list("abcde")[:d])


def majority(X):
    """Two of three inputs are high: what m-of-n tests are made for, and a plain tree needs 5 leaves for."""
    return np.where((X[["a", "b", "c"]] > 0.5).sum(axis=1) >= 2, "yes", "no")


def test_trepan_finds_m_of_n():
    X = numbers()
    tree = sg.Trepan(max_nodes=3).fit(X, majority(X), oracle=majority)
    assert tree.n_tests_ == 1
    rules = tree.to_rules()
    test = rules.rules[0].conditions[0]
    assert isinstance(test, sg.MofN)
    assert {x.feature for x in test.literals} == {"a", "b", "c"}
    new = numbers(2000, seed=1)
    assert (tree.predict(new) == majority(new)).mean() > 0.95
    plain = sg.Trepan(max_nodes=1, max_literals=1).fit(X, majority(X), oracle=majority)
    assert (plain.predict(new) == majority(new)).mean() < 0.8


def test_trepan_asks_for_points_that_meet_the_conditions_of_the_node():
    X = numbers(100)
    asked = []

    def oracle(points):
        asked.append(points)
        return np.where(points["a"] > 0.8, "up", np.where(points["b"] > 0.5, "mid", "low"))

    tree = sg.Trepan(max_nodes=3, max_literals=1, min_sample=400, validation=0.0).fit(X, oracle(X), oracle=oracle)
    asked.pop(0)
    assert tree.n_queries_ == sum(map(len, asked)) > 800
    # The last two queries fill the children of the last test, on whose sides they lie.
    rules = tree.to_rules()
    for points in asked[1:]:
        inside = [rule.holds(points).all() for rule in rules.rules]
        seen = sum(rule.holds(points).any() for rule in rules.rules)
        assert any(inside) or seen < len(rules)  # a node's points lie in its own part of the tree
    new = numbers(1000, seed=2)
    assert (tree.predict(new) == oracle(new)).mean() > 0.95


def test_queries_beat_few_rows():
    """With 40 rows alone a tree cannot know what a tree that may ask finds out."""
    new = numbers(3000, seed=3)
    X = numbers(40)
    gain = []
    for seed in range(5):
        options = {"max_nodes": 5, "random_state": seed}
        asking = sg.Trepan(**options).fit(X, majority(X), oracle=majority).predict(new)
        silent = sg.Trepan(**options).fit(X, majority(X)).predict(new)
        gain.append((asking == majority(new)).mean() - (silent == majority(new)).mean())
    assert np.mean(gain) > 0.03


def test_trepan_takes_categories_and_keeps_to_a_space():
    space = sg.Space(x=sg.Real(0, 1), level=sg.Ordinal(["low", "mid", "high"]), kind=sg.Categorical(["u", "v", "w"]))
    X = space.from_unit(np.random.default_rng(0).random((300, 3)))

    def oracle(points):
        space.validate(points)
        return (points["kind"] == "u").to_numpy() & (points["level"] != "low").to_numpy()

    tree = sg.Trepan(max_nodes=4, max_literals=1).fit(X, oracle(X), oracle=oracle, space=space)
    new = space.from_unit(np.random.default_rng(1).random((500, 3)))
    assert (tree.predict(new) == oracle(new)).all()
    assert set(tree.to_rules().used_features) == {"level", "kind"}
    assert_array_equal(tree.to_rules().predict(new), tree.predict(new))
    other = X[["kind", "x", "level"]]  # not in the order of the space
    again = clone(tree).fit(other, oracle(X), oracle=oracle, space=space)
    assert_array_equal(again.predict(new[other.columns]), oracle(new))


@pytest.mark.parametrize("student", [sg.Trepan(max_nodes=4), sg.Alpa(GaussianNB(), sg.BinnedTree(4))])
def test_nullable_types_of_pandas_are_taken(student):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.random(200), "flag": rng.random(200) > 0.5}).astype({"a": "Float64", "flag": "boolean"})
    y = (X["a"] > 0.5).to_numpy(dtype=bool)
    assert (student.fit(X, y).predict(X) == y).mean() > 0.9
    chain = sg.Metamorphosis(GaussianNB(), sg.Noise(), clone(student), n_new=300, rng=0).fit(X, y)
    assert chain.score(X, y) > 0.9


def test_trepan_refuses_missing_values_and_answers_for_new_categories():
    X = numbers(100, 2).assign(kind=["u", "v"] * 50)
    tree = sg.Trepan(max_nodes=3).fit(X, X["kind"] == "u")
    assert not tree.predict(X.assign(kind="w")).any()
    for name, value in (("a", np.nan), ("b", np.inf), ("kind", None)):
        with pytest.raises(ValueError, match=f"row 0, '{name}' is"):
            tree.predict(X.assign(**{name: [value, *X[name][1:]]}))


def test_trepan_counts_the_tests_that_are_left():
    X = numbers(300)
    y = np.where((X["a"] > 0.6) | (np.random.default_rng(0).random(300) < 0.2), "yes", "no")
    tree = sg.Trepan(max_nodes=15, min_sample=30, max_literals=1, validation=0.0).fit(X, y)
    assert tree.n_tests_ == len(tree.to_rules()) - 1 < 15


def test_trepan_stops_where_a_node_is_pure_enough():
    X = numbers(2000)
    rare = np.where(np.random.default_rng(0).random(2000) < 0.01, "odd", "usual")
    assert sg.Trepan(epsilon=0.05, min_sample=500).fit(X, rare).n_tests_ == 0
    assert len(sg.Trepan(epsilon=0.05, min_sample=500).fit(X, rare).to_rules()) == 1


def test_trepan_is_a_student_that_may_ask():
    X = numbers(200)
    y = majority(X)
    chain = sg.Metamorphosis(
        RandomForestClassifier(50, random_state=0), sg.KernelDensity(), sg.Trepan(max_nodes=3), n_new=200, rng=0
    ).fit(X, y)
    assert chain.student_.n_queries_ > 500
    new = numbers(1000, seed=5)
    assert sg.fidelity(chain.teacher_, chain, new) > 0.85
    assert sg.extract_rules(chain).features == tuple("abcde")


def test_a_class_that_no_row_has_must_be_named():
    X = numbers(50)
    with pytest.raises(ValueError, match="class 'no' is none of"):
        sg.Trepan().fit(X, np.full(50, "yes"), oracle=majority)
    options = {"oracle": majority, "classes": ["no", "yes"]}
    tree = sg.Trepan(validation=0.0).fit(X, np.full(50, "yes"), **options)
    assert set(tree.predict(numbers(500, seed=1))) == {"no", "yes"}


def test_alpa_adds_points_between_valley_points_and_neighbours():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    y = X[:, 0] + X[:, 1] > 0
    alpa = sg.Alpa(LogisticRegression(), DecisionTreeClassifier(max_leaf_nodes=8), valleys=(0.1,), multiples=(3.0,))
    alpa.fit(X, y)
    points = alpa.transfer_set_
    assert len(points) == 800
    new = points.X[200:]
    unsure = np.abs(alpa.teacher_.decision_function(X))
    assert np.abs(alpa.teacher_.decision_function(new)).mean() < 0.5 * unsure.mean()
    assert_array_equal(points.y, alpa.teacher_.predict(points.X))
    assert alpa.chosen_ == {"valley": 0.1, "multiple": 3.0}


def test_alpa_adds_nothing_where_nothing_helps():
    X = np.linspace(0, 1, 60)[:, None]
    alpa = sg.Alpa(GaussianNB(), DecisionTreeClassifier(max_depth=1)).fit(X, (X[:, 0] > 0.5).astype(int))
    assert alpa.chosen_["multiple"] == 0.0
    with pytest.raises(ValueError, match="valleys must be shares"):
        sg.Alpa(GaussianNB(), DecisionTreeClassifier(), valleys=(2.0,)).fit(X, X[:, 0] > 0.5)


def test_fidelity_is_agreement_or_r2():
    X = np.linspace(0, 1, 101)[:, None]
    assert sg.fidelity(lambda X: X[:, 0] > 0.5, lambda X: X[:, 0] > 0.6, X) == pytest.approx(91 / 101)
    y = X[:, 0] ** 2
    line, curve = LinearRegression().fit(X, y), DecisionTreeRegressor().fit(X, y)
    rest = ((y - line.predict(X)) ** 2).sum() / ((y - y.mean()) ** 2).sum()
    assert sg.fidelity(curve, line, X) == pytest.approx(1 - rest)


def test_confusion_counts_teacher_in_rows():
    X = np.arange(10.0)[:, None]
    table = sg.fidelity_by_class(
        lambda X: np.where(X[:, 0] < 3, "a", "b"), lambda X: np.where(X[:, 0] < 5, "a", "c"), X
    )
    assert table.loc["a", "a"] == 3
    assert table.loc["b", "a"] == 2
    assert table.loc["b", "c"] == 5
    assert table.to_numpy().sum() == 10


def test_quality_of_a_known_student():
    X = pd.DataFrame({"x": np.linspace(0, 1, 1000)})
    truth = (X["x"] > 0.5).to_numpy()
    rules = sg.RuleList(
        (sg.Rule((sg.Literal("x", ">", 0.25), sg.Literal("x", "<=", 0.75)), True),), False, ("x",), (False, True)
    )
    found = sg.student_quality(lambda X: (X["x"] > 0.25).to_numpy(), rules, X, truth)
    assert found["fidelity"] == pytest.approx(0.75, abs=0.002)
    assert found["fidelity_low"] < found["fidelity"] < found["fidelity_high"]
    # 95% of a binomial share of 1,000 points lie within 2 sqrt(p q / n).
    assert found["fidelity_high"] - found["fidelity_low"] == pytest.approx(4 * np.sqrt(0.75 * 0.25 / 1000), rel=0.1)
    assert found["accuracy"] == pytest.approx(0.5, abs=0.002)
    assert found["teacher_accuracy"] == pytest.approx(0.75, abs=0.002)
    assert (found["n_rules"], found["n_conditions"], found["n_features"]) == (1, 1, 1)
    assert found["path_length"] == pytest.approx(0.5, abs=0.002)


def test_stability_is_one_for_a_student_without_chance():
    X = numbers(200)
    y = majority(X)
    chain = sg.Metamorphosis(
        GaussianNB(), sg.KernelDensity(), DecisionTreeClassifier(max_leaf_nodes=6, random_state=0), 300
    )
    loose = sg.stability(chain, X, y, numbers(500, seed=1), seeds=range(4))
    tight = sg.stability(clone(chain).set_params(n_new=30_000), X, y, numbers(500, seed=1), seeds=range(4))
    same = sg.stability(chain, X, y, numbers(500, seed=1), seeds=[3, 3])
    assert same == {"agreement": 1.0, "overlap": 1.0}
    assert loose["agreement"] < tight["agreement"] < 1.0
    assert_allclose([loose["overlap"], tight["overlap"]], 0.5, atol=0.5)
