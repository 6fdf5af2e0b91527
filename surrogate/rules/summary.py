"""Everything that is to be told about a student, computed once: for the report and for the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from surrogate.rules.extract import extract_rules, table_of_rules
from surrogate.rules.fidelity import fidelity, fidelity_by_class, student_quality
from surrogate.rules.rule_list import RuleList
from surrogate.transfer.label import TransferSet, label
from surrogate.transfer.student import student_classes, teach

__all__ = ["StudentSummary", "fidelity_curve", "summarise_student"]

# By which parameter a student is made larger or smaller.
SIZE_PARAMETERS = ("max_leaf_nodes", "max_nodes", "max_depth")


@dataclass(frozen=True, eq=False)
class StudentSummary:
    """A teacher, its student, and how true and readable the student is.

    Attributes
    ----------
    teacher, student, generator : str
        What they are.
    n_transfer : int
        Points that the student learned from.
    reason : str
        Why the generator was chosen, if it was.
    quality : mapping of str to float
        As of :func:`student_quality`.
    curve : DataFrame
        As of :func:`fidelity_curve`; empty if the student has no size.
    rules : RuleList, optional
        None if no rules can be read off the student.
    confusion : DataFrame, optional
        As of :func:`fidelity_by_class`; None for numbers.
    by_rule : DataFrame
        One row a rule and one for the default: ``rule``, ``prediction``, ``points``, ``fidelity``, ``teacher says``
        (what the teacher says most often where it disagrees), the least faithful first.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from surrogate.transfer.chain import Metamorphosis
    >>> from surrogate.transfer.generators.noise import Noise
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> student = DecisionTreeClassifier(max_leaf_nodes=2, random_state=0)
    >>> chain = Metamorphosis(LogisticRegression(), Noise(), student, n_new=1000, rng=0).fit(X, X[:, 0] > 0)
    >>> told = summarise_student(chain, X, sizes=())
    >>> told.teacher, told.n_transfer, len(told.rules)
    ('LogisticRegression', 1000, 1)
    """

    teacher: str
    student: str
    generator: str
    n_transfer: int
    reason: str
    quality: Mapping[str, float]
    curve: pd.DataFrame
    rules: RuleList | None
    confusion: pd.DataFrame | None
    by_rule: pd.DataFrame


def fidelity_curve(chain: Any, X: Any, y: Any = None, *, sizes: Sequence[int] = (2, 4, 8, 16, 32, 64)) -> pd.DataFrame:
    """Fidelity and accuracy of students of several sizes, taught with one transfer set.

    Parameters
    ----------
    chain : fitted Metamorphosis
        With a student that has ``max_leaf_nodes``, ``max_nodes`` or ``max_depth``.
    X : table of shape (n, d)
        Points that neither teacher nor student was fitted on.
    y : array of shape (n,), optional
    sizes : sequence of int

    Returns
    -------
    DataFrame
        Index ``size``; columns ``n_rules``, ``fidelity`` and, with labels, ``accuracy`` (R2 of numbers).

    Raises
    ------
    ValueError
        If the student has no size, or the chain kept no transfer set.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from surrogate.transfer.chain import Metamorphosis
    >>> from surrogate.transfer.generators.noise import Noise
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> student = DecisionTreeClassifier(max_leaf_nodes=4, random_state=0)
    >>> chain = Metamorphosis(GaussianNB(), Noise(), student, n_new=2000, rng=0).fit(X[:100], X[:100].sum(axis=1) > 0)
    >>> curve = fidelity_curve(chain, X[100:], sizes=(2, 16))
    >>> bool(curve.loc[16, "fidelity"] > curve.loc[2, "fidelity"])
    True
    """
    student = chain.student
    parameter = next((p for p in SIZE_PARAMETERS if p in student.get_params()), None)
    if parameter is None:
        raise ValueError(f"{type(student).__name__} has none of the parameters {', '.join(SIZE_PARAMETERS)}")
    if not hasattr(chain, "transfer_set_"):
        raise ValueError("the chain kept no transfer set: fit it without stream=True")
    asked = _asked(chain, X)
    rows = []
    for size in sizes:
        taught = teach(
            clone(student).set_params(**{parameter: int(size)}), chain.transfer_set_, labels=chain.labels, rng=0
        )
        answers = _Answers(taught, getattr(chain, "classes_", None))
        row: dict[str, Any] = {
            "size": int(size),
            "n_rules": len(extract_rules(taught, classes=answers.classes, labels=chain.labels)),
        }
        row["fidelity"] = fidelity(asked, answers, asked.X)
        if y is not None:
            row["accuracy"] = fidelity(_truth(asked, y), answers, asked.X)
        rows.append(row)
    return pd.DataFrame(rows).set_index("size")


class _Answers:
    """A taught student that answers classes, also where it learned probabilities."""

    def __init__(self, student: Any, classes: Any) -> None:
        self.student, self.classes = student, classes
        if classes is not None:
            self.classes_ = classes

    def predict(self, X: Any) -> Any:
        return student_classes(self.student, X, self.classes)


def _asked(chain: Any, X: Any) -> TransferSet:
    """What the teacher says, asked as the chain asks it; a simulator's failed runs are left out."""
    asked: TransferSet = chain._label(X, "hard") if hasattr(chain, "_label") else label(chain.teacher_, X)
    return asked


