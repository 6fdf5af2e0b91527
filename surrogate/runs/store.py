"""The run store: every run of one study in one database, committed before it is reported done.

An SQLite file by default (write-ahead log, every commit synced to disk). The tables are written with SQLAlchemy Core,
so that the same code serves any database it knows by URL.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from surrogate.errors import StoreError, StoreMismatchError
from surrogate.runs.outcome import Outcome, Task
from surrogate.runs.provenance import describe_session
from surrogate.runs.records import BOOK, Runs
from surrogate.simulation import Output, Series, Simulator, output_from_dict
from surrogate.space import Categorical, Integer, Ordinal, Parameter, Real, Space

__all__ = ["RunStore"]

# Raised when the meaning of a table changes; a newer store is refused, an older one migrated.
SCHEMA_VERSION = 1

# Rows fetched at a time: bounds the memory that rows take before they become columns.
FETCH_ROWS = 50_000

_METADATA = sa.MetaData()
_STUDY = sa.Table(
    "study", _METADATA, sa.Column("key", sa.Text, primary_key=True), sa.Column("value", sa.Text, nullable=False)
)
_SESSIONS = sa.Table(
    "sessions",
    _METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("description", sa.Text, nullable=False),
)
_ARRAYS = sa.Table(
    "arrays",
    _METADATA,
    sa.Column("run_id", sa.String(32), primary_key=True),
    sa.Column("output", sa.String(255), primary_key=True),
    sa.Column("dtype", sa.String(16), nullable=False),
    sa.Column("shape", sa.Text, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
)


class RunStore:
    """Durable runs of one simulator.

    Parameters
    ----------
    target : str or Path
        A file for SQLite, made if it is not there; a SQLAlchemy URL; or ``":memory:"``.

    Raises
    ------
    StoreError
        If it cannot be opened, or was written by a newer version.

    Examples
    --------
    >>> RunStore(":memory:").is_empty
    True
    """

    def __init__(self, target: str | Path = ":memory:") -> None:
        # The URL of a file is that file: it gets the same lock and the same durable commits.
        self.target = str(target).removeprefix("sqlite:///")
        self._lock: int | None = None
        self._runs: sa.Table[Any] | None = None
        self._space: Space | None = None
        self._outputs: tuple[Output, ...] = ()
        self._meta: dict[str, Any] = {}
        self._session: int | None = None
        self._engine = self._open()
        with self._errors():
            self._read_study()

    # Opening and closing

    def _open(self) -> sa.Engine:
        if "://" in self.target:
            return sa.create_engine(self.target)
        if self.target == ":memory:":
            return sa.create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        path = Path(self.target)
        if path.is_dir():
            raise StoreError(f"{path} is a folder; name a file for the run store, e.g. {path / 'runs.db'}")
        if not path.parent.is_dir():
            raise StoreError(f"there is no folder {path.parent} for the run store {path.name}")
        engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)))

        @sa.event.listens_for(engine, "connect")
        def set_pragmas(connection: Any, _record: Any) -> None:
            # FULL: a commit is on the disk when it returns, so that a power cut loses no acknowledged run.
            for pragma in ("busy_timeout=10000", "journal_mode=WAL", "synchronous=FULL"):
                connection.execute(f"PRAGMA {pragma}")

        return engine

    @property
    def _file(self) -> Path | None:
        return None if self.target == ":memory:" or "://" in self.target else Path(self.target)

    def close(self) -> None:
        """Release the file; the store can be opened again."""
        self._engine.dispose()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> RunStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        what = "empty" if self.is_empty else f"runs of {self.simulator!r} version {self.version}"
        return f"<RunStore {self.target}: {what}>"

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise StoreError(f"run store {self.target}: {error.orig}") from error

    # The study

    def _read_study(self) -> None:
        if not sa.inspect(self._engine).has_table("study"):
            return
        with self._engine.connect() as connection:
            found = {key: json.loads(value) for key, value in connection.execute(sa.select(_STUDY))}
        if not found:
            return
        if found["schema"] > SCHEMA_VERSION:
            raise StoreError(
                f"run store {self.target} has schema {found['schema']}, this version reads up to {SCHEMA_VERSION}; "
                "update surrogate-learn"
            )
        self._meta = found
        self._space = Space.from_dict(found["space"])
        self._outputs = tuple(output_from_dict(out) for out in found["outputs"])
        self._runs = _runs_table(self._space, self._outputs)

    @property
    def is_empty(self) -> bool:
        """Whether the store belongs to no simulator yet."""
        return self._runs is None

    def _known(self) -> tuple[sa.Table[Any], Space]:
        if self._runs is None or self._space is None:
            raise StoreError(f"run store {self.target} holds no runs yet")
        return self._runs, self._space

    @property
    def simulator(self) -> str:
        """Name of the simulator whose runs these are."""
        self._known()
        return str(self._meta["simulator"])

    @property
    def version(self) -> str:
        """The simulator's version."""
        self._known()
        return str(self._meta["version"])

    @property
    def space(self) -> Space:
        """The simulator's space when the store was made."""
        return self._known()[1]

    def open_study(self, simulator: Simulator, design: Mapping[str, Any] | None = None) -> None:
        """Make the store ready for runs of `simulator`: claim a new store, check an old one, lock it for writing.

        Raises
        ------
        StoreMismatchError
            If the store holds runs of another simulator, version, space or outputs.
        StoreError
            If another process is writing to it.
        """
        taken = [name for name in simulator.space if name in BOOK]
        if taken:
            raise ValueError(
                f"simulator {simulator.name!r}: parameter {taken[0]!r} is the name of a column that every run has "
                f"({', '.join(BOOK)}); call it otherwise"
            )
        self._acquire_lock()
        if self.is_empty:
            runs = _runs_table(simulator.space, simulator.outputs)
            study = {
                "schema": SCHEMA_VERSION,
                "simulator": simulator.name,
                "version": simulator.version,
                "space": simulator.space.to_dict(),
                "outputs": [out.to_dict() for out in simulator.outputs],
                "created": time.time(),
                "design": dict(design or {}),
            }
            with self._errors(), self._engine.begin() as connection:
                _METADATA.create_all(connection)
                runs.metadata.create_all(connection)
                connection.execute(sa.insert(_STUDY), [{"key": k, "value": json.dumps(v)} for k, v in study.items()])
            self._read_study()
        else:
            self._refuse_another(simulator)

    def _refuse_another(self, simulator: Simulator) -> None:
        differs = []
        if self.simulator != simulator.name:
            differs.append(f"simulator {self.simulator!r}, not {simulator.name!r}")
        if self.version != simulator.version:
            differs.append(f"version {self.version!r}, not {simulator.version!r}")
        if self.space.fingerprint != simulator.space.fingerprint:
            differs.append("another space (" + _space_difference(self.space, simulator.space) + ")")
        old, new = ([_identity(out) for out in outputs] for outputs in (self._outputs, simulator.outputs))
        if [*map(str, self._outputs)] != [*map(str, simulator.outputs)]:
            differs.append(f"outputs {[*map(str, self._outputs)]}, not {[*map(str, simulator.outputs)]}")
        elif old != new:
            name = next(was["name"] for was, now in zip(old, new, strict=True) if was != now)
            differs.append(f"output {name!r} with another unit or coordinate")
        if differs:
            raise StoreMismatchError(
                f"run store {self.target} holds runs of {'; '.join(differs)}. Runs of different models are not mixed: "
                "name another store for the new one, or delete the file to start again"
            )

    def _acquire_lock(self) -> None:
        if self._lock is not None or self._file is None:
            return
        path = self._file.with_name(self._file.name + ".lock")
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreError(f"run store {self.target} cannot be written: {error.strerror} ({path})") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(lock, 200).decode(errors="replace").strip() or "another process"
            os.close(lock)
            raise StoreError(
                f"run store {self.target} is being written by {holder}; wait until it ends, or use a database server "
                "(store='postgresql+psycopg://...') for several writers"
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"process {os.getpid()}".encode(), 0)
        self._lock = lock

    # Writing

    def remember(self, key: str, make: Callable[[], Any]) -> Any:
        """The study's value for `key`; made, and stored for ever, the first time."""
        if key not in self._meta:
            value = make()
            with self._errors(), self._engine.begin() as connection:
                connection.execute(sa.insert(_STUDY), {"key": key, "value": json.dumps(value)})
            self._meta[key] = value
        return self._meta[key]

    def statuses(self) -> dict[str, str]:
        """Status by run id."""
        table, _ = self._known()
        with self._errors(), self._engine.connect() as connection:
            rows = connection.execute(sa.select(table.c.id, table.c.status))
            return {str(key): str(status) for key, status in rows}

    def next_number(self) -> int:
        """The number that the next new run gets; runs are numbered in the order of their designs."""
        table, _ = self._known()
        with self._errors(), self._engine.connect() as connection:
            last = connection.execute(sa.select(sa.func.max(table.c.number))).scalar()
        return 0 if last is None else int(last) + 1

    def add(self, results: Iterable[tuple[int, Task, Outcome]]) -> None:
        """Commit outcomes; when this returns they are on the disk.

        A run that is stored already is replaced, unless it is done and the new one is not.

        Parameters
        ----------
        results : iterable of (number, task, outcome)
        """
        table, space = self._known()
        rows, arrays = [], []
        inputs = [(column, name, space[name]) for name, column in zip(space, _input_columns(space), strict=True)]
        scalars = _scalar_columns(self._outputs)
        series = [output for output in self._outputs if isinstance(output, Series)]
        for number, task, outcome in results:
            row = {
                "id": task.id,
                "number": number,
                "status": outcome.status,
                "error": _storable(outcome.error),
                "seconds": outcome.seconds,
                "attempt": outcome.attempt,
                "seed": task.seed,
                "started": outcome.started,
            }
            for column, name, parameter in inputs:
                row[column] = _to_cell(parameter, task.inputs[name])
            values = outcome.outputs or {}
            for output, column in scalars.items():
                row[column] = values.get(output)
            for output in series:
                if output in values:
                    array = np.ascontiguousarray(values[output])
                    arrays.append(
                        {
                            "run_id": task.id,
                            "output": str(output),
                            "dtype": array.dtype.str,
                            "shape": json.dumps(array.shape),
                            "data": array.tobytes(),
                        }
                    )
            rows.append(row)
        if not rows:
            return
        with self._errors(), self._engine.begin() as connection:
            session = self._current_session(connection)
            for row in rows:
                row["session"] = session
            connection.execute(self._upsert(table, keep_done=True), rows)
            if arrays:
                connection.execute(self._upsert(_ARRAYS), arrays)
        self._session = session

    def _current_session(self, connection: sa.Connection) -> int:
        """The id of this process's entry in the sessions, made with the first runs it stores."""
        if self._session is not None:
            return self._session
        made = connection.execute(sa.insert(_SESSIONS).values(description=json.dumps(describe_session())))
        key = made.inserted_primary_key
        return int(key[0]) if key else 0

    def _upsert(self, table: sa.Table[Any], keep_done: bool = False) -> Any:
        insert = postgresql.insert if self._engine.dialect.name == "postgresql" else sqlite.insert
        statement = insert(table)
        keys = [column.name for column in table.primary_key]
        # A run keeps the number that it got first.
        changed = {c.name: statement.excluded[c.name] for c in table.c if c.name not in (*keys, "number")}
        better = sa.or_(table.c.status != "done", statement.excluded.status == "done") if keep_done else None
        return statement.on_conflict_do_update(index_elements=keys, set_=changed, where=better)

    # Reading

    def runs(self, ids: Sequence[str] | None = None, index: pd.Index | None = None) -> Runs:
        """The stored runs as DataFrames.

        Parameters
        ----------
        ids : sequence of str, optional
            Which runs, in this order, without those that are not stored; by default all, in the order of their designs.
        index : Index, optional
            Row labels for `ids`.

        Raises
        ------
        StoreError
            If the store is empty.
        """
        table, space = self._known()
        scalars = _scalar_columns(self._outputs)
        columns = [table.c[name] for name in ("id", *BOOK, *_input_columns(space), *scalars.values())]
        read = self._read_columns(sa.select(*columns).order_by(table.c.number))
        frame = {name: _from_cells(p, read[column]) for (name, p), column in zip(space.items(), _input_columns(space))}
        for name in BOOK:
            frame[name] = read[name]
        book = pd.DataFrame(frame)
        # A seed may need all 63 bits, which a float would round.
        book["seed"] = pd.array([None if s is None or s != s else int(s) for s in read["seed"]], dtype="Int64")
        numbers = pd.DataFrame({str(name): np.array(read[column], dtype=float) for name, column in scalars.items()})
        numbers.index = book.index
        stored = [str(key) for key in read["id"]]
        arrays = self._read_arrays(stored)
        if ids is not None:
            place = {key: row for row, key in enumerate(stored)}
            wanted = [(place[key], position) for position, key in enumerate(ids) if key in place]
            rows = [row for row, _ in wanted]
            labels = (pd.RangeIndex(len(ids)) if index is None else index)[[position for _, position in wanted]]
            book, numbers = book.iloc[rows].set_axis(labels), numbers.iloc[rows].set_axis(labels)
            arrays = {name: [values[row] for row in rows] for name, values in arrays.items()}
        return Runs(
            space=space,
            output_types=self._outputs,
            simulator=self.simulator,
            version=self.version,
            table=book,
            scalars=numbers,
            arrays=arrays,
            sessions=self.sessions(),
            design=dict(self._meta.get("design", {})),
        )

    def sessions(self) -> list[dict[str, Any]]:
        """Who added runs, oldest first: time, host, process, versions of packages."""
        with self._errors(), self._engine.connect() as connection:
            rows = connection.execute(sa.select(_SESSIONS.c.description).order_by(_SESSIONS.c.id))
            return [json.loads(text) for (text,) in rows]

    def _read_columns(self, query: Any) -> dict[str, list[Any]]:
        """A query's answer by column; rows are turned as they come, since tuples of a million runs fill the memory."""
        with self._errors(), self._engine.connect() as connection:
            result = connection.execution_options(stream_results=True).execute(query)
            names = list(result.keys())
            parts: list[list[Any]] = [[] for _ in names]
            while rows := result.fetchmany(FETCH_ROWS):
                for part, values in zip(parts, zip(*rows, strict=True), strict=True):
                    part.extend(values)
        return dict(zip(names, parts, strict=True))

    def _read_arrays(self, ids: Sequence[str]) -> dict[str, list[Any]]:
        series = [str(output) for output in self._outputs if isinstance(output, Series)]
        out: dict[str, list[Any]] = {name: [None] * len(ids) for name in series}
        if not series:
            return out
        place = {key: row for row, key in enumerate(ids)}
        with self._errors(), self._engine.connect() as connection:
            for row in connection.execution_options(stream_results=True).execute(sa.select(_ARRAYS)):
                if row.run_id in place and row.output in out:
                    array = np.frombuffer(row.data, dtype=row.dtype).reshape(json.loads(row.shape))
                    out[row.output][place[row.run_id]] = array
        return out


