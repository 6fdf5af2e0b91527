"""Interpolation by radial basis functions with a polynomial tail."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf
from scipy.special import xlogy

from surrogate.emulators.base import TableEmulator
from surrogate.emulators.gp.inputs import Inputs
from surrogate.emulators.tables import Scaled, without_copies
from surrogate.emulators.threads import few_threads

__all__ = ["RadialBasis"]

FloatArray = NDArray[np.float64]
Kernel = Literal["linear", "thin_plate", "cubic", "quintic", "multiquadric", "inverse_multiquadric", "gaussian"]


@dataclass(frozen=True)
class _Function:
    """A radial function of r, with the sign that makes it conditionally positive definite.

    Attributes
    ----------
    degree : int
        Lowest degree of the polynomial tail that makes the interpolation unique, -1 for none; Wendland (2005), ch. 8.
    has_shape : bool
        Whether r is first divided by a length.
    """

    value: Callable[[FloatArray], FloatArray]
    degree: int
    has_shape: bool = False


FUNCTIONS: dict[str, _Function] = {
    "linear": _Function(lambda r: -r, 0),
    "thin_plate": _Function(lambda r: np.asarray(xlogy(r**2, r), dtype=float), 1),
    "cubic": _Function(lambda r: r**3, 1),
    "quintic": _Function(lambda r: -(r**5), 2),
    "multiquadric": _Function(lambda r: -np.sqrt(1.0 + r**2), 0, True),
    "inverse_multiquadric": _Function(lambda r: 1.0 / np.sqrt(1.0 + r**2), -1, True),
    "gaussian": _Function(lambda r: np.exp(-(r**2)), -1, True),
}

# What "auto" tries: rough to smooth without a shape, then the two whose shape does not make them useless if it is off.
AUTO = ("linear", "thin_plate", "cubic", "quintic", "multiquadric", "inverse_multiquadric")

# Shapes tried, in mean distances of neighbours n^(-1/d) on inputs scaled to [0, 1], where none is given.
SHAPES = (0.5, 1.0, 2.0, 4.0, 8.0)

# Smoothing tried by "auto", relative to the largest entry of the matrix.
SMOOTHINGS = (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)

# Beyond this many rows the choice among candidates is made on so many of them.
CHOOSING_ROWS = 1000

CHUNK_ROWS = 4096


@dataclass(frozen=True, eq=False)
class Solved:
    """The interpolation, and what its power function needs.

    With Q the orthonormal complement of the tail at the points, K the radial functions there with their diagonal, and
    Q' K Q = L L': unlike the inverse of the whole matrix these keep their digits where K is nearly singular.

    Attributes
    ----------
    name, shape, smoothing : str, float, float
    terms : int array of shape (p, c)
        Exponents of the polynomial tail.
    points : array of shape (n, c)
    coefficients : array of shape (n + p,)
    white : array of shape (n - p, n)
        inv(L) Q'.
    to_tail : array of shape (p, n)
        Values at the points to coefficients of the tail, by least squares.
    white_tail : array of shape (n - p, p)
        white K to_tail'.
    tail_square : array of shape (p, p)
        to_tail K to_tail'.
    """

    name: str
    shape: float
    smoothing: float
    terms: NDArray[np.int64]
    points: FloatArray
    coefficients: FloatArray
    white: FloatArray
    to_tail: FloatArray
    white_tail: FloatArray
    tail_square: FloatArray

    def predict(self, z: FloatArray, *, with_power: bool) -> tuple[FloatArray, FloatArray]:
        """Value at `z` of shape (m, c), and the power function, squared; each of shape (m,)."""
        n = len(self.points)
        radial, tail = _radial(self.name, self.shape, z, self.points), _monomials(z, self.terms)
        value = radial @ self.coefficients[:n] + tail @ self.coefficients[n:]
        if not with_power:
            return value, np.zeros_like(value)
        at_zero = FUNCTIONS[self.name].value(np.zeros(1))[0]
        # The function less its least squares on the tail, so that its Gram matrix is positive definite.
        left = at_zero - 2.0 * np.einsum("mp,mp->m", tail, radial @ self.to_tail.T)
        left += np.einsum("mp,mp->m", tail @ self.tail_square, tail)
        known = self.white @ radial.T - self.white_tail @ tail.T
        return value, np.maximum(left - np.einsum("nm,nm->m", known, known), 0.0)

    def left_out(self) -> tuple[FloatArray, FloatArray]:
        """Error at each point as predicted from the others, and its power function, squared; Rippa (1999), eq. 17."""
        diagonal = np.maximum((self.white**2).sum(axis=0), np.finfo(float).tiny)
        return self.coefficients[: len(self.points)] / diagonal, 1.0 / diagonal


class RadialBasis(TableEmulator):
    """Radial basis functions with a polynomial tail; function, shape and smoothing by closed-form leave-one-out.

    Parameters
    ----------
    kernel : "auto", "linear", "thin_plate", "cubic", "quintic", "multiquadric", "inverse_multiquadric" or "gaussian"
        With no more runs than the polynomial of "thin_plate", "cubic" or "quintic" has terms, "linear" stands in.
    shape : float, optional
        Length by which distances are divided, on inputs scaled to [0, 1], for the last three; by default the best of
        five.
    smoothing : float or "auto"
        Added to the diagonal, relative to the largest entry; 0 goes through the outputs, "auto" takes the best of six.
    degree : int, optional
        Of the polynomial tail, -1 for none; by default the lowest that makes the interpolation unique. Of a lower one
        "auto" tries no function that needs more.

    Attributes
    ----------
    kernel_, shape_, smoothing_ : str, float, float
        What was chosen.
    loo_error_ : float
        Leave-one-out mean square error over the output's variance.
    space_ : Space or None
    input_range_ : array of shape (2, d) or None
        Lowest and highest inputs that it learnt from; None with a space.
    n_features_in_ : int
    feature_names_in_ : array of shape (d,), if fitted on a DataFrame or with a space

    Notes
    -----
    The standard deviation is the power function, which says how far the points leave a place undetermined, times the
    root mean square of the leave-one-out errors over theirs.

    Of repeated points the mean output counts; ``leave_one_out`` leaves out all copies of one. Function, shape and
    smoothing stay as chosen there.

    References
    ----------
    .. [1] S. Rippa, "An algorithm for selecting a good value for the parameter c in radial basis function
       interpolation", Advances in Computational Mathematics 11, 1999: leave-one-out, eq. 17.
    .. [2] H. Wendland, "Scattered Data Approximation", Cambridge University Press 2005, ch. 8 and 11 (power function).

    Examples
    --------
    >>> x = np.linspace(0, 1, 9)[:, None]
    >>> RadialBasis().fit(x, x[:, 0] ** 2).predict([[0.55]]).round(3)
    array([0.303])
    """

    def __init__(
        self,
        *,
        kernel: Kernel | Literal["auto"] = "auto",
        shape: float | None = None,
        smoothing: float | Literal["auto"] = 0.0,
        degree: int | None = None,
    ) -> None:
        self.kernel = kernel
        self.shape = shape
        self.smoothing = smoothing
        self.degree = degree

    def _check_options(self) -> None:
        if self.kernel != "auto" and self.kernel not in FUNCTIONS:
            raise ValueError(f"kernel must be 'auto' or one of {sorted(FUNCTIONS)}, got {self.kernel!r}")
        if self.shape is not None and not self.shape > 0:
            raise ValueError(f"shape must be positive, got {self.shape}")
        if self.smoothing != "auto" and not float(self.smoothing) >= 0:
            raise ValueError(f"smoothing must be 'auto' or not negative, got {self.smoothing}")
        if self.degree is not None and self.degree not in (-1, 0, 1, 2):
            raise ValueError(f"degree must be -1, 0, 1 or 2, got {self.degree}")
        if self.kernel != "auto" and self.degree is not None and self.degree < FUNCTIONS[self.kernel].degree:
            raise ValueError(
                f"kernel {self.kernel!r} needs degree >= {FUNCTIONS[self.kernel].degree}, got {self.degree}"
            )

    def _learn(self, table: Any, y: FloatArray) -> None:
        self._inputs, z = Inputs.of(table, self.space_)
        self._scaled = Scaled.of(y)
        rows, t, self._group = without_copies(z, self._scaled.forward(y))
        points = z[rows]
        with few_threads(len(points)):
            self._solved = self._best(points, t)
        self._tell(t)

    def _best(self, points: FloatArray, t: FloatArray) -> Solved:
        n, d = points.shape
        spacing = n ** (-1.0 / d)
        smoothings = SMOOTHINGS if self.smoothing == "auto" else (float(self.smoothing),)
        choices = []
        names: Sequence[str] = (self.kernel,)
        if self.kernel == "auto":
            names = [name for name in AUTO if self.degree is None or self.degree >= FUNCTIONS[name].degree]
        names = [name for name in names if _has_enough(points, name)] or ["linear"]
        for name in names:
            shapes: tuple[float, ...] = (1.0,)
            if FUNCTIONS[name].has_shape:
                shapes = (self.shape,) if self.shape is not None else tuple(k * spacing for k in SHAPES)
            choices += [(name, shape, smoothing) for shape in shapes for smoothing in smoothings]
        if len(choices) > 1:
            # Those at hand are a fair sample: rows of `points` are sorted.
            part = np.unique(np.linspace(0, n - 1, min(n, CHOOSING_ROWS)).astype(np.int64))
            tried = [_solve(points[part], t[part], *choice, self.degree) for choice in choices]
            errors = [float((one.left_out()[0] ** 2).mean()) for one in tried]
            best = int(np.argmin(errors))
            if len(part) == n:
                return tried[best]
            choices = [choices[best]]
        return _solve(points, t, *choices[0], self.degree)

    def _tell(self, t: FloatArray) -> None:
        solved = self._solved
        self.kernel_, self.shape_, self.smoothing_ = solved.name, solved.shape, solved.smoothing
        error, power = solved.left_out()
        self.loo_error_ = float((error**2).mean())
        self._noise = float(np.sqrt((error**2 / power).mean()))
        self._left_out = (t - error)[self._group], (self._noise * np.sqrt(power))[self._group]

    def _answer(self, table: Any, with_std: bool) -> tuple[FloatArray, FloatArray]:
        z = self._inputs.scaled(table)
        with few_threads(len(self._solved.points)):
            parts = [
                self._solved.predict(z[i : i + CHUNK_ROWS], with_power=with_std) for i in range(0, len(z), CHUNK_ROWS)
            ]
        value, power = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
        return self._scaled.moments(value, self._noise * np.sqrt(power))

    def _answer_unseen(self) -> tuple[FloatArray, FloatArray]:
        return self._scaled.moments(*self._left_out)


def _radial(name: str, shape: float, a: FloatArray, b: FloatArray) -> FloatArray:
    squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2.0 * (a @ b.T)
    return np.asarray(FUNCTIONS[name].value(np.sqrt(np.maximum(squared, 0.0)) / shape))


def _monomials(z: FloatArray, terms: NDArray[np.int64]) -> FloatArray:
    return np.asarray(np.prod((2.0 * z[:, None, :] - 1.0) ** terms, axis=2))


def _monomials_told_apart(z: FloatArray, degree: int) -> NDArray[np.int64]:
    """Exponents of the monomials up to a degree that the points can tell apart, low degrees first."""
    c = z.shape[1]
    terms = [np.zeros(c, dtype=np.int64)] if degree >= 0 else []
    single = list(np.eye(c, dtype=np.int64))
    if degree >= 1:
        terms += single
    if degree >= 2:
        terms += [single[i] + single[j] for i in range(c) for j in range(i, c)]
    if not terms:
        return np.zeros((0, c), dtype=np.int64)
    found = np.array(terms)
    if len(found) == 1:
        return found
    r, order = scipy.linalg.qr(_monomials(z, found), mode="r", pivoting=True)[-2:]
    size = np.abs(np.diag(r))
    good = order[: len(size)][size > 1e-9 * size[0]]
    return np.asarray(found[np.sort(np.unique(np.append(good, 0)))])


def _has_enough(z: FloatArray, name: str) -> bool:
    """Whether there are more points than the function's polynomial has terms.

    On what fewer terms leave it need not be positive, and would not go through the outputs.
    """
    degree = max(0, FUNCTIONS[name].degree)
    return math.comb(z.shape[1] + degree, degree) < len(z) or len(_monomials_told_apart(z, degree)) < len(z)


def _solve(points: FloatArray, t: FloatArray, name: str, shape: float, smoothing: float, degree: int | None) -> Solved:
    terms = _monomials_told_apart(points, FUNCTIONS[name].degree if degree is None else degree)
    terms = terms[: max(1, len(points) - 1)]
    p = len(terms)
    radial = _radial(name, shape, points, points)
    largest = float(np.abs(radial).max()) or 1.0
    q, r = scipy.linalg.qr(_monomials(points, terms)) if p else (np.eye(len(points)), np.zeros((0, 0)))
    to_tail = scipy.linalg.solve_triangular(r[:p], q[:, :p].T) if p else np.zeros((0, len(points)))
    rest = q[:, p:]
    ridge = smoothing * largest
    while True:
        kernel = radial + ridge * np.eye(len(points))
        lower, failed = dpotrf(rest.T @ kernel @ rest, lower=1, clean=1)
        # Points close together, or a flat function: rounding errors decide the sign of the smallest eigenvalue.
        if not failed:
            break
        if ridge > largest:
            raise np.linalg.LinAlgError(f"radial functions {name!r} of {len(points)} points are singular")
        ridge = max(10.0 * ridge, 1e-15 * largest)
    white = scipy.linalg.solve_triangular(lower, rest.T, lower=True, check_finite=False)
    weights = white.T @ (white @ t)
    coefficients = np.append(weights, to_tail @ (t - kernel @ weights))
    white_tail, tail_square = white @ kernel @ to_tail.T, to_tail @ kernel @ to_tail.T
    return Solved(name, shape, smoothing, terms, points, coefficients, white, to_tail, white_tail, tail_square)
