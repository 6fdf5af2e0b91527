"""The report: what was asked, told section by section, in the format of the file's ending."""

from __future__ import annotations

import datetime
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path, PosixPath
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd

from surrogate.conditions import Condition, parse_conditions
from surrogate.conditions import of_interest as flags_of_interest
from surrogate.errors import did_you_mean
from surrogate.optimize.result import Optimum
from surrogate.reports.content import SVG_STYLE, Asked, Report, Section
from surrogate.reports.formats import FORMATS, as_html
from surrogate.reports.sections import SECTIONS
from surrogate.reports.sections.boxes import box_finder
from surrogate.runs.records import Runs

__all__ = ["ReportFile", "report", "report_file"]

# What every SQLite file begins with.
SQLITE_HEADER = b"SQLite format 3\0"


class ReportFile(PosixPath):
    """The path of a report; at the end of a notebook's cell the page itself, if it is one."""

    def _repr_html_(self) -> str | None:
        if FORMATS.get(self.suffix.lower()) is not as_html or not self.is_file():
            return None
        page = escape(self.read_text(encoding="utf-8"))
        return f'<iframe title="report {escape(self.name)}" srcdoc="{page}" style="width: 100%; height: 40em"></iframe>'


def report_file(path: str | Path) -> ReportFile:
    """The file of a report that can be written there, so that this is known before anything is computed.

    Raises
    ------
    ValueError
        If the ending stands for no format, or it is a folder or a run store.
    FileNotFoundError
        If the folder does not exist.
    """
    file = ReportFile(path)
    if not file.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {file.parent} for the report {file.name}")
    if file.is_dir():
        raise ValueError(f"{file.name!r} is a folder, a report is a file")
    if file.suffix.lower() not in FORMATS:
        raise ValueError(f"{file.name!r} must end in one of {', '.join(FORMATS)}: these are the formats")
    if _is_database(file):
        raise ValueError(f"{file.name!r} is a run store, which the report would replace; name another file")
    return file


def _is_database(file: Path) -> bool:
    if not file.is_file():
        return False
    with open(file, "rb") as stream:
        return stream.read(len(SQLITE_HEADER)) == SQLITE_HEADER


