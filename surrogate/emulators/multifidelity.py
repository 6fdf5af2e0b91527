"""One emulator from simulations of several levels of truth: recursive co-kriging."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from surrogate.emulators.base import Emulator
from surrogate.emulators.gp.inputs import Inputs
from surrogate.emulators.tables import Scaled, check_new, check_training, remember_inputs, without_copies
from surrogate.emulators.trended import TrendedProcess, check_kernel
from surrogate.space import Space

__all__ = ["MultiFidelity"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# The kernels that "auto" tries, by likelihood.
AUTO_KERNELS = ("matern52", "squared_exponential")


class MultiFidelity(Emulator):
    """Gaussian process of the truest simulator that learns from cheaper, less true ones.

    Level 0 is the truest. Each level is the next cheaper one times a factor, plus a Gaussian process for what differs:
    f_l(x) = scale_l f_{l+1}(x) + difference_l(x). Levels are fitted from the cheapest up, each on the prediction of the
    one below; designs need not be nested.

    ``leave_one_out`` is of the runs of level 0; hyper-parameters, and all runs of cheaper levels, stay.

    Parameters
    ----------
    kernel : "auto" or a kernel of :class:`GaussianProcess`
    trend : "constant" or "linear"
        Of the difference between levels.
    nugget : float
        As of :class:`GaussianProcess`.
    n_starts : int
        Number of starting points of each level's likelihood.

    Attributes
    ----------
    n_levels_ : int
    scales_ : array of shape (n_levels - 1,)
        Factor of the next cheaper level in levels 0, 1, ...
    kernels_ : list of str
        By level.
    space_ : Space or None
    input_range_ : array of shape (2, d) or None
        Lowest and highest inputs that it learnt from; None with a space.
    n_features_in_ : int
    feature_names_in_ : array of shape (d,), if fitted on a DataFrame or with a space

    References
    ----------
    .. [1] M. C. Kennedy, A. O'Hagan, "Predicting the output from a complex computer code when fast approximations are
       available", Biometrika 87(1), 2000.
    .. [2] L. Le Gratiet, J. Garnier, "Recursive co-kriging model for design of computer experiments with multiple
       levels of fidelity", International Journal for Uncertainty Quantification 4(5), 2014, eqs. 5-9.

    Examples
    --------
    Four runs of a costly simulator, eleven of a cheap one (Forrester, Sobester and Keane 2007):

    >>> def true(x): return (6 * x[:, 0] - 2) ** 2 * np.sin(12 * x[:, 0] - 4)
    >>> def cheap(x): return 0.5 * true(x) + 10 * (x[:, 0] - 0.5) - 5
    >>> few, many = np.array([[0.0], [0.4], [0.6], [1.0]]), np.linspace(0, 1, 11)[:, None]
    >>> model = MultiFidelity().fit([few, many], [true(few), cheap(many)])
    >>> bool(abs(model.predict([[0.8]])[0] - true(np.array([[0.8]]))[0]) < 0.1)
    True
    """

    def __init__(
        self,
        *,
        kernel: str = "auto",
        trend: Literal["constant", "linear"] = "linear",
        nugget: float = 1e-12,
        n_starts: int = 3,
    ) -> None:
        self.kernel = kernel
        self.trend = trend
        self.nugget = nugget
        self.n_starts = n_starts

    def fit(self, X: Any, y: Any, space: Space | None = None, level: ArrayLike | str | None = None) -> Self:
        """Fit the levels.

        Parameters
        ----------
        X : list of arrays or DataFrames of shape (n_l, d), or one of shape (n, d)
            A list holds one entry a level, the truest first. At least two rows a level.
        y : list of arrays of shape (n_l,), or one array of shape (n,)
        space : Space, optional
            Types of the inputs.
        level : int array of shape (n,) or str, optional
            Instead of lists: each row's level, or the name of a column of `X` that holds it. Without either all runs
            are of one level.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If an option is not allowed, levels are not numbered 0, 1, ... without a gap, shapes do not match, a value
            is not a finite number, a level has fewer than two rows, or all outputs of a cheaper level are the same.
        InvalidInputError
            If inputs do not belong to `space`.
        """
        self._check_options()
        tables, outputs = [], []
        for x, own in self._by_level(X, y, level):
            table, checked = check_training(self, x, own, space)
            tables.append(table)
            outputs.append(checked)
        for number, own in enumerate(outputs[1:], 1):
            if Scaled.of(own).is_constant:
                raise ValueError(
                    f"level {number}: all {len(own)} outputs are {own[0]}, of which no factor leads to level "
                    f"{number - 1}; leave level {number} out"
                )
        self.n_levels_ = len(tables)
        together = pd.concat(tables) if isinstance(tables[0], pd.DataFrame) else np.vstack(tables)
        remember_inputs(self, together, space)
        self._inputs = Inputs.of(together, space)[0]
        # Each level by itself, for a factor between levels is part of the model, be it 1e12.
        self._scaled = [Scaled.of(own) for own in outputs]
        self._processes: list[TrendedProcess] = [None] * self.n_levels_  # type: ignore[list-item]
        for number in reversed(range(self.n_levels_)):
            z, t = self._inputs.scaled(tables[number]), self._scaled[number].forward(outputs[number])
            self._fit_level(number, z, t)
        spreads = [scaled.spread(np.ones(1))[0] for scaled in self._scaled]
        self.scales_ = np.array(
            [
                process.coefficients[-1] * (own / below)
                for process, own, below in zip(self._processes, spreads, spreads[1:])
            ]
        )
        self.kernels_ = [process.kernel for process in self._processes]
        return self

    def _check_options(self) -> None:
        if self.kernel != "auto":
            check_kernel(self.kernel)
        if self.trend not in ("constant", "linear"):
            raise ValueError(f"trend must be 'constant' or 'linear', got {self.trend!r}")

    def _by_level(self, X: Any, y: Any, level: ArrayLike | str | None) -> list[tuple[Any, Any]]:
        """Inputs and outputs of each level."""
        if isinstance(level, str):
            if not isinstance(X, pd.DataFrame) or level not in X.columns:
                raise ValueError(f"level={level!r} must name a column of X, a DataFrame")
            level, X = X[level].to_numpy(), X.drop(columns=level)
        if level is not None:
            number = np.asarray(level)
            if number.shape != (len(X),) or not np.array_equal(number, number.astype(np.int64)):
                raise ValueError(f"level must be an array of shape ({len(X)},) of whole numbers like the rows of X")
            found = np.unique(number)
            if not np.array_equal(found, np.arange(len(found))):
                raise ValueError(f"levels must be numbered 0 (the truest), 1, ... without a gap, got {found.tolist()}")
            masks = [number == one for one in found]
            rows = [X[mask] if isinstance(X, pd.DataFrame) else np.asarray(X)[mask] for mask in masks]
            return list(zip(rows, (np.asarray(y)[mask] for mask in masks)))
        if isinstance(X, Sequence) and not isinstance(X, str) and len(X) and np.ndim(X[0]) == 2:
            if not isinstance(y, Sequence) or len(X) != len(y):
                raise ValueError(f"X is a list of {len(X)} levels; y must be a list of as many arrays")
            return list(zip(X, y))
        return [(X, y)]

    def _fit_level(self, number: int, z: FloatArray, t: FloatArray) -> None:
        # Of a repeated point the mean output counts.
        rows, t, group = without_copies(z, t)
        points = z[rows]
        kernels = AUTO_KERNELS if self.kernel == "auto" else (self.kernel,)
        basis = self._basis(number, points, *self._below(number, points, with_variance=False)[:1])
        self._processes[number] = TrendedProcess.fit(points, t, basis, kernels, self.nugget, self.n_starts)
        if number == 0:
            self._group = group

    def _below(self, number: int, z: FloatArray, *, with_variance: bool) -> tuple[FloatArray | None, FloatArray | None]:
        """Prediction of the next cheaper level, if there is one."""
        if number + 1 == self.n_levels_:
            return None, None
        return self._predict_level(number + 1, z, with_variance=with_variance)

    def _basis(self, number: int, z: FloatArray, below: FloatArray | None) -> FloatArray:
        """Trend functions of a level: polynomial of the difference, then the level below."""
        columns = [np.ones(len(z))]
        if below is None:
            return np.column_stack(columns)
        process = self._processes[number]
        # As many as its runs can tell apart: those of a fitted level, else what leaves a third of the runs.
        width = process.posterior.problem.basis.shape[1] if process is not None else self._width(z, below)
        if width > 2:
            columns += list((2.0 * z - 1.0).T)
        return np.column_stack([*columns, below])

    def _width(self, z: FloatArray, below: FloatArray) -> int:
        n, c = z.shape
        if self.trend == "constant" or n < 1.5 * (c + 2):
            return 2
        full = np.column_stack([np.ones(n), 2.0 * z - 1.0, below])
        return full.shape[1] if np.linalg.matrix_rank(full, tol=1e-9 * np.sqrt(n)) == full.shape[1] else 2

    def _predict_level(self, number: int, z: FloatArray, *, with_variance: bool) -> tuple[FloatArray, FloatArray]:
        below, uncertain = self._below(number, z, with_variance=with_variance)
        process = self._processes[number]
        mean, variance = process.predict(z, self._basis(number, z, below), with_variance=with_variance)
        if with_variance and uncertain is not None:
            # Le Gratiet and Garnier (2014), eq. 8.
            variance = variance + process.coefficients[-1] ** 2 * uncertain
        return mean, variance

    @overload
    def predict(self, X: ArrayLike, return_std: Literal[False] = False, level: int = 0) -> FloatArray: ...
    @overload
    def predict(self, X: ArrayLike, return_std: Literal[True], level: int = 0) -> tuple[FloatArray, FloatArray]: ...
    def predict(self, X: ArrayLike, return_std: bool = False, level: int = 0) -> Any:
        """Mean, and standard deviation if asked for, of a level's output at new points.

        Parameters
        ----------
        X : array or DataFrame of shape (m, d)
        return_std : bool
        level : int
            0 is the truest.

        Returns
        -------
        mean : array of shape (m,)
        std : array of shape (m,)
            Only if `return_std`.
        """
        mean, std = self._answer(check_new(self, X), return_std, level)
        return (mean, std) if return_std else mean

    def _answer(self, table: Any, with_std: bool, level: int = 0) -> tuple[FloatArray, FloatArray]:
        if not 0 <= level < self.n_levels_:
            raise ValueError(f"level must lie in 0 to {self.n_levels_ - 1}, got {level}")
        mean, variance = self._predict_level(level, self._inputs.scaled(table), with_variance=with_std)
        return self._scaled[level].moments(mean, np.sqrt(variance))

    def _answer_unseen(self) -> tuple[FloatArray, FloatArray]:
        process = self._processes[0]
        mean, variance = process.leave_one_out()
        if self.n_levels_ > 1:
            uncertain = self._below(0, process.posterior.problem.z, with_variance=True)[1]
            variance = variance + process.coefficients[-1] ** 2 * uncertain
        return self._scaled[0].moments(mean[self._group], np.sqrt(variance)[self._group])
