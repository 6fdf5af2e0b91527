"""How a student is taught, whatever kind of labels it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.multioutput import MultiOutputRegressor
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from surrogate.space import Space
from surrogate.transfer.label import SMALLEST, Labels, TransferSet, accepted, estimator_type
from surrogate.transfer.table import rows_of

__all__ = ["finds_boxes", "student_classes", "student_probabilities", "teach"]

# Shares of a soft label that are left out of the weighted copies: each would be a row more.
SMALLEST_WEIGHT = 0.01

# Beyond this, differences between log-probabilities tell of rounding.
LARGEST_LOGIT = 8.0


def finds_boxes(student: Any) -> bool:
    """Whether a student looks for boxes: it is neither classifier nor regressor, and has ``fit``."""
    return estimator_type(student) is None and hasattr(student, "fit")


def teach(
    student: Any,
    points: TransferSet,
    *,
    labels: Labels = "hard",
    space: Space | None = None,
    oracle: Callable[[Any], NDArray[Any]] | None = None,
    rng: np.random.Generator | int | None = None,
) -> Any:
    """A student fitted on a transfer set; the student that is given stays as it is.

    Parameters
    ----------
    student : estimator
        A classifier, a regressor, or a box finder, whose ``fit(X, y)`` takes booleans or probabilities.
    points : TransferSet
    labels : {"hard", "soft", "logits"}
    space : Space, optional
        Given on to students whose ``fit`` takes it.
    oracle : callable, optional
        The teacher's classes for points, given on to students whose ``fit`` takes it and that ask on their own.
    rng : int, numpy Generator or None
        For students that can only be taught soft labels by drawing.

    Returns
    -------
    estimator

    Notes
    -----
    Soft labels reach a student as they can: one with the attribute ``soft_labels`` gets the probabilities themselves; a
    regressor learns the columns of probabilities (or of centred log-probabilities) as several outputs; a classifier
    with sample weights gets each row once a class, weighted by the probability, which for trees, boosting and logistic
    regression is the same as learning from the probabilities; any other classifier gets classes drawn from them. A box
    finder gets the probability of the second class.

    Raises
    ------
    TypeError
        If a classifier is to learn numbers, or boxes are to be found for more than two classes.
    """
    kind = estimator_type(student)
    known = accepted(student.fit, space=space, oracle=oracle)
    model = clone(student)
    soft = points.probabilities if labels != "hard" else None
    if finds_boxes(student):
        return model.fit(points.X, _of_interest(points, soft), **known)
    if points.classes is None:
        if kind == "classifier":
            raise TypeError(
                f"{type(student).__name__} is a classifier, but the teacher answers numbers; take a regressor, or a "
                "teacher that answers classes (of type bool, int or str) or probabilities of shape (n, k)"
            )
        return model.fit(points.X, points.y, **known)
    if soft is None:
        if kind == "regressor":
            soft = (points.y[:, None] == points.classes).astype(float)
        else:
            return model.fit(points.X, points.y, **accepted(student.fit, classes=points.classes), **known)
    if kind == "regressor":
        if not get_tags(student).target_tags.multi_output:
            model, known = MultiOutputRegressor(model), {}
        return model.fit(points.X, _logits(soft) if labels == "logits" else soft, **known)
    if getattr(student, "soft_labels", False):
        return model.fit(points.X, soft, classes=points.classes, **known)
    if has_fit_parameter(student, "sample_weight"):
        rows, columns = np.nonzero(soft >= min(SMALLEST_WEIGHT, 1 / soft.shape[1]))
        return model.fit(rows_of(points.X, rows), points.classes[columns], sample_weight=soft[rows, columns], **known)
    drawn = (np.random.default_rng(rng).random((len(soft), 1)) > soft.cumsum(axis=1)).sum(axis=1)
    return model.fit(points.X, points.classes[np.minimum(drawn, soft.shape[1] - 1)], **known)


def student_classes(student: Any, X: Any, classes: NDArray[Any] | None) -> NDArray[Any]:
    """A taught student's answers: classes if there are any, else numbers."""
    answers = np.asarray(student.predict(X))
    if finds_boxes(student):  # whether a row lies in the best box
        return answers if classes is None else np.asarray(classes[answers.astype(int)])
    if classes is not None and estimator_type(student) == "regressor":
        return np.asarray(classes[answers.reshape(len(answers), -1).argmax(axis=1)])
    return answers


def student_probabilities(student: Any, X: Any, classes: NDArray[Any], labels: Labels) -> NDArray[np.float64]:
    """Probabilities of `classes` by a taught student; array of shape (n, k)."""
    if estimator_type(student) == "regressor":
        answers = np.asarray(student.predict(X), dtype=float).reshape(-1, len(classes))
        if labels == "logits":
            return np.asarray(scipy.special.softmax(answers, axis=1))
        p = np.maximum(answers, SMALLEST)
        return np.asarray(p / p.sum(axis=1, keepdims=True))
    found = np.asarray(student.predict_proba(X))
    # A class that no transfer point had is unknown to the student.
    out = np.zeros((len(found), len(classes)))
    out[:, np.searchsorted(classes, student.classes_)] = found
    return out


def _of_interest(points: TransferSet, soft: NDArray[np.float64] | None) -> NDArray[Any]:
    if points.classes is None:
        return points.y
    if len(points.classes) != 2:
        raise TypeError(
            f"boxes are found for one of two classes, but the teacher has {len(points.classes)}: "
            "give a teacher that answers whether a point is of interest, or name the classes"
        )
    return np.asarray(points.y == points.classes[-1] if soft is None else soft[:, -1])


def _logits(p: NDArray[np.float64]) -> NDArray[np.float64]:
    z = np.log(np.maximum(p, SMALLEST))
    return np.asarray(np.clip(z - z.mean(axis=1, keepdims=True), -LARGEST_LOGIT, LARGEST_LOGIT))
