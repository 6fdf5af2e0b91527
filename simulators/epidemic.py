"""Epidemics in a closed population: SIR, and SEIR with measures, vaccination and beds in hospitals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.optimize
import scipy.stats
from numpy.typing import ArrayLike, NDArray

from simulators._ode import solve
from surrogate.simulation import Output, Series, simulator
from surrogate.space import Real, Space

__all__ = ["seir", "sir"]

FloatArray = NDArray[np.float64]
Rates = Callable[[float, FloatArray], Sequence[Any]]

DAYS = 365
EVERY_DAY = np.arange(DAYS + 1.0)

# Beds are counted for so many inhabitants.
INHABITANTS = 100_000


class _Course(NamedTuple):
    """What becomes of the population in a year."""

    shares: FloatArray  # (DAYS + 1, n_compartments), at the end of every day
    peaks: list[tuple[float, float]]  # highest share and its day, one a watched compartment


def _follow(pieces: Sequence[tuple[float, Rates]], start: ArrayLike, watched: Sequence[int]) -> _Course:
    """Integrate the rates of change over a year.

    Parameters
    ----------
    pieces : sequence of (float, callable)
        From which day on which rates hold. Every piece is integrated by itself: a step must not reach over a jump.
    start : array of shape (n_compartments,)
    watched : sequence of int
        The compartments whose peak is wanted.
    """
    state = np.asarray(start, dtype=float)
    shares = np.empty((len(EVERY_DAY), len(state)))
    tops: list[list[tuple[float, float]]] = [[] for _ in watched]
    ends = [*(begin for begin, _ in pieces[1:]), float(DAYS)]
    for (begin, rates), end in zip(pieces, ends, strict=True):
        inside = (begin <= EVERY_DAY) & (end >= EVERY_DAY)
        days = np.unique([begin, *EVERY_DAY[inside], end])
        states = solve(rates, state, days)
        shares[inside] = states[np.isin(days, EVERY_DAY)]
        growth = np.array(rates(begin, states.T))
        for found, j in zip(tops, watched, strict=True):
            found += [(states[0, j], begin), (states[-1, j], end)]
            found += [
                _top(rates, states[k], days[k], days[k + 1], j)
                for k in np.flatnonzero((growth[j, :-1] > 0) & (growth[j, 1:] <= 0))
            ]
        state = states[-1]
    return _Course(shares, [max(found) for found in tops])


def _top(rates: Rates, state: FloatArray, begin: float, end: float, j: int) -> tuple[float, float]:
    """Share and day where compartment `j`, which grows at `begin` and no longer at `end`, is highest."""

    def growth(day: float) -> float:
        return float(rates(day, solve(rates, state, [begin, day])[-1])[j])

    # Where the top is at the very end, the tolerances may let it grow until there.
    day = end if growth(end) > 0 else scipy.optimize.brentq(growth, begin, end, xtol=1e-9)
    return float(solve(rates, state, [begin, day])[-1, j]), float(day)


@simulator(
    space=Space(
        reproduction_number=Real(0.8, 6, description="people whom one infects where all are susceptible (R0)"),
        infectious_days=Real(2, 14, unit="day", description="mean time of being infectious"),
        infected=Real(1e-6, 1e-2, log=True, description="share infected on day 0"),
        immune=Real(0, 0.8, description="share immune on day 0"),
    ),
    outputs=[
        Output("peak", description="largest share infected at once"),
        Output("peak_day", unit="day", description="day of the peak, 365 if it is still growing"),
        Output("attack_rate", description="share of the population infected within the year, day 0 not counted"),
        Series("prevalence", at=EVERY_DAY, coordinate="time", coordinate_unit="day", description="share infected"),
    ],
)
def sir(reproduction_number: float, infectious_days: float, infected: float, immune: float) -> dict[str, Any]:
    r"""A year of an epidemic by Kermack and McKendrick: susceptible, infected, removed.

    Parameters
    ----------
    reproduction_number, infectious_days, infected, immune : float
        See the space.

    Returns
    -------
    dict
        ``peak``, ``peak_day``, ``attack_rate`` and the series ``prevalence``.

    Notes
    -----
    Shares of the population obey :math:`\dot s = -\beta s i`, :math:`\dot i = \beta s i - \gamma i` with
    :math:`\gamma` one by the infectious days and :math:`\beta = R_0 \gamma`. As :math:`i + s - \ln(s) / R_0` is
    conserved, the peak is :math:`i_0 + s_0 - (1 + \ln(R_0 s_0)) / R_0` where :math:`R_0 s_0 > 1`, and what is left of
    the susceptible at the end solves :math:`s_\infty = s_0 \exp(-R_0 (s_0 + i_0 - s_\infty))` [2]_.

    References
    ----------
    .. [1] W. O. Kermack, A. G. McKendrick, "A contribution to the mathematical theory of epidemics", Proceedings of the
           Royal Society A 115, 1927.
    .. [2] H. W. Hethcote, "The mathematics of infectious diseases", SIAM Review 42(4), 2000, sec. 2.

    Examples
    --------
    >>> found = sir(reproduction_number=2, infectious_days=5, infected=1e-4, immune=0)
    >>> round(found["peak"], 4), round(found["attack_rate"], 3)
    (0.1535, 0.797)
    """
    recovery = 1 / infectious_days
    contact = reproduction_number * recovery

    def rates(day: float, state: FloatArray) -> Sequence[Any]:
        s, i = state
        infections = contact * s * i
        return [-infections, infections - recovery * i]

    susceptible = 1 - immune - infected
    course = _follow([(0.0, rates)], [susceptible, infected], watched=[1])
    peak, peak_day = course.peaks[0]
    return {
        "peak": float(peak),
        "peak_day": float(peak_day),
        "attack_rate": float(susceptible - course.shares[-1, 0]),
        "prevalence": course.shares[:, 1],
    }


@simulator(
    space=Space(
        reproduction_number=Real.distributed(
            scipy.stats.lognorm(0.2, scale=2.5), description="people whom one infects where all are susceptible (R0)"
        ),
        latent_days=Real.distributed(
            scipy.stats.lognorm(0.25, scale=3), unit="day", description="mean time from infection to being infectious"
        ),
        infectious_days=Real.distributed(
            scipy.stats.lognorm(0.25, scale=5), unit="day", description="mean time of being infectious"
        ),
        infected=Real(1e-5, 1e-3, log=True, description="share exposed on day 0"),
        severe=Real.distributed(scipy.stats.beta(6, 594), description="share of the infected who need a bed"),
        stay_days=Real(5, 15, unit="day", description="mean time in the bed"),
        vaccinated=Real(0, 0.6, role="lever", description="share immune by vaccination on day 0"),
        contact_reduction=Real(0, 0.8, role="lever", description="share of contacts avoided while the measure lasts"),
        start_day=Real(0, 120, unit="day", role="lever", description="day on which the measure starts"),
        duration_days=Real(0, 180, unit="day", role="lever", description="how long the measure lasts"),
    ),
    outputs=[
        Output("peak", description="largest share infectious at once"),
        Output("peak_day", unit="day", description="day of that peak"),
        Output("peak_beds", unit="per 100,000", description="most beds needed at once, per 100,000 inhabitants"),
        Output("attack_rate", description="share of the population infected within the year, day 0 not counted"),
        Series("prevalence", at=EVERY_DAY, coordinate="time", coordinate_unit="day", description="share infectious"),
        Series(
            "beds",
            at=EVERY_DAY,
            coordinate="time",
            unit="per 100,000",
            coordinate_unit="day",
            description="beds needed per 100,000 inhabitants",
        ),
    ],
)
def seir(
    reproduction_number: float,
    latent_days: float,
    infectious_days: float,
    infected: float,
    severe: float,
    stay_days: float,
    vaccinated: float,
    contact_reduction: float,
    start_day: float,
    duration_days: float,
) -> dict[str, Any]:
    r"""A year of an epidemic with a latent time, one measure that reduces contacts, vaccination, and beds.

    Parameters
    ----------
    reproduction_number, latent_days, infectious_days, infected, severe, stay_days : float
        What is uncertain; see the space.
    vaccinated, contact_reduction, start_day, duration_days : float
        What is decided.

    Returns
    -------
    dict
        ``peak``, ``peak_day``, ``peak_beds``, ``attack_rate`` and the series ``prevalence`` and ``beds``.

    Notes
    -----
    Shares of the population obey

    .. math::

        \dot s = -\beta(t) s i, \quad \dot e = \beta(t) s i - \sigma e, \quad \dot i = \sigma e - \gamma i, \quad
        \dot r = \gamma i, \quad \dot h = \eta \gamma i - h / T

    where :math:`\beta = R_0 \gamma`, less by the contact reduction while the measure lasts; `h`, those in a bed, are
    some of the removed. A measure may come too early: when it ends, those whom it saved can still be infected, and the
    second wave may be the higher one [2]_. Whatever the latent time, without a measure the susceptible who are left
    solve the final-size equation of :func:`sir` [3]_.

    The distributions are this module's: their bulk spans pandemic influenza and the first variants of SARS-CoV-2. They
    are no estimate for any disease; put your own.

    References
    ----------
    .. [1] R. M. Anderson, R. M. May, "Infectious Diseases of Humans", Oxford University Press, 1991.
    .. [2] T. D. Hollingsworth, D. Klinkenberg, H. Heesterbeek, R. M. Anderson, "Mitigation strategies for pandemic
           influenza A: balancing conflicting policy objectives", PLoS Computational Biology 7(2), 2011.
    .. [3] J. Ma, D. J. D. Earn, "Generality of the final size formula for an epidemic of a newly invading infectious
           disease", Bulletin of Mathematical Biology 68(3), 2006.

    Examples
    --------
    >>> flu = dict(reproduction_number=2, latent_days=2, infectious_days=4, infected=1e-4, severe=0.01, stay_days=8)
    >>> nothing = seir(**flu, vaccinated=0, contact_reduction=0, start_day=0, duration_days=0)
    >>> something = seir(**flu, vaccinated=0.2, contact_reduction=0.3, start_day=30, duration_days=90)
    >>> round(nothing["peak_beds"]), round(something["peak_beds"])
    (174, 65)
    """
    onset, recovery, leaving = 1 / latent_days, 1 / infectious_days, 1 / stay_days

    def rates_with(contact: float) -> Rates:
        def rates(day: float, state: FloatArray) -> Sequence[Any]:
            s, e, i, h = state
            infections, begin, end = contact * s * i, onset * e, recovery * i
            return [-infections, infections - begin, begin - end, severe * end - leaving * h]

        return rates

    usual = reproduction_number * recovery
    pieces = [
        (0.0, rates_with(usual)),
        (start_day, rates_with(usual * (1 - contact_reduction))),
        (start_day + duration_days, rates_with(usual)),
    ]
    # A piece that ends where it begins is none; of two that begin together the later one holds.
    lasting = [piece for piece, after in zip(pieces, [*pieces[1:], (float(DAYS), None)]) if piece[0] < after[0]]
    susceptible = 1 - vaccinated - infected
    course = _follow(lasting, [susceptible, infected, 0.0, 0.0], watched=[2, 3])
    (peak, peak_day), (beds, _) = course.peaks
    return {
        "peak": float(peak),
        "peak_day": float(peak_day),
        "peak_beds": INHABITANTS * float(beds),
        "attack_rate": float(susceptible - course.shares[-1, 0]),
        "prevalence": course.shares[:, 2],
        "beds": INHABITANTS * course.shares[:, 3],
    }
