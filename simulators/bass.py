"""Diffusion of innovations after Bass: who buys because of others, and when sales peak."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike, NDArray

from surrogate.simulation import Output, Series, simulator
from surrogate.space import Real, Space

__all__ = ["bass"]

FloatArray = NDArray[np.float64]

YEARS = np.linspace(0, 30, 61)


@simulator(
    space=Space(
        # Sultan, Farley, Lehmann 1990: means 0.03 and 0.38 over 213 applications.
        p=Real.distributed(scipy.stats.lognorm(0.6, scale=0.025), unit="1/yr", description="coefficient of innovation"),
        q=Real.distributed(scipy.stats.lognorm(0.5, scale=0.335), unit="1/yr", description="coefficient of imitation"),
        market=Real(1e6, 1e8, log=True, unit="people", description="people who will adopt in the end"),
    ),
    outputs=[
        Output("peak_year", unit="yr", description="when most adopt a year; 0 if sales only fall"),
        Output("peak_sales", unit="people/yr", description="adopters a year at the peak"),
        Output("half_time", unit="yr", description="when half of the market has adopted"),
        Series("adopters", at=YEARS, coordinate="time", unit="people", coordinate_unit="yr", description="so far"),
    ],
    batch=10_000,
)
def bass(p: ArrayLike, q: ArrayLike, market: ArrayLike) -> dict[str, Any]:
    r"""Sales of a new durable good, by the model of Bass.

    Parameters
    ----------
    p, q : float or array of shape (m,)
        Rates, 1/yr, at which those who have not adopted do so of themselves, and because all others have.
    market : float or array of shape (m,)
        How many will adopt in the end.

    Returns
    -------
    dict
        ``peak_year``, ``peak_sales``, ``half_time`` and the series ``adopters``, shape (61,) or (m, 61).

    Notes
    -----
    The share that has adopted obeys :math:`\dot F = (p + q F) (1 - F)` from F(0) = 0, so

    .. math::

        F(t) = \frac{1 - e^{-(p + q) t}}{1 + (q / p) e^{-(p + q) t}} .

    For q > p sales peak at t* = ln(q / p) / (p + q), with (p + q)^2 / (4 q) of the market a year; otherwise at once,
    with p of it. The means over 213 applications are p = 0.03 and q = 0.38 [2]_, and so are those of the distributions
    here.

    References
    ----------
    .. [1] F. M. Bass, "A new product growth for model consumer durables", Management Science 15(5), 1969.
    .. [2] F. Sultan, J. U. Farley, D. R. Lehmann, "A meta-analysis of applications of diffusion models", Journal of
           Marketing Research 27(1), 1990.

    Examples
    --------
    Room air conditioners in the United States, as estimated in [1]_:

    >>> found = bass(p=0.0104, q=0.4186, market=16.895e6)
    >>> round(float(found["peak_year"]), 1), round(float(found["peak_sales"]) / 1e6, 1)
    (8.6, 1.9)
    """
    innovation, imitation, people = (np.asarray(values, dtype=float) for values in (p, q, market))
    rate, ratio = innovation + imitation, imitation / innovation
    has_peak = ratio > 1
    decay = np.exp(-rate[..., None] * YEARS)
    return {
        "peak_year": np.where(has_peak, np.log(ratio) / rate, 0.0),
        "peak_sales": people * np.where(has_peak, rate**2 / (4 * imitation), innovation),
        "half_time": np.log(2 + ratio) / rate,
        "adopters": people[..., None] * (1 - decay) / (1 + ratio[..., None] * decay),
    }
