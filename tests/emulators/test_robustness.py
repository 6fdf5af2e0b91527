"""Awkward data: what the emulators say of new points is finite, silent, near the truth and honest about the rest."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_allclose

import surrogate as sg

N, N_NEW, D = 60, 400, 3


def smooth(x):
    return np.sin(6 * x[:, 0] + 2 * x[:, 1]) + np.abs(x[:, 1] - 0.4) * x[:, 2]


@dataclass
class Case:
    """Runs and new points with their true outputs, and what an emulator has to reach there."""

    x: np.ndarray
    y: np.ndarray
    new: np.ndarray
    truth: np.ndarray
    q2: float
    coverage: float = 0.85
    width: float = 0.15  # mean standard deviation at most, over that of the true outputs


def cases():
    rng = np.random.default_rng(4)
    x, new = rng.random((N, D)), rng.random((N_NEW, D))
    y, truth = smooth(x), smooth(new)
    half = N // 2
    yield "well-behaved", Case(x, y, new, truth, 0.99)
    yield "duplicates", Case(np.vstack([x, x[:half]]), np.append(y, y[:half]), new, truth, 0.99)
    close = x[:half] + 1e-9 * rng.standard_normal((half, D))
    # Where runs have close neighbours, left-out predictions flatter, and with them the intervals of the average.
    yield "near duplicates", Case(np.vstack([x, close]), np.append(y, smooth(close)), new, truth, 0.98, coverage=0.75)
    cluster = np.vstack([x[:40], 0.5 + 1e-4 * rng.random((60, D))])
    yield "clusters", Case(cluster, smooth(cluster), new, truth, 0.93, coverage=0.8)
    wide, wide_new = (np.column_stack([part, np.full(len(part), 7.0)]) for part in (x, new))
    yield "a constant input", Case(wide, y, wide_new, truth, 0.99)
    yield "an input twice", Case(np.column_stack([x, x[:, 0]]), y, np.column_stack([new, new[:, 0]]), truth, 0.99)
    stretch = np.array([1e-120, 1.0, 1e120])
    yield "inputs of any size", Case(x * stretch, y, new * stretch, truth, 0.99)
    yield "tiny outputs", Case(x, 1e-250 * y, new, 1e-250 * truth, 0.99)
    yield "huge outputs", Case(x, 1e250 * y, new, 1e250 * truth, 0.99)
    yield "a small variation on a large number", Case(x, 1e8 + y, new, 1e8 + truth, 0.99)
    jump, jump_new = (np.where(part[:, 0] > 0.5, 3.0, 0.0) + smooth(part) for part in (x, new))
    yield "a jump", Case(x, jump, new, jump_new, 0.8, width=1.0)
    flat, flat_new = (np.maximum(smooth(part), 0.5) for part in (x, new))
    yield "a plateau", Case(x, flat, new, flat_new, 0.75, width=1.0)
    spike = np.where(np.arange(N) == 7, 50.0, y)
    # An emulator that goes through the runs goes through the wrong one, too; its intervals have to tell.
    yield "an outlier", Case(x, spike, new, truth, -np.inf, width=np.inf)


def noisy_cases():
    rng = np.random.default_rng(5)
    x, new = rng.random((2 * N, D)), rng.random((N_NEW, D))
    truth = smooth(new)
    yield "noise", Case(x, smooth(x) + 0.2 * rng.standard_normal(len(x)), new, truth, 0.95, width=0.25)
    twice = np.vstack([x[:N], x[:N]])
    yield "replicates", Case(twice, smooth(twice) + 0.2 * rng.standard_normal(len(twice)), new, truth, 0.95, width=0.25)
    heavy = smooth(x) + 0.1 * rng.standard_t(2, len(x))
    yield "outliers", Case(x, heavy, new, truth, -np.inf, width=np.inf)


@pytest.mark.parametrize("make", [sg.GaussianProcess, sg.AutoEmulator], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in noisy_cases()])
def test_noise_is_smoothed_and_not_taken_for_knowledge(make, case):
    model = make(noise="estimate").fit(case.x, case.y)
    mean, std = model.predict(case.new, return_std=True)
    left_out, left_out_std = model.leave_one_out()
    assert 1 - np.mean((mean - case.truth) ** 2) / case.truth.var() > case.q2
    assert np.mean(std) < case.width * case.truth.std()
    # Predictions are of the output without noise, left-out ones with it.
    assert np.mean(np.abs(mean - case.truth) <= 1.96 * std) > case.coverage
    assert 0.9 < np.mean(np.abs(left_out - case.y) <= 1.96 * left_out_std) < 1.0


@pytest.mark.parametrize("make", [sg.GaussianProcess, sg.AutoEmulator], ids=lambda kind: kind.__name__)
def test_of_nothing_but_noise_nothing_is_learnt(make):
    rng = np.random.default_rng(6)
    x, new = rng.random((2 * N, D)), rng.random((N_NEW, D))
    model = make(noise="estimate").fit(x, 5.0 + rng.standard_normal(len(x)))
    mean, std = model.predict(new, return_std=True)
    assert np.sqrt(np.mean((mean - 5.0) ** 2)) < 0.5
    assert np.mean(np.abs(mean - 5.0) <= 1.96 * std) > 0.85
    assert 0.8 < np.median(model.leave_one_out()[1]) < 1.6


@pytest.mark.parametrize("make", [sg.GaussianProcess, sg.AutoEmulator], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in cases()])
def test_new_points_are_predicted_silently_and_honestly(make, case):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = make().fit(case.x, case.y)
        mean, std = model.predict(case.new, return_std=True)
        left_out, left_out_std = model.leave_one_out()
    for part in (mean, std, left_out, left_out_std):
        assert np.isfinite(part).all()
    assert (std >= 0).all()
    assert (left_out_std >= 0).all()
    unit = np.abs(case.y).max()
    error, truth = (mean - case.truth) / unit, case.truth / unit
    assert 1 - np.mean(error**2) / truth.var() > case.q2
    # Below rounding errors of the output no interval can be judged.
    held = np.abs(error) <= 1.96 * std / unit + 1e-12
    assert held.mean() > case.coverage
    assert np.mean(std / unit) < case.width * truth.std()


def test_copies_of_runs_change_nothing():
    x = np.random.default_rng(4).random((N, D))
    new = np.random.default_rng(5).random((20, D))
    once = sg.AutoEmulator().fit(x, smooth(x))
    twice = sg.AutoEmulator().fit(np.vstack([x, x[::-1]]), smooth(np.vstack([x, x[::-1]])))
    for ours, theirs in zip(twice.predict(new, return_std=True), once.predict(new, return_std=True)):
        assert_allclose(ours, theirs)
    mean, std = twice.leave_one_out()
    assert_allclose(mean[:N], once.leave_one_out()[0])
    assert_allclose(std[N:][::-1], once.leave_one_out()[1])


def test_copies_with_other_outputs_count_by_their_mean():
    x = np.random.default_rng(4).random((N, D))
    y = smooth(x)
    twice, outputs = np.vstack([x, x]), np.concatenate([y + 0.5, y - 0.5])
    for model in (sg.PolynomialKriging(n_starts=1), sg.RadialBasis(kernel="cubic"), sg.MultiFidelity(n_starts=1)):
        assert_allclose(model.fit(twice, outputs).predict(x), y, atol=1e-4)


def test_left_out_runs_are_predicted_without_their_copies():
    # Of outputs that differ from point to point at random, only a point's own copies could tell it.
    x = np.linspace(0, 1, 20)[:, None]
    y = np.random.default_rng(4).standard_normal(20) + 0.01 * np.random.default_rng(5).standard_normal((4, 20))
    model = sg.PolynomialKriging(n_starts=1).fit(np.vstack([x] * 4), y.ravel())
    mean = model.leave_one_out()[0].reshape(4, 20).mean(axis=0)
    assert np.corrcoef(mean, y.mean(axis=0))[0, 1] < 0.5


def test_copies_of_a_held_out_point_do_not_tell_it():
    rng = np.random.default_rng(0)
    x = np.tile(rng.random((20, 2)), (2, 1))
    y = np.sin(5 * x[:, 0]) + x[:, 1] ** 2 + 0.05 * rng.standard_normal(40)
    found = sg.PolynomialKriging(n_starts=1).fit(x, y)
    new = rng.random((300, 2))
    mean, std = found.predict(new, return_std=True)
    error = mean - np.sin(5 * new[:, 0]) - new[:, 1] ** 2
    assert 0.5 < np.sqrt((error**2).mean()) / np.sqrt((std**2).mean()) < 2
    assert np.isfinite(
        sg.PolynomialKriging(n_starts=1).fit(np.ones((5, 2)), np.arange(5.0)).predict([[1.0, 1.0]])
    ).all()