def _runs_table(space: Space, outputs: Sequence[Output]) -> sa.Table[Any]:
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
    for column, parameter in zip(_input_columns(space), space.values(), strict=True):
        kind = (
            sa.Double if isinstance(parameter, Real) else sa.BigInteger if isinstance(parameter, Integer) else sa.Text
        )
        columns.append(sa.Column(column, kind))
    columns += [sa.Column(column, sa.Double) for column in _scalar_columns(outputs).values()]
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


def _input_columns(space: Space) -> list[str]:
    return _column_names("in", space)


def _scalar_columns(outputs: Sequence[Output]) -> dict[Output, str]:
    scalars = [output for output in outputs if not isinstance(output, Series)]
    return dict(zip(scalars, _column_names("out", scalars), strict=True))


def _identity(output: Output) -> dict[str, Any]:
    """What must not change of an output whose values are stored: all but the words about it."""
    return {key: value for key, value in output.to_dict().items() if key != "description"}


def _storable(text: str) -> str:
    """A text that every database takes: without NUL, and with odd bytes of file names spelt out."""
    return text.replace("\x00", "\\0").encode("utf-8", "backslashreplace").decode()


def _to_cell(parameter: Parameter, value: Any) -> Any:
    if isinstance(parameter, Real):
        return float(value)
    if isinstance(parameter, Integer):
        return int(value)
    return value if _is_text(parameter) else json.dumps(value)


def _from_cells(parameter: Parameter, cells: list[Any]) -> Any:
    if isinstance(parameter, (Ordinal, Categorical)):
        values = cells if _is_text(parameter) else [json.loads(cell) for cell in cells]
        return parameter.decode(parameter.codes(values))
    return np.array(cells, dtype=parameter.dtype)


def _is_text(parameter: Parameter) -> bool:
    """Whether all values are text, and are stored as they are; others are stored as JSON."""
    return isinstance(parameter, (Ordinal, Categorical)) and all(isinstance(value, str) for value in parameter.values)


def _space_difference(old: Space, new: Space) -> str:
    gone, come = [n for n in old if n not in new], [n for n in new if n not in old]
    if gone or come:
        return "; ".join(f"{word} {', '.join(names)}" for word, names in (("without", come), ("with", gone)) if names)
    changed = [n for n in old if old[n].to_dict() != new[n].to_dict()]
    if not changed:
        return "parameters in another order"
    name = changed[0]
    return f"{name!r}: {old[name].allowed}, not {new[name].allowed}"
