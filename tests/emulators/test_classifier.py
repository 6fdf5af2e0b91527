"""Probability of being of interest, from numbers and from labels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from numpy.testing import assert_allclose
from sklearn.metrics import log_loss, roc_auc_score

import surrogate as sg


def margin(x):
    return x[:, 0] * x[:, 1] - 0.2 + 0.1 * np.sin(6 * x[:, 2])


def cube(n, seed=0):
    return np.random.default_rng(seed).random((n, 3))


def test_the_probability_of_a_number_is_that_of_its_distribution():
    x, new = cube(40), cube(200, 1)
    gp = sg.GaussianProcess(warp=None)
    model = sg.ProbabilityEmulator("< 0", emulator=gp).fit(x, margin(x))
    mean, std = gp.fit(x, margin(x)).predict(new, return_std=True)
    assert_allclose(model.predict_proba(new)[:, 1], scipy.stats.norm.cdf(-mean / std), atol=1e-9)
    above = sg.ProbabilityEmulator(sg.Condition("m", ">=", 0.0), emulator=sg.RadialBasis()).fit(x, margin(x))
    mean, std = sg.RadialBasis().fit(x, margin(x)).predict(new, return_std=True)
    assert_allclose(above.predict_proba(new)[:, 1], scipy.stats.norm.cdf(mean / std), atol=1e-9)
    assert model.classes_.tolist() == [False, True]
    assert (model.predict(new) == (margin(new) < 0)).mean() > 0.97


def test_numbers_say_more_than_labels():
    x, new = cube(60), cube(2000, 1)
    truth = margin(new) < 0
    numbers = sg.ProbabilityEmulator("margin < 0").fit(x, margin(x)).predict_proba(new)
    labels = sg.ProbabilityEmulator().fit(x, margin(x) < 0).predict_proba(new)
    assert_allclose(numbers.sum(axis=1), 1.0)
    assert log_loss(truth, numbers[:, 1]) < 0.5 * log_loss(truth, labels[:, 1])
    assert roc_auc_score(truth, labels[:, 1]) > 0.95


def test_probabilities_from_labels_are_calibrated():
    # Labels that are random themselves: the probability is known.
    rng = np.random.default_rng(0)
    x, new = cube(400), cube(3000, 1)
    p = 0.1 + 0.8 * x[:, 0]
    model = sg.ProbabilityEmulator().fit(x, rng.random(400) < p)
    found = model.predict_proba(new)[:, 1]
    assert np.abs(found - (0.1 + 0.8 * new[:, 0])).mean() < 0.08
    assert set(model.log_losses_.index) == {"gaussian process", "forest"}
    assert model.log_losses_.is_monotonic_increasing
    assert model.method_ == model.log_losses_.index[0]


def test_steps_of_boolean_inputs_are_left_to_the_forest():
    rng = np.random.default_rng(1)
    space = sg.Space({f"b{j}": sg.Categorical([False, True]) for j in range(6)} | {"x": sg.Real(0, 1)})
    X, new = (space.from_unit(rng.random((n, 7))) for n in (200, 500))

    def f(X):
        return X["b0"].to_numpy(bool) & X["b1"].to_numpy(bool) | (X["b2"].to_numpy(bool) & (X["x"] > 0.6).to_numpy())

    model = sg.ProbabilityEmulator().fit(X, f(X), space)
    assert (model.predict(new) == f(new)).mean() > 0.93
    assert model.log_losses_["forest"] < model.log_losses_["gaussian process"]


def test_labels_of_any_kind_and_numbers_of_two_values():
    x = cube(50)
    words = np.where(margin(x) < 0, "stable", "diverges")
    model = sg.ProbabilityEmulator().fit(x, words)
    assert model.classes_.tolist() == ["diverges", "stable"]
    assert set(model.predict(x)) <= {"diverges", "stable"}
    # An output of 0 and 1 with a condition is no continuous one.
    binary = sg.ProbabilityEmulator("> 0.5").fit(x, (margin(x) < 0).astype(float))
    assert binary.method_ in ("gaussian process", "forest")
    assert_allclose(binary.predict_proba(x), sg.ProbabilityEmulator().fit(x, margin(x) < 0).predict_proba(x))


def test_bad_arguments_are_named():
    x = cube(20)
    with pytest.raises(ValueError, match="y is continuous; give a condition"):
        sg.ProbabilityEmulator().fit(x, margin(x))
    with pytest.raises(ValueError, match="only one class"):
        sg.ProbabilityEmulator().fit(x, np.ones(20, dtype=bool))
    with pytest.raises(ValueError, match="equals no number"):
        sg.ProbabilityEmulator("== 0").fit(x, margin(x))
    with pytest.raises(ValueError, match="Only binary classification"):
        sg.ProbabilityEmulator().fit(x, np.arange(20) % 3)
    with pytest.raises(sg.ConditionError):
        sg.ProbabilityEmulator("below 0").fit(x, margin(x))


def test_a_space_and_a_table():
    space = sg.Space(a=sg.Real(0, 1), b=sg.Real(0, 1))
    X = sg.latin_hypercube(space, 40, rng=0)
    model = sg.ProbabilityEmulator("< 0.5").fit(X, X["a"] * X["b"] + X["a"] ** 2, space)
    found = model.predict_proba(pd.DataFrame({"b": [0.1], "a": [0.1]}))
    assert found[0, 1] > 0.99


@pytest.mark.parametrize("noise", ["equal", "by run"])
def test_labels_may_be_learnt_with_known_noise(noise):
    class Known(sg.GaussianProcess):
        def fit(self, X, y, space=None):
            return super().fit(X, y, space, noise_std=np.linspace(0.05, 0.15, len(y)))

    gp = Known(warp=None) if noise == "by run" else sg.GaussianProcess(noise=0.1, warp=None)
    x, new = cube(60), cube(500, 1)
    model = sg.ProbabilityEmulator(emulator=gp).fit(x, margin(x) < 0)
    assert np.shape(model.emulator_.noise_std_) == (() if noise == "equal" else (60,))
    assert (model.predict(new) == (margin(new) < 0)).mean() > 0.85
