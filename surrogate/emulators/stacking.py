"""Weights for an average of emulators, from how well each predicts runs that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Mixture", "average", "log_density", "stack"]

FloatArray = NDArray[np.float64]

# How far the average's leave-one-out log density may fall below that of the best single part, in nats a run, and its
# square error rise above, before it counts as no help. Wide: the best of several was the best by chance, too.
WORSE_DENSITY, WORSE_ERROR = 0.5, 4.0

# Standard deviations are at least this share of the output's, so that an exact part has a density.
LEAST_STD = 1e-9


@dataclass(frozen=True, eq=False)
class Mixture:
    """What was learnt about the parts.

    Attributes
    ----------
    weights : array of shape (k,)
        Sum 1.
    inflation : array of shape (k,)
        Factors of the parts' standard deviations, at least 1.
    log_density : array of shape (k,)
        Mean over the runs of the log density of the standardised output, after the inflation.
    error : array of shape (k,)
        Mean square error over the output's variance.
    stacked_log_density, stacked_error : float
        The same of the average.
    is_single : bool
        Whether averaging did not help.
    """

    weights: FloatArray
    inflation: FloatArray
    log_density: FloatArray
    error: FloatArray
    stacked_log_density: float
    stacked_error: float
    is_single: bool


def log_density(y: FloatArray, mean: FloatArray, std: FloatArray) -> FloatArray:
    """Of normal distributions."""
    return np.asarray(-0.5 * ((y - mean) / std) ** 2 - np.log(std) - 0.5 * np.log(2.0 * np.pi))


def average(weights: FloatArray, means: FloatArray, stds: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of a mixture; `means` and `stds` of shape (k, m)."""
    mean = weights @ means
    # Around the mean, not as a difference of squares: parts may agree to many digits.
    return mean, np.sqrt(weights @ (stds**2 + (means - mean) ** 2))


def stack(y: FloatArray, means: FloatArray, stds: FloatArray, sharpness: float) -> Mixture:
    """Weights by leave-one-out predictions.

    A part's weight is the exponential of `sharpness` times its mean log density. With the number of runs as sharpness
    this is pseudo Bayesian model averaging [1]_, which on few runs puts all weight on a part that was best by chance;
    maximising the mixture's own density [1]_ does so too.

    Parameters
    ----------
    y : array of shape (n,)
        Standardised outputs.
    means, stds : array of shape (k, n)
        Each run as predicted by each part without it.
    sharpness : float

    References
    ----------
    .. [1] Y. Yao, A. Vehtari, D. Simpson, A. Gelman, "Using stacking to average Bayesian predictive distributions",
       Bayesian Analysis 13(3), 2018, secs. 3.1 and 3.4.

    Examples
    --------
    >>> y = np.array([-1.0, 0.0, 1.0])
    >>> found = stack(y, np.array([[-0.9, 0.1, 0.9], [-1.1, -0.1, 1.1]]), np.array([[0.2] * 3, [0.3] * 3]), 3.0)
    >>> found.weights.round(2)
    array([0.73, 0.27])
    """
    stds = np.maximum(stds, LEAST_STD)
    # Never deflated: a part that is sure by chance of few residuals would take all the weight.
    inflation = np.sqrt(np.maximum((((y - means) / stds) ** 2).mean(axis=1), 1.0))
    stds = inflation[:, None] * stds
    density = log_density(y, means, stds).mean(axis=1)
    error = ((y - means) ** 2).mean(axis=1)
    weights = np.exp(sharpness * (density - density.max()))
    weights /= weights.sum()

    def judged(own: FloatArray) -> tuple[float, float]:
        mean, std = average(own, means, stds)
        return float(log_density(y, mean, std).mean()), float(((y - mean) ** 2).mean())

    together = judged(weights)
    best = int(density.argmax())
    helps = together[0] >= density[best] - WORSE_DENSITY and together[1] <= WORSE_ERROR * error[best]
    if not helps:
        weights = np.eye(len(weights))[best]
        together = judged(weights)
    return Mixture(weights, inflation, density, error, *together, is_single=not helps)
