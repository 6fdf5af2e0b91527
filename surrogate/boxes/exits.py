"""When and on which side every row left the box: what quasi-p-values and pasting are about."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.boxes.cells import Cells
from surrogate.boxes.labels import Labels
from surrogate.boxes.path import ABSENT, LOWER, SIDES, UPPER, Trail

__all__ = ["Exits"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


class Exits:
    """For every row: when and on which side it first fell out of the box, and when it did so on another side.

    A row that one side alone leaves out would come back if that limit were dropped. Exits are found after the peels,
    from the order in which a column's cells went, so that a row need not be looked at again with every peel. An exit is
    one number, the step in its upper bits and the side (``SIDES * j + side``) below: so the first and the second are
    found by minima.

    Parameters
    ----------
    trail : Trail
        After the last peel.
    cells : Cells
    labels : Labels
    taking_part : bool array of shape (n,), or None where all rows do
    """

    def __init__(self, trail: Trail, cells: Cells, labels: Labels, taking_part: NDArray[np.bool_] | None) -> None:
        self.trail, self.cells, self.labels, self.taking_part = trail, cells, labels, taking_part
        d, n = cells.codes.shape
        self.n_steps = len(trail.steps)
        self.n_sides = SIDES * d
        self.bits = self.n_sides.bit_length()
        self.never = self.n_steps << self.bits
        self.kind: Any = np.int32 if self.never < 2**31 else np.int64
        self.first, self.second = np.full(n, self.never, dtype=self.kind), np.full(n, self.never, dtype=self.kind)
        low, high = trail.lows, trail.highs
        for j in range(d):
            self._look_at_input(j, low[:, j], high[:, j])
        if taking_part is not None:
            self.first[~taking_part] = self.second[~taking_part] = self.never

    def _look_at_input(self, j: int, low: FloatArray, high: FloatArray) -> None:
        codes, starts = self.cells.codes[j], []
        if j in self.trail.allowed and self.trail.restricted(j):
            when, steps = self._nowhere(), self.trail.steps
            for step in range(1, self.n_steps):
                for code in steps[step - 1].allowed[j] - steps[step].allowed[j]:
                    when[code] = self._exit(step, j, UPPER)
                    starts.append(step)
            self._add(when[codes])
        for side, limits in ((UPPER, -high), (LOWER, low)):
            if limits[-1] > -np.inf:
                self._add(self._beyond(j, side, limits))
                starts.append(int(limits.searchsorted(-np.inf, side="right")))
        if self.cells.table.has_missing and starts:
            when = self._nowhere()
            when[self.cells.missing] = self._exit(min(starts), j, ABSENT)
            self._add(when[codes])

    def _nowhere(self) -> NDArray[Any]:
        """By cell of a column, its missing values last: no exit yet."""
        return np.full(self.cells.missing + 1, self.never, dtype=self.kind)

    def _exit(self, step: Any, j: int, side: int) -> Any:
        return (step << self.bits) | (SIDES * j + side)

    def _add(self, exits: NDArray[Any]) -> None:
        np.minimum(self.second, np.maximum(self.first, exits), out=self.second)
        np.minimum(self.first, exits, out=self.first)

    def _beyond(self, j: int, side: int, limits: FloatArray) -> NDArray[Any]:
        """Exits beyond a limit that moves inwards, given by step; mirrored if it is an upper one."""
        mirror = -1.0 if side == UPPER else 1.0
        codes, values, n_cells = self.cells.codes[j], self.cells.values[j], self.cells.n_cells[j]
        when = self._nowhere()
        if values is not None:
            when[:n_cells] = self._passing(j, side, limits, mirror * values)
            exits: NDArray[Any] = when[codes]
            return exits
        # A cell goes as a whole with the first limit beyond it, but a cell with a limit in it has to be looked into.
        borders = [(step, last, first) for step, last, first in self.trail.borders[j, side] if step < self.n_steps]
        for step, last, _ in reversed(borders):
            if side == LOWER:
                when[:last] = self._exit(step, j, side)
            else:
                when[last + 1 : n_cells] = self._exit(step, j, side)
        for _, last, first in borders:
            when[min(last, first) : max(last, first) + 1] = -1
        exits = when[codes]
        rows = (exits < 0).nonzero()[0]
        exits[rows] = self._passing(j, side, limits, mirror * self.cells.table.values[rows, j])
        return exits

    def _passing(self, j: int, side: int, limits: FloatArray, values: FloatArray) -> NDArray[np.intp]:
        """Exits of values, at the step when a limit passes them."""
        steps = limits.searchsorted(values, side="right")
        exits: NDArray[np.intp] = np.where(steps < self.n_steps, self._exit(steps, j, side), self.never)
        return exits

    def _side_of(self, exits: NDArray[Any]) -> NDArray[Any]:
        side: NDArray[Any] = exits & ((1 << self.bits) - 1)
        return side

    def beside(self) -> list[FloatArray]:
        """For every step, weight and weight of interest of the rows that each side alone leaves out: (sides, 2)."""
        rows = (self.first < self.never).nonzero()[0]
        first, second = self.first[rows].astype(np.intp), self.second[rows].astype(np.intp)
        again = (second >> self.bits << self.bits) | self._side_of(first)
        size = (self.n_steps + 1) << self.bits
        flow = self.labels.counted(first, rows, size) - self.labels.counted(again, rows, size)
        amounts = flow.reshape(2, self.n_steps + 1, -1).cumsum(axis=1)[:, : self.n_steps, : self.n_sides]
        return list(np.moveaxis(amounts, 0, 2) * [self.labels.weight_unit, self.labels.positive_unit])

    def alone(self) -> dict[int, IntArray]:
        """By side, the rows that it alone leaves out of the last box."""
        rows = ((self.second == self.never) & (self.first < self.never)).nonzero()[0]
        side_of = self._side_of(self.first[rows])
        rows = rows[side_of.argsort(kind="stable")]
        sizes = np.bincount(side_of, minlength=self.n_sides)
        return dict(enumerate(np.split(rows, sizes.cumsum()[:-1])))
