"""The Gaussian process: against formulas, against scikit-learn, and where data are awkward."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.utils.estimator_checks import parametrize_with_checks

import surrogate as sg
from surrogate.emulators.gp.likelihood import MAX_NUGGET


@parametrize_with_checks([sg.GaussianProcess()])
def test_is_a_regressor(estimator, check):
    check(estimator)


def smooth(x):
    return np.sin(5 * x[:, 0]) + x[:, 1] ** 2


def data(n=30, d=3, seed=0):
    x = np.random.default_rng(seed).random((n, d))
    return x, smooth(x)


PLAIN = {
    "kernel": "matern52",
    "trend": "constant",
    "anova": False,
    "warp": None,
    "hyper_uncertainty": False,
    "calibrate": False,
}


def product_matern52(a, b, scales):
    # Rasmussen and Williams (2006), eq. 4.17, one input at a time.
    r = np.sqrt(5) * np.abs(a[:, None, :] - b[None, :, :]) / scales
    return ((1 + r + r**2 / 3) * np.exp(-r)).prod(axis=2)


def test_prediction_is_universal_kriging_written_out():
    # Sacks et al. (1989), eqs. 7-9, with plain inverses.
    x, y = data(n=15)
    gp = sg.GaussianProcess(nugget=1e-8, **PLAIN).fit(x, y)
    new = np.random.default_rng(1).random((5, 3))
    inverse = np.linalg.inv(product_matern52(x, x, gp.length_scales_) + gp.nugget_ * np.eye(15))
    cross = product_matern52(new, x, gp.length_scales_)
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
    # Of Student's t with 14 degrees of freedom.
    assert_allclose(std, np.sqrt(spread * 14 / 12), rtol=1e-3)
    assert_allclose(gp.variance_, variance, rtol=1e-5)


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
