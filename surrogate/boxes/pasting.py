"""Pasting: giving back what the peels took too much."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.boxes.exits import Exits
from surrogate.boxes.objectives import Score
from surrogate.boxes.path import ABSENT, LOWER, SIDES, UPPER
from surrogate.boxes.table import between

__all__ = ["Pasting"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


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


class Pasting:
    """Makes the last box of a trail larger as long as that raises its density.

    Parameters
    ----------
    exits : Exits
    score : callable
        How good a paste is.
    alpha : float
        Share of the rows just outside a limit that one paste gives back.
    least : float
        Smallest weight of a box.
    """

    def __init__(self, exits: Exits, score: Score, *, alpha: float, least: float) -> None:
        self.box, self.cells, self.labels, self.taking_part = exits.trail, exits.cells, exits.labels, exits.taking_part
        self.score, self.alpha, self.least = score, alpha, least
        self.x, self.codes = self.cells.table.values, self.cells.codes
        self.d, self.n = self.codes.shape
        # By side, the rows that it alone leaves out.
        self.members = exits.alone()
        weight = self.labels.weight
        self.lightest = 1 if weight is None else int(weight[self.taking_part].min())

    def run(self) -> Iterator[FloatArray]:
        """Paste; after each step what every side alone leaves out, as `Exits.beside` does."""
        found: dict[int, list[_Paste]] = {}
        sides = [SIDES * j + side for j in range(self.d) for side in (LOWER, UPPER)]
        while True:
            best, best_key = None, (0.0, False)
            for name in sides:
                if not len(self.members[name]):
                    continue
                if name not in found:
                    j, side = divmod(name, SIDES)
                    found[name] = self._categories_back(j) if j in self.box.allowed else [self._rows_back(j, side)]
                for paste in found[name]:
                    kept = self.box.weight + paste.moved
                    if kept < self.least or paste.moved <= 0:
                        continue
                    gain = paste.positive / paste.moved - self.box.positive / self.box.weight
                    if gain <= 0:
                        continue
                    after = (self.box.positive + paste.positive) / kept
                    key = (float(self.score(gain, after, kept)), paste.frees)
                    if best is None or key > best_key:
                        best, best_key = paste, key
            if best is None:
                return
            for name in self._give_back(best):
                found.pop(name, None)
            yield np.array([self.labels.sums(self.members[name]) for name in range(SIDES * self.d)])

    def _rows_back(self, j: int, side: int) -> _Paste:
        """The share `alpha` of the rows beyond one limit that are nearest to it."""
        rows = self.members[SIDES * j + side]
        mirror = 1.0 if side == UPPER else -1.0
        v = mirror * self.x[rows, j]
        weight = self.labels.weight
        if weight is None:
            rank = int((len(v) - 1) * self.alpha)
            edge = np.partition(v, rank)[rank]
        else:
            order = v.argsort()
            total = weight[rows[order]].cumsum()
            share = self.alpha * (total[-1] - self.lightest)
            edge = v[order[min(int(total.searchsorted(share, side="right")), len(v) - 1)]]
        back = v <= edge
        if not back.all():
            limit = mirror * between(float(edge), float(v[~back].min()))
            return _Paste(j, side, limit, False, rows[back], *self.labels.sums(rows[back]))
        # Nothing that the other limits let in lies beyond: the side is open.
        frees = bool(np.isinf(self.box.low[j] if side == UPPER else self.box.high[j]))
        if frees:
            rows = np.concatenate([rows, self.members[SIDES * j + ABSENT]])
        return _Paste(j, side, mirror * np.inf, frees, rows, *self.labels.sums(rows))

    def _categories_back(self, j: int) -> list[_Paste]:
        """Each category that was left out."""
        whole = frozenset(range(self.box.n_categories[j]))
        rows = self.members[SIDES * j + UPPER]
        back = []
        for code in sorted(whole - self.box.allowed[j]):
            allowed = self.box.allowed[j] | {code}
            again = rows[self.codes[j][rows] == code]
            if allowed == whole:
                again = np.concatenate([again, self.members[SIDES * j + ABSENT]])
            back.append(_Paste(j, UPPER, allowed, allowed == whole, again, *self.labels.sums(again)))
        return back

    def _give_back(self, paste: _Paste) -> list[int]:
        """Make the box larger; returns the sides whose rows are no longer the same."""
        j = paste.j
        inner = self._let_in(paste)
        back = np.zeros(self.n, dtype=bool)
        back[paste.rows] = True
        for name in range(SIDES * j, SIDES * j + SIDES):
            self.members[name] = self.members[name][~back[self.members[name]]]
        alone, side_of = self._left_out_once(inner[~back[inner]])
        changed = np.unique(side_of).tolist()
        for name in changed:
            self.members[name] = np.union1d(self.members[name], alone[side_of == name])
        self.box.gain(len(paste.rows), paste.moved, paste.positive)
        self.box.record()
        touched = {j, *(name // SIDES for name in changed)}
        return [SIDES * k + part for k in touched for part in range(SIDES)]

    def _let_in(self, paste: _Paste) -> IntArray:
        """Move the limit; returns all rows that it no longer leaves out, among them some that another side does."""
        j, side, limit = paste.j, paste.side, paste.limit
        codes, box = self.codes[j], self.box
        if isinstance(limit, frozenset):
            inner = np.isin(codes, list(limit - box.allowed[j])).nonzero()[0]
            box.allowed[j] = limit
        else:
            ends, v = (box.high if side == UPPER else box.low), self.x[:, j]
            inner = ((v > ends[j]) & (v <= limit) if side == UPPER else (v < ends[j]) & (v >= limit)).nonzero()[0]
            ends[j] = limit
        if paste.frees and self.cells.table.has_missing:
            inner = np.concatenate([inner, (codes == self.cells.missing).nonzero()[0]])
        return inner if self.taking_part is None else inner[self.taking_part[inner]]

    def _left_out_once(self, rows: IntArray) -> tuple[IntArray, IntArray]:
        """Those of some rows that one side alone leaves out, and which."""
        times, name = np.zeros(len(rows), dtype=int), np.zeros(len(rows), dtype=int)
        for j in range(self.d):
            if not self.box.restricted(j):
                continue
            if j in self.box.allowed:
                absent = self.codes[j][rows] == self.cells.missing
                out = [(UPPER, ~absent & ~np.isin(self.codes[j][rows], list(self.box.allowed[j])))]
            else:
                v = self.x[rows, j]
                absent = np.isnan(v)
                out = [(UPPER, v > self.box.high[j]), (LOWER, v < self.box.low[j])]
            for side, beyond in [*out, (ABSENT, absent)]:
                times += beyond
                name[beyond] = SIDES * j + side
        return rows[times == 1], name[times == 1]
