"""ALPA: a transfer set grown where the teacher is least sure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_is_fitted, column_or_1d

from surrogate.transfer.generators.neighbours import nearest_rows, unit_distances
from surrogate.transfer.label import TransferSet, label
from surrogate.transfer.student import student_classes, teach
from surrogate.transfer.table import Columns, as_frame, checked, rows_of, stacked

__all__ = ["Alpa"]

# Two to learn from and two to choose by.
MIN_ROWS = 4


class Alpa(ClassifierMixin, BaseEstimator):
    """Teach a student by the data, relabelled by the teacher, and by new points in the teacher's valleys of confidence.

    Valley points are the rows of which the teacher is least sure. A new point lies between a valley point and one of
    its near neighbours, at a random fraction of the way; the teacher labels it. How many are added, and how wide the
    valleys are, is chosen by the student's agreement with the teacher on a validation part of the data.

    Parameters
    ----------
    teacher : classifier with ``predict_proba``
        Cloned and fitted.
    student : estimator
        Cloned.
    valleys : sequence of float
        Shares of the rows that are valley points.
    multiples : sequence of float
        Numbers of new points, in multiples of the number of rows.
    n_neighbors : int
    validation : float
        Share of the rows that choose.
    random_state : int

    Attributes
    ----------
    teacher_, student_ : fitted
    classes_ : array of shape (k,)
    chosen_ : dict
        ``valley`` and ``multiple`` that were chosen.
    transfer_set_ : TransferSet
    n_features_in_ : int

    References
    ----------
    .. [1] E. Junque de Fortuny, D. Martens, "Active Learning-Based Pedagogical Rule Extraction", IEEE Transactions on
       Neural Networks and Learning Systems 26(11), 2015.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> alpa = Alpa(GaussianNB(), DecisionTreeClassifier(max_depth=1)).fit(X, X[:, 0] > 0)
    >>> bool(alpa.score(X, X[:, 0] > 0) > 0.95)
    True
    """

    def __init__(
        self,
        teacher: Any,
        student: Any,
        *,
        valleys: tuple[float, ...] = (0.1, 0.25, 0.5),
        multiples: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 5.0),
        n_neighbors: int = 3,
        validation: float = 1 / 3,
        random_state: int = 0,
    ) -> None:
        self.teacher = teacher
        self.student = student
        self.valleys = valleys
        self.multiples = multiples
        self.n_neighbors = n_neighbors
        self.validation = validation
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Alpa:
        """Fit the teacher, grow the transfer set, fit the student.

        Parameters
        ----------
        X : DataFrame or array of shape (n, d)
        y : array of shape (n,)

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there are too few rows, or the teacher has no probabilities.
        """
        if not self.valleys or not all(0 < share <= 1 for share in self.valleys):
            raise ValueError(f"valleys must be shares of the rows, got {self.valleys}")
        if not self.multiples or min(self.multiples) < 0:
            raise ValueError(f"multiples must not be negative, got {self.multiples}")
        X = checked(self, X, reset=True)
        if len(X) < MIN_ROWS:
            raise ValueError(f"Alpa needs at least {MIN_ROWS} rows, got n_samples = {len(X)}")
        y = column_or_1d(y, warn=True)
        self.teacher_ = clone(self.teacher).fit(X, y)
        self.classes_ = self.teacher_.classes_
        frame, dtype = as_frame(X)
        self._columns = Columns.of_frame(frame, dtype)
        codes = self._columns.encode(frame)
        known = label(self.teacher_, X, labels="soft")
        train, held = train_test_split(np.arange(len(codes)), test_size=self.validation, random_state=self.random_state)
        goal = known.y[held]
        best: tuple[float, float, float] = (-1.0, self.valleys[0], 0.0)
        # More points are tried later: of equals the smaller transfer set wins.
        for multiple in sorted(self.multiples):
            for valley in self.valleys if multiple else self.valleys[:1]:
                points = self._points(X, codes, known, train, valley, multiple)
                student = teach(self.student, points)
                agreement = float((student_classes(student, rows_of(X, held), self.classes_) == goal).mean())
                best = max(best, (agreement, valley, multiple), key=lambda entry: entry[0])
        self.chosen_ = {"valley": best[1], "multiple": best[2]}
        self.transfer_set_ = self._points(X, codes, known, np.arange(len(codes)), best[1], best[2])
        self.student_ = teach(self.student, self.transfer_set_)
        return self

    def _points(
        self,
        X: Any,
        codes: NDArray[np.float64],
        known: TransferSet,
        rows: NDArray[np.int64],
        valley: float,
        multiple: float,
    ) -> TransferSet:
        """Rows as the teacher labels them, and new points in its valleys."""
        first = TransferSet(rows_of(X, rows), known.y[rows], None, self.classes_)
        n = round(multiple * len(rows))
        p = known.probabilities
        if n == 0 or len(rows) < 2 or p is None:
            return first
        rng = np.random.default_rng(self.random_state)
        mine, confidence = codes[rows], p[rows].max(axis=1)
        low = np.argsort(confidence, kind="stable")[: max(1, round(valley * len(rows)))]
        near = nearest_rows(unit_distances(mine, self._columns), min(self.n_neighbors, len(rows) - 1))
        start = rng.choice(low, n)
        other = near[start, rng.integers(0, near.shape[1], n)]
        a, b = mine[start], mine[other]
        nominal = self._columns.nominal
        between = a + rng.random((n, 1)) * (b - a)
        new = self._columns.decode(np.where(nominal, np.where(rng.random(a.shape) < 0.5, a, b), between))
        answers = label(self.teacher_, new)
        return TransferSet(stacked([first.X, answers.X]), np.concatenate([first.y, answers.y]), None, self.classes_)

    def predict(self, X: Any) -> NDArray[Any]:
        """The student's classes; array of shape (m,)."""
        check_is_fitted(self)
        return student_classes(self.student_, checked(self, X, reset=False), self.classes_)
