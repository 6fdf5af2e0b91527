"""The likelihood against its definition and scikit-learn, its gradient against differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel

from surrogate.emulators.gp.hyperparameters import Prior, Variant, choose, climb, posterior_precision
from surrogate.emulators.gp.kernels import FAMILIES, Kernel
from surrogate.emulators.gp.likelihood import (
    MAX_NUGGET,
    Problem,
    factorise,
    log_likelihood,
    negative_log_likelihood,
)


def problem(n=30, family="matern52", *, anova=True, noise=None, estimates_noise=False, linear=False, nugget=1e-8):
    rng = np.random.default_rng(0)
    z = rng.random((n, 3))
    y = np.sin(5 * z[:, 0]) + z[:, 1] ** 2 + 0.1 * rng.normal(size=n)
    basis = np.column_stack([np.ones(n), z]) if linear else np.ones((n, 1))
    return Problem(Kernel(family, anova), z, y, basis, nugget, noise, estimates_noise)


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"anova": False, "linear": True},
        {"estimates_noise": True, "linear": True},
        {"noise": np.linspace(0.01, 0.1, 30)},
    ],
)
@settings(max_examples=4, deadline=None)
@given(values=st.lists(st.floats(-2.0, 0.5), min_size=8, max_size=8))
def test_gradient_is_the_difference(family, options, values):
    p = problem(family=family, nugget=1e-4, **options)
    theta = np.array(values)[: p.size]
    _, gradient = negative_log_likelihood(p, theta)
    step = 1e-5
    numeric = [
        (negative_log_likelihood(p, theta + step * e)[0] - negative_log_likelihood(p, theta - step * e)[0]) / (2 * step)
        for e in np.eye(p.size)
    ]
    assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-4)


def test_it_is_the_density_of_the_contrasts():
    # Harville (1974): density of n - p contrasts of y, here from an orthonormal basis of the trend's complement.
    p = problem(12, linear=True)
    theta = np.log([0.4, 0.9, 1.5, 0.5, 1.0, 2.0])
    correlation = p.kernel.cross(theta, p.z, p.z) + 1e-8 * np.eye(12)
    basis = np.linalg.qr(p.basis, mode="complete")[0][:, 4:]
    projected, contrasts = basis.T @ correlation @ basis, basis.T @ p.y
    variance = contrasts @ np.linalg.solve(projected, contrasts) / 8
    expected = 0.5 * (8 * np.log(variance) + np.linalg.slogdet(projected)[1])
    value, _ = negative_log_likelihood(p, theta)
    # det(R) det(F' inv(R) F) = det(F' F) det(projected).
    assert_allclose(value, expected + 0.5 * np.linalg.slogdet(p.basis.T @ p.basis)[1], rtol=1e-7)
    assert_allclose(log_likelihood(p, theta), -value, rtol=1e-12)


def test_known_noise_agrees_with_scikit_learn():
    # Both up to constants: differences between two sets of hyper-parameters, with a trend known to be zero in the limit
    # of a process variance far above it, are compared through predictions and the likelihood of centred contrasts.
    p = problem(20, "squared_exponential", anova=False, noise=np.full(20, 0.01), nugget=1e-10)
    scales = np.array([0.4, 0.9, 1.5])
    theta = np.append(np.log(scales), np.log(2.0))
    f = factorise(p, theta)
    peer = GaussianProcessRegressor(ConstantKernel(2.0) * RBF(scales), alpha=0.01 + 2e-10, optimizer=None)
    peer.fit(p.z, p.y - f.coefficients[0])
    new = np.random.default_rng(1).random((5, 3))
    mean = f.coefficients[0] + p.kernel.cross(theta[:3], new, p.z) @ f.weights
    assert_allclose(mean, f.coefficients[0] + peer.predict(new), rtol=1e-6)
    # Restricted = profile likelihood plus half the logarithm of 1' inv(C) 1.
    covariance = 2.0 * p.kernel.cross(theta[:3], p.z, p.z) + (0.01 + 2e-10) * np.eye(20)
    ones = np.ones(20)
    expected = peer.log_marginal_likelihood_value_ + 10 * np.log(2 * np.pi)
    expected -= 0.5 * np.log(ones @ np.linalg.solve(covariance, ones))
    assert_allclose(-negative_log_likelihood(p, theta)[0], expected, rtol=1e-6)


def test_a_singular_matrix_gets_a_larger_nugget_and_a_hopeless_one_an_error():
    p = problem(20, nugget=1e-16)
    twice = Problem(p.kernel, np.vstack([p.z, p.z]), np.tile(p.y, 2), np.ones((40, 1)), 1e-16)
    assert 1e-16 < factorise(twice, np.zeros(6)).nugget <= MAX_NUGGET
    hopeless = problem(20, noise=np.full(20, -9.0))
    with pytest.raises(np.linalg.LinAlgError, match="singular even with nugget"):
        factorise(hopeless, np.zeros(7))


def test_information_is_the_mean_second_derivative():
    # Of outputs drawn from the model itself.
    base = problem(25, anova=False, nugget=1e-3)
    theta = np.log([0.4, 0.9, 1.5])
    root = np.linalg.cholesky(base.kernel.cross(theta, base.z, base.z) + 1e-3 * np.eye(25))
    rng, step, total = np.random.default_rng(0), 1e-4, np.zeros((3, 3))
    for _ in range(400):
        p = Problem(base.kernel, base.z, root @ rng.standard_normal(25), base.basis, 1e-3, pairs=base.pairs)
        for j, e in enumerate(step * np.eye(3)):
            total[j] += negative_log_likelihood(p, theta + e)[1] - negative_log_likelihood(p, theta - e)[1]
    prior = np.diag(Prior.of(base).std ** -2.0)
    found = posterior_precision(base, theta, 25) - prior
    assert_allclose(found, total / (2 * step * 400), atol=0.12 * np.abs(found).max())
    assert_allclose(posterior_precision(base, theta, 50) - prior, 2 * found)


def test_a_climb_ends_where_scipy_does():
    from scipy.optimize import minimize

    p = problem(40, anova=False, nugget=1e-4)
    prior = Prior.of(p)
    found = climb(Variant(p, np.zeros(40)), prior.mean, 100, 1e-9)
    peer = minimize(lambda t: prior.penalised(p, t), prior.mean, jac=True, method="BFGS", options={"gtol": 1e-7})
    assert_allclose(found.value, peer.fun, atol=1e-6)
    assert_allclose(found.theta, peer.x, atol=1e-3)


def test_climbs_stay_within_bounds_and_choices_are_not_worse_than_random_ones():
    p = problem(60, noise=None, estimates_noise=True)
    _, chosen, theta = choose([Variant(p, np.zeros(60))], ("matern52", "matern32"), 3)
    prior = Prior.of(chosen)
    assert ((theta >= prior.low) & (theta <= prior.high)).all()
    best, rng = prior.penalised(chosen, theta)[0], np.random.default_rng(0)
    for _ in range(100):
        other = np.clip(prior.mean + prior.std * rng.standard_normal(len(theta)), prior.low, prior.high)
        assert prior.penalised(chosen, other)[0] > best
