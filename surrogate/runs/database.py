"""The database of a run store: a file, memory or a server, its transactions and its dialect."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from surrogate.errors import StoreError
from surrogate.runs.lock import FileLock

__all__ = ["Database"]

# How long a server that does not answer is asked again: a restart takes seconds, and what was finished waits for it.
RECONNECT_SECONDS = 60.0

# How long the log beside a file grows before it is brought into the file: short, since a file that is copied alone
# after a kill lacks what is in the log, and long enough to cost next to nothing beside the commits.
LOG_PAGES = 100

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Database:
    """Transactions on an SQLite file, on memory, or on a PostgreSQL server.

    Parameters
    ----------
    target : str
        A file, ``":memory:"`` or a URL.

    Attributes
    ----------
    target : str
    engine : sqlalchemy.Engine
    lock : FileLock or None
        Of a file, which has one writer at a time.
    is_server : bool

    Raises
    ------
    StoreError
        If it cannot be opened.
    """

    def __init__(self, target: str) -> None:
        # The URL of a file is that file: it gets the same lock and the same durable commits.
        self.target = target.removeprefix("sqlite:///")
        is_file = self.target != ":memory:" and "://" not in self.target
        self.lock = FileLock(Path(self.target)) if is_file else None
        self.engine = self._file() if is_file else self._memory() if self.target == ":memory:" else self._server()
        self.is_server = self.engine.dialect.name != "sqlite"

    def _memory(self) -> sa.Engine:
        return sa.create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})

    def _file(self) -> sa.Engine:
        path = Path(self.target)
        if path.is_dir():
            raise StoreError(f"{path} is a folder; name a file for the run store, e.g. {path / 'runs.db'}")
        if not path.parent.is_dir():
            raise StoreError(f"there is no folder {path.parent} for the run store {path.name}")
        if path.exists() and not os.access(path.parent, os.W_OK):
            return self._read_only(path)
        engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)))

        @sa.event.listens_for(engine, "connect")
        def set_pragmas(connection: Any, _record: Any) -> None:
            # FULL: a commit is on the disk when it returns, so that a power cut loses no acknowledged run.
            pragmas = ("busy_timeout=10000", "journal_mode=WAL", "synchronous=FULL", f"wal_autocheckpoint={LOG_PAGES}")
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}")

        return engine

    def _read_only(self, path: Path) -> sa.Engine:
        log = path.with_name(path.name + "-wal")
        if log.exists() and log.stat().st_size:
            raise StoreError(
                f"run store {path} is in a folder that cannot be written to, and was not closed: its last runs are in "
                f"{log.name}, which can be read only where it can be written. Copy both files elsewhere"
            )
        where = f"file:{quote(str(path.absolute()))}?immutable=1"
        return sa.create_engine(
            "sqlite://", creator=lambda: sqlite3.connect(where, uri=True, check_same_thread=False), poolclass=StaticPool
        )

    def _server(self) -> sa.Engine:
        try:
            # Positional parameters: rows are handed over as tuples. The ping finds connections that a restart cut.
            engine = sa.create_engine(self.target, pool_pre_ping=True, paramstyle="format")
        except (NoSuchModuleError, ModuleNotFoundError, SQLAlchemyError) as error:
            raise StoreError(
                f"run store {self.target}: {error}. Use a file name, or postgresql+psycopg://user@host/database "
                "with the extra: pip install 'surrogate-learn[distributed]'"
            ) from error
        if engine.dialect.name != "postgresql":
            raise StoreError(f"run store {self.target}: a store is a file or a PostgreSQL database")
        return engine

    def close(self) -> None:
        """Release the file; it can be used again."""
        self.engine.dispose()
        if self.lock is not None:
            self.lock.release()

    def checkpoint(self) -> None:
        """Bring what is committed into the file itself, from the log beside it."""
        if self.lock is not None:
            with self.reading() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint")

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection to read with, for what is not to begin anew if the server goes away."""
        try:
            with self.engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise self._told(error) from error

    def read(self, work: Callable[[sa.Connection], _T]) -> _T:
        """Do `work`, which only reads; if a server is away, again when it is back."""
        return self._until_back(self.engine.connect, work)

    def commit(self, work: Callable[[sa.Connection], _T]) -> _T:
        """Do `work` in one transaction; if a server is away, again when it is back."""
        return self._until_back(self.engine.begin, work)

    def _until_back(
        self, connect: Callable[[], AbstractContextManager[sa.Connection]], work: Callable[[sa.Connection], _T]
    ) -> _T:
        until = time.monotonic() + RECONNECT_SECONDS
        pause = 0.1
        while True:
            try:
                with connect() as connection:
                    return work(connection)
            except DBAPIError as error:
                if not (self.is_server and _is_away(error)) or time.monotonic() > until:
                    raise self._told(error) from error
                _log.warning("run store %s does not answer, trying again: %s", self.target, str(error.orig).strip())
            time.sleep(pause)
            pause = min(2 * pause, 2.0)

    def _told(self, error: DBAPIError) -> StoreError:
        return StoreError(f"run store {self.target}: {str(error.orig).strip()}")

    def insert(self, table: sa.Table[Any]) -> Any:
        """A statement that can say what to do with rows that are there already."""
        return postgresql.insert(table) if self.is_server else sqlite.insert(table)

    def upsert(
        self, table: sa.Table[Any], keep: tuple[str, ...] = (), where: Callable[[Any], Any] | None = None
    ) -> Any:
        """A statement that adds rows, or replaces those of the same keys.

        Parameters
        ----------
        table : sqlalchemy.Table
        keep : tuple of str
            Columns that stay as they were.
        where : callable, optional
            From the statement to the condition under which a row is replaced.
        """
        statement = self.insert(table)
        keys = [column.name for column in table.primary_key]
        changed = {c.name: statement.excluded[c.name] for c in table.c if c.name not in (*keys, *keep)}
        condition = None if where is None else where(statement)
        return statement.on_conflict_do_update(index_elements=keys, set_=changed, where=condition)


def _is_away(error: DBAPIError) -> bool:
    # What the driver itself refuses, such as a statement that is too long, has neither lost the connection nor a code
    # of the server's.
    refused = error.statement is not None and getattr(error.orig, "sqlstate", None) is None
    return error.connection_invalidated or (isinstance(error, OperationalError) and not refused)
