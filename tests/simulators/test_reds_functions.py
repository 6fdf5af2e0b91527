"""The REDS paper's functions: published shares of interest, values known elsewhere, and use as simulators."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import scipy.stats
from numpy.testing import assert_allclose

import surrogate as sg
from simulators.reds_functions import FUNCTIONS

EVERY = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=str)
INPUTS = ("uniform", "mixed", "logit-normal")


def points(function, m=14):
    return scipy.stats.qmc.Sobol(function.d, rng=1).random(2**m)


@EVERY
def test_share_of_interest_is_the_published_one(function):
    values = function.values(points(function, 15))
    share = values.mean() if function.stochastic else (values < function.threshold).mean()
    assert_allclose(share, function.share, atol=0.003)


@EVERY
def test_only_the_influential_inputs_matter(function):
    u = points(function, 8)
    values = function.values(u)
    for j in range(function.d):
        other = u.copy()
        other[:, j] = 1 - other[:, j] if f"x{j + 1}" not in function.influential else (other[:, j] + 0.37) % 1
        assert (function.values(other) == values).all() == (f"x{j + 1}" not in function.influential)


@pytest.mark.parametrize(
    ("name", "at", "value"),
    [
        # Minima: Surjanovic and Bingham, "Virtual Library of Simulation Experiments", pages hart3 and hart4.
        ("hart3", [0.114614, 0.555649, 0.852547], -3.86278),
        # There the divisor has a digit more, 0.8387.
        ("hart4", [0.1873, 0.1906, 0.5566, 0.2647], -3.135474 * 0.8387 / 0.839),
        # Minimum of the unscaled function of six inputs: -3.32237.
        ("hart6sc", [0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573], -np.log(3.32237)),
        ("sobol", np.full(8, 0.75), 1.0),
        ("sobol", np.full(8, 0.5), 0.0),
        ("willetal06", [1.0, 1.0, 0.3], -2.0),
    ],
)
def test_known_values(name, at, value):
    assert_allclose(FUNCTIONS[name].values([at])[0], value, rtol=2e-5, atol=1e-12)


def test_morris_at_the_centre():
    # By hand: w = 0 but for the inputs 3, 5 and 7, which are warped: w = 2 (0.55 / 0.6 - 0.5) = 5 / 6. Their linear
    # coefficients are 20, of the pair 3-5 it is -15, of 3-7 and 5-7 it is (-1) to an even power.
    w = 5 / 6
    assert_allclose(FUNCTIONS["morris"].values(np.full((1, 20), 0.5)), 60 * w - 15 * w**2 + 2 * w**2)


@pytest.mark.parametrize("inputs", INPUTS)
def test_every_function_runs_as_a_simulator(inputs):
    for name in ("morris", "dalal_1"):
        function = FUNCTIONS[name].with_inputs(inputs)
        design = sg.sobol(function.space, 16, rng=0)
        runs = sg.run(function, design, n_jobs=0, rng=3)
        assert runs.counts["done"] == 16
        expected = function.values(design)
        assert_allclose(runs.outputs["probability" if function.stochastic else "value"], expected)
        flags = sg.of_interest(runs.outputs, function.of_interest)
        if not function.stochastic:
            np.testing.assert_array_equal(flags, function.labels(design))
        assert pickle.loads(pickle.dumps(function)) == function


def test_inputs_are_distributed_as_in_the_paper():
    mixed = FUNCTIONS["ishigami"].with_inputs("mixed").space
    assert [parameter.kind for parameter in mixed.values()] == ["real", "ordinal", "real"]
    assert mixed["x2"].values == (0.1, 0.3, 0.5, 0.7, 0.9)
    normal = FUNCTIONS["ishigami"].with_inputs("logit-normal").space["x1"]
    u = np.array([0.1, 0.5, 0.8])
    x = normal.from_unit(u)
    assert_allclose(np.log(x / (1 - x)), scipy.stats.norm.ppf(u))  # the definition


def test_labels_of_a_noisy_function_are_drawn_with_the_probability():
    function = FUNCTIONS["dalal_1"]
    u = np.repeat([[0.9, 0.9, 0, 0, 0], [0.1, 0.1, 0, 0, 0], [0.6, 0.45, 0, 0, 0]], 4000, axis=0)
    share = function.labels(u, 1).reshape(3, -1).mean(axis=1)
    assert_allclose(share, function.values(u[::4000]), atol=0.02)
    np.testing.assert_array_equal(function.labels(u, 1), function.labels(u, 1))


def test_found_by_name_and_wrong_points_are_refused():
    assert sg.load_simulator("simulators.reds_functions:morris") is FUNCTIONS["morris"]
    with pytest.raises(ValueError, match=r"shape \(n, 20\), got \(1, 3\)"):
        FUNCTIONS["morris"].values(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="'mixed'"):
        FUNCTIONS["morris"].with_inputs("normal")
