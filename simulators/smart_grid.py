r"""Linear stability of decentral smart grid control: do consumers who react to the grid's frequency destabilise it?

The model
---------
Decentral smart grid control [1]_ lets the price of electricity follow the grid's frequency, which every meter can read.
In a star one producer (node 0) feeds four consumers over lines of equal capacity. The rotor angles obey

.. math::

    \ddot\theta_i = P_i - \alpha \dot\theta_i + \sum_j K \sin(\theta_j - \theta_i)
        - \frac{g_i}{T_i} \left[\theta_i(t - \tau_i) - \theta_i(t - \tau_i - T_i)\right] ,

where the last term is the answer to the price: frequency averaged over `T_i`, acted on `tau_i` later with strength
`g_i`. The producer does not react (`g_0 = 0`). As in the simulation of [2]_ all reactions vary independently.

At the steady state every line carries P, so that the angles differ by arcsin(P / K) and a line pulls back with
k = K cos(arcsin(P / K)) = sqrt(K^2 - P^2). Small deviations grow like exp(lambda t) for the roots lambda of

.. math::

    \det M(\lambda) = d_0 \prod_i d_i - k^2 \sum_i \prod_{j \ne i} d_j = 0, \quad
    d_0 = \lambda^2 + \alpha \lambda + 4 k, \quad
    d_i = \lambda^2 + \alpha \lambda + k + \frac{g_i}{T_i}
        \left(e^{-\lambda \tau_i} - e^{-\lambda (\tau_i + T_i)}\right) ,

and M has these d on its diagonal and -k wherever a line is. The grid as a whole may turn by any angle, which is the
root 0. It is always simple, as the derivative of det M there is k^4 (5 alpha + sum of g) > 0, so exactly one root is
left out whatever lies near it. No root is real and positive: there d_0 > 4 k and every d_i > k, hence det M > 0. So the
grid loses its stability by oscillations only.

Which constants
---------------
alpha = 0.1 1/s and K = 8 1/s^2 are those of [1]_. Consumers draw P = 1 1/s^2 each and the producer feeds 4 1/s^2. That
is within the range 0.5 to 2 of the uneven grids of [2]_ and was inferred: with P = 1 **all 6,000** published labels of
the symmetric star (``dsgc_sym`` of the R package reds) are those of this module (agreement 1.0000). P enters by k only;
of 6,000 labels 1 is wrong with P = 0.99 or 1.001, 3 with P = 0.95, 5 with P = 1.05, 40 with P = 0.5 and 63 with P = 0.
With alpha = 0.099 or 0.101 about 20 are wrong.

References
----------
.. [1] B. Schaefer, C. Grabow, S. Auer, J. Kurths, D. Witthaut, M. Timme, "Taming instabilities in power grid networks
   by decentralized control", Eur. Phys. J. Special Topics 225, 569-582, 2016; B. Schaefer, M. Matthiae, M. Timme,
   D. Witthaut, "Decentral smart grid control", New J. Phys. 17, 015002, 2015.
.. [2] V. Arzamasov, K. Boehm, P. Jochem, "Towards concise models of grid stability", IEEE SmartGridComm, 2018.
.. [3] D. Breda, S. Maset, R. Vermiglio, "Pseudospectral differencing methods for characteristic roots of delay
   differential equations", SIAM J. Sci. Comput. 27(2), 482-495, 2005.
.. [4] A. Ruhe, "Algorithms for the nonlinear eigenvalue problem", SIAM J. Numer. Anal. 10(4), 674-689, 1973.
.. [5] J.-P. Berrut, L. N. Trefethen, "Barycentric Lagrange interpolation", SIAM Review 46(3), 501-517, 2004.
"""

from __future__ import annotations

from functools import cache
from math import ceil, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from surrogate.simulation import Output, simulator
from surrogate.space import Real, Space

__all__ = ["ALPHA", "COUPLING", "POWER", "rightmost_root", "smart_grid"]

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

CONSUMERS = 4
ALPHA = 0.1  # damping, 1/s
COUPLING = 8.0  # capacity K of a line, 1/s^2
POWER = 1.0  # drawn by each consumer, 1/s^2
STIFFNESS = sqrt(COUPLING**2 - POWER**2)  # k, a line's restoring force per radian at the steady state, 1/s^2

# Angular frequency of the fastest oscillation, all consumers against the producer, rad/s; reactions hardly move it.
FASTEST = sqrt((CONSUMERS + 1) * STIFFNESS)

