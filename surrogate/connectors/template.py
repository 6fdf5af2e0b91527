"""Texts with placeholders for parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from surrogate.errors import did_you_mean

__all__ = ["Template"]


class Template:
    """A text whose placeholders, ``${alpha}`` or with a format ``${alpha:.6f}``, stand for values.

    Everything else stays as it is, braces and dollar signs included. A placeholder's first character, doubled, stands
    for itself: ``$${HOME}`` becomes ``${HOME}``.

    Parameters
    ----------
    text : str
    where : str
        What the text is called in an error, e.g. the file's name.
    delimiters : (str, str)
        What stands before and after a name.

    Examples
    --------
    >>> Template("ALFA ${alpha:.2f}; set x {0} $y").fill({"alpha": 4})
    'ALFA 4.00; set x {0} $y'
    >>> Template("R1 in out @r@", delimiters=("@", "@")).fill({"r": 1000.0})
    'R1 in out 1000.0'
    """

    def __init__(self, text: str, where: str = "template", delimiters: tuple[str, str] = ("${", "}")) -> None:
        self.text = text
        self.where = where
        self.delimiters = delimiters
        before, after = map(re.escape, delimiters)
        doubled = re.escape(delimiters[0][0])
        # The name ends at the first colon, the format at the first closing delimiter; neither goes past the line.
        self._pattern = re.compile(rf"(?P<doubled>{doubled})?{before}(?P<name>[^\n:]*?)(?::(?P<spec>[^\n]*?))?{after}")

    @property
    def names(self) -> set[str]:
        """Names that the placeholders ask for."""
        return {match["name"].strip() for match in self._pattern.finditer(self.text) if not match["doubled"]}

    def check(self, example: Mapping[str, Any]) -> None:
        """Fill in `example`; raises ``ValueError`` with the line of a placeholder that is unknown or ill-formatted."""
        for match in self._pattern.finditer(self.text):
            if match["doubled"]:
                continue
            line = self.text.count("\n", 0, match.start()) + 1
            place = f"{self.where}, line {line}: {match[0]}"
            name = match["name"].strip()
            if name not in example:
                raise ValueError(
                    f"{place} is no parameter; {did_you_mean(name, example)} (to keep it as it is, double its first "
                    f"character: {match[0][0]}{match[0]}; or choose other delimiters)"
                )
            try:
                format(example[name], match["spec"] or "")
            except ValueError as error:
                raise ValueError(f"{place} cannot be filled with {example[name]!r}: {error}") from None

    def fill(self, values: Mapping[str, Any]) -> str:
        """The text with the values in place; a float without a format is written with all its digits."""

        def value(match: re.Match[str]) -> str:
            if match["doubled"]:
                return match[0][1:]
            return format(values[match["name"].strip()], match["spec"] or "")

        return self._pattern.sub(value, self.text)
