"""What a run is known by: a key that depends on its inputs, level and replicate only."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.space import Space

__all__ = ["points_as_bytes", "run_id", "run_ids"]


def run_ids(
    space: Space, points: pd.DataFrame, levels: NDArray[np.int64] | None = None, replicates: bool = False
) -> list[str]:
    """A key for every row that depends on its values only, so that a run is recognised wherever it comes from.

    With `replicates` the k-th of several equal rows gets a key of its own.
    """
    seen: dict[bytes, int] = {}
    out = []
    for content in points_as_bytes(space, points, levels):
        count = 0
        if replicates:
            count = seen.get(content, 0)
            seen[content] = count + 1
        out.append(run_id(content, count))
    return out


def points_as_bytes(space: Space, points: pd.DataFrame, levels: NDArray[np.int64] | None = None) -> list[bytes]:
    """What tells each row from those with other values."""
    numeric = [name for name, p in space.items() if p.dtype is not object]
    others = [name for name in space if name not in numeric]
    # Adding 0.0 makes one zero of the two that IEEE has.
    matrix = points[numeric].to_numpy(dtype="<f8") + 0.0 if numeric else np.empty((len(points), 0))
    texts = ["\x00".join(map(repr, row)) for row in points[others].to_numpy(dtype=object)] if others else None
    out = []
    for row, numbers in enumerate(np.ascontiguousarray(matrix)):
        content = numbers.tobytes() + (texts[row].encode() if texts else b"")
        if levels is not None and levels[row]:
            content += f"@{levels[row]}".encode()
        out.append(content)
    return out


def run_id(content: bytes, replicate: int = 0) -> str:
    """The key of a run at such a point."""
    return hashlib.blake2b(content + (f"#{replicate}".encode() if replicate else b""), digest_size=12).hexdigest()
