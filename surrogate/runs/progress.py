"""A progress line on a terminal: how many runs are done, how many failed, how long it will take."""

from __future__ import annotations

import sys
import time
from typing import TextIO

__all__ = ["Progress"]

REFRESH_SECONDS = 0.1


class Progress:
    """Counts outcomes and rewrites one line of a terminal; silent elsewhere.

    Parameters
    ----------
    total : int
        Number of runs to come.
    label : str
    shown : bool, optional
        Defaults to whether `stream` is a terminal.
    stream : text file, optional
        Defaults to the standard error.
    """

    def __init__(self, total: int, label: str, shown: bool | None = None, stream: TextIO | None = None) -> None:
        self.total = total
        self.label = label
        self.done = 0
        self.failed = 0
        self._stream = stream or sys.stderr
        self._shown = self._stream.isatty() if shown is None else shown
        self._began = time.monotonic()
        self._drawn = float("-inf")

    def add(self, done: int, failed: int) -> None:
        """Count `done` runs that finished and `failed` that did not."""
        self.done += done
        self.failed += failed
        if self._shown and time.monotonic() - self._drawn >= REFRESH_SECONDS:
            self._draw()

    def close(self) -> None:
        """Draw the last state and leave the line."""
        if self._shown and self.total:
            self._draw()
            self._stream.write("\n")
            self._stream.flush()

    def line(self) -> str:
        """The line as text."""
        ended = self.done + self.failed
        share = ended / self.total if self.total else 1.0
        filled = int(24 * share)
        seconds = time.monotonic() - self._began
        left = f", {_duration(seconds / share * (1 - share))} left" if 0 < share < 1 else f", {_duration(seconds)}"
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.label} [{'#' * filled}{'.' * (24 - filled)}] {ended}/{self.total} runs{failed}{left}"

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        self._stream.write("\r" + self.line() + "\x1b[K")
        self._stream.flush()


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
