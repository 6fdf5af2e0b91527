"""The grid's growth rate against published labels, closed forms, root counting and integration of the equations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from threadpoolctl import threadpool_limits

from simulators.smart_grid import rightmost_root, smart_grid

# Schaefer et al., New J. Phys. 17, 015002 (2015), with the power of the published labels; apart from the module's own
# constants, so that changing those fails here.
ALPHA, COUPLING, POWER = 0.1, 8.0, 1.0
NAMES = [f"{name}{i}" for name in ("tau", "T", "g") for i in (1, 2, 3, 4)]
LOW = np.repeat([0.5, 1.0, 0.05], 4)
HIGH = np.repeat([5.0, 4.0, 1.0], 4)

MIDDLE = (LOW + HIGH) / 2  # alike consumers: the swings of one against another have a triple root
RANDOM = np.random.default_rng(20150115).uniform(LOW, HIGH, (12, 12))
CORNERS = np.where(np.random.default_rng(4).random((6, 12)) < 0.5, LOW, HIGH)
NEARLY_ALIKE = MIDDLE + np.random.default_rng(5).normal(0, 1e-9, 12)
POINTS = [*RANDOM, *CORNERS, MIDDLE, HIGH, NEARLY_ALIKE]


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    # Several BLAS threads only wait for each other on matrices this small: on a busy machine 40 times as long.
    with threadpool_limits(1):
        yield


def growth(point):
    return smart_grid(**dict(zip(NAMES, map(float, point))))["growth_rate"]


def characteristic_matrix(root, point):
    """Matrix of the linearised grid at each root, from the network's Laplacian; array of shape (n, 5, 5)."""
    tau, averaging, g = np.reshape(point, (3, 4))
    root = np.atleast_1d(root)[:, None]
    links = np.zeros((5, 5))
    links[0, 1:] = links[1:, 0] = COUPLING * np.cos(np.arcsin(POWER / COUPLING))
    laplacian = np.diag(links.sum(axis=1)) - links
    own = np.repeat(root**2 + ALPHA * root, 5, axis=1)
    own[:, 1:] += g / averaging * np.exp(-root * tau) * -np.expm1(-root * averaging)
    return laplacian + own[:, :, None] * np.eye(5)


def roots_right_of(limit, point):
    """Number of roots with real part above `limit`, without the rotation's: argument principle on det M / root.

    By Gershgorin's theorem a root with real part > -0.1 has abs(root) * (abs(root) - 0.1) < 8 * 8 and lies in the box.
    Conjugate symmetry leaves the upper half of its outline.
    """
    right, top = 9.0, 9.0
    below = np.linspace(right / 2000, 1, 2000)
    path = np.concatenate(
        [
            limit + (right - limit) * below,
            right + 1j * top * below,
            1j * top + right - (right - limit) * below,
            limit + 1j * np.linspace(top, 0, 24_000),
        ]
    )
    values = np.linalg.det(characteristic_matrix(path, point)) / path
    turns = np.angle(values[1:] / values[:-1])
    assert np.abs(turns).max() < 2, "outline too coarse to count"
    count = turns.sum() / np.pi
    assert_allclose(count, round(count), atol=0.01)
    return round(count)


def test_space_and_output():  # ranges of Arzamasov, Boehm, Jochem, SmartGridComm 2018
    assert smart_grid.space.names == tuple(NAMES)
    assert_allclose([smart_grid.space[name].low for name in NAMES], LOW)
    assert_allclose([smart_grid.space[name].high for name in NAMES], HIGH)
    assert smart_grid.outputs == ("growth_rate",)
    assert smart_grid.version == "1"
    assert not smart_grid.stochastic


def agreement(labelled: pd.DataFrame) -> float:
    predicted = np.array([growth(point) < 0 for point in labelled[NAMES].to_numpy()])
    return float((predicted == (labelled["stable"] == 1)).mean())


