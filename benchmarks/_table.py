"""What every benchmark writes: tables, with the machine and the versions that they were measured with."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

import surrogate

RESULTS = Path(__file__).parent / "results"


def markdown(table: pd.DataFrame, digits: int = 3) -> str:
    """A Markdown table of a frame's columns (its index is left out)."""

    def cell(value: object) -> str:
        if isinstance(value, float):
            return "-" if value != value else f"{value:.{digits}g}"
        return str(value)

    lines = [[*map(str, table.columns)], ["---"] * len(table.columns)]
    lines += [[cell(value) for value in row] for row in table.itertuples(index=False)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def environment(packages: Sequence[str]) -> str:
    """One paragraph: machine, Python, versions."""
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    versions = []
    for package in packages:
        try:
            version = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            # This framework may be run from a checkout.
            version = surrogate.__version__ if package == "surrogate-learn" else "not installed"
        versions.append(f"{package} {version}")
    return (
        f"{datetime.date.today():%Y-%m-%d}, {cpu}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end, "
        f"Python {platform.python_version()}; {', '.join(versions)}."
    )


def write(name: str, title: str, command: str, parts: Sequence[str], packages: Sequence[str]) -> Path:
    """Write ``results/NAME.md``."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.md"
    text = "\n\n".join([f"# {title}", f"`{command}`: {environment(packages)}", *parts])
    path.write_text(text.rstrip() + "\n")
    return path
