"""The run store: every run of one study in one database, committed before it is reported done.

An SQLite file by default (write-ahead log, every commit synced to disk), or a PostgreSQL server that several processes
write to. The tables are written with SQLAlchemy Core, so that one code serves both.
"""

from __future__ import annotations

import itertools
import json
import os
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from surrogate.errors import StoreError, StoreMismatchError
from surrogate.outputs import Output, Series, output_from_dict
from surrogate.runs.claims import Claims
from surrogate.runs.database import Database
from surrogate.runs.export import export
from surrogate.runs.identity import check_simulator, describe_study, differences
from surrogate.runs.ids import points_as_bytes, run_id
from surrogate.runs.outcome import Outcome, Task
from surrogate.runs.provenance import describe_session
from surrogate.runs.records import Runs, book_columns
from surrogate.runs.tables import (
    ARRAYS,
    METADATA,
    MIGRATIONS,
    SCHEMA_VERSION,
    SESSIONS,
    STUDY,
    from_cells,
    in_parts,
    input_columns,
    runs_table,
    scalar_columns,
    storable,
    to_cell,
)
from surrogate.simulation import Simulator
from surrogate.space import Space

__all__ = ["RunStore"]

# Rows fetched at a time: bounds the memory that rows take before they become columns.
FETCH_ROWS = 50_000


