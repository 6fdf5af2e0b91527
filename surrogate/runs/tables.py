"""The tables of a run store: their columns, how values become cells, and how an old store is brought up to date."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from surrogate.outputs import Output, Series
from surrogate.space import Categorical, Integer, Ordinal, Parameter, Real, Space

__all__ = [
    "ARRAYS",
    "CLAIMS",
    "METADATA",
    "MIGRATIONS",
    "SCHEMA_VERSION",
    "SESSIONS",
    "STUDY",
    "from_cells",
    "in_parts",
    "input_columns",
    "runs_table",
    "scalar_columns",
    "storable",
    "to_cell",
]

# Raised when the meaning of a table changes; a newer store is refused, an older one migrated.
SCHEMA_VERSION = 2

# Rows in one statement: databases limit its parameters (PostgreSQL to 65,535, SQLite to 32,766).
ROWS_A_STATEMENT = 5000

METADATA = sa.MetaData()
STUDY = sa.Table(
    "study", METADATA, sa.Column("key", sa.Text, primary_key=True), sa.Column("value", sa.Text, nullable=False)
)
SESSIONS = sa.Table(
    "sessions",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("description", sa.Text, nullable=False),
)
ARRAYS = sa.Table(
    "arrays",
    METADATA,
    sa.Column("run_id", sa.String(32), primary_key=True),
    sa.Column("output", sa.String(255), primary_key=True),
    sa.Column("dtype", sa.String(16), nullable=False),
    sa.Column("shape", sa.Text, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)

# Which process is about to run what, on a server that several use. A claim that is not renewed ends.
CLAIMS = sa.Table(
    "claims",
    METADATA,
    sa.Column("run_id", sa.String(32), primary_key=True),
    sa.Column("owner", sa.String(32), nullable=False),
    sa.Column("expires", sa.Double, nullable=False),
)


def _to_version_2(connection: sa.Connection) -> dict[str, Any]:
    """Version 2 knows levels, which no older store has, and claims."""
    CLAIMS.create(connection, checkfirst=True)
    return {"levels": {}}


# By the version that they start from: what is done to the tables, and the new entries of the study.
MIGRATIONS: Mapping[int, Callable[[sa.Connection], dict[str, Any]]] = {1: _to_version_2}


def runs_table(space: Space, outputs: Sequence[Output], has_levels: bool = False) -> sa.Table[Any]:
    """The table of runs: bookkeeping, then a column an input and a column a scalar output."""
    columns: list[sa.Column[Any]] = [
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False, index=True),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("seconds", sa.Double),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("seed", sa.BigInteger),
        sa.Column("started", sa.Double),
        sa.Column("session", sa.Integer),
    ]
    if has_levels:
        columns.append(sa.Column("level", sa.Integer, nullable=False))
    for column, parameter in zip(input_columns(space), space.values(), strict=True):
        kind = (
            sa.Double if isinstance(parameter, Real) else sa.BigInteger if isinstance(parameter, Integer) else sa.Text
        )
        columns.append(sa.Column(column, kind))
    columns += [sa.Column(column, sa.Double) for column in scalar_columns(outputs).values()]
    return sa.Table("runs", sa.MetaData(), *columns)


def _column_names(prefix: str, names: Iterable[str]) -> list[str]:
    """Readable column names; numbered where a database could not tell them apart (case) or would cut them."""
    taken: set[str] = set()
    out = []
    for position, name in enumerate(names):
        column = f"{prefix}_{name}"
        if column.lower() in taken or len(column.encode()) > 60 or "%" in column or "\x00" in column:
            column = f"{prefix}_{position}_"
        taken.add(column.lower())
        out.append(column)
    return out


def input_columns(space: Space) -> list[str]:
    """Column of each parameter."""
    return _column_names("in", space)


def scalar_columns(outputs: Sequence[Output]) -> dict[Output, str]:
    """Column of each scalar output."""
    scalars = [output for output in outputs if not isinstance(output, Series)]
    return dict(zip(scalars, _column_names("out", scalars), strict=True))


def in_parts(ids: Sequence[str]) -> list[Sequence[str]]:
    """Keys by the statements that ask for them."""
    return [ids[start : start + ROWS_A_STATEMENT] for start in range(0, len(ids), ROWS_A_STATEMENT)]


def storable(text: str) -> str:
    """A text that every database takes: without NUL, and with odd bytes of file names spelt out."""
    return text.replace("\x00", "\\0").encode("utf-8", "backslashreplace").decode()


def to_cell(parameter: Parameter, value: Any) -> Any:
    """A parameter's value as the database keeps it."""
    if isinstance(parameter, Real):
        return float(value)
    if isinstance(parameter, Integer):
        return int(value)
    return value if _is_text(parameter) else json.dumps(value)


def from_cells(parameter: Parameter, cells: list[Any]) -> Any:
    """A parameter's values from a column of the database."""
    if isinstance(parameter, (Ordinal, Categorical)):
        values = cells if _is_text(parameter) else [json.loads(cell) for cell in cells]
        return parameter.decode(parameter.codes(values))
    return np.array(cells, dtype=parameter.dtype)


def _is_text(parameter: Parameter) -> bool:
    """Whether all values are text, and are stored as they are; others are stored as JSON."""
    return isinstance(parameter, (Ordinal, Categorical)) and all(isinstance(value, str) for value in parameter.values)
