"""What may vary: typed parameters with bounds, units and distributions, and the space they span."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from surrogate.errors import InvalidInputError, did_you_mean

# Every worker process imports this module and most need neither; together they take a second. scipy.stats loads itself
# on first use; pandas is imported where it is used, since modules that load lazily are not safe in threads.
if TYPE_CHECKING:
    import pandas as pd
    import scipy.stats

__all__ = ["Categorical", "Integer", "Ordinal", "Parameter", "Real", "Space"]

FloatArray = NDArray[np.float64]
Role = Literal["uncertainty", "lever", "constant"]
ROLES = ("uncertainty", "lever", "constant")

# How many offending cells an error lists before it only counts the rest.
MAX_LISTED = 10

# Beyond this size of an Integer a position in the unit cube, a float, no longer tells every number from its neighbours
# once it has been through a logarithm.
LARGEST_INTEGER = 2**40

# Shares of probability cut off on each side when an unbounded parameter needs finite limits, e.g. for an axis.
TAIL = 1e-3


@dataclass(frozen=True)
class Parameter(ABC):
    """One named, typed input of a simulator.

    Every parameter maps the unit interval onto its values (:meth:`from_unit`, the inverse of its distribution function)
    and back (:meth:`to_unit`); a design needs nothing else of it.
    """

    kind: ClassVar[str]
    dtype: ClassVar[Any]

    unit: str = field(default="", kw_only=True)
    role: Role = field(default="uncertainty", kw_only=True)
    description: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(f"role must be one of {ROLES}, got {self.role!r}")

    @abstractmethod
    def from_unit(self, u: ArrayLike) -> NDArray[Any]:
        """Values at positions `u` in [0, 1], array of the same shape."""

    @abstractmethod
    def to_unit(self, values: ArrayLike) -> FloatArray:
        """Positions in [0, 1] of `values`; of a discrete value the middle of its cell."""

    @abstractmethod
    def problem(self, value: Any) -> str | None:
        """Why `value` is not allowed, or None."""

    @property
    @abstractmethod
    def allowed(self) -> str:
        """The allowed values in words, e.g. ``"[-4, 12] deg"``."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description, read back by :meth:`Space.from_dict`."""
        out: dict[str, Any] = {"type": self.kind, **self._own_dict()}
        out |= {key: getattr(self, key) for key in ("unit", "description") if getattr(self, key)}
        if self.role != "uncertainty":
            out["role"] = self.role
        return out

    @abstractmethod
    def _own_dict(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class _Numeric(Parameter):
    """A number between `low` and `high`, both included."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("low", "high"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
                raise TypeError(f"{name} must be a number, got {value!r}")
            if value != value:
                raise ValueError(f"{name} must not be NaN")
        if not self.low < self.high:
            raise ValueError(f"low must be below high, got low={self.low}, high={self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"a log scale needs low > 0, got low={self.low}")

    @property
    def finite_range(self) -> tuple[float, float]:
        """Limits for an axis: `low` and `high`, where infinite the 0.1% and 99.9% quantiles."""
        ends = np.asarray(self.from_unit([TAIL, 1 - TAIL]), dtype=float)
        return (
            float(self.low) if np.isfinite(self.low) else float(ends[0]),
            float(self.high) if np.isfinite(self.high) else float(ends[1]),
        )

    @property
    def allowed(self) -> str:
        # Twelve digits: rounded to six, a value could look allowed that is not.
        left = f"[{self.low:.12g}" if np.isfinite(self.low) else "(-inf"
        right = f"{self.high:.12g}]" if np.isfinite(self.high) else "inf)"
        return f"{left}, {right}" + (f" {self.unit}" if self.unit else "")

    def problem(self, value: Any) -> str | None:
        # float() would take all of these, and with them a column that is not what its author meant.
        if isinstance(value, (bool, np.bool_, str, bytes)) or np.iscomplexobj(value):
            return "is not a number"
        try:
            number = float(value)
        except OverflowError:
            return "is out of range"
        except (TypeError, ValueError):
            return "is not a number"
        if np.isnan(number):
            return "is NaN"
        if np.isinf(number):  # which an unbounded range would let through
            return "is infinite"
        if not self.low <= number <= self.high:
            return "is out of range"
        return None

    def _own_dict(self) -> dict[str, Any]:
        out: dict[str, Any] = {"low": self.low, "high": self.high}
        if self.log:
            out["log"] = True
        return out


@dataclass(frozen=True)
class Real(_Numeric):
    """A real number between `low` and `high`, both included.

    Parameters
    ----------
    low, high : float
        Bounds, in `unit`.
    log : bool
        Uniform in the logarithm instead of in the value; needs ``low > 0``.
    unit : str
        Unit of measurement, shown in plots and reports.
    role : {"uncertainty", "lever", "constant"}
        What the parameter is to the analyst.
    description : str
        One line on what it means.

    Examples
    --------
    >>> Real(-4, 12, unit="deg").from_unit([0.0, 0.5, 1.0])
    array([-4.,  4., 12.])
    >>> Real(0.01, 100, log=True).from_unit(0.5).round(12).item()
    1.0
    """

    kind: ClassVar[str] = "real"
    dtype: ClassVar[Any] = np.float64

    distribution: Any = field(default=None, kw_only=True, compare=False, repr=False)
    # The distribution as plain data, for equality, hashing, JSON and repr: frozen distributions know only identity.
    _distribution_key: str = field(default="", init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))
        if self.distribution is None:
            if not (np.isfinite(self.low) and np.isfinite(self.high)):
                raise ValueError(
                    f"bounds must be finite, got low={self.low}, high={self.high}; "
                    "for an unbounded parameter use Real.distributed(...)"
                )
            if not np.isfinite(self.high - self.low):
                raise ValueError(f"bounds are too far apart for a float, got low={self.low}, high={self.high}")
        else:
            if self.log:
                raise ValueError("a distribution has a scale of its own; leave out log")
            support = tuple(float(end) for end in self.distribution.support())
            if (self.low, self.high) != support:
                raise ValueError(
                    f"low and high must be the distribution's support {support}, got {(self.low, self.high)}; "
                    "use Real.distributed(...)"
                )
            key = json.dumps(_distribution_to_dict(self.distribution), sort_keys=True)
            object.__setattr__(self, "_distribution_key", key)

    @classmethod
    def distributed(
        cls, distribution: Any, *, unit: str = "", role: Role = "uncertainty", description: str = ""
    ) -> Real:
        """A real number that follows a frozen SciPy distribution.

        Parameters
        ----------
        distribution : scipy.stats frozen continuous distribution
            E.g. ``scipy.stats.norm(0, 1)``. Its support gives `low` and `high`.

        Raises
        ------
        TypeError
            If `distribution` is not a frozen continuous distribution of ``scipy.stats``.

        Examples
        --------
        >>> gust = Real.distributed(scipy.stats.norm(0, 2), unit="m/s")
        >>> gust.low, gust.from_unit(0.5).item()
        (-inf, 0.0)
        """
        _distribution_to_dict(distribution)
        low, high = distribution.support()
        if np.isnan(low) or np.isnan(high):
            raise ValueError(f"shapes or scale are not allowed: {_distribution_to_dict(distribution)}")
        return cls(float(low), float(high), unit=unit, role=role, description=description, distribution=distribution)

    def from_unit(self, u: ArrayLike) -> FloatArray:
        u = np.asarray(u, dtype=float)
        if self.distribution is not None:
            # A scrambled Sobol point may be exactly 0, whose quantile is infinite for an unbounded distribution.
            safe = np.clip(u, 2.0**-53, 1 - 2.0**-53)
            # Clipped, since a quantile function may miss its own support by a rounding error.
            return np.asarray(np.clip(self.distribution.ppf(safe), self.low, self.high), dtype=float)
        if self.log:
            low, high = np.log(self.low), np.log(self.high)
            return np.asarray(np.clip(np.exp(low + u * (high - low)), self.low, self.high))
        return np.asarray(np.clip(self.low + u * (self.high - self.low), self.low, self.high))

    def to_unit(self, values: ArrayLike) -> FloatArray:
        x = np.asarray(values, dtype=float)
        if self.distribution is not None:
            return np.asarray(self.distribution.cdf(x), dtype=float)
        if self.log:
            # Not the logarithm of a ratio: high / low may overflow.
            low, high = np.log(self.low), np.log(self.high)
            return np.asarray((np.log(x) - low) / (high - low))
        return np.asarray((x - self.low) / (self.high - self.low))

    @property
    def allowed(self) -> str:
        return super().allowed + (" (log scale)" if self.log else "")

    def _own_dict(self) -> dict[str, Any]:
        if self.distribution is not None:
            return {"distribution": json.loads(self._distribution_key)}
        return super()._own_dict()


@dataclass(frozen=True)
class Integer(_Numeric):
    """A whole number from `low` to `high`, both included and, on a linear scale, equally likely.

    Parameters
    ----------
    low, high : int
    log : bool
        Small numbers are likelier: uniform in the logarithm of the cells [k - 1/2, k + 1/2]; needs ``low > 0``.

    Examples
    --------
    >>> Integer(1, 4).from_unit([0.0, 0.3, 1.0])
    array([1, 2, 4])
    """

    kind: ClassVar[str] = "integer"
    dtype: ClassVar[Any] = np.int64

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("low", "high"):
            value = getattr(self, name)
            if abs(value) > LARGEST_INTEGER:
                raise ValueError(f"{name} must lie within ±2**40, got {value}")
            if value != int(value):
                raise ValueError(f"{name} must be a whole number, got {value}")
            object.__setattr__(self, name, int(value))

    def _edges(self) -> tuple[float, float]:
        low, high = self.low - 0.5, self.high + 0.5
        return (float(np.log(low)), float(np.log(high))) if self.log else (low, high)

    def from_unit(self, u: ArrayLike) -> NDArray[np.int64]:
        low, high = self._edges()
        position = low + np.asarray(u, dtype=float) * (high - low)
        if self.log:
            position = np.exp(position)
        # Half up, not half to even: every cell is closed on the left.
        return np.clip(np.floor(position + 0.5), self.low, self.high).astype(np.int64)

    def to_unit(self, values: ArrayLike) -> FloatArray:
        low, high = self._edges()
        x = np.asarray(values, dtype=float)
        return np.asarray(((np.log(x) if self.log else x) - low) / (high - low))

    @property
    def allowed(self) -> str:
        return f"whole numbers {self.low} to {self.high}" + (f" {self.unit}" if self.unit else "")

    def problem(self, value: Any) -> str | None:
        found = super().problem(value)
        if found is None and float(value) != int(float(value)):
            return "is not a whole number"
        return found


@dataclass(frozen=True)
class _Finite(Parameter):
    """One of a few values, equally likely."""

    values: tuple[Any, ...]
    dtype: ClassVar[Any] = object

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.values, (list, tuple)):
            raise TypeError(f"values must be a list, got {self.values!r}")
        values = tuple(value.item() if isinstance(value, np.generic) else value for value in self.values)
        if len(values) < 2:
            raise ValueError(f"at least two values are needed, got {list(values)}")
        wrong = [value for value in values if not isinstance(value, (str, int, float, bool))]
        if wrong:
            raise TypeError(f"values must be text, numbers or booleans, got {wrong[0]!r}")
        infinite = [value for value in values if isinstance(value, float) and not np.isfinite(value)]
        if infinite:
            raise ValueError(f"values must be finite, got {infinite[0]!r}")
        if len(set(values)) != len(values):
            raise ValueError(f"values must differ from each other, got {list(values)}")
        object.__setattr__(self, "values", values)

    def codes(self, values: ArrayLike) -> NDArray[np.int64]:
        """Position of each value in the list; ``KeyError`` for a foreign one."""
        position = {value: code for code, value in enumerate(self.values)}
        return np.array([position[value] for value in np.asarray(values, dtype=object).ravel()], dtype=np.int64)

    def from_unit(self, u: ArrayLike) -> NDArray[Any]:
        k = len(self.values)
        return self.decode(np.minimum((np.asarray(u, dtype=float) * k).astype(np.int64), k - 1))

    def decode(self, codes: NDArray[np.int64]) -> NDArray[Any]:
        """The values at positions in the list, as the inverse of :meth:`codes`."""
        # Numbers and booleans of one type get that type, whichever of them occur; everything else stays as it is.
        types = {type(value) for value in self.values}
        table = np.empty(len(self.values), dtype=object)
        table[:] = self.values
        return np.asarray((np.array(self.values) if types in ({bool}, {int}, {float}) else table)[codes])

    def to_unit(self, values: ArrayLike) -> FloatArray:
        return np.asarray((self.codes(values) + 0.5) / len(self.values))

    @property
    def allowed(self) -> str:
        return "one of " + ", ".join(map(repr, self.values))

    def problem(self, value: Any) -> str | None:
        if isinstance(value, (float, np.floating)) and np.isnan(value):
            return "is NaN"
        try:
            hash(value)  # an array is no value, and would be compared element by element
            return None if value in self.values else "is not allowed"
        except TypeError:
            return "is not allowed"

    def _own_dict(self) -> dict[str, Any]:
        return {"values": list(self.values)}


@dataclass(frozen=True)
class Ordinal(_Finite):
    """One of a few ordered levels, equally likely.

    Parameters
    ----------
    values : sequence of str, int, float or bool
        The levels, from lowest to highest.

    Examples
    --------
    >>> Ordinal(["low", "mid", "high"]).to_unit(["mid"])
    array([0.5])
    """

    kind: ClassVar[str] = "ordinal"


@dataclass(frozen=True)
class Categorical(_Finite):
    """One of a few values without an order, equally likely.

    Parameters
    ----------
    values : sequence of str, int, float or bool

    Examples
    --------
    >>> Categorical(["clean", "flap"]).from_unit([0.2, 0.9]).tolist()
    ['clean', 'flap']
    """

    kind: ClassVar[str] = "categorical"


PARAMETER_TYPES: dict[str, type[Parameter]] = {cls.kind: cls for cls in (Real, Integer, Ordinal, Categorical)}


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
            if isinstance(parameter, _Numeric) and raw.dtype.kind in "iuf":
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
                where, value = _plain(frame.index[row]), _plain(cells[row])
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
        if isinstance(parameter, _Numeric):
            return raw.astype(float).astype(parameter.dtype)
        # The listed value itself instead of one that equals it (1.0 for 1, 1 for True): a run's identity hangs on it.
        found = cast(_Finite, parameter)
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
        return cls({name: _parameter_from_dict(name, entry) for name, entry in data.items()})

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


def _plain(value: Any) -> Any:
    """A NumPy scalar, or those in a tuple, as Python's own, which are shorter to read."""
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    return value.item() if isinstance(value, np.generic) else value


def _distribution_to_dict(distribution: Any) -> dict[str, Any]:
    frozen: Any = getattr(distribution, "dist", None)
    if not isinstance(frozen, scipy.stats.rv_continuous):
        raise TypeError(
            f"distribution must be a frozen continuous scipy.stats distribution such as scipy.stats.norm(0, 1), "
            f"got {distribution!r}"
        )
    name = str(frozen.name)
    # By type, since anyone may call a distribution of their own "norm".
    if type(getattr(scipy.stats, name, None)) is not type(cast(object, frozen)):
        raise TypeError(f"distribution {name!r} is not one of scipy.stats and could not be stored with the runs")
    shapes, loc, scale = cast(Any, frozen)._parse_args(*distribution.args, **distribution.kwds)
    args = (*shapes, loc, scale)
    if any(np.ndim(a) for a in args):
        raise TypeError(f"distribution {name!r} must be of one number, got arguments {args}")
    return {"name": name, "args": [float(a) for a in args]}


def _parameter_from_dict(name: str, entry: Mapping[str, Any]) -> Parameter:
    if not isinstance(entry, Mapping):
        raise ValueError(f"parameter {name!r}: must be described by a mapping, got {entry!r}")
    data = dict(entry)
    kind = data.pop("type", None)
    if not isinstance(kind, str) or kind not in PARAMETER_TYPES:
        raise ValueError(f"parameter {name!r}: unknown type {kind!r}; {did_you_mean(str(kind), PARAMETER_TYPES)}")
    try:
        if kind == Real.kind and "distribution" in data:
            described = data.pop("distribution")
            return Real.distributed(_distribution_from_dict(described), **data)
        return PARAMETER_TYPES[kind](**data)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ValueError(f"parameter {name!r}: {error}") from error


def _distribution_from_dict(described: Mapping[str, Any]) -> Any:
    name = described["name"]
    family = getattr(scipy.stats, name, None)
    # Nothing else of scipy.stats may be called by a name out of a file.
    if not isinstance(family, scipy.stats.rv_continuous):
        known = [word for word in dir(scipy.stats) if isinstance(getattr(scipy.stats, word), scipy.stats.rv_continuous)]
        raise ValueError(f"scipy.stats has no continuous distribution {name!r}; {did_you_mean(name, known)}")
    return cast(Any, family)(*described["args"])


def _salib_distribution(name: str, parameter: Parameter) -> tuple[str, list[float]]:
    """SALib's name and numbers for a parameter; meanings as in ``SALib.util._nonuniform_scale_samples``."""
    if isinstance(parameter, Real):
        if parameter.distribution is None:
            return ("logunif" if parameter.log else "unif"), [parameter.low, parameter.high]
        described = _distribution_to_dict(parameter.distribution)
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
