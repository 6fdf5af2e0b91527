"""Sparse polynomial chaos: against closed forms, explicit regressions and scikit-learn's least angle regression."""

from __future__ import annotations

from math import comb, factorial

import numpy as np
import pandas as pd
import pytest
import scipy.special
import scipy.stats
from numpy.testing import assert_allclose
from sklearn.linear_model import lars_path

import surrogate as sg
from surrogate.emulators.orthogonal import functions_of, hermite, hyperbolic_indices, legendre, observed, products
from surrogate.emulators.polynomial_chaos import _corrected_errors, _take_in


def test_legendre_and_hermite_are_the_textbooks():
    t = np.linspace(-1, 1, 7)
    ours = legendre("affine").values(t, 6)
    assert_allclose(ours, [[scipy.special.eval_legendre(k, v) * np.sqrt(2 * k + 1) for k in range(6)] for v in t])
    ours = hermite("affine").values(3 * t, 6)
    expected = [[scipy.special.eval_hermitenorm(k, v) / np.sqrt(factorial(k)) for k in range(6)] for v in 3 * t]
    assert_allclose(ours, expected, atol=1e-12)


@pytest.mark.parametrize(
    "distribution",
    [scipy.stats.beta(2, 5), scipy.stats.expon(1, 2), scipy.stats.truncnorm(-1, 2)],
    ids=lambda d: d.dist.name,
)
def test_polynomials_are_orthonormal_under_a_distribution(distribution):
    functions = functions_of(sg.Real.distributed(distribution))
    for i in range(4):
        for j in range(i + 1):

            def product(x, i=i, j=j):
                values = functions.values(np.atleast_1d(x), 4)
                return values[:, i] * values[:, j]

            found = distribution.expect(lambda x, p=product: p(x)[0], limit=200)
            assert_allclose(found, float(i == j), atol=1e-3)


@pytest.mark.parametrize("shape", [1.0, 2.5])
def test_a_heavy_tail_is_seen_through_its_normal_score(shape):
    # The logarithm of a lognormal number is normal: degree one is exact where moments of the number itself explode.
    parameter = sg.Real.distributed(scipy.stats.lognorm(shape))
    x = parameter.from_unit([0.1, 0.5, 0.9])
    assert_allclose(functions_of(parameter).values(x, 2)[:, 1], np.log(x) / shape, atol=1e-9)


@pytest.mark.parametrize(
    "parameter",
    [sg.Integer(3, 9), sg.Ordinal(["a", "b", "c"]), sg.Categorical(list("wxyz"))],
    ids=lambda p: p.kind,
)
def test_functions_of_levels_are_orthonormal_and_complete(parameter):
    levels = parameter.from_unit((np.arange(84) + 0.5) / 84)  # 84 is a multiple of 7, 3 and 4
    functions = functions_of(parameter)
    size = len(functions.degrees)
    values = functions.values(levels, size)
    assert size == len(set(levels))
    assert_allclose(values.T @ values / 84, np.eye(size), atol=1e-12)


def test_numbers_of_terms():
    degrees = [np.arange(10)] * 3
    assert len(hyperbolic_indices(degrees, 4, 1.0, 1000)) == comb(3 + 4, 4)
    # sqrt(a) + sqrt(b) <= 2 leaves of the interactions only (1, 1).
    two = hyperbolic_indices(degrees[:2], 4, 0.5, 1000)
    assert sorted(map(tuple, two[(two > 0).all(axis=1)])) == [(1, 1)]
    assert len(two) == 1 + 2 * 4 + 1
    assert hyperbolic_indices(degrees, 4, 1.0, 34) is None
    assert (hyperbolic_indices(degrees, 4, 1.0, 1000, max_interaction=1) > 0).sum(axis=1).max() == 1


