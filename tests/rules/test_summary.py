"""What is told about a student, in numbers and on the page."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import surrogate as sg


def data(n, seed=0):
    X = pd.DataFrame(np.random.default_rng(seed).random((n, 3)), columns=["a", "b <i>", "c"])
    return X, np.where((X["a"] > 0.5) & (X["b <i>"] > 0.3), "yes & so", "no")


@pytest.fixture(scope="module")
def chain():
    X, y = data(300)
    return sg.Metamorphosis(
        RandomForestClassifier(30, random_state=0),
        sg.KernelDensity(),
        DecisionTreeClassifier(max_leaf_nodes=4, random_state=0),
        n_new=2000,
        rng=0,
    ).fit(X, y)


@pytest.fixture(scope="module")
def summary(chain):
    return sg.summarise_student(chain, *data(500, seed=1), sizes=(2, 3, 8))


def test_larger_students_are_truer(chain, summary):
    curve = summary.curve
    assert curve.index.tolist() == [2, 3, 8]
    assert curve["n_rules"].tolist()[:2] == [2, 3]
    assert curve["fidelity"].iloc[0] < 0.9 < 0.95 < curve["fidelity"].iloc[1]
    X, y = data(500, seed=1)
    best = sg.fidelity_curve(chain, X, y, sizes=[4])
    assert best.loc[4, "fidelity"] == sg.fidelity(chain.teacher_, chain, X)
    assert best.loc[4, "accuracy"] == chain.score(X, y)


def test_rules_are_simplified_without_a_changed_prediction(chain, summary):
    points = chain.transfer_set_.X
    assert (summary.rules.predict(points) == chain.predict(points)).all()
    assert len(summary.rules) < summary.quality["n_rules"]


def test_every_point_is_counted_once_and_disagreement_is_found(chain, summary):
    X, _ = data(500, seed=1)
    assert summary.by_rule["points"].sum() == 500
    agree = (summary.by_rule["points"] * summary.by_rule["fidelity"]).sum() / 500
    assert agree == pytest.approx((chain.teacher_.predict(X) == summary.rules.predict(X)).mean())
    assert summary.by_rule["fidelity"].is_monotonic_increasing
    assert summary.confusion.to_numpy().sum() == 500


def test_a_page_without_runs(summary, tmp_path):
    page = sg.report(tmp_path / "student.html", student=summary, title="Forest").read_text()
    assert "What the model knows" in page
    assert f"{summary.quality['fidelity']:.1%}" in page
    assert "b &lt;i&gt; &gt; 0." in page
    assert "<i>" not in page
    assert "Fidelity against size" in page
    assert "Where the student is wrong" in page
    assert page.count("<svg") == 2


def test_a_page_needs_something_to_tell(tmp_path):
    with pytest.raises(ValueError, match="nothing to report on"):
        sg.report(tmp_path / "x.html")
    with pytest.raises(ValueError, match="pass runs="):
        sg.report(tmp_path / "x.html", student=object(), boxes=object())


def test_numbers_and_students_without_rules(tmp_path):
    X, _ = data(200)
    numbers = sg.Metamorphosis(
        RandomForestRegressor(20, random_state=0), sg.Noise(), DecisionTreeRegressor(max_leaf_nodes=6), 1000, rng=0
    ).fit(X, X["a"] * 2)
    told = sg.summarise_student(numbers, X, X["a"] * 2, sizes=(2, 16))
    assert told.confusion is None
    assert told.curve["fidelity"].is_monotonic_increasing
    assert told.by_rule["mean error"].is_monotonic_decreasing
    assert "explains of its variance" in sg.report(tmp_path / "n.html", student=told).read_text()
    X, y = data(200)
    dense = sg.Metamorphosis(RandomForestClassifier(5), sg.Noise(), LogisticRegression(), 500, rng=0).fit(X, y)
    bare = sg.summarise_student(dense, X, y)
    assert bare.rules is None
    assert bare.curve.empty
    sg.report(tmp_path / "b.html", student=bare)
