"""Size, latency and truth of models."""

from __future__ import annotations

import pickle
import time

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier

import surrogate as sg
from surrogate.transfer.compression import n_parameters


class Slow(ClassifierMixin, BaseEstimator):
    classes_ = np.array([0, 1])

    def predict(self, X):
        time.sleep(0.02)
        return np.zeros(len(X), dtype=int)


def test_a_forest_goes_into_a_small_network():
    X, y = load_digits(return_X_y=True)
    forest = RandomForestClassifier(200, random_state=0)
    chain = sg.Metamorphosis(
        forest, sg.Munge(local_variance=2.0), MLPClassifier((48,), max_iter=60, random_state=0), n_new=6000, rng=0
    ).fit(X[:1000], y[:1000])
    table = sg.compare_models({"forest": chain.teacher_, "network": chain.student_}, X[1000:], y[1000:])
    assert table.loc["forest", "fidelity"] == 1.0
    assert table.loc["network", "bytes"] < table.loc["forest", "bytes"] / 20
    assert table.loc["network", "us_per_row"] < table.loc["forest", "us_per_row"]
    assert table.loc["network", "accuracy"] > table.loc["forest", "accuracy"] - 0.03
    assert table.loc["network", "bytes"] == len(pickle.dumps(chain.student_))


def test_parameters_are_counted():
    X, y = load_digits(return_X_y=True)
    tree = DecisionTreeClassifier(max_leaf_nodes=5).fit(X, y)
    assert n_parameters(tree) == 4 * 2 + 5 * 10
    assert n_parameters(sg.BinnedTree(5).fit(X, y)) == 4 * 2 + 5 * 10
    assert n_parameters(RandomForestClassifier(3, max_leaf_nodes=5).fit(X, y)) == 3 * 58
    assert n_parameters(GradientBoostingClassifier(n_estimators=2, max_leaf_nodes=3).fit(X, y)) == 2 * 10 * (4 + 3)
    assert n_parameters(LogisticRegression(C=1e-3, max_iter=1000).fit(X, y)) == 10 * 64 + 10
    assert n_parameters(MLPClassifier((7,), max_iter=1).fit(X, y)) == 64 * 7 + 7 + 7 * 10 + 10
    assert n_parameters(object()) is None


def test_a_chain_is_measured_by_its_student():
    X, y = load_digits(return_X_y=True)
    chain = sg.Metamorphosis(RandomForestClassifier(5), sg.Noise(), DecisionTreeClassifier(max_depth=2), 500, rng=0)
    table = sg.compare_models({"chain": chain.fit(X, y), "student": chain.student_}, X, repeats=1)
    assert table.loc["chain", "bytes"] == table.loc["student", "bytes"]
    assert table.loc["chain", "parameters"] == table.loc["student", "parameters"]


def test_what_cannot_be_pickled_has_no_size():
    table = sg.compare_models({"lambda": lambda X: X[:, 0] > 0, "slow": Slow()}, np.zeros((10, 1)), repeats=1)
    assert np.isnan(table.loc["lambda", "bytes"])
    assert table.loc["slow", "bytes"] > 0


def test_latency_is_that_of_predict():
    table = sg.compare_models({"slow": Slow()}, np.zeros((100, 1)), repeats=2)
    # At least as long as it sleeps, however busy the machine; of a batch the share of one row.
    assert table.loc["slow", "us_single"] >= 20_000
    assert 200 <= table.loc["slow", "us_per_row"] < 10_000
    with pytest.raises(ValueError, match="no model"):
        sg.compare_models({}, np.zeros((1, 1)))
