"""Correlations against formulas and scikit-learn, derivatives against differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.gaussian_process.kernels import RBF, Matern

import surrogate.emulators.gp.kernels as kernels
from surrogate.emulators.gp.kernels import FAMILIES, Kernel, Pairs

SCALES = np.array([0.3, 1.0, 4.0])


def points(n=12, d=3, seed=0):
    return np.random.default_rng(seed).random((n, d))


@pytest.mark.parametrize(("family", "nu"), [("matern32", 1.5), ("matern52", 2.5), ("matern72", 3.5)])
def test_matern_is_the_product_of_scikit_learns(family, nu):
    a, b = points(), points(7, seed=1)
    expected = np.prod([Matern(s, nu=nu)(a[:, [j]], b[:, [j]]) for j, s in enumerate(SCALES)], axis=0)
    assert_allclose(Kernel(family, anova=False).cross(np.log(SCALES), a, b), expected, atol=1e-12)


def test_radial_matern_is_scikit_learns():
    a, b = points(), points(7, seed=1)
    assert_allclose(Kernel("radial_matern52").cross(np.log(SCALES), a, b), Matern(SCALES, nu=2.5)(a, b), atol=1e-12)


def test_squared_exponential_is_scikit_learns():
    a, b = points(), points(7, seed=1)
    found = Kernel("squared_exponential", anova=False).cross(np.log(SCALES), a, b)
    assert_allclose(found, RBF(SCALES)(a, b), atol=1e-12)


def test_rational_quadratic_is_the_formula():
    # Rasmussen and Williams (2006), eq. 4.19, shape 2.
    found = Kernel("rational_quadratic", anova=False).cross(np.log([0.5]), np.array([[0.0]]), np.array([[0.7]]))
    assert_allclose(found, (1 + (0.7 / 0.5) ** 2 / 4) ** -2)


def test_floors_mix_a_constant_into_each_factor():
    a, b = points(), points(7, seed=1)
    logits = np.array([-1.0, 0.0, 2.0])
    floor = 1 / (1 + np.exp(-logits))
    factors = [f + (1 - f) * Matern(s, nu=2.5)(a[:, [j]], b[:, [j]]) for j, (s, f) in enumerate(zip(SCALES, floor))]
    found = Kernel("matern52").cross(np.concatenate([np.log(SCALES), logits]), a, b)
    assert_allclose(found, np.prod(factors, axis=0), atol=1e-12)


@pytest.mark.parametrize("anova", [True, False])
@pytest.mark.parametrize("family", sorted(FAMILIES))
@settings(max_examples=8, deadline=None)
@given(values=st.lists(st.floats(-1.5, 2.0), min_size=6, max_size=6))
def test_derivatives_are_differences(family, anova, values):
    kernel = Kernel(family, anova)
    a, b = points(5), points(7, seed=1)
    theta = np.array(values)[: kernel.size(3)]
    weights = np.random.default_rng(2).normal(size=(5, 7))
    step = 1e-6

    def total(t, at=a):
        return (kernel.cross(t, at, b) * weights).sum(axis=1)

    numeric = np.array([(total(theta + step * e) - total(theta - step * e)) / (2 * step) for e in np.eye(len(theta))]).T
    cross = kernel.cross(theta, a, b)
    # Each row of weights apart, since all rows of points share theirs.
    found = np.array([kernel.slopes(theta, a, b, w)[1][i] for i, w in enumerate(weights)])
    assert_allclose(found, numeric, atol=1e-7)
    assert_allclose(kernel.slopes(theta, a, b, weights[0])[0], cross)
    numeric = np.array([(total(theta, a + step * e) - total(theta, a - step * e)) / (2 * step) for e in np.eye(3)]).T
    assert_allclose(kernel.input_slopes(theta, a, b, cross * weights), numeric, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("anova", [True, False])
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_coincident_and_far_points_have_finite_slopes(family, anova):
    kernel, a = Kernel(family, anova), points(1)
    theta = np.zeros(kernel.size(3))
    b = np.concatenate([a, a + 1e-200, a + 1e5])
    cross, slopes = kernel.slopes(theta, a, b, np.array([1.0, 0.0, 0.0]))
    assert_allclose(cross[0, :2], 1.0)
    assert_allclose(slopes, 0.0)
    assert np.isfinite(kernel.slopes(theta, a, b, np.ones(3))[1]).all()
    assert np.isfinite(kernel.input_slopes(theta, a, b, cross)).all()


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("block", [8, 64, 2**15])
def test_pairs_give_the_cross_correlations_whatever_the_chunks(monkeypatch, block, kept):
    monkeypatch.setattr(kernels, "BLOCK", block)
    if not kept:
        monkeypatch.setattr(kernels, "KEPT_FACTORS", 0)
        monkeypatch.setattr(kernels, "KEPT_DISTANCES", 0)
    z, theta = points(23), np.array([-1.0, 0.0, 1.0, -1.0, 0.5, 2.0])
    kernel, pairs = Kernel("matern52"), Pairs(z)
    whole = kernel.cross(theta, z, z)
    assert_allclose(pairs.lower(kernel, theta), np.tril(whole), atol=1e-14)
    weights = np.tril(np.random.default_rng(0).normal(size=(23, 23)))
    both = weights + np.tril(weights, -1).T
    expected = np.sum([kernel.slopes(theta, z, z, both[i])[1][i] for i in range(23)], axis=0)
    assert_allclose(pairs.slopes(kernel, theta, weights * np.tril(whole)), expected, atol=1e-10)
    derivatives = pairs.derivatives(kernel, theta, np.tril(whole))
    assert_allclose((derivatives * both).sum(axis=(1, 2)), expected, atol=1e-10)
    assert_allclose(derivatives, derivatives.transpose(0, 2, 1))


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_correlation_matrices_are_positive_definite(family):
    z = points(30)
    theta = np.log([0.2, 0.5, 1.0, 0.5, 1.0, 2.0])[: Kernel(family).size(3)]
    assert np.linalg.eigvalsh(Kernel(family).cross(theta, z, z)).min() > -1e-12
