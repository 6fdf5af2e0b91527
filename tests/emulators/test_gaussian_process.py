"""The Gaussian process: against formulas, against scikit-learn, and where data are awkward."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.gaussian_process.kernels import Matern
from sklearn.utils.estimator_checks import parametrize_with_checks

import surrogate as sg
from surrogate.emulators.gp.kernels import matern52, squared_distances
from surrogate.emulators.gp.likelihood import MAX_NUGGET, factorise, negative_log_likelihood


@parametrize_with_checks([sg.GaussianProcess()])
def test_is_a_regressor(estimator, check):
    check(estimator)


def smooth(x):
    return np.sin(5 * x[:, 0]) + x[:, 1] ** 2


def data(n=30, d=3, seed=0):
    x = np.random.default_rng(seed).random((n, d))
    return x, smooth(x)


def test_kernel_is_scikit_learns_matern():
    x, _ = data()
    scales = np.array([0.3, 1.0, 4.0])
    ours = matern52(squared_distances(x, x[:7], scales))
    assert_allclose(ours, Matern(scales, nu=2.5)(x, x[:7]), atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-2.0, 2.0), min_size=3, max_size=3))
def test_gradient_is_the_finite_difference(log_scales):
    x, y = data()
    theta = np.array(log_scales)
    _, gradient = negative_log_likelihood(theta, x, y, 1e-8)
    step = 1e-5
    numeric = [
        (
            negative_log_likelihood(theta + step * e, x, y, 1e-8)[0]
            - negative_log_likelihood(theta - step * e, x, y, 1e-8)[0]
        )
        / (2 * step)
        for e in np.eye(3)
    ]
    assert_allclose(gradient, numeric, rtol=1e-3, atol=1e-3)


def test_likelihood_is_the_restricted_likelihood_of_the_definition():
    # Harville (1974): density of n - 1 contrasts of y, here from an orthonormal basis of the constants' complement.
    x, y = data(n=12)
    theta = np.log([0.4, 0.9, 1.5])
    correlation = matern52(squared_distances(x, x, np.exp(theta))) + 1e-8 * np.eye(12)
    basis = np.linalg.qr(np.column_stack([np.ones(12), np.eye(12)[:, :11]]))[0][:, 1:]
    projected = basis.T @ correlation @ basis
    contrasts = basis.T @ y
    variance = contrasts @ np.linalg.solve(projected, contrasts) / 11
    expected = 0.5 * (11 * np.log(variance) + np.linalg.slogdet(projected)[1])
    value, _ = negative_log_likelihood(theta, x, y, 1e-8)
    # det(R) 1' inv(R) 1 = n det(projected): the constant is half the logarithm of n.
    assert_allclose(value, expected + 0.5 * np.log(12), rtol=1e-7)


def test_prediction_is_universal_kriging_written_out():
    # Sacks et al. (1989), eqs. 7-9, with plain inverses.
    x, y = data(n=15)
    gp = sg.GaussianProcess(nugget=1e-8).fit(x, y)
    new = np.random.default_rng(1).random((5, 3))
    correlation = matern52(squared_distances(x, x, gp.length_scales_)) + gp.nugget_ * np.eye(15)
    cross = matern52(squared_distances(new, x, gp.length_scales_))
    inverse = np.linalg.inv(correlation)
    ones = np.ones(15)
    information = ones @ inverse @ ones
    mean = (ones @ inverse @ y) / information
    residual = y - mean
    variance = residual @ inverse @ residual / 14
    expected = mean + cross @ inverse @ residual
    trend = (1 - cross @ inverse @ ones) ** 2 / information
    spread = variance * (1 - np.einsum("ij,jk,ik->i", cross, inverse, cross) + trend)
    predicted, std = gp.predict(new, return_std=True)
    assert_allclose(predicted, expected, rtol=1e-5)
    assert_allclose(std, np.sqrt(spread), rtol=1e-3)
    assert_allclose([gp.mean_, gp.variance_], [mean, variance], rtol=1e-5)


def test_leave_one_out_is_refitting_without_each_point():
    x, y = data(n=14)
    gp = sg.GaussianProcess(nugget=1e-8).fit(x, y)
    mean, std = gp.leave_one_out()
    scaled = (x - x.min(axis=0)) / np.ptp(x, axis=0)
    scales = gp.length_scales_ / np.ptp(x, axis=0)
    for i in (0, 5, 13):
        rest = np.arange(14) != i
        f = factorise(matern52(squared_distances(scaled[rest], scaled[rest], scales)), y[rest], gp.nugget_)
        cross = matern52(squared_distances(scaled[[i]], scaled[rest], scales))[0]
        assert_allclose(mean[i], f.mean + cross @ f.weights, rtol=1e-4, atol=1e-6)
        explained = cross @ np.linalg.solve(f.lower @ f.lower.T, cross)
        trend = (1 - cross @ f.inverse_ones) ** 2 / f.ones_information
        # The closed form keeps the process variance of all points (and their nugget at the point itself).
        assert_allclose(std[i] ** 2, gp.variance_ * (1 + gp.nugget_ - explained + trend), rtol=1e-3)


def test_optimum_is_stationary_and_better_than_random_length_scales():
    x, y = data(n=40)
    gp = sg.GaussianProcess().fit(x, y)
    rng = np.random.default_rng(0)
    for _ in range(50):
        other = rng.uniform(np.log(0.1), np.log(50), 3)
        assert -negative_log_likelihood(other, gp._z, gp._t, gp.nugget_)[0] <= gp.log_likelihood_ + 3.0


def test_interpolates_and_is_sure_of_it():
    x, y = data(n=40)
    mean, std = sg.GaussianProcess().fit(x, y).predict(x, return_std=True)
    assert_allclose(mean, y, atol=1e-5)
    assert (std < 1e-3).all()


def test_accuracy_and_calibration_on_new_points():
    x, y = data(n=60)
    gp = sg.GaussianProcess().fit(x, y)
    new = np.random.default_rng(9).random((2000, 3))
    mean, std = gp.predict(new, return_std=True)
    found = sg.diagnose(smooth(new), mean, std)
    assert found.q2 > 0.999
    assert found.interval_coverage > 0.9
    # The standard deviation grows with the error, it is no constant.
    error = np.abs(smooth(new) - mean)
    assert error[std > np.median(std)].mean() > 1.5 * error[std <= np.median(std)].mean()


def test_an_input_without_effect_gets_the_longest_scale():
    x, y = data(n=60)
    assert np.argmax(sg.GaussianProcess().fit(x, y).length_scales_) == 2


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1e12, 1e300])
def test_units_do_not_matter(scale):
    x, y = data()
    base, base_std = sg.GaussianProcess().fit(x, y).predict(x[:4] * 0.9, return_std=True)
    mean, std = sg.GaussianProcess().fit(x * 1e6, scale * y).predict(x[:4] * 0.9e6, return_std=True)
    assert_allclose(mean / scale, base, rtol=1e-4, atol=1e-7)
    assert_allclose(std / scale, base_std, rtol=1e-2, atol=1e-7)


def test_awkward_data_are_fitted_without_a_warning():
    rng = np.random.default_rng(0)
    x = rng.random((20, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        doubled = sg.GaussianProcess().fit(np.vstack([x, x]), np.tile(x[:, 0], 2))
        assert_allclose(doubled.predict(x), x[:, 0], atol=1e-3)
        near = sg.GaussianProcess().fit(np.vstack([x, x + 1e-12]), np.tile(x[:, 0], 2))
        assert_allclose(near.predict(x), x[:, 0], atol=1e-3)
        constant_column = sg.GaussianProcess().fit(np.column_stack([x[:, 0], np.full(20, 3.0)]), x[:, 0])
        assert_allclose(constant_column.predict([[0.5, 3.0]]), 0.5, atol=1e-2)
        constant, std = sg.GaussianProcess().fit(x, np.full(20, 7.0)).predict([[0.5, 0.5]], return_std=True)
        assert_allclose(constant, 7.0)
        assert std[0] < 1e-6
        two = sg.GaussianProcess().fit([[0.0], [1.0]], [0.0, 1.0])
        assert_allclose(two.predict([[0.0], [1.0]]), [0.0, 1.0], atol=1e-4)


def test_contradicting_duplicates_raise_the_nugget_and_meet_in_the_middle():
    x = np.repeat(np.linspace(0, 1, 6), 2)[:, None]
    y = np.tile([0.0, 1.0], 6)
    gp = sg.GaussianProcess().fit(x, y)
    assert gp.nugget_ <= MAX_NUGGET
    assert_allclose(gp.predict([[0.2]]), 0.5, atol=0.01)


def test_bad_input_is_named():
    x, y = data()
    with pytest.raises(ValueError, match="NaN"):
        sg.GaussianProcess().fit(np.where(x < 0.01, np.nan, np.nan), y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        sg.GaussianProcess().fit(x, y[:-1])
    with pytest.raises(ValueError, match="nugget must not be negative"):
        sg.GaussianProcess(nugget=-1.0).fit(x, y)
    with pytest.raises(ValueError, match="n_starts must be at least 1"):
        sg.GaussianProcess(n_starts=0).fit(x, y)
    with pytest.raises(ValueError, match="features"):
        sg.GaussianProcess().fit(x, y).predict(x[:, :2])
