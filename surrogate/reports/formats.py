"""A report as a page, as Markdown and as JSON."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Callable
from typing import Any

import jinja2
import pandas as pd

from surrogate.reports.content import Block, Figure, Live, Report, Table, Text

__all__ = ["FORMATS", "JSON_FORMAT", "as_html", "as_json", "as_markdown"]

# Changes when a program that reads the file would have to.
JSON_FORMAT = 1


def as_html(report: Report) -> str:
    """One page, complete without JavaScript and without a network."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("surrogate.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    for name, kind in (("text", Text), ("table", Table), ("figure", Figure), ("live", Live)):
        environment.tests[name] = lambda block, kind=kind: isinstance(block, kind)
    names = dict.fromkeys(block.script for s in report.sections for block in s.blocks if isinstance(block, Live))
    # Browsers run the scripts of these hashes and no other, whatever text came into the page.
    scripts = {name: _script(environment.get_template(f"{name}.js").render()) for name in names}
    return environment.get_template("page.html.j2").render(report=report, scripts=scripts)


def _script(text: str) -> dict[str, str]:
    return {"text": text, "hash": base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}


def as_markdown(report: Report) -> str:
    """The same in Markdown: of figures what they show in words and the numbers behind them."""
    parts = [f"# {report.title}", report.date]
    if report.problems:
        parts += ["**What could not be done**", _bullets(report.problems)]
    parts.append(_bullets([section.lead for section in report.sections]))
    for section in report.sections:
        parts += [f"## {section.title}", section.lead]
        for block in section.blocks:
            parts += _markdown(block)
    return "\n\n".join(parts) + "\n"


def _markdown(block: Block) -> list[str]:
    match block:
        case Text():
            return [block.text]
        case Table():
            lines = [block.header, ["---"] * len(block.header), *block.rows]
            table = "\n".join("| " + " | ".join(map(_one_line, line)) + " |" for line in lines)
            return [f"*{_one_line(block.caption)}*", table] if block.caption else [table]
        case Figure():
            words = f"*{_one_line(block.caption)}.* {_one_line(block.alt)}"
            return [words, *(_markdown(block.table) if block.table else [])]
    return []  # what a reader of a file cannot change


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _bullets(lines: Any) -> str:
    return "\n".join(f"- {_one_line(line)}" for line in lines)


def as_json(report: Report) -> str:
    """The same for other programs; numbers unrounded, missing ones null."""
    sections = [
        {
            "anchor": section.anchor,
            "title": section.title,
            "lead": section.lead,
            "blocks": [_plain(block) for block in section.blocks if not isinstance(block, Live)],
        }
        for section in report.sections
    ]
    whole = {"format": "surrogate-report", "version": JSON_FORMAT, "title": report.title, "date": report.date}
    return json.dumps(whole | {"problems": list(report.problems), "sections": sections}, indent=1) + "\n"


def _plain(block: Block) -> dict[str, Any]:
    match block:
        case Text():
            return {"kind": "text", "text": block.text}
        case Table():
            frame = block.frame
            columns = [[_value(v) for v in frame[name].tolist()] for name in frame.columns]
            return {
                "kind": "table",
                "caption": block.caption,
                "index_name": frame.index.name,
                "index": [_value(v) for v in frame.index.tolist()],
                "columns": [str(name) for name in frame.columns],
                "data": [list(row) for row in zip(*columns)],
            }
        case Figure():
            table = None if block.table is None else _plain(block.table)
            return {"kind": "figure", "caption": block.caption, "shows": block.alt, "table": table}
    raise TypeError(f"no form of a {type(block).__name__}")


def _value(value: Any) -> str | float | bool | None:
    if value is None or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value if isinstance(value, (str, int, float, bool)) else str(value)


# By the file's ending.
FORMATS: dict[str, Callable[[Report], str]] = {
    ".html": as_html,
    ".htm": as_html,
    ".md": as_markdown,
    ".json": as_json,
}
