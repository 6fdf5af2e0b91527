"""The Bass model against its equation and the estimates of 1969."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from simulators.bass import YEARS, bass


def test_room_air_conditioners():
    # Bass 1969: p = 0.0104, q = 0.4186, m = 16.895 million; predicted peak after 8.6 years with 1.9 million.
    answer = bass(p=0.0104, q=0.4186, market=16.895e6)
    assert round(float(answer["peak_year"]), 1) == 8.6
    assert round(float(answer["peak_sales"]) / 1e6, 1) == 1.9
    assert_allclose(answer["peak_year"], np.log(0.4186 / 0.0104) / (0.4186 + 0.0104))


def test_means_of_the_distributions():  # Sultan, Farley, Lehmann 1990: 0.03 and 0.38
    for name, mean in (("p", 0.03), ("q", 0.38)):
        assert bass.space[name].distribution.mean() == pytest.approx(mean, rel=0.01)


@given(st.floats(1e-3, 0.2), st.floats(1e-3, 1))
@settings(deadline=None, max_examples=100)
def test_the_path_solves_its_equation(p, q):
    answer = bass(p=p, q=q, market=1.0)
    share = answer["adopters"]
    assert share[0] == 0
    assert (np.diff(share) >= 0).all()
    assert share[-1] <= 1
    # With z = (p + q F) / (1 - F), the equation F' = (p + q F) (1 - F) says that ln(z / p) grows at the rate p + q.
    inside = share < 1 - 1e-6
    logit = np.log((p + q * share[inside]) / (p * (1 - share[inside])))
    assert_allclose(logit, (p + q) * YEARS[inside], rtol=1e-6, atol=1e-9)
    half = answer["half_time"]
    assert_allclose((1 - np.exp(-(p + q) * half)) / (1 + q / p * np.exp(-(p + q) * half)), 0.5)


@given(st.floats(1e-3, 0.2), st.floats(1e-3, 1), st.floats(0, 1))
@settings(deadline=None, max_examples=100)
def test_nobody_sells_more_than_the_peak(p, q, share):
    answer = bass(p=p, q=q, market=2.0)
    assert 2 * (p + q * share) * (1 - share) <= answer["peak_sales"] * (1 + 1e-12)
    # At the peak F = (q - p) / (2 q), or 0.
    at = max(0.0, (q - p) / (2 * q))
    assert_allclose(2 * (p + q * at) * (1 - at), answer["peak_sales"])
    assert (answer["peak_year"] > 0) == (q > p)
