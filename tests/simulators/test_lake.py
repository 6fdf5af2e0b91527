"""The shallow lake: tipping points from the literature, and an independent scalar program."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from simulators.lake import critical_phosphorus, cubic_policy, lake, lognormal_inflow, phosphorus
from surrogate.loading import load_simulator
from surrogate.simulation import checked_answer

# b, q, mean, stdev, delta, c1, c2, r1, r2, w1; the radii are wide, since rounding errors grow under a steep policy.
POINTS = {
    name: dict(zip(lake.space, values))
    for name, values in {
        "clean": (0.42, 2.0, 0.02, 0.0017, 0.98, 0.5, 0.5, 1.5, 1.5, 0.5),
        "breaks with its policy": (0.42, 2.0, 0.02, 0.005, 0.95, 0.3, 0.2, 0.5, 0.6, 0.4),
        "tips in some replicates": (0.42, 2.2, 0.05, 0.005, 0.99, -0.3, 0.5, 1.3, 0.9, 0.1),
        "tips early": (0.2, 3.0, 0.04, 0.002, 0.93, -1.0, 1.5, 1.0, 2.0, 0.7),
    }.items()
}
ALWAYS_THE_MOST = {"c1": -2.0, "c2": -2.0, "r1": 0.5, "r2": 0.5, "w1": 0.5}  # emits 0.1 a year, whatever the state

# A busy machine must not fail a test.
patient = settings(deadline=None)


def scalar_lake(inflow, b, q, delta, c1, c2, r1, r2, w1):
    """The four objectives, written down year by year from the definitions; `inflow` holds one list a replicate."""
    low, high = 1e-9, (q - 1) ** (1 / q)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if middle**q / (1 + middle**q) < b * middle else (low, middle)
    threshold, n, years = low, len(inflow), len(inflow[0])
    mean_x, utility, steady, reliable = [0.0] * years, 0.0, 0, 0
    for series in inflow:
        x, before = 0.0, None
        for t, y in enumerate(series):
            a = w1 * abs((x - c1) / r1) ** 3 + (1 - w1) * abs((x - c2) / r2) ** 3
            a = min(max(a, 0.01), 0.1)
            utility += 0.4 * a * delta**t / n
            if before is not None:
                steady += a - before > -0.02
            before = a
            x = x + a + y + x**q / (1 + x**q) - b * x
            mean_x[t] += x / n
            reliable += x < threshold
    return {
        "max_phosphorus": max(mean_x),
        "utility": utility,
        "inertia": steady / (n * (years - 1)),
        "reliability": reliable / (n * years),
    }


def growth(x, b, q):
    return x**q / (1 + x**q) - b * x


@pytest.mark.parametrize(("q", "expected"), [(2, 0.54454), (2.5, 0.71023)])
def test_critical_phosphorus_of_the_literature(q, expected):
    # Published for b = 0.42, the lake of Quinn et al. 2017.
    assert critical_phosphorus(0.42, q) == pytest.approx(expected, abs=5e-6)


@patient
@given(b=st.floats(1e-12, 0.4999))
def test_critical_phosphorus_in_closed_form(b):
    # The smaller root of b x**2 - x + b, in the form that does not cancel; one absolute tolerance would not do.
    assert critical_phosphorus(b, 2) == pytest.approx(2 * b / (1 + math.sqrt(1 - 4 * b**2)), rel=1e-10)


@patient
@given(b=st.floats(0.1, 0.45), q=st.floats(2, 4.5))
def test_growth_changes_sign_at_the_tipping_point_only(b, q):
    tipping, steepest = critical_phosphorus(b, q), (q - 1) ** (1 / q)
    assert growth(tipping, b, q) == pytest.approx(0, abs=1e-13)
    assert tipping < steepest  # the larger root, the eutrophic lake, lies beyond
    assert (growth(tipping * np.linspace(1e-6, 1 - 1e-6, 50), b, q) < 0).all()
    assert (growth(np.linspace(tipping * (1 + 1e-6), steepest, 50), b, q) > 0).all()


@pytest.mark.parametrize(("b", "q"), [(0.5, 2), (0.7, 2), (3, 2), (0.53, 3), (1.0, 40)])
def test_a_lake_that_always_recovers_has_no_tipping_point(b, q):
    assert critical_phosphorus(b, q) == math.inf
    assert (growth(np.geomspace(1e-6, 1e3, 2000), b, q) <= 1e-12).all()


def test_critical_phosphorus_just_below_the_fold():
    # The two roots meet there; at about every tenth of these q rounding hides the change of sign between them.
    for q in np.linspace(1.1, 5, 500):
        fold = (q - 1) ** ((q - 1) / q) / q
        assert critical_phosphorus(fold * (1 - 2e-16), q) == pytest.approx((q - 1) ** (1 / q), rel=1e-6)


@pytest.mark.parametrize(
    ("b", "q", "message"),
    [(0, 2, "b must be positive"), (math.nan, 2, "b must be positive"), (0.4, 1, "q must be above 1"),
     (0.4, math.nan, "q must be above 1"), (math.inf, 2, "finite"), (0.4, math.inf, "finite")],
)  # fmt: skip
def test_critical_phosphorus_refuses(b, q, message):
    with pytest.raises(ValueError, match=message):
        critical_phosphorus(b, q)


@patient
@given(b=st.floats(0.1, 0.45), q=st.floats(2, 4.5))
def test_a_lake_left_alone_recovers_from_below_the_tipping_point_only(b, q):
    pulses = np.zeros((3000, 2))
    pulses[0] = critical_phosphorus(b, q) * np.array([0.98, 1.02])
    x, a = phosphorus(np.zeros_like, pulses, b, q)
    recovered, eutrophic = x[-1]
    assert recovered < 1e-3
    assert growth(eutrophic, b, q) == pytest.approx(0, abs=1e-6)
    assert eutrophic > pulses[0, 1]
    assert not a.any()


def test_a_lake_without_any_inflow_stays_clean():
    x, _ = phosphorus(np.zeros_like, np.zeros((100, 4)), 0.42, 2.0)
    assert_array_equal(x, np.zeros((101, 4)))


@pytest.mark.parametrize("point", POINTS.values(), ids=POINTS)
def test_without_variance_as_the_scalar_program(point):
    point = point | {"stdev": 0.0}
    known = {name: value for name, value in point.items() if name not in ("mean", "stdev")}
    expected = scalar_lake([[point["mean"]] * 100], **known)
    found = lake(**point, seed=5)
    assert list(found) == list(expected)
    assert_allclose(list(found.values()), list(expected.values()), rtol=1e-9)


@pytest.mark.parametrize("point", POINTS.values(), ids=POINTS)
def test_random_inflow_as_the_scalar_program(point):
    inflow = lognormal_inflow(point["mean"], point["stdev"], (100, 7), seed=11).T.tolist()
    known = {name: value for name, value in point.items() if name not in ("mean", "stdev")}
    expected = scalar_lake(inflow, **known)
    found = lake(**point, seed=11, replicates=7)
    assert_allclose(list(found.values()), list(expected.values()), rtol=1e-9)


def test_the_points_tell_the_outputs_apart():
    # Without these the two tests above could not see a wrong inertia or reliability.
    answers = {name: lake(**point) for name, point in POINTS.items()}
    assert answers["clean"]["reliability"] == answers["clean"]["inertia"] == 1
    assert answers["breaks with its policy"]["inertia"] < 1
    assert 0.1 < answers["tips in some replicates"]["reliability"] < 0.9
    assert answers["tips early"]["reliability"] < 0.1


@pytest.mark.parametrize(("mean", "stdev"), [(0.03, 0.005), (0.02, 0.02)])
def test_mean_and_standard_deviation_are_those_of_the_inflow_itself(mean, stdev):
    inflow = lognormal_inflow(mean, stdev, (1_000_000,), seed=1)
    assert inflow.mean() == pytest.approx(mean, abs=5 * stdev / 1000)
    assert inflow.std() == pytest.approx(stdev, rel=0.02)
    logs = np.log(inflow)
    assert ((logs - logs.mean()) ** 3).mean() == pytest.approx(0, abs=0.02 * logs.std() ** 3)


def test_inflow_has_the_same_weather_whatever_its_moments():
    one, other = lognormal_inflow(0.02, 0.001, (30,), seed=4), lognormal_inflow(0.05, 0.005, (30,), seed=4)
    assert_array_equal(np.argsort(one), np.argsort(other))


def test_same_seed_same_answer_and_other_seed_other_answer():
    point = POINTS["tips in some replicates"]
    assert lake(**point, seed=3) == lake(**point, seed=3)
    first, second = lake(**point, seed=3), lake(**point, seed=4)
    assert all(first[name] != second[name] for name in ("max_phosphorus", "utility", "reliability"))


@patient
@given(u=st.lists(st.floats(0, 1), min_size=10, max_size=10), seed=st.integers(0, 2**32 - 1))
def test_outputs_keep_their_bounds_all_over_the_space(u, seed):
    point = lake.space.from_unit([u]).to_dict("records")[0]
    answer = checked_answer(lake.outputs, lake(**point, seed=seed, replicates=5))
    assert 0 <= answer["reliability"] <= 1
    assert 0 <= answer["inertia"] <= 1
    years_worth = (1 - point["delta"] ** 100) / (1 - point["delta"])
    assert 0.4 * 0.01 * years_worth * (1 - 1e-12) <= answer["utility"] <= 0.4 * 0.1 * years_worth * (1 + 1e-12)
    # Nothing leaves the lake but b of it, and at most 1 a year comes back from the sediment.
    assert 0 < answer["max_phosphorus"] < (0.1 + 1 + 0.2) / point["b"]


@patient
@given(
    b=st.floats(0.1, 0.45), q=st.floats(2, 4.5), less=st.floats(0, 0.1), more=st.floats(0, 0.1), seed=st.integers(0, 99)
)
def test_more_emission_never_means_less_phosphorus(b, q, less, more, seed):
    less, more = sorted((less, more))
    inflow = lognormal_inflow(0.03, 0.005, (100, 4), seed)
    clean, _ = phosphorus(lambda x: np.full_like(x, less), inflow, b, q)
    dirty, _ = phosphorus(lambda x: np.full_like(x, more), inflow, b, q)
    assert (dirty >= clean * (1 - 1e-12)).all()
    assert dirty[1] == pytest.approx(clean[1] + more - less)


def test_the_policy_by_hand():
    # ((0.7 - 0.5) / 0.5)**3 = 0.064 and ((0.7 + 0.1) / 2)**3 = 0.064 as well; at 0.5 the second alone: 0.027.
    x = np.array([0.7, 0.5, 2.0, 0.5])
    assert_allclose(cubic_policy(x[:1], 0.5, -0.1, 0.5, 2, 0.3), [0.064])
    assert_allclose(cubic_policy(x[1:2], 0.5, -0.1, 0.5, 2, 0.25), [0.75 * 0.027])
    assert_allclose(cubic_policy(x[2:], 0.5, -0.1, 0.5, 2, 1.0), [0.1, 0.01])  # the limits


def test_the_most_there_is_to_emit():
    answer = lake(**POINTS["clean"] | ALWAYS_THE_MOST)
    assert answer["utility"] == pytest.approx(0.4 * 0.1 * (1 - 0.98**100) / (1 - 0.98))  # geometric series
    assert answer["inertia"] == 1


def test_reliability_is_one_where_there_is_no_tipping_point():
    polluted = POINTS["tips early"] | ALWAYS_THE_MOST
    just_below, above = lake(**polluted | {"b": 0.5, "q": 2.1}), lake(**polluted | {"b": 0.5, "q": 2})
    assert just_below["reliability"] < 1
    assert just_below["max_phosphorus"] > 1
    assert above["max_phosphorus"] > 1
    assert above["reliability"] == 1


def test_it_is_found_by_name_and_takes_a_seed():
    assert load_simulator("lake") is lake
    assert lake.stochastic
    roles = [parameter.role for parameter in lake.space.values()]
    assert roles == ["uncertainty"] * 5 + ["lever"] * 5
