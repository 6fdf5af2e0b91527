"""What all emulators have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from surrogate.emulators.state import Stateful
from surrogate.emulators.tables import check_new, check_training, normal_mass
from surrogate.space import Space

__all__ = ["Emulator", "IntervalEmulator", "TableEmulator"]

FloatArray = NDArray[np.float64]


class Emulator(Stateful, RegressorMixin, BaseEstimator, ABC):
    """Base of the emulators: predictions of new points and of left-out runs, probabilities, saving.

    Subclassing: store the parameters in ``__init__``, and raise in `_check_options` for one that is not allowed; learn
    in ``fit`` from what :func:`surrogate.emulators.tables.check_training` gives; answer in `_answer` and
    `_answer_unseen`.
    """

    space_: Space | None
    input_range_: FloatArray | None
    n_features_in_: int

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
            Of series or fields (m, ...).
        std : array of the same shape
            Only if `return_std`.
        """
        mean, std = self._answer(check_new(self, X), return_std)
        return (mean, std) if return_std else mean

    def probability(self, X: ArrayLike, *, below: float | None = None, above: float | None = None) -> FloatArray:
        """Probability that the output, without noise, lies below or above a threshold, or between two.

        Parameters
        ----------
        X : array or DataFrame of shape (m, d)
        below, above : float
            At least one, in the output's unit.

        Returns
        -------
        array of shape (m,)

        Raises
        ------
        ValueError
            If neither is given, or no number lies above the one and below the other.

        Examples
        --------
        >>> from surrogate import GaussianProcess
        >>> gp = GaussianProcess().fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
        >>> gp.probability([[0.1], [1.9]], below=1.0).round(2)
        array([1., 0.])
        """
        if below is None and above is None:
            raise ValueError("give below, above, or both")
        if below is not None and above is not None and not above < below:
            raise ValueError(
                f"above must be less than below, the probability is that of lying between them; got {above=}, {below=}"
            )
        low, high = -np.inf if above is None else above, np.inf if below is None else below
        return self._mass(check_new(self, X), low, high)

    def leave_one_out(self) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation at every training point as predicted without it.

        Returns
        -------
        mean, std : array of shape (n,)
            Of series or fields (n, ...).
        """
        check_is_fitted(self)
        return self._answer_unseen()

    @abstractmethod
    def _answer(self, table: Any, with_std: bool) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation, which is not read unless `with_std`, at points that `check_new` gave."""

    @abstractmethod
    def _answer_unseen(self) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of the training points, each without itself or its fold."""

    def _mass(self, table: Any, low: float, high: float) -> FloatArray:
        """Probability of an output between `low` and `high`."""
        return normal_mass(*self._answer(table, True), low, high)

    def _check_options(self) -> None:
        """Raise ValueError for an option that is not allowed."""


class TableEmulator(Emulator):
    """Base of the emulators that are fitted on a table of inputs and their outputs, and nothing else.

    Subclassing: as :class:`Emulator`, but learn in `_learn`; state in `_least_rows` how many rows that needs.
    """

    _least_rows: ClassVar[int] = 2

    def fit(self, X: ArrayLike, y: ArrayLike, space: Space | None = None) -> Self:
        """Learn from runs.

        Parameters
        ----------
        X : array or DataFrame of shape (n, d)
            Numbers; with a `space` a DataFrame of its columns, in its units, of any type.
        y : array of shape (n,)
            Of several outputs an array or DataFrame of shape (n, k); of series or fields (n, ...), or a list of n.
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
        self._check_options()
        self._learn(*self._read(X, y, space))
        return self

    def _read(self, X: Any, y: Any, space: Space | None) -> tuple[Any, FloatArray]:
        return check_training(self, X, y, space, least=self._least_rows)

    @abstractmethod
    def _learn(self, table: Any, y: FloatArray) -> None:
        """Learn from inputs and outputs that were checked."""


class IntervalEmulator(TableEmulator):
    """Base of the emulators with intervals of their own, which need not be a normal distribution's."""

    def predict_interval(self, X: ArrayLike, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
        """Ends of intervals that hold the output with probability `level`.

        Parameters
        ----------
        X : array or DataFrame of shape (m, d)
        level : float
            In (0, 1).

        Returns
        -------
        low, high : array of shape (m,)
        """
        if not 0 < level < 1:
            raise ValueError(f"level must lie in (0, 1), got {level}")
        return self._ends(check_new(self, X), level)

    @abstractmethod
    def _ends(self, table: Any, level: float) -> tuple[FloatArray, FloatArray]:
        """Ends of the intervals at points that `check_new` gave."""
