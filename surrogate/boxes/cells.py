"""Inputs sorted into a few hundred cells a column, so that peeling counts cells instead of sorting rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.boxes.table import InputTable

__all__ = ["Cells"]

FloatArray = NDArray[np.float64]
Codes = NDArray[np.unsignedinteger[Any]]

# Up to this many rows every distinct value gets a cell of its own: sorting so few costs no more than counting them.
SORTED_ROWS = 4096
# Cells a column above that: what fits a byte, with one code left for missing values.
N_CELLS = 255
# Rows looked at to place the borders of cells, and equal steps that a column's range is cut into to look a cell up.
SAMPLE = 2048
STEPS = 4096
# A cell this many times as full as the average tells that equal steps do not suit the column.
CROWDED = 8
# Numbers coded at a time, so that a block stays in the cache.
BLOCK = 2**16


@dataclass(frozen=True, eq=False)
class Cells:
    """Which cell of its column every value lies in.

    Attributes
    ----------
    codes : array of the smallest unsigned integers that hold them, of shape (d, n)
        Cells in the order of their values; those of named values are the values' positions.
    n_cells : tuple of d int
    missing : int
        The code of a missing value, above all cells.
    values : tuple of d float arrays or None
        The value of each cell where every cell holds one distinct value; None where a cell holds several.
    table : InputTable
        The values themselves.
    """

    codes: Codes
    n_cells: tuple[int, ...]
    missing: int
    values: tuple[FloatArray | None, ...]
    table: InputTable

    @cached_property
    def by_row(self) -> Codes:
        """The codes in an array of shape (n, d), in which those of a row lie together."""
        return np.ascontiguousarray(self.codes.T)

    @classmethod
    def of(cls, table: InputTable) -> Cells:
        """The cells of a table's columns."""
        return cls._by_sorting(table) if table.n <= SORTED_ROWS else cls._by_steps(table)

    @classmethod
    def _by_sorting(cls, table: InputTable) -> Cells:
        x = np.ascontiguousarray(table.values.T)
        order = np.argsort(x, axis=1)
        x = np.take_along_axis(x, order, axis=1)
        new = np.ones(x.shape, dtype=bool)
        np.not_equal(x[:, 1:], x[:, :-1], out=new[:, 1:])
        if table.has_missing:
            new &= ~np.isnan(x)
        rank = np.cumsum(new, axis=1, dtype=np.uint16) - np.uint16(1)
        codes = np.empty_like(rank)
        np.put_along_axis(codes, order, rank, axis=1)
        values = [row[first] for row, first in zip(x, new)]
        for j, column in enumerate(table.columns):
            if column.values:  # a value that no row has keeps its place
                values[j] = np.arange(len(column.values), dtype=float)
                codes[j] = np.nan_to_num(table.values[:, j])
        n_cells = tuple(len(found) for found in values)
        missing = max(n_cells)
        if table.has_missing:
            codes[np.isnan(table.values.T)] = missing
        return cls(codes, n_cells, missing, tuple(values), table)

    @classmethod
    def _by_steps(cls, table: InputTable) -> Cells:
        some = np.random.default_rng(0).integers(0, table.n, SAMPLE)
        seen = np.sort(table.values[some].T, axis=1)
        n_seen = np.count_nonzero(~np.isnan(seen), axis=1)
        n_distinct = np.count_nonzero(seen[:, 1:] > seen[:, :-1], axis=1) + (n_seen > 0)
        values = tuple(
            _few_values(table, j, seen[j, : n_seen[j]]) if column.values or n_distinct[j] <= N_CELLS // 2 else None
            for j, column in enumerate(table.columns)
        )
        n_cells = tuple(N_CELLS if found is None else len(found) for found in values)
        missing = max(n_cells)
        codes = np.empty((table.d, table.n), dtype=np.min_scalar_type(missing))
        many = [j for j, found in enumerate(values) if found is None]
        if many:
            _code_by_steps(table, many, seen[many], n_seen[many], codes)
        for j, found in enumerate(values):
            if found is not None:
                codes[j] = np.searchsorted(found, table.values[:, j])
            if table.has_missing:
                codes[j, np.isnan(table.values[:, j])] = missing
        return cls(codes, n_cells, missing, values, table)


def _few_values(table: InputTable, j: int, seen: FloatArray) -> FloatArray | None:
    """All distinct values of a column, sorted, if they are few; else None. `seen` are some of them."""
    named = table.columns[j].values
    if named:
        return np.arange(len(named), dtype=float)
    if not len(seen):
        return None
    found, column = np.unique(seen), table.values[:, j]
    known = found[np.minimum(np.searchsorted(found, column), len(found) - 1)] == column
    if table.has_missing:
        known |= np.isnan(column)
    found = np.union1d(found, column[~known])
    return found if len(found) <= N_CELLS else None


def _code_by_steps(
    table: InputTable,
    many: list[int],
    seen: FloatArray,
    n_seen: NDArray[np.intp],
    codes: Codes,
) -> None:
    """Codes of columns with many values: about equally full cells, looked up over equal steps of the range.

    The product that finds the step never falls where the value rises, and the cells never where the step does: so codes
    are in the order of the values even where rounding moves a value into the neighbouring step.
    """
    each = np.arange(len(many))[:, None]
    ranks = np.linspace(0, 1, N_CELLS + 1)[1:-1] * np.maximum(n_seen - 1, 0)[:, None]
    borders = np.take_along_axis(seen, ranks.astype(np.intp), axis=1)
    low = np.nan_to_num(seen[:, 0])
    width = np.nan_to_num(seen[each[:, 0], n_seen - 1]) - low
    scale = (STEPS - 1) / np.where(width > 0, width, 1.0)
    # A border lies at the upper end of the step that it is in.
    border_steps = (np.nan_to_num(borders - low[:, None]) * scale[:, None]).astype(np.intp) + STEPS * each
    passed = np.bincount(border_steps.ravel(), minlength=STEPS * len(many)).reshape(-1, STEPS)
    lookup = (passed.cumsum(axis=1) - passed).astype(codes.dtype)
    fullest = passed.max(axis=1)
    crowded = [i for i in range(len(many)) if fullest[i] > CROWDED]
    for i in crowded:
        codes[many[i]] = np.searchsorted(borders[i], table.values[:, many[i]])
    places = [i for i in range(len(many)) if i not in crowded]
    # Rows of a matrix are read together, columns that lie apart in memory one by one.
    together = table.values.flags.c_contiguous
    for part in [places] if together else [[i] for i in places]:
        which = [many[i] for i in part]
        start_of = STEPS * np.arange(len(which), dtype=np.int32)[:, None]
        cell_of_step = lookup[part].ravel()
        height = max(1, BLOCK // max(1, len(which)))
        for start in range(0, table.n, height):
            rows = table.values[start : start + height]
            block = np.array((rows if len(which) == table.d else rows[:, which]).T, order="C")
            block -= low[part, None]
            block *= scale[part, None]
            if table.has_missing:
                np.nan_to_num(block, copy=False)  # put right later
            np.maximum(block, 0, out=block)
            np.minimum(block, STEPS - 1, out=block)
            step = block.astype(np.int32)
            step += start_of
            codes[which, start : start + height] = cell_of_step[step]
