"""What a student costs beside its teacher: size, time and truth."""

from __future__ import annotations

import pickle
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, r2_score

from surrogate.transfer.label import label, n_rows
from surrogate.transfer.table import rows_of

__all__ = ["compare_models"]


def compare_models(
    models: Mapping[str, Any], X: Any, y: Any = None, *, n_latency: int = 1000, repeats: int = 5
) -> pd.DataFrame:
    """Size, latency and accuracy of fitted models, e.g. before and after compression.

    Parameters
    ----------
    models : mapping of str to fitted estimator
        The first is the teacher, with which the others are compared.
    X : table of shape (n, d)
        Points that none was fitted on.
    y : array of shape (n,), optional
        Their labels.
    n_latency : int
        Rows of the timed batch.
    repeats : int
        The fastest of so many counts: the others were disturbed.

    Returns
    -------
    DataFrame
        One row a model: ``bytes`` (pickled; of a network that cannot be, its module's; else NaN) and ``parameters``
        (numbers learned, where they can be counted), of a chain those of its student, ``us_per_row`` in a batch and
        ``us_single`` of a single row (microseconds), ``fidelity`` (share of the rows where it says what the first says;
        R2 of numbers), ``accuracy`` (R2 of numbers), if `y` is given.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> forest, tree = RandomForestClassifier().fit(X, y), DecisionTreeClassifier(max_depth=3).fit(X, y)
    >>> table = compare_models({"forest": forest, "tree": tree}, X, y)
    >>> bool(table.loc["tree", "bytes"] < table.loc["forest", "bytes"] / 20)
    True
    """
    if not models:
        raise ValueError("there is no model to compare")
    n = n_rows(X)
    batch, single = rows_of(X, slice(0, min(n, n_latency))), rows_of(X, slice(0, 1))
    rows, first = [], None
    for name, model in models.items():
        found = label(model, X)
        first = found if first is None else first
        score = r2_score if found.classes is None else accuracy_score
        row: dict[str, Any] = {
            "model": name,
            "bytes": _bytes(_student(model)),
            "parameters": n_parameters(model),
            "us_per_row": _microseconds(model, batch, repeats) / n_rows(batch),
            "us_single": _microseconds(model, single, repeats),
            "fidelity": float(score(first.y, found.y)),
        }
        if y is not None:
            row["accuracy"] = float(score(y, found.y))
        rows.append(row)
    return pd.DataFrame(rows).set_index("model").astype({"parameters": "Int64"})


def n_parameters(model: Any) -> int | None:
    """How many numbers a model has learned: weights, tests and values of leaves; None if unknown."""
    model = _student(model)
    for inner in ("teacher_", "best_estimator_"):
        if hasattr(model, inner):
            return n_parameters(getattr(model, inner))
    if hasattr(model, "steps"):
        return n_parameters(model.steps[-1][1])
    if hasattr(model, "n_parameters_"):
        return int(model.n_parameters_)
    if hasattr(model, "nodes_"):
        leaves = len(model.nodes_.leaves)
        return int(2 * (len(model.nodes_) - leaves) + leaves * model.nodes_.value.shape[1])
    if hasattr(model, "tree_"):
        tree = model.tree_
        leaves = int((tree.feature < 0).sum())
        return int(2 * (tree.node_count - leaves) + leaves * tree.value.shape[1] * tree.value.shape[2])
    if hasattr(model, "estimators_"):
        counts = [n_parameters(part) for part in np.ravel(model.estimators_)]
        return None if None in counts else sum(count for count in counts if count is not None)
    if hasattr(model, "coefs_"):
        return int(sum(w.size for w in (*model.coefs_, *model.intercepts_)))
    if hasattr(model, "coef_"):
        return int(np.size(model.coef_) + np.size(model.intercept_))
    return None


def _student(model: Any) -> Any:
    """What is left of a chain when the teacher has done its work."""
    return _student(model.student_) if hasattr(model, "student_") else model


def _bytes(model: Any) -> float:
    """Size of a pickled model; where it holds what cannot be pickled, such as a lambda, of its module alone."""
    try:
        return len(pickle.dumps(model))
    except (pickle.PicklingError, AttributeError, TypeError):
        return _bytes(model.module_) if hasattr(model, "module_") else np.nan


def _microseconds(model: Any, X: Any, repeats: int) -> float:
    ask = model.predict if hasattr(model, "predict") else model
    ask(X)  # the first call may load and compile
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        ask(X)
        seconds.append(time.perf_counter() - start)
    return 1e6 * min(seconds)
