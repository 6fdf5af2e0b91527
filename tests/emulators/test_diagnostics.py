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