def _truth(asked: TransferSet, y: Any) -> TransferSet:
    """The true labels in place of the teacher's."""
    y = asked.beside(y)
    return replace(asked, y=y, classes=None if asked.classes is None else np.unique(np.concatenate([asked.classes, y])))


def summarise_student(
    chain: Any, X: Any, y: Any = None, *, sizes: Sequence[int] = (2, 4, 8, 16, 32, 64), simplify: bool = True
) -> StudentSummary:
    """What there is to tell about the student of a chain.

    Parameters
    ----------
    chain : fitted Metamorphosis or Alpa
    X : table of shape (n, d)
        Points that neither teacher nor student was fitted on.
    y : array of shape (n,), optional
        Their labels.
    sizes : sequence of int
        Sizes of the curve; none for no curve.
    simplify : bool
        Whether rules are shortened where no prediction for the transfer set changes.

    Returns
    -------
    StudentSummary

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from surrogate.transfer.chain import Metamorphosis
    >>> from surrogate.transfer.generators.noise import Noise
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> student = DecisionTreeClassifier(max_leaf_nodes=4, random_state=0)
    >>> chain = Metamorphosis(GaussianNB(), Noise(), student, n_new=2000, rng=0).fit(X[:100], X[:100].sum(axis=1) > 0)
    >>> summarise_student(chain, X[100:], sizes=()).quality["n_rules"]
    4.0
    """
    asked = _asked(chain, X)
    quality = student_quality(asked, chain, asked.X, None if y is None else asked.beside(y))
    try:
        rules: RuleList | None = extract_rules(chain)
    except TypeError:
        rules = None
    points = getattr(chain, "transfer_set_", None)
    if rules is not None and simplify and points is not None:
        rules = rules.simplify(table_of_rules(chain, points.X))
    has_size = any(p in chain.student.get_params() for p in SIZE_PARAMETERS) and hasattr(chain, "labels")
    curve = (
        fidelity_curve(chain, X, y, sizes=sizes) if has_size and points is not None and len(sizes) else pd.DataFrame()
    )
    generator = getattr(chain, "generator_", None)
    chosen = getattr(generator, "generator_", generator)
    return StudentSummary(
        teacher=_name(chain.teacher_),
        student=_name(chain.student_),
        generator="" if chosen is None else _name(chosen),
        n_transfer=0 if points is None else len(points),
        reason=str(getattr(generator, "reason_", "")),
        quality=quality,
        curve=curve,
        rules=rules,
        confusion=None if getattr(chain, "classes_", None) is None else fidelity_by_class(asked, chain, asked.X),
        by_rule=pd.DataFrame() if rules is None else _by_rule(rules, asked, table_of_rules(chain, asked.X)),
    )


def _by_rule(rules: RuleList, asked: TransferSet, X: Any) -> pd.DataFrame:
    fired = rules.apply(X)
    predictions = [*(rule.prediction for rule in rules.rules), rules.default]
    words = [*(rule.words() for rule in rules.rules), "otherwise"]
    rows = []
    for number, (text, prediction) in enumerate(zip(words, predictions)):
        mine = asked.y[fired == number]
        if not len(mine):
            continue
        row = {"rule": text, "prediction": prediction, "points": len(mine)}
        if asked.classes is None:
            row |= {
                "mean error": float(np.abs(mine - prediction).mean()),
                "teacher says": f"{mine.mean():.4g} on average",
            }
        else:
            others, counts = np.unique(mine[mine != prediction], return_counts=True)
            said = f"{others[counts.argmax()]} ({counts.max()} times)" if len(others) else ""
            row |= {"fidelity": float((mine == prediction).mean()), "teacher says": said}
        rows.append(row)
    table = pd.DataFrame(rows).rename_axis("number")
    by, rising = ("fidelity", True) if asked.classes is not None else ("mean error", False)
    return table.sort_values(by, ascending=rising, kind="stable")


def _name(model: Any) -> str:
    if hasattr(model, "steps"):
        return _name(model.steps[-1][1])
    return getattr(model, "name", None) or (type(model).__name__ if hasattr(model, "fit") else "a function")
