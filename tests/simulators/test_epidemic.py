"""Epidemics against the final-size equation, closed forms of the peak, and an independent integrator."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from simulators.epidemic import seir, sir

FLU = {"latent_days": 2.0, "infectious_days": 4.0, "infected": 1e-4, "severe": 0.01, "stay_days": 8.0}
NO_MEASURE = {"contact_reduction": 0.0, "start_day": 0.0, "duration_days": 0.0}


def final_size(reproduction_number, susceptible, infected):
    """Share of the population infected in the end: s0 - s with s = s0 exp(-R0 (s0 + i0 - s)) (Hethcote 2000)."""

    def excess(s):
        return s - susceptible * np.exp(-reproduction_number * (susceptible + infected - s))

    return susceptible - scipy.optimize.brentq(excess, 1e-300, susceptible, xtol=1e-15)


# Final sizes of an epidemic that nobody is immune to, the roots of 1 - z = exp(-R0 z).
@pytest.mark.parametrize(("reproduction_number", "size"), [(1.5, 0.5828), (2, 0.7968), (3, 0.9405), (5, 0.9930)])
@pytest.mark.parametrize("simulator", [sir, seir])
def test_final_size(simulator, reproduction_number, size):
    if simulator is sir:
        answer = sir(reproduction_number=reproduction_number, infectious_days=3, infected=1e-6, immune=0)
    else:
        seeds = FLU | {"infected": 1e-6}
        answer = seir(reproduction_number=reproduction_number, vaccinated=0.0, **seeds, **NO_MEASURE)
    assert_allclose(answer["attack_rate"], size, atol=1e-4)
    assert_allclose(answer["attack_rate"], final_size(reproduction_number, 1 - 1e-6, 1e-6), atol=1e-6)


@given(
    st.floats(1.5, 6), st.floats(2, 5), st.floats(1e-5, 1e-2), st.floats(0, 0.3), st.sampled_from(["early", "at once"])
)
@settings(deadline=None, max_examples=40)
def test_the_peak_of_sir_is_that_of_the_conserved_quantity(reproduction_number, days, infected, immune, when):
    if when == "at once":
        immune = 1 - 0.9 / reproduction_number  # too few are left to be infected: it only falls
    answer = sir(reproduction_number=reproduction_number, infectious_days=days, infected=infected, immune=immune)
    susceptible = 1 - immune - infected
    threshold = reproduction_number * susceptible
    if threshold <= 1:
        assert (answer["peak"], answer["peak_day"]) == (infected, 0)
    else:
        expected = infected + susceptible - (1 + np.log(threshold)) / reproduction_number
        # Of what hardly grows the year may end before the peak.
        growth = (threshold - 1) / days * 365
        if growth > 3 * np.log(1 / infected):
            assert 0 < answer["peak_day"] < 365
        if answer["peak_day"] < 365:
            assert_allclose(answer["peak"], expected, atol=1e-8)
        else:
            assert infected < answer["peak"] < expected
    assert answer["peak"] >= answer["prevalence"].max() - 1e-12


def reference(reproduction_number, latent_days, infectious_days, infected, severe, stay_days, **levers):
    """Days, and everything that SEIR counts on a fine grid, by another integrator with a contact rate that jumps."""
    begin = levers["start_day"]
    end = begin + levers["duration_days"]

    def rates(t, y, during):
        s, e, i, _, h = y
        beta = reproduction_number / infectious_days * (1 - levers["contact_reduction"] * during)
        return [
            -beta * s * i,
            beta * s * i - e / latent_days,
            e / latent_days - i / infectious_days,
            i / infectious_days,
            severe * i / infectious_days - h / stay_days,
        ]

    state = [1 - levers["vaccinated"] - infected, infected, 0, levers["vaccinated"], 0]
    days, states = [], []
    for first, last, during in ((0, begin, 0), (begin, min(end, 365), 1), (min(end, 365), 365, 0)):
        if first < last:
            grid = np.linspace(first, last, 4001)
            solved = scipy.integrate.solve_ivp(
                rates, (first, last), state, "Radau", t_eval=grid, args=(during,), rtol=1e-9, atol=1e-12
            )
            days.append(grid)
            states.append(solved.y)
            state = solved.y[:, -1]
    return np.concatenate(days), np.hstack(states)


@pytest.mark.parametrize(
    "levers",
    [
        {"vaccinated": 0.0, "contact_reduction": 0.0, "start_day": 50.0, "duration_days": 0.0},
        {"vaccinated": 0.2, "contact_reduction": 0.6, "start_day": 30.5, "duration_days": 60.25},
        {"vaccinated": 0.0, "contact_reduction": 0.8, "start_day": 0.0, "duration_days": 100.0},  # a second wave
        {"vaccinated": 0.5, "contact_reduction": 0.3, "start_day": 120.0, "duration_days": 300.0},  # beyond the year
    ],
)
def test_seir_against_another_integrator(levers):
    point = FLU | {"reproduction_number": 2.5} | levers
    days, (s, e, i, removed, h) = reference(**point)
    assert_allclose(s + e + i + removed, 1, atol=1e-12)
    answer = seir(**point)
    at = np.searchsorted(days, answer["peak_day"])
    assert_allclose(answer["peak"], i.max(), rtol=1e-5)
    assert_allclose(answer["peak"], i[min(at, len(i) - 1)], rtol=1e-3)
    assert_allclose(answer["peak_beds"], 1e5 * h.max(), rtol=1e-5)
    assert_allclose(answer["attack_rate"], s[0] - s[-1], rtol=1e-6)
    # The reference is interpolated linearly between points of at most 0.09 days.
    assert_allclose(answer["prevalence"], np.interp(np.arange(366), days, i), atol=1e-5)
    assert_allclose(answer["beds"], 1e5 * np.interp(np.arange(366), days, h), atol=1e-2)


@given(st.lists(st.floats(0.001, 0.999), min_size=10, max_size=10))
@settings(deadline=None, max_examples=60)
def test_shares_stay_shares_all_over_the_space(u):
    point = seir.space.from_unit([u]).to_dict("records")[0]
    answer = seir(**point)
    susceptible = 1 - point["vaccinated"] - point["infected"]
    assert -1e-9 <= answer["attack_rate"] <= susceptible + 1e-9
    assert answer["attack_rate"] <= final_size(point["reproduction_number"], susceptible, point["infected"]) + 1e-8
    assert answer["prevalence"].min() >= -1e-9
    assert answer["peak"] >= answer["prevalence"].max() - 1e-9
    assert answer["peak_beds"] >= answer["beds"].max() - 1e-4
    # Beds fill at most as fast as people fall ill, and some have left by the peak.
    assert answer["peak_beds"] <= 1e5 * point["severe"] * (answer["attack_rate"] + point["infected"]) + 1e-4


@given(st.lists(st.floats(0.05, 0.95), min_size=10, max_size=10), st.floats(0, 1))
@settings(deadline=None, max_examples=30)
def test_more_vaccination_never_means_more_infected(u, share):
    point = seir.space.from_unit([u]).to_dict("records")[0] | NO_MEASURE
    fewer = seir(**point | {"vaccinated": 0.6 * share})
    more = seir(**point | {"vaccinated": 0.6})
    assert more["attack_rate"] <= fewer["attack_rate"] + 1e-9
    assert more["peak"] <= fewer["peak"] + 1e-9


def test_a_measure_that_comes_too_early_only_delays():
    # Hollingsworth et al. 2011: nearly everybody is susceptible when it ends, so the wave is as high as without it.
    point = FLU | {"reproduction_number": 2.5, "vaccinated": 0.0}
    without = seir(**point, **NO_MEASURE)
    early = seir(**point, contact_reduction=0.8, start_day=0.0, duration_days=100.0)
    later = seir(**point, contact_reduction=0.4, start_day=30.0, duration_days=100.0)
    assert early["peak_day"] > without["peak_day"] + 90
    assert_allclose(early["peak"], without["peak"], rtol=0.01)
    assert later["peak"] < 0.7 * without["peak"]
