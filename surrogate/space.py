"""The space that parameters span."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from surrogate.errors import InvalidInputError, did_you_mean
from surrogate.literals import can_be_written
from surrogate.parameters import (
    Categorical,
    Finite,
    Integer,
    Numeric,
    Ordinal,
    Parameter,
    Real,
    distribution_to_dict,
    parameter_from_dict,
    plain,
)

# Imported where it is used: every worker process imports this module, and modules that load lazily are not safe in
# threads.
if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Categorical", "Integer", "Ordinal", "Parameter", "Real", "Space"]

FloatArray = NDArray[np.float64]

# How many offending cells an error lists before it only counts the rest.
MAX_LISTED = 10


class Space(Mapping[str, Parameter]):
    """The ordered parameters of one simulator; a read-only mapping from name to parameter.

    Parameters
    ----------
    parameters : mapping of str to Parameter, optional
        For names that are not Python identifiers.
    **named : Parameter
        The parameters by name.

    Examples
    --------
    >>> space = Space(alpha=Real(-4, 12, unit="deg"), kind=Categorical(["clean", "flap"]))
    >>> space.names
    ('alpha', 'kind')
    >>> space.from_unit([[0.5, 0.9]])
       alpha  kind
    0    4.0  flap
    """

    def __init__(self, parameters: Mapping[str, Parameter] | None = None, /, **named: Parameter) -> None:
        merged = {**(parameters or {}), **named}
        if not merged:
            raise ValueError("a space needs at least one parameter")
        for name, parameter in merged.items():
            if not isinstance(name, str) or not name:
                raise TypeError(f"parameter names must be non-empty text, got {name!r}")
            if not can_be_written(name):
                raise ValueError(f"parameter names must have no control characters, got {name!r}")
            if not isinstance(parameter, Parameter):
                raise TypeError(
                    f"parameter {name!r} must be a Real, Integer, Ordinal or Categorical, got {parameter!r}"
                )
        self._parameters = merged

    def __getitem__(self, name: str) -> Parameter:
        try:
            return self._parameters[name]
        except KeyError:
            raise KeyError(f"no parameter {name!r}; {did_you_mean(name, self._parameters)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    def __repr__(self) -> str:
        return "Space(" + ", ".join(f"{name}={parameter!r}" for name, parameter in self.items()) + ")"

    def __eq__(self, other: object) -> bool:
        # A mapping's own equality forgets the order, which gives an array's columns their meaning.
        return isinstance(other, Space) and list(self.items()) == list(other.items())

    def __hash__(self) -> int:
        return hash(tuple(self.items()))

    @property
    def names(self) -> tuple[str, ...]:
        """Parameter names in order."""
        return tuple(self._parameters)

    @property
    def d(self) -> int:
        """Number of parameters."""
        return len(self._parameters)

    def label(self, name: str) -> str:
        """Name with its unit, for axes and tables."""
        unit = self[name].unit
        return f"{name} [{unit}]" if unit else name

    def from_unit(self, u: ArrayLike) -> pd.DataFrame:
        """Points in the parameters' own units at positions in the unit cube.

        Parameters
        ----------
        u : array of shape (n, d)
            Positions in [0, 1].

        Returns
        -------
        DataFrame of shape (n, d)
            One column a parameter.
        """
        import pandas as pd

        u = np.asarray(u, dtype=float)
        if u.ndim != 2 or u.shape[1] != self.d:
            raise ValueError(f"u must have shape (n, {self.d}), got {u.shape}")
        if not ((u >= 0) & (u <= 1)).all():
            raise ValueError("u must lie in [0, 1]; scale the points to the unit cube first")
        return pd.DataFrame({name: p.from_unit(u[:, j]) for j, (name, p) in enumerate(self.items())})

    def to_unit(self, x: Any) -> FloatArray:
        """Positions in the unit cube of points in the parameters' own units; array of shape (n, d)."""
        frame = self.validate(x)
        return np.column_stack([p.to_unit(frame[name].to_numpy()) for name, p in self.items()])

    def validate(self, x: Any, what: str = "inputs") -> pd.DataFrame:
        """The points as a DataFrame with the space's columns, order and types.

        Parameters
        ----------
        x : DataFrame, mapping of scalars or columns, Series, sequence of mappings, or array of shape (n, d)
            One point (a mapping of scalars, a Series) or many. An array's columns are in the order of the space.
        what : str
            What the points are called in an error.

        Raises
        ------
        InvalidInputError
            If a column is missing or unknown, or a value is NaN, of the wrong type or out of range. The message names
            row, column, value and what is allowed.

        Examples
        --------
        >>> Space(n=Integer(1, 9)).validate({"n": 12})
        Traceback (most recent call last):
        surrogate.errors.InvalidInputError: inputs: 1 value is not allowed
          row 0, 'n' = 12 is out of range; allowed: whole numbers 1 to 9
        """
        import pandas as pd

        try:
            frame = self._as_frame(x, what)
        except InvalidInputError:
            raise
        except (TypeError, ValueError) as error:
            raise InvalidInputError(f"{what}: cannot be read as a table ({error})") from error
        missing = [name for name in self if name not in frame.columns]
        unknown = [str(name) for name in frame.columns if name not in self._parameters]
        twice = [name for name in self if list(frame.columns).count(name) > 1]
        if missing or unknown or twice:
            lines = [f"missing column {name!r}" for name in missing]
            lines += [f"more than one column {name!r}" for name in twice]
            lines += [f"unknown column {name!r}; {did_you_mean(name, self.names)}" for name in unknown]
            raise InvalidInputError(f"{what}: wrong columns\n" + "\n".join(f"  {line}" for line in lines))

        columns: dict[str, Any] = {}
        problems: list[tuple[int, str]] = []
        for name, parameter in self.items():
            raw = frame[name]
            if isinstance(parameter, Numeric) and raw.dtype.kind in "iuf":
                values = raw.to_numpy(dtype=float, na_value=np.nan)
                good = (values >= parameter.low) & (values <= parameter.high) & np.isfinite(values)
                if isinstance(parameter, Integer):
                    good &= values == np.floor(values)
                suspects = np.flatnonzero(~good)
            else:
                suspects = np.arange(len(raw))
            cells = raw.to_numpy(dtype=object)
            found = [(row, parameter.problem(cells[row])) for row in suspects]
            bad = [(int(row), reason) for row, reason in found if reason]
            for row, reason in bad:
                where, value = plain(frame.index[row]), plain(cells[row])
                text = f"row {where!r}, {name!r} = {value!r:.100} {reason}; allowed: {parameter.allowed}"
                problems.append((row, text))
            if not bad:
                columns[name] = self._typed(parameter, raw)
        if problems:
            problems.sort(key=lambda item: item[0])
            lines = [text for _, text in problems[:MAX_LISTED]]
            if len(problems) > MAX_LISTED:
                lines.append(f"... and {len(problems) - MAX_LISTED} more")
            count = "1 value is" if len(problems) == 1 else f"{len(problems)} values are"
            raise InvalidInputError(f"{what}: {count} not allowed\n" + "\n".join(f"  {line}" for line in lines))
        out = pd.DataFrame(columns, index=frame.index)
        out.attrs = dict(frame.attrs)
        return out

    @staticmethod
    def _typed(parameter: Parameter, raw: pd.Series) -> Any:
        if isinstance(parameter, Numeric):
            return raw.astype(float).astype(parameter.dtype)
        # The listed value itself instead of one that equals it (1.0 for 1, 1 for True): a run's identity hangs on it.
        found = cast(Finite, parameter)
        return found.decode(found.codes(raw.to_numpy(dtype=object)))

    def _as_frame(self, x: Any, what: str) -> pd.DataFrame:
        import pandas as pd

        if isinstance(x, pd.DataFrame):
            return x
        if isinstance(x, pd.Series):
            return x.to_frame().T
        if isinstance(x, Mapping):
            scalar = all(np.ndim(value) == 0 for value in x.values())
            return pd.DataFrame([dict(x)] if scalar else dict(x))
        if isinstance(x, Sequence) and x and all(isinstance(row, Mapping) for row in x):
            return pd.DataFrame(list(x))
        # NumPy would turn a list's numbers into text beside text.
        array = x if isinstance(x, np.ndarray) else np.asarray(x, dtype=object)
        if array.ndim != 2 or array.shape[1] != self.d:
            raise InvalidInputError(f"{what}: an array must have shape (n, {self.d}), got {array.shape}")
        return pd.DataFrame(array, columns=list(self.names)).infer_objects()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description; :meth:`from_dict` makes an equal space of it."""
        return {name: parameter.to_dict() for name, parameter in self.items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Space:
        """The space that :meth:`to_dict` described."""
        if not isinstance(data, Mapping):
            raise ValueError(f"a space is described by a mapping from name to parameter, got {data!r:.100}")
        return cls({name: parameter_from_dict(name, entry) for name, entry in data.items()})

    def to_json(self) -> str:
        """The space as a JSON text."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> Space:
        """The space that :meth:`to_json` wrote."""
        return cls.from_dict(json.loads(text))

    @property
    def fingerprint(self) -> str:
        """Short hash of names, types, bounds, values and distributions; units, roles and descriptions do not."""
        shown = {
            name: {key: value for key, value in entry.items() if key not in ("unit", "description", "role")}
            for name, entry in self.to_dict().items()
        }
        return hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:16]

    def to_salib(self, *, unit_cube: bool = False) -> dict[str, Any]:
        """The ``problem`` dictionary that SALib's samplers and analysers take.

        Parameters
        ----------
        unit_cube : bool
            Describe every parameter as uniform on [0, 1]; sample there and map with :meth:`from_unit`. This always
            works, also for discrete parameters and distributions that SALib does not have.

        Raises
        ------
        ValueError
            If a parameter has no counterpart in SALib and `unit_cube` is false.

        Examples
        --------
        >>> Space(x=Real(0, 2), rate=Real(0.1, 10, log=True)).to_salib()
        {'num_vars': 2, 'names': ['x', 'rate'], 'bounds': [[0.0, 2.0], [0.1, 10.0]], 'dists': ['unif', 'logunif']}
        """
        described = [("unif", [0.0, 1.0]) if unit_cube else _salib_distribution(n, p) for n, p in self.items()]
        return {
            "num_vars": self.d,
            "names": list(self.names),
            "bounds": [bounds for _, bounds in described],
            "dists": [dist for dist, _ in described],
        }


