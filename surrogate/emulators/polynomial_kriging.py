"""Kriging whose trend is a sparse polynomial chaos expansion."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from sklearn.base import clone

from surrogate.emulators.base import TableEmulator
from surrogate.emulators.gp.inputs import Inputs
from surrogate.emulators.orthogonal import products
from surrogate.emulators.polynomial_chaos import PolynomialChaos
from surrogate.emulators.tables import columns_of, named, without_copies
from surrogate.emulators.trended import TrendedProcess, check_kernel

__all__ = ["PolynomialKriging"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Terms of the trend, at most, as a share of the runs: the covariance has to be learnt from the rest.
TREND_SHARE = 0.4


class PolynomialKriging(TableEmulator):
    """Gaussian process on a trend of the terms that a sparse polynomial chaos expansion selects.

    Parameters
    ----------
    kernel : "matern52", "matern32", "squared_exponential" or "rational_quadratic"
    polynomial : PolynomialChaos, optional
        Selects the terms; by default one that does not average.
    nugget : float
        As of :class:`GaussianProcess`.
    n_starts : int
        Number of starting points of the likelihood's optimiser.

    Attributes
    ----------
    polynomial_ : PolynomialChaos
        As fitted.
    indices_ : int array of shape (p, d)
        Which polynomial of each input a term of the trend multiplies.
    inflation_ : float
        Factor of the standard deviations: root mean square of the residuals of cross-validation over their standard
        deviations, at least 1.
    space_ : Space or None
    input_range_ : array of shape (2, d) or None
        Lowest and highest inputs that it learnt from; None with a space.
    n_features_in_ : int
    feature_names_in_ : array of shape (d,), if fitted on a DataFrame or with a space

    Notes
    -----
    In ``leave_one_out`` each fold's complement selects its own terms. The closed form would leave the terms as they
    were selected with all runs, and be far too optimistic. A fit needs three rows.

    Of repeated points the mean output counts.

    References
    ----------
    .. [1] R. Schoebi, B. Sudret, J. Wiart, "Polynomial-chaos-based kriging", International Journal for Uncertainty
       Quantification 5(2), 2015.

    Examples
    --------
    >>> x = np.random.default_rng(0).random((40, 2))
    >>> model = PolynomialKriging().fit(x, x[:, 0] ** 4 + np.sin(9 * x[:, 1]))
    >>> bool(abs(model.predict([[0.5, 0.5]])[0] - 0.0625 - np.sin(4.5)) < 0.01)
    True
    """

    _least_rows = 3

    def __init__(
        self,
        *,
        kernel: str = "matern52",
        polynomial: PolynomialChaos | None = None,
        nugget: float = 1e-12,
        n_starts: int = 3,
    ) -> None:
        self.kernel = kernel
        self.polynomial = polynomial
        self.nugget = nugget
        self.n_starts = n_starts

    def _check_options(self) -> None:
        check_kernel(self.kernel)
        if self.polynomial is not None and self.polynomial.validation != "folds":
            raise ValueError("polynomial must have validation='folds': by these the kriging is validated, too")

    def _learn(self, table: Any, y: FloatArray) -> None:
        polynomial = PolynomialChaos(average=False) if self.polynomial is None else clone(self.polynomial)
        self._learn_on(polynomial.fit(named(self, table), y, self.space_), table, y)

    def _learn_on(self, polynomial: PolynomialChaos, table: Any, y: FloatArray) -> None:
        """Learn with a polynomial that was fitted to the same data."""
        self.polynomial_ = polynomial
        columns = columns_of(table)
        self._inputs, z = Inputs.of(table, self.space_)
        self._scaled = polynomial._scaled
        t = self._scaled.forward(y)
        kept, targets = _merged(z, t)
        most = max(1, int(TREND_SHARE * len(kept)))
        self.indices_ = _independent(polynomial, columns, polynomial._lever_indices[:most], kept)
        basis = self._basis(columns, self.indices_)
        self._process = TrendedProcess.fit(z[kept], targets, basis[kept], (self.kernel,), self.nugget, self.n_starts)
        self._validate(columns, z, t)

    def _basis(self, columns: list[Any], indices: IntArray) -> FloatArray:
        return products(self.polynomial_._functions, columns, indices)

    def _validate(self, columns: list[Any], z: FloatArray, t: FloatArray) -> None:
        """Predict each fold from the others, with their own trend and these hyper-parameters.

        Where all rows are one point nothing is left to predict it from but its own mean.
        """
        mean, variance = np.full(len(t), t.mean()), np.full(len(t), t.var())
        fold, point = self.polynomial_._fold, without_copies(z, t)[2]
        for i, own in enumerate(self.polynomial_._fold_indices):
            held = np.flatnonzero(fold == i)
            # A copy of a point would tell it.
            rest = np.flatnonzero((fold != i) & ~np.isin(point, point[held]))
            if not len(rest):
                continue
            kept, targets = _merged(z[rest], t[rest])
            rest = rest[kept]
            most = min(len(self.indices_), max(1, len(rest) - 1))
            indices = _independent(self.polynomial_, columns, own[:most], rest)
            basis = self._basis(columns, indices)
            process = self._process.refitted(z[rest], targets, basis[rest])
            mean[held], variance[held] = process.predict(z[held], basis[held], with_variance=True)
        std = np.sqrt(np.maximum(variance, np.finfo(float).tiny))
        self.inflation_ = float(max(1.0, np.sqrt((((t - mean) / std) ** 2).mean())))
        self._held_out, self._held_out_std = mean, self.inflation_ * std

    def _answer(self, table: Any, with_std: bool) -> tuple[FloatArray, FloatArray]:
        z, basis = self._inputs.scaled(table), self._basis(columns_of(table), self.indices_)
        mean, variance = self._process.predict(z, basis, with_variance=with_std)
        return self._scaled.moments(mean, self.inflation_ * np.sqrt(variance))

    def _answer_unseen(self) -> tuple[FloatArray, FloatArray]:
        return self._scaled.moments(self._held_out, self._held_out_std)


def _merged(z: FloatArray, t: FloatArray) -> tuple[IntArray, FloatArray]:
    """The first row of each point, in order, and the mean output of all its copies."""
    rows, mean, _ = without_copies(z, t)
    order = np.argsort(rows)
    return rows[order], mean[order]


def _independent(
    polynomial: PolynomialChaos, columns: list[Any], indices: IntArray, rows: NDArray[np.int64]
) -> IntArray:
    """The terms, in order, without those that the given rows cannot tell from earlier ones."""
    values = products(polynomial._functions, [column[rows] for column in columns], indices)
    diagonal = np.abs(np.diag(scipy.linalg.qr(values, mode="r", check_finite=False)[0]))
    keep = diagonal > 1e-6 * np.sqrt((values**2).sum(axis=0))[: len(diagonal)]
    return np.asarray(indices[: len(diagonal)][keep])
