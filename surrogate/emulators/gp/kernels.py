"""Correlation functions: products of one-dimensional ones, in blocks that fit the cache, with all their derivatives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["FAMILIES", "Kernel"]

FloatArray = NDArray[np.float64]

# Numbers a block of temporaries holds: a quarter of a megabyte, so that a few of them stay in a second-level cache.
BLOCK = 2**15


@dataclass(frozen=True)
class Family:
    """A one-dimensional correlation k(r) of the distance in length scales.

    Attributes
    ----------
    rate : float
        The functions below take a = rate * r.
    correlation : callable
        k(a).
    decay : callable
        -d log k / d log a.
    """

    rate: float
    correlation: Callable[[FloatArray], FloatArray]
    decay: Callable[[FloatArray], FloatArray]


def _matern32(a: FloatArray) -> FloatArray:
    out = np.exp(-a)
    out *= a + 1.0
    return out


def _matern52(a: FloatArray) -> FloatArray:
    p = a * (1.0 / 3.0)
    p += 1.0
    p *= a
    p += 1.0
    p *= np.exp(-a)
    return p


def _squared_exponential(a: FloatArray) -> FloatArray:
    p = a * a
    p *= -0.5
    return np.asarray(np.exp(p, out=p))


def _matern52_decay(a: FloatArray) -> FloatArray:
    p = a + 3.0
    p *= a
    p += 3.0
    out = a + 1.0
    out *= a
    out *= a
    out /= p
    return out


# Rasmussen and Williams (2006), eqs. 4.9, 4.17 and 4.19.
FAMILIES = {
    "matern32": Family(np.sqrt(3.0), _matern32, lambda a: a * a / (1.0 + a)),
    "matern52": Family(np.sqrt(5.0), _matern52, _matern52_decay),
    "squared_exponential": Family(1.0, _squared_exponential, lambda a: a * a),
    # With shape 2: a mixture of squared exponentials of many length scales.
    "rational_quadratic": Family(1.0, lambda a: (1.0 + 0.25 * a * a) ** -2, lambda a: a * a / (1.0 + 0.25 * a * a)),
}


@dataclass(frozen=True)
class Kernel:
    """Product over the inputs of ``f = c + (1 - c) k(|x - x'| / l)``, with a length scale and a floor c an input.

    At c = 0 it is the plain tensor product. As c grows, interactions of many inputs lose weight against effects of
    single inputs and of pairs: multiplied out, the product is a sum over all subsets of inputs with weights
    ``prod (1 - c) prod c``, the ANOVA kernel. Few outputs of simulators depend on many inputs at once, so
    the likelihood is given the choice.

    Hyper-parameters `theta`: log length scales, shape (d,), then the floors' logits, shape (d,), if `anova`.

    Parameters
    ----------
    family : str
        A key of ``FAMILIES``.
    anova : bool
        Whether there are floors.

    References
    ----------
    .. [1] N. Durrande, D. Ginsbourger, O. Roustant, "Additive covariance kernels for high-dimensional Gaussian process
       modeling", Annales de la Faculte des Sciences de Toulouse 21(3), 2012.
    .. [2] D. Duvenaud, H. Nickisch, C. E. Rasmussen, "Additive Gaussian processes", NeurIPS 2011.
    """

    family: str
    anova: bool = True

    def size(self, d: int) -> int:
        """Number of hyper-parameters for `d` inputs."""
        return 2 * d if self.anova else d

    def lower(self, theta: FloatArray, z: FloatArray) -> FloatArray:
        """Lower triangle, C-ordered, of the correlation matrix of points `z` of shape (n, d); zeros above it."""
        n, d = z.shape
        out = np.zeros((n, n))
        scaled, floor = self._prepare(theta, z)
        for rows in _row_blocks(n, n, d, triangle=True):
            stop = rows.stop
            product = self._product(scaled, scaled, floor, rows, stop)
            out[rows, :stop] = product
        # The blocks' corners stick out above the diagonal.
        for rows in _row_blocks(n, n, d, triangle=True):
            corner = out[rows, rows]
            corner[np.triu_indices(len(corner), 1)] = 0.0
        return out

    def cross(self, theta: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
        """Correlations of points `a`, shape (m, d), with points `b`, shape (n, d); array of shape (m, n)."""
        m, n, d = len(a), len(b), b.shape[1]
        out = np.empty((m, n))
        (p, floor), (q, _) = self._prepare(theta, a), self._prepare(theta, b)
        for rows in _row_blocks(m, n, d):
            out[rows] = self._product(p, q, floor, rows, n)
        return out

    def slopes(self, theta: FloatArray, a: FloatArray, b: FloatArray, weighted: FloatArray, *, rowwise: bool) -> Any:
        """Sums of correlations' derivatives by the hyper-parameters.

        Parameters
        ----------
        weighted : array of shape (m, n)
            Correlations of `a` with `b`, each times its weight.
        rowwise : bool
            Sum over `b` only, instead of over all pairs.

        Returns
        -------
        array of shape (size,) or, row by row, (m, size)
        """
        m, n, d = len(a), len(b), b.shape[1]
        (p, floor), (q, _) = self._prepare(theta, a), self._prepare(theta, b)
        triangle = a is b and not rowwise  # then `weighted` is a lower triangle
        out = np.zeros((m, self.size(d)) if rowwise else self.size(d))
        for rows in _row_blocks(m, n, d, triangle=triangle):
            stop = rows.stop if triangle else n
            w = weighted[rows, :stop]
            distance, k, f = self._factors(p, q, floor, rows, stop)
            decay = FAMILIES[self.family].decay(distance)
            if self.anova:
                decay *= k
                decay /= f
                k -= 1.0
                k /= f
            for part, values, factor in (
                (slice(0, d), decay, 1.0 - floor),
                (slice(d, None), k, -floor * (1.0 - floor)),
            ):
                if part.start and not self.anova:
                    break
                if rowwise:
                    out[rows, part] = np.einsum("bn,kbn->bk", w, values) * factor
                else:
                    out[part] += (values.reshape(d, -1) @ np.ascontiguousarray(w).ravel()) * factor
        return out

    def input_slopes(self, theta: FloatArray, a: FloatArray, b: FloatArray, weighted: FloatArray) -> FloatArray:
        """Derivatives by the inputs of `a` of the correlations' weighted sums over `b`; array of shape (m, d).

        Parameters
        ----------
        weighted : array of shape (m, n)
            Correlations, each times its weight.
        """
        m, n, d = len(a), len(b), b.shape[1]
        (p, floor), (q, _) = self._prepare(theta, a), self._prepare(theta, b)
        out = np.empty((m, d))
        for rows in _row_blocks(m, n, d):
            distance, k, f = self._factors(p, q, floor, rows, n)
            slope = FAMILIES[self.family].decay(distance)
            if self.anova:
                slope *= (1.0 - floor)[:, None, None] * k / f
            # Over the signed distance; all families are flat at zero.
            signed = p[:, rows, None] - q[:, None, :]
            slope = np.divide(slope, signed, out=np.zeros_like(slope), where=signed != 0)
            out[rows] = -np.einsum("bn,kbn->bk", weighted[rows], slope)
        return out * (FAMILIES[self.family].rate / np.exp(theta[:d]))

    def _prepare(self, theta: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Points scaled, transposed to (d, n), and the floors (d,)."""
        d = z.shape[1]
        scaled = np.ascontiguousarray((z * (FAMILIES[self.family].rate / np.exp(theta[:d]))).T)
        floor = 1.0 / (1.0 + np.exp(-theta[d:])) if self.anova else np.zeros(d)
        return scaled, floor

    def _factors(
        self, p: FloatArray, q: FloatArray, floor: FloatArray, rows: slice, stop: int
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Scaled distances, correlations k and factors f of each input, all of shape (d, rows, stop)."""
        distance = p[:, rows, None] - q[:, None, :stop]
        np.abs(distance, out=distance)
        k = FAMILIES[self.family].correlation(distance)
        if not self.anova:
            return distance, k, k
        f = k * (1.0 - floor)[:, None, None]
        f += floor[:, None, None]
        return distance, k, f

    def _product(self, p: FloatArray, q: FloatArray, floor: FloatArray, rows: slice, stop: int) -> FloatArray:
        return np.asarray(np.multiply.reduce(self._factors(p, q, floor, rows, stop)[2], axis=0))


def _row_blocks(m: int, n: int, d: int, *, triangle: bool = False) -> Iterator[slice]:
    """Rows to take at a time, so that `d` numbers a pair fit a block; of a triangle shorter rows are taken together."""
    start = 0
    while start < m:
        if triangle:
            # rows * (start + rows) * d = BLOCK, solved for rows
            rows = (np.sqrt(start**2 + 4.0 * BLOCK / d) - start) / 2.0
        else:
            rows = BLOCK / (n * d)
        stop = min(m, start + max(1, int(rows)))
        yield slice(start, stop)
        start = stop
