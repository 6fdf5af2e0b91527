"""One writer a file: a lock that the operating system gives back when its holder dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from surrogate.errors import StoreError

__all__ = ["FileLock"]


class FileLock:
    """An exclusive lock on a run store's file, held through a file beside it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def acquire(self) -> None:
        """Take the lock, if it is not held already.

        Raises
        ------
        StoreError
            If another process holds it, or the folder cannot be written to.
        """
        if self._handle is not None:
            return
        beside = self._path.with_name(self._path.name + ".lock")
        try:
            handle = os.open(beside, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreError(f"run store {self._path} cannot be written: {error.strerror} ({beside})") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(handle, 200).decode(errors="replace").strip() or "another process"
            os.close(handle)
            raise StoreError(
                f"run store {self._path} is being written by {holder}; wait until it ends, or use a database server "
                "(store='postgresql+psycopg://...') for several writers"
            ) from None
        try:
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"process {os.getpid()}".encode(), 0)
        except OSError:
            # On a full disk the lock holds all the same; only its holder's number is missing.
            pass
        self._handle = handle

    def release(self) -> None:
        """Give the lock back."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