def test_ishigami_in_closed_form():
    # Sudret (2008), sec. 6.2; Saltelli et al. (2008), a = 7, b = 0.1.
    a, b = 7.0, 0.1
    space = sg.Space({name: sg.Real(-np.pi, np.pi) for name in "xyz"})
    X = sg.latin_hypercube(space, 200, rng=0)
    pce = sg.PolynomialChaos().fit(
        X, np.sin(X["x"]) + a * np.sin(X["y"]) ** 2 + b * X["z"] ** 4 * np.sin(X["x"]), space
    )
    v_x, v_y, v_xz = (1 + b * np.pi**4 / 5) ** 2 / 2, a**2 / 8, b**2 * np.pi**8 * (1 / 18 - 1 / 50)
    total = v_x + v_y + v_xz
    assert_allclose([pce.mean_, pce.variance_], [a / 2, total], rtol=1e-4)
    indices = pce.sobol_indices()
    assert list(indices.index) == ["x", "y", "z"]
    assert_allclose(indices["first"], np.array([v_x, v_y, 0.0]) / total, atol=1e-4)
    assert_allclose(indices["total"], np.array([v_x + v_xz, v_y, v_xz]) / total, atol=1e-4)


def test_a_polynomial_of_mixed_inputs_is_found_term_by_term():
    space = sg.Space(
        a=sg.Real(0, 2),
        b=sg.Real.distributed(scipy.stats.norm(3, 2)),
        rate=sg.Real(0.01, 1, log=True),
        n=sg.Integer(1, 4),
        kind=sg.Categorical(["u", "v", "w"]),
    )

    def f(X):
        return X["a"] * (X["b"] - 3) ** 2 + np.log10(X["rate"]) + 2.0 * (X["kind"] == "v") * X["n"]

    X, new = (sg.latin_hypercube(space, n, rng=n) for n in (120, 50))
    pce = sg.PolynomialChaos().fit(X, f(X), space)
    assert_allclose(pce.predict(new), f(new), atol=1e-8)
    # E[a] E[(b - 3)^2] + E[log10 rate] + 2 / 3 E[n]
    assert_allclose(pce.mean_, 1 * 4 - 1 + 2 / 3 * 2.5, atol=1e-8)


def regression_data(n=40, d=3, noise=0.1):
    rng = np.random.default_rng(3)
    x = rng.random((n, d))
    functions = observed(x)
    terms = hyperbolic_indices([f.degrees for f in functions], 4, 1.0, 1000)
    y = np.sin(4 * x[:, 0]) + x[:, 1] * x[:, 2] + noise * rng.standard_normal(n)
    return products(functions, list(x.T), terms), (y - y.mean()) / y.std()


def test_a_path_is_the_regressions_of_its_terms_in_and_out_of_each_fold():
    columns, z = regression_data()
    fold = np.arange(40) % 4
    path = _take_in(columns, z, fold, "stepwise", np.ones(columns.shape[1]), 12)
    for size in (1, 5, 12):
        chosen = columns[:, path.order[:size]]
        assert_allclose(path.fitted[size - 1], chosen @ np.linalg.lstsq(chosen, z, rcond=None)[0], atol=1e-10)
        hat = chosen @ np.linalg.pinv(chosen)
        assert_allclose(path.residual_leverage[size - 1], np.diag(hat), atol=1e-10)
        for i in range(4):
            own = columns[:, path.fold_orders[i][:size]]
            beta = np.linalg.lstsq(own[fold != i], z[fold != i], rcond=None)[0]
            assert_allclose(path.held_out[size - 1][fold == i], (own @ beta)[fold == i], atol=1e-9)
    # Each term lowers the sum of squares more than any other would have.
    residual = z - path.fitted[4]
    left = columns - columns[:, path.order[:5]] @ np.linalg.lstsq(columns[:, path.order[:5]], columns, rcond=None)[0]
    size = (left**2).sum(axis=0)
    gain = np.where(size > 1e-8, (left.T @ residual) ** 2 / np.maximum(size, 1e-8), 0.0)
    assert path.order[5] == gain.argmax()
    # An average of sizes is the average of their regressions.
    weights = np.zeros(12)
    weights[[4, 11]] = 0.3, 0.7
    expected = 0.3 * path.fitted[4] + 0.7 * path.fitted[11]
    assert_allclose(columns[:, path.order] @ path.coefficients(weights), expected, atol=1e-10)


