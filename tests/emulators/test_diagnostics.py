"""Accuracy and calibration measures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from numpy.testing import assert_allclose

import surrogate as sg


def test_known_values_by_hand():
    # Errors 1, 0, -2 about actual 1, 2, 6 with mean 3: total 14.
    found = sg.diagnose([1.0, 2.0, 6.0], [0.0, 2.0, 8.0], [1.0, 1.0, 1.0])
    assert_allclose(found.q2, 1 - 5 / 14)
    assert_allclose(found.rmse, np.sqrt(5 / 3))
    assert_allclose(found.mae, 1.0)
    assert_allclose(found.interval_coverage, 2 / 3)  # 2 > 1.96
    assert_allclose(found.nlpd, 0.5 * np.log(2 * np.pi) + 0.5 * 5 / 3)


def test_honest_predictions_have_their_nominal_coverage():
    rng = np.random.default_rng(0)
    std = rng.uniform(0.1, 2.0, 20_000)
    truth = scipy.stats.norm(0, std).rvs(random_state=1)
    assert_allclose(sg.diagnose(truth, np.zeros(20_000), std).interval_coverage, 0.95, atol=0.005)


def test_a_constant_output_has_no_q2_but_errors():
    found = sg.diagnose([2.0, 2.0], [2.0, 3.0], [1.0, 1.0])
    assert np.isnan(found.q2)
    assert found.mae == 0.5


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="one shape"):
        sg.diagnose([1.0], [1.0, 2.0], [1.0])


def test_table_keeps_the_runs_index_and_the_interval_is_95_percent():
    x = np.linspace(0, 1, 9)[:, None]
    actual = pd.Series(np.sin(6 * x[:, 0]), index=[f"run {i}" for i in range(9)])
    table = sg.leave_one_out_table(sg.GaussianProcess().fit(x, actual), actual)
    assert list(table.index) == list(actual.index)
    assert_allclose(scipy.stats.norm.cdf((table["high"] - table["mean"]) / table["std"]), 0.975)
    assert_allclose(table["high"] - table["mean"], table["mean"] - table["low"])


def test_crps_is_the_integral_of_its_definition():
    # Gneiting and Raftery (2007), eq. 20: the squared difference of the distribution function and the actual step.
    for actual, mean, std in [(0.3, 0.0, 1.0), (5.0, 1.0, 0.5), (-1.0, 2.0, 3.0)]:
        x = np.linspace(mean - 12 * std - 6, mean + 12 * std + 6, 400_001)
        integrand = (scipy.stats.norm.cdf(x, mean, std) - (x >= actual)) ** 2
        assert_allclose(sg.crps([actual], [mean], [std]), np.trapezoid(integrand, x), rtol=1e-4)


def test_pit_of_honest_predictions_is_uniform_and_of_sure_ones_is_not():
    rng = np.random.default_rng(0)
    mean, std = rng.random(5000), rng.uniform(0.5, 2.0, 5000)
    actual = mean + std * rng.standard_normal(5000)
    assert scipy.stats.kstest(sg.pit(actual, mean, std), "uniform").pvalue > 0.01
    assert (np.abs(sg.pit(actual, mean, std / 3) - 0.5) > 0.45).mean() > 0.4


def test_coverage_curve_follows_the_diagonal_within_its_band():
    rng = np.random.default_rng(1)
    actual = rng.standard_normal(2000)
    curve = sg.interval_coverage_curve(actual, np.zeros(2000), np.ones(2000))
    assert curve.index[-1] == 0.99
    assert_allclose(curve["interval_coverage"], curve.index, atol=0.03)
    assert ((curve["interval_coverage"] >= curve["low"]) & (curve["interval_coverage"] <= curve["high"])).mean() > 0.85
    assert_allclose(curve.loc[0.5, ["low", "high"]], scipy.stats.binom.ppf([0.025, 0.975], 2000, 0.5) / 2000)
    narrow = sg.interval_coverage_curve(actual, np.zeros(2000), np.full(2000, 0.5))
    assert (narrow["interval_coverage"] < narrow["low"]).all()
    with pytest.raises(ValueError, match="levels must lie in"):
        sg.interval_coverage_curve([0.0], [0.0], [1.0], [1.5])


def test_residuals_of_the_table_are_standardised():
    x = np.linspace(0, 1, 9)[:, None]
    actual = np.sin(6 * x[:, 0])
    table = sg.leave_one_out_table(sg.GaussianProcess().fit(x, actual), actual)
    assert_allclose(table["residual"], (table["actual"] - table["mean"]) / table["std"])


def test_certain_predictions_are_judged_too():
    found = sg.diagnose([1.0, 2.0], [1.0, 3.0], [0.0, 0.0])
    assert_allclose(found.crps, 0.5)
    assert found.interval_coverage == 0.5
    assert np.isfinite(found.nlpd)