# A polynomial follows exp(i w t) over a history of length h once its degree exceeds w h / 2; fourteen more bring
# the rightmost root to within 3e-8 1/s (largest error at the 6,000 points of the published labels).
SPARE_DEGREE = 14

# Approximate roots this far (1/s) left of the rightmost one cannot overtake it when polished, for their errors are far
# smaller ...
CONTENTION = 1e-3
# ... and a polished root that moved further than this, or still moves, is not the root that the polishing started from.
MAX_CORRECTION = 1e-3
MAX_LAST_STEP = 1e-9
# The polishing converges quadratically: two steps reach rounding error, one more proves it.
POLISHING_STEPS = 3

SPACE = Space(
    {
        f"tau{i}": Real(0.5, 5, unit="s", description=f"delay of the reaction of consumer {i}")
        for i in range(1, CONSUMERS + 1)
    }
    | {
        f"T{i}": Real(1, 4, unit="s", description=f"time over which consumer {i} averages the frequency")
        for i in range(1, CONSUMERS + 1)
    }
    | {
        f"g{i}": Real(0.05, 1, unit="1/s", description=f"strength of the reaction of consumer {i}")
        for i in range(1, CONSUMERS + 1)
    }
)


@cache
def _chebyshev(degree: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Chebyshev points from 1 down to -1, their barycentric weights and differentiation matrix [5]_."""
    nodes: FloatArray = np.cos(np.pi * np.arange(degree + 1) / degree)
    weights: FloatArray = np.where(np.arange(degree + 1) % 2, -1.0, 1.0)
    weights[[0, -1]] /= 2
    gaps = nodes[:, None] - nodes[None, :]
    np.fill_diagonal(gaps, 1.0)
    derivative: FloatArray = weights[None, :] / weights[:, None] / gaps
    # Rows must sum to zero, or the rotation is no longer an exact null vector of the generator.
    np.fill_diagonal(derivative, 0.0)
    np.fill_diagonal(derivative, -derivative.sum(axis=1))
    for array in (nodes, weights, derivative):
        array.setflags(write=False)
    return nodes, weights, derivative


def _interpolation(position: float, nodes: FloatArray, weights: FloatArray) -> FloatArray:
    """Row that takes values at the nodes to the value of their polynomial at `position`."""
    distance = position - nodes
    hit = distance == 0
    if hit.any():
        return np.asarray(hit, dtype=float)
    terms: FloatArray = weights / distance
    return np.asarray(terms / terms.sum())


def _generator(tau: FloatArray, averaging: FloatArray, g: FloatArray) -> FloatArray:
    """Matrix whose eigenvalues approach the characteristic roots, by collocation of the histories [3]_.

    The state is the producer's angle and speed, then for each consumer the angle at the nodes from now back to the
    oldest moment that still acts, and the speed.
    """
    histories = tau + averaging
    degrees = [SPARE_DEGREE + ceil(FASTEST * history / 2) for history in histories]
    size = 2 + sum(degree + 2 for degree in degrees)
    matrix = np.zeros((size, size))
    matrix[0, 1] = 1
    matrix[1, 0] = -CONSUMERS * STIFFNESS
    matrix[1, 1] = -ALPHA
    now = 2
    for i, degree in enumerate(degrees):
        nodes, weights, derivative = _chebyshev(degree)
        oldest = now + degree
        speed = oldest + 1
        # A history is carried along, so at every node but the newest it changes by its own slope.
        matrix[now + 1 : speed, now:speed] = derivative[1:] * (2 / histories[i])
        matrix[now, speed] = 1
        matrix[1, now] = STIFFNESS
        matrix[speed, 0] = STIFFNESS
        matrix[speed, now] = -STIFFNESS
        matrix[speed, speed] = -ALPHA
        reaction = _interpolation(1 - 2 * tau[i] / histories[i], nodes, weights)
        reaction[-1] -= 1
        matrix[speed, now:speed] -= g[i] / averaging[i] * reaction
        now = speed + 1
    return matrix


def _polish(approximate: ComplexArray, tau: FloatArray, averaging: FloatArray, g: FloatArray) -> ComplexArray:
    """Roots of det M near the approximate ones; an approximate root stays where this does not settle close by.

    Newton's method on det M would fail where consumers are alike, for the root is multiple then. Successive linear
    problems [4]_ do not: the step h is the smallest with det(M - h M') = 0, which converges as fast on such roots.
    """
    roots = approximate.copy()
    steps = np.zeros_like(roots)
    strength = g / averaging
    for _ in range(POLISHING_STEPS):
        at = roots[:, None]
        early = np.exp(-at * tau)
        late = np.exp(-at * (tau + averaging))
        diagonal = np.empty((len(roots), CONSUMERS + 1), dtype=complex)
        slope = np.empty_like(diagonal)
        diagonal[:] = at**2 + ALPHA * at
        diagonal[:, 0] += CONSUMERS * STIFFNESS
        diagonal[:, 1:] += STIFFNESS + strength * (early - late)
        slope[:] = 2 * at + ALPHA
        slope[:, 1:] -= strength * (tau * early - (tau + averaging) * late)

        matrix = np.zeros((len(roots), CONSUMERS + 1, CONSUMERS + 1), dtype=complex)
        matrix[:, 0, 1:] = -STIFFNESS
        matrix[:, 1:, 0] = -STIFFNESS
        matrix[:, range(CONSUMERS + 1), range(CONSUMERS + 1)] = diagonal
        # M' is diagonal. Where it is singular there is no step, and the root keeps its approximate value.
        solvable = (slope != 0).all(axis=1)
        corrections = np.linalg.eigvals(matrix[solvable] / slope[solvable][:, :, None])
        nearest = np.abs(corrections).argmin(axis=1, keepdims=True)
        steps[:] = np.inf
        steps[solvable] = np.take_along_axis(corrections, nearest, axis=1)[:, 0]
        roots[solvable] -= steps[solvable]
    settled = (np.abs(roots - approximate) < MAX_CORRECTION) & (np.abs(steps) < MAX_LAST_STEP)
    return np.where(settled, roots, approximate)


def rightmost_root(tau: ArrayLike, averaging: ArrayLike, g: ArrayLike) -> complex:
    """Characteristic root with the largest real part, the rotation of the whole grid left out.

    Parameters
    ----------
    tau : array of shape (4,)
        Delays of the consumers' reactions, s.
    averaging : array of shape (4,)
        Times over which the consumers average the frequency, s.
    g : array of shape (4,)
        Strengths of the reactions, 1/s; 0 is allowed.

    Returns
    -------
    complex
        The root with imaginary part >= 0 of a conjugate pair, 1/s.

    Examples
    --------
    Without reactions all oscillations are damped alike:

    >>> round(rightmost_root([1, 1, 1, 1], [2, 2, 2, 2], [0, 0, 0, 0]).real, 12)
    -0.05
    """
    delays, times, strengths = (np.asarray(values, dtype=float) for values in (tau, averaging, g))
    roots = np.linalg.eigvals(_generator(delays, times, strengths)).astype(complex)
    # One root only: the zero of the rotation is simple, so whatever else is near is a root of its own.
    roots = np.delete(roots, np.abs(roots).argmin())
    roots = roots[roots.imag >= 0]
    contenders = roots[roots.real > roots.real.max() - CONTENTION]
    polished = _polish(contenders, delays, times, strengths)
    return complex(polished[polished.real.argmax()])


@simulator(
    space=SPACE,
    outputs=[
        Output("growth_rate", unit="1/s", description="largest real part of the roots; the grid is stable below 0")
    ],
    version="1",
)
def smart_grid(
    tau1: float,
    tau2: float,
    tau3: float,
    tau4: float,
    T1: float,
    T2: float,
    T3: float,
    T4: float,
    g1: float,
    g2: float,
    g3: float,
    g4: float,
) -> dict[str, float]:
    """Growth rate of small deviations from the steady state of a star grid with price-reactive consumers.

    Parameters
    ----------
    tau1, tau2, tau3, tau4 : float
        Delay of each consumer's reaction, s.
    T1, T2, T3, T4 : float
        Time over which each consumer averages the frequency, s.
    g1, g2, g3, g4 : float
        Strength of each consumer's reaction, 1/s.

    Returns
    -------
    dict
        ``growth_rate``, 1/s; negative where the grid is stable.

    Examples
    --------
    Four alike consumers who react after 0.5 s are no danger, after 4 s they are:

    >>> others = dict(T1=2, T2=2, T3=2, T4=2, g1=0.5, g2=0.5, g3=0.5, g4=0.5)
    >>> bool(smart_grid(tau1=0.5, tau2=0.5, tau3=0.5, tau4=0.5, **others)["growth_rate"] < 0)
    True
    >>> bool(smart_grid(tau1=4, tau2=4, tau3=4, tau4=4, **others)["growth_rate"] < 0)
    False
    """
    root = rightmost_root((tau1, tau2, tau3, tau4), (T1, T2, T3, T4), (g1, g2, g3, g4))
    return {"growth_rate": root.real}