class RunStore:
    """Durable runs of one simulator.

    Parameters
    ----------
    target : str or Path
        A file for SQLite, made if it is not there; the URL of a PostgreSQL database,
        ``"postgresql+psycopg://user@host/name"``, for several writers; or ``":memory:"``.

    Raises
    ------
    StoreError
        If it cannot be opened, or was written by a newer version.

    Notes
    -----
    A file has one writer at a time and any number of readers. On a server several processes may run one study: each
    claims what it is about to run, so that no point is run twice, and claims of a process that died end by themselves
    after a minute. SQLite is not for network file systems.

    Examples
    --------
    >>> RunStore(":memory:").is_empty
    True
    """

    def __init__(self, target: str | Path = ":memory:") -> None:
        self._database = Database(str(target))
        self._runs: sa.Table[Any] | None = None
        self._space: Space | None = None
        self._outputs: tuple[Output, ...] = ()
        self._meta: dict[str, Any] = {}
        self._session: int | None = None
        self._design: dict[str, Any] = {}
        self._insert: str | None = None
        self._claims = Claims(self._database.commit) if self._database.is_server else None
        self._read_study()

    # Opening and closing

    @property
    def target(self) -> str:
        """The file, ``":memory:"`` or the URL."""
        return self._database.target

    def close(self) -> None:
        """Release the file; the store can be opened again."""
        self._database.close()

    def __enter__(self) -> RunStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        what = "empty" if self.is_empty else f"runs of {self.simulator!r} version {self.version}"
        return f"<RunStore {self.target}: {what}>"

    # The study

    def _read_study(self) -> None:
        # Not asked again and again: a wrong address is told at once.
        with self._database.reading() as connection:
            if not sa.inspect(connection).has_table("study"):
                return
            try:
                found = {key: json.loads(value) for key, value in connection.execute(sa.select(STUDY))}
            except (OperationalError, ValueError) as error:
                raise StoreError(f"{self.target} has a table 'study', but it is no run store: {error}") from error
        if not found:
            return
        if found["schema"] > SCHEMA_VERSION:
            raise StoreError(
                f"run store {self.target} has schema {found['schema']}, this version reads up to {SCHEMA_VERSION}; "
                "update surrogate-learn"
            )
        self._meta = {"levels": {}} | found
        self._space = Space.from_dict(found["space"])
        self._outputs = tuple(output_from_dict(out) for out in found["outputs"])
        self._runs = runs_table(self._space, self._outputs, bool(self._meta["levels"]))

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
            If somebody else is writing to it.
        TypeError
            If the simulator's space or outputs are not what they must be.
        ValueError
            If a parameter or an output is called like another column of the runs.
        """
        check_simulator(simulator)
        self._open_for_writing(describe_study(simulator, design))
        if dict(design or {}) != self._design:
            # Runs of another design are another session.
            self._design, self._session = dict(design or {}), None

    def _open_for_writing(self, study: Mapping[str, Any]) -> None:
        if self._database.lock is not None:
            self._database.lock.acquire()
        self._database.commit(lambda connection: self._create_or_migrate(connection, study))
        if self.is_empty:
            # The file alone is a store from now on.
            self._database.checkpoint()
        self._read_study()
        self._check_study(study)
        self._tell_new_source(study.get("sources", []))

    def check_study(self, simulator: Simulator) -> None:
        """Check that these are runs of `simulator`, without writing anything.

        Raises
        ------
        StoreMismatchError
            If the store holds runs of another simulator, version, space or outputs.
        StoreError
            If the store is empty.
        """
        self._known()
        self._check_study(describe_study(simulator))

    def _check_study(self, study: Mapping[str, Any]) -> None:
        differs = differences(self._meta, study)
        if differs:
            raise StoreMismatchError(
                f"run store {self.target} holds runs of {'; '.join(differs)}. Runs of different models are not mixed: "
                "name another store for the new one, or delete the file to start again"
            )

    def _tell_new_source(self, sources: Sequence[str]) -> None:
        """Warn, once, that the simulator's function is not the one that made the stored runs."""
        known = self._meta.get("sources", [])
        new = [source for source in sources if source not in known]
        if not new:
            return
        if known:
            warnings.warn(
                f"the source of {self.simulator!r} has changed since runs in {self.target} were made. If its answers "
                f"change, raise its version (now {self.version!r}) and name another store: old and new answers are "
                "mixed otherwise",
                UserWarning,
                stacklevel=4,
            )
        self._meta["sources"] = [*known, *new]
        text = json.dumps(self._meta["sources"])
        self._database.commit(
            lambda connection: connection.execute(self._database.upsert(STUDY), {"key": "sources", "value": text})
        )

    def _create_or_migrate(self, connection: sa.Connection, study: Mapping[str, Any]) -> None:
        if self._claims is not None:
            # Two processes that make the tables at the same time would get in each other's way.
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7215346)"))
        METADATA.create_all(connection)
        found = {key: json.loads(value) for key, value in connection.execute(sa.select(STUDY))}
        if not found:
            space, outputs = Space.from_dict(study["space"]), [output_from_dict(out) for out in study["outputs"]]
            runs_table(space, outputs, bool(study["levels"])).metadata.create_all(connection)
            connection.execute(sa.insert(STUDY), [{"key": k, "value": json.dumps(v)} for k, v in study.items()])
            return
        for version in range(found["schema"], SCHEMA_VERSION):
            for key, value in {**MIGRATIONS[version](connection), "schema": version + 1}.items():
                connection.execute(sa.delete(STUDY).where(STUDY.c.key == key))
                connection.execute(sa.insert(STUDY), {"key": key, "value": json.dumps(value)})

    # Writing

    def remember(self, key: str, make: Callable[[], Any]) -> Any:
        """The study's value for `key`; made, and stored for ever, the first time."""
        if key not in self._meta:
            text = json.dumps(make())

            def work(connection: sa.Connection) -> Any:
                # Another process may have been first.
                insert = self._database.insert(STUDY).values(key=key, value=text)
                connection.execute(insert.on_conflict_do_nothing(index_elements=["key"]))
                return json.loads(connection.execute(sa.select(STUDY.c.value).where(STUDY.c.key == key)).scalar_one())

            self._meta[key] = self._database.commit(work)
        return self._meta[key]

    def recall(self, prefix: str) -> dict[str, Any]:
        """All that is remembered under keys that begin with `prefix`, by key, in alphabetical order."""
        return {key: self._meta[key] for key in sorted(self._meta) if key.startswith(prefix)}

    def statuses(self, ids: Sequence[str] | None = None) -> dict[str, str]:
        """Status by run id, of all runs or of some."""
        table, _ = self._known()
        every = sa.select(table.c.id, table.c.status)
        parts = [every] if ids is None else [every.where(table.c.id.in_(part)) for part in in_parts(ids)]
        return self._database.read(
            lambda c: {str(key): str(status) for query in parts for key, status in c.execute(query)}
        )

    def next_number(self) -> int:
        """The number that the next new run gets; runs are numbered in the order of their designs."""
        table, _ = self._known()
        last = self._database.read(lambda c: c.execute(sa.select(sa.func.max(table.c.number))).scalar())
        return 0 if last is None else int(last) + 1

    def claim(self, ids: Sequence[str], rerun_failures: bool = False) -> tuple[list[str], list[str]]:
        """Reserve runs for this process.

        Returns
        -------
        granted, held : list of str
            What to run now, and what another process is running. What another process has ended is in neither.
        """
        if self._claims is None:
            return list(ids), []  # a file has one writer
        mine = self._claims.take(ids)
        ended = {key for key, status in self.statuses(sorted(mine)).items() if status == "done" or not rerun_failures}
        if ended:
            self._database.commit(lambda connection: Claims.end(connection, sorted(ended)))
        return [key for key in ids if key in mine and key not in ended], [key for key in ids if key not in mine]

    def release_claims(self) -> None:
        """Let other processes run what this one has not."""
        if self._claims is not None:
            self._claims.release()

    def add(self, results: Iterable[tuple[int, Task, Outcome]]) -> None:
        """Commit outcomes; when this returns they are on the disk.

        A run that is stored already is replaced, unless it is done and the new one is not.

        Parameters
        ----------
        results : iterable of (number, task, outcome)

        Raises
        ------
        StoreError
            If they cannot be committed, e.g. since the disk is full. They are then in another store, which the message
            names, to be added with :meth:`merge`.
        """
        results = list(results)
        if not results:
            return
        try:
            self._add(results)
        except StoreError as error:
            raise self._rescued(results, error) from error

    def _add(self, results: Sequence[tuple[int, Task, Outcome]]) -> None:
        _, space = self._known()
        inputs = [(name, space[name]) for name in space]
        scalars = list(scalar_columns(self._outputs))
        has_levels = bool(self._meta["levels"])
        series = [output for output in self._outputs if isinstance(output, Series)]
        arrays = [
            _array_row(task.id, output, outcome.outputs[output])
            for _, task, outcome in results
            if outcome.outputs
            for output in series
        ]

        def row(session: int, number: int, task: Task, outcome: Outcome) -> tuple[Any, ...]:
            values = outcome.outputs or {}
            return (
                task.id,
                number,
                outcome.status,
                storable(outcome.error) if outcome.error else "",
                outcome.seconds,
                outcome.attempt,
                task.seed,
                outcome.started,
                session,
                *((task.level,) if has_levels else ()),
                *[to_cell(parameter, task.inputs[name]) for name, parameter in inputs],
                *[values.get(output) for output in scalars],
            )

        def work(connection: sa.Connection) -> int:
            session = self._current_session(connection)
            # Tuples for the driver as they are: preparing each row costs more than a cheap run.
            connection.exec_driver_sql(self._insert_runs(), [row(session, *result) for result in results])
            if arrays:
                connection.execute(self._database.upsert(ARRAYS), arrays)
            if self._claims is not None:
                Claims.end(connection, [task.id for _, task, _ in results])
            return session

        self._session = self._database.commit(work)

    def _insert_runs(self) -> str:
        """The statement that adds runs, with a place for each column in the table's order."""
        if self._insert is None:
            table, _ = self._known()
            names = [column.name for column in table.c]
            done: Any = sa.literal_column("'done'")
            # A run keeps the number that it got first, and a run that is done stays unless the new one is done too.
            statement = self._database.upsert(
                table,
                keep=("number",),
                where=lambda new: sa.or_(table.c.status != done, new.excluded.status == done),
            )
            self._insert = str(statement.compile(dialect=self._database.engine.dialect, column_keys=names))
        return self._insert

    def _rescued(self, results: Sequence[tuple[int, Task, Outcome]], error: StoreError) -> StoreError:
        """Keep what could not be committed somewhere else, and the error that says where."""
        handle, name = tempfile.mkstemp(prefix="surrogate-rescued-", suffix=".db")
        os.close(handle)
        try:
            with RunStore(name) as other:
                other._open_for_writing(self._meta)
                other._add(results)
        except Exception as second:
            return StoreError(f"{error}. {len(results)} finished runs are lost: {name}: {second}")
        return StoreError(
            f"{error}. The {len(results)} runs that had just ended are in {name}: when the cause is mended, "
            f"RunStore({self.target!r}).merge({name!r}) adds them"
        )

    def merge(self, other: RunStore | str | Path) -> int:
        """Add the runs of another store of the same simulator, with who ran them.

        Of a stochastic simulator a run that is here with another seed is added as a further replicate of its point.

        Parameters
        ----------
        other : RunStore, str or Path

        Returns
        -------
        int
            How many runs were added, or replaced a run that was not done.

        Raises
        ------
        StoreMismatchError
            If the other store holds runs of another simulator, version, space or outputs.
        """
        source = other if isinstance(other, RunStore) else RunStore(other)
        was_open = self._database.lock is not None and self._database.lock.is_held
        try:
            theirs, _ = source._known()
            self._open_for_writing(source._meta)
            table, _ = self._known()
            query = sa.select(table.c.id, table.c.status, table.c.seed)
            here = self._database.read(lambda c: c.execute(query).all())
            known, seeds = {row.id: row.status for row in here}, {row.id: row.seed for row in here}
            first = self.next_number()
            added, sessions = 0, {}
            for key, description in source._sessions():
                sessions[key] = self._database.commit(lambda c, d=description: _add_session(c, d))  # type: ignore[misc]
            every = sa.select(theirs).order_by(theirs.c.number)
            with source._database.reading() as connection:
                stream = connection.execution_options(stream_results=True).execute(every)
                while found := stream.mappings().fetchmany(FETCH_ROWS):
                    better = {
                        row["id"]: {
                            **row,
                            "id": key,
                            "session": sessions.get(row["session"]),
                            "number": row["number"] + first,
                        }
                        for row, key in zip(found, self._ids_here(found, seeds), strict=True)
                        if key not in known or (known[key] != "done" and row["status"] == "done")
                    }
                    self._copy(source, better)
                    added += len(better)
            return added
        finally:
            if source is not other:
                source.close()
            if self._database.lock is not None and not was_open:
                self._database.lock.release()

    def _ids_here(self, rows: Sequence[sa.RowMapping], seeds: dict[str, int | None]) -> list[str]:
        """The ids in this store of another's rows; `seeds`, by id, is kept up to date.

        Where a run of the same id has another seed, the row is a further replicate.
        """
        if all(row["seed"] is None for row in rows):
            return [str(row["id"]) for row in rows]
        _, space = self._known()
        points = pd.DataFrame(
            {
                name: from_cells(parameter, [row[column] for row in rows])
                for (name, parameter), column in zip(space.items(), input_columns(space), strict=True)
            }
        )
        levels = np.array([row.get("level", 0) for row in rows])
        out = []
        for row, content in zip(rows, points_as_bytes(space, points, levels), strict=True):
            key, replicates = str(row["id"]), itertools.count()
            while seeds.get(key, row["seed"]) != row["seed"]:
                key = run_id(content, next(replicates))
            seeds[key] = row["seed"]
            out.append(key)
        return out

    def _copy(self, source: RunStore, rows: Mapping[str, Mapping[str, Any]]) -> None:
        """Add rows, by their ids in the other store, with their series."""
        if not rows:
            return
        parts = [sa.select(ARRAYS).where(ARRAYS.c.run_id.in_(part)) for part in in_parts(list(rows))]
        arrays = source._database.read(
            lambda c: [
                {**row, "run_id": rows[row["run_id"]]["id"]} for part in parts for row in c.execute(part).mappings()
            ]
        )

        def work(connection: sa.Connection) -> None:
            connection.exec_driver_sql(self._insert_runs(), [tuple(row.values()) for row in rows.values()])
            if arrays:
                connection.execute(self._database.upsert(ARRAYS), arrays)

        self._database.commit(work)

    def _current_session(self, connection: sa.Connection) -> int:
        """The id of this process's entry in the sessions, made with the first runs it stores."""
        if self._session is not None:
            return self._session
        return _add_session(connection, json.dumps(describe_session(self._design)))

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
        scalars = scalar_columns(self._outputs)
        book_names = book_columns(self._meta["levels"])
        columns = [table.c[name] for name in ("id", *book_names, *input_columns(space), *scalars.values())]
        read = self._read_columns(sa.select(*columns).order_by(table.c.number))
        frame = {name: from_cells(p, read[column]) for (name, p), column in zip(space.items(), input_columns(space))}
        for name in book_names:
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
        sessions = self.sessions()
        design = dict(self._meta.get("design", {}))
        if ids is None and any(session.get("design", design) != design for session in sessions):
            design = {}  # several made these runs
        return Runs(
            space=space,
            output_types=self._outputs,
            simulator=self.simulator,
            version=self.version,
            table=book,
            scalars=numbers,
            arrays=arrays,
            sessions=sessions,
            design=design,
            levels={int(level): cost for level, cost in self._meta["levels"].items()},
        )

    def export(self, path: str | Path) -> None:
        """Write all runs to a file for other programs: ``.csv`` or ``.parquet``.

        See :func:`surrogate.runs.export.export`.
        """
        export(self.runs(), path)

    def sessions(self) -> list[dict[str, Any]]:
        """Who added runs, oldest first: time, host, process, design, versions of packages."""
        return [json.loads(description) for _, description in self._sessions()]

    def _sessions(self) -> list[tuple[int, str]]:
        query = sa.select(SESSIONS.c.id, SESSIONS.c.description).order_by(SESSIONS.c.id)
        return self._database.read(lambda c: [(int(key), str(description)) for key, description in c.execute(query)])

    def _read_columns(self, query: Any) -> dict[str, list[Any]]:
        """A query's answer by column; rows are turned as they come, since tuples of a million runs fill the memory."""

        def work(connection: sa.Connection) -> dict[str, list[Any]]:
            result = connection.execution_options(stream_results=True).execute(query)
            names = list(result.keys())
            parts: list[list[Any]] = [[] for _ in names]
            while rows := result.fetchmany(FETCH_ROWS):
                for part, values in zip(parts, zip(*rows, strict=True), strict=True):
                    part.extend(values)
            return dict(zip(names, parts, strict=True))

        return self._database.read(work)

    def _read_arrays(self, ids: Sequence[str]) -> dict[str, list[Any]]:
        series = [str(output) for output in self._outputs if isinstance(output, Series)]
        out: dict[str, list[Any]] = {name: [None] * len(ids) for name in series}
        if not series:
            return out
        place = {key: row for row, key in enumerate(ids)}

        def work(connection: sa.Connection) -> None:
            for row in connection.execution_options(stream_results=True).execute(sa.select(ARRAYS)):
                if row.run_id in place and row.output in out:
                    array = np.frombuffer(row.data, dtype=row.dtype).reshape(json.loads(row.shape))
                    out[row.output][place[row.run_id]] = array

        self._database.read(work)
        return out


def _array_row(run_id: str, output: str, value: Any) -> dict[str, Any]:
    array = np.ascontiguousarray(value)
    return {
        "run_id": run_id,
        "output": str(output),
        "dtype": array.dtype.str,
        "shape": json.dumps(array.shape),
        "data": array.tobytes(),
    }


def _add_session(connection: sa.Connection, description: str) -> int:
    made = connection.execute(sa.insert(SESSIONS).values(description=description))
    key = made.inserted_primary_key
    return int(key[0]) if key else 0
