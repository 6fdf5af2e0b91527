"""Emulators of series and fields: principal components, each emulated by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted

from surrogate.emulators.gp.gaussian_process import GaussianProcess
from surrogate.emulators.state import Stateful
from surrogate.emulators.tables import check_new, check_training_many
from surrogate.space import Space

__all__ = ["FunctionalEmulator"]

FloatArray = NDArray[np.float64]

# Components that carry less than this share of the variance are rounding errors.
LEAST_SHARE = 1e-14


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components of outputs, and what they leave out.

    Attributes
    ----------
    mean : array of shape (m,)
        Mean output.
    vectors : array of shape (k, m)
        Orthonormal.
    residuals : array of shape (n, m)
        What the components leave of each training output.
    residual_std : array of shape (m,)
        Standard deviation of what they leave of a new one.
    shares : array of shape (k,)
        Share of the variance that each explains.
    """

    mean: FloatArray
    vectors: FloatArray
    residuals: FloatArray
    residual_std: FloatArray
    shares: FloatArray

    @classmethod
    def of(cls, outputs: FloatArray, explained: float, most: int | None) -> tuple[Components, FloatArray]:
        """As many as explain that share of the variance, and their scores, (n, k)."""
        n, _ = outputs.shape
        mean = outputs.mean(axis=0)
        # Brought to unit size first, since outputs of 1e200 have no square.
        unit = float(np.abs(outputs - mean).max()) or 1.0
        left, size, vectors = np.linalg.svd((outputs - mean) / unit, full_matrices=False)
        total = float((size**2).sum())
        shares = size**2 / total if total > 0 else np.zeros_like(size)
        enough = int(np.searchsorted(np.cumsum(shares), explained) + 1)
        k = min(enough, int((shares > LEAST_SHARE).sum()), n - 1, most or n)
        k = max(k, 1)
        scores = left[:, :k] * size[:k] * unit
        residuals = (outputs - mean) - scores @ vectors[:k]
        # The components were made for these outputs: of a new one they leave more, by the degrees of freedom spent.
        spent = n / max(n - k - 1, 1)
        residual_std = np.sqrt(((residuals / unit) ** 2).mean(axis=0) * spent) * unit
        return cls(mean, vectors[:k], residuals, residual_std, shares[:k]), scores

    def outputs(self, scores: FloatArray) -> FloatArray:
        """Outputs of scores, (r, m)."""
        return self.mean + scores @ self.vectors

    def std(self, score_std: FloatArray) -> FloatArray:
        """Standard deviations of outputs, (r, m), of uncertain scores, truncation included."""
        unit = float(max(score_std.max(initial=0.0), self.residual_std.max(initial=0.0))) or 1.0
        scaled = (score_std / unit) ** 2 @ self.vectors**2 + (self.residual_std / unit) ** 2
        return np.asarray(unit * np.sqrt(scaled))