def test_published_labels_of_every_tenth_point(data_file):
    # dsgc_sym of the R package reds: the simulation of Arzamasov et al. at points of a Halton design. All labels must
    # be right, since with P = 0 or alpha = 0.11 only 1% and 4% are wrong.
    labelled = pd.read_csv(data_file("smart_grid_uci_6000.csv"))
    assert len(labelled) == 6000
    assert agreement(labelled.iloc[::10]) == 1


@pytest.mark.slow
def test_published_labels_of_all_points(data_file):
    # 6,000 of 6,000 when written. The growth rate nearest to 0 is 7e-7 and the file has seven digits: a row may turn.
    assert agreement(pd.read_csv(data_file("smart_grid_uci_6000.csv"))) >= 0.9998


def test_without_reaction_all_oscillations_decay_alike():
    # For g = 0 the Laplacian of the star has the eigenvalues mu = 0, k (three times) and 5 k, and each gives
    # lambda^2 + alpha lambda + mu = 0: real part -alpha / 2 for mu > 0, for mu = 0 the rotation 0 and a root -alpha.
    # Roots of the delays come from minus infinity, Re lambda ~ ln(g) / (tau + T), and are far left still at g = 1e-9.
    for point in RANDOM[:4]:
        tau, averaging, g = point.reshape(3, 4)
        frozen = smart_grid.__wrapped__(**dict(zip(NAMES, [*tau, *averaging, *[0.0] * 4])))
        assert_allclose(frozen["growth_rate"], -ALPHA / 2, rtol=1e-10)
        faint = smart_grid.__wrapped__(**dict(zip(NAMES, [*tau, *averaging, *(1e-9 * g)])))
        assert_allclose(faint["growth_rate"], -ALPHA / 2, atol=1e-8)


def test_weak_reaction_of_alike_consumers_to_first_order():
    # Consumers against each other: lambda^2 + alpha lambda + k + r(lambda) = 0 with r = g / T (e^(-lambda tau) -
    # e^(-lambda (tau + T))); around the root s for g = 0, lambda = s - r(s) / (2 s + alpha) + O(g^2).
    tau, averaging, g = 3.0, 1.0, 1e-5
    k = np.sqrt(COUPLING**2 - POWER**2)
    s = -ALPHA / 2 + 1j * np.sqrt(k - ALPHA**2 / 4)
    reaction = g / averaging * (np.exp(-s * tau) - np.exp(-s * (tau + averaging)))
    shift = -reaction / (2 * s + ALPHA)
    assert shift.real > 1e-6  # so that these are the rightmost roots
    root = rightmost_root([tau] * 4, [averaging] * 4, [g] * 4)
    assert_allclose(root - s, shift, rtol=1e-4)


@pytest.mark.parametrize("point", POINTS)
def test_the_root_solves_the_characteristic_equation(point):
    root = rightmost_root(*point.reshape(3, 4))
    assert growth(point) == root.real
    sizes = np.linalg.svd(characteristic_matrix(root, point)[0], compute_uv=False)
    assert sizes[-1] < 1e-12 * sizes[0]
    assert abs(root) > 0.1  # not the rotation


@pytest.mark.parametrize("point", POINTS)
def test_no_root_lies_further_right(point):
    rate, margin = growth(point), 2e-3
    assert roots_right_of(rate + margin, point) == 0
    assert roots_right_of(rate - margin, point) >= 2


def test_alike_consumers_have_a_triple_root():
    # The Laplacian's eigenvalue k is threefold (above), and so is every root of the swings that leave the producer at
    # rest: three null vectors, and with the conjugates six roots to the right of a line just left of it.
    alike = np.repeat([3.0, 1.0, 0.5], 4)
    root = rightmost_root(*alike.reshape(3, 4))
    sizes = np.linalg.svd(characteristic_matrix(root, alike)[0], compute_uv=False)
    assert sizes[2] < 1e-12 * sizes[0]
    assert sizes[1] > 1e-3 * sizes[0]
    assert roots_right_of(root.real - 1e-3, alike) == 6


