"""Radial basis functions: against SciPy, explicit refits, and polynomials that they must reproduce."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.interpolate import RBFInterpolator

import surrogate as sg
from surrogate.emulators.radial_basis import FUNCTIONS, _solve


def smooth(x):
    return np.sin(4 * x[:, 0]) + x[:, 1] ** 2


def data(n=40, seed=0):
    # With the corners, so that scaling to [0, 1] leaves inputs as they are.
    x = np.vstack([[[0.0, 0.0], [1.0, 1.0]], np.random.default_rng(seed).random((n - 2, 2))])
    return x, smooth(x)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("linear", "linear"),
        ("thin_plate", "thin_plate_spline"),
        ("cubic", "cubic"),
        ("quintic", "quintic"),
        ("multiquadric", "multiquadric"),
        ("inverse_multiquadric", "inverse_multiquadric"),
        ("gaussian", "gaussian"),
    ],
)
def test_predictions_are_scipys(name, theirs):
    x, y = data()
    y = y - y.mean()  # without a tail, what is interpolated is the output about its mean
    new = np.random.default_rng(1).random((30, 2))
    ours = sg.RadialBasis(kernel=name, shape=0.25).fit(x, y).predict(new)
    # SciPy multiplies distances by epsilon, and has minimum degrees of its own.
    expected = RBFInterpolator(x, y, kernel=theirs, epsilon=4.0, degree=FUNCTIONS[name].degree)(new)
    assert_allclose(ours, expected, atol=1e-5)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_leave_one_out_is_refitting_without_each_point(name):
    x, y = data(n=25)
    model = sg.RadialBasis(kernel=name, shape=0.3).fit(x, y)
    mean, std = model.leave_one_out()
    points, t = model._solved.points, np.empty(25)
    t[model._group] = (y - y.mean()) / y.std()
    for i in (3, 12, 24):
        k = model._group[i]
        rest = np.arange(25) != k
        without = _solve(points[rest], t[rest], name, model.shape_, 0.0, None)
        value, power = without.predict(points[[k]], with_power=True)
        assert_allclose((mean[i] - y.mean()) / y.std(), value[0], rtol=1e-3, atol=1e-4)
        assert_allclose(std[i] / y.std(), model._noise * np.sqrt(power[0]), rtol=1e-3, atol=1e-6)


def test_the_tail_reproduces_polynomials():
    x, _ = data()
    new = np.random.default_rng(2).uniform(-1, 2, (20, 2))
    linear, quadratic = 3 - x[:, 0] + 2 * x[:, 1], x[:, 0] * x[:, 1] + x[:, 1] ** 2
    assert_allclose(
        sg.RadialBasis(kernel="cubic").fit(x, linear).predict(new), 3 - new[:, 0] + 2 * new[:, 1], atol=1e-8
    )
    found = sg.RadialBasis(kernel="cubic", degree=2).fit(x, quadratic).predict(new)
    assert_allclose(found, new[:, 0] * new[:, 1] + new[:, 1] ** 2, atol=1e-8)


def test_interpolates_and_is_sure_of_it_and_less_so_far_away():
    x, y = data()
    model = sg.RadialBasis().fit(x, y)
    mean, std = model.predict(x, return_std=True)
    assert_allclose(mean, y, atol=1e-4)
    far = model.predict([[3.0, 3.0]], return_std=True)[1]
    assert std.max() < 1e-2 * far


def test_auto_chooses_the_function_that_predicts_left_out_runs_best():
    x, y = data()
    chosen = sg.RadialBasis().fit(x, y)
    for name in ("linear", "cubic"):
        assert chosen.loo_error_ <= sg.RadialBasis(kernel=name).fit(x, y).loo_error_ * (1 + 1e-9)
    new = np.random.default_rng(5).random((500, 2))
    found = sg.diagnose(smooth(new), *chosen.predict(new, return_std=True))
    assert found.q2 > 0.99
    assert found.interval_coverage > 0.8


def test_smoothing_helps_against_noise():
    x, y = data(n=150)
    noisy = y + 0.3 * np.random.default_rng(0).standard_normal(150)
    new = np.random.default_rng(1).random((500, 2))
    error = {
        s: np.mean((sg.RadialBasis(kernel="cubic", smoothing=s).fit(x, noisy).predict(new) - smooth(new)) ** 2)
        for s in (0.0, "auto")
    }
    assert error["auto"] < 0.5 * error[0.0]


def test_awkward_data_are_fitted_without_a_warning():
    x, y = data()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        doubled = sg.RadialBasis().fit(np.vstack([x, x]), np.concatenate([y, y + 2.0]))
        assert_allclose(doubled.predict(x), y + 1.0, atol=1e-5)  # of a repeated point the mean counts
        near = sg.RadialBasis().fit(np.vstack([x, x + 1e-13]), np.tile(y, 2))
        assert_allclose(near.predict(x), y, atol=1e-3)
        constant_column = sg.RadialBasis().fit(np.column_stack([x, np.full(40, 2.0)]), y)
        assert_allclose(constant_column.predict(np.column_stack([x, np.full(40, 2.0)])), y, atol=1e-6)
        assert_allclose(sg.RadialBasis().fit(x, np.full(40, 5.0)).predict([[0.3, 0.3]]), 5.0)
        two = sg.RadialBasis().fit([[0.0], [1.0]], [0.0, 1.0])
        assert_allclose(two.predict([[0.0], [1.0]]), [0.0, 1.0], atol=1e-8)
        for scale in (1e-300, 1e300):
            assert_allclose(sg.RadialBasis().fit(x, scale * y).predict(x) / scale, y, atol=1e-5)


def test_bad_arguments_are_named():
    x, y = data()
    for options, message in [
        ({"kernel": "spline"}, "kernel must be 'auto' or one of"),
        ({"shape": 0.0}, "shape must be positive"),
        ({"smoothing": -1.0}, "smoothing must be"),
        ({"degree": 3}, "degree must be -1, 0, 1 or 2"),
    ]:
        with pytest.raises(ValueError, match=message):
            sg.RadialBasis(**options).fit(x, y)


def test_a_tail_of_too_low_a_degree_is_refused_and_not_tried():
    x, y = data()
    with pytest.raises(ValueError, match="kernel 'cubic' needs degree >= 1, got 0"):
        sg.RadialBasis(kernel="cubic", degree=0).fit(x, y)
    sg.RadialBasis(kernel="gaussian", degree=-1).fit(x, y)
    assert sg.RadialBasis(degree=-1).fit(x, y).kernel_ == "inverse_multiquadric"


@pytest.mark.parametrize(("n", "d"), [(3, 2), (4, 3), (6, 2), (3, 10), (8, 10)])
def test_few_runs_are_gone_through_by_functions_that_so_few_determine(n, d):
    for seed in range(6):
        x = np.random.default_rng(seed).random((n, d))
        y = x.sum(axis=1) ** 2
        assert_allclose(sg.RadialBasis().fit(x, y).predict(x), y, atol=1e-9)
    assert sg.RadialBasis(kernel="quintic").fit(x, y).kernel_ == "linear"
