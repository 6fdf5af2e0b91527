"""How true a student is to its teacher, and how readable."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import accuracy_score, balanced_accuracy_score, r2_score

from surrogate.rules.extract import extract_rules, table_of_rules
from surrogate.rules.rule_list import RuleList
from surrogate.transfer.label import TransferSet, label

__all__ = ["fidelity", "fidelity_by_class", "stability", "student_quality"]


def _answers(model: Any, X: Any, logits: bool = False, classes: Any = None) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """What a teacher or student says, and the classes there are, if it says classes."""
    if isinstance(model, RuleList):
        return model.predict(X), np.array(model.classes) if model.classes else None
    found = model if isinstance(model, TransferSet) else label(model, X, logits=logits, classes=classes)
    return found.y, found.classes


def _compared(
    teacher: Any, student: Any, X: Any, logits: bool, classes: Any
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None, NDArray[Any] | None]:
    """What teacher and student say, and the classes of each."""
    asked, known = _answers(teacher, X, logits, classes)
    told, others = _answers(student, X)
    if known is not None and others is not None and set(known.tolist()).isdisjoint(others.tolist()):
        raise ValueError(
            f"teacher and student have no class in common: {known} and {others}; name the teacher's with classes="
        )
    return asked, told, known, others


def fidelity(teacher: Any, student: Any, X: Any, *, logits: bool = False, classes: Any = None) -> float:
    """How well a student agrees with its teacher.

    Parameters
    ----------
    teacher, student : fitted estimator, box finder, callable or RuleList
        Or the answers for `X`, if they are known: a TransferSet.
    X : table of shape (n, d)
        Points that neither was fitted on say most.
    logits : bool
        Whether a teacher that is a callable answers logits.
    classes : sequence, optional
        Names of the columns of the teacher's probabilities.

    Returns
    -------
    float
        The share of the points for which both say the same class; R2 of the student's numbers as predictions of the
        teacher's, if these are numbers.

    Raises
    ------
    ValueError
        If teacher and student have no class in common.

    Examples
    --------
    >>> fidelity(lambda X: X[:, 0] > 0.5, lambda X: X[:, 0] > 0.75, np.linspace(0, 1, 9)[:, None])
    0.7777777777777778
    """
    asked, told, known, _ = _compared(teacher, student, X, logits, classes)
    return float(r2_score(asked, told) if known is None else (asked == told).mean())


def fidelity_by_class(teacher: Any, student: Any, X: Any, *, logits: bool = False, classes: Any = None) -> pd.DataFrame:
    """What the student says where the teacher says a class.

    Parameters
    ----------
    teacher, student, X, logits, classes
        As for :func:`fidelity`.

    Returns
    -------
    DataFrame of shape (k, k)
        Numbers of points; rows are the teacher's classes, columns the student's.

    Examples
    --------
    >>> X = np.linspace(0, 1, 9)[:, None]
    >>> fidelity_by_class(lambda X: X[:, 0] > 0.5, lambda X: X[:, 0] > 0.75, X).to_numpy()
    array([[5, 0],
           [2, 2]])
    """
    asked, told, known, others = _compared(teacher, student, X, logits, classes)
    if known is None:
        raise ValueError("the teacher answers numbers, which have no confusion table")
    every = np.unique(np.concatenate([known, told, [] if others is None else others]).astype(known.dtype))
    table = pd.crosstab(pd.Series(asked, name="teacher"), pd.Series(told, name="student"))
    return table.reindex(index=every, columns=every, fill_value=0).rename_axis("teacher").rename_axis("student", axis=1)


def student_quality(
    teacher: Any,
    student: Any,
    X: Any,
    y: Any = None,
    *,
    logits: bool = False,
    classes: Any = None,
    n_resamples: int = 1000,
    rng: np.random.Generator | int | None = 0,
) -> dict[str, float]:
    """Fidelity, accuracy, size and length of a student.

    Parameters
    ----------
    teacher, student : as for :func:`fidelity`
    X : table of shape (n, d)
        Points that neither was fitted on.
    y : array of shape (n,), optional
        Their true labels.
    logits, classes
        As for :func:`fidelity`.
    n_resamples : int
        Bootstrap resamples behind the 95% interval of the fidelity.
    rng : int, numpy Generator or None

    Returns
    -------
    dict
        ``fidelity``, ``fidelity_low``, ``fidelity_high`` (95% bootstrap interval); with labels of classes ``accuracy``,
        ``balanced_accuracy`` and ``teacher_accuracy``, of numbers ``r2`` and ``teacher_r2``; and if rules can be read
        off the student ``n_rules``, ``n_conditions``, ``n_features`` (inputs used) and ``path_length`` (mean number of
        conditions of the rule that decides).

    Examples
    --------
    >>> X = np.linspace(0, 1, 9)[:, None]
    >>> found = student_quality(lambda X: X[:, 0] > 0.5, lambda X: X[:, 0] > 0.75, X, X[:, 0] > 0.4)
    >>> round(found["fidelity"], 2), round(found["accuracy"], 2)
    (0.78, 0.67)
    """
    asked, told, known, _ = _compared(teacher, student, X, logits, classes)
    generator = np.random.default_rng(rng)
    n = len(asked)
    score = r2_score if known is None else lambda a, b: float((a == b).mean())
    draws = [score(asked[rows], told[rows]) for rows in generator.integers(0, n, (n_resamples, n))]
    low, high = np.quantile(draws, [0.025, 0.975])
    out = {"fidelity": float(score(asked, told)), "fidelity_low": float(low), "fidelity_high": float(high)}
    if y is not None:
        if known is None:
            out |= {"r2": r2_score(y, told), "teacher_r2": r2_score(y, asked)}
        else:
            out |= {
                "accuracy": accuracy_score(y, told),
                "balanced_accuracy": balanced_accuracy_score(y, told),
                "teacher_accuracy": accuracy_score(y, asked),
            }
    try:
        rules = student if isinstance(student, RuleList) else extract_rules(student)
    except TypeError:
        return {name: float(value) for name, value in out.items()}
    lengths = np.array([*(rule.n_conditions for rule in rules.rules), 0])
    out |= {"n_rules": len(rules), "n_conditions": rules.n_conditions, "n_features": len(rules.used_features)}
    out["path_length"] = lengths[rules.apply(table_of_rules(student, X))].mean() if len(rules) else 0.0
    return {name: float(value) for name, value in out.items()}


def stability(chain: Any, X: Any, y: Any, X_new: Any, *, seeds: Any = range(5)) -> dict[str, float]:
    """How much a student depends on the random draws behind it.

    Parameters
    ----------
    chain : Metamorphosis or other estimator with the parameter ``rng``
    X, y : Data 1
    X_new : table of shape (m, d)
        Points at which students are compared.
    seeds : sequence of int
        At least two.

    Returns
    -------
    dict
        ``agreement``: mean share of points for which two students say the same; ``overlap``: mean Jaccard index of the
        sets of (input, threshold to two digits) in the rules of two students, NaN where no rules can be read.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from surrogate.transfer.chain import Metamorphosis
    >>> from surrogate.transfer.generators.noise import Noise
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> chain = Metamorphosis(GaussianNB(), Noise(), DecisionTreeClassifier(max_depth=1), n_new=2000)
    >>> bool(stability(chain, X, X[:, 0] > 0, X)["agreement"] > 0.9)
    True
    """
    students = [clone(chain).set_params(rng=seed).fit(X, y) for seed in seeds]
    if len(students) < 2:
        raise ValueError(f"stability compares at least two seeds, got {len(students)}")
    answers = [np.asarray(student.predict(X_new)) for student in students]
    tests: list[set[Any] | None] = []
    for student in students:
        try:
            rules = extract_rules(student)
        except TypeError:
            tests.append(None)
            continue
        literals = [x for rule in rules.rules for condition in rule.conditions for x in condition.literals]
        tests.append({(x.feature, x.value if isinstance(x.value, frozenset) else f"{x.value:.2g}") for x in literals})
    pairs = [(i, j) for i in range(len(students)) for j in range(i)]
    overlaps = [
        len(a & b) / max(len(a | b), 1) for i, j in pairs if (a := tests[i]) is not None and (b := tests[j]) is not None
    ]
    return {
        "agreement": float(np.mean([(answers[i] == answers[j]).mean() for i, j in pairs])),
        "overlap": float(np.mean(overlaps)) if overlaps else float("nan"),
    }
