"""The rules inside a fitted student, whatever kind of student it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from surrogate.rules.condition import Condition, Literal
from surrogate.rules.rule_list import Rule, RuleList
from surrogate.rules.tree import Nodes
from surrogate.transfer.label import Labels
from surrogate.transfer.student import as_probabilities

__all__ = ["extract_rules", "table_of_rules"]


def extract_rules(
    student: Any,
    *,
    feature_names: Sequence[str] | None = None,
    classes: Sequence[Any] | None = None,
    labels: Labels = "hard",
) -> RuleList:
    """The rules of a fitted student.

    Parameters
    ----------
    student : fitted estimator, box, or sequence of boxes
        A decision tree of scikit-learn, :class:`BinnedTree`, :class:`Trepan`, a box finder (its chosen box), boxes, a
        :class:`Metamorphosis` or :class:`Alpa` (their student), or a pipeline that ends in one of these; the rules are
        then about the columns that its last step sees.
    feature_names : sequence of str, optional
        By default the names that the student was fitted with, else ``x0``, ``x1``, ...
    classes : sequence, optional
        Names of the outputs of a regression tree that learned probabilities.
    labels : {"hard", "soft", "logits"}
        What such a tree learned; a chain knows.

    Returns
    -------
    RuleList
        Its predictions are those of the student: thresholds of scikit-learn's trees, which round inputs to 32 bits
        first, are replaced by the 64-bit numbers at which that rounding turns over.

    Raises
    ------
    TypeError
        If there is no way to read rules off the student: also if a tree of scikit-learn learned where missing values
        go, which no rule can say.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> tree = DecisionTreeClassifier(max_depth=1).fit([[0.0], [1.0]], ["low", "high"])
    >>> print(extract_rules(tree, feature_names=["size"]))
    if size <= 0.5 then low
    if size > 0.5 then high
    otherwise low
    """
    if hasattr(student, "student_"):  # a chain
        names = feature_names if feature_names is not None else _names_of(student)
        known = classes if classes is not None else getattr(student, "classes_", None)
        taught = getattr(student, "labels", labels)
        return extract_rules(student.student_, feature_names=names, classes=known, labels=taught)
    if isinstance(student, Pipeline):
        if feature_names is None and len(student.steps) > 1:
            try:
                feature_names = [str(name) for name in student[:-1].get_feature_names_out()]
            except (AttributeError, ValueError):
                feature_names = None
        elif len(student.steps) > 1:
            feature_names = [str(name) for name in student[:-1].get_feature_names_out(feature_names)]
        return extract_rules(student.steps[-1][1], feature_names=feature_names, classes=classes, labels=labels)
    names = feature_names if feature_names is not None else _names_of(student)
    if hasattr(student, "to_rules"):
        found: RuleList = student.to_rules(names)
        return found
    if hasattr(student, "nodes_"):
        return _of_tree(student.nodes_, names, student.classes_)
    if hasattr(student, "tree_"):
        return _of_sklearn(student, names, classes, labels)
    boxes = _boxes(student)
    if boxes is not None:
        return _of_boxes(boxes, names, classes, own=_names_of(student))
    raise TypeError(
        f"no rules can be read off {type(student).__name__}: take a decision tree, a BinnedTree, a Trepan, a box "
        "finder, or distil it into one of these with Metamorphosis"
    )


def table_of_rules(student: Any, X: Any) -> Any:
    """Points as the rules of :func:`extract_rules` speak of them: what the last step of a pipeline sees."""
    if hasattr(student, "student_"):
        return table_of_rules(student.student_, X)
    if isinstance(student, Pipeline):
        return table_of_rules(student.steps[-1][1], student[:-1].transform(X) if len(student.steps) > 1 else X)
    return X.toarray() if hasattr(X, "toarray") else X


def _names_of(student: Any) -> Sequence[str] | None:
    names = getattr(student, "feature_names_in_", None)
    if names is not None:
        return [str(name) for name in names]
    n = getattr(student, "n_features_in_", None)
    return None if n is None else [f"x{j}" for j in range(n)]


def _of_sklearn(student: Any, names: Sequence[str] | None, classes: Sequence[Any] | None, labels: Labels) -> RuleList:
    tree = student.tree_
    _refuse_missing(tree)
    value = tree.value
    if hasattr(student, "classes_"):
        if isinstance(student.classes_, list):
            raise TypeError("the tree predicts several classifications at once; fit one tree for each")
        known: Any = student.classes_
        value = value[:, 0, :]
    elif value.shape[1] > 1 or classes is not None:  # a regression tree on probabilities
        known = classes
        value = value[:, :, 0]
        if classes is not None and value.shape[1] != len(classes):
            known = None
        if known is None and value.shape[1] > 1:
            raise TypeError(f"the tree predicts {value.shape[1]} numbers at once; name them with classes=")
        if known is not None:
            value = as_probabilities(value, labels)
    else:
        known, value = None, value[:, 0, :]
    # Shares of the classes, as scikit-learn keeps them, back to weights, so that rules know their support.
    scale = tree.weighted_n_node_samples[:, None] if known is not None else 1.0
    threshold = np.array([_turning_point(t) for t in tree.threshold])
    nodes = Nodes(tree.feature, threshold, tree.children_left, tree.children_right, value * scale)
    return _of_tree(nodes, names, known, support=tree.weighted_n_node_samples)


def _refuse_missing(tree: Any) -> None:
    """Without missing values scikit-learn sends later ones to the larger side; another way was learned from some."""
    inner = np.flatnonzero(tree.children_left >= 0)
    sizes = tree.n_node_samples
    larger_left = sizes[tree.children_left[inner]] > sizes[tree.children_right[inner]]
    learned = inner[(tree.missing_go_to_left[inner] != larger_left) | ~np.isfinite(tree.threshold[inner])]
    if len(learned):
        raise TypeError(
            f"the tree learned at node {learned[0]} where missing values of input {tree.feature[learned[0]]} go, and a "
            "rule cannot say that; fill missing values before the tree is fitted, e.g. with SimpleImputer in a pipeline"
        )


def _turning_point(threshold: float) -> float:
    """The largest double that is at most `threshold` once it is rounded to single precision."""
    low = np.float32(threshold)
    if float(low) > threshold:
        low = np.nextafter(low, np.float32(-np.inf))
    high = np.nextafter(low, np.float32(np.inf))
    if not np.isfinite(high) or not np.isfinite(low):
        return float(threshold)
    middle = 0.5 * (float(low) + float(high))
    return middle if np.float32(middle) == low else math.nextafter(middle, -math.inf)


def _of_tree(
    nodes: Nodes, names: Sequence[str] | None, classes: Any, support: NDArray[np.float64] | None = None
) -> RuleList:
    features = (
        tuple(names) if names is not None else tuple(f"x{j}" for j in range(int(nodes.feature.max(initial=0)) + 1))
    )
    weights = nodes.value.sum(axis=1) if support is None else support
    rules: list[Rule] = []
    stack: list[tuple[int, tuple[Condition, ...]]] = [(0, ())]
    while stack:
        node, path = stack.pop()
        j = int(nodes.feature[node])
        if j >= 0:
            test = Literal(features[j], "<=", float(nodes.threshold[node]))
            # The left branch comes off the stack first.
            stack.append((int(nodes.right[node]), _narrowed(path, test.negated())))
            stack.append((int(nodes.left[node]), _narrowed(path, test)))
            continue
        value, weight = nodes.value[node], float(weights[node])
        if classes is None:
            rules.append(Rule(path, float(value[0]), weight))
        else:
            share = tuple(map(float, value / value.sum()))
            rules.append(Rule(path, classes[int(value.argmax())], weight, share))
    most = max(rules, key=lambda rule: rule.support)
    names_of_classes = () if classes is None else tuple(classes)
    return RuleList(tuple(rules), most.prediction, features, names_of_classes, True, most.probabilities)


def _narrowed(path: tuple[Condition, ...], test: Literal) -> tuple[Condition, ...]:
    """The path with a test that replaces a wider one of the same side of the same input."""
    kept = tuple(c for c in path if not (isinstance(c, Literal) and c.feature == test.feature and c.op == test.op))
    return (*kept, test)


def _boxes(student: Any) -> list[Any] | None:
    if hasattr(student, "best_"):
        return _boxes(student.best_)
    if hasattr(student, "boxes"):  # a union
        return list(student.boxes)
    if hasattr(student, "limits"):
        return [student]
    if isinstance(student, (list, tuple)) and student and all(hasattr(box, "limits") for box in student):
        return list(student)
    return None


def _of_boxes(
    boxes: list[Any], names: Sequence[str] | None, classes: Sequence[Any] | None, own: Sequence[str] | None
) -> RuleList:
    no, yes = (False, True) if classes is None else classes
    features = tuple(names) if names is not None else tuple(dict.fromkeys(n for box in boxes for n in box.limits))
    renamed = dict(zip(own, features)) if own is not None else {}
    rules = []
    for box in boxes:
        path: list[Condition] = []
        for limited, limits in box.limits.items():
            name = renamed.get(limited, limited)
            if isinstance(limits, frozenset):
                path.append(Literal(name, "in", limits))
            else:
                path += [
                    Literal(name, op, end) for op, end in ((">=", limits[0]), ("<=", limits[1])) if math.isfinite(end)
                ]
        rules.append(Rule(tuple(path), yes))
    return RuleList(tuple(rules), no, features, (no, yes))
