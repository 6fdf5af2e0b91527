"""Rules as plain data: what they predict under which conditions; in words, Python, SQL and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.errors import did_you_mean
from surrogate.literals import python_literal, said, sql_literal
from surrogate.parameters import plain
from surrogate.rules.condition import COMPARE, Condition, Literal, MofN, condition_from_dict, in_words
from surrogate.transfer.table import as_frame

__all__ = ["Rule", "RuleList"]

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Rule:
    """If all conditions hold, predict.

    Attributes
    ----------
    conditions : tuple of Literal and MofN
    prediction : Any
        A class or a number.
    support : float
        Weight of the training rows that it was made from.
    probabilities : tuple of float
        Shares of the classes among them; empty for numbers.

    Examples
    --------
    >>> Rule((Literal("x", ">", 0.5), Literal("x", "<=", 0.9)), "up").words()
    '0.5 < x <= 0.9'
    """

    conditions: tuple[Condition, ...]
    prediction: Any
    support: float = 0.0
    probabilities: tuple[float, ...] = ()

    @property
    def n_conditions(self) -> int:
        """Number of conditions as read: limits on both sides of an input are one, and an m-of-n is as many as tests."""
        limited = {c.feature for c in self.conditions if isinstance(c, Literal) and c.op in COMPARE}
        return len(limited) + sum(len(c) for c in self.conditions if isinstance(c, MofN) or c.op not in COMPARE)

    def holds(self, frame: pd.DataFrame) -> BoolArray:
        """For which rows all conditions hold."""
        out = np.ones(len(frame), dtype=bool)
        for condition in self.conditions:
            out &= condition.holds(frame)
        return out

    def words(self, digits: int = 4) -> str:
        """The conditions as a sentence; two limits of one input are told as one."""
        return " and ".join(in_words(self.conditions, digits)) or "always"


@dataclass(frozen=True, eq=False)
class RuleList:
    """Rules of which the first that holds decides; a default where none does.

    Attributes
    ----------
    rules : tuple of Rule
    default : Any
        What is predicted where no rule holds.
    features : tuple of str
        Inputs in the order of an array's columns.
    classes : tuple
        Of the probabilities; empty for numbers.
    exclusive : bool
        Whether at most one rule holds for any point, so that their order does not matter.
    default_probabilities : tuple of float

    Examples
    --------
    >>> rules = RuleList(
    ...     (Rule((Literal("x", ">", 0.5), Literal("kind", "in", {"flap"})), "up"),),
    ...     default="down",
    ...     features=("x", "kind"),
    ...     classes=("down", "up"),
    ... )
    >>> print(rules.to_text())
    if x > 0.5 and kind = 'flap' then up
    otherwise down
    >>> rules.predict(pd.DataFrame({"x": [0.7, 0.7], "kind": ["flap", "clean"]})).tolist()
    ['up', 'down']
    """

    rules: tuple[Rule, ...]
    default: Any
    features: tuple[str, ...]
    classes: tuple[Any, ...] = ()
    exclusive: bool = False
    default_probabilities: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for rule in self.rules:
            for condition in rule.conditions:
                for literal in condition.literals:
                    if literal.feature not in self.features:
                        hint = did_you_mean(literal.feature, self.features)
                        raise ValueError(f"a rule tests {literal.feature!r}, which is no input; {hint}")

    def __len__(self) -> int:
        return len(self.rules)

    def __str__(self) -> str:
        return self.to_text()

    @property
    def n_conditions(self) -> int:
        """Number of conditions in all rules."""
        return sum(rule.n_conditions for rule in self.rules)

    @property
    def used_features(self) -> tuple[str, ...]:
        """Inputs that occur in a rule, in order of the inputs."""
        used = {x.feature for rule in self.rules for condition in rule.conditions for x in condition.literals}
        return tuple(name for name in self.features if name in used)

    def _frame(self, X: Any) -> pd.DataFrame:
        if isinstance(X, Mapping):
            X = pd.DataFrame(X)
        frame, dtype = as_frame(X)
        fits = frame.shape[1] == len(self.features)
        if dtype is not None and not fits:
            raise ValueError(
                f"X must have {len(self.features)} columns ({', '.join(self.features)}), got {frame.shape[1]}"
            )
        # As in scikit-learn, a frame has names for its columns only where all are text.
        if fits and (dtype is not None or not all(isinstance(name, str) for name in frame.columns)):
            return frame.set_axis(list(self.features), axis=1)
        frame = frame.set_axis(frame.columns.map(str), axis=1)
        missing = [name for name in self.used_features if name not in frame.columns]
        if missing:
            raise ValueError(f"X: no column {missing[0]!r}; {did_you_mean(missing[0], frame.columns)}")
        return frame

    def apply(self, X: Any) -> NDArray[np.int64]:
        """Position of the first rule that holds for each row; ``len(rules)`` where none does.

        Parameters
        ----------
        X : DataFrame or mapping of columns by name, or array with columns in the order of ``features``
            A DataFrame with as many columns, not all named by text, is read as an array.

        Returns
        -------
        int array of shape (m,)
        """
        frame = self._frame(X)
        out = np.full(len(frame), len(self.rules))
        left = np.arange(len(frame))
        for number, rule in enumerate(self.rules):
            held = rule.holds(frame.iloc[left])
            out[left[held]] = number
            left = left[~held]
        return out

    def predict(self, X: Any) -> NDArray[Any]:
        """What the first rule that holds predicts; array of shape (m,)."""
        answers = np.array([*(rule.prediction for rule in self.rules), self.default])
        return np.asarray(answers[self.apply(X)])

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Shares of ``classes`` among the training rows of the rule; array of shape (m, k)."""
        if not self.classes:
            raise AttributeError("these rules predict numbers and have no probabilities")
        known = [*((rule.probabilities, rule.prediction) for rule in self.rules)]
        known.append((self.default_probabilities, self.default))
        table = np.array([p or tuple(float(c == answer) for c in self.classes) for p, answer in known])
        return np.asarray(table[self.apply(X)])

    def simplify(self, X: Any, *, tolerance: float = 0.0) -> RuleList:
        """Fewer and shorter rules that predict the same for all rows of `X`.

        Conditions and rules are dropped one at a time, the later ones of a rule first, where no prediction changes (or
        all in all no more than the share `tolerance` of the rows). Of rules that exclude each other, those of one class
        become the default.

        Parameters
        ----------
        X : table of shape (n, d)
            Such as the transfer set.
        tolerance : float
            Share of the rows whose prediction may change.

        Returns
        -------
        RuleList
        """
        if not 0 <= tolerance <= 1:
            raise ValueError(f"tolerance must be a share, got {tolerance}")
        frame = self._frame(X)
        slack = int(tolerance * len(frame))
        start = self._with_default_class(frame) if self.exclusive else self
        return _Simplification(start, frame, self.predict(frame), slack).result()

    def _with_default_class(self, frame: pd.DataFrame) -> RuleList:
        """The rules without those of the class that needs most conditions: the default stands for them."""
        if (self.apply(frame) == len(self.rules)).any() or not self.rules:
            return self  # the default is in use
        cost: dict[Any, int] = {}
        for rule in self.rules:
            cost[rule.prediction] = cost.get(rule.prediction, 0) + 1 + rule.n_conditions
        default = max(cost, key=lambda answer: cost[answer])
        gone = [rule for rule in self.rules if rule.prediction == default]
        weights = np.array([rule.support for rule in gone])
        share: tuple[float, ...] = ()
        if weights.sum() > 0 and all(rule.probabilities for rule in gone):
            share = tuple(map(float, np.average([rule.probabilities for rule in gone], axis=0, weights=weights)))
        kept = tuple(rule for rule in self.rules if rule.prediction != default)
        return replace(self, rules=kept, default=default, default_probabilities=share)

    def to_text(self, digits: int = 4) -> str:
        """One line a rule, numbers rounded to significant digits."""
        lines = []
        for number, rule in enumerate(self.rules):
            word = "if" if number == 0 or self.exclusive else "else if"
            lines.append(f"{word} {rule.words(digits)} then {said(rule.prediction, digits)}")
        return "\n".join([*lines, f"otherwise {said(self.default, digits)}"])

    def to_python(self, name: str = "predict") -> str:
        """A function of one point, a mapping from input to value, that needs no import; exact to the last digit.

        Examples
        --------
        >>> rules = RuleList((Rule((Literal("x", ">", 0.5),), 1),), 0, ("x",), (0, 1))
        >>> print(rules.to_python())
        def predict(row):
            if row['x'] > 0.5:
                return 1
            return 0
        """
        lines = [f"def {name}(row):"]
        for rule in self.rules:
            test = " and ".join(condition.to_python() for condition in rule.conditions) or "True"
            lines += [f"    if {test}:", f"        return {python_literal(rule.prediction)}"]
        return "\n".join([*lines, f"    return {python_literal(self.default)}"])

    def to_sql(self) -> str:
        """A ``CASE`` expression over columns named like the inputs; exact to the last digit.

        Examples
        --------
        >>> print(RuleList((Rule((Literal("x", ">", 0.5),), "up"),), "down", ("x",)).to_sql())
        CASE
          WHEN "x" > 0.5 THEN 'up'
          ELSE 'down'
        END
        """
        lines = ["CASE"]
        for rule in self.rules:
            test = " AND ".join(condition.to_sql() for condition in rule.conditions) or "1 = 1"
            lines.append(f"  WHEN {test} THEN {sql_literal(rule.prediction)}")
        return "\n".join([*lines, f"  ELSE {sql_literal(self.default)}", "END"])

    def to_frame(self, digits: int = 4) -> pd.DataFrame:
        """One row a rule: ``rule``, ``prediction``, ``support``, ``purity``, ``conditions``."""
        rows = [
            {
                "rule": rule.words(digits),
                "prediction": rule.prediction,
                "support": rule.support,
                "purity": max(rule.probabilities) if rule.probabilities else np.nan,
                "conditions": rule.n_conditions,
            }
            for rule in self.rules
        ]
        columns = ["rule", "prediction", "support", "purity", "conditions"]
        return pd.DataFrame(rows, columns=columns).rename_axis("number")

    def to_json(self) -> str:
        """As JSON; :meth:`from_json` makes equal rules of it."""
        rules = [
            {
                "conditions": [condition.to_dict() for condition in rule.conditions],
                "prediction": plain(rule.prediction),
                "support": plain(rule.support),
                "probabilities": [plain(p) for p in rule.probabilities],
            }
            for rule in self.rules
        ]
        return json.dumps(
            {
                "rules": rules,
                "default": plain(self.default),
                "features": list(self.features),
                "classes": [plain(c) for c in self.classes],
                "exclusive": self.exclusive,
                "default_probabilities": [plain(p) for p in self.default_probabilities],
            }
        )

    @classmethod
    def from_json(cls, text: str) -> RuleList:
        """The rules that :meth:`to_json` wrote."""
        data = json.loads(text)
        rules = tuple(
            Rule(
                tuple(condition_from_dict(entry) for entry in rule["conditions"]),
                rule["prediction"],
                rule["support"],
                tuple(rule["probabilities"]),
            )
            for rule in data["rules"]
        )
        return cls(
            rules,
            data["default"],
            tuple(data["features"]),
            tuple(data["classes"]),
            data["exclusive"],
            tuple(data["default_probabilities"]),
        )


