"""How an output is read from what a program printed or wrote."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.connectors.answer import interpolate
from surrogate.errors import SimulatorError, did_you_mean
from surrogate.outputs import Output, Series

__all__ = ["CSVParser", "CommandResult", "JSONParser", "Parser", "RegexParser", "read_output"]

# Fortran writes 1.0D+05, and 1.0-101 where the exponent has three digits.
_FORTRAN = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+))(?:[dD]([+-]?\d+)|([+-]\d{3}))\s*")

# How much of something unreadable an error shows.
MAX_SHOWN = 80


@dataclass(frozen=True)
class CommandResult:
    """What a program left behind; given to parsers.

    Attributes
    ----------
    folder : Path
        Its working directory.
    stdout, stderr : Path
        Files with what it printed.
    exit_code : int
        Negative for a signal.
    placed : mapping of str to int
        Files that lay in the working directory before, and when they were last changed then (ns).

    Examples
    --------
    >>> def lines(result: CommandResult) -> int:
    ...     return len(result.stdout.read_text().splitlines())
    """

    folder: Path
    stdout: Path
    stderr: Path
    exit_code: int
    placed: Mapping[str, int] = field(default_factory=dict)

    def path(self, file: str | None = None) -> Path:
        """Where a file lies that the run wrote; None is what it printed.

        Raises
        ------
        SimulatorError
            If there is none, or only the copy that was laid there before the run.
        """
        if file is None:
            return self.stdout
        path = self.folder / file
        if not path.is_file():
            there = sorted(str(p.relative_to(self.folder)) for p in self.folder.rglob("*") if p.is_file())
            written = [name for name in there if not self._is_untouched(name)]
            raise SimulatorError(f"the run wrote no file {file!r} (it wrote: {', '.join(written[:10]) or 'nothing'})")
        if self._is_untouched(file):
            raise SimulatorError(f"the run did not write {file!r}: it is the copy that was laid there before")
        return path

    def text(self, file: str | None = None) -> str:
        """Content of a file that the run wrote, or what it printed."""
        return self.path(file).read_text(encoding="utf-8", errors="replace")

    def _is_untouched(self, file: str) -> bool:
        before = self.placed.get(os.path.normpath(file))
        return before is not None and (self.folder / file).stat().st_mtime_ns == before


@dataclass(frozen=True)
class Parser:
    """Reads one output; a function of a :class:`CommandResult` does as well."""

    def read(self, result: CommandResult, output: Output) -> Any:
        """The output's value, or a :class:`SimulatorError` that says what is missing."""
        raise NotImplementedError


@dataclass(frozen=True)
class RegexParser(Parser):
    r"""Numbers found by a regular expression.

    A scalar output is the last match, since programs that iterate print their result last; a series is all of them.

    Parameters
    ----------
    pattern : str
        Its first group is the number, without groups the whole match. ``^`` and ``$`` match at every line.
    file : str, optional
        Where to look, instead of in what the program printed.
    index : int
        Which match is the scalar, from 0 on or, negative, from the end.

    Examples
    --------
    >>> parser = RegexParser(r"CL =\s*(\S+)")
    """

    pattern: str
    file: str | None = None
    index: int = -1

    def __post_init__(self) -> None:
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ValueError(f"pattern {self.pattern!r} is no regular expression: {error}") from None

    def read(self, result: CommandResult, output: Output) -> Any:
        pattern = re.compile(self.pattern, re.MULTILINE)
        group = 1 if pattern.groups else 0
        found = [match[group] for match in pattern.finditer(result.text(self.file))]
        where = _called(self.file)
        if isinstance(output, Series):
            return [to_number(text, where) for text in found]
        try:
            return to_number(found[self.index], where)
        except IndexError:
            count = f"{len(found)} matches" if found else "no match"
            raise SimulatorError(f"{count} of {self.pattern!r} in {where}") from None


@dataclass(frozen=True)
class JSONParser(Parser):
    """A value in a JSON document.

    Parameters
    ----------
    path : str or sequence of (str or int)
        ``"result.polar[0].lift"``; ``[*]`` takes every item of a list, for a series: ``"history[*].t"``. A sequence of
        keys for names that hold dots or brackets.
    file : str, optional
        Instead of what the program printed.

    Examples
    --------
    >>> JSONParser("history[*].t").keys
    ('history', '*', 't')
    """

    path: str | Sequence[str | int]
    file: str | None = None

    @property
    def keys(self) -> tuple[str | int, ...]:
        """Names, positions and ``"*"`` of the path in order."""
        if not isinstance(self.path, str):
            return tuple(self.path)
        parts = re.findall(r"([^.\[\]]+)|\[(-?\d+|\*)\]", self.path)
        return tuple(name or (item if item == "*" else int(item)) for name, item in parts)

    def __post_init__(self) -> None:
        if not self.keys:
            raise ValueError(f"path must name a value, got {self.path!r}")

    def read(self, result: CommandResult, output: Output) -> Any:
        where = _called(self.file)
        try:
            document = json.loads(result.text(self.file))
        except json.JSONDecodeError as error:
            raise SimulatorError(f"{where} is no whole JSON document: {error}") from None
        return _descend(document, self.keys, where)


