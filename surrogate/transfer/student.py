"""How a student is taught, whatever kind of labels it takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.multioutput import MultiOutputRegressor
from sklearn.utils import get_tags

from surrogate.space import Space
from surrogate.transfer.label import SMALLEST, Labels, TransferSet, accepted, estimator_type
from surrogate.transfer.table import rows_of

__all__ = ["as_probabilities", "finds_boxes", "student_classes", "student_probabilities", "teach", "teach_more"]

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
    model = _learner(student, points)
    X, y, options = _lesson(model, model.fit, points, labels, rng)
    return model.fit(X, y, **options, **accepted(model.fit, space=space, oracle=oracle))


def teach_more(
    student: Any,
    model: Any,
    points: TransferSet,
    *,
    labels: Labels = "hard",
    rng: np.random.Generator | int | None = None,
) -> Any:
    """The same with ``partial_fit``: `model` is what the student has become so far, None for the first points."""
    model = _learner(student, points) if model is None else model
    X, y, options = _lesson(model, model.partial_fit, points, labels, rng)
    model.partial_fit(X, y, **options)  # not all return themselves
    return model


def _learner(student: Any, points: TransferSet) -> Any:
    """A student that has learned nothing yet and takes as many columns as there are classes, if it learns numbers."""
    several = points.classes is not None and estimator_type(student) == "regressor"
    if several and not get_tags(student).target_tags.multi_output:
        return MultiOutputRegressor(clone(student))
    return clone(student)


def _lesson(
    student: Any,
    method: Callable[..., Any],
    points: TransferSet,
    labels: Labels,
    rng: np.random.Generator | int | None,
) -> tuple[Any, Any, dict[str, Any]]:
    """Points, labels and options as a student's ``fit`` or ``partial_fit`` takes them."""
    kind = estimator_type(student)
    soft = points.probabilities if labels != "hard" else None
    if finds_boxes(student):
        return points.X, _of_interest(points, soft), {}
    if points.classes is None:
        if kind == "classifier":
            raise TypeError(
                f"{type(student).__name__} is a classifier, but the teacher answers numbers; take a regressor, or a "
                "teacher that answers classes (of type bool, int or str) or probabilities of shape (n, k)"
            )
        return points.X, points.y, {}
    if kind == "regressor":
        if soft is None:
            soft = (points.y[:, None] == points.classes).astype(float)
        return points.X, _logits(soft) if labels == "logits" else soft, {}
    # The first chunk may lack a class, and partial_fit has to know all of them.
    known = accepted(method, classes=points.classes)
    if soft is None:
        return points.X, points.y, known
    if getattr(student, "soft_labels", False):
        return points.X, soft, {"classes": points.classes}
    if "sample_weight" in inspect.signature(method).parameters:
        rows, columns = np.nonzero(soft >= min(SMALLEST_WEIGHT, 1 / soft.shape[1]))
        return rows_of(points.X, rows), points.classes[columns], {"sample_weight": soft[rows, columns]} | known
    drawn = (np.random.default_rng(rng).random((len(soft), 1)) > soft.cumsum(axis=1)).sum(axis=1)
    return points.X, points.classes[np.minimum(drawn, soft.shape[1] - 1)], known


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
        return as_probabilities(answers, labels)
    found = np.asarray(student.predict_proba(X))
    # A class that no transfer point had is unknown to the student.
    out = np.zeros((len(found), len(classes)))
    order = np.argsort(classes)  # classes may come in any order
    out[:, order[np.searchsorted(classes, student.classes_, sorter=order)]] = found
    return out


def as_probabilities(answers: NDArray[np.float64], labels: Labels) -> NDArray[np.float64]:
    """What a regressor answers that learned `labels`, one column a class, as distributions."""
    if labels == "logits":
        return np.asarray(scipy.special.softmax(answers, axis=1))
    p = np.maximum(answers, SMALLEST)
    return np.asarray(p / p.sum(axis=1, keepdims=True))


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
