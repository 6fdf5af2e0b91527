"""AutoGenerator: it takes what teaches best, tells why, and is not misled by chance or by failures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import surrogate as sg


class Elsewhere:
    """Points far from all data: nothing can be learned from them."""

    def get_params(self, deep=True):
        return {}

    def fit(self, X):
        self.shape = np.shape(X)[1]
        return self

    def draw(self, n, rng=None):
        return 100 + np.random.default_rng(rng).random((n, self.shape))


class Broken(Elsewhere):
    def fit(self, X):
        raise ValueError("not with these data")


def task(n=200, seed=0):
    X = np.random.default_rng(seed).normal(size=(n, 3))
    return X, np.where(X[:, 0] * X[:, 1] > 0, "same", "different")


TREE = DecisionTreeClassifier(max_leaf_nodes=8, random_state=0)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_useless_favourite_is_passed_over(order):
    candidates = [sg.KernelDensity(), Elsewhere()]
    X, y = task()
    chain = sg.Metamorphosis(
        RandomForestClassifier(20, random_state=0), sg.AutoGenerator([candidates[i] for i in order]), TREE, 2000, rng=0
    ).fit(X, y)
    auto = chain.generator_
    assert auto.chosen_ == "KernelDensity"
    assert auto.scores_.loc["KernelDensity", "score"] > auto.scores_.loc["Elsewhere", "score"] + 0.1
    assert auto.reason_.startswith(
        "KernelDensity: " + ("the favourite" if order == (0, 1) else "better than Elsewhere")
    )


def test_chance_does_not_beat_the_favourite_as_often_with_caution():
    """Two generators that are the same but for their seeds: any preference is chance."""

    class Reseeded(sg.KernelDensity):
        def draw(self, n, rng=None):
            return super().draw(n, 1000 + rng)

    counts = {0.0: 0, 2.0: 0}
    for seed in range(10):
        X, y = task(120, seed)
        for caution in counts:
            auto = sg.AutoGenerator([sg.KernelDensity(), Reseeded()], caution=caution, n_points=500)
            auto.fit(X, y, teacher=LogisticRegression(), student=TREE)
            counts[caution] += auto.chosen_ == "Reseeded"
    assert counts[0.0] >= 2
    assert counts[2.0] <= 1


def test_candidates_that_fail_are_told_and_left_out():
    X, y = task()
    auto = sg.AutoGenerator({"broken": Broken(), "noise": sg.Noise()}).fit(
        X, y, teacher=LogisticRegression(), student=TREE
    )
    assert auto.chosen_ == "noise"
    assert "not with these data" in auto.scores_.loc["broken", "problem"]
    with pytest.raises(ValueError, match="no candidate can be used: broken: ValueError: not with these data"):
        sg.AutoGenerator({"broken": Broken()}).fit(X, y, teacher=LogisticRegression(), student=TREE)


def test_a_fitted_teacher_without_labels_is_asked_as_it_is():
    X, y = task()
    teacher = RandomForestClassifier(20, random_state=0).fit(X, y)
    chain = sg.Metamorphosis(teacher, sg.AutoGenerator([Elsewhere(), sg.Noise()]), TREE, 2000, rng=0).fit(X)
    assert chain.generator_.chosen_ == "Noise"
    assert np.isnan(chain.generator_.scores_["accuracy"]).all()
    calls = sg.Metamorphosis(lambda X: X[:, 0] > 0, sg.AutoGenerator([Elsewhere(), sg.Noise()]), TREE, 2000, rng=0).fit(
        X
    )
    assert calls.generator_.chosen_ == "Noise"


@pytest.mark.parametrize("classes", [None, ["down", "up"]])
def test_logits_and_names_of_classes_reach_the_choice(classes):
    X, _ = task()
    chain = sg.Metamorphosis(
        lambda X: np.column_stack([np.zeros(len(X)), 5 * X[:, 0]]),
        sg.AutoGenerator([Elsewhere(), sg.Noise()]),
        TREE,
        2000,
        logits=True,
        classes=classes,
        rng=0,
    ).fit(X)
    assert chain.generator_.chosen_ == "Noise"
    assert chain.generator_.scores_.loc["Noise", "fidelity"] > 0.9


def test_the_chains_temperature_softens_what_the_candidates_teach():
    taught = []

    class Student(sg.BinnedTree):
        def fit(self, X, y, **options):
            taught.append(np.ptp(y))
            return super().fit(X, y, **options)

    X, y = task()
    options = {"labels": "soft", "temperature": 100.0, "rng": 0}
    generator = sg.AutoGenerator([sg.Noise(), sg.Bootstrap()], folds=2)
    sg.Metamorphosis(RandomForestClassifier(20, random_state=0), generator, Student(), 500, **options).fit(X, y)
    assert len(taught) == 2 * 2 + 1
    assert max(taught) < 0.2  # at a temperature of 1 some are near 0 and some near 1


def test_numbers_are_compared_by_squared_error():
    X = np.random.default_rng(0).random((150, 2))
    y = X[:, 0] ** 2
    chain = sg.Metamorphosis(
        RandomForestRegressor(30, random_state=0),
        sg.AutoGenerator([Elsewhere(), sg.KernelDensity()]),
        DecisionTreeRegressor(max_leaf_nodes=16),
        2000,
        rng=0,
    ).fit(X, y)
    assert chain.generator_.chosen_ == "KernelDensity"
    assert chain.generator_.scores_.loc["KernelDensity", "accuracy"] > 0.8
    assert chain.generator_.scores_.loc["Elsewhere", "accuracy"] < 0


def test_without_a_teacher_points_must_lie_where_rows_lie():
    X, _ = task()
    auto = sg.AutoGenerator([Elsewhere(), sg.Uniform(), sg.KernelDensity()]).fit(X)
    assert auto.chosen_ == "KernelDensity"
    assert auto.scores_["distance"].is_monotonic_decreasing


def test_a_simulator_is_not_asked_for_the_choice():
    space = sg.Space(x=sg.Real(0, 1), y=sg.Real(0, 1))
    calls = []

    @sg.simulator(space=space, outputs=["z"])
    def plane(x, y):
        calls.append(x)
        return {"z": x + y}

    run = __import__("functools").partial(sg.run, n_jobs=0)
    X = space.from_unit(np.random.default_rng(0).random((60, 2)))
    chain = sg.Metamorphosis(plane, sg.AutoGenerator(), LinearRegression(), 40, run=run, rng=0).fit(X, space=space)
    assert len(calls) == 40
    assert chain.score(X, X.sum(axis=1)) > 0.999


def test_a_box_finder_can_choose():
    X = pd.DataFrame(np.random.default_rng(0).random((200, 2)), columns=["a", "b"])
    y = ((X["a"] > 0.5) & (X["b"] < 0.5)).to_numpy()
    chain = sg.Metamorphosis(
        RandomForestClassifier(30, random_state=0), sg.AutoGenerator(), sg.Prim(), n_new=2000, rng=0
    ).fit(X, y)
    assert chain.generator_.scores_["problem"].eq("").all()
    assert (chain.predict(X) == y).mean() > 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 1}, "folds must be at least 2"),
        ({"caution": -1}, "caution must not be negative"),
        ({"candidates": []}, "at least one generator"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        sg.AutoGenerator(**options).fit(task()[0])
