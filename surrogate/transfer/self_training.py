"""A teacher that learns from unlabelled points what it is sure of already."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.optimize
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils import get_tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from surrogate.transfer.label import SMALLEST, TransferSet, label, n_rows
from surrogate.transfer.table import checked, rows_of, stacked

__all__ = ["SelfTraining"]

FloatArray = NDArray[np.float64]

# With fewer labels held out than this a temperature or a fall of the accuracy would be chance.
LEAST_HELD_OUT = 20

# Temperatures looked at: beyond them a confidence is nothing or everything.
TEMPERATURES = (0.1, 10.0)


class SelfTraining(ClassifierMixin, BaseEstimator):
    """Fit a classifier, let it label the unlabelled points it is sure of, and fit it again on both.

    Confidence is calibrated first: the probabilities are sharpened or softened by one temperature, the likeliest for
    labels that were held out [2]_. Of the points above the threshold each class may be at most `balance` times as
    frequent as among the labels, the surest first. Self-training ends when nothing is added, or when the accuracy on
    the held-out labels falls below the best by more than chance; the best round is kept.

    Parameters
    ----------
    teacher : classifier with ``predict_proba``
        Cloned and fitted anew each round.
    threshold : float
        Least calibrated probability of a label that is believed.
    rounds : int
        At most.
    unlabelled : table of shape (m, d), optional
        May be given to ``fit`` instead. Without it, the teacher is fitted and calibrated only.
    validation : float
        Share of the labels held out for calibration and for noticing harm; 0 does without both.
    balance : float, optional
        None takes all points above the threshold.
    permanent : bool
        Whether a point keeps the label of the round in which it was first believed; else it is asked about each round.
    refit : bool
        Whether the teacher is fitted once more at the end with the held-out labels too.
    random_state : int

    Attributes
    ----------
    teacher_ : fitted
    classes_ : array of shape (k,)
    history_ : DataFrame
        One row a round: ``n_believed``, ``temperature``, ``score`` (accuracy on the held-out labels, NaN without).
    best_round_ : int
        0 if no unlabelled point helped.
    stopped_ : str
        Why it ended.
    pseudo_labels_ : TransferSet
        The unlabelled points that were believed in the best round, with their labels.
    temperature_ : float
    n_features_in_ : int

    References
    ----------
    .. [1] D. Yarowsky, "Unsupervised word sense disambiguation rivaling supervised methods", ACL 1995.
    .. [2] C. Guo, G. Pleiss, Y. Sun, K. Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> X = np.random.default_rng(0).normal(size=(400, 2))
    >>> y = np.where(X.sum(axis=1) > 0, "up", "down")
    >>> model = SelfTraining(LogisticRegression(), threshold=0.9, rounds=2, unlabelled=X[100:]).fit(X[:100], y[:100])
    >>> bool(model.score(X[100:], y[100:]) > 0.9)
    True
    """

    def __init__(
        self,
        teacher: Any,
        threshold: float = 0.98,
        rounds: int = 10,
        *,
        unlabelled: Any = None,
        validation: float = 0.2,
        balance: float | None = 2.0,
        permanent: bool = False,
        refit: bool = True,
        random_state: int = 0,
    ) -> None:
        self.teacher = teacher
        self.threshold = threshold
        self.rounds = rounds
        self.unlabelled = unlabelled
        self.validation = validation
        self.balance = balance
        self.permanent = permanent
        self.refit = refit
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if hasattr(self.teacher, "__sklearn_tags__"):
            inner = get_tags(self.teacher)
            tags.input_tags, tags.classifier_tags = inner.input_tags, inner.classifier_tags
        return tags

    def fit(self, X: Any, y: Any, *, unlabelled: Any = None) -> SelfTraining:
        """Train.

        Parameters
        ----------
        X : table of shape (n, d)
        y : array of shape (n,)
        unlabelled : table of shape (m, d), optional

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If an option makes no sense, or the teacher has no probabilities.
        """
        self._check_parameters()
        X = self._checked(X, reset=True)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        if len(y) != n_rows(X):
            raise ValueError(
                f"y must have as many rows as X: inconsistent numbers of samples, {n_rows(X)} and {len(y)}"
            )
        pool = self.unlabelled if unlabelled is None else unlabelled
        pool = None if pool is None else self._checked(pool, reset=False)
        self.classes_ = np.unique(y)
        train, held = self._parts(y)
        first = TransferSet(rows_of(X, train), y[train], None, self.classes_)
        model = clone(self.teacher).fit(first.X, first.y)
        temperature, score = self._judged(model, X, y, held)
        rounds = [(model, temperature, np.empty(0, dtype=np.int64), np.empty(0, dtype=y.dtype))]
        history = [(0, temperature, score)]
        self.stopped_ = "no unlabelled points" if pool is None else "all rounds done"
        for _ in range(self.rounds if pool is not None else 0):
            model, temperature, rows, labels = rounds[-1]
            believed = self._believed(model, pool, temperature, y)
            if self.permanent:
                new = np.setdiff1d(believed[0], rows, assume_unique=True)
                keep = np.isin(believed[0], new)
                believed = (np.concatenate([rows, believed[0][keep]]), np.concatenate([labels, believed[1][keep]]))
            if _same(believed, (rows, labels)):
                self.stopped_ = "nothing new was believed" if len(rows) else "nothing was believed"
                break
            model = clone(self.teacher).fit(
                stacked([first.X, rows_of(pool, believed[0])]), np.concatenate([first.y, believed[1]])
            )
            temperature, score = self._judged(model, X, y, held)
            rounds.append((model, temperature, *believed))
            history.append((len(believed[0]), temperature, score))
            best = max(s for _, _, s in history) if len(held) else np.nan
            # Twice the standard error of the difference of two shares of the same rows is more than chance.
            if len(held) and score < best - 2 * np.sqrt(max(best * (1 - best), 1 / len(held)) / len(held)):
                self.stopped_ = "it harmed: the accuracy on held-out labels fell"
                break
        scores = np.array([s for _, _, s in history])
        # Of equals the latest: it has seen most points.
        self.best_round_ = len(rounds) - 1 if np.isnan(scores).all() else int(len(scores) - 1 - scores[::-1].argmax())
        self.history_ = pd.DataFrame(history, columns=["n_believed", "temperature", "score"]).rename_axis("round")
        self.teacher_, self.temperature_, rows, labels = rounds[self.best_round_]
        points = rows_of(X, slice(0, 0)) if pool is None else rows_of(pool, rows)
        self.pseudo_labels_ = TransferSet(points, labels, None, self.classes_)
        if self.refit and len(held):
            parts = [X] if pool is None or not len(rows) else [X, points]
            self.teacher_ = clone(self.teacher).fit(stacked(parts), np.concatenate([y, labels]))
        return self

    def _check_parameters(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold must be a probability, got {self.threshold}")
        if self.rounds < 0:
            raise ValueError(f"rounds must not be negative, got {self.rounds}")
        if not 0 <= self.validation < 1:
            raise ValueError(f"validation must be a share below 1, got {self.validation}")
        if self.balance is not None and not self.balance >= 1:
            raise ValueError(f"balance must be at least 1, got {self.balance}")
        if not hasattr(self.teacher, "predict_proba"):
            raise ValueError(
                f"{type(self.teacher).__name__} has no predict_proba, so nothing tells what it is sure of; "
                "wrap it in CalibratedClassifierCV"
            )

    def _checked(self, X: Any, *, reset: bool) -> Any:
        finite = not self.__sklearn_tags__().input_tags.allow_nan
        return checked(self, X, reset=reset, accept_sparse="csr", allow_nd=True, ensure_all_finite=finite)

    def _parts(self, y: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows to learn from and rows held out: none where there are too few, or a class would have no row left."""
        counts = np.unique(y, return_counts=True)[1]
        n = round(self.validation * len(y))
        if n < max(LEAST_HELD_OUT, len(counts)) or counts.min() < 2 or len(y) - n < len(counts):
            return np.arange(len(y)), np.empty(0, dtype=np.int64)
        split = StratifiedShuffleSplit(1, test_size=n, random_state=self.random_state)
        train, held = next(split.split(np.zeros(len(y)), y))
        return train, held

    def _judged(self, model: Any, X: Any, y: NDArray[Any], held: NDArray[np.int64]) -> tuple[float, float]:
        """Temperature and accuracy of a model on the held-out labels; 1 and NaN without any."""
        if not len(held):
            return 1.0, float("nan")
        p = self._probabilities(model, rows_of(X, held))
        codes = np.searchsorted(self.classes_, y[held])
        logs = np.log(np.maximum(p, SMALLEST))

        def surprise(log_temperature: float) -> float:
            z = logs / np.exp(log_temperature)
            return float((np.logaddexp.reduce(z, axis=1) - z[np.arange(len(z)), codes]).mean())

        bounds = tuple(np.log(TEMPERATURES))
        found = scipy.optimize.minimize_scalar(surprise, bounds=bounds, method="bounded")
        return float(np.exp(found.x)), float((p.argmax(axis=1) == codes).mean())

    def _probabilities(self, model: Any, X: Any) -> FloatArray:
        """Of ``classes_``; a class that the model did not see has none."""
        found = label(model, X, labels="soft")
        out = np.zeros((n_rows(X), len(self.classes_)))
        if found.probabilities is not None and found.classes is not None:
            out[:, np.searchsorted(self.classes_, found.classes)] = found.probabilities
        return out

    def _believed(
        self, model: Any, pool: Any, temperature: float, y: NDArray[Any]
    ) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Rows of the pool that are believed, in order, and their labels."""
        p = _tempered(self._probabilities(model, pool), temperature)
        sure, code = p.max(axis=1), p.argmax(axis=1)
        rows = np.flatnonzero(sure >= self.threshold)
        if self.balance is not None and len(rows):
            share = np.bincount(np.searchsorted(self.classes_, y), minlength=len(self.classes_)) / len(y)
            most = np.ceil(self.balance * share * len(rows)).astype(np.int64)
            ranked = rows[np.argsort(-sure[rows], kind="stable")]
            kept = [ranked[code[ranked] == c][: most[c]] for c in range(len(self.classes_))]
            rows = np.sort(np.concatenate(kept))
        return rows, self.classes_[code[rows]]

    def predict_proba(self, X: Any) -> FloatArray:
        """Calibrated probabilities of ``classes_``; array of shape (m, k)."""
        check_is_fitted(self)
        return _tempered(self._probabilities(self.teacher_, self._checked(X, reset=False)), self.temperature_)

    def predict(self, X: Any) -> NDArray[Any]:
        """The likeliest classes; array of shape (m,)."""
        p = self.predict_proba(X)
        return np.asarray(self.classes_[p.argmax(axis=1)])


def _tempered(p: FloatArray, temperature: float) -> FloatArray:
    if temperature == 1:
        return p
    z = np.log(np.maximum(p, SMALLEST)) / temperature
    z = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(z / z.sum(axis=1, keepdims=True))


def _same(one: tuple[NDArray[Any], NDArray[Any]], other: tuple[NDArray[Any], NDArray[Any]]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other))
