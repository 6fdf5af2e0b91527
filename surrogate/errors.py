"""Errors that a caller can act on. Plain wrong arguments raise the built-in ``ValueError`` and ``TypeError``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ConditionError",
    "EmulatorFileError",
    "InvalidInputError",
    "SimulatorError",
    "SimulatorNotFoundError",
    "StoreError",
    "StoreMismatchError",
    "StudyError",
    "SurrogateError",
    "did_you_mean",
]


class SurrogateError(Exception):
    """Base of every error of this package's own."""


class InvalidInputError(SurrogateError, ValueError):
    """Inputs that do not belong to the space, listed with row, column, value and what is allowed."""


class SimulatorError(SurrogateError, RuntimeError):
    """A simulator outside Python (a program, a server, an FMU) that gave no answer, and what it said instead."""


class SimulatorNotFoundError(SurrogateError, LookupError):
    """No simulator goes by that reference."""


class ConditionError(SurrogateError, ValueError):
    """A condition on outputs that cannot be read, or that tells no run from another."""


class StoreError(SurrogateError):
    """A run store that cannot be read or written."""


class StoreMismatchError(StoreError):
    """A run store that holds the runs of another simulator, or of another version of it."""


class EmulatorFileError(SurrogateError):
    """A file that holds no emulator that this version can read."""


class StudyError(SurrogateError):
    """Everything that is wrong with a study file, each problem with its place in the file.

    Attributes
    ----------
    where : str
        The file.
    problems : tuple of str
        One line a problem, e.g. ``"$.design.n: must be at least 1, got 0"``.
    """

    def __init__(self, where: str, problems: Iterable[str]) -> None:
        self.where = where
        self.problems = tuple(problems)
        count = f"{len(self.problems)} problem" + ("s" if len(self.problems) != 1 else "")
        super().__init__(f"{where}: {count}\n" + "\n".join(f"  {problem}" for problem in self.problems))

    def __reduce__(self) -> tuple[type[StudyError], tuple[str, tuple[str, ...]]]:
        # An exception is otherwise made again of its message alone.
        return type(self), (self.where, self.problems)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint for a misspelt name: the nearest known one, else the list of all.

    Examples
    --------
    >>> did_you_mean("alhpa", ["alpha", "beta"])
    "did you mean 'alpha'?"
    """
    names = sorted(str(name) for name in known)
    near = difflib.get_close_matches(str(word), names, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return "known: " + (", ".join(map(repr, names)) if names else "none")
