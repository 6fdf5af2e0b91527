"""Predators and prey against the conserved quantity, the means over a period and another integrator."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from simulators.lotka_volterra import conserved, lotka_volterra

# Howard 2009, fitted to the pelts of 1900 to 1920.
HARES = {"birth": 0.481, "predation": 0.025, "death": 0.927, "conversion": 0.028, "prey": 34.9, "predators": 3.86}
RATES = ("birth", "predation", "death", "conversion")
SPACE = lotka_volterra.space


def a_cycle(point, seconds):
    """Times of highest prey, and all of a fine path, by another integrator in the populations themselves."""

    def change(t, state):
        x, y = state
        return [
            (point["birth"] - point["predation"] * y) * x,
            (point["conversion"] * x - point["death"]) * y,
        ]

    def prey_peaks(t, state):
        return change(t, state)[0]

    prey_peaks.direction = -1
    return scipy.integrate.solve_ivp(
        change, (0, seconds), [point["prey"], point["predators"]], "DOP853",
        t_eval=np.linspace(0, seconds, 20_001), events=prey_peaks, rtol=1e-11, atol=1e-11,
    )  # fmt: skip


@pytest.mark.parametrize(
    "change", [{}, {"prey": 60.0, "predators": 20.0}, {"prey": 10.0, "predators": 2.0, "birth": 0.9}]
)
def test_against_another_integrator(change):
    point = HARES | change
    answer = lotka_volterra(**point)
    solved = a_cycle(point, 40)
    assert_allclose(np.diff(solved.t_events[0]), answer["period"], rtol=1e-8)
    assert_allclose(solved.y[0].max(), answer["prey_peak"], rtol=1e-4)
    assert_allclose(solved.y[0].min(), answer["prey_trough"], rtol=1e-4)
    assert_allclose(solved.y[1].max(), answer["predators_peak"], rtol=1e-4)
    assert_allclose(answer["hares"], solved.y[0, :10_001:125], rtol=1e-6)
    assert_allclose(answer["lynxes"], solved.y[1, :10_001:125], rtol=1e-6)


@given(st.lists(st.floats(0, 1), min_size=6, max_size=6))
@settings(deadline=None, max_examples=60)
def test_nothing_changes_the_conserved_quantity(u):
    point = SPACE.from_unit([u]).to_dict("records")[0]
    answer = lotka_volterra(**point)
    rates = {name: point[name] for name in RATES}
    along = conserved(answer["hares"], answer["lynxes"], **rates)
    assert_allclose(along, along[0], rtol=1e-7, atol=1e-7)
    # Extremes of prey lie where predators are in balance, with the same conserved quantity.
    balance_x, balance_y = point["death"] / point["conversion"], point["birth"] / point["predation"]
    for x, y in (
        (answer["prey_peak"], balance_y),
        (answer["prey_trough"], balance_y),
        (balance_x, answer["predators_peak"]),
    ):
        assert_allclose(conserved(x, y, **rates), along[0], rtol=1e-9, atol=1e-9)
    assert answer["prey_trough"] <= balance_x <= answer["prey_peak"]
    slack = 1 + 1e-6
    assert answer["prey_trough"] / slack <= answer["hares"].min()
    assert answer["hares"].max() <= answer["prey_peak"] * slack
    # Small cycles are the fastest (Waldvogel 1986: the period grows with the amplitude).
    assert answer["period"] >= 2 * np.pi / np.sqrt(point["birth"] * point["death"]) * (1 - 1e-9)


def test_means_over_a_period_are_the_equilibrium():  # Volterra's second law
    period = lotka_volterra(**HARES)["period"]
    solved = a_cycle(HARES, period)
    means = np.trapezoid(solved.y, solved.t, axis=1) / period
    assert_allclose(means, [0.927 / 0.028, 0.481 / 0.025], rtol=1e-6)


def test_small_cycles_take_the_time_of_the_linear_equations():
    linear = 2 * np.pi / np.sqrt(0.481 * 0.927)
    balance = {"prey": 0.927 / 0.028, "predators": 0.481 / 0.025}
    assert_allclose(lotka_volterra(**HARES | balance)["period"], linear, rtol=1e-9)
    periods = []
    for gap in (1e-5, 1e-4, 1e-3, 1e-2):
        nearby = {name: value * (1 + gap) for name, value in balance.items()}
        periods.append(lotka_volterra(**HARES | nearby)["period"])
    # The period grows with the square of the amplitude.
    assert_allclose(periods[:3], linear, rtol=1e-6)
    assert_allclose((periods[3] - linear) / (periods[2] - linear), 100, rtol=0.05)
