"""Probability that a run is of interest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
import scipy.optimize
import scipy.special
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from surrogate.conditions import Condition
from surrogate.emulators.auto import AutoEmulator
from surrogate.emulators.forest import ForestEmulator
from surrogate.emulators.gp.gaussian_process import GaussianProcess
from surrogate.emulators.state import Stateful
from surrogate.emulators.tables import check_new, check_training, fit_on, normal_mass, refuse_text, remember_inputs
from surrogate.space import Space

__all__ = ["ProbabilityEmulator"]

FloatArray = NDArray[np.float64]

BELOW, ABOVE = ("<", "<="), (">", ">=")

# Weak pull of a calibration's slope and offset towards no change, in runs: with few of one kind the likelihood has no
# maximum.
PRIOR_RUNS = 1.0


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A probability from an emulator of labels 0 and 1.

    Attributes
    ----------
    emulator : emulator
    slope, offset : float
        Of the log odds by the emulator's score, [1]_.

    References
    ----------
    .. [1] J. Platt, "Probabilistic outputs for support vector machines and comparisons to regularized likelihood
       methods", Advances in Large Margin Classifiers, MIT Press 1999.
    """

    emulator: Any
    slope: float
    offset: float

    @classmethod
    def of(cls, emulator: Any, labels: FloatArray) -> tuple[Calibrated, FloatArray]:
        """Calibrated on the emulator's leave-one-out predictions, and the probability of each run from the others."""
        score = _score(*emulator.leave_one_out())
        # Platt's targets: not quite 0 and 1, as with one more run of each kind.
        positive, negative = labels.sum(), (1 - labels).sum()
        targets = np.where(labels > 0, (positive + 1) / (positive + 2), 1 / (negative + 2))

        def loss(p: FloatArray) -> Any:  # scipy-stubs take a value with its gradient for an array of values
            odds = p[0] * score + p[1]
            error = scipy.special.expit(odds) - targets
            value = (np.logaddexp(0.0, odds) - targets * odds).sum() + 0.5 * PRIOR_RUNS * ((p[0] - 1) ** 2 + p[1] ** 2)
            gradient = np.array([error @ score + PRIOR_RUNS * (p[0] - 1), error.sum() + PRIOR_RUNS * p[1]])
            return float(value), gradient

        found = scipy.optimize.minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS").x
        # A score that points the other way is noise.
        made = cls(emulator, max(float(found[0]), 0.0), float(found[1]))
        return made, made._probability(score)

    def probability(self, table: Any) -> FloatArray:
        """Of label 1 at new points."""
        mean, std = self.emulator.predict(table, return_std=True)
        # Left-out labels were predicted with their noise, which may differ by run.
        noise = np.sqrt(np.mean(np.square(getattr(self.emulator, "noise_std_", 0.0))))
        return self._probability(_score(mean, np.hypot(std, noise)))

    def _probability(self, score: FloatArray) -> FloatArray:
        return np.asarray(scipy.special.expit(self.slope * score + self.offset))


def _score(mean: FloatArray, std: FloatArray) -> FloatArray:
    """Log odds that a label exceeds one half if it were normal, bounded."""
    z = (mean - 0.5) / np.sqrt(std**2 + 0.05**2)
    # The normal distribution function is nearly a logistic one of 1.702 times its argument.
    return np.asarray(np.clip(1.702 * z, -12.0, 12.0))


