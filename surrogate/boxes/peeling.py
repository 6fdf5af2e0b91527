"""Peeling on counted cells.

A peel needs, for every side of every input, the rows that hold the outermost share alpha of the box. They are found by
adding up the counts of a column's outer cells, all sides at once, and only in the one cell where the share ends does a
row's value matter. There a bound on the score is known from the counts, so values are looked up for the few sides
that may still be the best. A row that is peeled off is taken off the counts once, so a whole trajectory reads every row
about once, however many boxes it has.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.boxes.cells import Cells
from surrogate.boxes.labels import Labels
from surrogate.boxes.objectives import Score
from surrogate.boxes.path import LOWER, UPPER, Trail
from surrogate.boxes.table import between

__all__ = ["Peeling"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

# Rows taken off the counts of all columns in one call.
FEW_ROWS = 8192


@dataclass(frozen=True, slots=True)
class _Cut:
    """The outer rows of one side of one input, in the box, that a peel would take off."""

    removed: float  # the innermost value that goes
    kept: float | None = None  # the outermost that stays, if it lies in the same cell
    rows: IntArray | None = None  # those of the last cell that go, unless all do
    moved: float = 0.0  # weight, and of interest; not counted again where the score was known
    positive: float = 0.0


class Peeling:
    """Makes the box of all rows smaller, peel by peel.

    Parameters
    ----------
    cells : Cells
    labels : Labels
    score : callable
        How good a peel is.
    alpha : float
        Share of the box's weight that a peel takes off, at least a whole group of equal values.
    least : float
        Smallest weight of a box.
    taking_part : bool array of shape (n,), or None where all rows do
    columns : bool array of shape (d,), optional
        Which inputs may be restricted.
    """

    def __init__(
        self,
        cells: Cells,
        labels: Labels,
        score: Score,
        *,
        alpha: float,
        least: float,
        taking_part: NDArray[np.bool_] | None = None,
        columns: NDArray[np.bool_] | None = None,
    ) -> None:
        self.cells, self.labels, self.score = cells, labels, score
        self.x, self.codes = cells.table.values, cells.codes
        self.d, n = self.codes.shape
        self.alpha, self.least = alpha, least
        self.alive = np.ones(n, dtype=bool) if taking_part is None else taking_part.copy()
        may = np.ones(self.d, dtype=bool) if columns is None else columns
        kinds = [column.kind for column in cells.table.columns]
        self.nominal = {
            j: len(cells.table.columns[j].values) for j in range(self.d) if kinds[j] == "categorical" and may[j]
        }
        self.ordered = [j for j in range(self.d) if kinds[j] != "categorical" and may[j]]
        self.place = {j: i for i, j in enumerate(self.ordered)}
        # The input that each possible peel is about, and whether its counts alone tell its score.
        self.inputs = [j for j in self.ordered for _ in (UPPER, LOWER)]
        self.inputs += [j for j, size in self.nominal.items() for _ in range(size)]
        self.settled = np.array([cells.values[j] is not None for j in self.inputs], dtype=bool)
        self.all_settled = bool(self.settled.all())
        # Stands for nothing where nothing must not be divided by.
        self.tiny = labels.weight_unit
        self.sorted_cells: dict[tuple[int, int], tuple[IntArray, FloatArray]] = {}

    def run(self) -> Trail:
        """Peel until no peel is allowed or any good."""
        self._start()
        while (move := self._best_peel()) is not None:
            self._peel(move)
        return self.box

    def _start(self) -> None:
        """The box of all rows."""
        labels, missing = self.labels, self.cells.missing
        # A column's cells, its missing values, and a cell that is always empty, for looking beyond the last one.
        self.width = missing + 2
        # Keys of all columns' cells; a key that fits two bytes is counted fastest.
        key_type: Any = np.uint16 if 2 * self.d * self.width <= 2**16 else np.intp
        self.base = np.arange(self.d) * self.width
        self.offset: NDArray[Any] = self.base.astype(key_type)
        # Weight and weight of interest in every cell, in their units.
        self.held = np.empty((2, self.d * self.width), dtype=np.int64)
        everything = self.alive.nonzero()[0]
        rows = slice(None) if len(everything) == len(self.alive) else everything
        for j in range(self.d):
            counts = labels.counted(self.codes[j][rows], rows, self.width)
            self.held[:, self.base[j] : self.base[j] + self.width] = counts
        self.box = Trail(self.d, self.nominal, len(everything), *labels.sums(everything))
        self.grain = 1.0 if labels.weight is None else float(labels.weight[everything].min()) * labels.weight_unit
        # The outermost cells of every ordered column in which the box may have rows, by side.
        self.ends = [[n_cells - 1, 0] for n_cells in self.cells.n_cells]
        self.span = max(1, min(missing, int(1.5 * self.alpha * missing) + 8))
        self._look_at_ends()

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
        if self.box.positive >= self.box.weight:
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
            best = min(tied, key=lambda i: (not self.box.restricted(self.inputs[i]), self.inputs[i], i))
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
        share: Any = self.alpha * (self.box.weight - self.grain)
        least: Any = math.floor(share / unit)
        if self.cells.table.has_missing:
            absent = self.held[:, self.base[self.ordered] + self.cells.missing].repeat(2, axis=1)
            share = self.alpha * (self.box.weight - absent[0] * unit - self.grain)
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
            categories = self.held[:, self.base[j] : self.base[j] + self.nominal[j]]
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
                code not in self.box.allowed[j] or len(self.box.allowed[j]) == 1
                for j in self.nominal
                for code in range(self.nominal[j])
            ]
            score[len(found) :][barred] = -np.inf
        return score

    def _value(self, moved: FloatArray, positive: FloatArray) -> FloatArray:
        """Scores of taking off weights with so much of interest; -inf where too little stays."""
        value = self._score_of(moved, positive)
        value[self.box.weight - moved < self.least] = -np.inf
        if not moved.all():
            value[moved <= 0] = -np.inf
        return value

    def _score_of(self, moved: FloatArray, positive: FloatArray) -> FloatArray:
        kept = np.maximum(self.box.weight - moved, self.tiny)
        gain = self.box.positive / self.box.weight - positive / np.maximum(moved, self.tiny)
        value: FloatArray = self.score(gain, (self.box.positive - positive) / kept, kept)
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
        value = self._score_of(moved, positive)
        fewest = moved.copy()
        fewest[:n][unsure] = np.broadcast_to(self.share, n)[unsure] + missing[0][unsure]
        value[:n][unsure] += np.abs(value[:n][unsure]) * 1e-9  # more than any rounding error
        value[:n][unsure & (moved[:n] >= self.box.weight)] = np.inf
        value[(self.box.weight - fewest < self.least) | (moved <= 0)] = -np.inf
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
            self.box.allowed[j] -= {side}
            gone = ((codes == side) & self.alive).nonzero()[0]
        else:
            i = 2 * self.place[j] + side
            last, first, limit = self._border(i, cut)
            (self.box.high if side == UPPER else self.box.low)[j] = limit
            # The last cell goes as a whole, unless the cut tells which of its rows do.
            inward = 1 if cut.rows is None else 0
            beyond = codes > last - inward if side == UPPER else codes < last + inward
            if self.cells.table.has_missing and side == UPPER:
                beyond &= codes < self.cells.missing
            gone = (beyond & self.alive).nonzero()[0]
            if cut.rows is not None:
                gone = np.concatenate([gone, cut.rows])
            self.box.borders.setdefault((j, side), []).append((len(self.box.steps), last, first))
            self.ends[j][side] = first
            self._look_at_end(i)
        if self.cells.table.has_missing and self.held[0, self.base[j] + self.cells.missing]:
            # A missing value satisfies no limit.
            gone = np.concatenate([gone, ((codes == self.cells.missing) & self.alive).nonzero()[0]])
        self._take_off(gone)
        self.box.record()

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
        self.box.gain(-len(gone), -weight, -positive)
        for part in range(0, len(gone), FEW_ROWS):
            rows = gone[part : part + FEW_ROWS]
            # Read row by row: each row's codes lie together, the row may lie anywhere.
            keys = self.cells.by_row.take(rows, axis=0) + self.offset
            if self.labels.binary and 16 * keys.size < self.held.size:
                np.subtract.at(self.held[0], keys.ravel(), 1)
                np.subtract.at(self.held[1], keys[self.labels.positive[rows] > 0].ravel(), 1)
            else:
                self.held -= self.labels.counted(keys, rows, self.held.shape[1])
