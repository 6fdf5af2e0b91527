"""Economic growth: Solow's model, where people save a fixed share, and Ramsey's, where they decide."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulators._ode import solve
from surrogate.simulation import Output, Series, simulator
from surrogate.space import Real, Space

__all__ = ["ramsey", "solow"]

FloatArray = NDArray[np.float64]

YEARS = np.linspace(0, 100, 101)

CAPITAL_SHARE = Real(0.2, 0.7, description="elasticity of output to capital; larger with human capital")
DEPRECIATION = Real(0.03, 0.1, unit="1/yr", description="share of capital lost in a year")
POPULATION_GROWTH = Real(0, 0.03, unit="1/yr", description="growth of the population")
TECHNICAL_PROGRESS = Real(0, 0.03, unit="1/yr", description="growth of the productivity of labour")
START = Real(0.1, 2, description="capital at the beginning, in units of its steady state")


@simulator(
    space=Space(
        saving=Real(0.05, 0.5, role="lever", description="share of output that is invested"),
        capital_share=CAPITAL_SHARE,
        depreciation=DEPRECIATION,
        population_growth=POPULATION_GROWTH,
        technical_progress=TECHNICAL_PROGRESS,
        start=START,
    ),
    outputs=[
        Output("capital", description="steady-state capital per effective worker"),
        Output("production", description="steady-state output per effective worker"),
        Output("consumption", description="steady-state consumption per effective worker"),
        Output("half_life", unit="yr", description="time in which half of a small gap to the steady state closes"),
        Series("path", at=YEARS, coordinate="time", coordinate_unit="yr", description="output per effective worker"),
    ],
    batch=10_000,
)
def solow(
    saving: ArrayLike,
    capital_share: ArrayLike,
    depreciation: ArrayLike,
    population_growth: ArrayLike,
    technical_progress: ArrayLike,
    start: ArrayLike,
) -> dict[str, Any]:
    r"""Growth with a fixed saving rate, after Solow and Swan, with Cobb-Douglas production.

    Parameters
    ----------
    saving, capital_share, depreciation, population_growth, technical_progress, start : float or array of shape (m,)
        See the space.

    Returns
    -------
    dict
        ``capital``, ``production``, ``consumption``, ``half_life`` and the series ``path``, shape (101,) or (m, 101).

    Notes
    -----
    Capital per effective worker obeys :math:`\dot k = s k^\alpha - (n + g + \delta) k`. In terms of
    :math:`k^{1 - \alpha}` this is linear, so that

    .. math::

        k(t)^{1 - \alpha} = k_*^{1 - \alpha} + (k(0)^{1 - \alpha} - k_*^{1 - \alpha}) e^{-\lambda t}, \quad
        k_*^{1 - \alpha} = \frac{s}{n + g + \delta}, \quad \lambda = (1 - \alpha) (n + g + \delta) .

    Steady-state consumption is highest where the saving rate is the capital share (the golden rule). With
    n + g + delta = 6% and a capital share of one third, 4% of the gap close in a year, half of it in 17 years [2]_.

    References
    ----------
    .. [1] R. M. Solow, "A contribution to the theory of economic growth", Quarterly Journal of Economics 70(1), 1956.
    .. [2] D. Romer, "Advanced Macroeconomics", 4th ed., McGraw-Hill, 2012, ch. 1.

    Examples
    --------
    >>> rates = dict(depreciation=0.04, population_growth=0.01, technical_progress=0.01)
    >>> found = solow(saving=0.24, capital_share=0.5, **rates, start=0.25)
    >>> round(float(found["capital"]), 9), round(float(found["production"]), 9), round(float(found["path"][0]), 9)
    (16.0, 4.0, 2.0)
    """
    s, alpha, delta, n, g, k0 = (
        np.asarray(values, dtype=float)
        for values in (saving, capital_share, depreciation, population_growth, technical_progress, start)
    )
    dilution = n + g + delta
    power = s / dilution  # of the steady state's capital, with the exponent 1 - alpha
    rate = (1 - alpha) * dilution
    output = power ** (alpha / (1 - alpha))
    gap = (k0 ** (1 - alpha) - 1)[..., None] * np.exp(-rate[..., None] * YEARS)
    return {
        "capital": power ** (1 / (1 - alpha)),
        "production": output,
        "consumption": (1 - s) * output,
        "half_life": math.log(2) / rate,
        "path": output[..., None] * (1 + gap) ** (alpha / (1 - alpha))[..., None],
    }


# The path is followed backwards from this distance to the steady state, where it is its tangent but for 1e-10.
NEAR = 1e-5

# The way is long (200 years are usual), and so capital is good to 1e-8.
TOLERANCES = {"rtol": 1e-12, "atol": 1e-14}


@simulator(
    space=Space(
        impatience=Real(0.015, 0.06, unit="1/yr", description="rate of time preference"),
        risk_aversion=Real(1, 5, description="inverse elasticity of intertemporal substitution"),
        capital_share=CAPITAL_SHARE,
        depreciation=DEPRECIATION,
        # Slower than in Solow's model, for the sum of utility must be finite.
        population_growth=Real(0, 0.01, unit="1/yr", description="growth of the population"),
        technical_progress=TECHNICAL_PROGRESS,
        start=START,
    ),
    outputs=[
        Output("capital", description="steady-state capital per effective worker"),
        Output("consumption", description="steady-state consumption per effective worker"),
        Output("saving", description="steady-state saving rate"),
        Output("first_consumption", description="consumption per effective worker at the beginning"),
        Output("half_life", unit="yr", description="time in which half of a small gap to the steady state closes"),
        Series("capital_path", at=YEARS, coordinate="time", coordinate_unit="yr", description="capital"),
        Series("consumption_path", at=YEARS, coordinate="time", coordinate_unit="yr", description="consumption"),
    ],
)
def ramsey(
    impatience: float,
    risk_aversion: float,
    capital_share: float,
    depreciation: float,
    population_growth: float,
    technical_progress: float,
    start: float,
) -> dict[str, Any]:
    r"""Optimal growth after Ramsey, Cass and Koopmans: how much would people save who look ahead?

    Parameters
    ----------
    impatience, risk_aversion, capital_share, depreciation, population_growth, technical_progress, start : float
        See the space.

    Returns
    -------
    dict
        ``capital``, ``consumption``, ``saving``, ``first_consumption``, ``half_life`` and the series ``capital_path``
        and ``consumption_path``, all per effective worker.

    Raises
    ------
    ValueError
        If utility would be infinite: impatience must exceed
        population growth + (1 - risk aversion) * technical progress.

    Notes
    -----
    With :math:`f(k) = k^\alpha` capital and consumption obey

    .. math::

        \dot k = f(k) - c - (n + g + \delta) k, \qquad
        \dot c = c \, (f'(k) - \delta - \rho - \theta g) / \theta ,

    and the steady state solves :math:`f'(k_*) = \delta + \rho + \theta g`. It is a saddle point: of all first
    consumptions only one leads there. Backwards in time the saddle path attracts, so it is followed from beside the
    steady state back to the capital of the beginning. The saving rate is :math:`1 / \theta` all along where
    :math:`\alpha (n + g + \delta) \theta = \delta + \rho + \theta g` [2]_.

    References
    ----------
    .. [1] F. P. Ramsey, "A mathematical theory of saving", Economic Journal 38, 1928; D. Cass, "Optimum growth in an
           aggregative model of capital accumulation", Review of Economic Studies 32(3), 1965; T. C. Koopmans, "On the
           concept of optimal economic growth", 1965.
    .. [2] R. J. Barro, X. Sala-i-Martin, "Economic Growth", 2nd ed., MIT Press, 2004, ch. 2.

    Examples
    --------
    The benchmark of [2]_, where 8.2% of the gap close in a year:

    >>> found = ramsey(impatience=0.02, risk_aversion=3, capital_share=0.3, depreciation=0.05, population_growth=0.01,
    ...                technical_progress=0.02, start=0.5)
    >>> round(found["half_life"], 1), round(found["saving"], 3)
    (8.5, 0.185)
    """
    alpha, theta = capital_share, risk_aversion
    effective = impatience - population_growth - (1 - theta) * technical_progress
    if not effective > 0:
        raise ValueError(
            "utility is infinite: impatience must exceed population growth + (1 - risk aversion) * technical progress, "
            f"got {impatience:g}, not above {impatience - effective:g}"
        )
    dilution = population_growth + technical_progress + depreciation
    return_needed = depreciation + impatience + theta * technical_progress
    capital = (alpha / return_needed) ** (1 / (1 - alpha))
    output = capital**alpha
    consumption = output - dilution * capital

    # u and v: logarithms of capital and consumption by the steady state. How they change is nearly linear in them.
    mean_product, spending = output / capital, consumption / capital

    def change(u: float, v: float) -> tuple[float, float]:
        scarcity = math.expm1((alpha - 1) * u)
        return mean_product * scarcity - spending * math.expm1(v - u), return_needed / theta * scarcity

    # The stable direction: v = slope u, and u falls at this rate.
    bend = return_needed / theta * (1 - alpha)
    rate = math.sqrt(effective**2 / 4 + bend * spending) - effective / 2
    path = _saddle_path(change, math.log(start), bend / rate, rate)
    capital_path, consumption_path = np.exp(path.T) * [[capital], [consumption]]
    return {
        "capital": capital,
        "consumption": consumption,
        "saving": 1 - consumption / output,
        "first_consumption": float(consumption_path[0]),
        "half_life": math.log(2) / rate,
        "capital_path": capital_path,
        "consumption_path": consumption_path,
    }


def _saddle_path(
    change: Callable[[float, float], tuple[float, float]], first: float, slope: float, rate: float
) -> FloatArray:
    """The path into the saddle point 0 that starts from u = `first`; u and v in each of YEARS, shape (n_years, 2)."""
    if abs(first) <= NEAR:
        near = first * np.exp(-rate * YEARS)
        return np.column_stack([near, slope * near])

    # Distance log(abs(u)) and slope v / u, both far from rounding wherever the path is, and how they change in time.
    def approach(distance: float, steepness: float) -> tuple[float, float]:
        u = math.copysign(math.exp(distance), first)
        du, dv = change(u, steepness * u)
        return du / u, (dv - steepness * du) / u

    # First over the distance, which tells the time that the way takes; then over that time.
    def over_distance(distance: float, state: FloatArray) -> tuple[float, float]:
        closing, bending = approach(distance, state[0])
        return bending / closing, -1 / closing

    def backwards(time: float, state: FloatArray) -> tuple[float, float]:
        closing, bending = approach(*state)
        return -closing, -bending

    distances = [math.log(NEAR), math.log(abs(first))]
    arrival = solve(over_distance, [slope, 0.0], distances, **TOLERANCES)[-1, 1]
    before = arrival > YEARS
    way = solve(backwards, [distances[0], slope], [0.0, *(arrival - YEARS[before])[::-1]], **TOLERANCES)
    u = np.empty(len(YEARS))
    v = np.empty(len(YEARS))
    u[before] = math.copysign(1, first) * np.exp(way[:0:-1, 0])
    v[before] = way[:0:-1, 1] * u[before]
    u[~before] = math.copysign(NEAR, first) * np.exp(-rate * (YEARS[~before] - arrival))
    v[~before] = slope * u[~before]
    return np.column_stack([u, v])