class ProbabilityEmulator(Stateful, ClassifierMixin, BaseEstimator):
    """Probability that a run is of interest: from an emulator of the output, or from labels.

    An output that is a number says more than whether it passes a threshold: it is emulated, and the probability is that
    of its distribution beyond the threshold. Labels alone are learnt by a Gaussian process and by a forest; the better
    of the two, by the log loss of unseen runs, is used, calibrated on these.

    Parameters
    ----------
    condition : str or Condition, optional
        What is of interest of a continuous output: e.g. ``"< 0"``, or ``"growth_rate < 0"``, the name being the
        reader's.
    emulator : emulator, optional
        Of the continuous output; by default an :class:`AutoEmulator`.
    rng : int, Generator or None
        Of the default emulators.

    Attributes
    ----------
    classes_ : array of shape (2,)
        The second is of interest. False and True where a condition was given.
    emulator_ : emulator
        Of the output or of the labels.
    method_ : str
        "continuous output", or which model of the labels.
    log_losses_ : Series, if fitted on labels
        Mean log loss of unseen runs by model.
    left_out_ : array of shape (n,), if fitted on labels
        Probability that each run is of interest, from the other runs.
    space_ : Space or None
    input_range_ : array of shape (2, d) or None
        Lowest and highest inputs that it learnt from; None with a space.
    n_features_in_ : int
    feature_names_in_ : array of shape (d,), if fitted on a DataFrame or with a space

    Examples
    --------
    >>> x = np.random.default_rng(0).random((40, 2))
    >>> model = ProbabilityEmulator("< 0.25").fit(x, x[:, 0] * x[:, 1])
    >>> model.predict_proba([[0.1, 0.1], [0.9, 0.9]])[:, 1].round(2)
    array([1., 0.])
    >>> ProbabilityEmulator().fit(x, x[:, 0] > 0.5).predict([[0.1, 0.5], [0.9, 0.5]])
    array([False,  True])
    """

    def __init__(
        self,
        condition: str | Condition | None = None,
        *,
        emulator: Any = None,
        rng: int | np.random.Generator | None = 0,
    ) -> None:
        self.condition = condition
        self.emulator = emulator
        self.rng = rng

    def fit(self, X: ArrayLike, y: ArrayLike, space: Space | None = None) -> Self:
        """Learn the output, or the labels.

        Parameters
        ----------
        X : array or DataFrame of shape (n, d)
            Numbers; with a `space` a DataFrame of its columns, in its units, of any type.
        y : array of shape (n,)
            Numbers, if a condition was given, or labels of two kinds: the second in sorting order (True, 1) is of
            interest.
        space : Space, optional
            Types of the inputs.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If all labels are of one kind, there are more than two, or numbers come without a condition; if the
            condition is an equality; and as the emulators do.
        """
        condition = self._parsed()
        if condition is None:
            return self._fit_labels(X, y, space)
        values = np.asarray(y)
        if values.dtype == bool or (values.dtype != object and len(np.unique(values)) <= 2):
            # Two values say no more than labels do.
            table, checked = check_training(self, X, y, space, least=3)
            self.classes_ = np.array([False, True])
            self._condition = None
            return self._fit_classes(table, condition.holds(checked))
        if condition.operator not in (*BELOW, *ABOVE):
            raise ValueError(
                f"a continuous output equals no number; use <, <=, > or >= instead of {condition.operator!r}"
            )
        table, checked = check_training(self, X, y, space, least=3)
        self.classes_ = np.array([False, True])
        self._condition = condition.between(checked)
        model = AutoEmulator(rng=self.rng) if self.emulator is None else clone(self.emulator)
        self.emulator_ = fit_on(model, table, checked, space)
        self.method_ = "continuous output"
        return self

    def _parsed(self) -> Condition | None:
        if self.condition is None or isinstance(self.condition, Condition):
            return self.condition
        text = str(self.condition).strip()
        return Condition.parse(text, "output" if text[:1] in "<>=!" else None)

    def _fit_labels(self, X: ArrayLike, y: ArrayLike, space: Space | None) -> Self:
        if space is None:
            refuse_text(X)
            table, labels = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=3)
            remember_inputs(self, table, None)
        else:
            labels = np.asarray(y)
            table, _ = check_training(self, X, np.zeros(len(labels)), space, least=3)
        kind = type_of_target(labels, input_name="y", raise_unknown=True)
        if kind != "binary":
            if kind.startswith("continuous"):
                raise ValueError(
                    "Unknown label type: y is continuous; give a condition, e.g. ProbabilityEmulator('< 0')"
                )
            raise ValueError(f"Only binary classification is supported. The type of the target is {kind}.")
        self.classes_, codes = np.unique(labels, return_inverse=True)
        self._condition = None
        return self._fit_classes(table, codes.astype(bool))

    def _fit_classes(self, table: Any, of_interest: NDArray[np.bool_]) -> Self:
        if of_interest.all() or not of_interest.any():
            raise ValueError("y holds only one class; runs of both kinds are needed to tell them apart")
        labels = of_interest.astype(float)
        candidates: dict[str, Any] = {
            "gaussian process": GaussianProcess(kernel="matern52", noise="estimate", warp=None),
            "forest": ForestEmulator(kind="random_forest", rng=self.rng),
        }
        if self.emulator is not None:
            candidates = {"emulator": clone(self.emulator)}
        fitted, left_out, losses = {}, {}, {}
        for name, model in candidates.items():
            calibrated, probability = Calibrated.of(fit_on(model, table, labels, self.space_), labels)
            fitted[name], left_out[name] = calibrated, probability
            losses[name] = float(-np.log(np.where(of_interest, probability, 1.0 - probability)).mean())
        self.log_losses_ = pd.Series(losses, name="log_loss").sort_values()
        self.method_ = str(self.log_losses_.index[0])
        self.left_out_ = left_out[self.method_]
        self._calibrated = fitted[self.method_]
        self.emulator_ = self._calibrated.emulator
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def predict_proba(self, X: ArrayLike) -> FloatArray:
        """Probability of each class.

        Parameters
        ----------
        X : array or DataFrame of shape (m, d)

        Returns
        -------
        array of shape (m, 2)
            The second column is the probability of being of interest.
        """
        table = check_new(self, X)
        if self._condition is None:
            of_interest = self._calibrated.probability(table)
        else:
            of_interest = _beyond(self.emulator_, table, self._condition)
        return np.column_stack([1.0 - of_interest, of_interest])

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The likelier class.

        Parameters
        ----------
        X : array or DataFrame of shape (m, d)

        Returns
        -------
        array of shape (m,)
        """
        check_is_fitted(self)
        return np.asarray(self.classes_[(self.predict_proba(X)[:, 1] > 0.5).astype(np.int64)])


def _beyond(emulator: Any, table: Any, condition: Condition) -> FloatArray:
    is_below = condition.operator in BELOW
    if hasattr(emulator, "probability"):
        return np.asarray(emulator.probability(table, **{"below" if is_below else "above": condition.value}))
    low, high = (-np.inf, condition.value) if is_below else (condition.value, np.inf)
    mean, std = emulator.predict(table, return_std=True)
    return normal_mass(mean, std, low, high)
