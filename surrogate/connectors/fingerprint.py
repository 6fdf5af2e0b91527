"""What a function does, as text by which two of them are told apart."""

from __future__ import annotations

import functools
import inspect
import re
import types
from collections.abc import Set
from pathlib import Path
from typing import Any

import numpy as np

from surrogate.connectors.parsers import Parser

__all__ = ["fingerprint"]


def fingerprint(thing: Any, within: tuple[Any, ...] = ()) -> str:
    """A parser as text that is the same on every machine and version of Python: its source, and all that it holds.

    Parameters
    ----------
    thing : Parser or callable, or any value that one holds
    within : tuple
        What holds it, outermost first.

    Raises
    ------
    ValueError
        If there is no such text.

    Examples
    --------
    >>> fingerprint(functools.partial(len, 1)) == fingerprint(functools.partial(len, 2))
    False
    """

    def inner(part: Any) -> str:
        return fingerprint(part, (*within, thing))

    if any(thing is outer for outer in within):
        return "itself"
    match thing:
        case np.generic() | np.ndarray():
            return f"{thing.dtype.str} {thing.tolist()!r}"
        case None | bool() | int() | float() | str() | bytes() | Path() | re.Pattern() | Parser():
            return repr(thing)
        case list() | tuple():
            return f"{type(thing).__name__}[{', '.join(map(inner, thing))}]"
        case Set():
            return f"set[{', '.join(sorted(map(inner, thing)))}]"
        case dict():
            return f"dict[{', '.join(sorted(f'{inner(key)}: {inner(value)}' for key, value in thing.items()))}]"
        case functools.partial():
            return f"partial {inner(thing.func)} of {inner([thing.args, thing.keywords])}"
        case types.ModuleType() | types.BuiltinFunctionType():
            return thing.__name__
        case types.FunctionType():
            held = _held(thing)
            return _source(thing) + (f" with {inner(held)}" if held else "")
        case types.MethodType():
            return f"{inner(thing.__func__)} of {inner(thing.__self__)}"
        case type():
            return thing.__qualname__ if thing.__module__ == "builtins" else _source(thing)
        case _ if hasattr(thing, "__dict__"):
            return f"{inner(type(thing))} with {inner(vars(thing))}"
    raise _untold(f"it holds {thing!r:.80}")


def _held(function: types.FunctionType) -> dict[str, Any]:
    """What a function holds beside its source, by name."""
    held: dict[str, Any] = dict(function.__kwdefaults__ or {})
    if function.__defaults__:
        held |= zip(inspect.getfullargspec(function).args[-len(function.__defaults__) :], function.__defaults__)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
        try:
            held[name] = cell.cell_contents
        except ValueError:
            held[name] = "nothing yet"
    return held


def _source(thing: Any) -> str:
    try:
        return inspect.getsource(thing)
    except (OSError, TypeError):
        raise _untold(f"the source of {thing.__qualname__} is not known") from None


def _untold(why: str) -> ValueError:
    return ValueError(f"what a parser does cannot be told from another that is like it: {why}; give version=")
