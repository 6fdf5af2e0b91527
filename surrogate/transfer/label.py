"""A teacher's answers to points: the transfer set. The only place where teachers are asked."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import joblib
import numpy as np
import pandas as pd
import scipy.special
from numpy.typing import NDArray
from sklearn.utils import get_tags

from surrogate.outputs import Series
from surrogate.simulation import Simulator
from surrogate.transfer.table import rows_of

__all__ = ["LABELS", "Labels", "TransferSet", "accepted", "estimator_type", "is_simulator", "label", "n_rows"]

Labels = Literal["hard", "soft", "logits"]
LABELS = ("hard", "soft", "logits")

# Rows a teacher is asked for at a time: bounds the memory that it needs beside its answers.
CHUNK_ROWS = 65_536

# Of a probability, so that it has a logarithm.
SMALLEST = 1e-6

# How far probabilities may miss a sum of 1 and still be probabilities: float32 softmaxes of many classes do.
SUM_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class TransferSet:
    """Points with a teacher's answers.

    Attributes
    ----------
    X : table of shape (n, d)
    y : array of shape (n,) or (n, m)
        Classes, or numbers.
    probabilities : array of shape (n, k), optional
        Of each class, where soft labels were asked for.
    classes : array of shape (k,), optional
        None if the answers are numbers.
    answered : int array of shape (n,), optional
        Positions of the points among those that were asked; None if all are there. A simulator's runs may fail.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> teacher = LogisticRegression().fit([[0.0], [1.0]], ["off", "on"])
    >>> told = label(teacher, np.array([[0.2], [0.9]]), labels="soft")
    >>> told.y.tolist(), told.probabilities.shape
    (['off', 'on'], (2, 2))
    """

    X: Any
    y: NDArray[Any]
    probabilities: NDArray[np.float64] | None = None
    classes: NDArray[Any] | None = None
    answered: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.y)

    def beside(self, y: Any) -> NDArray[Any]:
        """What belongs to the points that were asked, such as their true labels, of those that are here."""
        return np.asarray(y) if self.answered is None else np.asarray(y)[self.answered]

    def take(self, index: Any) -> TransferSet:
        """The rows at positions or under a mask."""
        soft = None if self.probabilities is None else self.probabilities[index]
        answered = np.arange(len(self)) if self.answered is None else self.answered
        X, y = rows_of(self.X, index), self.y[index]
        return replace(self, X=X, y=y, probabilities=soft, answered=answered[index])


def label(
    teacher: Any,
    X: Any,
    *,
    labels: Labels = "hard",
    classes: Any = None,
    temperature: float = 1.0,
    logits: bool = False,
    chunk_rows: int = CHUNK_ROWS,
    n_jobs: int = 1,
    run: Callable[..., Any] | None = None,
    output: str | None = None,
) -> TransferSet:
    """Ask a teacher for its answers to points.

    Parameters
    ----------
    teacher : fitted classifier or regressor, callable, or Simulator
        A callable takes a table of points. What it returns is read by its shape and type: text, whole numbers or
        booleans of shape (n,) are classes; floats of shape (n,) are numbers; floats of shape (n, k) whose rows are
        distributions are probabilities of the classes.
    X : table of shape (n, d)
        What the teacher takes: DataFrame, array, or sparse matrix.
    labels : {"hard", "soft", "logits"}
        Whether classes are enough or probabilities are wanted. Numbers are numbers either way.
    classes : sequence of length k, optional
        Names of the columns of probabilities; by default the teacher's ``classes_``, else 0 to k - 1.
    temperature : float
        Above 1 softens the probabilities: the logits are divided by it [1]_.
    logits : bool
        Whether the teacher's scores of shape (n, k), or its ``decision_function`` if it has no probabilities, are
        unnormalised log-probabilities.
    chunk_rows : int
        Rows asked for at a time.
    n_jobs : int
        Threads that ask chunks at the same time, as in joblib.
    run : callable, optional
        How runs of a simulator are made, ``run(simulator, design) -> Runs``: :func:`surrogate.run`, or a
        ``functools.partial`` of it with ``store=``, ``n_jobs=`` and so on. Needed for a simulator only.
    output : str, optional
        Which output of a simulator; needed if it has several scalar ones.

    Returns
    -------
    TransferSet
        In the order of `X`; of a simulator without the runs that failed.

    Raises
    ------
    TypeError
        If the teacher cannot be asked.
    ValueError
        If it answers NaN, too few rows, scores that are no probabilities, or classes where probabilities are wanted.

    References
    ----------
    .. [1] G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network", arXiv:1503.02531, 2015.

    Examples
    --------
    >>> label(lambda X: X[:, 0] > 0.5, np.array([[0.2], [0.9]])).y
    array([False,  True])
    """
    if labels not in LABELS:
        raise ValueError(f"labels must be one of {', '.join(LABELS)}, got {labels!r}")
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    if chunk_rows < 1:
        raise ValueError(f"chunk_rows must be at least 1, got {chunk_rows}")
    if is_simulator(teacher):
        return _simulated(teacher, X, run, output)
    soft = labels != "hard"
    kind = estimator_type(teacher)
    ask, scores = _question(teacher, kind, soft, logits)
    n = n_rows(X)
    starts = range(0, n, chunk_rows)
    chunks = (rows_of(X, slice(start, min(start + chunk_rows, n))) for start in starts)
    if n_jobs == 1:
        parts = [_asked(ask, chunk) for chunk in chunks]
    else:
        # Threads: most teachers let go of the interpreter while they compute, and none has to be copied.
        parts = joblib.Parallel(n_jobs=n_jobs, prefer="threads")(joblib.delayed(_asked)(ask, chunk) for chunk in chunks)
    answers = np.concatenate(parts)
    known = classes if classes is not None else getattr(teacher, "classes_", None)
    # An estimator's predict_proba are probabilities, whatever its decision_function is.
    logits = logits and not (scores and hasattr(teacher, "predict_proba"))
    return _read(X, answers, kind, soft=soft, scores=scores, logits=logits, classes=known, temperature=temperature)


def is_simulator(teacher: Any) -> bool:
    """Whether a teacher is a simulator, whose answers are runs."""
    return isinstance(teacher, Simulator) and not hasattr(teacher, "predict")


def estimator_type(estimator: Any) -> str | None:
    """``"classifier"``, ``"regressor"``, another of scikit-learn's types, or None."""
    if isinstance(estimator, type):
        raise TypeError(f"expected an estimator, got the class {estimator.__name__}; make one with ()")
    try:
        found = get_tags(estimator).estimator_type
    except (AttributeError, TypeError):
        found = getattr(estimator, "_estimator_type", None)
    return None if found is None else str(found)


