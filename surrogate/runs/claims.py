"""Who runs what: claims in the database, so that several processes on one study do not run the same point twice."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from surrogate.errors import StoreError
from surrogate.runs.tables import CLAIMS, in_parts

__all__ = ["Claims"]

# A process that has not renewed its claims for so long is taken to be dead, and others run what it had claimed.
LEASE_SECONDS = 60.0

# The server's clock, since those of the machines may differ. A transaction's time would stand still.
_NOW = sa.func.extract("epoch", sa.func.clock_timestamp())


class Claims:
    """One process's claims on the runs of a study, renewed by a thread from the first :meth:`take` to :meth:`release`.

    Parameters
    ----------
    commit : callable
        Runs a function of a connection in a transaction.
    """

    def __init__(self, commit: Callable[[Callable[[sa.Connection], Any]], Any]) -> None:
        self._commit = commit
        self._owner = uuid.uuid4().hex
        self._renewed = time.monotonic()
        self._released = threading.Event()
        self._renewing: threading.Thread | None = None

    def take(self, ids: Sequence[str]) -> set[str]:
        """Claim runs; those of `ids` that nobody else has claimed."""

        def work(connection: sa.Connection) -> set[str]:
            now = float(connection.execute(sa.select(_NOW)).scalar_one())
            taken: set[str] = set()
            for part in in_parts(ids):
                rows = [{"run_id": key, "owner": self._owner, "expires": now + LEASE_SECONDS} for key in part]
                insert = postgresql.insert(CLAIMS).values(rows)
                free = sa.or_(CLAIMS.c.expires < now, CLAIMS.c.owner == self._owner)
                statement = insert.on_conflict_do_update(
                    index_elements=["run_id"],
                    set_={"owner": insert.excluded.owner, "expires": insert.excluded.expires},
                    where=free,
                ).returning(CLAIMS.c.run_id)
                taken.update(connection.execute(statement).scalars())
            return taken

        taken = set(self._commit(work))
        if self._renewing is None:
            # A thread, since a run in this process may take longer than a lease.
            self._renewing = threading.Thread(target=self._renew, args=(self._released,), daemon=True)
            self._renewing.start()
        return taken

    def _renew(self, released: threading.Event) -> None:
        while not released.wait(LEASE_SECONDS / 4):
            # A server that is away for long is told where runs are stored.
            with contextlib.suppress(StoreError):
                self.keep()

    def keep(self) -> None:
        """Renew the claims in time."""
        if time.monotonic() - self._renewed < LEASE_SECONDS / 4:
            return
        mine = CLAIMS.c.owner == self._owner
        self._commit(lambda c: c.execute(sa.update(CLAIMS).where(mine).values(expires=_NOW + LEASE_SECONDS)))
        self._renewed = time.monotonic()

    @staticmethod
    def end(connection: sa.Connection, ids: Sequence[str]) -> None:
        """Take claims back with the transaction that stores the runs."""
        for part in in_parts(ids):
            connection.execute(sa.delete(CLAIMS).where(CLAIMS.c.run_id.in_(part)))

    def release(self) -> None:
        """Give all claims back."""
        self._released.set()
        self._released, self._renewing = threading.Event(), None
        self._commit(lambda connection: connection.execute(sa.delete(CLAIMS).where(CLAIMS.c.owner == self._owner)))