def _salib_distribution(name: str, parameter: Parameter) -> tuple[str, list[float]]:
    """SALib's name and numbers for a parameter; meanings as in ``SALib.util._nonuniform_scale_samples``."""
    if isinstance(parameter, Real):
        if parameter.distribution is None:
            return ("logunif" if parameter.log else "unif"), [parameter.low, parameter.high]
        described = distribution_to_dict(parameter.distribution)
        *shapes, loc, scale = described["args"]
        match described["name"]:
            case "uniform":
                return "unif", [loc, loc + scale]
            case "norm":
                return "norm", [loc, scale]
            case "truncnorm":
                return "truncnorm", [loc + shapes[0] * scale, loc + shapes[1] * scale, loc, scale]
            case "lognorm" if loc == 0:
                return "lognorm", [float(np.log(scale)), shapes[0]]
            case "loguniform" | "reciprocal" if loc == 0:
                return "logunif", [scale * shapes[0], scale * shapes[1]]
            # SALib refuses a negative end and a peak at the end.
            case "triang" if loc + scale >= 0 and shapes[0] < 1:
                return "triang", [loc, loc + scale, shapes[0]]
    raise ValueError(
        f"SALib has no counterpart of parameter {name!r} ({parameter.allowed}); "
        "use to_salib(unit_cube=True) and map the sample with space.from_unit"
    )
