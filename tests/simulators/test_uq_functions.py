"""Test functions of uncertainty quantification against published values, moments, indices and limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import surrogate as sg
from simulators import uq_functions as uq


def at_random(simulator, n=4096, rng=0):
    design = sg.sobol(simulator.space, n, rng=rng)
    return {name: design[name].to_numpy() for name in design}


def points(simulator):
    d = simulator.space.d
    return st.lists(st.floats(0.001, 0.999), min_size=d, max_size=d).map(
        lambda u: simulator.space.from_unit([u]).to_dict("records")[0]
    )


def test_the_weight_of_an_unpainted_skyhawk():
    # Gramacy, "Surrogates", 2020, ch. 1: wingwt() at its coded baseline, which leaves out the paint.
    names = ["Sw", "Wfw", "A", "sweep", "q", "taper", "tc", "Nz", "Wdg", "Wp"]
    assert uq.wing_weight.space.names == tuple(names)
    coded = [0.48, 0.4, 0.38, 0.5, 0.62, 0.344, 0.4, 0.37, 0.38, 0.5]
    baseline = uq.wing_weight.space.from_unit([coded]).to_dict("records")[0] | {"Wp": 0.0}
    assert_allclose(uq.wing_weight(**baseline)["weight"], 233.90840542, rtol=1e-10)
    painted = uq.wing_weight(**baseline | {"Wp": 0.064})["weight"]
    assert_allclose(painted - uq.wing_weight(**baseline)["weight"], 174 * 0.064)


@given(points(uq.borehole))
@settings(deadline=None, max_examples=50)
def test_the_borehole_is_three_resistances_in_a_row(point):
    rw, r, tu, hu, tl, hl, length, kw = point.values()
    thiem = np.log(r / rw) / (2 * np.pi)  # radial flow to a well, by transmissivity
    darcy = length / (kw * np.pi * rw**2)
    assert_allclose(uq.borehole(**point)["flow"], (hu - hl) / (thiem / tu + darcy + thiem / tl), rtol=1e-12)


@given(points(uq.piston))
@settings(deadline=None, max_examples=50)
def test_the_piston_oscillates_about_its_equilibrium(point):
    m, s, v0, k, p0, ta, t0 = point.values()
    # The frequency of a mass on the spring and the gas; the volume balances weight, spring and pressure.
    cycle = float(uq.piston(**point)["cycle_time"])
    stiffness = m * (2 * np.pi / cycle) ** 2 - k
    volume = s * np.sqrt(p0 * v0 / t0 * ta / stiffness)
    force = k * volume / s + p0 * s + 19.62 * m - k * v0 / s - p0 * v0 / t0 * ta * s / volume
    assert abs(force) < 1e-8 * (p0 * s + k * volume / s)
    assert stiffness > 0


@given(points(uq.otl_circuit))
@settings(deadline=None, max_examples=50)
def test_the_circuit_without_base_current(point):
    # With an infinite gain nothing flows into the base: its divider, a diode's 0.74 V, and that over Rc1 through Rf.
    ideal = 12 * point["Rb2"] / (point["Rb1"] + point["Rb2"]) + 0.74 + 0.74 * point["Rf"] / point["Rc1"]
    assert_allclose(uq.otl_circuit(**point | {"beta": 1e12})["midpoint_voltage"], ideal, rtol=1e-9)
    real = uq.otl_circuit(**point)["midpoint_voltage"]
    gain = point["beta"] * (point["Rc2"] + 9)
    correction = point["Rf"] / (gain + point["Rf"])
    assert_allclose(real, ideal + (11.35 - ideal) * correction, rtol=1e-12)


@given(points(uq.robot_arm), st.floats(-3, 3))
@settings(deadline=None, max_examples=50)
def test_the_arm_is_rigid(point, turn):
    lengths = [point[f"L{i}"] for i in range(1, 5)]
    distance = uq.robot_arm(**point)["distance"]
    assert distance <= sum(lengths) * (1 + 1e-12)
    assert distance >= 2 * max(lengths) - sum(lengths) - 1e-12
    # The first angle turns all of it, and by complex numbers it is the same sum.
    assert_allclose(uq.robot_arm(**point | {"theta1": turn})["distance"], distance, atol=1e-12)
    angles = np.cumsum([point[f"theta{i}"] for i in range(1, 5)])
    assert_allclose(distance, abs(np.sum(lengths * np.exp(1j * angles))), atol=1e-12)


def test_moments_of_ishigami():  # Saltelli et al. 2008, ch. 4: the variance in closed form
    values = uq.ishigami(**at_random(uq.ishigami, 2**14))["value"]
    variance = 7**2 / 8 + 0.1 * np.pi**4 / 5 + 0.1**2 * np.pi**8 / 18 + 1 / 2
    assert variance == pytest.approx(13.844588, abs=1e-6)
    assert_allclose(values.mean(), 3.5, atol=0.005)
    assert_allclose(values.var(), variance, rtol=0.002)


def test_moments_of_the_others():
    g = uq.g_function(**at_random(uq.g_function, 2**14))["value"]
    parts = 1 / (3 * (1 + np.array(uq.G_COEFFICIENTS)) ** 2)
    assert_allclose(g.mean(), 1, atol=0.002)
    assert_allclose(g.var(), np.prod(1 + parts) - 1, rtol=0.01)
    # The parts of Friedman's function are independent; the product's mean by the midpoint rule.
    x = (np.arange(2000) + 0.5) / 2000
    product = np.sin(np.pi * np.outer(x, x)).mean()
    friedman = uq.friedman(**at_random(uq.friedman, 2**14))["value"]
    assert_allclose(friedman.mean(), 10 * product + 20 / 12 + 5 + 2.5, atol=0.01)


def test_indices_of_ishigami():  # Saltelli et al. 2008, ch. 4
    found = sg.sobol_indices(uq.ishigami, n=2048, rng=1)
    assert_allclose(found["first"], [0.313905, 0.442411, 0], atol=0.02)
    assert_allclose(found["total"], [0.557589, 0.442411, 0.243684], atol=0.02)


def test_indices_of_the_g_function():  # closed form, Saltelli and Sobol 1995; 0.716, 0.179, 0.024, 0.007, 0, 0
    parts = 1 / (3 * (1 + np.array(uq.G_COEFFICIENTS)) ** 2)
    variance = np.prod(1 + parts) - 1
    first, total = parts / variance, parts * np.prod(1 + parts) / (1 + parts) / variance
    assert_allclose(first, [0.716, 0.179, 0.024, 0.007, 0, 0], atol=5e-4)
    found = sg.sobol_indices(uq.g_function, n=2048, rng=1)
    assert_allclose(found["first"], first, atol=0.02)
    assert_allclose(found["total"], total, atol=0.02)


def test_reliability_of_the_beam():
    # Wu et al. 2001: an index of 3 for the stress at w = 2.4484, t = 3.8884. The margin is normal, so it is exact.
    w, t = 2.4484, 3.8884
    mean = uq.cantilever_beam(w=w, t=t, R=40_000, E=2.9e7, X=500, Y=1000)
    spread = [
        uq.cantilever_beam(w=w, t=t, **{"R": 40_000, "E": 2.9e7, "X": 500, "Y": 1000} | {name: value})["margin"]
        - mean["margin"]
        for name, value in (("R", 42_000), ("X", 600), ("Y", 1100))
    ]
    assert_allclose(mean["margin"] / np.linalg.norm(spread), 3.0, atol=0.01)
    # Displacement of a beam with the end loads: L^3 / 3 E I along each axis, I = w t^3 / 12.
    along_y = 1000 * 100**3 / (3 * 2.9e7 * w * t**3 / 12)
    along_x = 500 * 100**3 / (3 * 2.9e7 * t * w**3 / 12)
    assert_allclose(mean["displacement"], np.hypot(along_x, along_y))
    assert_allclose(mean["area"], w * t)
