"""Correlation functions: products of one-dimensional ones, in blocks that fit the cache, with all their derivatives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FAMILIES", "Kernel", "Pairs"]

FloatArray = NDArray[np.float64]

# Numbers a block of temporaries holds: half a megabyte, small for a cache and large beside what a call costs.
BLOCK = 2**16

# Numbers of distances (128 MB) and of factors (a third-level cache) that are kept for the next evaluation.
KEPT_DISTANCES = 2**24
KEPT_FACTORS = 2**18


@dataclass(frozen=True)
class Family:
    """A one-dimensional correlation k = P(a) g(a) of a scaled distance, with -dk / d log a = a^2 S(a) g(a).

    With g apart, k and its slope cost one exponential function and a few products.

    Attributes
    ----------
    rate : float
        What distances in length scales are multiplied by to give a.
    decay : callable
        Writes g(a) into its second argument.
    correlation, slope : tuple of float
        Coefficients of the polynomials P and S, highest power first.
    radial : bool
        Of the Euclidean distance over all inputs, instead of one factor an input.
    """

    rate: float
    decay: Callable[[FloatArray, FloatArray], object]
    correlation: tuple[float, ...] = (1.0,)
    slope: tuple[float, ...] = (1.0,)
    radial: bool = False

    def log_slope(self, a: FloatArray, out: FloatArray, scratch: FloatArray) -> None:
        """Write -d log k / d log a, over a^2, into `out`; also where k is too small to be told from zero."""
        _polynomial(a, self.slope, out)
        _polynomial(a, self.correlation, scratch)
        out /= scratch


def _polynomial(a: FloatArray, coefficients: tuple[float, ...], out: FloatArray) -> None:
    """Horner's scheme."""
    if len(coefficients) == 1:
        out.fill(coefficients[0])
        return
    np.multiply(a, coefficients[0], out=out)
    for c in coefficients[1:-1]:
        out += c
        out *= a
    out += coefficients[-1]


# They write into an array that is given. Fresh arrays of this size cost more than the arithmetic, since the system maps
# and clears their pages each time.
def _exponential(a: FloatArray, out: FloatArray) -> None:
    np.negative(a, out=out)
    np.exp(out, out=out)


def _squared_exponential(a: FloatArray, out: FloatArray) -> None:
    np.multiply(a, a, out=out)
    out *= -0.5
    np.exp(out, out=out)


def _rational(a: FloatArray, out: FloatArray) -> None:
    _polynomial(a, (0.25, 0.0, 1.0), out)
    np.power(out, -3, out=out)


# Rasmussen and Williams (2006), eqs. 4.9, 4.16, 4.17 and 4.19.
FAMILIES = {
    "matern32": Family(np.sqrt(3.0), _exponential, (1.0, 1.0)),
    "matern52": Family(np.sqrt(5.0), _exponential, (1 / 3, 1.0, 1.0), (1 / 3, 1 / 3)),
    "matern72": Family(np.sqrt(7.0), _exponential, (1 / 15, 0.4, 1.0, 1.0), (1 / 15, 0.2, 0.2)),
    "squared_exponential": Family(1.0, _squared_exponential),
    # With shape 2: a mixture of squared exponentials of many length scales.
    "rational_quadratic": Family(1.0, _rational, (0.25, 0.0, 1.0)),
    # For what varies along no single input, but along a sum of them.
    "radial_matern52": Family(np.sqrt(5.0), _exponential, (1 / 3, 1.0, 1.0), (1 / 3, 1 / 3), radial=True),
}


