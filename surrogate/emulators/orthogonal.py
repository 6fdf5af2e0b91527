"""Functions of one input that are orthonormal under its distribution, and sets of their products."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import scipy.special
from numpy.typing import NDArray

from surrogate.space import Categorical, Integer, Ordinal, Parameter, Real, Space

__all__ = ["Contrasts", "Functions", "Polynomials", "functions_of", "hyperbolic_indices", "products"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Highest degree of one input. Beyond it monomials of neighbouring degrees look alike on few runs.
MAX_DEGREE = 20

# A distribution whose far tail reaches more than this many times as far as its near one (probabilities 1e-12 and 1e-3)
# has moments that a polynomial's coefficients drown in: a normal distribution has 2.3, an exponential 4.3, a
# lognormal of unit shape 50.
HEAVY_TAIL = 6.0

# Up to this many whole numbers get polynomials orthonormal on these; of more a continuous range is a fair image.
MAX_LEVELS = 200

# Quadrature of a distribution: panels between quantiles down to 1e-16 on both sides, and nodes in each.
PANEL_NODES = 40


# Data are taken to fill an interval if they end within this many of their mean spacings of its ends.
EVEN_GAPS = 2.0


class Functions(Protocol):
    """Orthonormal functions of one input, the first of which is the constant 1."""

    @property
    def degrees(self) -> IntArray:
        """Polynomial degree of each function; of a category's contrasts 1."""

    def values(self, x: Any, size: int) -> FloatArray:
        """The first `size` functions at inputs `x` of shape (n,); array of shape (n, size)."""


@dataclass(frozen=True, eq=False)
class Polynomials:
    """Polynomials by their three-term recurrence ``b[k+1] p[k+1] = (t - a[k]) p[k] - b[k] p[k-1]``.

    Attributes
    ----------
    kind : {"affine", "unit", "score", "code"}
        How an input becomes t: ``(x - low) / width`` of itself ("affine"), of its position in the unit interval, or of
        its place in a list; or the normal score of its position.
    low, width : float
    parameter : Parameter or None
    a, b : array of shape (m + 1,)
        For degrees up to m; ``b[0]`` is not used.

    References
    ----------
    .. [1] W. Gautschi, "Orthogonal Polynomials: Computation and Approximation", Oxford University Press 2004, sec. 1.3
       (recurrence of the orthonormal polynomials) and 2.2 (Stieltjes procedure).
    """

    kind: str
    low: float
    width: float
    parameter: Parameter | None
    a: FloatArray
    b: FloatArray

    @cached_property
    def degrees(self) -> IntArray:
        return np.arange(len(self.a))

    def standard(self, x: Any) -> FloatArray:
        """The variable t of inputs."""
        if self.kind == "affine":
            return np.asarray((np.asarray(x, dtype=float) - self.low) / self.width)
        if self.kind == "code":
            codes = self.parameter.codes(x).astype(float)  # type: ignore[union-attr]
            return np.asarray((codes - self.low) / self.width)
        u = np.asarray(self.parameter.to_unit(x))  # type: ignore[union-attr]
        if self.kind == "unit":
            return np.asarray((u - self.low) / self.width)
        return np.asarray(scipy.special.ndtri(np.clip(u, 1e-300, 1 - 2.0**-53)))

    def values(self, x: Any, size: int) -> FloatArray:
        t = self.standard(x)
        out = np.ones((len(t), size))
        for k in range(size - 1):
            step = (t - self.a[k]) * out[:, k]
            if k:
                step -= self.b[k] * out[:, k - 1]
            out[:, k + 1] = step / self.b[k + 1]
        return out


@dataclass(frozen=True, eq=False)
class Contrasts:
    """Functions of a category, orthonormal if its values are equally likely: the constant and Helmert's contrasts.

    Attributes
    ----------
    parameter : Categorical
    table : array of shape (k, k)
        Functions in columns, by code.
    """

    parameter: Categorical
    table: FloatArray

    @classmethod
    def of(cls, parameter: Categorical) -> Contrasts:
        k = len(parameter.values)
        table = np.zeros((k, k))
        table[:, 0] = 1.0
        for j in range(1, k):
            # Value j against the mean of those before it.
            table[:j, j] = -1.0
            table[j, j] = j
        return cls(parameter, table * np.sqrt(k / (table**2).sum(axis=0)))

    @cached_property
    def degrees(self) -> IntArray:
        return np.minimum(np.arange(len(self.table)), 1)

    def values(self, x: Any, size: int) -> FloatArray:
        return self.table[self.parameter.codes(x)][:, :size]