class FunctionalEmulator(Stateful, RegressorMixin, BaseEstimator):
    """Emulator of an output that is a series or a field: its principal components, each emulated by itself.

    Parameters
    ----------
    emulator : emulator, optional
        For each component's score; by default a :class:`GaussianProcess`.
    explained : float
        As many components as explain this share of the variance.
    max_components : int, optional

    Attributes
    ----------
    emulators_ : list
        One a component.
    n_components_ : int
    explained_ : array of shape (k,)
        Share of the variance that each component explains.
    output_shape_ : tuple of int
        Of one output.
    space_ : Space or None
    n_features_in_ : int
    feature_names_in_ : array of shape (d,), if fitted on a DataFrame or with a space

    Notes
    -----
    The standard deviation holds what the emulators do not know of the scores and what the components leave out, place
    by place. Scores are uncorrelated over the runs; they are taken to be independent.

    References
    ----------
    .. [1] D. Higdon, J. Gattiker, B. Williams, M. Rightley, "Computer model calibration using high-dimensional output",
       Journal of the American Statistical Association 103(482), 2008, sec. 2.2.

    Examples
    --------
    >>> t = np.linspace(0, 1, 50)
    >>> x = np.random.default_rng(0).random((20, 2))
    >>> waves = np.sin(5 * x[:, :1] + 6 * t) + x[:, 1:]
    >>> model = FunctionalEmulator().fit(x, waves)
    >>> model.n_components_, model.predict(x[:3]).shape
    (3, (3, 50))
    """

    def __init__(self, emulator: Any = None, *, explained: float = 0.99999, max_components: int | None = None) -> None:
        self.emulator = emulator
        self.explained = explained
        self.max_components = max_components

    def fit(self, X: ArrayLike, y: ArrayLike, space: Space | None = None) -> Self:
        """Find components and emulate their scores.

        Parameters
        ----------
        X : array or DataFrame of shape (n, d)
            Numbers; with a `space` a DataFrame of its columns, in its units, of any type. At least three rows.
        y : array of shape (n, m) for series, (n, a, b, ...) for fields, or list of n equal arrays
        space : Space, optional
            Types of the inputs.

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
        if not 0 < self.explained <= 1:
            raise ValueError(f"explained must lie in (0, 1], got {self.explained}")
        if self.max_components is not None and self.max_components < 1:
            raise ValueError(f"max_components must be at least 1, got {self.max_components}")
        table, outputs = check_training_many(self, X, y, space, least=3)
        self.output_shape_ = outputs.shape[1:]
        flat = outputs.reshape(len(outputs), -1)
        self._components, scores = Components.of(flat, self.explained, self.max_components)
        self.n_components_ = scores.shape[1]
        self.explained_ = self._components.shares
        model = GaussianProcess() if self.emulator is None else self.emulator
        extra = () if space is None else (space,)
        self.emulators_ = [clone(model).fit(table, score, *extra) for score in scores.T]
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _shaped(self, flat: FloatArray) -> FloatArray:
        return flat.reshape(len(flat), *self.output_shape_)

    def _scores(self, X: ArrayLike) -> tuple[FloatArray, FloatArray]:
        table = check_new(self, X)
        found = [emulator.predict(table, return_std=True) for emulator in self.emulators_]
        return np.column_stack([mean for mean, _ in found]), np.column_stack([std for _, std in found])

    @overload
    def predict(self, X: ArrayLike, return_std: Literal[False] = False) -> FloatArray: ...
    @overload
    def predict(self, X: ArrayLike, return_std: Literal[True]) -> tuple[FloatArray, FloatArray]: ...
    def predict(self, X: ArrayLike, return_std: bool = False) -> Any:
        """Mean, and standard deviation if asked for, of the output at new points.

        Parameters
        ----------
        X : array or DataFrame of shape (r, d)
        return_std : bool

        Returns
        -------
        mean : array of shape (r, m) or (r, a, b, ...)
        std : array of the same shape
            Only if `return_std`.
        """
        if not return_std:
            table = check_new(self, X)
            scores = np.column_stack([emulator.predict(table) for emulator in self.emulators_])
            return self._shaped(self._components.outputs(scores))
        mean, std = self._scores(X)
        return self._shaped(self._components.outputs(mean)), self._shaped(self._components.std(std))

    def draws(self, X: ArrayLike, n: int, rng: int | np.random.Generator | None = None) -> FloatArray:
        """Outputs drawn for new points: whole series or fields, whose places go together.

        Points are drawn independently of each other. What the components leave out is drawn from the training runs.

        Parameters
        ----------
        X : array or DataFrame of shape (r, d)
        n : int
        rng : int, Generator or None

        Returns
        -------
        array of shape (n, r, m) or (n, r, a, b, ...)
        """
        generator = np.random.default_rng(rng)
        mean, std = self._scores(X)
        scores = mean + std * generator.standard_normal((n, *mean.shape))
        residuals = self._components.residuals
        runs = generator.integers(len(residuals), size=(n, len(mean)))
        drawn = self._components.mean + scores @ self._components.vectors + residuals[runs]
        return np.asarray(drawn.reshape(n, len(mean), *self.output_shape_))

    def leave_one_out(self) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of every training output as predicted without it, components as they are.

        Returns
        -------
        mean, std : array of shape (n, m) or (n, a, b, ...)
        """
        check_is_fitted(self)
        found = [emulator.leave_one_out() for emulator in self.emulators_]
        mean, std = (np.column_stack([part[i] for part in found]) for i in (0, 1))
        return self._shaped(self._components.outputs(mean)), self._shaped(self._components.std(std))