@dataclass(frozen=True)
class CSVParser(Parser):
    """A cell of a table, or for a series a column.

    Parameters
    ----------
    column : str or int
        Its heading, or its position from 0 on.
    row : int
        Which row is the scalar, from 0 on or, negative, from the end.
    along : str or int, optional
        For a series: the column with the coordinate. The values are interpolated linearly at the series' own ``at``,
        which must lie within it. Without it, the rows are the series.
    file : str, optional
        Instead of what the program printed.
    separator : str, optional
        None is any white space.
    header : bool
        Whether the first row holds headings. Rows may then begin with a name that has none.
    skip : int
        How many lines come before the table.
    comment : str, optional
        What comes after this character is no part of the table.

    Examples
    --------
    >>> voltage = CSVParser(1, along=0, file="out.txt", separator=None, header=False)
    """

    column: str | int
    row: int = -1
    along: str | int | None = None
    file: str | None = None
    separator: str | None = ","
    header: bool = True
    skip: int = 0
    comment: str | None = None

    def read(self, result: CommandResult, output: Output) -> Any:
        table = self._table(result)
        cells = self._cells(table, self.column)
        if isinstance(output, Series):
            values = self._numbers(cells)
            along = self.along
            return values if along is None else interpolate(self._numbers(self._cells(table, along)), values, output)
        if not -len(cells) <= self.row < len(cells):
            count = f"{len(cells)} row" + ("s" if len(cells) != 1 else "")
            raise SimulatorError(f"the table in {_called(self.file)} has {count}, there is no row {self.row}")
        return to_number(cells.iloc[self.row], _called(self.file))

    def _table(self, result: CommandResult) -> pd.DataFrame:
        path = result.path(self.file)
        try:
            table = self._frame(path)
            # Rows with a cell more than the heading begin with a name, as R writes them, unless that cell is just what
            # a separator at the row's end leaves.
            if not isinstance(table.index, pd.RangeIndex) and _is_blank(table.iloc[:, -1]).all():
                table = self._frame(path, index_col=False, usecols=range(table.shape[1]))
        except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
            raise SimulatorError(f"{_called(self.file)} cannot be read as a table: {str(error).strip()}") from None
        # White space leaves no cell empty: there are too few, and nobody knows which one is missing.
        if self.header and self.separator is None and table.shape[1] and _is_blank(table.iloc[:, -1]).any():
            row = int(np.argmax(_is_blank(table.iloc[:, -1])))
            raise SimulatorError(
                f"row {row} of the table in {_called(self.file)} has fewer cells than its heading, "
                f"{list(table.columns)}; to read it by positions, skip the heading and set header=False"
            )
        table.columns = [str(name).strip() for name in table.columns]
        return table

    def _frame(self, path: Path, **options: Any) -> pd.DataFrame:
        table: pd.DataFrame = pd.read_csv(
            path,
            sep=r"\s+" if self.separator is None else self.separator,
            header=0 if self.header else None,
            skiprows=self.skip,
            comment=self.comment,
            dtype=str,
            keep_default_na=False,
            encoding_errors="replace",
            **options,
        )
        return table

    def _cells(self, table: pd.DataFrame, column: str | int) -> pd.Series:
        where = f"the table in {_called(self.file)}"
        if isinstance(column, str):
            if column not in table:
                raise SimulatorError(f"{where} has no column {column!r}; {did_you_mean(column, map(str, table))}")
            return table[column]
        if not -table.shape[1] <= column < table.shape[1]:
            raise SimulatorError(f"{where} has {table.shape[1]} columns, there is no column {column}")
        return table.iloc[:, column]

    def _numbers(self, cells: pd.Series) -> NDArray[np.float64]:
        try:
            return cells.to_numpy(dtype=float)
        except ValueError:
            return np.array([to_number(cell, _called(self.file)) for cell in cells])


def read_output(parser: Parser | Callable[[CommandResult], Any], result: CommandResult, output: Output) -> Any:
    """The output's value by either kind of parser."""
    return parser.read(result, output) if isinstance(parser, Parser) else parser(result)


def _is_blank(cells: pd.Series) -> NDArray[np.bool_]:
    return np.asarray(cells.str.strip() == "")


def _called(file: str | None) -> str:
    return file or "what the program printed"


def to_number(text: Any, where: str) -> float:
    """A number as programs write them, Fortran's exponents included."""
    try:
        return float(text)
    except ValueError:
        fortran = _FORTRAN.fullmatch(text)
    if fortran is None:
        raise SimulatorError(f"{text[:MAX_SHOWN]!r} in {where} is not a number")
    return float(f"{fortran[1]}e{fortran[2] or fortran[3]}")


def _descend(value: Any, keys: tuple[str | int, ...], where: str) -> Any:
    for depth, key in enumerate(keys):
        if key == "*" and isinstance(value, list):
            return [_descend(item, keys[depth + 1 :], where) for item in value]
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            known = did_you_mean(str(key), value) if isinstance(value, dict) else f"there is {value!r:.{MAX_SHOWN}}"
            place = "".join(f"[{k!r}]" for k in keys[:depth]) or "the document"
            raise SimulatorError(f"{where}: no {key!r} in {place}; {known}") from None
    return value