def accepted(function: Callable[..., Any], **offered: Any) -> dict[str, Any]:
    """Those of the offered keyword arguments that a function takes by name and that are not None."""
    taken = inspect.signature(function).parameters
    return {name: value for name, value in offered.items() if value is not None and name in taken}


def n_rows(X: Any) -> int:
    """Number of rows of a DataFrame, array, sparse matrix or list."""
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def _question(teacher: Any, kind: str | None, soft: bool, logits: bool) -> tuple[Callable[[Any], Any], bool]:
    """What to call for answers, and whether these are scores, one column a class."""
    if kind != "regressor" and soft:
        if hasattr(teacher, "predict_proba"):
            return teacher.predict_proba, True
        if hasattr(teacher, "decision_function") and kind == "classifier":
            if logits:
                return lambda X: _two_sided(teacher.decision_function(X)), True
            raise ValueError(
                f"{type(teacher).__name__} has no predict_proba: use labels='hard', or calibrate it with "
                "CalibratedClassifierCV, or pass logits=True to take its decision_function as log-odds"
            )
        if kind == "classifier":
            raise ValueError(f"{type(teacher).__name__} gives classes and no probabilities; use labels='hard'")
    if hasattr(teacher, "predict"):
        return teacher.predict, False
    if callable(teacher):
        return teacher, False
    raise TypeError(f"a teacher must be a fitted estimator, a callable or a simulator, got {teacher!r:.100}")


def _two_sided(decision: NDArray[np.float64]) -> NDArray[np.float64]:
    """One score of two classes as two."""
    decision = np.asarray(decision, dtype=float)
    return np.column_stack([np.zeros_like(decision), decision]) if decision.ndim == 1 else decision


def _asked(ask: Callable[[Any], Any], X: Any) -> NDArray[Any]:
    found = ask(X)
    # A network's tensor, on whatever device, that may still carry its gradient.
    for step in ("detach", "cpu"):
        found = getattr(found, step)() if hasattr(found, step) else found
    answers = found.to_numpy() if isinstance(found, (pd.Series, pd.DataFrame)) else np.asarray(found)
    if answers.ndim == 2 and answers.shape[1] == 1:
        answers = answers[:, 0]
    if answers.ndim == 0 or len(answers) != n_rows(X):
        raise ValueError(f"the teacher was asked for {n_rows(X)} rows and answered an array of shape {answers.shape}")
    return answers


