"""Kills the workers when the parent is gone, however it went.

The parent holds the other end of this process's standard input: it writes ``+pid`` when a worker starts and ``-pid``
when it has been reaped. When the parent dies, even of SIGKILL, the pipe closes and every process group still on the
list is killed, workers together with whatever they started. A worker could not do this itself while compiled code holds
the interpreter. Runs as a script without the package, so that it starts in a few milliseconds.
"""

import os
import signal
import sys


def main() -> None:
    """Read the list until the parent hangs up, then kill what is left on it."""
    alive = set()
    for line in sys.stdin:
        pid = int(line[1:])
        if line[0] == "+":
            alive.add(pid)
        else:
            alive.discard(pid)
    for pid in alive:
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


if __name__ == "__main__":
    main()