def test_least_angle_regression_takes_terms_in_like_scikit_learn():
    columns, z = regression_data(noise=0.3)
    centred = columns[:, 1:] - columns[:, 1:].mean(axis=0)
    _, active, _ = lars_path(centred / np.linalg.norm(centred, axis=0), z - z.mean(), method="lar", max_iter=10)
    # The same problem: columns without their mean, beside the constant.
    mine = np.column_stack([np.ones(len(z)), centred])
    path = _take_in(mine, z, np.zeros(len(z), dtype=int), "lars", np.ones(mine.shape[1]), 11)
    assert (path.order[1:11] - 1).tolist() == list(active[:10])


def test_corrected_error_written_out():
    # Blatman and Sudret (2011), eqs. 29-31.
    columns, z = regression_data(n=30)
    path = _take_in(columns, z, np.zeros(30, dtype=int), "stepwise", np.ones(columns.shape[1]), 6)
    chosen = columns[:, path.order]
    errors = []
    for i in range(30):
        rest = np.arange(30) != i
        errors.append(z[i] - chosen[i] @ np.linalg.lstsq(chosen[rest], z[rest], rcond=None)[0])
    factor = 30 / (30 - 6) * (1 + np.trace(np.linalg.inv(chosen.T @ chosen)))
    assert_allclose(_corrected_errors(path, z)[-1], np.mean(np.square(errors)) * factor, rtol=1e-8)


def test_noise_is_not_mistaken_for_a_polynomial():
    # Among hundreds of terms some fit noise well; selected anew in each fold they do not predict it.
    rng = np.random.default_rng(0)
    pce = sg.PolynomialChaos().fit(rng.random((60, 6)), rng.standard_normal(60))
    assert pce.cv_error_ > 0.9
    optimistic = sg.PolynomialChaos(validation="loo").fit(rng.random((60, 6)), rng.standard_normal(60))
    assert optimistic.n_terms_ >= pce.n_terms_


def test_left_out_runs_are_as_far_off_as_new_ones():
    rng = np.random.default_rng(1)
    x, new = rng.random((100, 4)), rng.random((2000, 4))

    def f(x):
        return np.exp(x[:, 0]) * np.sin(6 * x[:, 1]) + np.abs(x[:, 2] - 0.4)

    pce = sg.PolynomialChaos().fit(x, f(x))
    mean, std = pce.leave_one_out()
    error = np.sqrt(np.mean((pce.predict(new) - f(new)) ** 2))
    assert 0.7 < np.sqrt(np.mean((mean - f(x)) ** 2)) / error < 1.6
    assert_allclose(np.mean(((f(x) - mean) / std) ** 2), 1.0, rtol=0.3)
    assert sg.diagnose(f(new), *pce.predict(new, return_std=True)).interval_coverage > 0.9


@pytest.mark.parametrize("options", [{"selection": "lars"}, {"average": False}, {"validation": "loo"}, {"degree": 6}])
def test_every_option_fits_a_smooth_function(options):
    x = np.random.default_rng(2).random((80, 2))
    pce = sg.PolynomialChaos(**options).fit(x, np.exp(x[:, 0]) + x[:, 0] * x[:, 1])
    new = np.random.default_rng(3).random((200, 2))
    assert_allclose(pce.predict(new), np.exp(new[:, 0]) + new[:, 0] * new[:, 1], atol=2e-3)


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1e12, 1e300])
def test_units_do_not_matter(scale):
    x = np.random.default_rng(0).random((40, 2))
    y = np.exp(x[:, 0]) * np.abs(x[:, 1] - 0.4)
    base, base_std = sg.PolynomialChaos().fit(x, y).predict(x, return_std=True)
    mean, std = sg.PolynomialChaos().fit(x, scale * y).predict(x, return_std=True)
    assert_allclose(mean / scale, base, rtol=1e-6)
    assert_allclose(std / scale, base_std, rtol=1e-4)