def legendre(kind: str, low: float = 0.0, width: float = 1.0, parameter: Parameter | None = None) -> Polynomials:
    """Polynomials orthonormal under the uniform distribution on t in [-1, 1]."""
    k = np.arange(MAX_DEGREE + 1, dtype=float)
    return Polynomials(kind, low, width, parameter, np.zeros(len(k)), k / np.sqrt(np.maximum(4 * k**2 - 1, 1)))


def hermite(kind: str, low: float = 0.0, width: float = 1.0, parameter: Parameter | None = None) -> Polynomials:
    """Polynomials orthonormal under the standard normal distribution of t."""
    k = np.arange(MAX_DEGREE + 1, dtype=float)
    return Polynomials(kind, low, width, parameter, np.zeros(len(k)), np.sqrt(k))


def numeric(
    kind: str, nodes: FloatArray, weights: FloatArray, parameter: Parameter, max_degree: int = MAX_DEGREE
) -> Polynomials:
    """Polynomials orthonormal under a discrete measure, by the Stieltjes procedure.

    Parameters
    ----------
    nodes, weights : array of shape (k,)
        In the input's units (or codes); weights sum to 1.
    """
    low = float(weights @ nodes)
    width = float(np.sqrt(weights @ (nodes - low) ** 2))
    t = (nodes - low) / width
    m = min(max_degree, len(nodes) - 1)
    a, b = np.zeros(m + 1), np.zeros(m + 1)
    found = np.ones((m + 1, len(t)))
    for k in range(m + 1):
        a[k] = weights @ (t * found[k] ** 2)
        if k == m:
            break
        step = t * found[k]
        # All earlier ones, not only the two of the recurrence: in floating point they would creep in again.
        for _ in range(2):
            step -= ((step * weights) @ found[: k + 1].T) @ found[: k + 1]
        b[k + 1] = np.sqrt(weights @ step**2)
        found[k + 1] = step / b[k + 1]
    return Polynomials(kind, low, width, parameter, a, b)


def functions_of(parameter: Parameter) -> Functions:
    """The functions that are orthonormal under a parameter's distribution.

    Legendre polynomials of its position in the unit interval for uniform and log-uniform ranges; Hermite polynomials
    for normal distributions; polynomials made for the distribution where its tails are light; else Hermite polynomials
    of its normal score (of a lognormal distribution: of the logarithm); polynomials on the levels of whole numbers and
    ordinals; contrasts of categories.
    """
    if isinstance(parameter, Categorical):
        return Contrasts.of(parameter)
    if isinstance(parameter, Ordinal):
        k = len(parameter.values)
        return numeric("code", np.arange(k, dtype=float), np.full(k, 1.0 / k), parameter)
    if isinstance(parameter, Integer):
        levels = parameter.high - parameter.low + 1
        if parameter.log:
            return numeric("unit", *_log_levels(parameter), parameter)
        if levels > MAX_LEVELS:
            return legendre("unit", 0.5, 0.5, parameter)
        return numeric(
            "affine", np.arange(parameter.low, parameter.high + 1.0), np.full(int(levels), 1 / levels), parameter
        )
    if not isinstance(parameter, Real):
        raise TypeError(f"no polynomials are known for a parameter of type {type(parameter).__name__}")
    if parameter.distribution is None:
        return legendre("unit", 0.5, 0.5, parameter)
    distribution = parameter.distribution
    if distribution.dist.name == "norm":
        return hermite("affine", float(distribution.mean()), float(distribution.std()), parameter)
    median, *ends = (
        float(v) for v in (distribution.ppf(0.5), *_tails(distribution, 1e-3), *_tails(distribution, 1e-12))
    )
    near, far = np.abs(np.array(ends).reshape(2, 2) - median)
    if not (np.isfinite(far).all() and (far <= HEAVY_TAIL * near).all()):
        return hermite("score", parameter=parameter)
    nodes, weights = _quadrature(distribution)
    if abs(weights.sum() - 1.0) > 1e-4:  # a density with poles
        return legendre("unit", 0.5, 0.5, parameter)
    return numeric("affine", nodes, weights / weights.sum(), parameter)


def _log_levels(parameter: Integer) -> tuple[FloatArray, FloatArray]:
    """Positions in the unit interval of whole numbers on a log scale, and their shares; of many the tail as if real."""
    levels = np.arange(parameter.low, min(parameter.high, parameter.low + MAX_LEVELS - 1) + 1.0)
    edges = parameter.to_unit(np.append(levels - 0.5, levels[-1] + 0.5))
    nodes, weights = parameter.to_unit(levels), np.diff(edges)
    if levels[-1] < parameter.high:
        t, w = np.polynomial.legendre.leggauss(PANEL_NODES)
        half = (1.0 - edges[-1]) / 2
        nodes, weights = np.append(nodes, edges[-1] + half * (1 + t)), np.append(weights, half * w)
    return nodes, weights / weights.sum()


