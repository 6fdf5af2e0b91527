"""Correlation functions and what their derivatives need."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["matern52", "matern52_with_slope", "squared_distances"]

FloatArray = NDArray[np.float64]
SQRT5 = np.sqrt(5.0)


def squared_distances(a: FloatArray, b: FloatArray, length_scales: FloatArray) -> FloatArray:
    """Squared distances, each input divided by its length scale.

    Parameters
    ----------
    a : array of shape (n, d)
    b : array of shape (m, d)
    length_scales : array of shape (d,)

    Returns
    -------
    array of shape (n, m)
    """
    # The product form below loses digits far from the origin: put that in the middle of the data.
    centre = b.mean(axis=0)
    p, q = (a - centre) / length_scales, (b - centre) / length_scales
    squared = (p**2).sum(axis=1)[:, None] + (q**2).sum(axis=1)[None, :] - 2.0 * (p @ q.T)
    return np.asarray(np.maximum(squared, 0.0))


def matern52(squared: FloatArray) -> FloatArray:
    """Matern correlation of smoothness 5/2 at squared scaled distances (Rasmussen and Williams 2006, eq. 4.17)."""
    r = SQRT5 * np.sqrt(squared)
    return np.asarray((1.0 + r + r**2 / 3.0) * np.exp(-r))


def matern52_with_slope(squared: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The correlation, and minus twice its derivative by the squared distance.

    The second is the factor ``g`` in ``d k / d log(l_k) = g * (x_k - x'_k)**2 / l_k**2``.
    """
    r = SQRT5 * np.sqrt(squared)
    decay = np.exp(-r)
    return (1.0 + r + r**2 / 3.0) * decay, (5.0 / 3.0) * (1.0 + r) * decay
