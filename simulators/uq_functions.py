"""Test functions of uncertainty quantification: fast, smooth, and known to the papers that compare methods.

Inputs are uniform in the literature's bounds, except for the beam, whose loads and strength are normal. All take arrays
of points. What is known exactly (moments, sensitivity indices) stands in the docstrings.

References
----------
.. [1] S. Surjanovic, D. Bingham, "Virtual Library of Simulation Experiments", Simon Fraser University, 2013:
   the bounds, where not said otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike, NDArray

from surrogate.simulation import Output, simulator
from surrogate.space import Real, Space

__all__ = [
    "borehole",
    "cantilever_beam",
    "friedman",
    "g_function",
    "ishigami",
    "otl_circuit",
    "piston",
    "robot_arm",
    "wing_weight",
]

FloatArray = NDArray[np.float64]

# Points a call: enough for NumPy to be busy, few enough for the arrays in between to stay small.
BATCH = 10_000


def _numbers(values: Sequence[ArrayLike]) -> FloatArray:
    """Some of the inputs as one array, shape (k,) of one point or (k, m) of m points."""
    return np.array(np.broadcast_arrays(*values), dtype=float)


@simulator(
    space=Space(
        rw=Real(0.05, 0.15, unit="m", description="radius of the borehole"),
        r=Real(100, 50_000, unit="m", description="radius of influence"),
        Tu=Real(63_070, 115_600, unit="m^2/yr", description="transmissivity of the upper aquifer"),
        Hu=Real(990, 1110, unit="m", description="potentiometric head of the upper aquifer"),
        Tl=Real(63.1, 116, unit="m^2/yr", description="transmissivity of the lower aquifer"),
        Hl=Real(700, 820, unit="m", description="potentiometric head of the lower aquifer"),
        L=Real(1120, 1680, unit="m", description="length of the borehole"),
        Kw=Real(9855, 12_045, unit="m/yr", description="hydraulic conductivity of the borehole"),
    ),
    outputs=[Output("flow", unit="m^3/yr", description="flow of water from the upper to the lower aquifer")],
    batch=BATCH,
)
def borehole(
    rw: FloatArray,
    r: FloatArray,
    Tu: FloatArray,
    Hu: FloatArray,
    Tl: FloatArray,
    Hl: FloatArray,
    L: FloatArray,
    Kw: FloatArray,
) -> dict[str, FloatArray]:
    """Water that flows through a borehole from an upper to a lower aquifer.

    Parameters
    ----------
    rw, r, Tu, Hu, Tl, Hl, L, Kw : float or array of shape (m,)
        See the space.

    Returns
    -------
    dict
        ``flow``, m^3/yr.

    Notes
    -----
    Three resistances in a row: radial flow in the upper aquifer, flow down the hole, radial flow in the lower aquifer.
    In [1]_ `rw` is normal with mean 0.1 and standard deviation 0.0161812, the logarithm of `r` normal with mean 7.71
    and standard deviation 1.0056; comparisons of emulators [2]_ take everything as uniform, as is done here.

    References
    ----------
    .. [1] W. V. Harper, S. K. Gupta, "Sensitivity/uncertainty analysis of a borehole scenario comparing Latin hypercube
           sampling and deterministic sensitivity approaches", BMI/ONWI-516, Battelle Memorial Institute, 1983.
    .. [2] M. D. Morris, T. J. Mitchell, D. Ylvisaker, "Bayesian design and analysis of computer experiments: use of
           derivatives in surface prediction", Technometrics 35(3), 1993, sec. 4.

    Examples
    --------
    >>> found = borehole(rw=0.1, r=25_000, Tu=90_000, Hu=1050, Tl=90, Hl=760, L=1400, Kw=11_000)
    >>> round(float(found["flow"]), 3)
    71.197
    """
    log = np.log(r / rw)
    return {"flow": 2 * np.pi * Tu * (Hu - Hl) / (log * (1 + 2 * L * Tu / (log * rw**2 * Kw) + Tu / Tl))}


@simulator(
    space=Space(
        Rb1=Real(50, 150, unit="kohm", description="resistance b1"),
        Rb2=Real(25, 70, unit="kohm", description="resistance b2"),
        Rf=Real(0.5, 3, unit="kohm", description="resistance f"),
        Rc1=Real(1.2, 2.5, unit="kohm", description="resistance c1"),
        Rc2=Real(0.25, 1.2, unit="kohm", description="resistance c2"),
        beta=Real(50, 300, description="current gain"),
    ),
    outputs=[Output("midpoint_voltage", unit="V", description="voltage between the two transistors")],
    batch=BATCH,
)
def otl_circuit(
    Rb1: FloatArray, Rb2: FloatArray, Rf: FloatArray, Rc1: FloatArray, Rc2: FloatArray, beta: FloatArray
) -> dict[str, FloatArray]:
    """Midpoint voltage of an output transformerless push-pull circuit.

    Parameters
    ----------
    Rb1, Rb2, Rf, Rc1, Rc2, beta : float or array of shape (m,)
        See the space.

    Returns
    -------
    dict
        ``midpoint_voltage``, V.

    References
    ----------
    .. [1] E. N. Ben-Ari, D. M. Steinberg, "Modeling data from computer experiments: an empirical comparison of kriging
           with MARS and projection pursuit regression", Quality Engineering 19(4), 2007.

    Examples
    --------
    >>> found = otl_circuit(Rb1=100, Rb2=47.5, Rf=1.75, Rc1=1.85, Rc2=0.725, beta=175)
    >>> round(float(found["midpoint_voltage"]), 3)
    5.311
    """
    vb1 = 12 * Rb2 / (Rb1 + Rb2)
    gain = beta * (Rc2 + 9)
    voltage = (vb1 + 0.74) * gain / (gain + Rf) + 11.35 * Rf / (gain + Rf) + 0.74 * Rf * gain / ((gain + Rf) * Rc1)
    return {"midpoint_voltage": voltage}


@simulator(
    space=Space(
        M=Real(30, 60, unit="kg", description="weight of the piston"),
        S=Real(0.005, 0.02, unit="m^2", description="surface of the piston"),
        V0=Real(0.002, 0.01, unit="m^3", description="initial volume of the gas"),
        k=Real(1000, 5000, unit="N/m", description="coefficient of the spring"),
        P0=Real(90_000, 110_000, unit="N/m^2", description="pressure of the atmosphere"),
        Ta=Real(290, 296, unit="K", description="ambient temperature"),
        T0=Real(340, 360, unit="K", description="temperature of the filling gas"),
    ),
    outputs=[Output("cycle_time", unit="s", description="time of one cycle")],
    batch=BATCH,
)
def piston(
    M: FloatArray, S: FloatArray, V0: FloatArray, k: FloatArray, P0: FloatArray, Ta: FloatArray, T0: FloatArray
) -> dict[str, FloatArray]:
    """Time that a piston in a cylinder with a spring and gas takes for one cycle.

    Parameters
    ----------
    M, S, V0, k, P0, Ta, T0 : float or array of shape (m,)
        See the space.

    Returns
    -------
    dict
        ``cycle_time``, s.

    References
    ----------
    .. [1] R. S. Kenett, S. Zacks, "Modern Industrial Statistics: Design and Control of Quality and Reliability",
           Duxbury Press, 1998.
    .. [2] E. N. Ben-Ari, D. M. Steinberg, "Modeling data from computer experiments: an empirical comparison of kriging
           with MARS and projection pursuit regression", Quality Engineering 19(4), 2007.

    Examples
    --------
    >>> round(float(piston(M=45, S=0.0125, V0=0.006, k=3000, P0=100_000, Ta=293, T0=350)["cycle_time"]), 4)
    0.4644
    """
    a = P0 * S + 19.62 * M - k * V0 / S
    v = S / (2 * k) * (np.sqrt(a**2 + 4 * k * P0 * V0 / T0 * Ta) - a)
    return {"cycle_time": 2 * np.pi * np.sqrt(M / (k + S**2 * P0 * V0 / T0 * Ta / v**2))}


@simulator(
    space=Space(
        Sw=Real(150, 200, unit="ft^2", description="area of the wing"),
        Wfw=Real(220, 300, unit="lb", description="weight of the fuel in the wing"),
        A=Real(6, 10, description="aspect ratio"),
        sweep=Real(-10, 10, unit="deg", description="sweep of the quarter chord"),
        q=Real(16, 45, unit="lb/ft^2", description="dynamic pressure at cruise"),
        taper=Real(0.5, 1, description="taper ratio"),
        tc=Real(0.08, 0.18, description="thickness of the section in chords"),
        Nz=Real(2.5, 6, description="ultimate load factor"),
        Wdg=Real(1700, 2500, unit="lb", description="design gross weight of the flight"),
        Wp=Real(0.025, 0.08, unit="lb/ft^2", description="weight of the paint"),
    ),
    outputs=[Output("weight", unit="lb", description="weight of the wing")],
    batch=BATCH,
)
def wing_weight(
    Sw: FloatArray,
    Wfw: FloatArray,
    A: FloatArray,
    sweep: FloatArray,
    q: FloatArray,
    taper: FloatArray,
    tc: FloatArray,
    Nz: FloatArray,
    Wdg: FloatArray,
    Wp: FloatArray,
) -> dict[str, FloatArray]:
    """Weight of a light aircraft's wing, after Raymer's regression.

    Parameters
    ----------
    Sw, Wfw, A, sweep, q, taper, tc, Nz, Wdg, Wp : float or array of shape (m,)
        See the space.

    Returns
    -------
    dict
        ``weight``, lb.

    References
    ----------
    .. [1] A. Forrester, A. Sobester, A. Keane, "Engineering Design via Surrogate Modelling", Wiley, 2008, sec. 1.4.

    Examples
    --------
    A Cessna C172 Skyhawk, the baseline of [1]_, of which 11.1 lb are paint:

    >>> skyhawk = dict(Sw=174, Wfw=252, A=7.52, sweep=0, q=34, taper=0.672, tc=0.12, Nz=3.8, Wdg=2000, Wp=0.064)
    >>> round(float(wing_weight(**skyhawk)["weight"]), 1)
    245.0
    """
    cos = np.cos(np.radians(sweep))
    return {
        "weight": 0.036 * Sw**0.758 * Wfw**0.0035 * (A / cos**2) ** 0.6 * q**0.006 * taper**0.04
        * (100 * tc / cos) ** -0.3 * (Nz * Wdg) ** 0.49 + Sw * Wp
    }  # fmt: skip


@simulator(
    space=Space({f"x{i}": Real(-np.pi, np.pi, unit="rad", description=f"input {i}") for i in (1, 2, 3)}),
    outputs=[Output("value", description="value of the function")],
    batch=BATCH,
)
def ishigami(x1: FloatArray, x2: FloatArray, x3: FloatArray) -> dict[str, FloatArray]:
    """Ishigami and Homma's function: strongly nonlinear, with an input that acts by interaction only.

    Parameters
    ----------
    x1, x2, x3 : float or array of shape (m,)

    Returns
    -------
    dict
        ``value`` = sin x1 + a sin^2 x2 + b x3^4 sin x1 with a = 7 and b = 0.1.

    Notes
    -----
    Mean a / 2 = 3.5 and variance a^2 / 8 + b pi^4 / 5 + b^2 pi^8 / 18 + 1 / 2 = 13.844588; first-order indices
    0.313905, 0.442411 and 0, total ones 0.557589, 0.442411 and 0.243684 [2]_.

    References
    ----------
    .. [1] T. Ishigami, T. Homma, "An importance quantification technique in uncertainty analysis for computer models",
           Proc. ISUMA '90, 1990.
    .. [2] A. Saltelli et al., "Global Sensitivity Analysis: The Primer", Wiley, 2008, ch. 4.

    Examples
    --------
    >>> float(ishigami(x1=0, x2=np.pi / 2, x3=1)["value"])
    7.0
    """
    return {"value": np.sin(x1) + 7 * np.sin(x2) ** 2 + 0.1 * x3**4 * np.sin(x1)}


# Saltelli and Sobol 1995: the smaller, the more an input matters.
G_COEFFICIENTS = (0, 1, 4.5, 9, 99, 99)


@simulator(
    space=Space({f"x{i + 1}": Real(0, 1, description=f"input with a = {a:g}") for i, a in enumerate(G_COEFFICIENTS)}),
    outputs=[Output("value", description="value of the function")],
    batch=BATCH,
)
def g_function(
    x1: FloatArray, x2: FloatArray, x3: FloatArray, x4: FloatArray, x5: FloatArray, x6: FloatArray
) -> dict[str, FloatArray]:
    """Sobol's g-function: a product with a kink in every input, and importances to choose.

    Parameters
    ----------
    x1, x2, x3, x4, x5, x6 : float or array of shape (m,)

    Returns
    -------
    dict
        ``value``, the product over i of (abs(4 x_i - 2) + a_i) / (1 + a_i) with a = 0, 1, 4.5, 9, 99, 99.

    Notes
    -----
    The mean is 1. With V_i = 1 / (3 (1 + a_i)^2) the variance is V = prod(1 + V_i) - 1, the first-order index V_i / V
    and the total one V_i prod_{j != i} (1 + V_j) / V.

    References
    ----------
    .. [1] A. Saltelli, I. M. Sobol, "About the use of rank transformation in sensitivity analysis of model output",
           Reliability Engineering & System Safety 50(3), 1995.

    Examples
    --------
    >>> float(g_function(x1=0, x2=0, x3=0, x4=0, x5=0, x6=0)["value"]) > 2 * 1.5
    True
    """
    x = _numbers((x1, x2, x3, x4, x5, x6))
    a = np.reshape(G_COEFFICIENTS, (-1,) + (1,) * (x.ndim - 1))
    return {"value": ((np.abs(4 * x - 2) + a) / (1 + a)).prod(axis=0)}


@simulator(
    space=Space(
        {f"theta{i}": Real(0, 2 * np.pi, unit="rad", description=f"angle of segment {i}") for i in range(1, 5)}
        | {f"L{i}": Real(0, 1, unit="m", description=f"length of segment {i}") for i in range(1, 5)}
    ),
    outputs=[Output("distance", unit="m", description="distance of the arm's end from its shoulder")],
    batch=BATCH,
)
def robot_arm(
    theta1: FloatArray,
    theta2: FloatArray,
    theta3: FloatArray,
    theta4: FloatArray,
    L1: FloatArray,
    L2: FloatArray,
    L3: FloatArray,
    L4: FloatArray,
) -> dict[str, FloatArray]:
    """Distance from the shoulder to the end of a plane robot arm of four segments.

    Parameters
    ----------
    theta1, theta2, theta3, theta4 : float or array of shape (m,)
        Angle of each segment to the one before, rad.
    L1, L2, L3, L4 : float or array of shape (m,)
        Length of each segment, m.

    Returns
    -------
    dict
        ``distance``, m.

    References
    ----------
    .. [1] J. An, A. Owen, "Quasi-regression", Journal of Complexity 17(4), 2001.

    Examples
    --------
    >>> half = dict(L1=0.5, L2=0.5, L3=0.5, L4=0.5)
    >>> float(robot_arm(theta1=1, theta2=0, theta3=0, theta4=0, **half)["distance"])
    2.0
    """
    angles, lengths = np.cumsum(_numbers((theta1, theta2, theta3, theta4)), axis=0), _numbers((L1, L2, L3, L4))
    return {"distance": np.hypot((lengths * np.cos(angles)).sum(axis=0), (lengths * np.sin(angles)).sum(axis=0))}


@simulator(
    space=Space({f"x{i}": Real(0, 1, description=f"input {i}") for i in range(1, 6)}),
    outputs=[Output("value", description="value of the function")],
    batch=BATCH,
)
def friedman(x1: FloatArray, x2: FloatArray, x3: FloatArray, x4: FloatArray, x5: FloatArray) -> dict[str, FloatArray]:
    """Friedman's first function, without its inputs that do nothing and without noise.

    Parameters
    ----------
    x1, x2, x3, x4, x5 : float or array of shape (m,)

    Returns
    -------
    dict
        ``value`` = 10 sin(pi x1 x2) + 20 (x3 - 1/2)^2 + 10 x4 + 5 x5.

    Notes
    -----
    `x3`, `x4` and `x5` are additive, with variances 20 / 9, 100 / 12 and 25 / 12.

    References
    ----------
    .. [1] J. H. Friedman, E. Grosse, W. Stuetzle, "Multidimensional additive spline approximation", SIAM Journal on
           Scientific and Statistical Computing 4(2), 1983.
    .. [2] J. H. Friedman, "Multivariate adaptive regression splines", Annals of Statistics 19(1), 1991, sec. 4.3.

    Examples
    --------
    >>> float(friedman(x1=1, x2=0.5, x3=1, x4=0, x5=0)["value"])
    15.0
    """
    return {"value": 10 * np.sin(np.pi * x1 * x2) + 20 * (x3 - 0.5) ** 2 + 10 * x4 + 5 * x5}


# Wu, Shin, Sues, Cesare 2001.
BEAM_LENGTH = 100.0  # in


@simulator(
    space=Space(
        w=Real(1, 4, unit="in", role="lever", description="width of the cross-section"),
        t=Real(1, 4, unit="in", role="lever", description="height of the cross-section"),
        R=Real.distributed(scipy.stats.norm(40_000, 2000), unit="psi", description="yield stress"),
        # Negative only beyond twenty standard deviations.
        E=Real.distributed(scipy.stats.norm(2.9e7, 1.45e6), unit="psi", description="Young's modulus"),
        X=Real.distributed(scipy.stats.norm(500, 100), unit="lb", description="horizontal load at the tip"),
        Y=Real.distributed(scipy.stats.norm(1000, 100), unit="lb", description="vertical load at the tip"),
    ),
    outputs=[
        Output("area", unit="in^2", description="cross-section, a measure of cost"),
        Output("margin", unit="psi", description="yield stress less largest stress; fails below 0"),
        Output("displacement", unit="in", description="displacement of the tip; allowed are 2.2535 in"),
    ],
    batch=BATCH,
)
def cantilever_beam(
    w: FloatArray, t: FloatArray, R: FloatArray, E: FloatArray, X: FloatArray, Y: FloatArray
) -> dict[str, FloatArray]:
    """A cantilever beam of 100 inches under two uncertain loads: how thick must it be?

    Parameters
    ----------
    w, t, R, E, X, Y : float or array of shape (m,)
        See the space: `w` and `t` are chosen, the others are uncertain.

    Returns
    -------
    dict
        ``area``, ``margin`` and ``displacement``.

    Notes
    -----
    The margin is linear in `R`, `X` and `Y`, so that its reliability index is exact: its mean by its standard
    deviation. The lightest beam with an index of 3 for stress and displacement is near w = 2.45, t = 3.88 [1]_.

    References
    ----------
    .. [1] Y.-T. Wu, Y. Shin, R. H. Sues, M. A. Cesare, "Safety-factor based approach for probability-based design
           optimization", AIAA 2001-1522, 2001.

    Examples
    --------
    >>> found = cantilever_beam(w=2, t=4, R=40_000, E=2.9e7, X=500, Y=1000)
    >>> float(found["area"]), float(found["margin"])
    (8.0, 2500.0)
    """
    stress = 600 * Y / (w * t**2) + 600 * X / (w**2 * t)
    displacement = 4 * BEAM_LENGTH**3 / (E * w * t) * np.hypot(Y / t**2, X / w**2)
    return {"area": w * t, "margin": R - stress, "displacement": displacement}
