"""What a report is made of, before it is a page: sections of texts, tables and figures."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure

from surrogate.conditions import Condition
from surrogate.optimize.result import Optimum
from surrogate.runs.records import Runs

__all__ = [
    "Asked",
    "Block",
    "Figure",
    "Live",
    "Report",
    "Section",
    "Table",
    "Text",
    "name_parts",
    "new_axes",
    "packed",
    "shares",
]

FIGURE_SIZE = (6.0, 4.0)

# Text stays text, so that the page can be searched and read aloud; fonts come from the page's style.
# Names are shown as they are: a dollar sign in one is no formula.
SVG_STYLE: dict[Any, Any] = {
    "text.parse_math": False,
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.axisbelow": True,
}


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True, eq=False)
class Table:
    """A table with a caption; numbers are shown to four significant digits."""

    frame: pd.DataFrame
    caption: str = ""
    folded: bool = False

    @property
    def header(self) -> list[str]:
        """Column names, the index's first."""
        return [str(self.frame.index.name or ""), *map(str, self.frame.columns)]

    @property
    def rows(self) -> list[list[str]]:
        """Cells as text, the index's first."""
        columns = [self.frame[name].tolist() for name in self.frame.columns]
        return [[_cell(label), *map(_cell, cells)] for label, *cells in zip(self.frame.index, *columns)]


@dataclass(frozen=True, eq=False)
class Figure:
    """A drawing with what it shows in words.

    Attributes
    ----------
    svg : str
    alt : str
        For those who do not see it: what it shows.
    caption : str
    table : Table, optional
        The numbers behind it.
    view : str
        What the page's script knows it by, if it follows a choice.
    """

    svg: str
    alt: str
    caption: str
    table: Table | None = None
    view: str = ""

    @classmethod
    def of(cls, ax: Axes, alt: str, caption: str, table: Table | None = None, view: str = "") -> Figure:
        """From axes made by :func:`new_axes`."""
        figure = ax.figure
        text = io.StringIO()
        with mpl.rc_context(SVG_STYLE | {"svg.hashsalt": caption}):
            figure.savefig(text, format="svg", bbox_inches="tight", transparent=True, metadata={"Date": None})  # type: ignore[union-attr]
        svg = text.getvalue()
        svg = svg[svg.index("<svg") :]
        svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
        # Figures share a page: each gets names of its own, so that inner references do not meet.
        own = hashlib.sha256(caption.encode()).hexdigest()[:8]
        svg = re.sub(r'( id="|url\(#|href="#)', rf"\g<1>{own}-", svg)
        # Its size is the page's matter.
        svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
        svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r'\1 role="img"', svg, count=1)
        svg = re.sub(r"(<svg[^>]*>)", lambda found: f"{found[1]}<title>{_escaped(alt)}</title>", svg, count=1)
        return cls(svg, alt, caption, table, view)


@dataclass(frozen=True, eq=False)
class Live:
    """What the reader can change where scripts run; the section's figures show it as it is without them.

    Attributes
    ----------
    script : str
        Name of the template that does it, without ``.js``.
    told : str
        What the figures show as they are, in words; the script tells there what it shows instead.
    data : mapping
        What the script needs, JSON-ready.
    """

    script: str
    told: str
    data: Mapping[str, Any]


Block = Text | Table | Figure | Live


@dataclass(frozen=True, eq=False)
class Section:
    """One part of the page.

    Attributes
    ----------
    anchor : str
        Its place in the page's address.
    title : str
    lead : str
        Its result in a sentence or two; the page's summary is made of these.
    blocks : sequence of Text, Table, Figure and Live
    """

    anchor: str
    title: str
    lead: str
    blocks: Sequence[Block]


@dataclass(frozen=True, eq=False)
class Asked:
    """Everything a section may draw on."""

    runs: Runs | None = None
    question: str = ""
    emulators: Mapping[str, Any] = field(default_factory=dict)
    boxes: Any = None
    sensitivity: pd.DataFrame | None = None
    optimum: Optimum | None = None
    student: Any = None  # a StudentSummary
    conditions: tuple[Condition, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def interest(self) -> str:
        """The condition in words."""
        return " and ".join(map(str, self.conditions))


@dataclass(frozen=True, eq=False)
class Report:
    """Everything that is told, before it is a page or a file for another program."""

    title: str
    date: str
    problems: Sequence[str]
    sections: Sequence[Section]


def packed(array: Any) -> str:
    """Numbers as little-endian doubles in base64, for a script."""
    return base64.b64encode(np.ascontiguousarray(array, dtype="<f8").tobytes()).decode()


def new_axes(width: float = FIGURE_SIZE[0], height: float = FIGURE_SIZE[1]) -> Axes:
    """Axes of a figure that no global state knows, for :meth:`Figure.of`."""
    with mpl.rc_context(SVG_STYLE):
        return MplFigure(figsize=(width, height)).add_subplot()


def name_parts(ax: Axes, **artists: Sequence[Any]) -> None:
    """Names by which a page's script finds what it moves; the plane that they are on is named too."""
    ax.patch.set_gid("plane")
    for name, several in artists.items():
        for i, artist in enumerate(several):
            artist.set_gid(f"{name}-{i}")


def shares(ax: Axes, x: float, y: float) -> list[float]:
    """Where a point is, in shares of the plot's width and height, for a script."""
    out = []
    for value, axis, view in ((x, ax.xaxis, ax.get_xlim()), (y, ax.yaxis, ax.get_ylim())):
        # The scale may be logarithmic.
        low, place, high = axis.get_transform().transform(np.array([view[0], value, view[1]], dtype=float))
        out.append(round(float((place - low) / (high - low)), 4))
    return out


def _cell(value: Any) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