def _tails(distribution: Any, share: float) -> tuple[float, float]:
    return float(distribution.ppf(share)), float(distribution.isf(share))


def _quadrature(distribution: Any) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights of a distribution, panel by panel between its quantiles."""
    shares = np.array([1e-16, 1e-13, 1e-10, 1e-7, 1e-5, 1e-3, 1e-2, 0.1, 0.25, 0.5])
    support = np.array([end for end in distribution.support() if np.isfinite(end)])
    edges = np.unique(np.concatenate([distribution.ppf(shares), distribution.isf(shares), support]))
    t, w = np.polynomial.legendre.leggauss(PANEL_NODES)
    half = np.diff(edges)[:, None] / 2
    nodes = (edges[:-1, None] + half * (1 + t)).ravel()
    weights = (half * w).ravel() * distribution.pdf(nodes)
    return nodes, weights


def hyperbolic_indices(
    degrees: list[IntArray], degree: int, q: float, limit: int, max_interaction: int | None = None
) -> IntArray | None:
    """All products of functions whose degrees' q-norm is at most `degree`; lowest total degree first.

    Parameters
    ----------
    degrees : list of int arrays
        Degree of each function, by input; the first is 0.
    q : float
        In (0, 1]: 1 keeps all products of that total degree, less keeps fewer interactions.
    limit : int
        Give up beyond this many.

    Returns
    -------
    int array of shape (p, d), or None if there are more than `limit`

    References
    ----------
    .. [1] G. Blatman, B. Sudret, "Adaptive sparse polynomial chaos expansion based on least angle regression", Journal
       of Computational Physics 230(6), 2011, eq. 14.
    """
    # Input by input: every product so far with every function of the next one that its budget allows.
    indices = np.zeros((1, 0), dtype=np.int64)
    left = np.array([degree**q * (1 + 1e-12)])
    for own in degrees:
        remaining = left[:, None] - np.append(0.0, np.asarray(own[1:], dtype=float) ** q)
        allowed = remaining >= 0
        if max_interaction is not None:
            allowed[(indices > 0).sum(axis=1) >= max_interaction, 1:] = False
        rows, functions = np.nonzero(allowed)
        if len(rows) > limit:
            return None
        indices, left = np.column_stack([indices[rows], functions]), remaining[rows, functions]
    total = np.sum([own[used] for own, used in zip(degrees, indices.T)], axis=0)
    return indices[np.lexsort((*indices.T, (indices > 0).sum(axis=1), total))]


def products(functions: list[Functions], columns: list[Any], indices: IntArray) -> FloatArray:
    """Values of products of functions.

    Parameters
    ----------
    functions : list of d Functions
    columns : list of d arrays of shape (n,)
    indices : int array of shape (p, d)
        Which function of each input.

    Returns
    -------
    array of shape (n, p)
    """
    # Rows are products: their memory is contiguous while they are multiplied.
    out = np.ones((len(indices), len(columns[0])))
    for j, (own, x) in enumerate(zip(functions, columns)):
        used = indices[:, j]
        if used.any():
            table = np.ascontiguousarray(own.values(x, int(used.max()) + 1).T)
            rows = np.flatnonzero(used)
            out[rows] *= table[used[rows]]
    return np.ascontiguousarray(out.T)


def observed(x: FloatArray) -> list[Functions]:
    """Legendre polynomials on the range of each column of `x`, (n, d); of a constant column none.

    The range is that of the data, unless these fill [0, 1] or [-1, 1] as well as an even design does: then it is that
    interval, on which a function's symmetries are exact.
    """
    out: list[Functions] = []
    for column in x.T:
        low, high = float(column.min()), float(column.max())
        gap = EVEN_GAPS * (high - low) / len(column)
        for start, end in ((0.0, 1.0), (-1.0, 1.0)):
            if start <= low <= start + gap and end - gap <= high <= end:
                low, high = start, end
        half = high / 2 - low / 2
        made = legendre("affine", low + half, half if half > 0 else 1.0)
        if not half > 0:
            made = Polynomials(made.kind, made.low, made.width, None, made.a[:1], made.b[:1])
        out.append(made)
    return out


def functions_of_space(space: Space) -> list[Functions]:
    """:func:`functions_of` each parameter."""
    return [functions_of(parameter) for parameter in space.values()]
