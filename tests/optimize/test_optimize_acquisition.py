"""Acquisitions equal the integrals that they stand for, and their derivatives are derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.stats import norm

from surrogate.optimize.acquisition import Cautious, Improvement, Inside, Lower, Optimistic, log_improvement
from surrogate.optimize.pareto import HypervolumeGain, hypervolume, is_on_front, knee, undominated_boxes
from surrogate.optimize.surface import Warp, fit_surface

RNG = np.random.default_rng(0)
Z = RNG.random((14, 2))
NEW = RNG.random((6, 2))


def surface(function, kind="objective", **more):
    return fit_surface(Z, function(*Z.T), kind=kind, **more)


@pytest.fixture(scope="module")
def wavy():
    return surface(lambda a, b: np.sin(17 * a) + b**2)


@pytest.fixture(scope="module")
def falling():
    return surface(lambda a, b: 2 - a - np.cos(19 * b))


@pytest.fixture(scope="module")
def third():
    return surface(lambda a, b: np.cos(13 * (a - b)))


@pytest.mark.parametrize("score", [3.0, 0.5, -0.5, -0.999, -1.001, -4.0])
def test_improvement_is_its_integral(score):
    exact, _ = quad(lambda t: (score - t) * norm.pdf(t), -12, score, epsabs=0, epsrel=1e-12)
    assert_allclose(log_improvement(np.array([score]))[0], np.log(exact), rtol=1e-9)


@pytest.mark.parametrize("score", [-30.0, -9_999.0, -10_001.0, -1e8])
def test_far_improvement_is_its_asymptotic_series(score):
    # h(s) = phi(s) / s^2 (1 - 3 / s^2 + 15 / s^4 - 105 / s^6 ...), Abramowitz and Stegun 26.2.12 twice
    x = score**-2.0
    series = norm.logpdf(score) - 2 * np.log(-score) + np.log1p(-3 * x + 15 * x**2 - 105 * x**3 + 945 * x**4)
    value, slope = log_improvement(np.array([score]))
    assert_allclose(value, series, rtol=1e-9)
    assert_allclose(slope, -score, rtol=0.01)


def test_expected_improvement_of_a_model_against_draws_of_it(wavy):
    best = float(np.quantile(wavy.warp.forward(np.sin(17 * Z[:, 0]) + Z[:, 1] ** 2), 0.3))
    mean, std = wavy.predict(NEW)
    for m, s, value in zip(mean, std, Improvement(wavy, best).values(NEW), strict=True):
        exact, _ = quad(lambda t, m=m, s=s: (best - t) * norm.pdf(t, m, s), m - 10 * s, best, points=[m], limit=200)
        if exact > 1e-12:
            assert_allclose(np.exp(value), exact, rtol=1e-6)


def test_probabilities_of_limits_are_those_of_the_normal_distribution(wavy):
    mean, std = wavy.predict(NEW)
    assert_allclose(np.exp(Lower(wavy, 0.2).values(NEW)), norm.cdf(0.2, mean, std), rtol=1e-9, atol=1e-300)
    share = norm.cdf(0.3, mean, std) - norm.cdf(-0.2, mean, std)
    near = share > 1e-8
    assert near.any()
    assert_allclose(np.exp(Inside(wavy, -0.2, 0.3).values(NEW))[near], share[near], rtol=1e-6)
    # So narrow that the difference of the two has no digits left.
    narrow = Inside(wavy, 0.1, 0.1 + 1e-12).values(NEW)
    assert_allclose(narrow, norm.logpdf(0.1, mean, std) + np.log(1e-12), rtol=1e-4)


def terms(wavy, falling, third):
    front2 = np.array([[-1.0, 0.6], [0.0, -0.2]])
    front3 = np.array([[-1.0, 0.6, 0.1], [0.0, -0.2, 0.5], [0.4, 0.5, -0.8]])
    return {
        "improvement": Improvement(wavy, -0.3),
        "lower": Lower(wavy, 0.1),
        "inside": Inside(wavy, -0.2, 0.4),
        "optimistic": Optimistic(wavy, 1.5),
        "cautious": Cautious(Lower(wavy, 0.1), 3.0, 0.3),
        "hypervolume 2": HypervolumeGain([wavy, falling], front2, np.array([1.5, 1.5])),
        "hypervolume 3": HypervolumeGain([wavy, falling, third], front3, np.array([1.5, 1.5, 1.5])),
    }


@pytest.mark.parametrize(
    "name", ["improvement", "lower", "inside", "optimistic", "cautious", "hypervolume 2", "hypervolume 3"]
)
def test_slopes_are_derivatives(name, wavy, falling, third):
    term = terms(wavy, falling, third)[name]
    value, slope = term.slopes(NEW)
    assert_allclose(value, term.values(NEW), rtol=1e-7, atol=1e-7)
    h = 1e-5
    for j in range(2):
        step = np.zeros(2)
        step[j] = h
        numeric = (term.values(NEW + step) - term.values(NEW - step)) / (2 * h)
        assert_allclose(slope[:, j], numeric, rtol=2e-3, atol=1e-4 * np.abs(slope).max())


@pytest.mark.parametrize("k", [2, 3])
def test_expected_hypervolume_gain_against_draws(k, wavy, falling, third):
    surfaces = [wavy, falling, third][:k]
    front = np.array([[-1.0, 0.6, 0.1], [0.0, -0.2, 0.5], [0.4, 0.5, -0.8]])[:, :k]
    reference = np.full(k, 1.5)
    before = hypervolume(front, reference)
    value = np.exp(HypervolumeGain(surfaces, front, reference).values(NEW))
    rng = np.random.default_rng(1)
    moments = [s.predict(NEW) for s in surfaces]
    for i in range(len(NEW)):
        draws = np.column_stack([m[i] + s[i] * rng.standard_normal(3000) for m, s in moments])
        gains = [hypervolume(np.vstack([front, draw]), reference) - before for draw in draws]
        assert abs(value[i] - np.mean(gains)) < 5 * np.std(gains) / np.sqrt(len(gains)) + 1e-9


def test_hypervolumes_by_hand():
    assert hypervolume([[1, 1]], [2, 3]) == 2
    assert hypervolume([[0, 2], [1, 1], [2, 0]], [3, 3]) == 6  # 1 + 2 + 3 unit squares
    assert hypervolume([[0, 2], [1, 1], [2, 0], [2, 2]], [3, 3]) == 6  # a dominated point changes nothing
    assert hypervolume([[4, 0]], [3, 3]) == 0  # beyond the reference
    assert hypervolume([[0, 0, 1], [1, 1, 0]], [2, 2, 2]) == 5  # 4 + 2 - 1
    assert hypervolume(np.empty((0, 2)), [1, 1]) == 0
    assert hypervolume([[0.25]], [1.0]) == 0.75


@settings(max_examples=40, deadline=None)
@given(
    st.integers(2, 3).flatmap(
        lambda k: st.lists(st.lists(st.integers(0, 4), min_size=k, max_size=k), min_size=1, max_size=7)
    )
)
def test_boxes_and_hypervolume_fill_what_is_better_than_the_reference(points):
    points = np.array(points, dtype=float)
    k = points.shape[1]
    reference = np.full(k, 5.0)
    low, high = undominated_boxes(points, reference)
    cells = np.stack(np.meshgrid(*[np.arange(5) + 0.5] * k, indexing="ij"), axis=-1).reshape(-1, k)
    covers = ((cells[:, None] > low[None]) & (cells[:, None] < high[None])).all(axis=2).sum(axis=1)
    dominated = (points[None] <= cells[:, None]).all(axis=2).any(axis=1)
    assert (covers == ~dominated).all()  # each cell once, or not at all
    assert_allclose(hypervolume(points, reference), dominated.sum())
    brute = [not any((q <= p).all() and (q < p).any() for q in points) for p in points]
    assert is_on_front(points).tolist() == brute


def test_the_knee_is_where_the_front_bulges():
    assert knee([[0, 100], [0.1, 20], [0.5, 15], [1, 0]]) == 1  # whatever the units
    assert knee([[3, 4]]) == 0


@pytest.mark.parametrize(("kind", "offset"), [("none", 0.0), ("log", 0.3), ("asinh", 0.3)])
def test_warps_are_undone_and_have_the_slopes_they_claim(kind, offset):
    y = np.array([-3.0, -0.1, 0.5, 2.0, 70.0])
    warp = Warp.of(y, kind, offset)
    t = warp.forward(y)
    assert_allclose([t.mean(), t.std()], [0, 1], atol=1e-12)
    assert (np.diff(t) > 0).all()
    assert_allclose(warp.backward(t), y, rtol=1e-9)
    numeric = (warp.forward(y + 1e-6) - warp.forward(y - 1e-6)) / 2e-6
    assert_allclose(warp.log_slopes(y), np.log(numeric), rtol=1e-5, atol=1e-5)


def test_believed_runs_change_the_certainty_and_not_the_mean(wavy):
    mean, _ = wavy.predict(NEW)
    believed = wavy.believing(NEW[:1])
    assert_allclose(believed.predict(NEW)[0], mean, atol=1e-5)
    assert believed.predict(NEW[:1])[1][0] < 1e-2 * wavy.predict(NEW[:1])[1][0]
    assert (believed.predict(NEW)[1] <= wavy.predict(NEW)[1] * (1 + 1e-9)).all()
