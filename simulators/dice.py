"""Economy and climate in DICE-2016R: how warm does it get, and what does a tonne of carbon dioxide cost?"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from surrogate.simulation import Output, Series, simulator
from surrogate.space import Real, Space

__all__ = ["dice", "run_dice"]

FloatArray = NDArray[np.float64]

PERIODS, STEP = 100, 5  # as in [1]: until 2510, in steps of five years
YEARS = 2015 + STEP * np.arange(PERIODS)

# The series reach the year 2200.
SHOWN = 38
YEAR_2100 = int(np.flatnonzero(YEARS == 2100)[0])

# All numbers and equations are those of DICE2016R-091916ap.gms [1], under its names.
GAMA, POP0, POPADJ, POPASYM, DK = 0.3, 7403, 0.134, 11500, 0.1
Q0, K0, A0, DELA = 105.5, 223, 5.115, 0.005
DSIG, ELAND0, DELAND, E0, MIU0 = -0.001, 2.6, 0.115, 35.85, 0.03
MAT0, MU0, ML0, MATEQ, MUEQ, MLEQ, B12, B23 = 851, 460, 1740, 588, 360, 1720, 0.12, 0.007
FEX0, FEX1, TOCEAN0, TATM0, C1, C3, C4, FCO22X = 0.5, 1.0, 0.0068, 0.85, 0.1005, 0.088, 0.025, 3.6813
EXPCOST2, PBACK, GBACK, CCA0, FOSSLIM = 2.6, 550, 0.025, 400, 6000
CARBON_TO_CO2 = 3.666

# Step into the complex plane that gives the derivative by emissions to rounding.
TINY = 1e-30


class DiceRun(NamedTuple):
    """What a run of DICE follows, arrays of shape (100, m)."""

    temperature: FloatArray
    carbon: FloatArray  # in the atmosphere, GtC
    capital: FloatArray
    emissions: FloatArray  # GtCO2 a year
    output: FloatArray  # net of damages and abatement, trillions of 2010 US dollars a year
    consumption_a_head: FloatArray  # thousands of 2010 US dollars a year
    social_cost: FloatArray  # of the first period's carbon dioxide, 2010 US dollars a tonne, shape (m,)


def run_dice(
    control_rate: ArrayLike,
    saving_rate: ArrayLike,
    *,
    climate_sensitivity: ArrayLike = 3.1,
    damage: ArrayLike = 0.00236,
    productivity_growth: ArrayLike = 0.076,
    decarbonisation: ArrayLike = 0.0152,
    time_preference: ArrayLike = 0.015,
    risk_aversion: ArrayLike = 1.45,
) -> DiceRun:
    """Follow economy and climate from 2015 to 2510 under given policies.

    Parameters
    ----------
    control_rate : array of shape (100,) or (100, m)
        Share of industrial emissions that is avoided, one number a period of five years.
    saving_rate : array of shape (100,) or (100, m)
        Share of net output that is invested.
    climate_sensitivity, damage, productivity_growth, decarbonisation, time_preference, risk_aversion : float or array
        As in :func:`dice`, by default as in [1]_; arrays have shape (m,).

    Returns
    -------
    DiceRun
        Arrays of shape (100, m).

    References
    ----------
    .. [1] W. D. Nordhaus, DICE2016R-091916ap.gms, 2016.
    """
    t2xco2, a2, ga0, gsigma1, prstp, elasmu = np.broadcast_arrays(
        *np.atleast_1d(
            climate_sensitivity, damage, productivity_growth, decarbonisation, time_preference, risk_aversion
        )
    )
    miu, s = (np.asarray(values, dtype=float) for values in (control_rate, saving_rate))
    m = np.broadcast_shapes(t2xco2.shape, miu.shape[1:], s.shape[1:])
    b21, b32 = B12 * MATEQ / MUEQ, B23 * MUEQ / MLEQ

    population, productivity, intensity, decline = float(POP0), A0 + 0 * ga0, E0 / (Q0 * (1 - MIU0)) + 0 * ga0, -gsigma1
    mat, mu, ml, tatm, tocean, k = (np.full(m, first, dtype=complex) for first in (MAT0, MU0, ML0, TATM0, TOCEAN0, K0))
    fossil = np.full(m, FOSSLIM - CCA0, dtype=complex)
    followed: list[tuple[Any, ...]] = []
    welfare = np.zeros(m, dtype=complex)
    for t in range(PERIODS):
        gross = productivity * (population / 1000) ** (1 - GAMA) * k**GAMA
        backstop = PBACK * (1 - GBACK) ** t * intensity / EXPCOST2 / 1000
        net = gross * (1 - a2 * tatm**2 - backstop * miu[t] ** EXPCOST2)
        burnt = intensity * gross * (1 - miu[t])
        burnt = np.where(burnt.real * STEP > fossil.real * CARBON_TO_CO2, fossil * CARBON_TO_CO2 / STEP, burnt)
        fossil = fossil - burnt * STEP / CARBON_TO_CO2
        emitted = burnt + ELAND0 * (1 - DELAND) ** t + (TINY * 1j if t == 0 else 0)
        consumption = (1 - s[t]) * net
        each = 1000 * consumption / population
        discount = (1 + prstp) ** (-STEP * t)
        with np.errstate(divide="ignore", invalid="ignore"):
            utility = np.where(elasmu == 1, np.log(each), (each ** (1 - elasmu) - 1) / (1 - elasmu))
        welfare += discount * population * utility
        if t == 0:
            worth = 1000 * each.real**-elasmu  # welfare of one more trillion of consumption in the first period
        followed.append((tatm, mat, k, emitted, net, each))

        k = (1 - DK) ** STEP * k + STEP * s[t] * net
        mat, mu, ml = (
            mat * (1 - B12) + mu * b21 + emitted * STEP / CARBON_TO_CO2,
            mat * B12 + mu * (1 - b21 - B23) + ml * b32,
            ml * (1 - b32) + mu * B23,
        )
        other = FEX0 + (FEX1 - FEX0) * min(t + 1, 17) / 17
        forcing = FCO22X * np.log(mat / MATEQ) / np.log(2) + other
        tatm, tocean = (
            tatm + C1 * (forcing - FCO22X / t2xco2 * tatm - C3 * (tatm - tocean)),
            tocean + C4 * (tatm - tocean),
        )
        productivity = productivity / (1 - ga0 * np.exp(-DELA * STEP * t))
        intensity = intensity * np.exp(decline * STEP)
        decline = decline * (1 + DSIG) ** STEP
        population *= (POPASYM / population) ** POPADJ
    temperature, carbon, capital, emissions, output, each = (
        np.real(np.array(np.broadcast_arrays(*path))) for path in zip(*followed, strict=True)
    )
    social_cost = -1000 * welfare.imag / TINY / worth
    return DiceRun(temperature, carbon, capital, emissions, output, each, social_cost)


@simulator(
    space=Space(
        climate_sensitivity=Real(1.5, 4.5, unit="K", description="warming in the long run of doubled carbon dioxide"),
        damage=Real(0, 0.004, unit="1/K^2", description="share of output lost, by squared warming"),
        productivity_growth=Real(0.06, 0.09, description="growth of total factor productivity in the first five years"),
        decarbonisation=Real(0.01, 0.02, unit="1/yr", description="decline of emissions by output, without policy"),
        time_preference=Real(0.001, 0.03, unit="1/yr", description="rate at which welfare is discounted"),
        risk_aversion=Real(1, 2, description="elasticity of marginal utility"),
        carbon_price=Real(1, 100, log=True, unit="2010US$/tCO2", role="lever", description="carbon price in 2015"),
        price_growth=Real(0, 0.05, unit="1/yr", role="lever", description="growth of the carbon price"),
        saving=Real(0.2, 0.3, role="lever", description="share of output that is invested"),
    ),
    outputs=[
        Output("warming_2100", unit="K", description="warming of the atmosphere in 2100 since 1900"),
        Output("social_cost", unit="2010US$/tCO2", description="social cost of carbon dioxide emitted in 2015"),
        Output("consumption_2100", unit="1000 2010US$", description="consumption a head in 2100, a year"),
        Series(
            "warming", at=YEARS[:SHOWN], coordinate="time", unit="K", coordinate_unit="yr", description="since 1900"
        ),
        Series(
            "emissions", at=YEARS[:SHOWN], coordinate="time", unit="GtCO2/yr", coordinate_unit="yr", description="CO2"
        ),
    ],
    batch=1000,
)
def dice(
    climate_sensitivity: ArrayLike,
    damage: ArrayLike,
    productivity_growth: ArrayLike,
    decarbonisation: ArrayLike,
    time_preference: ArrayLike,
    risk_aversion: ArrayLike,
    carbon_price: ArrayLike,
    price_growth: ArrayLike,
    saving: ArrayLike,
) -> dict[str, Any]:
    r"""Nordhaus's DICE-2016R: growth, emissions, carbon cycle, warming and damages, under a carbon price.

    Parameters
    ----------
    climate_sensitivity, damage, productivity_growth, decarbonisation : float or array of shape (m,)
        What is uncertain about climate and economy; 3.1, 0.00236, 0.076 and 0.0152 in [1]_.
    time_preference, risk_aversion : float or array of shape (m,)
        How welfare is counted; 0.015 and 1.45 in [1]_. They change the social cost only.
    carbon_price, price_growth : float or array of shape (m,)
        The policy; 2 and 0.02 in the baseline of [1]_.
    saving : float or array of shape (m,)
        A constant saving rate.

    Returns
    -------
    dict
        ``warming_2100``, ``social_cost``, ``consumption_2100``, and the series ``warming`` and
        ``emissions`` until 2200, shape (38,) or (m, 38).

    Notes
    -----
    Equations and numbers are those of the GAMS program of [1]_. There, policies are optimised; here, emissions are cut
    until the last tonne costs the carbon price, at most to nothing, and the saving rate is constant. Under the optimal
    policies of [1]_ :func:`run_dice` gives its temperatures and its social cost of 30.7 dollars [2]_; with the
    baseline's price and a saving rate of 0.25 warming in 2100 is 4.1 K, as there.

    The social cost is what a tonne more in 2015 takes from welfare until 2510, in consumption of 2015. Once 6,000 GtC
    of fossil carbon have been burnt there is none left to emit.

    References
    ----------
    .. [1] W. D. Nordhaus, DICE2016R-091916ap.gms, 2016; "Revisiting the social cost of carbon", Proceedings of the
           National Academy of Sciences 114(7), 2017.
    .. [2] C. M. Kellett, S. R. Weller, T. Faulwasser, L. Gruene, W. Semmler, "Feedback, dynamics, and optimal control
           in climate economics", Annual Reviews in Control 47, 2019; the program's results come with DICE2013R-mc.

    Examples
    --------
    >>> nordhaus = dict(climate_sensitivity=3.1, damage=0.00236, productivity_growth=0.076, decarbonisation=0.0152,
    ...                 time_preference=0.015, risk_aversion=1.45)
    >>> found = dice(**nordhaus, carbon_price=2, price_growth=0.02, saving=0.25)
    >>> round(float(found["warming_2100"]), 1), round(float(found["social_cost"]))
    (4.1, 32)
    """
    science = (climate_sensitivity, damage, productivity_growth, decarbonisation, time_preference, risk_aversion)
    policy = (carbon_price, price_growth, saving)
    one_point = not any(map(np.ndim, (*science, *policy)))
    first, growth, save = np.broadcast_arrays(*(np.asarray(values, dtype=float) for values in policy))
    period = np.arange(PERIODS)[:, None]
    price = first * (1 + growth) ** (STEP * period)
    backstop = PBACK * (1 - GBACK) ** period
    run = run_dice(
        np.minimum((price / backstop) ** (1 / (EXPCOST2 - 1)), 1.0),
        np.broadcast_to(save, price.shape),
        climate_sensitivity=climate_sensitivity,
        damage=damage,
        productivity_growth=productivity_growth,
        decarbonisation=decarbonisation,
        time_preference=time_preference,
        risk_aversion=risk_aversion,
    )
    answer = {
        "warming_2100": run.temperature[YEAR_2100],
        "social_cost": run.social_cost,
        "consumption_2100": run.consumption_a_head[YEAR_2100],
        "warming": run.temperature[:SHOWN].T,
        "emissions": run.emissions[:SHOWN].T,
    }
    return {name: value[0] for name, value in answer.items()} if one_point else answer
