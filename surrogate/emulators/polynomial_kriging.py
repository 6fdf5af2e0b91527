"""Kriging whose trend is a sparse polynomial chaos expansion."""

from __future__ import annotations

from typing import Any, Literal, Self, overload

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted

from surrogate.emulators.gp.inputs import Inputs
from surrogate.emulators.orthogonal import products
from surrogate.emulators.polynomial_chaos import PolynomialChaos
from surrogate.emulators.state import Stateful
from surrogate.emulators.tables import check_new, check_training, columns_of
from surrogate.emulators.trended import TrendedProcess, check_kernel
from surrogate.space import Space

__all__ = ["PolynomialKriging"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Terms of the trend, at most, as a share of the runs: the covariance has to be learnt from the rest.
TREND_SHARE = 0.4


class PolynomialKriging(Stateful, RegressorMixin, BaseEstimator):
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
    n_features_in_ : int
    feature_names_in_ : array of shape (d,), if fitted on a DataFrame or with a space

    Notes
    -----
    Each fold's complement selects its own terms. The closed form of leave-one-out would leave the terms as they were
    selected with all runs, and be far too optimistic.

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

    def fit(self, X: ArrayLike, y: ArrayLike, space: Space | None = None) -> Self:
        """Select the trend, choose hyper-parameters and factorise.

        Parameters
        ----------
        X : array or DataFrame of shape (n, d)
            Numbers; with a `space` a DataFrame of its columns, in its units, of any type. At least three rows.
        y : array of shape (n,)
        space : Space, optional
            Types and distributions of the inputs.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If an option is not allowed, shapes do not match, a value is not a finite number, or there are too few rows.
        InvalidInputError
            If inputs do not belong to `space`.
        """
        check_kernel(self.kernel)
        if self.polynomial is not None and self.polynomial.validation != "folds":
            raise ValueError("polynomial must have validation='folds': by these the kriging is validated, too")
        table, y = check_training(self, X, y, space, least=3)
        model = PolynomialChaos(average=False) if self.polynomial is None else clone(self.polynomial)
        return self._fit_on(model.fit(X, y, space), table, y)

    def _fit_on(self, polynomial: PolynomialChaos, table: Any, y: FloatArray) -> Self:
        """Fit with a polynomial that was fitted to the same data."""
        self.polynomial_ = polynomial
        columns = columns_of(table)
        self._inputs, z = Inputs.of(table, self.space_)
        self._scaled = polynomial._scaled
        t = self._scaled.forward(y)
        # The same point twice is one point; with different outputs the nugget grows until they agree.
        _, first = np.unique(z, axis=0, return_index=True)
        kept = np.sort(first)
        most = max(1, int(TREND_SHARE * len(kept)))
        self.indices_ = _independent(polynomial, columns, polynomial._lever_indices[:most], kept)
        basis = self._basis(columns, self.indices_)
        self._process = TrendedProcess.fit(z[kept], t[kept], basis[kept], (self.kernel,), self.nugget, self.n_starts)
        self._validate(columns, z, t)
        return self

    def _basis(self, columns: list[Any], indices: IntArray) -> FloatArray:
        return products(self.polynomial_._functions, columns, indices)

    def _validate(self, columns: list[Any], z: FloatArray, t: FloatArray) -> None:
        """Predict each fold from the others, with their own trend and these hyper-parameters."""
        mean, variance = np.empty(len(t)), np.empty(len(t))
        fold = self.polynomial_._fold
        for i, own in enumerate(self.polynomial_._fold_indices):
            held = np.flatnonzero(fold == i)
            rest = np.flatnonzero(fold != i)
            rest = rest[np.sort(np.unique(z[rest], axis=0, return_index=True)[1])]
            indices = _independent(self.polynomial_, columns, own[: len(self.indices_)], rest)
            basis = self._basis(columns, indices)
            process = self._process.refitted(z[rest], t[rest], basis[rest])
            mean[held], variance[held] = process.predict(z[held], basis[held], with_variance=True)
        std = np.sqrt(np.maximum(variance, np.finfo(float).tiny))
        self.inflation_ = float(max(1.0, np.sqrt((((t - mean) / std) ** 2).mean())))
        self._held_out, self._held_out_std = mean, self.inflation_ * std

    @overload
    def predict(self, X: ArrayLike, return_std: Literal[False] = False) -> FloatArray: ...
    @overload
    def predict(self, X: ArrayLike, return_std: Literal[True]) -> tuple[FloatArray, FloatArray]: ...
    def predict(self, X: ArrayLike, return_std: bool = False) -> Any:
        """Mean, and standard deviation if asked for, of the output at new points.

        Parameters
        ----------
        X : array or DataFrame of shape (m, d)
        return_std : bool

        Returns
        -------
        mean : array of shape (m,)
        std : array of shape (m,)
            Only if `return_std`.
        """
        table = check_new(self, X)
        z, basis = self._inputs.scaled(table), self._basis(columns_of(table), self.indices_)
        mean, variance = self._process.predict(z, basis, with_variance=return_std)
        mean = self._scaled.backward(mean)
        return (mean, self._scaled.spread(self.inflation_ * np.sqrt(variance))) if return_std else mean

    def leave_one_out(self) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation at every training point as predicted without its fold, trend selected anew.

        Returns
        -------
        mean, std : array of shape (n,)
        """
        check_is_fitted(self)
        return self._scaled.backward(self._held_out), self._scaled.spread(self._held_out_std)


def _independent(
    polynomial: PolynomialChaos, columns: list[Any], indices: IntArray, rows: NDArray[np.int64]
) -> IntArray:
    """The terms, in order, without those that the given rows cannot tell from earlier ones."""
    values = products(polynomial._functions, [column[rows] for column in columns], indices)
    diagonal = np.abs(np.diag(scipy.linalg.qr(values, mode="r", check_finite=False)[0]))
    keep = diagonal > 1e-6 * np.sqrt((values**2).sum(axis=0))[: len(diagonal)]
    return np.asarray(indices[: len(diagonal)][keep])
