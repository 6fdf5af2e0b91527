"""Runs the code of a page, as a reader would who types it in from top to bottom.

Blocks mean what their language says:

- ``python`` is executed, all blocks of a page in one namespace;
- ``text`` right after it is what it must have printed (``...`` stands for anything,
  and decimal numbers may differ a little, see :func:`is_shown`);
- ``sh`` is executed where a line begins with ``surrogate``, by the command line of this package;
- a block that begins with a comment of only a file name (``# study.toml``) is written to that file first.

A line ``<!-- requires: ... -->`` says what the blocks after it need: a public name (``sg.minimize``), an installed
module (``module distributed``) or a program (``program ngspice``). Where it is missing, the page ends there.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib.util
import io
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PARTS = re.compile(r"^```(\w*)\n(.*?)^```$|^<!-- requires: (.*?) -->$", re.DOTALL | re.MULTILINE)
FILE_NAME = re.compile(r"[#*] ([\w./-]+\.\w+)\n")
DECIMAL = re.compile(r"-?\d+\.\d+")
INCLUDED = re.compile(r":start-after: <!-- begin ([\w-]+) -->")
SHOWN = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


class MissingError(Exception):
    """Something that a page needs is not here."""


class PageError(Exception):
    """A page says something that is not so."""


@dataclass(frozen=True)
class Block:
    """A fenced block, or what the rest of the page needs (language ``requires``)."""

    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Page:
    """A page's blocks in order."""

    file: Path
    blocks: tuple[Block, ...]

    @classmethod
    def of(cls, file: Path) -> Page:
        """Read a page."""
        text = file.read_text()
        found = []
        for part in PARTS.finditer(text):
            line = text.count("\n", 0, part.start()) + 1
            language, body = ("requires", part[3]) if part[3] else (part[1], part[2])
            found.append(Block(language, body, line))
        return cls(file, tuple(found))

    def run(self, folder: Path) -> None:
        """Run the page's blocks with `folder` as working directory.

        Raises
        ------
        MissingError
            If something that is required is not here; what comes before it has run.
        PageError
            If a block prints something else than the page shows, or a command fails.
        """
        # As a script's, so that its functions reach worker processes by value.
        namespace: dict[str, Any] = {"__name__": "__main__"}
        printed = ""
        with _inside(folder):
            for block in self.blocks:
                told = io.StringIO()
                with contextlib.redirect_stdout(told):
                    self._run_block(block, namespace, printed)
                printed = told.getvalue()

    def _run_block(self, block: Block, namespace: dict[str, Any], printed: str) -> None:
        where = f"{self.file.name}, line {block.line}"
        if block.language == "requires":
            _check_requirement(block.text)
            return
        if name := FILE_NAME.match(block.text):
            Path(name[1]).write_text(block.text)
        if block.language == "python":
            # Lines as in the page, so that an error's traceback leads there.
            exec(compile("\n" * block.line + block.text, str(self.file), "exec"), namespace)
        elif block.language == "sh":
            for command in re.findall(r"^surrogate (.*)$", block.text, re.MULTILINE):
                _command(command, where)
        elif block.language == "text" and not is_shown(block.text, printed):
            raise PageError(f"{where} shows\n{block.text}\nbut the block before it prints\n{printed}")


def is_shown(shown: str, printed: str) -> bool:
    """Whether a page shows what was printed; a decimal number may differ by one and a half of its last place."""
    theirs, ours = DECIMAL.findall(shown), DECIMAL.findall(printed)
    if len(theirs) == len(ours):
        places = [10.0 ** -len(text.partition(".")[2]) for text in theirs]
        if all(abs(float(a) - float(b)) <= 1.5 * place for a, b, place in zip(theirs, ours, places, strict=True)):
            replacements = iter(theirs)
            printed = DECIMAL.sub(lambda _: next(replacements), printed)
    return doctest.OutputChecker().check_output(shown, printed, SHOWN)


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _command(arguments: str, where: str) -> None:
    from surrogate.cli import main

    code = main(shlex.split(arguments, comments=True))
    if code:
        raise PageError(f"{where}: `surrogate {arguments}` ends with {code}")


def _check_requirement(text: str) -> None:
    import surrogate

    kind, _, name = text.strip().rpartition(" ")
    if kind == "module":
        here = importlib.util.find_spec(name) is not None
    elif kind == "program":
        here = shutil.which(name) is not None
    elif name.startswith("sg."):
        here = name.removeprefix("sg.") in surrogate.__all__
    else:
        raise ValueError(f"requires: {text!r} is no public name (sg.NAME), module or program")
    if not here:
        raise MissingError(f"{text.strip()} is not here")
