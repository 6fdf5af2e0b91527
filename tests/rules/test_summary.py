"""What is told about a student, in numbers and on the page."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
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


@pytest.mark.parametrize("step", [StandardScaler(), PCA(1)])
def test_rules_of_a_pipeline_are_asked_about_what_its_last_step_sees(step):
    X = np.random.default_rng(0).normal(50, 5, (300, 2)) * [3, 1]
    student = make_pipeline(step, DecisionTreeClassifier(max_leaf_nodes=4, random_state=0))
    chain = sg.Metamorphosis(GaussianNB(), sg.Noise(), student, n_new=2000, rng=0).fit(X, X[:, 0] > 150)
    told = sg.summarise_student(chain, X, sizes=())
    agree = (told.by_rule["points"] * told.by_rule["fidelity"]).sum() / told.by_rule["points"].sum()
    assert agree == pytest.approx(told.quality["fidelity"], abs=0.01)
    assert agree > 0.95
    assert 0 < told.quality["path_length"] <= 2


def test_rules_of_a_pipeline_that_makes_sparse_columns_are_asked():
    X = pd.DataFrame({"k": list("uvw") * 50})
    student = make_pipeline(OneHotEncoder(), DecisionTreeClassifier())
    chain = sg.Metamorphosis(lambda X: (X["k"] == "u").to_numpy(), sg.Bootstrap(), student, 500, rng=0).fit(X)
    told = sg.summarise_student(chain, X, sizes=())
    assert told.by_rule["fidelity"].eq(1).all()


def logits(X):
    return np.column_stack([np.zeros(len(X)), 20 * X[:, 0] - 10])


def shares(X):
    return 1 / (1 + np.exp(logits(X)[:, ::-1] - logits(X)))


@pytest.mark.parametrize(("teacher", "options"), [(shares, {}), (logits, {"logits": True})])
def test_the_teacher_is_asked_as_the_chain_asks_it(teacher, options):
    X = np.random.default_rng(0).random((400, 2))
    student = DecisionTreeClassifier(max_leaf_nodes=2, random_state=0)
    options = options | {"classes": ["down", "up"]}
    chain = sg.Metamorphosis(teacher, sg.Uniform(), student, n_new=2000, rng=0, **options).fit(X)
    y = np.where(X[:, 0] > 0.5, "up", "down")
    told = sg.summarise_student(chain, X, y, sizes=(2,))
    assert told.quality["fidelity"] > 0.98
    assert told.quality["teacher_accuracy"] == 1
    assert told.curve.loc[2, "fidelity"] == told.quality["fidelity"]
    assert told.confusion.index.tolist() == ["down", "up"]
    assert told.by_rule["fidelity"].min() > 0.95
    assert sg.fidelity(teacher, chain, X, **options) == told.quality["fidelity"]
    assert sg.student_quality(teacher, chain, X, y, **options) == told.quality
    assert sg.fidelity_by_class(teacher, chain, X, **options).equals(told.confusion)


def test_true_labels_of_failed_runs_are_left_out():
    @sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=["y"])
    def fragile(x):
        if x < 0.2:
            raise ValueError("no convergence")
        return {"y": x}

    run = functools.partial(sg.run, n_jobs=0)
    student = DecisionTreeRegressor(max_leaf_nodes=8, random_state=0)
    chain = sg.Metamorphosis(fragile, sg.Uniform(fragile.space), student, 200, run=run, rng=0).fit()
    X = sg.sobol(fragile.space, 64, rng=0)
    told = sg.summarise_student(chain, X, X["x"], sizes=(2, 8))
    # The labels are the teacher's answers here, each beside its own point.
    assert told.quality["teacher_r2"] == 1
    assert told.quality["r2"] == pytest.approx(told.quality["fidelity"])
    assert told.curve["accuracy"].equals(told.curve["fidelity"].rename("accuracy"))
    chain.set_params(generator=sg.Bootstrap(), originals="own", n_new=10).fit(X, X["x"])
    assert_allclose(chain.transfer_set_.X["x"], chain.transfer_set_.y)


def test_classes_that_have_nothing_in_common_are_named():
    X = np.random.default_rng(0).random((50, 2))
    for compare in (sg.fidelity, sg.fidelity_by_class, sg.student_quality):
        with pytest.raises(ValueError, match=r"no class in common: \[0 1\] and \['down' 'up'\].* classes="):
            compare(shares, lambda X: np.where(X[:, 0] > 0.5, "up", "down"), X)


def test_the_curve_of_many_labelled_points():
    """More than a teacher is asked for at a time."""
    X = np.random.default_rng(0).random((70_000, 2))
    student = DecisionTreeClassifier(max_leaf_nodes=2)
    chain = sg.Metamorphosis(lambda X: X[:, 0] > 0.5, sg.Uniform(), student, 500, rng=0).fit(X)
    assert sg.fidelity_curve(chain, X, X[:, 0] > 0.5, sizes=[2]).loc[2, "accuracy"] > 0.98