def integrate(point, seconds, step=0.01):
    """Speeds of the five nodes by Heun's method on the full nonlinear equations, slightly off the steady state."""
    tau, averaging, g = np.reshape(point, (3, 4))
    strength = g / averaging
    recent = np.round(tau / step).astype(int)
    oldest = np.round((tau + averaging) / step).astype(int)
    past = oldest.max()
    angle = np.zeros((past + round(seconds / step) + 1, 5))
    speed = np.zeros_like(angle)
    angle[: past + 1, 1:] = -np.arcsin(POWER / COUPLING)
    angle[past] += 1e-6 * np.array([0.3, -1.0, 0.5, 0.9, -0.2])
    power = np.array([4 * POWER, *[-POWER] * 4])
    reacting = np.arange(1, 5)

    def acceleration(theta, omega, now):
        flow = COUPLING * np.sin(theta[0] - theta[1:])
        out = power - ALPHA * omega
        out[0] -= flow.sum()
        out[1:] += flow - strength * (angle[now - recent, reacting] - angle[now - oldest, reacting])
        return out

    for now in range(past, len(angle) - 1):
        first = acceleration(angle[now], speed[now], now)
        angle[now + 1] = angle[now] + step * speed[now]
        speed[now + 1] = speed[now] + step * first
        second = acceleration(angle[now + 1], speed[now + 1], now + 1)
        angle[now + 1] = angle[now] + step / 2 * (speed[now] + speed[now + 1])
        speed[now + 1] = speed[now] + step / 2 * (first + second)
    return speed[past:]


@pytest.mark.parametrize(
    ("point", "node", "stable"),
    [
        # Points where P matters (P = 0 would shift the rate by 0.004) and the next root is 0.016 and 0.037 1/s behind.
        ([0.5, 1.0, 4.5, 0.5, 2.5, 2.0, 3.0, 2.0, 0.6, 0.3, 0.9, 0.4], 3, True),
        ([4.5, 3.5, 2.0, 0.5, 1.0, 1.0, 3.5, 2.5, 0.4, 1.0, 0.8, 1.0], 1, False),
    ],
)
def test_growth_of_the_nonlinear_equations(point, node, stable):
    seconds, step = 300, 0.01
    speed = np.abs(integrate(point, seconds, step)[:, node])
    peaks = 1 + np.flatnonzero((speed[1:-1] > speed[:-2]) & (speed[1:-1] > speed[2:]))
    # Late, when the other roots have died out, peaks follow the rightmost root alone.
    peaks = peaks[peaks * step > 0.7 * seconds]
    assert len(peaks) > 50
    slope = np.polyfit(peaks * step, np.log(speed[peaks]), 1)[0]
    assert_allclose(slope, growth(point), atol=5e-4)
    assert (slope < 0) == stable


@given(
    st.lists(st.tuples(st.floats(0.5, 5), st.floats(1, 4), st.floats(0.05, 1)), min_size=4, max_size=4),
    st.permutations(range(4)),
)
@settings(deadline=None, max_examples=60)
def test_consumers_are_interchangeable(consumers, order):
    # Where two roots meet, rounding moves them by its square root.
    shuffled = [consumers[i] for i in order]
    assert_allclose(growth(np.transpose(shuffled).ravel()), growth(np.transpose(consumers).ravel()), atol=1e-7)


def test_each_parameter_belongs_to_its_own_consumer():
    # Swapping only a part of two consumers' parameters is another grid: catches names bound in the wrong order.
    changed = RANDOM[0].copy()
    changed[[0, 1]] = changed[[1, 0]]
    assert abs(growth(changed) - growth(RANDOM[0])) > 1e-3


def test_the_same_point_gives_the_same_number_again():
    first = [growth(point) for point in POINTS]
    assert [growth(point) for point in reversed(POINTS)] == first[::-1]