def test_awkward_data():
    rng = np.random.default_rng(0)
    x = rng.random((30, 2))
    constant, std = sg.PolynomialChaos().fit(x, np.full(30, 7.0)).predict(x, return_std=True)
    assert_allclose(constant, 7.0)
    assert (std == 0).all()
    doubled = sg.PolynomialChaos().fit(np.vstack([x, x]), np.tile(x[:, 0] ** 2, 2))
    assert_allclose(doubled.predict(x), x[:, 0] ** 2, atol=1e-8)
    with_constant = sg.PolynomialChaos().fit(np.column_stack([x, np.full(30, 3.0)]), x[:, 0] * x[:, 1])
    assert_allclose(with_constant.predict([[0.5, 0.5, 3.0]]), 0.25, atol=1e-8)
    assert np.isnan(sg.PolynomialChaos().fit(x, np.full(30, 7.0)).sobol_indices()).all(axis=None)


def test_symmetry_of_the_unit_cube_is_kept():
    # A design never quite reaches the cube's faces; on its own range an even function has odd terms.
    x = (np.arange(15)[:, None] + np.random.default_rng(0).random((15, 1))) / 15
    pce = sg.PolynomialChaos().fit(x, np.cos(2 * np.pi * (x[:, 0] - 0.5)))
    large = np.abs(pce.coefficients_) > 1e-3
    assert (pce.indices_[large] % 2 == 0).all()


def test_bad_arguments_are_named():
    x, y = np.random.default_rng(0).random((20, 2)), np.arange(20.0)
    for options, message in [
        ({"q": 0.0}, r"q must lie in \(0, 1\]"),
        ({"selection": "ridge"}, "selection must be one of"),
        ({"validation": "aic"}, "validation must be"),
        ({"degree": 99}, "degree must lie in"),
        ({"folds": 1}, "folds must be at least 2"),
    ]:
        with pytest.raises(ValueError, match=message):
            sg.PolynomialChaos(**options).fit(x, y)
    with pytest.raises(ValueError, match="more than 15000 terms of 12 inputs; lower"):
        sg.PolynomialChaos(degree=12).fit(np.random.default_rng(0).random((20, 12)), y)
    with pytest.raises(sg.InvalidInputError, match="'a' = 3"):
        sg.PolynomialChaos().fit(pd.DataFrame({"a": [0.0, 1.0, 3.0]}), [0, 1, 2], sg.Space(a=sg.Real(0, 2)))


@pytest.mark.parametrize("high", [2, 4, 50, 1000])
def test_whole_numbers_on_a_log_scale_have_their_own_mean_and_variance(high):
    space = sg.Space(k=sg.Integer(1, high, log=True), x=sg.Real(0, 1))
    design = sg.sobol(space, 256, rng=0)
    # The likelihood of k is the share of its cell, by the docstring of Integer.
    k = np.arange(1, high + 1)
    share = np.diff(np.log(np.arange(high + 1) + 0.5)) / np.log((high + 0.5) / 0.5)
    logs = np.log(k)
    variance = share @ logs**2 - (share @ logs) ** 2
    found = sg.PolynomialChaos().fit(design, np.log(design["k"]) + 2 * design["x"], space)
    assert_allclose(found.mean_, share @ logs + 1, rtol=1e-5)
    assert_allclose(found.variance_, variance + 1 / 3, rtol=1e-5)
    assert_allclose(found.sobol_indices()["first"]["k"], variance / (variance + 1 / 3), rtol=1e-5)


def test_degree_0_is_the_constant():
    x = np.random.default_rng(0).random((60, 2))
    found = sg.PolynomialChaos(degree=0).fit(x, x[:, 0])
    assert found.degree_ == 0
    assert_allclose(found.predict(x), x[:, 0].mean())
