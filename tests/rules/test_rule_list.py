"""Rules: every way of writing them down predicts the same; simplification changes no prediction."""

from __future__ import annotations

import json
import sqlite3

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeRegressor

import surrogate as sg
from surrogate.rules.extract import _turning_point


def mixed(n=200, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "wing span": rng.normal(size=n).round(2),
            'odd "name"': rng.integers(0, 5, n),
            "kind": rng.choice(["u", "v", "o'w"], n),
            "flag": rng.choice([True, False], n),
        }
    )


RULES = sg.RuleList(
    (
        sg.Rule((sg.Literal("wing span", ">", -0.3), sg.Literal("kind", "in", {"u", "o'w"})), "up"),
        sg.Rule((sg.Literal('odd "name"', "<=", 2.0), sg.Literal("kind", "not in", {"v"})), "it's"),
        sg.Rule(
            (
                sg.MofN(
                    2,
                    (
                        sg.Literal("wing span", "<", 0.0),
                        sg.Literal('odd "name"', ">=", 2.0),
                        sg.Literal("flag", "in", {True}),
                    ),
                ),
            ),
            "up",
        ),
    ),
    "down",
    ("wing span", 'odd "name"', "kind", "flag"),
    ("down", "it's", "up"),
)


def by_hand(row):
    if row["wing span"] > -0.3 and row["kind"] in ("u", "o'w"):
        return "up"
    if row['odd "name"'] <= 2 and row["kind"] != "v":
        return "it's"
    return "up" if (row["wing span"] < 0) + (row['odd "name"'] >= 2) + row["flag"] >= 2 else "down"


def run_python(rules, frame):
    scope = {}
    exec(rules.to_python("decide"), scope)
    return [scope["decide"](row) for row in frame.to_dict("records")]


def run_sql(rules, frame):
    with sqlite3.connect(":memory:") as connection:
        frame.to_sql("points", connection, index=False)
        return [row[0] for row in connection.execute(f"SELECT {rules.to_sql()} FROM points ORDER BY rowid")]


def test_first_rule_that_holds_decides_in_every_language():
    frame = mixed()
    wanted = [by_hand(row) for row in frame.to_dict("records")]
    assert set(wanted) == {"up", "down", "it's"}
    assert RULES.predict(frame).tolist() == wanted
    assert run_python(RULES, frame) == wanted
    assert run_sql(RULES, frame) == wanted
    again = sg.RuleList.from_json(RULES.to_json())
    assert again.predict(frame).tolist() == wanted
    assert json.loads(again.to_json()) == json.loads(RULES.to_json())


def test_tests_are_counted_also_on_rows_of_a_table():
    two_of_three = sg.MofN(2, tuple(sg.Literal(name, ">", 0.0) for name in "abc"))
    rows = pd.DataFrame([[1.0, 1.0, -1.0], [1.0, -1.0, -1.0]], columns=list("abc"))
    assert [bool(eval(two_of_three.to_python(), {"row": row})) for _, row in rows.iterrows()] == [True, False]


def test_text_tells_two_limits_as_one_and_names_values():
    rule = sg.Rule((sg.Literal("x", ">", 1.0), sg.Literal("x", "<=", 5.0), sg.Literal("x", ">", 2.0)), 1)
    assert rule.words() == "2 < x <= 5"
    assert rule.n_conditions == 1
    assert RULES.rules[0].words() == "wing span > -0.3 and kind is one of \"o'w\", 'u'"
    assert RULES.rules[2].words().startswith("at least 2 of (wing span < 0; ")
    assert RULES.n_conditions == 2 + 2 + 3


def test_arrays_are_read_by_position_and_frames_by_name():
    rules = sg.RuleList((sg.Rule((sg.Literal("b", ">", 0.5),), 1),), 0, ("a", "b"), (0, 1))
    assert rules.predict(np.array([[0.9, 0.1], [0.1, 0.9]])).tolist() == [0, 1]
    assert rules.predict(pd.DataFrame({"c": [0, 0], "b": [0.1, 0.9]})).tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"no column 'b'"):
        rules.predict(pd.DataFrame({"a": [1.0]}))
    with pytest.raises(ValueError, match=r"2 columns \(a, b\), got 3"):
        rules.predict(np.zeros((1, 3)))


@pytest.mark.parametrize("student", [DecisionTreeClassifier(max_depth=2), sg.BinnedTree(4), sg.Trepan(max_nodes=3)])
def test_frames_without_names_of_text_are_read_by_position(student):
    X = pd.DataFrame(np.random.default_rng(0).random((200, 3)))
    student.fit(X, X[1] > 0.5)
    rules = sg.extract_rules(student)
    assert "x1" in rules.used_features
    assert_array_equal(rules.predict(X), student.predict(X))
    shuffled = X[[2, 1, 0]]
    assert_array_equal(rules.predict(shuffled), student.predict(shuffled))
    student.fit(X.to_numpy(), X[1] > 0.5)
    assert_array_equal(sg.extract_rules(student).predict(X), student.predict(X))
    with pytest.raises(ValueError, match="no column 'x"):
        rules.predict(X[[0, 1]])