class MultiOutput(Stateful, RegressorMixin, BaseEstimator):
    """Several outputs at once, each with an emulator of its own.

    Parameters
    ----------
    emulator : emulator, optional
        By default a :class:`GaussianProcess`.

    Attributes
    ----------
    emulators_ : dict
        By the output's name, or number.
    space_ : Space or None
    n_features_in_ : int
    feature_names_in_ : array of shape (d,), if fitted on a DataFrame or with a space

    Examples
    --------
    >>> x = np.random.default_rng(0).random((20, 2))
    >>> outputs = pd.DataFrame({"sum": x.sum(axis=1), "product": x.prod(axis=1)})
    >>> MultiOutput().fit(x, outputs).predict([[0.5, 0.5]]).round(2)
       sum  product
    0  1.0     0.25
    """

    def __init__(self, emulator: Any = None) -> None:
        self.emulator = emulator

    def fit(self, X: ArrayLike, y: Any, space: Space | None = None) -> Self:
        """Fit one emulator an output.

        Parameters
        ----------
        X : array or DataFrame of shape (n, d)
            Numbers; with a `space` a DataFrame of its columns, in its units, of any type.
        y : array or DataFrame of shape (n, k)
        space : Space, optional
            Types of the inputs.

        Returns
        -------
        self
        """
        table, outputs = check_training_many(self, X, y, space, least=2)
        if outputs.ndim > 2:
            raise ValueError(f"y must have shape (n, k), got {outputs.shape}; for fields use FunctionalEmulator")
        # A column's names are told again by predictions.
        self._labels = [str(name) for name in y.columns] if isinstance(y, pd.DataFrame) else None
        self._is_flat = outputs.ndim == 1
        columns = outputs.reshape(len(outputs), -1)
        names = self._labels or [str(j) for j in range(columns.shape[1])]
        model = GaussianProcess() if self.emulator is None else self.emulator
        extra = () if space is None else (space,)
        self.emulators_ = {name: clone(model).fit(table, column, *extra) for name, column in zip(names, columns.T)}
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def predict(self, X: ArrayLike, return_std: bool = False) -> Any:
        """Mean, and standard deviation if asked for, of the outputs at new points.

        Parameters
        ----------
        X : array or DataFrame of shape (m, d)
        return_std : bool

        Returns
        -------
        mean : array of shape (m, k), or DataFrame if the outputs were one
        std : the same
            Only if `return_std`.
        """
        table = check_new(self, X)
        index = X.index if isinstance(X, pd.DataFrame) else None
        if not return_std:
            return self._table([emulator.predict(table) for emulator in self.emulators_.values()], index)
        found = [emulator.predict(table, return_std=True) for emulator in self.emulators_.values()]
        return tuple(self._table([part[i] for part in found], index) for i in (0, 1))

    def _table(self, columns: list[FloatArray], index: Any = None) -> Any:
        if self._is_flat:
            return columns[0]
        values = np.column_stack(columns)
        return values if self._labels is None else pd.DataFrame(values, columns=self._labels, index=index)

    def leave_one_out(self) -> Any:
        """Mean and standard deviation of every training output as predicted without its run.

        Returns
        -------
        mean, std : array of shape (n, k), or DataFrame if the outputs were one
        """
        check_is_fitted(self)
        found = [emulator.leave_one_out() for emulator in self.emulators_.values()]
        return tuple(self._table([part[i] for part in found]) for i in (0, 1))