class _Simplification:
    """Rules being shortened on one table."""

    def __init__(self, rules: RuleList, frame: pd.DataFrame, wanted: NDArray[Any], slack: int) -> None:
        self.rules, self.wanted, self.slack = rules, wanted, slack
        self.tests = {c: c.holds(frame) for rule in rules.rules for c in rule.conditions}
        self.conditions = [list(dict.fromkeys(rule.conditions)) for rule in rules.rules]
        self.alive = [True] * len(rules.rules)
        self.masks = [self._mask(conditions) for conditions in self.conditions]
        self.answers = [rule.prediction for rule in rules.rules]

    def _mask(self, conditions: Iterable[Condition]) -> BoolArray:
        out = np.ones(len(self.wanted), dtype=bool)
        for condition in conditions:
            out &= self.tests[condition]
        return out

    def _wrong(self, numbers: list[int], open_rows: BoolArray) -> int:
        """How many of the rows are answered otherwise than wanted by the rules with these numbers, in order."""
        left = np.flatnonzero(open_rows)
        wrong = 0
        for number in numbers:
            held = self.masks[number][left]
            wrong += int((self.wanted[left[held]] != self.answers[number]).sum())
            left = left[~held]
        return wrong + int((self.wanted[left] != self.rules.default).sum())

    def result(self) -> RuleList:
        open_rows = np.ones(len(self.wanted), dtype=bool)
        before = 0  # wrong answers of the rules that are done
        for number in range(len(self.masks)):
            later = list(range(number + 1, len(self.masks)))
            if before + self._wrong(later, open_rows) <= self.slack:
                self.alive[number] = False
                continue
            allowed = self.slack - before
            for condition in reversed(self.conditions[number].copy()):
                shorter = [other for other in self.conditions[number] if other != condition]
                old, self.masks[number] = self.masks[number], self._mask(shorter)
                if self._wrong([number, *later], open_rows) <= allowed:
                    self.conditions[number] = shorter
                else:
                    self.masks[number] = old
            mine = self.masks[number] & open_rows
            before += int((self.wanted[mine] != self.answers[number]).sum())
            open_rows &= ~mine
        kept = tuple(
            replace(rule, conditions=tuple(conditions))
            for rule, conditions, alive in zip(self.rules.rules, self.conditions, self.alive)
            if alive
        )
        # Shortened rules may overlap: from now on their order matters.
        return replace(self.rules, rules=kept, exclusive=False)
