"""The shallow lake: a town's phosphorus emissions, a lake's tipping point and five deep uncertainties."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from surrogate.simulation import Output, simulator
from surrogate.space import Real, Space

__all__ = ["critical_phosphorus", "cubic_policy", "lake", "lognormal_inflow", "phosphorus"]

FloatArray = NDArray[np.float64]
Policy = Callable[[FloatArray], FloatArray]

YEARS = 100
# Benefit of a unit of emission [2].
ALPHA = 0.4
# Least and largest emission in a year: what nobody can avoid and what the town can make [2].
EMISSION_LIMITS = (0.01, 0.1)
# A fall of the yearly emission by this much or more counts as a break with the policy [2].
LARGEST_FALL = -0.02


def critical_phosphorus(b: float, q: float) -> float:
    """Phosphorus at the tipping point between the clean and the eutrophic lake.

    Without emission and inflow the lake's phosphorus `x` grows by ``x**q / (1 + x**q) - b * x`` a year. The smaller
    positive root is an unstable equilibrium: below it the lake cleans itself, above it phosphorus released from the
    sediment drives it into the eutrophic state, for good.

    Parameters
    ----------
    b : float
        Share of phosphorus lost in a year; above 0.
    q : float
        Steepness of the release from the sediment; above 1.

    Returns
    -------
    float
        The tipping point; ``inf`` if there is none, because losses exceed the release at every level (or, at the fold,
        match it at one without ever being exceeded). The lake then recovers from any level, so that every level counts
        as below the tipping point. For ``q = 2`` that is so from ``b = 0.5``.

    Raises
    ------
    ValueError
        If `b` is not positive or `q` not above 1 (then the lake has no clean equilibrium to tip from).

    Notes
    -----
    The roots are those of ``g(x) = x**(q - 1) / (1 + x**q) = b``. For ``q > 1``, `g` rises from 0 to its maximum at
    ``x = (q - 1)**(1 / q)`` and falls from there to 0, which brackets the smaller root; ``g(x) < x**(q - 1)`` bounds it
    from below. For ``q = 2`` it is ``(1 - sqrt(1 - 4 b**2)) / (2 b)``.

    Examples
    --------
    >>> round(critical_phosphorus(0.42, 2), 5), round(critical_phosphorus(0.42, 2.5), 5)
    (0.54454, 0.71023)
    """
    if not b > 0:
        raise ValueError(f"b must be positive, got {b}")
    if not q > 1:
        raise ValueError(f"q must be above 1, got {q}")
    if not (math.isfinite(b) and math.isfinite(q)):
        raise ValueError(f"b and q must be finite, got {b=}, {q=}")
    if b >= (q - 1) ** ((q - 1) / q) / q:
        return math.inf

    # In logarithms the root keeps its relative accuracy however small it is.
    def excess(log_x: float) -> float:
        return float((q - 1) * log_x - np.logaddexp(0, q * log_x) - math.log(b))

    low, high = math.log(b) / (q - 1), math.log(q - 1) / q
    # Just below the fold, rounding may leave no change of sign: both roots are then the maximum to within rounding.
    if excess(high) <= 0:
        return math.exp(high)
    return math.exp(scipy.optimize.brentq(excess, low, high, xtol=1e-14))


def cubic_policy(x: FloatArray, c1: float, c2: float, r1: float, r2: float, w1: float) -> FloatArray:
    """Emission that two cubic radial basis functions assign to a state of the lake.

    Parameters
    ----------
    x : array
        Phosphorus in the lake.
    c1, c2, r1, r2 : float
        Centres and radii of the functions ``abs((x - c) / r)**3``.
    w1 : float
        Weight of the first; the second has ``1 - w1``.

    Returns
    -------
    array of x's shape
        Emission within [0.01, 0.1].
    """
    emission = w1 * np.abs((x - c1) / r1) ** 3 + (1 - w1) * np.abs((x - c2) / r2) ** 3
    return np.asarray(np.clip(emission, *EMISSION_LIMITS))


def lognormal_inflow(mean: float, stdev: float, shape: tuple[int, ...], seed: int) -> FloatArray:
    """Natural phosphorus inflow.

    Parameters
    ----------
    mean, stdev : float
        Mean and standard deviation of the inflow itself, not of its logarithm.
    shape : tuple of int
    seed : int
        The same seed gives the same normal numbers whatever `mean` and `stdev`, so that two lakes can be compared under
        the same weather.

    Returns
    -------
    array of shape `shape`
    """
    variance = math.log1p((stdev / mean) ** 2)
    normal = np.random.default_rng(seed).standard_normal(shape)
    return np.asarray(np.exp(math.log(mean) - variance / 2 + math.sqrt(variance) * normal))


def phosphorus(policy: Policy, inflow: FloatArray, b: float, q: float) -> tuple[FloatArray, FloatArray]:
    """Follow lakes through the years.

    Parameters
    ----------
    policy : callable
        From the phosphorus of every lake, shape (n,), to its emission in the coming year.
    inflow : array of shape (n_years, n)
        Natural inflow, one column a lake.
    b, q : float
        As in :func:`critical_phosphorus`.

    Returns
    -------
    x : array of shape (n_years + 1, n)
        Phosphorus ``X_0, ..., X_T``: ``x[t]`` is what the policy sees in year `t`, ``x[t + 1]`` what comes of it.
    a : array of shape (n_years, n)
        Emission ``a_0, ..., a_{T - 1}``.
    """
    n_years, n = inflow.shape
    x, a = np.zeros((n_years + 1, n)), np.empty((n_years, n))
    for t in range(n_years):
        a[t] = policy(x[t])
        power = x[t] ** q
        x[t + 1] = (1 - b) * x[t] + a[t] + inflow[t] + power / (1 + power)
    return x, a


@simulator(
    space=Space(
        b=Real(0.1, 0.45, description="share of phosphorus lost in a year"),
        q=Real(2, 4.5, description="steepness of the release from the sediment"),
        mean=Real(0.01, 0.05, description="mean of the natural inflow"),
        stdev=Real(0.001, 0.005, description="standard deviation of the natural inflow"),
        delta=Real(0.93, 0.99, description="discount factor of a year"),
        c1=Real(-2, 2, role="lever", description="centre of the first basis function"),
        c2=Real(-2, 2, role="lever", description="centre of the second basis function"),
        # Quinn et al. let the radius go down to 0, where the policy is not defined.
        r1=Real(0.01, 2, role="lever", description="radius of the first basis function"),
        r2=Real(0.01, 2, role="lever", description="radius of the second basis function"),
        w1=Real(0, 1, role="lever", description="weight of the first basis function; the second has the rest"),
    ),
    outputs=[
        Output("max_phosphorus", description="largest yearly mean of phosphorus over the replicates"),
        Output("utility", description="mean discounted benefit of the emissions"),
        Output("inertia", description="share of yearly policy changes that lower the emission by less than 0.02"),
        Output("reliability", description="share of years that end below the tipping point"),
    ],
    version="1",
)
def lake(
    *,
    b: float,
    q: float,
    mean: float,
    stdev: float,
    delta: float,
    c1: float,
    c2: float,
    r1: float,
    r2: float,
    w1: float,
    seed: int = 0,
    replicates: int = 100,
) -> dict[str, float]:
    """A century of a lake under a closed-loop emission policy and random natural inflow.

    Phosphorus follows [1]_ ``X_{t+1} = X_t + a_t + Y_t + X_t**q / (1 + X_t**q) - b X_t`` from ``X_0 = 0`` for
    ``t = 0, ..., T - 1`` with ``T = 100`` years, under the emission ``a_t = a(X_t)`` of :func:`cubic_policy` and
    independent lognormal inflow ``Y_t``. Everything is dimensionless.

    Parameters
    ----------
    b, q : float
        As in :func:`critical_phosphorus`.
    mean, stdev : float
        As in :func:`lognormal_inflow`.
    delta : float
        Discount factor of a year.
    c1, c2, r1, r2, w1 : float
        As in :func:`cubic_policy`.
    seed : int
        Seed of the inflow.
    replicates : int
        How many inflow series the outputs average over.

    Returns
    -------
    dict
        The four objectives of [2]_:

        - ``max_phosphorus``: the largest over ``t = 1, ..., T`` of the mean of ``X_t`` over the replicates;
        - ``utility``: the mean over the replicates of the sum over ``t = 0, ..., T - 1`` of ``0.4 a_t delta**t``, so
          that the first year is not discounted;
        - ``inertia``: the share of the changes ``a_t - a_{t-1}``, ``t = 1, ..., T - 1``, of all replicates that are
          above -0.02;
        - ``reliability``: the share of the states ``X_t``, ``t = 1, ..., T``, of all replicates that are below
          ``critical_phosphorus(b, q)``; 1 where there is no tipping point.

    Notes
    -----
    States count as they are after the year's step: the given ``X_0 = 0``, which is clean whatever one does, does not
    raise the reliability, and the last step does count. Programs that keep ``X_0, ..., X_{T-1}`` instead differ by up
    to 1/T in the reliability. The closed-loop form, its limits and the ranges of the levers are those of [2]_; [3]_ is
    the form in which every year's emission is a decision of its own.

    References
    ----------
    .. [1] S. R. Carpenter, D. Ludwig, W. A. Brock, "Management of eutrophication for lakes subject to potentially
           irreversible change", Ecological Applications 9(3), 1999.
    .. [2] J. D. Quinn, P. M. Reed, K. Keller, "Direct policy search for robust multi-objective management of deeply
           uncertain socio-ecological tipping points", Environmental Modelling & Software 92, 2017.
    .. [3] R. Singh, P. M. Reed, K. Keller, "Many-objective robust decision making for managing an ecosystem with a
           deeply uncertain threshold response", Ecology and Society 20(3), 2015.

    Examples
    --------
    >>> known = dict(b=0.42, q=2, mean=0.02, stdev=0.0017, delta=0.98)
    >>> careful = lake(**known, c1=0.5, c2=0.5, r1=1.5, r2=1.5, w1=0.5)
    >>> careful["reliability"], round(careful["max_phosphorus"], 2)
    (1.0, 0.12)
    """
    inflow = lognormal_inflow(mean, stdev, (YEARS, replicates), seed)
    x, a = phosphorus(lambda state: cubic_policy(state, c1, c2, r1, r2, w1), inflow, b, q)
    after = x[1:]
    return {
        "max_phosphorus": float(after.mean(axis=1).max()),
        "utility": float(ALPHA * delta ** np.arange(YEARS) @ a.mean(axis=1)),
        "inertia": float((np.diff(a, axis=0) > LARGEST_FALL).mean()),
        "reliability": float((after < critical_phosphorus(b, q)).mean()),
    }
