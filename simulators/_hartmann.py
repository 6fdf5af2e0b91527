"""Hartmann's functions in three, four and six dimensions, of which several sets of test functions are made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["hartmann_sum"]

FloatArray = NDArray[np.float64]

_WEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
_STEEPNESS = {
    3: np.array([[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]]),
    6: np.array(
        [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
    ),
}
_CENTRES = {
    3: 1e-4 * np.array([[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]]),
    6: 1e-4
    * np.array(
        [
            [1312, 1696, 5569, 124, 8283, 5886],
            [2329, 4135, 8307, 3736, 1004, 9991],
            [2348, 1451, 3522, 2883, 3047, 6650],
            [4047, 8828, 8732, 5743, 1091, 381],
        ]
    ),
}


def hartmann_sum(u: FloatArray) -> FloatArray:
    """Sum of four bumps; minus it is the function that is minimised, with minima -3.86278 (d = 3), -3.32237 (d = 6).

    Parameters
    ----------
    u : array of shape (n, d)
        In the unit cube; d is 3, 6, or 4 for the six-dimensional function without its last two inputs.

    Returns
    -------
    array of shape (n,)

    References
    ----------
    .. [1] L. C. W. Dixon, G. P. Szego, "Towards Global Optimization 2", North-Holland, 1978.

    Examples
    --------
    >>> hartmann_sum(np.array([[0.114614, 0.555649, 0.852547]])).round(5)
    array([3.86278])
    """
    d = u.shape[1]
    of = 3 if d == 3 else 6
    exponents = (_STEEPNESS[of][:, :d] * (u[:, None, :] - _CENTRES[of][:, :d]) ** 2).sum(axis=2)
    return np.asarray(np.exp(-exponents) @ _WEIGHTS)