def _read(
    X: Any,
    answers: NDArray[Any],
    kind: str | None,
    *,
    soft: bool,
    scores: bool,
    logits: bool,
    classes: Any,
    temperature: float,
) -> TransferSet:
    if answers.dtype.kind == "f":
        bad = np.flatnonzero(~np.isfinite(answers.reshape(len(answers), -1)).all(axis=1))
        if len(bad):
            raise ValueError(f"the teacher answered {answers[bad[0]]} for row {bad[0]}, and {len(bad)} such in all")
    elif answers.dtype.kind == "O":
        missing = np.flatnonzero(pd.isna(answers.reshape(len(answers), -1)).any(axis=1))
        if len(missing):
            raise ValueError(f"the teacher answered {answers[missing[0]]} for row {missing[0]}")
    if kind == "regressor":
        return TransferSet(X, answers.astype(float))
    if not scores and answers.ndim == 2 and answers.dtype.kind == "f":
        scores = logits or (_distributions(answers) if classes is None else answers.shape[1] == len(classes))
    if scores:
        return _read_scores(X, answers, soft=soft, logits=logits, classes=classes, temperature=temperature)
    if answers.ndim == 1 and (answers.dtype.kind != "f" or classes is not None):
        if soft:
            raise ValueError("the teacher gives classes and no probabilities; use labels='hard'")
        if classes is None:  # yes and no are two classes, also where all answers are the same
            classes = [False, True] if answers.dtype == bool else np.unique(answers)
        names = np.asarray(classes)
        foreign = np.flatnonzero(~np.isin(answers, names))
        if len(foreign):
            raise ValueError(
                f"the teacher answered {answers[foreign].tolist()[0]!r}, which is none of the classes {names}"
            )
        return TransferSet(X, answers, None, names)
    if answers.dtype.kind not in "iufb":
        raise ValueError(
            f"the teacher's answers are neither classes nor numbers: shape {answers.shape}, {answers.dtype}"
        )
    return TransferSet(X, answers.astype(float))


def _read_scores(
    X: Any, scores: NDArray[Any], *, soft: bool, logits: bool, classes: Any, temperature: float
) -> TransferSet:
    p = _probabilities(scores.reshape(len(scores), -1).astype(float), logits)
    names = np.arange(p.shape[1]) if classes is None else np.asarray(classes)
    if len(names) != p.shape[1]:
        raise ValueError(f"the teacher answers {p.shape[1]} columns, but there are {len(names)} classes: {names}")
    hard = names[p.argmax(axis=1)]
    if temperature != 1:
        p = scipy.special.softmax(np.log(np.maximum(p, SMALLEST)) / temperature, axis=1)
    return TransferSet(X, hard, p if soft else None, names)


def _distributions(p: NDArray[Any]) -> bool:
    """Whether every row is a distribution."""
    if p.dtype.kind != "f":
        return False
    return bool((p >= -SUM_TOLERANCE).all() and (np.abs(p.sum(axis=1) - 1) <= SUM_TOLERANCE).all())


def _probabilities(scores: NDArray[np.float64], logits: bool) -> NDArray[np.float64]:
    if logits:
        return np.asarray(scipy.special.softmax(scores, axis=1))
    if not _distributions(scores):
        row = int(np.argmax(np.abs(scores.sum(axis=1) - 1)))
        raise ValueError(
            f"the teacher's scores are no probabilities: row {row} is {scores[row]}, its sum {scores[row].sum():.4g}; "
            "if they are logits, pass logits=True"
        )
    p = np.maximum(scores, 0.0)
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def _simulated(simulator: Any, X: Any, run: Callable[..., Any] | None, output: str | None) -> TransferSet:
    if run is None:
        raise ValueError(
            f"the teacher is the simulator {simulator.name!r}: say how it is run, e.g. run=surrogate.run or "
            "run=functools.partial(surrogate.run, store='runs.db', n_jobs=2)"
        )
    scalars = [str(name) for name in simulator.outputs if not isinstance(name, Series)]
    if output is None and len(scalars) != 1:
        raise ValueError(f"simulator {simulator.name!r}: say which output is learned, output= one of {scalars}")
    chosen = scalars[0] if output is None else output
    if chosen not in scalars:
        raise ValueError(f"simulator {simulator.name!r} has no scalar output {chosen!r}; known: {scalars}")
    runs = run(simulator, X)
    if not len(runs.outputs):
        raise ValueError(f"none of the {len(runs)} runs of {simulator.name!r} finished; see runs.failures")
    X, y = runs.inputs.reset_index(drop=True), runs.outputs[chosen].to_numpy(dtype=float)
    return TransferSet(X, y, answered=np.flatnonzero(runs.done))
