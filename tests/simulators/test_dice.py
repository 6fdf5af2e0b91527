"""DICE against the results of Nordhaus's own program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from simulators.dice import YEARS, dice, run_dice

NORDHAUS = {
    "climate_sensitivity": 3.1,
    "damage": 0.00236,
    "productivity_growth": 0.076,
    "decarbonisation": 0.0152,
    "time_preference": 0.015,
    "risk_aversion": 1.45,
}
BASELINE = NORDHAUS | {"carbon_price": 2.0, "price_growth": 0.02, "saving": 0.25}

# Temperatures of the baseline in the spreadsheet DICE2016R-090916ap-v2.xlsm, 2015 to 2100, and its net output and
# investment, from which the saving rate.
BASELINE_WARMING = [
    *(
        0.85,
        1.0163451841,
        1.1892366338,
        1.3679298492,
        1.5517465305,
        1.7400208636,
        1.9320774319,
        2.1272273346,
        2.3247739002,
    ),
    *(2.5240226182, 2.7242920720, 2.9249240758, 3.1252921251, 3.3248078344, 3.5229253638, 3.7191440137, 3.9130092479),
    4.1041124263,
]
BASELINE_OUTPUT = [
    *(104.997236997, 125.040453245, 147.276538718, 171.744532480, 198.476646380, 227.498902670, 258.831623327),
    *(292.489810530, 328.483451392, 366.817773106, 407.493467264, 450.506894695, 495.850274157, 543.511847994),
    *(593.476004539, 645.723311575, 700.230372058, 756.969329666),
]
BASELINE_INVESTMENT = [
    *(27.252580150, 32.041553712, 37.318062614, 43.093979656, 49.380366164, 56.187412648, 63.524383584, 71.399571208),
    *(79.820260507, 88.792704539, 98.322106236, 108.412598296, 119.067204545, 130.287754532, 142.074694038),
    *(154.426688699, 167.339803353, 180.805907042),
]


@pytest.fixture(scope="module")
def optimum():
    """Optimal policies and what they bring, as DICE2016R-091916ap.gms prints them."""
    return pd.read_csv(Path(__file__).parent / "data" / "dice2016r_optimum.csv")


def test_the_optimal_run_of_the_original_program(optimum):
    run = run_dice(optimum["control_rate"], optimum["saving_rate"])
    assert run.temperature.shape == (100, 1)
    known = optimum.dropna()
    assert len(known) > 25
    rows = known.index
    # Printed with nine digits after the point, which the policies have as well.
    assert_allclose(run.temperature[rows, 0], known["temperature"], atol=2e-9)
    assert_allclose(run.carbon[rows, 0], known["carbon"], rtol=2e-9)
    assert_allclose(run.capital[rows, 0], known["capital"], rtol=2e-9)


def test_the_social_cost_at_the_optimum(optimum):
    # The original takes it from the multipliers of its optimum: 30.69665888 dollars in 2015. At an optimum a change of
    # policy would change nothing, so they are derivatives under fixed policies too. Its denominator has 1e-5 added.
    run = run_dice(optimum["control_rate"], optimum["saving_rate"])
    assert_allclose(run.social_cost, 30.69665888, rtol=1e-5)


def test_the_baseline_of_the_spreadsheet():
    known = len(BASELINE_WARMING)
    period = np.arange(100)
    control = np.minimum((2 * 1.02 ** (5 * period) / (550 * 0.975**period)) ** (1 / 1.6), 1)
    saving = np.full(100, 0.258)
    saving[:known] = np.divide(BASELINE_INVESTMENT, BASELINE_OUTPUT)
    run = run_dice(control, saving)
    assert YEARS[known - 1] == 2100
    assert_allclose(run.temperature[:known, 0], BASELINE_WARMING, atol=2e-9)
    assert_allclose(run.output[:known, 0], BASELINE_OUTPUT, rtol=5e-9)
    # The simulator differs by its constant saving rate only.
    answer = dice(**BASELINE)
    assert_allclose(answer["warming"][:known], BASELINE_WARMING, atol=0.01)
    assert_allclose(answer["warming_2100"], BASELINE_WARMING[-1], atol=0.01)
    # Nordhaus 2017: 31.2 dollars in the baseline, with the saving rate optimised.
    assert_allclose(answer["social_cost"], 31.2, rtol=0.03)


def test_the_social_cost_is_that_of_damages_and_discounted():
    assert dice(**BASELINE | {"damage": 0.0})["social_cost"] == pytest.approx(0, abs=1e-12)
    # Nearly in proportion to damages, and less the more impatient people are.
    costs = [float(dice(**BASELINE | {"damage": damage})["social_cost"]) for damage in (0.001, 0.002)]
    assert costs[1] / costs[0] == pytest.approx(2, rel=0.05)
    costs = [float(dice(**BASELINE | {"time_preference": rate})["social_cost"]) for rate in (0.001, 0.01, 0.03)]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > 4 * costs[2]


def test_prices_cool_and_many_points_are_as_one():
    prices = np.array([1.0, 5.0, 20.0, 100.0])
    many = dice(**BASELINE | {"carbon_price": prices})
    assert (np.diff(many["warming_2100"]) < 0).all()
    assert (np.diff(many["emissions"][:, 5]) < 0).all()
    for i, price in enumerate(prices):
        one = dice(**BASELINE | {"carbon_price": price})
        for name, value in one.items():
            assert_allclose(value, many[name][i], rtol=1e-12)


def test_no_more_is_burnt_than_there_is():
    answer = run_dice(np.zeros(100), np.full(100, 0.3), productivity_growth=0.09, decarbonisation=0.01)
    land = 2.6 * 0.885 ** np.arange(100)
    burnt = 5 / 3.666 * (answer.emissions[:, 0] - land).sum()
    assert burnt == pytest.approx(6000 - 400)
    assert (answer.emissions[:, 0] >= land * (1 - 1e-12)).all()


def test_logarithmic_utility_is_the_limit():
    exact = dice(**BASELINE | {"risk_aversion": 1.0})
    near = dice(**BASELINE | {"risk_aversion": 1 + 1e-6})
    assert_allclose(exact["social_cost"], near["social_cost"], rtol=1e-4)
