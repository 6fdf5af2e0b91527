"""Runs as a file for other programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from surrogate.parameters import Finite
from surrogate.runs.records import Runs

__all__ = ["export"]


def export(runs: Runs, path: str | Path) -> None:
    """Write runs, finished or not, to a CSV or Parquet file.

    Parameters
    ----------
    runs : Runs
    path : str or Path
        Its suffix says the format. Parquet needs pyarrow (``pip install 'surrogate-learn[parquet]'``); there a series
        is one column of lists, a parameter whose values are of several types is one of text, and the space, outputs,
        simulator and version are in the file's metadata under ``surrogate``. In CSV a series is one column a value of
        its coordinate, ``"lift[0.5]"``.

    Raises
    ------
    ValueError
        If the suffix is neither ``.csv`` nor ``.parquet``.
    """
    target = Path(path)
    if target.suffix == ".csv":
        runs.to_frame(series="columns").to_csv(target, index=False)
    elif target.suffix == ".parquet":
        _write_parquet(runs, target)
    else:
        raise ValueError(f"cannot tell the format of {target.name!r} by its suffix; use .csv or .parquet")


def _write_parquet(runs: Runs, target: Path) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Parquet files need pyarrow: pip install 'surrogate-learn[parquet]', or export to .csv"
        ) from error
    frame = runs.to_frame(series="lists")
    for name, parameter in runs.space.items():
        # A column of a file has one type.
        if isinstance(parameter, Finite) and not _are_of_one_type(parameter.values):
            frame[name] = frame[name].map(str)
    table = pyarrow.Table.from_pandas(frame, preserve_index=False)
    about = {
        "simulator": runs.simulator,
        "version": runs.version,
        "space": runs.space.to_dict(),
        "outputs": [output.to_dict() for output in runs.output_types],
        "sessions": runs.sessions,
        "design": runs.design,
    }
    metadata = {**(table.schema.metadata or {}), b"surrogate": json.dumps(about).encode()}
    pyarrow.parquet.write_table(table.replace_schema_metadata(metadata), target)


def _are_of_one_type(values: Sequence[Any]) -> bool:
    return len({float if type(value) is int else type(value) for value in values}) == 1
