"""What a simulator answers: named scalars and series, with units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from surrogate.literals import can_be_written

__all__ = ["Output", "Series", "output_from_dict"]

# Coordinates beyond this number are described by their ends if they are evenly spaced.
LONG_SERIES = 1000


class Output(str):
    """The name of a scalar output, with its unit and meaning.

    It is a ``str``, so an output is its own column name.

    Parameters
    ----------
    name : str
    unit : str
    description : str

    Examples
    --------
    >>> lift = Output("lift", unit="N")
    >>> lift == "lift", lift.unit
    (True, 'N')
    """

    unit: str
    description: str

    def __new__(cls, name: str, *, unit: str = "", description: str = "") -> Self:
        if not isinstance(name, str):
            raise TypeError(f"an output's name must be text, got {name!r}")
        if not name:
            raise ValueError("an output needs a name")
        if not can_be_written(name):
            raise ValueError(f"an output's name must have no control characters, got {name!r}")
        self = super().__new__(cls, name)
        self.unit = unit
        self.description = description
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return output_from_dict, (self.to_dict(),)

    @property
    def label(self) -> str:
        """Name with its unit, for axes and tables."""
        return f"{self} [{self.unit}]" if self.unit else str(self)

    def check(self, value: Any) -> float | NDArray[Any]:
        """The value as a float (here) or an array (a series).

        Raises
        ------
        ValueError
            If the value has the wrong type or shape, or is not finite.
        """
        told = f"output {str(self)!r} must be one number, got"
        try:
            shape = np.shape(value)
        except ValueError:
            raise ValueError(f"{told} {value!r:.100}") from None
        if shape:
            raise ValueError(f"{told} an array of shape {shape}")
        # float() would read text, and of NumPy's complex numbers it drops the imaginary part.
        if isinstance(value, (str, bytes)) or np.iscomplexobj(value):
            raise ValueError(f"{told} {value!r:.100}")
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"{told} {value!r:.100}") from None
        if not np.isfinite(number):
            raise ValueError(f"output {str(self)!r} is {number}")
        return number

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description, read back by :func:`output_from_dict`."""
        out: dict[str, Any] = {"name": str(self)}
        return out | {key: getattr(self, key) for key in ("unit", "description") if getattr(self, key)}


class Series(Output):
    """The name of an output that is a function of one coordinate.

    Parameters
    ----------
    name : str
    at : array of shape (m,)
        The coordinate's values; a run returns as many numbers.
    coordinate : str
        The coordinate's name, e.g. ``"time"``.
    unit, coordinate_unit, description : str

    Examples
    --------
    >>> infected = Series("infected", at=[0.0, 1.0, 2.0], coordinate="time", coordinate_unit="day")
    >>> infected.check([1, 2, 4])
    array([1, 2, 4])
    """

    at: NDArray[np.float64]
    coordinate: str
    coordinate_unit: str

    def __new__(
        cls,
        name: str,
        *,
        at: ArrayLike,
        coordinate: str = "coordinate",
        unit: str = "",
        coordinate_unit: str = "",
        description: str = "",
    ) -> Self:
        self = super().__new__(cls, name, unit=unit, description=description)
        values = np.array(at, dtype=float)
        if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
            raise ValueError(f"series {name!r}: at must be a finite array of shape (m,), got shape {values.shape}")
        values.setflags(write=False)
        self.at = values
        self.coordinate = coordinate
        self.coordinate_unit = coordinate_unit
        return self

    def check(self, value: Any) -> NDArray[Any]:
        try:
            array = np.array(value)  # a copy: a simulator may use its array again
        except ValueError:
            raise ValueError(f"series {str(self)!r} must have shape {self.at.shape}, got {value!r:.100}") from None
        if array.shape != self.at.shape:
            raise ValueError(f"series {str(self)!r} must have shape {self.at.shape}, got {array.shape}")
        if array.dtype.kind not in "iufb":
            raise ValueError(f"series {str(self)!r} must hold numbers, got dtype {array.dtype}")
        bad = np.flatnonzero(~np.isfinite(array))
        if len(bad):
            raise ValueError(f"series {str(self)!r} is {array[bad[0]]} at {self.coordinate} = {self.at[bad[0]]:g}")
        return array

    def to_dict(self) -> dict[str, Any]:
        first, last, n = float(self.at[0]), float(self.at[-1]), len(self.at)
        # A long even grid is told by its ends: a list of a million numbers would be in every store and report.
        even = n > LONG_SERIES and np.array_equal(self.at, np.linspace(first, last, n))
        at: Any = {"from": first, "to": last, "n": n} if even else self.at.tolist()
        out = super().to_dict() | {"at": at, "coordinate": self.coordinate}
        return out | ({"coordinate_unit": self.coordinate_unit} if self.coordinate_unit else {})


def output_from_dict(data: Mapping[str, Any]) -> Output:
    """The output that :meth:`Output.to_dict` described."""
    if "at" not in data:
        return Output(**data)
    at = data["at"]
    return Series(**{**data, "at": np.linspace(at["from"], at["to"], at["n"]) if isinstance(at, Mapping) else at})
