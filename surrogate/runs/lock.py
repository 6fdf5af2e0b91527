"""One writer a file: a lock that the operating system gives back when its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import IO

from surrogate.errors import StoreError

__all__ = ["FileLock"]


class FileLock:
    """An exclusive lock on a run store's file, held through a file beside it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None
        self._process = 0

    @property
    def is_held(self) -> bool:
        """Whether this process may write."""
        return self._file is not None

    def acquire(self) -> None:
        """Take the lock, if it is not held already.

        Raises
        ------
        StoreError
            If somebody else holds it, or the folder cannot be written to.
        """
        if self.is_held:
            return
        # By the file's own name: through a link it is the same store.
        path = self._path.resolve()
        beside = path.with_name(path.name + ".lock")
        try:
            # As a file object, so that a store that nobody holds any more gives its lock back.
            file = beside.open("a+")
        except OSError as error:
            raise StoreError(f"run store {self._path} cannot be written: {error.strerror} ({beside})") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read(200).strip() or "another process"
            file.close()
            if holder == _this_process():
                raise StoreError(
                    f"run store {self._path} is being written by this process, through another RunStore; "
                    "close that one, or use it"
                ) from None
            raise StoreError(
                f"run store {self._path} is being written by {holder}; wait until it ends, or use a database server "
                "(store='postgresql+psycopg://...') for several writers"
            ) from None
        # On a full disk the lock holds all the same; only its holder's number is missing.
        with contextlib.suppress(OSError):
            file.truncate(0)
            file.write(_this_process())
            file.flush()
        self._file, self._process = file, os.getpid()

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                # Closing is not enough where a process that was forked meanwhile has the file open too; nor may that
                # process give back what is not its own.
                if self._process == os.getpid():
                    fcntl.flock(self._file, fcntl.LOCK_UN)
                self._file.close()
            self._file = None


def _this_process() -> str:
    return f"process {os.getpid()}"
