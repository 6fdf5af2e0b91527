"""How useful a run would be: logarithms of acquisitions with their derivatives, as terms that add up.

A term takes columns z of shape (m, c) and gives its values, (m,), with their derivatives by the columns, (m, c). The
logarithm of expected improvement times the logarithms of probabilities that constraints are met is a sum of terms, and
does not vanish where all of them are tiny.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, log_ndtr, ndtr

from surrogate.optimize.surface import Surface

__all__ = ["Cautious", "Improvement", "Inside", "Lower", "Optimistic", "Term", "log_improvement", "total"]

FloatArray = NDArray[np.float64]

LOG_ROOT_2PI = 0.5 * np.log(2.0 * np.pi)

# Below this the two parts of the closed form cancel; from here down an asymptotic series has all digits.
FAR = -1e4

# By which a probability that is too small is multiplied in its logarithm.
STEEPNESS = 1e3


class Term(Protocol):
    """A summand of an acquisition."""

    def values(self, z: FloatArray) -> FloatArray:
        """Values at columns, (m,)."""

    def slopes(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Values, (m,), and derivatives, (m, c)."""


def total(terms: Sequence[Term], z: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sum of terms with its derivatives."""
    parts = [term.slopes(z) for term in terms]
    return np.sum([value for value, _ in parts], axis=0), np.sum([slope for _, slope in parts], axis=0)


def log_improvement(score: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Logarithm of h(s) and its derivative, h(s) = phi(s) + s Phi(s), without cancellation for scores down to -1e150.

    References
    ----------
    .. [1] S. Ament et al., "Unexpected Improvements to Expected Improvement for Bayesian Optimization", NeurIPS 2023,
       eq. 9.

    Examples
    --------
    >>> log_improvement(np.array([0.0]))[0].round(6)
    array([-0.918939])
    """
    s = np.asarray(score, dtype=float)
    log_pdf = -0.5 * s**2 - LOG_ROOT_2PI
    value, slope = np.empty_like(s), np.empty_like(s)
    near = s > -1.0
    cdf = ndtr(s[near])
    h = np.exp(log_pdf[near]) + s[near] * cdf
    value[near], slope[near] = np.log(h), cdf / h
    # Phi / phi = sqrt(pi / 2) erfcx(-s / sqrt 2)
    far = ~near
    ratio = np.sqrt(np.pi / 2) * erfcx(-s[far] / np.sqrt(2.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        shape = np.where(s[far] > FAR, np.log1p(s[far] * ratio), -2.0 * np.log(-s[far]))
    value[far], slope[far] = log_pdf[far] + shape, ratio * np.exp(-shape)
    return value, slope


@dataclass(frozen=True, eq=False)
class Improvement:
    """log E max(best - f, 0), in warped units.

    References
    ----------
    .. [1] D. R. Jones, M. Schonlau, W. J. Welch, "Efficient Global Optimization of Expensive Black-Box Functions",
       Journal of Global Optimization 13, 1998, eq. 15.
    """

    surface: Surface
    best: float

    def values(self, z: FloatArray) -> FloatArray:
        mean, std = self.surface.predict(z)
        return np.log(std) + log_improvement((self.best - mean) / std)[0]

    def slopes(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        m = self.surface.moments(z)
        score = (self.best - m.mean) / m.std
        value, slope = log_improvement(score)
        by_score = -(m.mean_slopes + score[:, None] * m.std_slopes) / m.std[:, None]
        return np.log(m.std) + value, m.std_slopes / m.std[:, None] + slope[:, None] * by_score


@dataclass(frozen=True, eq=False)
class Lower:
    """log P(output <= limit), in warped units."""

    surface: Surface
    limit: float

    def values(self, z: FloatArray) -> FloatArray:
        mean, std = self.surface.predict(z)
        return np.asarray(log_ndtr((self.limit - mean) / std))

    def slopes(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        m = self.surface.moments(z)
        score = (self.limit - m.mean) / m.std
        value = np.asarray(log_ndtr(score))
        slope = np.exp(-0.5 * score**2 - LOG_ROOT_2PI - value)
        return value, -slope[:, None] * (m.mean_slopes + score[:, None] * m.std_slopes) / m.std[:, None]


@dataclass(frozen=True, eq=False)
class Inside:
    """log P(low <= output <= high), in warped units: an equality with its tolerance."""

    surface: Surface
    low: float
    high: float

    def values(self, z: FloatArray) -> FloatArray:
        mean, std = self.surface.predict(z)
        return self._log_share(mean, std)

    def slopes(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        m = self.surface.moments(z)
        value = self._log_share(m.mean, m.std)
        a, b = (self.low - m.mean) / m.std, (self.high - m.mean) / m.std
        # Densities at both ends over the share between.
        at_a, at_b = np.exp(-0.5 * a**2 - LOG_ROOT_2PI - value), np.exp(-0.5 * b**2 - LOG_ROOT_2PI - value)
        by_mean = -(at_b - at_a) / m.std
        by_std = -(b * at_b - a * at_a) / m.std
        return value, by_mean[:, None] * m.mean_slopes + by_std[:, None] * m.std_slopes

    def _log_share(self, mean: FloatArray, std: FloatArray) -> FloatArray:
        a, b = (self.low - mean) / std, (self.high - mean) / std
        # On the side where both ends are in the lower tail, for the difference to have digits.
        flip = a + b > 0
        a, b = np.where(flip, -b, a), np.where(flip, -a, b)
        upper, lower = log_ndtr(b), log_ndtr(a)
        narrow = b - a < 1e-5
        middle = 0.5 * (a + b)
        return np.where(
            narrow,
            -0.5 * middle**2 - LOG_ROOT_2PI + np.log(b - a),
            upper + np.log(-np.expm1(np.where(narrow, -1.0, lower - upper))),
        )


@dataclass(frozen=True, eq=False)
class Cautious:
    """The logarithm of a probability so many times, falling steeply where it is less than so much.

    Where all that can be gained is tiny, its logarithm is so low that a small probability would be no hindrance.
    """

    term: Term
    weight: float
    least: float

    def values(self, z: FloatArray) -> FloatArray:
        value = self.term.values(z)
        return np.asarray(self.weight * value + STEEPNESS * np.minimum(value - np.log(self.least), 0.0))

    def slopes(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        value, slope = self.term.slopes(z)
        below = value - np.log(self.least)
        factor = np.where(below < 0, self.weight + STEEPNESS, self.weight)
        return self.weight * value + STEEPNESS * np.minimum(below, 0.0), factor[:, None] * slope


@dataclass(frozen=True, eq=False)
class Optimistic:
    """Minus the predicted mean, plus so many standard deviations, in warped units."""

    surface: Surface
    width: float = 0.0

    def values(self, z: FloatArray) -> FloatArray:
        mean, std = self.surface.predict(z)
        return self.width * std - mean

    def slopes(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        m = self.surface.moments(z)
        return self.width * m.std - m.mean, self.width * m.std_slopes - m.mean_slopes