@dataclass(frozen=True)
class Kernel:
    """Product over the inputs of ``f = c + (1 - c) k(|x - x'| / l)``, with a length scale and a floor c an input.

    At c = 0 it is the plain tensor product. As c grows, interactions of many inputs lose weight against effects of
    single inputs and of pairs: multiplied out, the product is a sum over all subsets of inputs with weights
    ``prod (1 - c) prod c``, the ANOVA kernel. Few outputs of simulators depend on many inputs at once, so
    the likelihood is given the choice.

    A radial family is k of the scaled Euclidean distance instead, without floors.

    Hyper-parameters `theta`: log length scales, shape (d,), then the floors' logits, shape (d,), if there are floors.

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

    @property
    def radial(self) -> bool:
        """Whether it is one correlation of the Euclidean distance."""
        return FAMILIES[self.family].radial

    @property
    def has_floors(self) -> bool:
        """Whether there are floors."""
        return self.anova and not self.radial

    def size(self, d: int) -> int:
        """Number of hyper-parameters for `d` inputs."""
        return 2 * d if self.has_floors else d

    def floors(self, theta: FloatArray, d: int) -> FloatArray:
        """The floors c, (d,); zeros if there are none."""
        return np.asarray(1.0 / (1.0 + np.exp(-theta[d : 2 * d]))) if self.has_floors else np.zeros(d)

    def cross(self, theta: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
        """Correlations of points `a`, shape (m, d), with points `b`, shape (n, d); array of shape (m, n)."""
        out = np.empty((len(a), len(b)))
        for rows, factors in self._blocks(theta, a, b):
            factors.correlations(out[rows].reshape(-1))
        return out

    def slopes(
        self, theta: FloatArray, a: FloatArray, b: FloatArray, weights: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Correlations, and derivatives of their weighted sums over `b` by the hyper-parameters.

        Parameters
        ----------
        weights : array of shape (n,)

        Returns
        -------
        correlations : array of shape (m, n)
        slopes : array of shape (m, size)
        """
        cross, out = np.empty((len(a), len(b))), np.empty((len(a), len(theta)))
        for rows, factors in self._blocks(theta, a, b):
            factors.correlations(cross[rows].reshape(-1))
            weighted = cross[rows] * weights
            for part, values in factors.log_slopes():
                out[rows, part] = _row_sums(values, weighted)
        return cross, out

    def input_slopes(self, theta: FloatArray, a: FloatArray, b: FloatArray, weighted: FloatArray) -> FloatArray:
        """Derivatives by the inputs of `a` of the correlations' weighted sums over `b`; array of shape (m, d).

        Parameters
        ----------
        weighted : array of shape (m, n)
            Correlations, each times its weight.
        """
        rate = self.rates(theta, b.shape[1])
        out = np.empty(a.shape)
        for rows, factors in self._blocks(theta, a, b):
            _, values = next(factors.log_slopes())
            # By the signed distance instead of its logarithm; all families are flat at zero.
            signed = ((a[rows, None, :] - b[None, :, :]) * rate).transpose(2, 0, 1).reshape(values.shape)
            values = np.divide(values, signed, out=np.zeros_like(values), where=signed != 0)
            out[rows] = -_row_sums(values, weighted[rows])
        return out * rate

    def cross_and_log_slopes(self, theta: FloatArray, a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Correlations, (m, n), and the derivatives of their logarithms by the inputs of `a`, (d, m, n).

        For a few points `a`, whose every weighted sum over `b` can then be differentiated at no further cost.
        """
        d, n = b.shape[1], len(b)
        cross, slopes = np.empty((len(a), n)), np.empty((d, len(a), n))
        for rows, factors in self._blocks(theta, a, b):
            factors.correlations(cross[rows].reshape(-1))
            _, by_scale = next(factors.log_slopes())
            # By the signed distance instead of its logarithm; all families are flat at zero.
            distance = a[rows].T[:, :, None] - b.T[:, None, :]
            distance[distance == 0] = np.inf
            np.divide(by_scale.reshape(distance.shape), -distance, out=slopes[:, rows])
        return cross, slopes

    def rates(self, theta: FloatArray, d: int) -> FloatArray:
        """What distances are multiplied by, (d,)."""
        return np.asarray(FAMILIES[self.family].rate * np.exp(-theta[:d]))

    def _blocks(self, theta: FloatArray, a: FloatArray, b: FloatArray) -> Iterator[tuple[slice, Factors]]:
        """Some rows of `a` at a time, with their factors for all of `b`."""
        (m, d), n = a.shape, len(b)
        rate = self.rates(theta, d)
        p, q = np.ascontiguousarray((a * rate).T), np.ascontiguousarray((b * rate).T)
        step = max(1, BLOCK // (n * d))
        buffers = np.empty((Factors.BUFFERS, d * n * min(step, m)))
        for start in range(0, m, step):
            rows = slice(start, min(m, start + step))
            factors = Factors(buffers, d, n * (rows.stop - start))
            distance = factors.a.reshape(d, -1, n)
            np.subtract(p[:, rows, None], q[:, None, :], out=distance)
            np.abs(distance, out=distance)
            factors.fill(self, theta)
            yield rows, factors


class Factors:
    """Factors of some pairs and their derivatives, each input by each pair.

    Attributes
    ----------
    a : array of shape (d, pairs)
        Scaled distances.
    """

    BUFFERS = 5

    def __init__(self, buffers: FloatArray, d: int, pairs: int) -> None:
        views = buffers[:, : d * pairs].reshape(self.BUFFERS, d, pairs)
        self.a, self._decay, self._f, self._values, self._scratch = views

    def fill(self, kernel: Kernel, theta: FloatArray) -> None:
        """Make everything else from the distances."""
        self._family = family = FAMILIES[kernel.family]
        self._floor = kernel.floors(theta, len(self.a))[:, None] if kernel.has_floors else None
        if family.radial:
            np.multiply(self.a, self.a, out=self._values)
            self._distance = np.sqrt(self._values.sum(axis=0))
            a, decay, f = self._distance, self._decay[0], self._f[0]
        else:
            a, decay, f = self.a, self._decay, self._f
        family.decay(a, decay)
        if self._floor is not None:
            decay *= 1.0 - self._floor
        _polynomial(a, family.correlation, f)
        f *= decay
        if self._floor is not None:
            f += self._floor

    def correlations(self, out: FloatArray) -> None:
        """Put the correlations of the pairs into an array of shape (pairs,)."""
        if self._family.radial:
            out[:] = self._f[0]
        else:
            np.multiply.reduce(self._f, axis=0, out=out)

    def log_slopes(self) -> Iterator[tuple[slice, FloatArray]]:
        """Derivatives of the logarithms by the log length scales, then by the floors' logits, with places in `theta`.

        Each is overwritten by the next.
        """
        a, out, family, floor = self.a, self._values, self._family, self._floor
        here = slice(0, len(a))
        if floor is None:
            if family.radial:
                # Of the squared distance each input has its share.
                slope = self._scratch[0]
                family.log_slope(self._distance, slope, out[0])
            else:
                slope = self._scratch
                family.log_slope(a, slope, out)
            np.multiply(a, a, out=out)
            out *= slope
            yield here, out
            return
        inverse = np.reciprocal(self._f, out=self._scratch)
        _polynomial(a, family.slope, out)
        out *= a
        out *= a
        out *= self._decay
        out *= inverse
        yield here, out
        # By c of (c + (1 - c) k), where (1 - c)(1 - k) is 1 - f, times c (1 - c).
        np.subtract(inverse, 1.0, out=out)
        out *= floor
        yield slice(len(a), 2 * len(a)), out


def _row_sums(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Sums over n of (d, m * n) values times (m, n) weights; array of shape (m, d)."""
    m, n = weights.shape
    # One matrix of (d, n) times a vector of weights for each row.
    return np.asarray((values.reshape(-1, m, n).transpose(1, 0, 2) @ weights[:, :, None])[:, :, 0])


class Pairs:
    """All pairs of training points, for a correlation matrix and its derivatives at many hyper-parameters.

    Each pair is looked at once, in chunks that fit the cache.

    Parameters
    ----------
    z : array of shape (n, d)
    """

    def __init__(self, z: FloatArray) -> None:
        self._columns = np.ascontiguousarray(z.T)
        self._n, d = z.shape
        first, second = np.tril_indices(self._n, -1)
        count = len(first)
        step = max(1, BLOCK // d)
        self._parts = [slice(i, min(count, i + step)) for i in range(0, count, step)]
        self._ends = first, second
        self._places = first * self._n + second
        self._distances: list[FloatArray] = []
        if count * d <= KEPT_DISTANCES:
            self._distances = [self._distance(part) for part in self._parts]
        # Factors are kept from the matrix to its derivatives where they fit a cache, else all chunks share one place.
        self._keeps = count * d <= KEPT_FACTORS
        own = len(self._parts) if self._keeps else 1
        self._buffers = [np.empty((Factors.BUFFERS, d * min(step, count))) for _ in range(own)]
        self._kept: list[Factors] = []

    def _distance(self, part: slice) -> FloatArray:
        out = self._columns[:, self._ends[0][part]]
        out -= self._columns[:, self._ends[1][part]]
        return np.abs(out, out=out)

    def _filled(self, kernel: Kernel, theta: FloatArray, c: int) -> Factors:
        part = self._parts[c]
        d = len(self._columns)
        factors = Factors(self._buffers[c if self._keeps else 0], d, part.stop - part.start)
        distance = self._distances[c] if self._distances else self._distance(part)
        np.multiply(distance, kernel.rates(theta, d)[:, None], out=factors.a)
        factors.fill(kernel, theta)
        return factors

    def lower(self, kernel: Kernel, theta: FloatArray) -> FloatArray:
        """Lower triangle, C-ordered, of the correlation matrix, array of shape (n, n); zeros above it."""
        out = np.zeros((self._n, self._n))
        flat = out.ravel()
        flat[:: self._n + 1] = 1.0
        self._kept = []
        for c, part in enumerate(self._parts):
            factors = self._filled(kernel, theta, c)
            found = np.empty(part.stop - part.start)
            factors.correlations(found)
            flat[self._places[part]] = found
            if self._keeps:
                self._kept.append(factors)
        return out

    def slopes(self, kernel: Kernel, theta: FloatArray, weighted: FloatArray) -> FloatArray:
        """Derivatives by the hyper-parameters of the correlations' weighted sum over all pairs, both ways.

        Parameters
        ----------
        theta : array of shape (size,)
            That of the last call of :meth:`lower`.
        weighted : array of shape (n, n), C-ordered
            Lower triangle of the correlations, each times its weight.

        Returns
        -------
        array of shape (size,)
        """
        out = np.zeros(len(theta))
        flat = weighted.ravel()
        for c, part in enumerate(self._parts):
            factors = self._kept[c] if self._kept else self._filled(kernel, theta, c)
            weights = flat[self._places[part]]
            for place, values in factors.log_slopes():
                out[place] += values @ weights
        return 2.0 * out

    def derivatives(self, kernel: Kernel, theta: FloatArray, correlation: FloatArray) -> FloatArray:
        """The correlation matrix's derivatives by the hyper-parameters, array of shape (size, n, n).

        Parameters
        ----------
        theta : array of shape (size,)
            That of the last call of :meth:`lower`, which gave `correlation`.
        """
        out = np.zeros((len(theta), self._n, self._n))
        flat, places = out.reshape(len(theta), -1), correlation.ravel()
        mirrored = self._ends[1] * self._n + self._ends[0]
        for c, part in enumerate(self._parts):
            factors = self._kept[c] if self._kept else self._filled(kernel, theta, c)
            for place, values in factors.log_slopes():
                values *= places[self._places[part]]
                flat[place, self._places[part]] = values
                flat[place, mirrored[part]] = values
        return out