def test_missing_values_meet_no_condition():
    rules = sg.RuleList(
        (sg.Rule((sg.Literal("a", "<=", 0.5),), 1), sg.Rule((sg.Literal("a", ">", 0.5),), 2)), 0, ("a",)
    )
    assert rules.predict(pd.DataFrame({"a": [np.nan, 0.1, 0.9]})).tolist() == [0, 1, 2]


@settings(max_examples=200, deadline=None)
@given(st.floats(width=64, allow_nan=False, allow_infinity=False, min_value=-1e30, max_value=1e30))
def test_single_precision_thresholds_turn_over_where_rounding_does(threshold):
    turn = _turning_point(threshold)
    assert float(np.float32(turn)) <= threshold
    assert not float(np.float32(np.nextafter(turn, np.inf))) <= threshold


@pytest.mark.parametrize("leaves", [2, 8, 40])
@pytest.mark.parametrize("make", [DecisionTreeClassifier, sg.BinnedTree])
def test_rules_of_a_tree_predict_what_it_predicts(leaves, make):
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    y = np.array(["bad", "good"])[y]
    tree = make(max_leaf_nodes=leaves).fit(X, y)
    rules = sg.extract_rules(tree)
    assert rules.features == tuple(X.columns)
    # Also where thresholds lie: rounding to 32 bits must turn over at the same number.
    cuts = np.array([x.value for rule in rules.rules for c in rule.conditions for x in c.literals])
    near = pd.concat([X] + [X * 0 + np.nextafter(cut, way) for cut in cuts for way in (-np.inf, cut, np.inf)])
    assert_array_equal(rules.predict(near), tree.predict(near))
    assert_allclose(rules.predict_proba(X), tree.predict_proba(X))
    assert sum(rule.support for rule in rules.rules) == len(X)
    assert run_python(rules, X) == tree.predict(X).tolist()


def test_rules_of_a_regression_tree():
    X, y = load_iris(return_X_y=True)
    tree = DecisionTreeRegressor(max_leaf_nodes=5).fit(X, y * 1.5)
    rules = sg.extract_rules(tree, feature_names=["sl", "sw", "pl", "pw"])
    assert_allclose(rules.predict(X), tree.predict(X))
    with pytest.raises(AttributeError, match="predict numbers"):
        rules.predict_proba(X)


def test_rules_of_a_chain_have_its_names_and_classes():
    X, y = load_iris(return_X_y=True, as_frame=True)
    y = np.array(["setosa", "versicolor", "virginica"])[y]
    for labels, student in (
        ("hard", DecisionTreeClassifier(max_leaf_nodes=5)),
        ("soft", DecisionTreeRegressor(max_leaf_nodes=5)),
    ):
        chain = sg.Metamorphosis(
            RandomForestClassifier(20, random_state=0), sg.KernelDensity(), student, n_new=2000, labels=labels, rng=0
        ).fit(X, y)
        rules = sg.extract_rules(chain)
        assert rules.features == tuple(X.columns)
        assert rules.classes == ("setosa", "versicolor", "virginica")
        assert (rules.predict(X) == chain.predict(X)).all()


def test_rules_of_a_pipeline_are_about_what_its_last_step_sees():
    frame = mixed()
    y = (frame["kind"] == "u") & frame["flag"]
    coded = make_column_transformer(
        (OneHotEncoder(), ["kind"]), remainder="passthrough", verbose_feature_names_out=False
    )
    pipe = make_pipeline(coded, DecisionTreeClassifier()).fit(frame, y)
    rules = sg.extract_rules(pipe)
    assert set(rules.used_features) == {"kind_u", "flag"}
    scaled = make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=1)).fit([[0.0], [10.0]], [0, 1])
    assert sg.extract_rules(scaled).rules[0].words() == "x0 <= 0"


def test_boxes_are_rules():
    frame = pd.DataFrame(np.random.default_rng(0).random((500, 2)), columns=["a", "b"])
    inside = (frame["a"] > 0.6) & (frame["b"] < 0.5)
    finder = sg.Prim().fit(frame, inside)
    rules = sg.extract_rules(finder)
    assert_array_equal(rules.predict(frame), finder.best_.contains(frame))
    union = sg.BoxUnion((sg.Box({"a": (0.2, 0.4)}), sg.Box({"b": (0.5, 0.6)})))
    assert_array_equal(sg.extract_rules(union).predict(frame), union.contains(frame))
    two = sg.extract_rules([sg.Box({"a": (0.2, 0.4)}), sg.Box({"b": {"x", "y"}})], classes=["out", "in"])
    assert two.predict({"a": [0.2, 0.5, 0.5], "b": ["z", "y", "z"]}).tolist() == ["in", "in", "out"]


