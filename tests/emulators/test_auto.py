"""The automatic emulator: its weights by hand, what it chooses where, and its mixture."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression

import surrogate as sg
from surrogate.emulators import auto
from surrogate.emulators.stacking import average, stack


def cube(n, d, seed=0):
    return np.random.default_rng(seed).random((n, d))


class Told(RegressorMixin, BaseEstimator):
    """A part whose left-out predictions are given."""

    def __init__(self, offset=0.0, std=0.1, fails=False):
        self.offset = offset
        self.std = std
        self.fails = fails

    def fit(self, X, y):
        if self.fails:
            raise ValueError("not for me")
        self.y_ = np.asarray(y)
        return self

    def predict(self, X, return_std=False):
        mean = np.full(len(X), self.offset)
        return (mean, np.full(len(X), self.std)) if return_std else mean

    def leave_one_out(self):
        return self.y_ + self.offset, np.full(len(self.y_), self.std)


def test_weights_by_hand():
    y = np.array([-1.0, 0.0, 1.0, 0.5])
    means, stds = np.array([y + 0.1, y - 0.4]), np.array([[0.2] * 4, [0.5] * 4])
    found = stack(y, means, stds, sharpness=2.0)
    normal = scipy.stats.norm
    density = np.array([normal.logpdf(0.1, 0, 0.2), normal.logpdf(0.4, 0, 0.5)])
    assert_allclose(found.log_density, density)
    expected = np.exp(2 * density)
    assert_allclose(found.weights, expected / expected.sum())
    assert_allclose(found.inflation, 1.0)  # residuals smaller than promised do not deflate
    mean, std = average(found.weights, means, stds)
    assert_allclose(found.stacked_error, np.mean((mean - y) ** 2))
    assert_allclose(found.stacked_log_density, normal.logpdf(y, mean, std).mean())


def test_too_sure_a_part_is_inflated_before_it_is_weighed():
    y = np.linspace(-1, 1, 5)
    found = stack(y, np.array([y + 0.3]), np.full((1, 5), 0.1), 1.0)
    assert_allclose(found.inflation, 3.0)
    assert_allclose(found.log_density, scipy.stats.norm.logpdf(0.3, 0, 0.3))


def test_the_best_part_alone_where_averaging_does_not_help():
    # Flat weights would mix an exact part with a useless one.
    y = np.linspace(-1, 1, 8)
    found = stack(y, np.array([y + 1e-6, np.zeros(8)]), np.array([[1e-6] * 8, [1.0] * 8]), sharpness=0.05)
    assert found.is_single
    assert_allclose(found.weights, [1, 0])


def test_a_mixtures_moments_are_those_of_its_draws():
    rng = np.random.default_rng(0)
    weights, means, stds = np.array([0.3, 0.7]), np.array([[1.0], [2.0]]), np.array([[0.5], [0.1]])
    part = rng.choice(2, 200_000, p=weights)
    draws = means[part, 0] + stds[part, 0] * rng.standard_normal(200_000)
    assert_allclose(np.array(average(weights, means, stds)).ravel(), [draws.mean(), draws.std()], rtol=5e-3)


def test_a_polynomial_is_seen_as_one():
    x = cube(60, 3)
    model = sg.AutoEmulator().fit(x, x[:, 0] ** 3 - 2 * x[:, 1] * x[:, 2])
    new = cube(100, 3, 1)
    assert_allclose(model.predict(new), new[:, 0] ** 3 - 2 * new[:, 1] * new[:, 2], atol=1e-9)
    assert model.weights_.index[0].startswith("polynomial")


def test_steps_bring_the_forest_in():
    x, new = cube(200, 4), cube(1000, 4, 1)

    def f(x):
        return np.where((x[:, 0] > 0.5) & (x[:, 1] > 0.5) | (x[:, 2] > 0.7) & (x[:, 3] < 0.4), 1.0, 0.0)

    model = sg.AutoEmulator().fit(x, f(x))
    assert model.weights_["forest"] > 0.5
    alone = sg.GaussianProcess().fit(x, f(x))
    assert np.mean((model.predict(new) - f(new)) ** 2) < 0.9 * np.mean((alone.predict(new) - f(new)) ** 2)


def test_smooth_functions_need_no_forest_but_discrete_inputs_do():
    space = sg.Space(a=sg.Real(0, 1), n=sg.Integer(1, 3))
    X = sg.latin_hypercube(space, 40, rng=0)
    assert "forest" in sg.AutoEmulator().fit(X, X["a"] + X["n"], space).scores_.index
    x = cube(40, 2)
    assert "forest" not in sg.AutoEmulator().fit(x, np.sin(3 * x[:, 0]) + x[:, 1]).scores_.index


def test_accuracy_and_calibration_on_new_points():
    def f(x):
        return np.exp(x[:, 0]) * np.sin(5 * x[:, 1]) + np.abs(x[:, 2] - 0.4)

    x, new = cube(60, 3), cube(2000, 3, 1)
    model = sg.AutoEmulator().fit(x, f(x))
    found = sg.diagnose(f(new), *model.predict(new, return_std=True))
    assert found.q2 > 0.99
    assert 0.85 < found.interval_coverage <= 1.0
    table = sg.leave_one_out_table(model, f(x))
    assert_allclose(1 - np.mean((table["mean"] - f(x)) ** 2) / f(x).var(), model.q2_, atol=1e-6)


def test_what_was_chosen_is_told():
    x = cube(40, 2)
    model = sg.AutoEmulator().fit(x, np.sin(6 * x[:, 0]) * x[:, 1])
    assert list(model.scores_.columns) == ["weight", "q2", "log_density", "inflation", "seconds", "problem"]
    assert_allclose(model.weights_.sum(), 1.0)
    assert (model.weights_.diff().dropna() <= 0).all()
    assert (model.scores_["inflation"].dropna() >= 1).all()
    assert set(model.parts_) == set(model.weights_.index[model.weights_ >= auto.LEAST_WEIGHT])
    assert model.weights_.index[0] in model.reason_
    assert "Q2" in model.reason_


def test_parts_of_ones_own_and_what_is_wrong_with_them():
    x, y = cube(20, 2), np.linspace(0, 1, 20)
    parts = [("good", Told(0.01)), ("bad", Told(0.5)), ("broken", Told(fails=True))]
    model = sg.AutoEmulator(parts).fit(x, y)
    assert model.weights_.index[0] == "good"
    assert "not for me" in model.scores_.loc["broken", "problem"]
    assert model.scores_.loc["broken", "weight"] == 0.0
    with pytest.raises(ValueError, match="no part could be fitted"):
        sg.AutoEmulator([("broken", Told(fails=True))]).fit(x, y)
    with pytest.raises(TypeError, match="wrap a plain regressor in ConformalEmulator"):
        sg.AutoEmulator({"plain": LinearRegression()}).fit(x, y)
    with pytest.raises(ValueError, match="different names"):
        sg.AutoEmulator([("a", Told()), ("a", Told())]).fit(x, y)
    with pytest.raises(ValueError, match="at least one emulator"):
        sg.AutoEmulator([]).fit(x, y)
    with pytest.raises(ValueError, match="noise must be"):
        sg.AutoEmulator(noise=0.1).fit(x, y)


def test_probability_is_the_mixtures():
    x = cube(30, 2)
    model = sg.AutoEmulator([("a", Told(0.02, 0.1)), ("b", Told(-0.1, 0.15))]).fit(x, x[:, 0])
    weight = model.weights_["a"]
    found = model.probability(x[:1], below=0.05)
    normal = scipy.stats.norm
    inflated = model.scores_["inflation"]
    a = normal.cdf(0.05, 0.02, 0.1 * inflated["a"])
    b = normal.cdf(0.05, -0.1, 0.15 * inflated["b"])
    assert_allclose(found, weight * a + (1 - weight) * b)
    assert_allclose(model.probability(x[:1], above=0.05), 1 - found)
    between = model.probability(x[:1], above=0.0, below=0.05)
    assert_allclose(between, found - model.probability(x[:1], below=0.0))
    with pytest.raises(ValueError, match="give below, above, or both"):
        model.probability(x)


def test_many_runs_are_screened_first(monkeypatch):
    monkeypatch.setattr(auto, "SCREEN_ROWS", 40)
    x = cube(120, 2)
    y = x[:, 0] ** 2 + x[:, 1]
    model = sg.AutoEmulator().fit(x, y)
    assert_allclose(model.predict(x), y, atol=1e-6)
    screened = model.scores_["problem"].str.contains("little weight on 40 runs")
    assert screened.any()
    assert (model.scores_.loc[screened, "weight"] == 0).all()
    assert len(model.leave_one_out()[0]) == 120


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_units_do_not_matter(scale):
    x = cube(30, 2)
    y = np.sin(5 * x[:, 0]) + np.abs(x[:, 1] - 0.3)
    base, base_std = sg.AutoEmulator().fit(x, y).predict(x[:5] * 0.9, return_std=True)
    mean, std = sg.AutoEmulator().fit(x, scale * y).predict(x[:5] * 0.9, return_std=True)
    assert_allclose(mean / scale, base, rtol=1e-3, atol=1e-6)
    assert_allclose(std / scale, base_std, rtol=1e-2, atol=1e-8)


def test_awkward_data():
    x = cube(20, 2)
    constant = sg.AutoEmulator().fit(x, np.full(20, 7.0))
    assert_allclose(constant.predict(x), 7.0)
    assert constant.reason_ == "All outputs are the same number."
    doubled = sg.AutoEmulator().fit(np.vstack([x, x]), np.tile(x[:, 0], 2))
    assert_allclose(doubled.predict(x), x[:, 0], atol=1e-3)
    few = sg.AutoEmulator().fit([[0.0], [0.4], [1.0]], [0.0, 0.4, 1.0])
    assert np.isfinite(few.predict([[0.2]], return_std=True)).all()
    noisy = sg.AutoEmulator(noise="estimate").fit(x, x[:, 0] + 0.1 * np.random.default_rng(0).standard_normal(20))
    assert np.sqrt(np.mean((noisy.predict(x) - x[:, 0]) ** 2)) < 0.1