def report(
    path: str | Path,
    *,
    runs: Runs | None = None,
    emulator: Any = None,
    boxes: Any = None,
    sensitivity: pd.DataFrame | None = None,
    optimum: Optimum | None = None,
    student: Any = None,
    of_interest: str | Mapping[str, str] | Sequence[str | Condition] | None = None,
    title: str = "",
    question: str = "",
    problems: Sequence[str] = (),
    sections: Sequence[Callable[[Asked], Section | None]] = (),
) -> ReportFile:
    """Write a report of a study: one HTML page, or the same as Markdown or JSON.

    Parameters
    ----------
    path : str or Path
        The file to write; replaced as a whole if it exists. Its ending, ``.html``, ``.md`` or ``.json``, is the format.
    runs : Runs, optional
        Needed for emulators and boxes, whose runs they are.
    emulator : fitted emulator, or mapping of output to fitted emulator, optional
        Fitted on the finished runs in their order. One emulator alone belongs to the only scalar output.
    boxes : fitted box finder, optional
        Fitted on the finished runs in their order.
    sensitivity : DataFrame, optional
        As from ``sobol_indices`` or any other measure.
    optimum : Optimum, optional
        As from :func:`surrogate.minimize`.
    student : StudentSummary, optional
        Of :func:`surrogate.summarise_student`.
    of_interest : str, mapping or sequence of conditions, optional
        What made runs of interest, to be told in words.
    title, question : str, optional
        Heading, and what the study wants to know in a sentence or two.
    problems : sequence of str
        What could not be done, to be told at the top.
    sections : sequence of callables, optional
        Sections of your own, told before the last one, versions: from ``surrogate.reports.content.Asked``, what this
        function was given, to a ``Section`` of texts, tables and figures, or None.

    Returns
    -------
    ReportFile
        The file, a ``Path``; notebooks show the page.

    Raises
    ------
    TypeError
        If `runs` are none.
    ValueError
        If an emulator belongs to no output, there is nothing to report on, the ending stands for no format, the file
        is a run store, or `of_interest` names no output or is not what the boxes were fitted with.
    FileNotFoundError
        If the folder does not exist.

    Examples
    --------
    >>> import tempfile
    >>> import surrogate as sg
    >>> @sg.simulator(space=sg.Space(a=sg.Real(0, 1), b=sg.Real(0, 1)), outputs=["y"])
    ... def model(a, b):
    ...     return {"y": a * b}
    >>> runs = sg.run(model, sg.sobol(model.space, 64, rng=0), n_jobs=0)
    >>> prim = sg.Prim().fit(runs.inputs, runs.outputs["y"] > 0.5, space=model.space)
    >>> file = report(Path(tempfile.mkdtemp()) / "report.html", runs=runs, boxes=prim, of_interest="y > 0.5")
    >>> "Where it is of interest" in file.read_text()
    True
    """
    file = report_file(path)
    if runs is None and student is None and optimum is None:
        raise ValueError("there is nothing to report on: pass runs=, optimum= or student=")
    if runs is not None and not isinstance(runs, Runs):
        raise TypeError(
            f"runs must be what run() returned or a store's runs(), got {type(runs).__name__}; how a table becomes "
            "runs is told under “Bring your own runs” in the documentation"
        )
    if runs is None and (emulator is not None or boxes is not None):
        raise ValueError("emulator and boxes are told with the runs they were fitted on: pass runs=")
    conditions = () if of_interest is None else parse_conditions(of_interest)
    if runs is not None:
        _check_interest(conditions, boxes, runs)
    asked = Asked(
        runs=runs,
        question=question,
        emulators={} if runs is None else _by_output(emulator, runs),
        boxes=boxes,
        sensitivity=sensitivity,
        optimum=optimum,
        student=student,
        conditions=conditions,
        problems=tuple(problems),
    )
    makers = (*SECTIONS[:-1], *sections, SECTIONS[-1])
    with mpl.rc_context(SVG_STYLE):
        told = [section for make in makers if (section := make(asked)) is not None]
    title = title or _title(asked)
    content = Report(title, datetime.date.today().isoformat(), asked.problems, told)
    _replace(file, FORMATS[file.suffix.lower()](content))
    return file


def _title(asked: Asked) -> str:
    if asked.runs is not None:
        return f"Study of {asked.runs.simulator}"
    return "What the model knows" if asked.optimum is None else "What is best"


def _by_output(emulator: Any, runs: Runs) -> dict[str, Any]:
    if emulator is None:
        return {}
    scalars = [str(name) for name in runs.scalars.columns]
    if not isinstance(emulator, Mapping):
        if len(scalars) != 1:
            raise ValueError(
                f"emulator: which of the outputs {', '.join(scalars)} it emulates is not clear; "
                f"pass a mapping such as {{{scalars[0]!r}: emulator}}"
            )
        return {scalars[0]: emulator}
    for name in emulator:
        if name not in scalars:
            raise ValueError(f"emulator: no scalar output {name!r}; {did_you_mean(name, scalars)}")
    return dict(emulator)


def _check_interest(conditions: Sequence[Condition], boxes: Any, runs: Runs) -> None:
    """That what is told of the runs of interest is true of these runs."""
    scalars = [str(name) for name in runs.scalars.columns]
    for condition in conditions:
        if condition.name not in scalars:
            raise ValueError(
                f"of_interest: no scalar output {condition.name!r}; {did_you_mean(condition.name, scalars)}"
            )
    finder = box_finder(boxes)
    if finder is None:
        return
    fitted, done = np.asarray(finder.of_interest_, dtype=bool), len(runs.outputs)
    if len(fitted) != done:
        raise ValueError(f"boxes were fitted on {len(fitted)} runs, but runs= has {done} finished ones; fit on those")
    if conditions and (differ := np.count_nonzero(flags_of_interest(runs.outputs, conditions) != fitted)):
        raise ValueError(
            f"of_interest: {' and '.join(map(str, conditions))} is not what the boxes were fitted with: it differs "
            f"from that on {differ} of {done} finished runs; give the condition, and the runs, of the fit"
        )


def _replace(file: Path, text: str) -> None:
    """Write beside and rename, so that a reader never sees half a page."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        # mkstemp's files are private; a report has the permissions of any new file.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)
        os.replace(name, file)
    except BaseException:
        os.unlink(name)
        raise
