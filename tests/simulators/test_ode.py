"""The integrator behind the simulators."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from simulators._ode import solve


def test_an_exact_solution():
    times = np.linspace(0, 10, 11)
    states = solve(lambda t, x: [x[1], -x[0]], [0.0, 1.0], times)
    assert_allclose(states, np.column_stack([np.sin(times), np.cos(times)]), atol=1e-8)


def test_no_time_is_no_failure():
    assert_allclose(solve(lambda t, x: [x[0]], [2.0], [3.0, 3.0]), [[2.0], [2.0]])


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::scipy.integrate.ODEintWarning")
def test_a_failure_is_an_error_and_no_numbers():
    # x' = x^2 from 1 has a pole at 1.
    with pytest.raises(RuntimeError, match="the integration failed"):
        solve(lambda t, x: [x[0] ** 2], [1.0], [0.0, 2.0])
