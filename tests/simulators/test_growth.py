"""Growth models against steady states, exact paths and published speeds of convergence."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from simulators.growth import YEARS, ramsey, solow

# Barro, Sala-i-Martin 2004, ch. 2: the benchmark.
BENCHMARK = {
    "impatience": 0.02,
    "risk_aversion": 3.0,
    "capital_share": 0.3,
    "depreciation": 0.05,
    "population_growth": 0.01,
    "technical_progress": 0.02,
}


def points(simulator):
    return st.lists(st.floats(0, 1), min_size=simulator.space.d, max_size=simulator.space.d).map(
        lambda u: simulator.space.from_unit([u]).to_dict("records")[0]
    )


def dilution(point):
    return point["depreciation"] + point["population_growth"] + point["technical_progress"]


def test_half_life_of_solow():  # Romer 2012, ch. 1: 17 years, for n + g + delta = 6% and a third
    answer = solow(
        saving=0.2,
        capital_share=1 / 3,
        depreciation=0.03,
        population_growth=0.01,
        technical_progress=0.02,
        start=0.9,
    )
    assert round(float(answer["half_life"])) == 17


@given(points(solow))
@settings(deadline=None, max_examples=60)
def test_the_path_of_solow_solves_its_equation(point):
    answer = solow(**point)
    alpha = point["capital_share"]
    assert_allclose(answer["production"], answer["capital"] ** alpha, rtol=1e-10)
    assert_allclose(point["saving"] * answer["production"], dilution(point) * answer["capital"], rtol=1e-10)
    assert_allclose(answer["consumption"], (1 - point["saving"]) * answer["production"], rtol=1e-12)
    solved = scipy.integrate.solve_ivp(
        lambda t, k: point["saving"] * k**alpha - dilution(point) * k,
        (0, 100),
        [point["start"] * answer["capital"]],
        t_eval=YEARS,
        rtol=1e-9,
        atol=1e-12,
    )
    assert_allclose(answer["path"], solved.y[0] ** alpha, rtol=1e-6)


@given(points(solow), st.floats(0.05, 0.5))
@settings(deadline=None, max_examples=60)
def test_the_golden_rule(point, other):  # consumption is highest where the saving rate is the capital share
    alpha = point["capital_share"]
    best = solow(**point | {"saving": alpha})["consumption"]
    assert solow(**point | {"saving": other})["consumption"] <= best * (1 + 1e-12)


# Barro, Sala-i-Martin 2004, ch. 2: 8.2% a year in the benchmark, 1.5% with a broad concept of capital.
@pytest.mark.parametrize(("capital_share", "speed"), [(0.3, 0.082), (0.75, 0.015)])
def test_speed_of_convergence_of_ramsey(capital_share, speed):
    answer = ramsey(**BENCHMARK | {"capital_share": capital_share}, start=0.5)
    assert round(np.log(2) / answer["half_life"], 3) == speed


@given(points(ramsey))
@settings(deadline=None, max_examples=60)
def test_steady_state_of_ramsey(point):
    answer = ramsey(**point)
    alpha = point["capital_share"]
    needed = point["depreciation"] + point["impatience"] + point["risk_aversion"] * point["technical_progress"]
    assert_allclose(alpha * answer["capital"] ** (alpha - 1), needed, rtol=1e-10)
    assert_allclose(answer["saving"], alpha * dilution(point) / needed, rtol=1e-9)
    # The golden rule bounds what the impatient save.
    assert answer["saving"] < alpha


@given(points(ramsey))
@settings(deadline=None, max_examples=40)
def test_the_path_of_ramsey_solves_its_equations_and_arrives(point):
    answer = ramsey(**point)
    alpha, k, c = point["capital_share"], answer["capital_path"], answer["consumption_path"]
    assert_allclose(k[0], point["start"] * answer["capital"], rtol=1e-7)
    assert answer["first_consumption"] == c[0]

    # Forwards the saddle path repels, so that only a short way can be checked: from each year to the next.
    def change(t, state):
        k, c = np.split(state, 2)
        interest = alpha * k ** (alpha - 1) - point["depreciation"]
        growth = (interest - point["impatience"]) / point["risk_aversion"] - point["technical_progress"]
        return np.concatenate([k**alpha - c - dilution(point) * k, c * growth])

    after = scipy.integrate.solve_ivp(change, (0, 1), np.concatenate([k[:-1], c[:-1]]), rtol=1e-10, atol=1e-12).y[:, -1]
    assert_allclose(after, np.concatenate([k[1:], c[1:]]), rtol=1e-6)
    # Both approach their steady states from one side and never turn.
    for path, steady in ((k, answer["capital"]), (c, answer["consumption"])):
        gap = np.abs(path / steady - 1)
        assert (np.diff(gap) <= 1e-9).all()
        assert gap[-1] <= 4 * 0.5 ** (100 / answer["half_life"]) + 1e-6 or gap[-1] < gap[0]


@given(st.floats(0.2, 0.7), st.floats(0, 0.01), st.floats(0.015, 0.06), st.floats(0.1, 2))
@settings(deadline=None, max_examples=40)
def test_constant_saving_rate(alpha, population_growth, impatience, start):
    # Where alpha (n + g + delta) theta = delta + rho + theta g people save 1 / theta of output all along, so that
    # Ramsey's path is Solow's (Barro, Sala-i-Martin 2004, ch. 2).
    depreciation, progress = 0.05, 0.0
    theta = (depreciation + impatience) / (alpha * (population_growth + depreciation))
    shared = {
        "capital_share": alpha,
        "depreciation": depreciation,
        "population_growth": population_growth,
        "technical_progress": progress,
        "start": start,
    }
    answer = ramsey(impatience=impatience, risk_aversion=theta, **shared)
    output = answer["capital_path"] ** alpha
    assert_allclose(answer["consumption_path"] / output, 1 - 1 / theta, rtol=1e-8)
    assert_allclose(output, solow(saving=1 / theta, **shared)["path"], rtol=1e-7)


def test_infinite_utility_is_refused():
    with pytest.raises(ValueError, match=r"impatience must exceed .* got 0.005, not above 0.01"):
        ramsey(**BENCHMARK | {"impatience": 0.005, "risk_aversion": 1.0}, start=0.5)


def test_starting_near_the_steady_state_is_no_special_case():
    gaps = [1e-7, 9.9e-6, 1.1e-5, 1e-3]
    relative = []
    for gap in gaps:
        answer = ramsey(**BENCHMARK, start=1 + gap)
        relative.append((answer["first_consumption"] / answer["consumption"] - 1) / gap)
    assert_allclose(relative, relative[0], rtol=2e-3)
