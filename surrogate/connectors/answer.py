"""An answer of which not everything could be had."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surrogate.errors import SimulatorError
from surrogate.outputs import Output, Series

__all__ = ["PartialAnswer", "gather", "interpolate", "plain_inputs", "reason"]


class PartialAnswer(Mapping[str, Any]):
    """The outputs that there are; asking for another raises an error that says why it is missing.

    A run that answers so is recorded as ``invalid`` with that reason, whereas one that raises is ``failed``.
    """

    def __init__(self, values: Mapping[str, Any], reason: str) -> None:
        self._values = dict(values)
        self.reason = reason

    def __getitem__(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        raise SimulatorError(self.reason)

    def __contains__(self, name: object) -> bool:
        # Nothing is merely absent: whoever asks is told the reason.
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<partial answer {self._values!r}: {self.reason}>"


def gather(outputs: Sequence[Output], read: Callable[[Output], Any]) -> tuple[dict[str, Any], list[str]]:
    """Checked values of the outputs that can be read, and for each of the others the reason."""
    values: dict[str, Any] = {}
    reasons = []
    for output in outputs:
        try:
            value = read(output)
        except Exception as error:
            reasons.append(f"output {str(output)!r}: {reason(error)}")
            continue
        try:
            values[str(output)] = output.check(value)
        except ValueError as error:
            reasons.append(str(error))
    return values, reasons


def reason(error: Exception) -> str:
    """Why something could not be read; of an error in somebody's own parser with its type and place."""
    if isinstance(error, SimulatorError):
        return str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(frame.filename).name}, line {frame.lineno})"


def interpolate(coordinate: Any, values: Any, series: Series, *, steps: bool = False) -> NDArray[np.float64]:
    """Values at the series' own coordinate; where two rows lie at one place, as at an event, the later one holds.

    Parameters
    ----------
    coordinate, values : arrays of shape (n,)
    series : Series
    steps : bool
        Keep each value until the next, instead of joining them by straight lines.

    Raises
    ------
    SimulatorError
        If the coordinate falls, or does not reach as far as the series.
    """
    x, y = np.asarray(coordinate, dtype=float), np.asarray(values, dtype=float)
    name = repr(str(series))
    if len(x) == 0 or not np.isfinite(x).all() or (np.diff(x) < 0).any():
        raise SimulatorError(f"the coordinate of series {name} must rise from row to row")
    # Programs begin and end a rounding, or a first small step, beside the place: the value there stands for it.
    slack = 1e-6 * np.ptp(x)
    if series.at.min() < x[0] - slack or series.at.max() > x[-1] + slack:
        raise SimulatorError(
            f"series {name} is asked for from {series.at.min():g} to {series.at.max():g}, "
            f"but there are values from {x[0]:g} to {x[-1]:g} only"
        )
    if steps:
        held = np.searchsorted(x, series.at + 1e-3 * slack, side="right") - 1
        return np.asarray(y[np.maximum(held, 0)])
    last = np.append(np.diff(x) > 0, True)
    return np.asarray(np.interp(series.at, x[last], y[last]))


def plain_inputs(names: Sequence[str], inputs: Mapping[str, Any], simulator: str) -> dict[str, Any]:
    """The inputs in the order of `names`, NumPy's scalars as Python's; ``TypeError`` if one is missing or unknown."""
    missing = [name for name in names if name not in inputs]
    unknown = [name for name in inputs if name not in names]
    if missing or unknown:
        told = [f"missing input {name!r}" for name in missing] + [f"unknown input {name!r}" for name in unknown]
        raise TypeError(f"simulator {simulator!r}: " + "; ".join(told))
    return {name: inputs[name].item() if hasattr(inputs[name], "item") else inputs[name] for name in names}
