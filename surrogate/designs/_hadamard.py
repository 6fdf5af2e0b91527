"""Hadamard matrices: square, of 1 and -1, with orthogonal columns.

References
----------
.. [1] R. E. A. C. Paley, "On orthogonal matrices", Journal of Mathematics and Physics 12, 1933.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["hadamard"]

FloatArray = NDArray[np.float64]


def hadamard(n: int) -> FloatArray | None:
    """One of `n` rows whose first column is 1 throughout; None if no construction known here has this size.

    Tried are both of Paley's constructions [1]_, with fields of a prime or the square of a prime, and doubling.
    """
    if n == 1:
        return np.ones((1, 1))
    if n % 4 == 0 and (q := _squares(n - 1)) is not None:
        found = np.eye(n) + _bordered(q, -1)
    elif n % 4 == 0 and n // 2 % 4 == 2 and (q := _squares(n // 2 - 1)) is not None:
        pairs, alone = np.array([[1.0, 1.0], [1.0, -1.0]]), np.array([[1.0, -1.0], [-1.0, -1.0]])
        found = np.kron(_bordered(q, 1), pairs) + np.kron(np.eye(n // 2), alone)
    elif n % 2 == 0 and (half := hadamard(n // 2)) is not None:
        found = np.block([[half, half], [half, -half]])
    else:
        return None
    return found * found[:, :1]


def _bordered(q: FloatArray, left: int) -> FloatArray:
    """`q` with a row of 1 above it, a column of `left` on its left and 0 in the corner."""
    n = len(q)
    return np.block([[np.zeros((1, 1)), np.ones((1, n))], [np.full((n, 1), left), q]])


def _squares(q: int) -> FloatArray | None:
    """For all pairs of a field's `q` elements whether their difference is a square: 1, -1, or 0 on the diagonal.

    None unless `q` is an odd prime or the square of one.
    """
    root = math.isqrt(q)
    p = root if root * root == q else q
    if p < 3 or any(p % k == 0 for k in range(2, math.isqrt(p) + 1)):
        return None
    is_square = np.full(p, -1.0)
    is_square[np.arange(p) ** 2 % p] = 1.0
    is_square[0] = 0.0
    if p == q:
        return np.asarray(is_square[np.subtract.outer(np.arange(q), np.arange(q)) % p])
    # The field of p^2 elements are the a + b sqrt(r) with an r that is no square modulo p. One is a square in it where
    # its norm, a^2 - r b^2, is one modulo p.
    r = int(np.flatnonzero(is_square < 0)[0])
    a, b = (np.subtract.outer(part, part) for part in np.divmod(np.arange(q), p))
    return np.asarray(is_square[(a * a - r * b * b) % p])
