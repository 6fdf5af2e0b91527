"""Peeling and pasting on counted cells: the search behind PRIM.

A peel needs, for every side of every input, the rows that hold the outermost share alpha of the box. They are found by
adding up the counts of a column's outer cells, all sides at once, and only in the one cell where the share ends does a
row's value matter. There a bound on the score is known from the counts, so values are looked up for the few sides
that may still be the best. A row that is peeled off is taken off the counts once, so a whole trajectory reads every row
about once, however many boxes it has.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special
from numpy.typing import NDArray

from surrogate.boxes.cells import Cells
from surrogate.boxes.table import InputTable, Labels, between

__all__ = ["OBJECTIVES", "Path", "Peeling"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

# How good a peel or paste is: density before, density after, weight after, weight moved. Friedman and Fisher (1999),
# eqs. 14.1 (the new density alone), 14.5 and 14.6 (its gain by the support given up, and times the support kept).
OBJECTIVES: dict[str, Callable[[Any, Any, Any, Any], Any]] = {
    "original": lambda before, after, kept, moved: after,
    "lenient1": lambda before, after, kept, moved: (after - before) / moved,
    "lenient2": lambda before, after, kept, moved: kept * (after - before) / moved,
}

UPPER, LOWER, ABSENT = 0, 1, 2  # a row lies above an input's limits or among the categories left out; below; is missing
SIDES = 3
# Rows up to which all columns are counted in one call rather than each in its own.
FEW_ROWS = 8192


@dataclass(frozen=True, eq=False)
class Path:
    """The boxes of a search, in the order in which they were found.

    Attributes
    ----------
    low, high : float array of shape (b, d)
        Limits; infinite where open.
    allowed : tuple of b mappings
        Positions of the categories inside, by categorical input.
    n_inside : int array of shape (b,)
    weight, positive : float array of shape (b,)
        Weight inside, and the part of it that is of interest.
    n_peeled : int
        How many of the boxes come before pasting.
    quasi_p : float array of shape (b, d, 2)
        For the low and the high limit of every input; NaN where open. A categorical input's stands first.
    """

    low: FloatArray
    high: FloatArray
    allowed: tuple[dict[int, frozenset[int]], ...]
    n_inside: IntArray
    weight: FloatArray
    positive: FloatArray
    n_peeled: int
    quasi_p: FloatArray

    def inside(self, table: InputTable, rows: IntArray) -> NDArray[np.bool_]:
        """Which of some rows of a table lie in each box, shape (b, len(rows))."""
        inside = np.ones((len(self.low), len(rows)), dtype=bool)
        open_input = np.isinf(self.low) & np.isinf(self.high)
        for j in np.flatnonzero(~open_input.all(axis=0)).tolist():
            v = table.values[rows, j]
            inside &= ((v >= self.low[:, j, None]) & (v <= self.high[:, j, None])) | open_input[:, j, None]
        for j in self.allowed[0]:
            v = table.values[rows, j]
            for b, allowed in enumerate(self.allowed):
                if len(allowed[j]) < len(table.columns[j].values):
                    inside[b] &= np.isin(v, list(allowed[j]))
        return inside

    def counted(self, table: InputTable, labels: Labels, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        """Weight of some rows in each box, and the part of it that is of interest."""
        inside = self.inside(table, rows)
        weight = np.ones(len(rows)) if labels.weight is None else labels.weight[rows].astype(float)
        return (
            inside @ weight * labels.weight_unit,
            inside @ labels.positive[rows].astype(float) * labels.positive_unit,
        )


@dataclass(frozen=True, slots=True)
class _Cut:
    """The outer rows of one side of one input, in the box, that a peel would take off."""

    removed: float  # the innermost value that goes
    kept: float | None = None  # the outermost that stays, if it lies in the same cell
    rows: IntArray | None = None  # those of the last cell that go, unless all do
    moved: float = 0.0  # weight, and of interest; not counted again where the score was known
    positive: float = 0.0


@dataclass(frozen=True, slots=True)
class _Paste:
    """Rows beyond one limit that could be given back, and the limit or the categories that would let them in."""

    j: int
    side: int
    limit: Any
    frees: bool  # whether the input would no longer be restricted
    rows: IntArray
    moved: float
    positive: float


class Peeling:
    """One search on one data set.

    Parameters
    ----------
    cells : Cells
    labels : Labels
        Rows without weight do not take part.
    alpha, paste_alpha : float
    objective : str
    least : float
        Smallest weight of a box.
    paste : bool
    rows : bool array of shape (n,), optional
        Which rows take part.
    columns : bool array of shape (d,), optional
        Which inputs may be restricted.
    """

    def __init__(
        self,
        cells: Cells,
        labels: Labels,
        *,
        alpha: float,
        objective: str = "lenient1",
        least: float = 20,
        paste: bool = True,
        paste_alpha: float = 0.05,
        rows: NDArray[np.bool_] | None = None,
        columns: NDArray[np.bool_] | None = None,
    ) -> None:
        self.cells, self.labels = cells, labels
        self.taking_part = None if rows is None and labels.weight is None else labels.taking_part
        if rows is not None and self.taking_part is not None:
            self.taking_part &= rows
        self.x, self.codes = cells.table.values, cells.codes
        self.d, self.n = self.codes.shape
        self.alpha, self.paste_alpha, self.paste = alpha, paste_alpha, paste
        self.objective, self.score = objective, OBJECTIVES[objective]
        self.least = least
        may = np.ones(self.d, dtype=bool) if columns is None else columns
        kinds = [column.kind for column in cells.table.columns]
        self.nominal = [j for j in range(self.d) if kinds[j] == "categorical" and may[j]]
        self.ordered = [j for j in range(self.d) if kinds[j] != "categorical" and may[j]]
        self.place = {j: i for i, j in enumerate(self.ordered)}
        # The input that each possible peel is about, and whether its counts alone tell its score.
        self.inputs = [j for j in self.ordered for _ in (UPPER, LOWER)]
        self.inputs += [j for j in self.nominal for _ in range(self._size(j))]
        self.settled = np.array([cells.values[j] is not None for j in self.inputs], dtype=bool)
        self.all_settled = bool(self.settled.all())
        # Stands for nothing where nothing must not be divided by.
        self.tiny = labels.weight_unit

    def run(self) -> Path:
        """Peel, then paste."""
        self._start()
        while (move := self._best_peel()) is not None:
            self._peel(move)
        self._cut_at_densest()
        n_peeled = len(self.low_path)
        self._count_exits()
        if self.paste:
            self._paste_all()
        low, high = np.array(self.low_path), np.array(self.high_path)
        weight, positive = np.array(self.weights), np.array(self.positives)
        return Path(
            low,
            high,
            tuple(self.allowed_path),
            np.array(self.counts),
            weight,
            positive,
            n_peeled,
            self._quasi_p(low, high, weight, positive),
        )

    def _start(self) -> None:
        """The box of all rows."""
        labels, n_cells = self.labels, self.cells.n_cells
        self.alive = np.ones(self.n, dtype=bool) if self.taking_part is None else self.taking_part.copy()
        # A column's cells, its missing values, and a cell that is always empty, for looking beyond the last one.
        self.width = self.cells.missing + 2
        # Keys of all columns' cells; a key that fits two bytes is counted fastest.
        self.key_type: Any = np.uint16 if 2 * self.d * self.width <= 2**16 else np.intp
        self.base = np.arange(self.d) * self.width
        self.offset: NDArray[Any] = self.base.astype(self.key_type)
        # Weight and weight of interest in every cell, in their units.
        self.held = np.empty((2, self.d * self.width), dtype=np.int64)
        everything = self.alive.nonzero()[0]
        rows = slice(None) if self.taking_part is None else everything
        for j in range(self.d):
            counts = self._counted(self.codes[j][rows], rows, self.width)
            self.held[:, self.base[j] : self.base[j] + self.width] = counts
        self.n_alive = len(everything)
        self.weight, self.positive = labels.sums(everything)
        self.grain = 1.0 if labels.weight is None else float(labels.weight[everything].min()) * labels.weight_unit
        self.low, self.high = np.full(self.d, -np.inf), np.full(self.d, np.inf)
        self.allowed = {j: frozenset(range(self._size(j))) for j in self.nominal}
        # The outermost cells of every ordered column in which the box may have rows, by side.
        self.ends = [[n_cells[j] - 1, 0] for j in range(self.d)]
        self.span = min(self.cells.missing, int(1.5 * self.alpha * self.cells.missing) + 8)
        self._look_at_ends()
        self.sorted_cells: dict[tuple[int, int], tuple[IntArray, FloatArray]] = {}
        # Where each limit lies, in cells: from the last that goes to the first that stays, and when.
        self.borders: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
        self.low_path: list[FloatArray] = []
        self.high_path: list[FloatArray] = []
        self.allowed_path: list[dict[int, frozenset[int]]] = []
        self.counts: list[int] = []
        self.weights: list[float] = []
        self.positives: list[float] = []
        self._record()

    def _counted(self, keys: NDArray[Any], rows: Any, size: int) -> NDArray[np.int64]:
        """Weight and weight of interest by key, in units, shape (2, size); the first axis of `keys` are the rows."""
        labels = self.labels
        positive = labels.positive[rows]
        if keys.ndim == 2:
            positive = positive[:, None]
        if labels.binary:
            # Rows of interest under keys of their own: one count for both.
            kind: Any = np.uint16 if 2 * size <= 2**16 else np.intp
            marked = positive.astype(kind) * kind(size) + keys.astype(kind, copy=False)
            by_label = np.bincount(marked.ravel(), minlength=2 * size).reshape(2, size)
            by_label[0] += by_label[1]
            return by_label
        flat = keys.ravel()
        weight = None
        if labels.weight is not None:
            weight = np.broadcast_to(labels.weight[rows].reshape(positive.shape), keys.shape).ravel()
        out = np.empty((2, size), dtype=np.int64)
        out[0] = np.bincount(flat, weights=weight, minlength=size)
        out[1] = np.bincount(flat, weights=np.broadcast_to(positive, keys.shape).ravel(), minlength=size)
        return out

    def _size(self, j: int) -> int:
        """Number of categories of an input."""
        return len(self.cells.table.columns[j].values)

    def _record(self) -> None:
        self.low_path.append(self.low.copy())
        self.high_path.append(self.high.copy())
        self.allowed_path.append(dict(self.allowed))
        self.counts.append(self.n_alive)
        self.weights.append(self.weight)
        self.positives.append(self.positive)

    def _restricted(self, j: int) -> bool:
        if j in self.allowed:
            return len(self.allowed[j]) < self._size(j)
        return bool(self.low[j] > -np.inf or self.high[j] < np.inf)

    def _look_at_ends(self) -> None:
        """Where every ordered column's outer cells are counted: upper side, then lower, from the outside in."""
        self.near = np.empty((2 * len(self.ordered), self.span), dtype=np.intp)
        self.starts = np.arange(len(self.near)) * self.span
        for i in range(len(self.near)):
            self._look_at_end(i)

    def _look_at_end(self, i: int) -> None:
        j, side = self.ordered[i // 2], i % 2
        first, base = self.ends[j][side], int(self.base[j])
        n_cells = self.cells.n_cells[j]
        there = min(self.span, n_cells - first if side == LOWER else first + 1)
        step = 1 if side == LOWER else -1
        self.near[i, :there] = np.arange(base + first, base + first + step * there, step)
        self.near[i, there:] = base + self.width - 1

    def _best_peel(self) -> tuple[int, int, _Cut | None] | None:
        """The best peel as (input, side, cut), or (input, category, None); None if no peel is allowed or any good."""
        if self.positive >= self.weight:
            return None
        score = self._scores()
        n_sides = 2 * len(self.ordered)
        cuts: dict[int, _Cut] = {}
        while True:
            best = int(score.argmax())
            top = score[best]
            if not top > 0:
                return None
            tied = (score == top).nonzero()[0].tolist()
            unsure = [i for i in tied if not self.settled[i] and i not in cuts]
            if not unsure:
                break
            cut = cuts[unsure[0]] = self._cut(unsure[0])
            score[unsure[0]] = self._value(np.array([cut.moved]), np.array([cut.positive]))[0]
        if len(tied) > 1:
            # Of equals the one that restricts no further input, then the first input, its upper side first.
            best = min(tied, key=lambda i: (not self._restricted(self.inputs[i]), self.inputs[i], i))
        if best >= n_sides:
            return self.inputs[best], best - self.inputs.index(self.inputs[best]), None
        return self.inputs[best], best % 2, cuts.get(best) or self._cut(best)

    def _scores(self) -> FloatArray:
        """Scores of all peels, -inf where not allowed: ordered columns by sides, then the categories of the others.

        Where not `settled`, an upper bound.
        """
        unit, positive_unit = self.labels.weight_unit, self.labels.positive_unit
        absent = None
        # The group that holds the rank floor((n - 1) alpha), as for a quantile of n values, is the last to go.
        share: Any = self.alpha * (self.weight - self.grain)
        least: Any = math.floor(share / unit)
        if self.cells.table.has_missing:
            absent = self.held[:, self.base[self.ordered] + self.cells.missing].repeat(2, axis=1)
            share = self.alpha * (self.weight - absent[0] * unit - self.grain)
            least = np.floor(share / unit).astype(np.int64)
        while True:
            inside = self.held.take(self.near, axis=1).reshape(2, -1)
            total = inside.cumsum(axis=1)
            before = total[:, :: self.span] - inside[:, :: self.span]
            at = total[0].searchsorted(before[0] + least, side="right") - self.starts
            found = at < self.span
            everywhere = bool(found.all())
            if everywhere or self.span >= self.cells.missing:
                break
            self.span = min(self.cells.missing, 2 * self.span)
            self._look_at_ends()
        if not everywhere:
            at = np.minimum(at, self.span - 1)
        place = at + self.starts
        gone = total.take(place, axis=1) - before
        self.at, self.share = at, share
        if not self.all_settled:
            last = inside.take(place, axis=1)
            self.below = gone - last
        if absent is not None:
            gone += absent
        for j in self.nominal:
            categories = self.held[:, self.base[j] : self.base[j] + self._size(j)]
            gone = np.concatenate([gone, categories + self.held[:, [self.base[j] + self.cells.missing]]], axis=1)
        moved, positive = gone[0] * unit, gone[1] * positive_unit
        if self.all_settled:
            score = self._value(moved, positive)
        else:
            score = self._bounds(moved, positive, absent, last)
        if not everywhere:
            score[: len(found)][~found] = -np.inf
        if self.nominal:
            barred = [
                code not in self.allowed[j] or len(self.allowed[j]) == 1
                for j in self.nominal
                for code in range(self._size(j))
            ]
            score[len(found) :][barred] = -np.inf
        return score

    def _value(self, moved: FloatArray, positive: FloatArray) -> FloatArray:
        """Scores of taking off weights with so much of interest; -inf where too little stays."""
        kept = self.weight - moved
        before, after = self.positive / self.weight, (self.positive - positive) / np.maximum(kept, self.tiny)
        value: FloatArray = self.score(before, after, kept, np.maximum(moved, self.tiny))
        value[kept < self.least] = -np.inf
        if not moved.all():
            value[moved <= 0] = -np.inf
        return value

    def _bounds(
        self, moved: FloatArray, positive: FloatArray, absent: NDArray[np.int64] | None, last: NDArray[np.int64]
    ) -> FloatArray:
        """Upper bounds of the scores, where only a part of the last cell goes.

        At best the rows that go from the last cell are those of no interest, yet they count as all of its rows: that
        bounds each of the objectives.
        """
        unit, positive_unit = self.labels.weight_unit, self.labels.positive_unit
        n = len(last[0])
        missing = np.zeros((2, n)) if absent is None else absent * [[unit], [positive_unit]]
        of_no_interest = last[0] * unit - last[1] * positive_unit
        need = np.maximum(self.share - self.below[0] * unit - of_no_interest, 0)
        unsure = ~self.settled[:n]
        positive[:n][unsure] = (self.below[1] * positive_unit + need + missing[1])[unsure]
        kept = self.weight - moved
        before, after = self.positive / self.weight, (self.positive - positive) / np.maximum(kept, self.tiny)
        value = np.asarray(self.score(before, after, kept, np.maximum(moved, self.tiny)), dtype=float)
        fewest = moved.copy()
        fewest[:n][unsure] = np.broadcast_to(self.share, n)[unsure] + missing[0][unsure]
        value[:n][unsure] += np.abs(value[:n][unsure]) * 1e-9  # more than any rounding error
        value[:n][unsure & (kept[:n] <= 0)] = np.inf
        value[(self.weight - fewest < self.least) | (moved <= 0)] = -np.inf
        return value

    def _cut(self, i: int) -> _Cut:
        """The rows that side `i` would give up, down to the value in its last cell."""
        j, side = self.inputs[i], i % 2
        base = int(self.base[j])
        cell = int(self.near[i, self.at[i]]) - base
        values = self.cells.values[j]
        if values is not None:
            return _Cut(float(values[cell]))
        outer = self.below[:, i] + self.held[:, base + self.cells.missing]
        rows, v = self._rows_of(j, cell)
        share = self.share if np.ndim(self.share) == 0 else self.share[i]
        left = int(np.floor(share / self.labels.weight_unit)) - int(self.below[0, i])
        rank = left
        if self.labels.weight is not None:
            w = self.labels.weight[rows if side == LOWER else rows[::-1]]
            rank = int(np.cumsum(w).searchsorted(left, side="right"))
        # Equal values cannot be parted by a limit: the whole group goes.
        if side == LOWER:
            removed = v[rank]
            end = int(v.searchsorted(removed, side="right"))
            gone_rows, kept = rows[:end], v[end] if end < len(v) else None
        else:
            removed = v[len(v) - 1 - rank]
            end = int(v.searchsorted(removed, side="left"))
            gone_rows, kept = rows[end:], v[end - 1] if end else None
        weight, positive = self.labels.sums(gone_rows)
        outer_weight, outer_positive = self._in_units(outer)
        return _Cut(
            float(removed),
            None if kept is None else float(kept),
            gone_rows,
            outer_weight + weight,
            outer_positive + positive,
        )

    def _in_units(self, amounts: NDArray[np.int64]) -> tuple[float, float]:
        return float(amounts[0]) * self.labels.weight_unit, float(amounts[1]) * self.labels.positive_unit

    def _rows_of(self, j: int, cell: int) -> tuple[IntArray, FloatArray]:
        """The box's rows in a cell and their values, in the order of the values."""
        known = self.sorted_cells.get((j, cell))
        if known is None:
            rows = ((self.codes[j] == cell) & self.alive).nonzero()[0]
            v = self.x[rows, j]
            order = v.argsort(kind="stable")
            rows, v = rows[order], v[order]
        else:
            rows, v = known
            left = self.alive[rows]
            if not left.all():
                rows, v = rows[left], v[left]
        self.sorted_cells[j, cell] = rows, v
        return rows, v

    def _peel(self, move: tuple[int, int, _Cut | None]) -> None:
        """Make the box smaller."""
        j, side, cut = move
        codes = self.codes[j]
        if cut is None:
            self.allowed[j] -= {side}
            gone = ((codes == side) & self.alive).nonzero()[0]
        else:
            i = 2 * self.place[j] + side
            last, first, limit = self._border(i, cut)
            (self.high if side == UPPER else self.low)[j] = limit
            # The last cell goes as a whole, unless the cut tells which of its rows do.
            inward = 1 if cut.rows is None else 0
            beyond = codes > last - inward if side == UPPER else codes < last + inward
            if self.cells.table.has_missing and side == UPPER:
                beyond &= codes < self.cells.missing
            gone = (beyond & self.alive).nonzero()[0]
            if cut.rows is not None:
                gone = np.concatenate([gone, cut.rows])
            self.borders.setdefault((j, side), []).append((len(self.low_path), last, first))
            self.ends[j][side] = first
            self._look_at_end(i)
        if self.cells.table.has_missing and self.held[0, self.base[j] + self.cells.missing]:
            # A missing value satisfies no limit.
            gone = np.concatenate([gone, ((codes == self.cells.missing) & self.alive).nonzero()[0]])
        self._take_off(gone)
        self._record()

    def _border(self, i: int, cut: _Cut) -> tuple[int, int, float]:
        """Cell of the last value that goes, cell of the first that stays, and the limit between the two values."""
        j, side = self.inputs[i], i % 2
        base = int(self.base[j])
        last = int(self.near[i, self.at[i]]) - base
        if cut.kept is not None:
            return last, last, between(cut.kept, cut.removed)
        weight = self.held[0, base : base + self.cells.n_cells[j]]
        if side == LOWER:
            first = last + 1 + int((weight[last + 1 :] > 0).argmax())
        else:
            first = last - 1 - int((weight[:last][::-1] > 0).argmax())
        values = self.cells.values[j]
        kept = values[first] if values is not None else self._rows_of(j, first)[1][0 if side == LOWER else -1]
        return last, first, between(float(kept), cut.removed)

    def _take_off(self, gone: IntArray) -> None:
        """Take rows off all counts."""
        self.alive[gone] = False
        weight, positive = self.labels.sums(gone)
        self.n_alive -= len(gone)
        self.weight -= weight
        self.positive -= positive
        for part in range(0, len(gone), FEW_ROWS):
            rows = gone[part : part + FEW_ROWS]
            # Read row by row: each row's codes lie together, the row may lie anywhere.
            keys = self.cells.by_row.take(rows, axis=0) + self.offset
            if self.labels.binary and 16 * keys.size < self.held.size:
                np.subtract.at(self.held[0], keys.ravel(), 1)
                np.subtract.at(self.held[1], keys[self.labels.positive[rows] > 0].ravel(), 1)
            else:
                self.held -= self._counted(keys, rows, self.held.shape[1])

    def _cut_at_densest(self) -> None:
        """With the original objective, which peels on where density falls: end at the first box of largest density."""
        if self.objective != "original":
            return
        end = 1 + int(np.argmax(np.array(self.positives) / np.array(self.weights)))
        for path in (self.low_path, self.high_path, self.allowed_path, self.counts, self.weights, self.positives):
            del path[end:]
        self.low, self.high = self.low_path[-1].copy(), self.high_path[-1].copy()
        self.allowed = dict(self.allowed_path[-1])
        self.n_alive, self.weight, self.positive = self.counts[-1], self.weights[-1], self.positives[-1]

    def _count_exits(self) -> None:
        """For every row: when and on which side it first fell out of the box, and when it did so on another side.

        A row that one side alone leaves out would come back if that limit were dropped; quasi-p-values and pasting are
        about such rows. Found after the peels, from the order in which a column's cells went, so that a row need not be
        looked at again with every peel. An exit is one number, the step in its upper bits and the side below: so the
        first and the second are found by minima.
        """
        steps = len(self.low_path)
        self.bits = int(SIDES * self.d).bit_length()
        kind: Any = np.int32 if steps << self.bits < 2**31 else np.int64
        self.never = steps << self.bits
        self.first, self.second = np.full(self.n, self.never, dtype=kind), np.full(self.n, self.never, dtype=kind)
        low, high = np.array(self.low_path), np.array(self.high_path)
        for j in range(self.d):
            starts = []
            if j in self.allowed and self._restricted(j):
                when = np.full(self.width, self.never, dtype=kind)
                for step in range(1, steps):
                    for code in self.allowed_path[step - 1][j] - self.allowed_path[step][j]:
                        when[code] = (step << self.bits) | (SIDES * j + UPPER)
                        starts.append(step)
                self._exit(when[self.codes[j]])
            for side, limits in ((UPPER, -high[:, j]), (LOWER, low[:, j])):
                if limits[-1] > -np.inf:
                    self._exit(self._exits_by_limit(j, side, limits, kind))
                    starts.append(int(limits.searchsorted(-np.inf, side="right")))
            if self.cells.table.has_missing and starts:
                when = np.full(self.width, self.never, dtype=kind)
                when[self.cells.missing] = (min(starts) << self.bits) | (SIDES * j + ABSENT)
                self._exit(when[self.codes[j]])
        if self.taking_part is not None:
            self.first[~self.taking_part] = self.second[~self.taking_part] = self.never
        self.beside = list(self._beside(steps))

    def _exits_by_limit(self, j: int, side: int, limits: FloatArray, kind: Any) -> NDArray[Any]:
        """Exits beyond a limit that moves inwards, given by step; mirrored if it is an upper one."""
        mirror = -1.0 if side == UPPER else 1.0
        values, n_cells = self.cells.values[j], self.cells.n_cells[j]
        name = SIDES * j + side
        when: NDArray[Any] = np.full(self.width, self.never, dtype=kind)
        if values is not None:
            when[:n_cells] = limits.searchsorted(mirror * values, side="right") << self.bits
            when[:n_cells] |= np.where(when[:n_cells] < self.never, name, 0)
            return np.asarray(when[self.codes[j]])
        # A cell goes as a whole with the first limit beyond it, but a cell with a limit in it has to be looked into.
        borders = [(step, last, first) for step, last, first in self.borders[j, side] if step < len(limits)]
        for step, last, _ in reversed(borders):
            when[last + 1 : n_cells] = when[last + 1 : n_cells] if side == LOWER else (step << self.bits) | name
            if side == LOWER:
                when[:last] = (step << self.bits) | name
        for _, last, first in borders:
            when[min(last, first) : max(last, first) + 1] = -1
        exits = when[self.codes[j]]
        rows = (exits < 0).nonzero()[0]
        steps = limits.searchsorted(mirror * self.x[rows, j], side="right")
        exits[rows] = np.where(steps < len(limits), (steps << self.bits) | name, self.never)
        return np.asarray(exits)

    def _exit(self, exits: NDArray[Any]) -> None:
        np.minimum(self.second, np.maximum(self.first, exits), out=self.second)
        np.minimum(self.first, exits, out=self.first)

    def _beside(self, steps: int) -> NDArray[np.float64]:
        """For every box, weight and weight of interest of the rows that one side alone leaves out, by side."""
        rows = (self.first < self.never).nonzero()[0]
        first, second = self.first[rows].astype(np.intp), self.second[rows].astype(np.intp)
        side = first & ((1 << self.bits) - 1)
        again = (second >> self.bits << self.bits) | side
        size = (steps + 1) << self.bits
        flow = self._counted(first, rows, size) - self._counted(again, rows, size)
        amounts = flow.reshape(2, steps + 1, -1).cumsum(axis=1)[:, :steps, : SIDES * self.d]
        return np.moveaxis(amounts, 0, 2) * [self.labels.weight_unit, self.labels.positive_unit]

    def _paste_all(self) -> None:
        """Give rows back as long as that raises the density."""
        # Rows that one side alone leaves out, by side.
        alone = ((self.second == self.never) & (self.first < self.never)).nonzero()[0]
        side_of = self.first[alone] & ((1 << self.bits) - 1)
        alone = alone[side_of.argsort(kind="stable")]
        sizes = np.bincount(side_of, minlength=SIDES * self.d)
        self.members = dict(enumerate(np.split(alone, sizes.cumsum()[:-1])))
        found: dict[int, list[_Paste]] = {}
        while True:
            best, best_key = None, (0.0, False)
            for name in [SIDES * j + side for j in range(self.d) for side in (LOWER, UPPER)]:
                if not len(self.members[name]):
                    continue
                if name not in found:
                    j, side = divmod(name, SIDES)
                    found[name] = self._categories_back(j) if j in self.allowed else [self._rows_back(j, side)]
                for paste in found[name]:
                    kept = self.weight + paste.moved
                    before, after = self.positive / self.weight, (self.positive + paste.positive) / kept
                    if kept < self.least or paste.moved <= 0 or after <= before:
                        continue
                    key = (float(self.score(before, after, kept, paste.moved)), paste.frees)
                    if best is None or key > best_key:
                        best, best_key = paste, key
            if best is None:
                return
            for name in self._paste_back(best):
                found.pop(name, None)

    def _rows_back(self, j: int, side: int) -> _Paste:
        """The share `paste_alpha` of the rows beyond one limit that are nearest to it."""
        rows = self.members[SIDES * j + side]
        mirror = 1.0 if side == UPPER else -1.0
        v = mirror * self.x[rows, j]
        weight = self.labels.weight
        if weight is None:
            rank = int((len(v) - 1) * self.paste_alpha)
            edge = np.partition(v, rank)[rank]
        else:
            order = v.argsort()
            total = weight[rows[order]].cumsum()
            share = self.paste_alpha * (total[-1] - self.grain / self.labels.weight_unit)
            edge = v[order[min(int(total.searchsorted(share, side="right")), len(v) - 1)]]
        back = v <= edge
        if not back.all():
            limit = mirror * between(float(edge), float(v[~back].min()))
            return _Paste(j, side, limit, False, rows[back], *self.labels.sums(rows[back]))
        # Nothing that the other limits let in lies beyond: the side is open.
        frees = bool(np.isinf(self.low[j] if side == UPPER else self.high[j]))
        if frees:
            rows = np.concatenate([rows, self.members[SIDES * j + ABSENT]])
        return _Paste(j, side, mirror * np.inf, frees, rows, *self.labels.sums(rows))

    def _categories_back(self, j: int) -> list[_Paste]:
        """Each category that was left out."""
        whole = frozenset(range(self._size(j)))
        rows = self.members[SIDES * j + UPPER]
        back = []
        for code in sorted(whole - self.allowed[j]):
            allowed = self.allowed[j] | {code}
            again = rows[self.codes[j][rows] == code]
            if allowed == whole:
                again = np.concatenate([again, self.members[SIDES * j + ABSENT]])
            back.append(_Paste(j, UPPER, allowed, allowed == whole, again, *self.labels.sums(again)))
        return back

    def _paste_back(self, paste: _Paste) -> list[int]:
        """Make the box larger; returns the sides whose rows are no longer the same."""
        j, side, limit = paste.j, paste.side, paste.limit
        codes = self.codes[j]
        # Rows that leave this side's outside, among them some that another side goes on to leave out.
        if isinstance(limit, frozenset):
            inner = np.isin(codes, list(limit - self.allowed[j])).nonzero()[0]
            self.allowed[j] = limit
        else:
            ends, v = (self.high if side == UPPER else self.low), self.x[:, j]
            inner = ((v > ends[j]) & (v <= limit) if side == UPPER else (v < ends[j]) & (v >= limit)).nonzero()[0]
            ends[j] = limit
        if paste.frees and self.cells.table.has_missing:
            inner = np.concatenate([inner, (codes == self.cells.missing).nonzero()[0]])
        if self.taking_part is not None:
            inner = inner[self.taking_part[inner]]
        back = np.zeros(self.n, dtype=bool)
        back[paste.rows] = True
        for name in range(SIDES * j, SIDES * j + SIDES):
            self.members[name] = self.members[name][~back[self.members[name]]]
        inner = inner[~back[inner]]
        alone, side_of = self._left_out_once(inner)
        changed = np.unique(side_of).tolist()
        for name in changed:
            self.members[name] = np.union1d(self.members[name], alone[side_of == name])
        self.n_alive += len(paste.rows)
        self.weight += paste.moved
        self.positive += paste.positive
        self._record()
        self.beside.append(np.array([self.labels.sums(self.members[name]) for name in range(SIDES * self.d)]))
        touched = {j, *(name // SIDES for name in changed)}
        return [SIDES * k + part for k in touched for part in range(SIDES)]

    def _left_out_once(self, rows: IntArray) -> tuple[IntArray, IntArray]:
        """Those of some rows that one side alone leaves out, and which."""
        times, name = np.zeros(len(rows), dtype=int), np.zeros(len(rows), dtype=int)
        for j in range(self.d):
            if not self._restricted(j):
                continue
            if j in self.allowed:
                absent = self.codes[j][rows] == self.cells.missing
                out = [(UPPER, ~absent & ~np.isin(self.codes[j][rows], list(self.allowed[j])))]
            else:
                v = self.x[rows, j]
                absent = np.isnan(v)
                out = [(UPPER, v > self.high[j]), (LOWER, v < self.low[j])]
            for side, beyond in [*out, (ABSENT, absent)]:
                times += beyond
                name[beyond] = SIDES * j + side
        return rows[times == 1], name[times == 1]

    def _quasi_p(self, low: FloatArray, high: FloatArray, weight: FloatArray, positive: FloatArray) -> FloatArray:
        """How likely as many rows of interest are inside if a limit did nothing, for every limit of every box [1].

        Without the limit the box holds T' rows, H' of them of interest; of the T that are left inside with it, at
        least H are of interest with probability P(Binomial(T, H' / T') >= H): the incomplete beta function, which also
        takes weights.

        .. [1] B. P. Bryant, R. J. Lempert, "Thinking inside the box", TFSC 77(1), 2010.
        """
        beside = np.array(self.beside).reshape(len(low), self.d, SIDES, 2)
        closed = np.zeros((len(low), self.d, 2), dtype=bool)
        closed[:, :, 0], closed[:, :, 1] = low > -np.inf, high < np.inf
        lone = ~(closed[:, :, 0] & closed[:, :, 1])
        more = beside[:, :, [LOWER, UPPER]] + np.where(lone[:, :, None], beside[:, :, ABSENT], 0)[:, :, None]
        for j in self.nominal:
            closed[:, j, 0] = [len(allowed[j]) < self._size(j) for allowed in self.allowed_path]
            more[:, j, 0] = beside[:, j, UPPER] + beside[:, j, ABSENT]
        box = np.nonzero(closed)[0]
        extra, extra_of_interest = more[closed].T
        inside, of_interest = weight[box], positive[box]
        share = (of_interest + extra_of_interest) / (inside + extra)
        out = np.full(closed.shape, np.nan)
        out[closed] = np.where(
            of_interest > 0, scipy.special.betainc(of_interest, inside - of_interest + 1, share), 1.0
        )
        return out
