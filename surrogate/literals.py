"""Values as Python, SQL and a reader write them."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from typing import Any

from surrogate.parameters import plain

__all__ = ["can_be_written", "in_order", "python_literal", "said", "sql_literal", "sql_name"]


def can_be_written(name: str) -> bool:
    r"""Whether a name has no control characters or halves of characters, which tables, SQL and pages cannot show.

    Examples
    --------
    >>> can_be_written("growth rate"), can_be_written("growth\nrate")
    (True, False)
    """
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in name)


def in_order(values: Iterable[Any]) -> list[Any]:
    """Sorted; values that cannot be compared, by how they are written.

    Examples
    --------
    >>> in_order({3, 1}), in_order({"b", 2})
    ([1, 3], ['b', 2])
    """
    try:
        return sorted(values)
    except TypeError:
        return sorted(values, key=repr)


def said(value: Any, digits: int) -> str:
    """For a reader: a number with so many significant digits.

    Examples
    --------
    >>> said(0.123456, 3), said("flap", 3)
    ('0.123', 'flap')
    """
    value = plain(value)
    if isinstance(value, float):
        # What single precision takes for 0 is read as 0.
        return f"{0.0 if abs(value) <= 1e-44 else value:.{digits}g}"
    return str(value)


def python_literal(value: Any) -> str:
    """Exact to the last digit, as an expression that needs no import.

    Examples
    --------
    >>> python_literal(0.1), python_literal(float("inf"))
    ('0.1', "float('inf')")
    """
    value = plain(value)
    if isinstance(value, float) and not math.isfinite(value):
        return f"float({str(value)!r})"
    return repr(value)


def sql_literal(value: Any) -> str:
    """Exact to the last digit.

    Raises
    ------
    ValueError
        If it is infinite or no number.

    Examples
    --------
    >>> sql_literal("it's"), sql_literal(True), sql_literal(0.1)
    ("'it''s'", 'TRUE', '0.1')
    """
    value = plain(value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"SQL has no way to write {value} that every database reads")
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def sql_name(name: str) -> str:
    """A quoted column.

    Examples
    --------
    >>> print(sql_name('a "b" c'))
    "a ""b"" c"
    """
    return '"' + name.replace('"', '""') + '"'
