"""The patient rule induction method (PRIM) of Friedman and Fisher."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from surrogate.boxes.table import InputTable, check_of_interest
from surrogate.space import Space

__all__ = ["Prim"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# How good a peel or paste is: density before, density after, rows before, rows after. Friedman and Fisher (1999),
# eqs. 14.1 (the new density alone), 14.5 and 14.6 (its gain by the support given up, and times the support kept).
OBJECTIVES: dict[str, Callable[[float, float, int, int], float]] = {
    "original": lambda before, after, n_before, n_after: after,
    "lenient1": lambda before, after, n_before, n_after: (after - before) / abs(n_before - n_after),
    "lenient2": lambda before, after, n_before, n_after: n_after * (after - before) / abs(n_before - n_after),
}


@dataclass(frozen=True, eq=False)
class _State:
    """A box under way: limits on codes, and which rows are inside."""

    low: FloatArray  # (d,), -inf where open
    high: FloatArray  # (d,), inf where open
    allowed: dict[int, frozenset[int]]  # codes by categorical input
    inside: BoolArray  # (n,)

    def n_restricted(self, n_values: dict[int, int]) -> int:
        closed = np.isfinite(self.low) | np.isfinite(self.high)
        return int(closed.sum()) + sum(len(codes) < n_values[j] for j, codes in self.allowed.items())


@dataclass(frozen=True)
class _Move:
    """A peel or paste that could be made: the input it changes, what it makes of it, and what that costs and gains."""

    j: int
    n_after: int
    y_after: float
    n_restricted: int
    low: float | None = None
    high: float | None = None
    allowed: frozenset[int] | None = None

    def apply(self, state: _State, codes: FloatArray) -> _State:
        low, high, allowed = state.low.copy(), state.high.copy(), dict(state.allowed)
        if self.allowed is not None:
            allowed[self.j] = self.allowed
        if self.low is not None:
            low[self.j] = self.low
        if self.high is not None:
            high[self.j] = self.high
        moved = replace(state, low=low, high=high, allowed=allowed)
        return replace(moved, inside=_inside(moved, codes))


class Prim(BaseEstimator):
    """Patient rule induction: peel a box from the whole space until it is dense in runs of interest, then paste back.

    Parameters
    ----------
    alpha : float
        Share of the box's rows that one peel takes off, at least a whole group of equal values.
    min_support : int or float
        Smallest number of rows in a box; below 1 a share of all rows.
    objective : {"lenient1", "lenient2", "original"}
        What makes a peel good: gain of density per row given up, the same times the rows kept, or the density reached.
    paste : bool
        Whether to give back rows at the end where that raises the density.
    paste_alpha : float
        Share of the rows just outside a limit that one paste gives back.

    Attributes
    ----------
    boxes_ : list of Box
        The peeling trajectory from the whole space to the smallest box, then the pasted ones.
    trajectory_ : DataFrame
        One row a box: ``coverage`` (share of the runs of interest inside), ``density`` (share of the runs inside that
        are of interest), ``mass`` (share of all runs inside), ``n_restricted``, ``n_inside``.
    best_ : Box
        The box with the largest weighted relative accuracy, mass times the density above that of all runs; of equals
        the one with fewest limits [3]_.
    best_index_ : int
        Its position in the trajectory.
    of_interest_ : bool array of shape (n,)
        As fitted.

    Notes
    -----
    Limits lie half-way between the last value left out and the first kept. A side that was never peeled is open: it is
    not closed at the smallest or largest value that happened to be in the data.

    References
    ----------
    .. [1] J. H. Friedman, N. I. Fisher, "Bump hunting in high-dimensional data", Statistics and Computing 9, 1999.
    .. [2] B. P. Bryant, R. J. Lempert, "Thinking inside the box: A participatory, computer-assisted approach to
       scenario discovery", Technological Forecasting and Social Change 77(1), 2010.
    .. [3] N. Lavrac, P. Flach, B. Zupan, "Rule Evaluation Measures: A Unifying View", ILP 1999.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.random((500, 3)), columns=["a", "b", "c"])
    >>> prim = Prim().fit(X, (X["a"] > 0.6) & (X["b"] < 0.5))
    >>> prim.best_.rule(digits=1)
    'a >= 0.6 and b <= 0.5'
    """

    def __init__(
        self,
        *,
        alpha: float = 0.05,
        min_support: float = 20,
        objective: Literal["lenient1", "lenient2", "original"] = "lenient1",
        paste: bool = True,
        paste_alpha: float = 0.05,
    ) -> None:
        self.alpha = alpha
        self.min_support = min_support
        self.objective = objective
        self.paste = paste
        self.paste_alpha = paste_alpha

    def fit(self, X: Any, of_interest: Any, *, space: Space | None = None) -> Prim:
        """Find the trajectory.

        Parameters
        ----------
        X : DataFrame or array of shape (n, d)
            Inputs of the runs. Without `space`, columns of text or booleans are categories.
        of_interest : bool array of shape (n,)
        space : Space, optional
            Types and units of the inputs.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If shapes do not match, values are missing, or no run or every run is of interest.
        """
        self._check_parameters()
        table = InputTable.of(X, space)
        y = check_of_interest(of_interest, len(table.codes))
        search = _Search(table, y, self)
        states = list(search.trajectory())
        self.boxes_ = [table.box(s.low, s.high, s.allowed) for s in states]
        rows = []
        for state in states:
            n_inside, y_inside = int(state.inside.sum()), float(y[state.inside].sum())
            rows.append(
                {
                    "coverage": y_inside / y.sum(),
                    "density": y_inside / n_inside,
                    "mass": n_inside / len(y),
                    "n_restricted": state.n_restricted(search.n_values),
                    "n_inside": n_inside,
                }
            )
        self.trajectory_ = pd.DataFrame(rows).rename_axis("box")
        self.n_features_in_ = len(table.columns)
        self.feature_names_in_ = np.array([column.name for column in table.columns], dtype=object)
        self.of_interest_ = y.astype(bool)
        self.best_index_ = self._choose()
        self.best_ = self.boxes_[self.best_index_]
        return self

    def _check_parameters(self) -> None:
        for name in ("alpha", "paste_alpha"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} must lie between 0 and 1, got {getattr(self, name)}")
        if self.objective not in OBJECTIVES:
            raise ValueError(f"objective must be one of {', '.join(OBJECTIVES)}, got {self.objective!r}")
        if not self.min_support > 0:
            raise ValueError(f"min_support must be positive, got {self.min_support}")

    def _choose(self) -> int:
        t = self.trajectory_
        accuracy = t["mass"] * (t["density"] - t["density"].iloc[0])
        # Rounded, so that boxes that differ by rounding error only count as equals.
        order = pd.DataFrame({"accuracy": -accuracy.round(12), "n_restricted": t["n_restricted"]}).sort_values(
            ["accuracy", "n_restricted"], kind="stable"
        )
        return int(order.index[0])


class _Search:
    """Peeling and pasting on one data set."""

    def __init__(self, table: InputTable, y: FloatArray, prim: Prim) -> None:
        self.codes = table.codes
        self.y = y
        self.n = len(y)
        self.d = table.codes.shape[1]
        self.n_values = {j: len(c.values) for j, c in enumerate(table.columns) if c.kind == "categorical"}
        # Sorted once: the values inside a box are read off in order, not sorted again.
        self.order = np.argsort(table.codes, axis=0, kind="stable")
        self.alpha = prim.alpha
        self.paste = prim.paste
        self.paste_alpha = prim.paste_alpha
        self.objective = OBJECTIVES[prim.objective]
        support = prim.min_support
        self.least = max(1.0, support * self.n if support < 1 else support)

    def trajectory(self) -> Iterator[_State]:
        state = _State(
            np.full(self.d, -np.inf),
            np.full(self.d, np.inf),
            {j: frozenset(range(k)) for j, k in self.n_values.items()},
            np.ones(self.n, dtype=bool),
        )
        yield state
        for moves in (self._peels, self._pastes) if self.paste else (self._peels,):
            while (found := self._best(state, moves(state))) is not None:
                state = found
                yield state

    def _best(self, state: _State, moves: Iterator[_Move]) -> _State | None:
        """The state after the best move, or None if no move raises the density within the support."""
        n_before = int(state.inside.sum())
        before = float(self.y[state.inside].sum()) / n_before
        best, best_key = None, (0.0, 0)
        for move in moves:
            if move.n_after < self.least or move.n_after == n_before:
                continue
            after = move.y_after / move.n_after
            if after <= before:
                continue
            # Of equals the one with fewer limits, then the first: inputs in order, upper side before lower.
            key = (self.objective(before, after, n_before, move.n_after), -move.n_restricted)
            if best is None or key > best_key:
                best, best_key = move, key
        return None if best is None else best.apply(state, self.codes)

    def _peels(self, state: _State) -> Iterator[_Move]:
        n = int(state.inside.sum())
        total = float(self.y[state.inside].sum())
        restricted = state.n_restricted(self.n_values)
        for j in range(self.d):
            if j in self.n_values:
                yield from self._category_peels(state, j, n, total, restricted)
                continue
            rows = self.order[:, j]
            rows = rows[state.inside[rows]]
            v, y = self.codes[rows, j], self.y[rows]
            new = restricted + (0 if np.isfinite(state.low[j]) or np.isfinite(state.high[j]) else 1)
            # The group of equal values that holds the quantile goes as a whole: no limit can part it.
            first = int(np.searchsorted(v, v[int(np.ceil((n - 1) * (1 - self.alpha)))], side="left"))
            if first > 0:
                yield _Move(j, first, float(y[:first].sum()), new, high=_between(v[first - 1], v[first]))
            last = int(np.searchsorted(v, v[int(np.floor((n - 1) * self.alpha))], side="right"))
            if last < n:
                yield _Move(j, n - last, total - float(y[:last].sum()), new, low=_between(v[last], v[last - 1]))

    def _category_peels(self, state: _State, j: int, n: int, total: float, restricted: int) -> Iterator[_Move]:
        allowed = state.allowed[j]
        if len(allowed) < 2:
            return
        codes = self.codes[state.inside, j].astype(int)
        counts = np.bincount(codes, minlength=self.n_values[j])
        sums = np.bincount(codes, weights=self.y[state.inside], minlength=self.n_values[j])
        new = restricted + (1 if len(allowed) == self.n_values[j] else 0)
        for code in sorted(allowed):
            kept = int(n - counts[code])
            yield _Move(j, kept, total - float(sums[code]), new, allowed=allowed - {code})

    def _pastes(self, state: _State) -> Iterator[_Move]:
        n = int(state.inside.sum())
        total = float(self.y[state.inside].sum())
        restricted = state.n_restricted(self.n_values)
        for j in range(self.d):
            if j in self.n_values:
                for code in sorted(frozenset(range(self.n_values[j])) - state.allowed[j]):
                    wider = replace(state, allowed={**state.allowed, j: state.allowed[j] | {code}})
                    inside = _inside(wider, self.codes)
                    yield _Move(j, int(inside.sum()), float(self.y[inside].sum()), restricted, allowed=wider.allowed[j])
                continue
            for side in ("high", "low"):
                ends = getattr(state, side)
                if not np.isfinite(ends[j]):
                    continue
                open_ends = ends.copy()
                open_ends[j] = np.inf if side == "high" else -np.inf
                outside = _inside(replace(state, **{side: open_ends}), self.codes) & ~state.inside
                yield self._paste(state, j, side, outside, n, total, restricted)

    def _paste(
        self, state: _State, j: int, side: str, outside: BoolArray, n: int, total: float, restricted: int
    ) -> _Move:
        """Give back the share `paste_alpha` of the rows beyond a limit that are nearest to it."""
        mirror = 1.0 if side == "high" else -1.0
        rows = np.flatnonzero(outside)
        distance = mirror * self.codes[rows, j]
        rows = rows[np.argsort(distance, kind="stable")]
        v = mirror * self.codes[rows, j]
        limit = np.inf
        back = len(rows)
        if back:
            back = int(np.searchsorted(v, v[int(np.floor((len(v) - 1) * self.paste_alpha))], side="right"))
            if back < len(v):
                limit = _between(v[back - 1], v[back])
        given = rows[:back]
        other = state.low[j] if side == "high" else state.high[j]
        freed = 1 if np.isinf(limit) and not np.isfinite(other) else 0
        move = _Move(j, n + back, total + float(self.y[given].sum()), restricted - freed)
        return replace(move, high=limit) if side == "high" else replace(move, low=-limit)


def _inside(state: _State, codes: FloatArray) -> BoolArray:
    inside = np.ones(len(codes), dtype=bool)
    for j in range(codes.shape[1]):
        if j in state.allowed:
            inside &= np.isin(codes[:, j], list(state.allowed[j]))
        elif np.isfinite(state.low[j]) or np.isfinite(state.high[j]):
            inside &= (codes[:, j] >= state.low[j]) & (codes[:, j] <= state.high[j])
    return inside


def _between(kept: float, dropped: float) -> float:
    """A limit half-way between two different values; where no number fits in between, the one that is kept."""
    middle = 0.5 * kept + 0.5 * dropped
    return float(middle if middle not in (kept, dropped) else kept)
