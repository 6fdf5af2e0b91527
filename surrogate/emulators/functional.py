"""Emulators of series and fields: principal components, each emulated by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from surrogate.emulators.base import TableEmulator
from surrogate.emulators.gp.gaussian_process import GaussianProcess
from surrogate.emulators.tables import check_new, check_training_many, fit_on, predict_each
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


class ManyOutputs(TableEmulator):
    """Base of the emulators of several numbers a run."""

    emulator: Any

    def _read(self, X: Any, y: Any, space: Space | None) -> tuple[Any, FloatArray]:
        return check_training_many(self, X, y, space, least=self._least_rows)

    def _fit_each(self, table: Any, columns: FloatArray) -> list[Any]:
        """One emulator a column."""
        model = GaussianProcess() if self.emulator is None else self.emulator
        return [fit_on(clone(model), table, column, self.space_) for column in columns.T]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class FunctionalEmulator(ManyOutputs):
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
    input_range_ : array of shape (2, d) or None
        Lowest and highest inputs that it learnt from; None with a space.
    n_features_in_ : int
    feature_names_in_ : array of shape (d,), if fitted on a DataFrame or with a space

    Notes
    -----
    The standard deviation holds what the emulators do not know of the scores and what the components leave out, place
    by place. Scores are uncorrelated over the runs; they are taken to be independent. A fit needs three rows.

    ``leave_one_out`` leaves the components as they are.

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

    _least_rows = 3

    def __init__(self, emulator: Any = None, *, explained: float = 0.99999, max_components: int | None = None) -> None:
        self.emulator = emulator
        self.explained = explained
        self.max_components = max_components

    def _check_options(self) -> None:
        if not 0 < self.explained <= 1:
            raise ValueError(f"explained must lie in (0, 1], got {self.explained}")
        if self.max_components is not None and self.max_components < 1:
            raise ValueError(f"max_components must be at least 1, got {self.max_components}")

    def _learn(self, table: Any, outputs: FloatArray) -> None:
        self.output_shape_ = outputs.shape[1:]
        flat = outputs.reshape(len(outputs), -1)
        self._components, scores = Components.of(flat, self.explained, self.max_components)
        self.n_components_ = scores.shape[1]
        self.explained_ = self._components.shares
        self.emulators_ = self._fit_each(table, scores)

    def _shaped(self, flat: FloatArray) -> FloatArray:
        return flat.reshape(len(flat), *self.output_shape_)

    def _answer(self, table: Any, with_std: bool) -> tuple[FloatArray, FloatArray]:
        means, stds = predict_each(self.emulators_, table, with_std)
        mean = self._shaped(self._components.outputs(np.column_stack(means)))
        return mean, self._shaped(self._components.std(np.column_stack(stds))) if with_std else mean

    def _answer_unseen(self) -> tuple[FloatArray, FloatArray]:
        means, stds = (np.column_stack(part) for part in zip(*(one.leave_one_out() for one in self.emulators_)))
        return self._shaped(self._components.outputs(means)), self._shaped(self._components.std(stds))

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
        found = predict_each(self.emulators_, check_new(self, X), True)
        mean, std = (np.column_stack(part) for part in found)
        scores = mean + std * generator.standard_normal((n, *mean.shape))
        residuals = self._components.residuals
        runs = generator.integers(len(residuals), size=(n, len(mean)))
        drawn = self._components.mean + scores @ self._components.vectors + residuals[runs]
        return np.asarray(drawn.reshape(n, len(mean), *self.output_shape_))


class MultiOutput(ManyOutputs):
    """Several outputs at once, each with an emulator of its own; a DataFrame of them gives DataFrames of predictions.

    Parameters
    ----------
    emulator : emulator, optional
        By default a :class:`GaussianProcess`.

    Attributes
    ----------
    emulators_ : dict
        By the output's name, or number.
    space_ : Space or None
    input_range_ : array of shape (2, d) or None
        Lowest and highest inputs that it learnt from; None with a space.
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

    def _read(self, X: Any, y: Any, space: Space | None) -> tuple[Any, FloatArray]:
        table, outputs = super()._read(X, y, space)
        if outputs.ndim > 2:
            raise ValueError(f"y must have shape (n, k), got {outputs.shape}; for fields use FunctionalEmulator")
        # A column's names are told again by predictions.
        self._labels = list(y.columns) if isinstance(y, pd.DataFrame) else None
        return table, outputs

    def _learn(self, table: Any, outputs: FloatArray) -> None:
        self._is_flat = outputs.ndim == 1
        columns = outputs.reshape(len(outputs), -1)
        names = self._labels or [str(j) for j in range(columns.shape[1])]
        self.emulators_ = dict(zip(names, self._fit_each(table, columns)))

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
        mean, std = self._answer(check_new(self, X), return_std)
        if self._labels is not None and isinstance(X, pd.DataFrame):
            mean.index = std.index = X.index
        return (mean, std) if return_std else mean

    def _answer(self, table: Any, with_std: bool) -> tuple[Any, Any]:
        return self._tables(*predict_each(self.emulators_.values(), table, with_std))

    def _answer_unseen(self) -> tuple[Any, Any]:
        return self._tables(*zip(*(emulator.leave_one_out() for emulator in self.emulators_.values())))

    def _tables(self, means: Sequence[FloatArray], stds: Sequence[FloatArray]) -> tuple[Any, Any]:
        """Outputs as they came: one array, columns of one, or a table."""
        if self._is_flat:
            return means[0], stds[0]
        mean, std = np.column_stack(means), np.column_stack(stds)
        if self._labels is None:
            return mean, std
        return pd.DataFrame(mean, columns=self._labels), pd.DataFrame(std, columns=self._labels)
