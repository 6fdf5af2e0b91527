"""Several levels of truth, and derivatives: against published examples, explicit formulas and finite differences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import surrogate as sg

GRID = np.linspace(0, 1, 101)[:, None]
FEW, MANY = np.array([[0.0], [0.4], [0.6], [1.0]]), np.linspace(0, 1, 11)[:, None]


def true(x):  # Forrester, Sobester, Keane, "Multi-fidelity optimization via surrogate modelling", 2007, sec. 3
    return (6 * x[:, 0] - 2) ** 2 * np.sin(12 * x[:, 0] - 4)


def cheap(x):
    return 0.5 * true(x) + 10 * (x[:, 0] - 0.5) - 5


def test_forresters_example():
    model = sg.MultiFidelity().fit([FEW, MANY], [true(FEW), cheap(MANY)])
    # true = 2 cheap - 20 x + 20: the factor is known, and four runs are enough.
    assert_allclose(model.scales_, [2.0], atol=1e-3)
    mean, std = model.predict(GRID, return_std=True)
    assert np.sqrt(np.mean((mean - true(GRID)) ** 2)) < 0.1
    alone = sg.GaussianProcess().fit(FEW, true(FEW)).predict(GRID)
    assert np.sqrt(np.mean((alone - true(GRID)) ** 2)) > 3.0
    # At a run of the truest level nothing is unknown; elsewhere at least what is unknown of the cheap level, doubled.
    assert model.predict(FEW, return_std=True)[1].max() < 1e-2
    below = model.predict(GRID, return_std=True, level=1)[1]
    assert (std >= 2 * below * (1 - 1e-6)).all()
    assert_allclose(model.predict(MANY, level=1), cheap(MANY), atol=1e-3)


def test_lists_a_level_array_and_a_level_column_are_the_same():
    lists = sg.MultiFidelity().fit([FEW, MANY], [true(FEW), cheap(MANY)])
    x, y = np.vstack([MANY, FEW]), np.concatenate([cheap(MANY), true(FEW)])
    level = np.repeat([1, 0], [11, 4])
    array = sg.MultiFidelity().fit(x, y, level=level)
    frame = sg.MultiFidelity().fit(pd.DataFrame({"x": x[:, 0], "level": level}), y, level="level")
    assert_allclose(array.predict(GRID), lists.predict(GRID), rtol=1e-9)
    assert_allclose(frame.predict(pd.DataFrame({"x": GRID[:, 0]})), lists.predict(GRID), rtol=1e-9)


def test_three_levels_that_are_not_nested_and_a_useless_one():
    rng = np.random.default_rng(0)
    x0, x1, x2 = rng.random((8, 2)), rng.random((20, 2)), rng.random((60, 2))
    new = rng.random((500, 2))

    def f(x):
        return np.sin(8 * x[:, 0]) + x[:, 1] ** 2

    levels = [f(x0), 1.5 * f(x1) + 0.3 * x1[:, 0], 0.7 * f(x2) - 1]
    model = sg.MultiFidelity().fit([x0, x1, x2], levels)
    assert model.n_levels_ == 3
    assert_allclose(model.scales_, [1 / 1.5, 1.5 / 0.7], rtol=0.1)
    error = np.sqrt(np.mean((model.predict(new) - f(new)) ** 2))
    assert error < 0.3 * np.sqrt(np.mean((sg.GaussianProcess().fit(x0, f(x0)).predict(new) - f(new)) ** 2))
    noise = sg.MultiFidelity(trend="constant").fit([x1, x2], [f(x1), rng.standard_normal(60)])
    assert np.sqrt(np.mean((noise.predict(new) - f(new)) ** 2)) < 0.5 * f(new).std()


def test_left_out_runs_of_the_truest_level():
    rng = np.random.default_rng(1)
    x0, x1 = rng.random((12, 1)), rng.random((30, 1))
    model = sg.MultiFidelity(trend="constant").fit([x0, x1], [true(x0), cheap(x1)])
    mean, std = model.leave_one_out()
    i = 5
    rest = np.arange(12) != i
    process, z = model._processes[0], model._inputs.scaled(x0)
    place = np.flatnonzero(model._group == model._group[i])[0]
    assert place == i
    problem = process.posterior.problem
    keep = np.arange(12) != model._group[i]
    without = process.refitted(problem.z[keep], problem.y[keep], problem.basis[keep])
    again, _ = without.predict(problem.z[~keep], problem.basis[~keep], with_variance=True)
    assert_allclose(mean[i], model._scaled[0].backward(again)[0], rtol=1e-4, atol=1e-4)
    assert (std > 0).all()
    assert len(z) == len(mean) == rest.sum() + 1


def test_bad_levels_are_named():
    x, y = np.vstack([FEW, MANY]), np.arange(15.0)
    with pytest.raises(ValueError, match=r"numbered 0 \(the truest\), 1, ... without a gap, got \[0, 2\]"):
        sg.MultiFidelity().fit(x, y, level=np.repeat([0, 2], [4, 11]))
    with pytest.raises(ValueError, match="level must be an array of shape"):
        sg.MultiFidelity().fit(x, y, level=[0, 1])
    with pytest.raises(ValueError, match="must name a column"):
        sg.MultiFidelity().fit(x, y, level="fidelity")
    with pytest.raises(ValueError, match="list of 2 levels; y must be a list"):
        sg.MultiFidelity().fit([FEW, MANY], y)
    with pytest.raises(ValueError, match="level must lie in 0 to 1, got 2"):
        sg.MultiFidelity().fit([FEW, MANY], [true(FEW), cheap(MANY)]).predict(GRID, level=2)
    with pytest.raises(ValueError, match="kernel must be one of"):
        sg.MultiFidelity(kernel="cubic").fit(x, y)


def test_a_cheaper_level_that_is_constant_is_named():
    with pytest.raises(ValueError, match=r"level 1: all 11 outputs are 2\.0, .*; leave level 1 out"):
        sg.MultiFidelity().fit([FEW, MANY], [true(FEW), np.full(11, 2.0)])


def test_the_range_of_the_inputs_is_that_of_all_levels():
    inner = FEW[1:3]
    model = sg.MultiFidelity(trend="constant").fit([MANY, inner], [true(MANY), cheap(inner)])
    assert model.input_range_.tolist() == [[0.0], [1.0]]


def field(x):
    return np.sin(3 * x[:, 0]) * x[:, 1] + x[:, 2] ** 2


def slopes(x):
    return np.column_stack([3 * np.cos(3 * x[:, 0]) * x[:, 1], np.sin(3 * x[:, 0]), 2 * x[:, 2]])


@pytest.mark.parametrize("kernel", ["squared_exponential", "matern52"])
def test_likelihood_gradient_is_the_finite_difference(kernel):
    x = np.random.default_rng(0).random((10, 3))
    model = sg.GradientEnhanced(kernel=kernel, nugget=1e-8).fit(x, field(x), slopes(x))
    theta, step = np.log([0.5, 0.9, 2.0]), 1e-5
    numeric = [
        (model._likelihood(theta + step * e)[0] - model._likelihood(theta - step * e)[0]) / (2 * step)
        for e in np.eye(3)
    ]
    assert_allclose(model._likelihood(theta)[1], numeric, rtol=1e-4)


@pytest.mark.parametrize("kernel", ["squared_exponential", "matern52"])
def test_predictions_have_the_given_values_and_derivatives(kernel):
    # In units of their own: inputs in other ranges, outputs in thousands.
    x = np.random.default_rng(0).random((12, 3)) * [10.0, 0.1, 1.0]
    unit = np.array([0.1, 10.0, 1.0])
    y, gradients = 1000 * field(x * unit), 1000 * slopes(x * unit) * unit
    model = sg.GradientEnhanced(kernel=kernel).fit(x, y, gradients)
    assert_allclose(model.predict(x), y, rtol=2e-3)
    for j in range(3):
        step = 1e-4 / unit[j] * np.eye(3)[j]
        numeric = (model.predict(x + step) - model.predict(x - step)) / (2 * step[j])
        assert_allclose(numeric, gradients[:, j], rtol=1e-2, atol=1e-2 * np.abs(gradients[:, j]).max())


def test_derivatives_are_worth_runs_and_some_of_them_may_be_missing():
    rng = np.random.default_rng(0)
    x, new = rng.random((15, 3)), rng.random((1000, 3))
    gradients = slopes(x)
    partly = gradients.copy()
    partly[::2, 1] = np.nan
    error = {
        name: np.sqrt(np.mean((sg.GradientEnhanced().fit(x, field(x), given).predict(new) - field(new)) ** 2))
        for name, given in {"none": None, "partly": partly, "all": gradients}.items()
    }
    assert error["all"] < 0.1 * error["none"]
    assert error["partly"] < 0.3 * error["none"]
    found = sg.diagnose(field(new), *sg.GradientEnhanced().fit(x, field(x), gradients).predict(new, return_std=True))
    assert found.interval_coverage > 0.85


def test_leaving_out_a_run_leaves_out_its_derivatives():
    x = np.random.default_rng(0).random((10, 3))
    y, gradients = field(x), slopes(x)
    model = sg.GradientEnhanced(nugget=1e-8).fit(x, y, gradients)
    mean, std = model.leave_one_out()
    i = 4
    hidden, blind = y.copy(), gradients.copy()
    hidden[i], blind[i] = 99.0, -99.0
    other = sg.GradientEnhanced(nugget=1e-8).fit(x, hidden, blind)
    # The same hyper-parameters and variance, whatever the left-out run says of itself.
    other._scales, other._scaled, other._variance = model._scales, model._scaled, model._variance
    targets = np.column_stack(
        [model._scaled.forward(hidden), blind * model._width / model._scaled.spread(np.ones(1))[0]]
    )
    other._t = targets.T.ravel()
    other._lower = model._lower
    again, again_std = other.leave_one_out()
    assert_allclose(again[i], mean[i], rtol=1e-3, atol=1e-3)
    assert_allclose(again_std[i], std[i], rtol=1e-6)


def test_bad_derivatives_are_named():
    x = np.random.default_rng(0).random((5, 3))
    with pytest.raises(ValueError, match=r"gradients must have shape \(5, 3\)"):
        sg.GradientEnhanced().fit(x, field(x), slopes(x)[:, :2])
    with pytest.raises(ValueError, match="must be finite, or NaN"):
        sg.GradientEnhanced().fit(x, field(x), np.full((5, 3), np.inf))
    with pytest.raises(ValueError, match="kernel must be one of"):
        sg.GradientEnhanced(kernel="linear").fit(x, field(x))


@pytest.mark.parametrize("kernel", ["squared_exponential", "matern52"])
def test_derivatives_count_where_all_outputs_are_the_same(kernel):
    x = np.linspace(0, 1, 3)[:, None]
    model = sg.GradientEnhanced(kernel=kernel).fit(x, np.full(3, 5.0), 2 * np.pi * np.cos(2 * np.pi * x))
    mean, std = model.predict([[0.25], [0.75]], return_std=True)
    assert_allclose(mean, [6.0, 4.0], atol=0.3)
    assert (std > 0).all()
    flat = sg.GradientEnhanced(kernel=kernel).fit(x, np.full(3, 5.0), np.zeros((3, 1)))
    assert_allclose(flat.predict([[0.3]]), 5.0)


def test_a_single_point_given_twice_is_its_value():
    assert_allclose(sg.GradientEnhanced().fit([[0.0], [0.0]], [2.0, 2.0]).predict([[0.5]]), 2.0)


@pytest.mark.parametrize("size", [1e-11, 1e9, 1e12])
def test_a_cheaper_level_may_have_any_size(size):
    x, wide = np.array([[0.0], [0.4], [0.6], [1.0]]), np.linspace(0, 1, 11)[:, None]

    def truth(x):
        return (6 * x[:, 0] - 2) ** 2 * np.sin(12 * x[:, 0] - 4)

    cheap = 0.5 * truth(wide) + 10 * (wide[:, 0] - 0.5) - 5
    new = np.linspace(0, 1, 50)[:, None]
    same = sg.MultiFidelity().fit([x, wide], [truth(x), cheap]).predict(new)
    assert_allclose(sg.MultiFidelity().fit([x, wide], [truth(x), size * cheap]).predict(new), same, atol=0.02)
