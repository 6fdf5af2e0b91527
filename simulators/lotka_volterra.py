"""Predators and prey after Lotka and Volterra."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special
from numpy.typing import ArrayLike, NDArray

from simulators._ode import solve
from surrogate.simulation import Output, Series, simulator
from surrogate.space import Real, Space

__all__ = ["conserved", "lotka_volterra"]

FloatArray = NDArray[np.float64]

# Pelts of hares and lynxes of the Hudson Bay Company are usually fitted from 1900 to 1920.
YEARS = np.linspace(0, 20, 81)

# A cycle so close to the equilibrium has the period of an infinitely small one, to a share of 1e-8.
SMALLEST_EXCESS = 1e-8

# Below this size the series of _departure is exact to rounding.
SMALL = 0.01


def conserved(
    prey: ArrayLike, predators: ArrayLike, *, birth: float, predation: float, death: float, conversion: float
) -> FloatArray:
    """What no solution changes: conversion prey - death ln(prey) + predation predators - birth ln(predators)."""
    x, y = np.asarray(prey, dtype=float), np.asarray(predators, dtype=float)
    return np.asarray(conversion * x - death * np.log(x) + predation * y - birth * np.log(y))


@simulator(
    space=Space(
        birth=Real(0.3, 0.9, unit="1/yr", description="growth of the prey without predators"),
        predation=Real(0.01, 0.05, unit="1/yr", description="share of the prey that a thousand predators take"),
        death=Real(0.4, 1.2, unit="1/yr", description="decline of the predators without prey"),
        conversion=Real(0.01, 0.05, unit="1/yr", description="growth of the predators by a thousand prey"),
        prey=Real(10, 60, unit="thousand", description="prey at the beginning"),
        predators=Real(2, 20, unit="thousand", description="predators at the beginning"),
    ),
    outputs=[
        Output("period", unit="yr", description="time after which everything repeats"),
        Output("prey_peak", unit="thousand", description="most prey of a cycle"),
        Output("prey_trough", unit="thousand", description="least prey of a cycle"),
        Output("predators_peak", unit="thousand", description="most predators of a cycle"),
        Series("hares", at=YEARS, coordinate="time", unit="thousand", coordinate_unit="yr", description="prey"),
        Series("lynxes", at=YEARS, coordinate="time", unit="thousand", coordinate_unit="yr", description="predators"),
    ],
)
def lotka_volterra(
    birth: float, predation: float, death: float, conversion: float, prey: float, predators: float
) -> dict[str, Any]:
    r"""Cycles of predators and prey, in the ranges of Canada's lynxes and hares.

    Parameters
    ----------
    birth, predation, death, conversion, prey, predators : float
        See the space.

    Returns
    -------
    dict
        ``period``, ``prey_peak``, ``prey_trough``, ``predators_peak``, and the series ``hares`` and ``lynxes``.

    Notes
    -----
    Prey x and predators y obey :math:`\dot x = (a - b y) x` and :math:`\dot y = (d x - c) y`, with a the birth, b the
    predation, c the death and d the conversion. Every solution is a cycle around the equilibrium (c / d, a / b), which
    is also its mean over a period; small cycles take :math:`2 \pi / \sqrt{a c}` [2]_. Prey is most and least where
    y = a / b, so that :func:`conserved` gives both as the two real branches of Lambert's function W:
    x = -c / d W(-exp(-1 - h / c)), where h >= 0 is what the conserved quantity exceeds that of the equilibrium by. The
    ranges hold the estimates of [3]_: a = 0.481, b = 0.025, c = 0.927, d = 0.028.

    References
    ----------
    .. [1] A. J. Lotka, "Elements of Physical Biology", Williams & Wilkins, 1925; V. Volterra, "Fluctuations in the
           abundance of a species considered mathematically", Nature 118, 1926.
    .. [2] J. D. Murray, "Mathematical Biology I", 3rd ed., Springer, 2002, sec. 3.1.
    .. [3] P. Howard, "Modeling basics", lecture notes, Texas A&M University, 2009.

    Examples
    --------
    >>> found = lotka_volterra(birth=0.481, predation=0.025, death=0.927, conversion=0.028, prey=34.9, predators=3.86)
    >>> round(found["period"], 1), round(found["prey_peak"])
    (10.4, 73)
    """
    rates = {"birth": birth, "predation": predation, "death": death, "conversion": conversion}
    balance_x, balance_y = death / conversion, birth / predation
    excess = float(conserved(prey, predators, **rates) - conserved(balance_x, balance_y, **rates))
    excess = max(excess, 0.0)  # it is 0 at the equilibrium, but for rounding

    # Logarithms of the populations by their balance: no population can become negative, however close it comes to 0.
    def change(time: float, state: FloatArray) -> tuple[float, float]:
        u, v = state
        return -birth * math.expm1(v), death * math.expm1(u)

    start = np.log([prey / balance_x, predators / balance_y])
    states = np.exp(solve(change, start, YEARS))
    return {
        "period": _period(birth, death, excess),
        "prey_peak": float(balance_x * (1 + _departure(math.sqrt(2 * excess / death)))),
        "prey_trough": float(balance_x * (1 + _departure(-math.sqrt(2 * excess / death)))),
        "predators_peak": float(balance_y * (1 + _departure(math.sqrt(2 * excess / birth)))),
        "hares": balance_x * states[:, 0],
        "lynxes": balance_y * states[:, 1],
    }


def _departure(size: ArrayLike) -> FloatArray:
    """The w with w - ln(1 + w) = size^2 / 2 that has the sign of `size`."""
    size = np.asarray(size, dtype=float)
    small = np.abs(size) < SMALL
    # Near its branch point Lambert's function loses half of the digits; there a series takes over (Temme 1979).
    series = size * (1 + size * (1 / 3 + size * (1 / 36 + size * (-1 / 270 + size / 4320))))
    argument = -np.exp(-1 - size**2 / 2)
    branches = [scipy.special.lambertw(argument, branch).real for branch in (-1, 0)]
    return np.where(small, series, -1 - np.where(size > 0, *branches))


def _period(birth: float, death: float, excess: float, nodes: int = 512) -> float:
    """Time of a cycle whose conserved quantity exceeds that of the equilibrium by `excess`.

    With x and y in units of their balance and f(z) = z - 1 - ln z, death f(x) + birth f(y) is the excess all along the
    cycle. An angle with death f(x) = excess cos^2 and birth f(y) = excess sin^2 runs through it once, at a speed that
    is a smooth periodic function: the trapezoidal rule converges exponentially.
    """
    if excess < SMALLEST_EXCESS:
        return 2 * math.pi / math.sqrt(birth * death)
    # Half a step off the axes, where x or y is 1 and the speed 0 / 0.
    angle = (np.arange(nodes) + 0.5) * (2 * math.pi / nodes)
    speed = np.ones(nodes)
    for share, rate in ((np.cos(angle), death), (np.sin(angle), birth)):
        size = math.sqrt(2 * excess / rate) * share
        speed *= math.sqrt(rate) * _departure(size) / size
    return float(np.mean(2 * math.pi / speed))
