"""TREPAN: a tree of m-of-n tests that asks the teacher about points of its own."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from surrogate.rules.condition import Condition, Literal, MofN
from surrogate.rules.rule_list import Rule, RuleList
from surrogate.space import Space
from surrogate.transfer.table import Columns, as_frame, checked

__all__ = ["Trepan"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# Thresholds tried per number.
MAX_CUTS = 32

# Rounds of drawing points for a node; where its region is so rare that they do not suffice, fewer points must do.
DRAW_ROUNDS = 20

# Level of the tests that decide whether a longer m-of-n test, or a node's own marginals, differ from what was before.
SIGNIFICANCE = 0.05


@dataclass
class _Node:
    """A node under way."""

    path: tuple[Condition, ...]
    frame: pd.DataFrame  # training rows that come here
    codes: NDArray[np.int64]  # and their classes
    reach: float  # share of all training rows
    marginals: pd.DataFrame  # rows whose columns, taken apart, are the model of the inputs here
    counts: FloatArray = field(default_factory=lambda: np.empty(0))  # of the classes in the node's sample
    sample: tuple[pd.DataFrame, NDArray[np.int64]] | None = None
    test: Condition | None = None
    children: tuple[_Node, _Node] | None = None

    @property
    def answer(self) -> int:
        return int(self.counts.argmax())


class Trepan(ClassifierMixin, BaseEstimator):
    """A readable tree that imitates a teacher, grown best node first with points drawn and asked for at every node.

    At a node with fewer than `min_sample` rows the missing ones are drawn from a model of the inputs (independent
    columns: kernel densities of numbers, frequencies of categories) subject to the tests on the way to the node, and
    labelled by the teacher. The best single test by information gain ratio starts a beam search over tests "at least m
    of these n hold". A node becomes a leaf when with confidence ``1 - delta`` more than the share ``1 - epsilon`` of
    its points is of one class. Of the trees on the way, the one that agrees best with the teacher on a validation part
    is kept.

    Parameters
    ----------
    max_nodes : int
        Number of tests at most.
    min_sample : int
        Points behind the choice of a test, rows and drawn ones together.
    max_literals : int
        Longest test; 1 gives ordinary tests.
    beam_width : int
    epsilon, delta : float
        Of the stopping rule.
    validation : float
        Share of the rows that choose the size; 0 keeps the largest tree.
    random_state : int

    Attributes
    ----------
    classes_ : array of shape (k,)
    n_tests_ : int
    n_queries_ : int
        Points that the teacher was asked about.
    n_features_in_ : int

    References
    ----------
    .. [1] M. W. Craven, J. W. Shavlik, "Extracting Tree-Structured Representations of Trained Networks", NIPS 1996.
    .. [2] M. W. Craven, "Extracting Comprehensible Models from Trained Neural Networks", PhD thesis, University of
       Wisconsin-Madison, 1996, ch. 3.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.random((500, 3)), columns=["a", "b", "c"])
    >>> def oracle(X):
    ...     return ((X > 0.5).sum(axis=1) >= 2).to_numpy()
    >>> tree = Trepan(max_nodes=1).fit(X, oracle(X), oracle=oracle)
    >>> print(tree.to_rules().to_text(digits=1))
    if at least 2 of (c <= 0.5; a <= 0.5; b <= 0.5) then False
    if at least 2 of (c > 0.5; a > 0.5; b > 0.5) then True
    otherwise False
    """

    def __init__(
        self,
        max_nodes: int = 7,
        *,
        min_sample: int = 1000,
        max_literals: int = 4,
        beam_width: int = 2,
        epsilon: float = 0.05,
        delta: float = 0.05,
        validation: float = 0.25,
        random_state: int = 0,
    ) -> None:
        self.max_nodes = max_nodes
        self.min_sample = min_sample
        self.max_literals = max_literals
        self.beam_width = beam_width
        self.epsilon = epsilon
        self.delta = delta
        self.validation = validation
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        oracle: Callable[[Any], NDArray[Any]] | None = None,
        classes: Any = None,
        space: Space | None = None,
    ) -> Trepan:
        """Grow the tree.

        Parameters
        ----------
        X : DataFrame or array of shape (n, d)
            Numbers and categories.
        y : array of shape (n,)
            The teacher's classes for them.
        oracle : callable, optional
            ``oracle(X) -> classes`` of new points. Without it no points are drawn.
        classes : sequence, optional
            All that the oracle may answer, if not all of them are in `y`.
        space : Space, optional
            Types and bounds of the columns.

        Returns
        -------
        self
        """
        self._check_parameters()
        X = checked(self, X, reset=True, ensure_min_samples=2)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        frame, dtype = as_frame(X, space)
        self._labels = frame.columns
        frame = frame.set_axis(frame.columns.map(str), axis=1)  # rules name inputs in text
        self.columns_ = Columns.of_frame(frame, dtype, space)
        self.columns_.encode(frame)  # refuses missing values
        if len(y) != len(frame):
            raise ValueError(f"y must have as many rows as X ({len(frame)}), got {len(y)}")
        self.classes_ = np.unique(y if classes is None else classes)
        codes = self._encoded(np.asarray(y))
        self._oracle, self._rng, self.n_queries_ = oracle, np.random.default_rng(self.random_state), 0
        frame = frame.reset_index(drop=True)
        held = self._rng.random(len(frame)) < self.validation if len(frame) >= 20 else np.zeros(len(frame), dtype=bool)
        root = _Node((), frame[~held], codes[~held], 1.0, frame[~held])
        self._fill(root)
        self._root, order = root, self._grow(root)
        for node in order[self._best_size(order, frame[held], codes[held]) :]:
            node.test, node.children = None, None
        self._merge(root)
        self.n_tests_ = sum(node.test is not None for node in order)
        self._forget(root)
        del self._oracle, self._rng
        return self

    def _check_parameters(self) -> None:
        for name in ("max_nodes", "min_sample", "max_literals", "beam_width"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("epsilon", "delta"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must lie between 0 and 1, got {getattr(self, name)}")
        if not 0 <= self.validation < 1:
            raise ValueError(f"validation must be a share below 1, got {self.validation}")

    def _grow(self, root: _Node) -> list[_Node]:
        """Nodes that got a test, in order."""
        order: list[_Node] = []
        queue: list[tuple[float, int, _Node]] = []
        number = itertools.count()  # of equals the first comes first

        def offer(node: _Node) -> None:
            share = node.counts.max() / node.counts.sum()
            heapq.heappush(queue, (-node.reach * (1 - share), next(number), node))

        offer(root)
        while queue and len(order) < self.max_nodes:
            _, _, node = heapq.heappop(queue)
            if self._is_leaf(node):
                continue
            node.test = self._choose_test(node)
            if node.test is None:
                continue
            node.children = self._split(node, node.test)
            order.append(node)
            for child in node.children:
                offer(child)
        return order

    def _split(self, node: _Node, test: Condition) -> tuple[_Node, _Node]:
        held = test.holds(node.frame)
        children = []
        for condition, rows in ((test, held), (test.negated(), ~held)):
            part = node.frame[rows]
            marginals = part if self._differs(part, node.marginals) else node.marginals
            reach = node.reach * max(len(part), 1) / max(len(node.frame), 1)
            child = _Node((*node.path, condition), part, node.codes[rows], reach, marginals)
            self._fill(child, fallback=node.counts)
            children.append(child)
        return children[0], children[1]

    def _differs(self, part: pd.DataFrame, whole: pd.DataFrame) -> bool:
        """Whether a node's rows tell of other marginals than its parent's (Kolmogorov-Smirnov, chi-square)."""
        if len(part) < 10:
            return False
        level = SIGNIFICANCE / len(self.columns_)  # one of many columns differs by chance
        for column in self.columns_.columns:
            here, there = part[column.name], whole[column.name]
            if column.nominal:
                table = pd.concat([here.value_counts(), there.value_counts()], axis=1).fillna(0).to_numpy(dtype=float)
                if len(table) > 1 and scipy.stats.chi2_contingency(table.T + 0.5).pvalue < level:
                    return True
            else:
                here, there = column.encode(here), column.encode(there)
                if scipy.stats.ks_2samp(here, there, method="asymp").pvalue < level:
                    return True
        return False

    def _fill(self, node: _Node, fallback: FloatArray | None = None) -> None:
        """The node's sample: its rows and, up to `min_sample`, points drawn on its path and labelled by the teacher."""
        frame, codes = node.frame, node.codes
        missing = self.min_sample - len(frame)
        if self._oracle is not None and missing > 0:
            new = self._draw(node, missing)
            if len(new):
                self.n_queries_ += len(new)
                frame = pd.concat([frame, new], ignore_index=True)
                codes = np.concatenate([codes, self._encoded(np.asarray(self._oracle(self._as_given(new))))])
        node.sample = frame, codes
        counts = np.bincount(codes, minlength=len(self.classes_)).astype(float)
        node.counts = counts if counts.any() or fallback is None else fallback

    def _encoded(self, answers: NDArray[Any]) -> NDArray[np.int64]:
        """Positions of classes among all classes."""
        found = np.minimum(np.searchsorted(self.classes_, answers), len(self.classes_) - 1)
        foreign = np.flatnonzero(self.classes_[found] != answers)
        if len(foreign):
            raise ValueError(
                f"class {answers[foreign].tolist()[0]!r} is none of {self.classes_}; pass all there are as classes="
            )
        return np.asarray(found)

    def _as_given(self, frame: pd.DataFrame) -> Any:
        if self.columns_.array_dtype is None:
            return frame.set_axis(self._labels, axis=1)
        return frame.to_numpy(dtype=self.columns_.array_dtype)

    def _draw(self, node: _Node, n: int) -> pd.DataFrame:
        """Points of independent columns that meet all conditions of the path; `n` or, of a rare region, fewer."""
        codes = self.columns_.encode(node.marginals)
        nominal = self.columns_.nominal
        iqr = np.subtract(*np.quantile(codes, [0.75, 0.25], axis=0)) / 1.34
        std = codes.std(axis=0)
        # Silverman's rule, as KernelDensity has it.
        width = np.where(nominal, 0.0, 0.9 * np.where(iqr > 0, np.minimum(std, iqr), std) * len(codes) ** (-1 / 5))
        low, high = codes.min(axis=0), codes.max(axis=0)
        kept: list[pd.DataFrame] = []
        found = 0
        for _ in range(DRAW_ROUNDS):
            rows = self._rng.integers(0, len(codes), (n, codes.shape[1]))
            new = np.take_along_axis(codes, rows, axis=0) + width * self._rng.standard_normal((n, codes.shape[1]))
            points = pd.DataFrame(
                {c.name: c.decode(np.clip(new[:, j], low[j], high[j])) for j, c in enumerate(self.columns_.columns)}
            )
            met = np.ones(n, dtype=bool)
            for condition in node.path:
                met &= condition.holds(points)
            kept.append(points[met])
            found += int(met.sum())
            if found >= n:
                break
        return pd.concat(kept, ignore_index=True).iloc[:n]

    def _is_leaf(self, node: _Node) -> bool:
        n, most = node.counts.sum(), node.counts.max()
        if most == n:
            return True
        # Lower end of the exact (Clopper-Pearson) interval for the share of the commonest class.
        return bool(scipy.stats.beta.ppf(self.delta, most, n - most + 1) > 1 - self.epsilon)

    def _choose_test(self, node: _Node) -> Condition | None:
        if node.sample is None:
            return None
        frame, codes = node.sample
        one_hot = np.eye(len(self.classes_))[codes]
        literals, truth = self._literals(frame, codes)
        if not literals:
            return None
        ratios = _gain_ratio(truth, one_hot)
        first = int(ratios.argmax())
        if not ratios[first] > 0:
            return None
        beam: list[tuple[float, int, tuple[int, ...]]] = [(float(ratios[first]), 1, (first,))]
        best = beam[0]
        while beam and self.max_literals > 1:
            grown: dict[tuple[int, tuple[int, ...]], float] = {}
            for score, m, members in beam:
                count = truth[:, members].sum(axis=1)
                before = _table(count >= m, one_hot)
                used = {(literals[j].feature, literals[j].op) for j in members}
                for at_least in (m, m + 1):
                    held = (count[:, None] + truth) >= at_least
                    scores = _gain_ratio(held, one_hot)
                    for j in np.argsort(-scores)[: 4 * self.beam_width]:
                        # A second limit of the same kind on an input would be two readings of one test.
                        if scores[j] <= score + 1e-12 or (literals[j].feature, literals[j].op) in used:
                            continue
                        if _differ(before, _table(held[:, j], one_hot)):
                            grown[at_least, tuple(sorted((*members, int(j))))] = float(scores[j])
            ranked = sorted(grown, key=lambda test: -grown[test])[: self.beam_width]
            beam = [(grown[test], *test) for test in ranked]
            if beam and beam[0][0] > best[0]:
                best = beam[0]
            beam = [entry for entry in beam if len(entry[2]) < self.max_literals]
        _, m, chosen = best
        if len(chosen) == 1:
            return literals[chosen[0]]
        return MofN(m, tuple(literals[j] for j in sorted(chosen, key=lambda j: -ratios[j])))

    def _literals(self, frame: pd.DataFrame, codes: NDArray[np.int64]) -> tuple[list[Literal], BoolArray]:
        """Single tests, both ways round, and which points of the sample meet them."""
        found: list[Literal] = []
        for column in self.columns_.columns:
            values = frame[column.name]
            name = column.name
            if column.nominal:
                for value in column.values:
                    found += [Literal(name, "in", {value}), Literal(name, "not in", {value})]
                continue
            if column.kind == "ordinal":
                for k in range(1, len(column.values)):
                    found += [Literal(name, "in", column.values[:k]), Literal(name, "not in", column.values[:k])]
                continue
            distinct = np.unique(values.to_numpy(dtype=float))
            if len(distinct) < 2:
                continue
            cuts = 0.5 * distinct[:-1] + 0.5 * distinct[1:]
            if len(cuts) > MAX_CUTS:
                cuts = np.unique(np.quantile(values.to_numpy(dtype=float), np.linspace(0, 1, MAX_CUTS + 2)[1:-1]))
            found += [Literal(name, op, float(cut)) for cut in cuts for op in ("<=", ">")]
        tested = [(literal, literal.holds(frame)) for literal in found]
        dividing = [(literal, held) for literal, held in tested if held.any() and not held.all()]
        return [literal for literal, _ in dividing], np.array([held for _, held in dividing], dtype=bool).T

    def _best_size(self, order: list[_Node], frame: pd.DataFrame, codes: NDArray[np.int64]) -> int:
        """How many tests, in the order in which they came, agree best with the validation rows."""
        if not len(frame) or not order:
            return len(order)
        wrong = []
        for size in range(len(order) + 1):
            inner = {id(node) for node in order[:size]}
            wrong.append(int((self._walk(frame, inner) != codes).sum()))
        return int(np.argmin(wrong))

    def _walk(self, frame: pd.DataFrame, inner: set[int] | None = None) -> NDArray[np.int64]:
        """Classes, as positions, by the tree of the nodes in `inner` (by default all that have a test)."""
        out = np.empty(len(frame), dtype=np.int64)
        stack = [(self._root, np.arange(len(frame)))]
        while stack:
            node, rows = stack.pop()
            if node.test is None or node.children is None or (inner is not None and id(node) not in inner):
                out[rows] = node.answer
                continue
            held = node.test.holds(frame.iloc[rows])
            stack += [(node.children[0], rows[held]), (node.children[1], rows[~held])]
        return out

    def _merge(self, node: _Node) -> None:
        """Make leaves of tests whose two sides say the same."""
        if node.children is None:
            return
        for child in node.children:
            self._merge(child)
        first, second = node.children
        if first.children is None and second.children is None and first.answer == second.answer:
            node.test, node.children = None, None
            node.counts = first.counts + second.counts

    def _forget(self, node: _Node) -> None:
        """Drop the data that only growing needed."""
        node.sample, node.frame, node.marginals = None, node.frame.iloc[:0], node.marginals.iloc[:0]
        for child in node.children or ():
            self._forget(child)

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of each row's leaf; array of shape (m,).

        Raises
        ------
        ValueError
            If a value is missing or infinite; row and column are named.
        """
        check_is_fitted(self)
        frame, dtype = as_frame(checked(self, X, reset=False))
        names = list(self.columns_.names)
        # A space may have another order. Columns that are not named by text go by position, as in scikit-learn.
        by_name = dtype is None and set(frame.columns) == set(names)
        frame = frame[names] if by_name else frame.set_axis(names, axis=1)
        self.columns_.encode(frame, unseen=True)  # refuses missing values
        return np.asarray(self.classes_[self._walk(frame)])

    def to_rules(self, names: Any = None) -> RuleList:
        """The tree as one rule a leaf, which exclude each other.

        Parameters
        ----------
        names : sequence of str, optional
            Names of the inputs instead of those that the tree was fitted with.

        Returns
        -------
        RuleList
        """
        check_is_fitted(self)
        own = self.columns_.names
        renamed = dict(zip(own, own if names is None else names))
        rules: list[Rule] = []
        stack: list[tuple[_Node, tuple[Condition, ...]]] = [(self._root, ())]
        while stack:
            node, path = stack.pop()
            if node.test is not None and node.children is not None:
                test = _renamed(node.test, renamed)
                stack += [(node.children[1], (*path, test.negated())), (node.children[0], (*path, test))]
                continue
            share = tuple(map(float, node.counts / node.counts.sum()))
            rules.append(Rule(path, self.classes_[node.answer], float(node.counts.sum()), share))
        most = max(rules, key=lambda rule: rule.support)
        features = tuple(renamed.values())
        return RuleList(tuple(rules), most.prediction, features, tuple(self.classes_), True, most.probabilities)


def _renamed(test: Condition, names: dict[str, str]) -> Condition:
    if isinstance(test, MofN):
        return MofN(test.m, tuple(Literal(names[x.feature], x.op, x.value) for x in test.literals))
    return Literal(names[test.feature], test.op, test.value)


def _gain_ratio(held: BoolArray, one_hot: FloatArray) -> FloatArray:
    """Information gain over split information of every column of a boolean matrix (Quinlan 1993)."""
    n = len(one_hot)
    inside = held.T.astype(float) @ one_hot
    total = one_hot.sum(axis=0)
    outside = total - inside
    share = inside.sum(axis=1) / n
    gain = _entropy(total[None, :]) - share * _entropy(inside) - (1 - share) * _entropy(outside)
    split = _entropy(np.column_stack([share, 1 - share]))
    return np.where(split > 1e-12, gain / np.maximum(split, 1e-12), 0.0)


def _entropy(counts: FloatArray) -> FloatArray:
    total = counts.sum(axis=1, keepdims=True)
    p = counts / np.maximum(total, 1e-300)
    return np.asarray(-(p * np.log2(np.maximum(p, 1e-300))).sum(axis=1))


def _table(held: BoolArray, one_hot: FloatArray) -> FloatArray:
    return np.stack([one_hot[held].sum(axis=0), one_hot[~held].sum(axis=0)])


def _differ(before: FloatArray, after: FloatArray) -> bool:
    """Whether two tests part the points significantly differently (chi-square on the two tables)."""
    table = np.stack([before.ravel(), after.ravel()]) + 0.5
    return bool(scipy.stats.chi2_contingency(table).pvalue < SIGNIFICANCE)