def test_what_has_no_rules_is_named():
    with pytest.raises(TypeError, match=r"no rules can be read off RandomForestClassifier: .* distil it"):
        sg.extract_rules(RandomForestClassifier())


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), leaves=st.integers(2, 25), classes=st.integers(2, 4))
def test_simplification_changes_no_prediction_on_its_rows(seed, leaves, classes):
    rng = np.random.default_rng(seed)
    X, y = rng.random((150, 3)).round(1), rng.integers(0, classes, 150)
    tree = DecisionTreeClassifier(max_leaf_nodes=leaves, random_state=0).fit(X, y)
    rules = sg.extract_rules(tree)
    simple = rules.simplify(X)
    assert_array_equal(simple.predict(X), tree.predict(X))
    assert len(simple) < len(rules)  # one class becomes the default
    assert simple.n_conditions <= rules.n_conditions
    loose = rules.simplify(X, tolerance=0.1)
    assert (loose.predict(X) != tree.predict(X)).sum() <= 15
    assert (len(loose), loose.n_conditions) <= (len(simple), simple.n_conditions)


def test_simplification_drops_what_is_not_needed():
    x = np.linspace(0, 1, 11)[:, None]
    rules = sg.RuleList(
        (
            sg.Rule((sg.Literal("x", ">", 0.5), sg.Literal("x", ">", 0.2)), "up"),
            sg.Rule((sg.Literal("x", ">", 2.0),), "far"),
            sg.Rule((sg.Literal("x", "<=", 0.5),), "down"),
        ),
        "down",
        ("x",),
    )
    simple = rules.simplify(x)
    assert simple.to_text() == "if x > 0.5 then up\notherwise down"


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="op must be one of"):
        sg.Literal("x", "=", 1)
    with pytest.raises(ValueError, match="m must lie between 1 and"):
        sg.MofN(3, (sg.Literal("x", ">", 1.0),))
    with pytest.raises(ValueError, match=r"tests 'y', which is no input"):
        sg.RuleList((sg.Rule((sg.Literal("y", ">", 1.0),), 1),), 0, ("x",))
    with pytest.raises(ValueError, match="tolerance must be a share"):
        RULES.simplify(mixed(), tolerance=2)


def test_missing_categories_meet_no_test_in_any_language():
    test = sg.Literal("k", "not in", {"a"})
    rules = sg.RuleList((sg.Rule((test,), "yes"), sg.Rule((test.negated(),), "no")), "neither", ("k",))
    frame = pd.DataFrame({"k": ["a", "b", None]})
    wanted = ["no", "yes", "neither"]
    assert rules.predict(frame).tolist() == wanted
    assert run_sql(rules, frame) == wanted
    assert run_python(rules, frame) == wanted
    assert run_python(rules, pd.DataFrame({"k": pd.Series(["a", "b", np.nan], dtype=object)})) == wanted
    assert not sg.Literal("k", "in", {"a", None}).holds(frame)[2]


def test_conditions_are_counted_as_they_are_read():
    rule = sg.Rule(
        (
            sg.Literal("k", "not in", {"a"}),
            sg.Literal("k", "not in", {"b"}),
            sg.Literal("x", ">", 0.0),
            sg.Literal("x", "<", 1.0),
        ),
        1,
    )
    assert rule.words() == "k != 'a' and k != 'b' and 0 < x < 1"
    assert rule.n_conditions == 3


@pytest.mark.parametrize("tree", [DecisionTreeClassifier(max_leaf_nodes=6), ExtraTreeRegressor(random_state=0)])
def test_a_tree_that_learned_where_missing_values_go_is_refused(tree):
    X, y = load_iris(return_X_y=True)
    assert len(sg.extract_rules(clone(tree).set_params(ccp_alpha=0.001).fit(X, y))) > 2
    holed = np.where(np.random.default_rng(0).random(X.shape) < 0.3, np.nan, X)
    with pytest.raises(TypeError, match=r"learned at node \d+ where missing values of input \d go"):
        sg.extract_rules(clone(tree).fit(holed, y))


def test_rules_of_a_tree_taught_logits_have_the_students_probabilities():
    X, y = load_iris(return_X_y=True)
    student = DecisionTreeRegressor(max_leaf_nodes=5, random_state=0)
    chain = sg.Metamorphosis(GaussianNB(), sg.KernelDensity(), student, 1000, labels="logits", rng=0).fit(X, y)
    rules = sg.extract_rules(chain)
    assert_allclose(rules.predict_proba(X), chain.predict_proba(X))
    assert (rules.to_frame()["purity"] <= 1).all()


def test_limits_of_a_box_are_renamed():
    X = np.random.default_rng(0).random((500, 2))
    finder = sg.Prim().fit(X, (X[:, 0] > 0.6) & (X[:, 1] < 0.5))
    rules = sg.extract_rules(finder, feature_names=["a", "b"])
    assert rules.used_features == ("a", "b")
    assert_array_equal(rules.predict(X), finder.best_.contains(X))
