"""Whether this process is in a group that is killed as a whole, as a pool's worker is with all that it starts."""

from __future__ import annotations

import os

__all__ = ["is_killed_as_a_whole", "will_be_killed_as_a_whole"]

# A variable, so that programs that start programs know it too; with the group's number, since they may have left it.
_VARIABLE = "SURROGATE_WORKER_GROUP"


def will_be_killed_as_a_whole() -> None:
    """Tell this process, and what it starts, that its group will be killed as a whole."""
    os.environ[_VARIABLE] = str(os.getpgrp())


def is_killed_as_a_whole() -> bool:
    """Whether somebody said so of the group of this process."""
    return os.environ.get(_VARIABLE) == str(os.getpgrp())
